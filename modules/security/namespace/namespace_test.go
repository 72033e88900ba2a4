package namespace_test

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
	"dorado/app/kit/ids"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/security/crudtest"
	"dorado/modules/security/k8scluster"
	"dorado/modules/security/namespace"
)

type fixture struct {
	*crudtest.App
	*namespace.Module
	clusters *k8scluster.Module
	cluster  k8scluster.Cluster
	admin    context.Context
	general  context.Context
}

func open(t *testing.T, d *db.DB) fixture {
	t.Helper()
	a := crudtest.NewApp(t, d, k8scluster.Rules(), namespace.Rules())
	sealer, err := secret.NewSealer(secret.String(base64.StdEncoding.EncodeToString(make([]byte, 32))))
	require.NoError(t, err)
	codes := ids.NewGenerator(1, time.Now)
	clusters := k8scluster.New(k8scluster.Deps{
		DB: a.DB, Access: a.Access, Audit: a.Audit, Codes: codes, Sealer: sealer, Site: a.Site, API: a.API, Frame: a.Frame,
	})
	f := fixture{App: a, clusters: clusters, admin: access.WithPrincipal(t.Context(), a.Admin), general: access.WithPrincipal(t.Context(), a.General)}
	f.Module = namespace.New(namespace.Deps{
		DB: a.DB, Access: a.Access, Audit: a.Audit, Codes: codes, Clusters: clusters.Service, Site: a.Site, API: a.API, Frame: a.Frame,
	})
	f.cluster, err = clusters.Create(f.admin, k8scluster.Draft{Name: "main", Config: "clusters: [{name: a, cluster: {server: 'https://h'}}]"})
	require.NoError(t, err)
	return f
}

func (f fixture) make(t *testing.T, name string) namespace.Namespace {
	t.Helper()
	n, err := f.Create(f.admin, namespace.Draft{Name: name, ClusterCode: f.cluster.Code})
	require.NoError(t, err)
	return n
}

func TestANamespaceIsUsedByWhomItIsGranted(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := open(t, d)
		etl, spark := f.make(t, "etl"), f.make(t, "spark")
		names := func(list []namespace.Namespace, err error) string {
			require.NoError(t, err)
			out := ""
			for _, n := range list {
				out += n.Name + "@" + n.ClusterName + " "
			}
			return out
		}
		require.Equal(t, "etl@main spark@main ", names(f.Available(f.admin)))
		require.Empty(t, names(f.Available(f.general)))
		require.NoError(t, f.Access.GrantObjects(f.admin, f.General.UserID, access.Namespace, []string{spark.Key()}, access.PermAll))
		require.Equal(t, "spark@main ", names(f.Available(f.general)))
		require.Equal(t, "spark@main ", names(f.GrantedTo(f.admin, f.General.UserID, false)))
		require.Equal(t, "etl@main ", names(f.GrantedTo(f.admin, f.General.UserID, true)))
		_, err := f.GrantedTo(f.general, f.General.UserID, false)
		require.ErrorIs(t, err, access.ErrDenied)
		_, err = f.All(f.general)
		require.ErrorIs(t, err, access.ErrDenied)
		_, err = f.Available(t.Context())
		require.ErrorIs(t, err, access.ErrUnauthenticated)

		require.ErrorIs(t, f.clusters.Delete(f.admin, f.cluster.ID), k8scluster.ErrInUse, "a cluster stays while it has namespaces")
		require.ErrorIs(t, f.Delete(f.general, spark.ID), access.ErrDenied)
		require.NoError(t, f.Delete(f.admin, spark.ID))
		require.NoError(t, f.Delete(f.admin, etl.ID))
		left, err := f.Access.GranteesOf(f.admin, access.Namespace, spark.Key())
		require.NoError(t, err)
		require.Empty(t, left, "the grants go with the namespace")
		require.NoError(t, f.clusters.Delete(f.admin, f.cluster.ID))
		require.Equal(t, []string{"cluster.create", "namespace.create", "namespace.create", "namespace.delete", "namespace.delete", "cluster.delete"}, f.Audited(t))
	})
}

func TestANamespaceHasANameThatAClusterTakes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := open(t, d)
		f.make(t, "a")
		for _, bad := range []string{"", "A", "-a", "a-", "a.b", "a b", strings.Repeat("a", 64), "é"} {
			_, err := f.Create(f.admin, namespace.Draft{Name: bad, ClusterCode: f.cluster.Code})
			require.Error(t, err, bad)
		}
		_, err := f.Create(f.admin, namespace.Draft{Name: "a", ClusterCode: f.cluster.Code})
		require.ErrorIs(t, err, namespace.ErrTaken)
		_, err = f.Create(f.admin, namespace.Draft{Name: "b", ClusterCode: 1})
		require.ErrorIs(t, err, namespace.ErrCluster)
		require.ErrorIs(t, f.Check(f.admin, namespace.Draft{Name: "a", ClusterCode: f.cluster.Code}), namespace.ErrTaken)
		require.NoError(t, f.Check(f.admin, namespace.Draft{Name: "b", ClusterCode: f.cluster.Code}))
	})
}

func TestOnlyAdministratorsKeepNamespaces(t *testing.T) {
	t.Parallel()
	f := open(t, dbtest.SQLite(t))
	b := f.Browser(t, func(r chi.Router) { f.Routes(r); f.clusters.Routes(r) })
	admin, general := b.As(crudtest.As(f.Admin)), b.As(crudtest.As(f.General))
	code := fmt.Sprint(f.cluster.Code)
	require.Equal(t, http.StatusForbidden, general.Post(namespace.Path, "namespace", "etl", "cluster", code).Status)
	empty := admin.Post(namespace.Path, "namespace", "Etl").Require(http.StatusUnprocessableEntity)
	require.NotEmpty(t, empty.Text("#f-namespace-error"))
	require.NotEmpty(t, empty.Text("#f-cluster-error"))
	list := admin.Follow(admin.Post(namespace.Path, "namespace", "etl", "cluster", code).Require(http.StatusSeeOther))
	require.Equal(t, []string{"etl"}, list.Texts("tbody td:first-child .name"))
	require.False(t, list.Has("[data-test='row.edit']"), "a namespace is not changed")
	for _, path := range []string{namespace.Path, namespace.Path + "/new", namespace.Path + "/1/delete"} {
		require.Equal(t, http.StatusForbidden, general.Get(path).Status, path)
	}
	refused := admin.Post(fmt.Sprintf("%s/%d/delete", k8scluster.Path, f.cluster.ID)).Require(http.StatusConflict)
	require.Contains(t, refused.Text("[data-test=refused]"), "etl")
	require.Equal(t, http.StatusForbidden, general.Post(namespace.Path+"/1/delete").Status)
	gone := admin.Follow(admin.Post(namespace.Path + "/1/delete").Require(http.StatusSeeOther))
	require.True(t, gone.Has(".empty"))
	require.Equal(t, http.StatusNotFound, admin.Post(namespace.Path+"/1/delete").Status)
}

func TestClientsKeepNamespaces(t *testing.T) {
	t.Parallel()
	f := open(t, dbtest.SQLite(t))
	admin, general := crudtest.REST(t, f.App, f.Admin, f.Module.API), crudtest.REST(t, f.App, f.General, f.Module.API)
	at := fmt.Sprintf("&clusterCode=%d", f.cluster.Code)
	made := admin("POST", "/k8s-namespace?namespace=etl"+at, "")
	require.InDelta(t, 201, made["status"], 0)
	require.Equal(t, "main", made["data"].(map[string]any)["clusterName"])
	require.InDelta(t, 1300002, admin("POST", "/k8s-namespace?namespace=etl"+at, "")["code"], 0)
	require.InDelta(t, 1300002, admin("POST", "/k8s-namespace/verify?namespace=etl"+at, "")["code"], 0)
	require.InDelta(t, 0, admin("POST", "/k8s-namespace/verify?namespace=new"+at, "")["code"], 0)
	require.InDelta(t, 120033, admin("POST", "/k8s-namespace?namespace=etl&clusterCode=7", "")["code"], 0)
	require.InDelta(t, 1, admin("GET", "/k8s-namespace?pageNo=1&pageSize=10", "")["data"].(map[string]any)["total"], 0)
	user := fmt.Sprintf("?userId=%d", f.General.UserID)
	require.Len(t, admin("GET", "/k8s-namespace/unauth-namespace"+user, "")["data"], 1)
	require.Empty(t, admin("GET", "/k8s-namespace/authed-namespace"+user, "")["data"])
	require.Empty(t, general("GET", "/k8s-namespace/available-list", "")["data"])
	for _, call := range []string{
		"GET /k8s-namespace?pageNo=1&pageSize=10", "POST /k8s-namespace?namespace=x" + at, "POST /k8s-namespace/delete?id=1",
		"GET /k8s-namespace/unauth-namespace" + user, "GET /k8s-namespace/authed-namespace" + user,
	} {
		method, target, _ := strings.Cut(call, " ")
		require.InDelta(t, 30001, general(method, target, "")["code"], 0, call)
	}
	require.InDelta(t, 0, admin("POST", "/k8s-namespace/delete?id=1", "")["code"], 0)
	require.InDelta(t, 1300005, admin("POST", "/k8s-namespace/delete?id=1", "")["code"], 0)
}
