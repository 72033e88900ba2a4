package engine

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"dorado/modules/rpc"
	"dorado/modules/rpc/doradov1"
)

// defaultGroup holds every worker, whatever groups it names itself.
const defaultGroup = "default"

// refusalPause keeps a worker that refused an attempt from being asked again at once.
const refusalPause = 200 * time.Millisecond

// fleet is the workers that are connected now, what each of them holds, and the attempts that wait for a free slot.
//
// A slot is taken when an attempt is placed, before anything is saved, and given back when its end or refusal arrives,
// so a worker never has more than its slots in flight. All methods are safe for concurrent use and never block on a
// worker: what goes out waits in the worker's outbox.
type fleet struct {
	logger *slog.Logger
	now    func() time.Time
	place  func(queued, string) // tells the owner of a queued attempt that it has a slot on a worker

	fair bool // projects take turns within a priority

	mu      sync.Mutex
	workers map[string]*worker
	members map[string][]string        // by worker group that has a row: its workers, by name or host
	absent  map[string]map[int64]int64 // by worker that is not connected: attempts it is expected to bring back
	queues  map[string]*queue          // by worker group: attempts that wait for a slot
	next    uint64                     // rotates ties between equally loaded workers
}

// worker is one connected worker.
type worker struct {
	name        string
	incarnation string
	address     string
	version     string
	groups      []string
	slots       int
	startedAt   time.Time
	joinedAt    time.Time
	seenAt      time.Time
	load        *doradov1.Heartbeat
	draining    bool
	pausedUntil time.Time
	held        map[int64]int64 // attempt → workflow instance: placed here and not over
	settled     bool            // it said what it holds: it may get more
	out         *outbox
	turn        uint64
}

// WorkerInfo describes a connected worker.
type WorkerInfo struct {
	Name      string
	Address   string
	Version   string
	Groups    []string
	Slots     int
	Running   int
	Draining  bool
	StartedAt time.Time
	JoinedAt  time.Time
	SeenAt    time.Time
	CPU       float64
	Memory    float64
	Disk      float64
	Load      float64
}

func newFleet(logger *slog.Logger, now func() time.Time, fair bool, place func(queued, string)) *fleet {
	return &fleet{logger: logger, now: now, fair: fair, place: place, workers: map[string]*worker{}, absent: map[string]map[int64]int64{}, queues: map[string]*queue{}}
}

// join registers a worker's control stream. An older stream of the same worker is closed: the newer one counts.
func (f *fleet) join(hello *doradov1.Hello, out *outbox) *worker {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	w := &worker{
		name: hello.GetWorker(), incarnation: hello.GetIncarnation(), address: hello.GetAddress(), version: hello.GetVersion(),
		groups: hello.GetGroups(), slots: int(hello.GetSlots()), startedAt: time.UnixMilli(hello.GetStartedAtMs()).UTC(),
		joinedAt: now, seenAt: now, held: map[int64]int64{}, out: out,
	}
	if old := f.workers[w.name]; old != nil {
		maps.Copy(w.held, old.held)
		old.out.close()
	}
	maps.Copy(w.held, f.absent[w.name])
	delete(f.absent, w.name)
	f.workers[w.name] = w
	return w
}

// leave forgets a worker whose stream ended, unless a newer stream has taken its place. It returns what the worker held.
func (f *fleet) leave(w *worker) (held map[int64]int64, gone bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.workers[w.name] != w {
		return nil, false
	}
	delete(f.workers, w.name)
	return w.held, true
}

// remember notes attempts that a worker which is not connected should bring back.
func (f *fleet) remember(name string, held map[int64]int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w := f.workers[name]; w != nil { // it was quicker
		maps.Copy(w.held, held)
		return
	}
	if f.absent[name] == nil {
		f.absent[name] = map[int64]int64{}
	}
	maps.Copy(f.absent[name], held)
}

// forget gives up waiting for a worker and returns what it should have brought back: nothing when it came back.
func (f *fleet) forget(name string) map[int64]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	held := f.absent[name]
	delete(f.absent, name)
	return held
}

// settle returns what a worker is thought to hold, to be compared with what it says.
func (f *fleet) settle(w *worker) map[int64]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(w.held)
}

// ready lets a worker that was compared have new work.
func (f *fleet) ready(w *worker) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.settled = true
}

// free gives a slot back; the caller pumps.
func (f *fleet) free(name string, attempt int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w := f.workers[name]; w != nil {
		delete(w.held, attempt)
	}
}

// claim notes that a worker holds an attempt which was placed before this process, or this stream, knew it.
func (f *fleet) claim(name string, attempt, run int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w := f.workers[name]; w != nil {
		w.held[attempt] = run
	}
}

// heartbeat takes over what a worker says of itself.
func (f *fleet) heartbeat(w *worker, beat *doradov1.Heartbeat) {
	f.mu.Lock()
	w.seenAt, w.load = f.now(), beat
	w.draining = beat.GetDraining()
	if beat.GetSlots() > 0 {
		w.slots = int(beat.GetSlots())
	}
	f.mu.Unlock()
	f.pump()
}

// reserve takes a slot for an attempt on the least loaded worker of its group, or queues the attempt when there is none
// or others wait already.
func (f *fleet) reserve(q queued) (host string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if waiting := f.queues[q.group]; waiting == nil || waiting.Len() == 0 {
		if w := f.pick(q.group); w != nil {
			w.held[q.attempt] = q.run
			return w.name, true
		}
	}
	waiting := f.queues[q.group]
	if waiting == nil {
		waiting = newQueue(f.fair)
		f.queues[q.group] = waiting
	}
	q.since = f.now()
	waiting.push(q)
	return "", false
}

// withdraw takes an attempt that need not be sent any more out of its queue.
func (f *fleet) withdraw(group string, attempt int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if q := f.queues[group]; q != nil {
		q.drop(attempt)
	}
}

// arrange takes over which workers belong to which group.
func (f *fleet) arrange(members map[string][]string) {
	f.mu.Lock()
	f.members = members
	f.mu.Unlock()
	f.pump()
}

// pick returns the member of group with the smallest share of its slots in use, or nil. Equal ones take turns.
func (f *fleet) pick(group string) *worker {
	var best *worker
	now := f.now()
	for _, w := range f.workers {
		if !w.settled || w.draining || len(w.held) >= w.slots || now.Before(w.pausedUntil) || !f.serves(w, group) {
			continue
		}
		if best == nil || len(w.held)*best.slots < len(best.held)*w.slots ||
			(len(w.held)*best.slots == len(best.held)*w.slots && w.turn < best.turn) {
			best = w
		}
	}
	if best != nil {
		f.next++
		best.turn = f.next
	}
	return best
}

// serves reports whether a worker is a member of a group: because the group lists it, by name or host, or, where the group
// lists nobody, because it says so itself. All serve "default" unless that lists somebody.
func (f *fleet) serves(w *worker, group string) bool {
	listed := f.members[group]
	if len(listed) == 0 {
		return group == defaultGroup || slices.Contains(w.groups, group)
	}
	host, _, err := net.SplitHostPort(w.address)
	if err != nil {
		host = w.address
	}
	return slices.ContainsFunc(listed, func(m string) bool {
		return m == w.name || w.address != "" && (m == w.address || m == host)
	})
}

// release gives a slot back and lets the next attempt have it.
func (f *fleet) release(name string, attempt int64) {
	f.free(name, attempt)
	f.pump()
}

// refuse gives a slot back and leaves the worker alone for a moment.
func (f *fleet) refuse(name string, attempt int64) {
	f.mu.Lock()
	if w := f.workers[name]; w != nil {
		delete(w.held, attempt)
		w.pausedUntil = f.now().Add(refusalPause)
	}
	f.mu.Unlock()
	time.AfterFunc(refusalPause, f.pump)
}

// pump places what waits while there are free slots.
func (f *fleet) pump() {
	for {
		f.mu.Lock()
		var q queued
		var host string
		for group, waiting := range f.queues {
			if waiting.Len() == 0 {
				continue
			}
			if w := f.pick(group); w != nil {
				q, host = waiting.pop(), w.name
				w.held[q.attempt] = q.run
				break
			}
		}
		f.mu.Unlock()
		if host == "" {
			return
		}
		f.place(q, host)
	}
}

// send puts an assignment, a kill or an acknowledgement in a worker's outbox. It reports false when the worker is gone.
func (f *fleet) send(name string, put func(*outbox)) bool {
	f.mu.Lock()
	w := f.workers[name]
	f.mu.Unlock()
	if w == nil {
		return false
	}
	put(w.out)
	return true
}

// waiting is the number of attempts of a group that wait for a slot, and serving the workers that could take them.
func (f *fleet) waiting(group string) (attempts, serving int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if q := f.queues[group]; q != nil {
		attempts = q.Len()
	}
	for _, w := range f.workers {
		if f.serves(w, group) {
			serving++
		}
	}
	return attempts, serving
}

// backlog is how many attempts wait for a slot.
func (f *fleet) backlog() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, q := range f.queues {
		n += q.Len()
	}
	return n
}

// list describes the connected workers, by name.
func (f *fleet) list() []WorkerInfo {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]WorkerInfo, 0, len(f.workers))
	for _, w := range f.workers {
		info := WorkerInfo{
			Name: w.name, Address: w.address, Version: w.version, Groups: slices.Clone(w.groups), Slots: w.slots,
			Running: len(w.held), Draining: w.draining, StartedAt: w.startedAt, JoinedAt: w.joinedAt, SeenAt: w.seenAt,
			CPU: w.load.GetCpuUsage(), Memory: w.load.GetMemoryUsage(), Disk: w.load.GetDiskUsage(), Load: w.load.GetLoadAverage(),
		}
		all = append(all, info)
	}
	slices.SortFunc(all, func(a, b WorkerInfo) int {
		switch {
		case a.Name < b.Name:
			return -1
		case a.Name > b.Name:
			return 1
		}
		return 0
	})
	return all
}

// groups lists the worker groups that have a row or that connected workers serve, "default" first.
func (f *fleet) groups() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var rest []string
	for _, w := range f.workers {
		rest = append(rest, w.groups...)
	}
	for name := range f.members {
		rest = append(rest, name)
	}
	slices.Sort(rest)
	rest = slices.DeleteFunc(slices.Compact(rest), func(g string) bool { return g == defaultGroup || g == "" })
	return append([]string{defaultGroup}, rest...)
}

// outbox collects what must go to a worker. One goroutine turns whatever waits into as few frames as possible.
type outbox struct {
	stream rpc.MasterStream
	mu     sync.Mutex
	tasks  []*doradov1.Task
	kills  []int64
	acks   []*doradov1.AckItem
	wake   chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newOutbox(stream rpc.MasterStream) *outbox {
	return &outbox{stream: stream, wake: make(chan struct{}, 1), closed: make(chan struct{})}
}

func (o *outbox) dispatch(t *doradov1.Task) { o.put(func() { o.tasks = append(o.tasks, t) }) }
func (o *outbox) kill(attempt int64)        { o.put(func() { o.kills = append(o.kills, attempt) }) }
func (o *outbox) ack(a *doradov1.AckItem)   { o.put(func() { o.acks = append(o.acks, a) }) }

func (o *outbox) put(change func()) {
	o.mu.Lock()
	change()
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outbox) close() {
	o.once.Do(func() {
		close(o.closed)
		o.stream.Close()
	})
}

// run writes frames until the stream or ctx ends. Kills leave after the dispatches that were put before them.
func (o *outbox) run(ctx context.Context) error {
	for {
		select {
		case <-o.wake:
		case <-o.closed:
			return rpc.ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
		o.mu.Lock()
		tasks, kills, acks := o.tasks, o.kills, o.acks
		o.tasks, o.kills, o.acks = nil, nil, nil
		o.mu.Unlock()
		var err error
		if len(tasks) > 0 {
			err = errors.Join(err, o.stream.Send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Dispatch{Dispatch: &doradov1.Dispatch{Tasks: tasks}}}))
		}
		if len(kills) > 0 {
			err = errors.Join(err, o.stream.Send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Kill{Kill: &doradov1.Kill{Ids: kills}}}))
		}
		if len(acks) > 0 {
			err = errors.Join(err, o.stream.Send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Ack{Ack: &doradov1.Ack{Items: acks}}}))
		}
		if err != nil {
			return err
		}
	}
}
