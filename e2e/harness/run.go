package harness

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Instance is one run of a workflow.
type Instance struct {
	ID                        int64
	Name                      string
	State                     string
	WorkflowDefinitionCode    int64
	WorkflowDefinitionVersion int
	CommandType               string
	RunTimes                  int
	TenantCode                string
	StartTime                 string
	EndTime                   string
}

// Done says whether the run has ended for good.
func (i Instance) Done() bool {
	return slices.Contains([]string{"SUCCESS", "FAILURE", "STOP", "PAUSE"}, i.State)
}

// TaskInstance is one attempt of a task.
type TaskInstance struct {
	ID         int64
	Name       string
	TaskType   string
	TaskCode   int64
	State      string
	RetryTimes int
	StartTime  string
	EndTime    string
	LogPath    string
	PID        int `json:"pid"`
	Flag       string
	Host       string
	VarPool    string
	AppLink    string
}

// StartOptions change how a workflow is started.
type StartOptions struct {
	Tenant   string // default "default"
	Failure  string // CONTINUE (default) or END
	Params   string // JSON
	Nodes    string // comma list of task codes
	Depend   string // TASK_POST (default), TASK_PRE, TASK_ONLY
	DryRun   bool
	Priority string
	Key      string // whoever asks twice with the same one gets the same run
}

// StartWorkflow starts an online workflow and returns the id of the new run.
func (c *Client) StartWorkflow(ctx context.Context, project, workflow int64, o StartOptions) (int64, error) {
	form := url.Values{
		"workflowDefinitionCode":   {itoa(workflow)},
		"scheduleTime":             {""},
		"failureStrategy":          {or(o.Failure, "CONTINUE")},
		"warningType":              {"NONE"},
		"warningGroupId":           {"0"},
		"execType":                 {"START_PROCESS"},
		"taskDependType":           {or(o.Depend, "TASK_POST")},
		"runMode":                  {"RUN_MODE_SERIAL"},
		"workflowInstancePriority": {or(o.Priority, "MEDIUM")},
		"workerGroup":              {"default"},
		"tenantCode":               {or(o.Tenant, "default")},
		"environmentCode":          {"-1"},
		"startNodeList":            {o.Nodes},
		"startParams":              {o.Params},
		"dryRun":                   {"0"},
	}
	if o.DryRun {
		form.Set("dryRun", "1")
	}
	var ids []int64
	header := map[string]string{}
	if o.Key != "" {
		header["Idempotency-Key"] = o.Key
	}
	if err := c.callWith(ctx, http.MethodPost, inProject(project, "/executors/start-workflow-instance"), form, header, &ids); err != nil {
		return 0, err
	}
	if len(ids) != 1 {
		return 0, fmt.Errorf("one start gave %d runs", len(ids))
	}
	return ids[0], nil
}

// Execute sends PAUSE, STOP, REPEAT_RUNNING, RECOVER_SUSPENDED_PROCESS or START_FAILURE_TASK_PROCESS to a run.
func (c *Client) Execute(ctx context.Context, project, instance int64, what string) error {
	form := url.Values{"workflowInstanceId": {itoa(instance)}, "executeType": {what}}
	return c.Call(ctx, http.MethodPost, inProject(project, "/executors/execute"), form, nil)
}

// Instance reads one run.
func (c *Client) Instance(ctx context.Context, project, id int64) (Instance, error) {
	return call[Instance](ctx, c, http.MethodGet, inProject(project, "/workflow-instances/"+itoa(id)), nil)
}

// Instances returns one page of runs, newest first. More filters may be given.
func (c *Client) Instances(ctx context.Context, project int64, page, size int, more url.Values) (Page[Instance], error) {
	form := url.Values{"pageNo": {strconv.Itoa(page)}, "pageSize": {strconv.Itoa(size)}}
	maps.Copy(form, more)
	return call[Page[Instance]](ctx, c, http.MethodGet, inProject(project, "/workflow-instances"), form)
}

// DeleteInstance deletes a finished run.
func (c *Client) DeleteInstance(ctx context.Context, project, id int64) error {
	return c.Call(ctx, http.MethodDelete, inProject(project, "/workflow-instances/"+itoa(id)), nil, nil)
}

// Tasks returns the run's tasks: the valid attempt of each.
func (c *Client) Tasks(ctx context.Context, project, instance int64) ([]TaskInstance, error) {
	var data struct{ TaskList []TaskInstance }
	err := c.Call(ctx, http.MethodGet, inProject(project, "/workflow-instances/"+itoa(instance)+"/tasks"), nil, &data)
	return data.TaskList, err
}

// TaskInstances returns one page of task instances; filters as the interface names them.
func (c *Client) TaskInstances(ctx context.Context, project int64, filter url.Values) (Page[TaskInstance], error) {
	form := url.Values{"pageNo": {"1"}, "pageSize": {"100"}}
	maps.Copy(form, filter)
	return call[Page[TaskInstance]](ctx, c, http.MethodGet, inProject(project, "/task-instances"), form)
}

// Log is a piece of a task's log.
type Log struct {
	LineNum int
	Message string
}

// TaskLog reads part of a log by lines.
func (c *Client) TaskLog(ctx context.Context, task int64, skip, limit int) (Log, error) {
	form := url.Values{"taskInstanceId": {itoa(task)}, "skipLineNum": {strconv.Itoa(skip)}, "limit": {strconv.Itoa(limit)}}
	return call[Log](ctx, c, http.MethodGet, "/log/detail", form)
}

// DownloadLog reads a whole log.
func (c *Client) DownloadLog(ctx context.Context, task int64) (string, error) {
	res, err := c.Do(ctx, http.MethodGet, "/log/download-log", url.Values{"taskInstanceId": {itoa(task)}})
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Disposition") == "" {
		return "", &APIError{Status: res.StatusCode, Msg: cut(string(raw))}
	}
	return string(raw), nil
}

// WaitInstance polls a run until it reaches one of the states, or ends in another, or the context is over.
func (c *Client) WaitInstance(ctx context.Context, project, id int64, every time.Duration, states ...string) (Instance, error) {
	path, light := inProject(project, "/workflow-instances/"+itoa(id)), url.Values{"dag": {"false"}}
	for {
		i, err := call[Instance](ctx, c, http.MethodGet, path, light)
		switch {
		case err != nil && ctx.Err() != nil:
			return i, fmt.Errorf("run %d: %w", id, ctx.Err())
		case err != nil:
			return i, err
		case slices.Contains(states, i.State):
			return i, nil
		case i.Done():
			return i, fmt.Errorf("run %d ended as %s, not %v", id, i.State, states)
		}
		select {
		case <-ctx.Done():
			return i, fmt.Errorf("run %d is %s, not %v: %w", id, i.State, states, ctx.Err())
		case <-time.After(every):
		}
	}
}
