package queue

import (
	"context"
	"errors"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
)

type store struct{ db *db.DB }

const columns = "id, name, value, created_at, updated_at"

func (s store) page(ctx context.Context, q listing.Query) (listing.Page[Queue], error) {
	where, args := q.Where(s.db.Dialect().Like, db.Contains)
	total, err := db.Get[int](ctx, s.db, "SELECT count(*) FROM queue WHERE "+where, args...)
	if err != nil {
		return listing.Page[Queue]{}, err
	}
	q = q.Clamp(total)
	order, limit := q.OrderLimit()
	rows, err := db.Select[Queue](ctx, s.db, "SELECT "+columns+" FROM queue WHERE "+where+" "+order, append(args, limit...)...)
	return listing.NewPage(q, rows, total), err
}

func (s store) all(ctx context.Context) ([]Queue, error) {
	return db.Select[Queue](ctx, s.db, "SELECT "+columns+" FROM queue ORDER BY name, id")
}

func (s store) byID(ctx context.Context, id int64) (Queue, error) {
	q, err := db.Get[Queue](ctx, s.db, "SELECT "+columns+" FROM queue WHERE id = ?", id)
	return q, notFound(err)
}

func (s store) byName(ctx context.Context, name string) (Queue, error) {
	q, err := db.Get[Queue](ctx, s.db, "SELECT "+columns+" FROM queue WHERE name = ?", name)
	return q, notFound(err)
}

func (s store) insert(ctx context.Context, d Draft, now time.Time) (Queue, error) {
	q, err := db.Get[Queue](ctx, s.db, "INSERT INTO queue (name, value, created_at, updated_at) VALUES (?, ?, ?, ?) RETURNING "+columns,
		d.Name, d.Value, now, now)
	return q, taken(err, d)
}

// update changes the row that was read at the moment seen; the zero time means
// whatever it is now. It returns ErrChanged when somebody was faster.
func (s store) update(ctx context.Context, id int64, d Draft, seen, now time.Time) (Queue, error) {
	query, args := "UPDATE queue SET name = ?, value = ?, updated_at = ? WHERE id = ?", []any{d.Name, d.Value, now, id}
	if !seen.IsZero() {
		query, args = query+" AND updated_at = ?", append(args, seen)
	}
	q, err := db.Get[Queue](ctx, s.db, query+" RETURNING "+columns, args...)
	if errors.Is(err, db.ErrNoRows) && !seen.IsZero() {
		return Queue{}, ErrChanged
	}
	return q, taken(notFound(err), d)
}

func (s store) delete(ctx context.Context, id int64) error {
	_, err := s.db.Exec(ctx, "DELETE FROM queue WHERE id = ?", id)
	if db.ForeignKey(err) {
		return ErrInUse.Because(err)
	}
	return err
}

func notFound(err error) error {
	if errors.Is(err, db.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

func taken(err error, d Draft) error {
	switch name, _ := db.Conflict(err); name {
	case "uq_queue_name":
		return ErrNameTaken.With("name", d.Name).OnField("name", ErrNameTaken.Key, "name", d.Name)
	case "uq_queue_value":
		return ErrValueTaken.With("value", d.Value).OnField("value", ErrValueTaken.Key, "value", d.Value)
	default:
		return err
	}
}
