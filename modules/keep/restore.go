package keep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"dorado/app/kit/db"
	"dorado/app/kit/secret"
	"dorado/migrations"
	"dorado/modules/keep/archive"
)

// ErrNotEmpty says that the database to restore into holds something.
var ErrNotEmpty = errors.New("the database is not empty")

// RestoreDeps are what a restore is made of.
type RestoreDeps struct {
	DB         *db.DB // neither migrated nor used before, or left by a restore that broke off
	In         io.ReadSeeker
	Passphrase string
	// MaxUnpacked bounds what is unpacked, in bytes; 0 = archive.DefaultMaxUnpacked.
	MaxUnpacked int64
	// Targets take files, by kind; files of other kinds are passed over.
	Targets map[string]Target
	// LogWorker is the worker that shows the restored logs, by its name; "" = the one that wrote them.
	LogWorker string

	Resume           bool // go on with runs that were under way
	CatchUp          bool // make up for fires that were missed since
	SchedulesOffline bool // take all schedules offline, as for a trial

	// Sealer opens the secrets of this installation, nil when it has no key yet; a backup with secrets that it does not
	// open is refused with ErrOtherKey. WithoutSecrets empties Sealed instead: then they have to be entered again.
	Sealer         *secret.Sealer
	WithoutSecrets bool
	Sealed         []secret.Column

	Program  string
	Now      func() time.Time
	Progress Progress // nil = nobody listens
	// Fits is asked, with the checked contents and before anything is written, whether there is room; nil = there is.
	Fits func(archive.Header, archive.Manifest) error
}

// Restored says what a restore did.
type Restored struct {
	Header   archive.Header
	Manifest archive.Manifest
	Settled  Settled
}

// Verify reads a whole backup and returns what is in it, or what is wrong with it.
func Verify(ctx context.Context, from io.Reader, o archive.Options, progress Progress) (archive.Header, archive.Manifest, error) {
	if progress == nil {
		progress = func(string, int64) {}
	}
	c := checker{progress: progress}
	return archive.Read(ctx, from, o, archive.Visitor{Header: c.begin, Row: c.row, File: c.file})
}

// checker decodes what it is given and forgets it.
type checker struct {
	progress Progress
	tables   map[string]*archive.Table
	name     string
	n        int64
}

func (c *checker) begin(h archive.Header) error {
	c.tables = make(map[string]*archive.Table, len(h.Tables))
	for i := range h.Tables {
		c.tables[h.Tables[i].Name] = &h.Tables[i]
	}
	return nil
}

func (c *checker) row(table string, line []byte) error {
	_, err := decodeRow(c.tables[table], line, migrations.SQLite)
	c.count(table)
	return err
}

func (c *checker) file(string, int64, io.Reader) error {
	c.count("files")
	return nil
}

func (c *checker) count(name string) {
	if name != c.name {
		c.name, c.n = name, 0
	}
	if c.n++; c.n%10_000 == 0 || c.n == 1 {
		c.progress("check "+name, c.n)
	}
}

// Restore reads a backup into an empty database; see the package comment. It returns what archive.Read does, ErrNotEmpty
// for a database that holds something, and archive.ErrNewer for a backup of a newer schema.
func Restore(ctx context.Context, d RestoreDeps) (Restored, error) {
	if d.Progress == nil {
		d.Progress = func(string, int64) {}
	}
	var out Restored
	if err := empty(ctx, d.DB); err != nil {
		return out, err
	}
	o := archive.Options{Passphrase: d.Passphrase, MaxUnpacked: d.MaxUnpacked}
	h, m, err := Verify(ctx, d.In, o, d.Progress)
	if err != nil {
		return out, err
	}
	if h.Schema > migrations.Newest() {
		return out, fmt.Errorf("%w: its schema has version %d, this program (%s) knows %d; restore it with version %s or newer",
			archive.ErrNewer, h.Schema, d.Program, migrations.Newest(), h.Program)
	}
	if d.Fits != nil {
		if err := d.Fits(h, m); err != nil {
			return out, err
		}
	}
	if _, err := d.In.Seek(0, io.SeekStart); err != nil {
		return out, fmt.Errorf("read the backup again: %w", err)
	}
	x, dialect := d.DB.SQLX(), d.DB.Dialect().Name()
	if err := migrations.UpTo(ctx, x.DB, dialect, h.Schema); err != nil {
		return out, err
	}
	tx, err := x.BeginTxx(ctx, nil)
	if err != nil {
		return out, fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	w := &loader{ctx: ctx, tx: tx, dialect: dialect, d: d}
	if _, _, err := archive.Read(ctx, d.In, o, archive.Visitor{Header: w.begin, Row: w.row, File: w.file}); err != nil {
		return out, err
	}
	if err := w.flush(); err != nil {
		return out, err
	}
	out.Header, out.Manifest = h, m
	s := settler{tx: tx, tables: w.tables, header: h, manifest: m, files: w.files, d: d, dialect: dialect, now: db.Now(d.Now)}
	if out.Settled, err = s.all(ctx); err != nil {
		return out, fmt.Errorf("bring the restored rows in order: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return out, fmt.Errorf("commit: %w", err)
	}
	if _, err := migrations.Up(ctx, x.DB, dialect); err != nil {
		return out, fmt.Errorf("everything is restored, but the schema is still that of the backup; run `dorado migrate`: %w", err)
	}
	return out, nil
}

// empty makes sure that a database holds nothing but what migrations put there.
func empty(ctx context.Context, d *db.DB) error {
	tables, err := schemaOf(ctx, d.SQLX(), d.Dialect().Name())
	if err != nil {
		return err
	}
	var found []string
	for _, t := range tables {
		n := int64(0)
		if err := sqlx.GetContext(ctx, d.SQLX(), &n, "SELECT COUNT(*) FROM "+quote(t.Name)); err != nil {
			return fmt.Errorf("look into table %s: %w", t.Name, err)
		}
		what, known := decisions()[t.Name]
		switch {
		case t.Name == "schema_migration" && known:
		case !known:
			found = append(found, fmt.Sprintf("table %s, which is not one of Dorado's", t.Name))
		case n > what.seeds:
			found = append(found, fmt.Sprintf("%d rows in %s", n, t.Name))
		}
	}
	if len(found) > 0 {
		more := ""
		if len(found) > 8 {
			found, more = found[:8], " and more"
		}
		return fmt.Errorf("%w: it has %s%s; name one that is", ErrNotEmpty, strings.Join(found, ", "), more)
	}
	return nil
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// loader writes the rows of a backup into the tables of the same names.
type loader struct {
	ctx     context.Context //nolint:containedctx // of the one call that the loader lives for
	tx      *sqlx.Tx
	dialect string
	d       RestoreDeps
	tables  map[string]*table // as they are in the database
	from    map[string]*archive.Table
	files   map[string]int64 // by kind

	current string
	full    string // the statement for a whole batch
	batch   int    // rows in one
	args    []any
	rows    int
	done    int64

	logPath, host int // columns of task_instance, -1 = none
}

// maxParameters is a little below what both databases take in one statement.
const maxParameters = 16_000

func (l *loader) begin(h archive.Header) error {
	l.tables, l.from, l.files = map[string]*table{}, map[string]*archive.Table{}, map[string]int64{}
	tables, err := schemaOf(l.ctx, l.tx, l.dialect)
	if err != nil {
		return err
	}
	for i := range tables {
		l.tables[tables[i].Name] = &tables[i]
	}
	for i := range h.Tables {
		t := &h.Tables[i]
		to := l.tables[t.Name]
		if to == nil {
			return fmt.Errorf("%w: table %s is not in schema version %d", archive.ErrDamaged, t.Name, h.Schema)
		}
		for _, c := range t.Columns {
			if !slices.Contains(to.Columns, c) {
				return fmt.Errorf("%w: column %s.%s (%s) is not in schema version %d", archive.ErrDamaged, t.Name, c.Name, c.Type, h.Schema)
			}
		}
		l.from[t.Name] = t
	}
	for _, t := range slices.Backward(tables) { // rows that the migrations inserted
		if l.from[t.Name] != nil {
			if _, err := l.tx.ExecContext(l.ctx, "DELETE FROM "+t.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *loader) row(name string, line []byte) error {
	if name != l.current {
		if err := l.flush(); err != nil {
			return err
		}
		l.start(name)
	}
	values, err := decodeRow(l.from[name], line, l.dialect)
	if err != nil {
		return err
	}
	if name == "task_instance" {
		l.relocate(values)
	}
	l.args = append(l.args, values...)
	if l.rows++; l.rows == l.batch {
		return l.flush()
	}
	return nil
}

func (l *loader) start(name string) {
	l.current, l.done = name, 0
	l.batch = min(500, maxParameters/len(l.from[name].Columns))
	l.full = l.insert(l.batch)
	column := func(name string) int {
		return slices.IndexFunc(l.from[l.current].Columns, func(c archive.Column) bool { return c.Name == name })
	}
	l.logPath, l.host = column("log_path"), column("host")
	l.d.Progress(name, 0)
}

// relocate makes an attempt's log path relative, which is the path on every worker that has the files, and names the
// worker that has them. Paths of before begin with the log folder of a machine that is not this one.
func (l *loader) relocate(values []any) {
	if l.d.Targets[KindLogs] == nil || l.logPath < 0 || l.host < 0 {
		return
	}
	at, _ := values[l.logPath].(string)
	relative, ok := LogName(at)
	if !ok {
		return
	}
	values[l.logPath] = relative
	if l.d.LogWorker != "" {
		values[l.host] = l.d.LogWorker
	}
}

// logDepth is how many folders and files the path of a log has below the log folder:
// <date>/<workflow code>/<version>/<instance>/<attempt>.log.
const logDepth = 5

// LogName is the path of a task log below the log folder of its worker; false for one that is no file of a worker.
func LogName(logPath string) (string, bool) {
	parts := strings.Split(logPath, "/")
	if len(parts) < logDepth || !strings.HasSuffix(logPath, ".log") {
		return "", false
	}
	return strings.Join(parts[len(parts)-logDepth:], "/"), true
}

func (l *loader) insert(rows int) string {
	t := l.from[l.current]
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	tuple := "(" + strings.Repeat("?, ", len(names)-1) + "?)"
	return l.tx.Rebind("INSERT INTO " + t.Name + " (" + strings.Join(names, ", ") + ") VALUES " + strings.Repeat(tuple+", ", rows-1) + tuple)
}

func (l *loader) flush() error {
	if l.rows == 0 {
		return nil
	}
	query := l.full
	if l.rows < l.batch {
		query = l.insert(l.rows)
	}
	if _, err := l.tx.ExecContext(l.ctx, query, l.args...); err != nil {
		if db.ForeignKey(err) {
			err = fmt.Errorf("%w: %w", archive.ErrDamaged, err)
		}
		if name, twice := db.Conflict(err); twice {
			err = fmt.Errorf("%w: %s: %w", archive.ErrDamaged, name, err)
		}
		return fmt.Errorf("table %s: %w", l.current, err)
	}
	l.done += int64(l.rows)
	l.d.Progress(l.current, l.done)
	l.args, l.rows = l.args[:0], 0
	return nil
}

func (l *loader) file(name string, size int64, from io.Reader) error {
	kind, rest, _ := strings.Cut(name, "/")
	to := l.d.Targets[kind]
	if to == nil {
		return nil
	}
	if err := archive.CheckPath(rest); err != nil {
		return err
	}
	if err := to.Put(l.ctx, rest, size, from); err != nil {
		return err
	}
	l.files[kind]++
	l.d.Progress(kind, l.files[kind])
	return nil
}
