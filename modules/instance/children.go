package instance

import (
	"context"
	"errors"
	"fmt"

	"dorado/app/kit/db"
	"dorado/modules/flow"
)

// ChildRequest asks for a run that a task of another run waits for.
type ChildRequest struct {
	ParentInstanceID     int64
	ParentTaskInstanceID int64
	ParentTaskCode       int64
	Position             int    // of the element, for a task over a list
	Element              string // JSON
	WorkflowCode         int64
	Command              flow.CommandType // START_PROCESS, or DYNAMIC_GENERATION
	StartParams          []flow.Property
}

// StartChild starts the current version of a workflow on behalf of a task, with the settings, the schedule time and the
// zone of the task's run, and returns the id of the instance. Asked again for the same attempt and position it returns the
// same instance. It returns ErrNotFound when the parent is gone, ErrChild when there is no such workflow, ErrOffline,
// ErrDepth or ErrParamEvaluate.
func (s *Service) StartChild(ctx context.Context, r ChildRequest) (id int64, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		id, err = s.child(ctx, r)
		return err
	})
	return id, err
}

func (s *Service) child(ctx context.Context, r ChildRequest) (int64, error) {
	parent, err := s.store.lock(ctx, r.ParentInstanceID)
	if err != nil {
		return 0, err
	}
	known, err := db.Get[int64](ctx, s.DB, `SELECT child_instance_id FROM instance_link WHERE parent_task_instance_id = ? AND position = ?`,
		r.ParentTaskInstanceID, r.Position)
	if err == nil || !errors.Is(err, db.ErrNoRows) {
		return known, err
	}
	above, err := commandParam(parent)
	if err != nil {
		return 0, err
	}
	if above.Depth+1 > flow.MaxDepth {
		return 0, ErrDepth.With("max", flow.MaxDepth)
	}
	w, found, err := s.store.workflow(ctx, r.WorkflowCode)
	if err != nil {
		return 0, err
	}
	if !found {
		return 0, ErrChild.With("code", r.WorkflowCode)
	}
	if !w.Online() {
		return 0, ErrOffline.With("name", w.Name)
	}
	key := versionKey{w.Code, w.Version}
	what, err := s.startables(ctx, []versionKey{key})
	if err != nil {
		return 0, err
	}
	if what[key] == nil {
		return 0, ErrChild.With("code", r.WorkflowCode)
	}
	command := r.Command
	if command == "" {
		command = flow.CommandStart
	}
	i, err := newInstance(w, w.Version, what[key], StartRequest{
		WorkflowCode: w.Code, FailureStrategy: parent.FailureStrategy, WarningType: parent.WarningType, WarningGroupID: parent.WarningGroupID,
		Priority: parent.Priority, WorkerGroup: parent.WorkerGroup, TenantCode: parent.TenantCode, EnvironmentCode: parent.EnvironmentCode,
		StartParams: r.StartParams, TimeZone: parent.TimeZone, DryRun: parent.DryRun,
	}, starter{command: command, id: parent.ExecutorID, name: parent.ExecutorName, schedule: parent.ScheduleTime}, s.now())
	if err != nil {
		return 0, err
	}
	param, err := commandParam(i)
	if err != nil {
		return 0, err
	}
	param.ParentInstanceID, param.ParentTaskInstanceID = r.ParentInstanceID, r.ParentTaskInstanceID
	param.Position, param.Depth = r.Position, above.Depth+1
	i.CommandParam, i.IsSubWorkflow, i.TestFlag = mustJSON(param), true, parent.TestFlag
	id, err := s.trigger(ctx, s, i, "", nil)
	if err != nil {
		return 0, fmt.Errorf("start a child of workflow instance %d: %w", parent.ID, err)
	}
	_, err = s.DB.Exec(ctx, `INSERT INTO instance_link (parent_instance_id, parent_task_instance_id, parent_task_code, child_instance_id, position, element)
		VALUES (?, ?, ?, ?, ?, ?)`, r.ParentInstanceID, r.ParentTaskInstanceID, r.ParentTaskCode, id, r.Position, r.Element)
	return id, err
}

// lock is get for an instance that nobody else may change until the transaction of ctx ends.
func (s *store) lock(ctx context.Context, id int64) (*Instance, error) {
	row, err := db.Get[Instance](ctx, s.db, `SELECT `+instanceColumns+` FROM workflow_instance w WHERE w.id = ? `+s.db.Dialect().ForUpdate(), id)
	if errors.Is(err, db.ErrNoRows) {
		return nil, ErrNotFound.With("id", id)
	}
	return &row, err
}
