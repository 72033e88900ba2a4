package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"dorado/modules/engine/core"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// live is a run that this master works on: the core's state, and what is needed to describe its tasks to a worker.
type live struct {
	run      *core.Run
	program  *program
	instance instanceRow
	zone     *time.Location
	globals  []flow.Property
	startup  []flow.Property

	received []flow.Pool // by node: the parameters that reached it, once known
	known    []bool
}

// newLive builds the run of an instance around its stored attempts.
func newLive(row instanceRow, p *program, attempts []storedAttempt, zone func(string) (*time.Location, error)) (*live, error) {
	var param flow.CommandParam
	if err := json.Unmarshal([]byte(row.CommandParam), &param); err != nil {
		return nil, unbuildable{fmt.Errorf("workflow instance %d: command_param: %w", row.ID, err)}
	}
	l := &live{program: p, instance: row, startup: param.CommandParams}
	if err := json.Unmarshal([]byte(row.GlobalParams), &l.globals); err != nil {
		return nil, unbuildable{fmt.Errorf("workflow instance %d: global_params: %w", row.ID, err)}
	}
	var err error
	if l.zone, err = zone(row.TimeZone); err != nil {
		return nil, unbuildable{fmt.Errorf("workflow instance %d: %w", row.ID, err)}
	}
	l.run, err = core.New(core.Settings{
		InstanceID: row.ID, ProjectCode: row.ProjectCode, Failure: flow.FailureStrategy(row.FailureStrategy),
		StartNodes: param.StartNodes, Depend: flow.TaskDependType(row.TaskDependType), Priority: flow.Priority(row.Priority),
		WorkerGroup: row.WorkerGroup, DryRun: row.DryRun,
	}, p.graph)
	if err != nil {
		return nil, unbuildable{err}
	}
	l.run.History = parseHistory(row.StateHistory)
	l.run.StartTime = row.StartTime
	if l.run.State, err = flow.ParseWorkflowState(row.State); err != nil {
		return nil, unbuildable{err}
	}
	for i := range attempts {
		node, ok := p.graph.Index[attempts[i].TaskCode]
		if !ok {
			return nil, unbuildable{fmt.Errorf("task instance %d: task %d is not in the workflow", attempts[i].ID, attempts[i].TaskCode)}
		}
		a, err := attempts[i].attempt(node)
		if err != nil {
			return nil, err
		}
		l.run.Attach(a)
	}
	l.forgetPools()
	return l, nil
}

// forgetPools drops what is remembered of parameters, when attempts before a node may have changed.
func (l *live) forgetPools() {
	l.received = make([]flow.Pool, len(l.program.graph.Tasks))
	l.known = make([]bool, len(l.program.graph.Tasks))
}

// inherited is the pool that reaches a node whose predecessors have ended. It is remembered, so that along a chain each
// step looks at direct predecessors only.
func (l *live) inherited(n int32) flow.Pool {
	if l.known[n] {
		return l.received[n]
	}
	preds := l.program.graph.Pred[n]
	pools := make([]flow.Pool, 0, len(preds))
	for _, p := range preds {
		if !l.run.InScope(p) {
			continue
		}
		pool := l.inherited(p)
		if a := l.run.Attempt(p); a != nil && a.State.Succeeded() {
			pool = pool.Emit(l.program.graph.Tasks[p].Code, a.End, a.VarPool)
		}
		pools = append(pools, pool)
	}
	l.received[n], l.known[n] = flow.Inherit(pools...), true
	return l.received[n]
}

// mergedPool is the display copy of all parameters that the run put out: later ends win.
func (l *live) mergedPool() []flow.Property {
	var done []*core.Attempt
	for n := range l.program.graph.Tasks {
		if a := l.run.Attempt(int32(n)); a != nil && len(a.VarPool) > 0 && a.State.Succeeded() {
			done = append(done, a)
		}
	}
	slices.SortFunc(done, func(a, b *core.Attempt) int { return cmp.Or(a.End.Compare(b.End), cmp.Compare(a.ID, b.ID)) })
	at := map[string]int{}
	var merged []flow.Property
	for _, a := range done {
		for _, p := range a.VarPool {
			if i, ok := at[p.Prop]; ok {
				merged[i] = p
				continue
			}
			at[p.Prop] = len(merged)
			merged = append(merged, p)
		}
	}
	return merged
}

// queued describes an attempt to those who decide its turn.
func (l *live) queued(a *core.Attempt) queued {
	t := &l.program.graph.Tasks[a.Node]
	return queued{
		group: a.WorkerGroup, workflowPriority: l.run.Priority.Code(), run: l.run.InstanceID, taskPriority: t.Priority.Code(),
		groupPriority: t.TaskGroupPriority, submit: a.FirstSubmit.UnixMilli(), attempt: a.ID, node: a.Node,
	}
}

// task is everything a worker needs to run an attempt. It is the same whenever it is made from the same rows, so an
// attempt that is dispatched again after a restart is the same attempt.
func (l *live) task(a *core.Attempt, epoch int64) (*doradov1.Task, error) {
	t := &l.program.graph.Tasks[a.Node]
	base := a.Submit
	if l.instance.ScheduleTime != nil {
		base = *l.instance.ScheduleTime
	}
	params, err := flow.Resolve(flow.ParamSources{
		Builtin: flow.Builtins(flow.BuiltinInput{
			Base: base.In(l.zone), TaskInstanceID: a.ID, TaskName: t.Name, TaskCode: t.Code, WorkflowID: l.run.InstanceID,
			WorkflowName: l.instance.WorkflowName, WorkflowCode: l.instance.WorkflowCode,
			ProjectName: l.instance.ProjectName, ProjectCode: l.instance.ProjectCode,
		}),
		Global: l.globals, Upstream: l.inherited(a.Node), Local: l.program.locals[a.Node], Startup: l.startup,
		Base: base.In(l.zone), Scheduled: l.instance.ScheduleTime != nil,
	})
	if err != nil {
		return nil, err
	}
	task := &doradov1.Task{
		Id: a.ID, WorkflowInstanceId: l.run.InstanceID, ProjectCode: l.run.ProjectCode, WorkflowCode: l.instance.WorkflowCode,
		WorkflowVersion: int32(l.instance.WorkflowVersion), TaskCode: t.Code, TaskVersion: int32(t.Version), Name: t.Name, Type: t.Type,
		WorkflowName: l.instance.WorkflowName, ProjectName: l.instance.ProjectName, Params: t.Params,
		Prepared: make([]*doradov1.Param, len(params.List)), Tenant: l.instance.TenantCode, DryRun: l.run.DryRun,
		CpuQuota: int32(t.CPUQuota), MemoryMax: int32(t.MemoryMax), Attempt: int32(a.Number), FirstSubmitMs: a.FirstSubmit.UnixMilli(),
		BaseMs: base.UnixMilli(), TimeZone: l.instance.TimeZone, Epoch: uint64(epoch), AppLink: a.AppLink,
	}
	if t.TimeoutFlag == flow.TimeoutOpen && t.TimeoutStrategy.Kills() {
		task.TimeoutMs = int64(t.TimeoutMinutes) * time.Minute.Milliseconds()
	}
	for i := range params.List {
		p := &params.List[i]
		task.Prepared[i] = &doradov1.Param{Name: p.Prop, Value: p.Value, Type: string(p.Type), Direct: string(p.Direct)}
	}
	return task, nil
}
