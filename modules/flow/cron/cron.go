package cron

import (
	"math/bits"
	"strings"
)

// Field names one part of an expression. The numbers are their places in a Quartz expression.
type Field int

// The fields in the order of Quartz. Whole stands for the expression itself in an Error.
const (
	Whole Field = iota - 1
	Second
	Minute
	Hour
	DayOfMonth
	Month
	DayOfWeek
	Year
)

// FirstYear and LastYear bound the search for fires.
const (
	FirstYear = 1970
	LastYear  = 2099
)

// MaxLength is the longest expression that Parse reads, in bytes.
const MaxLength = 255

// Expr is a parsed expression. Make one with Parse; the zero Expr never fires.
type Expr struct {
	fields [7]spec
	unix   bool
	either bool // Unix, both day fields restricted: one of them suffices
	twice  bool // fires in both passes of a repeated hour

	seconds, minutes uint64
	hours            uint32
	months           uint16
	years            [3]uint64 // bit 0 = FirstYear
}

// spec is one field as it was written and as it was understood.
type spec struct {
	text  string // upper case
	items []item
}

type itemKind int

const (
	itemNone    itemKind = iota // ?
	itemRange                   // values from, from+step … to; to < from runs over the end of the field
	itemLast                    // day-of-month: L, L-n (n = from)
	itemLastW                   // day-of-month: LW, L-nW
	itemNearest                 // day-of-month: nW
	itemLastDay                 // day-of-week: nL
	itemNth                     // day-of-week: d#n (d = from, n = to)
)

type item struct {
	kind           itemKind
	from, to, step int
	star           bool // written with *
	open           bool // written without an end: *, */n, a/n
}

func (i item) single() bool { return i.kind == itemRange && i.from == i.to }

// all says whether the field is a plain `*`.
func (s spec) all() bool {
	return len(s.items) == 1 && s.items[0].star && s.items[0].step == 1
}

func (s spec) none() bool { return len(s.items) == 1 && s.items[0].kind == itemNone }

// stepped says whether the field is one step: */n or a/n.
func (s spec) stepped() bool {
	return len(s.items) == 1 && s.items[0].kind == itemRange && s.items[0].open && !s.all()
}

// Unix says whether the expression has the five fields of Unix.
func (e *Expr) Unix() bool { return e.unix }

// EitherDay says whether a day matches when day-of-month OR day-of-week does, which surprises people.
func (e *Expr) EitherDay() bool { return e.either }

// String returns the expression in capitals with single spaces and without the optional parts left out: seven fields of
// Quartz (a missing year is *), or five of Unix. Parse accepts it and yields an equal expression.
func (e *Expr) String() string {
	fields := e.fields[:]
	if e.unix {
		fields = fields[Minute : DayOfWeek+1]
	}
	texts := make([]string, len(fields))
	for i, f := range fields {
		texts[i] = f.text
	}
	return strings.Join(texts, " ")
}

// Text returns one field as String has it; a Unix expression has second 0 and year *.
func (e *Expr) Text(f Field) string { return e.fields[f].text }

// PerMinute is how often the expression fires in a minute in which it fires.
func (e *Expr) PerMinute() int { return bits.OnesCount64(e.seconds) }

// OnDay is how often the expression fires on a day on which it fires, apart from days when clocks change.
func (e *Expr) OnDay() int {
	return e.PerMinute() * bits.OnesCount64(e.minutes) * bits.OnesCount32(e.hours)
}

// PerDay is how often the expression fires a day on average, over the years that it names (28 of them at most, in which
// the calendar repeats).
func (e *Expr) PerDay() float64 {
	days, matching, years := 0, 0, 0
	for y := 2024; y <= LastYear && years < 28; y++ {
		if !e.hasYear(y) {
			continue
		}
		years++
		for m := 1; m <= 12; m++ {
			days += daysIn(y, m)
			if e.months&(1<<m) != 0 {
				matching += bits.OnesCount32(e.dayMask(y, m))
			}
		}
	}
	if days == 0 {
		return 0
	}
	return float64(e.OnDay()) * float64(matching) / float64(days)
}
