package engine

import (
	"slices"

	"dorado/modules/engine/core"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// apply lets the core decide on an event and hands the outcome on. A run that is gone ignores everything.
func (s *shard) apply(l *live, ev core.Event, command int64, report *message) {
	if l == nil {
		return
	}
	t := &turn{shard: s, l: l}
	switch ev.(type) {
	case core.Begin, core.Execute:
		l.forgetPools()
		t.claims = true
	case core.Adopt:
		t.claims = true
	default:
	}
	t.advance(ev)
	if _, taken := ev.(core.Adopt); taken {
		t.held = l.onWorkers()
	}
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
	logic    []*core.Attempt // begin, or go on
	parks    []*core.Attempt
	alerts   []core.Alert
	extras   []extra
	lookups  []lookup
	queued   map[int64]bool     // attempts that wait for a slot of a worker from now on
	tickets  []ticket           // wait for a slot of their task group from now on
	forced   []int64            // wait for it no longer
	claims   bool               // only whoever takes the command may do this
	held     map[string][]int64 // attempts that workers hold since before this master had the run, by worker
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
	t.logic = append(t.logic, out.Logic...)
	t.parks = append(t.parks, out.Park...)
	t.alerts = append(t.alerts, out.Alerts...)
	for _, timer := range out.Timers {
		alarm := core.Alarm{Node: -1, Kind: timer.Kind}
		if a := timer.Attempt; a != nil {
			alarm.Node, alarm.ID = a.Node, a.ID
		}
		t.e.timers.add(timer.At, message{run: t.l.run.InstanceID, event: alarm})
	}
	for _, a := range out.Withdrawn {
		t.e.fleet.withdraw(a.WorkerGroup, a.ID)
	}
	for _, a := range out.Ready {
		t.ready(a)
	}
}

// ready brings an attempt on its way to a worker, which has three gates: its task group, an earlier result, a free slot.
func (t *turn) ready(a *core.Attempt) {
	if t.l.grouped(a) && !t.l.granted[a.ID] {
		t.tickets = append(t.tickets, t.l.ticket(a))
		return
	}
	t.admitted(a)
}

// admitted is the part of ready behind the task group.
func (t *turn) admitted(a *core.Attempt) {
	if key, ok := t.lookup(a); ok {
		t.lookups = append(t.lookups, lookup{run: t.l.run.InstanceID, node: a.Node, attempt: a.ID, key: key})
		return
	}
	t.place(a)
}

// place is the part of ready behind the look for an earlier result.
func (t *turn) place(a *core.Attempt) {
	if worker, ok := t.e.fleet.reserve(t.l.queued(a)); ok {
		t.assign(a, worker)
		return
	}
	if t.queued == nil {
		t.queued = map[int64]bool{}
	}
	t.queued[a.ID] = true
}

// waiting is the attempt of a node, if it is the one named and still waits for a worker.
func (l *live) waiting(node int32, attempt int64) *core.Attempt {
	a := l.run.Attempt(node)
	if a == nil || a.ID != attempt || a.State != flow.TaskSubmitted {
		return nil
	}
	return a
}

// granted lets an attempt go on that has a slot of its task group now, or needs none any more.
func (s *shard) granted(k *ticket) {
	l := s.runs[k.run]
	if l == nil {
		return
	}
	a := l.waiting(k.node, k.attempt)
	if a == nil {
		return
	}
	if l.granted == nil {
		l.granted = map[int64]bool{}
	}
	l.granted[a.ID] = true
	t := &turn{shard: s, l: l}
	t.admitted(a)
	t.finish(0, nil)
}

// assign gives an attempt, for which a slot was taken, to a worker.
func (t *turn) assign(a *core.Attempt, worker string) {
	task, missing, err := t.l.task(a)
	if err != nil {
		t.e.fleet.release(worker, a.ID)
		t.advance(core.Unplaceable{Node: a.Node, ID: a.ID, Why: err.Error()})
		return
	}
	if !missing.none() {
		t.fetch(t.l, a, worker, missing)
		return
	}
	delete(t.l.asked, a.ID)
	delete(t.l.brought, a.ID)
	t.advance(core.Placed{Node: a.Node, ID: a.ID, Host: worker, CacheKey: t.l.missed[a.ID]})
	t.sends = append(t.sends, send{worker, task})
}

// finish queues the save of what changed; its effects follow the commit.
func (t *turn) finish(command int64, report *message) {
	e, l, id := t.e, t.l, t.l.run.InstanceID
	ch := &change{run: id, command: command, epoch: l.epoch, aside: !t.claims, void: &l.void}
	ch.attempts = make([]attemptRow, 0, len(t.changed))
	seen := make(map[int64]bool, len(t.changed))
	var over []*core.Attempt // leave their task groups
	for _, a := range t.changed {
		if a.State.Finished() || !a.Valid {
			delete(t.attempts, a.ID)
			if l.program.graph.Tasks[a.Node].TaskGroupID > 0 && !l.run.Logic(a.Node) {
				over = append(over, a)
				delete(l.granted, a.ID)
				e.taskGroups.forget(a.ID)
			}
		} else {
			t.attempts[a.ID] = place{id, a.Node}
		}
		if !seen[a.ID] {
			seen[a.ID] = true
			row := newAttemptRow(l, a)
			row.late = row.first() && command == 0 && t.queued[a.ID]
			ch.attempts = append(ch.attempts, row)
			e.meters.attempt(&row)
		}
	}
	if t.run || t.finished || command != 0 {
		ch.instance = newRunRow(l, t.finished)
	}
	for _, a := range t.alerts {
		e.meters.timeout(a.Kind)
	}
	slots, groups := t.slots(over)
	ch.extras = slices.Concat(t.extras, e.alertRows(l, t.alerts), t.resultRows(report), slots)
	watched := e.logic.watches(l.instance.WorkflowCode)
	var ended *Ended
	if t.finished {
		e.meters.ended(l.run.State)
		ended = l.ended()
		t.forget(id)
	}
	sends, kills, parks, lookups, held := t.sends, l.killed(t.kills), t.parks, t.lookups, t.held
	claims, tickets, forced := t.claims, t.tickets, t.forced
	alerts, tasks := len(t.alerts) > 0, e.logicTasks(l, t.logic)
	ch.after = func() {
		if command != 0 {
			e.intake.done(command)()
		}
		if claims {
			l.owned.Store(true)
		}
		for worker, attempts := range held {
			e.fleet.adopt(worker, id, l.epoch, 0, attempts)
		}
		for _, s := range sends {
			if !e.fleet.send(s.worker, func(o *outbox) { o.dispatch(s.task) }) {
				// The worker left meanwhile. Whether it comes back or not, what it held is settled then.
				e.logger.Debug("a worker left before its task was sent", "worker", s.worker, "task_instance_id", s.task.GetId())
			}
		}
		if len(tickets) > 0 {
			e.taskGroups.wait(tickets)
		}
		for _, id := range forced {
			e.taskGroups.release(id)
		}
		for _, id := range groups {
			e.taskGroups.look(id)
		}
		for _, n := range tasks {
			e.logic.begin(n)
		}
		for _, k := range kills {
			if k.worker == "" {
				e.logic.stop(k.attempt)
				continue
			}
			e.fleet.send(k.worker, func(o *outbox) { o.kill(k.attempt, l.epoch) })
		}
		for _, a := range parks {
			e.logic.park(a.ID)
		}
		for _, n := range lookups {
			e.logic.look(n)
		}
		if report != nil {
			e.fleet.send(report.worker, func(o *outbox) {
				o.ack(&doradov1.AckItem{Id: report.report.GetId(), Seq: report.report.GetSeq()})
			})
		}
		if alerts {
			e.alerts.nudge()
		}
		if ended != nil {
			e.followers.add(*ended)
			if l.program.serial() {
				e.serial.look(ended.WorkflowCode)
			}
		} else if watched {
			e.logic.wakeWaiting(l.instance.WorkflowCode)
		}
	}
	ch.lost = func() {
		if command != 0 {
			e.intake.done(command)()
		}
		e.shard(id).post(message{run: id, drop: true, of: l})
	}
	for _, part := range ch.split() {
		e.committer.add(part)
	}
}

// ended describes a run that is over.
func (l *live) ended() *Ended {
	return &Ended{
		InstanceID: l.run.InstanceID, WorkflowCode: l.instance.WorkflowCode, ProjectCode: l.run.ProjectCode, State: l.run.State,
		ScheduleTime: l.instance.ScheduleTime, StartTime: l.run.StartTime, EndTime: l.run.EndTime, Param: l.param,
	}
}

// victim is an attempt that is to end; worker is "" for one that needs none.
type victim struct {
	worker  string
	attempt int64
}

func (l *live) killed(attempts []*core.Attempt) []victim {
	list := make([]victim, 0, len(attempts))
	for _, a := range attempts {
		v := victim{worker: a.Host, attempt: a.ID}
		if l.run.Logic(a.Node) {
			v.worker = ""
		}
		list = append(list, v)
	}
	return list
}

// onWorkers lists the attempts that workers hold, by worker.
func (l *live) onWorkers() map[string][]int64 {
	held := map[string][]int64{}
	for node := range l.program.graph.Tasks {
		if a := l.run.Attempt(int32(node)); a != nil && a.State.OnWorker() && !l.run.Logic(a.Node) {
			held[a.Host] = append(held[a.Host], a.ID)
		}
	}
	return held
}
