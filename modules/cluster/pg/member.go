package pg

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/cluster"
)

// membership is one node of this process.
type membership struct {
	r    *Registry
	s    *session
	path string
	beat func() cluster.Heartbeat

	lost    chan struct{}
	publish chan struct{} // capacity 1
	stop    chan struct{}
	once    sync.Once // closes stop
	done    chan struct{}

	// Of the goroutine that keeps it.
	pace  cluster.Pace
	wrote string
}

// Join implements cluster.Registry.
func (r *Registry) Join(ctx context.Context, kind cluster.Kind, address string, beat func() cluster.Heartbeat) (cluster.Membership, error) {
	path := r.folder(kind) + address
	if !r.reserve(path) {
		return nil, fmt.Errorf("%w: %s is held by this process already", cluster.ErrAddressTaken, path)
	}
	m, err := r.join(ctx, path, beat)
	if err != nil {
		r.release(path)
		return nil, err
	}
	if !r.spawn(m.keep) {
		r.release(path)
		return nil, cluster.ErrClosed
	}
	return m, nil
}

func (r *Registry) reserve(path string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members[path] {
		return false
	}
	r.members[path] = true
	return true
}

func (r *Registry) release(path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.members, path)
}

func (r *Registry) join(ctx context.Context, path string, beat func() cluster.Heartbeat) (*membership, error) {
	var since time.Time
	var holder string
	for {
		s, err := r.session(ctx)
		if err != nil {
			return nil, err
		}
		hb := beat()
		m := &membership{
			r: r, s: s, path: path, beat: beat,
			lost: make(chan struct{}), publish: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
		}
		made, err := m.create(ctx, &hb)
		if made {
			return m, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil {
			var h holding
			if h, err = r.holder(ctx, s, path); err == nil && h.ID != holder {
				holder, since = h.ID, time.Now()
				if holder != "" {
					r.log.WarnContext(ctx, "the address is still registered by another session; waiting until that ends", "path", path, "session", holder)
				}
			}
			if err == nil && holder != "" && time.Since(since) > time.Duration(h.TimeoutMS)*time.Millisecond+time.Second {
				n := cluster.NodeOf("", path, h.Value, time.Time{}, time.Time{})
				return nil, fmt.Errorf("%w: %s is %q on %s, process %d: two processes must not have one address (cluster.advertise)",
					cluster.ErrAddressTaken, path, n.Heartbeat.Name, n.Heartbeat.Hostname, n.Heartbeat.ProcessID)
			}
		}
		pause(ctx, retryPause)
	}
}

type holding struct {
	ID        string `db:"id"`
	TimeoutMS int64  `db:"timeout_ms"`
	Value     string `db:"value"`
}

// holder returns the living session that has a node; none, when there is none.
func (r *Registry) holder(ctx context.Context, s *session, path string) (holding, error) {
	return do(ctx, r, s, func(ctx context.Context) (holding, error) {
		h, err := db.Get[holding](ctx, r.d, `SELECT s.id, s.timeout_ms, n.value FROM registry_node n
			JOIN registry_session s ON s.id = n.session_id AND s.expires_at > clock_timestamp() WHERE n.path = ?`, path)
		if errors.Is(err, db.ErrNoRows) {
			return holding{}, nil
		}
		return h, err
	})
}

// create makes the node, unless another living session has it, or this one has ended.
func (m *membership) create(ctx context.Context, hb *cluster.Heartbeat) (bool, error) {
	value := cluster.Encode(hb)
	n, err := do(ctx, m.r, m.s, func(ctx context.Context) (int, error) {
		return db.Get[int](ctx, m.r.d, `
			WITH made AS (
				INSERT INTO registry_node (path, session_id, value, created_at, updated_at)
				SELECT ?, id, ?, clock_timestamp(), clock_timestamp() FROM registry_session WHERE id = ? AND expires_at > clock_timestamp()
				ON CONFLICT (path) DO UPDATE SET session_id = excluded.session_id, value = excluded.value,
					created_at = excluded.created_at, updated_at = excluded.updated_at
				WHERE registry_node.session_id IN ('', excluded.session_id) OR NOT EXISTS (
					SELECT 1 FROM registry_session s WHERE s.id = registry_node.session_id AND s.expires_at > clock_timestamp())
				RETURNING path)
			SELECT count(pg_notify(?, path)) FROM made`, m.path, value, m.s.id, channel)
	})
	if err != nil || n == 0 {
		return false, err
	}
	m.wrote = value
	m.pace.Wrote(time.Now(), hb)
	return true, nil
}

// keep looks after the node until it is left or lost.
func (m *membership) keep() {
	defer close(m.done)
	defer m.r.release(m.path)
	ctx, cancel := context.WithCancel(m.r.ctx)
	defer cancel()
	m.r.wg.Go(func() {
		select {
		case <-m.stop:
			cancel() // a statement that hangs must not keep Leave waiting
		case <-ctx.Done():
		}
	})
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var asked time.Time
	for {
		now := false
		select {
		case <-m.stop:
			return
		case <-m.s.lost:
			close(m.lost)
			return
		case <-m.publish:
			now = true
		case <-ticker.C:
		}
		mine, err := m.look(ctx)
		if err == nil && !mine {
			m.r.log.Error("the node of this process is another's now", "path", m.path)
			close(m.lost)
			return
		}
		if err == nil && (now || time.Since(asked) >= cluster.BeatInterval-lookEvery/2) {
			asked = time.Now()
			err = m.write(ctx, now)
		}
		if err != nil && ctx.Err() == nil {
			m.r.log.Debug("cannot look after the node of this process", "path", m.path, "error", err)
		}
	}
}

// look notices what others did to the node, and mends it. It returns false when the node belongs to another session.
func (m *membership) look(ctx context.Context) (bool, error) {
	there, err := do(ctx, m.r, m.s, func(ctx context.Context) ([]row, error) {
		return db.Select[row](ctx, m.r.d, `SELECT path, value, session_id, created_at, updated_at FROM registry_node WHERE path = ?`, m.path)
	})
	switch {
	case err != nil:
		return true, err
	case len(there) == 0:
		hb := m.beat()
		made, err := m.create(ctx, &hb)
		if made {
			m.r.log.WarnContext(ctx, "somebody deleted the node of this process; it is there again", "path", m.path)
		}
		return true, err // by whom it was made otherwise, the next look tells
	case there[0].SessionID != m.s.id:
		return false, nil
	case there[0].Value != m.wrote:
		m.r.log.WarnContext(ctx, "somebody overwrote the node of this process; writing it again", "path", m.path)
		return true, m.write(ctx, true)
	}
	return true, nil
}

// write writes the heartbeat when that is due, or in any case.
func (m *membership) write(ctx context.Context, always bool) error {
	hb := m.beat()
	now := time.Now()
	if !always && !m.pace.Due(now, &hb) {
		return nil
	}
	value := cluster.Encode(&hb)
	n, err := do(ctx, m.r, m.s, func(ctx context.Context) (int, error) {
		return db.Get[int](ctx, m.r.d, `
			WITH wrote AS (
				UPDATE registry_node SET value = ?, updated_at = clock_timestamp() WHERE path = ? AND session_id = ? RETURNING path)
			SELECT count(pg_notify(?, path)) FROM wrote`, value, m.path, m.s.id, channel)
	})
	if err == nil && n == 1 {
		m.wrote = value
		m.pace.Wrote(now, &hb)
	}
	return err
}

// Lost implements cluster.Membership.
func (m *membership) Lost() <-chan struct{} { return m.lost }

// Publish implements cluster.Membership.
func (m *membership) Publish() {
	select {
	case m.publish <- struct{}{}:
	default:
	}
}

// Leave implements cluster.Membership.
func (m *membership) Leave(ctx context.Context) error {
	m.once.Do(func() { close(m.stop) })
	<-m.done
	select {
	case <-m.lost:
		return nil
	default:
	}
	return m.r.remove(ctx, m.s, m.path)
}

// remove deletes a node of a session. When ctx ends first, it goes on in the background until the session ends.
func (r *Registry) remove(ctx context.Context, s *session, path string) error {
	for {
		err := r.delete(ctx, s, path)
		switch {
		case err == nil || errors.Is(err, cluster.ErrLost):
			return nil
		case ctx.Err() != nil:
			r.spawn(func() {
				for r.ctx.Err() == nil {
					if err := r.delete(r.ctx, s, path); err == nil || errors.Is(err, cluster.ErrLost) {
						return
					}
					pause(r.ctx, retryPause)
				}
			})
			return ctx.Err()
		}
		pause(ctx, retryPause)
	}
}

func (r *Registry) delete(ctx context.Context, s *session, path string) error {
	_, err := do(ctx, r, s, func(ctx context.Context) (int, error) {
		return db.Get[int](ctx, r.d, `WITH gone AS (DELETE FROM registry_node WHERE path = ? AND session_id = ? RETURNING path)
			SELECT count(pg_notify(?, path)) FROM gone`, path, s.id, channel)
	})
	return err
}
