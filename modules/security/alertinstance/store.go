package alertinstance

import (
	"context"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/security/crud"
)

type store struct{ db *db.DB }

const (
	table   = "alert_plugin_instance"
	columns = "id, plugin, name, params, secrets, instance_type, warning_type, user_id, created_at, updated_at"
)

// Page is part of crud.Store, as what follows.
func (s store) Page(ctx context.Context, q listing.Query) (listing.Page[Instance], error) {
	return crud.Select[Instance](ctx, s.db, q, columns, table)
}

func (s store) all(ctx context.Context) ([]Instance, error) {
	return db.Select[Instance](ctx, s.db, "SELECT "+columns+" FROM "+table+" ORDER BY name, id")
}

func (s store) ByID(ctx context.Context, id int64) (Instance, error) {
	i, err := db.Get[Instance](ctx, s.db, "SELECT "+columns+" FROM "+table+" WHERE id = ?", id)
	return crud.Found(i, err, ErrNotFound)
}

func (s store) named(ctx context.Context, name string) (Instance, error) {
	i, err := db.Get[Instance](ctx, s.db, "SELECT "+columns+" FROM "+table+" WHERE name = ?", name)
	return crud.Found(i, err, ErrNotFound)
}

func (s store) Insert(ctx context.Context, d Draft, now time.Time) (int64, error) {
	who, _ := access.From(ctx)
	id, err := db.Get[int64](ctx, s.db, "INSERT INTO "+table+` (plugin, name, params, secrets, instance_type, warning_type, user_id, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`, d.Plugin, d.Name, d.params, d.secrets, d.Kind, d.Warning, who.UserID, now, now)
	return id, taken(err, d)
}

func (s store) Update(ctx context.Context, id int64, d Draft, seen, now time.Time) error {
	return taken(crud.Update(ctx, s.db, table, id, seen, now, "name = ?, params = ?, secrets = ?, warning_type = ?", d.Name, d.params, d.secrets, d.Warning), d)
}

func (s store) Delete(ctx context.Context, id int64) error {
	_, err := s.db.Exec(ctx, "DELETE FROM "+table+" WHERE id = ?", id)
	if db.ForeignKey(err) {
		return ErrInUse.Because(err)
	}
	return err
}

func taken(err error, d Draft) error {
	return crud.Taken(err, "uq_alert_plugin_instance_name", ErrNameTaken, "name", "name", d.Name)
}
