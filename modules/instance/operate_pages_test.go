package instance_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/instance"
	"dorado/modules/workflow"
)

// drawn saves a workflow of tasks that the caller made and puts it online.
func (w *world) drawn(t testing.TB, name string, tasks []flow.Task, edges ...[2]int) workflow.Saved {
	t.Helper()
	def := &flow.Definition{Name: name, ExecutionType: flow.Parallel}
	for k := range tasks {
		task := &tasks[k]
		if task.Code == 0 {
			task.Code = w.codes.Next()
		}
		task.Flag, task.IsCache, task.Priority, task.WorkerGroup = flow.FlagYes, flow.FlagNo, flow.Medium, "default"
		task.EnvironmentCode, task.RetryInterval, task.TimeoutFlag, task.CPUQuota, task.MemoryMax, task.ExecuteType = -1, 1, flow.TimeoutClose, -1, -1, flow.Batch
		if task.Type == "" {
			task.Type, task.Params = "SHELL", []byte(`{"rawScript":"true"}`)
		}
	}
	def.Tasks = tasks
	for _, e := range edges {
		def.Edges = append(def.Edges, flow.Edge{Pre: tasks[e[0]].Code, Post: tasks[e[1]].Code})
	}
	s, err := w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: def, Online: true})
	require.NoError(t, err)
	return s
}

func (w *world) exec(t testing.TB, query string, args ...any) {
	t.Helper()
	_, err := w.DB.Exec(t.Context(), query, args...)
	require.NoError(t, err)
}

// say is why a task is not running, as gwen reads it.
func (w *world) say(t testing.TB, id int64, task int) string {
	t.Helper()
	d, err := w.Detail(w.gwen, w.project, id)
	require.NoError(t, err)
	return d.Node(w.flow.Definition.Tasks[task].Code).Reason.Say(w.gwen)
}

func TestABranchThatWasNotChosenIsShownAsSkipped(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		yes, no := w.codes.Next(), w.codes.Next()
		w.flow = w.drawn(t, "branching", []flow.Task{
			{Name: "choose", Type: "SWITCH", Params: []byte(`{"switchResult":{"dependTaskList":[{"condition":"1 == 1","nextNode":` + strconv.FormatInt(yes, 10) + `}],"nextNode":` + strconv.FormatInt(no, 10) + `}}`)},
			{Code: yes, Name: "yes"},
			{Code: no, Name: "no"},
			{Name: "after no"},
			{Name: "both"},
			{Name: "tidy", Finally: true},
		}, [2]int{0, 1}, [2]int{0, 2}, [2]int{2, 3}, [2]int{1, 4}, [2]int{3, 4})
		id := w.start(t)
		w.become(t, id, flow.WorkflowRunning)
		w.attempt(t, id, 1, attempt{task: 0, state: flow.TaskSuccess})
		w.attempt(t, id, 2, attempt{task: 1, state: flow.TaskRunning})
		w.exec(t, `UPDATE task_instance SET context = ? WHERE id = 1`, `{"next":[`+strconv.FormatInt(yes, 10)+`]}`)
		detail, err := w.Detail(w.gwen, w.project, id)
		require.NoError(t, err)
		require.Equal(t, instance.NodeSkipped, detail.Node(no).State)
		require.Equal(t, 4, detail.Total, "what is left out is not waited for")
		require.Equal(t, "Skipped: choose chose another way.", w.say(t, id, 2))
		require.Equal(t, "Skipped: choose chose another way.", w.say(t, id, 3), "the cause is named, however far up")
		require.Equal(t, "Waits for yes.", w.say(t, id, 4), "one way to it is open")
		require.Equal(t, "Runs at the very end; waits for yes.", w.say(t, id, 5))
	})
}

func TestATaskSaysWhatOutsideItsRunItWaitsFor(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		other := w.flow
		w.flow = w.drawn(t, "waiting", []flow.Task{
			{Name: "dep", Type: "DEPENDENT", Params: []byte(`{"dependence":{"relation":"AND","dependTaskList":[{"relation":"AND","dependItemList":[{"projectCode":` +
				strconv.FormatInt(w.project, 10) + `,"definitionCode":` + strconv.FormatInt(other.Workflow.Code, 10) + `,"depTaskCode":0,"cycle":"day","dateValue":"today"}]}]}}`)},
			{Name: "sub", Type: "SUB_WORKFLOW", Params: []byte(`{"workflowDefinitionCode":` + strconv.FormatInt(other.Workflow.Code, 10) + `}`)},
			{Name: "grouped", TaskGroupID: 1},
			{Name: "lonely"},
		})
		id := w.start(t)
		w.become(t, id, flow.WorkflowRunning)
		for k, state := range []flow.TaskState{flow.TaskRunning, flow.TaskRunning, flow.TaskSubmitted, flow.TaskSubmitted} {
			w.attempt(t, id, int64(k+1), attempt{task: k, state: state})
		}
		code := strconv.FormatInt(other.Workflow.Code, 10)
		w.exec(t, `INSERT INTO task_log (task_instance_id, lines) VALUES (1, ?)`, "2026-01-01 00:00:00.000 windows are counted from x\n"+
			"2026-01-01 00:00:00.000 workflow "+code+" today [a, b]: no run yet: WAITING")
		require.Equal(t, "Waits for what it depends on: daily today [a, b]: no run yet.", w.say(t, id, 0))
		w.exec(t, `INSERT INTO task_log (task_instance_id, lines) VALUES (1, ?)`, "2026-01-01 00:00:01.000 workflow "+code+" today [a, b]: workflow instance 7 is SUCCESS: SUCCESS")
		require.Empty(t, w.say(t, id, 0), "the last word counts")

		child, err := w.StartChild(w.gwen, instance.ChildRequest{
			ParentInstanceID: id, ParentTaskInstanceID: 2, ParentTaskCode: w.flow.Definition.Tasks[1].Code, WorkflowCode: other.Workflow.Code,
		})
		require.NoError(t, err)
		require.Contains(t, w.say(t, id, 1), "Waits for the sub-workflow daily-")
		b := w.browser(t, w.General)
		at := w.at("/instances/" + strconv.FormatInt(id, 10))
		childAt := w.at("/instances/" + strconv.FormatInt(child, 10))
		require.Contains(t, b.Get(at+"?task="+strconv.FormatInt(w.flow.Definition.Tasks[1].Code, 10)).Text(`[data-test="run.kin"]`), "daily-")
		require.Contains(t, b.Get(childAt).Text(`[data-test="run.parent"]`), "waiting-", "and back")

		w.exec(t, `INSERT INTO task_group (id, name, group_size, user_id, created_at, updated_at) VALUES (1, 'gpu', 1, 1, ?, ?)`, time.Now(), time.Now())
		w.exec(t, `UPDATE task_instance SET task_group_id = 1 WHERE id IN (2, 3)`)
		require.Equal(t, "Waits for the task group gpu: place 1, 1 of 1 slots are used.", w.say(t, id, 2))
		w.exec(t, `UPDATE task_instance SET worker_group = 'moon' WHERE id = 4`)
		w.Workers = fakeWorkers{}
		require.Contains(t, w.say(t, id, 3), "There is no worker group moon")
		w.exec(t, `INSERT INTO worker_group (name, created_at, updated_at) VALUES ('moon', ?, ?)`, time.Now(), time.Now())
		require.Equal(t, "No worker serves the group moon.", w.say(t, id, 3))
	})
}

func TestARunInAQueueSaysBehindWhom(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.flow = w.kind(t, "serial", flow.SerialWait)
		first, second, third := w.start(t), w.start(t), w.start(t)
		w.exec(t, `UPDATE serial_queue SET state = 'LAUNCHED' WHERE workflow_instance_id = ?`, first)
		require.Contains(t, w.say(t, second, 0), "Waits for serial-")
		require.Contains(t, w.say(t, third, 0), "and 1 more after it")
	})
}

func TestADecisionIsMadeWhereItIsAskedFor(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.flow = w.drawn(t, "asking", []flow.Task{{Name: "sign", Type: "APPROVAL", Params: []byte(`{"question":"Ship it?","role":"OWNER","expireMinutes":0,"onExpire":"REJECT"}`)}})
		id := w.start(t)
		w.become(t, id, flow.WorkflowRunning)
		w.attempt(t, id, 1, attempt{state: flow.TaskRunning})
		w.exec(t, `INSERT INTO approval (task_instance_id, workflow_instance_id, project_code, question, role, state, created_at)
			VALUES (1, ?, ?, ?, 'OWNER', 'WAITING', ?)`, id, w.project, "Ship it?", time.Now())
		at := w.at("/instances/" + strconv.FormatInt(id, 10))
		act := w.at("/task-instances/1/act")
		require.Contains(t, w.say(t, id, 0), "Waits for a decision by the owner of the project: Ship it?")

		operator := w.browser(t, w.member(t, "olaf", access.Operate))
		page := operator.Get(at).Require(http.StatusOK)
		require.Contains(t, page.Text(`[data-test="run.question"]`), "Ship it?")
		require.Contains(t, page.Body, "Only the owner of the project may decide this.")
		require.Equal(t, http.StatusForbidden, operator.Get(act+"?op=APPROVE").Status)
		require.Equal(t, http.StatusForbidden, operator.Post(act, "op", "APPROVE").Status)

		owner := w.browser(t, w.General)
		require.Contains(t, owner.Get(act+"?op=APPROVE").Require(http.StatusOK).Body, "Ship it?")
		owner.Post(act, "op", "APPROVE", "comment", "seen it").Require(http.StatusSeeOther)
		a, err := w.Approval(w.gwen, 1)
		require.NoError(t, err)
		require.Equal(t, instance.ApprovalApproved, a.State)
		require.Equal(t, "seen it", a.Comment)
		require.Equal(t, http.StatusConflict, owner.Post(act, "op", "REJECT").Status)
		require.False(t, owner.Get(at).Has(`[data-test="run.question"]`))
	})
}

func TestTaskActionsAreDoneOrRefusedWithAReason(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	id, _ := w.run(t, flow.WorkflowFailure)
	w.attempt(t, id, 1, attempt{task: 0, state: flow.TaskSuccess})
	w.attempt(t, id, 2, attempt{task: 1, state: flow.TaskFailure})
	b := w.browser(t, w.General)
	list := b.Get(w.at("/task-instances")).Require(http.StatusOK)
	require.Contains(t, list.Body, "The task has ended.", "killing is not possible, and why")
	require.Contains(t, list.Body, "No result is kept of it.")
	require.Equal(t, 1, list.Count(`[data-test="menu.FORCE_SUCCESS"]`), "a success needs no force")

	act := w.at("/task-instances/2/act")
	require.Contains(t, b.Post(act, "op", "FORCE_SUCCESS").Require(http.StatusUnprocessableEntity).Body, "a comment is needed")
	b.Post(act, "op", "garbage").Require(http.StatusUnprocessableEntity)
	b.Get(act + "?op=garbage").Require(http.StatusUnprocessableEntity)
	b.Post(act, "op", "KILL").Require(http.StatusConflict)
	b.Post(act, "op", "FORCE_SUCCESS", "comment", "checked by hand").Require(http.StatusSeeOther)
	one, err := w.Task(w.gwen, 2)
	require.NoError(t, err)
	require.Equal(t, flow.TaskForcedSuccess, one.State)
	b.Post(act, "op", "RERUN_FROM").Require(http.StatusSeeOther)
	i, err := w.Get(w.gwen, id)
	require.NoError(t, err)
	require.Contains(t, i.CommandParam, `"executeDepend":"TASK_POST"`)

	rita := w.browser(t, w.member(t, "rita", access.Read))
	require.False(t, rita.Get(w.at("/task-instances")).Has(`[data-test="menu.FORCE_SUCCESS"]`))
	for _, op := range []string{"FORCE_SUCCESS", "RERUN", "RERUN_FROM", "KILL", "CLEAR_CACHE"} {
		require.Equal(t, http.StatusForbidden, rita.Post(act, "op", op, "comment", "x").Status, op)
	}
	require.Equal(t, http.StatusForbidden, rita.Get(act+"?op=RERUN").Status)
}

func TestTheCriticalPathIsMarkedAndOthersHaveSlack(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	w.flow = w.drawn(t, "diamond", []flow.Task{{Name: "=first"}, {Name: "slow"}, {Name: "quick"}, {Name: "last"}}, [2]int{0, 1}, [2]int{0, 2}, [2]int{1, 3}, [2]int{2, 3})
	id, at := w.run(t, flow.WorkflowSuccess)
	begin := db.Cut(time.Now().Add(-time.Hour))
	for k, span := range [][2]int{{0, 10}, {10, 60}, {10, 20}, {60, 70}} {
		w.attempt(t, id, int64(k+1), attempt{task: k, state: flow.TaskSuccess})
		from, to := begin.Add(time.Duration(span[0])*time.Second), begin.Add(time.Duration(span[1])*time.Second)
		w.exec(t, `UPDATE task_instance SET first_submit_time = ?, submit_time = ?, start_time = ?, end_time = ? WHERE id = ?`, from, from, from, to, k+1)
	}
	b := w.browser(t, w.General)
	page := b.Get(at + "?tab=timeline").Require(http.StatusOK)
	require.Equal(t, 3, page.Count(".gantt .crit"))
	require.Contains(t, page.Text(`[data-test="gantt.critical"]`), "3 tasks, 1m 10s: =first → slow → last")
	require.Contains(t, page.Body, "40s of slack")
	csv := b.Get(at + "/timeline.csv").Require(http.StatusOK)
	require.Contains(t, csv.Body, "'=first,SHELL,SUCCESS", "no formula in a spreadsheet")
	require.Regexp(t, `(?m)^quick,SHELL,SUCCESS,.*,0\.000,10\.000,40\.000,false$`, csv.Body)
	require.Equal(t, http.StatusForbidden, w.browser(t, w.member(t, "sam", "")).Get(at+"/timeline.csv").Status)
}

func TestAllThatMatchAreOperatedOnAfterAPreview(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		for k := range 15 {
			id := w.start(t)
			if k >= 12 {
				w.become(t, id, flow.WorkflowRunning)
			} else {
				w.become(t, id, flow.WorkflowFailure)
			}
		}
		b := w.browser(t, w.General)
		list := b.Get(w.at("/instances?size=10")).Require(http.StatusOK)
		require.Contains(t, list.Text(`[data-test="bulk.all"]`), "Select all 15 matching")
		preview := b.Get(list.Attr(`[data-test="bulk.all"]`, "href")).Require(http.StatusOK)
		require.Contains(t, preview.Text(`[data-test="bulk.eligible"]`), "12 can be done")
		require.Contains(t, preview.Text(`[data-test="bulk.skipped"]`), "3 are skipped")
		require.Contains(t, preview.Text(`[data-test="bulk.reasons"]`), "has not ended")
		ids := preview.Value("ids")
		require.Len(t, strings.Split(ids, ","), 12)

		one, err := strconv.ParseInt(strings.Split(ids, ",")[0], 10, 64)
		require.NoError(t, err)
		w.become(t, one, flow.WorkflowRunning) // somebody was quicker
		done := b.Post(w.at("/instances/bulk"), "op", "REPEAT_RUNNING", "ids", ids).Require(http.StatusOK)
		require.Contains(t, done.Text(`[data-test="bulk.done"]`), "11 of 12 done")
		require.Contains(t, done.Text(".results"), "has not ended")

		b.Post(w.at("/instances/bulk"), "op", "DELETE", "ids", ids, "confirm", "3").Require(http.StatusUnprocessableEntity)
		b.Post(w.at("/instances/bulk"), "op", "STOP").Require(http.StatusUnprocessableEntity)
		rita := w.browser(t, w.member(t, "rita", access.Read))
		require.Equal(t, http.StatusForbidden, rita.Get(w.at("/instances/bulk")).Status)
		require.Equal(t, http.StatusForbidden, rita.Post(w.at("/instances/bulk"), "op", "STOP", "ids", ids).Status)
		require.Equal(t, http.StatusForbidden, w.browser(t, w.member(t, "olaf", access.Operate)).Post(w.at("/instances/bulk"), "op", "DELETE", "ids", ids, "confirm", "12").Status)
	})
}

func TestTheListIsNarrowedByBackfillAndScheduleDate(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		id := w.start(t)
		w.start(t)
		w.exec(t, `UPDATE workflow_instance SET schedule_time = ?, command_type = 'COMPLEMENT_DATA' WHERE id = ?`, time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC), id)
		backfill, err := db.Get[int64](t.Context(), d, `INSERT INTO backfill (project_code, workflow_code, workflow_version, state, width, run_order, failure_policy, request, user_id,
			user_name, created_at, updated_at) VALUES (?, ?, 1, 'RUNNING', 1, 'ASC', 'CONTINUE', '{}', 1, 'gwen', ?, ?) RETURNING id`, w.project, w.flow.Workflow.Code, time.Now(), time.Now())
		require.NoError(t, err)
		w.exec(t, `INSERT INTO backfill_date (backfill_id, position, chain, schedule_time, state, workflow_instance_id) VALUES (?, 0, 0, ?, 'RUNNING', ?)`, backfill, time.Now(), id)
		b := w.browser(t, w.General)
		for query, want := range map[string]int{
			"backfill=" + strconv.FormatInt(backfill, 10): 1, "backfill=999": 0, "scheduled=2026-03-04": 1, "scheduled=2026-03-05": 0, "type=COMPLEMENT_DATA": 1, "scheduled=x&backfill=y": 2,
		} {
			require.Equal(t, want, b.Get(w.at("/instances?"+query)).Require(http.StatusOK).Count(`[data-test="instance.row"]`), query)
		}
	})
}

func TestTwoRunsAreComparedWhatDiffersFirst(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		good, _ := w.run(t, flow.WorkflowSuccess)
		w.attempt(t, good, 1, attempt{task: 0, state: flow.TaskSuccess})
		w.attempt(t, good, 2, attempt{task: 1, state: flow.TaskSuccess})
		bad, err := w.Start(w.gwen, w.project, instance.StartRequest{WorkflowCode: w.flow.Workflow.Code, StartParams: []flow.Property{{Prop: "region", Value: "EU"}, {Prop: "api_token", Value: "s3cret"}}})
		require.NoError(t, err)
		w.become(t, bad, flow.WorkflowFailure)
		w.attempt(t, bad, 3, attempt{task: 0, state: flow.TaskSuccess})
		w.attempt(t, bad, 4, attempt{task: 1, state: flow.TaskFailure})
		at := w.at("/instances/" + strconv.FormatInt(bad, 10) + "/compare")
		b := w.browser(t, w.General)
		page := b.Get(at).Require(http.StatusOK)
		require.Equal(t, strconv.FormatInt(good, 10), page.Value("with"), "the last success before is what one wants to see")
		require.True(t, strings.HasPrefix(strings.TrimSpace(page.Doc.Find(`[data-test="compare.tasks"] tbody tr`).First().Text()), "b"), "what differs is first")
		require.Equal(t, 1, page.Count(`[data-test="compare.tasks"] tr.differs`))
		require.Contains(t, page.Doc.Find(`[data-test="compare.params"] tr.differs`).Text(), "EU")
		require.NotContains(t, page.Body, "s3cret")
		b.Get(at + "?with=x").Require(http.StatusNotFound)
		b.Get(at + "?with=99999").Require(http.StatusNotFound)
		require.Equal(t, http.StatusForbidden, w.browser(t, w.member(t, "sam", "")).Get(at).Status)
	})
}

func TestTrendsShowHowLongTasksTake(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		trends := w.at("/workflows/" + strconv.FormatInt(w.flow.Workflow.Code, 10) + "/trends")
		b := w.browser(t, w.General)
		require.Contains(t, b.Get(trends).Require(http.StatusOK).Body, "Nothing ran yet")
		for k := range 4 {
			id, _ := w.run(t, flow.WorkflowSuccess)
			w.attempt(t, id, int64(k+1), attempt{task: 0, state: flow.TaskSuccess})
		}
		end := db.Cut(time.Now())
		w.exec(t, `UPDATE task_instance SET start_time = ?, end_time = ?`, end.Add(-10*time.Second), end)
		w.exec(t, `UPDATE task_instance SET start_time = ? WHERE id = 4`, end.Add(-20*time.Second))
		page := b.Get(trends).Require(http.StatusOK)
		require.Equal(t, 4, page.Count(".trend rect"))
		row := page.Text(`[data-test="trends.tasks"] tbody tr`)
		require.Contains(t, row, "10s")
		require.Contains(t, row, "+100 %")
		require.Equal(t, 4, b.Get(w.at("/task-instances/2")).Count(".trend rect")+2, "runs after the one that is looked at are not its past")
		require.Equal(t, http.StatusForbidden, w.browser(t, w.member(t, "sam", "")).Get(trends).Status)
	})
}

func TestLineageNamesOnlyWhatOneMaySee(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		sam := w.member(t, "sam", "")
		mine, err := w.projects.Create(access.WithPrincipal(t.Context(), sam), projectDraft("sams"))
		require.NoError(t, err)
		here := w.project
		w.project = mine.Code
		gwen := w.gwen
		w.gwen = access.WithPrincipal(t.Context(), sam)
		secret := w.online(t, "hidden treasure", "x")
		w.project, w.gwen = here, gwen
		down := w.online(t, "downstream", "y")
		w.run(t, flow.WorkflowFailure)
		link := func(from int64, kind string, to int64) {
			w.exec(t, `INSERT INTO workflow_lineage (workflow_code, task_code, position, kind, dependent_project_code, dependent_workflow_code, dependent_task_code)
				VALUES (?, ?, 0, ?, 0, ?, 0)`, from, w.codes.Next(), kind, to)
		}
		link(down.Workflow.Code, "DEPENDENT", w.flow.Workflow.Code)
		link(w.flow.Workflow.Code, "SUB_WORKFLOW", secret.Workflow.Code)
		page := w.browser(t, w.General).Get(w.at("/lineage")).Require(http.StatusOK)
		require.Equal(t, 3, page.Count(".lineage .node"))
		require.Equal(t, 2, page.Count(".lineage .edge"))
		require.Contains(t, page.Text(`[data-test="lineage.table"]`), "downstream")
		require.NotContains(t, page.Body, "hidden treasure")
		require.Contains(t, page.Body, "Not visible to you")
		require.Contains(t, page.Body, `data-state="FAILURE"`, "the state of the last run")
		code := strconv.FormatInt(down.Workflow.Code, 10)
		require.Equal(t, 2, w.browser(t, w.General).Get(w.at("/lineage?workflow="+code+"&depth=1")).Count(".lineage .node"))
		require.Equal(t, 3, w.browser(t, w.General).Get(w.at("/lineage?workflow="+code)).Count(".lineage .node"))
		require.Equal(t, http.StatusNotFound, w.browser(t, w.General).Get(w.at("/lineage?workflow=4711")).Status)
		require.Equal(t, http.StatusForbidden, w.browser(t, sam).Get(w.at("/lineage")).Status)
	})
}
