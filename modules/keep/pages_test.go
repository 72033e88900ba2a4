package keep_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/keep"
	"dorado/modules/security/crudtest"
)

func TestThePageSaysHowLongWhatStaysAndStartsARemoval(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := crudtest.NewApp(t, d, keep.Rules())
		r := keep.NewRetention(keep.RetentionDeps{DB: d, Audit: a.Audit, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Config: keep.DefaultConfig()})
		m := keep.NewModule(keep.PageDeps{Retention: r, Access: a.Access, Site: a.Site, Frame: a.Frame})
		b := a.Browser(t, m.Routes)
		admin := b.As(crudtest.As(a.Admin))

		page := admin.Get(keep.Path).Require(http.StatusOK)
		require.Len(t, page.Texts("tbody tr"), len(keep.Subjects()))
		require.Contains(t, page.Text("tbody tr:nth-child(1)"), "Kept for ever")
		require.Contains(t, page.Text("tbody tr:nth-child(5)"), "90 days")
		require.Contains(t, page.Text("[data-test='retention.last']"), "Nothing was removed yet")
		require.NotContains(t, page.Body, "every 2s", "nothing changes by itself")
		require.Contains(t, admin.In("zh-CN").Get(keep.Path).Text("h1"), "数据清理")

		admin.Post(keep.Path + "/run").Require(http.StatusSeeOther)
		page = admin.Get(keep.Path)
		require.Contains(t, page.Text(".note"), "Waiting for a master")
		require.Contains(t, page.Body, "every 2s", "the page waits with whoever looks at it")
		require.Equal(t, []string{"retention.run"}, a.Audited(t))

		_, err := r.Pass(access.WithPrincipal(t.Context(), a.Admin), "ada")
		require.NoError(t, err)
		_, err = d.Exec(t.Context(), `DELETE FROM setting WHERE name = 'retention.request'`)
		require.NoError(t, err)
		require.Contains(t, admin.Get(keep.Path).Text("[data-test='retention.last']"), "started by ada")

		general := b.As(crudtest.As(a.General))
		general.Get(keep.Path).Require(http.StatusForbidden)
		general.Post(keep.Path + "/run").Require(http.StatusForbidden)
		require.Len(t, a.Audited(t), 1)
		b.Get(keep.Path).Require(http.StatusSeeOther)
	})
}
