package core

import (
	"time"

	"dorado/modules/flow"
)

// Event is what can happen to a run. Events that name an attempt which is no longer the node's valid one, or that come
// after its end, change nothing: they arrive more than once and out of order.
type Event interface{ event() }

// Begin starts a run that has no attempts, or carries on one that was finished: Attempts that succeeded are kept unless
// something before them runs again, paused ones are resumed, all others are superseded (engine.md 2.6). With Fresh all
// attempts are superseded (REPEAT_RUNNING).
type Begin struct {
	Command flow.CommandType
	Fresh   bool
}

// Adopt carries on a run that another process, or this one before a restart, left in the middle (engine.md 10.3).
type Adopt struct{}

// Execute runs a part of a finished run again: Nodes, with all before or after them as Depend says (engine.md 2.9). What
// is outside stays as it is and counts as satisfied; it counts for the final state, too.
type Execute struct {
	Nodes  []int64
	Depend flow.TaskDependType
}

// Pause asks that nothing new starts.
type Pause struct{}

// Stop asks that everything ends.
type Stop struct{}

// KillTask asks that one attempt ends.
type KillTask struct {
	Node int32
	ID   int64
}

// Placed says that the shell chose a worker for a ready attempt. CacheKey is under which its result may be used again,
// "" for never.
type Placed struct {
	Node     int32
	ID       int64
	Host     string
	CacheKey string
}

// Cached says that an earlier attempt did the same: this one succeeds without a worker.
type Cached struct {
	Node    int32
	ID      int64
	VarPool []flow.Property
	Key     string
}

// Noted is what a logic attempt must remember from now on; it replaces what it remembered before.
type Noted struct {
	Node    int32
	ID      int64
	Context string
}

// Refused says that the worker definitively did not take the attempt.
type Refused struct {
	Node int32
	ID   int64
	Why  string
}

// Unplaceable ends an attempt that no worker can ever take, or whose input cannot be built.
type Unplaceable struct {
	Node int32
	ID   int64
	Why  string
}

// Started says that the attempt's work began.
type Started struct {
	Node        int32
	ID          int64
	At          time.Time
	PID         int
	LogPath     string
	ExecutePath string
	AppLink     string // names of remote work, joined by commas; may be told again while the attempt runs
}

// Finished is the end of an attempt as its worker saw it, or the shell, for a logic attempt. Outcome is SUCCESS, FAILURE,
// KILL or, for logic attempts, PAUSE.
type Finished struct {
	Started
	Outcome  flow.TaskState
	End      time.Time
	ExitCode int
	Message  string
	Alert    *TaskAlert // what the task itself tells people
	VarPool  []flow.Property
}

// Lost says that the attempt's worker is gone, or does not know the attempt. AppLink names remote work that goes on
// without the worker, where that was known.
type Lost struct {
	Node    int32
	ID      int64
	Why     string
	AppLink string
}

// AlarmKind tells timers apart.
type AlarmKind uint8

// The timers of an attempt, and of the run as a whole.
const (
	AlarmDue         AlarmKind = iota // its delay or retry interval is over
	AlarmTimeout                      // it runs longer than its timeout: kill it
	AlarmWarn                         // it runs longer than its timeout: tell people
	AlarmUnconfirmed                  // its kill was not confirmed in KillTimeout
	AlarmRunTimeout                   // the run takes longer than its timeout
	AlarmDeadline                     // the run should be over by now
)

// Alarm is a timer that went off. Node and ID say nothing when the timer was the run's.
type Alarm struct {
	Node int32
	ID   int64
	Kind AlarmKind
}

func (Begin) event()       {}
func (Adopt) event()       {}
func (Execute) event()     {}
func (Pause) event()       {}
func (Stop) event()        {}
func (KillTask) event()    {}
func (Placed) event()      {}
func (Cached) event()      {}
func (Noted) event()       {}
func (Refused) event()     {}
func (Unplaceable) event() {}
func (Started) event()     {}
func (Finished) event()    {}
func (Lost) event()        {}
func (Alarm) event()       {}
