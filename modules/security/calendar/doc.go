// Package calendar keeps business calendars: on which days people work.
//
// A calendar has a weekend, the days of the week that are free, and single days that differ: holidays, and make-up days
// on which people work although it is the weekend. Days is the pure answer to "is this a working day?"; schedules ask it
// to skip or shift their fires. A calendar knows nothing of hours and zones: whoever asks says which day it is for him.
//
// A calendar that a schedule uses is not deleted. Listeners are told, in the transaction, of every change of its days, so
// that fires are computed anew.
//
// Days are written as lines "2026-10-01 HOLIDAY National Day", see Parse; the same text comes out of Format.
package calendar
