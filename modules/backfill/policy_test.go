package backfill_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/backfill"
	"dorado/modules/instance"
	"dorado/modules/project"
)

func TestARuleReachesTheBackfillsOfItsWorkflow(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		b := w.start(t, w.request(3, 1))
		deny := func(p access.Permission) {
			w.Policy(t, access.Policy{Subject: access.Everybody, Permission: p, Project: w.project, Workflow: w.flow.Workflow.Code, Effect: access.EffectDeny})
		}
		deny(instance.Operate)
		require.ErrorIs(t, w.Pause(w.gwen, w.project, b.ID), project.ErrNoGrant)
		_, err := w.Start(w.gwen, w.project, w.request(3, 1), "")
		require.ErrorIs(t, err, project.ErrNoGrant)
		_, err = w.Get(w.gwen, w.project, b.ID)
		require.NoError(t, err)
		deny(instance.Read)
		_, err = w.Get(w.gwen, w.project, b.ID)
		require.ErrorIs(t, err, backfill.ErrNotFound)
		page, err := w.List(w.gwen, w.project, listing.New(backfill.Spec(), 1, 10, ""))
		require.NoError(t, err)
		require.Empty(t, page.Items)
		require.NoError(t, w.Pause(access.WithPrincipal(t.Context(), w.Admin), w.project, b.ID))
	})
}
