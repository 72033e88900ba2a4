package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
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
	param    flow.CommandParam
	master   string // name of this one
	epoch    int64  // of the run: rises with each change of its owner
	setups   *setups

	traceParent func(instance int64, runTimes int, attempt int64) string
	// void is set, and read, where changes are saved: another master took the command by which this one began, so nothing
	// that was decided for the run counts.
	void bool
	// owned is set once the command by which this one began is this master's.
	owned atomic.Bool

	received []flow.Pool // by node: the parameters that reached it, once known
	known    []bool

	// What the shell knows of single attempts; nil until there is something. Keys are task instance ids.
	granted map[int64]bool     // have a slot of their task group
	forced  map[int64]bool     // need no slot of their task group
	ranks   map[int64]int      // place in the queue of the task group, where it was changed
	missed  map[int64]string   // no earlier result was found under this key
	asked   map[int64]asking   // the vault, in vain
	brought map[int64]*brought // was fetched and is not yet sent
}

// newLive builds the run of an instance around its stored attempts.
func newLive(row instanceRow, p *program, attempts []storedAttempt, e *term) (*live, error) {
	var param flow.CommandParam
	if err := json.Unmarshal([]byte(row.CommandParam), &param); err != nil {
		return nil, unbuildable{fmt.Errorf("workflow instance %d: command_param: %w", row.ID, err)}
	}
	l := &live{program: p, instance: row, startup: param.CommandParams, param: param, master: e.cfg.Name, epoch: row.OwnerEpoch + 1, setups: e.setups}
	if err := json.Unmarshal([]byte(row.GlobalParams), &l.globals); err != nil {
		return nil, unbuildable{fmt.Errorf("workflow instance %d: global_params: %w", row.ID, err)}
	}
	l.traceParent = e.traceParent
	var err error
	if l.zone, err = e.zone(row.TimeZone); err != nil {
		return nil, unbuildable{fmt.Errorf("workflow instance %d: %w", row.ID, err)}
	}
	settings := core.Settings{
		InstanceID: row.ID, ProjectCode: row.ProjectCode, Command: flow.CommandType(row.CommandType),
		Failure: flow.FailureStrategy(row.FailureStrategy), StartNodes: param.StartNodes, Depend: flow.TaskDependType(row.TaskDependType),
		Priority: flow.Priority(row.Priority), WorkerGroup: row.WorkerGroup, DryRun: row.DryRun, IsSub: row.IsSub, Stream: row.Stream,
		ExecuteNodes: param.ExecuteNodes, ExecuteDepend: param.ExecuteDepend, Warning: flow.WarningNone,
		Timeout: time.Duration(row.TimeoutMinutes) * time.Minute, Deadline: orZero(row.Deadline), Choose: l.choose,
	}
	if row.WarningGroupID > 0 {
		settings.Warning = flow.WarningType(row.WarningType)
	}
	l.run, err = core.New(settings, p.graph)
	if err != nil {
		return nil, unbuildable{err}
	}
	l.run.History = parseHistory(row.StateHistory)
	l.run.StartTime = row.StartTime
	l.run.RestartTime = row.StartTime
	if row.RestartTime != nil {
		l.run.RestartTime = *row.RestartTime
	}
	if l.run.State, err = flow.ParseWorkflowState(row.State); err != nil {
		return nil, unbuildable{err}
	}
	for i := range attempts {
		node, ok := p.graph.Index[attempts[i].TaskCode]
		if !ok {
			return nil, unbuildable{fmt.Errorf("task instance %d: task %d is not in the workflow", attempts[i].ID, attempts[i].TaskCode)}
		}
		a, err := attempts[i].attempt(node, l.run.Logic(node))
		if err != nil {
			return nil, err
		}
		l.run.Attach(a)
		if attempts[i].ForceStart {
			l.force(a.ID)
		}
		if attempts[i].GroupRank != p.graph.Tasks[node].TaskGroupPriority {
			l.rank(a.ID, attempts[i].GroupRank)
		}
	}
	l.forgetPools()
	return l, nil
}

// failedOver prepares a run that another master, or a former process of this one, left in the middle for Adopt.
func (l *live) failedOver(former flow.WorkflowState, now time.Time) {
	l.run.State = flow.WorkflowFailover
	l.run.History = append(l.run.History, core.StateChange{Time: now, State: l.run.State, Why: "its master is gone"})
	if former == flow.WorkflowReadyStop || former == flow.WorkflowReadyPause { // Adopt makes the others RUNNING
		l.run.State = former
		l.run.History = append(l.run.History, core.StateChange{Time: now, State: former, Why: string(flow.CommandTakeOver)})
	}
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
		a := l.run.Attempt(p)
		if a == nil && !l.run.InScope(p) {
			continue
		}
		pool := l.inherited(p)
		if a != nil && a.State.Succeeded() {
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

func (l *live) force(attempt int64) {
	if l.forced == nil {
		l.forced = map[int64]bool{}
	}
	l.forced[attempt] = true
}

func (l *live) rank(attempt int64, rank int) {
	if l.ranks == nil {
		l.ranks = map[int64]int{}
	}
	l.ranks[attempt] = rank
}

// ticket describes an attempt to its task group.
func (l *live) ticket(a *core.Attempt) ticket {
	t := &l.program.graph.Tasks[a.Node]
	k := ticket{group: t.TaskGroupID, attempt: a.ID, run: l.run.InstanceID, node: a.Node, priority: t.TaskGroupPriority}
	if rank, changed := l.ranks[a.ID]; changed {
		k.priority = rank
	}
	return k
}

// grouped reports whether an attempt needs a slot of a task group.
func (l *live) grouped(a *core.Attempt) bool {
	return l.program.graph.Tasks[a.Node].TaskGroupID > 0 && !l.run.Logic(a.Node) && !l.forced[a.ID]
}

// queued describes an attempt to those who decide its turn.
func (l *live) queued(a *core.Attempt) queued {
	t := &l.program.graph.Tasks[a.Node]
	return queued{
		group: a.WorkerGroup, project: l.run.ProjectCode, workflowPriority: l.run.Priority.Code(), run: l.run.InstanceID,
		taskPriority: t.Priority.Code(), groupPriority: t.TaskGroupPriority, submit: a.FirstSubmit.UnixMilli(), attempt: a.ID, node: a.Node,
	}
}

// environment is the code of the environment of a task: its own, or that of the run; -1 for none.
func (l *live) environment(t *flow.Task) int64 {
	switch {
	case t.EnvironmentCode > 0:
		return t.EnvironmentCode
	case l.instance.EnvironmentCode > 0:
		return l.instance.EnvironmentCode
	}
	return -1
}

// base is what the dates of an attempt count from.
func (l *live) base(a *core.Attempt) time.Time {
	if l.instance.ScheduleTime != nil {
		return *l.instance.ScheduleTime
	}
	return a.Submit
}

// resolve computes the parameters of an attempt. It gives the same whenever it is asked with the same rows.
func (l *live) resolve(a *core.Attempt) (flow.Params, error) {
	t := &l.program.graph.Tasks[a.Node]
	base := l.base(a).In(l.zone)
	return flow.Resolve(flow.ParamSources{
		Builtin: flow.Builtins(flow.BuiltinInput{
			Base: base, TaskInstanceID: a.ID, TaskName: t.Name, TaskCode: t.Code, WorkflowID: l.run.InstanceID,
			WorkflowName: l.instance.WorkflowName, WorkflowCode: l.instance.WorkflowCode,
			ProjectName: l.instance.ProjectName, ProjectCode: l.instance.ProjectCode,
		}),
		Project: l.setups.get().params[l.run.ProjectCode],
		Global:  l.globals, Upstream: l.inherited(a.Node), Local: l.program.locals[a.Node], Startup: l.startup,
		Base: base, Scheduled: l.instance.ScheduleTime != nil,
	})
}

// task is everything a worker needs to run an attempt. It is the same whenever it is made from the same rows, so an
// attempt that is dispatched again after a restart is the same attempt, but for secrets that were changed. missing is
// what has to be fetched first; then there is no task.
func (l *live) task(a *core.Attempt) (task *doradov1.Task, missing needs, err error) {
	t := &l.program.graph.Tasks[a.Node]
	params, err := l.resolve(a)
	if err != nil {
		return nil, needs{}, err
	}
	given, err := l.given(t, params)
	if err != nil {
		return nil, needs{}, err
	}
	if given != nil {
		missing.secrets = given.missing
	}
	handed, err := l.handed(a.Node, params)
	if err != nil {
		return nil, needs{}, err
	}
	if missing.files, err = l.wanted(a, params); err != nil {
		return nil, needs{}, err
	}
	got := l.brought[a.ID]
	if got == nil && !l.run.DryRun {
		missing.sources = l.program.sources[a.Node]
		missing.past = l.program.series[a.Node].Window != nil
	}
	if !missing.none() {
		return nil, missing, nil
	}
	task = &doradov1.Task{
		Id: a.ID, WorkflowInstanceId: l.run.InstanceID, ProjectCode: l.run.ProjectCode, WorkflowCode: l.instance.WorkflowCode,
		WorkflowVersion: int32(l.instance.WorkflowVersion), TaskCode: t.Code, TaskVersion: int32(t.Version), Name: t.Name, Type: t.Type,
		WorkflowName: l.instance.WorkflowName, ProjectName: l.instance.ProjectName, Params: t.Params,
		Prepared: make([]*doradov1.Param, len(params.List)), Tenant: l.instance.TenantCode, DryRun: l.run.DryRun,
		CpuQuota: int32(t.CPUQuota), MemoryMax: int32(t.MemoryMax), Attempt: int32(a.Number), FirstSubmitMs: a.FirstSubmit.UnixMilli(),
		BaseMs: l.base(a).UnixMilli(), TimeZone: l.instance.TimeZone, Epoch: uint64(l.epoch), AppLink: a.AppLink,
		TraceParent: l.traced(a.ID), Queue: l.setups.get().queues[l.instance.TenantCode],
	}
	if code := l.environment(t); code > 0 {
		text, ok := l.setups.get().environments[code]
		if !ok {
			return nil, needs{}, fmt.Errorf("environment %d does not exist", code)
		}
		task.Environment = text
	}
	if t.TimeoutFlag == flow.TimeoutOpen && t.TimeoutStrategy.Kills() {
		task.TimeoutMs = int64(t.TimeoutMinutes) * time.Minute.Milliseconds()
	}
	for i := range params.List {
		p := &params.List[i]
		task.Prepared[i] = &doradov1.Param{Name: p.Prop, Value: p.Value, Type: string(p.Type), Direct: string(p.Direct)}
	}
	if given != nil {
		given.into(task)
	}
	if task.Files = handed; got != nil {
		task.Files, task.Sources, task.Past = slices.Concat(got.files, handed), got.sources, got.past
		task.Secrets = slices.Concat(task.GetSecrets(), got.secrets)
	}
	return task, needs{}, nil
}
