package boot

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	endpoints "dorado/app/kit/web/dsapi/describe"
	"dorado/modules/access"
)

// spot is a project and one of everything in it.
type spot struct {
	owner string           // who made it
	ids   map[string]int64 // by what it is
}

// person is somebody who calls, or nobody.
type person struct {
	name    string
	id      int64
	token   string
	session string
}

// world is the program with two projects and people of every role. In "own" they have their roles; "other" is of
// somebody else.
type world struct {
	c       *core
	m       *modules
	handler http.Handler
	people  map[string]*person
	places  map[string]*spot
	table   *endpoints.Table
}

const worldPassword = "Sesame-open-1"

// principals are who calls, weakest first.
func principals() []string {
	return []string{"nobody", "disabled", "stranger", "reader", "operator", "writer", "owner", "admin"}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	c, m := programFor(t)
	m.instance.Streams = savedStreams{}
	table, err := endpoints.Load()
	require.NoError(t, err)
	w := &world{c: c, m: m, people: map[string]*person{"nobody": {name: "nobody"}}, places: map[string]*spot{}, table: table}
	system := access.WithPrincipal(t.Context(), access.System())
	_, _, err = m.identity.EnsureAdmin(system, worldPassword)
	require.NoError(t, err)
	w.handler = m.handler(c)
	w.people["admin"] = &person{name: "admin", id: 1}
	w.signIn(t, "admin")
	for _, name := range []string{"disabled", "stranger", "reader", "operator", "writer", "owner", "boss"} {
		id := w.must(t, "admin", "POST", "/users/create", "userName", name, "userPassword", worldPassword, "tenantId", "-1",
			"email", name+"@example.org", "state", "1").number(t, "id")
		w.people[name] = &person{name: name, id: id}
		w.signIn(t, name)
	}
	w.places["own"] = w.newPlace(t, "owner", "own")
	w.places["other"] = w.newPlace(t, "boss", "other")
	w.seedShared(t)
	for name, role := range map[string]string{"reader": "read", "operator": "operate", "writer": "all"} {
		require.NoError(t, m.project.SetMember(system, w.places["own"].ids["project"], name, role))
	}
	require.NoError(t, m.identity.SetEnabled(system, w.people["disabled"].id, false))
	require.NoError(t, m.access.Refresh(t.Context()))
	return w
}

// signIn gives a person a session and a token.
func (w *world) signIn(t testing.TB, name string) {
	t.Helper()
	p := w.people[name]
	var session struct{ SessionID string }
	require.NoError(t, json.Unmarshal(w.must(t, "nobody", "POST", "/login", "userName", name, "userPassword", worldPassword).Data, &session))
	p.session = session.SessionID
	var token struct{ Token string }
	require.NoError(t, json.Unmarshal(w.must(t, name, "POST", "/access-tokens", "userId", strconv.FormatInt(p.id, 10), "expireTime", "2099-01-01 00:00:00").Data, &token))
	p.token = token.Token
}

// dagTasks and dagRelations are two tasks in a row.
func dagTasks(a, b int64) string {
	one := func(code int64, name string) string {
		return `{"code":` + strconv.FormatInt(code, 10) + `,"name":"` + name + `","taskType":"SHELL","taskParams":{"localParams":[],"rawScript":"echo hi","resourceList":[]},` +
			`"flag":"YES","taskPriority":"MEDIUM","workerGroup":"default","environmentCode":-1,"failRetryTimes":"0","failRetryInterval":"1","timeoutFlag":"CLOSE","timeout":0,"delayTime":"0"}`
	}
	return "[" + one(a, "first") + "," + one(b, "second") + "]"
}

func dagRelations(a, b int64) string {
	one := func(pre, post int64) string {
		return `{"name":"","preTaskCode":` + strconv.FormatInt(pre, 10) + `,"preTaskVersion":0,"postTaskCode":` + strconv.FormatInt(post, 10) +
			`,"postTaskVersion":0,"conditionType":"NONE","conditionParams":{}}`
	}
	return "[" + one(0, a) + "," + one(a, b) + "]"
}

const worldSchedule = `{"startTime":"2019-08-08 00:00:00","endTime":"2100-08-08 00:00:00","timezoneId":"UTC","crontab":"0 0 3 * * ? *"}`

// newPlace makes a project and what is in it, as its owner would.
func (w *world) newPlace(t testing.TB, owner, name string) *spot {
	t.Helper()
	p := &spot{owner: owner, ids: map[string]int64{}}
	as := func(method, path string, fields ...string) reply { return w.must(t, owner, method, path, fields...) }
	text := func(what string) string { return strconv.FormatInt(p.ids[what], 10) }
	p.ids["project"] = as("POST", "/projects", "projectName", name).number(t, "code")
	in := "/projects/" + text("project")
	var codes []int64
	require.NoError(t, json.Unmarshal(as("GET", in+"/task-definition/gen-task-codes?genNum=2").Data, &codes))
	p.ids["task"], p.ids["task2"] = codes[0], codes[1]
	p.ids["workflow"] = as("POST", in+"/workflow-definition", "name", name+"-flow", "taskDefinitionJson", dagTasks(codes[0], codes[1]),
		"taskRelationJson", dagRelations(codes[0], codes[1])).number(t, "code")
	as("PUT", in+"/workflow-definition/"+text("workflow"), "name", name+"-flow", "description", "a second version",
		"taskDefinitionJson", dagTasks(codes[0], codes[1]), "taskRelationJson", dagRelations(codes[0], codes[1]))
	as("POST", in+"/workflow-definition/"+text("workflow")+"/release", "releaseState", "ONLINE")
	p.ids["schedule"] = as("POST", in+"/schedules", "workflowDefinitionCode", text("workflow"), "schedule", worldSchedule).number(t, "id")
	p.ids["parameter"] = as("POST", in+"/project-parameter", "projectParameterName", "size", "projectParameterValue", "1").number(t, "code")
	p.ids["taskgroup"] = as("POST", "/task-group/create", "name", name+"-group", "projectCode", text("project"), "description", "", "groupSize", "2").number(t, "id")
	var tokens []struct{ ID int64 }
	require.NoError(t, json.Unmarshal(as("GET", "/access-tokens/user/"+strconv.FormatInt(w.people[owner].id, 10)).Data, &tokens))
	p.ids["token"] = tokens[0].ID
	p.ids["user"] = w.people[owner].id
	require.NoError(t, json.Unmarshal(as("GET", in+"/task-definition/gen-task-codes?genNum=1").Data, &codes))
	p.ids["streamtask"] = codes[0]
	clicks := `[{"code":` + text("streamtask") + `,"name":"clicks","taskType":"FLINK_STREAM","taskExecuteType":"STREAM","taskParams":{"programType":"SQL","rawScript":"x"}}]`
	p.ids["streamflow"] = as("POST", in+"/workflow-definition", "name", name+"-stream", "taskDefinitionJson", clicks,
		"taskRelationJson", `[{"preTaskCode":0,"postTaskCode":`+text("streamtask")+`}]`).number(t, "code")
	as("POST", in+"/workflow-definition/"+text("streamflow")+"/release", "releaseState", "ONLINE")
	w.seedRuns(t, p)
	// Another workflow, offline: it can be changed and deleted.
	require.NoError(t, json.Unmarshal(as("GET", in+"/task-definition/gen-task-codes?genNum=2").Data, &codes))
	p.ids["idletask"], p.ids["idletask2"] = codes[0], codes[1]
	p.ids["idle"] = as("POST", in+"/workflow-definition", "name", name+"-idle", "taskDefinitionJson", dagTasks(codes[0], codes[1]),
		"taskRelationJson", dagRelations(codes[0], codes[1])).number(t, "code")
	as("PUT", in+"/workflow-definition/"+text("idle"), "name", name+"-idle", "description", "a second version",
		"taskDefinitionJson", strings.ReplaceAll(dagTasks(codes[0], codes[1]), "echo hi", "echo ho"), "taskRelationJson", dagRelations(codes[0], codes[1]))
	return p
}

// seedShared makes what belongs to no project.
func (w *world) seedShared(t testing.TB) {
	t.Helper()
	now := db.Cut(time.Now())
	insert := func(query string, args ...any) int64 {
		res, err := w.c.db.Exec(t.Context(), query, args...)
		require.NoError(t, err)
		id, err := res.LastInsertId()
		require.NoError(t, err)
		return id
	}
	whole := func(a reply) int64 {
		n, err := strconv.ParseInt(string(a.Data), 10, 64)
		require.NoError(t, err, a.body)
		return n
	}
	spare := w.must(t, "admin", "POST", "/users/create", "userName", "spare", "userPassword", worldPassword, "tenantId", "-1", "email", "s@example.org", "state", "1").number(t, "id")
	asleep := w.must(t, "admin", "POST", "/users/create", "userName", "asleep", "userPassword", worldPassword, "tenantId", "-1", "email", "a@example.org", "state", "0").number(t, "id")
	shared := map[string]int64{
		"spare": spare, "asleep": asleep,
		"queue":       w.must(t, "admin", "POST", "/queues", "queue", "fast", "queueName", "fast").number(t, "id"),
		"tenant":      w.must(t, "admin", "POST", "/tenants", "tenantCode", "etl", "queueId", "1", "description", "").number(t, "id"),
		"environment": whole(w.must(t, "admin", "POST", "/environment/create", "name", "spark", "config", "export A=1", "description", "", "workerGroups", "[]")),
		"workergroup": insert(`INSERT INTO worker_group (name, addresses, created_at, updated_at) VALUES ('gpu', '10.0.0.5:1234', ?, ?)`, now, now),
		"alertgroup":  insert(`INSERT INTO alert_group (name, created_at, updated_at) VALUES ('night', ?, ?)`, now, now),
		"calendar":    insert(`INSERT INTO calendar (name, operator_id, created_at, updated_at) VALUES ('workdays', 1, ?, ?)`, now, now),
		"error": insert(`INSERT INTO error_command (id, command_type, workflow_instance_id, param, executor_id, message, created_at, failed_at)
			VALUES (77, 'START_PROCESS', ?, '{}', 1, 'broken', ?, ?)`, w.places["own"].ids["running"], now, now),
	}
	shared["cluster"] = whole(w.must(t, "admin", "POST", "/cluster/create", "name", "k8s", "config", worldKubeconfig, "description", ""))
	shared["namespace"] = w.must(t, "admin", "POST", "/k8s-namespace", "namespace", "jobs", "clusterCode", strconv.FormatInt(shared["cluster"], 10)).number(t, "id")
	for name, p := range w.places {
		maps.Copy(p.ids, shared)
		r := httptest.NewRequestWithContext(t.Context(), "POST", "http://dorado.test"+apiPath+"/datasources", strings.NewReader(strings.ReplaceAll(worldDatasource, "NAME", name)))
		r.Header.Set("Content-Type", "application/json")
		if a := w.call(r, p.owner); a.Status != http.StatusNotFound {
			p.ids["datasource"] = a.number(t, "id")
		}
		p.ids["udf"] = insert(`INSERT INTO udf_func (user_id, name, class_name, type, created_at, updated_at) VALUES (?, ?, 'a.B', 'HIVE', ?, ?)`, p.ids["user"], name, now, now)
		for what, query := range map[string]string{
			"projectid": `SELECT id FROM project WHERE code = ?`, "environmentid": `SELECT id FROM environment WHERE ? > 0`, "parameterid": `SELECT id FROM project_parameter WHERE project_code = ?`,
		} {
			id, err := db.Get[int64](t.Context(), w.c.db, query, p.ids["project"])
			require.NoError(t, err)
			p.ids[what] = id
		}
	}
}

const worldKubeconfig = `{"k8s":"apiVersion: v1\nkind: Config\nclusters:\n- name: a\n  cluster: {server: https://127.0.0.1:6443}\ncontexts:\n- name: a\n  context: {cluster: a, user: a}\ncurrent-context: a\nusers:\n- name: a\n  user: {token: t}\n"}`

const worldDatasource = `{"type":"POSTGRESQL","name":"NAME","note":"","host":"127.0.0.1","port":5432,"userName":"root","password":"secret","database":"dw","other":{}}`

// seedRuns writes what only an engine makes: a run that failed, one that runs, and what waits.
func (w *world) seedRuns(t testing.TB, p *spot) {
	t.Helper()
	ctx, now := t.Context(), db.Cut(time.Now())
	exec := func(query string, args ...any) int64 {
		res, err := w.c.db.Exec(ctx, query, args...)
		require.NoError(t, err)
		id, err := res.LastInsertId()
		require.NoError(t, err)
		return id
	}
	run := func(state string, end any) int64 {
		return exec(`INSERT INTO workflow_instance (name, workflow_code, workflow_version, workflow_name, project_code, state, command_type, executor_id,
			executor_name, start_time, end_time, created_at, updated_at) VALUES ('run', ?, 2, 'flow', ?, ?, 'START_PROCESS', ?, ?, ?, ?, ?, ?)`,
			p.ids["workflow"], p.ids["project"], state, w.people[p.owner].id, p.owner, now, end, now, now)
	}
	task := func(instance, code int64, state string) int64 {
		return exec(`INSERT INTO task_instance (workflow_instance_id, project_code, task_code, task_version, name, task_type, state, first_submit_time,
			submit_time, start_time) VALUES (?, ?, ?, 1, 'first', 'SHELL', ?, ?, ?, ?)`, instance, p.ids["project"], code, state, now, now, now)
	}
	p.ids["instance"] = run("FAILURE", now)
	p.ids["taskinstance"] = task(p.ids["instance"], p.ids["task"], "FAILURE")
	exec(`INSERT INTO task_result (task_instance_id, kind, body, detail, created_at) VALUES (?, 'DATA_QUALITY', '{"ruleId":1,"state":2}', '{"columns":["id"],"rows":[["1"]]}', ?)`,
		p.ids["taskinstance"], now)
	p.ids["running"] = run("RUNNING_EXECUTION", nil)
	p.ids["runningtask"] = task(p.ids["running"], p.ids["task"], "RUNNING_EXECUTION")
	p.ids["waitingtask"] = task(p.ids["running"], p.ids["task2"], "SUBMITTED_SUCCESS")
	exec(`INSERT INTO task_group_slot (task_instance_id, workflow_instance_id, task_group_id, queued_at) VALUES (?, ?, ?, ?)`,
		p.ids["waitingtask"], p.ids["running"], p.ids["taskgroup"], now)
	exec(`INSERT INTO approval (task_instance_id, workflow_instance_id, project_code, question, role, state, created_at) VALUES (?, ?, ?, 'Ship it?', 'OPERATE', 'WAITING', ?)`,
		p.ids["runningtask"], p.ids["running"], p.ids["project"], now)
	p.ids["slot"] = p.ids["waitingtask"]
	p.ids["streaming"] = task(run("RUNNING_EXECUTION", nil), p.ids["task"], "RUNNING_EXECUTION")
	exec(`UPDATE workflow_instance SET stream = TRUE, is_sub_workflow = TRUE WHERE id = (SELECT workflow_instance_id FROM task_instance WHERE id = ?)`, p.ids["streaming"])
	p.ids["preset"] = exec(`INSERT INTO run_preset (workflow_code, name, body, user_id, created_at, updated_at) VALUES (?, 'usual', '{}', ?, ?, ?)`,
		p.ids["workflow"], w.people[p.owner].id, now, now)
	p.ids["backfill"] = exec(`INSERT INTO backfill (project_code, workflow_code, workflow_version, state, width, run_order, failure_policy, request, user_id,
		user_name, created_at, updated_at) VALUES (?, ?, 2, 'RUNNING', 1, 'DESC_ORDER', 'CONTINUE', '{}', ?, ?, ?, ?)`,
		p.ids["project"], p.ids["workflow"], w.people[p.owner].id, p.owner, now, now)
}

// reply is what a call of REST got.
type reply struct {
	Status int
	Code   int
	Msg    string
	Data   json.RawMessage
	body   string
	header http.Header
}

func (a reply) number(t testing.TB, member string) int64 {
	t.Helper()
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(a.Data, &members), a.body)
	n, err := strconv.ParseInt(string(members[member]), 10, 64)
	require.NoError(t, err, a.body)
	return n
}

// must calls REST with form fields and requires that it works.
func (w *world) must(t testing.TB, who, method, path string, fields ...string) reply {
	t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	r := httptest.NewRequestWithContext(t.Context(), method, "http://dorado.test"+apiPath+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a := w.call(r, who)
	require.Equal(t, 0, a.Code, "%s %s: %s", method, path, a.body)
	require.Contains(t, []int{http.StatusOK, http.StatusCreated}, a.Status, "%s %s: %s", method, path, a.body)
	return a
}

// call sends a request of REST as somebody.
func (w *world) call(r *http.Request, who string) reply {
	if p := w.people[who]; p.token != "" {
		r.Header.Set("token", p.token)
	} else if p.session != "" {
		r.Header.Set("sessionId", p.session)
	}
	rec := w.serve(r)
	a := reply{Status: rec.Code, body: rec.Body.String(), header: rec.Header()}
	if json.Unmarshal(rec.Body.Bytes(), &a) != nil {
		a.Code = 0 // a file, or nothing
	}
	a.Status = rec.Code
	return a
}

// serve runs a request until its answer is there; of a stream of events its beginning is enough.
func (w *world) serve(r *http.Request) *httptest.ResponseRecorder {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(&untilStream{ResponseRecorder: rec, end: cancel}, r.WithContext(ctx))
	return rec
}

// untilStream ends a request when its answer turns out to be a stream of events.
type untilStream struct {
	*httptest.ResponseRecorder
	end context.CancelFunc
}

func (u *untilStream) WriteHeader(status int) {
	u.ResponseRecorder.WriteHeader(status)
	if strings.HasPrefix(u.Header().Get("Content-Type"), "text/event-stream") {
		u.end()
	}
}

func (u *untilStream) Write(b []byte) (int, error) {
	if strings.HasPrefix(u.Header().Get("Content-Type"), "text/event-stream") {
		defer u.end()
	}
	return u.ResponseRecorder.Write(b)
}
