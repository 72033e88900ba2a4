package engine

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"dorado/modules/engine/core"
	"dorado/modules/flow"
)

// term is one time in office of a master: from taking an epoch to losing it. All that is known of runs and workers belongs
// to it and is forgotten with it; whoever comes next decides again from the rows.
type term struct {
	*Engine
	fleet      *fleet
	shards     []*shard
	committer  *committer
	timers     *timers
	intake     *intake
	setups     *setups
	serial     *serial
	logic      *logic
	taskGroups *taskGroups

	ids     *idBlock
	epoch   int64
	running atomic.Int64  // runs in memory
	adopted chan struct{} // closed when the runs left over from before the start are in memory
}

func newTerm(owner *Engine) *term {
	e := &term{Engine: owner, adopted: make(chan struct{})}
	e.taskGroups = newTaskGroups(func(k ticket) { e.shard(k.run).post(message{run: k.run, granted: &k}) })
	e.setups = newSetups(e.store, func(u *setup) {
		e.fleet.arrange(u.groups)
		e.taskGroups.arrange(u.taskGroups)
	})
	e.serial = newSerial(e.store, e.logger, e.settled, func() { e.intake.nudge() })
	e.logic = newLogic(e)
	e.fleet = newFleet(e.logger, e.now, e.cfg.FairShare, func(q queued, worker string) {
		e.shard(q.run).post(message{run: q.run, placed: &q, worker: worker})
	})
	e.timers = newTimers(e.now, func(m message) {
		if m.poke != 0 {
			e.logic.wake(m.poke)
			return
		}
		e.shard(m.run).post(m)
	})
	e.intake = newIntake(e, e.logger)
	for range max(e.cfg.Shards, 1) {
		e.shards = append(e.shards, newShard(e))
	}
	return e
}

func (e *term) shardIndex(run int64) int { return int(uint64(run) % uint64(len(e.shards))) }

func (e *term) shard(run int64) *shard { return e.shards[e.shardIndex(run)] }

// run works until ctx ends.
func (e *term) run(ctx context.Context) error {
	var err error
	if e.epoch, err = e.store.register(ctx, e.cfg.Name); err != nil {
		return err
	}
	if err := e.setups.read(ctx); err != nil {
		return err
	}
	if e.ids, err = newIDBlock(ctx, e.logger, e.store.block); err != nil {
		return err
	}
	writer, err := e.db.Writer(ctx)
	if err != nil {
		return fmt.Errorf("open the committer's connection: %w", err)
	}
	defer writer.Close()

	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var loops, commits sync.WaitGroup
	e.committer = &committer{
		writer: writer, saver: e.saver(), logger: e.logger, now: e.now, changed: e.publish, fenced: func() { stop(errFenced) },
		abandon: func(run int64, why error) { commits.Go(func() { e.abandon(work, run, why) }) },
		applied: func(ctx context.Context, commands []groupedCommand) (map[int64]bool, error) {
			return e.store.applied(ctx, commands, e.cfg.Name, e.epoch)
		},
		observe: e.meters.commit, wake: make(chan struct{}, 1),
	}

	commitCtx, stopCommits := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCommits()
	commits.Go(func() {
		if err := e.committer.run(commitCtx); err != nil {
			stop(err)
		}
	})
	for _, s := range e.shards {
		loops.Go(func() { s.loop(work) })
	}
	loops.Go(func() { _ = e.timers.run(work) })
	loops.Go(func() { e.publishLoop(work) })
	loops.Go(func() { e.followers.run(work) })
	loops.Go(func() { e.logic.run(work) })
	loops.Go(func() { e.watchQueues(work) })
	loops.Go(func() {
		e.setups.run(work, func(err error) {
			e.logger.WarnContext(work, "read groups, environments and parameters; what is known stays", "error", err)
		})
	})
	if err := e.adopt(work); err != nil {
		stop(err)
	} else {
		close(e.adopted)
		e.readyOnce.Do(func() { close(e.ready) })
		for channel, fn := range map[string]func(string){
			CommandChannel: func(string) { e.intake.nudge() }, SerialChannel: e.queueChanged, ConfigChannel: func(string) { e.setups.nudge() },
		} {
			if err := e.db.Listen(work, channel, fn); err != nil {
				e.logger.WarnContext(work, "no notifications; changes are found by polling", "channel", channel, "error", err)
			}
		}
		loops.Go(func() { _ = e.intake.run(work) })
		loops.Go(func() { e.serial.run(work) })
	}
	<-work.Done()
	loops.Wait()
	stopCommits()
	commits.Wait()
	if cause := context.Cause(work); ctx.Err() == nil && cause != nil {
		return cause
	}
	return nil
}

func (e *term) saver() saver {
	if e.db.Dialect().Name() == "postgres" {
		return &postgresSaver{name: e.cfg.Name, epoch: e.epoch, statements: map[pgShape]string{}}
	}
	return &sqliteSaver{name: e.cfg.Name, epoch: e.epoch}
}

// adopt brings the unfinished runs back into memory. It is the ordinary way in after a crash, a restart or a take-over:
// all that a run decides can be decided again from its rows.
func (e *term) adopt(ctx context.Context) error {
	rows, err := e.store.owned(ctx, e.cfg.Name)
	if err != nil {
		return err
	}
	held := map[string]map[int64]int64{}
	runs := make([]*live, 0, len(rows))
	for _, row := range rows {
		l, err := e.load(ctx, row, true)
		switch {
		case err == nil:
		case permanent(err):
			e.logger.ErrorContext(ctx, "a workflow instance cannot be carried on", "workflow_instance_id", row.ID, "error", err)
			if err := e.store.fail(ctx, row.ID, err); err != nil {
				return err
			}
			e.settled(row.ended(flow.WorkflowFailure, e.clock()))
			continue
		default:
			return err
		}
		runs = append(runs, l)
		for node := range l.program.graph.Tasks {
			a := l.run.Attempt(int32(node))
			if a == nil || !a.State.OnWorker() || l.run.Logic(int32(node)) {
				continue
			}
			if held[a.Host] == nil {
				held[a.Host] = map[int64]int64{}
			}
			held[a.Host][a.ID] = row.ID
			if l.grouped(a) {
				e.taskGroups.hold(l.ticket(a))
			}
		}
	}
	for _, l := range runs { // only now: who holds the slots of task groups must be known before anybody gets one
		id := l.run.InstanceID
		e.shard(id).post(message{run: id, launch: &launch{live: l, event: core.Adopt{}}})
	}
	for worker, attempts := range held {
		e.expect(worker, attempts)
	}
	if len(rows) > 0 {
		e.logger.InfoContext(ctx, "carrying on what was unfinished", "workflow_instances", len(rows))
	}
	return nil
}

// load builds the run of an instance from its rows; stored says that it may have attempts.
func (e *term) load(ctx context.Context, row instanceRow, stored bool) (*live, error) {
	p, err := e.store.program(ctx, row.WorkflowCode, row.WorkflowVersion)
	if err != nil {
		return nil, err
	}
	var attempts []storedAttempt
	if stored {
		if attempts, err = e.store.attempts(ctx, row.ID); err != nil {
			return nil, err
		}
	}
	if u := e.setups.get(); !u.knows(p, row.EnvironmentCode) { // made a moment ago, or gone
		if err := e.setups.read(ctx); err != nil {
			return nil, err
		}
	}
	return newLive(row, p, attempts, e)
}

// abandon fails a run of which a change cannot be saved, with the reason: it must not stay half done for ever.
func (e *term) abandon(ctx context.Context, run int64, why error) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		failed, err := e.store.abandon(ctx, run, why)
		if err == nil {
			if failed != nil {
				e.settled(failed.ended(flow.WorkflowFailure, e.clock()))
			}
			return
		}
		e.logger.WarnContext(ctx, "fail an abandoned run; tried again", "workflow_instance_id", run, "error", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// settled tells of an instance that ended by other means than its run.
func (e *term) settled(x Ended) {
	e.publish([]int64{x.InstanceID})
	e.followers.add(x)
	e.serial.look(x.WorkflowCode)
}

// queueChanged takes a notification of SerialChannel: an instance came into the queue of a workflow, or left it.
func (e *term) queueChanged(payload string) {
	code, err := strconv.ParseInt(payload, 10, 64)
	if err != nil {
		code = 0
	}
	e.serial.look(code)
	e.logic.recheck(code)
}
