package instance

import (
	"context"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/flow"
	"dorado/modules/security/tenant"
)

// Operate carries out an operation on an instance: pause, stop, resume, recover failed, rerun. It returns ErrNotFound,
// a Conflict fault with the reason (flow.Allowed), ErrChangedState when somebody else was quicker, or a Forbidden fault.
func (s *Service) Operate(ctx context.Context, id int64, op flow.Operation) error {
	i, err := s.store.get(ctx, id)
	if err != nil {
		return err
	}
	if err := s.mayOn(ctx, i, Operate); err != nil {
		return err
	}
	return s.operate(ctx, i, op, flow.CommandArgs{})
}

// operate is Operate for somebody who may.
func (s *Service) operate(ctx context.Context, i *Instance, op flow.Operation, args flow.CommandArgs) error {
	if ok, reason := flow.Allowed(op, i.State); !ok {
		return notAllowed(i, reason)
	}
	who, err := access.Must(ctx)
	if err != nil {
		return err
	}
	again, err := s.again(ctx, i, op, args)
	if err != nil {
		return err
	}
	now := s.now()
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		done, err := s.carryOut(ctx, i, op, args, again, who.UserID, now)
		if err != nil {
			return err
		}
		if !done {
			return ErrChangedState
		}
		return s.record(ctx, i, strings.ToLower(string(op)))
	})
}

// carryOut writes what an operation means for the instance's row and leaves the command that goes with it. It reports false
// when the instance is no longer in the state that i says.
func (s *Service) carryOut(
	ctx context.Context, i *Instance, op flow.Operation, args flow.CommandArgs, again *revival, user int64, now time.Time,
) (bool, error) {
	kind := flow.CommandType(op)
	if again != nil {
		done, err := s.store.revive(ctx, i, kind, again, now)
		if err != nil || !done {
			return false, err
		}
		if again.state == flow.WorkflowSerialWait {
			return true, s.store.requeue(ctx, i, kind, again, now)
		}
		return true, s.ask(ctx, i, kind, args, user, now)
	}
	stop := op == flow.OpStop
	if i.State == flow.WorkflowSerialWait || i.State == flow.WorkflowWaitToRun { // no master holds it
		to := flow.WorkflowPause
		if stop {
			to = flow.WorkflowStop
		}
		return s.withdraw(ctx, i, to, now)
	}
	to := flow.WorkflowReadyPause
	if stop {
		to = flow.WorkflowReadyStop
	}
	done, err := s.store.wish(ctx, i.ID, i.State, to, now)
	if err != nil || !done {
		return false, err
	}
	return true, s.ask(ctx, i, kind, args, user, now)
}

// ask leaves a command and tells the masters.
func (s *Service) ask(ctx context.Context, i *Instance, kind flow.CommandType, args flow.CommandArgs, user int64, now time.Time) error {
	s.wake(ctx)
	return s.store.command(ctx, kind, i.ID, i.Priority, user, mustJSON(args), now)
}

// revival is how an ended instance begins anew.
type revival struct {
	state     flow.WorkflowState // SUBMITTED_SUCCESS, or SERIAL_WAIT when it must not overlap with others of its workflow
	execution flow.ExecutionType
	globals   string
	param     string
}

// again prepares the revival that an operation means; nil for one that ends a run.
func (s *Service) again(ctx context.Context, i *Instance, op flow.Operation, args flow.CommandArgs) (*revival, error) {
	switch op {
	case flow.OpPause, flow.OpStop:
		return nil, nil
	case flow.OpResume, flow.OpRecoverFailed, flow.OpRerun, flow.OpExecuteTask:
	case flow.OpDelete, flow.OpEdit, flow.OpForceSuccess:
		return nil, ErrStartRequest.With("field", "executeType", "reason", string(op))
	}
	what, err := s.startable(ctx, i.WorkflowCode, i.WorkflowVersion)
	if err != nil {
		return nil, err
	}
	param, err := commandParam(i)
	if err != nil {
		return nil, err
	}
	r := &revival{
		state: flow.WorkflowSubmitted, execution: what.execution, globals: i.GlobalParams,
		param: mustJSON(param.Next(i.CommandType, flow.CommandType(op), args.StartNodes, args.TaskDependType)),
	}
	if what.serial() {
		r.state = flow.WorkflowSerialWait
	}
	if op == flow.OpRerun {
		r.globals, err = s.cureAgain(i, what, param, s.now())
	}
	return r, err
}

// cureAgain resolves the global parameters of a rerun, at the schedule time if the run has one (engine.md 2.5).
func (s *Service) cureAgain(i *Instance, what *startable, param flow.CommandParam, now time.Time) (string, error) {
	zone, err := location(i.TimeZone)
	if err != nil {
		return "", err
	}
	base := now
	if i.ScheduleTime != nil {
		base = *i.ScheduleTime
	}
	globals, err := flow.Cure(what.globals, param.CommandParams, base.In(zone))
	if err != nil {
		return "", ErrParamEvaluate.With("reason", err.Error())
	}
	return mustJSON(globals), nil
}

// notAllowed refuses an operation with the reason that pages show beside the disabled button.
func notAllowed(i *Instance, reason string) error {
	return fault.New(fault.Conflict, reason).With("name", i.Name, "state", string(i.State))
}

func (s *Service) record(ctx context.Context, i *Instance, action string) error {
	return s.Audit.Record(ctx, audit.Entry{
		Action: "workflow_instance." + action, ObjectType: "workflow_instance", ObjectID: strconv.FormatInt(i.ID, 10), ObjectName: i.Name, ProjectCode: i.ProjectCode,
		Before: map[string]any{"state": i.State, "workflow": i.WorkflowName, "version": i.WorkflowVersion},
	})
}

// Delete removes a finished instance with the ones that its tasks started, their attempts and logs. It returns ErrNotFound, a Conflict fault with the
// reason, ErrChangedState, or a Forbidden fault.
func (s *Service) Delete(ctx context.Context, id int64) error {
	i, err := s.store.get(ctx, id)
	if err != nil {
		return err
	}
	if err := s.mayOn(ctx, i, Delete); err != nil {
		return err
	}
	return s.remove(ctx, i)
}

func (s *Service) remove(ctx context.Context, i *Instance) error {
	if ok, reason := flow.Allowed(flow.OpDelete, i.State); !ok {
		return notAllowed(i, reason)
	}
	below, err := s.store.descendants(ctx, i.ID)
	if err != nil {
		return err
	}
	tasks, err := s.store.logsIn(ctx, append(below, i.ID))
	if err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		done, err := s.store.delete(ctx, i.ID, i.State)
		if err != nil {
			return err
		}
		if !done {
			return ErrChangedState
		}
		if err := s.store.deleteEnded(ctx, below); err != nil {
			return err
		}
		db.AfterCommit(ctx, func(ctx context.Context) { s.removeLogs(ctx, tasks) })
		return s.record(ctx, i, "delete")
	})
}

// removeTime bounds how long a deletion waits for logs to be deleted.
const removeTime = 10 * time.Second

// removeLogs deletes logs on the workers and in the storage. A worker that is away keeps its files; they are of no row any
// more. Logs of logic tasks lie in the database and went with their rows.
func (s *Service) removeLogs(ctx context.Context, tasks []Task) {
	ctx, cancel := context.WithTimeout(ctx, removeTime)
	defer cancel()
	byWorker := map[string][]string{}
	for _, t := range tasks {
		if t.LogPath != "" && t.Host != "" && !strings.HasPrefix(t.LogPath, "logic/") {
			byWorker[t.Host] = append(byWorker[t.Host], t.LogPath)
		}
	}
	if len(byWorker) == 0 {
		return
	}
	if err := s.Logs.RemoveLogs(ctx, byWorker); err != nil {
		s.Logger.DebugContext(ctx, "logs of deleted runs are left", "error", err)
	}
}

// WorkflowInUse names the unfinished instances of a workflow; it is workflow.Referrer.
func (s *Service) WorkflowInUse(ctx context.Context, code int64) ([]string, error) {
	active, err := s.store.activeOf(ctx, code, 10)
	names := make([]string, 0, len(active))
	for _, i := range active {
		names = append(names, i.Name)
	}
	return names, err
}

// VersionInUse reports whether an instance that is kept ran this version; it is workflow.VersionKeeper.
func (s *Service) VersionInUse(ctx context.Context, code int64, version int) (bool, error) {
	return s.store.ran(ctx, code, version)
}

// TenantUses names the unfinished instances that run as a tenant; it is tenant.Referrer.
func (s *Service) TenantUses(ctx context.Context, t tenant.Tenant, limit int) ([]tenant.Use, error) {
	active, err := s.store.activeAs(ctx, t.Code, limit)
	uses := make([]tenant.Use, 0, len(active))
	for _, i := range active {
		url := address(i.ProjectCode, i.ID)
		if i.Stream {
			url = streamsAddress(i.ProjectCode)
		}
		uses = append(uses, tenant.Use{Kind: "instance.one", Name: i.Name, URL: url})
	}
	return uses, err
}

// DeleteInstances removes the finished instances of a workflow that is being deleted, in the caller's transaction. It
// returns ErrRunningDefined when one has begun meanwhile.
func (s *Service) DeleteInstances(ctx context.Context, code int64) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		active, err := s.store.activeOf(ctx, code, 1)
		if err != nil {
			return err
		}
		if len(active) > 0 {
			return ErrRunningDefined.With("name", active[0].Name)
		}
		logs, err := s.store.logsOf(ctx, code)
		if err != nil {
			return err
		}
		db.AfterCommit(ctx, func(ctx context.Context) { s.removeLogs(ctx, logs) })
		return s.store.deleteOf(ctx, code)
	})
}

// Outcome is what became of an operation on one of several instances.
type Outcome struct {
	ID   int64
	Name string // empty when it was not found
	Err  error
}

// MaxBatch bounds how many instances one request may operate on.
const MaxBatch = 500

// OperateAll is Operate for several instances, one after the other: a refusal of one does not keep the others.
func (s *Service) OperateAll(ctx context.Context, ids []int64, op flow.Operation) []Outcome {
	return s.each(ctx, ids, func(id int64) error { return s.Operate(ctx, id, op) })
}

// DeleteAll is Delete for several instances.
func (s *Service) DeleteAll(ctx context.Context, ids []int64) []Outcome {
	return s.each(ctx, ids, func(id int64) error { return s.Delete(ctx, id) })
}

func (s *Service) each(ctx context.Context, ids []int64, do func(id int64) error) []Outcome {
	out := make([]Outcome, 0, len(ids))
	for _, id := range ids {
		o := Outcome{ID: id}
		if i, err := s.Get(ctx, id); err != nil {
			o.Err = err
		} else {
			o.Name, o.Err = i.Name, do(id)
		}
		out = append(out, o)
	}
	return out
}
