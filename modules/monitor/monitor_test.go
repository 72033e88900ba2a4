package monitor_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/listing"
	"dorado/app/kit/metrics"
	"dorado/app/kit/web/webtest"
	"dorado/modules/access"
	"dorado/modules/cluster"
	"dorado/modules/instance"
	"dorado/modules/monitor"
	"dorado/modules/project"
	"dorado/modules/security/crudtest"
)

// tree is a registry in which a test puts nodes.
type tree struct {
	mu      sync.Mutex
	nodes   []cluster.Node
	entries []cluster.Entry
	away    error
}

func (t *tree) Nodes(_ context.Context, kind cluster.Kind) ([]cluster.Node, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []cluster.Node
	for _, n := range t.nodes {
		if n.Kind == kind {
			out = append(out, n)
		}
	}
	return out, t.away
}

func (t *tree) Tree(context.Context) ([]cluster.Entry, error) { return t.entries, t.away }
func (t *tree) Name() string                                  { return "a tree in a test" }

// world is the module with a registry and a clock that only the test moves.
type world struct {
	*crudtest.App
	*monitor.Module
	tree *tree
	b    *webtest.Browser
	now  time.Time
	mu   sync.Mutex
}

func open(t *testing.T, d *db.DB) *world {
	t.Helper()
	w := &world{tree: &tree{}, now: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)}
	w.App = crudtest.NewApp(t, d, monitor.Rules(), project.Rules(), instance.Rules())
	w.Module = monitor.New(monitor.Deps{
		Services: monitor.Services{DB: d, Access: w.Access, Audit: w.Audit, Registry: w.tree, Metrics: metrics.New(), Now: w.clock},
		Site:     w.Site, API: w.App.API, Frame: w.Frame,
	})
	w.b = w.Browser(t, w.Routes)
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) as(p access.Principal) *webtest.Browser { return w.b.As(crudtest.As(p)) }

func (w *world) ctx(t *testing.T, p access.Principal) context.Context {
	t.Helper()
	return access.WithPrincipal(t.Context(), p)
}

// node puts a node into the registry that was heard of a moment ago.
func (w *world) node(kind cluster.Kind, address string, h cluster.Heartbeat) {
	w.tree.mu.Lock()
	defer w.tree.mu.Unlock()
	w.tree.nodes = append(w.tree.nodes, cluster.Node{
		Kind: kind, Address: address, Path: "/dolphinscheduler/nodes/" + string(kind) + "/" + address, Created: w.now.Add(-time.Hour), Updated: w.now.Add(-time.Second), Heartbeat: h,
	})
}

func pages() []string {
	return []string{
		monitor.MastersPath, monitor.WorkersPath, monitor.AlertsPath, monitor.DatabasePath, monitor.RegistryPath, monitor.StatisticsPath,
		monitor.StatisticsPath + "?tab=commands", monitor.StatisticsPath + "?tab=failed", monitor.RunningPath, monitor.EventsPath,
	}
}

func TestEverybodySeesTheHealthAndAdministratorsActOnIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.node(cluster.Worker, "10.0.0.9:1234", cluster.Heartbeat{Name: "w1", Slots: 4})
		_, err := d.Exec(t.Context(), `INSERT INTO error_command (id, command_type, workflow_instance_id, param, executor_id, message, created_at, failed_at)
			VALUES (7, 'START_PROCESS', 1, '{}', 1, 'broken', ?, ?)`, w.now, w.now)
		require.NoError(t, err)
		for _, path := range pages() {
			want := http.StatusOK
			if path == monitor.RegistryPath {
				want = http.StatusForbidden
			}
			w.as(w.Admin).Get(path).Require(http.StatusOK)
			require.Equal(t, want, w.as(w.General).Get(path).Status, path)
			require.Equal(t, http.StatusSeeOther, w.b.Get(path).Status, path)
			zh := w.as(w.Admin).In("zh-CN").Get(path).Require(http.StatusOK)
			require.NotContains(t, zh.Text("main"), "monitor.", "every text is translated")
		}
		require.Equal(t, http.StatusForbidden, w.as(w.General).Get(monitor.RegistryPath+"/live").Status)
		w.as(w.General).Get(monitor.WorkersPath + "/directory?address=10.0.0.9:1234").Require(http.StatusOK)
		w.as(w.General).Get(monitor.WorkersPath + "/directory?address=nobody:1").Require(http.StatusNotFound)
		for _, path := range []string{"/drain?name=w1", "/undrain?name=w1"} {
			w.as(w.General).Post(monitor.WorkersPath + path).Require(http.StatusForbidden)
		}
		w.as(w.General).Get(monitor.WorkersPath + "/drain?name=w1").Require(http.StatusForbidden)
		for _, action := range []string{"/retry", "/discard"} {
			w.as(w.General).Post(monitor.StatisticsPath + "/commands/7" + action).Require(http.StatusForbidden)
		}
		w.as(w.General).Get(monitor.StatisticsPath + "/commands/7/discard").Require(http.StatusForbidden)
		require.False(t, w.as(w.General).Get(monitor.WorkersPath).Has(`[data-test="node.drain"]`))
		require.True(t, w.as(w.Admin).Get(monitor.WorkersPath).Has(`[data-test="node.drain"]`))
		require.Equal(t, monitor.WorkersPath, w.as(w.General).Get("/monitor/worker").Require(http.StatusSeeOther).Header.Get("Location"))
		require.Empty(t, w.Audited(t))
	})
}

func TestANodeIsShownWithItsLoadAndItsSilence(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	w.node(cluster.Worker, "10.0.0.9:1234", cluster.Heartbeat{
		Name: "w-east", Hostname: "east.example.org", ServerStatus: cluster.Busy, Reason: "memory 93 %", Version: "1.1", Protocol: 2, Slots: 8, Running: 6,
		CPUUsage: 0.42, MemoryUsage: 0.93, DiskUsage: 0.5, LoadAverage: 1.25, Groups: []string{"gpu", "default"}, ProcessID: 4711,
	})
	w.node(cluster.Master, "10.0.0.1:5678", cluster.Heartbeat{Name: "m1", Version: "1.0", Protocol: 1})
	w.node(cluster.Master, "10.0.0.2:5678", cluster.Heartbeat{Name: "m2", Version: "1.0", Protocol: 1})
	page := w.as(w.General).Get(monitor.WorkersPath)
	card := page.Text(`[data-node="w-east"]`)
	for _, text := range []string{"w-east", "east.example.org", "10.0.0.9:1234", "Busy", "memory 93 %", "42 %", "93 %", "6 of 8", "1.25", "gpu, default", "4711", "unlike most"} {
		require.Contains(t, card, text)
	}
	require.Contains(t, page.Text(".mon-note"), "1.0 × 2, 1.1 × 1")
	require.Contains(t, page.Body, "1 × 2, 2 × 1", "versions of the protocol")
	require.Equal(t, "0", page.Text(`[data-test="figure.late"]`))
	require.False(t, page.Has(".mon-node.late"))

	w.pass(29 * time.Second)
	require.True(t, w.as(w.General).Get(monitor.WorkersPath).Has(`.mon-node:not(.late)`))
	w.pass(2 * time.Second)
	page = w.as(w.General).Get(monitor.WorkersPath)
	require.True(t, page.Has(".mon-node.late"), "three heartbeats are missing")
	require.Equal(t, "1", page.Text(`[data-test="figure.late"]`))
}

func TestGarbageInTheRegistryIsShownAsTextAndBreaksNothing(t *testing.T) {
	t.Parallel()
	const hostile = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>`
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		for _, kind := range []cluster.Kind{cluster.Master, cluster.Worker, cluster.AlertServer} {
			w.node(kind, hostile, cluster.Heartbeat{
				Name: hostile, Hostname: hostile, Version: hostile, Reason: hostile, Groups: []string{hostile}, ServerStatus: cluster.Status(hostile), RPCAddress: hostile,
				WebAddress: "javascript:alert(3)", CPUUsage: -5, MemoryUsage: 1e300, Slots: -3, Running: 1 << 40, StartupTime: -1 << 62, ReportTime: 1 << 62,
			})
			w.tree.nodes = append(w.tree.nodes, cluster.Node{Kind: kind, Address: "g:" + hostile, Garbage: hostile + "\x00\xff" + strings.Repeat("x", 100_000)}, cluster.Node{Kind: kind, Address: "nothing"})
		}
		w.tree.entries = []cluster.Entry{
			{Path: "/" + hostile, Value: hostile, Owner: hostile},
			{Path: "/json", Value: `{"password":"hunter2","url":"postgres://u:hunter3@db/x","nested":[{"authToken":"hunter4"}],"text":"` + "<b>" + `"}`},
			{Path: "/cluster-secret", Value: "hunter5"},
			{Path: "/binary", Value: "\x00\x01\xfe"},
			{Path: "", Value: ""},
		}
		require.NoError(t, monitor.NewSampler(d, w.tree, nil, w.clock).Note(t.Context()))
		_, err := d.Exec(t.Context(), `INSERT INTO cluster_event (at, kind, node_kind, node, by_node, detail) VALUES (?, ?, ?, ?, ?, ?), (?, 'WORKER_LOST', 'worker', ?, ?, ?)`,
			w.now, hostile, hostile, hostile, hostile, hostile, w.now, hostile, hostile, hostile)
		require.NoError(t, err)
		for _, path := range append(pages(), monitor.RegistryPath+"?path=%2Fjson", monitor.RegistryPath+"?path=%2Fcluster-secret", monitor.RegistryPath+"?path=%2Fbinary",
			monitor.RegistryPath+"?path=nowhere", monitor.WorkersPath+"?range=24h", monitor.RunningPath+"?longer=%27&project=x&worker=%00") {
			p := w.as(w.Admin).Get(path).Require(http.StatusOK)
			require.NotContains(t, p.Body, "<script>alert", path)
			require.NotContains(t, p.Body, "<img src=x", path)
			require.NotContains(t, p.Body, `href="javascript:`, path)
			for _, secret := range []string{"hunter2", "hunter3", "hunter4", "hunter5"} {
				require.NotContains(t, p.Body, secret, path)
			}
		}
		require.Contains(t, w.as(w.Admin).Get(monitor.RegistryPath+"?path=%2Fjson").Text(".mon-value"), `"nested"`)
		w.tree.entries = []cluster.Entry{{Path: "/d/nodes/worker/b"}, {Path: "/d/nodes-x"}, {Path: "/d/nodes/worker/a"}}
		require.Equal(t, []string{"d", "nodes", "worker", "a", "b", "nodes-x"}, w.as(w.Admin).Get(monitor.RegistryPath).Texts(".mon-path"), "folders that are no nodes are shown, and what is in them stands below")
		require.Equal(t, http.StatusOK, w.as(w.Admin).Get(monitor.WorkersPath+"/directory?address=nothing").Status)
	})
}

func TestWithoutARegistryThePagesSaySoAndTheOthersWork(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	w.tree.away = errors.New("connection refused")
	for _, path := range pages() {
		w.as(w.Admin).Get(path).Require(http.StatusOK)
	}
	page := w.as(w.General).Get(monitor.MastersPath)
	require.Contains(t, page.Text(".mon-note"), "a tree in a test")
	require.Contains(t, page.Text(".empty"), "does not answer")
	require.NotContains(t, page.Body, "connection refused")
}

func TestAWorkerIsDrainedAndGetsTasksAgain(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.node(cluster.Worker, "10.0.0.9:1234", cluster.Heartbeat{Name: "w1", Slots: 4, Running: 3})
		told := make(chan string, 8)
		require.NoError(t, d.Listen(t.Context(), "dorado_config", func(p string) { told <- p }))
		drained := func() bool {
			v, err := db.Get[bool](t.Context(), d, "SELECT drained FROM worker_setting WHERE name = 'w1'")
			require.NoError(t, err)
			return v
		}
		ask := w.as(w.Admin).Get(monitor.WorkersPath + "/drain?name=w1").Require(http.StatusOK)
		require.Contains(t, ask.Text(".form-scroll"), "3 tasks")
		w.as(w.Admin).Post(monitor.WorkersPath+"/drain", "name", "w1").Require(http.StatusSeeOther)
		<-told
		require.True(t, drained())
		page := w.as(w.Admin).Get(monitor.WorkersPath)
		require.Contains(t, page.Text(".mon-node"), "Drained by an administrator")
		require.False(t, page.Has(`[data-test="node.drain"]`))

		w.tree.nodes = nil // the wish outlives the process
		w.pass(2 * time.Second)
		w.as(w.Admin).Post(monitor.WorkersPath + "/undrain?name=w1").Require(http.StatusSeeOther)
		<-told
		require.False(t, drained())
		w.as(w.Admin).Post(monitor.WorkersPath + "/undrain?name=w1").Require(http.StatusSeeOther)
		w.as(w.Admin).Post(monitor.WorkersPath+"/drain", "name", "nobody").Require(http.StatusNotFound)
		require.Equal(t, []string{"worker.drain", "worker.undrain"}, w.Audited(t), "what changes nothing is not recorded")
		story := w.as(w.General).Get(monitor.EventsPath).Texts(`[data-test="event"] p`)
		require.Equal(t, []string{"admin let worker w1 have tasks again.", "admin drained worker w1: it gets no new tasks."}, story)
	})
}

func TestTheStoryOfALostMasterIsTold(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		for i, e := range []struct {
			kind      string
			workflows int
			tasks     int
			took      int
		}{{"MASTER_LOST", 0, 0, 0}, {"TAKEN_OVER", 200, 1, 730}} {
			_, err := d.Exec(t.Context(), `INSERT INTO cluster_event (at, kind, node_kind, node, by_node, workflows, tasks, took_ms) VALUES (?, ?, 'master', 'm1', 'm2', ?, ?, ?)`,
				w.now.Add(time.Duration(i)*time.Second), e.kind, e.workflows, e.tasks, e.took)
			require.NoError(t, err)
		}
		page := w.as(w.General).Get(monitor.EventsPath)
		require.Equal(t, []string{"m2 took over 200 workflow instances with 1 running task of m1.", "Master m1 vanished. m2 noticed."}, page.Texts(`[data-test="event"] p`))
		require.Contains(t, page.Text(".mon-took"), "730")
		only := w.as(w.General).In("zh-CN").Get(monitor.EventsPath + "?kind=MASTER_LOST")
		require.Equal(t, 1, only.Count(`[data-test="event"]`))
		require.Contains(t, only.Text(".chips"), "Master 宕机")
	})
}

func TestSamplesAreTakenOnceAMinuteAndKeptForADay(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.node(cluster.Worker, "10.0.0.9:1234", cluster.Heartbeat{Name: "w1", Slots: 4, Running: 1, CPUUsage: 0.25})
		one, two := monitor.NewSampler(d, w.tree, nil, w.clock), monitor.NewSampler(d, w.tree, nil, w.clock)
		count := func() int {
			n, err := db.Get[int](t.Context(), d, "SELECT count(*) FROM node_sample")
			require.NoError(t, err)
			return n
		}
		require.NoError(t, one.Note(t.Context()))
		require.NoError(t, two.Note(t.Context()))
		require.Equal(t, 1, count(), "two samplers note a minute once")
		w.pass(time.Minute)
		require.NoError(t, two.Note(t.Context()))
		require.Equal(t, 2, count())
		history, err := w.History(w.ctx(t, w.General), cluster.Worker, w.now.Add(-time.Hour))
		require.NoError(t, err)
		require.Len(t, history["w1"], 2)
		require.InDelta(t, 0.25, history["w1"][0].CPU, 1e-9)
		page := w.as(w.General).Get(monitor.WorkersPath)
		require.NotEmpty(t, page.Attr(".mon-line", "d"))
		require.Contains(t, page.Attr(".mon-spark svg", "aria-label"), "25 % to 25 %")
		w.as(w.General).Get(monitor.WorkersPath + "?range=24h").Require(http.StatusOK)
		w.pass(25 * time.Hour)
		require.NoError(t, one.Note(t.Context()))
		require.Equal(t, 1, count())
	})
}

// run puts an instance of a project into the database, with an attempt.
func (w *world) run(t *testing.T, project int64, task, state, host string, age time.Duration) int64 {
	t.Helper()
	at := w.now.Add(-age)
	id, err := db.Get[int64](t.Context(), w.DB, `INSERT INTO workflow_instance (name, workflow_code, workflow_version, workflow_name, project_code, state,
		command_type, executor_id, executor_name, start_time, created_at, updated_at) VALUES (?, ?, 1, 'w', ?, 'RUNNING_EXECUTION', 'START_PROCESS', 1, 'x', ?, ?, ?) RETURNING id`,
		"run of "+task, 100+project, project, at, at, at)
	require.NoError(t, err)
	var began *time.Time
	if state == "RUNNING_EXECUTION" {
		began = &at
	}
	_, err = w.DB.Exec(t.Context(), `INSERT INTO task_instance (id, workflow_instance_id, project_code, task_code, task_version, name, task_type, state, host, log_path,
		worker_group, first_submit_time, submit_time, start_time) VALUES (?, ?, ?, ?, 1, ?, 'SHELL', ?, ?, 'x.log', 'gpu', ?, ?, ?)`,
		1000+id, id, project, 500+project, task, state, host, at, at, began)
	require.NoError(t, err)
	return id
}

func (w *world) project(t *testing.T, code int64, name string) {
	t.Helper()
	_, err := w.DB.Exec(t.Context(), "INSERT INTO project (code, name, owner_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?)", code, name, w.Admin.UserID, w.now, w.now)
	require.NoError(t, err)
}

func TestWhatRunsIsListedForThoseWhoMaySeeIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.project(t, 7, "etl")
		w.project(t, 8, "secret")
		w.node(cluster.Worker, "10.0.0.9:1234", cluster.Heartbeat{Name: "w1", Hostname: "east", Slots: 4, Groups: []string{"gpu"}})
		mine := w.run(t, 7, "extract", "RUNNING_EXECUTION", "w1", 5*time.Minute)
		w.run(t, 7, "soon", "DISPATCH", "w2", 10*time.Second)
		w.run(t, 7, "queued", "SUBMITTED_SUCCESS", "", time.Hour)
		w.run(t, 8, "theirs", "RUNNING_EXECUTION", "w1", 2*time.Hour)
		// earlier runs say how long it takes
		done := w.run(t, 7, "extract", "SUCCESS", "w1", time.Hour)
		_, err := d.Exec(t.Context(), "UPDATE task_instance SET start_time = ?, end_time = ? WHERE workflow_instance_id = ?", w.now.Add(-time.Hour), w.now.Add(-time.Hour+30*time.Second), done)
		require.NoError(t, err)
		_, err = d.Exec(t.Context(), "UPDATE workflow_instance SET state = 'SUCCESS' WHERE id = ?", done)
		require.NoError(t, err)

		rows := func(p access.Principal, query string) []string {
			return w.as(p).Get(monitor.RunningPath + query).Require(http.StatusOK).Texts(`[data-test="running.row"] td:first-child .name`)
		}
		require.Equal(t, []string{"theirs", "extract", "soon"}, rows(w.Admin, ""), "the longest first")
		require.Empty(t, rows(w.General, ""))
		require.NoError(t, w.Access.Grant(t.Context(), w.General.UserID, access.Project(7), access.Read))
		require.Equal(t, []string{"extract", "soon"}, rows(w.General, ""))
		page := w.as(w.General).Get(monitor.RunningPath)
		require.Contains(t, page.Text(`[data-test="running.row"]`), "east")
		require.Contains(t, page.Text(`[data-test="running.row"]`), "30s")
		require.False(t, page.Has(`[data-test="running.kill"]`), "a reader may not kill")
		require.NotContains(t, page.Body, "secret")
		require.NoError(t, w.Access.Grant(t.Context(), w.General.UserID, access.Project(7), access.Operate))
		page = w.as(w.General).Get(monitor.RunningPath)
		kill := page.Attr(`[data-test="running.kill"]`, "href")
		require.True(t, strings.HasPrefix(kill, "/projects/7/task-instances/"+strconv.FormatInt(1000+mine, 10)+"/act?"), kill)
		require.Contains(t, page.Attr(`[data-test="running.log"]`, "href"), "/log")
		require.Equal(t, []string{"extract"}, rows(w.Admin, "?worker=w1&project=7"))
		require.Equal(t, []string{"theirs", "extract"}, rows(w.Admin, "?longer=1m"))
		require.Equal(t, []string{"theirs"}, rows(w.Admin, "?longer=1h"))
		require.Empty(t, rows(w.Admin, "?type=PYTHON"))
		require.Equal(t, []string{"soon"}, rows(w.Admin, "?q=soon"))
		require.Contains(t, w.as(w.Admin).Get(monitor.RunningPath+"?longer=1h").Text(".chips"), "over 1h")

		stats, err := w.Statistics(w.ctx(t, w.General))
		require.NoError(t, err)
		require.Len(t, stats.Queues, 2)
		gpu := stats.Queues[1]
		require.Equal(t, monitor.Queue{Group: "gpu", Depth: 1, Longest: time.Hour, Sent: 1, Running: 2, Workers: 1, Slots: 4, Free: 4}, gpu)
		require.Equal(t, 1, stats.Unacked)
		require.Equal(t, 10*time.Second, stats.OldestUnacked)
	})
}

func TestWhatARuleHidesIsInNoListOfTheCluster(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.project(t, 7, "etl")
		id := w.run(t, 7, "extract", "RUNNING_EXECUTION", "w1", 5*time.Minute)
		_, err := d.Exec(t.Context(), `INSERT INTO error_command (id, command_type, workflow_instance_id, param, executor_id, message, created_at, failed_at)
			VALUES (?, 'STOP', ?, '{}', 3, 'broken', ?, ?)`, id, id, w.now, w.now)
		require.NoError(t, err)
		require.NoError(t, w.Access.Grant(t.Context(), w.General.UserID, access.Project(7), access.Operate))
		look := func(p access.Principal) (workers, commands int) {
			choices, err := w.RunningChoices(w.ctx(t, p))
			require.NoError(t, err)
			page, err := w.Commands(w.ctx(t, p), listing.New(listing.Spec{Default: "id", Columns: map[string]string{"id": "c.id"}, ID: "c.id"}, 1, 10, ""), true)
			require.NoError(t, err)
			return len(choices.Workers), page.Total
		}
		workers, commands := look(w.General)
		require.Equal(t, 1, workers)
		require.Equal(t, 1, commands)
		w.Policy(t, access.Policy{Subject: access.Everybody, Permission: "instance.*", Project: 7, Workflow: 107, Effect: access.EffectDeny})
		workers, commands = look(w.General)
		require.Zero(t, workers)
		require.Zero(t, commands)
		workers, commands = look(w.Admin)
		require.Equal(t, 1, workers)
		require.Equal(t, 1, commands)
	})
}

func TestAFailedCommandIsRetriedOrDiscardedOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.project(t, 7, "etl")
		fail := func(kind, state string) int64 {
			id := w.run(t, 7, kind, "FAILURE", "", time.Minute)
			_, err := d.Exec(t.Context(), "UPDATE workflow_instance SET state = ?, end_time = ?, message = 'broken' WHERE id = ?", state, w.now, id)
			require.NoError(t, err)
			_, err = d.Exec(t.Context(), `INSERT INTO error_command (id, command_type, workflow_instance_id, param, executor_id, message, created_at, failed_at)
				VALUES (?, ?, ?, '{"a":1}', 3, '<i>broken</i>', ?, ?)`, id, kind, id, w.now, w.now)
			require.NoError(t, err)
			return id
		}
		start, stop, gone, again := fail("START_PROCESS", "FAILURE"), fail("STOP", "STOP"), fail("SCHEDULER", "FAILURE"), fail("REPEAT_RUNNING", "RUNNING_EXECUTION")
		told := make(chan string, 8)
		require.NoError(t, d.Listen(t.Context(), "dorado_command", func(p string) { told <- p }))
		at := func(id int64, action string) string {
			return monitor.StatisticsPath + "/commands/" + strconv.FormatInt(id, 10) + "/" + action
		}
		list := w.as(w.Admin).Get(monitor.StatisticsPath + "?tab=failed")
		require.Equal(t, 4, list.Count(`[data-test="command.row"]`))
		require.Contains(t, list.Text(`[data-test="command.row"]`), "<i>broken</i>")
		require.Equal(t, 0, w.as(w.General).Get(monitor.StatisticsPath+"?tab=failed").Count(`[data-test="command.row"]`), "not his project")

		w.as(w.Admin).Post(at(start, "retry")).Require(http.StatusSeeOther)
		<-told
		type row struct {
			Type     string `db:"command_type"`
			Param    string `db:"param"`
			Executor int64  `db:"executor_id"`
		}
		c, err := db.Get[row](t.Context(), d, "SELECT command_type, param, executor_id FROM command WHERE workflow_instance_id = ?", start)
		require.NoError(t, err)
		require.Equal(t, row{"START_PROCESS", `{"a":1}`, 3}, c)
		state, err := db.Get[string](t.Context(), d, "SELECT state FROM workflow_instance WHERE id = ?", start)
		require.NoError(t, err)
		require.Equal(t, "SUBMITTED_SUCCESS", state)
		require.Equal(t, 1, w.as(w.Admin).Get(monitor.StatisticsPath+"?tab=commands").Count(`[data-test="command.row"]`))

		w.as(w.Admin).Post(at(start, "retry")).Require(http.StatusNotFound)
		w.as(w.Admin).Post(at(stop, "retry")).Require(http.StatusConflict)
		w.as(w.Admin).Post(at(again, "retry")).Require(http.StatusConflict)
		n, err := db.Get[int](t.Context(), d, "SELECT count(*) FROM error_command")
		require.NoError(t, err)
		require.Equal(t, 3, n, "what could not be retried stays")
		w.as(w.Admin).Get(at(gone, "discard")).Require(http.StatusOK)
		w.as(w.Admin).Post(at(gone, "discard")).Require(http.StatusSeeOther)
		w.as(w.Admin).Post(at(gone, "discard")).Require(http.StatusNotFound)
		require.Equal(t, []string{"command.retry", "command.discard"}, w.Audited(t))
	})
}

func TestTheDatabaseTellsHowItIs(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		db, err := w.Database(w.ctx(t, w.General))
		require.NoError(t, err)
		require.True(t, db.Healthy, db.Trouble)
		require.Empty(t, db.Trouble)
		require.Positive(t, db.Size)
		require.NotEmpty(t, db.Version)
		require.Positive(t, db.Connections)
		require.Positive(t, db.MaxConnections)
		page := w.as(w.General).Get(monitor.DatabasePath)
		require.Contains(t, page.Body, strings.Fields(db.Version)[0])
		if db.Type == "SQLITE" {
			require.NotContains(t, page.Body, db.Name, "the place of the file is for administrators")
			require.Contains(t, w.as(w.Admin).Get(monitor.DatabasePath).Body, db.Name)
		}
	})
}
