package flow

import "strconv"

// Operation is what a user may ask of a workflow instance. The first six have the names of DolphinScheduler's
// executeType.
type Operation string

// The operations.
const (
	OpRerun         Operation = "REPEAT_RUNNING"
	OpResume        Operation = "RECOVER_SUSPENDED_PROCESS"
	OpRecoverFailed Operation = "START_FAILURE_TASK_PROCESS"
	OpStop          Operation = "STOP" // on READY_STOP it repeats the kills
	OpPause         Operation = "PAUSE"
	OpExecuteTask   Operation = "EXECUTE_TASK"
	OpDelete        Operation = "DELETE"
	OpEdit          Operation = "EDIT"
	OpForceSuccess  Operation = "FORCE_SUCCESS" // of a task; see AllowedOnTask
)

// Operations lists all operations; element i of the first six has the executeType code i+1.
func Operations() []Operation {
	return []Operation{OpRerun, OpResume, OpRecoverFailed, OpStop, OpPause, OpExecuteTask, OpDelete, OpEdit, OpForceSuccess}
}

// ParseOperation reads an executeType by name or number.
func ParseOperation(s string) (Operation, error) {
	execute := Operations()[:6]
	if n, err := strconv.Atoi(s); err == nil && n >= 1 && n <= len(execute) {
		return execute[n-1], nil
	}
	return parse(s, "", execute...)
}

// Reasons why an operation is refused, as message keys.
const (
	reasonEnded        = "flow.refused.ended"
	reasonActive       = "flow.refused.active"
	reasonPaused       = "flow.refused.paused"
	reasonStopping     = "flow.refused.stopping"
	reasonFailover     = "flow.refused.failover"
	reasonNotFailed    = "flow.refused.not_failed"
	reasonNotSuspended = "flow.refused.not_suspended"
	reasonTaskFine     = "flow.refused.task_not_failed"
	reasonUnknown      = "flow.refused.unknown"
)

// refusal is one row of the table below: why the operation is refused in each state, "" where it is allowed. A row
// is a struct rather than a map so that a forgotten state shows as a permission in the tests.
type refusal struct {
	submitted, serialWait, waitToRun, running, readyPause, pause, readyStop, stop, failure, success, failover string
}

// needsEnd is the row of operations on instances that no master works on.
func needsEnd() refusal {
	return refusal{
		submitted: reasonActive, serialWait: reasonActive, waitToRun: reasonActive, running: reasonActive,
		readyPause: reasonActive, readyStop: reasonStopping, failover: reasonFailover,
	}
}

// refusals is the table of engine.md 2.2 with its RULE rows and of ui.md 2.12. API, pages and engine all ask it.
func refusals(op Operation) (refusal, bool) {
	switch op {
	case OpPause:
		return refusal{
			pause: reasonPaused, readyStop: reasonStopping, stop: reasonEnded, failure: reasonEnded, success: reasonEnded,
			failover: reasonFailover,
		}, true
	case OpStop:
		return refusal{pause: reasonPaused, stop: reasonEnded, failure: reasonEnded, success: reasonEnded, failover: reasonFailover}, true
	case OpResume:
		row := needsEnd()
		row.failure, row.success = reasonNotSuspended, reasonNotSuspended
		return row, true
	case OpRecoverFailed:
		row := needsEnd()
		row.pause, row.success = reasonNotFailed, reasonNotFailed
		return row, true
	case OpRerun, OpExecuteTask, OpDelete, OpEdit, OpForceSuccess:
		return needsEnd(), true
	}
	return refusal{}, false
}

// Allowed reports whether op is accepted for a workflow instance in state, and if not, the message key that says why.
func Allowed(op Operation, state WorkflowState) (ok bool, reasonKey string) {
	row, known := refusals(op)
	if !known {
		return false, reasonUnknown
	}
	switch state {
	case WorkflowSubmitted:
		reasonKey = row.submitted
	case WorkflowSerialWait:
		reasonKey = row.serialWait
	case WorkflowWaitToRun:
		reasonKey = row.waitToRun
	case WorkflowRunning:
		reasonKey = row.running
	case WorkflowReadyPause:
		reasonKey = row.readyPause
	case WorkflowPause:
		reasonKey = row.pause
	case WorkflowReadyStop:
		reasonKey = row.readyStop
	case WorkflowStop:
		reasonKey = row.stop
	case WorkflowFailure:
		reasonKey = row.failure
	case WorkflowSuccess:
		reasonKey = row.success
	case WorkflowFailover:
		reasonKey = row.failover
	default:
		return false, reasonUnknown
	}
	return reasonKey == "", reasonKey
}

// AllowedOnTask is Allowed for an operation on one task instance. Forcing success needs a failed, killed or lost
// attempt; the other operations ask only the workflow instance.
func AllowedOnTask(op Operation, task TaskState, workflow WorkflowState) (ok bool, reasonKey string) {
	if ok, reasonKey = Allowed(op, workflow); !ok || op != OpForceSuccess {
		return ok, reasonKey
	}
	if _, err := task.To(TaskForcedSuccess); err != nil {
		return false, reasonTaskFine
	}
	return true, ""
}

// TaskEnd is where one node of the scope stands when nothing is active, waiting for a retry, or startable any more.
// Forbidden and skipped nodes are left out.
type TaskEnd struct {
	State   TaskState // of the valid attempt; "" when the node never got one
	Handled bool      // a failure that CONDITIONS tasks take care of does not count
	Ready   bool      // State "": the node could have started, but the run was being paused or stopped
}

// failed reports a failure that counts.
func (e TaskEnd) failed() bool { return (e.State == TaskFailure || e.State == TaskLost) && !e.Handled }

// FinalState is the state a workflow instance ends in (engine.md 3.5). No task at all is a success. A state that is
// final already, or that no master works on, is returned as it is.
func FinalState(current WorkflowState, tasks []TaskEnd) WorkflowState {
	var failed, killed, paused, ready, unrun bool
	for _, t := range tasks {
		failed = failed || t.failed()
		killed = killed || t.State == TaskKill
		paused = paused || t.State == TaskPause
		unrun = unrun || t.State == "" || t.State == TaskPause
		ready = ready || t.State == "" && t.Ready
	}
	switch current {
	case WorkflowSubmitted, WorkflowRunning, WorkflowFailover:
		switch {
		case failed:
			return WorkflowFailure
		case killed:
			return WorkflowStop
		case paused: // a sub-workflow that somebody paused by itself
			return WorkflowPause
		}
		return WorkflowSuccess
	case WorkflowReadyPause:
		switch {
		case failed:
			return WorkflowFailure
		case paused, ready:
			return WorkflowPause
		}
		return WorkflowSuccess
	case WorkflowReadyStop:
		switch {
		case killed:
			return WorkflowStop
		case failed:
			return WorkflowFailure
		case unrun:
			return WorkflowStop
		}
		return WorkflowSuccess
	case WorkflowSerialWait, WorkflowWaitToRun, WorkflowPause, WorkflowStop, WorkflowFailure, WorkflowSuccess:
		return current
	}
	return current
}
