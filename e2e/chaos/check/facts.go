package check

import (
	"cmp"
	"slices"
	"time"
)

// Facts is all the evidence of one storm.
type Facts struct {
	Marks     []Mark
	Triggers  []Trigger
	Runs      []Run
	Attempts  []Attempt
	Workflows []Workflow
	Groups    []Group
	Schedules []Schedule
	Fires     []Fire
	Faults    []Fault
	// Left counts what must be none at the end, by name: commands, slots and so on.
	Left map[string]int
	// Unreachable is how long a worker must have been cut off before its attempts may be given to others: the grace that it
	// has to end them, and the session timeout for those who measure from the cut.
	Unreachable time.Duration
}

// Outcome is what a client knows of its request.
type Outcome string

// Outcomes of a request.
const (
	Accepted Outcome = "accepted" // answered with the id of a run
	Refused  Outcome = "refused"  // answered with an error: there is no run
	Maybe    Outcome = "maybe"    // never answered
)

// Trigger is one request to start a workflow, however often it was sent. The key travels into the run.
type Trigger struct {
	Key      string
	Workflow int64
	Outcome  Outcome
	Run      int64 // when accepted
}

// Run is a row of workflow_instance.
type Run struct {
	ID       int64
	Workflow int64
	State    string
	Key      string // of the trigger; "" for fires and children
	Parent   int64  // the run whose task started this one
	Stop     bool   // a client asked to stop it
	Pause    bool   // a client asked to pause it
}

// Attempt is a row of task_instance.
type Attempt struct {
	ID     int64
	Run    int64
	Task   int64
	State  string
	Worker string // stable name
	Valid  bool
	Logic  bool // it has no process, so nothing of it is in the ledger
}

// Workflow says what a run of it must do.
type Workflow struct {
	Code     int64
	Name     string
	Tasks    []int64 // those with a process
	Children []int64 // tasks that start another workflow
	Serial   bool
}

// Group is a task group and the tasks that need its slots.
type Group struct {
	Name  string
	Size  int
	Tasks []int64
}

// Schedule is due every second.
type Schedule struct {
	ID          int64
	From, Until time.Time // seconds well within the time it was online
}

// Fire is a row of schedule_fire.
type Fire struct {
	Schedule int64
	At       time.Time
	Run      int64
}

// Effect is what a fault does to attempts on a worker.
type Effect string

// Effects of faults on workers.
const (
	None    Effect = ""
	Died    Effect = "died"    // the process was killed: what it ran is repeated; orphans may live on until it is back
	Stopped Effect = "stopped" // in order: what did not end in time is repeated
	Cut     Effect = "cut"     // frozen or cut off: what it ran is repeated when that lasts
	Disk    Effect = "disk"    // full or hanging: attempts may fail
)

// Fault is something that was done to the cluster.
type Fault struct {
	No      int
	Kind    string
	Target  string
	From    time.Time
	Until   time.Time // healed
	Effect  Effect
	Workers []string // whose attempts it concerns
	Loose   bool     // what it runs may go on though it is given up: the worker cannot end it, being dead or frozen
	Void    string   // why it was not done
}

// effects are the mark pairs of one attempt.
type effect struct {
	attempt int64
	run     int64
	task    int64
	starts  []Mark
	ends    []Mark
}

func (e effect) start() time.Time { return e.starts[0].At }

// end returns the last end line's time; ok is false when the attempt never got there.
func (e effect) end() (at time.Time, exit int, ok bool) {
	if len(e.ends) == 0 {
		return time.Time{}, 0, false
	}
	last := e.ends[len(e.ends)-1]
	return last.At, last.Exit, true
}

func (e effect) succeeded() bool {
	_, exit, ok := e.end()
	return ok && exit == 0
}

type taskOf struct{ run, task int64 }

// index is the evidence, arranged for the rules.
type index struct {
	Facts
	byAttempt map[int64]*effect
	byTask    map[taskOf][]*effect // by start
	rows      map[int64]Attempt
	runs      map[int64]Run
	workflows map[int64]Workflow
	windows   map[string][]window // of each worker, by time
	broken    []string            // marks without sense
}

func newIndex(f Facts) *index {
	x := &index{
		Facts: f, byAttempt: map[int64]*effect{}, byTask: map[taskOf][]*effect{}, rows: map[int64]Attempt{},
		runs: map[int64]Run{}, workflows: map[int64]Workflow{}, windows: windows(f.Faults),
	}
	for _, a := range f.Attempts {
		x.rows[a.ID] = a
	}
	for _, r := range f.Runs {
		x.runs[r.ID] = r
	}
	for _, w := range f.Workflows {
		x.workflows[w.Code] = w
	}
	for _, m := range f.Marks {
		e := x.byAttempt[m.Attempt]
		if e == nil {
			e = &effect{attempt: m.Attempt, run: m.Run, task: m.Task}
			x.byAttempt[m.Attempt] = e
		}
		if m.End {
			e.ends = append(e.ends, m)
		} else {
			e.starts = append(e.starts, m)
		}
	}
	for id, e := range x.byAttempt {
		if len(e.starts) == 0 {
			x.broken = append(x.broken, name("attempt", id)+" ended without having started")
			delete(x.byAttempt, id)
			continue
		}
		key := taskOf{e.run, e.task}
		x.byTask[key] = append(x.byTask[key], e)
	}
	for _, list := range x.byTask {
		slices.SortFunc(list, func(a, b *effect) int {
			return cmp.Or(a.start().Compare(b.start()), cmp.Compare(a.attempt, b.attempt))
		})
	}
	slices.Sort(x.broken)
	return x
}
