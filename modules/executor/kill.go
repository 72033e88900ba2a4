package executor

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"syscall"
	"time"
)

const (
	// sweepEvery is how often the process table is read while something is being killed; on a machine where reading it
	// takes long, it is read less often.
	sweepEvery = 20 * time.Millisecond
	// stuckAfter is when a process that survives SIGKILL is told to the operator; one in a system call that can't be
	// interrupted goes only when that returns.
	stuckAfter = 30 * time.Second
)

// killer ends whole trees of processes. One goroutine does it for all attempts, so that stopping a thousand attempts
// reads the process table as often as stopping one.
//
// A tree is what can be found of an attempt: the session and group of its first process, their descendants, processes
// that carry the attempt's mark in their environment, and everything that was found once before. It gets SIGINT, then
// SIGTERM, then SIGKILL until nothing is left; a process that ignores SIGINT (a shell's background job) gets SIGTERM at
// once. An attempt counts as gone when two readings in a row find nothing.
type killer struct {
	interruptWait, terminateWait time.Duration
	log                          *slog.Logger
	incoming                     chan *target
	frozen                       sync.Mutex // held during a sweep: who has it may look at targets
}

// target is one tree that is being killed.
type target struct {
	id      int64
	leader  int // first process: its pid is the number of its group and session
	mark    string
	user    string         // whose processes they are, when sudo is needed to signal them
	known   map[int]uint64 // processes found so far: pid to start time
	signal  syscall.Signal // the last one sent; 0: none
	next    time.Time      // when the following one is due
	since   time.Time
	warned  bool
	empty   int // readings in a row that found nothing
	reaped  chan struct{}
	done    chan struct{} // closed when nothing is left
	atOnce  bool          // begin with SIGKILL
	noChild bool          // the leader is no child of ours: nobody will reap it
}

func newTarget(a *attempt, mark string) *target {
	t := &target{
		id: a.id, leader: a.pid, mark: mark, known: map[int]uint64{},
		since: time.Now(), reaped: make(chan struct{}), done: make(chan struct{}),
	}
	if a.viaSudo {
		t.user = a.account.name
	}
	return t
}

// exited tells the killer that the first process was reaped.
func (t *target) exited() { close(t.reaped) }

func newKiller(cfg Config, log *slog.Logger) *killer {
	return &killer{
		interruptWait: cfg.KillInterruptWait, terminateWait: cfg.KillTerminateWait, log: log,
		incoming: make(chan *target, cfg.Slots+1), // an attempt is killed once, so adding never blocks
	}
}

func (k *killer) add(t *target) { k.incoming <- t }

func (k *killer) run(ctx context.Context) {
	var targets []*target
	marks := map[[2]uint64]string{} // of processes seen before, while there is something to kill
	var pause <-chan time.Time
	for {
		if len(targets) == 0 {
			pause, marks = nil, map[[2]uint64]string{}
		}
		select {
		case t := <-k.incoming:
			targets = append(targets, t)
			for more := true; more; {
				select {
				case t := <-k.incoming:
					targets = append(targets, t)
				default:
					more = false
				}
			}
		case <-pause:
		case <-ctx.Done():
			return
		}
		k.frozen.Lock()
		begun := time.Now()
		targets = k.sweep(ctx, targets, marks)
		k.frozen.Unlock()
		pause = time.After(max(sweepEvery, 3*time.Since(begun)))
	}
}

// sweep reads the process table once, signals what is due, and returns the targets of which something is left.
func (k *killer) sweep(ctx context.Context, targets []*target, marks map[[2]uint64]string) []*target {
	table, err := processes()
	if err != nil {
		k.log.ErrorContext(ctx, "cannot read the process table", "error", err)
		return targets
	}
	byMark := map[string][]int{}
	for pid, p := range table {
		id := [2]uint64{uint64(pid), p.start}
		mark, seen := marks[id]
		if !seen {
			mark = markOfProcess(pid)
			marks[id] = mark
		}
		if mark != "" {
			byMark[mark] = append(byMark[mark], pid)
		}
	}
	children := make(map[int][]int, len(table))
	sessions := make(map[int][]int)
	for pid, p := range table {
		children[p.parent] = append(children[p.parent], pid)
		sessions[p.session] = append(sessions[p.session], pid)
		if p.group != p.session {
			sessions[p.group] = append(sessions[p.group], pid)
		}
	}
	left := targets[:0]
	for _, t := range targets {
		alive := t.find(table, children, sessions, byMark)
		if len(alive) == 0 && t.leaderGone(table) {
			if t.empty++; t.empty >= 2 {
				close(t.done)
				continue
			}
		} else {
			t.empty = 0
		}
		k.signal(ctx, t, alive, table)
		left = append(left, t)
	}
	return left
}

// leaderGone reports whether the first process has been reaped, or is no longer there.
func (t *target) leaderGone(table map[int]process) bool {
	if t.noChild {
		return true // find has it, if it lives
	}
	select {
	case <-t.reaped:
		return true
	default:
		p, there := table[t.leader]
		return !there || p.zombie
	}
}

// find returns the living processes of the tree and remembers them.
func (t *target) find(table map[int]process, children, sessions map[int][]int, byMark map[string][]int) []int {
	members := map[int]bool{}
	var queue []int
	add := func(pid int) {
		if pid > 1 && !members[pid] {
			members[pid] = true
			queue = append(queue, pid)
		}
	}
	leaderIsOurs := !t.noChild
	for pid, start := range t.known {
		if p, there := table[pid]; there && p.start == start {
			add(pid)
			leaderIsOurs = leaderIsOurs || pid == t.leader
		}
	}
	if t.leader > 0 && leaderIsOurs {
		if _, there := table[t.leader]; there {
			add(t.leader)
		}
		for _, pid := range sessions[t.leader] {
			add(pid)
		}
	}
	for _, pid := range byMark[t.mark] {
		add(pid)
	}
	for len(queue) > 0 {
		pid := queue[0]
		queue = queue[1:]
		for _, child := range children[pid] {
			add(child)
		}
	}
	alive := make([]int, 0, len(members))
	for pid := range members {
		p := table[pid]
		t.known[pid] = p.start
		if !p.zombie {
			alive = append(alive, pid)
		}
	}
	return alive
}

// signal sends what is due.
func (k *killer) signal(ctx context.Context, t *target, alive []int, table map[int]process) {
	now := time.Now()
	if now.Before(t.next) || len(alive) == 0 {
		return
	}
	switch t.signal {
	case 0:
		t.signal, t.next = syscall.SIGINT, now.Add(k.interruptWait)
		if t.atOnce {
			t.signal, t.next = syscall.SIGKILL, now
		}
	case syscall.SIGINT:
		t.signal, t.next = syscall.SIGTERM, now.Add(k.terminateWait)
	default:
		t.signal, t.next = syscall.SIGKILL, now // again and again: children may be born between two readings
	}
	if t.signal == syscall.SIGKILL && !t.warned && now.Sub(t.since) > stuckAfter+k.interruptWait+k.terminateWait {
		t.warned = true
		k.log.WarnContext(ctx, "processes survive SIGKILL", "task_instance_id", t.id, "pids", alive)
	}
	var refused []int
	grouped := false
	for _, pid := range alive {
		grouped = grouped || table[pid].group == t.leader
	}
	if grouped && t.user == "" { // reaches children that are being born right now
		_ = syscall.Kill(-t.leader, t.signal)
	}
	for _, pid := range alive {
		sig := t.signal
		if sig == syscall.SIGINT && ignoresInterrupt(pid) {
			sig = syscall.SIGTERM
		} else if grouped && t.user == "" && table[pid].group == t.leader {
			continue // it has it already
		}
		if err := syscall.Kill(pid, sig); errors.Is(err, syscall.EPERM) {
			refused = append(refused, pid)
		}
	}
	if len(refused) == 0 || t.user == "" {
		return
	}
	sig := t.signal
	go func() { // sudo takes milliseconds, which others that are being killed need not wait for
		if err := sudoKill(ctx, t.user, sig, refused); err != nil {
			k.log.DebugContext(ctx, "kill through sudo", "task_instance_id", t.id, "error", err)
		}
	}()
}
