package harness_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

// startFake starts the fake product.
func startFake(ctx context.Context, dir string) (*harness.Process, error) {
	program := filepath.Join(dir, "fake")
	if err := os.WriteFile(program, []byte(fake), 0o755); err != nil {
		return nil, err
	}
	return harness.Start(ctx, harness.Options{Binary: program, Mode: "standalone"})
}

// startOne starts one of the things that the harness can start, waits until it serves and returns its process id.
func startOne(ctx context.Context, what string) (int, error) {
	switch what {
	case "postgres":
		pg, err := harness.StartPostgres(ctx)
		if err != nil {
			return 0, err
		}
		return pg.PID(), nil
	case "zookeeper":
		z, err := harness.StartZooKeeper(ctx, 1)
		if err != nil {
			return 0, err
		}
		return z.PID(0), nil
	default:
		p, err := startFake(ctx, os.TempDir())
		if err != nil {
			return 0, err
		}
		_, err = p.WaitReady(ctx)
		return p.PID(), err
	}
}

func TestWhatWasStartedEndsWithAHarnessThatIsKilled(t *testing.T) {
	const variable = "HARNESS_TO_KILL_STARTS"
	if what := os.Getenv(variable); what != "" { // the harness that is killed
		pid, err := startOne(t.Context(), what)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		fmt.Fprintln(os.Stderr, pid)
		_, _ = io.Copy(io.Discard, os.Stdin) // nobody writes
		return
	}
	t.Parallel()
	for _, what := range []string{"process", "postgres", "zookeeper"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			dir, err := os.MkdirTemp("", "dorado-killed-") //nolint:usetesting // t.TempDir is closed to the database's user
			require.NoError(t, err)
			t.Cleanup(func() {
				require.Eventually(t, func() bool { return os.RemoveAll(dir) == nil }, time.Minute, 50*time.Millisecond)
			})
			require.NoError(t, os.Chmod(dir, 0o777))
			cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestWhatWasStartedEndsWithAHarnessThatIsKilled$")
			cmd.Env = append(os.Environ(), variable+"="+what, "TMPDIR="+dir)
			_, err = cmd.StdinPipe()
			require.NoError(t, err)
			out, err := cmd.StderrPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			lines := bufio.NewScanner(out)
			require.True(t, lines.Scan())
			said := lines.Text()
			pid, err := strconv.Atoi(said)
			if err != nil {
				_ = cmd.Wait() // it has said why it ended
				if missing := said == harness.ErrNoPostgres.Error() || said == harness.ErrNoZooKeeper.Error(); missing && os.Getenv("CI") == "" {
					t.Skip(said)
				}
				t.Fatal(said)
			}
			t.Cleanup(func() {
				if lives(pid) {
					_ = syscall.Kill(pid, syscall.SIGKILL) // the test has failed
				}
			})
			require.True(t, lives(pid))
			require.NoError(t, cmd.Process.Kill())
			_ = cmd.Wait() // killed
			require.Eventually(t, func() bool { return !lives(pid) }, 20*time.Second, 10*time.Millisecond)
		})
	}
}

// lives reports whether a process is there and has not ended yet: who inherits it may be slow to ask how.
func lives(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text), ") ") // its name stands before
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

func TestWhatWasStartedOutlivesTheThreadThatAskedForIt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	type outcome struct {
		p   *harness.Process
		err error
	}
	dir, started := t.TempDir(), make(chan outcome)
	go func() {
		runtime.LockOSThread() // for ever, so that the thread ends with this function
		p, err := startFake(ctx, dir)
		started <- outcome{p, err}
	}()
	o := <-started
	require.NoError(t, o.err)
	t.Cleanup(func() { require.NoError(t, o.p.Close()) })
	_, err := o.p.WaitReady(ctx)
	require.NoError(t, err)
}
