package restsql

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"time"
)

const (
	goodbye = 5 * time.Second // for a server to cancel a statement
	// A server that answers at once and has nothing is asked more seldom.
	firstPause, lastPause = 20 * time.Millisecond, time.Second
)

// Server is one connection to a product.
type Server interface {
	// Start hands a statement over. The answer may hold nothing yet.
	Start(ctx context.Context, query string, args []driver.NamedValue) (Page, error)
	// Next asks for what follows a page.
	Next(ctx context.Context, after Page) (Page, error)
	// Cancel ends the statement of a page on the server.
	Cancel(ctx context.Context, of Page)
}

// Page is a part of a result.
type Page struct {
	ID      string   // of the statement
	Next    string   // what Next needs; "": this is the last one
	Columns []Column // of the first page that knows them
	Rows    [][]driver.Value
	Changed *int64 // rows that a statement changed; nil: not told
}

// Column is a column of a result.
type Column struct{ Name, Type string }

type connector struct{ connect func() Server }

// NewConnector is for sql.OpenDB. connect makes the server of each connection and sends nothing.
func NewConnector(connect func() Server) driver.Connector { return connector{connect} }

// Connect sends nothing.
func (c connector) Connect(context.Context) (driver.Conn, error) { return &conn{c.connect()}, nil }

// Driver is never asked to open by name.
func (connector) Driver() driver.Driver { return noDriver{} }

type noDriver struct{}

// Open refuses.
func (noDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("restsql: use NewConnector")
}

type conn struct{ server Server }

var (
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
)

var errTransactions = errors.New("this type of data source has no transactions here")

// Begin refuses.
func (*conn) Begin() (driver.Tx, error) { return nil, errTransactions }

// BeginTx refuses.
func (*conn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	return nil, errTransactions
}

// Close has nothing to do.
func (*conn) Close() error { return nil }

// Ping sends nothing: what follows tells as much, and each statement costs.
func (*conn) Ping(context.Context) error { return nil }

// Prepare keeps the statement.
func (c *conn) Prepare(query string) (driver.Stmt, error) { return &statement{c, query}, nil }

// PrepareContext is Prepare.
func (c *conn) PrepareContext(_ context.Context, query string) (driver.Stmt, error) {
	return c.Prepare(query)
}

// QueryContext starts a statement and waits for the names of its columns.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	r, err := c.start(ctx, query, args)
	if err != nil {
		return nil, err
	}
	for len(r.columns) == 0 && r.at.Next != "" {
		if err := r.page(ctx); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// ExecContext runs a statement to its end.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	r, err := c.start(ctx, query, args)
	if err != nil {
		return nil, err
	}
	for r.at.Next != "" {
		if err := r.page(ctx); err != nil {
			return nil, err
		}
	}
	if r.changed == nil {
		return driver.ResultNoRows, nil
	}
	return driver.RowsAffected(*r.changed), nil
}

func (c *conn) start(ctx context.Context, query string, args []driver.NamedValue) (*rows, error) {
	page, err := c.server.Start(ctx, query, args)
	if err != nil {
		return nil, err
	}
	r := &rows{ctx: ctx, server: c.server, pause: firstPause}
	r.take(page)
	return r, nil
}

// rows are the pages of a result.
type rows struct {
	ctx     context.Context //nolint:containedctx // Next has none
	server  Server
	at      Page
	columns []Column
	data    [][]driver.Value
	changed *int64
	pause   time.Duration
}

var _ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)

func (r *rows) take(p Page) {
	r.at, r.data = p, p.Rows
	if p.Changed != nil {
		r.changed = p.Changed
	}
	if len(r.columns) == 0 {
		r.columns = p.Columns
	}
}

// page asks for the next page, and waits first when the last one held nothing. A statement that fails is cancelled.
func (r *rows) page(ctx context.Context) error {
	if len(r.at.Rows) == 0 {
		if err := wait(ctx, r.pause); err != nil {
			r.forget(ctx)
			return err
		}
		r.pause = min(2*r.pause, lastPause)
	} else {
		r.pause = firstPause
	}
	p, err := r.server.Next(ctx, r.at)
	if err != nil {
		r.forget(ctx)
		return err
	}
	r.take(p)
	return nil
}

// Columns names them.
func (r *rows) Columns() []string {
	out := make([]string, len(r.columns))
	for i, c := range r.columns {
		out[i] = c.Name
	}
	return out
}

// ColumnTypeDatabaseTypeName is the type as the server calls it.
func (r *rows) ColumnTypeDatabaseTypeName(i int) string { return r.columns[i].Type }

// Close ends a statement that has not ended.
func (r *rows) Close() error {
	r.forget(r.ctx)
	return nil
}

// forget cancels a statement that has not ended, even when its context has.
func (r *rows) forget(ctx context.Context) {
	if r.at.Next == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	r.server.Cancel(ctx, r.at)
	r.at.Next = ""
}

// Next gives a row.
func (r *rows) Next(dest []driver.Value) error {
	for len(r.data) == 0 {
		if r.at.Next == "" {
			return io.EOF
		}
		if err := r.page(r.ctx); err != nil {
			return err
		}
	}
	row := r.data[0]
	r.data = r.data[1:]
	if len(row) != len(r.columns) || len(dest) < len(row) {
		return errors.New("the server sends another number of values than it has named columns")
	}
	copy(dest, row)
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

type statement struct {
	c     *conn
	query string
}

var (
	_ driver.StmtQueryContext = (*statement)(nil)
	_ driver.StmtExecContext  = (*statement)(nil)
)

// Close has nothing to do.
func (*statement) Close() error { return nil }

// NumInput is not counted.
func (*statement) NumInput() int { return -1 }

var errContext = errors.New("restsql: use the methods with a context")

// Exec refuses.
func (*statement) Exec([]driver.Value) (driver.Result, error) { return nil, errContext }

// Query refuses.
func (*statement) Query([]driver.Value) (driver.Rows, error) { return nil, errContext }

// ExecContext runs it.
func (s *statement) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.c.ExecContext(ctx, s.query, args)
}

// QueryContext runs it.
func (s *statement) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.c.QueryContext(ctx, s.query, args)
}
