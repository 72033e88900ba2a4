package workergroup_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/security/crudtest"
	"dorado/modules/security/workergroup"
)

// usesOf says that the names in used are used, as the kind given.
type usesOf map[string]string

func (u usesOf) WorkerGroupUses(_ context.Context, name string, limit int) ([]workergroup.Use, error) {
	if kind, ok := u[name]; ok && limit > 0 {
		return []workergroup.Use{{Kind: kind, Name: "nightly", URL: "/somewhere"}}, nil
	}
	return nil, nil
}

func open(t *testing.T, d *db.DB, used usesOf) (*crudtest.App, *workergroup.Module) {
	t.Helper()
	a := crudtest.NewApp(t, d, workergroup.Rules())
	m := workergroup.New(workergroup.Deps{
		DB: a.DB, Access: a.Access, Audit: a.Audit, Site: a.Site, API: a.API, Frame: a.Frame,
		Live: func() []workergroup.Worker {
			return []workergroup.Worker{
				{Name: "worker-2", Address: "10.0.0.6:1234", Groups: []string{"default", "gpu"}},
				{Name: "worker-1", Address: "10.0.0.5:1234", Groups: []string{"default"}},
			}
		},
	})
	m.AddReferrer(used)
	return a, m
}

func name(n int) string { return fmt.Sprintf("group-%02d", n) }

func TestWorkerGroupsBehaveLikeEveryList(t *testing.T) {
	t.Parallel()
	crudtest.Run(t, crudtest.Case{
		Path: workergroup.Path,
		Open: func(t *testing.T, d *db.DB) (*crudtest.App, func(chi.Router)) {
			t.Helper()
			a, m := open(t, d, nil)
			m.AddReferrer(described{a.DB})
			return a, m.Routes
		},
		Valid: func(n int) []string {
			return []string{"name", name(n), "worker", "worker-1", "workers", "worker-9", "description", "fast"}
		},
		Name:      name,
		NameField: "name", Sort: "name",
		Edited:   func(n int) []string { return []string{"name", name(n), "worker", "worker-2", "description", "slow"} },
		Shows:    "slow",
		Unique:   true,
		Required: "name",
		Hostile:  func(text string) []string { return []string{"name", text, "workers", text, "description", text} },
		Use: func(t *testing.T, a *crudtest.App) string {
			t.Helper()
			_, err := a.DB.Exec(t.Context(), "UPDATE worker_group SET description = 'used' WHERE name = ?", name(1))
			require.NoError(t, err)
			return "nightly"
		},
	})
}

// described says that groups are used whose description says so.
type described struct{ db *db.DB }

func (u described) WorkerGroupUses(ctx context.Context, name string, _ int) ([]workergroup.Use, error) {
	n, err := db.Get[int](ctx, u.db, "SELECT count(*) FROM worker_group WHERE name = ? AND description = 'used'", name)
	if err != nil || n == 0 {
		return nil, err
	}
	return []workergroup.Use{{Kind: workergroup.UseTask, Name: "nightly", URL: "/projects/1/workflows/2"}}, nil
}

func TestAGroupExistsByRowOrByAWorkerThatNamesIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := open(t, d, nil)
		ctx := access.WithPrincipal(t.Context(), a.Admin)
		_, err := m.Create(ctx, workergroup.Draft{Name: "etl"})
		require.NoError(t, err)
		for name, want := range map[string]bool{"default": true, "etl": true, "gpu": true, "nobody": false, "": false} {
			got, err := m.Exists(ctx, name)
			require.NoError(t, err)
			require.Equal(t, want, got, name)
		}
		names, err := m.Names(access.WithPrincipal(t.Context(), a.General))
		require.NoError(t, err)
		require.Equal(t, []string{"default", "etl", "gpu"}, names)
	})
}

func TestMembersAreTheListedWorkersThatAreConnected(t *testing.T) {
	t.Parallel()
	_, m := open(t, dbtest.SQLite(t), nil)
	for _, c := range []struct {
		group        workergroup.Group
		live, absent []string
	}{
		{workergroup.Group{Name: "etl", Addresses: "worker-1,worker-7"}, []string{"worker-1"}, []string{"worker-7"}},
		{workergroup.Group{Name: "by-address", Addresses: "10.0.0.6:1234"}, []string{"worker-2"}, nil},
		{workergroup.Group{Name: "gpu"}, []string{"worker-2"}, nil},
		{workergroup.Group{Name: "default"}, []string{"worker-1", "worker-2"}, nil},
		{workergroup.Group{Name: "empty"}, nil, nil},
	} {
		live, absent := m.Members(c.group)
		require.Equal(t, c.live, live, c.group.Name)
		require.ElementsMatch(t, c.absent, absent, c.group.Name)
	}
}

func TestAGroupInUseKeepsItsName(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		used := usesOf{}
		a, m := open(t, d, used)
		ctx := access.WithPrincipal(t.Context(), a.Admin)
		g, err := m.Create(ctx, workergroup.Draft{Name: "etl", Workers: []string{"worker-1"}})
		require.NoError(t, err)
		used["etl"] = workergroup.UseTask
		_, err = m.Update(ctx, g.ID, workergroup.Draft{Name: "other"}, g.UpdatedAt)
		require.ErrorIs(t, err, workergroup.ErrRenamed)
		g, err = m.Update(ctx, g.ID, workergroup.Draft{Name: "etl", Workers: []string{"worker-2", "worker-2", " "}}, g.UpdatedAt)
		require.NoError(t, err)
		require.Equal(t, []string{"worker-2"}, g.Workers())
	})
}

func TestNamesOfGroupsAndWorkersAreChecked(t *testing.T) {
	t.Parallel()
	for draft, valid := range map[*workergroup.Draft]bool{
		{Name: "etl", Workers: []string{"worker-1", "10.0.0.1:1234"}}: true,
		{Name: "分组"}:                     true,
		{Name: "a,b"}:                    false,
		{Name: "a\nb"}:                   false,
		{Name: strings.Repeat("x", 256)}: false,
		{Name: "etl", Workers: []string{"two words"}}:                                   false,
		{Name: "etl", Workers: slices.Repeat([]string{"w"}, 1001)}:                      false,
		{Name: "etl", Description: strings.Repeat("字", 255)}:                            true,
		{Name: "etl", Description: strings.Repeat("字", 256), Workers: []string{"fine"}}: false,
	} {
		require.Equal(t, valid, draft.Validate() == nil, "%v", draft)
	}
}

func TestClientsSaveListAndDeleteWorkerGroups(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		used := usesOf{}
		a, m := open(t, d, used)
		call := crudtest.REST(t, a, a.Admin, m.API)
		made := call("POST", "/worker-groups", "name=etl&addrList=worker-1,10.0.0.6:1234&description=")
		require.InDelta(t, http.StatusOK, made["status"], 0)
		data := made["data"].(map[string]any)
		require.Equal(t, "worker-1,worker-2", data["addrList"], "workers are kept by name")
		require.Len(t, data, 8, "strict clients refuse further keys: %v", data)

		for body, code := range map[string]float64{
			"name=&addrList=worker-1": 10134, "name=etl&addrList=worker-1": 10135, "name=x&addrList=10.9.9.9:1": 10177, "name=x": 10136,
			"name=x&addrList=&description=" + strings.Repeat("x", 256): 1400004,
		} {
			require.InDelta(t, code, call("POST", "/worker-groups", body)["code"], 0, body)
		}
		id := fmt.Sprintf("%.0f", data["id"])
		require.Equal(t, "worker-1", call("POST", "/worker-groups", "id="+id+"&name=etl&addrList=worker-1")["data"].(map[string]any)["addrList"])

		page := call("GET", "/worker-groups?pageNo=1&pageSize=10&searchVal=", "")["data"].(map[string]any)
		require.InDelta(t, 2, page["total"], 0)
		last := page["totalList"].([]any)[1].(map[string]any)
		require.Equal(t, []any{"default", nil, true}, []any{last["name"], last["id"], last["systemDefault"]})
		require.InDelta(t, 1, call("GET", "/worker-groups?pageNo=1&pageSize=10&searchVal=etl", "")["data"].(map[string]any)["total"], 0)
		require.Equal(t, []any{"default", "etl", "gpu"}, call("GET", "/worker-groups/all", "")["data"])
		require.Equal(t, []any{"worker-1", "worker-2"}, call("GET", "/worker-groups/worker-address-list", "")["data"])

		for kind, code := range map[string]float64{
			workergroup.UseRun: 10145, workergroup.UseTask: 1401000, workergroup.UseSchedule: 1401001, workergroup.UseEnvironment: 1401002,
		} {
			used["etl"] = kind
			require.InDelta(t, code, call("DELETE", "/worker-groups/"+id, "")["code"], 0, kind)
			require.InDelta(t, code, call("POST", "/worker-groups", "id="+id+"&name=other&addrList=worker-1")["code"], 0, kind)
		}
		delete(used, "etl")
		general := crudtest.REST(t, a, a.General, m.API)
		require.InDelta(t, 30001, general("POST", "/worker-groups", "name=y&addrList=worker-1")["code"], 0)
		require.InDelta(t, 30001, general("DELETE", "/worker-groups/"+id, "")["code"], 0)
		require.Equal(t, []any{"default", "etl", "gpu"}, general("GET", "/worker-groups/all", "")["data"])
		require.InDelta(t, 0, call("DELETE", "/worker-groups/"+id, "")["code"], 0)
		require.InDelta(t, 10174, call("DELETE", "/worker-groups/"+id, "")["code"], 0)
	})
}
