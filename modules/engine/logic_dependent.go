package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/engine/core"
	"dorado/modules/flow"
	"dorado/modules/flow/window"
)

// dependentWork is a DEPENDENT (engine.md 4.7). It looks when it begins and whenever a run of a workflow that it depends on
// ends; what it found good it does not look at again.
type dependentWork struct {
	spec *flow.Dependent
	base time.Time // what the windows are counted from, in the zone of the run

	checked bool // the definitions were looked for
	items   []dependentItem
	expires time.Time // when a failure that might still be mended is one; zero = never
}

// dependentItem is one dependency and what is known of it.
type dependentItem struct {
	group int
	spec  *flow.DependentItem

	result flow.DependResult
	said   string           // the last line about it
	took   []dependentValue // what it hands on
}

// dependentValue is an OUT value with the end of the attempt or run it comes from.
type dependentValue struct {
	flow.Property
	end time.Time
}

func newDependentWork(l *live, a *core.Attempt, d *flow.Dependent) *dependentWork {
	w := &dependentWork{spec: d, base: a.Start.In(l.zone)}
	if l.instance.ScheduleTime != nil {
		w.base = l.instance.ScheduleTime.In(l.zone)
	}
	for g := range d.Groups {
		for i := range d.Groups[g].Items {
			w.items = append(w.items, dependentItem{group: g, spec: &d.Groups[g].Items[i], result: flow.DependWaiting})
		}
	}
	if d.Policy == flow.DependentWaits && d.WaitingMinutes > 0 {
		w.expires = a.Start.Add(time.Duration(d.WaitingMinutes) * time.Minute)
	}
	return w
}

// workflows lists whose runs are waited for.
func (d *dependentWork) workflows() []int64 {
	var codes []int64
	for i := range d.items {
		if code := d.items[i].spec.WorkflowCode; !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	return codes
}

// step implements logicWork.
func (d *dependentWork) step(ctx context.Context, g *logic, t *logicTask, w wakeUp) (*logicEnd, error) {
	switch {
	case w.stop:
		return &logicEnd{outcome: flow.TaskKill}, nil
	case w.park:
		return &logicEnd{outcome: flow.TaskPause}, nil
	}
	if !d.checked {
		t.log("windows are counted from %s", d.base.Format(time.RFC3339))
		if !d.expires.IsZero() {
			g.e.timers.add(d.expires, message{run: t.run, poke: t.attempt})
		}
		d.checked = true
	}
	for i := range d.items {
		item := &d.items[i]
		if item.result == flow.DependSuccess {
			continue
		}
		var said string
		var err error
		if item.result, said, err = g.e.store.depends(ctx, t, item, d.base); err != nil {
			return nil, err
		}
		if said != item.said {
			item.said = said
			t.log("%s: %s", said, item.result)
		}
	}
	result := d.join()
	switch {
	case result == flow.DependSuccess:
		t.log("all that is needed is there")
		return &logicEnd{outcome: flow.TaskSuccess, out: d.values()}, nil
	case result == flow.DependWaiting:
		return nil, nil
	case d.spec.Policy == flow.DependentWaits && (d.expires.IsZero() || g.e.clock().Before(d.expires)):
		return nil, nil
	}
	t.log("what this task depends on failed")
	return &logicEnd{outcome: flow.TaskFailure, message: d.complaint()}, nil
}

// join combines the items.
func (d *dependentWork) join() flow.DependResult {
	groups := make([]flow.DependResult, len(d.spec.Groups))
	at := 0
	for g := range d.spec.Groups {
		results := make([]flow.DependResult, len(d.spec.Groups[g].Items))
		for i := range results {
			results[i] = d.items[at].result
			at++
		}
		groups[g] = d.spec.Groups[g].Relation.Join(results)
	}
	return d.spec.Relation.Join(groups)
}

// complaint names the first dependency that failed.
func (d *dependentWork) complaint() string {
	for i := range d.items {
		if d.items[i].result == flow.DependFailed {
			return d.items[i].said
		}
	}
	return "what this task depends on failed"
}

// values are the OUT values that are handed on: of equal names the one that ended first.
func (d *dependentWork) values() []flow.Property {
	best := map[string]dependentValue{}
	var names []string
	for i := range d.items {
		for _, v := range d.items[i].took {
			if old, known := best[v.Prop]; !known || v.end.Before(old.end) {
				if !known {
					names = append(names, v.Prop)
				}
				best[v.Prop] = v
			}
		}
	}
	out := make([]flow.Property, 0, len(names))
	for _, name := range names {
		p := best[name].Property
		p.Direct = flow.Out
		out = append(out, p)
	}
	return out
}

// dependRun is a run that was looked at.
type dependRun struct {
	ID      int64      `db:"id"`
	State   string     `db:"state"`
	Version int        `db:"workflow_version"`
	Param   string     `db:"command_param"`
	VarPool string     `db:"var_pool"`
	End     *time.Time `db:"end_time"`
}

// depends evaluates one dependency and says how in one line.
func (s *store) depends(ctx context.Context, t *logicTask, item *dependentItem, base time.Time) (flow.DependResult, string, error) {
	d := item.spec
	name := fmt.Sprintf("workflow %d", d.WorkflowCode)
	if d.TaskCode > 0 {
		name += fmt.Sprintf(" task %d", d.TaskCode)
	}
	name += " " + d.DateValue
	version, err := db.Get[int](ctx, s.db, `SELECT version FROM workflow_definition WHERE code = ?`, d.WorkflowCode)
	if errors.Is(err, db.ErrNoRows) {
		return flow.DependFailed, fmt.Sprintf("workflow %d does not exist", d.WorkflowCode), nil
	}
	if err != nil {
		return "", "", err
	}
	if d.TaskCode > 0 {
		p, err := s.program(ctx, d.WorkflowCode, version)
		if err != nil && !permanent(err) {
			return "", "", err
		}
		node, known := int32(0), false
		if err == nil {
			node, known = p.graph.Index[d.TaskCode]
		}
		if !known {
			return flow.DependFailed, name + ": there is no such task", nil
		}
		if p.graph.Tasks[node].Passed() {
			return flow.DependSuccess, name + ": the task is not run", nil
		}
	}
	windows := window.Of(d.DateValue, base)
	if len(windows) == 0 {
		return flow.DependFailed, name + ": no such window", nil
	}
	item.took = nil
	if d.WorkflowCode == t.workflow && (d.TaskCode == flow.AllTasks || d.TaskCode == t.code) {
		earlier, err := db.Get[int](ctx, s.db, `SELECT COUNT(*) FROM (SELECT 1 FROM workflow_instance WHERE workflow_code = ? AND id <> ? AND NOT stream LIMIT 1) AS x`, d.WorkflowCode, t.run)
		if err != nil || earlier == 0 {
			return flow.DependSuccess, name + ": this is the first run", err
		}
	}
	for _, in := range windows {
		where := fmt.Sprintf("%s [%s, %s]", name, in.From.Format(time.DateTime), in.Until.Add(-time.Second).Format(time.DateTime))
		run, err := s.dependRun(ctx, t, d, in)
		if err != nil {
			return "", "", err
		}
		if run == nil {
			return flow.DependWaiting, where + ": no run yet", nil
		}
		verdict, why, took, err := s.dependVerdict(ctx, d, run)
		if err != nil {
			return "", "", err
		}
		where += fmt.Sprintf(": workflow instance %d %s", run.ID, why)
		if verdict != flow.DependSuccess {
			return verdict, where, nil
		}
		if d.PassParameters {
			item.took = append(item.took, took...)
		}
		name = where
	}
	return flow.DependSuccess, name, nil
}

// dependRun picks the run of a window that counts: the one that was started, or started again, last. Of runs that a single
// task is wanted of, those count first in which it was begun.
func (s *store) dependRun(ctx context.Context, t *logicTask, d *flow.DependentItem, in window.Window) (*dependRun, error) {
	const columns = `SELECT w.id, w.state, w.workflow_version, w.command_param, w.var_pool, w.end_time FROM workflow_instance w
		WHERE w.workflow_code = ? AND w.test_flag = 0 AND NOT w.stream AND w.id <> ?
		AND (w.schedule_time >= ? AND w.schedule_time < ? OR w.schedule_time IS NULL AND w.start_time >= ? AND w.start_time < ?)`
	const order = ` ORDER BY COALESCE(w.restart_time, w.start_time) DESC, w.id DESC LIMIT 1`
	args := []any{d.WorkflowCode, t.run, in.From, in.Until, in.From, in.Until}
	if d.TaskCode > 0 {
		r, err := db.Get[dependRun](ctx, s.db, columns+` AND EXISTS (SELECT 1 FROM task_instance i WHERE i.workflow_instance_id = w.id AND i.task_code = ?)`+order,
			append(args, d.TaskCode)...)
		if err == nil {
			return &r, nil
		}
		if !errors.Is(err, db.ErrNoRows) {
			return nil, err
		}
	}
	r, err := db.Get[dependRun](ctx, s.db, columns+order, args...)
	if errors.Is(err, db.ErrNoRows) {
		return nil, nil
	}
	return &r, err
}

// dependVerdict says what a run means for a dependency.
func (s *store) dependVerdict(ctx context.Context, d *flow.DependentItem, r *dependRun) (flow.DependResult, string, []dependentValue, error) {
	state := flow.WorkflowState(r.State)
	why := "is " + r.State
	if d.TaskCode > 0 {
		return s.dependTask(ctx, d, r, state)
	}
	switch {
	case !state.Finished():
		return flow.DependWaiting, why, nil, nil
	case state != flow.WorkflowSuccess:
		return flow.DependFailed, why, nil, nil
	}
	if d.TaskCode == flow.AllTasks {
		missing, err := s.dependMissing(ctx, d.WorkflowCode, r)
		if err != nil || missing != "" {
			return flow.DependFailed, why + ", but " + missing, nil, err
		}
	}
	took, err := dependValues(r.VarPool, orZero(r.End))
	return flow.DependSuccess, why, took, err
}

// dependTask is dependVerdict for a single task.
func (s *store) dependTask(ctx context.Context, d *flow.DependentItem, r *dependRun, state flow.WorkflowState) (flow.DependResult, string, []dependentValue, error) {
	type attempt struct {
		State   string     `db:"state"`
		VarPool string     `db:"var_pool"`
		End     *time.Time `db:"end_time"`
	}
	a, err := db.Get[attempt](ctx, s.db, `SELECT state, var_pool, end_time FROM task_instance WHERE workflow_instance_id = ? AND task_code = ? AND valid = ?
		ORDER BY id DESC LIMIT 1`, r.ID, d.TaskCode, true)
	if errors.Is(err, db.ErrNoRows) {
		if !state.Finished() {
			return flow.DependWaiting, "is " + r.State + " and has not begun the task", nil, nil
		}
		return flow.DependFailed, "is " + r.State + " without the task", nil, nil
	}
	if err != nil {
		return "", "", nil, err
	}
	task := flow.TaskState(a.State)
	why := "task is " + a.State
	switch {
	case !task.Finished():
		return flow.DependWaiting, why, nil, nil
	case task.Succeeded():
		took, err := dependValues(a.VarPool, orZero(a.End))
		return flow.DependSuccess, why, took, err
	}
	return flow.DependFailed, why, nil, nil
}

// dependMissing says which task of a run that succeeded did not, "" for none. Tasks that were skipped are fine; those that
// the run left out are not.
func (s *store) dependMissing(ctx context.Context, code int64, r *dependRun) (string, error) {
	type attempt struct {
		Code  int64  `db:"task_code"`
		Name  string `db:"name"`
		State string `db:"state"`
	}
	rows, err := db.Select[attempt](ctx, s.db, `SELECT task_code, name, state FROM task_instance WHERE workflow_instance_id = ? AND valid = ?`, r.ID, true)
	if err != nil {
		return "", err
	}
	has := make(map[int64]bool, len(rows))
	for _, a := range rows {
		has[a.Code] = true
		if !flow.TaskState(a.State).Succeeded() {
			return fmt.Sprintf("task %q is %s", a.Name, a.State), nil
		}
	}
	var param flow.CommandParam
	if err := json.Unmarshal([]byte(r.Param), &param); err != nil || len(param.StartNodes) == 0 {
		return "", err
	}
	p, err := s.program(ctx, code, r.Version)
	if err != nil {
		if permanent(err) {
			return "its version is gone", nil
		}
		return "", err
	}
	for i := range p.graph.Tasks {
		if task := &p.graph.Tasks[i]; !task.Passed() && !has[task.Code] {
			return fmt.Sprintf("task %q was not part of it", task.Name), nil
		}
	}
	return "", nil
}

// dependValues are the OUT values of a pool.
func dependValues(pool string, end time.Time) ([]dependentValue, error) {
	var list []flow.Property
	if err := json.Unmarshal([]byte(pool), &list); err != nil {
		return nil, fmt.Errorf("var_pool: %w", err)
	}
	out := make([]dependentValue, 0, len(list))
	for _, p := range list {
		out = append(out, dependentValue{p, end})
	}
	return out, nil
}
