package user_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/identity"
	"dorado/modules/security/crudtest"
	"dorado/modules/security/queue"
	"dorado/modules/security/tenant"
	"dorado/modules/security/user"
)

const password = "s3cret-enough"

type world struct {
	*crudtest.App
	users    *user.Module
	tenants  *tenant.Module
	queues   *queue.Module
	identity *identity.Service
}

func open(t *testing.T, d *db.DB) world { t.Helper(); return openWith(t, d, false) }

func openWith(t *testing.T, d *db.DB, registration bool) world {
	t.Helper()
	a := crudtest.NewApp(t, d, queue.Rules(), tenant.Rules(), identity.Rules())
	queues := queue.New(queue.Deps{DB: a.DB, Access: a.Access, Audit: a.Audit, Site: a.Site, API: a.API, Frame: a.Frame})
	require.NoError(t, queues.EnsureDefault(t.Context()))
	tenants := tenant.New(tenant.Deps{DB: a.DB, Access: a.Access, Audit: a.Audit, Queues: queues.Service, Site: a.Site, API: a.API, Frame: a.Frame})
	ident := identity.New(identity.Deps{
		DB: a.DB, Log: slog.New(slog.DiscardHandler), Now: time.Now, Access: a.Access, Audit: a.Audit, Tenants: tenants, Registration: registration,
		Cost: identity.Cost{MemoryKiB: 64, Passes: 1},
	})
	users := user.New(user.Deps{
		Identity: ident, Access: a.Access, Tenants: tenants.Service, Queues: queues.Service, Site: a.Site, API: a.API, Frame: a.Frame,
		Link:    func(token string) string { return "https://dorado.example/login/link?token=" + token },
		Browser: func(_ context.Context, agent string) string { return agent },
	})
	users.AddReferrer(projectsOf{a})
	return world{a, users, tenants, queues, ident}
}

// projectsOf stands for the module of projects.
type projectsOf struct{ app *crudtest.App }

func (p projectsOf) UserUses(ctx context.Context, id int64, limit int) ([]user.Use, error) {
	names, err := db.Select[string](ctx, p.app.DB, "SELECT name FROM project WHERE owner_id = ? LIMIT ?", id, limit)
	var uses []user.Use
	for _, n := range names {
		uses = append(uses, user.Use{Kind: "tenant.one", Name: n, URL: "/projects"})
	}
	return uses, err
}

func TestUsersBehaveLikeEveryList(t *testing.T) {
	t.Parallel()
	fields := func(n int) []string {
		return []string{
			"name", name(n), "password", password, "email", name(n) + "@example.org", "phone", "", "tenant_id", "0", "queue", "",
			"type", "GENERAL_USER", "enabled", "true",
		}
	}
	crudtest.Run(t, crudtest.Case{
		Path: user.Path,
		Open: func(t *testing.T, d *db.DB) (*crudtest.App, func(chi.Router)) {
			t.Helper()
			w := open(t, d)
			return w.App, w.users.Routes
		},
		Valid: fields, Name: name, NameField: "name", Sort: "name",
		Edited: func(n int) []string {
			return []string{"name", name(n), "email", "moved@example.org", "phone", "+8613800138000", "tenant_id", "0", "type", "GENERAL_USER", "enabled", "true"}
		},
		Shows: "moved@example.org", Unique: true, Required: "email", Number: "tenant_id", Rows: 2,
		Hostile: func(text string) []string {
			return []string{"name", "mallory", "password", password, "email", "m@example.org", "tenant_id", "0", "queue", text, "enabled", "true"}
		},
		Use: func(t *testing.T, a *crudtest.App) string {
			t.Helper()
			_, err := a.DB.Exec(t.Context(), `INSERT INTO project (code, name, owner_id, created_at, updated_at)
				SELECT 4711, 'warehouse', id, created_at, updated_at FROM users WHERE name = ?`, name(1))
			require.NoError(t, err)
			return "warehouse"
		},
	})
}

func name(n int) string { return fmt.Sprintf("user_%02d", n) }

func TestATenantAndAQueueOfAUserCannotBeDeleted(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		ctx := access.WithPrincipal(t.Context(), w.Admin)
		q, err := w.queues.Create(ctx, queue.Draft{Name: "fast", Value: "root.fast"})
		require.NoError(t, err)
		te, err := w.tenants.Create(ctx, tenant.Draft{Code: "etl", QueueID: 1})
		require.NoError(t, err)
		_, err = w.identity.Create(ctx, identity.Draft{Name: "erin", Password: password, Email: "e@example.org", TenantID: te.ID, Queue: "root.fast", Enabled: true})
		require.NoError(t, err)
		require.ErrorIs(t, w.tenants.Delete(ctx, te.ID), tenant.ErrInUse)
		require.ErrorIs(t, w.queues.Delete(ctx, q.ID), queue.ErrInUse)
		_, uses, err := w.tenants.Uses(ctx, te.ID, 10)
		require.NoError(t, err)
		require.Equal(t, "erin", uses[0].Name)
	})
}

func TestAnAdministratorCannotDeleteOrDemoteHimself(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b := w.Browser(t, w.users.Routes).As(crudtest.As(w.Admin))
	me := fmt.Sprintf("%s/%d", user.Path, w.Admin.UserID)
	refused := b.Post(me + "/delete").Require(http.StatusConflict)
	require.Contains(t, refused.Text("[data-test=refused]"), "yourself")
	form := b.Get(me + "/edit").Require(http.StatusOK)
	require.True(t, form.Has("select[name=type][disabled]"))
	b.Post(me, "name", "admin", "email", "admin@example.org", "tenant_id", "0", "updated_at", form.Value("updated_at")).Require(http.StatusSeeOther)
	still, err := w.identity.Get(access.WithPrincipal(t.Context(), w.Admin), w.Admin.UserID)
	require.NoError(t, err)
	require.True(t, still.Admin())
	require.True(t, still.Enabled)
}

func TestASignInLinkIsShownOnceAndOnlyToAdministrators(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b := w.Browser(t, w.users.Routes)
	path := fmt.Sprintf("%s/%d/link", user.Path, w.General.UserID)
	b.As(crudtest.As(w.General)).Post(path).Require(http.StatusForbidden)
	page := b.As(crudtest.As(w.Admin)).PostPart(path, "dialog").Require(http.StatusOK)
	link, err := url.Parse(page.Text("[data-test='secret.value']"))
	require.NoError(t, err)
	in, err := w.identity.SignInByLink(t.Context(), link.Query().Get("token"), identity.Credentials{})
	require.NoError(t, err)
	require.Equal(t, "gwen", in.User.Name)
}

func (w world) call(t *testing.T, p access.Principal, method, target, kind, body string) map[string]any {
	t.Helper()
	h := w.API.Router(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(rw, r.WithContext(access.WithPrincipal(r.Context(), p)))
		})
	}, w.users.API)
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	var out map[string]any
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &out), rec.Body.String())
	return out
}

func TestClientsManageUsers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		const form = "application/x-www-form-urlencoded"
		admin := func(method, target, body string) map[string]any {
			return w.call(t, w.Admin, method, target, form, body)
		}

		made := admin("POST", "/users/create", "userName=erin&userPassword="+password+"&tenantId=-1&queue=&email=e@example.org&phone=13800138000&state=1")
		require.InDelta(t, 0, made["code"], 0, made["msg"])
		data := made["data"].(map[string]any)
		require.Len(t, data, 15)
		require.Nil(t, data["userPassword"])
		require.InDelta(t, -1, data["tenantId"], 0)
		require.Equal(t, "default", data["tenantCode"])
		require.Equal(t, "+8613800138000", data["phone"])
		id := fmt.Sprintf("%.0f", data["id"])

		for body, code := range map[string]float64{
			"userName=erin&userPassword=" + password + "&tenantId=-1&email=e@example.org":  10003,
			"userName=e2e&userPassword=x&tenantId=-1&email=e@example.org":                  1300017,
			"userName=e2e&userPassword=" + password + "&tenantId=4711&email=e@example.org": 10017,
			"userName=e2e&userPassword=" + password + "&tenantId=-1&email=nonsense":        10001,
			"userName=e2e&userPassword=" + password + "&tenantId=-1":                       10090,
		} {
			require.InDelta(t, code, admin("POST", "/users/create", body)["code"], 0, body)
		}
		require.InDelta(t, 3, admin("GET", "/users/list-paging?pageNo=1&pageSize=10&searchVal=", "")["data"].(map[string]any)["total"], 0)
		require.Len(t, admin("GET", "/users/list", "")["data"], 2, "general users only")
		require.Len(t, admin("GET", "/users/list-all", "")["data"], 3)
		require.InDelta(t, 10003, admin("GET", "/users/verify-user-name?userName=erin", "")["code"], 0)
		require.InDelta(t, 0, admin("GET", "/users/verify-user-name?userName=frank", "")["code"], 0)

		require.InDelta(t, 0, admin("POST", "/users/update", "id="+id+"&userName=erin2&userPassword=&tenantId=-1&email=e2@example.org&state=0")["code"], 0)
		require.Len(t, admin("GET", "/users/list-all", "")["data"], 2, "she is disabled")
		require.InDelta(t, 0, admin("POST", "/users/activate", "userName=erin2")["code"], 0)
		require.InDelta(t, 10001, admin("POST", "/users/activate", "userName=erin2")["code"], 0, "she is enabled already")
		require.InDelta(t, 10001, admin("POST", "/users/activate", "userName=e")["code"], 0, "that is no name")
		require.InDelta(t, 10010, admin("POST", "/users/activate", "userName=nobody")["code"], 0)
		require.InDelta(t, 0, admin("POST", "/users/update", "id="+id+"&userName=erin2&userPassword=&tenantId=-1&email=e2@example.org&state=0")["code"], 0)
		batch := w.call(t, w.Admin, "POST", "/users/batch/activate", "application/json", `["erin2","nobody"]`)["data"].(map[string]any)
		require.InDelta(t, 1, batch["success"].(map[string]any)["sum"], 0)
		require.InDelta(t, 1, batch["failed"].(map[string]any)["sum"], 0)
		require.InDelta(t, 130020, admin("POST", "/users/update", fmt.Sprintf("id=%d&userName=admin&userPassword=&tenantId=-1&email=a@example.org&state=0", w.Admin.UserID))["code"], 0)

		general := func(method, target, body string) map[string]any {
			return w.call(t, w.General, method, target, form, body)
		}
		info := general("GET", "/users/get-user-info", "")["data"].(map[string]any)
		require.Equal(t, "gwen", info["userName"])
		require.Equal(t, "UTC", info["timeZone"])
		limited := w.General
		limited.Scope = []string{"project:7"}
		require.InDelta(t, 0, w.call(t, limited, "GET", "/users/get-user-info", form, "")["code"], 0, "whose a token is it may know, however limited")
		self := fmt.Sprintf("id=%d&userName=gwen&tenantId=-1&queue=", w.General.UserID)
		require.InDelta(t, 0, general("POST", "/users/update", self+"&userPassword=&email=new@example.org&timeZone=Asia/Shanghai")["code"], 0)
		require.InDelta(t, 130031, general("POST", "/users/update", self+"&userPassword=&email=new@example.org&timeZone=Mars/Base")["code"], 0)
		require.InDelta(t, 10001, general("POST", "/users/update", self+"&userPassword=other-Passw0rd&email=new@example.org")["code"], 0, "needs the current password")
		require.InDelta(t, 30001, general("POST", "/users/update", "id="+id+"&userName=x&userPassword=&tenantId=-1&email=e@example.org")["code"], 0)
		require.InDelta(t, 30001, general("POST", "/users/delete", "id="+id)["code"], 0)
		require.InDelta(t, 30001, general("POST", "/users/activate", "userName=erin2")["code"], 0)
		require.InDelta(t, 10003, general("GET", "/users/verify-user-name?userName=ERIN2", "")["code"], 0, "whatever the case")
		require.InDelta(t, 30001, admin("POST", "/users/register", "userName=eve&userPassword="+password+"&repeatPassword="+password+"&email=e@example.org")["code"], 0, "nobody may")
		require.InDelta(t, 30001, general("GET", "/users/list-paging?pageNo=1&pageSize=10", "")["code"], 0)

		require.InDelta(t, 0, admin("POST", "/users/delete", "id="+id)["code"], 0)
		require.InDelta(t, 10010, admin("POST", "/users/delete", "id="+id)["code"], 0)
	})
}

func TestWhoRegistersWaitsForAnAdministrator(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := openWith(t, d, true)
		const form = "application/x-www-form-urlencoded"
		nobody := func(body string) map[string]any {
			return w.call(t, access.Principal{}, "POST", "/users/register", form, body)
		}
		eve := "userName=eve&userPassword=" + password + "&repeatPassword=" + password + "&email=eve@example.org"
		made := nobody(eve)
		require.InDelta(t, 0, made["code"], 0, made["msg"])
		data := made["data"].(map[string]any)
		require.Len(t, data, 15)
		require.InDelta(t, 0, data["state"], 0)
		require.InDelta(t, -1, data["tenantId"], 0)
		require.Equal(t, "GENERAL_USER", data["userType"])
		require.Nil(t, data["userPassword"])
		for body, code := range map[string]float64{
			eve: 10003,
			"userName=dan&userPassword=" + password + "&repeatPassword=other&email=d@example.org":                       10001,
			"userName=dan&userPassword=short&repeatPassword=short&email=d@example.org":                                  1300017,
			"userName=dan&userPassword=" + password + "&repeatPassword=" + password + "&email=nonsense":                 10001,
			"userName=dan&userPassword=" + password + "&repeatPassword=" + password + "&email=d@example.org&userType=0": 0,
			"userName=eva&userPassword=" + password + "&email=d@example.org":                                            10090,
		} {
			require.InDelta(t, code, nobody(body)["code"], 0, body)
		}
		_, err := w.identity.SignIn(t.Context(), identity.Credentials{Name: "eve", Password: password})
		require.ErrorIs(t, err, identity.ErrDisabled)
		require.InDelta(t, 0, w.call(t, w.Admin, "POST", "/users/activate", form, "userName=eve")["code"], 0)
		in, err := w.identity.SignIn(t.Context(), identity.Credentials{Name: "eve", Password: password})
		require.NoError(t, err)
		require.False(t, in.User.Admin(), "whatever was sent along")
		for i := range 20 {
			if made = nobody(fmt.Sprintf("userName=many%d&userPassword=%s&repeatPassword=%s&email=m@example.org", i, password, password)); made["code"].(float64) != 0 {
				break
			}
		}
		require.InDelta(t, 10090, made["code"], 0, "nobody fills the list of users")
	})
}

func TestAdministratorsSeeAndEndWhatActsForAUser(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		system := access.WithPrincipal(t.Context(), access.System())
		erin, err := w.identity.Create(system, identity.Draft{Name: "erin", Password: password, Email: "e@example.org", Enabled: true})
		require.NoError(t, err)
		in, err := w.identity.SignIn(t.Context(), identity.Credentials{Name: "erin", Password: password, Client: "192.0.2.7", UserAgent: "Agent/1"})
		require.NoError(t, err)
		_, token, err := w.identity.CreateToken(system, identity.TokenDraft{UserID: erin.ID, Name: "nightly", ExpiresAt: time.Now().Add(time.Hour), Scope: identity.ReadOnly()})
		require.NoError(t, err)
		for range 3 {
			_, err = w.identity.SignIn(t.Context(), identity.Credentials{Name: "erin", Password: "wrong", Client: "192.0.2.9"})
			require.ErrorIs(t, err, identity.ErrCredentials)
		}

		path := fmt.Sprintf("%s/%d", user.Path, erin.ID)
		all := w.Browser(t, w.users.Routes)
		admin, general := all.As(crudtest.As(w.Admin)), all.As(crudtest.As(w.General))
		page := admin.Get(path).Require(http.StatusOK)
		for _, text := range []string{"192.0.2.7", "Agent/1", "nightly", "*.read", "3 failed sign-ins"} {
			require.Contains(t, page.Text("main"), text)
		}
		general.Get(path).Require(http.StatusForbidden)
		_, err = w.identity.SessionsOf(access.WithPrincipal(t.Context(), w.General), erin.ID)
		require.ErrorIs(t, err, access.ErrDenied)
		session := page.Attr("form:has([data-test='session.end'])", "action")
		for _, deed := range []string{path + "/activate", path + "/unlock", path + "/sessions/end", session, path + "/tokens/end"} {
			general.Post(deed).Require(http.StatusForbidden)
		}
		_, err = w.identity.Authenticate(t.Context(), in.Secret.Reveal())
		require.NoError(t, err)

		admin.Post(fmt.Sprintf("%s/%d/sessions/%s/end", user.Path, w.General.UserID, session[strings.LastIndex(session, "sessions/")+9:strings.LastIndex(session, "/")])).Require(http.StatusNotFound)
		admin.Post(path + "/unlock").Require(http.StatusSeeOther)
		require.NotContains(t, admin.Get(path).Text("main"), "failed sign-ins")
		admin.Post(session).Require(http.StatusSeeOther)
		_, err = w.identity.Authenticate(t.Context(), in.Secret.Reveal())
		require.ErrorIs(t, err, access.ErrUnauthenticated)
		admin.Post(path + "/tokens/end").Require(http.StatusSeeOther)
		_, err = w.identity.AuthenticateToken(t.Context(), token.Reveal())
		require.ErrorIs(t, err, access.ErrUnauthenticated)

		require.NoError(t, w.identity.SetEnabled(system, erin.ID, false))
		require.True(t, admin.Get(path).Has("[data-test='user.activate']"))
		admin.Post(path + "/activate").Require(http.StatusSeeOther)
		_, err = w.identity.SignIn(t.Context(), identity.Credentials{Name: "erin", Password: password})
		require.NoError(t, err)
	})
}

func TestAServiceAccountIsMadeWithoutAPassword(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b := w.Browser(t, w.users.Routes).As(crudtest.As(w.Admin))
	b.Post(user.Path, "name", "etl-bot", "source", "SERVICE", "password", password, "enabled", "true").Require(http.StatusUnprocessableEntity)
	b.Post(user.Path, "name", "etl-bot", "source", "SERVICE", "enabled", "true").Require(http.StatusSeeOther)
	bot, err := w.identity.Find(access.WithPrincipal(t.Context(), access.System()), "etl-bot")
	require.NoError(t, err)
	require.True(t, bot.Service)
	list := b.Get(user.Path + "?source=SERVICE")
	require.Contains(t, list.Text("tbody"), "etl-bot")
	require.NotContains(t, list.Text("tbody"), "gwen")
	path := fmt.Sprintf("%s/%d", user.Path, bot.ID)
	form := b.Get(path + "/edit")
	require.False(t, form.Has("[name=password]"))
	b.Post(path, "name", "etl-bot2", "source", "SERVICE", "enabled", "true", "type", "GENERAL_USER", "updated_at", form.Value("updated_at")).Require(http.StatusSeeOther)
	b.Post(path + "/link").Require(http.StatusConflict)
	rows := w.call(t, w.Admin, "GET", "/users/list-paging?pageNo=1&pageSize=10&searchVal=etl", "", "")["data"].(map[string]any)["totalList"].([]any)
	require.Len(t, rows[0].(map[string]any), 15, "clients see an ordinary user")
}

func TestAlertGroupsHaveNoUsersOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	admin, general := crudtest.REST(t, w.App, w.Admin, w.users.API), crudtest.REST(t, w.App, w.General, w.users.API)
	require.Empty(t, admin("GET", "/users/authed-user?alertgroupId=1", "")["data"])
	others := admin("GET", "/users/unauth-user?alertgroupId=1", "")["data"].([]any)
	require.Len(t, others, 1)
	require.Equal(t, "gwen", others[0].(map[string]any)["userName"])
	for _, path := range []string{"/users/authed-user", "/users/unauth-user"} {
		require.InDelta(t, 30001, general("GET", path+"?alertgroupId=1", "")["code"], 0, path)
		require.NotEqual(t, float64(0), admin("GET", path, "")["code"], path)
	}
}
