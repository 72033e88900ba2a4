package sql_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource/builtin"
	"dorado/plugins/datasource/sqlitefile"
	"dorado/plugins/form"
	"dorado/plugins/task"
)

func TestSQLite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "shop.db")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	var source task.Source
	for _, p := range builtin.TypesWith(sqlitefile.Guard{Config: sqlitefile.Config{Folders: []string{dir}}}) {
		if p.Type == "SQLITE" {
			settings, problems := p.Read(form.Flat{"file": file})
			require.Empty(t, problems)
			source = task.Source{ID: 1, Name: "shop", Plugin: p, Settings: settings}
		}
	}
	t.Run("takes every type of parameter", func(t *testing.T) {
		_, log, err := attempt(t, source, map[string]any{
			"sql": "select ${i} + 0 i, ${l} + 0 l, ${f} + 0 f, date(${d}) d, datetime('${ts}') ts, ${b} + 0 b, '${s}' s, '<${s}>' e, 3 in (${ids}) y, [a ${i}] from (select 1 as \"a 5\") -- ${none}",
			"localParams": []any{
				param("i", "IN", "INTEGER", "5"), param("l", "IN", "LONG", "9007199254740993"), param("f", "IN", "DOUBLE", "0.1"), param("d", "IN", "DATE", "2024-02-01"),
				param("ts", "IN", "TIMESTAMP", "2024-02-01 08:05:06"), param("b", "IN", "BOOLEAN", "true"), param("s", "IN", "VARCHAR", `O'Neil\ "x" ? -- 中`), param("ids", "IN", "LIST", `[3,"x"]`),
			},
		}, nil)
		require.NoError(t, err, log)
		require.Contains(t, log, `row 1 : {"i":5,"l":9007199254740993,"f":0.1,"d":"2024-02-01","ts":"2024-02-01 08:05:06","b":1,"s":"O'Neil\\ \"x\" ? -- 中","e":"<O'Neil\\ \"x\" ? -- 中>","y":1,"a 5":1}`)
	})
	t.Run("runs triggers, views and literals where nothing is bound", func(t *testing.T) {
		out, log, err := attempt(t, source, map[string]any{
			"sqlType": 1, "localParams": []any{param("n", "IN", "VARCHAR", "it's"), param("d", "IN", "DATE", "2024-02-01"), param("rows", "OUT", "INTEGER", "")},
			"sql": "create table r (a text); create temp trigger g after insert on r begin update r set a = a || '!'; select 1; end;\n" +
				"insert into r values (${n}), ('b;'); create view v as select ${n} n, ${d} d; replace into r values (${n}); update r set a = a || '?'",
		}, nil)
		require.NoError(t, err, log)
		require.Equal(t, map[string]string{"rows": "3"}, out.Out)
		_, log, err = attempt(t, source, map[string]any{"sql": "select (select group_concat(a) from r) g, n, d from v"}, nil)
		require.NoError(t, err)
		require.Contains(t, log, `"n":"it's","d":"2024-02-01"}`)
	})
	t.Run("is one transaction when the text says so", func(t *testing.T) {
		_, _, err := attempt(t, source, map[string]any{"sqlType": 1, "sql": "create table u (a unique); begin; insert into u values (1); insert into u values (1); commit"}, nil)
		require.ErrorContains(t, err, "UNIQUE")
		_, log, err := attempt(t, source, map[string]any{"sql": "select count(*) n from u"}, nil)
		require.NoError(t, err)
		require.Contains(t, log, `{"n":0}`)
	})
	t.Run("stops what is cancelled", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		begin := time.Now()
		_, log, err := attemptIn(ctx, t, source, map[string]any{"sql": "with recursive c(n) as (select 1 union all select n + 1 from c) select max(n) from c"}, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(begin), 3*time.Second)
		require.NotContains(t, log, "left behind")
	})
	t.Run("reads no further than its limit", func(t *testing.T) {
		_, log, err := attempt(t, source, map[string]any{
			"sql": "with recursive c(n) as (select 1 union all select n + 1 from c) select n from c", "limit": 3, "postStatements": []string{"create table after (a)"},
		}, nil)
		require.NoError(t, err, log)
		require.Contains(t, log, "there are more rows; 3 is the limit")
	})
	t.Run("reaches no other file, whatever a parameter holds", func(t *testing.T) {
		other := filepath.Join(t.TempDir(), "other.db")
		for _, text := range []string{"attach '!{f}' as x", "attach ${f} as x", "vacuum into ${f}", "select load_extension(${f})"} {
			_, _, err := attempt(t, source, map[string]any{"sqlType": 1, "sql": text, "localParams": []any{param("f", "IN", "VARCHAR", other)}}, nil)
			require.Error(t, err, text)
			require.Regexp(t, "not authorized|authorization denied", err.Error())
		}
		require.NoFileExists(t, other)
	})
}
