package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
)

// Config says which database to open.
type Config struct {
	// URL is the path of a SQLite file, "sqlite:" and such a path, or a postgres:// URL.
	URL string
	// MaxOpen bounds the connections; 0 means 8 for SQLite and 16 for PostgreSQL.
	MaxOpen int
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	x       *sqlx.DB
	dialect Dialect
	writers *fifo // nil when the database queues writers itself
	hub     *hub
	log     *slog.Logger
}

// IsPostgres reports whether url names a PostgreSQL database.
func IsPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// Open opens the database and checks that it answers. A missing SQLite file is created, readable by its owner only.
// Errors never contain the password of the URL.
func Open(ctx context.Context, c Config, log *slog.Logger) (*DB, error) {
	var (
		d   *DB
		err error
	)
	if IsPostgres(c.URL) {
		d, err = openPostgres(c, log)
	} else {
		d, err = openSQLite(c, log)
	}
	if err != nil {
		return nil, err
	}
	if err := d.x.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("open the %s database: %w", d.dialect.Name(), errors.Join(err, d.Close()))
	}
	return d, nil
}

func (d *DB) pool(maxOpen int) {
	d.x.SetMaxOpenConns(maxOpen)
	d.x.SetMaxIdleConns(maxOpen)
}

// Close ends subscriptions, waits for their callbacks, and closes all connections.
func (d *DB) Close() error {
	d.hub.close()
	return d.x.Close()
}

// Dialect returns the differences of the open database.
func (d *DB) Dialect() Dialect { return d.dialect }

// SQLX returns the connection pool, for migrations and for tests that need the driver. It knows nothing of the
// transactions in contexts and of the queue of SQLite's writers.
func (d *DB) SQLX() *sqlx.DB { return d.x }

// Durability reads back from the database what makes a commit survive a crash, for logs and benchmarks:
// "journal_mode=wal synchronous=full" or "fsync=on full_page_writes=on synchronous_commit=on".
func (d *DB) Durability(ctx context.Context) (string, error) {
	return d.dialect.durability(ctx, d.x)
}

// Cut returns t in UTC without what is smaller than a millisecond: the precision of stored instants.
func Cut(t time.Time) time.Time {
	return t.UTC().Truncate(time.Millisecond)
}

// Now returns the instant of a clock as it is stored.
func Now(now func() time.Time) time.Time { return Cut(now()) }
