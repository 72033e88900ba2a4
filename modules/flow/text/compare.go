package text

import (
	"strings"

	"dorado/modules/flow"
)

// Changes say how one definition differs from another.
type Changes struct {
	Fields []Change // of the workflow itself, its parameters included
	Tasks  []TaskChange
	Edges  []EdgeChange
	Moved  int // tasks that are only drawn elsewhere
}

// Change is one field that says something else. The field is named as in the text, "params.day". Old or New is empty
// where it says nothing.
type Change struct{ Field, Old, New string }

// TaskChange is a task that came, went or says something else.
type TaskChange struct {
	Code   int64
	Name   string // the new one
	Type   string
	Op     Op // Same: it changed
	Fields []Change
}

// EdgeChange is an edge that came, went or has another label.
type EdgeChange struct {
	Pre, Post int64
	From, To  string // names
	Op        Op     // Same: its label changed
	Old, New  string // labels
}

// Count returns how many tasks came, changed and went.
func (c Changes) Count() (added, changed, removed int) {
	for _, t := range c.Tasks {
		switch t.Op {
		case Added:
			added++
		case Same:
			changed++
		case Removed:
			removed++
		}
	}
	return added, changed, removed
}

// Empty reports whether nothing but places differs.
func (c Changes) Empty() bool { return len(c.Fields)+len(c.Tasks)+len(c.Edges) == 0 }

// Compare lists what is different in b. Tasks are the same when they have the same code, whatever they are called.
func Compare(a, b *flow.Definition, outside Resolver) Changes {
	var out Changes
	head := func(def *flow.Definition) *node {
		short := *def
		short.Tasks, short.Edges, short.Locations = nil, nil, nil
		return tree(&short, outside, Style{})
	}
	out.Fields = compare(nil, "", head(a), head(b))
	old, now := tasksByCode(a), tasksByCode(b)
	left, right := writerOf(a, outside), writerOf(b, outside)
	moved := placesOf(a)
	places := placesOf(b)
	for i := range b.Tasks {
		t := &b.Tasks[i]
		before, there := old[t.Code]
		if !there {
			out.Tasks = append(out.Tasks, TaskChange{Code: t.Code, Name: t.Name, Type: t.Type, Op: Added, Fields: compare(nil, "", object(), right.alone(t))})
			continue
		}
		fields := compare(nil, "", left.alone(before), right.alone(t))
		if before.Name != t.Name {
			fields = append([]Change{{"name", before.Name, t.Name}}, fields...)
		}
		if len(fields) > 0 {
			out.Tasks = append(out.Tasks, TaskChange{Code: t.Code, Name: t.Name, Type: t.Type, Op: Same, Fields: fields})
		} else if moved[t.Code] != places[t.Code] {
			out.Moved++
		}
	}
	for i := range a.Tasks {
		t := &a.Tasks[i]
		if _, there := now[t.Code]; !there {
			out.Tasks = append(out.Tasks, TaskChange{Code: t.Code, Name: t.Name, Type: t.Type, Op: Removed, Fields: compare(nil, "", left.alone(t), object())})
		}
	}
	out.edges(a, b, old, now)
	return out
}

// alone is a task without the edges that end at it.
func (w *writer) alone(t *flow.Task) *node {
	kept := w.before
	w.before = nil
	n := w.task(t, object())
	w.before = kept
	return n
}

func tasksByCode(def *flow.Definition) map[int64]*flow.Task {
	out := make(map[int64]*flow.Task, len(def.Tasks))
	for i := range def.Tasks {
		out[def.Tasks[i].Code] = &def.Tasks[i]
	}
	return out
}

func placesOf(def *flow.Definition) map[int64][2]float64 {
	out := make(map[int64][2]float64, len(def.Locations))
	for _, l := range def.Locations {
		out[l.TaskCode] = [2]float64{l.X, l.Y}
	}
	return out
}

func (c *Changes) edges(a, b *flow.Definition, old, now map[int64]*flow.Task) {
	name := func(code int64) string {
		if t, ok := now[code]; ok {
			return t.Name
		}
		if t, ok := old[code]; ok {
			return t.Name
		}
		return ""
	}
	was := make(map[[2]int64]string, len(a.Edges))
	for _, e := range a.Edges {
		was[[2]int64{e.Pre, e.Post}] = e.Name
	}
	is := make(map[[2]int64]bool, len(b.Edges))
	for _, e := range b.Edges {
		is[[2]int64{e.Pre, e.Post}] = true
		label, there := was[[2]int64{e.Pre, e.Post}]
		switch {
		case !there:
			c.Edges = append(c.Edges, EdgeChange{e.Pre, e.Post, name(e.Pre), name(e.Post), Added, "", e.Name})
		case label != e.Name:
			c.Edges = append(c.Edges, EdgeChange{e.Pre, e.Post, name(e.Pre), name(e.Post), Same, label, e.Name})
		}
	}
	for _, e := range a.Edges {
		if !is[[2]int64{e.Pre, e.Post}] {
			c.Edges = append(c.Edges, EdgeChange{e.Pre, e.Post, name(e.Pre), name(e.Post), Removed, e.Name, ""})
		}
	}
}

// compare lists the fields below two mappings that differ.
func compare(out []Change, path string, a, b *node) []Change {
	each := func(one entry) {
		x, y := a.get(one.key), b.get(one.key)
		if same(x, y) {
			return
		}
		at := one.key
		if path != "" {
			at = path + "." + one.key
		}
		if x != nil && y != nil && x.kind == mapping && y.kind == mapping && len(x.entries) > 0 && len(y.entries) > 0 {
			before := len(out)
			if out = compare(out, at, x, y); len(out) > before {
				return
			}
		}
		out = append(out, Change{at, spell(x), spell(y)})
	}
	for _, one := range b.entries {
		each(one)
	}
	for _, one := range a.entries {
		if b.get(one.key) == nil {
			each(one)
		}
	}
	return out
}

// spell writes a value for people.
func spell(n *node) string {
	if n == nil {
		return ""
	}
	if n.kind == word || n.kind == literal {
		return n.text
	}
	var e emitter
	e.value(n, -2)
	return strings.TrimSpace(strings.TrimPrefix(e.String(), "\n"))
}
