package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/secret"
	"dorado/modules/engine/core"
	"dorado/modules/flow"
)

// store reads what the engine needs to know; what it decides is written by the committer.
type store struct {
	db     *db.DB
	now    func() time.Time
	sealer *secret.Sealer                                        // nil = secret parameters cannot be opened
	named  func(taskType string, params json.RawMessage) []int64 // data sources in settings; nil = none
	series func(taskType string, params json.RawMessage) Series  // what settings measure; nil = nothing

	mu       sync.Mutex
	programs map[programKey]*program
	tasks    int // in programs
}

// programKey names an immutable version, so what is cached under it never goes stale.
type programKey struct {
	code    int64
	version int
}

// program is a definition made ready to run.
type program struct {
	graph        *flow.Graph
	locals       [][]flow.Property // localParams of each task, by node
	sources      [][]int64         // ids of the data sources that each task names, by node
	series       []Series          // what each task measures, by node
	files        [][]string        // names of the files of the resource center that each task brings, by node
	logic        []any             // what a logic task is to do, decoded, by node; nil for others
	execution    flow.ExecutionType
	environments []int64 // that tasks name
	taskGroups   []int64 // that tasks name
}

// serial reports whether runs of the workflow must not overlap.
func (p *program) serial() bool { return p.execution != "" && p.execution != flow.Parallel }

func newProgram(
	body string, sources func(taskType string, params json.RawMessage) []int64, series func(taskType string, params json.RawMessage) Series,
) (*program, error) {
	def, err := flow.Unmarshal([]byte(body))
	if err != nil {
		return nil, err
	}
	graph, err := flow.Compile(def)
	if err != nil {
		return nil, err
	}
	n := len(graph.Tasks)
	p := &program{
		graph: graph, locals: make([][]flow.Property, n), files: make([][]string, n), sources: make([][]int64, n), series: make([]Series, n),
		logic: make([]any, n), execution: def.ExecutionType,
	}
	for i := range graph.Tasks {
		t := &graph.Tasks[i]
		var common flow.CommonParams
		if raw := t.Params; len(raw) > 0 {
			if err := json.Unmarshal(raw, &common); err != nil {
				return nil, fmt.Errorf("parameters of task %q: %w", t.Name, err)
			}
		}
		p.locals[i] = common.LocalParams
		p.files[i] = flow.ResourceNames(t.Params)
		if sources != nil {
			p.sources[i] = sources(t.Type, t.Params)
		}
		if series != nil {
			p.series[i] = series(t.Type, t.Params)
		}
		p.logic[i] = decodeLogic(t)
		if t.EnvironmentCode > 0 && !slices.Contains(p.environments, t.EnvironmentCode) {
			p.environments = append(p.environments, t.EnvironmentCode)
		}
		if t.TaskGroupID > 0 && !slices.Contains(p.taskGroups, t.TaskGroupID) {
			p.taskGroups = append(p.taskGroups, t.TaskGroupID)
		}
	}
	return p, nil
}

// programLimit bounds the cache, in tasks.
const programLimit = 200_000

// instanceRow is the part of workflow_instance that the engine works with.
type instanceRow struct {
	ID              int64      `db:"id"`
	Name            string     `db:"name"`
	WorkflowCode    int64      `db:"workflow_code"`
	WorkflowVersion int        `db:"workflow_version"`
	WorkflowName    string     `db:"workflow_name"`
	ProjectCode     int64      `db:"project_code"`
	ProjectName     string     `db:"project_name"`
	State           string     `db:"state"`
	StateHistory    string     `db:"state_history"`
	CommandType     string     `db:"command_type"`
	CommandParam    string     `db:"command_param"`
	TaskDependType  string     `db:"task_depend_type"`
	FailureStrategy string     `db:"failure_strategy"`
	Priority        string     `db:"priority"`
	WorkerGroup     string     `db:"worker_group"`
	TenantCode      string     `db:"tenant_code"`
	DryRun          bool       `db:"dry_run"`
	RunTimes        int        `db:"run_times"`
	TimeZone        string     `db:"time_zone"`
	GlobalParams    string     `db:"global_params"`
	ScheduleTime    *time.Time `db:"schedule_time"`
	StartTime       time.Time  `db:"start_time"`
	RestartTime     *time.Time `db:"restart_time"`
	Deadline        *time.Time `db:"deadline"`
	WarningType     string     `db:"warning_type"`
	WarningGroupID  int64      `db:"warning_group_id"`
	EnvironmentCode int64      `db:"environment_code"`
	TimeoutMinutes  int        `db:"timeout_minutes"`
	IsSub           bool       `db:"is_sub_workflow"`
	Stream          bool       `db:"stream"` // one streaming task, started by itself
	Recovery        bool       `db:"recovery"`
	ExecutorName    string     `db:"executor_name"`
	OwnerName       string     `db:"owner_name"`
	Owner           string     `db:"owner"` // the master that works on it; "" = nobody yet
	OwnerEpoch      int64      `db:"owner_epoch"`
}

const instanceColumns = `w.id, w.name, w.workflow_code, w.workflow_version, w.workflow_name, w.project_code, p.name AS project_name,
  w.state, w.state_history, w.command_type, w.command_param, w.task_depend_type, w.failure_strategy, w.priority, w.worker_group,
  w.tenant_code, w.dry_run, w.run_times, w.time_zone, w.global_params, w.schedule_time, w.start_time, w.restart_time, w.deadline,
  w.warning_type, w.warning_group_id, w.environment_code, w.timeout_minutes, w.is_sub_workflow, w.stream, w.recovery, w.executor_name,
  COALESCE((SELECT u.name FROM users u WHERE u.id = p.owner_id), '') AS owner_name, w.owner, w.owner_epoch`

// commandRow is a command with the instance it is about.
type commandRow struct {
	CommandID int64  `db:"command_id"`
	Type      string `db:"command"`
	Param     string `db:"command_args"`
	Executor  int64  `db:"command_executor"`
	Begins    bool   `db:"begins"` // for a command about a run under way: another one that begins the run waits
	instanceRow
}

// reject moves a command that can never be carried out to the error table. One that should have begun the run fails the
// instance, with the reason; one about a run under way leaves it alone.
func (s *store) reject(ctx context.Context, c commandRow, why error) error {
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		now := db.Cut(s.now())
		res, err := s.db.Exec(ctx, `DELETE FROM command WHERE id = ?`, c.CommandID)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		if _, err := s.db.Exec(ctx, `INSERT INTO error_command
			(id, command_type, workflow_instance_id, param, executor_id, message, created_at, failed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			c.CommandID, c.Type, c.ID, c.Param, c.Executor, clip(why.Error()), now, now); err != nil || !begins(flow.CommandType(c.Type)) {
			return err
		}
		if _, err := s.db.Exec(ctx, `UPDATE workflow_instance SET state = 'FAILURE', message = ?, end_time = ?, updated_at = ? WHERE id = ?`,
			clip(why.Error()), now, now, c.ID); err != nil {
			return err
		}
		alert, wanted := rejectAlert(&c, now)
		if !wanted {
			return nil
		}
		_, err = s.db.Exec(ctx, alert.query, alert.args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("reject command %d: %w", c.CommandID, err)
	}
	return nil
}

// abandon ends an instance that nobody can carry on, and its attempts. It returns the instance, nil when it had ended.
func (s *store) abandon(ctx context.Context, run int64, why error, name string, epoch int64) (*instanceRow, error) {
	var failed *instanceRow
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		failed = nil
		if err := s.fence(ctx, name, epoch); err != nil {
			return err
		}
		now, text := s.now(), clip("a change could not be saved: "+why.Error())
		res, err := s.db.Exec(ctx, `UPDATE workflow_instance SET state = 'FAILURE', message = ?, end_time = ?, updated_at = ?
			WHERE id = ? AND state NOT IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE')`, text, now, now, run)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		if _, err := s.db.Exec(ctx, `UPDATE task_instance SET state = 'FAILURE', message = ?, end_time = ? WHERE workflow_instance_id = ? AND valid = ?
			AND state IN ('SUBMITTED_SUCCESS', 'DELAY_EXECUTION', 'DISPATCH', 'RUNNING_EXECUTION')`, text, now, run, true); err != nil {
			return err
		}
		if _, err := s.db.Exec(ctx, `DELETE FROM task_group_slot WHERE workflow_instance_id = ?`, run); err != nil {
			return err
		}
		if _, err := s.db.Exec(ctx, `DELETE FROM command WHERE workflow_instance_id = ? AND command_type NOT IN (`+orders+`)`, run); err != nil {
			return err
		}
		row, err := db.Get[instanceRow](ctx, s.db, `SELECT `+instanceColumns+` FROM workflow_instance w JOIN project p ON p.code = w.project_code WHERE w.id = ?`, run)
		failed = &row
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("abandon workflow instance %d: %w", run, err)
	}
	return failed, nil
}

// errNoVersion says that an instance names a version that is not there.
var errNoVersion = errors.New("engine: the workflow version is gone")

// program returns the graph of a version, from the cache when it was used lately.
func (s *store) program(ctx context.Context, code int64, version int) (*program, error) {
	key := programKey{code, version}
	s.mu.Lock()
	cached := s.programs[key]
	s.mu.Unlock()
	if cached != nil {
		return cached, nil
	}
	body, err := db.Get[string](ctx, s.db, `SELECT body FROM workflow_version WHERE workflow_code = ? AND version = ?`, code, version)
	if errors.Is(err, db.ErrNoRows) {
		return nil, fmt.Errorf("%w: code %d, version %d", errNoVersion, code, version)
	}
	if err != nil {
		return nil, fmt.Errorf("read workflow %d version %d: %w", code, version, err)
	}
	p, err := newProgram(body, s.named, s.series)
	if err != nil {
		return nil, unbuildable{fmt.Errorf("workflow %d version %d: %w", code, version, err)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tasks+len(p.graph.Tasks) > programLimit {
		s.programs, s.tasks = map[programKey]*program{}, 0
	}
	s.programs[key] = p
	s.tasks += len(p.graph.Tasks)
	return p, nil
}

// unbuildable marks an error that no retry can cure.
type unbuildable struct{ error }

func (u unbuildable) Unwrap() error { return u.error }

// permanent reports whether an instance with this error can never run.
func permanent(err error) bool {
	var u unbuildable
	return errors.As(err, &u) || errors.Is(err, errNoVersion)
}

// storedAttempt is a row of task_instance.
type storedAttempt struct {
	ID          int64      `db:"id"`
	TaskCode    int64      `db:"task_code"`
	State       string     `db:"state"`
	Attempt     int        `db:"attempt"`
	WorkerGroup string     `db:"worker_group"`
	Host        string     `db:"host"`
	PID         int        `db:"pid"`
	ExitCode    *int       `db:"exit_code"`
	LogPath     string     `db:"log_path"`
	ExecutePath string     `db:"execute_path"`
	AppLink     string     `db:"app_link"`
	VarPool     string     `db:"var_pool"`
	Message     string     `db:"message"`
	FirstSubmit time.Time  `db:"first_submit_time"`
	Submit      time.Time  `db:"submit_time"`
	Due         *time.Time `db:"due_time"`
	Start       *time.Time `db:"start_time"`
	End         *time.Time `db:"end_time"`
	Context     string     `db:"context"`
	CacheKey    string     `db:"cache_key"`
	GroupRank   int        `db:"task_group_priority"`
	ForceStart  bool       `db:"force_start"`
}

// attempts lists the valid attempts of a run.
func (s *store) attempts(ctx context.Context, run int64) ([]storedAttempt, error) {
	rows, err := db.Select[storedAttempt](ctx, s.db, `SELECT id, task_code, state, attempt, worker_group, host, pid, exit_code, log_path,
		execute_path, app_link, var_pool, message, first_submit_time, submit_time, due_time, start_time, end_time,
		context, cache_key, task_group_priority, force_start
		FROM task_instance WHERE workflow_instance_id = ? AND valid = ? ORDER BY id`, run, true)
	if err != nil {
		return nil, fmt.Errorf("read the attempts of workflow instance %d: %w", run, err)
	}
	return rows, nil
}

// attempt turns a row into what the core works with; node is its task's place in the graph. A logic attempt's host and log
// are this program's own: the core sees neither.
func (a *storedAttempt) attempt(node int32, logic bool) (*core.Attempt, error) {
	state, err := flow.ParseTaskState(a.State)
	if err != nil {
		return nil, unbuildable{err}
	}
	var pool []flow.Property
	if err := json.Unmarshal([]byte(a.VarPool), &pool); err != nil {
		return nil, unbuildable{fmt.Errorf("task instance %d: var_pool: %w", a.ID, err)}
	}
	if logic {
		a.Host, a.LogPath = "", ""
	}
	return &core.Attempt{
		ID: a.ID, Node: node, State: state, Valid: true, Number: a.Attempt, WorkerGroup: a.WorkerGroup, Host: a.Host, PID: a.PID,
		Context: a.Context, CacheKey: a.CacheKey, ExitCode: a.ExitCode, LogPath: a.LogPath, ExecutePath: a.ExecutePath, AppLink: a.AppLink, VarPool: pool, Message: a.Message,
		FirstSubmit: a.FirstSubmit, Submit: a.Submit, Due: orZero(a.Due), Start: orZero(a.Start), End: orZero(a.End),
	}, nil
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// block reserves n task instance ids and returns the first.
func (s *store) block(ctx context.Context, n int64) (int64, error) {
	next, err := db.Get[int64](ctx, s.db, `UPDATE id_block SET next = next + ? WHERE name = 'task_instance' RETURNING next`, n)
	if err != nil {
		return 0, fmt.Errorf("reserve task instance ids: %w", err)
	}
	return next - n, nil
}

// applied says which commands are gone from their table while their instance belongs to this master: it took them.
func (s *store) applied(ctx context.Context, commands []groupedCommand, name string) (map[int64]bool, error) {
	applied := map[int64]bool{}
	for _, c := range commands {
		n, err := db.Get[int](ctx, s.db, `SELECT count(*) FROM workflow_instance w WHERE w.id = ? AND w.owner = ? AND w.owner_epoch = ?
			AND NOT EXISTS (SELECT 1 FROM command c WHERE c.id = ?)`, c.run, name, c.epoch, c.id)
		if err != nil {
			return nil, fmt.Errorf("look for command %d: %w", c.id, err)
		}
		applied[c.id] = n > 0
	}
	return applied, nil
}
