package boot

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASmallHeapMayGrowFurtherThanALargeOne(t *testing.T) {
	t.Parallel()
	for live, limit := range map[uint64]uint64{ // megabytes: in use, and when it is collected next
		3: 24, 8: 24, 12: 24, 20: 30, 100: 150,
	} {
		got := live * uint64(100+heapGrowth(live<<20)) / 100
		require.InDelta(t, limit, got, 1, "%d MB in use", live)
	}
	require.Equal(t, 100, heapGrowth(0), "before the first collection nothing is known")
}
