package statement_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/statement"
)

func env() task.Env {
	return task.Env{
		Values: map[string]string{
			"n": "5", "long": "9007199254740993", "neg": "-7", "f": "0.1", "d": "2024-02-01", "t": "8:05", "ts": "2024-02-01T08:05:06.5", "yes": "TRUE",
			"s": "O'Neil \\ \"x\" `y` ]", "ids": `[1,"a",null,true,2.50]`, "one": "x,y", "none": "[]", "table": "orders", "untyped": "u", "empty": "", "dollar": "a$$b", "nul": "a\x00b",
		},
		Types: map[string]string{
			"n": "INTEGER", "long": "LONG", "neg": "INTEGER", "f": "DOUBLE", "d": "DATE", "t": "TIME", "ts": "TIMESTAMP", "yes": "BOOLEAN", "s": "VARCHAR", "ids": "LIST", "one": "LIST",
			"none": "LIST", "empty": "INTEGER",
		},
		Dates: func(text string) (string, error) {
			if strings.Contains(text, "$[bad]") {
				return "", errors.New("no such format")
			}
			return strings.ReplaceAll(text, "$[yyyyMMdd]", "20240131"), nil
		},
	}
}

func binder(name string, local ...form.Param) statement.Binder {
	return statement.NewBinder(dialect(name), env(), local)
}

func values(s statement.Statement) []any {
	var out []any
	for _, b := range s.Binds {
		out = append(out, b.Value)
	}
	return out
}

func TestParametersAreBoundAsTheirDialectAsks(t *testing.T) {
	t.Parallel()
	const text = "select '${s}', ${n}, \"${d}\" where a in (${ids})"
	for name, want := range map[string]string{
		"POSTGRESQL": "select $1, $2::int, $3::date where a in ($4::bigint, $5, $6, $7::boolean, $8::numeric)",
		"MYSQL":      "select ?, ?, ? where a in (?, ?, ?, ?, ?)",
		"ORACLE":     "select :1, :2, TO_DATE(:3, 'YYYY-MM-DD') where a in (:4, :5, :6, :7, TO_NUMBER(:8))",
		"SQLSERVER":  "select @p1, @p2, CONVERT(date, @p3, 23) where a in (@p4, @p5, @p6, @p7, CONVERT(decimal(38, 10), @p8))",
		"DB2":        "select ?, ?, ? where a in (?, ?, ?, ?, ?)",
	} {
		got, err := binder(name).Bind(text)
		require.NoError(t, err)
		require.Equal(t, want, got.Text, name)
		require.Equal(t, []any{"O'Neil \\ \"x\" `y` ]", int64(5), "2024-02-01", int64(1), "a", nil, true, "2.50"}, values(got), name)
	}
}

func TestWhereNothingCanBeBoundLiteralsAreWritten(t *testing.T) {
	t.Parallel()
	const text = "select '${s}', ${neg}, ${d}, ${ts}, ${yes} where a in (${ids})"
	for name, want := range map[string]string{
		"DORIS":      "select 'O''Neil \\\\ \"x\" `y` ]', (-7), '2024-02-01', '2024-02-01 08:05:06.5', TRUE where a in (1, 'a', NULL, TRUE, 2.50)",
		"CLICKHOUSE": "select 'O''Neil \\\\ \"x\" `y` ]', (-7), '2024-02-01', '2024-02-01 08:05:06.5', TRUE where a in (1, 'a', NULL, TRUE, 2.50)",
		"HIVE":       "select 'O\\'Neil \\\\ \"x\" `y` ]', (-7), DATE '2024-02-01', TIMESTAMP '2024-02-01 08:05:06.5', TRUE where a in (1, 'a', NULL, TRUE, 2.50)",
		"TRINO":      "select 'O''Neil \\ \"x\" `y` ]', (-7), DATE '2024-02-01', TIMESTAMP '2024-02-01 08:05:06.5', TRUE where a in (1, 'a', NULL, TRUE, 2.50)",
	} {
		got, err := binder(name).Bind(text)
		require.NoError(t, err)
		require.Equal(t, want, got.Text, name)
		require.Empty(t, got.Binds)
	}
	for name, want := range map[string]string{ // statements that take no binds
		"POSTGRESQL": "create view v as select E'O''Neil \\\\ \"x\" `y` ]', DATE '2024-02-01', TRUE",
		"MYSQL":      "create view v as select 'O''Neil \\\\ \"x\" `y` ]', '2024-02-01', TRUE",
		"ORACLE":     "create view v as select 'O''Neil \\ \"x\" `y` ]', TO_DATE('2024-02-01', 'YYYY-MM-DD'), 1",
		"SQLSERVER":  "create view v as select 'O''Neil \\ \"x\" `y` ]', CONVERT(date, '2024-02-01', 23), 1",
	} {
		got, err := binder(name).Bind("create view v as select ${s}, ${d}, ${yes}")
		require.NoError(t, err)
		require.Equal(t, want, got.Text, name)
	}
}

func TestParametersWithinLongerTextsAreEscaped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"POSTGRESQL", "select 'a ${s} b'", "select 'a O''Neil \\ \"x\" `y` ] b'"},
		{"POSTGRESQL", "select E'a ${s} b'", "select E'a O''Neil \\\\ \"x\" `y` ] b'"},
		{"POSTGRESQL", "select U&'${s}'", "select U&'O''Neil \\\\ \"x\" `y` ]'"},
		{"POSTGRESQL", "select \"a ${s}\"", "select \"a O'Neil \\ \"\"x\"\" `y` ]\""},
		{"POSTGRESQL", "select date '${d}', interval '${n} days'", "select date '2024-02-01', interval '5 days'"},
		{"POSTGRESQL", "select t.date = '${d}'", "select t.date = $1::date"},
		{"POSTGRESQL", "select $$a ${untyped} b$$", "select $$a u b$$"},
		{"POSTGRESQL", "do $$ begin perform ${s}, '${n}', 'x ${untyped}' -- ${s}\n; end $$", "do $$ begin perform E'O''Neil \\\\ \"x\" `y` ]', 5, 'x u' -- ${s}\n; end $$"},
		{"MYSQL", "select 'a ${s} b', `${s}`", "select 'a O''Neil \\\\ \"x\" `y` ] b', `O'Neil \\ \"x\" ``y`` ]`"},
		{"MYSQL", "select \"a ${s} b\"", "select \"a O'Neil \\\\ \"\"x\"\" `y` ] b\""},
		{"MYSQL", "select '%${n}%', ${one}", "select '%5%', ?"},
		{"MYSQL", "select * from t where a in (${none})", "select * from t where a in (?)"},
		{"SQLSERVER", "select [a ${s}], N'${s}'", "select [a O'Neil \\ \"x\" `y` ]]], N'O''Neil \\ \"x\" `y` ]'"},
		{"ORACLE", "select q'[a ${untyped}]' from dual", "select q'[a u]' from dual"},
		{"HIVE", "select 'a ${s}'", "select 'a O\\'Neil \\\\ \"x\" `y` ]'"},
		// Parameters in comments are text, and nothing grows together with what stands beside it.
		{"MYSQL", "select 1 -- ${missing}\n, 2 /* ${missing} */ # ${missing}", "select 1 -- ${missing}\n, 2 /* ${missing} */ # ${missing}"},
		{"POSTGRESQL", "select a${n}5, ${n}${n}", "select a $1::int 5, $2::int $3::int"},
		{"TRINO", "select 1-${neg}", "select 1-(-7)"},
		{"MYSQL", "select ${ n }, ${never", "select ?, ${never"},
	} {
		got, err := binder(c.name).Bind(c.text)
		require.NoError(t, err, c.text)
		require.Equal(t, c.want, got.Text, "%s: %s", c.name, c.text)
	}
}

func TestWhatCannotBeBoundIsNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"select ${missing}":                  `parameter "missing" has no value`,
		"select 'a ${missing} b'":            `parameter "missing" has no value`,
		"select ${}":                         `parameter "" has no value`,
		"select ${empty}":                    `parameter "empty": the value is empty, but the type is INTEGER`,
		"select ${n2}":                       `parameter "n2": "4000000000" is not of type INTEGER`,
		"select 'a ${nul}'":                  `parameter "nul": it holds a character NUL`,
		"select $$a ${dollar}$$":             `parameter "dollar": it cannot stand within $$…$$`,
		"do $$ begin perform ${dollar}; end": `a parameter holds $$`,
		"select 'a ${untyped}":               `parameter "untyped": the string around it does not end`,
	} {
		e := env()
		e.Values["n2"], e.Types["n2"] = "4000000000", "INTEGER"
		_, err := statement.NewBinder(dialect("POSTGRESQL"), e, nil).Bind(text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestTypesAreReadStrictly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, text string
		want       any
	}{
		{"INTEGER", " 7 ", int64(7)},
		{"LONG", "9223372036854775807", int64(9223372036854775807)},
		{"DOUBLE", "1e3", 1000.0},
		{"FLOAT", "0.1", 0.1},
		{"BOOLEAN", "False", false},
		{"BOOLEAN", "1", true},
		{"DATE", "20240201", "2024-02-01"},
		{"DATE", "2024-2-1", "2024-02-01"},
		{"TIME", "08:05:06.25", "08:05:06.25"},
		{"TIMESTAMP", "2024-02-01 08:05:06", "2024-02-01 08:05:06"},
		{"TIMESTAMP", "20240201080506", "2024-02-01 08:05:06"},
		{"TIMESTAMP", "2024-02-01", "2024-02-01 00:00:00"},
		{"VARCHAR", " a ", " a "},
		{"", "a", "a"},
		{"FILE", "a", "a"},
	} {
		got, err := statement.Parse("p", c.kind, c.text)
		require.NoError(t, err, c.text)
		require.Equal(t, c.want, got[0].Value, "%s %s", c.kind, c.text)
	}
	for kind, texts := range map[string][]string{
		"INTEGER": {"x", "1.5", "2147483648", ""}, "LONG": {"9223372036854775808"}, "DOUBLE": {"NaN", "Inf", "x", ""}, "BOOLEAN": {"maybe", ""},
		"DATE": {"2024-02-30", "x", "", "99999-01-01"}, "TIME": {"25:00:00", ""}, "TIMESTAMP": {"now", ""}, "LIST": {`[{"a":1}]`, `[[1]]`},
	} {
		for _, text := range texts {
			_, err := statement.Parse("p", kind, text)
			require.ErrorContains(t, err, `parameter "p"`, "%s %q", kind, text)
		}
	}
}

func TestTimesAndRawParametersComeFirst(t *testing.T) {
	t.Parallel()
	b := binder("MYSQL", form.Param{Prop: "mine", Direct: "IN", Type: "LONG", Value: "3"}, form.Param{Prop: "back", Direct: "OUT", Type: "LONG", Value: "4"})
	got, err := b.Prepare("\ufeffselect '$[yyyyMMdd]' from !{table} -- !{missing} $[bad]\nwhere a = ${mine} and '$.x' = '!{untyped'")
	require.NoError(t, err)
	require.Equal(t, "select '20240131' from orders -- !{missing} $[bad]\nwhere a = ${mine} and '$.x' = '!{untyped'", got)
	_, err = b.Prepare("select !{missing}")
	require.ErrorContains(t, err, `parameter "missing" has no value`)
	_, err = b.Prepare("select $[bad]")
	require.ErrorContains(t, err, "no such format")
	st, err := b.Bind("select ${mine}")
	require.NoError(t, err)
	require.Equal(t, []any{int64(3)}, values(st), "typed by the declaration")
	_, err = b.Bind("select ${back}")
	require.ErrorContains(t, err, "has no value", "OUT parameters have none")
}

func TestManyValuesBecomeLiterals(t *testing.T) {
	t.Parallel()
	e := env()
	e.Values["many"] = "[" + strings.Repeat("1,", 3000) + "1]"
	e.Types["many"] = "LIST"
	got, err := statement.NewBinder(dialect("SQLSERVER"), e, nil).Bind("select 1 where 1 in (${many})")
	require.NoError(t, err)
	require.Empty(t, got.Binds)
	require.Contains(t, got.Text, "1, 1, 1")
}

func TestArgumentsOfACallAreCut(t *testing.T) {
	t.Parallel()
	head, args, err := dialect("POSTGRESQL").Arguments(`s."my(p"(${a}, f(1, 2), 'x,)', "q,r", ${b,c}) ; `)
	require.NoError(t, err)
	require.Equal(t, `s."my(p"`, head)
	require.Equal(t, []string{"${a}", "f(1, 2)", "'x,)'", `"q,r"`, "${b,c}"}, args)
	for _, none := range []string{"p", "p()", " p ( ) "} {
		head, args, err = dialect("POSTGRESQL").Arguments(none)
		require.NoError(t, err)
		require.Equal(t, "p", head)
		require.Empty(t, args)
	}
	for _, bad := range []string{"p(", "p(1", "p)", "p(1) x", "p(1) 'x'", "p(1,)", "p(,1)", "p(1)(2)"} {
		_, _, err = dialect("POSTGRESQL").Arguments(bad)
		require.Error(t, err, bad)
	}
}

// A value never changes the structure of a statement: with a harmless value in its place the same tokens come out.
func FuzzBind(f *testing.F) {
	for i, text := range []string{"select ${v}", "'${v}'", "'a ${v} b'", "\"${v} x\"", "create `${v}`", "do $$ ${v} 'x ${v}' $$", "q'[${v}]'", "[a${v}]", "E'${v}x'", "-- ${v}\n'${v}'", "DATE '${v}'", "U&'${v}'"} {
		f.Add(text, "O'Neil \\' -- $$ ]' } `\"", uint8(i))
		f.Add(text, "\\", uint8(i+1))
	}
	types := statement.Types()
	f.Fuzz(func(t *testing.T, text, value string, which uint8) {
		d := dialect(types[int(which)%len(types)])
		bind := func(v string) (string, error) {
			st, err := statement.NewBinder(d, task.Env{Values: map[string]string{"v": v}}, nil).Bind(text)
			return st.Text, err
		}
		got, err := bind(value)
		if err != nil {
			return
		}
		harmless := "x" // which asks for the same prefix, E or N
		if strings.Contains(value, `\`) {
			harmless += `\`
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r >= 0x80 }) {
			harmless += "é"
		}
		plain, err := bind(harmless)
		if err != nil {
			return
		}
		require.Equal(t, statement.Shape(d, plain), statement.Shape(d, got), "%s: %q with %q", d.Family, text, value)
	})
}
