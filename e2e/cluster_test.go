//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

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
