//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
	"dorado/e2e/harness/browser"
)

// flinkProgram stands for the command lines of Flink and for the cluster behind them: a job is a file in the folder cluster that
// holds its state, and everything that is asked stands in the file calls.
const flinkProgram = `#!/bin/sh
home=$(cd -- "$(dirname -- "$0")/.." && pwd)
echo "${0##*/} $*" >> "$home/calls"
for last; do :; done
case ${0##*/}-$1 in
sql-client.sh-*)
  echo RUNNING > "$home/cluster/a1b2c3"
  echo "[INFO] SQL update statement has been successfully submitted to the cluster:"
  echo "Job ID: a1b2c3" ;;
flink-list)
  for job in "$home/cluster"/*; do
    [ -e "$job" ] && echo "22.11.2026 10:00:00 : ${job##*/} : insert-into_b ($(cat "$job"))"
  done
  exit 0 ;;
flink-savepoint)
  echo "Triggering savepoint for job $last."
  echo "Savepoint completed. Path: file:/savepoints/savepoint-$last" ;;
flink-cancel)
  echo CANCELED > "$home/cluster/$last"
  echo "Cancelled job $last." ;;
esac
`

// flinkHome writes the programs and returns where they are. Tasks of every user may write there.
func flinkHome(t *testing.T) string {
	t.Helper()
	home := open(t)
	for _, dir := range []string{"bin", "cluster"} {
		require.NoError(t, os.MkdirAll(filepath.Join(home, dir), 0o777))
		require.NoError(t, os.Chmod(filepath.Join(home, dir), 0o777))
	}
	for _, name := range []string{"flink", "sql-client.sh"} {
		require.NoError(t, os.WriteFile(filepath.Join(home, "bin", name), []byte(flinkProgram), 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(home, "calls"), nil, 0o600))
	require.NoError(t, os.Chmod(filepath.Join(home, "calls"), 0o666))
	return home
}

// calls is how often a program was asked for something.
func calls(t *testing.T, home, what string) int {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(home, "calls"))
	require.NoError(t, err)
	return strings.Count(string(raw), what)
}

// clicks publishes a workflow with a streaming task, and an environment in which Flink is found.
func clicks(ctx context.Context, t *testing.T, admin *harness.Client, home string) (project, workflow, task int64, environment string) {
	t.Helper()
	p, err := admin.CreateProject(ctx, "clicks", "")
	require.NoError(t, err)
	var code int64
	require.NoError(t, admin.Call(ctx, http.MethodPost, "/environment/create", url.Values{
		"name": {"flink"}, "description": {""}, "workerGroups": {"[]"},
		"config": {"export FLINK_HOME=" + home + "\nexport DORADO_FOLLOW_SECONDS=0.2"},
	}, &code))
	d, err := admin.Publish(ctx, p.Code, harness.Workflow{Name: "clicks", Tasks: []harness.Task{
		{Name: "before", Script: "echo before"},
		{Name: "count", Type: "FLINK_STREAM", Stream: true, After: []string{"before"}, Settings: func(map[string]int64) map[string]any {
			return map[string]any{"programType": "SQL", "deployMode": "standalone", "flinkVersion": ">=1.13", "rawScript": "INSERT INTO b SELECT * FROM a;"}
		}},
		{Name: "after", Script: "echo after", After: []string{"count"}},
	}})
	require.NoError(t, err)
	dag, err := admin.Workflow(ctx, p.Code, d.Code)
	require.NoError(t, err)
	for _, one := range dag.TaskDefinitionList {
		if one.Name == "count" {
			task = one.Code
		}
	}
	return p.Code, d.Code, task, itoa(code)
}

// An engineer starts a streaming job of her workflow, whose runs pass it through; takes a savepoint; loses the worker in the
// middle; and finds the job still there, submitted once. Then she stops it.
func TestAStreamingTaskOutlivesItsWorkerAndIsSubmittedOnce(t *testing.T) {
	t.Parallel()
	ctx := within(t, 5*time.Minute)
	master, worker, err := harness.StartCluster(ctx, harness.Cluster{
		Binary: binary(t), Database: database(t), AdminPassword: password, Env: []string{"DORADO_MASTER_WORKER_TIMEOUT=5s"},
	})
	require.NoError(t, err)
	t.Cleanup(func() { finish(t, worker); finish(t, master) })
	ready(t, master)
	admin := signIn(t, master.URL, "admin", password)
	home := flinkHome(t)
	p, workflow, task, environment := clicks(ctx, t, admin, home)
	in := "/projects/" + itoa(p)

	run, err := admin.StartWorkflow(ctx, p, workflow, harness.StartOptions{})
	require.NoError(t, err)
	_, err = admin.WaitInstance(ctx, p, run, 10*time.Millisecond, "SUCCESS")
	require.NoError(t, err)
	tasks, err := admin.Tasks(ctx, p, run)
	require.NoError(t, err)
	require.Len(t, tasks, 2, "the streaming task is passed through")
	require.Zero(t, calls(t, home, "sql-client.sh"))

	require.NoError(t, admin.Call(ctx, http.MethodPost, in+"/executors/task-instance/"+itoa(task)+"/start",
		url.Values{"version": {"1"}, "environmentCode": {environment}}, nil))
	streams := func(state string) harness.TaskInstance {
		t.Helper()
		var found harness.TaskInstance
		require.Eventually(t, func() bool {
			page, err := admin.TaskInstances(ctx, p, url.Values{"taskExecuteType": {"STREAM"}})
			if err != nil || len(page.TotalList) == 0 {
				return false
			}
			found = page.TotalList[0]
			return found.State == state && (found.AppLink != "" || state != "RUNNING_EXECUTION")
		}, time.Minute, 50*time.Millisecond, "the streaming task should be %s", state)
		return found
	}
	first := streams("RUNNING_EXECUTION")
	require.Equal(t, "a1b2c3", first.AppLink)
	page, err := admin.Instances(ctx, p, 1, 10, nil)
	require.NoError(t, err)
	require.Equal(t, 1, page.Total, "it has no workflow instance")
	batch, err := admin.TaskInstances(ctx, p, nil)
	require.NoError(t, err)
	require.Equal(t, 2, batch.Total)

	savepoint := func(id int64) error {
		return admin.Call(ctx, http.MethodPost, in+"/task-instances/"+itoa(id)+"/savepoint", nil, nil)
	}
	require.NoError(t, savepoint(first.ID))
	log, err := admin.DownloadLog(ctx, first.ID)
	require.NoError(t, err)
	require.Contains(t, log, "Job ID: a1b2c3")
	require.Contains(t, log, "Savepoint completed. Path: file:/savepoints/savepoint-a1b2c3")
	require.Equal(t, 10196, harness.Code(savepoint(tasks[0].ID)), "a task that is no stream has none")

	require.NoError(t, worker.Kill(ctx))
	require.NoError(t, worker.Restart(ctx))
	var second harness.TaskInstance
	require.Eventually(t, func() bool { second = streams("RUNNING_EXECUTION"); return second.ID != first.ID }, time.Minute, 50*time.Millisecond)
	require.Equal(t, "a1b2c3", second.AppLink)
	require.Equal(t, 1, calls(t, home, "sql-client.sh"), "the job is submitted once")
	require.Zero(t, calls(t, home, "flink cancel"), "and went on")
	require.NoError(t, savepoint(second.ID))

	require.NoError(t, admin.Call(ctx, http.MethodPost, in+"/task-instances/"+itoa(second.ID)+"/stop", nil, nil))
	require.Equal(t, second.ID, streams("KILL").ID)
	require.Equal(t, 1, calls(t, home, "flink cancel a1b2c3"))
	require.Equal(t, 10196, harness.Code(savepoint(second.ID)), "it is over")
	require.Equal(t, 2, calls(t, home, "flink savepoint a1b2c3"))
}

// An engineer starts a streaming task from the editor, watches it in its list, takes a savepoint and stops it, on a screen and on
// a telephone.
func TestAnEngineerStartsAStreamFromTheEditor(t *testing.T) {
	t.Parallel()
	looks := append(browser.Looks(), browser.Look{Language: "en", Width: 360, Height: 780}, browser.Look{Language: "zh", Dark: true, Width: 360, Height: 780})
	for n, look := range looks {
		name := look.String()
		if look.Width != 0 {
			name += "-360"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := standalone(t)
			home := flinkHome(t)
			p, workflow, task, environment := clicks(within(t, time.Minute), t, s.Admin, home)
			tab := chromium(t).Tab(t, s.URL, look)
			shot := func(what string) { tab.Screenshot("stream-" + name + "-" + what) }
			tab.SignIn("admin", password)
			list := "/projects/" + itoa(p) + "/task-instances"
			if look.Width == 0 {
				tab.Goto("/projects/" + itoa(p) + "/workflows/" + itoa(workflow))
				e := tab.Editor()
				e.OpenTask("count")
				shot("1-editor")
				tab.Click(browser.Test("editor.panel.stream"))
			} else {
				tab.Goto("/projects/" + itoa(p) + "/workflows/" + itoa(workflow) + "/tasks/" + itoa(task) + "/start")
			}
			tab.See(browser.Test("stream.form"))
			tab.Choose(browser.Test("run.environment"), environment)
			shot("2-dialog")
			tab.Submit()
			tab.WaitPath(list + "/stream")
			tab.See(browser.Test("streams.table"), "count")
			require.Eventually(t, func() bool {
				page, err := s.Admin.TaskInstances(t.Context(), p, url.Values{"taskExecuteType": {"STREAM"}})
				return err == nil && len(page.TotalList) == 1 && page.TotalList[0].AppLink != ""
			}, time.Minute, 100*time.Millisecond)
			tab.Goto(list + "/stream")
			shot("3-list")
			tab.Click(browser.Test("row.SAVEPOINT"))
			tab.See(browser.Test("act.confirm"))
			shot("4-savepoint")
			tab.Click(browser.Test("act.confirm") + " button[type=submit]")
			tab.WaitText("#toasts", "file:/savepoints/savepoint-a1b2c3")
			shot("5-saved")
			require.Equal(t, 1, calls(t, home, "flink savepoint a1b2c3"))
			tab.Click("a.name", "count")
			tab.See(browser.Test("task.savepoints"), "file:/savepoints/savepoint-a1b2c3")
			shot("6-task")
			tab.Click(browser.Test("act.STOP"))
			tab.Click(browser.Test("act.confirm") + " button[type=submit]")
			tab.WaitText("#toasts", "count")
			require.Eventually(t, func() bool { return calls(t, home, "flink cancel a1b2c3") == 1 }, time.Minute, 50*time.Millisecond)
			require.Eventually(t, func() bool {
				page, err := s.Admin.TaskInstances(t.Context(), p, url.Values{"taskExecuteType": {"STREAM"}, "stateType": {"KILL"}})
				return err == nil && len(page.TotalList) == 1
			}, time.Minute, 50*time.Millisecond)
			tab.Goto(list + "/stream")
			tab.See("[data-state=KILL]")
			shot("7-stopped")
			tab.Goto(list)
			shot("8-batch")
			if n == 0 {
				tab.Goto(list + "/stream?state=SUCCESS")
				require.False(t, tab.Has(browser.Test("streams.table")))
			}
			require.Empty(t, tab.Console())
		})
	}
}
