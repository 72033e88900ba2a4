package backfill_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
)

// rest calls an executor endpoint as gwen.
func (w *world) rest(t testing.TB, path string, fields ...string) (code int, ids []int64) {
	t.Helper()
	h := w.App.API.Router(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(rw, r.WithContext(access.WithPrincipal(r.Context(), w.General)))
		})
	}, w.instances.API)
	form := url.Values{
		"workflowDefinitionCode": {strconv.FormatInt(w.flow.Workflow.Code, 10)}, "workflowDefinitionCodes": {strconv.FormatInt(w.flow.Workflow.Code, 10)},
		"failureStrategy": {"END"}, "warningType": {"NONE"}, "execType": {"COMPLEMENT_DATA"},
	}
	for k := 0; k < len(fields); k += 2 {
		form.Set(fields[k], fields[k+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "POST", "/projects/"+strconv.FormatInt(w.project, 10)+"/executors/"+path, strings.NewReader(form.Encode())))
	var e struct {
		Code int
		Data []int64
	}
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &e), rec.Body.String())
	return e.Code, e.Data
}

func TestABackfillIsStartedByREST(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		span := `{"complementStartDate":"2026-03-01 00:00:00","complementEndDate":"2026-03-05 00:00:00"}`
		code, ids := w.rest(t, "start-workflow-instance", "scheduleTime", span, "runMode", "RUN_MODE_PARALLEL", "expectedParallelismNumber", "2")
		require.Zero(t, code)
		require.Len(t, ids, 2)
		i, err := w.instances.Get(w.gwen, ids[0])
		require.NoError(t, err, "usable at once")
		require.True(t, day(5).Equal(*i.ScheduleTime), "latest first unless it is said")
		code, ids = w.rest(t, "start-workflow-instance", "scheduleTime", span, "executionOrder", "ASC_ORDER", "expectedParallelismNumber", "7")
		require.Zero(t, code)
		require.Len(t, ids, 1, "one after the other unless it is said")
		code, ids = w.rest(t, "batch-start-workflow-instance", "scheduleTime", `{"complementScheduleDateList":"2026-03-01 10:00:00, 2026-03-02 10:00:00,2026-03-01 10:00:00"}`,
			"runMode", "1", "execType", "5")
		require.Zero(t, code)
		require.Len(t, ids, 2, "without a number all at once")
	})
}

func TestWrongDatesHaveTheNumbersClientsKnow(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	long := strings.Repeat("2026-03-01 00:00:00,", 1)
	for k := range 101 {
		long += "2026-03-01 00:" + strconv.Itoa(k/60+10) + ":" + strconv.Itoa(k%60/10) + strconv.Itoa(k%10) + ","
	}
	for text, want := range map[string]int{
		"":                    50081,
		"2026-03-01 00:00:00": 50081,
		`{"complementStartDate":"2026-03-01 00:00:00"}`:                                           50081,
		`{"complementStartDate":"2026-03-05 00:00:00","complementEndDate":"2026-03-01 00:00:00"}`: 50081,
		`{"complementStartDate":"2026-02-30 00:00:00","complementEndDate":"2026-03-01 00:00:00"}`: 50081,
		`{"complementStartDate":"2026-03-01 00:00:01","complementEndDate":"2026-03-01 23:00:00"}`: 50081,
		`{"complementScheduleDateList":"tomorrow"}`:                                               50081,
		`{"complementScheduleDateList":"` + long + `"}`:                                           1400003,
	} {
		code, ids := w.rest(t, "start-workflow-instance", "scheduleTime", text)
		require.Equal(t, want, code, text)
		require.Empty(t, ids)
	}
	code, _ := w.rest(t, "start-workflow-instance", "scheduleTime", `{"complementScheduleDateList":"2026-03-01 00:00:00"}`, "runMode", "RUN_MODE_PARALLEL",
		"expectedParallelismNumber", "-2")
	require.Equal(t, 50080, code)
}

// client calls an endpoint of backfills as somebody.
func (w *world) client(t testing.TB, who access.Principal, method, path string) (code int, data json.RawMessage) {
	t.Helper()
	h := w.App.API.Router(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(rw, r.WithContext(access.WithPrincipal(r.Context(), who)))
		})
	}, w.Module.API)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), method, "/projects/"+strconv.FormatInt(w.project, 10)+"/backfills"+path, http.NoBody))
	var e struct {
		Code int
		Data json.RawMessage
	}
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &e), rec.Body.String())
	return e.Code, e.Data
}

func TestBackfillsAreListedAndCancelledByREST(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		code, _ := w.rest(t, "start-workflow-instance", "scheduleTime", `{"complementScheduleDateList":"2026-01-01 00:00:00,2026-01-02 00:00:00,2026-01-03 00:00:00"}`)
		require.Zero(t, code)
		code, data := w.client(t, w.General, http.MethodGet, "?pageNo=1&pageSize=10")
		require.Zero(t, code)
		var page struct {
			TotalList []struct {
				ID    int64
				State string
				Dates map[string]int
			}
		}
		require.NoError(t, json.Unmarshal(data, &page))
		require.Len(t, page.TotalList, 1)
		require.Equal(t, map[string]int{"RUNNING": 1, "WAITING": 2}, page.TotalList[0].Dates)
		one := "/" + strconv.FormatInt(page.TotalList[0].ID, 10)

		stranger := access.Principal{UserID: 4711, Name: "mallory"}
		for _, call := range [][2]string{{http.MethodGet, "?pageNo=1&pageSize=10"}, {http.MethodGet, one}, {http.MethodPost, one + "/cancel"}} {
			code, _ := w.client(t, stranger, call[0], call[1])
			require.NotZero(t, code, call)
		}
		code, data = w.client(t, w.General, http.MethodPost, one+"/cancel")
		require.Zero(t, code)
		require.Contains(t, string(data), `"CANCELLED":2`)
		code, _ = w.client(t, w.General, http.MethodGet, one)
		require.Zero(t, code)
		code, _ = w.client(t, w.General, http.MethodGet, "/4711")
		require.Equal(t, 50001, code)
	})
}
