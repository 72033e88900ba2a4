package native

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/lib/pq"

	"dorado/plugins/task/statement"
)

// Sizes of a batch where the job says nothing, and the most bytes that it may say.
const (
	batchRows  = 2048
	batchBytes = 4 << 20
	mostBytes  = 16 << 20
)

// target is a table that is written.
type target struct {
	*database
	table string
	names []string // of the columns, as text of statements
	cols  []column
	mode  string
	keys  []string
	copy  bool // by COPY of PostgreSQL
}

// describe asks the server for the columns of a table. names says which; "*" stands for all.
func (d *database) describe(ctx context.Context, table string, names []string) (*target, error) {
	conn, err := d.conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", d.name, err)
	}
	defer conn.Close()
	found, err := conn.QueryContext(ctx, "SELECT "+strings.Join(names, ",")+" FROM "+table+" WHERE 1=0")
	if err != nil {
		return nil, fmt.Errorf("write %s of %s: %w", table, d.name, err)
	}
	defer found.Close()
	t := &target{database: d, table: table, names: names}
	if t.cols, err = columnsOf(d.family, found); err != nil {
		return nil, fmt.Errorf("write %s of %s: %w", table, d.name, err)
	}
	if len(names) == 1 && names[0] == "*" {
		t.names = nil
		for _, c := range t.cols {
			t.names = append(t.names, quote(d.family, c.name))
		}
	}
	return t, found.Err()
}

// settle decides how rows are written.
func (t *target) settle(ctx context.Context, writeMode string) error {
	var err error
	if t.mode, t.keys, err = mode(writeMode); err != nil {
		return err
	}
	t.copy = t.family == statement.Postgres && t.mode == modeInsert
	if t.mode == modeInsert || t.family == statement.MySQL {
		return nil
	}
	if t.family != statement.Postgres {
		return fmt.Errorf("writeMode: %s is only for MySQL and PostgreSQL", t.mode)
	}
	if len(t.keys) > 0 {
		return nil
	}
	found, err := t.pool.QueryContext(ctx, `SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
		WHERE i.indrelid = $1::regclass AND i.indisprimary ORDER BY a.attnum`, t.table)
	if err != nil {
		return fmt.Errorf("the primary key of %s: %w", t.table, err)
	}
	defer found.Close()
	for found.Next() {
		var name string
		if err := found.Scan(&name); err != nil {
			return err
		}
		t.keys = append(t.keys, quote(t.family, name))
	}
	if len(t.keys) == 0 && found.Err() == nil {
		return fmt.Errorf("writeMode: %s has no primary key; say by which columns rows are told apart: %s (a, b)", t.table, t.mode)
	}
	return found.Err()
}

// narrow keeps the columns that have these names, in this order.
func (t *target) narrow(from []column) (*target, error) {
	out := *t
	out.names, out.cols = nil, nil
	for _, c := range from {
		i := slices.IndexFunc(t.cols, func(to column) bool { return to.name == c.name })
		if i < 0 {
			i = slices.IndexFunc(t.cols, func(to column) bool { return strings.EqualFold(to.name, c.name) })
		}
		if i < 0 {
			return nil, fmt.Errorf("%s has no column %q, which the statement gives; give the expression an alias", t.table, c.name)
		}
		out.names, out.cols = append(out.names, t.names[i]), append(out.cols, t.cols[i])
	}
	return &out, nil
}

// sink takes batches of rows.
type sink interface {
	// put writes all rows or none.
	put(ctx context.Context, rows [][]any) error
	// alive tells whether rows can be written at all after put failed.
	alive(ctx context.Context) error
	close() error
}

// writer writes to a table on a connection of its own.
type writer struct {
	t    *target
	conn *sql.Conn
	full *sql.Stmt // for as many rows as one statement takes
	rows int       // that many
	pid  int       // of the server's process, where it is sent a COPY
}

func (t *target) writer(ctx context.Context, batch int) (*writer, error) {
	conn, err := t.conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", t.name, err)
	}
	w := &writer{t: t, conn: conn, rows: most(t.family, len(t.names), batch)}
	if t.copy {
		if err := conn.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&w.pid); err != nil {
			return nil, errors.Join(fmt.Errorf("connect to %s: %w", t.name, err), conn.Close())
		}
	}
	return w, nil
}

func (w *writer) close() error {
	if w.full != nil {
		_ = w.full.Close() // the connection goes with it
	}
	return w.conn.Close()
}

func (w *writer) alive(ctx context.Context) error { return w.conn.PingContext(ctx) }

func (w *writer) put(ctx context.Context, rows [][]any) (err error) {
	if w.t.family == statement.ClickHouse { // which has no transactions
		_, err := w.conn.ExecContext(ctx, literals(w.t.table, w.t.names, rows))
		return err
	}
	if w.t.copy {
		err = w.copyIn(ctx, rows)
		if e, ok := errors.AsType[*pq.Error](err); ok && (e.Code == "0A000" || e.Code == "42809") { // a view, a table with rules for rows
			w.t.copy = false
			return w.put(ctx, rows)
		}
		return err
	}
	tx, err := w.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err = w.insert(ctx, tx, rows); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

// cancelTime is how long asking the server to end a COPY may take.
const cancelTime = 10 * time.Second

// copyIn sends rows by COPY, in a transaction of their own.
//
// During a COPY the driver reads the connection in a goroutine of its own, and a context that ends would let database/sql roll
// back beside it. So the transaction knows nothing of ctx: its end is seen between two rows, and the server is asked to end what
// waits there, for a lock for example.
func (w *writer) copyIn(ctx context.Context, rows [][]any) error {
	own := context.WithoutCancel(ctx)
	over := context.AfterFunc(ctx, func() {
		limited, cancel := context.WithTimeout(own, cancelTime)
		defer cancel()
		_, _ = w.t.pool.ExecContext(limited, "SELECT pg_cancel_backend($1)", w.pid) // a server that cannot be asked ends when it sees the connection closed
	})
	defer over()
	tx, err := w.conn.BeginTx(own, nil)
	if err != nil {
		return err
	}
	in, err := tx.PrepareContext(own, "COPY "+w.t.table+" ("+strings.Join(w.t.names, ",")+") FROM STDIN")
	if err != nil {
		_ = tx.Rollback()
		return err
	}
	for _, row := range rows {
		if err = ctx.Err(); err != nil {
			break
		}
		if _, err = in.ExecContext(own, row...); err != nil {
			break
		}
	}
	if err == nil {
		_, err = in.ExecContext(own)
	}
	if closed := in.Close(); err == nil { //nolint:sqlclosecheck // what it says counts; else it would only say so again
		err = closed
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

func (w *writer) insert(ctx context.Context, tx *sql.Tx, rows [][]any) error {
	binds := make([]any, 0, min(len(rows), w.rows)*len(w.t.names))
	for part := range slices.Chunk(rows, w.rows) {
		binds = binds[:0]
		for _, row := range part {
			binds = append(binds, row...)
		}
		if len(part) < w.rows {
			if _, err := tx.ExecContext(ctx, insert(w.t.family, w.t.table, w.t.names, w.t.mode, w.t.keys, len(part)), binds...); err != nil {
				return err
			}
			continue
		}
		if w.full == nil {
			var err error
			if w.full, err = w.conn.PrepareContext(ctx, insert(w.t.family, w.t.table, w.t.names, w.t.mode, w.t.keys, w.rows)); err != nil {
				return err
			}
		}
		if _, err := tx.StmtContext(ctx, w.full).ExecContext(ctx, binds...); err != nil { //nolint:sqlclosecheck // it ends with the transaction
			return err
		}
	}
	return nil
}

// temporary reports whether the same rows may be written when they are tried again.
func temporary(err error) bool {
	if e, ok := errors.AsType[*pq.Error](err); ok {
		return e.Code == "40001" || e.Code == "40P01" || e.Code == "55P03"
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return e.Number == 1213 || e.Number == 1205
	}
	return false
}

// hopeless reports whether a failure is no fault of a row.
func hopeless(err error) bool {
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, mysql.ErrInvalidConn) {
		return true
	}
	if e, ok := errors.AsType[*pq.Error](err); ok {
		switch e.Code.Class() {
		case "25", "28", "42", "53", "57", "58", "XX": // state, rights, names, room, an operator, the system
			return e.Code != "42804"
		}
		return false
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return slices.Contains([]uint16{1021, 1044, 1045, 1054, 1064, 1114, 1142, 1143, 1146, 1290, 1792, 1836}, e.Number)
	}
	return false
}

// retries of a batch that met another one.
const (
	retries   = 5
	retryWait = 200 * time.Millisecond
)

// patient puts rows, again when the server could not at that moment.
func patient(ctx context.Context, s sink, rows [][]any) error {
	for n := 1; ; n++ {
		err := s.put(ctx, rows)
		if !temporary(err) || n == retries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(n) * retryWait):
		}
	}
}
