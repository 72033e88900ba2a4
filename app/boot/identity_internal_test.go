package boot

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/config"
	"dorado/modules/engine"
	"dorado/modules/identity/directory/directorytest"
	"dorado/modules/identity/openid/openidtest"
)

// TestTheConfiguredWaysToSignInWork goes from the configuration to the answer: directory, provider, policy, registration.
func TestTheConfiguredWaysToSignInWork(t *testing.T) {
	t.Parallel()
	ldap, provider := directorytest.Start(t).Config(), openidtest.Start(t, time.Now)
	provider.Person(map[string]any{"sub": "7", "preferred_username": "mei", "email": "mei@example.org", "email_verified": true})
	cfg, err := config.Load(config.Source{Flags: map[string]string{
		"data": filepath.Join(t.TempDir(), "data"), "public-url": "https://dorado.example.org/",
		"identity.registration": "true", "identity.password.min-length": "12",
		"identity.ldap.urls": ldap.URLs[0], "identity.ldap.ca-file": ldap.CAFile, "identity.ldap.base-dn": ldap.BaseDN,
		"identity.ldap.bind-dn": ldap.BindDN, "identity.ldap.bind-password": ldap.BindPassword.Reveal(),
		"identity.oidc.issuer": provider.URL, "identity.oidc.insecure": "true", "identity.oidc.client-id": openidtest.ClientID,
		"identity.oidc.client-secret": openidtest.ClientSecret, "identity.oidc.label": "Example ID",
	}})
	require.NoError(t, err)
	text, err := cfg.Print()
	require.NoError(t, err)
	require.NotContains(t, text, openidtest.ClientSecret)
	require.NotContains(t, text, ldap.BindPassword.Reveal())

	logger := slog.New(slog.DiscardHandler)
	c, err := open(t.Context(), cfg, logger)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.close()) })
	m, err := newModules(t.Context(), c, engine.New(cfg.Master, engine.Deps{DB: c.db, Logger: logger, Now: time.Now, Metrics: c.metrics}))
	require.NoError(t, err)
	handler := m.handler(c)
	call := func(method, target, body string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, cookie := range cookies {
			r.AddCookie(cookie)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}

	require.Contains(t, call("POST", apiPath+"/login", "userName=ann&userPassword="+directorytest.Password).Body.String(), `"securityConfigType":"LDAP"`)
	require.Contains(t, call("GET", "/login", "").Body.String(), "Example ID")
	leave := call("GET", "/login/oidc?next=/profile", "")
	require.Equal(t, http.StatusSeeOther, leave.Code)
	back := provider.Visit(t, leave.Header().Get("Location"))
	require.Equal(t, "https://dorado.example.org/login/oidc/callback", back.Scheme+"://"+back.Host+back.Path)
	arrived := call("GET", back.RequestURI(), "", leave.Result().Cookies()...)
	require.Equal(t, "/profile", arrived.Header().Get("Location"), arrived.Body.String())
	require.Contains(t, call("GET", "/profile", "", arrived.Result().Cookies()...).Body.String(), "mei@example.org")

	register := "userName=rita&email=r@example.org&userPassword=PASSWORD&repeatPassword=PASSWORD"
	require.Contains(t, call("POST", apiPath+"/users/register", strings.ReplaceAll(register, "PASSWORD", "short-one-1")).Body.String(), `"code":1300017`)
	require.Contains(t, call("POST", apiPath+"/users/register", strings.ReplaceAll(register, "PASSWORD", "a-longer-one-1")).Body.String(), `"code":0`)
	for _, path := range []string{"/users/list-paging?pageNo=1&pageSize=10", "/users/get-user-info", "/access-tokens?pageNo=1&pageSize=10"} {
		require.Equal(t, http.StatusUnauthorized, call("GET", apiPath+path, "").Code, path)
	}
}
