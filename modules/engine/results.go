package engine

import (
	"bytes"
	"encoding/json"

	"dorado/modules/flow"
)

// maxResult bounds what is kept of an attempt for pages, in bytes; workers know the same bound.
const maxResult = 64 << 10

// A repeated report finds the row of the first one.
const insertResult = `INSERT INTO task_result (task_instance_id, kind, body, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (task_instance_id) DO NOTHING`

// resultRows are the statements that keep what a report says for pages, with the end of its attempt. A report that ends nothing
// keeps nothing, and neither does that of a killed attempt.
func (t *turn) resultRows(report *message) []extra {
	if report == nil || report.report == nil {
		return nil
	}
	r := report.report
	body := r.GetResult()
	// Lists look into these texts by SQL: one that is no JSON would break them for everybody, and so would an escaped NUL, of
	// which PostgreSQL makes no text.
	if len(body) == 0 || len(body) > maxResult || !json.Valid(body) || bytes.Contains(body, []byte(`\u0000`)) {
		return nil
	}
	for _, a := range t.changed {
		if a.ID == r.GetId() && (a.State == flow.TaskSuccess || a.State == flow.TaskFailure) {
			return []extra{{insertResult, []any{a.ID, t.l.run.Graph.Tasks[a.Node].Type, clean(string(body)), t.e.clock()}}}
		}
	}
	return nil
}
