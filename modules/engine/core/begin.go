package core

import (
	"time"

	"dorado/modules/flow"
)

// begin builds the counters from the attempts that are kept and submits what is ready.
func (s *step) begin(ev Begin) {
	s.scope = s.base
	s.restart(ev.Command)
	if ev.Fresh {
		for n := range s.nodes {
			if a := s.nodes[n].attempt; a != nil {
				s.supersede(a)
				s.nodes[n].attempt = nil
			}
		}
	}
	s.reset(false, func(n int32, a *Attempt, reached bool) status {
		if reached {
			switch {
			case a.State.Succeeded():
				return settled
			case a.State == flow.TaskPause:
				return idle // the same row is submitted again
			case s.Graph.Kinds[n].Children() && a.Context != "" && a.State.Finished():
				return idle // the run it started goes on
			}
		}
		s.supersede(a)
		s.nodes[n].attempt = nil
		return idle
	})
}

// execute runs a part of a finished run again.
func (s *step) execute(ev Execute) {
	cut, err := s.Graph.Scope(ev.Nodes, ev.Depend)
	if err != nil || len(ev.Nodes) == 0 {
		s.out.Finished = true // refused at the door already; what is there stays
		return
	}
	s.extend(cut)
	s.scope = cut
	s.restart(flow.CommandExecuteTask)
	s.reset(false, func(n int32, a *Attempt, _ bool) status {
		s.supersede(a)
		s.nodes[n].attempt = nil
		return idle
	})
}

// restart prepares a run for what a command begins.
func (s *step) restart(command flow.CommandType) {
	s.Command = command
	s.ending, s.open, s.cut, s.late, s.overdue = false, false, false, false, false
	s.EndTime, s.Message, s.RestartTime = time.Time{}, "", s.now
	s.become(flow.WorkflowRunning, string(command))
	s.watch(true)
}

// adopt rebuilds the counters around attempts that may still be at work.
func (s *step) adopt() {
	if s.State == flow.WorkflowSubmitted || s.State == flow.WorkflowFailover {
		s.become(flow.WorkflowRunning, string(flow.CommandTakeOver))
	}
	if s.RestartTime.IsZero() {
		s.RestartTime = s.now
	}
	s.watch(false)
	state := s.State
	s.reset(true, func(n int32, a *Attempt, _ bool) status {
		switch a.State {
		case flow.TaskSuccess, flow.TaskForcedSuccess:
			return settled
		case flow.TaskPause:
			if state == flow.WorkflowRunning && (!s.Graph.Kinds[n].Children() || a.Context == "") {
				return idle // it was about to be submitted again
			}
			return broken
		case flow.TaskFailure, flow.TaskKill, flow.TaskLost:
			return broken
		case flow.TaskSubmitted, flow.TaskDelay, flow.TaskDispatch, flow.TaskRunning:
		}
		s.active++
		return begun
	})
	for n := range s.nodes {
		if a := s.nodes[n].attempt; s.scope[n] && a != nil {
			s.ending = s.ending || s.ends(a)
			s.cut = s.cut || state == flow.WorkflowReadyStop && a.State == flow.TaskKill && s.Graph.Tasks[n].Finally
		}
	}
	switch {
	case state == flow.WorkflowReadyStop, s.ending:
		s.killAll(s.cut)
	case state == flow.WorkflowReadyPause:
		s.pauseWaiting()
	}
	s.carryOn()
}

// carryOn takes up every attempt that is not over.
func (s *step) carryOn() {
	for n := range s.nodes {
		a := s.nodes[n].attempt
		switch {
		case a == nil || s.nodes[n].status != begun:
			continue
		case !a.State.OnWorker():
			s.offer(a)
			continue
		case s.Logic(a.Node):
			s.out.Logic = append(s.out.Logic, a)
		}
		s.watchTimeout(a)
		if a.Message == killRequested && !a.killing {
			s.kill(a)
		}
	}
}

// reset recomputes every node in topological order, finally nodes after the others. keep says what an existing attempt
// makes of its node; reached tells it whether everything before the node is settled. Finally nodes count as reached when
// there is nothing else to do, or, in a run that is taken over, when one of them began already.
func (s *step) reset(takenOver bool, keep func(n int32, a *Attempt, reached bool) status) {
	s.active, s.open = 0, false
	s.ready, s.final = s.ready[:0], s.final[:0]
	for i := range s.nodes {
		n, nd := int32(i), &s.nodes[i]
		nd.status, nd.pending, nd.live, nd.dead = idle, 0, false, false
		if !s.scope[n] {
			continue
		}
		for _, p := range s.Graph.Pred[n] {
			if s.before(p, n) {
				nd.pending++
			}
		}
		if s.Graph.Tasks[n].Finally {
			s.final = append(s.final, n)
			s.open = s.open || takenOver && nd.attempt != nil
		}
	}
	s.counting = true
	for i := range s.nodes {
		if n := int32(i); s.scope[n] && !s.Graph.Tasks[n].Finally {
			s.recount(n, keep)
		}
	}
	s.open = s.open || !takenOver && len(s.final) > 0 && len(s.ready) == 0
	for _, n := range s.final {
		if !s.open {
			s.nodes[n].pending++
		}
	}
	for _, n := range s.final {
		s.recount(n, keep)
	}
	s.counting = false
}

func (s *step) recount(n int32, keep func(n int32, a *Attempt, reached bool) status) {
	nd := &s.nodes[n]
	if nd.attempt != nil {
		nd.status = keep(n, nd.attempt, nd.pending == 0)
	}
	switch {
	case nd.status == settled:
		s.pass(n)
	case nd.status == broken && nd.attempt.State == flow.TaskFailure:
		s.give(n)
	case nd.status != idle || nd.pending > 0:
	case nd.attempt == nil && nd.dead && !nd.live:
		s.skip(n)
	case nd.attempt == nil && s.forbidden(n):
		s.pass(n)
	default:
		s.ready = append(s.ready, n)
	}
}
