package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"dorado/modules/engine/core"
	"dorado/modules/flow"
)

// adminAlertGroup hears of lost workers when a run names no group itself.
const adminAlertGroup = 1

const insertAlert = `INSERT INTO alert (event_key, alert_type, workflow_instance_id, run_times, task_instance_id, title, content, warning_type,
	alert_group_id, project_code, workflow_code, created_at, updated_at)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_key) DO NOTHING`

// alertRows are the statements that write alerts with the change that they tell of. What nobody is to be told is not
// written.
func (e *Engine) alertRows(l *live, alerts []core.Alert) []extra {
	var rows []extra
	for _, a := range alerts {
		group := l.instance.WarningGroupID
		title, content := "", ""
		switch {
		case a.Task != nil:
			title, content = clean(a.Task.Title), clean(a.Task.Content)
			if a.Task.Group > 0 {
				group = a.Task.Group
			}
		default:
			title, content = alertTitle(l, a), l.alertContent(a)
			if group <= 0 && a.Kind == flow.AlertTolerance {
				group = adminAlertGroup
			}
		}
		if group <= 0 {
			continue
		}
		task := int64(0)
		if a.Attempt != nil {
			task = a.Attempt.ID
		}
		now := e.clock()
		key := fmt.Sprintf("%d:%d:%s:%d", l.run.InstanceID, l.instance.RunTimes, a.Kind, task)
		rows = append(rows, extra{insertAlert, []any{
			key, string(a.Kind), l.run.InstanceID, l.instance.RunTimes, task, title, content, string(l.warning(a)),
			group, l.run.ProjectCode, l.instance.WorkflowCode, now, now,
		}})
	}
	return rows
}

// rejectAlert tells of a run that failed before it began.
func rejectAlert(c *commandRow, now time.Time) (x extra, wanted bool) {
	kind := flow.WarningType(c.WarningType).EndAlert(flow.WorkflowFailure)
	if kind == "" || c.WarningGroupID <= 0 || c.IsSub {
		return x, false
	}
	content, err := json.Marshal([]alertEntry{{
		ProjectCode: c.ProjectCode, ProjectName: c.ProjectName, Owner: c.OwnerName, ProcessID: c.ID, ProcessCode: c.WorkflowCode,
		ProcessName: c.Name, ModifyBy: c.ExecutorName, ProcessState: string(flow.WorkflowFailure),
	}})
	if err != nil {
		return x, false
	}
	return extra{insertAlert, []any{
		fmt.Sprintf("%d:%d:%s:0", c.ID, c.RunTimes, kind), string(kind), c.ID, c.RunTimes, 0, commandTitle(flow.CommandType(c.Type)) + " failed",
		clean(string(content)), string(flow.WarningFailure), c.WarningGroupID, c.ProjectCode, c.WorkflowCode, now, now,
	}}, true
}

// tellIdle tells the administrators of a worker group that nobody serves.
func (s *store) tellIdle(ctx context.Context, g idleGroup) error {
	content, err := json.Marshal([]map[string]any{{
		"type": "WORKER_GROUP", "workerGroup": g.name, "event": "NO_WORKER", "warningLevel": "SERIOUS", "tasks": g.tasks,
		"since": g.since.UTC().Format(time.DateTime),
	}})
	if err != nil {
		return err
	}
	now := s.now()
	_, err = s.db.Exec(ctx, insertAlert, fmt.Sprintf("worker group:%s:%d", g.name, g.since.UnixMilli()), string(flow.AlertTolerance), 0, 0, 0,
		"No worker for group "+g.name, string(content), string(flow.WarningFailure), adminAlertGroup, 0, 0, now, now)
	return err
}

func (l *live) warning(a core.Alert) flow.WarningType {
	switch a.Kind {
	case flow.AlertSuccess, flow.AlertTaskOK:
		return flow.WarningSuccess
	case flow.AlertFailure, flow.AlertTimeout, flow.AlertTaskTime, flow.AlertTolerance, flow.AlertTaskFail, flow.AlertDeadline:
		return flow.WarningFailure
	case flow.AlertClose:
	}
	return flow.WarningNone
}

// commandTitle is how alerts name what started a run (engine.md 12.1).
func commandTitle(c flow.CommandType) string {
	switch c {
	case flow.CommandTakeOver:
		return "recover tolerance fault process"
	case flow.CommandResume:
		return "recover suspended process"
	case flow.CommandRecoverFailed:
		return "start failure task process"
	case flow.CommandStart:
		return "start process"
	case flow.CommandRepeat:
		return "repeat running"
	case flow.CommandSchedule:
		return "scheduler"
	case flow.CommandBackfill:
		return "complement data"
	case flow.CommandPause:
		return "pause"
	case flow.CommandStop:
		return "stop"
	case flow.CommandExecuteTask:
		return "execute task"
	case flow.CommandSerialWait, flow.CommandDynamicChild, flow.CommandDecide, flow.CommandForceStart, flow.CommandKillTask,
		flow.CommandGroupPriority:
	}
	return "unknown type"
}

func alertTitle(l *live, a core.Alert) string {
	switch a.Kind {
	case flow.AlertSuccess:
		return commandTitle(l.run.Command) + " success"
	case flow.AlertFailure:
		switch l.run.State {
		case flow.WorkflowStop:
			return commandTitle(l.run.Command) + " stopped"
		case flow.WorkflowPause:
			return commandTitle(l.run.Command) + " paused"
		default:
			return commandTitle(l.run.Command) + " failed"
		}
	case flow.AlertTimeout:
		return "Workflow Timeout Warn"
	case flow.AlertTaskTime:
		return "Task Timeout Warn"
	case flow.AlertTolerance:
		return "worker fault tolerance"
	case flow.AlertDeadline:
		return "Workflow Deadline Warn"
	case flow.AlertTaskFail, flow.AlertTaskOK, flow.AlertClose:
	}
	return string(a.Kind)
}

// alertEntry is one element of an alert's content; names are DolphinScheduler's. What is not known is left out.
type alertEntry struct {
	ProjectCode  int64  `json:"projectCode,omitempty"`
	ProjectName  string `json:"projectName,omitempty"`
	Owner        string `json:"owner,omitempty"`
	ProcessID    int64  `json:"processId,omitempty"`
	ProcessCode  int64  `json:"processDefinitionCode,omitempty"`
	ProcessName  string `json:"processName,omitempty"`
	ProcessType  string `json:"processType,omitempty"`
	ProcessState string `json:"processState,omitempty"`
	ModifyBy     string `json:"modifyBy,omitempty"`
	Recovery     string `json:"recovery,omitempty"`
	RunTimes     int    `json:"runTimes,omitempty"`
	ProcessStart string `json:"processStartTime,omitempty"`
	ProcessEnd   string `json:"processEndTime,omitempty"`
	ProcessHost  string `json:"processHost,omitempty"`
	TaskCode     int64  `json:"taskCode,omitempty"`
	TaskName     string `json:"taskName,omitempty"`
	TaskType     string `json:"taskType,omitempty"`
	TaskState    string `json:"taskState,omitempty"`
	TaskStart    string `json:"taskStartTime,omitempty"`
	TaskEnd      string `json:"taskEndTime,omitempty"`
	TaskHost     string `json:"taskHost,omitempty"`
	TaskPriority string `json:"taskPriority,omitempty"`
	RetryTimes   *int   `json:"retryTimes,omitempty"`
	LogPath      string `json:"logPath,omitempty"`
	Event        string `json:"event,omitempty"`
	WarnLevel    string `json:"warnLevel,omitempty"`
	Deadline     string `json:"deadline,omitempty"`
}

// alertTasks bounds the tasks that one alert names.
const alertTasks = 200

// alertContent is the JSON text of an alert (engine.md 12.2).
func (l *live) alertContent(a core.Alert) string {
	when := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.In(l.zone).Format(time.DateTime)
	}
	run := alertEntry{
		ProjectCode: l.run.ProjectCode, ProjectName: l.instance.ProjectName, Owner: l.instance.OwnerName, ProcessID: l.run.InstanceID,
		ProcessCode: l.instance.WorkflowCode, ProcessName: l.instance.Name, ModifyBy: l.instance.ExecutorName,
	}
	ofTask := func(e alertEntry, a *core.Attempt) alertEntry {
		t := &l.program.graph.Tasks[a.Node]
		e.TaskCode, e.TaskName, e.TaskType, e.TaskState = t.Code, t.Name, t.Type, string(a.State)
		e.TaskStart, e.TaskEnd, e.TaskHost, e.TaskPriority, e.LogPath = when(a.Start), when(a.End), a.Host, string(t.Priority), a.LogPath
		return e
	}
	var list []alertEntry
	switch a.Kind {
	case flow.AlertSuccess:
		run.ProcessType, run.ProcessState, run.RunTimes = string(l.run.Command), string(l.run.State), l.instance.RunTimes
		run.ProcessStart, run.ProcessEnd, run.ProcessHost = when(l.run.RestartTime), when(l.run.EndTime), l.master
		run.Recovery = "NO"
		if l.instance.Recovery {
			run.Recovery = "YES"
		}
		list = append(list, run)
	case flow.AlertFailure:
		for n := range l.program.graph.Tasks {
			if at := l.run.Attempt(int32(n)); at != nil && !at.State.Succeeded() && len(list) < alertTasks {
				list = append(list, ofTask(run, at))
			}
		}
		if len(list) == 0 {
			run.ProcessState = string(l.run.State)
			list = append(list, run)
		}
	case flow.AlertTimeout, flow.AlertTaskTime, flow.AlertDeadline:
		run.Event, run.WarnLevel = "TIME_OUT", "MIDDLE"
		if a.Kind == flow.AlertDeadline {
			run.Event, run.Deadline = "DEADLINE", when(l.run.Deadline)
		}
		run.ProcessStart, run.ProcessState = when(l.run.RestartTime), string(l.run.State)
		if a.Attempt != nil {
			run = ofTask(run, a.Attempt)
		}
		list = append(list, run)
	case flow.AlertTolerance, flow.AlertTaskFail, flow.AlertTaskOK, flow.AlertClose:
		if a.Attempt != nil {
			run = ofTask(run, a.Attempt)
			retries := a.Attempt.Number
			run.RetryTimes = &retries
		}
		list = append(list, run)
	}
	data, err := json.Marshal(list)
	if err != nil {
		return emptyList
	}
	return clean(string(data))
}

// Alerted is written to when there may be alerts to send. It needs no Run, and no more than one reader.
func (e *Engine) Alerted() <-chan struct{} { return e.alerts }

// alertNudges tells whoever sends alerts that there may be some.
type alertNudges chan struct{}

func (n alertNudges) nudge() {
	select {
	case n <- struct{}{}:
	default:
	}
}
