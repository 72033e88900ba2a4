package workflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/flow"
)

// store is the SQL of definitions, versions, the mirror of tasks, and drafts.
type store struct{ db *db.DB }

const workflowColumns = `w.id, w.code, w.project_code, w.name, w.description, w.version, w.release_state, w.execution_type,
	w.task_count, w.owner_id, w.modified_by, w.created_at, w.updated_at,
	o.name AS owner_name, m.name AS modifier_name`

const workflowTables = ` FROM workflow_definition w JOIN users o ON o.id = w.owner_id JOIN users m ON m.id = w.modified_by`

func (s store) byCode(ctx context.Context, code int64) (Workflow, error) {
	w, err := db.Get[Workflow](ctx, s.db, `SELECT `+workflowColumns+workflowTables+` WHERE w.code = ?`, code)
	if errors.Is(err, db.ErrNoRows) {
		return w, ErrNotFound.With("code", code)
	}
	return w, wrap(err, "read workflow")
}

func (s store) byName(ctx context.Context, project int64, name string) (Workflow, error) {
	w, err := db.Get[Workflow](ctx, s.db, `SELECT `+workflowColumns+workflowTables+` WHERE w.project_code = ? AND w.name = ?`, project, name)
	if errors.Is(err, db.ErrNoRows) {
		return w, ErrNotFound.With("code", name)
	}
	return w, wrap(err, "read workflow by name")
}

// lock reads the head of a workflow for a change of it: whoever comes second waits, and then sees what the first did.
func (s store) lock(ctx context.Context, code int64) (Workflow, error) {
	// An update that changes nothing takes the row lock on both databases.
	if _, err := s.db.Exec(ctx, `UPDATE workflow_definition SET version = version WHERE code = ?`, code); err != nil {
		return Workflow{}, wrap(err, "lock workflow")
	}
	return s.byCode(ctx, code)
}

// page lists a project's workflows; more is a condition that begins with AND, with its arguments.
func (s store) page(ctx context.Context, project int64, q listing.Query, more string, moreArgs []any) ([]Workflow, int, error) {
	where, args := q.Where(s.db.Dialect().Like, db.Contains)
	where, args = ` WHERE w.project_code = ?`+more+` AND `+where, slices.Concat([]any{project}, moreArgs, args)
	total, err := db.Get[int](ctx, s.db, `SELECT count(*)`+workflowTables+where, args...)
	if err != nil {
		return nil, 0, wrap(err, "count workflows")
	}
	order, limits := q.Clamp(total).OrderLimit()
	rows, err := db.Select[Workflow](ctx, s.db, `SELECT `+workflowColumns+workflowTables+where+` `+order, append(args, limits...)...)
	return rows, total, wrap(err, "list workflows")
}

func (s store) all(ctx context.Context, project int64) ([]Workflow, error) {
	rows, err := db.Select[Workflow](ctx, s.db, `SELECT `+workflowColumns+workflowTables+` WHERE w.project_code = ? ORDER BY w.id DESC`, project)
	return rows, wrap(err, "list workflows")
}

// counts returns how many workflows each project has that meet a condition, which begins with AND; a project without any is
// missing.
func (s store) counts(ctx context.Context, projects []int64, which string, more ...any) (map[int64]int, error) {
	out := make(map[int64]int, len(projects))
	if len(projects) == 0 {
		return out, nil
	}
	query, args, err := db.In(`SELECT project_code, count(*) AS n FROM workflow_definition WHERE project_code IN (?)`, projects)
	if err != nil {
		return nil, wrap(err, "count workflows")
	}
	query, args = query+which+` GROUP BY project_code`, append(args, more...)
	type row struct {
		Project int64 `db:"project_code"`
		N       int   `db:"n"`
	}
	rows, err := db.Select[row](ctx, s.db, query, args...)
	for _, r := range rows {
		out[r.Project] = r.N
	}
	return out, wrap(err, "count workflows")
}

// name is all that a reference to a workflow shows.
type name struct {
	Code int64  `db:"code"`
	Name string `db:"name"`
}

func (s store) names(ctx context.Context, project int64, limit int) ([]name, error) {
	rows, err := db.Select[name](ctx, s.db, `SELECT code, name FROM workflow_definition WHERE project_code = ? ORDER BY name LIMIT ?`, project, limit)
	return rows, wrap(err, "list workflow names")
}

func (s store) insert(ctx context.Context, w Workflow) (int64, error) {
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO workflow_definition
		(code, project_code, name, description, version, release_state, execution_type, task_count, owner_id, modified_by, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		w.Code, w.ProjectCode, w.Name, w.Description, w.Version, w.ReleaseState, w.ExecutionType, w.TaskCount, w.OwnerID, w.ModifiedBy, w.CreatedAt, w.UpdatedAt)
	return id, taken(err, w)
}

func (s store) update(ctx context.Context, w Workflow) error {
	_, err := s.db.Exec(ctx, `UPDATE workflow_definition
		SET name = ?, description = ?, version = ?, release_state = ?, execution_type = ?, task_count = ?, modified_by = ?, updated_at = ? WHERE code = ?`,
		w.Name, w.Description, w.Version, w.ReleaseState, w.ExecutionType, w.TaskCount, w.ModifiedBy, w.UpdatedAt, w.Code)
	return taken(err, w)
}

// taken maps the violated constraint to what the user may know of it.
func taken(err error, w Workflow) error {
	if err == nil {
		return nil
	}
	switch name, _ := db.Conflict(err); name {
	case "uq_workflow_definition_project_code_name":
		return ErrNameTaken.With("name", w.Name).OnField("name", ErrNameTaken.Key, "name", w.Name)
	case "uq_workflow_definition_code":
		return ErrCodeTaken.With("code", w.Code)
	}
	return wrap(err, "write workflow")
}

func (s store) remove(ctx context.Context, code int64) error {
	for _, query := range []string{
		`DELETE FROM workflow_draft WHERE workflow_code = ?`,
		`DELETE FROM task_resource WHERE workflow_code = ?`,
		`DELETE FROM task_source WHERE workflow_code = ?`,
		`DELETE FROM task_definition WHERE workflow_code = ?`,
		`DELETE FROM workflow_version WHERE workflow_code = ?`,
		`DELETE FROM workflow_definition WHERE code = ?`,
	} {
		if _, err := s.db.Exec(ctx, query, code); err != nil {
			return wrap(err, "delete workflow")
		}
	}
	return nil
}

// Versions.

const versionColumns = `v.workflow_code, v.version, v.message, v.operator_id, v.task_count, v.tasks_added, v.tasks_changed,
	v.tasks_removed, v.created_at, COALESCE(u.name, '') AS operator_name`

func (s store) insertVersion(ctx context.Context, v Version, body []byte) error {
	_, err := s.db.Exec(ctx, `INSERT INTO workflow_version
		(workflow_code, version, body, message, task_count, tasks_added, tasks_changed, tasks_removed, operator_id, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		v.WorkflowCode, v.Version, string(body), v.Message, v.TaskCount, v.Added, v.Changed, v.Removed, v.OperatorID, v.CreatedAt)
	return wrap(err, "write workflow version")
}

func (s store) body(ctx context.Context, code int64, version int) (*flow.Definition, error) {
	text, err := db.Get[string](ctx, s.db, `SELECT body FROM workflow_version WHERE workflow_code = ? AND version = ?`, code, version)
	if errors.Is(err, db.ErrNoRows) {
		return nil, ErrVersionNotFound.With("code", code, "version", version)
	}
	if err != nil {
		return nil, wrap(err, "read workflow version")
	}
	return flow.Unmarshal([]byte(text))
}

// bodies reads the current definitions of a project, newest workflow first.
func (s store) bodies(ctx context.Context, project int64, each func(*flow.Definition) error) error {
	type row struct {
		Body string `db:"body"`
	}
	err := db.Each(ctx, s.db, func(r row) error {
		def, err := flow.Unmarshal([]byte(r.Body))
		if err != nil {
			return err
		}
		return each(def)
	}, `SELECT v.body FROM workflow_definition w JOIN workflow_version v ON v.workflow_code = w.code AND v.version = w.version
		WHERE w.project_code = ? ORDER BY w.id DESC`, project)
	return wrap(err, "read workflow versions")
}

func (s store) version(ctx context.Context, code int64, version int) (Version, error) {
	v, err := db.Get[Version](ctx, s.db, `SELECT `+versionColumns+` FROM workflow_version v LEFT JOIN users u ON u.id = v.operator_id
		WHERE v.workflow_code = ? AND v.version = ?`, code, version)
	if errors.Is(err, db.ErrNoRows) {
		return v, ErrVersionNotFound.With("code", code, "version", version)
	}
	return v, wrap(err, "read workflow version")
}

func (s store) versions(ctx context.Context, code int64, limit, offset int) ([]Version, int, error) {
	total, err := db.Get[int](ctx, s.db, `SELECT count(*) FROM workflow_version WHERE workflow_code = ?`, code)
	if err != nil {
		return nil, 0, wrap(err, "count workflow versions")
	}
	rows, err := db.Select[Version](ctx, s.db, `SELECT `+versionColumns+` FROM workflow_version v LEFT JOIN users u ON u.id = v.operator_id
		WHERE v.workflow_code = ? ORDER BY v.version DESC LIMIT ? OFFSET ?`, code, limit, offset)
	return rows, total, wrap(err, "list workflow versions")
}

func (s store) lastVersion(ctx context.Context, code int64) (int, error) {
	n, err := db.Get[int](ctx, s.db, `SELECT COALESCE(MAX(version), 0) FROM workflow_version WHERE workflow_code = ?`, code)
	return n, wrap(err, "read last workflow version")
}

func (s store) removeVersion(ctx context.Context, code int64, version int) error {
	_, err := s.db.Exec(ctx, `DELETE FROM workflow_version WHERE workflow_code = ? AND version = ?`, code, version)
	return wrap(err, "delete workflow version")
}

// The mirror of the current version's tasks.

const (
	mirrorColumns = 9
	mirrorRows    = 1000 // per statement: far below the limit of parameters on either database
)

// mirror writes the rows of tasks and fails with ErrTaskCodeTaken when another workflow has one of them.
func (s store) mirror(ctx context.Context, def *flow.Definition, tasks []flow.Task) error {
	for len(tasks) > 0 {
		n := min(len(tasks), mirrorRows)
		args := make([]any, 0, n*mirrorColumns)
		for i := range tasks[:n] {
			t := &tasks[i]
			args = append(args, t.Code, t.Version, def.Code, def.ProjectCode, t.Name, t.Type, t.WorkerGroup, t.EnvironmentCode, t.TaskGroupID)
		}
		query := `INSERT INTO task_definition (code, version, workflow_code, project_code, name, task_type, worker_group, environment_code, task_group_id)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)` +
			strings.Repeat(`, (?, ?, ?, ?, ?, ?, ?, ?, ?)`, n-1) + `
			ON CONFLICT (code) DO UPDATE SET version = excluded.version, name = excluded.name, task_type = excluded.task_type, worker_group = excluded.worker_group,
				environment_code = excluded.environment_code, task_group_id = excluded.task_group_id
			WHERE task_definition.workflow_code = excluded.workflow_code`
		res, err := s.db.Exec(ctx, query, args...)
		if err != nil {
			return wrap(err, "write task definitions")
		}
		written, err := res.RowsAffected()
		if err != nil {
			return wrap(err, "write task definitions")
		}
		if written != int64(n) {
			return s.foreignTask(ctx, def.Code, tasks[:n])
		}
		tasks = tasks[n:]
	}
	return nil
}

// foreignTask names a task whose code belongs to another workflow.
func (s store) foreignTask(ctx context.Context, workflow int64, tasks []flow.Task) error {
	codes, names := make([]int64, len(tasks)), make(map[int64]string, len(tasks))
	for i, t := range tasks {
		codes[i], names[t.Code] = t.Code, t.Name
	}
	query, args, err := db.In(`SELECT code FROM task_definition WHERE workflow_code <> ? AND code IN (?) ORDER BY code LIMIT 1`, workflow, codes)
	if err != nil {
		return wrap(err, "find task definition")
	}
	code, err := db.Get[int64](ctx, s.db, query, args...)
	if err != nil {
		return wrap(err, "find task definition")
	}
	return ErrTaskCodeTaken.With("code", code, "name", names[code])
}

func (s store) unmirror(ctx context.Context, workflow int64, codes []int64) error {
	for len(codes) > 0 {
		n := min(len(codes), mirrorRows)
		query, args, err := db.In(`DELETE FROM task_definition WHERE workflow_code = ? AND code IN (?)`, workflow, codes[:n])
		if err == nil {
			_, err = s.db.Exec(ctx, query, args...)
		}
		if err != nil {
			return wrap(err, "delete task definitions")
		}
		codes = codes[n:]
	}
	return nil
}

// taskHome finds the workflow whose current version has a task.
func (s store) taskHome(ctx context.Context, project, task int64) (workflow int64, err error) {
	workflow, err = db.Get[int64](ctx, s.db, `SELECT workflow_code FROM task_definition WHERE code = ? AND project_code = ?`, task, project)
	if errors.Is(err, db.ErrNoRows) {
		return 0, ErrTaskNotFound.With("codes", task)
	}
	return workflow, wrap(err, "find task definition")
}

// Drafts.

const draftColumns = `user_id, workflow_code, project_code, base_version, revision, name, body, updated_at`

func (s store) draft(ctx context.Context, user, workflow int64) (Draft, error) {
	d, err := db.Get[Draft](ctx, s.db, `SELECT `+draftColumns+` FROM workflow_draft WHERE user_id = ? AND workflow_code = ?`, user, workflow)
	if errors.Is(err, db.ErrNoRows) {
		return d, ErrNoDraft
	}
	return d, wrap(err, "read draft")
}

// drafts lists what a user has not saved in a project, without the bodies.
func (s store) drafts(ctx context.Context, user, project int64) ([]Draft, error) {
	rows, err := db.Select[Draft](ctx, s.db, `SELECT user_id, workflow_code, project_code, base_version, revision, name, '' AS body, updated_at
		FROM workflow_draft WHERE user_id = ? AND project_code = ? ORDER BY updated_at DESC`, user, project)
	return rows, wrap(err, "list drafts")
}

// putDraft writes revision d.Revision over d.Revision-1, or over nothing when d.Revision is 1. It reports false when
// there is another one.
func (s store) putDraft(ctx context.Context, d Draft) (bool, error) {
	query := `UPDATE workflow_draft SET base_version = ?, revision = ?, name = ?, body = ?, updated_at = ? WHERE user_id = ? AND workflow_code = ? AND revision = ?`
	args := []any{d.BaseVersion, d.Revision, d.Name, d.Body, d.UpdatedAt, d.UserID, d.WorkflowCode, d.Revision - 1}
	if d.Revision == 1 {
		query = `INSERT INTO workflow_draft (` + draftColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (user_id, workflow_code) DO NOTHING`
		args = []any{d.UserID, d.WorkflowCode, d.ProjectCode, d.BaseVersion, d.Revision, d.Name, d.Body, d.UpdatedAt}
	}
	res, err := s.db.Exec(ctx, query, args...)
	if err != nil {
		return false, wrap(err, "write draft")
	}
	n, err := res.RowsAffected()
	return n == 1, wrap(err, "write draft")
}

func (s store) removeDraft(ctx context.Context, user, workflow int64) error {
	_, err := s.db.Exec(ctx, `DELETE FROM workflow_draft WHERE user_id = ? AND workflow_code = ?`, user, workflow)
	return wrap(err, "delete draft")
}

func wrap(err error, doing string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func number64(n int64) string { return strconv.FormatInt(n, 10) }

func now(clock func() time.Time) time.Time { return db.Now(clock) }
