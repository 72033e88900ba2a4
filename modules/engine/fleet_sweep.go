package engine

import (
	"context"
	"time"
)

const (
	// sweepEvery is how often queues are looked through for what has waited long.
	sweepEvery = 10 * time.Second
	// idleWarning is how long tasks may wait for a group without any worker before that is worth a warning.
	idleWarning = 10 * time.Minute
)

// idleGroup is a worker group that no connected worker serves, while tasks wait for it.
type idleGroup struct {
	name  string
	tasks int
	since time.Time
}

// sweep looks through the queues: what waits ages, tasks of a group that does not exist are returned once the grace is
// over, and so is, once, a group that nobody serves.
func (f *fleet) sweep(grace, aging time.Duration) (hopeless []queued, idle []idleGroup) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	for name, q := range f.queues {
		if q.Len() == 0 {
			delete(f.queues, name)
			continue
		}
		if aging > 0 {
			q.age(now, aging)
		}
		serving := 0
		for _, w := range f.workers {
			if f.serves(w, name) {
				serving++
			}
		}
		if serving > 0 {
			q.absentSince, q.idleSince, q.warned = time.Time{}, time.Time{}, false
			continue
		}
		if q.idleSince.IsZero() {
			q.idleSince = now
		}
		if !q.warned && now.Sub(q.idleSince) >= idleWarning {
			q.warned = true
			idle = append(idle, idleGroup{name, q.Len(), q.idleSince})
		}
		if _, exists := f.members[name]; exists || name == defaultGroup {
			q.absentSince = time.Time{}
			continue
		}
		if q.absentSince.IsZero() {
			q.absentSince = now
		}
		if now.Sub(q.absentSince) < grace {
			continue
		}
		for _, item := range q.at {
			if now.Sub(item.since) >= grace {
				hopeless = append(hopeless, *item)
			}
		}
	}
	for i := range hopeless {
		f.queues[hopeless[i].group].drop(hopeless[i].attempt)
	}
	return hopeless, idle
}

// watchQueues sweeps the queues until ctx ends.
func (e *term) watchQueues(ctx context.Context) {
	every := min(sweepEvery, max(e.cfg.MissingGroupGrace/2, 10*time.Millisecond))
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		hopeless, idle := e.fleet.sweep(e.cfg.MissingGroupGrace, e.cfg.PriorityAging)
		for _, q := range hopeless {
			e.shard(q.run).post(message{run: q.run, hopeless: &q})
		}
		for _, g := range idle {
			e.logger.WarnContext(ctx, "tasks wait for a worker group that no connected worker serves", "worker_group", g.name,
				"tasks", g.tasks, "since", g.since)
			if err := e.store.tellIdle(ctx, g); err != nil && ctx.Err() == nil {
				e.logger.WarnContext(ctx, "write an alert", "error", err)
			}
			e.alerts.nudge()
		}
	}
}
