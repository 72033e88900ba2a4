package sql_test

import (
	"context"
	"encoding/json"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db/dbtest"
	"dorado/plugins/task"
	"dorado/plugins/task/statement/statementtest"
)

func TestEveryTypeOfParameterReachesPostgreSQL(t *testing.T) {
	t.Parallel()
	source := statementtest.Postgres(t, dbtest.PostgresURL(t))
	out, log, err := attempt(t, source, map[string]any{
		"sql": "select pg_typeof(${i})::text i, ${l} l, ${f} f, ${d} d, '${t}' t, ${ts} ts, ${b} b, '${s}' s, concat('<', ${s}, '>') c, 'a ${s} b' e, 3 in (${ids}) yes -- ${none}",
		"localParams": []any{
			param("i", "IN", "INTEGER", "5"), param("l", "IN", "LONG", "9007199254740993"), param("f", "IN", "DOUBLE", "0.1"), param("d", "IN", "DATE", "2024-02-01"),
			param("t", "IN", "TIME", "08:05:06"), param("ts", "IN", "TIMESTAMP", "2024-02-01 08:05:06.5"), param("b", "IN", "BOOLEAN", "true"), param("s", "IN", "VARCHAR", `O'Neil\ ${x}`),
			param("ids", "IN", "LIST", "[1,2,3]"), param("l", "OUT", "LONG", ""), param("s", "OUT", "VARCHAR", ""), param("D", "OUT", "DATE", ""), param("nothing", "OUT", "DATE", ""),
		},
	}, nil)
	require.NoError(t, err, log)
	require.Contains(t, log, `row 1 : {"i":"integer","l":9007199254740993,"f":0.1,"d":"2024-02-01","t":"08:05:06","ts":"2024-02-01 08:05:06.5","b":true,`+
		`"s":"O'Neil\\ ${x}","c":"<O'Neil\\ ${x}>","e":"a O'Neil\\ ${x} b","yes":true}`)
	require.Equal(t, map[string]string{"l": "9007199254740993", "s": `O'Neil\ ${x}`, "D": "2024-02-01"}, out.Out)
	require.Contains(t, log, "  2: l = 9007199254740993 (LONG)")
	require.Nil(t, out.Alert)
}

func TestValuesOfPostgreSQLAreWrittenWithoutLoss(t *testing.T) {
	t.Parallel()
	source := statementtest.Postgres(t, dbtest.PostgresURL(t))
	_, log, err := attempt(t, source, map[string]any{"sql": `set time zone 'Asia/Shanghai'`, "sqlType": 1}, nil)
	require.NoError(t, err, log)
	_, log, err = attempt(t, source, map[string]any{
		"preStatements": []string{"set time zone 'Asia/Shanghai'; create temp table t (a int)"}, "postStatements": []string{"drop table t"},
		"sql": `select 12345678901234567890.12345::numeric n, 'NaN'::float8 nan, 1e300::float8 big, null::int nil, '\xff00'::bytea raw, 'a<b>&"'::text s, '{"a": 1}'::json j,
			array[1,2] arr, timestamptz '2024-02-01 08:00:00+00' tz, timetz '08:00:00+02' ttz, 1 n, 2, interval '1 day' iv, uuid '12345678-1234-1234-1234-123456789abc' id, '中' zh`,
	}, nil)
	require.NoError(t, err, log)
	require.Contains(t, log, `row 1 : {"n":12345678901234567890.12345,"nan":"NaN","big":1e+300,"nil":null,"raw":"/wA=","s":"a<b>&\"","j":"{\"a\": 1}","arr":"{1,2}",`+
		`"tz":"2024-02-01 16:00:00+08:00","ttz":"08:00:00+02:00","n_2":1,"column12":2,"iv":"1 day","id":"12345678-1234-1234-1234-123456789abc","zh":"中"}`)
	require.Less(t, strings.Index(log, "create temp table"), strings.Index(log, "row 1"))
	require.Less(t, strings.Index(log, "row 1"), strings.Index(log, "drop table"))
}

func TestAnAlertHoldsTheRows(t *testing.T) {
	t.Parallel()
	source := statementtest.Postgres(t, dbtest.PostgresURL(t))
	out, _, err := attempt(t, source, map[string]any{"sql": "select g as z, 'x' as a from generate_series(1, 3) g", "sendEmail": true, "groupId": 4, "limit": 2, "displayRows": 1}, nil)
	require.NoError(t, err)
	require.Equal(t, &task.Alert{Group: 4, Title: "count query result sets", Content: `[{"z":1,"a":"x"},{"z":2,"a":"x"}]`}, out.Alert)
	out, log, err := attempt(t, source, map[string]any{"sql": "select 1 as z, 'x' as a where false", "sendEmail": true, "title": "T", "localParams": []any{param("a", "OUT", "VARCHAR", "")}}, nil)
	require.NoError(t, err)
	require.Equal(t, &task.Alert{Title: "T", Content: `[{"z":"","a":""}]`}, out.Alert)
	require.Equal(t, map[string]string{"a": ""}, out.Out)
	require.Contains(t, log, "0 rows")
}

func TestOfSeveralRowsOnlyListsGetSomething(t *testing.T) {
	t.Parallel()
	source := statementtest.Postgres(t, dbtest.PostgresURL(t))
	settings := map[string]any{
		"sql": "select g as n, nullif('<' || g || '>', '<2>') as s from generate_series(1, 3) g", "localParams": []any{param("n", "OUT", "LIST", ""), param("s", "OUT", "VARCHAR", "")},
	}
	out, log, err := attempt(t, source, settings, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"n": `["1","2","3"]`}, out.Out)
	require.Contains(t, log, `the OUT parameter "s" gets no value`)
	settings["localParams"] = []any{param("s", "OUT", "LIST", "")}
	out, _, err = attempt(t, source, settings, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"s": `["<1>",null,"<3>"]`}, out.Out)
}

func TestTheFirstOutParameterCountsChanges(t *testing.T) {
	t.Parallel()
	source := statementtest.Postgres(t, dbtest.PostgresURL(t))
	out, log, err := attempt(t, source, map[string]any{
		"sqlType": "1", "sql": "create temp table t (a int, b date); insert into t select g from generate_series(1, 9) g; update t set b = ${d} where a > ${n}; select ${n}",
		"localParams": []any{param("n", "IN", "INTEGER", "4"), param("d", "IN", "VARCHAR", "2024-02-01"), param("first", "OUT", "INTEGER", ""), param("second", "OUT", "INTEGER", "")},
		"sendEmail":   true,
	}, nil)
	require.NoError(t, err, log)
	require.Equal(t, map[string]string{"first": "1"}, out.Out)
	require.Contains(t, log, "5 rows changed")
	require.Nil(t, out.Alert, "only of queries")
}

func TestAMistakeInTheLastStatementDoesNoHarm(t *testing.T) {
	t.Parallel()
	source := statementtest.Postgres(t, dbtest.PostgresURL(t))
	_, _, err := attempt(t, source, map[string]any{"sqlType": "1", "sql": "create table harm (a int)", "postStatements": []string{"select ${none}"}}, nil)
	require.ErrorContains(t, err, `statement 1 after the main one: parameter "none" has no value`)
	_, _, err = attempt(t, source, map[string]any{"sql": "select * from harm"}, nil)
	require.ErrorContains(t, err, `"harm" does not exist`)
}

func TestTheServerStopsWhatIsCancelled(t *testing.T) {
	t.Parallel()
	source := statementtest.Postgres(t, dbtest.PostgresURL(t))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, log, err := attemptIn(ctx, t, source, map[string]any{"sql": "select pg_sleep(77)"}, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(begin), 3*time.Second)
	require.Contains(t, log, "stopping")
	out, _, err := attempt(t, source, map[string]any{
		"sql": "select count(*) as n from pg_stat_activity where datname = current_database() and state = 'active' and query = 'select pg_sleep(77)'", "localParams": []any{param("n", "OUT", "LONG", "")},
	}, nil)
	require.NoError(t, err)
	require.Equal(t, "0", out.Out["n"])
}

func TestTheRestOfAResultIsNotRead(t *testing.T) {
	t.Parallel()
	source := statementtest.Postgres(t, dbtest.PostgresURL(t))
	begin := time.Now()
	_, log, err := attempt(t, source, map[string]any{
		"sql": "select generate_series(1, 2000000000) g, repeat('x', 100)", "displayRows": 1, "limit": 5, "preStatements": []string{"create temp table t (a int)"},
		"postStatements": []string{"insert into t values (1)", "select pg_sleep(0.2)"},
	}, nil)
	require.NoError(t, err, log)
	require.Contains(t, log, "there are more rows; 5 is the limit")
	require.Contains(t, log, "1 rows changed", "the connection is still the same")
	require.Less(t, time.Since(begin), 20*time.Second)
}

// TestALargeResultTakesLittleMemory reads rows by the million with an alert, a list and a limit that does not help.
func TestALargeResultTakesLittleMemory(t *testing.T) { //nolint:paralleltest // it measures memory
	source := statementtest.Postgres(t, dbtest.PostgresURL(t))
	rows := 600_000
	if testing.Short() {
		rows = 100_000
	}
	stop := make(chan struct{})
	var most atomic.Uint64
	go func() {
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapInuse))
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	out, log, err := attempt(t, source, map[string]any{
		"sql": "select g as n, repeat('x', 40) as s from generate_series(1, " + encode(t, rows) + ") g", "limit": 1_000_000_000, "sendEmail": true, "localParams": []any{param("s", "OUT", "LIST", "")},
	}, nil)
	close(stop)
	require.NoError(t, err)
	require.Contains(t, log, encode(t, rows)+" rows")
	if !testing.Short() {
		require.Contains(t, log, "the alert is cut")
		require.Contains(t, log, `the OUT parameter "s" is cut`)
		require.Less(t, len(out.Alert.Content), 5<<20)
	}
	require.True(t, json.Valid([]byte(out.Alert.Content)))
	require.True(t, json.Valid([]byte(out.Out["s"])))
	t.Logf("%d rows, %d MiB of heap at most", rows, most.Load()>>20)
	require.Less(t, most.Load(), uint64(200<<20))
}

func encode(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return string(raw)
}
