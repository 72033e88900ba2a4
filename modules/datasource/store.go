package datasource

import (
	"context"
	"strconv"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/security/crud"
)

type store struct {
	db     *db.DB
	access *access.Service
}

// Data sources are read with the names of their owners, which lists show and sort by.
const (
	columns = "d.id, d.name, d.note, d.type, d.params, d.secrets, d.user_id, COALESCE(u.name, '') AS user_name, d.created_at, d.updated_at"
	tables  = "datasource d LEFT JOIN users u ON u.id = d.user_id"
	read    = "SELECT " + columns + " FROM " + tables
)

// seen is the condition for what whoever acts may use: his own and those he is granted.
func (s store) seen(ctx context.Context) crud.Condition {
	keys, all := s.access.ObjectsOf(ctx, access.DataSource)
	if all {
		return crud.Condition{SQL: "1 = 1"}
	}
	who, _ := access.From(ctx)
	c := crud.Condition{SQL: "(d.user_id = ?", Args: []any{who.UserID}}
	for key := range keys {
		if id, err := strconv.ParseInt(key, 10, 64); err == nil {
			c.SQL, c.Args = c.SQL+" OR d.id = ?", append(c.Args, id)
		}
	}
	c.SQL += ")"
	return c
}

// Page is part of crud.Store, as what follows.
func (s store) Page(ctx context.Context, q listing.Query) (listing.Page[DataSource], error) {
	return crud.Select[DataSource](ctx, s.db, q, columns, tables, s.seen(ctx))
}

// all lists what whoever acts may use, of one type or of all.
func (s store) all(ctx context.Context, kind string) ([]DataSource, error) {
	c := s.seen(ctx)
	query, args := read+" WHERE "+c.SQL, c.Args
	if kind != "" {
		query, args = query+" AND d.type = ?", append(args, kind)
	}
	return db.Select[DataSource](ctx, s.db, query+" ORDER BY d.name, d.id", args...)
}

// fitting lists the ids of limit data sources whose name is not ASCII and fits.
func (s store) fitting(ctx context.Context, fits func(string) bool, limit int) ([]int64, error) {
	seen := s.seen(ctx)
	return db.Fitting(ctx, s.db, fits, limit,
		`SELECT d.id, d.name FROM datasource d WHERE `+seen.SQL+` AND `+db.NotASCII("d.name")+` ORDER BY d.id DESC`, seen.Args...)
}

func (s store) ByID(ctx context.Context, id int64) (DataSource, error) {
	d, err := db.Get[DataSource](ctx, s.db, read+" WHERE d.id = ?", id)
	return crud.Found(d, err, ErrNotFound)
}

func (s store) named(ctx context.Context, name string) (DataSource, error) {
	d, err := db.Get[DataSource](ctx, s.db, read+" WHERE d.name = ?", name)
	return crud.Found(d, err, ErrNotFound)
}

func (s store) Insert(ctx context.Context, d Draft, now time.Time) (int64, error) {
	who, _ := access.From(ctx)
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO datasource (name, note, type, params, secrets, user_id, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`, d.Name, d.Note, d.Type, d.params, d.secrets, who.UserID, now, now)
	return id, taken(err, d)
}

func (s store) Update(ctx context.Context, id int64, d Draft, seen, now time.Time) error {
	return taken(crud.Update(ctx, s.db, "datasource", id, seen, now, "name = ?, note = ?, params = ?, secrets = ?", d.Name, d.Note, d.params, d.secrets), d)
}

func (s store) Delete(ctx context.Context, id int64) error {
	if _, err := s.db.Exec(ctx, "DELETE FROM datasource WHERE id = ?", id); err != nil {
		return err
	}
	return s.access.RevokeObject(ctx, access.DataSource, strconv.FormatInt(id, 10))
}

func taken(err error, d Draft) error {
	return crud.Taken(err, "uq_datasource_name", ErrNameTaken, "name", "name", d.Name)
}
