package clustertest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/testkit"
	"dorado/modules/cluster"
)

// acquire asks for a lock and sends it once it is held.
func acquire(t *testing.T, r cluster.Registry, name string) <-chan cluster.Lock {
	t.Helper()
	got := make(chan cluster.Lock, 1)
	go func() {
		if l, err := r.Lock(t.Context(), name); err == nil {
			got <- l
		}
	}()
	return got
}

// queue waits until n wait for a lock, or hold it.
func queue(t *testing.T, r cluster.Registry, name string, n int) {
	t.Helper()
	testkit.Eventually(t, func() error {
		entries, err := r.Tree(t.Context())
		if err != nil {
			return err
		}
		found := 0
		for i := range entries {
			if strings.Contains(entries[i].Path, "/lock/"+name+"/") {
				found++
			}
		}
		if found != n {
			return fmt.Errorf("%d in the queue, not %d", found, n)
		}
		return nil
	})
}

func lockOrder(t *testing.T, b Backend) {
	one, _ := open(t, b)
	two, _ := open(t, b)
	three, _ := open(t, b)
	first, err := one.Lock(t.Context(), "order")
	require.NoError(t, err)
	other, err := two.Lock(t.Context(), "another")
	require.NoError(t, err, "another lock is another lock")
	require.NoError(t, other.Unlock(t.Context()))

	second := acquire(t, two, "order")
	queue(t, three, "order", 2)
	ctx, cancel := context.WithCancel(t.Context())
	given := make(chan error, 1)
	go func() {
		_, err := three.Lock(ctx, "order")
		given <- err
	}()
	queue(t, three, "order", 3)
	fourth := acquire(t, one, "order") // one process may wait behind itself
	queue(t, three, "order", 4)
	select {
	case <-second:
		require.FailNow(t, "two hold one lock")
	case <-time.After(200 * time.Millisecond):
	}
	cancel()
	require.ErrorIs(t, receive(t, given, "the given up"), context.Canceled)
	queue(t, two, "order", 3)

	require.NoError(t, first.Unlock(t.Context()))
	l := receive(t, second, "the second")
	select {
	case <-fourth:
		require.FailNow(t, "two hold one lock")
	case <-time.After(200 * time.Millisecond):
	}
	held(t, l.Lost(), "the lock")
	held(t, first.Lost(), "a lock that was given back")
	require.NoError(t, l.Unlock(t.Context()))
	l = receive(t, fourth, "the fourth")
	require.NoError(t, l.Unlock(t.Context()))
	require.NoError(t, l.Unlock(t.Context()), "giving back twice is harmless")
}

func lockLost(t *testing.T, b Backend) {
	one, link := open(t, b)
	two, _ := open(t, b)
	first, err := one.Lock(t.Context(), "dead")
	require.NoError(t, err)
	second := acquire(t, two, "dead")
	queue(t, two, "dead", 2)
	lost := closedAt(t, first.Lost())
	link.Cut()
	l := receive(t, second, "the second")
	got := time.Now()
	require.True(t, receive(t, lost, "the first lost").Before(got))
	link.Heal()
	require.NoError(t, first.Unlock(t.Context()), "giving back what is lost is harmless")
	time.Sleep(cluster.BeatInterval)
	held(t, l.Lost(), "the second's lock")
	require.NoError(t, l.Unlock(t.Context()))
}

func lockRemoved(t *testing.T, b Backend) {
	one, _ := open(t, b)
	l, err := one.Lock(t.Context(), "removed")
	require.NoError(t, err)
	entries, err := one.Tree(t.Context())
	require.NoError(t, err)
	for i := range entries {
		if strings.Contains(entries[i].Path, "/lock/removed/") {
			b.Delete(t, entries[i].Path)
		}
	}
	receive(t, l.Lost(), "the lock lost")
	require.NoError(t, l.Unlock(t.Context()))
}
