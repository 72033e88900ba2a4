package datax

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kinds of tokens.
const (
	word   = iota // a name, a keyword
	quoted        // a name in quotes, without them
	text          // a text in single quotes, without them
	number
	sign // anything else, one character
)

type token struct {
	kind  int
	value string
}

func (t token) is(words ...string) bool {
	return (t.kind == word || t.kind == sign) && slices.Contains(words, strings.ToLower(t.value))
}

func (t token) name() bool { return t.kind == word || t.kind == quoted }

// columns returns the names of the columns of a statement, when its list of them is simple: names, and expressions with an
// alias. Everything else gives false, as a wrong name would put values into a wrong column. brackets says that [x] is a name.
func columns(sql string, brackets bool) ([]string, bool) {
	tokens, ok := scan(sql, brackets)
	if !ok || len(tokens) == 0 || !tokens[0].is("select") {
		return nil, false
	}
	tokens = tokens[1:]
	if len(tokens) > 0 && tokens[0].is("distinct", "all") {
		tokens = tokens[1:]
	}
	var names []string
	var item []token
	depth := 0
	end := func() bool {
		name, ok := column(item)
		names, item = append(names, name), nil
		return ok
	}
	for _, t := range tokens {
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case depth == 0 && t.is("from", "union", "into"):
			return names, end() && !t.is("into")
		case depth == 0 && t.is(","):
			if !end() {
				return nil, false
			}
			continue
		}
		item = append(item, t)
	}
	return names, depth == 0 && end()
}

// column returns the name of one column of the list.
func column(item []token) (string, bool) {
	n := len(item)
	if n == 0 {
		return "", false
	}
	last := item[n-1]
	switch {
	case n > 2 && item[n-2].is("as") && (last.name() || last.kind == text):
		return last.value, true
	case !last.name() || last.kind == word && reserved(last.value):
		return "", false
	case chain(item):
		return last.value, true
	case n > 1 && item[n-2].is(")", "end"):
		return last.value, true // an expression and its alias, without AS
	case n > 1 && (chain(item[:n-1]) || n == 2 && (item[0].kind == number || item[0].kind == text)):
		return last.value, true // a column or a constant and its alias
	}
	return "", false
}

// chain reports whether item is a name, or names with dots between them.
func chain(item []token) bool {
	for i, t := range item {
		if i%2 == 1 && !t.is(".") || i%2 == 0 && (!t.name() || i == 0 && t.kind == word && reserved(t.value)) {
			return false
		}
	}
	return len(item)%2 == 1
}

// reserved are words that are no column when they stand alone, and no column when an alias stands behind them.
func reserved(name string) bool {
	return slices.Contains([]string{
		"null", "true", "false", "user", "sysdate", "current_date", "current_time", "current_timestamp", "current_user", "localtime",
		"localtimestamp", "not", "distinct", "interval", "date", "time", "timestamp", "binary", "exists", "prior", "case", "end", "top", "all", "select", "row", "array",
	}, strings.ToLower(name))
}

// scan splits a statement into tokens. It gives up where dialects read the same characters differently.
func scan(sql string, brackets bool) ([]token, bool) {
	var all []token
	for i := 0; i < len(sql); {
		rest := sql[i:]
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case unicode.IsSpace(r):
			i += size
		case strings.HasPrefix(rest, "--"):
			i += length(rest, "\n")
		case strings.HasPrefix(rest, "/*"):
			if strings.HasPrefix(rest, "/*!") {
				return nil, false // MySQL reads what is within
			}
			i += length(rest, "*/")
		case r == '\'', r == '"', r == '`', r == '[' && brackets:
			value, used, ok := quotedText(rest, r)
			if !ok {
				return nil, false
			}
			kind := quoted
			if r == '\'' {
				kind = text
			}
			all, i = append(all, token{kind, value}), i+used
		case unicode.IsDigit(r):
			used := span(rest, func(r rune) bool { return unicode.IsDigit(r) || r == '.' })
			all, i = append(all, token{number, rest[:used]}), i+used
		case unicode.IsLetter(r) || r == '_':
			used := span(rest, func(r rune) bool {
				return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || strings.ContainsRune("_$#", r)
			})
			all, i = append(all, token{word, rest[:used]}), i+used
		case r == '#', r == utf8.RuneError:
			return nil, false // a comment of MySQL, or the name of a temporary table
		default:
			all, i = append(all, token{sign, rest[:size]}), i+size
		}
	}
	return all, true
}

// length is how long text is up to the end of what mark ends.
func length(text, mark string) int {
	if at := strings.Index(text, mark); at >= 0 {
		return at + len(mark)
	}
	return len(text)
}

func span(text string, in func(rune) bool) int {
	if at := strings.IndexFunc(text, func(r rune) bool { return !in(r) }); at >= 0 {
		return at
	}
	return len(text)
}

// quotedText reads what begins with a quote, in which a doubled one stands for itself. A backslash is read by some and not
// by others.
func quotedText(s string, quote rune) (value string, used int, ok bool) {
	last := byte(quote)
	if quote == '[' {
		last = ']'
	}
	var out strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quote == '\'':
			return "", 0, false
		case s[i] != last:
			out.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == last:
			out.WriteByte(last)
			i++
		default:
			return out.String(), i + 1, true
		}
	}
	return "", 0, false
}
