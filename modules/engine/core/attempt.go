package core

import (
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
	a.State, a.Host = flow.TaskDispatch, ev.Host
	s.changed(a)
}

// refused puts an attempt back in the queue under the same id: it never began.
func (s *step) refused(ev Refused) {
	a := s.current(ev.Node, ev.ID)
	if a == nil || a.State != flow.TaskDispatch {
		return
	}
	if a.killing || s.ending || s.State == flow.WorkflowReadyStop {
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

// unplaceable fails an attempt before it reached a worker; no retry would help.
func (s *step) unplaceable(ev Unplaceable) {
	a := s.current(ev.Node, ev.ID)
	if a == nil || a.State.OnWorker() {
		return
	}
	s.end(a, flow.TaskFailure, ev.Why)
	s.failed(a, false)
}

func (s *step) started(ev Started) {
	a := s.current(ev.Node, ev.ID)
	if a == nil || a.started {
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
}

// watchTimeout sets the engine's own alarm behind the worker's: the second line, for a worker that lost its clock.
func (s *step) watchTimeout(a *Attempt) {
	t := &s.Graph.Tasks[a.Node]
	if t.TimeoutFlag != flow.TimeoutOpen || t.TimeoutMinutes <= 0 || !t.TimeoutStrategy.Kills() || a.Start.IsZero() {
		return
	}
	at := a.Start.Add(time.Duration(t.TimeoutMinutes)*time.Minute + timeoutGrace)
	s.out.Timers = append(s.out.Timers, Timer{At: at, Attempt: a, Kind: AlarmTimeout})
}

func (s *step) finished(ev Finished) {
	a := s.current(ev.Node, ev.ID)
	if a == nil {
		return
	}
	fill(a, ev.Started)
	a.ExitCode = &ev.ExitCode
	a.AppLink = ev.AppLink
	outcome, why := ev.Outcome, ev.Message
	if a.timedOut && outcome == flow.TaskKill {
		outcome, why = flow.TaskFailure, "timeout"
	}
	if a.killing && !a.timedOut && outcome == flow.TaskFailure {
		outcome = flow.TaskKill // it ended because it was told to, whatever it returned
	}
	if outcome == flow.TaskSuccess {
		a.VarPool = ev.VarPool
	}
	s.end(a, outcome, why)
	if !ev.End.IsZero() {
		a.End = ev.End
	}
	switch outcome {
	case flow.TaskSuccess, flow.TaskForcedSuccess:
		s.pass(a.Node)
	case flow.TaskFailure:
		s.failed(a, true)
	case flow.TaskKill, flow.TaskPause, flow.TaskLost, flow.TaskSubmitted, flow.TaskDelay, flow.TaskDispatch, flow.TaskRunning:
	}
}

// lost gives up an attempt whose worker is gone and begins the next one. It does not consume a retry.
func (s *step) lost(ev Lost) {
	a := s.current(ev.Node, ev.ID)
	if a == nil || !a.State.OnWorker() {
		return
	}
	if a.timedOut {
		s.end(a, flow.TaskFailure, "timeout; "+ev.Why)
		s.failed(a, true)
		return
	}
	if a.killing || s.ending || s.State == flow.WorkflowReadyStop {
		s.end(a, flow.TaskKill, ev.Why)
		return
	}
	s.end(a, flow.TaskLost, ev.Why)
	a.Valid = false
	next := s.attempt(a.Node, a.Number, a.FirstSubmit)
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
	if why != "" {
		a.Message = why
	}
	s.nodes[a.Node].status = broken
	s.active--
	s.changed(a)
}

// failed decides what follows a failure: another attempt, or, when there is none, the failure strategy.
func (s *step) failed(a *Attempt, retry bool) {
	t := &s.Graph.Tasks[a.Node]
	open := s.State == flow.WorkflowRunning && !s.ending
	if retry && a.Number < t.RetryTimes && (open || s.State == flow.WorkflowReadyPause) {
		a.Valid = false
		next := s.attempt(a.Node, a.Number+1, a.FirstSubmit)
		if t.RetryInterval > 0 {
			next.Due = a.End.Add(time.Duration(t.RetryInterval) * time.Minute)
		}
		s.succeed(next)
		return
	}
	if open && s.Failure == flow.FailureEnd {
		s.ending = true
		s.killAll()
	}
}

func (s *step) alarm(ev Alarm) {
	a := s.current(ev.Node, ev.ID)
	if a == nil {
		return
	}
	switch ev.Kind {
	case AlarmDue:
		if a.State.OnWorker() {
			return
		}
		if a.State == flow.TaskDelay {
			a.State = flow.TaskSubmitted
			s.changed(a)
		}
		s.out.Ready = append(s.out.Ready, a)
	case AlarmTimeout:
		if a.State.OnWorker() && !a.killing {
			a.timedOut = true
			s.kill(a)
		}
	case AlarmWarn, AlarmRunTimeout, AlarmDeadline:
	case AlarmUnconfirmed:
		if !a.killing {
			return
		}
		if a.timedOut {
			s.end(a, flow.TaskFailure, "timeout; the worker did not confirm the kill")
			s.failed(a, true)
			return
		}
		s.end(a, flow.TaskKill, "kill not confirmed by the worker")
	}
}

// kill asks a worker to end an attempt; asked again, it asks the worker again.
func (s *step) kill(a *Attempt) {
	if !a.killing {
		a.killing = true
		s.out.Timers = append(s.out.Timers, Timer{At: s.now.Add(KillTimeout), Attempt: a, Kind: AlarmUnconfirmed})
	}
	s.out.Kill = append(s.out.Kill, a)
}

// killAll ends every attempt: those that wait at once, those on a worker by a kill.
func (s *step) killAll() {
	s.out.Ready = nil
	for n := range s.nodes {
		a := s.nodes[n].attempt
		if a == nil || s.nodes[n].status != begun {
			continue
		}
		if a.State.OnWorker() {
			s.kill(a)
			continue
		}
		s.end(a, flow.TaskKill, "stopped before it began")
	}
}

func (s *step) pause() {
	if s.State != flow.WorkflowRunning {
		return
	}
	s.become(flow.WorkflowReadyPause, "pause requested")
	s.pauseWaiting()
}

// pauseWaiting parks every attempt that no worker holds; running ones go on to their natural end.
func (s *step) pauseWaiting() {
	s.out.Ready = nil
	for n := range s.nodes {
		a := s.nodes[n].attempt
		if a != nil && s.nodes[n].status == begun && !a.State.OnWorker() {
			s.pauseOne(a)
		}
	}
}

func (s *step) pauseOne(a *Attempt) {
	s.out.Withdrawn = append(s.out.Withdrawn, a)
	a.State, a.Due = flow.TaskPause, time.Time{}
	s.nodes[a.Node].status = broken
	s.active--
	s.changed(a)
}

func (s *step) stop() {
	switch s.State {
	case flow.WorkflowRunning, flow.WorkflowReadyPause, flow.WorkflowSubmitted:
		s.become(flow.WorkflowReadyStop, "stop requested")
		s.killAll()
	case flow.WorkflowReadyStop:
		s.killAll() // pressed again: the kills are sent again
	case flow.WorkflowPause, flow.WorkflowStop, flow.WorkflowFailure, flow.WorkflowSuccess,
		flow.WorkflowSerialWait, flow.WorkflowWaitToRun, flow.WorkflowFailover:
	}
}
