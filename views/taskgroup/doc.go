// Package taskgroup draws the pages of task groups and of the tasks that hold their slots or wait for them.
package taskgroup
