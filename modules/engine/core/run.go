package core

import (
	"time"

	"dorado/modules/flow"
)

// Settings are what was fixed when the instance was triggered.
type Settings struct {
	InstanceID  int64
	ProjectCode int64
	Failure     flow.FailureStrategy
	StartNodes  []int64 // empty: the whole graph
	Depend      flow.TaskDependType
	Priority    flow.Priority
	WorkerGroup string // for tasks whose own is empty or "default"
	DryRun      bool
}

// Attempt is one row of task_instance. The engine's shell gives it its ID after Advance and before anything is saved.
type Attempt struct {
	ID          int64
	Node        int32
	State       flow.TaskState
	Valid       bool
	Number      int // 0 = first; DolphinScheduler's retryTimes
	WorkerGroup string
	Host        string
	PID         int
	ExitCode    *int
	LogPath     string
	ExecutePath string
	AppLink     string
	VarPool     []flow.Property // what the attempt put out
	Message     string
	FirstSubmit time.Time
	Submit      time.Time
	Due         time.Time // zero: at once
	Start       time.Time
	End         time.Time

	turn     uint64 // the Advance that last changed it
	started  bool   // a STARTED report was applied
	killing  bool   // a kill is under way
	timedOut bool   // the kill is its timeout's
	stored   bool   // a row exists
}

// Run is one workflow instance in memory.
type Run struct {
	Settings
	Graph     *flow.Graph
	State     flow.WorkflowState
	StartTime time.Time
	EndTime   time.Time
	History   []StateChange
	Message   string // why the run failed, when no task says it

	scope  []bool
	nodes  []node
	ready  []int32 // nodes whose predecessors are settled, not yet begun; drained before Advance returns
	turn   uint64  // counts Advance
	active int     // attempts that are not terminal
	ending bool    // a final failure under the END strategy: nothing new starts
}

// StateChange is one entry of a run's history.
type StateChange struct {
	Time  time.Time
	State flow.WorkflowState
	Why   string
}

type node struct {
	pending int32 // predecessors in scope that are not settled well
	status  status
	attempt *Attempt // the valid one, if any
}

type status uint8

const (
	idle    status = iota // waits for predecessors, or was never reached
	begun                 // its valid attempt is not terminal
	settled               // succeeded, or forbidden and passed: successors may go
	broken                // failed for good, killed or paused: successors wait for ever
)

// Effects are what Advance asks of the shell. Changed must be saved, in one transaction with the run's own row when
// RunChanged; the rest is performed after that.
type Effects struct {
	Changed    []*Attempt // new and changed attempts, each once
	RunChanged bool
	Ready      []*Attempt // to be placed on a worker
	Withdrawn  []*Attempt // were Ready or placed; must not be sent any more
	Kill       []*Attempt // held by a worker: end it
	Timers     []Timer
	Finished   bool // the run is over: forget it after the save
}

// Timer asks for an Alarm event at At.
type Timer struct {
	At      time.Time
	Attempt *Attempt
	Kind    AlarmKind
}

// New builds a run that has not begun. It fails when a start node is not in the graph.
func New(s Settings, g *flow.Graph) (*Run, error) {
	scope, err := g.Scope(s.StartNodes, s.Depend)
	if err != nil {
		return nil, err
	}
	r := &Run{Settings: s, Graph: g, State: flow.WorkflowSubmitted, scope: scope, nodes: make([]node, len(g.Tasks))}
	return r, nil
}

// Attach gives a node the valid attempt it already has. It is for attempts read from the store, before Begin or Adopt.
func (r *Run) Attach(a *Attempt) {
	a.stored = true
	a.started = a.State == flow.TaskRunning
	r.nodes[a.Node].attempt = a
}

// Attempt returns the valid attempt of a node, or nil.
func (r *Run) Attempt(n int32) *Attempt { return r.nodes[n].attempt }

// Stored reports whether the attempt has a row, or is about to have one.
func (a *Attempt) Stored() bool { return a.stored }

// Killing reports whether a kill of the attempt is under way.
func (a *Attempt) Killing() bool { return a.killing }

// MarkStored is called by the shell when it hands the attempt's insert to the committer.
func (a *Attempt) MarkStored() { a.stored = true }

// InScope reports whether the run executes a node.
func (r *Run) InScope(n int32) bool { return r.scope[n] }

// Active is the number of attempts that are not terminal.
func (r *Run) Active() int { return r.active }
