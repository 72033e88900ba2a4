package db

import (
	"context"
	"sync"
)

// fifo is a lock that is handed over in the order of asking. The zero value is free.
type fifo struct {
	mu      sync.Mutex
	held    bool
	waiting []chan struct{} // each of capacity 1: a send is the hand-over
}

// lock waits for its turn, or returns the error of ctx and leaves the queue.
func (f *fifo) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	if !f.held {
		f.held = true
		f.mu.Unlock()
		return nil
	}
	turn := make(chan struct{}, 1)
	f.waiting = append(f.waiting, turn)
	f.mu.Unlock()

	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	f.mu.Lock()
	for i, w := range f.waiting {
		if w == turn {
			f.waiting = append(f.waiting[:i], f.waiting[i+1:]...)
			f.mu.Unlock()
			return ctx.Err()
		}
	}
	f.mu.Unlock()
	f.unlock() // the turn came at the same time as the end of ctx: pass it on
	return ctx.Err()
}

func (f *fifo) unlock() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) == 0 {
		f.held = false
		return
	}
	next := f.waiting[0]
	f.waiting = f.waiting[1:]
	next <- struct{}{}
}

// take queues for writing where the database needs it and returns what gives the place back.
func (d *DB) take(ctx context.Context) (release func(), err error) {
	if d.writers == nil {
		return func() {}, nil
	}
	if err := d.writers.lock(ctx); err != nil {
		return nil, err
	}
	return d.writers.unlock, nil
}
