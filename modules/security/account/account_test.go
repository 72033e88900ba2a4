package account_test

import (
	"context"
	"encoding/json"
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
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/app/kit/web/webtest"
	"dorado/modules/access"
	"dorado/modules/identity"
	"dorado/modules/security/account"
	"dorado/modules/security/crudtest"
	"dorado/modules/security/queue"
	"dorado/modules/security/tenant"
)

const password = "s3cret-enough"

type world struct {
	*crudtest.App
	account  *account.Module
	identity *identity.Service
}

func open(t *testing.T, d *db.DB) world {
	t.Helper()
	return openWith(t, d, func(*identity.Deps) {})
}

// address is where the tests' pages are, as far as others are told.
const address = "https://dorado.example.org"

func openWith(t *testing.T, d *db.DB, change func(*identity.Deps)) world {
	t.Helper()
	a := crudtest.NewApp(t, d, queue.Rules(), tenant.Rules(), identity.Rules())
	log := slog.New(slog.DiscardHandler)
	queues := queue.New(queue.Deps{DB: a.DB, Access: a.Access, Audit: a.Audit, Site: a.Site, API: a.API, Frame: a.Frame})
	tenants := tenant.New(tenant.Deps{DB: a.DB, Access: a.Access, Audit: a.Audit, Queues: queues.Service, Site: a.Site, API: a.API, Frame: a.Frame})
	deps := identity.Deps{DB: a.DB, Log: log, Now: time.Now, Access: a.Access, Audit: a.Audit, Tenants: tenants, Cost: identity.Cost{MemoryKiB: 64, Passes: 1}}
	change(&deps)
	ident := identity.New(deps)
	_, err := ident.Create(access.WithPrincipal(t.Context(), access.System()), identity.Draft{Name: "erin", Password: password, Email: "erin@example.org", Enabled: true})
	require.NoError(t, err)
	m := account.New(account.Deps{
		Identity: ident, Access: a.Access, Tenants: tenants.Service, Site: a.Site, API: a.API, Frame: a.Frame, Log: log,
		Build: account.Build{Version: "1.2.3"}, URL: address,
	})
	a.Frame.Add(m.Menu()...)
	return world{a, m, ident}
}

// browser opens the pages as they are mounted in the program, with a page that
// says who is signed in.
func (w world) browser(t *testing.T) *webtest.Browser {
	t.Helper()
	return webtest.Start(t, w.Site, func(r chi.Router) {
		r.Group(func(r chi.Router) {
			r.Use(w.account.Authenticate)
			w.account.Routes(r)
			r.Get("/home", w.Site.Handle(func(r *http.Request) (web.Response, error) {
				p, err := access.Must(r.Context())
				return web.JSON(http.StatusOK, p.Name+" "+i18n.FromContext(r.Context()).Tag()+" "+i18n.Zone(r.Context()).String()+" "+web.Theme(r)), err
			}))
		})
	})
}

func signIn(t *testing.T, b *webtest.Browser) {
	t.Helper()
	b.Post("/login", "username", "erin", "password", password).Require(http.StatusSeeOther)
}

func TestSigningInOpensASessionAndSigningOutEndsIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := open(t, d).browser(t)
		require.Equal(t, "/login?next=%2Fhome", b.Get("/home").Require(http.StatusSeeOther).Header.Get("Location"))
		require.True(t, b.Get("/login?next=/home").Has("form[method=post] input[name=password]"))

		answer := b.Post("/login", "username", "erin", "password", password, "next", "/profile?a=b", "zone", "Asia/Shanghai").Require(http.StatusSeeOther)
		require.Equal(t, "/profile?a=b", answer.Header.Get("Location"))
		set := answer.Header.Get("Set-Cookie")
		require.Contains(t, set, "HttpOnly")
		require.Contains(t, set, "SameSite=Lax")
		require.Equal(t, `"erin en Asia/Shanghai "`, b.Get("/home").Body, "the browser's zone is kept for who had none")
		require.Equal(t, "/home", b.Get("/login").Require(http.StatusSeeOther).Header.Get("Location"), "who is in needs no sign-in page")

		require.Equal(t, "/login", b.Post("/logout").Require(http.StatusSeeOther).Header.Get("Location"))
		b.Get("/home").Require(http.StatusSeeOther)
	})
}

func TestAWrongPasswordSaysNoMoreThanThat(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b := w.browser(t)
	wrong := b.Post("/login", "username", "erin", "password", "wrong", "next", "/profile").Require(http.StatusUnauthorized)
	unknown := b.Post("/login", "username", "nobody", "password", "wrong", "next", "/profile").Require(http.StatusUnauthorized)
	require.Equal(t, wrong.Text("[role=alert]"), unknown.Text("[role=alert]"))
	require.NotEmpty(t, wrong.Text("[role=alert]"))
	require.Equal(t, "erin", wrong.Value("username"))
	require.Empty(t, wrong.Value("password"))
	require.Equal(t, "/profile", wrong.Attr("main form [name=next]", "value"))
	require.Regexp(t, `\p{Han}`, b.In("zh-CN").Post("/login", "username", "erin", "password", "wrong").Text("[role=alert]"))
}

func TestTooManyFailuresAreHeldBack(t *testing.T) {
	t.Parallel()
	b := open(t, dbtest.SQLite(t)).browser(t)
	var status int
	for range 30 {
		if status = b.Post("/login", "username", "erin", "password", "wrong").Status; status == http.StatusTooManyRequests {
			break
		}
	}
	require.Equal(t, http.StatusTooManyRequests, status)
	b.Post("/login", "username", "erin", "password", password).Require(http.StatusTooManyRequests)
}

func TestSigningInNeverLeadsToAnotherSite(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	for _, next := range []string{"https://evil.example", "//evil.example", `/\evil.example`, "javascript:alert(1)"} {
		b := w.browser(t)
		require.Equal(t, "/home", b.Post("/login", "username", "erin", "password", password, "next", next).Header.Get("Location"), next)
		require.Equal(t, "/home", b.Get("/login?next="+url.QueryEscape(next)).Header.Get("Location"), next)
		require.Equal(t, "/home", b.Post("/settings/theme", "theme", "dark", "next", next).Header.Get("Location"), next)
	}
}

func TestASignInLinkAsksForAPasswordAndWorksOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		system := access.WithPrincipal(t.Context(), access.System())
		u, err := w.identity.Find(system, "erin")
		require.NoError(t, err)
		token, err := w.identity.NewLink(system, u.ID)
		require.NoError(t, err)

		b := w.browser(t)
		for range 3 { // programs that preview links do not use it up
			page := b.Get(account.LinkPath(token.Reveal())).Require(http.StatusOK)
			require.Equal(t, token.Reveal(), page.Value("token"))
			require.True(t, page.Has("[data-test='welcome.password']"))
		}
		short := b.Post("/login/link", "token", token.Reveal(), "password", "short", "repeat", "shorter").Require(http.StatusUnprocessableEntity)
		require.NotEmpty(t, short.Text("#f-password-error"))
		require.NotEmpty(t, short.Text("#f-repeat-error"))
		b.Post("/login/link", "token", token.Reveal(), "password", "my-own-choice-1", "repeat", "my-own-choice-1").Require(http.StatusSeeOther)
		b.Get("/home").Require(http.StatusOK)

		again := w.browser(t).Post("/login/link", "token", token.Reveal(), "password", "my-own-choice-2", "repeat", "my-own-choice-2").Require(http.StatusForbidden)
		require.True(t, again.Has(`a[href="/login"]`))
		fresh := w.browser(t)
		fresh.Post("/login", "username", "erin", "password", password).Require(http.StatusUnauthorized)
		fresh.Post("/login", "username", "erin", "password", "my-own-choice-1").Require(http.StatusSeeOther)
	})
}

func TestWhoMustChooseAPasswordReachesNothingElse(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	_, err := w.identity.Create(access.WithPrincipal(t.Context(), access.System()),
		identity.Draft{Name: "frank", Password: password, Email: "f@example.org", Enabled: true, MustChangePassword: true})
	require.NoError(t, err)
	b := w.browser(t)
	require.Equal(t, "/password?next=%2Fhome", b.Post("/login", "username", "frank", "password", password).Header.Get("Location"))
	for _, path := range []string{"/home", "/profile", "/settings", "/about"} {
		require.Equal(t, "/password", b.Get(path).Require(http.StatusSeeOther).Header.Get("Location"), path)
	}
	b.Post("/profile", "email", "x@example.org").Require(http.StatusSeeOther)
	for _, part := range []*webtest.Page{b.Part("/home", "main"), b.PostPart("/profile", "form-body", "email", "x@example.org")} {
		part.Require(http.StatusForbidden)
		require.Empty(t, part.Header.Get("HX-Redirect"), "a page that holds what somebody typed is not replaced for a part of it")
	}
	form := b.Get("/password?next=/profile").Require(http.StatusOK)
	require.False(t, form.Has("[name=current]"), "there is no current one to ask for")
	require.Equal(t, "/profile", form.Attr("main [name=next]", "value"))
	b.Post("/password", "password", password, "repeat", password).Require(http.StatusUnprocessableEntity)
	require.Equal(t, "/profile", b.Post("/password", "password", "my-own-choice-1", "repeat", "my-own-choice-1", "next", "/profile").Require(http.StatusSeeOther).Header.Get("Location"))
	b.Get("/home").Require(http.StatusOK)
}

func TestThePageThatDemandsAPasswordOffersAndLoadsNothingElse(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	w.Frame.SetSearch("/search")
	w.Frame.SetAttention("/attention")
	_, err := w.identity.Create(access.WithPrincipal(t.Context(), access.System()),
		identity.Draft{Name: "frank", Password: password, Email: "f@example.org", Enabled: true, MustChangePassword: true})
	require.NoError(t, err)
	b := w.browser(t)
	b.Post("/login", "username", "frank", "password", password).Require(http.StatusSeeOther)
	const search, bell, links, loads = "[data-test='shell.search']", "[data-test='shell.attention']", ".account-menu a", "[hx-get]"
	page := b.Get("/password").Require(http.StatusOK)
	for _, what := range []string{search, bell, links, loads} {
		require.False(t, page.Has(what), what)
	}
	require.True(t, page.Has("[data-test='shell.logout']"))
	b.Post("/password", "password", "my-own-choice-1", "repeat", "my-own-choice-1").Require(http.StatusSeeOther)
	page = b.Get("/password").Require(http.StatusOK)
	for _, what := range []string{search, bell, links, loads} {
		require.True(t, page.Has(what), what)
	}
}

func TestChangingThePasswordAsksForTheCurrentOneAndEndsOtherSessions(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b, other := w.browser(t), w.browser(t)
	signIn(t, b)
	signIn(t, other)
	bad := b.Post("/password", "current", "wrong", "password", "my-own-choice-1", "repeat", "my-own-choice-1").Require(http.StatusUnprocessableEntity)
	require.NotEmpty(t, bad.Text("#f-current-error"))
	require.NotContains(t, bad.Body, "my-own-choice-1", "passwords are not sent back")
	b.Post("/password", "current", password, "password", "my-own-choice-1", "repeat", "other").Require(http.StatusUnprocessableEntity)
	b.Post("/password", "current", password, "password", "my-own-choice-1", "repeat", "my-own-choice-1").Require(http.StatusSeeOther)
	b.Get("/home").Require(http.StatusOK)
	other.Get("/home").Require(http.StatusSeeOther)
}

func TestProfileAndSessionsAreOnesOwn(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b, other := w.browser(t), w.browser(t).With("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
	signIn(t, b)
	signIn(t, other)
	page := b.Get("/profile").Require(http.StatusOK)
	require.Contains(t, page.Text("main"), "erin@example.org")
	require.Contains(t, page.Text("main"), "Firefox · Linux")
	require.Equal(t, 1, page.Count("[data-test='session.end']"), "one does not end the session one is in")

	b.Post("/profile", "email", "nonsense", "phone", "12").Require(http.StatusUnprocessableEntity)
	b.Post("/profile", "email", "new@example.org", "phone", "+4930123456").Require(http.StatusSeeOther)
	require.Contains(t, b.Get("/profile").Text("main"), "new@example.org")

	b.Post(page.Attr("form:has([data-test='session.end'])", "action")).Require(http.StatusSeeOther)
	other.Get("/home").Require(http.StatusSeeOther)
	b.Get("/home").Require(http.StatusOK)
	b.Post("/profile/sessions/unknown/end").Require(http.StatusNotFound)
	b.Post("/profile/sessions/end").Require(http.StatusSeeOther)
	b.Get("/home").Require(http.StatusOK)
}

func TestSettingsShapePagesAndFollowTheUser(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b := w.browser(t)
	require.Equal(t, "/login", b.Post("/settings/language", "locale", "zh", "next", "/login").Require(http.StatusSeeOther).Header.Get("Location"))
	require.Equal(t, "zh-CN", b.Get("/login").Attr("html", "lang"), "before signing in the browser remembers")
	require.Equal(t, "dark", func() string {
		b.Post("/settings/theme", "theme", "dark", "next", "/login")
		return b.Get("/login").Attr("html", "data-theme")
	}())

	signIn(t, b)
	b.Post("/settings", "theme", "light", "locale", "en", "zone", "Europe/Paris", "page_size", "30").Require(http.StatusSeeOther)
	require.Equal(t, `"erin en Europe/Paris light"`, b.Get("/home").Body)
	elsewhere := w.browser(t).In("zh-CN")
	signIn(t, elsewhere)
	require.Equal(t, `"erin en Europe/Paris light"`, elsewhere.Get("/home").Body, "settings follow the user")

	bad := b.Post("/settings", "theme", "pink", "locale", "fr", "zone", "Mars/Base", "page_size", "7").Require(http.StatusUnprocessableEntity)
	require.NotEmpty(t, bad.Text("#f-zone-error"))
	require.Equal(t, "Mars/Base", bad.Value("zone"))
	require.Equal(t, "30", b.Get("/settings").Value("page_size"))
	b.Post("/settings/theme", "theme", "dark").Require(http.StatusSeeOther)
	require.Equal(t, `"erin en Europe/Paris dark"`, b.Get("/home").Body)
	require.Contains(t, b.Get("/about").Text("main"), "1.2.3")
}

// rest calls the REST interface with headers (alternating names and values).
func (w world) rest(t *testing.T, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	h := w.API.Router(w.account.AuthenticateREST, w.account.API, func(r chi.Router) {
		r.Get("/who", func(rw http.ResponseWriter, r *http.Request) {
			p, _ := access.From(r.Context())
			_, _ = rw.Write([]byte(p.Name))
		})
	})
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

func TestClientsSignInWithASessionOrAToken(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		res := w.rest(t, "POST", "/login", "?&userName=erin&userPassword="+password)
		var answer struct {
			Code int
			Msg  string
			Data struct{ SessionID, SecurityConfigType string }
		}
		require.NoError(t, json.Unmarshal(res.Body.Bytes(), &answer))
		require.Equal(t, 0, answer.Code)
		require.Equal(t, "login success", answer.Msg)
		require.Equal(t, "PASSWORD", answer.Data.SecurityConfigType)
		session := answer.Data.SessionID
		require.Contains(t, strings.Join(res.Header().Values("Set-Cookie"), " "), "sessionId="+session)

		require.Equal(t, "erin", w.rest(t, "GET", "/who", "", "sessionId", session).Body.String())
		require.Equal(t, "erin", w.rest(t, "GET", "/who", "", "Cookie", "sessionId="+session).Body.String())
		second := w.rest(t, "POST", "/login", "userName=erin&userPassword="+password)
		require.Equal(t, http.StatusOK, second.Code)
		require.Equal(t, "erin", w.rest(t, "GET", "/who", "", "sessionId", session).Body.String(), "another sign-in leaves this one alone")

		ctx := access.WithPrincipal(t.Context(), access.System())
		u, err := w.identity.Find(ctx, "erin")
		require.NoError(t, err)
		_, token, err := w.identity.CreateToken(ctx, identity.TokenDraft{UserID: u.ID, ExpiresAt: time.Now().Add(time.Hour)})
		require.NoError(t, err)
		require.Equal(t, "erin", w.rest(t, "GET", "/who", "", "token", token.Reveal()).Body.String())
		forged := w.rest(t, "GET", "/who", "", "token", "forged", "sessionId", session)
		require.Equal(t, http.StatusUnauthorized, forged.Code, "a token wins over the session")
		require.Empty(t, forged.Body.String())

		require.Contains(t, w.rest(t, "POST", "/login", "userName=erin&userPassword=wrong").Body.String(), `"code":10013`)
		require.Contains(t, w.rest(t, "POST", "/login", "userName=&userPassword=x").Body.String(), `"code":10004`)
		require.Contains(t, w.rest(t, "POST", "/login", "userName=erin").Body.String(), `"code":10043`)
		require.NoError(t, w.identity.SetEnabled(ctx, u.ID, false))
		require.Equal(t, http.StatusUnauthorized, w.rest(t, "GET", "/who", "", "token", token.Reveal()).Code, "a disabled user")
		require.Contains(t, w.rest(t, "POST", "/login", "userName=erin&userPassword="+password).Body.String(), `"code":10148`)
	})
}

func TestSigningOutByRESTEndsEverySession(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b := w.browser(t)
	signIn(t, b)
	in, err := w.identity.SignIn(context.Background(), identity.Credentials{Name: "erin", Password: password})
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, w.rest(t, "POST", "/signOut", "").Code)
	require.Contains(t, w.rest(t, "POST", "/signOut", "", "sessionId", in.Secret.Reveal()).Body.String(), `"code":0`)
	b.Get("/home").Require(http.StatusSeeOther)
	gone := w.rest(t, "DELETE", "/cookies", "", "Cookie", "sessionId=1; language=zh_CN")
	require.Len(t, gone.Header().Values("Set-Cookie"), 2)
}
