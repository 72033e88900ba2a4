package instance

import (
	"context"

	"dorado/app/kit/db"
	"dorado/modules/security/alertgroup"
	"dorado/modules/security/crud"
	"dorado/modules/security/environment"
	"dorado/modules/security/workergroup"
)

// Unfinished runs refer to what administrators arrange. These are the referrers of the modules that keep it; whoever
// deletes it may see all projects.

func (s *Service) activeUses(ctx context.Context, limit int, where string, args ...any) ([]crud.Use, error) {
	rows, err := db.Select[Instance](ctx, s.DB, `SELECT w.id, w.name, w.project_code FROM workflow_instance w
		WHERE w.state NOT IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE') AND `+where+` ORDER BY w.id DESC LIMIT ?`, append(args, limit)...)
	uses := make([]crud.Use, len(rows))
	for k := range rows {
		uses[k] = crud.Use{Kind: "instance.one", Name: rows[k].Name, URL: address(rows[k].ProjectCode, rows[k].ID)}
	}
	return uses, err
}

// WorkerGroupUses lists the unfinished instances that run in a worker group; it is workergroup.Referrer.
func (s *Service) WorkerGroupUses(ctx context.Context, name string, limit int) ([]workergroup.Use, error) {
	return s.activeUses(ctx, limit, "w.worker_group = ?", name)
}

// EnvironmentUses lists the unfinished instances that use an environment; it is environment.Referrer.
func (s *Service) EnvironmentUses(ctx context.Context, code int64, group string, limit int) ([]environment.Use, error) {
	if group != "" {
		return s.activeUses(ctx, limit, "w.environment_code = ? AND w.worker_group = ?", code, group)
	}
	return s.activeUses(ctx, limit, "w.environment_code = ?", code)
}

// AlertGroupUses lists the unfinished instances that tell a group of their end; it is alertgroup.Referrer.
func (s *Service) AlertGroupUses(ctx context.Context, id int64, limit int) ([]alertgroup.Use, error) {
	return s.activeUses(ctx, limit, "w.warning_group_id = ?", id)
}
