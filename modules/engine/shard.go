package engine

import (
	"context"
	"sync"
	"time"

	"dorado/modules/engine/core"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// shard owns the runs whose id falls on it. One goroutine takes what waits in its mailbox, lets the core decide, and hands
// the result to the committer; nothing in it waits for the database or a worker.
type shard struct {
	e        *term
	runs     map[int64]*live
	attempts map[int64]place // attempts that are not over, by id
	work     context.Context //nolint:containedctx // that of loop, for what it starts and does not wait for

	mu    sync.Mutex
	inbox []message
	since time.Time // when the oldest of them came
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
	brought *brought // of placed: what had to be fetched
	missing int64
	held    int64
	lost    int64
	worker  string
	why     string // of lost
	epoch   int64  // of held: the one that the worker knows of the run
	asked   bool   // of report: it answers a claim; of missing: the worker can be asked
	// placings is how often the attempt had been placed when the claim was made that report answers.
	placings int
	yours    bool // of held: the worker reports to this master
	// granted: the attempt has a slot of its task group. looked: an earlier result was looked for. hopeless: no worker of
	// its group will come. order: a command about one attempt.
	granted  *ticket
	looked   *looked
	hopeless *queued
	// unfetched: the vault did not give what the attempt needs, for which a slot on worker was taken. again: it may be tried
	// once more.
	unfetched *unfetched
	again     *queued
	order     *order
	// poke wakes a logic task; it is for timers, and no shard sees it.
	poke int64
	// drop: forget the run, what it did could not be saved; of: only this one. kill: forget it, and end what workers do for
	// it. skip: take the command away.
	drop, kill, skip bool
	of               *live

	list func(*live)
}

// launch brings a run into memory.
type launch struct {
	live    *live
	command int64
	event   core.Event
}

func newShard(e *term) *shard {
	return &shard{e: e, runs: map[int64]*live{}, attempts: map[int64]place{}, wake: make(chan struct{}, 1)}
}

// post puts a message in the mailbox. It never blocks.
func (s *shard) post(m message) {
	s.mu.Lock()
	s.waits()
	s.inbox = append(s.inbox, m)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *shard) postAll(all []message) {
	s.mu.Lock()
	s.waits()
	s.inbox = append(s.inbox, all...)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// waits notes since when the oldest message waits; under the lock.
func (s *shard) waits() {
	if len(s.inbox) == 0 {
		s.since = time.Now()
	}
}

// loop handles messages until ctx ends.
func (s *shard) loop(ctx context.Context) {
	s.work = ctx
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
		s.mu.Lock()
		batch, since := s.inbox, s.since
		s.inbox = nil
		s.mu.Unlock()
		if len(batch) > 0 {
			s.e.meters.lag.Observe(time.Since(since).Seconds())
		}
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
	case m.granted != nil:
		s.granted(m.granted)
	case m.looked != nil:
		s.looked(m.looked)
	case m.hopeless != nil:
		s.apply(s.runs[m.run], core.Unplaceable{
			Node: m.hopeless.node, ID: m.hopeless.attempt, Why: "worker group " + m.hopeless.group + " does not exist",
		}, 0, nil)
	case m.unfetched != nil:
		s.unfetched(m)
	case m.again != nil:
		s.again(m.again)
	case m.order != nil:
		s.order(m)
	case m.drop:
		if m.of == nil || m.of == s.runs[m.run] {
			s.drop(m.run, m.kill)
		}
	case m.skip:
		s.ignore(m.run, m.command)
	case m.list != nil:
		if l := s.runs[m.run]; l != nil {
			m.list(l)
		} else {
			m.list(nil)
		}
	case m.event != nil:
		l := s.runs[m.run]
		switch m.event.(type) {
		case core.Stop, core.Pause:
			if l == nil {
				s.endAbsent(m.run, m.command)
				return
			}
		default:
		}
		s.apply(l, m.event, m.command, nil)
	}
}

// endAbsent carries out a stop or a pause of a run that is not in memory. It ended before the request came: then there is
// nothing to do but to take the command away. Or it never began, or was given up: then nobody else would ever end it.
func (s *shard) endAbsent(run, command int64) {
	if command == 0 {
		return
	}
	now, done := s.e.clock(), s.e.intake.done(command)
	s.e.committer.add(&change{run: run, command: command, aside: true, after: done, lost: done, extras: []extra{
		{`UPDATE task_instance SET state = 'KILL', end_time = ?, message = 'stopped; nobody worked on the run any more' WHERE workflow_instance_id = ? AND valid = ?
			AND state IN ('SUBMITTED_SUCCESS', 'DELAY_EXECUTION', 'DISPATCH', 'RUNNING_EXECUTION')
			AND EXISTS (SELECT 1 FROM workflow_instance w WHERE w.id = task_instance.workflow_instance_id AND w.state = 'READY_STOP')`, []any{now, run, true}},
		{`DELETE FROM task_group_slot WHERE workflow_instance_id = ?
			AND EXISTS (SELECT 1 FROM workflow_instance w WHERE w.id = task_group_slot.workflow_instance_id AND w.state = 'READY_STOP')`, []any{run}},
		{`DELETE FROM serial_queue WHERE workflow_instance_id = ?
			AND EXISTS (SELECT 1 FROM workflow_instance w WHERE w.id = serial_queue.workflow_instance_id AND w.state IN ('READY_STOP', 'READY_PAUSE'))`, []any{run}},
		{`UPDATE workflow_instance SET state = CASE state WHEN 'READY_STOP' THEN 'STOP' ELSE 'PAUSE' END, end_time = ?, updated_at = ?
			WHERE id = ? AND state IN ('READY_STOP', 'READY_PAUSE')`, []any{now, now, run}},
	}})
}

// ignore takes a command away whose run ended before it came, or for which there is nothing to do. 0 is no command.
func (s *shard) ignore(run, command int64) {
	if command != 0 {
		done := s.e.intake.done(command)
		s.e.committer.add(&change{run: run, command: command, aside: true, after: done, lost: done})
	}
}

func (s *shard) launch(n *launch) {
	id := n.live.run.InstanceID
	if old := s.runs[id]; old != nil {
		s.e.logger.Warn("a command for a run that is under way is dropped", "workflow_instance_id", id)
		s.ignore(id, n.command)
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
// is ended. What concerns a run that is not this master's waits until it is clear whose it is.
func (s *shard) report(m *message) {
	r := m.report
	at, known := s.attempts[r.GetId()]
	l := s.runs[r.GetWorkflowInstanceId()]
	if !known && m.asked {
		s.e.fleet.release(m.worker, r.GetId())
	}
	switch {
	case known && r.GetKind() == doradov1.ReportKind_STARTED && r.GetStartMs() == 0:
		// It has it, and has not begun it.
	case known && r.GetKind() == doradov1.ReportKind_FINISHED && r.GetOutcome() == doradov1.Outcome_UNKNOWN:
		s.unknown(m, at)
	case known:
		s.apply(s.runs[at.run], translate(r, at.node), 0, m)
	case l == nil:
		s.e.strays.add(stray{run: r.GetWorkflowInstanceId(), attempt: r.GetId(), worker: m.worker, report: r})
	default:
		// Through the committer, because what made it unknown may not be durable yet.
		epoch := l.epoch
		s.e.committer.add(&change{run: r.GetWorkflowInstanceId(), void: &l.void, after: func() { s.e.settleReport(m.worker, r, epoch) }})
	}
}

// settleReport acknowledges what a worker said of an attempt that is over.
func (e *term) settleReport(worker string, r *doradov1.Report, epoch int64) {
	e.fleet.send(worker, func(o *outbox) {
		if r.GetKind() == doradov1.ReportKind_STARTED {
			o.kill(r.GetId(), epoch)
		}
		o.ack(&doradov1.AckItem{Id: r.GetId(), Seq: r.GetSeq()})
	})
}

// askAfterSave has a worker asked for an attempt, once everything is sent that was decided of it.
func (s *shard) askAfterSave(l *live, a *core.Attempt) {
	worker, id, run, epoch, placings := a.Host, a.ID, l.run.InstanceID, l.epoch, a.Placings()
	s.e.committer.add(&change{run: run, void: &l.void, after: func() { s.e.fleet.adopt(worker, run, epoch, placings, []int64{id}) }})
}

// unknown settles an attempt that its worker does not know: one that had not begun never arrived and is sent again, one
// that had begun is lost. An answer that nobody waits for says
// nothing, because the attempt may have been sent again meanwhile: the worker is asked once more.
func (s *shard) unknown(m *message, at place) {
	r, l := m.report, s.runs[at.run]
	a := l.run.Attempt(at.node)
	switch {
	case a == nil || a.ID != r.GetId() || a.Host != m.worker || !a.State.OnWorker():
		s.e.fleet.release(m.worker, r.GetId())
	case m.asked && m.placings != a.Placings():
		// The worker spoke of the time before the attempt was placed there once more.
	case !m.asked && !a.Killing():
		s.askAfterSave(l, a)
	case a.State == flow.TaskDispatch && !a.Killing():
		s.e.fleet.release(m.worker, a.ID)
		s.apply(l, core.Refused{Node: at.node, ID: a.ID, Why: "the worker did not receive it"}, 0, m)
	default:
		s.e.fleet.release(m.worker, a.ID)
		s.apply(l, translate(r, at.node), 0, m)
	}
}

// translate turns a worker's report into what happened to the run.
func translate(r *doradov1.Report, node int32) core.Event {
	id := r.GetId()
	started := core.Started{
		Node: node, ID: id, At: instant(r.GetStartMs()), PID: int(r.GetPid()), LogPath: r.GetLogPath(), ExecutePath: r.GetExecutePath(),
		AppLink: r.GetAppLink(),
	}
	switch r.GetKind() {
	case doradov1.ReportKind_STARTED:
		return started
	case doradov1.ReportKind_REFUSED:
		return core.Refused{Node: node, ID: id, Why: r.GetMessage()}
	case doradov1.ReportKind_FINISHED:
	}
	end := core.Finished{
		Started: started, End: instant(r.GetEndMs()), ExitCode: int(r.GetExitCode()), Message: r.GetMessage(),
	}
	if t := r.GetAlert(); t != nil {
		end.Alert = &core.TaskAlert{Group: t.GetGroup(), Title: t.GetTitle(), Content: t.GetContent()}
	}
	switch r.GetOutcome() {
	case doradov1.Outcome_SUCCEEDED:
		end.Outcome = flow.TaskSuccess
		for _, p := range r.GetVarPool() {
			end.VarPool = append(end.VarPool, flow.Property{
				Prop: p.GetName(), Direct: flow.Direct(p.GetDirect()), Type: flow.ParamType(p.GetType()), Value: p.GetValue(),
				SHA256: p.GetSha256(), Size: p.GetSize(),
			})
		}
	case doradov1.Outcome_KILLED:
		end.Outcome = flow.TaskKill
	case doradov1.Outcome_LOST, doradov1.Outcome_UNKNOWN:
		return core.Lost{Node: node, ID: id, Why: r.GetMessage(), AppLink: r.GetAppLink()}
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
	if m.brought != nil {
		l.found(a.ID, m.brought)
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
	if a.State == flow.TaskDispatch && m.asked {
		// It may be on its way only now, behind the save: the worker is asked after that.
		s.askAfterSave(l, a)
		return
	}
	if a.State == flow.TaskDispatch {
		s.apply(l, core.Refused{Node: at.node, ID: a.ID, Why: "the worker did not receive it"}, 0, nil)
		return
	}
	s.apply(l, core.Lost{Node: at.node, ID: a.ID, Why: "worker " + m.worker + " lost it"}, 0, nil)
}

// drop forgets a run that is another master's, or that cannot be carried on; then what workers do for it ends.
func (s *shard) drop(run int64, kill bool) {
	l := s.runs[run]
	if l == nil {
		return
	}
	if kill {
		for node := range l.program.graph.Tasks {
			if a := l.run.Attempt(int32(node)); a != nil && a.State.OnWorker() && !l.run.Logic(a.Node) {
				s.e.fleet.send(a.Host, func(o *outbox) { o.kill(a.ID, l.epoch) })
			}
		}
	}
	s.forget(run)
	s.e.committer.add(&change{run: run, leaves: true, void: &l.void})
}

func (s *shard) forget(run int64) {
	l := s.runs[run]
	if l == nil {
		return
	}
	for node := range l.program.graph.Tasks {
		if a := l.run.Attempt(int32(node)); a != nil {
			delete(s.attempts, a.ID)
			if a.State.Finished() {
				continue
			}
			switch {
			case l.run.Logic(a.Node):
				s.e.logic.forget(a.ID)
			case a.State.OnWorker():
				s.e.fleet.release(a.Host, a.ID)
			default:
				s.e.fleet.withdraw(a.WorkerGroup, a.ID)
			}
			s.e.taskGroups.forget(a.ID)
		}
	}
	delete(s.runs, run)
	s.e.timers.forget(run)
	s.e.running.Add(-1)
	if s.e.cfg.Overload.MaxRuns > 0 {
		s.e.intake.nudge()
	}
}
