package builtin_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource"
	"dorado/plugins/datasource/builtin"
	"dorado/plugins/form"
)

func TestZeppelinIsSignedInTo(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/z/api/version":
			fmt.Fprint(w, `{"status":"OK","message":"Zeppelin version","body":{"version":"0.12.0"}}`)
		case r.URL.Path == "/z/api/login" && r.Method == http.MethodPost && r.PostFormValue("userName") == "ann" && r.PostFormValue("password") == "hunter2":
			fmt.Fprint(w, `{"status":"OK","message":"","body":{"principal":"ann"}}`)
		case r.URL.Path == "/z/api/login":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"status":"FORBIDDEN","message":""}`)
		case r.URL.Path == "/html/api/version":
			fmt.Fprint(w, "<html>")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(s.Close)
	p := kind(t, "ZEPPELIN")
	flat := func(endpoint, password string) form.Flat {
		return form.Flat{"restEndpoint": endpoint, "userName": "ann", "password": password}
	}
	for _, password := range []string{"hunter2", ""} {
		settings, problems := p.Read(flat(s.URL+"/z", password))
		require.Empty(t, problems)
		_, err := p.Test(t.Context(), settings)
		require.NoError(t, err)
	}
	require.Equal(t, datasource.SignIn, step(t, p, flat(s.URL+"/z/", "wrong-one")))
	require.Equal(t, datasource.Ask, step(t, p, flat(s.URL+"/html", "hunter2")))
	require.Equal(t, datasource.Ask, step(t, p, flat(s.URL, "hunter2")))
	require.Equal(t, datasource.Unfit, step(t, p, flat("file:///etc/passwd", "hunter2")))
	require.Equal(t, datasource.Connect, step(t, p, flat("http://169.254.169.254", "hunter2")))
	s.Close()
	require.Equal(t, datasource.Connect, step(t, p, flat(s.URL, "hunter2")))
}

func TestKubernetesIsAskedForItsNamespace(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer hunter2":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/version":
			fmt.Fprint(w, `{"gitVersion":"v1.36.3"}`)
		case r.URL.Path == "/api/v1/namespaces/jobs":
			fmt.Fprint(w, `{}`)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(s.Close)
	p := kind(t, "K8S")
	flat := func(server, token, namespace string) form.Flat {
		return form.Flat{"namespace": namespace, "kubeConfig": fmt.Sprintf(
			"contexts: [{name: a, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: %q}}]\nusers: [{name: u, user: {token: %s}}]", server, token)}
	}
	settings, problems := p.Read(flat(s.URL, "hunter2", "jobs"))
	require.Empty(t, problems)
	_, err := p.Test(t.Context(), settings)
	require.NoError(t, err)
	require.Equal(t, datasource.SignIn, step(t, p, flat(s.URL, "another", "jobs")))
	require.Equal(t, datasource.Missing, step(t, p, flat(s.URL, "hunter2", "gone")))
	require.Equal(t, datasource.Unfit, step(t, p, form.Flat{"kubeConfig": "x", "namespace": "jobs"}))
	require.Equal(t, datasource.Secure, step(t, p, flat("https"+s.URL[len("http"):], "hunter2", "jobs")))
	s.Close()
	require.Equal(t, datasource.Connect, step(t, p, flat(s.URL, "hunter2", "jobs")))
}

func TestWhatIsNoDatabaseHasNoTables(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, p := range builtin.Types() {
		if p.Ping == nil {
			continue
		}
		seen++
		_, err := p.Databases(t.Context(), datasource.Settings{})
		require.ErrorIs(t, err, datasource.ErrNoTables, p.Type)
		_, err = p.Tables(t.Context(), datasource.Settings{}, "")
		require.ErrorIs(t, err, datasource.ErrNoTables, p.Type)
		_, err = p.Columns(t.Context(), datasource.Settings{}, "", "t")
		require.ErrorIs(t, err, datasource.ErrNoTables, p.Type)
	}
	require.Equal(t, 3, seen)
	p := kind(t, "SSH")
	p.Missing = "x"
	require.ErrorContains(t, p.Validate(), "needs a driver, a ping")
}
