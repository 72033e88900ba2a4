package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// What is kept of an attempt is bounded, in bytes; workers know the same bounds.
const (
	maxResult   = 64 << 10
	maxDetail   = 128 << 10
	maxMeasured = 400
)

// A repeated report finds the rows of the first one.
const (
	insertResult = `INSERT INTO task_result (task_instance_id, kind, body, detail, created_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (task_instance_id) DO NOTHING`
	insertMeasure = `INSERT INTO task_measure (task_instance_id, workflow_code, task_code, series, value, measured_at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (task_instance_id) DO NOTHING`
)

// decimal is how a measured value is written, so that both databases read it as a number.
var decimal = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// Series is what attempts of a task have in common that measure the same.
type Series struct {
	Key string // of the settings; "" = nothing is measured
	// Window is the time in which earlier attempts count for one that begins now. nil: none are asked for.
	Window func(now time.Time) (from, to time.Time)
}

// past sums up what earlier attempts of a task measured. It fails with errLater when the database does not answer.
func (s *store) past(ctx context.Context, workflow, task int64, series Series, now time.Time) (*doradov1.Past, error) {
	type sum struct {
		Count   int64   `db:"count"`
		Average *string `db:"average"`
	}
	from, to := series.Window(now)
	row, err := db.Get[sum](ctx, s.db, `SELECT COUNT(*) AS count, CAST(AVG(CAST(value AS NUMERIC)) AS TEXT) AS average FROM task_measure
		WHERE workflow_code = ? AND task_code = ? AND series = ? AND measured_at >= ? AND measured_at < ?`, workflow, task, series.Key, from.UTC(), to.UTC())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errLater, err)
	}
	out := &doradov1.Past{Count: row.Count, FromMs: from.UnixMilli(), ToMs: to.UnixMilli()}
	if row.Average != nil {
		out.Average = *row.Average
	}
	return out, nil
}

// resultRows are the statements that keep what a report says for pages, with the end of its attempt. A report that ends nothing
// keeps nothing, and neither does that of a killed attempt.
func (t *turn) resultRows(report *message) []extra {
	if report == nil || report.report == nil {
		return nil
	}
	r := report.report
	body := r.GetResult()
	if !holdable(body, maxResult) {
		return nil
	}
	for _, a := range t.changed {
		if a.ID != r.GetId() || a.State != flow.TaskSuccess && a.State != flow.TaskFailure {
			continue
		}
		now, node := t.e.clock(), &t.l.run.Graph.Tasks[a.Node]
		var detail *string
		if holdable(r.GetDetail(), maxDetail) {
			detail = new(clean(string(r.GetDetail())))
		}
		rows := []extra{{insertResult, []any{a.ID, node.Type, clean(string(body)), detail, now}}}
		value, series := r.GetMeasured(), t.l.program.series[a.Node].Key
		if series != "" && len(value) <= maxMeasured && decimal.MatchString(value) {
			rows = append(rows, extra{insertMeasure, []any{a.ID, t.l.instance.WorkflowCode, node.Code, series, value, now}})
		}
		return rows
	}
	return nil
}

// holdable reports whether a text may be kept. Lists look into results by SQL: one that is no JSON would break them for
// everybody, and so would an escaped NUL, of which PostgreSQL makes no text.
func holdable(body []byte, most int) bool {
	return len(body) > 0 && len(body) <= most && json.Valid(body) && !bytes.Contains(body, []byte(`\u0000`))
}
