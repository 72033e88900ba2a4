//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

// planted are secrets that the test gives away in the ways that people do. None may be found again in clear.
var planted = map[string]string{
	"the first administrator":  "Adm1n-planted-aaa",
	"a user":                   "Us3r-planted-bbb",
	"a wrong password":         "Wr0ng-planted-ccc",
	"a secret parameter":       "Par4m-planted-ddd",
	"its next value":           "Next-planted-eee-2",
	"a data source":            "Dat4-planted-fff",
	"a kubeconfig":             "Kub3-planted-kkk",
	"the vault":                "V4ult-planted-ggg",
	"the token of the vault":   "hvs.planted-hhh",
	"the secret of a cluster":  "Clu5ter-planted-iii",
	"a value in the bad place": "B4d-planted-jjj",
}

// fakeVault answers as HashiCorp Vault does for one secret of every project.
func fakeVault(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Vault-Token") != planted["the token of the vault"] || !strings.HasPrefix(r.URL.Path, "/v1/secret/data/dorado/") || !strings.HasSuffix(r.URL.Path, "/db") {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"errors":["permission denied"]}`))
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"data": map[string]string{"password": planted["the vault"]}}})
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// found lists where any of the secrets is, as it is or in base64.
func found(where, text string) []string {
	var out []string
	for name, value := range planted {
		for _, form := range []string{value, base64.StdEncoding.EncodeToString([]byte(value)), url.QueryEscape(value)} {
			if strings.Contains(text, form) {
				out = append(out, fmt.Sprintf("%s: the secret of %s", where, name))
			}
		}
	}
	return out
}

func TestPlantedSecretsAreNowhereInClear(t *testing.T) {
	t.Parallel()
	ctx := within(t, 4*time.Minute)
	p := launch(t, harness.Options{Mode: "standalone", AdminPassword: planted["the first administrator"], Env: []string{
		"DORADO_VAULT_ADDRESS=" + fakeVault(t), "DORADO_VAULT_TOKEN=" + planted["the token of the vault"],
		"DORADO_CLUSTER_SECRET=" + planted["the secret of a cluster"], "DORADO_LOG_LEVEL=debug",
	}})
	ready(t, p)
	admin := signIn(t, p.URL, "admin", planted["the first administrator"])
	tenant, err := admin.CreateTenant(ctx, "etl", 1)
	require.NoError(t, err)
	_, err = admin.CreateUser(ctx, "quinn", planted["a user"], tenant.ID)
	require.NoError(t, err)
	require.Error(t, harness.NewClient(p.URL).Login(ctx, "quinn", planted["a wrong password"]))
	require.Error(t, harness.NewClient(p.URL).Login(ctx, planted["a wrong password"], "x"))
	pr := project(t, admin, "planted")
	base := fmt.Sprintf("/projects/%d", pr)
	var made struct{ Code int64 }
	require.NoError(t, admin.Call(ctx, http.MethodPost, base+"/project-parameter", url.Values{
		"projectParameterName": {"pw"}, "projectParameterValue": {planted["a secret parameter"]}, "projectParameterSecret": {"true"},
	}, &made))
	require.Error(t, admin.Call(ctx, http.MethodPost, base+"/project-parameter", url.Values{ // refused, and not repeated
		"projectParameterName": {"bad name"}, "projectParameterValue": {planted["a value in the bad place"]}, "projectParameterSecret": {"true"},
	}, nil))
	source, err := json.Marshal(map[string]any{
		"type": "MYSQL", "name": "orders", "host": "127.0.0.1", "port": 1, "database": "x", "userName": "u", "password": planted["a data source"], "other": map[string]string{},
	})
	require.NoError(t, err)
	for _, path := range []string{"/datasources", "/datasources/connect"} {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+"/dolphinscheduler"+path, strings.NewReader(string(source)))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("token", admin.Token)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Empty(t, found(path, string(text)))
		require.Equal(t, path == "/datasources", strings.Contains(string(text), `"code":0`), "there is no such database to connect to: %s", text)
	}
	kubeconfig := "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: https://127.0.0.1:1}}]\n" +
		"users: [{name: u, user: {token: " + planted["a kubeconfig"] + "}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n"
	require.NoError(t, admin.Call(ctx, http.MethodPost, "/cluster/create", url.Values{"name": {"k"}, "config": {kubeconfig}, "description": {"d"}}, nil))

	check := filepath.Join(open(t), "seen")
	w := harness.Workflow{Name: "uses", Globals: []harness.Property{{Prop: "url", Direct: "IN", Type: "VARCHAR", Value: "db://u:${pw}@h"}}, Tasks: []harness.Task{
		{Name: "prints", Params: []harness.Property{{Prop: "out", Direct: "OUT", Type: "VARCHAR"}}, Script: `
v='${pw}'; echo "plain $v and ${url}"; printf '%s' "${v:0:6}"; sleep 0.2; echo "${v:6}"
printf '%s' "u:$v" | base64; echo "${secret:vault/db#password}"; set -x; : "$v"; set +x
echo '${setValue(out='"$v"')}'; echo ${#v} >> ` + check},
		{Name: "fails", After: []string{"prints"}, Script: "echo ${out}; echo '$[${pw}]'"},
		{Name: "missing", Script: "echo ${secret:vault/nothing#password}"},
	}}
	d, err := admin.Publish(ctx, pr, w)
	require.NoError(t, err)
	run := func() int64 {
		id, err := admin.StartWorkflow(ctx, pr, d.Code, harness.StartOptions{})
		require.NoError(t, err)
		_, err = admin.WaitInstance(ctx, pr, id, 50*time.Millisecond, "FAILURE")
		require.NoError(t, err)
		return id
	}
	id := run()
	require.NoError(t, admin.Call(ctx, http.MethodPut, fmt.Sprintf("%s/project-parameter/%d", base, made.Code), url.Values{
		"projectParameterName": {"pw"}, "projectParameterValue": {planted["its next value"]}, "projectParameterDataType": {"VARCHAR"},
	}, nil))
	// A new key while it works; what runs afterwards still has its secrets.
	require.Contains(t, dorado(ctx, t, nil, "secret", "rotate", "--data", p.Data), "secrets are sealed with key")
	last := run()
	seen, err := os.ReadFile(check)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%d\n%d\n", len(planted["a secret parameter"]), len(planted["its next value"])), string(seen), "tasks get the values themselves")

	var places []string
	look := func(where, text string) {
		require.NotEmpty(t, text, where)
		places = append(places, found(where, text)...)
	}
	for _, one := range []int64{id, last} {
		tasks, err := admin.Tasks(ctx, pr, one)
		require.NoError(t, err)
		require.Len(t, tasks, 3)
		for _, task := range tasks {
			if task.Name == "missing" {
				continue // it never began
			}
			log, err := admin.DownloadLog(ctx, task.ID)
			require.NoError(t, err)
			look("the log of "+task.Name, log)
			if task.Name == "prints" {
				require.Contains(t, log, "plain *** and db://u:***@h")
			}
		}
	}
	reader := visitor(t, p.URL)
	reader.signIn("admin", planted["the first administrator"])
	run1 := fmt.Sprintf("%s/instances/%d", base, id)
	for _, page := range []string{
		base + "/parameters", base + "/workflows", fmt.Sprintf("%s/workflows/%d", base, d.Code), run1, run1 + "?tab=params", base + "/task-instances",
		"/monitor/audit?size=100", "/monitor/audit/export?format=csv", "/monitor/audit/export?format=json", "/security/users",
	} {
		status, _, body := reader.send(http.MethodGet, page, nil)
		require.Equal(t, http.StatusOK, status, page)
		look("the page "+page, body)
	}
	for _, path := range []string{
		base + "/project-parameter?pageNo=1&pageSize=10", fmt.Sprintf("%s/project-parameter/%d", base, made.Code), fmt.Sprintf("%s/workflow-definition/%d", base, d.Code),
		fmt.Sprintf("%s/workflow-instances/%d", base, id), fmt.Sprintf("%s/workflow-instances/%d/view-variables", base, id), base + "/task-instances?pageNo=1&pageSize=10",
		fmt.Sprintf("%s/workflow-instances/%d/tasks", base, id), "/projects/audit/audit-log-list?pageNo=1&pageSize=100", "/users/list-paging?pageNo=1&pageSize=10",
		"/datasources?pageNo=1&pageSize=10", "/cluster/list-paging?pageNo=1&pageSize=10", "/cluster/query-cluster-list",
	} {
		answer, err := admin.Do(ctx, http.MethodGet, path, nil)
		require.NoError(t, err, path)
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		look("REST "+path, string(text))
	}
	look("dorado config", dorado(ctx, t, []string{
		"DORADO_VAULT_ADDRESS=http://v", "DORADO_VAULT_TOKEN=" + planted["the token of the vault"], "DORADO_CLUSTER_SECRET=" + planted["the secret of a cluster"],
	}, "config", "--data", p.Data))
	look("the log of the program", p.FullLog())
	require.NoError(t, p.Terminate(ctx))
	require.NoError(t, filepath.WalkDir(p.Data, func(path string, f fs.DirEntry, err error) error {
		if err != nil || !f.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil {
			places = append(places, found("the file "+strings.TrimPrefix(path, p.Data), string(data))...)
		}
		return err
	}))
	require.Empty(t, places)
}
