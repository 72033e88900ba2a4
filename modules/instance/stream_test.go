package instance_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/fault"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/instance"
	"dorado/modules/security/crudtest"
	"dorado/modules/workflow"
)

// fakeStreams stands for a worker that takes savepoints.
type fakeStreams struct {
	path  string
	err   error
	asked []int64
}

func (f *fakeStreams) Savepoint(_ context.Context, worker string, attempt int64) (string, error) {
	if worker != "worker-1" {
		return "", fault.New(fault.Unavailable, "stream.worker_away").With("worker", worker)
	}
	f.asked = append(f.asked, attempt)
	return f.path, f.err
}

// streaming makes the world's workflow one with a task before and a streaming task.
func (w *world) streaming(t testing.TB) (streams *fakeStreams, code int64) {
	t.Helper()
	streams = &fakeStreams{path: "file:/s/1"}
	w.Module.Streams = streams
	codes := w.codes.NextN(2)
	one := func(code int64, name, kind, params string, execute flow.ExecuteType) flow.Task {
		return flow.Task{
			Code: code, Name: name, Type: kind, Flag: flow.FlagYes, IsCache: flow.FlagNo, Priority: flow.Medium, WorkerGroup: "default", Params: json.RawMessage(params),
			EnvironmentCode: -1, RetryInterval: 1, TimeoutFlag: flow.TimeoutClose, CPUQuota: -1, MemoryMax: -1, ExecuteType: execute,
		}
	}
	def := &flow.Definition{Name: "clicks", ExecutionType: flow.SerialWait, Tasks: []flow.Task{
		one(codes[0], "before", "SHELL", `{"rawScript":"true"}`, flow.Batch),
		one(codes[1], "count", "FLINK_STREAM", `{"programType":"SQL","rawScript":"insert into b select * from a;"}`, flow.Stream),
	}, Edges: []flow.Edge{{Pre: codes[0], Post: codes[1]}}}
	var err error
	w.flow, err = w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: def, Online: true})
	require.NoError(t, err)
	return streams, codes[1]
}

func TestAStreamingTaskHasNoWorkflowInstance(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		_, code := w.streaming(t)
		at := "/executors/task-instance/" + strconv.FormatInt(code, 10) + "/start"
		require.Equal(t, 30002, w.asked(t, w.stranger(), "POST", w.at(at), "version", "1").Code)
		require.Equal(t, 30003, w.asked(t, w.member(t, "rita", access.Read), "POST", w.at(at), "version", "1").Code)
		require.Equal(t, 10017, w.rest(t, "POST", at, "version", "1", "tenantCode", "nobody").Code)
		e := w.rest(t, "POST", at, "version", "1", "startParams", `{"dt":"7"}`, "dryRun", "1", "warningGroupId", "3")
		require.Zero(t, e.Code, e.Msg)
		require.JSONEq(t, "true", string(e.Data))
		require.Contains(t, w.Audited(t), "workflow.start_stream")
		type row struct {
			ID     int64  `db:"id"`
			State  string `db:"state"`
			Stream bool   `db:"stream"`
			Depend string `db:"task_depend_type"`
			Dry    bool   `db:"dry_run"`
		}
		r, err := db.Get[row](t.Context(), d, `SELECT id, state, stream, task_depend_type, dry_run FROM workflow_instance`)
		require.NoError(t, err)
		require.Equal(t, row{r.ID, "SUBMITTED_SUCCESS", true, "TASK_ONLY", true}, r, "it does not wait for runs of its workflow")

		// Nobody sees, stops or deletes the row.
		run := strconv.FormatInt(r.ID, 10)
		_, err = w.Get(w.gwen, r.ID)
		require.ErrorIs(t, err, instance.ErrNotFound)
		require.ErrorIs(t, w.Operate(w.gwen, r.ID, flow.OpStop), instance.ErrNotFound)
		require.ErrorIs(t, w.Delete(w.gwen, r.ID), instance.ErrNotFound)
		require.Equal(t, 50001, w.rest(t, "GET", "/workflow-instances/"+run).Code)
		require.Contains(t, string(w.rest(t, "GET", "/workflow-instances", "pageNo", "1", "pageSize", "10").Data), `"total":0`)
		b := w.browser(t, w.General)
		require.Equal(t, http.StatusNotFound, b.Get(w.at("/instances/"+run)).Status)

		// Its task is in a list of its own.
		id := w.attempt(t, r.ID, 31, attempt{task: 1, state: flow.TaskRunning})
		batch := w.rest(t, "GET", "/task-instances", "pageNo", "1", "pageSize", "10")
		require.Contains(t, string(batch.Data), `"total":0`)
		list := string(w.rest(t, "GET", "/task-instances", "pageNo", "1", "pageSize", "10", "taskExecuteType", "STREAM").Data)
		for _, want := range []string{`"total":1`, `"name":"count"`, `"workflowInstanceId":0`, `"processDefinitionName":"clicks"`, `"taskExecuteType":"STREAM"`} {
			require.Contains(t, list, want)
		}
		page := b.Get(w.at("/task-instances/stream")).Require(http.StatusOK)
		require.Contains(t, page.Text(`[data-test="streams.table"]`), "count")
		require.False(t, b.Get(w.at("/task-instances")).Require(http.StatusOK).Has(`[data-test="task-instances.table"]`))
		require.False(t, b.Get(w.at("/task-instances/stream?state=SUCCESS")).Require(http.StatusOK).Has(`[data-test="streams.table"]`))
		one := b.Get(w.at("/task-instances/" + strconv.FormatInt(id, 10))).Require(http.StatusOK)
		require.True(t, one.Has(`[data-test="act.SAVEPOINT"]`))
		require.True(t, one.Has(`[data-test="act.STOP"]`))
		require.False(t, one.Has(`[data-test="act.FORCE_SUCCESS"]`))

		require.NoError(t, w.KillTask(w.gwen, id))
		require.Equal(t, []string{"START_PROCESS", "KILL_TASK"}, w.commands(t, r.ID))
	})
}

func TestASavepointIsRememberedWithItsTask(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		streams, code := w.streaming(t)
		run, err := w.StartTask(w.gwen, w.project, code, 1, instance.StartRequest{})
		require.NoError(t, err)
		id := w.attempt(t, run, 41, attempt{task: 1, state: flow.TaskSubmitted})
		at := "/task-instances/" + strconv.FormatInt(id, 10)
		e := w.rest(t, "POST", at+"/savepoint")
		require.Equal(t, 10196, e.Code, "it does not run yet")
		require.Contains(t, e.Msg, "not running")
		become := func(state flow.TaskState, host string) {
			_, err := d.Exec(t.Context(), `UPDATE task_instance SET state = ?, host = ? WHERE id = ?`, state, host, id)
			require.NoError(t, err)
		}
		become(flow.TaskRunning, "worker-1")
		require.Equal(t, 30002, w.asked(t, w.stranger(), "POST", w.at(at+"/savepoint")).Code)
		require.Equal(t, 30003, w.asked(t, w.member(t, "rita", access.Read), "POST", w.at(at+"/savepoint")).Code)
		require.Equal(t, 10008, w.rest(t, "POST", "/task-instances/77/savepoint").Code)
		e = w.rest(t, "POST", at+"/savepoint")
		require.Zero(t, e.Code, e.Msg)
		require.JSONEq(t, "null", string(e.Data))
		require.Equal(t, []int64{id}, streams.asked)
		require.Contains(t, w.Audited(t), "task_instance.savepoint")
		become(flow.TaskRunning, "elsewhere")
		require.Equal(t, 10196, w.rest(t, "POST", at+"/savepoint").Code)
		become(flow.TaskRunning, "worker-1")
		streams.err = fault.New(fault.Conflict, "stream.failed").With("reason", "no such job")
		b := w.browser(t, w.General)
		require.Equal(t, http.StatusConflict, b.Post(w.at(at+"/act"), "op", "SAVEPOINT").Status)
		page := b.Get(w.at(at)).Require(http.StatusOK).Text(`[data-test="task.savepoints"]`)
		for _, want := range []string{"file:/s/1", "Worker elsewhere is not connected", "no such job", "gwen"} {
			require.Contains(t, page, want)
		}

		// A task of a run has none, and they go with their task.
		batch := w.start(t)
		_, err = w.Savepoint(w.gwen, w.attempt(t, batch, 42, attempt{task: 0, state: flow.TaskRunning}))
		require.Error(t, err)
		w.become(t, run, flow.WorkflowStop)
		w.become(t, batch, flow.WorkflowStop)
		require.NoError(t, w.DeleteInstances(w.gwen, w.flow.Workflow.Code))
		left, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM savepoint`)
		require.NoError(t, err)
		require.Zero(t, left)
	})
}

func TestASavepointWhoseAskerDiedIsNotTakenForEver(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		_, code := w.streaming(t)
		run, err := w.StartTask(w.gwen, w.project, code, 1, instance.StartRequest{})
		require.NoError(t, err)
		id := w.attempt(t, run, 51, attempt{task: 1, state: flow.TaskRunning})
		asked := func(ago time.Duration) {
			w.exec(t, `DELETE FROM savepoint`)
			w.exec(t, `INSERT INTO savepoint (task_instance_id, user_name, created_at) VALUES (?, 'gwen', ?)`, id, time.Now().Add(-ago))
		}
		b := w.browser(t, w.General)
		shown := func() string {
			return b.Get(w.at("/task-instances/" + strconv.FormatInt(id, 10))).Require(http.StatusOK).Text(`[data-test="task.savepoints"]`)
		}
		asked(5 * time.Minute)
		require.Contains(t, shown(), "being taken")
		asked(time.Hour)
		require.NotContains(t, shown(), "being taken")
		require.Contains(t, shown(), "not known whether it was taken")
	})
}

func TestTheStateOfASavepoint(t *testing.T) {
	t.Parallel()
	now := time.Now()
	end := now.Add(-time.Second)
	for _, c := range []struct {
		name string
		p    instance.Savepoint
		want instance.SaveState
	}{
		{"asked for just now", instance.Savepoint{CreatedAt: now}, instance.SaveOpen},
		{"still within the wait", instance.Savepoint{CreatedAt: now.Add(-10*time.Minute - 30*time.Second)}, instance.SaveOpen},
		{"nobody waits any more", instance.Savepoint{CreatedAt: now.Add(-11 * time.Minute)}, instance.SaveUnknown},
		{"taken", instance.Savepoint{CreatedAt: now.Add(-time.Hour), EndedAt: &end, Path: "file:/s/1"}, instance.SaveTaken},
		{"not taken", instance.Savepoint{CreatedAt: now, EndedAt: &end, Message: "no such job"}, instance.SaveFailed},
	} {
		require.Equal(t, c.want, c.p.State(now), c.name)
	}
}

// follows opens a stream of events as p. until reads from it until a text is found.
func (w *world) follows(t *testing.T, p access.Principal, path string) (status int, until func(want string) string) {
	t.Helper()
	router := chi.NewRouter()
	w.Routes(router)
	enter := crudtest.As(p)
	server := httptest.NewServer(w.App.Site.Middleware()(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		router.ServeHTTP(rw, r.WithContext(enter(r.Context())))
	})))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+path, nil)
	require.NoError(t, err)
	res, err := server.Client().Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { cancel(); _ = res.Body.Close(); server.Close() })
	in := bufio.NewReader(res.Body)
	return res.StatusCode, func(want string) string {
		var read strings.Builder
		for !strings.Contains(read.String(), want) {
			line, err := in.ReadString('\n')
			require.NoError(t, err, read.String())
			read.WriteString(line)
		}
		return read.String()
	}
}

func TestTheListOfStreamingTasksIsLive(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		require.NoError(t, w.Listen(t.Context()))
		_, code := w.streaming(t)
		begin := func(id int64, state flow.TaskState) (run int64) {
			run, err := w.StartTask(w.gwen, w.project, code, 1, instance.StartRequest{})
			require.NoError(t, err)
			w.attempt(t, run, id, attempt{task: 1, state: state})
			return run
		}
		run := begin(61, flow.TaskSubmitted)
		begin(62, flow.TaskRunning)
		batch := w.attempt(t, w.start(t), 63, attempt{task: 0, state: flow.TaskRunning})
		b := w.browser(t, w.General)
		page := b.Get(w.at("/task-instances/stream")).Require(http.StatusOK)
		address := page.Attr(`[hx-sse\:connect]`, "hx-sse:connect")
		require.True(t, strings.HasPrefix(address, w.at("/task-instances/stream/events?ids=")), address)
		require.True(t, page.Has("#stream-61"), "the row has the id by which it is replaced")

		status, read := w.follows(t, w.General, address)
		require.Equal(t, http.StatusOK, status)
		require.NotContains(t, read("#stream-61"), "worker-7")
		w.exec(t, `UPDATE task_instance SET state = 'RUNNING_EXECUTION', start_time = ?, host = 'worker-7', app_link = 'a1b2c3' WHERE id = 61`, time.Now())
		require.NoError(t, d.Notify(t.Context(), instance.ChangeChannel, strconv.FormatInt(run, 10)))
		changed := read("a1b2c3")
		require.Contains(t, changed, "worker-7")
		require.Contains(t, changed, `data-state="RUNNING_EXECUTION"`)

		events := w.at("/task-instances/stream/events?ids=")
		refused := func(want int, p access.Principal, path, why string) {
			status, _ := w.follows(t, p, path)
			require.Equal(t, want, status, why)
		}
		refused(http.StatusUnprocessableEntity, w.General, events+"x", "no rows")
		refused(http.StatusNotFound, w.General, events+strconv.FormatInt(batch, 10), "a task of a run is in another list")
		refused(http.StatusForbidden, w.stranger(), address, "no project of his")
		w.Policy(t, access.Policy{Subject: access.Everybody, Permission: "instance.*", Project: w.project, Workflow: w.flow.Workflow.Code, Effect: access.EffectDeny})
		refused(http.StatusNotFound, w.General, address, "a rule hides the workflow")
		require.Equal(t, http.StatusOK, b.Get(w.at("/task-instances/stream")).Status)
	})
}

func TestAStreamingTaskThatFailedIsToldOf(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		_, code := w.streaming(t)
		since := time.Now().Add(-time.Hour)
		begin := func(id int64, state flow.TaskState) (run int64) {
			run, err := w.StartTask(w.gwen, w.project, code, 1, instance.StartRequest{})
			require.NoError(t, err)
			if id != 0 {
				w.attempt(t, run, id, attempt{task: 1, state: state, log: "/l/1.log"})
			}
			return run
		}
		told := func(ctx context.Context, mine bool) []instance.Failed {
			list, err := w.FailedSince(ctx, since, mine, 10)
			require.NoError(t, err)
			return list
		}
		long := begin(71, flow.TaskFailure)
		require.Empty(t, told(w.gwen, true), "it goes on")
		w.become(t, long, flow.WorkflowFailure)
		w.exec(t, `UPDATE workflow_instance SET start_time = ? WHERE id = ?`, time.Now().Add(-40*24*time.Hour), long)
		list := told(w.gwen, true)
		require.Len(t, list, 1, "it began long ago and failed just now")
		require.Equal(t, "count", list[0].Title())
		require.Equal(t, w.at("/task-instances/71"), list[0].URL())
		require.Equal(t, w.at("/task-instances/71/log"), list[0].LogURL())
		require.Empty(t, list[0].OperateURL())
		require.Equal(t, http.StatusOK, w.browser(t, w.General).Get(list[0].URL()).Status)

		// Whose it is, and who may see it.
		require.Empty(t, told(w.admin, true))
		require.Len(t, told(w.admin, false), 1)
		rita := access.WithPrincipal(t.Context(), w.member(t, "rita", access.Read))
		require.Empty(t, told(rita, true))
		require.Len(t, told(rita, false), 1)
		require.Empty(t, told(access.WithPrincipal(t.Context(), w.stranger()), false))

		// One that was started again is mended; one that began no attempt is found in the list.
		next := begin(72, flow.TaskRunning)
		require.Empty(t, told(w.gwen, true))
		w.exec(t, `DELETE FROM task_instance WHERE id = 72`)
		w.become(t, next, flow.WorkflowFailure)
		list = told(w.gwen, true)
		require.Len(t, list, 2)
		require.Equal(t, w.at("/task-instances/stream"), list[0].URL())
		require.Empty(t, list[0].LogURL())
		w.exec(t, `UPDATE workflow_instance SET end_time = ?`, since.Add(-time.Minute))
		require.Empty(t, told(w.gwen, true), "that was long ago")
		w.exec(t, `UPDATE workflow_instance SET end_time = ?`, time.Now())
		w.Policy(t, access.Policy{Subject: access.Everybody, Permission: "instance.*", Project: w.project, Workflow: w.flow.Workflow.Code, Effect: access.EffectDeny})
		require.Empty(t, told(w.gwen, true), "a rule hides the workflow")
		require.Len(t, told(w.admin, false), 2)
	})
}

func TestTheDialogOfAStreamingTask(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		_, code := w.streaming(t)
		b := w.browser(t, w.General)
		tasks := w.at("/workflows/" + strconv.FormatInt(w.flow.Workflow.Code, 10) + "/tasks/")
		form := tasks + strconv.FormatInt(code, 10) + "/start"
		page := b.Get(form).Require(http.StatusOK)
		fields := []string{"key", page.Value("key"), "group", "default", "tenant", "default", "param_name", "dt", "param_type", "VARCHAR", "param_value", "7"}
		require.Equal(t, http.StatusUnprocessableEntity, b.Post(form, "group", "default", "tenant", "default", "param_name", "x", "param_name", "x").Status)
		to := b.Post(form, fields...).Require(http.StatusSeeOther).Header.Get("Location")
		require.Equal(t, w.at("/task-instances/stream"), to)
		b.Post(form, fields...).Require(http.StatusSeeOther)
		begun, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM workflow_instance WHERE stream`)
		require.NoError(t, err)
		require.Equal(t, 1, begun, "a double click starts once")
		require.Equal(t, http.StatusForbidden, w.browser(t, w.member(t, "rita", access.Read)).Get(form).Status)
		require.Equal(t, http.StatusConflict, b.Get(tasks+strconv.FormatInt(w.flow.Definition.Tasks[0].Code, 10)+"/start").Status, "it is no stream")
		require.Equal(t, http.StatusNotFound, b.Get(tasks+"77/start").Status)
		_, err = w.workflows.Release(w.gwen, w.flow.Workflow.Code, flow.Offline)
		require.NoError(t, err)
		require.True(t, b.Get(form).Require(http.StatusOK).Has(".note, .banner"), "it says that the workflow is offline")
		require.NotEqual(t, http.StatusSeeOther, b.Post(form, "group", "default", "tenant", "default").Status)
	})
}
