package core_test

import (
	"encoding/json"
	"fmt"
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
	logic   []*core.Attempt
	parks   []*core.Attempt
	alerts  []flow.AlertType
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
	w.logic = append(w.logic, out.Logic...)
	w.parks = append(w.parks, out.Park...)
	for _, alert := range out.Alerts {
		w.alerts = append(w.alerts, alert.Kind)
	}
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

func TestG01_ForbiddenTaskIsPassedThrough(t *testing.T) {
	w := begin(t, workflow(t, []string{"A>B", "B>C"}, map[string]func(*flow.Task){"B": func(t *flow.Task) { t.Flag = flow.FlagNo }}), core.Settings{})
	w.end("A", flow.TaskSuccess)
	w.end("C", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
	require.Empty(t, w.state("B"))
}

func TestG02_ContinueRunsOtherBranchesAfterAFailure(t *testing.T) {
	w := begin(t, workflow(t, []string{"A>J", "B>J"}, nil), core.Settings{Failure: flow.FailureContinue})
	w.end("A", flow.TaskFailure)
	require.False(t, w.over)
	w.end("B", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowFailure, w.run.State)
	require.Empty(t, w.state("J"))
}

func TestG03_EndKillsOtherBranchesAfterAFailure(t *testing.T) {
	w := begin(t, workflow(t, []string{"A>J", "B>J"}, nil), core.Settings{Failure: flow.FailureEnd})
	w.end("A", flow.TaskFailure)
	require.Len(t, w.kills, 1)
	w.end("B", flow.TaskKill)
	require.Equal(t, flow.TaskKill, w.state("B"))
	require.Equal(t, flow.WorkflowFailure, w.run.State)
}

func TestG08_PauseLetsRunningTasksEndAndKeepsTheNextOneForResume(t *testing.T) {
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

func TestG09_StopEndsRunningQueuedAndWaitingTasks(t *testing.T) {
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

func TestW08_StopEndsARunWhoseWorkerIsGone(t *testing.T) {
	w := begin(t, workflow(t, []string{"A"}, nil), core.Settings{})
	w.place()
	w.advance(core.Stop{})
	a := w.run.Attempt(w.node("A"))
	w.advance(core.Lost{Node: a.Node, ID: a.ID, Why: "gone"})
	require.Equal(t, flow.WorkflowStop, w.run.State)
}

func TestW08_UnconfirmedKillStillEndsTheRun(t *testing.T) {
	w := begin(t, workflow(t, []string{"A"}, nil), core.Settings{})
	w.place()
	w.advance(core.Stop{})
	last := w.timers[len(w.timers)-1]
	require.Equal(t, core.AlarmUnconfirmed, last.Kind)
	w.advance(core.Alarm{Node: last.Attempt.Node, ID: last.Attempt.ID, Kind: last.Kind})
	require.Equal(t, flow.WorkflowStop, w.run.State)
}

func TestG10_RecoverFailedRunsOnlyWhatFailedAndWhatComesAfter(t *testing.T) {
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

func TestW05_LateAndRepeatedReportsChangeNothing(t *testing.T) {
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

func TestW24_TimeoutIsAFailureThatIsRetried(t *testing.T) {
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

// load forgets the run and builds it again from its rows, as a new process does, or one that gets a command for it.
func (w *world) load(settings core.Settings) {
	run, err := core.New(settings, w.run.Graph)
	require.NoError(w.t, err)
	run.State, run.RestartTime = w.run.State, w.run.RestartTime
	w.waiting, w.kills, w.timers, w.logic, w.parks = nil, nil, nil, nil, nil
	for id, a := range w.rows {
		if !a.Valid {
			continue
		}
		again := &core.Attempt{
			ID: id, Node: a.Node, State: a.State, Valid: true, Number: a.Number, Host: a.Host, VarPool: a.VarPool, Context: a.Context, Message: a.Message,
			AppLink: a.AppLink, FirstSubmit: a.FirstSubmit, Submit: a.Submit, Due: a.Due, Start: a.Start, End: a.End,
		}
		w.rows[id] = again
		run.Attach(again)
	}
	w.run = run
}

// restart is a crash of the master, and the next one that takes over.
func (w *world) restart() {
	w.load(w.run.Settings)
	w.advance(core.Adopt{})
}

// again goes on with a finished run.
func (w *world) again(command flow.CommandType) {
	w.load(w.run.Settings)
	w.over = false
	w.advance(core.Begin{Command: command, Fresh: command == flow.CommandRepeat})
}

// fire lets the earliest timer of a kind go off at its time.
func (w *world) fire(kind core.AlarmKind) {
	at := slices.IndexFunc(w.timers, func(t core.Timer) bool { return t.Kind == kind })
	require.GreaterOrEqual(w.t, at, 0, "no such timer")
	timer := w.timers[at]
	w.timers = slices.Delete(w.timers, at, at+1)
	if timer.At.After(w.now) {
		w.now = timer.At
	}
	ev := core.Alarm{Node: -1, Kind: kind}
	if timer.Attempt != nil {
		ev.Node, ev.ID = timer.Attempt.Node, timer.Attempt.ID
	}
	w.advance(ev)
}

// all lists the rows of a task in the order of their ids.
func (w *world) all(name string) []*core.Attempt {
	var out []*core.Attempt
	for _, a := range w.rows {
		if a.Node == w.node(name) {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b *core.Attempt) int { return int(a.ID - b.ID) })
	return out
}

// conditions makes a task CONDITIONS that looks for the success of a task.
func conditions(dep int64, success, failed []int64) func(*flow.Task) {
	return func(t *flow.Task) {
		t.Type = flow.TypeConditions
		t.Params, _ = json.Marshal(map[string]any{
			"dependence":      map[string]any{"relation": "AND", "dependTaskList": []any{map[string]any{"relation": "AND", "dependItemList": []any{map[string]any{"depTaskCode": dep, "status": "SUCCESS"}}}}},
			"conditionResult": map[string]any{"successNode": success, "failedNode": failed},
		})
	}
}

func typed(taskType string) func(*flow.Task) { return func(t *flow.Task) { t.Type = taskType } }

func chooses(code int64) func(int32) (core.Choice, error) {
	return func(int32) (core.Choice, error) { return core.Choice{Next: []int64{code}, Log: "1 == 1"}, nil }
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

// BenchmarkLogicRun is a run of logic tasks only: what the engine itself costs a task.
func BenchmarkLogicRun(b *testing.B) {
	const width, length = 100, 500
	def := &flow.Definition{}
	for i := range width * length {
		code := int64(i + 1)
		task := flow.Task{Code: code, Name: fmt.Sprint(i), Type: flow.TypeConditions, Flag: flow.FlagYes}
		var next []int64
		if i%length < length-1 {
			next = []int64{code + 1}
			def.Edges = append(def.Edges, flow.Edge{Pre: code, Post: code + 1})
		}
		conditions(code-1, next, next)(&task)
		def.Tasks = append(def.Tasks, task)
	}
	g, err := flow.Compile(def)
	require.NoError(b, err)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		run, err := core.New(core.Settings{}, g)
		require.NoError(b, err)
		out := run.Advance(core.Begin{Command: flow.CommandStart}, epoch)
		require.Len(b, out.Changed, width*length)
		require.Equal(b, flow.WorkflowSuccess, run.State)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*width*length), "ns/task")
}
