package zk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"dorado/modules/cluster"
)

// session is one session with ZooKeeper, from its first connection until it is lost.
type session struct {
	conn  *zk.Conn
	hosts *hosts
	wire  *dialer
	log   *slog.Logger
	acl   []zk.ACL

	lost       chan struct{}
	once       sync.Once
	reason     string // why it was lost; read it after lost is closed
	live       atomic.Bool
	introduced bool  // the user is known to the server
	id         int64 // once live

	wg   sync.WaitGroup // requests, and the two that keep the lease
	gone chan struct{}  // the library has ended

	mu     sync.Mutex
	closed bool
	proof  time.Time // when the latest answered sync was sent
	subs   map[*subscription]struct{}
}

// subscription is somebody who wants to know which paths have changed.
type subscription struct {
	prefix string
	wake   chan struct{} // capacity 1

	mu    sync.Mutex
	dirty map[string]bool
	all   bool // something may have changed that no watch told of
}

// quiet takes what the library prints; all that people need to know is said by the registry itself.
type quiet struct{ log *slog.Logger }

func (q quiet) Printf(format string, args ...any) {
	q.log.Debug("zookeeper client", "said", fmt.Sprintf(strings.TrimSuffix(format, "\n"), args...))
}

// dial begins a session. It returns at once.
func (r *Registry) dial() (*session, error) {
	wire := &dialer{asked: r.c.SessionTimeout, tls: r.tls}
	s := &session{
		hosts: newHosts(r.c.Servers, wire.longestPause), wire: wire, log: r.log, acl: r.acl,
		lost: make(chan struct{}), gone: make(chan struct{}), subs: map[*subscription]struct{}{},
	}
	conn, events, err := zk.Connect(r.c.Servers, r.c.SessionTimeout, zk.WithHostProvider(s.hosts), zk.WithDialer(s.wire.dial),
		zk.WithLogger(quiet{r.log}), zk.WithLogInfo(false), zk.WithEventCallback(s.event), zk.WithMaxBufferSize(16<<20))
	if err != nil {
		return nil, err
	}
	s.conn = conn
	go func() {
		defer close(s.gone)
		for range events { // closed when the library has ended
			continue
		}
	}()
	return s, nil
}

// event is called by the library's own goroutines and must not wait.
func (s *session) event(e zk.Event) {
	if e.Type == zk.EventSession {
		switch {
		case e.State == zk.StateExpired && s.live.Load():
			s.lose("ZooKeeper ended the session")
		case e.State == zk.StateHasSession:
			// The library asks anew for its watches from the latest transaction it has seen an answer of, which may be
			// younger than the change that a broken connection swallowed.
			s.tell(func(sub *subscription) bool { sub.all = true; return true })
		}
		return
	}
	s.tell(func(sub *subscription) bool {
		if !strings.HasPrefix(e.Path, sub.prefix) {
			return false
		}
		sub.dirty[e.Path] = true
		return true
	})
}

// tell wakes the subscriptions that note something.
func (s *session) tell(note func(sub *subscription) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sub := range s.subs {
		sub.mu.Lock()
		noted := note(sub)
		sub.mu.Unlock()
		if noted {
			select {
			case sub.wake <- struct{}{}:
			default:
			}
		}
	}
}

func (s *session) subscribe(prefix string) *subscription {
	sub := &subscription{prefix: prefix, wake: make(chan struct{}, 1), dirty: map[string]bool{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subs[sub] = struct{}{}
	return sub
}

func (s *session) unsubscribe(sub *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.subs, sub)
}

// take hands over the paths that have changed, and whether others may have too.
func (sub *subscription) take() (dirty map[string]bool, all bool) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	dirty, all = sub.dirty, sub.all
	sub.dirty, sub.all = map[string]bool{}, false
	return dirty, all
}

// lose ends the session as far as this process is concerned.
func (s *session) lose(reason string) {
	s.once.Do(func() {
		s.reason = reason
		close(s.lost)
	})
}

// close ends the session at the server too, if one can be reached, and waits for all goroutines.
func (s *session) close() {
	s.lose("closed")
	s.mu.Lock()
	s.closed = true // nothing is added to the group that is waited for
	s.mu.Unlock()
	s.hosts.close()
	s.conn.Close() // sends the goodbye and waits for it, for a second
	<-s.gone
	s.wg.Wait()
}

// sync asks the leader whether the session lives, and proves that it did when it was asked.
func (s *session) sync(ctx context.Context) error {
	sent := time.Now()
	if _, err := do(ctx, s, func(c *zk.Conn) (string, error) { return c.Sync("/") }); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if sent.After(s.proof) {
		s.proof = sent
	}
	return nil
}

// lease is what is left of the lease.
func (s *session) lease() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Until(s.proof.Add(s.wire.timeout() * 2 / 3))
}

// keep proves that the session lives until it is lost. Two goroutines, because a request may hang for longer than the
// lease lasts.
func (s *session) keep(ctx context.Context) {
	s.spawn(func() {
		for {
			err := s.sync(ctx)
			switch {
			case errors.Is(err, zk.ErrSessionExpired):
				s.lose("ZooKeeper ended the session")
			case err == nil && s.conn.SessionID() != s.id:
				s.lose("ZooKeeper began another session")
			}
			timer := time.NewTimer(s.wire.timeout() / 12)
			select {
			case <-s.lost:
				timer.Stop()
				return
			case <-timer.C:
			}
		}
	})
	for {
		left := s.lease()
		if left <= 0 {
			s.lose("ZooKeeper has not answered for two thirds of the session timeout")
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

// spawn runs fn in a goroutine that close waits for, unless the session is lost.
func (s *session) spawn(fn func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.lost:
		return false
	default:
	}
	if s.closed {
		return false
	}
	s.wg.Go(fn)
	return true
}

// do sends one request and waits for its answer, as long as ctx and the session last. A request that nobody waits for
// any more may still have its effect.
func do[T any](ctx context.Context, s *session, request func(c *zk.Conn) (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	var none T
	got := make(chan answer, 1)
	if !s.spawn(func() {
		v, err := request(s.conn)
		got <- answer{v, err}
	}) {
		return none, cluster.ErrLost
	}
	select {
	case a := <-got:
		select {
		case <-s.lost: // the answer may belong to the session after this one
			return none, cluster.ErrLost
		default:
			return a.v, a.err
		}
	case <-s.lost:
		return none, cluster.ErrLost
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// passing says whether a request may succeed when it is sent again.
func passing(err error) bool {
	return errors.Is(err, zk.ErrConnectionClosed) || errors.Is(err, zk.ErrNoServer) || errors.Is(err, zk.ErrSessionMoved) ||
		errors.Is(err, zk.ErrAPIError)
}

// refused says whether a request failed for want of rights.
func refused(err error) bool { return errors.Is(err, zk.ErrNoAuth) || errors.Is(err, zk.ErrAuthFailed) }

// hopeless says whether a request fails for good.
func hopeless(err error) bool {
	return refused(err) || errors.Is(err, zk.ErrInvalidPath) || errors.Is(err, zk.ErrInvalidACL) ||
		errors.Is(err, zk.ErrBadArguments) || errors.Is(err, zk.ErrNoChildrenForEphemerals)
}
