package workflow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/project"
)

// js sends a JSON body, as version 2 wants it.
func (s *rest) js(t testing.TB, who access.Principal, method, path, body string) (int, envelope) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://dorado.test"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r = r.WithContext(context.WithValue(r.Context(), whoKey{}, who))
	w := httptest.NewRecorder()
	s.router.ServeHTTP(w, r)
	var e envelope
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &e), w.Body.String())
	return w.Code, e
}

// good is a call that must succeed.
func (s *rest) good(t testing.TB, method, path string, fields ...string) string {
	t.Helper()
	e := s.call(t, method, path, fields...)
	require.Zero(t, e.Code, "%s %s: %s", method, path, e.Msg)
	return string(e.Data)
}

func (s *rest) task(code int64, rest string) string {
	return fmt.Sprintf("/projects/%d/task-definition/%d%s", s.project, code, rest)
}

func shell(name, script string) string {
	return fmt.Sprintf(`{"name":%q,"taskType":"SHELL","taskParams":{"rawScript":%q},"failRetryTimes":"2"}`, name, script)
}

func TestATaskIsChangedWithItsWorkflow(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := openREST(t, d)
		code, tasks, _ := s.post(t, "daily")
		extract, load := tasks[0], tasks[1]
		version := func() int { w, err := s.workflows.Get(s.gwen, code); require.NoError(t, err); return w.Version }

		require.Equal(t, fmt.Sprint(load), s.good(t, "PUT", s.task(load, ""), "taskDefinitionJsonObj", shell("load", "echo 2")))
		require.Equal(t, 2, version())
		require.Contains(t, s.good(t, "GET", s.task(load, "")), `"version":2,"description":"","projectCode":`)
		page := s.good(t, "GET", s.task(load, "/versions"), "pageNo", "1", "pageSize", "1")
		require.Contains(t, page, `"total":2,`)
		require.Contains(t, page, `"echo 2"`)
		require.Contains(t, page, `"operator":`)
		require.Equal(t, `null`, s.good(t, "GET", s.task(load, "/versions/1")))
		require.Contains(t, s.good(t, "GET", s.task(load, "")), `print(1)`)
		require.Equal(t, 50040, s.call(t, "GET", s.task(load, "/versions/77")).Code)
		require.Equal(t, 50053, s.call(t, "DELETE", s.task(load, "/versions/3")).Code)
		require.Equal(t, 50041, s.call(t, "DELETE", s.task(load, "/versions/9")).Code)
		s.good(t, "DELETE", s.task(load, "/versions/2"))
		require.Contains(t, s.good(t, "GET", s.task(load, "/versions"), "pageNo", "1", "pageSize", "5"), `"total":2,`)
		require.Equal(t, 50021, func() int {
			s.good(t, "POST", fmt.Sprintf("%s/%d/release", s.base, code), "releaseState", "ONLINE")
			return s.call(t, "GET", s.task(load, "/versions/1")).Code
		}())
		for method, want := range map[string]int{"PUT": 50056, "DELETE": 50050} {
			e := s.call(t, method, s.task(load, ""), "taskDefinitionJsonObj", shell("load", "echo 3"))
			require.Equal(t, want, e.Code, "%s: %s", method, e.Msg)
		}
		require.Equal(t, 50057, s.call(t, "PUT", s.task(load, "/with-upstream"), "taskDefinitionJsonObj", shell("load", "echo 3")).Code)
		s.good(t, "POST", fmt.Sprintf("%s/%d/release", s.base, code), "releaseState", "OFFLINE")

		relation := fmt.Sprintf("/projects/%d/workflow-task-relation", s.project)
		s.good(t, "PUT", s.task(load, "/with-upstream"), "taskDefinitionJsonObj", shell("load", "echo 3"), "upstreamCodes", "")
		require.Equal(t, `[]`, s.good(t, "GET", fmt.Sprintf("%s/%d/upstream", relation, load)))
		s.good(t, "PUT", s.task(load, "/with-upstream"), "taskDefinitionJsonObj", shell("load", "echo 3"), "upstreamCodes", fmt.Sprint(extract))
		require.Contains(t, s.good(t, "GET", fmt.Sprintf("%s/%d/upstream", relation, load)), `"name":"extract"`)
		require.Equal(t, 50030, s.call(t, "PUT", s.task(load, "/with-upstream"), "taskDefinitionJsonObj", shell("load", "x"), "upstreamCodes", "77").Code)
		require.Equal(t, 50017, s.call(t, "PUT", s.task(load, ""), "taskDefinitionJsonObj", "{").Code)
		require.Equal(t, 50020, s.call(t, "PUT", s.task(load, ""), "taskDefinitionJsonObj", `{"name":"load","taskType":"COBOL"}`).Code)
		require.Equal(t, 50038, s.call(t, "PUT", s.task(load, "")).Code, "the parameter is missing")

		s.good(t, "POST", s.task(load, "/release"), "releaseState", "OFFLINE")
		require.Contains(t, s.good(t, "GET", s.task(load, "")), `"flag":"NO"`)
		s.good(t, "POST", s.task(load, "/release"), "releaseState", "ONLINE")
		require.Contains(t, s.good(t, "GET", s.task(load, "")), `"flag":"YES"`)

		base := fmt.Sprintf("/projects/%d/task-definition", s.project)
		_, e := s.as(t, s.General, "POST", base+"/save-single", "processDefinitionCode", fmt.Sprint(code), "taskDefinitionJsonObj", shell("more", "echo"), "upstreamCodes", fmt.Sprint(load))
		require.Zero(t, e.Code, e.Msg)
		require.Contains(t, string(e.Data), `"failRetryTimes":2`)
		list := s.good(t, "GET", base, "pageNo", "1", "pageSize", "10", "searchTaskName", "MOR", "taskType", "SHELL")
		require.Contains(t, list, fmt.Sprintf(`"upstreamTaskMap":{"%d":"load"},"upstreamTaskCode":%d,"upstreamTaskName":"load"`, load, load))
		require.Contains(t, s.good(t, "GET", base, "pageNo", "1", "pageSize", "10", "taskExecuteType", "STREAM"), `"total":0`)
		require.Equal(t, 50051, s.call(t, "DELETE", s.task(load, "")).Code, "another one waits for it")
		var more struct{ Code int64 }
		require.NoError(t, json.Unmarshal(e.Data, &more))
		s.good(t, "DELETE", s.task(more.Code, ""))
		require.Equal(t, 50030, s.call(t, "GET", s.task(more.Code, "")).Code)
	})
}

func TestEdgesAreChangedOneByOne(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := openREST(t, d)
		code, tasks, _ := s.post(t, "daily")
		a, b := fmt.Sprint(tasks[0]), fmt.Sprint(tasks[1])
		base := fmt.Sprintf("/projects/%d/process-task-relation", s.project)
		data := s.good(t, "DELETE", fmt.Sprintf("%s/%d/%s/%s", base, code, a, b))
		require.Contains(t, data, `"version":2`)
		require.Equal(t, 50055, s.call(t, "DELETE", fmt.Sprintf("%s/%d/%s/%s", base, code, a, b)).Code)
		connect := func(pre, post string) envelope {
			return s.call(t, "POST", base, "processDefinitionCode", fmt.Sprint(code), "preTaskCode", pre, "postTaskCode", post)
		}
		require.Zero(t, connect(a, b).Code)
		require.Equal(t, 50034, connect(a, b).Code)
		require.Equal(t, 50034, connect("0", a).Code, "a root is one already")
		require.Equal(t, 50019, connect(b, a).Code)
		require.Equal(t, 50030, connect(a, "77").Code)
		require.Equal(t, 50017, connect(a, "0").Code)
		require.Equal(t, 50032, connect(a, "x").Code)
		require.Equal(t, 50003, s.call(t, "POST", base, "processDefinitionCode", "77", "preTaskCode", a, "postTaskCode", b).Code)

		require.Contains(t, s.good(t, "GET", base+"/"+a+"/downstream"), `"name":"load"`)
		require.Equal(t, 50018, s.call(t, "DELETE", base+"/"+b+"/upstream", "preTaskCodes", "").Code)
		require.Equal(t, 50048, s.call(t, "DELETE", base+"/"+b+"/upstream").Code)
		require.Equal(t, 50017, s.call(t, "DELETE", base+"/"+b+"/upstream", "preTaskCodes", "77").Code)
		s.good(t, "DELETE", base+"/"+b+"/upstream", "preTaskCodes", a)
		require.Equal(t, `[]`, s.good(t, "GET", base+"/"+a+"/downstream"))
		require.Zero(t, connect(a, b).Code)
		s.good(t, "DELETE", base+"/"+a+"/downstream", "postTaskCodes", b)
		require.Zero(t, connect(a, b).Code)
		require.Equal(t, 50051, s.call(t, "DELETE", base+"/"+a, "processDefinitionCode", fmt.Sprint(code)).Code)
		require.Contains(t, s.good(t, "DELETE", base+"/"+b, "processDefinitionCode", fmt.Sprint(code)), `"name":"daily"`)
		require.Equal(t, 50030, s.call(t, "DELETE", base+"/"+b, "processDefinitionCode", fmt.Sprint(code)).Code)
	})
}

func TestTasksWithoutAWorkflowComeIntoOne(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := openREST(t, d)
		code, tasks, _ := s.post(t, "daily")
		status, e := s.as(t, s.General, "POST", fmt.Sprintf("/projects/%d/task-definition", s.project),
			"taskDefinitionJson", "["+shell("one", "echo 1")+","+shell("two", "echo 2")+"]")
		require.Equal(t, http.StatusCreated, status)
		require.Zero(t, e.Code, e.Msg)
		var made struct {
			Total int
			Code  string
		}
		require.NoError(t, json.Unmarshal(e.Data, &made))
		require.Equal(t, 2, made.Total)
		one, two, _ := strings.Cut(made.Code, ",")
		base := fmt.Sprintf("/projects/%d/workflow-task-relation", s.project)
		data := s.good(t, "POST", base, "workflowDefinitionCode", fmt.Sprint(code), "preTaskCode", fmt.Sprint(tasks[1]), "postTaskCode", one)
		require.Contains(t, data, `"version":2`)
		require.Contains(t, s.good(t, "GET", base+"/"+one+"/upstream"), `"name":"load"`)
		require.Contains(t, s.good(t, "GET", s.base+"/simple-list"), "tasks_without_workflow_", "the other one still waits")
		s.good(t, "POST", base, "workflowDefinitionCode", fmt.Sprint(code), "preTaskCode", one, "postTaskCode", two)
		require.NotContains(t, s.good(t, "GET", s.base+"/simple-list"), "tasks_without_workflow_")
		require.Len(t, s.current(t, code).Tasks, 4)

		other := s.create(t, "other", 1).Definition.Tasks[0].Code
		e = s.call(t, "POST", base, "workflowDefinitionCode", fmt.Sprint(code), "preTaskCode", "0", "postTaskCode", fmt.Sprint(other))
		require.Equal(t, 50030, e.Code, "nobody takes the tasks of another workflow away")
		require.Equal(t, 50017, s.call(t, "POST", fmt.Sprintf("/projects/%d/task-definition", s.project), "taskDefinitionJson", "[]").Code)
	})
}

func TestVersion2KnowsNoProjectInItsAddresses(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := openREST(t, d)
		call := func(method, path, body string) envelope {
			_, e := s.js(t, s.General, method, path, body)
			return e
		}
		good := func(method, path, body string, into any) {
			t.Helper()
			e := call(method, path, body)
			require.Zero(t, e.Code, "%s %s: %s", method, path, e.Msg)
			if into != nil {
				require.NoError(t, json.Unmarshal(e.Data, into), string(e.Data))
			}
		}
		var w struct {
			Code          int64
			Name          string
			Version       int
			ReleaseState  flow.ReleaseState
			Timeout       int
			ExecutionType flow.ExecutionType
		}
		good("POST", "/v2/workflows", fmt.Sprintf(`{"name":"v2","projectCode":%d,"description":null}`, s.project), &w)
		require.Equal(t, flow.Offline, w.ReleaseState)
		at := fmt.Sprintf("/v2/workflows/%d", w.Code)
		require.Equal(t, 50035, call("PUT", at, `{"releaseState":"ONLINE"}`).Code, "there are no tasks yet")
		require.Equal(t, 10168, call("POST", "/v2/workflows", fmt.Sprintf(`{"name":"v2","projectCode":%d}`, s.project)).Code)
		require.Equal(t, 10018, call("POST", "/v2/workflows", `{"name":"x","projectCode":77}`).Code)
		require.Equal(t, 10105, call("POST", "/v2/workflows", `{"name":"x"}`).Code)

		var one, two struct {
			Code    int64
			Version int
			Name    string
		}
		task := `{"workflowCode":%d,"name":"%s","description":"","taskType":"SHELL","taskParams":"{\"rawScript\":\"echo\"}","upstreamTasksCodes":"%s"}`
		good("POST", "/v2/tasks", fmt.Sprintf(task, w.Code, "one", ""), &one)
		good("POST", "/v2/tasks", fmt.Sprintf(task, w.Code, "two", fmt.Sprint(one.Code)), &two)
		require.Equal(t, 50003, call("POST", "/v2/tasks", fmt.Sprintf(task, 77, "x", "")).Code)
		own := fmt.Sprintf("/v2/tasks/%d", two.Code)
		good("PUT", own, `{"name":"second","failRetryTimes":3,"workerGroup":null}`, &two)
		require.Equal(t, "second", two.Name)
		require.Equal(t, 2, two.Version)
		require.Equal(t, 50063, call("PUT", own, `{"name":"second"}`).Code)
		good("GET", own, "", &two)
		var found struct {
			Total     int
			TotalList []struct{ Name string }
		}
		good("POST", "/v2/tasks/query", `{"projectName":"etl","name":"sec","taskType":"SHELL"}`, &found)
		require.Equal(t, "second", found.TotalList[0].Name)
		require.Equal(t, 10190, call("POST", "/v2/tasks/query", `{"projectName":"nowhere"}`).Code)

		require.Zero(t, call("DELETE", fmt.Sprintf("/v2/relations/%d,%d", one.Code, two.Code), "").Code)
		require.Equal(t, 50067, call("DELETE", fmt.Sprintf("/v2/relations/%d,%d", one.Code, two.Code), "").Code)
		require.Equal(t, 50048, call("DELETE", "/v2/relations/x", "").Code)
		var edge struct{ PreTaskCode, PostTaskCode int64 }
		good("POST", "/v2/relations", fmt.Sprintf(`{"workflowCode":%d,"preTaskCode":%d,"postTaskCode":%d}`, w.Code, one.Code, two.Code), &edge)
		require.Equal(t, two.Code, edge.PostTaskCode)
		var edges []struct{ PreTaskCode, PostTaskCode int64 }
		good("PUT", fmt.Sprintf("/v2/relations/%d", two.Code), fmt.Sprintf(`{"workflowCode":%d,"upstreams":"%d"}`, w.Code, one.Code), &edges)
		require.Len(t, edges, 1)
		require.Equal(t, one.Code, edges[0].PreTaskCode)

		good("PUT", at, `{"timeout":5,"executionType":"SERIAL_WAIT","releaseState":"ONLINE"}`, &w)
		require.Equal(t, flow.Online, w.ReleaseState)
		require.Equal(t, 5, w.Timeout)
		require.Equal(t, 50008, call("PUT", at, `{"name":"x"}`).Code)
		require.Equal(t, 50021, call("DELETE", at, "").Code)
		good("POST", "/v2/workflows/query", `{"workflowName":"V2","releaseState":"ONLINE","pageNo":1}`, &found)
		require.Equal(t, 1, found.Total)
		good("PUT", at, `{"name":"renamed","releaseState":"OFFLINE"}`, &w)
		require.Equal(t, "renamed", w.Name)
		require.Equal(t, 5, w.Timeout, "what is not sent stays")
		good("DELETE", own, "", nil)
		good("DELETE", at, "", nil)
		require.Equal(t, 50003, call("GET", at, "").Code)

		// To others it is as if nothing were there.
		kept := s.create(t, "kept", 1)
		stranger, err := access.Must(s.member(t, "sam", ""))
		require.NoError(t, err)
		_, e := s.js(t, stranger, "GET", fmt.Sprintf("/v2/workflows/%d", kept.Workflow.Code), "")
		require.Equal(t, 30002, e.Code)
		_, e = s.js(t, stranger, "GET", fmt.Sprintf("/v2/tasks/%d", kept.Definition.Tasks[0].Code), "")
		require.Equal(t, 50030, e.Code)
		_, e = s.js(t, stranger, "POST", "/v2/workflows/query", "{}")
		require.Contains(t, string(e.Data), `"total":0`)
		_, e = s.js(t, stranger, "POST", "/v2/tasks/query", "{}")
		require.Contains(t, string(e.Data), `"total":0`)
	})
}

func TestWorkflowsMoveToAnotherProject(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := openREST(t, d)
		target, err := s.projects.Create(s.gwen, project.Draft{Name: "other"})
		require.NoError(t, err)
		child := s.create(t, "child", 1)
		parent := s.save(t, s.starting("parent", "SUB_WORKFLOW", child.Workflow.Code))
		move := func(codes ...int64) envelope {
			text := make([]string, len(codes))
			for i, code := range codes {
				text[i] = fmt.Sprint(code)
			}
			return s.call(t, "POST", s.base+"/batch-move", "codes", strings.Join(text, ","), "targetProjectCode", fmt.Sprint(target.Code))
		}
		require.Zero(t, s.call(t, "POST", s.base+"/batch-move", "codes", fmt.Sprint(child.Workflow.Code), "targetProjectCode", fmt.Sprint(s.project)).Code)
		require.Equal(t, 10150, move(child.Workflow.Code).Code, "one that stays starts it")
		require.Equal(t, 10150, move(parent.Workflow.Code).Code, "it starts one that stays")
		require.Equal(t, 10158, move().Code)
		require.Equal(t, 50003, move(77).Code)
		e := move(parent.Workflow.Code, child.Workflow.Code)
		require.Zero(t, e.Code, e.Msg)
		for _, code := range []int64{parent.Workflow.Code, child.Workflow.Code} {
			w, err := s.workflows.In(s.gwen, target.Code, code)
			require.NoError(t, err)
			require.Equal(t, 2, w.Version)
			require.Equal(t, target.Code, s.current(t, code).ProjectCode)
		}
		_, err = s.workflows.TaskHome(s.gwen, target.Code, child.Definition.Tasks[0].Code)
		require.NoError(t, err)
		require.Contains(t, s.Audited(t), "workflow.move")
		back, err := s.workflows.Restore(s.gwen, child.Workflow.Code, 1, "")
		require.NoError(t, err)
		require.False(t, back.Changed, "it says the same, and is where it is")

		busy := s.create(t, "busy", 1)
		_, err = s.workflows.Release(s.gwen, busy.Workflow.Code, flow.Online)
		require.NoError(t, err)
		require.Equal(t, 10150, move(busy.Workflow.Code).Code)
		taken := s.create(t, "child", 1)
		require.Equal(t, 10150, move(taken.Workflow.Code).Code, "the name is taken there")
	})
}

func TestLineageTellsWhatDependsOnWhat(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := openREST(t, d)
		child := s.create(t, "child", 2)
		parent := s.save(t, s.starting("parent", "SUB_WORKFLOW", child.Workflow.Code))
		waits := s.save(t, s.waiting("waits", s.project, child.Workflow.Code, child.Definition.Tasks[0].Code))
		s.create(t, "alone", 1)
		base := fmt.Sprintf("/projects/%d/lineages", s.project)
		type graph struct {
			Data struct {
				Edges []struct{ SourceWorkFlowCode, TargetWorkFlowCode int64 }     `json:"workFlowRelationList"`
				Nodes []struct{ WorkFlowName, WorkFlowPublishStatus, Crontab any } `json:"workFlowRelationDetailList"`
			}
			Old []struct{ WorkFlowName string } `json:"workFlowList"`
		}
		read := func(path string) graph {
			t.Helper()
			var g graph
			require.NoError(t, json.Unmarshal([]byte(s.good(t, "GET", base+path)), &g))
			return g
		}
		all := read("/list")
		require.Len(t, all.Data.Nodes, 4)
		require.Equal(t, "0", all.Data.Nodes[0].WorkFlowPublishStatus)
		require.Len(t, all.Data.Edges, 4, "two that depend, and two roots")
		require.Len(t, all.Old, 4)
		one := read(fmt.Sprintf("/%d", waits.Workflow.Code))
		require.Len(t, one.Data.Nodes, 2)
		require.Len(t, read(fmt.Sprintf("/%d", child.Workflow.Code)).Data.Nodes, 3)
		require.Contains(t, s.good(t, "GET", base+"/query-by-name", "workFlowName", "PAR"), `"sourceWorkFlowCode":"`+fmt.Sprint(child.Workflow.Code)+`"`)
		tasks := s.good(t, "GET", base+"/query-dependent-tasks", "workFlowCode", fmt.Sprint(child.Workflow.Code))
		require.Contains(t, tasks, `"workflowDefinitionName":"parent"`)
		require.Contains(t, tasks, `"workflowDefinitionName":"waits"`)
		tasks = s.good(t, "GET", base+"/query-dependent-tasks", "workFlowCode", fmt.Sprint(child.Workflow.Code), "taskCode", fmt.Sprint(child.Definition.Tasks[0].Code))
		require.NotContains(t, tasks, `"workflowDefinitionName":"parent"`)
		verify := func(code, task int64) int {
			return s.call(t, "POST", base+"/tasks/verify-delete", "workflowDefinitionCode", fmt.Sprint(code), "taskCode", fmt.Sprint(task)).Code
		}
		require.Equal(t, 10000, verify(child.Workflow.Code, child.Definition.Tasks[0].Code))
		require.Zero(t, verify(child.Workflow.Code, child.Definition.Tasks[1].Code))
		require.Equal(t, 10000, verify(child.Workflow.Code, 0))
		require.Zero(t, verify(parent.Workflow.Code, 0))
		require.Equal(t, 10018, s.call(t, "GET", "/projects/77/lineages/list").Code)
		require.Equal(t, 10194, s.call(t, "DELETE", s.task(child.Definition.Tasks[0].Code, "")).Code)
	})
}

func TestTheWorkflowSideChecksWhoAsks(t *testing.T) {
	t.Parallel()
	s := openREST(t, dbtest.SQLite(t))
	code, tasks, _ := s.post(t, "daily")
	reader, err := access.Must(s.member(t, "rita", access.Read))
	require.NoError(t, err)
	stranger, err := access.Must(s.member(t, "sam", ""))
	require.NoError(t, err)
	in := fmt.Sprintf("/projects/%d", s.project)
	one, a, b := fmt.Sprintf("/%d", tasks[1]), fmt.Sprint(tasks[0]), fmt.Sprint(tasks[1])
	fields := []string{
		"taskDefinitionJsonObj", "{", "taskDefinitionJson", "[", "workflowDefinitionCode", fmt.Sprint(code), "preTaskCode", a, "postTaskCode", b,
		"preTaskCodes", a, "postTaskCodes", b, "codes", fmt.Sprint(code), "targetProjectCode", "77", "taskCode", a, "workFlowCode", fmt.Sprint(code),
		"pageNo", "1", "pageSize", "9", "releaseState", "OFFLINE",
	}
	for _, c := range []struct{ method, path string }{
		{"PUT", "/task-definition" + one},
		{"DELETE", "/task-definition" + one},
		{"PUT", "/task-definition" + one + "/with-upstream"},
		{"POST", "/task-definition"},
		{"POST", "/task-definition/save-single"},
		{"POST", "/task-definition" + one + "/release"},
		{"GET", "/task-definition" + one + "/versions/1"},
		{"DELETE", "/task-definition" + one + "/versions/1"},
		{"POST", "/workflow-task-relation"},
		{"DELETE", "/workflow-task-relation" + one},
		{"DELETE", "/workflow-task-relation" + one + "/upstream"},
		{"DELETE", "/workflow-task-relation/" + a + "/downstream"},
		{"DELETE", fmt.Sprintf("/workflow-task-relation/%d/%s/%s", code, a, b)},
	} {
		_, e := s.as(t, stranger, c.method, in+c.path, fields...)
		require.Equal(t, 30002, e.Code, "%s %s: %s", c.method, c.path, e.Msg)
		_, e = s.as(t, reader, c.method, in+c.path, fields...)
		require.Equal(t, 30003, e.Code, "%s %s: %s", c.method, c.path, e.Msg)
	}
	_, e := s.as(t, reader, "POST", s.base+"/batch-move", fields...)
	require.NotZero(t, e.Code)
	for _, path := range []string{
		"/task-definition", "/task-definition" + one + "/versions", "/workflow-task-relation" + one + "/upstream", "/workflow-task-relation" + one + "/downstream",
		"/lineages/list", fmt.Sprintf("/lineages/%d", code), "/lineages/query-by-name", "/lineages/query-dependent-tasks",
	} {
		_, e := s.as(t, stranger, "GET", in+path, fields...)
		require.Equal(t, 30002, e.Code, path)
		_, e = s.as(t, reader, "GET", in+path, fields...)
		require.Zero(t, e.Code, "%s: %s", path, e.Msg)
	}
	for _, c := range []struct{ method, path, body string }{
		{"PUT", fmt.Sprintf("/v2/workflows/%d", code), `{"name":"x"}`},
		{"DELETE", fmt.Sprintf("/v2/workflows/%d", code), ""},
		{"POST", "/v2/workflows", fmt.Sprintf(`{"name":"x","projectCode":%d}`, s.project)},
		{"POST", "/v2/tasks", fmt.Sprintf(`{"workflowCode":%d,"name":"x","taskType":"SHELL","taskParams":"{}"}`, code)},
		{"PUT", "/v2/tasks/" + a, `{"name":"x"}`},
		{"DELETE", "/v2/tasks/" + b, ""},
		{"POST", "/v2/relations", fmt.Sprintf(`{"workflowCode":%d,"preTaskCode":%s,"postTaskCode":%s}`, code, a, b)},
		{"DELETE", "/v2/relations/" + a + "," + b, ""},
		{"PUT", "/v2/relations/" + b, `{"upstreams":""}`},
	} {
		_, e := s.js(t, reader, c.method, c.path, c.body)
		require.Equal(t, 30003, e.Code, "%s %s: %s", c.method, c.path, e.Msg)
		_, e = s.js(t, stranger, c.method, c.path, c.body)
		require.Contains(t, []int{30002, 50030}, e.Code, "%s %s: %s", c.method, c.path, e.Msg)
	}
	w, err := s.workflows.Get(s.gwen, code)
	require.NoError(t, err)
	require.Equal(t, 1, w.Version, "nobody changed anything")
}
