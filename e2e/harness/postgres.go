package harness

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	_ "github.com/lib/pq" // the driver
)

// ErrNoPostgres means that this machine has no PostgreSQL server to start.
var ErrNoPostgres = errors.New("no PostgreSQL server program (postgres, initdb) in PATH or /usr/lib/postgresql")

// Postgres is a throw-away server with the settings PostgreSQL comes with: fsync and synchronous_commit are on.
type Postgres struct {
	Port int
	dir  string
	bin  string
	as   *syscall.SysProcAttr
	cmd  *exec.Cmd
	done <-chan struct{}
	log  *os.File
}

// StartPostgres makes a new database cluster in a temporary folder and starts a server on it. As root it runs the
// server as user postgres, because PostgreSQL refuses root. It returns ErrNoPostgres when the programs are missing.
func StartPostgres(ctx context.Context) (*Postgres, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	p := &Postgres{bin: bin, as: &syscall.SysProcAttr{Setpgid: true}}
	if p.dir, err = os.MkdirTemp("", "dorado-pg-"); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		if err := p.giveAway("postgres"); err != nil {
			return nil, errors.Join(err, os.RemoveAll(p.dir))
		}
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"),
		"-D", filepath.Join(p.dir, "data"), "-U", "dorado", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = p.as, p.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w\n%s", err, out), os.RemoveAll(p.dir))
	}
	if p.log, err = os.Create(filepath.Join(p.dir, "server.log")); err != nil {
		return nil, errors.Join(err, os.RemoveAll(p.dir))
	}
	if p.Port, err = FreePort(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(p.dir))
	}
	if err := p.Restart(ctx); err != nil {
		return nil, errors.Join(err, p.Close()) //nolint:contextcheck // cleaning up must outlive the context
	}
	return p, nil
}

// errLeaving says that processes of a killed server still hold its memory.
var errLeaving = errors.New("the killed server is still leaving")

// Restart starts the server again after Stop or Kill and waits until it answers.
func (p *Postgres) Restart(ctx context.Context) error {
	for {
		err := p.start(ctx)
		if !errors.Is(err, errLeaving) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (p *Postgres) start(ctx context.Context) error {
	said := len(p.Log())
	cmd := exec.Command(filepath.Join(p.bin, "postgres"), //nolint:noctx // stopped by Stop or Kill
		"-D", filepath.Join(p.dir, "data"), "-p", strconv.Itoa(p.Port), "-h", "127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "max_connections=200")
	cmd.SysProcAttr, cmd.Dir = p.as, p.dir
	cmd.Stdout, cmd.Stderr = p.log, p.log
	done, err := startChild(cmd)
	if err != nil {
		return err
	}
	p.cmd, p.done = cmd, done
	db, err := sql.Open("postgres", p.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-done:
			if log := p.Log(); strings.Contains(log[min(said, len(log)):], "is still in use") {
				return errLeaving
			}
			return fmt.Errorf("postgres ended at once:\n%s", p.Log())
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w\n%s", err, p.Log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// URL returns the address of one of the server's databases.
func (p *Postgres) URL(database string) string {
	return fmt.Sprintf("postgres://dorado@127.0.0.1:%d/%s?sslmode=disable", p.Port, database)
}

// Create makes an empty database and returns its address.
func (p *Postgres) Create(ctx context.Context, name string) (string, error) {
	db, err := sql.Open("postgres", p.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, `CREATE DATABASE "`+name+`"`); err != nil {
		return "", err
	}
	return p.URL(name), nil
}

// PID returns the number of the server's first process; its backends are its children.
func (p *Postgres) PID() int { return p.cmd.Process.Pid }

// Log returns the server's log.
func (p *Postgres) Log() string {
	raw, err := os.ReadFile(filepath.Join(p.dir, "server.log"))
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(raw))
}

// Stop ends the server quickly but in order: connections are cut, everything is written.
func (p *Postgres) Stop(ctx context.Context) error { return p.signal(ctx, syscall.SIGINT) }

// Kill ends the server's first process as a crash does; the backends notice and leave.
func (p *Postgres) Kill(ctx context.Context) error { return p.signal(ctx, syscall.SIGKILL) }

func (p *Postgres) signal(ctx context.Context, s syscall.Signal) error {
	if p.cmd == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("postgres does not end: %w", ctx.Err())
	}
}

// Close stops the server and removes its folder.
func (p *Postgres) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second) //nolint:forbidigo // cleaning up must outlive the test's context
	defer cancel()
	err := p.Stop(ctx)
	if p.log != nil {
		err = errors.Join(err, p.log.Close())
	}
	// A backend that is still leaving may write a last file, so removing is tried again.
	rm := os.RemoveAll(p.dir)
	for range 20 {
		if rm == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
		rm = os.RemoveAll(p.dir)
	}
	return errors.Join(err, rm)
}

// giveAway makes the folder another user's and arranges that the server runs as that user.
func (p *Postgres) giveAway(name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return fmt.Errorf("PostgreSQL does not run as root, and there is no user %s: %w", name, err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return err
	}
	p.as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(p.dir, int(uid), int(gid))
}

// postgresBin finds the folder with the server programs: PATH first, else the newest below /usr/lib/postgresql.
func postgresBin() (string, error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil && has(filepath.Dir(path), "initdb") {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	version := func(path string) int {
		n, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return 0
		}
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	for _, dir := range found {
		if has(dir, "initdb") && has(dir, "postgres") {
			return dir, nil
		}
	}
	return "", ErrNoPostgres
}

func has(dir, name string) bool {
	info, err := os.Stat(filepath.Join(dir, name))
	return !errors.Is(err, fs.ErrNotExist) && err == nil && !info.IsDir()
}
