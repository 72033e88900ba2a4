package ids_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/ids"
)

func TestCodeHasTheLayoutOfDolphinScheduler(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 10, 18, 9, 30, 0, 5e6, time.UTC)
	g := ids.NewGenerator(19, func() time.Time { return at })
	code := g.Next()

	require.Equal(t, at.UnixMilli()-1609430400000, code>>10)
	require.Equal(t, int64(19), code>>5&31)
	require.Equal(t, int64(0), code&31)
	require.Equal(t, int64(1), g.Next()&31)
	require.Greater(t, code, int64(1)<<31)
	require.Less(t, code, int64(1)<<53)
}

func TestCodesRiseWhenAMillisecondIsFullAndWhenTheClockGoesBack(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	g := ids.NewGenerator(1, func() time.Time { return at })
	codes := g.NextN(100)
	at = at.Add(-time.Hour)
	codes = append(codes, g.NextN(100)...)
	at = at.Add(2 * time.Hour)
	codes = append(codes, g.NextN(100)...)

	require.True(t, slices.IsSorted(codes))
	require.Len(t, slices.Compact(slices.Clone(codes)), 300)
	require.Equal(t, at.UnixMilli()-1609430400000, codes[200]>>10, "a clock that is right again is followed")
}

func TestConcurrentCodesNeverRepeat(t *testing.T) {
	t.Parallel()
	g := ids.NewGenerator(7, time.Now)
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		seen = map[int64]bool{}
	)
	for range 8 {
		wg.Go(func() {
			mine := g.NextN(2000)
			mu.Lock()
			defer mu.Unlock()
			for _, c := range mine {
				seen[c] = true
			}
		})
	}
	wg.Wait()
	require.Len(t, seen, 16000)
}

func TestMachineIsStableAndSmall(t *testing.T) {
	t.Parallel()
	first, again := ids.Machine("host", "12"), ids.Machine("host", "12")
	require.Equal(t, first, again)
	for h := range strings.SplitSeq("a b c d e f g h", " ") {
		m := ids.Machine(h)
		require.GreaterOrEqual(t, m, 0)
		require.Less(t, m, 32)
	}
}

func TestTokensDifferAndAreURLSafe(t *testing.T) {
	t.Parallel()
	a, b := ids.Token(), ids.Token()
	require.NotEqual(t, a, b)
	require.Regexp(t, `^[A-Za-z0-9_-]{43}$`, a)
	require.Regexp(t, `^[0-9a-f]{64}$`, ids.Hash(a))
	require.NotEqual(t, ids.Hash(a), ids.Hash(b))
}
