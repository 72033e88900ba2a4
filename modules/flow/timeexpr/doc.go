// Package timeexpr evaluates the $[…] time expressions of workflow parameters and scripts.
//
// An expression is a date pattern in the letters of Java's SimpleDateFormat with an optional offset ("yyyyMMdd-1",
// "HHmm+30/24/60"), or one function call: add_months, month_begin, month_end, week_begin, week_end, month_first_day,
// month_last_day, week_first_day, week_last_day, this_day, last_day, year_week, timestamp. It is evaluated at a base
// time in that time's own location, which is the time zone of the run.
//
// Rules worth knowing:
//
//   - An offset without a division counts calendar days: at a change of the clocks "-1" is the same time of day
//     yesterday. With a division ("-24/24", "+90/24/60") it is an exact number of minutes.
//   - A time of day that a change of the clocks skips moves forward by the length of the gap; one that occurs twice
//     is the first of the two.
//   - Weeks start on Monday, and week 1 of a year has at least four days in it. The letters w, W and Y and the
//     function year_week follow that, so 2024-12-30 belongs to week 1 of 2025.
//   - Numbers are integers, divisions cut towards zero, results outside the years 1 to 9999 are errors.
//
// The package is pure: it reads no clock, and equal input gives equal output on every machine with the same zone data.
package timeexpr
