package engine

import (
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

const (
	// refusalPause keeps a worker that refused an attempt from being asked again at once; each refusal in a row doubles it
	// up to refusalMost. A heartbeat that tells of room ends it.
	refusalPause = 200 * time.Millisecond
	refusalMost  = 5 * time.Second
	// refusedFor is how long an attempt rather goes to another worker than to the one that refused it.
	refusedFor = 10 * time.Second
)

// fleet is the workers that are connected now, what each of them holds, and the attempts that wait for a free slot.
//
// A slot is taken when an attempt is placed, before anything is saved, and given back when its end or refusal arrives,
// so a worker never has more than its slots in flight. All methods are safe for concurrent use and never block on a
// worker: what goes out waits in the worker's outbox.
type fleet struct {
	logger *slog.Logger
	now    func() time.Time
	place  func(queued, string) // tells the owner of a queued attempt that it has a slot on a worker

	fair   bool // projects take turns within a priority
	choice choice
	shared bool // other masters use the workers, too, and a registry says which of them live

	mu      sync.Mutex
	workers map[string]*worker
	members map[string][]string  // by worker group that has a row: its workers, by name or host
	drained map[string]bool      // workers that people want no new work for
	absent  map[string]*absence  // by worker that is not connected
	nodes   map[string]node      // by worker: those that the registry lists
	gone    map[string]time.Time // by worker that the registry lists no more: since when
	claims  map[int64]*claimed   // by attempt: those whose worker was asked and has not answered
	refused map[int64]declined   // by attempt
	queues  map[string]*queue    // by worker group: attempts that wait for a slot
	next    uint64               // rotates ties between equally loaded workers
	muted   bool                 // nothing is sent any more: another master may be at work
}

// declined is which worker refused an attempt.
type declined struct {
	worker string
	until  time.Time
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
	busy        string // why it wants no more work
	pausedUntil time.Time
	refusals    int             // in a row
	held        map[int64]int64 // attempt → workflow instance: placed here and not over
	others      int             // slots that other masters use, as of its last heartbeat
	weight      int             // host weight
	current     float64         // of the smooth policies
	settled     bool            // it said what it holds: it may get more
	listed      bool            // the registry lists this very process
	claims      bool            // it understands claims
	upgrading   bool            // it said that it is about to replace its program
	out         *outbox
	turn        uint64
}

// used is how many of its slots are in use, by all masters.
func (w *worker) used() int { return len(w.held) + w.others }

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

	Incarnation string // of its process
	Busy        string // why it wants no more work, "" = it does
	Weight      int    // where workers are chosen by weight
}

func newFleet(logger *slog.Logger, now func() time.Time, cfg Config, shared bool, place func(queued, string)) *fleet {
	return &fleet{
		logger: logger, now: now, fair: cfg.FairShare, choice: newChoice(cfg), shared: shared, place: place,
		workers: map[string]*worker{}, absent: map[string]*absence{}, nodes: map[string]node{}, gone: map[string]time.Time{},
		claims: map[int64]*claimed{}, refused: map[int64]declined{}, queues: map[string]*queue{},
	}
}

// join registers a worker's control stream. An older stream of the same worker is closed: the newer one counts.
func (f *fleet) join(hello *doradov1.Hello, out *outbox) *worker {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	w := &worker{
		name: hello.GetWorker(), incarnation: hello.GetIncarnation(), address: hello.GetAddress(), version: hello.GetVersion(),
		groups: hello.GetGroups(), slots: int(hello.GetSlots()), startedAt: time.UnixMilli(hello.GetStartedAtMs()).UTC(),
		joinedAt: now, seenAt: now, held: map[int64]int64{}, out: out, weight: defaultHostWeight,
	}
	if n, known := f.nodes[w.name]; known {
		w.listed = n.is(w)
		w.weight = n.weight
	}
	if hello.GetWeight() > 0 {
		w.weight = int(hello.GetWeight())
	}
	w.claims = hello.GetProtocol() >= rpc.ProtocolClaim
	if old := f.workers[w.name]; old != nil {
		maps.Copy(w.held, old.held)
		old.out.close()
	}
	if a := f.absent[w.name]; a != nil {
		maps.Copy(w.held, a.held)
		delete(f.absent, w.name)
	}
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

// settle returns what a worker is thought to hold and does not name, or nothing when it was compared before. What another
// master sent it is not missing because it is not named: it may have come after the list was made. The worker is asked for
// that.
func (f *fleet) settle(w *worker, holds map[int64]*doradov1.HeldAttempt) (missing map[int64]int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	missing = map[int64]int64{}
	for id, run := range w.held {
		c := f.claims[id]
		switch {
		case c != nil && w.claims:
			f.ask(w, id, c)
		case holds[id] != nil:
			delete(f.claims, id) // it cannot be asked, but it said that it has it
		case !w.settled:
			missing[id] = run
		}
	}
	return missing
}

// hold notes that a worker holds an attempt which was placed before this process, or this stream, knew it.
func (f *fleet) hold(name string, attempt, run int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w := f.workers[name]; w != nil {
		w.held[attempt] = run
	}
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
	f.drop(name, attempt)
}

// drop forgets that a worker holds an attempt. The caller holds the lock.
func (f *fleet) drop(name string, attempt int64) {
	if w := f.workers[name]; w != nil {
		delete(w.held, attempt)
	}
	if a := f.absent[name]; a != nil {
		delete(a.held, attempt)
		if len(a.held) == 0 && !a.died {
			delete(f.absent, name)
		}
	}
	delete(f.claims, attempt)
	delete(f.refused, attempt)
}

// heartbeat takes over what a worker says of itself.
func (f *fleet) heartbeat(w *worker, beat *doradov1.Heartbeat) {
	f.mu.Lock()
	w.seenAt, w.load = f.now(), beat
	w.upgrading = beat.GetUpgrading()
	w.draining, w.busy = beat.GetDraining(), beat.GetBusy()
	if beat.GetSlots() > 0 {
		w.slots = int(beat.GetSlots())
	}
	if f.shared {
		w.others = max(0, int(beat.GetRunning())-int(beat.GetYours()))
	}
	if w.busy == "" && w.used() < w.slots {
		w.refusals, w.pausedUntil = 0, time.Time{}
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
		if w := f.pick(q.group, q.attempt); w != nil {
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
	delete(f.refused, attempt)
	if q := f.queues[group]; q != nil {
		q.drop(attempt)
	}
}

// arrange takes over which workers belong to which group.
func (f *fleet) arrange(members map[string][]string, drained map[string]bool) {
	f.mu.Lock()
	f.members, f.drained = members, drained
	f.mu.Unlock()
	f.pump()
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
	f.drop(name, attempt)
	pause := refusalPause
	if w := f.workers[name]; w != nil {
		pause = min(refusalPause<<min(w.refusals, 10), refusalMost)
		w.refusals++
		w.pausedUntil = f.now().Add(pause)
	}
	f.refused[attempt] = declined{name, f.now().Add(refusedFor)}
	f.mu.Unlock()
	time.AfterFunc(pause, f.pump)
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
			if w := f.pick(group, waiting.head()); w != nil {
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
	w, muted := f.workers[name], f.muted
	f.mu.Unlock()
	if w == nil || muted {
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
			Running: w.used(), Draining: w.draining || f.drained[w.name], StartedAt: w.startedAt, JoinedAt: w.joinedAt, SeenAt: w.seenAt,
			CPU: w.load.GetCpuUsage(), Memory: w.load.GetMemoryUsage(), Disk: w.load.GetDiskUsage(), Load: w.load.GetLoadAverage(),
			Incarnation: w.incarnation, Busy: w.busy, Weight: w.weight,
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
