package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/flow"
	"dorado/modules/flow/timeexpr"
)

// Preview says what parameters would be in a run, without running anything.
type Preview struct {
	Params []PreviewParam
	// Texts are the asked ones, with parameters and times put in.
	Texts []string
}

// PreviewParam is one parameter of the run. A value that only an earlier task knows is Later; its Value is empty then.
type PreviewParam struct {
	Name  string     `json:"name"`
	Value string     `json:"value"`
	Level flow.Level `json:"level"`
	From  string     `json:"from,omitempty"` // the task that gives it
	Later bool       `json:"later,omitempty"`
}

// PreviewAt resolves the parameters of a task of a definition, or of the workflow when task is 0, as a run scheduled for
// base would, in the zone of base, and puts them into the texts. It returns ErrPreview when an expression is wrong.
func (s *Service) PreviewAt(ctx context.Context, projectCode int64, def *flow.Definition, task int64, base time.Time, texts []string) (Preview, error) {
	in, err := s.Projects.Require(ctx, projectCode, Read)
	if err != nil {
		return Preview{}, err
	}
	sources := flow.ParamSources{Base: base, Scheduled: true, Builtin: flow.Builtins(flow.BuiltinInput{
		Base: base, WorkflowName: def.Name, WorkflowCode: def.Code, ProjectName: in.Name, ProjectCode: in.Code,
	})}
	if sources.Project, err = s.Projects.Properties(ctx, projectCode); err != nil {
		return Preview{}, err
	}
	if sources.Global, err = flow.Cure(def.GlobalParams, nil, base); err != nil {
		return Preview{}, ErrPreview.With("reason", err.Error()).Because(err)
	}
	var later []PreviewParam
	if at := slices.IndexFunc(def.Tasks, func(t flow.Task) bool { return t.Code == task }); at >= 0 {
		t := &def.Tasks[at]
		sources.Builtin = flow.Builtins(flow.BuiltinInput{
			Base: base, TaskName: t.Name, TaskCode: t.Code, WorkflowName: def.Name, WorkflowCode: def.Code, ProjectName: in.Name, ProjectCode: in.Code,
		})
		sources.Local = localParams(t)
		later = laterParams(def, t.Code)
	}
	resolved, err := flow.Resolve(sources)
	if err != nil {
		return Preview{}, ErrPreview.With("reason", reason(err)).Because(err)
	}
	out := Preview{Params: []PreviewParam{}, Texts: make([]string, len(texts))}
	local := map[string]bool{}
	for _, p := range resolved.List {
		local[p.Prop] = p.Source.Level == flow.LevelLocal
		out.Params = append(out.Params, PreviewParam{Name: p.Prop, Value: p.Value, Level: p.Source.Level})
	}
	for _, p := range later {
		if local[p.Name] {
			continue // the task's own value wins
		}
		out.Params = slices.DeleteFunc(out.Params, func(o PreviewParam) bool { return o.Name == p.Name })
		delete(resolved.Values, p.Name) // stays as it is written
		out.Params = append(out.Params, p)
	}
	for i, text := range texts {
		if out.Texts[i], err = flow.Expand(text, resolved.Values, base); err != nil {
			return Preview{}, ErrPreview.With("reason", reason(err)).Because(err)
		}
	}
	return out, nil
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
					all = append(all, PreviewParam{Name: p.Prop, Level: flow.LevelUpstream, From: t.Name, Later: true})
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
