package db_test

import (
	"context"
	"database/sql"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/fault"
)

func insertQueue(ctx context.Context, d *db.DB, name, value string, at time.Time) (int64, error) {
	return db.Get[int64](ctx, d, "INSERT INTO queue (name, value, created_at, updated_at) VALUES (?, ?, ?, ?) RETURNING id", name, value, at, at)
}

func TestInstantsComeBackInUTCCutToMilliseconds(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		shanghai := time.FixedZone("CST", 8*3600)
		given := []time.Time{
			time.Date(2026, 3, 1, 7, 59, 59, 999_999_999, shanghai),
			time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
			time.Date(2026, 3, 1, 0, 0, 0, 500_000_000, time.UTC),
			time.Date(2026, 3, 1, 0, 0, 0, 510_000_000, time.UTC),
			time.Date(2026, 3, 1, 8, 0, 1, 0, shanghai),
		}
		for i, at := range given {
			_, err := insertQueue(ctx, d, string(rune('a'+i)), string(rune('a'+i)), at)
			require.NoError(t, err)
		}
		back, err := db.Select[time.Time](ctx, d, "SELECT created_at FROM queue ORDER BY created_at")
		require.NoError(t, err)
		require.Len(t, back, len(given))
		for i, at := range back {
			require.Equal(t, db.Cut(given[i]), at, "order, zone and precision")
			require.Equal(t, time.UTC, at.Location())
		}
		n, err := db.Get[int](ctx, d, "SELECT COUNT(*) FROM queue WHERE created_at > ? AND created_at <= ?", &given[1], sql.NullTime{Time: given[3], Valid: true})
		require.NoError(t, err)
		require.Equal(t, 2, n)
		args := []any{given[0]}
		_, err = d.Exec(ctx, "UPDATE queue SET updated_at = ?", args...)
		require.NoError(t, err)
		require.Equal(t, given[0], args[0], "the caller's arguments are not touched")
		last, err := db.Get[time.Time](ctx, d, "UPDATE queue SET updated_at = ? WHERE name = ? RETURNING updated_at", given[2], "a")
		require.NoError(t, err)
		require.Equal(t, given[2], last)
	})
}

func TestConflictNamesTheConstraint(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, now := t.Context(), time.Now()
		_, err := insertQueue(ctx, d, "a", "a", now)
		require.NoError(t, err)
		for constraint, row := range map[string][2]string{"uq_queue_name": {"a", "b"}, "uq_queue_value": {"b", "a"}} {
			_, err = insertQueue(ctx, d, row[0], row[1], now)
			name, ok := db.Conflict(err)
			require.True(t, ok)
			require.Equal(t, constraint, name)
			require.False(t, db.Unavailable(err))
			require.False(t, db.ForeignKey(err))
		}
		require.NoError(t, put(ctx, d, "x1"))
		name, ok := db.Conflict(put(ctx, d, "x1"))
		require.True(t, ok)
		require.Equal(t, "id_block_pkey", name)

		_, err = db.Get[int64](ctx, d, "INSERT INTO users (name, password_hash, user_type, created_at, updated_at) VALUES ('u', '', 'GENERAL_USER', ?, ?) RETURNING id", now, now)
		require.NoError(t, err)
		insert := "INSERT INTO project (code, name, owner_id, created_at, updated_at) VALUES (?, ?, (SELECT id FROM users WHERE name = 'u'), ?, ?)"
		_, err = d.Exec(ctx, insert, 1, "p", now, now)
		require.NoError(t, err)
		workflow := "INSERT INTO workflow_definition (code, project_code, name, version, release_state, execution_type, owner_id, modified_by, created_at, updated_at) SELECT ?, 1, 'w', 1, 'OFFLINE', 'PARALLEL', owner_id, owner_id, ?, ? FROM project"
		_, err = d.Exec(ctx, workflow, 10, now, now)
		require.NoError(t, err)
		_, err = d.Exec(ctx, workflow, 11, now, now)
		name, ok = db.Conflict(err)
		require.True(t, ok)
		require.Equal(t, "uq_workflow_definition_project_code_name", name, "several columns")
		_, ok = db.Conflict(fault.New(fault.Conflict, "x"))
		require.False(t, ok)
	})
}

func TestForeignKeysAreEnforcedAndRecognised(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, now := t.Context(), time.Now()
		_, err := d.Exec(ctx, "INSERT INTO tenant (code, queue_id, created_at, updated_at) VALUES ('t', 4711, ?, ?)", now, now)
		require.True(t, db.ForeignKey(err))
		id, err := insertQueue(ctx, d, "a", "a", now)
		require.NoError(t, err)
		_, err = d.Exec(ctx, "INSERT INTO tenant (code, queue_id, created_at, updated_at) VALUES ('t', ?, ?, ?)", id, now, now)
		require.NoError(t, err)
		_, err = d.Exec(ctx, "DELETE FROM queue WHERE id = ?", id)
		require.True(t, db.ForeignKey(err))
	})
}

func TestSearchTakesWildcardsLiterallyAndIgnoresCase(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, now := t.Context(), time.Now()
		for _, name := range []string{`50% off`, `50 off`, `a_b`, `axb`, `back\slash`, `MiXed`, `中文名`} {
			_, err := insertQueue(ctx, d, name, name, now)
			require.NoError(t, err)
		}
		for search, want := range map[string][]string{
			`%`: {`50% off`}, `_`: {`a_b`}, `\`: {`back\slash`}, `mixED`: {`MiXed`}, `文`: {`中文名`}, `' OR 1=1 --`: {},
		} {
			got, err := db.Select[string](ctx, d, "SELECT name FROM queue WHERE "+d.Dialect().Like("name"), db.Contains(search))
			require.NoError(t, err)
			require.Equal(t, want, got, search)
		}
	})
}

func TestNoneOfAListIsOneParameterForListsOfAnyLength(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, now := t.Context(), time.Now()
		var ids []int64
		for _, name := range []string{"a", "b", "c"} {
			id, err := insertQueue(ctx, d, name, name, now)
			require.NoError(t, err)
			ids = append(ids, id)
		}
		many := slices.Repeat([]int64{-1}, 40_000) // more than either database takes as parameters
		for _, c := range []struct {
			not  []int64
			want []int64
		}{
			{nil, ids}, {[]int64{}, ids}, {ids[:1], ids[1:]}, {ids, []int64{}}, {[]int64{math.MinInt64, math.MaxInt64}, ids}, {append(many, ids[2]), ids[:2]},
		} {
			where, list := d.Dialect().NoneOf("id", c.not)
			got, err := db.Select[int64](ctx, d, "SELECT id FROM queue WHERE name IN ('a', 'b', 'c') AND "+where+" AND id > ? ORDER BY id", list, 0)
			require.NoError(t, err)
			require.Equal(t, c.want, got, "without %d ids", len(c.not))
		}
	})
}

func TestGetAndSelectOfNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		_, err := db.Get[string](t.Context(), d, "SELECT name FROM queue WHERE id = ?", -1)
		require.ErrorIs(t, err, db.ErrNoRows)
		all, err := db.Select[string](t.Context(), d, "SELECT name FROM queue WHERE id = ?", -1)
		require.NoError(t, err)
		require.NotNil(t, all)
		require.Empty(t, all)
	})
}

func TestEachStreamsStructsAndStopsAtAnError(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		type row struct {
			Name string `db:"name"`
			Next int64  `db:"next"`
		}
		require.NoError(t, put(t.Context(), d, "x1"))
		require.NoError(t, put(t.Context(), d, "x2"))
		query, args, err := db.In("SELECT name, next FROM id_block WHERE name IN (?) ORDER BY name", []string{"x1", "x2"})
		require.NoError(t, err)
		var seen []string
		require.NoError(t, db.Each(t.Context(), d, func(r row) error { seen = append(seen, r.Name); return nil }, query, args...))
		require.Equal(t, []string{"x1", "x2"}, seen)
		calls := 0
		err = db.Each(t.Context(), d, func(row) error { calls++; return context.Canceled }, query, args...)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 1, calls)
	})
}

func TestSkipLockedClaimsDifferentRows(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		require.NoError(t, put(t.Context(), d, "x1"))
		require.NoError(t, put(t.Context(), d, "x2"))
		claim := "SELECT name FROM id_block WHERE name LIKE 'x%' ORDER BY name LIMIT 1 " + d.Dialect().ForUpdateSkipLocked()
		require.NoError(t, d.InTx(t.Context(), func(ctx context.Context) error {
			first, err := db.Get[string](ctx, d, claim)
			require.NoError(t, err)
			require.Equal(t, "x1", first)
			if d.Dialect().Name() == "sqlite" {
				return nil
			}
			return d.InTx(db.Detach(ctx), func(ctx context.Context) error {
				second, err := db.Get[string](ctx, d, claim)
				require.NoError(t, err)
				require.Equal(t, "x2", second)
				return nil
			})
		}))
	})
}

func TestSQLiteIsDurableAndPrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new folder", "a?b#c%d.db")
	d := dbtest.Open(t, "sqlite:"+path)
	got, err := d.Durability(t.Context())
	require.NoError(t, err)
	require.Equal(t, "journal_mode=wal synchronous=full", got)
	_, err = d.Exec(t.Context(), "CREATE TABLE t (a)")
	require.NoError(t, err)
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(path + suffix)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

func TestPostgresDurabilityIsReadBack(t *testing.T) {
	t.Parallel()
	got, err := dbtest.Postgres(t).Durability(t.Context())
	require.NoError(t, err)
	require.Regexp(t, `^fsync=(on|off) full_page_writes=(on|off) synchronous_commit=\w+$`, got)
}

func TestOpenExplainsWhatIsWrongWithoutThePassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "sqlite:", ":memory:", "mysql://root:hunter2@host/db", "postgres://u:hun%ter2@127.0.0.1/db",
		"postgres://u:hunter2@127.0.0.1:1/db?sslmode=disable", "/proc/nope/x.db", t.TempDir(),
	} {
		_, err := db.Open(t.Context(), db.Config{URL: url}, slog.New(slog.DiscardHandler))
		require.Error(t, err, url)
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, err.Error(), "hun%ter2")
		require.NotContains(t, err.Error(), "%!")
	}
	_, err := db.Open(t.Context(), db.Config{URL: "postgres://u:x@127.0.0.1:1/db?sslmode=disable"}, slog.New(slog.DiscardHandler))
	require.True(t, db.Unavailable(err), "nobody listens: worth trying again")
}

func TestLostConnectionsAreUnavailableAndThenRecover(t *testing.T) {
	t.Parallel()
	d := dbtest.Postgres(t)
	err := d.InTx(t.Context(), func(ctx context.Context) error {
		_, err := d.Exec(ctx, "SELECT pg_terminate_backend(pg_backend_pid())")
		return err
	})
	require.True(t, db.Unavailable(err), "%v", err)
	require.ErrorIs(t, err, db.ErrUnavailable)
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.NoError(t, put(t.Context(), d, "x1"))
}
