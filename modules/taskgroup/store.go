package taskgroup

import (
	"context"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/security/crud"
)

type store struct{ db *db.DB }

// Attempts belong to modules above; who holds and who waits is read from their rows. The conditions are those of the index
// over the attempts of groups that are not over.
const (
	inGroup = "task_group_id <> 0 AND end_time IS NULL AND state "
	holding = inGroup + "IN ('DISPATCH', 'RUNNING_EXECUTION')"
	waiting = inGroup + "= 'SUBMITTED_SUCCESS' AND NOT force_start"

	columns = `g.id, g.name, g.description, g.group_size, g.project_code, COALESCE(p.name, '') AS project_name, g.status, g.user_id, g.created_at, g.updated_at,
		(SELECT count(*) FROM task_instance WHERE task_group_id = g.id AND ` + holding + ` AND NOT force_start) AS used,
		(SELECT count(*) FROM task_instance WHERE task_group_id = g.id AND ` + waiting + `) AS waiting`
	tables = "task_group g LEFT JOIN project p ON p.code = g.project_code"
	read   = "SELECT " + columns + " FROM " + tables

	entryColumns = `t.id, t.name, w.name AS instance, w.id AS instance_id, t.project_code, COALESCE(p.name, '') AS project_name, t.task_group_id AS group_id,
		g.name AS group_name, g.project_code AS group_project, t.task_group_priority AS priority, t.force_start AS forced, t.state,
		COALESCE(q.position, 0) AS position, t.submit_time AS submitted_at`
	entryTables = `task_instance t JOIN task_group g ON g.id = t.task_group_id JOIN workflow_instance w ON w.id = t.workflow_instance_id
		LEFT JOIN project p ON p.code = t.project_code
		LEFT JOIN (SELECT id, row_number() OVER (PARTITION BY task_group_id ORDER BY task_group_priority DESC, id) AS position
			FROM task_instance WHERE ` + waiting + `) q ON q.id = t.id`
	entryWhere = `t.task_group_id <> 0 AND t.end_time IS NULL AND t.state IN ('DISPATCH', 'RUNNING_EXECUTION', 'SUBMITTED_SUCCESS')`
)

// visible is the condition that column is a project of codes; all means every project.
func visible(column string, codes []int64, all, global bool) (crud.Condition, error) {
	switch {
	case all:
		return crud.Condition{SQL: "1 = 1"}, nil
	case len(codes) == 0 && global:
		return crud.Condition{SQL: column + " = 0"}, nil
	case len(codes) == 0:
		return crud.Condition{SQL: "1 = 0"}, nil
	}
	if global {
		codes = append([]int64{AllProjects}, codes...)
	}
	query, args, err := db.In(column+" IN (?)", codes)
	return crud.Condition{SQL: query, Args: args}, err
}

// scoped is the groups that somebody may see.
type scoped struct {
	store
	access *access.Service
}

// Page is part of crud.Store, as what follows.
func (s scoped) Page(ctx context.Context, q listing.Query) (listing.Page[Group], error) {
	return s.page(ctx, q)
}

func (s scoped) page(ctx context.Context, q listing.Query, more ...crud.Condition) (listing.Page[Group], error) {
	codes, all := s.access.ProjectsOf(ctx)
	mine, err := visible("g.project_code", codes, all, true)
	if err != nil {
		return listing.Page[Group]{}, err
	}
	return crud.Select[Group](ctx, s.db, q, columns, tables, append(more, mine)...)
}

// ofProject lists the groups that tasks of a project may belong to.
func (s store) ofProject(ctx context.Context, project int64) ([]Group, error) {
	return db.Select[Group](ctx, s.db, read+" WHERE g.project_code IN (0, ?) ORDER BY g.name", project)
}

func (s store) all(ctx context.Context, of crud.Condition) ([]Group, error) {
	return db.Select[Group](ctx, s.db, read+" WHERE "+of.SQL+" ORDER BY g.name", of.Args...)
}

func (s store) ByID(ctx context.Context, id int64) (Group, error) {
	g, err := db.Get[Group](ctx, s.db, read+" WHERE g.id = ?", id)
	return crud.Found(g, err, ErrNotFound)
}

func (s store) Insert(ctx context.Context, d Draft, now time.Time) (int64, error) {
	who, _ := access.From(ctx)
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO task_group (name, description, group_size, project_code, status, user_id, created_at, updated_at)
		VALUES (?, ?, ?, ?, 1, ?, ?, ?) RETURNING id`, d.Name, d.Description, d.Size, d.ProjectCode, who.UserID, now, now)
	return id, taken(err, d)
}

func (s store) Update(ctx context.Context, id int64, d Draft, seen, now time.Time) error {
	return taken(crud.Update(ctx, s.db, "task_group", id, seen, now, "name = ?, description = ?, group_size = ?", d.Name, d.Description, d.Size), d)
}

func (s store) setStatus(ctx context.Context, id int64, status int, now time.Time) error {
	return crud.Update(ctx, s.db, "task_group", id, time.Time{}, now, "status = ?", status)
}

func (s store) Delete(ctx context.Context, id int64) error {
	_, err := s.db.Exec(ctx, "DELETE FROM task_group WHERE id = ?", id)
	return err
}

func (s store) removeOf(ctx context.Context, project int64) error {
	_, err := s.db.Exec(ctx, "DELETE FROM task_group WHERE project_code = ? AND project_code <> 0", project)
	return err
}

// queue lists the attempts of groups, in projects that somebody may see.
func (s store) queue(ctx context.Context, q listing.Query, more ...crud.Condition) (listing.Page[Entry], error) {
	return crud.Select[Entry](ctx, s.db, q, entryColumns, entryTables, append(more, crud.Condition{SQL: entryWhere})...)
}

func (s store) entry(ctx context.Context, id int64) (Entry, error) {
	e, err := db.Get[Entry](ctx, s.db, "SELECT "+entryColumns+" FROM "+entryTables+" WHERE t.id = ?", id)
	return crud.Found(e, err, ErrEntryNotFound)
}

func taken(err error, d Draft) error {
	return crud.Taken(err, "uq_task_group_name", ErrNameTaken, "name", "name", d.Name)
}
