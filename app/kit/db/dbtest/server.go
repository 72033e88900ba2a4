package dbtest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"dorado/app/kit/testkit"
)

var errMissing = errors.New("no PostgreSQL server found: install it (Debian: apt-get install postgresql), or set DORADO_TEST_POSTGRES to the URL of a running one")

// watchdog ends the server and removes its files when the test process is gone: then its standard input closes,
// whether the process ended well, panicked or was killed.
const watchdog = `cat >/dev/null
kill -QUIT "$1" 2>/dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$1" 2>/dev/null || break; sleep 0.1; done
kill -KILL "$1" 2>/dev/null
rm -rf "$2"`

// startPostgres starts a server in a temporary folder and returns the URL of its maintenance database, and
// a file that keeps it alive while it is open. Nothing in it survives, so it never waits for the disk.
func startPostgres(ctx context.Context) (string, *os.File, error) {
	initdb, err := find("initdb")
	if err != nil {
		return "", nil, err
	}
	postgres, err := find("postgres")
	if err != nil {
		return "", nil, err
	}
	as, err := unprivileged()
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("/tmp", "dorado-pg-") // not TMPDIR: the path of a socket must be short
	if err != nil {
		return "", nil, fmt.Errorf("dbtest: %w", err)
	}
	fail := func(err error) (string, *os.File, error) {
		return "", nil, errors.Join(fmt.Errorf("dbtest: start PostgreSQL: %w", err), os.RemoveAll(dir))
	}
	if as != nil {
		if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
			return fail(err)
		}
	}
	data := filepath.Join(dir, "data")
	var out bytes.Buffer
	initialise := exec.CommandContext(ctx, initdb, "-D", data, "-U", "postgres", "-A", "trust", "-N", "--no-locale", "-E", "UTF8")
	initialise.Dir, initialise.Stdout, initialise.Stderr = dir, &out, &out
	initialise.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	if err := initialise.Run(); err != nil {
		return fail(fmt.Errorf("initdb: %w\n%s", err, out.String()))
	}
	port, err := testkit.FreePort(ctx)
	if err != nil {
		return fail(err)
	}
	logFile, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return fail(err)
	}
	defer func() { _ = logFile.Close() }()
	// Its own process group: an interrupt of the tests must reach the watchdog's job, not race with it.
	//nolint:noctx // outlives this call; the watchdog ends it
	srv := exec.Command(postgres, "-D", data, "-k", dir, "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-F",
		"-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "shared_buffers=32MB",
		"-c", "max_connections=300", "-c", "autovacuum=off", "-c", "wal_level=minimal", "-c", "max_wal_senders=0")
	srv.Dir, srv.Stdout, srv.Stderr = dir, logFile, logFile
	srv.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as}
	if err := srv.Start(); err != nil {
		return fail(err)
	}
	alive, err := watch(srv.Process.Pid, dir)
	if err != nil {
		return fail(errors.Join(err, srv.Process.Kill()))
	}
	exited := make(chan error, 1)
	go func() { exited <- srv.Wait() }()
	dsn := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	if err := awaitReady(ctx, dsn, exited); err != nil {
		text, _ := os.ReadFile(logFile.Name())
		_ = srv.Process.Kill()
		return fail(fmt.Errorf("%w\n%s", err, text))
	}
	return dsn, alive, nil
}

// watch starts the watchdog. It acts when the returned file is closed, at the latest when this process ends.
func watch(pid int, dir string) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	//nolint:noctx // outlives this process by design
	cmd := exec.Command("sh", "-c", watchdog, "sh", strconv.Itoa(pid), dir)
	cmd.Stdin, cmd.Dir = r, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return w, errors.Join(cmd.Start(), r.Close())
}

func awaitReady(ctx context.Context, dsn string, exited <-chan error) error {
	x, err := sql.Open("postgres", dsn)
	if err != nil {
		return err
	}
	defer func() { _ = x.Close() }()
	for {
		if err = x.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case err := <-exited:
			return fmt.Errorf("the server ended: %w", err)
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// find looks for a server program in PATH and where Debian keeps it, newest version first.
func find(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	paths, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + program)
	if err != nil || len(paths) == 0 {
		return "", errMissing
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	return slices.MaxFunc(paths, func(a, b string) int { return version(a) - version(b) }), nil
}

// unprivileged is the user to run as when this process is root, which PostgreSQL refuses; nil means as this process.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	var err error
	for _, name := range []string{"postgres", "nobody"} {
		var u *user.User
		if u, err = user.Lookup(name); err != nil {
			continue
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("dbtest: root needs an unprivileged user to run PostgreSQL as: %w", err)
}
