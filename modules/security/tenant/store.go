package tenant

import (
	"context"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/security/crud"
)

type store struct{ db *db.DB }

// Tenants are read with the names of their queues. Queues belong to this package's neighbour; the join is for lists,
// which show and sort by the name.
const (
	columns = "t.id, t.code, t.description, t.queue_id, q.name AS queue_name, t.created_at, t.updated_at"
	tables  = "tenant t JOIN queue q ON q.id = t.queue_id"
	read    = "SELECT " + columns + " FROM " + tables
)

// Page is part of crud.Store, as what follows.
func (s store) Page(ctx context.Context, q listing.Query) (listing.Page[Tenant], error) {
	return crud.Select[Tenant](ctx, s.db, q, columns, tables)
}

func (s store) all(ctx context.Context) ([]Tenant, error) {
	return db.Select[Tenant](ctx, s.db, read+" ORDER BY t.code, t.id")
}

func (s store) ByID(ctx context.Context, id int64) (Tenant, error) {
	t, err := db.Get[Tenant](ctx, s.db, read+" WHERE t.id = ?", id)
	return crud.Found(t, err, ErrNotFound)
}

func (s store) byCode(ctx context.Context, code string) (Tenant, error) {
	t, err := db.Get[Tenant](ctx, s.db, read+" WHERE t.code = ?", code)
	return crud.Found(t, err, ErrNotFound)
}

func (s store) ofQueue(ctx context.Context, queueID int64, limit int) ([]Tenant, error) {
	return db.Select[Tenant](ctx, s.db, read+" WHERE t.queue_id = ? ORDER BY t.code LIMIT ?", queueID, limit)
}

func (s store) Insert(ctx context.Context, d Draft, now time.Time) (int64, error) {
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO tenant (code, description, queue_id, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?) RETURNING id`, d.Code, d.Description, d.QueueID, now, now)
	return id, broken(err, d)
}

func (s store) Update(ctx context.Context, id int64, d Draft, seen, now time.Time) error {
	return broken(crud.Update(ctx, s.db, "tenant", id, seen, now, "description = ?, queue_id = ?", d.Description, d.QueueID), d)
}

func (s store) Delete(ctx context.Context, id int64) error {
	_, err := s.db.Exec(ctx, "DELETE FROM tenant WHERE id = ?", id)
	if db.ForeignKey(err) {
		return ErrInUse.Because(err)
	}
	return err
}

func broken(err error, d Draft) error {
	if db.ForeignKey(err) {
		return ErrQueueMissing.OnField("queue_id", ErrQueueMissing.Key)
	}
	return crud.Taken(err, "uq_tenant_code", ErrCodeTaken, "code", "code", d.Code)
}
