// Package metrics is the one Prometheus registry of a process, handed from
// constructor to constructor.
//
// Names are given as DolphinScheduler documents them, with dots
// ("ds.workflow.instance.count"), and published with underscores; counters end
// in _total, durations are in seconds.
package metrics
