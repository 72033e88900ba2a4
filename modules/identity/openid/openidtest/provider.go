package openidtest

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/identity/openid"
)

// The client that the provider knows.
const (
	ClientID     = "dorado"
	ClientSecret = "secret-of-dorado" //nolint:gosec // of a provider that lives as long as a test
)

// Provider is a running provider at which one person is signed in.
type Provider struct {
	URL string

	mu     sync.Mutex
	now    func() time.Time
	key    *rsa.PrivateKey
	person map[string]any              // claims of the ID token
	info   map[string]any              // claims of the user info
	lie    func(claims map[string]any) // changes the ID token before it is signed
	forge  func(token string) string   // changes it afterwards
	codes  map[string]code
	down   bool
	asked  int // tokens
}

type code struct{ nonce, challenge, redirect string }

// Start runs a provider until the test ends.
func Start(t testing.TB, now func() time.Time) *Provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	p := &Provider{now: now, key: key, codes: map[string]code{}, person: map[string]any{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("GET /userinfo", p.userInfo)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		down := p.down
		p.mu.Unlock()
		if down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

// Config asks this provider.
func (p *Provider) Config() openid.Config {
	c := openid.DefaultConfig()
	c.Issuer, c.Insecure, c.ClientID, c.ClientSecret = p.URL, true, ClientID, ClientSecret
	return c
}

// Person makes somebody else be signed in at the provider; claims are those of his ID token.
func (p *Provider) Person(claims map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.person, p.info, p.lie, p.forge = claims, nil, nil, nil
}

// UserInfo sets what the provider tells beside the ID token.
func (p *Provider) UserInfo(claims map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.info = claims
}

// Lie changes the claims of ID tokens before they are signed.
func (p *Provider) Lie(lie func(claims map[string]any)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lie, p.forge = lie, nil
}

// Forge changes ID tokens after they were signed.
func (p *Provider) Forge(forge func(token string) string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lie, p.forge = nil, forge
}

// Down makes the provider answer nothing of use.
func (p *Provider) Down(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// Asked is how many codes were offered for a token.
func (p *Provider) Asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// Visit is what a browser does with the address of Start: it comes back with the address it is sent to.
func (p *Provider) Visit(t testing.TB, address string) *url.URL {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	require.NoError(t, err)
	res, err := client.Do(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusFound, res.StatusCode)
	back, err := res.Location()
	require.NoError(t, err)
	return back
}

func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	send(w, map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
		"userinfo_endpoint": p.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{"RS256"},
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
	})
}

func (p *Provider) keys(w http.ResponseWriter, _ *http.Request) {
	public := p.key.PublicKey
	send(w, map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1", "n": b64(public.N.Bytes()), "e": b64(big.NewInt(int64(public.E)).Bytes()),
	}}})
}

func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("client_id") != ClientID || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("state") == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	name := "code-" + strconv.Itoa(len(p.codes))
	p.codes[name] = code{q.Get("nonce"), q.Get("code_challenge"), q.Get("redirect_uri")}
	back.RawQuery = url.Values{"code": {name}, "state": {q.Get("state")}}.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.FormValue("client_id"), r.FormValue("client_secret")
	}
	c, known := p.codes[r.FormValue("code")]
	delete(p.codes, r.FormValue("code"))
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if !known || id != ClientID || secret != ClientSecret || b64(sum[:]) != c.challenge || r.FormValue("redirect_uri") != c.redirect {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
		return
	}
	claims := map[string]any{
		"iss": p.URL, "aud": ClientID, "nonce": c.nonce, "iat": p.now().Unix(), "exp": p.now().Add(5 * time.Minute).Unix(),
	}
	maps.Copy(claims, p.person)
	if p.lie != nil {
		p.lie(claims)
	}
	token := p.sign(claims)
	if p.forge != nil {
		token = p.forge(token)
	}
	answer := map[string]any{"access_token": "access", "token_type": "Bearer", "expires_in": 300}
	if token != "" {
		answer["id_token"] = token
	}
	send(w, answer)
}

func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer access" || p.info == nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	send(w, p.info)
}

func (p *Provider) sign(claims map[string]any) string {
	text := b64([]byte(`{"alg":"RS256","kid":"1","typ":"JWT"}`)) + "." + b64(encode(claims))
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, sum[:])
	if err != nil {
		return ""
	}
	return text + "." + b64(signature)
}

// Unsigned is a token with these claims that says it needs no signature.
func (p *Provider) Unsigned(claims map[string]any) string {
	return b64([]byte(`{"alg":"none"}`)) + "." + b64(encode(claims)) + "."
}

// SignedByKeyText is a token whose signature is made with the public key as a password, which some verifiers believed.
func (p *Provider) SignedByKeyText(claims map[string]any) string {
	text := b64([]byte(`{"alg":"HS256","kid":"1"}`)) + "." + b64(encode(claims))
	mac := hmac.New(sha256.New, p.key.N.Bytes())
	mac.Write([]byte(text))
	return text + "." + b64(mac.Sum(nil))
}

// SignedBySomebodyElse is a token with these claims and the signature of another key.
func (p *Provider) SignedBySomebodyElse(t testing.TB, claims map[string]any) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	return (&Provider{key: key}).sign(claims)
}

func send(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(encode(value))
}

func encode(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // a test gave a claim that JSON cannot say
	}
	return text
}

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }
