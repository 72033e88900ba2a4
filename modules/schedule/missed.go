package schedule

import (
	"context"
	"time"
)

// item is a fire in a batch. before is what its entry was, for the case that the batch cannot be written.
type item struct {
	e       *entry
	fire    Fire
	late    bool
	before  Fire
	caught  int
	changed bool // the schedule is no longer what the clock knows
}

// loss is what a schedule missed and will not make up for.
type loss struct {
	id       int64
	from, to time.Time
}

// collect takes what is due out of the queues, a bounded number. What is due in time goes first and leaves a part for what
// was missed.
func (c *Clock) collect(now time.Time) (batch []item, lost []loss) {
	for len(batch) < batchSize {
		due, ok := c.due.due()
		if !ok || due.After(now) {
			break
		}
		e := c.due.take()
		if missed(e.next, now) {
			c.miss(e, now)
			continue
		}
		batch = append(batch, item{e: e, fire: e.next})
	}
	room := batchSize
	if len(batch) > 0 {
		room = lateShare
	}
	for range room {
		if c.late.Len() == 0 {
			break
		}
		e := c.late.take()
		batch = append(batch, item{e: e, fire: e.next, late: true, before: e.next, caught: e.caught})
		if l, ok := c.caughtUp(e, now); ok {
			lost = append(lost, l)
		}
	}
	return batch, lost
}

func missed(f Fire, now time.Time) bool { return now.Sub(f.Due) > missedAfter }

// horizon is until when what is due and not made was missed.
func horizon(now time.Time) time.Time { return now.Add(-missedAfter - time.Nanosecond) }

// miss does with an entry whose fire was missed as its policy says.
func (c *Clock) miss(e *entry, now time.Time) {
	if !e.fresh && c.settled.After(e.next.Due) { // by another clock, while this one slept
		c.goOn(e, After(c.settled))
		return
	}
	horizon := horizon(now)
	switch e.how.Value().misfire {
	case SkipMissed:
		c.goOn(e, After(horizon))
	case FireOnceNow:
		e.next = e.timing.last(e.next, horizon)
		c.late.add(e)
	case FireAllMissed:
		c.late.add(e)
	}
}

// caughtUp advances an entry of which one missed fire is in the batch.
func (c *Clock) caughtUp(e *entry, now time.Time) (loss, bool) {
	horizon := horizon(now)
	e.fresh = false
	if e.how.Value().misfire != FireAllMissed {
		c.goOn(e, After(horizon))
		return loss{}, false
	}
	e.caught++
	next, ok := e.timing.Next(e.next)
	if !ok || !missed(next, now) {
		e.caught = 0
		c.goOn(e, e.next)
		return loss{}, false
	}
	if e.caught < c.Config.MaxCatchUp {
		e.next = next
		c.late.add(e)
		return loss{}, false
	}
	e.caught = 0
	c.goOn(e, After(horizon))
	return loss{e.id, next.Due, horizon}, true
}

// goOn puts an entry back to wait for its first fire after another one.
func (c *Clock) goOn(e *entry, after Fire) {
	next, ok := e.timing.Next(after)
	if !ok {
		return // it never fires again
	}
	e.next = next
	c.due.add(e)
}

// settle lets the entries of a written batch wait for their next fires.
func (c *Clock) settle(batch []item) {
	for k := range batch {
		if i := &batch[k]; !i.late {
			i.e.fresh = false
			c.goOn(i.e, i.fire)
		}
	}
}

// putBack makes a batch due again that could not be written.
func (c *Clock) putBack(batch []item) {
	for k := len(batch) - 1; k >= 0; k-- {
		i := &batch[k]
		if !i.late {
			c.due.add(i.e)
			continue
		}
		i.e.leave()
		i.e.next, i.e.caught = i.before, i.caught
		c.late.add(i.e)
	}
}

// last returns the latest fire that is due until a moment; from is due by then.
func (t *Timing) last(from Fire, until time.Time) Fire {
	for window := 2 * time.Minute; ; window *= 4 {
		last, found, at := from, false, After(until.Add(-window))
		if from.after(at) { // the window goes back beyond the first one
			found, at = true, from
		}
		for {
			f, ok := t.Next(at)
			if !ok || f.Due.After(until) {
				break
			}
			last, found, at = f, true, f
		}
		if found {
			return last
		}
	}
}

// report tells of missed fires that nobody will make up for: in the log, and to those who are told of the schedule's runs.
func (c *Clock) report(ctx context.Context, lost []loss) {
	for _, l := range lost {
		c.Logger.WarnContext(ctx, "a schedule missed more fires than are caught up", "schedule_id", l.id, "from", l.from, "to", l.to,
			"max_catch_up", c.Config.MaxCatchUp)
		if err := c.alert(ctx, l); err != nil {
			c.Logger.ErrorContext(ctx, "the alert about missed fires could not be written", "schedule_id", l.id, "error", err)
		}
	}
}
