package schedule_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/workflow"
)

// js sends a JSON body to an address of version 2.
func (w *world) js(t testing.TB, p access.Principal, method, path, body string) envelope {
	t.Helper()
	h := w.App.API.Router(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(rw, r.WithContext(access.WithPrincipal(r.Context(), p)))
		})
	}, w.Module.API)
	r := httptest.NewRequestWithContext(t.Context(), method, "/v2/schedules"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	e := envelope{status: rec.Code}
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &e), rec.Body.String())
	return e
}

func TestVersion2OfSchedules(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		code := w.flow.Workflow.Code
		body := `{"workflowDefinitionCode":%d,"crontab":%q,"startTime":"2026-01-01 00:00:00","endTime":"2100-01-01 00:00:00","timezoneId":"UTC","releaseState":"ONLINE"}`
		e := w.js(t, w.General, "POST", "", fmt.Sprintf(body, code, "0 0 3 * * ?"))
		require.Equal(t, http.StatusCreated, e.status)
		var s struct {
			ID           int64
			ReleaseState flow.ReleaseState
			Crontab      string
			Priority     string `json:"workflowInstancePriority"`
			ProjectName  string
		}
		e.into(t, &s)
		require.Equal(t, flow.Online, s.ReleaseState)
		require.Equal(t, "etl", s.ProjectName)
		require.Equal(t, 10204, w.js(t, w.General, "POST", "", fmt.Sprintf(body, code, "0 0 3 * * ?")).Code)
		require.Equal(t, 50003, w.js(t, w.General, "POST", "", fmt.Sprintf(body, 77, "0 0 3 * * ?")).Code)
		require.Equal(t, 10076, w.js(t, w.General, "POST", "", `{}`).Code)
		one := fmt.Sprintf("/%d", s.ID)
		require.Equal(t, 10023, w.js(t, w.General, "PUT", one, `{"crontab":"0 0 4 * * ?"}`).Code)
		require.Equal(t, 50023, w.js(t, w.General, "DELETE", one, "").Code)
		_, err := w.Offline(w.gwen, w.project, s.ID)
		require.NoError(t, err)
		w.js(t, w.General, "PUT", one, `{"crontab":"0 0 4 * * ?","warningGroupId":0,"workerGroup":null}`).into(t, &s)
		require.Equal(t, "0 0 4 * * ?", s.Crontab)
		require.Equal(t, "MEDIUM", s.Priority, "what is not sent stays")
		require.Equal(t, 10024, w.js(t, w.General, "PUT", one, `{"crontab":"nonsense"}`).Code)
		w.js(t, w.General, "GET", one, "").into(t, &s)
		require.Equal(t, 10203, w.js(t, w.General, "GET", "/77", "").Code)
		var page struct {
			Total     int
			TotalList []struct{ ProjectName string }
		}
		w.js(t, w.General, "POST", "/filter", `{"projectName":"etl","workflowDefinitionName":"dai","releaseState":"OFFLINE"}`).into(t, &page)
		require.Equal(t, 1, page.Total)
		require.Equal(t, "etl", page.TotalList[0].ProjectName)
		w.js(t, w.General, "POST", "/filter", `{"releaseState":"ONLINE"}`).into(t, &page)
		require.Zero(t, page.Total)
		require.Equal(t, 10190, w.js(t, w.General, "POST", "/filter", `{"projectName":"nowhere"}`).Code)

		sam := w.stranger(t, "sam")
		for method, path := range map[string]string{"GET": one, "PUT": one, "DELETE": one} {
			require.Equal(t, 30002, w.js(t, sam, method, path, "{}").Code, method)
		}
		require.Equal(t, 30002, w.js(t, sam, "POST", "", fmt.Sprintf(body, code, "0 0 3 * * ?")).Code)
		w.js(t, sam, "POST", "/filter", `{}`).into(t, &page)
		require.Zero(t, page.Total)
		require.Zero(t, w.js(t, w.General, "DELETE", one, "").Code)
	})
}

func TestListsOfWorkflowsShowTheirSchedule(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.schedule(t, draft("0 0 1 * * ?"))
		on := w.on(t, draft("0 0 2 * * ?"))
		rows, err := w.WorkflowTimetable(w.gwen, []int64{w.flow.Workflow.Code, 77})
		require.NoError(t, err)
		require.Len(t, rows, 1)
		row := rows[w.flow.Workflow.Code]
		require.Equal(t, on.Crontab, row.Crontab, "the one that is online")
		require.Equal(t, flow.Online, row.State)
		text, err := json.Marshal(row.Object)
		require.NoError(t, err)
		require.NotContains(t, string(text), "misfirePolicy", "inside other objects stands only what clients know")
	})
}

func TestSchedulesGoAlongWhenTheirWorkflowMoves(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		s := w.schedule(t, draft("0 0 1 * * ?"))
		other, err := w.projects.Create(w.gwen, project.Draft{Name: "other"})
		require.NoError(t, err)
		code := w.flow.Workflow.Code
		require.ErrorIs(t, w.workflows.Move(w.gwen, []int64{code}, other.Code), workflow.ErrMoved, "it is online")
		_, err = w.workflows.Release(w.gwen, code, flow.Offline)
		require.NoError(t, err)
		require.NoError(t, w.workflows.Move(w.gwen, []int64{code}, other.Code))
		_, err = w.Get(w.gwen, other.Code, s.ID)
		require.NoError(t, err)
	})
}
