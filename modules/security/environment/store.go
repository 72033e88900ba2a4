package environment

import (
	"context"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/ids"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/security/crud"
)

type store struct {
	db    *db.DB
	codes *ids.Generator
}

const columns = "id, code, name, config, description, operator_id, created_at, updated_at"

// Page is part of crud.Store, as what follows.
func (s store) Page(ctx context.Context, q listing.Query) (listing.Page[Environment], error) {
	page, err := crud.Select[Environment](ctx, s.db, q, columns, "environment")
	if err != nil {
		return page, err
	}
	page.Items, err = s.withGroups(ctx, page.Items)
	return page, err
}

func (s store) all(ctx context.Context) ([]Environment, error) {
	return s.find(ctx, "1 = 1 ORDER BY name")
}

func (s store) find(ctx context.Context, where string, args ...any) ([]Environment, error) {
	list, err := db.Select[Environment](ctx, s.db, "SELECT "+columns+" FROM environment WHERE "+where, args...)
	if err != nil {
		return nil, err
	}
	return s.withGroups(ctx, list)
}

func (s store) one(ctx context.Context, where string, arg any) (Environment, error) {
	list, err := s.find(ctx, where, arg)
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Environment{}, err
	}
	return list[0], nil
}

func (s store) ByID(ctx context.Context, id int64) (Environment, error) {
	return s.one(ctx, "id = ?", id)
}

func (s store) byCode(ctx context.Context, code int64) (Environment, error) {
	return s.one(ctx, "code = ?", code)
}

// withGroups adds their worker groups.
func (s store) withGroups(ctx context.Context, list []Environment) ([]Environment, error) {
	if len(list) == 0 {
		return list, nil
	}
	codes := make([]int64, len(list))
	at := make(map[int64]*Environment, len(list))
	for i := range list {
		codes[i] = list[i].Code
		at[list[i].Code] = &list[i]
	}
	query, args, err := db.In("SELECT environment_code, worker_group FROM environment_worker_group WHERE environment_code IN (?) ORDER BY worker_group", codes)
	if err != nil {
		return nil, err
	}
	rows, err := db.Select[struct {
		Code  int64  `db:"environment_code"`
		Group string `db:"worker_group"`
	}](ctx, s.db, query, args...)
	for _, r := range rows {
		at[r.Code].WorkerGroups = append(at[r.Code].WorkerGroups, r.Group)
	}
	return list, err
}

func (s store) ofGroup(ctx context.Context, group string, limit int) ([]Environment, error) {
	return db.Select[Environment](ctx, s.db, `SELECT e.id, e.name FROM environment e
		JOIN environment_worker_group g ON g.environment_code = e.code WHERE g.worker_group = ? ORDER BY e.name LIMIT ?`, group, limit)
}

func (s store) Insert(ctx context.Context, d Draft, now time.Time) (int64, error) {
	who, _ := access.From(ctx)
	code := s.codes.Next()
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO environment (code, name, config, description, operator_id, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`, code, d.Name, d.Config, d.Description, who.UserID, now, now)
	if err != nil {
		return 0, taken(err, d)
	}
	return id, s.setGroups(ctx, code, d.WorkerGroups)
}

func (s store) Update(ctx context.Context, id int64, d Draft, seen, now time.Time) error {
	who, _ := access.From(ctx)
	if err := crud.Update(ctx, s.db, "environment", id, seen, now, "name = ?, config = ?, description = ?, operator_id = ?",
		d.Name, d.Config, d.Description, who.UserID); err != nil {
		return taken(err, d)
	}
	code, err := db.Get[int64](ctx, s.db, "SELECT code FROM environment WHERE id = ?", id)
	if err != nil {
		return err
	}
	return s.setGroups(ctx, code, d.WorkerGroups)
}

func (s store) setGroups(ctx context.Context, code int64, groups []string) error {
	if _, err := s.db.Exec(ctx, "DELETE FROM environment_worker_group WHERE environment_code = ?", code); err != nil {
		return err
	}
	for _, g := range groups {
		if _, err := s.db.Exec(ctx, "INSERT INTO environment_worker_group (environment_code, worker_group) VALUES (?, ?)", code, g); err != nil {
			return err
		}
	}
	return nil
}

func (s store) Delete(ctx context.Context, id int64) error {
	_, err := s.db.Exec(ctx, "DELETE FROM environment WHERE id = ?", id)
	return err
}

func taken(err error, d Draft) error {
	return crud.Taken(err, "uq_environment_name", ErrNameTaken, "name", "name", d.Name)
}
