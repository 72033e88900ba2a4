package keep

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"dorado/app/kit/db"
	"dorado/migrations"
	"dorado/modules/flow"
	"dorado/modules/keep/archive"
)

// How far identifiers skip ahead of the snapshot.
const (
	wideSkip = 1_000_000 // attempts, instances, commands, epochs: what workers and log folders remember
	skip     = 10_000
)

// restoredMark is the row of schedule_mark that stands until the first clock starts on restored rows.
const restoredMark = "restored"

// Settled counts what a restore brought in order.
type Settled struct {
	Runs      int64 `json:"runs"`      // workflow instances that were under way and have ended now
	Attempts  int64 `json:"attempts"`  // task instances, likewise
	Commands  int64 `json:"commands"`  // requests that were dropped
	Approvals int64 `json:"approvals"` // decisions that nobody waits for any more
	Backfills int64 `json:"backfills"` // that are paused now
	Alerts    int64 `json:"alerts"`    // that are not sent
	Schedules int64 `json:"schedules"` // that are offline now
	Secrets   int64 `json:"secrets"`   // that were emptied, because there is no key for them
	Files     int64 `json:"files"`
}

// settler brings restored rows in order, in the transaction that wrote them.
type settler struct {
	tx       *sqlx.Tx
	tables   map[string]*table
	header   archive.Header
	manifest archive.Manifest
	files    map[string]int64
	d        RestoreDeps
	dialect  string
	now      time.Time
	out      Settled
}

func (s *settler) all(ctx context.Context) (Settled, error) {
	steps := []func(context.Context) error{s.settleSecrets, s.alerts, s.schedules, s.identities, s.identity, s.record}
	if !s.d.Resume {
		steps = append([]func(context.Context) error{s.runs, s.rest}, steps...)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return s.out, err
		}
	}
	for _, n := range s.files {
		s.out.Files += n
	}
	return s.out, nil
}

// exec runs a statement and returns how many rows it changed. Tables that the restored schema does not have yet are empty.
func (s *settler) exec(ctx context.Context, table, query string, args ...any) (int64, error) {
	if s.tables[table] == nil {
		return 0, nil
	}
	res, err := s.tx.ExecContext(ctx, s.tx.Rebind(query), args...)
	if err != nil {
		return 0, fmt.Errorf("table %s: %w", table, err)
	}
	return res.RowsAffected()
}

func (s *settler) why() string {
	return "in flight when the backup of " + s.header.CreatedAt.UTC().Format(time.DateTime) + " UTC was made"
}

// runs ends what was under way.
func (s *settler) runs(ctx context.Context) error {
	type run struct {
		ID      int64     `db:"id"`
		State   string    `db:"state"`
		History string    `db:"state_history"`
		Start   time.Time `db:"start_time"`
	}
	var list []run
	err := sqlx.SelectContext(ctx, s.tx, &list, `SELECT id, state, state_history, start_time FROM workflow_instance
		WHERE state NOT IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE') ORDER BY id`)
	if err != nil {
		return err
	}
	for _, r := range list {
		ends, end := flow.WorkflowFailure, db.Cut(s.header.CreatedAt)
		if r.State == string(flow.WorkflowReadyStop) {
			ends = flow.WorkflowStop
		}
		if r.Start.After(end) { // one that was written ahead of its time
			end = r.Start.UTC()
		}
		var past []json.RawMessage
		if json.Unmarshal([]byte(r.History), &past) != nil {
			past = nil
		}
		step, err := json.Marshal(map[string]string{"time": end.Format(time.DateTime), "state": string(ends), "desc": "restored from a backup"})
		if err != nil {
			return err
		}
		history, err := json.Marshal(append(past, step))
		if err != nil {
			return err
		}
		n, err := s.exec(ctx, "workflow_instance", `UPDATE workflow_instance SET state = ?, state_history = ?, message = ?, end_time = ?,
			updated_at = ?, owner = '', owner_epoch = owner_epoch + 1 WHERE id = ?`, string(ends), string(history), s.why(), end, s.now, r.ID)
		if err != nil {
			return err
		}
		s.out.Runs += n
	}
	s.out.Attempts, err = s.exec(ctx, "task_instance", `UPDATE task_instance SET state = 'KILL', end_time = ?, message = ?
		WHERE state IN ('SUBMITTED_SUCCESS', 'DELAY_EXECUTION', 'DISPATCH', 'RUNNING_EXECUTION')`, db.Cut(s.header.CreatedAt), s.why())
	return err
}

// rest drops and pauses what belonged to those runs, or would begin others.
func (s *settler) rest(ctx context.Context) (err error) {
	if s.out.Commands, err = s.exec(ctx, "command", `DELETE FROM command`); err != nil {
		return err
	}
	for _, table := range []string{"serial_queue", "task_group_slot", "master"} {
		if _, err := s.exec(ctx, table, `DELETE FROM `+table); err != nil {
			return err
		}
	}
	s.out.Approvals, err = s.exec(ctx, "approval", `UPDATE approval SET state = 'CANCELLED', comment = ?, decided_at = ? WHERE state = 'WAITING'`, s.why(), s.now)
	if err != nil {
		return err
	}
	if _, err := s.exec(ctx, "backfill_date", `UPDATE backfill_date SET state = COALESCE(
		(SELECT w.state FROM workflow_instance w WHERE w.id = backfill_date.workflow_instance_id), 'STOP') WHERE state = 'RUNNING'`); err != nil {
		return err
	}
	s.out.Backfills, err = s.exec(ctx, "backfill", `UPDATE backfill SET state = 'PAUSED', updated_at = ? WHERE ended_at IS NULL AND state = 'RUNNING'`, s.now)
	return err
}

// alerts keeps those that waited from being sent: the snapshot does not know whether they were.
func (s *settler) alerts(ctx context.Context) (err error) {
	s.out.Alerts, err = s.exec(ctx, "alert", `UPDATE alert SET status = 'EXECUTION_FAILURE', log = 'not sent: restored from a backup', updated_at = ?
		WHERE status = 'WAIT_EXECUTION'`, s.now)
	return err
}

// schedules keeps fires of the past from being made up for.
func (s *settler) schedules(ctx context.Context) (err error) {
	if s.d.SchedulesOffline {
		s.out.Schedules, err = s.exec(ctx, "schedule", `UPDATE schedule SET release_state = 'OFFLINE', wish_online = ?, revision = revision + 1,
			updated_at = ? WHERE release_state = 'ONLINE'`, false, s.now)
		if err != nil {
			return err
		}
	}
	if s.d.CatchUp {
		return nil
	}
	if err := settleClock(ctx, s.exec, s.now); err != nil {
		return err
	}
	_, err = s.exec(ctx, "schedule_mark", `INSERT INTO schedule_mark (name, fired_until) VALUES (?, ?)`, restoredMark, s.now)
	return err
}

type execer func(ctx context.Context, table, query string, args ...any) (int64, error)

// settleClock makes now the moment from which schedules fire.
func settleClock(ctx context.Context, exec execer, now time.Time) error {
	if _, err := exec(ctx, "schedule", `UPDATE schedule SET online_at = ? WHERE release_state = 'ONLINE'`, now); err != nil {
		return err
	}
	_, err := exec(ctx, "schedule_mark", `UPDATE schedule_mark SET fired_until = ? WHERE fired_until < ?`, now, now)
	return err
}

// Started is called before a clock fires anything. The first time on restored rows it settles that what was due between
// the snapshot and now is not made up for.
func Started(ctx context.Context, d *db.DB, now func() time.Time) error {
	return d.InTx(ctx, func(ctx context.Context) error {
		res, err := d.Exec(ctx, `DELETE FROM schedule_mark WHERE name = ?`, restoredMark)
		if err != nil {
			return fmt.Errorf("look whether this was restored: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return settleClock(ctx, func(ctx context.Context, _, query string, args ...any) (int64, error) {
			_, err := d.Exec(ctx, query, args...)
			return 0, err
		}, db.Now(now))
	})
}

// identities makes new rows take numbers that neither the snapshot nor what came after it has used.
func (s *settler) identities(ctx context.Context) error {
	for name, t := range s.tables {
		if t.Identity == "" {
			continue
		}
		last := int64(0)
		if err := sqlx.GetContext(ctx, s.tx, &last, "SELECT COALESCE(MAX("+t.Identity+"), 0) FROM "+name); err != nil {
			return err
		}
		ahead := int64(skip)
		if name == "workflow_instance" || name == "command" {
			ahead = wideSkip
		}
		if err := s.sequence(ctx, t, last+ahead); err != nil {
			return fmt.Errorf("identifiers of %s: %w", name, err)
		}
	}
	if s.tables["id_block"] == nil {
		return nil
	}
	var blocks []string
	if err := sqlx.SelectContext(ctx, s.tx, &blocks, `SELECT name FROM id_block`); err != nil {
		return err
	}
	for _, name := range blocks {
		last := int64(0)
		if t := s.tables[name]; t != nil && len(t.Key) == 1 {
			if err := sqlx.GetContext(ctx, s.tx, &last, "SELECT COALESCE(MAX("+t.Key[0]+"), 0) FROM "+name); err != nil {
				return err
			}
		}
		if _, err := s.exec(ctx, "id_block", `UPDATE id_block SET next = CASE WHEN next > ? THEN next ELSE ? END + ? WHERE name = ?`,
			last, last, int64(wideSkip), name); err != nil {
			return err
		}
	}
	return nil
}

// sequence makes last the number that was given out last.
func (s *settler) sequence(ctx context.Context, t *table, last int64) error {
	if s.dialect == migrations.Postgres {
		_, err := s.tx.ExecContext(ctx, `SELECT setval(pg_get_serial_sequence($1, $2), $3)`, t.Name, t.Identity, last)
		return err
	}
	if _, err := s.tx.ExecContext(ctx, `DELETE FROM sqlite_sequence WHERE name = ?`, t.Name); err != nil {
		return err
	}
	_, err := s.tx.ExecContext(ctx, `INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)`, t.Name, last)
	return err
}

// identity makes the restored installation another one: a copy that is tried out must not pass for the original where
// both reach the same registry. It gets a new name at its first start.
func (s *settler) identity(ctx context.Context) error {
	_, err := s.exec(ctx, "setting", `DELETE FROM setting WHERE name = 'cluster_id'`)
	return err
}

// record writes the audit log.
func (s *settler) record(ctx context.Context) error {
	detail, err := json.Marshal(map[string]any{
		"program": s.header.Program, "schema": s.header.Schema, "from": s.header.Dialect, "into": s.dialect, "rows": s.manifest.AllRows(),
		"files": s.files[KindLogs] + s.files[KindResources], "resumed": s.d.Resume, "runsEnded": s.out.Runs,
	})
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, "audit_log", `INSERT INTO audit_log (at, user_id, user_name, client, action, object_type, object_id, object_name, project_code, detail)
		VALUES (?, 0, 'system', '', 'backup.restore', 'backup', ?, ?, 0, ?)`,
		s.now, s.header.CreatedAt.UTC().Format(time.RFC3339), s.header.CreatedAt.UTC().Format(time.DateTime)+" UTC", string(detail))
	return err
}
