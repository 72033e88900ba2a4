package tenant_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/security/crudtest"
	"dorado/modules/security/queue"
	"dorado/modules/security/tenant"
)

func open(t *testing.T, d *db.DB) (*crudtest.App, *tenant.Module) {
	t.Helper()
	a := crudtest.NewApp(t, d, queue.Rules(), tenant.Rules())
	queues := queue.New(queue.Deps{DB: a.DB, Access: a.Access, Audit: a.Audit, Site: a.Site, API: a.API, Frame: a.Frame})
	require.NoError(t, queues.EnsureDefault(t.Context()))
	m := tenant.New(tenant.Deps{DB: a.DB, Access: a.Access, Audit: a.Audit, Queues: queues.Service, Site: a.Site, API: a.API, Frame: a.Frame})
	m.AddReferrer(usersOf{a})
	return a, m
}

// usersOf stands for the module of users: the first user has the tenant.
type usersOf struct{ app *crudtest.App }

func (u usersOf) TenantUses(ctx context.Context, t tenant.Tenant, limit int) ([]tenant.Use, error) {
	names, err := db.Select[string](ctx, u.app.DB, "SELECT name FROM users WHERE tenant_id = ? LIMIT ?", t.ID, limit)
	var uses []tenant.Use
	for _, n := range names {
		uses = append(uses, tenant.Use{Kind: "user.one", Name: n, URL: "/security/users"})
	}
	return uses, err
}

func TestTenantsBehaveLikeEveryList(t *testing.T) {
	t.Parallel()
	crudtest.Run(t, crudtest.Case{
		Path: tenant.Path,
		Open: func(t *testing.T, d *db.DB) (*crudtest.App, func(chi.Router)) {
			t.Helper()
			a, m := open(t, d)
			return a, m.Routes
		},
		Valid:     func(n int) []string { return []string{"code", code(n), "queue_id", "1", "description", "nightly"} },
		Name:      code,
		NameField: "code", Sort: "code",
		Edited:   func(n int) []string { return []string{"code", code(n), "queue_id", "1", "description", "weekly"} },
		Shows:    "weekly",
		Unique:   true,
		Required: "code",
		Number:   "queue_id",
		Hostile:  func(text string) []string { return []string{"code", "etl", "queue_id", "1", "description", text} },
		Use: func(t *testing.T, a *crudtest.App) string {
			t.Helper()
			_, err := a.DB.Exec(t.Context(), "UPDATE users SET tenant_id = (SELECT id FROM tenant WHERE code = ?) WHERE name = 'gwen'", code(1))
			require.NoError(t, err)
			return "gwen"
		},
	})
}

func code(n int) string { return fmt.Sprintf("etl_%02d", n) }

func TestOnlyCodesThatCanBeAccountNamesAreAccepted(t *testing.T) {
	t.Parallel()
	for code, valid := range map[string]bool{
		"etl": true, "A.b-c_9": true, strings.Repeat("x", 30): true,
		"": false, strings.Repeat("x", 31): false, "a b": false, "root;rm": false, "租户": false, "a/b": false, "a\n": false,
		"default": false, "DEFAULT": false,
	} {
		err := tenant.Draft{Code: code, QueueID: 1}.Validate()
		require.Equal(t, valid, err == nil, "%q: %v", code, err)
	}
}

func TestACodeNeverChanges(t *testing.T) {
	t.Parallel()
	a, m := open(t, dbtest.SQLite(t))
	ctx := access.WithPrincipal(t.Context(), a.Admin)
	made, err := m.Create(ctx, tenant.Draft{Code: "etl", QueueID: 1})
	require.NoError(t, err)
	_, err = m.Update(ctx, made.ID, tenant.Draft{Code: "other", QueueID: 1}, made.UpdatedAt)
	require.ErrorIs(t, err, tenant.ErrCodeFixed)
	_, err = m.Update(ctx, made.ID, tenant.Draft{Code: "etl", QueueID: 1, Description: "x"}, made.UpdatedAt)
	require.NoError(t, err)
}

func TestTheDefaultTenantIsAlwaysThereAndNeverARow(t *testing.T) {
	t.Parallel()
	a, m := open(t, dbtest.SQLite(t))
	ctx := access.WithPrincipal(t.Context(), a.Admin)
	for code, want := range map[string]bool{"default": true, "nobody": false} {
		got, err := m.Exists(ctx, code)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	all, err := m.All(ctx)
	require.NoError(t, err)
	require.Empty(t, all)
}

func TestAQueueOfATenantCannotBeDeleted(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := crudtest.NewApp(t, d, queue.Rules(), tenant.Rules())
		queues := queue.New(queue.Deps{DB: a.DB, Access: a.Access, Audit: a.Audit, Site: a.Site, API: a.API, Frame: a.Frame})
		ctx := access.WithPrincipal(t.Context(), a.Admin)
		q, err := queues.Create(ctx, queue.Draft{Name: "fast", Value: "root.fast"})
		require.NoError(t, err)
		m := tenant.New(tenant.Deps{DB: a.DB, Access: a.Access, Audit: a.Audit, Queues: queues.Service, Site: a.Site, API: a.API, Frame: a.Frame})
		_, err = m.Create(ctx, tenant.Draft{Code: "etl", QueueID: q.ID})
		require.NoError(t, err)
		require.ErrorIs(t, queues.Delete(ctx, q.ID), queue.ErrInUse)
		_, uses, err := queues.Uses(ctx, q.ID, 10)
		require.NoError(t, err)
		require.Equal(t, "etl", uses[0].Name)
	})
}

func TestClientsCreateListChangeAndDeleteTenants(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := open(t, d)
		call := crudtest.REST(t, a, a.Admin, m.API)
		made := call("POST", "/tenants", "?&tenantCode=etl&queueId=1&description=&loginUser=User(id=1)")
		require.InDelta(t, 201, made["status"], 0)
		require.Equal(t, true, made["success"])
		data := made["data"].(map[string]any)
		require.Equal(t, "etl", data["tenantCode"])
		require.Equal(t, "default", data["queueName"])
		require.Len(t, data, 8, "strict clients refuse further keys: %v", data)

		for body, code := range map[string]float64{
			"tenantCode=etl&queueId=1": 10009, "tenantCode=a b&queueId=1": 10164, "tenantCode=" + strings.Repeat("x", 31) + "&queueId=1": 1300016,
			"tenantCode=x&queueId=x": 10084, "tenantCode=x": 10084, "tenantCode=x&queueId=1&description=" + strings.Repeat("x", 256): 1400004,
		} {
			require.InDelta(t, code, call("POST", "/tenants", body)["code"], 0, body)
		}
		page := call("GET", "/tenants/?pageSize=10&pageNo=1&searchVal=", "")["data"].(map[string]any)
		require.InDelta(t, 1, page["total"], 0)
		require.InDelta(t, 10001, call("GET", "/tenants?pageSize=0&pageNo=1", "")["code"], 0)
		require.Empty(t, call("GET", "/tenants?pageSize=10&pageNo=7", "")["data"].(map[string]any)["totalList"])
		require.Len(t, call("GET", "/tenants/list", "")["data"], 2, "the default tenant is offered too")
		require.InDelta(t, 10009, call("GET", "/tenants/verify-code?tenantCode=etl", "")["code"], 0)
		require.Equal(t, true, call("GET", "/tenants/verify-code?tenantCode=new", "")["data"])

		id := fmt.Sprintf("/tenants/%.0f", data["id"])
		require.Equal(t, true, call("PUT", id, "tenantCode=etl&queueId=1&description=nightly")["data"])
		require.InDelta(t, 10017, call("PUT", "/tenants/4711", "tenantCode=etl&queueId=1")["code"], 0)
		general := crudtest.REST(t, a, a.General, m.API)
		require.InDelta(t, 30001, general("DELETE", id, "")["code"], 0)
		require.Equal(t, true, call("DELETE", id, "")["data"])
		require.InDelta(t, 10017, call("DELETE", id, "")["code"], 0)
	})
}
