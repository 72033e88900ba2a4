package keep_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/migrations"
	"dorado/modules/keep"
	"dorado/modules/keep/archive"
)

var started = time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC)

func clock() time.Time { return started.Add(24 * time.Hour) }

// lite is an empty database file, never migrated; post an emptied PostgreSQL database.
func lite(t *testing.T) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), db.Config{URL: filepath.Join(t.TempDir(), "new.db")}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func post(t *testing.T) *db.DB {
	t.Helper()
	d := dbtest.Postgres(t)
	require.NoError(t, migrations.DownTo(t.Context(), d.SQLX().DB, migrations.Postgres, 0))
	return d
}

func backup(t *testing.T, d *db.DB, change ...func(*keep.BackupDeps)) (*bytes.Reader, archive.Header, archive.Manifest) {
	t.Helper()
	var out bytes.Buffer
	deps := keep.BackupDeps{DB: d, Out: &out, Program: "1.2.3", Now: clock}
	for _, c := range change {
		c(&deps)
	}
	h, m, err := keep.Backup(t.Context(), deps)
	require.NoError(t, err)
	return bytes.NewReader(out.Bytes()), h, m
}

func restore(t *testing.T, d *db.DB, in io.ReadSeeker, change ...func(*keep.RestoreDeps)) (keep.Restored, error) {
	t.Helper()
	deps := keep.RestoreDeps{DB: d, In: in, Program: "1.2.3", Now: clock}
	for _, c := range change {
		c(&deps)
	}
	return keep.Restore(t.Context(), deps)
}

func resume(d *keep.RestoreDeps) { d.Resume, d.CatchUp = true, true }

// rowsOf are the rows of a backup, by table.
func rowsOf(t *testing.T, in io.Reader) map[string][]string {
	t.Helper()
	rows := map[string][]string{}
	_, _, err := archive.Read(t.Context(), in, archive.Options{}, archive.Visitor{Row: func(table string, row []byte) error {
		rows[table] = append(rows[table], string(row))
		return nil
	}})
	require.NoError(t, err)
	return rows
}

func exec(t *testing.T, d *db.DB, query string, args ...any) {
	t.Helper()
	_, err := d.Exec(t.Context(), query, args...)
	require.NoError(t, err, query)
}

func get[T any](t *testing.T, d *db.DB, query string, args ...any) T {
	t.Helper()
	v, err := db.Get[T](t.Context(), d, query, args...)
	require.NoError(t, err, query)
	return v
}

// fill writes three rows into every kept table: values that a careless copy would change. The third row has NULL wherever
// that may be.
func fill(t *testing.T, d *db.DB, h archive.Header) {
	t.Helper()
	words := map[string]string{
		"users.user_type": "ADMIN_USER", "workflow_definition.release_state": "ONLINE", "schedule.release_state": "ONLINE",
		"calendar_day.kind": "HOLIDAY", "policy_rule.effect": "DENY", "workflow_lineage.kind": "DEPENDENT",
	}
	for _, table := range h.Tables {
		exec(t, d, "DELETE FROM "+table.Name)
	}
	for _, table := range h.Tables {
		key := map[string]bool{}
		for _, name := range keysOf(t, d, table.Name) {
			key[name] = true
		}
		for i := range 3 {
			names, values := []string{}, []any{}
			for _, c := range table.Columns {
				n := int64(i + 1)
				var v any
				switch c.Type {
				case archive.Int:
					if v = n; !key[c.Name] && !strings.HasSuffix(c.Name, "id") && !strings.HasSuffix(c.Name, "code") && !small(c.Name) {
						v = int64(1)<<62 + n
					}
				case archive.Bool:
					v = i%2 == 0
				case archive.Float:
					v = 0.1 * float64(n)
				case archive.Bytes:
					v = []byte{0, 255, byte(n)}
				case archive.Time:
					v = started.Add(time.Duration(i)*time.Hour + 123456*time.Microsecond)
				case archive.Text:
					v = fmt.Sprintf("%s %d: \"q\" 'q' <b>&\\ \n\t\u2028 日本 🐬", c.Name, i)
				}
				if word := words[table.Name+"."+c.Name]; word != "" {
					v = word
				}
				if i == 2 && nullable(t, d, table.Name, c.Name) {
					v = nil
				}
				names, values = append(names, c.Name), append(values, v)
			}
			query := "INSERT INTO " + table.Name + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Repeat("?, ", len(names)-1) + "?)"
			x := d.SQLX() // not through db.DB, which cuts instants to milliseconds
			_, err := x.ExecContext(t.Context(), x.Rebind(query), values...)
			require.NoError(t, err, "%s %v", table.Name, values)
		}
	}
}

// small are the columns of 32 bits on PostgreSQL.
func small(name string) bool {
	switch name {
	case "next", "epoch", "owner_epoch", "took_ms", "decided_by", "updated_by", "dependent_task_code":
		return false
	}
	return true
}

func nullable(t *testing.T, d *db.DB, table, column string) bool {
	t.Helper()
	if d.Dialect().Name() == migrations.Postgres {
		return get[string](t, d, `SELECT is_nullable FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ? AND column_name = ?`, table, column) == "YES"
	}
	return get[int](t, d, `SELECT COUNT(*) FROM pragma_table_info(?) WHERE name = ? AND "notnull" = 0 AND pk = 0`, table, column) == 1
}

func keysOf(t *testing.T, d *db.DB, table string) []string {
	t.Helper()
	query := `SELECT name FROM pragma_table_info(?) WHERE pk > 0`
	if d.Dialect().Name() == migrations.Postgres {
		query = `SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) WHERE i.indisprimary AND i.indrelid = to_regclass(?)`
	}
	keys, err := db.Select[string](t.Context(), d, query, table)
	require.NoError(t, err)
	return keys
}

func TestEveryRowOfEveryTableComesBackAsItWasInEitherDatabase(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, from *db.DB) {
		_, h, _ := backup(t, from)
		fill(t, from, h)
		in, _, m := backup(t, from)
		for _, table := range h.Tables {
			require.EqualValues(t, 3, m.Rows[table.Name], table.Name)
		}
		want := rowsOf(t, in)
		for name, into := range map[string]*db.DB{"sqlite": lite(t), "postgres": post(t)} {
			_, err := in.Seek(0, io.SeekStart)
			require.NoError(t, err)
			_, err = restore(t, into, in, resume)
			require.NoError(t, err, name)
			again, h2, _ := backup(t, into)
			require.Equal(t, h.Tables, h2.Tables)
			got := rowsOf(t, again)
			require.Len(t, got["audit_log"], 4, "the restore itself is on record")
			require.Contains(t, got["audit_log"][3], "backup.restore")
			got["audit_log"] = got["audit_log"][:3]
			require.NotEqual(t, want["id_block"], got["id_block"], "identifiers skip ahead")
			delete(got, "id_block")
			for table, rows := range got {
				require.Equal(t, want[table], rows, "%s into %s", table, name)
			}
		}
	})
}

func TestBackupKnowsEveryTableOfTheSchema(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		_, h, m := backup(t, d) // fails for a table that nobody decided about
		require.NotEmpty(t, h.Tables)
		require.Equal(t, migrations.Newest(), h.Schema)
		require.Contains(t, h.Skipped, "session")
		for _, table := range h.Tables {
			require.NotContains(t, h.Skipped, table.Name)
			require.LessOrEqual(t, m.Rows[table.Name], int64(1), "what migrations insert into %s", table.Name)
		}
		exec(t, d, "CREATE TABLE comet (id INTEGER PRIMARY KEY)")
		_, _, err := keep.Backup(t.Context(), keep.BackupDeps{DB: d, Out: io.Discard, Now: clock})
		require.ErrorContains(t, err, "table comet")
	})
}

func TestBackupIsOneMomentOfABusyDatabase(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		add := func(ctx context.Context, n int) error { // an instance and its attempt, always together
			return d.InTx(ctx, func(ctx context.Context) error {
				if _, err := d.Exec(ctx, `INSERT INTO workflow_instance (name, workflow_code, workflow_version, workflow_name, project_code, state, command_type,
					executor_id, executor_name, start_time, created_at, updated_at) VALUES (?, 1, 1, 'w', 1, 'SUCCESS', 'START_PROCESS', 1, 'admin', ?, ?, ?)`,
					fmt.Sprint(n), started, started, started); err != nil {
					return err
				}
				_, err := d.Exec(ctx, `INSERT INTO task_instance (id, workflow_instance_id, project_code, task_code, task_version, name, task_type, state,
					first_submit_time, submit_time) VALUES (?, ?, 1, 1, 1, 't', 'SHELL', 'SUCCESS', ?, ?)`, n, n, started, started)
				return err
			})
		}
		for n := range 200 {
			require.NoError(t, add(t.Context(), n+1))
		}
		ctx, stop := context.WithCancel(t.Context())
		written := make(chan int)
		go func() {
			n := 200
			for ctx.Err() == nil && add(ctx, n+1) == nil {
				n++
			}
			written <- n
		}()
		for range 5 {
			_, _, m := backup(t, d)
			require.Equal(t, m.Rows["workflow_instance"], m.Rows["task_instance"])
			require.GreaterOrEqual(t, m.Rows["task_instance"], int64(200))
		}
		stop()
		require.Greater(t, <-written, 200, "the writer was never kept out")
	})
}

func TestTextsThatAreNotUnicodeSurviveWhereTheDatabaseTakesThem(t *testing.T) {
	t.Parallel()
	from := dbtest.SQLite(t)
	exec(t, from, `INSERT INTO queue (name, value, created_at, updated_at) VALUES (CAST(? AS TEXT), ?, ?, ?)`, []byte("a\xff\x00b"), "a\x00b", started, started)
	in, _, _ := backup(t, from)
	same, other := lite(t), post(t)
	_, err := restore(t, same, in)
	require.NoError(t, err)
	require.Equal(t, "61FF0062", get[string](t, same, `SELECT hex(name) FROM queue`))
	_, _ = in.Seek(0, io.SeekStart)
	_, err = restore(t, other, in)
	require.NoError(t, err)
	require.Equal(t, "a\uFFFDb", get[string](t, other, `SELECT name FROM queue`))
	require.Equal(t, "ab", get[string](t, other, `SELECT value FROM queue`))
}

func TestOnlyAnEmptyDatabaseIsRestoredInto(t *testing.T) {
	t.Parallel()
	in, _, _ := backup(t, dbtest.SQLite(t))
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		again := bytes.NewReader(nil)
		*again = *in
		exec(t, d, `INSERT INTO queue (name, value, created_at, updated_at) VALUES ('q', 'q', ?, ?)`, started, started)
		_, err := restore(t, d, again)
		require.ErrorIs(t, err, keep.ErrNotEmpty)
		require.ErrorContains(t, err, "1 rows in queue")
		exec(t, d, `DELETE FROM queue`)
		exec(t, d, `CREATE TABLE "Some table" (id INTEGER)`)
		_, err = restore(t, d, again)
		require.ErrorContains(t, err, "table Some table, which is not one of Dorado's")
		exec(t, d, `DROP TABLE "Some table"`)
		_, err = restore(t, d, again)
		require.NoError(t, err, "a schema without rows is empty")
	})
}

func TestABackupOfAnOlderSchemaIsMigratedAndOneOfANewerSchemaRefused(t *testing.T) {
	t.Parallel()
	old := dbtest.SQLite(t)
	require.NoError(t, migrations.DownTo(t.Context(), old.SQLX().DB, migrations.SQLite, 5))
	exec(t, old, `INSERT INTO queue (name, value, created_at, updated_at) VALUES ('q', 'q', ?, ?)`, started, started)
	in, h, _ := backup(t, old)
	require.EqualValues(t, 5, h.Schema)
	for _, into := range []*db.DB{lite(t), post(t), dbtest.Postgres(t)} {
		_, _ = in.Seek(0, io.SeekStart)
		_, err := restore(t, into, in)
		require.NoError(t, err)
		require.Equal(t, "q", get[string](t, into, `SELECT name FROM queue`))
		require.Zero(t, get[int](t, into, `SELECT COUNT(*) FROM cluster_event`), "the tables of newer versions are there")
	}

	var out bytes.Buffer
	w, err := archive.NewWriter(&out, "", archive.Header{Program: "9.0.0", Schema: migrations.Newest() + 1, Tables: []archive.Table{}})
	require.NoError(t, err)
	_, err = w.Close()
	require.NoError(t, err)
	into := lite(t)
	_, err = restore(t, into, bytes.NewReader(out.Bytes()))
	require.ErrorIs(t, err, archive.ErrNewer)
	require.ErrorContains(t, err, "9.0.0")
	require.Zero(t, get[int](t, into, `SELECT COUNT(*) FROM sqlite_master`), "nothing was touched")
}

func TestADamagedBackupLeavesTheDatabaseEmpty(t *testing.T) {
	t.Parallel()
	from := dbtest.SQLite(t)
	exec(t, from, `INSERT INTO queue (name, value, created_at, updated_at) VALUES ('q', 'q', ?, ?)`, started, started)
	in, _, _ := backup(t, from)
	whole, err := io.ReadAll(in)
	require.NoError(t, err)
	into := lite(t)
	for _, cut := range []int{0, 1, 40, len(whole) / 2, len(whole) - 1} {
		_, err := restore(t, into, bytes.NewReader(whole[:cut]))
		require.Error(t, err, "%d bytes of %d", cut, len(whole))
		require.Zero(t, get[int](t, into, `SELECT COUNT(*) FROM sqlite_master`))
	}
	for _, at := range []int{30, len(whole) / 3, len(whole) / 2} {
		bad := bytes.Clone(whole)
		bad[at] ^= 0x55
		_, err := restore(t, into, bytes.NewReader(bad))
		require.Error(t, err)
		require.Zero(t, get[int](t, into, `SELECT COUNT(*) FROM sqlite_master`))
	}
	// A file that is whole, and says what the schema does not allow: checked by the database, undone by it.
	var out bytes.Buffer
	h := archive.Header{Schema: 6, CreatedAt: started, Tables: []archive.Table{{
		Name: "tenant",
		Columns: []archive.Column{
			{Name: "id", Type: archive.Int},
			{Name: "code", Type: archive.Text},
			{Name: "queue_id", Type: archive.Int},
			{Name: "created_at", Type: archive.Time},
			{Name: "updated_at", Type: archive.Time},
		},
	}}}
	w, err := archive.NewWriter(&out, "", h)
	require.NoError(t, err)
	require.NoError(t, w.Row("tenant", []byte(`[1,"a",77,"2026-01-01T00:00:00Z","2026-01-01T00:00:00Z"]`)))
	_, err = w.Close()
	require.NoError(t, err)
	for _, d := range []*db.DB{into, post(t)} {
		_, err = restore(t, d, bytes.NewReader(out.Bytes()))
		require.ErrorIs(t, err, archive.ErrDamaged)
		require.Zero(t, get[int](t, d, `SELECT COUNT(*) FROM tenant`))
		_, _ = in.Seek(0, io.SeekStart)
		_, err = restore(t, d, in)
		require.NoError(t, err, "what a broken restore leaves can be restored into")
	}
}
