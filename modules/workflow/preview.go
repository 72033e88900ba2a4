package workflow

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/flow"
	"dorado/modules/flow/expr"
	"dorado/modules/flow/timeexpr"
	"dorado/modules/flow/window"
)

// Preview says what parameters would be in a run, without running anything.
type Preview struct {
	Params []PreviewParam
	// Texts are the asked ones, with parameters and times put in.
	Texts []string
	// Branches say of a SWITCH task, case by case, what its condition would be.
	Branches []PreviewBranch
	// Dates say of a DEPENDENT task, item by item, which runs it would look for.
	Dates []PreviewDates
}

// PreviewBranch is a condition with its parameters put in. The first that holds is taken.
type PreviewBranch struct {
	Text  string `json:"text"`
	Holds bool   `json:"holds"`
	Error string `json:"error,omitempty"` // why it cannot be evaluated, and so does not hold
}

// PreviewDates are the windows in which an item of a DEPENDENT task looks for runs: one run is needed in each.
type PreviewDates struct {
	Group int       `json:"group"` // from 0
	Row   int       `json:"row"`   // from 0
	From  time.Time `json:"from"`
	Until time.Time `json:"until"` // does not belong to it
	Count int       `json:"count"`
}

// PreviewRequest asks for a preview.
type PreviewRequest struct {
	Task    int64             // code; 0 for the workflow's own parameters
	Base    time.Time         // schedule time, in the zone of the run
	Texts   []string          // to be filled in
	Samples map[string]string // values for parameters that only an earlier task knows, or in place of others
}

// PreviewParam is one parameter of the run. A value that only an earlier task knows is Later; its Value is empty then.
type PreviewParam struct {
	Name  string     `json:"name"`
	Value string     `json:"value"`
	Level flow.Level `json:"level"`
	From  string     `json:"from,omitempty"` // the task that gives it
	Later bool       `json:"later,omitempty"`
	kind  flow.ParamType
}

// PreviewAt resolves the parameters of a task of a definition as a run would that is scheduled for r.Base, and shows what
// becomes of its settings. It returns ErrPreview when an expression is wrong.
func (s *Service) PreviewAt(ctx context.Context, projectCode int64, def *flow.Definition, r PreviewRequest) (Preview, error) {
	in, err := s.Projects.Require(ctx, projectCode, Read)
	if err != nil {
		return Preview{}, err
	}
	builtin := flow.BuiltinInput{Base: r.Base, WorkflowName: def.Name, WorkflowCode: def.Code, ProjectName: in.Name, ProjectCode: in.Code}
	sources := flow.ParamSources{Base: r.Base, Scheduled: true}
	for name, value := range r.Samples {
		sources.Startup = append(sources.Startup, flow.Property{Prop: name, Value: value})
	}
	if sources.Project, err = s.Projects.Properties(ctx, projectCode); err != nil {
		return Preview{}, err
	}
	if sources.Global, err = flow.Cure(def.GlobalParams, nil, r.Base); err != nil {
		return Preview{}, ErrPreview.With("reason", reason(err)).Because(err)
	}
	var task *flow.Task
	var later []PreviewParam
	if at := slices.IndexFunc(def.Tasks, func(t flow.Task) bool { return t.Code == r.Task }); at >= 0 {
		task = &def.Tasks[at]
		builtin.TaskName, builtin.TaskCode = task.Name, task.Code
		sources.Local = localParams(task)
		later = laterParams(def, task.Code)
	}
	sources.Builtin = flow.Builtins(builtin)
	resolved, err := flow.Resolve(sources)
	if err != nil {
		return Preview{}, ErrPreview.With("reason", reason(err)).Because(err)
	}
	out := Preview{Params: []PreviewParam{}, Texts: make([]string, len(r.Texts))}
	own := map[string]bool{}
	types := map[string]flow.ParamType{}
	for _, p := range resolved.List {
		own[p.Prop] = p.Source.Level == flow.LevelLocal || p.Source.Level == flow.LevelStartup
		types[p.Prop] = p.Type
		out.Params = append(out.Params, PreviewParam{Name: p.Prop, Value: p.Value, Level: p.Source.Level})
	}
	for _, p := range later {
		if own[p.Name] {
			types[p.Name] = cmp.Or(p.kind, types[p.Name])
			continue // the task's own value wins, and one given as a sample stands for it
		}
		out.Params = slices.DeleteFunc(out.Params, func(o PreviewParam) bool { return o.Name == p.Name })
		delete(resolved.Values, p.Name) // stays as it is written
		out.Params = append(out.Params, p)
	}
	for i, text := range r.Texts {
		if out.Texts[i], err = flow.Expand(text, resolved.Values, r.Base); err != nil {
			return Preview{}, ErrPreview.With("reason", reason(err)).Because(err)
		}
	}
	if task != nil {
		out.Branches = branches(task, resolved.Values, types)
		out.Dates = dates(task, r.Base)
	}
	return out, nil
}

// branches evaluates the conditions of a SWITCH task.
func branches(t *flow.Task, values map[string]string, types map[string]flow.ParamType) []PreviewBranch {
	if flow.KindOf(t.Type) != flow.KindSwitch {
		return nil
	}
	settings, err := flow.DecodeSwitch(t.Params)
	if err != nil {
		return nil
	}
	lookup := func(name string) (expr.Param, bool) {
		value, known := values[name]
		return expr.Param{Text: value, Bare: types[name].Bare()}, known
	}
	out := make([]PreviewBranch, len(settings.Cases))
	for i, c := range settings.Cases {
		holds, err := expr.Holds(c.Condition, lookup)
		out[i] = PreviewBranch{Text: expr.Show(c.Condition, lookup), Holds: holds}
		if err != nil {
			out[i].Error = err.Error()
		}
	}
	return out
}

// dates lists the windows of a DEPENDENT task.
func dates(t *flow.Task, base time.Time) []PreviewDates {
	if flow.KindOf(t.Type) != flow.KindDependent {
		return nil
	}
	settings, err := flow.DecodeDependent(t.Params)
	if err != nil {
		return nil
	}
	var out []PreviewDates
	for g, group := range settings.Groups {
		for i, item := range group.Items {
			if all := window.Of(item.DateValue, base); len(all) > 0 {
				out = append(out, PreviewDates{Group: g, Row: i, From: all[0].From, Until: all[len(all)-1].Until, Count: len(all)})
			}
		}
	}
	return out
}

// reason is what is wrong with an expression, in the words of the package that reads it.
func reason(err error) string {
	if wrong, ok := errors.AsType[*timeexpr.Error](err); ok {
		return wrong.Error()
	}
	return err.Error()
}

// laterParams lists what the tasks before one declare to give it, nearest first of those with the same name.
func laterParams(def *flow.Definition, task int64) []PreviewParam {
	before := make(map[int64][]int64, len(def.Edges))
	for _, e := range def.Edges {
		before[e.Post] = append(before[e.Post], e.Pre)
	}
	byCode := make(map[int64]*flow.Task, len(def.Tasks))
	for i := range def.Tasks {
		byCode[def.Tasks[i].Code] = &def.Tasks[i]
	}
	var all []PreviewParam
	named, seen := map[string]bool{}, map[int64]bool{task: true}
	for level := before[task]; len(level) > 0; {
		var next []int64
		for _, code := range level {
			t := byCode[code]
			if t == nil || seen[code] {
				continue
			}
			seen[code] = true
			for _, p := range localParams(t) {
				if p.Direct == flow.Out && p.Prop != "" && !named[p.Prop] {
					named[p.Prop] = true
					all = append(all, PreviewParam{Name: p.Prop, Level: flow.LevelUpstream, From: t.Name, Later: true, kind: p.Type})
				}
			}
			next = append(next, before[code]...)
		}
		level = next
	}
	return all
}

// localParams reads the parameters that a task declares; those of broken settings are none.
func localParams(t *flow.Task) []flow.Property {
	var members struct {
		LocalParams json.RawMessage `json:"localParams"`
	}
	if json.Unmarshal(t.Params, &members) != nil {
		return nil
	}
	params, err := flow.DecodeProperties(string(members.LocalParams))
	if err != nil {
		return nil
	}
	return params
}

// previewTime reads the time of a preview: a local time in a zone, now for "".
func (s *Service) previewTime(text, zone string) (time.Time, error) {
	if zone == "" {
		zone = "UTC"
	}
	place, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return time.Time{}, ErrMalformed.With("value", zone)
	}
	if text == "" {
		return db.Cut(s.Now()).In(place), nil
	}
	for _, form := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if at, err := time.ParseInLocation(form, text, place); err == nil {
			return at, nil
		}
	}
	return time.Time{}, ErrMalformed.With("value", text)
}
