package schedule

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

const (
	// stagedFrom is from how many fires at one moment on they are written ahead; fewer are written in no time.
	stagedFrom = 64
	// stagedMost bounds what is written ahead in one transaction, maxLead how long that may take.
	stagedMost = 20_000
	maxLead    = 5 * time.Second
	minLead    = 50 * time.Millisecond
	// flushRoom is what must be left until the moment when what was written is flushed.
	flushRoom = 20 * time.Millisecond
	// firstCost is what writing a fire is thought to take before any was written.
	firstCost = 200 * time.Microsecond
)

// ahead is how a crowd of fires is written ahead of time: into a transaction that is committed at the moment at which they
// are due. Then a thousand of them are as punctual as one. It needs a database that lets others write meanwhile.
type ahead struct {
	possible bool
	failed   time.Time     // the moment for which it did not work; the usual way does it then
	cost     time.Duration // of writing one fire, at worst, lately
}

var (
	errOvertaken = errors.New("schedule: what was written ahead has changed meanwhile")
	errSetBack   = errors.New("schedule: the clock was set back")
)

// lead is how long before a moment the fires due then are to be written; false when they are not worth it.
func (c *Clock) lead(due time.Time) (time.Duration, bool) {
	if !c.ahead.possible || due.IsZero() || due.Equal(c.ahead.failed) {
		return 0, false
	}
	n := c.due.crowd(due, stagedMost)
	return min(maxLead, minLead+3*time.Duration(n)*c.ahead.cost), n >= stagedFrom
}

// crowd counts the entries that are due at the same moment as the first, up to a bound.
func (q *queue) crowd(due time.Time, most int) int {
	n := 0
	for open := []int{0}; len(open) > 0 && n < most; {
		k := open[len(open)-1]
		open = open[:len(open)-1]
		if k < len(q.list) && q.list[k].next.Due.Equal(due) {
			n++
			open = append(open, 2*k+1, 2*k+2)
		}
	}
	return n
}

// stage writes what is due at a moment, waits for it, and commits. When that does not work, everything is due as before.
func (c *Clock) stage(ctx context.Context, due time.Time) error {
	batch := make([]item, 0, stagedFrom)
	for len(batch) < stagedMost {
		first, ok := c.due.due()
		if !ok || !first.Equal(due) {
			break
		}
		e := c.due.take()
		batch = append(batch, item{e: e, fire: e.next})
	}
	slices.SortFunc(batch, func(a, b item) int {
		if d := cmp.Compare(a.e.id, b.e.id); d != 0 {
			return d
		}
		return a.fire.Nominal.Compare(b.fire.Nominal)
	})
	if err := c.commitAt(ctx, batch, due); err != nil {
		c.ahead.failed = due
		c.putBack(batch)
		return err
	}
	c.done(batch)
	c.settle(batch)
	return nil
}

func (c *Clock) commitAt(outside context.Context, batch []item, due time.Time) error {
	return c.DB.InTx(outside, func(ctx context.Context) error {
		began := time.Now()
		for part := range slices.Chunk(batch, batchSize) {
			if err := c.insert(ctx, part, due); err != nil {
				return err
			}
		}
		// A machine that was slow a moment ago is still slow; one that is fast again must show it for a while.
		c.ahead.cost = max(time.Since(began)/time.Duration(len(batch)), c.ahead.cost*9/10)
		c.flush(outside, due)
		if err := c.awaitMoment(ctx, due); err != nil {
			return err
		}
		if c.overtaken(batch) {
			return errOvertaken
		}
		return c.store.setMark(ctx, c.mark(batch, due))
	})
}

// flush brings what was written ahead to the disk before it is due. Without it the commit takes longer and no more, so neither
// a failure nor a lack of connections keeps anything from being fired in time.
func (c *Clock) flush(ctx context.Context, due time.Time) {
	room := due.Sub(c.now()) - flushRoom
	if room <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, room)
	defer cancel()
	if err := c.store.flush(ctx); err != nil {
		c.Logger.DebugContext(ctx, "fires were not flushed ahead", "due", due, "error", err)
	}
}

// awaitMoment returns once the wall clock shows a time.
func (c *Clock) awaitMoment(ctx context.Context, due time.Time) error {
	for {
		wait := due.Sub(c.now())
		if wait <= 0 {
			return nil
		}
		if wait > 2*maxLead {
			return errSetBack
		}
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}

// overtaken reports whether the clock heard that something in a batch has changed since it was written.
func (c *Clock) overtaken(batch []item) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reload {
		return true
	}
	if len(c.told) == 0 {
		return false
	}
	return slices.ContainsFunc(batch, func(i item) bool { return !i.changed && c.told[i.e.id] })
}
