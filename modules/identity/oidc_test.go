package identity_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/modules/access"
	"dorado/modules/identity"
	"dorado/modules/identity/openid"
	"dorado/modules/identity/openid/openidtest"
)

// trusting makes a service that trusts a provider as change sets it up.
func (w *world) trusting(p *openidtest.Provider, change func(*openid.Config)) *identity.Service {
	w.t.Helper()
	cfg := p.Config()
	if change != nil {
		change(&cfg)
	}
	client, err := openid.Open(cfg, "https://dorado.example.org/login/oidc/callback", w.now)
	require.NoError(w.t, err)
	return w.with(func(d *identity.Deps) { d.Provider = client })
}

// there goes to the provider and returns what the browser comes back with.
func there(t *testing.T, p *openidtest.Provider, s *identity.Service) identity.Return {
	t.Helper()
	d, err := s.Depart(t.Context(), "/projects", "10.0.0.1")
	require.NoError(t, err)
	q := p.Visit(t, d.URL).Query()
	return identity.Return{State: q.Get("state"), Held: d.State, Code: q.Get("code")}
}

func back(t *testing.T, s *identity.Service, r identity.Return) (identity.SignedIn, error) {
	t.Helper()
	in, _, err := s.Arrive(t.Context(), r, identity.Credentials{Client: "10.0.0.1", UserAgent: "Firefox"})
	return in, err
}

func annClaims() map[string]any {
	return map[string]any{"sub": "7", "preferred_username": "ann", "email": "ann@example.org", "email_verified": true, "groups": []string{"admins"}}
}

func TestTheFirstSignInAtTheProviderMakesAUser(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		p := openidtest.Start(t, w.now)
		p.Person(annClaims())
		s := w.trusting(p, nil)
		in, next, err := s.Arrive(t.Context(), there(t, p, s), identity.Credentials{})
		require.NoError(t, err)
		require.Equal(t, "/projects", next)
		require.Equal(t, identity.ByProvider, in.Method)
		require.Equal(t, identity.OIDC, in.User.Source)
		require.Equal(t, "ann@example.org", in.User.Email)
		require.False(t, in.User.Admin(), "nothing says that admins are administrators here")
		who, err := s.Authenticate(t.Context(), in.Secret.Reveal())
		require.NoError(t, err)
		require.Equal(t, in.User.ID, who.UserID)

		renamed := annClaims()
		renamed["preferred_username"], renamed["email"] = "ann.smith", "smith@example.org"
		p.Person(renamed)
		again, err := back(t, s, there(t, p, s))
		require.NoError(t, err)
		require.Equal(t, in.User.ID, again.User.ID, "the subject says who it is")
		require.Equal(t, "ann", again.User.Name)
		require.Equal(t, "smith@example.org", again.User.Email)

		_, err = signIn(t, s, "ann", "")
		require.ErrorIs(t, err, identity.ErrCredentials, "there is no password")
		require.NoError(t, s.SetEnabled(w.system(), in.User.ID, false))
		_, err = back(t, s, there(t, p, s))
		require.ErrorIs(t, err, identity.ErrDisabled)
		_, err = s.Authenticate(t.Context(), in.Secret.Reveal())
		require.ErrorIs(t, err, access.ErrUnauthenticated)
	})
}

func TestNobodyIsLinkedByNameOrAddress(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		local, _ := w.add("ann", true) // ann@example.org
		p := openidtest.Start(t, w.now)
		p.Person(annClaims())
		s := w.trusting(p, nil)
		_, err := back(t, s, there(t, p, s))
		require.ErrorIs(t, err, identity.ErrElsewhere, "the name belongs to somebody here")
		other := annClaims()
		other["preferred_username"] = "eve"
		p.Person(other)
		in, err := back(t, s, there(t, p, s))
		require.NoError(t, err)
		require.NotEqual(t, local.ID, in.User.ID, "the same address makes nobody the same")
		require.NoError(t, s.Delete(w.system(), in.User.ID))

		// An administrator links them, by the subject.
		_, err = s.Update(w.system(), local.ID, identity.Draft{Name: "ann", Source: identity.OIDC, ExternalID: "7", Enabled: true, Admin: true})
		require.ErrorIs(t, err, identity.ErrLastAdmin)
		w.add("root", true)
		linked, err := s.Update(w.system(), local.ID, identity.Draft{Name: "ann", Source: identity.OIDC, ExternalID: "7", Enabled: true})
		require.NoError(t, err)
		require.Equal(t, p.URL+"|7", linked.ExternalID, "the subject of this provider")
		in, err = back(t, s, there(t, p, s))
		require.NoError(t, err)
		require.Equal(t, local.ID, in.User.ID)

		second := openidtest.Start(t, w.now)
		second.Person(annClaims())
		moved := w.trusting(second, nil)
		_, err = back(t, moved, there(t, second, moved))
		require.ErrorIs(t, err, identity.ErrElsewhere, "7 of another provider is somebody else")
	})
}

func TestAnAnswerIsTakenOnceInTheBrowserThatAskedAndInTime(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		p := openidtest.Start(t, w.now)
		p.Person(annClaims())
		s := w.trusting(p, nil)
		refused := func(r identity.Return, why string) {
			t.Helper()
			asked := p.Asked()
			_, err := back(t, s, r)
			require.ErrorIs(t, err, identity.ErrAttempt, why)
			require.Equal(t, asked, p.Asked(), "the code is not even offered")
		}
		r := there(t, p, s)
		for why, change := range map[string]func(*identity.Return){
			"no state":                            func(r *identity.Return) { r.State, r.Held = "", "" },
			"a forged state":                      func(r *identity.Return) { r.State, r.Held = "forged", "forged" },
			"a browser that did not ask":          func(r *identity.Return) { r.Held = "" },
			"a browser that asked something else": func(r *identity.Return) { r.Held = there(t, p, s).State },
		} {
			other := r
			change(&other)
			refused(other, why)
		}
		_, err := back(t, s, r)
		require.NoError(t, err)
		refused(r, "replayed")

		late := there(t, p, s)
		w.advance(10 * time.Minute)
		refused(late, "expired")

		many := there(t, p, s)
		var in atomic.Int64
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				if _, _, err := s.Arrive(t.Context(), many, identity.Credentials{}); err == nil {
					in.Add(1)
				}
			})
		}
		wg.Wait()
		require.Equal(t, int64(1), in.Load(), "of several at once, one gets in")

		no := there(t, p, s)
		no.Code, no.Problem = "", "access_denied"
		_, err = back(t, s, no)
		require.ErrorIs(t, err, identity.ErrProvider)
		refused(no, "it is used up")
		p.Lie(func(c map[string]any) { c["nonce"] = "another" })
		_, err = back(t, s, there(t, p, s))
		require.ErrorIs(t, err, identity.ErrProvider)
		p.Lie(func(c map[string]any) { c["exp"] = w.now().Add(-time.Minute).Unix() })
		_, err = back(t, s, there(t, p, s))
		require.ErrorIs(t, err, identity.ErrProvider)

		rows, err := db.Select[string](t.Context(), w.db, "SELECT state_hash FROM oidc_attempt")
		require.NoError(t, err)
		require.NotContains(t, rows, no.State)
	})
}

func TestTheProvidersGroupsAndOurListDecideWhoComesIn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.add("root", true)
		p := openidtest.Start(t, w.now)
		p.Person(annClaims())
		domain := w.trusting(p, func(c *openid.Config) { c.AllowedDomains = []string{"example.com"} })
		_, err := back(t, domain, there(t, p, domain))
		require.ErrorIs(t, err, identity.ErrNotAllowed)
		closed := w.trusting(p, func(c *openid.Config) { c.OnMissing = openid.Deny })
		_, err = back(t, closed, there(t, p, closed))
		require.ErrorIs(t, err, identity.ErrUnknown)

		admins := w.trusting(p, func(c *openid.Config) { c.AdminGroup = "admins" })
		in, err := back(t, admins, there(t, p, admins))
		require.NoError(t, err)
		require.True(t, in.User.Admin())
		plain := annClaims()
		plain["groups"] = []string{"staff"}
		p.Person(plain)
		in, err = back(t, admins, there(t, p, admins))
		require.NoError(t, err)
		require.False(t, in.User.Admin())

		odd := map[string]any{"sub": "9", "preferred_username": "Ünï Cödé <b>", "email": "o@example.org", "email_verified": true, "groups": []string{}}
		p.Person(odd)
		in, err = back(t, admins, there(t, p, admins))
		require.NoError(t, err)
		require.Equal(t, "o@example.org", in.User.Name, "a name that cannot be one is not taken")
		p.Person(map[string]any{"sub": "10", "preferred_username": "x", "groups": []string{}})
		p.UserInfo(map[string]any{"sub": "10"})
		in, err = back(t, admins, there(t, p, admins))
		require.NoError(t, err)
		require.Regexp(t, "^oidc-[0-9a-f]{16}$", in.User.Name)

		_, _, err = w.Arrive(t.Context(), identity.Return{}, identity.Credentials{})
		require.ErrorIs(t, err, identity.ErrNoProvider)
		_, err = w.Depart(t.Context(), "/", "")
		require.ErrorIs(t, err, identity.ErrNoProvider)
	})
}

func TestNobodyFillsTheTableOfAttempts(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		p := openidtest.Start(t, w.now)
		p.Person(annClaims())
		s := w.trusting(p, nil)
		var err error
		begun := 0
		for range 100 {
			if _, err = s.Depart(t.Context(), "/", "192.0.2.1"); err == nil {
				begun++
			}
		}
		require.ErrorIs(t, err, identity.ErrThrottled)
		require.Less(t, begun, 40)
		for range 50 {
			_, err = back(t, s, there(t, p, s))
			require.NoError(t, err, "who comes back is not held back")
		}
		p.Down(true)
		_, err = w.trusting(p, nil).Depart(t.Context(), "/", "10.0.0.1")
		require.ErrorIs(t, err, identity.ErrAway)
	})
}
