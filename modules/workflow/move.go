package workflow

import (
	"context"
	"errors"
	"slices"
	"strings"

	"dorado/app/kit/fault"
)

// ErrMoved says why workflows could not be moved to another project.
var ErrMoved = fault.New(fault.Conflict, "workflow.move_failed")

// Move brings offline workflows into another project: all of them or none. Their versions, schedules, finished runs and
// the rules about them go along; what each says is saved as a new version, since it is checked against the other project. A workflow stays that is
// online, runs, or is started or waited for by one that stays; and so does one that starts one that stays. It returns
// ErrNotFound, or ErrMoved with the reason.
func (s *Service) Move(ctx context.Context, codes []int64, target int64) error {
	if _, err := s.Projects.Require(ctx, target, Edit); err != nil {
		return err
	}
	for _, code := range codes {
		if _, err := s.need(ctx, code, Delete); err != nil { // for the project it leaves it is gone
			return err
		}
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.lockLineage(ctx); err != nil {
			return err
		}
		var moved []int64
		for _, code := range codes {
			w, err := s.store.lock(ctx, code)
			if err != nil {
				return err
			}
			if w.ProjectCode == target || slices.Contains(moved, code) {
				continue
			}
			if err := s.movable(ctx, w, codes); err != nil {
				return notMoved(w, err)
			}
			from := w.ProjectCode
			if err := s.follow(ctx, &w, target); err != nil {
				return notMoved(w, err)
			}
			if err := s.record(ctx, w, "workflow.move", map[string]any{"from": from, "to": target}); err != nil {
				return err
			}
			moved = append(moved, code)
		}
		for _, code := range moved { // once all are there: they may start each other
			w, err := s.store.byCode(ctx, code)
			if err != nil {
				return err
			}
			def, err := s.store.body(ctx, code, w.Version)
			if err != nil {
				return err
			}
			if _, err := s.Update(ctx, code, Change{Definition: def, BaseVersion: w.Version, Empty: true}); err != nil {
				return notMoved(w, err)
			}
		}
		return nil
	})
}

// notMoved tells which workflow could not be moved; errors that are no refusal stay what they are.
func notMoved(w Workflow, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.Conflict && f.Kind != fault.Invalid {
		return err
	}
	return ErrMoved.With("name", w.Name).Because(err)
}

// movable refuses what cannot leave its project, alone or together with others.
func (s *Service) movable(ctx context.Context, w Workflow, together []int64) error {
	if w.Online() {
		return ErrOnline.With("name", w.Name)
	}
	uses, err := s.Uses(ctx, w.Code)
	if err != nil {
		return err
	}
	dependants, err := s.dependants(ctx, w.Code)
	if err != nil {
		return err
	}
	for _, d := range dependants {
		if !slices.Contains(together, d.WorkflowCode) {
			uses = append(uses, d.Label())
		}
	}
	if len(uses) > 0 {
		return ErrInUse.With("name", w.Name, "uses", strings.Join(uses, ", "), "count", len(uses))
	}
	return nil
}

// follow writes the new project into every row that names it.
func (s *Service) follow(ctx context.Context, w *Workflow, target int64) error {
	if err := s.store.moveTo(ctx, *w, target); err != nil {
		return err
	}
	w.ProjectCode = target
	if err := s.Projects.Access.MoveWorkflow(ctx, w.Code, target); err != nil {
		return wrap(err, "move rules about a workflow")
	}
	for _, r := range s.referrers {
		if f, ok := r.(Follower); ok {
			if err := f.WorkflowMoved(ctx, w.Code, target); err != nil {
				return wrap(err, "move what belongs to a workflow")
			}
		}
	}
	return nil
}
