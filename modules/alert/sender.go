package alert

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dorado/app/kit/db"
	"dorado/app/kit/metrics"
	"dorado/modules/security/alertgroup"
	"dorado/modules/security/alertinstance"
	plugin "dorado/plugins/alert"
)

const (
	batch = 100
	// slots bounds how many alerts are sent at the same time, and slotsEach how many of them by one instance.
	slots     = 32
	slotsEach = 4
	// sendTime is how long one attempt may take, and lease after what time whoever claimed one is believed dead.
	sendTime = 90 * time.Second
	lease    = 3 * time.Minute
	// poll is the safety net under nudges; where other processes write alerts, too, which nudge only themselves, it is how
	// they are found.
	poll       = time.Minute
	pollShared = 2 * time.Second
	// errorPause is the wait after a failure of the database.
	errorPause = time.Second
)

// pauses are the waits before a failed delivery is tried again; after the last one it is given up.
var pauses = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute}

// Deps are what the sender needs.
type Deps struct {
	DB        *db.DB
	Groups    *alertgroup.Service
	Instances *alertinstance.Service
	Wake      <-chan struct{} // says that there may be alerts
	Metrics   *metrics.Registry
	Logger    *slog.Logger
	Now       func() time.Time
}

// Sender sends alerts. Any number of them may run on one database.
type Sender struct {
	store  store
	deps   Deps
	counts *prometheus.CounterVec

	mu    sync.Mutex
	busy  map[int64]int // attempts under way by instance
	total int
	ended chan struct{} // an attempt ended: there is room
	work  sync.WaitGroup
}

// New makes a sender; Run sends.
func New(d Deps) *Sender {
	return &Sender{
		store: store{d.DB}, deps: d, busy: map[int64]int{}, ended: make(chan struct{}, 1),
		counts: d.Metrics.Counter("ds.alert.send.count", "Alerts sent by this process, by outcome.", "status"),
	}
}

// Run sends until ctx ends, and waits for what is under way then.
func (s *Sender) Run(ctx context.Context) error {
	defer s.work.Wait()
	every := poll
	if s.deps.DB.Dialect().ManyWriters() {
		every = pollShared
	}
	for {
		var wait time.Duration
		more, err := s.pass(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			s.deps.Logger.WarnContext(ctx, "send alerts; tried again", "error", err)
			wait = errorPause
		case more:
			continue
		default:
			wait = s.until(ctx, every)
		}
		timer := time.NewTimer(wait)
		select {
		case <-s.deps.Wake:
		case <-s.ended:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// until is how long there is nothing to do, at most every.
func (s *Sender) until(ctx context.Context, every time.Duration) time.Duration {
	next, err := s.store.next(ctx)
	if err != nil || next.IsZero() {
		return every
	}
	return min(every, max(next.Sub(s.deps.Now()), 10*time.Millisecond, s.full()))
}

// full is a pause while there is no room: the end of an attempt interrupts it.
func (s *Sender) full() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total > 0 {
		return time.Second
	}
	return 0
}

// pass plans what is new and begins what is due. more says that there was more than one batch.
func (s *Sender) pass(ctx context.Context) (more bool, err error) {
	fresh, err := s.store.unplanned(ctx, batch)
	if err != nil {
		return false, err
	}
	for _, a := range fresh {
		if err := s.plan(ctx, a); err != nil {
			return false, err
		}
	}
	due, err := s.store.due(ctx, db.Now(s.deps.Now), s.crowded(), batch)
	if err != nil {
		return false, err
	}
	for _, d := range due {
		if !s.take(d.To) {
			continue
		}
		ours, err := s.store.claim(ctx, d, db.Cut(s.deps.Now().Add(lease)), db.Now(s.deps.Now))
		if err != nil || !ours {
			s.give(d.To)
			if err != nil {
				return false, err
			}
			continue
		}
		s.work.Go(func() {
			defer s.give(d.To)
			s.attempt(ctx, d)
		})
	}
	return len(fresh) == batch, nil
}

// crowded lists instances by which no more is sent for now.
func (s *Sender) crowded() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []int64
	for instance, n := range s.busy {
		if n >= slotsEach {
			out = append(out, instance)
		}
	}
	return out
}

// take finds room for an attempt by an instance.
func (s *Sender) take(instance int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= slots || s.busy[instance] >= slotsEach {
		return false
	}
	s.total++
	s.busy[instance]++
	return true
}

func (s *Sender) give(instance int64) {
	s.mu.Lock()
	s.total--
	if s.busy[instance]--; s.busy[instance] == 0 {
		delete(s.busy, instance)
	}
	s.mu.Unlock()
	select {
	case s.ended <- struct{}{}:
	default:
	}
}

// plan decides by which instances an alert is told.
func (s *Sender) plan(ctx context.Context, a alertRow) error {
	ids, err := s.deps.Groups.Members(ctx, a.Group)
	if err != nil {
		return err
	}
	instances, err := s.deps.Instances.Those(ctx, ids)
	if err != nil {
		return err
	}
	if len(instances) == 0 {
		s.deps.Logger.WarnContext(ctx, "alert", "alert_id", a.ID, "alert_type", a.Kind, "title", a.Title, "workflow_instance_id", a.Instance,
			"alert_group_id", a.Group, "content", a.Content)
		s.counts.WithLabelValues("success").Inc()
		return s.store.end(ctx, a.ID, success, "written to the log", db.Now(s.deps.Now))
	}
	var wanted []int64
	for _, i := range instances {
		if i.Wants(a.Warning) {
			wanted = append(wanted, i.ID)
		}
	}
	if len(wanted) == 0 {
		return s.store.end(ctx, a.ID, success, "no alert instance of the group asked for it", db.Now(s.deps.Now))
	}
	return s.store.plan(ctx, a.ID, wanted, db.Now(s.deps.Now))
}

// attempt sends once and notes what came of it.
func (s *Sender) attempt(ctx context.Context, d dueRow) {
	sending, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	answer, err := s.deps.Instances.Deliver(sending, d.To, plugin.Message{
		Key: d.Key, Title: d.Title, Content: d.Content, Kind: d.Kind, Warning: d.Warning, At: s.deps.Now(),
	})
	now := db.Now(s.deps.Now)
	r := result{status: success, attempts: d.Attempts + 1, next: now, log: answer}
	switch {
	case err == nil:
		s.counts.WithLabelValues("success").Inc()
	case ctx.Err() != nil: // the program ends: whoever comes next tries it as if this had not been
		r.status, r.attempts, r.log = waiting, d.Attempts, "interrupted"
	case d.Attempts < len(pauses):
		r.status, r.next, r.log = waiting, db.Cut(now.Add(pauses[d.Attempts])), err.Error()
		s.counts.WithLabelValues("retry").Inc()
		s.deps.Logger.WarnContext(ctx, "alert not sent; tried again", "alert_id", d.ID, "instance_id", d.To, "attempt", d.Attempts+1, "error", err)
	default:
		r.status, r.log = failure, err.Error()
		s.counts.WithLabelValues("failure").Inc()
		s.deps.Logger.ErrorContext(ctx, "alert not sent; given up", "alert_id", d.ID, "instance_id", d.To, "title", d.Title, "error", err)
	}
	if err := s.store.note(context.WithoutCancel(ctx), d, r, now); err != nil { // its lease ends, and it is sent again
		s.deps.Logger.WarnContext(ctx, "note what came of an alert", "alert_id", d.ID, "instance_id", d.To, "error", err)
	}
}
