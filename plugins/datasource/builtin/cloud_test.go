package builtin_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource"
	"dorado/plugins/form"
)

// player plays one side of a protocol and remembers what it was asked.
type player struct {
	mu    sync.Mutex
	asked []string // method, path with query, and body
	play  func(w http.ResponseWriter, r *http.Request, body map[string]any)
}

func (p *player) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	body := map[string]any{}
	_ = json.Unmarshal(raw, &body)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("X-Amz-Target"))
	p.play(w, r, body)
}

func (p *player) heard(part string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, a := range p.asked {
		if strings.Contains(a, part) {
			n++
		}
	}
	return n
}

// at are the settings that lead to a player, with others over them.
func at(t *testing.T, p http.Handler, over form.Flat) form.Flat {
	t.Helper()
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	host, port, err := net.SplitHostPort(s.Listener.Addr().String())
	require.NoError(t, err)
	flat := form.Flat{"host": host, "port": port, "database": "shop", "userName": "ann", "password": "hunter2"}
	maps.Copy(flat, over)
	return flat
}

func asked(t *testing.T, p datasource.Plugin, flat form.Flat, text string) (datasource.Answer, error) {
	t.Helper()
	return p.Ask(t.Context(), read(t, p, flat), datasource.Question{Text: text, Rows: 100, Bytes: 1 << 20})
}

func reply(w http.ResponseWriter, code int, text string) {
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text)
}

const snowRunning = `{"code":"333334","message":"in progress","statementHandle":"h-1","statementStatusUrl":"/api/v2/statements/h-1"}`

// snow plays the SQL API: a statement runs for two questions, then has two partitions.
func snow(t *testing.T) *player {
	t.Helper()
	polls := 0
	return &player{play: func(w http.ResponseWriter, r *http.Request, body map[string]any) {
		text, _ := body["statement"].(string)
		switch {
		case r.Header.Get("Authorization") != "Bearer hunter2":
			reply(w, 401, `{"code":"390303","message":"Invalid OAuth access token. hunter2"}`)
		case strings.HasSuffix(r.URL.Path, "/cancel"):
			reply(w, 200, `{"code":"000604","message":"canceled","statementHandle":"h-1"}`)
		case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/endless"):
			reply(w, 202, strings.ReplaceAll(snowRunning, "h-1", "endless"))
		case r.Method == http.MethodGet && r.URL.Query().Get("partition") == "1":
			reply(w, 200, `{"data":[["2",null,null,null,null,null,null,null,null]]}`)
		case r.Method == http.MethodGet && polls < 2:
			polls++
			reply(w, 202, snowRunning)
		case r.Method == http.MethodGet:
			reply(w, 200, `{"code":"090001","statementHandle":"h-1","resultSetMetaData":{"numRows":2,"format":"jsonv2","partitionInfo":[{"rowCount":1},{"rowCount":1}],"rowType":[
				{"name":"ID","type":"fixed","scale":0},{"name":"PRICE","type":"fixed","scale":2},{"name":"F","type":"real"},{"name":"OK","type":"boolean"},{"name":"NAME","type":"text"},
				{"name":"DAY","type":"date"},{"name":"AT","type":"timestamp_ntz"},{"name":"TZ","type":"timestamp_tz"},{"name":"RAW","type":"binary"}]},
				"data":[["9007199254740993","1.50","0.1","true","it's","20455","1767323045.250000000","1767323045.000000000 1500","ff00"]]}`)
		case text == "endless":
			reply(w, 202, strings.ReplaceAll(snowRunning, "h-1", "endless"))
		case strings.HasPrefix(text, "insert"):
			reply(w, 200, `{"code":"090001","statementHandle":"h-2","resultSetMetaData":{"partitionInfo":[{}],"rowType":[{"name":"number of rows inserted","type":"fixed"}]},
				"data":[["3"]],"stats":{"numRowsInserted":3,"numRowsUpdated":0,"numRowsDeleted":0}}`)
		case text == "broken":
			reply(w, 422, `{"code":"001003","sqlState":"42000","message":"SQL compilation error:\nsyntax error","statementHandle":"h-3"}`)
		case text == "garbage":
			reply(w, 200, `<html>`)
		case body["database"] == "GONE":
			reply(w, 422, `{"code":"390201","message":"The requested database does not exist or not authorized.","statementHandle":"h"}`)
		case strings.Contains(text, "table_type") || strings.Contains(text, "information_schema"):
			binds, _ := json.Marshal(body["bindings"])
			reply(w, 200, fmt.Sprintf(`{"code":"090001","statementHandle":"h-4","resultSetMetaData":{"partitionInfo":[{}],"rowType":[{"name":"A","type":"text"},{"name":"B","type":"text"}]},
				"data":[[%q,%q]]}`, body["database"], binds))
		case text == "select 1":
			reply(w, 200, `{"code":"090001","statementHandle":"h-5","resultSetMetaData":{"partitionInfo":[{}],"rowType":[{"name":"1","type":"fixed"}]},"data":[["1"]]}`)
		default:
			reply(w, 202, snowRunning)
		}
	}}
}

func TestSnowflakeIsAskedByItsAPI(t *testing.T) {
	t.Parallel()
	p, f := kind(t, "SNOWFLAKE"), snow(t)
	flat := at(t, f, form.Flat{"other": `{"ssl":"off"}`, "datawarehouse": "wh"})
	s := read(t, p, flat)
	_, err := p.Test(t.Context(), s)
	require.NoError(t, err)
	a, err := asked(t, p, flat, "select * from t")
	require.NoError(t, err)
	require.Len(t, a.Rows, 2)
	require.Equal(t, []string{"9007199254740993", "1.50", "0.1", "true", "it's", "2026-01-02", "2026-01-02 03:04:05.25", "2026-01-02 04:04:05+01:00", "0xff00"}, texts(a.Rows[0]))
	require.True(t, a.Rows[1][1].Null)
	require.Equal(t, "timestamptz", a.Columns[7].Type)
	require.Equal(t, 1, f.heard("GET /api/v2/statements/h-1?partition=1"))
	require.Zero(t, f.heard("/cancel"), "what has ended is not cancelled")
	a, err = asked(t, p, flat, "insert into t values (1)")
	require.NoError(t, err)
	require.EqualValues(t, 3, a.Affected)
	columns, err := p.Columns(t.Context(), s, "Other", "o'rders")
	require.NoError(t, err)
	require.Equal(t, datasource.Column{Name: "Other", Type: `{"1":{"type":"TEXT","value":"o'rders"}}`}, columns[0], "bound, in the database that was named")
	for text, want := range map[string]string{"broken": "001003: SQL compilation error: syntax error", "garbage": "does not answer as Snowflake"} {
		_, err = asked(t, p, flat, text)
		require.ErrorContains(t, err, want)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	_, err = p.Ask(ctx, s, datasource.Question{Text: "endless"})
	require.Error(t, err)
	require.Eventually(t, func() bool { return f.heard("POST /api/v2/statements/endless/cancel") == 1 }, 5*time.Second, 10*time.Millisecond)
}

func TestSnowflakesFailuresTellTheStep(t *testing.T) {
	t.Parallel()
	p := kind(t, "SNOWFLAKE")
	with := func(over form.Flat) form.Flat {
		flat := at(t, snow(t), form.Flat{"other": `{"ssl":"off"}`})
		maps.Copy(flat, over)
		return flat
	}
	require.Equal(t, datasource.SignIn, step(t, p, with(form.Flat{"password": "wrong-one"})))
	require.Equal(t, datasource.Missing, step(t, p, with(form.Flat{"database": "gone"})))
	require.Equal(t, datasource.Secure, step(t, p, with(form.Flat{"other": ""})))
	require.Equal(t, datasource.Unfit, step(t, p, with(form.Flat{"password": ""})))
	require.Equal(t, datasource.Unfit, step(t, p, with(form.Flat{"mode": "KEY_PAIR", "privateKey": "no key"})))
	require.Equal(t, datasource.Unfit, step(t, p, with(form.Flat{"mode": "KEY_PAIR", "privateKey": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----"})))
	elsewhere := &player{play: func(w http.ResponseWriter, _ *http.Request, _ map[string]any) {
		w.Header().Set("Location", "http://169.254.169.254/")
		w.WriteHeader(http.StatusFound)
	}}
	require.Equal(t, datasource.Connect, step(t, p, at(t, elsewhere, form.Flat{"other": `{"ssl":"off"}`})), "redirects are not followed")
	s := read(t, p, with(form.Flat{"datawarehouse": "w&init=x"}))
	require.Contains(t, p.URL(s), "warehouse=w%26init%3Dx", "one parameter cannot begin another")
}

func TestSnowflakeIsShownASignedTextForAKeyPair(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for block, raw := range map[string][]byte{"PRIVATE KEY": der, "RSA PRIVATE KEY": x509.MarshalPKCS1PrivateKey(key)} {
		var bearer, how string
		f := &player{play: func(w http.ResponseWriter, r *http.Request, _ map[string]any) {
			bearer, how = r.Header.Get("Authorization"), r.Header.Get("X-Snowflake-Authorization-Token-Type")
			reply(w, 200, `{"statementHandle":"h","resultSetMetaData":{"partitionInfo":[{}],"rowType":[{"name":"1","type":"fixed"}]},"data":[["1"]]}`)
		}}
		p := kind(t, "SNOWFLAKE")
		text := string(pem.EncodeToMemory(&pem.Block{Type: block, Bytes: raw}))
		if block == "PRIVATE KEY" { // as a field of one line leaves it
			text = strings.ReplaceAll(text, "\n", "")
		}
		_, err = p.Test(t.Context(), read(t, p, at(t, f, form.Flat{"password": "", "mode": "KEY_PAIR", "privateKey": text, "other": `{"ssl":"off"}`})))
		require.NoError(t, err)
		require.Equal(t, "KEYPAIR_JWT", how)
		parts := strings.Split(strings.TrimPrefix(bearer, "Bearer "), ".")
		require.Len(t, parts, 3)
		sign, err := base64.RawURLEncoding.DecodeString(parts[2])
		require.NoError(t, err)
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		require.NoError(t, rsa.VerifyPKCS1v15(&key.PublicKey, 5, sum[:], sign))
		claims := map[string]any{}
		raw, err := base64.RawURLEncoding.DecodeString(parts[1])
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, &claims))
		public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		require.NoError(t, err)
		print := sha256.Sum256(public)
		require.Equal(t, "127.ANN", claims["sub"], "the account is the first part of the host")
		require.Equal(t, "127.ANN.SHA256:"+base64.StdEncoding.EncodeToString(print[:]), claims["iss"])
		require.InDelta(t, 3000, claims["exp"].(float64)-claims["iat"].(float64), 1)
	}
}

// bend plays Databend: a result in three answers, addresses that lead elsewhere, and a session that changes.
func bend(t *testing.T) *player {
	t.Helper()
	return &player{play: func(w http.ResponseWriter, r *http.Request, body map[string]any) {
		user, password, _ := r.BasicAuth()
		text, _ := body["sql"].(string)
		session, _ := json.Marshal(body["session"])
		switch {
		case user != "ann" || password != "hunter2":
			reply(w, 401, `{"error":{"code":5100,"message":"wrong password"}}`)
		case strings.Contains(string(session), "gone"):
			reply(w, 200, `{"id":"q","error":{"code":1003,"message":"Unknown database 'gone'"},"state":"Failed"}`)
		case strings.HasSuffix(r.URL.Path, "/kill"):
			reply(w, 200, "")
		case r.URL.Path == "/v1/query/q/page/1":
			reply(w, 200, `{"id":"q","schema":[],"data":[],"state":"Running","next_uri":"/v1/query/q/page/2"}`)
		case r.URL.Path == "/v1/query/q/page/2":
			reply(w, 200, `{"id":"q","schema":[{"name":"n","type":"UInt64"},{"name":"f","type":"Nullable(Float64)"},{"name":"b","type":"Boolean NULL"},{"name":"s","type":"String"},{"name":"d","type":"Decimal(9, 2)"}],
				"data":[["9007199254740993","0.1","true","NULL","1.50"]],"state":"Succeeded","next_uri":"/v1/query/q/page/3"}`)
		case r.URL.Path == "/v1/query/q/page/3":
			reply(w, 200, `{"id":"q","schema":[{"name":"n","type":"UInt64"}],"data":[["18446744073709551615",null,null,"",null]],"state":"Succeeded","next_uri":null}`)
		case r.URL.Path == "/v1/query/q/page/endless":
			reply(w, 200, `{"id":"q","schema":[],"data":[],"state":"Running","next_uri":"/v1/query/q/page/endless"}`)
		case text == "endless":
			reply(w, 200, `{"id":"q","schema":[],"data":[],"state":"Running","next_uri":"http://169.254.169.254/v1/query/q/page/endless"}`)
		case text == "use other":
			reply(w, 200, `{"id":"q","session":{"database":"other","x":1},"data":[],"state":"Succeeded"}`)
		case strings.HasPrefix(text, "insert"):
			reply(w, 200, `{"id":"q","schema":[{"name":"number of rows inserted","type":"UInt64"}],"data":[["3"]],"state":"Succeeded"}`)
		case text == "broken":
			reply(w, 200, `{"id":"q","error":{"code":1005,"message":"error: \n --> SQL:1:1"},"state":"Failed"}`)
		case text == "garbage":
			reply(w, 200, `[]`)
		case strings.Contains(text, "information_schema") || text == "select 1":
			reply(w, 200, fmt.Sprintf(`{"id":"q","schema":[{"name":"a","type":"String"},{"name":"b","type":"String"}],"data":[[%q,%q]],"state":"Succeeded"}`, text, session))
		default:
			reply(w, 200, `{"id":"q","session":{"database":"shop"},"schema":[],"data":[],"state":"Running","next_uri":"http://169.254.169.254/v1/query/q/page/1"}`)
		}
	}}
}

func TestDatabendIsAskedByHTTP(t *testing.T) {
	t.Parallel()
	p, f := kind(t, "DATABEND"), bend(t)
	flat := at(t, f, nil)
	s := read(t, p, flat)
	a, err := asked(t, p, flat, "select * from t")
	require.NoError(t, err)
	require.Equal(t, []string{"9007199254740993", "0.1", "true", "NULL", "1.50"}, texts(a.Rows[0]))
	require.Equal(t, "18446744073709551615", a.Rows[1][0].Text)
	require.True(t, a.Rows[1][1].Null)
	require.False(t, a.Rows[1][3].Null)
	a, err = asked(t, p, flat, "insert into t values (1)")
	require.NoError(t, err)
	require.EqualValues(t, 3, a.Affected)
	a, err = asked(t, p, flat, "use other")
	require.NoError(t, err)
	require.EqualValues(t, -1, a.Affected)
	columns, err := p.Columns(t.Context(), s, "", `o'r\ders`)
	require.NoError(t, err)
	require.Contains(t, columns[0].Name, `table_schema = 'shop' AND table_name = 'o\'r\\ders'`)
	require.JSONEq(t, `{"database":"shop"}`, columns[0].Type)
	db, err := p.Open(s)
	require.NoError(t, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(t.Context(), "use other")
	require.NoError(t, err)
	var text, session string
	require.NoError(t, db.QueryRowContext(t.Context(), "select 1").Scan(&text, &session))
	require.JSONEq(t, `{"database":"other","x":1}`, session, "what a statement changed is sent with the next")
	_, err = db.BeginTx(t.Context(), nil)
	require.ErrorContains(t, err, "no transactions")
	for text, want := range map[string]string{"broken": "1005: error:", "garbage": "does not answer as Databend"} {
		_, err = asked(t, p, flat, text)
		require.ErrorContains(t, err, want)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	_, err = p.Ask(ctx, s, datasource.Question{Text: "endless"})
	require.Error(t, err)
	require.Eventually(t, func() bool { return f.heard("POST /v1/query/q/kill") == 1 }, 5*time.Second, 10*time.Millisecond)
	require.Equal(t, datasource.SignIn, step(t, p, at(t, bend(t), form.Flat{"password": "wrong-one"})))
	require.Equal(t, datasource.Missing, step(t, p, at(t, bend(t), form.Flat{"database": "gone"})))
	require.Equal(t, datasource.Secure, step(t, p, at(t, bend(t), form.Flat{"other": `{"sslmode":"enable"}`})))
}

// aws plays Athena.
func aws(t *testing.T) *player {
	t.Helper()
	statements, polls := map[string]string{}, 0
	return &player{play: func(w http.ResponseWriter, r *http.Request, body map[string]any) {
		id, _ := body["QueryExecutionId"].(string)
		in := statements[id]
		sign := r.Header.Get("Authorization")
		switch action := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonAthena."); {
		case !strings.HasPrefix(sign, "AWS4-HMAC-SHA256 Credential=ann/") || !strings.Contains(sign, "/eu-west-1/athena/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature="):
			reply(w, 400, `{"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}`)
		case action == "StartQueryExecution":
			text, _ := body["QueryString"].(string)
			if text == "broken" {
				reply(w, 400, `{"__type":"com.amazonaws.athena#InvalidRequestException","Message":"line 1:1: mismatched input"}`)
				return
			}
			raw, _ := json.Marshal(body)
			id := fmt.Sprint("id-", len(statements))
			statements[id] = string(raw)
			reply(w, 200, `{"QueryExecutionId":"`+id+`"}`)
		case action == "StopQueryExecution":
			reply(w, 200, `{}`)
		case action == "GetQueryExecution" && (strings.Contains(in, "endless") || polls == 0):
			polls++
			reply(w, 200, `{"QueryExecution":{"Status":{"State":"RUNNING"}}}`)
		case action == "GetQueryExecution" && strings.Contains(in, `"Database":"gone"`):
			reply(w, 200, `{"QueryExecution":{"Status":{"State":"FAILED","StateChangeReason":"SCHEMA_NOT_FOUND: line 1"},"StatementType":"DML"}}`)
		case action == "GetQueryExecution" && strings.Contains(in, "insert"):
			reply(w, 200, `{"QueryExecution":{"Status":{"State":"SUCCEEDED"},"StatementType":"DML"}}`)
		case action == "GetQueryExecution" && strings.Contains(in, "show"):
			reply(w, 200, `{"QueryExecution":{"Status":{"State":"SUCCEEDED"},"StatementType":"UTILITY"}}`)
		case action == "GetQueryExecution":
			reply(w, 200, `{"QueryExecution":{"Status":{"State":"SUCCEEDED"},"StatementType":"DML"}}`)
		case strings.Contains(in, "insert"):
			reply(w, 200, `{"UpdateCount":3,"ResultSet":{"Rows":[],"ResultSetMetadata":{"ColumnInfo":[]}}}`)
		case strings.Contains(in, "show"):
			reply(w, 200, `{"ResultSet":{"Rows":[{"Data":[{"VarCharValue":"tab_name"}]}],"ResultSetMetadata":{"ColumnInfo":[{"Name":"tab_name","Type":"string"}]}}}`)
		case strings.Contains(in, "information_schema"):
			raw, _ := json.Marshal(in)
			reply(w, 200, fmt.Sprintf(`{"ResultSet":{"Rows":[{"Data":[{"VarCharValue":"a"},{"VarCharValue":"b"}]},{"Data":[{"VarCharValue":%s},{"VarCharValue":"int"}]}],
				"ResultSetMetadata":{"ColumnInfo":[{"Name":"a","Type":"varchar"},{"Name":"b","Type":"varchar"}]}}}`, raw))
		case strings.Contains(in, `"QueryString":"select 1"`):
			reply(w, 200, `{"ResultSet":{"Rows":[{"Data":[{"VarCharValue":"_col0"}]},{"Data":[{"VarCharValue":"1"}]}],"ResultSetMetadata":{"ColumnInfo":[{"Name":"_col0","Type":"integer"}]}}}`)
		case body["NextToken"] == "more":
			reply(w, 200, `{"ResultSet":{"Rows":[{"Data":[{},{},{}]}],"ResultSetMetadata":{"ColumnInfo":[]}}}`)
		default:
			reply(w, 200, `{"NextToken":"more","ResultSet":{"Rows":[{"Data":[{"VarCharValue":"id"},{"VarCharValue":"f"},{"VarCharValue":"s"}]},{"Data":[{"VarCharValue":"7"},{"VarCharValue":"0.5"},{"VarCharValue":"it's"}]}],
				"ResultSetMetadata":{"ColumnInfo":[{"Name":"id","Type":"bigint"},{"Name":"f","Type":"double"},{"Name":"s","Type":"varchar"}]}}}`)
		}
	}}
}

// athenaAt are settings that lead to a player.
func athenaAt(t *testing.T, h http.Handler, over form.Flat) form.Flat {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	flat := form.Flat{
		"awsRegion": "eu-west-1", "database": "shop", "userName": "ann", "password": "hunter2",
		"other": `{"S3OutputLocation":"s3://results/x/","Workgroup":"wg","EndpointOverride":"` + s.URL + `"}`,
	}
	maps.Copy(flat, over)
	return flat
}

func TestAthenaIsAskedWithSignedRequests(t *testing.T) {
	t.Parallel()
	p, f := kind(t, "ATHENA"), aws(t)
	flat := athenaAt(t, f, nil)
	s := read(t, p, flat)
	_, err := p.Test(t.Context(), s)
	require.NoError(t, err)
	a, err := asked(t, p, flat, "select * from t")
	require.NoError(t, err)
	require.Equal(t, [][]string{{"7", "0.5", "it's"}, {"", "", ""}}, [][]string{texts(a.Rows[0]), texts(a.Rows[1])}, "without the row of names")
	require.True(t, a.Rows[1][0].Null)
	a, err = asked(t, p, flat, "show tables")
	require.NoError(t, err)
	require.Equal(t, "tab_name", a.Rows[0][0].Text, "which is a value here")
	a, err = asked(t, p, flat, "insert into t values (1)")
	require.NoError(t, err)
	require.EqualValues(t, 3, a.Affected)
	columns, err := p.Columns(t.Context(), s, "", "o'rders")
	require.NoError(t, err)
	for _, part := range []string{`table_name = 'o''rders'`, `"OutputLocation":"s3://results/x/"`, `"WorkGroup":"wg"`, `"Database":"shop"`} {
		require.Contains(t, strings.ReplaceAll(columns[0].Name, `\u0027`, "'"), part)
	}
	_, err = asked(t, p, flat, "broken")
	require.ErrorContains(t, err, "InvalidRequestException: line 1:1: mismatched input")
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	_, err = p.Ask(ctx, s, datasource.Question{Text: "endless"})
	require.Error(t, err)
	require.Eventually(t, func() bool { return f.heard("StopQueryExecution") == 1 }, 5*time.Second, 10*time.Millisecond)
}

func TestAthenasFailuresTellTheStep(t *testing.T) {
	t.Parallel()
	p := kind(t, "ATHENA")
	require.Equal(t, datasource.SignIn, step(t, p, athenaAt(t, aws(t), form.Flat{"userName": "bob"})))
	require.Equal(t, datasource.Missing, step(t, p, athenaAt(t, aws(t), form.Flat{"database": "gone"})))
	for _, other := range []string{
		`{"EndpointOverride":"http://u:p@h"}`, `{"EndpointOverride":"ftp://h"}`, `{"EndpointOverride":"http://h/x"}`, `{"S3OutputLocation":"file:///etc"}`,
	} {
		require.Equal(t, datasource.Unfit, step(t, p, athenaAt(t, aws(t), form.Flat{"other": other})), other)
	}
	for _, to := range []string{"http://169.254.169.254", "http://[fe80::1]:80"} {
		require.Equal(t, datasource.Connect, step(t, p, athenaAt(t, aws(t), form.Flat{"other": `{"EndpointOverride":"` + to + `"}`})), "metadata of the cloud is out of reach")
	}
	for _, region := range []string{"x", "eu-west-1.evil.example", "eu-west-1;LogPath=/x", "eu west-1", "eu-west-1/"} {
		_, problems := p.Read(athenaAt(t, aws(t), form.Flat{"awsRegion": region}))
		require.True(t, slices.ContainsFunc(problems, func(b form.Problem) bool { return b.Key == "datasource.error.region" }), region)
	}
}

func TestWhatTheirDriversForJavaWouldReadWriteOrLoadIsRefused(t *testing.T) {
	t.Parallel()
	for name, parameters := range map[string][]string{
		"ATHENA":    {"LogPath", "AwsCredentialsProviderClass", "AwsCredentialsProviderArguments", "ProfileName", "Plugin_Name", "TrustStorePath"},
		"SNOWFLAKE": {"client_config_file", "private_key_file", "private_key_file_pwd", "tracing", "TRACING"},
		"VERTICA":   {"JAASConfigName", "BackupServerNode", "KeyStorePath", "TrustStorePath", "LogPath", "OAuthJsonConfig"},
		"DATABEND":  {"sslrootcert", "socketFactory", "loggerFile"},
	} {
		for _, parameter := range parameters {
			flat := base()
			flat["awsRegion"], flat["other"] = "eu-west-1", `{"`+parameter+`":"/x"}`
			_, problems := kind(t, name).Read(flat)
			require.Len(t, problems, 1, "%s %s", name, parameter)
			require.Equal(t, "datasource.error.forbidden", problems[0].Key)
		}
		for _, bad := range []string{`{"a":"1&b=2"}`, `{"a":"1;LogPath=/x"}`, `{"a=b":"1"}`, `{"a":"1#"}`} {
			flat := base()
			flat["awsRegion"], flat["other"] = "eu-west-1", bad
			_, problems := kind(t, name).Read(flat)
			require.NotEmpty(t, problems, "%s %s", name, bad)
		}
	}
}
