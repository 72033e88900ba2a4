package alertgroup_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/security/alertgroup"
	"dorado/modules/security/alertinstance"
	"dorado/modules/security/crudtest"
	"dorado/plugins/catalog"
)

func open(t *testing.T, d *db.DB) (*crudtest.App, *alertgroup.Module) {
	t.Helper()
	a := crudtest.NewApp(t, d, alertgroup.Rules(), alertinstance.Rules())
	sealer, err := secret.NewSealer(secret.String(base64.StdEncoding.EncodeToString(make([]byte, 32))))
	require.NoError(t, err)
	plugins, err := catalog.BuiltinAlerts(t.TempDir())
	require.NoError(t, err)
	instances := alertinstance.New(alertinstance.Deps{
		DB: a.DB, Access: a.Access, Audit: a.Audit, Sealer: sealer, Plugins: plugins, Site: a.Site, API: a.API, Frame: a.Frame,
	})
	m := alertgroup.New(alertgroup.Deps{
		DB: a.DB, Access: a.Access, Audit: a.Audit, Instances: instances.Service, Site: a.Site, API: a.API, Frame: a.Frame,
	})
	m.AddReferrer(described{a.DB})
	return a, m
}

// described says that a group is used when its description says so.
type described struct{ db *db.DB }

func (u described) AlertGroupUses(ctx context.Context, id int64, _ int) ([]alertgroup.Use, error) {
	n, err := db.Get[int](ctx, u.db, "SELECT count(*) FROM alert_group WHERE id = ? AND description = 'used'", id)
	if err != nil || n == 0 {
		return nil, err
	}
	return []alertgroup.Use{{Kind: "instance.one", Name: "daily-1", URL: "/projects/1/instances/2"}}, nil
}

func name(n int) string { return fmt.Sprintf("night-%02d", n) }

func TestAlertGroupsBehaveLikeEveryList(t *testing.T) {
	t.Parallel()
	crudtest.Run(t, crudtest.Case{
		Path: alertgroup.Path,
		Open: func(t *testing.T, d *db.DB) (*crudtest.App, func(chi.Router)) {
			t.Helper()
			a, m := open(t, d)
			return a, m.Routes
		},
		Valid:     func(n int) []string { return []string{"name", name(n), "description", "calls"} },
		Name:      name,
		NameField: "name", Sort: "name",
		Edited:   func(n int) []string { return []string{"name", name(n), "description", "mails"} },
		Shows:    "mails",
		Unique:   true,
		Rows:     1,
		Required: "name",
		Hostile:  func(text string) []string { return []string{"name", text, "description", text} },
		Use: func(t *testing.T, a *crudtest.App) string {
			t.Helper()
			_, err := a.DB.Exec(t.Context(), "UPDATE alert_group SET description = 'used' WHERE name = ?", name(1))
			require.NoError(t, err)
			return "daily-1"
		},
	})
}

func TestTheGroupOfTheAdministratorsIsNeverDeleted(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := open(t, d)
		ctx := access.WithPrincipal(t.Context(), a.Admin)
		require.ErrorIs(t, m.Delete(ctx, alertgroup.Admins), alertgroup.ErrAdmins)
		b := a.Browser(t, m.Routes).As(crudtest.As(a.Admin))
		require.False(t, b.Get(alertgroup.Path).Require(http.StatusOK).Has("[data-test='row.delete']"))
		require.NotEmpty(t, b.Post(alertgroup.Path+"/1/delete").Require(http.StatusConflict).Text("[data-test=refused]"))
		for id, want := range map[int64]bool{0: true, 1: true, 4711: false} {
			got, err := m.Exists(ctx, id)
			require.NoError(t, err)
			require.Equal(t, want, got, id)
		}
	})
}

func TestClientsKeepAlertGroups(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := open(t, d)
		call := crudtest.REST(t, a, a.Admin, m.API)
		made := call("POST", "/alert-groups", "groupName=night&description=x&alertInstanceIds=")
		require.InDelta(t, 201, made["status"], 0)
		data := made["data"].(map[string]any)
		require.Equal(t, []any{"night", ""}, []any{data["groupName"], data["alertInstanceIds"]})
		require.Len(t, data, 7)
		for body, want := range map[string]float64{
			"groupName=night&alertInstanceIds=": 10012, "groupName=&alertInstanceIds=": 10001, "groupName=x": 10027,
			"groupName=x&alertInstanceIds=3":                                        10001,
			"groupName=x&alertInstanceIds=three":                                    10027,
			"groupName=x&alertInstanceIds=&description=" + strings.Repeat("x", 256): 1400004,
		} {
			require.InDelta(t, want, call("POST", "/alert-groups", body)["code"], 0, body)
		}
		require.Len(t, call("GET", "/alert-groups/list", "")["data"], 2)
		require.InDelta(t, 1, call("GET", "/alert-groups?pageNo=1&pageSize=10&searchVal=nig", "")["data"].(map[string]any)["total"], 0)
		id := fmt.Sprintf("%.0f", data["id"])
		require.Equal(t, "night", call("POST", "/alert-groups/query", "id="+id)["data"].(map[string]any)["groupName"])
		require.InDelta(t, 10011, call("POST", "/alert-groups/query", "id=4711")["code"], 0)
		require.InDelta(t, 10012, call("GET", "/alert-groups/verify-name?groupName=night", "")["code"], 0)
		require.Equal(t, true, call("GET", "/alert-groups/verify-name?groupName=day", "")["success"])
		require.Equal(t, "day", call("PUT", "/alert-groups/"+id, "groupName=day&alertInstanceIds=")["data"].(map[string]any)["groupName"])
		require.InDelta(t, 30001, call("PUT", "/alert-groups/4711", "groupName=z&alertInstanceIds=")["code"], 0)
		require.InDelta(t, 130030, call("DELETE", "/alert-groups/1", "")["code"], 0)

		general := crudtest.REST(t, a, a.General, m.API)
		require.InDelta(t, 30001, general("POST", "/alert-groups", "groupName=y&alertInstanceIds=")["code"], 0)
		require.InDelta(t, 30001, general("PUT", "/alert-groups/"+id, "groupName=y&alertInstanceIds=")["code"], 0)
		require.InDelta(t, 30001, general("DELETE", "/alert-groups/"+id, "")["code"], 0)
		require.Len(t, general("GET", "/alert-groups/list", "")["data"], 2)
		require.Equal(t, true, call("DELETE", "/alert-groups/"+id, "")["data"])
	})
}

func TestAGroupKeepsItsInstancesInOrder(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := open(t, d)
		for _, name := range []string{"mail", "chat", "pager"} {
			_, err := d.Exec(t.Context(), `INSERT INTO alert_plugin_instance (plugin, name, params, created_at, updated_at) VALUES ('Slack', ?, '{}', ?, ?)`,
				name, a.Now(), a.Now())
			require.NoError(t, err)
		}
		call := crudtest.REST(t, a, a.Admin, m.API)
		made := call("POST", "/alert-groups", "groupName=night&alertInstanceIds=3,1,3,")["data"].(map[string]any)
		require.Equal(t, "3,1", made["alertInstanceIds"])
		id := int64(made["id"].(float64))
		ids, err := m.Members(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, []int64{3, 1}, ids)
		uses, err := m.AlertInstanceUses(t.Context(), 3, 5)
		require.NoError(t, err)
		require.Equal(t, "night", uses[0].Name)
		require.Equal(t, "2", call("PUT", fmt.Sprint("/alert-groups/", id), "groupName=night&alertInstanceIds=2")["data"].(map[string]any)["alertInstanceIds"])
		require.Empty(t, call("GET", "/alert-groups/list", "")["data"].([]any)[0].(map[string]any)["alertInstanceIds"])

		b := a.Browser(t, m.Routes).As(crudtest.As(a.Admin))
		edit := b.Get(fmt.Sprint(alertgroup.Path, "/", id, "/edit")).Require(http.StatusOK)
		require.True(t, edit.Has("input[name=instances][value='2'][checked]"))
		b.Post(fmt.Sprint(alertgroup.Path, "/", id), "name", "night", "instances", "1", "instances", "2", "updated_at", edit.Value("updated_at")).Require(http.StatusSeeOther)
		ids, err = m.Members(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, []int64{1, 2}, ids)
		require.Equal(t, true, call("DELETE", fmt.Sprint("/alert-groups/", id), "")["data"], "its links go with it")
		ids, err = m.Members(t.Context(), id)
		require.NoError(t, err)
		require.Empty(t, ids)
	})
}
