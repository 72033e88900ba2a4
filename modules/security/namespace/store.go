package namespace

import (
	"context"
	"errors"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/ids"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/security/crud"
)

// store is the SQL of namespaces. Lists show the names of clusters and users; so they are read together.
type store struct {
	db    *db.DB
	codes *ids.Generator
}

const (
	columns = `n.id, n.code, n.namespace, n.cluster_code, c.name AS cluster_name, n.user_id, COALESCE(u.name, '') AS user_name,
	n.created_at, n.updated_at`
	tables = "k8s_namespace n JOIN k8s_cluster c ON c.code = n.cluster_code LEFT JOIN users u ON u.id = n.user_id"
	read   = "SELECT " + columns + " FROM " + tables
)

// Page is part of crud.Store, as what follows.
func (s store) Page(ctx context.Context, q listing.Query) (listing.Page[Namespace], error) {
	return crud.Select[Namespace](ctx, s.db, q, columns, tables)
}

func (s store) all(ctx context.Context) ([]Namespace, error) {
	return db.Select[Namespace](ctx, s.db, read+" ORDER BY n.namespace, c.name")
}

func (s store) ByID(ctx context.Context, id int64) (Namespace, error) {
	n, err := db.Get[Namespace](ctx, s.db, read+" WHERE n.id = ?", id)
	return crud.Found(n, err, ErrNotFound)
}

func (s store) find(ctx context.Context, d Draft) (Namespace, error) {
	n, err := db.Get[Namespace](ctx, s.db, read+" WHERE n.namespace = ? AND n.cluster_code = ?", d.Name, d.ClusterCode)
	return crud.Found(n, err, ErrNotFound)
}

func (s store) ofCluster(ctx context.Context, code int64, limit int) ([]Namespace, error) {
	return db.Select[Namespace](ctx, s.db, read+" WHERE n.cluster_code = ? ORDER BY n.namespace LIMIT ?", code, limit)
}

func (s store) Insert(ctx context.Context, d Draft, now time.Time) (int64, error) {
	who, _ := access.From(ctx)
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO k8s_namespace (code, namespace, cluster_code, user_id, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?) RETURNING id`, s.codes.Next(), d.Name, d.ClusterCode, who.UserID, now, now)
	if db.ForeignKey(err) {
		return 0, ErrCluster.Because(err).OnField("cluster", ErrCluster.Key)
	}
	return id, crud.Taken(err, "uq_k8s_namespace_cluster_code_namespace", ErrTaken, "namespace", "name", d.Name)
}

// errFixed says that a namespace is not changed: what runs in it knows it by its name.
var errFixed = errors.New("namespace: it is not changed")

// Update is refused.
func (store) Update(context.Context, int64, Draft, time.Time, time.Time) error { return errFixed }

func (s store) Delete(ctx context.Context, id int64) error {
	_, err := s.db.Exec(ctx, "DELETE FROM k8s_namespace WHERE id = ?", id)
	return err
}
