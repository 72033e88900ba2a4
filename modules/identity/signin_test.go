package identity_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/identity"
)

func TestASessionHoldsUntilItIsIdleOrOld(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ann, _ := w.add("ann", false)
		in := w.mustSignIn("ann")
		p, err := w.Authenticate(t.Context(), in.Secret.Reveal())
		require.NoError(t, err)
		require.Equal(t, ann.ID, p.UserID)
		require.NotEqual(t, in.Secret.Reveal(), p.SessionID)
		rows, err := db.Select[string](t.Context(), w.db, "SELECT id FROM session")
		require.NoError(t, err)
		require.NotContains(t, rows, in.Secret.Reveal(), "the database must not hold a usable secret")

		for range 4 {
			w.advance(6 * 24 * time.Hour)
			_, err = w.Authenticate(t.Context(), in.Secret.Reveal())
			require.NoError(t, err, "use keeps it")
		}
		w.advance(6*24*time.Hour + time.Minute)
		_, err = w.Authenticate(t.Context(), in.Secret.Reveal())
		require.ErrorIs(t, err, access.ErrUnauthenticated, "but not beyond 30 days")

		in = w.mustSignIn("ann")
		w.advance(7*24*time.Hour + time.Second)
		_, err = w.Authenticate(t.Context(), in.Secret.Reveal())
		require.ErrorIs(t, err, access.ErrUnauthenticated, "nobody used it")
		for _, junk := range []string{"", "x", strings.Repeat("x", 10_000), "' OR 1=1 --", in.Secret.Reveal() + "x"} {
			_, err = w.Authenticate(t.Context(), junk)
			require.ErrorIs(t, err, access.ErrUnauthenticated)
		}
	})
}

func TestSigningInAgainReplacesTheSessionOfTheBrowser(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.add("ann", false)
		first := w.mustSignIn("ann")
		_, err := w.Authenticate(t.Context(), first.Secret.Reveal())
		require.NoError(t, err)
		elsewhere := w.mustSignIn("ann")
		second, err := w.SignIn(t.Context(), identity.Credentials{Name: "ann", Password: good, Previous: first.Secret.Reveal()})
		require.NoError(t, err)
		require.NotEqual(t, first.Secret, second.Secret)
		_, err = w.Authenticate(t.Context(), first.Secret.Reveal())
		require.ErrorIs(t, err, access.ErrUnauthenticated)
		_, err = w.Authenticate(t.Context(), elsewhere.Secret.Reveal())
		require.NoError(t, err, "sessions of other clients stay")
	})
}

func TestSessionsEndWithSignOutPasswordAndDisabling(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ann, _ := w.add("ann", false)
		ends := map[string]func(ctx context.Context, s identity.SignedIn){
			"sign-out": func(ctx context.Context, s identity.SignedIn) {
				require.NoError(t, w.SignOut(ctx, s.Secret.Reveal()))
			},
			"everywhere": func(ctx context.Context, _ identity.SignedIn) { require.NoError(t, w.EndSessions(ctx, false)) },
			"other password": func(context.Context, identity.SignedIn) {
				require.NoError(t, w.SetPassword(w.system(), ann.ID, good, false))
			},
			"disabled": func(context.Context, identity.SignedIn) {
				require.NoError(t, w.SetEnabled(w.system(), ann.ID, false))
				require.NoError(t, w.SetEnabled(w.system(), ann.ID, true))
			},
			"one by one": func(ctx context.Context, _ identity.SignedIn) {
				all, err := w.Sessions(ctx)
				require.NoError(t, err)
				for _, s := range all {
					require.NoError(t, w.EndSession(ctx, s.ID))
					require.ErrorIs(t, w.EndSession(ctx, s.ID), identity.ErrSession)
				}
			},
		}
		for name, end := range ends {
			in := w.mustSignIn("ann")
			p, err := w.Authenticate(t.Context(), in.Secret.Reveal())
			require.NoError(t, err)
			end(access.WithPrincipal(t.Context(), p), in)
			_, err = w.Authenticate(t.Context(), in.Secret.Reveal())
			require.ErrorIs(t, err, access.ErrUnauthenticated, "%s: at once, not when the cache expires", name)
		}
	})
}

func TestSomebodyElsesSessionCannotBeEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.SQLite(t))
	w.add("ann", false)
	_, bob := w.add("bob", false)
	p, err := w.Authenticate(t.Context(), w.mustSignIn("ann").Secret.Reveal())
	require.NoError(t, err)
	require.ErrorIs(t, w.EndSession(bob, p.SessionID), identity.ErrSession)
	require.NoError(t, w.EndSessions(bob, false))
	mine, err := w.Sessions(access.WithPrincipal(t.Context(), p))
	require.NoError(t, err)
	require.Len(t, mine, 1)
}

func TestAnotherProcessNoticesADisabledUserWithinSeconds(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ann, _ := w.add("ann", false)
		in := w.mustSignIn("ann")
		other := w.another(identity.Cost{MemoryKiB: 64, Passes: 1})
		_, err := other.Authenticate(t.Context(), in.Secret.Reveal())
		require.NoError(t, err)
		require.NoError(t, w.SetEnabled(w.system(), ann.ID, false))
		w.advance(5 * time.Second)
		_, err = other.Authenticate(t.Context(), in.Secret.Reveal())
		require.ErrorIs(t, err, access.ErrUnauthenticated)
	})
}

func TestAWrongNameAndAWrongPasswordLookTheSame(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ann, _ := w.add("ann", false)
		_, unknown := w.signIn("nobody", good, "10.0.0.1")
		_, wrong := w.signIn("ann", "wrong password 1", "10.0.0.2")
		_, junk := w.signIn(strings.Repeat("\x00'", 500), good, "10.0.0.3")
		require.ErrorIs(t, wrong, identity.ErrCredentials)
		require.Equal(t, wrong.Error(), unknown.Error())
		require.Equal(t, wrong.Error(), junk.Error())

		require.NoError(t, w.SetEnabled(w.system(), ann.ID, false))
		_, err := w.signIn("ann", "wrong password 1", "10.0.0.2")
		require.ErrorIs(t, err, identity.ErrCredentials, "whether an account is disabled is told to who knows the password only")
		_, err = w.signIn("ann", good, "10.0.0.2")
		require.ErrorIs(t, err, identity.ErrDisabled)
	})
}

func TestAnUnknownNameTakesAsLongAsAKnownOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.SQLite(t))
	slow := w.another(identity.Cost{MemoryKiB: 19 * 1024, Passes: 8})
	_, err := slow.Create(w.system(), identity.Draft{Name: "ann", Password: good, Email: "a@example.org", Enabled: true})
	require.NoError(t, err)
	took := func(name string) time.Duration {
		began := time.Now()
		_, err := slow.SignIn(t.Context(), identity.Credentials{Name: name, Password: "wrong password 1"})
		require.ErrorIs(t, err, identity.ErrCredentials)
		return time.Since(began)
	}
	known, unknown := time.Hour, time.Hour
	for range 5 { // in turn, so that whatever else the machine does slows both down
		known, unknown = min(known, took("ann")), min(unknown, took("nobody"))
	}
	require.Greater(t, unknown, known/3, "known %s, unknown %s", known, unknown)
}

func TestGuessingGetsSlowerAndTheVictimStillGetsIn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.add("ann", false)
		_, err := w.signIn("ann", good, "10.0.0.1")
		require.NoError(t, err)
		tried, throttled := 0, 0
		for i := range 300 { // one guess a second, each from another address
			_, err := w.signIn("ann", "wrong password 1", fmt.Sprintf("192.0.2.%d", i%250))
			if fault.KindOf(err) == fault.TooMany {
				throttled++
				require.LessOrEqual(t, fault.From(err).Args["seconds"], 60)
			} else {
				tried++
			}
			w.advance(time.Second)
		}
		require.Less(t, tried, 20, "of 300 guesses")
		_, err = w.signIn("ann", good, "192.0.2.7")
		require.ErrorIs(t, err, identity.ErrThrottled, "the right password is not tried either")
		_, err = w.signIn("ann", good, "10.0.0.1")
		require.NoError(t, err, "from where the user is signed in, others' failures do not count")
		w.advance(time.Minute)
		_, err = w.signIn("ann", good, "192.0.2.8")
		require.NoError(t, err, "the pause is short")
	})
}

func TestAnAddressThatTriesManyNamesIsHeldBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.add("ann", false)
		tried := 0
		for i := range 200 {
			client := fmt.Sprintf("2001:db8::%x", i) // one network
			if _, err := w.signIn(fmt.Sprintf("user%d", i), "wrong password 1", client); fault.KindOf(err) != fault.TooMany {
				tried++
			}
			if i%10 == 0 { // an own account must not wipe the slate
				_, _ = w.signIn("ann", good, client)
			}
		}
		require.Less(t, tried, 25)
		_, err := w.signIn("ann", good, "2001:db8:0:1::1")
		require.NoError(t, err, "the neighbour network is not held back")
	})
}

func TestGuessesMadeAtOnceAreAllCounted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.add("ann", false)
		var tried atomic.Int64
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				if _, err := w.signIn("ann", "wrong password 1", fmt.Sprintf("192.0.2.%d", i)); fault.KindOf(err) == fault.Unauthenticated {
					tried.Add(1)
				}
			})
		}
		wg.Wait()
		require.LessOrEqual(t, tried.Load(), int64(6))
	})
}

func TestAFloodOfSignInsIsRefusedInsteadOfEatingMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.SQLite(t))
	w.add("ann", false)
	slow := w.another(identity.Cost{MemoryKiB: 8 * 1024, Passes: 4})
	var busy, other atomic.Int64
	var wg sync.WaitGroup
	for range 300 {
		wg.Go(func() {
			_, err := slow.Create(w.system(), identity.Draft{Name: "ann", Password: good, Email: "a@example.org", Enabled: true})
			if fault.From(err).Key == identity.ErrBusy.Key {
				busy.Add(1)
			} else {
				other.Add(1)
			}
		})
	}
	wg.Wait()
	require.Positive(t, busy.Load())
	require.Positive(t, other.Load())
}

func TestALinkOpensOnceAndDemandsANewPassword(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.add("root", true)
		ann, _ := w.add("ann", true)
		link, err := w.NewLink(w.system(), ann.ID)
		require.NoError(t, err)

		var got []identity.SignedIn
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				in, err := w.SignInByLink(t.Context(), link.Reveal(), identity.Credentials{Client: "10.0.0.1"})
				if err == nil {
					mu.Lock()
					got = append(got, in)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		require.Len(t, got, 1, "of several who use it at once, one gets in")
		_, err = w.SignInByLink(t.Context(), link.Reveal(), identity.Credentials{})
		require.ErrorIs(t, err, identity.ErrLink)

		p, err := w.Authenticate(t.Context(), got[0].Secret.Reveal())
		require.NoError(t, err)
		require.True(t, p.MustChangePassword)
		ctx := access.WithPrincipal(t.Context(), p)
		_, err = w.List(ctx, listing.New(identity.Spec(), 1, 10, ""))
		require.ErrorIs(t, err, access.ErrMustChangePassword, "nothing else before that, administrator or not")
		require.ErrorIs(t, w.ChangePassword(ctx, "", good), fault.New(fault.Invalid, fault.KeyInvalid), "the same again is no change")
		require.NoError(t, w.ChangePassword(ctx, "", "another horse 8"))
		p, err = w.Authenticate(t.Context(), got[0].Secret.Reveal())
		require.NoError(t, err, "the session that changed it stays")
		require.False(t, p.MustChangePassword)
		require.NoError(t, w.access.Require(access.WithPrincipal(t.Context(), p), identity.UserRead))

		old, err := w.NewLink(w.system(), ann.ID)
		require.NoError(t, err)
		late, err := w.NewLink(w.system(), ann.ID)
		require.NoError(t, err)
		_, err = w.SignInByLink(t.Context(), old.Reveal(), identity.Credentials{})
		require.ErrorIs(t, err, identity.ErrLink, "a newer link takes its place")
		w.advance(15 * time.Minute)
		_, err = w.SignInByLink(t.Context(), late.Reveal(), identity.Credentials{})
		require.ErrorIs(t, err, identity.ErrLink, "too old")

		link, err = w.NewLink(w.system(), ann.ID)
		require.NoError(t, err)
		require.NoError(t, w.SetEnabled(w.system(), ann.ID, false))
		_, err = w.SignInByLink(t.Context(), link.Reveal(), identity.Credentials{})
		require.ErrorIs(t, err, identity.ErrDisabled)
	})
}

func TestChangingThePasswordAsksForTheCurrentOneAndEndsOtherSessions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.add("ann", false)
		here, there := w.mustSignIn("ann"), w.mustSignIn("ann")
		p, err := w.Authenticate(t.Context(), here.Secret.Reveal())
		require.NoError(t, err)
		ctx := access.WithPrincipal(t.Context(), p)
		require.ErrorIs(t, w.ChangePassword(ctx, "wrong password 1", "another horse 8"), identity.ErrCurrent)
		require.Equal(t, "identity.password.length", fields(w.ChangePassword(ctx, good, "x1"))["password"])
		require.NoError(t, w.ChangePassword(ctx, good, "another horse 8"))
		_, err = w.Authenticate(t.Context(), here.Secret.Reveal())
		require.NoError(t, err)
		_, err = w.Authenticate(t.Context(), there.Secret.Reveal())
		require.ErrorIs(t, err, access.ErrUnauthenticated)
		_, err = w.signIn("ann", good, "10.0.0.9")
		require.ErrorIs(t, err, identity.ErrCredentials)
		for range 6 {
			_ = w.ChangePassword(ctx, "wrong password 1", "third horse 9")
		}
		require.ErrorIs(t, w.ChangePassword(ctx, "wrong password 1", "third horse 9"), identity.ErrThrottled, "a stolen session is no way to guess")
	})
}

func TestHashesAreRenewedWhenTheyGotCheap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.SQLite(t))
	w.add("ann", false)
	stronger := w.another(identity.Cost{MemoryKiB: 128, Passes: 2})
	_, err := stronger.SignIn(t.Context(), identity.Credentials{Name: "ann", Password: good})
	require.NoError(t, err)
	hash, err := db.Get[string](t.Context(), w.db, "SELECT password_hash FROM users WHERE name = 'ann'")
	require.NoError(t, err)
	require.Contains(t, hash, "$argon2id$v=19$m=128,t=2,p=1$")
	_, err = w.signIn("ann", good, "")
	require.NoError(t, err)

	for _, damaged := range []string{"x", "$argon2id$v=19$m=4294967295,t=1,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=64,t=1,p=1$!$!", "$2a$10$x"} {
		_, err = w.db.Exec(t.Context(), "UPDATE users SET password_hash = ?", damaged)
		require.NoError(t, err)
		_, err = w.signIn("ann", good, "")
		require.Equal(t, fault.Internal, fault.KindOf(err), damaged)
		require.NotContains(t, err.Error(), damaged)
	}
}

func TestScriptsThatSignInAgainAndAgainDoNotPileUpSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.SQLite(t))
	w.add("ann", false)
	var last identity.SignedIn
	for range 105 {
		last = w.mustSignIn("ann")
		w.advance(time.Second)
	}
	n, err := db.Get[int](t.Context(), w.db, "SELECT COUNT(*) FROM session")
	require.NoError(t, err)
	require.Equal(t, 100, n)
	_, err = w.Authenticate(t.Context(), last.Secret.Reveal())
	require.NoError(t, err)
}

func TestTheFirstAdministratorGetsALinkAndNoDefaultPassword(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		created, first, err := w.EnsureAdmin(t.Context(), "")
		require.NoError(t, err)
		require.True(t, created)
		require.NotEmpty(t, first)
		queues, err := db.Select[string](t.Context(), w.db, "SELECT name FROM queue")
		require.NoError(t, err)
		require.Equal(t, []string{"default"}, queues)
		for _, guess := range []secret.String{"", "admin", "dolphinscheduler123", "admin123"} {
			_, err = w.signIn("admin", guess, "10.0.0.1")
			require.ErrorIs(t, err, identity.ErrCredentials)
		}

		w.advance(23 * time.Hour)
		created, second, err := w.EnsureAdmin(t.Context(), "")
		require.NoError(t, err)
		require.False(t, created)
		require.NotEmpty(t, second, "who lost the terminal starts again")
		_, err = w.SignInByLink(t.Context(), first.Reveal(), identity.Credentials{})
		require.ErrorIs(t, err, identity.ErrLink)
		w.advance(23 * time.Hour)
		in, err := w.SignInByLink(t.Context(), second.Reveal(), identity.Credentials{})
		require.NoError(t, err)
		require.True(t, in.User.Admin())

		_, third, err := w.EnsureAdmin(t.Context(), "")
		require.NoError(t, err)
		require.Empty(t, third, "once somebody got in, a start opens no door")
		p, err := w.Authenticate(t.Context(), in.Secret.Reveal())
		require.NoError(t, err)
		require.NoError(t, w.ChangePassword(access.WithPrincipal(t.Context(), p), "", good))
		require.NoError(t, w.EndSessions(access.WithPrincipal(t.Context(), p), false))
		_, fourth, err := w.EnsureAdmin(t.Context(), "")
		require.NoError(t, err)
		require.Empty(t, fourth)
	})
}

func TestTheFirstAdministratorCanHaveAPasswordFromTheEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.SQLite(t))
	_, _, err := w.EnsureAdmin(t.Context(), "admin")
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	created, link, err := w.EnsureAdmin(t.Context(), good)
	require.NoError(t, err)
	require.True(t, created)
	require.Empty(t, link)
	in := w.mustSignIn("admin")
	require.False(t, in.User.MustChangePassword)
	created, _, err = w.EnsureAdmin(t.Context(), "quite another 1")
	require.NoError(t, err)
	require.False(t, created)
	w.mustSignIn("admin") // a later environment does not change the password
}

func TestExpiredRowsAreRemoved(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ann, _ := w.add("ann", false)
		w.mustSignIn("ann")
		_, err := w.NewLink(w.system(), ann.ID)
		require.NoError(t, err)
		_, _ = w.signIn("ann", "wrong password 1", "10.0.0.5")
		w.advance(31 * 24 * time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, w.Run(ctx), context.DeadlineExceeded)
		for _, table := range []string{"session", "sign_in_link", "login_throttle"} {
			n, err := db.Get[int](t.Context(), w.db, "SELECT COUNT(*) FROM "+table)
			require.NoError(t, err)
			require.Zero(t, n, table)
		}
	})
}
