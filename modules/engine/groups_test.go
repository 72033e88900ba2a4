package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/engine"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// taskGroup makes a task group and returns its id.
func (f *fixture) taskGroup(size int) int64 {
	f.t.Helper()
	now := time.Now()
	id, err := db.Get[int64](f.t.Context(), f.db, `INSERT INTO task_group (name, group_size, user_id, created_at, updated_at) VALUES (?, ?, 1, ?, ?) RETURNING id`,
		"g"+strings.ReplaceAll(now.Format("150405.000000000"), ".", ""), size, now, now)
	require.NoError(f.t, err)
	return id
}

func inGroup(id int64, priority int) func(*flow.Task) {
	return func(t *flow.Task) { t.TaskGroupID, t.TaskGroupPriority = id, priority }
}

func (f *fixture) usage(group int64) (held, waiting int) {
	f.t.Helper()
	held, waiting, err := f.engine.TaskGroupUsage(f.t.Context(), group)
	require.NoError(f.t, err)
	return held, waiting
}

// onWorkers is how many attempts of a group are on workers, by their rows.
func (f *fixture) onWorkers(group int64) int {
	f.t.Helper()
	n, err := db.Get[int](f.t.Context(), f.db, `SELECT count(*) FROM task_instance WHERE task_group_id = ? AND state IN ('DISPATCH', 'RUNNING_EXECUTION') AND force_start = ?`, group, false)
	require.NoError(f.t, err)
	return n
}

func TestG23_W10_AGroupOfTwoNeverRunsMoreThanTwoOfFiftyAlsoAfterARestart(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		group := f.taskGroup(2)
		w := f.worker("w1", 100)
		w.hold = true
		var tasks []flow.Task
		for i := range 50 {
			tasks = append(tasks, shell("t"+string(rune('A'+i)), inGroup(group, 0)))
		}
		id := f.run(f.define(flow.Parallel, tasks), run{})
		done := map[int64]bool{}
		for len(done) < 50 {
			var next *doradov1.Task
			for _, task := range w.waitHeld(t, min(len(done)+1, 50)) {
				if !done[task.GetId()] {
					next = task
				}
			}
			require.NotNil(t, next)
			require.LessOrEqual(t, f.onWorkers(group), 2)
			require.LessOrEqual(t, w.dispatched(), len(done)+2)
			if len(done) == 20 {
				old := w
				require.Eventually(t, func() bool { old.mu.Lock(); defer old.mu.Unlock(); return len(old.acked) == len(done) }, 60*time.Second, 2*time.Millisecond)
				f.stop()
				old.stream.Close()
				<-old.over // what was on its way to it is there
				var held []*doradov1.HeldAttempt
				for _, task := range old.held {
					if !done[task.GetId()] {
						held = append(held, &doradov1.HeldAttempt{Id: task.GetId(), WorkflowInstanceId: id})
					}
				}
				f.start()
				w = f.join("w1", 100, func(w *worker) { w.hold, w.held, w.seen = true, old.held, old.seen }, held...)
			}
			done[next.GetId()] = true
			w.finish(next, doradov1.Outcome_SUCCEEDED)
		}
		f.waitState(id, flow.WorkflowSuccess)
		held, waiting := f.usage(group)
		require.Zero(t, held+waiting, "no slot leaks")
	})
}

func TestW10_PriorityForceStartResizeAndClosingOfATaskGroup(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		group := f.taskGroup(1)
		w := f.worker("w1", 100)
		w.hold = true
		id := f.run(f.define(flow.Parallel, []flow.Task{
			shell("first", inGroup(group, 9)), shell("low", inGroup(group, 1)), shell("high", inGroup(group, 5)),
			shell("raised", inGroup(group, 0)), shell("forced", inGroup(group, 0)), shell("last", inGroup(group, 0)),
		}), run{})
		names := func(n int) (out []string) {
			for _, task := range w.waitHeld(t, n) {
				out = append(out, task.GetName())
			}
			return out
		}
		require.Equal(t, []string{"first"}, names(1), "larger priorities first, whatever was submitted first")
		require.Eventually(t, func() bool { _, n := f.usage(group); return n == 5 }, 60*time.Second, 5*time.Millisecond)

		f.order(id, flow.CommandForceStart, flow.CommandArgs{TaskInstanceID: f.attempt(id, "forced").ID})
		require.Equal(t, "forced", names(2)[1], "it runs beside the one slot")
		held, _ := f.usage(group)
		require.Equal(t, 1, held, "and is not counted")

		f.order(id, flow.CommandGroupPriority, flow.CommandArgs{TaskInstanceID: f.attempt(id, "raised").ID, Priority: 99})
		require.Eventually(t, func() bool {
			n, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM task_instance WHERE task_group_priority = 99`)
			return err == nil && n == 1
		}, 60*time.Second, 5*time.Millisecond)
		w.finish(w.wait(t, 1), doradov1.Outcome_FAILED)
		require.Equal(t, "raised", names(3)[2])

		exec(t, d, `UPDATE task_group SET group_size = 2 WHERE id = ?`, group)
		require.NoError(t, d.Notify(t.Context(), engine.ConfigChannel, ""))
		require.Equal(t, "high", names(4)[3], "a larger group lets the next one go")
		exec(t, d, `UPDATE task_group SET group_size = 1 WHERE id = ?`, group)
		// A run that names a group which the engine does not know yet makes it read all of them.
		fresh := f.run(f.define(flow.Parallel, []flow.Task{shell("fresh", inGroup(f.taskGroup(1), 0))}), run{})
		w.finish(w.wait(t, 5), doradov1.Outcome_SUCCEEDED)
		f.waitState(fresh, flow.WorkflowSuccess)
		w.finish(w.wait(t, 3), doradov1.Outcome_SUCCEEDED)
		f.waitTask(id, "raised", flow.TaskSuccess)
		require.Equal(t, 5, w.dispatched(), "below its use a group starts nothing")
		exec(t, d, `UPDATE task_group SET status = 0 WHERE id = ?`, group)
		require.NoError(t, d.Notify(t.Context(), engine.ConfigChannel, ""))
		require.ElementsMatch(t, []string{"low", "last"}, names(7)[5:], "a closed group lets everybody go")
	})
}

func TestG09_W08_StopEndsARunningAWaitingAndARetryingTask(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		group := f.taskGroup(1)
		w := f.worker("w1", 100)
		w.hold = true
		other := f.run(f.define(flow.Parallel, []flow.Task{shell("owner", inGroup(group, 0))}), run{})
		w.wait(t, 1)
		id := f.run(f.define(flow.Parallel, []flow.Task{
			shell("a"), shell("b", inGroup(group, 0)), shell("c", func(t *flow.Task) { t.RetryTimes, t.RetryInterval = 3, 60 }),
			shell("d", func(t *flow.Task) { t.DelayMinutes = 60 }),
		}), run{})
		for _, task := range w.waitHeld(t, 3) {
			if task.GetName() == "c" {
				w.finish(task, doradov1.Outcome_FAILED)
			}
		}
		require.Eventually(t, func() bool { return len(f.attempts(id, "c")) == 2 }, 60*time.Second, 5*time.Millisecond)
		f.operate(id, flow.CommandStop)
		f.waitState(id, flow.WorkflowStop)
		for _, name := range []string{"a", "b", "c", "d"} {
			require.Equal(t, "KILL", f.attempt(id, name).State, name)
		}
		_, waiting := f.usage(group)
		require.Zero(t, waiting)
		f.operate(other, flow.CommandStop)
		f.waitState(other, flow.WorkflowStop)
	})
}

func TestW11_AWorkerGroupNamesItsWorkersAndAMissingOneFailsItsTasks(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		f.stop()
		f.config.MissingGroupGrace = 200 * time.Millisecond
		now := time.Now()
		exec(t, d, `INSERT INTO worker_group (name, addresses, created_at, updated_at) VALUES ('etl', 'w2,10.0.0.9', ?, ?)`, now, now)
		f.start()
		one, two := f.worker("w1", 10), f.worker("w2", 10)
		group := func(name string) func(*flow.Task) { return func(t *flow.Task) { t.WorkerGroup = name } }
		lost := f.run(f.define(flow.Parallel, []flow.Task{shell("x", group("nowhere"))}), run{})
		id := f.run(f.define(flow.Parallel, []flow.Task{shell("a", group("etl")), shell("b", group("etl")), shell("c", group("etl"))}), run{})
		f.waitState(id, flow.WorkflowSuccess)
		require.Zero(t, one.dispatched())
		require.Equal(t, 3, two.dispatched(), "a missing group keeps nobody else waiting")
		f.waitState(lost, flow.WorkflowFailure)
		require.Contains(t, f.attempt(lost, "x").Message, "nowhere")
	})
}

func TestEnvironmentAndProjectParametersReachTheWorker(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		now := time.Now()
		for code, text := range map[int64]string{41: "export A=1", 42: "export A=2"} {
			exec(t, d, `INSERT INTO environment (code, name, config, operator_id, created_at, updated_at) VALUES (?, ?, ?, 1, ?, ?)`, code, text, text, now, now)
		}
		exec(t, d, `INSERT INTO project_parameter (code, project_code, name, value, data_type, creator_id, modifier_id, created_at, updated_at)
			VALUES (1, 7, 'region', 'north', 'VARCHAR', 1, 1, ?, ?), (2, 7, 'own', 'project', 'VARCHAR', 1, 1, ?, ?)`, now, now, now, now)
		require.NoError(t, d.Notify(t.Context(), engine.ConfigChannel, ""))
		local := func(t *flow.Task) {
			t.Params = []byte(`{"rawScript":"echo ${region}","localParams":[{"prop":"own","direct":"IN","type":"VARCHAR","value":"${region}!"}]}`)
		}
		id := f.run(f.define(flow.Parallel, []flow.Task{shell("a", local, func(t *flow.Task) { t.EnvironmentCode = 41 }), shell("b", local)}), run{env: 42})
		for _, task := range w.waitHeld(t, 2) {
			want := map[string]string{"a": "export A=1", "b": "export A=2"}[task.GetName()]
			require.Equal(t, want, task.GetEnvironment(), "the task's own environment, else the run's")
			require.Equal(t, "north", param(task, "region"))
			require.Equal(t, "north!", param(task, "own"))
			w.finish(task, doradov1.Outcome_SUCCEEDED)
		}
		f.waitState(id, flow.WorkflowSuccess)
		gone := f.run(f.define(flow.Parallel, []flow.Task{shell("a", func(t *flow.Task) { t.EnvironmentCode = 43 })}), run{})
		f.waitState(gone, flow.WorkflowFailure)
		require.Contains(t, f.attempt(gone, "a").Message, "environment 43")
	})
}

func TestProjectsTakeTurnsWhenTheShareIsFair(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		f.stop()
		f.config.FairShare = true
		f.start()
		now := time.Now()
		exec(t, d, `INSERT INTO project (code, name, owner_id, created_at, updated_at) VALUES (8, 'q', 1, ?, ?)`, now, now)
		many := f.define(flow.Parallel, []flow.Task{shell("a"), shell("b"), shell("c"), shell("d"), shell("e"), shell("f")})
		few := f.define(flow.Parallel, []flow.Task{shell("x"), shell("y")})
		urgent := f.define(flow.Parallel, []flow.Task{shell("u")})
		first := f.run(many, run{})
		second := f.run(few, run{project: 8})
		third := f.run(urgent, run{priority: flow.High})
		require.Eventually(t, func() bool { n, _ := f.engine.Backlog("default"); return n == 9 }, 60*time.Second, 5*time.Millisecond)
		w := f.worker("w1", 1)
		w.hold = true
		var order []int64
		for i := range 9 {
			task := w.wait(t, i+1)
			order = append(order, task.GetProjectCode())
			w.finish(task, doradov1.Outcome_SUCCEEDED)
		}
		require.Equal(t, third, w.wait(t, 1).GetWorkflowInstanceId(), "priority goes before turns")
		require.Equal(t, []int64{8, 7, 8, 7}, order[1:5])
		for _, id := range []int64{first, second, third} {
			f.waitState(id, flow.WorkflowSuccess)
		}
	})
}
