package alert

import (
	"context"
	"fmt"
	"strings"
	"time"

	"dorado/app/kit/db"
)

// The states of alerts and of deliveries, in the words of DolphinScheduler.
const (
	waiting = "WAIT_EXECUTION"
	success = "EXECUTION_SUCCESS"
	failure = "EXECUTION_FAILURE"
	partial = "EXECUTION_PARTIAL_SUCCESS"
)

type store struct{ db *db.DB }

// alertRow is an alert to be told.
type alertRow struct {
	ID       int64  `db:"id"`
	Key      string `db:"event_key"`
	Kind     string `db:"alert_type"`
	Warning  string `db:"warning_type"`
	Instance int64  `db:"workflow_instance_id"`
	Group    int64  `db:"alert_group_id"`
	Title    string `db:"title"`
	Content  string `db:"content"`
}

const alertColumns = "a.id, a.event_key, a.alert_type, a.warning_type, a.workflow_instance_id, a.alert_group_id, a.title, a.content"

// unplanned lists alerts that nobody has looked at, oldest first.
func (s store) unplanned(ctx context.Context, limit int) ([]alertRow, error) {
	return db.Select[alertRow](ctx, s.db, "SELECT "+alertColumns+` FROM alert a WHERE a.status = ?
		AND NOT EXISTS (SELECT 1 FROM alert_delivery d WHERE d.alert_id = a.id) ORDER BY a.id LIMIT ?`, waiting, limit)
}

// plan makes a delivery to each instance.
func (s store) plan(ctx context.Context, id int64, instances []int64, now time.Time) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		for _, instance := range instances {
			_, err := s.db.Exec(ctx, `INSERT INTO alert_delivery (alert_id, instance_id, next_at, created_at, updated_at) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (alert_id, instance_id) DO NOTHING`, id, instance, now, now, now)
			if err != nil {
				return fmt.Errorf("plan alert %d: %w", id, err)
			}
		}
		return nil
	})
}

// end notes how an alert ended that is told to nobody by any instance.
func (s store) end(ctx context.Context, id int64, status, log string, now time.Time) error {
	_, err := s.db.Exec(ctx, `UPDATE alert SET status = ?, log = ?, updated_at = ? WHERE id = ? AND status = ?`, status, log, now, id, waiting)
	return err
}

// dueRow is a delivery that may be tried now.
type dueRow struct {
	alertRow
	To       int64 `db:"instance_id"`
	Attempts int   `db:"attempts"`
}

// due lists deliveries that may be tried now, without those to instances that are busy.
func (s store) due(ctx context.Context, now time.Time, busy []int64, limit int) ([]dueRow, error) {
	query, args := "SELECT "+alertColumns+`, d.instance_id, d.attempts FROM alert_delivery d JOIN alert a ON a.id = d.alert_id
		WHERE d.status = ? AND d.next_at <= ?`, []any{waiting, now}
	for _, instance := range busy { // few: there is room for few attempts
		query, args = query+" AND d.instance_id <> ?", append(args, instance)
	}
	return db.Select[dueRow](ctx, s.db, query+" ORDER BY d.next_at, d.alert_id, d.instance_id LIMIT ?", append(args, limit)...)
}

// next is when the earliest waiting delivery may be tried; the zero time when none waits.
func (s store) next(ctx context.Context) (time.Time, error) {
	list, err := db.Select[time.Time](ctx, s.db, `SELECT next_at FROM alert_delivery WHERE status = ? ORDER BY next_at LIMIT 1`, waiting)
	if err != nil || len(list) == 0 {
		return time.Time{}, err
	}
	return list[0], nil
}

// claim takes a delivery until a moment; false when somebody else was faster.
func (s store) claim(ctx context.Context, d dueRow, until, now time.Time) (bool, error) {
	res, err := s.db.Exec(ctx, `UPDATE alert_delivery SET attempts = attempts + 1, next_at = ?, updated_at = ?
		WHERE alert_id = ? AND instance_id = ? AND status = ? AND attempts = ?`, until, now, d.ID, d.To, waiting, d.Attempts)
	if err != nil {
		return false, fmt.Errorf("claim a delivery: %w", err)
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// result is what came of an attempt.
type result struct {
	status   string // waiting: it is tried again
	attempts int    // those noted afterwards
	next     time.Time
	log      string
}

// note keeps the result of the attempt that was claimed, and ends the alert when nothing of it waits any more. It does
// nothing when the claim was lost.
func (s store) note(ctx context.Context, d dueRow, r result, now time.Time) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		// The row of the alert first: two deliveries that end together must not both think that the other one still waits.
		if _, err := s.db.Exec(ctx, `UPDATE alert SET updated_at = ? WHERE id = ?`, now, d.ID); err != nil {
			return fmt.Errorf("note a delivery: %w", err)
		}
		res, err := s.db.Exec(ctx, `UPDATE alert_delivery SET status = ?, attempts = ?, next_at = ?, log = ?, updated_at = ?
			WHERE alert_id = ? AND instance_id = ? AND status = ? AND attempts = ?`,
			r.status, r.attempts, r.next, r.log, now, d.ID, d.To, waiting, d.Attempts+1)
		if err != nil {
			return fmt.Errorf("note a delivery: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 || r.status == waiting {
			return err
		}
		return s.settle(ctx, d.ID, now)
	})
}

// settle ends an alert whose deliveries all ended.
func (s store) settle(ctx context.Context, id int64, now time.Time) error {
	all, err := db.Select[struct {
		Status string `db:"status"`
		Log    string `db:"log"`
		To     int64  `db:"instance_id"`
	}](ctx, s.db, `SELECT status, log, instance_id FROM alert_delivery WHERE alert_id = ? ORDER BY instance_id`, id)
	if err != nil {
		return err
	}
	good := 0
	var log []string
	for _, d := range all {
		switch d.Status {
		case waiting:
			return nil
		case success:
			good++
		}
		log = append(log, fmt.Sprintf("%d: %s", d.To, d.Log))
	}
	status := partial
	if good == len(all) {
		status = success
	} else if good == 0 {
		status = failure
	}
	return s.end(ctx, id, status, strings.Join(log, "\n"), now)
}
