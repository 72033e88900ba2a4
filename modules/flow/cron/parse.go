package cron

import (
	"math/bits"
	"strconv"
	"strings"
)

// Parse reads a Quartz (six or seven fields) or Unix (five fields) expression. Its error is always an *Error.
func Parse(expr string) (*Expr, error) {
	if len(expr) > MaxLength {
		return nil, &Error{Field: Whole, Reason: TooLong, End: len(expr), Max: MaxLength}
	}
	words := split(expr)
	e := &Expr{}
	var order []Field
	switch len(words) {
	case 0:
		return nil, &Error{Field: Whole, Reason: Empty, End: len(expr)}
	case 5:
		e.unix = true
		order = []Field{Minute, Hour, DayOfMonth, Month, DayOfWeek}
		e.fields[Second] = spec{text: "0", items: []item{{kind: itemRange, step: 1}}}
	case 6, 7:
		order = []Field{Second, Minute, Hour, DayOfMonth, Month, DayOfWeek, Year}[:len(words)]
	default:
		return nil, &Error{Field: Whole, Reason: FieldCount, End: len(expr), Text: strconv.Itoa(len(words))}
	}
	e.fields[Year] = spec{text: "*", items: []item{{kind: itemRange, from: FirstYear, to: LastYear, step: 1, star: true, open: true}}}
	for i, f := range order {
		p := parser{field: f, unix: e.unix, start: words[i].start}
		s, err := p.parse(words[i].text)
		if err != nil {
			err.End = min(err.End, len(expr))
			err.Start = min(err.Start, err.End)
			return nil, err
		}
		e.fields[f] = s
	}
	if err := e.settle(words, order); err != nil {
		return nil, err
	}
	return e, nil
}

type word struct {
	text  string
	start int
}

func split(expr string) []word {
	var words []word
	for i := 0; i < len(expr); {
		if isSpace(expr[i]) {
			i++
			continue
		}
		start := i
		for i < len(expr) && !isSpace(expr[i]) {
			i++
		}
		words = append(words, word{text: expr[start:i], start: start})
	}
	return words
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// settle checks what concerns several fields and computes the sets.
func (e *Expr) settle(words []word, order []Field) error {
	day, week := e.fields[DayOfMonth], e.fields[DayOfWeek]
	if e.unix {
		e.either = !starred(day) && !starred(week)
	} else {
		at := func(f Field, r Reason) error {
			w := words[int(f)-int(order[0])]
			return &Error{Field: f, Reason: r, Start: w.start, End: w.start + len(w.text), Text: w.text}
		}
		if day.none() && week.none() {
			return at(DayOfWeek, BothUnset)
		}
		if !day.none() && !week.none() {
			return at(DayOfWeek, BothSet)
		}
	}
	e.seconds, e.minutes = e.fields[Second].bits(Second), e.fields[Minute].bits(Minute)
	e.hours = uint32(e.fields[Hour].bits(Hour))
	e.months = uint16(e.fields[Month].bits(Month))
	for _, i := range e.fields[Year].items {
		for y := i.from; y <= i.to; y += i.step {
			n := y - FirstYear
			e.years[n/64] |= 1 << (n % 64)
		}
	}
	e.twice = e.PerMinute()*bits.OnesCount64(e.minutes) > 1 || e.hours == 1<<24-1
	if _, ok := e.nextWall(0); !ok {
		f := DayOfMonth
		if day.none() {
			f = DayOfWeek
		}
		w := words[int(f)-int(order[0])]
		return &Error{Field: f, Reason: Never, Start: w.start, End: w.start + len(w.text), Text: w.text}
	}
	return nil
}

// starred says whether Unix takes the field as unrestricted: what begins with a star, whatever follows.
func starred(s spec) bool { return s.none() || s.items[0].star }

// bits is the set of values of a field without special items; of day-of-week as 1 = Sunday.
func (s spec) bits(f Field) uint64 {
	var set uint64
	lo, hi := f.bounds()
	for _, i := range s.items {
		if i.kind != itemRange {
			continue
		}
		to := i.to
		if to < i.from {
			to += hi - lo + 1
		}
		for v := i.from; v <= to; v += i.step {
			n := v
			if n > hi {
				n -= hi - lo + 1
			}
			set |= 1 << n
		}
	}
	return set
}

// bounds are the smallest and greatest value of a field of Quartz.
func (f Field) bounds() (lo, hi int) {
	switch f {
	case Second, Minute:
		return 0, 59
	case Hour:
		return 0, 23
	case DayOfMonth:
		return 1, 31
	case Month:
		return 1, 12
	case DayOfWeek:
		return 1, 7
	case Year:
		return FirstYear, LastYear
	case Whole:
	}
	return 0, 0
}

// parser reads one field.
type parser struct {
	field Field
	unix  bool
	start int // of the field in the expression
}

func (p parser) fail(r Reason, text string, at int) *Error {
	lo, hi := p.bounds()
	return &Error{
		Field: p.field, Reason: r, Text: text, Start: p.start + at, End: p.start + at + max(1, len(text)), Min: lo, Max: hi, Unix: p.unix,
	}
}

// bounds are those of the dialect: Unix counts weekdays from 0 and has two Sundays.
func (p parser) bounds() (lo, hi int) {
	if p.unix && p.field == DayOfWeek {
		return 0, 7
	}
	return p.field.bounds()
}

func (p parser) parse(text string) (spec, *Error) {
	s := spec{text: strings.ToUpper(text)}
	if len(s.text) != len(text) { // a letter whose capital is longer: certainly not ours
		return s, p.fail(Syntax, text, 0)
	}
	at := 0
	for part := range strings.SplitSeq(s.text, ",") {
		i, err := p.item(part, at)
		if err != nil {
			if err.Start >= p.start && err.End <= p.start+len(text) { // show what was typed
				err.Text = text[err.Start-p.start : err.End-p.start]
			}
			return s, err
		}
		s.items = append(s.items, i)
		at += len(part) + 1
	}
	if len(s.items) > 1 {
		for _, i := range s.items {
			if i.kind == itemNone {
				return s, p.fail(QuestionInList, text, 0)
			}
		}
	}
	return s, nil
}

func (p parser) item(text string, at int) (item, *Error) {
	if text == "" {
		return item{}, p.fail(Syntax, text, at)
	}
	if strings.HasPrefix(text, "?") {
		switch {
		case p.field != DayOfMonth && p.field != DayOfWeek:
			return item{}, p.fail(QuestionElsewhere, text, at)
		case text != "?":
			return item{}, p.fail(Syntax, text, at)
		}
		if p.unix { // a star by another name
			lo, hi := p.field.bounds()
			return item{kind: itemRange, from: lo, to: hi, step: 1, star: true, open: true}, nil
		}
		return item{kind: itemNone}, nil
	}
	if i, ok, err := p.special(text, at); ok || err != nil {
		return i, err
	}
	base, stepText, stepped := strings.Cut(text, "/")
	lo, hi := p.field.bounds()
	i := item{kind: itemRange, from: lo, to: hi, step: 1}
	switch {
	case base == "*" || base == "" && stepped:
		i.star, i.open = true, true
	case strings.Contains(base, "-"):
		a, b, _ := strings.Cut(base, "-")
		var err *Error
		if i.from, err = p.value(a, at); err != nil {
			return item{}, err
		}
		if i.to, err = p.value(b, at+len(a)+1); err != nil {
			return item{}, err
		}
		if i.to < i.from && p.field == Year {
			return item{}, p.fail(Backwards, base, at)
		}
		i = p.unixRange(i)
	default:
		v, err := p.value(base, at)
		if err != nil {
			return item{}, err
		}
		i.from, i.to = v, v
		if stepped {
			i.to, i.open = hi, true
		}
		i = p.unixRange(i)
	}
	if !stepped {
		return i, nil
	}
	n, err := strconv.Atoi(stepText)
	switch {
	case err != nil || stepText[0] == '+' || stepText[0] == '-':
		return item{}, p.fail(Syntax, text, at)
	case n < 1 || n > hi-lo+1 || n > hi:
		e := p.fail(Step, stepText, at+len(base)+1)
		e.Min, e.Max = 1, min(hi, hi-lo+1)
		return item{}, e
	}
	i.step = n
	return i, nil
}

// unixRange turns weekdays counted from 0 (with a second Sunday at 7) into those of Quartz.
func (p parser) unixRange(i item) item {
	if !p.unix || p.field != DayOfWeek {
		return i
	}
	full := i.from == 0 && i.to == 7
	if i.open {
		i.to = 6
		if i.from == 7 {
			i.from = 0
		}
	}
	i.from, i.to = i.from%7+1, i.to%7+1
	if full {
		i.from, i.to = 1, 7
	}
	return i
}

// special reads what only the day fields have.
func (p parser) special(text string, at int) (item, bool, *Error) {
	quartz := strings.ContainsAny(text, "#") || p.field == DayOfMonth && strings.ContainsAny(text, "LW") ||
		p.field == DayOfWeek && strings.HasSuffix(text, "L")
	if !quartz {
		return item{}, false, nil
	}
	if p.unix {
		return item{}, false, p.fail(QuartzOnly, text, at)
	}
	bad := func() (item, bool, *Error) { return item{}, false, p.fail(Syntax, text, at) }
	switch p.field {
	case DayOfMonth:
		return p.specialDay(text, at)
	case DayOfWeek:
		if day, nth, ok := strings.Cut(text, "#"); ok {
			d, err := p.value(day, at)
			if err != nil {
				return item{}, false, err
			}
			n, ok := number(nth)
			if !ok {
				return bad()
			}
			if n < 1 || n > 5 {
				e := p.fail(Nth, nth, at+len(day)+1)
				e.Min, e.Max = 1, 5
				return item{}, false, e
			}
			return item{kind: itemNth, from: d, to: n, step: 1}, true, nil
		}
		if text == "L" {
			return item{kind: itemRange, from: 7, to: 7, step: 1}, true, nil
		}
		d, err := p.value(strings.TrimSuffix(text, "L"), at)
		if err != nil {
			return item{}, false, err
		}
		return item{kind: itemLastDay, from: d, step: 1}, true, nil
	case Whole, Second, Minute, Hour, Month, Year:
	}
	return bad()
}

func (p parser) specialDay(text string, at int) (item, bool, *Error) {
	bad := func() (item, bool, *Error) { return item{}, false, p.fail(Syntax, text, at) }
	rest, weekday := strings.CutSuffix(text, "W")
	if rest, last := strings.CutPrefix(rest, "L"); last {
		i := item{kind: itemLast, step: 1}
		if weekday {
			i.kind = itemLastW
		}
		if rest == "" {
			return i, true, nil
		}
		n, ok := number(strings.TrimPrefix(rest, "-"))
		if !ok || rest[0] != '-' {
			return bad()
		}
		if n > 30 {
			e := p.fail(Range, rest[1:], at+2)
			e.Min, e.Max = 0, 30
			return item{}, false, e
		}
		i.from = n
		return i, true, nil
	}
	if _, ok := number(rest); !ok || !weekday {
		return bad()
	}
	d, err := p.value(rest, at)
	if err != nil {
		return item{}, false, err
	}
	return item{kind: itemNearest, from: d, step: 1}, true, nil
}

// value reads a number or a name of the field.
func (p parser) value(text string, at int) (int, *Error) {
	lo, hi := p.bounds()
	if n, ok := number(text); ok {
		if n < lo || n > hi {
			return 0, p.fail(Range, text, at)
		}
		return n, nil
	}
	var names string
	first := 1
	switch p.field {
	case Month:
		names = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"
	case DayOfWeek:
		names, first = "SUNMONTUEWEDTHUFRISAT", lo
	case Whole, Second, Minute, Hour, DayOfMonth, Year:
	}
	if len(text) == 3 {
		for i := 0; i < len(names); i += 3 {
			if names[i:i+3] == text {
				return i/3 + first, nil
			}
		}
	}
	if names != "" && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" && text != "" {
		return 0, p.fail(Name, text, at)
	}
	return 0, p.fail(Syntax, text, at)
}

// number reads one to four digits.
func number(text string) (int, bool) {
	if text == "" || len(text) > 4 {
		return 0, false
	}
	n := 0
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
