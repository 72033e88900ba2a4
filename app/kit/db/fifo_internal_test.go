package db

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWritersAreServedInTheOrderOfAsking(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var (
			f     fifo
			order []int
			wg    sync.WaitGroup
		)
		require.NoError(t, f.lock(t.Context()))
		for i := range 5 {
			wg.Go(func() {
				ctx := t.Context()
				if i == 2 { // gives up while it waits
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, time.Second)
					defer cancel()
				}
				if f.lock(ctx) == nil {
					order = append(order, i)
					f.unlock()
				}
			})
			synctest.Wait() // so that they ask one after the other
		}
		time.Sleep(2 * time.Second)
		f.unlock()
		wg.Wait()
		require.Equal(t, []int{0, 1, 3, 4}, order)
		require.False(t, f.held)
	})
}

func TestQueueSurvivesCancellationAtTheHandOver(t *testing.T) {
	t.Parallel()
	var f fifo
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%7)*100*time.Microsecond)
			defer cancel()
			if f.lock(ctx) == nil {
				time.Sleep(50 * time.Microsecond)
				f.unlock()
			}
		})
	}
	wg.Wait()
	require.NoError(t, f.lock(t.Context()))
	f.unlock()
}

func TestWritesAreTold(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]bool{
		"SELECT 1": false, "  select(1)": false, "WITH a AS (SELECT 1) SELECT * FROM a": false, "(SELECT 1)": false,
		"INSERT INTO t VALUES (1) RETURNING id": true, "update t set a = 1": true, "DELETE FROM t": true,
		"WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a RETURNING id": true, "": true,
	} {
		require.Equal(t, want, writes(query), query)
	}
}
