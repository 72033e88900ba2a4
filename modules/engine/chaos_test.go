package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// TestW01_W02_W04_W06_W25_WhateverMastersDoEveryTaskIsCarriedOutOnce kills masters, takes their leases and stops them in
// good order while random workflows run, with sub-workflows, serial queues, task groups, retries and workers that die.
// Every run ends as it should; and what a task does is done once, unless the worker that did it died.
func TestW01_W02_W04_W06_W25_WhateverMastersDoEveryTaskIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	r := newPostgresRealm(t)
	r.grace = time.Second
	for i := range 3 {
		r.start(fmt.Sprint("m", i))
	}
	script := func(w *simWorker) {
		w.lasts = func(task *doradov1.Task) time.Duration { return time.Duration(task.GetId()%7) * 5 * time.Millisecond }
		w.fails = func(task *doradov1.Task) bool { return task.GetName() == "flaky" && task.GetAttempt() == 0 }
	}
	for i := range 3 {
		r.work(fmt.Sprint("w", i), 10, script)
	}
	group := r.taskGroup(2)
	leaf := r.define(flow.Parallel, []flow.Task{shell("x"), shell("y")}, "x>y")
	turns := r.define(flow.SerialWait, []flow.Task{shell("s"), shell("t")}, "s>t")
	kinds := []*flow.Definition{
		r.define(flow.Parallel, []flow.Task{shell("a"), shell("b"), shell("c"), shell("d")}, "a>b", "a>c", "b>d", "c>d"),
		r.define(flow.Parallel, []flow.Task{shell("first"), subWorkflow("sub", leaf), shell("last")}, "first>sub", "sub>last"),
		r.define(flow.Parallel, []flow.Task{shell("flaky", func(t *flow.Task) { t.RetryTimes = 3 }), shell("after")}, "flaky>after"),
		r.define(flow.Parallel, []flow.Task{shell("g1", inGroup(group, 0)), shell("g2", inGroup(group, 1)), shell("g3", inGroup(group, 0)), shell("z")}, "g1>z", "g2>z", "g3>z"),
		turns,
	}
	ids := map[int64]*flow.Definition{}
	for step := range 30 {
		for range 2 {
			def := kinds[random(len(kinds))]
			ids[r.run(def, run{})] = def
		}
		require.LessOrEqual(t, r.onWorkers(group), 2, "the group is never exceeded")
		time.Sleep(time.Duration(random(30)) * time.Millisecond)
		if step%3 != 2 {
			continue
		}
		victim := r.live()[random(3)]
		switch what := random(10); {
		case what < 4:
			victim.kill()
			r.start(victim.name)
		case what < 6:
			victim.session.expire(true)
		case what < 7:
			victim.session.expire(false) // it is told by its first save
			require.Eventually(t, func() bool {
				return r.count(`SELECT count(*) FROM cluster_event WHERE kind = 'LEASE_LOST' AND node = ?`, victim.name) > 0 || r.count(`SELECT count(*) FROM master WHERE name = ?`, victim.name) == 0
			}, 20*time.Second, time.Millisecond)
			victim.session.expire(true)
		case what < 9:
			victim.stop()
			r.start(victim.name)
		default:
			w := r.allWorkers()[0]
			w.die()
			r.work(w.name, 10, script)
		}
	}
	for id := range ids {
		if !eventually(60*time.Second, func() bool { return r.state(id) == "SUCCESS" }) {
			t.Fatalf("instance %d is %s\n%s", id, r.state(id), r.dump())
		}
	}
	for id, def := range ids {
		for i := range def.Tasks {
			task := &def.Tasks[i]
			if task.Type != "SHELL" {
				require.Len(t, r.children(id), 1, "one child")
				continue
			}
			require.Positive(t, r.ledger.count(id, task.Name), "task %s of %d has no effect", task.Name, id)
		}
	}
	require.Empty(t, r.ledger.wrong)
	require.Zero(t, r.count(`SELECT count(*) FROM command`))
	require.Zero(t, r.count(`SELECT count(*) FROM error_command`))
	require.Zero(t, r.count(`SELECT count(*) FROM workflow_instance WHERE state <> 'SUCCESS'`))
}

func eventually(within time.Duration, fn func() bool) bool {
	for until := time.Now().Add(within); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		if fn() {
			return true
		}
	}
	return false
}
