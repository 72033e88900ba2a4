package workflow

import (
	"context"
	"fmt"
	"strings"

	"dorado/app/kit/db"
	"dorado/modules/resource"
	"dorado/modules/security/crud"
	"dorado/modules/security/environment"
	"dorado/modules/security/workergroup"
)

// The current versions of workflows refer to what administrators arrange. These are the referrers of the modules that
// keep it; whoever deletes it may see all projects.

type taskUse struct {
	Task     string `db:"task"`
	Workflow string `db:"workflow"`
	Code     int64  `db:"code"`
	Project  int64  `db:"project_code"`
}

func (s *Service) taskUses(ctx context.Context, limit int, where string, args ...any) ([]crud.Use, error) {
	rows, err := db.Select[taskUse](ctx, s.DB, `SELECT t.name AS task, w.name AS workflow, w.code, w.project_code
		FROM task_definition t JOIN workflow_definition w ON w.code = t.workflow_code WHERE `+where+` ORDER BY w.name, t.name LIMIT ?`,
		append(args, limit)...)
	uses := make([]crud.Use, len(rows))
	for i, r := range rows {
		uses[i] = crud.Use{Kind: workergroup.UseTask, Name: r.Workflow + " · " + r.Task, URL: address(r.Project, r.Code)}
	}
	return uses, wrap(err, "find users")
}

// WorkerGroupUses lists the tasks that ask for a worker group; it is workergroup.Referrer.
func (s *Service) WorkerGroupUses(ctx context.Context, name string, limit int) ([]workergroup.Use, error) {
	return s.taskUses(ctx, limit, "t.worker_group = ?", name)
}

// EnvironmentUses lists the tasks that name an environment; it is environment.Referrer.
func (s *Service) EnvironmentUses(ctx context.Context, code int64, group string, limit int) ([]environment.Use, error) {
	if group != "" {
		return s.taskUses(ctx, limit, "t.environment_code = ? AND t.worker_group = ?", code, group)
	}
	return s.taskUses(ctx, limit, "t.environment_code = ?", code)
}

// TaskGroupUses lists the tasks that belong to a task group.
func (s *Service) TaskGroupUses(ctx context.Context, id int64, limit int) ([]crud.Use, error) {
	return s.taskUses(ctx, limit, "t.task_group_id = ?", id)
}

// ProjectGroups lists the worker groups that tasks of a project ask for.
func (s *Service) ProjectGroups(ctx context.Context, project int64) ([]string, error) {
	names, err := db.Select[string](ctx, s.DB, "SELECT DISTINCT worker_group FROM task_definition WHERE project_code = ? ORDER BY worker_group", project)
	return names, wrap(err, "list worker groups")
}

// ResourceUses lists the tasks that name a file of the resource center, or what lies below a folder; it is resource.Referrer.
func (s *Service) ResourceUses(ctx context.Context, name string, limit int) ([]resource.Use, error) {
	rows, err := s.store.fileUses(ctx, name, limit)
	uses := make([]resource.Use, len(rows))
	for i, r := range rows {
		uses[i] = resource.Use{Name: r.Name, Workflow: r.Workflow, Task: r.Task, URL: address(r.Project, r.Code)}
	}
	return uses, wrap(err, "find users")
}

// DataSourceUses lists the tasks that name a data source; it is datasource.Referrer.
func (s *Service) DataSourceUses(ctx context.Context, id int64, limit int) ([]crud.Use, error) {
	return s.taskUses(ctx, limit, "EXISTS (SELECT 1 FROM task_source x WHERE x.workflow_code = t.workflow_code AND x.task_code = t.code AND x.source_id = ?)", id)
}

// ParameterUses lists the workflows of a project whose current version mentions ${name}; it is project.ParameterUsers.
func (s *Service) ParameterUses(ctx context.Context, project int64, name string, limit int) ([]crud.Use, error) {
	rows, err := db.Select[taskUse](ctx, s.DB, `SELECT '' AS task, w.name AS workflow, w.code, w.project_code FROM workflow_definition w
		JOIN workflow_version v ON v.workflow_code = w.code AND v.version = w.version
		WHERE w.project_code = ? AND `+s.DB.Dialect().Like("v.body")+` ORDER BY w.name LIMIT ?`,
		project, db.Contains(fmt.Sprintf("${%s}", inJSON(name))), limit)
	uses := make([]crud.Use, len(rows))
	for i, r := range rows {
		uses[i] = crud.Use{Kind: "project.field.workflow", Name: r.Workflow, URL: address(r.Project, r.Code)}
	}
	return uses, wrap(err, "find uses")
}

// inJSON is a name as it stands in the stored text of a version, which writes these signs otherwise.
func inJSON(name string) string {
	return strings.NewReplacer("&", `\u0026`, "<", `\u003c`, ">", `\u003e`).Replace(name)
}
