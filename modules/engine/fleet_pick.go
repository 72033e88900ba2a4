package engine

import (
	"math/rand/v2"
	"strings"
	"time"
)

// defaultHostWeight is that of a worker that names none.
const defaultHostWeight = 100

// choice is how one of several workers with room is chosen.
type choice struct {
	policy string
	warmUp time.Duration
}

func newChoice(cfg Config) choice {
	c := choice{policy: strings.ToUpper(cfg.HostSelector), warmUp: cfg.WarmUp}
	if c.policy == "" {
		c.policy = LeastLoaded
	}
	return c
}

// pick chooses a worker of a group that has room for an attempt, nil when there is none; rather another one than that
// which refused the attempt a moment ago. The caller holds the lock.
func (f *fleet) pick(group string, attempt int64) *worker {
	now := f.now()
	avoid := ""
	if len(f.refused) > 0 {
		if r, ok := f.refused[attempt]; ok && now.Before(r.until) {
			avoid = r.worker
		}
	}
	var best, shunned *worker
	total := 0.0
	for _, w := range f.workers {
		if !f.takes(w, now) || !f.serves(w, group) {
			continue
		}
		if w.name == avoid {
			shunned = w
			continue
		}
		switch f.choice.policy {
		case LeastLoaded:
			if best == nil || f.choice.lighter(w, best, now) {
				best = w
			}
		case RoundRobin:
			if best == nil || w.turn < best.turn {
				best = w
			}
		case Random: // the k-th candidate takes the place of the one before with its share of all weights so far
			weight := f.choice.weight(w, now)
			total += weight
			if best == nil || rand.Float64()*total < weight { //nolint:gosec // no secret
				best = w
			}
		default: // the smooth ones: who has waited longest for its share
			weight := f.choice.weight(w, now)
			total += weight
			w.current += weight
			if best == nil || w.current > best.current {
				best = w
			}
		}
	}
	if best == nil {
		best = shunned
	}
	if best != nil {
		best.current -= total
		f.next++
		best.turn = f.next
	}
	return best
}

// takes reports whether a worker may get new work at all.
func (f *fleet) takes(w *worker, now time.Time) bool {
	switch {
	case !w.settled, w.draining, w.busy != "", w.used() >= w.slots, now.Before(w.pausedUntil), f.shared && !w.listed:
		return false
	}
	return len(f.drained) == 0 || !f.drained[w.name]
}

// lighter reports whether a is to be preferred to b by the share of its slots in use. Equal ones take turns.
func (c choice) lighter(a, b *worker, now time.Time) bool {
	if c.warmUp > 0 {
		x, y := float64(a.used()+1)/(float64(a.slots)*c.warmth(a, now)), float64(b.used()+1)/(float64(b.slots)*c.warmth(b, now))
		return x < y || x == y && a.turn < b.turn
	}
	x, y := a.used()*b.slots, b.used()*a.slots
	return x < y || x == y && a.turn < b.turn
}

// warmth is the share of its weight that a worker has since it started.
func (c choice) warmth(w *worker, now time.Time) float64 {
	if c.warmUp <= 0 {
		return 1
	}
	return min(max(float64(now.Sub(w.startedAt))/float64(c.warmUp), 0.05), 1)
}

// weight is what a worker's share of the work is proportional to.
func (c choice) weight(w *worker, now time.Time) float64 {
	busy := float64(w.used()) / float64(max(w.slots, 1))
	weight := float64(w.weight)
	switch c.policy {
	case LowerWeight:
		weight *= 1 - (0.2*w.load.GetCpuUsage() + 0.2*w.load.GetMemoryUsage() + 0.5*w.load.GetDiskUsage() + 0.1*busy)
	case DynamicWeighted:
		weight = 100 - (30*w.load.GetCpuUsage() + 30*w.load.GetMemoryUsage() + 40*busy)
	default:
	}
	return max(weight, 1) * c.warmth(w, now)
}
