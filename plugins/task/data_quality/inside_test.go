package dataquality

import (
	"bytes"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource"
	"dorado/plugins/datasource/builtin"
	"dorado/plugins/task"
)

func TestEachDialectHasItsWords(t *testing.T) {
	t.Parallel()
	types := map[string]datasource.Plugin{}
	for _, p := range builtin.Types() {
		types[p.Type] = p
	}
	require.Len(t, sourceTypes(), len(dialects()))
	p := params{
		source: place{1, "lake/raw", "orders", "id > 1"}, column: "na me", compare: ">", length: 3, pattern: `it's \d`, begin: "2024-01-01 00:00:00", deadline: "2024-01-02 00:00:00",
		allowed: []string{"a'b", `c\`},
	}
	var b strings.Builder
	for _, name := range sourceTypes() {
		require.Contains(t, dialects(), name)
		require.NotNil(t, types[name].Open, name)
	}
	for _, name := range []string{"MYSQL", "STARROCKS", "POSTGRESQL", "CLICKHOUSE", "TRINO", "ORACLE", "SQLSERVER"} {
		d, one := dialects()[name], p
		fmt.Fprintf(&b, "%s\n", name)
		for _, rule := range []int{ruleNull, ruleLength, ruleUnique, rulePattern, ruleTimely, ruleEnum, ruleCount} {
			one.rule = rule
			q, err := d.ask(types[name], one, true)
			if err != nil {
				fmt.Fprintf(&b, "  %d: %v\n", rule, err)
				continue
			}
			fmt.Fprintf(&b, "  %d: %s\n", rule, q.count)
			if rule == ruleNull || rule == ruleUnique {
				fmt.Fprintf(&b, "     %s\n", d.first(q.rows, 10))
			}
		}
		one.rule, one.target, one.mapping = ruleAccuracy, place{table: "copies"}, []pair{{"id", "=", "order_id"}}
		q, err := d.ask(types[name], one, false)
		require.NoError(t, err)
		fmt.Fprintf(&b, "  3: %s\n", q.count)
	}
	golden, err := os.ReadFile("testdata/statements.txt")
	if os.Getenv("DORADO_UPDATE") != "" {
		require.NoError(t, os.WriteFile("testdata/statements.txt", []byte(b.String()), 0o644))
		return
	}
	require.NoError(t, err)
	require.Equal(t, string(golden), b.String())
}

func TestNumbersAreReadExactly(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0": "0", " 7 ": "7", "-1.50": "-1.5", "12345678901234567890.125": "12345678901234567890.125", "1e3": "1000", "0.00001": "0", "1e-999999999": "0", "+2": "2",
	} {
		n, err := parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, show(n))
	}
	for _, text := range []string{"", "x", "1e999999999", "NaN", "Inf", "-inf", "1/3", "0x10", "1_000", "1,5", "１", strings.Repeat("1", 500), "1e", "--1"} {
		_, err := parse(text)
		require.ErrorIs(t, err, errNumber, text)
	}
	require.Empty(t, show(nil))
	_, err := measure(4, new(big.Rat), new(big.Rat))
	require.Error(t, err)
	require.False(t, holds(new(big.Rat), 6, new(big.Rat)))
	require.Equal(t, "??", sign(6)+formula(-1))
}

func TestTimeFormatsAreUnderstoodOrRefused(t *testing.T) {
	t.Parallel()
	l, err := timeFormat("")
	require.NoError(t, err)
	require.Equal(t, layout{"2006-01-02 15:04:05", "YYYY-MM-DD HH24:MI:SS", "%Y-%m-%d %H:%i:%s", "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"}, l)
	l, err = timeFormat("dd.MM.yyyy'T'HH:mm:ss.SSS'Z'")
	require.NoError(t, err)
	require.Equal(t, layout{"02.01.2006T15:04:05.000Z", `DD.MM.YYYY"T"HH24:MI:SS.MS"Z"`, "%d.%m.%YT%H:%i:%s.%fZ", "[0-9]{2}[.][0-9]{2}[.][0-9]{4}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z"}, l)
	at, err := l.when("29.02.2024T01:02:03.004Z")
	require.NoError(t, err)
	require.Equal(t, "2024-02-29 01:02:03.004", at)
	for _, text := range []string{"yyyyMMdd", "yyyy/MM/dd", "yyyyMMddHHmmss"} {
		_, err := timeFormat(text)
		require.NoError(t, err, text)
	}
	for _, text := range []string{"x", "yyyy", "yy-MM-dd", "yyyyy-MM-dd", "yyyy-MM-dd hh", "yyyy-MM-dd'", "yyyy-MM-dd''", "yyyy-MM-dd'x", "yyyy-MM-dd SSS", "yyyy-MM-dd%", "yyyy-MM-dd 数", "yyyy-MM-dd MM", "2024-MM-dd", "yyyy-MM-dd'%Y'"} {
		_, err := timeFormat(text)
		require.ErrorIs(t, err, errFormat, text)
	}
}

func TestListsAndColumnsAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"a", "b c", " d ", "'"}, listed(` a ,, b c,' d ',"'",`))
	require.Empty(t, listed(" , "))
	for _, text := range []string{"", "x", "{}", "[]", "[7]", `[{"src_field":"a"}]`, `[{"src_field":"a","target_field":" "}]`, `[{"src_field":"a","operator":"; DROP","target_field":"b"}]`} {
		_, err := mapped(text)
		require.ErrorIs(t, err, errMapping, text)
	}
	d := dialects()["POSTGRESQL"]
	require.Equal(t, `"a"."b""c"`, d.name(`a.b"c`))
	require.Equal(t, "`a``b`", dialects()["MYSQL"].name("a`b"))
	require.Equal(t, "[a]]b]", dialects()["SQLSERVER"].name("a]b"))
}

func TestASampleIsATableWhateverItHolds(t *testing.T) {
	t.Parallel()
	var s sample
	for i := range mostRows + 5 {
		s.add([]string{"id", "long", "when"}, []any{int64(i), strings.Repeat("é", 100), nil})
	}
	require.Len(t, s.rows, mostRows)
	s.rows[0] = []string{"1", "a\nb\t\"c\"", cell(time.Date(2024, 2, 29, 1, 2, 3, 0, time.UTC))}
	var b bytes.Buffer
	s.write(&b)
	lines := strings.Split(b.String(), "\n")
	require.Len(t, lines, loggedRows+4)
	require.Equal(t, "1   a b \"c\""+strings.Repeat(" ", 55)+"2024-02-29 01:02:03", lines[2])
	require.Equal(t, "1   "+strings.Repeat("é", cellWidth-1)+"…  NULL", lines[3])
	require.Equal(t, "(9900 more in error_rows.csv)", lines[102])
	path := filepath.Join(t.TempDir(), rowsFile)
	require.NoError(t, s.save(path))
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(raw), "id,long,when\n1,\"a\nb\t\"\"c\"\"\",2024-02-29 01:02:03\n1,"))
	require.ErrorContains(t, s.save(filepath.Join(path, "x")), "write error_rows.csv")
	require.Equal(t, []string{"1.5", "0.25", "true", "a\uFFFD"}, []string{cell(1.5), cell(float32(0.25)), cell(true), cell([]byte("a\xff"))})
	new(sample).write(&b)
}

func TestRowsThatDifferHaveDifferentDigests(t *testing.T) {
	t.Parallel()
	h := newHasher()
	require.Equal(t, h.of([]any{"a", []byte("b")}), h.of([]any{"a", "b"}))
	require.NotEqual(t, h.of([]any{"a", "bc"}), h.of([]any{"ab", "c"}))
	require.NotEqual(t, h.of([]any{""}), h.of([]any{"", ""}))
}

func TestALogThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	_, err := finish(Result{}, task.Env{Log: closed{}}, task.Outcome{})
	require.ErrorContains(t, err, "write the log")
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, os.ErrClosed }
