package calendar

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Date is a day without hours or zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// dateLayout is how days are written and kept.
const dateLayout = time.DateOnly

// ParseDate reads YYYY-MM-DD.
func ParseDate(text string) (Date, bool) {
	t, err := time.Parse(dateLayout, text)
	if err != nil || t.Year() < 1 {
		return Date{}, false
	}
	return DateOf(t), true
}

// DateOf is the day of t in its own zone.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// String is the day as YYYY-MM-DD.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// Add is the day n days later.
func (d Date) Add(n int) Date { return DateOf(d.time().AddDate(0, 0, n)) }

// Weekday is the day of the week.
func (d Date) Weekday() time.Weekday { return d.time().Weekday() }

func (d Date) time() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }

func (d Date) compare(o Date) int {
	return cmp.Or(cmp.Compare(d.Year, o.Year), cmp.Compare(d.Month, o.Month), cmp.Compare(d.Day, o.Day))
}

// Kind says in which way a single day differs from the others of its name.
type Kind string

// The kinds.
const (
	Holiday Kind = "HOLIDAY" // free, whatever day of the week
	MakeUp  Kind = "WORKDAY" // worked, whatever day of the week
)

// ParseKind reads a kind, be it in lower case; "" is Holiday.
func ParseKind(text string) (Kind, bool) {
	switch strings.ToUpper(text) {
	case "", "HOLIDAY":
		return Holiday, true
	case "WORKDAY":
		return MakeUp, true
	}
	return "", false
}

// Entry is a single day that differs.
type Entry struct {
	Date Date
	Kind Kind
	Note string
}

// Weekend is the days of the week that are free.
type Weekend [7]bool

var weekdayNames = [7]string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}

// Week lists the days of the week in the order in which forms show them.
func Week() []time.Weekday {
	return []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday, time.Sunday}
}

// WeekdayName is "MON" and so on.
func WeekdayName(d time.Weekday) string { return weekdayNames[d] }

// ParseWeekend reads "SAT,SUN"; no day at all is a weekend, too.
func ParseWeekend(text string) (Weekend, bool) {
	var w Weekend
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.ToUpper(strings.TrimSpace(name)); name == "" {
			continue
		}
		at := slices.Index(weekdayNames[:], name)
		if at < 0 {
			return w, false
		}
		w[at] = true
	}
	return w, true
}

// String is the weekend as ParseWeekend reads it.
func (w Weekend) String() string {
	var names []string
	for _, d := range Week() {
		if w[d] {
			names = append(names, weekdayNames[d])
		}
	}
	return strings.Join(names, ",")
}

// Days answers which days are worked. It is never changed once made.
type Days struct {
	weekend Weekend
	entries map[Date]Entry
}

// NewDays makes the days of a weekend and of single days; of two entries for one day the later counts.
func NewDays(weekend Weekend, entries []Entry) *Days {
	d := &Days{weekend: weekend, entries: make(map[Date]Entry, len(entries))}
	for _, e := range entries {
		d.entries[e.Date] = e
	}
	return d
}

// Workday reports whether people work on the day.
func (d *Days) Workday(year int, month time.Month, day int) bool {
	return d.Works(Date{year, month, day})
}

// Works is Workday for a Date.
func (d *Days) Works(day Date) bool {
	if e, ok := d.entries[day]; ok {
		return e.Kind == MakeUp
	}
	return !d.weekend[day.Weekday()]
}

// Entry is what makes the day differ, false when nothing does.
func (d *Days) Entry(day Date) (Entry, bool) {
	e, ok := d.entries[day]
	return e, ok
}

// Free reports whether the day belongs to the weekend, whatever its entry says.
func (d *Days) Free(day Date) bool { return d.weekend[day.Weekday()] }

// NextWorkday is the first working day from day on, day itself included; false when none ever comes.
func (d *Days) NextWorkday(day Date) (Date, bool) { return d.search(day, 1) }

// PrevWorkday is the last working day up to day, day itself included; false when there never was one.
func (d *Days) PrevWorkday(day Date) (Date, bool) { return d.search(day, -1) }

// search goes from day in steps until a working day. Seven days without an entry decide about all time, unless every day
// of the week is free: then only an entry can be worked.
func (d *Days) search(day Date, step int) (Date, bool) {
	if d.weekend == (Weekend{true, true, true, true, true, true, true}) {
		return d.nearest(day, step)
	}
	for range 7 * (len(d.entries) + 1) {
		if d.Works(day) {
			return day, true
		}
		day = day.Add(step)
	}
	return Date{}, false
}

func (d *Days) nearest(day Date, step int) (found Date, ok bool) {
	for at, e := range d.entries {
		if e.Kind == MakeUp && at.compare(day)*step >= 0 && (!ok || at.compare(found)*step < 0) {
			found, ok = at, true
		}
	}
	return found, ok
}

// Bounds of what Parse accepts.
const (
	MaxEntries = 5000
	maxRange   = 400 // days
	maxNote    = 100 // characters
)

// LineError says which line of a text is wrong and why.
type LineError struct {
	Line   int // from 1
	Text   string
	Reason string // message key
}

// Error describes the line for logs.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %s: %q", e.Line, e.Reason, e.Text) }

// Parse reads one day a line: the day or "first..last", HOLIDAY (when left out) or WORKDAY, and a note.
//
//	2026-10-01..2026-10-07 HOLIDAY National Day
//	2026-10-10 WORKDAY
//	# a comment
//
// It returns a *LineError for the first line that it cannot read.
func Parse(text string) ([]Entry, error) {
	var out []Entry
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		entries, reason := parseLine(line)
		if reason != "" {
			return nil, &LineError{n, clip(line), reason}
		}
		if out = append(out, entries...); len(out) > MaxEntries {
			return nil, &LineError{n, clip(line), "calendar.error.too_many"}
		}
	}
	return out, nil
}

func parseLine(line string) (entries []Entry, reason string) {
	when, rest := word(line)
	from, to, isRange := strings.Cut(when, "..")
	first, ok := ParseDate(from)
	if !ok {
		return nil, "calendar.error.date"
	}
	last := first
	if isRange {
		if last, ok = ParseDate(to); !ok || last.compare(first) < 0 {
			return nil, "calendar.error.range"
		}
		if first.Add(maxRange).compare(last) < 0 {
			return nil, "calendar.error.range_long"
		}
	}
	name, note := word(rest)
	kind, ok := ParseKind(name)
	if !ok {
		return nil, "calendar.error.kind"
	}
	if utf8.RuneCountInString(note) > maxNote {
		return nil, "calendar.error.note"
	}
	for day := first; day.compare(last) <= 0; day = day.Add(1) {
		entries = append(entries, Entry{day, kind, note})
	}
	return entries, ""
}

// word cuts the first word off; commas and tabs separate as well, for what comes out of a table.
func word(text string) (first, rest string) {
	text = strings.TrimSpace(text)
	at := strings.IndexAny(text, " \t,")
	if at < 0 {
		return text, ""
	}
	return text[:at], strings.TrimLeft(text[at:], " \t,")
}

func clip(line string) string {
	if r := []rune(line); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return line
}

// Format writes days as Parse reads them, in order.
func Format(entries []Entry) string {
	entries = slices.Clone(entries)
	slices.SortFunc(entries, func(a, b Entry) int { return a.Date.compare(b.Date) })
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%s %s", e.Date, e.Kind)
		if e.Note != "" {
			b.WriteString(" " + e.Note)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
