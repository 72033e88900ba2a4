package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

const (
	// strayAgain is when what is said of a run that is nobody's yet is looked at again, and strayTries how often: after
	// that its owner asks the worker.
	strayAgain = time.Second
	strayTries = 10
	strayBatch = 500
)

// stray is something a worker says of an attempt of a run that this master does not work on.
type stray struct {
	run, attempt int64
	worker       string
	report       *doradov1.Report // nil: the worker says that it holds the attempt
	epoch        int64            // of a held one: the highest that the worker has seen of the run
	yours        bool
}

// strays finds out from the rows whether such an attempt is over. If it is, what is said of it is acknowledged and its
// process ended, by whichever master hears of it; if not, it is left to the owner of its run.
type strays struct {
	e    *term
	wake chan struct{}

	mu      sync.Mutex
	waiting []stray
	tries   map[int64]int // by attempt
}

func newStrays(e *term) *strays {
	return &strays{e: e, wake: make(chan struct{}, 1), tries: map[int64]int{}}
}

// add queues one. It never blocks.
func (s *strays) add(x stray) {
	s.mu.Lock()
	s.waiting = append(s.waiting, x)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run works until ctx ends.
func (s *strays) run(ctx context.Context) {
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
		s.mu.Lock()
		all := s.waiting
		s.waiting = nil
		s.mu.Unlock()
		for part := range slices.Chunk(all, strayBatch) {
			over, err := s.e.store.over(ctx, part)
			if err != nil {
				if ctx.Err() != nil {
					return
				}
				s.e.logger.WarnContext(ctx, "look for the runs of attempts that workers speak of; tried again", "error", err)
			}
			for i := range part {
				if epoch, known := over[part[i].attempt]; known {
					s.settle(&part[i], epoch)
				} else {
					s.later(ctx, part[i])
				}
			}
		}
	}
}

// settle ends what is over.
func (s *strays) settle(x *stray, epoch int64) {
	s.mu.Lock()
	delete(s.tries, x.attempt)
	s.mu.Unlock()
	if x.report != nil {
		s.e.settleReport(x.worker, x.report, epoch)
		return
	}
	s.e.fleet.release(x.worker, x.attempt)
	s.e.fleet.send(x.worker, func(o *outbox) { o.kill(x.attempt, max(epoch, x.epoch)) })
}

// later has the run looked for in memory once more: it may be on its way there.
func (s *strays) later(ctx context.Context, x stray) {
	s.mu.Lock()
	s.tries[x.attempt]++
	more := s.tries[x.attempt] <= strayTries
	if !more {
		delete(s.tries, x.attempt)
	}
	s.mu.Unlock()
	if !more {
		return
	}
	time.AfterFunc(strayAgain, func() {
		if ctx.Err() != nil {
			return
		}
		if x.report != nil {
			s.e.shard(x.run).post(message{run: x.run, report: x.report, worker: x.worker})
		} else {
			s.e.shard(x.run).post(message{run: x.run, held: x.attempt, worker: x.worker, epoch: x.epoch, yours: x.yours})
		}
	})
}

// over says which attempts are over, or are with another worker, by their rows; with the epoch of their runs, 0 when that
// is gone.
func (s *store) over(ctx context.Context, all []stray) (map[int64]int64, error) {
	type row struct {
		ID       int64   `db:"id"`
		State    string  `db:"state"`
		Valid    bool    `db:"valid"`
		Host     string  `db:"host"`
		RunState *string `db:"run_state"`
		Epoch    *int64  `db:"owner_epoch"`
	}
	ids := make([]int64, len(all))
	for i := range all {
		ids[i] = all[i].attempt
	}
	query, args, err := db.In(`SELECT t.id, t.state, t.valid, t.host, w.state AS run_state, w.owner_epoch FROM task_instance t
		LEFT JOIN workflow_instance w ON w.id = t.workflow_instance_id WHERE t.id IN (?)`, ids)
	if err != nil {
		return nil, err
	}
	rows, err := db.Select[row](ctx, s.db, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read the attempts that workers speak of: %w", err)
	}
	found := make(map[int64]*row, len(rows))
	for i := range rows {
		found[rows[i].ID] = &rows[i]
	}
	over := map[int64]int64{}
	for _, x := range all {
		r := found[x.attempt]
		switch {
		case r == nil || r.RunState == nil:
			over[x.attempt] = 0
		case !r.Valid, flow.TaskState(r.State).Finished(), flow.WorkflowState(*r.RunState).Finished(), r.Host != "" && r.Host != x.worker:
			over[x.attempt] = *r.Epoch
		}
	}
	return over, nil
}
