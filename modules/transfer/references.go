package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"dorado/app/kit/fault"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/transfer/neutral"
	"dorado/modules/workflow"
)

// world is a bundle with what it refers to.
type world struct {
	svc     *Service
	project int64
	bundle  *neutral.Bundle
	inside  map[int64]int // place of a workflow in the bundle, by its code there
	refs    map[neutral.Ref]*Reference
	order   []neutral.Ref
	linked  map[int]map[int]bool // what links found
	// Workflows that are here already, by the place of those of their names, and how the file's codes become theirs.
	namesakes map[int]namesake
	here      codes
}

// use notes that a workflow names something.
func (w *world) use(kind neutral.Kind, value, workflow, task string) {
	ref := neutral.Ref{Kind: kind, Value: value}
	r := w.refs[ref]
	if r == nil {
		r = &Reference{Ref: ref, Label: value, Required: kind == neutral.WorkflowRef || kind == neutral.Task}
		if name := w.bundle.Names[ref]; name != "" {
			r.Label = name
		}
		w.refs[ref] = r
		w.order = append(w.order, ref)
	}
	by := workflow
	if task != "" {
		by += " → " + task
	}
	if !slices.Contains(r.Uses, by) {
		r.Uses = append(r.Uses, by)
	}
}

// collect finds what the workflows name outside themselves.
func (w *world) collect() {
	for i := range w.bundle.Workflows {
		if wf := &w.bundle.Workflows[i]; wf.Definition != nil && !wf.Broken {
			w.collectOne(wf)
		}
	}
	kinds := neutral.Kinds()
	slices.SortStableFunc(w.order, func(a, b neutral.Ref) int { return slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind) })
}

func (w *world) collectOne(wf *neutral.Workflow) {
	d := wf.Definition
	for i := range d.Tasks {
		t := &d.Tasks[i]
		if t.EnvironmentCode > 0 {
			w.use(neutral.Environment, number(t.EnvironmentCode), d.Name, t.Name)
		}
		if g := t.WorkerGroup; g != "" && g != "default" && !strings.Contains(g, "${") {
			w.use(neutral.WorkerGroup, g, d.Name, t.Name)
		}
		if t.TaskGroupID > 0 {
			w.use(neutral.TaskGroup, number(t.TaskGroupID), d.Name, t.Name)
		}
		w.collectParams(d, t)
	}
	for _, s := range wf.Schedules {
		if s.Tenant != "" && s.Tenant != "default" {
			w.use(neutral.Tenant, s.Tenant, d.Name, "")
		}
		if s.WorkerGroup != "" && s.WorkerGroup != "default" {
			w.use(neutral.WorkerGroup, s.WorkerGroup, d.Name, "")
		}
		if s.Environment > 0 {
			w.use(neutral.Environment, number(s.Environment), d.Name, "")
		}
		if s.WarningGroup > 0 && s.WarningType != "" && s.WarningType != "NONE" {
			w.use(neutral.AlertGroup, number(s.WarningGroup), d.Name, "")
		}
	}
}

// collectParams looks into the settings of a task: for workflows in those of logic tasks, for data sources and files in
// those of others.
func (w *world) collectParams(d *flow.Definition, t *flow.Task) {
	kind := flow.KindOf(t.Type)
	neutral.Rewrite(t.Params, func(p neutral.Place, n int64) int64 {
		switch what := meaning(kind, p.Key); {
		case n <= 0 && what != "":
		case what == neutral.WorkflowRef:
			if _, in := w.inside[n]; !in && n != d.Code {
				w.use(neutral.WorkflowRef, number(n), d.Name, t.Name)
			}
		case what == neutral.Task && kind == flow.KindDependent:
			home := p.Object["definitionCode"]
			if _, in := w.inside[home]; !in && home != d.Code {
				w.use(neutral.Task, number(home)+"/"+number(n), d.Name, t.Name)
			}
		case what == neutral.DataSource:
			w.use(neutral.DataSource, number(n), d.Name, t.Name)
		}
		return n
	}, func(p neutral.Place, text string) string {
		if kind == flow.KindPhysical && (p.Key == "resourceName" || p.Key == "res") && text != "" {
			w.use(neutral.Resource, text, d.Name, t.Name)
		}
		return text
	})
}

// meaning says what a number in the settings of a task stands for, by the name of its member; "" for nothing that is looked
// after.
func meaning(kind flow.TaskKind, key string) neutral.Kind {
	switch {
	case kind == flow.KindPhysical:
		switch key {
		case "datasource", "dataSource", "dataTarget":
			return neutral.DataSource
		}
	case kind.Children() && (key == "workflowDefinitionCode" || key == "processDefinitionCode"):
		return neutral.WorkflowRef
	case kind == flow.KindDependent:
		switch key {
		case "definitionCode":
			return neutral.WorkflowRef
		case "projectCode":
			return neutral.Project
		case "depTaskCode":
			return neutral.Task
		}
	case kind.Branches():
		switch key {
		case "depTaskCode", "nextNode", "successNode", "failedNode":
			return neutral.Task
		}
	}
	return ""
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// resolve finds what references lead to here, by what was chosen or by themselves.
func (w *world) resolve(ctx context.Context, mapping map[string]string) error {
	offered := map[neutral.Kind][]Choice{}
	for _, ref := range w.order {
		r := w.refs[ref]
		if find := w.svc.lookups[ref.Kind]; find != nil && offered[ref.Kind] == nil {
			all, err := find(ctx, w.project)
			if err != nil && !errors.Is(err, access.ErrDenied) {
				return err
			}
			offered[ref.Kind] = append([]Choice{}, all...)
		}
		r.Choices = offered[ref.Kind]
		var err error
		switch ref.Kind {
		case neutral.WorkflowRef:
			err = w.findWorkflow(ctx, r)
		case neutral.Task:
			err = w.findTask(ctx, r, mapping)
		default:
			r.Found = found(r)
			if w.svc.lookups[ref.Kind] == nil && !ref.Unnamed() {
				r.Found = ref.Value // nobody knows better
			}
		}
		if err != nil {
			return err
		}
		chosen, said := mapping[ref.Key()]
		if r.Chosen = r.Found; said {
			if err := r.choose(ctx, w, chosen); err != nil {
				return err
			}
		}
		r.Open = r.Required && r.Chosen == ""
	}
	return nil
}

// choose takes what somebody chose, if it is something to choose.
func (r *Reference) choose(ctx context.Context, w *world, value string) error {
	if value == "" {
		r.Chosen = ""
		return nil
	}
	if r.Ref.Kind == neutral.WorkflowRef {
		code, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return ErrChoice.With("value", r.Label)
		}
		if _, err := w.svc.Workflows.Get(ctx, code); err != nil {
			return err
		}
	} else if w.svc.lookups[r.Ref.Kind] != nil && !slices.ContainsFunc(r.Choices, func(c Choice) bool { return c.Value == value }) {
		return ErrChoice.With("value", r.Label)
	}
	r.Chosen = value
	return nil
}

// found is the choice of the reference's own value, or of its name.
func found(r *Reference) string {
	for _, c := range r.Choices {
		if c.Label == r.Label && r.Label != r.Ref.Value {
			return c.Value
		}
	}
	for _, c := range r.Choices {
		if c.Value == r.Ref.Value {
			return c.Value
		}
	}
	return ""
}

// findWorkflow looks for a workflow by its code, or by the name that stands for it.
func (w *world) findWorkflow(ctx context.Context, r *Reference) error {
	code, err := strconv.ParseInt(r.Ref.Value, 10, 64)
	if err != nil {
		return ErrChoice.With("value", r.Label)
	}
	var there workflow.Workflow
	if name := w.bundle.Names[r.Ref]; name != "" {
		there, err = w.named(ctx, name)
	} else {
		there, err = w.svc.Workflows.Get(ctx, code)
	}
	if hidden(err) {
		return nil
	}
	if err == nil && there.Code != 0 {
		r.Found, r.Label = number(there.Code), there.Name
	}
	return err
}

// hidden reports whether an error says that something is not there for whoever acts.
func hidden(err error) bool {
	kind := fault.KindOf(err)
	return err != nil && (kind == fault.NotFound || kind == fault.Forbidden)
}

// named finds "project/workflow", or a workflow of the project by its name alone.
func (w *world) named(ctx context.Context, name string) (workflow.Workflow, error) {
	in, rest, two := strings.Cut(name, "/")
	if !two {
		return w.svc.Workflows.ByName(ctx, w.project, name)
	}
	projects, err := w.svc.Projects.All(ctx)
	if err != nil {
		return workflow.Workflow{}, err
	}
	for _, p := range projects {
		if p.Name == in {
			return w.svc.Workflows.ByName(ctx, p.Code, rest)
		}
	}
	return w.svc.Workflows.ByName(ctx, w.project, rest)
}

// findTask looks for a task of a workflow that is not in the file: by its code, or by the name that stands for it.
func (w *world) findTask(ctx context.Context, r *Reference, mapping map[string]string) error {
	homeValue, task, _ := strings.Cut(r.Ref.Value, "/")
	home := neutral.Ref{Kind: neutral.WorkflowRef, Value: homeValue}
	if name := w.bundle.Names[neutral.Ref{Kind: neutral.Task, Value: task}]; name != "" {
		r.Label = name
	}
	target := ""
	if h := w.refs[home]; h != nil {
		target = h.Chosen
	}
	if chosen, said := mapping[home.Key()]; said {
		target = chosen
	}
	code, err := strconv.ParseInt(target, 10, 64)
	if err != nil {
		return nil //nolint:nilerr // the workflow is open: so is its task
	}
	all, err := w.svc.Workflows.TaskNames(ctx, code)
	if err != nil {
		return err
	}
	last := r.Label[strings.LastIndex(r.Label, "/")+1:]
	r.Choices = []Choice{}
	for _, t := range all {
		r.Choices = append(r.Choices, Choice{number(t.Code), t.Name})
		if number(t.Code) == task || t.Name == last && r.Label != r.Ref.Value {
			r.Found, r.Label = number(t.Code), t.Name
		}
	}
	return nil
}

// chosen is what a reference leads to, ok false when the bundle does not have it as one.
func (w *world) chosen(kind neutral.Kind, value string) (string, bool) {
	r := w.refs[neutral.Ref{Kind: kind, Value: value}]
	if r == nil {
		return "", false
	}
	return r.Chosen, true
}

func parse(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// links lists the workflows of the bundle that a workflow of it names, and whether it starts them.
func (w *world) links(i int) map[int]bool {
	if known, ok := w.linked[i]; ok {
		return known
	}
	out := map[int]bool{}
	w.linked[i] = out
	d := w.bundle.Workflows[i].Definition
	for k := range d.Tasks {
		kind := flow.KindOf(d.Tasks[k].Type)
		if !kind.Children() && kind != flow.KindDependent {
			continue
		}
		neutral.Rewrite(d.Tasks[k].Params, func(p neutral.Place, n int64) int64 {
			if at, in := w.inside[n]; in && meaning(kind, p.Key) == neutral.WorkflowRef {
				out[at] = out[at] || kind.Children()
			}
			return n
		}, nil)
	}
	return out
}

// rewritten puts the codes of this side into the settings of a task.
func (w *world) rewritten(t *flow.Task, own map[int64]int64, codes codes) json.RawMessage {
	kind := flow.KindOf(t.Type)
	return neutral.Rewrite(t.Params, func(p neutral.Place, n int64) int64 {
		if n <= 0 {
			return n
		}
		switch meaning(kind, p.Key) {
		case neutral.WorkflowRef:
			return codes.workflow(w, n)
		case neutral.Project:
			return codes.project(w, n, p.Object["definitionCode"])
		case neutral.Task:
			if kind != flow.KindDependent {
				if code := own[n]; code != 0 {
					return code
				}
				return n
			}
			return codes.task(w, p.Object["definitionCode"], n)
		case neutral.DataSource:
			if to, ok := w.chosen(neutral.DataSource, number(n)); ok && parse(to) > 0 {
				return parse(to)
			}
		case neutral.Environment, neutral.WorkerGroup, neutral.Tenant, neutral.TaskGroup, neutral.AlertGroup, neutral.Resource:
		}
		return n
	}, func(p neutral.Place, text string) string {
		if kind == flow.KindPhysical && (p.Key == "resourceName" || p.Key == "res") {
			if to, ok := w.chosen(neutral.Resource, text); ok && to != "" {
				return to
			}
		}
		return text
	})
}
