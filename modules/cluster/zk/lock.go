package zk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"dorado/modules/cluster"
)

// lock is a lock that is held.
type lock struct {
	r    *Registry
	s    *session
	path string
	lost chan struct{}
	stop chan struct{}
	once sync.Once // closes stop
	done chan struct{}
}

// Lock implements cluster.Registry. Who waits has a sequential ephemeral node below the lock's; the first holds it.
func (r *Registry) Lock(ctx context.Context, name string) (cluster.Lock, error) {
	root := r.root + "/lock/" + name
	for {
		s, err := r.session(ctx)
		if err != nil {
			return nil, err
		}
		q := &queuing{r: r, s: s, root: root, mark: rand.Text()}
		path, err := q.wait(ctx)
		switch {
		case err == nil:
			l := &lock{r: r, s: s, path: path, lost: make(chan struct{}), stop: make(chan struct{}), done: make(chan struct{})}
			if !r.spawn(l.keep) {
				return nil, cluster.ErrClosed
			}
			return l, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case hopeless(err):
			return nil, r.explain(err, root)
		}
		pause(ctx)
	}
}

// queuing is one place in the queue for a lock.
type queuing struct {
	r    *Registry
	s    *session
	root string
	mark string // in the node's name, so that it is found when the answer to its creation was lost
}

// wait returns the path of its node once that is the first. When it fails, the node is taken away.
func (q *queuing) wait(ctx context.Context) (string, error) {
	host, _ := os.Hostname() // for people who look at the tree
	value := fmt.Sprintf("%s:%d", host, os.Getpid())
	err := q.r.create(ctx, q.s, q.root+"/_c_"+q.mark+"-lock-", value, zk.FlagEphemeral|zk.FlagSequence)
	if err != nil && !passing(err) {
		q.leave(ctx)
		return "", err
	}
	for {
		path, before, err := q.place(ctx)
		switch {
		case err == nil && path == "":
			return "", zk.ErrNoNode // it was not created, or somebody deleted it: begin again
		case err == nil && before == "":
			return path, nil
		case err == nil:
			err = q.watch(ctx, before)
		}
		if err != nil && !passing(err) {
			q.leave(ctx)
			return "", err
		}
		if err != nil {
			pause(ctx)
		}
	}
}

// place returns the path of this node, and of the one before it.
func (q *queuing) place(ctx context.Context) (mine, before string, err error) {
	names, err := children(ctx, q.s, q.root)
	if err != nil {
		return "", "", err
	}
	own := int64(-1)
	for _, name := range names {
		if strings.Contains(name, q.mark) {
			mine, own = q.root+"/"+name, sequence(name)
		}
	}
	best := int64(-1)
	for _, name := range names {
		if n := sequence(name); n >= 0 && n < own && n > best {
			best, before = n, q.root+"/"+name
		}
	}
	return mine, before, nil
}

// sequence is the number that ZooKeeper gave a node; -1 for what is no place in a queue.
func sequence(name string) int64 {
	const digits = 10
	if len(name) < digits || !strings.Contains(name, "-lock-") {
		return -1
	}
	var n int64
	for _, c := range name[len(name)-digits:] {
		if c < '0' || c > '9' {
			return -1
		}
		n = 10*n + int64(c-'0')
	}
	return n
}

// watch waits until a node is gone, or may be.
func (q *queuing) watch(ctx context.Context, path string) error {
	sub := q.s.subscribe(path)
	defer q.s.unsubscribe(sub)
	there, err := do(ctx, q.s, func(c *zk.Conn) (bool, error) {
		there, _, _, err := c.ExistsW(path)
		return there, err
	})
	if err != nil {
		return err
	}
	if !there {
		return nil
	}
	timer := time.NewTimer(scanEvery)
	defer timer.Stop()
	select {
	case <-sub.wake:
		return nil
	case <-timer.C:
		return nil
	case <-q.s.lost:
		return cluster.ErrLost
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave takes the node away, in the background: whoever waits for the lock has gone.
func (q *queuing) leave(ctx context.Context) {
	ctx = context.WithoutCancel(ctx) // the session ends it
	q.s.spawn(func() {
		for {
			path, _, err := q.place(ctx)
			if err == nil && path != "" {
				q.r.discard(q.s, path)
			}
			if !passing(err) {
				return
			}
			pause(ctx)
		}
	})
}

// keep notices when the lock is lost.
func (l *lock) keep() {
	defer close(l.done)
	ctx, cancel := context.WithCancel(l.r.ctx)
	defer cancel()
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
		stat, err := exists(ctx, l.s, l.path)
		if err == nil && stat == nil {
			l.r.log.Warn("somebody deleted the node of a lock that this process holds", "path", l.path)
			close(l.lost)
			return
		}
	}
}

// Lost implements cluster.Lock.
func (l *lock) Lost() <-chan struct{} { return l.lost }

// Unlock implements cluster.Lock.
func (l *lock) Unlock(ctx context.Context) error {
	l.once.Do(func() { close(l.stop) })
	_, err := do(ctx, l.s, func(c *zk.Conn) (any, error) { return nil, c.Delete(l.path, -1) })
	switch {
	case err == nil || errors.Is(err, zk.ErrNoNode) || errors.Is(err, cluster.ErrLost) || errors.Is(err, zk.ErrSessionExpired):
		return nil
	case passing(err) || ctx.Err() != nil:
		l.r.discard(l.s, l.path)
		return nil //nolint:nilerr // it is given back as soon as that is possible
	default:
		return err
	}
}
