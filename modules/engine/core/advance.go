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
	now      time.Time
	out      Effects
	counting bool // counters are being rebuilt: who arrives is looked at later
	// What the branching node freshNode chose just now; nil for none.
	fresh     []int64
	freshNode int32
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
	case Execute:
		s.execute(ev)
	case Pause:
		s.pause()
	case Stop:
		s.stop()
	case KillTask:
		s.killTask(ev)
	case Placed:
		s.placed(ev)
	case Refused:
		s.refused(ev)
	case Unplaceable:
		s.unplaceable(ev)
	case Cached:
		s.cached(ev)
	case Noted:
		s.noted(ev)
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

// drain looks at the nodes whose predecessors are settled and begins, passes or skips them.
func (s *step) drain() {
	for at := 0; at < len(s.ready); at++ { // grows while it is read
		n := s.ready[at]
		nd := &s.nodes[n]
		switch {
		case nd.attempt == nil && nd.dead && !nd.live:
			s.skip(n)
		case nd.attempt == nil && s.forbidden(n):
			s.pass(n)
		case !s.startable(n):
			// Left without a row: nothing new starts.
		case s.State == flow.WorkflowReadyPause:
			a := s.submission(n)
			a.State, a.Due = flow.TaskPause, time.Time{}
			nd.status = broken
			s.changed(a)
		default:
			s.submit(s.submission(n))
		}
	}
	s.ready = s.ready[:0]
}

// startable reports whether a node may begin now, or be parked. A stop and a failure under the END strategy do not keep
// finally nodes from starting, unless the stop came while these were at it.
func (s *step) startable(n int32) bool {
	if s.State.Finished() {
		return false
	}
	if s.Graph.Tasks[n].Finally {
		return !s.cut
	}
	return s.State != flow.WorkflowReadyStop && !s.ending
}

// submission returns the attempt with which a ready node begins: the row it has, which was paused or goes on with the run
// it started, or a new first attempt.
func (s *step) submission(n int32) *Attempt {
	if a := s.nodes[n].attempt; a != nil {
		a.Submit, a.Start, a.End, a.Due = s.now, time.Time{}, time.Time{}, time.Time{}
		if a.State != flow.TaskPause {
			a.Number = 0 // a recovery begins a new series of retries
		} else if a.Number == 0 && a.Context == "" {
			a.Due = s.delayed(n, a.FirstSubmit)
		}
		a.ExitCode, a.Message = nil, ""
		a.warned, a.killing, a.timedOut, a.started = false, false, false, false
		if !s.Graph.Kinds[n].Children() {
			a.Context = ""
		}
		return a
	}
	a := s.attempt(n, 0, s.now)
	a.Due = s.delayed(n, s.now)
	return a
}

// delayed is when a node may begin that was first submitted at first; zero = at once.
func (s *step) delayed(n int32, first time.Time) time.Time {
	if delay := s.Graph.Tasks[n].DelayMinutes; delay > 0 {
		return first.Add(time.Duration(delay) * time.Minute)
	}
	return time.Time{}
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
	switch kind := s.Graph.Kinds[a.Node]; {
	case kind == flow.KindPhysical:
		s.out.Ready = append(s.out.Ready, a)
	case kind.Branches():
		s.decide(a)
	default:
		s.launch(a)
	}
}

// launch begins a logic attempt, which the shell carries out.
func (s *step) launch(a *Attempt) {
	a.State, a.Start, a.Host = flow.TaskRunning, s.now, ""
	s.changed(a)
	if kind := s.Graph.Kinds[a.Node]; s.DryRun && (kind == flow.KindDependent || kind == flow.KindApproval) {
		s.end(a, flow.TaskSuccess, "")
		s.pass(a.Node)
		return
	}
	s.out.Logic = append(s.out.Logic, a)
	s.watchTimeout(a)
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

// settle finishes the run when nothing is at work and nothing can become so (engine.md 3.5). Finally nodes are what is
// left to do before.
func (s *step) settle() {
	for {
		if s.State.Finished() || s.State == flow.WorkflowSubmitted || s.active > 0 {
			return
		}
		if !s.admit() {
			break
		}
		s.drain()
	}
	s.become(s.finalState(), "finished")
	s.EndTime = s.now
	s.out.Finished = true
	if kind := s.Warning.EndAlert(s.State); kind != "" && !s.IsSub {
		s.alert(kind, nil)
	}
}

// admit lets the finally nodes start, once, when the others are done. What was paused is not.
func (s *step) admit() bool {
	if s.open || len(s.final) == 0 {
		return false
	}
	for n := range s.nodes {
		if a := s.nodes[n].attempt; s.scope[n] && a != nil && a.State == flow.TaskPause {
			return false
		}
	}
	s.open = true
	for _, n := range s.final {
		s.count(n)
	}
	return true
}

// finalState is the state the run ends in, a pure function of its nodes.
func (s *step) finalState() flow.WorkflowState {
	ends := make([]flow.TaskEnd, 0, len(s.nodes))
	for i := range s.nodes {
		n, nd := int32(i), &s.nodes[i]
		switch {
		case nd.attempt != nil:
			end := flow.TaskEnd{State: nd.attempt.State}
			end.Handled = end.State == flow.TaskFailure && s.handled(n)
			ends = append(ends, end)
		case !s.scope[n] || nd.status == skipped || nd.status == settled || s.forbidden(n):
		default:
			ends = append(ends, flow.TaskEnd{Ready: nd.pending == 0})
		}
	}
	return flow.FinalState(s.State, ends)
}

func (s *step) alert(kind flow.AlertType, a *Attempt) {
	s.out.Alerts = append(s.out.Alerts, Alert{Kind: kind, Attempt: a})
}
