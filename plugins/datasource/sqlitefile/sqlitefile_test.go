package sqlitefile_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource/sqlitefile"
)

// place is a machine with an allowed folder, one that is not allowed, and one of the program itself.
type place struct{ allowed, outside, own string }

func newPlace(t *testing.T) (place, sqlitefile.Guard) {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	p := place{filepath.Join(top, "allowed"), filepath.Join(top, "outside"), filepath.Join(top, "allowed", "dorado")}
	for _, dir := range []string{p.allowed, p.outside, p.own} {
		require.NoError(t, os.MkdirAll(dir, 0o755))
	}
	fill(t, filepath.Join(p.allowed, "shop.db"), "ours")
	fill(t, filepath.Join(p.outside, "secret.db"), "theirs")
	fill(t, filepath.Join(p.own, "dorado.db"), "product")
	return p, sqlitefile.Guard{Config: sqlitefile.Config{Folders: []string{p.allowed}}, Own: []string{p.own}}
}

// fill makes a database with one row that says what it is.
func fill(t *testing.T, path, what string) {
	t.Helper()
	d, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer d.Close()
	_, err = d.Exec("CREATE TABLE t (what TEXT); INSERT INTO t VALUES (?)", what)
	require.NoError(t, err)
}

func open(t *testing.T, g sqlitefile.Guard, path string, readOnly bool) *sql.DB {
	t.Helper()
	d := sql.OpenDB(sqlitefile.NewConnector(g, path, readOnly))
	d.SetMaxOpenConns(1)
	t.Cleanup(func() { d.Close() })
	return d
}

func TestOnlyFilesBelowAllowedFoldersAreOpened(t *testing.T) {
	t.Parallel()
	p, g := newPlace(t)
	link := func(to, name string) string {
		at := filepath.Join(p.allowed, name)
		require.NoError(t, os.Symlink(to, at))
		return at
	}
	good := filepath.Join(p.allowed, "shop.db")
	require.NoError(t, open(t, g, good, false).Ping())
	require.NoError(t, open(t, g, link("shop.db", "inside.db"), false).Ping(), "a link that stays inside")
	require.NoError(t, os.Link(filepath.Join(p.outside, "secret.db"), filepath.Join(p.allowed, "hard.db")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(p.allowed, "pipe.db"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(p.allowed, "text.db"), []byte(strings.Repeat("no database ", 100)), 0o600))
	for path, want := range map[string]string{
		filepath.Join(p.outside, "secret.db"): "not below a folder",
		p.allowed + "/../outside/secret.db":   "without ..",
		"shop.db":                             "no absolute path",
		"":                                    "no absolute path",
		p.allowed:                             "not below a folder",
		p.allowed + "evil/x.db":               "not below a folder",
		link(filepath.Join(p.outside, "secret.db"), "out.db"): "leads from the file",
		link("../outside/secret.db", "out2.db"):               "leads from the file",
		filepath.Join(link(p.outside, "folder"), "secret.db"): "leads from the file",
		filepath.Join(p.allowed, "hard.db"):                   "hard link",
		filepath.Join(p.allowed, "pipe.db"):                   "no plain file",
		filepath.Join(p.allowed, "gone.db"):                   "there is no file",
		filepath.Join(p.own, "dorado.db"):                     "belongs to this program",
		filepath.Join(p.own, "not-there.db"):                  "belongs to this program",
		link(filepath.Join(p.own, "dorado.db"), "own.db"):     "belongs to this program",
		filepath.Join(p.allowed, "text.db"):                   "not a database",
		link("loop.db", "loop.db"):                            "cannot be opened",
		filepath.Join(p.allowed, "shop.db", "x"):              "cannot be opened",
	} {
		_, err := open(t, g, path, false).Exec("SELECT * FROM t")
		require.ErrorContains(t, err, want, path)
	}
	entries, err := os.ReadDir(p.outside)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing was made there")
	require.NoFileExists(t, filepath.Join(p.allowed, "gone.db"), "files are never created")
}

func TestTheProductsDatabaseIsRefusedByItsFileToo(t *testing.T) {
	t.Parallel()
	p, g := newPlace(t)
	g.Own = []string{filepath.Join(p.allowed, "shop.db")}
	for _, name := range []string{"shop.db", "shop.db-wal", "shop.db-journal"} {
		require.ErrorContains(t, open(t, g, filepath.Join(p.allowed, name), true).Ping(), "belongs to this program")
	}
	g.Folders, g.Own = []string{p.own}, []string{p.own}
	require.ErrorContains(t, open(t, g, filepath.Join(p.own, "dorado.db"), true).Ping(), "belongs to this program", "even when its folder is allowed")
}

func TestWithoutFoldersTheKeyIsNamed(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, open(t, sqlitefile.Guard{}, "/etc/x.db", false).Ping(), "configuration key datasource.sqlite.folders")
	for _, bad := range []string{"relative", "/", "//", "/x/.."} {
		require.ErrorContains(t, sqlitefile.Config{Folders: []string{bad}}.Validate(), "datasource.sqlite.folders", bad)
	}
	require.NoError(t, sqlitefile.Config{Folders: []string{"/srv/data"}}.Validate())
}

func TestNoStatementReachesAnotherFile(t *testing.T) {
	t.Parallel()
	p, g := newPlace(t)
	d := open(t, g, filepath.Join(p.allowed, "shop.db"), false)
	secret, made := filepath.Join(p.outside, "secret.db"), filepath.Join(p.outside, "made.db")
	for _, text := range []string{
		"ATTACH '" + secret + "' AS x", "ATTACH DATABASE 'file:" + secret + "' AS x", "attach ('" + secret + "') as x", "SELECT 1; ATTACH '" + secret + "' AS x",
		"ATTACH (SELECT '" + secret + "') AS x", "/* a */ ATTACH 'shop.db' AS x", "ATTACH '' AS x", "ATTACH ':memory:' AS x", "DETACH main",
		"VACUUM INTO '" + made + "'", "VACUUM main INTO ('" + made + "')", "EXPLAIN ATTACH '" + secret + "' AS x",
		"SELECT load_extension('" + secret + "')", "SELECT LOAD_EXTENSION('x', 'y')", "SELECT fts3_tokenizer('simple', x'00')",
		"PRAGMA temp_store_directory = '" + p.outside + "'", "PRAGMA data_store_directory = '" + p.outside + "'", "PRAGMA writable_schema = ON",
		"EXPLAIN PRAGMA temp_store_directory = '" + p.outside + "'", "PRAGMA main.mmap_size = 1000000000", "PRAGMA hard_heap_limit = 1", "PRAGMA soft_heap_limit = 1",
		"PRAGMA trusted_schema = 1", "PRAGMA \"temp_store_directory\" = 'x'", "CREATE VIRTUAL TABLE x USING csv(filename='" + secret + "')",
		"CREATE VIRTUAL TABLE x USING zipfile('" + secret + "')", "SELECT readfile('" + secret + "')", "SELECT writefile('" + made + "', 'x')", "SELECT edit('x', 'sh')",
	} {
		_, err := d.Exec(text)
		require.Error(t, err, text)
	}
	_, err := d.Exec("ATTACH ? AS x", secret)
	require.Error(t, err, "a bind")
	require.NoFileExists(t, made)
	_, err = d.Exec("CREATE TEMP TRIGGER g AFTER INSERT ON t BEGIN SELECT load_extension('x'); END")
	if err == nil {
		_, err = d.Exec("INSERT INTO t VALUES ('x')")
	}
	require.Error(t, err)
	var n int
	require.NoError(t, d.QueryRow("SELECT count(*) FROM pragma_database_list WHERE name <> 'temp'").Scan(&n))
	require.Equal(t, 1, n, "nothing but main")
}

func TestValuesAndStatementsAreBounded(t *testing.T) {
	t.Parallel()
	p, g := newPlace(t)
	d := open(t, g, filepath.Join(p.allowed, "shop.db"), false)
	for _, text := range []string{"SELECT length(zeroblob(100000000))", "SELECT length(printf('%.*c', 100000000, 'x'))", "SELECT length(randomblob(100000000))"} {
		var n int
		require.Error(t, d.QueryRow(text).Scan(&n), text)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	var n int
	err := d.QueryRowContext(ctx, "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c").Scan(&n)
	require.Error(t, err)
	require.Less(t, time.Since(begin), 5*time.Second, "a statement without end is ended")
	require.NoError(t, d.QueryRow("SELECT 1").Scan(&n), "and the connection lives")
}

func TestReadOnlyMeansThatNothingIsWritten(t *testing.T) {
	t.Parallel()
	p, g := newPlace(t)
	file := filepath.Join(p.allowed, "shop.db")
	before, err := os.ReadFile(file)
	require.NoError(t, err)
	d := open(t, g, file, true)
	for _, text := range []string{"INSERT INTO t VALUES ('x')", "DROP TABLE t", "PRAGMA query_only = 0; DELETE FROM t", "PRAGMA user_version = 7", "PRAGMA journal_mode = WAL; DELETE FROM t"} {
		_, err := d.Exec(text)
		require.Error(t, err, text)
	}
	var what string
	require.NoError(t, d.QueryRow("SELECT what FROM t").Scan(&what))
	require.Equal(t, "ours", what)
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestForeignKeysHoldAndPragmasTell(t *testing.T) {
	t.Parallel()
	p, g := newPlace(t)
	d := open(t, g, filepath.Join(p.allowed, "shop.db"), false)
	_, err := d.Exec("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a INTEGER REFERENCES a (id)); CREATE VIRTUAL TABLE words USING fts5(text)")
	require.NoError(t, err)
	_, err = d.Exec("INSERT INTO b VALUES (1)")
	require.ErrorContains(t, err, "FOREIGN KEY")
	for _, text := range []string{"PRAGMA table_info(a)", "PRAGMA integrity_check", "PRAGMA foreign_key_list(b)", "PRAGMA journal_mode", "PRAGMA user_version = 3"} {
		_, err := d.Exec(text)
		require.NoError(t, err, text)
	}
	for name, want := range map[string]int{"foreign_keys": 1, "busy_timeout": 5000, "user_version": 3} {
		var n int
		require.NoError(t, d.QueryRow("PRAGMA "+name).Scan(&n))
		require.Equal(t, want, n, name)
	}
}

func TestJournalsThatLeadElsewhereAreRefused(t *testing.T) {
	t.Parallel()
	p, g := newPlace(t)
	file := filepath.Join(p.allowed, "shop.db")
	victim := filepath.Join(p.outside, "victim")
	require.NoError(t, os.WriteFile(victim, []byte("x"), 0o600))
	// A journal that waits to be rolled back, and names the victim as the one that it belongs to.
	journal := make([]byte, 512)
	magic := []byte{0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7}
	copy(journal, magic)
	sum := uint32(0)
	for _, b := range []byte(victim) {
		sum += uint32(b)
	}
	journal = binary.BigEndian.AppendUint32(journal, 0x40000000/4096+1)
	journal = append(journal, victim...)
	journal = binary.BigEndian.AppendUint32(journal, uint32(len(victim)))
	journal = binary.BigEndian.AppendUint32(journal, sum)
	journal = append(journal, magic...)
	require.NoError(t, os.WriteFile(file+"-journal", journal, 0o600))
	_, err := open(t, g, file, false).Exec("SELECT * FROM t")
	require.ErrorContains(t, err, "names another file")
	require.FileExists(t, victim)
	for _, side := range []string{"-journal", "-wal", "-shm"} {
		_ = os.Remove(file + "-journal")
		require.NoError(t, os.Symlink(victim, file+side))
		_, err = open(t, g, file, false).Exec("SELECT * FROM t")
		require.ErrorContains(t, err, "no plain file", side)
		require.NoError(t, os.Remove(file+side))
	}
	_, err = open(t, g, file, false).Exec("SELECT * FROM t")
	require.NoError(t, err)
}

func TestTwoConnectionsWaitForEachOther(t *testing.T) {
	t.Parallel()
	p, g := newPlace(t)
	file := filepath.Join(p.allowed, "shop.db")
	one, two := open(t, g, file, false), open(t, g, file, false)
	tx, err := one.Begin()
	require.NoError(t, err)
	_, err = tx.Exec("INSERT INTO t VALUES ('x')")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err = two.ExecContext(ctx, "INSERT INTO t VALUES ('y')")
	require.Error(t, err)
	require.Less(t, time.Since(begin), 3*time.Second, "and not longer than the context lasts")
	require.NoError(t, tx.Commit())
	_, err = two.Exec("INSERT INTO t VALUES ('y')")
	require.NoError(t, err)
}
