package py4j

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind is the letter that says what a value is.
type Kind byte

// The kinds.
const (
	Null    Kind = 'n'
	Void    Kind = 'v' // what a method returns that returns nothing
	Bool    Kind = 'b'
	Int     Kind = 'i' // 32 bits
	Long    Kind = 'L' // 64 bits
	Double  Kind = 'd'
	Decimal Kind = 'D' // of any precision, kept as its text
	Text    Kind = 's'
	Bytes   Kind = 'j'
	Ref     Kind = 'r' // an object that stays with the server
)

// Value is an argument or a result. Values of scalars can be compared.
type Value struct {
	Kind   Kind
	Int    int64   // of Int and Long; 1 for a true Bool
	Float  float64 // of Double
	Text   string  // of Text, Decimal and Bytes
	Object Object  // of Ref
}

// OfVoid is the result of a method that returns nothing.
func OfVoid() Value { return Value{Kind: Void} }

// OfNull is null.
func OfNull() Value { return Value{Kind: Null} }

// OfBool is a truth value.
func OfBool(b bool) Value {
	if b {
		return Value{Kind: Bool, Int: 1}
	}
	return Value{Kind: Bool}
}

// OfInt is an int where n fits, else a long.
func OfInt(n int64) Value {
	if n < math.MinInt32 || n > math.MaxInt32 {
		return OfLong(n)
	}
	return Value{Kind: Int, Int: n}
}

// OfLong is a long, however small.
func OfLong(n int64) Value { return Value{Kind: Long, Int: n} }

// OfText is a text.
func OfText(s string) Value { return Value{Kind: Text, Text: s} }

// OfOptional is a text, null when it is empty.
func OfOptional(s string) Value {
	if s == "" {
		return OfNull()
	}
	return OfText(s)
}

// OfObject is a reference to an object, null for nil.
func OfObject(o Object) Value {
	if o == nil {
		return OfNull()
	}
	return Value{Kind: Ref, Object: o}
}

// IsNull reports whether the value is null.
func (v Value) IsNull() bool { return v.Kind == Null }

// Class is the name of the Java class of a value, for messages.
func (v Value) Class() string {
	switch v.Kind {
	case Bool:
		return "java.lang.Boolean"
	case Int:
		return "java.lang.Integer"
	case Long:
		return "java.lang.Long"
	case Double:
		return "java.lang.Double"
	case Decimal:
		return "java.math.BigDecimal"
	case Text:
		return "java.lang.String"
	case Bytes:
		return "[B"
	case Ref:
		return v.Object.Class()
	case Null, Void:
		return "null"
	}
	return "null"
}

// String is the value as Java would print it.
func (v Value) String() string {
	switch v.Kind {
	case Bool:
		return strconv.FormatBool(v.Int != 0)
	case Int, Long:
		return strconv.FormatInt(v.Int, 10)
	case Double:
		return double(v.Float)
	case Decimal, Text:
		return v.Text
	case Bytes:
		return "[B"
	case Ref:
		return v.Object.String()
	case Null, Void:
		return "null"
	}
	return "null"
}

// errValue is the reason why an argument cannot be read.
var errValue = errors.New("py4j: no value")

// scalar reads a value that is no reference: a letter and a text to the end of the line.
func scalar(line string) (Value, error) {
	if line == "" {
		return Value{}, fmt.Errorf("%w: an empty line", errValue)
	}
	text := line[1:]
	switch kind := Kind(line[0]); kind {
	case Null:
		return OfNull(), nil
	case Void:
		return OfVoid(), nil
	case Bool:
		b, err := strconv.ParseBool(strings.ToLower(text))
		return OfBool(b), wrong(err, "boolean")
	case Int:
		n, err := strconv.ParseInt(text, 10, 32)
		return Value{Kind: Int, Int: n}, wrong(err, "int")
	case Long:
		n, err := strconv.ParseInt(text, 10, 64)
		return OfLong(n), wrong(err, "long")
	case Double:
		f, err := strconv.ParseFloat(text, 64) // knows NaN, inf and Infinity, in any case
		return Value{Kind: Double, Float: f}, wrong(err, "double")
	case Decimal:
		if _, err := strconv.ParseFloat(text, 64); err != nil && !errors.Is(err, strconv.ErrRange) {
			return Value{}, wrong(err, "decimal")
		}
		return Value{Kind: Decimal, Text: text}, nil
	case Bytes:
		raw, err := base64.StdEncoding.DecodeString(text)
		return Value{Kind: Bytes, Text: string(raw)}, wrong(err, "base64")
	case Text:
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return Value{}, fmt.Errorf("%w: a text that is not UTF-8", errValue)
		}
		return OfText(Unescape(text)), nil
	case Ref:
		return Value{}, fmt.Errorf("%w: a reference where none can be", errValue)
	}
	return Value{}, fmt.Errorf("%w: no type begins with %q", errValue, line[:1])
}

func wrong(err error, what string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: not a %s", errValue, what)
}

// double prints a number as Java does where Go differs.
func double(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}

// encode writes a value as it stands in an answer; id gives a reference its name.
func (v Value) encode(id func(Object) string) string {
	switch v.Kind {
	case Bool, Int, Long, Double, Decimal:
		return string(rune(v.Kind)) + v.String()
	case Text:
		return "s" + Escape(v.Text)
	case Bytes:
		return "j" + base64.StdEncoding.EncodeToString([]byte(v.Text))
	case Ref:
		return string(rune(v.Object.Letter())) + id(v.Object)
	case Void:
		return "v"
	case Null:
		return "n"
	}
	return "n"
}
