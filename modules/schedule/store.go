package schedule

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/flow"
)

// channel is where clocks are told which schedules changed: their ids, separated by commas; "" = any.
const channel = "dorado_schedule"

// store is the SQL of this module. Lists show the names of workflows, users and environments, and the clock needs the
// name of whom it starts runs for; so schedules are read together with them.
type store struct{ db *db.DB }

const (
	columns = `s.id, s.project_code, s.workflow_code, w.name AS workflow_name, w.release_state AS workflow_state, s.name, s.start_time, s.end_time,
	s.time_zone, s.crontab, s.misfire_policy, s.calendar_id, s.calendar_policy, s.done_by, s.failure_strategy, s.warning_type, s.warning_group_id,
	s.priority, s.worker_group, s.tenant_code, s.environment_code, s.start_params, s.release_state, s.wish_online, s.online_at, s.revision,
	s.user_id, u.name AS user_name, COALESCE(e.name, '') AS environment_name, s.created_at, s.updated_at`
	tables = ` FROM schedule s JOIN workflow_definition w ON w.code = s.workflow_code JOIN users u ON u.id = s.user_id
	LEFT JOIN environment e ON e.code = s.environment_code`
	selected = `SELECT ` + columns + tables
)

func (s store) byID(ctx context.Context, id int64) (Schedule, error) {
	row, err := db.Get[Schedule](ctx, s.db, selected+` WHERE s.id = ?`, id)
	if errors.Is(err, db.ErrNoRows) {
		return row, ErrNotFound.With("id", id)
	}
	return row, err
}

// lock is byID for a row that nobody else changes until the transaction ends.
func (s store) lock(ctx context.Context, id int64) (Schedule, error) {
	if _, err := db.Select[int64](ctx, s.db, `SELECT id FROM schedule WHERE id = ? `+s.db.Dialect().ForUpdate(), id); err != nil {
		return Schedule{}, err
	}
	return s.byID(ctx, id)
}

// page lists the schedules of a project; more is a condition that begins with AND, with its arguments.
func (s store) page(ctx context.Context, project int64, q listing.Query, more string, moreArgs []any) (listing.Page[Schedule], error) {
	where, args := q.Where(s.db.Dialect().Like, db.Contains)
	where, args = `s.project_code = ?`+more+` AND `+where, slices.Concat([]any{project}, moreArgs, args)
	total, err := db.Get[int](ctx, s.db, `SELECT count(*)`+tables+` WHERE `+where, args...)
	if err != nil {
		return listing.Page[Schedule]{}, err
	}
	q = q.Clamp(total)
	order, limit := q.OrderLimit()
	rows, err := db.Select[Schedule](ctx, s.db, selected+` WHERE `+where+` `+order, append(args, limit...)...)
	return listing.NewPage(q, rows, total), err
}

func (s store) ofProject(ctx context.Context, project int64) ([]Schedule, error) {
	return db.Select[Schedule](ctx, s.db, selected+` WHERE s.project_code = ? ORDER BY s.updated_at DESC, s.id DESC`, project)
}

func (s store) ofWorkflow(ctx context.Context, workflow int64) ([]Schedule, error) {
	return db.Select[Schedule](ctx, s.db, selected+` WHERE s.workflow_code = ? ORDER BY s.id`, workflow)
}

func (s store) byIDs(ctx context.Context, ids []int64) ([]Schedule, error) {
	query, args, err := db.In(selected+` WHERE s.id IN (?) ORDER BY s.id`, ids)
	if err != nil {
		return nil, err
	}
	return db.Select[Schedule](ctx, s.db, query, args...)
}

// online calls each with every schedule that fires, in pieces, so that many of them are never in memory as rows.
func (s store) online(ctx context.Context, each func([]Schedule) error) error {
	const piece = 5000
	for last := int64(0); ; {
		rows, err := db.Select[Schedule](ctx, s.db, selected+` WHERE s.release_state = 'ONLINE' AND s.id > ? ORDER BY s.id LIMIT ?`, last, piece)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := each(rows); err != nil {
			return err
		}
		last = rows[len(rows)-1].ID
	}
}

func (s store) insert(ctx context.Context, r *Schedule) (int64, error) {
	return db.Get[int64](ctx, s.db, `INSERT INTO schedule (project_code, workflow_code, name, start_time, end_time, time_zone, crontab, misfire_policy,
		calendar_id, calendar_policy, done_by, failure_strategy, warning_type, warning_group_id, priority, worker_group, tenant_code,
		environment_code, start_params, release_state, user_id, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		r.ProjectCode, r.WorkflowCode, r.Name, r.Start, r.End, r.TimeZone, r.Crontab, r.Misfire, r.CalendarID, r.CalendarPolicy, r.DoneBy,
		r.FailureStrategy, r.WarningType, r.WarningGroupID, r.Priority, r.WorkerGroup, r.TenantCode, r.EnvironmentCode, r.StartParams,
		flow.Offline, r.UserID, r.CreatedAt, r.UpdatedAt)
}

func (s store) update(ctx context.Context, r *Schedule) error {
	_, err := s.db.Exec(ctx, `UPDATE schedule SET name = ?, start_time = ?, end_time = ?, time_zone = ?, crontab = ?, misfire_policy = ?,
		calendar_id = ?, calendar_policy = ?, done_by = ?, failure_strategy = ?, warning_type = ?, warning_group_id = ?, priority = ?,
		worker_group = ?, tenant_code = ?, environment_code = ?, start_params = ?, revision = revision + 1, updated_at = ? WHERE id = ?`,
		r.Name, r.Start, r.End, r.TimeZone, r.Crontab, r.Misfire, r.CalendarID, r.CalendarPolicy, r.DoneBy, r.FailureStrategy, r.WarningType,
		r.WarningGroupID, r.Priority, r.WorkerGroup, r.TenantCode, r.EnvironmentCode, r.StartParams, r.UpdatedAt, r.ID)
	return err
}

// release puts a schedule online or takes it offline. wish says whether it comes back with its workflow.
func (s store) release(ctx context.Context, id int64, state flow.ReleaseState, wish bool, now time.Time) error {
	query := `UPDATE schedule SET release_state = ?, wish_online = ?, revision = revision + 1, updated_at = ?`
	args := []any{state, wish, now}
	if state == flow.Online {
		query, args = query+`, online_at = ?`, append(args, now)
	}
	_, err := s.db.Exec(ctx, query+` WHERE id = ?`, append(args, id)...)
	return err
}

// remove deletes schedules with the record of their fires; the runs stay.
func (s store) remove(ctx context.Context, ids ...int64) error {
	for _, id := range ids {
		if _, err := s.db.Exec(ctx, `DELETE FROM schedule_fire WHERE schedule_id = ?`, id); err != nil {
			return err
		}
		if _, err := s.db.Exec(ctx, `DELETE FROM schedule WHERE id = ?`, id); err != nil {
			return err
		}
	}
	return nil
}

// where lists up to limit schedules that a condition holds for.
func (s store) where(ctx context.Context, limit int, condition string, args ...any) ([]Schedule, error) {
	return db.Select[Schedule](ctx, s.db, selected+` WHERE `+condition+` ORDER BY s.id LIMIT ?`, append(args, limit)...)
}

// workflowState reads whether a workflow is online and keeps it so until the transaction ends. "" = there is no such
// workflow in the project.
func (s store) workflowState(ctx context.Context, project, workflow int64) (state flow.ReleaseState, name string, err error) {
	type head struct {
		State flow.ReleaseState `db:"release_state"`
		Name  string            `db:"name"`
	}
	rows, err := db.Select[head](ctx, s.db, `SELECT release_state, name FROM workflow_definition WHERE code = ? AND project_code = ? `+
		s.db.Dialect().ForUpdate(), workflow, project)
	if err != nil || len(rows) == 0 {
		return "", "", err
	}
	return rows[0].State, rows[0].Name, nil
}

// tell wakes the clocks when the transaction of ctx is committed.
func (s store) tell(ctx context.Context, ids ...int64) error {
	const most = 300 // ids in one notification
	if len(ids) > 20*most {
		return s.db.Notify(ctx, channel, "")
	}
	for len(ids) > 0 {
		part := ids[:min(most, len(ids))]
		ids = ids[len(part):]
		texts := make([]string, len(part))
		for k, id := range part {
			texts[k] = strconv.FormatInt(id, 10)
		}
		if err := s.db.Notify(ctx, channel, strings.Join(texts, ",")); err != nil {
			return err
		}
	}
	return nil
}
