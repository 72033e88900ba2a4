package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/cluster"
	"dorado/modules/engine"
	"dorado/modules/rpc/doradov1"
)

// realm is several masters and workers over one database and one registry.
type realm struct {
	*fixture
	tree    *tree
	url     string // of a PostgreSQL database; "" = all masters share the fixture's handle
	grace   time.Duration
	change  func(*engine.Config)
	mu      sync.Mutex
	masters map[string]*peer
	workers map[string]*simWorker
	ledger  ledger
}

// peer is one process of a master.
type peer struct {
	*engine.Engine
	r       *realm
	name    string
	session *session
	db      *db.DB
	cancel  context.CancelFunc
	done    chan error
	cut     context.Context // of its streams
	sever   context.CancelFunc
	load    atomic.Pointer[cluster.Heartbeat]
}

func newRealm(t *testing.T, d *db.DB, url string) *realm {
	t.Helper()
	f := newFixture(t, d)
	f.stop()
	f.stop = func() {}
	exec(t, d, `DELETE FROM master`)
	r := &realm{
		fixture: f, tree: newTree(), url: url, grace: 30 * time.Second, masters: map[string]*peer{}, workers: map[string]*simWorker{},
		change: func(*engine.Config) {},
	}
	t.Cleanup(func() {
		for _, w := range r.allWorkers() {
			w.die()
		}
		for _, p := range r.live() {
			p.stop()
		}
	})
	return r
}

// newPostgresRealm gives every master its own connections, so that each can be killed.
func newPostgresRealm(t *testing.T) *realm {
	t.Helper()
	url := dbtest.PostgresURL(t)
	return newRealm(t, dbtest.Open(t, url), url)
}

func (r *realm) live() []*peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*peer
	for _, name := range slices.Sorted(maps.Keys(r.masters)) {
		all = append(all, r.masters[name])
	}
	return all
}

func (r *realm) allWorkers() []*simWorker {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.workers))
}

// start runs a master.
func (r *realm) start(name string) *peer {
	r.t.Helper()
	p := &peer{r: r, name: name, session: r.tree.session(), db: r.db, done: make(chan error, 1)}
	if r.url != "" {
		d, err := db.Open(context.Background(), db.Config{URL: r.url, MaxOpen: 6}, slog.New(slog.DiscardHandler))
		require.NoError(r.t, err)
		p.db = d
	}
	config := r.config
	config.Name, config.WorkerGrace = name, r.grace
	r.change(&config)
	p.load.Store(&cluster.Heartbeat{})
	p.Engine = engine.New(config, engine.Deps{
		DB: p.db, Logger: slog.New(slog.NewTextHandler(r.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})).With("master", name), Now: time.Now, Children: r.fixture,
		Cluster: &engine.Cluster{Registry: p.session, Address: name + ":5678", Describe: func() cluster.Heartbeat { return *p.load.Load() }},
	})
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.cut, p.sever = context.WithCancel(context.Background())
	go func() { p.done <- p.Run(ctx) }()
	select {
	case <-p.Ready():
	case err := <-p.done:
		r.t.Fatalf("master %s did not start: %v", name, err)
	}
	r.mu.Lock()
	r.masters[name] = p
	r.engine = p.Engine
	r.mu.Unlock()
	return p
}

func (r *realm) forget(p *peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.masters[p.name] == p {
		delete(r.masters, p.name)
	}
	for _, other := range r.masters {
		r.engine = other.Engine
	}
}

// kill drops a master in the middle of whatever it does: it reaches neither database, registry nor workers any more, and
// nothing it does after that is seen by anybody.
func (p *peer) kill() {
	p.r.forget(p)
	p.session.dead.Store(true)
	p.sever()
	_ = p.db.Close()
	p.session.expire(false)
	p.cancel()
	if err := <-p.done; err != nil {
		p.r.t.Logf("master %s, killed: %v", p.name, err)
	}
}

// stop ends a master in good order.
func (p *peer) stop() {
	p.r.forget(p)
	p.cancel()
	if err := <-p.done; err != nil {
		p.r.t.Errorf("master %s: %v", p.name, err)
	}
	p.sever()
	if p.r.url != "" {
		_ = p.db.Close()
	}
}

// ledger is what tasks did outside.
type ledger struct {
	mu      sync.Mutex
	effects map[string]int // run/task → how often it was carried out to its end
	begun   map[int64]int  // attempt → how often it was begun
	wrong   []string       // what was done again although whoever did it lives
	last    map[string]*simWorker
}

// again notes that a worker does something, which may be done again only when the worker that did it died.
func (l *ledger) again(what string, w *simWorker) {
	if old := l.last[what]; old != nil && !old.gone.Load() {
		l.wrong = append(l.wrong, what+" again")
	}
	l.last[what] = w
}

func (l *ledger) begin(attempt int64, w *simWorker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begun == nil {
		l.begun, l.effects, l.last = map[int64]int{}, map[string]int{}, map[string]*simWorker{}
	}
	l.begun[attempt]++
	l.again(fmt.Sprint("attempt ", attempt), w)
}

func (l *ledger) effect(t *doradov1.Task, w *simWorker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	what := fmt.Sprintf("%d/%s", t.GetWorkflowInstanceId(), t.GetName())
	l.effects[what]++
	l.again(what, w)
}

func (l *ledger) count(run int64, task string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.effects[fmt.Sprintf("%d/%s", run, task)]
}

func (r *realm) owner(id int64) string {
	r.t.Helper()
	name, err := db.Get[string](r.t.Context(), r.db, `SELECT owner FROM workflow_instance WHERE id = ?`, id)
	require.NoError(r.t, err)
	return name
}

func (r *realm) count(query string, args ...any) int {
	r.t.Helper()
	n, err := db.Get[int](r.t.Context(), r.db, query, args...)
	require.NoError(r.t, err)
	return n
}
