package timeexpr

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxDays bounds every move: the span of all years that can be shown.
const maxDays = 3_660_000

var errTooFar = errors.New("the result lies outside the years 1 to 9999")

// arity says whether a function takes a number after its format.
type arity int

const (
	none arity = iota
	optional
	required
)

type function struct {
	name     string
	number   arity
	fallback int64
	move     func(base time.Time, n int64) (time.Time, error)
}

var functions = [...]function{
	{"add_months", required, 0, addMonths},
	{"month_begin", required, 0, func(t time.Time, n int64) (time.Time, error) { return addDays(t, n+1-int64(t.Day())) }},
	{"month_end", required, 0, func(t time.Time, n int64) (time.Time, error) {
		return addDays(t, n+int64(daysIn(t.Year(), t.Month())-t.Day()))
	}},
	{"week_begin", required, 0, func(t time.Time, n int64) (time.Time, error) { return addDays(t, n+1-isoDay(t)) }},
	{"week_end", required, 0, func(t time.Time, n int64) (time.Time, error) { return addDays(t, n+7-isoDay(t)) }},
	{"month_first_day", optional, 0, func(t time.Time, n int64) (time.Time, error) {
		return monthDay(t, n, func(int, time.Month) int { return 1 })
	}},
	{"month_last_day", optional, 0, func(t time.Time, n int64) (time.Time, error) { return monthDay(t, n, daysIn) }},
	{"week_first_day", optional, 0, func(t time.Time, n int64) (time.Time, error) { return weekDay(t, n, 1) }},
	{"week_last_day", optional, 0, func(t time.Time, n int64) (time.Time, error) { return weekDay(t, n, 7) }},
	{"this_day", none, 0, addDays},
	{"last_day", none, -1, addDays},
	{"year_week", optional, 1, nil}, // it renders its own text: yearWeek
}

// isoDay is 1 for Monday … 7 for Sunday.
func isoDay(t time.Time) int64 { return int64((t.Weekday()+6)%7) + 1 }

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// addDays moves by calendar days and keeps the time of day.
func addDays(t time.Time, n int64) (time.Time, error) {
	if n > maxDays || n < -maxDays {
		return t, errTooFar
	}
	if n == 0 { // keeps an hour that occurs twice where it is
		return inRange(t)
	}
	y, m, d := t.Date()
	return inRange(onDay(t, y, m, d+int(n)))
}

func addMinutes(t time.Time, n int64) (time.Time, error) {
	// In two steps: the whole span does not fit a time.Duration.
	days, rest := n/1440, n%1440
	return inRange(t.UTC().AddDate(0, 0, int(days)).Add(time.Duration(rest) * time.Minute).In(t.Location()))
}

// addMonths keeps the day of the month, or takes the last one the month has.
func addMonths(t time.Time, n int64) (time.Time, error) {
	if n == 0 {
		return inRange(t)
	}
	return monthDay(t, n, func(year int, month time.Month) int { return min(t.Day(), daysIn(year, month)) })
}

// monthDay goes to a day of the month n months away.
func monthDay(t time.Time, n int64, day func(int, time.Month) int) (time.Time, error) {
	if n > 12*10_000 || n < -12*10_000 {
		return t, errTooFar
	}
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	if _, err := inRange(first); err != nil {
		return t, err
	}
	return inRange(onDay(t, first.Year(), first.Month(), day(first.Year(), first.Month())))
}

// weekDay goes to a day of the week n weeks away; day 1 is Monday.
func weekDay(t time.Time, n, day int64) (time.Time, error) {
	if n > maxDays/7 || n < -maxDays/7 {
		return t, errTooFar
	}
	return addDays(t, 7*n+day-isoDay(t))
}

// onDay is t's time of day on another day.
func onDay(t time.Time, year int, month time.Month, day int) time.Time {
	hour, minute, second := t.Clock()
	return wall(year, month, day, hour, minute, second, t.Nanosecond(), t.Location())
}

// wall is the instant at which clocks in loc show the given time: the first one when they show it twice; when they
// skip it, the instant as far after the gap's start as the clock time lies in it. time.Date promises neither.
func wall(year int, month time.Month, day, hour, minute, second, nano int, loc *time.Location) time.Time {
	utc := time.Date(year, month, day, hour, minute, second, nano, time.UTC)
	_, before := utc.Add(-36 * time.Hour).In(loc).Zone()
	_, after := utc.Add(36 * time.Hour).In(loc).Zone()
	early := utc.Add(-time.Duration(before) * time.Second).In(loc)
	if before == after {
		if _, now := early.Zone(); now == before {
			return early
		}
		return time.Date(year, month, day, hour, minute, second, nano, loc) // two changes within three days
	}
	if _, now := early.Zone(); now == before {
		return early
	}
	late := utc.Add(-time.Duration(after) * time.Second).In(loc)
	if _, now := late.Zone(); now == after {
		return late
	}
	return early
}

func inRange(t time.Time) (time.Time, error) {
	if t.Year() < 1 || t.Year() > 9999 {
		return t, errTooFar
	}
	return t, nil
}

// yearWeek renders the week-based year and the week, as a quoted pattern. Weeks start on day first (1 = Monday).
func yearWeek(pattern string, first int64, t time.Time) (string, error) {
	if first < 1 || first > 7 {
		return "", errors.New("the first day of the week goes from 1 (Monday) to 7 (Sunday)")
	}
	year, week := weekOf(t, first)
	if year < 1 || year > 9999 {
		return "", errTooFar
	}
	dash := ""
	if strings.Contains(pattern, "-") {
		dash = "-"
	}
	return fmt.Sprintf("'%04d%s%02d'", year, dash, week), nil
}

// weekOf finds year and number of the week; the week belongs to the year that has four or more of its days.
func weekOf(t time.Time, first int64) (year, week int) {
	back := (isoDay(t) - first + 7) % 7
	y, m, d := t.Date()
	fourth := time.Date(y, m, d-int(back)+3, 0, 0, 0, 0, time.UTC)
	return fourth.Year(), (fourth.YearDay()-1)/7 + 1
}
