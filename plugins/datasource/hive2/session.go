package hive2

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/apache/thrift/lib/go/thrift"
	hs "github.com/beltran/gohive/hiveserver"
)

const (
	// grace is how long a request that runs is waited for after its context has ended.
	grace = 2 * time.Second
	// goodbye is for requests that end something.
	goodbye = 5 * time.Second
	// The server is asked more and more seldom whether a statement has ended.
	firstPoll, lastPoll = 10 * time.Millisecond, time.Second
)

// session is one connection with one session of the server. database/sql uses it from one goroutine at a time.
type session struct {
	client *hs.TCLIServiceClient
	closer io.Closer
	conn   interface{ SetDeadline(time.Time) error } // nil over HTTP
	handle *hs.TSessionHandle
	name   string // of the server, in small letters; "": not asked yet, "?": not told
	broken bool   // the connection is in the middle of something
}

var (
	_ driver.Conn               = (*session)(nil)
	_ driver.ConnPrepareContext = (*session)(nil)
	_ driver.ConnBeginTx        = (*session)(nil)
	_ driver.QueryerContext     = (*session)(nil)
	_ driver.ExecerContext      = (*session)(nil)
	_ driver.Pinger             = (*session)(nil)
	_ driver.Validator          = (*session)(nil)
)

func newSession(t thrift.TTransport, c io.Closer) *session {
	p := thrift.NewTBinaryProtocolConf(t, &thrift.TConfiguration{MaxMessageSize: maxItem, MaxFrameSize: maxItem})
	s := &session{client: hs.NewTCLIServiceClientProtocol(t, p, p), closer: c}
	if own, ok := t.(*transport); ok {
		s.conn = own.conn
	}
	return s
}

// Error is what the server says about a statement or a session.
type Error struct {
	Code  int32
	State string // SQLSTATE
	Text  string
}

func (e *Error) Error() string { return e.Text }

// maxText bounds what is passed on of a message of the server.
const maxText = 2000

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

// status is the failure in an answer, if it is one.
func status(s *hs.TStatus) error {
	if s == nil {
		return errors.New("the server answers without a status")
	}
	switch s.StatusCode {
	case hs.TStatusCode_SUCCESS_STATUS, hs.TStatusCode_SUCCESS_WITH_INFO_STATUS, hs.TStatusCode_STILL_EXECUTING_STATUS:
		return nil
	case hs.TStatusCode_ERROR_STATUS, hs.TStatusCode_INVALID_HANDLE_STATUS:
	}
	return failure(s.ErrorCode, s.SqlState, s.ErrorMessage)
}

func failure(code *int32, state, text *string) error {
	e := &Error{Text: "the server gives no reason"}
	if code != nil {
		e.Code = *code
	}
	if state != nil {
		e.State = *state
	}
	if text != nil && *text != "" {
		e.Text = readable(*text)
	}
	return e
}

// call makes one request and reads its answer. When ctx ends meanwhile, the answer is waited for a little longer: a
// connection that is left in the middle of an answer can be used no more.
func call[R any](ctx context.Context, s *session, request func(context.Context) (R, error), of func(R) *hs.TStatus) (R, error) {
	var none R
	if s.broken {
		return none, driver.ErrBadConn
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	var cancel context.CancelFunc = func() {}
	inner := context.WithoutCancel(ctx)
	if s.conn != nil {
		_ = s.conn.SetDeadline(time.Time{})
		stop := context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Now().Add(grace)) })
		defer stop()
	} else { // over HTTP the request has a context
		inner, cancel = context.WithCancel(inner)
		stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
		defer stop()
	}
	defer cancel()
	answer, err := request(inner)
	if err != nil {
		s.broken = true
		if ctx.Err() != nil {
			return none, ctx.Err()
		}
		if refused, ok := errors.AsType[*SignInError](err); ok {
			return none, refused
		}
		return none, fmt.Errorf("the server does not answer: %s", readable(err.Error()))
	}
	return answer, status(of(answer))
}

// end makes a request that ends something, whether or not ctx has ended.
func end[R any](ctx context.Context, s *session, request func(context.Context) (R, error), of func(R) *hs.TStatus) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	_, err := call(ctx, s, request, of)
	return err
}

func (s *session) open(ctx context.Context, c Config) error {
	password := c.Password.Reveal()
	req := &hs.TOpenSessionReq{
		ClientProtocol: hs.TProtocolVersion_HIVE_CLI_SERVICE_PROTOCOL_V6, Username: &c.User, Password: &password, Configuration: map[string]string{},
	}
	if c.Database != "" {
		req.Configuration["use:database"] = c.Database
	}
	answer, err := call(ctx, s, func(ctx context.Context) (*hs.TOpenSessionResp, error) { return s.client.OpenSession(ctx, req) }, (*hs.TOpenSessionResp).GetStatus)
	if err != nil {
		return err
	}
	if answer.SessionHandle == nil || answer.ServerProtocolVersion < hs.TProtocolVersion_HIVE_CLI_SERVICE_PROTOCOL_V6 {
		return errors.New("the server is older than Hive 0.13 and answers in a form that is not known here")
	}
	s.handle = answer.SessionHandle
	return nil
}

// drop lets go of the connection without a word.
func (s *session) drop() {
	s.broken = true
	s.closer.Close()
}

// Close ends the session.
func (s *session) Close() error {
	if s.handle != nil && !s.broken {
		req := &hs.TCloseSessionReq{SessionHandle: s.handle}
		ctx, cancel := context.WithTimeout(context.Background(), goodbye) //nolint:forbidigo // driver.Conn has none
		defer cancel()
		_ = end(ctx, s, func(ctx context.Context) (*hs.TCloseSessionResp, error) { return s.client.CloseSession(ctx, req) }, (*hs.TCloseSessionResp).GetStatus)
	}
	s.broken = true
	return s.closer.Close()
}

// IsValid keeps a broken connection out of the pool.
func (s *session) IsValid() bool { return !s.broken }

// Ping asks the server for its name.
func (s *session) Ping(ctx context.Context) error {
	req := &hs.TGetInfoReq{SessionHandle: s.handle, InfoType: hs.TGetInfoType_CLI_DBMS_NAME}
	_, err := call(ctx, s, func(ctx context.Context) (*hs.TGetInfoResp, error) { return s.client.GetInfo(ctx, req) }, (*hs.TGetInfoResp).GetStatus)
	return err
}

var errTransactions = errors.New("this type of data source has no transactions")

// Begin refuses.
func (*session) Begin() (driver.Tx, error) { return nil, errTransactions }

// BeginTx refuses.
func (*session) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	return nil, errTransactions
}

// Prepare keeps the statement; the server knows no prepared ones.
func (s *session) Prepare(query string) (driver.Stmt, error) { return &statement{s, query}, nil }

// PrepareContext is Prepare.
func (s *session) PrepareContext(_ context.Context, query string) (driver.Stmt, error) {
	return s.Prepare(query)
}

// QueryContext runs a statement, or one of the lists.
func (s *session) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if l, ok := list(query, args); ok {
		return s.list(ctx, l)
	}
	o, err := s.run(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return o.rows(ctx)
}

// ExecContext runs a statement to its end. How many rows it changed is told only by some servers.
func (s *session) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	o, err := s.run(ctx, query, args)
	if err != nil {
		return nil, err
	}
	o.close(ctx)
	if o.changed < 0 {
		return driver.ResultNoRows, nil
	}
	return driver.RowsAffected(o.changed), nil
}

type statement struct {
	s     *session
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

var errContext = errors.New("hive2: use the methods with a context")

// Exec refuses.
func (*statement) Exec([]driver.Value) (driver.Result, error) { return nil, errContext }

// Query refuses.
func (*statement) Query([]driver.Value) (driver.Rows, error) { return nil, errContext }

// ExecContext runs it.
func (st *statement) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return st.s.ExecContext(ctx, st.query, args)
}

// QueryContext runs it.
func (st *statement) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return st.s.QueryContext(ctx, st.query, args)
}
