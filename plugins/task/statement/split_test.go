package statement_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource"
	"dorado/plugins/task/statement"
)

func dialect(name string) statement.Dialect { return statement.Of(datasource.Plugin{Type: name}) }

func TestStatementsAreCutAtTheirSemicolons(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		types string
		text  string
		want  []string
	}{
		{"POSTGRESQL MYSQL ORACLE SQLSERVER HIVE TRINO CLICKHOUSE DB2", "", nil},
		{"POSTGRESQL MYSQL ORACLE SQLSERVER HIVE TRINO CLICKHOUSE DB2", " ;\n; ;", nil},
		{"POSTGRESQL MYSQL ORACLE SQLSERVER HIVE TRINO CLICKHOUSE DB2", "select 1; select 2 ;\n", []string{"select 1", "select 2"}},
		{"POSTGRESQL MYSQL ORACLE SQLSERVER TRINO CLICKHOUSE DB2", "select 'a;''b;'; select \"c;d\"", []string{"select 'a;''b;'", `select "c;d"`}},
		{"POSTGRESQL MYSQL ORACLE SQLSERVER TRINO DB2", "-- one; two\nselect 1 /* ; */; -- end;", []string{"-- one; two\nselect 1 /* ; */"}},
		{"POSTGRESQL MYSQL", "/* only; a comment */ ; -- another", nil},

		{"MYSQL DORIS STARROCKS OCEANBASE HIVE SPARK CLICKHOUSE", `select 'it\'s; one'; select 2`, []string{`select 'it\'s; one'`, "select 2"}},
		{"POSTGRESQL ORACLE SQLSERVER TRINO", `select 'c:\'; select 2`, []string{`select 'c:\'`, "select 2"}},
		{"POSTGRESQL", `select E'it\'s; one'; select 2`, []string{`select E'it\'s; one'`, "select 2"}},
		{"POSTGRESQL", `select typE'c:\'; select 2`, []string{`select typE'c:\'`, "select 2"}},
		{"MYSQL", "select 1 # one; two\n; select `a;b`", []string{"select 1 # one; two", "select `a;b`"}},
		{"MYSQL", "select 5--3; select 4", []string{"select 5--3", "select 4"}},
		{"POSTGRESQL", "select a #> 'x'; select 4", []string{"select a #> 'x'", "select 4"}},
		{"MYSQL", "/*!40101 SET NAMES utf8; */; select /* ; */ 1", []string{"/*!40101 SET NAMES utf8", "*/", "select /* ; */ 1"}},
		{"HIVE SPARK KYUUBI", "-- c;\nselect /*+ MAPJOIN(a;) */ 1 -- d\n; select 2 /* e\n; */", []string{"select /*+ MAPJOIN(a;) */ 1", "select 2"}},
		{"SQLSERVER AZURESQL", "select [a;b]]c;d] from t; select 2", []string{"select [a;b]]c;d] from t", "select 2"}},
		{"POSTGRESQL SQLSERVER CLICKHOUSE", "select /* a /* b; */ c; */ 1; select 2", []string{"select /* a /* b; */ c; */ 1", "select 2"}},
		{"MYSQL ORACLE", "select /* a /* b; */ 1; select 2", []string{"select /* a /* b; */ 1", "select 2"}},

		{"POSTGRESQL SNOWFLAKE", "select $$a;b$$; select $x$ c; $$ ; $x$", []string{"select $$a;b$$", "select $x$ c; $$ ; $x$"}},
		{"POSTGRESQL", "select $1; select a$b$c; select 2", []string{"select $1", "select a$b$c", "select 2"}},
		{
			"POSTGRESQL", "CREATE FUNCTION f() RETURNS int AS $$ BEGIN; RETURN 1; END $$ LANGUAGE plpgsql; select f()",
			[]string{"CREATE FUNCTION f() RETURNS int AS $$ BEGIN; RETURN 1; END $$ LANGUAGE plpgsql", "select f()"},
		},
		{
			"POSTGRESQL", "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; select 3",
			[]string{"CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END", "select 3"},
		},
		{"POSTGRESQL MYSQL", "BEGIN; update t set a = 1; COMMIT", []string{"BEGIN", "update t set a = 1", "COMMIT"}},
		{
			"MYSQL", "CREATE DEFINER=`root`@`%` PROCEDURE p() BEGIN IF 1 THEN SELECT 1; END IF; WHILE 0 DO SET @a = 1; END WHILE; CASE 1 WHEN 1 THEN SELECT 2; END CASE; BEGIN END; END; CALL p()",
			[]string{"CREATE DEFINER=`root`@`%` PROCEDURE p() BEGIN IF 1 THEN SELECT 1; END IF; WHILE 0 DO SET @a = 1; END WHILE; CASE 1 WHEN 1 THEN SELECT 2; END CASE; BEGIN END; END", "CALL p()"},
		},
		{"MYSQL", "CREATE DEFINER=root@localhost TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1; select 1", []string{"CREATE DEFINER=root@localhost TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1", "select 1"}},
		{"MYSQL", "CREATE TABLE event (begin int); select 1", []string{"CREATE TABLE event (begin int)", "select 1"}},
		{"MYSQL", "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END; SELECT 3", []string{"BEGIN NOT ATOMIC SELECT 1; SELECT 2; END", "SELECT 3"}},

		{"ORACLE", "select q'[it's; one]' from dual; select nq'{;'}' from dual; select q'!;'!' from dual", []string{"select q'[it's; one]' from dual", "select nq'{;'}' from dual", "select q'!;'!' from dual"}},
		{"ORACLE", "BEGIN p; q; END; select 1 from dual", []string{"BEGIN p; q; END;", "select 1 from dual"}},
		{"ORACLE", "DECLARE x int; BEGIN x := 1; END;\n/\nselect 1 from dual\n/\n", []string{"DECLARE x int; BEGIN x := 1; END;", "select 1 from dual"}},
		{"ORACLE", "create or replace package p as procedure a; procedure b; end;\n/\nselect 1 from dual;", []string{"create or replace package p as procedure a; procedure b; end;", "select 1 from dual"}},

		{"SQLSERVER", "select 1; select 2\nGO\nselect 3\n go \n", []string{"select 1; select 2", "select 3"}},
		{"SQLSERVER", "select 'a\nGO\nb'; select 2", []string{"select 'a\nGO\nb'", "select 2"}},
		{"SQLSERVER", "select 0; DECLARE @a int = 1; select @a; select 2", []string{"select 0", "DECLARE @a int = 1; select @a; select 2"}},
		{"SQLSERVER", "BEGIN TRAN; update t set a = 1; COMMIT", []string{"BEGIN TRAN", "update t set a = 1", "COMMIT"}},
		{"SQLSERVER", "BEGIN TRY select 1; END TRY BEGIN CATCH select 2; END CATCH", []string{"BEGIN TRY select 1; END TRY BEGIN CATCH select 2; END CATCH"}},
		{"SQLSERVER", "CREATE OR ALTER PROC p AS select 1; select 2", []string{"CREATE OR ALTER PROC p AS select 1; select 2"}},

		{"POSTGRESQL MYSQL ORACLE", "select 'no end; select 2", []string{"select 'no end; select 2"}},
		{"POSTGRESQL", "select $$ no end; select 2", []string{"select $$ no end; select 2"}},
	} {
		for name := range strings.FieldsSeq(c.types) {
			require.Equal(t, c.want, dialect(name).Split(c.text), "%s: %s", name, c.text)
		}
	}
}

func TestEveryTypeWithAJDBCAddressIsOffered(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{
		"MYSQL", "POSTGRESQL", "HIVE", "SPARK", "CLICKHOUSE", "ORACLE", "SQLSERVER", "AZURESQL", "DB2", "PRESTO", "TRINO", "REDSHIFT", "ATHENA", "STARROCKS",
		"DORIS", "OCEANBASE", "DAMENG", "KYUUBI", "DATABEND", "SNOWFLAKE", "VERTICA", "HANA", "SQLITE",
	}, statement.Types())
}

// What Split returns stands in the text, in order, and only separators and comments are lost.
func FuzzSplit(f *testing.F) {
	for i, text := range []string{
		"select 1; select 'a;b'", "CREATE PROCEDURE p() BEGIN a; END; b", "$$;$$;$a$;$b$;$a$", "q'[;]'", "/*;*/-- ;\n#;\n;", "a\nGO\nb;c\n/\n", "'\\';\"`[;]", "BEGIN END END;", "{${a}}",
	} {
		f.Add(text, uint8(i))
	}
	types := statement.Types()
	f.Fuzz(func(t *testing.T, text string, which uint8) {
		d := dialect(types[int(which)%len(types)])
		rest := text
		for _, s := range d.Split(text) {
			require.NotEmpty(t, strings.TrimSpace(s))
			if d.Family == statement.Hive {
				continue // comments are taken out
			}
			i := strings.Index(rest, s)
			require.GreaterOrEqual(t, i, 0, "%q is not in %q", s, rest)
			rest = rest[i+len(s):]
			if !slices.Contains([]statement.Family{statement.SQLServer, statement.Oracle}, d.Family) && utf8Clean(s) {
				require.Equal(t, []string{s}, d.Split(s), "one statement stays one")
			}
		}
	})
}

// utf8Clean leaves out texts that end in blanks which only Unicode knows.
func utf8Clean(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}
