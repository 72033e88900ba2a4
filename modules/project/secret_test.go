package project_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/security/crudtest"
)

// kept is what the database has of a parameter, opened.
func kept(t *testing.T, d *db.DB, name string) (value string, isSecret bool) {
	t.Helper()
	row, err := db.Get[struct {
		Value  string `db:"value"`
		Secret bool   `db:"is_secret"`
	}](t.Context(), d, `SELECT value, is_secret FROM project_parameter WHERE name = ?`, name)
	require.NoError(t, err)
	if !row.Secret {
		return row.Value, false
	}
	require.NotContains(t, row.Value, "hunter")
	plain, err := sealer(t).Open(row.Value, flow.SealedParameter)
	require.NoError(t, err)
	return plain.Reveal(), true
}

func TestTheValueOfASecretParameterIsNeverGivenBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := settled(t, d)
		ctx := access.WithPrincipal(t.Context(), a.Admin)
		admin := a.Browser(t, m.Routes).As(crudtest.As(a.Admin))
		admin.Post("/projects/7/parameters", "name", "pw", "type", "VARCHAR", "value", "hunter2", "secret", "true").Require(http.StatusSeeOther)
		value, isSecret := kept(t, d, "pw")
		require.True(t, isSecret)
		require.Equal(t, "hunter2", value)
		one, err := m.Parameters(ctx, 7)
		require.NoError(t, err)
		require.Empty(t, one[0].Value)
		require.True(t, one[0].Set)
		id := one[0].ID

		list := admin.Get("/projects/7/parameters").Require(http.StatusOK)
		require.Contains(t, list.Text("tbody tr"), "Set, not shown")
		form := admin.Get(fmt.Sprintf("/projects/7/parameters/%d/edit", id)).Require(http.StatusOK)
		require.Equal(t, project.MaskedValue, form.Text("[name='value']"))
		require.NotContains(t, list.Body+form.Body, "hunter")
		require.NotContains(t, list.Body+form.Body, "s1:")

		address := fmt.Sprintf("/projects/7/parameters/%d", id)
		for _, unchanged := range []string{project.MaskedValue, ""} {
			seen := admin.Get(address + "/edit").Value("updated_at")
			admin.Post(address, "name", "pw2", "type", "VARCHAR", "value", unchanged, "secret", "true", "updated_at", seen).Require(http.StatusSeeOther)
			value, _ = kept(t, d, "pw2")
			require.Equal(t, "hunter2", value)
		}
		again := admin.Post(address, "name", "a b", "type", "VARCHAR", "value", "hunter9", "secret", "true").Require(http.StatusUnprocessableEntity)
		require.NotContains(t, again.Body, "hunter", "what was typed is not sent back")
		saved, err := m.UpdateParameter(ctx, 7, one[0].Code, project.ParameterDraft{Name: "pw", Value: "hunter3", AsBefore: true})
		require.NoError(t, err)
		require.Empty(t, saved.Value)
		value, isSecret = kept(t, d, "pw")
		require.True(t, isSecret)
		require.Equal(t, "hunter3", value)

		_, err = m.UpdateParameter(ctx, 7, one[0].Code, project.ParameterDraft{Name: "pw", Value: project.MaskedValue})
		require.ErrorIs(t, err, project.ErrParameterReveal, "nobody reads it by making it an ordinary one")
		_, err = m.UpdateParameter(ctx, 7, one[0].Code, project.ParameterDraft{Name: "pw", Value: ""})
		require.ErrorIs(t, err, project.ErrParameterReveal)
		_, err = m.UpdateParameter(ctx, 7, one[0].Code, project.ParameterDraft{Name: "pw", Value: "open"})
		require.NoError(t, err)
		value, isSecret = kept(t, d, "pw")
		require.False(t, isSecret)
		require.Equal(t, "open", value)
		_, err = m.UpdateParameter(ctx, 7, one[0].Code, project.ParameterDraft{Name: "pw", Value: "", Secret: true})
		require.NoError(t, err)
		value, isSecret = kept(t, d, "pw")
		require.True(t, isSecret, "an ordinary one becomes a secret with the value it has")
		require.Equal(t, "open", value)

		for _, bad := range []string{"", project.MaskedValue, "a$[b"} {
			_, err := m.CreateParameter(ctx, 7, project.ParameterDraft{Name: "bad", Value: bad, Secret: true})
			require.Error(t, err, bad)
		}
		properties, err := m.Properties(ctx, 7)
		require.NoError(t, err)
		require.Equal(t, project.MaskedValue, properties[0].Value)

		log := audit.New(audit.Deps{DB: d, Now: time.Now, MayList: func(context.Context) error { return nil }})
		page, err := log.List(ctx, listing.New(audit.Spec(), 1, 50, ""), audit.Filter{Types: []string{"parameter"}})
		require.NoError(t, err)
		require.NotEmpty(t, page.Items)
		changed := 0
		for _, row := range page.Items {
			require.NotContains(t, fmt.Sprintf("%+v", row), "hunter")
			if row.Detail == `{"value":"changed"}` {
				changed++
			}
		}
		require.Equal(t, 2, changed, "that a value was changed is told")
	})
}

func TestRESTShowsAMaskAndKeepsWhatIsBehindIt(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	a, m := settled(t, d)
	ctx := access.WithPrincipal(t.Context(), a.Admin)
	const create = "projectParameterName=pw&projectParameterValue=hunter2&projectParameterSecret=true"
	rest := func(method, path, form string) string {
		t.Helper()
		code, data := call(t, a, m, a.Admin, method, path+"?"+form, "")
		require.Zero(t, code)
		return string(data)
	}
	made := rest("POST", "/projects/7/project-parameter", create)
	require.Contains(t, made, `"paramValue":"******"`)
	list := rest("GET", "/projects/7/project-parameter", "pageNo=1&pageSize=10")
	require.Contains(t, list, `"paramValue":"******"`)
	all, err := m.Parameters(ctx, 7)
	require.NoError(t, err)
	address := fmt.Sprintf("/projects/7/project-parameter/%d", all[0].Code)
	one := rest("GET", address, "")
	saved := rest("PUT", address, "projectParameterName=renamed&projectParameterValue=******&projectParameterDataType=VARCHAR")
	require.Contains(t, saved, `"paramName":"renamed"`)
	require.NotContains(t, made+list+one+saved, "hunter")
	value, isSecret := kept(t, d, "renamed")
	require.True(t, isSecret)
	require.Equal(t, "hunter2", value)
	code, _ := call(t, a, m, a.Admin, "PUT", address+"?projectParameterName=renamed&projectParameterValue=******&projectParameterSecret=false", "")
	require.Equal(t, 10215, code)
	code, _ = call(t, a, m, a.General, "GET", address, "")
	require.NotZero(t, code)
}
