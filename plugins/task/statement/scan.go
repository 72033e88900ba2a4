package statement

import "strings"

// token is a part of a text that is read by one rule.
type token struct {
	kind  tokenKind
	text  string // as written, delimiters included
	from  int    // where it begins
	open  string // the delimiters of a string or a name; close is "" where the text ends before it
	close string
	back  bool // \ escapes in it
}

type tokenKind int

const (
	code    tokenKind = iota
	str               // 'text', in whatever form
	name              // "name"
	dollars           // $tag$ … $tag$, which may hold a program
	comment
)

// inner is what stands between the delimiters.
func (t token) inner() string { return t.text[len(t.open) : len(t.text)-len(t.close)] }

// scan cuts text into tokens, without a gap, until visit returns false.
func (d Dialect) scan(text string, visit func(token) bool) {
	begin := 0 // of the code that is not yet visited
	for at := 0; at < len(text); {
		t := d.token(text, at)
		if t.text == "" {
			at++
			continue
		}
		if begin < at && !visit(token{kind: code, text: text[begin:at], from: begin}) {
			return
		}
		if !visit(t) {
			return
		}
		at += len(t.text)
		begin = at
	}
	if begin < len(text) {
		visit(token{kind: code, text: text[begin:], from: begin})
	}
}

// token returns the token other than code that begins at at; its text is "" when there is none.
func (d Dialect) token(text string, at int) token {
	rest := text[at:]
	before := byte(' ')
	if at > 0 {
		before = text[at-1]
	}
	switch c := rest[0]; {
	case c == '-' && strings.HasPrefix(rest, "--"):
		// In MySQL 5--3 is a sum.
		if d.Family == MySQL && len(rest) > 2 && rest[2] > ' ' {
			return token{}
		}
		return token{kind: comment, text: line(rest), from: at}
	case c == '#' && d.hash:
		if d.Family == ClickHouse && (len(rest) < 2 || (rest[1] != ' ' && rest[1] != '!')) {
			return token{}
		}
		return token{kind: comment, text: line(rest), from: at}
	case c == '/' && strings.HasPrefix(rest, "/*"):
		if d.Family == MySQL && (strings.HasPrefix(rest, "/*!") || strings.HasPrefix(rest, "/*M!")) {
			return token{} // MySQL runs what is in it
		}
		return token{kind: comment, text: rest[:d.commentEnd(rest)], from: at}
	case c == '\'':
		if delimiter := d.quoted(text, at); delimiter != "" {
			return delimited(rest, at, str, "'"+delimiter[:1], delimiter[1:]+"'")
		}
		back := d.backslash
		if d.Family == Postgres && (before == 'e' || before == 'E') && (at < 2 || !wordByte(text[at-2])) {
			back = true
		}
		return d.enclosed(rest, at, str, '\'', back, d.doubled)
	case c == '"':
		if d.doubleStr {
			return d.enclosed(rest, at, str, '"', d.backslash, d.doubled)
		}
		return d.enclosed(rest, at, name, '"', d.Family == ClickHouse, true)
	case c == '`' && d.backtick:
		return d.enclosed(rest, at, name, '`', d.Family == ClickHouse, true)
	case c == '[' && d.brackets:
		return d.enclosed(rest, at, name, ']', false, true)
	case c == '$' && d.dollar && !wordByte(before) && before != '$':
		if tag := dollarTag(rest); tag != "" {
			return delimited(rest, at, dollars, tag, tag)
		}
	}
	return token{}
}

// line is rest up to the end of its line, without it.
func line(rest string) string {
	first, _, _ := strings.Cut(rest, "\n")
	return first
}

// commentEnd is where the comment that rest begins with ends.
func (d Dialect) commentEnd(rest string) int {
	depth := 0
	for i := 0; i+1 < len(rest); i++ {
		switch {
		case rest[i] == '/' && rest[i+1] == '*' && (depth == 0 || d.nested):
			depth++
			i++
		case rest[i] == '*' && rest[i+1] == '/':
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return len(rest)
}

// enclosed reads rest, which begins with a delimiter, up to the closing one.
func (d Dialect) enclosed(rest string, at int, kind tokenKind, end byte, back, doubled bool) token {
	t := token{kind: kind, from: at, open: rest[:1], text: rest, back: back}
	for i := 1; i < len(rest); i++ {
		switch {
		case rest[i] == '\\' && back:
			i++
		case rest[i] == end && doubled && i+1 < len(rest) && rest[i+1] == end:
			i++
		case rest[i] == end:
			t.text, t.close = rest[:i+1], string(end)
			return t
		}
	}
	return t
}

func delimited(rest string, at int, kind tokenKind, open, end string) token {
	t := token{kind: kind, from: at, open: open, text: rest}
	if i := strings.Index(rest[len(open):], end); i >= 0 {
		t.text, t.close = rest[:len(open)+i+len(end)], end
	}
	return t
}

// quoted returns the two delimiters of q'[…]' when the quote at at begins one, otherwise "".
func (d Dialect) quoted(text string, at int) string {
	if !d.quoting || at == 0 || at+1 >= len(text) || (text[at-1] != 'q' && text[at-1] != 'Q') {
		return ""
	}
	if at > 1 && wordByte(text[at-2]) && (text[at-2] != 'n' && text[at-2] != 'N' || at > 2 && wordByte(text[at-3])) {
		return ""
	}
	open := text[at+1]
	if open <= ' ' || open >= 0x80 || open == '\'' {
		return ""
	}
	if i := strings.IndexByte("[{(<", open); i >= 0 {
		return string(open) + "]})>"[i:i+1]
	}
	return string(open) + string(open)
}

// dollarTag returns $tag$ when rest begins with it.
func dollarTag(rest string) string {
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '$':
			return rest[:i+1]
		case !wordByte(c) || (i == 1 && c >= '0' && c <= '9'):
			return ""
		}
	}
	return ""
}
