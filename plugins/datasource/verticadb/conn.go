package verticadb

import (
	"bufio"
	"context"
	"crypto/tls"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"dorado/app/kit/secret"
	"dorado/plugins/datasource/literals"
)

// goodbye is for a server to cancel a statement.
const goodbye = 5 * time.Second

// Config says where a server is and who asks.
type Config struct {
	Dial     func(context.Context) (net.Conn, error)
	TLS      *tls.Config // nil: no encryption
	User     string
	Password secret.String
	Database string
}

type connector struct{ c Config }

// NewConnector is for sql.OpenDB.
func NewConnector(c Config) driver.Connector { return connector{c} }

// Driver is never asked to open by name.
func (connector) Driver() driver.Driver { return noDriver{} }

type noDriver struct{}

// Open refuses.
func (noDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("verticadb: use NewConnector")
}

// ErrTLS says that the server does not encrypt.
var ErrTLS = errors.New("TLS: the server does not support it")

// Connect connects and signs in.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	raw, err := c.c.Dial(ctx)
	if err != nil {
		return nil, err
	}
	v := &conn{c: c.c, tcp: raw, raw: raw}
	stop := context.AfterFunc(ctx, v.kill)
	err = v.begin(ctx)
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		raw.Close()
		return nil, err
	}
	return v, nil
}

type conn struct {
	c    Config
	tcp  net.Conn
	raw  net.Conn // the same, or what is encrypted over it
	in   *bufio.Reader
	pid  uint32
	key  uint32
	dead atomic.Bool // it is not known what the server sends next
}

var (
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
)

// kill lets nothing wait on the connection any more.
func (v *conn) kill() {
	v.dead.Store(true)
	_ = v.tcp.SetDeadline(time.Unix(1, 0))
}

// begin encrypts and signs in.
func (v *conn) begin(ctx context.Context) error {
	if v.c.TLS != nil {
		if err := send(v.raw, 0, binary.BigEndian.AppendUint32(nil, securing)); err != nil {
			return err
		}
		var answer [1]byte
		if _, err := io.ReadFull(v.raw, answer[:]); err != nil {
			return err
		}
		if answer[0] != 'S' {
			return ErrTLS
		}
		encrypted := tls.Client(v.raw, v.c.TLS)
		if err := encrypted.HandshakeContext(ctx); err != nil {
			return err
		}
		v.raw = encrypted
	}
	v.in = bufio.NewReader(v.raw)
	if err := send(v.raw, 0, hello(v.c.User, v.c.Database)); err != nil {
		return err
	}
	for {
		kind, body, err := receive(v.in)
		if err != nil {
			return err
		}
		switch b := (reader{body}); kind {
		case 'R':
			if len(body) >= 4 && b.uint32() == authOK {
				continue
			}
			text, err := proof(body, v.c.User, v.c.Password.Reveal())
			if err != nil {
				return err
			}
			if err := send(v.raw, 'p', append([]byte(text), 0)); err != nil {
				return err
			}
		case 'K':
			v.pid, v.key = b.uint32(), b.uint32()
		case 'E':
			return failure(body)
		case 'Z':
			return nil
		case 'N', 'S': // a notice, a setting
		default:
			return errAnswer
		}
	}
}

// Close says goodbye and hangs up.
func (v *conn) Close() error {
	if !v.dead.Load() {
		_ = v.tcp.SetDeadline(time.Now().Add(time.Second))
		_ = send(v.raw, 'X', nil)
	}
	return v.tcp.Close()
}

// IsValid reports whether another statement can be sent.
func (v *conn) IsValid() bool { return !v.dead.Load() }

// Begin refuses.
func (*conn) Begin() (driver.Tx, error) { return nil, errContext }

// BeginTx begins a transaction.
func (v *conn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	if _, err := v.ExecContext(ctx, "BEGIN", nil); err != nil {
		return nil, err
	}
	return tx{ctx, v}, nil
}

type tx struct {
	ctx context.Context //nolint:containedctx // Commit has none
	v   *conn
}

// Commit ends the transaction.
func (t tx) Commit() error {
	_, err := t.v.ExecContext(t.ctx, "COMMIT", nil)
	return err
}

// Rollback undoes it.
func (t tx) Rollback() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), goodbye)
	defer cancel()
	_, err := t.v.ExecContext(ctx, "ROLLBACK", nil)
	return err
}

// Prepare keeps the statement.
func (v *conn) Prepare(query string) (driver.Stmt, error) { return &statement{v, query}, nil }

// PrepareContext is Prepare.
func (v *conn) PrepareContext(_ context.Context, query string) (driver.Stmt, error) {
	return v.Prepare(query)
}

// QueryContext sends a statement and reads until the names of its columns.
func (v *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return v.start(ctx, query, args)
}

// ExecContext runs a statement to its end. Statements that change rows answer with their number.
func (v *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	r, err := v.start(ctx, query, args)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	changed := int64(-1)
	for dest := make([]driver.Value, len(r.columns)); ; {
		err := r.Next(dest)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(dest) == 1 && r.columns[0].name == "OUTPUT" {
			if n, ok := dest[0].(int64); ok {
				changed = n
			}
		}
	}
	if changed < 0 {
		return driver.ResultNoRows, nil
	}
	return driver.RowsAffected(changed), nil
}

func (v *conn) start(ctx context.Context, query string, args []driver.NamedValue) (*rows, error) {
	query, err := literals.Dialect{Bytes: "X'%x'"}.Write(query, args)
	if err != nil {
		return nil, err
	}
	if v.dead.Load() {
		return nil, driver.ErrBadConn
	}
	r := &rows{ctx: ctx, v: v}
	r.stop = context.AfterFunc(ctx, func() {
		v.kill()
		v.cancel(ctx)
	})
	if err := send(v.raw, 'Q', append([]byte(query), 0)); err != nil {
		v.kill()
		return nil, r.end(err)
	}
	for !r.done && r.columns == nil {
		if _, err := r.read(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// cancel asks the server to end what runs on this connection, on another one.
func (v *conn) cancel(ctx context.Context) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer stop()
	raw, err := v.c.Dial(ctx)
	if err != nil {
		return // the server notices that nobody listens
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(goodbye))
	body := binary.BigEndian.AppendUint32(nil, cancelling)
	body = binary.BigEndian.AppendUint32(body, v.pid)
	_ = send(raw, 0, binary.BigEndian.AppendUint32(body, v.key))
}

// rows are the answer to a statement.
type rows struct {
	ctx     context.Context //nolint:containedctx // Next has none
	v       *conn
	stop    func() bool
	columns []column
	failed  error
	over    bool // what follows belongs to a further statement in the same text
	done    bool
}

var _ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)

// end says that nothing follows. A connection whose context has ended tells that rather than what it led to.
func (r *rows) end(err error) error {
	r.done = true
	r.stop()
	if err != nil && r.ctx.Err() != nil {
		return r.ctx.Err()
	}
	return err
}

// read reads one message; what it returns is a row, or nil.
func (r *rows) read() ([]byte, error) {
	kind, body, err := receive(r.v.in)
	if err != nil {
		r.v.kill()
		return nil, r.end(err)
	}
	switch kind {
	case 'D':
		if r.columns == nil {
			r.v.kill()
			return nil, r.end(errAnswer)
		}
		if r.over {
			return nil, nil
		}
		return body, nil
	case 'T':
		if r.columns != nil {
			r.over = true
		} else if r.columns, err = columns(body); err != nil {
			r.v.kill()
			return nil, r.end(err)
		}
	case 'E':
		if r.failed == nil {
			r.failed = failure(body)
		}
	case 'Z':
		return nil, r.end(r.failed)
	case 'C', 'N', 'S', 'I', 'm': // an end, a notice, a setting, nothing, a description
	case 'F', 'G', 'H', 'O': // files are to be looked at, read or written
		r.v.kill()
		return nil, r.end(errFiles)
	default:
		r.v.kill()
		return nil, r.end(errAnswer)
	}
	return nil, nil
}

// Columns names them.
func (r *rows) Columns() []string {
	out := make([]string, len(r.columns))
	for i, c := range r.columns {
		out[i] = c.name
	}
	return out
}

// ColumnTypeDatabaseTypeName is the type as Vertica calls it.
func (r *rows) ColumnTypeDatabaseTypeName(i int) string {
	if name := names[r.columns[i].kind]; name != "" {
		return name
	}
	return strconv.FormatUint(uint64(r.columns[i].kind), 10)
}

// Close ends a statement that has not ended: the server is told to stop, and what it has sent is read.
func (r *rows) Close() error {
	if r.done {
		return nil
	}
	if !r.v.dead.Load() {
		r.v.cancel(r.ctx)
		_ = r.v.tcp.SetDeadline(time.Now().Add(goodbye))
	}
	for !r.done {
		_, _ = r.read() // the failure is the one that was asked for
	}
	if !r.v.dead.Load() {
		_ = r.v.tcp.SetDeadline(time.Time{})
	}
	return nil
}

// Next gives a row.
func (r *rows) Next(dest []driver.Value) error {
	for {
		if r.done {
			return io.EOF
		}
		row, err := r.read()
		if err != nil {
			return err
		}
		if row == nil {
			continue
		}
		b := reader{row}
		if int(b.uint16()) != len(r.columns) || len(dest) < len(r.columns) {
			return errors.New("the server sends another number of values than it has named columns")
		}
		for i, c := range r.columns {
			n := int32(b.uint32()) //nolint:gosec // -1 is NULL
			if n < 0 {
				dest[i] = nil
				continue
			}
			if len(b.rest) < int(n) {
				return errAnswer
			}
			v, err := value(b.take(int(n)), c.kind)
			if err != nil {
				return err
			}
			dest[i] = v
		}
		return nil
	}
}

type statement struct {
	v     *conn
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

var errContext = errors.New("verticadb: use the methods with a context")

// Exec refuses.
func (*statement) Exec([]driver.Value) (driver.Result, error) { return nil, errContext }

// Query refuses.
func (*statement) Query([]driver.Value) (driver.Rows, error) { return nil, errContext }

// ExecContext runs it.
func (s *statement) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.v.ExecContext(ctx, s.query, args)
}

// QueryContext runs it.
func (s *statement) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.v.QueryContext(ctx, s.query, args)
}
