package engine

import (
	"context"
	"time"

	"dorado/modules/flow"
)

// Children starts runs of workflows on behalf of tasks. It is implemented above the engine and handed in.
type Children interface {
	// StartChild starts the current version of a workflow as a child of a task instance and returns its id. Instance,
	// command and link are written in one transaction; asked again for the same ParentTaskInstanceID and Position it
	// returns the id of the child that exists. Everything that the request does not name is inherited from the parent
	// instance. A fault of any kind but Internal and Unavailable is final; any other error is tried again.
	StartChild(ctx context.Context, r ChildRequest) (instanceID int64, err error)
}

// ChildRequest is one run that a task starts.
type ChildRequest struct {
	ParentInstanceID     int64
	ParentTaskInstanceID int64
	ParentTaskCode       int64
	Position             int    // of the element, for a task over a list; 0 for a sub-workflow
	Element              string // JSON, kept with the link; "" = none
	WorkflowCode         int64
	Command              flow.CommandType // START_PROCESS, or DYNAMIC_GENERATION
	StartParams          []flow.Property  // the strongest level of the child's parameters
}

// Ended is a run whose end is durable.
type Ended struct {
	InstanceID   int64
	WorkflowCode int64
	ProjectCode  int64
	State        flow.WorkflowState
	ScheduleTime *time.Time
	StartTime    time.Time
	EndTime      time.Time
	Param        flow.CommandParam // what started it: parent, schedule, backfill
}
