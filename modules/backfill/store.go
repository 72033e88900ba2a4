package backfill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/flow"
)

// store is the SQL of this module.
type store struct{ db *db.DB }

const columns = `b.id, b.project_code, b.workflow_code, b.workflow_version, COALESCE(d.name, '') AS workflow_name, b.parent_id, b.state, b.width,
  b.run_order, b.failure_policy, b.request, b.user_id, b.user_name, b.created_at, b.updated_at, b.ended_at`

const from = `backfill b LEFT JOIN workflow_definition d ON d.code = b.workflow_code`

func (s *store) get(ctx context.Context, id int64) (*Backfill, error) {
	row, err := db.Get[Backfill](ctx, s.db, `SELECT `+columns+` FROM `+from+` WHERE b.id = ?`, id)
	if errors.Is(err, db.ErrNoRows) {
		return nil, ErrNotFound.With("id", id)
	}
	return &row, err
}

// lock is get for a backfill that nobody else may change until the transaction of ctx ends.
func (s *store) lock(ctx context.Context, id int64) (*Backfill, error) {
	_, err := db.Get[int64](ctx, s.db, `SELECT id FROM backfill WHERE id = ? `+s.db.Dialect().ForUpdate(), id)
	if errors.Is(err, db.ErrNoRows) {
		return nil, ErrNotFound.With("id", id)
	}
	if err != nil {
		return nil, err
	}
	return s.get(ctx, id)
}

// list lists the backfills of a project; more is a condition that begins with AND, with its arguments.
func (s *store) list(ctx context.Context, project int64, q listing.Query, more string, moreArgs []any) ([]Backfill, int, error) {
	narrow, args := q.Where(s.db.Dialect().Like, db.Contains)
	where := ` WHERE b.project_code = ?` + more + ` AND ` + narrow
	args = slices.Concat([]any{project}, moreArgs, args)
	total, err := db.Get[int](ctx, s.db, `SELECT count(*) FROM `+from+where, args...)
	if err != nil {
		return nil, 0, err
	}
	order, limits := q.Clamp(total).OrderLimit()
	rows, err := db.Select[Backfill](ctx, s.db, `SELECT `+columns+` FROM `+from+where+` `+order, append(args, limits...)...)
	return rows, total, err
}

// children lists the backfills that one took along.
func (s *store) children(ctx context.Context, id int64) ([]Backfill, error) {
	return db.Select[Backfill](ctx, s.db, `SELECT `+columns+` FROM `+from+` WHERE b.parent_id = ? ORDER BY b.id`, id)
}

// counts says how many dates of backfills are in each state.
func (s *store) counts(ctx context.Context, ids []int64) (map[int64]Counts, error) {
	out := make(map[int64]Counts, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	query, args, err := db.In(`SELECT backfill_id, state, count(*) AS n FROM backfill_date WHERE backfill_id IN (?) GROUP BY backfill_id, state`, ids)
	if err != nil {
		return nil, err
	}
	type row struct {
		ID    int64     `db:"backfill_id"`
		State DateState `db:"state"`
		N     int       `db:"n"`
	}
	rows, err := db.Select[row](ctx, s.db, query, args...)
	for _, r := range rows {
		if out[r.ID] == nil {
			out[r.ID] = Counts{}
		}
		out[r.ID][r.State] = r.N
	}
	return out, err
}

const dateColumns = `bd.position, bd.chain, bd.schedule_time, bd.state, bd.workflow_instance_id, COALESCE(w.state, '') AS run_state,
  COALESCE(w.name, '') AS run_name, w.start_time, w.restart_time, w.end_time`

// dates lists the dates of a backfill in the order in which they run; state "" lists all.
func (s *store) dates(ctx context.Context, id int64, state DateState, limit, offset int) ([]Date, error) {
	where, args := `bd.backfill_id = ?`, []any{id}
	if state != "" {
		where, args = where+` AND bd.state = ?`, append(args, state)
	}
	return db.Select[Date](ctx, s.db, `SELECT `+dateColumns+` FROM backfill_date bd LEFT JOIN workflow_instance w ON w.id = bd.workflow_instance_id
		WHERE `+where+` ORDER BY bd.position LIMIT ? OFFSET ?`, append(args, limit, offset)...)
}

// unsettled lists the dates whose row may not say what became of their instance: all that have one and were no success.
func (s *store) unsettled(ctx context.Context, id int64) ([]Date, error) {
	return db.Select[Date](ctx, s.db, `SELECT `+dateColumns+` FROM backfill_date bd LEFT JOIN workflow_instance w ON w.id = bd.workflow_instance_id
		WHERE bd.backfill_id = ? AND bd.workflow_instance_id <> 0 AND bd.state <> ? ORDER BY bd.position`, id, DateSuccess)
}

// move changes the state of one date. It reports false when the date is no longer in state was.
func (s *store) move(ctx context.Context, id int64, position int, was, to DateState, instance int64) (bool, error) {
	res, err := s.db.Exec(ctx, `UPDATE backfill_date SET state = ?, workflow_instance_id = ? WHERE backfill_id = ? AND position = ? AND state = ?`,
		to, instance, id, position, was)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// drop ends the chains in which a date was no success: what waits in them does not run any more.
func (s *store) drop(ctx context.Context, id int64) error {
	_, err := s.db.Exec(ctx, `UPDATE backfill_date SET state = ? WHERE backfill_id = ? AND state = ? AND chain IN
		(SELECT chain FROM backfill_date WHERE backfill_id = ? AND state IN (?, ?, ?))`,
		DateNotRun, id, DateWaiting, id, DateFailure, DateStop, DatePause)
	return err
}

// heads lists the next date of each chain, in the order in which they are to run.
func (s *store) heads(ctx context.Context, id int64) ([]Date, error) {
	return db.Select[Date](ctx, s.db, `SELECT position, chain, schedule_time, state FROM backfill_date WHERE backfill_id = ? AND position IN
		(SELECT MIN(position) FROM backfill_date WHERE backfill_id = ? AND state = ? GROUP BY chain) ORDER BY position`, id, id, DateWaiting)
}

// deal gives the dates that wait to width chains, one after the other.
func (s *store) deal(ctx context.Context, id int64, width int) error {
	_, err := s.db.Exec(ctx, `UPDATE backfill_date SET chain = o.n % ? FROM
		(SELECT position, CAST(row_number() OVER (ORDER BY position) - 1 AS INTEGER) AS n FROM backfill_date WHERE backfill_id = ? AND state = ?) o
		WHERE backfill_date.backfill_id = ? AND backfill_date.position = o.position`, width, id, DateWaiting, id)
	return err
}

// become changes a backfill's state, and ends it when ended is set.
func (s *store) become(ctx context.Context, id int64, state State, ended *time.Time, now time.Time) error {
	_, err := s.db.Exec(ctx, `UPDATE backfill SET state = ?, ended_at = ?, updated_at = ? WHERE id = ?`, state, ended, now, id)
	return err
}

func (s *store) insert(ctx context.Context, b *Backfill) error {
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO backfill (project_code, workflow_code, workflow_version, parent_id, state, width, run_order,
		failure_policy, request, user_id, user_name, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		b.ProjectCode, b.WorkflowCode, b.WorkflowVersion, b.ParentID, b.State, b.Width, b.Order, b.Policy, b.Request, b.UserID, b.UserName,
		b.CreatedAt, b.CreatedAt)
	b.ID = id
	return err
}

// insertDates writes the dates of a backfill, some hundred at a time.
func (s *store) insertDates(ctx context.Context, id int64, list []Date) error {
	for part := range slices.Chunk(list, 500) {
		args := make([]any, 0, 5*len(part))
		for _, d := range part {
			args = append(args, id, d.Position, d.Chain, d.ScheduleTime, d.State)
		}
		_, err := s.db.Exec(ctx, `INSERT INTO backfill_date (backfill_id, position, chain, schedule_time, state) VALUES `+
			strings.Repeat("(?, ?, ?, ?, ?), ", len(part)-1)+"(?, ?, ?, ?, ?)", args...)
		if err != nil {
			return fmt.Errorf("insert dates: %w", err)
		}
	}
	return nil
}

// due lists the backfills for which there may be something to do: one of their runs has ended, or nothing runs.
func (s *store) due(ctx context.Context) ([]int64, error) {
	return db.Select[int64](ctx, s.db, `SELECT b.id FROM backfill b WHERE b.ended_at IS NULL AND (
		EXISTS (SELECT 1 FROM backfill_date d LEFT JOIN workflow_instance w ON w.id = d.workflow_instance_id
			WHERE d.backfill_id = b.id AND d.state = 'RUNNING' AND (w.id IS NULL OR w.state IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE')))
		OR b.state = 'RUNNING' AND EXISTS (SELECT 1 FROM backfill_date d WHERE d.backfill_id = b.id AND d.state = 'WAITING') AND b.width > (SELECT count(*) FROM backfill_date d WHERE d.backfill_id = b.id AND d.state = 'RUNNING')
		OR NOT EXISTS (SELECT 1 FROM backfill_date d WHERE d.backfill_id = b.id AND d.state IN ('RUNNING', 'WAITING'))) ORDER BY b.id`)
}

// timers lists the schedules of a workflow that are online.
func (s *store) timers(ctx context.Context, code int64) ([]timer, error) {
	return db.Select[timer](ctx, s.db, `SELECT id, crontab, time_zone, revision FROM schedule WHERE workflow_code = ? AND release_state = 'ONLINE' ORDER BY id`, code)
}

// run is the latest run for a date.
type run struct {
	ID    int64              `db:"id"`
	At    time.Time          `db:"schedule_time"`
	State flow.WorkflowState `db:"state"`
}

// existing finds the latest run of a workflow for each of some dates, by the date's milliseconds.
func (s *store) existing(ctx context.Context, code int64, list []time.Time) (map[int64]run, error) {
	out := map[int64]run{}
	for part := range slices.Chunk(list, 500) {
		args := append(make([]any, 0, len(part)+2), code)
		for _, at := range part {
			args = append(args, at)
		}
		rows, err := db.Select[run](ctx, s.db, `SELECT id, schedule_time, state FROM workflow_instance WHERE workflow_code = ? AND schedule_time IN (`+
			strings.Repeat("?, ", len(part)-1)+`?) AND is_sub_workflow = ? ORDER BY id`, append(args, false)...)
		if err != nil {
			return nil, fmt.Errorf("read runs of dates: %w", err)
		}
		for _, r := range rows {
			out[r.At.UnixMilli()] = r
		}
	}
	return out, nil
}

// link is a DEPENDENT task of a workflow that is online.
type link struct {
	Code        int64  `db:"code"`
	ProjectCode int64  `db:"project_code"`
	Name        string `db:"name"`
	Version     int    `db:"version"`
	TaskCode    int64  `db:"task_code"`
	Body        string `db:"body"`
}

// dependents lists the DEPENDENT tasks that wait for runs of a workflow.
func (s *store) dependents(ctx context.Context, code int64) ([]link, error) {
	return db.Select[link](ctx, s.db, `SELECT DISTINCT d.code, d.project_code, d.name, d.version, l.task_code, v.body FROM workflow_lineage l
		JOIN workflow_definition d ON d.code = l.workflow_code JOIN workflow_version v ON v.workflow_code = d.code AND v.version = d.version
		WHERE l.dependent_workflow_code = ? AND l.kind = 'DEPENDENT' AND d.release_state = 'ONLINE' ORDER BY d.code, l.task_code`, code)
}

// started finds the backfill whose first run was started with an idempotency key.
func (s *store) started(ctx context.Context, key string) (param string, found bool, err error) {
	param, err = db.Get[string](ctx, s.db, `SELECT command_param FROM workflow_instance WHERE idempotency_key = ?`, key)
	if errors.Is(err, db.ErrNoRows) {
		return "", false, nil
	}
	return param, err == nil, err
}

// signature changes with everything that the page of a backfill shows.
func (s *store) signature(ctx context.Context, id int64) (string, error) {
	type row struct {
		State string `db:"state"`
		Run   string `db:"run_state"`
		N     int    `db:"n"`
		Last  int64  `db:"last"`
	}
	rows, err := db.Select[row](ctx, s.db, `SELECT bd.state, COALESCE(w.state, '') AS run_state, count(*) AS n, COALESCE(MAX(bd.workflow_instance_id), 0) AS last
		FROM backfill_date bd LEFT JOIN workflow_instance w ON w.id = bd.workflow_instance_id WHERE bd.backfill_id = ?
		GROUP BY bd.state, COALESCE(w.state, '') ORDER BY 1, 2`, id)
	if err != nil {
		return "", err
	}
	head, err := db.Get[string](ctx, s.db, `SELECT state || '/' || CAST(width AS TEXT) FROM backfill WHERE id = ?`, id)
	return fmt.Sprint(head, rows), err
}

// took is how long the successful dates of a backfill took, on average over the latest ones.
func (s *store) took(ctx context.Context, id int64) (time.Duration, error) {
	list, err := db.Select[Date](ctx, s.db, `SELECT `+dateColumns+` FROM backfill_date bd JOIN workflow_instance w ON w.id = bd.workflow_instance_id
		WHERE bd.backfill_id = ? AND bd.state = ? AND w.end_time IS NOT NULL ORDER BY bd.workflow_instance_id DESC LIMIT 20`, id, DateSuccess)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	sum := time.Duration(0)
	for k := range list {
		sum += list[k].Took(time.Time{})
	}
	return sum / time.Duration(len(list)), nil
}
