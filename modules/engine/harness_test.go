package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/modules/engine"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

var lastCode atomic.Int64

// codes hands out codes that no other test of this process uses.
func newCode() int64 { return time.Now().UnixNano()>>20<<14 + lastCode.Add(1)<<4 }

// task is an ordinary task; change may make something else of it.
func task(name, kind string, params map[string]any, change ...func(*flow.Task)) flow.Task {
	if params == nil {
		params = map[string]any{"rawScript": "true"}
	}
	raw, err := json.Marshal(params)
	if err != nil {
		panic(err)
	}
	t := flow.Task{
		Code: newCode(), Version: 1, Name: name, Type: kind, Flag: flow.FlagYes, IsCache: flow.FlagNo, Priority: flow.Medium, WorkerGroup: "default",
		Params: raw, EnvironmentCode: -1, ExecuteType: flow.Batch,
	}
	for _, f := range change {
		f(&t)
	}
	return t
}

func shell(name string, change ...func(*flow.Task)) flow.Task {
	return task(name, "SHELL", nil, change...)
}

// define saves a definition and returns it; edges are "a>b" by name.
func (f *fixture) define(execution flow.ExecutionType, tasks []flow.Task, edges ...string) *flow.Definition {
	f.t.Helper()
	code := newCode()
	def := &flow.Definition{Code: code, Version: 1, ProjectCode: 7, Name: fmt.Sprint("w", code), ExecutionType: execution, Tasks: tasks}
	byName := map[string]int64{}
	for i := range tasks {
		byName[tasks[i].Name] = tasks[i].Code
	}
	for _, e := range edges {
		from, to, _ := strings.Cut(e, ">")
		def.Edges = append(def.Edges, flow.Edge{Pre: byName[from], Post: byName[to]})
	}
	body, err := flow.Marshal(def)
	require.NoError(f.t, err)
	now := time.Now()
	exec(f.t, f.db, `INSERT INTO workflow_definition (code, project_code, name, version, release_state, execution_type, owner_id, modified_by, created_at, updated_at)
		VALUES (?, 7, ?, 1, 'ONLINE', ?, 1, 1, ?, ?)`, code, def.Name, execution, now, now)
	exec(f.t, f.db, `INSERT INTO workflow_version (workflow_code, version, body, operator_id, created_at) VALUES (?, 1, ?, 1, ?)`, code, string(body), now)
	return def
}

// run is what a test says of a new instance.
type run struct {
	schedule time.Time
	globals  []flow.Property
	params   []flow.Property
	warning  flow.WarningType
	priority flow.Priority
	project  int64
	deadline time.Time
	zone     string
	parent   int64 // id of the instance whose task starts this one
	env      int64
	stream   int64 // code of the streaming task that is started by itself
}

// begin inserts an instance, with its command or its place in the queue, as the modules above do.
func (f *fixture) begin(ctx context.Context, def *flow.Definition, r run) (int64, error) {
	var id int64
	err := f.db.InTx(ctx, func(ctx context.Context) error {
		now := db.Cut(time.Now())
		state := flow.WorkflowSubmitted
		if def.ExecutionType != flow.Parallel && r.stream == 0 {
			state = flow.WorkflowSerialWait
		}
		cp, depend := flow.CommandParam{CommandParams: r.params, ParentInstanceID: r.parent}, flow.TaskPost
		if r.stream != 0 {
			cp.StartNodes, depend = []int64{r.stream}, flow.TaskOnly
		}
		param, _ := json.Marshal(cp)
		globals := "[]"
		if r.globals != nil {
			raw, _ := json.Marshal(r.globals)
			globals = string(raw)
		}
		var schedule, deadline any
		if !r.schedule.IsZero() {
			schedule = r.schedule
		}
		if !r.deadline.IsZero() {
			deadline = r.deadline
		}
		group := 0
		if r.warning == "" {
			r.warning = flow.WarningNone
		} else {
			group = 1
		}
		if r.priority == "" {
			r.priority = flow.Medium
		}
		if r.project == 0 {
			r.project = 7
		}
		if r.zone == "" {
			r.zone = "UTC"
		}
		if r.env == 0 {
			r.env = -1
		}
		var err error
		id, err = db.Get[int64](ctx, f.db, `INSERT INTO workflow_instance (name, workflow_code, workflow_version, workflow_name, project_code, state,
			command_type, command_param, global_params, executor_id, executor_name, schedule_time, deadline, warning_type, warning_group_id, priority,
			is_sub_workflow, stream, task_depend_type, time_zone, environment_code, start_time, restart_time, created_at, updated_at)
			VALUES ('i', ?, 1, ?, ?, ?, 'START_PROCESS', ?, ?, 1, 'ann', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			def.Code, def.Name, r.project, state, string(param), globals, schedule, deadline, r.warning, group, r.priority, r.parent != 0 || r.stream != 0, r.stream != 0, depend, r.zone, r.env,
			now, now, now, now)
		if err != nil {
			return err
		}
		if state == flow.WorkflowSubmitted {
			return f.command(ctx, id, flow.CommandStart)
		}
		if _, err := f.db.Exec(ctx, `INSERT INTO serial_queue (workflow_code, workflow_instance_id, execution_type, command_type, state, created_at)
			VALUES (?, ?, ?, 'START_PROCESS', 'WAITING', ?)`, def.Code, id, def.ExecutionType, now); err != nil {
			return err
		}
		return f.db.Notify(ctx, engine.SerialChannel, fmt.Sprint(def.Code))
	})
	return id, err
}

func (f *fixture) run(def *flow.Definition, r run) int64 {
	f.t.Helper()
	id, err := f.begin(f.t.Context(), def, r)
	require.NoError(f.t, err)
	return id
}

// operate asks for an operation as the modules above do.
func (f *fixture) operate(id int64, kind flow.CommandType) {
	f.t.Helper()
	require.NoError(f.t, f.db.InTx(f.t.Context(), func(ctx context.Context) error {
		var err error
		now := time.Now()
		switch kind {
		case flow.CommandStop:
			_, err = f.db.Exec(ctx, `UPDATE workflow_instance SET state = 'READY_STOP' WHERE id = ? AND state <> 'SERIAL_WAIT'`, id)
		case flow.CommandPause:
			_, err = f.db.Exec(ctx, `UPDATE workflow_instance SET state = 'READY_PAUSE' WHERE id = ? AND state <> 'SERIAL_WAIT'`, id)
		default:
			_, err = f.db.Exec(ctx, `UPDATE workflow_instance SET state = 'SUBMITTED_SUCCESS', command_type = ?, run_times = run_times + 1, end_time = NULL,
				restart_time = ?, owner = '' WHERE id = ?`, kind, db.Cut(now), id)
		}
		if err != nil {
			return err
		}
		return f.command(ctx, id, kind)
	}))
}

// order leaves a command about one attempt.
func (f *fixture) order(instance int64, kind flow.CommandType, args flow.CommandArgs) {
	f.t.Helper()
	raw, err := json.Marshal(args)
	require.NoError(f.t, err)
	exec(f.t, f.db, `INSERT INTO command (command_type, workflow_instance_id, executor_id, param, created_at) VALUES (?, ?, 1, ?, ?)`, kind, instance, string(raw), time.Now())
	f.engine.Nudge()
}

// attempt is a row of task_instance.
type attempt struct {
	ID      int64      `db:"id"`
	State   string     `db:"state"`
	Message string     `db:"message"`
	VarPool string     `db:"var_pool"`
	Context string     `db:"context"`
	LogPath string     `db:"log_path"`
	Host    string     `db:"host"`
	Start   *time.Time `db:"start_time"`
}

func (f *fixture) attempts(instance int64, name string) []attempt {
	f.t.Helper()
	rows, err := db.Select[attempt](f.t.Context(), f.db, `SELECT id, state, message, var_pool, context, log_path, host, start_time FROM task_instance
		WHERE workflow_instance_id = ? AND name = ? ORDER BY id`, instance, name)
	require.NoError(f.t, err)
	return rows
}

func (f *fixture) attempt(instance int64, name string) attempt {
	f.t.Helper()
	rows := f.attempts(instance, name)
	require.NotEmpty(f.t, rows, "task %s has no attempt", name)
	return rows[len(rows)-1]
}

func (f *fixture) waitTask(instance int64, name string, want flow.TaskState) attempt {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		rows := f.attempts(instance, name)
		return len(rows) > 0 && rows[len(rows)-1].State == string(want)
	}, 60*time.Second, 5*time.Millisecond, "task %s should become %s", name, want)
	return f.attempt(instance, name)
}

// waitCommands waits until everything that was asked for is being done.
func (f *fixture) waitCommands() {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		n, err := db.Get[int](f.t.Context(), f.db, `SELECT count(*) FROM command`)
		return err == nil && n == 0
	}, 60*time.Second, 5*time.Millisecond)
}

// children lists the runs that a task started, in order.
func (f *fixture) children(instance int64) []int64 {
	f.t.Helper()
	ids, err := db.Select[int64](f.t.Context(), f.db, `SELECT child_instance_id FROM instance_link WHERE parent_instance_id = ? ORDER BY position, child_instance_id`, instance)
	require.NoError(f.t, err)
	return ids
}

func (f *fixture) waitChildren(instance int64, n int) []int64 {
	f.t.Helper()
	require.Eventually(f.t, func() bool { return len(f.children(instance)) >= n }, 60*time.Second, 5*time.Millisecond)
	return f.children(instance)
}

// log reads the log of a logic task.
func (f *fixture) log(a attempt) string {
	f.t.Helper()
	var lines []string
	err := f.engine.ReadLog(f.t.Context(), a.Host, &doradov1.LogRequest{Path: a.LogPath, Want: &doradov1.LogRequest_Lines{Lines: &doradov1.LogLines{Limit: 1000}}},
		func(r *doradov1.LogReply) error {
			lines = append(lines, r.GetLines()...)
			return nil
		})
	require.NoError(f.t, err)
	return strings.Join(lines, "\n")
}

// StartChild implements engine.Children over the same tables as the product.
func (f *fixture) StartChild(ctx context.Context, r engine.ChildRequest) (int64, error) {
	var id int64
	err := f.db.InTx(ctx, func(ctx context.Context) error {
		_, err := db.Get[int64](ctx, f.db, `SELECT id FROM workflow_instance WHERE id = ? `+f.db.Dialect().ForUpdate(), r.ParentInstanceID)
		if err != nil {
			return err
		}
		id, err = db.Get[int64](ctx, f.db, `SELECT child_instance_id FROM instance_link WHERE parent_task_instance_id = ? AND position = ?`, r.ParentTaskInstanceID, r.Position)
		if err == nil || !errors.Is(err, db.ErrNoRows) {
			return err
		}
		body, err := db.Get[string](ctx, f.db, `SELECT body FROM workflow_version WHERE workflow_code = ? AND version = 1`, r.WorkflowCode)
		if err != nil {
			return fault.New(fault.NotFound, "workflow.not_found").Because(err)
		}
		def, err := flow.Unmarshal([]byte(body))
		if err != nil {
			return err
		}
		if id, err = f.begin(ctx, def, run{params: r.StartParams, parent: r.ParentInstanceID}); err != nil {
			return err
		}
		_, err = f.db.Exec(ctx, `INSERT INTO instance_link (parent_instance_id, parent_task_instance_id, parent_task_code, child_instance_id, position, element)
			VALUES (?, ?, ?, ?, ?, ?)`, r.ParentInstanceID, r.ParentTaskInstanceID, r.ParentTaskCode, id, r.Position, r.Element)
		return err
	})
	return id, err
}

// finish ends an attempt that the worker holds.
func (w *worker) finish(task *doradov1.Task, outcome doradov1.Outcome, out ...*doradov1.Param) {
	r := finished(task, outcome)
	r.VarPool = out
	w.report(r)
}

// wait returns the n-th task that the worker was given, from 1.
func (w *worker) wait(t *testing.T, n int) *doradov1.Task { return w.waitHeld(t, n)[n-1] }

// param is the value of a parameter that a task was given.
func param(t *doradov1.Task, name string) string {
	for _, p := range t.GetPrepared() {
		if p.GetName() == name {
			return p.GetValue()
		}
	}
	return "(none)"
}

func codeText(code int64) string { return fmt.Sprint(code) }

func (f *fixture) logHas(a attempt, text string) bool {
	f.t.Helper()
	return strings.Contains(f.log(a), text)
}
