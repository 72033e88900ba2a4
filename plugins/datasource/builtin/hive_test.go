package builtin_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource"
	"dorado/plugins/form"
)

// TestSparkThriftServerIsConnectedToAndBrowsed is an extended test: docs/extended-tests-datasources.md.
func TestSparkThriftServerIsConnectedToAndBrowsed(t *testing.T) {
	t.Parallel()
	home := os.Getenv("DORADO_TEST_SPARK_HOME")
	if home == "" {
		t.Skip("extended test: set DORADO_TEST_SPARK_HOME to a Spark with its Hive jars, see docs/extended-tests-datasources.md")
	}
	flat := sparkServer(t, home)
	for _, name := range []string{"SPARK", "HIVE", "KYUUBI"} {
		p := kind(t, name)
		s, problems := p.Read(flat)
		require.Empty(t, problems)
		_, err := p.Test(t.Context(), s)
		require.NoError(t, err, name)
	}
	p := kind(t, "SPARK")
	s, _ := p.Read(flat)
	db, err := p.Open(s)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	exec := func(statement string, args ...any) {
		t.Helper()
		_, err := db.ExecContext(t.Context(), statement, args...)
		require.NoError(t, err)
	}
	exec("CREATE DATABASE shop")
	exec("CREATE TABLE shop.orders (id INT, name STRING, price DECIMAL(10,2)) USING parquet")
	exec("CREATE TABLE shop.ordersx (other INT) USING parquet")
	const odd = "it's \\ \" ? `数据` -- \n/*"
	exec("INSERT INTO shop.orders VALUES (?, ?, 1.50), (-2, NULL, NULL) -- ?", 1, odd)
	rows, err := db.QueryContext(t.Context(), "SELECT id, name, price FROM shop.orders WHERE id = ? AND name = ?", 1, odd)
	require.NoError(t, err)
	require.True(t, rows.Next())
	var id int
	var label, price string
	require.NoError(t, rows.Scan(&id, &label, &price))
	require.Equal(t, []any{1, odd, "1.50"}, []any{id, label, price})
	require.False(t, rows.Next())
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close())

	var n, sum int64
	rows, err = db.QueryContext(t.Context(), "SELECT id FROM range(2500)")
	require.NoError(t, err)
	for rows.Next() {
		var v int64
		require.NoError(t, rows.Scan(&v))
		n, sum = n+1, sum+v
	}
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close())
	require.Equal(t, []int64{2500, 2500 * 2499 / 2}, []int64{n, sum}, "three portions")
	kinds := db.QueryRowContext(t.Context(), "SELECT true, cast(1 as tinyint), cast(2 as bigint), cast(1.5 as double), timestamp'2026-01-02 03:04:05', array(1, 2), cast('b' as binary), null")
	var b bool
	var tiny, big int64
	var f float64
	var at, list string
	var raw []byte
	var none any
	require.NoError(t, kinds.Scan(&b, &tiny, &big, &f, &at, &list, &raw, &none))
	require.Equal(t, []any{true, int64(1), int64(2), 1.5, "2026-01-02 03:04:05", "[1,2]", []byte("b"), nil}, []any{b, tiny, big, f, at, list, raw, none})

	names, err := p.Databases(t.Context(), s)
	require.NoError(t, err)
	require.Contains(t, names, "shop")
	tables, err := p.Tables(t.Context(), s, "shop")
	require.NoError(t, err)
	require.Equal(t, []string{"orders", "ordersx"}, tables)
	columns, err := p.Columns(t.Context(), s, "shop", "orders")
	require.NoError(t, err)
	require.Equal(t, []datasource.Column{{Name: "id", Type: "INT"}, {Name: "name", Type: "STRING"}, {Name: "price", Type: "DECIMAL(10,2)"}}, columns)
	for _, none := range []string{"x' OR '1'='1", "order%", "%"} {
		columns, err = p.Columns(t.Context(), s, "shop", none)
		require.NoError(t, err)
		require.Empty(t, columns, none)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	begin := time.Now()
	_, err = db.ExecContext(ctx, "SELECT count(*) FROM range(100000000000) a WHERE sqrt(a.id) = -1")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(begin), 15*time.Second)
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT 7").Scan(&n), "the server is free again")
	_, err = db.ExecContext(t.Context(), "SELECT nonsense FROM nowhere")
	require.ErrorContains(t, err, "nowhere")

	with := func(name, value string) form.Flat {
		f := flat.Clone()
		f[name] = value
		return f
	}
	require.Equal(t, datasource.Missing, step(t, p, with("database", "gone")))
	require.Equal(t, datasource.Connect, step(t, p, with("other", `{"auth":"noSasl"}`)))
	require.Equal(t, datasource.Secure, step(t, p, with("other", `{"ssl":"true"}`)))
}

// sparkServer starts the Thrift server of a Spark and returns settings for it.
func sparkServer(t *testing.T, home string) form.Flat {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	cmd := exec.Command(filepath.Join(home, "bin", "spark-submit"), "--class", "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2", "--master", "local[1]",
		"--driver-memory", "1g", "--conf", "spark.ui.enabled=false", "--conf", "spark.driver.host=127.0.0.1", "--hiveconf", "hive.server2.thrift.port="+port,
		"--hiveconf", "hive.server2.thrift.bind.host=127.0.0.1", "spark-internal")
	cmd.Dir = t.TempDir() // where its metastore goes
	cmd.Env = append(os.Environ(), "SPARK_HOME="+home)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	flat := form.Flat{"host": "127.0.0.1", "port": port, "database": "default", "userName": "ann", "password": ""}
	p := kind(t, "SPARK")
	s, problems := p.Read(flat)
	require.Empty(t, problems)
	require.Eventually(t, func() bool {
		_, err := p.Test(t.Context(), s)
		return err == nil
	}, 3*time.Minute, time.Second)
	return flat
}

func TestWhatHiveCannotDoHereIsRefusedClearly(t *testing.T) {
	t.Parallel()
	p := kind(t, "HIVE")
	for other, word := range map[string]string{
		`{"principal":"hive/_HOST@EXAMPLE.COM"}`: "Kerberos", `{"auth":"delegationToken"}`: "Kerberos", `{"auth":"magic"}`: "auth must be",
		`{"transportMode":"pigeon"}`: "transportMode", `{"serviceDiscoveryMode":"dns"}`: "serviceDiscoveryMode", `{"serviceDiscoveryMode":"zooKeeper","ssl":"true"}`: "TLS",
	} {
		flat := base()
		flat["other"] = other
		s, problems := p.Read(flat)
		require.Empty(t, problems)
		_, err := p.Open(s)
		require.ErrorContains(t, err, word, other)
	}
}
