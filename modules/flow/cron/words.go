package cron

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Words describes the expression in a sentence without a full stop, in "en" or "zh" (anything else is English):
// "At 01:00, on the last day of the month", "每月最后一天 01:00".
func (e *Expr) Words(lang string) string {
	if lang == "zh" {
		return (&chinese{e}).sentence()
	}
	return (&english{e}).sentence()
}

// manyTimes is how many times of day are still listed one by one.
const manyTimes = 6

// times lists the times of day as the clock shows them, or nothing when an interval says it better.
func (e *Expr) times() []string {
	for _, f := range []Field{Second, Minute, Hour} {
		for _, i := range e.fields[f].items {
			if i.open {
				return nil
			}
		}
	}
	if e.OnDay() > manyTimes {
		return nil
	}
	var list []string
	for h := e.hours; h != 0; h &= h - 1 {
		for m := e.minutes; m != 0; m &= m - 1 {
			for s := e.seconds; s != 0; s &= s - 1 {
				list = append(list, clock(bits.TrailingZeros32(h), bits.TrailingZeros64(m), bits.TrailingZeros64(s)))
			}
		}
	}
	return list
}

func clock(h, m, s int) string {
	if s == 0 {
		return fmt.Sprintf("%02d:%02d", h, m)
	}
	return fmt.Sprintf("%02d:%02d:%02d", h, m, s)
}

// only returns the single value of a field.
func (s spec) only() (int, bool) {
	if len(s.items) == 1 && s.items[0].single() {
		return s.items[0].from, true
	}
	return 0, false
}

func (s spec) zero() bool {
	v, ok := s.only()
	return ok && v == 0
}

// run returns the only item of a field when it is a closed range.
func (s spec) run() (item, bool) {
	if len(s.items) == 1 && s.items[0].kind == itemRange && !s.items[0].open && !s.items[0].single() {
		return s.items[0], true
	}
	return item{}, false
}

// dayRules says which of the day fields restrict the days.
func (e *Expr) dayRules() (month, week bool) {
	day, dow := e.fields[DayOfMonth], e.fields[DayOfWeek]
	return !day.none() && !day.all() && !oneToAll(day), !dow.none() && !dow.all()
}

// oneToAll is 1/1, which generators write for *.
func oneToAll(s spec) bool {
	return len(s.items) == 1 && s.items[0].open && s.items[0].step == 1 && s.items[0].from == 1
}

func every(s spec) bool {
	return s.all() || len(s.items) == 1 && s.items[0].open && s.items[0].step == 1 && s.items[0].from == 0
}

type english struct{ e *Expr }

func (w *english) sentence() string {
	parts := []string{w.time()}
	for _, p := range []string{w.days(), w.months(), w.years()} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	text := strings.Join(parts, ", ")
	return strings.ToUpper(text[:1]) + text[1:]
}

func (w *english) time() string {
	if list := w.e.times(); list != nil {
		return "at " + and(list)
	}
	second, minute, hour := w.e.fields[Second], w.e.fields[Minute], w.e.fields[Hour]
	var parts []string
	fine := true // something repeats within the hour
	switch {
	case second.zero():
	case every(second):
		parts = append(parts, "every second")
	default:
		parts = append(parts, w.unit(second, "second"))
	}
	switch {
	case every(minute):
		switch {
		case second.zero():
			parts = append(parts, "every minute")
		case !every(second) && !second.stepped():
			parts = append(parts, "of every minute")
		}
	case minute.zero() && second.zero():
		fine = false
	case !minute.stepped() && bits.OnesCount64(w.e.minutes) == 1 && second.zero():
		fine = false
		parts = append(parts, w.unit(minute, "minute"))
	default:
		parts = append(parts, w.unit(minute, "minute"))
	}
	hours := w.hours(hour, minute, fine)
	if hours != "" {
		if r, ok := hour.run(); !fine && ok && r.to > r.from {
			return hours
		}
		parts = append(parts, hours)
	}
	if !fine && len(parts) == 2 { // "every 2 hours at minute 30"
		return parts[1] + " " + parts[0]
	}
	return strings.Join(parts, " ")
}

func (w *english) hours(hour, minute spec, fine bool) string {
	m, _ := minute.only()
	if every(hour) {
		if fine {
			if minute.stepped() || every(minute) {
				return ""
			}
			return "of every hour"
		}
		return "every hour"
	}
	if r, ok := hour.run(); ok && r.to > r.from {
		if fine && r.step == 1 {
			return fmt.Sprintf("between %s and %s", clock(r.from, 0, 0), clock(r.to, 59, 0))
		}
		if !fine {
			return fmt.Sprintf("every %s from %s to %s", count(r.step, "hour"), clock(r.from, m, 0), clock(r.to, m, 0))
		}
	}
	if hour.stepped() && !fine {
		i := hour.items[0]
		text := "every " + count(i.step, "hour")
		if i.from > 0 {
			text += " from " + clock(i.from, m, 0)
		}
		return text
	}
	return "in the " + plural(hour, "hour") + " " + w.list(hour, strconv.Itoa)
}

// unit is "every 5 minutes", "at minute 5 and 35".
func (w *english) unit(s spec, name string) string {
	if s.stepped() {
		i := s.items[0]
		text := "every " + count(i.step, name)
		if i.from > 0 {
			text += fmt.Sprintf(" from %s %d", name, i.from)
		}
		return text
	}
	return "at " + plural(s, name) + " " + w.list(s, strconv.Itoa)
}

func plural(s spec, name string) string {
	if _, ok := s.only(); ok {
		return name
	}
	return name + "s"
}

func count(n int, name string) string {
	if n == 1 {
		return name
	}
	return fmt.Sprintf("%d %ss", n, name)
}

// list joins the values and ranges of a field.
func (w *english) list(s spec, name func(int) string) string {
	var texts []string
	for _, i := range s.items {
		switch {
		case i.kind != itemRange:
		case i.single():
			texts = append(texts, name(i.from))
		case i.step > 1:
			texts = append(texts, fmt.Sprintf("every %s from %s to %s", ordinal(i.step), name(i.from), name(i.to)))
		default:
			texts = append(texts, name(i.from)+" to "+name(i.to))
		}
	}
	return and(texts)
}

func and(texts []string) string {
	if len(texts) < 2 {
		return strings.Join(texts, "")
	}
	return strings.Join(texts[:len(texts)-1], ", ") + " and " + texts[len(texts)-1]
}

func ordinal(n int) string {
	switch {
	case n%10 == 1 && n%100 != 11:
		return strconv.Itoa(n) + "st"
	case n%10 == 2 && n%100 != 12:
		return strconv.Itoa(n) + "nd"
	case n%10 == 3 && n%100 != 13:
		return strconv.Itoa(n) + "rd"
	default:
		return strconv.Itoa(n) + "th"
	}
}

func (w *english) days() string {
	month, week := w.e.dayRules()
	switch {
	case month && week && w.e.either:
		return w.monthDays() + " or " + w.weekDays()
	case month && week:
		return w.monthDays() + " when it falls " + w.weekDays()
	case month:
		return w.monthDays()
	case week:
		return w.weekDays()
	case w.e.times() != nil:
		return "every day"
	default:
		return ""
	}
}

func (w *english) monthDays() string {
	s := w.e.fields[DayOfMonth]
	if s.stepped() {
		i := s.items[0]
		if i.step == 1 {
			return fmt.Sprintf("every day of the month from day %d", i.from)
		}
		return fmt.Sprintf("on every %s day of the month from day %d", ordinal(i.step), i.from)
	}
	var texts []string
	plain := spec{}
	for _, i := range s.items {
		if i.kind == itemRange {
			plain.items = append(plain.items, i)
		}
	}
	if len(plain.items) > 0 {
		texts = append(texts, plural(plain, "day")+" "+w.list(plain, strconv.Itoa))
	}
	for _, i := range s.items {
		switch i.kind {
		case itemLast:
			if i.from == 0 {
				texts = append(texts, "the last day")
			} else {
				texts = append(texts, fmt.Sprintf("the day %s before the last day", count2(i.from, "day")))
			}
		case itemLastW:
			if i.from == 0 {
				texts = append(texts, "the last weekday")
			} else {
				texts = append(texts, fmt.Sprintf("the weekday nearest to %s before the last day", count2(i.from, "day")))
			}
		case itemNearest:
			texts = append(texts, fmt.Sprintf("the weekday nearest to day %d", i.from))
		case itemNone, itemRange, itemLastDay, itemNth:
		}
	}
	return "on " + and(texts) + " of the month"
}

func count2(n int, name string) string {
	if n == 1 {
		return "1 " + name
	}
	return count(n, name)
}

func (w *english) weekDays() string {
	s := w.e.fields[DayOfWeek]
	var texts []string
	if s.stepped() {
		var names []string
		for set := s.bits(DayOfWeek); set != 0; set &= set - 1 {
			names = append(names, weekday(bits.TrailingZeros64(set)))
		}
		return "on " + and(names)
	}
	ofMonth := false
	for _, i := range s.items {
		switch i.kind {
		case itemRange:
			texts = append(texts, w.list(spec{items: []item{i}}, weekday))
		case itemLastDay:
			ofMonth = true
			texts = append(texts, "the last "+weekday(i.from))
		case itemNth:
			ofMonth = true
			texts = append(texts, "the "+[]string{"", "first", "second", "third", "fourth", "fifth"}[i.to]+" "+weekday(i.from))
		case itemNone, itemLast, itemLastW, itemNearest:
		}
	}
	text := "on " + and(texts)
	if r, ok := s.run(); ok && r.step == 1 {
		text = "from " + and(texts)
	}
	if ofMonth {
		text += " of the month"
	}
	return text
}

func weekday(n int) string {
	return []string{"", "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}[n]
}

func (w *english) months() string {
	s := w.e.fields[Month]
	month := func(n int) string {
		return []string{
			"", "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
		}[n]
	}
	switch {
	case s.all() || oneToAll(s):
		return ""
	case s.stepped():
		i := s.items[0]
		return fmt.Sprintf("every %s from %s", count(i.step, "month"), month(i.from))
	default:
		return within(s) + w.list(s, month)
	}
}

func (w *english) years() string {
	s := w.e.fields[Year]
	switch {
	case s.all():
		return ""
	case s.stepped():
		i := s.items[0]
		return fmt.Sprintf("every %s from %d", count(i.step, "year"), i.from)
	default:
		return within(s) + w.list(s, strconv.Itoa)
	}
}

func within(s spec) string {
	if r, ok := s.run(); ok && r.step == 1 {
		return "from "
	}
	return "in "
}
