package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/cluster"
	"dorado/modules/engine"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

func TestAWorkerThatDiedIsLostAsSoonAsTheRegistrySaysSo(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRealm(t, d, "")
		r.grace = time.Hour
		r.start("m1")
		w := r.work("w0", 10, lasting)
		id := r.run(r.define(flow.Parallel, []flow.Task{shell("a")}), run{})
		first := r.waitTask(id, "a", flow.TaskRunning)
		r.work("w1", 10)
		w.die()
		r.waitState(id, flow.WorkflowSuccess)
		require.Len(t, r.attempts(id, "a"), 2)
		require.Equal(t, "NEED_FAULT_TOLERANCE", r.attempts(id, "a")[0].State)
		require.Equal(t, first.ID, r.attempts(id, "a")[0].ID)
		require.Equal(t, 1, r.count(`SELECT tasks FROM cluster_event WHERE kind = 'WORKER_LOST' AND node = 'w0'`))
	})
}

func TestW03_G18_AWorkerThatIsCutOffKeepsItsTasksUntilItsGraceIsOver(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRealm(t, d, "")
		r.grace = time.Hour
		r.start("m1")
		w := r.work("w0", 10, lasting)
		id := r.run(r.define(flow.Parallel, []flow.Task{shell("a")}), run{})
		a := r.waitTask(id, "a", flow.TaskRunning)
		other := r.work("w1", 10)
		w.cut("m1")
		w.session.expire(false) // cut off from master and registry; its process lives
		time.Sleep(600 * time.Millisecond)
		require.Len(t, r.attempts(id, "a"), 1, "nobody knows that it is dead")
		_, err := w.session.Join(t.Context(), cluster.Worker, "w0:1234", func() cluster.Heartbeat {
			return cluster.Heartbeat{Name: "w0", Incarnation: w.incarnation}
		})
		require.NoError(t, err)
		w.heal()
		w.release(a.ID)
		r.waitState(id, flow.WorkflowSuccess)
		require.Len(t, r.attempts(id, "a"), 1)
		require.Empty(t, other.holding())
		require.Equal(t, 1, r.ledger.begun[a.ID])
	})
}

func TestAnAttemptIsNotBegunAgainWhenItsWorkerDiesWhileTheRunStops(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRealm(t, d, "")
		r.grace = time.Millisecond
		r.start("m1")
		w := r.work("w0", 10, lasting)
		id := r.run(r.define(flow.Parallel, []flow.Task{shell("a")}), run{})
		r.waitTask(id, "a", flow.TaskRunning)
		w.cut("m1") // so that the kill does not arrive
		r.operate(id, flow.CommandStop)
		r.waitCommands()
		r.work("w1", 10)
		w.heal()
		w.die()
		r.waitState(id, flow.WorkflowStop)
		require.Len(t, r.attempts(id, "a"), 1)
		require.Equal(t, "KILL", r.attempt(id, "a").State)
	})
}

func TestW11_W27_MastersShareTheSlotsOfAWorkerAndNoneIsAskedInVainForEver(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRealm(t, d, "")
		r.start("m1")
		r.start("m2")
		r.work("w0", 3, func(w *simWorker) { w.lasts = func(*doradov1.Task) time.Duration { return 2 * time.Millisecond } })
		var tasks []flow.Task
		for i := range 20 {
			tasks = append(tasks, shell("t"+string(rune('a'+i))))
		}
		def := r.define(flow.Parallel, tasks)
		var ids []int64
		for range 6 {
			ids = append(ids, r.run(def, run{}))
		}
		for _, id := range ids {
			r.waitState(id, flow.WorkflowSuccess)
		}
		require.Len(t, r.ledger.effects, 120)
		require.Empty(t, r.ledger.wrong)
		require.Equal(t, 120, r.count(`SELECT count(*) FROM task_instance`), "a refusal is no attempt")
	})
}

func TestADrainedWorkerGetsNothingNewAndKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRealm(t, d, "")
		r.start("m1")
		w := r.work("w0", 10, lasting)
		def := r.define(flow.Parallel, []flow.Task{shell("a")})
		before := r.run(def, run{})
		a := r.waitTask(before, "a", flow.TaskRunning)
		exec(t, d, `INSERT INTO worker_setting (name, drained, updated_at) VALUES ('w0', ?, ?)`, true, time.Now())
		require.NoError(t, d.Notify(t.Context(), engine.ConfigChannel, ""))
		require.Eventually(t, func() bool { return r.engine.Workers()[0].Draining }, 60*time.Second, time.Millisecond)
		after := r.run(def, run{})
		r.waitTask(after, "a", flow.TaskSubmitted)
		w.release(a.ID)
		r.waitState(before, flow.WorkflowSuccess)
		require.Equal(t, "SUBMITTED_SUCCESS", r.attempt(after, "a").State)
		exec(t, d, `UPDATE worker_setting SET drained = ?`, false)
		require.NoError(t, d.Notify(t.Context(), engine.ConfigChannel, ""))
		w.release(r.waitTask(after, "a", flow.TaskRunning).ID)
		r.waitState(after, flow.WorkflowSuccess)
	})
}

func TestAnOverloadedMasterTakesNoNewRunsAndCarriesItsOwnOn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRealm(t, d, "")
		r.change = func(c *engine.Config) { c.Overload = engine.Overload{Memory: 0.9} }
		m1 := r.start("m1")
		w := r.work("w0", 100, lasting)
		def := r.define(flow.Parallel, []flow.Task{shell("a"), shell("b")}, "a>b")
		own := r.run(def, run{})
		a := r.waitTask(own, "a", flow.TaskRunning)
		m1.load.Store(&cluster.Heartbeat{MemoryUsage: 0.95})
		require.Eventually(t, func() bool {
			return r.count(`SELECT count(*) FROM cluster_event WHERE kind = 'OVERLOADED' AND node = 'm1' AND detail <> ''`) == 1
		}, 60*time.Second, time.Millisecond)
		fresh := r.run(def, run{})
		w.release(a.ID)
		r.waitTask(own, "b", flow.TaskRunning)
		r.operate(own, flow.CommandStop)
		r.waitState(own, flow.WorkflowStop)
		require.Equal(t, "SUBMITTED_SUCCESS", r.state(fresh), "it waits, and is not lost")
		r.start("m2")
		require.Eventually(t, func() bool { return r.owner(fresh) == "m2" }, 60*time.Second, time.Millisecond)
	})
}

func TestAMasterHasNoMoreRunsAtOnceThanItMayHave(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRealm(t, d, "")
		r.change = func(c *engine.Config) { c.Overload.MaxRuns = 2 }
		r.start("m1")
		r.work("w0", 100)
		def := r.define(flow.Parallel, []flow.Task{shell("a")})
		var ids []int64
		for range 8 {
			ids = append(ids, r.run(def, run{}))
		}
		for _, id := range ids {
			for r.state(id) != "SUCCESS" {
				require.LessOrEqual(t, r.count(`SELECT count(*) FROM workflow_instance WHERE state = 'RUNNING_EXECUTION'`), 2)
			}
		}
	})
}

func TestW25_ParentsAndChildrenLiveOnDifferentMastersAndHearOfEachOther(t *testing.T) {
	t.Parallel()
	r := newPostgresRealm(t)
	r.start("m1")
	r.start("m2")
	r.work("w0", 100)
	leaf := r.define(flow.Parallel, []flow.Task{shell("x")})
	def := r.define(flow.Parallel, []flow.Task{subWorkflow("sub", leaf), subWorkflow("more", leaf), dependent("dep", depends(leaf, 0, "today"))})
	var ids []int64
	for range 6 {
		ids = append(ids, r.run(def, run{}))
	}
	began := time.Now()
	for _, id := range ids {
		r.waitState(id, flow.WorkflowSuccess)
	}
	require.Less(t, time.Since(began), 50*time.Second, "the sweep of a minute is not what found them")
	owners := map[string]bool{}
	for _, id := range ids {
		owners[r.owner(id)] = true
		for _, child := range r.children(id) {
			owners[r.owner(id)+">"+r.owner(child)] = true
		}
	}
	require.True(t, owners["m1>m2"] || owners["m2>m1"], "%v", owners)
}

func TestG13_W09_ASerialQueueOverTwoMastersRunsOneAtATimeInOrder(t *testing.T) {
	t.Parallel()
	r := newPostgresRealm(t)
	r.start("m1")
	r.start("m2")
	w := r.work("w0", 100)
	var order []int64
	w.mu.Lock()
	w.fails = func(task *doradov1.Task) bool { // called, one after the other, when a task ends
		order = append(order, task.GetWorkflowInstanceId())
		return false
	}
	w.mu.Unlock()
	def := r.define(flow.SerialWait, []flow.Task{shell("s")})
	var ids []int64
	for range 20 {
		ids = append(ids, r.run(def, run{}))
	}
	for _, id := range ids {
		r.waitState(id, flow.WorkflowSuccess)
	}
	require.Equal(t, ids, order)
}
