package backfill

import (
	"context"
	"slices"
	"strings"

	"dorado/modules/flow"
	"dorado/modules/flow/cron"
	"dorado/modules/instance"
	"dorado/modules/workflow"
)

// maxDependents bounds how many workflows one backfill takes along.
const maxDependents = 200

// dependents finds the workflows that are online and wait for runs of w: directly, or on all levels. Each is there once,
// whatever circle they form, with all of its DEPENDENT tasks that lead to it.
func (s *Service) dependents(ctx context.Context, w workflow.Workflow, timers []timer, r *instance.BackfillRequest) ([]instance.PlannedDependent, error) {
	var out []instance.PlannedDependent
	at := map[int64]int{w.Code: -1}
	type level struct {
		code   int64
		timers []timer
	}
	for next := []level{{w.Code, timers}}; len(next) > 0; {
		up := next[0]
		next = next[1:]
		links, err := s.store.dependents(ctx, up.code)
		if err != nil {
			return nil, err
		}
		cycle := longest(up.timers)
		for _, l := range links {
			known, seen := at[l.Code]
			if known == -1 && seen {
				continue // back at the workflow itself
			}
			task, ok := dependentTask(l, up.code, cycle, r.IgnoreCycle)
			if !ok {
				continue
			}
			if seen {
				if !slices.Contains(out[known].StartNodes, task.Code) {
					out[known].StartNodes = append(out[known].StartNodes, task.Code)
				}
				continue
			}
			if len(out) == maxDependents {
				return out, nil
			}
			at[l.Code] = len(out)
			d := instance.PlannedDependent{
				ProjectCode: l.ProjectCode, WorkflowCode: l.Code, Name: l.Name, Version: l.Version, StartNodes: []int64{task.Code},
				WorkerGroup: task.WorkerGroup,
			}
			check := instance.StartRequest{WorkflowCode: l.Code, StartNodes: d.StartNodes, WorkerGroup: d.WorkerGroup, TenantCode: r.TenantCode}
			_, _, d.Refused = s.Instances.CheckStart(ctx, l.ProjectCode, &check)
			out = append(out, d)
			if r.AllLevels {
				below, err := s.store.timers(ctx, l.Code)
				if err != nil {
					return nil, err
				}
				next = append(next, level{l.Code, below})
			}
		}
	}
	for k := range out {
		slices.Sort(out[k].StartNodes)
	}
	return out, nil
}

// dependentTask finds the DEPENDENT task that a link is about, and says whether it counts: its cycle must be that of the
// schedules it waits for, where there are any.
func dependentTask(l link, up int64, cycle cron.Cycle, ignore bool) (*flow.Task, bool) {
	def, err := flow.Unmarshal([]byte(l.Body))
	if err != nil {
		return nil, false
	}
	for k := range def.Tasks {
		t := &def.Tasks[k]
		if t.Code != l.TaskCode || t.Flag == flow.FlagNo {
			continue
		}
		if ignore || cycle == cron.CycleNone {
			return t, true
		}
		d, err := flow.DecodeDependent(t.Params)
		if err != nil {
			return nil, false
		}
		for _, g := range d.Groups {
			for _, item := range g.Items {
				if item.WorkflowCode == up && (item.Cycle == "" || strings.EqualFold(item.Cycle, string(cycle))) {
					return t, true
				}
			}
		}
	}
	return nil, false
}

// longest is the longest cycle of schedules; CycleNone without one.
func longest(timers []timer) cron.Cycle {
	order := []cron.Cycle{cron.CycleNone, cron.CycleMinute, cron.CycleHour, cron.CycleDay, cron.CycleWeek, cron.CycleMonth, cron.CycleYear}
	out := cron.CycleNone
	for _, t := range timers {
		if e, err := cron.Parse(t.Crontab); err == nil && slices.Index(order, e.Cycle()) > slices.Index(order, out) {
			out = e.Cycle()
		}
	}
	return out
}
