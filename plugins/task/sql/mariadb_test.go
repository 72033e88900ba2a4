package sql_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource/builtin"
	"dorado/plugins/task"
	"dorado/plugins/task/statement/statementtest"
)

func TestMariaDB(t *testing.T) {
	t.Parallel()
	source := statementtest.MariaDB(t)
	// Doris speaks the same language, but takes no binds: the same values have to come out of literals.
	literal := source
	for _, p := range builtin.Types() {
		if p.Type == "DORIS" {
			literal.Plugin = p
		}
	}
	locals := []any{
		param("i", "IN", "INTEGER", "5"), param("l", "IN", "LONG", "9007199254740993"), param("f", "IN", "DOUBLE", "0.1"), param("d", "IN", "DATE", "2024-02-01"),
		param("ts", "IN", "TIMESTAMP", "2024-02-01 08:05:06"), param("b", "IN", "BOOLEAN", "true"), param("s", "IN", "VARCHAR", `O'Neil\ "x" ? -- 中`), param("ids", "IN", "LIST", `[3,"x"]`),
	}
	for name, source := range map[string]task.Source{"binds": source, "literals": literal} {
		t.Run("takes every type of parameter as "+name, func(t *testing.T) {
			_, log, err := attempt(t, source, map[string]any{
				"sql":         "select ${i} + 0 i, ${l} + 0 l, cast(${f} as double) f, cast(${d} as date) d, cast('${ts}' as datetime) ts, ${b} + 0 b, \"${s}\" s, '<${s}>' e, '?' q, 3 in (${ids}) y # ${none}",
				"localParams": locals,
			}, nil)
			require.NoError(t, err, log)
			require.Contains(t, log, `row 1 : {"i":5,"l":9007199254740993,"f":0.1,"d":"2024-02-01","ts":"2024-02-01 08:05:06","b":1,"s":"O'Neil\\ \"x\" ? -- 中","e":"<O'Neil\\ \"x\" ? -- 中>","q":"?","y":1}`)
		})
	}
	t.Run("writes values without loss", func(t *testing.T) {
		_, log, err := attempt(t, source, map[string]any{
			"preStatements": []string{
				"create table v (n decimal(40,10), u bigint unsigned, x bit(10), raw varbinary(9), t time, ts timestamp(3) null, nil int, tx text, y year, j json)",
				`insert into v values (123456789012345678901234567890.1234567890, 18446744073709551615, b'1000000001', x'ff00', '12:00:01', '2024-02-01 01:02:03.250', null, 'a"b', 2024, '{"a":1}')`,
			},
			"sql": "select * from v", "postStatements": []string{"drop table v"},
		}, nil)
		require.NoError(t, err, log)
		require.Contains(t, log, `row 1 : {"n":123456789012345678901234567890.1234567890,"u":18446744073709551615,"x":513,"raw":"/wA=","t":"12:00:01","ts":"2024-02-01 01:02:03.25","nil":null,"tx":"a\"b","y":2024,"j":"{\"a\":1}"}`)
	})
	t.Run("runs bodies of routines without DELIMITER", func(t *testing.T) {
		out, log, err := attempt(t, source, map[string]any{
			"sqlType": 1, "localParams": []any{param("n", "IN", "VARCHAR", "it's"), param("rows", "OUT", "INTEGER", "")},
			"sql": "create table r (a varchar(9));\ncreate procedure fill()\nbegin\n  insert into r values (${n});\n  if 1 then insert into r values ('b;'); end if;\nend;\ncall fill();\nupdate r set a = concat(a, '!')",
		}, nil)
		require.NoError(t, err, log)
		require.Equal(t, map[string]string{"rows": "2"}, out.Out)
		_, log, err = attempt(t, source, map[string]any{"sql": "select group_concat(a) g from r"}, nil)
		require.NoError(t, err)
		require.Contains(t, log, `{"g":"it's!,b;!"}`)
	})
	t.Run("keeps the connection when the rest of a result is not read", func(t *testing.T) {
		begin := time.Now()
		_, log, err := attempt(t, source, map[string]any{
			"preStatements": []string{"set @x = 5"}, "sql": "select seq, repeat('x', 100) from seq_1_to_1000000000", "displayRows": 1, "limit": 3,
			"postStatements": []string{"create table kept as select @x as x", "insert into kept values (${n}), (2)"}, "localParams": []any{param("n", "IN", "INTEGER", "1")},
		}, nil)
		require.NoError(t, err, log)
		require.Contains(t, log, "there are more rows; 3 is the limit")
		require.Contains(t, log, "2 rows changed")
		require.Less(t, time.Since(begin), 20*time.Second)
	})
	t.Run("is told to stop what is cancelled", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		begin := time.Now()
		_, log, err := attemptIn(ctx, t, source, map[string]any{"sql": "select sleep(77)"}, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(begin), 4*time.Second)
		require.NotContains(t, log, "could not be told")
		require.Eventually(t, func() bool {
			out, _, err := attempt(t, source, map[string]any{
				"sql": "select count(*) n from information_schema.processlist where info = 'select sleep(77)'", "localParams": []any{param("n", "OUT", "LONG", "")},
			}, nil)
			return err == nil && out.Out["n"] == "0"
		}, 3*time.Second, 50*time.Millisecond)
	})
	t.Run("says what is wrong", func(t *testing.T) {
		_, _, err := attempt(t, source, map[string]any{"sql": "select * from nowhere"}, nil)
		require.ErrorContains(t, err, "nowhere")
		broken := source
		broken.Settings.Password = "wrong-one"
		_, log, err := attempt(t, broken, map[string]any{"sql": "select 1"}, nil)
		require.ErrorContains(t, err, "Access denied")
		require.NotContains(t, log+err.Error(), "wrong-one")
	})
}
