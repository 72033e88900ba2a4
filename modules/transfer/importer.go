package transfer

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/audit"
	"dorado/modules/flow"
	"dorado/modules/schedule"
	"dorado/modules/transfer/neutral"
	"dorado/modules/workflow"
)

// Import saves the workflows of a bundle with their schedules, offline, all of them or none. It returns ErrNothing,
// ErrBlocked, ErrChoice, and what saving workflows returns.
func (s *Service) Import(ctx context.Context, project int64, b *neutral.Bundle, c Choices) (*Result, error) {
	w, items, err := s.look(ctx, project, b, c)
	if err != nil {
		return nil, err
	}
	if c.Stamped {
		for _, i := range items {
			if i.Blocked {
				return nil, ErrBlocked.With("name", i.Name, "reason", strings.Join(append(i.Problems, w.broken(ctx, i.Index)...), "; "))
			}
		}
	}
	if !w.preview(items).Ready() {
		return nil, ErrNothing
	}
	out := &Result{Items: make([]Done, len(items))}
	for i := range items {
		out.Items[i].Item = items[i]
	}
	order, _ := w.sorted(items)
	// Schedules are judged before anything is written: one that is refused must not take the rest with it.
	timings := make([][]schedule.Draft, len(items))
	for _, i := range order {
		if timings[i], err = w.drafts(ctx, i); err != nil {
			return nil, err
		}
	}
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		codes, err := w.assign(ctx, items, c.KeepCodes)
		if err != nil {
			return err
		}
		made := map[int64]bool{} // codes in the bundle of what is there by now
		for i := range items {
			if items[i].Existing.Code != 0 && (items[i].Action == Skip || items[i].Action == Version || items[i].Blocked) {
				made[b.Workflows[i].Definition.Code] = true
			}
		}
		var late []int
		for _, i := range order {
			early, err := w.save(ctx, &out.Items[i], codes, made, c.Stamped)
			if err != nil {
				return err
			}
			if early {
				late = append(late, i)
			}
			made[b.Workflows[i].Definition.Code] = true
			if err := w.schedule(ctx, &out.Items[i], timings[i]); err != nil {
				return err
			}
		}
		for _, i := range late {
			if err := w.complete(ctx, &out.Items[i], codes, c.Stamped); err != nil {
				return err
			}
		}
		return w.record(ctx, out)
	})
	if err != nil {
		return nil, err
	}
	out.Notes = b.Notes
	return out, nil
}

// broken are the notes that keep a workflow from being imported.
func (w *world) broken(ctx context.Context, i int) []string {
	var out []string
	for _, n := range w.bundle.Notes {
		if n.Level == neutral.Impossible && n.Workflow == w.bundle.Workflows[i].Name() && w.bundle.Workflows[i].Broken {
			out = append(out, i18n.T(ctx, n.Key, n.Args...))
		}
	}
	return out
}

func (w *world) record(ctx context.Context, r *Result) error {
	names := []string{}
	for _, d := range r.Items {
		if d.Workflow.Code != 0 && len(names) < maxNamed {
			names = append(names, d.Workflow.Name)
		}
	}
	return w.svc.Audit.Record(ctx, audit.Entry{
		Action: "workflow.import", ObjectType: "workflow", ObjectID: number(w.project), ObjectName: strings.Join(names, ", "), ProjectCode: w.project,
		Detail: map[string]any{"format": w.bundle.Format, "count": len(r.Items), "names": names},
	})
}

// maxNamed is how many workflows an audit entry names.
const maxNamed = 20

// save writes one workflow. early says that it waits for one that is not there yet: it waits for itself until then.
func (w *world) save(ctx context.Context, d *Done, c codes, made map[int64]bool, verbatim bool) (early bool, err error) {
	wf := &w.bundle.Workflows[d.Index]
	def := w.definition(d.Index, c, verbatim)
	def.Name = d.As
	for k := range def.Tasks {
		if flow.KindOf(def.Tasks[k].Type) != flow.KindDependent {
			continue
		}
		def.Tasks[k].Params = neutral.Rewrite(def.Tasks[k].Params, func(p neutral.Place, n int64) int64 {
			home := p.Object["definitionCode"]
			old := int64(0)
			for from, to := range c.workflows {
				if to == home {
					old = from
				}
			}
			if old == 0 || made[old] || home == def.Code {
				return n
			}
			early = true
			switch p.Key {
			case "definitionCode":
				return def.Code
			case "depTaskCode":
				return 0
			}
			return n
		}, nil)
	}
	change := workflow.Change{Definition: def, BaseVersion: workflow.AnyVersion, Message: message(ctx, w.bundle, wf), Source: wf.Text}
	var saved workflow.Saved
	if d.Action == Version {
		saved, err = w.svc.Workflows.Update(ctx, d.Existing.Code, change)
	} else {
		saved, err = w.svc.Workflows.Create(ctx, w.project, change)
	}
	if err != nil {
		return early, named(d.Name, err)
	}
	d.Workflow = saved.Workflow
	return early, nil
}

// complete saves what was saved too early as it should be.
func (w *world) complete(ctx context.Context, d *Done, c codes, verbatim bool) error {
	def := w.definition(d.Index, c, verbatim)
	def.Name = d.As
	saved, err := w.svc.Workflows.Update(ctx, def.Code, workflow.Change{
		Definition: def, BaseVersion: workflow.AnyVersion, Message: message(ctx, w.bundle, &w.bundle.Workflows[d.Index]),
	})
	if err != nil {
		return named(d.Name, err)
	}
	d.Workflow = saved.Workflow
	return nil
}

// named says which workflow a refusal is about.
func named(name string, err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind != fault.Internal && len(f.Fields) == 0 {
		return f.OnField(name, f.Key, pairs(f.Args)...)
	}
	return err
}

func pairs(args map[string]any) []any {
	out := make([]any, 0, 2*len(args))
	for name, value := range args {
		out = append(out, name, value)
	}
	return out
}

func message(ctx context.Context, b *neutral.Bundle, wf *neutral.Workflow) string {
	return i18n.T(ctx, "transfer.message", "file", wf.File, "format", i18n.T(ctx, "transfer.format."+string(b.Format)))
}

// drafts are the schedules of a workflow as they are made here. What cannot be made stands in the report.
func (w *world) drafts(ctx context.Context, i int) ([]schedule.Draft, error) {
	wf := &w.bundle.Workflows[i]
	var out []schedule.Draft
	for _, s := range wf.Schedules {
		d := w.draft(ctx, s)
		err := w.svc.Schedules.Check(ctx, w.project, d)
		if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.Invalid {
			reason := web.Message(ctx, err)
			for _, field := range f.Fields {
				reason = i18n.T(ctx, field.Key, field.Pairs()...)
			}
			w.bundle.Note(neutral.Note{
				Level: neutral.Impossible, File: wf.File, Workflow: wf.Name(), Key: "transfer.note.schedule_refused",
				Args: []any{"text", s.Crontab, "reason", reason},
			})
			continue
		}
		if err != nil {
			return nil, err
		}
		if out = append(out, d); len(out) == schedule.MaxPerWorkflow {
			break
		}
	}
	return out, nil
}

// endless is how many years a schedule without an end lasts, as DolphinScheduler's forms have it.
const endless = 100

func (w *world) draft(ctx context.Context, s neutral.Schedule) schedule.Draft {
	d := schedule.Draft{
		Name: neutral.CleanName(s.Name, 100), Start: s.Start, End: s.End, TimeZone: s.Zone, Crontab: s.Crontab,
		Misfire: schedule.MisfirePolicy(s.Misfire), CalendarID: s.Calendar, CalendarPolicy: schedule.CalendarPolicy(s.CalendarPolicy), DoneBy: s.DoneBy,
		FailureStrategy: flow.FailureStrategy(s.FailureStrategy), WarningType: flow.WarningType(s.WarningType), WarningGroupID: s.WarningGroup,
		Priority: flow.Priority(s.Priority), WorkerGroup: s.WorkerGroup, TenantCode: s.Tenant, EnvironmentCode: s.Environment, StartParams: s.StartParams,
	}
	if d.TimeZone == "" {
		d.TimeZone = i18n.Zone(ctx).String()
	}
	if d.TimeZone == "Local" || d.TimeZone == "" {
		d.TimeZone = "UTC"
	}
	zone, err := time.LoadLocation(d.TimeZone)
	if err != nil {
		zone = time.UTC // the check says what is wrong
	}
	today := w.svc.Now().In(zone)
	if d.Start == "" {
		d.Start = today.Format(time.DateOnly) + " 00:00:00"
	}
	if d.End == "" {
		d.End = strconv.Itoa(today.Year()+endless) + "-01-01 00:00:00"
	}
	if to, ok := w.chosen(neutral.Tenant, s.Tenant); ok {
		d.TenantCode = to
	}
	if to, ok := w.chosen(neutral.WorkerGroup, s.WorkerGroup); ok {
		d.WorkerGroup = to
	}
	if to, ok := w.chosen(neutral.Environment, number(s.Environment)); ok {
		d.EnvironmentCode = parse(to)
	}
	if to, ok := w.chosen(neutral.AlertGroup, number(s.WarningGroup)); ok {
		d.WarningGroupID = parse(to)
	}
	if d.WarningGroupID <= 0 {
		d.WarningType, d.WarningGroupID = flow.WarningNone, 0
	}
	return d
}

// schedule adds the schedules of a workflow. One that has some keeps them.
func (w *world) schedule(ctx context.Context, d *Done, drafts []schedule.Draft) error {
	if len(drafts) == 0 {
		return nil
	}
	if d.Action == Version {
		has, err := w.svc.Schedules.OfWorkflow(ctx, w.project, d.Workflow.Code)
		if err != nil {
			return err
		}
		if d.Kept = len(has) > 0; d.Kept {
			return nil
		}
	}
	for _, draft := range drafts {
		if _, err := w.svc.Schedules.Import(ctx, w.project, d.Workflow.Code, draft); err != nil {
			return named(d.Name, err)
		}
		d.Scheduled++
	}
	return nil
}
