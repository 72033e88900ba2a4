package project

import (
	"context"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/ids"
	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/security/crud"
)

// parameterStore is the parameters of one project.
type parameterStore struct {
	db      *db.DB
	codes   *ids.Generator
	sealer  *secret.Sealer
	project int64
}

const (
	parameterColumns = `p.id, p.code, p.project_code, p.name, CASE WHEN p.is_secret THEN '' ELSE p.value END AS value, p.data_type, p.is_secret, p.value <> '' AS has_value, p.creator_id, p.modifier_id,
		COALESCE(c.name, '') AS creator, COALESCE(m.name, '') AS modifier, p.created_at, p.updated_at`
	parameterTables = `project_parameter p LEFT JOIN users c ON c.id = p.creator_id LEFT JOIN users m ON m.id = p.modifier_id`
)

// Page is part of crud.Store, as what follows.
func (s parameterStore) Page(ctx context.Context, q listing.Query) (listing.Page[Parameter], error) {
	return crud.Select[Parameter](ctx, s.db, q, parameterColumns, parameterTables, crud.Condition{SQL: "p.project_code = ?", Args: []any{s.project}})
}

func (s parameterStore) one(ctx context.Context, where string, arg any) (Parameter, error) {
	p, err := db.Get[Parameter](ctx, s.db, "SELECT "+parameterColumns+" FROM "+parameterTables+" WHERE p.project_code = ? AND "+where, s.project, arg)
	return crud.Found(p, err, ErrParameterNotFound)
}

func (s parameterStore) all(ctx context.Context) ([]Parameter, error) {
	return db.Select[Parameter](ctx, s.db, "SELECT "+parameterColumns+" FROM "+parameterTables+" WHERE p.project_code = ? ORDER BY p.name", s.project)
}

func (s parameterStore) ByID(ctx context.Context, id int64) (Parameter, error) {
	return s.one(ctx, "p.id = ?", id)
}

func (s parameterStore) byCode(ctx context.Context, code int64) (Parameter, error) {
	return s.one(ctx, "p.code = ?", code)
}

func (s parameterStore) Insert(ctx context.Context, d ParameterDraft, now time.Time) (int64, error) {
	who, _ := access.From(ctx)
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO project_parameter
		(code, project_code, name, value, data_type, is_secret, creator_id, modifier_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		s.codes.Next(), s.project, d.Name, s.stored(d), d.Type, d.Secret, who.UserID, who.UserID, now, now)
	return id, parameterTaken(err, d)
}

func (s parameterStore) Update(ctx context.Context, id int64, d ParameterDraft, seen, now time.Time) error {
	who, _ := access.From(ctx)
	set, args := "name = ?, data_type = ?, is_secret = ?, modifier_id = ?", []any{d.Name, d.Type, d.Secret, who.UserID}
	if !d.keep {
		set, args = set+", value = ?", append(args, s.stored(d))
	}
	return parameterTaken(crud.Update(ctx, s.db, "project_parameter", id, seen, now, set, args...), d)
}

// stored is the value as the table holds it.
func (s parameterStore) stored(d ParameterDraft) string {
	if d.Secret {
		return s.sealer.Seal(d.Value, flow.SealedParameter)
	}
	return d.Value
}

func (s parameterStore) Delete(ctx context.Context, id int64) error {
	_, err := s.db.Exec(ctx, "DELETE FROM project_parameter WHERE id = ? AND project_code = ?", id, s.project)
	return err
}

func parameterTaken(err error, d ParameterDraft) error {
	return crud.Taken(err, "uq_project_parameter_project_code_name", ErrParameterTaken, "name", "name", d.Name)
}
