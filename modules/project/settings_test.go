package project_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/security/crud"
	"dorado/modules/security/crudtest"
)

// settled is a project of the administrator with the code 7.
func settled(t *testing.T, d *db.DB) (*crudtest.App, *project.Module) {
	t.Helper()
	a, m := open(t, d)
	_, err := d.Exec(t.Context(), "INSERT INTO project (code, name, owner_id, created_at, updated_at) VALUES (7, 'etl', ?, ?, ?)", a.Admin.UserID, time.Now(), time.Now())
	require.NoError(t, err)
	require.NoError(t, a.Access.Grant(t.Context(), a.Admin.UserID, access.Project(7), access.Owner))
	m.SetWorkerGroups(func(context.Context) ([]string, error) { return []string{"default", "etl", "gpu"}, nil })
	m.SetKnown(project.Known{
		WorkerGroup: func(_ context.Context, name string) (bool, error) { return name != "gone", nil },
		Tenant:      func(_ context.Context, code string) (bool, error) { return code != "gone", nil },
	})
	return a, m
}

func parameter(n int) string { return fmt.Sprintf("param_%02d", n) }

func TestParametersBehaveLikeEveryList(t *testing.T) {
	t.Parallel()
	crudtest.Run(t, crudtest.Case{
		Path: "/projects/7/parameters",
		Open: func(t *testing.T, d *db.DB) (*crudtest.App, func(chi.Router)) {
			t.Helper()
			a, m := settled(t, d)
			return a, m.Routes
		},
		Valid:     func(n int) []string { return []string{"name", parameter(n), "type", "INTEGER", "value", "42"} },
		Name:      parameter,
		NameField: "name", Sort: "name",
		Edited:   func(n int) []string { return []string{"name", parameter(n), "type", "VARCHAR", "value", "forty two"} },
		Shows:    "forty two",
		Unique:   true,
		Required: "name",
		Number:   "",
		Hostile:  func(text string) []string { return []string{"name", "x", "type", "VARCHAR", "value", text} },
	})
}

func TestAValueMustFitItsTypeUnlessItIsKnownLater(t *testing.T) {
	t.Parallel()
	for kind, values := range map[flow.ParamType][2][]string{
		flow.Varchar:   {{"anything", "它"}, nil},
		flow.Integer:   {{"0", "-2147483648", "${n}"}, {"1.5", "x", "2147483648", "1 "}},
		flow.Long:      {{"9223372036854775807"}, {"9223372036854775808", ""}},
		flow.Float:     {{"1.5", "-1e3"}, {"1,5", "1e99"}},
		flow.Double:    {{"1e99"}, {"NaN", "1e999", "one"}},
		flow.Date:      {{"2026-02-28", "$[yyyy-MM-dd]"}, {"2026-02-30", "28.2.2026", "2026-2-1"}},
		flow.Time:      {{"23:59:59"}, {"24:00:00", "1:2"}},
		flow.Timestamp: {{"2026-02-28 23:59:59"}, {"2026-02-28", "2026-02-28T23:59:59"}},
		flow.Boolean:   {{"true", "FALSE"}, {"yes", "1"}},
		flow.List:      {{`["a", 1]`, "[]"}, {"a,b", `{"a":1}`, "[1"}},
		flow.File:      {{"data/in.csv"}, nil},
	} {
		for _, v := range values[0] {
			require.True(t, project.Fits(kind, v), "%s %q", kind, v)
		}
		for _, v := range values[1] {
			require.False(t, project.Fits(kind, v), "%s %q", kind, v)
		}
	}
	for name, valid := range map[string]bool{"a": true, "biz.date-1": true, "日期": true, "": false, "a b": false, "${a}": false, "a[0]": false, strings.Repeat("x", 256): false} {
		require.Equal(t, valid, project.ParameterDraft{Name: name, Value: "1", Type: flow.Varchar}.Validate() == nil, name)
	}
	require.Error(t, project.ParameterDraft{Name: "a", Value: "1", Type: "MONEY"}.Validate())
}

// mentions says where parameters are used.
type mentions map[string]string

func (m mentions) ParameterUses(_ context.Context, _ int64, name string, _ int) ([]crud.Use, error) {
	if workflow, ok := m[name]; ok {
		return []crud.Use{{Kind: "workflow.one", Name: workflow, URL: "/projects/7/workflows/9"}}, nil
	}
	return nil, nil
}

func TestAParameterSaysWhereItIsUsedAndManyGoAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := settled(t, d)
		m.SetParameterUsers(mentions{"bizdate": "daily"})
		ctx := access.WithPrincipal(t.Context(), a.Admin)
		var codes []string
		var ids []int64
		for _, name := range []string{"bizdate", "unused", "kept"} {
			p, err := m.CreateParameter(ctx, 7, project.ParameterDraft{Name: name, Value: "1"})
			require.NoError(t, err)
			codes, ids = append(codes, fmt.Sprint(p.Code)), append(ids, p.ID)
		}
		b := a.Browser(t, m.Routes)
		admin, general := b.As(crudtest.As(a.Admin)), b.As(crudtest.As(a.General))
		page := admin.Get(fmt.Sprintf("/projects/7/parameters/%d/uses", ids[0])).Require(http.StatusOK)
		require.Equal(t, "daily", page.Text("[data-test='parameter.uses'] li a"))
		require.False(t, admin.Get(fmt.Sprintf("/projects/7/parameters/%d/uses", ids[1])).Has("[data-test='parameter.uses'] li"))
		general.Get(fmt.Sprintf("/projects/7/parameters/%d/uses", ids[0])).Require(http.StatusForbidden)
		general.Post("/projects/7/parameters/delete", "id", codes[0]).Require(http.StatusForbidden)

		admin.Post("/projects/7/parameters/delete", "id", codes[0], "id", "4711").Require(http.StatusNotFound)
		admin.Post("/projects/7/parameters/delete").Require(http.StatusUnprocessableEntity)
		admin.Post("/projects/7/parameters/delete", "id", codes[0], "id", codes[1]).Require(http.StatusSeeOther)
		left, err := m.Properties(ctx, 7)
		require.NoError(t, err)
		require.Equal(t, []flow.Property{{Prop: "kept", Direct: flow.In, Type: flow.Varchar, Value: "1"}}, left)

		require.NoError(t, a.Access.Grant(ctx, a.General.UserID, access.Project(7), access.Read))
		list := general.Get("/projects/7/parameters").Require(http.StatusOK)
		require.True(t, list.Has("[data-test='row.uses']"))
		require.False(t, list.Has("[data-test='row.edit'], [data-select-row], [data-test='parameters.create']"), "a reader sees no buttons that he may not use")
		general.Post("/projects/7/parameters", "name", "x", "value", "1", "type", "VARCHAR").Require(http.StatusForbidden)
	})
}

func TestClientsKeepParameters(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := settled(t, d)
		call := crudtest.REST(t, a, a.Admin, m.API)
		const path = "/projects/7/project-parameter"
		made := call("POST", path, "projectParameterName=a&projectParameterValue=1")
		require.InDelta(t, 201, made["status"], 0)
		data := made["data"].(map[string]any)
		require.Equal(t, []any{"a", "1", "VARCHAR", "admin"}, []any{data["paramName"], data["paramValue"], data["paramDataType"], data["createUser"]})
		require.Len(t, data, 12)
		code := fmt.Sprintf("%.0f", data["code"])
		for body, want := range map[string]float64{
			"projectParameterName=a&projectParameterValue=1": 10218, "projectParameterName=b": 10214,
			"projectParameterName=b&projectParameterValue=x&projectParameterDataType=INTEGER": 10214,
		} {
			require.InDelta(t, want, call("POST", path, body)["code"], 0, body)
		}
		require.InDelta(t, 10018, call("POST", "/projects/8/project-parameter", "projectParameterName=a&projectParameterValue=1")["code"], 0)
		changed := call("PUT", path+"/"+code, "projectParameterName=a&projectParameterValue=2&projectParameterDataType=LONG")["data"].(map[string]any)
		require.Equal(t, []any{"2", "LONG"}, []any{changed["paramValue"], changed["paramDataType"]})
		require.InDelta(t, 10219, call("PUT", path+"/1", "projectParameterName=a&projectParameterValue=2&projectParameterDataType=LONG")["code"], 0)
		for query, total := range map[string]float64{"": 1, "&searchVal=A": 1, "&searchVal=z": 0, "&projectParameterDataType=LONG": 1, "&projectParameterDataType=DATE": 0} {
			require.InDelta(t, total, call("GET", path+"?pageNo=1&pageSize=10"+query, "")["data"].(map[string]any)["total"], 0, query)
		}
		require.Equal(t, "a", call("GET", path+"/"+code, "")["data"].(map[string]any)["paramName"])
		general := crudtest.REST(t, a, a.General, m.API)
		require.InDelta(t, 30002, general("GET", path+"?pageNo=1&pageSize=10", "")["code"], 0)
		require.InDelta(t, 30002, general("POST", path+"/delete", "code="+code)["code"], 0)
		require.NoError(t, a.Access.Grant(t.Context(), a.General.UserID, access.Project(7), access.Operate))
		for _, c := range [][3]string{
			{"POST", path, "projectParameterName=b&projectParameterValue=1"},
			{"PUT", path + "/" + code, "projectParameterName=b&projectParameterValue=1&projectParameterDataType=LONG"},
			{"POST", path + "/delete", "code=" + code},
			{"POST", path + "/batch-delete", "codes=" + code},
		} {
			require.InDelta(t, 30003, general(c[0], c[1], c[2])["code"], 0, c)
		}
		require.InDelta(t, 10220, call("POST", path+"/batch-delete", "codes=")["code"], 0)
		require.InDelta(t, 10219, call("POST", path+"/batch-delete", "codes="+code+",1")["code"], 0)
		require.Equal(t, true, call("POST", path+"/delete", "code="+code)["data"])
		require.InDelta(t, 10219, call("GET", path+"/"+code, "")["code"], 0)
	})
}

func TestAPreferenceCountsOnlyWhileItIsOn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := settled(t, d)
		ctx := access.WithPrincipal(t.Context(), a.Admin)
		p, err := m.Preference(ctx, 7)
		require.NoError(t, err)
		require.Equal(t, project.DefaultPreference(), p)

		_, err = m.SavePreference(ctx, 7, `{"taskPriority":"HIGH","failRetryTimes":"3","alertGroups":2,"environmentCode":null,"unknown":[]}`, nil)
		require.NoError(t, err)
		want := project.DefaultPreference()
		want.TaskPriority, want.FailRetryTimes, want.AlertGroup = flow.High, 3, 2
		p, err = m.Preference(ctx, 7)
		require.NoError(t, err)
		require.Equal(t, want, p)

		require.NoError(t, m.SwitchPreference(ctx, 7, false))
		p, err = m.Preference(ctx, 7)
		require.NoError(t, err)
		require.Equal(t, project.DefaultPreference(), p)
		_, err = m.SavePreference(ctx, 7, `{"taskPriority":"LOW"}`, nil)
		require.NoError(t, err)
		saved, err := m.SavedPreference(ctx, 7)
		require.NoError(t, err)
		require.False(t, saved.Enabled, "saving does not switch it on again")

		for _, body := range []string{"", "null", "[]", `{"taskPriority":"URGENT"}`, `{"failRetryTimes":-1}`, `{"failRetryTimes":"many"}`, `{"tenant":"gone"}`, `{"workerGroup":"gone"}`, `{"tenant":5}`} {
			_, err = m.SavePreference(ctx, 7, body, nil)
			require.Error(t, err, body)
		}
		_, err = m.Preference(access.WithPrincipal(t.Context(), a.General), 7)
		require.ErrorIs(t, err, project.ErrNoAccess)
	})
}

func TestPreferencesAreAForm(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := settled(t, d)
		b := a.Browser(t, m.Routes)
		admin, general := b.As(crudtest.As(a.Admin)), b.As(crudtest.As(a.General))
		page := admin.Get("/projects/7/preferences").Require(http.StatusOK)
		require.Equal(t, "MEDIUM", page.Value("taskPriority"))
		fields := []string{
			"enabled", "true", "taskPriority", "LOWEST", "tenant", "etl", "workerGroup", "gpu", "environmentCode", "-1", "failRetryTimes", "2",
			"failRetryInterval", "5", "warningType", "ALL", "alertGroup", "1", "cpuQuota", "-1", "memoryMax", "512",
		}
		admin.Post("/projects/7/preferences", fields...).Require(http.StatusSeeOther)
		p, err := m.Preference(access.WithPrincipal(t.Context(), a.Admin), 7)
		require.NoError(t, err)
		require.Equal(t, project.Preference{
			TaskPriority: flow.Lowest, Tenant: "etl", WorkerGroup: "gpu", EnvironmentCode: -1, FailRetryTimes: 2, FailRetryInterval: 5,
			WarningType: flow.WarningAll, AlertGroup: 1, CPUQuota: -1, MemoryMax: 512,
		}, p)
		require.Equal(t, "gpu", admin.Get("/projects/7/preferences").Value("workerGroup"))
		bad := admin.Post("/projects/7/preferences", "enabled", "true", "failRetryTimes", "many", "tenant", "etl").Require(http.StatusUnprocessableEntity)
		require.NotEmpty(t, bad.Text("#f-failRetryTimes-error"))

		general.Get("/projects/7/preferences").Require(http.StatusForbidden)
		general.Post("/projects/7/preferences", fields...).Require(http.StatusForbidden)
		require.NoError(t, a.Access.Grant(t.Context(), a.General.UserID, access.Project(7), access.Read))
		require.False(t, general.Get("/projects/7/preferences").Require(http.StatusOK).Has("[data-test='preference.save']"))
		general.Post("/projects/7/preferences", fields...).Require(http.StatusForbidden)
	})
}

func TestClientsKeepPreferences(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := settled(t, d)
		call := crudtest.REST(t, a, a.Admin, m.API)
		const path = "/projects/7/project-preference"
		got := call("GET", path, "")
		require.Equal(t, []any{true, nil}, []any{got["success"], got["data"]})
		require.InDelta(t, 10303, call("POST", path, "state=1")["code"], 0)
		const body = `{"taskPriority":"HIGH","extra":{"a":1}}`
		made := call("PUT", path, "projectPreferences="+body)
		require.InDelta(t, 201, made["status"], 0)
		data := made["data"].(map[string]any)
		require.Equal(t, []any{body, 1.0, 7.0}, []any{data["preferences"], data["state"], data["projectCode"]}, "clients get back what they sent")
		require.Len(t, data, 8)
		require.InDelta(t, 10301, call("PUT", path, "projectPreferences=[]")["code"], 0)
		require.InDelta(t, 0, call("POST", path, "state=0")["code"], 0)
		require.InDelta(t, 0, call("GET", path, "")["data"].(map[string]any)["state"], 0)
		general := crudtest.REST(t, a, a.General, m.API)
		require.InDelta(t, 30002, general("PUT", path, "projectPreferences={}")["code"], 0)
		require.InDelta(t, 30002, general("POST", path, "state=1")["code"], 0)
		require.InDelta(t, 30002, general("GET", path, "")["code"], 0)
	})
}

// asks says which groups a project uses.
type asks []string

func (u asks) ProjectGroups(context.Context, int64) ([]string, error) { return u, nil }

func TestAProjectMayBeBoundToWorkerGroups(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := settled(t, d)
		m.AddGroupUser(asks{"default", "gpu"})
		ctx := access.WithPrincipal(t.Context(), a.Admin)
		b := a.Browser(t, m.Routes)
		admin, general := b.As(crudtest.As(a.Admin)), b.As(crudtest.As(a.General))
		groups := func() []string {
			list, err := m.WorkerGroups(ctx, 7)
			require.NoError(t, err)
			return list
		}
		require.Equal(t, []string{"default", "etl", "gpu"}, groups(), "unbound, it may use all")
		const path = "/projects/7/worker-groups"
		admin.Get(path).Require(http.StatusOK)
		admin.Post(path, "which", "chosen", "groups", "gpu").Require(http.StatusSeeOther)
		require.Equal(t, []string{"default", "gpu"}, groups())
		require.NotEmpty(t, admin.Post(path, "which", "chosen", "groups", "etl").Require(http.StatusConflict).Text(".err"), "gpu is used")
		require.NotEmpty(t, admin.Post(path, "which", "chosen", "groups", "gone").Require(http.StatusUnprocessableEntity).Text(".err"))
		require.Equal(t, []string{"default", "gpu"}, groups())
		admin.Post(path, "which", "all").Require(http.StatusSeeOther)
		require.Len(t, groups(), 3)

		require.NoError(t, a.Access.Grant(ctx, a.General.UserID, access.Project(7), access.Owner))
		general.Get(path).Require(http.StatusForbidden)
		general.Post(path, "which", "all").Require(http.StatusForbidden)
	})
}

func TestClientsAssignWorkerGroups(t *testing.T) {
	t.Parallel()
	a, m := settled(t, dbtest.SQLite(t))
	m.AddGroupUser(asks{"gpu"})
	call := crudtest.REST(t, a, a.Admin, m.API)
	const path = "/projects/7/worker-group"
	require.InDelta(t, 201, call("POST", path, "workerGroups=gpu&workerGroups=etl")["status"], 0)
	list := call("GET", path, "")
	require.Len(t, list, 3, "no envelope here: %v", list)
	for body, want := range map[string]float64{"workerGroups=": 1402003, "workerGroups=gpu,gone": 1402001, "workerGroups=etl": 1402004} {
		require.InDelta(t, want, call("POST", path, body)["code"], 0, body)
	}
	require.InDelta(t, 10190, call("POST", "/projects/8/worker-group", "workerGroups=gpu")["code"], 0)
	general := crudtest.REST(t, a, a.General, m.API)
	require.InDelta(t, 30001, general("POST", path, "workerGroups=gpu")["code"], 0)
	body, err := json.Marshal(list["data"])
	require.NoError(t, err)
	require.JSONEq(t, `[{"id":null,"projectCode":7,"workerGroup":"default","createTime":null,"updateTime":null},
		{"id":null,"projectCode":7,"workerGroup":"etl","createTime":null,"updateTime":null},
		{"id":null,"projectCode":7,"workerGroup":"gpu","createTime":null,"updateTime":null}]`, string(body))
}
