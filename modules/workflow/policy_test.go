package workflow_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/workflow"
)

func TestAWorkflowThatARuleHidesIsAsIfItWereNotThere(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		secret, open := w.create(t, "secret", 1).Workflow, w.create(t, "open", 1).Workflow
		w.Policy(t, access.Policy{Subject: access.Everybody, Permission: "workflow.*", Project: w.project, Workflow: secret.Code, Effect: access.EffectDeny})
		_, err := w.workflows.Get(w.gwen, secret.Code)
		require.ErrorIs(t, err, workflow.ErrNotFound)
		_, err = w.workflows.In(w.gwen, w.project, secret.Code)
		require.ErrorIs(t, err, workflow.ErrNotFound)
		_, err = w.workflows.Definition(w.gwen, secret.Code, 1)
		require.ErrorIs(t, err, workflow.ErrNotFound)
		_, err = w.workflows.ByName(w.gwen, w.project, "secret")
		require.ErrorIs(t, err, workflow.ErrNotFound)
		_, err = w.workflows.Update(w.gwen, secret.Code, workflow.Change{Definition: w.chain("secret", 2)})
		require.ErrorIs(t, err, workflow.ErrNotFound)
		require.ErrorIs(t, w.workflows.Delete(w.gwen, secret.Code), workflow.ErrNotFound)
		page, err := w.workflows.List(w.gwen, w.project, listing.New(workflow.Spec(), 1, 10, ""))
		require.NoError(t, err)
		require.Equal(t, 1, page.Total)
		require.Equal(t, open.Code, page.Items[0].Code)
		counts, err := w.workflows.WorkflowCounts(w.gwen, []int64{w.project})
		require.NoError(t, err)
		require.Equal(t, map[int64]int{w.project: 1}, counts)
		all, err := w.workflows.All(w.gwen, w.project)
		require.NoError(t, err)
		require.Len(t, all, 1)
		taken, err := w.workflows.NameTaken(w.gwen, w.project, "secret", 0)
		require.NoError(t, err)
		require.True(t, taken, "what is hidden keeps its name")
		_, err = w.workflows.Get(w.admin, secret.Code)
		require.NoError(t, err, "administrators see everything")
	})
}

func TestARuleCanTakeOneVerbOfOneWorkflow(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		stable, open := w.create(t, "stable", 1).Workflow, w.create(t, "open", 1).Workflow
		w.Policy(t, access.Policy{Subject: access.RoleSubject(access.Owner), Permission: workflow.Edit, Project: w.project, Workflow: stable.Code, Effect: access.EffectDeny})
		_, err := w.workflows.Get(w.gwen, stable.Code)
		require.NoError(t, err)
		_, err = w.workflows.Update(w.gwen, stable.Code, workflow.Change{Definition: w.chain("stable", 2)})
		require.ErrorIs(t, err, project.ErrNoGrant)
		_, err = w.workflows.SaveDraft(w.gwen, workflow.Draft{ProjectCode: w.project, WorkflowCode: stable.Code, Body: "{}"})
		require.ErrorIs(t, err, project.ErrNoGrant)
		_, err = w.workflows.Update(w.gwen, open.Code, workflow.Change{Definition: w.chain("open", 2), BaseVersion: 1})
		require.NoError(t, err)
		_, err = w.workflows.Release(w.gwen, stable.Code, flow.Online)
		require.NoError(t, err, "another verb")
	})
}

func TestTasksAreSentToWorkerGroupsOfWhoSavesThem(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		bob := w.member(t, "bob", access.All)
		who, _ := access.From(bob)
		gpu := func() *flow.Definition {
			def := w.chain("train", 1)
			def.Tasks[0].WorkerGroup = "gpu"
			return def
		}
		_, err := w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: gpu()})
		require.NoError(t, err, "a group that nobody is granted is free for all")
		require.NoError(t, w.Access.GrantObject(t.Context(), who.UserID, access.WorkerGroup, "gpu", access.PermAll))
		def := gpu()
		def.Name = "train again"
		_, err = w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: def})
		var invalid *workflow.InvalidError
		require.ErrorAs(t, err, &invalid)
		require.Equal(t, "workergroup.error.denied", invalid.Problems[0].Key)
		problems, err := w.workflows.Check(w.gwen, w.project, def)
		require.NoError(t, err)
		require.Equal(t, "workerGroup", problems[0].Field, "the editor shows it at the task")
		_, err = w.workflows.Create(bob, w.project, workflow.Change{Definition: def})
		require.NoError(t, err)
		require.NoError(t, w.Access.RenameObject(t.Context(), access.WorkerGroup, "gpu", "tpu"))
		require.True(t, w.Access.Restricted(access.WorkerGroup, "tpu"), "whom a group is granted follows it to its new name")
	})
}

func TestRulesAboutAWorkflowFollowItIntoAnotherProject(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		bob := w.member(t, "bob", access.Read)
		who, _ := access.From(bob)
		secret, open := w.create(t, "secret", 1).Workflow, w.create(t, "open", 1).Workflow
		other, err := w.projects.Create(w.gwen, project.Draft{Name: "other"})
		require.NoError(t, err)
		require.NoError(t, w.Access.Grant(t.Context(), who.UserID, access.Project(other.Code), access.Read))
		w.Policy(t, access.Policy{Subject: access.UserSubject(who.UserID), Permission: "workflow.*", Project: w.project, Workflow: secret.Code, Effect: access.EffectDeny})
		w.Policy(t, access.Policy{Subject: access.UserSubject(who.UserID), Permission: workflow.Edit, Project: w.project, Effect: access.EffectAllow})
		rules := func() []int64 {
			codes, err := db.Select[int64](t.Context(), d, "SELECT project_code FROM policy_rule ORDER BY id")
			require.NoError(t, err)
			return codes
		}
		require.NoError(t, w.workflows.Move(w.gwen, []int64{secret.Code}, other.Code))
		require.Equal(t, []int64{other.Code, w.project}, rules(), "a rule about a project stays with it")
		require.NoError(t, w.workflows.Delete(w.gwen, open.Code))
		require.NoError(t, w.projects.Delete(w.gwen, w.project))
		require.Equal(t, []int64{other.Code}, rules())
		_, err = w.workflows.Get(bob, secret.Code)
		require.ErrorIs(t, err, workflow.ErrNotFound, "it is hidden as before")
		_, err = w.workflows.Get(w.gwen, secret.Code)
		require.NoError(t, err)
	})
}
