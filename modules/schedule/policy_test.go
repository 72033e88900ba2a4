package schedule_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/project"
	"dorado/modules/schedule"
)

func TestARuleReachesTheSchedulesOfItsWorkflow(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		s := w.schedule(t, draft("0 0 2 * * ? *"))
		deny := func(p access.Permission) {
			w.Policy(t, access.Policy{Subject: access.Everybody, Permission: p, Project: w.project, Workflow: w.flow.Workflow.Code, Effect: access.EffectDeny})
		}
		deny(schedule.Release)
		_, err := w.Online(w.gwen, w.project, s.ID)
		require.ErrorIs(t, err, project.ErrNoGrant)
		_, err = w.Get(w.gwen, w.project, s.ID)
		require.NoError(t, err)
		deny("schedule.*")
		_, err = w.Get(w.gwen, w.project, s.ID)
		require.ErrorIs(t, err, schedule.ErrNotFound)
		require.ErrorIs(t, w.Delete(w.gwen, w.project, s.ID), schedule.ErrNotFound)
		_, err = w.Create(w.gwen, w.project, w.flow.Workflow.Code, draft("0 0 3 * * ? *"))
		require.ErrorIs(t, err, project.ErrNoGrant)
		page, err := w.List(w.gwen, w.project, listing.New(schedule.Spec(), 1, 10, ""))
		require.NoError(t, err)
		require.Zero(t, page.Total)
		all, err := w.All(w.gwen, w.project)
		require.NoError(t, err)
		require.Empty(t, all)
		_, err = w.Online(w.admin, w.project, s.ID)
		require.NoError(t, err)
	})
}
