// Package alertgroup keeps alert groups: who hears of what happened to a run.
//
// Runs, schedules and projects refer to a group by its id. Group 1 is the administrators'; it is there from the start and
// is never deleted. A group that something refers to is not deleted either. How a group's members are reached is not kept
// here yet: until then alerts of every group go to the log of the program.
package alertgroup
