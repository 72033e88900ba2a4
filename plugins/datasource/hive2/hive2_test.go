package hive2_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	hs "github.com/beltran/gohive/hiveserver"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/secret"
	"dorado/plugins/datasource/hive2"
)

// fake is a server: it runs what the statement says, and remembers what it was asked.
type fake struct {
	hs.TCLIService // what is not needed

	mu        sync.Mutex
	user      string
	database  string
	statement string
	cancelled int
	closed    int
	fetched   int
	asked     int      // about the state of the statement
	name      string   // of the server; "" is told by no name
	log       []string // portions of the operation log, one each time it is asked for
	logless   bool     // it refuses to give a log
	logged    int      // how often it was asked for one
}

func ok() *hs.TStatus { return &hs.TStatus{StatusCode: hs.TStatusCode_SUCCESS_STATUS} }

func bad(text string) *hs.TStatus {
	return &hs.TStatus{StatusCode: hs.TStatusCode_ERROR_STATUS, ErrorMessage: &text}
}

func id(secret string) *hs.THandleIdentifier {
	return &hs.THandleIdentifier{GUID: []byte("0123456789abcdef"), Secret: []byte(secret)}
}

func (f *fake) OpenSession(_ context.Context, r *hs.TOpenSessionReq) (*hs.TOpenSessionResp, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.user, f.database = r.GetUsername()+"/"+r.GetPassword(), r.Configuration["use:database"]
	if f.database == "gone" {
		return &hs.TOpenSessionResp{Status: bad("Database gone not found\n\tat org.apache"), ServerProtocolVersion: r.ClientProtocol}, nil
	}
	return &hs.TOpenSessionResp{Status: ok(), ServerProtocolVersion: r.ClientProtocol, SessionHandle: &hs.TSessionHandle{SessionId: id("s")}}, nil
}

func (*fake) CloseSession(context.Context, *hs.TCloseSessionReq) (*hs.TCloseSessionResp, error) {
	return &hs.TCloseSessionResp{Status: ok()}, nil
}

func (f *fake) ExecuteStatement(_ context.Context, r *hs.TExecuteStatementReq) (*hs.TExecuteStatementResp, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.statement, f.fetched, f.asked = r.Statement, 0, 0
	if r.Statement == "wrong" {
		return &hs.TExecuteStatementResp{Status: bad("ParseException line 1:0")}, nil
	}
	if r.Statement == "no handle" {
		return &hs.TExecuteStatementResp{Status: ok()}, nil
	}
	return &hs.TExecuteStatementResp{Status: ok(), OperationHandle: &hs.TOperationHandle{OperationId: id("o"), HasResultSet: r.Statement != "quiet"}}, nil
}

func (f *fake) GetOperationStatus(context.Context, *hs.TGetOperationStatusReq) (*hs.TGetOperationStatusResp, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	state, text, changed := hs.TOperationState_FINISHED_STATE, "it broke", int64(3)
	switch f.statement {
	case "slow":
		state = hs.TOperationState_RUNNING_STATE
	case "a while", "broken after a while":
		if f.asked++; f.asked <= 3 {
			state = hs.TOperationState_RUNNING_STATE
		} else if f.statement != "a while" {
			state = hs.TOperationState_ERROR_STATE
		}
	case "broken":
		state = hs.TOperationState_ERROR_STATE
	case "stopped":
		state = hs.TOperationState_CANCELED_STATE
	case "strange":
		state = hs.TOperationState(99)
	case "mute":
		return &hs.TGetOperationStatusResp{Status: ok()}, nil
	}
	return &hs.TGetOperationStatusResp{Status: ok(), OperationState: &state, ErrorMessage: &text, NumModifiedRows: &changed}, nil
}

func (f *fake) CancelOperation(context.Context, *hs.TCancelOperationReq) (*hs.TCancelOperationResp, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cancelled++
	return &hs.TCancelOperationResp{Status: ok()}, nil
}

func (f *fake) CloseOperation(context.Context, *hs.TCloseOperationReq) (*hs.TCloseOperationResp, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed++
	return &hs.TCloseOperationResp{Status: ok()}, nil
}

func (f *fake) GetResultSetMetadata(context.Context, *hs.TGetResultSetMetadataReq) (*hs.TGetResultSetMetadataResp, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.statement == "no schema" {
		return &hs.TGetResultSetMetadataResp{Status: ok()}, nil
	}
	column := func(name string, types ...*hs.TTypeEntry) *hs.TColumnDesc {
		return &hs.TColumnDesc{ColumnName: name, TypeDesc: &hs.TTypeDesc{Types: types}}
	}
	return &hs.TGetResultSetMetadataResp{Status: ok(), Schema: &hs.TTableSchema{Columns: []*hs.TColumnDesc{
		column("n", &hs.TTypeEntry{PrimitiveEntry: &hs.TPrimitiveTypeEntry{Type: hs.TTypeId_INT_TYPE}}), column("s"),
	}}}, nil
}

func (f *fake) GetInfo(context.Context, *hs.TGetInfoReq) (*hs.TGetInfoResp, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.name == "" {
		none := ""
		return &hs.TGetInfoResp{Status: bad("no such info"), InfoValue: &hs.TGetInfoValue{StringValue: &none}}, nil
	}
	return &hs.TGetInfoResp{Status: ok(), InfoValue: &hs.TGetInfoValue{StringValue: &f.name}}, nil
}

func (f *fake) FetchResults(_ context.Context, r *hs.TFetchResultsReq) (*hs.TFetchResultsResp, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.FetchType == 1 && f.name != "Impala" { // which does not look at it
		f.logged++
		if f.logless {
			return &hs.TFetchResultsResp{Status: bad("Couldn't find log associated with operation handle")}, nil
		}
		portion := &hs.TStringColumn{Values: []string{}, Nulls: []byte{}}
		if len(f.log) > 0 {
			portion.Values, f.log = f.log[:1], f.log[1:]
		}
		return &hs.TFetchResultsResp{Status: ok(), Results: &hs.TRowSet{Rows: []*hs.TRow{}, Columns: []*hs.TColumn{{StringVal: portion}}}}, nil
	}
	f.fetched++
	numbers, texts := &hs.TI32Column{Nulls: []byte{2}}, &hs.TStringColumn{Nulls: []byte{}}
	n := 0
	if f.fetched <= 2 {
		n = 2
	}
	for i := range n {
		numbers.Values, texts.Values = append(numbers.Values, int32(10*f.fetched+i)), append(texts.Values, f.statement)
	}
	columns := []*hs.TColumn{{I32Val: numbers}, {StringVal: texts}}
	switch f.statement {
	case "one column":
		columns = columns[:1]
	case "uneven":
		texts.Values = texts.Values[:1]
	case "no rows":
		return &hs.TFetchResultsResp{Status: ok()}, nil
	}
	return &hs.TFetchResultsResp{Status: ok(), Results: &hs.TRowSet{Rows: []*hs.TRow{}, Columns: columns}}, nil
}

// served is a server's side of a connection.
type served struct {
	net.Conn
	in *bufio.Reader
}

func (s served) Read(p []byte) (int, error) { return s.in.Read(p) }

// listen answers connections: by frames after SASL, or plainly.
func (f *fake) listen(t *testing.T, sasl bool) func(context.Context) (net.Conn, error) {
	t.Helper()
	return serve(t, func(conn net.Conn) {
		c := served{conn, bufio.NewReader(conn)}
		conf := &thrift.TConfiguration{}
		var tr thrift.TTransport = thrift.NewStreamTransport(c, c)
		if sasl {
			if !signIn(c) {
				return
			}
			tr = thrift.NewTFramedTransportConf(tr, conf)
		} else {
			tr = thrift.NewTBufferedTransport(tr, 4096)
		}
		p := thrift.NewTBinaryProtocolConf(tr, conf)
		processor := hs.NewTCLIServiceProcessor(f)
		for {
			if more, err := processor.Process(t.Context(), p, p); err != nil || !more {
				return
			}
		}
	})
}

func signIn(c served) bool {
	read := func() (byte, string) {
		var head [5]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return 0, ""
		}
		text := make([]byte, binary.BigEndian.Uint32(head[1:]))
		_, _ = io.ReadFull(c, text)
		return head[0], string(text)
	}
	answer := func(word byte, text string) {
		_, _ = c.Write(append(binary.BigEndian.AppendUint32([]byte{word}, uint32(len(text))), text...))
	}
	if word, text := read(); word != 1 || text != "PLAIN" {
		return false
	}
	if _, text := read(); text != "\x00ann\x00hunter2" && text != "\x00anonymous\x00anonymous" {
		answer(3, "Error validating\nthe login")
		return false
	}
	answer(5, "")
	return true
}

// serve answers each connection by handle and returns what dials to it.
func serve(t *testing.T, handle func(net.Conn)) func(context.Context) (net.Conn, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				handle(c)
			}()
		}
	}()
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", l.Addr().String())
	}
}

func open(t *testing.T, c hive2.Config) *sql.DB {
	t.Helper()
	db := sql.OpenDB(hive2.NewConnector(c))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func read(ctx context.Context, db *sql.DB, query string, args ...any) ([]sql.NullInt64, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []sql.NullInt64
	for rows.Next() {
		var n sql.NullInt64
		var s string
		if err := rows.Scan(&n, &s); err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, rows.Err()
}

var fourRows = []sql.NullInt64{{Int64: 10, Valid: true}, {}, {Int64: 20, Valid: true}, {}}

func TestRowsAreReadInPortionsOverEveryTransport(t *testing.T) {
	t.Parallel()
	for _, sasl := range []bool{true, false} {
		f := &fake{}
		db := open(t, hive2.Config{Dial: f.listen(t, sasl), Plain: !sasl, User: "ann", Password: "hunter2", Database: "shop"})
		rows, err := read(t.Context(), db, "q")
		require.NoError(t, err)
		require.Equal(t, fourRows, rows)
		require.Equal(t, "ann/hunter2", f.user)
		require.Equal(t, "shop", f.database)
		require.Equal(t, 1, f.closed)
		require.Zero(t, f.cancelled)
	}
	f := &fake{}
	processor := hs.NewTCLIServiceProcessor(f)
	handler := thrift.NewThriftHandlerFunc(processor, thrift.NewTBinaryProtocolFactoryConf(nil), thrift.NewTBinaryProtocolFactoryConf(nil))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ann" || password != "hunter2" || r.URL.Path != "/a/b" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	c := hive2.Config{
		Dial: func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", server.Listener.Addr().String())
		},
		Host: server.Listener.Addr().String(), HTTPPath: "a/b", User: "ann", Password: "hunter2",
	}
	rows, err := read(t.Context(), open(t, c), "q")
	require.NoError(t, err)
	require.Equal(t, fourRows, rows)
	c.Password = "another"
	var refused *hive2.SignInError
	require.ErrorAs(t, open(t, c).PingContext(t.Context()), &refused)
}

func TestStatementsAndTheirArguments(t *testing.T) {
	t.Parallel()
	f := &fake{}
	db := open(t, hive2.Config{Dial: f.listen(t, true)})
	result, err := db.ExecContext(t.Context(), "quiet")
	require.NoError(t, err)
	n, err := result.RowsAffected()
	require.NoError(t, err)
	require.EqualValues(t, 3, n)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	_, err = db.ExecContext(t.Context(), "a ? '?\\'?' \"?\" `?` -- ?\n/* ? */ ? ? ? ? ? ? ?", "x' OR '1'='1 \\", -1, 2.5, nil, true, []byte("\x01b"), at, "z")
	require.NoError(t, err)
	require.Equal(t, "a 'x\\' OR \\'1\\'=\\'1 \\\\' '?\\'?' \"?\" `?` -- ?\n/* ? */ (-1) CAST(2.5 AS DOUBLE) NULL true unhex('0162') CAST('2026-01-02 03:04:05' AS TIMESTAMP) 'z'", f.statement)
	for _, query := range []string{"none", "? ?", "'?", "-- ?", "/* ?"} {
		_, err = db.ExecContext(t.Context(), query, 1)
		require.ErrorContains(t, err, "another number", query)
	}
	_, err = db.ExecContext(t.Context(), "?", sql.Named("x", 1))
	require.ErrorContains(t, err, "names")
	stmt, err := db.PrepareContext(t.Context(), "q ?")
	require.NoError(t, err)
	_, err = stmt.ExecContext(t.Context(), 7)
	require.NoError(t, err)
	require.NoError(t, stmt.Close())
	require.Equal(t, "q 7", f.statement)
	_, err = db.BeginTx(t.Context(), nil)
	require.ErrorContains(t, err, "no transactions")
}

func TestACancelledContextCancelsTheStatement(t *testing.T) {
	t.Parallel()
	f := &fake{}
	db := open(t, hive2.Config{Dial: f.listen(t, true)})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := db.ExecContext(ctx, "slow")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	f.mu.Lock()
	require.Equal(t, []int{1, 1}, []int{f.cancelled, f.closed})
	f.mu.Unlock()
	rows, err := read(t.Context(), db, "q")
	require.NoError(t, err, "the session is still good")
	require.Len(t, rows, 4)
}

func TestFailuresAreTold(t *testing.T) {
	t.Parallel()
	f := &fake{}
	c := hive2.Config{Dial: f.listen(t, true)}
	db := open(t, c)
	for query, want := range map[string]string{
		"wrong": "ParseException", "broken": "it broke", "stopped": "cancelled on the server", "strange": "unknown state", "mute": "does not say", "no handle": "without a handle",
		"no schema": "does not name", "one column": "another number of columns", "uneven": "do not belong together", "no rows": "without rows",
	} {
		_, err := read(t.Context(), db, query)
		require.ErrorContains(t, err, want, query)
	}
	c.Database = "gone"
	var told *hive2.Error
	err := open(t, c).PingContext(t.Context())
	require.ErrorAs(t, err, &told)
	require.Equal(t, "Database gone not found  at org.apache", told.Text, "on one line")
	c.User, c.Password = "ann", secret.String("another")
	var refused *hive2.SignInError
	err = open(t, c).PingContext(t.Context())
	require.ErrorAs(t, err, &refused)
	require.NotContains(t, err.Error(), "another")
}

func TestGarbageFromAServerIsAnError(t *testing.T) {
	t.Parallel()
	random := make([]byte, 1<<16)
	_, err := rand.Read(random)
	require.NoError(t, err)
	complete := []byte{5, 0, 0, 0, 0}
	for name, says := range map[string][]byte{
		"nothing": {}, "HTTP": []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), "random": random, "a huge challenge": {2, 0xff, 0xff, 0xff, 0xff},
		"frames without content": append(append([]byte{}, complete...), make([]byte, 1<<16)...),
		"a huge frame":           append(append([]byte{}, complete...), append([]byte{0xff, 0xff, 0xff, 0xff}, random...)...),
		"a huge list":            append(append([]byte{}, complete...), 0, 0, 1, 0, 0x80, 1, 0, 2, 0, 0, 0, 11, 'O', 'p', 'e', 'n', 'S', 'e', 's', 's', 'i', 'o', 'n', 0, 0, 0, 1, 12, 0, 0, 12, 0, 1, 15, 0, 2, 11, 0x7f, 0xff, 0xff, 0xff),
	} {
		for _, plain := range []bool{true, false} {
			dial := serve(t, func(c net.Conn) {
				buffer := make([]byte, 1024)
				_, _ = c.Read(buffer)
				_, _ = c.Write(says)
			})
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			err := open(t, hive2.Config{Dial: dial, Plain: plain}).PingContext(ctx)
			cancel()
			require.Error(t, err, name)
			require.NotErrorIs(t, err, context.DeadlineExceeded, name)
		}
	}
}

func TestASilentServerIsLeft(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{true, false} {
		dial := serve(t, func(net.Conn) { <-t.Context().Done() })
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		begin := time.Now()
		require.Error(t, open(t, hive2.Config{Dial: dial, Plain: plain}).PingContext(ctx))
		require.Less(t, time.Since(begin), 10*time.Second)
		cancel()
	}
}
