package schedule

import (
	"time"

	"dorado/modules/flow/cron"
)

// Fire is one moment at which a schedule is due.
type Fire struct {
	Nominal time.Time // what the run is about: its schedule_time, and the key by which it happens once
	Due     time.Time // when it happens; another time than Nominal when a calendar moved it
}

// after reports whether f comes later than g: by when it is due, then by what it is about.
func (f Fire) after(g Fire) bool {
	if !f.Due.Equal(g.Due) {
		return f.Due.After(g.Due)
	}
	return f.Nominal.After(g.Nominal)
}

// After stands for everything due until t, so that Next of it is the first fire that is due later.
func After(t time.Time) Fire {
	return Fire{Nominal: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), Due: t}
}

// Timing decides when a schedule fires. It is immutable and safe for concurrent use.
type Timing struct {
	Expr     *cron.Expr
	Zone     *time.Location
	Start    time.Time // fires lie after it
	End      time.Time // and not after this
	Calendar Workdays  // nil = every day is like the others
	Policy   CalendarPolicy
}

// The search for a fire gives up after this many days that are not worked in a row, and this many fires that fall on
// such days: a calendar without working days must not keep the clock busy.
const (
	maxHolidays = 370
	maxSkipped  = 4000
)

// Next returns the first fire after another one, or After a moment; false when there is none.
func (t *Timing) Next(after Fire) (Fire, bool) {
	switch {
	case t.Calendar == nil:
		return t.plain(after.Due)
	case t.Policy == NextWorkday || t.Policy == PreviousWorkday:
		return t.moved(after)
	default:
		return t.skipping(after.Due)
	}
}

// Upcoming returns the next n fires after a moment, fewer when the range ends.
func (t *Timing) Upcoming(after time.Time, n int) []Fire {
	fires := make([]Fire, 0, n)
	for at := After(after); len(fires) < n; {
		f, ok := t.Next(at)
		if !ok {
			break
		}
		fires, at = append(fires, f), f
	}
	return fires
}

// nominal returns the first time of the expression after a moment, within the range.
func (t *Timing) nominal(after time.Time) (time.Time, bool) {
	if after.Before(t.Start) {
		after = t.Start
	}
	n, ok := t.Expr.Next(after.In(t.Zone))
	return n, ok && !n.After(t.End)
}

func (t *Timing) plain(after time.Time) (Fire, bool) {
	n, ok := t.nominal(after)
	return Fire{n, n}, ok
}

func (t *Timing) skipping(after time.Time) (Fire, bool) {
	for range maxSkipped {
		n, ok := t.nominal(after)
		if !ok || t.works(dayOf(n)) {
			return Fire{n, n}, ok
		}
		after = dayOf(n).next(1).begins(t.Zone).Add(-time.Nanosecond)
	}
	return Fire{}, false
}

// moved walks from working day to working day. Each has a group of days whose fires are due on it: itself, and the days
// before it (or after it) that are not worked.
func (t *Timing) moved(after Fire) (Fire, bool) {
	from := after.Due
	if from.Before(t.Start) {
		from = t.Start
	}
	day, ok := t.workday(dayOf(from.In(t.Zone)), 1)
	for range maxSkipped {
		if !ok {
			return Fire{}, false
		}
		first, last := t.group(day)
		if f, found := t.earliest(day, first, last, after); found {
			return f, true
		}
		n, more := t.nominal(last.next(1).begins(t.Zone).Add(-time.Nanosecond))
		if !more {
			return Fire{}, false
		}
		step := 1
		if t.Policy == PreviousWorkday {
			step = -1
		}
		day, ok = t.workday(dayOf(n), step)
	}
	return Fire{}, false
}

// earliest finds the first fire of the days first to last that is due on day and comes after another fire.
func (t *Timing) earliest(day, first, last date, after Fire) (best Fire, found bool) {
	local := after.Due.In(t.Zone)
	for d := first; !last.before(d); d = d.next(1) {
		at := d.begins(t.Zone).Add(-time.Nanosecond)
		if dayOf(local) == day { // what is due earlier on this day need not be looked at
			if same := d.at(local, t.Zone).Add(-time.Second); same.After(at) {
				at = same
			}
		}
		for {
			n, ok := t.nominal(at)
			if !ok || dayOf(n) != d {
				break
			}
			f := Fire{Nominal: n, Due: n}
			if d != day {
				f.Due = day.at(n, t.Zone)
			}
			if f.after(after) && f.Due.After(t.Start) {
				if !found || best.after(f) {
					best, found = f, true
				}
				break
			}
			at = n
		}
	}
	return best, found
}

// group returns the first and the last day whose fires are due on a working day.
func (t *Timing) group(day date) (first, last date) {
	first, last = day, day
	for range maxHolidays {
		if t.Policy == NextWorkday {
			if d := first.next(-1); !t.works(d) {
				first = d
				continue
			}
		} else if d := last.next(1); !t.works(d) {
			last = d
			continue
		}
		break
	}
	return first, last
}

// workday returns the first day from d on, forwards or backwards, that is worked.
func (t *Timing) workday(d date, step int) (date, bool) {
	for range maxHolidays {
		if t.works(d) {
			return d, true
		}
		d = d.next(step)
	}
	return d, false
}

func (t *Timing) works(d date) bool { return t.Calendar.Workday(d.year, d.month, d.day) }

// date is a day of the civil calendar.
type date struct {
	year  int
	month time.Month
	day   int
}

func dayOf(t time.Time) date {
	y, m, d := t.Date()
	return date{y, m, d}
}

func (d date) next(days int) date {
	return dayOf(time.Date(d.year, d.month, d.day+days, 12, 0, 0, 0, time.UTC))
}

func (d date) before(e date) bool {
	if d.year != e.year {
		return d.year < e.year
	}
	if d.month != e.month {
		return d.month < e.month
	}
	return d.day < e.day
}

// begins is the first instant of the day in a zone; some days begin at one o'clock.
func (d date) begins(zone *time.Location) time.Time {
	t := time.Date(d.year, d.month, d.day, 0, 0, 0, 0, zone)
	if dayOf(t) != d { // midnight does not exist, and the library took the hour before
		_, end := t.ZoneBounds()
		if !end.IsZero() {
			t = end
		}
	}
	return t
}

// at is the instant of this day with the wall-clock time that t shows; where the day has no such time, one shortly after.
func (d date) at(t time.Time, zone *time.Location) time.Time {
	hour, minute, second := t.Clock()
	return time.Date(d.year, d.month, d.day, hour, minute, second, t.Nanosecond(), zone)
}
