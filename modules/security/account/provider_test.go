package account_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/identity"
	"dorado/modules/identity/directory"
	"dorado/modules/identity/directory/directorytest"
	"dorado/modules/identity/openid"
	"dorado/modules/identity/openid/openidtest"
	"dorado/modules/security/account"
)

// trusting is a world whose sign-in page has the button of a provider.
func trusting(t *testing.T, d *db.DB, p *openidtest.Provider) world {
	t.Helper()
	cfg := p.Config()
	cfg.Label = "Example ID"
	client, err := openid.Open(cfg, address+account.ProviderReturnPath, time.Now)
	require.NoError(t, err)
	return openWith(t, d, func(deps *identity.Deps) { deps.Provider = client })
}

// local is the part of an address that the tests' browser can open.
func local(u *url.URL) string { return u.RequestURI() }

func TestTheButtonLeadsToTheProviderAndBackToWhereOneWas(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := openidtest.Start(t, time.Now)
		p.Person(map[string]any{"sub": "7", "preferred_username": "mei", "email": "mei@example.org", "email_verified": true})
		b := trusting(t, d, p).browser(t)
		page := b.Get("/login?next=/profile")
		require.Contains(t, page.Text("[data-test='login.provider']"), "Example ID")
		leave := b.Get(page.Attr("[data-test='login.provider']", "href")).Require(http.StatusSeeOther)
		set := leave.Header.Get("Set-Cookie")
		require.Contains(t, set, "HttpOnly")
		require.Contains(t, set, "SameSite=Lax", "it must come along from the provider")
		require.Contains(t, set, "Path=/login/oidc/callback")
		to, err := url.Parse(leave.Header.Get("Location"))
		require.NoError(t, err)
		require.Equal(t, address+"/login/oidc/callback", to.Query().Get("redirect_uri"))
		require.Equal(t, "S256", to.Query().Get("code_challenge_method"))
		require.NotContains(t, to.RawQuery, openidtest.ClientSecret)

		back := local(p.Visit(t, to.String()))
		arrived := b.Get(back).Require(http.StatusSeeOther)
		require.Equal(t, "/profile", arrived.Header.Get("Location"))
		require.NotContains(t, arrived.Header.Get("Location"), "session")
		profile := b.Get("/profile").Require(http.StatusOK)
		require.Contains(t, profile.Text("main"), "mei@example.org")
		require.Contains(t, profile.Text("main"), "OpenID Connect")
		require.Contains(t, b.Get("/password").Require(http.StatusOK).Text("main"), "another provider")
		require.False(t, b.Get("/password").Has("[name=current]"))
		require.Equal(t, "/home", b.Get("/login/oidc").Require(http.StatusSeeOther).Header.Get("Location"), "who is in needs no provider")
		b.Post("/logout").Require(http.StatusSeeOther)
		b.Get("/home").Require(http.StatusSeeOther)
		again := b.Get(back).Require(http.StatusForbidden)
		require.NotEmpty(t, again.Text("[role=alert]"), "an answer is used once")
		require.True(t, again.Has("[data-test='login.provider']"))
	})
}

func TestAnAnswerForAnotherBrowserSignsNobodyIn(t *testing.T) {
	t.Parallel()
	p := openidtest.Start(t, time.Now)
	p.Person(map[string]any{"sub": "7", "preferred_username": "mallory", "email": "m@example.org", "email_verified": true})
	w := trusting(t, dbtest.SQLite(t), p)
	mallory, victim := w.browser(t), w.browser(t)
	back := local(p.Visit(t, mallory.Get("/login/oidc").Header.Get("Location")))
	refused := victim.Get(back).Require(http.StatusForbidden)
	require.NotContains(t, strings.Join(refused.Header.Values("Set-Cookie"), " "), "sessionId=")
	victim.Get("/home").Require(http.StatusSeeOther)
	mallory.Get(back).Require(http.StatusSeeOther)
	for _, path := range []string{"", "?state=x", "?code=x", "?state=x&code=x", "?error=access_denied&error_description=<script>", "?state=%00&code=%ff"} {
		page := victim.Get("/login/oidc/callback" + path).Require(http.StatusForbidden)
		require.NotContains(t, page.Body, "<script>access")
	}
	require.Regexp(t, `\p{Han}`, victim.In("zh-CN").Get("/login/oidc/callback").Text("[role=alert]"))
}

func TestTheWayBackFromTheProviderNeverLeadsToAnotherSite(t *testing.T) {
	t.Parallel()
	p := openidtest.Start(t, time.Now)
	p.Person(map[string]any{"sub": "7", "preferred_username": "mei", "email": "mei@example.org", "email_verified": true})
	w := trusting(t, dbtest.SQLite(t), p)
	for _, next := range []string{"https://evil.example", "//evil.example", `/\evil.example`, "javascript:alert(1)"} {
		b := w.browser(t)
		back := local(p.Visit(t, b.Get("/login/oidc?next="+url.QueryEscape(next)).Header.Get("Location")))
		require.Equal(t, "/home", b.Get(back).Header.Get("Location"), next)
	}
	b := w.browser(t)
	back := local(p.Visit(t, b.Get("/login/oidc?next=/about").Header.Get("Location")))
	require.Equal(t, "/about", b.Get(back+"&next=//evil.example").Header.Get("Location"), "the answer has no say in it")
}

func TestClientsLearnOfTheProvider(t *testing.T) {
	t.Parallel()
	none := open(t, dbtest.SQLite(t))
	require.Contains(t, none.rest(t, "GET", "/login/sso", "").Body.String(), `"data":null`)
	require.Contains(t, none.rest(t, "GET", "/oauth2-provider", "").Body.String(), `"data":[]`)
	require.Equal(t, "/login?authType=oauth2&error=state", none.rest(t, "GET", "/redirect/login/oauth2?code=x&provider=y&state=z", "").Header().Get("Location"))

	p := openidtest.Start(t, time.Now)
	p.Person(map[string]any{"sub": "7", "preferred_username": "mei", "email": "mei@example.org", "email_verified": true})
	w := trusting(t, dbtest.SQLite(t), p)
	require.Contains(t, w.rest(t, "GET", "/login/sso", "").Body.String(), `"data":"`+address+`/login/oidc"`)
	var answer struct{ Data []map[string]any }
	require.NoError(t, json.Unmarshal(w.rest(t, "GET", "/oauth2-provider", "").Body.Bytes(), &answer))
	require.Equal(t, []map[string]any{{
		"authorizationUri": address + "/login/oidc", "redirectUri": address + "/login/oidc/callback", "clientId": openidtest.ClientID,
		"provider": "Example ID", "clientSecret": nil, "tokenUri": nil, "userInfoUri": nil, "callbackUrl": nil, "iconUri": nil,
	}}, answer.Data)
	require.Contains(t, w.rest(t, "GET", "/redirect/login/oauth2?provider=x", "").Body.String(), `"code":10000`)
	blind := w.rest(t, "GET", "/redirect/login/oauth2?code=x&provider=y", "")
	require.Equal(t, http.StatusFound, blind.Code)
	require.Equal(t, "/login?authType=oauth2&error=state", blind.Header().Get("Location"), "without a state nobody knows whose sign-in it is")

	b := w.browser(t)
	back := p.Visit(t, b.Get("/login/oidc").Header.Get("Location"))
	on := w.rest(t, "GET", "/redirect/login/oauth2?provider=x&"+back.RawQuery, "").Header().Get("Location")
	require.Equal(t, "/home", b.Get(on).Require(http.StatusSeeOther).Header.Get("Location"))
}

func TestClientsSignInWithThePasswordOfTheDirectory(t *testing.T) {
	t.Parallel()
	client, err := directory.Open(directorytest.Start(t).Config())
	require.NoError(t, err)
	w := openWith(t, dbtest.SQLite(t), func(d *identity.Deps) { d.Directory = client })
	res := w.rest(t, "POST", "/login", "userName=ann&userPassword="+directorytest.Password)
	require.Contains(t, res.Body.String(), `"securityConfigType":"LDAP"`)
	require.Contains(t, strings.Join(res.Header().Values("Set-Cookie"), " "), "securityConfigType=LDAP")
	require.Contains(t, w.rest(t, "POST", "/login", "userName=erin&userPassword="+password).Body.String(), `"securityConfigType":"PASSWORD"`)
	require.Contains(t, w.rest(t, "POST", "/login", "userName=ann&userPassword=wrong").Body.String(), `"code":10013`)

	b := w.browser(t)
	require.Contains(t, b.Get("/login").Text("main"), "directory")
	b.Post("/login", "username", "bob", "password", directorytest.Password).Require(http.StatusSeeOther)
	require.Contains(t, b.Get("/profile").Text("main"), "Directory (LDAP)")
	require.Contains(t, b.Get("/password").Require(http.StatusOK).Text("main"), "directory")
	b.Post("/password", "current", directorytest.Password, "password", "my-own-choice-1", "repeat", "my-own-choice-1").Require(http.StatusConflict)
	_, err = w.identity.SignIn(t.Context(), identity.Credentials{Name: "bob", Password: secret.String("my-own-choice-1")})
	require.ErrorIs(t, err, identity.ErrCredentials)
}

func TestTheOwnTokensStandBesideTheOwnSessions(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	system := access.WithPrincipal(t.Context(), access.System())
	u, err := w.identity.Find(system, "erin")
	require.NoError(t, err)
	_, value, err := w.identity.CreateToken(system, identity.TokenDraft{UserID: u.ID, Name: "nightly", ExpiresAt: time.Now().Add(time.Hour), Scope: identity.ReadOnly()})
	require.NoError(t, err)
	b := w.browser(t)
	signIn(t, b)
	page := b.Get("/profile")
	require.Contains(t, page.Text("#tokens"), "nightly")
	require.Contains(t, page.Text("#tokens"), "*.read")
	require.NotContains(t, page.Body, value.Reveal())
	require.Contains(t, page.Text("#sessions"), "Password")
	require.Equal(t, "erin", w.rest(t, "GET", "/who", "", "token", value.Reveal()).Body.String())
	require.NoError(t, w.identity.Delete(system, u.ID))
	require.Equal(t, http.StatusUnauthorized, w.rest(t, "GET", "/who", "", "token", value.Reveal()).Code, "with its user a token is gone, at once")
}
