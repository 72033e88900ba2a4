package procedure_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db/dbtest"
	"dorado/plugins/task"
	"dorado/plugins/task/procedure"
	"dorado/plugins/task/statement/statementtest"
	"dorado/plugins/task/tasktest"
)

func TestProcedure(t *testing.T) {
	t.Parallel()
	source := statementtest.Postgres(t, dbtest.PostgresURL(t))
	tasktest.Run(t, tasktest.Suite{
		Plugin: procedure.Plugin(),
		Env:    func(_ *testing.T, env *task.Env) { env.Sources = map[int64]task.Source{1: source} },
		Cases: []tasktest.Case{
			{
				Name:   "calls a function",
				Params: `{"type":"POSTGRESQL","datasource":1,"method":"{? = call abs(${n})}","localParams":[{"prop":"n","type":"INTEGER","value":"-7"},{"prop":"m","direct":"OUT","type":"INTEGER","value":""}]}`,
				Output: "m = 7 (INTEGER)",
			},
			{Name: "refuses what is no call", Params: `{"type":"POSTGRESQL","datasource":1,"method":"select 1"}`, Fails: true},
			{Name: "misses a procedure", Params: `{"type":"POSTGRESQL","datasource":1,"method":"call no_such_procedure()"}`, Fails: true},
			{Name: "names a parameter without a value", Params: `{"type":"POSTGRESQL","datasource":1,"method":"call abs(${n})"}`, Fails: true},
		},
		Bad:  []string{`{"type":"POSTGRESQL","datasource":1}`, `{"type":"POSTGRESQL","datasource":1,"method":" "}`, `{"type":"K8S","datasource":1,"method":"call p()"}`},
		Slow: `{"type":"POSTGRESQL","datasource":1,"method":"call pg_sleep(300)"}`,
	})
}

func param(prop, direct, kind, value string) map[string]any {
	return map[string]any{"prop": prop, "direct": direct, "type": kind, "value": value}
}

func attempt(t *testing.T, source task.Source, method string, params ...any) (map[string]string, string, error) {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"type": source.Plugin.Type, "datasource": 1, "method": method, "localParams": params})
	require.NoError(t, err)
	values, problems := procedure.Plugin().Decode(raw)
	require.Empty(t, problems)
	var log bytes.Buffer
	out, err := procedure.Plugin().Run(t.Context(), values, task.Env{Log: &log, Sources: map[int64]task.Source{1: source}})
	return out.Out, log.String(), err
}

func script(t *testing.T, source task.Source, statements ...string) {
	t.Helper()
	db, err := source.Plugin.Open(source.Settings)
	require.NoError(t, err)
	defer db.Close()
	for _, s := range statements {
		_, err := db.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
}

func TestPostgreSQLHandsValuesBack(t *testing.T) {
	t.Parallel()
	source := statementtest.Postgres(t, dbtest.PostgresURL(t))
	script(t, source,
		`CREATE PROCEDURE plus(a int, INOUT b bigint, OUT c text) LANGUAGE plpgsql AS $$ BEGIN b := b + a; c := 'it''s ' || a; END $$`,
		`CREATE PROCEDURE quiet(a text) LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$`,
		`CREATE FUNCTION pair(a date, OUT d date, OUT n numeric) LANGUAGE sql AS $$ SELECT a + 1, 12345678901234567890.5 $$`,
		`CREATE FUNCTION "Odd Name"(a boolean) RETURNS boolean LANGUAGE sql AS $$ SELECT NOT a $$`,
		`CREATE FUNCTION nothing() RETURNS void LANGUAGE sql AS $$ SELECT $$`,
	)
	for _, form := range []string{"call plus(${a}, ${b}, ${c})", "{call public.plus('${a}', ${b}, ${c})};", "CALL plus(a => ${a}, b => ${b}, c => ${c})"} {
		out, log, err := attempt(t, source, form, param("a", "IN", "INTEGER", "5"), param("b", "IN", "LONG", "9007199254740993"), param("b", "OUT", "LONG", ""), param("c", "OUT", "VARCHAR", ""))
		require.NoError(t, err, "%s: %s", form, log)
		require.Equal(t, map[string]string{"b": "9007199254740998", "c": "it's 5"}, out, form)
		require.Contains(t, log, "b = 9007199254740998 (LONG)")
	}
	out, log, err := attempt(t, source, "call plus(1, ${b}, ${c})", param("b", "OUT", "LONG", "2"), param("c", "OUT", "VARCHAR", ""))
	require.NoError(t, err, log)
	require.Equal(t, "3", out["b"], "an OUT parameter with a value goes in with it")
	out, log, err = attempt(t, source, "call quiet(${s})", param("s", "IN", "VARCHAR", "x'); drop table t; --"))
	require.NoError(t, err, log)
	require.Empty(t, out)
	out, log, err = attempt(t, source, "{call pair(${a}, ${d}, ${n})}", param("a", "IN", "DATE", "2024-02-28"), param("d", "OUT", "DATE", ""), param("n", "OUT", "DOUBLE", ""))
	require.NoError(t, err, log)
	require.Equal(t, map[string]string{"d": "2024-02-29", "n": "12345678901234567890.5"}, out)
	out, log, err = attempt(t, source, `{${r} = call "Odd Name"(${a})}`, param("a", "IN", "BOOLEAN", "false"), param("r", "OUT", "BOOLEAN", ""))
	require.NoError(t, err, log)
	require.Equal(t, map[string]string{"r": "true"}, out)
	out, log, err = attempt(t, source, "call nothing()")
	require.NoError(t, err, log)
	require.Empty(t, out)
	_, _, err = attempt(t, source, `{${r} = call abs(${r})}`, param("r", "IN", "INTEGER", "5"))
	require.ErrorContains(t, err, "has to be OUT")
}

func TestMariaDBHandsValuesBack(t *testing.T) {
	t.Parallel()
	source := statementtest.MariaDB(t)
	script(t, source,
		"CREATE PROCEDURE plus(a int, INOUT b bigint, OUT c varchar(20), OUT d date) BEGIN SET b = b + a; SET c = concat('it''s ', a); SELECT 'noise'; SET d = '2024-02-29'; END",
		"CREATE FUNCTION twice(a bigint) RETURNS bigint DETERMINISTIC RETURN a * 2",
		"CREATE PROCEDURE none(OUT a int, OUT f boolean) SET f = true",
	)
	out, log, err := attempt(t, source, "call plus(${a}, ${b}, '${c}', ${d})", param("a", "IN", "INTEGER", "5"), param("b", "IN", "LONG", "9007199254740993"),
		param("b", "OUT", "LONG", ""), param("c", "OUT", "VARCHAR", ""), param("d", "OUT", "DATE", ""))
	require.NoError(t, err, log)
	require.Equal(t, map[string]string{"b": "9007199254740998", "c": "it's 5", "d": "2024-02-29"}, out)
	out, log, err = attempt(t, source, "{? = call twice(${a})}", param("a", "IN", "LONG", "4503599627370497"), param("r", "OUT", "LONG", ""))
	require.NoError(t, err, log)
	require.Equal(t, map[string]string{"r": "9007199254740994"}, out)
	out, log, err = attempt(t, source, "call none(${a}, ${f})", param("a", "OUT", "INTEGER", ""), param("f", "OUT", "BOOLEAN", ""))
	require.NoError(t, err, log)
	require.Equal(t, map[string]string{"a": "", "f": "true"}, out)
	_, _, err = attempt(t, source, "call none(${a})", param("a", "OUT", "INTEGER", ""))
	require.ErrorContains(t, err, "Incorrect number of arguments")
}
