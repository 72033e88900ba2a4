package statement

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

var (
	errNUL  = errors.New("it holds a character NUL")
	errUTF8 = errors.New("it is no valid text")
)

// literal writes a bind into the text.
func (d Dialect) literal(b Bind) (string, error) {
	switch x := b.Value.(type) {
	case nil:
		return "NULL", nil
	case int64:
		return signed(strconv.FormatInt(x, 10)), nil
	case float64:
		return signed(strconv.FormatFloat(x, 'g', -1, 64)), nil
	case bool:
		switch {
		case d.Family == Oracle || d.Family == SQLServer:
			if x {
				return "1", nil
			}
			return "0", nil
		case x:
			return "TRUE", nil
		}
		return "FALSE", nil
	case string:
		if b.Kind == Decimal {
			return signed(x), nil
		}
		text, err := d.quote(x)
		if err != nil {
			return "", err
		}
		return d.typed(text, b.Kind), nil
	}
	return "", fmt.Errorf("no literal for %T", b.Value)
}

// signed keeps a minus from becoming a comment together with one before it.
func signed(number string) string {
	if strings.HasPrefix(number, "-") {
		return "(" + number + ")"
	}
	return number
}

// typed makes a literal for a date or time of a quoted text.
func (d Dialect) typed(text string, k Kind) string {
	switch k {
	case Date, Time, Timestamp:
	case Text, Null, Integer, Long, Double, Decimal, Boolean:
		return text
	}
	switch {
	case d.Family == Oracle, d.Family == SQLServer:
		return d.cast(text, k)
	case !d.stamps, d.Family == Hive && k == Time:
		return text
	}
	return k.String() + " " + text
}

// quote writes a string. A backslash is written so that it counts as one whether or not the server takes it for an escape.
func (d Dialect) quote(text string) (string, error) {
	t := token{open: "'", close: "'", back: d.backslash, kind: str}
	prefix := ""
	switch {
	case d.Family == Postgres && strings.Contains(text, `\`):
		prefix, t.back = "E", true
	case d.Family == SQLServer && strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 }):
		prefix = "N"
	}
	escaped, err := d.escape(t, text)
	if err != nil {
		return "", err
	}
	return prefix + "'" + escaped + "'", nil
}

// escape writes text so that it may stand within the string or name t.
func (d Dialect) escape(t token, text string) (string, error) {
	switch {
	case strings.IndexByte(text, 0) >= 0:
		return "", errNUL
	case !utf8.ValidString(text):
		return "", errUTF8
	}
	switch {
	case t.kind == dollars, len(t.open) > 1: // nothing is escaped there
		if end := t.close; end == "" || strings.Contains(text, end) || meets(text, end) {
			return "", fmt.Errorf("it cannot stand within %s…%s", t.open, t.close)
		}
		return text, nil
	case t.close == "":
		return "", errors.New("the string around it does not end")
	}
	if t.back {
		text = strings.ReplaceAll(text, `\`, `\\`)
		if t.kind == str && !d.doubled {
			return strings.ReplaceAll(text, t.close, `\`+t.close), nil
		}
	}
	return strings.ReplaceAll(text, t.close, t.close+t.close), nil
}

// meets reports whether text and what stands before or behind it might make up end together.
func meets(text, end string) bool {
	for n := 1; n < len(end); n++ {
		if strings.HasSuffix(text, end[:n]) || strings.HasPrefix(text, end[n:]) {
			return true
		}
	}
	return false
}
