package boot

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAMasterMakesDoWithHalfOfTheProcessorsUntilItNeedsMore(t *testing.T) {
	t.Parallel()
	p := &processors{few: 2, all: 4, now: 4}
	look := func(times int, used float64) (now int) {
		for range times {
			now = p.decide(used)
		}
		return now
	}
	require.Equal(t, 4, look(calmFor-1, 0.1), "it begins with all of them, for starting is work")
	require.Equal(t, 2, look(1, 0.1))
	require.Equal(t, 2, look(100, 1.5), "two are enough for one and a half")
	require.Equal(t, 4, look(1, 1.7), "the first look that finds them busy is enough")
	require.Equal(t, 4, look(100, 2.5))
	require.Equal(t, 4, look(calmFor-1, 1.1))
	require.Equal(t, 4, look(1, 1.3), "a busy look in between")
	require.Equal(t, 4, look(calmFor-1, 1.1))
	require.Equal(t, 2, look(1, 1.1))
}

func TestProcessorTimeGrows(t *testing.T) {
	t.Parallel()
	before := processorTime()
	for n := 0; processorTime() == before; n++ {
		require.Less(t, n, 1<<30)
	}
}
