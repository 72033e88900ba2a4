package schedule

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"dorado/app/kit/fault"
	"dorado/modules/flow"
	"dorado/modules/flow/text"
	"dorado/modules/security/tenant"
	"dorado/modules/workflow"
)

var _ workflow.Schedules = (*Service)(nil)

// SetLookup hands in the names of environments, calendars and alert groups, for texts. It must not be called once requests are
// served; without it texts have numbers.
func (s *Service) SetLookup(l workflow.Lookup) { s.lookup = l }

// Timers are the schedules of a workflow as a text says them; nil for those who may not read them. One without a name is called
// by its expression, and of several that are called the same all but the first by their number, too.
func (s *Service) Timers(ctx context.Context, project, code int64) ([]text.Timer, error) {
	if code == 0 || !s.Projects.CanWorkflow(ctx, project, code, Read) {
		return nil, nil
	}
	list, err := s.store.ofWorkflow(ctx, code)
	if err != nil {
		return nil, err
	}
	out := make([]text.Timer, 0, len(list))
	for i, name := range keys(list) {
		t, err := s.timer(ctx, &list[i], name)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// keys are what a text calls schedules.
func keys(list []Schedule) []string {
	seen := map[string]bool{}
	out := make([]string, len(list))
	for i := range list {
		out[i] = list[i].Label()
		if seen[out[i]] {
			out[i] += " #" + strconv.FormatInt(list[i].ID, 10)
		}
		seen[out[i]] = true
	}
	return out
}

func (s *Service) timer(ctx context.Context, r *Schedule, name string) (text.Timer, error) {
	d := r.Draft()
	t := text.Timer{
		Name: name, Cron: d.Crontab, Zone: d.TimeZone, Start: d.Start, End: d.End, Online: r.Online() || r.WishOnline, Missed: unless(d.Misfire, FireAllMissed),
		CalendarPolicy: unless(d.CalendarPolicy, Skip), DoneBy: d.DoneBy, Failure: unless(d.FailureStrategy, flow.FailureContinue),
		Warning: unless(d.WarningType, flow.WarningNone), Priority: unless(d.Priority, flow.Medium), WorkerGroup: unless(d.WorkerGroup, "default"),
		Tenant: unless(d.TenantCode, tenant.Default), Params: d.StartParams,
	}
	for _, ref := range []struct {
		into *string
		kind text.Kind
		code int64
	}{{&t.Calendar, text.Calendar, d.CalendarID}, {&t.WarningGroup, text.AlertGroup, d.WarningGroupID}, {&t.Environment, text.Environment, d.EnvironmentCode}} {
		if ref.code <= 0 {
			continue
		}
		found, err := "", error(nil)
		if s.lookup != nil {
			found, err = s.lookup.Name(ctx, ref.kind, ref.code)
		}
		if err != nil {
			return t, err
		}
		*ref.into = cmp.Or(found, strconv.FormatInt(ref.code, 10))
	}
	return t, nil
}

// unless is a value as text, "" when it is the default.
func unless[T ~string](value, standard T) string {
	if value == standard {
		return ""
	}
	return string(value)
}

// draft is what a text says of a schedule. problems are names that mean nothing.
func (s *Service) draft(ctx context.Context, t *text.Timer) (Draft, []workflow.TimerProblem, error) {
	d := Draft{
		Start: t.Start, End: t.End, TimeZone: t.Zone, Crontab: t.Cron, Misfire: MisfirePolicy(t.Missed), CalendarPolicy: CalendarPolicy(t.CalendarPolicy),
		DoneBy: t.DoneBy, FailureStrategy: flow.FailureStrategy(t.Failure), WarningType: flow.WarningType(t.Warning), Priority: flow.Priority(t.Priority),
		WorkerGroup: t.WorkerGroup, TenantCode: t.Tenant, StartParams: t.Params,
	}
	if t.Name != t.Cron {
		d.Name = t.Name
	}
	var problems []workflow.TimerProblem
	for _, ref := range []struct {
		name, field string
		kind        text.Kind
		into        *int64
	}{
		{t.Calendar, "calendar", text.Calendar, &d.CalendarID},
		{t.WarningGroup, "warning_group", text.AlertGroup, &d.WarningGroupID},
		{t.Environment, "environment", text.Environment, &d.EnvironmentCode},
	} {
		if ref.name == "" {
			continue
		}
		if s.lookup != nil {
			var err error
			if *ref.into, err = s.lookup.Code(ctx, ref.kind, ref.name); err != nil {
				return d, nil, err
			}
		}
		if *ref.into == 0 {
			*ref.into, _ = strconv.ParseInt(ref.name, 10, 64) // no number: 0
		}
		if *ref.into <= 0 {
			problems = append(problems, workflow.TimerProblem{Name: t.Name, Field: ref.field, Key: "yaml.problem.unknown_reference", Args: []any{"name", ref.name}})
		}
	}
	return d, problems, nil
}

// CheckTimers says what is wrong with schedules of a text. It returns project.ErrNoGrant to those who may not edit any.
func (s *Service) CheckTimers(ctx context.Context, project, code int64, timers []text.Timer) ([]workflow.TimerProblem, error) {
	if err := s.mayEdit(ctx, project, code); err != nil {
		return nil, err
	}
	var out []workflow.TimerProblem
	if len(timers) > MaxPerWorkflow {
		out = append(out, workflow.TimerProblem{Name: timers[MaxPerWorkflow].Name, Key: ErrTooMany.Key, Args: []any{"max", MaxPerWorkflow}})
	}
	for i := range timers {
		d, problems, err := s.draft(ctx, &timers[i])
		if err != nil {
			return nil, err
		}
		out = append(out, problems...)
		if _, err = s.check(ctx, d); err == nil {
			continue
		}
		f := fault.From(err)
		if len(f.Fields) == 0 {
			return nil, err
		}
		for _, field := range f.Fields {
			if slices.ContainsFunc(problems, func(p workflow.TimerProblem) bool { return p.Field == field.Name }) {
				continue
			}
			out = append(out, workflow.TimerProblem{Name: timers[i].Name, Field: field.Name, Key: field.Key, Args: field.Pairs()})
		}
	}
	return out, nil
}

func (s *Service) mayEdit(ctx context.Context, project, code int64) error {
	if code == 0 {
		_, err := s.Projects.Require(ctx, project, Edit)
		return err
	}
	_, err := s.Projects.RequireWorkflow(ctx, project, code, Edit)
	return err
}

// SetTimers makes these, and no others, the schedules of a workflow: what is new is created, what differs is changed, what is
// missing is deleted. One that is not said to be online is offline then; one that is waits for its workflow when that is
// offline. Besides what CheckTimers finds it returns what Online, Offline and Delete return.
func (s *Service) SetTimers(ctx context.Context, project, code int64, timers []text.Timer) (bool, error) {
	if err := s.mayEdit(ctx, project, code); err != nil {
		return false, err
	}
	changed := false
	err := s.DB.InTx(ctx, func(ctx context.Context) error {
		home, _, err := s.store.workflowState(ctx, project, code)
		if err != nil {
			return err
		}
		list, err := s.store.ofWorkflow(ctx, code)
		if err != nil {
			return err
		}
		there := map[string]*Schedule{}
		for i, name := range keys(list) {
			there[name] = &list[i]
		}
		for i := range timers {
			did, err := s.setTimer(ctx, project, code, &timers[i], there[timers[i].Name], home)
			if err != nil {
				return err
			}
			changed = changed || did
			delete(there, timers[i].Name)
		}
		for i := range list { // in their order, so that the same text always does the same
			r := &list[i]
			if there[keys(list)[i]] == nil {
				continue
			}
			changed = true
			if r.Online() {
				if _, err := s.Offline(ctx, project, r.ID); err != nil {
					return err
				}
			}
			if err := s.Delete(ctx, project, r.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return changed, err
}

// setTimer makes one schedule what a text says; old is nil when there is none yet.
func (s *Service) setTimer(ctx context.Context, project, code int64, t *text.Timer, old *Schedule, home flow.ReleaseState) (bool, error) {
	d, problems, err := s.draft(ctx, t)
	if err != nil {
		return false, err
	}
	if len(problems) > 0 {
		return false, ErrNotFound.With("id", problems[0].Args[1])
	}
	var r Schedule
	if old == nil {
		if r, err = s.Import(ctx, project, code, d); err != nil {
			return false, err
		}
	} else {
		now, err := s.timer(ctx, old, t.Name)
		if err != nil {
			return false, err
		}
		if text.SameTimers([]text.Timer{now}, []text.Timer{*t}) {
			return false, nil
		}
		r, d.Name = *old, cmp.Or(old.Name, d.Name)
		meant := now
		meant.Online = t.Online
		if !text.SameTimers([]text.Timer{meant}, []text.Timer{*t}) {
			if r.Online() {
				if r, err = s.Offline(ctx, project, r.ID); err != nil {
					return false, err
				}
			}
			if r, err = s.Update(ctx, project, r.ID, d, AnyRevision); err != nil {
				return false, err
			}
		}
	}
	return true, s.setState(ctx, &r, t.Online, home)
}

// setState puts a schedule online or offline; with an offline workflow it waits for that.
func (s *Service) setState(ctx context.Context, r *Schedule, online bool, home flow.ReleaseState) error {
	switch {
	case !online && (r.Online() || r.WishOnline):
		_, err := s.Offline(ctx, r.ProjectCode, r.ID)
		return err
	case !online || r.Online():
		return nil
	case home == flow.Online:
		_, err := s.Online(ctx, r.ProjectCode, r.ID)
		return err
	}
	if _, err := s.found(ctx, r.ProjectCode, r.ID, Release); err != nil {
		return err
	}
	return s.release(ctx, r, flow.Offline, true, map[string]any{"with": "workflow", "workflow": r.WorkflowCode, "crontab": r.Crontab, "timeZone": r.TimeZone})
}
