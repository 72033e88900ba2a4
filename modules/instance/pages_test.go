package instance_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/web/webtest"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/security/crudtest"
)

// browser opens the pages as p.
func (w *world) browser(t testing.TB, p access.Principal) *webtest.Browser {
	t.Helper()
	return w.App.Browser(t, func(r chi.Router) { w.Routes(r) }).As(crudtest.As(p))
}

func (w *world) at(rest string) string {
	return "/projects/" + strconv.FormatInt(w.project, 10) + rest
}

func (w *world) run(t testing.TB, state flow.WorkflowState) (id int64, address string) {
	t.Helper()
	id = w.start(t)
	w.become(t, id, state)
	return id, w.at("/instances/" + strconv.FormatInt(id, 10))
}

func TestTheRunDialogStartsAndLeadsToTheInstance(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		b := w.browser(t, w.General)
		form := w.at("/workflows/" + strconv.FormatInt(w.flow.Workflow.Code, 10) + "/run")
		page := b.Get(form).Require(http.StatusOK)
		require.Equal(t, "dt", page.Value("param_name"), "prefilled from the global parameters")
		require.Contains(t, page.Text(`[data-test="run.group"]`), "default · 1 worker")
		fields := []string{
			"key", page.Value("key"), "failure", "END", "priority", "HIGH", "group", "default", "tenant", "default",
			"param_name", "dt", "param_type", "VARCHAR", "param_value", "20200101", "param_name", "", "param_type", "VARCHAR", "param_value", "",
		}
		first := b.Post(form, fields...).Require(http.StatusSeeOther).Header.Get("Location")
		require.Equal(t, first, b.Post(form, fields...).Require(http.StatusSeeOther).Header.Get("Location"), "a double click starts once")
		i, err := w.Get(w.gwen, 1)
		require.NoError(t, err)
		require.Equal(t, flow.FailureEnd, i.FailureStrategy)
		require.Contains(t, i.GlobalParams, "20200101")
		require.Contains(t, b.Get(first).Require(http.StatusOK).Text("h1"), i.Name)

		twice := b.Post(form, "failure", "MAYBE", "tenant", "nobody", "param_name", "x", "param_name", "x").Require(http.StatusUnprocessableEntity)
		require.True(t, twice.Has(".err"))
		require.Equal(t, http.StatusForbidden, w.browser(t, w.member(t, "rita", access.Read)).Get(form).Status)
		b.Get(form + "?startNode=garbage").Require(http.StatusUnprocessableEntity)
		node := b.Get(form + "?startNode=" + strconv.FormatInt(w.flow.Definition.Tasks[1].Code, 10) + "&depend=TASK_PRE")
		require.Contains(t, node.Text(`[data-test="run.depend"]`), "2 tasks run")
	})
}

func TestTheListShowsRunsAndWhatCanBeDone(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	id, _ := w.run(t, flow.WorkflowFailure)
	w.attempt(t, id, 1, attempt{state: flow.TaskFailure})
	w.run(t, flow.WorkflowRunning)
	b := w.browser(t, w.General)
	page := b.Get(w.at("/instances")).Require(http.StatusOK)
	require.Equal(t, 2, page.Count(`[data-test="instance.row"]`))
	require.Contains(t, page.Body, "The workflow instance has not ended yet.", "why deleting is not possible now")
	require.Equal(t, 1, page.Count(`#run-`+strconv.FormatInt(id, 10)+` [data-test="row.START_FAILURE_TASK_PROCESS"]`))
	require.Equal(t, 1, b.Get(w.at("/instances?state=FAILURE")).Count(`[data-test="instance.row"]`))
	require.Equal(t, 0, b.Get(w.at("/instances?from=2050-01-01")).Count(`[data-test="instance.row"]`))
	require.Equal(t, 2, b.Get(w.at("/instances?from=garbage&page=-3&size=x&state=")).Count(`[data-test="instance.row"]`))

	reader := w.browser(t, w.member(t, "rita", access.Read)).Get(w.at("/instances")).Require(http.StatusOK)
	require.False(t, reader.Has(`[data-test="row.STOP"], .batch, [data-select-row]`), "what one may never do is not shown")
	require.Equal(t, http.StatusForbidden, w.browser(t, w.member(t, "sam", "")).Get(w.at("/instances")).Status)
	require.Equal(t, http.StatusNotFound, b.Get("/projects/4711/instances").Status)
	require.Equal(t, http.StatusNotFound, b.Get("/projects/zero/instances").Status)
	require.Contains(t, w.browser(t, w.General).In("zh-CN").Get(w.at("/instances")).Text("h1"), "工作流实例")
}

func TestOperationsAreSeenAtOnceAndRefusalsSayWhy(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	_, at := w.run(t, flow.WorkflowRunning)
	b := w.browser(t, w.General)
	page := b.Follow(b.Post(at+"/operate", "op", "STOP").Require(http.StatusSeeOther))
	require.Contains(t, page.Text("#run-head"), "Stopping")
	require.Contains(t, b.Post(at+"/operate", "op", "PAUSE").Require(http.StatusConflict).Body, "is being stopped")
	b.Post(at+"/operate", "op", "EXECUTE_TASK").Require(http.StatusUnprocessableEntity)
	b.Post(at+"/operate", "op", "garbage").Require(http.StatusUnprocessableEntity)
	b.Get(at + "/operate?op=STOP").Require(http.StatusOK)
	require.Equal(t, http.StatusForbidden, w.browser(t, w.member(t, "rita", access.Read)).Post(at+"/operate", "op", "STOP").Status)

	done, gone := w.run(t, flow.WorkflowSuccess)
	b.Get(gone + "/operate?op=DELETE").Require(http.StatusOK)
	require.Equal(t, w.at("/instances"), b.Post(gone+"/operate", "op", "DELETE").Require(http.StatusSeeOther).Header.Get("Location"))
	b.Get(gone).Require(http.StatusNotFound)
	_, err := w.Get(w.gwen, done)
	require.Error(t, err)
	other := b.Post(at+"/operate", "op", "STOP", "next", "//evil.example/x").Require(http.StatusSeeOther)
	require.True(t, strings.HasPrefix(other.Header.Get("Location"), "/projects/"), "nobody is sent elsewhere")
}

func TestSeveralAreOperatedOnWithAResultEach(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	a, _ := w.run(t, flow.WorkflowRunning)
	c, _ := w.run(t, flow.WorkflowSuccess)
	b := w.browser(t, w.General)
	ids := []string{"ids", strconv.FormatInt(a, 10), "ids", strconv.FormatInt(c, 10), "ids", "999"}
	page := b.Post(w.at("/instances/batch"), append([]string{"op", "STOP"}, ids...)...).Require(http.StatusOK)
	require.Equal(t, 3, page.Count(".results li"))
	require.Contains(t, page.Text(".results"), "The workflow instance has ended.")
	require.Contains(t, page.Text(".batch-results"), "1 of 3 done")
	b.Post(w.at("/instances/batch"), "op", "STOP").Require(http.StatusUnprocessableEntity)

	ask := b.Post(w.at("/instances/batch"), "op", "DELETE", "ids", strconv.FormatInt(c, 10)).Require(http.StatusOK)
	require.True(t, ask.Has(`[data-test="confirm.count"]`))
	_, err := w.Get(w.gwen, c)
	require.NoError(t, err, "nothing is deleted before the number is typed")
	b.Post(w.at("/instances/batch"), "op", "DELETE", "ids", strconv.FormatInt(c, 10), "confirm", "1").Require(http.StatusOK)
	_, err = w.Get(w.gwen, c)
	require.Error(t, err)
}

func TestEveryTabOfAnInstanceOpens(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	id, at := w.run(t, flow.WorkflowFailure)
	w.logs.files["/l/1.log"] = []string{"fine", "ERROR <b>bold</b> failed"}
	w.attempt(t, id, 1, attempt{state: flow.TaskFailure, old: true, log: "/l/0.log", retries: 1})
	w.attempt(t, id, 2, attempt{state: flow.TaskFailure, number: 1, retries: 1, log: "/l/1.log", message: "exit code 1"})
	b := w.browser(t, w.General)
	graph := b.Get(at).Require(http.StatusOK)
	require.Contains(t, graph.Text(`[data-test="run.failed"]`), "ERROR <b>bold</b> failed")
	require.NotContains(t, graph.Body, "<b>bold</b>", "log text is text")
	var data struct {
		Mode     string
		Instance struct {
			ID     int64
			States map[string]struct{ State, Reason string }
		}
		Definition struct{ Tasks, Relations, Locations []any }
	}
	require.NoError(t, json.Unmarshal([]byte(graph.Doc.Find("#dag-data").Text()), &data))
	require.Equal(t, "read", data.Mode)
	require.Equal(t, "FAILURE", data.Instance.States[strconv.FormatInt(w.flow.Definition.Tasks[0].Code, 10)].State)
	require.Len(t, data.Definition.Tasks, 3)
	require.Len(t, data.Definition.Locations, 3, "what nobody placed is laid out")
	require.Equal(t, 3, graph.Count("svg.dag-svg .dag-svg-name"), "the picture without scripts")

	tasks := b.Get(at + "?tab=tasks")
	require.Equal(t, 5, tasks.Count("tbody tr"), "three tasks and two attempts")
	require.Contains(t, tasks.Text("table"), "Did not run: a did not succeed.")
	require.True(t, b.Get(at+"?tab=timeline").Has("svg.gantt .b"))
	params := b.Get(at + "?tab=parameters")
	require.Contains(t, params.Text("#run-tab"), "Global parameter")
	require.NotContains(t, params.Body, "hunter2")
	require.GreaterOrEqual(t, b.Get(at+"?tab=events").Count(".events li"), 5)
	b.Get(at + "?tab=<script>").Require(http.StatusOK)

	panel := b.Part(at+"/task?code="+strconv.FormatInt(w.flow.Definition.Tasks[0].Code, 10), "run-task").Require(http.StatusOK)
	require.Contains(t, panel.Text(`[data-test="panel.lines"]`), "fine")
	require.False(t, panel.Has("html aside"))
	b.Get(at + "/task?code=1").Require(http.StatusNotFound)
	logs := b.Get(at + "/logs").Require(http.StatusOK)
	require.Contains(t, logs.Text(".log-section[open]"), "ERROR <b>bold</b> failed")
	raw := b.Get(at + "/logs/raw").Require(http.StatusOK)
	require.Contains(t, raw.Body, "===== a · attempt 2 of 2 · FAILURE · worker-1 =====")
}

func TestNobodyGetsAtRunsOfOtherProjects(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	id, at := w.run(t, flow.WorkflowSuccess)
	w.logs.files["/l/1.log"] = []string{"secret"}
	w.attempt(t, id, 1, attempt{state: flow.TaskSuccess, log: "/l/1.log"})
	sam := w.member(t, "sam", "")
	mine, err := w.projects.Create(access.WithPrincipal(t.Context(), sam), projectDraft("sams"))
	require.NoError(t, err)
	b := w.browser(t, sam)
	foreign := "/projects/" + strconv.FormatInt(mine.Code, 10)
	task := "/task-instances/1"
	for _, path := range []string{at, at + "/events", at + "/logs", at + "/logs/raw", w.at(task), w.at(task) + "/log", w.at(task) + "/log/lines", w.at(task) + "/log/raw"} {
		require.Equal(t, http.StatusForbidden, b.Get(path).Status, path)
		require.NotContains(t, b.Get(path).Body, "secret")
	}
	for _, path := range []string{"/instances/" + strconv.FormatInt(id, 10), task, task + "/log", task + "/log/lines?from=0", task + "/log/search?q=s", task + "/log/raw", task + "/log/stream"} {
		require.Equal(t, http.StatusNotFound, b.Get(foreign+path).Status, "an id of another project under one's own: %s", path)
	}
	require.Empty(t, w.logs.asked)
}

func TestLogEndpointsSpeakTheContractOfTheLogView(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	id, _ := w.run(t, flow.WorkflowFailure)
	lines := make([]string, 6000)
	for k := range lines {
		lines[k] = "line " + strconv.Itoa(k)
	}
	lines[10] = "ERROR \x1b[31m<script>alert(1)</script>\x1b[0m"
	w.logs.files["/l/1.log"] = lines
	w.attempt(t, id, 1, attempt{state: flow.TaskFailure, log: "/l/1.log", retries: 1, old: true})
	w.attempt(t, id, 2, attempt{state: flow.TaskSubmitted, number: 1, retries: 1})
	w.attempt(t, id, 3, attempt{task: 1, state: flow.TaskFailure, log: "/l/gone.log"})
	w.attempt(t, id, 4, attempt{task: 2, state: flow.TaskFailure, log: "/l/1.log", host: "away"})
	b := w.browser(t, w.General).With("Accept", "application/json")
	src := w.at("/task-instances/1/log")
	require.JSONEq(t, `{"from":5998,"lines":["line 5998","line 5999"],"total":6000,"end":true,"size":`+strconv.Itoa(len(strings.Join(lines, "\n")))+`}`,
		b.Get(src+"/lines?from=-2&limit=2").Require(http.StatusOK).Body)
	require.JSONEq(t, `{"hits":[{"line":5999,"text":"line 5999"}],"total":1,"more":false}`, b.Get(src+"/search?q=line+5999&regex=0&case=1&from=0&limit=10").Body)
	require.JSONEq(t, `{"hits":[],"total":0,"more":false}`, b.Get(src+"/search?q=").Body)
	for _, odd := range []string{"from=x&limit=y", "from=-99999999999999999999&limit=-1", "limit=999999999", "from=0&limit=0&path=/etc/passwd"} {
		b.Get(src + "/lines?" + odd).Require(http.StatusOK)
	}
	require.Contains(t, b.Get(src+"/search?q=(&regex=1").Require(http.StatusUnprocessableEntity).Body, `"code":"log.bad_pattern"`)
	require.Contains(t, b.In("zh-CN").With("Accept", "application/json").Get(w.at("/task-instances/3/log/lines")).Require(http.StatusNotFound).Body, "log.gone")
	require.Contains(t, b.Get(w.at("/task-instances/4/log/lines")).Require(http.StatusServiceUnavailable).Body, "log.worker_away")
	require.Contains(t, b.Get(w.at("/task-instances/2/log/lines")).Require(http.StatusNotFound).Body, "instance.no_log")
	for _, path := range w.logs.asked {
		require.True(t, strings.HasPrefix(path, "/l/"), "paths come from rows only")
	}

	stream := w.browser(t, w.General).Get(src + "/stream?from=5999").Require(http.StatusOK)
	require.Contains(t, stream.Body, "id: 6000\nevent: lines\ndata: {\"from\":5999,\"lines\":[\"line 5999\"],\"partial\":false}")
	require.Contains(t, stream.Body, "event: end")
	again := w.browser(t, w.General).With("Last-Event-ID", "6000").Get(src + "/stream?from=0")
	require.NotContains(t, again.Body, "line 0", "a browser that comes back goes on where it was")
	require.Contains(t, w.browser(t, w.General).Get(w.at("/task-instances/3/log/stream")).Body, "event: gone\ndata: {\"message\"")

	raw := b.Get(src + "/raw").Require(http.StatusOK)
	require.Contains(t, raw.Header.Get("Content-Disposition"), "attachment")
	require.Len(t, strings.Split(strings.TrimSpace(raw.Body), "\n"), 6000)

	page := w.browser(t, w.General).Get(src).Require(http.StatusOK)
	require.Equal(t, "error", page.Attr("log-view", "open-at"))
	require.Equal(t, src+"?from=0", page.Attr(`[data-test="log.older"]`, "href"))
	old := w.browser(t, w.General).Get(src + "?from=0")
	require.Contains(t, old.Text("log-view pre"), "ERROR <script>alert(1)</script>")
	require.NotContains(t, old.Body, "<script>alert(1)")
	require.Equal(t, src+"?from=5000", old.Attr(`[data-test="log.newer"]`, "href"))
	require.Equal(t, w.at("/task-instances/2/log"), w.browser(t, w.General).Get(src+"?attempt=2").Require(http.StatusSeeOther).Header.Get("Location"))
}

func TestNamesAreTextWhereverTheyStand(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	const evil = `<img src=x onerror=alert(1)>`
	w.flow = w.online(t, evil, evil+"a", "b")
	id, at := w.run(t, flow.WorkflowFailure)
	w.logs.files["/l/1.log"] = []string{evil}
	w.attempt(t, id, 1, attempt{state: flow.TaskFailure, log: "/l/1.log", message: evil})
	b := w.browser(t, w.General)
	form := w.at("/workflows/" + strconv.FormatInt(w.flow.Workflow.Code, 10) + "/run")
	for _, path := range []string{
		at, at + "?tab=tasks", at + "?tab=timeline", at + "?tab=parameters", at + "?tab=events", at + "/logs", at + "/operate?op=DELETE", form,
		w.at("/instances"), w.at("/instances?q=" + "%3Cimg+src%3Dx%3E&executor=%3Cimg+src%3Dx%3E"), w.at("/task-instances"), w.at("/task-instances/1"), w.at("/task-instances/1/log"),
	} {
		require.NotContains(t, b.Get(path).Require(http.StatusOK).Body, "<img src=x", path)
	}
}

// stateMessage is the data of the event dag-states.
type stateMessage struct {
	State string
	Done  int
	Total int
	Tasks map[string]struct{ State, Reason string }
}

func TestTheStreamOfARunSendsDifferencesAndEnds(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	require.NoError(t, w.Listen(t.Context()))
	id, at := w.run(t, flow.WorkflowRunning)
	w.attempt(t, id, 1, attempt{state: flow.TaskRunning})
	go func() {
		time.Sleep(600 * time.Millisecond)
		ctx := context.Background()
		_, _ = w.DB.Exec(ctx, `UPDATE task_instance SET state = 'FAILURE', end_time = ? WHERE id = 1`, time.Now())
		_, _ = w.DB.Exec(ctx, `UPDATE workflow_instance SET state = 'FAILURE', end_time = ? WHERE id = ?`, time.Now(), id)
		_ = w.DB.Notify(ctx, "dorado_change", strconv.FormatInt(id, 10))
	}()
	body := w.browser(t, w.General).Get(at + "/events?tab=tasks").Require(http.StatusOK).Body
	var messages []stateMessage
	for event := range strings.SplitSeq(body, "\n\n") {
		if data, ok := strings.CutPrefix(event, "event: dag-states\ndata: "); ok {
			var m stateMessage
			require.NoError(t, json.Unmarshal([]byte(data), &m))
			messages = append(messages, m)
		}
	}
	require.Len(t, messages, 2)
	require.Len(t, messages[0].Tasks, 3)
	require.Equal(t, "FAILURE", messages[1].State)
	require.Equal(t, 1, messages[1].Done)
	require.Contains(t, body, `hx-target="#run-head"`)
	require.Contains(t, body, `hx-target="#run-tab"`)
	require.True(t, strings.HasSuffix(strings.TrimSpace(body), "event: end\ndata: {}"))

	over := w.browser(t, w.General).Get(at + "/events").Body
	require.NotContains(t, over, "hx-partial", "the canvas alone wants no pages")
	require.Contains(t, over, "event: end")
}

func TestTheStreamOfAListSendsOnlyRowsThatChanged(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	require.NoError(t, w.Listen(t.Context()))
	a, _ := w.run(t, flow.WorkflowRunning)
	c, _ := w.run(t, flow.WorkflowRunning)
	page := w.browser(t, w.General).Get(w.at("/instances"))
	stream := page.Attr("[hx-sse\\:connect]", "hx-sse:connect")
	require.True(t, strings.HasPrefix(stream, w.at("/instances/events?ids=")), stream)
	w.browser(t, w.General).Get(w.at("/instances/events?ids=x")).Require(http.StatusUnprocessableEntity)

	ctx, cancel := context.WithCancel(t.Context())
	b := w.App.Browser(t, func(r chi.Router) { w.Routes(r) }).As(func(in context.Context) context.Context {
		in, stop := context.WithCancel(crudtest.As(w.General)(in))
		context.AfterFunc(ctx, stop)
		return in
	})
	go func() {
		defer cancel()
		time.Sleep(time.Second)
		bg := context.Background()
		_, _ = w.DB.Exec(bg, `UPDATE workflow_instance SET state = 'SUCCESS', end_time = ? WHERE id = ?`, time.Now(), a)
		_ = w.DB.Notify(bg, "dorado_change", strconv.FormatInt(a, 10))
		time.Sleep(1500 * time.Millisecond)
	}()
	body := b.Get(stream).Body
	row := func(id int64) int { return strings.Count(body, `hx-target="#run-`+strconv.FormatInt(id, 10)+`"`) }
	require.Equal(t, 2, row(a))
	require.Equal(t, 1, row(c), "a row that did not change is not sent again")
	require.Contains(t, body, `data-state="SUCCESS"`)
}

func TestTaskInstancesHaveAListAndAPage(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	id, _ := w.run(t, flow.WorkflowRunning)
	w.logs.files["/l/1.log"] = []string{"x"}
	w.attempt(t, id, 1, attempt{state: flow.TaskSuccess, log: "/l/1.log", pool: `[{"prop":"rows","direct":"OUT","type":"INTEGER","value":"42"}]`})
	w.attempt(t, id, 2, attempt{task: 1, state: flow.TaskSubmitted})
	b := w.browser(t, w.General)
	list := b.Get(w.at("/task-instances")).Require(http.StatusOK)
	require.Equal(t, 2, list.Count("tbody tr"))
	require.Contains(t, list.Body, "has no log yet")
	require.Equal(t, 1, b.Get(w.at("/task-instances?state=SUCCESS&type=SHELL&host=worker-1")).Count("tbody tr"))
	page := b.Get(w.at("/task-instances/1")).Require(http.StatusOK)
	require.Contains(t, page.Body, "42")
	require.Contains(t, page.Text("pre.log-tail"), "echo ${dt}")
	require.Contains(t, b.Get(w.at("/task-instances/2")).Require(http.StatusOK).Body, "Waits for a worker.")
	for _, bad := range []string{"/task-instances/0", "/task-instances/x", "/task-instances/99", "/task-instances/-1", "/instances/99999999999999999999", "/task-instances/1%2f..%2f2/log"} {
		require.Equal(t, http.StatusNotFound, b.Get(w.at(bad)).Status, bad)
	}
}
