package openid

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"dorado/app/kit/ids"
)

// maxAnswer bounds what is read of one answer of the provider.
const maxAnswer = 1 << 20

var (
	// ErrRefused means that the provider, or a check of its answer, said no.
	ErrRefused = errors.New("openid: the answer of the provider does not hold")
	// ErrNotAllowed means that somebody is known, and neither his groups nor his domain let him in.
	ErrNotAllowed = errors.New("openid: not allowed in")
	// ErrUnavailable means that the provider gave no answer.
	ErrUnavailable = errors.New("openid: no answer of the provider")
)

// Attempt is what must be kept from Start to Finish.
type Attempt struct {
	State    string // comes back with the browser
	Nonce    string // comes back in the ID token
	Verifier string // shown to the provider with the code
}

// Client asks one provider.
type Client struct {
	cfg      Config
	redirect string
	now      func() time.Time
	http     *http.Client

	mu       sync.Mutex
	provider *oidc.Provider // nil until it answered
}

// Open makes a client of a valid configuration. redirect is the address to which the provider sends browsers back. It
// connects to nothing yet.
func Open(cfg Config, redirect string, now func() time.Time) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	roots, err := cfg.roots()
	if err != nil {
		return nil, err
	}
	return &Client{
		cfg: cfg, redirect: redirect, now: now,
		http: &http.Client{Timeout: cfg.Timeout, Transport: bounded{&http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: cfg.Timeout, IdleConnTimeout: time.Minute, MaxIdleConns: 4,
		}}},
	}, nil
}

// Label is what the button says.
func (c *Client) Label() string { return c.cfg.Label }

// ClientID is how the provider knows this program.
func (c *Client) ClientID() string { return c.cfg.ClientID }

// Redirect is the address to which the provider sends browsers back.
func (c *Client) Redirect() string { return c.redirect }

// MapsAdmin reports whether the provider says who is an administrator.
func (c *Client) MapsAdmin() bool { return c.cfg.AdminGroup != "" }

// Creates reports whether a user is made for somebody who has none.
func (c *Client) Creates() bool { return c.cfg.OnMissing == Create }

// Subject is the identifier of somebody of this provider: what another provider calls the same is somebody else.
func (c *Client) Subject(sub string) string {
	if strings.HasPrefix(sub, c.cfg.Issuer+"|") {
		return sub
	}
	return c.cfg.Issuer + "|" + sub
}

// Start returns where the browser is to go. It returns ErrUnavailable.
func (c *Client) Start(ctx context.Context) (Attempt, string, error) {
	p, err := c.discover(ctx)
	if err != nil {
		return Attempt{}, "", err
	}
	a := Attempt{State: ids.Token(), Nonce: ids.Token(), Verifier: oauth2.GenerateVerifier()}
	return a, c.oauth(p).AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), nil
}

// Finish trades the code for who somebody is. The error wraps ErrRefused, ErrNotAllowed or ErrUnavailable; its text is
// for the log and holds neither code nor token.
func (c *Client) Finish(ctx context.Context, a Attempt, code string) (Person, error) {
	p, err := c.discover(ctx)
	if err != nil {
		return Person{}, err
	}
	ctx = oidc.ClientContext(ctx, c.http)
	token, err := c.oauth(p).Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.Response != nil && refused.Response.StatusCode < http.StatusInternalServerError {
		return Person{}, fmt.Errorf("%w: the code buys no token: %s", ErrRefused, refused.ErrorCode)
	}
	if err != nil {
		return Person{}, fmt.Errorf("%w: trade the code: %w", ErrUnavailable, err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return Person{}, fmt.Errorf("%w: there is no ID token", ErrRefused)
	}
	id, err := c.verify(ctx, p, raw, a.Nonce, token.AccessToken)
	if err != nil {
		return Person{}, err
	}
	all := map[string]any{}
	if err := id.Claims(&all); err != nil {
		return Person{}, fmt.Errorf("%w: claims: %w", ErrRefused, err)
	}
	if err := c.complete(ctx, p, id.Subject, oauth2.StaticTokenSource(token), all); err != nil {
		return Person{}, err
	}
	return c.person(id.Subject, all)
}

// verify checks an ID token as OpenID Connect Core 3.1.3.7 asks.
func (c *Client) verify(ctx context.Context, p *oidc.Provider, raw, nonce, accessToken string) (*oidc.IDToken, error) {
	id, err := p.VerifierContext(ctx, &oidc.Config{ClientID: c.cfg.ClientID, Now: c.now}).Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if nonce == "" || subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
		return nil, fmt.Errorf("%w: the nonce is another", ErrRefused)
	}
	if id.Subject == "" || len(id.Subject) > 255 {
		return nil, fmt.Errorf("%w: there is no subject", ErrRefused)
	}
	var more struct {
		Party string `json:"azp"`
	}
	if err := id.Claims(&more); err != nil {
		return nil, fmt.Errorf("%w: claims: %w", ErrRefused, err)
	}
	if len(id.Audience) > 1 && more.Party == "" || more.Party != "" && more.Party != c.cfg.ClientID {
		return nil, fmt.Errorf("%w: the token was made for another party", ErrRefused)
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(accessToken); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	return id, nil
}

// complete asks for claims that the ID token lacks. What the token says is not overwritten.
func (c *Client) complete(ctx context.Context, p *oidc.Provider, subject string, source oauth2.TokenSource, all map[string]any) error {
	lacks := func(claim string) bool { return claim != "" && claimAt(all, claim) == nil }
	groups := lacks(c.cfg.GroupsClaim) && (c.cfg.AdminGroup != "" || len(c.cfg.AllowedGroups) > 0)
	if p.UserInfoEndpoint() == "" || !lacks(c.cfg.NameClaim) && !lacks(c.cfg.EmailClaim) && !groups {
		return nil
	}
	info, err := p.UserInfo(ctx, source)
	if err != nil {
		return fmt.Errorf("%w: ask for claims: %w", ErrUnavailable, err)
	}
	if info.Subject != subject {
		return fmt.Errorf("%w: the claims are somebody else's", ErrRefused)
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil {
		return fmt.Errorf("%w: claims: %w", ErrRefused, err)
	}
	if lacks(c.cfg.EmailClaim) { // whether an address is verified is said beside it
		delete(all, "email_verified")
	} else {
		delete(more, "email_verified")
	}
	for name, value := range more {
		if _, there := all[name]; !there {
			all[name] = value
		}
	}
	return nil
}

// discover asks the provider for its addresses and keys, once it answers.
func (c *Client) discover(ctx context.Context) (*oidc.Provider, error) {
	c.mu.Lock()
	p := c.provider
	c.mu.Unlock()
	if p != nil {
		return p, nil
	}
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, c.http), c.cfg.Issuer) // not under the lock: it may take its time
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.provider = p
	return p, nil
}

func (c *Client) oauth(p *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: c.cfg.ClientID, ClientSecret: c.cfg.ClientSecret.Reveal(), Endpoint: p.Endpoint(), RedirectURL: c.redirect,
		Scopes: slices.Clone(c.cfg.Scopes),
	}
}

// bounded is a transport whose answers end after maxAnswer.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxAnswer), res.Body}
	}
	return res, err
}
