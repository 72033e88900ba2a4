package storm

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var all = Can{Disks: true, Clocks: true, ZK: true, Majority: true, Net: true}

func TestASeedDrawsTheSameFaultsAgainAndAnotherOneOthers(t *testing.T) {
	t.Parallel()
	plan := Draw(7, 60, 5*time.Second, all, nil)
	require.Len(t, plan, 60)
	require.Equal(t, plan, Draw(7, 60, 5*time.Second, all, nil))
	require.NotEqual(t, plan, Draw(8, 60, 5*time.Second, all, nil))
	seen := map[string]bool{}
	for i, p := range plan {
		seen[p.Kind] = true
		if i > 0 {
			require.GreaterOrEqual(t, p.At, plan[i-1].At)
		}
	}
	require.Len(t, seen, len(kinds()), "every kind comes at least once")
}

func TestWhatIsNotPossibleIsNotDrawnAndSaysWhy(t *testing.T) {
	t.Parallel()
	possible, left := Kinds(Can{}, nil)
	require.NotContains(t, possible, "disk.full")
	require.Contains(t, left["disk.full"], "needs root")
	require.Contains(t, left["zk.quorum-loss"], "no ZooKeeper")
	require.Len(t, append(possible, mapKeys(left)...), len(kinds()))
	for _, p := range Draw(1, 50, time.Second, all, regexp.MustCompile("^worker.kill$")) {
		require.Equal(t, "worker.kill", p.Kind)
	}
	require.Empty(t, Draw(1, 50, time.Second, Can{}, regexp.MustCompile("^disk")))
}

func mapKeys(m map[string]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out
}

// echo is a server that answers each line with itself.
func echo(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c) }()
		}
	}()
	return l.Addr().String()
}

type caller struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, addr string) caller {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return caller{t, c, bufio.NewReader(c)}
}

func (c caller) say(text string) {
	_, err := io.WriteString(c, text+"\n")
	require.NoError(c.t, err)
}

func (c caller) hear(patience time.Duration) (string, error) {
	require.NoError(c.t, c.SetReadDeadline(time.Now().Add(patience)))
	text, err := c.in.ReadString('\n')
	return strings.TrimSpace(text), err
}

func TestAGateCutsEachWayAndWhatWaitedGoesOn(t *testing.T) {
	t.Parallel()
	g, err := OpenGate(t.Context(), "g", "127.0.0.1", echo(t), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	for name, cut := range map[string]Cutting{"up": {Up: true}, "down": {Down: true}, "both": {Up: true, Down: true}} {
		c := dial(t, g.Addr())
		c.say("hello")
		got, err := c.hear(10 * time.Second)
		require.NoError(t, err, name)
		require.Equal(t, "hello", got)
		g.Set("", cut)
		c.say(name)
		_, err = c.hear(200 * time.Millisecond)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, name)
		g.Set("", Cutting{})
		got, err = c.hear(10 * time.Second)
		require.NoError(t, err, name)
		require.Equal(t, name, got)
	}
	c := dial(t, g.Addr())
	c.say("x")
	_, err = c.hear(10 * time.Second)
	require.NoError(t, err)
	require.Positive(t, g.Reset(""))
	_, err = c.hear(10 * time.Second)
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it was told")
}

func TestAGateTellsItsCallersApartByTheirProcess(t *testing.T) {
	t.Parallel()
	who := make(chan string, 10)
	g, err := OpenGate(t.Context(), "g", "127.0.0.1", echo(t), func(remote net.Addr) string {
		name := whose(remote, map[string]int{"me": os.Getpid(), "nobody": 1 << 30})
		who <- name
		return name
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	c := dial(t, g.Addr())
	require.Equal(t, "me", <-who)
	g.Set("nobody", Cutting{Up: true, Down: true})
	c.say("mine passes")
	got, err := c.hear(10 * time.Second)
	require.NoError(t, err)
	require.Equal(t, "mine passes", got)
}

// The clock of a process jumps, and only its own.
func TestTheClockOfOneProcessJumpsAndIsPutRight(t *testing.T) {
	if os.Getenv("STORM_CLOCK") != "" { // the process whose clock jumps
		for range 600 {
			fmt.Fprintln(os.Stderr, time.Now().Unix())
			time.Sleep(50 * time.Millisecond)
		}
		return
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheClockOfOneProcessJumpsAndIsPutRight$")
	cmd.Env = append(os.Environ(), "STORM_CLOCK=1")
	out, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	told := func() int64 {
		var at int64
		require.True(t, lines.Scan())
		_, err := fmt.Sscan(lines.Text(), &at)
		require.NoError(t, err, lines.Text())
		return at
	}
	require.InDelta(t, time.Now().Unix(), told(), 20)
	clock, err := TakeClock(cmd.Process.Pid)
	if err != nil {
		without(t, err)
	}
	until := func(want time.Duration) {
		for range 400 {
			if d := told() - time.Now().Add(want).Unix(); d > -30 && d < 30 {
				return
			}
		}
		t.Fatalf("the clock is never %s off", want)
	}
	require.NoError(t, clock.Shift(time.Hour))
	until(time.Hour)
	require.NoError(t, clock.Shift(-2*time.Hour))
	until(-2 * time.Hour)
	require.NoError(t, clock.Shift(0))
	until(0)
}

func TestADiskOfItsOwnFillsUp(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "disk")
	d, err := MakeDisk(t.Context(), dir, 16)
	if err != nil {
		without(t, err)
	}
	t.Cleanup(func() { require.NoError(t, d.Close(t.Context())) })
	require.NoError(t, d.Fill())
	require.ErrorContains(t, os.WriteFile(filepath.Join(dir, "x"), make([]byte, 1<<16), 0o600), "no space left")
	require.NoError(t, d.Free())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "x"), make([]byte, 1<<16), 0o600))
}

// without skips a test on a machine that does not let it have its own disks and change clocks. .ci/run says when it does.
func without(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("DORADO_TEST_PRIVILEGED") == "required" {
		t.Fatal(err)
	}
	t.Skipf("needs root, loop devices and ptrace on linux/amd64: %v", err)
}
