package identity

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash/fnv"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/ids"
	"dorado/modules/identity/openid"
)

// attemptLife is how long somebody may stay at the provider.
const attemptLife = 10 * time.Minute

// Departure is a sign-in at the provider that begins.
type Departure struct {
	URL       string // where the browser is to go
	State     string // what the browser must hold, in a cookie, when it comes back
	ExpiresAt time.Time
}

// Return is what a browser comes back with from the provider.
type Return struct {
	State   string // of the address
	Held    string // of the cookie
	Code    string
	Problem string // the provider's error, empty when there is none
}

// Provider returns the OpenID Connect provider, nil when there is none.
func (s *Service) Provider() *openid.Client { return s.provider }

// Directory reports whether passwords of a directory are taken.
func (s *Service) Directory() bool { return s.directory != nil }

// Depart begins a sign-in at the provider, after which the browser goes to next. It returns ErrNoProvider, ErrThrottled
// and ErrAway.
func (s *Service) Depart(ctx context.Context, next, client string) (Departure, error) {
	if s.provider == nil {
		return Departure{}, ErrNoProvider
	}
	if err := s.attempt(ctx, []subject{providerSubject(client)}); err != nil {
		return Departure{}, err
	}
	a, address, err := s.provider.Start(ctx)
	if err != nil {
		s.log.ErrorContext(ctx, "the OpenID provider does not answer", "error", err)
		return Departure{}, ErrAway.Because(err)
	}
	d := Departure{URL: address, State: a.State, ExpiresAt: s.now().Add(attemptLife)}
	return d, s.store.insertAttempt(ctx, ids.Hash(a.State), oidcAttempt{
		Nonce: a.Nonce, Verifier: a.Verifier, Next: cut(next, 2000), ExpiresAt: d.ExpiresAt,
	})
}

// Arrive ends a sign-in at the provider and opens a session; next is what Depart was given. An attempt is used up by the
// first who comes back with it, in the browser that began it, whatever comes of it. It returns ErrNoProvider, ErrAttempt,
// ErrProvider, ErrNotAllowed, ErrUnknown, ErrElsewhere, ErrDisabled and ErrAway.
func (s *Service) Arrive(ctx context.Context, r Return, c Credentials) (in SignedIn, next string, err error) {
	if s.provider == nil {
		return in, "", ErrNoProvider
	}
	if r.State == "" || subtle.ConstantTimeCompare([]byte(r.State), []byte(r.Held)) != 1 {
		return in, "", ErrAttempt // somebody else's browser began it: who signs in here would be he
	}
	a, err := s.store.takeAttempt(ctx, ids.Hash(r.State))
	if errors.Is(err, db.ErrNoRows) || err == nil && !a.ExpiresAt.After(s.now()) {
		return in, "", ErrAttempt
	}
	if err != nil {
		return in, "", err
	}
	if r.Problem != "" || r.Code == "" {
		s.log.InfoContext(ctx, "the OpenID provider refuses to sign in", "reason", cut(r.Problem, 100), "client", c.Client)
		return in, a.Next, ErrProvider
	}
	p, err := s.provider.Finish(ctx, openid.Attempt{State: r.State, Nonce: a.Nonce, Verifier: a.Verifier}, r.Code)
	switch {
	case errors.Is(err, openid.ErrNotAllowed):
		s.log.InfoContext(ctx, "refused to sign in", "reason", err, "client", c.Client)
		s.recordRefused(ctx, User{}, "not_allowed")
		return in, a.Next, ErrNotAllowed
	case errors.Is(err, openid.ErrRefused):
		s.log.WarnContext(ctx, "an answer of the OpenID provider does not hold", "reason", err, "client", c.Client)
		return in, a.Next, ErrProvider
	case err != nil:
		s.log.ErrorContext(ctx, "the OpenID provider does not answer", "error", err)
		return in, a.Next, ErrAway.Because(err)
	}
	if in.User, err = s.arrive(ctx, arrival{
		source: OIDC, id: p.ID, name: nameOf(p), email: p.Email, maps: s.provider.MapsAdmin(), admin: p.Admin, creates: s.provider.Creates(),
	}); err != nil {
		s.recordRefused(ctx, User{}, "no_user")
		return in, a.Next, err
	}
	if !in.User.Enabled {
		s.recordRefused(ctx, in.User, "disabled")
		return in, a.Next, ErrDisabled
	}
	if err := s.store.uncount(ctx, providerSubject(c.Client)); err != nil {
		return in, a.Next, err
	}
	in.Method = ByProvider
	err = s.db.InTx(ctx, func(ctx context.Context) error { return s.open(ctx, &in, c, "user.sign_in") })
	return in, a.Next, err
}

// nameOf is the name of a new user: what the provider says, or his address, or something made up that stays the same.
func nameOf(p openid.Person) string {
	for _, name := range []string{p.Name, p.Email} {
		if ValidName(name) {
			return name
		}
	}
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(p.ID))
	return "oidc-" + hex.EncodeToString(sum.Sum(nil))
}
