package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/cluster"
	"dorado/modules/rpc"
	"dorado/modules/rpc/doradov1"
)

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

func random(n int) int { return rand.IntN(n) }
