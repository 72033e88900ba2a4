package workflow_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db/dbtest"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/security/crudtest"
	"dorado/modules/workflow"
)

func TestTheListSaysByWhichClockWorkflowsRun(t *testing.T) {
	t.Parallel()
	s := openSite(t, dbtest.SQLite(t))
	doc := read(t, s.gwenB.Follow(s.gwenB.Post(s.path+"/example").Require(http.StatusSeeOther)))
	now := workflow.Timing{}
	m := workflow.NewModule(s.workflows, workflow.PageDeps{Site: s.Site, API: s.API, Frame: s.Frame, Timings: &workflow.Timings{
		Edit: workflow.Edit,
		Of: func(_ context.Context, codes []int64) (map[int64]workflow.Timing, error) {
			require.Equal(t, []int64{doc.Definition.Code}, codes)
			return map[int64]workflow.Timing{codes[0]: now}, nil
		},
	}})
	p := project.NewModule(s.projects, project.PageDeps{Site: s.Site, API: s.API, Frame: s.Frame})
	b := s.Browser(t, func(r chi.Router) { p.Routes(r); m.Routes(r) }).As(crudtest.As(s.General))

	page := b.Get(s.path).Require(http.StatusOK)
	require.Equal(t, "—", page.Text("[data-test='row.timing']"))
	require.Contains(t, page.Body, "Put it online first", "why there can be no schedule yet")
	_, err := s.workflows.Release(s.gwen, doc.Definition.Code, flow.Online)
	require.NoError(t, err)
	require.Contains(t, b.Get(s.path).Attr("[data-test='row.schedules']", "href"), "/schedules/new", "the first one is made at once")

	now = workflow.Timing{Offline: 1, Words: "Every hour"}
	page = b.Get(s.path)
	require.Contains(t, page.Text("[data-test='row.timing']"), "Every hour")
	require.Regexp(t, `/schedules$`, page.Attr("[data-test='row.schedules']", "href"))
	now = workflow.Timing{Online: 1, Offline: 1, Next: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	page = b.Get(s.path)
	require.True(t, page.Has("[data-test='row.timing'] [data-state='ONLINE']"))
	require.Equal(t, "2030-01-02T03:04:05Z", page.Attr("[data-test='row.timing'] time", "datetime"))

	released := b.Post(fmt.Sprintf("%s/%d/release", s.path, doc.Definition.Code), "state", "OFFLINE").Require(http.StatusSeeOther)
	require.Contains(t, b.Follow(released).Text(".toast"), "its schedules with it")
}
