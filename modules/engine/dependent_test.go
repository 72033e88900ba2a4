package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// depends is one dependency: on a task of def, 0 for the whole, -1 for all tasks.
func depends(def *flow.Definition, taskCode int64, window string) map[string]any {
	return map[string]any{"projectCode": 7, "definitionCode": def.Code, "depTaskCode": taskCode, "dateValue": window, "parameterPassing": true}
}

// dependent is a task that needs all of its items.
func dependent(name string, items ...map[string]any) flow.Task {
	return task(name, "DEPENDENT", map[string]any{"dependence": map[string]any{
		"relation": "AND", "dependTaskList": []map[string]any{{"relation": "AND", "dependItemList": items}},
	}})
}

func TestG15_AMissingDayIsWaitedForAndWakesTheTask(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		f.worker("w1", 10)
		upstream := f.define(flow.Parallel, []flow.Task{shell("u")})
		base := time.Date(2026, 3, 10, 5, 0, 0, 0, time.UTC)
		day := func(n int) run { return run{schedule: base.AddDate(0, 0, -n).Add(-2 * time.Hour)} }
		for n := 1; n <= 7; n++ {
			if n != 3 {
				f.waitState(f.run(upstream, day(n)), flow.WorkflowSuccess)
			}
		}
		id := f.run(f.define(flow.Parallel, []flow.Task{dependent("dep", depends(upstream, 0, "last7Days"))}), run{schedule: base})
		a := f.waitTask(id, "dep", flow.TaskRunning)
		require.Eventually(t, func() bool { return len(f.log(a)) > 0 && f.logHas(a, "no run yet") }, 60*time.Second, 5*time.Millisecond)
		f.waitState(f.run(upstream, day(3)), flow.WorkflowSuccess)
		f.waitState(id, flow.WorkflowSuccess)
		require.Contains(t, f.log(a), "2026-03-07", "the log names the windows")
	})
}

func TestG16_W18_AnUpstreamThatRetriesIsWaitedForAndItsTaskWakesTheTask(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		upstream := f.define(flow.Parallel, []flow.Task{
			shell("u", func(t *flow.Task) {
				t.RetryTimes = 1
				t.Params = []byte(`{"rawScript":"x","localParams":[{"prop":"o","direct":"OUT","type":"VARCHAR","value":""}]}`)
			}), shell("long"),
		})
		code := upstream.Tasks[0].Code
		up := f.run(upstream, run{})
		f.waitState(up, flow.WorkflowRunning)
		id := f.run(f.define(flow.Parallel, []flow.Task{dependent("dep", depends(upstream, code, "today")), shell("next")}, "dep>next"), run{})
		a := f.waitTask(id, "dep", flow.TaskRunning)
		for _, held := range w.waitHeld(t, 2) {
			if held.GetName() == "u" {
				w.finish(held, doradov1.Outcome_FAILED)
			}
		}
		again := w.wait(t, 3)
		require.Equal(t, "u", again.GetName())
		require.Equal(t, "RUNNING_EXECUTION", f.attempt(id, "dep").State)
		w.finish(again, doradov1.Outcome_SUCCEEDED, &doradov1.Param{Name: "o", Value: "handed", Direct: "OUT"})
		next := w.wait(t, 4)
		require.Equal(t, "next", next.GetName(), "the end of the task is enough; the run goes on")
		require.Equal(t, "handed", param(next, "o"))
		require.Equal(t, "RUNNING_EXECUTION", f.state(up))
		require.Contains(t, f.log(a), "SUCCESS")
	})
}

func TestW18_WhatCannotBeFulfilledFailsWithItsReason(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		upstream := f.define(flow.Parallel, []flow.Task{shell("u"), shell("off", func(t *flow.Task) { t.Flag = flow.FlagNo })})
		fails := func(item map[string]any, why string) {
			t.Helper()
			id := f.run(f.define(flow.Parallel, []flow.Task{dependent("dep", item)}), run{})
			f.waitState(id, flow.WorkflowFailure)
			require.Contains(t, f.attempt(id, "dep").Message, why)
		}
		fails(depends(&flow.Definition{Code: 4711}, 0, "today"), "does not exist")
		fails(depends(upstream, 4711, "today"), "no such task")
		fails(depends(upstream, 0, "someday"), "no such window")
		forbidden := f.run(f.define(flow.Parallel, []flow.Task{dependent("dep", depends(upstream, upstream.Tasks[1].Code, "today"))}), run{})
		f.waitState(forbidden, flow.WorkflowSuccess)
		up := f.run(upstream, run{})
		w.finish(w.wait(t, 1), doradov1.Outcome_FAILED)
		f.waitState(up, flow.WorkflowFailure)
		fails(depends(upstream, 0, "today"), "is FAILURE")
		fails(depends(upstream, -1, "today"), "is FAILURE")
	})
}

func TestADependentThatMayWaitOutlivesAFailureUntilItsTimeIsOver(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		upstream := f.define(flow.Parallel, []flow.Task{shell("u")})
		up := f.run(upstream, run{})
		w.finish(w.wait(t, 1), doradov1.Outcome_FAILED)
		f.waitState(up, flow.WorkflowFailure)
		patient := task("dep", "DEPENDENT", map[string]any{"dependence": map[string]any{
			"relation": "AND", "failurePolicy": "DEPENDENT_FAILURE_WAITING", "failureWaitingTime": 10,
			"dependTaskList": []map[string]any{{"relation": "AND", "dependItemList": []map[string]any{depends(upstream, 0, "today")}}},
		}})
		def := f.define(flow.Parallel, []flow.Task{patient})
		id, other := f.run(def, run{}), f.run(def, run{})
		a := f.waitTask(id, "dep", flow.TaskRunning)
		require.Eventually(t, func() bool { return f.logHas(a, "FAILED") }, 60*time.Second, 5*time.Millisecond)
		f.operate(up, flow.CommandRecoverFailed)
		w.finish(w.wait(t, 2), doradov1.Outcome_SUCCEEDED)
		f.waitState(id, flow.WorkflowSuccess)
		f.waitState(other, flow.WorkflowSuccess)

		w.hold = true
		f.operate(up, flow.CommandRepeat)
		w.finish(w.wait(t, 3), doradov1.Outcome_FAILED)
		f.waitState(up, flow.WorkflowFailure)
		late := f.run(def, run{})
		f.waitTask(late, "dep", flow.TaskRunning)
		f.stop()
		exec(t, d, `UPDATE task_instance SET start_time = ? WHERE workflow_instance_id = ?`, time.Now().Add(-time.Hour), late)
		f.start()
		f.waitState(late, flow.WorkflowFailure)
	})
}

func TestAWorkflowThatDependsOnItselfBeginsWithItsFirstRun(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		f.worker("w1", 10)
		self := shell("work")
		tasks := []flow.Task{self, dependent("dep", map[string]any{})}
		def := &flow.Definition{Code: newCode()}
		tasks[1] = dependent("dep", depends(def, -1, "last1Days"))
		saved := f.define(flow.Parallel, tasks, "dep>work")
		exec(t, d, `UPDATE workflow_version SET body = REPLACE(body, ?, ?) WHERE workflow_code = ?`, codeText(def.Code), codeText(saved.Code), saved.Code)
		today := time.Date(2026, 3, 10, 5, 0, 0, 0, time.UTC)
		f.waitState(f.run(saved, run{schedule: today}), flow.WorkflowSuccess)
		f.waitState(f.run(saved, run{schedule: today.AddDate(0, 0, 1)}), flow.WorkflowSuccess)
		third := f.run(saved, run{schedule: today.AddDate(0, 0, 5)})
		f.waitTask(third, "dep", flow.TaskRunning)
		require.Eventually(t, func() bool { return f.logHas(f.attempt(third, "dep"), "no run yet") }, 60*time.Second, 5*time.Millisecond)
	})
}
