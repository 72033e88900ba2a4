package engine

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// timers wakes runs at instants, all from one heap and one goroutine: a waiting attempt costs an entry, not a goroutine.
type timers struct {
	now  func() time.Time
	fire func(message)

	mu   sync.Mutex
	heap timerHeap
	runs map[int64]*timerEntry // by run: the first of a list of its entries
	wake chan struct{}
}

type timerEntry struct {
	at  time.Time
	msg message

	index          int         // in the heap
	previous, next *timerEntry // of the same run
}

func newTimers(now func() time.Time, fire func(message)) *timers {
	return &timers{now: now, fire: fire, runs: map[int64]*timerEntry{}, wake: make(chan struct{}, 1)}
}

// add asks for msg at an instant. What became pointless meanwhile is ignored by its run, so single entries are never
// removed; all of a run go with it, because a timeout of days must not outlive a run of seconds.
func (t *timers) add(at time.Time, msg message) {
	t.mu.Lock()
	e := &timerEntry{at: at, msg: msg, next: t.runs[msg.run]}
	if e.next != nil {
		e.next.previous = e
	}
	t.runs[msg.run] = e
	heap.Push(&t.heap, e)
	first := t.heap[0].at.Equal(at)
	t.mu.Unlock()
	if first {
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
}

// forget removes everything that a run asked for.
func (t *timers) forget(run int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for e := t.runs[run]; e != nil; e = e.next {
		heap.Remove(&t.heap, e.index)
	}
	delete(t.runs, run)
}

// pop takes the first entry out. The caller holds the lock.
func (t *timers) pop() message {
	e := heap.Pop(&t.heap).(*timerEntry)
	if e.next != nil {
		e.next.previous = e.previous
	}
	switch {
	case e.previous != nil:
		e.previous.next = e.next
	case e.next != nil:
		t.runs[e.msg.run] = e.next
	default:
		delete(t.runs, e.msg.run)
	}
	return e.msg
}

// run fires until ctx ends.
func (t *timers) run(ctx context.Context) error {
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		t.mu.Lock()
		now := t.now()
		var due []message
		for len(t.heap) > 0 && !t.heap[0].at.After(now) {
			due = append(due, t.pop())
		}
		next := time.Hour
		if len(t.heap) > 0 {
			next = t.heap[0].at.Sub(now)
		}
		t.mu.Unlock()
		for _, msg := range due {
			t.fire(msg)
		}
		alarm.Reset(next)
		select {
		case <-alarm.C:
		case <-t.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// timerHeap orders entries by instant, for container/heap.
type timerHeap []*timerEntry

// Len, Less, Swap, Push and Pop are for container/heap.
func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	e := x.(*timerEntry)
	e.index = len(*h)
	*h = append(*h, e)
}

func (h *timerHeap) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	return last
}
