package testkit

import (
	"context"
	"math/rand/v2"
	"net"
	"strconv"
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

// FreePort returns a TCP port of 127.0.0.1 that nobody listens on. It lies below the ports that the kernel gives to
// outgoing connections, so that none of those takes it in the meantime. Prefer listening on port 0.
func FreePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	var err error
	for range 100 {
		port := 10_000 + rand.IntN(20_000)
		var l net.Listener
		if l, err = lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, err
}
