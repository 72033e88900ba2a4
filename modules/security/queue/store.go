package queue

import (
	"context"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/security/crud"
)

type store struct{ db *db.DB }

const (
	columns = "id, name, value, created_at, updated_at"
	read    = "SELECT " + columns + " FROM queue"
)

// Page is part of crud.Store, as what follows.
func (s store) Page(ctx context.Context, q listing.Query) (listing.Page[Queue], error) {
	return crud.Select[Queue](ctx, s.db, q, columns, "queue")
}

func (s store) all(ctx context.Context) ([]Queue, error) {
	return db.Select[Queue](ctx, s.db, read+" ORDER BY name, id")
}

func (s store) ByID(ctx context.Context, id int64) (Queue, error) {
	q, err := db.Get[Queue](ctx, s.db, read+" WHERE id = ?", id)
	return crud.Found(q, err, ErrNotFound)
}

func (s store) byName(ctx context.Context, name string) (Queue, error) {
	q, err := db.Get[Queue](ctx, s.db, read+" WHERE name = ?", name)
	return crud.Found(q, err, ErrNotFound)
}

func (s store) Insert(ctx context.Context, d Draft, now time.Time) (int64, error) {
	id, err := db.Get[int64](ctx, s.db, "INSERT INTO queue (name, value, created_at, updated_at) VALUES (?, ?, ?, ?) RETURNING id",
		d.Name, d.Value, now, now)
	return id, taken(err, d)
}

func (s store) Update(ctx context.Context, id int64, d Draft, seen, now time.Time) error {
	return taken(crud.Update(ctx, s.db, "queue", id, seen, now, "name = ?, value = ?", d.Name, d.Value), d)
}

func (s store) Delete(ctx context.Context, id int64) error {
	_, err := s.db.Exec(ctx, "DELETE FROM queue WHERE id = ?", id)
	if db.ForeignKey(err) {
		return ErrInUse.Because(err)
	}
	return err
}

func taken(err error, d Draft) error {
	err = crud.Taken(err, "uq_queue_name", ErrNameTaken, "name", "name", d.Name)
	return crud.Taken(err, "uq_queue_value", ErrValueTaken, "value", "value", d.Value)
}
