package instance

import (
	"context"
	"fmt"

	"dorado/modules/workflow"
)

var _ workflow.Follower = (*Service)(nil)

// WorkflowMoved takes the runs of a workflow, and what is kept about them, along into its new project.
func (s *Service) WorkflowMoved(ctx context.Context, code, project int64) error {
	for _, table := range []string{"task_instance", "approval"} {
		_, err := s.DB.Exec(ctx, `UPDATE `+table+` SET project_code = ? WHERE workflow_instance_id IN (SELECT id FROM workflow_instance WHERE workflow_code = ?)`,
			project, code)
		if err != nil {
			return fmt.Errorf("move runs of workflow %d: %w", code, err)
		}
	}
	for _, table := range []string{"workflow_instance", "backfill", "alert"} {
		if _, err := s.DB.Exec(ctx, `UPDATE `+table+` SET project_code = ? WHERE workflow_code = ?`, project, code); err != nil {
			return fmt.Errorf("move runs of workflow %d: %w", code, err)
		}
	}
	return nil
}
