package access_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/fault"
	"dorado/app/kit/testkit"
	"dorado/modules/access"
	"dorado/modules/audit"
)

const (
	tenantEdit   access.Permission = "tenant.edit"
	projectAdd   access.Permission = "project.create"
	projectRead  access.Permission = "project.read"
	workflowEdit access.Permission = "workflow.edit"
	workflowRun  access.Permission = "workflow.run"
	projectDrop  access.Permission = "project.delete"
)

func rules() []access.Rule {
	return []access.Rule{
		access.Allow(tenantEdit),
		access.Allow(projectAdd, access.User),
		access.Allow(projectRead, access.Readers()...),
		access.Allow(workflowRun, access.Operators()...),
		access.Allow(workflowEdit, access.Writers()...),
		access.Allow(projectDrop, access.Owner),
	}
}

func service(t *testing.T, d *db.DB) *access.Service {
	t.Helper()
	s, err := access.New(t.Context(), access.Deps{DB: d, Log: slog.New(slog.DiscardHandler), Now: time.Now, Rules: rules()})
	require.NoError(t, err)
	return s
}

func user(t *testing.T, d *db.DB, name string) access.Principal {
	t.Helper()
	id, err := db.Get[int64](t.Context(), d, `INSERT INTO users (name, password_hash, user_type, created_at, updated_at)
		VALUES (?, '', 'GENERAL_USER', ?, ?) RETURNING id`, name, time.Now(), time.Now())
	require.NoError(t, err)
	return access.Principal{UserID: id, Name: name}
}

func as(t *testing.T, p access.Principal) context.Context {
	t.Helper()
	return access.WithPrincipal(t.Context(), p)
}

func TestEachRoleMayWhatItsRulesSayAndNothingElse(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := service(t, d)
		const mine, other = int64(1001), int64(1002)
		want := map[access.Role]string{
			access.Owner: "read run edit delete", access.All: "read run edit", access.Operate: "read run", access.Read: "read", "": "",
		}
		for role, may := range want {
			p := user(t, d, "u-"+string(role))
			if role != "" {
				require.NoError(t, s.Grant(t.Context(), p.UserID, access.Project(mine), role))
			}
			ctx := as(t, p)
			got := ""
			for i, perm := range []access.Permission{projectRead, workflowRun, workflowEdit, projectDrop} {
				if s.CanProject(ctx, mine, perm) {
					if got != "" {
						got += " "
					}
					got += []string{"read", "run", "edit", "delete"}[i]
				}
				require.False(t, s.CanProject(ctx, other, perm), "a grant in one project must not reach another")
				require.False(t, s.Can(ctx, perm))
			}
			require.Equal(t, may, got, "role %q", role)
			require.True(t, s.Can(ctx, projectAdd), "everybody signed in")
			require.False(t, s.Can(ctx, tenantEdit))
			require.False(t, s.CanProject(ctx, mine, tenantEdit))
			codes, all := s.ProjectsOf(ctx)
			require.False(t, all)
			if role == "" {
				require.Empty(t, codes)
			} else {
				require.Equal(t, []int64{mine}, codes)
				is, ok := s.RoleIn(ctx, mine)
				require.True(t, ok)
				require.Equal(t, role, is)
			}
		}
	})
}

func TestAdministratorsMayEverythingThatWasDeclared(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	s := service(t, d)
	p := user(t, d, "root")
	p.Admin = true
	ctx := as(t, p)
	require.False(t, s.Can(ctx, tenantEdit), "the flag of the principal alone decides nothing: the grant does")
	require.NoError(t, s.Grant(ctx, p.UserID, access.Everywhere, access.Admin))
	for _, r := range rules() {
		require.NoError(t, s.Require(ctx, r.Permission))
		require.NoError(t, s.RequireProject(ctx, 42, r.Permission))
	}
	require.ErrorIs(t, s.Require(ctx, "never.declared"), access.ErrDenied)
	_, all := s.ProjectsOf(ctx)
	require.True(t, all)
}

func TestDenialNamesThePermission(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	s := service(t, d)
	f := fault.From(s.RequireProject(as(t, user(t, d, "ann")), 7, workflowEdit))
	require.Equal(t, fault.Forbidden, f.Kind)
	require.Equal(t, "access.denied", f.Key)
	require.Equal(t, "workflow.edit", f.Args["permission"])
	require.Equal(t, int64(7), f.Args["project"])
}

func TestNobodyIsUnauthenticatedAndTheProgramMayAll(t *testing.T) {
	t.Parallel()
	s := service(t, dbtest.SQLite(t))
	require.ErrorIs(t, s.Require(t.Context(), projectAdd), access.ErrUnauthenticated)
	codes, all := s.ProjectsOf(t.Context())
	require.Empty(t, codes)
	require.False(t, all)
	_, err := access.Must(t.Context())
	require.ErrorIs(t, err, access.ErrUnauthenticated)

	ctx := as(t, access.System())
	require.NoError(t, s.Require(ctx, tenantEdit))
	require.Equal(t, audit.Actor{Name: "system"}, audit.ActorFrom(ctx))
	require.Equal(t, "ann", audit.ActorFrom(as(t, access.Principal{UserID: 3, Name: "ann"})).Name)
}

func TestWhoMustChangeThePasswordMayDoNothingElse(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	s := service(t, d)
	p := user(t, d, "ann")
	require.True(t, s.Can(as(t, p), projectAdd))
	p.MustChangePassword = true
	require.ErrorIs(t, s.Require(as(t, p), projectAdd), access.ErrMustChangePassword)
	require.ErrorIs(t, s.RequireProject(as(t, p), 1, projectRead), access.ErrMustChangePassword)
}

func TestGrantsFollowTheirTransaction(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := service(t, d)
		p := user(t, d, "ann")
		ctx := as(t, p)
		boom := errors.New("boom")
		require.ErrorIs(t, d.InTx(ctx, func(ctx context.Context) error {
			require.NoError(t, s.Grant(ctx, p.UserID, access.Project(1), access.Owner))
			require.False(t, s.CanProject(ctx, 1, projectRead), "not before the commit")
			return boom
		}), boom)
		require.False(t, s.CanProject(ctx, 1, projectRead))

		require.NoError(t, d.InTx(ctx, func(ctx context.Context) error {
			return s.Grant(ctx, p.UserID, access.Project(1), access.Owner)
		}))
		require.True(t, s.CanProject(ctx, 1, projectDrop))
		require.NoError(t, s.Grant(ctx, p.UserID, access.Project(1), access.Read))
		require.False(t, s.CanProject(ctx, 1, projectDrop), "a new role takes the place of the old one")
		members, err := s.Members(ctx, access.Project(1))
		require.NoError(t, err)
		require.Len(t, members, 1)
		require.Equal(t, access.Read, members[0].Role)
		require.Equal(t, int64(1), members[0].ProjectCode())
		require.NoError(t, s.RevokeDomain(ctx, access.Project(1)))
		require.False(t, s.CanProject(ctx, 1, projectRead))
		require.NoError(t, s.Revoke(ctx, p.UserID, access.Project(1)), "revoking nothing is no error")
	})
}

func TestRolesAreRefusedWhereTheyMeanNothing(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	s := service(t, d)
	p := user(t, d, "ann")
	for domain, role := range map[string]access.Role{
		access.Everywhere: access.Owner, access.Project(1): access.Admin, "project:x": access.Read, "": access.Admin, "project:2": "root", "project:3": access.User,
	} {
		require.Error(t, s.Grant(t.Context(), p.UserID, domain, role), "%s in %q", role, domain)
	}
}

func TestAnotherProcessNoticesAChange(t *testing.T) {
	t.Parallel()
	d := dbtest.Postgres(t)
	here, there := service(t, d), service(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- there.Run(ctx) }()
	p := user(t, d, "ann")
	require.NoError(t, here.Grant(t.Context(), p.UserID, access.Project(1), access.Read))
	testkit.Eventually(t, func() error { return there.RequireProject(as(t, p), 1, projectRead) })
	require.NoError(t, here.Revoke(t.Context(), p.UserID, access.Project(1)))
	testkit.Eventually(t, func() error {
		if there.CanProject(as(t, p), 1, projectRead) {
			return errors.New("still allowed")
		}
		return nil
	})
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

func TestADoubledPermissionIsADefect(t *testing.T) {
	t.Parallel()
	_, err := access.New(t.Context(), access.Deps{DB: dbtest.SQLite(t), Now: time.Now, Rules: append(rules(), access.Allow(tenantEdit))})
	require.ErrorContains(t, err, "tenant.edit")
}

func BenchmarkRequireProject(b *testing.B) {
	d := dbtest.SQLite(b)
	s, err := access.New(b.Context(), access.Deps{DB: d, Log: slog.New(slog.DiscardHandler), Now: time.Now, Rules: rules()})
	require.NoError(b, err)
	id, err := db.Get[int64](b.Context(), d, `INSERT INTO users (name, password_hash, user_type, created_at, updated_at)
		VALUES ('ann', '', 'GENERAL_USER', ?, ?) RETURNING id`, time.Now(), time.Now())
	require.NoError(b, err)
	require.NoError(b, d.InTx(b.Context(), func(ctx context.Context) error {
		for i := range int64(300) {
			if err := s.Grant(ctx, id, access.Project(i), access.Operate); err != nil {
				return fmt.Errorf("grant %d: %w", i, err)
			}
		}
		return nil
	}))
	ctx := access.WithPrincipal(b.Context(), access.Principal{UserID: id})
	for b.Loop() {
		if s.RequireProject(ctx, 7, workflowRun) != nil {
			b.Fatal("denied")
		}
	}
}
