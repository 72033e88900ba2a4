package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteOptions: times are written in UTC with a fixed layout, so that text order is time order; a transaction takes
// the write lock when it begins, so that it can't fail half-way; busy_timeout is for other processes only.
const sqliteOptions = "?_txlock=immediate&_time_format=sqlite&_timezone=UTC" +
	"&_busy_timeout=10000&_journal_mode=WAL&_synchronous=FULL&_foreign_keys=1" +
	"&_pragma=cache_size(-16384)&_pragma=temp_store(memory)&_pragma=journal_size_limit(67108864)"

func openSQLite(c Config, log *slog.Logger) (*DB, error) {
	path := strings.TrimPrefix(c.URL, "sqlite:")
	if path == "" || strings.HasPrefix(path, ":memory:") {
		return nil, errors.New("the SQLite database needs the path of a file")
	}
	if strings.Contains(path, "://") {
		return nil, fmt.Errorf("%q is neither the path of a SQLite file nor a postgres:// URL", redact(c.URL))
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open the SQLite database: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open the SQLite database: %w", err)
	}
	// SQLite would create it readable by everybody; the log files inherit the mode.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the SQLite database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open the SQLite database: %w", err)
	}
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.ToSlash(path))
	connector, err := sqlite.NewConnector("file:" + escaped + sqliteOptions)
	if err != nil {
		return nil, fmt.Errorf("open the SQLite database: %w", err)
	}
	x := sqlx.NewDb(sql.OpenDB(preparing{connector}), "sqlite")
	d := &DB{x: x, dialect: sqliteDialect{}, writers: &fifo{}, hub: newHub(nil), log: log}
	if c.MaxOpen <= 0 {
		c.MaxOpen = 8
	}
	d.pool(c.MaxOpen)
	return d, nil
}

type sqliteDialect struct{}

func (sqliteDialect) Name() string                { return "sqlite" }
func (sqliteDialect) ForUpdate() string           { return "" }
func (sqliteDialect) ForUpdateSkipLocked() string { return "" }
func (sqliteDialect) Like(column string) string   { return column + ` LIKE ? ESCAPE '\'` }
func (sqliteDialect) ManyWriters() bool           { return false }

func (sqliteDialect) NoneOf(column string, ids []int64) (condition string, arg any) {
	list := []byte{'['}
	for n, id := range ids {
		if n > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendInt(list, id, 10)
	}
	return column + " NOT IN (SELECT value FROM json_each(?))", string(append(list, ']'))
}

func (sqliteDialect) durability(ctx context.Context, x *sqlx.DB) (string, error) {
	var (
		journal string
		sync    int
	)
	if err := x.GetContext(ctx, &journal, "PRAGMA journal_mode"); err != nil {
		return "", fmt.Errorf("read journal_mode: %w", err)
	}
	if err := x.GetContext(ctx, &sync, "PRAGMA synchronous"); err != nil {
		return "", fmt.Errorf("read synchronous: %w", err)
	}
	names := []string{"off", "normal", "full", "extra"}
	if sync < 0 || sync >= len(names) {
		return "", fmt.Errorf("unknown synchronous level %d", sync)
	}
	return fmt.Sprintf("journal_mode=%s synchronous=%s", journal, names[sync]), nil
}

// sqliteConflict reads the constraint from a message such as
// "constraint failed: UNIQUE constraint failed: project.code, project.name (2067)": SQLite names columns, so the
// naming rule of the schema gives the constraint.
func sqliteConflict(err error) (string, bool) {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return "", false
	}
	if e.Code() != sqlite3.SQLITE_CONSTRAINT_UNIQUE && e.Code() != sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY {
		return "", false
	}
	_, list, _ := strings.Cut(e.Error(), "UNIQUE constraint failed: ")
	if i := strings.LastIndex(list, " ("); i >= 0 {
		list = list[:i]
	}
	if index, isIndex := strings.CutPrefix(list, "index '"); isIndex {
		return strings.TrimSuffix(index, "'"), true
	}
	columns := strings.Split(list, ", ")
	table, _, _ := strings.Cut(columns[0], ".")
	if e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY {
		return table + "_pkey", true
	}
	name := []string{"uq", table}
	for _, c := range columns {
		_, column, _ := strings.Cut(c, ".")
		name = append(name, column)
	}
	return strings.Join(name, "_"), true
}

func sqliteForeignKey(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY || e.Code() == sqlite3.SQLITE_CONSTRAINT_TRIGGER)
}

// sqlitePassing tells failures of the moment: another process holds the file, the disk refuses or is full.
func sqlitePassing(err error) (passing, full bool) {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false, false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return true, true
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		return true, false
	}
	return false, false
}
