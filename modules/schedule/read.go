package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/flow/cron"
)

// shared keeps one of what many schedules have in common.
type shared struct {
	exprs   map[string]*cron.Expr
	timings map[timingKey]*Timing
}

type timingKey struct {
	crontab, zone string
	start, end    int64
	calendar      int64
	policy        CalendarPolicy
}

func newShared() *shared {
	return &shared{exprs: map[string]*cron.Expr{}, timings: map[timingKey]*Timing{}}
}

// trim forgets everything once far more is kept than there are schedules.
func (s *shared) trim(schedules int) {
	if len(s.timings)+len(s.exprs) > 4*schedules+1000 {
		clear(s.timings)
		clear(s.exprs)
	}
}

// timing is what decides about a schedule. Timings with a calendar are kept in own, which lives as long as what was read of
// the calendars.
func (s *shared) timing(ctx context.Context, r *Schedule, calendars Calendars, own map[timingKey]*Timing) (*Timing, error) {
	key := timingKey{crontab: r.Crontab, zone: r.TimeZone, start: r.Start.UnixMilli(), end: r.End.UnixMilli()}
	kept := s.timings
	if r.CalendarID != nil {
		key.calendar, key.policy = *r.CalendarID, r.CalendarPolicy
		kept = own
	}
	if t := kept[key]; t != nil {
		return t, nil
	}
	t, err := timing(ctx, r, calendars)
	if err != nil {
		return nil, err
	}
	if expr := s.exprs[r.Crontab]; expr != nil {
		t.Expr = expr
	} else {
		s.exprs[r.Crontab] = t.Expr
	}
	kept[key] = t
	return t, nil
}

// refresh reads what changed.
func (c *Clock) refresh(ctx context.Context) error {
	c.mu.Lock()
	told, reload := c.told, c.reload
	c.told, c.reload = map[int64]bool{}, false
	c.mu.Unlock()
	var err error
	switch {
	case reload:
		err = c.load(ctx)
	case len(told) > 0:
		err = c.reread(ctx, told)
	default:
		return nil
	}
	if err != nil {
		c.mu.Lock()
		c.reload = c.reload || reload
		for id := range told {
			c.told[id] = true
		}
		c.mu.Unlock()
		return fmt.Errorf("read schedules: %w", err)
	}
	c.meter.online.Set(float64(len(c.entries)))
	return nil
}

// load reads all schedules that are online.
func (c *Clock) load(ctx context.Context) error {
	mark := time.Time{}
	if !c.loaded {
		var err error
		if mark, err = c.store.mark(ctx); err != nil {
			return err
		}
	}
	own, seen := map[timingKey]*Timing{}, make(map[int64]bool, len(c.entries))
	err := c.store.online(ctx, func(rows []Schedule) error {
		for k := range rows {
			seen[rows[k].ID] = true
			if err := c.admit(ctx, &rows[k], mark, own); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for id := range c.entries {
		if !seen[id] {
			c.forget(id)
		}
	}
	c.loaded = true
	c.shared.trim(len(c.entries))
	return nil
}

// reread reads some schedules.
func (c *Clock) reread(ctx context.Context, told map[int64]bool) error {
	ids := make([]int64, 0, len(told))
	for id := range told {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	own := map[timingKey]*Timing{}
	for part := range slices.Chunk(ids, 500) {
		rows, err := c.store.byIDs(ctx, part)
		if err != nil {
			return err
		}
		seen := make(map[int64]bool, len(rows))
		for k := range rows {
			if seen[rows[k].ID] = rows[k].Online(); !seen[rows[k].ID] {
				continue
			}
			if err := c.admit(ctx, &rows[k], time.Time{}, own); err != nil {
				return err
			}
		}
		for _, id := range part {
			if !seen[id] {
				c.forget(id)
			}
		}
	}
	c.shared.trim(len(c.entries))
	return nil
}

// settledByOthers reads the mark when something was missed: another clock may have made it while this one slept.
func (c *Clock) settledByOthers(ctx context.Context, now time.Time) error {
	due, ok := c.due.due()
	if !ok || !missed(Fire{Due: due}, now) {
		return nil
	}
	mark, err := c.store.mark(ctx)
	if err == nil && !mark.IsZero() {
		c.settled = mark.Add(-overlap)
	}
	return err
}

func (c *Clock) forget(id int64) {
	if e := c.entries[id]; e != nil {
		e.leave()
		delete(c.entries, id)
	}
}

// admit takes in a schedule that is online, from where its fires are not known to be settled: since it went online, or
// since the mark; for one that is known, since what this clock has settled.
func (c *Clock) admit(ctx context.Context, r *Schedule, mark time.Time, own map[timingKey]*Timing) error {
	old := c.entries[r.ID]
	same := old != nil && old.revision == r.Revision
	if same && r.CalendarID == nil && old.timing.Calendar == nil {
		return nil
	}
	t, err := c.shared.timing(ctx, r, c.Calendars, own)
	if err != nil {
		if db.Unavailable(err) || errors.Is(err, context.Canceled) {
			return err
		}
		c.Logger.ErrorContext(ctx, "a schedule cannot be fired", "schedule_id", r.ID, "error", err)
		c.forget(r.ID)
		return nil
	}
	e := &entry{id: r.ID, project: r.ProjectCode, workflow: r.WorkflowCode, revision: r.Revision, timing: t, how: settingsOf(r), fresh: true}
	from := time.Time{}
	if r.OnlineAt != nil {
		from = *r.OnlineAt
	}
	if again := mark.Add(-overlap); !mark.IsZero() && again.After(from) {
		from = again
	}
	if same {
		if !old.next.Due.After(c.until) && old.in != nil {
			return nil // something is still to be made; the calendar is looked at when it changes again or at the next start
		}
		if c.until.After(from) {
			from = c.until
		}
	}
	c.forget(r.ID)
	c.entries[r.ID] = e
	c.goOn(e, After(from))
	return nil
}
