package tenant

import (
	"context"
	"errors"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
)

type store struct{ db *db.DB }

// selected reads tenants with the names of their queues. Queues belong to this
// package's neighbour; the join is for lists, which show and sort by the name.
const selected = `SELECT t.id, t.code, t.description, t.queue_id, q.name AS queue_name, t.created_at, t.updated_at
	FROM tenant t JOIN queue q ON q.id = t.queue_id`

func (s store) page(ctx context.Context, q listing.Query) (listing.Page[Tenant], error) {
	where, args := q.Where(s.db.Dialect().Like, db.Contains)
	total, err := db.Get[int](ctx, s.db, "SELECT count(*) FROM tenant t JOIN queue q ON q.id = t.queue_id WHERE "+where, args...)
	if err != nil {
		return listing.Page[Tenant]{}, err
	}
	q = q.Clamp(total)
	order, limit := q.OrderLimit()
	rows, err := db.Select[Tenant](ctx, s.db, selected+" WHERE "+where+" "+order, append(args, limit...)...)
	return listing.NewPage(q, rows, total), err
}

func (s store) all(ctx context.Context) ([]Tenant, error) {
	return db.Select[Tenant](ctx, s.db, selected+" ORDER BY t.code, t.id")
}

func (s store) byID(ctx context.Context, id int64) (Tenant, error) {
	t, err := db.Get[Tenant](ctx, s.db, selected+" WHERE t.id = ?", id)
	return t, notFound(err)
}

func (s store) byCode(ctx context.Context, code string) (Tenant, error) {
	t, err := db.Get[Tenant](ctx, s.db, selected+" WHERE t.code = ?", code)
	return t, notFound(err)
}

func (s store) ofQueue(ctx context.Context, queueID int64, limit int) ([]Tenant, error) {
	return db.Select[Tenant](ctx, s.db, selected+" WHERE t.queue_id = ? ORDER BY t.code LIMIT ?", queueID, limit)
}

func (s store) insert(ctx context.Context, d Draft, now time.Time) (int64, error) {
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO tenant (code, description, queue_id, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?) RETURNING id`, d.Code, d.Description, d.QueueID, now, now)
	return id, broken(err, d)
}

// update changes the row that was read at the moment seen; the zero time means
// whatever it is now. It returns ErrChanged when somebody was faster.
func (s store) update(ctx context.Context, id int64, d Draft, seen, now time.Time) error {
	query := "UPDATE tenant SET description = ?, queue_id = ?, updated_at = ? WHERE id = ?"
	args := []any{d.Description, d.QueueID, now, id}
	if !seen.IsZero() {
		query, args = query+" AND updated_at = ?", append(args, seen)
	}
	res, err := s.db.Exec(ctx, query, args...)
	if err != nil {
		return broken(err, d)
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return ErrChanged
	}
	return err
}

func (s store) delete(ctx context.Context, id int64) error {
	_, err := s.db.Exec(ctx, "DELETE FROM tenant WHERE id = ?", id)
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

func broken(err error, d Draft) error {
	if name, _ := db.Conflict(err); name == "uq_tenant_code" {
		return ErrCodeTaken.With("code", d.Code).OnField("code", ErrCodeTaken.Key, "code", d.Code)
	}
	if db.ForeignKey(err) {
		return ErrQueueMissing.OnField("queue_id", ErrQueueMissing.Key)
	}
	return err
}
