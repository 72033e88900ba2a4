package backfill_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/fault"
	"dorado/app/kit/ids"
	"dorado/modules/access"
	"dorado/modules/backfill"
	"dorado/modules/flow"
	"dorado/modules/instance"
	"dorado/modules/project"
	"dorado/modules/security/crudtest"
	"dorado/modules/security/queue"
	"dorado/modules/security/tenant"
	"dorado/modules/workflow"
	"dorado/plugins/catalog"
)

// world is a project of gwen's with a workflow that is online, and a runner.
type world struct {
	*crudtest.App
	*backfill.Module
	instances *instance.Module
	projects  *project.Service
	workflows *workflow.Service
	codes     *ids.Generator
	project   int64
	gwen      context.Context
	flow      workflow.Saved
}

func open(t testing.TB, d *db.DB) *world {
	t.Helper()
	a := crudtest.NewApp(t, d, project.Rules(), workflow.Rules(), instance.Rules(), queue.Rules(), tenant.Rules())
	plugins, err := catalog.Builtin()
	require.NoError(t, err)
	w := &world{App: a, codes: ids.NewGenerator(1, time.Now)}
	queues := queue.New(queue.Deps{DB: d, Access: a.Access, Audit: a.Audit, Site: a.Site, API: a.API, Frame: a.Frame})
	require.NoError(t, queues.EnsureDefault(t.Context()))
	tenants := tenant.New(tenant.Deps{DB: d, Access: a.Access, Audit: a.Audit, Queues: queues.Service, Site: a.Site, API: a.API, Frame: a.Frame})
	w.projects = project.New(project.Deps{DB: d, Access: a.Access, Audit: a.Audit, Codes: w.codes, Now: time.Now})
	w.workflows = workflow.New(workflow.Deps{DB: d, Projects: w.projects, Audit: a.Audit, Codes: w.codes, Catalog: plugins, Now: time.Now})
	w.projects.SetContents(w.workflows)
	w.instances = instance.New(instance.Deps{
		Services: instance.Services{
			DB: d, Access: a.Access, Audit: a.Audit, Projects: w.projects, Workflows: w.workflows, Tenants: tenants.Service,
			Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		},
		Catalog: plugins, Site: a.Site, API: a.API, Frame: a.Frame,
	})
	w.Module = backfill.New(backfill.Deps{
		Services: backfill.Services{
			DB: d, Access: a.Access, Audit: a.Audit, Projects: w.projects, Instances: w.instances.Service, Now: time.Now,
			Logger: slog.New(slog.DiscardHandler),
		},
		Site: a.Site, API: a.API, Frame: a.Frame,
	})
	w.instances.SetBackfills(w.Module)
	w.gwen = access.WithPrincipal(t.Context(), a.General)
	p, err := w.projects.Create(w.gwen, project.Draft{Name: "etl"})
	require.NoError(t, err)
	w.project = p.Code
	w.flow = w.online(t, "daily", flow.Parallel)
	return w
}

// online saves a workflow of one shell task and puts it online; with dependsOn its task waits for other workflows instead.
func (w *world) online(t testing.TB, name string, execution flow.ExecutionType, dependsOn ...workflow.Saved) workflow.Saved {
	t.Helper()
	task := flow.Task{
		Code: w.codes.NextN(1)[0], Name: "a", Type: "SHELL", Flag: flow.FlagYes, IsCache: flow.FlagNo, Priority: flow.Medium, WorkerGroup: "default",
		Params: json.RawMessage(`{"rawScript":"echo ${dt}"}`), EnvironmentCode: -1, RetryInterval: 1, TimeoutFlag: flow.TimeoutClose, CPUQuota: -1,
		MemoryMax: -1, ExecuteType: flow.Batch,
	}
	if len(dependsOn) > 0 {
		task.Type = flow.TypeDependent
		items := ""
		for k, on := range dependsOn {
			if k > 0 {
				items += ","
			}
			items += fmt.Sprintf(`{"projectCode":%d,"definitionCode":%d,"depTaskCode":0,"cycle":"day","dateValue":"today"}`, w.project, on.Workflow.Code)
		}
		task.Params = json.RawMessage(`{"dependence":{"relation":"AND","dependTaskList":[{"relation":"AND","dependItemList":[` + items + `]}]}}`)
	}
	def := &flow.Definition{
		Name: name, ExecutionType: execution, Tasks: []flow.Task{task},
		GlobalParams: []flow.Property{{Prop: "dt", Direct: flow.In, Type: flow.Varchar, Value: "$[yyyyMMdd]"}},
	}
	s, err := w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: def, Online: true})
	require.NoError(t, err)
	return s
}

// run starts the runner; it ends with the test.
func (w *world) run(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// day is a midnight of March 2026.
func day(n int) time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }

func (w *world) request(days, width int) instance.BackfillRequest {
	return instance.BackfillRequest{
		StartRequest: instance.StartRequest{WorkflowCode: w.flow.Workflow.Code, TimeZone: "UTC"}, From: day(1), To: day(days), Width: width, Ascending: true,
	}
}

func (w *world) start(t testing.TB, r instance.BackfillRequest) instance.BackfillStarted {
	t.Helper()
	out, err := w.Start(w.gwen, w.project, r, "")
	require.NoError(t, err)
	return out
}

// end writes the end of a run as a master would, and tells of it.
func (w *world) end(t testing.TB, id int64, state flow.WorkflowState) {
	t.Helper()
	_, err := w.DB.Exec(t.Context(), `UPDATE workflow_instance SET state = ?, end_time = ? WHERE id = ?`, state, time.Now(), id)
	require.NoError(t, err)
	i, err := w.instances.Get(w.gwen, id)
	require.NoError(t, err)
	var param flow.CommandParam
	require.NoError(t, json.Unmarshal([]byte(i.CommandParam), &param))
	w.Ended(param)
}

// states are the states of the dates in the order in which they run.
func (w *world) states(t testing.TB, id int64) []backfill.DateState {
	t.Helper()
	var out []backfill.DateState
	for _, d := range w.dates(t, id) {
		out = append(out, d.State)
	}
	return out
}

func (w *world) dates(t testing.TB, id int64) []backfill.Date {
	t.Helper()
	b, err := w.Get(w.gwen, w.project, id)
	require.NoError(t, err)
	list, err := w.Dates(w.gwen, b, "", backfill.MaxDates, 0)
	require.NoError(t, err)
	return list
}

// running waits until exactly n dates run and returns them.
func (w *world) running(t testing.TB, id int64, n int) []backfill.Date {
	t.Helper()
	var out []backfill.Date
	require.Eventually(t, func() bool {
		out = slices.DeleteFunc(w.dates(t, id), func(d backfill.Date) bool { return d.State != backfill.DateRunning || d.RunState.Finished() })
		return len(out) == n
	}, 20*time.Second, 10*time.Millisecond)
	return out
}

func (w *world) over(t testing.TB, id int64, want backfill.State) {
	t.Helper()
	var b *backfill.Backfill
	require.Eventually(t, func() bool {
		var err error
		b, err = w.Get(w.gwen, w.project, id)
		require.NoError(t, err)
		return b.Over()
	}, 20*time.Second, 10*time.Millisecond)
	require.Equal(t, want, b.State)
}

func TestG12_OfFiveDaysTwoAtOnceTheSecondFails(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.run(t)
		b := w.start(t, w.request(5, 2))
		require.Len(t, b.Instances, 2, "both chains begin at once")
		first, err := w.instances.Get(w.gwen, b.Instances[0])
		require.NoError(t, err)
		require.True(t, day(1).Equal(*first.ScheduleTime))
		require.Equal(t, flow.CommandBackfill, first.CommandType)
		require.Contains(t, first.GlobalParams, "20260301")

		w.end(t, b.Instances[1], flow.WorkflowFailure) // the second date
		require.Eventually(t, func() bool { return w.states(t, b.ID)[3] == backfill.DateNotRun }, 20*time.Second, 10*time.Millisecond)
		require.Equal(t, []backfill.DateState{"RUNNING", "FAILURE", "WAITING", "NOT_RUN", "WAITING"}, w.states(t, b.ID), "its chain is over, visibly")
		w.end(t, b.Instances[0], flow.WorkflowSuccess)
		for _, want := range []int{3, 5} {
			d := w.running(t, b.ID, 1)[0]
			require.True(t, day(want).Equal(d.ScheduleTime))
			w.end(t, d.InstanceID, flow.WorkflowSuccess)
			require.Eventually(t, func() bool { return w.states(t, b.ID)[want-1] == backfill.DateSuccess }, 20*time.Second, 10*time.Millisecond)
		}
		w.over(t, b.ID, backfill.Failure)
		require.Equal(t, []backfill.DateState{"SUCCESS", "FAILURE", "SUCCESS", "NOT_RUN", "SUCCESS"}, w.states(t, b.ID))

		// What did not run can be run, in runs of its own.
		require.NoError(t, w.RerunFailed(w.gwen, w.project, b.ID))
		for _, d := range w.running(t, b.ID, 2) {
			w.end(t, d.InstanceID, flow.WorkflowSuccess)
		}
		w.over(t, b.ID, backfill.Success)
		require.ErrorIs(t, w.RerunFailed(w.gwen, w.project, b.ID), backfill.ErrNoFailed)
	})
}

func TestW19_BackfillKeepsOrderAndWidthAndDropsNoDateSilently(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.run(t)
		r := w.request(12, 3)
		r.Ascending, r.ContinueChain = false, true
		b := w.start(t, r)
		order := []int{}
		for done := 0; done < 12; {
			// The runner may have started a date that this list does not show yet, never one too many.
			list := w.dates(t, b.ID)
			active := 0
			for _, x := range list {
				if x.State == backfill.DateRunning && !x.RunState.Finished() {
					active++
				}
			}
			require.LessOrEqual(t, active, 3)
			for _, x := range list {
				if x.State == backfill.DateRunning && !x.RunState.Finished() {
					order = append(order, x.ScheduleTime.Day())
					state := flow.WorkflowSuccess
					if done%4 == 1 {
						state = flow.WorkflowFailure
					}
					w.end(t, x.InstanceID, state)
					done++
					break
				}
			}
		}
		w.over(t, b.ID, backfill.Failure)
		for _, s := range w.states(t, b.ID) {
			require.Contains(t, []backfill.DateState{backfill.DateSuccess, backfill.DateFailure}, s, "every date ran")
		}
		require.Equal(t, 12, order[0], "latest first")
		for k, d := range order {
			require.InDelta(t, 12-k, d, 3, "%v", order)
		}
	})
}

func TestNothingStartsTwiceWhoeverLooks(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		for range 4 {
			w.run(t)
		}
		b := w.start(t, w.request(20, 4))
		for range 20 {
			w.Ended(flow.CommandParam{BackfillID: b.ID})
		}
		for range 5 {
			for _, d := range w.running(t, b.ID, 4) {
				w.end(t, d.InstanceID, flow.WorkflowSuccess)
			}
		}
		w.over(t, b.ID, backfill.Success)
		n, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM workflow_instance`)
		require.NoError(t, err)
		require.Equal(t, 20, n)
	})
}

func TestAnEndThatNobodyToldOfIsFound(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		b := w.start(t, w.request(3, 1))
		_, err := d.Exec(t.Context(), `UPDATE workflow_instance SET state = 'SUCCESS', end_time = ?`, time.Now())
		require.NoError(t, err)
		w.run(t) // a program that starts later
		require.True(t, day(2).Equal(w.running(t, b.ID, 1)[0].ScheduleTime))
	})
}

func TestARunnerInAnotherProcessIsTold(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		told := make(chan string, 10)
		require.NoError(t, d.Listen(t.Context(), "dorado_backfill", func(payload string) { told <- payload }))
		b := w.start(t, w.request(3, 1))
		require.Equal(t, strconv.FormatInt(b.ID, 10), <-told)

		other := backfill.NewService(w.Service.Services)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- other.Run(ctx) }()
		w.end(t, w.running(t, b.ID, 1)[0].InstanceID, flow.WorkflowSuccess)
		require.Eventually(t, func() bool {
			list := w.running(t, b.ID, 1)
			return day(2).Equal(list[0].ScheduleTime)
		}, time.Minute, 10*time.Millisecond)
		cancel()
		require.NoError(t, <-done)
	})
}

func TestABackfillIsPausedResumedWidenedAndCancelled(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.run(t)
		b := w.start(t, w.request(10, 1))
		require.NoError(t, w.Pause(w.gwen, w.project, b.ID))
		require.ErrorIs(t, w.Pause(w.gwen, w.project, b.ID), backfill.ErrPaused)
		w.end(t, b.Instances[0], flow.WorkflowSuccess)
		require.Eventually(t, func() bool { return w.states(t, b.ID)[0] == backfill.DateSuccess }, 20*time.Second, 10*time.Millisecond)
		require.Equal(t, backfill.DateWaiting, w.states(t, b.ID)[1], "nothing starts in a pause")
		require.NoError(t, w.Resume(w.gwen, w.project, b.ID))
		require.ErrorIs(t, w.Resume(w.gwen, w.project, b.ID), backfill.ErrNotPaused)
		w.running(t, b.ID, 1)
		require.NoError(t, w.SetWidth(w.gwen, w.project, b.ID, 4))
		w.running(t, b.ID, 4)
		require.ErrorIs(t, w.SetWidth(w.gwen, w.project, b.ID, 0), backfill.ErrWidth)
		require.NoError(t, w.SetWidth(w.gwen, w.project, b.ID, 2))
		w.end(t, w.running(t, b.ID, 4)[0].InstanceID, flow.WorkflowSuccess)
		w.end(t, w.running(t, b.ID, 3)[0].InstanceID, flow.WorkflowSuccess)
		rest := w.running(t, b.ID, 2)
		require.NoError(t, w.Cancel(w.gwen, w.project, b.ID, true))
		for _, d := range rest {
			i, err := w.instances.Get(w.gwen, d.InstanceID)
			require.NoError(t, err)
			require.Equal(t, flow.WorkflowReadyStop, i.State)
			w.end(t, d.InstanceID, flow.WorkflowStop)
		}
		w.over(t, b.ID, backfill.Cancelled)
		counts, err := w.Counts(w.gwen, b.ID)
		require.NoError(t, err)
		require.Equal(t, backfill.Counts{backfill.DateSuccess: 3, backfill.DateStop: 2, backfill.DateCancelled: 5}, counts[b.ID])
		require.ErrorIs(t, w.Cancel(w.gwen, w.project, b.ID, false), backfill.ErrOver)
		require.Contains(t, w.Audited(t), "backfill.cancel")
	})
}

func TestADateThatAnOperatorRepairedCountsAsRepaired(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.run(t)
		b := w.start(t, w.request(1, 1))
		w.end(t, b.Instances[0], flow.WorkflowFailure)
		w.over(t, b.ID, backfill.Failure)
		w.end(t, b.Instances[0], flow.WorkflowSuccess)
		require.Eventually(t, func() bool {
			b, err := w.Get(w.gwen, w.project, b.ID)
			require.NoError(t, err)
			return b.State == backfill.Success
		}, 20*time.Second, 10*time.Millisecond)
	})
}

func TestAWorkflowThatGoesOfflinePausesItsBackfill(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.run(t)
		b := w.start(t, w.request(3, 1))
		_, err := w.workflows.Release(w.gwen, w.flow.Workflow.Code, flow.Offline)
		require.NoError(t, err)
		w.end(t, b.Instances[0], flow.WorkflowSuccess)
		require.Eventually(t, func() bool {
			b, err := w.Get(w.gwen, w.project, b.ID)
			require.NoError(t, err)
			return b.State == backfill.Paused
		}, 20*time.Second, 10*time.Millisecond)
		_, err = w.workflows.Release(w.gwen, w.flow.Workflow.Code, flow.Online)
		require.NoError(t, err)
		require.NoError(t, w.Resume(w.gwen, w.project, b.ID))
		w.running(t, b.ID, 1)
	})
}

func TestDatesOfASerialWorkflowQueueUp(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.flow = w.online(t, "serial", flow.SerialWait)
		w.start(t, w.request(5, 3))
		queued, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM serial_queue WHERE command_type = 'COMPLEMENT_DATA'`)
		require.NoError(t, err)
		require.Equal(t, 3, queued)
	})
}

func TestOnlyThoseMayBackfillWhoMayOperate(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		b := w.start(t, w.request(3, 1))
		as := func(name string, role access.Role) context.Context {
			id, err := db.Get[int64](t.Context(), d, `INSERT INTO users (name, password_hash, user_type, created_at, updated_at)
				VALUES (?, '', 'GENERAL_USER', ?, ?) RETURNING id`, name, time.Now(), time.Now())
			require.NoError(t, err)
			if role != "" {
				require.NoError(t, w.projects.SetMember(w.gwen, w.project, name, string(role)))
			}
			return access.WithPrincipal(t.Context(), access.Principal{UserID: id, Name: name})
		}
		reader, stranger := as("rita", access.Read), as("sam", "")
		_, err := w.Get(reader, w.project, b.ID)
		require.NoError(t, err)
		_, err = w.Get(stranger, w.project, b.ID)
		require.ErrorIs(t, err, project.ErrNoAccess)
		for _, who := range []context.Context{reader, stranger} {
			_, err = w.Start(who, w.project, w.request(3, 1), "")
			require.Equal(t, fault.Forbidden, fault.KindOf(err))
			for _, do := range []func(context.Context, int64, int64) error{w.Pause, w.Resume, w.RerunFailed} {
				require.Equal(t, fault.Forbidden, fault.KindOf(do(who, w.project, b.ID)))
			}
			require.Equal(t, fault.Forbidden, fault.KindOf(w.Cancel(who, w.project, b.ID, true)))
			require.Equal(t, fault.Forbidden, fault.KindOf(w.SetWidth(who, w.project, b.ID, 2)))
		}
		other, err := w.projects.Create(w.gwen, project.Draft{Name: "other"})
		require.NoError(t, err)
		_, err = w.Get(w.gwen, other.Code, b.ID)
		require.ErrorIs(t, err, backfill.ErrNotFound, "not under the address of another project")
		require.ErrorIs(t, w.Pause(w.gwen, other.Code, b.ID), backfill.ErrNotFound)
	})
}
