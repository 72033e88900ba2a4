package workergroup

import (
	"context"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/security/crud"
)

type store struct{ db *db.DB }

const columns = "id, name, addresses, description, created_at, updated_at"

// Page is part of crud.Store, as what follows.
func (s store) Page(ctx context.Context, q listing.Query) (listing.Page[Group], error) {
	return crud.Select[Group](ctx, s.db, q, columns, "worker_group")
}

func (s store) all(ctx context.Context) ([]Group, error) {
	return db.Select[Group](ctx, s.db, "SELECT "+columns+" FROM worker_group ORDER BY name")
}

func (s store) ByID(ctx context.Context, id int64) (Group, error) {
	g, err := db.Get[Group](ctx, s.db, "SELECT "+columns+" FROM worker_group WHERE id = ?", id)
	return crud.Found(g, err, ErrNotFound)
}

func (s store) byName(ctx context.Context, name string) (Group, error) {
	g, err := db.Get[Group](ctx, s.db, "SELECT "+columns+" FROM worker_group WHERE name = ?", name)
	return crud.Found(g, err, ErrNotFound)
}

func (s store) Insert(ctx context.Context, d Draft, now time.Time) (int64, error) {
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO worker_group (name, addresses, description, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?) RETURNING id`, d.Name, strings.Join(d.Workers, ","), d.Description, now, now)
	return id, taken(err, d)
}

func (s store) Update(ctx context.Context, id int64, d Draft, seen, now time.Time) error {
	return taken(crud.Update(ctx, s.db, "worker_group", id, seen, now, "name = ?, addresses = ?, description = ?",
		d.Name, strings.Join(d.Workers, ","), d.Description), d)
}

func (s store) Delete(ctx context.Context, id int64) error {
	_, err := s.db.Exec(ctx, "DELETE FROM worker_group WHERE id = ?", id)
	return err
}

func taken(err error, d Draft) error {
	return crud.Taken(err, "uq_worker_group_name", ErrNameTaken, "name", "name", d.Name)
}
