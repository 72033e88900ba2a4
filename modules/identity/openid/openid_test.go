package openid_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/identity/openid"
	"dorado/modules/identity/openid/openidtest"
)

const redirect = "https://dorado.example.org/login/oidc/callback"

func open(t *testing.T, c openid.Config) *openid.Client {
	t.Helper()
	client, err := openid.Open(c, redirect, time.Now)
	require.NoError(t, err)
	return client
}

// signIn goes to the provider and back.
func signIn(t *testing.T, p *openidtest.Provider, c *openid.Client) (openid.Person, error) {
	t.Helper()
	a, address, err := c.Start(t.Context())
	require.NoError(t, err)
	back := p.Visit(t, address)
	require.Equal(t, a.State, back.Query().Get("state"))
	require.True(t, strings.HasPrefix(back.String(), redirect+"?"))
	return c.Finish(t.Context(), a, back.Query().Get("code"))
}

func ann() map[string]any {
	return map[string]any{"sub": "7", "preferred_username": "ann", "email": "ann@example.org", "email_verified": true, "groups": []string{"staff", "admins"}}
}

func TestAPersonComesBackFromTheProvider(t *testing.T) {
	t.Parallel()
	p := openidtest.Start(t, time.Now)
	p.Person(ann())
	cfg := p.Config()
	cfg.AdminGroup = "admins"
	got, err := signIn(t, p, open(t, cfg))
	require.NoError(t, err)
	require.Equal(t, openid.Person{ID: p.URL + "|7", Name: "ann", Email: "ann@example.org", Admin: true}, got)

	t.Run("groups at the end of a path", func(t *testing.T) {
		nested := ann()
		delete(nested, "groups")
		nested["realm_access"] = map[string]any{"roles": []string{"admins"}}
		p.Person(nested)
		p.UserInfo(map[string]any{"sub": "7"})
		cfg := cfg
		cfg.GroupsClaim = "realm_access.roles"
		got, err := signIn(t, p, open(t, cfg))
		require.NoError(t, err)
		require.True(t, got.Admin)
	})
	t.Run("claims that the token lacks are asked for", func(t *testing.T) {
		p.Person(map[string]any{"sub": "7", "email": "signed@example.org", "email_verified": false})
		p.UserInfo(map[string]any{"sub": "7", "preferred_username": "ann", "email": "other@example.org", "email_verified": true})
		got, err := signIn(t, p, open(t, p.Config()))
		require.NoError(t, err)
		require.Equal(t, "ann", got.Name)
		require.Empty(t, got.Email, "what the token says about the address counts, and it says: not verified")
		p.UserInfo(map[string]any{"sub": "8", "preferred_username": "bob"})
		_, err = signIn(t, p, open(t, p.Config()))
		require.ErrorIs(t, err, openid.ErrRefused, "somebody else's claims")
	})
}

func TestTokensThatDoNotHoldAreRefused(t *testing.T) {
	t.Parallel()
	p := openidtest.Start(t, time.Now)
	c := open(t, p.Config())
	for name, lie := range map[string]func(map[string]any){
		"another issuer":          func(c map[string]any) { c["iss"] = "https://evil.example" },
		"another audience":        func(c map[string]any) { c["aud"] = "another" },
		"more than one audience":  func(c map[string]any) { c["aud"] = []string{"another", openidtest.ClientID} },
		"made for another party":  func(c map[string]any) { c["azp"] = "another" },
		"expired":                 func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() },
		"without an end":          func(c map[string]any) { delete(c, "exp") },
		"not valid yet":           func(c map[string]any) { c["nbf"] = time.Now().Add(time.Hour).Unix() },
		"another nonce":           func(c map[string]any) { c["nonce"] = "another" },
		"without a nonce":         func(c map[string]any) { delete(c, "nonce") },
		"nobody":                  func(c map[string]any) { delete(c, "sub") },
		"of another access token": func(c map[string]any) { c["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" },
	} {
		p.Person(ann())
		p.Lie(lie)
		_, err := signIn(t, p, c)
		require.ErrorIs(t, err, openid.ErrRefused, name)
	}
	for name, forge := range map[string]func(string) string{
		"no token":                 func(string) string { return "" },
		"nonsense":                 func(string) string { return "a.b.c" },
		"no signature":             func(token string) string { return p.Unsigned(claims(t, token)) },
		"signed by the public key": func(token string) string { return p.SignedByKeyText(claims(t, token)) },
		"signed by somebody else":  func(token string) string { return p.SignedBySomebodyElse(t, claims(t, token)) },
		"changed after it was signed": func(token string) string {
			part, changed := strings.Split(token, "."), claims(t, token)
			changed["sub"] = "1"
			text, err := json.Marshal(changed)
			require.NoError(t, err)
			return part[0] + "." + base64.RawURLEncoding.EncodeToString(text) + "." + part[2]
		},
	} {
		p.Person(ann())
		p.Forge(forge)
		_, err := signIn(t, p, c)
		require.ErrorIs(t, err, openid.ErrRefused, name)
	}
	p.Person(ann())
	_, err := signIn(t, p, c)
	require.NoError(t, err, "and one that holds is taken")
}

func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	require.NoError(t, err)
	out := map[string]any{}
	require.NoError(t, json.Unmarshal(text, &out))
	return out
}

func TestACodeNeedsItsVerifierAndBuysOnce(t *testing.T) {
	t.Parallel()
	p := openidtest.Start(t, time.Now)
	p.Person(ann())
	c := open(t, p.Config())
	a, address, err := c.Start(t.Context())
	require.NoError(t, err)
	stolen := p.Visit(t, address).Query().Get("code")
	other, _, err := c.Start(t.Context())
	require.NoError(t, err)
	_, err = c.Finish(t.Context(), openid.Attempt{State: other.State, Nonce: a.Nonce, Verifier: other.Verifier}, stolen)
	require.ErrorIs(t, err, openid.ErrRefused)
	code := p.Visit(t, address).Query().Get("code")
	_, err = c.Finish(t.Context(), a, code)
	require.NoError(t, err)
	_, err = c.Finish(t.Context(), a, code)
	require.ErrorIs(t, err, openid.ErrRefused)
	require.NotContains(t, err.Error(), code)

	wrong := p.Config()
	wrong.ClientSecret = "another"
	_, err = signIn(t, p, open(t, wrong))
	require.ErrorIs(t, err, openid.ErrRefused)
	require.NotContains(t, err.Error(), "another")
}

func TestOnlyAllowedGroupsAndVerifiedDomainsComeIn(t *testing.T) {
	t.Parallel()
	p := openidtest.Start(t, time.Now)
	domains := p.Config()
	domains.AllowedDomains = []string{"Example.org"}
	groups := p.Config()
	groups.AllowedGroups = []string{"staff", "guests"}
	for name, c := range map[string]struct {
		cfg    openid.Config
		change func(map[string]any)
		in     bool
	}{
		"a verified address of the domain": {domains, func(map[string]any) {}, true},
		"an address that is not verified":  {domains, func(c map[string]any) { c["email_verified"] = false }, false},
		"nobody says that it is verified":  {domains, func(c map[string]any) { delete(c, "email_verified") }, false},
		"another domain":                   {domains, func(c map[string]any) { c["email"] = "ann@evil.example" }, false},
		"a domain that only ends like it":  {domains, func(c map[string]any) { c["email"] = "ann@notexample.org" }, false},
		"a domain below it":                {domains, func(c map[string]any) { c["email"] = "ann@sub.example.org" }, false},
		"two signs":                        {domains, func(c map[string]any) { c["email"] = "ann@example.org@evil.example" }, false},
		"verified, said as text":           {domains, func(c map[string]any) { c["email_verified"] = "true" }, true},
		"a member":                         {groups, func(map[string]any) {}, true},
		"a member of one, said as text":    {groups, func(c map[string]any) { c["groups"] = "guests" }, true},
		"a member of others":               {groups, func(c map[string]any) { c["groups"] = []string{"staff2"} }, false},
		"groups that are no texts":         {groups, func(c map[string]any) { c["groups"] = []any{7, nil, map[string]any{"staff": true}} }, false},
	} {
		person := ann()
		c.change(person)
		p.Person(person)
		_, err := signIn(t, p, open(t, c.cfg))
		if c.in {
			require.NoError(t, err, name)
		} else {
			require.ErrorIs(t, err, openid.ErrNotAllowed, name)
		}
	}
}

func TestAProviderThatIsAwayIsAskedAgain(t *testing.T) {
	t.Parallel()
	p := openidtest.Start(t, time.Now)
	p.Person(ann())
	p.Down(true)
	c := open(t, p.Config())
	_, _, err := c.Start(t.Context())
	require.ErrorIs(t, err, openid.ErrUnavailable)
	p.Down(false)
	a, address, err := c.Start(t.Context())
	require.NoError(t, err)
	code := p.Visit(t, address).Query().Get("code")
	p.Down(true)
	_, err = c.Finish(t.Context(), a, code)
	require.ErrorIs(t, err, openid.ErrUnavailable)
}

func TestAConfigurationThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	base := func() openid.Config {
		c := openid.DefaultConfig()
		c.Issuer, c.ClientID = "https://id.example.org/realms/x", "dorado"
		return c
	}
	require.NoError(t, base().Validate())
	require.NoError(t, openid.DefaultConfig().Validate(), "no provider is fine")
	for key, change := range map[string]func(*openid.Config){
		"issuer: http://id.example.org is not encrypted": func(c *openid.Config) { c.Issuer = "http://id.example.org" },
		"issuer":          func(c *openid.Config) { c.Issuer = "id.example.org" },
		"client-id":       func(c *openid.Config) { c.ClientID = "" },
		"label":           func(c *openid.Config) { c.Label = "" },
		"scopes":          func(c *openid.Config) { c.Scopes = []string{"email"} },
		"name-claim":      func(c *openid.Config) { c.NameClaim = "" },
		"groups-claim":    func(c *openid.Config) { c.GroupsClaim, c.AdminGroup = "", "admins" },
		"email-claim":     func(c *openid.Config) { c.EmailClaim, c.AllowedDomains = "", []string{"example.org"} },
		"allowed-domains": func(c *openid.Config) { c.AllowedDomains = []string{"@example.org"} },
		"on-missing":      func(c *openid.Config) { c.OnMissing = "" },
		"timeout":         func(c *openid.Config) { c.Timeout = 0 },
		"ca-file":         func(c *openid.Config) { c.CAFile = "/no/ca.pem" },
	} {
		c := base()
		change(&c)
		require.ErrorContains(t, c.Validate(), "identity.oidc."+key)
	}
}
