package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAMasterReadsNoCommandsForOneItKnows(t *testing.T) {
	t.Parallel()
	i := newIntake(nil, nil)
	i.flight[34], i.flight[35] = 0, 2 // one under way, one done since the last read
	for payload, want := range map[string]bool{
		"12:34": false, "12:35": false,
		"12:36": true, "12": true, "": true, "12:": true, "x:y": true, "12:99999999999999999999": true,
	} {
		i.told(payload)
		require.Len(t, i.wake, 1, "%q", payload)
		<-i.wake
		require.Equal(t, want, i.unread(), "%q", payload)
		require.False(t, i.unread(), "%q: it was looked at", payload)
	}
	i.told("12:34")
	i.nudge()
	require.True(t, i.unread(), "somebody else may have left one")
	i.told("12:34")
	i.told("12:36")
	require.True(t, i.unread(), "one of them is new")
	for range 2 * intakeLimit {
		i.told("12:34")
	}
	require.True(t, i.unread(), "it remembers so many")
	require.LessOrEqual(t, cap(i.heard), 2*intakeLimit)
}
