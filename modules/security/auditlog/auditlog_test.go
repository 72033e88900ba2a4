package auditlog_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/secret"
	"dorado/app/kit/web/webtest"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/security/auditlog"
	"dorado/modules/security/crudtest"
	"dorado/views/components"
)

type app struct {
	*crudtest.App
	log    *audit.Service
	module *auditlog.Module
	at     time.Time
}

func open(t *testing.T, d *db.DB) *app {
	t.Helper()
	a := &app{App: crudtest.NewApp(t, d), at: time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)}
	a.log = audit.New(audit.Deps{DB: d, Now: func() time.Time { return a.at }, MayList: func(ctx context.Context) error { return a.Access.Require(ctx, access.AuditRead) }})
	a.module = auditlog.New(auditlog.Deps{Audit: a.log, Access: a.Access, Site: a.Site, API: a.App.API, Frame: a.Frame})
	a.module.SetProjects(func(context.Context) ([]components.Option, error) {
		return []components.Option{{Value: "7", Label: "sales"}}, nil
	})
	return a
}

func (a *app) record(t *testing.T, e audit.Entry) {
	t.Helper()
	require.NoError(t, a.log.Record(access.WithPrincipal(t.Context(), a.Admin), e))
	a.at = a.at.Add(24 * time.Hour)
}

func (a *app) admin(t *testing.T) *webtest.Browser {
	t.Helper()
	return a.Browser(t, a.module.Routes).As(crudtest.As(a.Admin))
}

func TestTheAuditLogSaysWhoDidWhatToAdministratorsOnly(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := open(t, d)
		a.record(t, audit.Entry{Action: "tenant.create", ObjectType: "tenant", ObjectID: "7", ObjectName: "<b>etl</b>", Detail: map[string]any{"queue": 1, "code": "etl"}})
		a.record(t, audit.Entry{Action: "comet.launch", ObjectType: "comet", ObjectID: "8", ObjectName: "halley"})
		b := a.Browser(t, a.module.Routes)

		page := b.As(crudtest.As(a.Admin)).Get(auditlog.Path).Require(http.StatusOK)
		require.Equal(t, []string{"launch", "Create"}, page.Texts("tbody td:nth-child(3)"), "the newest first; an unknown deed stands for itself")
		require.Contains(t, page.Text("tbody tr:nth-child(2)"), "<b>etl</b>")
		require.NotContains(t, page.Body, "<b>etl</b>")
		require.Contains(t, page.Text("tbody tr:nth-child(2)"), "code: etl, queue: 1")
		only := b.As(crudtest.As(a.Admin)).In("zh-CN").Get(auditlog.Path + "?type=tenant")
		require.Equal(t, []string{"创建"}, only.Texts("tbody td:nth-child(3)"))
		require.Contains(t, only.Text(".chips"), "租户")

		for _, path := range []string{auditlog.Path, auditlog.Path + "/1", auditlog.Path + "/export?format=csv", auditlog.Path + "/export?format=json"} {
			b.As(crudtest.As(a.General)).Get(path).Require(http.StatusForbidden)
			b.Get(path).Require(http.StatusSeeOther)
		}
	})
}

func TestTheListIsNarrowedByActionProjectAndDays(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := open(t, d)
		a.record(t, audit.Entry{Action: "project.create", ObjectType: "project", ObjectID: "7", ObjectName: "sales", ProjectCode: 7}) // 1 May
		a.record(t, audit.Entry{Action: "schedule.create", ObjectType: "schedule", ObjectName: "nightly", ProjectCode: 7})            // 2 May
		a.record(t, audit.Entry{Action: "schedule.delete", ObjectType: "schedule", ObjectName: "nightly", ProjectCode: 8})            // 3 May
		admin := a.admin(t)
		objects := func(query string) []string {
			t.Helper()
			return admin.Get(auditlog.Path + "?" + query).Require(http.StatusOK).Texts("tbody td:nth-child(4) span")
		}
		require.Equal(t, []string{"nightly", "sales"}, objects("verb=create"))
		require.Equal(t, []string{"nightly", "sales"}, objects("project=7"))
		require.Equal(t, []string{"nightly"}, objects("from=2026-05-02&to=2026-05-02"))
		require.Equal(t, []string{"nightly"}, objects("verb=create&type=schedule&q=night"))
		require.Len(t, objects("verb='or'1&project=x&from=yesterday&to="), 3, "what makes no sense narrows nothing")
		page := admin.Get(auditlog.Path + "?project=7&verb=create&from=2026-05-01")
		require.Contains(t, page.Text(".chips"), "sales")
		require.Contains(t, page.Text(".chips"), "Create")
	})
}

func TestAnEntryShowsEachFieldBeforeAndAfter(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	a := open(t, d)
	type account struct {
		Name, Mail string
		Password   secret.String
		Rank       int
		Note       string
	}
	was := account{"ann", "a@x.org", "hunter2", 1, "same"}
	is := account{"ann", "b@x.org", "hunter3", 2, "same"}
	a.record(t, audit.Entry{Action: "user.update", ObjectType: "user", ObjectID: "9", ObjectName: "ann", Before: was, After: is})
	a.record(t, audit.Entry{Action: "user.create", ObjectType: "user", ObjectID: "9", ObjectName: "ann", After: is})
	a.record(t, audit.Entry{Action: "workflow.update", ObjectType: "workflow", ObjectID: "12", ObjectName: "w", ProjectCode: 7})
	admin := a.admin(t)
	page := admin.Get(auditlog.Path + "/1").Require(http.StatusOK)
	require.Equal(t, []string{"Mail", "Rank"}, page.Texts(".audit-field > div:first-child"), "what is the same is not said")
	require.Contains(t, page.Text("[data-test='audit.diff'] del"), "a@x.org")
	require.Contains(t, page.Text("[data-test='audit.diff'] ins"), "b@x.org")
	created := admin.Get(auditlog.Path + "/2").Require(http.StatusOK)
	require.False(t, created.Has("[data-test='audit.diff'] del"))
	require.Contains(t, created.Text("[data-test='audit.diff']"), "***")
	require.NotContains(t, page.Body+created.Body, "hunter")
	bare := admin.Get(auditlog.Path + "/3").Require(http.StatusOK)
	require.Contains(t, bare.Text("[data-test='audit.entry']"), "does not say")
	require.Contains(t, bare.Text("[data-test='audit.entry']"), "sales", "the project has its name")
	require.Contains(t, bare.Body, `href="/projects/7/workflows/12"`)
	admin.Get(auditlog.Path + "/4711").Require(http.StatusNotFound)
	require.Contains(t, admin.Get(auditlog.Path).Text("tbody tr:nth-child(3)"), "Mail, Rank", "the list says which fields changed")
}

func TestTheLogIsSavedAsAFileThatNoSpreadsheetRuns(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := open(t, d)
		for n := range 1200 {
			a.record(t, audit.Entry{Action: "tenant.create", ObjectType: "tenant", ObjectID: fmt.Sprint(n), ObjectName: fmt.Sprintf("=cmd|%d", n), After: map[string]int{"n": n}})
		}
		a.record(t, audit.Entry{Action: "queue.create", ObjectType: "queue", ObjectName: "other"})
		admin := a.admin(t)
		file := admin.Get(auditlog.Path + "/export?format=csv&type=tenant").Require(http.StatusOK)
		require.Contains(t, file.Header.Get("Content-Disposition"), "audit-log.csv")
		lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(file.Body, "\ufeff"))).ReadAll()
		require.NoError(t, err)
		require.Len(t, lines, 1201)
		require.Equal(t, "'=cmd|1199", lines[1][8], "the newest first, and no formula")
		require.Equal(t, "'=cmd|0", lines[1200][8])
		for _, line := range lines {
			for _, cell := range line {
				require.NotRegexp(t, `^[=+\-@]`, cell)
			}
		}
		var doc struct {
			Entries []struct {
				Object string
				After  map[string]int
			}
			More bool
		}
		require.NoError(t, json.Unmarshal([]byte(admin.Get(auditlog.Path+"/export?format=json&type=tenant").Require(http.StatusOK).Body), &doc))
		require.Len(t, doc.Entries, 1200)
		require.Equal(t, "=cmd|7", doc.Entries[1192].Object)
		require.Equal(t, 7, doc.Entries[1192].After["n"])
		require.False(t, doc.More)
		require.Equal(t, []string{"Export", "Export"}, admin.Get(auditlog.Path+"?type=auditlog").Texts("tbody td:nth-child(3)"), "who took it is in the log")
	})
}

// call is a call of the REST interface.
func (a *app) call(t *testing.T, who access.Principal, path string) (code int, data json.RawMessage) {
	t.Helper()
	h := a.App.API.Router(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(access.WithPrincipal(r.Context(), who)))
		})
	}, func(r chi.Router) { a.module.API(r) })
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	require.Equal(t, http.StatusOK, rec.Code)
	var e struct {
		Code int
		Data json.RawMessage
	}
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &e))
	return e.Code, e.Data
}

func TestClientsReadTheLogInTheWordsOfDolphinScheduler(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := open(t, d)
		a.record(t, audit.Entry{Action: "project.create", ObjectType: "project", ObjectID: "7", ObjectName: "etl"})
		a.record(t, audit.Entry{Action: "workflow_instance.recover", ObjectType: "workflow_instance", ObjectName: "i"})
		a.record(t, audit.Entry{Action: "user.sign_in", ObjectType: "user", ObjectName: "ann"})
		a.record(t, audit.Entry{Action: "queue.delete", ObjectType: "queue", ObjectName: "q", Detail: map[string]int{"n": 1}})
		list := func(query string) []map[string]any {
			t.Helper()
			code, data := a.call(t, a.Admin, "/projects/audit/audit-log-list?pageNo=1&pageSize=10&"+query)
			require.Zero(t, code)
			var page struct {
				TotalList []map[string]any `json:"totalList"`
				Total     int              `json:"total"`
			}
			require.NoError(t, json.Unmarshal(data, &page))
			require.Len(t, page.TotalList, page.Total)
			return page.TotalList
		}
		all := list("")
		require.Len(t, all, 3, "it has no word for a sign-in")
		require.Equal(t, map[string]any{
			"userName": a.Admin.Name, "modelType": "YarnQueue", "modelName": "q", "operation": "Delete", "createTime": "2026-05-04 08:00:00",
			"description": nil, "detail": `{"n":1}`, "latency": "0",
		}, all[0])
		require.Equal(t, "ResumeFailure", list("modelTypes=WorkflowInstance,Schedule")[0]["operation"])
		require.Len(t, list("operationTypes=Create,Delete"), 2)
		require.Len(t, list("modelName=et&userName="+a.Admin.Name), 1)
		require.Len(t, list("startDate=2026-05-01%2000:00:00&endDate=2026-05-02%2008:00:00"), 2, "the end is included")
		require.Empty(t, list("modelTypes=Nonsense"))
		require.Empty(t, list("operationTypes=BatchStart"))
		code, _ := a.call(t, a.Admin, "/projects/audit/audit-log-list?pageNo=0&pageSize=10")
		require.Equal(t, 10001, code)

		_, data := a.call(t, a.Admin, "/projects/audit/audit-log-operation-type")
		require.Contains(t, string(data), `[{"name":"Create"},{"name":"Update"}`)
		_, data = a.call(t, a.Admin, "/projects/audit/audit-log-model-type")
		require.Contains(t, string(data), `{"name":"TaskInstance","child":null}`)
		for _, path := range []string{"list?pageNo=1&pageSize=10", "list?pageNo=1&pageSize=10&modelTypes=x", "operation-type", "model-type"} {
			code, data := a.call(t, a.General, "/projects/audit/audit-log-"+path)
			require.Equal(t, 30001, code, path)
			require.Equal(t, "null", string(data))
		}
	})
}
