package executor

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// These tests change what the process does about a signal, so nothing may run beside them.

func TestAProcessThatIsDeafToChildrenStillLearnsOfTheirEnds(t *testing.T) { //nolint:paralleltest // see above
	heard := make(chan os.Signal, 10)
	signal.Notify(heard, syscall.SIGCHLD)
	defer signal.Stop(heard)
	s := newSpawner()
	defer func() { require.NoError(t, s.close()) }()
	run := func(code string, pidfd bool) status {
		t.Helper()
		c, err := s.start(command{path: "/bin/sh", argv: []string{"sh", "-c", "sleep 0.05; exit " + code}, dirs: []string{"/"}, stdin: -1, output: 2, script: -1})
		require.NoError(t, err)
		if !pidfd {
			require.NoError(t, syscall.Close(c.pidfd))
			c.pidfd = -1
		}
		st, err := s.wait(c)
		require.NoError(t, err)
		return st
	}

	DeafToChildren()
	defer HearChildren()
	require.Equal(t, 3, run("3", true).code())
	require.Empty(t, heard, "no signal came")

	require.Equal(t, 4, run("4", false).code(), "where there is no pidfd, the signal is asked for again")
	select {
	case <-heard:
	case <-time.After(5 * time.Second):
		require.Fail(t, "no signal came")
	}
}
