package harness_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

func TestAnEnsembleOutlivesItsLeader(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	z, err := harness.StartZooKeeper(ctx, 3)
	if errors.Is(err, harness.ErrNoZooKeeper) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	defer func() { require.NoError(t, z.Close()) }()
	require.Len(t, strings.Split(z.Connect(), ","), 3)

	first, err := z.Leader(ctx)
	require.NoError(t, err)
	require.NoError(t, z.Kill(ctx, first))
	require.False(t, z.Running(first))
	second := newLeader(ctx, t, z)
	require.NotEqual(t, first, second)

	require.NoError(t, z.Restart(ctx, first))
	require.NoError(t, z.WaitReady(ctx))
	mode, err := z.Mode(ctx, first)
	require.NoError(t, err)
	require.Equal(t, "follower", mode)

	require.NoError(t, z.Pause(second))
	_, err = z.Ask(ctx, second, "ruok")
	require.Error(t, err, "a paused server answers nobody")
	require.NotEqual(t, second, newLeader(ctx, t, z))
	require.NoError(t, z.Resume(second))
}

// newLeader returns the leader as soon as there is one.
func newLeader(ctx context.Context, t *testing.T, z *harness.ZooKeeper) int {
	t.Helper()
	for {
		leader, err := z.Leader(ctx)
		if err == nil {
			return leader
		}
		require.NoError(t, ctx.Err())
		time.Sleep(50 * time.Millisecond)
	}
}
