package auditlog_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/security/auditlog"
	"dorado/modules/security/crudtest"
)

func TestTheAuditLogSaysWhoDidWhatToAdministratorsOnly(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := crudtest.NewApp(t, d)
		log := audit.New(audit.Deps{DB: d, Now: time.Now, MayList: func(ctx context.Context) error { return a.Access.Require(ctx, access.AuditRead) }})
		m := auditlog.New(auditlog.Deps{Audit: log, Access: a.Access, Site: a.Site, Frame: a.Frame})
		ctx := access.WithPrincipal(t.Context(), a.Admin)
		require.NoError(t, log.Record(ctx, audit.Entry{Action: "tenant.create", ObjectType: "tenant", ObjectID: "7", ObjectName: "<b>etl</b>", Detail: map[string]any{"queue": 1, "code": "etl"}}))
		require.NoError(t, log.Record(ctx, audit.Entry{Action: "comet.launch", ObjectType: "comet", ObjectID: "8", ObjectName: "halley"}))
		b := a.Browser(t, m.Routes)

		page := b.As(crudtest.As(a.Admin)).Get(auditlog.Path).Require(http.StatusOK)
		require.Equal(t, []string{"launch", "Create"}, page.Texts("tbody td:nth-child(3)"), "the newest first; an unknown deed stands for itself")
		require.Contains(t, page.Text("tbody tr:nth-child(2)"), "<b>etl</b>")
		require.NotContains(t, page.Body, "<b>etl</b>")
		require.Contains(t, page.Text("tbody tr:nth-child(2)"), "code: etl, queue: 1")
		only := b.As(crudtest.As(a.Admin)).In("zh-CN").Get(auditlog.Path + "?type=tenant")
		require.Equal(t, []string{"创建"}, only.Texts("tbody td:nth-child(3)"))
		require.Contains(t, only.Text(".chips"), "租户")

		b.As(crudtest.As(a.General)).Get(auditlog.Path).Require(http.StatusForbidden)
		b.Get(auditlog.Path).Require(http.StatusSeeOther)
	})
}
