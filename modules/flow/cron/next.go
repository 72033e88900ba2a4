package cron

import (
	"math/bits"
	"time"
)

const (
	daySeconds = 24 * 60 * 60
	// No clock was ever put back or forward by more (Samoa and the Philippines lost a day).
	greatestJump = 26 * 60 * 60
)

// Next returns the first fire strictly after a time, in the location of that time; false when there is none until the end
// of LastYear. Fires are whole seconds.
func (e *Expr) Next(after time.Time) (time.Time, bool) {
	loc := after.Location()
	t := after.Unix() + 1
	for {
		at := time.Unix(t, 0).In(loc)
		_, off := at.Zone()
		offset := int64(off)
		start, end := at.ZoneBounds()
		wall := t + offset
		if !start.IsZero() {
			s := start.Unix()
			_, b := start.Add(-time.Second).Zone()
			switch before := int64(b); {
			case before < offset && t == s: // the clock has just jumped forward: look into the gap
				wall = s + before
				w, ok := e.nextWall(wall)
				if !ok {
					return time.Time{}, false
				}
				if w < s+offset {
					return at, true
				}
				wall = w
			case before > offset && !e.twice && wall < s+before: // the second pass
				wall = s + before
			}
		}
		w, ok := e.nextWall(wall)
		if !ok {
			return time.Time{}, false
		}
		if end.IsZero() || w-offset < end.Unix() {
			return time.Unix(w-offset, 0).In(loc), true
		}
		// Nothing up to the end of this offset. What the clock repeats there is known to be empty when we came from far
		// enough before it; then the offsets up to w need not be visited either.
		far := w - offset - 2*greatestJump
		next := end.Unix()
		if t <= next-greatestJump && far > next {
			next = far
		}
		t = next
	}
}

// Prev returns the last fire strictly before a time, in the location of that time; false when there is none since the
// beginning of FirstYear.
func (e *Expr) Prev(before time.Time) (time.Time, bool) {
	loc := before.Location()
	limit := before.Unix()
	if before.Nanosecond() > 0 {
		limit++ // the whole second itself lies before
	}
	// has says whether there is a fire after x and before the limit.
	has := func(x int64) bool {
		t, ok := e.Next(time.Unix(x, 0).In(loc))
		return ok && t.Unix() < limit
	}
	first := time.Date(FirstYear, 1, 1, 0, 0, 0, 0, time.UTC).Unix() - greatestJump
	hi, step := limit, int64(1)
	lo := max(first, limit-step)
	for ; !has(lo); lo = max(first, limit-step) {
		if lo == first {
			return time.Time{}, false
		}
		hi, step = lo, step*2
	}
	for lo+1 < hi { // has(lo) and not has(hi)
		if mid := lo + (hi-lo)/2; has(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return e.Next(time.Unix(lo, 0).In(loc))
}

// Between returns the fires from one time to another, both included, in the location of from; at most limit of them, and
// whether there are more.
func (e *Expr) Between(from, to time.Time, limit int) (fires []time.Time, more bool) {
	at := from.Add(-time.Nanosecond)
	for {
		next, ok := e.Next(at)
		if !ok || next.After(to) {
			return fires, false
		}
		if len(fires) >= limit {
			return fires, true
		}
		fires = append(fires, next)
		at = next
	}
}

// nextWall returns the first matching wall-clock time that is not before w; both are seconds since 1970 as if the wall
// clock were UTC.
func (e *Expr) nextWall(w int64) (int64, bool) {
	w = max(w, 0)
	day := w / daySeconds
	sec := int(w - day*daySeconds)
	year, month, d := civil(day)
	for year <= LastYear {
		if !e.hasYear(year) {
			year, month, d, sec = year+1, 1, 1, 0
			continue
		}
		months := uint(e.months) >> month << month
		if months == 0 {
			year, month, d, sec = year+1, 1, 1, 0
			continue
		}
		if m := bits.TrailingZeros(months); m != month {
			month, d, sec = m, 1, 0
		}
		for days := e.dayMask(year, month) >> d << d; days != 0; days &= days - 1 {
			next := bits.TrailingZeros32(days)
			if next != d {
				d, sec = next, 0
			}
			if s, ok := e.nextTime(sec); ok {
				return time.Date(year, time.Month(month), d, 0, 0, 0, 0, time.UTC).Unix() + int64(s), true
			}
		}
		month, d, sec = month+1, 1, 0
		if month > 12 {
			year, month = year+1, 1
		}
	}
	return 0, false
}

// nextTime returns the first matching second of a day that is not before sec.
func (e *Expr) nextTime(sec int) (int, bool) {
	h, m, s := sec/3600, sec/60%60, sec%60
	if e.hours&(1<<h) != 0 {
		if e.minutes&(1<<m) != 0 {
			if rest := e.seconds >> s; rest != 0 {
				return h*3600 + m*60 + s + bits.TrailingZeros64(rest), true
			}
		}
		if rest := e.minutes >> (m + 1); rest != 0 {
			return h*3600 + (m+1+bits.TrailingZeros64(rest))*60 + bits.TrailingZeros64(e.seconds), true
		}
	}
	rest := e.hours >> (h + 1)
	if rest == 0 {
		return 0, false
	}
	h += 1 + bits.TrailingZeros32(rest)
	return h*3600 + bits.TrailingZeros64(e.minutes)*60 + bits.TrailingZeros64(e.seconds), true
}

func (e *Expr) hasYear(year int) bool {
	n := year - FirstYear
	return n >= 0 && year <= LastYear && e.years[n/64]&(1<<(n%64)) != 0
}

// dayMask is the set of days of a month that match; bit 1 is the first.
func (e *Expr) dayMask(year, month int) uint32 {
	last := daysIn(year, month)
	first := int(time.Date(year, time.Month(month), 1, 0, 0, 0, 0, time.UTC).Weekday()) + 1 // 1 = Sunday
	whole := uint32(1)<<(last+1) - 2
	day, week := e.fields[DayOfMonth], e.fields[DayOfWeek]
	switch {
	case day.none():
		return weekDays(week, first, last) & whole
	case week.none():
		return monthDays(day, first, last) & whole
	case e.either:
		return (monthDays(day, first, last) | weekDays(week, first, last)) & whole
	default:
		return monthDays(day, first, last) & weekDays(week, first, last) & whole
	}
}

// monthDays are the days that a day-of-month field names in a month whose first day is a weekday (1 = Sunday).
func monthDays(s spec, first, last int) uint32 {
	set := uint32(s.bits(DayOfMonth))
	for _, i := range s.items {
		switch i.kind {
		case itemLast:
			if last-i.from >= 1 {
				set |= 1 << (last - i.from)
			}
		case itemLastW:
			set |= nearest(last-i.from, first, last)
		case itemNearest:
			set |= nearest(i.from, first, last)
		case itemNone, itemRange, itemLastDay, itemNth:
		}
	}
	return set
}

// nearest is the working day next to a day, without leaving the month.
func nearest(day, first, last int) uint32 {
	if day < 1 || day > last {
		return 0
	}
	switch (first + day - 2) % 7 {
	case 0: // Sunday
		if day == last {
			return 1 << (day - 2)
		}
		return 1 << (day + 1)
	case 6: // Saturday
		if day == 1 {
			return 1 << 3
		}
		return 1 << (day - 1)
	default:
		return 1 << day
	}
}

// weekDays are the days of a month that a day-of-week field names.
func weekDays(s spec, first, last int) uint32 {
	var set uint32
	for week := s.bits(DayOfWeek); week != 0; week &= week - 1 {
		for d := firstOf(bits.TrailingZeros64(week), first); d <= last; d += 7 {
			set |= 1 << d
		}
	}
	for _, i := range s.items {
		d := firstOf(i.from, first)
		switch i.kind {
		case itemLastDay:
			set |= 1 << (d + (last-d)/7*7)
		case itemNth:
			if d += (i.to - 1) * 7; d <= last {
				set |= 1 << d
			}
		case itemNone, itemRange, itemLast, itemLastW, itemNearest:
		}
	}
	return set
}

// firstOf is the first day of a month that is a given weekday.
func firstOf(weekday, first int) int { return (weekday-first+7)%7 + 1 }

func civil(day int64) (year, month, d int) {
	y, m, d := time.Unix(day*daySeconds, 0).UTC().Date()
	return y, int(m), d
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
