package boot

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// words says which of two names an answer has where 3.2 had another one.
type words int

const (
	newWords words = iota
	oldWords
	bothWords // the address tells nothing, since it was never renamed
)

// wordsAt is how answers at an address speak.
func wordsAt(pattern string) words {
	segments := strings.Split(pattern, "/")
	if segments[1] == "v2" {
		return newWords
	}
	for _, s := range segments {
		if slices.Contains([]string{"workflow-definition", "workflow-instances", "workflow-task-relation", "workflow-state-count"}, s) {
			return newWords
		}
	}
	for _, s := range segments {
		if slices.Contains([]string{"schedules", "task-instances", "task-group", "lineages", "analysis", "task-definition", "executors", "data-quality"}, s) {
			return bothWords
		}
	}
	return newWords
}

// shapes are the objects of the interface, by name.
type shapes map[string][]shapeMember

// shapeMember is one name and type of an object.
type shapeMember struct {
	name, old string // old is the name in 3.2, when it was another one
	kind      string
	ours      bool // not DolphinScheduler's: its clients ignore it there
}

// readShapes reads a file with a line for each object: "Name: member:type, …". A type is int, str, bool, date, any, the name of
// an object, [type], Page<type>, Map<type>, {members}, and ? behind it when null is one of its values; "…Other" takes over the
// members of another one; "new|old" is a member that 3.2 calls old, "+name" one that is ours.
func readShapes(t *testing.T, file string) shapes {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	all := shapes{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, list, found := strings.Cut(line, ": ")
		require.True(t, found, line)
		all[name] = members(t, all, list)
	}
	return all
}

func members(t *testing.T, all shapes, list string) []shapeMember {
	t.Helper()
	var out []shapeMember
	for _, text := range split(list) {
		if base, ok := strings.CutPrefix(text, "…"); ok {
			require.Contains(t, all, base)
			out = append(out, all[base]...)
			continue
		}
		name, kind, found := strings.Cut(text, ":")
		if !found {
			kind = "any"
		}
		m := shapeMember{kind: kind}
		name, m.ours = strings.CutPrefix(name, "+")
		m.name, m.old, _ = strings.Cut(name, "|")
		out = append(out, m)
	}
	return out
}

// split cuts a list at its commas, but not at those within braces.
func split(list string) []string {
	var out []string
	depth, from := 0, 0
	for i, c := range list {
		switch c {
		case '{', '[', '<':
			depth++
		case '}', ']', '>':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, strings.TrimSpace(list[from:i]))
				from = i + 1
			}
		}
	}
	return append(out, strings.TrimSpace(list[from:]))
}

// maxProblems is how much is said about one answer.
const maxProblems = 6

// check says what is wrong with a value that should be of a type.
func (s shapes) check(kind string, value any, said words) []string {
	var found []string
	s.look("data", kind, value, said, &found)
	return found[:min(len(found), maxProblems)]
}

func (s shapes) look(where, kind string, value any, said words, found *[]string) {
	fail := func(format string, args ...any) { *found = append(*found, where+" "+fmt.Sprintf(format, args...)) }
	kind, optional := strings.CutSuffix(kind, "?")
	if value == nil {
		if !optional && kind != "null" && kind != "any" {
			fail("is null")
		}
		return
	}
	switch kind {
	case "any":
		return
	case "null":
		fail("is not null")
		return
	case "int":
		if n, ok := value.(json.Number); !ok || strings.ContainsAny(n.String(), ".eE") {
			fail("is no whole number: %v", value)
		}
		return
	case "num":
		if _, ok := value.(json.Number); !ok {
			fail("is no number: %v", value)
		}
		return
	case "str":
		if _, ok := value.(string); !ok {
			fail("is no text: %v", value)
		}
		return
	case "bool":
		if _, ok := value.(bool); !ok {
			fail("is neither true nor false: %v", value)
		}
		return
	case "true", "false":
		if value != (kind == "true") {
			fail("is not %s: %v", kind, value)
		}
		return
	case "date":
		text, ok := value.(string)
		if _, err := time.Parse(time.DateTime, text); !ok || err != nil {
			fail("is no date: %v", value)
		}
		return
	}
	inner, is := inside(kind, "[", "]")
	if is {
		s.list(where, inner, value, said, found)
		return
	}
	if inner, is = inside(kind, "Page<", ">"); is {
		s.object(where, page(inner), value, said, found)
		return
	}
	if inner, is = inside(kind, "Map<", ">"); is {
		object, ok := value.(map[string]any)
		if !ok {
			fail("is no object: %v", value)
		}
		for name, v := range object {
			s.look(where+"."+name, inner, v, said, found)
		}
		return
	}
	if inner, is = inside(kind, "{", "}"); is {
		var list []shapeMember
		for _, text := range split(inner) {
			name, kind, _ := strings.Cut(text, ":")
			m := shapeMember{kind: kind}
			name, m.ours = strings.CutPrefix(name, "+")
			m.name, m.old, _ = strings.Cut(name, "|")
			list = append(list, m)
		}
		s.object(where, list, value, said, found)
		return
	}
	list, known := s[kind]
	if !known {
		fail("should be %q, which is no type", kind)
		return
	}
	s.object(where, list, value, said, found)
}

func inside(kind, from, to string) (string, bool) {
	rest, ok := strings.CutPrefix(kind, from)
	if !ok || !strings.HasSuffix(rest, to) {
		return "", false
	}
	return strings.TrimSuffix(rest, to), true
}

// page are the members of a page of rows.
func page(of string) []shapeMember {
	out := []shapeMember{{name: "totalList", kind: "[" + of + "]"}}
	for _, name := range []string{"total", "totalPage", "pageSize", "currentPage", "pageNo"} {
		out = append(out, shapeMember{name: name, kind: "int"})
	}
	return out
}

func (s shapes) list(where, of string, value any, said words, found *[]string) {
	rows, ok := value.([]any)
	if !ok {
		*found = append(*found, fmt.Sprintf("%s is no list: %v", where, value))
		return
	}
	for i, row := range rows {
		s.look(fmt.Sprintf("%s[%d]", where, i), of, row, said, found)
	}
}

// object compares the members of an object: none may be missing, and none may be there that clients do not know.
func (s shapes) object(where string, list []shapeMember, value any, said words, found *[]string) {
	object, ok := value.(map[string]any)
	if !ok {
		*found = append(*found, fmt.Sprintf("%s is no object: %v", where, value))
		return
	}
	known := map[string]bool{}
	for _, m := range list {
		names := []string{m.name}
		switch {
		case m.old == "":
		case said == oldWords:
			names = []string{m.old}
		case said == bothWords:
			names = []string{m.name, m.old}
		}
		for _, name := range names {
			known[name] = true
			v, there := object[name]
			switch {
			case there:
				s.look(where+"."+name, m.kind, v, said, found)
			case !m.ours:
				*found = append(*found, fmt.Sprintf("%s has no %s", where, name))
			}
		}
	}
	for name := range object {
		if !known[name] {
			*found = append(*found, fmt.Sprintf("%s has %s, which clients do not know", where, name))
		}
	}
}
