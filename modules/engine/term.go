package engine

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"dorado/modules/cluster"
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
	strays     *strays
	members    *members

	lost    error // why the term before ended, nil for the first
	ids     *idBlock
	epoch   int64
	running atomic.Int64  // runs in memory
	away    atomic.Int64  // since when the database is out of reach, ms; 0 = it is not
	adopted chan struct{} // closed when the runs left over from before the start are in memory
	over    chan struct{} // closed when the term is over
}

func newTerm(owner *Engine) *term {
	e := &term{Engine: owner, adopted: make(chan struct{}), over: make(chan struct{})}
	e.strays, e.members = newStrays(e), newMembers(e)
	e.taskGroups = newTaskGroups(e)
	e.setups = newSetups(e.store, e.vault, func(u *setup) {
		e.fleet.arrange(u.groups, u.drained)
		e.taskGroups.look(0) // sizes may have changed
	})
	e.serial = newSerial(e.store, e.logger, e.settled, func() { e.intake.nudge() })
	e.logic = newLogic(e)
	e.fleet = newFleet(e.logger, e.now, e.cfg, e.cluster != nil, func(q queued, worker string) {
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
	e.intake.mine = e.mine
	for range max(e.cfg.Shards, 1) {
		e.shards = append(e.shards, newShard(e))
	}
	return e
}

func (e *term) shardIndex(run int64) int { return int(uint64(run) % uint64(len(e.shards))) }

func (e *term) shard(run int64) *shard { return e.shards[e.shardIndex(run)] }

// mine is which commands are this master's now; nil = all.
func (e *term) mine() *portion {
	switch {
	case e.cluster != nil:
		return e.members.share()
	case e.members.overloaded():
		return &portion{slot: -1, overOf: 1}
	}
	return nil
}

// reach notes whether the database can be reached.
func (e *term) reach(ok bool) {
	if ok {
		if e.away.Load() != 0 {
			e.away.Store(0)
		}
		return
	}
	e.away.CompareAndSwap(0, time.Now().UnixMilli())
}

// serve makes this master a member of its cluster, if it has one, and works until ctx ends or the lease is lost. It leaves
// only what others can take up at once.
func (e *term) serve(ctx context.Context) error {
	defer close(e.over)
	if e.cluster == nil {
		return e.run(ctx, nil)
	}
	member, err := e.join(ctx)
	if err != nil {
		return err
	}
	err = e.run(ctx, member)
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if ctx.Err() != nil && err == nil && e.epoch != 0 {
		freed, won, leaveErr := e.store.takeOver(bounded, e.cfg.Name, e.epoch)
		if leaveErr != nil {
			e.logger.WarnContext(ctx, "hand over; others take over when this master is gone from the registry", "error", leaveErr)
		} else if won {
			e.note(bounded, clusterEvent{kind: EventMasterLeft, nodeKind: nodeMaster, node: e.cfg.Name, workflows: freed.workflows, tasks: freed.tasks})
			e.logger.InfoContext(ctx, "handed over", "workflow_instances", freed.workflows, "tasks", freed.tasks)
		}
	}
	if leaveErr := member.Leave(bounded); leaveErr != nil {
		e.logger.WarnContext(ctx, "leave the registry", "error", leaveErr)
	}
	return err
}

// run registers and works until ctx ends, the lease is lost, or another master takes over.
func (e *term) run(ctx context.Context, member cluster.Membership) error {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	end := func(why error) {
		e.fleet.mute() // before anybody else may send
		stop(why)
	}
	if member != nil {
		watched := make(chan struct{})
		defer close(watched)
		go func() {
			select {
			case <-member.Lost():
				end(errLeaseLost)
			case <-watched:
			}
		}()
	}
	var left released
	var err error
	if e.epoch, left, err = e.store.register(work, e.cfg.Name, e.cluster == nil); err != nil {
		return cmp.Or(context.Cause(work), err)
	}
	if left.workflows > 0 {
		e.logger.InfoContext(ctx, "carrying on what was unfinished", "workflow_instances", left.workflows, "tasks", left.tasks)
	}
	if err := e.setups.read(work); err != nil {
		return cmp.Or(context.Cause(work), err)
	}
	if e.ids, err = newIDBlock(work, e.logger, e.store.block); err != nil {
		return cmp.Or(context.Cause(work), err)
	}
	writer, err := e.db.Writer(work)
	if err != nil {
		return cmp.Or(context.Cause(work), fmt.Errorf("open the committer's connection: %w", err))
	}
	defer writer.Close()

	var loops, commits sync.WaitGroup
	e.committer = &committer{
		writer: writer, saver: e.saver(), logger: e.logger, now: e.now, changed: e.publish, fenced: func() { e.meters.fenced.Inc(); end(errFenced) },
		abandon: func(run int64, why error) {
			e.shard(run).post(message{run: run, drop: true, kill: true})
			commits.Go(func() { e.abandon(work, run, why) })
		},
		applied: func(ctx context.Context, commands []groupedCommand) (map[int64]bool, error) {
			return e.store.applied(ctx, commands, e.cfg.Name)
		},
		observe: e.meters.commit, reach: e.reach, wake: make(chan struct{}, 1), late: map[int64]lateRow{},
	}

	commitCtx, stopCommits := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCommits()
	commits.Go(func() {
		if err := e.committer.run(commitCtx); err != nil {
			end(err)
		}
	})
	for _, s := range e.shards {
		loops.Go(func() { s.loop(work) })
	}
	loops.Go(func() { _ = e.timers.run(work) })
	loops.Go(func() { e.publishLoop(work) })
	loops.Go(func() { e.followers.run(work, e.spread) })
	loops.Go(func() { e.logic.run(work) })
	loops.Go(func() { e.watchQueues(work) })
	loops.Go(func() { e.strays.run(work) })
	loops.Go(func() { e.taskGroups.run(work) })
	loops.Go(func() { e.watchLoad(work, member) })
	loops.Go(func() {
		e.setups.run(work, func(err error) {
			e.logger.WarnContext(work, "read groups, environments and parameters; what is known stays", "error", err)
		})
	})
	if e.cluster != nil {
		e.takeSeat(work, &loops)
	}
	e.listen(work)
	loops.Go(func() { _ = e.intake.run(work) })
	loops.Go(func() { e.serial.run(work) })
	loops.Go(func() { e.settleIn(work) })
	<-work.Done()
	loops.Wait()
	stopCommits()
	commits.Wait()
	if cause := context.Cause(work); ctx.Err() == nil && cause != nil {
		return cause
	}
	return nil
}

// takeSeat begins to look at the other members.
func (e *term) takeSeat(ctx context.Context, loops *sync.WaitGroup) {
	registry := e.cluster.Registry
	if nodes, err := registry.Nodes(ctx, cluster.Master); err == nil { // what the watch tells first, at once
		e.members.update(nodes)
	}
	if nodes, err := registry.Nodes(ctx, cluster.Worker); err == nil {
		e.fleet.listed(nodes)
	}
	loops.Go(func() { e.watch(ctx, cluster.Master, e.members.update) })
	loops.Go(func() { e.watch(ctx, cluster.Worker, func(nodes []cluster.Node) { e.workersListed(ctx, nodes) }) })
	loops.Go(func() { e.watchMasters(ctx) })
	// A former term may have told nobody of the last runs that ended in it.
	if err := e.db.Notify(ctx, EndedChannel, ""); err != nil && ctx.Err() == nil {
		e.logger.WarnContext(ctx, "tell other masters to look at what they wait for", "error", err)
	}
	if e.lost != nil {
		e.note(ctx, clusterEvent{kind: EventLeaseLost, nodeKind: nodeMaster, node: e.cfg.Name, detail: e.lost.Error()})
	}
	e.note(ctx, clusterEvent{kind: EventMasterJoined, nodeKind: nodeMaster, node: e.cfg.Name, detail: e.cluster.Address})
}

// listen hears what is told to all masters.
func (e *term) listen(ctx context.Context) {
	channels := map[string]func(string){
		CommandChannel: e.intake.told, SerialChannel: e.queueChanged, ConfigChannel: func(string) { e.setups.nudge() },
		GroupChannel: e.taskGroups.told,
	}
	if e.cluster != nil {
		channels[EndedChannel] = e.heard
		channels[ChangeChannel] = func(payload string) { e.changed(ctx, payload) }
	}
	for channel, fn := range channels {
		if err := e.db.Listen(ctx, channel, fn); err != nil {
			e.logger.WarnContext(ctx, "no notifications; changes are found by polling", "channel", channel, "error", err)
		}
	}
}

// settleTime bounds how long workers wait for a master that begins.
const settleTime = 10 * time.Second

// settleIn lets workers in as soon as the runs that wait for this master are in memory: then what they hold can be compared
// at once.
func (e *term) settleIn(ctx context.Context) {
	until := time.Now().Add(settleTime)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !e.intake.caughtUp() && time.Now().Before(until) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
	close(e.adopted)
	e.readyOnce.Do(func() { close(e.ready) })
	e.watchWorkers(ctx)
}

func (e *term) saver() saver {
	if e.db.Dialect().Name() == "postgres" {
		return &postgresSaver{name: e.cfg.Name, epoch: e.epoch, plans: map[pgShape]pgPlan{}}
	}
	return &sqliteSaver{name: e.cfg.Name, epoch: e.epoch}
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
	e.shard(run).post(message{run: run, drop: true, kill: true})
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		failed, err := e.store.abandon(ctx, run, why, e.cfg.Name, e.epoch)
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
