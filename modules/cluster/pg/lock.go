package pg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/cluster"
)

// lock is one place in the queue for a lock.
type lock struct {
	r    *Registry
	s    *session
	root string // of the queue
	path string
	lost chan struct{}
	stop chan struct{}
	once sync.Once // closes stop
}

// Lock implements cluster.Registry.
func (r *Registry) Lock(ctx context.Context, name string) (cluster.Lock, error) {
	root := r.root + "/lock/" + name
	for {
		s, err := r.session(ctx)
		if err != nil {
			return nil, err
		}
		l := &lock{r: r, s: s, root: root, lost: make(chan struct{}), stop: make(chan struct{})}
		err = l.enter(ctx)
		if err == nil {
			err = l.wait(ctx)
		}
		switch {
		case err == nil:
			if !r.spawn(l.keep) {
				return nil, cluster.ErrClosed
			}
			return l, nil
		case r.ctx.Err() != nil:
			return nil, cluster.ErrClosed
		case ctx.Err() != nil:
			l.leave()
			return nil, ctx.Err()
		}
		l.leave()
		pause(ctx, retryPause)
	}
}

// errGone says that the place in the queue is not there any more.
var errGone = errors.New("the place in the queue is gone")

// enter takes the last place. Places are numbered under the lock of the queue's own row, so they are taken in the order
// in which they become visible.
func (l *lock) enter(ctx context.Context) error {
	host, _ := os.Hostname() // for people who look at the tree
	mark := fmt.Sprintf("%s:%d", host, os.Getpid())
	path, err := do(ctx, l.r, l.s, func(ctx context.Context) (string, error) {
		var path string
		err := l.r.d.InTx(ctx, func(ctx context.Context) error {
			if _, err := l.r.d.Exec(ctx, `INSERT INTO registry_node (path, created_at, updated_at)
				VALUES (?, clock_timestamp(), clock_timestamp()) ON CONFLICT (path) DO NOTHING`, l.root); err != nil {
				return err
			}
			if _, err := db.Get[string](ctx, l.r.d, `SELECT path FROM registry_node WHERE path = ? FOR UPDATE`, l.root); err != nil {
				return err
			}
			paths, err := db.Select[string](ctx, l.r.d, `SELECT path FROM registry_node WHERE starts_with(path, ?)`, l.root+"/")
			if err != nil {
				return err
			}
			last := int64(-1)
			for _, p := range paths {
				last = max(last, sequence(p))
			}
			path = fmt.Sprintf("%s/lock-%010d", l.root, last+1)
			res, err := l.r.d.Exec(ctx, `INSERT INTO registry_node (path, session_id, value, created_at, updated_at)
				SELECT ?, id, ?, clock_timestamp(), clock_timestamp() FROM registry_session WHERE id = ? AND expires_at > clock_timestamp()`,
				path, mark, l.s.id)
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil || n == 0 {
				return errors.Join(err, errGone)
			}
			return nil
		})
		return path, err
	})
	if err != nil {
		return err
	}
	l.path = path
	return nil
}

// sequence is the number of a place; -1 for what is none.
func sequence(path string) int64 {
	_, digits, ok := strings.Cut(path[strings.LastIndexByte(path, '/')+1:], "lock-")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 0 {
		return -1
	}
	return n
}

// wait returns when this place is the first whose session lives.
func (l *lock) wait(ctx context.Context) error {
	sub := l.r.subscribe(l.root + "/")
	defer l.r.unsubscribe(sub)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		rows, err := do(ctx, l.r, l.s, func(ctx context.Context) ([]row, error) { return l.r.rows(ctx, l.root+"/") })
		if err != nil && (ctx.Err() != nil || errors.Is(err, cluster.ErrLost)) {
			return err
		}
		if err == nil {
			there, first := false, true
			own := sequence(l.path)
			for i := range rows {
				n := sequence(rows[i].Path)
				there = there || rows[i].Path == l.path && rows[i].SessionID == l.s.id
				first = first && (n < 0 || n >= own)
			}
			if !there {
				return errGone
			}
			if first {
				return nil
			}
		}
		select {
		case <-sub.wake:
		case <-ticker.C:
		case <-l.s.lost:
			return cluster.ErrLost
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// leave gives the place up, in the background.
func (l *lock) leave() {
	if l.path == "" {
		return
	}
	l.r.spawn(func() {
		for l.r.ctx.Err() == nil {
			if err := l.r.delete(l.r.ctx, l.s, l.path); err == nil || errors.Is(err, cluster.ErrLost) {
				return
			}
			pause(l.r.ctx, retryPause)
		}
	})
}

// keep notices when the lock is lost.
func (l *lock) keep() {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-l.s.lost:
			close(l.lost)
			return
		case <-ticker.C:
		}
		n, err := do(l.r.ctx, l.r, l.s, func(ctx context.Context) (int, error) {
			return db.Get[int](ctx, l.r.d, `SELECT count(*) FROM registry_node WHERE path = ? AND session_id = ?`, l.path, l.s.id)
		})
		if err != nil || n > 0 {
			continue
		}
		select {
		case <-l.stop: // given back, not lost
		default:
			l.r.log.Warn("somebody deleted the node of a lock that this process holds", "path", l.path)
			close(l.lost)
		}
		return
	}
}

// Lost implements cluster.Lock.
func (l *lock) Lost() <-chan struct{} { return l.lost }

// Unlock implements cluster.Lock. When the database does not answer in time, it goes on in the background.
func (l *lock) Unlock(ctx context.Context) error {
	l.once.Do(func() { close(l.stop) })
	err := l.r.remove(ctx, l.s, l.path)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // see above
	}
	return err
}
