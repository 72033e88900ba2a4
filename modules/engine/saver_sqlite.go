package engine

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"dorado/app/kit/db"
)

// sqliteSaver writes a group row by row with prepared statements in one transaction: there is no round trip to save.
type sqliteSaver struct {
	name  string
	epoch int64
}

const (
	sqliteFence = `SELECT 1 FROM master WHERE name = ? AND epoch = ?`
	sqliteTake  = `DELETE FROM command WHERE id = ?`
	// The wide forms also have the columns that few attempts need.
	sqliteIdentity = `id, workflow_instance_id, project_code, task_code, task_version, name, task_type, attempt, max_retry_times,
	   worker_group, priority, first_submit_time, `
	sqliteState = `host, state, valid, pid, exit_code, log_path, execute_path, app_link, var_pool, message, submit_time, due_time, start_time, end_time`
	sqliteOver  = ` ON CONFLICT (id) DO UPDATE SET host = EXCLUDED.host, state = EXCLUDED.state, valid = EXCLUDED.valid, pid = EXCLUDED.pid, exit_code = EXCLUDED.exit_code,
	   log_path = EXCLUDED.log_path, execute_path = EXCLUDED.execute_path, app_link = EXCLUDED.app_link, var_pool = EXCLUDED.var_pool, message = EXCLUDED.message,
	   submit_time = EXCLUDED.submit_time, due_time = EXCLUDED.due_time, start_time = EXCLUDED.start_time, end_time = EXCLUDED.end_time`
	sqliteInsert = `INSERT INTO task_instance (` + sqliteIdentity + sqliteState + `)
	 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)` + sqliteOver
	sqliteInsertWide = `INSERT INTO task_instance (` + sqliteIdentity + sqliteState + `, context, cache_key, task_group_id, task_group_priority, environment_code)
	 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)` + sqliteOver + `,
	   context = EXCLUDED.context, cache_key = EXCLUDED.cache_key`
	sqliteSet = `UPDATE task_instance SET host = ?, state = ?, valid = ?, pid = ?, exit_code = ?, log_path = ?, execute_path = ?,
	   app_link = ?, var_pool = ?, message = ?, submit_time = ?, due_time = ?, start_time = ?, end_time = ?`
	sqliteUpdate     = sqliteSet + ` WHERE id = ?`
	sqliteUpdateWide = sqliteSet + `, context = ?, cache_key = ? WHERE id = ?`
	sqliteUpdateRun  = `UPDATE workflow_instance SET
	   state = CASE WHEN ? = 'RUNNING_EXECUTION' AND state IN ('READY_STOP', 'READY_PAUSE') THEN state ELSE ? END,
	   state_history = ?, message = ?, var_pool = CASE WHEN ? THEN ? ELSE var_pool END, end_time = ?,
	   owner = ?, owner_epoch = ?, host = ?, updated_at = ? WHERE id = ?`
)

// save implements saver.
func (s *sqliteSaver) save(ctx context.Context, w *db.Writer, g *group, now time.Time) (taken map[int64]bool, err error) {
	taken = make(map[int64]bool, len(g.commands))
	err = w.Tx(ctx, func(*sql.Conn) error {
		fence, err := w.Stmt(ctx, sqliteFence)
		if err != nil {
			return err
		}
		var one int
		if err := fence.QueryRowContext(ctx, s.name, s.epoch).Scan(&one); errors.Is(err, sql.ErrNoRows) {
			return errFenced
		} else if err != nil {
			return err
		}
		if err := s.take(ctx, w, g, taken); err != nil {
			return err
		}
		if err := s.attempts(ctx, w, g, taken); err != nil {
			return err
		}
		if err := s.runs(ctx, w, g, taken, now); err != nil {
			return err
		}
		return g.saveExtras(ctx, w, taken)
	})
	return taken, err
}

func (s *sqliteSaver) take(ctx context.Context, w *db.Writer, g *group, taken map[int64]bool) error {
	if len(g.commands) == 0 {
		return nil
	}
	take, err := w.Stmt(ctx, sqliteTake)
	if err != nil {
		return err
	}
	for _, c := range g.commands {
		res, err := take.ExecContext(ctx, c.id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err == nil && n > 0 {
			taken[c.id] = true
		}
	}
	return nil
}

func (s *sqliteSaver) attempts(ctx context.Context, w *db.Writer, g *group, taken map[int64]bool) error {
	if len(g.attempts) == 0 {
		return nil
	}
	for i := range g.attempts {
		r := &g.attempts[i]
		if r.command != 0 && !taken[r.command] {
			continue
		}
		if err := s.attempt(ctx, w, &r.attemptRow); err != nil {
			return err
		}
	}
	return nil
}

func (s *sqliteSaver) attempt(ctx context.Context, w *db.Writer, r *attemptRow) error {
	args := make([]any, 0, 31)
	if r.insert {
		args = append(args, r.id, r.run, r.project, r.taskCode, r.taskVersion, r.name, r.taskType, r.number, r.maxRetries, r.workerGroup,
			r.priority, r.firstSubmit)
	}
	args = append(args, r.host, r.state, r.valid, r.pid, r.exitCode, r.logPath, r.executePath, r.appLink, r.varPool, r.message, r.submit,
		orNil(r.due), orNil(r.start), orNil(r.end))
	var text string
	switch wide := r.wide(); {
	case r.insert && wide:
		text, args = sqliteInsertWide, append(args, r.context, r.cacheKey, r.groupID, r.groupRank, r.environment)
	case r.insert:
		text = sqliteInsert
	case wide:
		text, args = sqliteUpdateWide, append(args, r.context, r.cacheKey, r.id)
	default:
		text, args = sqliteUpdate, append(args, r.id)
	}
	stmt, err := w.Stmt(ctx, text)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(ctx, args...)
	return err
}

func (s *sqliteSaver) runs(ctx context.Context, w *db.Writer, g *group, taken map[int64]bool, now time.Time) error {
	if len(g.runs) == 0 {
		return nil
	}
	update, err := w.Stmt(ctx, sqliteUpdateRun)
	if err != nil {
		return err
	}
	for i := range g.runs {
		r := &g.runs[i]
		if r.command != 0 && !taken[r.command] {
			continue
		}
		if _, err := update.ExecContext(ctx, r.state, r.state, r.history, r.message, r.finished, r.varPool, orNil(r.end),
			s.name, r.epoch, s.name, now, r.id); err != nil {
			return err
		}
	}
	return nil
}

// orNil writes an instant that may be missing.
func orNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}
