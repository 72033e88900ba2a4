package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
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
	"dorado/modules/rpc"
	"dorado/modules/rpc/doradov1"
)

// tree is a registry whose members die, are cut off and come back as a test wants.
type tree struct {
	mu       sync.Mutex
	nodes    map[cluster.Kind]map[string]*treeNode
	watchers map[chan struct{}]bool
	timeout  time.Duration
}

type treeNode struct {
	owner *session
	beat  func() cluster.Heartbeat
}

func newTree() *tree {
	return &tree{
		nodes:    map[cluster.Kind]map[string]*treeNode{cluster.Master: {}, cluster.Worker: {}},
		watchers: map[chan struct{}]bool{}, timeout: 50 * time.Millisecond,
	}
}

func (r *tree) changed() {
	for w := range r.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// session is one process's connection to a tree.
type session struct {
	*tree
	lost chan struct{}
	once *sync.Once
	dead atomic.Bool // nothing reaches it, and it reaches nothing
}

func (r *tree) session() *session {
	return &session{tree: r, lost: make(chan struct{}), once: &sync.Once{}}
}

func (s *session) Join(ctx context.Context, kind cluster.Kind, address string, beat func() cluster.Heartbeat) (cluster.Membership, error) {
	for {
		s.mu.Lock()
		n := s.nodes[kind][address]
		if n == nil && !s.dead.Load() {
			s.lost, s.once = make(chan struct{}), &sync.Once{}
			s.nodes[kind][address] = &treeNode{owner: s, beat: beat}
			s.changed()
			s.mu.Unlock()
			return &seat{s, kind, address, s.lost}, nil
		}
		s.mu.Unlock()
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *session) Watch(ctx context.Context, kind cluster.Kind, fn func([]cluster.Node)) error {
	wake := make(chan struct{}, 1)
	s.mu.Lock()
	s.watchers[wake] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.watchers, wake)
		s.mu.Unlock()
	}()
	for {
		if !s.dead.Load() {
			nodes, _ := s.Nodes(ctx, kind)
			fn(nodes)
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *session) Nodes(ctx context.Context, kind cluster.Kind) ([]cluster.Node, error) {
	if s.dead.Load() {
		return nil, errors.New("the registry is out of reach")
	}
	s.mu.Lock()
	all := maps.Clone(s.nodes[kind])
	s.mu.Unlock()
	var list []cluster.Node
	for _, address := range slices.Sorted(maps.Keys(all)) {
		n := cluster.Node{Kind: kind, Address: address}
		if beat := all[address].beat; beat != nil {
			n.Heartbeat = beat()
		}
		list = append(list, n)
	}
	return list, ctx.Err()
}

func (s *session) Lock(context.Context, string) (cluster.Lock, error) { return nil, cluster.ErrClosed }
func (s *session) Tree(context.Context) ([]cluster.Entry, error)      { return nil, nil }
func (s *session) SessionTimeout() time.Duration                      { return s.timeout }
func (s *session) Name() string                                       { return "test" }
func (s *session) Close() error                                       { return nil }

// expire removes all that the session holds, as when its process died; tell says that the process learns of it.
func (s *session) expire(tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if tell {
		s.once.Do(func() { close(s.lost) })
	}
	for _, nodes := range s.nodes {
		maps.DeleteFunc(nodes, func(_ string, n *treeNode) bool { return n.owner == s })
	}
	s.changed()
}

type seat struct {
	s       *session
	kind    cluster.Kind
	address string
	lost    chan struct{}
}

func (m *seat) Lost() <-chan struct{} { return m.lost }
func (m *seat) Publish() {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	m.s.changed()
}

func (m *seat) Leave(context.Context) error {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	if n := m.s.nodes[m.kind][m.address]; n != nil && n.owner == m.s && !m.s.dead.Load() {
		delete(m.s.nodes[m.kind], m.address)
		m.s.changed()
	}
	return nil
}

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

// simWorker is a worker that keeps to the protocol: it runs tasks as the script says, and tells whoever owns them.
type simWorker struct {
	r           *realm
	name        string
	incarnation string
	slots       int
	session     *session
	lasts       func(*doradov1.Task) time.Duration // negative: until it is released
	fails       func(*doradov1.Task) bool

	gone     atomic.Bool // as dead, for others
	mu       sync.Mutex
	dead     bool
	cutOff   map[string]bool // masters that it cannot reach
	streams  map[string]rpc.WorkerStream
	attempts map[int64]*simAttempt
	epochs   map[int64]uint64
	ignored  int // messages of masters that were replaced
	claims   int
	wg       sync.WaitGroup
	served   sync.WaitGroup // the ends of its streams at the masters
}

type simAttempt struct {
	task  *doradov1.Task
	owner string
	began *doradov1.Report
	end   *doradov1.Report
	kill  chan struct{}
	free  chan struct{}
	once  sync.Once
}

var incarnations atomic.Int64

// work starts a worker that reaches all masters there are and will be.
func (r *realm) work(name string, slots int, script ...func(*simWorker)) *simWorker {
	r.t.Helper()
	w := &simWorker{
		r: r, name: name, incarnation: fmt.Sprint("p", incarnations.Add(1)), slots: slots, session: r.tree.session(),
		cutOff: map[string]bool{}, streams: map[string]rpc.WorkerStream{}, attempts: map[int64]*simAttempt{}, epochs: map[int64]uint64{},
		lasts: func(*doradov1.Task) time.Duration { return 0 }, fails: func(*doradov1.Task) bool { return false },
	}
	for _, f := range script {
		f(w)
	}
	_, err := w.session.Join(r.t.Context(), cluster.Worker, name+":1234", func() cluster.Heartbeat {
		return cluster.Heartbeat{Name: name, Incarnation: w.incarnation}
	})
	require.NoError(r.t, err)
	r.mu.Lock()
	r.workers[name] = w
	r.mu.Unlock()
	w.wg.Go(w.dial)
	return w
}

// dial keeps a stream to every master that lives.
func (w *simWorker) dial() {
	for {
		w.mu.Lock()
		if w.dead {
			w.mu.Unlock()
			return
		}
		var missing []*peer
		for _, p := range w.r.live() {
			if w.streams[p.name] == nil && !w.cutOff[p.name] {
				missing = append(missing, p)
			}
		}
		w.mu.Unlock()
		for _, p := range missing {
			w.connect(p)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// brokenEnd adds to the master's end of a pipe what TCP tells: that the other process is gone.
type brokenEnd struct {
	rpc.MasterStream
	w *simWorker
}

func (b *brokenEnd) Recv() (*doradov1.WorkerFrame, error) {
	frame, err := b.MasterStream.Recv()
	if err != nil {
		b.w.mu.Lock()
		defer b.w.mu.Unlock()
		if b.w.dead {
			err = fmt.Errorf("%w: %w", rpc.ErrClosed, rpc.ErrHungUp)
		}
	}
	return frame, err
}

func (w *simWorker) connect(p *peer) {
	mine, theirs := rpc.Pipe()
	ctx, cancel := context.WithCancel(p.cut)
	w.served.Go(func() {
		defer cancel()
		p.ServeStream(ctx, &brokenEnd{theirs, w})
		theirs.Close()
	})
	w.mu.Lock()
	if w.dead {
		w.mu.Unlock()
		mine.Close()
		return
	}
	w.streams[p.name] = mine
	held := &doradov1.Held{}
	var reports []*doradov1.Report
	for id, a := range w.attempts {
		held.Attempts = append(held.Attempts, &doradov1.HeldAttempt{
			Id: id, WorkflowInstanceId: a.task.GetWorkflowInstanceId(), Epoch: w.epochs[a.task.GetWorkflowInstanceId()], Yours: a.owner == p.name,
		})
		if a.owner == p.name {
			reports = append(reports, a.reports()...)
		}
	}
	_ = mine.Send(&doradov1.WorkerFrame{Body: &doradov1.WorkerFrame_Hello{Hello: &doradov1.Hello{
		Protocol: rpc.Protocol, Worker: w.name, Incarnation: w.incarnation, Slots: uint32(w.slots), Address: w.name + ":1234", StartedAtMs: time.Now().UnixMilli(),
	}}})
	_ = mine.Send(&doradov1.WorkerFrame{Body: &doradov1.WorkerFrame_Held{Held: held}})
	w.send(p.name, reports...)
	w.mu.Unlock()
	w.beat()
	w.wg.Go(func() {
		for {
			frame, err := mine.Recv()
			if err != nil {
				break
			}
			w.handle(p.name, frame)
		}
		mine.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.streams[p.name] == mine {
			delete(w.streams, p.name)
		}
	})
}

func (a *simAttempt) reports() (all []*doradov1.Report) {
	if a.began != nil {
		all = append(all, a.began)
	}
	if a.end != nil {
		all = append(all, a.end)
	}
	return all
}

// send needs the lock.
func (w *simWorker) send(master string, reports ...*doradov1.Report) {
	if s := w.streams[master]; s != nil && len(reports) > 0 {
		_ = s.Send(&doradov1.WorkerFrame{Body: &doradov1.WorkerFrame_Reports{Reports: &doradov1.Reports{Reports: reports}}})
	}
}

// beat tells all masters how many slots are in use, and by whom.
func (w *simWorker) beat() {
	w.mu.Lock()
	defer w.mu.Unlock()
	running, yours := uint32(0), map[string]uint32{}
	for _, a := range w.attempts {
		if a.end == nil {
			running++
			yours[a.owner]++
		}
	}
	for name, s := range w.streams {
		_ = s.Send(&doradov1.WorkerFrame{Body: &doradov1.WorkerFrame_Heartbeat{Heartbeat: &doradov1.Heartbeat{Running: running, Slots: uint32(w.slots), Yours: yours[name]}}})
	}
}

func (w *simWorker) current(run int64, epoch uint64) bool {
	if epoch < w.epochs[run] {
		w.ignored++
		return false
	}
	w.epochs[run] = epoch
	return true
}

func (w *simWorker) handle(master string, frame *doradov1.MasterFrame) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range frame.GetClaim().GetItems() {
		if !w.current(c.GetWorkflowInstanceId(), c.GetEpoch()) {
			continue
		}
		w.claims++
		a := w.attempts[c.GetId()]
		if a == nil {
			w.send(master, &doradov1.Report{Id: c.GetId(), Seq: 1, WorkflowInstanceId: c.GetWorkflowInstanceId(), Kind: doradov1.ReportKind_FINISHED, Outcome: doradov1.Outcome_UNKNOWN})
			continue
		}
		a.owner = master
		w.send(master, a.reports()...)
	}
	for _, t := range frame.GetDispatch().GetTasks() {
		w.take(master, t)
	}
	for i, id := range frame.GetKill().GetIds() {
		a := w.attempts[id]
		if a == nil {
			w.send(master, &doradov1.Report{Id: id, Seq: 1, Kind: doradov1.ReportKind_FINISHED, Outcome: doradov1.Outcome_UNKNOWN})
			continue
		}
		if w.current(a.task.GetWorkflowInstanceId(), frame.GetKill().GetEpochs()[i]) {
			a.once.Do(func() { close(a.kill) })
		}
	}
	for _, ack := range frame.GetAck().GetItems() {
		if a := w.attempts[ack.GetId()]; a != nil && a.owner == master && a.end != nil && a.end.GetSeq() == ack.GetSeq() {
			delete(w.attempts, ack.GetId())
		}
	}
}

// take needs the lock.
func (w *simWorker) take(master string, t *doradov1.Task) {
	if !w.current(t.GetWorkflowInstanceId(), t.GetEpoch()) {
		return
	}
	if a := w.attempts[t.GetId()]; a != nil {
		a.owner = master
		w.send(master, a.reports()...)
		return
	}
	running := 0
	for _, a := range w.attempts {
		if a.end == nil {
			running++
		}
	}
	if running >= w.slots {
		w.send(master, &doradov1.Report{Id: t.GetId(), Seq: 1, WorkflowInstanceId: t.GetWorkflowInstanceId(), Kind: doradov1.ReportKind_REFUSED, Message: "full"})
		return
	}
	a := &simAttempt{task: t, owner: master, kill: make(chan struct{}), free: make(chan struct{})}
	a.began = &doradov1.Report{
		Id: t.GetId(), Seq: 1, Kind: doradov1.ReportKind_STARTED, WorkflowInstanceId: t.GetWorkflowInstanceId(), StartMs: time.Now().UnixMilli(), Pid: 42,
	}
	w.attempts[t.GetId()] = a
	w.r.ledger.begin(t.GetId(), w)
	w.send(master, a.began)
	w.wg.Go(func() { w.run(a) })
}

func (w *simWorker) run(a *simAttempt) {
	killed := false
	if d := w.lasts(a.task); d >= 0 {
		select {
		case <-time.After(d):
		case <-a.free:
		case <-a.kill:
			killed = true
		}
	} else {
		select {
		case <-a.free:
		case <-a.kill:
			killed = true
		}
	}
	w.mu.Lock()
	if w.dead {
		w.mu.Unlock()
		return
	}
	outcome := doradov1.Outcome_SUCCEEDED
	switch {
	case killed:
		outcome = doradov1.Outcome_KILLED
	case w.fails(a.task):
		outcome = doradov1.Outcome_FAILED
	default:
		w.r.ledger.effect(a.task, w)
	}
	now := time.Now().UnixMilli()
	a.end = &doradov1.Report{
		Id: a.task.GetId(), Seq: 2, Kind: doradov1.ReportKind_FINISHED, WorkflowInstanceId: a.task.GetWorkflowInstanceId(),
		StartMs: a.began.GetStartMs(), EndMs: now, Pid: 42, Outcome: outcome, LogPath: "/l",
	}
	w.send(a.owner, a.end)
	w.mu.Unlock()
	w.beat()
}

// release lets a task end that lasts until then.
func (w *simWorker) release(id int64) {
	w.mu.Lock()
	a := w.attempts[id]
	w.mu.Unlock()
	if a != nil {
		close(a.free)
	}
}

// holding lists the attempts that run, by id.
func (w *simWorker) holding() []*doradov1.Task {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*doradov1.Task
	for _, a := range w.attempts {
		if a.end == nil {
			all = append(all, a.task)
		}
	}
	slices.SortFunc(all, func(a, b *doradov1.Task) int { return int(a.GetId() - b.GetId()) })
	return all
}

func (w *simWorker) waitHolding(n int) []*doradov1.Task {
	w.r.t.Helper()
	require.Eventually(w.r.t, func() bool { return len(w.holding()) >= n }, 60*time.Second, 2*time.Millisecond)
	return w.holding()
}

// die ends the process: its streams break, its tasks do nothing more, and the registry forgets it.
func (w *simWorker) die() {
	w.gone.Store(true)
	w.mu.Lock()
	w.dead = true
	for _, s := range w.streams {
		s.Close()
	}
	for _, a := range w.attempts {
		a.once.Do(func() { close(a.kill) })
	}
	w.mu.Unlock()
	w.wg.Wait()
	w.hungUp()
	w.session.expire(false)
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	if w.r.workers[w.name] == w {
		delete(w.r.workers, w.name)
	}
}

// hungUp waits until the masters have noticed that the streams are closed. Sockets of a dead process close at once, its
// session lives on for seconds; a master that is frozen or cut off hears of neither.
func (w *simWorker) hungUp() {
	noticed := make(chan struct{})
	go func() {
		w.served.Wait()
		close(noticed)
	}()
	select {
	case <-noticed:
	case <-time.After(3 * time.Second):
	}
}

// cut breaks the streams to some masters, which nobody hears of, and keeps them from being opened again.
func (w *simWorker) cut(masters ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range masters {
		w.cutOff[name] = true
		if s := w.streams[name]; s != nil {
			s.Close()
		}
	}
}

func (w *simWorker) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.cutOff)
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

func random(n int) int { return rand.IntN(n) }
