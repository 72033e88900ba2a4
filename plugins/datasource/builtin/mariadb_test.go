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

// mariaDB starts a server and returns the settings of its database. It skips the test when there is none, or fails it when
// CI=true.
func mariaDB(t *testing.T) form.Flat {
	t.Helper()
	server := program(t, "mariadbd", "/usr/sbin/mariadbd")
	install := program(t, "mariadb-install-db", "/usr/bin/mariadb-install-db")
	dir, err := os.MkdirTemp("", "dorado-mariadb-") //nolint:usetesting // the path of a socket must be short
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	data := filepath.Join(dir, "data") // in a shared --tmpdir a server removes what another one has there
	out, err := exec.CommandContext(t.Context(), install, "--no-defaults", "--datadir="+data, "--tmpdir="+dir, "--user="+os.Getenv("USER"), "--skip-test-db", "--auth-root-authentication-method=normal").CombinedOutput()
	require.NoError(t, err, "%s", out)
	first := filepath.Join(dir, "first.sql")
	require.NoError(t, os.WriteFile(first, []byte("CREATE DATABASE shop;\nCREATE TABLE shop.orders (id INT, `full name` VARCHAR(20));\n"+
		"CREATE VIEW shop.recent AS SELECT * FROM shop.orders;\nCREATE USER 'ann'@'%' IDENTIFIED BY 'hunter2 &;#?';\nGRANT ALL ON shop.* TO 'ann'@'%';\n"), 0o644))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	cmd := exec.Command(server, "--no-defaults", "--datadir="+data, "--tmpdir="+dir, "--socket="+filepath.Join(dir, "s"), "--bind-address=127.0.0.1", "--port="+port,
		"--init-file="+first, "--user=root", "--innodb-buffer-pool-size=16M", "--pid-file="+filepath.Join(dir, "pid"))
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	flat := form.Flat{"host": "127.0.0.1", "port": port, "database": "shop", "userName": "ann", "password": "hunter2 &;#?"}
	p := kind(t, "MYSQL")
	s, problems := p.Read(flat)
	require.Empty(t, problems)
	require.Eventually(t, func() bool {
		_, err := p.Test(t.Context(), s)
		return err == nil
	}, 60*time.Second, 100*time.Millisecond)
	return flat
}

func program(t *testing.T, name, path string) string {
	t.Helper()
	if found, err := exec.LookPath(name); err == nil {
		return found
	}
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing", name)
	}
	t.Skipf("%s is missing", name)
	return ""
}

func TestMariaDBIsConnectedToAndBrowsed(t *testing.T) {
	t.Parallel()
	flat := mariaDB(t)
	for _, name := range []string{"MYSQL", "DORIS", "STARROCKS", "OCEANBASE"} { // the same language, with and without prepared statements
		p := kind(t, name)
		s, problems := p.Read(flat)
		require.Empty(t, problems)
		_, err := p.Test(t.Context(), s)
		require.NoError(t, err, name)
		names, err := p.Databases(t.Context(), s)
		require.NoError(t, err)
		require.Contains(t, names, "shop")
		tables, err := p.Tables(t.Context(), s, "shop")
		require.NoError(t, err)
		require.Equal(t, []string{"orders", "recent"}, tables)
		columns, err := p.Columns(t.Context(), s, "shop", "orders")
		require.NoError(t, err)
		require.Equal(t, []datasource.Column{{Name: "id", Type: "int"}, {Name: "full name", Type: "varchar"}}, columns)
		none, err := p.Columns(t.Context(), s, "shop", "x' OR '1'='1")
		require.NoError(t, err)
		require.Empty(t, none)
	}
	p := kind(t, "MYSQL")
	with := func(name, value string) form.Flat {
		f := flat.Clone()
		f[name] = value
		return f
	}
	require.Equal(t, datasource.SignIn, step(t, p, with("password", "wrong-one")))
	require.Equal(t, datasource.Missing, step(t, p, with("database", "information_schema_x")))
	require.Equal(t, datasource.Secure, step(t, p, with("other", `{"sslMode":"REQUIRED"}`)))
}

func TestMariaDBAnswersStatementsAndStopsThem(t *testing.T) {
	t.Parallel()
	flat := mariaDB(t)
	for _, name := range []string{"MYSQL", "DORIS"} {
		p := kind(t, name)
		s, problems := p.Read(flat)
		require.Empty(t, problems)
		ask := func(text string) (datasource.Answer, error) {
			return p.Ask(t.Context(), s, datasource.Question{Text: text, Rows: 10, Bytes: 1 << 20})
		}
		a, err := ask("INSERT INTO orders VALUES (1, 'ann'), (2, NULL);")
		require.NoError(t, err)
		require.EqualValues(t, 2, a.Affected)
		a, err = ask("SELECT id, `full name`, DATE '2026-01-02' AS day, TIMESTAMP '2026-01-02 03:04:05' AS at, 1.50 AS price FROM orders ORDER BY id LIMIT 2")
		require.NoError(t, err)
		require.Equal(t, []datasource.Value{{Text: "1"}, {Text: "ann"}, {Text: "2026-01-02"}, {Text: "2026-01-02 03:04:05"}, {Text: "1.50"}}, a.Rows[0])
		require.True(t, a.Rows[1][1].Null)
		a, err = ask("SHOW TABLES")
		require.NoError(t, err)
		require.Len(t, a.Rows, 2)
		_, err = ask("SELECT nope FROM orders")
		require.ErrorContains(t, err, "nope")
		a, err = ask("SELECT a.seq FROM seq_1_to_30000 a, seq_1_to_30000 b")
		require.NoError(t, err)
		require.Equal(t, datasource.ByRows, a.More)

		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err = p.Ask(ctx, s, datasource.Question{Text: "SELECT SLEEP(600)", Rows: 1, Bytes: 1})
		cancel()
		require.Error(t, err)
		require.Eventually(t, func() bool {
			a, err := ask("SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'")
			return err == nil && a.Rows[0][0].Text == "0"
		}, 4*time.Second, 50*time.Millisecond, "the server goes on")
		_, err = ask("DELETE FROM orders")
		require.NoError(t, err)
	}
}
