package builtin_test

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource"
	"dorado/plugins/form"
)

// extended is the address in a variable; without it the test is skipped (docs/extended-tests-datasources.md).
func extended(t *testing.T, variable string) string {
	t.Helper()
	at := os.Getenv(variable)
	if at == "" {
		t.Skip(variable + " is not set")
	}
	return at
}

func TestFakesnow(t *testing.T) {
	t.Parallel()
	host, port, err := net.SplitHostPort(extended(t, "DORADO_TEST_SNOWFLAKE"))
	require.NoError(t, err)
	p := kind(t, "SNOWFLAKE")
	flat := form.Flat{"host": host, "port": port, "database": "shop", "userName": "ann", "password": "token", "other": `{"ssl":"off","schema":"public"}`}
	s := read(t, p, flat)
	_, err = p.Test(t.Context(), s)
	require.NoError(t, err)
	ask := func(text string) datasource.Answer {
		t.Helper()
		a, err := asked(t, p, flat, text)
		require.NoError(t, err, text)
		return a
	}
	ask("create or replace table orders (id int, name varchar, price number(9,2), f float, ok boolean, day date, since timestamp_ntz, raw binary)")
	require.EqualValues(t, 3, ask("insert into orders values (1, 'it''s', 1.50, 0.5, true, '2026-01-02', '2026-01-02 03:04:05.25', to_binary('ff00', 'HEX')), (2, null, null, null, null, null, null, null), (3, 'c', 2, 0, false, '1969-12-31', '1969-12-31 23:59:59', null)").Affected)
	a := ask("select * from orders order by id")
	require.Len(t, a.Rows, 3, "two partitions")
	require.Equal(t, []string{"1", "it's", "1.50", "0.5", "true", "2026-01-02", "2026-01-02 03:04:05.25", "0xff00"}, texts(a.Rows[0]))
	require.True(t, a.Rows[1][1].Null)
	require.Equal(t, []string{"1969-12-31", "1969-12-31 23:59:59"}, texts(a.Rows[2])[5:7])
	databases, err := p.Databases(t.Context(), s)
	require.NoError(t, err)
	require.Contains(t, databases, "SHOP")
	tables, err := p.Tables(t.Context(), s, "SHOP")
	require.NoError(t, err)
	require.Contains(t, tables, "ORDERS")
	columns, err := p.Columns(t.Context(), s, "SHOP", "ORDERS")
	require.NoError(t, err)
	require.Equal(t, "NAME", columns[1].Name)
	db, err := p.Open(s)
	require.NoError(t, err)
	defer db.Close()
	var name string
	require.NoError(t, db.QueryRowContext(t.Context(), "select name from orders where id = ? and name = ? and ok = ? and f = ?", int64(1), "it's", true, 0.5).Scan(&name))
	require.Equal(t, "it's", name)
	_, err = asked(t, p, flat, "select * from nowhere")
	require.ErrorContains(t, err, "NOWHERE")
	flat["password"] = "wrong-one"
	require.Equal(t, datasource.SignIn, step(t, p, flat))
}

func TestMoto(t *testing.T) {
	t.Parallel()
	at := extended(t, "DORADO_TEST_MOTO")
	u, err := url.Parse(at)
	require.NoError(t, err)
	require.Equal(t, "http", u.Scheme)
	// What the server answers to statements, in their order.
	queue := `{"results":[{"rows":[{"Data":[{"VarCharValue":"1"}]}],"column_info":[{"CatalogName":"","SchemaName":"","TableName":"","Name":"_col0","Label":"","Type":"integer","Precision":0,"Scale":0,"Nullable":"","CaseSensitive":false}]},
		{"rows":[{"Data":[{"VarCharValue":"7"},{"VarCharValue":"it's"}]}],"column_info":[{"Name":"id","Type":"bigint"},{"Name":"name","Type":"varchar"}]}]}`
	resp, err := http.Post(at+"/moto-api/static/athena/query-results", "application/json", strings.NewReader(queue))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusCreated, resp.StatusCode)
	p := kind(t, "ATHENA")
	flat := form.Flat{
		"awsRegion": "us-east-1", "database": "shop", "userName": "AKIDEXAMPLE", "password": "hunter2",
		"other": `{"S3OutputLocation":"s3://results/","EndpointOverride":"` + at + `"}`,
	}
	_, err = p.Test(t.Context(), read(t, p, flat))
	require.NoError(t, err)
	a, err := asked(t, p, flat, "select * from t")
	require.NoError(t, err)
	require.Equal(t, []datasource.Column{{Name: "id", Type: "bigint"}, {Name: "name", Type: "varchar"}}, a.Columns)
	require.Equal(t, []string{"7", "it's"}, texts(a.Rows[0]))
	flat["other"] = `{"S3OutputLocation":"s3://results/","Workgroup":"nowhere","EndpointOverride":"` + at + `"}`
	require.Equal(t, datasource.Ask, step(t, p, flat))
}
