package backfill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/flow"
	"dorado/modules/instance"
)

// sweepEvery is how often the runner looks for itself.
const sweepEvery = 5 * time.Second

// channel is notified with the id of a backfill that changed in a process where no runner works.
const channel = "dorado_backfill"

// runner starts what is next.
type runner struct {
	s    *Service
	wake chan struct{}

	mu      sync.Mutex
	working bool
	todo    map[int64]bool // backfills to look at
}

func newRunner(s *Service) *runner {
	return &runner{s: s, wake: make(chan struct{}, 1), todo: map[int64]bool{}}
}

// nudge says that something about a backfill has changed. It returns false when the runner does not work here.
func (r *runner) nudge(id int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.working {
		return false
	}
	r.todo[id] = true
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return true
}

// work notes that the runner works here, or does no more.
func (r *runner) work(yes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.working, r.todo = yes, map[int64]bool{}
}

// nudge wakes the runner, wherever it works.
func (s *Service) nudge(ctx context.Context, id int64) {
	if s.runner.nudge(id) {
		return
	}
	if err := s.DB.Notify(ctx, channel, strconv.FormatInt(id, 10)); err != nil {
		s.Logger.InfoContext(ctx, "the runner of backfills was not told; it looks for itself soon", "backfill_id", id, "error", err)
	}
}

func (r *runner) take() map[int64]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.todo
	r.todo = map[int64]bool{}
	return out
}

// Ended tells the module that a run is over, by what started it; whoever runs backfills is told by the engine of his own
// process, wherever the run was. It does not block.
func (s *Service) Ended(param flow.CommandParam) {
	if param.BackfillID != 0 && param.ParentInstanceID == 0 {
		s.runner.nudge(param.BackfillID)
	}
}

// Run starts the dates of backfills, one after the other, until ctx ends. It may be called again then. Two that run at the
// same time, in two processes, disturb each other but do nothing twice: each step locks the row of its backfill.
func (s *Service) Run(ctx context.Context) error {
	s.runner.work(true)
	defer s.runner.work(false)
	err := s.DB.Listen(ctx, channel, func(payload string) {
		if id, err := strconv.ParseInt(payload, 10, 64); err == nil {
			s.runner.nudge(id)
		}
	})
	if err != nil && ctx.Err() == nil {
		s.Logger.WarnContext(ctx, "no notifications of changed backfills; they are looked for", "error", err)
	}
	look := time.NewTicker(sweepEvery)
	defer look.Stop()
	for {
		ids, err := s.store.due(ctx)
		if err != nil && ctx.Err() == nil {
			s.Logger.WarnContext(ctx, "look for backfills; tried again soon", "error", err)
		}
		for _, id := range ids {
			s.runner.nudge(id)
		}
		for {
			for id := range s.runner.take() {
				if err := s.advance(ctx, id); err != nil && ctx.Err() == nil {
					s.Logger.WarnContext(ctx, "a backfill cannot go on; tried again soon", "backfill_id", id, "error", err)
				}
			}
			select {
			case <-s.runner.wake:
				continue
			case <-look.C:
			case <-ctx.Done():
				return nil
			}
			break
		}
	}
}

// advance brings a backfill up to date with its runs and starts what is next, as long as there is anything.
func (s *Service) advance(ctx context.Context, id int64) error {
	for {
		var started []int64
		err := s.DB.InTx(ctx, func(ctx context.Context) (err error) {
			started, err = s.step(ctx, id, "")
			return err
		})
		if errors.Is(err, ErrNotFound) {
			return nil // deleted with its workflow
		}
		if err != nil || len(started) == 0 {
			return err
		}
		query, args, err := db.In(`SELECT count(*) FROM workflow_instance WHERE id IN (?) AND state IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE')`, started)
		if err != nil {
			return err
		}
		if over, err := db.Get[int](ctx, s.DB, query, args...); err != nil || over == 0 {
			return err
		}
	}
}

// step is one round of advance, in the transaction of ctx. It returns the instances that it started; the first one gets the
// idempotency key.
func (s *Service) step(ctx context.Context, id int64, key string) ([]int64, error) {
	b, err := s.store.lock(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := s.settle(ctx, b); err != nil {
		return nil, err
	}
	var started []int64
	if b.State == Running && !b.Over() {
		if started, err = s.launch(ctx, b, key); err != nil {
			return nil, err
		}
	}
	return started, s.finish(ctx, b)
}

// settle writes down what became of the runs of a backfill, and drops what does not run because of it.
func (s *Service) settle(ctx context.Context, b *Backfill) error {
	list, err := s.store.unsettled(ctx, b.ID)
	if err != nil {
		return err
	}
	for _, d := range list {
		is := DateRunning // also when an operator revived it
		switch {
		case d.RunState == "":
			is = DateStop // deleted
		case d.RunState.Finished():
			is = DateState(d.RunState)
		}
		if is == d.State {
			continue
		}
		if _, err := s.store.move(ctx, b.ID, d.Position, d.State, is, d.InstanceID); err != nil {
			return err
		}
	}
	if b.Policy == StopChain {
		return s.store.drop(ctx, b.ID)
	}
	return nil
}

// launch starts the next date of each chain that is idle, as far as the width allows.
func (s *Service) launch(ctx context.Context, b *Backfill, key string) ([]int64, error) {
	running, err := s.store.dates(ctx, b.ID, DateRunning, MaxDates, 0)
	if err != nil {
		return nil, err
	}
	busy := make(map[int]bool, len(running))
	for _, d := range running {
		busy[d.Chain] = true
	}
	free := b.Width - len(running)
	if free <= 0 {
		return nil, nil
	}
	heads, err := s.store.heads(ctx, b.ID)
	if err != nil {
		return nil, err
	}
	var req stored
	if err := json.Unmarshal([]byte(b.Request), &req); err != nil {
		return nil, fmt.Errorf("backfill %d: request: %w", b.ID, err)
	}
	var next []Date
	var triggers []instance.Trigger
	for _, d := range heads {
		if busy[d.Chain] || len(next) == free {
			continue
		}
		next = append(next, d)
		t := instance.Trigger{
			StartRequest: req.request(b.WorkflowCode, b.WorkflowVersion), ProjectCode: b.ProjectCode, Command: flow.CommandBackfill,
			ScheduleTime: &d.ScheduleTime, ExecutorID: b.UserID, ExecutorName: b.UserName, BackfillID: b.ID, BackfillPosition: d.Position,
		}
		if len(triggers) == 0 {
			t.IdempotencyKey = key
		}
		triggers = append(triggers, t)
	}
	ids, err := s.Instances.TriggerMany(ctx, triggers)
	if err != nil {
		return nil, err
	}
	var started []int64
	for k, run := range ids {
		if run == 0 { // the workflow is offline or gone: whoever changes that resumes
			b.State = Paused
			return started, s.store.become(ctx, b.ID, Paused, nil, s.now())
		}
		ok, err := s.store.move(ctx, b.ID, next[k].Position, DateWaiting, DateRunning, run)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("backfill %d: date %d is taken", b.ID, next[k].Position)
		}
		started = append(started, run)
	}
	return started, nil
}

// finish ends a backfill of which nothing waits or runs, and opens one again of which something does.
func (s *Service) finish(ctx context.Context, b *Backfill) error {
	all, err := s.store.counts(ctx, []int64{b.ID})
	if err != nil {
		return err
	}
	c := all[b.ID]
	now := s.now()
	if c.Left() > 0 {
		if b.Over() { // an operator revived one of its runs
			return s.store.become(ctx, b.ID, Running, nil, now)
		}
		return nil
	}
	state := Success
	switch {
	case c[DateCancelled] > 0:
		state = Cancelled
	case c.Failed() > 0:
		state = Failure
	}
	if b.Over() && b.State == state {
		return nil
	}
	end := &now
	if b.Over() {
		end = b.EndedAt
	}
	return s.store.become(ctx, b.ID, state, end, now)
}
