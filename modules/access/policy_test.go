package access_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/fault"
	"dorado/modules/access"
)

// put writes policies as their module does.
func put(t *testing.T, s *access.Service, policies ...access.Policy) {
	t.Helper()
	for _, p := range policies {
		_, err := s.DB.Exec(t.Context(), `INSERT INTO policy_rule (subject, permission, project_code, workflow_code, effect, created_at, updated_at)
			VALUES (?, ?, ?, ?, ?, ?, ?)`, p.Subject, string(p.Permission), p.Project, p.Workflow, string(p.Effect), time.Now(), time.Now())
		require.NoError(t, err)
	}
	require.NoError(t, s.Changed(t.Context()))
}

func allow(who string, p access.Permission, project, workflow int64) access.Policy {
	return access.Policy{Subject: who, Permission: p, Project: project, Workflow: workflow, Effect: access.EffectAllow}
}

func deny(who string, p access.Permission, project, workflow int64) access.Policy {
	return access.Policy{Subject: who, Permission: p, Project: project, Workflow: workflow, Effect: access.EffectDeny}
}

func TestADenialWinsOverEveryPermissionButNotOverAdministrators(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := service(t, d)
		const mine, nightly, other = int64(1001), int64(71), int64(72)
		ann, root := user(t, d, "ann"), user(t, d, "root")
		require.NoError(t, s.Grant(t.Context(), ann.UserID, access.Project(mine), access.Owner))
		require.NoError(t, s.Grant(t.Context(), root.UserID, access.Everywhere, access.Admin))
		ctx := as(t, ann)
		require.True(t, s.CanWorkflow(ctx, mine, nightly, workflowRun))
		put(t, s, deny(access.Everybody, "workflow.*", mine, nightly), allow(access.UserSubject(ann.UserID), workflowRun, mine, nightly))
		require.False(t, s.CanWorkflow(ctx, mine, nightly, workflowRun), "a permission does not outweigh a denial")
		require.True(t, s.CanWorkflow(ctx, mine, other, workflowRun), "another workflow")
		require.True(t, s.CanProject(ctx, mine, workflowRun), "the project as a whole")
		require.True(t, s.CanWorkflow(ctx, mine, nightly, projectRead), "another permission")
		require.True(t, s.CanWorkflow(as(t, root), mine, nightly, workflowRun), "nobody locks the administrators out")
		require.Equal(t, []int64{nightly}, s.HiddenWorkflows(ctx, workflowEdit))
		require.Empty(t, s.HiddenWorkflows(ctx, projectRead))
		require.Empty(t, s.HiddenWorkflows(as(t, root), workflowEdit))
		require.NoError(t, s.RevokeDomain(ctx, access.Project(mine)), "the policies go with the project")
		require.Empty(t, s.HiddenWorkflows(ctx, workflowEdit))
	})
}

func TestAPermissionOpensWhatItNamesAndNoMore(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	s := service(t, d)
	const mine, other, third = int64(1), int64(2), int64(3)
	ann, bob := user(t, d, "ann"), user(t, d, "bob")
	require.NoError(t, s.Grant(t.Context(), ann.UserID, access.Project(mine), access.Read))
	require.NoError(t, s.Grant(t.Context(), bob.UserID, access.Project(mine), access.Operate))
	put(t, s, allow(access.Everybody, workflowRun, 0, 0))
	require.True(t, s.CanProject(as(t, ann), mine, workflowRun))
	require.False(t, s.CanProject(as(t, ann), other, workflowRun), "one for all projects reaches only where one has a role")
	put(t, s, allow(access.UserSubject(ann.UserID), projectRead, other, 0), allow(access.RoleSubject(access.Operate), workflowEdit, mine, 0))
	require.True(t, s.CanProject(as(t, ann), other, projectRead), "one that names a project opens it")
	require.False(t, s.CanProject(as(t, ann), third, projectRead))
	require.False(t, s.CanProject(as(t, bob), other, projectRead))
	require.True(t, s.CanProject(as(t, bob), mine, workflowEdit), "everybody with the role")
	require.False(t, s.CanProject(as(t, ann), mine, workflowEdit))
	codes, all := s.ProjectsOf(as(t, ann))
	require.False(t, all)
	require.Equal(t, []int64{mine, other}, codes)
	put(t, s, deny(access.Everybody, "project.*", mine, 0), allow(access.UserSubject(bob.UserID), tenantEdit, 0, 0))
	codes, _ = s.ProjectsOf(as(t, ann))
	require.Equal(t, []int64{other}, codes, "what may not be seen is not listed")
	require.True(t, s.Can(as(t, bob), tenantEdit), "what is no matter of projects can be allowed too")
	require.False(t, s.Can(as(t, ann), tenantEdit))
	require.NoError(t, s.RevokeUser(t.Context(), bob.UserID))
	require.False(t, s.Can(as(t, bob), tenantEdit), "the policies about a user go with him")
}

func TestMadeUpProjectsNeverStandForTheInstallation(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	s := service(t, d)
	ann := user(t, d, "ann")
	put(t, s, allow(access.UserSubject(ann.UserID), "workflow.*", 0, 0))
	for _, code := range []int64{0, -1, -2, 5} {
		require.False(t, s.CanProject(as(t, ann), code, workflowEdit), "%d", code)
	}
}

func TestAPolicyMustMeanSomething(t *testing.T) {
	t.Parallel()
	s := service(t, dbtest.SQLite(t))
	require.NoError(t, s.Validate(deny("role:read", "*.run", 0, 0)))
	require.NoError(t, s.Validate(allow("user:7", "*", 1, 2)))
	for field, p := range map[string]access.Policy{
		"subject":    deny("role:admin", workflowRun, 0, 0),
		"permission": deny("*", "workflow.fly", 0, 0),
		"effect":     {Subject: "*", Permission: "*"},
	} {
		require.Equal(t, field, fault.From(s.Validate(p)).Fields[0].Name)
	}
	for _, who := range []string{"", "ann", "user:", "user:x", "user:-1", "role:root", "project:1"} {
		require.Error(t, s.Validate(deny(who, workflowRun, 0, 0)), who)
	}
	require.True(t, access.Covers("workflow.*", workflowRun))
	require.True(t, access.Covers("*.run", workflowRun))
	require.False(t, access.Covers("work*", workflowRun), "no half words")
	require.False(t, access.Covers("workflow.*", "workflow.a.b"))
}

func TestATokenDoesNothingOutsideItsScope(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	s := service(t, d)
	ann, root := user(t, d, "ann"), user(t, d, "root")
	root.Admin = true
	require.NoError(t, s.Grant(t.Context(), root.UserID, access.Everywhere, access.Admin))
	for _, code := range []int64{1, 2} {
		require.NoError(t, s.Grant(t.Context(), ann.UserID, access.Project(code), access.Owner))
	}
	may := func(p access.Principal, scope ...string) string {
		p.Scope = scope
		ctx, got := as(t, p), ""
		for name, ok := range map[string]bool{
			"a": s.CanProject(ctx, 1, workflowRun), "b": s.CanProject(ctx, 1, projectRead), "c": s.CanProject(ctx, 2, workflowRun),
			"d": s.Can(ctx, projectAdd), "e": s.Can(ctx, tenantEdit),
		} {
			if ok {
				got += name
			}
		}
		return sorted(got)
	}
	for _, of := range []struct{ scope, ann, root []string }{
		{nil, []string{"abcd"}, []string{"abcde"}},
		{[]string{"workflow.*"}, []string{"ac"}, []string{"ac"}},
		{[]string{"*.read", "tenant.edit"}, []string{"b"}, []string{"be"}},
		{[]string{"project:1"}, []string{"ab"}, []string{"ab"}},
		{[]string{"project:1", "*.run", "*.create"}, []string{"ad"}, []string{"ad"}},
		{[]string{"nonsense"}, []string{""}, []string{""}},
	} {
		require.Equal(t, of.ann[0], may(ann, of.scope...), "%v", of.scope)
		require.Equal(t, of.root[0], may(root, of.scope...), "%v", of.scope)
	}
	root.Scope = []string{"project:2"}
	codes, all := s.ProjectsOf(as(t, root))
	require.False(t, all)
	require.Equal(t, []int64{2}, codes)
	p, _ := access.From(as(t, root))
	require.False(t, p.Admin, "a limited token is no master key")
	ann.Scope = []string{"workflow.*"}
	codes, _ = s.ProjectsOf(as(t, ann))
	require.Empty(t, codes)
	require.Equal(t, []string{"work.*", "project:x"}, s.BadScope([]string{"work.*", "project:x", "project:9", "*.read"}))
}

func sorted(s string) string {
	out := ""
	for _, c := range "abcde" {
		for _, in := range s {
			if in == c {
				out += string(c)
			}
		}
	}
	return out
}

// What explains a decision is written apart from what makes it; whatever policies there are, the two must agree.
func TestAnExplanationAgreesWithTheDecision(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	s := service(t, d)
	r := rand.New(rand.NewPCG(7, 7)) //nolint:gosec // the same policies every time are what is wanted
	ann, root := user(t, d, "ann"), user(t, d, "root")
	require.NoError(t, s.Grant(t.Context(), root.UserID, access.Everywhere, access.Admin))
	require.NoError(t, s.Grant(t.Context(), ann.UserID, access.Project(1), access.Operate))
	require.NoError(t, s.Grant(t.Context(), ann.UserID, access.Project(2), access.Read))
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	perms := []access.Permission{projectRead, workflowRun, workflowEdit, projectAdd, tenantEdit, "never.declared"}
	reasons := map[access.Reason]int{}
	for range 40 {
		_, err := d.Exec(t.Context(), "DELETE FROM policy_rule")
		require.NoError(t, err)
		for range r.IntN(5) {
			put(t, s, access.Policy{
				Subject:    pick("*", "role:read", "role:operate", "role:owner", "role:user", access.UserSubject(ann.UserID), access.UserSubject(root.UserID)),
				Permission: access.Permission(pick("*", "workflow.*", "*.read", string(workflowRun), string(tenantEdit), string(projectAdd))),
				Project:    r.Int64N(4), Workflow: max(0, r.Int64N(6)-3), Effect: access.Effect(pick("ALLOW", "DENY")),
			})
		}
		for _, who := range []access.Principal{ann, root} {
			for project := range int64(4) {
				for workflow := range int64(3) {
					for _, perm := range perms {
						got, err := s.Explain(access.Question{UserID: who.UserID, Permission: perm, Project: project, Workflow: workflow})
						require.NoError(t, err)
						checked := s.CanWorkflow(as(t, who), project, workflow, perm)
						if project == 0 {
							if workflow != 0 {
								continue
							}
							checked = s.Can(as(t, who), perm)
						}
						where := fmt.Sprintf("%s %s in %d/%d: %+v", who.Name, perm, project, workflow, got)
						require.Equal(t, checked, got.Allowed, where)
						reasons[got.Reason]++
						denied := len(got.Policies) > 0 && got.Policies[0].Effect == access.EffectDeny
						switch got.Reason {
						case access.ByDenial:
							require.True(t, denied && !got.Allowed, where)
						case access.ByNobody, access.ByUndeclared:
							require.False(t, got.Allowed || denied, where)
						case access.ByPolicy:
							require.True(t, got.Allowed && !denied && len(got.Policies) > 0, where)
						case access.ByAdmin, access.ByRole:
							require.True(t, got.Allowed && !denied, where)
						}
					}
				}
			}
		}
	}
	require.Len(t, reasons, 6, "every reason came up: %v", reasons)
}

func TestMadeUpCodesDoNotFillTheMemory(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	s := service(t, d)
	ann := user(t, d, "ann")
	require.NoError(t, s.Grant(t.Context(), ann.UserID, access.Project(1), access.Read))
	put(t, s, deny(access.Everybody, workflowRun, 1, 7))
	for i := range int64(2000) {
		s.CanWorkflow(as(t, ann), i, i, workflowRun)
	}
	require.LessOrEqual(t, s.Remembered(), 6)
}

// BenchmarkRequireWorkflow asks about a workflow that rules name, again and again.
func BenchmarkRequireWorkflow(b *testing.B) {
	s, p := ruled(b)
	ctx := access.WithPrincipal(b.Context(), p)
	for b.Loop() {
		if s.RequireWorkflow(ctx, 1, 7, workflowRun) != nil {
			b.Fatal("denied")
		}
	}
}

// BenchmarkFirstQuestion asks what nobody asked since the last change.
func BenchmarkFirstQuestion(b *testing.B) {
	s, p := ruled(b)
	for b.Loop() {
		p.UserID++
		if s.CanProject(access.WithPrincipal(b.Context(), p), 1, workflowRun) {
			b.Fatal("allowed")
		}
	}
}

// ruled is a service with sixty permissions and fifty rules.
func ruled(b *testing.B) (*access.Service, access.Principal) {
	b.Helper()
	d := dbtest.SQLite(b)
	all := rules()
	for n := range 55 {
		all = append(all, access.Allow(access.Permission(fmt.Sprintf("noun%d.verb", n)), access.Writers()...))
	}
	s, err := access.New(b.Context(), access.Deps{DB: d, Log: slog.New(slog.DiscardHandler), Now: time.Now, Rules: all})
	require.NoError(b, err)
	id, err := db.Get[int64](b.Context(), d, `INSERT INTO users (name, password_hash, user_type, created_at, updated_at)
		VALUES ('ann', '', 'GENERAL_USER', ?, ?) RETURNING id`, time.Now(), time.Now())
	require.NoError(b, err)
	require.NoError(b, s.Grant(b.Context(), id, access.Project(1), access.Operate))
	for n := range int64(50) {
		_, err := d.Exec(b.Context(), `INSERT INTO policy_rule (subject, permission, project_code, workflow_code, effect, created_at, updated_at)
			VALUES (?, 'workflow.*', 1, ?, 'DENY', ?, ?)`, access.UserSubject(id+1+n), n, time.Now(), time.Now())
		require.NoError(b, err)
	}
	require.NoError(b, s.Changed(b.Context()))
	return s, access.Principal{UserID: id}
}
