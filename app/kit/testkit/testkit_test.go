package testkit_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/testkit"
)

func TestProcessOutputIsAwaitedAndItsEndReported(t *testing.T) {
	t.Parallel()
	p := testkit.Start(t, exec.CommandContext(t.Context(), "sh", "-c", "echo ready on port 123; echo oops >&2; exit 3"))
	require.Equal(t, []string{"port 123", "123"}, p.WaitForLine(t, `port (\d+)`))
	require.Equal(t, []string{"oops"}, p.WaitForLine(t, `oops`))
	err := p.Wait(t)
	exit, ok := errors.AsType[*exec.ExitError](err)
	require.True(t, ok)
	require.Equal(t, 3, exit.ExitCode())
	require.Contains(t, p.Output(), "oops")
	p.Kill()
}

func TestKillTakesTheWholeGroup(t *testing.T) {
	t.Parallel()
	p := testkit.Start(t, exec.CommandContext(t.Context(), "sh", "-c", "sleep 600 & echo child $!; wait"))
	child, err := strconv.Atoi(p.WaitForLine(t, `child (\d+)`)[1])
	require.NoError(t, err)
	p.Kill()
	testkit.Eventually(t, func() error {
		state, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(child), "stat"))
		if err != nil || syscall.Kill(child, 0) != nil {
			return nil //nolint:nilerr // no such process: it is gone
		}
		if string(state) == "" || containsZombie(string(state)) {
			return nil
		}
		return errors.New("the child lives")
	})
}

func containsZombie(stat string) bool {
	for i := range len(stat) - 2 {
		if stat[i:i+3] == ") Z" {
			return true
		}
	}
	return false
}

func TestFreePortCanBeListenedOn(t *testing.T) {
	t.Parallel()
	port, err := testkit.FreePort(t.Context())
	require.NoError(t, err)
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

func TestEventuallyTriesUntilItIsSo(t *testing.T) {
	t.Parallel()
	tries := 0
	testkit.Eventually(t, func() error {
		if tries++; tries < 4 {
			return errors.New("not yet")
		}
		return nil
	})
	require.Equal(t, 4, tries)
}

func TestGoldenComparesWithItsFile(t *testing.T) {
	t.Parallel()
	testkit.Golden(t, "hello.txt", "hello\n")
}
