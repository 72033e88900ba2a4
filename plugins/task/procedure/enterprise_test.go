package procedure_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource"
	"dorado/plugins/task"
)

// recorder is a server that notes what it is asked, and answers with rows and OUT values.
type recorder struct {
	text string
	args []any
	back []string // OUT values of Oracle
	rows []*result
}

func (r *recorder) Connect(context.Context) (driver.Conn, error) { return r, nil }
func (r *recorder) Driver() driver.Driver                        { return nil }
func (r *recorder) Prepare(string) (driver.Stmt, error)          { return nil, driver.ErrSkip }
func (r *recorder) Begin() (driver.Tx, error)                    { return nil, driver.ErrSkip }
func (r *recorder) Close() error                                 { return nil }
func (r *recorder) CheckNamedValue(*driver.NamedValue) error     { return nil }
func (r *recorder) note(text string, args []driver.NamedValue) {
	r.text, r.args = text, nil
	for _, a := range args {
		if o, ok := a.Value.(sql.Out); ok {
			if dest, ok := o.Dest.(*sql.NullString); ok && len(r.back) > 0 {
				*dest = sql.NullString{String: r.back[0], Valid: r.back[0] != "null"}
				r.back = r.back[1:]
			}
			r.args = append(r.args, "out")
			continue
		}
		r.args = append(r.args, a.Value)
	}
}

func (r *recorder) ExecContext(_ context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	r.note(text, args)
	return driver.RowsAffected(0), nil
}

func (r *recorder) QueryContext(_ context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	r.note(text, args)
	return &results{r.rows}, nil
}

type result struct {
	columns []string
	values  []driver.Value
}

type results struct{ left []*result }

func (r *results) Columns() []string      { return r.left[0].columns }
func (r *results) Close() error           { return nil }
func (r *results) HasNextResultSet() bool { return len(r.left) > 1 }
func (r *results) NextResultSet() error   { r.left = r.left[1:]; return nil }
func (r *results) Next(to []driver.Value) error {
	if r.left[0].values == nil {
		return io.EOF
	}
	copy(to, r.left[0].values)
	r.left[0].values = nil
	return nil
}

func fake(kind string, r *recorder) task.Source {
	return task.Source{ID: 1, Name: "x", Plugin: datasource.Plugin{Type: kind, Open: func(datasource.Settings) (*sql.DB, error) { return sql.OpenDB(r), nil }}}
}

func all() []any {
	return []any{
		param("d", "IN", "DATE", "2024-02-01"), param("n", "OUT", "LONG", "7"), param("s", "OUT", "VARCHAR", ""), param("b", "OUT", "BOOLEAN", "true"), param("r", "OUT", "INTEGER", ""),
	}
}

func TestSQLServerRunsABatchWithVariables(t *testing.T) {
	t.Parallel()
	r := &recorder{rows: []*result{
		{[]string{"noise"}, []driver.Value{int64(1)}},
		{[]string{"dorado_out_1", "dorado_out_2", "dorado_out_3", "dorado_out_4"}, []driver.Value{int64(3), int64(9007199254740993), nil, true}},
	}}
	out, _, err := attempt(t, fake("SQLSERVER", r), "{? = call dbo.[my proc](${d}, 5, @n = ${n}, ${s}, ${b})}", all()...)
	require.NoError(t, err)
	require.Equal(t, strings.Join([]string{
		"DECLARE @dorado_result int;", "DECLARE @dorado_1 date = CONVERT(date, @p1, 23);", "DECLARE @dorado_3 bigint = @p2;", "DECLARE @dorado_4 nvarchar(max) = NULL;",
		"DECLARE @dorado_5 bit = @p3;", "EXEC @dorado_result = dbo.[my proc] @dorado_1, 5, @n = @dorado_3 OUTPUT, @dorado_4 OUTPUT, @dorado_5 OUTPUT;",
		"SELECT @dorado_result AS dorado_out_1, @dorado_3 AS dorado_out_2, @dorado_4 AS dorado_out_3, @dorado_5 AS dorado_out_4;",
	}, "\n"), r.text)
	require.Equal(t, []any{"2024-02-01", int64(7), true}, r.args)
	require.Equal(t, map[string]string{"r": "3", "n": "9007199254740993", "s": "", "b": "true"}, out)
	r.rows = []*result{{[]string{"noise"}, nil}}
	_, _, err = attempt(t, fake("SQLSERVER", r), "call p(${n})", all()...)
	require.ErrorContains(t, err, "p returned no values")
	_, _, err = attempt(t, fake("SQLSERVER", r), "call p(${d})", all()...)
	require.NoError(t, err)
	require.Equal(t, "DECLARE @dorado_1 date = CONVERT(date, @p1, 23);\nEXEC p @dorado_1;", r.text)
}

func TestOracleRunsABlock(t *testing.T) {
	t.Parallel()
	r := &recorder{back: []string{"3", "12345678901234567890", "null", "false"}}
	out, _, err := attempt(t, fake("ORACLE", r), "{? = call pkg.f(${d}, 5, n => ${n}, ${s}, ${b})}", all()...)
	require.NoError(t, err)
	require.Equal(t, strings.Join([]string{
		"DECLARE", "  dorado_result NUMBER;", "  dorado_3 NUMBER := :1;", "  dorado_4 VARCHAR2(32767) := NULL;", "  dorado_5 BOOLEAN := (:2 = 1);", "BEGIN",
		"  dorado_result := pkg.f(TO_DATE(:3, 'YYYY-MM-DD'), 5, n => dorado_3, dorado_4, dorado_5);",
		"  :4 := TO_CHAR(dorado_result, 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''');", "  :5 := TO_CHAR(dorado_3, 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''');", "  :6 := dorado_4;",
		"  :7 := CASE WHEN dorado_5 THEN 'true' WHEN NOT dorado_5 THEN 'false' END;", "END;",
	}, "\n"), r.text)
	require.Equal(t, []any{int64(7), int64(1), "2024-02-01", "out", "out", "out", "out"}, r.args)
	require.Equal(t, map[string]string{"r": "3", "n": "12345678901234567890", "s": "", "b": "false"}, out)
	_, _, err = attempt(t, fake("ORACLE", r), "call p(${d})", all()...)
	require.NoError(t, err)
	require.Equal(t, "BEGIN\n  p(TO_DATE(:1, 'YYYY-MM-DD'));\nEND;", r.text)
	_, _, err = attempt(t, fake("ORACLE", r), "{? = call f()}")
	require.ErrorContains(t, err, "needs an OUT parameter")
}

func TestOthersCallWithoutValuesBack(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	_, _, err := attempt(t, fake("TRINO", r), "call system.kill(${d}, 'x')", all()...)
	require.NoError(t, err)
	require.Equal(t, "CALL system.kill(DATE '2024-02-01', 'x')", r.text)
	_, _, err = attempt(t, fake("TRINO", r), "call p(${n})", all()...)
	require.ErrorContains(t, err, "OUT parameters are not supported")
	r.rows = []*result{{[]string{"x"}, []driver.Value{int64(5)}}}
	out, _, err := attempt(t, fake("CLICKHOUSE", r), "{${r} = call f(${d})}", all()...)
	require.NoError(t, err)
	require.Equal(t, "SELECT f('2024-02-01')", r.text)
	require.Equal(t, "5", out["r"])
}

func TestATextThatIsNoCallIsRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"p()", "call", "call ()", "{call p()", "call p(${a}", "call p(1) select 2", "call p; drop table t", "{? = p()}", "}{", "call p(1,)"} {
		_, _, err := attempt(t, fake("MYSQL", &recorder{rows: []*result{{[]string{"x"}, nil}}}), bad)
		require.Error(t, err, bad)
	}
}

func FuzzCall(f *testing.F) {
	for _, s := range []string{"call p(${a}, ${b})", "{? = call f('x', \"y\")}", "exec ${r} = p", "{${r} = call [a b](@x = ${a})}", "call p($$)$$)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.TrimSpace(text) == "" || strings.ContainsRune(text, 0) {
			return
		}
		for _, kind := range []string{"ORACLE", "SQLSERVER", "CLICKHOUSE"} {
			r := &recorder{rows: []*result{{[]string{"x"}, nil}}}
			_, _, err := attempt(t, fake(kind, r), text, param("a", "IN", "VARCHAR", "'); --"), param("b", "OUT", "LONG", ""), param("r", "OUT", "LONG", ""))
			_ = fmt.Sprint(err) // whatever it is, it is no panic
		}
	})
}
