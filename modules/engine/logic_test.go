package engine_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

func subWorkflow(name string, child *flow.Definition, change ...func(*flow.Task)) flow.Task {
	return task(name, "SUB_WORKFLOW", map[string]any{
		"workflowDefinitionCode": child.Code,
		"localParams":            []flow.Property{{Prop: "own", Direct: flow.In, Type: flow.Varchar, Value: "${g}-local"}},
	}, change...)
}

func outs(t *testing.T, a attempt) map[string]string {
	t.Helper()
	var pool []flow.Property
	require.NoError(t, json.Unmarshal([]byte(a.VarPool), &pool))
	out := map[string]string{}
	for _, p := range pool {
		out[p.Prop] = p.Value
	}
	return out
}

func TestW25_ASubWorkflowHandsParametersDownAndUpAndSurvivesARestart(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		child := f.define(flow.Parallel, []flow.Task{shell("inner", func(t *flow.Task) {
			t.Params = []byte(`{"rawScript":"x","localParams":[{"prop":"o","direct":"OUT","type":"VARCHAR","value":""}]}`)
		})})
		parent := f.define(flow.Parallel, []flow.Task{shell("before"), subWorkflow("sub", child), shell("after")}, "before>sub", "sub>after")
		id := f.run(parent, run{
			globals: []flow.Property{{Prop: "g", Type: flow.Varchar, Value: "global"}, {Prop: "s", Type: flow.Varchar, Value: "global"}},
			params:  []flow.Property{{Prop: "s", Type: flow.Varchar, Value: "start"}},
		})
		w.finish(w.wait(t, 1), doradov1.Outcome_SUCCEEDED, &doradov1.Param{Name: "up", Value: "from before", Direct: "OUT"})
		inner := w.wait(t, 2)
		for name, want := range map[string]string{"g": "global", "s": "start", "up": "from before", "own": "global-local"} {
			require.Equal(t, want, param(inner, name), name)
		}
		require.Equal(t, "RUNNING_EXECUTION", f.attempt(id, "sub").State)

		f.stop()
		f.start()
		w = f.worker("w1", 10, &doradov1.HeldAttempt{Id: inner.GetId(), WorkflowInstanceId: inner.GetWorkflowInstanceId()})
		w.hold = true
		require.Len(t, f.children(id), 1, "the child is not started again")
		w.finish(inner, doradov1.Outcome_SUCCEEDED, &doradov1.Param{Name: "o", Value: "inside", Direct: "OUT"})
		f.waitTask(id, "sub", flow.TaskSuccess)
		after := w.wait(t, 1)
		require.Equal(t, "after", after.GetName())
		require.Equal(t, "inside", param(after, "o"), "what the child put out comes up")
		w.finish(after, doradov1.Outcome_SUCCEEDED)
		f.waitState(id, flow.WorkflowSuccess)
		require.Len(t, f.children(id), 1)
		require.Contains(t, f.log(f.attempt(id, "sub")), "ended as SUCCESS")
	})
}

func TestW25_RecoveryContinuesTheSameChildAndSoDoesARetry(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		child := f.define(flow.Parallel, []flow.Task{shell("good"), shell("bad")}, "good>bad")
		id := f.run(f.define(flow.Parallel, []flow.Task{subWorkflow("sub", child, func(t *flow.Task) { t.RetryTimes = 1 })}), run{})
		w.finish(w.wait(t, 1), doradov1.Outcome_SUCCEEDED)
		w.finish(w.wait(t, 2), doradov1.Outcome_FAILED)
		w.finish(w.wait(t, 3), doradov1.Outcome_FAILED) // the retry begins the failed task again, and only that
		f.waitState(id, flow.WorkflowFailure)
		require.Equal(t, "bad", w.wait(t, 3).GetName())
		require.Len(t, f.children(id), 1)
		f.operate(id, flow.CommandRecoverFailed)
		require.Equal(t, "bad", w.wait(t, 4).GetName())
		w.finish(w.wait(t, 4), doradov1.Outcome_SUCCEEDED)
		f.waitState(id, flow.WorkflowSuccess)
		require.Len(t, f.children(id), 1)
		f.operate(id, flow.CommandRepeat)
		w.finish(w.wait(t, 5), doradov1.Outcome_SUCCEEDED)
		w.finish(w.wait(t, 6), doradov1.Outcome_SUCCEEDED)
		f.waitState(id, flow.WorkflowSuccess)
		require.Len(t, f.children(id), 2, "a repetition starts a new child")
	})
}

func TestASubWorkflowThatIsOfflineOrGoneFailsItsTaskClearly(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		child := f.define(flow.Parallel, []flow.Task{shell("a")})
		exec(t, d, `UPDATE workflow_definition SET release_state = 'OFFLINE' WHERE code = ?`, child.Code)
		id := f.run(f.define(flow.Parallel, []flow.Task{subWorkflow("sub", child)}), run{})
		f.waitState(id, flow.WorkflowFailure)
		require.Contains(t, f.attempt(id, "sub").Message, "is offline")
		id = f.run(f.define(flow.Parallel, []flow.Task{subWorkflow("sub", &flow.Definition{Code: 4711})}), run{})
		f.waitState(id, flow.WorkflowFailure)
		require.Contains(t, f.attempt(id, "sub").Message, "does not exist")
		require.Contains(t, f.log(f.attempt(id, "sub")), "does not exist")
	})
}

func approval(name string, params map[string]any, change ...func(*flow.Task)) flow.Task {
	return task(name, "APPROVAL", params, change...)
}

func (f *fixture) approvalState(a attempt) string {
	f.t.Helper()
	list, err := db.Select[string](f.t.Context(), f.db, `SELECT state FROM approval WHERE task_instance_id = ?`, a.ID)
	require.NoError(f.t, err)
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func (f *fixture) waitApproval(id int64, name string) attempt {
	f.t.Helper()
	a := f.waitTask(id, name, flow.TaskRunning)
	require.Eventually(f.t, func() bool { return f.approvalState(a) == "WAITING" }, 60*time.Second, 5*time.Millisecond)
	return a
}

func TestAnApprovalWaitsForAPersonAlsoOverARestart(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		def := f.define(flow.Parallel, []flow.Task{approval("ask", map[string]any{"question": "ship ${v}?"}), shell("ship")}, "ask>ship")
		id := f.run(def, run{params: []flow.Property{{Prop: "v", Value: "1.2", Type: flow.Varchar}}})
		a := f.waitApproval(id, "ask")
		question, err := db.Get[string](t.Context(), d, `SELECT question FROM approval WHERE task_instance_id = ?`, a.ID)
		require.NoError(t, err)
		require.Equal(t, "ship 1.2?", question)
		f.stop()
		f.start()
		w = f.worker("w1", 10)
		w.hold = true
		f.order(id, flow.CommandDecide, flow.CommandArgs{TaskInstanceID: a.ID, Approved: true, Comment: "go", User: "ann"})
		next := w.wait(t, 1)
		require.Equal(t, "ann", param(next, "approval.by"))
		require.Equal(t, "go", param(next, "approval.comment"))
		require.Equal(t, "APPROVED", f.approvalState(a))
		w.finish(next, doradov1.Outcome_SUCCEEDED)
		f.waitState(id, flow.WorkflowSuccess)
		require.Contains(t, f.log(f.attempt(id, "ask")), "approved by ann: go")

		id = f.run(def, run{})
		a = f.waitApproval(id, "ask")
		f.order(id, flow.CommandDecide, flow.CommandArgs{TaskInstanceID: a.ID, Comment: "no", User: "ann"})
		f.waitState(id, flow.WorkflowFailure)
		require.Equal(t, "rejected by ann: no", f.attempt(id, "ask").Message)
	})
}

func TestAnApprovalExpires(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		def := f.define(flow.Parallel, []flow.Task{
			approval("yes", map[string]any{"expireMinutes": 1, "onExpire": "APPROVE"}), approval("no", map[string]any{"expireMinutes": 1}),
		})
		id := f.run(def, run{})
		f.waitApproval(id, "yes")
		f.waitApproval(id, "no")
		f.stop()
		exec(t, d, `UPDATE task_instance SET start_time = ? WHERE workflow_instance_id = ?`, time.Now().Add(-time.Hour), id)
		f.start() // the timers are set again, and are over
		f.waitState(id, flow.WorkflowFailure)
		require.Equal(t, "SUCCESS", f.attempt(id, "yes").State)
		require.Equal(t, "nobody decided in time", f.attempt(id, "no").Message)
		require.Equal(t, "EXPIRED", f.approvalState(f.attempt(id, "no")))
	})
}

func TestForEachRunsAChildForEachElementAFewAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 50)
		w.hold = true
		child := f.define(flow.Parallel, []flow.Task{shell("a")})
		each := func(policy string) flow.Task {
			return task("each", "FOR_EACH", map[string]any{"workflowDefinitionCode": child.Code, "items": `${list}`, "concurrency": 2, "failurePolicy": policy})
		}
		start := run{params: []flow.Property{{Prop: "list", Value: `["x","y","z",4]`, Type: flow.Varchar}}}
		id := f.run(f.define(flow.Parallel, []flow.Task{each("CONTINUE")}), start)
		for i := range 4 {
			one := w.wait(t, i+1)
			require.LessOrEqual(t, w.dispatched(), i+2, "two at once")
			outcome := doradov1.Outcome_SUCCEEDED
			if param(one, "item") == "y" {
				outcome = doradov1.Outcome_FAILED
			}
			w.finish(one, outcome, &doradov1.Param{Name: "got", Value: param(one, "item") + param(one, "index"), Direct: "OUT"})
		}
		f.waitState(id, flow.WorkflowFailure)
		require.Contains(t, f.attempt(id, "each").Message, "3 of 4")

		f.operate(id, flow.CommandRecoverFailed) // only what failed runs again
		again := w.wait(t, 5)
		require.Equal(t, "y", param(again, "item"))
		w.finish(again, doradov1.Outcome_SUCCEEDED, &doradov1.Param{Name: "got", Value: "y1", Direct: "OUT"})
		f.waitState(id, flow.WorkflowSuccess)
		require.Len(t, f.children(id), 4)
		require.JSONEq(t, `[{"item":"x","state":"SUCCESS","output":{"got":"x0"}},{"item":"y","state":"SUCCESS","output":{"got":"y1"}},
			{"item":"z","state":"SUCCESS","output":{"got":"z2"}},{"item":"4","state":"SUCCESS","output":{"got":"43"}}]`, outs(t, f.attempt(id, "each"))["results"])

		id = f.run(f.define(flow.Parallel, []flow.Task{each("STOP")}), start)
		w.finish(w.wait(t, 6), doradov1.Outcome_FAILED)
		require.Eventually(t, func() bool { return f.logHas(f.attempt(id, "each"), "ended as FAILURE") }, 60*time.Second, 5*time.Millisecond)
		w.finish(w.wait(t, 7), doradov1.Outcome_SUCCEEDED)
		f.waitState(id, flow.WorkflowFailure)
		require.Len(t, f.children(id), 2, "after a failure nothing new begins")
		empty := f.run(f.define(flow.Parallel, []flow.Task{each("STOP")}), run{params: []flow.Property{{Prop: "list", Value: `[]`, Type: flow.Varchar}}})
		f.waitState(empty, flow.WorkflowSuccess)
		require.Equal(t, "[]", outs(t, f.attempt(empty, "each"))["results"])
	})
}

func TestDynamicRunsEachCombination(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 50)
		w.hold = true
		child := f.define(flow.Parallel, []flow.Task{shell("a")})
		id := f.run(f.define(flow.Parallel, []flow.Task{task("dyn", "DYNAMIC", map[string]any{
			"processDefinitionCode": child.Code, "maxNumOfSubWorkflowInstances": 10, "degreeOfParallelism": 3, "filterCondition": "b",
			"listParameters": []map[string]any{{"name": "p", "value": "a,b,c", "separator": ","}, {"name": "q", "value": "1 2", "separator": " "}},
		})}), run{})
		got := map[string]bool{}
		for i := range 4 {
			one := w.wait(t, i+1)
			got[param(one, "p")+param(one, "q")] = true
			w.finish(one, doradov1.Outcome_SUCCEEDED)
		}
		f.waitState(id, flow.WorkflowSuccess)
		require.Equal(t, map[string]bool{"a1": true, "a2": true, "c1": true, "c2": true}, got)
		var list []struct {
			Params map[string]string `json:"dynParams"`
			Mapped int               `json:"mappedTimes"`
		}
		require.NoError(t, json.Unmarshal([]byte(outs(t, f.attempt(id, "dyn"))["dynamic.out(dyn)"]), &list))
		require.Len(t, list, 4)
		require.Equal(t, map[string]string{"p": "c", "q": "2"}, list[3].Params)
	})
}

func TestG06_ASwitchExplainsItsChoiceInItsLog(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		f.worker("w1", 10)
		tasks := []flow.Task{{}, shell("p"), shell("q"), shell("behind")}
		tasks[0] = task("sw", "SWITCH", map[string]any{"switchResult": map[string]any{
			"dependTaskList": []map[string]any{{"condition": "${n} > 10", "nextNode": tasks[1].Code}, {"condition": "while(true){}", "nextNode": tasks[1].Code}},
			"nextNode":       []int64{tasks[2].Code},
		}})
		def := f.define(flow.Parallel, tasks, "sw>p", "sw>q", "p>behind", "q>behind")
		small := f.run(def, run{params: []flow.Property{{Prop: "n", Type: flow.Integer, Value: "9"}}})
		f.waitState(small, flow.WorkflowSuccess)
		require.Empty(t, f.attempts(small, "p"))
		require.Len(t, f.attempts(small, "q"), 1)
		require.Len(t, f.attempts(small, "behind"), 1)
		log := f.log(f.attempt(small, "sw"))
		require.Contains(t, log, "9 > 10 = false")
		require.Contains(t, log, "while(true)")
		require.Contains(t, log, "default branch")
		large := f.run(def, run{params: []flow.Property{{Prop: "n", Type: flow.Integer, Value: "11"}}})
		f.waitState(large, flow.WorkflowSuccess)
		require.Empty(t, f.attempts(large, "q"))
	})
}

func TestW08_StopEndsEveryWayOfWaiting(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		child := f.define(flow.Parallel, []flow.Task{shell("inner")})
		upstream := f.define(flow.Parallel, []flow.Task{shell("u")})
		waiting := f.define(flow.SerialWait, []flow.Task{shell("s")})
		f.run(waiting, run{})
		w.wait(t, 1) // the one place of that workflow is taken
		id := f.run(f.define(flow.Parallel, []flow.Task{
			subWorkflow("sub", child), subWorkflow("queued", waiting), approval("ask", nil),
			dependent("dep", depends(upstream, 0, "today")),
			task("each", "FOR_EACH", map[string]any{"workflowDefinitionCode": child.Code, "items": "1,2,3", "concurrency": 2}),
			shell("later", func(t *flow.Task) { t.DelayMinutes = 10 }), shell("nowhere", func(t *flow.Task) { t.WorkerGroup = "none" }),
		}), run{})
		w.waitHeld(t, 4)
		f.waitApproval(id, "ask")
		f.waitTask(id, "dep", flow.TaskRunning)
		f.waitChildren(id, 4)
		f.operate(id, flow.CommandStop)
		f.waitState(id, flow.WorkflowStop)
		for _, name := range []string{"sub", "queued", "ask", "dep", "each", "later", "nowhere"} {
			require.Equal(t, "KILL", f.attempt(id, name).State, name)
		}
		for _, c := range f.children(id) {
			require.Equal(t, "STOP", f.state(c))
		}
		require.Equal(t, "CANCELLED", f.approvalState(f.attempt(id, "ask")))
	})
}

func TestW08_PauseEndsEveryWayOfWaitingAndResumeGoesOn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		child := f.define(flow.Parallel, []flow.Task{shell("one"), shell("two")}, "one>two")
		upstream := f.define(flow.Parallel, []flow.Task{shell("u")})
		id := f.run(f.define(flow.Parallel, []flow.Task{
			subWorkflow("sub", child), approval("ask", nil), dependent("dep", depends(upstream, 0, "today")),
		}), run{})
		one := w.wait(t, 1)
		f.waitApproval(id, "ask")
		f.waitTask(id, "dep", flow.TaskRunning)
		f.operate(id, flow.CommandPause)
		f.waitTask(id, "ask", flow.TaskPause)
		f.waitTask(id, "dep", flow.TaskPause)
		f.waitState(f.children(id)[0], flow.WorkflowReadyPause)
		f.waitCommands() // only then does the child know of it: what ends before has successors
		require.Equal(t, "READY_PAUSE", f.state(id), "the child's task runs to its natural end")
		w.finish(one, doradov1.Outcome_SUCCEEDED)
		f.waitState(id, flow.WorkflowPause)
		require.Equal(t, "PAUSE", f.state(f.children(id)[0]))

		f.operate(id, flow.CommandResume)
		two := w.wait(t, 2)
		require.Equal(t, "two", two.GetName(), "the child goes on where it was")
		require.Len(t, f.children(id), 1)
		w.finish(two, doradov1.Outcome_SUCCEEDED)
		a := f.waitApproval(id, "ask")
		require.Len(t, f.attempts(id, "ask"), 1)
		f.order(id, flow.CommandDecide, flow.CommandArgs{TaskInstanceID: a.ID, Approved: true, User: "ann"})
		up := f.run(upstream, run{})
		w.finish(w.wait(t, 3), doradov1.Outcome_SUCCEEDED)
		f.waitState(up, flow.WorkflowSuccess)
		f.waitState(id, flow.WorkflowSuccess)
	})
}

func TestKillTaskEndsOneAttemptOnly(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		id := f.run(f.define(flow.Parallel, []flow.Task{shell("a"), shell("b"), approval("ask", nil)}), run{})
		for _, held := range w.waitHeld(t, 2) {
			if held.GetName() == "a" {
				f.order(id, flow.CommandKillTask, flow.CommandArgs{TaskInstanceID: held.GetId()})
				f.waitTask(id, "a", flow.TaskKill)
			}
		}
		f.order(id, flow.CommandKillTask, flow.CommandArgs{TaskInstanceID: f.waitApproval(id, "ask").ID})
		f.waitTask(id, "ask", flow.TaskKill)
		require.Equal(t, "DISPATCH", f.attempt(id, "b").State)
		f.order(id, flow.CommandKillTask, flow.CommandArgs{TaskInstanceID: 999999}) // nothing of that name: the command goes
		require.Eventually(t, func() bool {
			n, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM command`)
			return err == nil && n == 0
		}, 60*time.Second, 5*time.Millisecond)
	})
}

func TestACommandThatMakesNoSenseIsKeptAndHarmsNoRun(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		id := f.run(f.define(flow.Parallel, []flow.Task{shell("a")}), run{})
		held := w.wait(t, 1)
		exec(t, d, `INSERT INTO command (command_type, workflow_instance_id, executor_id, param, created_at) VALUES ('KILL_TASK', ?, 1, 'no json', ?)`, id, time.Now())
		f.engine.Nudge()
		require.Eventually(t, func() bool {
			n, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM error_command WHERE message <> ''`)
			return err == nil && n == 1
		}, 60*time.Second, 5*time.Millisecond)
		require.Equal(t, "RUNNING_EXECUTION", f.state(id))
		w.finish(held, doradov1.Outcome_SUCCEEDED)
		f.waitState(id, flow.WorkflowSuccess)
	})
}

func TestExecuteTaskRunsAPartOfAFinishedRunAgain(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		def := f.define(flow.Parallel, []flow.Task{shell("a"), shell("b"), shell("c")}, "a>b", "b>c")
		id := f.run(def, run{})
		f.waitState(id, flow.WorkflowSuccess)
		exec(t, d, `UPDATE workflow_instance SET state = 'SUBMITTED_SUCCESS', command_type = 'EXECUTE_TASK', run_times = 2, end_time = NULL WHERE id = ?`, id)
		f.order(id, flow.CommandExecuteTask, flow.CommandArgs{StartNodes: []int64{def.Tasks[1].Code}, TaskDependType: flow.TaskPost})
		require.Eventually(t, func() bool { return w.dispatched() == 5 }, 60*time.Second, 5*time.Millisecond)
		f.waitState(id, flow.WorkflowSuccess)
		require.Len(t, f.attempts(id, "a"), 1)
		require.Len(t, f.attempts(id, "b"), 2)
		require.Len(t, f.attempts(id, "c"), 2)
		f.order(id, flow.CommandExecuteTask, flow.CommandArgs{StartNodes: []int64{1}})
		require.Eventually(t, func() bool {
			why, err := db.Get[string](t.Context(), d, `SELECT message FROM error_command WHERE workflow_instance_id = ?`, id)
			return err == nil && why != ""
		}, 60*time.Second, 5*time.Millisecond, "a command that cannot be carried out is kept with its reason")
	})
}

func TestATaskWithTheSameInputsIsTakenFromTheCache(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		def := f.define(flow.Parallel, []flow.Task{shell("a", func(t *flow.Task) {
			t.IsCache, t.Params = flow.FlagYes, []byte(`{"rawScript":"echo ${x}","localParams":[{"prop":"o","direct":"OUT","type":"VARCHAR","value":""}]}`)
		})})
		with := func(x string) run { return run{params: []flow.Property{{Prop: "x", Type: flow.Varchar, Value: x}}} }
		first := f.run(def, with("1"))
		w.finish(w.wait(t, 1), doradov1.Outcome_SUCCEEDED, &doradov1.Param{Name: "o", Value: "result", Direct: "OUT"})
		f.waitState(first, flow.WorkflowSuccess)
		second := f.run(def, with("1"))
		f.waitState(second, flow.WorkflowSuccess)
		require.Equal(t, 1, w.dispatched(), "no worker saw it")
		require.Equal(t, "result", outs(t, f.attempt(second, "a"))["o"])
		third := f.run(def, with("2"))
		w.finish(w.wait(t, 2), doradov1.Outcome_FAILED)
		f.waitState(third, flow.WorkflowFailure)
		fourth := f.run(def, with("2"))
		w.finish(w.wait(t, 3), doradov1.Outcome_SUCCEEDED)
		f.waitState(fourth, flow.WorkflowSuccess)
		exec(t, d, `UPDATE task_instance SET cache_key = ''`)
		fifth := f.run(def, with("1"))
		w.finish(w.wait(t, 4), doradov1.Outcome_SUCCEEDED)
		f.waitState(fifth, flow.WorkflowSuccess)
	})
}

func TestAThousandDependentsWakeTogether(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		upstream := f.define(flow.Parallel, []flow.Task{shell("u")})
		var tasks []flow.Task
		for i := range 1000 {
			tasks = append(tasks, dependent(fmt.Sprint("dep", i), depends(upstream, 0, "today")))
		}
		id := f.run(f.define(flow.Parallel, tasks), run{})
		f.waitTask(id, "dep999", flow.TaskRunning)
		f.worker("w1", 10)
		f.run(upstream, run{})
		f.waitState(id, flow.WorkflowSuccess)
	})
}

func TestW08_AStopEndsARunThatNobodyWorksOn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		def := f.define(flow.Parallel, []flow.Task{shell("a")})
		id := f.run(def, run{})
		f.waitTask(id, "a", flow.TaskSubmitted)
		f.stop()
		exec(t, d, `UPDATE workflow_instance SET owner = '' WHERE id = ?`, id) // the next start does not find it
		f.start()
		f.operate(id, flow.CommandStop)
		f.waitState(id, flow.WorkflowStop)
		require.Equal(t, "KILL", f.attempt(id, "a").State)
	})
}
