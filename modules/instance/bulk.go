package instance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/flow"
	"dorado/modules/workflow"
)

// Trigger is one run that the program starts by itself: the fire of a schedule, a date of a backfill. Whoever asks for it
// has been allowed to; nobody's permission is looked at again.
type Trigger struct {
	StartRequest
	ProjectCode  int64 // 0 = that of the workflow
	Command      flow.CommandType
	ScheduleID   int64      // with FireTime names the fire, which happens once; 0 = no fire
	FireTime     time.Time  // when the schedule was due
	ScheduleTime *time.Time // what the run's dates count from
	ExecutorID   int64
	ExecutorName string
	Deadline     *time.Time // by when the run should be over; nil = whenever
	At           time.Time  // when the run begins, for one that is written a moment before; the zero time = now

	BackfillID       int64
	BackfillPosition int
}

// bulkPieces are how many rows one statement inserts. There are few sizes, so that statements come again.
func bulkPieces() []int { return []int{256, 32, 4, 1} }

// TriggerMany starts many runs in one transaction, the caller's if ctx carries one. It returns the id of each instance, in
// the order of list; 0 for one that was left out: its fire had happened already, or its workflow is offline or gone, in
// which case the fire is written down as skipped. A run whose parameters cannot be resolved, or whose version or start node
// is gone, exists as a failed one that says so, because nobody is there to be told.
func (s *Service) TriggerMany(ctx context.Context, list []Trigger) ([]int64, error) {
	if len(list) == 0 {
		return nil, nil
	}
	instances, err := s.prepare(ctx, list)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(list))
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		wanted := 0
		for _, i := range instances {
			if i != nil {
				wanted++
			}
		}
		free, err := s.store.reserve(ctx, wanted)
		if err != nil {
			return fmt.Errorf("reserve workflow instance ids: %w", err)
		}
		for _, i := range instances {
			if i != nil {
				i.ID, free = free[0], free[1:]
			}
		}
		left, err := s.store.fires(ctx, list, instances)
		if err != nil {
			return fmt.Errorf("insert schedule fires: %w", err)
		}
		rows := make([]*Instance, 0, wanted)
		keys := make([]string, 0, wanted)
		for k, i := range instances {
			if i != nil && !left[k] {
				ids[k] = i.ID
				rows, keys = append(rows, i), append(keys, list[k].IdempotencyKey)
			}
		}
		s.wake(ctx)
		return s.store.launch(ctx, rows, keys)
	})
	if err != nil {
		return nil, fmt.Errorf("trigger %d workflows: %w", len(list), err)
	}
	return ids, nil
}

// prepare fills the instances; nil for a workflow that is offline or gone.
func (s *Service) prepare(ctx context.Context, list []Trigger) ([]*Instance, error) {
	codes := make([]int64, 0, len(list))
	for k := range list {
		codes = append(codes, list[k].WorkflowCode)
	}
	heads, err := s.store.workflows(ctx, codes)
	if err != nil {
		return nil, err
	}
	wanted := make([]versionKey, 0, len(list))
	for k := range list {
		if w, ok := heads[list[k].WorkflowCode]; ok {
			wanted = append(wanted, versionKey{w.Code, list[k].version(w)})
		}
	}
	known, err := s.startables(ctx, wanted)
	if err != nil {
		return nil, err
	}
	now := s.now()
	out := make([]*Instance, len(list))
	for k := range list {
		t := &list[k]
		w, ok := heads[t.WorkflowCode]
		if !ok || !w.Online() || t.ProjectCode != 0 && t.ProjectCode != w.ProjectCode {
			continue
		}
		out[k] = triggered(w, t, known[versionKey{w.Code, t.version(w)}], now)
	}
	return out, nil
}

func (r *StartRequest) version(w workflow.Workflow) int {
	if r.Version != 0 {
		return r.Version
	}
	return w.Version
}

// triggered is the instance of one trigger. What keeps it from running makes it a failed one.
func triggered(w workflow.Workflow, t *Trigger, what *startable, now time.Time) *Instance {
	if !t.At.IsZero() {
		now = db.Cut(t.At)
	}
	var why error
	if what == nil {
		what, why = &startable{}, fmt.Errorf("version %d of the workflow is gone", t.version(w))
	}
	for _, code := range t.StartNodes {
		if why == nil && !what.tasks[code] {
			why = ErrStartNode.With("code", code)
		}
	}
	by := starter{command: t.Command, id: t.ExecutorID, name: t.ExecutorName, schedule: t.ScheduleTime}
	i, err := newInstance(w, t.version(w), what, t.StartRequest, by, now)
	if err != nil {
		// What it would have run with is not known; that it did not run must be.
		bare := t.StartRequest
		bare.StartParams, bare.TimeZone = nil, ""
		i, _ = newInstance(w, t.version(w), &startable{}, bare, by, now)
		why = err
	}
	i.Deadline = t.Deadline
	if param, err := commandParam(i); err == nil {
		param.ScheduleID, param.BackfillID, param.BackfillPosition = t.ScheduleID, t.BackfillID, t.BackfillPosition
		i.CommandParam = mustJSON(param)
	}
	if why != nil {
		i.State, i.Message, i.EndTime = flow.WorkflowFailure, why.Error(), &now
		i.StateHistory = history(now, flow.WorkflowFailure, string(t.Command))
	}
	return i
}

// startables is startable for many versions. Those that are gone are missing in the result.
func (s *Service) startables(ctx context.Context, wanted []versionKey) (map[versionKey]*startable, error) {
	out := make(map[versionKey]*startable, len(wanted))
	missing := map[versionKey]bool{}
	s.mu.Lock()
	for _, key := range wanted {
		if known := s.starts[key]; known != nil {
			out[key] = known
		} else {
			missing[key] = true
		}
	}
	s.mu.Unlock()
	if len(missing) == 0 {
		return out, nil
	}
	keys := make([]versionKey, 0, len(missing))
	for key := range missing {
		keys = append(keys, key)
	}
	type row struct {
		Code    int64  `db:"workflow_code"`
		Version int    `db:"version"`
		Body    string `db:"body"`
	}
	for part := range slices.Chunk(keys, 200) {
		args := make([]any, 0, 2*len(part))
		for _, key := range part {
			args = append(args, key.code, key.version)
		}
		query := `SELECT workflow_code, version, body FROM workflow_version WHERE (workflow_code, version) IN (VALUES ` +
			strings.Repeat("(CAST(? AS BIGINT), CAST(? AS INTEGER)), ", len(part)-1) + `(CAST(? AS BIGINT), CAST(? AS INTEGER)))`
		rows, err := db.Select[row](ctx, s.DB, query, args...)
		if err != nil {
			return nil, fmt.Errorf("read workflow versions: %w", err)
		}
		for _, r := range rows {
			def, err := flow.Unmarshal([]byte(r.Body))
			if err != nil {
				s.Logger.ErrorContext(ctx, "a workflow version cannot be read", "workflow_code", r.Code, "version", r.Version, "error", err)
				continue
			}
			key := versionKey{r.Code, r.Version}
			out[key] = newStartable(def)
			s.keepStartable(key, out[key])
		}
	}
	return out, nil
}

// workflows reads the heads of workflows, by code.
func (s *store) workflows(ctx context.Context, codes []int64) (map[int64]workflow.Workflow, error) {
	slices.Sort(codes)
	out := make(map[int64]workflow.Workflow, len(codes))
	for part := range slices.Chunk(slices.Compact(codes), 1000) {
		query, args, err := db.In(`SELECT code, project_code, name, version, release_state FROM workflow_definition WHERE code IN (?)`, part)
		if err != nil {
			return nil, err
		}
		rows, err := db.Select[workflow.Workflow](ctx, s.db, query, args...)
		if err != nil {
			return nil, fmt.Errorf("read workflows: %w", err)
		}
		for _, w := range rows {
			out[w.Code] = w
		}
	}
	return out, nil
}

// reserve takes n ids of instances, within the transaction of ctx.
func (s *store) reserve(ctx context.Context, n int) ([]int64, error) {
	if n == 0 {
		return nil, nil
	}
	if s.db.Dialect().Name() == "postgres" {
		return db.Select[int64](ctx, s.db, `SELECT nextval(pg_get_serial_sequence('workflow_instance', 'id')) FROM generate_series(1, CAST(? AS INTEGER))`, n)
	}
	// The transaction holds the only write lock; the rows that are inserted with these ids move the sequence on.
	last, err := db.Get[int64](ctx, s.db, `SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'workflow_instance'), 0)`)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, n)
	for k := range ids {
		ids[k] = last + 1 + int64(k)
	}
	return ids, nil
}

// fires writes down the fires of schedules and says which triggers are left out because theirs had happened.
func (s *store) fires(ctx context.Context, list []Trigger, instances []*Instance) (left map[int]bool, err error) {
	type key struct {
		schedule int64
		at       int64 // milliseconds
	}
	left = map[int]bool{}
	at := map[key]int{}
	rows := make([][]any, 0, len(list))
	for k := range list {
		t := &list[k]
		if t.ScheduleID == 0 {
			continue
		}
		fire := key{t.ScheduleID, db.Cut(t.FireTime).UnixMilli()}
		left[k] = true // until the database says that this was the first
		if _, twice := at[fire]; twice {
			continue
		}
		at[fire] = k
		id := int64(0)
		if instances[k] != nil {
			id = instances[k].ID
		}
		rows = append(rows, []any{t.ScheduleID, t.FireTime, id})
	}
	type fired struct {
		Schedule int64     `db:"schedule_id"`
		At       time.Time `db:"fire_time"`
	}
	err = pieces(rows, func(values string, args []any) error {
		done, err := db.Select[fired](ctx, s.db, `INSERT INTO schedule_fire (schedule_id, fire_time, workflow_instance_id) VALUES `+values+
			` ON CONFLICT DO NOTHING RETURNING schedule_id, fire_time`, args...)
		for _, f := range done {
			delete(left, at[key{f.Schedule, f.At.UnixMilli()}])
		}
		return err
	})
	return left, err
}

// launch inserts instances that have their ids, and what makes them run: a command, or a place in the queue of their
// workflow. keys are their idempotency keys.
func (s *store) launch(ctx context.Context, list []*Instance, keys []string) error {
	instances, commands, queued := make([][]any, 0, len(list)), make([][]any, 0, len(list)), [][]any{}
	codes := map[int64]bool{}
	for k, i := range list {
		instances = append(instances, append([]any{i.ID}, i.values(keys[k])...))
		switch {
		case i.State.Finished():
		case i.State == flow.WorkflowSerialWait:
			queued = append(queued, []any{i.WorkflowCode, i.ID, i.execution, i.CommandType, "WAITING", i.StartTime})
			codes[i.WorkflowCode] = true
		default:
			commands = append(commands, []any{i.CommandType, i.ID, i.Priority.Code(), i.ExecutorID, i.StartTime})
		}
	}
	insert := func(rows [][]any, into string) error {
		return pieces(rows, func(values string, args []any) error {
			_, err := s.db.Exec(ctx, `INSERT INTO `+into+` VALUES `+values, args...)
			return err
		})
	}
	if err := insert(instances, `workflow_instance (id, `+triggerColumns+`)`); err != nil {
		return fmt.Errorf("insert workflow instances: %w", err)
	}
	if err := insert(queued, `serial_queue (workflow_code, workflow_instance_id, execution_type, command_type, state, created_at)`); err != nil {
		return fmt.Errorf("insert into serial queue: %w", err)
	}
	if err := insert(commands, `command (command_type, workflow_instance_id, priority, executor_id, created_at)`); err != nil {
		return fmt.Errorf("insert commands: %w", err)
	}
	if len(commands) > 0 {
		if err := s.db.Notify(ctx, commandChannel, fmt.Sprint(list[0].ID)); err != nil {
			return err
		}
	}
	return s.tellSerial(ctx, codes)
}

// tellSerial says for which workflows the queue has changed.
func (s *store) tellSerial(ctx context.Context, codes map[int64]bool) error {
	if len(codes) > 100 {
		return s.db.Notify(ctx, serialChannel, "") // look for yourself
	}
	for code := range codes {
		if err := s.db.Notify(ctx, serialChannel, fmt.Sprint(code)); err != nil {
			return err
		}
	}
	return nil
}

// pieces calls insert with rows of placeholders and their arguments, a bounded number at a time.
func pieces(rows [][]any, insert func(values string, args []any) error) error {
	for len(rows) > 0 {
		size := 1
		for _, s := range bulkPieces() {
			if s <= len(rows) {
				size = s
				break
			}
		}
		width := len(rows[0])
		one := "(" + strings.Repeat("?, ", width-1) + "?)"
		args := make([]any, 0, size*width)
		for _, r := range rows[:size] {
			args = append(args, r...)
		}
		if err := insert(strings.Repeat(one+", ", size-1)+one, args); err != nil {
			return err
		}
		rows = rows[size:]
	}
	return nil
}

// history is the first entry of an instance's state history.
func history(now time.Time, state flow.WorkflowState, desc string) string {
	return mustJSON([]map[string]string{{"time": now.UTC().Format(time.DateTime), "state": string(state), "desc": desc}})
}

// commandParam reads what a trigger said beyond the columns of its instance.
func commandParam(i *Instance) (flow.CommandParam, error) {
	var param flow.CommandParam
	if err := json.Unmarshal([]byte(i.CommandParam), &param); err != nil {
		return param, fmt.Errorf("workflow instance %d: command_param: %w", i.ID, err)
	}
	return param, nil
}
