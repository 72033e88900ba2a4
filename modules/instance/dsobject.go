package instance

import (
	"fmt"
	"strings"
	"time"

	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
)

// The objects of this file are instances as DolphinScheduler's clients know them: names, order and nulls are theirs.

type dsInstance struct {
	ID                int64                `json:"id"`
	WorkflowCode      int64                `json:"workflowDefinitionCode"`
	WorkflowVersion   int                  `json:"workflowDefinitionVersion"`
	ProjectCode       int64                `json:"projectCode"`
	State             flow.WorkflowState   `json:"state"`
	StateHistory      string               `json:"stateHistory"` // JSON text
	StateDescList     *string              `json:"stateDescList"`
	Recovery          flow.Flag            `json:"recovery"`
	StartTime         dsapi.Time           `json:"startTime"`
	EndTime           dsapi.Time           `json:"endTime"`
	RunTimes          int                  `json:"runTimes"`
	Name              string               `json:"name"`
	Host              string               `json:"host"`
	Workflow          *string              `json:"workflowDefinition"`
	CommandType       flow.CommandType     `json:"commandType"`
	CommandParam      string               `json:"commandParam"` // JSON text
	TaskDependType    flow.TaskDependType  `json:"taskDependType"`
	MaxTryTimes       int                  `json:"maxTryTimes"`
	FailureStrategy   flow.FailureStrategy `json:"failureStrategy"`
	WarningType       flow.WarningType     `json:"warningType"`
	WarningGroupID    *int64               `json:"warningGroupId"`
	ScheduleTime      dsapi.Time           `json:"scheduleTime"`
	CommandStartTime  dsapi.Time           `json:"commandStartTime"`
	GlobalParams      string               `json:"globalParams"` // JSON text
	DagData           any                  `json:"dagData"`
	ExecutorID        int64                `json:"executorId"`
	ExecutorName      string               `json:"executorName"`
	TenantCode        string               `json:"tenantCode"`
	Queue             *string              `json:"queue"`
	IsSubWorkflow     flow.Flag            `json:"isSubWorkflow"`
	Locations         *string              `json:"locations"` // JSON text
	HistoryCmd        string               `json:"historyCmd"`
	DependenceTimes   *string              `json:"dependenceScheduleTimes"`
	Duration          *string              `json:"duration"`
	Priority          flow.Priority        `json:"workflowInstancePriority"`
	WorkerGroup       string               `json:"workerGroup"`
	EnvironmentCode   int64                `json:"environmentCode"`
	Timeout           int                  `json:"timeout"`
	VarPool           *string              `json:"varPool"`
	NextInstanceID    int64                `json:"nextWorkflowInstanceId"`
	DryRun            int                  `json:"dryRun"`
	RestartTime       dsapi.Time           `json:"restartTime"`
	TestFlag          int                  `json:"testFlag"`
	ComplementData    bool                 `json:"complementData"`
	CmdTypeComplement flow.CommandType     `json:"cmdTypeIfComplement"`
}

func flag(yes bool) flow.Flag {
	if yes {
		return flow.FlagYes
	}
	return flow.FlagNo
}

func bit(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func at(t *time.Time) dsapi.Time {
	if t == nil {
		return dsapi.Time{}
	}
	return dsapi.Time(*t)
}

func toDS(i *Instance, now time.Time) dsInstance {
	out := dsInstance{
		ID: i.ID, WorkflowCode: i.WorkflowCode, WorkflowVersion: i.WorkflowVersion, ProjectCode: i.ProjectCode, State: i.State,
		StateHistory: i.StateHistory, Recovery: flag(i.Recovery), StartTime: dsapi.Time(i.StartTime), EndTime: at(i.EndTime), RunTimes: i.RunTimes,
		Name: i.Name, Host: i.Host, CommandType: i.CommandType, CommandParam: i.CommandParam, TaskDependType: i.DependType,
		FailureStrategy: i.FailureStrategy, WarningType: i.WarningType, WarningGroupID: dsapi.OrNull(i.WarningGroupID), ScheduleTime: at(i.ScheduleTime),
		GlobalParams: i.GlobalParams, ExecutorID: i.ExecutorID, ExecutorName: i.ExecutorName, TenantCode: i.TenantCode,
		IsSubWorkflow: flag(i.IsSubWorkflow), HistoryCmd: i.HistoryCmd, Duration: length(i.Duration(now)), Priority: i.Priority,
		WorkerGroup: i.WorkerGroup, EnvironmentCode: i.EnvironmentCode, Timeout: i.TimeoutMinutes, DryRun: bit(i.DryRun), RestartTime: at(i.RestartTime),
		TestFlag: i.TestFlag, ComplementData: i.CommandType == flow.CommandBackfill, CmdTypeComplement: origin(i),
	}
	if i.VarPool != "" && i.VarPool != "[]" {
		out.VarPool = &i.VarPool
	}
	return out
}

// origin is the command that made the instance, whatever was asked of it later.
func origin(i *Instance) flow.CommandType {
	first, _, _ := strings.Cut(i.HistoryCmd, ",")
	if first == "" {
		return i.CommandType
	}
	return flow.CommandType(first)
}

// length writes how long something took: "1d 2h 3m 4s" without units that are zero, "1s" at least.
func length(d time.Duration) *string {
	s := max(1, int64(d/time.Second))
	var parts []string
	for _, unit := range []struct {
		seconds int64
		name    string
	}{{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}} {
		if n := s / unit.seconds; n > 0 {
			parts = append(parts, fmt.Sprintf("%d%s", n, unit.name))
			s -= n * unit.seconds
		}
	}
	text := strings.Join(parts, " ")
	return &text
}

// clock writes how long something took as dd HH:mm:ss.
func clock(d time.Duration) string {
	s := int64(max(d, 0) / time.Second)
	return fmt.Sprintf("%02d %02d:%02d:%02d", s/86400, s/3600%24, s/60%60, s%60)
}

type dsTask struct {
	ID               int64            `json:"id"`
	Name             string           `json:"name"`
	TaskType         string           `json:"taskType"`
	InstanceID       int64            `json:"workflowInstanceId"`
	InstanceName     string           `json:"workflowInstanceName"`
	ProjectCode      int64            `json:"projectCode"`
	TaskCode         int64            `json:"taskCode"`
	TaskVersion      int              `json:"taskDefinitionVersion"`
	DefinitionName   *string          `json:"processDefinitionName"`
	GroupPriority    int              `json:"taskGroupPriority"`
	State            flow.TaskState   `json:"state"`
	FirstSubmitTime  dsapi.Time       `json:"firstSubmitTime"`
	SubmitTime       dsapi.Time       `json:"submitTime"`
	StartTime        dsapi.Time       `json:"startTime"`
	EndTime          dsapi.Time       `json:"endTime"`
	Host             *string          `json:"host"`
	ExecutePath      *string          `json:"executePath"`
	LogPath          *string          `json:"logPath"`
	RetryTimes       int              `json:"retryTimes"`
	AlertFlag        flow.Flag        `json:"alertFlag"`
	Instance         *string          `json:"workflowInstance"`
	Workflow         *string          `json:"workflowDefinition"`
	TaskDefine       *string          `json:"taskDefine"`
	PID              int              `json:"pid"`
	AppLink          *string          `json:"appLink"`
	Flag             flow.Flag        `json:"flag"`
	IsCache          flow.Flag        `json:"isCache"`
	CacheKey         *string          `json:"cacheKey"`
	Duration         *string          `json:"duration"`
	MaxRetryTimes    int              `json:"maxRetryTimes"`
	RetryInterval    int              `json:"retryInterval"`
	Priority         flow.Priority    `json:"taskInstancePriority"`
	WorkflowPriority *string          `json:"workflowInstancePriority"`
	WorkerGroup      string           `json:"workerGroup"`
	EnvironmentCode  int64            `json:"environmentCode"`
	EnvironmentText  *string          `json:"environmentConfig"`
	ExecutorID       int64            `json:"executorId"`
	VarPool          string           `json:"varPool"`
	ExecutorName     string           `json:"executorName"`
	DelayTime        int              `json:"delayTime"`
	TaskParams       string           `json:"taskParams"` // JSON text
	DryRun           int              `json:"dryRun"`
	TaskGroupID      int64            `json:"taskGroupId"`
	CPUQuota         int              `json:"cpuQuota"`
	MemoryMax        int              `json:"memoryMax"`
	ExecuteType      flow.ExecuteType `json:"taskExecuteType"`
	TestFlag         int              `json:"testFlag"`
}

// dsTasks are the tasks of an instance.
type dsTasks struct {
	State flow.WorkflowState `json:"workflowInstanceState"`
	List  []dsTask           `json:"taskList"`
}

// toDSTask shows an attempt; p is the version that it belongs to, nil when that cannot be read.
func toDSTask(t *ListedTask, p *program, now time.Time) dsTask {
	out := dsTask{
		ID: t.ID, Name: t.Name, TaskType: t.Type, InstanceID: t.WorkflowInstanceID, InstanceName: t.InstanceName, ProjectCode: t.ProjectCode,
		TaskCode: t.TaskCode, TaskVersion: t.TaskVersion, State: t.State, FirstSubmitTime: dsapi.Time(t.FirstSubmitTime),
		SubmitTime: dsapi.Time(t.SubmitTime), StartTime: at(t.StartTime), EndTime: at(t.EndTime), Host: dsapi.OrNull(t.Host),
		ExecutePath: dsapi.OrNull(t.ExecutePath), LogPath: dsapi.OrNull(t.LogPath), RetryTimes: t.Attempt, AlertFlag: flow.FlagNo, PID: t.PID,
		AppLink: dsapi.OrNull(t.AppLink), Flag: flag(t.Valid), IsCache: flow.FlagNo, MaxRetryTimes: t.MaxRetryTimes, Priority: t.Priority,
		WorkerGroup: t.WorkerGroup, EnvironmentCode: t.EnvironmentCode, ExecutorID: t.ExecutorID, VarPool: t.VarPool, ExecutorName: t.ExecutorName,
		TaskParams: "{}", DryRun: bit(t.DryRun), CPUQuota: -1, MemoryMax: -1, ExecuteType: flow.Batch,
	}
	if t.StartTime != nil {
		out.Duration = length(t.Duration(now))
	}
	if t.Stream { // there is no instance
		out.InstanceID, out.InstanceName, out.DefinitionName, out.ExecuteType = 0, "", &t.WorkflowName, flow.Stream
	}
	if p == nil {
		return out
	}
	n, ok := p.graph.Index[t.TaskCode]
	if !ok {
		return out
	}
	def := &p.graph.Tasks[n]
	out.GroupPriority, out.IsCache, out.RetryInterval, out.DelayTime = def.TaskGroupPriority, def.IsCache, def.RetryInterval, def.DelayMinutes
	out.TaskGroupID, out.CPUQuota, out.MemoryMax, out.ExecuteType = def.TaskGroupID, def.CPUQuota, def.MemoryMax, def.ExecuteType
	if def.EnvironmentCode > 0 {
		out.EnvironmentCode = def.EnvironmentCode
	}
	if len(def.Params) > 0 {
		out.TaskParams = string(def.Params)
	}
	return out
}

type dsVariables struct {
	GlobalParams []flow.Property    `json:"globalParams"`
	LocalParams  map[string]dsLocal `json:"localParams"`
}

type dsLocal struct {
	TaskType string          `json:"taskType"`
	List     []flow.Property `json:"localParamsList"`
}

type dsGantt struct {
	Height     int               `json:"height"`
	Tasks      []dsGanttTask     `json:"tasks"`
	TaskNames  []int64           `json:"taskNames"` // codes, in topological order
	TaskStatus map[string]string `json:"taskStatus"`
}

type dsGanttTask struct {
	Name          string         `json:"taskName"`
	Start         []int64        `json:"startDate"` // milliseconds
	End           []int64        `json:"endDate"`
	ExecutionDate dsapi.Time     `json:"executionDate"`
	ISOStart      dsapi.Time     `json:"isoStart"`
	ISOEnd        dsapi.Time     `json:"isoEnd"`
	Status        flow.TaskState `json:"status"`
	Duration      string         `json:"duration"`
}

func toDSGantt(d *Detail, now time.Time) dsGantt {
	out := dsGantt{Tasks: []dsGanttTask{}, TaskNames: []int64{}, TaskStatus: map[string]string{"success": "success"}}
	for n := range d.Nodes {
		out.TaskNames = append(out.TaskNames, d.Nodes[n].Task.Code)
		a := d.Nodes[n].Current
		if a == nil {
			continue
		}
		start, end := a.SubmitTime, now
		if a.StartTime != nil {
			start = *a.StartTime
		}
		if a.EndTime != nil {
			end = *a.EndTime
		}
		out.Tasks = append(out.Tasks, dsGanttTask{
			Name: a.Name, Start: []int64{start.UnixMilli()}, End: []int64{end.UnixMilli()}, ExecutionDate: dsapi.Time(start), ISOStart: dsapi.Time(start),
			ISOEnd: dsapi.Time(end), Status: a.State, Duration: clock(end.Sub(start)),
		})
	}
	return out
}
