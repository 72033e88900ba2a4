package project

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
)

type store struct{ db *db.DB }

const (
	columns = `p.id, p.code, p.name, p.description, p.owner_id, p.created_at, p.updated_at, o.name AS owner_name`
	tables  = ` FROM project p JOIN users o ON o.id = p.owner_id`
)

func (s store) byCode(ctx context.Context, code int64) (Project, error) {
	p, err := db.Get[Project](ctx, s.db, `SELECT `+columns+tables+` WHERE p.code = ?`, code)
	if errors.Is(err, db.ErrNoRows) {
		return p, ErrNotFound.With("code", code)
	}
	return p, wrap(err, "read project")
}

// among is the condition that a project is one of codes; all means no condition.
func among(codes []int64, all bool) (string, []any, error) {
	switch {
	case all:
		return `1 = 1`, nil, nil
	case len(codes) == 0:
		return `1 = 0`, nil, nil
	}
	return db.In(`p.code IN (?)`, codes)
}

func (s store) page(ctx context.Context, codes []int64, all bool, q listing.Query) (listing.Page[Project], error) {
	none := listing.Page[Project]{}
	visible, args, err := among(codes, all)
	if err != nil {
		return none, wrap(err, "list projects")
	}
	found, more := q.Where(s.db.Dialect().Like, db.Contains)
	where := ` WHERE ` + visible + ` AND ` + found
	args = append(args, more...)
	total, err := db.Get[int](ctx, s.db, `SELECT count(*)`+tables+where, args...)
	if err != nil {
		return none, wrap(err, "count projects")
	}
	q = q.Clamp(total)
	order, more := q.OrderLimit()
	rows, err := db.Select[Project](ctx, s.db, `SELECT `+columns+tables+where+` `+order, append(args, more...)...)
	return listing.NewPage(q, rows, total), wrap(err, "list projects")
}

// fitting lists the ids of limit projects whose name is not ASCII and fits.
func (s store) fitting(ctx context.Context, codes []int64, all bool, fits func(string) bool, limit int) ([]int64, error) {
	visible, args, err := among(codes, all)
	if err != nil {
		return nil, wrap(err, "find fitting projects")
	}
	ids, err := db.Fitting(ctx, s.db, fits, limit,
		`SELECT p.id, p.name FROM project p WHERE `+visible+` AND `+db.NotASCII("p.name")+` ORDER BY p.id DESC`, args...)
	return ids, wrap(err, "find fitting projects")
}

// all lists projects without paging, newest first.
func (s store) all(ctx context.Context, codes []int64, all bool) ([]Project, error) {
	visible, args, err := among(codes, all)
	if err != nil {
		return nil, wrap(err, "list projects")
	}
	rows, err := db.Select[Project](ctx, s.db, `SELECT `+columns+tables+` WHERE `+visible+` ORDER BY p.id DESC`, args...)
	return rows, wrap(err, "list projects")
}

func (s store) insert(ctx context.Context, p Project) (int64, error) {
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO project (code, name, description, owner_id, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?) RETURNING id`, p.Code, p.Name, p.Description, p.OwnerID, p.CreatedAt, p.UpdatedAt)
	return id, taken(err, p)
}

// update writes name, description and owner.
func (s store) update(ctx context.Context, p Project) error {
	_, err := s.db.Exec(ctx, `UPDATE project SET name = ?, description = ?, owner_id = ?, updated_at = ? WHERE code = ?`,
		p.Name, p.Description, p.OwnerID, p.UpdatedAt, p.Code)
	return taken(err, p)
}

// lock reads a project for a change; whoever comes second waits, and then sees what the first did.
func (s store) lock(ctx context.Context, code int64) (Project, error) {
	if _, err := s.db.Exec(ctx, `UPDATE project SET name = name WHERE code = ?`, code); err != nil {
		return Project{}, wrap(err, "lock project")
	}
	return s.byCode(ctx, code)
}

func (s store) remove(ctx context.Context, code int64) error {
	_, err := s.db.Exec(ctx, `DELETE FROM project WHERE code = ?`, code)
	if db.ForeignKey(err) {
		return ErrNotEmpty.Because(err)
	}
	return wrap(err, "delete project")
}

func taken(err error, p Project) error {
	if name, _ := db.Conflict(err); name == "uq_project_name" {
		return ErrNameTaken.With("name", p.Name).OnField("name", ErrNameTaken.Key, "name", p.Name)
	}
	return wrap(err, "write project")
}

// person is a user as members need it.
type person struct {
	ID    int64  `db:"id"`
	Name  string `db:"name"`
	State int    `db:"state"`
}

func (s store) people(ctx context.Context, ids []int64) (map[int64]person, error) {
	out := make(map[int64]person, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	query, args, err := db.In(`SELECT id, name, state FROM users WHERE id IN (?)`, ids)
	if err != nil {
		return nil, wrap(err, "read members")
	}
	rows, err := db.Select[person](ctx, s.db, query, args...)
	for _, p := range rows {
		out[p.ID] = p
	}
	return out, wrap(err, "read members")
}

func (s store) personByName(ctx context.Context, name string) (person, error) {
	p, err := db.Get[person](ctx, s.db, `SELECT id, name, state FROM users WHERE name = ?`, name)
	if errors.Is(err, db.ErrNoRows) {
		return p, ErrUserUnknown.With("name", name).OnField("user", ErrUserUnknown.Key, "name", name)
	}
	return p, wrap(err, "read user")
}

// candidates are enabled users that are not administrators, who need no role.
func (s store) candidates(ctx context.Context, limit int) ([]Person, error) {
	rows, err := db.Select[Person](ctx, s.db, `SELECT id, name FROM users WHERE state = 1 AND user_type <> 'ADMIN_USER' ORDER BY name LIMIT ?`, limit)
	return rows, wrap(err, "list users")
}

func wrap(err error, doing string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func now(clock func() time.Time) time.Time { return db.Now(clock) }
