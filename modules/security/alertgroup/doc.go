// Package alertgroup keeps alert groups: who hears of what happened to a run.
//
// Runs, schedules and projects refer to a group by its id. Group 1 is the administrators'; it is there from the start and
// is never deleted. A group that something refers to is not deleted either. A group holds
// alert instances, which are the ways its members are told; alerts of a group that holds none go to the log of the program.
package alertgroup
