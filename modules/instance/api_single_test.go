package instance_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/workflow"
)

// wire is a workflow as clients post it: its tasks and relations as JSON texts.
func wire(t *testing.T, def *flow.Definition) (tasks, relations string) {
	t.Helper()
	a, err := json.Marshal(def.Tasks)
	require.NoError(t, err)
	b, err := json.Marshal(def.Edges)
	require.NoError(t, err)
	return string(a), string(b)
}

func TestOneTaskIsStartedAlone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		task := w.flow.Definition.Tasks[1]
		at := fmt.Sprintf("/executors/task-instance/%d/start", task.Code)
		e := w.rest(t, "POST", at, "version", "1", "startParams", `{"dt":"7"}`)
		require.Zero(t, e.Code, e.Msg)
		require.JSONEq(t, "true", string(e.Data))
		param, err := db.Get[string](t.Context(), d, `SELECT command_param FROM workflow_instance ORDER BY id DESC LIMIT 1`)
		require.NoError(t, err)
		require.Contains(t, param, fmt.Sprintf(`"startNodes":[%d]`, task.Code))
		depend, err := db.Get[string](t.Context(), d, `SELECT task_depend_type FROM workflow_instance ORDER BY id DESC LIMIT 1`)
		require.NoError(t, err)
		require.Equal(t, "TASK_ONLY", depend)
		require.Equal(t, 10000, w.rest(t, "POST", at, "version", "9").Code, "there is no such version of the task")
		require.Equal(t, 50059, w.rest(t, "POST", at).Code)
		require.Equal(t, 50030, w.rest(t, "POST", "/executors/task-instance/77/start", "version", "1").Code)
		require.Equal(t, 30002, w.asked(t, w.stranger(), "POST", w.at(at), "version", "1").Code)
		require.Equal(t, 30003, w.asked(t, w.member(t, "rita", access.Read), "POST", w.at(at), "version", "1").Code)

		require.Zero(t, w.rest(t, "POST", "/executors/start-check", "processDefinitionCode", strconv.FormatInt(w.flow.Workflow.Code, 10)).Code)
		require.Equal(t, 50003, w.rest(t, "POST", "/executors/start-check", "processDefinitionCode", "77").Code)
		require.Equal(t, 30002, w.asked(t, w.stranger(), "POST", w.at("/executors/start-check"), "processDefinitionCode", "77").Code)
	})
}

func TestAFinishedRunCanBeGivenAnotherDefinition(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		id, _ := w.run(t, flow.WorkflowRunning)
		at := "/workflow-instances/" + strconv.FormatInt(id, 10)
		def := *w.flow.Definition
		def.Tasks = append([]flow.Task{}, def.Tasks...)
		def.Tasks[0].Params = json.RawMessage(`{"rawScript":"echo once"}`)
		tasks, relations := wire(t, &def)
		fields := []string{"taskDefinitionJson", tasks, "taskRelationJson", relations, "globalParams", `[{"prop":"dt","direct":"IN","type":"VARCHAR","value":"x"}]`, "timeout", "3"}
		put := func(sync string) envelope { return w.rest(t, "PUT", at, append(fields, "syncDefine", sync)...) }
		require.Equal(t, 50006, put("false").Code, "it has not ended")
		w.become(t, id, flow.WorkflowFailure)
		require.Equal(t, 10115, w.rest(t, "PUT", at, fields...).Code, "syncDefine is missing")
		require.Equal(t, 50017, w.rest(t, "PUT", at, "syncDefine", "false", "taskDefinitionJson", "{", "taskRelationJson", relations).Code)

		e := put("false")
		require.Zero(t, e.Code, e.Msg)
		require.Contains(t, string(e.Data), `"version":2,`)
		head, err := w.workflows.Get(w.gwen, w.flow.Workflow.Code)
		require.NoError(t, err)
		require.Equal(t, 1, head.Version, "the workflow stays what it is")
		i, err := w.Get(w.gwen, id)
		require.NoError(t, err)
		require.Equal(t, 2, i.WorkflowVersion)
		require.Equal(t, 3, i.TimeoutMinutes)
		require.Contains(t, i.GlobalParams, `"x"`)
		require.Contains(t, string(w.rest(t, "GET", at).Data), "echo once")
		require.ErrorIs(t, w.workflows.DeleteVersion(w.gwen, head.Code, 2), workflow.ErrVersionInUse)
		require.Contains(t, w.Audited(t), "workflow_instance.edit")

		e = put("true")
		require.Zero(t, e.Code, e.Msg)
		head, err = w.workflows.Get(w.gwen, w.flow.Workflow.Code)
		require.NoError(t, err)
		require.Equal(t, 3, head.Version, "a number is never given twice")
		require.True(t, head.Online())

		path := w.at(at)
		require.Equal(t, 30002, w.asked(t, w.stranger(), "PUT", path, append(fields, "syncDefine", "false")...).Code)
		require.Equal(t, 30003, w.asked(t, w.member(t, "rita", access.Read), "PUT", path, append(fields, "syncDefine", "false")...).Code)
		require.Equal(t, 50001, w.rest(t, "PUT", "/workflow-instances/77", append(fields, "syncDefine", "false")...).Code)
	})
}

func TestTheTreeShowsTheLastRunsOfEachTask(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		id, _ := w.run(t, flow.WorkflowRunning)
		w.attempt(t, id, 41, attempt{task: 0, state: flow.TaskSuccess})
		path := fmt.Sprintf("/workflow-definition/%d/view-tree", w.flow.Workflow.Code)
		type tree struct {
			Name      string
			Code      int64
			Instances []struct {
				ID    int64
				Name  string
				State *string
				Type  string
			}
			Children []tree
		}
		var got tree
		require.NoError(t, json.Unmarshal(w.rest(t, "GET", path, "limit", "5").Data, &got))
		require.Equal(t, "DAG", got.Name)
		require.Equal(t, id, got.Instances[0].ID)
		require.Equal(t, "a", got.Children[0].Name)
		require.Equal(t, int64(41), got.Children[0].Instances[0].ID)
		b := got.Children[0].Children[0]
		require.Equal(t, "b", b.Name)
		require.Equal(t, int64(-1), b.Instances[0].ID, "it has not run")
		require.Nil(t, b.Instances[0].State)
		require.Equal(t, "null", b.Instances[0].Type)
		require.Equal(t, 10001, w.rest(t, "GET", path, "limit", "-1").Code)
		require.Equal(t, 10111, w.rest(t, "GET", path).Code)
		require.Equal(t, 30002, w.asked(t, w.stranger(), "GET", w.at(path), "limit", "5").Code)

		running := string(w.rest(t, "GET", "/executors/query-executing-workflow", "id", strconv.FormatInt(id, 10)).Data)
		require.Contains(t, running, fmt.Sprintf(`"processInstanceId":%d,`, id))
		require.Contains(t, running, `"taskInstances":[{"id":41,`)
		w.become(t, id, flow.WorkflowSuccess)
		require.Equal(t, "null", string(w.rest(t, "GET", "/executors/query-executing-workflow", "id", strconv.FormatInt(id, 10)).Data))
		require.Equal(t, 10192, w.rest(t, "GET", "/executors/query-executing-workflow").Code)
		require.Equal(t, 30002, w.asked(t, w.stranger(), "GET", w.at("/executors/query-executing-workflow"), "id", "1").Code)
	})
}

func TestACubeOfTasksIsNoEndlessTree(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	const layers, wide = 12, 4 // 4^12 ways
	tasks := make([]flow.Task, 0, layers*wide)
	var edges [][2]int
	for l := range layers {
		for k := range wide {
			task := w.flow.Definition.Tasks[0]
			task.Code, task.Name, task.Version = w.codes.Next(), fmt.Sprintf("t%d-%d", l, k), 0
			tasks = append(tasks, task)
			for p := 0; l > 0 && p < wide; p++ {
				edges = append(edges, [2]int{(l-1)*wide + p, l*wide + k})
			}
		}
	}
	s := w.drawn(t, "cube", tasks, edges...)
	e := w.rest(t, "GET", fmt.Sprintf("/workflow-definition/%d/view-tree", s.Workflow.Code), "limit", "1")
	require.Zero(t, e.Code, e.Msg)
	require.Less(t, len(e.Data), 20<<20)
	require.Contains(t, string(e.Data), `"t11-3"`)
}

func TestCommandsAndCountsAreOfVisibleProjects(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		id := w.start(t)
		w.attempt(t, id, 51, attempt{task: 0, state: flow.TaskSuccess})
		_, err := d.Exec(t.Context(), `INSERT INTO error_command (id, command_type, workflow_instance_id, param, executor_id, message, created_at, failed_at)
			VALUES (9, 'START_PROCESS', ?, '{}', ?, 'no such version', ?, ?)`, id, w.General.UserID, time.Now(), time.Now())
		require.NoError(t, err)
		ask := func(path string, fields ...string) string {
			e := w.asked(t, w.General, "GET", path, fields...)
			require.Zero(t, e.Code, "%s: %s", path, e.Msg)
			return string(e.Data)
		}
		own := strconv.FormatInt(w.project, 10)
		for _, more := range [][]string{{"pageNo", "1", "pageSize", "5"}, {"pageNo", "1", "pageSize", "5", "projectCode", own}} {
			require.Contains(t, ask("/projects/analysis/listCommand", more...), fmt.Sprintf(`"workflowInstanceId":%d`, id))
			require.Contains(t, ask("/projects/analysis/listErrorCommand", more...), `"message":"no such version"`)
		}
		require.Equal(t, 10001, w.asked(t, w.General, "GET", "/projects/analysis/listCommand", "pageNo", "0", "pageSize", "5").Code)
		require.Contains(t, string(w.asked(t, w.stranger(), "GET", "/projects/analysis/listCommand", "pageNo", "1", "pageSize", "5").Data), `"total":0`)
		require.Equal(t, 30002, w.asked(t, w.stranger(), "GET", "/projects/analysis/listErrorCommand", "pageNo", "1", "pageSize", "5", "projectCode", own).Code)

		const base = "/v2/statistics"
		one, task := strconv.FormatInt(w.flow.Workflow.Code, 10), strconv.FormatInt(w.flow.Definition.Tasks[0].Code, 10)
		user := strconv.FormatInt(w.General.UserID, 10)
		for path, want := range map[string]string{
			"/workflows/states/count":               `{"taskStateType":"SUBMITTED_SUCCESS","count":1}`,
			"/" + one + "/states/count":             `{"taskStateType":"SUBMITTED_SUCCESS","count":1}`,
			"/tasks/states/count":                   `{"taskStateType":"SUCCESS","count":1}`,
			"/tasks/" + task + "/states/count":      `{"totalCount":1,`,
			"/workflows/users/count":                `{"count":1,"userList":[{"userName":"gwen",`,
			"/workflows/users/" + user + "/count":   `{"count":1,`,
			"/workflows/users/" + user + "/1/count": `{"count":1,`,
			"/workflows/users/" + user + "/0/count": `{"count":0,"userList":[]}`,
		} {
			require.Contains(t, ask(base+path), want, path)
		}
		require.Contains(t, ask(base+"/tasks/states/count", "projectName", "etl", "startTime", "2100-01-01 00:00:00"), `"totalCount":0`)
		require.Contains(t, ask(base+"/tasks/states/count", "taskName", "b"), `"totalCount":0`)
		for path, want := range map[string]int{
			"/" + one + "/states/count": 30002, "/tasks/" + task + "/states/count": 50030, "/workflows/states/count?projectName=etl": 10190,
		} {
			require.Equal(t, want, w.asked(t, w.stranger(), "GET", strings.Replace(base+path, "?", "?x=1&", 1)).Code, path)
		}
		require.Contains(t, string(w.asked(t, w.stranger(), "GET", base+"/workflows/users/count").Data), `"count":0`)
		require.Equal(t, 50003, w.asked(t, w.General, "GET", base+"/77/states/count").Code)
		require.Equal(t, 50013, w.asked(t, w.General, "GET", base+"/workflows/users/x/count").Code)
		require.Equal(t, 50013, w.asked(t, w.General, "GET", base+"/workflows/users/1/9/count").Code)
		require.Equal(t, 10139, w.asked(t, w.General, "GET", base+"/workflows/states/count", "startTime", "yesterday").Code)
	})
}

func TestRunsGoAlongWhenTheirWorkflowMoves(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		other, err := w.projects.Create(w.gwen, projectDraft("other"))
		require.NoError(t, err)
		id := w.start(t)
		w.attempt(t, id, 61, attempt{task: 0, state: flow.TaskSuccess})
		code := w.flow.Workflow.Code
		_, err = w.workflows.Release(w.gwen, code, flow.Offline)
		require.NoError(t, err)
		require.ErrorIs(t, w.workflows.Move(w.gwen, []int64{code}, other.Code), workflow.ErrMoved, "it runs")
		w.become(t, id, flow.WorkflowSuccess)
		require.NoError(t, w.workflows.Move(w.gwen, []int64{code}, other.Code))
		i, err := w.GetIn(w.gwen, other.Code, id)
		require.NoError(t, err)
		require.Equal(t, 1, i.WorkflowVersion)
		task, err := w.Task(w.gwen, 61)
		require.NoError(t, err)
		require.Equal(t, other.Code, task.ProjectCode)
	})
}
