package audit_test

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
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

func TestAnEntryKeepsOfTwoStatesWhatDiffers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := audit.New(audit.Deps{DB: d, Now: time.Now, MayList: everybody})
		type thing struct {
			Name      string
			Size      int
			Password  secret.String
			Hidden    string `json:"-"`
			UpdatedAt time.Time
			Text      string
		}
		was := thing{"a", 1, "hunter2", "hunter2", time.Unix(1, 0), "x"}
		is := thing{"a", 2, "hunter3", "hunter3", time.Unix(2, 0), strings.Repeat("文", 50_000)}
		record := func(e audit.Entry) audit.Row {
			t.Helper()
			e.Action, e.ObjectType = "thing.do", "thing"
			require.NoError(t, s.Record(t.Context(), e))
			return list(t, s, "sort=-at", audit.Filter{}).Items[0]
		}
		both := record(audit.Entry{Before: was, After: is})
		require.JSONEq(t, `{"Size":1,"Text":"x"}`, both.Before)
		require.Contains(t, both.After, "(150002 bytes)")
		require.Less(t, len(both.After), 2000, "of a long text the beginning is kept")
		require.NotContains(t, both.Before+both.After, "hunter")
		made := record(audit.Entry{Detail: audit.Change{After: was, Detail: map[string]int{"n": 1}}})
		require.Empty(t, made.Before)
		require.Contains(t, made.After, `"Password":"***"`)
		require.NotContains(t, made.After, "hunter")
		require.JSONEq(t, `{"n":1}`, made.Detail)
		odd := record(audit.Entry{Before: []int{1}, After: "text"})
		require.Equal(t, "[1]", odd.Before)
		require.Equal(t, `"text"`, odd.After)
	})
}

func TestEachGoesThroughAllPagesAndStopsAtItsLimit(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	s := audit.New(audit.Deps{DB: d, Now: time.Now, MayList: everybody})
	for n := range 1100 {
		require.NoError(t, s.Record(t.Context(), audit.Entry{Action: "thing.do", ObjectType: "thing", ObjectName: strconv.Itoa(n)}))
	}
	var names []string
	more, err := s.Each(t.Context(), listing.New(audit.Spec(), 1, 10, ""), audit.Filter{Types: []string{"thing"}}, 1050, func(r audit.Row) error {
		names = append(names, r.ObjectName)
		return nil
	})
	require.NoError(t, err)
	require.True(t, more)
	require.Len(t, names, 1050)
	require.Equal(t, "1099", names[0])
	require.Equal(t, "50", names[1049])
	_, err = audit.New(audit.Deps{DB: d, Now: time.Now}).Each(t.Context(), listing.New(audit.Spec(), 1, 10, ""), audit.Filter{}, 1, nil)
	require.ErrorIs(t, err, audit.ErrForbidden)
}
