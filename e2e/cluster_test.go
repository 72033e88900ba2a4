//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

// sessions is how long a dead member stays in the registry: short enough to wait for, long enough for two busy cores.
const sessions = 3 * time.Second

// namespaces keeps the clusters of different tests apart in the ZooKeeper that they share.
var namespaces atomic.Int64

// fleet is a cluster of many with admin signed in at each master.
type fleet struct {
	*harness.Fleet

	admins []*harness.Client
}

// eachRegistry runs a test over ZooKeeper and over the registry in the database.
func eachRegistry(t *testing.T, fn func(t *testing.T, o harness.FleetOptions)) {
	t.Helper()
	t.Run("zookeeper", func(t *testing.T) {
		t.Parallel()
		fn(t, overZooKeeper(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		fn(t, overPostgres(t))
	})
}

func overPostgres(t *testing.T) harness.FleetOptions {
	t.Helper()
	return harness.FleetOptions{
		Binary: binary(t), Masters: 3, Workers: 3, Database: database(t), SessionTimeout: sessions, AdminPassword: password,
		Env: []string{"DORADO_MASTER_WORKER_GRACE=5s", "DORADO_WORKER_LEASE_GRACE=5s"},
	}
}

func overZooKeeper(t *testing.T) harness.FleetOptions {
	t.Helper()
	o := overPostgres(t)
	o.ZooKeeper = zookeeper(t)
	o.Env = append(o.Env, fmt.Sprintf("DORADO_CLUSTER_NAMESPACE=e2e-%d-%d", os.Getpid(), namespaces.Add(1)))
	return o
}

// gather starts a fleet, waits until all of it is ready and has met, and ends it with the test.
func gather(t *testing.T, o harness.FleetOptions) *fleet {
	t.Helper()
	f := enlist(t, o)
	require.NoError(t, f.WaitReady(within(t, time.Minute)))
	for _, m := range f.Masters {
		f.admins = append(f.admins, signIn(t, m.URL, "admin", password))
	}
	require.Eventually(t, func() bool {
		for _, c := range f.admins {
			if known, err := c.WorkerAddresses(t.Context()); err != nil || len(known) != len(f.Workers) {
				return false
			}
		}
		return true
	}, time.Minute, 50*time.Millisecond, "every worker is known to every master")
	return f
}

// enlist starts a fleet and waits for nothing.
func enlist(t *testing.T, o harness.FleetOptions) *fleet {
	t.Helper()
	started, err := harness.StartFleet(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, m := range started.All() {
			if t.Failed() {
				t.Logf("---- %s", m.Name)
			}
			finish(t, m.Process)
		}
	})
	return &fleet{Fleet: started}
}

// chains is a workflow whose tasks write into the ledger.
func (l ledger) chains(name string, chains, length int, work string) harness.Workflow {
	w := harness.Workflow{Name: name}
	for c := range chains {
		for i := range length {
			task := harness.Task{Name: fmt.Sprintf("%s-%d-%d", name, c, i)}
			task.Script = l.script(task.Name, work)
			if i > 0 {
				task.After = []string{fmt.Sprintf("%s-%d-%d", name, c, i-1)}
			}
			w.Tasks = append(w.Tasks, task)
		}
	}
	return w
}

// An operator loses one member after the other in the middle of work; nobody starts anything again by hand.
func TestAnyMasterAndAnyWorkerMayDieInTheMiddleOfWork(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, o harness.FleetOptions) {
		f := gather(t, o)
		ctx := within(t, 8*time.Minute)
		p := project(t, f.admins[0], "fleet")
		const runs, chains, length = 6, 3, 8
		l := ledger{filepath.Join(open(t), "ledger")}
		var flows []harness.Definition
		for n := range runs {
			d, err := f.admins[0].Publish(ctx, p, l.chains(fmt.Sprintf("r%d", n), chains, length, "sleep 0.2"))
			require.NoError(t, err)
			flows = append(flows, d)
		}
		for _, victim := range []*harness.Member{f.Masters[0], f.Workers[0], f.Masters[2], f.Workers[2]} {
			l.reset(t)
			alive := f.admins[1]
			var ids []int64
			for n := range runs {
				id, err := f.admins[n%len(f.admins)].StartWorkflow(ctx, p, flows[n].Code, harness.StartOptions{})
				require.NoError(t, err)
				ids = append(ids, id)
			}
			time.Sleep(700 * time.Millisecond)
			finished := map[string]bool{}
			for _, id := range ids {
				tasks, err := alive.Tasks(ctx, p, id)
				require.NoError(t, err)
				for _, task := range tasks {
					finished[task.Name] = task.State == "SUCCESS"
				}
			}
			require.NoError(t, victim.Kill(ctx))
			for _, id := range ids {
				_, err := alive.WaitInstance(ctx, p, id, 50*time.Millisecond, "SUCCESS")
				require.NoError(t, err, "%s killed", victim.Name)
			}
			started, ended := l.read(t)
			require.Len(t, ended, runs*chains*length)
			repeated := 0
			for name, n := range started {
				if n > 1 {
					repeated++
				}
				if finished[name] {
					require.Equal(t, 1, n, "%s killed: %s had finished", victim.Name, name)
				}
			}
			if strings.HasPrefix(victim.Name, "m") {
				require.Zero(t, repeated, "%s killed: all workers live, so nothing runs twice", victim.Name)
			}
			require.LessOrEqual(t, repeated, runs*chains, "%s killed: only what ran may run again", victim.Name)
			t.Logf("%s killed: %d tasks ran again", victim.Name, repeated)
			require.NoError(t, victim.Restart(ctx))
			require.NoError(t, victim.WaitFit(ctx))
		}
	})
}

// A take-over does not touch what runs: the process of a task is the same before and after.
func TestARunningSleepKeepsItsProcessOverATakeOver(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, o harness.FleetOptions) {
		f := gather(t, o)
		ctx := within(t, 3*time.Minute)
		p := project(t, f.admins[0], "sleepers")
		dir := open(t)
		d, err := f.admins[0].Publish(ctx, p, harness.Workflow{Name: "sleeper", Tasks: []harness.Task{
			{Name: "sleep", Script: "echo $$ >> " + dir + "/${system.workflow.instance.id}; sleep 12"},
			{Name: "then", Script: "true", After: []string{"sleep"}},
		}})
		require.NoError(t, err)
		var ids []int64
		for i := range 6 {
			id, err := f.admins[i%3].StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
			require.NoError(t, err)
			ids = append(ids, id)
		}
		pids := map[int64]int{}
		process := func(id int64) (int, bool) {
			raw, err := os.ReadFile(filepath.Join(dir, itoa(id)))
			if err != nil {
				return 0, false
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
			return pid, err == nil
		}
		for _, id := range ids {
			require.Eventually(t, func() bool {
				pid, ok := process(id)
				pids[id] = pid
				return ok
			}, time.Minute, 20*time.Millisecond)
		}
		require.NoError(t, f.Masters[0].Kill(ctx)) // whoever lives takes over from both
		require.NoError(t, f.Masters[1].Kill(ctx))
		time.Sleep(2 * sessions)
		for id, pid := range pids {
			require.NoError(t, syscall.Kill(pid, 0), "the process of run %d lives", id)
		}
		for _, id := range ids {
			_, err := f.admins[2].WaitInstance(ctx, p, id, 50*time.Millisecond, "SUCCESS")
			require.NoError(t, err)
			pid, ok := process(id)
			require.True(t, ok, "one line: it was started once")
			require.Equal(t, pids[id], pid)
		}
	})
}

// People sign in where they like: whatever a master shows or is told holds for runs of all masters.
func TestEveryMasterShowsAndStopsTheRunsOfAll(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, o harness.FleetOptions) {
		f := gather(t, o)
		ctx := within(t, 3*time.Minute)
		p := project(t, f.admins[0], "everywhere")
		d, err := f.admins[0].Publish(ctx, p, harness.Workflow{Name: "long", Tasks: []harness.Task{{Name: "a", Script: "echo hello from a; sleep 100"}}})
		require.NoError(t, err)
		for i, starter := range f.admins {
			other, third := f.admins[(i+1)%3], f.admins[(i+2)%3]
			id, err := starter.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
			require.NoError(t, err)
			_, err = other.WaitInstance(ctx, p, id, 20*time.Millisecond, "RUNNING_EXECUTION")
			require.NoError(t, err)
			for n, reader := range f.admins {
				require.Eventually(t, func() bool {
					tasks, err := reader.Tasks(ctx, p, id)
					if err != nil || len(tasks) != 1 {
						return false
					}
					log, err := reader.TaskLog(ctx, tasks[0].ID, 0, 100)
					return err == nil && strings.Contains(log.Message, "hello from a")
				}, 30*time.Second, 50*time.Millisecond, "m%d reads the log of a task that runs", n+1)
			}
			require.NoError(t, third.Execute(ctx, p, id, "STOP"))
			_, err = other.WaitInstance(ctx, p, id, 20*time.Millisecond, "STOP")
			require.NoError(t, err)
		}
	})
}

// An operator runs a master and a worker as processes of their own, on one PostgreSQL server, and loses one after the
// other in the middle of a run.
func TestMasterAndWorkerAreKilledAndTheRunGoesOn(t *testing.T) {
	t.Parallel()
	ctx := within(t, 5*time.Minute)
	master, worker, err := harness.StartCluster(ctx, harness.Cluster{
		Binary: binary(t), Database: database(t), AdminPassword: password,
		Env: []string{"DORADO_MASTER_WORKER_TIMEOUT=5s"},
	})
	require.NoError(t, err)
	t.Cleanup(func() { finish(t, worker); finish(t, master) })
	ready(t, master)
	admin := signIn(t, master.URL, "admin", password)
	p := project(t, admin, "cluster")
	l := ledger{filepath.Join(open(t), "ledger")}
	w := harness.Workflow{Name: "chains"}
	const chains, length = 6, 15
	for c := range chains {
		for i := range length {
			task := harness.Task{Name: fmt.Sprintf("c%d-%d", c, i)}
			task.Script = l.script(task.Name, "sleep 0.05")
			if i > 0 {
				task.After = []string{fmt.Sprintf("c%d-%d", c, i-1)}
			}
			w.Tasks = append(w.Tasks, task)
		}
	}
	d, err := admin.Publish(ctx, p, w)
	require.NoError(t, err)

	for _, victim := range []struct {
		name string
		*harness.Process
	}{{"nobody", nil}, {"worker", worker}, {"master", master}} {
		l.reset(t)
		id, err := admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
		require.NoError(t, err)
		var before []harness.TaskInstance
		if victim.Process != nil {
			time.Sleep(400 * time.Millisecond)
			before, err = admin.Tasks(ctx, p, id)
			require.NoError(t, err)
			require.NoError(t, victim.Kill(ctx))
			require.NoError(t, victim.Restart(ctx))
		}
		ready(t, master)
		_, err = admin.WaitInstance(ctx, p, id, 20*time.Millisecond, "SUCCESS")
		require.NoError(t, err, "%s killed", victim.name)
		started, ended := l.read(t)
		require.Len(t, ended, chains*length)
		repeated := 0
		for _, n := range started {
			if n > 1 {
				repeated++
			}
		}
		for _, task := range before {
			if task.State == "SUCCESS" {
				require.Equal(t, 1, started[task.Name], "%s killed: %s had finished", victim.name, task.Name)
			}
		}
		switch victim.name {
		case "nobody", "master": // the worker lives on, so nothing needs to be repeated
			require.Zero(t, repeated, "%s killed", victim.name)
		default:
			require.LessOrEqual(t, repeated, chains)
		}
		t.Logf("%s killed: %d tasks ran again", victim.name, repeated)
	}

	// The log of a task is on the worker; the master shows it.
	id, err := admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
	require.NoError(t, err)
	_, err = admin.WaitInstance(ctx, p, id, 20*time.Millisecond, "SUCCESS")
	require.NoError(t, err)
	tasks, err := admin.Tasks(ctx, p, id)
	require.NoError(t, err)
	log, err := admin.TaskLog(ctx, tasks[0].ID, 0, 10)
	require.NoError(t, err)
	require.Contains(t, log.Message, "[LOG-PATH]")
}

// The worker has no business with the database: it starts, runs and stops without being told where it is.
func TestAWorkerNeedsNoDatabase(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	worker := launch(t, harness.Options{Mode: "worker", Env: []string{"DORADO_CLUSTER_MASTERS=127.0.0.1:1", "DORADO_CLUSTER_SECRET=x-long-enough-secret"}})
	require.Never(t, func() bool { return !worker.Running() }, time.Second, 50*time.Millisecond, "a worker waits for its master")
	require.NoFileExists(t, filepath.Join(worker.Data, "dorado.db"))
	require.NoError(t, worker.Terminate(ctx))
	require.Zero(t, worker.ExitCode())
}

func TestTheDatabaseGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	pg, err := harness.StartPostgres(ctx) // its own, because the other tests' must stay
	if err != nil {
		missing(t, err)
	}
	t.Cleanup(func() { require.NoError(t, pg.Close()) })
	url, err := pg.Create(ctx, "dorado")
	require.NoError(t, err)
	s := standalone(t, "DORADO_DATABASE="+url)
	p := project(t, s.Admin, "outage")
	l := ledger{filepath.Join(open(t), "ledger")}
	l.reset(t)
	w := harness.Workflow{Name: "chain"}
	for i := range 20 {
		task := harness.Task{Name: fmt.Sprintf("t%d", i), Script: l.script(fmt.Sprintf("t%d", i), "sleep 0.1")}
		if i > 0 {
			task.After = []string{fmt.Sprintf("t%d", i-1)}
		}
		w.Tasks = append(w.Tasks, task)
	}
	d, err := s.Admin.Publish(ctx, p, w)
	require.NoError(t, err)
	id, err := s.Admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
	require.NoError(t, err)
	time.Sleep(500 * time.Millisecond)
	require.NoError(t, pg.Kill(ctx))
	time.Sleep(2 * time.Second)
	require.True(t, s.Running(), "the process outlives its database")
	_, err = s.Admin.Instance(ctx, p, id)
	require.Error(t, err, "without a database there is no answer")
	require.NoError(t, pg.Restart(ctx))
	require.Eventually(t, func() bool {
		i, err := s.Admin.Instance(ctx, p, id)
		return err == nil && i.State == "SUCCESS"
	}, time.Minute, 50*time.Millisecond)
	started, _ := l.read(t)
	require.Len(t, started, 20)
	for name, n := range started {
		require.Equal(t, 1, n, "%s: the worker lived, so nothing runs twice", name)
	}
}
