package datax

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestColumnsAreReadWhereTheStatementTellsThem(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"select a, b from t":                                   "a b",
		"SELECT DISTINCT t.a, s.t.b FROM t":                    "a b",
		"select a as x, b y, count(*) n from t group by 1":     "x y n",
		"select case when a > 1 then 'from' end kind from t":   "kind",
		"select 1 one, 'two' as two, (select x from y) z":      "one two z",
		"select `a b`, \"c\"\"d\", t.\"日报\" from t":            "a b c\"d 日报",
		"select a -- , x\n, b /* , y */ from t":                "a b",
		"select 名称, max(f(a, b)) as 最大 from t":                 "名称 最大",
		"select a from t union select b from u":                "a",
		"select coalesce(a, 'it''s') as 'x' from t":            "x",
		"select cast(a as decimal(1, 2)) as d, t.from_ from t": "d from_",
	} {
		got, ok := columns(sql, false)
		require.True(t, ok, sql)
		require.Equal(t, want, strings.Join(got, " "), sql)
	}
	got, ok := columns("select [a]]b], t.[c] as [d e] from t", true)
	require.True(t, ok)
	require.Equal(t, []string{"a]b", "d e"}, got)
}

func TestWhatIsNotSimpleIsNotGuessed(t *testing.T) {
	t.Parallel()
	for _, sql := range []string{
		"", "select", "select * from t", "select t.* from t", "select a, * from t", "select count(*) from t", "select a + b from t", "select 1",
		"with x as (select 1) select a from x", "select a, from t", "select not a from t", "select top 10 a from t", "select x + interval 1 day from t",
		"select a into b from t", "select null from t", "select current_date from t", "select 'it\\'s' a from t", "select 'a from t", "select (a from t",
		"select a[1] from t", "select a::text t from t", "select count(*) over w from t", "select ${x} from t", "insert into t select a from b",
		"select a # x\n from t", "select /*! a, */ b from t", "select x is null from t", "select a) b from t", "select date '2024-01-01' d from t", "select \xff from t",
	} {
		_, ok := columns(sql, false)
		require.False(t, ok, sql)
	}
}

func FuzzColumns(f *testing.F) {
	f.Add("select a, 'b' c, [d from t", true)
	f.Fuzz(func(_ *testing.T, sql string, brackets bool) { columns(sql, brackets) })
}
