//go:build e2e

package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

// A data engineer automates Dorado with the script she wrote for DolphinScheduler: she knows only the REST interface.
func TestAScriptCreatesRunsAndReadsAWorkflowByREST(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) *server{
		"sqlite": func(t *testing.T) *server { t.Helper(); return standalone(t) },
		"postgres": func(t *testing.T) *server {
			t.Helper()
			return standalone(t, "DORADO_DATABASE="+database(t))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			restScript(t, start(t))
		})
	}
}

func restScript(t *testing.T, s *server) {
	t.Helper()
	ctx := within(t, 2*time.Minute)
	admin := s.Admin

	// Security center: a queue, a tenant in it, a user of the tenant.
	queue, err := admin.CreateQueue(ctx, "reports", "root.reports")
	require.NoError(t, err)
	require.Equal(t, 10129, harness.Code(second(admin.CreateQueue(ctx, "other", "root.reports"))), "the queue's value exists")
	tenant, err := admin.CreateTenant(ctx, "nobody", queue.ID)
	require.NoError(t, err)
	require.Equal(t, 10009, harness.Code(second(admin.CreateTenant(ctx, "nobody", queue.ID))), "the tenant exists")
	user, err := admin.CreateUser(ctx, "erin", "erin-Passw0rd", tenant.ID)
	require.NoError(t, err)
	require.Equal(t, "GENERAL_USER", user.UserType)
	erin := signIn(t, s.URL, "erin", "erin-Passw0rd")

	// A project of her own.
	p, err := erin.CreateProject(ctx, "etl", "nightly loads")
	require.NoError(t, err)
	require.Greater(t, p.Code, int64(1)<<31)
	require.Less(t, p.Code, int64(1)<<53)
	require.Equal(t, 10019, harness.Code(second(erin.CreateProject(ctx, "etl", ""))))
	found, err := erin.Projects(ctx, "et")
	require.NoError(t, err)
	require.Equal(t, 1, found.Total)

	// A workflow: A → (B, C) → D, parameters handed on.
	w := harness.Workflow{
		Name: "daily", Globals: []harness.Property{{Prop: "day", Direct: "IN", Type: "VARCHAR", Value: "2026-01-02"}},
		Tasks: []harness.Task{
			{Name: "A", Script: "echo \"A of ${day}\"\necho '${setValue(rows=42)}'", Params: []harness.Property{{Prop: "rows", Direct: "OUT", Type: "INTEGER"}}},
			{Name: "B", Script: "echo B sees ${rows} rows", After: []string{"A"}},
			{Name: "C", Type: "PYTHON", Script: "print('C sees', ${rows} * 2)", After: []string{"A"}},
			{Name: "D", Script: "echo D done", After: []string{"B", "C"}},
		},
	}
	codes, err := erin.GenTaskCodes(ctx, p.Code, 4)
	require.NoError(t, err)
	require.Len(t, codes, 4)
	d, err := erin.CreateWorkflow(ctx, p.Code, w)
	require.NoError(t, err)
	require.Equal(t, "daily", d.Name)
	require.Equal(t, 10168, harness.Code(second(erin.CreateWorkflow(ctx, p.Code, w))), "the name is taken")

	dag, err := erin.Workflow(ctx, p.Code, d.Code)
	require.NoError(t, err)
	require.Len(t, dag.TaskDefinitionList, 4)
	require.Len(t, dag.WorkflowTaskRelationList, 5)
	require.Equal(t, 1, dag.WorkflowDefinition.Version)

	// It does not run while it is offline; a cycle is refused.
	_, err = erin.StartWorkflow(ctx, p.Code, d.Code, harness.StartOptions{})
	require.Equal(t, 50004, harness.Code(err))
	cyclic := harness.Workflow{Name: "cyclic", Tasks: []harness.Task{{Name: "x", Script: "true", After: []string{"y"}}, {Name: "y", Script: "true", After: []string{"x"}}}}
	require.Equal(t, 50019, harness.Code(second(erin.CreateWorkflow(ctx, p.Code, cyclic))))

	// Change it, look it up, publish it.
	w.Description = "changed"
	own := map[string]int64{}
	for _, task := range dag.TaskDefinitionList {
		own[task.Name] = task.Code
	}
	_, err = erin.UpdateWorkflow(ctx, p.Code, d.Code, w, []int64{own["A"], own["B"], own["C"], own["D"]})
	require.NoError(t, err)
	list, err := erin.Workflows(ctx, p.Code, "dai")
	require.NoError(t, err)
	require.Equal(t, 1, list.Total)
	require.NoError(t, erin.Release(ctx, p.Code, d.Code, "ONLINE"))
	_, err = erin.UpdateWorkflow(ctx, p.Code, d.Code, w, []int64{own["A"], own["B"], own["C"], own["D"]})
	require.Equal(t, 50008, harness.Code(err), "an online workflow is not edited")

	// Run it with a start parameter, follow it, read what it did.
	id, err := erin.StartWorkflow(ctx, p.Code, d.Code, harness.StartOptions{Params: `{"day":"2026-05-06"}`})
	require.NoError(t, err)
	run, err := erin.WaitInstance(ctx, p.Code, id, 10*time.Millisecond, "SUCCESS")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(run.Name, "daily-"), run.Name)
	require.NotEmpty(t, run.EndTime)
	tasks, err := erin.Tasks(ctx, p.Code, id)
	require.NoError(t, err)
	logs := map[string]string{}
	for _, task := range tasks {
		require.Equal(t, "SUCCESS", task.State, task.Name)
		l, err := erin.TaskLog(ctx, task.ID, 0, 1000)
		require.NoError(t, err)
		require.Contains(t, l.Message, "[LOG-PATH]")
		logs[task.Name] = l.Message
		whole, err := erin.DownloadLog(ctx, task.ID)
		require.NoError(t, err)
		require.Contains(t, whole, "[LOG-PATH]")
	}
	require.Contains(t, logs["A"], "A of 2026-05-06")
	require.Contains(t, logs["B"], "B sees 42 rows")
	require.Contains(t, logs["C"], "C sees 84")
	require.Contains(t, logs["D"], "D done")
	page, err := erin.TaskInstances(ctx, p.Code, url.Values{"workflowInstanceId": {itoa(id)}, "stateType": {"SUCCESS"}})
	require.NoError(t, err)
	require.Equal(t, 4, page.Total)

	// Run it again in place, then only one of its tasks.
	require.NoError(t, erin.Execute(ctx, p.Code, id, "REPEAT_RUNNING"))
	require.Eventually(t, func() bool {
		again, err := erin.Instance(ctx, p.Code, id)
		return err == nil && again.RunTimes == 2 && again.State == "SUCCESS"
	}, 30*time.Second, 20*time.Millisecond)
	only, err := erin.StartWorkflow(ctx, p.Code, d.Code, harness.StartOptions{Nodes: itoa(own["B"]), Depend: "TASK_ONLY", Params: `{"rows":"7"}`})
	require.NoError(t, err)
	_, err = erin.WaitInstance(ctx, p.Code, only, 10*time.Millisecond, "SUCCESS")
	require.NoError(t, err)
	tasks, err = erin.Tasks(ctx, p.Code, only)
	require.NoError(t, err)
	require.Len(t, tasks, 1)
	require.Equal(t, "B", tasks[0].Name)

	// Clean up: nothing is deleted while it is in use.
	require.Equal(t, 50021, harness.Code(erin.DeleteWorkflow(ctx, p.Code, d.Code)), "it is online")
	require.NoError(t, erin.DeleteInstance(ctx, p.Code, only))
	require.Equal(t, 50001, harness.Code(second(erin.Instance(ctx, p.Code, only))))
	require.NoError(t, erin.Release(ctx, p.Code, d.Code, "OFFLINE"))
	require.NoError(t, erin.DeleteWorkflow(ctx, p.Code, d.Code))
	require.Equal(t, 50003, harness.Code(second(erin.Workflow(ctx, p.Code, d.Code))))
	require.NotZero(t, harness.Code(admin.Call(ctx, http.MethodDelete, "/tenants/"+itoa(tenant.ID), nil, nil)), "a user belongs to the tenant")
}

func TestARunIsPausedResumedStoppedAndRecoveredByREST(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	ctx := within(t, 2*time.Minute)
	p := project(t, s.Admin, "operations")
	gate := open(t) + "/gate"
	d, err := s.Admin.Publish(ctx, p, harness.Workflow{Name: "steps", Tasks: []harness.Task{
		{Name: "first", Script: "sleep 1"},
		{Name: "second", Script: "test -e " + gate, After: []string{"first"}},
	}})
	require.NoError(t, err)
	start := func() int64 {
		id, err := s.Admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
		require.NoError(t, err)
		return id
	}
	running := func(id int64) {
		require.Eventually(t, func() bool {
			tasks, err := s.Admin.Tasks(ctx, p, id)
			return err == nil && len(tasks) == 1 && tasks[0].State == "RUNNING_EXECUTION"
		}, 10*time.Second, 10*time.Millisecond)
	}

	// Paused: what runs goes on to its end, the next waits; resumed: it goes on, and fails.
	id := start()
	running(id)
	require.NoError(t, s.Admin.Execute(ctx, p, id, "PAUSE"))
	_, err = s.Admin.WaitInstance(ctx, p, id, 10*time.Millisecond, "PAUSE")
	require.NoError(t, err)
	require.Equal(t, 50006, harness.Code(s.Admin.Execute(ctx, p, id, "PAUSE")), "a paused run cannot be paused")
	require.NoError(t, s.Admin.Execute(ctx, p, id, "RECOVER_SUSPENDED_PROCESS"))
	untilState(t, s, p, id, "FAILURE")

	// Repaired: the failed task alone runs again.
	touch(t, gate)
	require.NoError(t, s.Admin.Execute(ctx, p, id, "START_FAILURE_TASK_PROCESS"))
	untilState(t, s, p, id, "SUCCESS")
	tasks, err := s.Admin.Tasks(ctx, p, id)
	require.NoError(t, err)
	require.Len(t, tasks, 2)

	// Stopped: the running task is killed.
	id = start()
	running(id)
	began := time.Now()
	require.NoError(t, s.Admin.Execute(ctx, p, id, "STOP"))
	untilState(t, s, p, id, "STOP")
	require.Less(t, time.Since(began), 5*time.Second)
	tasks, err = s.Admin.Tasks(ctx, p, id)
	require.NoError(t, err)
	require.Equal(t, "KILL", tasks[0].State)
}

// untilState waits through intermediate final states, such as the old FAILURE of a run that is being recovered.
func untilState(t *testing.T, s *server, project, id int64, state string) {
	t.Helper()
	var last harness.Instance
	require.Eventually(t, func() bool {
		i, err := s.Admin.Instance(t.Context(), project, id)
		last = i
		return err == nil && i.State == state
	}, 30*time.Second, 10*time.Millisecond, "waiting for %s, at last %s", state, &last.State)
}
