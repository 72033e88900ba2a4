package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

func lasting(w *simWorker) { w.lasts = func(*doradov1.Task) time.Duration { return -1 } }

// ownedBy starts runs until one is the master's, which it returns; the others are stopped.
func (r *realm) ownedBy(name string, def *flow.Definition) int64 {
	r.t.Helper()
	var others []int64
	for range 50 {
		id := r.run(def, run{})
		require.Eventually(r.t, func() bool { return r.owner(id) != "" }, 60*time.Second, time.Millisecond)
		if r.owner(id) == name {
			for _, other := range others {
				r.operate(other, flow.CommandStop)
				r.waitState(other, flow.WorkflowStop)
			}
			return id
		}
		others = append(others, id)
	}
	r.t.Fatalf("master %s takes no runs", name)
	return 0
}

func TestMastersShareTheCommandsAndEachRunIsOneMasters(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRealm(t, d, "")
		for i := range 3 {
			r.start(fmt.Sprint("m", i))
		}
		r.work("w0", 8)
		r.work("w1", 8)
		def := r.define(flow.Parallel, []flow.Task{shell("a"), shell("b"), shell("c")}, "a>b", "a>c")
		var ids []int64
		for range 60 {
			ids = append(ids, r.run(def, run{}))
		}
		owners := map[string]int{}
		for _, id := range ids {
			r.waitState(id, flow.WorkflowSuccess)
			owners[r.owner(id)]++
		}
		require.Len(t, owners, 3, "each has its share: %v", owners)
		require.Len(t, r.ledger.effects, 180)
		for what, n := range r.ledger.effects {
			require.Equal(t, 1, n, what)
		}
		require.Empty(t, r.ledger.wrong)
		require.Equal(t, len(ids), r.count(`SELECT count(*) FROM workflow_instance WHERE owner_epoch = 1`), "taken once")
	})
}

func TestG17_W01_AKilledMastersRunsGoOnAndItsTasksAreNotDisturbed(t *testing.T) {
	t.Parallel()
	r := newPostgresRealm(t)
	m1 := r.start("m1")
	r.start("m2")
	w := r.work("w0", 100, lasting)
	def := r.define(flow.Parallel, []flow.Task{shell("a"), shell("b")}, "a>b")
	id := r.ownedBy("m1", def)
	require.Eventually(t, func() bool {
		return r.count(`SELECT count(*) FROM task_instance WHERE workflow_instance_id = ? AND state = 'RUNNING_EXECUTION'`, id) == 1
	}, 60*time.Second, time.Millisecond)
	before := r.attempt(id, "a")
	m1.kill()
	require.Eventually(t, func() bool { return r.owner(id) == "m2" }, 60*time.Second, time.Millisecond)
	w.release(before.ID)
	b := r.waitTask(id, "b", flow.TaskRunning)
	w.release(b.ID)
	r.waitState(id, flow.WorkflowSuccess)
	require.Len(t, r.attempts(id, "a"), 1)
	require.Equal(t, 1, r.ledger.begun[before.ID], "it was not begun again")
	require.Equal(t, 2, r.count(`SELECT owner_epoch FROM workflow_instance WHERE id = ?`, id))
	require.Eventually(t, func() bool {
		return r.count(`SELECT count(*) FROM cluster_event WHERE kind = 'MASTER_LOST' AND node = 'm1' AND by_node = 'm2'`) == 1
	}, 60*time.Second, time.Millisecond)
	require.Eventually(t, func() bool {
		return r.count(`SELECT count(*) FROM cluster_event WHERE kind = 'TAKEN_OVER' AND node = 'm1' AND workflows > 0`) == 1
	}, 60*time.Second, time.Millisecond)
}

func TestAGracefulStopHandsOverBeforeTheMasterLeaves(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRealm(t, d, "")
		m1 := r.start("m1")
		r.start("m2")
		w := r.work("w0", 100, lasting)
		id := r.ownedBy("m1", r.define(flow.Parallel, []flow.Task{shell("a")}))
		a := r.waitTask(id, "a", flow.TaskRunning)
		m1.stop()
		require.Eventually(t, func() bool { return r.owner(id) == "m2" }, 60*time.Second, time.Millisecond)
		w.release(a.ID)
		r.waitState(id, flow.WorkflowSuccess)
		require.Equal(t, 1, r.ledger.begun[a.ID])
		require.Equal(t, 1, r.count(`SELECT count(*) FROM cluster_event WHERE kind = 'MASTER_LEFT' AND node = 'm1'`))
		require.Zero(t, r.count(`SELECT count(*) FROM cluster_event WHERE kind = 'MASTER_LOST'`), "nobody thinks it died")
	})
}

func TestW02_W29_AMasterThatLosesItsLeaseStopsSendingAndBeginsAnew(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRealm(t, d, "")
		m1 := r.start("m1")
		w := r.work("w0", 100, lasting)
		id := r.run(r.define(flow.Parallel, []flow.Task{shell("a"), shell("b")}, "a>b"), run{})
		a := r.waitTask(id, "a", flow.TaskRunning)
		m1.session.expire(true)
		require.Eventually(t, func() bool {
			return r.count(`SELECT owner_epoch FROM workflow_instance WHERE id = ?`, id) == 2 && r.owner(id) == "m1"
		}, 60*time.Second, time.Millisecond)
		w.release(a.ID)
		b := r.waitTask(id, "b", flow.TaskRunning)
		w.release(b.ID)
		r.waitState(id, flow.WorkflowSuccess)
		require.Equal(t, 1, r.ledger.begun[a.ID], "a short hiccup disturbs no task")
		require.Equal(t, 1, r.count(`SELECT count(*) FROM cluster_event WHERE kind = 'LEASE_LOST' AND node = 'm1'`))
	})
}

func TestW02_AFrozenMasterThatWasTakenOverFromChangesNothingWhenItWakes(t *testing.T) {
	t.Parallel()
	r := newPostgresRealm(t)
	m1 := r.start("m1")
	r.start("m2")
	w := r.work("w0", 100, lasting)
	id := r.ownedBy("m1", r.define(flow.Parallel, []flow.Task{shell("a"), shell("b")}, "a>b"))
	a := r.waitTask(id, "a", flow.TaskRunning)
	m1.session.expire(false) // it does not know: as after SIGSTOP
	require.Eventually(t, func() bool { return r.owner(id) == "m2" }, 60*time.Second, time.Millisecond)
	r.operate(id, flow.CommandPause) // m2's now, and m1 is told, too
	r.waitCommands()
	w.release(a.ID)
	r.waitState(id, flow.WorkflowPause)
	require.Equal(t, "m2", r.owner(id))
	require.Len(t, r.attempts(id, "a"), 1)
	m1.session.expire(true) // it learns of it, begins anew under a fresh epoch, and takes work again
	r.ownedBy("m1", r.define(flow.Parallel, []flow.Task{shell("x")}))
	require.Empty(t, r.ledger.wrong)
}

func TestTwoMastersThatBothBelieveAThirdIsDeadTakeOverEachRunOnce(t *testing.T) {
	t.Parallel()
	r := newPostgresRealm(t)
	m0 := r.start("m0")
	w := r.work("w0", 200, lasting)
	def := r.define(flow.Parallel, []flow.Task{shell("a")})
	var ids []int64
	for range 40 {
		ids = append(ids, r.run(def, run{}))
	}
	held := w.waitHolding(40)
	r.start("m1")
	r.start("m2")
	m0.kill()
	for _, id := range ids {
		require.Eventually(t, func() bool { o := r.owner(id); return o == "m1" || o == "m2" }, 60*time.Second, time.Millisecond)
	}
	for _, task := range held {
		w.release(task.GetId())
	}
	for _, id := range ids {
		r.waitState(id, flow.WorkflowSuccess)
	}
	require.Equal(t, 40, r.count(`SELECT count(*) FROM workflow_instance WHERE owner_epoch = 2`), "once each")
	require.Eventually(t, func() bool { return r.count(`SELECT count(*) FROM cluster_event WHERE kind = 'TAKEN_OVER'`) > 0 }, 60*time.Second, time.Millisecond)
	require.Equal(t, 1, r.count(`SELECT count(*) FROM cluster_event WHERE kind = 'TAKEN_OVER'`), "and told once")
	require.Empty(t, r.ledger.wrong)
}

func TestW08_AStopOrAPauseReachesTheOwnerWhoeverWasAskedAndSurvivesItsDeath(t *testing.T) {
	t.Parallel()
	r := newPostgresRealm(t)
	m1 := r.start("m1")
	r.start("m2")
	w := r.work("w0", 100, lasting)
	def := r.define(flow.Parallel, []flow.Task{shell("a"), shell("b")}, "a>b")
	one, two := r.ownedBy("m1", def), r.ownedBy("m2", def)
	r.waitTask(one, "a", flow.TaskRunning)
	r.waitTask(two, "a", flow.TaskRunning)
	r.operate(one, flow.CommandStop) // by notification alone: no master is nudged
	r.operate(two, flow.CommandStop)
	r.waitState(one, flow.WorkflowStop)
	r.waitState(two, flow.WorkflowStop)

	third := r.ownedBy("m1", def)
	a := r.waitTask(third, "a", flow.TaskRunning)
	r.operate(third, flow.CommandPause)
	require.Eventually(t, func() bool { return r.count(`SELECT count(*) FROM command`) == 0 }, 60*time.Second, time.Millisecond)
	m1.kill()
	require.Eventually(t, func() bool { return r.owner(third) == "m2" }, 60*time.Second, time.Millisecond)
	require.Equal(t, "READY_PAUSE", r.state(third))
	w.release(a.ID)
	r.waitState(third, flow.WorkflowPause)
}

func TestAStopBetweenDeathAndTakeOverIsCarriedOutByTheNewOwner(t *testing.T) {
	t.Parallel()
	r := newPostgresRealm(t)
	m1 := r.start("m1")
	w := r.work("w0", 100, lasting)
	id := r.run(r.define(flow.Parallel, []flow.Task{shell("a")}), run{})
	a := r.waitTask(id, "a", flow.TaskRunning)
	m1.stop()
	require.Equal(t, "FAILOVER", r.state(id))
	r.operate(id, flow.CommandStop)
	r.start("m2")
	r.waitState(id, flow.WorkflowStop)
	require.Equal(t, "KILL", r.attempt(id, "a").State)
	require.Empty(t, w.holding(), "its process ended")
	require.Equal(t, a.ID, r.attempt(id, "a").ID)
	require.Zero(t, r.count(`SELECT count(*) FROM command`))
}

func TestW04_NoCommandIsLostOrDoneTwiceWhileMastersComeAndGo(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRealm(t, d, "")
		r.start("m1")
		r.work("w0", 100)
		def := r.define(flow.Parallel, []flow.Task{shell("a")})
		var ids []int64
		for i := range 8 {
			name := fmt.Sprint("m", 2+i%2)
			other := r.start(name)
			for range 5 {
				ids = append(ids, r.run(def, run{}))
			}
			other.stop()
			for range 5 {
				ids = append(ids, r.run(def, run{}))
			}
		}
		for _, id := range ids {
			r.waitState(id, flow.WorkflowSuccess)
			require.Equal(t, 1, r.ledger.count(id, "a"))
		}
		require.Zero(t, r.count(`SELECT count(*) FROM command`))
		require.Empty(t, r.ledger.wrong)
	})
}

func (r *realm) dump() string {
	text := ""
	for _, w := range r.allWorkers() {
		w.mu.Lock()
		for id, a := range w.attempts {
			text += fmt.Sprintf("worker %s: attempt %d of run %d owner %s end %v streams %d\n", w.name, id, a.task.GetWorkflowInstanceId(), a.owner, a.end != nil, len(w.streams))
		}
		w.mu.Unlock()
	}
	type row struct {
		ID    int64  `db:"id"`
		State string `db:"state"`
		Owner string `db:"owner"`
		Epoch int64  `db:"owner_epoch"`
	}
	rows, _ := db.Select[row](r.t.Context(), r.db, `SELECT id, state, owner, owner_epoch FROM workflow_instance WHERE state NOT IN ('SUCCESS', 'STOP')`)
	tasks, _ := db.Select[string](r.t.Context(), r.db, `SELECT id || ' of ' || workflow_instance_id || ' ' || state || ' ' || host || ' ' || valid FROM task_instance WHERE workflow_instance_id IN (SELECT id FROM workflow_instance WHERE state NOT IN ('SUCCESS', 'STOP'))`)
	commands, _ := db.Select[string](r.t.Context(), r.db, `SELECT id || ' ' || command_type || ' ' || workflow_instance_id FROM command`)
	owners, _ := db.Select[string](r.t.Context(), r.db, `SELECT name || ' ' || epoch FROM master`)
	return text + fmt.Sprint(rows, tasks, commands, owners)
}
