package neutral

import (
	"strconv"
	"strings"

	"dorado/modules/flow"
)

// Finish makes names readable and unique, and looks for what would keep workflows from being saved. It is called once,
// after everything was read. It returns ErrEmpty, ErrTooLarge.
func (b *Bundle) Finish() error {
	if len(b.Workflows) == 0 {
		return ErrEmpty
	}
	if len(b.Workflows) > MaxWorkflows {
		return ErrTooMany.With("limit", MaxWorkflows)
	}
	names := map[string]bool{}
	codes := map[int64]bool{}
	for i := range b.Workflows {
		w := &b.Workflows[i]
		if w.Definition == nil {
			continue
		}
		b.head(w, i, names)
		if code := w.Definition.Code; code <= 0 || codes[code] {
			w.Definition.Code = b.NewCode()
			if code > 0 {
				b.Note(Note{Level: Changed, File: w.File, Workflow: w.Name(), Key: "transfer.note.code_twice"})
			}
		}
		codes[w.Definition.Code] = true
		b.tasks(w)
		b.edges(w)
	}
	return nil
}

func (b *Bundle) head(w *Workflow, at int, names map[string]bool) {
	d := w.Definition
	was := d.Name
	d.Name = CleanName(d.Name, flow.MaxWorkflowName)
	if d.Name == "" {
		d.Name = "workflow_" + strconv.Itoa(at+1)
	}
	if d.Name != strings.TrimSpace(was) {
		b.Note(Note{Level: Changed, File: w.File, Workflow: d.Name, Key: "transfer.note.name_cleaned", Args: []any{"name", strconv.QuoteToASCII(was)}})
	}
	before := d.Name
	d.Name = unique(d.Name, flow.MaxWorkflowName, func(n int) string { return "(" + strconv.Itoa(n) + ")" }, names)
	if d.Name != before {
		b.Note(Note{Level: Changed, File: w.File, Workflow: d.Name, Key: "transfer.note.name_twice", Args: []any{"name", before}})
	}
	if _, err := flow.ParseExecutionType(string(d.ExecutionType)); err != nil || d.ExecutionType == "" {
		d.ExecutionType = flow.Parallel
	}
}

func (b *Bundle) tasks(w *Workflow) {
	d := w.Definition
	names := map[string]bool{}
	codes := map[int64]bool{}
	for i := range d.Tasks {
		t := &d.Tasks[i]
		was := t.Name
		t.Name = CleanName(t.Name, flow.MaxTaskName)
		if t.Name == "" {
			t.Name = "task_" + strconv.Itoa(i+1)
		}
		if t.Name != strings.TrimSpace(was) {
			b.Note(Note{Level: Changed, File: w.File, Workflow: d.Name, Node: t.Name, Key: "transfer.note.name_cleaned", Args: []any{"name", strconv.QuoteToASCII(was)}})
		}
		before := t.Name
		t.Name = unique(t.Name, flow.MaxTaskName, func(n int) string { return "_" + strconv.Itoa(n+1) }, names)
		if t.Name != before {
			b.Note(Note{Level: Changed, File: w.File, Workflow: d.Name, Node: t.Name, Key: "transfer.note.name_twice", Args: []any{"name", before}})
		}
		if t.Code <= 0 {
			t.Code = b.NewCode()
		}
		if codes[t.Code] {
			b.breaks(w, t.Name, "transfer.note.task_code_twice", "code", strconv.FormatInt(t.Code, 10))
		}
		codes[t.Code] = true
	}
	if len(d.Tasks) == 0 {
		b.breaks(w, "", "transfer.note.no_tasks")
	}
}

// breaks notes what keeps a workflow from being imported.
func (b *Bundle) breaks(w *Workflow, node, key string, args ...any) {
	w.Broken = true
	b.Note(Note{Level: Impossible, File: w.File, Workflow: w.Name(), Node: node, Key: key, Args: args})
}

func (b *Bundle) edges(w *Workflow) {
	d := w.Definition
	names := make(map[int64]string, len(d.Tasks))
	for i := range d.Tasks {
		names[d.Tasks[i].Code] = d.Tasks[i].Name
	}
	kept := d.Edges[:0]
	seen := map[[2]int64]bool{}
	for _, e := range d.Edges {
		pre, okPre := names[e.Pre]
		post, okPost := names[e.Post]
		switch {
		case !okPre || !okPost:
			b.breaks(w, pre+post, "transfer.note.edge_unknown", "from", strconv.FormatInt(e.Pre, 10), "to", strconv.FormatInt(e.Post, 10))
		case e.Pre == e.Post:
			b.breaks(w, pre, "transfer.note.cycle", "path", pre+" → "+post)
		case seen[[2]int64{e.Pre, e.Post}]:
			b.Note(Note{Level: Changed, File: w.File, Workflow: d.Name, Node: post, Key: "transfer.note.edge_twice", Args: []any{"from", pre, "to", post}})
			continue
		}
		seen[[2]int64{e.Pre, e.Post}] = true
		kept = append(kept, e)
	}
	d.Edges = kept
	if w.Broken {
		return
	}
	if path := ring(d, names); path != "" {
		b.breaks(w, "", "transfer.note.cycle", "path", path)
	}
	places := d.Locations[:0]
	for _, l := range d.Locations {
		if _, known := names[l.TaskCode]; known {
			places = append(places, l)
		}
	}
	d.Locations = places
}

// ring names tasks that wait for each other, "" when there are none.
func ring(d *flow.Definition, names map[int64]string) string {
	next := map[int64][]int64{}
	waits := map[int64]int{}
	for _, e := range d.Edges {
		next[e.Pre] = append(next[e.Pre], e.Post)
		waits[e.Post]++
	}
	var ready []int64
	for i := range d.Tasks {
		if waits[d.Tasks[i].Code] == 0 {
			ready = append(ready, d.Tasks[i].Code)
		}
	}
	done := map[int64]bool{}
	for len(ready) > 0 {
		code := ready[0]
		ready = ready[1:]
		done[code] = true
		for _, post := range next[code] {
			if waits[post]--; waits[post] == 0 {
				ready = append(ready, post)
			}
		}
	}
	if len(done) == len(d.Tasks) {
		return ""
	}
	// Whoever is left waits for somebody who is left: going back long enough ends in the ring.
	before := map[int64]int64{}
	var at int64
	for _, e := range d.Edges {
		if !done[e.Pre] && !done[e.Post] {
			before[e.Post], at = e.Pre, e.Post
		}
	}
	for range d.Tasks {
		at = before[at]
	}
	path := names[at]
	for code := before[at]; ; code = before[code] {
		path = names[code] + " → " + path
		if code == at {
			return path
		}
	}
}
