package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/flow"
)

// childRow is a run that a task started.
type childRow struct {
	ID           int64      `db:"id"`
	Position     int        `db:"position"`
	Element      string     `db:"element"`
	State        string     `db:"state"`
	Began        time.Time  `db:"start_time"`
	Again        *time.Time `db:"restart_time"`
	WorkflowCode int64      `db:"workflow_code"`
}

func (c *childRow) state() flow.WorkflowState { return flow.WorkflowState(c.State) }

// since is when the latest run of the child began.
func (c *childRow) since() time.Time {
	if c.Again != nil && c.Again.After(c.Began) {
		return *c.Again
	}
	return c.Began
}

// startsAgain reports whether a child that ended is from before the attempt and did not succeed: it is to go on.
func (c *childRow) startsAgain(t *logicTask) bool {
	return c.state().Finished() && c.state() != flow.WorkflowSuccess && c.since().Before(t.started)
}

// kin is what a task that starts runs remembers.
type kin struct {
	Task int64 `json:"task"` // under which its children are linked: the first attempt
}

// family is the task instance under which the children of a task are linked. It is remembered before the first is started,
// so that a retry finds them.
func (g *logic) family(t *logicTask) int64 {
	var k kin
	if t.context != "" && json.Unmarshal([]byte(t.context), &k) == nil && k.Task != 0 {
		return k.Task
	}
	k.Task = t.attempt
	text, err := json.Marshal(k)
	if err == nil {
		g.note(t, string(text))
	}
	return t.attempt
}

const childColumns = `w.id, l.position, l.element, w.state, w.start_time, w.restart_time, w.workflow_code`

// childrenOf lists the runs that a task started, by position.
func (s *store) childrenOf(ctx context.Context, task int64) ([]childRow, error) {
	rows, err := db.Select[childRow](ctx, s.db, `SELECT `+childColumns+` FROM instance_link l
		JOIN workflow_instance w ON w.id = l.child_instance_id WHERE l.parent_task_instance_id = ? ORDER BY l.position`, task)
	if err != nil {
		return nil, fmt.Errorf("list the children of task instance %d: %w", task, err)
	}
	return rows, nil
}

func (s *store) childAt(ctx context.Context, task int64, position int) (*childRow, error) {
	row, err := db.Get[childRow](ctx, s.db, `SELECT `+childColumns+` FROM instance_link l
		JOIN workflow_instance w ON w.id = l.child_instance_id WHERE l.parent_task_instance_id = ? AND l.position = ?`, task, position)
	if errors.Is(err, db.ErrNoRows) {
		return nil, nil
	}
	return &row, err
}

// startable says why a workflow cannot be started, "" when it can.
func (s *store) startable(ctx context.Context, code int64) (string, error) {
	type head struct {
		Name  string `db:"name"`
		State string `db:"release_state"`
	}
	h, err := db.Get[head](ctx, s.db, `SELECT name, release_state FROM workflow_definition WHERE code = ?`, code)
	switch {
	case errors.Is(err, db.ErrNoRows):
		return fmt.Sprintf("workflow %d does not exist", code), nil
	case err != nil:
		return "", err
	case h.State != string(flow.Online):
		return fmt.Sprintf("workflow %q is offline", h.Name), nil
	}
	return "", nil
}

// ask has a child stop or pause. A child that has not begun ends at once; ended says so. Asked again it changes nothing.
func (s *store) ask(ctx context.Context, child int64, kind flow.CommandType) (ended bool, err error) {
	wish, direct := flow.WorkflowReadyStop, flow.WorkflowStop
	from := `'SUBMITTED_SUCCESS', 'RUNNING_EXECUTION', 'READY_PAUSE', 'FAILOVER'`
	if kind == flow.CommandPause {
		wish, direct = flow.WorkflowReadyPause, flow.WorkflowPause
		from = `'SUBMITTED_SUCCESS', 'RUNNING_EXECUTION', 'FAILOVER'`
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		now := s.now()
		res, err := s.db.Exec(ctx, `UPDATE workflow_instance SET state = ?, end_time = ?, updated_at = ? WHERE id = ? AND state IN ('SERIAL_WAIT', 'WAIT_TO_RUN')`,
			direct, now, now, child)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n > 0 {
			ended = true
			_, err = s.db.Exec(ctx, `DELETE FROM serial_queue WHERE workflow_instance_id = ?`, child)
			return err
		}
		res, err = s.db.Exec(ctx, `UPDATE workflow_instance SET state = ?, updated_at = ? WHERE id = ? AND state IN (`+from+`)`, wish, now, child)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return s.command(ctx, kind, child)
	})
	return ended, err
}

// revive has a child that ended go on: what failed or was stopped in it runs again.
func (s *store) revive(ctx context.Context, c *childRow) error {
	kind := flow.CommandRecoverFailed
	if c.state() == flow.WorkflowPause {
		kind = flow.CommandResume
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		now := s.now()
		res, err := s.db.Exec(ctx, `UPDATE workflow_instance SET state = 'SUBMITTED_SUCCESS', command_type = ?,
			history_cmd = CASE WHEN history_cmd = '' THEN CAST(? AS TEXT) ELSE history_cmd || ',' || CAST(? AS TEXT) END,
			run_times = run_times + 1, message = '', end_time = NULL, restart_time = ?, owner = '', updated_at = ? WHERE id = ? AND state = ?`,
			kind, kind, kind, now, now, c.ID, c.State)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return s.command(ctx, kind, c.ID)
	})
}

// command asks this very engine for something, in the name of whoever started the instance.
func (s *store) command(ctx context.Context, kind flow.CommandType, instance int64) error {
	if _, err := s.db.Exec(ctx, `INSERT INTO command (command_type, workflow_instance_id, priority, executor_id, created_at)
		SELECT CAST(? AS TEXT), id, `+commandPriority+`, executor_id, CAST(? AS `+s.instantType()+`) FROM workflow_instance WHERE id = ?`, kind, s.now(), instance); err != nil {
		return err
	}
	return s.db.Notify(ctx, CommandChannel, fmt.Sprint(instance))
}

func (s *store) instantType() string {
	if s.db.Dialect().Name() == "postgres" {
		return "TIMESTAMPTZ"
	}
	return "TEXT"
}

// outputs are what a run put out: the values of its tasks, and its globals that are declared OUT.
func (s *store) outputs(ctx context.Context, child int64) ([]flow.Property, error) {
	type row struct {
		VarPool string `db:"var_pool"`
		Globals string `db:"global_params"`
	}
	r, err := db.Get[row](ctx, s.db, `SELECT var_pool, global_params FROM workflow_instance WHERE id = ?`, child)
	if err != nil {
		return nil, fmt.Errorf("read what workflow instance %d put out: %w", child, err)
	}
	var pool, globals []flow.Property
	if err := errors.Join(json.Unmarshal([]byte(r.VarPool), &pool), json.Unmarshal([]byte(r.Globals), &globals)); err != nil {
		return nil, fmt.Errorf("workflow instance %d: %w", child, err)
	}
	seen := make(map[string]bool, len(pool))
	out := make([]flow.Property, 0, len(pool))
	for _, p := range pool {
		p.Direct = flow.Out
		seen[p.Prop] = true
		out = append(out, p)
	}
	for _, p := range globals {
		if p.Direct == flow.Out && !seen[p.Prop] {
			out = append(out, p)
		}
	}
	return out, nil
}

// startChild starts one run of a task, or says why that is impossible.
func (g *logic) startChild(ctx context.Context, t *logicTask, r ChildRequest) (id int64, why string, err error) {
	if g.e.children == nil {
		return 0, "this program starts no sub-workflows", nil
	}
	if why, err = g.e.store.startable(ctx, r.WorkflowCode); why != "" || err != nil {
		return 0, why, err
	}
	r.ParentInstanceID, r.ParentTaskCode = t.run, t.code
	id, err = g.e.children.StartChild(ctx, r)
	if err != nil {
		if text, final := refusal(err); final {
			return 0, text, nil
		}
		return 0, "", err
	}
	g.adoptChild(id, t, true)
	g.e.Nudge()
	return id, "", nil
}

// askChild passes a stop or a pause on. A child that had not begun has ended by it, which is told like any end.
func (g *logic) askChild(ctx context.Context, c *childRow, kind flow.CommandType) error {
	ended, err := g.e.store.ask(ctx, c.ID, kind)
	if err != nil {
		return err
	}
	if ended {
		state := flow.WorkflowStop
		if kind == flow.CommandPause {
			state = flow.WorkflowPause
		}
		g.e.settled(Ended{InstanceID: c.ID, WorkflowCode: c.WorkflowCode, State: state, StartTime: c.Began, EndTime: g.e.clock()})
	}
	g.e.Nudge()
	return nil
}

// subWork is a SUB_WORKFLOW: one child whose end is the task's.
type subWork struct {
	workflow int64
	params   []flow.Property

	known   bool // the child was looked for
	child   int64
	stopped bool // a stop was passed on
	paused  bool
}

// step implements logicWork.
func (s *subWork) step(ctx context.Context, g *logic, t *logicTask, w wakeUp) (*logicEnd, error) {
	family := g.family(t)
	c, err := g.e.store.childAt(ctx, family, 0)
	if err != nil {
		return nil, err
	}
	if c == nil {
		if s.known && s.child != 0 {
			return &logicEnd{outcome: flow.TaskFailure, message: fmt.Sprintf("workflow instance %d was deleted", s.child)}, nil
		}
		if w.stop {
			return &logicEnd{outcome: flow.TaskKill, message: "stopped before the sub-workflow began"}, nil
		}
		if w.park {
			return &logicEnd{outcome: flow.TaskPause}, nil
		}
		id, why, err := g.startChild(ctx, t, ChildRequest{
			ParentTaskInstanceID: family, WorkflowCode: s.workflow, Command: flow.CommandStart, StartParams: s.params,
		})
		if err != nil {
			return nil, err
		}
		if why != "" {
			t.log("cannot start workflow %d: %s", s.workflow, why)
			return &logicEnd{outcome: flow.TaskFailure, message: why}, nil
		}
		t.log("started workflow instance %d of workflow %d with %d parameters", id, s.workflow, len(s.params))
		s.known, s.child = true, id
		if c, err = g.e.store.childAt(ctx, family, 0); err != nil || c == nil {
			return nil, err
		}
	}
	if !s.known {
		t.log("goes on with workflow instance %d, which is %s", c.ID, c.State)
	}
	s.known, s.child = true, c.ID
	g.adoptChild(c.ID, t, false)
	if c.startsAgain(t) {
		if w.stop {
			return &logicEnd{outcome: flow.TaskKill}, nil
		}
		if w.park {
			return &logicEnd{outcome: flow.TaskPause}, nil
		}
		t.log("workflow instance %d ended as %s: it is continued", c.ID, c.State)
		if err := g.e.store.revive(ctx, c); err != nil {
			return nil, err
		}
		g.e.Nudge()
		return nil, nil
	}
	if c.state().Finished() {
		return s.end(ctx, g, t, c)
	}
	return nil, s.passOn(ctx, g, t, c, w)
}

func (s *subWork) passOn(ctx context.Context, g *logic, t *logicTask, c *childRow, w wakeUp) error {
	switch {
	case w.stop && !s.stopped:
		if err := g.askChild(ctx, c, flow.CommandStop); err != nil {
			return err
		}
		s.stopped = true
		t.log("asked workflow instance %d to stop", c.ID)
	case w.park && !s.paused:
		if err := g.askChild(ctx, c, flow.CommandPause); err != nil {
			return err
		}
		s.paused = true
		t.log("asked workflow instance %d to pause", c.ID)
	}
	return nil
}

// end makes the child's end the task's.
func (s *subWork) end(ctx context.Context, g *logic, t *logicTask, c *childRow) (*logicEnd, error) {
	t.log("workflow instance %d ended as %s", c.ID, c.State)
	end := &logicEnd{outcome: childOutcome(c.state())}
	if end.outcome != flow.TaskSuccess {
		end.message = fmt.Sprintf("workflow instance %d ended as %s", c.ID, c.State)
		return end, nil
	}
	out, err := g.e.store.outputs(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	end.out = out
	for _, p := range out {
		t.log("out parameter %s = %s", p.Prop, p.Value)
	}
	return end, nil
}

// childOutcome is what the end of a child means for the task that started it.
func childOutcome(state flow.WorkflowState) flow.TaskState {
	switch state {
	case flow.WorkflowSuccess:
		return flow.TaskSuccess
	case flow.WorkflowPause:
		return flow.TaskPause
	case flow.WorkflowStop:
		return flow.TaskKill
	default:
		return flow.TaskFailure
	}
}
