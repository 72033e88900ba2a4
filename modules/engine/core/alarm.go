package core

import (
	"time"

	"dorado/modules/flow"
)

// limit is how long an attempt of the node may take; 0 = as long as it wants.
func (s *step) limit(n int32) time.Duration {
	t := &s.Graph.Tasks[n]
	if t.TimeoutFlag != flow.TimeoutOpen || t.TimeoutMinutes <= 0 {
		return 0
	}
	return time.Duration(t.TimeoutMinutes) * time.Minute
}

// watchTimeout sets the alarms of an attempt at work. For the kill of a physical one the worker has the first turn: the
// engine is the second line, for a worker that lost its clock.
func (s *step) watchTimeout(a *Attempt) {
	limit := s.limit(a.Node)
	if limit == 0 || a.Start.IsZero() {
		return
	}
	strategy, at := s.Graph.Tasks[a.Node].TimeoutStrategy, a.Start.Add(limit)
	if strategy.Warns() && !a.warned {
		s.out.Timers = append(s.out.Timers, Timer{At: at, Attempt: a, Kind: AlarmWarn})
	}
	if strategy.Kills() {
		if !s.Logic(a.Node) {
			at = at.Add(timeoutGrace)
		}
		s.out.Timers = append(s.out.Timers, Timer{At: at, Attempt: a, Kind: AlarmTimeout})
	}
}

// expired reports whether an attempt that ended at end, zero for now, took so long that it is to be killed.
func (s *step) expired(a *Attempt, end time.Time) bool {
	if end.IsZero() {
		end = s.now
	}
	limit := s.limit(a.Node)
	return limit > 0 && s.Graph.Tasks[a.Node].TimeoutStrategy.Kills() && !a.Start.IsZero() && end.Sub(a.Start) >= limit
}

// tooLong tells people, once, when an attempt took longer than it may.
func (s *step) tooLong(a *Attempt) {
	limit := s.limit(a.Node)
	if limit == 0 || a.warned || a.Start.IsZero() || !s.Graph.Tasks[a.Node].TimeoutStrategy.Warns() {
		return
	}
	end := a.End
	if !a.State.Finished() {
		end = s.now
	}
	if end.Sub(a.Start) >= limit {
		a.warned = true
		s.alert(flow.AlertTaskTime, a)
	}
}

// watch sets the alarms of the run as a whole. A deadline that is over is news when the run begins for the first time,
// not when somebody repeats or continues it later.
func (s *step) watch(begins bool) {
	if s.Timeout > 0 {
		s.out.Timers = append(s.out.Timers, Timer{At: s.RestartTime.Add(s.Timeout), Kind: AlarmRunTimeout})
	}
	if s.Deadline.IsZero() {
		return
	}
	if again := s.again(); begins && again && !s.Deadline.After(s.now) || !begins && again && !s.Deadline.After(s.RestartTime) {
		return
	}
	s.out.Timers = append(s.out.Timers, Timer{At: s.Deadline, Kind: AlarmDeadline})
}

// again reports whether the latest command went on with a run that had ended.
func (s *step) again() bool {
	switch s.Command {
	case flow.CommandRepeat, flow.CommandResume, flow.CommandRecoverFailed, flow.CommandExecuteTask:
		return true
	case flow.CommandStart, flow.CommandTakeOver, flow.CommandBackfill, flow.CommandSchedule, flow.CommandPause, flow.CommandStop,
		flow.CommandSerialWait, flow.CommandDynamicChild, flow.CommandDecide, flow.CommandForceStart, flow.CommandKillTask,
		flow.CommandGroupPriority:
	}
	return false
}

func (s *step) alarm(ev Alarm) {
	switch ev.Kind {
	case AlarmRunTimeout:
		s.tell(flow.AlertTimeout, &s.late)
		return
	case AlarmDeadline:
		s.tell(flow.AlertDeadline, &s.overdue)
		return
	case AlarmDue, AlarmTimeout, AlarmWarn, AlarmUnconfirmed:
	}
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
			s.changed(a)
		}
		s.offer(a)
	case AlarmWarn:
		s.tooLong(a)
	case AlarmTimeout:
		if a.State.OnWorker() && !a.killing {
			s.tooLong(a)
			a.timedOut = true
			s.kill(a)
		}
	case AlarmUnconfirmed:
		s.unconfirmed(a)
	case AlarmRunTimeout, AlarmDeadline:
	}
}

// tell makes an alert of the run as a whole, once and only while it is not over.
func (s *step) tell(kind flow.AlertType, told *bool) {
	if *told || s.State.Finished() {
		return
	}
	*told = true
	s.alert(kind, nil)
}

func (s *step) unconfirmed(a *Attempt) {
	who := "the worker"
	if s.Logic(a.Node) {
		who = "the run it started"
	}
	switch {
	case !a.killing:
	case a.timedOut:
		s.end(a, flow.TaskFailure, "timeout; "+who+" did not confirm the kill")
		s.failed(a, true)
	default:
		s.end(a, flow.TaskKill, "kill not confirmed by "+who)
	}
}
