package workflow

import (
	"context"
	"errors"

	"dorado/app/kit/db"
	flowtext "dorado/modules/flow/text"
)

// source returns the YAML that the author of a version typed, "" when it was drawn.
func (s store) source(ctx context.Context, code int64, version int) (string, error) {
	src, err := db.Get[string](ctx, s.db, `SELECT source FROM workflow_version WHERE workflow_code = ? AND version = ?`, code, version)
	if errors.Is(err, db.ErrNoRows) {
		return "", ErrVersionNotFound.With("code", code, "version", version)
	}
	return src, wrap(err, "read workflow source")
}

// typed finds the last version before one whose author typed it; 0 when there is none.
func (s store) typed(ctx context.Context, code int64, before int) (version int, err error) {
	version, err = db.Get[int](ctx, s.db, `SELECT COALESCE(MAX(version), 0) FROM workflow_version WHERE workflow_code = ? AND version < ? AND source <> ''`, code, before)
	return version, wrap(err, "find workflow source")
}

func (s store) putSource(ctx context.Context, code int64, version int, src string) error {
	_, err := s.db.Exec(ctx, `UPDATE workflow_version SET source = ? WHERE workflow_code = ? AND version = ?`, src, code, version)
	return wrap(err, "write workflow source")
}

// named is what a reference in a text leads to.
type named struct {
	Code        int64  `db:"code"`
	ProjectCode int64  `db:"project_code"`
	Project     string `db:"project"`
	Workflow    string `db:"workflow"`
	Task        string `db:"task"`
}

// reference finds a project, workflow or task by its code, or by its names when by holds some.
func (s store) reference(ctx context.Context, kind flowtext.Kind, code int64, by ...string) (named, error) {
	query, conditions := "", ""
	switch kind {
	case flowtext.Project:
		query = `SELECT p.code, p.code AS project_code, p.name AS project, '' AS workflow, '' AS task FROM project p WHERE `
		conditions = `p.name = ?`
		if len(by) == 0 {
			conditions = `p.code = ?`
		}
	case flowtext.Workflow:
		query = `SELECT w.code, w.project_code, p.name AS project, w.name AS workflow, '' AS task
			FROM workflow_definition w JOIN project p ON p.code = w.project_code WHERE `
		conditions = `p.name = ? AND w.name = ?`
		if len(by) == 0 {
			conditions = `w.code = ?`
		}
	default:
		query = `SELECT t.code, t.project_code, p.name AS project, w.name AS workflow, t.name AS task
			FROM task_definition t JOIN workflow_definition w ON w.code = t.workflow_code JOIN project p ON p.code = t.project_code WHERE `
		conditions = `p.name = ? AND w.name = ? AND t.name = ?`
		if len(by) == 0 {
			conditions = `t.code = ?`
		}
	}
	args := []any{code}
	if len(by) > 0 {
		args = args[:0]
		for _, name := range by {
			args = append(args, name)
		}
	}
	rows, err := db.Select[named](ctx, s.db, query+conditions+` LIMIT 1`, args...)
	if err != nil || len(rows) == 0 {
		return named{}, wrap(err, "find what a text refers to")
	}
	return rows[0], nil
}

// versionBefore returns the version that a version followed, 0 for the first.
func (s store) versionBefore(ctx context.Context, code int64, version int) (int, error) {
	before, err := db.Get[int](ctx, s.db, `SELECT COALESCE(MAX(version), 0) FROM workflow_version WHERE workflow_code = ? AND version < ?`, code, version)
	return before, wrap(err, "find version before")
}
