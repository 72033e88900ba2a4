package keep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dorado/app/kit/db"
	"dorado/app/kit/metrics"
	"dorado/modules/audit"
	"dorado/modules/instance"
)

const (
	// channel is notified when somebody asks for a pass.
	channel = "dorado_retention"
	// lookEvery is how often the runner looks for a request that no notification told of.
	lookEvery = time.Minute
	// tellEvery is how often a pass writes down how far it is.
	tellEvery = 2 * time.Second
	// stale is after how long a pass that says nothing is taken for broken off.
	stale = time.Minute

	lastSetting    = "retention.last"
	requestSetting = "retention.request"
)

// RetentionDeps are what retention needs.
type RetentionDeps struct {
	DB        *db.DB
	Instances Pruner
	Audit     *audit.Service
	Metrics   *metrics.Registry // nil = none
	Logger    *slog.Logger
	Now       func() time.Time
	Config    Config
}

// Pruner removes runs; instance.Service is it.
type Pruner interface {
	Prune(ctx context.Context, ids []int64) (instance.Pruned, error)
}

// Retention removes what is too old; see the package comment.
type Retention struct {
	RetentionDeps
	wake    chan struct{} // capacity 1
	removed *prometheus.CounterVec
	ended   prometheus.Gauge
	passing sync.Mutex // one pass at a time in this process
}

// NewRetention returns the service. It does nothing before Run or Pass.
func NewRetention(d RetentionDeps) *Retention {
	r := &Retention{RetentionDeps: d, wake: make(chan struct{}, 1)}
	if d.Metrics != nil {
		r.removed = d.Metrics.Counter("dorado_retention_removed_total", "Rows that retention removed, by subject.", "subject")
		r.ended = d.Metrics.Gauge("dorado_retention_last_success_timestamp_seconds", "When retention last came to its end.").WithLabelValues()
	}
	return r
}

// Last is what the last pass did, or what the one under way has done so far.
type Last struct {
	StartedAt time.Time         `json:"startedAt"`
	SeenAt    time.Time         `json:"seenAt"`            // when this was written
	EndedAt   *time.Time        `json:"endedAt,omitempty"` // nil = under way, or broken off
	By        string            `json:"by,omitempty"`      // who asked for it; "" = nobody, it was time
	Removed   map[Subject]int64 `json:"removed"`
	Error     string            `json:"error,omitempty"`
}

// Running reports whether the pass is under way at a moment.
func (l Last) Running(now time.Time) bool { return l.EndedAt == nil && now.Sub(l.SeenAt) < stale }

// request is what somebody asked for.
type request struct {
	At time.Time `json:"at"`
	By string    `json:"by"`
}

// Status is what is known of retention, whichever process carries it out.
type Status struct {
	Last      *Last // nil = never
	Requested bool  // somebody asked for a pass that has not begun
}

// Status reads how retention is doing.
func (r *Retention) Status(ctx context.Context) (Status, error) {
	var s Status
	last, err := r.last(ctx)
	if err != nil {
		return s, err
	}
	s.Last = last
	_, found, err := r.setting(ctx, requestSetting)
	s.Requested = found
	return s, err
}

func (r *Retention) last(ctx context.Context) (*Last, error) {
	text, found, err := r.setting(ctx, lastSetting)
	if err != nil || !found {
		return nil, err
	}
	var l Last
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		r.Logger.WarnContext(ctx, "what the last retention did cannot be read", "error", err)
		return nil, nil //nolint:nilnil // it is as if it had never run
	}
	return &l, nil
}

func (r *Retention) setting(ctx context.Context, name string) (string, bool, error) {
	text, err := db.Get[string](ctx, r.DB, `SELECT value FROM setting WHERE name = ?`, name)
	if errors.Is(err, db.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("read setting %s: %w", name, err)
	}
	return text, true, nil
}

func (r *Retention) put(ctx context.Context, name string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = r.DB.Exec(ctx, `INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, string(text))
	if err != nil {
		return fmt.Errorf("write setting %s: %w", name, err)
	}
	return nil
}

// Request asks for a pass now, of whichever process carries retention out, and puts it on record.
func (r *Retention) Request(ctx context.Context) error {
	return r.DB.InTx(ctx, func(ctx context.Context) error {
		if err := r.put(ctx, requestSetting, request{At: db.Now(r.Now), By: audit.ActorFrom(ctx).Name}); err != nil {
			return err
		}
		if err := r.Audit.Record(ctx, audit.Entry{Action: "retention.run", ObjectType: "retention", ObjectID: "retention"}); err != nil {
			return err
		}
		return r.DB.Notify(ctx, channel, "run")
	})
}

// Run makes a pass whenever it is time or somebody asks for one, until ctx ends. One process of a cluster does it at a
// time, to save work; two at once harm nothing.
func (r *Retention) Run(ctx context.Context) error {
	if err := r.DB.Listen(ctx, channel, func(string) { r.nudge() }); err != nil && ctx.Err() == nil {
		r.Logger.WarnContext(ctx, "retention hears of requests late", "error", err)
	}
	for {
		if err := r.turn(ctx); err != nil && ctx.Err() == nil {
			r.Logger.WarnContext(ctx, "old rows could not be removed; tried again later", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-time.After(lookEvery):
		}
	}
}

func (r *Retention) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// turn makes a pass if it is time or asked for.
func (r *Retention) turn(ctx context.Context) error {
	text, asked, err := r.setting(ctx, requestSetting)
	if err != nil {
		return err
	}
	var by request
	if asked {
		if err := json.Unmarshal([]byte(text), &by); err != nil {
			by = request{}
		}
		if _, err := r.DB.Exec(ctx, `DELETE FROM setting WHERE name = ?`, requestSetting); err != nil {
			return fmt.Errorf("take the request: %w", err)
		}
	} else {
		last, err := r.last(ctx)
		if err != nil {
			return err
		}
		now := r.Now()
		if last != nil && (last.Running(now) || now.Before(last.StartedAt.Add(r.Config.Every)) && last.EndedAt != nil) {
			return nil
		}
	}
	_, err = r.Pass(ctx, by.By)
	return err
}

// Pass removes everything that is too old now. by is who asked for it, "" for nobody. It returns what it removed also when
// it fails.
func (r *Retention) Pass(ctx context.Context, by string) (Last, error) {
	r.passing.Lock()
	defer r.passing.Unlock()
	now := db.Now(r.Now)
	p := &pass{r: r, now: now, last: Last{StartedAt: now, SeenAt: now, By: by, Removed: map[Subject]int64{}}}
	if err := r.put(ctx, lastSetting, p.last); err != nil {
		return p.last, err
	}
	var problems []error
	for _, step := range []func(context.Context) error{p.runs, p.measures, p.backfills, p.fires, p.samples, p.byAge} {
		if ctx.Err() != nil {
			break
		}
		if err := step(ctx); err != nil {
			problems = append(problems, err)
		}
	}
	err := errors.Join(problems...)
	if ctx.Err() != nil { // what is left is for the next one; that this one broke off is seen by its silence
		return p.last, ctx.Err()
	}
	end := db.Now(r.Now)
	p.last.EndedAt, p.last.SeenAt = &end, end
	if err != nil {
		p.last.Error = err.Error()
	} else if r.ended != nil {
		r.ended.Set(float64(end.Unix()))
	}
	if total := p.last.total(); total > 0 || by != "" {
		attrs := []any{"took", end.Sub(now)}
		for _, s := range Subjects() {
			if n := p.last.Removed[s]; n > 0 {
				attrs = append(attrs, string(s), n)
			}
		}
		r.Logger.InfoContext(ctx, "old rows removed", attrs...)
	}
	return p.last, errors.Join(err, r.put(ctx, lastSetting, p.last))
}

func (l Last) total() int64 {
	n := int64(0)
	for _, removed := range l.Removed {
		n += removed
	}
	return n
}
