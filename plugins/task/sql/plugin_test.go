package sql_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db/dbtest"
	"dorado/plugins/task"
	"dorado/plugins/task/sql"
	"dorado/plugins/task/statement/statementtest"
	"dorado/plugins/task/tasktest"
)

func TestSQL(t *testing.T) {
	t.Parallel()
	source := statementtest.Postgres(t, dbtest.PostgresURL(t))
	params := func(text, more string) string {
		raw, err := json.Marshal(text)
		require.NoError(t, err)
		return `{"type":"POSTGRESQL","datasource":1,"sql":` + string(raw) + more + `}`
	}
	tasktest.Run(t, tasktest.Suite{
		Plugin: sql.Plugin(),
		Env: func(_ *testing.T, env *task.Env) {
			env.Sources = map[int64]task.Source{1: source}
			env.Values = map[string]string{"n": "7"}
		},
		Cases: []tasktest.Case{
			{Name: "asks", Params: params("select ${n}::int as n, 'x' as x", ""), Output: `row 1 : {"n":7,"x":"x"}`},
			{Name: "asks the first statement only", Params: params("select 1; select 1/0", ""), Output: "only the first of 2 statements"},
			{Name: "changes", Params: params("create temp table t (a int); insert into t values (1), (2)", `,"sqlType":1`), Output: "2 rows changed"},
			{Name: "fails with the server's words", Params: params("select 1/0", ""), Fails: true},
			{Name: "misses a data source", Params: `{"type":"POSTGRESQL","datasource":9,"sql":"select 1"}`, Fails: true},
			{Name: "needs a statement", Params: params("-- nothing", ""), Fails: true},
			{Name: "names a parameter without a value", Params: params("select ${m}", ""), Fails: true},
		},
		Bad: []string{
			`{"type":"POSTGRESQL","datasource":1}`, `{"type":"POSTGRESQL","datasource":0,"sql":"select 1"}`, `{"type":"SSH","datasource":1,"sql":"select 1"}`,
			`{"type":"MYSQL","datasource":1,"sql":" "}`, `{"type":"MYSQL","datasource":1,"sql":"select 1","sqlType":"2"}`, `{"type":"MYSQL","datasource":"x","sql":"select 1"}`,
		},
		Slow: params("select pg_sleep(300)", ""),
	})
}

// attempt runs a task once.
func attempt(t *testing.T, source task.Source, settings map[string]any, edit func(*task.Env)) (task.Outcome, string, error) {
	t.Helper()
	return attemptIn(t.Context(), t, source, settings, edit)
}

func attemptIn(ctx context.Context, t *testing.T, source task.Source, settings map[string]any, edit func(*task.Env)) (task.Outcome, string, error) {
	t.Helper()
	settings["type"], settings["datasource"] = source.Plugin.Type, 1
	raw, err := json.Marshal(settings)
	require.NoError(t, err)
	values, problems := sql.Plugin().Decode(raw)
	require.Empty(t, problems)
	var log bytes.Buffer
	env := task.Env{TaskName: "count", Log: &log, Sources: map[int64]task.Source{1: source}}
	if edit != nil {
		edit(&env)
	}
	out, err := sql.Plugin().Run(ctx, values, env)
	return out, log.String(), err
}

func param(prop, direct, kind, value string) map[string]any {
	return map[string]any{"prop": prop, "direct": direct, "type": kind, "value": value}
}
