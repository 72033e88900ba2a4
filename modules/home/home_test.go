package home_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/ids"
	"dorado/app/kit/web/webtest"
	"dorado/modules/access"
	"dorado/modules/home"
	"dorado/modules/instance"
	"dorado/modules/project"
	"dorado/modules/security/crudtest"
	"dorado/modules/security/queue"
	"dorado/modules/security/tenant"
	"dorado/modules/workflow"
	"dorado/plugins/catalog"
)

// world is the page over two projects: one of general's own, and one of somebody else.
type world struct {
	*crudtest.App
	browser      *webtest.Browser
	mine, theirs project.Project
}

func newWorld(t *testing.T, d *db.DB) *world {
	t.Helper()
	a := crudtest.NewApp(t, d, project.Rules(), workflow.Rules(), instance.Rules(), queue.Rules(), tenant.Rules())
	plugins, err := catalog.Builtin()
	require.NoError(t, err)
	codes := ids.NewGenerator(1, time.Now)
	queues := queue.New(queue.Deps{DB: d, Access: a.Access, Audit: a.Audit, Site: a.Site, API: a.API, Frame: a.Frame})
	tenants := tenant.New(tenant.Deps{DB: d, Access: a.Access, Audit: a.Audit, Queues: queues.Service, Site: a.Site, API: a.API, Frame: a.Frame})
	projects := project.New(project.Deps{DB: d, Access: a.Access, Audit: a.Audit, Codes: codes, Now: time.Now})
	workflows := workflow.New(workflow.Deps{DB: d, Projects: projects, Audit: a.Audit, Codes: codes, Catalog: plugins, Now: time.Now})
	projects.SetContents(workflows)
	runs := instance.NewService(instance.Services{
		DB: d, Access: a.Access, Audit: a.Audit, Projects: projects, Workflows: workflows, Tenants: tenants.Service, Now: time.Now,
		Logger: slog.New(slog.DiscardHandler),
	})
	m := home.New(home.Deps{Access: a.Access, Projects: projects, Instances: runs, Site: a.Site, Frame: a.Frame})
	w := &world{App: a, browser: a.Browser(t, func(r chi.Router) { m.Routes(r) })}
	require.Contains(t, w.browser.As(crudtest.As(a.General)).Get("/home").Body, "Nothing is running.")
	w.mine, err = projects.Create(access.WithPrincipal(t.Context(), a.General), project.Draft{Name: "etl<b>"})
	require.NoError(t, err)
	w.theirs, err = projects.Create(access.WithPrincipal(t.Context(), a.Admin), project.Draft{Name: "secret"})
	require.NoError(t, err)
	return w
}

// run puts a run into a project, as old as age.
func (w *world) run(t *testing.T, code, by int64, name, state string, age time.Duration) int64 {
	t.Helper()
	at := time.Now().Add(-age)
	id, err := db.Get[int64](t.Context(), w.DB, `INSERT INTO workflow_instance (name, workflow_code, workflow_version, workflow_name, project_code, state,
		command_type, executor_id, executor_name, start_time, created_at, updated_at) VALUES (?, 1, 1, 'w', ?, ?, 'START_PROCESS', ?, 'x', ?, ?, ?) RETURNING id`,
		name, code, state, by, at, at, at)
	require.NoError(t, err)
	return id
}

func TestHomeShowsWhatRanWhereOneMayLook(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		gwen := w.browser.As(crudtest.As(w.General))
		w.run(t, w.mine.Code, 1, "mine-failed", "FAILURE", time.Second)
		w.run(t, w.mine.Code, 1, "mine-running", "RUNNING_EXECUTION", time.Second)
		w.run(t, w.mine.Code, 1, "mine-old", "FAILURE", 5*24*time.Hour)
		w.run(t, w.theirs.Code, 1, "theirs-failed", "FAILURE", time.Second)

		page := gwen.Get("/home?range=24h").Require(http.StatusOK)
		require.Contains(t, page.Body, "mine-failed")
		require.Contains(t, page.Body, "mine-running")
		require.NotContains(t, page.Body, "mine-old")
		require.NotContains(t, page.Body, "theirs-failed")
		require.NotContains(t, page.Body, "etl<b>")
		require.Contains(t, page.Attr(".counts a", "href"), "/instances?state=")
		require.Contains(t, gwen.Get("/home?range=7d").Body, "mine-old")
		require.Contains(t, gwen.Get("/home?range=%27garbage").Require(http.StatusOK).Text(`[aria-current="true"]`), "Today")
		require.Contains(t, w.browser.As(crudtest.As(w.Admin)).Get("/home?range=24h").Body, "theirs-failed", "an administrator sees all")
		require.Contains(t, gwen.In("zh-CN").Get("/home").Text("h1"), "首页")
		require.Equal(t, http.StatusSeeOther, w.browser.Get("/home").Status, "who is not signed in is sent to sign in")
	})
}

func TestTheBellTellsOfFailedRunsOfADay(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		gwen := w.browser.As(crudtest.As(w.General))
		require.Contains(t, gwen.Get("/attention").Require(http.StatusOK).Body, "Nothing needs you")
		require.Empty(t, gwen.Get("/attention/count").Require(http.StatusOK).Text("body"))

		me := w.General.UserID
		id := w.run(t, w.mine.Code, me, "mine-failed", "FAILURE", time.Hour)
		w.run(t, w.mine.Code, me, "mine-fine", "SUCCESS", time.Hour)
		w.run(t, w.mine.Code, me, "mine-old", "FAILURE", 25*time.Hour)
		w.run(t, w.mine.Code, me+1, "of-another", "FAILURE", time.Hour)
		w.run(t, w.theirs.Code, me, "theirs-failed", "FAILURE", time.Hour)
		page := gwen.Get("/attention").Require(http.StatusOK)
		require.Equal(t, 1, page.Count(`[data-test="attention.row"]`))
		require.Contains(t, page.Body, "mine-failed")
		require.Contains(t, page.Attr(`[data-test="attention.row"] form`, "action"), fmt.Sprintf("/projects/%d/instances/%d/operate", w.mine.Code, id))
		require.Contains(t, gwen.Get("/attention/count").Text("b"), "1")

		all := gwen.Get("/attention?of=all").Body
		require.Contains(t, all, "of-another")
		require.NotContains(t, all, "theirs-failed", "its project is not shown to everybody")
		require.Contains(t, w.browser.As(crudtest.As(w.Admin)).Get("/attention?of=all").Body, "theirs-failed")
		require.Equal(t, http.StatusSeeOther, w.browser.Get("/attention").Status)
	})
}

func TestTheBellTellsOfStreamingTasksThatFailed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		gwen := w.browser.As(crudtest.As(w.General))
		stream := func(code, by, attempt int64, task string) {
			id := w.run(t, code, by, "clicks", "FAILURE", 48*time.Hour)
			at := time.Now().Add(-time.Minute)
			_, err := d.Exec(t.Context(), `UPDATE workflow_instance SET stream = ?, is_sub_workflow = ?, end_time = ? WHERE id = ?`, true, true, at, id)
			require.NoError(t, err)
			_, err = d.Exec(t.Context(), `INSERT INTO task_instance (id, workflow_instance_id, project_code, task_code, task_version, name, task_type, state, valid,
				log_path, first_submit_time, submit_time) VALUES (?, ?, ?, ?, 1, ?, 'FLINK_STREAM', 'FAILURE', ?, '/l/1.log', ?, ?)`, attempt, id, code, attempt, task, true, at, at)
			require.NoError(t, err)
		}
		me := w.General.UserID
		stream(w.mine.Code, me, 81, "count")
		stream(w.mine.Code, me+1, 82, "of-another")
		stream(w.theirs.Code, me, 83, "not-yours")
		page := gwen.Get("/attention").Require(http.StatusOK)
		require.Equal(t, 1, page.Count(`[data-test="attention.row"]`))
		require.Contains(t, page.Text(`[data-test="attention.row"]`), "streaming task")
		at := fmt.Sprintf("/projects/%d/task-instances/81", w.mine.Code)
		require.Equal(t, "count", page.Text(`[data-test="attention.row"] a.name[href="`+at+`"]`))
		require.True(t, page.Has(`[data-test="attention.row"] a[href="`+at+`/log"]`))
		require.False(t, page.Has(`[data-test="attention.recover"]`), "it is not gone on with")
		require.Contains(t, gwen.Get("/attention/count").Text("b"), "1")
		all := gwen.Get("/attention?of=all").Body
		require.Contains(t, all, "of-another")
		require.NotContains(t, all, "not-yours", "its project is not shown to everybody")
		require.Contains(t, w.browser.As(crudtest.As(w.Admin)).Get("/attention?of=all").Body, "not-yours")
	})
}
