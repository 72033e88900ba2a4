//go:build e2e

package e2e

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
	"dorado/e2e/harness/browser"
)

// idProvider is an OpenID Connect provider on another site than the product, with a page on which one person agrees.
type idProvider struct {
	url string
	key *rsa.PrivateKey

	mu    sync.Mutex
	nonce map[string]string // by code
}

func startIDProvider(t *testing.T) *idProvider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	p := &idProvider{key: key, nonce: map[string]string{}}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, value any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(value)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": p.url, "authorization_endpoint": p.url + "/authorize", "token_endpoint": p.url + "/token", "jwks_uri": p.url + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1", "n": raw64(key.N.Bytes()), "e": raw64(big.NewInt(int64(key.E)).Bytes()),
		}}})
	})
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(`<title>Example ID</title><form method="post" action="/agree"><input type="hidden" name="q" value="` +
			html.EscapeString(r.URL.RawQuery) + `"><button data-test="agree">It is me</button></form>`))
	})
	mux.HandleFunc("POST /agree", func(w http.ResponseWriter, r *http.Request) {
		q, _ := url.ParseQuery(r.FormValue("q"))
		code := q.Get("code_challenge")
		p.mu.Lock()
		p.nonce[code] = q.Get("nonce")
		p.mu.Unlock()
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		code := r.FormValue("code")
		p.mu.Lock()
		nonce, known := p.nonce[code]
		delete(p.nonce, code)
		p.mu.Unlock()
		if !known || code != raw64(sum[:]) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		answer(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": p.sign(t, map[string]any{
			"iss": p.url, "aud": "dorado", "sub": "7", "nonce": nonce, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
			"preferred_username": "mei", "email": "mei@example.org", "email_verified": true,
		})})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.url = strings.Replace(server.URL, "127.0.0.1", "localhost", 1) // for browsers another site than 127.0.0.1
	return p
}

func raw64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (p *idProvider) sign(t *testing.T, claims map[string]any) string {
	t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Error(err)
		return ""
	}
	text := raw64([]byte(`{"alg":"RS256","kid":"1"}`)) + "." + raw64(body)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Error(err)
	}
	return text + "." + raw64(signature)
}

func TestABrowserSignsInAtAProviderOnAnotherSite(t *testing.T) {
	t.Parallel()
	provider := startIDProvider(t)
	p := launch(t, harness.Options{Mode: "standalone", AdminPassword: "Sesame-open-1", Env: []string{
		"DORADO_IDENTITY_OIDC_ISSUER=" + provider.url, "DORADO_IDENTITY_OIDC_INSECURE=true", "DORADO_IDENTITY_OIDC_CLIENT_ID=dorado",
		"DORADO_IDENTITY_OIDC_LABEL=Example ID",
	}})
	ready(t, p)
	for _, look := range []browser.Look{{Language: "en"}, {Language: "zh", Dark: true, Width: 360}} {
		t.Run(look.String(), func(t *testing.T) {
			tab := chromium(t).Tab(t, p.URL, look)
			tab.Goto("/login?next=/profile")
			tab.See(browser.Test("login.provider"), "Example ID")
			tab.Screenshot("login-provider-" + look.String())
			tab.Click(browser.Test("login.provider"))
			tab.Click(browser.Test("agree"))
			tab.WaitPath("/profile")
			tab.WaitText("main", "mei@example.org")
			tab.Screenshot("profile-provider-" + look.String())
			tab.Goto("/projects")
			tab.WaitPath("/projects")
			require.Empty(t, tab.Console())
		})
	}
	var page struct{ Total int }
	admin := signIn(t, p.URL, "admin", "Sesame-open-1")
	require.NoError(t, admin.Call(within(t, time.Minute), http.MethodGet, "/users/list-paging", url.Values{"pageNo": {"1"}, "pageSize": {"10"}, "searchVal": {"mei"}}, &page))
	require.Equal(t, 1, page.Total, "both times it was the same user")
}
