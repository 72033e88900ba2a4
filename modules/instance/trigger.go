package instance

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"dorado/app/kit/db"
	"dorado/modules/audit"
	"dorado/modules/flow"
)

// trigger writes an instance with its command and what the audit log is told, if anything, and tells the masters: all or
// nothing. It returns the id of the instance. There are two, because a trigger is what people wait for: PostgreSQL does it in
// one round trip, SQLite has no such statement and no round trips.
type trigger func(ctx context.Context, s *Service, i *Instance, idempotencyKey string, told *auditNote) (int64, error)

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

// auditNote is what the audit log is told of a trigger. Its details get the id of the instance as another member.
type auditNote struct {
	action string
	detail map[string]any
}

func (n *auditNote) entry(i *Instance) audit.Entry {
	return audit.Entry{
		Action: n.action, ObjectType: "workflow", ObjectID: strconv.FormatInt(i.WorkflowCode, 10), ObjectName: i.WorkflowName,
		ProjectCode: i.ProjectCode, Detail: n.detail,
	}
}

// instanceID is the member of its details that names the instance.
const instanceID = "workflowInstanceId"

func triggerAtOnce(ctx context.Context, s *Service, i *Instance, idempotencyKey string, told *auditNote) (int64, error) {
	if i.State == flow.WorkflowSerialWait {
		return triggerInSteps(ctx, s, i, idempotencyKey, told)
	}
	also, args := "", []any(nil)
	if told != nil {
		query, values, err := s.Audit.Statement(ctx, told.entry(i), "i", instanceID, "i.id")
		if err != nil {
			return 0, err
		}
		also, args = ", also AS ("+query+")", values
	}
	type row struct {
		ID   int64  `db:"id"`
		Told string `db:"told"`
	}
	r, err := db.Get[row](ctx, s.DB, `WITH i AS (`+insertInstance+`), c AS (
		INSERT INTO command (command_type, workflow_instance_id, priority, executor_id, created_at)
		SELECT CAST(? AS TEXT), id, CAST(? AS INTEGER), CAST(? AS BIGINT), CAST(? AS TIMESTAMPTZ) FROM i RETURNING id)`+also+`
		SELECT i.id, CAST(pg_notify(?, i.id || ':' || c.id) AS TEXT) AS told FROM i, c`,
		slices.Concat(i.values(idempotencyKey), []any{i.CommandType, i.Priority.Code(), i.ExecutorID, i.StartTime}, args, []any{commandChannel})...)
	if err != nil {
		return 0, fmt.Errorf("insert workflow instance: %w", err)
	}
	return r.ID, nil
}

func triggerInSteps(ctx context.Context, s *Service, i *Instance, idempotencyKey string, told *auditNote) (id int64, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		if id, err = db.Get[int64](ctx, s.DB, insertInstance, i.values(idempotencyKey)...); err != nil {
			return fmt.Errorf("insert workflow instance: %w", err)
		}
		if i.State == flow.WorkflowSerialWait {
			i.ID = id
			err = s.store.enqueue(ctx, i)
		} else {
			err = s.store.command(ctx, i.CommandType, id, i.Priority, i.ExecutorID, "{}", i.StartTime)
		}
		if err != nil || told == nil {
			return err
		}
		told.detail[instanceID] = id
		return s.Audit.Record(ctx, told.entry(i))
	})
	return id, err
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
