package core

import (
	"slices"
	"time"

	"dorado/modules/flow"
)

// Settings are what was fixed when the instance was triggered.
type Settings struct {
	InstanceID  int64
	ProjectCode int64
	Command     flow.CommandType // the latest one, as the row says; Adopt goes by it
	Failure     flow.FailureStrategy
	StartNodes  []int64 // empty: the whole graph
	Depend      flow.TaskDependType
	Priority    flow.Priority
	WorkerGroup string // for tasks whose own is empty or "default"
	DryRun      bool
	IsSub       bool // another run started it: its end is no alert
	Stream      bool // it is one streaming task that was started by itself; in other runs these are passed through
	// ExecuteNodes and ExecuteDepend are the cut of the last EXECUTE_TASK, which Adopt restores.
	ExecuteNodes  []int64
	ExecuteDepend flow.TaskDependType
	Warning       flow.WarningType
	Timeout       time.Duration // from Run.RestartTime; 0 = none. It only tells people
	Deadline      time.Time     // when the run should be over; zero = none

	// Choose decides a SWITCH when it is reached. It must be quick, and must depend on nothing but the rows of the run. An
	// error fails the task. The attempts before the node are at their end when it is called.
	Choose func(node int32) (Choice, error)
}

// Choice is what a SWITCH decided.
type Choice struct {
	Next []int64 // codes of the chosen successors
	Log  string  // how it came to that, for people
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
	Context     string          // what a logic attempt must remember, JSON; "" = nothing
	CacheKey    string          // under which its result may be used again
	Message     string
	FirstSubmit time.Time
	Submit      time.Time
	Due         time.Time // zero: at once
	Start       time.Time
	End         time.Time

	turn     uint64 // the Advance that last changed it
	started  bool   // a STARTED report was applied
	warned   bool   // people were told that it takes too long
	killing  bool   // a kill is under way
	timedOut bool   // the kill is its timeout's
	stored   bool   // a row exists
	placings uint16 // how often it was placed since it is in memory
}

// Placings is how often the attempt was placed on a worker since it is in memory: what was asked of a worker before the
// last time says nothing about what came after.
func (a *Attempt) Placings() int { return int(a.placings) }

// Run is one workflow instance in memory.
type Run struct {
	Settings
	Graph     *flow.Graph
	State     flow.WorkflowState
	StartTime time.Time
	// RestartTime is when the latest command began the run; the shell sets it before Adopt.
	RestartTime time.Time
	EndTime     time.Time
	History     []StateChange
	Message     string // why the run failed, when no task says it

	base    []bool // the nodes that the instance executes
	scope   []bool // of them, those that this command may start: all, or the cut of an EXECUTE_TASK
	nodes   []node
	ready   []int32 // nodes whose predecessors are settled, not yet looked at; drained before Advance returns
	turn    uint64  // counts Advance
	active  int     // attempts that are not terminal
	ending  bool    // a final failure under the END strategy: nothing new starts
	final   []int32 // finally nodes in scope
	open    bool    // everything else is settled: finally nodes may start
	cut     bool    // a stop was asked for while they ran: no more of them start
	late    bool    // people were told that the run takes too long
	overdue bool    // people were told that the run should be over
}

// StateChange is one entry of a run's history.
type StateChange struct {
	Time  time.Time
	State flow.WorkflowState
	Why   string
}

type node struct {
	pending int32 // predecessors in scope that are not settled, and one for a finally node that may not start yet
	live    bool  // a settled predecessor leads here
	dead    bool  // a settled predecessor chose another way, or was itself skipped
	status  status
	attempt *Attempt // the valid one, if any
}

type status uint8

const (
	idle    status = iota // waits for predecessors, or was never reached
	begun                 // its valid attempt is not terminal
	settled               // succeeded, or forbidden and passed: successors may go
	skipped               // every way here was not chosen
	broken                // failed for good, killed or paused: successors wait for ever, but for CONDITIONS after a failure
)

// Effects are what Advance asks of the shell. Changed must be saved, in one transaction with the run's own row when
// RunChanged; the rest is performed after that.
type Effects struct {
	Changed    []*Attempt // new and changed attempts, each once
	RunChanged bool
	Ready      []*Attempt // to be placed on a worker
	Withdrawn  []*Attempt // were Ready or placed; must not be sent any more
	// Logic attempts begin, or go on after Adopt: the shell carries them out and answers with Finished. Context says what
	// was remembered. A run that Context names and that ended before the attempt's Start is to be continued by a command;
	// one that ended later, or not yet, gives the attempt its end.
	Logic    []*Attempt
	Kill     []*Attempt // end it: held by a worker, or by the shell when Host is ""
	Park     []*Attempt // logic attempts that a pause asks to stop waiting; answered with Finished PAUSE, or their end
	Timers   []Timer
	Alerts   []Alert
	Finished bool // the run is over: forget it after the save
}

// Alert is something that people are to be told, in the change of which it is part. There is at most one a run, kind and
// attempt; Attempt is nil for the run as a whole.
type Alert struct {
	Kind    flow.AlertType
	Attempt *Attempt
	Task    *TaskAlert // what the task says, when it is its own alert
}

// TaskAlert is what a task itself tells an alert group.
type TaskAlert struct {
	Group   int64 // 0: that of the run
	Title   string
	Content string // a JSON list of flat objects
}

// Timer asks for an Alarm event at At. Attempt is nil when it is the run's own.
type Timer struct {
	At      time.Time
	Attempt *Attempt
	Kind    AlarmKind
}

// New builds a run that has not begun. It fails when a start node is not in the graph.
func New(s Settings, g *flow.Graph) (*Run, error) {
	base, err := g.Scope(s.StartNodes, s.Depend)
	if err != nil {
		return nil, err
	}
	r := &Run{Settings: s, Graph: g, State: flow.WorkflowSubmitted, base: base, scope: base, nodes: make([]node, len(g.Tasks))}
	if len(s.ExecuteNodes) > 0 {
		cut, err := g.Scope(s.ExecuteNodes, s.ExecuteDepend)
		if err != nil {
			return nil, err
		}
		r.extend(cut)
		if s.Command == flow.CommandExecuteTask {
			r.scope = cut
		}
	}
	return r, nil
}

// extend makes the nodes of a cut part of what the instance executes.
func (r *Run) extend(cut []bool) {
	r.base = slices.Clone(r.base)
	for n, in := range cut {
		r.base[n] = r.base[n] || in
	}
	r.scope = r.base
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

// Logic reports whether the engine carries the attempts of a node out itself.
func (r *Run) Logic(n int32) bool { return r.Graph.Kinds[n].Logic() }

// Killing reports whether a kill of the attempt is under way.
func (a *Attempt) Killing() bool { return a.killing }

// MarkStored is called by the shell when it hands the attempt's insert to the committer.
func (a *Attempt) MarkStored() { a.stored = true }

// InScope reports whether the current command executes a node.
func (r *Run) InScope(n int32) bool { return r.scope[n] }

// Active is the number of attempts that are not terminal.
func (r *Run) Active() int { return r.active }
