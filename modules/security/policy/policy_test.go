package policy_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/security/crudtest"
	"dorado/modules/security/policy"
)

const (
	etl     = int64(501) // the project there is
	nightly = int64(71)  // its workflow
)

func rules() []access.Rule {
	out := []access.Rule{access.Allow("project.read", access.Readers()...), access.Allow("workflow.run", access.Operators()...)}
	for n := range 99 {
		out = append(out, access.Allow(access.Permission(name(n+1))))
	}
	return out
}

func name(n int) string { return fmt.Sprintf("thing.p%02d", n) }

func open(t *testing.T, d *db.DB) (*crudtest.App, *policy.Module) {
	t.Helper()
	a := crudtest.NewApp(t, d, rules())
	return a, policy.New(policy.Deps{DB: a.DB, Access: a.Access, Audit: a.Audit, Site: a.Site, Frame: a.Frame, Places: policy.Places{
		Projects: func(context.Context) ([]policy.Place, error) { return []policy.Place{{Code: etl, Name: "etl"}}, nil },
		Workflow: func(_ context.Context, project int64, text string) (policy.Place, bool, error) {
			ok := project == etl && (text == "nightly" || text == strconv.FormatInt(nightly, 10))
			return policy.Place{Code: nightly, Name: "nightly"}, ok, nil
		},
		Workflows: func(context.Context, []int64) (map[int64]string, error) {
			return map[int64]string{nightly: "nightly"}, nil
		},
	}})
}

func TestRulesBehaveLikeEveryList(t *testing.T) {
	t.Parallel()
	crudtest.Run(t, crudtest.Case{
		Path: policy.Path,
		Open: func(t *testing.T, d *db.DB) (*crudtest.App, func(chi.Router)) {
			t.Helper()
			a, m := open(t, d)
			return a, m.Routes
		},
		Valid:     func(n int) []string { return []string{"permission", name(n), "subject", "*", "effect", "DENY"} },
		Name:      name,
		NameField: "permission", Sort: "permission",
		Edited: func(n int) []string {
			return []string{"permission", name(n), "subject", "user", "user", "gwen", "effect", "ALLOW", "note", "for the audit", "project", "501", "workflow", "nightly"}
		},
		Shows:    "for the audit",
		Required: "permission",
		Hostile: func(text string) []string {
			return []string{"permission", name(1), "subject", "*", "effect", "DENY", "note", text}
		},
	})
}

func TestARuleCountsAtOnceAndTheAnswerNamesIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := open(t, d)
		admin, gwen := access.WithPrincipal(t.Context(), a.Admin), access.WithPrincipal(t.Context(), a.General)
		require.NoError(t, a.Access.Grant(admin, a.General.UserID, access.Project(etl), access.Operate))
		ask := policy.Ask{User: "gwen", Permission: "workflow.run", Project: "etl", Workflow: "nightly"}
		before, err := m.Explain(admin, ask)
		require.NoError(t, err)
		require.True(t, before.Allowed)
		require.Equal(t, access.ByRole, before.Reason)
		require.Equal(t, access.Operate, before.Role)

		r, err := m.Create(admin, policy.Draft{Effect: "DENY", Subject: policy.OneUser, User: "gwen", Permission: "workflow.*", Project: "etl", Workflow: "71"})
		require.NoError(t, err)
		require.False(t, a.Access.CanWorkflow(gwen, etl, nightly, "workflow.run"))
		require.True(t, a.Access.CanProject(gwen, etl, "workflow.run"))
		after, err := m.Explain(admin, ask)
		require.NoError(t, err)
		require.False(t, after.Allowed)
		require.Equal(t, access.ByDenial, after.Reason)
		require.Equal(t, r.ID, after.Rules[0].ID)
		require.Equal(t, "gwen", after.Rules[0].UserName)

		_, err = m.Update(admin, r.ID, policy.Draft{Effect: "ALLOW", Subject: "*", Permission: "workflow.*", Project: "etl"}, time.Time{})
		require.NoError(t, err)
		require.True(t, a.Access.CanWorkflow(gwen, etl, nightly, "workflow.run"))
		require.NoError(t, m.Delete(admin, r.ID))
		require.Equal(t, []string{"policy.create", "policy.update", "policy.delete"}, a.Audited(t))
		_, err = d.Exec(admin, "UPDATE users SET state = 0 WHERE name = 'gwen'")
		require.NoError(t, err)
		disabled, err := m.Explain(admin, ask)
		require.NoError(t, err)
		require.True(t, disabled.Disabled && !disabled.Allowed, "who cannot sign in may nothing")
		_, err = m.Explain(gwen, ask)
		require.ErrorIs(t, err, access.ErrDenied, "who may what is nobody's business but the administrators'")
	})
}

func TestARuleIsAboutWhatThereIs(t *testing.T) {
	t.Parallel()
	a, m := open(t, dbtest.SQLite(t))
	admin := access.WithPrincipal(t.Context(), a.Admin)
	for field, d := range map[string]policy.Draft{
		"user":       {Effect: "DENY", Subject: policy.OneUser, User: "nobody", Permission: "*"},
		"project":    {Effect: "DENY", Subject: "*", Permission: "*", Project: "nowhere"},
		"workflow":   {Effect: "DENY", Subject: "*", Permission: "*", Project: "501", Workflow: "weekly"},
		"permission": {Effect: "DENY", Subject: "*", Permission: "workflow.fly"},
		"subject":    {Effect: "DENY", Subject: "role:admin", Permission: "*"},
		"effect":     {Effect: "MAYBE", Subject: "*", Permission: "*"},
	} {
		_, err := m.Create(admin, d)
		require.Error(t, err, field)
		page := a.Browser(t, m.Routes).As(crudtest.As(a.Admin)).Post(policy.Path, "effect", d.Effect, "subject", d.Subject, "user", d.User,
			"permission", d.Permission, "project", d.Project, "workflow", d.Workflow).Require(http.StatusUnprocessableEntity)
		require.NotEmpty(t, page.Text("#f-"+field+"-error"), field)
	}
	_, err := m.Create(admin, policy.Draft{Effect: "DENY", Subject: "*", Permission: "*", Workflow: "nightly"})
	require.Error(t, err, "a workflow is of a project")
}

func TestTheTryPageAnswersAdministratorsOnly(t *testing.T) {
	t.Parallel()
	a, m := open(t, dbtest.SQLite(t))
	b := a.Browser(t, m.Routes)
	admin, general := b.As(crudtest.As(a.Admin)), b.As(crudtest.As(a.General))
	require.Equal(t, http.StatusForbidden, general.Get(policy.TryPath).Status)
	require.Equal(t, http.StatusForbidden, general.Get(policy.TryPath+"?user=gwen&permission=workflow.run").Status)
	require.False(t, admin.Get(policy.TryPath).Require(http.StatusOK).Has("[data-test=refused]"))
	require.True(t, admin.Get(policy.TryPath+"?user=gwen&permission=workflow.run&project=501").Require(http.StatusOK).Has("[data-test=refused]"))
	require.True(t, admin.Get(policy.TryPath+"?user=admin&permission=workflow.run&project=501").Require(http.StatusOK).Has("[data-test=allowed]"))
	unknown := admin.Get(policy.TryPath + "?user=nobody&permission=workflow.run")
	require.NotEmpty(t, unknown.Text("#f-user-error"))
}
