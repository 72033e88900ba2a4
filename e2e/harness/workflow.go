package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Property is a parameter as the interface writes it.
type Property struct {
	Prop   string `json:"prop"`
	Direct string `json:"direct"` // IN or OUT
	Type   string `json:"type"`   // VARCHAR, INTEGER, …
	Value  string `json:"value"`
}

// Task is one node of a workflow to be created.
type Task struct {
	Name    string
	Type    string // default SHELL
	Script  string
	After   []string // names of the tasks before it; none: a start node
	Params  []Property
	Flag    string // YES (default) or NO: forbidden
	Retries int    // and a minute between them
	AtOnce  bool   // no minute between retries
	Group   int64  // task group; 0: none
	Delay   int    // minutes
	Timeout int    // minutes; 0: none
	Stream  bool   // runs pass it through
	// Settings are the taskParams of types that have no script; code tells the code of a task by its name.
	Settings func(code map[string]int64) map[string]any
}

// Workflow is a workflow to be created.
type Workflow struct {
	Name          string
	Description   string
	Tasks         []Task
	Globals       []Property
	ExecutionType string // default PARALLEL
}

// Definition is a saved workflow as the interface shows it.
type Definition struct {
	ID           int64
	Code         int64
	Name         string
	Version      int
	ReleaseState string
	ProjectCode  int64
}

// DAG is a saved workflow with its tasks and edges.
type DAG struct {
	WorkflowDefinition       Definition
	WorkflowTaskRelationList []struct {
		PreTaskCode  int64
		PostTaskCode int64
	}
	TaskDefinitionList []struct {
		Code       int64
		Name       string
		Version    int
		TaskType   string
		TaskParams json.RawMessage
	}
}

// CreateWorkflow saves a new workflow and returns it; Codes of its tasks come from the server.
func (c *Client) CreateWorkflow(ctx context.Context, project int64, w Workflow) (Definition, error) {
	codes, err := c.GenTaskCodes(ctx, project, len(w.Tasks))
	if err != nil {
		return Definition{}, err
	}
	form, err := w.Form(codes)
	if err != nil {
		return Definition{}, err
	}
	return call[Definition](ctx, c, http.MethodPost, inProject(project, "/workflow-definition"), form)
}

// UpdateWorkflow saves other content under the same workflow. The codes belong to w.Tasks in order.
func (c *Client) UpdateWorkflow(ctx context.Context, project, code int64, w Workflow, codes []int64) (Definition, error) {
	form, err := w.Form(codes)
	if err != nil {
		return Definition{}, err
	}
	return call[Definition](ctx, c, http.MethodPut, inProject(project, "/workflow-definition/"+itoa(code)), form)
}

// Workflow reads a saved workflow.
func (c *Client) Workflow(ctx context.Context, project, code int64) (DAG, error) {
	return call[DAG](ctx, c, http.MethodGet, inProject(project, "/workflow-definition/"+itoa(code)), nil)
}

// Workflows returns one page of a project's workflows.
func (c *Client) Workflows(ctx context.Context, project int64, search string) (Page[Definition], error) {
	form := url.Values{"pageNo": {"1"}, "pageSize": {"100"}, "searchVal": {search}}
	return call[Page[Definition]](ctx, c, http.MethodGet, inProject(project, "/workflow-definition"), form)
}

// Release puts a workflow ONLINE or OFFLINE.
func (c *Client) Release(ctx context.Context, project, code int64, state string) error {
	form := url.Values{"releaseState": {state}}
	return c.Call(ctx, http.MethodPost, inProject(project, "/workflow-definition/"+itoa(code)+"/release"), form, nil)
}

// DeleteWorkflow deletes an offline workflow.
func (c *Client) DeleteWorkflow(ctx context.Context, project, code int64) error {
	return c.Call(ctx, http.MethodDelete, inProject(project, "/workflow-definition/"+itoa(code)), nil, nil)
}

// Publish creates a workflow and puts it online.
func (c *Client) Publish(ctx context.Context, project int64, w Workflow) (Definition, error) {
	d, err := c.CreateWorkflow(ctx, project, w)
	if err != nil {
		return d, err
	}
	return d, c.Release(ctx, project, d.Code, "ONLINE")
}

// Form writes the workflow the way a client posts it. Each task gets the code of the same position.
func (w Workflow) Form(codes []int64) (url.Values, error) {
	if len(codes) != len(w.Tasks) {
		return nil, fmt.Errorf("%d codes for %d tasks", len(codes), len(w.Tasks))
	}
	code := make(map[string]int64, len(w.Tasks))
	for i, t := range w.Tasks {
		code[t.Name] = codes[i]
	}
	var tasks, relations, places []map[string]any
	column := map[string]int{}
	for i, t := range w.Tasks {
		def := t.definition(codes[i])
		if t.Settings != nil {
			settings := t.Settings(code)
			settings["localParams"] = t.params()
			if _, brings := settings["resourceList"]; !brings {
				settings["resourceList"] = []any{}
			}
			def["taskParams"] = settings
		}
		tasks = append(tasks, def)
		for _, before := range t.After {
			pre, ok := code[before]
			if !ok {
				return nil, fmt.Errorf("task %s comes after %s, which is not there", t.Name, before)
			}
			relations = append(relations, relation(pre, codes[i]))
			column[t.Name] = max(column[t.Name], column[before]+1)
		}
		if len(t.After) == 0 {
			relations = append(relations, relation(0, codes[i]))
		}
		places = append(places, map[string]any{"taskCode": codes[i], "x": 60 + 264*column[t.Name], "y": 60 + 76*(i%50)})
	}
	form := url.Values{
		"name":          {w.Name},
		"description":   {w.Description},
		"timeout":       {"0"},
		"executionType": {or(w.ExecutionType, "PARALLEL")},
	}
	globals := w.Globals
	if globals == nil {
		globals = []Property{}
	}
	for key, value := range map[string]any{
		"globalParams": globals, "taskDefinitionJson": tasks, "taskRelationJson": relations, "locations": places,
	} {
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		form.Set(key, string(raw))
	}
	return form, nil
}

func (t Task) params() []Property {
	if t.Params == nil {
		return []Property{}
	}
	return t.Params
}

func (t Task) definition(code int64) map[string]any {
	timeoutFlag, strategy := "CLOSE", ""
	if t.Timeout > 0 {
		timeoutFlag, strategy = "OPEN", "FAILED"
	}
	interval, group, execute := "1", any(nil), "BATCH"
	if t.Stream {
		execute = "STREAM"
	}
	if t.AtOnce {
		interval = "0"
	}
	if t.Group != 0 {
		group = t.Group
	}
	return map[string]any{
		"code": code, "version": 0, "name": t.Name, "description": "", "taskType": or(t.Type, "SHELL"),
		"taskParams":   map[string]any{"localParams": t.params(), "rawScript": t.Script, "resourceList": []any{}},
		"flag":         or(t.Flag, "YES"),
		"isCache":      "NO",
		"taskPriority": "MEDIUM", "workerGroup": "default", "environmentCode": -1,
		// The published clients send these numbers as text.
		"failRetryTimes": strconv.Itoa(t.Retries), "failRetryInterval": interval,
		"timeoutFlag": timeoutFlag, "timeoutNotifyStrategy": strategy, "timeout": t.Timeout,
		"delayTime":   strconv.Itoa(t.Delay),
		"taskGroupId": group, "taskGroupPriority": nil, "cpuQuota": -1, "memoryMax": -1, "taskExecuteType": execute,
	}
}

func relation(pre, post int64) map[string]any {
	return map[string]any{
		"name": "", "preTaskCode": pre, "preTaskVersion": 0, "postTaskCode": post, "postTaskVersion": 0,
		"conditionType": "NONE", "conditionParams": map[string]any{},
	}
}

// Diamond returns A → (B, C) → D with the given scripts, by name.
func Diamond(name string, scripts map[string]string) Workflow {
	return Workflow{Name: name, Tasks: []Task{
		{Name: "A", Script: scripts["A"]},
		{Name: "B", Script: scripts["B"], After: []string{"A"}},
		{Name: "C", Script: scripts["C"], After: []string{"A"}, Type: "PYTHON"},
		{Name: "D", Script: scripts["D"], After: []string{"B", "C"}},
	}}
}

func or(value, other string) string {
	if strings.TrimSpace(value) == "" {
		return other
	}
	return value
}
