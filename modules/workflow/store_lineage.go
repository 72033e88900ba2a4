package workflow

import (
	"context"
	"strings"

	"dorado/app/kit/db"
)

// The SQL of lineage.

const (
	lineageColumns = 7
	lineageRows    = 1000 // per statement
	codesAtOnce    = 5000 // in one list of a query
	lineageLock    = 7321004
)

// lockLineage makes transactions that depend on who starts whom wait for each other. SQLite lets only one write anyway.
func (s store) lockLineage(ctx context.Context) error {
	if s.db.Dialect().Name() != "postgres" {
		return nil
	}
	_, err := s.db.Exec(ctx, `SELECT pg_advisory_xact_lock(?)`, lineageLock)
	return wrap(err, "lock lineage")
}

// relink replaces the rows of a workflow.
func (s store) relink(ctx context.Context, code int64, links []link) error {
	if _, err := s.db.Exec(ctx, `DELETE FROM workflow_lineage WHERE workflow_code = ?`, code); err != nil {
		return wrap(err, "delete lineage")
	}
	positions := map[int64]int{}
	for len(links) > 0 {
		n := min(len(links), lineageRows)
		args := make([]any, 0, n*lineageColumns)
		for _, l := range links[:n] {
			args = append(args, code, l.task, positions[l.task], l.kind, l.project, l.workflow, l.on)
			positions[l.task]++
		}
		_, err := s.db.Exec(ctx, `INSERT INTO workflow_lineage
			(workflow_code, task_code, position, kind, dependent_project_code, dependent_workflow_code, dependent_task_code) VALUES (?, ?, ?, ?, ?, ?, ?)`+
			strings.Repeat(`, (?, ?, ?, ?, ?, ?, ?)`, n-1), args...)
		if err != nil {
			return wrap(err, "write lineage")
		}
		links = links[n:]
	}
	return nil
}

// awaited lists the workflows that the current version of one waits for.
func (s store) awaited(ctx context.Context, code int64) (map[int64]bool, error) {
	codes, err := db.Select[int64](ctx, s.db, `SELECT DISTINCT dependent_workflow_code FROM workflow_lineage WHERE workflow_code = ? AND kind = 'DEPENDENT'`, code)
	out := make(map[int64]bool, len(codes))
	for _, c := range codes {
		out[c] = true
	}
	return out, wrap(err, "list awaited workflows")
}

// started is one workflow that starts another one.
type started struct {
	Parent int64 `db:"workflow_code"`
	Child  int64 `db:"dependent_workflow_code"`
}

// starts lists what the workflows start.
func (s store) starts(ctx context.Context, codes []int64) ([]started, error) {
	return selectIn[started](ctx, s.db, `SELECT DISTINCT workflow_code, dependent_workflow_code FROM workflow_lineage
		WHERE kind = 'SUB_WORKFLOW' AND workflow_code IN (?) ORDER BY workflow_code, dependent_workflow_code`, codes)
}

// startedBy lists what starts the workflows.
func (s store) startedBy(ctx context.Context, codes []int64) ([]started, error) {
	return selectIn[started](ctx, s.db, `SELECT DISTINCT workflow_code, dependent_workflow_code FROM workflow_lineage
		WHERE kind = 'SUB_WORKFLOW' AND dependent_workflow_code IN (?) ORDER BY workflow_code, dependent_workflow_code`, codes)
}

// dependants lists the tasks of other workflows that name one.
func (s store) dependants(ctx context.Context, code int64) ([]Dependant, error) {
	return s.dependantsOn(ctx, code, 0)
}

// dependantsOn is dependants for one task of a workflow; 0 is any, and the workflow itself.
func (s store) dependantsOn(ctx context.Context, code, task int64) ([]Dependant, error) {
	query, args := `SELECT DISTINCT l.kind, w.project_code, w.code AS workflow_code, w.name AS workflow_name, w.release_state,
			l.task_code, COALESCE(t.name, '') AS task_name
		FROM workflow_lineage l JOIN workflow_definition w ON w.code = l.workflow_code LEFT JOIN task_definition t ON t.code = l.task_code
		WHERE l.dependent_workflow_code = ? AND l.workflow_code <> ?`, []any{code, code}
	if task != 0 {
		query, args = query+` AND l.dependent_task_code = ?`, append(args, task)
	}
	rows, err := db.Select[Dependant](ctx, s.db, query+` ORDER BY workflow_name, task_name, l.kind, l.task_code`, args...)
	return rows, wrap(err, "list dependants")
}

// heads reads what a reference to a workflow shows, by code; those that are gone are missing.
func (s store) heads(ctx context.Context, codes []int64) (map[int64]Workflow, error) {
	rows, err := selectIn[Workflow](ctx, s.db, `SELECT code, project_code, name, release_state, version FROM workflow_definition WHERE code IN (?)`, codes)
	out := make(map[int64]Workflow, len(rows))
	for _, w := range rows {
		out[w.Code] = w
	}
	return out, err
}

// taskHomes says which workflow the current version of each task that is waited for belongs to.
func (s store) taskHomes(ctx context.Context, links []link) (map[int64]int64, error) {
	var codes []int64
	for _, l := range links {
		if l.on > 0 {
			codes = append(codes, l.on)
		}
	}
	type home struct {
		Task     int64 `db:"code"`
		Workflow int64 `db:"workflow_code"`
	}
	rows, err := selectIn[home](ctx, s.db, `SELECT code, workflow_code FROM task_definition WHERE code IN (?)`, codes)
	out := make(map[int64]int64, len(rows))
	for _, h := range rows {
		out[h.Task] = h.Workflow
	}
	return out, err
}

// choices lists workflows whose names contain text, and those with the codes whatever their names.
func (s store) choices(ctx context.Context, project int64, text string, codes []int64, limit int) ([]Workflow, error) {
	const columns = `SELECT w.code, w.project_code, w.name, w.release_state, w.version FROM workflow_definition w WHERE w.project_code = ? AND `
	rows, err := db.Select[Workflow](ctx, s.db, columns+s.db.Dialect().Like("w.name")+` ORDER BY w.name LIMIT ?`, project, db.Contains(text), limit)
	if err != nil || len(codes) == 0 {
		return rows, wrap(err, "list workflow names")
	}
	query, args, err := db.In(columns+`w.code IN (?)`, project, codes)
	if err != nil {
		return nil, wrap(err, "list workflow names")
	}
	named, err := db.Select[Workflow](ctx, s.db, query, args...)
	return append(named, rows...), wrap(err, "list workflow names")
}

// taskNames lists the tasks of a workflow's current version by name.
func (s store) taskNames(ctx context.Context, workflow int64) ([]name, error) {
	rows, err := db.Select[name](ctx, s.db, `SELECT code, name FROM task_definition WHERE workflow_code = ? ORDER BY name`, workflow)
	return rows, wrap(err, "list task names")
}

// selectIn runs a query with one list of codes, in parts when there are many.
func selectIn[T any](ctx context.Context, d *db.DB, query string, codes []int64) ([]T, error) {
	var all []T
	for len(codes) > 0 {
		n := min(len(codes), codesAtOnce)
		q, args, err := db.In(query, codes[:n])
		if err != nil {
			return nil, wrap(err, "read by codes")
		}
		rows, err := db.Select[T](ctx, d, q, args...)
		if err != nil {
			return nil, wrap(err, "read by codes")
		}
		all = append(all, rows...)
		codes = codes[n:]
	}
	return all, nil
}
