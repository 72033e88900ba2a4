package core_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/engine/core"
	"dorado/modules/flow"
)

// world drives a run as the shell does: it gives ids, places what is ready and remembers everything.
type world struct {
	t       *testing.T
	run     *core.Run
	now     time.Time
	nextID  int64
	rows    map[int64]*core.Attempt
	waiting []*core.Attempt
	kills   []*core.Attempt
	timers  []core.Timer
	over    bool
}

var epoch = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// workflow builds a definition from "A>B" edges and plain names, with options by name.
func workflow(t *testing.T, edges []string, options map[string]func(*flow.Task)) *flow.Graph {
	t.Helper()
	def := &flow.Definition{}
	code := func(name string) int64 {
		for _, task := range def.Tasks {
			if task.Name == name {
				return task.Code
			}
		}
		task := flow.Task{Code: int64(len(def.Tasks) + 1), Name: name, Type: "SHELL", Flag: flow.FlagYes}
		if o := options[name]; o != nil {
			o(&task)
		}
		def.Tasks = append(def.Tasks, task)
		return task.Code
	}
	for _, e := range edges {
		var a, b string
		if n, _ := fmt.Sscanf(e, "%1s>%1s", &a, &b); n == 2 {
			def.Edges = append(def.Edges, flow.Edge{Pre: code(a), Post: code(b)})
			continue
		}
		code(e)
	}
	g, err := flow.Compile(def)
	require.NoError(t, err)
	return g
}

func begin(t *testing.T, g *flow.Graph, s core.Settings) *world {
	t.Helper()
	run, err := core.New(s, g)
	require.NoError(t, err)
	w := &world{t: t, run: run, now: epoch, rows: map[int64]*core.Attempt{}}
	w.advance(core.Begin{Command: flow.CommandStart})
	return w
}

func (w *world) advance(ev core.Event) {
	out := w.run.Advance(ev, w.now)
	for _, a := range out.Changed {
		if a.ID == 0 {
			w.nextID++
			a.ID = w.nextID
		}
		w.rows[a.ID] = a
	}
	w.waiting = append(w.waiting, out.Ready...)
	w.kills = append(w.kills, out.Kill...)
	w.timers = append(w.timers, out.Timers...)
	w.over = w.over || out.Finished
	require.Equal(w.t, w.run.State.Finished(), w.over, "finished exactly when the state says so")
	valid := map[int32]int{}
	for _, a := range w.rows {
		if a.Valid {
			valid[a.Node]++
			require.LessOrEqual(w.t, valid[a.Node], 1, "at most one valid attempt a task")
		}
	}
}

// place gives every waiting attempt to a worker.
func (w *world) place() {
	ready := w.waiting
	w.waiting = nil
	for _, a := range ready {
		w.advance(core.Placed{Node: a.Node, ID: a.ID, Host: "w1"})
	}
}

func (w *world) node(name string) int32 {
	i := slices.IndexFunc(w.run.Graph.Tasks, func(t flow.Task) bool { return t.Name == name })
	require.GreaterOrEqual(w.t, i, 0, name)
	return int32(i)
}

func (w *world) end(name string, outcome flow.TaskState) {
	w.place()
	a := w.run.Attempt(w.node(name))
	require.NotNil(w.t, a, name)
	w.advance(core.Finished{Started: core.Started{Node: a.Node, ID: a.ID, At: w.now}, Outcome: outcome, End: w.now})
}

// state is the state of a task's valid attempt, "" when it has none.
func (w *world) state(name string) flow.TaskState {
	if a := w.run.Attempt(w.node(name)); a != nil {
		return a.State
	}
	return ""
}

func TestForbiddenTaskIsPassedThrough(t *testing.T) { // engine.md G1
	w := begin(t, workflow(t, []string{"A>B", "B>C"}, map[string]func(*flow.Task){"B": func(t *flow.Task) { t.Flag = flow.FlagNo }}), core.Settings{})
	w.end("A", flow.TaskSuccess)
	w.end("C", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
	require.Empty(t, w.state("B"))
}

func TestContinueRunsOtherBranchesAfterAFailure(t *testing.T) { // G2
	w := begin(t, workflow(t, []string{"A>J", "B>J"}, nil), core.Settings{Failure: flow.FailureContinue})
	w.end("A", flow.TaskFailure)
	require.False(t, w.over)
	w.end("B", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowFailure, w.run.State)
	require.Empty(t, w.state("J"))
}

func TestEndKillsOtherBranchesAfterAFailure(t *testing.T) { // G3
	w := begin(t, workflow(t, []string{"A>J", "B>J"}, nil), core.Settings{Failure: flow.FailureEnd})
	w.end("A", flow.TaskFailure)
	require.Len(t, w.kills, 1)
	w.end("B", flow.TaskKill)
	require.Equal(t, flow.TaskKill, w.state("B"))
	require.Equal(t, flow.WorkflowFailure, w.run.State)
}

func TestRetryWaitsForItsInterval(t *testing.T) { // G7
	retry := func(t *flow.Task) { t.RetryTimes, t.RetryInterval = 1, 2 }
	w := begin(t, workflow(t, []string{"A"}, map[string]func(*flow.Task){"A": retry}), core.Settings{})
	w.end("A", flow.TaskFailure)
	require.False(t, w.over)
	require.Empty(t, w.waiting)
	last := w.timers[len(w.timers)-1]
	require.Equal(t, w.now.Add(2*time.Minute), last.At)
	w.now = last.At
	w.advance(core.Alarm{Node: last.Attempt.Node, ID: last.Attempt.ID, Kind: core.AlarmDue})
	w.end("A", flow.TaskFailure)
	require.Equal(t, flow.WorkflowFailure, w.run.State)
	require.Len(t, w.rows, 2)
}

func TestPauseLetsRunningTasksEndAndKeepsTheNextOneForResume(t *testing.T) { // G8
	w := begin(t, workflow(t, []string{"A>B"}, nil), core.Settings{})
	w.place()
	w.advance(core.Pause{})
	require.Equal(t, flow.WorkflowReadyPause, w.run.State)
	w.end("A", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowPause, w.run.State)
	require.Equal(t, flow.TaskPause, w.state("B"))
	paused := w.run.Attempt(w.node("B")).ID
	w.over = false
	w.advance(core.Begin{Command: flow.CommandResume})
	require.Equal(t, paused, w.run.Attempt(w.node("B")).ID, "the same row goes on")
	w.end("B", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
}

func TestStopEndsRunningQueuedAndWaitingTasks(t *testing.T) { // G9
	retry := func(t *flow.Task) { t.RetryTimes, t.RetryInterval = 3, 1 }
	w := begin(t, workflow(t, []string{"A", "B", "C"}, map[string]func(*flow.Task){"C": retry}), core.Settings{})
	c := w.run.Attempt(w.node("C"))
	a := w.run.Attempt(w.node("A"))
	w.advance(core.Placed{Node: c.Node, ID: c.ID, Host: "w1"})
	w.advance(core.Placed{Node: a.Node, ID: a.ID, Host: "w1"})
	w.waiting = nil
	w.advance(core.Finished{Started: core.Started{Node: c.Node, ID: c.ID}, Outcome: flow.TaskFailure, End: w.now})
	w.advance(core.Stop{})
	require.Equal(t, flow.TaskKill, w.state("B"))
	require.Equal(t, flow.TaskKill, w.state("C"))
	require.False(t, w.over)
	w.advance(core.Finished{Started: core.Started{Node: a.Node, ID: a.ID}, Outcome: flow.TaskSuccess, End: w.now})
	require.Equal(t, flow.WorkflowStop, w.run.State)
}

func TestStopEndsARunWhoseWorkerIsGone(t *testing.T) {
	w := begin(t, workflow(t, []string{"A"}, nil), core.Settings{})
	w.place()
	w.advance(core.Stop{})
	a := w.run.Attempt(w.node("A"))
	w.advance(core.Lost{Node: a.Node, ID: a.ID, Why: "gone"})
	require.Equal(t, flow.WorkflowStop, w.run.State)
}

func TestUnconfirmedKillStillEndsTheRun(t *testing.T) {
	w := begin(t, workflow(t, []string{"A"}, nil), core.Settings{})
	w.place()
	w.advance(core.Stop{})
	last := w.timers[len(w.timers)-1]
	require.Equal(t, core.AlarmUnconfirmed, last.Kind)
	w.advance(core.Alarm{Node: last.Attempt.Node, ID: last.Attempt.ID, Kind: last.Kind})
	require.Equal(t, flow.WorkflowStop, w.run.State)
}

func TestRecoverFailedRunsOnlyWhatFailedAndWhatComesAfter(t *testing.T) { // G10
	w := begin(t, workflow(t, []string{"A>B", "B>C", "A>D"}, nil), core.Settings{Failure: flow.FailureContinue})
	w.end("A", flow.TaskSuccess)
	w.end("B", flow.TaskFailure)
	w.end("D", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowFailure, w.run.State)
	first := map[string]int64{"A": w.run.Attempt(w.node("A")).ID, "D": w.run.Attempt(w.node("D")).ID, "B": w.run.Attempt(w.node("B")).ID}
	w.over = false
	w.advance(core.Begin{Command: flow.CommandRecoverFailed})
	w.end("B", flow.TaskSuccess)
	w.end("C", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
	require.Equal(t, first["A"], w.run.Attempt(w.node("A")).ID)
	require.Equal(t, first["D"], w.run.Attempt(w.node("D")).ID)
	require.False(t, w.rows[first["B"]].Valid)
}

func TestLateAndRepeatedReportsChangeNothing(t *testing.T) {
	w := begin(t, workflow(t, []string{"A>B"}, nil), core.Settings{})
	w.end("A", flow.TaskSuccess)
	a := w.run.Attempt(w.node("A"))
	for _, ev := range []core.Event{
		core.Started{Node: a.Node, ID: a.ID, At: w.now},
		core.Finished{Started: core.Started{Node: a.Node, ID: a.ID}, Outcome: flow.TaskFailure},
		core.Lost{Node: a.Node, ID: a.ID},
		core.Refused{Node: a.Node, ID: a.ID},
		core.Finished{Started: core.Started{Node: 99, ID: 1}},
		core.Alarm{Node: -1},
	} {
		out := w.run.Advance(ev, w.now)
		require.Empty(t, out.Changed)
	}
	require.Equal(t, flow.TaskSuccess, w.state("A"))
}

func TestTimeoutIsAFailureThatIsRetried(t *testing.T) {
	limit := func(t *flow.Task) {
		t.TimeoutFlag, t.TimeoutStrategy, t.TimeoutMinutes, t.RetryTimes = flow.TimeoutOpen, flow.TimeoutFailed, 1, 1
	}
	w := begin(t, workflow(t, []string{"A"}, map[string]func(*flow.Task){"A": limit}), core.Settings{})
	w.place()
	a := w.run.Attempt(w.node("A"))
	w.advance(core.Started{Node: a.Node, ID: a.ID, At: w.now})
	last := w.timers[len(w.timers)-1]
	require.Equal(t, core.AlarmTimeout, last.Kind)
	w.advance(core.Alarm{Node: a.Node, ID: a.ID, Kind: core.AlarmTimeout})
	require.Len(t, w.kills, 1)
	w.advance(core.Finished{Started: core.Started{Node: a.Node, ID: a.ID}, Outcome: flow.TaskKill, End: w.now})
	require.Equal(t, flow.TaskFailure, w.rows[a.ID].State)
	w.end("A", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
}

// TestRandomRunsEndAsTheirOutcomesSay plays random graphs with random outcomes, retries, losses and restarts against a
// slow, obvious model: a task runs when all before it succeeded, and fails when its outcomes say so.
func TestRandomRunsEndAsTheirOutcomesSay(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 7))
		n := 1 + r.IntN(20)
		def := &flow.Definition{}
		for i := range n {
			task := flow.Task{Code: int64(i + 1), Name: fmt.Sprint(i), Type: "SHELL", Flag: flow.FlagYes, RetryTimes: r.IntN(3)}
			if r.IntN(8) == 0 {
				task.Flag = flow.FlagNo
			}
			def.Tasks = append(def.Tasks, task)
			for j := range i {
				if r.IntN(n) < 2 {
					def.Edges = append(def.Edges, flow.Edge{Pre: int64(j + 1), Post: int64(i + 1)})
				}
			}
		}
		g, err := flow.Compile(def)
		require.NoError(t, err)
		fails := make([]int, n) // how often each task fails before it succeeds
		for i := range fails {
			if r.IntN(4) == 0 {
				fails[i] = 1 + r.IntN(3)
			}
		}
		want := make([]bool, n) // settled well, by the model
		outcome := flow.WorkflowSuccess
		for i := range g.Tasks {
			reached := true
			for _, p := range g.Pred[i] {
				reached = reached && want[p]
			}
			forbidden := g.Tasks[i].Flag == flow.FlagNo
			want[i] = reached && (forbidden || fails[i] <= g.Tasks[i].RetryTimes)
			if reached && !want[i] {
				outcome = flow.WorkflowFailure
			}
		}
		w := begin(t, g, core.Settings{Failure: flow.FailureContinue})
		failed := make([]int, n)
		for steps := 0; !w.over; steps++ {
			require.Less(t, steps, 2000, "seed %d hangs", seed)
			w.place()
			var live []*core.Attempt
			for _, a := range w.rows {
				if a.Valid && a.State.OnWorker() {
					live = append(live, a)
				}
			}
			slices.SortFunc(live, func(a, b *core.Attempt) int { return int(a.ID - b.ID) })
			require.NotEmpty(t, live, "seed %d: nothing runs and the run is not over", seed)
			a := live[r.IntN(len(live))]
			for _, p := range g.Pred[a.Node] {
				if g.Tasks[p].Flag == flow.FlagYes {
					require.Equal(t, flow.TaskSuccess, w.run.Attempt(p).State, "seed %d: started before its predecessor", seed)
				}
			}
			switch {
			case r.IntN(10) == 0:
				w.advance(core.Lost{Node: a.Node, ID: a.ID, Why: "lost"})
			case r.IntN(10) == 0:
				w.restart()
			case failed[a.Node] < fails[a.Node]:
				failed[a.Node]++
				w.advance(core.Finished{Started: core.Started{Node: a.Node, ID: a.ID}, Outcome: flow.TaskFailure, End: w.now})
			default:
				w.advance(core.Finished{Started: core.Started{Node: a.Node, ID: a.ID}, Outcome: flow.TaskSuccess, End: w.now})
			}
		}
		require.Equal(t, outcome, w.run.State, "seed %d", seed)
		for i := range g.Tasks {
			if g.Tasks[i].Flag == flow.FlagYes {
				a := w.run.Attempt(int32(i))
				require.Equal(t, want[i], a != nil && a.State == flow.TaskSuccess, "seed %d task %d", seed, i)
			}
		}
	}
}

// restart forgets the run and builds it again from its rows, as a new process does.
func (w *world) restart() {
	run, err := core.New(w.run.Settings, w.run.Graph)
	require.NoError(w.t, err)
	run.State = w.run.State
	w.waiting, w.kills, w.timers = nil, nil, nil
	for id, a := range w.rows {
		if !a.Valid {
			continue
		}
		again := &core.Attempt{ID: id, Node: a.Node, State: a.State, Valid: true, Number: a.Number, Host: a.Host, FirstSubmit: a.FirstSubmit, Submit: a.Submit, Due: a.Due, Start: a.Start, End: a.End}
		w.rows[id] = again
		run.Attach(again)
	}
	w.run = run
	w.advance(core.Adopt{})
}

func BenchmarkWideRun(b *testing.B) {
	def := &flow.Definition{}
	for i := range 10_000 {
		def.Tasks = append(def.Tasks, flow.Task{Code: int64(i + 1), Name: fmt.Sprint(i), Flag: flow.FlagYes})
	}
	g, err := flow.Compile(def)
	require.NoError(b, err)
	b.ResetTimer()
	for range b.N {
		run, err := core.New(core.Settings{}, g)
		require.NoError(b, err)
		out := run.Advance(core.Begin{Command: flow.CommandStart}, epoch)
		for i, a := range out.Changed {
			a.ID = int64(i + 1)
		}
		for _, a := range out.Changed {
			run.Advance(core.Placed{Node: a.Node, ID: a.ID, Host: "w"}, epoch)
			run.Advance(core.Finished{Started: core.Started{Node: a.Node, ID: a.ID}, Outcome: flow.TaskSuccess}, epoch)
		}
		require.Equal(b, flow.WorkflowSuccess, run.State)
	}
}
