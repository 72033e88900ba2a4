package flow

import (
	"fmt"
	"slices"
)

// CommandType says what a command asks of a master.
type CommandType string

// The commands; numeric codes of DolphinScheduler in the comments.
const (
	CommandStart         CommandType = "START_PROCESS"                   // 0
	CommandTakeOver      CommandType = "RECOVER_TOLERANCE_FAULT_PROCESS" // 2
	CommandResume        CommandType = "RECOVER_SUSPENDED_PROCESS"       // 3
	CommandRecoverFailed CommandType = "START_FAILURE_TASK_PROCESS"      // 4
	CommandBackfill      CommandType = "COMPLEMENT_DATA"                 // 5
	CommandSchedule      CommandType = "SCHEDULER"                       // 6
	CommandRepeat        CommandType = "REPEAT_RUNNING"                  // 7
	CommandPause         CommandType = "PAUSE"                           // 8
	CommandStop          CommandType = "STOP"                            // 9
	CommandSerialWait    CommandType = "RECOVER_SERIAL_WAIT"             // 11
	CommandExecuteTask   CommandType = "EXECUTE_TASK"                    // 12
	CommandDynamicChild  CommandType = "DYNAMIC_GENERATION"              // 13

	// Ours: what people ask of one task of a run under way. They carry CommandArgs.
	CommandDecide        CommandType = "DECIDE_TASK"        // approve or reject
	CommandForceStart    CommandType = "FORCE_START"        // do not wait for the task group
	CommandKillTask      CommandType = "KILL_TASK"          // end one attempt
	CommandGroupPriority CommandType = "SET_GROUP_PRIORITY" // change the place in the task group's queue
)

// CommandTypes returns the types that DolphinScheduler knows, in the order of their numbers.
func CommandTypes() []CommandType {
	return []CommandType{
		CommandStart, CommandTakeOver, CommandResume, CommandRecoverFailed, CommandBackfill, CommandSchedule, CommandRepeat, CommandPause,
		CommandStop, CommandSerialWait, CommandExecuteTask, CommandDynamicChild,
	}
}

// TaskDependType cuts the graph at chosen start nodes (engine.md 2.4).
type TaskDependType string

// The cuts.
const (
	TaskOnly TaskDependType = "TASK_ONLY" // the start nodes
	TaskPre  TaskDependType = "TASK_PRE"  // and all before them
	TaskPost TaskDependType = "TASK_POST" // and all after them
)

// ParseTaskDependType reads a cut by name; "" is TASK_POST.
func ParseTaskDependType(s string) (TaskDependType, error) {
	return parse(s, TaskPost, TaskPost, TaskPre, TaskOnly)
}

// FailureStrategy says what a final failure does to the other branches.
type FailureStrategy string

// The strategies.
const (
	FailureEnd      FailureStrategy = "END"      // kill what runs, start nothing more
	FailureContinue FailureStrategy = "CONTINUE" // other branches go on
)

// ParseFailureStrategy reads a strategy by name; "" is CONTINUE.
func ParseFailureStrategy(s string) (FailureStrategy, error) {
	return parse(s, FailureContinue, FailureContinue, FailureEnd)
}

// WarningType says which ends of a run are told to the alert group.
type WarningType string

// The warning types.
const (
	WarningNone    WarningType = "NONE"
	WarningSuccess WarningType = "SUCCESS"
	WarningFailure WarningType = "FAILURE"
	WarningAll     WarningType = "ALL"
)

// ParseWarningType reads a warning type by name; "" is NONE.
func ParseWarningType(s string) (WarningType, error) {
	return parse(s, WarningNone, WarningNone, WarningSuccess, WarningFailure, WarningAll)
}

// AlertType says what an alert tells of.
type AlertType string

// The alert types; numeric codes of DolphinScheduler in the comments.
const (
	AlertFailure   AlertType = "WORKFLOW_INSTANCE_FAILURE"  // 0; also STOP and PAUSE, for those who asked for every end
	AlertSuccess   AlertType = "WORKFLOW_INSTANCE_SUCCESS"  // 1
	AlertTimeout   AlertType = "WORKFLOW_INSTANCE_TIMEOUT"  // 3
	AlertTolerance AlertType = "FAULT_TOLERANCE_WARNING"    // 4: a worker was lost and the attempt begins anew
	AlertTaskFail  AlertType = "TASK_FAILURE"               // 5: sent by tasks themselves
	AlertTaskOK    AlertType = "TASK_SUCCESS"               // 6: sent by tasks themselves
	AlertTaskTime  AlertType = "TASK_TIMEOUT"               // 7
	AlertClose     AlertType = "CLOSE_ALERT"                // 8
	AlertDeadline  AlertType = "WORKFLOW_INSTANCE_DEADLINE" // ours: not over by the time it should be
)

// AlertTypes lists all alert types in the order of their codes.
func AlertTypes() []AlertType {
	return []AlertType{
		AlertFailure, AlertSuccess, AlertTimeout, AlertTolerance, AlertTaskFail, AlertTaskOK, AlertTaskTime, AlertClose, AlertDeadline,
	}
}

// EndAlert is the alert about a run that ended in state, or "" when w asks for none (engine.md 12.1).
func (w WarningType) EndAlert(state WorkflowState) AlertType {
	succeeded := state == WorkflowSuccess
	switch {
	case !state.Finished():
		return ""
	case succeeded && (w == WarningAll || w == WarningSuccess):
		return AlertSuccess
	case w == WarningAll, w == WarningFailure && state == WorkflowFailure:
		return AlertFailure
	}
	return ""
}

// Priority orders workflows and tasks that compete for workers.
type Priority string

// The priorities, most urgent first.
const (
	Highest Priority = "HIGHEST"
	High    Priority = "HIGH"
	Medium  Priority = "MEDIUM"
	Low     Priority = "LOW"
	Lowest  Priority = "LOWEST"
)

// Priorities lists all, most urgent first.
func Priorities() []Priority { return []Priority{Highest, High, Medium, Low, Lowest} }

// ParsePriority reads a priority by name; "" is MEDIUM.
func ParsePriority(s string) (Priority, error) { return parse(s, Medium, Priorities()...) }

// Code is 0 for HIGHEST … 4 for LOWEST; an unknown priority ranks as MEDIUM.
func (p Priority) Code() int {
	if i := slices.Index(Priorities(), p); i >= 0 {
		return i
	}
	return 2
}

// Flag is DolphinScheduler's YES and NO.
type Flag string

// The flags.
const (
	FlagYes Flag = "YES"
	FlagNo  Flag = "NO"
)

// ReleaseState says whether a workflow may be triggered.
type ReleaseState string

// The release states.
const (
	Online  ReleaseState = "ONLINE"
	Offline ReleaseState = "OFFLINE"
)

// ParseReleaseState reads a release state by name.
func ParseReleaseState(s string) (ReleaseState, error) { return parse(s, "", Online, Offline) }

// ExecutionType says what happens when a workflow is triggered while it runs.
type ExecutionType string

// The execution types.
const (
	Parallel       ExecutionType = "PARALLEL"
	SerialWait     ExecutionType = "SERIAL_WAIT"
	SerialDiscard  ExecutionType = "SERIAL_DISCARD"
	SerialPriority ExecutionType = "SERIAL_PRIORITY"
)

// ParseExecutionType reads an execution type by name; "" is PARALLEL.
func ParseExecutionType(s string) (ExecutionType, error) {
	return parse(s, Parallel, Parallel, SerialWait, SerialDiscard, SerialPriority)
}

// TimeoutFlag switches a task's timeout.
type TimeoutFlag string

// The timeout flags.
const (
	TimeoutClose TimeoutFlag = "CLOSE"
	TimeoutOpen  TimeoutFlag = "OPEN"
)

// TimeoutStrategy says what a task's timeout does.
type TimeoutStrategy string

// The timeout strategies; "" stands for none chosen.
const (
	TimeoutWarn       TimeoutStrategy = "WARN"
	TimeoutFailed     TimeoutStrategy = "FAILED"
	TimeoutWarnFailed TimeoutStrategy = "WARNFAILED"
)

// Kills reports whether the attempt ends when its time is over.
func (s TimeoutStrategy) Kills() bool { return s == TimeoutFailed || s == TimeoutWarnFailed }

// Warns reports whether people are told when an attempt's time is over.
func (s TimeoutStrategy) Warns() bool { return s == TimeoutWarn || s == TimeoutWarnFailed }

// ExecuteType tells batch tasks from streaming ones.
type ExecuteType string

// The execute types.
const (
	Batch  ExecuteType = "BATCH"
	Stream ExecuteType = "STREAM"
)

// Direct says whether a parameter goes into a task or comes out of it.
type Direct string

// The directions; "" counts as IN.
const (
	In  Direct = "IN"
	Out Direct = "OUT"
)

// ParamType is the declared type of a parameter; values stay text.
type ParamType string

// The parameter types.
const (
	Varchar   ParamType = "VARCHAR"
	Integer   ParamType = "INTEGER"
	Long      ParamType = "LONG"
	Float     ParamType = "FLOAT"
	Double    ParamType = "DOUBLE"
	Date      ParamType = "DATE"
	Time      ParamType = "TIME"
	Timestamp ParamType = "TIMESTAMP"
	Boolean   ParamType = "BOOLEAN"
	List      ParamType = "LIST"
	File      ParamType = "FILE"
)

// ParamTypes lists all parameter types in the order in which forms show them.
func ParamTypes() []ParamType {
	return []ParamType{Varchar, Integer, Long, Float, Double, Date, Time, Timestamp, Boolean, List, File}
}

// parse returns the member of all that s names, fallback for "" when there is one.
func parse[T ~string](s string, fallback T, all ...T) (T, error) {
	if s == "" && fallback != "" {
		return fallback, nil
	}
	if i := slices.Index(all, T(s)); i >= 0 {
		return all[i], nil
	}
	return "", fmt.Errorf("flow: %q is none of %v", s, all)
}
