package instance_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/instance"
)

// stranger has no part in the project.
func (w *world) stranger() access.Principal {
	return access.Principal{UserID: w.General.UserID + 1000, Name: "stranger"}
}

// asked calls an address as it is and returns the envelope.
func (w *world) asked(t *testing.T, who access.Principal, method, path string, fields ...string) envelope {
	t.Helper()
	rec := w.raw(t, who, method, path, fields...)
	require.Equal(t, http.StatusOK, rec.Code, rec.Body.String())
	var e envelope
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &e), rec.Body.String())
	return e
}

func TestVersion2KnowsInstancesByTheirIDs(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		id, _ := w.run(t, flow.WorkflowRunning)
		one := "/v2/workflow-instances/" + strconv.FormatInt(id, 10)
		var got struct {
			ID    int64
			State string
		}
		require.NoError(t, json.Unmarshal(w.asked(t, w.General, "GET", one).Data, &got))
		require.Equal(t, id, got.ID)
		for _, at := range []string{one, w.at("/workflow-instances/" + strconv.FormatInt(id, 10))} {
			require.Contains(t, string(w.asked(t, w.General, "GET", at).Data), `"taskDefinitionList"`)
			light := w.asked(t, w.General, "GET", at, "dag", "false")
			require.Contains(t, string(light.Data), `"dagData":null`, "who only waits need not be sent the workflow each time")
			require.NoError(t, json.Unmarshal(light.Data, &got))
			require.Equal(t, "RUNNING_EXECUTION", got.State)
			require.NotZero(t, w.asked(t, w.stranger(), "GET", at, "dag", "false").Code)
			require.Contains(t, w.asked(t, w.General, "GET", at, "dag", "perhaps").Msg, "dag", "which parameter is wrong")
		}
		require.Equal(t, 0, w.asked(t, w.General, "POST", one+"/execute/PAUSE").Code)
		require.Equal(t, 10000, w.asked(t, w.General, "POST", one+"/execute/NONSENSE").Code)
		require.Equal(t, 50006, w.asked(t, w.General, "DELETE", one).Code, "it has not ended")
		var page struct{ Total, PageSize int }
		require.NoError(t, json.Unmarshal(w.asked(t, w.General, "GET", "/v2/workflow-instances", "projectName", "etl").Data, &page))
		require.Equal(t, 1, page.Total)
		require.Equal(t, 10, page.PageSize, "version 2 has defaults for pages")
		require.Equal(t, 10113, w.asked(t, w.General, "GET", "/v2/workflow-instances").Code, "whose instances?")

		task := w.attempt(t, id, 31, attempt{task: 0, state: flow.TaskFailure})
		in := "/v2" + w.at("/task-instances")
		require.NoError(t, json.Unmarshal(w.asked(t, w.General, "GET", in, "workflowInstanceId", strconv.FormatInt(id, 10)).Data, &page))
		require.Equal(t, 1, page.Total)
		at := in + "/" + strconv.FormatInt(task, 10)
		var bare struct{ Name string }
		require.NoError(t, json.Unmarshal(w.raw(t, w.General, "POST", at).Body.Bytes(), &bare), "no envelope")
		require.Equal(t, "a", bare.Name)
		require.Equal(t, 10196, w.asked(t, w.General, "POST", at+"/savepoint").Code)
		require.Equal(t, 50006, w.asked(t, w.General, "POST", at+"/force-success").Code, "its run has not ended")

		for _, path := range []string{one, at + "/savepoint", at + "/stop", at + "/force-success", one + "/execute/STOP"} {
			method := "POST"
			if path == one {
				method = "DELETE"
			}
			require.NotZero(t, w.asked(t, w.stranger(), method, path).Code, path)
		}
		require.NotZero(t, w.asked(t, w.stranger(), "GET", one).Code)
		require.NotZero(t, w.asked(t, w.stranger(), "GET", in).Code)
		require.NotZero(t, w.asked(t, w.stranger(), "GET", "/v2/workflow-instances", "projectName", "etl").Code)

		w.become(t, id, flow.WorkflowSuccess)
		require.Equal(t, 0, w.asked(t, w.General, "DELETE", one).Code)
		require.Equal(t, 50001, w.asked(t, w.General, "GET", one).Code)
	})
}

func TestInstancesLeadToThoseTheyStartedAndBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		run, _ := w.run(t, flow.WorkflowRunning)
		task := w.attempt(t, run, 41, attempt{task: 0, state: flow.TaskRunning})
		id := strconv.FormatInt(task, 10)
		require.Equal(t, 10021, w.rest(t, "GET", "/workflow-instances/query-sub-by-parent", "taskId", id).Code, "a shell task starts none")
		require.Equal(t, 10020, w.rest(t, "GET", "/workflow-instances/query-sub-by-parent", "taskId", "999").Code)
		_, err := d.Exec(t.Context(), `UPDATE task_instance SET task_type = 'SUB_WORKFLOW' WHERE id = ?`, task)
		require.NoError(t, err)
		require.Equal(t, 50007, w.rest(t, "GET", "/workflow-instances/query-sub-by-parent", "taskId", id).Code, "not yet")
		child, err := w.StartChild(w.gwen, instance.ChildRequest{
			ParentInstanceID: run, ParentTaskInstanceID: task, ParentTaskCode: w.flow.Definition.Tasks[0].Code, WorkflowCode: w.flow.Workflow.Code,
			Command: flow.CommandStart, StartParams: []flow.Property{{Prop: "region", Value: "EU"}},
		})
		require.NoError(t, err)
		childID, runID := strconv.FormatInt(child, 10), strconv.FormatInt(run, 10)
		require.JSONEq(t, `{"subWorkflowInstanceId":`+childID+`}`, string(w.rest(t, "GET", "/workflow-instances/query-sub-by-parent", "taskId", id).Data))
		require.JSONEq(t, `{"subProcessInstanceId":`+childID+`}`, string(w.rest(t, "GET", "/process-instances/query-sub-by-parent", "taskId", id).Data))
		require.JSONEq(t, `{"parentWorkflowInstance":`+runID+`}`, string(w.rest(t, "GET", "/workflow-instances/query-parent-by-sub", "subId", childID).Data))
		require.Equal(t, 50010, w.rest(t, "GET", "/workflow-instances/query-parent-by-sub", "subId", runID).Code)

		_, err = d.Exec(t.Context(), `UPDATE task_instance SET task_type = 'DYNAMIC' WHERE id = ?`, task)
		require.NoError(t, err)
		var subs []struct {
			WorkflowInstanceID int64
			Index              int
			Parameters         map[string]string
			State              string
		}
		require.NoError(t, json.Unmarshal(w.rest(t, "GET", "/workflow-instances/query-dynamic-sub-workflows", "taskId", id).Data, &subs))
		require.Len(t, subs, 1)
		require.Equal(t, child, subs[0].WorkflowInstanceID)
		require.Equal(t, 1, subs[0].Index)
		require.Equal(t, "EU", subs[0].Parameters["region"])
		for _, path := range []string{"query-sub-by-parent?taskId=" + id, "query-parent-by-sub?subId=" + childID, "query-dynamic-sub-workflows?taskId=" + id} {
			require.NotZero(t, w.asked(t, w.stranger(), "POST", w.at("/executors/execute"), "workflowInstanceId", runID, "executeType", "STOP").Code)
			rec := w.raw(t, w.stranger(), "GET", w.at("/workflow-instances/"+path))
			require.Contains(t, rec.Body.String(), `"success":false`, path)
		}
	})
}

func TestTheFirstPagesNumbersCountWhatTheCallerSees(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		id, _ := w.run(t, flow.WorkflowSuccess)
		w.run(t, flow.WorkflowFailure)
		w.attempt(t, id, 51, attempt{task: 0, state: flow.TaskSuccess})
		type counts struct {
			TotalCount                   int
			WorkflowInstanceStatusCounts []struct {
				State string
				Count int
			}
			TaskInstanceStatusCounts []struct {
				State string
				Count int
			}
		}
		in := strconv.FormatInt(w.project, 10)
		for _, fields := range [][]string{nil, {"projectCode", in}} {
			var runs, tasks counts
			require.NoError(t, json.Unmarshal(w.asked(t, w.General, "GET", "/projects/analysis/workflow-state-count", fields...).Data, &runs))
			require.Equal(t, 2, runs.TotalCount)
			require.Len(t, runs.WorkflowInstanceStatusCounts, len(flow.WorkflowStates()), "every state is listed")
			require.NoError(t, json.Unmarshal(w.asked(t, w.General, "GET", "/projects/analysis/task-state-count", fields...).Data, &tasks))
			require.Equal(t, 1, tasks.TotalCount)
		}
		var old counts
		require.NoError(t, json.Unmarshal(w.asked(t, w.General, "GET", "/projects/analysis/process-state-count").Data, &old))
		require.Equal(t, 2, old.TotalCount)
		require.JSONEq(t, `{"count":1,"userList":[{"userName":"gwen","userId":`+strconv.FormatInt(w.General.UserID, 10)+`,"count":1}]}`,
			string(w.asked(t, w.General, "GET", "/projects/analysis/define-user-count").Data))
		require.Contains(t, string(w.asked(t, w.General, "GET", "/projects/analysis/command-state-count").Data),
			`{"errorCount":0,"normalCount":2,"commandState":"START_PROCESS"}`)
		require.JSONEq(t, `{"taskQueue":0,"taskKill":0}`, string(w.asked(t, w.General, "GET", "/projects/analysis/queue-count").Data))

		var none counts
		require.NoError(t, json.Unmarshal(w.asked(t, w.stranger(), "GET", "/projects/analysis/workflow-state-count").Data, &none))
		require.Zero(t, none.TotalCount, "others see nothing of it")
		require.NotZero(t, w.asked(t, w.stranger(), "GET", "/projects/analysis/task-state-count", "projectCode", in).Code)
		require.JSONEq(t, `{"count":0,"userList":[]}`, string(w.asked(t, w.stranger(), "GET", "/projects/analysis/define-user-count").Data))
		require.NotContains(t, string(w.asked(t, w.stranger(), "GET", "/projects/analysis/command-state-count").Data), `"normalCount":2`)
	})
}
