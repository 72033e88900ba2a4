package expr

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Value is what an expression comes to: Number, Text, Bool, Null, Undefined or List.
type Value interface{ value() }

// The values.
type (
	// Number is JavaScript's only kind of number.
	Number float64
	// Text is a text.
	Text string
	// Bool is true or false.
	Bool bool
	// Null is null.
	Null struct{}
	// Undefined is undefined.
	Undefined struct{}
	// List is an array.
	List struct{ items []Value }
)

func (Number) value()    {}
func (Text) value()      {}
func (Bool) value()      {}
func (Null) value()      {}
func (Undefined) value() {}
func (*List) value()     {}

func truthy(v Value) bool {
	switch v := v.(type) {
	case Bool:
		return bool(v)
	case Number:
		return v != 0 && !math.IsNaN(float64(v))
	case Text:
		return v != ""
	case Null, Undefined:
		return false
	}
	return true
}

func toNumber(v Value) Number {
	switch v := v.(type) {
	case Number:
		return v
	case Bool:
		if v {
			return 1
		}
		return 0
	case Null:
		return 0
	case Text:
		return parseNumber(strings.TrimSpace(string(v)))
	case *List:
		return toNumber(Text(toText(v)))
	}
	return Number(math.NaN())
}

// parseNumber reads a whole text as JavaScript's Number() does.
func parseNumber(s string) Number {
	switch s {
	case "":
		return 0
	case "Infinity", "+Infinity":
		return Number(math.Inf(1))
	case "-Infinity":
		return Number(math.Inf(-1))
	}
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		if n, err := strconv.ParseUint(s[2:], 16, 64); err == nil {
			return Number(n)
		}
		return Number(math.NaN())
	}
	if strings.Trim(s, "0123456789.eE+-") != "" {
		return Number(math.NaN())
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return Number(math.NaN())
	}
	return Number(f)
}

func toText(v Value) string {
	switch v := v.(type) {
	case Text:
		return string(v)
	case Bool:
		return strconv.FormatBool(bool(v))
	case Null:
		return "null"
	case Undefined:
		return "undefined"
	case Number:
		return formatNumber(float64(v))
	case *List:
		parts := make([]string, len(v.items))
		for i, item := range v.items {
			switch item.(type) {
			case Null, Undefined:
			default:
				parts[i] = toText(item)
			}
		}
		return strings.Join(parts, ",")
	}
	return ""
}

func formatNumber(f float64) string {
	switch a := math.Abs(f); {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		return "0"
	case a >= 1e-6 && a < 1e21:
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	return mantissa + "e" + exponent[:1] + strings.TrimLeft(exponent[1:], "0")
}

// primitive is what a list counts as next to other kinds.
func primitive(v Value) Value {
	if list, ok := v.(*List); ok {
		return Text(toText(list))
	}
	return v
}

func nothing(v Value) bool {
	switch v.(type) {
	case Null, Undefined:
		return true
	}
	return false
}

func strictEqual(a, b Value) bool {
	switch a := a.(type) {
	case Number:
		b, ok := b.(Number)
		return ok && a == b
	case Text:
		b, ok := b.(Text)
		return ok && a == b
	case Bool:
		b, ok := b.(Bool)
		return ok && a == b
	case Null:
		_, ok := b.(Null)
		return ok
	case Undefined:
		_, ok := b.(Undefined)
		return ok
	case *List:
		b, ok := b.(*List)
		return ok && a == b
	}
	return false
}

func looseEqual(a, b Value) bool {
	if nothing(a) || nothing(b) {
		return nothing(a) && nothing(b)
	}
	_, listA := a.(*List)
	_, listB := b.(*List)
	if listA && listB {
		return strictEqual(a, b)
	}
	a, b = primitive(a), primitive(b)
	textA, okA := a.(Text)
	textB, okB := b.(Text)
	if okA && okB {
		return textA == textB
	}
	return toNumber(a) == toNumber(b)
}

// less compares for < and its relatives; comparable is false when a number is NaN.
func less(a, b Value) (result, comparable bool) {
	a, b = primitive(a), primitive(b)
	textA, okA := a.(Text)
	textB, okB := b.(Text)
	if okA && okB {
		return lessText(string(textA), string(textB)), true
	}
	x, y := float64(toNumber(a)), float64(toNumber(b))
	return x < y, !math.IsNaN(x) && !math.IsNaN(y)
}

// lessText orders texts by UTF-16 units, as JavaScript does.
func lessText(a, b string) bool {
	x, y := units(a), units(b)
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return x[i] < y[i]
		}
	}
	return len(x) < len(y)
}

func units(s string) []uint16 { return utf16.Encode([]rune(s)) }
