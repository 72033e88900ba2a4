// Package cron is the language in which schedules say when: the Quartz dialect, and the five fields of Unix beside it.
//
// It is pure: no clock, no I/O, no global state. An Expr is immutable and safe for concurrent use; Next costs about a
// microsecond whatever the expression, because it jumps from field to field and never counts seconds.
//
// # Quartz: six or seven fields
//
//	second  minute  hour  day-of-month  month  day-of-week  [year]
//	0-59    0-59    0-23  1-31          1-12   1-7          1970-2099
//
// Months and weekdays also have names (JAN, MON), in any case. Day-of-week 1 is SUNDAY, 7 is SATURDAY. Every field takes
// `*`, values, lists `1,15`, ranges `9-17` and steps `*/5`, `5/10`, `9-17/2`, `/5`. A range may run over the end
// of its field (`22-2`, `FRI-MON`), years excepted. A step starts anew with each turn of its field: `*/17` in day-of-month
// is the 1st and the 18th of every month. Exactly one of day-of-month and day-of-week is `?`; the other rules.
//
//	day-of-month  L last day · L-3 three days before it · LW last working day (Mon-Fri) · L-3W · 15W working day
//	              nearest to the 15th within the month; a month without the day is left out
//	day-of-week   6L last Friday of the month · 6#3 third Friday · L alone Saturday, as in Quartz
//
// Unlike Quartz these may also stand in lists (`1,15,L`).
//
// # Unix: five fields
//
//	minute  hour  day-of-month  month  day-of-week (0-7, 0 and 7 are Sunday)
//
// The second is 0, every year. When neither day field starts with `*`, a day that matches EITHER of them matches, as
// every Unix cron has it; otherwise it must match both. L, W and # belong to Quartz and are refused.
//
// # Daylight saving
//
// A fire is a wall-clock time in the location of the time that is asked for. Where the clock jumps:
//
//   - Forward: a wall-clock time that does not exist is fired at the first valid instant after the gap, once, however many
//     such times the gap swallowed (and however many match that instant themselves).
//   - Back: an expression that names its hours and has one time in the hour fires in the first of the two passes only.
//     One that runs in every hour, or several times in an hour, fires on every matching instant of both.
//
// # Limits
//
// Years end with 2099. Parse refuses an expression that matches no day between 1970 and 2099 (30 February).
package cron
