package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// crowded brings a run to where its first task is over, its second is at work and its third and fourth wait for the
// only slot.
func (f *fixture) crowded() (id int64, w *worker, second *doradov1.Task) {
	f.t.Helper()
	w = f.worker("w1", 1)
	w.mu.Lock()
	w.hold = true
	w.mu.Unlock()
	id = f.run(f.define(flow.Parallel, []flow.Task{shell("first"), shell("second"), shell("third"), shell("fourth")},
		"first>second", "first>third", "first>fourth"), run{})
	w.finish(w.wait(f.t, 1), doradov1.Outcome_SUCCEEDED)
	return id, w, w.wait(f.t, 2)
}

func TestATaskThatWaitsForASlotIsSeen(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		id, w, second := f.crowded()
		f.waitTask(id, "third", flow.TaskSubmitted)
		f.waitTask(id, "fourth", flow.TaskSubmitted)
		w.finish(second, doradov1.Outcome_SUCCEEDED)
		w.finish(w.wait(t, 3), doradov1.Outcome_SUCCEEDED)
		w.finish(w.wait(t, 4), doradov1.Outcome_SUCCEEDED)
		f.waitState(id, flow.WorkflowSuccess)
		for _, name := range []string{"first", "second", "third", "fourth"} {
			require.Len(t, f.attempts(id, name), 1, name)
		}
	})
}

func TestAStopKillsTasksWhoseRowsAreNotThereYet(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		id, _, _ := f.crowded()
		f.operate(id, flow.CommandStop)
		f.waitState(id, flow.WorkflowStop)
		for _, name := range []string{"second", "third", "fourth"} {
			require.Equal(t, string(flow.TaskKill), f.attempt(id, name).State, name)
		}
	})
}

func TestATaskWhoseRowWasNotThereWhenItsMasterDiedBeginsAllTheSame(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		id, _, second := f.crowded()
		f.stop()
		exec(t, d, `DELETE FROM task_instance WHERE state = ?`, flow.TaskSubmitted) // as if it had died before it wrote them
		f.start()
		again := f.worker("w1", 2, &doradov1.HeldAttempt{Id: second.GetId(), WorkflowInstanceId: id})
		again.report(finished(second, doradov1.Outcome_SUCCEEDED))
		f.waitState(id, flow.WorkflowSuccess)
		require.Equal(t, 2, again.dispatched(), "the two that waited, once each")
		for _, name := range []string{"first", "second", "third", "fourth"} {
			require.Len(t, f.attempts(id, name), 1, name)
		}
	})
}
