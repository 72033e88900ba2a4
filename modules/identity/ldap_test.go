package identity_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
	"dorado/app/kit/testkit"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/identity"
	"dorado/modules/identity/directory"
	"dorado/modules/identity/directory/directorytest"
)

const theirs secret.String = directorytest.Password

// asking makes a service that asks the directory as change sets it up.
func (w *world) asking(server directorytest.Server, change func(*directory.Config)) *identity.Service {
	w.t.Helper()
	cfg := server.Config()
	if change != nil {
		change(&cfg)
	}
	client, err := directory.Open(cfg)
	require.NoError(w.t, err)
	return w.with(func(d *identity.Deps) { d.Directory = client })
}

func signIn(t *testing.T, s *identity.Service, name string, password secret.String) (identity.SignedIn, error) {
	t.Helper()
	return s.SignIn(t.Context(), identity.Credentials{Name: name, Password: password, Client: "10.0.0.1"})
}

func TestTheFirstSignInFromTheDirectoryMakesAUserWithoutAPassword(t *testing.T) {
	t.Parallel()
	server := directorytest.Start(t)
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		s := w.asking(server, nil)
		first, err := signIn(t, s, "ann", theirs)
		require.NoError(t, err)
		require.Equal(t, identity.ByDirectory, first.Method)
		require.Equal(t, identity.LDAP, first.User.Source)
		require.Equal(t, "ann@example.org", first.User.Email)
		require.False(t, first.User.Admin())
		hash, err := db.Get[string](t.Context(), w.db, "SELECT password_hash FROM users WHERE name = 'ann'")
		require.NoError(t, err)
		require.Empty(t, hash, "the password stays where it is")

		again, err := signIn(t, s, "Ann", theirs)
		require.NoError(t, err)
		require.Equal(t, first.User.ID, again.User.ID, "the directory ignores case, and there is one user")
		sessions, err := s.SessionsOf(w.system(), first.User.ID)
		require.NoError(t, err)
		require.Len(t, sessions, 2)
		require.Equal(t, identity.ByDirectory, sessions[0].Method)
		stored, err := s.Get(w.system(), first.User.ID)
		require.NoError(t, err)
		require.NotNil(t, stored.LastSignInAt)

		for _, password := range []secret.String{"wrong password 1", ""} {
			_, err = signIn(t, s, "ann", password)
			require.ErrorIs(t, err, identity.ErrCredentials)
		}
		p, err := s.Authenticate(t.Context(), first.Secret.Reveal())
		require.NoError(t, err)
		ctx := access.WithPrincipal(t.Context(), p)
		require.ErrorIs(t, s.ChangePassword(ctx, theirs, good), identity.ErrNoPassword)
		require.ErrorIs(t, s.SetPassword(w.system(), first.User.ID, good, false), identity.ErrNoPassword)
		_, err = s.NewLink(w.system(), first.User.ID)
		require.ErrorIs(t, err, identity.ErrNoPassword, "a link would end in a password")
		_, err = signIn(t, w.Service, "ann", theirs)
		require.ErrorIs(t, err, identity.ErrCredentials, "without the directory there is nobody to ask")

		require.NoError(t, s.SetEnabled(w.system(), first.User.ID, false))
		_, err = s.Authenticate(t.Context(), first.Secret.Reveal())
		require.ErrorIs(t, err, access.ErrUnauthenticated)
		_, err = signIn(t, s, "ann", theirs)
		require.ErrorIs(t, err, identity.ErrDisabled)
		_, err = signIn(t, s, "ann", "wrong password 1")
		require.ErrorIs(t, err, identity.ErrCredentials, "whether an account is disabled is told to who knows the password only")
		log, err := w.audit.List(t.Context(), listing.New(audit.Spec(), 1, 10, "user.create"), audit.Filter{})
		require.NoError(t, err)
		require.Equal(t, 1, log.Total)
	})
}

func TestUsersOfOurOwnNeverDependOnTheDirectory(t *testing.T) {
	t.Parallel()
	server := directorytest.Start(t)
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.add("root", true)
		w.add("ann", false) // the directory has an ann, too
		s := w.asking(server, nil)
		_, err := signIn(t, s, "ann", theirs)
		require.ErrorIs(t, err, identity.ErrCredentials, "the name is taken here, and only our password opens it")
		_, err = signIn(t, s, "ANN", theirs)
		require.ErrorIs(t, err, identity.ErrElsewhere, "in whatever case")
		in, err := signIn(t, s, "ann", good)
		require.NoError(t, err)
		require.Equal(t, identity.ByPassword, in.Method)

		port, err := testkit.FreePort(t.Context())
		require.NoError(t, err)
		away := w.asking(server, func(c *directory.Config) { c.URLs = []string{"ldaps://127.0.0.1:" + strconv.Itoa(port)} })
		_, err = signIn(t, away, "root", good)
		require.NoError(t, err, "an administrator gets in while the directory is away")
		for range 30 {
			_, err = signIn(t, away, "carol", theirs)
			require.ErrorIs(t, err, identity.ErrAway, "and nobody is held back for that")
		}
		_, err = signIn(t, s, "carol", theirs)
		require.NoError(t, err)
		for range 20 {
			_, err = s.SignIn(t.Context(), identity.Credentials{Name: "bob", Password: "wrong password 1", Client: "192.0.2.1"})
		}
		require.ErrorIs(t, err, identity.ErrThrottled, "guessing is slow there as well")
	})
}

func TestTheGroupOfAdministratorsIsFollowed(t *testing.T) {
	t.Parallel()
	server := directorytest.Start(t)
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		grouped := w.asking(server, func(c *directory.Config) { c.AdminGroup = directorytest.Admins })
		bob, err := signIn(t, grouped, "bob", theirs)
		require.NoError(t, err)
		require.True(t, bob.User.Admin())
		p, err := grouped.Authenticate(t.Context(), bob.Secret.Reveal())
		require.NoError(t, err)
		require.NoError(t, w.access.Require(access.WithPrincipal(t.Context(), p), identity.UserEdit))

		nobody := w.asking(server, func(c *directory.Config) { c.AdminUser = "carol" })
		bob, err = signIn(t, nobody, "bob", theirs)
		require.NoError(t, err)
		require.True(t, bob.User.Admin(), "the last administrator stays one")
		w.add("root", true)
		bob, err = signIn(t, nobody, "bob", theirs)
		require.NoError(t, err)
		require.False(t, bob.User.Admin())
		require.ErrorIs(t, w.access.Require(access.WithPrincipal(t.Context(), p), identity.UserEdit), access.ErrDenied, "at once")
		_, err = nobody.Update(w.system(), bob.User.ID, identity.Draft{Name: "bob", Admin: true, Enabled: true})
		require.NoError(t, err)
		silent := w.asking(server, nil)
		bob, err = signIn(t, silent, "bob", theirs)
		require.NoError(t, err)
		require.True(t, bob.User.Admin(), "a directory that says nothing about it changes nothing")
	})
}

func TestWhoIsToBeMadeBeforehandIsClaimedOnce(t *testing.T) {
	t.Parallel()
	server := directorytest.Start(t)
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.add("root", true)
		s := w.asking(server, func(c *directory.Config) { c.OnMissing = directory.Deny })
		_, err := signIn(t, s, "ann", theirs)
		require.ErrorIs(t, err, identity.ErrUnknown)
		_, err = signIn(t, s, "ann", "wrong password 1")
		require.ErrorIs(t, err, identity.ErrCredentials)
		_, err = s.Find(w.system(), "ann")
		require.ErrorIs(t, err, identity.ErrNotFound)

		ann, err := s.Create(w.system(), identity.Draft{Name: "ann", Source: identity.LDAP, Enabled: true})
		require.NoError(t, err)
		in, err := signIn(t, s, "ann", theirs)
		require.NoError(t, err)
		require.Equal(t, ann.ID, in.User.ID)
		require.NotEmpty(t, in.User.ExternalID)

		// Somebody else gets the name in the directory: that is somebody else.
		_, err = s.Update(w.system(), ann.ID, identity.Draft{Name: "ann", Source: identity.LDAP, ExternalID: "00000000-1111", Enabled: true})
		require.NoError(t, err)
		_, err = signIn(t, s, "ann", theirs)
		require.ErrorIs(t, err, identity.ErrElsewhere)
		// And who is renamed stays who he is.
		_, err = s.Update(w.system(), ann.ID, identity.Draft{Name: "ann.before", Source: identity.LDAP, ExternalID: in.User.ExternalID, Enabled: true})
		require.NoError(t, err)
		in, err = signIn(t, s, "ann", theirs)
		require.NoError(t, err)
		require.Equal(t, ann.ID, in.User.ID)
		require.Equal(t, "ann.before", in.User.Name)

		_, err = s.Create(w.system(), identity.Draft{Name: "second", Source: identity.LDAP, ExternalID: in.User.ExternalID, Enabled: true})
		require.ErrorIs(t, err, identity.ErrExternal)
		require.Contains(t, fields(err), "external_id")
	})
}

func TestAUserMovesToTheDirectoryAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.SQLite(t))
	root, _ := w.add("root", true)
	carol, _ := w.add("carol", false)
	in := w.mustSignIn("carol")
	d := identity.Draft{Name: "carol", Source: identity.LDAP, Enabled: true}
	moved, err := w.Update(w.system(), carol.ID, d)
	require.NoError(t, err)
	require.False(t, moved.HasPassword())
	_, err = w.Authenticate(t.Context(), in.Secret.Reveal())
	require.ErrorIs(t, err, access.ErrUnauthenticated)
	_, err = w.signIn("carol", good, "")
	require.ErrorIs(t, err, identity.ErrCredentials, "the password of before opens nothing")
	d.Source, d.Email = identity.Local, "c@example.org"
	_, err = w.Update(w.system(), carol.ID, d)
	require.Contains(t, fields(err), "password", "back here one is needed")
	d.Password = good
	_, err = w.Update(w.system(), carol.ID, d)
	require.NoError(t, err)
	w.mustSignIn("carol")

	_, err = w.Update(w.system(), root.ID, identity.Draft{Name: "root", Source: identity.LDAP, Admin: true, Enabled: true})
	require.ErrorIs(t, err, identity.ErrLastAdmin, "somebody must get in when the directory is away")
	for field, d := range map[string]identity.Draft{
		"password":    {Name: "dave", Source: identity.LDAP, Password: good},
		"source":      {Name: "dave", Source: "KERBEROS"},
		"external_id": {Name: "dave", Source: identity.OIDC},
	} {
		_, err = w.Create(w.system(), d)
		require.Contains(t, fields(err), field)
	}
}
