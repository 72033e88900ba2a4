// Package azkaban makes workflows of Azkaban projects: archives of .job and .properties files, and flows of version 2.0,
// which are YAML.
//
// A job that no other job depends on ends a flow, which has its name. Jobs of type command become SHELL tasks that stop at
// the first line that fails, as Azkaban does; noop and javaprocess become SHELL tasks too, flow a SUB_WORKFLOW task. What
// has no counterpart here becomes a task that fails and says so, and stands in the report.
package azkaban
