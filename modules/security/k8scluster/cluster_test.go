package k8scluster_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/fault"
	"dorado/app/kit/ids"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/security/crudtest"
	"dorado/modules/security/k8scluster"
)

const kubeconfig = `apiVersion: v1
kind: Config
current-context: main
clusters:
- name: main
  cluster: {server: "https://10.0.0.1:6443"}
contexts:
- name: main
  context: {cluster: main, user: ops}
users:
- name: ops
  user: {token: sesame-4711}
`

func open(t *testing.T, d *db.DB) (*crudtest.App, *k8scluster.Module) {
	t.Helper()
	a := crudtest.NewApp(t, d, k8scluster.Rules())
	sealer, err := secret.NewSealer(secret.String(base64.StdEncoding.EncodeToString(make([]byte, 32))))
	require.NoError(t, err)
	m := k8scluster.New(k8scluster.Deps{
		DB: a.DB, Access: a.Access, Audit: a.Audit, Codes: ids.NewGenerator(1, time.Now), Sealer: sealer, Site: a.Site, API: a.API, Frame: a.Frame,
	})
	m.AddReferrer(described{a.DB})
	return a, m
}

// described says that a cluster is used when its description says so.
type described struct{ db *db.DB }

func (u described) ClusterUses(ctx context.Context, code int64, _ int) ([]k8scluster.Use, error) {
	n, err := db.Get[int](ctx, u.db, "SELECT count(*) FROM k8s_cluster WHERE code = ? AND description = 'used'", code)
	if err != nil || n == 0 {
		return nil, err
	}
	return []k8scluster.Use{{Kind: "cluster.one", Name: "spark", URL: "/security/k8s-namespaces"}}, nil
}

func name(n int) string { return fmt.Sprintf("cluster-%02d", n) }

func TestClustersBehaveLikeEveryList(t *testing.T) {
	t.Parallel()
	crudtest.Run(t, crudtest.Case{
		Path: k8scluster.Path,
		Open: func(t *testing.T, d *db.DB) (*crudtest.App, func(chi.Router)) {
			t.Helper()
			a, m := open(t, d)
			return a, m.Routes
		},
		Valid:     func(n int) []string { return []string{"name", name(n), "config", kubeconfig} },
		Name:      name,
		NameField: "name", Sort: "name",
		Edited:   func(n int) []string { return []string{"name", name(n), "config", "", "description", "in the cellar"} },
		Shows:    "in the cellar",
		Unique:   true,
		Required: "config",
		Hostile:  func(text string) []string { return []string{"name", text, "config", kubeconfig, "description", text} },
		Use: func(t *testing.T, a *crudtest.App) string {
			t.Helper()
			_, err := a.DB.Exec(t.Context(), "UPDATE k8s_cluster SET description = 'used' WHERE name = ?", name(1))
			require.NoError(t, err)
			return "spark"
		},
	})
}

func TestAKubeconfigIsSealedAndNeverShownAgain(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := open(t, d)
		ctx := access.WithPrincipal(t.Context(), a.Admin)
		c, err := m.Create(ctx, k8scluster.Draft{Name: "main", Config: kubeconfig})
		require.NoError(t, err)
		stored, err := db.Get[string](ctx, d, "SELECT config FROM k8s_cluster WHERE id = ?", c.ID)
		require.NoError(t, err)
		require.NotContains(t, stored, "10.0.0.1")
		opened, err := m.Kubeconfig(ctx, c.Code)
		require.NoError(t, err)
		require.Equal(t, strings.TrimSpace(kubeconfig), opened.Reveal())

		for _, kept := range []secret.String{"", k8scluster.Masked} {
			_, err = m.Update(ctx, c.ID, k8scluster.Draft{Name: "renamed", Config: kept}, time.Time{})
			require.NoError(t, err)
			opened, err = m.Kubeconfig(ctx, c.Code)
			require.NoError(t, err)
			require.Contains(t, opened.Reveal(), "sesame-4711", "a change without one keeps it")
		}
		_, err = m.Create(ctx, k8scluster.Draft{Name: "other", Config: k8scluster.Masked})
		require.Error(t, err, "there is none to keep")

		page := a.Browser(t, m.Routes).As(crudtest.As(a.Admin)).Get(k8scluster.Address(c.ID))
		require.NotContains(t, page.Body, "sesame")
		audit, err := db.Select[string](ctx, d, "SELECT detail || before_state || after_state FROM audit_log")
		require.NoError(t, err)
		require.NotContains(t, strings.Join(audit, " "), stored)
	})
}

func TestOnlyAKubeconfigIsTaken(t *testing.T) {
	t.Parallel()
	for text, key := range map[string]string{
		"a: [":                       "config_yaml",
		"just words":                 "config_yaml",
		"kind: Config\n---\nkind: x": "config_yaml",
		"kind: Pod":                  "config_kind",
		"kind: Config":               "config_clusters",
		"clusters: [{name: a, cluster: {server: 'file:///etc/passwd'}}]":                                                                      "config_server",
		"clusters: [{name: a, cluster: {server: 'https://u:p@h'}}]":                                                                           "config_server",
		"clusters: [{name: a, cluster: {server: 'https://h'}}]\ncontexts: [{name: c, context: {cluster: b}}]":                                 "config_context",
		"clusters: [{name: a, cluster: {server: 'https://h'}}]\ncurrent-context: x":                                                           "config_current",
		"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nclusters: [*c,*c,*c,*c,*c,*c,*c,*c]": "config_yaml",
	} {
		err := k8scluster.Draft{Name: "x", Config: secret.String(text)}.Validate()
		require.Error(t, err, text)
		require.Equal(t, "cluster.error."+key, fault.From(err).Fields[0].Key, text)
	}
	require.NoError(t, k8scluster.Draft{Name: "x", Config: kubeconfig}.Validate())
}

func TestClientsKeepClustersAndNeverSeeTheirSecrets(t *testing.T) {
	t.Parallel()
	a, m := open(t, dbtest.SQLite(t))
	admin, general := crudtest.REST(t, a, a.Admin, m.API), crudtest.REST(t, a, a.General, m.API)
	post := func(as func(string, string, string) map[string]any, path string, fields ...string) map[string]any {
		form := url.Values{}
		for i := 0; i < len(fields); i += 2 {
			form.Set(fields[i], fields[i+1])
		}
		return as("POST", path+"?"+form.Encode(), "")
	}
	wrapped := `{"k8s":"` + strings.ReplaceAll(strings.ReplaceAll(kubeconfig, `"`, `\"`), "\n", `\n`) + `"}`
	made := post(admin, "/cluster/create", "name", "main", "config", wrapped)
	require.InDelta(t, 0, made["code"], 0)
	require.InDelta(t, 201, made["status"], 0)
	code := fmt.Sprintf("%.0f", made["data"])
	require.InDelta(t, 120021, post(admin, "/cluster/create", "name", "main", "config", wrapped)["code"], 0)
	require.InDelta(t, 120023, post(admin, "/cluster/create", "name", "x", "config", `{"k8s":""}`)["code"], 0)
	require.InDelta(t, 10001, post(admin, "/cluster/create", "name", "x", "config", "nonsense")["code"], 0)
	require.InDelta(t, 30001, post(general, "/cluster/create", "name", "x", "config", wrapped)["code"], 0)
	one := admin("GET", "/cluster/query-by-code?clusterCode="+code, "")["data"].(map[string]any)
	require.JSONEq(t, `{"k8s":"******"}`, one["config"].(string))
	require.Contains(t, one, "workflowDefinitions")
	require.InDelta(t, 0, post(admin, "/cluster/update", "code", code, "name", "moved", "config", one["config"].(string))["code"], 0, "what was read can be sent back")
	require.InDelta(t, 30001, post(general, "/cluster/update", "code", "1", "name", "moved", "config", wrapped)["code"], 0)
	require.InDelta(t, 120033, post(admin, "/cluster/update", "code", "1", "name", "moved", "config", wrapped)["code"], 0)
	require.InDelta(t, 1200028, admin("GET", "/cluster/query-by-code?clusterCode=1", "")["code"], 0)
	require.Len(t, general("GET", "/cluster/query-cluster-list", "")["data"], 1)
	require.InDelta(t, 1, admin("GET", "/cluster/list-paging?pageNo=1&pageSize=5&searchVal=mov", "")["data"].(map[string]any)["total"], 0)
	require.InDelta(t, 120021, post(admin, "/cluster/verify-cluster", "clusterName", "moved")["code"], 0)
	require.Equal(t, true, post(admin, "/cluster/verify-cluster", "clusterName", "free")["data"])
	require.InDelta(t, 30001, post(general, "/cluster/delete", "clusterCode", code)["code"], 0)
	require.Equal(t, true, post(admin, "/cluster/delete", "clusterCode", code)["data"])
}
