package executor

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dorado/modules/rpc"
	"dorado/modules/tasklog"
	"dorado/plugins/datasource"
	"dorado/plugins/storage"
	"dorado/plugins/task"
)

// Catalog finds the plugin of a task type; plugins/catalog has one.
type Catalog interface {
	Task(taskType string) (task.Plugin, bool)
}

// DataSources finds types of data sources.
type DataSources interface {
	Type(name string) (datasource.Plugin, bool)
}

// Master is one master to talk to. The dialer is used for the control and for the data stream.
type Master struct {
	Name   string // tells masters apart: attempts belong to it; an address does well
	Dialer rpc.Dialer
}

// Deps are what an Executor needs.
type Deps struct {
	Config  Config
	Catalog Catalog
	Masters []Master
	Environ []string // the worker's own environment, of which Config.EnvAllow reaches tasks
	Version string
	Logger  *slog.Logger
	Archive *tasklog.Archive      // where logs go after their end; nil = they stay here
	Storage storage.Storage       // where files of the resource center are; nil = tasks that need some fail
	Sources DataSources           // types of data sources; nil = tasks that need one fail
	Metrics prometheus.Registerer // may be nil

	// Handover is what the program before left in this process, nil after an ordinary start; see Inherited.
	Handover *Handover
}

// Executor runs attempts. See the package comment for its states.
type Executor struct {
	cfg         Config
	catalog     Catalog
	sources     DataSources
	environ     map[string]string
	version     string
	protocol    uint32
	incarnation string
	startedAt   time.Time
	log         *slog.Logger
	metrics     *metrics

	users    *users
	spawn    *spawner
	known    *remembered
	settling chan struct{} // bounds how many logs are being ended at once
	dirs     *workdirs
	journal  *journal
	killer   *killer
	logs     *logServer
	uploads  *uploader // nil without a storage
	files    *files
	health   *health

	queue   chan *attempt // attempts with a slot; as long as all that are accepted, so sending never blocks
	contact atomic.Int64  // when a master was heard last, as bootNS
	ended   chan struct{} // closed when Run returns

	mu       sync.Mutex // guards all below and the mutable part of attempts; never held during I/O
	attempts map[int64]*attempt
	epochs   *epochs
	active   int           // attempts with a slot
	waiting  []*attempt    // accepted without a slot, in order; with full policy CONTINUE
	refused  bool          // work was refused, and masters have not been told of room since
	busy     string        // why nothing new is wanted, apart from slots; "" = it is
	draining bool          // for good
	idle     chan struct{} // closed and replaced when active or the number of attempts falls
	gate     chan struct{} // closed and replaced when what starters wait for may have changed
	starting int           // attempts being started right now
	lease    lease
	every    time.Duration // between heartbeats
	repeat   time.Duration // repeatAfter
	orphan   time.Duration // orphanAfter
	upgrade  bool          // the program is about to replace itself: nothing is started

	masters  []Master           // wanted
	outboxes map[string]*outbox // by the name of the master
	nobody   *outbox            // journals the reports of attempts whose owner is not among the masters
	work     context.Context    // of Run; nil before
	previous string             // the incarnation whose attempts were taken over, "" = none
	inherit  *Handover          // until Run has taken it

	links    sync.WaitGroup // goroutines of SetMasters
	cleaning sync.WaitGroup // attempts that have reported and are cleaning up
	zones    sync.Map       // name to *time.Location
}

// New returns an Executor that does nothing until Run. It creates the directories and locks the journal; the error
// says what is wrong with them.
func New(d Deps) (*Executor, error) {
	if err := d.Config.Validate(); err != nil {
		return nil, err
	}
	if d.Catalog == nil || d.Logger == nil {
		return nil, errors.New("executor: catalog and logger are required")
	}
	incarnation := make([]byte, 8)
	_, _ = rand.Read(incarnation) // never fails
	e := &Executor{
		cfg: d.Config, catalog: d.Catalog, sources: d.Sources, masters: d.Masters, environ: environMap(d.Environ), version: d.Version,
		protocol: rpc.Protocol, incarnation: hex.EncodeToString(incarnation), startedAt: time.Now(), log: d.Logger,
		attempts: map[int64]*attempt{}, epochs: newEpochs(), outboxes: map[string]*outbox{},
		idle: make(chan struct{}), gate: make(chan struct{}), ended: make(chan struct{}), every: d.Config.Heartbeat, repeat: repeatAfter, orphan: orphanAfter,
		queue: make(chan *attempt, d.Config.Slots+d.Config.queueLength()),
	}
	e.nobody = newOutbox(e, Master{})
	if h := d.Handover; h != nil {
		e.inherit, e.previous = h, h.Incarnation
		e.queue = make(chan *attempt, cap(e.queue)+len(h.Attempts))
	}
	e.metrics = newMetrics(d.Metrics, e)
	e.health = newHealth(e.cfg.ExecDir, e.cfg.LogDir, e.cfg.JournalDir)
	e.users = newUsers(e.cfg)
	e.spawn, e.known = newSpawner(), newRemembered()
	e.settling = make(chan struct{}, max(8, 4*runtime.NumCPU()))
	var err error
	if e.logs, err = newLogServer(e.cfg.LogDir, e.holdsLog); err != nil {
		return nil, fmt.Errorf("log directory: %w", err)
	}
	e.logs.save = e.savepoint
	if e.files, err = newFiles(d.Storage, e.cfg.CacheDir, e.cfg.CacheSize, e.cfg.MaxTransfer); err != nil {
		return nil, errors.Join(fmt.Errorf("cache directory: %w", err), e.logs.close())
	}
	e.uploads = newUploader(d.Archive, e.logs, e.cfg.LogKeep, e.log)
	if e.dirs, err = newWorkdirs(e.cfg.ExecDir, e.users); err != nil {
		return nil, errors.Join(fmt.Errorf("exec directory: %w", err), e.logs.close())
	}
	if e.journal, err = openJournal(e.cfg.JournalDir, d.Handover.File(journalFile), e.log); err != nil {
		return nil, errors.Join(err, e.dirs.close(), e.logs.close())
	}
	e.journal.live = e.liveEntries
	e.killer = newKiller(e.cfg, e.log)
	if privileged() && !e.dirs.open {
		e.log.Warn("tenants cannot reach their working directories by path: a directory above is closed to them", "dir", e.dirs.base)
	}
	return e, nil
}

// Run works until ctx ends, then drains: new work is refused, running attempts get Config.DrainTimeout, what is left is
// treated as Config.OnStop says, and reports get a moment to be acknowledged. Run may be called once.
func (e *Executor) Run(ctx context.Context) error {
	defer close(e.ended)
	// The work itself must outlive ctx until it is drained.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	var workers sync.WaitGroup
	workers.Go(func() { e.journal.syncLoop(work) })
	workers.Go(func() { e.killer.run(work) })
	if os.Getpid() == 1 {
		workers.Go(func() { e.spawn.reapOrphans(work, 5*time.Second) })
	}
	handed := e.inherit != nil
	e.recoverJournal(work)
	workers.Go(func() { e.uploads.run(work) })
	for range e.cfg.Starting {
		workers.Go(func() { e.startLoop(work) })
	}
	e.contact.Store(bootNS())
	if handed {
		e.announceAll()
		// Whatever else the program before was waiting for, a kill by sudo say, has nobody any more.
		few, enough := context.WithTimeout(work, 20*time.Second)
		workers.Go(func() { defer enough(); e.spawn.reapOrphans(few, 5*time.Second) })
	}
	e.links.Go(func() { e.nobody.run(work) })
	e.links.Go(func() { e.pulse(work) })
	e.mu.Lock()
	e.work = work
	e.connect()
	e.mu.Unlock()

	<-ctx.Done()
	e.drain(work)
	e.uploads.flush(flushPatience)
	e.mu.Lock()
	e.lease.drop()
	stop() // under the lock: no master is added afterwards
	e.mu.Unlock()
	e.links.Wait()
	workers.Wait()
	e.cleaning.Wait()
	return errors.Join(e.spawn.close(), e.journal.close(), e.dirs.close(), e.logs.close())
}

// drain ends with no attempt running, except those that are left on purpose.
func (e *Executor) drain(ctx context.Context) {
	e.mu.Lock()
	e.draining = true
	running := e.active + len(e.waiting)
	e.beatAll()
	e.mu.Unlock()
	if running > 0 {
		e.log.InfoContext(ctx, "worker drains", "running", running, "timeout", e.cfg.DrainTimeout)
	}
	if !e.waitUntil(e.cfg.DrainTimeout, func() bool { return e.active+len(e.waiting) == 0 }) && e.cfg.OnStop == StopKill {
		e.mu.Lock()
		var left []*attempt
		for _, a := range e.attempts {
			if a.state != finished {
				left = append(left, a)
			}
		}
		e.mu.Unlock()
		for _, a := range left {
			e.end(a, endShutdown)
		}
		e.waitUntil(e.cfg.KillInterruptWait+e.cfg.KillTerminateWait+30*time.Second, func() bool { return e.active+len(e.waiting) == 0 })
	}
	e.waitUntil(2*time.Second, func() bool {
		for _, a := range e.attempts {
			if a.state == finished && e.box(a.owner).connected() {
				return false
			}
		}
		return true
	})
}

// waitUntil waits for a condition on what e.mu guards.
func (e *Executor) waitUntil(timeout time.Duration, condition func() bool) bool {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		e.mu.Lock()
		ok, changed := condition(), e.idle
		e.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-timer.C:
			return false
		}
	}
}

// turn wakes starters that wait; e.mu is held.
func (e *Executor) turn() {
	close(e.gate)
	e.gate = make(chan struct{})
}

// fell wakes waitUntil; e.mu is held.
func (e *Executor) fell() {
	if e.draining || e.upgrade {
		close(e.idle)
		e.idle = make(chan struct{})
	}
}

// liveEntries is what the journal must still hold.
func (e *Executor) liveEntries() []entry {
	e.mu.Lock()
	defer e.mu.Unlock()
	entries := make([]entry, 0, len(e.attempts))
	for _, a := range e.attempts {
		switch {
		case a.state == finished:
			entries = append(entries, entry{kind: entryFinished, report: a.report}, a.owned())
		case a.begun:
			entries = append(entries, a.begins()...)
			if a.pid > 0 || a.link != "" {
				entries = append(entries, a.entry(entryStarted))
			}
		}
	}
	return entries
}

// holdsLog reports whether the attempt, whose log is named after it, is not over yet.
func (e *Executor) holdsLog(id int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	a, known := e.attempts[id]
	return known && a.state != finished
}

// privileged reports whether the worker may become any user.
func privileged() bool { return os.Geteuid() == 0 }
