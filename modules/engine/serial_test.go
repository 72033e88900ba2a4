package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// atOnce is how many instances of a workflow a master works on now.
func (f *fixture) atOnce(code int64) int {
	f.t.Helper()
	n, err := db.Get[int](f.t.Context(), f.db, `SELECT count(*) FROM workflow_instance WHERE workflow_code = ? AND state IN ('RUNNING_EXECUTION', 'READY_STOP', 'READY_PAUSE')`, code)
	require.NoError(f.t, err)
	return n
}

func TestG13_W09_TwentyTriggersInALoopRunStrictlyOneAfterTheOther(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 50)
		w.hold = true
		def := f.define(flow.SerialWait, []flow.Task{shell("a")})
		var ids []int64
		for range 20 {
			ids = append(ids, f.run(def, run{}))
		}
		for i, id := range ids {
			task := w.wait(t, i+1)
			require.Equal(t, id, task.GetWorkflowInstanceId(), "in the order of the triggers")
			require.Equal(t, 1, f.atOnce(def.Code))
			require.Equal(t, i+1, w.dispatched())
			if i == 7 { // nothing is lost or reordered by a restart
				f.stop()
				f.start()
				w = f.worker("w1", 50, &doradov1.HeldAttempt{Id: task.GetId(), WorkflowInstanceId: id})
				w.hold = true
				w.held, w.seen = make([]*doradov1.Task, i+1), map[int64]int{}
				for k := range i + 1 {
					w.seen[-int64(k)-1] = 1
				}
			}
			w.finish(task, doradov1.Outcome_SUCCEEDED)
		}
		f.waitState(ids[19], flow.WorkflowSuccess)
		require.Eventually(t, func() bool {
			n, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM serial_queue`)
			return err == nil && n == 0
		}, 60*time.Second, 10*time.Millisecond, "the queue is empty in the end")
	})
}

func TestG14_ANewerInstanceStartsOnlyAfterTheOlderOneIsOver(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 50)
		w.hold, w.stubborn = true, true
		def := f.define(flow.SerialPriority, []flow.Task{shell("a")})
		first := f.run(def, run{})
		task := w.wait(t, 1)
		second, third := f.run(def, run{}), f.run(def, run{})
		f.waitState(first, flow.WorkflowReadyStop)
		f.waitState(second, flow.WorkflowStop)
		require.Equal(t, "SERIAL_WAIT", f.state(third), "it waits until the process of the older one is dead")
		require.Equal(t, 1, w.dispatched())
		w.finish(task, doradov1.Outcome_KILLED)
		f.waitState(first, flow.WorkflowStop)
		w.finish(w.wait(t, 2), doradov1.Outcome_SUCCEEDED)
		f.waitState(third, flow.WorkflowSuccess)
	})
}

func TestW09_DiscardKeepsOnlyTheRunningInstance(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 50)
		w.hold = true
		def := f.define(flow.SerialDiscard, []flow.Task{shell("a")})
		first := f.run(def, run{})
		task := w.wait(t, 1)
		for range 3 {
			f.waitState(f.run(def, run{}), flow.WorkflowStop)
		}
		end, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM workflow_instance WHERE state = 'STOP' AND end_time IS NOT NULL AND message LIKE 'discarded%'`)
		require.NoError(t, err)
		require.Equal(t, 3, end)
		w.finish(task, doradov1.Outcome_SUCCEEDED)
		f.waitState(first, flow.WorkflowSuccess)
		require.Equal(t, 1, w.dispatched())
		last := f.run(def, run{})
		w.finish(w.wait(t, 2), doradov1.Outcome_SUCCEEDED)
		f.waitState(last, flow.WorkflowSuccess)
	})
}

func TestW09_WaitersCanBeStoppedAndPausedAndAResumedOneGoesFirst(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 50)
		w.hold = true
		def := f.define(flow.SerialWait, []flow.Task{shell("a")})
		first, second, third, fourth := f.run(def, run{}), f.run(def, run{}), f.run(def, run{}), f.run(def, run{})
		task := w.wait(t, 1)
		f.operate(second, flow.CommandStop)
		f.waitState(second, flow.WorkflowStop)
		f.operate(third, flow.CommandPause)
		f.waitState(third, flow.WorkflowPause)
		f.operate(third, flow.CommandResume)
		f.waitState(third, flow.WorkflowSerialWait)
		w.finish(task, doradov1.Outcome_FAILED)
		f.waitState(first, flow.WorkflowFailure)
		task = w.wait(t, 2)
		require.Equal(t, third, task.GetWorkflowInstanceId(), "what was resumed is at the head")
		require.Equal(t, "SERIAL_WAIT", f.state(fourth))
		w.finish(task, doradov1.Outcome_SUCCEEDED)
		w.finish(w.wait(t, 3), doradov1.Outcome_SUCCEEDED)
		f.waitState(fourth, flow.WorkflowSuccess)
	})
}

func TestW09_ALostWakeUpIsMendedByTheSweep(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		f.worker("w1", 50)
		def := f.define(flow.SerialWait, []flow.Task{shell("a")})
		now := time.Now()
		var id int64
		require.NoError(t, d.InTx(t.Context(), func(ctx context.Context) error { // as begin, but nobody is told
			var err error
			id, err = db.Get[int64](ctx, d, `INSERT INTO workflow_instance (name, workflow_code, workflow_version, workflow_name, project_code, state,
				command_type, executor_id, executor_name, start_time, created_at, updated_at)
				VALUES ('i', ?, 1, 'w', 7, 'SERIAL_WAIT', 'START_PROCESS', 1, 'ann', ?, ?, ?) RETURNING id`, def.Code, now, now, now)
			if err != nil {
				return err
			}
			_, err = d.Exec(ctx, `INSERT INTO serial_queue (workflow_code, workflow_instance_id, execution_type, command_type, state, created_at)
				VALUES (?, ?, 'SERIAL_WAIT', 'START_PROCESS', 'WAITING', ?)`, def.Code, id, now)
			return err
		}))
		f.waitState(id, flow.WorkflowSuccess)
	})
}
