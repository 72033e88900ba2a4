package instance_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/flow"
	"dorado/modules/instance"
	"dorado/modules/project"
	"dorado/modules/security/queue"
	"dorado/modules/security/tenant"
	"dorado/modules/workflow"
)

func TestATriggerLeavesAnInstanceAndItsCommand(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		told := make(chan string, 1)
		require.NoError(t, d.Listen(t.Context(), "dorado_command", func(p string) { told <- p }))
		id := w.start(t)
		select {
		case p := <-told:
			require.Equal(t, fmt.Sprintf("%d:%d", id, 1), p)
		case <-time.After(10 * time.Second):
			t.Fatal("no master was told")
		}
		i, err := w.Get(w.gwen, id)
		require.NoError(t, err)
		require.Equal(t, flow.WorkflowSubmitted, i.State)
		require.Regexp(t, `^daily-\d{17}$`, i.Name)
		require.Equal(t, "gwen", i.ExecutorName)
		require.Contains(t, i.GlobalParams, time.Now().UTC().Format("20060102"))
		require.JSONEq(t, `[{"time":"`+i.StartTime.UTC().Format(time.DateTime)+`","state":"SUBMITTED_SUCCESS","desc":"START_PROCESS"}]`, i.StateHistory)
		require.Equal(t, []string{"START_PROCESS"}, w.commands(t, id))
		require.Contains(t, w.Audited(t), "workflow.start")
		row, err := db.Get[audit.Row](t.Context(), d, `SELECT user_name, action, object_type, object_id, object_name, project_code, detail, before_state,
			after_state, at FROM audit_log WHERE action = 'workflow.start'`)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), row.At, time.Minute)
		require.JSONEq(t, fmt.Sprintf(`{"version":1,"workflowInstanceId":%d}`, id), row.Detail)
		row.At, row.Detail = time.Time{}, ""
		require.Equal(t, audit.Row{
			UserName: "gwen", Action: "workflow.start", ObjectType: "workflow", ObjectID: fmt.Sprint(w.flow.Workflow.Code),
			ObjectName: w.flow.Workflow.Name, ProjectCode: w.project,
		}, row)
	})
}

func TestAStartThatCannotBeRecordedDoesNotHappen(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		_, err := d.Exec(t.Context(), `ALTER TABLE audit_log RENAME COLUMN request_id TO gone`)
		require.NoError(t, err)
		_, err = w.Start(w.gwen, w.project, instance.StartRequest{WorkflowCode: w.flow.Workflow.Code})
		require.Error(t, err)
		for _, table := range []string{"workflow_instance", "command"} {
			n, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM `+table)
			require.NoError(t, err)
			require.Zero(t, n, table)
		}
	})
}

func TestARepeatedKeyStartsNothingMore(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		req := instance.StartRequest{WorkflowCode: w.flow.Workflow.Code, IdempotencyKey: "k"}
		var wg sync.WaitGroup
		got := make([]int64, 6)
		for k := range got {
			wg.Go(func() {
				id, err := w.Start(w.gwen, w.project, req)
				if err == nil {
					got[k] = id
				}
			})
		}
		wg.Wait()
		for _, id := range got {
			require.Positive(t, id)
			require.Equal(t, got[0], id)
		}
		other, err := w.Start(w.admin, w.project, req)
		require.NoError(t, err)
		require.NotEqual(t, got[0], other, "a key is its owner's")
	})
}

func TestATriggerIsRefusedForAReason(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		code := w.flow.Workflow.Code
		for name, c := range map[string]struct {
			req  instance.StartRequest
			want error
		}{
			"workflow":   {instance.StartRequest{WorkflowCode: 4711}, workflow.ErrNotFound},
			"start node": {instance.StartRequest{WorkflowCode: code, StartNodes: []int64{1}}, instance.ErrStartNode},
			"tenant":     {instance.StartRequest{WorkflowCode: code, TenantCode: "nobody"}, instance.ErrTenantUnknown},
			"zone":       {instance.StartRequest{WorkflowCode: code, TimeZone: "Mars/Olympus"}, instance.ErrStartRequest},
			"parameter":  {instance.StartRequest{WorkflowCode: code, StartParams: []flow.Property{{Prop: "x"}, {Prop: "x"}}}, instance.ErrStartParam},
			"version":    {instance.StartRequest{WorkflowCode: code, Version: 9}, workflow.ErrVersionNotFound},
		} {
			_, err := w.Start(w.gwen, w.project, c.req)
			require.ErrorIs(t, err, c.want, name)
		}
		_, err := w.Start(w.gwen, 4711, instance.StartRequest{WorkflowCode: code})
		require.ErrorIs(t, err, project.ErrNotFound)
		_, err = w.workflows.Release(w.gwen, code, flow.Offline)
		require.NoError(t, err)
		_, err = w.Start(w.gwen, w.project, instance.StartRequest{WorkflowCode: code})
		require.ErrorIs(t, err, instance.ErrOffline)
	})
}

func TestEachRoleMayWhatItsGrantSays(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		id := w.start(t)
		w.become(t, id, flow.WorkflowSuccess)
		as := func(role access.Role) context.Context {
			return access.WithPrincipal(t.Context(), w.member(t, "u-"+string(role), role))
		}
		reader, operator, stranger := as(access.Read), as(access.Operate), as("")

		_, err := w.Get(reader, id)
		require.NoError(t, err)
		require.Equal(t, fault.Forbidden, fault.KindOf(w.Operate(reader, id, flow.OpRerun)))
		_, err = w.Start(reader, w.project, instance.StartRequest{WorkflowCode: w.flow.Workflow.Code})
		require.ErrorIs(t, err, project.ErrNoGrant)
		require.Equal(t, fault.Forbidden, fault.KindOf(w.Delete(operator, id)))
		require.NoError(t, w.Operate(operator, id, flow.OpRerun))

		_, err = w.Get(stranger, id)
		require.ErrorIs(t, err, instance.ErrNotFound, "what is not his looks as if it were not there")
		require.ErrorIs(t, w.Operate(stranger, id, flow.OpStop), instance.ErrNotFound)
		require.ErrorIs(t, w.Delete(stranger, id), instance.ErrNotFound)
		_, err = w.List(stranger, w.project, listing.New(instance.Spec(), 1, 10, ""), instance.Filter{})
		require.ErrorIs(t, err, project.ErrNoAccess)
		stats, err := w.Stats(stranger, 0, instance.Range{})
		require.NoError(t, err)
		require.Empty(t, stats.Workflows)
		_, err = w.Get(t.Context(), id)
		require.ErrorIs(t, err, access.ErrUnauthenticated)
	})
}

func TestOfTwoWhoPressAtOnceOneWins(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		id := w.start(t)
		w.become(t, id, flow.WorkflowFailure)
		ops := []flow.Operation{flow.OpRerun, flow.OpRecoverFailed, flow.OpRerun, flow.OpRecoverFailed}
		errs := make([]error, len(ops))
		var wg sync.WaitGroup
		for k, op := range ops {
			wg.Go(func() { errs[k] = w.Operate(w.gwen, id, op) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else {
				require.Equal(t, fault.Conflict, fault.KindOf(err), "%v", err)
			}
		}
		require.Equal(t, 1, won)
		require.Len(t, w.commands(t, id), 2, "the start and one operation")
		i, err := w.Get(w.gwen, id)
		require.NoError(t, err)
		require.Equal(t, 2, i.RunTimes)
		require.Nil(t, i.EndTime)
	})
}

func TestOperationsAreAcceptedExactlyWhereTheTableSaysSo(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	id := w.start(t)
	for _, op := range []flow.Operation{flow.OpPause, flow.OpStop, flow.OpResume, flow.OpRecoverFailed, flow.OpRerun} {
		for _, state := range flow.WorkflowStates() {
			w.become(t, id, state)
			allowed, reason := flow.Allowed(op, state)
			err := w.Operate(w.gwen, id, op)
			require.Equal(t, allowed, err == nil, "%s in %s: %v", op, state, err)
			if !allowed {
				require.Equal(t, reason, fault.From(err).Key, "the reason that the button shows")
			}
		}
	}
}

func TestDeletingTakesAttemptsAndLogsAlong(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		id := w.start(t)
		require.Equal(t, fault.Conflict, fault.KindOf(w.Delete(w.gwen, id)), "it has not ended")
		w.attempt(t, id, 1, attempt{state: flow.TaskSuccess, log: "/l/1.log"})
		w.attempt(t, id, 2, attempt{task: 1, state: flow.TaskFailure, log: "/l/2.log", host: "away"})
		w.become(t, id, flow.WorkflowFailure)
		require.NoError(t, w.Delete(w.gwen, id))
		_, err := w.Get(w.gwen, id)
		require.ErrorIs(t, err, instance.ErrNotFound)
		left, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM task_instance`)
		require.NoError(t, err)
		require.Zero(t, left)
		require.ErrorIs(t, w.Delete(w.gwen, id), instance.ErrNotFound)
	})
}

func TestAWorkflowGoesWithItsRunsUnlessOneIsRunning(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		id := w.start(t)
		w.logs.files["/l/1.log"] = []string{"x"}
		w.attempt(t, id, 1, attempt{state: flow.TaskSuccess, log: "/l/1.log"})
		_, err := w.workflows.Release(w.gwen, w.flow.Workflow.Code, flow.Offline)
		require.NoError(t, err)
		require.ErrorIs(t, w.workflows.Delete(w.gwen, w.flow.Workflow.Code), workflow.ErrInUse)
		w.become(t, id, flow.WorkflowSuccess)
		require.NoError(t, w.workflows.Delete(w.gwen, w.flow.Workflow.Code))
		left, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM workflow_instance`)
		require.NoError(t, err)
		require.Zero(t, left)
		require.Equal(t, []string{"/l/1.log"}, w.logs.removed)
	})
}

func TestATenantOfAnUnfinishedRunStays(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	tn, err := w.tenants.Create(w.admin, tenant.Draft{Code: "etl_user", QueueID: defaultQueue(t, w)})
	require.NoError(t, err)
	id, err := w.Start(w.gwen, w.project, instance.StartRequest{WorkflowCode: w.flow.Workflow.Code, TenantCode: "etl_user"})
	require.NoError(t, err)
	require.ErrorIs(t, w.tenants.Delete(w.admin, tn.ID), tenant.ErrInUse)
	w.become(t, id, flow.WorkflowSuccess)
	require.NoError(t, w.tenants.Delete(w.admin, tn.ID))
}

func defaultQueue(t *testing.T, w *world) int64 {
	t.Helper()
	id, err := db.Get[int64](t.Context(), w.DB, `SELECT id FROM queue WHERE name = ?`, queue.Default)
	require.NoError(t, err)
	return id
}

func TestEveryTaskSaysWhyItIsNotRunning(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	say := func(id int64, task int) string {
		d, err := w.Detail(w.gwen, w.project, id)
		require.NoError(t, err)
		return d.Node(w.flow.Definition.Tasks[task].Code).Reason.Say(w.gwen)
	}
	id := w.start(t)
	require.Contains(t, say(id, 0), "Waits for a master")
	w.become(t, id, flow.WorkflowRunning)
	require.Contains(t, say(id, 0), "in a moment")
	require.Equal(t, "Waits for a.", say(id, 1))
	w.attempt(t, id, 1, attempt{state: flow.TaskSubmitted})
	require.Equal(t, "Waits for a worker.", say(id, 0))
	w.Workers = fakeWorkers{waiting: 4, serving: 1}
	require.Contains(t, say(id, 0), "3 other tasks of the group default")
	w.Workers = fakeWorkers{}
	require.Equal(t, "No worker serves the group default.", say(id, 0))

	set := func(column string, value any) {
		_, err := w.DB.Exec(t.Context(), `UPDATE task_instance SET `+column+` = ? WHERE id = 1`, value)
		require.NoError(t, err)
	}
	set("due_time", time.Now().Add(time.Hour))
	require.Contains(t, say(id, 0), "Delayed until")
	set("attempt", 1)
	set("max_retry_times", 2)
	require.Contains(t, say(id, 0), "attempt 2 of 3")
	w.become(t, id, flow.WorkflowReadyPause)
	require.Contains(t, say(id, 0), "being paused")
	w.become(t, id, flow.WorkflowReadyStop)
	require.Contains(t, say(id, 0), "being stopped")

	set("state", flow.TaskFailure)
	set("message", "out of cheese")
	w.become(t, id, flow.WorkflowFailure)
	require.Equal(t, "out of cheese", say(id, 0))
	require.Equal(t, "Did not run: a did not succeed.", say(id, 1))
	require.Equal(t, "Did not run: a did not succeed.", say(id, 2), "the cause is named, however far up")
}

func TestDetailCountsWhatTakesPart(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b := w.flow.Definition.Tasks[1].Code
	id, err := w.Start(w.gwen, w.project, instance.StartRequest{WorkflowCode: w.flow.Workflow.Code, StartNodes: []int64{b}, Depend: flow.TaskPost})
	require.NoError(t, err)
	w.become(t, id, flow.WorkflowRunning)
	w.attempt(t, id, 1, attempt{task: 1, state: flow.TaskFailure, old: true})
	w.attempt(t, id, 2, attempt{task: 1, state: flow.TaskSuccess, number: 1, retries: 1})
	d, err := w.Detail(w.gwen, w.project, id)
	require.NoError(t, err)
	require.Equal(t, 1, d.Done)
	require.Equal(t, 2, d.Total)
	require.Equal(t, instance.NodeSkipped, d.Nodes[0].State)
	require.Len(t, d.Node(b).All, 2)
	require.Equal(t, int64(2), d.Node(b).Current.ID)
	require.Equal(t, instance.NodeNone, d.Nodes[2].State)
	_, err = w.Detail(w.gwen, 4711, id)
	require.ErrorIs(t, err, instance.ErrNotFound, "not under the address of another project")
}

func TestParametersShowWhereTheyCameFrom(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	id, err := w.Start(w.gwen, w.project, instance.StartRequest{
		WorkflowCode: w.flow.Workflow.Code, StartParams: []flow.Property{{Prop: "region", Value: "EU"}},
	})
	require.NoError(t, err)
	w.become(t, id, flow.WorkflowRunning)
	w.attempt(t, id, 1, attempt{state: flow.TaskSuccess, pool: `[{"prop":"rows","direct":"OUT","type":"INTEGER","value":"42"}]`})
	d, err := w.Detail(w.gwen, w.project, id)
	require.NoError(t, err)
	params, err := w.Params(w.gwen, d)
	require.NoError(t, err)
	require.Equal(t, "42", params[0].Outputs[0].Value)
	got := map[string]string{}
	for _, in := range params[1].Inputs {
		got[in.Prop] = in.Value + " " + string(in.Source.Level) + " " + in.From
	}
	require.Equal(t, map[string]string{
		"dt": time.Now().UTC().Format("20060102") + " global ", "db_password": instance.Hidden + " global ", "n": "1 local ", "region": "EU startup ",
		"rows": "42 upstream a",
	}, got)
}

func TestRunsAreCountedWhereOneMaySeeThem(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		for k := range 20 {
			id := w.start(t)
			w.attempt(t, id, int64(k+1), attempt{state: flow.TaskSuccess})
			if k%4 == 0 {
				w.become(t, id, flow.WorkflowFailure)
			} else {
				w.become(t, id, flow.WorkflowSuccess)
			}
		}
		w.start(t)
		for _, ctx := range []context.Context{w.gwen, w.admin} {
			stats, err := w.Stats(ctx, 0, instance.Range{From: time.Now().Add(-time.Hour)})
			require.NoError(t, err)
			counts := map[string]int{}
			for _, c := range stats.Workflows {
				counts[c.State] = c.Count
			}
			require.Equal(t, map[string]int{"SUCCESS": 15, "FAILURE": 5, "SUBMITTED_SUCCESS": 1}, counts)
			require.Equal(t, []instance.StateCount{{State: "SUCCESS", Count: 20}}, stats.Tasks)
			require.Len(t, stats.Running, 1)
			require.Len(t, stats.Failed, 5)
			require.Equal(t, instance.ProjectCount{ProjectCode: w.project, Running: 1, Failed: 5}, stats.Projects[w.project])
		}
		runs, err := w.RunHistory(w.gwen, []int64{w.flow.Workflow.Code, 4711})
		require.NoError(t, err)
		require.Len(t, runs[w.flow.Workflow.Code], instance.HistoryLength)
		require.Less(t, runs[w.flow.Workflow.Code][0].ID, runs[w.flow.Workflow.Code][17].ID, "oldest first")
		require.Equal(t, flow.WorkflowSubmitted, runs[w.flow.Workflow.Code][17].State)
		require.Empty(t, runs[4711])
		bars, err := w.Bars(w.gwen, []int64{w.flow.Workflow.Code})
		require.NoError(t, err)
		require.Contains(t, bars[w.flow.Workflow.Code][0].URL, "/instances/")
	})
}

func TestAWatcherIsToldOfItsInstanceOnly(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	w := open(t, d)
	require.NoError(t, w.Listen(t.Context()))
	mine, stop := w.Watch(1, 2)
	defer stop()
	all, stopAll := w.Watch()
	defer stopAll()
	require.NoError(t, d.Notify(t.Context(), instance.ChangeChannel, "7"))
	<-all
	require.Empty(t, mine)
	require.NoError(t, d.Notify(t.Context(), instance.ChangeChannel, "7,2"))
	<-mine
	require.NoError(t, d.Notify(t.Context(), instance.ChangeChannel, ""))
	<-mine
}

// BenchmarkStart measures a trigger: from the call to its commit.
func BenchmarkStart(b *testing.B) {
	for name, d := range map[string]func(testing.TB) *db.DB{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		b.Run(name, func(b *testing.B) {
			w := open(b, d(b))
			for b.Loop() {
				w.start(b)
			}
		})
	}
}
