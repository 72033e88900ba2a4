package instance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/security/tenant"
	"dorado/modules/workflow"
)

// Start triggers a workflow and returns the id of the new instance, which exists when Start returns. It returns
// workflow.ErrNotFound, ErrOffline, ErrStartNode, ErrTenantUnknown, ErrStartParam, ErrParamEvaluate, or a Forbidden fault.
func (s *Service) Start(ctx context.Context, project int64, r StartRequest) (int64, error) {
	if err := s.mayRun(ctx, project, r.WorkflowCode, Operate); err != nil {
		return 0, err
	}
	if err := r.own(ctx); err != nil {
		return 0, err
	}
	if r.IdempotencyKey != "" {
		if id, found, err := s.store.byIdempotencyKey(ctx, r.IdempotencyKey); err != nil || found {
			return id, err
		}
	}
	w, version, what, err := s.check(ctx, project, &r)
	if err != nil {
		return 0, err
	}
	who, err := access.Must(ctx)
	if err != nil {
		return 0, err
	}
	i, err := newInstance(w, version, what, r, starter{command: flow.CommandStart, id: who.UserID, name: who.Name}, s.now())
	if err != nil {
		return 0, err
	}
	told := auditNote{"workflow.start", map[string]any{"version": version}}
	if r.stream {
		told = auditNote{"workflow.start_stream", map[string]any{"version": version, "taskCode": r.StartNodes[0]}}
	}
	id, err := s.trigger(ctx, s, i, r.IdempotencyKey, &told)
	if name, ok := db.Conflict(err); ok && name == "uq_workflow_instance_idempotency_key" {
		id, _, err := s.store.byIdempotencyKey(ctx, r.IdempotencyKey) // somebody was quicker with the same key
		return id, err
	}
	if err == nil {
		s.wake(ctx)
	}
	return id, err
}

// CheckStart returns the workflow and the version that a request would start now, or the error that Start would return.
func (s *Service) CheckStart(ctx context.Context, project int64, r *StartRequest) (workflow.Workflow, int, error) {
	if err := s.mayRun(ctx, project, r.WorkflowCode, Operate); err != nil {
		return workflow.Workflow{}, 0, err
	}
	w, version, what, err := s.check(ctx, project, r)
	if err != nil {
		return w, version, err
	}
	_, err = newInstance(w, version, what, *r, starter{}, s.now())
	return w, version, err
}

// check refuses what cannot be started.
func (s *Service) check(ctx context.Context, project int64, r *StartRequest) (workflow.Workflow, int, *startable, error) {
	w, err := s.head(ctx, project, r.WorkflowCode)
	if err != nil {
		return w, 0, nil, err
	}
	if !w.Online() {
		return w, 0, nil, ErrOffline.With("name", w.Name)
	}
	version := r.version(w)
	what, err := s.startable(ctx, w.Code, version)
	if err != nil {
		return w, 0, nil, err
	}
	for _, code := range r.StartNodes {
		if !what.tasks[code] {
			return w, 0, nil, ErrStartNode.With("code", code)
		}
	}
	if len(r.StartNodes) == 0 && r.Depend != "" && r.Depend != flow.TaskPost {
		r.Depend = flow.TaskPost // without start nodes the whole graph runs
	}
	if err := s.checkPlace(ctx, project, r); err != nil {
		return w, 0, nil, err
	}
	return w, version, what, s.checkSubs(ctx, w.Code, what)
}

// maxKey bounds what a caller may send as an idempotency key, in bytes.
const maxKey = 200

// own makes the idempotency key the caller's: nobody gets at the run of somebody else by guessing his key.
func (r *StartRequest) own(ctx context.Context) error {
	if r.IdempotencyKey == "" {
		return nil
	}
	if len(r.IdempotencyKey) > maxKey {
		return ErrStartRequest.With("field", "idempotencyKey", "reason", strconv.Itoa(maxKey))
	}
	who, err := access.Must(ctx)
	r.IdempotencyKey = strconv.FormatInt(who.UserID, 10) + ":" + r.IdempotencyKey
	return err
}

// head reads the one row that a trigger needs to look at. When it is not there, the workflow service says what is wrong.
func (s *Service) head(ctx context.Context, project, code int64) (workflow.Workflow, error) {
	w, found, err := s.store.workflow(ctx, code)
	if err != nil {
		return w, err
	}
	if found && w.ProjectCode == project {
		return w, nil
	}
	return s.Workflows.In(ctx, project, code)
}

// checkPlace refuses a tenant, a worker group or an environment that does not exist, or that the project may not use. The
// group needs no live worker: tasks wait for one.
func (s *Service) checkPlace(ctx context.Context, project int64, r *StartRequest) error {
	if err := s.checkTenant(ctx, r.TenantCode); err != nil {
		return err
	}
	if g := r.WorkerGroup; g != "" && g != "default" {
		known, err := db.Get[int](ctx, s.DB, `SELECT count(*) FROM worker_group WHERE name = ?`, g)
		if err != nil {
			return err
		}
		if !s.Access.MayUseWorkerGroup(ctx, g) {
			return ErrGroupDenied.With("name", g)
		}
		if known == 0 && (s.Workers == nil || !slices.Contains(s.Workers.Groups(), g)) {
			return ErrGroupUnknown.With("name", g)
		}
		allowed, err := db.Select[string](ctx, s.DB, `SELECT worker_group FROM project_worker_group WHERE project_code = ?`, project)
		if err != nil {
			return err
		}
		if len(allowed) > 0 && !slices.Contains(allowed, g) {
			return ErrGroupUnknown.With("name", g)
		}
	}
	if r.EnvironmentCode > 0 {
		known, err := db.Get[int](ctx, s.DB, `SELECT count(*) FROM environment WHERE code = ?`, r.EnvironmentCode)
		if err != nil {
			return err
		}
		if known == 0 {
			return ErrEnvUnknown.With("code", r.EnvironmentCode)
		}
	}
	return nil
}

// checkSubs refuses a workflow that starts another one that is offline or gone.
func (s *Service) checkSubs(ctx context.Context, code int64, what *startable) error {
	if !what.subs {
		return nil
	}
	names, err := db.Select[string](ctx, s.DB, `SELECT COALESCE(d.name, CAST(l.dependent_workflow_code AS TEXT)) FROM workflow_lineage l
		LEFT JOIN workflow_definition d ON d.code = l.dependent_workflow_code
		WHERE l.workflow_code = ? AND l.kind = 'SUB_WORKFLOW' AND (d.code IS NULL OR d.release_state <> 'ONLINE') ORDER BY 1 LIMIT 1`, code)
	if err != nil || len(names) == 0 {
		return err
	}
	return ErrSubOffline.With("name", names[0])
}

func (s *Service) checkTenant(ctx context.Context, code string) error {
	if code == "" || code == tenant.Default {
		return nil
	}
	ok, err := s.Tenants.Exists(ctx, code)
	if err == nil && !ok {
		err = ErrTenantUnknown.With("code", code)
	}
	return err
}

// starter is who starts a run, and how.
type starter struct {
	command  flow.CommandType
	id       int64
	name     string
	schedule *time.Time
}

// newInstance fills an instance from a request.
func newInstance(w workflow.Workflow, version int, what *startable, r StartRequest, by starter, now time.Time) (*Instance, error) {
	zone, err := location(r.TimeZone)
	if err != nil {
		return nil, ErrStartRequest.With("field", "timeZone", "reason", err.Error())
	}
	seen := map[string]bool{}
	for _, p := range r.StartParams {
		if p.Prop == "" || seen[p.Prop] {
			return nil, ErrStartParam.With("name", p.Prop)
		}
		seen[p.Prop] = true
	}
	base := now
	if by.schedule != nil {
		cut := db.Cut(*by.schedule)
		base, by.schedule = cut, &cut
	}
	globals, err := flow.Cure(what.globals, r.StartParams, base.In(zone))
	if err != nil {
		return nil, ErrParamEvaluate.With("reason", err.Error())
	}
	i := &Instance{
		Name:         w.Name + "-" + now.UTC().Format("20060102150405") + fmt.Sprintf("%03d", now.Nanosecond()/1e6),
		WorkflowCode: w.Code, WorkflowVersion: version, WorkflowName: w.Name, ProjectCode: w.ProjectCode, State: flow.WorkflowSubmitted,
		CommandType: by.command, HistoryCmd: string(by.command), DependType: r.Depend, FailureStrategy: r.FailureStrategy,
		WarningType: r.WarningType, WarningGroupID: r.WarningGroupID, Priority: r.Priority, WorkerGroup: r.WorkerGroup,
		TenantCode: r.TenantCode, EnvironmentCode: r.EnvironmentCode, ExecutorID: by.id, ExecutorName: by.name, DryRun: r.DryRun,
		TimeoutMinutes: what.timeout, TimeZone: zone.String(), ScheduleTime: by.schedule, StartTime: now, RestartTime: &now, UpdatedAt: now,
		execution: what.execution,
	}
	if r.stream { // it ends when somebody ends it, and waits for no run of its workflow
		i.Stream, i.IsSubWorkflow, i.TimeoutMinutes, i.execution = true, true, 0, flow.Parallel
	}
	defaults(i)
	if what.serial() && !i.Stream {
		i.State = flow.WorkflowSerialWait
	}
	i.StateHistory = history(now, i.State, string(by.command))
	i.GlobalParams = mustJSON(globals)
	i.CommandParam = mustJSON(flow.CommandParam{StartNodes: r.StartNodes, CommandParams: r.StartParams, TimeZone: zone.String()})
	return i, nil
}

// defaults fills what a request may leave out.
func defaults(i *Instance) {
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set((*string)(&i.DependType), string(flow.TaskPost))
	set((*string)(&i.FailureStrategy), string(flow.FailureContinue))
	set((*string)(&i.WarningType), string(flow.WarningNone))
	set((*string)(&i.Priority), string(flow.Medium))
	set(&i.WorkerGroup, "default")
	set(&i.TenantCode, tenant.Default)
	if i.EnvironmentCode == 0 {
		i.EnvironmentCode = -1
	}
}

func location(name string) (*time.Location, error) {
	switch name {
	case "":
		return time.UTC, nil
	case "Local": // of which machine?
		return nil, fmt.Errorf("unknown time zone %s", name)
	}
	return time.LoadLocation(name)
}

// mustJSON encodes values of our own types, which always can be.
func mustJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	if string(data) == "null" {
		return "[]"
	}
	return string(data)
}
