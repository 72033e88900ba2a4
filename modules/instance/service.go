package instance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
	"dorado/modules/workflow"
)

// commandChannel is where masters are told of commands.
const commandChannel = "dorado_command"

// Deps are the parts that the service is built from.
type Deps struct {
	DB        *db.DB
	Access    *access.Service
	Audit     *audit.Service
	Workflows *workflow.Service
	Tenants   Tenants
	Logs      Logs
	Workers   Workers
	Now       func() time.Time
	Logger    *slog.Logger
}

// Service is the door to everything that ran.
type Service struct {
	Deps
	store store

	mu      sync.Mutex
	starts  map[versionKey]*startable
	watches *watches
}

type versionKey struct {
	code    int64
	version int
}

// startable is what a trigger needs to know of an immutable version.
type startable struct {
	globals []flow.Property
	timeout int
	tasks   map[int64]bool
}

// startableLimit bounds the versions that are remembered.
const startableLimit = 1000

// New returns the service.
func New(d Deps) *Service {
	return &Service{Deps: d, store: store{d.DB}, starts: map[versionKey]*startable{}, watches: newWatches()}
}

func (s *Service) now() time.Time { return db.Cut(s.Now()) }

// Start triggers a workflow and returns the id of the new instance, which exists when Start returns. It returns
// workflow.ErrNotFound, ErrOffline, ErrStartNode, ErrTenantUnknown, ErrStartParam, ErrParamEvaluate, or a Forbidden fault.
func (s *Service) Start(ctx context.Context, project int64, r StartRequest) (int64, error) {
	if err := s.Access.RequireProject(ctx, project, Operate); err != nil {
		return 0, err
	}
	if r.IdempotencyKey != "" {
		if id, found, err := s.store.byIdempotencyKey(ctx, r.IdempotencyKey); err != nil || found {
			return id, err
		}
	}
	w, err := s.Workflows.In(ctx, project, r.WorkflowCode)
	if err != nil {
		return 0, err
	}
	if !w.Online() {
		return 0, ErrOffline.With("name", w.Name)
	}
	version := r.Version
	if version == 0 {
		version = w.Version
	}
	what, err := s.startable(ctx, w.Code, version)
	if err != nil {
		return 0, err
	}
	for _, code := range r.StartNodes {
		if !what.tasks[code] {
			return 0, ErrStartNode.With("code", code)
		}
	}
	if err := s.checkTenant(ctx, r.TenantCode); err != nil {
		return 0, err
	}
	i, err := s.newInstance(ctx, w, version, what, r)
	if err != nil {
		return 0, err
	}
	var id int64
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		if id, err = s.store.insert(ctx, i, r.IdempotencyKey); err != nil {
			return fmt.Errorf("insert workflow instance: %w", err)
		}
		if err := s.store.command(ctx, flow.CommandStart, id, i.Priority, i.ExecutorID, i.StartTime); err != nil {
			return fmt.Errorf("insert command: %w", err)
		}
		if err := s.Audit.Record(ctx, audit.Entry{
			Action: "workflow.start", ObjectType: "workflow", ObjectID: strconv.FormatInt(w.Code, 10), ObjectName: w.Name, ProjectCode: project,
			Detail: map[string]any{"workflowInstanceId": id, "version": version},
		}); err != nil {
			return err
		}
		return s.DB.Notify(ctx, commandChannel, strconv.FormatInt(id, 10))
	})
	if name, ok := db.Conflict(err); ok && name == "uq_workflow_instance_idempotency_key" {
		id, _, err := s.store.byIdempotencyKey(ctx, r.IdempotencyKey) // somebody was quicker with the same key
		return id, err
	}
	return id, err
}

func (s *Service) checkTenant(ctx context.Context, code string) error {
	if code == "" || code == "default" {
		return nil
	}
	ok, err := s.Tenants.TenantExists(ctx, code)
	if err == nil && !ok {
		err = ErrTenantUnknown.With("code", code)
	}
	return err
}

// newInstance fills an instance from a request.
func (s *Service) newInstance(ctx context.Context, w workflow.Workflow, version int, what *startable, r StartRequest) (*Instance, error) {
	who, err := access.Must(ctx)
	if err != nil {
		return nil, err
	}
	now := s.now()
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
	globals, err := flow.Cure(what.globals, r.StartParams, now.In(zone))
	if err != nil {
		return nil, ErrParamEvaluate.With("reason", err.Error())
	}
	i := &Instance{
		Name:         w.Name + "-" + now.UTC().Format("20060102150405") + fmt.Sprintf("%03d", now.Nanosecond()/1e6),
		WorkflowCode: w.Code, WorkflowVersion: version, WorkflowName: w.Name, ProjectCode: w.ProjectCode, State: flow.WorkflowSubmitted,
		CommandType: flow.CommandStart, HistoryCmd: string(flow.CommandStart), DependType: r.Depend, FailureStrategy: r.FailureStrategy,
		WarningType: r.WarningType, WarningGroupID: r.WarningGroupID, Priority: r.Priority, WorkerGroup: r.WorkerGroup,
		TenantCode: r.TenantCode, EnvironmentCode: r.EnvironmentCode, ExecutorID: who.UserID, ExecutorName: who.Name, DryRun: r.DryRun,
		TimeoutMinutes: what.timeout, TimeZone: zone.String(), StartTime: now, RestartTime: &now, UpdatedAt: now,
	}
	defaults(i)
	i.StateHistory = mustJSON([]map[string]string{{
		"time": now.UTC().Format(time.DateTime), "state": string(flow.WorkflowSubmitted), "desc": string(flow.CommandStart),
	}})
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
	set(&i.TenantCode, "default")
	if i.EnvironmentCode == 0 {
		i.EnvironmentCode = -1
	}
}

func location(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
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

// startable reads what starting a version needs, once.
func (s *Service) startable(ctx context.Context, code int64, version int) (*startable, error) {
	key := versionKey{code, version}
	s.mu.Lock()
	known := s.starts[key]
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	def, err := s.Workflows.Definition(ctx, code, version)
	if err != nil {
		return nil, err
	}
	what := &startable{globals: def.GlobalParams, timeout: def.TimeoutMinutes, tasks: make(map[int64]bool, len(def.Tasks))}
	for i := range def.Tasks {
		what.tasks[def.Tasks[i].Code] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.starts) >= startableLimit {
		clear(s.starts)
	}
	s.starts[key] = what
	return what, nil
}

// Operate carries out an operation on an instance: pause, stop, resume, recover failed, rerun. It returns ErrNotFound,
// ErrNotAllowed with the reason, ErrChangedState when somebody else was quicker, or a Forbidden fault.
func (s *Service) Operate(ctx context.Context, id int64, op flow.Operation) error {
	i, err := s.store.get(ctx, id)
	if err != nil {
		return err
	}
	if err := s.Access.RequireProject(ctx, i.ProjectCode, Operate); err != nil {
		return hide(err)
	}
	if ok, reason := flow.Allowed(op, i.State); !ok {
		return ErrNotAllowed.With("reason", reason, "state", string(i.State))
	}
	who, err := access.Must(ctx)
	if err != nil {
		return err
	}
	now := s.now()
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		kind, done, err := s.wish(ctx, i, op, now)
		if err != nil {
			return err
		}
		if !done {
			return ErrChangedState
		}
		if err := s.store.command(ctx, kind, id, i.Priority, who.UserID, now); err != nil {
			return fmt.Errorf("insert command: %w", err)
		}
		if err := s.record(ctx, i, strings.ToLower(string(op))); err != nil {
			return err
		}
		return s.DB.Notify(ctx, commandChannel, strconv.FormatInt(id, 10))
	})
}

// wish writes what an operation means for the instance's row and names the command that goes with it.
func (s *Service) wish(ctx context.Context, i *Instance, op flow.Operation, now time.Time) (flow.CommandType, bool, error) {
	switch op {
	case flow.OpPause:
		done, err := s.store.wish(ctx, i.ID, i.State, flow.WorkflowReadyPause, now)
		return flow.CommandPause, done, err
	case flow.OpStop:
		done, err := s.store.wish(ctx, i.ID, i.State, flow.WorkflowReadyStop, now)
		return flow.CommandStop, done, err
	case flow.OpResume:
		done, err := s.store.revive(ctx, i, flow.CommandResume, i.GlobalParams, now)
		return flow.CommandResume, done, err
	case flow.OpRecoverFailed:
		done, err := s.store.revive(ctx, i, flow.CommandRecoverFailed, i.GlobalParams, now)
		return flow.CommandRecoverFailed, done, err
	case flow.OpRerun:
		globals, err := s.cureAgain(ctx, i, now)
		if err != nil {
			return "", false, err
		}
		done, err := s.store.revive(ctx, i, flow.CommandRepeat, globals, now)
		return flow.CommandRepeat, done, err
	case flow.OpExecuteTask, flow.OpDelete, flow.OpEdit, flow.OpForceSuccess:
	}
	return "", false, ErrStartRequest.With("field", "executeType", "reason", string(op))
}

// cureAgain resolves the global parameters of a rerun, at the schedule time if the run has one (engine.md 2.5).
func (s *Service) cureAgain(ctx context.Context, i *Instance, now time.Time) (string, error) {
	what, err := s.startable(ctx, i.WorkflowCode, i.WorkflowVersion)
	if err != nil {
		return "", err
	}
	var param flow.CommandParam
	if err := json.Unmarshal([]byte(i.CommandParam), &param); err != nil {
		return "", fmt.Errorf("workflow instance %d: command_param: %w", i.ID, err)
	}
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

func (s *Service) record(ctx context.Context, i *Instance, action string) error {
	return s.Audit.Record(ctx, audit.Entry{
		Action: "workflow_instance." + action, ObjectType: "workflow_instance", ObjectID: strconv.FormatInt(i.ID, 10), ObjectName: i.Name, ProjectCode: i.ProjectCode,
	})
}

// Delete removes a finished instance, its attempts and their logs. It returns ErrNotFound, ErrNotAllowed or a Forbidden
// fault.
func (s *Service) Delete(ctx context.Context, id int64) error {
	i, err := s.store.get(ctx, id)
	if err != nil {
		return err
	}
	if err := s.Access.RequireProject(ctx, i.ProjectCode, Delete); err != nil {
		return hide(err)
	}
	return s.remove(ctx, i)
}

func (s *Service) remove(ctx context.Context, i *Instance) error {
	if ok, reason := flow.Allowed(flow.OpDelete, i.State); !ok {
		return ErrNotAllowed.With("reason", reason, "state", string(i.State))
	}
	tasks, err := s.store.tasks(ctx, i.ID, false)
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
		db.AfterCommit(ctx, func(ctx context.Context) { s.removeLogs(ctx, tasks) })
		return s.record(ctx, i, "delete")
	})
}

// removeLogs asks the workers to delete logs. A worker that is away keeps its files; they are of no row any more.
func (s *Service) removeLogs(ctx context.Context, tasks []Task) {
	for _, t := range tasks {
		if t.LogPath == "" || t.Host == "" {
			continue
		}
		req := &doradov1.LogRequest{Path: t.LogPath, Want: &doradov1.LogRequest_Remove{Remove: &doradov1.LogRemove{}}}
		if err := s.Logs.ReadLog(ctx, t.Host, req, func(*doradov1.LogReply) error { return nil }); err != nil {
			s.Logger.DebugContext(ctx, "a log stays on its worker", "task_instance_id", t.ID, "worker", t.Host, "error", err)
		}
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

// DeleteInstances removes the finished instances of a workflow that is being deleted, in the caller's transaction.
func (s *Service) DeleteInstances(ctx context.Context, code int64) error {
	ids, err := s.store.idsOf(ctx, code)
	if err != nil {
		return err
	}
	for _, id := range ids {
		i, err := s.store.get(ctx, id)
		if err != nil {
			return err
		}
		if err := s.remove(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// hide makes what one may not see look as if it were not there, so that ids tell nothing about other people's projects.
func hide(err error) error {
	if errors.Is(err, access.ErrDenied) {
		return errors.Join(ErrNotFound, err)
	}
	return err
}

// Get returns an instance. It returns ErrNotFound, also for one that the caller may not see.
func (s *Service) Get(ctx context.Context, id int64) (*Instance, error) {
	i, err := s.store.get(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := s.Access.RequireProject(ctx, i.ProjectCode, Read); err != nil {
		return nil, hide(err)
	}
	return i, nil
}

// GetIn is Get for an instance that must belong to a project.
func (s *Service) GetIn(ctx context.Context, project, id int64) (*Instance, error) {
	i, err := s.Get(ctx, id)
	if err == nil && i.ProjectCode != project {
		return nil, ErrNotFound.With("id", id)
	}
	return i, err
}

// Tasks lists the attempts of an instance, oldest first; with valid only the current attempt of each task.
func (s *Service) Tasks(ctx context.Context, instance int64, valid bool) ([]Task, error) {
	if _, err := s.Get(ctx, instance); err != nil {
		return nil, err
	}
	return s.store.tasks(ctx, instance, valid)
}

// Task returns one attempt with its run's names. It returns ErrTaskNotFound, also for one that the caller may not see.
func (s *Service) Task(ctx context.Context, id int64) (*ListedTask, error) {
	t, err := s.store.task(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := s.Access.RequireProject(ctx, t.ProjectCode, Read); err != nil {
		if errors.Is(err, access.ErrDenied) {
			return nil, ErrTaskNotFound.With("id", id)
		}
		return nil, err
	}
	return t, nil
}

// Attempts lists all attempts of the task that an attempt belongs to, oldest first.
func (s *Service) Attempts(ctx context.Context, t *ListedTask) ([]Task, error) {
	return s.store.attempts(ctx, t.WorkflowInstanceID, t.TaskCode)
}

// Spec is what the list of instances can be sorted and narrowed by.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"start": "w.start_time", "name": "w.name", "state": "w.state", "end": "w.end_time"},
		Search:  []string{"w.name"}, Default: "-start", ID: "w.id",
		Filters: map[string]string{
			"state": "w.state", "workflow": "CAST(w.workflow_code AS TEXT)", "executor": "w.executor_name", "type": "w.command_type",
		},
	}
}

// TaskSpec is what the list of task instances can be sorted and narrowed by.
func TaskSpec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"submit": "t.submit_time", "start": "t.start_time", "end": "t.end_time", "name": "t.name", "state": "t.state"},
		Search:  []string{"t.name", "w.name"}, Default: "-submit", ID: "t.id",
		Filters: map[string]string{
			"state": "t.state", "type": "t.task_type", "instance": "CAST(t.workflow_instance_id AS TEXT)", "host": "t.host",
			"executor": "w.executor_name", "task": "CAST(t.task_code AS TEXT)",
		},
	}
}

// Range narrows a list to runs that began in [From, To); a zero end is open.
type Range struct{ From, To time.Time }

// List lists the instances of a project, without those of sub-workflows.
func (s *Service) List(ctx context.Context, project int64, q listing.Query, r Range) (listing.Page[Instance], error) {
	if err := s.Access.RequireProject(ctx, project, Read); err != nil {
		return listing.Page[Instance]{}, err
	}
	where, args := `w.project_code = ? AND w.is_sub_workflow = ?`, []any{project, false}
	where, args = r.narrow("w.start_time", where, args)
	return s.store.list(ctx, where, args, q)
}

// ListTasks lists the current attempts of a project.
func (s *Service) ListTasks(ctx context.Context, project int64, q listing.Query, r Range) (listing.Page[ListedTask], error) {
	if err := s.Access.RequireProject(ctx, project, Read); err != nil {
		return listing.Page[ListedTask]{}, err
	}
	where, args := r.narrow("t.submit_time", `t.project_code = ?`, []any{project})
	return s.store.listTasks(ctx, where, args, q)
}

func (r Range) narrow(column, where string, args []any) (string, []any) {
	if !r.From.IsZero() {
		where, args = where+" AND "+column+" >= ?", append(args, r.From)
	}
	if !r.To.IsZero() {
		where, args = where+" AND "+column+" < ?", append(args, r.To)
	}
	return where, args
}
