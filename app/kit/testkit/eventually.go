package testkit

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Patience is how long Eventually waits: long enough for a loaded machine, since a passing test never waits for it.
const Patience = 30 * time.Second

// Eventually waits until check returns nil, and fails the test with its last error after Patience.
func Eventually(t testing.TB, check func() error) {
	t.Helper()
	Within(t, Patience, check)
}

// Within is Eventually with another patience.
func Within(t testing.TB, patience time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			require.NoError(t, err, "still so after %s", patience)
		}
		time.Sleep(pause)
	}
}

// FreePort returns a TCP port of 127.0.0.1 that nobody listens on at the moment. Prefer listening on port 0.
func FreePort(t testing.TB) int {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	return l.Addr().(*net.TCPAddr).Port
}
