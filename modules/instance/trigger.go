package instance

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"dorado/app/kit/db"
	"dorado/modules/flow"
)

// trigger writes an instance with its command and tells the masters, in the transaction of ctx. It returns the id of the
// instance. There are two, because a trigger is what people wait for: PostgreSQL does it in one round trip, SQLite has
// no such statement and no round trips.
type trigger func(ctx context.Context, s *store, i *Instance, idempotencyKey string) (int64, error)

func newTrigger(d db.Dialect) trigger {
	if d.Name() == "postgres" {
		return triggerAtOnce
	}
	return triggerInSteps
}

// serialChannel is where the coordinator is told of new places in the queue of a workflow.
const serialChannel = "dorado_serial"

const triggerColumns = `name, workflow_code, workflow_version, workflow_name, project_code,
	state, state_history, command_type, command_param, history_cmd, task_depend_type, failure_strategy, warning_type,
	warning_group_id, priority, worker_group, tenant_code, environment_code, executor_id, executor_name, dry_run, is_sub_workflow,
	timeout_minutes, time_zone, global_params, message, schedule_time, deadline, start_time, restart_time, end_time, idempotency_key,
	created_at, updated_at, stream`

const insertInstance = `INSERT INTO workflow_instance (` + triggerColumns + `)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`

func (i *Instance) values(idempotencyKey string) []any {
	var key any
	if idempotencyKey != "" {
		key = idempotencyKey
	}
	return []any{
		i.Name, i.WorkflowCode, i.WorkflowVersion, i.WorkflowName, i.ProjectCode, i.State, i.StateHistory, i.CommandType, i.CommandParam,
		i.HistoryCmd, i.DependType, i.FailureStrategy, i.WarningType, i.WarningGroupID, i.Priority, i.WorkerGroup, i.TenantCode,
		i.EnvironmentCode, i.ExecutorID, i.ExecutorName, i.DryRun, i.IsSubWorkflow, i.TimeoutMinutes, i.TimeZone, i.GlobalParams,
		i.Message, i.ScheduleTime, i.Deadline, i.StartTime, i.RestartTime, i.EndTime, key, i.StartTime, i.UpdatedAt, i.Stream,
	}
}

func triggerAtOnce(ctx context.Context, s *store, i *Instance, idempotencyKey string) (int64, error) {
	if i.State == flow.WorkflowSerialWait {
		return triggerInSteps(ctx, s, i, idempotencyKey)
	}
	return s.triggerWith(ctx, i, idempotencyKey, "", nil)
}

// triggerWith carries out one more statement with the trigger, which may select the new row from i: all in one round trip
// of PostgreSQL, without a transaction around it.
func (s *store) triggerWith(ctx context.Context, i *Instance, idempotencyKey, query string, args []any) (int64, error) {
	type row struct {
		ID   int64  `db:"id"`
		Told string `db:"told"`
	}
	if query != "" {
		query = ", also AS (" + query + ")"
	}
	r, err := db.Get[row](ctx, s.db, `WITH i AS (`+insertInstance+`), c AS (
		INSERT INTO command (command_type, workflow_instance_id, priority, executor_id, created_at)
		SELECT CAST(? AS TEXT), id, CAST(? AS INTEGER), CAST(? AS BIGINT), CAST(? AS TIMESTAMPTZ) FROM i RETURNING id)`+query+`
		SELECT i.id, CAST(pg_notify(?, i.id || ':' || c.id) AS TEXT) AS told FROM i, c`,
		slices.Concat(i.values(idempotencyKey), []any{i.CommandType, i.Priority.Code(), i.ExecutorID, i.StartTime}, args, []any{commandChannel})...)
	return r.ID, err
}

func triggerInSteps(ctx context.Context, s *store, i *Instance, idempotencyKey string) (int64, error) {
	id, err := db.Get[int64](ctx, s.db, insertInstance, i.values(idempotencyKey)...)
	if err != nil {
		return 0, fmt.Errorf("insert workflow instance: %w", err)
	}
	if i.State == flow.WorkflowSerialWait {
		i.ID = id
		return id, s.enqueue(ctx, i)
	}
	return id, s.command(ctx, i.CommandType, id, i.Priority, i.ExecutorID, "{}", i.StartTime)
}

// enqueue gives an instance a place in the queue of its workflow; the coordinator starts it when its turn has come.
func (s *store) enqueue(ctx context.Context, i *Instance) error {
	_, err := s.db.Exec(ctx, `INSERT INTO serial_queue (workflow_code, workflow_instance_id, execution_type, command_type, state, created_at)
		VALUES (?, ?, ?, ?, 'WAITING', ?)`, i.WorkflowCode, i.ID, i.execution, i.CommandType, i.StartTime)
	if err != nil {
		return fmt.Errorf("insert into serial queue: %w", err)
	}
	return s.db.Notify(ctx, serialChannel, strconv.FormatInt(i.WorkflowCode, 10))
}
