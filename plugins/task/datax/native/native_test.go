package native_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db/dbtest"
	"dorado/plugins/task"
	"dorado/plugins/task/datax/native"
	"dorado/plugins/task/statement/statementtest"
)

// side is a database of a test: what a job says of it, and a pool to look at it.
type side struct {
	*sql.DB
	plugin string // mysql, postgresql
	source task.Source
}

func postgres(t *testing.T) side {
	return connect(t, "postgresql", statementtest.Postgres(t, dbtest.PostgresURL(t)))
}

func connect(t *testing.T, plugin string, source task.Source) side {
	t.Helper()
	db, err := source.Plugin.Open(source.Settings)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return side{db, plugin, source}
}

func (s side) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, one := range statements {
		_, err := s.ExecContext(t.Context(), one)
		require.NoError(t, err, one)
	}
}

func (s side) text(t *testing.T, query string) string {
	t.Helper()
	var out sql.NullString
	require.NoError(t, s.QueryRowContext(t.Context(), query).Scan(&out), query)
	if !out.Valid {
		return "NULL"
	}
	return out.String
}

type object = map[string]any

func (s side) reader(connection, more object) object {
	connection["jdbcUrl"] = []string{s.source.Plugin.URL(s.source.Settings)}
	return s.end("reader", connection, more)
}

func (s side) writer(table string, more object) object {
	return s.end("writer", object{"table": []string{table}, "jdbcUrl": s.source.Plugin.URL(s.source.Settings)}, more)
}

func (s side) end(kind string, connection, more object) object {
	p := object{"username": s.source.Settings.User, "password": s.source.Settings.Password.Reveal(), "connection": []any{connection}, "column": []string{"*"}}
	maps.Copy(p, more)
	return object{"name": s.plugin + kind, "parameter": p}
}

func job(t *testing.T, reader, writer, setting object) *native.Job {
	t.Helper()
	raw, err := json.Marshal(object{"job": object{"content": []any{object{"reader": reader, "writer": writer}}, "setting": setting}})
	require.NoError(t, err)
	j, err := native.Parse(raw)
	require.NoError(t, err)
	return j
}

func run(ctx context.Context, t *testing.T, j *native.Job) (native.Total, string, error) {
	t.Helper()
	var log bytes.Buffer
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	total, err := native.Run(ctx, j, native.Options{Out: &log, Zone: shanghai})
	return total, log.String(), err
}

func strict() object { return object{"errorLimit": object{"record": 0}} }

// many is a table of n rows, with values of the usual types and some NULLs.
func (s side) many(t *testing.T, table string, n int) {
	t.Helper()
	if s.plugin == "mysql" {
		s.exec(t, "CREATE TABLE "+table+" (id bigint PRIMARY KEY, name varchar(100), amount decimal(20,4), made datetime(6), big double) CHARACTER SET utf8mb4",
			fmt.Sprintf("INSERT INTO %s SELECT seq, IF(seq %% 7 = 0, NULL, concat('客户 ', seq, '\\t\\n''\\\\')), seq * 1.0001, '2024-01-01' + INTERVAL seq SECOND + INTERVAL 250000 MICROSECOND, seq / 3 FROM seq_1_to_%d", table, n))
		return
	}
	s.exec(t, "CREATE TABLE "+table+" (id bigint PRIMARY KEY, name varchar(100), amount numeric(20,4), made timestamp(6), big double precision)",
		fmt.Sprintf(`INSERT INTO %s SELECT n, CASE WHEN n %% 7 <> 0 THEN concat('客户 ', n, E'\t\n''\\') END, n * 1.0001, timestamp '2024-01-01 00:00:00.25' + n * interval '1 second', n / 3.0::float8 FROM generate_series(1, %d) n`, table, n))
}

// sum is a figure of all that many wrote, the same on every database.
func (s side) sum(t *testing.T, table string) string {
	t.Helper()
	if s.plugin == "mysql" {
		return s.text(t, "SELECT concat_ws(' ', count(*), count(name), sum(char_length(name)), sum(amount), min(made), max(made), md5(group_concat(name ORDER BY id SEPARATOR '')), sum(big = id / 3e0)) FROM (SELECT * FROM "+table+" WHERE id % 97 = 0 OR id < 50 LIMIT 100000) x")
	}
	return s.text(t, "SELECT concat_ws(' ', count(*), count(name), sum(char_length(name)), sum(amount), to_char(min(made), 'YYYY-MM-DD HH24:MI:SS.US'), to_char(max(made), 'YYYY-MM-DD HH24:MI:SS.US'), md5(string_agg(name, '' ORDER BY id)), sum((big = id / 3.0::float8)::int)) FROM (SELECT * FROM "+table+" WHERE id % 97 = 0 OR id < 50) x")
}

func TestRowsOfPostgreSQLAndMariaDBGoBothWays(t *testing.T) {
	t.Parallel()
	n := 200_000
	if testing.Short() {
		n = 20_000
	}
	pg, maria := postgres(t), connect(t, "mysql", statementtest.MariaDB(t))
	pg.many(t, "src", n)
	empty := func(s side, table string) {
		s.many(t, table, 1)
		s.exec(t, "DELETE FROM "+table)
	}
	empty(maria, "there")
	empty(pg, "back")
	settings := object{"errorLimit": object{"record": 0}, "speed": object{"channel": 3}}
	begin := time.Now()
	total, log, err := run(t.Context(), t, job(t, pg.reader(object{"table": "src"}, object{"splitPk": "id"}), maria.writer("there", nil), settings))
	require.NoError(t, err, log)
	require.Equal(t, int64(n), total.Written)
	require.Contains(t, log, "3 at once")
	t.Logf("PostgreSQL to MariaDB: %s", time.Since(begin))
	require.Equal(t, pg.sum(t, "src"), maria.sum(t, "there"))
	begin = time.Now()
	total, log, err = run(t.Context(), t, job(t, maria.reader(object{"querySql": []string{"select * from there;"}}, nil), pg.writer("back", nil), settings))
	require.NoError(t, err, log)
	require.Equal(t, int64(n), total.Written)
	t.Logf("MariaDB to PostgreSQL: %s", time.Since(begin))
	require.Equal(t, pg.sum(t, "src"), pg.sum(t, "back"))
	require.Equal(t, "0", pg.text(t, "SELECT count(*) FROM (SELECT * FROM src EXCEPT SELECT * FROM back) x"))
	require.NotContains(t, log, "hunter2")
}

func TestValuesSurviveTheWayThere(t *testing.T) {
	t.Parallel()
	pg, maria := postgres(t), connect(t, "mysql", statementtest.MariaDB(t))
	pg.exec(t, `CREATE TABLE v (id int, n numeric, f float8, b bool, raw bytea, d date, t time, ts timestamp, tz timestamptz, j jsonb, a int[], u uuid, s text)`,
		`INSERT INTO v VALUES (1, 123456789012345678901234567890.123456789, 0.1, true, '\x00ff27', '2024-02-29', '08:05:06.5', '2024-02-01 08:05:06.123456', '2024-02-01 00:00:00+00', '{"a": 1}', '{1,NULL}', '12345678-1234-1234-1234-123456789abc', E'a\\b''"中\t')`,
		`INSERT INTO v (id) VALUES (2)`)
	maria.exec(t, `CREATE TABLE v (id int, n decimal(60,20), f double, b tinyint(1), raw varbinary(10), d date, t time(6), ts datetime(6), tz timestamp(6) null, j json, a text, u char(36), s text) CHARACTER SET utf8mb4`)
	_, log, err := run(t.Context(), t, job(t, pg.reader(object{"table": "v"}, nil), maria.writer("v", nil), strict()))
	require.NoError(t, err, log)
	require.Equal(t, `1|123456789012345678901234567890.12345678900000000000|0.1|1|00FF27|2024-02-29|08:05:06.500000|2024-02-01 08:05:06.123456|1706745600|{"a": 1}|{1,NULL}|12345678-1234-1234-1234-123456789abc|a\b'"中	`,
		maria.text(t, `SELECT concat_ws('|', id, n, f, b, hex(raw), d, t, ts, round(unix_timestamp(tz)), j, a, u, s) FROM v WHERE id = 1`))
	require.Equal(t, "12", maria.text(t, "SELECT (n IS NULL) + (f IS NULL) + (b IS NULL) + (raw IS NULL) + (d IS NULL) + (t IS NULL) + (ts IS NULL) + (tz IS NULL) + (j IS NULL) + (a IS NULL) + (u IS NULL) + (s IS NULL) FROM v WHERE id = 2"))

	pg.exec(t, "CREATE TABLE w AS SELECT * FROM v WHERE false")
	_, log, err = run(t.Context(), t, job(t, maria.reader(object{"table": "v"}, nil), pg.writer("w", object{"preSql": "delete from w"}), strict()))
	require.NoError(t, err, log)
	require.Equal(t, "0", pg.text(t, "SELECT count(*) FROM (SELECT * FROM v EXCEPT SELECT * FROM w) x"))

	// A time without a zone is taken in the zone of the job where the other side has one, and the other way round.
	pg.exec(t, "CREATE TABLE z (a timestamptz, b timestamp, c date, s text)")
	_, log, err = run(t.Context(), t, job(t, maria.reader(object{"querySql": "select ts, tz, tz, tz from v where id = 1"}, nil), pg.writer("z", nil), strict()))
	require.NoError(t, err, log)
	require.Equal(t, "2024-02-01 00:05:06.123456|2024-02-01 08:00:00|2024-02-01|2024-02-01 08:00:00+08:00", pg.text(t, "SELECT concat_ws('|', a at time zone 'UTC', b, c, s) FROM z"))

	maria.exec(t, "CREATE TABLE odd (u bigint unsigned, x bit(10), y year, e enum('a','b'), zero datetime, b blob)", "SET SESSION sql_mode = ''")
	maria.exec(t, "INSERT INTO odd VALUES (18446744073709551615, b'1000000001', 2024, 'b', '2024-01-01', x'ff')")
	pg.exec(t, "CREATE TABLE odd (u numeric, x int, y text, e text, zero date, b bytea)")
	_, log, err = run(t.Context(), t, job(t, maria.reader(object{"table": "odd"}, nil), pg.writer("odd", nil), strict()))
	require.NoError(t, err, log)
	require.Equal(t, `18446744073709551615|513|2024|b|2024-01-01|\xff`, pg.text(t, "SELECT concat_ws('|', u, x, y, e, zero, b) FROM odd"))
	maria.exec(t, "TRUNCATE odd")
	_, log, err = run(t.Context(), t, job(t, pg.reader(object{"table": "odd"}, nil), maria.writer("odd", nil), strict()))
	require.NoError(t, err, log)
	require.Equal(t, `18446744073709551615|513|2024|b|FF`, maria.text(t, "SELECT concat_ws('|', u, x+0, y, e, hex(b)) FROM odd"))
}

func TestDirtyRowsAreCountedAgainstTheLimit(t *testing.T) {
	t.Parallel()
	pg := postgres(t)
	pg.exec(t, "CREATE TABLE src AS SELECT n AS id, CASE WHEN n % 1000 = 0 THEN 'x' || n ELSE n::text END AS v FROM generate_series(1, 10000) n", "CREATE TABLE dst (id int PRIMARY KEY, v int)")
	for name, c := range map[string]struct {
		limit object
		fails string
	}{
		"no limit":        {nil, ""},
		"at the limit":    {object{"record": 10, "percentage": 0}, ""},
		"above the limit": {object{"record": 9}, "10 dirty rows, and the job allows 9"},
		"share":           {object{"percentage": 0.001}, ""},
		"too high share":  {object{"percentage": "0.0009"}, "10 of 10000 rows are dirty"},
	} {
		t.Run(name, func(t *testing.T) {
			total, log, err := run(t.Context(), t, job(t, pg.reader(object{"table": "src"}, nil), pg.writer("dst", object{"preSql": []string{"truncate dst"}, "postSql": "update dst set v = -v"}), object{"errorLimit": c.limit}))
			if c.fails != "" {
				require.ErrorContains(t, err, c.fails)
				require.NotEqual(t, "10", pg.text(t, "SELECT count(*) FROM dst WHERE v < 0"), "the statements after are for success")
				return
			}
			require.NoError(t, err, log)
			require.Equal(t, int64(9990), total.Written)
			require.Equal(t, int64(10), total.Dirty)
			require.Equal(t, "9990", pg.text(t, "SELECT count(*) FROM dst WHERE v < 0"))
			require.Contains(t, log, `dirty row 1: column "v" (INT4): it is no number`)
			require.Contains(t, log, "dirty rows     10\n")
		})
	}
	// What only the server knows is found by halving batches.
	pg.exec(t, "CREATE TABLE twice AS SELECT n AS id, n AS v FROM generate_series(1, 5000) n UNION ALL SELECT n, n FROM generate_series(100, 103) n", "TRUNCATE dst")
	total, log, err := run(t.Context(), t, job(t, pg.reader(object{"table": "twice"}, nil), pg.writer("dst", nil), object{"errorLimit": object{"record": 4}}))
	require.NoError(t, err, log)
	require.Equal(t, int64(5000), total.Written)
	require.Equal(t, int64(4), total.Dirty)
	require.Contains(t, log, "duplicate key")
}

func TestRowsThatAreThereAreReplaced(t *testing.T) {
	t.Parallel()
	pg, maria := postgres(t), connect(t, "mysql", statementtest.MariaDB(t))
	for _, s := range []side{pg, maria} {
		s.exec(t, "CREATE TABLE src (id int PRIMARY KEY, v varchar(9))", "INSERT INTO src VALUES (1, 'new'), (2, 'new')", "CREATE TABLE dst (id int PRIMARY KEY, v varchar(9), kept varchar(9))")
		modes := map[string]string{"update": "yes", "update (id)": "yes", "replace": "yes"}
		if s.plugin == "mysql" {
			modes["replace"] = "NULL"
		}
		for mode, kept := range modes {
			s.exec(t, "DELETE FROM dst", "INSERT INTO dst VALUES (1, 'old', 'yes')")
			_, log, err := run(t.Context(), t, job(t, s.reader(object{"table": "src"}, nil), s.writer("dst", object{"writeMode": mode, "column": []string{"id", "v"}}), strict()))
			require.NoError(t, err, log)
			require.Equal(t, kept, s.text(t, "SELECT kept FROM dst WHERE v = 'new' AND id = 1"), s.plugin+" "+mode)
			require.Equal(t, "2", s.text(t, "SELECT count(*) FROM dst WHERE v = 'new'"))
		}
	}
	pg.exec(t, "CREATE TABLE loose (id int, v text)")
	_, _, err := run(t.Context(), t, job(t, pg.reader(object{"table": "src"}, nil), pg.writer("loose", object{"writeMode": "update"}), strict()))
	require.ErrorContains(t, err, "loose has no primary key")
}

func TestMistakesAreNamedBeforeAnythingIsDone(t *testing.T) {
	t.Parallel()
	pg := postgres(t)
	pg.exec(t, "CREATE TABLE src AS SELECT 1 AS id, 'x' AS v", "CREATE TABLE dst (id int, v text)", "INSERT INTO dst VALUES (7, 'kept')")
	clear := object{"preSql": "truncate dst"}
	for _, c := range []struct {
		reader, writer object
		want           string
	}{
		{pg.reader(object{"table": "src"}, object{"column": []string{"id", "nope"}}), pg.writer("dst", clear), `"nope" does not exist`},
		{pg.reader(object{"table": "nowhere"}, nil), pg.writer("dst", clear), `"nowhere" does not exist`},
		{pg.reader(object{"table": "src"}, nil), pg.writer("nowhere", nil), `write nowhere of`},
		{pg.reader(object{"table": "src"}, nil), pg.writer("dst", object{"column": []string{"id", "nope"}}), `"nope" does not exist`},
		{pg.reader(object{"table": "src"}, nil), pg.writer("dst", object{"column": []string{"id"}}), "gives 2 columns, and dst takes 1"},
		{pg.reader(object{"table": "src"}, nil), pg.writer("dst", object{"preSql": "drop it"}), "statement 1 before"},
		{pg.reader(object{"table": []string{"src", "src"}}, nil), object{"name": "postgresqlwriter", "parameter": object{
			"username": pg.source.Settings.User, "column": []string{"*"}, "connection": []any{object{"table": []string{"a", "b", "c"}, "jdbcUrl": pg.source.Plugin.URL(pg.source.Settings)}},
		}}, "the writer has 3 tables and the reader 2"},
	} {
		total, log, err := run(t.Context(), t, job(t, c.reader, c.writer, strict()))
		require.ErrorContains(t, err, c.want, log)
		require.Zero(t, total.Written)
		require.Equal(t, "kept", pg.text(t, "SELECT v FROM dst"))
	}
	maria := connect(t, "mysql", statementtest.MariaDB(t))
	broken := maria.writer("dst", nil)
	broken["parameter"].(object)["password"] = "wrong-one"
	_, log, err := run(t.Context(), t, job(t, pg.reader(object{"table": "src"}, nil), broken, strict()))
	require.ErrorContains(t, err, "Access denied")
	require.NotContains(t, log+err.Error(), "wrong-one")
}

func TestTablesGoWhereTheyBelong(t *testing.T) {
	t.Parallel()
	pg := postgres(t)
	pg.exec(t, "CREATE TABLE a AS SELECT 1 AS id", "CREATE TABLE b AS SELECT 2 AS id", "CREATE TABLE x (id int)", "CREATE TABLE y (id int)", "CREATE VIEW seen AS SELECT * FROM x",
		"CREATE FUNCTION put() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO x VALUES (NEW.id + 100); RETURN NEW; END'", "CREATE TRIGGER into_x INSTEAD OF INSERT ON seen FOR EACH ROW EXECUTE FUNCTION put()")
	url := pg.source.Plugin.URL(pg.source.Settings)
	w := pg.writer("x", object{"connection": []any{object{"table": []string{"x", "y"}, "jdbcUrl": url}}, "postSql": "update @table set id = id * 10"})
	_, log, err := run(t.Context(), t, job(t, pg.reader(object{"table": []string{"a", "b"}}, object{"where": "id > 0"}), w, strict()))
	require.NoError(t, err, log)
	require.Equal(t, "10 20", pg.text(t, "SELECT concat_ws(' ', x.id, y.id) FROM x, y"))
	_, log, err = run(t.Context(), t, job(t, pg.reader(object{"querySql": []string{"select 1", "select 2"}}, nil), pg.writer("seen", nil), strict()))
	require.NoError(t, err, log)
	require.Equal(t, "2", pg.text(t, "SELECT count(*) FROM x WHERE id > 100"), "a view takes no COPY without a trigger, and rows with one")
}

func TestColumnsAreFoundByTheirNames(t *testing.T) {
	t.Parallel()
	pg := postgres(t)
	pg.exec(t, `CREATE TABLE src AS SELECT 'x' AS v, 1 AS "ID"`, "CREATE TABLE dst (id int, other text DEFAULT 'o', v text)")
	var log bytes.Buffer
	_, err := native.Run(t.Context(), job(t, pg.reader(object{"querySql": "select * from src"}, nil), pg.writer("dst", nil), strict()), native.Options{Out: &log, ByName: true})
	require.NoError(t, err, log.String())
	require.Equal(t, "1 o x", pg.text(t, "SELECT concat_ws(' ', id, other, v) FROM dst"))
	_, err = native.Run(t.Context(), job(t, pg.reader(object{"querySql": "select 1 as nope"}, nil), pg.writer("dst", nil), strict()), native.Options{Out: &log, ByName: true})
	require.ErrorContains(t, err, `dst has no column "nope"`)
}

func TestAJobThatIsStoppedLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	pg, maria := postgres(t), connect(t, "mysql", statementtest.MariaDB(t))
	pg.exec(t, "CREATE TABLE dst (id bigint, s text)")
	maria.exec(t, "CREATE TABLE dst (id bigint, s text)")
	for name, j := range map[string]*native.Job{
		"PostgreSQL to MariaDB": job(t, pg.reader(object{"querySql": "select generate_series(1, 2000000000) n, repeat('x', 100)"}, nil), maria.writer("dst", nil), strict()),
		"MariaDB to PostgreSQL": job(t, maria.reader(object{"querySql": "select seq, repeat('x', 100) from seq_1_to_2000000000"}, nil), pg.writer("dst", nil), strict()),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			defer cancel()
			begin := time.Now()
			total, log, err := run(ctx, t, j)
			require.ErrorContains(t, err, "stopped before its end", log)
			require.Less(t, time.Since(begin), 6*time.Second)
			require.Positive(t, total.Written)
			require.Contains(t, log, "rows written")
		})
	}
	require.Eventually(t, func() bool {
		return pg.text(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'") == "0" &&
			maria.text(t, "SELECT count(*) FROM information_schema.processlist WHERE command = 'Query' AND id <> connection_id()") == "0"
	}, 10*time.Second, 50*time.Millisecond)
	require.Equal(t, "0", pg.text(t, "SELECT count(*) % 2048 FROM dst"), "batches are whole")
	require.Equal(t, "0", maria.text(t, "SELECT count(*) % 2048 FROM dst"))
}

func TestACopyIsStoppedAtAnyMoment(t *testing.T) { // the race detector watches its connection
	t.Parallel()
	pg := postgres(t)
	pg.exec(t, "CREATE TABLE dst (id bigint, s text)")
	j := job(t, pg.reader(object{"querySql": "select generate_series(1, 2000000000) n, repeat('x', 100)"}, nil), pg.writer("dst", object{"batchSize": 2}), strict())
	for n := range 60 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(60+n)*time.Millisecond)
		_, log, err := run(ctx, t, j)
		cancel()
		require.Error(t, err, log)
	}
	require.Equal(t, "0", pg.text(t, "SELECT count(*) % 2 FROM dst"), "batches are whole")
	require.NotEqual(t, "0", pg.text(t, "SELECT count(*) FROM dst"))
}

func TestACopyThatWaitsForALockIsStopped(t *testing.T) {
	t.Parallel()
	pg := postgres(t)
	pg.exec(t, "CREATE TABLE dst (id bigint)")
	held, err := pg.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = held.ExecContext(t.Context(), "LOCK TABLE dst IN SHARE MODE")
	require.NoError(t, err)
	const waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'COPY %'"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	j := job(t, pg.reader(object{"querySql": "select 1"}, nil), pg.writer("dst", nil), strict())
	go func() {
		_, err := native.Run(ctx, j, native.Options{Out: io.Discard})
		ended <- err
	}()
	require.Eventually(t, func() bool { return pg.text(t, waiting) == "1" }, 10*time.Second, 10*time.Millisecond)
	cancel()
	select {
	case err := <-ended:
		require.ErrorContains(t, err, "stopped before its end")
	case <-time.After(10 * time.Second):
		require.Fail(t, "the job did not end")
	}
	require.Equal(t, "0", pg.text(t, waiting), "nothing waits in the server")
	require.NoError(t, held.Rollback())
	require.Equal(t, "0", pg.text(t, "SELECT count(*) FROM dst"))
}

func TestALimitedJobIsSlow(t *testing.T) {
	t.Parallel()
	stream := object{"name": "streamreader", "parameter": object{"column": []any{object{"value": "äöü", "type": "string"}, object{"random": "1,5", "type": "long"}}, "sliceRecordCount": 600}}
	sink := object{"name": "streamwriter", "parameter": object{"print": true, "batchSize": 100}}
	begin := time.Now()
	total, log, err := run(t.Context(), t, job(t, stream, sink, object{"speed": object{"record": 1000}}))
	require.NoError(t, err, log)
	require.Equal(t, int64(600), total.Written)
	require.GreaterOrEqual(t, time.Since(begin), 500*time.Millisecond)
	require.Equal(t, 600, strings.Count(log, "äöü\t"))
}
