package local

import (
	"context"
	"fmt"
	"sync"
	"time"

	"dorado/modules/cluster"
)

// membership is one node.
type membership struct {
	r       *Registry
	s       *session
	path    string
	beat    func() cluster.Heartbeat
	lost    chan struct{}
	publish chan struct{} // capacity 1
	stop    chan struct{}
	once    sync.Once
	done    chan struct{}
	pace    cluster.Pace
	wrote   string
}

// Join implements cluster.Registry.
func (r *Registry) Join(ctx context.Context, kind cluster.Kind, address string, beat func() cluster.Heartbeat) (cluster.Membership, error) {
	path := folder(kind) + address
	var limit <-chan time.Time
	for {
		s, err := r.session(ctx)
		if err != nil {
			return nil, err
		}
		m := &membership{
			r: r, s: s, path: path, beat: beat,
			lost: make(chan struct{}), publish: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
		}
		changed, err := m.enter()
		if err != nil {
			return nil, err
		}
		if changed == nil {
			return m, nil
		}
		if limit == nil {
			limit = time.After(2 * r.h.timeout)
		}
		select {
		case <-changed:
		case <-limit:
			return nil, fmt.Errorf("%w: %s", cluster.ErrAddressTaken, path)
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-r.closed:
			return nil, cluster.ErrClosed
		}
	}
}

// enter makes the node. When another session has it, it returns what tells of a change.
func (m *membership) enter() (<-chan struct{}, error) {
	hb := m.beat()
	h := m.r.h
	h.mu.Lock()
	defer h.mu.Unlock()
	switch e := h.nodes[m.path]; {
	case e != nil && e.owner == m.s:
		return nil, fmt.Errorf("%w: %s is held by this process already", cluster.ErrAddressTaken, m.path)
	case e != nil && e.owner != nil:
		return h.changed, nil
	case m.s.gone || m.r.cut:
		return h.changed, nil
	}
	select {
	case <-m.r.closed:
		return nil, cluster.ErrClosed
	default:
	}
	m.put(&hb)
	m.r.wg.Go(m.keep)
	return nil, nil //nolint:nilnil // nothing to wait for, nothing went wrong
}

// put writes the node, under the hub's lock.
func (m *membership) put(hb *cluster.Heartbeat) {
	now := time.Now().UTC()
	e := m.r.h.nodes[m.path]
	if e == nil {
		e = &entry{owner: m.s, created: now}
		m.r.h.nodes[m.path] = e
	}
	e.owner = m.s
	e.value, e.updated = cluster.Encode(hb), now
	m.wrote = e.value
	m.pace.Wrote(time.Now(), hb)
	m.r.h.tell()
}

// keep looks after the node until it is left or lost.
func (m *membership) keep() {
	defer close(m.done)
	ticker := time.NewTicker(cluster.BeatInterval / 2)
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
		hb := m.beat()
		due := time.Since(asked) >= cluster.BeatInterval*3/4 && m.pace.Due(time.Now(), &hb)
		m.r.h.mu.Lock()
		if e := m.r.h.nodes[m.path]; !m.r.cut && !m.s.gone && (now || due || e == nil || e.value != m.wrote) {
			m.put(&hb)
			asked = time.Now()
		}
		m.r.h.mu.Unlock()
	}
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
func (m *membership) Leave(context.Context) error {
	m.once.Do(func() { close(m.stop) })
	<-m.done
	m.r.h.mu.Lock()
	defer m.r.h.mu.Unlock()
	if e := m.r.h.nodes[m.path]; e != nil && e.owner == m.s && !m.r.cut {
		delete(m.r.h.nodes, m.path)
		m.r.h.tell()
	}
	return nil
}
