package local

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"dorado/modules/cluster"
)

// lock is one place in the queue for a lock.
type lock struct {
	r    *Registry
	s    *session
	path string
	lost chan struct{}
	stop chan struct{}
	once sync.Once
}

// Lock implements cluster.Registry.
func (r *Registry) Lock(ctx context.Context, name string) (cluster.Lock, error) {
	queue := root + "/lock/" + name + "/"
	for {
		s, err := r.session(ctx)
		if err != nil {
			return nil, err
		}
		l := &lock{r: r, s: s, lost: make(chan struct{}), stop: make(chan struct{})}
		r.h.mu.Lock()
		r.h.order++
		l.path = fmt.Sprintf("%slock-%010d", queue, r.h.order)
		now := time.Now().UTC()
		r.h.nodes[l.path] = &entry{owner: s, created: now, updated: now}
		r.h.tell()
		r.h.mu.Unlock()
		err = l.wait(ctx, queue)
		if err == nil {
			return l, nil
		}
		l.remove()
		if err != cluster.ErrLost { //nolint:errorlint // returned as it is
			return nil, err
		}
	}
}

// wait returns when this is the first in the queue.
func (l *lock) wait(ctx context.Context, queue string) error {
	for {
		l.r.h.mu.Lock()
		first, there, changed := true, false, l.r.h.changed
		for path := range l.r.h.nodes {
			there = there || path == l.path
			first = first && (!strings.HasPrefix(path, queue) || path >= l.path)
		}
		cut := l.r.cut
		select {
		case <-l.r.closed:
			l.r.h.mu.Unlock()
			return cluster.ErrClosed
		default:
		}
		if there && first && !cut {
			l.r.wg.Go(l.keep)
		}
		l.r.h.mu.Unlock()
		switch {
		case !there && !cut:
			return cluster.ErrLost
		case first && !cut:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-l.s.lost:
			return cluster.ErrLost
		case <-l.r.closed:
			return cluster.ErrClosed
		}
	}
}

// keep notices when the lock is lost.
func (l *lock) keep() {
	for {
		l.r.h.mu.Lock()
		there, changed, cut := l.r.h.nodes[l.path] != nil, l.r.h.changed, l.r.cut
		l.r.h.mu.Unlock()
		if !there && !cut {
			select {
			case <-l.stop:
			default:
				close(l.lost)
			}
			return
		}
		select {
		case <-l.stop:
			return
		case <-l.s.lost:
			close(l.lost)
			return
		case <-changed:
		}
	}
}

func (l *lock) remove() {
	l.r.h.mu.Lock()
	defer l.r.h.mu.Unlock()
	if l.r.h.nodes[l.path] != nil {
		delete(l.r.h.nodes, l.path)
		l.r.h.tell()
	}
}

// Lost implements cluster.Lock.
func (l *lock) Lost() <-chan struct{} { return l.lost }

// Unlock implements cluster.Lock.
func (l *lock) Unlock(context.Context) error {
	l.once.Do(func() { close(l.stop) })
	l.remove()
	return nil
}
