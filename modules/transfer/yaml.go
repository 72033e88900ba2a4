package transfer

import (
	"encoding/json"
	"strconv"
	"strings"

	flowtext "dorado/modules/flow/text"
	"dorado/modules/transfer/neutral"
)

// readTexts reads the workflows of b that are texts of ours. They call others by name: those of the same bundle get their
// codes, all else a number that stands for the name until the service knows better.
func readTexts(b *neutral.Bundle) {
	r := texts{bundle: b, codes: map[string]int64{}, tasks: map[string]int64{}, standIns: map[neutral.Ref]int64{}}
	var mine []int
	for i := range b.Workflows {
		if w := &b.Workflows[i]; w.Definition == nil && w.Text != "" {
			mine = append(mine, i)
			if name := flowtext.NameOf([]byte(w.Text)); name != "" && r.codes[name] == 0 {
				r.codes[name] = b.NewCode()
			}
		}
	}
	for _, i := range mine {
		r.read(&b.Workflows[i])
	}
	for _, i := range mine {
		if d := b.Workflows[i].Definition; d != nil {
			for k := range d.Tasks {
				d.Tasks[k].Params = r.linked(d.Tasks[k].Params)
			}
		}
	}
}

// texts resolves names for the texts of one bundle.
type texts struct {
	bundle   *neutral.Bundle
	codes    map[string]int64 // of workflows in the bundle, by name
	tasks    map[string]int64 // of their tasks, by "workflow/task"
	standIns map[neutral.Ref]int64
}

// Name is never asked: nothing is written.
func (r *texts) Name(flowtext.Kind, int64) (string, bool) { return "", false }

// Code gives what a text names a number.
func (r *texts) Code(kind flowtext.Kind, name string) (int64, bool) {
	parts := strings.Split(name, "/")
	last := parts[len(parts)-1]
	switch kind {
	case flowtext.Project:
		return r.standIn(neutral.Project, name), true
	case flowtext.Workflow:
		if code := r.codes[last]; code != 0 && len(parts) == 2 {
			return code, true
		}
		return r.standIn(neutral.WorkflowRef, name), len(parts) == 2
	case flowtext.Task:
		return r.standIn(neutral.Task, name), len(parts) == 3
	case flowtext.Environment:
		return r.standIn(neutral.Environment, name), true
	case flowtext.TaskGroup:
		return r.standIn(neutral.TaskGroup, name), true
	default:
		return 0, false
	}
}

func (r *texts) standIn(kind neutral.Kind, name string) int64 {
	ref := neutral.Ref{Kind: kind, Value: name}
	if r.standIns[ref] == 0 {
		r.standIns[ref] = r.bundle.NewCode()
		r.bundle.Called(kind, r.standIns[ref], name)
	}
	return r.standIns[ref]
}

func (r *texts) read(w *neutral.Workflow) {
	doc := flowtext.Parse([]byte(w.Text), flowtext.Options{Names: r, NewCode: r.bundle.NewCode, KeepCodes: true})
	for _, p := range doc.Problems {
		w.Broken = true
		r.bundle.Note(neutral.Note{Level: neutral.Impossible, File: w.File, Line: p.Line, Workflow: flowtext.NameOf([]byte(w.Text)), Key: p.Key, Args: p.Args})
	}
	if doc.Definition == nil {
		return
	}
	w.Definition = doc.Definition
	if w.Definition.Code == 0 {
		w.Definition.Code = r.codes[w.Definition.Name]
	} else if stand := r.codes[w.Definition.Name]; stand != 0 {
		r.codes[w.Definition.Name] = w.Definition.Code
		r.standIns[neutral.Ref{Kind: neutral.WorkflowRef, Value: strconv.FormatInt(stand, 10)}] = w.Definition.Code
	}
	for i := range doc.Timers {
		w.Schedules = append(w.Schedules, r.schedule(w, &doc.Timers[i]))
	}
	for i := range w.Definition.Tasks {
		t := &w.Definition.Tasks[i]
		r.tasks[w.Definition.Name+"/"+t.Name] = t.Code
	}
}

// schedule is what a text says of a schedule.
func (r *texts) schedule(w *neutral.Workflow, t *flowtext.Timer) neutral.Schedule {
	out := neutral.Schedule{
		Name: t.Name, Start: t.Start, End: t.End, Zone: t.Zone, Crontab: t.Cron, FailureStrategy: t.Failure, WarningType: t.Warning, Priority: t.Priority,
		WorkerGroup: t.WorkerGroup, Tenant: t.Tenant, Misfire: t.Missed, CalendarPolicy: t.CalendarPolicy, DoneBy: t.DoneBy, StartParams: t.Params,
	}
	if t.Name == t.Cron {
		out.Name = ""
	}
	if t.Environment != "" {
		out.Environment = r.standIn(neutral.Environment, t.Environment)
	}
	if t.WarningGroup != "" {
		out.WarningGroup = r.standIn(neutral.AlertGroup, t.WarningGroup)
	}
	if t.Calendar != "" {
		r.bundle.Note(neutral.Note{
			Level: neutral.Changed, File: w.File, Workflow: w.Definition.Name, Key: "transfer.note.calendar_left_out", Args: []any{"schedule", t.Name, "name", t.Calendar},
		})
	}
	return out
}

// linked puts the codes in that were not known while a text was read.
func (r *texts) linked(params json.RawMessage) json.RawMessage {
	return neutral.Rewrite(params, func(p neutral.Place, n int64) int64 {
		switch p.Key {
		case "workflowDefinitionCode", "processDefinitionCode", "definitionCode":
			if code := r.standIns[neutral.Ref{Kind: neutral.WorkflowRef, Value: strconv.FormatInt(n, 10)}]; code != 0 {
				return code
			}
		case "depTaskCode":
			name := r.bundle.Names[neutral.Ref{Kind: neutral.Task, Value: strconv.FormatInt(n, 10)}]
			if _, rest, ok := strings.Cut(name, "/"); ok {
				if code := r.tasks[rest]; code != 0 {
					return code
				}
			}
		}
		return n
	}, nil)
}
