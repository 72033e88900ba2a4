package policy

import (
	"context"
	"errors"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/security/crud"
)

// store is the SQL of rules. Lists show the names of users; so they are read together.
type store struct {
	db     *db.DB
	access *access.Service
}

const (
	columns = `r.id, r.subject, r.permission, r.project_code, r.workflow_code, r.effect, r.note, r.created_by, r.created_at, r.updated_at,
	COALESCE(u.name, '') AS user_name, COALESCE(c.name, '') AS creator_name`
	tables = "policy_rule r LEFT JOIN users u ON r.subject = 'user:' || CAST(u.id AS TEXT) LEFT JOIN users c ON c.id = r.created_by"
)

// Page is part of crud.Store, as what follows.
func (s store) Page(ctx context.Context, q listing.Query) (listing.Page[Rule], error) {
	return crud.Select[Rule](ctx, s.db, q, columns, tables)
}

func (s store) ByID(ctx context.Context, id int64) (Rule, error) {
	r, err := db.Get[Rule](ctx, s.db, "SELECT "+columns+" FROM "+tables+" WHERE r.id = ?", id)
	return crud.Found(r, err, ErrNotFound)
}

func (s store) Insert(ctx context.Context, d Draft, now time.Time) (int64, error) {
	who, _ := access.From(ctx)
	p := d.policy()
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO policy_rule
		(subject, permission, project_code, workflow_code, effect, note, created_by, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		p.Subject, string(p.Permission), p.Project, p.Workflow, string(p.Effect), p.Note, who.UserID, now, now)
	if err != nil {
		return 0, err
	}
	return id, s.access.Changed(ctx)
}

func (s store) Update(ctx context.Context, id int64, d Draft, seen, now time.Time) error {
	p := d.policy()
	err := crud.Update(ctx, s.db, "policy_rule", id, seen, now,
		"subject = ?, permission = ?, project_code = ?, workflow_code = ?, effect = ?, note = ?",
		p.Subject, string(p.Permission), p.Project, p.Workflow, string(p.Effect), p.Note)
	if err != nil {
		return err
	}
	return s.access.Changed(ctx)
}

func (s store) Delete(ctx context.Context, id int64) error {
	if _, err := s.db.Exec(ctx, "DELETE FROM policy_rule WHERE id = ?", id); err != nil {
		return err
	}
	return s.access.Changed(ctx)
}

// user is the id of the user with a name, 0 for nobody.
func (s store) user(ctx context.Context, name string) (int64, error) {
	id, err := db.Get[int64](ctx, s.db, "SELECT id FROM users WHERE name = ?", name)
	if errors.Is(err, db.ErrNoRows) {
		return 0, nil
	}
	return id, err
}

// enabled reports whether a user may sign in.
func (s store) enabled(ctx context.Context, id int64) (bool, error) {
	state, err := db.Get[int](ctx, s.db, "SELECT state FROM users WHERE id = ?", id)
	return state == 1, err
}

// users are names that forms offer.
func (s store) users(ctx context.Context, limit int) ([]string, error) {
	return db.Select[string](ctx, s.db, "SELECT name FROM users ORDER BY name LIMIT ?", limit)
}
