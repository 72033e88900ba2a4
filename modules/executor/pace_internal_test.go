package executor

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEndsWaitForCompanyOnlyInACrowd(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var p pace
	for range 50 { // one after the other, as in a chain
		now = now.Add(4 * time.Millisecond)
		p.note(now, 1)
		require.False(t, p.crowded)
	}
	for range 10 {
		now = now.Add(4 * time.Millisecond)
		p.note(now, 2*crowd*runtime.NumCPU())
	}
	require.True(t, p.crowded)
	now = now.Add(time.Second)
	p.note(now, 2*crowd*runtime.NumCPU())
	require.False(t, p.crowded, "many ends after a quiet second are no crowd yet")
}
