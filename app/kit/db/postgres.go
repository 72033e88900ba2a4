package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"golang.org/x/sys/unix"
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
	connector.Dialer(patient{})
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

// patient makes connections that break when the network has swallowed what was sent, or the server's machine is gone:
// within 15 seconds, instead of the quarter of an hour that TCP waits by itself. The driver gives a statement up no
// earlier than its connection. A server that takes its time acknowledges and is waited for.
type patient struct{}

func (patient) dialer() *net.Dialer {
	return &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 3 * time.Second, Count: 3},
		Control: func(_, _ string, raw syscall.RawConn) error {
			var err error
			if outer := raw.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int((15 * time.Second).Milliseconds()))
			}); outer != nil {
				return outer
			}
			if errors.Is(err, unix.ENOPROTOOPT) || errors.Is(err, unix.EOPNOTSUPP) { // a socket of the file system
				return nil
			}
			return err
		},
	}
}

// Dial implements pq.Dialer.
func (p patient) Dial(network, address string) (net.Conn, error) {
	return p.dialer().Dial(network, address)
}

// DialTimeout implements pq.Dialer.
func (p patient) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	d := p.dialer()
	d.Timeout = timeout
	return d.Dial(network, address)
}

// DialContext implements pq.DialerContext.
func (p patient) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return p.dialer().DialContext(ctx, network, address)
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

func (postgresDialect) NoneOf(column string, ids []int64) (condition string, arg any) {
	return column + " <> ALL (CAST(? AS BIGINT[]))", pq.Int64Array(append([]int64{}, ids...)) // none is an empty array, not NULL
}

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
