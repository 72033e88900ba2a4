// Package schedule draws the timing of workflows: lists, the timing dialog with its cron field, and the calendar.
package schedule
