package db_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
)

func put(ctx context.Context, d *db.DB, name string) error {
	_, err := d.Exec(ctx, "INSERT INTO id_block (name, next) VALUES (?, ?)", name, 1)
	return err
}

func count(t *testing.T, d *db.DB) int {
	t.Helper()
	n, err := db.Get[int](t.Context(), d, "SELECT COUNT(*) FROM id_block WHERE name LIKE 'x%'")
	require.NoError(t, err)
	return n
}

func TestTransactionCommitsAllOrNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		boom := errors.New("boom")
		err := d.InTx(t.Context(), func(ctx context.Context) error {
			require.NoError(t, put(ctx, d, "x1"))
			return boom
		})
		require.ErrorIs(t, err, boom)
		require.Zero(t, count(t, d))
		require.NoError(t, d.InTx(t.Context(), func(ctx context.Context) error {
			return errors.Join(put(ctx, d, "x1"), put(ctx, d, "x2"))
		}))
		require.Equal(t, 2, count(t, d))
	})
}

func TestInnerTransactionJoinsTheOuterOne(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		boom := errors.New("boom")
		err := d.InTx(t.Context(), func(ctx context.Context) error {
			require.True(t, db.InTransaction(ctx))
			require.NoError(t, d.InTx(ctx, func(ctx context.Context) error { return put(ctx, d, "x1") }))
			return boom
		})
		require.ErrorIs(t, err, boom)
		require.Zero(t, count(t, d), "the inner one must not have committed on its own")
	})
}

func TestDroppedInnerErrorDoomsTheWhole(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		boom := errors.New("boom")
		committed := false
		err := d.InTx(t.Context(), func(ctx context.Context) error {
			db.AfterCommit(ctx, func(context.Context) { committed = true })
			require.NoError(t, put(ctx, d, "x1"))
			_ = d.InTx(ctx, func(context.Context) error { return boom })
			return nil
		})
		require.ErrorIs(t, err, boom)
		require.Zero(t, count(t, d))
		require.False(t, committed)
	})
}

func TestPanicRollsBackAndPassesOn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		require.PanicsWithValue(t, "boom", func() {
			_ = d.InTx(t.Context(), func(ctx context.Context) error {
				require.NoError(t, put(ctx, d, "x1"))
				panic("boom")
			})
		})
		require.Zero(t, count(t, d))
		require.NoError(t, put(t.Context(), d, "x2"), "the writer's place must be free again")

		err := d.InTx(t.Context(), func(ctx context.Context) error {
			require.NoError(t, put(ctx, d, "x3"))
			func() {
				defer func() { _ = recover() }()
				_ = d.InTx(ctx, func(context.Context) error { panic("inner") })
			}()
			return nil
		})
		require.ErrorContains(t, err, "panicked")
		require.Equal(t, 1, count(t, d))
	})
}

func TestAfterCommitMayWriteThoughTheRequestIsGone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		var hookErr error
		require.NoError(t, d.InTx(ctx, func(ctx context.Context) error {
			db.AfterCommit(ctx, func(ctx context.Context) {
				cancel()
				hookErr = d.InTx(ctx, func(ctx context.Context) error { return put(ctx, d, "x2") })
			})
			return put(ctx, d, "x1")
		}))
		require.NoError(t, hookErr)
		require.Equal(t, 2, count(t, d))

		ran := false
		db.AfterCommit(t.Context(), func(context.Context) { ran = true })
		require.True(t, ran, "without a transaction it runs at once")
	})
}

func TestContextThatOutlivesItsTransactionIsRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var kept context.Context
		require.NoError(t, d.InTx(t.Context(), func(ctx context.Context) error {
			kept = ctx
			return nil
		}))
		require.ErrorIs(t, put(kept, d, "x1"), db.ErrEnded)
		_, err := db.Get[int](kept, d, "SELECT 1")
		require.ErrorIs(t, err, db.ErrEnded)
		require.ErrorIs(t, d.InTx(kept, func(context.Context) error { return nil }), db.ErrEnded)
		require.NoError(t, put(db.Detach(kept), d, "x1"))
	})
}

func TestManyWritersAllSucceedWithoutBusyErrors(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		_, err := d.Exec(t.Context(), "INSERT INTO id_block (name, next) VALUES ('x', 0)")
		require.NoError(t, err)
		var wg sync.WaitGroup
		var failed atomic.Int64
		for i := range 40 {
			wg.Go(func() {
				work := func(ctx context.Context) error {
					_, err := db.Get[int64](ctx, d, "UPDATE id_block SET next = next + 1 WHERE name = ? RETURNING next", "x")
					return err
				}
				for range 5 {
					var err error
					if i%2 == 0 {
						err = d.InTx(t.Context(), work)
					} else {
						err = work(t.Context())
					}
					if err != nil {
						failed.Add(1)
						t.Log(err)
					}
				}
			})
		}
		wg.Wait()
		require.Zero(t, failed.Load())
		n, err := db.Get[int64](t.Context(), d, "SELECT next FROM id_block WHERE name = ?", "x")
		require.NoError(t, err)
		require.Equal(t, int64(200), n)
	})
}

func TestReadersDoNotWaitForAnOpenTransactionOnSQLite(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	require.NoError(t, d.InTx(t.Context(), func(ctx context.Context) error {
		require.NoError(t, put(ctx, d, "x1"))
		outside, cancel := context.WithTimeout(db.Detach(ctx), 5*time.Second)
		defer cancel()
		n, err := db.Get[int](outside, d, "SELECT COUNT(*) FROM id_block WHERE name LIKE 'x%'")
		require.NoError(t, err)
		require.Zero(t, n, "not committed, not seen")
		return nil
	}))
}

func TestWaitingForTheWriterEndsWithTheContext(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	require.NoError(t, d.InTx(t.Context(), func(ctx context.Context) error {
		short, cancel := context.WithTimeout(db.Detach(ctx), 20*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, put(short, d, "x1"), context.DeadlineExceeded)
		return nil
	}))
	require.NoError(t, put(t.Context(), d, "x1"), "who gave up must have left the queue")
}

func TestCancelledTransactionIsRolledBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		err := d.InTx(ctx, func(ctx context.Context) error {
			require.NoError(t, put(ctx, d, "x1"))
			cancel()
			return nil
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, count(t, d))
		require.NoError(t, put(t.Context(), d, "x2"))
	})
}
