package backfill

import (
	"context"
	"strconv"

	"dorado/modules/audit"
	"dorado/modules/flow"
	"dorado/modules/instance"
)

// operate changes a backfill for somebody who may, under its lock, and lets the runner look at it.
func (s *Service) operate(ctx context.Context, project, id int64, action string, detail map[string]any, change func(context.Context, *Backfill) error) error {
	of, err := s.Get(ctx, project, id)
	if err != nil {
		return err
	}
	if _, err := s.Projects.RequireWorkflow(ctx, project, of.WorkflowCode, instance.Operate); err != nil {
		return err
	}
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		b, err := s.store.lock(ctx, id)
		if err != nil {
			return err
		}
		if b.ProjectCode != project {
			return ErrNotFound.With("id", id)
		}
		if err := change(ctx, b); err != nil {
			return err
		}
		return s.Audit.Record(ctx, audit.Entry{
			Action: "backfill." + action, ObjectType: "backfill", ObjectID: strconv.FormatInt(id, 10), ObjectName: b.WorkflowName,
			ProjectCode: project, Detail: detail,
		})
	})
	if err == nil {
		s.nudge(ctx, id)
	}
	return err
}

// Pause lets no further date of a backfill start; what runs goes on. It returns ErrNotFound, ErrOver, ErrPaused, or a
// Forbidden fault.
func (s *Service) Pause(ctx context.Context, project, id int64) error {
	return s.operate(ctx, project, id, "pause", nil, func(ctx context.Context, b *Backfill) error {
		switch {
		case b.Over():
			return ErrOver
		case b.State == Paused:
			return ErrPaused
		}
		return s.store.become(ctx, id, Paused, nil, s.now())
	})
}

// Resume takes a pause back. It returns ErrNotFound, ErrOver, ErrNotPaused, or a Forbidden fault.
func (s *Service) Resume(ctx context.Context, project, id int64) error {
	return s.operate(ctx, project, id, "resume", nil, func(ctx context.Context, b *Backfill) error {
		switch {
		case b.Over():
			return ErrOver
		case b.State != Paused:
			return ErrNotPaused
		}
		return s.store.become(ctx, id, Running, nil, s.now())
	})
}

// Cancel takes out the dates that wait; with stop it also stops the runs under way. It returns ErrNotFound, ErrOver, or a
// Forbidden fault.
func (s *Service) Cancel(ctx context.Context, project, id int64, stop bool) error {
	var running []Date
	err := s.operate(ctx, project, id, "cancel", map[string]any{"stop": stop}, func(ctx context.Context, b *Backfill) error {
		if b.Over() {
			return ErrOver
		}
		_, err := s.DB.Exec(ctx, `UPDATE backfill_date SET state = ? WHERE backfill_id = ? AND state = ?`, DateCancelled, id, DateWaiting)
		if err != nil {
			return err
		}
		running, err = s.store.dates(ctx, id, DateRunning, MaxDates, 0)
		return err
	})
	if err != nil || !stop {
		return err
	}
	for _, d := range running {
		if ok, _ := flow.Allowed(flow.OpStop, d.RunState); !ok {
			continue
		}
		if err := s.Instances.Operate(ctx, d.InstanceID, flow.OpStop); err != nil {
			s.Logger.InfoContext(ctx, "a run of a cancelled backfill was not stopped", "workflow_instance_id", d.InstanceID, "error", err)
		}
	}
	return nil
}

// SetWidth changes how many dates run at once. It returns ErrNotFound, ErrOver, ErrWidth, or a Forbidden fault.
func (s *Service) SetWidth(ctx context.Context, project, id int64, to int) error {
	if to < 1 || to > MaxDates {
		return ErrWidth.With("max", MaxDates)
	}
	return s.operate(ctx, project, id, "width", map[string]any{"width": to}, func(ctx context.Context, b *Backfill) error {
		if b.Over() {
			return ErrOver
		}
		if _, err := s.DB.Exec(ctx, `UPDATE backfill SET width = ?, updated_at = ? WHERE id = ?`, to, s.now(), id); err != nil {
			return err
		}
		return s.store.deal(ctx, id, to)
	})
}

// RerunFailed lets the dates run that were no success, and those that did not run because of them, each in a run of its own.
// It returns ErrNotFound, ErrNoFailed, or a Forbidden fault.
func (s *Service) RerunFailed(ctx context.Context, project, id int64) error {
	return s.operate(ctx, project, id, "rerun_failed", nil, func(ctx context.Context, b *Backfill) error {
		if err := s.settle(ctx, b); err != nil { // what an operator has repaired, or works on, is left alone
			return err
		}
		res, err := s.DB.Exec(ctx, `UPDATE backfill_date SET state = ?, workflow_instance_id = 0 WHERE backfill_id = ? AND state IN (?, ?, ?, ?)`,
			DateWaiting, id, DateFailure, DateStop, DatePause, DateNotRun)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			if err != nil {
				return err
			}
			return ErrNoFailed
		}
		if err := s.store.deal(ctx, id, b.Width); err != nil {
			return err
		}
		return s.store.become(ctx, id, Running, nil, s.now())
	})
}
