package instance_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/instance"
	"dorado/modules/project"
)

func TestARuleKeepsOneWorkflowFromBeingRun(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		id := w.start(t)
		other := w.online(t, "other", "a").Workflow
		w.Policy(t, access.Policy{Subject: access.Everybody, Permission: instance.Operate, Project: w.project, Workflow: w.flow.Workflow.Code, Effect: access.EffectDeny})
		_, err := w.Start(w.gwen, w.project, instance.StartRequest{WorkflowCode: w.flow.Workflow.Code})
		require.ErrorIs(t, err, project.ErrNoGrant)
		_, err = w.Get(w.gwen, id)
		require.NoError(t, err, "what ran may be seen")
		require.ErrorIs(t, w.SavePreset(w.gwen, w.flow.Workflow, "fast", instance.StartRequest{}), project.ErrNoGrant)
		_, err = w.Start(w.gwen, w.project, instance.StartRequest{WorkflowCode: other.Code})
		require.NoError(t, err)
		_, err = w.Start(w.admin, w.project, instance.StartRequest{WorkflowCode: w.flow.Workflow.Code})
		require.NoError(t, err)
	})
}

func TestRunsThatARuleHidesAreInNoList(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		id := w.start(t)
		other := w.online(t, "other", "a").Workflow
		seen, err := w.Start(w.gwen, w.project, instance.StartRequest{WorkflowCode: other.Code})
		require.NoError(t, err)
		w.Policy(t, access.Policy{Subject: access.Everybody, Permission: "instance.*", Project: w.project, Workflow: w.flow.Workflow.Code, Effect: access.EffectDeny})
		_, err = w.Get(w.gwen, id)
		require.ErrorIs(t, err, instance.ErrNotFound)
		page, err := w.List(w.gwen, w.project, listing.New(instance.Spec(), 1, 10, ""), instance.Filter{})
		require.NoError(t, err)
		require.Len(t, page.Items, 1)
		require.Equal(t, seen, page.Items[0].ID)
		tasks, err := w.ListTasks(w.gwen, w.project, listing.New(instance.TaskSpec(), 1, 10, ""), instance.Filter{})
		require.NoError(t, err)
		require.Empty(t, tasks.Items)
		for _, code := range []int64{w.project, 0} {
			stats, err := w.Stats(w.gwen, code, instance.Range{})
			require.NoError(t, err)
			require.Len(t, stats.Running, 1, "home shows what may be seen")
		}
		all, err := w.List(w.admin, w.project, listing.New(instance.Spec(), 1, 10, ""), instance.Filter{})
		require.NoError(t, err)
		require.Len(t, all.Items, 2)
	})
}

func TestARunIsSentToWorkerGroupsOfWhoStartsIt(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	bob := w.member(t, "bob", access.Operate)
	w.exec(t, `INSERT INTO worker_group (name, created_at, updated_at) VALUES ('gpu', ?, ?)`, time.Now(), time.Now())
	r := instance.StartRequest{WorkflowCode: w.flow.Workflow.Code, WorkerGroup: "gpu"}
	_, err := w.Start(w.gwen, w.project, r)
	require.NoError(t, err)
	require.NoError(t, w.Access.GrantObject(t.Context(), bob.UserID, access.WorkerGroup, "gpu", access.PermAll))
	_, err = w.Start(w.gwen, w.project, r)
	require.ErrorIs(t, err, instance.ErrGroupDenied)
	_, err = w.Start(access.WithPrincipal(t.Context(), bob), w.project, r)
	require.NoError(t, err)
}

func TestWhoMayNotOperateDecidesNothing(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	a := &instance.Approval{ProjectCode: w.project, WorkflowCode: w.flow.Workflow.Code, Role: "OPERATE"}
	bob, root := w.member(t, "bob", access.Operate), w.Admin
	require.True(t, w.MayDecide(access.WithPrincipal(t.Context(), bob), a))
	root.Scope = []string{"*.read"}
	require.False(t, w.MayDecide(access.WithPrincipal(t.Context(), root), a), "a token to read with, though an administrator's")
	w.Policy(t, access.Policy{Subject: access.UserSubject(bob.UserID), Permission: instance.Operate, Workflow: a.WorkflowCode, Effect: access.EffectDeny})
	require.False(t, w.MayDecide(access.WithPrincipal(t.Context(), bob), a))
	require.True(t, w.MayDecide(w.gwen, a))
}
