package k8scluster

import (
	"context"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/ids"
	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/security/crud"
)

// purpose is what kubeconfigs are sealed for.
const purpose = "k8s_cluster.config"

type store struct {
	db     *db.DB
	codes  *ids.Generator
	sealer *secret.Sealer
}

const (
	columns = "id, code, name, config, description, operator_id, created_at, updated_at"
	read    = "SELECT " + columns + " FROM k8s_cluster"
)

// Page is part of crud.Store, as what follows.
func (s store) Page(ctx context.Context, q listing.Query) (listing.Page[Cluster], error) {
	return crud.Select[Cluster](ctx, s.db, q, columns, "k8s_cluster")
}

func (s store) all(ctx context.Context) ([]Cluster, error) {
	return db.Select[Cluster](ctx, s.db, read+" ORDER BY name, id")
}

func (s store) ByID(ctx context.Context, id int64) (Cluster, error) {
	c, err := db.Get[Cluster](ctx, s.db, read+" WHERE id = ?", id)
	return crud.Found(c, err, ErrNotFound)
}

func (s store) byCode(ctx context.Context, code int64) (Cluster, error) {
	c, err := db.Get[Cluster](ctx, s.db, read+" WHERE code = ?", code)
	return crud.Found(c, err, ErrNotFound)
}

func (s store) byName(ctx context.Context, name string) (Cluster, error) {
	c, err := db.Get[Cluster](ctx, s.db, read+" WHERE name = ?", name)
	return crud.Found(c, err, ErrNotFound)
}

func (s store) Insert(ctx context.Context, d Draft, now time.Time) (int64, error) {
	who, _ := access.From(ctx)
	sealed := s.sealer.Seal(d.Config.Reveal(), purpose)
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO k8s_cluster (code, name, config, description, operator_id, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`, s.codes.Next(), d.Name, sealed, d.Description, who.UserID, now, now)
	return id, taken(err, d)
}

func (s store) Update(ctx context.Context, id int64, d Draft, seen, now time.Time) error {
	who, _ := access.From(ctx)
	set, args := "name = ?, description = ?, operator_id = ?", []any{d.Name, d.Description, who.UserID}
	if d.Config != "" {
		set, args = set+", config = ?", append(args, s.sealer.Seal(d.Config.Reveal(), purpose))
	}
	return taken(crud.Update(ctx, s.db, "k8s_cluster", id, seen, now, set, args...), d)
}

func (s store) Delete(ctx context.Context, id int64) error {
	_, err := s.db.Exec(ctx, "DELETE FROM k8s_cluster WHERE id = ?", id)
	if db.ForeignKey(err) {
		return ErrInUse.Because(err)
	}
	return err
}

func taken(err error, d Draft) error {
	return crud.Taken(err, "uq_k8s_cluster_name", ErrNameTaken, "name", "name", d.Name)
}
