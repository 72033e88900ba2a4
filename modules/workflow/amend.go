package workflow

import (
	"context"
	"errors"
	"slices"
	"strings"

	"dorado/app/kit/fault"
	"dorado/modules/flow"
)

// Faults of changing one task or one edge of a workflow.
var (
	ErrTaskNeeded      = fault.New(fault.Conflict, "workflow.task_needed")
	ErrHasDownstream   = fault.New(fault.Conflict, "workflow.task_has_downstream")
	ErrEdgeExists      = fault.New(fault.Conflict, "workflow.edge_exists")
	ErrEdgeMissing     = fault.New(fault.NotFound, "workflow.edge_missing")
	ErrTaskVersionGone = fault.New(fault.NotFound, "workflow.task_version_not_found")
)

// amendTries is how often a change is made anew because somebody else saved meanwhile.
const amendTries = 3

// Amend saves the current version of a workflow as change leaves it: how one task or one edge is changed, where everything is
// part of a version. Nothing to change makes no version. It returns ErrNotFound, ErrOnline, what change returns, and what
// Update returns.
func (s *Service) Amend(ctx context.Context, code int64, change func(*flow.Definition) error) (Saved, error) {
	w, err := s.need(ctx, code, Edit)
	for again := 0; err == nil; again++ {
		if w.Online() {
			return Saved{}, ErrOnline.With("name", w.Name)
		}
		def, err := s.store.body(ctx, code, w.Version)
		if err != nil {
			return Saved{}, err
		}
		if err := change(def); err != nil {
			return Saved{}, err
		}
		saved, err := s.Update(ctx, code, Change{Definition: def, BaseVersion: w.Version, Empty: true})
		if !errors.Is(err, ErrStale) || again == amendTries {
			return saved, err
		}
		if w, err = s.store.byCode(ctx, code); err != nil {
			return Saved{}, err
		}
	}
	return Saved{}, err
}

// Task finds a task of a current version, with the workflow it belongs to. at is its place in the definition. It returns
// ErrTaskNotFound.
func (s *Service) Task(ctx context.Context, projectCode, task int64) (w Workflow, def *flow.Definition, at int, err error) {
	if w, err = s.TaskHome(ctx, projectCode, task); err != nil {
		return w, nil, 0, err
	}
	if def, err = s.store.body(ctx, w.Code, w.Version); err != nil {
		return w, nil, 0, err
	}
	at, err = indexOf(def, task)
	return w, def, at, err
}

// indexOf is where a task stands in a definition.
func indexOf(def *flow.Definition, task int64) (int, error) {
	at := slices.IndexFunc(def.Tasks, func(t flow.Task) bool { return t.Code == task })
	if at < 0 {
		return 0, ErrTaskNotFound.With("codes", task)
	}
	return at, nil
}

// ChangeTask gives a task of a current version other content; its code stays. upstream, unless nil, are the tasks that it
// waits for from then on. It returns ErrTaskNotFound and what Amend returns.
func (s *Service) ChangeTask(ctx context.Context, projectCode, task int64, upstream *[]int64, change func(*flow.Task) error) (Saved, error) {
	w, err := s.TaskHome(ctx, projectCode, task)
	if err != nil {
		return Saved{}, err
	}
	return s.Amend(ctx, w.Code, func(def *flow.Definition) error {
		at, err := indexOf(def, task)
		if err != nil {
			return err
		}
		t := &def.Tasks[at]
		version := t.Version
		if err := change(t); err != nil {
			return err
		}
		t.Code, t.Version = task, version
		if upstream == nil {
			return nil
		}
		return setUpstream(def, task, *upstream)
	})
}

// AddTask puts a new task into a workflow, behind those of upstream. A task without a code gets one. It returns ErrNotFound,
// ErrTaskNotFound, ErrTaskCodeTaken and what Amend returns.
func (s *Service) AddTask(ctx context.Context, projectCode, code int64, t flow.Task, upstream []int64) (Saved, flow.Task, error) {
	if _, err := s.in(ctx, projectCode, code, Edit); err != nil {
		return Saved{}, t, err
	}
	if t.Code == 0 {
		t.Code = s.Codes.Next()
	}
	saved, err := s.Amend(ctx, code, func(def *flow.Definition) error {
		if _, err := indexOf(def, t.Code); err == nil {
			return ErrTaskCodeTaken.With("code", t.Code, "name", t.Name)
		}
		t.Version = 0
		def.Tasks = append(def.Tasks, t)
		return setUpstream(def, t.Code, upstream)
	})
	if err != nil {
		return saved, t, err
	}
	at, err := indexOf(saved.Definition, t.Code)
	if err != nil {
		return saved, t, err
	}
	return saved, saved.Definition.Tasks[at], nil
}

// RemoveTask takes a task out of its workflow, together with the edges around it. A task that others of the workflow wait
// for stays, and so does one that another workflow depends on. It returns ErrTaskNotFound, ErrHasDownstream, ErrTaskNeeded
// and what Amend returns.
func (s *Service) RemoveTask(ctx context.Context, projectCode, code, task int64) (Saved, error) {
	if _, err := s.in(ctx, projectCode, code, Edit); err != nil {
		return Saved{}, err
	}
	if err := s.TaskFree(ctx, projectCode, code, task); err != nil {
		return Saved{}, err
	}
	return s.Amend(ctx, code, func(def *flow.Definition) error {
		at, err := indexOf(def, task)
		if err != nil {
			return err
		}
		if after := downstream(def, task); len(after) > 0 {
			return ErrHasDownstream.With("codes", joinCodes(after))
		}
		def.Tasks = slices.Delete(def.Tasks, at, at+1)
		def.Edges = slices.DeleteFunc(def.Edges, func(e flow.Edge) bool { return e.Post == task })
		return nil
	})
}

// TaskFree returns ErrTaskNeeded when another workflow depends on a task; task 0 asks for the workflow as a whole.
func (s *Service) TaskFree(ctx context.Context, projectCode, code, task int64) error {
	w, err := s.in(ctx, projectCode, code, Read)
	if err != nil {
		return err
	}
	needed, err := s.DependantsOn(ctx, projectCode, code, task)
	if err != nil || len(needed) == 0 {
		return err
	}
	name := w.Name
	if task != 0 {
		_, def, at, err := s.Task(ctx, projectCode, task)
		if err != nil {
			return err
		}
		name = def.Tasks[at].Name
	}
	labels := make([]string, len(needed))
	for i, d := range needed {
		labels[i] = d.Label()
	}
	return ErrTaskNeeded.With("name", name, "uses", strings.Join(labels, ", "))
}

// DependantsOn lists the tasks of other workflows that start a workflow or wait for it, or with a task those that wait for
// just that one. It returns ErrNotFound.
func (s *Service) DependantsOn(ctx context.Context, projectCode, code, task int64) ([]Dependant, error) {
	if _, err := s.in(ctx, projectCode, code, Read); err != nil {
		return nil, err
	}
	all, err := s.store.dependantsOn(ctx, code, task)
	return s.veil(ctx, all), err
}

// Connect makes post wait for pre; pre 0 only says that post is a root. A task that is held without a workflow comes into
// this one (Hold). It returns ErrNotFound, ErrTaskNotFound, ErrEdgeExists and what Amend returns.
func (s *Service) Connect(ctx context.Context, projectCode, code, pre, post int64) (Saved, error) {
	if _, err := s.in(ctx, projectCode, code, Edit); err != nil {
		return Saved{}, err
	}
	var saved Saved
	err := s.DB.InTx(ctx, func(ctx context.Context) error {
		var taken []flow.Task
		for _, task := range []int64{pre, post} {
			if task == 0 {
				continue
			}
			t, held, err := s.unhold(ctx, projectCode, code, task)
			if err != nil {
				return err
			}
			if held {
				taken = append(taken, t)
			}
		}
		var err error
		saved, err = s.Amend(ctx, code, func(def *flow.Definition) error {
			def.Tasks = append(def.Tasks, taken...)
			return connect(def, pre, post, len(taken) > 0)
		})
		return err
	})
	return saved, err
}

// connect adds an edge to a definition. added says that one of the tasks has just come.
func connect(def *flow.Definition, pre, post int64, added bool) error {
	if _, err := indexOf(def, post); err != nil {
		return err
	}
	if pre == 0 {
		if !added && len(upstream(def, post)) == 0 {
			return ErrEdgeExists.With("pre", pre, "post", post)
		}
		return nil
	}
	if _, err := indexOf(def, pre); err != nil {
		return err
	}
	if slices.Contains(upstream(def, post), pre) {
		return ErrEdgeExists.With("pre", pre, "post", post)
	}
	def.Edges = append(def.Edges, flow.Edge{Pre: pre, Post: post})
	return nil
}

// Disconnect removes the edges of a workflow that lead from one of pre to one of post. It returns ErrNotFound,
// ErrTaskNotFound for a task that the workflow does not have, ErrEdgeMissing for an edge, and what Amend returns.
func (s *Service) Disconnect(ctx context.Context, projectCode, code int64, pre, post []int64) (Saved, error) {
	if _, err := s.in(ctx, projectCode, code, Edit); err != nil {
		return Saved{}, err
	}
	return s.Amend(ctx, code, func(def *flow.Definition) error {
		for _, from := range pre {
			for _, to := range post {
				if _, err := indexOf(def, to); err != nil {
					return err
				}
				at := slices.IndexFunc(def.Edges, func(e flow.Edge) bool { return e.Pre == from && e.Post == to })
				if at < 0 {
					return ErrEdgeMissing.With("pre", from, "post", to)
				}
				def.Edges = slices.Delete(def.Edges, at, at+1)
			}
		}
		return nil
	})
}

// SetUpstream makes a task wait for exactly these tasks of its workflow. It returns ErrTaskNotFound and what Amend returns.
func (s *Service) SetUpstream(ctx context.Context, code, task int64, codes []int64) (Saved, error) {
	return s.Amend(ctx, code, func(def *flow.Definition) error { return setUpstream(def, task, codes) })
}

func setUpstream(def *flow.Definition, task int64, codes []int64) error {
	if _, err := indexOf(def, task); err != nil {
		return err
	}
	for _, code := range codes {
		if _, err := indexOf(def, code); err != nil {
			return err
		}
	}
	// Edges that stay keep their labels.
	def.Edges = slices.DeleteFunc(def.Edges, func(e flow.Edge) bool { return e.Post == task && !slices.Contains(codes, e.Pre) })
	for _, code := range codes {
		if !slices.Contains(upstream(def, task), code) {
			def.Edges = append(def.Edges, flow.Edge{Pre: code, Post: task})
		}
	}
	return nil
}

// upstream lists the tasks that a task waits for.
func upstream(def *flow.Definition, task int64) []int64 {
	var codes []int64
	for _, e := range def.Edges {
		if e.Post == task {
			codes = append(codes, e.Pre)
		}
	}
	return codes
}

// downstream lists the tasks that wait for a task.
func downstream(def *flow.Definition, task int64) []int64 {
	var codes []int64
	for _, e := range def.Edges {
		if e.Pre == task {
			codes = append(codes, e.Post)
		}
	}
	return codes
}

func joinCodes(codes []int64) string {
	out := make([]string, len(codes))
	for i, code := range codes {
		out[i] = number64(code)
	}
	return strings.Join(out, ", ")
}
