package statementtest

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

	"dorado/plugins/datasource"
	"dorado/plugins/datasource/builtin"
	"dorado/plugins/form"
	"dorado/plugins/task"
)

// Source is a data source of a type with settings as they are typed.
func Source(t *testing.T, kind string, flat form.Flat) task.Source {
	t.Helper()
	types := builtin.Types()
	i := slices.IndexFunc(types, func(p datasource.Plugin) bool { return p.Type == kind })
	require.GreaterOrEqual(t, i, 0, kind)
	settings, problems := types[i].Read(flat)
	require.Empty(t, problems)
	return task.Source{ID: 1, Name: "shop", Plugin: types[i], Settings: settings}
}

// Postgres is the data source of a PostgreSQL that is reached by an address.
func Postgres(t *testing.T, address string) task.Source {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	password, _ := u.User.Password()
	host, port := u.Hostname(), u.Port()
	if host == "" {
		t.Skip("PostgreSQL is reached by a socket only")
	}
	if port == "" {
		port = "5432"
	}
	return Source(t, "POSTGRESQL", form.Flat{
		"host": host, "port": port, "database": strings.TrimPrefix(u.Path, "/"), "userName": u.User.Username(), "password": password, "other": `{"sslmode":"disable"}`,
	})
}

// MariaDB starts a server and returns its data source. It skips the test when there is no server, or fails it when CI=true.
func MariaDB(t *testing.T) task.Source {
	t.Helper()
	server, install := program(t, "mariadbd", "/usr/sbin/mariadbd"), program(t, "mariadb-install-db", "/usr/bin/mariadb-install-db")
	dir, err := os.MkdirTemp("", "dorado-mariadb-") //nolint:usetesting // the path of a socket must be short
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	data := filepath.Join(dir, "data") // in a shared --tmpdir a server removes what another one has there
	out, err := exec.CommandContext(t.Context(), install, "--no-defaults", "--datadir="+data, "--tmpdir="+dir, "--user="+os.Getenv("USER"), "--skip-test-db", "--auth-root-authentication-method=normal").CombinedOutput()
	require.NoError(t, err, "%s", out)
	first := filepath.Join(dir, "first.sql")
	require.NoError(t, os.WriteFile(first, []byte("CREATE DATABASE shop;\nCREATE USER 'ann'@'%' IDENTIFIED BY 'hunter2 &;#?';\nGRANT ALL ON shop.* TO 'ann'@'%';\n"), 0o600))
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	cmd := exec.Command(server, "--no-defaults", "--datadir="+data, "--tmpdir="+dir, "--socket="+filepath.Join(dir, "s"), "--bind-address=127.0.0.1", "--port="+port, //nolint:noctx // it is killed below, after the test's context
		"--init-file="+first, "--user=root", "--innodb-buffer-pool-size=16M", "--pid-file="+filepath.Join(dir, "pid"))
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	s := Source(t, "MYSQL", form.Flat{"host": "127.0.0.1", "port": port, "database": "shop", "userName": "ann", "password": "hunter2 &;#?"})
	require.Eventually(t, func() bool {
		_, err := s.Plugin.Test(t.Context(), s.Settings)
		return err == nil
	}, 60*time.Second, 100*time.Millisecond)
	return s
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
