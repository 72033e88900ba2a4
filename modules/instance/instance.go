package instance

import (
	"context"
	"time"

	"dorado/app/kit/fault"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// Instance is one run of a workflow.
type Instance struct {
	ID              int64                `db:"id"`
	Name            string               `db:"name"`
	WorkflowCode    int64                `db:"workflow_code"`
	WorkflowVersion int                  `db:"workflow_version"`
	WorkflowName    string               `db:"workflow_name"`
	ProjectCode     int64                `db:"project_code"`
	State           flow.WorkflowState   `db:"state"`
	StateHistory    string               `db:"state_history"`
	CommandType     flow.CommandType     `db:"command_type"`
	CommandParam    string               `db:"command_param"`
	HistoryCmd      string               `db:"history_cmd"`
	DependType      flow.TaskDependType  `db:"task_depend_type"`
	FailureStrategy flow.FailureStrategy `db:"failure_strategy"`
	WarningType     flow.WarningType     `db:"warning_type"`
	WarningGroupID  int64                `db:"warning_group_id"`
	Priority        flow.Priority        `db:"priority"`
	WorkerGroup     string               `db:"worker_group"`
	TenantCode      string               `db:"tenant_code"`
	EnvironmentCode int64                `db:"environment_code"`
	ExecutorID      int64                `db:"executor_id"`
	ExecutorName    string               `db:"executor_name"`
	DryRun          bool                 `db:"dry_run"`
	TestFlag        int                  `db:"test_flag"`
	IsSubWorkflow   bool                 `db:"is_sub_workflow"` // a row that no list of runs shows
	Stream          bool                 `db:"stream"`          // one streaming task, started by itself; IsSubWorkflow is set, too
	Recovery        bool                 `db:"recovery"`
	RunTimes        int                  `db:"run_times"`
	TimeoutMinutes  int                  `db:"timeout_minutes"`
	TimeZone        string               `db:"time_zone"`
	GlobalParams    string               `db:"global_params"`
	VarPool         string               `db:"var_pool"`
	Message         string               `db:"message"`
	Host            string               `db:"host"`
	ScheduleTime    *time.Time           `db:"schedule_time"`
	Deadline        *time.Time           `db:"deadline"`
	StartTime       time.Time            `db:"start_time"`
	RestartTime     *time.Time           `db:"restart_time"`
	EndTime         *time.Time           `db:"end_time"`
	UpdatedAt       time.Time            `db:"updated_at"`

	execution flow.ExecutionType // of a new instance: how it meets others of its workflow
}

// Began is when the latest run of the instance began.
func (i *Instance) Began() time.Time {
	if i.RestartTime != nil {
		return *i.RestartTime
	}
	return i.StartTime
}

// Duration is how long the latest run took, or has taken at now.
func (i *Instance) Duration(now time.Time) time.Duration {
	if i.EndTime != nil {
		return i.EndTime.Sub(i.Began())
	}
	return now.Sub(i.Began())
}

// Task is one attempt of a task: a task instance.
type Task struct {
	ID                 int64          `db:"id"`
	WorkflowInstanceID int64          `db:"workflow_instance_id"`
	ProjectCode        int64          `db:"project_code"`
	TaskCode           int64          `db:"task_code"`
	TaskVersion        int            `db:"task_version"`
	Name               string         `db:"name"`
	Type               string         `db:"task_type"`
	State              flow.TaskState `db:"state"`
	Valid              bool           `db:"valid"`
	Attempt            int            `db:"attempt"`
	MaxRetryTimes      int            `db:"max_retry_times"`
	WorkerGroup        string         `db:"worker_group"`
	Priority           flow.Priority  `db:"priority"`
	Host               string         `db:"host"`
	PID                int            `db:"pid"`
	ExitCode           *int           `db:"exit_code"`
	LogPath            string         `db:"log_path"`
	ExecutePath        string         `db:"execute_path"`
	AppLink            string         `db:"app_link"`
	VarPool            string         `db:"var_pool"`
	Message            string         `db:"message"`
	FirstSubmitTime    time.Time      `db:"first_submit_time"`
	SubmitTime         time.Time      `db:"submit_time"`
	DueTime            *time.Time     `db:"due_time"`
	StartTime          *time.Time     `db:"start_time"`
	EndTime            *time.Time     `db:"end_time"`
}

// Duration is how long the attempt's work took, or has taken at now; zero before it began.
func (t *Task) Duration(now time.Time) time.Duration {
	switch {
	case t.StartTime == nil:
		return 0
	case t.EndTime != nil:
		return t.EndTime.Sub(*t.StartTime)
	default:
		return now.Sub(*t.StartTime)
	}
}

// ListedTask is a task instance with what lists show of its run.
type ListedTask struct {
	Task
	InstanceName string             `db:"instance_name"`
	WorkflowName string             `db:"workflow_name"`
	WorkflowCode int64              `db:"workflow_code"`
	RunState     flow.WorkflowState `db:"run_state"`
	ExecutorID   int64              `db:"executor_id"`
	ExecutorName string             `db:"executor_name"`
	DryRun       bool               `db:"dry_run"`
	Stream       bool               `db:"stream"` // started by itself: its run is nobody's to see

	WorkflowVersion int   `db:"workflow_version"`
	EnvironmentCode int64 `db:"environment_code"`
}

// Faults of this module.
var (
	ErrNotFound       = fault.New(fault.NotFound, "instance.not_found")
	ErrTaskNotFound   = fault.New(fault.NotFound, "instance.task_not_found")
	ErrOffline        = fault.New(fault.Conflict, "instance.workflow_offline")
	ErrStartNode      = fault.New(fault.Invalid, "instance.start_node_unknown")
	ErrTenantUnknown  = fault.New(fault.Invalid, "instance.tenant_unknown")
	ErrChangedState   = fault.New(fault.Conflict, "instance.changed_state")
	ErrStartParam     = fault.New(fault.Invalid, "instance.start_param")
	ErrParamEvaluate  = fault.New(fault.Invalid, "instance.param_evaluate")
	ErrStartRequest   = fault.New(fault.Invalid, "instance.start_request")
	ErrNoLog          = fault.New(fault.NotFound, "instance.no_log")
	ErrSelection      = fault.New(fault.Invalid, "instance.selection")
	ErrRunningDefined = fault.New(fault.Conflict, "instance.running")
	ErrGroupUnknown   = fault.New(fault.Invalid, "run.group_unknown")
	ErrGroupDenied    = fault.New(fault.Forbidden, "workergroup.error.denied")
	ErrEnvUnknown     = fault.New(fault.Invalid, "run.environment_unknown")
	ErrSubOffline     = fault.New(fault.Conflict, "run.sub_workflow_offline")
	ErrChild          = fault.New(fault.NotFound, "run.child_unknown")
	ErrDepth          = fault.New(fault.Conflict, "run.too_deep")
	ErrTaskOver       = fault.New(fault.Conflict, "run.task_over")
	ErrNotWaiting     = fault.New(fault.Conflict, "run.not_waiting")
	ErrDecided        = fault.New(fault.Conflict, "run.decided")
	ErrDate           = fault.New(fault.Invalid, "run.bad_date")
	ErrBulkBusy       = fault.New(fault.Conflict, "operate.bulk.busy")
	ErrComment        = fault.New(fault.Invalid, "operate.comment_missing")
	ErrNotYours       = fault.New(fault.Forbidden, "run.not_yours")
)

// StartRequest asks for a run.
type StartRequest struct {
	WorkflowCode    int64
	Version         int // 0 = the current one
	StartNodes      []int64
	Depend          flow.TaskDependType
	FailureStrategy flow.FailureStrategy
	WarningType     flow.WarningType
	WarningGroupID  int64
	Priority        flow.Priority
	WorkerGroup     string
	TenantCode      string
	EnvironmentCode int64
	StartParams     []flow.Property
	TimeZone        string // IANA name; "" = UTC
	DryRun          bool
	IdempotencyKey  string // a repeated key returns the first result

	stream bool // the one start node is a streaming task
}

// Logs reaches the logs of attempts, wherever their worker is; the engine implements it.
type Logs interface {
	// ReadLog asks a worker for part of a log and calls fn for each piece of the answer.
	ReadLog(ctx context.Context, worker string, req *doradov1.LogRequest, fn func(*doradov1.LogReply) error) error
	// RemoveLogs deletes the logs of deleted runs, given by the worker that wrote them, wherever they lie, and what these runs
	// handed on from task to task; the error says what is left.
	RemoveLogs(ctx context.Context, byWorker map[string][]string) error
}

// Workers tells what the explanation of a waiting task needs to know; the engine implements it.
type Workers interface {
	// Backlog is how many attempts of a group wait for a slot, and how many connected workers serve it.
	Backlog(group string) (waiting, serving int)
	// Groups lists the worker groups that are served now.
	Groups() []string
}
