package prestodb

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"dorado/app/kit/secret"
	"dorado/plugins/datasource/literals"
)

const (
	maxAnswer = 64 << 20 // of one page of rows
	maxText   = 2000     // of what the server says about a failure
	goodbye   = 5 * time.Second
	// A server that answers at once and has nothing is asked more seldom.
	firstPause, lastPause = 5 * time.Millisecond, 500 * time.Millisecond
	// overloaded is how often a server may say that it has no time.
	overloaded = 20
)

// Config says where a server is and who asks.
type Config struct {
	Base     *url.URL // scheme and host
	Client   *http.Client
	User     string
	Password secret.String // sent when it is not empty
	Catalog  string
	Schema   string
}

type connector struct{ c Config }

// NewConnector is for sql.OpenDB.
func NewConnector(c Config) driver.Connector { return connector{c} }

// Connect sends nothing: the protocol has no connections.
func (c connector) Connect(context.Context) (driver.Conn, error) {
	return &conn{c: c.c, session: map[string]string{}}, nil
}

// Driver is never asked to open by name.
func (connector) Driver() driver.Driver { return noDriver{} }

type noDriver struct{}

// Open refuses.
func (noDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("prestodb: use NewConnector")
}

// Error is what the server says about a statement.
type Error struct {
	Name string // such as SYNTAX_ERROR
	Text string
}

func (e *Error) Error() string {
	if e.Name == "" {
		return e.Text
	}
	return e.Name + ": " + e.Text
}

// HTTPError is an answer that is none of the protocol.
type HTTPError struct{ Code int }

func (e *HTTPError) Error() string {
	return fmt.Sprintf("the server answers %d %s", e.Code, http.StatusText(e.Code))
}

// conn keeps what statements like USE and SET SESSION change.
type conn struct {
	c       Config
	session map[string]string
}

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

// Ping runs the shortest statement.
func (c *conn) Ping(ctx context.Context) error {
	_, err := c.ExecContext(ctx, "SELECT 1", nil)
	return err
}

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
	for len(r.columns) == 0 && r.next != "" {
		if err := r.page(); err != nil {
			r.forget(ctx)
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
	for r.next != "" {
		if err := r.page(); err != nil {
			r.forget(ctx)
			return nil, err
		}
	}
	if r.changed == nil {
		return driver.ResultNoRows, nil
	}
	return driver.RowsAffected(*r.changed), nil
}

func (c *conn) start(ctx context.Context, query string, args []driver.NamedValue) (*rows, error) {
	query, err := literals.Dialect{Bytes: "X'%x'"}.Write(query, args)
	if err != nil {
		return nil, err
	}
	r := &rows{ctx: ctx, c: c, pause: firstPause}
	a, err := c.ask(ctx, http.MethodPost, "/v1/statement", query)
	if err != nil {
		return nil, err
	}
	if err := r.take(a); err != nil {
		return nil, err
	}
	return r, nil
}

// answer is a page of the protocol.
type answer struct {
	NextURI string `json:"nextUri"`
	Columns []struct {
		Name string `json:"name"`
		Type string `json:"type"`
	} `json:"columns"`
	Data        [][]json.RawMessage `json:"data"`
	UpdateCount *int64              `json:"updateCount"`
	Error       *struct {
		Message string `json:"message"`
		Name    string `json:"errorName"`
	} `json:"error"`
}

// ask makes one request, again when the server has no time.
func (c *conn) ask(ctx context.Context, method, path, body string) (answer, error) {
	var a answer
	for try := 1; ; try++ {
		resp, err := c.send(ctx, method, path, body)
		if err != nil {
			return a, err
		}
		raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
		resp.Body.Close()
		switch {
		case err != nil:
			return a, err
		case resp.StatusCode == http.StatusServiceUnavailable && try < overloaded:
			if err := wait(ctx, time.Duration(try)*50*time.Millisecond); err != nil {
				return a, err
			}
			continue
		case resp.StatusCode != http.StatusOK:
			return a, &HTTPError{resp.StatusCode}
		case len(raw) > maxAnswer:
			return a, errors.New("the server sends more rows at once than are taken")
		}
		if err := json.Unmarshal(raw, &a); err != nil {
			return a, errors.New("the server does not answer as Presto does")
		}
		c.remember(resp.Header)
		return a, nil
	}
}

func (c *conn) send(ctx context.Context, method, path, body string) (*http.Response, error) {
	at, err := c.c.Base.Parse(path)
	if err != nil {
		return nil, errors.New("the server names an address that is none")
	}
	at.Scheme, at.Host, at.User = c.c.Base.Scheme, c.c.Base.Host, nil // wherever it leads to
	req, err := http.NewRequestWithContext(ctx, method, at.String(), strings.NewReader(body))
	if err != nil {
		return nil, errors.New("the server names an address that is none")
	}
	req.Header.Set("X-Presto-User", c.c.User)
	req.Header.Set("X-Presto-Source", "dorado")
	req.Header.Set("User-Agent", "dorado")
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	for name, value := range map[string]string{"X-Presto-Catalog": c.c.Catalog, "X-Presto-Schema": c.c.Schema} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	for name, value := range c.session {
		req.Header.Add("X-Presto-Session", name+"="+value)
	}
	if c.c.Password != "" {
		req.SetBasicAuth(c.c.User, c.c.Password.Reveal())
	}
	return c.c.Client.Do(req)
}

// maxSession is how many settings a session may have.
const maxSession = 100

// remember takes over what a statement has changed.
func (c *conn) remember(h http.Header) {
	if v := h.Get("X-Presto-Set-Catalog"); v != "" {
		c.c.Catalog = v
	}
	if v := h.Get("X-Presto-Set-Schema"); v != "" {
		c.c.Schema = v
	}
	for _, v := range h.Values("X-Presto-Set-Session") {
		if name, value, ok := strings.Cut(v, "="); ok && len(c.session) < maxSession {
			c.session[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	for _, name := range h.Values("X-Presto-Clear-Session") {
		delete(c.session, strings.TrimSpace(name))
	}
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

// readable makes a sentence of what a server says: one line, no control characters.
func readable(text string) string {
	if len(text) > maxText {
		text = text[:maxText] + "…"
	}
	return strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text), "")
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

var errContext = errors.New("prestodb: use the methods with a context")

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
