package boot

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASmallHeapMayGrowFurtherThanALargeOne(t *testing.T) {
	t.Parallel()
	for live, limit := range map[uint64]uint64{ // megabytes: in use, and when it is collected next
		3: 24, 8: 24, 16: 24, 20: 28, 40: 50, 100: 125,
	} {
		got := live * uint64(100+heapGrowth(live<<20)) / 100
		require.InDelta(t, limit, got, 1, "%d MB in use", live)
	}
	require.Equal(t, 100, heapGrowth(0), "before the first collection nothing is known")
}
