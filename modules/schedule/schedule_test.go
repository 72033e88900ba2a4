package schedule_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/app/kit/ids"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/instance"
	"dorado/modules/project"
	"dorado/modules/schedule"
	"dorado/modules/security/crudtest"
	"dorado/modules/security/queue"
	"dorado/modules/security/tenant"
	"dorado/modules/workflow"
	"dorado/plugins/catalog"
)

// wall is a clock that tests set.
type wall struct {
	mu sync.Mutex
	at time.Time
}

func (w *wall) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *wall) set(t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = t
}

func (w *wall) pass(d time.Duration) { w.set(w.now().Add(d)) }

// weekdays is a calendar: Saturdays, Sundays and the listed days are not worked, make-up days are.
type weekdays struct{ off, on []string }

func (w *weekdays) Workday(year int, month time.Month, day int) bool {
	at := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	text := at.Format(time.DateOnly)
	if slices.Contains(w.on, text) || slices.Contains(w.off, text) {
		return slices.Contains(w.on, text)
	}
	return at.Weekday() != time.Saturday && at.Weekday() != time.Sunday
}

// never is a calendar of people who do not work.
type never struct{}

func (never) Workday(int, time.Month, int) bool { return false }

// calendars are business calendars by id.
type calendars map[int64]schedule.Workdays

func (c calendars) Workdays(_ context.Context, id int64) (schedule.Workdays, bool, error) {
	days, ok := c[id]
	return days, ok, nil
}

// world is a project of gwen's with a workflow that is online, and the services around it. Its time is virtual and begins
// on Friday, 2 January 2026, at noon.
type world struct {
	*crudtest.App
	*schedule.Module
	wall      *wall
	projects  *project.Service
	workflows *workflow.Service
	instances *instance.Service
	tenants   *tenant.Module
	calendars calendars
	codes     *ids.Generator
	project   int64
	gwen      context.Context
	admin     context.Context
	flow      workflow.Saved
}

func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

func open(t testing.TB, d *db.DB) *world {
	t.Helper()
	a := crudtest.NewApp(t, d, project.Rules(), workflow.Rules(), instance.Rules(), schedule.Rules(), queue.Rules(), tenant.Rules())
	plugins, err := catalog.Builtin()
	require.NoError(t, err)
	w := &world{App: a, wall: &wall{at: noon()}, codes: ids.NewGenerator(1, time.Now), calendars: calendars{}}
	queues := queue.New(queue.Deps{DB: d, Access: a.Access, Audit: a.Audit, Site: a.Site, API: a.API, Frame: a.Frame})
	require.NoError(t, queues.EnsureDefault(t.Context()))
	w.tenants = tenant.New(tenant.Deps{DB: d, Access: a.Access, Audit: a.Audit, Queues: queues.Service, Site: a.Site, API: a.API, Frame: a.Frame})
	w.projects = project.New(project.Deps{DB: d, Access: a.Access, Audit: a.Audit, Codes: w.codes, Now: w.wall.now})
	w.workflows = workflow.New(workflow.Deps{DB: d, Projects: w.projects, Audit: a.Audit, Codes: w.codes, Catalog: plugins, Now: w.wall.now})
	w.projects.SetContents(w.workflows)
	w.instances = instance.NewService(instance.Services{
		DB: d, Access: a.Access, Audit: a.Audit, Projects: w.projects, Workflows: w.workflows, Tenants: w.tenants.Service,
		Now: w.wall.now, Logger: slog.New(slog.DiscardHandler),
	})
	w.Module = schedule.New(schedule.Deps{
		Services: schedule.Services{
			DB: d, Audit: a.Audit, Projects: w.projects, Workflows: w.workflows, Tenants: w.tenants.Service, Calendars: w.calendars, Now: w.wall.now,
			Known: schedule.Known{
				WorkerGroup:  func(_ context.Context, name string) (bool, error) { return name == "gpu", nil },
				Environment:  func(_ context.Context, code int64) (bool, error) { return code == 77, nil },
				WarningGroup: func(_ context.Context, id int64) (bool, error) { return id == 1, nil },
			},
		},
		Site: a.Site, API: a.API, Frame: a.Frame, Pages: schedule.PageDeps{Runs: w.instances},
	})
	w.gwen, w.admin = access.WithPrincipal(t.Context(), a.General), access.WithPrincipal(t.Context(), a.Admin)
	p, err := w.projects.Create(w.gwen, project.Draft{Name: "etl"})
	require.NoError(t, err)
	w.project = p.Code
	w.flow = w.online(t, "daily")
	return w
}

// online saves a workflow with one shell task and puts it online.
func (w *world) online(t testing.TB, name string, execution ...flow.ExecutionType) workflow.Saved {
	t.Helper()
	def := &flow.Definition{Name: name, ExecutionType: flow.Parallel, GlobalParams: []flow.Property{
		{Prop: "day", Direct: flow.In, Type: flow.Varchar, Value: "$[yyyyMMdd]"},
	}}
	if len(execution) > 0 {
		def.ExecutionType = execution[0]
	}
	def.Tasks = []flow.Task{{
		Code: w.codes.Next(), Name: "a", Type: "SHELL", Flag: flow.FlagYes, IsCache: flow.FlagNo, Priority: flow.Medium, WorkerGroup: "default",
		Params: json.RawMessage(`{"rawScript":"true"}`), EnvironmentCode: -1, RetryInterval: 1, TimeoutFlag: flow.TimeoutClose, CPUQuota: -1,
		MemoryMax: -1, ExecuteType: flow.Batch,
	}}
	s, err := w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: def, Online: true})
	require.NoError(t, err)
	return s
}

// calendar makes a business calendar.
func (w *world) calendar(t testing.TB, days schedule.Workdays) int64 {
	t.Helper()
	id, err := db.Get[int64](t.Context(), w.DB, `INSERT INTO calendar (name, operator_id, created_at, updated_at) VALUES (?, 1, ?, ?) RETURNING id`,
		fmt.Sprint("calendar ", len(w.calendars)), noon(), noon())
	require.NoError(t, err)
	w.calendars[id] = days
	return id
}

// draft is a schedule that breaks no rule.
func draft(crontab string) schedule.Draft {
	return schedule.Draft{Start: "2026-01-01 00:00:00", End: "2100-01-01 00:00:00", TimeZone: "UTC", Crontab: crontab}
}

func (w *world) schedule(t testing.TB, d schedule.Draft) schedule.Schedule {
	t.Helper()
	s, err := w.Create(w.gwen, w.project, w.flow.Workflow.Code, d)
	require.NoError(t, err)
	return s
}

// on makes a schedule and puts it online.
func (w *world) on(t testing.TB, d schedule.Draft) schedule.Schedule {
	t.Helper()
	s, err := w.Online(w.gwen, w.project, w.schedule(t, d).ID)
	require.NoError(t, err)
	return s
}

// clock is a master's clock.
func (w *world) clock(config ...schedule.Config) *schedule.Clock {
	c := schedule.DefaultConfig()
	if len(config) > 0 {
		c = config[0]
	}
	return schedule.NewClock(schedule.ClockDeps{
		DB: w.DB, Instances: w.instances, Calendars: w.calendars, Logger: slog.New(slog.DiscardHandler), Now: w.wall.now, Config: c,
	})
}

// step lets a clock do what is due and returns when it wants to come again.
func step(t testing.TB, c *schedule.Clock) time.Time {
	t.Helper()
	next, err := c.Step(t.Context())
	require.NoError(t, err)
	return next
}

// run lets virtual time pass from fire to fire until a moment, as Run does with the real one.
func (w *world) run(t testing.TB, c *schedule.Clock, until time.Time) {
	t.Helper()
	for {
		next := step(t, c)
		if next.IsZero() || next.After(until) {
			w.wall.set(until)
			step(t, c)
			return
		}
		w.wall.set(next)
	}
}

// made is a run that a schedule started.
type made struct {
	ID           int64              `db:"id"`
	State        flow.WorkflowState `db:"state"`
	Schedule     int64              `db:"schedule_id"`
	Fire         time.Time          `db:"fire_time"`
	ScheduleTime time.Time          `db:"schedule_time"`
	StartTime    time.Time          `db:"start_time"`
	Deadline     *time.Time         `db:"deadline"`
}

// runs are the runs of a schedule in the order of what they are about.
func (w *world) runs(t testing.TB, id int64) []made {
	t.Helper()
	rows, err := db.Select[made](t.Context(), w.DB, `SELECT i.id, i.state, f.schedule_id, f.fire_time, i.schedule_time, i.start_time, i.deadline
		FROM schedule_fire f JOIN workflow_instance i ON i.id = f.workflow_instance_id WHERE f.schedule_id = ? ORDER BY f.fire_time`, id)
	require.NoError(t, err)
	for _, r := range rows {
		require.True(t, r.Fire.Equal(r.ScheduleTime), "a run is about the time at which its schedule was nominally due")
	}
	return rows
}

func (w *world) times(t testing.TB, id int64) []string {
	t.Helper()
	out := []string{}
	for _, r := range w.runs(t, id) {
		out = append(out, r.Fire.UTC().Format("01-02 15:04:05"))
	}
	return out
}

func (w *world) count(t testing.TB, query string, args ...any) int {
	t.Helper()
	n, err := db.Get[int](t.Context(), w.DB, query, args...)
	require.NoError(t, err)
	return n
}

// fields are the names of the fields that an error complains about.
func fields(err error) []string {
	out := []string{}
	if f := fault.From(err); f != nil {
		for _, field := range f.Fields {
			out = append(out, field.Name)
		}
	}
	return out
}

// stranger is a user without any role.
func (w *world) stranger(t testing.TB, name string) access.Principal {
	t.Helper()
	id, err := db.Get[int64](t.Context(), w.DB, `INSERT INTO users (name, password_hash, user_type, email, created_at, updated_at)
		VALUES (?, '', 'GENERAL_USER', ?, ?, ?) RETURNING id`, name, name+"@example.org", noon(), noon())
	require.NoError(t, err)
	return access.Principal{UserID: id, Name: name}
}

// as is what somebody does; nobody does it when p is nobody.
func as(t testing.TB, p access.Principal) context.Context {
	t.Helper()
	if p.UserID == 0 {
		return t.Context()
	}
	return access.WithPrincipal(t.Context(), p)
}
