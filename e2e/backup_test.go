//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

// dorado runs one command of the product and returns what it said.
func dorado(ctx context.Context, t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, binary(t), args...)
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "DORADO_") { // the settings of the test run are not those of the product
			cmd.Env = append(cmd.Env, entry)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "dorado %s\n%s", strings.Join(args, " "), out)
	return string(out)
}

// every makes a schedule that is due each second.
func every(ctx context.Context, t *testing.T, c *harness.Client, project, code int64) {
	t.Helper()
	var schedule struct{ ID int64 }
	path := "/projects/" + itoa(project) + "/schedules"
	require.NoError(t, c.Call(ctx, http.MethodPost, path, url.Values{
		"workflowDefinitionCode": {itoa(code)}, "warningType": {"NONE"}, "failureStrategy": {"CONTINUE"}, "warningGroupId": {"0"},
		"workflowInstancePriority": {"MEDIUM"}, "workerGroup": {"default"}, "tenantCode": {"default"}, "environmentCode": {"-1"},
		"schedule": {`{"startTime":"2026-01-01 00:00:00","endTime":"2126-01-01 00:00:00","timezoneId":"UTC","crontab":"* * * * * ? *"}`},
	}, &schedule))
	require.NoError(t, c.Call(ctx, http.MethodPost, path+"/"+itoa(schedule.ID)+"/online", nil, nil))
}

// site is an installation at work, and what is known of it.
type site struct {
	admin         *harness.Client
	project       int64
	done, sleeper harness.Definition
	finished      int64 // a run that is over
	log           string
	flying        []int64 // runs that are under way
	ticks         harness.Definition
}

// busy fills an installation with work: a finished run, runs under way, a schedule that fires each second.
func busy(ctx context.Context, t *testing.T, admin *harness.Client) *site {
	t.Helper()
	s := &site{admin: admin, project: project(t, admin, "harvest")}
	queue, err := admin.CreateQueue(ctx, "barn", "barn")
	require.NoError(t, err)
	tenant, err := admin.CreateTenant(ctx, "grain", queue.ID)
	require.NoError(t, err)
	_, err = admin.CreateUser(ctx, "ines", password, tenant.ID)
	require.NoError(t, err)
	require.NoError(t, admin.Call(ctx, http.MethodPost, "/resources/online-create", url.Values{
		"type": {"FILE"}, "fileName": {"seed"}, "suffix": {"txt"}, "content": {"a bag of seed"}, "currentDir": {"/"},
	}, nil))
	publish := func(name, script string) harness.Definition {
		d, err := admin.Publish(ctx, s.project, harness.Workflow{Name: name, Tasks: []harness.Task{{Name: "t", Script: script}}})
		require.NoError(t, err)
		return d
	}
	s.done, s.sleeper, s.ticks = publish("done", "echo the grain is in"), publish("sleeper", "sleep 600"), publish("ticks", "true")
	s.finished, err = admin.StartWorkflow(ctx, s.project, s.done.Code, harness.StartOptions{})
	require.NoError(t, err)
	_, err = admin.WaitInstance(ctx, s.project, s.finished, 50*time.Millisecond, "SUCCESS")
	require.NoError(t, err)
	s.log = s.readLog(ctx, t, admin)
	require.Contains(t, s.log, "the grain is in")
	for range 3 {
		id, err := admin.StartWorkflow(ctx, s.project, s.sleeper.Code, harness.StartOptions{})
		require.NoError(t, err)
		s.flying = append(s.flying, id)
	}
	for _, id := range s.flying {
		require.Eventually(t, func() bool {
			tasks, err := admin.Tasks(ctx, s.project, id)
			return err == nil && len(tasks) == 1 && tasks[0].State == "RUNNING_EXECUTION"
		}, time.Minute, 50*time.Millisecond)
	}
	every(ctx, t, admin, s.project, s.ticks.Code)
	require.Eventually(t, func() bool { return s.fired(ctx, t, admin) >= 2 }, time.Minute, 100*time.Millisecond, "the schedule fires")
	return s
}

func (s *site) readLog(ctx context.Context, t *testing.T, c *harness.Client) string {
	t.Helper()
	tasks, err := c.Tasks(ctx, s.project, s.finished)
	require.NoError(t, err)
	require.Len(t, tasks, 1)
	text, err := c.DownloadLog(ctx, tasks[0].ID)
	require.NoError(t, err)
	return text
}

// fired is how many runs the schedule has started.
func (s *site) fired(ctx context.Context, t *testing.T, c *harness.Client) int {
	t.Helper()
	page, err := c.Instances(ctx, s.project, 1, 10, url.Values{"searchVal": {"ticks"}})
	require.NoError(t, err)
	return page.Total
}

// is checks that a restored installation is this one, and that it works.
func (s *site) is(ctx context.Context, t *testing.T, p *harness.Process) {
	t.Helper()
	admin := signIn(t, p.URL, "admin", password)
	signIn(t, p.URL, "ines", password)
	for _, d := range []harness.Definition{s.done, s.sleeper, s.ticks} {
		dag, err := admin.Workflow(ctx, s.project, d.Code)
		require.NoError(t, err)
		require.Len(t, dag.TaskDefinitionList, 1)
	}
	run, err := admin.Instance(ctx, s.project, s.finished)
	require.NoError(t, err)
	require.Equal(t, "SUCCESS", run.State)
	require.Contains(t, s.readLog(ctx, t, admin), "the grain is in", "logs came with it")
	for _, id := range s.flying {
		run, err := admin.Instance(ctx, s.project, id)
		require.NoError(t, err)
		require.Equal(t, "FAILURE", run.State, "what was in flight has ended")
		require.NotEmpty(t, run.EndTime)
		tasks, err := admin.Tasks(ctx, s.project, id)
		require.NoError(t, err)
		require.Len(t, tasks, 1)
		require.Equal(t, "KILL", tasks[0].State)
	}

	var file struct{ Content string }
	require.NoError(t, admin.Call(ctx, http.MethodGet, "/resources/view", url.Values{"fullName": {"seed.txt"}, "skipLineNum": {"0"}, "limit": {"10"}}, &file))
	require.Equal(t, "a bag of seed", strings.TrimSpace(file.Content), "files came with it")

	before := s.fired(ctx, t, admin)
	require.Eventually(t, func() bool { return s.fired(ctx, t, admin) > before }, time.Minute, 100*time.Millisecond, "schedules go on")
	id, err := admin.StartWorkflow(ctx, s.project, s.done.Code, harness.StartOptions{})
	require.NoError(t, err)
	require.Greater(t, id, int64(1_000_000), "beyond what the original gave out after the backup")
	_, err = admin.WaitInstance(ctx, s.project, id, 50*time.Millisecond, "SUCCESS")
	require.NoError(t, err)
	tasks, err := admin.Tasks(ctx, s.project, id)
	require.NoError(t, err)
	require.Greater(t, tasks[0].ID, int64(1_000_000))
	// What ended can be repaired: the failed part of a run runs again, in the same run.
	require.NoError(t, admin.Execute(ctx, s.project, s.flying[0], "START_FAILURE_TASK_PROCESS"))
	_, err = admin.WaitInstance(ctx, s.project, s.flying[0], 50*time.Millisecond, "RUNNING_EXECUTION")
	require.NoError(t, err)
	require.NoError(t, admin.Execute(ctx, s.project, s.flying[0], "STOP"))
	_, err = admin.WaitInstance(ctx, s.project, s.flying[0], 50*time.Millisecond, "STOP")
	require.NoError(t, err)
}

// An operator backs up a busy cluster over PostgreSQL without stopping anything, loses the building, and goes on with one
// process and a SQLite file.
func TestABackupOfABusyClusterBecomesAStandalone(t *testing.T) {
	t.Parallel()
	ctx := within(t, 8*time.Minute)
	db := database(t)
	stored := []string{"DORADO_STORAGE_TYPE=local", "DORADO_STORAGE_LOCAL_DIR=" + filepath.Join(open(t), "stored")}
	master, worker, err := harness.StartCluster(ctx, harness.Cluster{Binary: binary(t), Database: db, AdminPassword: password, Env: stored})
	require.NoError(t, err)
	t.Cleanup(func() { finish(t, worker); finish(t, master) })
	ready(t, master)
	admin := signIn(t, master.URL, "admin", password)
	s := busy(ctx, t, admin)

	file := filepath.Join(open(t), "dorado.backup")
	secret := []string{"DORADO_BACKUP_PASSPHRASE=four words will do"}
	dorado(ctx, t, append(stored, secret...), "backup", "--database", db, "--data", master.Data, "--logs", filepath.Join(worker.Data, "logs"), "--out", file)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	for _, id := range s.flying {
		run, err := admin.Instance(ctx, s.project, id)
		require.NoError(t, err)
		require.Equal(t, "RUNNING_EXECUTION", run.State, "a backup disturbs nobody")
	}
	require.Contains(t, dorado(ctx, t, secret, "backup", "verify", file), "workflow_instance")
	require.NoError(t, worker.Kill(ctx))
	require.NoError(t, master.Kill(ctx))

	data := filepath.Join(open(t), "restored")
	said := dorado(ctx, t, secret, "restore", "--in", file, "--data", data)
	require.Contains(t, said, "that were under way have ended")
	time.Sleep(3 * time.Second) // fires that are due meanwhile are not made up for
	p := launch(t, harness.Options{Mode: "standalone", Data: data})
	ready(t, p)
	s.is(ctx, t, p)
}

// A small installation grows: a standalone with a SQLite file becomes a master over PostgreSQL, and the worker that takes
// over its data folder shows the old logs.
func TestABackupOfAStandaloneBecomesACluster(t *testing.T) {
	t.Parallel()
	ctx := within(t, 8*time.Minute)
	from := standalone(t)
	s := busy(ctx, t, from.Admin)
	file := filepath.Join(open(t), "dorado.backup")
	dorado(ctx, t, nil, "backup", "--data", from.Data, "--out", file)
	require.NoError(t, from.Kill(ctx))

	db, data := database(t), filepath.Join(open(t), "restored")
	stored := []string{"DORADO_STORAGE_TYPE=local", "DORADO_STORAGE_LOCAL_DIR=" + filepath.Join(open(t), "stored")}
	dorado(ctx, t, stored, "restore", "--in", file, "--database", db, "--data", data, "--log-worker", "harvester")
	master, worker, err := harness.StartCluster(ctx, harness.Cluster{
		Binary: binary(t), Database: db,
		Env: append([]string{"DORADO_WORKER_NAME=harvester", "DORADO_WORKER_LOG_DIR=" + filepath.Join(data, "logs")}, stored...),
	})
	require.NoError(t, err)
	t.Cleanup(func() { finish(t, worker); finish(t, master) })
	ready(t, master)
	require.Eventually(t, func() bool { // its worker has come
		admin := harness.NewClient(master.URL)
		defer admin.Close()
		if admin.Login(ctx, "admin", password) != nil {
			return false
		}
		addresses, err := admin.WorkerAddresses(ctx)
		return err == nil && len(addresses) > 0
	}, time.Minute, 200*time.Millisecond)
	s.is(ctx, t, master)
}
