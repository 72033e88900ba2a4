package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"dorado/app/kit/db"
)

const (
	// groupLimit bounds one commit, in attempt rows.
	groupLimit = 800
	// company is how many changes make it worth waiting a moment for more: a lone chain never waits.
	company = 8
	// linger is that moment (performance.md, hint 3).
	linger = 2 * time.Millisecond
	// lateness is how long the row of an attempt that waits for a slot may be missing. Under load most find one earlier, and
	// are written once instead of twice.
	lateness = 500 * time.Millisecond
	// saveTimeout bounds one try of one group.
	saveTimeout = 30 * time.Second
)

// errFenced says that another master took this one's place: nothing it decides counts any more.
var errFenced = errors.New("engine: this master was fenced off by its successor")

// saver writes one group of changes in one transaction. It returns which of the group's commands this master got; the
// rows of the others are not written.
type saver interface {
	save(ctx context.Context, w *db.Writer, g *group, now time.Time) (taken map[int64]bool, err error)
}

// group is many changes merged: each attempt and each run once, as the last of them left it.
type group struct {
	attempts []groupedAttempt
	at       map[int64]int // index of an attempt in attempts
	runs     []groupedRun
	commands []groupedCommand
	extras   []groupedExtra
}

type groupedAttempt struct {
	attemptRow
	command int64 // written only if this command was taken; 0 = always
}

type groupedRun struct {
	runRow
	command int64
}

type groupedCommand struct{ id, run, epoch int64 }

type groupedExtra struct {
	extra
	command int64
}

// merge folds changes into one group. Rows that may come later are left out, unless another one of the group follows; late
// are those that were left out before.
func merge(changes []*change, late map[int64]lateRow) *group {
	g := &group{at: map[int64]int{}}
	left, runs := map[int64]bool{}, map[int64]int{}
	claimedBy := map[int64]int64{} // run → the command in this group that later changes of the run depend on
	for _, c := range changes {
		if c.void != nil && *c.void {
			continue
		}
		if c.command != 0 {
			g.commands = append(g.commands, groupedCommand{c.command, c.run, c.epoch})
			if !c.aside {
				claimedBy[c.run] = c.command
			}
		}
		command := claimedBy[c.run]
		for i := range c.attempts {
			row := &c.attempts[i]
			if row.late {
				left[row.id] = true
				continue
			}
			at, known := g.at[row.id]
			if !known {
				at = len(g.attempts)
				g.at[row.id] = at
				_, missing := late[row.id]
				g.attempts = append(g.attempts, groupedAttempt{attemptRow{insert: missing || left[row.id]}, command})
			}
			insert := g.attempts[at].insert
			g.attempts[at].attemptRow = *row
			g.attempts[at].insert = insert || row.insert
		}
		for _, x := range c.extras {
			g.extras = append(g.extras, groupedExtra{x, command})
		}
		if c.instance == nil {
			continue
		}
		if at, ok := runs[c.run]; ok {
			g.runs[at].runRow = *c.instance
			continue
		}
		runs[c.run] = len(g.runs)
		g.runs = append(g.runs, groupedRun{*c.instance, command})
	}
	return g
}

// committer is the one writer of a master: it takes whatever changes wait, of all runs, saves them in one commit, and
// then lets their effects go, in order (performance.md, hints 2 to 5).
type committer struct {
	writer  *db.Writer
	saver   saver
	logger  *slog.Logger
	now     func() time.Time
	applied func(context.Context, []groupedCommand) (map[int64]bool, error)
	changed func(runs []int64)         // told after each commit
	abandon func(run int64, why error) // told of a run of which a change cannot be saved
	fenced  func()
	observe func(took time.Duration, changes int)
	reach   func(ok bool) // told whether the database can be reached

	late  map[int64]lateRow // by attempt: rows that are not written yet; of run alone
	order []lateMark        // of these, the oldest first; some may have been written since

	mu      sync.Mutex
	waiting []*change
	wake    chan struct{}
}

// lateRow is a row that may be written later, and whether its run is still this master's.
type lateRow struct {
	attemptRow
	void *bool
}

// lateMark says from when a row is to be written.
type lateMark struct {
	attempt int64
	due     time.Time
}

// add queues a change. It never blocks; what bounds the queue is the number of attempts that are in flight at all.
func (c *committer) add(ch *change) {
	c.mu.Lock()
	c.waiting = append(c.waiting, ch)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// take removes up to groupLimit rows' worth of changes from the queue.
func (c *committer) take() []*change {
	c.mu.Lock()
	defer c.mu.Unlock()
	rows := 0
	for i, ch := range c.waiting {
		rows += len(ch.attempts) + 1
		if rows > groupLimit && i > 0 {
			taken := c.waiting[:i:i]
			c.waiting = c.waiting[i:]
			return taken
		}
	}
	taken := c.waiting
	c.waiting = nil
	return taken
}

// run commits until ctx ends and the queue is empty. It returns errFenced when another master took over.
func (c *committer) run(ctx context.Context) error {
	lastSize := 0
	ripe := time.NewTimer(time.Hour)
	defer ripe.Stop()
	for {
		changes := append(c.ripe(time.Now()), c.take()...) // what came later counts
		if len(changes) == 0 {
			if len(c.order) > 0 {
				ripe.Reset(time.Until(c.order[0].due))
			}
			select {
			case <-c.wake:
				continue
			case <-ripe.C:
				continue
			case <-ctx.Done():
				if changes = append(c.ripe(time.Now().Add(lateness)), c.take()...); len(changes) == 0 {
					return nil
				}
			}
		}
		if lastSize >= company && len(changes) < lastSize && ctx.Err() == nil {
			time.Sleep(linger)
			changes = append(changes, c.take()...)
		}
		lastSize = len(changes)
		if err := c.commit(ctx, changes); err != nil {
			return err
		}
	}
}

// ripe returns the late rows that are due, as changes of their own.
func (c *committer) ripe(now time.Time) []*change {
	var changes []*change
	byRun := map[int64]*change{}
	rows := 0
	for len(c.order) > 0 && rows < groupLimit {
		first := c.order[0]
		row, late := c.late[first.attempt]
		if late && first.due.After(now) {
			break
		}
		c.order = c.order[1:]
		if !late {
			continue
		}
		ch := byRun[row.run]
		if ch == nil {
			ch = &change{run: row.run, void: row.void}
			byRun[row.run] = ch
			changes = append(changes, ch)
		}
		row.late = false
		ch.attempts = append(ch.attempts, row.attemptRow)
		rows++
	}
	return changes
}

// leave forgets the late rows of a run that is not this master's any more; void tells it from the same run taken anew.
func (c *committer) leave(void *bool) {
	for id, row := range c.late {
		if row.void == void {
			delete(c.late, id)
		}
	}
}

// settle notes which of a change's rows were left for later, and which are written.
func (c *committer) settle(ch *change, g *group, now time.Time) {
	for i := range ch.attempts {
		row := &ch.attempts[i]
		if _, written := g.at[row.id]; written {
			delete(c.late, row.id)
			continue
		}
		c.late[row.id] = lateRow{*row, ch.void}
		c.order = append(c.order, lateMark{row.id, now.Add(lateness)})
	}
	if ch.leaves {
		c.leave(ch.void)
	}
}

// commit saves changes, again and again while the database is away, and performs them.
func (c *committer) commit(ctx context.Context, changes []*change) error {
	doubt := false // the last try may have been committed after all
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		var err error
		if doubt {
			err = c.resolve(ctx, changes)
		}
		if err == nil {
			err = c.try(ctx, changes)
		}
		switch {
		case err == nil:
			if doubt {
				c.reach(true)
			}
			return nil
		case errors.Is(err, errFenced):
			c.fenced()
			return err
		case !away(err) && len(changes) > 1:
			// One of them cannot be written. Alone, each shows whether it is the one, and the others go through.
			for _, one := range changes {
				if err := c.commit(ctx, []*change{one}); err != nil {
					return err
				}
			}
			return nil
		case !away(err):
			c.logger.ErrorContext(ctx, "a change cannot be saved; the run is abandoned", "workflow_instance_id", changes[0].run, "error", err)
			c.leave(changes[0].void)
			c.abandon(changes[0].run, err)
			if changes[0].lost != nil {
				changes[0].lost()
			}
			return nil
		}
		doubt = true
		c.reach(false)
		c.logger.WarnContext(ctx, "database unavailable; the save is tried again", "changes", len(changes), "error", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil // not saved, so not acknowledged and not performed: the next start decides it again
		}
	}
}

// away reports whether a save failed because the database cannot be reached, or does not answer in time.
func away(err error) bool { return db.Unavailable(err) || errors.Is(err, context.DeadlineExceeded) }

// resolve clears up a try whose answer was lost: attempts may be written twice, but a command that is gone because this
// very master took it must not look as if another one had.
func (c *committer) resolve(ctx context.Context, changes []*change) error {
	commands := merge(changes, c.late).commands
	if len(commands) == 0 {
		return nil
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	applied, err := c.applied(bounded, commands)
	if err != nil {
		return err
	}
	for _, ch := range changes {
		if applied[ch.command] {
			ch.command = 0
		}
	}
	return nil
}

func (c *committer) try(ctx context.Context, changes []*change) error {
	g := merge(changes, c.late)
	var taken map[int64]bool
	if len(g.attempts)+len(g.runs)+len(g.commands)+len(g.extras) > 0 {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
		defer cancel()
		began := time.Now()
		var err error
		if taken, err = c.saver.save(bounded, c.writer, g, c.now()); err != nil {
			return err
		}
		c.observe(time.Since(began), len(changes))
	}
	runs := make([]int64, 0, len(changes))
	void := map[int64]bool{}
	now := time.Now()
	for _, ch := range changes {
		if ch.command != 0 && !taken[ch.command] && !ch.aside {
			void[ch.run] = true
		}
		if void[ch.run] || ch.void != nil && *ch.void {
			if ch.void != nil {
				*ch.void = true
			}
			if ch.lost != nil {
				ch.lost()
			}
			c.leave(ch.void)
			continue
		}
		c.settle(ch, g, now)
		if ch.after != nil {
			ch.after()
		}
		if n := len(runs); n == 0 || runs[n-1] != ch.run {
			runs = append(runs, ch.run)
		}
	}
	c.changed(runs)
	return nil
}
