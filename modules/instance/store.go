package instance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/flow"
	"dorado/modules/workflow"
)

// store is the SQL of this module.
type store struct{ db *db.DB }

const instanceColumns = `w.id, w.name, w.workflow_code, w.workflow_version, w.workflow_name, w.project_code, w.state, w.state_history,
  w.command_type, w.command_param, w.history_cmd, w.task_depend_type, w.failure_strategy, w.warning_type, w.warning_group_id,
  w.priority, w.worker_group, w.tenant_code, w.environment_code, w.executor_id, w.executor_name, w.dry_run, w.test_flag,
  w.is_sub_workflow, w.stream, w.recovery, w.run_times, w.timeout_minutes, w.time_zone, w.global_params, w.var_pool, w.message, w.host,
  w.schedule_time, w.deadline, w.start_time, w.restart_time, w.end_time, w.updated_at`

const taskColumns = `t.id, t.workflow_instance_id, t.project_code, t.task_code, t.task_version, t.name, t.task_type, t.state, t.valid,
  t.attempt, t.max_retry_times, t.worker_group, t.priority, t.host, t.pid, t.exit_code, t.log_path, t.execute_path, t.app_link,
  t.var_pool, t.message, t.first_submit_time, t.submit_time, t.due_time, t.start_time, t.end_time`

const listedColumns = taskColumns + `, w.name AS instance_name, w.workflow_name, w.workflow_code, w.state AS run_state, w.executor_id,
  w.executor_name, w.dry_run, w.stream, w.workflow_version, w.environment_code`

func (s *store) get(ctx context.Context, id int64) (*Instance, error) {
	row, err := db.Get[Instance](ctx, s.db, `SELECT `+instanceColumns+` FROM workflow_instance w WHERE w.id = ?`, id)
	if errors.Is(err, db.ErrNoRows) {
		return nil, ErrNotFound.With("id", id)
	}
	return &row, err
}

// sameBackfill lists the other runs of the backfill that an instance belongs to.
func (s *store) sameBackfill(ctx context.Context, id int64) ([]int64, error) {
	return db.Select[int64](ctx, s.db, `SELECT o.workflow_instance_id FROM backfill_date d
		JOIN backfill_date o ON o.backfill_id = d.backfill_id AND o.workflow_instance_id <> d.workflow_instance_id
		WHERE d.workflow_instance_id = ? AND o.workflow_instance_id <> 0 ORDER BY o.workflow_instance_id`, id)
}

func (s *store) byIdempotencyKey(ctx context.Context, key string) (id int64, found bool, err error) {
	id, err = db.Get[int64](ctx, s.db, `SELECT id FROM workflow_instance WHERE idempotency_key = ?`, key)
	if errors.Is(err, db.ErrNoRows) {
		return 0, false, nil
	}
	return id, err == nil, err
}

// command asks a master for something, with a JSON object of what it must know, and tells all masters; both leave with the
// transaction.
func (s *store) command(
	ctx context.Context, kind flow.CommandType, instance int64, priority flow.Priority, executor int64, param string, now time.Time,
) error {
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO command (command_type, workflow_instance_id, priority, executor_id, param, created_at)
		VALUES (?, ?, ?, ?, ?, ?) RETURNING id`, kind, instance, priority.Code(), executor, param, now)
	if err != nil {
		return fmt.Errorf("insert command: %w", err)
	}
	return s.db.Notify(ctx, commandChannel, fmt.Sprintf("%d:%d", instance, id))
}

// wish changes the state of an instance that is in state from. It reports false when it is no longer.
func (s *store) wish(ctx context.Context, id int64, from, to flow.WorkflowState, now time.Time) (bool, error) {
	res, err := s.db.Exec(ctx, `UPDATE workflow_instance SET state = ?, updated_at = ? WHERE id = ? AND state = ?`, to, now, id, from)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// revive prepares an ended instance for another run. It reports false when it is no longer in the state that i says.
func (s *store) revive(ctx context.Context, i *Instance, kind flow.CommandType, r *revival, now time.Time) (bool, error) {
	history := i.HistoryCmd
	if history != "" {
		history += ","
	}
	res, err := s.db.Exec(ctx, `UPDATE workflow_instance SET state = ?, command_type = ?, command_param = ?, history_cmd = ?,
		run_times = run_times + 1, global_params = ?, var_pool = CASE WHEN ? THEN '[]' ELSE var_pool END, message = '', end_time = NULL,
		restart_time = ?, owner = '', updated_at = ? WHERE id = ? AND state = ?`,
		r.state, kind, r.param, history+string(kind), r.globals, kind == flow.CommandRepeat, now, now, i.ID, i.State)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// requeue gives a revived instance a place in the queue of its workflow: the first one where each waits for the one before,
// because it was there before those that wait.
func (s *store) requeue(ctx context.Context, i *Instance, kind flow.CommandType, r *revival, now time.Time) error {
	if _, err := s.db.Exec(ctx, `DELETE FROM serial_queue WHERE workflow_instance_id = ?`, i.ID); err != nil {
		return err
	}
	again := *i
	again.execution, again.CommandType, again.StartTime = r.execution, kind, now
	if r.execution != flow.SerialWait {
		return s.enqueue(ctx, &again)
	}
	first, err := db.Get[int64](ctx, s.db, `SELECT COALESCE(MIN(id), 0) FROM serial_queue`)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, `INSERT INTO serial_queue (id, workflow_code, workflow_instance_id, execution_type, command_type, state, created_at)
		VALUES (?, ?, ?, ?, ?, 'WAITING', ?)`, min(first, 0)-1, i.WorkflowCode, i.ID, r.execution, kind, now)
	if err != nil {
		return fmt.Errorf("insert into serial queue: %w", err)
	}
	return s.db.Notify(ctx, serialChannel, fmt.Sprint(i.WorkflowCode))
}

// activeOf lists up to limit unfinished instances of a workflow.
func (s *store) activeOf(ctx context.Context, workflow int64, limit int) ([]Instance, error) {
	return db.Select[Instance](ctx, s.db, `SELECT `+instanceColumns+` FROM workflow_instance w WHERE w.workflow_code = ?
		AND w.state NOT IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE') ORDER BY w.id LIMIT ?`, workflow, limit)
}

// activeAs lists up to limit unfinished instances that run as a tenant.
func (s *store) activeAs(ctx context.Context, tenant string, limit int) ([]Instance, error) {
	return db.Select[Instance](ctx, s.db, `SELECT `+instanceColumns+` FROM workflow_instance w WHERE w.tenant_code = ?
		AND w.state NOT IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE') ORDER BY w.id LIMIT ?`, tenant, limit)
}

func (s *store) ran(ctx context.Context, workflow int64, version int) (bool, error) {
	ids, err := db.Select[int64](ctx, s.db, `SELECT id FROM workflow_instance WHERE workflow_code = ? AND workflow_version = ? LIMIT 1`,
		workflow, version)
	return len(ids) > 0, err
}

// logsOf lists where the logs of all runs of a workflow are.
func (s *store) logsOf(ctx context.Context, workflow int64) ([]Task, error) {
	return db.Select[Task](ctx, s.db, `SELECT t.id, t.host, t.log_path FROM task_instance t
		JOIN workflow_instance w ON w.id = t.workflow_instance_id WHERE w.workflow_code = ? AND t.log_path <> ''`, workflow)
}

// deleteOf removes all runs of a workflow.
func (s *store) deleteOf(ctx context.Context, workflow int64) error {
	for _, table := range []string{"task_log", "task_result", "savepoint"} {
		if _, err := s.db.Exec(ctx, `DELETE FROM `+table+` WHERE task_instance_id IN (SELECT t.id FROM task_instance t
			JOIN workflow_instance w ON w.id = t.workflow_instance_id WHERE w.workflow_code = ?)`, workflow); err != nil {
			return fmt.Errorf("delete from %s of workflow %d: %w", table, workflow, err)
		}
	}
	for _, table := range []string{"task_instance", "command", "serial_queue", "approval"} {
		_, err := s.db.Exec(ctx, `DELETE FROM `+table+` WHERE workflow_instance_id IN (SELECT id FROM workflow_instance WHERE workflow_code = ?)`,
			workflow)
		if err != nil {
			return fmt.Errorf("delete runs of workflow %d: %w", workflow, err)
		}
	}
	if _, err := s.db.Exec(ctx, `DELETE FROM task_measure WHERE workflow_code = ?`, workflow); err != nil {
		return fmt.Errorf("delete what workflow %d measured: %w", workflow, err)
	}
	_, err := s.db.Exec(ctx, `DELETE FROM instance_link WHERE parent_instance_id IN (SELECT id FROM workflow_instance WHERE workflow_code = ?)`, workflow)
	if err != nil {
		return err
	}
	for _, table := range []string{"backfill", "workflow_instance"} {
		if _, err := s.db.Exec(ctx, `DELETE FROM `+table+` WHERE workflow_code = ?`, workflow); err != nil {
			return fmt.Errorf("delete runs of workflow %d: %w", workflow, err)
		}
	}
	return nil
}

// workflow reads what a trigger needs of the head of a workflow, in one look at one row.
func (s *store) workflow(ctx context.Context, code int64) (w workflow.Workflow, found bool, err error) {
	w, err = db.Get[workflow.Workflow](ctx, s.db, `SELECT code, project_code, name, version, release_state FROM workflow_definition WHERE code = ?`, code)
	if errors.Is(err, db.ErrNoRows) {
		return w, false, nil
	}
	return w, err == nil, err
}

// byIDs reads instances of a project.
func (s *store) byIDs(ctx context.Context, project int64, ids []int64) ([]Instance, error) {
	query, args, err := db.In(`SELECT `+instanceColumns+` FROM workflow_instance w WHERE w.project_code = ? AND w.id IN (?)`, project, ids)
	if err != nil {
		return nil, err
	}
	return db.Select[Instance](ctx, s.db, query, args...)
}

// longest lists the successful runs of a project that took longest. The length is computed here: each database has words
// of its own for it.
func (s *Service) longest(ctx context.Context, project int64, r Range, limit int) ([]Instance, error) {
	where, args := r.narrow("w.start_time", `w.project_code = ? AND w.state = 'SUCCESS'`, []any{project})
	hidden, more := s.Access.NotHidden(ctx, "w.workflow_code", Read)
	rows, err := s.store.some(ctx, where+hidden, append(args, more...), longestOf)
	if err != nil {
		return nil, err
	}
	now := s.now()
	slices.SortStableFunc(rows, func(a, b Instance) int { return cmp.Compare(b.Duration(now), a.Duration(now)) })
	return rows[:min(len(rows), limit)], nil
}

// longestOf is among how many of the latest runs the longest are looked for.
const longestOf = 10_000

func (s *store) list(ctx context.Context, where string, args []any, q listing.Query) (listing.Page[Instance], error) {
	return page[Instance](ctx, s.db, instanceColumns, `workflow_instance w`, where, args, q)
}

func (s *store) listTasks(ctx context.Context, where string, args []any, q listing.Query) (listing.Page[ListedTask], error) {
	return page[ListedTask](ctx, s.db, listedColumns, `task_instance t JOIN workflow_instance w ON w.id = t.workflow_instance_id`, where, args, q)
}

// page runs one list query: the rows of a page and how many there are in all.
func page[T any](ctx context.Context, d *db.DB, columns, from, where string, args []any, q listing.Query) (listing.Page[T], error) {
	narrow, more := q.Where(d.Dialect().Like, db.Contains)
	where, args = where+" AND "+narrow, append(args, more...)
	total, err := db.Get[int](ctx, d, `SELECT count(*) FROM `+from+` WHERE `+where, args...)
	if err != nil {
		return listing.Page[T]{}, err
	}
	order, limits := q.Clamp(total).OrderLimit()
	rows, err := db.Select[T](ctx, d, `SELECT `+columns+` FROM `+from+` WHERE `+where+` `+order, append(args, limits...)...)
	if err != nil {
		return listing.Page[T]{}, err
	}
	return listing.NewPage(q.Clamp(total), rows, total), nil
}

// tasks lists the attempts of an instance, oldest first; with valid only those that count.
func (s *store) tasks(ctx context.Context, instance int64, valid bool) ([]Task, error) {
	query := `SELECT ` + taskColumns + ` FROM task_instance t WHERE t.workflow_instance_id = ?`
	args := []any{instance}
	if valid {
		query, args = query+` AND t.valid = ?`, append(args, true)
	}
	return db.Select[Task](ctx, s.db, query+` ORDER BY t.id`, args...)
}

func (s *store) task(ctx context.Context, id int64) (*ListedTask, error) {
	row, err := db.Get[ListedTask](ctx, s.db, `SELECT `+listedColumns+` FROM task_instance t
		JOIN workflow_instance w ON w.id = t.workflow_instance_id WHERE t.id = ?`, id)
	if errors.Is(err, db.ErrNoRows) {
		return nil, ErrTaskNotFound.With("id", id)
	}
	return &row, err
}

// attempts lists all attempts of one task in one instance, oldest first.
func (s *store) attempts(ctx context.Context, instance, taskCode int64) ([]Task, error) {
	return db.Select[Task](ctx, s.db, `SELECT `+taskColumns+` FROM task_instance t
		WHERE t.workflow_instance_id = ? AND t.task_code = ? ORDER BY t.id`, instance, taskCode)
}
