package accesstoken_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/identity"
	"dorado/modules/security/accesstoken"
	"dorado/modules/security/crudtest"
)

func open(t *testing.T, d *db.DB) (*crudtest.App, *accesstoken.Module, *identity.Service) {
	t.Helper()
	a := crudtest.NewApp(t, d, identity.Rules())
	ident := identity.New(identity.Deps{DB: a.DB, Log: slog.New(slog.DiscardHandler), Now: time.Now, Access: a.Access, Audit: a.Audit})
	return a, accesstoken.New(accesstoken.Deps{DB: a.DB, Identity: ident, Access: a.Access, Site: a.Site, API: a.API, Frame: a.Frame}), ident
}

func TestTokensBehaveLikeEveryList(t *testing.T) {
	t.Parallel()
	fields := func(n int) []string { return []string{"name", name(n), "user_id", "1", "expires", "2099-12-31"} }
	crudtest.Run(t, crudtest.Case{
		Path: accesstoken.Path,
		Open: func(t *testing.T, d *db.DB) (*crudtest.App, func(chi.Router)) {
			t.Helper()
			a, m, _ := open(t, d)
			return a, m.Routes
		},
		Valid: fields, Name: name, NameField: "name", Sort: "name",
		Edited:   func(int) []string { return []string{"name", "rotated", "expires", "2098-01-01"} },
		Shows:    "rotated",
		Required: "name", Number: "user_id",
		Hostile: func(text string) []string { return []string{"name", text, "expires", "2099-12-31"} },
		Own:     true, Shown: true,
	})
}

func name(n int) string { return fmt.Sprintf("export_%02d", n) }

func TestATokenIsShownOnceAndOpensTheDoor(t *testing.T) {
	t.Parallel()
	a, m, ident := open(t, dbtest.SQLite(t))
	b := a.Browser(t, m.Routes).As(crudtest.As(a.General))
	made := b.Post(accesstoken.Path, "name", "nightly", "expires", "2099-12-31").Require(http.StatusOK)
	value := made.Text("[data-test='secret.value']")
	p, err := ident.AuthenticateToken(t.Context(), value)
	require.NoError(t, err)
	require.Equal(t, a.General.UserID, p.UserID)
	list := b.Get(accesstoken.Path)
	require.NotContains(t, list.Body, value)
	require.Contains(t, list.Body, value[len(value)-4:])
	require.False(t, b.Get(accesstoken.Path+"/new").Has("select[name=user_id]"), "others' tokens are not his to make")
	require.Equal(t, fmt.Sprint(a.General.UserID), a.Browser(t, m.Routes).As(crudtest.As(a.Admin)).Get(fmt.Sprintf("%s/new?user_id=%d", accesstoken.Path, a.General.UserID)).Value("user_id"))
	b.Post(accesstoken.Path, "name", "evil", "expires", "2099-12-31", "user_id", fmt.Sprint(a.Admin.UserID)).Require(http.StatusForbidden)
	b.Post(accesstoken.Path, "name", "late", "expires", "2001-01-01").Require(http.StatusUnprocessableEntity)
}

func TestATokenIsLimitedByWhatWasChosen(t *testing.T) {
	t.Parallel()
	a, m, ident := open(t, dbtest.SQLite(t))
	m.SetProjects(func(context.Context) ([]accesstoken.Project, error) {
		return []accesstoken.Project{{Code: 42, Name: "warehouse"}, {Code: 43, Name: "sales"}}, nil
	})
	b := a.Browser(t, m.Routes).As(crudtest.As(a.General))
	require.Contains(t, b.Get(accesstoken.Path+"/new").Text("[data-test='token.projects']"), "warehouse")
	for i, c := range []struct {
		fields []string
		scope  string
	}{
		{nil, ""},
		{[]string{"access", "all"}, ""},
		{[]string{"access", "read"}, "*.read *.view"},
		{[]string{"access", "operate", "projects", "42"}, "*.read *.view instance.operate project:42 schedule.release taskgroup.operate workflow.run"},
		{[]string{"access", "all", "projects", "42", "projects", "43"}, "project:42 project:43"},
		{[]string{"access", "custom", "scope", "user.read, token.*"}, "token.* user.read"},
	} {
		made := b.Post(accesstoken.Path, append([]string{"name", name(i), "expires", "2099-12-31"}, c.fields...)...).Require(http.StatusOK)
		p, err := ident.AuthenticateToken(t.Context(), made.Text("[data-test='secret.value']"))
		require.NoError(t, err)
		require.Equal(t, c.scope, strings.Join(p.Scope, " "))
		require.Contains(t, b.Get(accesstoken.Path).Text("tbody"), c.scope)
	}
	for _, wrong := range [][]string{
		{"access", "custom"},
		{"access", "custom", "scope", "project:42"},
		{"access", "all", "scope", "*.read"},
		{"access", "root"},
		{"access", "custom", "scope", "everything"},
		{"access", "custom", "scope", "usre.read"},
		{"access", "read", "projects", "warehouse"},
		{"access", "read", "projects", "42 *.*"},
	} {
		again := b.Post(accesstoken.Path, append([]string{"name", "wrong", "expires", "2099-12-31"}, wrong...)...).Require(http.StatusUnprocessableEntity)
		require.NotEmpty(t, again.Text("#f-scope-error"), wrong)
	}
	path := b.Get(accesstoken.Path+"?q="+name(2)).Attr("[data-test='row.edit']", "href")
	form := b.Get(path)
	require.Equal(t, "*.read *.view", form.Value("present"))
	require.False(t, form.Has("[name=access]"), "a token keeps what it may")
	b.Post(strings.TrimSuffix(path, "/edit"), "name", "renamed", "expires", "2099-12-31", "access", "all", "updated_at", form.Value("updated_at")).Require(http.StatusSeeOther)
	require.Contains(t, b.Get(accesstoken.Path+"?q=renamed").Text("tbody"), "*.read *.view")
}

func TestClientsKeepTokens(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m, ident := open(t, d)
		call := func(p access.Principal, method, target, kind, body string) map[string]any {
			h := a.API.Router(func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					next.ServeHTTP(w, r.WithContext(access.WithPrincipal(r.Context(), p)))
				})
			}, m.API)
			r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
			r.Header.Set("Content-Type", kind)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			var out map[string]any
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out), w.Body.String())
			return out
		}
		const form = "application/x-www-form-urlencoded"
		own := fmt.Sprintf("userId=%d&expireTime=2099-12-31 00:00:00", a.General.UserID)
		text := call(a.General, "POST", "/access-tokens/generate", form, own)["data"].(string)
		require.Regexp(t, "^[0-9a-f]{32}$", text)
		made := call(a.General, "POST", "/access-tokens", form, own+"&token="+text)["data"].(map[string]any)
		require.Equal(t, text, made["token"])
		require.Equal(t, "2099-12-31 00:00:00", made["expireTime"])
		_, err := ident.AuthenticateToken(t.Context(), text)
		require.NoError(t, err)

		v2 := call(a.Admin, "POST", "/v2/access-tokens", "application/json", fmt.Sprintf(`{"userId":%d,"expireTime":"2099-12-31 00:00:00"}`, a.Admin.UserID))
		require.InDelta(t, 0, v2["code"], 0)
		require.InDelta(t, 30001, call(a.General, "POST", "/access-tokens", form, fmt.Sprintf("userId=%d&expireTime=2099-12-31 00:00:00", a.Admin.UserID))["code"], 0)
		require.InDelta(t, 10001, call(a.General, "POST", "/access-tokens", form, fmt.Sprintf("userId=%d&expireTime=2001-12-31 00:00:00", a.General.UserID))["code"], 0)
		require.InDelta(t, 70010, call(a.General, "POST", "/access-tokens", form, "userId=1&expireTime=tomorrow")["code"], 0)

		list := call(a.General, "GET", "/access-tokens?pageNo=1&pageSize=10", "", "")["data"].(map[string]any)
		require.InDelta(t, 1, list["total"], 0, "only the own ones")
		row := list["totalList"].([]any)[0].(map[string]any)
		require.NotEqual(t, text, row["token"], "it is shown once")
		require.InDelta(t, 2, call(a.Admin, "GET", "/access-tokens?pageNo=1&pageSize=10", "", "")["data"].(map[string]any)["total"], 0)
		require.Len(t, call(a.Admin, "GET", "/access-tokens/user/1", "", "")["data"], 2)
		require.InDelta(t, 30001, call(a.General, "GET", "/access-tokens/user/1", "", "")["code"], 0)

		require.InDelta(t, 10001, call(a.General, "POST", "/access-tokens", form, own+"&scope=usre.read")["code"], 0, "no permission is called so")
		limited := call(a.General, "POST", "/access-tokens", form, own+"&name=ci&scope=*.read")["data"].(map[string]any)
		require.Len(t, limited, 7, "clients see the keys they know")
		p, err := ident.AuthenticateToken(t.Context(), limited["token"].(string))
		require.NoError(t, err)
		require.Equal(t, []string{"*.read"}, p.Scope)
		require.InDelta(t, 0, call(a.General, "PUT", fmt.Sprintf("/access-tokens/%.0f", limited["id"]), form, own+"&scope=*.*")["code"], 0)
		p, err = ident.AuthenticateToken(t.Context(), limited["token"].(string))
		require.NoError(t, err)
		require.Equal(t, []string{"*.read"}, p.Scope, "it is not widened")

		id := fmt.Sprintf("/access-tokens/%.0f", row["id"])
		require.InDelta(t, 0, call(a.General, "PUT", id, form, own)["code"], 0)
		gone := call(a.General, "DELETE", id, "", "")
		require.InDelta(t, 0, gone["code"], 0)
		require.Equal(t, false, gone["data"], "clients expect false")
		require.InDelta(t, 30001, call(a.General, "DELETE", id, "", "")["code"], 0, "what is not one's own one learns nothing of")
		require.InDelta(t, 70015, call(a.Admin, "DELETE", id, "", "")["code"], 0)
		_, err = ident.AuthenticateToken(t.Context(), text)
		require.ErrorIs(t, err, access.ErrUnauthenticated)
	})
}
