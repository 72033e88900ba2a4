package core

import (
	"slices"
	"time"

	"dorado/modules/flow"
)

func (s *step) placed(ev Placed) {
	a := s.current(ev.Node, ev.ID)
	if a == nil || a.State != flow.TaskSubmitted {
		if a != nil {
			s.out.Withdrawn = append(s.out.Withdrawn, a)
		}
		return
	}
	a.State, a.Host, a.CacheKey = flow.TaskDispatch, ev.Host, ev.CacheKey
	a.placings++
	s.changed(a)
}

// refused puts an attempt back in the queue under the same id: it never began.
func (s *step) refused(ev Refused) {
	a := s.current(ev.Node, ev.ID)
	if a == nil || a.State != flow.TaskDispatch {
		return
	}
	if a.killing || !s.startable(a.Node) {
		s.end(a, flow.TaskKill, ev.Why)
		return
	}
	a.State, a.Host = flow.TaskSubmitted, ""
	s.changed(a)
	if s.State == flow.WorkflowReadyPause {
		s.pauseOne(a)
		return
	}
	s.out.Ready = append(s.out.Ready, a)
}

// unplaceable fails an attempt before it reached a worker, or a logic one whose input cannot be built; no retry would
// help.
func (s *step) unplaceable(ev Unplaceable) {
	a := s.current(ev.Node, ev.ID)
	if a == nil || a.State.OnWorker() && !s.Logic(a.Node) {
		return
	}
	s.end(a, flow.TaskFailure, ev.Why)
	s.failed(a, false)
}

// cached ends an attempt with the result of an earlier one.
func (s *step) cached(ev Cached) {
	a := s.current(ev.Node, ev.ID)
	if a == nil || a.State != flow.TaskSubmitted {
		return
	}
	a.Start, a.VarPool, a.CacheKey = s.now, ev.VarPool, ev.Key
	s.end(a, flow.TaskSuccess, "")
	s.pass(a.Node)
}

// noted stores what a logic attempt must remember.
func (s *step) noted(ev Noted) {
	if a := s.current(ev.Node, ev.ID); a != nil && a.Context != ev.Context {
		a.Context = ev.Context
		s.changed(a)
	}
}

func (s *step) started(ev Started) {
	a := s.current(ev.Node, ev.ID)
	if a == nil {
		return
	}
	if a.started {
		if ev.AppLink != "" && ev.AppLink != a.AppLink { // remote work became known while it runs
			a.AppLink = ev.AppLink
			s.changed(a)
		}
		return
	}
	a.started = true
	a.State = flow.TaskRunning
	fill(a, ev)
	s.changed(a)
	s.watchTimeout(a)
}

// fill sets what the worker knows about the beginning of an attempt; what is there already stays.
func fill(a *Attempt, ev Started) {
	if a.Start.IsZero() {
		a.Start = ev.At
	}
	if ev.PID != 0 {
		a.PID = ev.PID
	}
	if ev.LogPath != "" {
		a.LogPath = ev.LogPath
	}
	if ev.ExecutePath != "" {
		a.ExecutePath = ev.ExecutePath
	}
	if ev.AppLink != "" {
		a.AppLink = ev.AppLink
	}
}

func (s *step) finished(ev Finished) {
	a := s.current(ev.Node, ev.ID)
	if a == nil {
		return
	}
	fill(a, ev.Started)
	if !s.Logic(a.Node) {
		a.ExitCode = &ev.ExitCode
		a.AppLink = ev.AppLink
	}
	outcome, why := s.outcome(a, ev)
	switch outcome {
	case flow.TaskSuccess, flow.TaskForcedSuccess:
		a.VarPool = ev.VarPool
		if ev.Alert != nil {
			s.out.Alerts = append(s.out.Alerts, Alert{Kind: flow.AlertTaskOK, Attempt: a, Task: ev.Alert})
		}
	case flow.TaskPause:
		s.park(a)
		return
	case flow.TaskFailure:
		if ev.Alert != nil {
			s.out.Alerts = append(s.out.Alerts, Alert{Kind: flow.AlertTaskFail, Attempt: a, Task: ev.Alert})
		}
	case flow.TaskKill, flow.TaskLost, flow.TaskSubmitted, flow.TaskDelay, flow.TaskDispatch, flow.TaskRunning:
	}
	s.end(a, outcome, why)
	if !ev.End.IsZero() {
		a.End = ev.End
	}
	s.tooLong(a)
	switch outcome {
	case flow.TaskSuccess, flow.TaskForcedSuccess:
		s.pass(a.Node)
	case flow.TaskFailure:
		s.failed(a, true)
	case flow.TaskKill, flow.TaskPause, flow.TaskLost, flow.TaskSubmitted, flow.TaskDelay, flow.TaskDispatch, flow.TaskRunning:
	}
}

// outcome is what the end of an attempt counts as.
func (s *step) outcome(a *Attempt, ev Finished) (flow.TaskState, string) {
	switch {
	case a.timedOut && (ev.Outcome == flow.TaskKill || ev.Outcome == flow.TaskPause):
		return flow.TaskFailure, "timeout"
	case a.killing && !a.timedOut && (ev.Outcome == flow.TaskFailure || ev.Outcome == flow.TaskPause):
		return flow.TaskKill, ev.Message // it ended because it was told to, whatever it returned
	case ev.Outcome == flow.TaskKill && !a.killing && s.expired(a, ev.End):
		return flow.TaskFailure, "timeout" // the kill was asked for before a restart
	case ev.Outcome == flow.TaskPause && !s.Logic(a.Node):
		return flow.TaskKill, ev.Message // workers know no pause
	}
	return ev.Outcome, ev.Message
}

// park makes a logic attempt PAUSE: it goes on in the same row when the run is resumed.
func (s *step) park(a *Attempt) {
	a.State, a.Due = flow.TaskPause, time.Time{}
	s.nodes[a.Node].status = broken
	s.active--
	s.changed(a)
}

// lost gives up an attempt whose worker is gone and begins the next one. It does not consume a retry.
func (s *step) lost(ev Lost) {
	a := s.current(ev.Node, ev.ID)
	if a == nil || !a.State.OnWorker() {
		return
	}
	if ev.AppLink != "" {
		a.AppLink = ev.AppLink
	}
	if a.timedOut {
		s.end(a, flow.TaskFailure, "timeout; "+ev.Why)
		s.failed(a, true)
		return
	}
	if a.killing || !s.startable(a.Node) {
		s.end(a, flow.TaskKill, ev.Why)
		return
	}
	s.end(a, flow.TaskLost, ev.Why)
	a.Valid = false
	s.alert(flow.AlertTolerance, a)
	next := s.attempt(a.Node, a.Number, a.FirstSubmit)
	next.AppLink, next.Context = a.AppLink, a.Context
	s.succeed(next)
}

// succeed submits the attempt that follows a lost or failed one, as the run's state allows.
func (s *step) succeed(next *Attempt) {
	if s.State == flow.WorkflowReadyPause {
		next.State, next.Due = flow.TaskPause, time.Time{}
		s.nodes[next.Node].status = broken
		s.changed(next)
		return
	}
	s.submit(next)
}

// end makes an attempt terminal. Its node is broken until something better is known.
func (s *step) end(a *Attempt, state flow.TaskState, why string) {
	if a.State == flow.TaskSubmitted {
		s.out.Withdrawn = append(s.out.Withdrawn, a)
	}
	a.State, a.End = state, s.now
	if why != "" || a.Message == killRequested && state != flow.TaskKill {
		a.Message = why
	}
	s.nodes[a.Node].status = broken
	s.active--
	s.changed(a)
}

// failed decides what follows a failure: another attempt, or, when there is none, the CONDITIONS behind it and the failure
// strategy. A stream that fails is looked at by a person: there is no other attempt.
func (s *step) failed(a *Attempt, retry bool) {
	t := &s.Graph.Tasks[a.Node]
	if retry && a.Number < t.RetryTimes && s.startable(a.Node) && !s.Stream {
		a.Valid = false
		next := s.attempt(a.Node, a.Number+1, a.FirstSubmit)
		if s.Graph.Kinds[a.Node].Children() {
			next.Context = a.Context // the run it started is continued
		}
		if t.RetryInterval > 0 {
			next.Due = a.End.Add(time.Duration(t.RetryInterval) * time.Minute)
		}
		s.succeed(next)
		return
	}
	s.give(a.Node)
	if !s.ending && s.State != flow.WorkflowReadyStop && s.ends(a) {
		s.ending = true
		s.killAll(false)
	}
}

// ends reports whether an attempt is a final failure that ends the run under its failure strategy.
func (s *step) ends(a *Attempt) bool {
	return s.Failure == flow.FailureEnd && a.State == flow.TaskFailure && !s.Graph.Tasks[a.Node].Finally && !s.handled(a.Node)
}

// kill asks for the end of an attempt that is at work; asked again, it asks again.
func (s *step) kill(a *Attempt) {
	if !a.killing {
		a.killing = true
		s.out.Timers = append(s.out.Timers, Timer{At: s.now.Add(KillTimeout), Attempt: a, Kind: AlarmUnconfirmed})
	}
	s.out.Kill = append(s.out.Kill, a)
}

// killRequested is the message of an attempt whose kill somebody asked for; it is how a restart knows of it.
const killRequested = "kill requested"

// killTask ends one attempt because somebody asks for it: no retry follows.
func (s *step) killTask(ev KillTask) {
	a := s.current(ev.Node, ev.ID)
	switch {
	case a == nil:
	case a.State.OnWorker():
		a.timedOut, a.Message = false, killRequested
		s.changed(a)
		s.kill(a)
	default:
		why := "killed before it began"
		if a.AppLink != "" { // of the attempt before it, whose worker was lost
			why += "; the remote work " + a.AppLink + " may go on"
		}
		s.end(a, flow.TaskKill, why)
	}
}

// killAll ends every attempt, those of finally nodes only when asked: those that wait at once, those at work by a kill.
func (s *step) killAll(finally bool) {
	s.out.Ready = nil
	s.out.Logic = slices.DeleteFunc(s.out.Logic, func(a *Attempt) bool {
		if a.turn != s.turn || a.State.Finished() || s.Graph.Tasks[a.Node].Finally && !finally {
			return false
		}
		s.end(a, flow.TaskKill, "stopped before it began") // in this very step: the shell does not know it yet
		return true
	})
	for n := range s.nodes {
		a := s.nodes[n].attempt
		switch {
		case a == nil || s.nodes[n].status != begun:
		case s.Graph.Tasks[n].Finally && !finally:
		case a.State.OnWorker():
			s.kill(a)
		default:
			s.end(a, flow.TaskKill, "stopped before it began")
		}
	}
}

func (s *step) pause() {
	if s.State != flow.WorkflowRunning {
		return
	}
	s.become(flow.WorkflowReadyPause, "pause requested")
	s.pauseWaiting()
}

// pauseWaiting parks every attempt that nothing works on, and asks logic ones that wait to stop. Others go on to their
// natural end.
func (s *step) pauseWaiting() {
	s.out.Ready = nil
	for n := range s.nodes {
		a := s.nodes[n].attempt
		switch {
		case a == nil || s.nodes[n].status != begun:
		case !a.State.OnWorker():
			s.pauseOne(a)
		case s.Logic(a.Node) && !a.killing:
			s.out.Park = append(s.out.Park, a)
		}
	}
}

func (s *step) pauseOne(a *Attempt) {
	s.out.Withdrawn = append(s.out.Withdrawn, a)
	s.park(a)
}

func (s *step) stop() {
	switch s.State {
	case flow.WorkflowRunning, flow.WorkflowReadyPause, flow.WorkflowSubmitted:
		s.become(flow.WorkflowReadyStop, "stop requested")
		s.cut = s.open
		s.killAll(s.cut)
	case flow.WorkflowReadyStop: // pressed again: the kills are sent again
		s.cut = s.cut || s.open
		s.killAll(s.cut)
	case flow.WorkflowPause, flow.WorkflowStop, flow.WorkflowFailure, flow.WorkflowSuccess,
		flow.WorkflowSerialWait, flow.WorkflowWaitToRun, flow.WorkflowFailover:
	}
}
