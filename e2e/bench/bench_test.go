package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func bash() Shell { return Shell{Path: "/bin/bash", Env: os.Environ()} }

func TestTheRawLoopRunsEachTaskOnceWithItsOwnLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := newLedger(filepath.Join(dir, "ledger"))
	require.NoError(t, err)
	r, err := rawLoop(t.Context(), bash(), 20, 3, filepath.Join(dir, "logs"), func(i int) string {
		return fmt.Sprintf("echo hello %d; %s", i, l.Line(fmt.Sprint(i)))
	})
	require.NoError(t, err)
	require.Len(t, r.Starts, 20)
	require.Positive(t, r.Wall)
	require.Positive(t, r.CPU)
	entries, err := l.Entries()
	require.NoError(t, err)
	require.Len(t, entries, 20)
	require.Empty(t, twice(entries))
	require.WithinDuration(t, time.Now(), entries[0].At, time.Minute)
	log, err := os.ReadFile(filepath.Join(dir, "logs", "7.log"))
	require.NoError(t, err)
	require.Equal(t, "hello 7\n", string(log))
}

func TestAFailedRawTaskVoidsTheRun(t *testing.T) {
	t.Parallel()
	_, err := rawLoop(t.Context(), bash(), 3, 1, t.TempDir(), func(int) string { return "exit 4" })
	require.ErrorContains(t, err, "raw task")
}

func TestTheLedgerCountsWhatIsNewAndFindsRepeats(t *testing.T) {
	t.Parallel()
	l, err := newLedger(filepath.Join(t.TempDir(), "ledger"))
	require.NoError(t, err)
	var at int64
	appendTo := func(text string) {
		f, err := os.OpenFile(l.Path, os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteString(text)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	appendTo("1 1700000000.000001\n2 1700000000.000002\n")
	n, err := l.Count(&at)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	appendTo("1 1700000000.000003\n")
	n, err = l.Count(&at)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	entries, err := l.Entries()
	require.NoError(t, err)
	require.Equal(t, map[string]int{"1": 2}, twice(entries))
	require.Equal(t, 2*time.Microsecond, entries[2].At.Sub(entries[0].At))
}

func TestMediansAndQuantiles(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 2, median([]float64{3, 1, 2}), 0)
	require.InDelta(t, 2.5, median([]float64{4, 1, 2, 3}), 0)
	require.True(t, math.IsNaN(median(nil)))
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100 - i)
	}
	require.Equal(t, time.Duration(50), quantile(hundred, 0.5))
	require.Equal(t, time.Duration(99), quantile(hundred, 0.99))
	require.Equal(t, time.Duration(100), quantile(hundred, 1))
	require.Equal(t, "0.90 (0.80…1.00)", spreadOf([]float64{1, 0.8, 0.9}).String())
}

func TestProcTellsOfThisProcessAndItsChildren(t *testing.T) {
	t.Parallel()
	c, err := start(Shell{Path: "/bin/bash", Env: os.Environ()}, "sleep 30 & wait", filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	t.Cleanup(func() {
		p, findErr := os.FindProcess(-c.pid)
		require.NoError(t, findErr)
		require.NoError(t, p.Kill())
		_, waitErr := c.wait()
		require.NoError(t, waitErr)
	})
	require.Eventually(t, func() bool {
		procs, err := tree(c.pid)
		return err == nil && len(procs) == 2
	}, 5*time.Second, 10*time.Millisecond)
	me, err := readProc(os.Getpid())
	require.NoError(t, err)
	require.Equal(t, os.Getppid(), me.PPID)
	require.Positive(t, me.RSS)
	require.Greater(t, me.Threads, 1)
	raw, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	require.Contains(t, string(raw), "Threads:")
}

func TestIdleIsAShare(t *testing.T) {
	t.Parallel()
	share, err := idle(t.Context(), 50*time.Millisecond)
	require.NoError(t, err)
	require.GreaterOrEqual(t, share, 0.0)
	require.LessOrEqual(t, share, 1.0)
}
