package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// SQLSTATE codes and classes that this package recognises.
const (
	pgUniqueViolation     = "23505"
	pgForeignKeyViolation = "23503"
	pgRestrictViolation   = "23001"
	pgDiskFull            = "53100"
	pgConnectionClass     = "08"
	pgResourcesClass      = "53"
	pgInterventionClass   = "57P" // shut down, crashed, starting up
)

func openPostgres(c Config, log *slog.Logger) (*DB, error) {
	dsn, err := postgresDSN(c.URL)
	if err != nil {
		return nil, err
	}
	connector, err := pq.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("open the PostgreSQL database: %w", err)
	}
	x := sqlx.NewDb(sql.OpenDB(preparing{connector}), "postgres")
	d := &DB{x: x, dialect: postgresDialect{}, log: log}
	d.hub = newHub(&pgListener{dsn: dsn, log: log})
	if c.MaxOpen <= 0 {
		c.MaxOpen = 16
	}
	d.pool(c.MaxOpen)
	x.SetConnMaxIdleTime(5 * time.Minute)
	x.SetConnMaxLifetime(time.Hour)
	return d, nil
}

// postgresDSN adds what this program relies on, unless the URL says otherwise: parameters sent with the query in one
// round trip, times in UTC, a name to be seen in pg_stat_activity, and a bound on connecting.
func postgresDSN(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", errors.New("the database URL cannot be parsed; is a special character of the password not escaped?")
	}
	q := u.Query()
	for name, value := range map[string]string{
		"binary_parameters": "yes",
		"application_name":  "dorado",
		"connect_timeout":   "10",
	} {
		if !q.Has(name) {
			q.Set(name, value)
		}
	}
	q.Set("timezone", "UTC")
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// redact hides the password of a URL.
func redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unreadable URL)"
	}
	return u.Redacted()
}

type postgresDialect struct{}

func (postgresDialect) Name() string                { return "postgres" }
func (postgresDialect) ForUpdate() string           { return "FOR NO KEY UPDATE" }
func (postgresDialect) ForUpdateSkipLocked() string { return "FOR UPDATE SKIP LOCKED" }
func (postgresDialect) Like(column string) string   { return column + ` ILIKE ? ESCAPE '\'` }
func (postgresDialect) ManyWriters() bool           { return true }

func (postgresDialect) durability(ctx context.Context, x *sqlx.DB) (string, error) {
	var parts []string
	for _, name := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		var value string
		if err := x.GetContext(ctx, &value, "SELECT current_setting($1)", name); err != nil {
			return "", fmt.Errorf("read %s: %w", name, err)
		}
		parts = append(parts, name+"="+value)
	}
	return strings.Join(parts, " "), nil
}

func postgresConflict(err error) (string, bool) {
	e, ok := errors.AsType[*pq.Error](err)
	if !ok || e.Code != pgUniqueViolation {
		return "", false
	}
	return e.Constraint, true
}

func postgresForeignKey(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && (e.Code == pgForeignKeyViolation || e.Code == pgRestrictViolation)
}

func postgresPassing(err error) (passing, full bool) {
	e, ok := errors.AsType[*pq.Error](err)
	if !ok {
		return false, false
	}
	code := string(e.Code)
	if code == pgDiskFull {
		return true, true
	}
	return strings.HasPrefix(code, pgConnectionClass) || strings.HasPrefix(code, pgResourcesClass) ||
		strings.HasPrefix(code, pgInterventionClass), false
}
