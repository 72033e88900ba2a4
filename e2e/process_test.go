//go:build e2e

package e2e

import (
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

// A stranger starts the program for the first time.
func TestTheFirstStartPrintsAOneTimeLinkAndIsReadyInASecond(t *testing.T) {
	t.Parallel()
	p := launch(t, harness.Options{Mode: "standalone"})
	took := ready(t, p)
	t.Logf("ready after %s", took)
	link, err := p.SignInLink(within(t, 5*time.Second))
	require.NoError(t, err)
	require.NotContains(t, p.Log(), "dolphinscheduler123", "there is no default password")
	require.NoError(t, p.Terminate(within(t, 10*time.Second)))
	require.Zero(t, p.ExitCode())

	// The second start prints no link: the account exists. Starts are timed again, alone and warm.
	require.NoError(t, p.Restart(t.Context()))
	took = ready(t, p)
	t.Logf("second start: ready after %s", took)
	require.Less(t, took, 5*time.Second, "bar 1 s on a quiet machine")
	require.NotContains(t, p.Log(), strings.TrimPrefix(link, p.URL))
}

func TestASecondProcessOnTheSameDataIsRefused(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	other, err := harness.Start(t.Context(), harness.Options{Binary: binary(t), Mode: "standalone", Data: s.Data})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, other.Close()) })
	select {
	case <-other.Done():
	case <-time.After(10 * time.Second):
		t.Fatalf("the second process runs:\n%s", other.Log())
	}
	require.NotZero(t, other.ExitCode())
	require.Contains(t, other.Log(), s.Data, "the message names the folder")
	_, err = s.Admin.Me(t.Context())
	require.NoError(t, err, "the first process is not disturbed")
}

func TestATakenPortIsReportedClearly(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	p := launch(t, harness.Options{Mode: "standalone", Listen: l.Addr().String(), AdminPassword: password})
	select {
	case <-p.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("it runs on a port that is taken")
	}
	require.NotZero(t, p.ExitCode())
	require.Contains(t, p.Log(), l.Addr().String())
}

// SIGTERM: no new task is started, what runs may end within the drain, and the next start goes on.
func TestSIGTERMDrainsAndTheNextStartGoesOn(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	ctx := within(t, 2*time.Minute)
	p := project(t, s.Admin, "drain")
	l := ledger{open(t) + "/ledger"}
	l.reset(t)
	d, err := s.Admin.Publish(ctx, p, harness.Workflow{Name: "two", Tasks: []harness.Task{
		{Name: "one", Script: l.script("one", "sleep 2")},
		{Name: "two", Script: l.script("two", "true"), After: []string{"one"}},
	}})
	require.NoError(t, err)
	id, err := s.Admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		started, _ := l.read(t)
		return started["one"] == 1
	}, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, s.Terminate(ctx))
	require.Zero(t, s.ExitCode())
	started, ended := l.read(t)
	require.Equal(t, 1, ended["one"], "a running task may end while the process drains")
	require.Zero(t, started["two"], "nothing new is started")
	require.NoError(t, s.Restart(ctx))
	ready(t, s.Process)
	_, err = s.Admin.WaitInstance(ctx, p, id, 20*time.Millisecond, "SUCCESS")
	require.NoError(t, err)
	started, _ = l.read(t)
	require.Equal(t, map[string]int{"one": 1, "two": 1}, started)
}

// What the command line prints is documentation: the configuration it writes is one it accepts.
func TestTheCommandLineExplainsItself(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"--help"}, {"standalone", "--help"}, {"config", "--help"}} {
		out, err := exec.CommandContext(t.Context(), binary(t), args...).CombinedOutput()
		require.NoError(t, err, "%v: %s", args, out)
		require.NotEmpty(t, out)
	}
	out, err := exec.CommandContext(t.Context(), binary(t), "standalone", "--no-such-flag").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "no-such-flag")
}
