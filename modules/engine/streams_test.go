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

// streaming makes a task one that has no end.
func streaming(t *flow.Task) { t.ExecuteType = flow.Stream }

func TestRunsPassStreamingTasksThroughAndEachIsStartedByItself(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.join("w1", 10, func(w *worker) { w.hold = true })
		again := func(t *flow.Task) { streaming(t); t.RetryTimes = 3 }
		def := f.define(flow.SerialWait, []flow.Task{shell("a"), task("clicks", "FLINK_STREAM", nil, again), shell("b")}, "a>clicks", "clicks>b")
		code := def.Tasks[1].Code
		batch := f.run(def, run{})
		first := w.wait(t, 1)
		require.Equal(t, "a", first.GetName())
		// It does not wait for the run, nor does the next run wait for it.
		stream := f.run(def, run{stream: code})
		job := w.wait(t, 2)
		require.Equal(t, "clicks", job.GetName())
		w.finish(first, doradov1.Outcome_SUCCEEDED)
		last := w.wait(t, 3)
		require.Equal(t, "b", last.GetName(), "the streaming task is passed through")
		w.finish(last, doradov1.Outcome_SUCCEEDED)
		f.waitState(batch, flow.WorkflowSuccess)
		require.Empty(t, f.attempts(batch, "clicks"))
		next := f.run(def, run{})
		require.Equal(t, "a", w.wait(t, 4).GetName())
		f.operate(next, flow.CommandStop)
		f.waitState(next, flow.WorkflowStop)

		w.finish(job, doradov1.Outcome_FAILED)
		f.waitState(stream, flow.WorkflowFailure)
		require.Len(t, f.attempts(stream, "clicks"), 1, "a stream that fails is looked at by a person")
		require.Empty(t, f.attempts(stream, "a"))
		require.Empty(t, f.attempts(stream, "b"))
	})
}

func TestAStreamIsStoppedByItsTask(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.join("w1", 10, func(w *worker) { w.hold = true })
		def := f.define(flow.Parallel, []flow.Task{task("clicks", "FLINK_STREAM", nil, streaming)})
		stream := f.run(def, run{stream: def.Tasks[0].Code})
		job := w.wait(t, 1)
		f.order(stream, flow.CommandKillTask, flow.CommandArgs{TaskInstanceID: job.GetId()})
		f.waitTask(stream, "clicks", flow.TaskKill)
		f.waitState(stream, flow.WorkflowStop)
		require.Zero(t, countRows(t, d, `SELECT count(*) FROM alert`))
	})
}

func TestTheJobOfALostWorkerIsHandedToTheNextByItsName(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.join("w1", 10, func(w *worker) { w.hold = true })
		def := f.define(flow.Parallel, []flow.Task{task("clicks", "FLINK_STREAM", nil, streaming)})
		stream := f.run(def, run{stream: def.Tasks[0].Code})
		job := w.wait(t, 1)
		require.Empty(t, job.GetAppLink())
		known := finished(job, doradov1.Outcome_NONE)
		known.Kind, known.EndMs, known.AppLink = doradov1.ReportKind_STARTED, 0, "a1b2"
		w.report(known)
		require.Eventually(t, func() bool {
			return countRows(t, d, `SELECT count(*) FROM task_instance WHERE id = ? AND app_link = 'a1b2'`, job.GetId()) == 1
		}, 30*time.Second, 5*time.Millisecond)
		require.NoError(t, w.stream.Close())
		other := f.join("w2", 10, func(w *worker) { w.hold = true })
		found := other.wait(t, 1)
		require.Equal(t, "a1b2", found.GetAppLink())
		require.NotEqual(t, job.GetId(), found.GetId())
		require.Equal(t, "NEED_FAULT_TOLERANCE", f.attempts(stream, "clicks")[0].State)
		other.finish(found, doradov1.Outcome_SUCCEEDED)
		f.waitState(stream, flow.WorkflowSuccess)
	})
}

func TestDependentTasksDoNotSeeStreams(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.join("w1", 10, func(w *worker) { w.hold = true })
		def := f.define(flow.Parallel, []flow.Task{shell("a"), task("clicks", "FLINK_STREAM", nil, streaming)})
		stream := f.run(def, run{stream: def.Tasks[1].Code})
		w.wait(t, 1)
		whole := f.define(flow.Parallel, []flow.Task{dependent("d", depends(def, -1, "today"))})
		id := f.run(whole, run{})
		a := f.waitTask(id, "d", flow.TaskRunning)
		require.Eventually(t, func() bool { return f.logHas(a, "no run yet") }, 30*time.Second, 10*time.Millisecond)
		f.operate(id, flow.CommandStop)
		f.waitState(id, flow.WorkflowStop)
		require.Equal(t, "RUNNING_EXECUTION", f.state(stream))
	})
}

func countRows(t *testing.T, d *db.DB, query string, args ...any) int {
	t.Helper()
	n, err := db.Get[int](t.Context(), d, query, args...)
	require.NoError(t, err)
	return n
}
