package zk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

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
	pace    cluster.Pace
	version int32 // of the node when this process wrote it last
	// uncertain says that the latest write had no answer: the version may be one higher.
	uncertain bool
}

func (r *Registry) nodes(kind cluster.Kind) string { return r.root + "/nodes/" + string(kind) }

// Join implements cluster.Registry.
func (r *Registry) Join(ctx context.Context, kind cluster.Kind, address string, beat func() cluster.Heartbeat) (cluster.Membership, error) {
	path := r.nodes(kind) + "/" + address
	w := waiting{r: r, path: path}
	for {
		s, err := r.session(ctx)
		if err != nil {
			return nil, err
		}
		hb := beat()
		err = r.create(ctx, s, path, cluster.Encode(&hb), zk.FlagEphemeral)
		switch {
		case err == nil:
			m := &membership{
				r: r, s: s, path: path, beat: beat,
				lost: make(chan struct{}), publish: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
			}
			m.pace.Wrote(time.Now(), &hb)
			r.hold(path, 1)
			if !r.spawn(m.keep) {
				return nil, cluster.ErrClosed
			}
			return m, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, zk.ErrNodeExists):
			if err := w.look(ctx, s); err != nil {
				return nil, err
			}
		case hopeless(err):
			return nil, r.explain(err, path)
		default:
			pause(ctx)
		}
	}
}

// waiting is for a node that stands where this process wants to.
type waiting struct {
	r       *Registry
	path    string
	since   time.Time
	owner   int64
	version int32
}

// The longest that a dead process's node may stand: its timeout is not known, only that it should be like ours; and a
// living one writes each ten seconds.
func (w *waiting) limit() time.Duration { return 2*w.r.SessionTimeout() + 12*time.Second }

// look removes a node that no process holds, or waits a moment for one that may belong to a dead process.
func (w *waiting) look(ctx context.Context, s *session) error {
	value, stat, err := get(ctx, s, w.path)
	switch {
	case errors.Is(err, zk.ErrNoNode):
		return nil
	case err != nil:
		pause(ctx)
		return nil
	case stat.EphemeralOwner == s.id:
		if w.r.holds(w.path) {
			return fmt.Errorf("%w: %s is held by this process already", cluster.ErrAddressTaken, w.path)
		}
		fallthrough // made by an attempt of ours whose answer was lost
	case w.r.wasOurs(stat.EphemeralOwner):
		return w.remove(ctx, s, stat.Version)
	case stat.EphemeralOwner == 0:
		w.r.log.WarnContext(ctx, "a persistent node stands where this process registers; removing it", "path", w.path, "value", short(value))
		return w.remove(ctx, s, stat.Version)
	}
	if w.owner != stat.EphemeralOwner {
		w.owner, w.version, w.since = stat.EphemeralOwner, stat.Version, time.Now()
		node := cluster.NodeOf("", w.path, value, time.Time{}, time.Time{})
		w.r.log.WarnContext(ctx, "the address is still registered by another session; waiting until that ends", "path", w.path,
			"session", fmt.Sprintf("%#x", stat.EphemeralOwner), "name", node.Heartbeat.Name, "hostname", node.Heartbeat.Hostname,
			"pid", node.Heartbeat.ProcessID)
	}
	if stat.Version != w.version || time.Since(w.since) > w.limit() {
		node := cluster.NodeOf("", w.path, value, time.Time{}, time.Time{})
		return fmt.Errorf("%w: %s is %q on %s, process %d: two processes must not have one address (cluster.advertise)",
			cluster.ErrAddressTaken, w.path, node.Heartbeat.Name, node.Heartbeat.Hostname, node.Heartbeat.ProcessID)
	}
	gone, err := do(ctx, s, func(c *zk.Conn) (<-chan zk.Event, error) {
		there, _, gone, err := c.ExistsW(w.path)
		if err == nil && !there {
			return nil, zk.ErrNoNode
		}
		return gone, err
	})
	if err != nil {
		return nil // it is gone, or the next attempt sees what is the matter
	}
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-gone:
	case <-timer.C:
	case <-s.lost:
	case <-ctx.Done():
	}
	return nil
}

func (w *waiting) remove(ctx context.Context, s *session, version int32) error {
	_, err := do(ctx, s, func(c *zk.Conn) (any, error) { return nil, c.Delete(w.path, version) })
	if errors.Is(err, zk.ErrNotEmpty) {
		return fmt.Errorf("%w: %s has children and cannot be removed", cluster.ErrAddressTaken, w.path)
	}
	if refused(err) {
		return w.r.explain(err, w.path)
	}
	return nil // whatever else went wrong shows in the next attempt
}

func (r *Registry) wasOurs(session int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return session != 0 && r.former[session]
}

// holds says whether a membership of this registry has the path.
func (r *Registry) holds(path string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.members[path] > 0
}

func (r *Registry) hold(path string, by int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members[path] += by; r.members[path] == 0 {
		delete(r.members, path)
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
func (m *membership) Leave(ctx context.Context) error {
	m.once.Do(func() { close(m.stop) })
	<-m.done
	select {
	case <-m.lost:
		return nil
	default:
	}
	for {
		_, err := do(ctx, m.s, func(c *zk.Conn) (any, error) { return nil, c.Delete(m.path, -1) })
		switch {
		case err == nil || errors.Is(err, zk.ErrNoNode) || errors.Is(err, cluster.ErrLost):
			return nil
		case ctx.Err() != nil:
			m.r.discard(m.s, m.path)
			return ctx.Err()
		case !passing(err):
			return err
		}
		pause(ctx)
	}
}

// keep looks after the node until it is left or lost.
func (m *membership) keep() {
	defer close(m.done)
	defer m.r.hold(m.path, -1)
	ctx, cancel := context.WithCancel(m.r.ctx)
	defer cancel()
	m.r.wg.Go(func() {
		select {
		case <-m.stop:
			cancel() // a request that hangs must not keep Leave waiting
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
		err := m.look(ctx)
		if err == nil && (now || time.Since(asked) >= cluster.BeatInterval-lookEvery/2) {
			asked = time.Now()
			err = m.write(ctx, now)
		}
		switch {
		case errors.Is(err, errTaken):
			m.r.log.Error("the node of this process is another's now", "path", m.path)
			close(m.lost)
			return
		case err != nil && ctx.Err() == nil && !passing(err) && !errors.Is(err, cluster.ErrLost):
			m.r.log.Warn("cannot look after the node of this process", "path", m.path, "error", err)
		}
	}
}

// errTaken says that the node belongs to another session.
var errTaken = errors.New("taken")

// look notices what others did to the node, and mends it.
func (m *membership) look(ctx context.Context) error {
	stat, err := exists(ctx, m.s, m.path)
	if err != nil {
		return err
	}
	switch {
	case stat == nil:
		hb := m.beat()
		err := m.r.create(ctx, m.s, m.path, cluster.Encode(&hb), zk.FlagEphemeral)
		if errors.Is(err, zk.ErrNodeExists) {
			return nil // by whom, the next look tells
		}
		if err == nil {
			m.version = 0
			m.pace.Wrote(time.Now(), &hb)
			m.r.log.WarnContext(ctx, "somebody deleted the node of this process; it is there again", "path", m.path)
		}
		return err
	case stat.EphemeralOwner != m.s.id:
		return errTaken
	case stat.Version != m.version:
		if stat.Version > m.version+1 || !m.uncertain {
			m.r.log.WarnContext(ctx, "somebody overwrote the node of this process; writing it again", "path", m.path)
		}
		m.version = stat.Version
		return m.write(ctx, true)
	}
	return nil
}

// write writes the heartbeat when that is due, or in any case.
func (m *membership) write(ctx context.Context, always bool) error {
	hb := m.beat()
	now := time.Now()
	if !always && !m.pace.Due(now, &hb) {
		return nil
	}
	stat, err := do(ctx, m.s, func(c *zk.Conn) (*zk.Stat, error) {
		return c.Set(m.path, []byte(cluster.Encode(&hb)), m.version)
	})
	m.uncertain = err != nil
	if err == nil {
		m.version = stat.Version
		m.pace.Wrote(now, &hb)
	}
	if errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrBadVersion) {
		return nil // the next look mends it
	}
	return err
}

func short(s string) string {
	if len(s) > 120 {
		return s[:120] + "…"
	}
	return s
}
