package pg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/cluster"
)

// channel carries the paths of nodes that have changed.
const channel = "dorado_registry"

const (
	scanEvery  = 30 * time.Second
	lookEvery  = 700 * time.Millisecond // at what belongs to this process
	retryPause = 100 * time.Millisecond
	goodbye    = 2 * time.Second // Close waits no longer for a database that does not answer
)

// Config of a registry.
type Config struct {
	Namespace      string        // "" = cluster.Namespace
	SessionTimeout time.Duration // 0 = 4 s
	// Own says that the database was opened for the registry alone: it closes with it. That is how it should be, because
	// a heartbeat that waits for a connection behind other work is as bad as one that is lost.
	Own bool
}

// Registry is a cluster.Registry over PostgreSQL.
type Registry struct {
	d       *db.DB
	log     *slog.Logger
	root    string
	timeout time.Duration
	own     bool // the database closes with the registry

	ctx    context.Context // ends with Close; it belongs to the goroutines of the registry
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	live    *session
	changed chan struct{} // closed and replaced with live
	former  []string      // lost sessions whose rows may be left
	members map[string]bool
	subs    map[*subscription]struct{}
	paces   map[string]*cluster.Pace // of relayed nodes, by path
}

// session is one row of registry_session, until it is lost.
type session struct {
	id     string
	lost   chan struct{}
	once   sync.Once
	reason string // read it after lost is closed

	mu    sync.Mutex
	proof time.Time // when the latest statement that prolonged it was sent
}

func (s *session) lose(reason string) {
	s.once.Do(func() {
		s.reason = reason
		close(s.lost)
	})
}

type subscription struct {
	prefix string
	wake   chan struct{} // capacity 1
}

// New begins a session. It does not wait for the database, which must be PostgreSQL and migrated.
func New(d *db.DB, c Config, log *slog.Logger) (*Registry, error) {
	if d.Dialect().Name() != "postgres" {
		return nil, errors.New("the registry needs PostgreSQL: over SQLite there is one master, and no registry")
	}
	c.Namespace = strings.Trim(c.Namespace, "/")
	if c.Namespace == "" {
		c.Namespace = cluster.Namespace
	}
	if c.SessionTimeout == 0 {
		c.SessionTimeout = 4 * time.Second
	}
	if c.SessionTimeout < time.Second || c.SessionTimeout > 10*time.Minute {
		return nil, fmt.Errorf("a session timeout of %s is not between a second and ten minutes", c.SessionTimeout)
	}
	r := &Registry{
		d: d, log: log, root: "/" + c.Namespace, timeout: c.SessionTimeout, own: c.Own, changed: make(chan struct{}),
		members: map[string]bool{}, subs: map[*subscription]struct{}{}, paces: map[string]*cluster.Pace{},
	}
	r.ctx, r.cancel = context.WithCancel(context.Background()) //nolint:forbidigo // the registry ends with Close
	r.wg.Go(r.listen)
	r.wg.Go(r.run)
	return r, nil
}

// Ready waits for the first session, for as long as ctx lasts.
func (r *Registry) Ready(ctx context.Context) error {
	_, err := r.session(ctx)
	return err
}

// listen hears of changes.
func (r *Registry) listen() {
	for r.ctx.Err() == nil {
		err := r.d.Listen(r.ctx, channel, r.hear)
		if err == nil {
			return // until the context ends
		}
		pause(r.ctx, time.Second)
	}
}

// hear wakes those whom a path concerns; all of them when notifications may have been lost.
func (r *Registry) hear(path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for sub := range r.subs {
		if path == "" || strings.HasPrefix(path, sub.prefix) {
			select {
			case sub.wake <- struct{}{}:
			default:
			}
		}
	}
}

func (r *Registry) subscribe(prefix string) *subscription {
	sub := &subscription{prefix: prefix, wake: make(chan struct{}, 1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.subs[sub] = struct{}{}
	return sub
}

func (r *Registry) unsubscribe(sub *subscription) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.subs, sub)
}

// run has one session after the other.
func (r *Registry) run() {
	defer r.set(nil)
	for r.ctx.Err() == nil {
		s := r.establish()
		if s == nil {
			return
		}
		r.set(s)
		stop := context.AfterFunc(r.ctx, func() { s.lose("closed") })
		r.keep(s)
		stop()
		r.set(nil)
		if r.ctx.Err() == nil {
			r.log.Warn("registry session lost", "registry", r.Name(), "session", s.id, "reason", s.reason)
		} else {
			r.bury(s)
		}
	}
}

// establish makes a session, however long that takes; nil when the registry is closed. What is left of former sessions
// goes first.
func (r *Registry) establish() *session {
	host, _ := os.Hostname() // for people who look at the tree
	var told time.Time
	for r.ctx.Err() == nil {
		s := &session{id: fmt.Sprintf("%s:%d:%s", host, os.Getpid(), rand.Text()[:8]), lost: make(chan struct{})}
		s.proof = time.Now()
		r.mu.Lock()
		former := append([]string(nil), r.former...)
		r.mu.Unlock()
		_, err := do(r.ctx, r, s, func(ctx context.Context) (any, error) {
			for _, id := range former {
				if err := r.end(ctx, id); err != nil {
					return nil, err
				}
			}
			_, err := r.d.Exec(ctx, `INSERT INTO registry_session (id, timeout_ms, expires_at)
				VALUES (?, ?, clock_timestamp() + ?::bigint * interval '1 millisecond')`, s.id, r.timeout.Milliseconds(), r.timeout.Milliseconds())
			return nil, err
		})
		if err == nil && time.Since(s.proof) < r.timeout/2 {
			r.mu.Lock()
			r.former = r.former[len(former):]
			r.mu.Unlock()
			r.log.Info("registry session established", "registry", r.Name(), "session", s.id, "timeout", r.timeout)
			return s
		}
		r.mu.Lock()
		r.former = append(r.former, s.id) // it may have been made after all
		r.former = r.former[max(0, len(r.former)-maxFormer):]
		r.mu.Unlock()
		if now := time.Now(); err != nil && r.ctx.Err() == nil && now.Sub(told) >= scanEvery {
			told = now
			r.log.Warn("the registry's database does not answer; trying again until it does", "registry", r.Name(), "error", err)
		}
		pause(r.ctx, time.Second/2)
	}
	return nil
}

// maxFormer bounds how many lost sessions are remembered; older ones have ended by themselves.
const maxFormer = 16

// end removes a session with all that it holds.
func (r *Registry) end(ctx context.Context, id string) error {
	_, err := r.d.Exec(ctx, `WITH dead AS (DELETE FROM registry_session WHERE id = ?),
		gone AS (DELETE FROM registry_node WHERE session_id = ? RETURNING path)
		SELECT pg_notify(?, path) FROM gone`, id, id, channel)
	return err
}

// bury ends a session when the registry closes.
func (r *Registry) bury(s *session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), goodbye)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- r.end(ctx, s.id) }()
	select {
	case err := <-ended:
		if err != nil {
			r.log.Warn("cannot leave the registry; the session will expire", "session", s.id, "error", err)
		}
	case <-ctx.Done(): // a database behind a dead network answers nothing, not even a cancellation
	}
}

// keep prolongs a session until it is lost. The lease is watched apart, because a statement may hang for longer.
func (r *Registry) keep(s *session) {
	r.wg.Go(func() {
		for {
			if err := r.prolong(s); err != nil && r.ctx.Err() == nil {
				r.log.Debug("cannot prolong the session", "session", s.id, "error", err)
			}
			select {
			case <-s.lost:
				return
			case <-time.After(r.timeout / 4):
			}
		}
	})
	for {
		s.mu.Lock()
		left := time.Until(s.proof.Add(r.timeout * 2 / 3))
		s.mu.Unlock()
		if left <= 0 {
			s.lose("the database has not answered for two thirds of the session timeout")
			return
		}
		timer := time.NewTimer(left)
		select {
		case <-s.lost:
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// prolong is the heartbeat, and the sweep of all who have died.
func (r *Registry) prolong(s *session) error {
	sent := time.Now()
	ctx, cancel := context.WithTimeout(r.ctx, r.timeout/4)
	defer cancel()
	kept, err := do(ctx, r, s, func(ctx context.Context) (int, error) {
		return db.Get[int](ctx, r.d, `
			WITH kept AS (
				UPDATE registry_session SET expires_at = clock_timestamp() + ?::bigint * interval '1 millisecond'
				WHERE id = ? AND expires_at > clock_timestamp() RETURNING 1),
			dead AS (
				DELETE FROM registry_session WHERE id IN (
					SELECT id FROM registry_session WHERE expires_at <= clock_timestamp() AND id <> ? FOR UPDATE SKIP LOCKED)
				RETURNING id),
			gone AS (
				DELETE FROM registry_node n WHERE n.session_id <> '' AND (n.session_id IN (SELECT id FROM dead)
					OR NOT EXISTS (SELECT 1 FROM registry_session s WHERE s.id = n.session_id))
				RETURNING path),
			told AS (SELECT count(pg_notify(?, path)) AS n FROM gone)
			SELECT (SELECT count(*) FROM kept) + 0 * (SELECT n FROM told)`,
			r.timeout.Milliseconds(), s.id, s.id, channel)
	})
	if err != nil {
		return err
	}
	if kept == 0 {
		s.lose("the session is gone from the database: it had expired, or somebody removed it")
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proof = sent
	return nil
}

// set publishes the live session, or that there is none.
func (r *Registry) set(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.live != nil {
		r.former = append(r.former, r.live.id)
	}
	r.live = s
	close(r.changed)
	r.changed = make(chan struct{})
}

// session waits for a live session.
func (r *Registry) session(ctx context.Context) (*session, error) {
	for {
		r.mu.Lock()
		s, changed := r.live, r.changed
		r.mu.Unlock()
		switch {
		case r.ctx.Err() != nil:
			return nil, cluster.ErrClosed
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case s != nil:
			select {
			case <-s.lost: // not taken back yet
			default:
				return s, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-r.ctx.Done():
		}
	}
}

// do runs a statement and waits for it, as long as ctx and the session last. The driver may not return before the
// network does; nobody waits for that.
func do[T any](ctx context.Context, r *Registry, s *session, statement func(ctx context.Context) (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	var none T
	got := make(chan answer, 1)
	bounded, cancel := context.WithTimeout(ctx, r.timeout)
	go func() {
		defer cancel()
		v, err := statement(bounded)
		got <- answer{v, err}
	}()
	select {
	case a := <-got:
		if a.err != nil && ctx.Err() != nil {
			return none, ctx.Err()
		}
		return a.v, a.err
	case <-s.lost:
		cancel()
		return none, cluster.ErrLost
	case <-bounded.Done():
		if ctx.Err() != nil {
			return none, ctx.Err()
		}
		return none, db.ErrUnavailable
	}
}

// retry asks until there is an answer, or ctx ends.
func retry[T any](ctx context.Context, r *Registry, statement func(ctx context.Context, s *session) (T, error)) (T, error) {
	var none T
	for told := false; ; {
		s, err := r.session(ctx)
		if err != nil {
			return none, err
		}
		v, err := do(ctx, r, s, func(ctx context.Context) (T, error) { return statement(ctx, s) })
		switch {
		case err == nil:
			return v, nil
		case ctx.Err() != nil:
			return none, ctx.Err()
		}
		if !told && !db.Unavailable(err) && !errors.Is(err, cluster.ErrLost) {
			told = true
			r.log.WarnContext(ctx, "the registry's database failed; trying again", "error", err)
		}
		pause(ctx, retryPause)
	}
}

// Name implements cluster.Registry.
func (r *Registry) Name() string { return "postgres" + r.root }

// SessionTimeout implements cluster.Registry.
func (r *Registry) SessionTimeout() time.Duration { return r.timeout }

// spawn runs fn in a goroutine that Close waits for, unless the registry is closed.
func (r *Registry) spawn(fn func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return false
	}
	r.wg.Go(fn)
	return true
}

// Close implements cluster.Registry.
func (r *Registry) Close() error {
	r.mu.Lock() // see spawn
	first := r.ctx.Err() == nil
	r.cancel()
	r.mu.Unlock()
	r.wg.Wait()
	if first && r.own {
		return r.d.Close()
	}
	return nil
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
