package instance_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/flow"
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
		w.attempt(t, id, 901, attempt{state: flow.TaskFailure})
		w.attempt(t, seen, 902, attempt{state: flow.TaskSuccess})
		w.Policy(t, access.Policy{Subject: access.Everybody, Permission: "instance.*", Project: w.project, Workflow: w.flow.Workflow.Code, Effect: access.EffectDeny})
		_, err = w.Get(w.gwen, id)
		require.ErrorIs(t, err, instance.ErrNotFound)
		page, err := w.List(w.gwen, w.project, listing.New(instance.Spec(), 1, 10, ""), instance.Filter{})
		require.NoError(t, err)
		require.Len(t, page.Items, 1)
		require.Equal(t, seen, page.Items[0].ID)
		tasks, err := w.ListTasks(w.gwen, w.project, listing.New(instance.TaskSpec(), 1, 10, ""), instance.Filter{})
		require.NoError(t, err)
		require.Len(t, tasks.Items, 1)
		for _, code := range []int64{w.project, 0} {
			stats, err := w.Stats(w.gwen, code, instance.Range{})
			require.NoError(t, err)
			require.Len(t, stats.Running, 1, "home shows what may be seen")
			require.Equal(t, []instance.StateCount{{State: "SUBMITTED_SUCCESS", Count: 1}}, stats.Workflows)
			require.Equal(t, []instance.StateCount{{State: "SUCCESS", Count: 1}}, stats.Tasks)
			require.Equal(t, 1, stats.Projects[w.project].Running)
			stats, err = w.Stats(w.admin, code, instance.Range{})
			require.NoError(t, err)
			require.Equal(t, []instance.StateCount{{State: "SUBMITTED_SUCCESS", Count: 2}}, stats.Workflows, "nothing is hidden from administrators")
			require.Len(t, stats.Tasks, 2)
			require.Equal(t, 2, stats.Projects[w.project].Running)
		}
		history, err := w.RunHistory(w.gwen, []int64{w.flow.Workflow.Code, other.Code})
		require.NoError(t, err)
		require.Empty(t, history[w.flow.Workflow.Code])
		require.Len(t, history[other.Code], 1)
		for path, want := range map[string]string{
			"/projects/analysis/workflow-state-count": `"totalCount":1,`, "/projects/analysis/task-state-count": `"taskInstanceStatusCounts":[`,
			"/projects/analysis/command-state-count": `{"errorCount":0,"normalCount":1,"commandState":"START_PROCESS"}`,
			"/v2/statistics/workflows/states/count":  `"totalCount":1,`, "/v2/statistics/tasks/states/count": `"totalCount":1,`,
		} {
			require.Contains(t, string(w.asked(t, w.General, http.MethodGet, path).Data), want, path)
		}
		grid := w.browser(t, w.General).Get("/projects/" + strconv.FormatInt(w.project, 10) + "/workflows/" + strconv.FormatInt(w.flow.Workflow.Code, 10) + "/grid")
		require.NotContains(t, grid.Body, "/instances/"+strconv.FormatInt(id, 10))
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

func TestNamesThatFitAreThoseOfRunsOneMaySee(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.start(t)
		orders, secret := w.online(t, "每日订单", "a").Workflow, w.online(t, "秘密", "a").Workflow
		var ids []int64
		for _, flow := range []int64{orders.Code, orders.Code, secret.Code} {
			id, err := w.Start(w.gwen, w.project, instance.StartRequest{WorkflowCode: flow})
			require.NoError(t, err)
			ids = append(ids, id)
		}
		w.Policy(t, access.Policy{Subject: access.Everybody, Permission: "instance.*", Project: w.project, Workflow: secret.Code, Effect: access.EffectDeny})
		found := func(ctx context.Context, limit int) (out []int64) {
			list, err := w.Fitting(ctx, func(name string) bool { require.Regexp(t, "^(每日订单|秘密)", name); return true }, limit)
			require.NoError(t, err)
			for k := range list {
				out = append(out, list[k].ID)
			}
			return out
		}
		require.Equal(t, []int64{ids[1], ids[0]}, found(w.gwen, 10))
		require.Equal(t, []int64{ids[1]}, found(w.gwen, 1))
		require.Equal(t, []int64{ids[2], ids[1], ids[0]}, found(w.admin, 10))
		stranger := access.WithPrincipal(t.Context(), access.Principal{UserID: 4711, Name: "stranger"})
		require.Empty(t, found(stranger, 10))
		_, err := w.Fitting(t.Context(), func(string) bool { return true }, 10)
		require.ErrorIs(t, err, access.ErrUnauthenticated)
	})
}
