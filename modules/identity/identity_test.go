package identity_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/identity"
)

const good = secret.String("correct horse 7")

// world is a service on a fresh database with a clock that only the test moves.
type world struct {
	*identity.Service

	t      *testing.T
	db     *db.DB
	access *access.Service
	audit  *audit.Service

	mu      sync.Mutex
	clock   time.Time
	tenants map[int64]bool
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

func (w *world) TenantExists(_ context.Context, id int64) (bool, error) { return w.tenants[id], nil }

// each runs fn on both databases. Passwords are hashed cheaply.
func each(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { fn(t, newWorld(t, d)) })
}

func newWorld(t *testing.T, d *db.DB) *world {
	t.Helper()
	w := &world{t: t, db: d, clock: time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC), tenants: map[int64]bool{}}
	w.audit = audit.New(audit.Deps{DB: d, Now: w.now, MayList: func(context.Context) error { return nil }})
	var err error
	w.access, err = access.New(t.Context(), access.Deps{DB: d, Log: slog.New(slog.DiscardHandler), Now: w.now, Rules: identity.Rules()})
	require.NoError(t, err)
	w.Service = w.another(identity.Cost{MemoryKiB: 64, Passes: 1})
	return w
}

// another is a second process on the same database.
func (w *world) another(cost identity.Cost) *identity.Service {
	return w.with(func(d *identity.Deps) { d.Cost = cost })
}

// with is a service on the same database that is set up differently.
func (w *world) with(change func(*identity.Deps)) *identity.Service {
	d := identity.Deps{
		DB: w.db, Log: slog.New(slog.DiscardHandler), Now: w.now, Access: w.access, Audit: w.audit, Tenants: w,
		Cost: identity.Cost{MemoryKiB: 64, Passes: 1},
	}
	change(&d)
	return identity.New(d)
}

func (w *world) system() context.Context { return access.WithPrincipal(w.t.Context(), access.System()) }

// add makes a user with the password good and returns a context in which that user acts.
func (w *world) add(name string, admin bool) (identity.User, context.Context) {
	w.t.Helper()
	u, err := w.Create(w.system(), identity.Draft{Name: name, Password: good, Admin: admin, Email: name + "@example.org", Enabled: true})
	require.NoError(w.t, err)
	return u, access.WithPrincipal(w.t.Context(), access.Principal{UserID: u.ID, Name: u.Name, Admin: admin})
}

func (w *world) signIn(name string, password secret.String, client string) (identity.SignedIn, error) {
	return w.SignIn(w.t.Context(), identity.Credentials{Name: name, Password: password, Client: client})
}

func (w *world) mustSignIn(name string) identity.SignedIn {
	w.t.Helper()
	in, err := w.signIn(name, good, "10.0.0.1")
	require.NoError(w.t, err)
	return in
}

// fields returns the message key of each field of a fault.
func fields(err error) map[string]string {
	out := map[string]string{}
	if f := fault.From(err); f != nil {
		for _, x := range f.Fields {
			out[x.Name] = x.Key
		}
	}
	return out
}

func TestAdministratorsManageUsersAndOthersDoNot(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, admin := w.add("root", true)
		ann, annCtx := w.add("ann", false)
		draft := identity.Draft{Name: "bob", Password: good, Email: "bob@example.org", Enabled: true}

		for _, ctx := range []context.Context{annCtx, t.Context()} {
			_, err := w.Create(ctx, draft)
			require.Contains(t, []fault.Kind{fault.Forbidden, fault.Unauthenticated}, fault.KindOf(err))
			_, err = w.List(ctx, listing.New(identity.Spec(), 1, 10, ""))
			require.Error(t, err)
			_, err = w.Update(ctx, ann.ID, draft)
			require.Error(t, err)
			require.Error(t, w.Delete(ctx, ann.ID))
			require.Error(t, w.SetEnabled(ctx, ann.ID, false))
			require.Error(t, w.SetPassword(ctx, ann.ID, good, false))
			_, err = w.NewLink(ctx, ann.ID)
			require.Error(t, err)
		}
		_, err := w.Get(annCtx, ann.ID)
		require.NoError(t, err, "everybody may read himself")

		bob, err := w.Create(admin, draft)
		require.NoError(t, err)
		_, err = w.Get(annCtx, bob.ID)
		require.ErrorIs(t, err, access.ErrDenied)
		read, err := w.Get(admin, bob.ID)
		require.NoError(t, err)
		require.Equal(t, bob, read)

		page, err := w.List(admin, listing.New(identity.Spec(), 1, 10, "BOB"))
		require.NoError(t, err)
		require.Equal(t, 1, page.Total)
		names, err := w.Names(t.Context(), []int64{ann.ID, bob.ID, 4711})
		require.NoError(t, err)
		require.Equal(t, map[int64]string{ann.ID: "ann", bob.ID: "bob"}, names)

		require.NoError(t, w.Delete(admin, bob.ID))
		require.ErrorIs(t, w.Delete(admin, bob.ID), identity.ErrNotFound)
		log, err := w.audit.List(t.Context(), listing.New(audit.Spec(), 1, 10, "user.delete"), audit.Filter{})
		require.NoError(t, err)
		require.Equal(t, 1, log.Total)
		require.Equal(t, "root", log.Items[0].UserName)
		require.Equal(t, "bob", log.Items[0].ObjectName)
	})
}

func TestDraftsAreChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.SQLite(t))
	for name, c := range map[string]struct {
		change func(*identity.Draft)
		field  string
	}{
		"short name":       {func(d *identity.Draft) { d.Name = "ab" }, "name"},
		"markup in name":   {func(d *identity.Draft) { d.Name = "<b>x</b>" }, "name"},
		"reserved name":    {func(d *identity.Draft) { d.Name = "System" }, "name"},
		"no mail":          {func(d *identity.Draft) { d.Email = "" }, "email"},
		"mail with name":   {func(d *identity.Draft) { d.Email = "Bob <bob@example.org>" }, "email"},
		"mail header":      {func(d *identity.Draft) { d.Email = "bob@example.org\r\nBcc: x@y.z" }, "email"},
		"mail without dot": {func(d *identity.Draft) { d.Email = "bob@localhost" }, "email"},
		"phone":            {func(d *identity.Draft) { d.Phone = "030 123456" }, "phone"},
		"tenant":           {func(d *identity.Draft) { d.TenantID = 99 }, "tenant_id"},
		"negative tenant":  {func(d *identity.Draft) { d.TenantID = -1 }, "tenant_id"},
		"queue":            {func(d *identity.Draft) { d.Queue = "a\x00b" }, "queue"},
		"no password":      {func(d *identity.Draft) { d.Password = "" }, "password"},
		"short password":   {func(d *identity.Draft) { d.Password = "a1b2c3" }, "password"},
		"long password":    {func(d *identity.Draft) { d.Password = secret.String(longText(73)) }, "password"},
		"one class":        {func(d *identity.Draft) { d.Password = "correcthorse" }, "password"},
		"common":           {func(d *identity.Draft) { d.Password = "Password123" }, "password"},
		"own name":         {func(d *identity.Draft) { d.Name, d.Password = "bob-smith-7", "Bob-Smith-7" }, "password"},
	} {
		d := identity.Draft{Name: "bob", Password: good, Email: "bob@example.org", Phone: "+4930123456", Enabled: true}
		c.change(&d)
		_, err := w.Create(w.system(), d)
		require.Equal(t, fault.Invalid, fault.KindOf(err), name)
		require.Contains(t, fields(err), c.field, name)
		require.Len(t, fields(err), 1, name)
	}
	for _, password := range []secret.String{"pässwörter 1", "13572468!", secret.String(longText(72)), "密码密码密码密码1", "dolphinscheduler123"} {
		require.NoError(t, w.Policy().Check(password, "bob"))
	}
}

func longText(n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = "ab1"[i%3]
	}
	return string(out)
}

func TestNamesAreUniqueWhateverTheCase(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.add("ann", false)
		for _, name := range []string{"ann", "Ann"} {
			_, err := w.Create(w.system(), identity.Draft{Name: name, Password: good, Email: "a@example.org", Enabled: true})
			require.ErrorIs(t, err, identity.ErrNameTaken)
			require.Contains(t, fields(err), "name")
		}
	})
}

func TestAUserChangedMeanwhileIsNotOverwritten(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ann, _ := w.add("ann", false)
		d := identity.Draft{Name: "ann", Email: "first@example.org", Enabled: true, Seen: ann.UpdatedAt}
		_, err := w.Update(w.system(), ann.ID, d)
		require.NoError(t, err)
		d.Email = "second@example.org"
		_, err = w.Update(w.system(), ann.ID, d)
		require.ErrorIs(t, err, identity.ErrStale, "even within the same millisecond")
		d.Seen = time.Time{}
		_, err = w.Update(w.system(), ann.ID, d)
		require.NoError(t, err)
	})
}

func TestTenantsMustExistAndReferencesKeepAUser(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		queue, err := db.Get[int64](t.Context(), w.db, "INSERT INTO queue (name, value, created_at, updated_at) VALUES ('q', 'q', ?, ?) RETURNING id", w.now(), w.now())
		require.NoError(t, err)
		tenant, err := db.Get[int64](t.Context(), w.db, "INSERT INTO tenant (code, queue_id, created_at, updated_at) VALUES ('etl', ?, ?, ?) RETURNING id", queue, w.now(), w.now())
		require.NoError(t, err)
		w.tenants[tenant] = true
		u, err := w.Create(w.system(), identity.Draft{Name: "bob", Password: good, Email: "b@example.org", TenantID: tenant, Enabled: true})
		require.NoError(t, err)
		require.Equal(t, tenant, u.TenantID)
		n, err := w.UsersOfTenant(t.Context(), tenant)
		require.NoError(t, err)
		require.Equal(t, 1, n)

		r := &referrer{used: true}
		w.AddReferrer(r)
		require.ErrorIs(t, w.Delete(w.system(), u.ID), identity.ErrInUse)
		r.used = false
		_, err = w.db.Exec(t.Context(), "INSERT INTO project (code, name, owner_id, created_at, updated_at) VALUES (1, 'p', ?, ?, ?)", u.ID, w.now(), w.now())
		require.NoError(t, err)
		require.ErrorIs(t, w.Delete(w.system(), u.ID), identity.ErrInUse, "a referrer that forgot something must not lose data")
		_, err = w.db.Exec(t.Context(), "DELETE FROM project")
		require.NoError(t, err)
		require.NoError(t, w.Delete(w.system(), u.ID))
	})
}

type referrer struct{ used bool }

func (r *referrer) UserInUse(context.Context, int64) (bool, error) { return r.used, nil }

func TestThereIsAlwaysAnEnabledAdministrator(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		root, rootCtx := w.add("root", true)
		d := identity.Draft{Name: "root", Email: "r@example.org", Enabled: true}
		require.ErrorIs(t, w.Delete(rootCtx, root.ID), identity.ErrSelf)
		require.ErrorIs(t, w.SetEnabled(rootCtx, root.ID, false), identity.ErrSelf)
		_, err := w.Update(rootCtx, root.ID, d)
		require.ErrorIs(t, err, identity.ErrSelf, "demoting oneself")
		require.ErrorIs(t, w.Delete(w.system(), root.ID), identity.ErrLastAdmin)
		require.ErrorIs(t, w.SetEnabled(w.system(), root.ID, false), identity.ErrLastAdmin)

		second, secondCtx := w.add("second", true)
		errs := make(chan error, 2)
		go func() { errs <- w.Delete(rootCtx, second.ID) }()
		go func() { errs <- w.Delete(secondCtx, root.ID) }()
		a, b := <-errs, <-errs
		require.NotEqual(t, a == nil, b == nil, "two who remove each other at once: %v, %v", a, b)
	})
}

func TestRolesFollowTheTypeOfAUser(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.add("root", true)
		ann, annCtx := w.add("ann", false)
		d := identity.Draft{Name: "ann", Email: "a@example.org", Enabled: true, Admin: true}
		_, err := w.Update(w.system(), ann.ID, d)
		require.NoError(t, err)
		require.True(t, w.access.Can(annCtx, identity.UserEdit))
		d.Admin = false
		_, err = w.Update(w.system(), ann.ID, d)
		require.NoError(t, err)
		require.False(t, w.access.Can(annCtx, identity.UserEdit))
	})
}

func TestProfileAndPreferencesAreOnesOwn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, ctx := w.add("ann", false)
		_, err := w.UpdateProfile(ctx, identity.Profile{Email: " new@example.org ", Phone: "+4930123456"})
		require.NoError(t, err)
		_, err = w.UpdateProfile(ctx, identity.Profile{Email: "nonsense", Phone: "1"})
		require.Len(t, fields(err), 2)
		require.NoError(t, w.UpdatePreferences(ctx, identity.Preferences{Zone: "Asia/Shanghai", Locale: "zh", Theme: "dark", PageSize: 50}))
		err = w.UpdatePreferences(ctx, identity.Preferences{Zone: "../../etc/passwd", Locale: "xx", Theme: "<script>", PageSize: 7})
		require.Len(t, fields(err), 4)
		me, err := w.Me(ctx)
		require.NoError(t, err)
		require.Equal(t, "new@example.org", me.Email)
		require.Equal(t, "Asia/Shanghai", me.Zone)
		require.Equal(t, 50, me.PageSize)
		_, err = w.UpdateProfile(t.Context(), identity.Profile{})
		require.ErrorIs(t, err, access.ErrUnauthenticated)
	})
}
