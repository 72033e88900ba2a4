package core

import (
	"time"

	"dorado/modules/flow"
)

// KillTimeout is how long a live worker may take to confirm a kill before the attempt is recorded as killed anyway, with
// a note that says so (engine.md 3.8).
const KillTimeout = 5 * time.Minute

// timeoutGrace is what the worker, which enforces a task's timeout itself, gets before the engine asks for the kill.
const timeoutGrace = 15 * time.Second

// step is one Advance at work.
type step struct {
	*Run
	now time.Time
	out Effects
}

// Advance applies one event. It changes the run in place and returns what must be saved and then done; an event that
// does not fit the run's state gives empty effects.
func (r *Run) Advance(ev Event, now time.Time) Effects {
	r.turn++
	s := &step{Run: r, now: now}
	switch ev := ev.(type) {
	case Begin:
		s.begin(ev)
	case Adopt:
		s.adopt()
	case Pause:
		s.pause()
	case Stop:
		s.stop()
	case Placed:
		s.placed(ev)
	case Refused:
		s.refused(ev)
	case Unplaceable:
		s.unplaceable(ev)
	case Started:
		s.started(ev)
	case Finished:
		s.finished(ev)
	case Lost:
		s.lost(ev)
	case Alarm:
		s.alarm(ev)
	}
	s.drain()
	s.settle()
	return s.out
}

// begin builds the counters from the attempts that are kept and submits what is ready.
func (s *step) begin(ev Begin) {
	s.ending, s.EndTime, s.Message = false, time.Time{}, ""
	s.become(flow.WorkflowRunning, string(ev.Command))
	s.reset(func(n int32, a *Attempt, after bool) status {
		switch {
		case ev.Fresh, !after && a.State.Succeeded():
		case a.State.Succeeded():
			return settled
		case a.State == flow.TaskPause && after:
			return idle // the same row is submitted again when its turn comes
		}
		s.supersede(a)
		s.nodes[n].attempt = nil
		return idle
	})
}

// adopt rebuilds the counters around attempts that may still be at work.
func (s *step) adopt() {
	if s.State == flow.WorkflowSubmitted || s.State == flow.WorkflowFailover {
		s.become(flow.WorkflowRunning, string(flow.CommandTakeOver))
	}
	state := s.State
	s.reset(func(n int32, a *Attempt, _ bool) status {
		switch a.State {
		case flow.TaskSuccess, flow.TaskForcedSuccess:
			return settled
		case flow.TaskFailure, flow.TaskKill, flow.TaskPause, flow.TaskLost:
			return broken
		case flow.TaskSubmitted, flow.TaskDelay, flow.TaskDispatch, flow.TaskRunning:
		}
		s.active++
		s.nodes[n].status = begun
		if a.State.OnWorker() {
			s.watchTimeout(a)
			return begun
		}
		s.offer(a)
		return begun
	})
	for n := range s.nodes {
		if a := s.nodes[n].attempt; a != nil && a.State == flow.TaskFailure && s.Failure == flow.FailureEnd {
			s.ending = true
		}
	}
	switch {
	case state == flow.WorkflowReadyStop:
		s.killAll()
	case state == flow.WorkflowReadyPause:
		s.pauseWaiting()
	case s.ending:
		s.killAll()
	}
}

// reset recomputes every node in topological order. keep says what an existing attempt makes of its node; after tells it
// whether everything before the node in scope is settled.
func (s *step) reset(keep func(n int32, a *Attempt, after bool) status) {
	s.active = 0
	s.ready = s.ready[:0]
	for _, n := range s.Graph.TopoOrder() {
		nd := &s.nodes[n]
		nd.status, nd.pending = idle, 0
		if !s.scope[n] {
			continue
		}
		for _, p := range s.Graph.Pred[n] {
			if s.scope[p] && s.nodes[p].status != settled {
				nd.pending++
			}
		}
		if nd.attempt != nil {
			nd.status = keep(n, nd.attempt, nd.pending == 0)
		}
		if nd.status != idle || nd.pending > 0 {
			continue
		}
		if s.forbidden(n) {
			nd.status = settled
			continue
		}
		s.ready = append(s.ready, n)
	}
}

// forbidden nodes have no instance; they pass as soon as what is before them has.
func (s *step) forbidden(n int32) bool {
	t := &s.Graph.Tasks[n]
	return t.Flag == flow.FlagNo || t.ExecuteType == flow.Stream
}

// drain submits the nodes that became ready.
func (s *step) drain() {
	for len(s.ready) > 0 {
		n := s.ready[len(s.ready)-1]
		s.ready = s.ready[:len(s.ready)-1]
		switch {
		case s.State == flow.WorkflowReadyStop, s.ending, s.State.Finished():
			// Left without a row: nothing new starts.
		case s.forbidden(n):
			s.pass(n)
		case s.State == flow.WorkflowReadyPause:
			a := s.submission(n)
			a.State, a.Due = flow.TaskPause, time.Time{}
			s.nodes[n].status = broken
			s.changed(a)
		default:
			s.submit(s.submission(n))
		}
	}
}

// submission returns the attempt with which a ready node begins: the paused row it has, or a new first attempt.
func (s *step) submission(n int32) *Attempt {
	if a := s.nodes[n].attempt; a != nil {
		a.Submit, a.End, a.Due = s.now, time.Time{}, time.Time{}
		return a
	}
	a := s.attempt(n, 0, s.now)
	if delay := s.Graph.Tasks[n].DelayMinutes; delay > 0 {
		a.Due = s.now.Add(time.Duration(delay) * time.Minute)
	}
	return a
}

func (s *step) attempt(n int32, number int, first time.Time) *Attempt {
	group := s.Graph.Tasks[n].WorkerGroup
	if group == "" || group == "default" {
		group = s.WorkerGroup
	}
	a := &Attempt{Node: n, Valid: true, Number: number, WorkerGroup: group, FirstSubmit: first, Submit: s.now}
	s.nodes[n].attempt = a
	return a
}

// submit begins an attempt: now, or when it is due.
func (s *step) submit(a *Attempt) {
	a.State = flow.TaskSubmitted
	s.nodes[a.Node].status = begun
	s.active++
	s.changed(a)
	s.offer(a)
}

// offer makes a waiting attempt ready, or sets the timer that will.
func (s *step) offer(a *Attempt) {
	if a.Due.After(s.now) {
		if a.Number == 0 && a.State == flow.TaskSubmitted {
			a.State = flow.TaskDelay
		}
		s.out.Timers = append(s.out.Timers, Timer{At: a.Due, Attempt: a, Kind: AlarmDue})
		return
	}
	a.State = flow.TaskSubmitted
	s.out.Ready = append(s.out.Ready, a)
}

// pass settles a node well: its successors have one predecessor less to wait for.
func (s *step) pass(n int32) {
	s.nodes[n].status = settled
	for _, next := range s.Graph.Succ[n] {
		nd := &s.nodes[next]
		if !s.scope[next] || nd.status != idle {
			continue
		}
		if nd.pending--; nd.pending == 0 {
			s.ready = append(s.ready, next)
		}
	}
}

func (s *step) changed(a *Attempt) {
	if a.turn != s.turn {
		a.turn = s.turn
		s.out.Changed = append(s.out.Changed, a)
	}
}

func (s *step) supersede(a *Attempt) {
	a.Valid = false
	s.changed(a)
}

// current returns the node's valid attempt when it is the one named and not yet terminal.
func (s *step) current(n int32, id int64) *Attempt {
	if n < 0 || int(n) >= len(s.nodes) {
		return nil
	}
	a := s.nodes[n].attempt
	if a == nil || a.ID != id || a.State.Finished() {
		return nil
	}
	return a
}

func (s *step) become(next flow.WorkflowState, why string) {
	if s.State == next {
		return
	}
	s.State = next
	s.History = append(s.History, StateChange{Time: s.now, State: next, Why: why})
	s.out.RunChanged = true
}

// settle finishes the run when nothing is at work and nothing can become so (engine.md 3.5).
func (s *step) settle() {
	if s.State.Finished() || s.State == flow.WorkflowSubmitted || s.active > 0 {
		return
	}
	s.become(s.final(), "finished")
	s.EndTime = s.now
	s.out.Finished = true
}

// final is the state the run ends in, a pure function of its nodes.
func (s *step) final() flow.WorkflowState {
	ends := make([]flow.TaskEnd, 0, len(s.nodes))
	for n := range s.nodes {
		nd := &s.nodes[n]
		switch {
		case !s.scope[n] || s.forbidden(int32(n)):
		case nd.attempt == nil:
			ends = append(ends, flow.TaskEnd{Ready: nd.pending == 0})
		default:
			ends = append(ends, flow.TaskEnd{State: nd.attempt.State})
		}
	}
	return flow.FinalState(s.State, ends)
}
