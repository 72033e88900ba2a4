package timeexpr

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxExpr bounds the length of one expression in bytes.
const maxExpr = 1024

// Error says which expression cannot be evaluated, and why.
type Error struct {
	Expr   string // without "$[" and "]"
	Reason string
}

// Error names the expression as the user wrote it.
func (e *Error) Error() string {
	shown := e.Expr
	if len(shown) > 80 {
		shown = strings.ToValidUTF8(shown[:80], "") + "…"
	}
	return fmt.Sprintf("time expression $[%s]: %s", shown, e.Reason)
}

// Eval evaluates expr, the text between "$[" and "]", at base and in base's location. Each failure is an *Error.
func Eval(expr string, base time.Time) (string, error) {
	out, err := eval(expr, base)
	if err != nil {
		return "", &Error{Expr: expr, Reason: err.Error()}
	}
	return out, nil
}

// Replace evaluates every $[…] in text. "$[" before a digit stays as it is, since shells and awk use it, and so does
// one that is not closed on its line. The first bad expression is returned as an *Error.
func Replace(text string, base time.Time) (string, error) {
	at := strings.Index(text, "$[")
	if at < 0 {
		return text, nil
	}
	var out strings.Builder
	for at >= 0 {
		out.WriteString(text[:at])
		text = text[at:]
		end := strings.IndexAny(text, "]\n")
		switch {
		case end < 0:
			out.WriteString(text)
			return out.String(), nil
		case text[end] == '\n', isDigit(text[2]):
			out.WriteString(text[:end+1])
		default:
			value, err := Eval(text[2:end], base)
			if err != nil {
				return "", err
			}
			out.WriteString(value)
		}
		text = text[end+1:]
		at = strings.Index(text, "$[")
	}
	out.WriteString(text)
	return out.String(), nil
}

func eval(expr string, base time.Time) (string, error) {
	if len(expr) > maxExpr {
		return "", fmt.Errorf("longer than %d bytes", maxExpr)
	}
	expr = strings.TrimSpace(expr)
	if expr == "" {
		return "", errors.New("it is empty")
	}
	if inner, ok, err := call(expr, "timestamp"); ok || err != nil {
		if err != nil {
			return "", err
		}
		return timestamp(strings.TrimSpace(inner), base)
	}
	at, pattern, err := place(expr, base)
	if err != nil {
		return "", err
	}
	return format(pattern, at)
}

// place evaluates all of an expression but the rendering: the instant, and the pattern to show it with. The pattern
// of year_week is its result, quoted.
func place(expr string, base time.Time) (time.Time, string, error) {
	for i := range functions {
		f := &functions[i]
		args, ok, err := call(expr, f.name)
		if err != nil {
			return base, "", err
		}
		if !ok {
			continue
		}
		pattern, number, given := cutLast(args)
		if given && f.number == none {
			return base, "", fmt.Errorf("%s takes a format and nothing else", f.name)
		}
		if !given && f.number == required {
			return base, "", fmt.Errorf("%s needs a second argument", f.name)
		}
		n := f.fallback
		if given {
			if n, err = calculate(number); err != nil {
				return base, "", err
			}
		}
		if pattern = strings.TrimSpace(pattern); pattern == "" {
			return base, "", fmt.Errorf("%s needs a format", f.name)
		}
		if f.name == "year_week" {
			pattern, err = yearWeek(pattern, n, base)
			return base, pattern, err
		}
		at, err := f.move(base, n)
		return at, pattern, err
	}
	return plain(expr, base)
}

// plain evaluates <pattern>[±N]: the last "+" before a digit, else the last "-" before a digit, starts the offset.
func plain(expr string, base time.Time) (time.Time, string, error) {
	sign := lastSign(expr, '+')
	if sign < 0 {
		sign = lastSign(expr, '-')
	}
	if sign < 0 {
		return base, expr, nil
	}
	pattern, offset := strings.TrimSpace(expr[:sign]), expr[sign+1:]
	if pattern == "" {
		return base, "", errors.New("it has no date pattern")
	}
	days, rest, divided := strings.Cut(offset, "/")
	n, err := calculate(days)
	if err != nil {
		return base, "", err
	}
	if !divided {
		if expr[sign] == '-' {
			n = -n
		}
		at, err := addDays(base, n)
		return at, pattern, err
	}
	if n > maxDays || n < -maxDays {
		return base, "", errTooFar
	}
	minutes, err := calculate("1440*(" + strconv.FormatInt(n, 10) + ")/" + rest)
	if err != nil {
		return base, "", err
	}
	if minutes > maxDays*1440 || minutes < -maxDays*1440 {
		return base, "", errTooFar
	}
	if expr[sign] == '-' {
		minutes = -minutes
	}
	at, err := addMinutes(base, minutes)
	return at, pattern, err
}

// lastSign finds the last sign outside quotes and parentheses that a digit follows.
func lastSign(expr string, sign byte) int {
	found, quoted, depth := -1, false, 0
	for i := range len(expr) {
		switch {
		case expr[i] == '\'':
			quoted = !quoted
		case quoted:
		case expr[i] == '(':
			depth++
		case expr[i] == ')':
			depth--
		case expr[i] == sign && depth == 0 && i+1 < len(expr) && isDigit(expr[i+1]):
			found = i
		}
	}
	return found
}

// call reports whether expr is name(…), and returns what stands between the parentheses.
func call(expr, name string) (args string, ok bool, err error) {
	rest, ok := strings.CutPrefix(expr, name)
	if !ok {
		return "", false, nil
	}
	rest = strings.TrimLeft(rest, " ")
	if !strings.HasPrefix(rest, "(") {
		return "", false, nil
	}
	if !strings.HasSuffix(rest, ")") {
		return "", false, fmt.Errorf("%s(…) must be the whole expression", name)
	}
	return rest[1 : len(rest)-1], true, nil
}

// cutLast splits at the last comma outside quotes.
func cutLast(args string) (before, after string, found bool) {
	comma, quoted := -1, false
	for i := range len(args) {
		switch {
		case args[i] == '\'':
			quoted = !quoted
		case args[i] == ',' && !quoted:
			comma = i
		}
	}
	if comma < 0 {
		return args, "", false
	}
	return args[:comma], args[comma+1:], true
}

// timestamp turns an expression that renders as yyyyMMddHHmmss into Unix seconds.
func timestamp(inner string, base time.Time) (string, error) {
	at, pattern, err := place(inner, base)
	if err != nil {
		return "", err
	}
	if pattern == "yyyyMMddHHmmss" { // exact also in an hour that occurs twice
		return strconv.FormatInt(at.Unix(), 10), nil
	}
	text, err := format(pattern, at)
	if err != nil {
		return "", err
	}
	if len(text) != 14 || strings.Trim(text, "0123456789") != "" {
		return "", errors.New("timestamp needs the format yyyyMMddHHmmss")
	}
	part := func(from, to int) int { n, _ := strconv.Atoi(text[from:to]); return n } // digits only, checked above
	year, month, day, hour, minute, second := part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12), part(12, 14)
	if year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, time.Month(month)) || hour > 23 || minute > 59 || second > 59 {
		return "", fmt.Errorf("%s is no date and time", text)
	}
	return strconv.FormatInt(wall(year, time.Month(month), day, hour, minute, second, 0, at.Location()).Unix(), 10), nil
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }
