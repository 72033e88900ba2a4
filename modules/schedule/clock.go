package schedule

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/metrics"
	"dorado/modules/instance"
)

// Config is what an operator may set.
type Config struct {
	// MaxCatchUp bounds how many missed fires of one schedule are made up for; the rest is reported and left.
	MaxCatchUp int `koanf:"max-catch-up"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{MaxCatchUp: 1000} }

// Validate returns what is wrong; the message begins with the key.
func (c Config) Validate() error {
	if c.MaxCatchUp < 1 {
		return errors.New("schedule.max-catch-up: must be at least 1")
	}
	return nil
}

const (
	// missedAfter is how late a fire may be made and still count as made in time.
	missedAfter = time.Minute
	// overlap is how far before the mark a restart looks again. A clock that advanced the mark may not have known yet of a
	// schedule that had just gone online; what was made already is left out by the unique key.
	overlap = time.Minute
	// reEvaluate is how long the clock sleeps at most: timers run on when somebody sets the wall clock or the machine sleeps.
	reEvaluate = 10 * time.Second
	// batchSize bounds the fires of one transaction, and so how long what is due next waits for what was due before.
	batchSize = 500
	// lateShare is how many of them are made up for when others are due in time.
	lateShare = batchSize / 4

	maxRetryPause = 5 * time.Second
)

// ClockDeps are what a clock needs.
type ClockDeps struct {
	DB        *db.DB
	Instances *instance.Service
	Calendars Calendars // nil = there are none
	Metrics   *metrics.Registry
	Logger    *slog.Logger
	Now       func() time.Time
	Config    Config
}

// Clock fires schedules; see the package comment. Run and Step must not be called at the same time.
type Clock struct {
	ClockDeps
	store store
	meter *meter

	entries map[int64]*entry
	due     queue     // what will be due, and what is
	late    queue     // what is caught up
	until   time.Time // everything due until then was made or skipped, as far as this clock knows
	settled time.Time // and as the mark says, when something was missed
	loaded  bool
	shared  *shared
	ahead   ahead
	broken  int // failed attempts in a row

	mu     sync.Mutex
	told   map[int64]bool // schedules that changed
	reload bool
	wake   chan struct{} // capacity 1
}

// NewClock returns a clock that knows no schedule yet.
func NewClock(d ClockDeps) *Clock {
	c := &Clock{ClockDeps: d, store: store{d.DB}, meter: newMeter(d.Metrics), wake: make(chan struct{}, 1)}
	c.begin()
	return c
}

// begin makes it a clock that knows no schedule yet.
func (c *Clock) begin() {
	c.entries, c.due, c.late, c.shared = map[int64]*entry{}, queue{}, queue{}, newShared()
	c.until, c.settled, c.loaded, c.broken = time.Time{}, time.Time{}, false, 0
	c.ahead = ahead{possible: c.DB.Dialect().ManyWriters(), cost: firstCost}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told, c.reload = map[int64]bool{}, true
}

// Run fires what is due until ctx ends. Failures of the database are waited out. It may be called again after it returned,
// and reads everything anew then: another clock may have worked in between.
func (c *Clock) Run(ctx context.Context) error {
	c.begin()
	for c.listen(ctx) != nil {
		if !sleep(ctx, maxRetryPause) {
			return nil
		}
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-c.wake:
		}
		next, err := c.Step(ctx)
		if ctx.Err() != nil {
			return nil
		}
		wait := c.pause(ctx, next, err)
		if lead, ok := c.lead(next); ok && err == nil {
			if wait = min(wait, next.Add(-lead).Sub(c.now())); wait <= 0 {
				if err := c.stage(ctx, next); err != nil && ctx.Err() == nil {
					c.Logger.InfoContext(ctx, "fires were not written ahead", "due", next, "error", err)
				}
			}
		}
		timer.Reset(max(wait, 0))
	}
}

// listen makes the clock hear of changes.
func (c *Clock) listen(ctx context.Context) error {
	err := c.DB.Listen(ctx, channel, c.tell)
	if err != nil && ctx.Err() == nil {
		c.Logger.WarnContext(ctx, "the clock cannot hear of changed schedules yet", "error", err)
	}
	return err
}

// pause is how long to sleep.
func (c *Clock) pause(ctx context.Context, next time.Time, err error) time.Duration {
	if err != nil {
		c.broken++
		wait := min(maxRetryPause, 100*time.Millisecond<<min(c.broken-1, 10))
		c.Logger.ErrorContext(ctx, "schedules could not be fired; they wait", "error", err, "retry_in", wait)
		return wait
	}
	c.broken = 0
	if next.IsZero() {
		return reEvaluate
	}
	return min(max(next.Sub(c.now()), 0), reEvaluate)
}

// now is the wall clock, without what Go measures beside it: being set is the point.
func (c *Clock) now() time.Time { return c.Now().Round(0) }

// tell notes which schedules changed.
func (c *Clock) tell(payload string) {
	c.mu.Lock()
	if payload == "" {
		c.reload = true
	}
	for text := range strings.SplitSeq(payload, ",") {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil {
			c.told[id] = true
		}
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Step makes everything that is due now, and returns when the next fire is due, the zero time for never. When it fails,
// what it did not make is still due.
func (c *Clock) Step(ctx context.Context) (time.Time, error) {
	for {
		if err := c.refresh(ctx); err != nil {
			return time.Time{}, err
		}
		now := c.now()
		if err := c.settledByOthers(ctx, now); err != nil {
			return time.Time{}, err
		}
		batch, lost := c.collect(now)
		if len(batch) == 0 {
			c.until = now
			next, _ := c.due.due()
			return next, nil
		}
		if err := c.write(ctx, batch, now); err != nil {
			c.putBack(batch)
			return time.Time{}, err
		}
		c.settle(batch)
		c.report(ctx, lost)
		if ctx.Err() != nil {
			return time.Time{}, ctx.Err()
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
