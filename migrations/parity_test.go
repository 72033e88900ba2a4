package migrations_test

import (
	"context"
	"database/sql"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/migrations"
)

// schema is what both dialects must agree on, as sorted lines.
type schema struct {
	Columns []string // table.column nullable
	Uniques []string // names of unique constraints
	Indexes []string // names of the other indexes with their table
	Foreign []string // table.column -> table.column ON DELETE
}

func TestBothDialectsReachTheSameSchema(t *testing.T) {
	t.Parallel()
	lite, post := dbtest.SQLite(t), dbtest.Postgres(t)
	require.Equal(t, postgresSchema(t, post.SQLX().DB), sqliteSchema(t, lite.SQLX().DB))
}

func TestMigrationsHaveTheSameNumbersAndNames(t *testing.T) {
	t.Parallel()
	lite, post := dbtest.SQLite(t), dbtest.Postgres(t)
	a, err := migrations.Status(t.Context(), lite.SQLX().DB, migrations.SQLite)
	require.NoError(t, err)
	b, err := migrations.Status(t.Context(), post.SQLX().DB, migrations.Postgres)
	require.NoError(t, err)
	require.Len(t, b, len(a))
	for i := range a {
		require.Equal(t, a[i].Version, b[i].Version)
		require.Equal(t, a[i].Name, b[i].Name)
		require.False(t, a[i].AppliedAt.IsZero())
	}
}

func TestDownEmptiesTheDatabaseAndUpBringsItBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, x, dialect := t.Context(), d.SQLX().DB, d.Dialect().Name()
		read := sqliteSchema
		if dialect == migrations.Postgres {
			read = postgresSchema
		}
		before := read(t, x)
		require.NoError(t, migrations.DownTo(ctx, x, dialect, 0))
		require.Empty(t, read(t, x).Columns)
		applied, err := migrations.Up(ctx, x, dialect)
		require.NoError(t, err)
		require.NotEmpty(t, applied)
		require.Equal(t, before, read(t, x))
		applied, err = migrations.Up(ctx, x, dialect)
		require.NoError(t, err)
		require.Empty(t, applied, "nothing is applied twice")
	})
}

func TestANewerDatabaseIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, x, dialect := t.Context(), d.SQLX().DB, d.Dialect().Name()
		_, err := d.Exec(ctx, "INSERT INTO schema_migration (version_id, is_applied) VALUES (?, ?)", 99999, true)
		require.NoError(t, err)
		_, err = d.Exec(ctx, "UPDATE setting SET value = '99999' WHERE name = 'schema_minimum'")
		require.NoError(t, err)
		_, err = migrations.Up(ctx, x, dialect)
		require.ErrorIs(t, err, migrations.ErrNewer)
		_, err = migrations.Status(ctx, x, dialect)
		require.ErrorIs(t, err, migrations.ErrNewer)
		require.ErrorIs(t, migrations.DownTo(ctx, x, dialect, 0), migrations.ErrNewer)
		_, err = db.Get[int](ctx, d, "SELECT COUNT(*) FROM users")
		require.NoError(t, err)
	})
}

func TestProcessesThatMigrateTogetherDoNotCollide(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, dialect := t.Context(), d.Dialect().Name()
		if dialect == migrations.SQLite {
			t.Skip("a SQLite file belongs to one process, which its lock file ensures")
		}
		require.NoError(t, migrations.DownTo(ctx, d.SQLX().DB, dialect, 0))
		errs := make(chan error, 3)
		for range cap(errs) {
			go func() {
				_, err := migrations.Up(ctx, d.SQLX().DB, dialect)
				errs <- err
			}()
		}
		for range cap(errs) {
			require.NoError(t, <-errs)
		}
	})
}

// The bookkeeping of goose is not our schema.
func ours(name string) bool {
	return !strings.HasPrefix(name, "schema_migration") && !strings.HasPrefix(name, "sqlite_")
}

func rows(t *testing.T, x *sql.DB, query string) [][]string {
	t.Helper()
	r, err := x.QueryContext(context.Background(), query)
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	columns, err := r.Columns()
	require.NoError(t, err)
	var out [][]string
	for r.Next() {
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		require.NoError(t, r.Scan(into...))
		line := make([]string, len(columns))
		for i, v := range values {
			line[i] = v.String
		}
		if ours(line[0]) {
			out = append(out, line)
		}
	}
	require.NoError(t, r.Err())
	return out
}

func lines(rows [][]string) []string {
	out := []string{}
	for _, r := range rows {
		out = append(out, strings.Join(r, " "))
	}
	slices.Sort(out)
	return out
}

func postgresSchema(t *testing.T, x *sql.DB) schema {
	t.Helper()
	return schema{
		Columns: lines(rows(t, x, `SELECT table_name, column_name, is_nullable FROM information_schema.columns WHERE table_schema = 'public'`)),
		Uniques: lines(rows(t, x, `SELECT rel.relname, con.conname FROM pg_constraint con JOIN pg_class rel ON rel.oid = con.conrelid
			WHERE con.contype = 'u' AND con.connamespace = 'public'::regnamespace`)),
		Indexes: lines(rows(t, x, `SELECT i.tablename, i.indexname FROM pg_indexes i WHERE i.schemaname = 'public'
			AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname)`)),
		Foreign: lines(rows(t, x, `SELECT rel.relname, att.attname, to_rel.relname, to_att.attname,
			CASE con.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'NO ACTION' END
			FROM pg_constraint con
			JOIN pg_class rel ON rel.oid = con.conrelid JOIN pg_class to_rel ON to_rel.oid = con.confrelid
			JOIN pg_attribute att ON att.attrelid = con.conrelid AND att.attnum = con.conkey[1]
			JOIN pg_attribute to_att ON to_att.attrelid = con.confrelid AND to_att.attnum = con.confkey[1]
			WHERE con.contype = 'f'`)),
	}
}

// SQLite does not keep the names of constraints, so they are read from the text of the tables.
func sqliteSchema(t *testing.T, x *sql.DB) schema {
	t.Helper()
	unique := regexp.MustCompile(`CONSTRAINT\s+(\w+)\s+UNIQUE`)
	var uniques [][]string
	for _, r := range rows(t, x, `SELECT name, sql FROM sqlite_master WHERE type = 'table'`) {
		for _, m := range unique.FindAllStringSubmatch(r[1], -1) {
			uniques = append(uniques, []string{r[0], m[1]})
		}
	}
	return schema{
		Columns: lines(rows(t, x, `SELECT m.name, c.name, CASE WHEN c."notnull" = 1 OR c.pk > 0 THEN 'NO' ELSE 'YES' END
			FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'`)),
		Uniques: lines(uniques),
		Indexes: lines(rows(t, x, `SELECT tbl_name, name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL`)),
		Foreign: lines(rows(t, x, `SELECT m.name, f."from", f."table", COALESCE(f."to", 'id'), f.on_delete
			FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`)),
	}
}

func TestUniqueConstraintsFollowTheNamingRule(t *testing.T) {
	t.Parallel()
	x := dbtest.Postgres(t).SQLX().DB
	for _, r := range rows(t, x, `SELECT rel.relname, con.conname, string_agg(att.attname, '_' ORDER BY k.n)
		FROM pg_constraint con JOIN pg_class rel ON rel.oid = con.conrelid
		CROSS JOIN LATERAL unnest(con.conkey) WITH ORDINALITY k(num, n)
		JOIN pg_attribute att ON att.attrelid = con.conrelid AND att.attnum = k.num
		WHERE con.contype = 'u' AND con.connamespace = 'public'::regnamespace GROUP BY rel.relname, con.conname`) {
		require.Equal(t, "uq_"+r[0]+"_"+r[2], r[1], "db.Conflict derives the name from the columns on SQLite")
	}
}
