package flow

import (
	"fmt"
	"slices"
)

// WorkflowState is the state of a workflow instance. Values and codes are those of DolphinScheduler.
type WorkflowState string

// The states of a workflow instance.
const (
	WorkflowSubmitted  WorkflowState = "SUBMITTED_SUCCESS"
	WorkflowRunning    WorkflowState = "RUNNING_EXECUTION"
	WorkflowReadyPause WorkflowState = "READY_PAUSE"
	WorkflowPause      WorkflowState = "PAUSE"
	WorkflowReadyStop  WorkflowState = "READY_STOP"
	WorkflowStop       WorkflowState = "STOP"
	WorkflowFailure    WorkflowState = "FAILURE"
	WorkflowSuccess    WorkflowState = "SUCCESS"
	WorkflowSerialWait WorkflowState = "SERIAL_WAIT"
	WorkflowWaitToRun  WorkflowState = "WAIT_TO_RUN"
	WorkflowFailover   WorkflowState = "FAILOVER"
)

// workflowMoves is the transition table of engine.md 3.2. A running instance becomes PAUSE when only the run of one of its
// sub-workflows was paused.
var workflowMoves = map[WorkflowState][]WorkflowState{
	WorkflowSubmitted:  {WorkflowRunning, WorkflowReadyPause, WorkflowReadyStop, WorkflowFailure, WorkflowFailover, WorkflowStop, WorkflowPause, WorkflowSuccess},
	WorkflowSerialWait: {WorkflowSubmitted, WorkflowRunning, WorkflowStop, WorkflowPause, WorkflowFailure},
	WorkflowWaitToRun:  {WorkflowRunning, WorkflowStop, WorkflowPause, WorkflowFailure},
	WorkflowRunning:    {WorkflowReadyPause, WorkflowReadyStop, WorkflowSuccess, WorkflowFailure, WorkflowStop, WorkflowPause, WorkflowFailover},
	WorkflowReadyPause: {WorkflowPause, WorkflowSuccess, WorkflowFailure, WorkflowReadyStop, WorkflowFailover},
	WorkflowReadyStop:  {WorkflowStop, WorkflowFailure, WorkflowSuccess, WorkflowFailover},
	WorkflowFailover:   {WorkflowRunning, WorkflowReadyPause, WorkflowReadyStop, WorkflowFailure},
	WorkflowSuccess:    {WorkflowSubmitted, WorkflowRunning},
	WorkflowFailure:    {WorkflowSubmitted, WorkflowRunning, WorkflowSuccess},
	WorkflowStop:       {WorkflowSubmitted, WorkflowRunning, WorkflowSuccess},
	WorkflowPause:      {WorkflowSubmitted, WorkflowRunning},
}

// WorkflowStates lists every state in the order in which pages show them.
func WorkflowStates() []WorkflowState {
	return []WorkflowState{
		WorkflowSubmitted, WorkflowSerialWait, WorkflowWaitToRun, WorkflowRunning, WorkflowReadyPause, WorkflowPause,
		WorkflowReadyStop, WorkflowStop, WorkflowFailure, WorkflowSuccess, WorkflowFailover,
	}
}

// ParseWorkflowState reads a state by name.
func ParseWorkflowState(s string) (WorkflowState, error) {
	if _, ok := workflowMoves[WorkflowState(s)]; !ok {
		return "", fmt.Errorf("flow: %q is not a workflow state", s)
	}
	return WorkflowState(s), nil
}

// To returns next when a workflow instance may go there from s, else an error that names both.
func (s WorkflowState) To(next WorkflowState) (WorkflowState, error) {
	if !slices.Contains(workflowMoves[s], next) {
		return s, fmt.Errorf("flow: a %s workflow instance cannot become %s", s, next)
	}
	return next, nil
}

// Finished reports whether no master works on the instance any more; only an explicit operation revives it.
func (s WorkflowState) Finished() bool {
	switch s {
	case WorkflowSuccess, WorkflowFailure, WorkflowStop, WorkflowPause:
		return true
	case WorkflowSubmitted, WorkflowRunning, WorkflowReadyPause, WorkflowReadyStop, WorkflowSerialWait, WorkflowWaitToRun, WorkflowFailover:
		return false
	}
	return false
}

// CanPause reports whether a pause request is accepted.
func (s WorkflowState) CanPause() bool { return s.can(OpPause) }

// CanStop reports whether a stop request is accepted; on READY_STOP it repeats the kills.
func (s WorkflowState) CanStop() bool { return s.can(OpStop) }

// CanRerun reports whether REPEAT_RUNNING is accepted.
func (s WorkflowState) CanRerun() bool { return s.can(OpRerun) }

// CanRecover reports whether START_FAILURE_TASK_PROCESS is accepted.
func (s WorkflowState) CanRecover() bool { return s.can(OpRecoverFailed) }

// CanResume reports whether RECOVER_SUSPENDED_PROCESS is accepted.
func (s WorkflowState) CanResume() bool { return s.can(OpResume) }

func (s WorkflowState) can(op Operation) bool {
	ok, _ := Allowed(op, s)
	return ok
}

// TaskState is the state of a task instance. Values are those of DolphinScheduler.
type TaskState string

// The states of a task instance.
const (
	TaskSubmitted     TaskState = "SUBMITTED_SUCCESS"
	TaskDelay         TaskState = "DELAY_EXECUTION"
	TaskDispatch      TaskState = "DISPATCH"
	TaskRunning       TaskState = "RUNNING_EXECUTION"
	TaskSuccess       TaskState = "SUCCESS"
	TaskForcedSuccess TaskState = "FORCED_SUCCESS"
	TaskFailure       TaskState = "FAILURE"
	TaskKill          TaskState = "KILL"
	TaskPause         TaskState = "PAUSE"
	TaskLost          TaskState = "NEED_FAULT_TOLERANCE"
)

// taskMoves is the transition table of engine.md 3.3. Only logic tasks become PAUSE while they run, and only those that
// start other runs are submitted again in the row that failed or was killed (4.8).
var taskMoves = map[TaskState][]TaskState{
	TaskSubmitted:     {TaskDispatch, TaskRunning, TaskPause, TaskKill, TaskFailure, TaskSuccess, TaskDelay},
	TaskDelay:         {TaskSubmitted, TaskDispatch, TaskPause, TaskKill, TaskFailure},
	TaskDispatch:      {TaskRunning, TaskSubmitted, TaskSuccess, TaskFailure, TaskKill, TaskLost},
	TaskRunning:       {TaskSuccess, TaskFailure, TaskKill, TaskLost, TaskPause},
	TaskFailure:       {TaskForcedSuccess, TaskSubmitted},
	TaskKill:          {TaskForcedSuccess, TaskSubmitted},
	TaskLost:          {TaskForcedSuccess},
	TaskPause:         {TaskSubmitted},
	TaskSuccess:       {},
	TaskForcedSuccess: {},
}

// TaskStates lists every state in the order in which pages show them.
func TaskStates() []TaskState {
	return []TaskState{
		TaskSubmitted, TaskDelay, TaskDispatch, TaskRunning, TaskSuccess, TaskForcedSuccess, TaskFailure, TaskKill, TaskPause, TaskLost,
	}
}

// ParseTaskState reads a state by name.
func ParseTaskState(s string) (TaskState, error) {
	if _, ok := taskMoves[TaskState(s)]; !ok {
		return "", fmt.Errorf("flow: %q is not a task state", s)
	}
	return TaskState(s), nil
}

// To returns next when a task instance may go there from s, else an error that names both.
func (s TaskState) To(next TaskState) (TaskState, error) {
	if !slices.Contains(taskMoves[s], next) {
		return s, fmt.Errorf("flow: a %s task instance cannot become %s", s, next)
	}
	return next, nil
}

// Finished reports whether the attempt is over.
func (s TaskState) Finished() bool {
	switch s {
	case TaskSuccess, TaskForcedSuccess, TaskFailure, TaskKill, TaskPause, TaskLost:
		return true
	case TaskSubmitted, TaskDelay, TaskDispatch, TaskRunning:
		return false
	}
	return false
}

// Succeeded reports whether successors may start: SUCCESS, or a user's word that it counts as such.
func (s TaskState) Succeeded() bool { return s == TaskSuccess || s == TaskForcedSuccess }

// OnWorker reports whether a worker holds the attempt.
func (s TaskState) OnWorker() bool { return s == TaskDispatch || s == TaskRunning }
