package datasource_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource"
)

func TestHowAStatementBeginsTellsWhetherItHasRows(t *testing.T) {
	t.Parallel()
	for text, rows := range map[string]bool{
		"select 1": true, " SELECT 1": true, "-- why\nselect 1": true, "/* a */ /* b */ (select 1) union select 2": true, "# mysql\nshow tables": true,
		"with a as (select 1) select * from a": true, "explain analyze select 1": true, "desc t": true, "values (1)": true,
		"insert into t values (1)": false, "INSERT INTO t VALUES (1)\nRETURNING id": true, "update t set a = 1": false, "delete from t returning *": true,
		"create table selected (a int)": false, "selectx": false, "": false, "-- only a comment": false, "/* open": false, "drop table t": false,
	} {
		require.Equal(t, rows, datasource.Asks(text), text)
	}
}

func TestTheSemicolonAtTheEndIsTakenAwayExceptFromBlocks(t *testing.T) {
	t.Parallel()
	for text, bare := range map[string]string{
		" select 1 ; \n;": " select 1", "select ';'": "select ';'", "begin null; end;": "begin null; end;", "-- x\nDECLARE a int; begin end;": "-- x\nDECLARE a int; begin end;",
		";": "", "  ": "",
	} {
		require.Equal(t, bare, datasource.Bare(text), text)
	}
}

func TestTheNumberOfACharacterBecomesALineAndAColumn(t *testing.T) {
	t.Parallel()
	text := "select 'ü',\n  nope\nfrom t"
	require.Equal(t, datasource.Spot{1, 1}, datasource.SpotOf(text, 1))
	require.Equal(t, datasource.Spot{1, 9}, datasource.SpotOf(text, 9), "characters, not bytes")
	require.Equal(t, datasource.Spot{2, 3}, datasource.SpotOf(text, 15))
	require.Equal(t, datasource.Spot{}, datasource.SpotOf(text, 0))
}
