package dbtest

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/migrations"
)

// Each runs fn on a fresh migrated SQLite database and on a PostgreSQL one, as parallel subtests.
func Each(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fn(t, SQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		fn(t, Postgres(t))
	})
}

// SQLite returns a fresh migrated SQLite database, closed when the test ends.
func SQLite(t testing.TB) *db.DB {
	t.Helper()
	return Open(t, SQLiteFile(t))
}

// SQLiteFile returns the path of a fresh migrated SQLite database.
func SQLiteFile(t testing.TB) string {
	t.Helper()
	template, err := sqliteTemplate()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "test.db")
	require.NoError(t, os.WriteFile(path, template, 0o600))
	return path
}

// Postgres returns a fresh migrated PostgreSQL database, dropped when the test ends. It skips the test when there is
// no PostgreSQL, or fails it when CI=true.
func Postgres(t testing.TB) *db.DB {
	t.Helper()
	return Open(t, PostgresURL(t))
}

// Open opens a database of a test with a silent logger, and closes it when the test ends.
func Open(t testing.TB, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), db.Config{URL: url, MaxOpen: 8}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// PostgresURL returns the URL of a fresh migrated PostgreSQL database; see Postgres.
func PostgresURL(t testing.TB) string {
	t.Helper()
	s, err := postgresServer()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	name, err := s.clone(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, err := s.admin.ExecContext(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		require.NoError(t, err)
	})
	return s.url(name)
}

// sqliteTemplate is the content of a migrated database file, made once in a process.
//
//nolint:gochecknoglobals // shared by the tests of a process, that is the point
var sqliteTemplate = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "dorado-sqlite-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "template.db")
	ctx := context.Background()
	d, err := db.Open(ctx, db.Config{URL: path}, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if err := migrateTemplate(ctx, d.SQLX().DB, migrations.SQLite); err != nil {
		return nil, err
	}
	if err := d.Close(); err != nil { // the last connection writes the log back into the file
		return nil, err
	}
	return os.ReadFile(path)
})

func migrateTemplate(ctx context.Context, x *sql.DB, dialect string) error {
	if _, err := migrations.Up(ctx, x, dialect); err != nil {
		return fmt.Errorf("dbtest: %w", err)
	}
	return nil
}
