package text

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"dorado/modules/flow"
)

// Update brings a text in step with a definition. prev is what old said when the two were in step. Only what differs
// between prev and next is rewritten: other lines keep their comments, order and spelling. A text that cannot be read
// gives way to the canonical one.
func Update(old []byte, prev, next *flow.Definition, outside Resolver) []byte {
	if prev == nil {
		prev = next
	}
	doc := parse(old, Options{Names: outside, Base: prev}, nil)
	if doc.Definition == nil {
		return Format(next, outside, Style{})
	}
	style, root := Style{}, doc.root
	style.Layout = member(root, "layout") != nil
	if tasks := member(root, "tasks"); tasks != nil && tasks.Kind == yaml.MappingNode {
		for i := 1; i < len(tasks.Content); i += 2 {
			style.Codes = style.Codes || member(tasks.Content[i], "code") != nil
		}
	}
	style.Codes = style.Codes || member(root, "code") != nil
	if means(doc.Definition, next, style.Layout) {
		return old
	}
	now := doc.Definition
	if !style.Codes {
		now.Code = next.Code
	}
	a, b := tree(now, outside, style), tree(next, outside, style)
	for depth := 5; depth > 0; depth-- {
		u := updater{lines: strings.Split(string(old), "\n"), renames: renamed(now, next)}
		if !u.mapping(root, len(u.lines), a, b, depth, false) {
			continue
		}
		if out := u.apply(); says(out, next, outside, style.Layout) {
			return out
		}
	}
	return Format(next, outside, style)
}

// says reports whether a text means exactly a definition.
func says(src []byte, def *flow.Definition, outside Resolver, layout bool) bool {
	doc := parse(src, Options{Names: outside, Base: def}, nil)
	return doc.Definition != nil && means(doc.Definition, def, layout)
}

// means reports whether two definitions say the same; where tasks are drawn counts only with layout.
func means(a, b *flow.Definition, layout bool) bool {
	got := *a
	if !layout {
		got.Locations = b.Locations
	}
	got.Code, got.ProjectCode = b.Code, b.ProjectCode
	return flow.Equal(&got, b)
}

// renamed says which tasks of a have another name in b.
func renamed(a, b *flow.Definition) map[string]string {
	names := make(map[int64]string, len(b.Tasks))
	for i := range b.Tasks {
		names[b.Tasks[i].Code] = b.Tasks[i].Name
	}
	out := map[string]string{}
	for i := range a.Tasks {
		if now, ok := names[a.Tasks[i].Code]; ok && now != a.Tasks[i].Name {
			out[a.Tasks[i].Name] = now
		}
	}
	return out
}

// updater collects edits of lines.
type updater struct {
	lines   []string
	edits   []edit
	renames map[string]string
}

// edit puts lines in place of those from … to (not included).
type edit struct {
	from, to int
	with     []string
}

// span is where an entry of a block mapping stands.
type span struct {
	key, value *yaml.Node
	head       int // first line of the comments above it
	from, to   int // lines, the last not included
}

// mapping edits a block mapping that ends before line end, so that it says b where it said a. It reports false, and
// leaves no edit, when the mapping is written in a way that cannot be edited by lines.
func (u *updater) mapping(src *yaml.Node, end int, a, b *node, depth int, tasks bool) bool {
	before := len(u.edits)
	spans, columns, ok := u.spans(src, end)
	if !ok || !sameOrder(a, b) {
		return false
	}
	became := func(key string) string {
		if now, ok := u.renames[key]; ok && tasks {
			return now
		}
		return key
	}
	was := make(map[string]bool, len(a.entries))
	for _, one := range a.entries {
		was[became(one.key)] = true
		at, there := spans[one.key]
		now := b.get(became(one.key))
		switch {
		case now == nil && there:
			u.remove(at)
		case now == nil:
			return u.undo(before) // comes from an anchor elsewhere
		case same(one.value, now) && became(one.key) == one.key:
		case !there:
			was[became(one.key)] = false // spelled out from now on
		default:
			u.change(at, one, entry{became(one.key), now}, columns, depth)
		}
	}
	anchor := -1
	for i, one := range b.entries {
		if at, there := u.find(spans, one.key, tasks); there {
			if !was[one.key] {
				u.change(at, entry{one.key, nil}, one, columns, 0)
			}
			anchor = at.to
			continue
		}
		if was[one.key] {
			continue
		}
		u.insert(spans, anchor, one, columns, b.apart && (i > 0 || len(spans) > 0))
	}
	return true
}

// find returns where the text has an entry, under the name that it had.
func (u *updater) find(spans map[string]span, key string, tasks bool) (span, bool) {
	if tasks {
		for old, now := range u.renames {
			if now == key {
				at, ok := spans[old]
				return at, ok
			}
		}
		if _, gone := u.renames[key]; gone {
			return span{}, false
		}
	}
	at, ok := spans[key]
	return at, ok
}

func (u *updater) undo(to int) bool {
	u.edits = u.edits[:to]
	return false
}

// sameOrder reports whether the order of what stays is the same where it says something.
func sameOrder(a, b *node) bool {
	if !a.ordered {
		return true
	}
	var x, y []string
	for _, e := range a.entries {
		if b.get(e.key) != nil {
			x = append(x, e.key)
		}
	}
	for _, e := range b.entries {
		if a.get(e.key) != nil {
			y = append(y, e.key)
		}
	}
	return slices.Equal(x, y)
}

// spans finds the entries of a block mapping whose keys all begin a line at one column.
func (u *updater) spans(src *yaml.Node, end int) (map[string]span, int, bool) {
	if src.Kind != yaml.MappingNode || src.Style&yaml.FlowStyle != 0 || src.Anchor != "" || len(src.Content) == 0 {
		return nil, 0, false
	}
	out := make(map[string]span, len(src.Content)/2)
	columns := src.Content[0].Column - 1
	for i := 0; i+1 < len(src.Content); i += 2 {
		key, value := src.Content[i], src.Content[i+1]
		from, limit := key.Line-1, end
		if i+2 < len(src.Content) {
			limit = src.Content[i+2].Line - 1
		}
		if key.Column-1 != columns || from >= len(u.lines) || limit <= from || strings.TrimLeft(u.lines[from][:min(columns, len(u.lines[from]))], " ") != "" {
			return nil, 0, false
		}
		to := limit
		for to > from+1 && u.idle(to-1, columns) {
			to--
		}
		head := from
		for head > 0 && u.comment(head-1) == columns {
			head--
		}
		if key.ShortTag() != "!!merge" {
			out[key.Value] = span{key, value, head, from, to}
		}
	}
	return out, columns, true
}

// idle reports whether a line at the end of an entry does not belong to it.
func (u *updater) idle(line, columns int) bool {
	text := strings.TrimSpace(u.lines[line])
	if text == "" || u.lines[line] == "..." || u.lines[line] == "---" {
		return true
	}
	at := u.comment(line)
	return at >= 0 && at <= columns
}

// comment returns the column of a line that is a comment, else -1.
func (u *updater) comment(line int) int {
	text := strings.TrimLeft(u.lines[line], " ")
	if !strings.HasPrefix(text, "#") {
		return -1
	}
	return len(u.lines[line]) - len(text)
}

func (u *updater) blank(line int) bool {
	return line < 0 || line >= len(u.lines) || strings.TrimSpace(u.lines[line]) == ""
}

// remove takes an entry away, with the comment above it and one of the empty lines around it.
func (u *updater) remove(at span) {
	from := at.head
	if from > 0 && u.blank(from-1) && u.blank(at.to) {
		from--
	}
	u.edits = append(u.edits, edit{from: from, to: at.to})
}

// change rewrites an entry, no more of it than must be.
func (u *updater) change(at span, was, now entry, columns, depth int) {
	nested := depth > 1 && was.value != nil && was.value.kind == mapping && now.value.kind == mapping && len(now.value.entries) > 0
	if nested && at.value.Line > at.key.Line {
		if was.key == now.key || u.rename(at, now.key) {
			if u.mapping(at.value, at.to, was.value, now.value, depth-1, was.key == "tasks" && columns == 0) {
				return
			}
			if was.key != now.key {
				u.edits = u.edits[:len(u.edits)-1]
			}
		}
	}
	u.edits = append(u.edits, edit{at.from, at.to, u.spell(at, now, columns)})
}

// rename rewrites a key that stands bare on its line.
func (u *updater) rename(at span, key string) bool {
	line := u.lines[at.from]
	begin := at.key.Column - 1
	rest, ok := strings.CutPrefix(line[min(begin, len(line)):], at.key.Value)
	if !ok || at.key.Style != 0 || len(scalar(key, true)) > longKey {
		return false
	}
	u.edits = append(u.edits, edit{at.from, at.from + 1, []string{line[:begin] + scalar(key, true) + rest}})
	return true
}

// spell writes an entry; a comment behind a value of one line stays on the first.
func (u *updater) spell(at span, now entry, columns int) []string {
	out := spelled(now, columns)
	if note := cmp.Or(at.value.LineComment, at.key.LineComment); note != "" && at.to == at.from+1 {
		out[0] += " " + note
	}
	return out
}

func spelled(one entry, columns int) []string {
	var e emitter
	e.indent(columns)
	e.entry(one.key, one.value, columns)
	return strings.Split(strings.TrimSuffix(e.String(), "\n"), "\n")
}

// insert puts a new entry behind line anchor, or before all others.
func (u *updater) insert(spans map[string]span, anchor int, one entry, columns int, apart bool) {
	lines := spelled(one, columns)
	if anchor < 0 {
		for _, at := range spans {
			if anchor < 0 || at.head < anchor {
				anchor = at.head
			}
		}
		if apart {
			lines = append(lines, "")
		}
	} else if apart {
		lines = append([]string{""}, lines...)
	}
	u.edits = append(u.edits, edit{anchor, anchor, lines})
}

// apply carries out the edits.
func (u *updater) apply() []byte {
	slices.SortStableFunc(u.edits, func(a, b edit) int { return cmp.Compare(a.from, b.from) })
	var out []string
	at := 0
	for _, e := range u.edits {
		if e.from > at {
			out = append(out, u.lines[at:e.from]...)
		}
		out = append(out, e.with...)
		at = max(at, e.to)
	}
	out = append(out, u.lines[min(at, len(u.lines)):]...)
	return []byte(strings.Join(out, "\n"))
}

// WithLayout adds where the editor draws the tasks to a text that does not say.
func WithLayout(src []byte, def *flow.Definition, outside Resolver) []byte {
	var parsed yaml.Node
	if err := yaml.Unmarshal(src, &parsed); err != nil || len(parsed.Content) == 0 || parsed.Content[0].Style&yaml.FlowStyle != 0 || member(parsed.Content[0], "layout") != nil {
		return src
	}
	places := tree(def, outside, Style{Layout: true}).get("layout")
	if places == nil {
		return src
	}
	var e emitter
	e.entry("layout", places, 0)
	out := strings.TrimRight(string(src), "\n") + "\n\n" + e.String()
	if !says([]byte(out), def, outside, true) {
		return src
	}
	return []byte(out)
}

// NameOf returns the name of the workflow in a text, "" when it has none that can be read.
func NameOf(src []byte) string {
	var head struct {
		Name string `yaml:"name"`
	}
	if len(src) > MaxBytes || yaml.Unmarshal(src, &head) != nil {
		return ""
	}
	return strings.TrimSpace(head.Name)
}

// HasSchedules reports whether a text speaks of schedules.
func HasSchedules(src []byte) bool { return has(src, "schedules") }

// HasLayout reports whether a text says where tasks are drawn.
func HasLayout(src []byte) bool { return has(src, "layout") }

func has(src []byte, field string) bool {
	var parsed yaml.Node
	return len(src) <= MaxBytes && yaml.Unmarshal(src, &parsed) == nil && len(parsed.Content) > 0 && member(parsed.Content[0], field) != nil
}
