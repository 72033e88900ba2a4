package engine

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dorado/app/kit/fault"
	"dorado/modules/engine/core"
	"dorado/modules/flow"
)

const (
	// logicWorkers is how many logic tasks do something at the same time. A task that waits needs none of them.
	logicWorkers = 4
	// logicSweep is the safety net under the events that wake logic tasks, and logicSweepMost how many of them one sweep
	// wakes: with more the net is slower, but costs no more.
	logicSweep     = time.Minute
	logicSweepMost = 600
	// logicRetry is when a step that failed for want of the database is done again.
	logicRetry = time.Second
)

// logic carries out the tasks that need no worker. Each is a small state machine that waits in a map; a step looks at the
// world, does what is to be done, and ends the task or waits on. Steps are driven by what has happened, never by asking
// again: the end of a run, a timer, a request of the core. Doing a step once too often changes nothing.
type logic struct {
	e       *term
	waiting atomic.Int64 // tasks that depend on runs of other workflows

	mu       sync.Mutex
	tasks    map[int64]*logicTask     // by task instance
	children map[int64]int64          // workflow instance → the task instance that started it
	codes    map[int64]map[int64]bool // workflow → task instances that depend on it
	parents  map[int64]map[int64]bool // workflow → task instances that start runs of it
	queue    []*logicTask             // something to do
	lookups  []lookup                 // earlier results to look for
	ready    chan struct{}            // one token while there may be something to do
	early    map[int64]Ended          // ends of children that nobody claimed yet
	swept    int64                    // the last task that a sweep woke
}

// logicTask is an attempt that the engine carries out itself.
type logicTask struct {
	attempt  int64
	run      int64
	node     int32
	number   int
	code     int64
	name     string
	workflow int64 // that of the run
	started  time.Time
	base     time.Time // in the zone of the run
	context  string
	work     logicWork

	lines []string // for the log, not yet written

	// Guarded by logic.mu.
	queued, busy, again, over bool
	stopping, parking         bool
	news                      []Ended // children that ended since the last step
	kids                      []int64 // children whose end is waited for, and some that have ended
}

// logicWork is what one kind of logic task does. Steps of one task come one after the other.
type logicWork interface {
	// step returns the end of the task, or nil when it waits on. An error has the step done again soon.
	step(ctx context.Context, g *logic, t *logicTask, w wakeUp) (*logicEnd, error)
}

// wakeUp is what a step is to take into account.
type wakeUp struct {
	stop, park bool
	news       []Ended
}

// logicEnd is how a logic task ends.
type logicEnd struct {
	outcome flow.TaskState
	message string
	out     []flow.Property
}

func newLogic(e *term) *logic {
	return &logic{
		e: e, tasks: map[int64]*logicTask{}, children: map[int64]int64{}, codes: map[int64]map[int64]bool{},
		parents: map[int64]map[int64]bool{}, early: map[int64]Ended{}, ready: make(chan struct{}, 1),
	}
}

// begin takes a task over; its attempt is in the database.
func (g *logic) begin(t *logicTask) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if old := g.tasks[t.attempt]; old != nil {
		g.remove(old)
	}
	g.tasks[t.attempt] = t
	// Before the first look, so that nothing is missed.
	switch w := t.work.(type) {
	case *dependentWork:
		g.waiting.Add(1)
		for _, code := range w.workflows() {
			enlist(g.codes, code, t.attempt)
		}
	case *subWork:
		enlist(g.parents, w.workflow, t.attempt)
	case *manyWork:
		enlist(g.parents, w.workflow, t.attempt)
	default:
	}
	g.schedule(t)
}

// remove forgets a task. The caller holds the lock.
func (g *logic) remove(t *logicTask) {
	t.over = true
	if g.tasks[t.attempt] != t {
		return
	}
	delete(g.tasks, t.attempt)
	for _, id := range t.kids {
		if g.children[id] == t.attempt {
			delete(g.children, id)
		}
	}
	switch w := t.work.(type) {
	case *dependentWork:
		g.waiting.Add(-1)
		for _, code := range w.workflows() {
			discharge(g.codes, code, t.attempt)
		}
	case *subWork:
		discharge(g.parents, w.workflow, t.attempt)
	case *manyWork:
		discharge(g.parents, w.workflow, t.attempt)
	default:
	}
}

func enlist(index map[int64]map[int64]bool, code, attempt int64) {
	if index[code] == nil {
		index[code] = map[int64]bool{}
	}
	index[code][attempt] = true
}

func discharge(index map[int64]map[int64]bool, code, attempt int64) {
	delete(index[code], attempt)
	if len(index[code]) == 0 {
		delete(index, code)
	}
}

// recheck has every task look again that waits for runs of a workflow: they were changed by somebody else.
func (g *logic) recheck(code int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, index := range []map[int64]map[int64]bool{g.codes, g.parents} {
		for attempt := range index[code] {
			g.schedule(g.tasks[attempt])
		}
	}
}

// recheckAll has every task look again that waits for other runs.
func (g *logic) recheckAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, index := range []map[int64]map[int64]bool{g.codes, g.parents} {
		for _, attempts := range index {
			for attempt := range attempts {
				g.schedule(g.tasks[attempt])
			}
		}
	}
}

// forget drops a task whose attempt is over by other means.
func (g *logic) forget(attempt int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := g.tasks[attempt]; t != nil {
		g.remove(t)
	}
}

// schedule has a task do a step. The caller holds the lock.
func (g *logic) schedule(t *logicTask) {
	switch {
	case t.over || t.queued:
	case t.busy:
		t.again = true
	default:
		t.queued = true
		g.queue = append(g.queue, t)
		g.signal()
	}
}

func (g *logic) signal() {
	select {
	case g.ready <- struct{}{}:
	default:
	}
}

// wake has a task look at the world again.
func (g *logic) wake(attempt int64) { g.poke(attempt, func(*logicTask) {}) }

// stop asks a task to end what it started and then itself.
func (g *logic) stop(attempt int64) { g.poke(attempt, func(t *logicTask) { t.stopping = true }) }

// park asks a task to stop waiting because its run pauses.
func (g *logic) park(attempt int64) { g.poke(attempt, func(t *logicTask) { t.parking = true }) }

func (g *logic) poke(attempt int64, change func(*logicTask)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := g.tasks[attempt]; t != nil {
		change(t)
		g.schedule(t)
	}
}

// ended wakes those who wait for a run.
func (g *logic) ended(e Ended) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := g.tasks[g.children[e.InstanceID]]; t != nil {
		t.news = append(t.news, e)
		delete(g.children, e.InstanceID)
		g.schedule(t)
	} else if e.Param.ParentInstanceID != 0 {
		g.keepEarly(e)
	}
	for attempt := range g.codes[e.WorkflowCode] {
		g.schedule(g.tasks[attempt])
	}
}

// earlyMost bounds the ends that are kept for tasks that have not heard yet which run they started.
const earlyMost = 1000

// keepEarly keeps the end of a child that was quicker than the answer to who started it. The caller holds the lock.
func (g *logic) keepEarly(e Ended) {
	if len(g.early) >= earlyMost {
		clear(g.early)
	}
	g.early[e.InstanceID] = e
}

// watches reports whether any task depends on a workflow.
func (g *logic) watches(code int64) bool {
	if g.waiting.Load() == 0 {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.codes[code]) > 0
}

// wakeWaiting has the tasks look again that depend on a workflow.
func (g *logic) wakeWaiting(code int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for attempt := range g.codes[code] {
		g.schedule(g.tasks[attempt])
	}
}

// adoptChild has the end of a run wake the task that started it. A child that was started just now may have ended already.
func (g *logic) adoptChild(child int64, t *logicTask, fresh bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e, ended := g.early[child]
	delete(g.early, child)
	switch {
	case t.over:
	case ended && fresh:
		t.news = append(t.news, e)
		g.schedule(t)
	default:
		if g.children[child] != t.attempt {
			g.children[child] = t.attempt
			t.kids = append(t.kids, child)
		}
		if ended { // maybe after t read that the child runs, maybe long ago: it looks again
			g.schedule(t)
		}
	}
}

// run does steps until ctx ends.
func (g *logic) run(ctx context.Context) {
	var workers sync.WaitGroup
	for range logicWorkers {
		workers.Go(func() { g.work(ctx) })
	}
	tick := time.NewTicker(logicSweep)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			g.sweep()
		case <-ctx.Done():
			workers.Wait()
			return
		}
	}
}

// sweep wakes some of the waiting tasks, those after the last sweep's first.
func (g *logic) sweep() {
	g.mu.Lock()
	defer g.mu.Unlock()
	ids := make([]int64, 0, len(g.tasks))
	for id := range g.tasks {
		ids = append(ids, id)
	}
	for _, id := range nextIDs(ids, g.swept, logicSweepMost) {
		g.schedule(g.tasks[id])
		g.swept = id
	}
}

func (g *logic) work(ctx context.Context) {
	for {
		select {
		case <-g.ready:
		case <-ctx.Done():
			return
		}
		for g.one(ctx) {
		}
	}
}

// one does one piece of work and reports whether there was any.
func (g *logic) one(ctx context.Context) bool {
	g.mu.Lock()
	if len(g.lookups) > 0 {
		n := g.lookups[0]
		g.lookups = g.lookups[1:]
		g.signal()
		g.mu.Unlock()
		g.lookFor(ctx, n)
		return ctx.Err() == nil
	}
	if len(g.queue) == 0 {
		g.queue = nil
		g.mu.Unlock()
		return false
	}
	t := g.queue[0]
	g.queue[0] = nil
	g.queue = g.queue[1:]
	g.signal() // another worker may take the next one
	t.queued = false
	if t.over {
		g.mu.Unlock()
		return true
	}
	t.busy = true
	w := wakeUp{stop: t.stopping, park: t.parking && !t.stopping, news: t.news}
	t.news = nil
	g.mu.Unlock()

	end, err := t.work.step(ctx, g, t, w)
	if err == nil {
		err = g.flush(ctx, t)
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	t.busy = false
	switch {
	case t.over:
		t.again = false
	case err != nil:
		t.news = append(w.news, t.news...)
		if ctx.Err() == nil {
			g.e.logger.WarnContext(ctx, "a step of a logic task failed; it is done again", "task_instance_id", t.attempt, "error", err)
			g.e.timers.add(g.e.clock().Add(logicRetry), message{run: t.run, poke: t.attempt})
		}
	case end != nil:
		g.remove(t)
		g.e.shard(t.run).post(message{run: t.run, event: core.Finished{
			Started: core.Started{Node: t.node, ID: t.attempt, At: t.started}, Outcome: end.outcome, End: g.e.clock(),
			Message: end.message, VarPool: end.out,
		}})
	case t.again:
		t.again = false
		g.schedule(t)
	}
	return ctx.Err() == nil
}

// note has the core store what a task must remember.
func (g *logic) note(t *logicTask, remembered string) {
	t.context = remembered
	g.e.shard(t.run).post(message{run: t.run, event: core.Noted{Node: t.node, ID: t.attempt, Context: remembered}})
}

// refusal is the text of an error that no repetition cures; ok is false for others.
func refusal(err error) (text string, ok bool) {
	switch fault.KindOf(err) {
	case fault.Internal, fault.Unavailable:
		return "", false
	default:
		return err.Error(), true
	}
}

// log adds a line to the task's log.
func (t *logicTask) log(format string, args ...any) {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	t.lines = append(t.lines, strings.TrimRight(format, "\n"))
}
