package workflow

import (
	"bytes"
	"encoding/json"

	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
)

// The objects of this file are workflows, tasks and edges as DolphinScheduler's clients know them: names, order and
// nulls are theirs.

type dsWorkflow struct {
	ID                   int64              `json:"id"`
	Code                 int64              `json:"code"`
	Name                 string             `json:"name"`
	Version              int                `json:"version"`
	ReleaseState         flow.ReleaseState  `json:"releaseState"`
	ProjectCode          int64              `json:"projectCode"`
	Description          string             `json:"description"`
	GlobalParams         string             `json:"globalParams"` // JSON text
	GlobalParamList      []flow.Property    `json:"globalParamList"`
	GlobalParamMap       map[string]string  `json:"globalParamMap"`
	CreateTime           dsapi.Time         `json:"createTime"`
	UpdateTime           dsapi.Time         `json:"updateTime"`
	Flag                 flow.Flag          `json:"flag"`
	UserID               int64              `json:"userId"`
	UserName             *string            `json:"userName"`
	ProjectName          *string            `json:"projectName"`
	Locations            *string            `json:"locations"` // JSON text
	ScheduleReleaseState *string            `json:"scheduleReleaseState"`
	Schedule             any                `json:"schedule"` // the object of the module of schedules, or null
	Timeout              int                `json:"timeout"`
	ModifyBy             *string            `json:"modifyBy"`
	WarningGroupID       *int               `json:"warningGroupId"`
	ExecutionType        flow.ExecutionType `json:"executionType"`
}

// dsWorkflowLog is a version of a workflow.
type dsWorkflowLog struct {
	dsWorkflow
	Operator    int64      `json:"operator"`
	OperateTime dsapi.Time `json:"operateTime"`
}

// toDS joins a head with what its current version says; def may be nil where nobody asks for that.
func toDS(w Workflow, def *flow.Definition) (dsWorkflow, error) {
	out := dsWorkflow{
		ID: w.ID, Code: w.Code, Name: w.Name, Version: w.Version, ReleaseState: w.ReleaseState, ProjectCode: w.ProjectCode,
		Description: w.Description, GlobalParams: "[]", GlobalParamList: []flow.Property{}, GlobalParamMap: map[string]string{},
		CreateTime: dsapi.Time(w.CreatedAt), UpdateTime: dsapi.Time(w.UpdatedAt), Flag: flow.FlagYes, UserID: w.OwnerID,
		UserName: dsapi.OrNull(w.OwnerName), ModifyBy: dsapi.OrNull(w.ModifierName), ExecutionType: w.ExecutionType,
	}
	if def == nil {
		return out, nil
	}
	out.Timeout = def.TimeoutMinutes
	if len(def.GlobalParams) > 0 {
		text, err := text(def.GlobalParams)
		if err != nil {
			return out, err
		}
		out.GlobalParams, out.GlobalParamList = text, def.GlobalParams
		for _, p := range def.GlobalParams {
			out.GlobalParamMap[p.Prop] = p.Value
		}
	}
	if len(def.Locations) > 0 {
		text, err := text(def.Locations)
		if err != nil {
			return out, err
		}
		out.Locations = &text
	}
	return out, nil
}

// toDSLog shows an old version under the head of its workflow.
func toDSLog(w Workflow, v Version, def *flow.Definition) (dsWorkflowLog, error) {
	head := w
	head.Name, head.Description, head.ExecutionType, head.Version = def.Name, def.Description, def.ExecutionType, v.Version
	head.UpdatedAt = v.CreatedAt
	if v.Version != w.Version {
		head.ReleaseState = flow.Offline
	}
	out, err := toDS(head, def)
	return dsWorkflowLog{out, v.OperatorID, dsapi.Time(v.CreatedAt)}, err
}

// text is a value as JSON text, written as clients expect it: without escapes for HTML.
func text(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", wrap(err, "encode workflow")
	}
	return string(bytes.TrimRight(b.Bytes(), "\n")), nil
}

type dsTask struct {
	ID                    int64             `json:"id"`
	Code                  int64             `json:"code"`
	Name                  string            `json:"name"`
	Version               int               `json:"version"`
	Description           string            `json:"description"`
	ProjectCode           int64             `json:"projectCode"`
	UserID                int64             `json:"userId"`
	TaskType              string            `json:"taskType"`
	TaskParams            json.RawMessage   `json:"taskParams"` // an object, not text
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
	CreateTime            dsapi.Time        `json:"createTime"`
	UpdateTime            dsapi.Time        `json:"updateTime"`
	ModifyBy              *string           `json:"modifyBy"`
	TaskGroupID           int64             `json:"taskGroupId"`
	TaskGroupPriority     int               `json:"taskGroupPriority"`
	CPUQuota              int               `json:"cpuQuota"`
	MemoryMax             int               `json:"memoryMax"`
	TaskExecuteType       flow.ExecuteType  `json:"taskExecuteType"`
	Dependence            *string           `json:"dependence"`
}

// dsTaskLog is a task as it belongs to a version of a workflow.
type dsTaskLog struct {
	dsTask
	Operator    int64      `json:"operator"`
	OperateTime dsapi.Time `json:"operateTime"`
}

// dsTaskVO is a task with the edges around it.
type dsTaskVO struct {
	dsTask
	Relations []dsEdge `json:"workflowTaskRelationList"`
}

// toDSTask shows a task of a workflow. Tasks have no number of their own here; the code stands for it, since clients
// only ever compare it.
func toDSTask(w Workflow, t flow.Task) dsTask {
	out := dsTask{
		ID: rowID(t.Code), Code: t.Code, Name: t.Name, Version: t.Version, Description: t.Description, ProjectCode: w.ProjectCode,
		UserID: w.OwnerID, TaskType: t.Type, TaskParams: t.Params, TaskParamList: []flow.Property{}, TaskParamMap: map[string]string{},
		Flag: t.Flag, IsCache: t.IsCache, TaskPriority: t.Priority, UserName: dsapi.OrNull(w.OwnerName), WorkerGroup: t.WorkerGroup,
		EnvironmentCode: t.EnvironmentCode, FailRetryTimes: t.RetryTimes, FailRetryInterval: t.RetryInterval, TimeoutFlag: t.TimeoutFlag,
		TimeoutNotifyStrategy: dsapi.OrNull(string(t.TimeoutStrategy)), Timeout: t.TimeoutMinutes, DelayTime: t.DelayMinutes,
		CreateTime: dsapi.Time(w.CreatedAt), UpdateTime: dsapi.Time(w.UpdatedAt), ModifyBy: dsapi.OrNull(w.ModifierName),
		TaskGroupID: t.TaskGroupID, TaskGroupPriority: t.TaskGroupPriority, CPUQuota: t.CPUQuota, MemoryMax: t.MemoryMax,
		TaskExecuteType: t.ExecuteType,
	}
	var params struct {
		LocalParams []flow.Property `json:"localParams"`
		Dependence  json.RawMessage `json:"dependence"`
	}
	if json.Unmarshal(t.Params, &params) != nil {
		return out // parameters in a form of the plugin's own
	}
	for _, p := range params.LocalParams {
		out.TaskParamList = append(out.TaskParamList, p)
		out.TaskParamMap[p.Prop] = p.Value
	}
	if len(params.Dependence) > 0 && string(params.Dependence) != "null" {
		out.Dependence = dsapi.OrNull(string(params.Dependence))
	}
	return out
}

// dsEdge is an edge between two tasks of a version.
type dsEdge struct {
	ID              int64      `json:"id"`
	Name            string     `json:"name"`
	WorkflowVersion int        `json:"workflowDefinitionVersion"`
	ProjectCode     int64      `json:"projectCode"`
	WorkflowCode    int64      `json:"workflowDefinitionCode"`
	PreTaskCode     int64      `json:"preTaskCode"`
	PreTaskVersion  int        `json:"preTaskVersion"`
	PostTaskCode    int64      `json:"postTaskCode"`
	PostTaskVersion int        `json:"postTaskVersion"`
	ConditionType   string     `json:"conditionType"`
	ConditionParams struct{}   `json:"conditionParams"`
	CreateTime      dsapi.Time `json:"createTime"`
	UpdateTime      dsapi.Time `json:"updateTime"`
}

// dsRelation is an edge as it belongs to a version of a workflow.
type dsRelation struct {
	dsEdge
	Operator    int64      `json:"operator"`
	OperateTime dsapi.Time `json:"operateTime"`
}

// relations lists the edges of a definition with one from 0 to each root: to clients every task has an edge that ends
// at it. The id is the place in the list.
func relations(w Workflow, def *flow.Definition) []dsRelation {
	versions := make(map[int64]int, len(def.Tasks))
	waits := make(map[int64]bool, len(def.Tasks))
	for _, t := range def.Tasks {
		versions[t.Code] = t.Version
	}
	out := make([]dsRelation, 0, len(def.Edges)+1)
	at := dsapi.Time(w.UpdatedAt)
	add := func(name string, pre, post int64) {
		out = append(out, dsRelation{dsEdge{
			ID: int64(len(out) + 1), Name: name, WorkflowVersion: def.Version, ProjectCode: w.ProjectCode, WorkflowCode: w.Code,
			PreTaskCode: pre, PreTaskVersion: versions[pre], PostTaskCode: post, PostTaskVersion: versions[post],
			ConditionType: "NONE", CreateTime: at, UpdateTime: at,
		}, w.ModifiedBy, at})
	}
	for _, e := range def.Edges {
		waits[e.Post] = true
		add(e.Name, e.Pre, e.Post)
	}
	for _, t := range def.Tasks {
		if !waits[t.Code] {
			add("", 0, t.Code)
		}
	}
	return out
}

// edges are the relations of a definition that keep fits, without who saved them.
func edges(w Workflow, def *flow.Definition, keep func(dsEdge) bool) []dsEdge {
	out := []dsEdge{}
	for _, r := range relations(w, def) {
		if keep(r.dsEdge) {
			out = append(out, r.dsEdge)
		}
	}
	return out
}

// dsDAG is a workflow with all it consists of.
type dsDAG struct {
	Workflow  dsWorkflow   `json:"workflowDefinition"`
	Relations []dsRelation `json:"workflowTaskRelationList"`
	Tasks     []dsTaskLog  `json:"taskDefinitionList"`
}

func toDAG(w Workflow, def *flow.Definition) (dsDAG, error) {
	head, err := toDS(w, def)
	return dsDAG{head, relations(w, def), taskLogs(w, def)}, err
}

func taskLogs(w Workflow, def *flow.Definition) []dsTaskLog {
	out := make([]dsTaskLog, len(def.Tasks))
	for i, t := range def.Tasks {
		out[i] = dsTaskLog{toDSTask(w, t), w.ModifiedBy, dsapi.Time(w.UpdatedAt)}
	}
	return out
}

// plainTasks are the tasks of a version without who saved them.
func plainTasks(w Workflow, def *flow.Definition) []dsTask {
	out := make([]dsTask, len(def.Tasks))
	for i, t := range def.Tasks {
		out[i] = toDSTask(w, t)
	}
	return out
}

// dsName is all that a short list holds.
type dsName struct {
	ID          int64  `json:"id"`
	Code        int64  `json:"code"`
	Name        string `json:"name"`
	ProjectCode int64  `json:"projectCode"`
}

// dsVersioned is an entry of the lists that forms choose from.
type dsVersioned struct {
	Code    int64  `json:"code"`
	Name    string `json:"name"`
	Version int    `json:"version"`
}

// decoded reads what a client posts to create or update a workflow. Errors are faults of this module.
func decoded(p *dsapi.Params) (*flow.Definition, error) {
	def := &flow.Definition{
		Name: p.RequiredText("name"), Description: p.Text("description"), TimeoutMinutes: p.Int("timeout", 0), ExecutionType: executionType(p),
	}
	return def, Decode(p, def)
}

// Decode reads the tasks, relations, parameters and places that a client posts into a definition. Errors are faults of this
// module, or about parameters.
func Decode(p *dsapi.Params, def *flow.Definition) error {
	tasks, edges := p.RequiredText("taskDefinitionJson"), p.RequiredText("taskRelationJson")
	if err := p.Err(); err != nil {
		return err
	}
	var err error
	if def.Tasks, err = flow.DecodeTasks(tasks); err != nil {
		return malformed(err)
	}
	if len(def.Tasks) == 0 {
		return ErrEmpty
	}
	if def.Edges, err = flow.DecodeRelations(edges); err != nil {
		return malformed(err)
	}
	if blank(edges) {
		return ErrMalformed.With("value", "taskRelationJson")
	}
	if def.GlobalParams, err = flow.DecodeProperties(p.TextOr("globalParams", "[]")); err != nil {
		return malformed(err)
	}
	if def.Locations, err = flow.DecodeLocations(p.Text("locations")); err != nil {
		return malformed(err)
	}
	return nil
}

// blank reports whether a JSON text holds no relation at all: even a single task has one, from 0.
func blank(text string) bool {
	var list []json.RawMessage
	return json.Unmarshal([]byte(text), &list) == nil && len(list) == 0
}

// rowID stands for the id of a task, which has none here: clients read ids into 32 bits, where a code does not fit. Tasks are
// named by code everywhere.
func rowID(code int64) int64 { return (code ^ code>>31) & (1<<31 - 1) }
