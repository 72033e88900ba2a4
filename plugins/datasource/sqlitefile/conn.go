package sqlitefile

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"dorado/plugins/datasource"
)

// maxValue is how many bytes one value or row may have.
const maxValue = 64 << 20

// pragmas are those that tell something about the file or change only it and this connection. Others change the whole
// process (heap limits, the folder of temporary files) or let a broken file end it (mmap_size, writable_schema).
var pragmas = []string{
	"analysis_limit", "application_id", "auto_vacuum", "automatic_index", "busy_timeout", "case_sensitive_like", "collation_list", "compile_options",
	"count_changes", "data_version", "database_list", "defer_foreign_keys", "encoding", "foreign_key_check", "foreign_key_list", "foreign_keys",
	"freelist_count", "function_list", "ignore_check_constraints", "incremental_vacuum", "index_info", "index_list", "index_xinfo", "integrity_check",
	"journal_mode", "journal_size_limit", "legacy_alter_table", "max_page_count", "module_list", "optimize", "page_count", "page_size", "pragma_list",
	"query_only", "quick_check", "recursive_triggers", "reverse_unordered_selects", "secure_delete", "stats", "synchronous", "table_info", "table_list",
	"table_xinfo", "user_version", "wal_autocheckpoint", "wal_checkpoint",
}

// modules are those that virtual tables may be made of: they keep what they have in the same file.
var modules = []string{"fts3", "fts4", "fts5", "geopoly", "rtree", "rtree_i32"}

// permit is asked before a statement may do something.
func permit(action sqlite.AuthorizerActionCode, arg1, arg2, _, _ string) sqlite.AuthorizerReturnCode {
	ok := true
	switch action { //nolint:exhaustive // all else stays within the file
	case sqlite.AuthAttach, sqlite.AuthDetach:
		ok = false
	case sqlite.AuthPragma:
		ok = slices.Contains(pragmas, strings.ToLower(arg1))
	case sqlite.AuthFunction:
		name := strings.ToLower(arg2)
		ok = name != "load_extension" && name != "fts3_tokenizer"
	case sqlite.AuthCreateVTable:
		ok = slices.Contains(modules, strings.ToLower(arg2))
	}
	if !ok {
		return sqlite.AuthorizerDeny
	}
	return sqlite.AuthorizerOK
}

type connector struct {
	guard    Guard
	path     string
	readOnly bool
	driver   *sqlite.Driver
}

// NewConnector is for sql.OpenDB. The file is looked for when a connection is made, and never created.
func NewConnector(g Guard, path string, readOnly bool) driver.Connector {
	d := &sqlite.Driver{}
	d.RegisterConnectionHook(func(c sqlite.ExecQuerierContext, _ string) error {
		r, ok := c.(sqlite.AuthorizerRegisterer)
		if !ok {
			return errors.New("the driver has changed")
		}
		return r.RegisterAuthorizer(permit)
	})
	return &connector{guard: g, path: path, readOnly: readOnly, driver: d}
}

// Driver is the one of SQLite.
func (c *connector) Driver() driver.Driver { return c.driver }

// dsn is the address of a file. Foreign keys hold, as they do in every other database; views and triggers of the file may
// not call what only statements should.
func (c *connector) dsn(at string) string {
	query := url.Values{"mode": {"rw"}, "_defensive": {"1"}, "_error_rc": {"1"}, "_pragma": {
		"busy_timeout(5000)", "foreign_keys(1)", "trusted_schema(0)", "cell_size_check(1)", "mmap_size(0)",
	}}
	if c.readOnly {
		query.Set("mode", "ro")
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: at, RawQuery: query.Encode()}).String()
}

// Connect opens the file.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	at, info, err := c.guard.Check(c.path)
	if err != nil {
		return nil, err
	}
	raw, err := c.driver.Open(c.dsn(at))
	if err != nil {
		return nil, unfit(err)
	}
	conn, err := limited(ctx, raw)
	if err != nil {
		return nil, unfit(err)
	}
	again, now, err := c.guard.Check(c.path)
	if err == nil && (again != at || !os.SameFile(info, now)) {
		err = refused("the file %q was replaced while it was opened", c.path)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// unfit is a failure to open a file.
func unfit(err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok && e.Code()&0xff == sqlite3.SQLITE_CANTOPEN {
		return datasource.At(datasource.Missing, fmt.Errorf("the file cannot be opened, or its folder cannot be written: %w", err))
	}
	return datasource.At(datasource.Unfit, err)
}

// plain is what the driver's connections can do.
type plain interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// conn is a connection of the driver. The driver sets limits only on a pool's connections, so it lives in a pool of its own.
type conn struct {
	plain

	pool *sql.DB
	pin  *sql.Conn
}

// denied explains a statement that permit refused.
func denied(err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok && e.Code()&0xff == sqlite3.SQLITE_AUTH {
		return fmt.Errorf("the statement would reach beyond its file, into another one or into this process: %w", err)
	}
	return err
}

// ExecContext runs a statement.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	r, err := c.plain.ExecContext(ctx, query, args)
	return r, denied(err)
}

// QueryContext runs a statement that has rows.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	r, err := c.plain.QueryContext(ctx, query, args)
	return r, denied(err)
}

// limited bounds what statements on a connection may build. It closes the connection when it cannot.
func limited(ctx context.Context, raw driver.Conn) (driver.Conn, error) {
	p, ok := raw.(plain)
	if !ok {
		return nil, errors.Join(errors.New("the driver has changed"), raw.Close())
	}
	pool := sql.OpenDB(one{raw})
	pin, err := pool.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, pool.Close(), raw.Close())
	}
	for id, most := range map[int]int{sqlite3.SQLITE_LIMIT_ATTACHED: 0, sqlite3.SQLITE_LIMIT_LENGTH: maxValue} {
		if _, err := sqlite.Limit(pin, id, most); err != nil {
			pin.Close()
			pool.Close()
			return nil, err
		}
	}
	return &conn{plain: p, pool: pool, pin: pin}, nil
}

// Close closes the connection and its pool.
func (c *conn) Close() error { return errors.Join(c.pin.Close(), c.pool.Close()) }

// one hands out a connection that is there.
type one struct{ driver.Conn }

// Connect returns it.
func (o one) Connect(context.Context) (driver.Conn, error) { return o.Conn, nil }

// Driver is never asked to open by name.
func (o one) Driver() driver.Driver { return nil }
