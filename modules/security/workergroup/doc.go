// Package workergroup keeps worker groups: names that tasks ask for, and the workers behind each.
//
// A group lists its workers by name. An empty list means: whoever says in its own configuration that it serves the group.
// The group "default" is always there; without a row of its own it holds every live worker. Groups that only live
// workers name exist as well, without a row. Tasks, schedules and environments refer to groups by name, so a group in use
// is neither deleted nor renamed.
//
// Masters are told of every change over the channel "dorado_config" and send later attempts accordingly; what runs stays
// where it is. Which projects may use a group is kept by package project.
package workergroup
