package monitor

import (
	"context"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/cluster"
	"dorado/modules/security/crud"
)

type store struct{ db *db.DB }

// drained reads what administrators want of workers, by name.
func (s store) drained(ctx context.Context) (map[string]bool, error) {
	type row struct {
		Name    string `db:"name"`
		Drained bool   `db:"drained"`
	}
	rows, err := db.Select[row](ctx, s.db, "SELECT name, drained FROM worker_setting")
	out := make(map[string]bool, len(rows))
	for _, r := range rows {
		out[r.Name] = r.Drained
	}
	return out, err
}

func (s store) setDrained(ctx context.Context, name string, drained bool, by int64, now time.Time) error {
	_, err := s.db.Exec(ctx, `INSERT INTO worker_setting (name, drained, updated_by, updated_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET drained = excluded.drained, updated_by = excluded.updated_by, updated_at = excluded.updated_at`,
		name, drained, by, now)
	return err
}

func (s store) addEvent(ctx context.Context, e Event) error {
	_, err := s.db.Exec(ctx, `INSERT INTO cluster_event (at, kind, node_kind, node, by_node, workflows, tasks, took_ms, detail)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, e.At, e.Kind, e.NodeKind, e.Node, e.By, e.Workflows, e.Tasks, e.TookMS, e.Detail)
	return err
}

// eventSpec is what the list of events can be asked for.
func eventSpec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"at": "at"}, Search: []string{"node", "by_node", "detail"}, Default: "-at", ID: "id",
		Filters: map[string]string{"kind": "kind", "node": "node"},
	}
}

func (s store) events(ctx context.Context, q listing.Query) (listing.Page[Event], error) {
	return crud.Select[Event](ctx, s.db, q, "id, at, kind, node_kind, node, by_node, workflows, tasks, took_ms, detail", "cluster_event")
}

// samples lists what was noted of the nodes of a kind since a moment, oldest first.
func (s store) samples(ctx context.Context, kind cluster.Kind, since time.Time) ([]Sample, error) {
	return db.Select[Sample](ctx, s.db, `SELECT node_kind, node, at, cpu, memory, disk, load, running, slots FROM node_sample
		WHERE node_kind = ? AND at >= ? ORDER BY node, at`, string(kind), since)
}

// note writes samples. A minute that was noted already stays as it is: two samplers that overlap for a moment agree.
func (s store) note(ctx context.Context, list []Sample) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		for _, n := range list {
			if _, err := s.db.Exec(ctx, `INSERT INTO node_sample (node_kind, node, at, cpu, memory, disk, load, running, slots)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (node_kind, node, at) DO NOTHING`,
				n.NodeKind, n.Node, n.At, n.CPU, n.Memory, n.Disk, n.Load, n.Running, n.Slots); err != nil {
				return err
			}
		}
		return nil
	})
}

// forget removes samples from before a moment.
func (s store) forget(ctx context.Context, before time.Time) error {
	_, err := s.db.Exec(ctx, "DELETE FROM node_sample WHERE at < ?", before)
	return err
}
