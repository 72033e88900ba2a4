package flow

import "encoding/json"

// Definition is one immutable version of a workflow.
type Definition struct {
	Code           int64         `json:"code"`
	Version        int           `json:"version"`
	ProjectCode    int64         `json:"projectCode"`
	Name           string        `json:"name"`
	Description    string        `json:"description"`
	GlobalParams   []Property    `json:"globalParams"`
	TimeoutMinutes int           `json:"timeout"` // 0 = no alert
	ExecutionType  ExecutionType `json:"executionType"`
	Tasks          []Task        `json:"tasks"`
	Edges          []Edge        `json:"relations"`
	Locations      []Location    `json:"locations"`
}

// Task is one node of a definition, with the settings that every task type shares.
type Task struct {
	Code              int64           `json:"code"`
	Version           int             `json:"version"`
	Name              string          `json:"name"`
	Description       string          `json:"description"`
	Type              string          `json:"taskType"`
	Params            json.RawMessage `json:"taskParams"` // what the plugin of Type understands, plus localParams and resourceList
	Flag              Flag            `json:"flag"`       // FlagNo: forbidden, passed through without an instance
	IsCache           Flag            `json:"isCache"`
	Priority          Priority        `json:"taskPriority"`
	WorkerGroup       string          `json:"workerGroup"`
	EnvironmentCode   int64           `json:"environmentCode"` // -1 = none
	RetryTimes        int             `json:"failRetryTimes"`
	RetryInterval     int             `json:"failRetryInterval"` // minutes
	TimeoutFlag       TimeoutFlag     `json:"timeoutFlag"`
	TimeoutStrategy   TimeoutStrategy `json:"timeoutNotifyStrategy"`
	TimeoutMinutes    int             `json:"timeout"`
	DelayMinutes      int             `json:"delayTime"`
	TaskGroupID       int64           `json:"taskGroupId"`
	TaskGroupPriority int             `json:"taskGroupPriority"`
	CPUQuota          int             `json:"cpuQuota"`  // percent of one core, -1 = no limit
	MemoryMax         int             `json:"memoryMax"` // MB, -1 = no limit
	ExecuteType       ExecuteType     `json:"taskExecuteType"`
	// Finally tasks run when everything else in the scope of the run is settled, whatever happened.
	Finally bool `json:"finally,omitempty"`
}

// Passed reports whether runs of a workflow pass the task through without an instance: it is forbidden, or a streaming task,
// which has no end to wait for and is started by itself.
func (t *Task) Passed() bool { return t.Flag == FlagNo || t.ExecuteType == Stream }

// Edge says that Post starts only after Pre. Roots have no edge here; the wire form's "preTaskCode 0" rows are added
// and removed at the API's edge.
type Edge struct {
	Name string `json:"name,omitempty"`
	Pre  int64  `json:"preTaskCode"`
	Post int64  `json:"postTaskCode"`
}

// Location is where the editor draws a task, in canvas pixels.
type Location struct {
	TaskCode int64   `json:"taskCode"`
	X        float64 `json:"x"`
	Y        float64 `json:"y"`
}

// Property is the universal parameter record; Value is always text.
type Property struct {
	Prop   string    `json:"prop"`
	Direct Direct    `json:"direct"`
	Type   ParamType `json:"type"`
	Value  string    `json:"value"`
	// Of a file that a task handed on: Value is its key in the storage, and these say what is in it.
	SHA256 string `json:"sha256,omitempty"`
	Size   int64  `json:"size,omitempty"`
}

// SealedParameter is what values of secret parameters of projects are sealed for.
const SealedParameter = "project_parameter.value"

// SealedDataSource is what the secrets of data sources are sealed for.
const SealedDataSource = "datasource.secrets"

// CommonParams are the members of Task.Params that every task type has.
type CommonParams struct {
	LocalParams  []Property    `json:"localParams"`
	ResourceList []ResourceRef `json:"resourceList"`
}

// ResourceRef names a file of the resource centre.
type ResourceRef struct {
	ResourceName string `json:"resourceName"`
}
