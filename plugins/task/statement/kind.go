package statement

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Kind is the type of a bind.
type Kind int

// The kinds, and what a Bind of each holds.
const (
	Text      Kind = iota // string
	Null                  // nil
	Integer               // int64
	Long                  // int64
	Double                // float64
	Decimal               // string
	Boolean               // bool
	Date                  // string: 2006-01-02
	Time                  // string: 15:04:05.999999
	Timestamp             // string: 2006-01-02 15:04:05.999999
)

// String is the declared type that the kind stands for.
func (k Kind) String() string {
	return [...]string{"VARCHAR", "NULL", "INTEGER", "LONG", "DOUBLE", "DECIMAL", "BOOLEAN", "DATE", "TIME", "TIMESTAMP"}[k]
}

// Bind is a value that is handed over beside a statement.
type Bind struct {
	Name  string // of the parameter
	Kind  Kind
	Value any
}

// value is what drivers get.
func (b Bind) value(f Family) any {
	if yes, ok := b.Value.(bool); ok && f == Oracle { // it has no such type
		if yes {
			return int64(1)
		}
		return int64(0)
	}
	return b.Value
}

// Parse reads the value of a parameter as its declared type; only a LIST gives another number of binds than one.
func Parse(name, kind, value string) ([]Bind, error) {
	if strings.EqualFold(kind, "LIST") {
		return parseList(name, value)
	}
	b, err := parse(kind, value)
	if err != nil {
		return nil, fmt.Errorf("parameter %q: %w", name, err)
	}
	b.Name = name
	return []Bind{b}, nil
}

func parse(kind, value string) (Bind, error) {
	kind = strings.ToUpper(kind)
	trimmed := strings.TrimSpace(value)
	bad := func() (Bind, error) {
		if trimmed == "" {
			return Bind{}, fmt.Errorf("the value is empty, but the type is %s", kind)
		}
		return Bind{}, fmt.Errorf("%q is not of type %s", Shorten(value, 100), kind)
	}
	switch kind {
	case "INTEGER", "LONG":
		bits, k := 64, Long
		if kind == "INTEGER" {
			bits, k = 32, Integer
		}
		n, err := strconv.ParseInt(trimmed, 10, bits)
		if err != nil {
			return bad()
		}
		return Bind{Kind: k, Value: n}, nil
	case "FLOAT", "DOUBLE":
		f, err := strconv.ParseFloat(trimmed, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return bad()
		}
		return Bind{Kind: Double, Value: f}, nil
	case "BOOLEAN":
		switch strings.ToLower(trimmed) {
		case "true", "t", "1", "yes", "y", "on":
			return Bind{Kind: Boolean, Value: true}, nil
		case "false", "f", "0", "no", "n", "off":
			return Bind{Kind: Boolean, Value: false}, nil
		}
		return bad()
	case "DATE":
		if t, ok := parseTime(trimmed, dates()); ok {
			return Bind{Kind: Date, Value: t.Format("2006-01-02")}, nil
		}
		return bad()
	case "TIME":
		if t, ok := parseTime(trimmed, []string{"15:4:5", "15:4"}); ok {
			return Bind{Kind: Time, Value: t.Format("15:04:05.999999999")}, nil
		}
		return bad()
	case "TIMESTAMP":
		if t, ok := parseTime(trimmed, stamps()); ok {
			return Bind{Kind: Timestamp, Value: t.Format("2006-01-02 15:04:05.999999999")}, nil
		}
		return bad()
	}
	return Bind{Kind: Text, Value: value}, nil
}

func dates() []string { return []string{"2006-1-2", "20060102", "2006/1/2"} }

func stamps() []string {
	return append([]string{"2006-1-2 15:4:5", "2006-1-2T15:4:5", "20060102150405", "2006-1-2 15:4"}, dates()...)
}

func parseTime(text string, layouts []string) (time.Time, bool) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 0 && t.Year() <= 9999 {
			return t, true
		}
	}
	return time.Time{}, false
}

// parseList reads a JSON array; any other text is a list of one.
func parseList(name, value string) ([]Bind, error) {
	d := json.NewDecoder(bytes.NewReader([]byte(value)))
	d.UseNumber()
	var list []any
	if err := d.Decode(&list); err != nil || d.More() || !strings.HasPrefix(strings.TrimSpace(value), "[") {
		return []Bind{{Name: name, Value: value}}, nil //nolint:nilerr // it is no array
	}
	out := make([]Bind, 0, len(list))
	for _, item := range list {
		b := Bind{Name: name}
		switch x := item.(type) {
		case nil:
			b.Kind = Null
		case bool:
			b.Kind, b.Value = Boolean, x
		case string:
			b.Value = x
		case json.Number:
			if n, err := x.Int64(); err == nil {
				b.Kind, b.Value = Long, n
			} else {
				b.Kind, b.Value = Decimal, x.String()
			}
		default:
			return nil, fmt.Errorf("parameter %q: a LIST holds texts, numbers, booleans and nulls, but one element is neither", name)
		}
		out = append(out, b)
	}
	if len(out) == 0 {
		out = append(out, Bind{Name: name, Kind: Null}) // IN () is nowhere understood; IN (NULL) is never true
	}
	return out, nil
}

// Shorten cuts text to most bytes at the end of a character, and says so.
func Shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "…"
}
