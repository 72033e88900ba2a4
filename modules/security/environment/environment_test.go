package environment_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/ids"
	"dorado/modules/access"
	"dorado/modules/security/crudtest"
	"dorado/modules/security/environment"
	"dorado/modules/security/workergroup"
)

type fixture struct {
	*crudtest.App
	*environment.Module
	groups *workergroup.Module
}

func open(t *testing.T, d *db.DB) fixture {
	t.Helper()
	a := crudtest.NewApp(t, d, workergroup.Rules(), environment.Rules())
	groups := workergroup.New(workergroup.Deps{DB: a.DB, Access: a.Access, Audit: a.Audit, Site: a.Site, API: a.API, Frame: a.Frame})
	m := environment.New(environment.Deps{
		DB: a.DB, Access: a.Access, Audit: a.Audit, Groups: groups.Service, Codes: ids.NewGenerator(1, time.Now), Site: a.Site, API: a.API, Frame: a.Frame,
	})
	m.AddReferrer(described{a.DB})
	return fixture{a, m, groups}
}

// described says that an environment is used, for the group "etl", when its description says so.
type described struct{ db *db.DB }

func (u described) EnvironmentUses(ctx context.Context, code int64, group string, _ int) ([]environment.Use, error) {
	n, err := db.Get[int](ctx, u.db, "SELECT count(*) FROM environment WHERE code = ? AND description = 'used'", code)
	if err != nil || n == 0 || group != "" && group != "etl" {
		return nil, err
	}
	return []environment.Use{{Kind: "workergroup.use.task", Name: "nightly", URL: "/projects/1/workflows/2"}}, nil
}

func name(n int) string { return fmt.Sprintf("java-%02d", n) }

func TestEnvironmentsBehaveLikeEveryList(t *testing.T) {
	t.Parallel()
	crudtest.Run(t, crudtest.Case{
		Path: environment.Path,
		Open: func(t *testing.T, d *db.DB) (*crudtest.App, func(chi.Router)) {
			t.Helper()
			f := open(t, d)
			return f.App, f.Routes
		},
		Valid: func(n int) []string {
			return []string{"name", name(n), "config", "export A=1\nexport B=2\n", "worker_groups", "default"}
		},
		Name:      name,
		NameField: "name", Sort: "name",
		Edited:   func(n int) []string { return []string{"name", name(n), "config", "export C=3", "description", "slow"} },
		Shows:    "export C=3",
		Unique:   true,
		Required: "config",
		Hostile:  func(text string) []string { return []string{"name", text, "config", text, "description", text} },
		Use: func(t *testing.T, a *crudtest.App) string {
			t.Helper()
			_, err := a.DB.Exec(t.Context(), "UPDATE environment SET description = 'used' WHERE name = ?", name(1))
			require.NoError(t, err)
			return "nightly"
		},
	})
}

func TestAnEnvironmentIsOfferedForItsGroupsOrForAll(t *testing.T) {
	t.Parallel()
	require.True(t, environment.Environment{}.Serves("etl"))
	require.True(t, environment.Environment{WorkerGroups: []string{"etl"}}.Serves("etl"))
	require.False(t, environment.Environment{WorkerGroups: []string{"etl"}}.Serves("default"))
}

func TestAnEnvironmentKeepsTheGroupForWhichATaskUsesIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := open(t, d)
		ctx := access.WithPrincipal(t.Context(), f.Admin)
		group, err := f.groups.Create(ctx, workergroup.Draft{Name: "etl"})
		require.NoError(t, err)
		_, err = f.Create(ctx, environment.Draft{Name: "x", Config: "true", WorkerGroups: []string{"nowhere"}})
		require.ErrorIs(t, err, environment.ErrGroupUnknown)
		e, err := f.Create(ctx, environment.Draft{Name: "java", Config: "true", Description: "used", WorkerGroups: []string{"etl", "default", "etl"}})
		require.NoError(t, err)
		require.Equal(t, []string{"default", "etl"}, e.WorkerGroups)
		require.Positive(t, e.Code)

		_, err = f.Update(ctx, e.ID, environment.Draft{Name: "java", Config: "true", Description: "used", WorkerGroups: []string{"default"}}, time.Time{})
		require.ErrorIs(t, err, environment.ErrGroupInUse)
		_, err = f.Update(ctx, e.ID, environment.Draft{Name: "java", Config: "true", Description: "used"}, time.Time{})
		require.NoError(t, err, "without any group it is offered for all")
		e, err = f.Update(ctx, e.ID, environment.Draft{Name: "java", Config: "true", Description: "used", WorkerGroups: []string{"etl"}}, time.Time{})
		require.NoError(t, err)

		require.ErrorIs(t, f.groups.Delete(ctx, group.ID), workergroup.ErrInUse)
		_, uses, err := f.groups.Uses(ctx, group.ID, 10)
		require.NoError(t, err)
		require.Equal(t, []workergroup.Use{{Kind: workergroup.UseEnvironment, Name: "java", URL: fmt.Sprintf("/security/environments/%d/edit", e.ID)}}, uses)

		for code, want := range map[int64]bool{environment.None: true, 0: true, e.Code: true, 4711: false} {
			got, err := f.Exists(ctx, code)
			require.NoError(t, err)
			require.Equal(t, want, got, code)
		}
	})
}

func TestClientsKeepEnvironments(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := open(t, d)
		call := crudtest.REST(t, f.App, f.Admin, f.Module.API)
		made := call("POST", "/environment/create", `name=spark&config=export A="1"&description=&workerGroups=["default"]`)
		require.InDelta(t, 201, made["status"], 0)
		code := fmt.Sprintf("%.0f", made["data"])

		for body, want := range map[string]float64{
			"name=spark&config=x": 120002, "name=&config=x": 120003, "name=x&config=": 120004, "name=x&config=x&workerGroups=default": 130015,
			"name=x": 120001, "name=x&config=x&description=" + strings.Repeat("x", 256): 1400004,
		} {
			require.InDelta(t, want, call("POST", "/environment/create", body)["code"], 0, body)
		}
		one := call("GET", "/environment/query-by-code?environmentCode="+code, "")["data"].(map[string]any)
		require.Equal(t, []any{"default"}, one["workerGroups"])
		require.Equal(t, `export A="1"`, one["config"])
		require.Len(t, one, 9)
		require.InDelta(t, 1200009, call("GET", "/environment/query-by-code?environmentCode=1", "")["code"], 0)

		changed := call("POST", "/environment/update", "code="+code+"&name=spark3&config=export B=2&description=used")["data"].(map[string]any)
		require.Equal(t, []any{nil, "spark3", nil}, []any{changed["id"], changed["name"], changed["createTime"]})
		require.InDelta(t, 120005, call("POST", "/environment/update", "code=1&name=x&config=x")["code"], 0)

		require.InDelta(t, 1, call("GET", "/environment/list-paging?pageNo=1&pageSize=10&searchVal=SPARK", "")["data"].(map[string]any)["total"], 0)
		require.Len(t, call("GET", "/environment/query-environment-list", "")["data"], 1)
		require.InDelta(t, 120002, call("POST", "/environment/verify-environment", "environmentName=spark3")["code"], 0)
		require.InDelta(t, 120003, call("POST", "/environment/verify-environment", "environmentName=")["code"], 0)
		require.Equal(t, true, call("POST", "/environment/verify-environment", "environmentName=new")["success"])

		require.InDelta(t, 120007, call("POST", "/environment/delete", "environmentCode="+code)["code"], 0)
		call("POST", "/environment/update", "code="+code+"&name=spark3&config=export B=2&description=")
		general := crudtest.REST(t, f.App, f.General, f.Module.API)
		for target, body := range map[string]string{
			"/environment/create": "name=y&config=x", "/environment/update": "code=" + code + "&name=y&config=x", "/environment/delete": "environmentCode=" + code,
		} {
			require.InDelta(t, 30001, general("POST", target, body)["code"], 0, target)
		}
		require.Len(t, general("GET", "/environment/query-environment-list", "")["data"], 1)
		require.InDelta(t, 0, call("POST", "/environment/delete", "environmentCode="+code)["code"], 0)
		require.InDelta(t, 120006, call("POST", "/environment/delete", "environmentCode="+code)["code"], 0)
	})
}
