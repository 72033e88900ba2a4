package zk

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"dorado/modules/cluster"
)

const (
	defaultNamespace = cluster.Namespace
	scanEvery        = 30 * time.Second
	lookEvery        = 500 * time.Millisecond // at what belongs to this process
	retryPause       = 100 * time.Millisecond
)

// Registry is a cluster.Registry over ZooKeeper.
type Registry struct {
	c    Config
	tls  *tls.Config
	acl  []zk.ACL
	log  *slog.Logger
	root string // /namespace

	ctx    context.Context // ends with Close; it belongs to the goroutines of the registry
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	live    *session
	changed chan struct{} // closed and replaced with live and fatal
	fatal   error
	former  map[int64]bool // ids of this process's lost sessions
	members map[string]int // paths that memberships hold
	timeout time.Duration
}

// New checks the configuration and begins to connect. It does not wait for a server; see Ready.
func New(c Config, log *slog.Logger) (*Registry, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	encryption, err := c.TLS.load()
	if err != nil {
		return nil, err
	}
	r := &Registry{
		c: c, tls: encryption, log: log, root: "/" + c.Namespace, acl: zk.WorldACL(zk.PermAll),
		changed: make(chan struct{}), former: map[int64]bool{}, members: map[string]int{}, timeout: c.SessionTimeout,
	}
	if c.User != "" {
		r.acl = zk.DigestACL(zk.PermAll, c.User, c.Password)
	}
	r.ctx, r.cancel = context.WithCancel(context.Background()) //nolint:forbidigo // the registry ends with Close
	r.wg.Go(r.run)
	return r, nil
}

// Ready waits for the first session, for as long as ctx lasts.
func (r *Registry) Ready(ctx context.Context) error {
	_, err := r.session(ctx)
	return err
}

// run has one session after the other.
func (r *Registry) run() {
	defer r.set(nil)
	for r.ctx.Err() == nil {
		s, err := r.dial()
		if err != nil {
			r.fail(fmt.Errorf("connect to ZooKeeper: %w", err))
			return
		}
		began := time.Now()
		if err := r.establish(s); err != nil {
			s.close()
			if r.ctx.Err() == nil && !errors.Is(err, cluster.ErrLost) {
				r.fail(err)
				return
			}
			continue
		}
		r.log.Info("ZooKeeper session established", "registry", r.Name(), "session", fmt.Sprintf("%#x", s.id),
			"timeout", s.wire.timeout(), "after", time.Since(began).Round(time.Millisecond))
		if granted := s.wire.timeout(); granted != r.c.SessionTimeout {
			r.log.Warn("ZooKeeper grants another session timeout: its tickTime bounds it", "asked", r.c.SessionTimeout, "granted", granted)
		}
		r.set(s)
		stop := context.AfterFunc(r.ctx, func() { s.lose("closed") })
		s.keep(r.ctx)
		stop()
		r.set(nil)
		if r.ctx.Err() == nil {
			r.log.Warn("ZooKeeper session lost", "registry", r.Name(), "session", fmt.Sprintf("%#x", s.id), "reason", s.reason)
			r.wg.Go(s.close)
		} else {
			s.close()
		}
	}
}

// set publishes the live session, or that there is none.
func (r *Registry) set(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.live != nil {
		r.former[r.live.id] = true
	}
	r.live = s
	if s != nil {
		r.timeout = s.wire.timeout()
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

// fail ends the registry for a reason that only people can remove.
func (r *Registry) fail(err error) {
	r.log.Error("the registry cannot be used", "registry", r.Name(), "error", err)
	r.mu.Lock()
	r.fatal = err
	r.mu.Unlock()
}

// session waits for a live session.
func (r *Registry) session(ctx context.Context) (*session, error) {
	for {
		r.mu.Lock()
		s, changed, fatal := r.live, r.changed, r.fatal
		r.mu.Unlock()
		switch {
		case r.ctx.Err() != nil:
			return nil, cluster.ErrClosed
		case fatal != nil:
			return nil, fatal
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

// establish waits until the leader answers, and makes sure that the namespace is this cluster's.
func (r *Registry) establish(s *session) error {
	told := complaint{r: r, s: s, began: time.Now()}
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		// A request hangs for as long as nobody answers: there is never more than one.
		greeted := make(chan error, 1)
		r.wg.Go(func() { greeted <- r.greet(r.ctx, s) })
		var err error
		for waits := true; waits; {
			select {
			case err = <-greeted:
				waits = false
			case <-ticker.C:
				told.repeat(nil)
			}
		}
		switch {
		case err == nil:
			return nil
		case r.ctx.Err() != nil:
			return cluster.ErrClosed
		case errors.Is(err, cluster.ErrForeign) || errors.Is(err, cluster.ErrRefused) || errors.Is(err, cluster.ErrLost):
			return err
		case strings.Contains(err.Error(), "-124"): // SESSIONCLOSEDREQUIRESASLAUTH, which the library has no name for
			return fmt.Errorf("%w: ZooKeeper demands SASL: %w", cluster.ErrRefused, ErrSASL)
		}
		told.repeat(err)
		pause(r.ctx)
	}
}

// complaint says that nobody answers: at the first sign of it, and then now and again.
type complaint struct {
	r     *Registry
	s     *session
	began time.Time
	last  time.Time
}

func (c *complaint) repeat(err error) {
	now := time.Now()
	if why := c.s.wire.failure(); why != nil {
		err = why
	}
	if err == nil || !c.last.IsZero() && now.Sub(c.last) < scanEvery {
		return
	}
	c.last = now
	c.r.log.Warn("no ZooKeeper server answers; trying again until one does", "registry", c.r.Name(), "error", err,
		"for", now.Sub(c.began).Round(time.Second))
}

// greet is one attempt to establish.
func (r *Registry) greet(ctx context.Context, s *session) error {
	if r.c.User != "" && !s.introduced {
		if _, err := do(ctx, s, func(c *zk.Conn) (any, error) {
			return nil, c.AddAuth("digest", []byte(r.c.User+":"+r.c.Password))
		}); err != nil {
			return err
		}
		s.introduced = true
	}
	if err := s.sync(ctx); err != nil {
		return err
	}
	s.id = s.conn.SessionID()
	if err := r.claim(ctx, s); err != nil {
		return r.explain(err, r.root)
	}
	if err := s.sync(ctx); err != nil {
		return err
	}
	if s.conn.SessionID() != s.id {
		return errors.New("the session ended before it began")
	}
	s.live.Store(true)
	return nil
}

// claim makes the namespace this cluster's, or finds that it is.
func (r *Registry) claim(ctx context.Context, s *session) error {
	if r.c.ClusterID == "" {
		return nil
	}
	path := r.root + "/cluster-id"
	for {
		value, _, err := get(ctx, s, path)
		if err == nil {
			if value != r.c.ClusterID {
				return fmt.Errorf("%w: %s at %s says %q, and this cluster is %q. Give each cluster a namespace of its own "+
					"(cluster.namespace); if that cluster is gone, delete the node", cluster.ErrForeign, path, r.Name(), value, r.c.ClusterID)
			}
			return nil
		}
		if !errors.Is(err, zk.ErrNoNode) {
			return err
		}
		if err := r.create(ctx, s, path, r.c.ClusterID, zk.FlagPersistent); err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return err
		}
	}
}

// explain makes a lack of rights understandable.
func (r *Registry) explain(err error, path string) error {
	if !refused(err) {
		return err
	}
	who := "this process, which has no user,"
	if r.c.User != "" {
		who = fmt.Sprintf("user %q with the configured password", r.c.User)
	}
	return fmt.Errorf("%w: ZooKeeper does not let %s into %s: %w", cluster.ErrRefused, who, path, err)
}

// create makes a node, and its parents as persistent nodes when they are missing.
func (r *Registry) create(ctx context.Context, s *session, path, value string, flags int32) error {
	_, err := do(ctx, s, func(c *zk.Conn) (string, error) { return c.Create(path, []byte(value), flags, r.acl) })
	if !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	for i := 1; i < len(path); i++ {
		if path[i] != '/' {
			continue
		}
		parent := path[:i]
		if _, err := do(ctx, s, func(c *zk.Conn) (string, error) {
			return c.Create(parent, []byte{}, zk.FlagPersistent, r.acl) // null would surprise some clients
		}); err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return err
		}
	}
	_, err = do(ctx, s, func(c *zk.Conn) (string, error) { return c.Create(path, []byte(value), flags, r.acl) })
	return err
}

// get reads a node.
func get(ctx context.Context, s *session, path string) (string, *zk.Stat, error) {
	type node struct {
		value []byte
		stat  *zk.Stat
	}
	n, err := do(ctx, s, func(c *zk.Conn) (node, error) {
		value, stat, err := c.Get(path)
		return node{value, stat}, err
	})
	return string(n.value), n.stat, err
}

// exists looks whether a node is there; the stat is nil when it is not.
func exists(ctx context.Context, s *session, path string) (*zk.Stat, error) {
	return do(ctx, s, func(c *zk.Conn) (*zk.Stat, error) {
		there, stat, err := c.Exists(path)
		if err != nil || !there {
			return nil, err
		}
		return stat, nil
	})
}

// discard deletes a node of this session, however long that takes: until it is gone, or the session is.
func (r *Registry) discard(s *session, path string) {
	s.spawn(func() {
		for {
			_, err := do(r.ctx, s, func(c *zk.Conn) (any, error) { return nil, c.Delete(path, -1) })
			if !passing(err) {
				return
			}
			pause(r.ctx)
		}
	})
}

// Name implements cluster.Registry.
func (r *Registry) Name() string {
	return "zookeeper " + strings.Join(r.c.Servers, ",") + r.root
}

// SessionTimeout implements cluster.Registry. It is what the servers granted, once they did.
func (r *Registry) SessionTimeout() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.timeout
}

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
	r.cancel()
	r.mu.Unlock()
	r.wg.Wait()
	return nil
}

// pause waits a moment before something is tried again, or until ctx ends.
func pause(ctx context.Context) {
	timer := time.NewTimer(retryPause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
