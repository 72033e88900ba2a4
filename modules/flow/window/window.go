package window

import (
	"slices"
	"strings"
	"time"
)

// Window is a stretch of time: From belongs to it, Until does not.
type Window struct {
	From  time.Time
	Until time.Time
}

// Contains reports whether t lies in the window.
func (w Window) Contains(t time.Time) bool { return !t.Before(w.From) && t.Before(w.Until) }

// Values lists every dateValue, grouped by cycle: hours, days, weeks, months.
func Values() []string {
	return []string{
		"currentHour", "last1Hour", "last2Hours", "last3Hours", "last24Hours",
		"today", "last1Days", "last2Days", "last3Days", "last7Days",
		"thisWeek", "lastWeek", "lastMonday", "lastTuesday", "lastWednesday", "lastThursday", "lastFriday", "lastSaturday", "lastSunday",
		"thisMonth", "thisMonthBegin", "thisMonthEnd", "lastMonth", "lastMonthBegin", "lastMonthEnd",
	}
}

// Known reports whether dateValue has windows.
func Known(dateValue string) bool { return slices.Contains(Values(), dateValue) }

// Of lists the windows of dateValue, the earliest first; base is in the zone of the run. An unknown dateValue has none.
func Of(dateValue string, base time.Time) []Window {
	c := calendar{base}
	switch dateValue {
	case "currentHour":
		return c.hours(0, 0)
	case "last1Hour":
		return latest(1, c.hours(-3, -1))
	case "last2Hours":
		return latest(2, c.hours(-4, -1))
	case "last3Hours":
		return latest(3, c.hours(-5, -1))
	case "last24Hours": // from 01:00 yesterday to 01:00 today, whatever the hour of the base time
		return c.hours(-base.Hour()-23, -base.Hour())
	case "today":
		return c.days(0, 0)
	case "last1Days":
		return latest(1, c.days(-2, -1))
	case "last2Days":
		return latest(2, c.days(-3, -1))
	case "last3Days":
		return latest(3, c.days(-4, -1))
	case "last7Days":
		return latest(7, c.days(-8, -1))
	case "thisWeek":
		return c.days(c.monday(), 0)
	case "lastWeek":
		return c.days(c.monday()-7, c.monday()-1)
	case "thisMonth":
		return c.days(c.first(0), 0)
	case "thisMonthBegin":
		return c.days(c.first(0), c.first(0))
	case "thisMonthEnd":
		return c.days(c.first(1)-1, c.first(1)-1)
	case "lastMonth":
		return c.days(c.first(-1), c.first(0)-1)
	case "lastMonthBegin":
		return c.days(c.first(-1), c.first(-1))
	case "lastMonthEnd":
		return c.days(c.first(0)-1, c.first(0)-1)
	}
	if day, ok := weekday(dateValue); ok {
		at := c.monday() - 7 + day
		return c.days(at, at)
	}
	return nil
}

// latest leaves n windows; more were asked for because clocks may have skipped one.
func latest(n int, windows []Window) []Window { return windows[max(0, len(windows)-n):] }

// weekday reads lastMonday … lastSunday: days after a Monday.
func weekday(dateValue string) (days int, ok bool) {
	name, isLast := strings.CutPrefix(dateValue, "last")
	for d := time.Sunday; isLast && d <= time.Saturday; d++ {
		if d.String() == name {
			return (int(d) + 6) % 7, true
		}
	}
	return 0, false
}

// calendar counts days and hours from those of base.
type calendar struct{ base time.Time }

// monday is the Monday of base's week, in days from base.
func (c calendar) monday() int { return -(int(c.base.Weekday()) + 6) % 7 }

// first is the first day of the month that many months away, in days from base.
func (c calendar) first(months int) int {
	y, m, d := c.base.Date()
	here := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	return int(time.Date(y, m+time.Month(months), 1, 0, 0, 0, 0, time.UTC).Sub(here) / (24 * time.Hour))
}

func (c calendar) days(from, to int) []Window {
	y, m, d := c.base.Date()
	return between(from, to, func(i int) time.Time { return c.begin(time.Date(y, m, d+i, 0, 0, 0, 0, time.UTC), false) })
}

func (c calendar) hours(from, to int) []Window {
	y, m, d := c.base.Date()
	h := c.base.Hour()
	return between(from, to, func(i int) time.Time { return c.begin(time.Date(y, m, d, h+i, 0, 0, 0, time.UTC), true) })
}

// between makes one window of each step, without those that clocks skipped.
func between(from, to int, begin func(int) time.Time) []Window {
	var out []Window
	for i := from; i <= to; i++ {
		if w := (Window{begin(i), begin(i + 1)}); w.From.Before(w.Until) {
			out = append(out, w)
		}
	}
	return out
}

// begin is the first instant at which clocks in the zone show the day, or the hour, of wall, or one after it when they
// skip it. wall is that reading, as if it were UTC.
func (c calendar) begin(wall time.Time, hour bool) time.Time {
	zone := c.base.Location()
	var found time.Time
	for _, near := range []time.Duration{-24 * time.Hour, 24 * time.Hour} { // before and after a change of clocks
		_, offset := wall.Add(near).In(zone).Zone()
		at := wall.Add(-time.Duration(offset) * time.Second).In(zone)
		shows := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
		if hour {
			shows = shows.Add(time.Duration(at.Hour()) * time.Hour)
		}
		if shows.Before(wall) {
			continue
		}
		if found.IsZero() || at.Before(found) {
			found = at
		}
	}
	if found.IsZero() { // clocks changed by a day
		return time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), 0, 0, 0, zone)
	}
	return found
}
