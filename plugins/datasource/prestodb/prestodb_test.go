package prestodb_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource/prestodb"
)

// fake plays the protocol: pages[i] is the answer to the i-th request of a statement; {next} in it is the address of the next.
type fake struct {
	mu       sync.Mutex
	pages    []string
	asked    []string
	headers  []http.Header
	deleted  int
	busy     int // how often it says that it has no time
	status   int
	response http.Header
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	if r.Method == http.MethodDelete {
		f.deleted++
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if f.busy > 0 {
		f.busy--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if f.status != 0 {
		w.WriteHeader(f.status)
		return
	}
	n := 0
	if r.Method == http.MethodGet {
		_, _ = fmt.Sscanf(r.URL.Path, "/v1/statement/q/%d", &n)
	} else {
		f.asked, f.headers = append(f.asked, string(body)), append(f.headers, r.Header)
	}
	maps.Copy(w.Header(), f.response)
	page := f.pages[min(n, len(f.pages)-1)]
	// The server thinks that it is called otherwise, as behind a proxy.
	_, _ = io.WriteString(w, strings.ReplaceAll(page, "{next}", fmt.Sprintf("http://169.254.169.254/v1/statement/q/%d", n+1)))
}

func open(t *testing.T, f http.Handler) *sql.DB {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	base, err := url.Parse(s.URL)
	require.NoError(t, err)
	db := sql.OpenDB(prestodb.NewConnector(prestodb.Config{Base: base, Client: s.Client(), User: "ann", Catalog: "hive", Schema: "shop"}))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func all(ctx context.Context, db *sql.DB, query string, args ...any) ([][]any, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out [][]any
	for rows.Next() {
		row := make([]any, len(names))
		into := make([]any, len(names))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

func TestPagesAreFollowedToTheEnd(t *testing.T) {
	t.Parallel()
	columns := `"columns":[{"name":"n","type":"bigint"},{"name":"f","type":"double"},{"name":"b","type":"boolean"},{"name":"s","type":"varchar(9)"},
		{"name":"d","type":"decimal(10,2)"},{"name":"x","type":"varbinary"},{"name":"a","type":"array(integer)"}]`
	f := &fake{busy: 2, pages: []string{
		`{"id":"q","nextUri":"{next}","stats":{"state":"QUEUED"}}`,
		`{"id":"q","nextUri":"{next}",` + columns + `}`,
		`{"id":"q","nextUri":"{next}",` + columns + `,"data":[[9007199254740993,1.5,true,"it's","1.50","Yg==",[1,2]],[null,"NaN",null,null,null,null,null]]}`,
		`{"id":"q","nextUri":"{next}"}`,
		`{"id":"q",` + columns + `,"data":[[-1,2,false,"","0.00","",[]]]}`,
	}}
	db := open(t, f)
	rows, err := all(t.Context(), db, "SELECT ?, '?', \"?\" -- ?", "it's \\")
	require.NoError(t, err)
	require.Len(t, rows, 3)
	require.Equal(t, []any{int64(9007199254740993), 1.5, true, "it's", "1.50", []byte("b"), "[1,2]"}, rows[0])
	require.Equal(t, []any{nil, nil, nil, nil, nil}, rows[1][2:])
	require.Equal(t, []any{int64(-1), 2.0, false, "", "0.00", []byte{}, "[]"}, rows[2])
	require.Equal(t, `SELECT 'it''s \', '?', "?" -- ?`, f.asked[0])
	require.Equal(t, []string{"ann", "hive", "shop", ""}, []string{
		f.headers[0].Get("X-Presto-User"), f.headers[0].Get("X-Presto-Catalog"), f.headers[0].Get("X-Presto-Schema"), f.headers[0].Get("Authorization"),
	})
	require.Zero(t, f.deleted)
}

func TestAStatementThatIsNotWantedAnyMoreIsDeleted(t *testing.T) {
	t.Parallel()
	f := &fake{pages: []string{`{"id":"q","nextUri":"{next}"}`}} // it never ends
	db := open(t, f)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := db.ExecContext(ctx, "SELECT 1")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	f.mu.Lock()
	require.Equal(t, 1, f.deleted)
	f.pages = []string{`{"id":"q","nextUri":"{next}","columns":[{"name":"n","type":"bigint"}],"data":[[1],[2]]}`}
	f.mu.Unlock()
	rows, err := db.QueryContext(t.Context(), "SELECT 1")
	require.NoError(t, err)
	require.True(t, rows.Next())
	require.NoError(t, rows.Close(), "after the first of many")
	require.NoError(t, rows.Err())
	f.mu.Lock()
	defer f.mu.Unlock()
	require.Equal(t, 2, f.deleted)
}

func TestTheSessionIsKept(t *testing.T) {
	t.Parallel()
	f := &fake{pages: []string{`{"id":"q","updateType":"SET SESSION","updateCount":7}`}, response: http.Header{
		"X-Presto-Set-Schema": {"other"}, "X-Presto-Set-Session": {"a=1", "b=2"}, "X-Presto-Clear-Session": {"b"},
	}}
	db := open(t, f)
	result, err := db.ExecContext(t.Context(), "SET SESSION a = 1")
	require.NoError(t, err)
	n, err := result.RowsAffected()
	require.NoError(t, err)
	require.EqualValues(t, 7, n)
	_, err = db.ExecContext(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "other", f.headers[1].Get("X-Presto-Schema"))
	require.Equal(t, []string{"a=1"}, f.headers[1].Values("X-Presto-Session"))
}

func TestFailuresAndGarbageAreErrors(t *testing.T) {
	t.Parallel()
	column := `"columns":[{"name":"n","type":"bigint"}]`
	for page, want := range map[string]string{
		`{"id":"q","error":{"message":"line 1:8:\nno such column","errorName":"COLUMN_NOT_FOUND"}}`: "COLUMN_NOT_FOUND: line 1:8: no such column",
		"": "does not answer as Presto", "<html>": "does not answer as Presto", "[]": "does not answer as Presto", `{"data":{}}`: "does not answer as Presto",
		`{` + column + `,"data":[["x"]]}`: "none of its type", `{` + column + `,"data":[[1,2]]}`: "another number of values", `{` + column + `,"data":[[]]}`: "another number of values",
		`{"data":[[1]]}`: "another number of values", `{"nextUri":"http://[::1"}`: "address that is none", `{` + column + `,"data":[[1.5]]}`: "none of its type",
	} {
		_, err := all(t.Context(), open(t, &fake{pages: []string{page}}), "q")
		require.ErrorContains(t, err, want, page)
	}
	var code *prestodb.HTTPError
	require.ErrorAs(t, open(t, &fake{status: 401}).PingContext(t.Context()), &code)
	require.Equal(t, 401, code.Code)
	require.ErrorAs(t, open(t, &fake{status: 302}).PingContext(t.Context()), &code)
	_, err := open(t, &fake{}).BeginTx(t.Context(), nil)
	require.ErrorContains(t, err, "no transactions")
}
