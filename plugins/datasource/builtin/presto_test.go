package builtin_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource"
	"dorado/plugins/form"
)

func TestPrestoIsConnectedToAndItsFailuresTellTheStep(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("X-Presto-User") == "nobody":
			w.WriteHeader(http.StatusUnauthorized)
		case r.Header.Get("X-Presto-Catalog") == "gone":
			fmt.Fprint(w, `{"error":{"message":"Catalog gone does not exist","errorName":"SYNTAX_ERROR"}}`)
		case r.Header.Get("X-Presto-Catalog") == "broken":
			fmt.Fprint(w, `{"error":{"message":"out of memory","errorName":"EXCEEDED_MEMORY"}}`)
		default:
			fmt.Fprint(w, `{"columns":[{"name":"n","type":"varchar"}],"data":[["orders"]]}`)
		}
	}))
	t.Cleanup(s.Close)
	host, port, err := net.SplitHostPort(s.Listener.Addr().String())
	require.NoError(t, err)
	flat := func(name, value string) form.Flat {
		f := form.Flat{"host": host, "port": port, "database": "hive/shop", "userName": "ann"}
		f[name] = value
		return f
	}
	p := kind(t, "PRESTO")
	settings, problems := p.Read(flat("note", ""))
	require.Empty(t, problems)
	_, err = p.Test(t.Context(), settings)
	require.NoError(t, err)
	tables, err := p.Tables(t.Context(), settings, "")
	require.NoError(t, err)
	require.Equal(t, []string{"orders"}, tables)
	require.Equal(t, datasource.SignIn, step(t, p, flat("userName", "nobody")))
	require.Equal(t, datasource.Missing, step(t, p, flat("database", "gone/x")))
	require.Equal(t, datasource.Ask, step(t, p, flat("database", "broken")))
	require.Equal(t, datasource.Unfit, step(t, p, flat("password", "hunter2")), "passwords go over HTTPS only")
	require.Equal(t, datasource.Secure, step(t, p, flat("other", `{"SSL":"true"}`)))
}
