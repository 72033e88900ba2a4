package workflow

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"dorado/app/kit/fault"
	"dorado/modules/flow"
	"dorado/plugins/catalog"
	"dorado/plugins/form"
)

// diff says how the tasks of a definition differ from those of the version before it.
type diff struct {
	changed []flow.Task // new ones and those with another content, with their new versions
	added   int         // of changed
	removed []int64     // codes
}

// revise gives the tasks of next their versions and says what changed since last, which is nil for the first version.
func revise(last, next *flow.Definition) diff {
	var d diff
	old := map[int64]*flow.Task{}
	if last != nil {
		for i := range last.Tasks {
			old[last.Tasks[i].Code] = &last.Tasks[i]
		}
	}
	for i := range next.Tasks {
		t := &next.Tasks[i]
		before, known := old[t.Code]
		switch {
		case !known:
			// A task that comes back, from an older version or by undo, goes on from the version it names.
			t.Version = max(1, min(t.Version+1, maxTaskVersion))
			if last == nil {
				t.Version = 1
			}
			d.added++
		case flow.EqualTask(before, t):
			t.Version = before.Version
			delete(old, t.Code)
			continue
		default:
			t.Version = before.Version + 1
			delete(old, t.Code)
		}
		d.changed = append(d.changed, *t)
	}
	for code := range old {
		d.removed = append(d.removed, code)
	}
	slices.Sort(d.removed)
	return d
}

const maxTaskVersion = 1_000_000

// tidy brings a definition into the form in which it is stored: one definition, one text.
func tidy(def *flow.Definition) {
	def.Name = strings.TrimSpace(def.Name)
	def.Description = strings.TrimSpace(def.Description)
	if def.ExecutionType == "" {
		def.ExecutionType = flow.Parallel
	}
	known := make(map[int64]bool, len(def.Tasks))
	for i := range def.Tasks {
		t := &def.Tasks[i]
		t.Name = strings.TrimSpace(t.Name)
		if t.TimeoutFlag == flow.TimeoutClose {
			t.TimeoutStrategy = ""
		}
		if raw := bytes.TrimSpace(t.Params); len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
			t.Params = json.RawMessage("{}")
		}
		known[t.Code] = true
	}
	// A place of a task that is gone says nothing; the last place given for a task counts.
	places := make(map[int64]int, len(def.Locations))
	kept := def.Locations[:0:0]
	for _, l := range def.Locations {
		if !known[l.TaskCode] {
			continue
		}
		if at, twice := places[l.TaskCode]; twice {
			kept[at] = l
			continue
		}
		places[l.TaskCode] = len(kept)
		kept = append(kept, l)
	}
	def.Locations = kept
}

// number gives tasks without a code one, where nothing refers to them yet.
func number(def *flow.Definition, next func() int64) {
	for i := range def.Tasks {
		if def.Tasks[i].Code == 0 {
			def.Tasks[i].Code = next()
		}
	}
}

// renumber gives all tasks new codes, wherever the definition names them, and returns which became which.
func renumber(def *flow.Definition, plugins *catalog.Catalog, next func() int64) map[int64]int64 {
	codes := make(map[int64]int64, len(def.Tasks))
	for i := range def.Tasks {
		t := &def.Tasks[i]
		codes[t.Code] = next()
		t.Code, t.Version = codes[t.Code], 0
	}
	for i := range def.Tasks {
		if p, ok := plugins.Task(def.Tasks[i].Type); ok && p.Logic {
			def.Tasks[i].Params = form.Retarget(p.Schema, def.Tasks[i].Params, codes)
		}
	}
	for i := range def.Edges {
		def.Edges[i].Pre, def.Edges[i].Post = codes[def.Edges[i].Pre], codes[def.Edges[i].Post]
	}
	for i := range def.Locations {
		def.Locations[i].TaskCode = codes[def.Locations[i].TaskCode]
	}
	return codes
}

// refuse makes the error of a definition with problems, nil when all of them are warnings. The fault is about the
// first problem that says why the definition cannot be saved.
func refuse(problems []flow.Problem) error {
	at := slices.IndexFunc(problems, func(p flow.Problem) bool { return p.Severity == flow.SeverityError })
	if at < 0 {
		return nil
	}
	p := problems[at]
	err := ErrInvalid
	switch {
	case p.Key == problemEmpty:
		return &InvalidError{problems, ErrEmpty}
	case p.Key == "flow.problem.cycle":
		return &InvalidError{problems, ErrCycle.With(p.Args...)}
	case p.Key == "flow.problem.edge_unknown":
		err = ErrEdgeUnknown.With(p.Args...)
	case p.TaskCode != 0:
		err = ErrTaskInvalid.With("name", p.TaskName)
	}
	return &InvalidError{problems, err.OnField(place(p), p.Key, p.Args...)}
}

// place is how a problem's field is called outside: with its task, and without the container of a task's settings.
func place(p flow.Problem) string {
	field := strings.TrimPrefix(p.Field, "taskParams.")
	if p.TaskCode == 0 || p.TaskName == "" {
		return field
	}
	return p.TaskName + "." + field
}

// tooBig refuses a document beyond what is stored.
func tooBig() error {
	return fault.New(fault.TooLarge, "workflow.too_large").With("limit", maxBody>>20)
}
