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
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dorado/modules/rpc"
	"dorado/modules/rpc/doradov1"
	"dorado/plugins/task"
)

// Catalog finds the plugin of a task type; plugins/catalog has one.
type Catalog interface {
	Task(taskType string) (task.Plugin, bool)
}

// Master is one master to talk to. Name is for log lines; the dialer is used for the control and for the data stream.
type Master struct {
	Name   string
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
	Metrics prometheus.Registerer // may be nil
}

// Executor runs attempts. See the package comment for its states.
type Executor struct {
	cfg         Config
	catalog     Catalog
	masters     []Master
	environ     map[string]string
	version     string
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
	health   *health

	queue chan *attempt // accepted attempts; as long as there are slots, so sending never blocks

	mu       sync.Mutex // guards all below and the mutable part of attempts; never held during I/O
	attempts map[int64]*attempt
	active   int
	draining bool
	idle     chan struct{} // closed and replaced when active or the number of attempts falls
	outboxes []*outbox

	links    sync.WaitGroup // goroutines of Connect
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
		cfg: d.Config, catalog: d.Catalog, masters: d.Masters, environ: environMap(d.Environ), version: d.Version,
		incarnation: hex.EncodeToString(incarnation), startedAt: time.Now(), log: d.Logger,
		attempts: map[int64]*attempt{}, idle: make(chan struct{}), queue: make(chan *attempt, d.Config.Slots),
	}
	e.metrics = newMetrics(d.Metrics, e)
	e.health = newHealth(e.cfg.ExecDir)
	e.users = newUsers(e.cfg)
	e.spawn, e.known = newSpawner(), newRemembered()
	e.settling = make(chan struct{}, max(8, 4*runtime.NumCPU()))
	var err error
	if e.logs, err = newLogServer(e.cfg.LogDir, e.holdsLog); err != nil {
		return nil, fmt.Errorf("log directory: %w", err)
	}
	if e.dirs, err = newWorkdirs(e.cfg.ExecDir, e.users); err != nil {
		return nil, errors.Join(fmt.Errorf("exec directory: %w", err), e.logs.close())
	}
	if e.journal, err = openJournal(e.cfg.JournalDir, e.log); err != nil {
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
	// The work itself must outlive ctx until it is drained.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	var workers sync.WaitGroup
	workers.Go(func() { e.journal.syncLoop(work) })
	workers.Go(func() { e.killer.run(work) })
	if os.Getpid() == 1 {
		workers.Go(func() { reapOrphans(work, 5*time.Second) })
	}
	e.recoverJournal(work)
	for range e.cfg.Starting {
		workers.Go(func() { e.startLoop(work) })
	}
	for _, m := range e.masters {
		e.Connect(work, m)
	}

	<-ctx.Done()
	e.drain(work)
	stop()
	e.links.Wait()
	workers.Wait()
	e.cleaning.Wait()
	return errors.Join(e.spawn.close(), e.journal.close(), e.dirs.close(), e.logs.close())
}

// Connect keeps streams to a master until ctx ends. Run calls it for Deps.Masters; it may be called for more, as long as
// Run has not returned.
func (e *Executor) Connect(ctx context.Context, m Master) {
	o := newOutbox(e, m)
	e.mu.Lock()
	e.outboxes = append(e.outboxes, o)
	e.mu.Unlock()
	e.links.Go(func() { o.run(ctx) })
	e.links.Go(func() { e.keep(ctx, m, o.control) })
	e.links.Go(func() { e.keep(ctx, m, e.data) })
}

// drain ends with no attempt running, except those that are left on purpose.
func (e *Executor) drain(ctx context.Context) {
	e.mu.Lock()
	e.draining = true
	outboxes := e.outboxes
	running := e.active
	e.mu.Unlock()
	for _, o := range outboxes {
		o.beat()
	}
	if running > 0 {
		e.log.InfoContext(ctx, "worker drains", "running", running, "timeout", e.cfg.DrainTimeout)
	}
	if !e.waitUntil(e.cfg.DrainTimeout, func() bool { return e.active == 0 }) && e.cfg.OnStop == StopKill {
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
		e.waitUntil(e.cfg.KillInterruptWait+e.cfg.KillTerminateWait+30*time.Second, func() bool { return e.active == 0 })
	}
	e.waitUntil(2*time.Second, func() bool {
		for _, a := range e.attempts {
			if a.state == finished && a.owner != nil && a.owner.connected() {
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

// fell wakes waitUntil; e.mu is held.
func (e *Executor) fell() {
	if e.draining {
		close(e.idle)
		e.idle = make(chan struct{})
	}
}

// dispatch takes work from a master. Tasks it cannot take are refused; known ones change owner and are answered by the
// reports they have.
func (e *Executor) dispatch(o *outbox, tasks []*doradov1.Task) {
	var refused, again []*doradov1.Report
	now := time.Now()
	e.mu.Lock()
	for _, t := range tasks {
		if a, known := e.attempts[t.GetId()]; known {
			if t.GetEpoch() >= a.epoch { // an older epoch is a master that was replaced and does not know it yet
				a.epoch, a.owner, a.startAcked = t.GetEpoch(), o, false
				again = append(again, a.unacked()...)
			}
			continue
		}
		reason := ""
		switch {
		case e.draining:
			reason = "the worker is shutting down"
		case e.active >= e.cfg.Slots:
			reason = "no free slot"
		}
		if reason != "" {
			refused = append(refused, &doradov1.Report{
				Id: t.GetId(), WorkflowInstanceId: t.GetWorkflowInstanceId(), Kind: doradov1.ReportKind_REFUSED, Message: reason,
			})
			continue
		}
		a := &attempt{id: t.GetId(), workflow: t.GetWorkflowInstanceId(), epoch: t.GetEpoch(), owner: o, task: t, dispatched: now}
		e.attempts[a.id] = a
		e.active++
		e.queue <- a
	}
	e.mu.Unlock()
	o.send(append(refused, again...)...)
}

// Refusals and answers about unknown attempts have sequence number 0: they belong to no attempt that this worker holds,
// so their acknowledgement must not pass for that of a real report, if the same attempt is dispatched here afterwards.

// kill ends attempts on request of a master.
func (e *Executor) kill(o *outbox, ids []int64) {
	for _, id := range ids {
		e.mu.Lock()
		a, known := e.attempts[id]
		var again []*doradov1.Report
		if known && a.state == finished {
			again = a.unacked()
		}
		e.mu.Unlock()
		switch {
		case !known:
			o.send(&doradov1.Report{
				Id: id, Kind: doradov1.ReportKind_FINISHED, Outcome: doradov1.Outcome_UNKNOWN,
				EndMs: time.Now().UnixMilli(), Message: "the worker does not hold this attempt",
			})
		case again != nil:
			o.send(again...)
		default:
			e.end(a, endKilled)
		}
	}
}

// ack forgets what masters have made durable.
func (e *Executor) ack(items []*doradov1.AckItem) {
	done := make([]int64, 0, len(items))
	e.mu.Lock()
	for _, item := range items {
		a, known := e.attempts[item.GetId()]
		switch {
		case !known:
		case a.state == finished && item.GetSeq() >= a.report.GetSeq():
			delete(e.attempts, a.id)
			done = append(done, a.id)
		case item.GetSeq() > 0:
			a.startAcked = true
		}
	}
	if len(done) > 0 {
		e.fell()
	}
	e.mu.Unlock()
	if len(done) > 0 {
		e.journal.acked(done)
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
			entries = append(entries, entry{kind: entryFinished, report: a.report})
		case a.begun:
			entries = append(entries, a.entry(entryBegun))
			if a.pid > 0 {
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

// heartbeat is what masters are told about the worker as a whole.
func (e *Executor) heartbeat() *doradov1.Heartbeat {
	hb := e.health.read()
	e.mu.Lock()
	defer e.mu.Unlock()
	hb.Running, hb.Slots, hb.Draining = uint32(e.active), uint32(e.cfg.Slots), e.draining
	return hb
}

// hello introduces the worker on a new stream.
func (e *Executor) hello(kind doradov1.StreamKind) *doradov1.WorkerFrame {
	return &doradov1.WorkerFrame{Body: &doradov1.WorkerFrame_Hello{Hello: &doradov1.Hello{
		Protocol: rpc.Protocol, Worker: e.cfg.Name, Incarnation: e.incarnation, Slots: uint32(e.cfg.Slots), Groups: e.cfg.Groups,
		Address: e.cfg.Address, StartedAtMs: e.startedAt.UnixMilli(), Version: e.version, Kind: kind,
	}}}
}

// privileged reports whether the worker may become any user.
func privileged() bool { return os.Geteuid() == 0 }
