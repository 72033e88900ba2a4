package dataquality_test

import (
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db/dbtest"
	"dorado/plugins/datasource"
	"dorado/plugins/datasource/builtin"
	"dorado/plugins/form"
	"dorado/plugins/task"
)

// filled is a data source with the tables of seed.
func filled(t *testing.T, id int64, kind, backslash string, flat form.Flat) task.Source {
	t.Helper()
	at := slices.IndexFunc(builtin.Types(), func(p datasource.Plugin) bool { return p.Type == kind })
	plugin := builtin.Types()[at]
	s, problems := plugin.Read(flat)
	require.Empty(t, problems)
	require.Eventually(t, func() bool { _, err := plugin.Test(t.Context(), s); return err == nil }, time.Minute, 100*time.Millisecond)
	pool, err := plugin.Open(s)
	require.NoError(t, err)
	defer pool.Close()
	for statement := range strings.SplitSeq(strings.TrimSpace(strings.ReplaceAll(seed, "BACKSLASH", backslash)), ";\n") {
		_, err := pool.ExecContext(t.Context(), strings.TrimSuffix(statement, ";"))
		require.NoError(t, err, statement)
	}
	return task.Source{ID: id, Name: "shop", Plugin: plugin, Settings: s}
}

// postgres is a data source in the test's own PostgreSQL.
func postgres(t *testing.T, id int64) task.Source {
	t.Helper()
	u, err := url.Parse(dbtest.PostgresURL(t))
	require.NoError(t, err)
	password, _ := u.User.Password()
	host, port := u.Hostname(), u.Port()
	if host == "" {
		t.Skip("PostgreSQL is reached by a socket only")
	}
	if port == "" {
		port = "5432"
	}
	return filled(t, id, "POSTGRESQL", `\`, form.Flat{
		"host": host, "port": port, "database": strings.TrimPrefix(u.Path, "/"), "userName": u.User.Username(), "password": password, "other": `{"sslmode":"disable"}`,
	})
}

// mariaDB is a data source in a MariaDB that is started for it. It skips the test when there is none, or fails it when CI=true.
func mariaDB(t *testing.T, id int64) task.Source {
	t.Helper()
	server, install := program(t, "mariadbd", "/usr/sbin/mariadbd"), program(t, "mariadb-install-db", "/usr/bin/mariadb-install-db")
	dir, err := os.MkdirTemp("", "dorado-mariadb-") //nolint:usetesting // the path of a socket must be short
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	data := filepath.Join(dir, "data") // in a shared --tmpdir a server removes what another one has there
	out, err := exec.CommandContext(t.Context(), install, "--no-defaults", "--datadir="+data, "--tmpdir="+dir, "--user="+os.Getenv("USER"), "--skip-test-db", "--auth-root-authentication-method=normal").CombinedOutput()
	require.NoError(t, err, "%s", out)
	first := filepath.Join(dir, "first.sql")
	require.NoError(t, os.WriteFile(first, []byte("CREATE DATABASE shop CHARACTER SET utf8mb4;\nCREATE USER 'ann'@'%' IDENTIFIED BY 'hunter2';\nGRANT ALL ON shop.* TO 'ann'@'%';\n"), 0o644))
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
	return filled(t, id, "MYSQL", `\\`, form.Flat{"host": "127.0.0.1", "port": port, "database": "shop", "userName": "ann", "password": "hunter2"})
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
