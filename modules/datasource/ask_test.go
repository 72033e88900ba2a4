package datasource_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/testkit"
	"dorado/modules/access"
	"dorado/modules/datasource"
	"dorado/modules/security/crudtest"
	sources "dorado/plugins/datasource"
)

// bench is a data source that leads to a PostgreSQL database of its own, and who may use it.
type bench struct {
	*crudtest.App
	m      *datasource.Module
	id     int64
	target *db.DB // the database behind it
}

func (b bench) path() string { return fmt.Sprintf("%s/%d/sql", datasource.Path, b.id) }

func (b bench) as(t *testing.T, p access.Principal) context.Context {
	t.Helper()
	return crudtest.As(p)(t.Context())
}

func newBench(t *testing.T, d *db.DB) bench {
	t.Helper()
	raw := dbtest.PostgresURL(t)
	u, err := url.Parse(raw)
	require.NoError(t, err)
	if u.Hostname() == "" {
		t.Skip("PostgreSQL is reached by a socket only")
	}
	a, m := open(t, d)
	m.SetDrawing(&drawn{})
	w := warehouse("dw")
	password, _ := u.User.Password()
	w["host"], w["port"], w["database"], w["userName"], w["password"] = u.Hostname(), u.Port(), strings.TrimPrefix(u.Path, "/"), u.User.Username(), password
	made := crudtest.REST(t, a, a.Admin, m.API)("POST", "/datasources", text(w))["data"].(dict)
	return bench{a, m, int64(made["id"].(float64)), dbtest.Open(t, raw)}
}

// drawn is a place for workflows that remembers the last.
type drawn struct{ params json.RawMessage }

func (d *drawn) Drawable(context.Context) ([]datasource.Project, error) {
	return []datasource.Project{{Code: 7, Name: "retail"}}, nil
}

func (d *drawn) Begin(_ context.Context, project int64, name, kind string, params json.RawMessage) (string, error) {
	d.params = params
	return fmt.Sprintf("/projects/%d/%s/%s", project, kind, name), nil
}

func TestStatementsAreAnsweredWithRowsAndTheirTypes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		ask := func(sql string) datasource.Outcome {
			t.Helper()
			out, err := b.m.Ask(b.as(t, b.Admin), b.id, datasource.Statement{Text: sql})
			require.NoError(t, err)
			require.Empty(t, out.Failure, sql)
			return out
		}
		require.EqualValues(t, -1, ask("SELECT 1").Affected)
		require.EqualValues(t, 0, ask("CREATE TABLE fruit (id int, name text, at timestamptz, day date, raw bytea, price numeric(6,2), ok boolean)").Affected)
		require.EqualValues(t, 2, ask(`INSERT INTO fruit VALUES (1, 'ap
ple', '2026-01-02 03:04:05+00', '2026-01-02', '\xff00', 1.50, true), (2, NULL, NULL, NULL, NULL, NULL, NULL);`).Affected)
		out := ask("-- all\nSELECT * FROM fruit ORDER BY id;")
		require.True(t, out.Query)
		require.Equal(t, []sources.Column{
			{Name: "id", Type: "int4"},
			{Name: "name", Type: "text"},
			{Name: "at", Type: "timestamptz"},
			{Name: "day", Type: "date"},
			{Name: "raw", Type: "bytea"},
			{Name: "price", Type: "numeric"},
			{Name: "ok", Type: "bool"},
		}, out.Columns)
		at, err := time.Parse("2006-01-02 15:04:05Z07:00", out.Rows[0][2].Text)
		require.NoError(t, err)
		require.True(t, at.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
		require.Equal(t, []string{"1", "ap\nple", "2026-01-02", "0xff00", "1.50", "true"}, []string{
			out.Rows[0][0].Text, out.Rows[0][1].Text, out.Rows[0][3].Text, out.Rows[0][4].Text, out.Rows[0][5].Text, out.Rows[0][6].Text,
		})
		for _, v := range out.Rows[1][1:] {
			require.Equal(t, sources.Value{Null: true}, v)
		}
		require.Empty(t, ask("SELECT 1 WHERE false").Rows)
		require.Len(t, ask("DELETE FROM fruit RETURNING id").Rows, 2)

		out, err = b.m.Ask(b.as(t, b.Admin), b.id, datasource.Statement{Text: "\nSELECT 1,\n  nope FROM fruit"})
		require.NoError(t, err)
		require.Contains(t, out.Failure, `column "nope" does not exist`)
		require.Equal(t, sources.Spot{Line: 3, Column: 3}, out.Spot)

		long := "SELECT '" + strings.Repeat("x", 3000) + "'"
		ask(long)
		kept, err := db.Select[string](t.Context(), d, "SELECT detail FROM audit_log WHERE action = 'datasource.run' ORDER BY id")
		require.NoError(t, err)
		require.Len(t, kept, 8, "one entry for each statement, refused ones, too")
		require.Contains(t, kept[3], "FROM fruit ORDER BY id")
		require.Contains(t, kept[7], "…")
		require.Less(t, len(kept[7]), 2100)
	})
}

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.SQLite(t))
	ask := func(sql string, rows int) datasource.Outcome {
		t.Helper()
		out, err := b.m.Ask(b.as(t, b.Admin), b.id, datasource.Statement{Text: sql, Rows: rows})
		require.NoError(t, err)
		require.Empty(t, out.Failure)
		return out
	}
	many := "SELECT n FROM generate_series(1, 20000) n"
	out := ask(many, 0)
	require.Len(t, out.Rows, 200)
	require.Equal(t, sources.ByRows, out.More)
	out = ask(many, 1_000_000)
	require.Len(t, out.Rows, 10_000)
	require.Equal(t, sources.ByRows, out.More)
	require.Equal(t, sources.Whole, ask("SELECT n FROM generate_series(1, 200) n", 0).More, "as many as fit are all")

	out = ask("SELECT repeat('x', 50000) FROM generate_series(1, 1000) n", 10_000)
	require.Equal(t, sources.ByBytes, out.More)
	total := 0
	for _, row := range out.Rows {
		total += len(row[0].Text)
	}
	require.LessOrEqual(t, total, 4<<20)
	require.Greater(t, total, 4<<20-50_001)
	out = ask("SELECT repeat('ü', 1000000)", 0)
	require.True(t, out.Rows[0][0].Cut)
	require.LessOrEqual(t, len(out.Rows[0][0].Text), 64<<10)

	out = ask("SELECT a, b FROM generate_series(1, 30000) a, generate_series(1, 30000) b", 10)
	require.Less(t, out.Took, 20*time.Second, "nobody waits for the other 900 million")
	ask("CREATE TABLE t AS SELECT n FROM generate_series(1, 5000) n", 0)
	require.Len(t, ask("WITH gone AS (DELETE FROM t WHERE n > 2500 RETURNING n) SELECT * FROM gone", 10).Rows, 10)
	require.Len(t, ask("DELETE FROM t RETURNING n", 10).Rows, 10)
	require.Equal(t, "0", ask("SELECT count(*) FROM t", 0).Rows[0][0].Text, "what writes is not stopped by the limit")

	_, err := b.m.Ask(b.as(t, b.Admin), b.id, datasource.Statement{Text: "SELECT '" + strings.Repeat("x", 256<<10) + "'"})
	require.ErrorIs(t, err, datasource.ErrStatement)
	_, err = b.m.Ask(b.as(t, b.Admin), b.id, datasource.Statement{Text: " ; \n"})
	require.ErrorIs(t, err, datasource.ErrNoStatement)
}

// sleeping is how many statements of the test sleep in the database.
func (b bench) sleeping(t *testing.T) int {
	t.Helper()
	n, err := db.Get[int](t.Context(), b.target, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'SELECT pg_sleep%'")
	require.NoError(t, err)
	return n
}

func (b bench) awaitSleeping(t *testing.T, n int) {
	t.Helper()
	testkit.Eventually(t, func() error {
		if now := b.sleeping(t); now != n {
			return fmt.Errorf("%d statements run, not %d", now, n)
		}
		return nil
	})
}

func TestWhoLeavesAndWhoseTimeIsOverStopsTheDatabase(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.SQLite(t))
	ctx, leave := context.WithCancel(b.as(t, b.Admin))
	ended := make(chan error, 1)
	go func() {
		_, err := b.m.Ask(ctx, b.id, datasource.Statement{Text: "SELECT pg_sleep(600)"})
		ended <- err
	}()
	b.awaitSleeping(t, 1)
	leave()
	require.ErrorIs(t, <-ended, context.Canceled)
	b.awaitSleeping(t, 0)

	out, err := b.m.Ask(b.as(t, b.Admin), b.id, datasource.Statement{Text: "SELECT pg_sleep(600)", Time: 200 * time.Millisecond})
	require.NoError(t, err)
	require.True(t, out.Late)
	require.Contains(t, out.Failure, "Stopped")
	b.awaitSleeping(t, 0)
}

func TestAUserHasThreeStatementsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.SQLite(t))
	ctx, leave := context.WithCancel(b.as(t, b.Admin))
	defer leave()
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() { _, _ = b.m.Ask(ctx, b.id, datasource.Statement{Text: "SELECT pg_sleep(600)"}) })
	}
	b.awaitSleeping(t, 3)
	_, err := b.m.Ask(ctx, b.id, datasource.Statement{Text: "SELECT 1"})
	require.ErrorIs(t, err, datasource.ErrBusy)
	page := b.Browser(t, b.m.Routes).As(crudtest.As(b.Admin)).Post(b.path(), "sql", "SELECT 1").Require(http.StatusTooManyRequests)
	require.Contains(t, page.Text("[data-test='sql.failure']"), "3 statements running")
	require.NoError(t, b.Access.GrantObjects(t.Context(), b.General.UserID, access.DataSource, []string{strconv.FormatInt(b.id, 10)}, access.PermRead))
	_, err = b.m.Ask(b.as(t, b.General), b.id, datasource.Statement{Text: "SELECT 1"})
	require.NoError(t, err, "others have turns of their own")
	leave()
	all.Wait()
	_, err = b.m.Ask(b.as(t, b.Admin), b.id, datasource.Statement{Text: "SELECT 1"})
	require.NoError(t, err)
}

func TestOnlyWhoMayUseADataSourceAsksIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		gwen := b.Browser(t, b.m.Routes).As(crudtest.As(b.General))
		refused := func() {
			t.Helper()
			_, err := b.m.Ask(b.as(t, b.General), b.id, datasource.Statement{Text: "SELECT 1"})
			require.ErrorIs(t, err, access.ErrDenied)
			gwen.Get(b.path()).Require(http.StatusForbidden)
			gwen.Get(b.path() + "/tree").Require(http.StatusForbidden)
			gwen.Get(b.path() + "/tree?database=x&table=users").Require(http.StatusForbidden)
			for _, do := range []string{"run", "csv", "task"} {
				gwen.Post(b.path(), "sql", "SELECT 1", "do", do).Require(http.StatusForbidden)
			}
			gwen.Post(b.path()+"/task", "sql", "SELECT 1", "project", "7").Require(http.StatusForbidden)
		}
		refused()
		n, err := db.Get[int](t.Context(), d, "SELECT count(*) FROM audit_log WHERE action = 'datasource.run'")
		require.NoError(t, err)
		require.Zero(t, n, "nothing was asked")
		require.NoError(t, b.Access.GrantObjects(t.Context(), b.General.UserID, access.DataSource, []string{strconv.FormatInt(b.id, 10)}, access.PermRead))
		page := gwen.Post(b.path(), "sql", "SELECT 1 AS one, NULL AS none").Require(http.StatusOK)
		require.Contains(t, page.Text("[data-test='sql.table']"), "one")
		require.False(t, gwen.Get(b.path()).Has("[data-test='sql.edit']"), "to use it is not to change it")
		require.True(t, gwen.Get(datasource.Path).Has("[data-test='row.sql']"))
		_, err = b.m.Ask(t.Context(), b.id, datasource.Statement{Text: "SELECT 1"})
		require.Error(t, err, "nobody is signed in")
	})
}

func TestThePageIsCompleteWithoutScripts(t *testing.T) {
	t.Parallel()
	b := newBench(t, dbtest.SQLite(t))
	place := &drawn{}
	b.m.SetDrawing(place)
	admin := b.Browser(t, b.m.Routes).As(crudtest.As(b.Admin))
	require.True(t, admin.Get(b.path()).Require(http.StatusOK).Has("[data-test='sql.text']"))

	page := admin.Post(b.path(), "sql", "SELECT NULL AS a, 'x < y' AS b, repeat('long ', 50) AS c, E'one\ntwo' AS d").Require(http.StatusOK)
	require.True(t, page.Has("td[data-null]"))
	require.Contains(t, page.Text("[data-test='sql.table']"), "x < y")
	require.True(t, page.Has("[data-test='sql.table'] td details summary"), "long values are folded")
	require.Contains(t, page.Text("[data-test='sql.summary']"), "1 row")
	require.Contains(t, page.Text("[data-test='sql.text']"), "repeat", "the statement stays")
	page = admin.Post(b.path(), "sql", "CREATE TABLE t (a int)").Require(http.StatusOK)
	require.Contains(t, page.Text("[data-test='sql.summary']"), "0 rows affected")
	page = admin.Post(b.path(), "sql", "SELECT 1\nFROM nowhere").Require(http.StatusOK)
	require.Contains(t, page.Text("[data-test='sql.failure']"), `relation "nowhere" does not exist`)
	require.Equal(t, "Line 2, column 6", page.Text("[data-test='sql.where']"))
	page = admin.Post(b.path(), "sql", " ").Require(http.StatusUnprocessableEntity)
	require.Contains(t, page.Text("[data-test='sql.failure']"), "Write a statement first")
	page = admin.Post(b.path(), "sql", "SELECT 1", "rows", "zero", "seconds", "99999999999999").Require(http.StatusOK)
	require.Contains(t, page.Text("[data-test='sql.summary']"), "1 row", "bounds that are none are the usual ones")
	page = admin.Post(b.path(), "sql", "SELECT 1", "database", "nothing_here").Require(http.StatusOK)
	require.Contains(t, page.Text("[data-test='sql.failure']"), "There is no such database")

	file := admin.Post(b.path(), "do", "csv", "sql", `SELECT 'a"b' AS x, NULL AS y, '=1+1' AS z, -5 AS n`).Require(http.StatusOK)
	require.Contains(t, file.Header.Get("Content-Disposition"), "dw.csv")
	require.Equal(t, "\ufeffx,y,z,n\r\n\"a\"\"b\",,'=1+1,-5\r\n", file.Body)

	var listed struct{ Databases, Tables []string }
	require.NoError(t, json.Unmarshal([]byte(admin.Get(b.path()+"/tree").Require(http.StatusOK).Body), &listed))
	require.NotEmpty(t, listed.Databases)
	home := admin.Get(b.path()).Attr("[data-sql]", "data-home")
	require.NoError(t, json.Unmarshal([]byte(admin.Get(b.path()+"/tree?database="+home).Require(http.StatusOK).Body), &listed))
	require.Contains(t, listed.Tables, "t")
	require.JSONEq(t, `{"columns":[{"name":"a","type":"integer"}]}`, admin.Get(b.path()+"/tree?table=t&database="+home).Require(http.StatusOK).Body)

	require.Contains(t, admin.Get(b.path()+"/tree?database=nothing_here").Require(http.StatusOK).Body, `"failure":"There is no such database`)

	require.True(t, admin.Post(b.path(), "do", "task", "sql", "SELECT 1").Require(http.StatusOK).Has("dialog[open]"))
	admin.Post(b.path()+"/task", "sql", "SELECT 1").Require(http.StatusUnprocessableEntity)
	to := admin.Post(b.path()+"/task", "sql", "SELECT 1;\n", "project", "7").Require(http.StatusSeeOther).Header.Get("Location")
	require.Equal(t, "/projects/7/SQL/dw", to)
	require.JSONEq(t, fmt.Sprintf(`{"type":"POSTGRESQL","datasource":%d,"sql":"SELECT 1","sqlType":"0","displayRows":10,
		"preStatements":[],"postStatements":[],"localParams":[],"resourceList":[]}`, b.id), string(place.params))
	admin.Post(b.path()+"/task", "sql", "DELETE FROM t", "project", "7").Require(http.StatusSeeOther)
	require.Contains(t, string(place.params), `"sqlType":"1"`)

	call := crudtest.REST(t, b.App, b.Admin, b.m.API)
	db2 := warehouse("old")
	db2["type"] = "DB2"
	id := int64(call("POST", "/datasources", text(db2))["data"].(dict)["id"].(float64))
	page = admin.Get(fmt.Sprintf("%s/%d/sql", datasource.Path, id)).Require(http.StatusOK)
	require.False(t, page.Has("form[data-test='sql.form']"))
	require.Contains(t, page.Text(".note"), "no driver")
	_, err := b.m.Ask(b.as(t, b.Admin), id, datasource.Statement{Text: "SELECT 1"})
	require.ErrorIs(t, err, datasource.ErrNoDriver)
}

func TestFieldsOfTasksOfferWhatOneMayUse(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := open(t, d)
		key := fmt.Sprintf("%.0f", crudtest.REST(t, a, a.Admin, m.API)("POST", "/datasources", text(warehouse("dw")))["data"].(dict)["id"])
		choices := func(p access.Principal) string {
			return a.Browser(t, m.Routes).As(crudtest.As(p)).Get(datasource.Path + "/choices").Require(http.StatusOK).Body
		}
		dw := `{"sources":[{"id":` + key + `,"name":"dw","type":"POSTGRESQL","label":"PostgreSQL"}]}`
		require.JSONEq(t, dw, choices(a.Admin))
		require.JSONEq(t, `{"sources":[]}`, choices(a.General))
		require.NoError(t, a.Access.GrantObjects(t.Context(), a.General.UserID, access.DataSource, []string{key}, access.PermRead))
		require.JSONEq(t, dw, choices(a.General))
	})
}
