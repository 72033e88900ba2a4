package boot

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/audit"
)

func TestRefusalsAreNotedOnceInAWhileWithTheirRoute(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
		clock := func() time.Time { return now }
		log := audit.New(audit.Deps{DB: d, Now: clock, MayList: func(context.Context) error { return nil }})
		f := newRefusals(log, slog.New(slog.DiscardHandler), clock)
		refuse := func(user int64, path string, err error) {
			t.Helper()
			r := chi.NewRouter()
			r.Get("/things/{secret}/{id}", func(_ http.ResponseWriter, r *http.Request) { f.note(r, err) })
			ctx := t.Context()
			if user != 0 {
				ctx = access.WithPrincipal(ctx, access.Principal{UserID: user, Name: "ann"})
			}
			r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
		}
		denied := access.ErrDenied.With("permission", "thing.read")
		for range 5 {
			refuse(7, "/things/hush/1", denied)
		}
		refuse(0, "/things/hush/1", denied)
		refuse(7, "/things/hush/2", errors.New("odd"))
		now = now.Add(refusalEvery)
		refuse(7, "/things/hush/1", denied)
		page, err := log.List(t.Context(), listing.New(audit.Spec(), 1, 10, ""), audit.Filter{})
		require.NoError(t, err)
		require.Equal(t, 3, page.Total, "five in a row are one, somebody who is not signed in is nobody, and later it is told again")
		last := page.Items[0]
		require.Equal(t, "access.refused", last.Action)
		require.Equal(t, "ann", last.UserName)
		require.Equal(t, "thing.read", last.ObjectName)
		require.JSONEq(t, `{"method":"GET","route":"/things/{secret}/{id}"}`, last.Detail, "not what stood in the address")
	})
}
