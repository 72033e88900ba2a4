package core

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"dorado/modules/flow"
)

// forbidden nodes have no instance; they pass as soon as what is before them has. Who starts a streaming task by itself wants
// it, whatever it is in the graph.
func (r *Run) forbidden(n int32) bool {
	return !r.Stream && r.Graph.Tasks[n].Passed()
}

// before reports whether an edge counts: both ends in scope, and both finally or both not.
func (r *Run) before(p, n int32) bool {
	return r.scope[p] && r.scope[n] && r.Graph.Tasks[p].Finally == r.Graph.Tasks[n].Finally
}

// arrive tells a node that one of its predecessors is settled. alive false is a way that was not chosen.
func (s *step) arrive(n int32, alive bool) {
	nd := &s.nodes[n]
	nd.live = nd.live || alive
	nd.dead = nd.dead || !alive
	s.count(n)
}

// count takes one off what a node waits for.
func (s *step) count(n int32) {
	nd := &s.nodes[n]
	if nd.pending--; nd.pending == 0 && !s.counting && nd.status == idle {
		s.ready = append(s.ready, n)
	}
}

// pass settles a node well: its successors have one predecessor less to wait for. A node that chose leads only to those
// it chose.
func (s *step) pass(n int32) {
	s.nodes[n].status = settled
	if s.Graph.Kinds[n].Branches() {
		if next, chose := s.chosen(n); chose {
			s.passTo(n, next)
			return
		}
	}
	for _, next := range s.Graph.Succ[n] {
		if s.before(n, next) {
			s.arrive(next, true)
		}
	}
}

func (s *step) passTo(n int32, codes []int64) {
	codes = slices.Clone(codes)
	slices.Sort(codes)
	for _, next := range s.Graph.Succ[n] {
		if s.before(n, next) {
			_, alive := slices.BinarySearch(codes, s.Graph.Tasks[next].Code)
			s.arrive(next, alive)
		}
	}
}

// skip settles a node that no way leads to; neither do ways behind it.
func (s *step) skip(n int32) {
	s.nodes[n].status = skipped
	for _, next := range s.Graph.Succ[n] {
		if s.before(n, next) {
			s.arrive(next, false)
		}
	}
}

// give tells the CONDITIONS behind a final failure that they may look at it.
func (s *step) give(n int32) {
	for _, next := range s.Graph.Succ[n] {
		if s.before(n, next) && s.asks(next) {
			s.arrive(next, true)
		}
	}
}

// asks reports whether a node deals with failures before it.
func (r *Run) asks(n int32) bool { return r.Graph.Kinds[n] == flow.KindConditions && !r.forbidden(n) }

// handled reports whether a failure of the node does not count: all that comes after it are CONDITIONS (engine.md 3.5). What
// lies outside the cut of an EXECUTE_TASK failed in another run: then each of these must have looked at it, too.
func (r *Run) handled(n int32) bool {
	some := false
	for _, next := range r.Graph.Succ[n] {
		if r.scope[n] && !r.scope[next] {
			continue
		}
		if !r.asks(next) || !r.scope[n] && r.nodes[next].attempt == nil {
			return false
		}
		some = true
	}
	return some
}

// choice is what a branching attempt remembers in its Context.
type choice struct {
	Next   []int64 `json:"next"`
	Result string  `json:"result,omitempty"` // of CONDITIONS
	Log    string  `json:"log,omitempty"`
}

func (c *choice) encode() string {
	out := make([]byte, 0, 32+20*len(c.Next)+len(c.Log))
	out = append(out, `{"next":[`...)
	for i, code := range c.Next {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(out, code, 10)
	}
	out = append(out, ']')
	if c.Result != "" {
		out = append(append(append(out, `,"result":"`...), c.Result...), '"')
	}
	if c.Log != "" {
		log, err := json.Marshal(c.Log)
		if err == nil {
			out = append(append(out, `,"log":`...), log...)
		}
	}
	return string(append(out, '}'))
}

// chosen returns what a settled node chose; chose is false when it did not: it is forbidden, or it failed and somebody
// declared it a success. Then all ways are open.
func (s *step) chosen(n int32) (next []int64, chose bool) {
	a := s.nodes[n].attempt
	if a == nil || a.State != flow.TaskSuccess {
		return nil, false
	}
	if s.fresh != nil && s.freshNode == n {
		return s.fresh, true
	}
	var c choice
	if a.Context != "" && json.Unmarshal([]byte(a.Context), &c) == nil {
		return c.Next, true
	}
	c, err := s.choose(n)
	return c.Next, err == nil
}

// decide carries out a branching attempt: it is over in the moment in which it begins.
func (s *step) decide(a *Attempt) {
	a.State, a.Start = flow.TaskRunning, s.now
	c, err := s.choose(a.Node)
	if err != nil {
		s.end(a, flow.TaskFailure, err.Error())
		s.failed(a, false)
		return
	}
	a.Context = c.encode()
	s.end(a, flow.TaskSuccess, "")
	s.fresh, s.freshNode = c.Next, a.Node
	if s.fresh == nil {
		s.fresh = []int64{}
	}
	s.pass(a.Node)
	s.fresh = nil
}

func (s *step) choose(n int32) (choice, error) {
	t := &s.Graph.Tasks[n]
	if s.Graph.Kinds[n] == flow.KindConditions {
		c, err := flow.DecodeConditions(t.Params)
		if err != nil {
			return choice{}, err
		}
		next, holds := c.Choose(s.stateOf)
		result := "FAILED"
		if holds {
			result = "SUCCESS"
		}
		return choice{Next: next, Result: result}, nil
	}
	if s.Choose == nil {
		return choice{}, fmt.Errorf("core: nothing decides the SWITCH task %q", t.Name)
	}
	c, err := s.Choose(n)
	if err != nil {
		return choice{}, err
	}
	for _, code := range c.Next {
		i, known := s.Graph.Index[code]
		if _, follows := slices.BinarySearch(s.Graph.Succ[n], i); !known || !follows {
			return choice{}, fmt.Errorf("the chosen task %d does not follow directly on %q", code, t.Name)
		}
	}
	return choice{Next: c.Next, Log: c.Log}, nil
}

// stateOf is the state of a task's valid attempt, "" for none.
func (r *Run) stateOf(code int64) flow.TaskState {
	n, ok := r.Graph.Index[code]
	if !ok || r.nodes[n].attempt == nil {
		return ""
	}
	return r.nodes[n].attempt.State
}
