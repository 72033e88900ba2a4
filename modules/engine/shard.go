package engine

import (
	"context"
	"strings"
	"sync"
	"time"

	"dorado/modules/engine/core"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// shard owns the runs whose id falls on it. One goroutine takes what waits in its mailbox, lets the core decide, and hands
// the result to the committer; nothing in it waits for the database or a worker.
type shard struct {
	e        *Engine
	runs     map[int64]*live
	attempts map[int64]place // attempts that are not over, by id

	mu    sync.Mutex
	inbox []message
	wake  chan struct{}
}

// place is where an attempt belongs.
type place struct {
	run  int64
	node int32
}

// message is one thing for one run. Exactly one of its parts is set.
type message struct {
	run    int64
	launch *launch          // begin or carry on a run
	event  core.Event       // something the engine itself noticed
	report *doradov1.Report // something a worker said
	// command is the row that event carries out (pause, stop), 0 for none; it is deleted with what the event changes.
	command int64
	// placed: a slot on worker was taken for the attempt. missing: worker, back again, does not know it. held: it does.
	// lost: worker did not come back.
	placed  *queued
	missing int64
	held    int64
	lost    int64
	worker  string
	drop    bool // forget the run: what it did could not be saved
	list    func(*live)
}

// launch brings a run into memory.
type launch struct {
	live    *live
	command int64 // 0: taken over from before a restart
	event   core.Event
}

func newShard(e *Engine) *shard {
	return &shard{e: e, runs: map[int64]*live{}, attempts: map[int64]place{}, wake: make(chan struct{}, 1)}
}

// post puts a message in the mailbox. It never blocks.
func (s *shard) post(m message) {
	s.mu.Lock()
	s.inbox = append(s.inbox, m)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *shard) postAll(all []message) {
	s.mu.Lock()
	s.inbox = append(s.inbox, all...)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// loop handles messages until ctx ends.
func (s *shard) loop(ctx context.Context) {
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
		s.mu.Lock()
		batch := s.inbox
		s.inbox = nil
		s.mu.Unlock()
		for i := range batch {
			s.handle(&batch[i])
		}
	}
}

func (s *shard) handle(m *message) {
	switch {
	case m.launch != nil:
		s.launch(m.launch)
	case m.report != nil:
		s.report(m)
	case m.placed != nil:
		s.placed(m)
	case m.missing != 0:
		s.missing(m)
	case m.held != 0:
		s.held(m)
	case m.lost != 0:
		s.lost(m)
	case m.drop:
		s.forget(m.run)
	case m.list != nil:
		if l := s.runs[m.run]; l != nil {
			m.list(l)
		} else {
			m.list(nil)
		}
	case m.event != nil:
		l := s.runs[m.run]
		if l == nil {
			if m.command != 0 { // the run ended before the request came: there is nothing left to do but to take it away
				s.e.committer.add(&change{run: m.run, command: m.command, after: s.e.intake.done(m.command), lost: s.e.intake.done(m.command)})
			}
			return
		}
		s.apply(l, m.event, m.command, nil)
	}
}

func (s *shard) launch(n *launch) {
	id := n.live.run.InstanceID
	if old := s.runs[id]; old != nil {
		s.e.logger.Warn("a command for a run that is under way is dropped", "workflow_instance_id", id)
		s.e.committer.add(&change{run: id, command: n.command, after: s.e.intake.done(n.command), lost: s.e.intake.done(n.command)})
		return
	}
	s.runs[id] = n.live
	s.e.running.Add(1)
	s.e.meters.instances.WithLabelValues("submit").Inc()
	for node := range n.live.program.graph.Tasks {
		if a := n.live.run.Attempt(int32(node)); a != nil && !a.State.Finished() {
			s.attempts[a.ID] = place{id, int32(node)}
		}
	}
	s.apply(n.live, n.event, n.command, nil)
}

// report applies what a worker said of an attempt, and acknowledges it once that is durable. What concerns no attempt
// that is under way has been applied before, or is superseded: it is acknowledged, and a process that still runs for it
// is ended.
func (s *shard) report(m *message) {
	r := m.report
	at, known := s.attempts[r.GetId()]
	if !known {
		// Through the committer, because what made it unknown may not be durable yet.
		s.e.committer.add(&change{run: r.GetWorkflowInstanceId(), after: func() {
			s.e.fleet.send(m.worker, func(o *outbox) {
				if r.GetKind() == doradov1.ReportKind_STARTED {
					o.kill(r.GetId())
				}
				o.ack(&doradov1.AckItem{Id: r.GetId(), Seq: r.GetSeq()})
			})
		}})
		return
	}
	s.apply(s.runs[at.run], translate(r, at.node), 0, m)
}

// translate turns a worker's report into what happened to the run.
func translate(r *doradov1.Report, node int32) core.Event {
	id := r.GetId()
	started := core.Started{
		Node: node, ID: id, At: instant(r.GetStartMs()), PID: int(r.GetPid()), LogPath: r.GetLogPath(), ExecutePath: r.GetExecutePath(),
	}
	switch r.GetKind() {
	case doradov1.ReportKind_STARTED:
		return started
	case doradov1.ReportKind_REFUSED:
		return core.Refused{Node: node, ID: id, Why: r.GetMessage()}
	case doradov1.ReportKind_FINISHED:
	}
	end := core.Finished{
		Started: started, End: instant(r.GetEndMs()), ExitCode: int(r.GetExitCode()), Message: r.GetMessage(), AppLink: r.GetAppLink(),
	}
	switch r.GetOutcome() {
	case doradov1.Outcome_SUCCEEDED:
		end.Outcome = flow.TaskSuccess
		for _, p := range r.GetVarPool() {
			end.VarPool = append(end.VarPool, flow.Property{
				Prop: p.GetName(), Direct: flow.Direct(p.GetDirect()), Type: flow.ParamType(p.GetType()), Value: p.GetValue(),
			})
		}
	case doradov1.Outcome_KILLED:
		end.Outcome = flow.TaskKill
	case doradov1.Outcome_LOST, doradov1.Outcome_UNKNOWN:
		return core.Lost{Node: node, ID: id, Why: r.GetMessage()}
	case doradov1.Outcome_FAILED, doradov1.Outcome_NONE:
		end.Outcome = flow.TaskFailure
	}
	return end
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// placed sends an attempt that waited to the worker that has room for it now.
func (s *shard) placed(m *message) {
	l := s.runs[m.run]
	if l == nil {
		s.e.fleet.release(m.worker, m.placed.attempt)
		return
	}
	a := l.run.Attempt(m.placed.node)
	if a == nil || a.ID != m.placed.attempt || a.State != flow.TaskSubmitted {
		s.e.fleet.release(m.worker, m.placed.attempt)
		return
	}
	t := &turn{shard: s, l: l}
	t.assign(a, m.worker)
	t.finish(0, nil)
}

// missing settles an attempt which its worker, just connected, does not know: one that never began is sent again under
// the same id, one that had begun is lost.
func (s *shard) missing(m *message) {
	at, known := s.attempts[m.missing]
	if !known {
		return
	}
	l := s.runs[at.run]
	a := l.run.Attempt(at.node)
	if a == nil || a.ID != m.missing || a.Host != m.worker {
		return
	}
	if a.State == flow.TaskDispatch {
		s.apply(l, core.Refused{Node: at.node, ID: a.ID, Why: "the worker did not receive it"}, 0, nil)
		return
	}
	s.apply(l, core.Lost{Node: at.node, ID: a.ID, Why: "worker " + m.worker + " lost it"}, 0, nil)
}

func (s *shard) forget(run int64) {
	l := s.runs[run]
	if l == nil {
		return
	}
	for node := range l.program.graph.Tasks {
		if a := l.run.Attempt(int32(node)); a != nil {
			delete(s.attempts, a.ID)
			if a.State.OnWorker() {
				s.e.fleet.release(a.Host, a.ID)
			}
		}
	}
	delete(s.runs, run)
	s.e.running.Add(-1)
}

// apply lets the core decide on an event and hands the outcome on.
func (s *shard) apply(l *live, ev core.Event, command int64, report *message) {
	t := &turn{shard: s, l: l}
	switch ev.(type) {
	case core.Begin:
		l.forgetPools()
	default:
	}
	t.advance(ev)
	t.finish(command, report)
}

// turn collects everything that one message does to one run.
type turn struct {
	*shard
	l        *live
	changed  []*core.Attempt
	run      bool
	finished bool
	sends    []send
	kills    []*core.Attempt
}

type send struct {
	worker string
	task   *doradov1.Task
}

func (t *turn) advance(ev core.Event) {
	out := t.l.run.Advance(ev, t.e.clock())
	for _, a := range out.Changed {
		if a.ID == 0 {
			a.ID = t.e.ids.take()
		}
	}
	t.changed = append(t.changed, out.Changed...)
	t.run = t.run || out.RunChanged
	t.finished = t.finished || out.Finished
	t.kills = append(t.kills, out.Kill...)
	for _, timer := range out.Timers {
		alarm := core.Alarm{Node: -1, Kind: timer.Kind}
		if a := timer.Attempt; a != nil {
			alarm.Node, alarm.ID = a.Node, a.ID
		}
		t.e.timers.add(timer.At, message{run: t.l.run.InstanceID, event: alarm})
	}
	for _, a := range out.Ready {
		if worker, ok := t.e.fleet.reserve(t.l.queued(a)); ok {
			t.assign(a, worker)
		}
	}
}

// assign gives an attempt, for which a slot was taken, to a worker.
func (t *turn) assign(a *core.Attempt, worker string) {
	task, err := t.l.task(a, t.e.epoch)
	if err != nil {
		t.e.fleet.release(worker, a.ID)
		t.advance(core.Unplaceable{Node: a.Node, ID: a.ID, Why: err.Error()})
		return
	}
	t.advance(core.Placed{Node: a.Node, ID: a.ID, Host: worker})
	t.sends = append(t.sends, send{worker, task})
}

// finish queues the save of what changed; its effects follow the commit.
func (t *turn) finish(command int64, report *message) {
	e, id := t.e, t.l.run.InstanceID
	ch := &change{run: id, command: command}
	ch.attempts = make([]attemptRow, 0, len(t.changed))
	seen := make(map[int64]bool, len(t.changed))
	for _, a := range t.changed {
		if a.State.Finished() || !a.Valid {
			delete(t.attempts, a.ID)
		} else {
			t.attempts[a.ID] = place{id, a.Node}
		}
		if !seen[a.ID] {
			seen[a.ID] = true
			ch.attempts = append(ch.attempts, newAttemptRow(t.l, a))
			e.meters.attempt(&ch.attempts[len(ch.attempts)-1])
		}
	}
	if t.run || t.finished || command != 0 {
		ch.instance = newRunRow(t.l, t.finished)
	}
	if t.finished {
		e.meters.instances.WithLabelValues(strings.ToLower(string(t.l.run.State))).Inc()
		t.forget(id)
	}
	sends, kills := t.sends, t.kills
	ch.after = func() {
		if command != 0 {
			e.intake.done(command)()
		}
		for _, s := range sends {
			if !e.fleet.send(s.worker, func(o *outbox) { o.dispatch(s.task) }) {
				// The worker left meanwhile. Whether it comes back or not, what it held is settled then.
				e.logger.Debug("a worker left before its task was sent", "worker", s.worker, "task_instance_id", s.task.GetId())
			}
		}
		for _, a := range kills {
			e.fleet.send(a.Host, func(o *outbox) { o.kill(a.ID) })
		}
		if report != nil {
			e.fleet.send(report.worker, func(o *outbox) {
				o.ack(&doradov1.AckItem{Id: report.report.GetId(), Seq: report.report.GetSeq()})
			})
		}
	}
	ch.lost = func() {
		if command != 0 {
			e.intake.done(command)()
		}
		e.shard(id).post(message{run: id, drop: true})
	}
	for _, part := range ch.split() {
		e.committer.add(part)
	}
}
