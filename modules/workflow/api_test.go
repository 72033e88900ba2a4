package workflow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/workflow"
)

// rest is a world with its REST endpoints.
type rest struct {
	*world
	router http.Handler
	base   string
}

type whoKey struct{}

func openREST(t testing.TB, d *db.DB) *rest {
	t.Helper()
	w := open(t, d)
	m := workflow.NewModule(w.workflows, workflow.PageDeps{Site: w.Site, API: w.API, Frame: w.Frame})
	p := project.NewModule(w.projects, project.PageDeps{Site: w.Site, API: w.API, Frame: w.Frame})
	authenticate := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			who, ok := r.Context().Value(whoKey{}).(access.Principal)
			if !ok {
				rw.WriteHeader(http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(rw, r.WithContext(access.WithPrincipal(r.Context(), who)))
		})
	}
	return &rest{world: w, router: w.API.Router(authenticate, func(r chi.Router) { p.API(r); m.API(r) }), base: fmt.Sprintf("/projects/%d/workflow-definition", w.project)}
}

type envelope struct {
	Code    int
	Msg     string
	Data    json.RawMessage
	Success bool
}

// as sends a call with form fields, in the query of a GET and in the body of everything else.
func (s *rest) as(t testing.TB, who access.Principal, method, path string, fields ...string) (int, envelope) {
	t.Helper()
	v := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		v.Add(fields[i], fields[i+1])
	}
	body := v.Encode()
	if method == http.MethodGet {
		path, body = path+"?"+body, ""
	}
	r := httptest.NewRequestWithContext(t.Context(), method, "http://dorado.test"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if who.UserID != 0 {
		r = r.WithContext(context.WithValue(r.Context(), whoKey{}, who))
	}
	w := httptest.NewRecorder()
	s.router.ServeHTTP(w, r)
	var e envelope
	if w.Body.Len() > 0 {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &e), w.Body.String())
	}
	return w.Code, e
}

func (s *rest) call(t testing.TB, method, path string, fields ...string) envelope {
	t.Helper()
	_, e := s.as(t, s.General, method, path, fields...)
	return e
}

const (
	wireTasks = `[{"code":%d,"version":0,"name":"extract","description":"","taskType":"SHELL",
  "taskParams":{"localParams":[{"prop":"n","direct":"OUT","type":"INTEGER","value":""}],"rawScript":"echo hi","resourceList":[{"resourceName":"file:/dolphinscheduler/etl/resources/a.sh"}]},
  "flag":"YES","isCache":"NO","taskPriority":"MEDIUM","workerGroup":"default","environmentCode":-1,
  "failRetryTimes":"0","failRetryInterval":"1","timeoutFlag":"CLOSE","timeoutNotifyStrategy":"","timeout":0,
  "delayTime":"0","taskGroupId":null,"taskGroupPriority":null,"cpuQuota":-1,"memoryMax":-1,"taskExecuteType":"BATCH","unknown":{}},
 {"code":%d,"name":"load","taskType":"PYTHON","taskParams":"{\"rawScript\":\"print(1)\",\"localParams\":[]}","environmentCode":null}]`
	wireEdges = `[{"name":"","preTaskCode":0,"preTaskVersion":0,"postTaskCode":%d,"postTaskVersion":0,"conditionType":"NONE","conditionParams":{}},
 {"name":"","preTaskCode":%d,"preTaskVersion":0,"postTaskCode":%d,"postTaskVersion":0,"conditionType":0,"conditionParams":null}]`
	wireGlobals = `[{"prop":"dt","direct":"IN","type":"VARCHAR","value":"${system.biz.date}"}]`
)

func (s *rest) codes(t testing.TB, n int) []int64 {
	t.Helper()
	e := s.call(t, "GET", fmt.Sprintf("/projects/%d/task-definition/gen-task-codes", s.project), "genNum", fmt.Sprint(n))
	require.Zero(t, e.Code, e.Msg)
	var codes []int64
	require.NoError(t, json.Unmarshal(e.Data, &codes))
	require.Len(t, codes, n)
	return codes
}

// create posts the workflow of the specification and returns its head.
func (s *rest) post(t testing.TB, name string) (code int64, tasks []int64, raw json.RawMessage) {
	t.Helper()
	c := s.codes(t, 2)
	status, e := s.as(t, s.General, "POST", s.base, "name", name, "description", "", "globalParams", wireGlobals, "timeout", "0",
		"locations", fmt.Sprintf(`[{"taskCode":%d,"x":132,"y":112}]`, c[0]), "otherParamsJson", "x",
		"taskDefinitionJson", fmt.Sprintf(wireTasks, c[0], c[1]), "taskRelationJson", fmt.Sprintf(wireEdges, c[0], c[0], c[1]), "tenantCode", "old")
	require.Zero(t, e.Code, e.Msg)
	require.Equal(t, http.StatusCreated, status)
	var head struct{ Code int64 }
	require.NoError(t, json.Unmarshal(e.Data, &head))
	return head.Code, c, e.Data
}

// masked hides what differs from run to run: codes, ids and times.
func masked(raw json.RawMessage, codes ...int64) string {
	text := string(raw)
	for i, code := range codes {
		text = strings.ReplaceAll(text, fmt.Sprint(code), fmt.Sprintf("<%c>", 'A'+rune(i)))
	}
	text = regexp.MustCompile(`"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"`).ReplaceAllString(text, `"<time>"`)
	return text
}

func TestTheWireFormIsThatOfTheSpecification(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := openREST(t, d)
		code, tasks, raw := s.post(t, "daily")
		workflow := `{"id":1,"code":<C>,"name":"daily","version":1,"releaseState":"OFFLINE","projectCode":<D>,"description":"",` +
			`"globalParams":"[{\"prop\":\"dt\",\"direct\":\"IN\",\"type\":\"VARCHAR\",\"value\":\"${system.biz.date}\"}]",` +
			`"globalParamList":[{"prop":"dt","direct":"IN","type":"VARCHAR","value":"${system.biz.date}"}],"globalParamMap":{"dt":"${system.biz.date}"},` +
			`"createTime":"<time>","updateTime":"<time>","flag":"YES","userId":2,"userName":"gwen","projectName":null,` +
			`"locations":"[{\"taskCode\":<A>,\"x\":132,\"y\":112}]","scheduleReleaseState":null,"schedule":null,"timeout":0,"modifyBy":"gwen","warningGroupId":null,"executionType":"PARALLEL"}`
		require.Equal(t, workflow, masked(raw, tasks[0], tasks[1], code, s.project))

		dag := s.call(t, "GET", fmt.Sprintf("%s/%d", s.base, code))
		// The id fits into the 32 bits that clients read.
		extract := fmt.Sprintf(`{"id":%d,`, (tasks[0]^tasks[0]>>31)&math.MaxInt32) + `"code":<A>,"name":"extract","version":1,"description":"","projectCode":<D>,"userId":2,"taskType":"SHELL",` +
			`"taskParams":{"localParams":[{"prop":"n","direct":"OUT","type":"INTEGER","value":""}],"rawScript":"echo hi","resourceList":[{"resourceName":"file:/dolphinscheduler/etl/resources/a.sh"}]},` +
			`"taskParamList":[{"prop":"n","direct":"OUT","type":"INTEGER","value":""}],"taskParamMap":{"n":""},"flag":"YES","isCache":"NO","taskPriority":"MEDIUM",` +
			`"userName":"gwen","projectName":null,"workerGroup":"default","environmentCode":-1,"failRetryTimes":0,"failRetryInterval":1,"timeoutFlag":"CLOSE","timeoutNotifyStrategy":null,` +
			`"timeout":0,"delayTime":0,"resourceIds":null,"createTime":"<time>","updateTime":"<time>","modifyBy":"gwen","taskGroupId":0,"taskGroupPriority":0,"cpuQuota":-1,"memoryMax":-1,` +
			`"taskExecuteType":"BATCH","dependence":null,"operator":2,"operateTime":"<time>"}`
		edge := func(id int, pre, pv, post string) string {
			return fmt.Sprintf(`{"id":%d,"name":"","workflowDefinitionVersion":1,"projectCode":<D>,"workflowDefinitionCode":<C>,"preTaskCode":%s,"preTaskVersion":%s,`+
				`"postTaskCode":%s,"postTaskVersion":1,"conditionType":"NONE","conditionParams":{},"createTime":"<time>","updateTime":"<time>","operator":2,"operateTime":"<time>"}`, id, pre, pv, post)
		}
		got := masked(dag.Data, tasks[0], tasks[1], code, s.project)
		require.True(t, strings.HasPrefix(got, `{"workflowDefinition":`+workflow+`,"workflowTaskRelationList":[`+edge(1, "<A>", "1", "<B>")+","+edge(2, "0", "0", "<A>")+`],"taskDefinitionList":[`+extract+`,{`), got)

		page := s.call(t, "GET", s.base, "pageNo", "1", "pageSize", "10", "searchVal", "DAI", "userId", "0")
		require.Equal(t, `{"totalList":[`+workflow+`],"total":1,"totalPage":1,"pageSize":10,"currentPage":1,"pageNo":0}`, masked(page.Data, tasks[0], tasks[1], code, s.project))
		simple := s.call(t, "GET", s.base+"/simple-list")
		require.Equal(t, fmt.Sprintf(`[{"id":1,"code":%d,"name":"daily","projectCode":%d}]`, code, s.project), string(simple.Data)) //nolint:testifylint // order and spaces count
		task := s.call(t, "GET", fmt.Sprintf("/projects/%d/task-definition/%d", s.project, tasks[0]))
		require.Contains(t, string(task.Data), `"workflowTaskRelationList":[{`)
		named := s.call(t, "GET", s.base+"/query-by-name", "name", "daily")
		require.Equal(t, string(dag.Data), string(named.Data))
		list := s.call(t, "GET", s.base+"/list")
		require.Equal(t, "["+string(dag.Data)+"]", string(list.Data))
		versions := s.call(t, "GET", fmt.Sprintf("%s/%d/versions", s.base, code), "pageNo", "1", "pageSize", "5")
		require.Contains(t, string(versions.Data), `"operateTime":`)
		own := s.call(t, "GET", fmt.Sprintf("/projects/%d", s.project))
		require.Equal(t, `{"id":1,"userId":2,"userName":"gwen","code":<A>,"name":"etl","description":"","createTime":"<time>","updateTime":"<time>","perm":7,"defCount":1}`, masked(own.Data, s.project)) //nolint:testifylint // order and spaces count
	})
}

func TestAWorkflowLivesItsLifeOverREST(t *testing.T) {
	t.Parallel()
	s := openREST(t, dbtest.SQLite(t))
	code, tasks, _ := s.post(t, "daily")
	at := fmt.Sprintf("%s/%d", s.base, code)
	put := func(script string, more ...string) envelope {
		text := strings.Replace(fmt.Sprintf(wireTasks, tasks[0], tasks[1]), "echo hi", script, 1)
		return s.call(t, "PUT", at, append([]string{
			"name", "daily", "globalParams", wireGlobals, "taskDefinitionJson", text, "taskRelationJson", fmt.Sprintf(wireEdges, tasks[0], tasks[0], tasks[1]),
			"locations", fmt.Sprintf(`[{"taskCode":%d,"x":132,"y":112}]`, tasks[0]),
		}, more...)...)
	}
	require.Contains(t, string(put("echo hi").Data), `"version":1,`, "the same content makes no version")
	require.Contains(t, string(put("echo other").Data), `"version":2,`)
	require.Equal(t, "true", string(s.call(t, "POST", at+"/release", "releaseState", "ONLINE").Data))
	require.Equal(t, "true", string(s.call(t, "POST", at+"/release", "releaseState", "ONLINE").Data))
	require.Equal(t, 50008, put("echo x").Code)
	require.Equal(t, 50021, s.call(t, "DELETE", at).Code)
	require.Equal(t, 50008, s.call(t, "GET", at+"/versions/1").Code)
	s.call(t, "POST", at+"/release", "releaseState", "OFFLINE")
	require.Zero(t, s.call(t, "GET", at+"/versions/1").Code)
	require.Contains(t, string(s.call(t, "GET", at).Data), `"version":3,`)
	require.Contains(t, string(put("echo last", "releaseState", "ONLINE").Data), `"releaseState":"ONLINE"`)
	s.call(t, "POST", at+"/release", "releaseState", "OFFLINE")
	require.Equal(t, 50053, s.call(t, "DELETE", at+"/versions/4").Code)
	require.Zero(t, s.call(t, "DELETE", at+"/versions/2").Code)

	require.Equal(t, 10168, s.call(t, "GET", s.base+"/verify-name", "name", " daily ").Code)
	require.Zero(t, s.call(t, "GET", s.base+"/verify-name", "name", "daily", "workflowDefinitionCode", fmt.Sprint(code)).Code)
	require.Zero(t, s.call(t, "POST", s.base+"/batch-copy", "codes", fmt.Sprint(code), "targetProjectCode", fmt.Sprint(s.project)).Code)
	require.Contains(t, string(s.call(t, "GET", s.base+"/simple-list").Data), `daily_copy_`)
	require.Equal(t, 10137, s.call(t, "DELETE", fmt.Sprintf("/projects/%d", s.project)).Code)
	all, err := s.workflows.All(s.gwen, s.project)
	require.NoError(t, err)
	require.Equal(t, "null", string(s.call(t, "POST", s.base+"/batch-delete", "codes", fmt.Sprintf("%d,%d", all[0].Code, all[1].Code)).Data))
	require.Equal(t, "true", string(s.call(t, "DELETE", fmt.Sprintf("/projects/%d", s.project)).Data))
	require.Equal(t, 10018, s.call(t, "GET", fmt.Sprintf("/projects/%d", s.project)).Code)
}

func TestRefusalsHaveTheNumbersClientsKnow(t *testing.T) {
	t.Parallel()
	s := openREST(t, dbtest.SQLite(t))
	code, tasks, _ := s.post(t, "daily")
	a, b := tasks[0], tasks[1]
	good, edges := fmt.Sprintf(wireTasks, a, b), fmt.Sprintf(wireEdges, a, a, b)
	for name, c := range map[string]struct {
		code              int
		name, task, edges string
	}{
		"name taken":      {10168, "daily", good, edges},
		"no JSON":         {50017, "x", "{", edges},
		"no tasks":        {50017, "x", "[]", "[]"},
		"no relations":    {50017, "x", good, "[]"},
		"garbage":         {50017, "x", "\x00\xff", edges},
		"unknown type":    {50020, "x", strings.Replace(good, "SHELL", "COBOL", 1), edges},
		"no script":       {50020, "x", strings.Replace(good, "echo hi", "", 1), edges},
		"cycle":           {50019, "x", good, fmt.Sprintf(`[{"preTaskCode":%d,"postTaskCode":%d},{"preTaskCode":%d,"postTaskCode":%d}]`, a, b, b, a)},
		"unknown task":    {50030, "x", good, fmt.Sprintf(`[{"preTaskCode":%d,"postTaskCode":77}]`, a)},
		"relation to 0":   {50036, "x", good, `[{"preTaskCode":0,"postTaskCode":0}]`},
		"task of another": {50017, "x", good, edges},
	} {
		e := s.call(t, "POST", s.base, "name", c.name, "taskDefinitionJson", c.task, "taskRelationJson", c.edges)
		require.Equal(t, c.code, e.Code, "%s: %s", name, e.Msg)
		require.NotRegexp(t, `^[a-z_]+\.[a-z_.]+$`, e.Msg, name)
		require.False(t, e.Success)
	}
	require.Equal(t, 10105, s.call(t, "POST", s.base, "name", "x").Code, "a parameter is missing")
	require.Equal(t, 1400004, s.call(t, "POST", s.base, "name", "x", "description", strings.Repeat("字", 256), "taskDefinitionJson",
		fmt.Sprintf(wireTasks, 0, 0), "taskRelationJson", edges).Code, "long description")
	for path, want := range map[string]int{
		fmt.Sprintf("%s/%d", s.base, 77):                               50003,
		fmt.Sprintf("/projects/77/workflow-definition/%d", code):       10190,
		fmt.Sprintf("/projects/%d/task-definition/77", s.project):      50030,
		fmt.Sprintf("%s/abc", s.base):                                  10109,
		s.base + "/query-by-name":                                      10109,
		s.base:                                                         10122,
		fmt.Sprintf("%s/%d/versions/99", s.base, code):                 10153,
		fmt.Sprintf("%s/77/versions/1", s.base):                        10152,
		fmt.Sprintf("/projects/%d/task-definition/gen-task-codes", 77): 10049,
	} {
		require.Equal(t, want, s.call(t, "GET", path).Code, path)
	}
	for n, want := range map[string]int{"0": 50017, "101": 50017, "-1": 50017, "x": 10049} {
		require.Equal(t, want, s.call(t, "GET", fmt.Sprintf("/projects/%d/task-definition/gen-task-codes", s.project), "genNum", n).Code, n)
	}
	require.Equal(t, 10001, s.call(t, "GET", s.base, "pageNo", "0", "pageSize", "10").Code)
	require.Equal(t, 10108, s.call(t, "POST", fmt.Sprintf("%s/%d/release", s.base, code), "releaseState", "SIDEWAYS").Code)
	require.Equal(t, 10158, s.call(t, "POST", s.base+"/batch-delete").Code)
}

func TestRESTChecksWhoAsks(t *testing.T) {
	t.Parallel()
	s := openREST(t, dbtest.SQLite(t))
	code, tasks, _ := s.post(t, "daily")
	reader, err := access.Must(s.member(t, "rita", access.Read))
	require.NoError(t, err)
	stranger, err := access.Must(s.member(t, "sam", ""))
	require.NoError(t, err)
	at := fmt.Sprintf("%s/%d", s.base, code)
	body := []string{"name", "x", "taskDefinitionJson", "[]", "taskRelationJson", "[]", "releaseState", "ONLINE", "codes", fmt.Sprint(code), "projectName", "x", "targetProjectCode", fmt.Sprint(s.project)}
	for _, c := range []struct{ method, path string }{
		{"POST", s.base},
		{"PUT", at},
		{"DELETE", at},
		{"POST", at + "/release"},
		{"GET", at + "/versions/1"},
		{"DELETE", at + "/versions/1"},
		{"POST", s.base + "/batch-delete"},
		{"POST", s.base + "/batch-copy"},
		{"PUT", fmt.Sprintf("/projects/%d", s.project)},
		{"DELETE", fmt.Sprintf("/projects/%d", s.project)},
	} {
		status, _ := s.as(t, access.Principal{}, c.method, c.path, body...)
		require.Equal(t, http.StatusUnauthorized, status, c.path)
		_, e := s.as(t, stranger, c.method, c.path, body...)
		require.Equal(t, 30002, e.Code, "%s %s: %s", c.method, c.path, e.Msg)
		_, e = s.as(t, reader, c.method, c.path, body...)
		require.Equal(t, 30003, e.Code, "%s %s: %s", c.method, c.path, e.Msg)
	}
	for _, path := range []string{at, s.base + "/list", s.base + "/simple-list", at + "/tasks", at + "/view-variables", fmt.Sprintf("/projects/%d", s.project), fmt.Sprintf("/projects/%d/task-definition/%d", s.project, tasks[0])} {
		_, e := s.as(t, stranger, "GET", path)
		require.Equal(t, 30002, e.Code, path)
		_, e = s.as(t, reader, "GET", path)
		require.Zero(t, e.Code, "%s: %s", path, e.Msg)
	}
	_, e := s.as(t, stranger, "GET", "/projects", "pageNo", "1", "pageSize", "10")
	require.Contains(t, string(e.Data), `"total":0`)
	_, e = s.as(t, stranger, "GET", "/projects/authed-project", "userId", fmt.Sprint(reader.UserID))
	require.Equal(t, 30001, e.Code, "of others only administrators know")
	_, e = s.as(t, s.Admin, "GET", "/projects/authed-project", "userId", fmt.Sprint(reader.UserID))
	require.Contains(t, string(e.Data), `"name":"etl"`)
	_, e = s.as(t, s.Admin, "GET", "/projects/project-with-authorized-level", "userId", fmt.Sprint(reader.UserID))
	require.Contains(t, string(e.Data), `"perm":2`)
	_, e = s.as(t, s.Admin, "GET", "/projects/authed-user", "projectCode", fmt.Sprint(s.project))
	require.Contains(t, string(e.Data), `"rita"`)
	require.Equal(t, flow.Offline, func() flow.ReleaseState { w, _ := s.workflows.Get(s.gwen, code); return w.ReleaseState }())
}
