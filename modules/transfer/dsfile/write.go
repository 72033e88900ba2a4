package dsfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"dorado/modules/flow"
	"dorado/modules/transfer/neutral"
)

// Words says which generation of DolphinScheduler a file is for.
type Words int

// The generations.
const (
	Workflow Words = iota // 3.3: workflowDefinition, SUB_WORKFLOW
	Process               // 3.2 and older: processDefinition, SUB_PROCESS
)

// Record is a workflow to be written.
type Record struct {
	Definition *flow.Definition
	ID         int64
	OwnerID    int64
	ModifierID int64
	CreatedAt  time.Time
	UpdatedAt  time.Time
	Schedules  []Timing
}

// Timing is a schedule to be written. It is always written offline.
type Timing struct {
	neutral.Schedule
	ID        int64
	UserID    int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Options say how to write.
type Options struct {
	Words Words
	// Zone is that of times of creation and change; nil: UTC.
	Zone *time.Location
	// Stable leaves out what another installation cannot keep: numbers of rows, people, projects, times and versions. Two
	// files that say the same are then the same bytes.
	Stable bool
}

// Write writes records as one file, as DolphinScheduler lays it out.
func Write(w io.Writer, records []Record, o Options) error {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	all := make([]dag, len(records))
	for i, r := range records {
		if o.Stable {
			r = stable(r)
		}
		var err error
		if all[i], err = o.dag(r); err != nil {
			return err
		}
	}
	raw, err := write(all)
	if err != nil {
		return fmt.Errorf("encode workflows: %w", err)
	}
	_, err = w.Write(pretty(raw, o.Words == Process))
	return err
}

// stable returns a record without what belongs to one installation.
func stable(r Record) Record {
	d := *r.Definition
	d.Version, d.ProjectCode = 1, 0
	d.Tasks = append([]flow.Task(nil), d.Tasks...)
	for i := range d.Tasks {
		d.Tasks[i].Version = 1
	}
	out := Record{Definition: &d, Schedules: append([]Timing(nil), r.Schedules...)}
	for i := range out.Schedules {
		out.Schedules[i] = Timing{Schedule: out.Schedules[i].Schedule}
	}
	return out
}

// The types of this file are the objects of a file: names, order and nulls are DolphinScheduler's.

type dag struct {
	Workflow  head       `json:"workflowDefinition"`
	Relations []relation `json:"workflowTaskRelationList"`
	Tasks     []task     `json:"taskDefinitionList"`
	Schedule  *timing    `json:"schedule"`
	More      []*timing  `json:"moreSchedules,omitempty"` // ours: there a workflow has at most one
}

type head struct {
	ID                   int64              `json:"id"`
	Code                 int64              `json:"code"`
	Name                 string             `json:"name"`
	Version              int                `json:"version"`
	ReleaseState         string             `json:"releaseState"`
	ProjectCode          int64              `json:"projectCode"`
	Description          string             `json:"description"`
	GlobalParams         string             `json:"globalParams"`
	GlobalParamList      []flow.Property    `json:"globalParamList"`
	GlobalParamMap       map[string]string  `json:"globalParamMap"`
	CreateTime           *string            `json:"createTime"`
	UpdateTime           *string            `json:"updateTime"`
	Flag                 string             `json:"flag"`
	UserID               int64              `json:"userId"`
	UserName             *string            `json:"userName"`
	ProjectName          *string            `json:"projectName"`
	Locations            *string            `json:"locations"`
	ScheduleReleaseState *string            `json:"scheduleReleaseState"`
	Schedule             *string            `json:"schedule"`
	Timeout              int                `json:"timeout"`
	ModifyBy             *string            `json:"modifyBy"`
	WarningGroupID       *int64             `json:"warningGroupId"`
	ExecutionType        flow.ExecutionType `json:"executionType"`
}

type relation struct {
	ID              int64    `json:"id"`
	Name            string   `json:"name"`
	WorkflowVersion int      `json:"workflowDefinitionVersion"`
	ProjectCode     int64    `json:"projectCode"`
	WorkflowCode    int64    `json:"workflowDefinitionCode"`
	PreTaskCode     int64    `json:"preTaskCode"`
	PreTaskVersion  int      `json:"preTaskVersion"`
	PostTaskCode    int64    `json:"postTaskCode"`
	PostTaskVersion int      `json:"postTaskVersion"`
	ConditionType   string   `json:"conditionType"`
	ConditionParams struct{} `json:"conditionParams"`
	CreateTime      *string  `json:"createTime"`
	UpdateTime      *string  `json:"updateTime"`
	Operator        int64    `json:"operator"`
	OperateTime     *string  `json:"operateTime"`
}

type task struct {
	ID                    int64             `json:"id"`
	Code                  int64             `json:"code"`
	Name                  string            `json:"name"`
	Version               int               `json:"version"`
	Description           string            `json:"description"`
	ProjectCode           int64             `json:"projectCode"`
	UserID                int64             `json:"userId"`
	TaskType              string            `json:"taskType"`
	TaskParams            json.RawMessage   `json:"taskParams"`
	TaskParamList         []flow.Property   `json:"taskParamList"`
	TaskParamMap          map[string]string `json:"taskParamMap"`
	Flag                  flow.Flag         `json:"flag"`
	IsCache               flow.Flag         `json:"isCache"`
	TaskPriority          flow.Priority     `json:"taskPriority"`
	UserName              *string           `json:"userName"`
	ProjectName           *string           `json:"projectName"`
	WorkerGroup           string            `json:"workerGroup"`
	EnvironmentCode       int64             `json:"environmentCode"`
	FailRetryTimes        int               `json:"failRetryTimes"`
	FailRetryInterval     int               `json:"failRetryInterval"`
	TimeoutFlag           flow.TimeoutFlag  `json:"timeoutFlag"`
	TimeoutNotifyStrategy *string           `json:"timeoutNotifyStrategy"`
	Timeout               int               `json:"timeout"`
	DelayTime             int               `json:"delayTime"`
	ResourceIDs           *string           `json:"resourceIds"`
	CreateTime            *string           `json:"createTime"`
	UpdateTime            *string           `json:"updateTime"`
	ModifyBy              *string           `json:"modifyBy"`
	TaskGroupID           int64             `json:"taskGroupId"`
	TaskGroupPriority     int               `json:"taskGroupPriority"`
	CPUQuota              int               `json:"cpuQuota"`
	MemoryMax             int               `json:"memoryMax"`
	TaskExecuteType       flow.ExecuteType  `json:"taskExecuteType"`
	Operator              int64             `json:"operator"`
	OperateTime           *string           `json:"operateTime"`
	Finally               bool              `json:"finally,omitempty"` // ours
}

type timing struct {
	ID              int64   `json:"id"`
	WorkflowCode    int64   `json:"workflowDefinitionCode"`
	WorkflowName    *string `json:"workflowDefinitionName"`
	ProjectName     *string `json:"projectName"`
	Description     *string `json:"definitionDescription"`
	StartTime       string  `json:"startTime"`
	EndTime         string  `json:"endTime"`
	TimeZone        string  `json:"timezoneId"`
	Crontab         string  `json:"crontab"`
	FailureStrategy string  `json:"failureStrategy"`
	WarningType     string  `json:"warningType"`
	CreateTime      *string `json:"createTime"`
	UpdateTime      *string `json:"updateTime"`
	UserID          int64   `json:"userId"`
	UserName        *string `json:"userName"`
	ReleaseState    string  `json:"releaseState"`
	WarningGroupID  int64   `json:"warningGroupId"`
	Priority        string  `json:"workflowInstancePriority"`
	WorkerGroup     string  `json:"workerGroup"`
	TenantCode      string  `json:"tenantCode"`
	EnvironmentCode int64   `json:"environmentCode"`
	EnvironmentName *string `json:"environmentName"`

	// Ours, where they are not what a schedule has anyhow.
	Name           string          `json:"scheduleName,omitempty"`
	Misfire        string          `json:"misfirePolicy,omitempty"`
	Calendar       int64           `json:"calendarId,omitempty"`
	CalendarPolicy string          `json:"calendarPolicy,omitempty"`
	DoneBy         string          `json:"doneBy,omitempty"`
	StartParams    []flow.Property `json:"startParams,omitempty"`
}

func (o Options) clock(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.In(o.Zone).Format(time.DateTime)
	return &s
}

func (o Options) dag(r Record) (dag, error) {
	d := r.Definition
	made, changed := o.clock(r.CreatedAt), o.clock(r.UpdatedAt)
	out := dag{Workflow: head{
		ID: r.ID, Code: d.Code, Name: d.Name, Version: d.Version, ReleaseState: "OFFLINE", ProjectCode: d.ProjectCode, Description: d.Description,
		GlobalParamList: props(d.GlobalParams), GlobalParamMap: values(d.GlobalParams), CreateTime: made, UpdateTime: changed, Flag: "YES",
		UserID: r.OwnerID, Timeout: d.TimeoutMinutes, ExecutionType: d.ExecutionType,
	}}
	params, err := write(props(d.GlobalParams))
	if err != nil {
		return out, err
	}
	out.Workflow.GlobalParams = string(params)
	if len(d.Locations) > 0 {
		raw, err := write(d.Locations)
		if err != nil {
			return out, err
		}
		text := string(raw)
		out.Workflow.Locations = &text
	}
	versions := make(map[int64]int, len(d.Tasks))
	waits := make(map[int64]bool, len(d.Tasks))
	for i := range d.Tasks {
		t := &d.Tasks[i]
		versions[t.Code] = t.Version
		out.Tasks = append(out.Tasks, o.task(r, t, made, changed))
	}
	add := func(name string, pre, post int64) {
		id := int64(len(out.Relations) + 1)
		if o.Stable {
			id = 0
		}
		out.Relations = append(out.Relations, relation{
			ID: id, Name: name, WorkflowVersion: d.Version, ProjectCode: d.ProjectCode, WorkflowCode: d.Code, PreTaskCode: pre,
			PreTaskVersion: versions[pre], PostTaskCode: post, PostTaskVersion: versions[post], ConditionType: "NONE",
			CreateTime: changed, UpdateTime: changed, Operator: r.ModifierID, OperateTime: changed,
		})
	}
	for _, e := range d.Edges {
		waits[e.Post] = true
		add(e.Name, e.Pre, e.Post)
	}
	for i := range d.Tasks {
		if !waits[d.Tasks[i].Code] {
			add("", 0, d.Tasks[i].Code)
		}
	}
	for i, s := range r.Schedules {
		if t := o.timing(d, s); i == 0 {
			out.Schedule = t
		} else {
			out.More = append(out.More, t)
		}
	}
	return out, nil
}

func props(p []flow.Property) []flow.Property {
	if p == nil {
		return []flow.Property{}
	}
	return p
}

func values(params []flow.Property) map[string]string {
	out := make(map[string]string, len(params))
	for _, p := range params {
		out[p.Prop] = p.Value
	}
	return out
}

func (o Options) task(r Record, t *flow.Task, made, changed *string) task {
	out := task{
		Code: t.Code, Name: t.Name, Version: t.Version, Description: t.Description, ProjectCode: r.Definition.ProjectCode, UserID: r.OwnerID,
		TaskType: t.Type, TaskParams: t.Params, Flag: t.Flag, IsCache: t.IsCache, TaskPriority: t.Priority, WorkerGroup: t.WorkerGroup,
		EnvironmentCode: t.EnvironmentCode, FailRetryTimes: t.RetryTimes, FailRetryInterval: t.RetryInterval, TimeoutFlag: t.TimeoutFlag,
		Timeout: t.TimeoutMinutes, DelayTime: t.DelayMinutes, CreateTime: made, UpdateTime: changed, TaskGroupID: t.TaskGroupID,
		TaskGroupPriority: t.TaskGroupPriority, CPUQuota: t.CPUQuota, MemoryMax: t.MemoryMax, TaskExecuteType: t.ExecuteType,
		Operator: r.ModifierID, OperateTime: changed, Finally: t.Finally,
	}
	if !o.Stable {
		out.ID = t.Code // tasks have no other number here
	}
	if t.TimeoutStrategy != "" {
		s := string(t.TimeoutStrategy)
		out.TimeoutNotifyStrategy = &s
	}
	out.TaskType, out.TaskParams = o.worded(t.Type, t.Params)
	var params struct {
		LocalParams json.RawMessage `json:"localParams"`
	}
	if json.Unmarshal(t.Params, &params) == nil {
		if p, err := flow.DecodeProperties(string(params.LocalParams)); err == nil {
			out.TaskParamList = p
		}
	}
	out.TaskParamList, out.TaskParamMap = props(out.TaskParamList), values(out.TaskParamList)
	return out
}

// worded names the type of a task that starts a workflow, and the member that holds its code, as the generation knows them.
func (o Options) worded(name string, params json.RawMessage) (string, json.RawMessage) {
	if name != flow.TypeSubWorkflow && name != flow.TypeSubProcess {
		return name, params
	}
	name, from, to := flow.TypeSubWorkflow, `"processDefinitionCode":`, `"workflowDefinitionCode":`
	if o.Words == Process {
		name, from, to = flow.TypeSubProcess, to, from
	}
	if o, err := decode(params); err == nil && !(o.has("processDefinitionCode") && o.has("workflowDefinitionCode")) {
		params = bytes.Replace(params, []byte(from), []byte(to), 1)
	}
	return name, params
}

func (o Options) timing(d *flow.Definition, s Timing) *timing {
	return &timing{
		ID: s.ID, WorkflowCode: d.Code, StartTime: s.Start, EndTime: s.End, TimeZone: s.Zone, Crontab: s.Crontab,
		FailureStrategy: s.FailureStrategy, WarningType: s.WarningType, CreateTime: o.clock(s.CreatedAt), UpdateTime: o.clock(s.UpdatedAt),
		UserID: s.UserID, ReleaseState: "OFFLINE", WarningGroupID: s.WarningGroup, Priority: s.Priority, WorkerGroup: s.WorkerGroup,
		TenantCode: s.Tenant, EnvironmentCode: s.Environment, Name: s.Name, Misfire: s.Misfire, Calendar: s.Calendar,
		CalendarPolicy: s.CalendarPolicy, DoneBy: s.DoneBy, StartParams: s.StartParams,
	}
}
