package engine

import (
	"context"
	"sync"
)

// followers tells others in this process that runs ended, once that is durable. Nobody may depend on being told: what a
// crash swallows is found by their own sweeps.
type followers struct {
	mu        sync.Mutex
	waiting   []Ended
	elsewhere []Ended // ended on other masters
	told      []func(Ended)
	wake      chan struct{}
}

func newFollowers() *followers { return &followers{wake: make(chan struct{}, 1)} }

// add queues the end of a run. It never blocks.
func (f *followers) add(e ...Ended) {
	f.mu.Lock()
	f.waiting = append(f.waiting, e...)
	f.mu.Unlock()
	f.signal()
}

// hear queues ends of which another master told.
func (f *followers) hear(e []Ended) {
	f.mu.Lock()
	f.elsewhere = append(f.elsewhere, e...)
	f.mu.Unlock()
	f.signal()
}

func (f *followers) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *followers) subscribe(fn func(Ended)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, fn)
}

// run tells until ctx ends; spread tells other masters.
func (f *followers) run(ctx context.Context, spread func(context.Context, []Ended)) {
	for {
		select {
		case <-f.wake:
		case <-ctx.Done():
			return
		}
		f.mu.Lock()
		batch, told := f.waiting, f.told
		mine := len(batch)
		batch = append(batch, f.elsewhere...)
		f.waiting, f.elsewhere = nil, nil
		f.mu.Unlock()
		if mine > 0 {
			spread(ctx, batch[:mine])
		}
		for _, e := range batch {
			for _, fn := range told {
				fn(e)
			}
		}
	}
}

// OnEnd has fn called with every run that ends, after its end is durable, one after the other in one goroutine: fn must be
// quick. After a crash ends may be missing; whoever needs all of them looks at the tables from time to time.
func (e *Engine) OnEnd(fn func(Ended)) { e.followers.subscribe(fn) }
