package core_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/engine/core"
	"dorado/modules/flow"
)

// The scenarios of engine.md 15, as far as the core alone decides them. Codes are given in the order in which names
// appear: the first is 1.

func TestG04_AHandledFailureRunsTheFailedBranch(t *testing.T) {
	for _, strategy := range []flow.FailureStrategy{flow.FailureEnd, flow.FailureContinue} {
		g := workflow(t, []string{"A>C", "C>S", "C>F"}, map[string]func(*flow.Task){"C": conditions(1, []int64{3}, []int64{4})})
		w := begin(t, g, core.Settings{Failure: strategy})
		w.end("A", flow.TaskFailure)
		require.Equal(t, flow.TaskSuccess, w.state("C"))
		require.Empty(t, w.state("S"))
		w.end("F", flow.TaskSuccess)
		require.Equal(t, flow.WorkflowSuccess, w.run.State, strategy)
		require.Equal(t, flow.TaskFailure, w.state("A"))
	}
}

func TestG05_AFailureWithAnOrdinarySuccessorCounts(t *testing.T) {
	g := workflow(t, []string{"A>C", "C>S", "C>F", "A>X"}, map[string]func(*flow.Task){"C": conditions(1, []int64{3}, []int64{4})})
	w := begin(t, g, core.Settings{Failure: flow.FailureContinue})
	w.end("A", flow.TaskFailure)
	w.end("F", flow.TaskSuccess)
	require.Empty(t, w.state("X"))
	require.Empty(t, w.state("S"))
	require.Equal(t, flow.WorkflowFailure, w.run.State)
}

func TestG06_ANodeBehindTheChosenAndOfTheOtherBranchRuns(t *testing.T) {
	graph := func() *flow.Graph { // S 1, P 2, Q 3
		return workflow(t, []string{"S>P", "S>Q", "P>Q"}, map[string]func(*flow.Task){"S": typed(flow.TypeSwitch)})
	}
	w := begin(t, graph(), core.Settings{Choose: chooses(2)})
	require.Empty(t, w.state("Q"), "Q waits for P")
	w.end("P", flow.TaskSuccess)
	w.end("Q", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowSuccess, w.run.State)

	w = begin(t, graph(), core.Settings{Choose: chooses(3)})
	require.Empty(t, w.state("P"))
	w.end("Q", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
	require.Empty(t, w.state("P"))
}

func TestG07_ARetryKeepsItsTimeWhenTheMasterDies(t *testing.T) {
	retry := func(t *flow.Task) { t.RetryTimes, t.RetryInterval = 2, 1 }
	w := begin(t, workflow(t, []string{"A"}, map[string]func(*flow.Task){"A": retry}), core.Settings{})
	w.end("A", flow.TaskFailure)
	w.fire(core.AlarmDue)
	w.now = w.now.Add(10 * time.Second)
	w.end("A", flow.TaskFailure)
	ended := w.now
	w.now = w.now.Add(20 * time.Second)
	w.restart()
	require.Empty(t, w.waiting)
	w.fire(core.AlarmDue)
	require.Equal(t, ended.Add(time.Minute), w.now)
	w.end("A", flow.TaskFailure)
	rows := w.all("A")
	require.Len(t, rows, 3)
	require.Equal(t, []bool{false, false, true}, []bool{rows[0].Valid, rows[1].Valid, rows[2].Valid})
	require.Equal(t, flow.WorkflowFailure, w.run.State)
}

func TestG10_OutValuesOfKeptTasksReachTheRecoveredOnes(t *testing.T) {
	w := begin(t, workflow(t, []string{"A>B"}, nil), core.Settings{})
	w.place()
	out := []flow.Property{{Prop: "k", Direct: flow.Out, Value: "v"}}
	a := w.run.Attempt(w.node("A"))
	w.advance(core.Finished{Started: core.Started{Node: a.Node, ID: a.ID, At: w.now}, Outcome: flow.TaskSuccess, End: w.now, VarPool: out})
	w.end("B", flow.TaskFailure)
	w.again(flow.CommandRecoverFailed)
	pool := flow.MergeUpstream(w.run.Graph, w.node("B"), func(n int32) ([]flow.Property, time.Time, bool) {
		a := w.run.Attempt(n)
		return a.VarPool, a.End, a.State.Succeeded()
	})
	require.Equal(t, "v", pool.Entries()[0].Value)
}

func TestG11_RepeatRunsEverythingAgainWithItsOwnDate(t *testing.T) {
	w := begin(t, workflow(t, []string{"A>B"}, nil), core.Settings{InstanceID: 7, Command: flow.CommandSchedule})
	w.end("A", flow.TaskSuccess)
	w.end("B", flow.TaskSuccess)
	w.now = w.now.Add(7 * 24 * time.Hour)
	w.again(flow.CommandRepeat)
	require.Equal(t, int64(7), w.run.InstanceID)
	require.Empty(t, w.state("B"))
	w.end("A", flow.TaskSuccess)
	w.end("B", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
	require.Len(t, w.all("A"), 2)
	require.False(t, w.all("A")[0].Valid)
	params, err := flow.Resolve(flow.ParamSources{Local: []flow.Property{{Prop: "day", Value: "$[yyyyMMdd]"}}, Base: epoch, Scheduled: true})
	require.NoError(t, err)
	require.Equal(t, "20260301", params.Values["day"])
}

func TestG16_AFailedAttemptWithRetriesLeftIsNoFailureOfTheTask(t *testing.T) {
	retry := func(t *flow.Task) { t.RetryTimes, t.RetryInterval = 1, 5 }
	w := begin(t, workflow(t, []string{"A"}, map[string]func(*flow.Task){"A": retry}), core.Settings{})
	w.end("A", flow.TaskFailure)
	require.False(t, w.state("A").Finished(), "whoever depends on it waits")
	require.False(t, w.run.State.Finished())
}

func TestG17_ADispatchedAttemptIsNotSentTwiceWhenTheMasterDies(t *testing.T) {
	w := begin(t, workflow(t, []string{"A"}, nil), core.Settings{})
	w.place()
	w.restart()
	require.Empty(t, w.waiting, "its worker is asked first")
	a := w.run.Attempt(w.node("A"))
	w.advance(core.Refused{Node: a.Node, ID: a.ID, Why: "the worker did not receive it"})
	require.Len(t, w.waiting, 1)
	w.end("A", flow.TaskSuccess)
	require.Len(t, w.rows, 1, "under the same id")
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
}

func TestG20_TheJoinOfTwoBranchesSeesOneValueWhateverTheOrder(t *testing.T) {
	out := func(v string) []flow.Property { return []flow.Property{{Prop: "k", Direct: flow.Out, Value: v}} }
	for _, later := range []string{"A", "B"} {
		for _, swap := range []bool{false, true} {
			end := map[string]time.Time{"A": epoch, "B": epoch}
			end[later] = epoch.Add(time.Second)
			a, b := flow.Pool{}.Emit(1, end["A"], out("A")), flow.Pool{}.Emit(2, end["B"], out("B"))
			if swap {
				a, b = b, a
			}
			require.Equal(t, later, flow.Inherit(a, b).Entries()[0].Value)
		}
	}
	same := flow.Inherit(flow.Pool{}.Emit(1, epoch, out("A")), flow.Pool{}.Emit(2, epoch, out("B")))
	require.Equal(t, "B", same.Entries()[0].Value, "the greater code")
	empty := flow.Inherit(flow.Pool{}.Emit(1, epoch, out("A")), flow.Pool{}.Emit(2, epoch.Add(time.Hour), out("")))
	require.Equal(t, "A", empty.Entries()[0].Value, "a value before none")
}

func TestG24_AGraphOf5000NodesAnd20000EdgesCompletes(t *testing.T) {
	def := &flow.Definition{}
	for i := range 5000 {
		def.Tasks = append(def.Tasks, flow.Task{Code: int64(i + 1), Name: fmt.Sprint(i), Flag: flow.FlagYes})
		for _, back := range []int{1, 7, 50, 400} {
			if i >= back {
				def.Edges = append(def.Edges, flow.Edge{Pre: int64(i + 1 - back), Post: int64(i + 1)})
			}
		}
	}
	g, err := flow.Compile(def)
	require.NoError(t, err)
	run, err := core.New(core.Settings{}, g)
	require.NoError(t, err)
	ready, id := run.Advance(core.Begin{Command: flow.CommandStart}, epoch).Ready, int64(0)
	done := 0
	for ; len(ready) > 0; done++ {
		a := ready[0]
		id++
		a.ID = id
		run.Advance(core.Placed{Node: a.Node, ID: id, Host: "w"}, epoch)
		ready = append(ready[1:], run.Advance(core.Finished{Started: core.Started{Node: a.Node, ID: id}, Outcome: flow.TaskSuccess}, epoch).Ready...)
	}
	require.Equal(t, 5000, done)
	require.Equal(t, flow.WorkflowSuccess, run.State)
}

func TestExecuteTaskRunsItsPartAndCountsTheRest(t *testing.T) {
	w := begin(t, workflow(t, []string{"A>B", "B>C", "D"}, nil), core.Settings{Failure: flow.FailureContinue})
	w.end("A", flow.TaskSuccess)
	w.end("B", flow.TaskFailure)
	w.end("D", flow.TaskFailure)
	require.Equal(t, flow.WorkflowFailure, w.run.State)
	execute := func(name string, depend flow.TaskDependType) {
		s := w.run.Settings
		s.Command, s.ExecuteNodes, s.ExecuteDepend = flow.CommandExecuteTask, []int64{w.run.Graph.Tasks[w.node(name)].Code}, depend
		w.load(s)
		w.over = false
		w.advance(core.Execute{Nodes: s.ExecuteNodes, Depend: depend})
	}
	execute("B", flow.TaskPost)
	w.restart() // the cut survives
	require.Equal(t, flow.WorkflowRunning, w.run.State)
	w.end("B", flow.TaskSuccess)
	w.end("C", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowFailure, w.run.State, "D failed and still counts")
	execute("D", flow.TaskOnly)
	w.end("D", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
	require.Len(t, w.all("A"), 1)
	require.Len(t, w.all("B"), 2)
}

func finally(t *flow.Task) { t.Finally = true }

func TestFinallyTasksRunWhateverHappened(t *testing.T) {
	for name, tc := range map[string]struct {
		do   func(w *world)
		want flow.WorkflowState
	}{
		"success": {func(w *world) { w.end("A", flow.TaskSuccess); w.end("B", flow.TaskSuccess) }, flow.WorkflowSuccess},
		"failure": {func(w *world) { w.end("A", flow.TaskFailure) }, flow.WorkflowFailure},
		"stop":    {func(w *world) { w.place(); w.advance(core.Stop{}); w.end("A", flow.TaskKill) }, flow.WorkflowStop},
	} {
		g := workflow(t, []string{"A>B", "F>G"}, map[string]func(*flow.Task){"F": finally, "G": finally})
		w := begin(t, g, core.Settings{Failure: flow.FailureEnd})
		require.Empty(t, w.state("F"), name)
		tc.do(w)
		require.False(t, w.over, name)
		require.Equal(t, flow.TaskSubmitted, w.state("F"), name)
		require.Empty(t, w.state("G"), name)
		w.restart()
		w.end("F", flow.TaskSuccess)
		w.end("G", flow.TaskSuccess)
		require.Equal(t, tc.want, w.run.State, name)
	}
}

func TestFinallyTasksCountAndCanBeStoppedAndPaused(t *testing.T) {
	graph := func() *flow.Graph {
		return workflow(t, []string{"A", "F"}, map[string]func(*flow.Task){"F": finally})
	}
	w := begin(t, graph(), core.Settings{})
	w.end("A", flow.TaskSuccess)
	w.end("F", flow.TaskFailure)
	require.Equal(t, flow.WorkflowFailure, w.run.State)

	w = begin(t, graph(), core.Settings{})
	w.place()
	w.advance(core.Stop{})
	w.end("A", flow.TaskKill)
	w.place()
	w.advance(core.Stop{})
	require.Len(t, w.kills, 2, "a stop while they run is meant for them")
	w.end("F", flow.TaskKill)
	require.Equal(t, flow.WorkflowStop, w.run.State)

	w = begin(t, workflow(t, []string{"A>B", "F"}, map[string]func(*flow.Task){"F": finally}), core.Settings{})
	w.place()
	w.advance(core.Pause{})
	w.end("A", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowPause, w.run.State)
	require.Empty(t, w.state("F"), "not after a pause")
	w.again(flow.CommandResume)
	w.end("B", flow.TaskSuccess)
	w.end("F", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
}

func TestPeopleAreToldOfTheEndAsTheyWish(t *testing.T) {
	for _, tc := range []struct {
		s    core.Settings
		end  flow.TaskState
		want []flow.AlertType
	}{
		{core.Settings{Warning: flow.WarningAll}, flow.TaskSuccess, []flow.AlertType{flow.AlertSuccess}},
		{core.Settings{Warning: flow.WarningAll}, flow.TaskFailure, []flow.AlertType{flow.AlertFailure}},
		{core.Settings{Warning: flow.WarningSuccess}, flow.TaskFailure, nil},
		{core.Settings{Warning: flow.WarningFailure}, flow.TaskFailure, []flow.AlertType{flow.AlertFailure}},
		{core.Settings{Warning: flow.WarningAll, IsSub: true}, flow.TaskSuccess, nil},
		{core.Settings{}, flow.TaskFailure, nil},
	} {
		w := begin(t, workflow(t, []string{"A"}, nil), tc.s)
		w.end("A", tc.end)
		require.Equal(t, tc.want, w.alerts, "%+v", tc)
	}
}

func TestARunThatTakesTooLongIsToldOnce(t *testing.T) {
	s := core.Settings{Timeout: time.Hour, Deadline: epoch.Add(30 * time.Minute), Command: flow.CommandStart}
	w := begin(t, workflow(t, []string{"A"}, nil), s)
	w.place()
	w.fire(core.AlarmDeadline)
	w.fire(core.AlarmRunTimeout)
	require.Equal(t, epoch.Add(time.Hour), w.now)
	w.advance(core.Alarm{Node: -1, Kind: core.AlarmRunTimeout})
	require.Equal(t, []flow.AlertType{flow.AlertDeadline, flow.AlertTimeout}, w.alerts)
	require.Equal(t, flow.TaskDispatch, w.state("A"), "it only tells")
	w.end("A", flow.TaskSuccess)
	w.advance(core.Alarm{Node: -1, Kind: core.AlarmDeadline})
	require.Len(t, w.alerts, 2, "nothing after the end")
	w.again(flow.CommandRepeat)
	for _, timer := range w.timers {
		require.NotEqual(t, core.AlarmDeadline, timer.Kind, "a deadline that is over is no news when the run is repeated")
	}
}

func TestACachedResultNeedsNoWorker(t *testing.T) {
	w := begin(t, workflow(t, []string{"A>B"}, nil), core.Settings{})
	a := w.waiting[0]
	w.waiting = nil
	w.advance(core.Cached{Node: a.Node, ID: a.ID, Key: "k", VarPool: []flow.Property{{Prop: "x", Value: "1"}}})
	require.Equal(t, flow.TaskSuccess, w.state("A"))
	require.Equal(t, "k", a.CacheKey)
	require.Len(t, a.VarPool, 1)
	w.end("B", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
}

func TestADryRunNeitherWaitsForOthersNorAsksPeople(t *testing.T) {
	g := workflow(t, []string{"D>P", "P>A"}, map[string]func(*flow.Task){"D": typed(flow.TypeDependent), "P": typed(flow.TypeApproval)})
	w := begin(t, g, core.Settings{DryRun: true})
	require.Equal(t, flow.TaskSuccess, w.state("P"))
	require.Empty(t, w.logic)
	w.end("A", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
}
