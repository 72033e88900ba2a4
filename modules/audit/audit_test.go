package audit_test

import (
	"context"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
	"dorado/modules/audit"
)

func everybody(context.Context) error { return nil }

func list(t *testing.T, s *audit.Service, query string, p audit.Filter) listing.Page[audit.Row] {
	t.Helper()
	v, err := url.ParseQuery(query)
	require.NoError(t, err)
	page, err := s.List(t.Context(), listing.Parse(v, audit.Spec()), p)
	require.NoError(t, err)
	return page
}

func TestADeedIsRecordedWithItsTransactionOnly(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		at := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
		s := audit.New(audit.Deps{DB: d, Now: func() time.Time { return at }, MayList: everybody})
		ctx := audit.WithActor(t.Context(), audit.Actor{UserID: 7, Name: "ann"})
		entry := audit.Entry{
			Action: "user.create", ObjectType: "user", ObjectID: "9", ObjectName: "bob", ProjectCode: 5,
			Detail: map[string]any{"email": "b@x.org", "password": secret.String("hunter2")},
		}
		boom := errors.New("boom")
		require.ErrorIs(t, d.InTx(ctx, func(ctx context.Context) error {
			require.NoError(t, s.Record(ctx, entry))
			return boom
		}), boom)
		require.Zero(t, list(t, s, "", audit.Filter{}).Total)

		require.NoError(t, d.InTx(ctx, func(ctx context.Context) error { return s.Record(ctx, entry) }))
		page := list(t, s, "", audit.Filter{})
		require.Equal(t, 1, page.Total)
		row := page.Items[0]
		require.NotZero(t, row.ID)
		row.ID = 0
		require.Equal(t, audit.Row{
			At: at, UserID: 7, UserName: "ann", Action: "user.create", ObjectType: "user", ObjectID: "9", ObjectName: "bob", ProjectCode: 5,
			Detail: `{"email":"b@x.org","password":"***"}`,
		}, row)
	})
}

func TestTheLogIsFilteredByPersonActionAndTime(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		at := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
		s := audit.New(audit.Deps{DB: d, Now: func() time.Time { at = at.Add(time.Hour); return at }, MayList: everybody})
		for _, who := range []string{"ann", "bob", "ann"} {
			ctx := audit.WithActor(t.Context(), audit.Actor{UserID: 1, Name: who})
			require.NoError(t, s.Record(ctx, audit.Entry{Action: "tenant.edit", ObjectType: "tenant", ObjectName: "100%"}))
		}
		require.NoError(t, s.Record(t.Context(), audit.Entry{Action: "user.delete", ObjectType: "user"}))

		require.Equal(t, 2, list(t, s, "user=ann", audit.Filter{}).Total)
		require.Equal(t, 3, list(t, s, "q=%25", audit.Filter{}).Total)
		require.Equal(t, "system", list(t, s, "type=user", audit.Filter{}).Items[0].UserName)
		require.Equal(t, 2, list(t, s, "", audit.Filter{From: at.Add(-2 * time.Hour), To: at}).Total)
		require.Equal(t, "user.delete", list(t, s, "page=9", audit.Filter{}).Items[0].Action, "newest first; a page that is gone shows the last one")
	})
}

func TestNobodyReadsTheLogUnlessAllowed(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	_, err := audit.New(audit.Deps{DB: d, Now: time.Now}).List(t.Context(), listing.New(audit.Spec(), 1, 10, ""), audit.Filter{})
	require.ErrorIs(t, err, audit.ErrForbidden)
	boom := errors.New("no")
	s := audit.New(audit.Deps{DB: d, Now: time.Now, MayList: func(context.Context) error { return boom }})
	_, err = s.List(t.Context(), listing.New(audit.Spec(), 1, 10, ""), audit.Filter{})
	require.ErrorIs(t, err, boom)
}
