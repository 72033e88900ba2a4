package instance_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/flow"
)

type envelope struct {
	Code    int             `json:"code"`
	Msg     string          `json:"msg"`
	Data    json.RawMessage `json:"data"`
	Success bool            `json:"success"`
}

// raw calls the REST interface as p; fields are alternating names and values of the form or, for GET, of the query.
func (w *world) raw(t testing.TB, p access.Principal, method, path string, fields ...string) *httptest.ResponseRecorder {
	t.Helper()
	h := w.App.API.Router(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(rw, r.WithContext(access.WithPrincipal(r.Context(), p)))
		})
	}, w.Module.API)
	form := url.Values{}
	for k := 0; k < len(fields); k += 2 {
		form.Add(fields[k], fields[k+1])
	}
	body := form.Encode()
	if method == http.MethodGet {
		path, body = path+"?"+body, ""
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
	return rec
}

func (w *world) rest(t testing.TB, method, path string, fields ...string) envelope {
	t.Helper()
	rec := w.raw(t, w.General, method, w.at(path), fields...)
	require.Equal(t, http.StatusOK, rec.Code, rec.Body.String())
	var e envelope
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &e), rec.Body.String())
	return e
}

// keys lists the members of a JSON object in the order in which they are written.
func keys(t testing.TB, raw []byte) []string {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	_, err := dec.Token()
	require.NoError(t, err)
	var out []string
	for dec.More() {
		name, err := dec.Token()
		require.NoError(t, err)
		out = append(out, name.(string))
		var skip json.RawMessage
		require.NoError(t, dec.Decode(&skip))
	}
	return out
}

// The examples of DolphinScheduler's documentation; order and names are what clients know.
const (
	instanceExample = `{"id":12,"workflowDefinitionCode":15240126433857,"workflowDefinitionVersion":1,"projectCode":123456789012345,"state":"SUCCESS","stateHistory":"[]","stateDescList":null,"recovery":"NO","startTime":"2024-10-18 10:00:00","endTime":"2024-10-18 10:00:05","runTimes":1,"name":"daily-20241018100000123","host":"10.0.0.2:5678","workflowDefinition":null,"commandType":"START_PROCESS","commandParam":"{}","taskDependType":"TASK_POST","maxTryTimes":0,"failureStrategy":"END","warningType":"NONE","warningGroupId":null,"scheduleTime":null,"commandStartTime":null,"globalParams":"[]","dagData":null,"executorId":1,"executorName":"admin","tenantCode":"default","queue":null,"isSubWorkflow":"NO","locations":null,"historyCmd":"START_PROCESS","dependenceScheduleTimes":null,"duration":"5s","workflowInstancePriority":"MEDIUM","workerGroup":"default","environmentCode":-1,"timeout":0,"varPool":null,"nextWorkflowInstanceId":0,"dryRun":0,"restartTime":"2024-10-18 10:00:00","testFlag":0,"complementData":false,"cmdTypeIfComplement":"START_PROCESS"}`
	taskExample     = `{"id":21,"name":"extract","taskType":"SHELL","workflowInstanceId":12,"workflowInstanceName":"daily-20241018100000123","projectCode":123456789012345,"taskCode":15240126433858,"taskDefinitionVersion":1,"processDefinitionName":null,"taskGroupPriority":0,"state":"SUCCESS","firstSubmitTime":"2024-10-18 10:00:01","submitTime":"2024-10-18 10:00:01","startTime":"2024-10-18 10:00:02","endTime":"2024-10-18 10:00:04","host":"10.0.0.5:1234","executePath":"/var/lib/x","logPath":"/opt/ds/logs/21.log","retryTimes":0,"alertFlag":"NO","workflowInstance":null,"workflowDefinition":null,"taskDefine":null,"pid":4711,"appLink":null,"flag":"YES","isCache":"NO","cacheKey":null,"duration":"2s","maxRetryTimes":0,"retryInterval":1,"taskInstancePriority":"MEDIUM","workflowInstancePriority":null,"workerGroup":"default","environmentCode":-1,"environmentConfig":null,"executorId":1,"varPool":"[]","executorName":"admin","delayTime":0,"taskParams":"{\"localParams\":[],\"rawScript\":\"echo hi\",\"resourceList\":[]}","dryRun":0,"taskGroupId":0,"cpuQuota":-1,"memoryMax":-1,"taskExecuteType":"BATCH","testFlag":0}`
)

// exact prepares a run that reads like the examples and returns its id and that of its task.
func (w *world) exact(t testing.TB) (run, task int64) {
	t.Helper()
	run, task = w.start(t), 21
	w.attempt(t, run, task, attempt{state: flow.TaskSuccess, log: "/opt/ds/logs/21.log", host: "10.0.0.5:1234"})
	at := time.Date(2024, 10, 18, 10, 0, 0, 0, time.UTC)
	for _, change := range []struct {
		query string
		args  []any
	}{
		{`UPDATE workflow_instance SET state = 'SUCCESS', start_time = ?, restart_time = ?, end_time = ?, name = 'daily-20241018100000123', state_history = '[]',
			host = '10.0.0.2:5678', command_param = '{}', global_params = '[]', failure_strategy = 'END' WHERE id = ?`, []any{at, at, at.Add(5 * time.Second), run}},
		{`UPDATE task_instance SET name = 'extract', first_submit_time = ?, submit_time = ?, start_time = ?, end_time = ?, pid = 4711, execute_path = '/var/lib/x'
			WHERE id = ?`, []any{at.Add(time.Second), at.Add(time.Second), at.Add(2 * time.Second), at.Add(4 * time.Second), task}},
	} {
		_, err := w.DB.Exec(t.Context(), change.query, change.args...)
		require.NoError(t, err)
	}
	return run, task
}

// like replaces what differs from world to world in an example.
func (w *world) like(example string, run int64) string {
	return strings.NewReplacer(
		`"id":12`, fmt.Sprintf(`"id":%d`, run), `"workflowInstanceId":12`, fmt.Sprintf(`"workflowInstanceId":%d`, run),
		"15240126433857", strconv.FormatInt(w.flow.Workflow.Code, 10), "15240126433858", strconv.FormatInt(w.flow.Definition.Tasks[0].Code, 10),
		"123456789012345", strconv.FormatInt(w.project, 10), `"executorId":1`, fmt.Sprintf(`"executorId":%d`, w.General.UserID),
		`"executorName":"admin"`, `"executorName":"gwen"`,
		`{\"localParams\":[],\"rawScript\":\"echo hi\",\"resourceList\":[]}`, strings.ReplaceAll(string(w.flow.Definition.Tasks[0].Params), `"`, `\"`),
	).Replace(example)
}

func TestInstancesAndTasksLookAsClientsKnowThem(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		run, _ := w.exact(t)
		path := "/workflow-instances/" + strconv.FormatInt(run, 10)

		var page struct {
			TotalList []json.RawMessage `json:"totalList"`
			Total     int
		}
		require.NoError(t, json.Unmarshal(w.rest(t, "GET", "/workflow-instances", "pageNo", "1", "pageSize", "10").Data, &page))
		require.Equal(t, 1, page.Total)
		require.JSONEq(t, w.like(instanceExample, run), string(page.TotalList[0]))
		require.Equal(t, keys(t, []byte(instanceExample)), keys(t, page.TotalList[0]))

		one := w.rest(t, "GET", path).Data
		require.Equal(t, keys(t, []byte(instanceExample)), keys(t, one))
		var dag struct {
			DagData struct {
				WorkflowDefinition       struct{ Name string }
				WorkflowTaskRelationList []any
				TaskDefinitionList       []any
			}
		}
		require.NoError(t, json.Unmarshal(one, &dag))
		require.Equal(t, "daily", dag.DagData.WorkflowDefinition.Name)
		require.Len(t, dag.DagData.TaskDefinitionList, 3)
		require.Len(t, dag.DagData.WorkflowTaskRelationList, 3)

		var old struct {
			ProcessInstanceState string
			TaskList             []struct{ ProcessInstanceID int64 }
		}
		var tasks struct {
			WorkflowInstanceState string
			TaskList              []json.RawMessage
		}
		require.NoError(t, json.Unmarshal(w.rest(t, "GET", path+"/tasks").Data, &tasks))
		require.Equal(t, "SUCCESS", tasks.WorkflowInstanceState)
		require.JSONEq(t, w.like(taskExample, run), string(tasks.TaskList[0]))
		require.Equal(t, keys(t, []byte(taskExample)), keys(t, tasks.TaskList[0]))
		require.NoError(t, json.Unmarshal(w.rest(t, "GET", "/task-instances", "pageNo", "1", "pageSize", "10", "host", "10.0", "taskName", "extract",
			"startDate", "2024-10-18 10:00:02", "endDate", "2024-10-18 10:00:02", "workflowInstanceId", strconv.FormatInt(run, 10)).Data, &page))
		// Clients of both generations come to this address.
		bothWords := strings.NewReplacer(`"workflowInstance":null`, `"workflowInstance":null,"processInstance":null`,
			`"workflowDefinition":null`, `"workflowDefinition":null,"processDefine":null`,
			`"workflowInstancePriority":null`, `"workflowInstancePriority":null,"processInstancePriority":null`,
			`"projectCode":`, `"processInstanceId":`+strconv.FormatInt(run, 10)+`,"processInstanceName":"daily-20241018100000123","projectCode":`)
		require.JSONEq(t, bothWords.Replace(w.like(taskExample, run)), string(page.TotalList[0]))

		require.NoError(t, json.Unmarshal(w.rest(t, "GET", strings.Replace(path, "workflow-", "process-", 1)+"/tasks").Data, &old))
		require.Equal(t, "SUCCESS", old.ProcessInstanceState)
		require.Equal(t, run, old.TaskList[0].ProcessInstanceID)

		require.JSONEq(t, `{"globalParams":[],"localParams":{
			"a":{"taskType":"SHELL","localParamsList":[{"prop":"n","direct":"IN","type":"INTEGER","value":"1"}]},
			"b":{"taskType":"SHELL","localParamsList":[{"prop":"n","direct":"IN","type":"INTEGER","value":"1"}]},
			"c":{"taskType":"SHELL","localParamsList":[{"prop":"n","direct":"IN","type":"INTEGER","value":"1"}]}}}`,
			string(w.rest(t, "GET", path+"/view-variables").Data))
		codes := make([]string, 3)
		for k, task := range w.flow.Definition.Tasks {
			codes[k] = strconv.FormatInt(task.Code, 10)
		}
		require.JSONEq(t, `{"height":0,"tasks":[{"taskName":"extract","startDate":[1729245602000],"endDate":[1729245604000],
			"executionDate":"2024-10-18 10:00:02","isoStart":"2024-10-18 10:00:02","isoEnd":"2024-10-18 10:00:04","status":"SUCCESS","duration":"00 00:00:02"}],
			"taskNames":[`+strings.Join(codes, ",")+`],"taskStatus":{"success":"success"}}`, string(w.rest(t, "GET", path+"/view-gantt").Data))
		require.JSONEq(t, "["+w.like(instanceExample, run)+"]", string(w.rest(t, "GET", "/workflow-instances/top-n", "size", "3",
			"startTime", "2024-10-18 00:00:00", "endTime", "2024-10-19 00:00:00").Data))
		require.JSONEq(t, "["+w.like(instanceExample, run)+"]", string(w.rest(t, "GET", "/workflow-instances/trigger", "triggerCode", strconv.FormatInt(run, 10)).Data))
	})
}

func TestListsNarrowAsClientsAsk(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	w.exact(t)
	total := func(fields ...string) int {
		var page struct{ Total int }
		require.NoError(t, json.Unmarshal(w.rest(t, "GET", "/workflow-instances", append(fields, "pageNo", "1", "pageSize", "10")...).Data, &page))
		return page.Total
	}
	for _, c := range []struct {
		want   int
		fields []string
	}{
		{1, []string{"searchVal", "aily-2024"}},
		{0, []string{"searchVal", "%"}},
		{1, []string{"stateType", "SUCCESS"}},
		{0, []string{"stateType", "FAILURE"}},
		{1, []string{"host", "0.0.2"}},
		{0, []string{"host", "9.9"}},
		{1, []string{"executorName", "gwen"}},
		{0, []string{"executorName", "gwe"}},
		{1, []string{"startDate", "2024-10-18 10:00:00", "endDate", "2024-10-18 10:00:00"}},
		{0, []string{"endDate", "2024-10-18 09:59:59"}},
		{1, []string{"workflowDefinitionCode", strconv.FormatInt(w.flow.Workflow.Code, 10)}},
		{0, []string{"workflowDefinitionCode", "4711"}},
		{1, []string{"workflowDefinitionCode", "0", "otherParamsJson", "x", "unknown", "y"}},
	} {
		require.Equal(t, c.want, total(c.fields...), "%v", c.fields)
	}
	require.Equal(t, 10001, w.rest(t, "GET", "/workflow-instances", "pageNo", "0", "pageSize", "10").Code)
	require.Equal(t, 10113, w.rest(t, "GET", "/workflow-instances", "pageNo", "x", "pageSize", "10").Code)
	require.Equal(t, 10113, w.rest(t, "GET", "/workflow-instances", "pageNo", "1", "pageSize", "10", "stateType", "NONSENSE").Code)
	require.Equal(t, 10113, w.rest(t, "GET", "/workflow-instances", "pageNo", "1", "pageSize", "10", "startDate", "yesterday").Code)
}

func (w *world) startFields(more ...string) []string {
	return append([]string{
		"workflowDefinitionCode", strconv.FormatInt(w.flow.Workflow.Code, 10), "scheduleTime", "", "failureStrategy", "END", "warningType", "NONE",
	}, more...)
}

func TestARunIsStartedAndOperatedByREST(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		start := "/executors/start-workflow-instance"
		// What the official test suite sends: a date where none is needed, and fields that nobody knows.
		e := w.rest(t, "POST", start, w.startFields("loginUser", "User(id=1, userName=admin)", "startParams", `{"region":"EU","n":12345678901234567890}`,
			"dryRun", "1", "workflowInstancePriority", "0")...)
		require.True(t, e.Success, e.Msg)
		var ids []int64
		require.NoError(t, json.Unmarshal(e.Data, &ids))
		require.Len(t, ids, 1)
		i, err := w.Get(w.gwen, ids[0])
		require.NoError(t, err)
		require.Equal(t, flow.FailureEnd, i.FailureStrategy)
		require.Equal(t, flow.Highest, i.Priority)
		require.True(t, i.DryRun)
		require.Contains(t, i.GlobalParams, `"12345678901234567890"`)

		require.NoError(t, json.Unmarshal(w.rest(t, "POST", "/executors/batch-start-workflow-instance", "workflowDefinitionCodes",
			strconv.FormatInt(w.flow.Workflow.Code, 10), "scheduleTime", "", "failureStrategy", "CONTINUE", "warningType", "NONE").Data, &ids))
		id := strconv.FormatInt(ids[0], 10)
		for _, c := range []struct {
			executeType string
			code        int
		}{{"PAUSE", 0}, {"STOP", 0}, {"PAUSE", 50006}, {"REPEAT_RUNNING", 50006}, {"EXECUTE_TASK", 10001}, {"NONSENSE", 10000}, {"", 10000}} {
			require.Equal(t, c.code, w.rest(t, "POST", "/executors/execute", "workflowInstanceId", id, "executeType", c.executeType).Code, c.executeType)
		}
		w.become(t, ids[0], flow.WorkflowFailure)
		require.Equal(t, 0, w.rest(t, "POST", "/executors/execute", "processInstanceId", id, "executeType", "3").Code, "old names and numbers are understood")
		mixed := w.rest(t, "POST", "/executors/batch-execute", "workflowInstanceIds", id+",999", "executeType", "STOP")
		require.Equal(t, 10000, mixed.Code)
		require.Contains(t, mixed.Msg, "999: ")
		i, err = w.Get(w.gwen, ids[0])
		require.NoError(t, err)
		require.Equal(t, flow.WorkflowReadyStop, i.State, "the others are done all the same")
		require.Equal(t, 50006, w.rest(t, "DELETE", "/workflow-instances/"+id).Code)
		w.become(t, ids[0], flow.WorkflowStop)
		require.Equal(t, 0, w.rest(t, "DELETE", "/workflow-instances/"+id).Code)
		require.Equal(t, 50001, w.rest(t, "GET", "/workflow-instances/"+id).Code)
		require.Equal(t, 10000, w.rest(t, "POST", "/workflow-instances/batch-delete", "workflowInstanceIds", id).Code)
	})
}

func TestRefusalsHaveTheNumbersClientsKnow(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	run, _ := w.exact(t)
	start := "/executors/start-workflow-instance"
	for name, c := range map[string]struct {
		code   int
		fields []string
	}{
		"no fields":     {50014, nil},
		"code missing":  {50014, []string{"scheduleTime", "", "failureStrategy", "END", "warningType", "NONE"}},
		"no strategy":   {50014, []string{"workflowDefinitionCode", "1", "scheduleTime", "", "warningType", "NONE"}},
		"bad strategy":  {50014, w.startFields("taskDependType", "SIDEWAYS")},
		"no workflow":   {50003, []string{"workflowDefinitionCode", "4711", "scheduleTime", "", "failureStrategy", "END", "warningType", "NONE"}},
		"start node":    {10207, w.startFields("startNodeList", "4711")},
		"garbage node":  {50014, w.startFields("startNodeList", "a,b")},
		"tenant":        {10017, w.startFields("tenantCode", "nobody")},
		"exec type":     {10000, w.startFields("execType", "RECOVER_SUSPENDED_PROCESS")},
		"garbage param": {10001, w.startFields("startParams", "{x")},
		"double param":  {10001, w.startFields("startParams", `[{"prop":"a"},{"prop":"a"}]`)},
	} {
		e := w.rest(t, "POST", start, c.fields...)
		require.Equal(t, c.code, e.Code, "%s: %s", name, e.Msg)
		require.Equal(t, "null", string(e.Data))
	}
	as := func(p access.Principal, method, path string, fields ...string) int {
		var e envelope
		require.NoError(t, json.Unmarshal(w.raw(t, p, method, path, fields...).Body.Bytes(), &e))
		return e.Code
	}
	reader, stranger := w.member(t, "rita", access.Read), w.member(t, "sam", "")
	one := w.at("/workflow-instances/" + strconv.FormatInt(run, 10))
	require.Equal(t, 30003, as(reader, "POST", w.at(start), w.startFields()...))
	require.Equal(t, 30002, as(stranger, "POST", w.at(start), w.startFields()...))
	require.Equal(t, 0, as(reader, "GET", one))
	for _, path := range []string{one, one + "/tasks", one + "/view-variables", one + "/view-gantt"} {
		require.Equal(t, 30002, as(stranger, "GET", path), path)
	}
	require.Equal(t, 10190, as(w.Admin, "GET", "/projects/4711/workflow-instances/1"))
	require.Equal(t, 10116, as(w.Admin, "GET", w.at("/workflow-instances/x")))
	require.Equal(t, 50001, as(w.Admin, "POST", w.at("/executors/execute"), "workflowInstanceId", "999", "executeType", "STOP"))
	_, err := w.workflows.Release(w.gwen, w.flow.Workflow.Code, flow.Offline)
	require.NoError(t, err)
	require.Equal(t, 50004, w.rest(t, "POST", start, w.startFields()...).Code)
}

func TestLogsAreReadLineByLineWithoutLosingOne(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	w.exact(t)
	w.logs.files["/opt/ds/logs/21.log"] = []string{"line1", "line2", "line3"}
	get := func(p access.Principal, path string, fields ...string) envelope {
		var e envelope
		rec := w.raw(t, p, "GET", path, fields...)
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &e), rec.Body.String())
		return e
	}
	const head = `[LOG-PATH]: /opt/ds/logs/21.log, [HOST]: 10.0.0.5:1234`
	require.JSONEq(t, `{"lineNum":3,"message":"`+head+`\r\nline1\r\nline2"}`,
		string(get(w.General, "/log/detail", "taskInstanceId", "21", "skipLineNum", "0", "limit", "2").Data))
	require.JSONEq(t, `{"lineNum":1,"message":"line3"}`, string(get(w.General, "/log/detail", "taskInstanceId", "21", "skipLineNum", "3", "limit", "2").Data))
	require.JSONEq(t, `{"lineNum":0,"message":""}`, string(get(w.General, "/log/detail", "taskInstanceId", "21", "skipLineNum", "4", "limit", "2").Data))
	inProject := "/log/" + strconv.FormatInt(w.project, 10)
	require.JSONEq(t, `"`+head+`\r\nline1"`, string(get(w.General, inProject+"/detail", "taskInstanceId", "21", "skipLineNum", "0", "limit", "1").Data))
	for _, path := range []string{"/log/download-log", inProject + "/download-log"} {
		rec := w.raw(t, w.General, "GET", path, "taskInstanceId", "21")
		require.Equal(t, head+"\r\nline1\nline2\nline3\n", rec.Body.String())
		require.Regexp(t, `^attachment; filename="\d+\.log"$`, rec.Header().Get("Content-Disposition"))
	}
	w.attempt(t, 1, 22, attempt{task: 1, state: flow.TaskSubmitted})
	w.attempt(t, 1, 23, attempt{task: 2, state: flow.TaskFailure, log: "/gone.log"})
	for _, c := range []struct {
		code   int
		fields []string
	}{
		{10008, []string{"taskInstanceId", "99", "skipLineNum", "0", "limit", "1"}},
		{10191, []string{"taskInstanceId", "22", "skipLineNum", "0", "limit", "1"}},
		{10103, []string{"taskInstanceId", "23", "skipLineNum", "0", "limit", "1"}},
		{10103, []string{"taskInstanceId", "x", "skipLineNum", "0", "limit", "1"}},
		{10103, []string{"taskInstanceId", "21", "skipLineNum", "0"}},
		{10001, []string{"taskInstanceId", "21", "skipLineNum", "-1", "limit", "1"}},
	} {
		require.Equal(t, c.code, get(w.General, "/log/detail", c.fields...).Code, "%v", c.fields)
	}
	require.Equal(t, 10104, get(w.General, "/log/download-log", "taskInstanceId", "23").Code)
	stranger := w.member(t, "sam", "")
	require.Equal(t, 10008, get(stranger, "/log/detail", "taskInstanceId", "21", "skipLineNum", "0", "limit", "1").Code)
	require.Equal(t, 10008, get(stranger, "/log/download-log", "taskInstanceId", "21").Code)
	require.Equal(t, 30002, get(stranger, inProject+"/detail", "taskInstanceId", "21", "skipLineNum", "0", "limit", "1").Code)
}
