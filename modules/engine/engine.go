package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/metrics"
	"dorado/modules/engine/core"
	"dorado/modules/flow"
	"dorado/modules/rpc"
)

// ChangeChannel is notified, with the ids of workflow instances, after their states changed: "12,15".
const ChangeChannel = "dorado_change"

// publishEvery bounds how often ChangeChannel is notified.
const publishEvery = 100 * time.Millisecond

// Config is what an operator may set of a master's engine.
type Config struct {
	Name          string        `koanf:"name"`           // stable name of this master; "" = host name
	Shards        int           `koanf:"shards"`         // 0 = one per core
	WorkerTimeout time.Duration `koanf:"worker-timeout"` // how long a worker may be away before its tasks are given to others
	// MissingGroupGrace is how long tasks wait for a worker group that does not exist before they fail.
	MissingGroupGrace time.Duration `koanf:"missing-group-grace"`
	// PriorityAging is how long a task waits for a slot before its run counts as one level more urgent; 0 = never.
	PriorityAging time.Duration `koanf:"priority-aging"`
	FairShare     bool          `koanf:"fair-share"` // projects take turns within a priority
}

// DefaultConfig is what an operator need not say.
func DefaultConfig(name string, shards int) Config {
	return Config{
		Name: name, Shards: shards, WorkerTimeout: 30 * time.Second, MissingGroupGrace: 5 * time.Minute, PriorityAging: 10 * time.Minute,
	}
}

// Deps are the parts an engine is built from.
type Deps struct {
	DB      *db.DB
	Logger  *slog.Logger
	Now     func() time.Time
	Metrics *metrics.Registry // may be nil
	// Children starts sub-workflows; nil = tasks that want one fail. SetChildren may hand it in later.
	Children Children
}

// Engine runs workflow instances.
type Engine struct {
	cfg       Config
	logger    *slog.Logger
	db        *db.DB
	now       func() time.Time
	store     *store
	fleet     *fleet
	shards    []*shard
	committer *committer
	timers    *timers
	intake    *intake
	setups    *setups
	serial    *serial
	logic     *logic
	alerts    *alertSender
	followers *followers
	children  Children

	taskGroups *taskGroups

	ids     *idBlock
	epoch   int64
	meters  *meters
	running atomic.Int64  // runs in memory
	adopted chan struct{} // closed when the runs left over from before the start are in memory

	dataMu sync.Mutex
	data   map[string]*dataStream

	zonesMu sync.Mutex
	zones   map[string]*time.Location

	publishMu   sync.Mutex
	unpublished map[int64]bool
	publishWake chan struct{}
}

// New builds an engine that does nothing until Run.
func New(cfg Config, d Deps) *Engine {
	if cfg.MissingGroupGrace == 0 {
		cfg.MissingGroupGrace = DefaultConfig("", 0).MissingGroupGrace
	}
	now := func() time.Time { return db.Cut(d.Now()) }
	e := &Engine{
		cfg: cfg, logger: d.Logger, db: d.DB, now: now,
		store:   &store{db: d.DB, now: now, programs: map[programKey]*program{}},
		adopted: make(chan struct{}), data: map[string]*dataStream{}, zones: map[string]*time.Location{},
		unpublished: map[int64]bool{}, publishWake: make(chan struct{}, 1), children: d.Children, followers: newFollowers(),
	}
	e.taskGroups = newTaskGroups(func(k ticket) { e.shard(k.run).post(message{run: k.run, granted: &k}) })
	e.setups = newSetups(e.store, func(u *setup) {
		e.fleet.arrange(u.groups)
		e.taskGroups.arrange(u.taskGroups)
	})
	e.serial = newSerial(e.store, d.Logger, e.settled, func() { e.intake.nudge() })
	e.logic = newLogic(e)
	e.alerts = newAlertSender(e.store, d.Logger)
	e.OnEnd(e.logic.ended)
	e.fleet = newFleet(d.Logger, now, cfg.FairShare, func(q queued, worker string) {
		e.shard(q.run).post(message{run: q.run, placed: &q, worker: worker})
	})
	e.timers = newTimers(now, func(m message) {
		if m.poke != 0 {
			e.logic.wake(m.poke)
			return
		}
		e.shard(m.run).post(m)
	})
	e.intake = newIntake(e, d.Logger)
	e.meters = newMeters(d.Metrics, e)
	for range max(cfg.Shards, 1) {
		e.shards = append(e.shards, newShard(e))
	}
	return e
}

func (e *Engine) clock() time.Time { return e.now() }

func (e *Engine) shardIndex(run int64) int { return int(uint64(run) % uint64(len(e.shards))) }

func (e *Engine) shard(run int64) *shard { return e.shards[e.shardIndex(run)] }

// Run registers this master, takes up what was left unfinished, and works until ctx ends. What is queued for the
// database is written before it returns. It fails when the database cannot be reached at the start, or when another
// master took over.
func (e *Engine) Run(ctx context.Context) error {
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
		for channel, fn := range map[string]func(string){
			CommandChannel: func(string) { e.intake.nudge() }, SerialChannel: e.queueChanged, ConfigChannel: func(string) { e.setups.nudge() },
		} {
			if err := e.db.Listen(work, channel, fn); err != nil {
				e.logger.WarnContext(work, "no notifications; changes are found by polling", "channel", channel, "error", err)
			}
		}
		loops.Go(func() { _ = e.intake.run(work) })
		loops.Go(func() { e.serial.run(work) })
		loops.Go(func() { e.alerts.run(work) })
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

// Ready is closed when the engine works.
func (e *Engine) Ready() <-chan struct{} { return e.adopted }

// Nudge says that a command was just committed by this process: the notification need not be waited for.
func (e *Engine) Nudge() { e.intake.nudge() }

func (e *Engine) saver() saver {
	if e.db.Dialect().Name() == "postgres" {
		return &postgresSaver{name: e.cfg.Name, epoch: e.epoch, statements: map[pgShape]string{}}
	}
	return &sqliteSaver{name: e.cfg.Name, epoch: e.epoch}
}

// adopt brings the unfinished runs back into memory. It is the ordinary way in after a crash, a restart or a take-over:
// all that a run decides can be decided again from its rows.
func (e *Engine) adopt(ctx context.Context) error {
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
func (e *Engine) load(ctx context.Context, row instanceRow, stored bool) (*live, error) {
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
func (e *Engine) abandon(ctx context.Context, run int64, why error) {
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
func (e *Engine) settled(x Ended) {
	e.publish([]int64{x.InstanceID})
	e.followers.add(x)
	e.serial.look(x.WorkflowCode)
}

// queueChanged takes a notification of SerialChannel: an instance came into the queue of a workflow, or left it.
func (e *Engine) queueChanged(payload string) {
	code, err := strconv.ParseInt(payload, 10, 64)
	if err != nil {
		code = 0
	}
	e.serial.look(code)
	e.logic.recheck(code)
}

// SetChildren hands in what starts sub-workflows, before Run.
func (e *Engine) SetChildren(c Children) { e.children = c }

// TaskGroupUsage is how many attempts hold slots of a task group, and how many wait for one.
func (e *Engine) TaskGroupUsage(group int64) (held, waiting int) { return e.taskGroups.usage(group) }

// WaitsForTaskGroup reports whether an attempt waits for a slot of its task group.
func (e *Engine) WaitsForTaskGroup(attempt int64) bool { return e.taskGroups.waits(attempt) }

func (e *Engine) zone(name string) (*time.Location, error) {
	e.zonesMu.Lock()
	defer e.zonesMu.Unlock()
	if z := e.zones[name]; z != nil {
		return z, nil
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("time zone %q: %w", name, err)
	}
	e.zones[name] = z
	return z, nil
}

// publish notes runs whose change became durable; publishLoop tells the world, many at a time.
func (e *Engine) publish(runs []int64) {
	e.publishMu.Lock()
	for _, id := range runs {
		e.unpublished[id] = true
	}
	e.publishMu.Unlock()
	select {
	case e.publishWake <- struct{}{}:
	default:
	}
}

func (e *Engine) publishLoop(ctx context.Context) {
	for {
		select {
		case <-e.publishWake:
		case <-ctx.Done():
			return
		}
		e.publishMu.Lock()
		var payload strings.Builder
		for id := range e.unpublished {
			if payload.Len() > 7000 { // the bound of a PostgreSQL notification; an empty one means "look"
				payload.Reset()
				break
			}
			if payload.Len() > 0 {
				payload.WriteByte(',')
			}
			payload.WriteString(strconv.FormatInt(id, 10))
		}
		clear(e.unpublished)
		e.publishMu.Unlock()
		if err := e.db.Notify(ctx, ChangeChannel, payload.String()); err != nil && !errors.Is(err, context.Canceled) {
			e.logger.DebugContext(ctx, "tell pages of changes", "error", err)
		}
		select {
		case <-time.After(publishEvery):
		case <-ctx.Done():
			return
		}
	}
}

// Workers lists the connected workers.
func (e *Engine) Workers() []WorkerInfo { return e.fleet.list() }

// Groups lists the worker groups that connected workers serve, "default" first.
func (e *Engine) Groups() []string { return e.fleet.groups() }

// Backlog is how many attempts of a worker group wait for a slot, and how many connected workers serve it.
func (e *Engine) Backlog(group string) (waiting, serving int) { return e.fleet.waiting(group) }

// Dialer connects a worker of this process, without a socket.
func (e *Engine) Dialer(ctx context.Context) rpc.Dialer { return pipeDialer{ctx, e} }

type pipeDialer struct {
	ctx context.Context // of the process: streams end with it
	e   *Engine
}

// Dial implements rpc.Dialer.
func (d pipeDialer) Dial() (rpc.WorkerStream, error) {
	if d.ctx.Err() != nil {
		return nil, rpc.ErrClosed
	}
	worker, master := rpc.Pipe()
	go func() {
		defer master.Close()
		d.e.ServeStream(d.ctx, master)
	}()
	return worker, nil
}

// Validate reports what is wrong with the configuration, by key.
func (c Config) Validate() error {
	var errs []error
	if !workerName.MatchString(c.Name) {
		errs = append(errs, fmt.Errorf("master.name: %q is not a name: letters, digits, dot, dash, underscore and colon, at most 100", c.Name))
	}
	if c.Shards < 0 || c.Shards > 256 {
		errs = append(errs, fmt.Errorf("master.shards: %d is not between 0 and 256", c.Shards))
	}
	if c.WorkerTimeout < time.Second {
		errs = append(errs, fmt.Errorf("master.worker-timeout: %s is under a second", c.WorkerTimeout))
	}
	if c.MissingGroupGrace < time.Second {
		errs = append(errs, fmt.Errorf("master.missing-group-grace: %s is under a second", c.MissingGroupGrace))
	}
	if c.PriorityAging != 0 && c.PriorityAging < time.Second {
		errs = append(errs, fmt.Errorf("master.priority-aging: %s is under a second", c.PriorityAging))
	}
	return errors.Join(errs...)
}
