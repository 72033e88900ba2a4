package workflow

import (
	"context"
	"strings"

	"dorado/modules/flow"
	"dorado/plugins/form"
)

// Lineage is what workflows say about each other: a row for each place where a task of a current version starts another
// workflow or waits for one. The rows of a workflow are written in the transaction that writes its version.

// LineageKind says how a task depends on another workflow.
type LineageKind string

// The kinds.
const (
	Starts LineageKind = "SUB_WORKFLOW" // SUB_WORKFLOW, DYNAMIC and FOR_EACH tasks
	Waits  LineageKind = "DEPENDENT"
)

// Dependant is a task of another workflow that needs this one.
type Dependant struct {
	Kind         LineageKind       `db:"kind"`
	ProjectCode  int64             `db:"project_code"`
	WorkflowCode int64             `db:"workflow_code"`
	WorkflowName string            `db:"workflow_name"`
	ReleaseState flow.ReleaseState `db:"release_state"`
	TaskCode     int64             `db:"task_code"`
	TaskName     string            `db:"task_name"`
	// Hidden says that whoever asked may not see the project; names are empty then.
	Hidden bool `db:"-"`
}

// Label is how people see it: "workflow → task".
func (d Dependant) Label() string { return d.WorkflowName + " → " + d.TaskName }

// URL is the page that shows the task.
func (d Dependant) URL() string {
	if d.Hidden {
		return ""
	}
	return address(d.ProjectCode, d.WorkflowCode) + "?task=" + number64(d.TaskCode)
}

// link is one row: a task of a workflow names another workflow.
type link struct {
	task     int64
	name     string // of the task
	field    string // of its settings
	kind     LineageKind
	project  int64
	workflow int64
	on       int64 // task of the other workflow; 0 the workflow as a whole, -1 all its tasks
}

// links lists the other workflows that a definition names. Tasks whose settings cannot be read have none.
func (s *Service) links(def *flow.Definition) []link {
	var all []link
	for i := range def.Tasks {
		t := &def.Tasks[i]
		plugin, ok := s.Catalog.Task(t.Type)
		if !ok || !plugin.Logic {
			continue
		}
		values, problems := form.Decode(plugin.Schema, t.Params)
		if len(problems) > 0 {
			continue
		}
		for _, r := range values.References(plugin.Schema) {
			l := link{t.Code, t.Name, r.Field, Starts, def.ProjectCode, r.Workflow, 0}
			if r.Waits {
				l.kind, l.project, l.on = Waits, r.Project, r.Task
			}
			all = append(all, l)
		}
	}
	return all
}

// related lists what is wrong with the links of a definition: workflows that are not there, and rings of workflows that
// start each other.
func (s *Service) related(ctx context.Context, def *flow.Definition, links []link) ([]flow.Problem, error) {
	if len(links) == 0 {
		return nil, nil
	}
	heads, err := s.store.heads(ctx, workflowsOf(links))
	if err != nil {
		return nil, err
	}
	homes, err := s.store.taskHomes(ctx, links)
	if err != nil {
		return nil, err
	}
	var found []flow.Problem
	fail := func(l link, severity flow.Severity, key string, args ...any) {
		found = append(found, flow.Problem{
			TaskCode: l.task, TaskName: l.name, Field: "taskParams." + l.field, Key: key, Args: args, Severity: severity,
		})
	}
	own := make(map[int64]bool, len(def.Tasks))
	for i := range def.Tasks {
		own[def.Tasks[i].Code] = true
	}
	secret, err := s.secret(ctx, def, links)
	if err != nil {
		return nil, err
	}
	var children []link
	for _, l := range links {
		w, known := heads[l.workflow]
		known = known && !secret[l.workflow]
		self := l.workflow == def.Code
		switch {
		case l.kind == Starts && self: // flow.Validate says so
		case !known && !self, l.kind == Waits && known && w.ProjectCode != l.project:
			fail(l, flow.SeverityError, "workflow.problem.workflow_missing", "code", number64(l.workflow), "project", number64(l.project))
		case l.kind == Starts && w.ProjectCode != def.ProjectCode:
			fail(l, flow.SeverityError, "workflow.problem.other_project", "name", w.Name)
		case l.kind == Starts:
			children = append(children, l)
			if w.ReleaseState != flow.Online {
				fail(l, flow.SeverityWarning, "workflow.problem.child_offline", "name", w.Name)
			}
		case l.on > 0 && self && !own[l.on], l.on > 0 && !self && homes[l.on] != l.workflow:
			name := w.Name
			if self {
				name = def.Name
			}
			fail(l, flow.SeverityError, "workflow.problem.task_missing", "code", number64(l.on), "name", name)
		}
	}
	nested, err := s.nested(ctx, def, children)
	return append(found, nested...), err
}

// secret lists the workflows that a definition newly waits for and whose project whoever saves may not see: they are as good as
// not there, or their states and results could be learnt by waiting for them. What a version waits for already stays, so that
// others can go on editing it.
func (s *Service) secret(ctx context.Context, def *flow.Definition, links []link) (map[int64]bool, error) {
	var out, kept map[int64]bool
	for _, l := range links {
		if l.kind != Waits || l.project == def.ProjectCode || s.Can(ctx, l.project, Read) {
			continue
		}
		if kept == nil {
			var err error
			if kept, err = s.store.awaited(ctx, def.Code); err != nil {
				return nil, err
			}
			out = map[int64]bool{}
		}
		out[l.workflow] = !kept[l.workflow]
	}
	return out, nil
}

// nested looks for rings and too long chains of workflows that start each other.
func (s *Service) nested(ctx context.Context, def *flow.Definition, children []link) ([]flow.Problem, error) {
	var found []flow.Problem
	if len(children) == 0 {
		return nil, nil
	}
	above, err := s.height(ctx, def.Code)
	if err != nil {
		return nil, err
	}
	seen := map[int64]bool{}
	for _, l := range children {
		if seen[l.workflow] {
			continue
		}
		seen[l.workflow] = true
		ring, chain, err := s.chains(ctx, def.Code, l.workflow)
		if err != nil {
			return nil, err
		}
		p := flow.Problem{TaskCode: l.task, TaskName: l.name, Field: "taskParams." + l.field, Severity: flow.SeverityError}
		switch {
		case ring != nil:
			names, err := s.path(ctx, def, append([]int64{def.Code}, ring...))
			if err != nil {
				return nil, err
			}
			p.Key, p.Args = "workflow.problem.starts_itself", []any{"path", names}
			found = append(found, p)
		case above+len(chain) > flow.MaxDepth:
			names, err := s.path(ctx, def, append([]int64{def.Code}, chain...))
			if err != nil {
				return nil, err
			}
			p.Key, p.Args = "workflow.problem.too_deep", []any{"max", flow.MaxDepth, "path", names}
			found = append(found, p)
		}
	}
	return found, nil
}

// chains follows what a workflow starts, level by level. ring is a way from from back to root, both included, when there
// is one; otherwise chain is one of the longest ways down from from.
func (s *Service) chains(ctx context.Context, root, from int64) (ring, chain []int64, err error) {
	cameFrom := map[int64]int64{from: 0}
	way := func(to int64) []int64 {
		var back []int64
		for at := to; at != 0; at = cameFrom[at] {
			back = append([]int64{at}, back...)
		}
		return back
	}
	level := []int64{from}
	deepest := from
	for depth := 0; len(level) > 0 && depth <= flow.MaxDepth; depth++ {
		deepest = level[0]
		rows, err := s.store.starts(ctx, level)
		if err != nil {
			return nil, nil, err
		}
		level = nil
		for _, r := range rows {
			if r.Child == root {
				return append(way(r.Parent), root), nil, nil
			}
			if _, known := cameFrom[r.Child]; !known {
				cameFrom[r.Child] = r.Parent
				level = append(level, r.Child)
			}
		}
	}
	return nil, way(deepest), nil
}

// height is how many workflows start each other above code, at most one more than are allowed.
func (s *Service) height(ctx context.Context, code int64) (int, error) {
	seen, level := map[int64]bool{code: true}, []int64{code}
	for n := 0; ; n++ {
		rows, err := s.store.startedBy(ctx, level)
		if err != nil {
			return 0, err
		}
		level = nil
		for _, r := range rows {
			if !seen[r.Parent] {
				seen[r.Parent] = true
				level = append(level, r.Parent)
			}
		}
		if len(level) == 0 || n > flow.MaxDepth {
			return n, nil
		}
	}
}

// path names a chain of workflows.
func (s *Service) path(ctx context.Context, def *flow.Definition, codes []int64) (string, error) {
	heads, err := s.store.heads(ctx, codes)
	if err != nil {
		return "", err
	}
	names := make([]string, len(codes))
	for i, code := range codes {
		names[i] = heads[code].Name
		if code == def.Code {
			names[i] = def.Name
		}
	}
	return strings.Join(names, " → "), nil
}

// relink checks the links of a definition and writes them, in the transaction of ctx.
func (s *Service) relink(ctx context.Context, def *flow.Definition) error {
	links := s.links(def)
	for _, l := range links {
		if l.kind == Starts {
			// Two saves that close a ring together must not both look before the other one has written.
			if err := s.store.lockLineage(ctx); err != nil {
				return err
			}
			break
		}
	}
	problems, err := s.related(ctx, def, links)
	if err != nil {
		return err
	}
	if err := refuse(problems); err != nil {
		return err
	}
	return s.store.relink(ctx, def.Code, links)
}

// readyBelow refuses to put a workflow online as long as one that it starts, directly or not, is offline.
func (s *Service) readyBelow(ctx context.Context, w Workflow) error {
	if err := s.store.lockLineage(ctx); err != nil {
		return err
	}
	seen, level := map[int64]bool{w.Code: true}, []int64{w.Code}
	var below []int64
	for len(level) > 0 {
		rows, err := s.store.starts(ctx, level)
		if err != nil {
			return err
		}
		level = nil
		for _, r := range rows {
			if !seen[r.Child] {
				seen[r.Child] = true
				level = append(level, r.Child)
			}
		}
		below = append(below, level...)
	}
	if len(below) == 0 {
		return nil
	}
	heads, err := s.store.heads(ctx, below)
	if err != nil {
		return err
	}
	var missing []string
	for _, code := range below {
		if head, known := heads[code]; !known {
			missing = append(missing, number64(code))
		} else if head.ReleaseState != flow.Online {
			missing = append(missing, head.Name)
		}
	}
	if len(missing) > 0 {
		return ErrChildOffline.With("name", w.Name, "names", strings.Join(missing, ", "), "count", len(missing))
	}
	return nil
}

// unneeded refuses to take a workflow offline as long as one that is online starts it.
func (s *Service) unneeded(ctx context.Context, w Workflow) error {
	if err := s.store.lockLineage(ctx); err != nil {
		return err
	}
	dependants, err := s.dependants(ctx, w.Code)
	if err != nil {
		return err
	}
	var names []string
	for _, d := range dependants {
		if d.Kind == Starts && d.ReleaseState == flow.Online {
			names = append(names, d.Label())
		}
	}
	if len(names) > 0 {
		return ErrNeededOnline.With("name", w.Name, "uses", strings.Join(names, ", "), "count", len(names))
	}
	return nil
}

// Dependants lists the tasks of other workflows that start a workflow or wait for it, by name. It returns ErrNotFound.
func (s *Service) Dependants(ctx context.Context, code int64) ([]Dependant, error) {
	if _, err := s.need(ctx, code, Read); err != nil {
		return nil, err
	}
	return s.dependants(ctx, code)
}

func (s *Service) dependants(ctx context.Context, code int64) ([]Dependant, error) {
	all, err := s.store.dependants(ctx, code)
	return s.veil(ctx, all), err
}

// veil hides the names of what whoever acts may not see.
func (s *Service) veil(ctx context.Context, all []Dependant) []Dependant {
	for i := range all {
		if !s.Can(ctx, all[i].ProjectCode, Read) {
			all[i].WorkflowName, all[i].TaskName, all[i].Hidden = "?", "?", true
		}
	}
	return all
}

func workflowsOf(links []link) []int64 {
	seen := map[int64]bool{}
	var codes []int64
	for _, l := range links {
		if !seen[l.workflow] {
			seen[l.workflow] = true
			codes = append(codes, l.workflow)
		}
	}
	return codes
}
