package instance

import (
	"context"
	"net/http"
	"slices"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
)

// Command is a request to a master that no master has carried out yet, or that none could.
type Command struct {
	ID              int64                `db:"id"`
	Type            flow.CommandType     `db:"command_type"`
	Param           string               `db:"param"`
	ExecutorID      int64                `db:"executor_id"`
	Message         string               `db:"message"` // why it failed
	CreatedAt       time.Time            `db:"created_at"`
	UpdatedAt       time.Time            `db:"updated_at"` // when it failed
	InstanceID      int64                `db:"workflow_instance_id"`
	WorkflowCode    int64                `db:"workflow_code"`
	WorkflowVersion int                  `db:"workflow_version"`
	Priority        flow.Priority        `db:"priority"`
	DependType      flow.TaskDependType  `db:"task_depend_type"`
	FailureStrategy flow.FailureStrategy `db:"failure_strategy"`
	WarningType     flow.WarningType     `db:"warning_type"`
	WarningGroupID  int64                `db:"warning_group_id"`
	ScheduleTime    *time.Time           `db:"schedule_time"`
	WorkerGroup     string               `db:"worker_group"`
	TenantCode      string               `db:"tenant_code"`
	EnvironmentCode int64                `db:"environment_code"`
	DryRun          bool                 `db:"dry_run"`
	TestFlag        int                  `db:"test_flag"`
}

// Commands returns limit commands after offset, newest first, and how many there are: of one project, or with project 0 of
// all that whoever acts may see. failed asks for those that could not be carried out.
func (s *Service) Commands(ctx context.Context, project int64, failed bool, limit, offset int) ([]Command, int, error) {
	within, args, err := s.seen(ctx, project)
	if err != nil {
		return nil, 0, err
	}
	from, more := `command`, `'' AS message, c.created_at AS updated_at`
	if failed {
		from, more = `error_command`, `c.message, c.failed_at AS updated_at`
	}
	hidden, also := s.Access.NotHidden(ctx, "w.workflow_code", Read)
	args = slices.Concat(args, also)
	tables := ` FROM ` + from + ` c JOIN workflow_instance w ON w.id = c.workflow_instance_id WHERE w.` + within + hidden
	total, err := db.Get[int](ctx, s.DB, `SELECT count(*)`+tables, args...)
	if err != nil {
		return nil, 0, err
	}
	rows, err := db.Select[Command](ctx, s.DB, `SELECT c.id, c.command_type, c.param, c.executor_id, c.created_at, c.workflow_instance_id, `+more+`,
		w.workflow_code, w.workflow_version, w.priority, w.task_depend_type, w.failure_strategy, w.warning_type, w.warning_group_id, w.schedule_time,
		w.worker_group, w.tenant_code, w.environment_code, w.dry_run, w.test_flag`+tables+` ORDER BY c.id DESC LIMIT ? OFFSET ?`,
		slices.Concat(args, []any{limit, offset})...)
	return rows, total, err
}

type dsCommand struct {
	ID              int64                `json:"id"`
	Type            flow.CommandType     `json:"commandType"`
	WorkflowCode    int64                `json:"workflowDefinitionCode"`
	WorkflowVersion int                  `json:"workflowDefinitionVersion"`
	InstanceID      int64                `json:"workflowInstanceId"`
	Param           string               `json:"commandParam"`
	Priority        flow.Priority        `json:"workflowInstancePriority"`
	ExecutorID      int64                `json:"executorId"`
	DependType      flow.TaskDependType  `json:"taskDependType"`
	FailureStrategy flow.FailureStrategy `json:"failureStrategy"`
	WarningType     flow.WarningType     `json:"warningType"`
	WarningGroupID  *int64               `json:"warningGroupId"`
	ScheduleTime    dsapi.Time           `json:"scheduleTime"`
	StartTime       dsapi.Time           `json:"startTime"`
	UpdateTime      dsapi.Time           `json:"updateTime"`
	WorkerGroup     string               `json:"workerGroup"`
	TenantCode      string               `json:"tenantCode"`
	EnvironmentCode int64                `json:"environmentCode"`
	DryRun          int                  `json:"dryRun"`
	TestFlag        int                  `json:"testFlag"`
}

// dsErrorCommand is a command that could not be carried out.
type dsErrorCommand struct {
	dsCommand
	Message string `json:"message"`
}

func toDSCommand(c Command) dsCommand {
	return dsCommand{
		ID: c.ID, Type: c.Type, WorkflowCode: c.WorkflowCode, WorkflowVersion: c.WorkflowVersion, InstanceID: c.InstanceID, Param: c.Param,
		Priority: c.Priority, ExecutorID: c.ExecutorID, DependType: c.DependType, FailureStrategy: c.FailureStrategy, WarningType: c.WarningType,
		WarningGroupID: dsapi.OrNull(c.WarningGroupID), ScheduleTime: at(c.ScheduleTime), StartTime: dsapi.Time(c.CreatedAt),
		UpdateTime: dsapi.Time(c.UpdatedAt), WorkerGroup: c.WorkerGroup, TenantCode: c.TenantCode, EnvironmentCode: c.EnvironmentCode,
		DryRun: bit(c.DryRun), TestFlag: c.TestFlag,
	}
}

func (a api) listCommands(r *http.Request, p *dsapi.Params) (any, error) {
	return pageOf(a, r, p, false, toDSCommand)
}

func (a api) listErrorCommands(r *http.Request, p *dsapi.Params) (any, error) {
	return pageOf(a, r, p, true, func(c Command) dsErrorCommand { return dsErrorCommand{toDSCommand(c), c.Message} })
}

// pageOf answers a page of commands.
func pageOf[T any](a api, r *http.Request, p *dsapi.Params, failed bool, row func(Command) T) (any, error) {
	no, size := p.Paging()
	in := p.Int64("projectCode", 0)
	if err := p.Err(); err != nil {
		return nil, err
	}
	list, total, err := a.svc.Commands(r.Context(), in, failed, size, (no-1)*size)
	rows := make([]T, len(list))
	for k, c := range list {
		rows[k] = row(c)
	}
	return dsapi.Page(rows, int64(total), no, size), err
}
