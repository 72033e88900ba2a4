package db_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
)

const insertBlock = "INSERT INTO id_block (name, next) VALUES (?, ?)"

func writerOf(t *testing.T, d *db.DB) *db.Writer {
	t.Helper()
	w, err := d.Writer(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	return w
}

func TestWriterCommitsAndRollsBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := writerOf(t, d)
		write := func(name string, fail error) error {
			return w.Tx(t.Context(), func(*sql.Conn) error {
				s, err := w.Stmt(t.Context(), insertBlock)
				if err != nil {
					return err
				}
				if _, err := s.ExecContext(t.Context(), name, 1); err != nil {
					return err
				}
				return fail
			})
		}
		boom := errors.New("boom")
		require.NoError(t, write("x1", nil))
		require.ErrorIs(t, write("x2", boom), boom)
		constraint, ok := db.Conflict(write("x1", nil))
		require.True(t, ok)
		require.Equal(t, "id_block_pkey", constraint)
		require.NoError(t, write("x3", nil), "a failed transaction leaves the connection usable")
		require.Equal(t, 2, count(t, d))
		require.Panics(t, func() {
			_ = w.Tx(t.Context(), func(conn *sql.Conn) error {
				_, err := conn.ExecContext(t.Context(), "INSERT INTO id_block (name, next) VALUES ('x4', 1)")
				require.NoError(t, err)
				panic("boom")
			})
		})
		require.NoError(t, write("x5", nil))
		require.Equal(t, 3, count(t, d))
	})
}

func TestWriterSharesTheQueueWithTransactions(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := writerOf(t, d)
		var wg sync.WaitGroup
		errs := make(chan error, 40)
		require.NoError(t, put(t.Context(), d, "x"))
		const bump = "UPDATE id_block SET next = next + 1 WHERE name = ?"
		for range 20 {
			wg.Go(func() {
				errs <- w.Tx(t.Context(), func(*sql.Conn) error {
					s, err := w.Stmt(t.Context(), bump)
					if err != nil {
						return err
					}
					_, err = s.ExecContext(t.Context(), "x")
					return err
				})
			})
			wg.Go(func() {
				errs <- d.InTx(t.Context(), func(ctx context.Context) error {
					_, err := d.Exec(ctx, bump, "x")
					return err
				})
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			require.NoError(t, err)
		}
		n, err := db.Get[int](t.Context(), d, "SELECT next FROM id_block WHERE name = 'x'")
		require.NoError(t, err)
		require.Equal(t, 41, n)
	})
}

func TestWriterReplacesALostConnection(t *testing.T) {
	t.Parallel()
	d := dbtest.Postgres(t)
	w := writerOf(t, d)
	var pid int
	require.NoError(t, w.Do(t.Context(), func(conn *sql.Conn) error {
		return conn.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&pid)
	}))
	_, err := d.Exec(t.Context(), "SELECT pg_terminate_backend(?)", pid)
	require.NoError(t, err)
	require.NoError(t, w.Tx(t.Context(), func(*sql.Conn) error {
		s, err := w.Stmt(t.Context(), insertBlock)
		if err != nil {
			return err
		}
		_, err = s.ExecContext(t.Context(), "x1", 1)
		return err
	}), "found dead at BEGIN: nothing was done yet, so it is replaced")

	err = w.Tx(t.Context(), func(conn *sql.Conn) error {
		_, err := conn.ExecContext(t.Context(), "SELECT pg_terminate_backend(pg_backend_pid())")
		return err
	})
	require.True(t, db.Unavailable(err), "%v", err)
	require.NoError(t, w.Do(t.Context(), func(conn *sql.Conn) error { return conn.PingContext(t.Context()) }))
	require.Equal(t, 1, count(t, d))
}
