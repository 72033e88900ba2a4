package home_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/ids"
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

func TestHomeShowsWhatRanWhereOneMayLook(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
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
		b := a.Browser(t, func(r chi.Router) { m.Routes(r) })

		gwen := b.As(crudtest.As(a.General))
		empty := gwen.Get("/home").Require(http.StatusOK)
		require.Contains(t, empty.Body, "Nothing is running.")
		require.True(t, empty.Has(".empty a.primary"), "the next step is offered")

		mine, err := projects.Create(access.WithPrincipal(t.Context(), a.General), project.Draft{Name: "etl<b>"})
		require.NoError(t, err)
		theirs, err := projects.Create(access.WithPrincipal(t.Context(), a.Admin), project.Draft{Name: "secret"})
		require.NoError(t, err)
		run := func(code int64, name, state string, age time.Duration) {
			at := time.Now().Add(-age)
			_, err := d.Exec(t.Context(), `INSERT INTO workflow_instance (name, workflow_code, workflow_version, workflow_name, project_code, state,
				command_type, executor_id, executor_name, start_time, created_at, updated_at) VALUES (?, 1, 1, 'w', ?, ?, 'START_PROCESS', 1, 'x', ?, ?, ?)`,
				name, code, state, at, at, at)
			require.NoError(t, err)
		}
		run(mine.Code, "mine-failed", "FAILURE", time.Second)
		run(mine.Code, "mine-running", "RUNNING_EXECUTION", time.Second)
		run(mine.Code, "mine-old", "FAILURE", 5*24*time.Hour)
		run(theirs.Code, "theirs-failed", "FAILURE", time.Second)

		page := gwen.Get("/home?range=24h").Require(http.StatusOK)
		require.Contains(t, page.Body, "mine-failed")
		require.Contains(t, page.Body, "mine-running")
		require.NotContains(t, page.Body, "mine-old")
		require.NotContains(t, page.Body, "theirs-failed")
		require.NotContains(t, page.Body, "etl<b>")
		require.Contains(t, page.Attr(".counts a", "href"), "/instances?state=")
		require.Contains(t, gwen.Get("/home?range=7d").Body, "mine-old")
		require.Contains(t, gwen.Get("/home?range=%27garbage").Require(http.StatusOK).Text(`[aria-current="true"]`), "Today")
		require.Contains(t, b.As(crudtest.As(a.Admin)).Get("/home?range=24h").Body, "theirs-failed", "an administrator sees all")
		require.Contains(t, gwen.In("zh-CN").Get("/home").Text("h1"), "首页")
		require.Equal(t, http.StatusSeeOther, b.Get("/home").Status, "who is not signed in is sent to sign in")
	})
}
