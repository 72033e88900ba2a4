package grant_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/security/crudtest"
	"dorado/modules/security/grant"
)

const etl, dwh = int64(501), int64(502)

type fixture struct {
	*crudtest.App
	*grant.Module
	admin, general context.Context
}

func open(t *testing.T, d *db.DB) fixture {
	t.Helper()
	a := crudtest.NewApp(t, d)
	m := grant.New(grant.Deps{DB: a.DB, Access: a.Access, Audit: a.Audit, Site: a.Site, API: a.API, Frame: a.Frame})
	m.SetOffer(access.Namespace, func(context.Context) ([]grant.Object, error) {
		return []grant.Object{{Key: "2", Name: "spark", Note: "main"}, {Key: "1", Name: "etl", Note: "main"}}, nil
	})
	m.SetOffer(access.DataSource, func(context.Context) ([]grant.Object, error) { return []grant.Object{{Key: "7", Name: "dw"}}, nil })
	m.SetProjects(grant.Projects{
		All: func(context.Context) ([]grant.Project, error) {
			return []grant.Project{{Code: etl, Name: "etl", Owner: "gwen"}, {Code: dwh, Name: "dwh", Owner: "admin"}}, nil
		},
		Set: func(ctx context.Context, code int64, user, role string) error {
			if code != etl && code != dwh || user != "gwen" {
				return errors.New("no such project or user")
			}
			return a.Access.Grant(ctx, a.General.UserID, access.Project(code), access.Role(role))
		},
		Remove: func(ctx context.Context, code, user int64) error {
			return a.Access.Revoke(ctx, user, access.Project(code))
		},
	})
	return fixture{a, m, access.WithPrincipal(t.Context(), a.Admin), access.WithPrincipal(t.Context(), a.General)}
}

func TestObjectsAreGrantedAsAListAndTheDeedIsRecorded(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := open(t, d)
		gwen := f.General.UserID
		require.NoError(t, f.Set(f.admin, gwen, access.Namespace, []string{"1", "2"}))
		require.NoError(t, f.Set(f.admin, gwen, access.Namespace, []string{"2", "1"}), "the same again")
		all, err := f.Objects(f.admin, gwen, access.Namespace)
		require.NoError(t, err)
		require.Equal(t, []grant.Object{{Key: "1", Name: "etl", Note: "main", Granted: true}, {Key: "2", Name: "spark", Note: "main", Granted: true}}, all)
		require.NoError(t, f.Set(f.admin, gwen, access.Namespace, []string{"2"}))
		keys, _ := f.Access.ObjectsOf(f.general, access.Namespace)
		require.Equal(t, map[string]int{"2": access.PermAll}, keys)
		require.Equal(t, []string{"user.grant", "user.grant"}, f.Audited(t), "what changes nothing is no deed")

		require.ErrorIs(t, f.Set(f.admin, gwen, access.Namespace, []string{"3"}), grant.ErrObject, "nobody is granted what may come later")
		require.ErrorIs(t, f.Set(f.admin, gwen, access.UDF, []string{"1"}), grant.ErrObject)
		require.NoError(t, f.Set(f.admin, gwen, access.UDF, nil))
		require.ErrorIs(t, f.Set(f.admin, 99, access.Namespace, nil), grant.ErrUser)
		require.ErrorIs(t, f.Set(f.general, gwen, access.Namespace, []string{"1"}), access.ErrDenied)
		_, err = f.Objects(f.general, gwen, access.Namespace)
		require.ErrorIs(t, err, access.ErrDenied)
		_, err = f.Objects(f.admin, gwen, access.Resource)
		require.ErrorIs(t, err, grant.ErrKind)
	})
}

func TestRolesAreGivenInSeveralProjectsAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := open(t, d)
		gwen := f.General.UserID
		require.NoError(t, f.SetRoles(f.admin, gwen, []int64{etl, dwh}, "operate"))
		require.Error(t, f.SetRoles(f.admin, gwen, []int64{etl, 9}, "read"))
		role, _ := f.Access.RoleIn(f.general, etl)
		require.Equal(t, access.Operate, role, "all of them or none")
		require.NoError(t, f.SetRoles(f.admin, gwen, []int64{etl}, ""))
		all, err := f.RolesOf(f.admin, gwen)
		require.NoError(t, err)
		require.Equal(t, []grant.Project{{Code: dwh, Name: "dwh", Owner: "admin", Role: access.Operate}, {Code: etl, Name: "etl", Owner: "gwen"}}, all)
		require.ErrorIs(t, f.SetRoles(f.admin, gwen, []int64{etl}, "root"), grant.ErrRole)
		require.ErrorIs(t, f.SetRoles(f.admin, gwen, []int64{etl, dwh}, "owner"), grant.ErrRole)
		require.ErrorIs(t, f.SetRoles(f.general, gwen, []int64{etl}, "read"), access.ErrDenied)
		_, err = f.RolesOf(f.general, gwen)
		require.ErrorIs(t, err, access.ErrDenied)
	})
}

func TestThePageOfGrantsIsForAdministrators(t *testing.T) {
	t.Parallel()
	f := open(t, dbtest.SQLite(t))
	b := f.Browser(t, f.Routes)
	admin, general := b.As(crudtest.As(f.Admin)), b.As(crudtest.As(f.General))
	page := grant.Address(f.General.UserID)
	for _, path := range []string{page, page + "?kind=namespace"} {
		require.Equal(t, http.StatusForbidden, general.Get(path).Status, path)
	}
	for _, path := range []string{page + "/projects", page + "/namespace"} {
		require.Equal(t, http.StatusForbidden, general.Post(path, "object", "1", "project", "501", "role", "read").Status, path)
	}
	shown := admin.Follow(admin.Post(page+"/projects", "project", "501", "project", "502", "role", "all").Require(http.StatusSeeOther))
	require.Equal(t, 2, shown.Count("[data-test='grants.projects'] .tag"))
	require.Equal(t, 1, admin.Get(page+"?q=DWH").Count("[data-test='grants.projects'] tbody tr"))
	require.Equal(t, http.StatusUnprocessableEntity, admin.Post(page+"/projects", "project", "501", "role", "root").Status)

	ticked := admin.Follow(admin.Post(page+"/namespace", "object", "2").Require(http.StatusSeeOther))
	require.Equal(t, 1, ticked.Count("[data-test='grants.choices'] input[checked]"))
	require.Equal(t, "2", ticked.Attr("[data-test='grants.choices'] input[checked]", "value"))
	require.Equal(t, http.StatusUnprocessableEntity, admin.Post(page+"/namespace", "object", "<script>").Status)
	for _, path := range []string{grant.Address(99), page + "?kind=nonsense", page + "?kind=udf"} {
		require.Equal(t, http.StatusNotFound, admin.Get(path).Status, path)
	}
	require.Equal(t, http.StatusNotFound, admin.Post(page+"/nonsense", "object", "2").Status)
	require.Contains(t, admin.Get(grant.Address(f.Admin.UserID)).Require(http.StatusOK).Text("main"), "is an administrator", "he needs none")
}

func TestClientsGrantByLists(t *testing.T) {
	t.Parallel()
	f := open(t, dbtest.SQLite(t))
	admin, general := crudtest.REST(t, f.App, f.Admin, f.Module.API), crudtest.REST(t, f.App, f.General, f.Module.API)
	user := fmt.Sprintf("userId=%d&", f.General.UserID)
	require.InDelta(t, 0, admin("POST", "/users/grant-namespace?"+user+"namespaceIds=1,2", "")["code"], 0)
	keys, _ := f.Access.ObjectsOf(f.general, access.Namespace)
	require.Len(t, keys, 2)
	require.InDelta(t, 0, admin("POST", "/users/grant-namespace?"+user+"namespaceIds=", "")["code"], 0, "an empty list takes all away")
	keys, _ = f.Access.ObjectsOf(f.general, access.Namespace)
	require.Empty(t, keys)
	require.InDelta(t, 0, admin("POST", "/users/grant-datasource?"+user+"datasourceIds=7", "")["code"], 0)
	require.InDelta(t, 10010, admin("POST", "/users/grant-datasource?userId=99&datasourceIds=7", "")["code"], 0)
	require.InDelta(t, 0, admin("POST", "/users/grant-udf-func?"+user+"udfIds=", "")["code"], 0)
	require.NotEqual(t, float64(0), admin("POST", "/users/grant-udf-func?"+user+"udfIds=1", "")["code"])
	require.InDelta(t, 30001, general("POST", "/users/grant-namespace?"+user+"namespaceIds=1", "")["code"], 0)
	require.InDelta(t, 30001, general("POST", "/users/grant-datasource?"+user+"datasourceIds=7", "")["code"], 0)
	require.InDelta(t, 1400001, general("POST", "/users/grant-udf-func?"+user+"udfIds=", "")["code"], 0)
}
