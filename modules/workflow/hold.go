package workflow

import (
	"context"
	"slices"
	"strings"

	"dorado/modules/flow"
)

// holder begins the names of workflows that only hold tasks for clients of DolphinScheduler 3.2, which make tasks first and
// put them into a workflow afterwards (ADR 23). A holder is offline, and its tasks are not connected.
const holder = "tasks_without_workflow_"

// Hold stores tasks that belong to no workflow yet, in an offline workflow of their own. Connect takes them out of it. It
// returns what Create returns.
func (s *Service) Hold(ctx context.Context, projectCode int64, tasks []flow.Task) (Saved, error) {
	def := &flow.Definition{Code: s.Codes.Next(), ExecutionType: flow.Parallel, Tasks: tasks}
	def.Name = holder + number64(def.Code)
	for i := range def.Tasks {
		def.Tasks[i].Version = 0
	}
	return s.Create(ctx, projectCode, Change{Definition: def})
}

// unhold takes a task out of the workflow that holds it, so that it may come into another one, in the transaction of ctx.
// It reports false for a task of the workflow to itself, and returns ErrTaskNotFound for any other.
func (s *Service) unhold(ctx context.Context, projectCode, to, task int64) (t flow.Task, held bool, err error) {
	w, def, at, err := s.Task(ctx, projectCode, task)
	if err != nil || w.Code == to {
		return t, false, err
	}
	if w.Online() || !strings.HasPrefix(w.Name, holder) || len(def.Edges) > 0 {
		return t, false, ErrTaskNotFound.With("codes", task)
	}
	t = def.Tasks[at]
	t.Version = 0
	if len(def.Tasks) == 1 {
		return t, true, s.remove(ctx, w.Code, nil)
	}
	_, err = s.Amend(ctx, w.Code, func(def *flow.Definition) error {
		def.Tasks = slices.DeleteFunc(def.Tasks, func(other flow.Task) bool { return other.Code == task })
		return nil
	})
	return t, true, err
}
