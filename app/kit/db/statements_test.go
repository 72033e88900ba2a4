package db_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
)

const (
	putBlock  = `INSERT INTO id_block (name, next) VALUES (?, ?)`
	readBlock = `SELECT next FROM id_block WHERE name = ?`
)

func TestAStatementIsPreparedWhenItComesAgain(t *testing.T) {
	t.Parallel()
	d := dbtest.Postgres(t)
	const count = `SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%id_block WHERE name%' AND statement NOT LIKE '%pg_prepared%'`
	var after []int
	require.NoError(t, d.InTx(t.Context(), func(ctx context.Context) error { // one connection for all
		for range 3 {
			if _, err := db.Get[int64](ctx, d, readBlock, "task_instance"); err != nil {
				return err
			}
			n, err := db.Get[int](ctx, d, count)
			if err != nil {
				return err
			}
			after = append(after, n)
		}
		return nil
	}))
	require.Equal(t, []int{0, 1, 1}, after)
}

func TestAStatementMayBeUsedAgainWhileItsRowsAreRead(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	require.NoError(t, d.InTx(t.Context(), func(ctx context.Context) error {
		for i := range 3 {
			_, err := d.Exec(ctx, putBlock, fmt.Sprint("b", i), i)
			require.NoError(t, err)
		}
		const all = `SELECT next FROM id_block WHERE name LIKE ? ORDER BY next`
		for range 3 {
			var outer, inner []int64
			require.NoError(t, db.Each(ctx, d, func(r struct {
				Next int64 `db:"next"`
			},
			) error {
				outer = append(outer, r.Next)
				return db.Each(ctx, d, func(r struct {
					Next int64 `db:"next"`
				},
				) error {
					inner = append(inner, r.Next)
					return nil
				}, all, "b%")
			}, all, "b%"))
			require.Equal(t, []int64{0, 1, 2}, outer)
			require.Equal(t, []int64{0, 1, 2, 0, 1, 2, 0, 1, 2}, inner)
		}
		return nil
	}))
}

func TestAPreparedStatementSurvivesAFailureAndAChangedSchema(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		const star = `SELECT * FROM id_block WHERE name = ?`
		for range 3 {
			_, err := d.Exec(ctx, putBlock, "twice", 1)
			if err != nil {
				name, ok := db.Conflict(err)
				require.True(t, ok)
				require.NotEmpty(t, name)
			}
			_, err = db.Get[struct {
				Name string `db:"name"`
				Next int64  `db:"next"`
			}](ctx, d, star, "twice")
			require.NoError(t, err)
		}
		_, err := d.Exec(ctx, `ALTER TABLE id_block ADD COLUMN extra INTEGER NOT NULL DEFAULT 7`)
		require.NoError(t, err)
		var read int
		for range 40 { // each connection may fail once, then it forgets the statement
			row, err := db.Get[struct {
				Name  string `db:"name"`
				Next  int64  `db:"next"`
				Extra int    `db:"extra"`
			}](ctx, d, star, "twice")
			if err == nil {
				read++
				require.Equal(t, 7, row.Extra)
			}
		}
		require.Greater(t, read, 20)
		got, err := db.Get[int64](ctx, d, readBlock, "twice")
		require.NoError(t, err)
		require.EqualValues(t, 1, got)
	})
}

func TestManyDifferentStatementsDoNotPileUp(t *testing.T) {
	t.Parallel()
	d := dbtest.Postgres(t)
	require.NoError(t, d.InTx(t.Context(), func(ctx context.Context) error {
		for i := range 300 {
			for range 2 {
				_, err := db.Get[int](ctx, d, fmt.Sprintf("SELECT %d + ?::int", i), 1)
				require.NoError(t, err)
			}
		}
		n, err := db.Get[int](ctx, d, `SELECT count(*) FROM pg_prepared_statements`)
		require.LessOrEqual(t, n, 200)
		return err
	}))
}
