package instance

import (
	"context"
	"strconv"
	"strings"
	"sync"
)

// ChangeChannel is where masters tell which instances changed.
const ChangeChannel = "dorado_change"

// watches are the pages that look at something now.
type watches struct {
	mu       sync.Mutex
	byRun    map[int64]map[chan struct{}]bool
	everyone map[chan struct{}]bool
}

func newWatches() *watches {
	return &watches{byRun: map[int64]map[chan struct{}]bool{}, everyone: map[chan struct{}]bool{}}
}

// Listen passes on what masters tell, until ctx ends.
func (s *Service) Listen(ctx context.Context) error {
	return s.DB.Listen(ctx, ChangeChannel, s.watches.deliver)
}

// deliver wakes who watches one of the instances in payload; an empty one may mean any.
func (w *watches) deliver(payload string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.everyone {
		wake(c)
	}
	if payload == "" {
		for _, set := range w.byRun {
			for c := range set {
				wake(c)
			}
		}
		return
	}
	for text := range strings.SplitSeq(payload, ",") {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			continue
		}
		for c := range w.byRun[id] {
			wake(c)
		}
	}
}

// wake leaves a signal that was not taken yet as it is: the reader looks at everything anyway.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Watch returns a channel that gets a signal after one of the instances changed (without any: after any changed), at most
// one waiting. Call stop when done.
func (s *Service) Watch(instances ...int64) (changes <-chan struct{}, stop func()) {
	w := s.watches
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(instances) == 0 {
		w.everyone[c] = true
	}
	for _, id := range instances {
		if w.byRun[id] == nil {
			w.byRun[id] = map[chan struct{}]bool{}
		}
		w.byRun[id][c] = true
	}
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.everyone, c)
		for _, id := range instances {
			if delete(w.byRun[id], c); len(w.byRun[id]) == 0 {
				delete(w.byRun, id)
			}
		}
	}
}
