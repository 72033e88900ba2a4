package expr

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error says what is wrong with an expression and where, in bytes from its start.
type Error struct {
	At     int
	Reason string
}

// Error names the place, counted from 1.
func (e *Error) Error() string { return fmt.Sprintf("%s (at character %d)", e.Reason, e.At+1) }

type kind uint8

const (
	end kind = iota
	number
	text
	param // ${name}
	word
	sign
)

type token struct {
	kind  kind
	at    int
	text  string // of words, signs and params
	num   float64
	parts []part // of texts
}

// part is a piece of a text: as it is, or the name of a parameter.
type part struct {
	text string
	name bool
}

type lexer struct {
	src string
	pos int
}

func (l *lexer) fail(at int, format string, args ...any) error {
	return &Error{At: at, Reason: fmt.Sprintf(format, args...)}
}

// signs, longest first.
func signs() []string {
	return []string{
		"===", "!==", "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", "(", ")", "[", "]", ",", ".", ";",
	}
}

func (l *lexer) next() (token, error) {
	rest := strings.TrimLeftFunc(l.src[l.pos:], unicode.IsSpace)
	l.pos = len(l.src) - len(rest)
	at := l.pos
	if rest == "" {
		return token{kind: end, at: at}, nil
	}
	switch c := rest[0]; {
	case strings.HasPrefix(rest, "//"), strings.HasPrefix(rest, "/*"):
		return token{}, l.fail(at, "comments are not allowed")
	case strings.HasPrefix(rest, "${"):
		stop := strings.IndexByte(rest, '}')
		if stop < 0 {
			return token{}, l.fail(at, "${ without }")
		}
		l.pos += stop + 1
		return token{kind: param, at: at, text: rest[2:stop]}, nil
	case c == '"' || c == '\'':
		return l.quoted(c)
	case c >= '0' && c <= '9', c == '.' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9':
		return l.number()
	}
	if r, size := utf8.DecodeRuneInString(rest); letter(r) {
		n := size
		for n < len(rest) {
			if r, size = utf8.DecodeRuneInString(rest[n:]); !letter(r) && !unicode.IsDigit(r) {
				break
			}
			n += size
		}
		l.pos += n
		return token{kind: word, at: at, text: rest[:n]}, nil
	}
	for _, s := range signs() {
		if strings.HasPrefix(rest, s) {
			l.pos += len(s)
			if next := l.src[l.pos:]; next != "" && (s == "+" || s == "-") && next[0] == s[0] {
				return token{}, l.fail(at, "%s%s changes a value, which conditions cannot", s, s)
			}
			if (s == "&&" || s == "||") || !strings.HasPrefix(l.src[l.pos:], "=") || strings.HasSuffix(s, "=") {
				return token{kind: sign, at: at, text: s}, nil
			}
			return token{}, l.fail(at, "%s= changes a value, which conditions cannot", s)
		}
	}
	r, _ := utf8.DecodeRuneInString(rest)
	if r == '=' {
		return token{}, l.fail(at, "= changes a value, which conditions cannot; compare with ==")
	}
	return token{}, l.fail(at, "%q means nothing here", r)
}

func letter(r rune) bool { return r == '_' || r == '$' || unicode.IsLetter(r) }

func (l *lexer) number() (token, error) {
	at, rest := l.pos, l.src[l.pos:]
	n := 0
	if len(rest) > 2 && rest[0] == '0' && (rest[1] == 'x' || rest[1] == 'X') {
		n = 2
		for n < len(rest) && strings.IndexByte("0123456789abcdefABCDEF", rest[n]) >= 0 {
			n++
		}
		value, err := strconv.ParseUint(rest[2:n], 16, 64)
		if err != nil {
			return token{}, l.fail(at, "%s is no number", rest[:n])
		}
		l.pos += n
		return token{kind: number, at: at, num: float64(value)}, nil
	}
	for n < len(rest) && (rest[n] >= '0' && rest[n] <= '9' || rest[n] == '.') {
		n++
	}
	if n < len(rest) && (rest[n] == 'e' || rest[n] == 'E') {
		n++
		if n < len(rest) && (rest[n] == '+' || rest[n] == '-') {
			n++
		}
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
	}
	value, err := strconv.ParseFloat(rest[:n], 64)
	if r, _ := utf8.DecodeRuneInString(rest[n:]); err != nil && value == 0 || n < len(rest) && letter(r) {
		return token{}, l.fail(at, "%s is no number", rest[:n])
	}
	l.pos += n
	return token{kind: number, at: at, num: value}, nil
}

// quoted reads a text with the escapes of JavaScript; ${name} in it is a part of its own.
func (l *lexer) quoted(quote byte) (token, error) {
	at := l.pos
	l.pos++
	var parts []part
	var b strings.Builder
	for l.pos < len(l.src) {
		rest := l.src[l.pos:]
		switch c := rest[0]; {
		case c == quote:
			l.pos++
			if b.Len() > 0 || len(parts) == 0 {
				parts = append(parts, part{text: b.String()})
			}
			return token{kind: text, at: at, parts: parts}, nil
		case c == '\n':
			return token{}, l.fail(at, "the text is not closed on its line")
		case c == '\\':
			if err := l.escape(&b); err != nil {
				return token{}, err
			}
		case strings.HasPrefix(rest, "${") && strings.IndexByte(rest, '}') > 0:
			stop := strings.IndexByte(rest, '}')
			if b.Len() > 0 {
				parts = append(parts, part{text: b.String()})
				b.Reset()
			}
			parts = append(parts, part{text: rest[2:stop], name: true})
			l.pos += stop + 1
		default:
			b.WriteByte(c)
			l.pos++
		}
	}
	return token{}, l.fail(at, "the text is not closed")
}

func (l *lexer) escape(b *strings.Builder) error {
	rest := l.src[l.pos+1:]
	if rest == "" {
		return l.fail(l.pos, "the text is not closed")
	}
	hex := func(from, n int) error {
		if len(rest) < from+n {
			return l.fail(l.pos, "the escape is not complete")
		}
		value, err := strconv.ParseUint(rest[from:from+n], 16, 32)
		if err != nil {
			return l.fail(l.pos, "the escape needs %d hexadecimal digits", n)
		}
		b.WriteRune(rune(value))
		l.pos += 1 + from + n
		return nil
	}
	simple := map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', 'b': '\b', 'f': '\f', 'v': '\v', '0': 0}
	switch c := rest[0]; c {
	case 'u':
		return hex(1, 4)
	case 'x':
		return hex(1, 2)
	default:
		if s, known := simple[c]; known {
			b.WriteByte(s)
			l.pos += 2
			return nil
		}
		_, size := utf8.DecodeRuneInString(rest)
		b.WriteString(rest[:size])
		l.pos += 1 + size
		return nil
	}
}
