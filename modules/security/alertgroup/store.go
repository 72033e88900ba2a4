package alertgroup

import (
	"context"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/security/crud"
)

type store struct{ db *db.DB }

const columns = "id, name, description, user_id, created_at, updated_at"

// Page is part of crud.Store, as what follows.
func (s store) Page(ctx context.Context, q listing.Query) (listing.Page[Group], error) {
	return crud.Select[Group](ctx, s.db, q, columns, "alert_group")
}

func (s store) all(ctx context.Context) ([]Group, error) {
	return db.Select[Group](ctx, s.db, "SELECT "+columns+" FROM alert_group ORDER BY id")
}

func (s store) ByID(ctx context.Context, id int64) (Group, error) {
	g, err := db.Get[Group](ctx, s.db, "SELECT "+columns+" FROM alert_group WHERE id = ?", id)
	return crud.Found(g, err, ErrNotFound)
}

func (s store) byName(ctx context.Context, name string) (Group, error) {
	g, err := db.Get[Group](ctx, s.db, "SELECT "+columns+" FROM alert_group WHERE name = ?", name)
	return crud.Found(g, err, ErrNotFound)
}

func (s store) Insert(ctx context.Context, d Draft, now time.Time) (int64, error) {
	who, _ := access.From(ctx)
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO alert_group (name, description, user_id, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?) RETURNING id`, d.Name, d.Description, who.UserID, now, now)
	return id, taken(err, d)
}

func (s store) Update(ctx context.Context, id int64, d Draft, seen, now time.Time) error {
	return taken(crud.Update(ctx, s.db, "alert_group", id, seen, now, "name = ?, description = ?", d.Name, d.Description), d)
}

func (s store) Delete(ctx context.Context, id int64) error {
	if id == Admins {
		return ErrAdmins
	}
	_, err := s.db.Exec(ctx, "DELETE FROM alert_group WHERE id = ?", id)
	return err
}

func taken(err error, d Draft) error {
	return crud.Taken(err, "uq_alert_group_name", ErrNameTaken, "name", "name", d.Name)
}
