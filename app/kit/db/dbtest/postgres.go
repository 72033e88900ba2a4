package dbtest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	_ "github.com/lib/pq" // the driver "postgres"

	"dorado/migrations"
)

// server is a PostgreSQL that tests may create databases in.
type server struct {
	base     *url.URL // of the maintenance database
	admin    *sql.DB
	template string
	alive    *os.File // keeps our own server alive; nil for a foreign one

	mu   sync.Mutex // one clone at a time: PostgreSQL wants the template for itself
	next atomic.Int64
}

// postgresServer is started, or connected to, once in a process.
//
//nolint:gochecknoglobals // shared by the tests of a process, that is the point
var postgresServer = sync.OnceValues(func() (*server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	raw := os.Getenv("DORADO_TEST_POSTGRES")
	var alive *os.File
	if raw == "" {
		var err error
		if raw, alive, err = startPostgres(ctx); err != nil {
			return nil, err
		}
	}
	base, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("dbtest: DORADO_TEST_POSTGRES is not a URL")
	}
	admin, err := sql.Open("postgres", raw)
	if err != nil {
		return nil, fmt.Errorf("dbtest: %w", err)
	}
	admin.SetMaxOpenConns(2)
	s := &server{base: base, admin: admin, alive: alive}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, admin.Close())
	}
	return s, nil
})

func (s *server) url(database string) string {
	u := *s.base
	u.Path = "/" + database
	return u.String()
}

// prepare makes the migrated template. Its name holds a hash of the migrations, so a running server keeps it between
// test runs, and processes that arrive together wait for the first of them.
func (s *server) prepare(ctx context.Context) error {
	hash, err := migrationsHash()
	if err != nil {
		return err
	}
	s.template = "dorado_template_" + hash
	conn, err := s.admin.Conn(ctx)
	if err != nil {
		return fmt.Errorf("dbtest: connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close() }()
	const lock = 7345123908
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", lock); err != nil {
		return fmt.Errorf("dbtest: %w", err)
	}
	defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", lock) }()

	var exists bool
	if err := conn.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", s.template).Scan(&exists); err != nil {
		return fmt.Errorf("dbtest: %w", err)
	}
	if exists {
		return nil
	}
	unfinished := s.template + "_new"
	for _, q := range []string{"DROP DATABASE IF EXISTS " + unfinished + " WITH (FORCE)", "CREATE DATABASE " + unfinished} {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("dbtest: %w", err)
		}
	}
	x, err := sql.Open("postgres", s.url(unfinished))
	if err != nil {
		return fmt.Errorf("dbtest: %w", err)
	}
	if err := errors.Join(migrateTemplate(ctx, x, migrations.Postgres), x.Close()); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "ALTER DATABASE "+unfinished+" RENAME TO "+s.template); err != nil {
		return fmt.Errorf("dbtest: %w", err)
	}
	return nil
}

func (s *server) clone(ctx context.Context) (string, error) {
	name := fmt.Sprintf("dorado_test_%d_%d_%d", os.Getpid(), time.Now().Unix(), s.next.Add(1))
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.admin.ExecContext(ctx, "CREATE DATABASE "+name+" TEMPLATE "+s.template); err != nil {
		return "", fmt.Errorf("dbtest: %w", err)
	}
	return name, nil
}

func migrationsHash() (string, error) {
	dir, err := migrations.Files(migrations.Postgres)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	names, err := fs.Glob(dir, "*.sql")
	if err != nil {
		return "", err
	}
	for _, name := range names {
		data, err := fs.ReadFile(dir, name)
		if err != nil {
			return "", err
		}
		_, _ = fmt.Fprintf(h, "%s %d\n", name, len(data))
		_, _ = h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}
