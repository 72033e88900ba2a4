package instance_test

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/fault"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/instance"
	"dorado/modules/workflow"
)

func TestW26_ForceSuccessOfTheOnlyFailureMakesTheRunASuccess(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		id := w.start(t)
		w.attempt(t, id, 1, attempt{task: 0, state: flow.TaskSuccess})
		w.attempt(t, id, 2, attempt{task: 1, state: flow.TaskFailure, message: "out of cheese"})
		require.Equal(t, fault.Conflict, fault.KindOf(w.ForceSuccess(w.gwen, 2, "")), "the run has not ended")
		w.become(t, id, flow.WorkflowFailure)
		require.Equal(t, fault.Conflict, fault.KindOf(w.ForceSuccess(w.gwen, 1, "")), "it is one already")

		require.NoError(t, w.ForceSuccess(w.gwen, 2, "checked by hand"))
		one, err := w.Task(w.gwen, 2)
		require.NoError(t, err)
		require.Equal(t, flow.TaskForcedSuccess, one.State)
		require.Equal(t, flow.WorkflowFailure, one.RunState, "the third task never ran")
		require.Len(t, w.commands(t, id), 1, "nothing after it starts by itself")
		require.Contains(t, w.Audited(t), "task_instance.force_success")

		w.attempt(t, id, 3, attempt{task: 2, state: flow.TaskKill})
		w.become(t, id, flow.WorkflowStop)
		require.NoError(t, w.ForceSuccess(w.gwen, 3, ""))
		i, err := w.Get(w.gwen, id)
		require.NoError(t, err)
		require.Equal(t, flow.WorkflowSuccess, i.State)
		require.Contains(t, i.StateHistory, "FORCE_SUCCESS")
		require.ErrorIs(t, w.ForceSuccess(access.WithPrincipal(t.Context(), w.member(t, "eve", "")), 3, ""), instance.ErrTaskNotFound)
		require.Equal(t, fault.Forbidden, fault.KindOf(w.ForceSuccess(access.WithPrincipal(t.Context(), w.member(t, "rob", access.Read)), 3, "")))
	})
}

func TestOneTaskOfAFinishedRunRunsAgain(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		id := w.start(t)
		node := w.flow.Definition.Tasks[1].Code
		require.Equal(t, fault.Conflict, fault.KindOf(w.ExecuteTask(w.gwen, id, node, flow.TaskOnly)))
		w.become(t, id, flow.WorkflowSuccess)
		require.ErrorIs(t, w.ExecuteTask(w.gwen, id, 4711, flow.TaskOnly), instance.ErrStartNode)
		require.NoError(t, w.ExecuteTask(w.gwen, id, node, flow.TaskPre))
		i, err := w.Get(w.gwen, id)
		require.NoError(t, err)
		require.Equal(t, flow.WorkflowSubmitted, i.State)
		require.Equal(t, 2, i.RunTimes)
		require.Equal(t, "START_PROCESS,EXECUTE_TASK", i.HistoryCmd)
		require.Contains(t, i.CommandParam, `"executeDepend":"TASK_PRE"`)
		require.Equal(t, []string{"START_PROCESS", "EXECUTE_TASK"}, w.commands(t, id))
	})
}

func TestRunsThatMustNotOverlapGetAPlaceInAQueue(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.flow = w.kind(t, "serial", flow.SerialWait)
		told := make(chan string, 100)
		require.NoError(t, d.Listen(t.Context(), "dorado_serial", func(p string) { told <- p }))
		first, second := w.start(t), w.start(t)
		select {
		case <-told:
		case <-time.After(10 * time.Second):
			t.Fatal("the coordinator was not told")
		}
		many, err := w.TriggerMany(t.Context(), []instance.Trigger{{StartRequest: instance.StartRequest{WorkflowCode: w.flow.Workflow.Code}, Command: flow.CommandBackfill}})
		require.NoError(t, err)
		queue := func() []int64 {
			list, err := db.Select[int64](t.Context(), d, `SELECT workflow_instance_id FROM serial_queue ORDER BY id`)
			require.NoError(t, err)
			return list
		}
		require.Equal(t, []int64{first, second, many[0]}, queue())
		for _, id := range queue() {
			i, err := w.Get(w.gwen, id)
			require.NoError(t, err)
			require.Equal(t, flow.WorkflowSerialWait, i.State)
			require.Empty(t, w.commands(t, id))
		}
		// They can be taken out while they wait.
		require.NoError(t, w.Operate(w.gwen, second, flow.OpStop))
		require.NoError(t, w.Operate(w.gwen, many[0], flow.OpPause))
		for id, want := range map[int64]flow.WorkflowState{second: flow.WorkflowStop, many[0]: flow.WorkflowPause} {
			i, err := w.Get(w.gwen, id)
			require.NoError(t, err)
			require.Equal(t, want, i.State)
			require.NotNil(t, i.EndTime)
		}
		require.Equal(t, []int64{first}, queue())
		// And what is resumed waits before those that came later.
		require.NoError(t, w.Operate(w.gwen, many[0], flow.OpResume))
		require.Equal(t, []int64{many[0], first}, queue())
		require.Empty(t, w.commands(t, many[0]))
		// One that was launched meanwhile is not taken out by a stale look.
		_, err = d.Exec(t.Context(), `UPDATE serial_queue SET state = 'LAUNCHED' WHERE workflow_instance_id = ?`, first)
		require.NoError(t, err)
		require.ErrorIs(t, w.Operate(w.gwen, first, flow.OpStop), instance.ErrChangedState)
	})
}

func TestAChildIsStartedOnceForEachAttemptAndPlace(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		at := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
		parents, err := w.TriggerMany(t.Context(), []instance.Trigger{{
			StartRequest: instance.StartRequest{WorkflowCode: w.flow.Workflow.Code, TimeZone: "Asia/Shanghai", Priority: flow.High, DryRun: true},
			Command:      flow.CommandSchedule, ScheduleTime: &at, ExecutorID: 7, ExecutorName: "ann",
		}})
		require.NoError(t, err)
		child := w.online(t, "child", "x")
		req := instance.ChildRequest{
			ParentInstanceID: parents[0], ParentTaskInstanceID: 5, ParentTaskCode: w.flow.Definition.Tasks[0].Code, Position: 1, Element: `"eu"`,
			WorkflowCode: child.Workflow.Code, StartParams: []flow.Property{{Prop: "item", Value: "eu"}},
		}
		id, err := w.StartChild(t.Context(), req)
		require.NoError(t, err)
		same, err := w.StartChild(t.Context(), req)
		require.NoError(t, err)
		require.Equal(t, id, same)
		req.Position = 2
		other, err := w.StartChild(t.Context(), req)
		require.NoError(t, err)
		require.NotEqual(t, id, other)

		i, err := w.Get(w.gwen, id)
		require.NoError(t, err)
		require.True(t, i.IsSubWorkflow)
		require.True(t, i.DryRun)
		require.Equal(t, flow.High, i.Priority)
		require.Equal(t, "ann", i.ExecutorName)
		require.Equal(t, "Asia/Shanghai", i.TimeZone)
		require.True(t, at.Equal(*i.ScheduleTime), "its dates are those of the parent")
		require.Contains(t, i.CommandParam, `"depth":1`)
		require.Equal(t, []string{"START_PROCESS"}, w.commands(t, id))

		grand, err := w.StartChild(t.Context(), instance.ChildRequest{ParentInstanceID: other, ParentTaskInstanceID: 6, WorkflowCode: child.Workflow.Code})
		require.NoError(t, err)
		_, err = w.workflows.Release(w.gwen, child.Workflow.Code, flow.Offline)
		require.NoError(t, err)
		req.Position = 3
		_, err = w.StartChild(t.Context(), req)
		require.ErrorIs(t, err, instance.ErrOffline)
		req.WorkflowCode = 4711
		_, err = w.StartChild(t.Context(), req)
		require.ErrorIs(t, err, instance.ErrChild)

		deep := parents[0]
		for level := 0; ; level++ {
			deep, err = w.StartChild(t.Context(), instance.ChildRequest{ParentInstanceID: deep, ParentTaskInstanceID: int64(100 + level), WorkflowCode: w.flow.Workflow.Code})
			if err != nil {
				require.ErrorIs(t, err, instance.ErrDepth)
				require.Equal(t, flow.MaxDepth, level)
				break
			}
		}

		// What a run started goes with it, unless it still runs.
		for _, run := range []int64{parents[0], other, grand} {
			w.become(t, run, flow.WorkflowSuccess)
		}
		require.NoError(t, w.Delete(w.gwen, parents[0]))
		for _, gone := range []int64{other, grand} {
			_, err = w.Get(w.gwen, gone)
			require.ErrorIs(t, err, instance.ErrNotFound)
		}
		_, err = w.Get(w.gwen, id)
		require.NoError(t, err)
	})
}

func TestADecisionIsTakenOnceByWhomItAsks(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		id := w.start(t)
		w.become(t, id, flow.WorkflowRunning)
		ask := func(task int64, role string, expires *time.Time) {
			w.attempt(t, id, task, attempt{state: flow.TaskRunning})
			_, err := d.Exec(t.Context(), `INSERT INTO approval (task_instance_id, workflow_instance_id, project_code, question, role, state, expires_at, created_at)
				VALUES (?, ?, ?, 'Go', ?, 'WAITING', ?, ?)`, task, id, w.project, role, expires, time.Now())
			require.NoError(t, err)
		}
		as := func(name string, role access.Role) context.Context {
			return access.WithPrincipal(t.Context(), w.member(t, name, role))
		}
		reader, operator, writer, stranger := as("r", access.Read), as("o", access.Operate), as("a", access.All), as("s", "")
		past := time.Now().Add(-time.Minute)
		ask(1, "OPERATE", nil)
		ask(2, "ALL", nil)
		ask(3, "OWNER", nil)
		ask(4, "ADMIN", nil)
		ask(5, "OPERATE", &past)
		list, err := w.Approvals(reader, w.project)
		require.NoError(t, err)
		require.Len(t, list, 5)
		none, err := w.Approvals(stranger, 0)
		require.NoError(t, err)
		require.Empty(t, none)
		for n := range int64(instance.MaxApprovals) { // older ones, of a project that the reader may not see
			w.attempt(t, id, -1-n, attempt{state: flow.TaskRunning})
			_, err := d.Exec(t.Context(), `INSERT INTO approval (task_instance_id, workflow_instance_id, project_code, role, state, created_at)
				VALUES (?, ?, ?, 'OPERATE', 'WAITING', ?)`, -1-n, id, w.project+1, time.Now())
			require.NoError(t, err)
		}
		list, err = w.Approvals(reader, 0)
		require.NoError(t, err)
		require.Len(t, list, 5, "those of others take nobody's place")

		require.ErrorIs(t, w.Decide(stranger, 1, true, ""), instance.ErrTaskNotFound)
		for task, who := range map[int64]context.Context{1: reader, 2: operator, 3: writer, 4: w.gwen} {
			require.ErrorIs(t, w.Decide(who, task, true, ""), instance.ErrNotYours)
		}
		require.ErrorIs(t, w.Decide(operator, 5, true, ""), instance.ErrDecided, "its time is over")
		require.ErrorIs(t, w.Decide(operator, 1, true, strings.Repeat("x", 5000)), instance.ErrStartRequest)
		for task, who := range map[int64]context.Context{1: operator, 2: writer, 3: w.gwen, 4: w.admin} {
			require.NoError(t, w.Decide(who, task, task != 2, " fine "))
			require.ErrorIs(t, w.Decide(w.admin, task, false, ""), instance.ErrDecided)
		}
		a, err := w.Approval(w.gwen, 2)
		require.NoError(t, err)
		require.Equal(t, instance.ApprovalRejected, a.State)
		require.Equal(t, "fine", a.Comment)
		require.Equal(t, "a", a.DecidedName)
		require.Equal(t, []string{"START_PROCESS", "DECIDE_TASK", "DECIDE_TASK", "DECIDE_TASK", "DECIDE_TASK"}, w.commands(t, id))
	})
}

func TestOneTaskIsKilledOrLetPastItsGroup(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		id := w.start(t)
		w.become(t, id, flow.WorkflowRunning)
		w.attempt(t, id, 1, attempt{state: flow.TaskRunning})
		w.attempt(t, id, 2, attempt{task: 1, state: flow.TaskSubmitted})
		w.attempt(t, id, 3, attempt{task: 2, state: flow.TaskSuccess})
		require.ErrorIs(t, w.KillTask(w.gwen, 3), instance.ErrTaskOver)
		require.NoError(t, w.KillTask(w.gwen, 1))
		require.ErrorIs(t, w.ForceStart(w.gwen, 2), instance.ErrNotWaiting)
		_, err := d.Exec(t.Context(), `UPDATE task_instance SET task_group_id = 1 WHERE id = 2`)
		require.NoError(t, err)
		require.NoError(t, w.ForceStart(w.gwen, 2))
		require.NoError(t, w.SetGroupPriority(w.gwen, 2, 9))
		require.Equal(t, []string{"START_PROCESS", "KILL_TASK", "FORCE_START", "SET_GROUP_PRIORITY"}, w.commands(t, id))
		reader := access.WithPrincipal(t.Context(), w.member(t, "r", access.Read))
		require.Equal(t, fault.Forbidden, fault.KindOf(w.KillTask(reader, 1)))

		_, err = d.Exec(t.Context(), `UPDATE task_instance SET cache_key = 'k' WHERE id IN (1, 3)`)
		require.NoError(t, err)
		key, err := w.ClearCache(w.gwen, 3)
		require.NoError(t, err)
		require.Equal(t, "k", key)
		left, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM task_instance WHERE cache_key <> ''`)
		require.NoError(t, err)
		require.Zero(t, left)
	})
}

func TestWhereARunGoesMustExist(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		code := w.flow.Workflow.Code
		_, err := w.Start(w.gwen, w.project, instance.StartRequest{WorkflowCode: code, WorkerGroup: "gpu"})
		require.ErrorIs(t, err, instance.ErrGroupUnknown)
		_, err = w.Start(w.gwen, w.project, instance.StartRequest{WorkflowCode: code, EnvironmentCode: 9})
		require.ErrorIs(t, err, instance.ErrEnvUnknown)
		_, err = d.Exec(t.Context(), `INSERT INTO worker_group (name, created_at, updated_at) VALUES ('gpu', ?, ?)`, time.Now(), time.Now())
		require.NoError(t, err)
		_, err = w.Start(w.gwen, w.project, instance.StartRequest{WorkflowCode: code, WorkerGroup: "gpu"})
		require.NoError(t, err, "no live worker is needed")
		_, err = d.Exec(t.Context(), `INSERT INTO project_worker_group (project_code, worker_group) VALUES (?, 'cpu')`, w.project)
		require.NoError(t, err)
		_, err = w.Start(w.gwen, w.project, instance.StartRequest{WorkflowCode: code, WorkerGroup: "gpu"})
		require.ErrorIs(t, err, instance.ErrGroupUnknown, "the project may not use it")
		_, err = w.Start(w.gwen, w.project, instance.StartRequest{WorkflowCode: code, TimeZone: "Local"})
		require.ErrorIs(t, err, instance.ErrStartRequest)
	})
}

// kind saves a workflow with an execution type and puts it online.
func (w *world) kind(t testing.TB, name string, execution flow.ExecutionType) workflow.Saved {
	t.Helper()
	def := *w.flow.Definition
	def.Name, def.ExecutionType, def.Edges = name, execution, nil
	code := w.codes.NextN(1)[0]
	task := w.flow.Definition.Tasks[0]
	task.Code = code
	def.Tasks, def.Locations, def.Code, def.Version = []flow.Task{task}, nil, 0, 0
	s, err := w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: &def, Online: true})
	require.NoError(t, err)
	return s
}

func TestRepairsAreMadeByREST(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		id := w.start(t)
		run, node := strconv.FormatInt(id, 10), strconv.FormatInt(w.flow.Definition.Tasks[1].Code, 10)
		w.attempt(t, id, 1, attempt{state: flow.TaskRunning})
		w.attempt(t, id, 2, attempt{task: 1, state: flow.TaskFailure})
		code := func(p access.Principal, method, path string, fields ...string) int {
			var e envelope
			require.NoError(t, json.Unmarshal(w.raw(t, p, method, w.at(path), fields...).Body.Bytes(), &e))
			return e.Code
		}
		again := []string{"workflowInstanceId", run, "startNodeList", node, "taskDependType", "TASK_ONLY"}
		require.Equal(t, 50071, code(w.General, "POST", "/executors/execute-task", again...))
		require.Equal(t, 0, code(w.General, "POST", "/task-instances/1/stop"))
		require.Equal(t, 50006, code(w.General, "POST", "/task-instances/2/force-success"))
		w.become(t, id, flow.WorkflowFailure)
		require.Equal(t, 10008, code(w.General, "POST", "/task-instances/99/force-success"))
		require.Equal(t, 10166, code(w.General, "POST", "/task-instances/1/force-success"))
		require.Equal(t, 0, code(w.General, "POST", "/task-instances/2/force-success"))
		require.Equal(t, 10001, code(w.General, "POST", "/executors/execute-task", "workflowInstanceId", run, "startNodeList", "1,2", "taskDependType", "TASK_ONLY"))
		require.Equal(t, 10207, code(w.General, "POST", "/executors/execute-task", "workflowInstanceId", run, "startNodeList", "1", "taskDependType", "TASK_ONLY"))
		require.Equal(t, 0, code(w.General, "POST", "/executors/execute-task", again...))
		w.become(t, id, flow.WorkflowSuccess)
		require.Equal(t, 0, code(w.General, "POST", "/executors/execute", "workflowInstanceId", run, "executeType", "EXECUTE_TASK", "startNodeList", node))
		_, err := d.Exec(t.Context(), `UPDATE task_instance SET cache_key = 'abc' WHERE id = 2`)
		require.NoError(t, err)
		require.JSONEq(t, `{"code":0,"msg":"success","data":null,"failed":false,"success":true,"cacheKey":"abc"}`,
			w.raw(t, w.General, "DELETE", w.at("/task-instances/2/remove-cache")).Body.String())
		_, err = d.Exec(t.Context(), `INSERT INTO approval (task_instance_id, workflow_instance_id, project_code, question, role, state, created_at)
			VALUES (1, ?, ?, 'Go', 'OPERATE', 'WAITING', ?)`, id, w.project, time.Now())
		require.NoError(t, err)
		reader, stranger := w.member(t, "rita", access.Read), w.member(t, "sam", "")
		for _, c := range []struct {
			method, path string
			fields       []string
		}{
			{"POST", "/executors/execute-task", again},
			{"POST", "/task-instances/2/force-success", nil},
			{"POST", "/task-instances/1/stop", nil},
			{"DELETE", "/task-instances/2/remove-cache", nil},
			{"POST", "/task-instances/1/decide", []string{"approved", "true"}},
		} {
			require.Equal(t, 30002, code(stranger, c.method, c.path, c.fields...), c.path)
			require.Contains(t, []int{30002, 30003}, code(reader, c.method, c.path, c.fields...), c.path)
		}
		require.Equal(t, 30002, code(stranger, "GET", "/approvals"))
		require.Contains(t, w.raw(t, reader, "GET", w.at("/approvals")).Body.String(), `"question":"Go"`)
		require.Equal(t, 0, code(w.General, "POST", "/task-instances/1/decide", "approved", "true", "comment", "ok"))
		require.Equal(t, 50009, code(w.General, "POST", "/task-instances/1/decide", "approved", "true"))
	})
}
