//go:build e2e

package e2e

import (
	"errors"
	"io"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/chaos/storm"
	"dorado/e2e/harness"
)

// A cluster works while everything in it breaks, and keeps its promises: nothing lost, nothing done twice but what a dead
// worker leaves no choice about, nothing stuck. How long it takes depends on the machine; what comes out must not. The
// faults are the same each time; DORADO_CHAOS_SEED and DORADO_CHAOS_FAULTS change them.
func TestAClusterKeepsItsPromisesInAStorm(t *testing.T) {
	t.Parallel()
	number := func(name string, other int) int {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.Atoi(text)
			require.NoError(t, err)
			return n
		}
		return other
	}
	ctx := within(t, 18*time.Minute)
	r, err := storm.Run(ctx, storm.Options{
		Binary: binary(t), Out: testWriter{t}, Seed: uint64(number("DORADO_CHAOS_SEED", 20_261)),
		Faults: number("DORADO_CHAOS_FAULTS", 26), Every: 5 * time.Second, Tasks: 150, Flight: 12, Patience: 4 * time.Minute,
		Shape: storm.Shape{Masters: 3, Workers: 3, ZooKeepers: 3, Registry: "zookeeper", Slots: 16, Disks: true, Session: 8 * time.Second},
	})
	if errors.Is(err, harness.ErrNoPostgres) || errors.Is(err, harness.ErrNoZooKeeper) {
		missing(t, err)
	}
	require.NoError(t, err)
	t.Log(r)
	require.Empty(t, r.Verdict.Breaches)
}

// testWriter writes lines to the log of a test.
type testWriter struct{ t *testing.T }

var _ io.Writer = testWriter{}

// Write implements io.Writer.
func (w testWriter) Write(p []byte) (int, error) {
	w.t.Helper()
	w.t.Logf("%s", p[:max(0, len(p)-1)])
	return len(p), nil
}
