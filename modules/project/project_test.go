package project_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/fault"
	"dorado/app/kit/ids"
	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/project"
	"dorado/modules/security/crudtest"
)

// sealer is always the same one.
func sealer(t testing.TB) *secret.Sealer {
	t.Helper()
	s, err := secret.NewSealer(secret.String(base64.StdEncoding.EncodeToString(make([]byte, 32))))
	require.NoError(t, err)
	return s
}

func open(t testing.TB, d *db.DB) (*crudtest.App, *project.Module) {
	t.Helper()
	a := crudtest.NewApp(t, d, project.Rules())
	svc := project.New(project.Deps{DB: d, Access: a.Access, Audit: a.Audit, Codes: ids.NewGenerator(1, time.Now), Now: time.Now, Sealer: sealer(t)})
	return a, project.NewModule(svc, project.PageDeps{Site: a.Site, API: a.API, Frame: a.Frame})
}

func name(n int) string { return fmt.Sprintf("project_%02d", n) }

func TestProjectsBehaveLikeEveryList(t *testing.T) {
	t.Parallel()
	crudtest.Run(t, crudtest.Case{
		Path: project.Path,
		Open: func(t *testing.T, d *db.DB) (*crudtest.App, func(chi.Router)) {
			t.Helper()
			a, m := open(t, d)
			return a, m.Routes
		},
		Valid:     func(n int) []string { return []string{"name", name(n), "description", "nightly"} },
		Name:      name,
		NameField: "name", Sort: "name",
		Edited:   func(n int) []string { return []string{"name", name(n), "description", "weekly"} },
		Shows:    "weekly",
		Unique:   true,
		Required: "name",
		Hostile:  func(text string) []string { return []string{"name", text, "description", text} },
		Own:      true,
	})
}

// full is a project's contents that are always there.
type full struct{ count int }

func (f full) WorkflowCounts(_ context.Context, projects []int64) (map[int64]int, error) {
	return map[int64]int{projects[0]: f.count}, nil
}

func (f full) ProjectUses(_ context.Context, _ int64, limit int) ([]project.Use, int, error) {
	var uses []project.Use
	for i := range min(limit, f.count) {
		uses = append(uses, project.Use{Name: fmt.Sprintf("w%d", i), URL: "/w"})
	}
	return uses, f.count, nil
}

func (full) RecentWorkflows(context.Context, int64, int) ([]project.Recent, error) { return nil, nil }
func (full) MayCreate(context.Context, int64) bool                                 { return true }

func TestAProjectWithWorkflowsStays(t *testing.T) {
	t.Parallel()
	a, m := open(t, dbtest.SQLite(t))
	m.SetContents(full{25})
	ctx := access.WithPrincipal(t.Context(), a.General)
	p, err := m.Create(ctx, project.Draft{Name: "etl"})
	require.NoError(t, err)
	require.ErrorIs(t, m.Delete(ctx, p.Code), project.ErrNotEmpty)
	gwen := a.Browser(t, m.Routes).As(crudtest.As(a.General))
	page := gwen.Post(project.Address(p.Code, "/delete")).Require(http.StatusConflict)
	require.Equal(t, 20, page.Count("[data-test=refused] li a"))
	require.Contains(t, page.Text("[data-test=refused]"), "and 5 more")
	require.Equal(t, "25", gwen.Get(project.Path).Text("tbody td.num a"))
}

func TestOwnersGiveAndTakeRoles(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := open(t, d)
		ctx := access.WithPrincipal(t.Context(), a.General)
		p, err := m.Create(ctx, project.Draft{Name: "etl"})
		require.NoError(t, err)
		id, err := db.Get[int64](t.Context(), d, `INSERT INTO users (name, password_hash, user_type, created_at, updated_at)
			VALUES ('ann', '', 'GENERAL_USER', ?, ?) RETURNING id`, time.Now(), time.Now())
		require.NoError(t, err)
		ann := access.WithPrincipal(t.Context(), access.Principal{UserID: id, Name: "ann"})

		_, err = m.ByCode(ann, p.Code)
		require.ErrorIs(t, err, project.ErrNoAccess)
		require.Equal(t, "gwen", fault.From(err).Args["owner"])
		require.ErrorIs(t, m.SetMember(ann, p.Code, "ann", "owner"), project.ErrNoAccess)
		people, err := m.Candidates(ctx, p.Code)
		require.NoError(t, err)
		require.Len(t, people, 1)

		require.NoError(t, m.SetMember(ctx, p.Code, "ann", "read"))
		_, err = m.ByCode(ann, p.Code)
		require.NoError(t, err)
		_, err = m.Update(ann, p.Code, project.Draft{Name: "mine"}, time.Time{})
		require.ErrorIs(t, err, project.ErrNoGrant)
		_, err = m.Candidates(ann, p.Code)
		require.ErrorIs(t, err, project.ErrNoGrant)
		page, err := m.List(ann, listing.New(project.Spec(), 1, 10, ""))
		require.NoError(t, err)
		require.Equal(t, access.Read, page.Items[0].Role)

		for role, want := range map[string]error{"admin": project.ErrRoleUnknown, "user": project.ErrRoleUnknown, "": project.ErrRoleUnknown, "x": project.ErrRoleUnknown} {
			require.ErrorIs(t, m.SetMember(ctx, p.Code, "ann", role), want)
		}
		require.ErrorIs(t, m.SetMember(ctx, p.Code, "nobody", "read"), project.ErrUserUnknown)
		require.ErrorIs(t, m.SetMember(ctx, p.Code, "gwen", "read"), project.ErrOwnerStays)
		require.ErrorIs(t, m.RemoveMember(ctx, p.Code, a.General.UserID), project.ErrOwnerStays)

		require.NoError(t, m.SetMember(ctx, p.Code, "ann", "owner"))
		handed, err := m.ByCode(ctx, p.Code)
		require.NoError(t, err)
		require.Equal(t, "ann", handed.OwnerName)
		require.Equal(t, access.All, m.Role(ctx, p.Code), "the owner until then stays a member")
		require.ErrorIs(t, m.SetMember(ctx, p.Code, "gwen", "owner"), project.ErrNoGrant)
		require.NoError(t, m.RemoveMember(ann, p.Code, a.General.UserID))
		_, err = m.ByCode(ctx, p.Code)
		require.ErrorIs(t, err, project.ErrNoAccess)
		require.Equal(t, []string{"project.create", "project.grant", "project.grant", "project.revoke"}, a.Audited(t))
	})
}

func TestTheMembersPageShowsTheFormToWhoMayUseIt(t *testing.T) {
	t.Parallel()
	a, m := open(t, dbtest.SQLite(t))
	ctx := access.WithPrincipal(t.Context(), a.Admin)
	p, err := m.Create(ctx, project.Draft{Name: "etl", Description: "loads"})
	require.NoError(t, err)
	b := a.Browser(t, m.Routes)
	admin, gwen := b.As(crudtest.As(a.Admin)), b.As(crudtest.As(a.General))
	at := project.Address(p.Code, "/members")
	require.Equal(t, 403, gwen.Get(at).Status)
	require.Contains(t, admin.Get(at).Body, `<option value="gwen">`)
	bad := admin.Post(at, "user", "nobody", "role", "read").Require(http.StatusUnprocessableEntity)
	require.Equal(t, "nobody", bad.Value("user"))
	require.Contains(t, bad.Text(".err"), "nobody")
	admin.Post(at, "user", "gwen", "role", "operate").Require(http.StatusSeeOther)
	page := gwen.Get(at).Require(200)
	require.False(t, page.Has("[data-test='member.form']"))
	require.Equal(t, 1, page.Count("table"))
	require.Contains(t, page.Text("dl.data"), "Runs, stops and repairs", "what the roles may do")
	require.Equal(t, []string{"gwen"}, gwen.Get(at+"?q=GWE").Texts("tbody .name"))
	require.Empty(t, gwen.Get(at+"?q=nobody").Texts("tbody .name"))
	require.Contains(t, page.Text("[data-test='member.gwen']"), "Operate")
	require.Equal(t, 403, gwen.Post(at, "user", "gwen", "role", "owner").Status)
	overview := gwen.Get(project.Address(p.Code, "")).Require(200)
	require.Contains(t, overview.Text("main"), "loads")
	require.False(t, overview.Has("[data-test='project.edit']"))
	admin.Post(at + fmt.Sprintf("/%d/delete", a.General.UserID)).Require(http.StatusSeeOther)
	require.Equal(t, 403, gwen.Get(at).Status)
	require.Equal(t, http.StatusSeeOther, b.Get(at).Status, "nobody is sent to sign in")
}

func TestProjectNamesHaveRules(t *testing.T) {
	t.Parallel()
	for name, valid := range map[string]bool{
		"etl": true, "日常 任务": true, strings.Repeat("字", 255): true, "": false, strings.Repeat("x", 256): false, "a\nb": false, "a\x00": false,
	} {
		err := project.Draft{Name: name}.Validate()
		require.Equal(t, valid, err == nil, "%q", name)
	}
}

func TestNamesThatFitAreThoseOfProjectsOneMaySee(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := open(t, d)
		gwen, admin := access.WithPrincipal(t.Context(), a.General), access.WithPrincipal(t.Context(), a.Admin)
		for _, name := range []string{"订单", "plain", "库存", "订单汇总"} {
			_, err := m.Create(gwen, project.Draft{Name: name})
			require.NoError(t, err)
		}
		_, err := m.Create(admin, project.Draft{Name: "秘密订单"})
		require.NoError(t, err)
		names := func(ctx context.Context, limit int) (found []string) {
			rows, err := m.Fitting(ctx, func(name string) bool { require.NotEqual(t, "plain", name); return name != "库存" }, limit)
			require.NoError(t, err)
			for _, r := range rows {
				found = append(found, r.Name)
			}
			return found
		}
		require.ElementsMatch(t, []string{"订单汇总", "订单"}, names(gwen, 10))
		require.Len(t, names(admin, 10), 3)
		require.Len(t, names(admin, 2), 2)
		_, err = m.Fitting(t.Context(), func(string) bool { return true }, 10)
		require.ErrorIs(t, err, access.ErrUnauthenticated)
	})
}
