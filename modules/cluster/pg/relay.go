package pg

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/cluster"
)

// said is one node as a statement takes it.
type said struct {
	ID    string `json:"id"`
	Path  string `json:"path"`
	Value string `json:"value"`
	Due   bool   `json:"due"`
}

// session of a node that others register. A later process of the same address sorts behind an earlier one.
func relayed(kind cluster.Kind, address string, hb *cluster.Heartbeat) string {
	return fmt.Sprintf("%s:%s:%015d:%s", kind, address, hb.StartupTime, hb.Incarnation)
}

// Relay registers nodes that do not reach the database themselves, by their addresses: each stands until nobody has
// relayed it for the session timeout. Any number of masters may relay the same node; call it each quarter of the
// timeout for all that were heard of since. A later process (StartupTime) replaces an earlier one of the same address.
// One statement; it is not tried again, because the next call is due soon.
func (r *Registry) Relay(ctx context.Context, kind cluster.Kind, beats map[string]cluster.Heartbeat) error {
	if len(beats) == 0 {
		return nil
	}
	now := time.Now()
	list := make([]said, 0, len(beats))
	r.mu.Lock()
	for address, hb := range beats {
		s := said{ID: relayed(kind, address, &hb), Path: r.folder(kind) + address, Value: cluster.Encode(&hb)}
		pace := r.paces[s.Path]
		if pace == nil {
			pace = &cluster.Pace{}
			r.paces[s.Path] = pace
		}
		s.Due = pace.Due(now, &hb)
		list = append(list, s)
	}
	for path := range r.paces { // of nodes that are not heard of any more
		if address, ok := strings.CutPrefix(path, r.folder(kind)); ok {
			if _, heard := beats[address]; !heard {
				delete(r.paces, path)
			}
		}
	}
	r.mu.Unlock()
	raw, err := json.Marshal(list)
	if err != nil {
		return err
	}
	s, err := r.session(ctx) // who is no member relays nobody
	if err != nil {
		return err
	}
	ms := r.timeout.Milliseconds()
	if _, err := do(ctx, r, s, func(ctx context.Context) (int, error) {
		return db.Get[int](ctx, r.d, `
			WITH said AS (SELECT * FROM json_to_recordset(?::json) AS x(id text, path text, value text, due boolean)),
			kept AS (
				INSERT INTO registry_session (id, timeout_ms, expires_at)
				SELECT id, ?::bigint, clock_timestamp() + ?::bigint * interval '1 millisecond' FROM said ORDER BY id
				ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at
				WHERE registry_session.expires_at < excluded.expires_at - ?::bigint * interval '1 millisecond'),
			wrote AS (
				INSERT INTO registry_node (path, session_id, value, created_at, updated_at)
				SELECT path, id, value, clock_timestamp(), clock_timestamp() FROM said
				WHERE due OR NOT EXISTS (SELECT 1 FROM registry_node n WHERE n.path = said.path AND n.session_id = said.id)
				ORDER BY path
				ON CONFLICT (path) DO UPDATE SET session_id = excluded.session_id, value = excluded.value, updated_at = excluded.updated_at,
					created_at = CASE WHEN registry_node.session_id = excluded.session_id THEN registry_node.created_at ELSE excluded.created_at END
				WHERE registry_node.session_id COLLATE "C" <= excluded.session_id COLLATE "C" OR NOT EXISTS (
					SELECT 1 FROM registry_session s WHERE s.id = registry_node.session_id AND s.expires_at > clock_timestamp())
				RETURNING path)
			SELECT count(pg_notify(?, path)) FROM wrote`, string(raw), ms, ms, ms/8, channel)
	}); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range list {
		if pace := r.paces[list[i].Path]; list[i].Due && pace != nil {
			hb := beats[list[i].Path[len(r.folder(kind)):]]
			pace.Wrote(now, &hb)
		}
	}
	return nil
}

// Unrelay removes a relayed node at once: it said goodbye. A later process of the same address is left alone.
func (r *Registry) Unrelay(ctx context.Context, kind cluster.Kind, address string, hb cluster.Heartbeat) error {
	path := r.folder(kind) + address
	r.mu.Lock()
	delete(r.paces, path)
	r.mu.Unlock()
	s, err := r.session(ctx)
	if err != nil {
		return err
	}
	_, err = do(ctx, r, s, func(ctx context.Context) (any, error) { return nil, r.end(ctx, relayed(kind, address, &hb)) })
	return err
}
