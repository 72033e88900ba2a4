package identity_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/identity"
)

// under makes a service with a policy of its own.
func (w *world) under(change func(*identity.Policy)) *identity.Service {
	p := identity.DefaultPolicy()
	change(&p)
	return w.with(func(d *identity.Deps) { d.Policy = p })
}

func TestThePolicyDecidesWhatAPasswordIsLike(t *testing.T) {
	t.Parallel()
	strict := identity.Policy{MinLength: 12, MinClasses: 3, MixedCase: true}
	for password, key := range map[secret.String]string{
		"Short-1":              "identity.password.length",
		"longEnough1234":       "identity.password.classes",
		"long-enough-1234":     "identity.password.case",
		"LONG-ENOUGH-1234":     "identity.password.case",
		"":                     "identity.password.required",
		"Long-enough-1234\x00": "identity.password.characters",
	} {
		require.Equal(t, key, fields(strict.Check(password, "ann"))["password"], password.Reveal())
	}
	require.NoError(t, strict.Check("Long-enough-1234", "ann"))
	require.Equal(t, "identity.password.common", fields(strict.Check("Long-enough-1234", "long-ENOUGH-1234"))["password"])
	require.NoError(t, identity.DefaultPolicy().Check("dolphinscheduler123", "admin"), "who comes from DolphinScheduler may keep it")
	require.Contains(t, strict.Describe(t.Context()), "12")

	require.NoError(t, identity.DefaultPolicy().Validate())
	for key, change := range map[string]func(*identity.Policy){
		"min-length":    func(p *identity.Policy) { p.MinLength = 2 },
		"min-classes":   func(p *identity.Policy) { p.MinClasses = 4 },
		"history":       func(p *identity.Policy) { p.History = -1 },
		"max-age":       func(p *identity.Policy) { p.MaxAge = time.Hour },
		"free-attempts": func(p *identity.Policy) { p.FreeAttempts = 0 },
		"longest-pause": func(p *identity.Policy) { p.LongestPause = 0 },
		"lock-after":    func(p *identity.Policy) { p.LockAfter = 1 },
		"lock-for":      func(p *identity.Policy) { p.LockFor = 48 * time.Hour },
	} {
		p := identity.DefaultPolicy()
		change(&p)
		require.ErrorContains(t, p.Validate(), "identity.password."+key)
	}
}

func TestEarlierPasswordsAreNotTakenUpAgainTooSoon(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		s := w.under(func(p *identity.Policy) { p.History = 2 })
		_, ctx := w.add("ann", false)
		change := func(from, to secret.String) error { w.advance(time.Minute); return s.ChangePassword(ctx, from, to) }
		require.Equal(t, "identity.password.same", fields(change(good, good))["password"])
		require.NoError(t, change(good, "second horse 2"))
		require.NoError(t, change("second horse 2", "third horse 3"))
		for _, old := range []secret.String{good, "second horse 2"} {
			require.Equal(t, "identity.password.used", fields(change("third horse 3", old))["password"])
		}
		require.NoError(t, change("third horse 3", "fourth horse 4"))
		require.NoError(t, change("fourth horse 4", good), "two others lie between")
		n, err := db.Get[int](t.Context(), w.db, "SELECT COUNT(*) FROM password_history")
		require.NoError(t, err)
		require.Equal(t, 2, n, "no more are kept than are asked for")
	})
}

func TestAPasswordThatIsTooOldMustBeChanged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		s := w.under(func(p *identity.Policy) { p.MaxAge = 30 * 24 * time.Hour })
		ann, _ := w.add("ann", false)
		_, token, err := s.CreateToken(w.system(), identity.TokenDraft{UserID: ann.ID, ExpiresAt: w.now().AddDate(1, 0, 0)})
		require.NoError(t, err)
		w.advance(29 * 24 * time.Hour)
		in, err := signIn(t, s, "ann", good)
		require.NoError(t, err)
		require.False(t, in.User.MustChangePassword)
		w.advance(24 * time.Hour)
		in, err = signIn(t, s, "ann", good)
		require.NoError(t, err)
		require.True(t, in.User.MustChangePassword)
		p, err := s.Authenticate(t.Context(), in.Secret.Reveal())
		require.NoError(t, err)
		require.True(t, p.MustChangePassword)
		require.NoError(t, s.ChangePassword(access.WithPrincipal(t.Context(), p), "", "second horse 2"))
		in, err = signIn(t, s, "ann", "second horse 2")
		require.NoError(t, err)
		require.False(t, in.User.MustChangePassword)
		p, err = s.AuthenticateToken(t.Context(), token.Reveal())
		require.NoError(t, err)
		require.False(t, p.MustChangePassword, "programs go on")
	})
}

func TestFailuresLockAUserUntilAnAdministratorUnlocksHim(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		s := w.under(func(p *identity.Policy) { p.FreeAttempts, p.LockAfter, p.LockFor = 5, 8, time.Hour })
		ann, annCtx := w.add("ann", false)
		wrong := func() error {
			for i := range 8 {
				w.advance(10 * time.Second) // longer than the pauses so far
				if _, err := s.SignIn(t.Context(), identity.Credentials{Name: "ann", Password: "wrong password 1", Client: fmt.Sprintf("192.0.2.%d", i)}); err != nil && i == 7 {
					return err
				}
			}
			return nil
		}
		require.ErrorIs(t, wrong(), identity.ErrCredentials)
		w.advance(59 * time.Minute)
		_, err := signIn(t, s, "ann", good)
		require.ErrorIs(t, err, identity.ErrThrottled)
		lock, err := s.LockOf(w.system(), ann.ID)
		require.NoError(t, err)
		require.Equal(t, 8, lock.Failures)
		require.Equal(t, time.Minute, lock.Until.Sub(w.now()))
		require.ErrorIs(t, s.Unlock(annCtx, ann.ID), access.ErrDenied, "nobody unlocks himself")
		_, err = s.LockOf(annCtx, ann.ID)
		require.ErrorIs(t, err, access.ErrDenied)
		require.NoError(t, s.Unlock(w.system(), ann.ID))
		_, err = signIn(t, s, "ann", good)
		require.NoError(t, err)
		require.ErrorIs(t, wrong(), identity.ErrCredentials)
		w.advance(time.Hour)
		_, err = s.SignIn(t.Context(), identity.Credentials{Name: "ann", Password: good, Client: "192.0.2.99"})
		require.NoError(t, err, "or until it is over")
	})
}

func TestAServiceAccountHasTokensAndNothingElse(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, err := w.Create(w.system(), identity.Draft{Name: "bot", Service: true, Password: good, Enabled: true})
		require.Contains(t, fields(err), "password")
		bot, err := w.Create(w.system(), identity.Draft{Name: "bot", Service: true, Enabled: true})
		require.NoError(t, err)
		for _, password := range []secret.String{"", good} {
			_, err = w.signIn("bot", password, "10.0.0.1")
			require.ErrorIs(t, err, identity.ErrCredentials)
		}
		require.ErrorIs(t, w.SetPassword(w.system(), bot.ID, good, false), identity.ErrNoPassword)
		_, err = w.NewLink(w.system(), bot.ID)
		require.ErrorIs(t, err, identity.ErrNoPassword)
		_, err = w.Update(w.system(), bot.ID, identity.Draft{Name: "bot", Password: good, Enabled: true})
		require.Contains(t, fields(err), "password")
		changed, err := w.Update(w.system(), bot.ID, identity.Draft{Name: "bot", Enabled: true, Phone: "+4930123456"})
		require.NoError(t, err)
		require.True(t, changed.Service, "it stays one")
		_, token, err := w.CreateToken(w.system(), identity.TokenDraft{UserID: bot.ID, ExpiresAt: w.now().Add(time.Hour)})
		require.NoError(t, err)
		p, err := w.AuthenticateToken(t.Context(), token.Reveal())
		require.NoError(t, err)
		require.True(t, p.Service)
		require.ErrorIs(t, w.ChangePassword(access.WithPrincipal(t.Context(), p), "", good), identity.ErrNoPassword)
		require.NoError(t, w.Delete(w.system(), bot.ID))
		_, err = w.AuthenticateToken(t.Context(), token.Reveal())
		require.ErrorIs(t, err, access.ErrUnauthenticated, "at once")
	})
}
