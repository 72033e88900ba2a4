package flow

// CommandParam is what a trigger says beyond the columns of its instance; it is stored as JSON in
// workflow_instance.command_param.
type CommandParam struct {
	StartNodes    []int64    `json:"startNodes,omitempty"`    // task codes; empty = the whole graph
	CommandParams []Property `json:"commandParams,omitempty"` // startup parameters
	TimeZone      string     `json:"timeZone,omitempty"`
	// ExecuteNodes and ExecuteDepend are the cut of the last EXECUTE_TASK.
	ExecuteNodes  []int64        `json:"executeNodes,omitempty"`
	ExecuteDepend TaskDependType `json:"executeDepend,omitempty"`
	// The task that started this instance, of a sub-workflow. Depth is 1 for a child, 2 for a child's child.
	ParentInstanceID     int64 `json:"parentInstanceId,omitempty"`
	ParentTaskInstanceID int64 `json:"parentTaskInstanceId,omitempty"`
	Position             int   `json:"position,omitempty"` // of the element, for a task over a list
	Depth                int   `json:"depth,omitempty"`
	// What started the instance, when a schedule or a backfill did.
	ScheduleID       int64 `json:"scheduleId,omitempty"`
	BackfillID       int64 `json:"backfillId,omitempty"`
	BackfillPosition int   `json:"backfillPosition,omitempty"`
}

// MaxDepth is how deep sub-workflows may be nested.
const MaxDepth = 16

// Next is the parameter of an instance whose last command was last and which gets the command next now (engine.md 2.5,
// 2.9). EXECUTE_TASK sets the cut, from nodes and depend; what goes on after it keeps the cut; REPEAT_RUNNING forgets it
// and, directly after EXECUTE_TASK, the start nodes as well.
func (p CommandParam) Next(last, next CommandType, nodes []int64, depend TaskDependType) CommandParam {
	switch next {
	case CommandExecuteTask:
		p.ExecuteNodes, p.ExecuteDepend = nodes, depend
	case CommandRepeat:
		if last == CommandExecuteTask {
			p.StartNodes = nil
		}
		p.ExecuteNodes, p.ExecuteDepend = nil, ""
	case CommandStart, CommandTakeOver, CommandResume, CommandRecoverFailed, CommandBackfill, CommandSchedule, CommandPause,
		CommandStop, CommandSerialWait, CommandDynamicChild, CommandDecide, CommandForceStart, CommandKillTask, CommandGroupPriority:
	}
	return p
}

// CommandArgs is what one command says, stored as JSON in command.command_param.
type CommandArgs struct {
	StartNodes     []int64        `json:"startNodes,omitempty"`     // EXECUTE_TASK
	TaskDependType TaskDependType `json:"taskDependType,omitempty"` // EXECUTE_TASK
	TaskInstanceID int64          `json:"taskInstanceId,omitempty"` // DECIDE_TASK, FORCE_START, KILL_TASK, SET_GROUP_PRIORITY
	Approved       bool           `json:"approved,omitempty"`       // DECIDE_TASK
	Comment        string         `json:"comment,omitempty"`        // DECIDE_TASK
	User           string         `json:"user,omitempty"`           // DECIDE_TASK: who decided
	Priority       int            `json:"priority,omitempty"`       // SET_GROUP_PRIORITY
	State          WorkflowState  `json:"state,omitempty"`          // RECOVER_TOLERANCE_FAULT_PROCESS: what the run was before
}
