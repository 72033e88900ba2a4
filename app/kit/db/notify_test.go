package db_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
)

func listen(t *testing.T, d *db.DB, channel string) <-chan string {
	t.Helper()
	got := make(chan string, 10_000)
	require.NoError(t, d.Listen(t.Context(), channel, func(p string) { got <- p }))
	return got
}

func next(t *testing.T, got <-chan string) string {
	t.Helper()
	select {
	case p := <-got:
		return p
	case <-time.After(20 * time.Second):
		t.Fatal("no notification")
		return ""
	}
}

func TestNotificationsReachAllListenersOfTheirChannelInOrder(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, b, other := listen(t, d, "work"), listen(t, d, "work"), listen(t, d, "other")
		for i := range 20 {
			require.NoError(t, d.Notify(t.Context(), "work", fmt.Sprint(i)))
		}
		for i := range 20 {
			require.Equal(t, fmt.Sprint(i), next(t, a))
			require.Equal(t, fmt.Sprint(i), next(t, b))
		}
		require.Empty(t, other)
		require.Error(t, d.Notify(t.Context(), "work", strings.Repeat("x", 9000)))
	})
}

func TestNotificationLeavesWithTheCommitOnly(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		got := listen(t, d, "work")
		_ = d.InTx(t.Context(), func(ctx context.Context) error {
			require.NoError(t, d.Notify(ctx, "work", "rolled back"))
			return errors.New("boom")
		})
		require.NoError(t, d.InTx(t.Context(), func(ctx context.Context) error {
			require.NoError(t, d.Notify(ctx, "work", "committed"))
			time.Sleep(30 * time.Millisecond)
			require.Empty(t, got, "not before the commit")
			return nil
		}))
		require.Equal(t, "committed", next(t, got), "what was rolled back must not arrive, before it or at all")
	})
}

func TestSlowListenerIsToldToLookForItself(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	release, got := make(chan struct{}), make(chan string, 5000)
	require.NoError(t, d.Listen(t.Context(), "work", func(p string) {
		<-release
		got <- p
	}))
	for i := range 3000 {
		require.NoError(t, d.Notify(t.Context(), "work", fmt.Sprint(i)))
	}
	close(release)
	for range 3000 {
		if next(t, got) == "" {
			return
		}
	}
	t.Fatal("no empty payload")
}

func TestListenerComesBackAfterALostConnectionAndAsksForARescan(t *testing.T) {
	t.Parallel()
	d := dbtest.Postgres(t)
	got := listen(t, d, "work")
	_, err := d.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%' AND pid <> pg_backend_pid()")
	require.NoError(t, err)
	require.Empty(t, next(t, got))
	require.NoError(t, d.Notify(t.Context(), "work", "again"))
	for next(t, got) != "again" { // skips further requests for a rescan
	}
}

func TestListeningEndsWithTheContextAndWithTheDatabase(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		calls := make(chan string, 10)
		require.NoError(t, d.Listen(ctx, "work", func(p string) { calls <- p }))
		cancel()
		other := listen(t, d, "work")
		time.Sleep(20 * time.Millisecond)
		require.NoError(t, d.Notify(t.Context(), "work", "x"))
		require.Equal(t, "x", next(t, other))
		require.Empty(t, calls)
		require.NoError(t, d.Close())
		require.Error(t, d.Listen(t.Context(), "work", func(string) {}))
	})
}
