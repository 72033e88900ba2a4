package instance

import (
	"context"
	"time"

	"dorado/app/kit/fault"
	"dorado/modules/flow"
	"dorado/modules/workflow"
)

// ErrEditState refuses to change what an unfinished run does.
var ErrEditState = fault.New(fault.Conflict, "run.edit_unfinished")

// Edit is what a finished run should do when it is run again.
type Edit struct {
	// Definition holds tasks, edges, places, parameters and the timeout; its name and settings are those of the version that ran.
	Definition *flow.Definition
	// Sync makes it the current version of the workflow, too, which stays online or offline as it is.
	Sync         bool
	ScheduleTime *time.Time // nil keeps it
}

// EditRun gives a finished run another definition: a version of its workflow that is not the current one, unless e.Sync. What
// ran already stays in the history; running the instance again runs the new one. It returns ErrNotFound, ErrEditState, what
// workflow.Service.Branch or Update returns, ErrParamEvaluate, or a Forbidden fault.
func (s *Service) EditRun(ctx context.Context, project, id int64, e Edit) (workflow.Workflow, *flow.Definition, error) {
	var w workflow.Workflow
	i, err := s.GetIn(ctx, project, id)
	if err != nil {
		return w, nil, err
	}
	if err := s.may(ctx, project, Operate); err != nil {
		return w, nil, err
	}
	if ok, _ := flow.Allowed(flow.OpEdit, i.State); !ok {
		return w, nil, ErrEditState.With("name", i.Name)
	}
	old, err := s.Workflows.Definition(ctx, i.WorkflowCode, i.WorkflowVersion)
	if err != nil {
		return w, nil, err
	}
	def := e.Definition
	def.Name, def.Description, def.ExecutionType = old.Name, old.Description, old.ExecutionType
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		if i, err = s.store.lock(ctx, id); err != nil {
			return err
		}
		if ok, _ := flow.Allowed(flow.OpEdit, i.State); !ok {
			return ErrEditState.With("name", i.Name)
		}
		if w, err = s.Workflows.Get(ctx, i.WorkflowCode); err != nil {
			return err
		}
		version := 0
		if e.Sync {
			saved, err := s.Workflows.Update(ctx, w.Code, workflow.Change{Definition: def, BaseVersion: workflow.AnyVersion, Online: w.Online()})
			if err != nil {
				return err
			}
			w, version = saved.Workflow, saved.Workflow.Version
		} else if version, err = s.Workflows.Branch(ctx, w.Code, i.WorkflowVersion, workflow.Change{Definition: def}); err != nil {
			return err
		}
		return s.bind(ctx, i, version, def, e.ScheduleTime)
	})
	if err != nil {
		return w, nil, err
	}
	def, err = s.Workflows.Definition(ctx, i.WorkflowCode, i.WorkflowVersion)
	w.Version = i.WorkflowVersion
	return w, def, err
}

// bind makes a locked run one of another version of its workflow.
func (s *Service) bind(ctx context.Context, i *Instance, version int, def *flow.Definition, scheduled *time.Time) error {
	param, err := commandParam(i)
	if err != nil {
		return err
	}
	if scheduled != nil {
		i.ScheduleTime = scheduled
	}
	globals, err := s.cureAgain(i, newStartable(def), param, s.now())
	if err != nil {
		return err
	}
	i.WorkflowVersion = version
	_, err = s.DB.Exec(ctx, `UPDATE workflow_instance SET workflow_version = ?, global_params = ?, timeout_minutes = ?, schedule_time = ?, updated_at = ? WHERE id = ?`,
		version, globals, def.TimeoutMinutes, i.ScheduleTime, s.now(), i.ID)
	if err != nil {
		return err
	}
	return s.record(ctx, i, "edit")
}
