package builtin_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource"
	"dorado/plugins/datasource/builtin"
	"dorado/plugins/datasource/sqlitefile"
	"dorado/plugins/form"
)

// files is the type SQLite for a machine that allows a folder, and the settings of a file in it.
func files(t *testing.T) (datasource.Plugin, form.Flat) {
	t.Helper()
	dir := t.TempDir()
	types := builtin.TypesWith(sqlitefile.Guard{Config: sqlitefile.Config{Folders: []string{dir}}, Own: []string{filepath.Join(dir, "own")}})
	p := types[slices.IndexFunc(types, func(p datasource.Plugin) bool { return p.Type == "SQLITE" })]
	file := filepath.Join(dir, "shop.db")
	require.NoError(t, os.WriteFile(file, nil, 0o600), "an empty file is an empty database")
	return p, form.Flat{"file": file, "readOnly": "false"}
}

func TestAFileOfSQLiteIsConnectedToAskedAndBrowsed(t *testing.T) {
	t.Parallel()
	p, flat := files(t)
	s, problems := p.Read(flat)
	require.Empty(t, problems)
	took, err := p.Test(t.Context(), s)
	require.NoError(t, err)
	require.Positive(t, took)
	ask := func(text string) datasource.Answer {
		t.Helper()
		a, err := p.Ask(t.Context(), s, datasource.Question{Text: text, Rows: 3, Bytes: 1 << 20})
		require.NoError(t, err, text)
		return a
	}
	ask("CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT, at DATETIME, day DATE, price DECIMAL(6,2), raw BLOB)")
	ask("CREATE VIEW dear AS SELECT * FROM orders WHERE price > 1")
	require.EqualValues(t, 2, ask("INSERT INTO orders VALUES (1, 'apple', '2026-01-02 03:04:05', '2026-01-02', 1.5, x'ff00'), (2, NULL, NULL, NULL, NULL, NULL);").Affected)
	a := ask("SELECT * FROM orders ORDER BY id")
	require.Equal(t, datasource.Column{Name: "id", Type: "integer"}, a.Columns[0])
	require.Equal(t, []string{"1", "apple", "2026-01-02 03:04:05", "2026-01-02", "1.5", "0xff00"}, texts(a.Rows[0]))
	require.True(t, a.Rows[1][1].Null)
	require.Equal(t, datasource.ByRows, ask("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c").More, "without an end")
	require.Len(t, ask("PRAGMA table_info(orders)").Rows, 3)

	names, err := p.Databases(t.Context(), s)
	require.NoError(t, err)
	require.Equal(t, []string{"main"}, names)
	tables, err := p.Tables(t.Context(), s, "main")
	require.NoError(t, err)
	require.Equal(t, []string{"dear", "orders"}, tables)
	columns, err := p.Columns(t.Context(), s, "", "orders")
	require.NoError(t, err)
	require.Equal(t, datasource.Column{Name: "price", Type: "DECIMAL(6,2)"}, columns[4])
	none, err := p.Columns(t.Context(), s, "", "x') --")
	require.NoError(t, err)
	require.Empty(t, none)

	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = p.Ask(ctx, s, datasource.Question{Text: "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c", Rows: 1, Bytes: 1})
	require.Error(t, err)
	_, err = p.Ask(t.Context(), s, datasource.Question{Text: "ATTACH '/etc/x' AS x", Rows: 1, Bytes: 1})
	require.ErrorContains(t, err, "would reach beyond its file")
}

func texts(row []datasource.Value) []string {
	out := make([]string, len(row))
	for i, v := range row {
		out[i] = v.Text
	}
	return out
}

func TestAFileOfSQLiteThatCannotBeOpenedTellsTheStep(t *testing.T) {
	t.Parallel()
	p, flat := files(t)
	with := func(file string) form.Flat { return form.Flat{"file": file} }
	dir := filepath.Dir(flat["file"])
	require.NoError(t, os.WriteFile(filepath.Join(dir, "text.db"), make([]byte, 5000), 0o600))
	for file, want := range map[string]datasource.Step{
		filepath.Join(dir, "gone.db"): datasource.Missing, "/etc/passwd": datasource.Unfit, dir + "/../x.db": datasource.Unfit,
		filepath.Join(dir, "text.db"): datasource.Unfit, filepath.Join(dir, "own"): datasource.Unfit,
	} {
		require.Equal(t, want, step(t, p, with(file)), file)
	}
	require.Equal(t, datasource.Unfit, step(t, kind(t, "SQLITE"), flat), "nothing is allowed unless an administrator says so")
	_, err := kind(t, "SQLITE").Test(t.Context(), read(t, p, flat))
	require.ErrorContains(t, err, "datasource.sqlite.folders")
	_, problems := p.Read(form.Flat{})
	require.Equal(t, "file", problems[0].Field)
	for _, bad := range []string{"shop.db", "file:/x.db", dir + "/shop.db?mode=memory", dir + "/a%2e%2e", "/x#y", "/x;y", "/x&init=z", "/"} {
		_, problems = p.Read(form.Flat{"file": bad})
		require.Len(t, problems, 1, bad)
		require.Equal(t, "datasource.error.file", problems[0].Key, bad)
	}
	_, problems = p.Read(form.Flat{"file": "/a\nb"})
	require.Equal(t, "datasource.error.control", problems[0].Key)
}

func read(t *testing.T, p datasource.Plugin, flat form.Flat) datasource.Settings {
	t.Helper()
	s, problems := p.Read(flat)
	require.Empty(t, problems)
	return s
}

func TestAFileOfSQLiteForReadingIsNotChanged(t *testing.T) {
	t.Parallel()
	p, flat := files(t)
	_, err := p.Ask(t.Context(), read(t, p, flat), datasource.Question{Text: "CREATE TABLE t (a)"})
	require.NoError(t, err)
	flat["readOnly"] = "true"
	s := read(t, p, flat)
	_, err = p.Test(t.Context(), s)
	require.NoError(t, err)
	_, err = p.Ask(t.Context(), s, datasource.Question{Text: "INSERT INTO t VALUES (1)"})
	require.ErrorContains(t, err, "readonly")
	require.Equal(t, "jdbc:sqlite:"+flat["file"]+"?open_mode=1", p.URL(s))
	require.JSONEq(t, `{"user":"","password":"","address":"jdbc:sqlite:","database":"","jdbcUrl":"jdbc:sqlite:`+flat["file"]+`?open_mode=1","driverLocation":null,
		"driverClassName":"org.sqlite.JDBC","validationQuery":"SELECT count(*) FROM sqlite_schema","file":"`+flat["file"]+`","readOnly":"true"}`, p.ConnectionParams(s, form.Mask))
}
