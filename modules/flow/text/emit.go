package text

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

type kind int

const (
	word    kind = iota // a string
	literal             // a number, true, false or null, as it is written
	mapping
	list
)

// node is a piece of the canonical text.
type node struct {
	kind    kind
	text    string
	entries []entry
	items   []*node
	inline  bool // a list of scalars on one line
	ordered bool // a mapping whose order says something
	apart   bool // a mapping whose entries have an empty line between them
}

type entry struct {
	key   string
	value *node
}

func str(s string) *node      { return &node{kind: word, text: strings.ToValidUTF8(s, "\uFFFD")} }
func number(n int64) *node    { return &node{kind: literal, text: strconv.FormatInt(n, 10)} }
func boolean(b bool) *node    { return &node{kind: literal, text: strconv.FormatBool(b)} }
func object(e ...entry) *node { return &node{kind: mapping, entries: e} }

func (n *node) add(key string, value *node) { n.entries = append(n.entries, entry{key, value}) }

func (n *node) get(key string) *node {
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// same reports whether two pieces mean the same. The order of a mapping counts only when it says something.
func same(a, b *node) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.kind != b.kind || a.text != b.text || len(a.entries) != len(b.entries) || len(a.items) != len(b.items) {
		return false
	}
	for i := range a.items {
		if !same(a.items[i], b.items[i]) {
			return false
		}
	}
	if a.ordered || b.ordered {
		return sameOrdered(a, b)
	}
	other := make(map[string]*node, len(b.entries))
	for _, e := range b.entries {
		other[e.key] = e.value
	}
	for _, e := range a.entries {
		twin, ok := other[e.key]
		if !ok || !same(e.value, twin) {
			return false
		}
	}
	return true
}

func sameOrdered(a, b *node) bool {
	for i := range a.entries {
		if a.entries[i].key != b.entries[i].key || !same(a.entries[i].value, b.entries[i].value) {
			return false
		}
	}
	return true
}

// emitter writes nodes as block YAML, two columns a level.
type emitter struct{ strings.Builder }

func (e *emitter) indent(columns int) {
	for range columns {
		e.WriteByte(' ')
	}
}

// mapping writes the entries of n, each beginning on a line of its own.
func (e *emitter) mapping(n *node, columns int) {
	for i, one := range n.entries {
		if n.apart && i > 0 {
			e.WriteByte('\n')
		}
		e.indent(columns)
		e.entry(one.key, one.value, columns)
	}
}

// longKey is how many bytes a key may have before YAML wants it marked as one.
const longKey = 200

// entry writes "key: value" and the line's end; the indentation is there already.
func (e *emitter) entry(key string, value *node, columns int) {
	spelled := scalar(key, true)
	if len(spelled) > longKey {
		e.WriteString("? " + spelled + "\n")
		e.indent(columns)
		spelled = ""
	}
	e.WriteString(spelled + ":")
	e.value(value, columns)
}

// value writes what follows a colon or a dash.
func (e *emitter) value(n *node, columns int) {
	switch n.kind {
	case literal:
		e.WriteString(" " + n.text + "\n")
	case word:
		if strings.Contains(n.text, "\n") && blockable(n.text) {
			e.block(n.text, columns)
			return
		}
		e.WriteString(" " + scalar(n.text, false) + "\n")
	case mapping:
		if len(n.entries) == 0 {
			e.WriteString(" {}\n")
			return
		}
		e.WriteByte('\n')
		e.mapping(n, columns+2)
	case list:
		e.list(n, columns)
	}
}

func (e *emitter) list(n *node, columns int) {
	if len(n.items) == 0 {
		e.WriteString(" []\n")
		return
	}
	if n.inline {
		e.WriteString(" [")
		for i, item := range n.items {
			if i > 0 {
				e.WriteString(", ")
			}
			if item.kind == literal {
				e.WriteString(item.text)
			} else {
				e.WriteString(scalar(item.text, true))
			}
		}
		e.WriteString("]\n")
		return
	}
	e.WriteByte('\n')
	for _, item := range n.items {
		e.indent(columns + 2)
		e.WriteByte('-')
		if item.kind != mapping || len(item.entries) == 0 {
			e.value(item, columns+2)
			continue
		}
		for i, one := range item.entries {
			if i == 0 {
				e.WriteByte(' ')
			} else {
				e.indent(columns + 4)
			}
			e.entry(one.key, one.value, columns+4)
		}
	}
}

// block writes a text of several lines as they are.
func (e *emitter) block(s string, columns int) {
	e.WriteString(" |")
	if c := s[0]; c == ' ' || c == '\n' || c == '\t' {
		e.WriteByte('2')
	}
	body := strings.TrimSuffix(s, "\n")
	switch {
	case body == s:
		e.WriteByte('-')
	case strings.HasSuffix(body, "\n"):
		e.WriteByte('+')
	}
	e.WriteByte('\n')
	for line := range strings.SplitSeq(body, "\n") {
		if line != "" {
			e.indent(columns + 2)
			e.WriteString(line)
		}
		e.WriteByte('\n')
	}
}

// blockable reports whether a text survives being written line by line.
func blockable(s string) bool {
	if strings.Trim(s, "\n") == "" {
		return false
	}
	for _, r := range s {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// scalar spells a string on one line: bare where it is read back as the same string, else in double quotes.
func scalar(s string, inFlow bool) string {
	if plain(s, inFlow) {
		return s
	}
	return strconv.Quote(s)
}

func plain(s string, inFlow bool) bool {
	if s == "" || strings.TrimSpace(s) != s || strings.HasSuffix(s, ":") || strings.Contains(s, ": ") || strings.Contains(s, " #") {
		return false
	}
	first := rune(s[0])
	if first < unicode.MaxASCII && !unicode.IsLetter(first) && !unicode.IsDigit(first) && !strings.ContainsRune("_/.$+(", first) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) || r == '\uFFFE' || inFlow && strings.ContainsRune("[]{},:?", r) {
			return false
		}
	}
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off": // booleans to older readers of YAML
		return false
	default:
		return !jsonNumber(s) && (&yaml.Node{Kind: yaml.ScalarNode, Value: s}).ShortTag() == "!!str"
	}
}

// jsonNumber reports whether JSON reads a text as a number. Such a text, unquoted, is that number.
func jsonNumber(s string) bool {
	if s == "" || s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return false
	}
	return json.Valid([]byte(s))
}
