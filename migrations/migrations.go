package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// The dialects, named as db.Dialect names them.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// ErrNewer is returned when the database was migrated by a newer program, and this one would misread it.
var ErrNewer = errors.New("the database schema is newer than this program")

// Migration is one step of the schema.
type Migration struct {
	Version   int64
	Name      string    // file name without number and suffix
	AppliedAt time.Time // zero when pending
}

// Up applies all pending migrations and returns those it applied. When the database knows migrations that this program
// does not, it changes nothing: it returns ErrNewer when this program would misread it, and nothing when those only added.
func Up(ctx context.Context, db *sql.DB, dialect string) ([]Migration, error) {
	p, err := provider(db, dialect)
	if err != nil {
		return nil, err
	}
	if ahead, err := newer(ctx, db, p); err != nil || ahead {
		return nil, err
	}
	results, err := p.Up(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrate the database: %w", err)
	}
	applied := make([]Migration, 0, len(results))
	for _, r := range results {
		applied = append(applied, Migration{Version: r.Source.Version, Name: name(r.Source.Path)})
	}
	return applied, nil
}

// Status lists all migrations of this program, oldest first. It returns ErrNewer.
func Status(ctx context.Context, db *sql.DB, dialect string) ([]Migration, error) {
	p, err := provider(db, dialect)
	if err != nil {
		return nil, err
	}
	if _, err := newer(ctx, db, p); err != nil {
		return nil, err
	}
	status, err := p.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the migration status: %w", err)
	}
	all := make([]Migration, 0, len(status))
	for _, s := range status {
		m := Migration{Version: s.Source.Version, Name: name(s.Source.Path)}
		if s.State == goose.StateApplied {
			m.AppliedAt = s.AppliedAt.UTC()
		}
		all = append(all, m)
	}
	return all, nil
}

// DownTo takes back all migrations above version, newest first. 0 empties the database. It returns ErrNewer for any
// database that knows migrations that this program does not: it cannot take those back.
func DownTo(ctx context.Context, db *sql.DB, dialect string, version int64) error {
	p, err := provider(db, dialect)
	if err != nil {
		return err
	}
	if ahead, err := newer(ctx, db, p); err != nil {
		return err
	} else if ahead {
		return fmt.Errorf("%w: its newest migrations are not known here", ErrNewer)
	}
	if _, err := p.DownTo(ctx, version); err != nil {
		return fmt.Errorf("take back migrations: %w", err)
	}
	return nil
}

// Files returns the migration files of a dialect, for whoever needs to know whether they changed.
func Files(dialect string) (fs.FS, error) {
	switch dialect {
	case SQLite, Postgres:
		return fs.Sub(files, dialect)
	}
	return nil, fmt.Errorf("migrations: no dialect %q", dialect)
}

func provider(db *sql.DB, dialect string) (*goose.Provider, error) {
	dir, err := Files(dialect)
	if err != nil {
		return nil, err
	}
	opts := []goose.ProviderOption{goose.WithTableName("schema_migration"), goose.WithDisableGlobalRegistry(true)}
	gooseDialect := goose.DialectSQLite3
	if dialect == Postgres {
		gooseDialect = goose.DialectPostgres
		// One try a second for five minutes: several masters of a cluster may start together.
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300), lock.WithUnlockTimeout(1, 10))
		if err != nil {
			return nil, fmt.Errorf("migrations: %w", err)
		}
		opts = append(opts, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(gooseDialect, db, dir, opts...)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	return p, nil
}

// name is "identity" for "00001_identity.sql".
func name(file string) string {
	base := strings.TrimSuffix(path.Base(file), path.Ext(file))
	if _, after, ok := strings.Cut(base, "_"); ok {
		return after
	}
	return base
}
