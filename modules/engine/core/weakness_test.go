package core_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/engine/core"
	"dorado/modules/flow"
)

// The complaints of engine.md 14 that are the core's to prevent.

func TestW01_EveryUnfinishedAttemptIsTakenUpAfterACrash(t *testing.T) {
	options := map[string]func(*flow.Task){
		"D": func(t *flow.Task) { t.DelayMinutes = 1 },
		"R": func(t *flow.Task) { t.RetryTimes, t.RetryInterval = 1, 1 },
		"L": typed(flow.TypeDependent),
	}
	w := begin(t, workflow(t, []string{"Q", "D", "R", "L", "A"}, options), core.Settings{})
	for _, a := range w.waiting {
		if a.Node == w.node("A") || a.Node == w.node("R") {
			w.advance(core.Placed{Node: a.Node, ID: a.ID, Host: "w1"})
		}
	}
	r := w.run.Attempt(w.node("R"))
	w.advance(core.Finished{Started: core.Started{Node: r.Node, ID: r.ID}, Outcome: flow.TaskFailure, End: w.now})
	w.restart()
	w.restart() // and again, before anything happened
	require.Len(t, w.waiting, 1, "the queued one")
	require.Len(t, w.logic, 1, "the logic one")
	require.Len(t, w.timers, 2, "the delayed one and the retry")
	require.Equal(t, flow.TaskDispatch, w.state("A"), "its worker will tell")
	w.fire(core.AlarmDue)
	w.fire(core.AlarmDue)
	for _, name := range []string{"Q", "D", "R", "L", "A"} {
		w.end(name, flow.TaskSuccess)
	}
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
}

func TestW03_TheNextAttemptKnowsTheRemoteWorkOfTheLostOne(t *testing.T) {
	w := begin(t, workflow(t, []string{"A"}, nil), core.Settings{})
	w.place()
	a := w.run.Attempt(w.node("A"))
	a.AppLink = "application_1_2"
	w.advance(core.Lost{Node: a.Node, ID: a.ID, Why: "gone"})
	next := w.run.Attempt(w.node("A"))
	require.NotEqual(t, a.ID, next.ID)
	require.Equal(t, "application_1_2", next.AppLink)
	require.Zero(t, next.Number, "it consumes no retry")
	require.Equal(t, []flow.AlertType{flow.AlertTolerance}, w.alerts)
}

func TestW08_StopEndsEveryKindOfWaiting(t *testing.T) {
	for name, tc := range map[string]struct {
		option func(*flow.Task)
		before func(w *world)
		ends   flow.TaskState // what the shell answers; "" when nothing is to be answered
	}{
		"queued":      {nil, nil, ""},
		"delayed":     {func(t *flow.Task) { t.DelayMinutes = 5 }, nil, ""},
		"retry":       {func(t *flow.Task) { t.RetryTimes, t.RetryInterval = 1, 5 }, func(w *world) { w.end("A", flow.TaskFailure) }, ""},
		"dispatched":  {nil, func(w *world) { w.place() }, flow.TaskKill},
		"fails":       {nil, func(w *world) { w.place() }, flow.TaskFailure},
		"sub":         {typed(flow.TypeSubWorkflow), nil, flow.TaskKill},
		"sub paused":  {typed(flow.TypeSubWorkflow), nil, flow.TaskPause},
		"dependent":   {typed(flow.TypeDependent), nil, flow.TaskKill},
		"approval":    {typed(flow.TypeApproval), nil, flow.TaskKill},
		"foreach":     {typed(flow.TypeForEach), nil, flow.TaskKill},
		"dynamic":     {typed(flow.TypeDynamic), nil, flow.TaskKill},
		"delayed sub": {func(t *flow.Task) { t.Type, t.DelayMinutes = flow.TypeSubWorkflow, 5 }, nil, ""},
	} {
		for _, crash := range []bool{false, true} {
			for _, pausing := range []bool{false, true} {
				options := map[string]func(*flow.Task){}
				if tc.option != nil {
					options["A"] = tc.option
				}
				w := begin(t, workflow(t, []string{"A>B"}, options), core.Settings{})
				if tc.before != nil {
					tc.before(w)
				}
				if pausing {
					w.advance(core.Pause{})
				}
				if w.over { // the pause alone was enough
					require.Equal(t, flow.WorkflowPause, w.run.State, name)
					continue
				}
				w.advance(core.Stop{})
				if crash && !w.over {
					w.restart()
				}
				if tc.ends != "" {
					require.NotEmpty(t, w.kills, name)
					w.end("A", tc.ends)
				}
				require.Equal(t, flow.WorkflowStop, w.run.State, name)
				require.Equal(t, flow.TaskKill, w.state("A"), name)
				require.Empty(t, w.state("B"), name)
			}
		}
	}
}

func TestW15_AStartNodeThatIsNotThereIsAnErrorAtOnce(t *testing.T) {
	_, err := core.New(core.Settings{StartNodes: []int64{99}}, workflow(t, []string{"A"}, nil))
	require.ErrorContains(t, err, "99")
}

func TestW16_JoinsBehindBranchesRunWhenALiveWayLeadsThere(t *testing.T) {
	// C chooses S; F and what only F leads to is skipped; J joins S's branch with F's; K joins F with an ordinary task
	edges := []string{"A>C", "C>S", "C>F", "S>J", "F>J", "F>K", "A>X", "X>K", "F>L", "L>M"}
	g := workflow(t, edges, map[string]func(*flow.Task){"C": conditions(1, []int64{3}, []int64{4})})
	w := begin(t, g, core.Settings{})
	w.end("A", flow.TaskSuccess)
	w.end("S", flow.TaskSuccess)
	w.end("J", flow.TaskSuccess)
	require.Empty(t, w.state("K"), "X is not done")
	w.end("X", flow.TaskSuccess)
	w.end("K", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
	for _, name := range []string{"F", "L", "M"} {
		require.Empty(t, w.state(name))
	}
}

func TestW16_OverlappingBranchesOfTwoSwitches(t *testing.T) {
	// S 1 and T 2 choose among P, Q, R; Q is in both
	graph := workflow(t, []string{"S", "T", "S>P", "S>Q", "T>Q", "T>R"}, map[string]func(*flow.Task){"S": typed(flow.TypeSwitch), "T": typed(flow.TypeSwitch)})
	code := func(name string) int64 {
		for _, task := range graph.Tasks {
			if task.Name == name {
				return task.Code
			}
		}
		return 0
	}
	for _, tc := range []struct{ s, t, runs string }{{"P", "R", "PR"}, {"Q", "R", "QR"}, {"P", "Q", "PQ"}, {"Q", "Q", "Q"}} {
		w := begin(t, graph, core.Settings{Choose: func(n int32) (core.Choice, error) {
			return core.Choice{Next: []int64{code(map[string]string{"S": tc.s, "T": tc.t}[graph.Tasks[n].Name])}}, nil
		}})
		got := ""
		for _, name := range []string{"P", "Q", "R"} {
			if w.state(name) != "" {
				got += name
				w.end(name, flow.TaskSuccess)
			}
		}
		require.Equal(t, tc.runs, got)
		require.Equal(t, flow.WorkflowSuccess, w.run.State)
	}
}

func TestW16_ASwitchThatChoosesNothingOrSomethingElseFails(t *testing.T) {
	graph := workflow(t, []string{"S>P", "P>Q"}, map[string]func(*flow.Task){"S": typed(flow.TypeSwitch)})
	for _, choose := range []func(int32) (core.Choice, error){
		nil,
		chooses(3), // not a direct successor
		chooses(99),
		func(int32) (core.Choice, error) { return core.Choice{}, flow.ErrNoBranch },
	} {
		w := begin(t, graph, core.Settings{Choose: choose})
		require.Equal(t, flow.TaskFailure, w.state("S"))
		require.NotEmpty(t, w.run.Attempt(w.node("S")).Message)
		require.Empty(t, w.state("P"))
		require.Equal(t, flow.WorkflowFailure, w.run.State)
	}
}

func TestW16_AChoiceIsRememberedAcrossACrashAndARecovery(t *testing.T) {
	calls := 0
	graph := workflow(t, []string{"S>P", "S>Q", "P>Z"}, map[string]func(*flow.Task){"S": typed(flow.TypeSwitch)})
	w := begin(t, graph, core.Settings{Choose: func(int32) (core.Choice, error) {
		calls++
		return core.Choice{Next: []int64{2}, Log: "first\n\"line\""}, nil
	}})
	w.restart()
	w.end("P", flow.TaskFailure)
	w.again(flow.CommandRecoverFailed)
	w.end("P", flow.TaskSuccess)
	w.end("Z", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
	require.Equal(t, 1, calls)
	require.JSONEq(t, `{"next":[2],"log":"first\n\"line\""}`, w.run.Attempt(w.node("S")).Context)
	require.Empty(t, w.state("Q"))
}

func TestW16_ForbiddenBranchesLeaveAllWaysOpen(t *testing.T) {
	forbid := func(t *flow.Task) { t.Type, t.Flag = flow.TypeSwitch, flow.FlagNo }
	w := begin(t, workflow(t, []string{"S>P", "S>Q"}, map[string]func(*flow.Task){"S": forbid}), core.Settings{})
	w.end("P", flow.TaskSuccess)
	w.end("Q", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
}

func TestAStreamingTaskIsStartedByItselfAndNotAgain(t *testing.T) {
	stream := func(t *flow.Task) { t.ExecuteType, t.RetryTimes, t.Flag = flow.Stream, 3, flow.FlagNo }
	g := workflow(t, []string{"A>S", "S>B"}, map[string]func(*flow.Task){"S": stream})
	w := begin(t, g, core.Settings{Stream: true, StartNodes: []int64{2}, Depend: flow.TaskOnly})
	w.place()
	require.Len(t, w.rows, 1, "neither what is before it nor what is behind it")
	w.end("S", flow.TaskFailure)
	require.Equal(t, flow.WorkflowFailure, w.run.State)
	require.Len(t, w.rows, 1)
}

func TestW17_AFailedTaskIsAFailedWorkflow(t *testing.T) {
	forbid := func(t *flow.Task) { t.Flag = flow.FlagNo }
	stream := func(t *flow.Task) { t.ExecuteType = flow.Stream }
	for name, tc := range map[string]struct {
		edges   []string
		options map[string]func(*flow.Task)
	}{
		"forbidden tail":              {[]string{"A>B"}, map[string]func(*flow.Task){"B": forbid}},
		"stream tail":                 {[]string{"A>B"}, map[string]func(*flow.Task){"B": stream}},
		"forbidden conditions":        {[]string{"A>B"}, map[string]func(*flow.Task){"B": func(t *flow.Task) { conditions(1, nil, nil)(t); forbid(t) }}},
		"conditions behind forbidden": {[]string{"A>B", "B>C"}, map[string]func(*flow.Task){"B": forbid, "C": conditions(1, nil, nil)}},
	} {
		for _, strategy := range []flow.FailureStrategy{flow.FailureEnd, flow.FailureContinue} {
			w := begin(t, workflow(t, tc.edges, tc.options), core.Settings{Failure: strategy})
			w.end("A", flow.TaskFailure)
			require.Equal(t, flow.WorkflowFailure, w.run.State, "%s %s", name, strategy)
		}
	}
	w := begin(t, workflow(t, []string{"A"}, nil), core.Settings{})
	a := w.waiting[0]
	w.advance(core.Unplaceable{Node: a.Node, ID: a.ID, Why: "bad parameters"})
	require.Equal(t, flow.WorkflowFailure, w.run.State, "an attempt that cannot be submitted")
}

func TestW17_AllForbiddenIsASuccess(t *testing.T) {
	forbid := func(t *flow.Task) { t.Flag = flow.FlagNo }
	w := begin(t, workflow(t, []string{"A>B"}, map[string]func(*flow.Task){"A": forbid, "B": forbid}), core.Settings{})
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
}

func TestW17_EndKeepsRunningWhenTheFailureIsHandled(t *testing.T) {
	g := workflow(t, []string{"A>C", "C>S", "C>F", "B"}, map[string]func(*flow.Task){"C": conditions(1, []int64{3}, []int64{4})})
	w := begin(t, g, core.Settings{Failure: flow.FailureEnd})
	w.end("A", flow.TaskFailure)
	require.Empty(t, w.kills)
	w.end("F", flow.TaskSuccess)
	w.end("B", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
}

func TestW22_OnlySuccessGivesOutValues(t *testing.T) {
	w := begin(t, workflow(t, []string{"A"}, nil), core.Settings{})
	w.place()
	a := w.run.Attempt(w.node("A"))
	w.advance(core.Finished{
		Started: core.Started{Node: a.Node, ID: a.ID}, Outcome: flow.TaskFailure, End: w.now, VarPool: []flow.Property{{Prop: "k", Direct: flow.Out, Value: "v"}},
	})
	require.Empty(t, a.VarPool)
}

func limited(taskType string, strategy flow.TimeoutStrategy) func(*flow.Task) {
	return func(t *flow.Task) {
		t.Type, t.TimeoutFlag, t.TimeoutStrategy, t.TimeoutMinutes, t.RetryTimes = taskType, flow.TimeoutOpen, strategy, 1, 1
	}
}

func TestW24_TimeoutsWarnAndKillAsTheirStrategySays(t *testing.T) {
	for _, taskType := range []string{"SHELL", flow.TypeDependent, flow.TypeSubWorkflow, flow.TypeApproval} {
		for _, strategy := range []flow.TimeoutStrategy{flow.TimeoutWarn, flow.TimeoutFailed, flow.TimeoutWarnFailed} {
			for _, crash := range []bool{false, true} {
				w := begin(t, workflow(t, []string{"A"}, map[string]func(*flow.Task){"A": limited(taskType, strategy)}), core.Settings{})
				w.place()
				a := w.run.Attempt(w.node("A"))
				if taskType == "SHELL" {
					w.advance(core.Started{Node: a.Node, ID: a.ID, At: w.now})
				}
				if crash {
					w.now = w.now.Add(30 * time.Second)
					w.restart()
				}
				if strategy.Warns() {
					w.fire(core.AlarmWarn)
					require.Equal(t, epoch.Add(time.Minute), w.now)
				}
				if !strategy.Kills() {
					require.Empty(t, w.kills)
					w.end("A", flow.TaskSuccess)
					require.Equal(t, []flow.AlertType{flow.AlertTaskTime}, w.alerts, "once")
					require.Equal(t, flow.WorkflowSuccess, w.run.State)
					continue
				}
				w.fire(core.AlarmTimeout)
				require.Len(t, w.kills, 1)
				if crash { // after the kill was asked for, too: what the worker answers then is still a timeout
					w.restart()
				}
				w.end("A", flow.TaskKill)
				require.Equal(t, flow.TaskFailure, w.all("A")[0].State, "a timeout is a failure")
				require.Equal(t, "timeout", w.rows[a.ID].Message)
				w.end("A", flow.TaskSuccess)
				require.Equal(t, flow.WorkflowSuccess, w.run.State, "that is retried")
			}
		}
	}
}

func TestW24_ATimeoutThatTheWorkerNoticedFirstStillWarns(t *testing.T) {
	w := begin(t, workflow(t, []string{"A"}, map[string]func(*flow.Task){"A": limited("SHELL", flow.TimeoutWarnFailed)}), core.Settings{})
	w.place()
	a := w.run.Attempt(w.node("A"))
	w.advance(core.Started{Node: a.Node, ID: a.ID, At: w.now})
	w.now = w.now.Add(time.Minute)
	w.advance(core.Finished{Started: core.Started{Node: a.Node, ID: a.ID}, Outcome: flow.TaskFailure, End: w.now, Message: "timeout"})
	require.Equal(t, []flow.AlertType{flow.AlertTaskTime}, w.alerts)
}

func TestW24_QueueTimeIsNotCountedAndDelaysSurviveACrash(t *testing.T) {
	delay := func(t *flow.Task) { limited("SHELL", flow.TimeoutFailed)(t); t.DelayMinutes = 3 }
	w := begin(t, workflow(t, []string{"A"}, map[string]func(*flow.Task){"A": delay}), core.Settings{})
	require.Equal(t, flow.TaskDelay, w.state("A"))
	w.now = w.now.Add(time.Minute)
	w.restart()
	w.fire(core.AlarmDue)
	require.Equal(t, epoch.Add(3*time.Minute), w.now)
	require.Len(t, w.waiting, 1)
	w.place()
	require.Empty(t, w.timers, "nothing runs out before it runs")
}

func TestW25_ARecoveredSubWorkflowKeepsItsRowAndItsRun(t *testing.T) {
	options := map[string]func(*flow.Task){"S": typed(flow.TypeSubWorkflow), "P": typed(flow.TypeSubProcess)}
	for _, end := range []flow.TaskState{flow.TaskFailure, flow.TaskKill, flow.TaskPause} {
		w := begin(t, workflow(t, []string{"S>A", "P"}, options), core.Settings{Failure: flow.FailureContinue})
		require.Len(t, w.logic, 2)
		s := w.run.Attempt(w.node("S"))
		require.Equal(t, flow.TaskRunning, s.State)
		require.Equal(t, w.now, s.Start)
		w.advance(core.Noted{Node: s.Node, ID: s.ID, Context: `{"child":5}`})
		w.restart()
		require.Equal(t, `{"child":5}`, w.run.Attempt(w.node("S")).Context)
		require.Len(t, w.logic, 2, "taken up, not begun again")
		w.end("P", flow.TaskSuccess)
		w.end("S", end)
		require.Equal(t, map[flow.TaskState]flow.WorkflowState{
			flow.TaskFailure: flow.WorkflowFailure, flow.TaskKill: flow.WorkflowStop, flow.TaskPause: flow.WorkflowPause,
		}[end], w.run.State)
		w.now = w.now.Add(time.Hour)
		w.again(flow.CommandResume)
		require.Len(t, w.logic, 1)
		require.Equal(t, s.ID, w.logic[0].ID, "the same row")
		require.Equal(t, `{"child":5}`, w.logic[0].Context, "with the same run")
		require.Equal(t, w.now, w.logic[0].Start, "begun after that run ended")
		w.end("S", flow.TaskSuccess)
		w.end("A", flow.TaskSuccess)
		require.Equal(t, flow.WorkflowSuccess, w.run.State)
		w.again(flow.CommandRepeat)
		require.Empty(t, w.run.Attempt(w.node("S")).Context, "a repeated run starts a new one")
	}
}

func TestW25_ARetriedSubWorkflowContinuesItsRun(t *testing.T) {
	retry := func(t *flow.Task) { t.Type, t.RetryTimes = flow.TypeSubWorkflow, 1 }
	w := begin(t, workflow(t, []string{"S"}, map[string]func(*flow.Task){"S": retry}), core.Settings{})
	s := w.run.Attempt(w.node("S"))
	w.advance(core.Noted{Node: s.Node, ID: s.ID, Context: "5"})
	w.end("S", flow.TaskFailure)
	next := w.run.Attempt(w.node("S"))
	require.NotEqual(t, s.ID, next.ID)
	require.Equal(t, "5", next.Context)
	w.end("S", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
}

func TestW25_APauseReachesLogicTasks(t *testing.T) {
	g := workflow(t, []string{"S", "D"}, map[string]func(*flow.Task){"S": typed(flow.TypeSubWorkflow), "D": typed(flow.TypeDependent)})
	w := begin(t, g, core.Settings{})
	d := w.run.Attempt(w.node("D"))
	w.advance(core.Noted{Node: d.Node, ID: d.ID, Context: "base"})
	w.advance(core.Pause{})
	require.Len(t, w.parks, 2)
	w.restart()
	require.Len(t, w.parks, 2, "asked again")
	w.end("S", flow.TaskPause)
	w.end("D", flow.TaskPause)
	require.Equal(t, flow.WorkflowPause, w.run.State)
	w.again(flow.CommandResume)
	require.Equal(t, d.ID, w.run.Attempt(w.node("D")).ID)
	require.Empty(t, w.run.Attempt(w.node("D")).Context, "it is evaluated from scratch")
}

func TestW26_RecoveryContinuesBehindAForcedSuccess(t *testing.T) {
	w := begin(t, workflow(t, []string{"A>B", "B>C"}, nil), core.Settings{})
	w.end("A", flow.TaskSuccess)
	w.end("B", flow.TaskFailure)
	b := w.run.Attempt(w.node("B"))
	b.State = flow.TaskForcedSuccess
	w.again(flow.CommandRecoverFailed)
	require.Equal(t, b.ID, w.run.Attempt(w.node("B")).ID, "not run again")
	w.end("C", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
}

func TestW26_ConditionsTakeAForcedSuccessForASuccess(t *testing.T) {
	g := workflow(t, []string{"A>C", "C>S", "C>F", "X>C"}, map[string]func(*flow.Task){"C": conditions(1, []int64{3}, []int64{4})})
	w := begin(t, g, core.Settings{Failure: flow.FailureContinue})
	w.end("A", flow.TaskFailure)
	w.place()
	w.advance(core.Stop{})
	w.end("X", flow.TaskKill)
	require.Equal(t, flow.WorkflowStop, w.run.State)
	w.run.Attempt(w.node("A")).State = flow.TaskForcedSuccess
	w.again(flow.CommandRecoverFailed)
	w.end("X", flow.TaskSuccess)
	require.Equal(t, flow.TaskSuccess, w.state("C"))
	w.end("S", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowSuccess, w.run.State)
	require.Empty(t, w.state("F"))
}

func TestAKilledTaskIsNotRetriedAndStopsWhatFollows(t *testing.T) {
	retry := func(t *flow.Task) { t.RetryTimes = 3 }
	w := begin(t, workflow(t, []string{"A>B", "X"}, map[string]func(*flow.Task){"A": retry}), core.Settings{Failure: flow.FailureEnd})
	w.place()
	a := w.run.Attempt(w.node("A"))
	w.advance(core.KillTask{Node: a.Node, ID: a.ID})
	require.Len(t, w.kills, 1)
	w.restart()
	require.Len(t, w.kills, 1, "the wish survives")
	w.end("A", flow.TaskFailure)
	require.Equal(t, flow.TaskKill, w.state("A"))
	w.end("X", flow.TaskSuccess)
	require.Equal(t, flow.WorkflowStop, w.run.State)
	require.Empty(t, w.state("B"))
}
