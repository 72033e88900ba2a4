package pg

import (
	"context"
	"slices"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/cluster"
)

type row struct {
	Path      string    `db:"path"`
	Value     string    `db:"value"`
	SessionID string    `db:"session_id"`
	CreatedAt time.Time `db:"created_at"`
	UpdatedAt time.Time `db:"updated_at"`
}

// rows reads all that is there below a prefix, by path.
func (r *Registry) rows(ctx context.Context, prefix string) ([]row, error) {
	rows, err := db.Select[row](ctx, r.d, `
		SELECT n.path, n.value, n.session_id, n.created_at, n.updated_at FROM registry_node n
		LEFT JOIN registry_session s ON s.id = n.session_id
		WHERE starts_with(n.path, ?) AND (n.session_id = '' OR s.expires_at > clock_timestamp())`, prefix)
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.Path, b.Path) })
	return rows, err
}

func (r *Registry) folder(kind cluster.Kind) string { return r.root + "/nodes/" + string(kind) + "/" }

// Nodes implements cluster.Registry.
func (r *Registry) Nodes(ctx context.Context, kind cluster.Kind) ([]cluster.Node, error) {
	return retry(ctx, r, func(ctx context.Context, _ *session) ([]cluster.Node, error) {
		rows, err := r.rows(ctx, r.folder(kind))
		out := make([]cluster.Node, 0, len(rows))
		for _, row := range rows {
			out = append(out, cluster.NodeOf(kind, row.Path, row.Value, row.CreatedAt, row.UpdatedAt))
		}
		return out, err
	})
}

// Watch implements cluster.Registry.
func (r *Registry) Watch(ctx context.Context, kind cluster.Kind, fn func([]cluster.Node)) error {
	sub := r.subscribe(r.folder(kind))
	defer r.unsubscribe(sub)
	scan := time.NewTicker(scanEvery)
	defer scan.Stop()
	var told []cluster.Node
	for first := true; ; {
		nodes, err := r.Nodes(ctx, kind)
		if err != nil {
			return err
		}
		if first || !cluster.SameNodes(told, nodes) {
			told, first = nodes, false
			fn(slices.Clone(nodes))
		}
		select {
		case <-sub.wake:
		case <-scan.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-r.ctx.Done():
			return cluster.ErrClosed
		}
	}
}

// Tree implements cluster.Registry.
func (r *Registry) Tree(ctx context.Context) ([]cluster.Entry, error) {
	return retry(ctx, r, func(ctx context.Context, _ *session) ([]cluster.Entry, error) {
		rows, err := r.rows(ctx, r.root+"/")
		out := make([]cluster.Entry, 0, len(rows))
		for _, row := range rows {
			out = append(out, cluster.Entry{
				Path: row.Path, Value: row.Value, Ephemeral: row.SessionID != "", Owner: row.SessionID,
				Created: row.CreatedAt.UTC(), Updated: row.UpdatedAt.UTC(),
			})
		}
		return out, err
	})
}
