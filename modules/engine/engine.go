package engine

import (
	"context"
	"encoding/json"
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
	"dorado/app/kit/secret"
	"dorado/app/kit/vault"
	"dorado/modules/rpc"
	"dorado/modules/tasklog"
	"dorado/plugins/storage"
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
	// WorkerGrace is how long a worker that lost the registry may go on with its processes. Its tasks begin again elsewhere
	// only when that, and a margin, is over; workers must be configured with the same.
	WorkerGrace  time.Duration `koanf:"worker-grace"`
	Overload     Overload      `koanf:"overload"`
	HostSelector string        `koanf:"host-selector"` // how a worker is chosen; "" = LEAST_LOADED
	// WarmUp is how long a worker that started gets less than its share, rising from nothing; 0 = it gets all of it at once.
	WarmUp time.Duration `koanf:"warm-up"`
}

// DefaultConfig is what an operator need not say.
func DefaultConfig(name string, shards int) Config {
	return Config{
		Name: name, Shards: shards, WorkerTimeout: 30 * time.Second, MissingGroupGrace: 5 * time.Minute, PriorityAging: 10 * time.Minute,
		WorkerGrace: defaultWorkerGrace, Overload: Overload{Memory: 0.9, Disk: 0.9}, HostSelector: LeastLoaded,
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
	// Archive holds the logs that workers stored; nil = there is no storage.
	Archive *tasklog.Archive
	// Files is where workers put the files that tasks hand on; nil = nowhere.
	Files storage.Storage
	// Sealer opens secret parameters of projects; nil = tasks that use one fail. Vault has secrets elsewhere; nil = the same.
	Sealer *secret.Sealer
	Vault  *vault.Client
	// Sources lists the data sources that the settings of a task name; nil = none ever does.
	Sources func(taskType string, params json.RawMessage) []int64
	// Series tells what the settings of a task measure; nil = no task measures anything.
	Series func(taskType string, params json.RawMessage) Series
	// Cluster is what the engine is part of; nil = it is the only master. SetCluster may hand it in later.
	Cluster *Cluster
}

// Engine runs workflow instances. What it knows of runs and workers belongs to a term, which ends with its lease.
type Engine struct {
	cfg         Config
	logger      *slog.Logger
	db          *db.DB
	now         func() time.Time
	store       *store
	alerts      alertNudges
	followers   *followers
	children    Children
	archive     *tasklog.Archive
	files       storage.Storage // nil = there is none
	cluster     *Cluster
	vault       *vault.Client
	incarnation string
	meters      *meters
	ready       chan struct{} // closed when the first term works
	readyOnce   sync.Once
	current     atomic.Pointer[term]
	traceParent func(instance int64, runTimes int, attempt int64) string // nil = no traces

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
	if cfg.WorkerGrace == 0 {
		cfg.WorkerGrace = defaultWorkerGrace
	}
	now := func() time.Time { return db.Cut(d.Now()) }
	e := &Engine{
		cfg: cfg, logger: d.Logger, db: d.DB, now: now,
		store: &store{db: d.DB, now: now, programs: map[programKey]*program{}, sealer: d.Sealer, named: d.Sources, series: d.Series}, vault: d.Vault,
		ready: make(chan struct{}), data: map[string]*dataStream{}, zones: map[string]*time.Location{},
		unpublished: map[int64]bool{}, publishWake: make(chan struct{}, 1), children: d.Children, followers: newFollowers(),
		cluster: d.Cluster, incarnation: newIncarnation(), archive: d.Archive, files: d.Files,
	}
	e.alerts = make(alertNudges, 1)
	e.OnEnd(func(x Ended) { e.term().logic.ended(x) })
	e.current.Store(newTerm(e))
	e.meters = newMeters(d.Metrics, e)
	return e
}

func (e *Engine) clock() time.Time { return e.now() }

// term is the current one, or the last.
func (e *Engine) term() *term { return e.current.Load() }

// Run registers this master, takes up what was left unfinished, and works until ctx ends. What is queued for the
// database is written before it returns. It fails when the database cannot be reached at the start, or when another
// master took over.
func (e *Engine) Run(ctx context.Context) error {
	for t := e.term(); ; {
		err := t.serve(ctx)
		lost := errors.Is(err, errLeaseLost) || errors.Is(err, errFenced)
		switch {
		case ctx.Err() != nil && (lost || errors.Is(err, context.Canceled)):
			return nil // it ended while it was about to begin
		case e.cluster == nil || ctx.Err() != nil || !lost && t.epoch == 0 && !e.served():
			return err
		}
		e.logger.WarnContext(ctx, "this master gave up its place; it begins anew", "reason", err)
		t = newTerm(e)
		t.lost = err
		e.current.Store(t)
		if !lost { // the database or the registry is away
			select {
			case <-time.After(termPause):
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// termPause is between two tries to begin anew.
const termPause = time.Second

// served reports whether the engine ever worked.
func (e *Engine) served() bool {
	select {
	case <-e.ready:
		return true
	default:
		return false
	}
}

// Ready is closed when the engine works.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// Working reports whether the engine is in office: it has its place in the cluster, and has taken up what was unfinished.
func (e *Engine) Working() bool {
	select {
	case <-e.term().adopted:
		return true
	default:
		return false
	}
}

// Nudge says that a command was just committed by this process: the notification need not be waited for.
func (e *Engine) Nudge() { e.term().intake.nudge() }

// SetChildren hands in what starts sub-workflows, before Run.
func (e *Engine) SetChildren(c Children) { e.children = c }

// TaskGroupUsage is how many attempts hold slots of a task group, and how many wait for one, of all masters.
func (e *Engine) TaskGroupUsage(ctx context.Context, group int64) (held, waiting int, err error) {
	return e.store.usage(ctx, group)
}

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
func (e *Engine) Workers() []WorkerInfo { return e.term().fleet.list() }

// Groups lists the worker groups that connected workers serve, "default" first.
func (e *Engine) Groups() []string { return e.term().fleet.groups() }

// Backlog is how many attempts of a worker group wait for a slot, and how many connected workers serve it.
func (e *Engine) Backlog(group string) (waiting, serving int) { return e.term().fleet.waiting(group) }

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
	return errors.Join(append(errs, c.validateCluster())...)
}
