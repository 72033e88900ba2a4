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
	wake chan struct{}
}

type timerEntry struct {
	at  time.Time
	msg message
}

func newTimers(now func() time.Time, fire func(message)) *timers {
	return &timers{now: now, fire: fire, wake: make(chan struct{}, 1)}
}

// add asks for msg at an instant. What became pointless meanwhile is ignored by its run, so nothing is ever removed.
func (t *timers) add(at time.Time, msg message) {
	t.mu.Lock()
	heap.Push(&t.heap, timerEntry{at, msg})
	first := t.heap[0].at.Equal(at)
	t.mu.Unlock()
	if first {
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
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
			due = append(due, heap.Pop(&t.heap).(timerEntry).msg)
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
type timerHeap []timerEntry

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timerHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)        { *h = append(*h, x.(timerEntry)) }
func (h *timerHeap) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = timerEntry{}
	*h = (*h)[:len(*h)-1]
	return last
}
