package remoteshell

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/task"
)

// result is what an attempt ended with.
type result struct {
	task.Outcome
	error
}

// begun runs the attempt; it gives its result when it has ended.
func (a *attempt) begun(ctx context.Context) <-chan result {
	done := make(chan result, 1)
	go func() {
		out, err := run(ctx, a.values(), a.env)
		done <- result{out, err}
	}()
	return done
}

func numbers(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "line " + strconv.Itoa(i+1)
	}
	return out
}

// counting prints n lines, each after a tenth of a second.
func counting(n int) string {
	return fmt.Sprintf("for i in $(seq %d); do echo line $i; sleep 0.1; done\n", n)
}

func TestABrokenConnectionCostsNothing(t *testing.T) {
	t.Parallel()
	s := sshd(t)
	r := newRelay(t, s.address())
	a := newAttempt(t, s.source(t, r.port), counting(50)+"head -c 3000000 /dev/zero | tr '\\0' 'x' | fold -w 100\nprintf end; exit 7")
	done := a.begun(t.Context())
	link := <-a.link
	for range 3 {
		time.Sleep(1200 * time.Millisecond)
		r.cut()
	}
	got := <-done
	require.ErrorContains(t, got.error, "exit code 7", a.log)
	require.Equal(t, link, got.AppLink)
	want := slices.Concat(numbers(50), slices.Repeat([]string{strings.Repeat("x", 100)}, 30_000))
	want[len(want)-1] += "end" // fold ends without a line end
	require.Equal(t, want, a.log.lines())
	require.GreaterOrEqual(t, strings.Count(a.log.String(), "the next try is in"), 2)
	require.NoDirExists(t, folder(t, link))
}

func TestAScriptOutlivesItsWorker(t *testing.T) {
	t.Parallel()
	s := sshd(t)
	lost := newAttempt(t, s.source(t, 0), counting(30)+"echo '#{setValue(rows=7)}'; exit 4")
	j, err := newJob(lost.values(), lost.env)
	require.NoError(t, err)
	require.NoError(t, j.begin(t.Context(), lost.env, lost.text))
	require.NoError(t, j.start(t.Context()))
	link := <-lost.link
	time.Sleep(500 * time.Millisecond)
	j.hangUp() // as when the worker dies: nobody says goodbye

	next := newAttempt(t, s.source(t, 0), "echo this must not run")
	next.env.Link = link
	got := <-next.begun(t.Context())
	require.ErrorContains(t, got.error, "exit code 4")
	require.Equal(t, link, got.AppLink)
	require.Equal(t, append(numbers(30), "#{setValue(rows=7)}"), next.log.lines(), "all of it, for the parameters")
	require.NoDirExists(t, folder(t, link))

	again := newAttempt(t, s.source(t, 0), "echo this must not run")
	again.env.Link = link
	got = <-again.begun(t.Context())
	require.ErrorIs(t, got.error, errGone)
	require.Empty(t, again.log.lines())
}

func TestAScriptOfAWorkerThatGoesAwayGoesOn(t *testing.T) {
	t.Parallel()
	s := sshd(t)
	leaving := newAttempt(t, s.source(t, 0), counting(30))
	ctx, cancel := context.WithCancelCause(t.Context())
	done := leaving.begun(ctx)
	link := <-leaving.link
	require.Eventually(t, func() bool { return len(leaving.log.lines()) > 2 }, 20*time.Second, 50*time.Millisecond, leaving.log)
	cancel(task.ErrLeave)
	got := <-done
	require.ErrorIs(t, got.error, task.ErrLeave)
	require.Equal(t, link, got.AppLink)
	require.NotEmpty(t, left(t, link), "the script runs on")

	next := newAttempt(t, s.source(t, 0), "echo this must not run")
	next.env.Link = link
	got = <-next.begun(t.Context())
	require.NoError(t, got.error)
	require.Equal(t, numbers(30), next.log.lines())
}

func TestAScriptThatHasEndedMeanwhileIsStillFound(t *testing.T) {
	t.Parallel()
	s := sshd(t)
	lost := newAttempt(t, s.source(t, 0), "echo done; exit 5")
	j, err := newJob(lost.values(), lost.env)
	require.NoError(t, err)
	require.NoError(t, j.begin(t.Context(), lost.env, lost.text))
	require.NoError(t, j.start(t.Context()))
	link := <-lost.link
	j.hangUp()
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(folder(t, link), "status"))
		return err == nil
	}, 10*time.Second, 50*time.Millisecond)
	next := newAttempt(t, s.source(t, 0), "")
	next.env.Link = link
	got := <-next.begun(t.Context())
	require.ErrorContains(t, got.error, "exit code 5")
	require.Equal(t, []string{"done"}, next.log.lines())
}

func TestAScriptThatWasNotStartedYetIsStarted(t *testing.T) {
	t.Parallel()
	s := sshd(t)
	lost := newAttempt(t, s.source(t, 0), "echo started once")
	j, err := newJob(lost.values(), lost.env)
	require.NoError(t, err)
	require.NoError(t, j.begin(t.Context(), lost.env, lost.text))
	link := <-lost.link
	j.hangUp()
	next := newAttempt(t, s.source(t, 0), "echo another")
	next.env.Link = link
	got := <-next.begun(t.Context())
	require.NoError(t, got.error)
	require.Equal(t, []string{"started once"}, next.log.lines())
}

func TestAScriptIsStartedOnce(t *testing.T) {
	t.Parallel()
	s := sshd(t)
	file := filepath.Join(t.TempDir(), "runs")
	a := newAttempt(t, s.source(t, 0), "echo run >>"+file+"; sleep 2")
	j, err := newJob(a.values(), a.env)
	require.NoError(t, err)
	require.NoError(t, j.begin(t.Context(), a.env, a.text))
	done := make(chan error, 3)
	for range 3 {
		go func() {
			other, err := newJob(a.values(), a.env)
			if err == nil {
				other.link = j.link
				err = errors.Join(other.connect(t.Context()), other.start(t.Context()))
				other.hangUp()
			}
			done <- err
		}()
	}
	for range 3 {
		require.NoError(t, <-done)
	}
	require.NoError(t, j.attend(t.Context()))
	j.clean(t.Context())
	j.hangUp()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "run\n", string(raw))
}

func TestAKillLeavesNothing(t *testing.T) {
	t.Parallel()
	s := sshd(t)
	a := newAttempt(t, s.source(t, 0), `trap '' TERM INT HUP
sleep 301 &
setsid sleep 302 &
(setsid sh -c 'trap "" TERM; sleep 303; sleep 304' &)
nohup setsid setsid sleep 305 >/dev/null 2>&1 &
set -m; sleep 306 &
echo ready
while :; do sleep 1; done`)
	ctx, cancel := context.WithCancel(t.Context())
	done := a.begun(ctx)
	link := <-a.link
	require.Eventually(t, func() bool { return slices.Contains(a.log.lines(), "ready") }, 20*time.Second, 50*time.Millisecond, a.log)
	require.Greater(t, len(left(t, link)), 5)
	begin := time.Now()
	cancel()
	got := <-done
	require.ErrorIs(t, got.error, context.Canceled)
	require.NotContains(t, got.error.Error(), "\n", "nothing else went wrong")
	require.Equal(t, link, got.AppLink)
	require.Less(t, time.Since(begin), 8*time.Second)
	require.Empty(t, left(t, link))
	require.NoDirExists(t, folder(t, link))
	require.Contains(t, a.log.String(), "[ended on")
}

func TestAKillFindsItsWayWhenTheConnectionIsDead(t *testing.T) {
	t.Parallel()
	s := sshd(t)
	r := newRelay(t, s.address())
	a := newAttempt(t, s.source(t, r.port), "echo ready; sleep 300")
	ctx, cancel := context.WithCancel(t.Context())
	done := a.begun(ctx)
	link := <-a.link
	require.Eventually(t, func() bool { return slices.Contains(a.log.lines(), "ready") }, 20*time.Second, 50*time.Millisecond)
	r.set(false, true) // nothing passes, and nobody is told
	cancel()
	time.AfterFunc(3*time.Second, func() { r.cut(); r.set(false, false) })
	got := <-done
	require.ErrorIs(t, got.error, context.Canceled)
	require.NotContains(t, got.error.Error(), "\n")
	require.Empty(t, left(t, link))
	require.NoDirExists(t, folder(t, link))
}

func TestAScriptThatIsKilledThereIsAFailure(t *testing.T) {
	t.Parallel()
	s := sshd(t)
	a := newAttempt(t, s.source(t, 0), "echo ready; sleep 300")
	done := a.begun(t.Context())
	link := <-a.link
	require.Eventually(t, func() bool { return slices.Contains(a.log.lines(), "ready") }, 20*time.Second, 50*time.Millisecond)
	raw, err := os.ReadFile(filepath.Join(folder(t, link), "pid"))
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL)) // the one who would have noted the exit code
	got := <-done
	require.ErrorIs(t, got.error, errLost)
	require.Empty(t, left(t, link), "what it watched is ended, too")
	require.NoDirExists(t, folder(t, link))
}

func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	s := sshd(t)
	r := newRelay(t, s.address())
	a := newAttempt(t, s.source(t, r.port), "echo ready; sleep 300")
	j, err := newJob(a.values(), a.env)
	require.NoError(t, err)
	j.patience = 2 * time.Second
	require.NoError(t, j.begin(t.Context(), a.env, a.text))
	link := <-a.link
	r2 := time.AfterFunc(time.Second, func() { r.set(true, false); r.cut() })
	defer r2.Stop()
	err = j.attend(t.Context())
	require.ErrorContains(t, err, "the script may still run there as remoteshell-1_2-")
	require.NotEmpty(t, left(t, link), "which it does")
	r.set(false, false)
	require.NoError(t, j.end(t.Context()))
	require.Empty(t, left(t, link))
	j.hangUp()
}

func TestNothingRunsWhoseNameIsNotStored(t *testing.T) {
	t.Parallel()
	s := sshd(t)
	a := newAttempt(t, s.source(t, 0), "echo no")
	var link string
	a.env.Keep = func(l string) error {
		link = l
		require.FileExists(t, filepath.Join(folder(t, l), "body.sh"))
		return errors.New("the master is away")
	}
	got := <-a.begun(t.Context())
	require.ErrorContains(t, got.error, "the master is away")
	require.Empty(t, a.log.lines())
	require.NoDirExists(t, folder(t, link))
}

func TestSecretsAreInNoProcessListAndForNobodyElse(t *testing.T) {
	t.Parallel()
	s := sshd(t)
	a := newAttempt(t, s.source(t, 0), "PASSWORD=hunter2-"+t.Name()+"\necho ready; sleep 2")
	a.env.Environment = "export TOKEN=hunter2-" + t.Name()
	done := a.begun(t.Context())
	link := <-a.link
	for len(done) == 0 {
		all, err := filepath.Glob("/proc/[0-9]*/cmdline")
		require.NoError(t, err)
		for _, p := range all {
			if raw, err := os.ReadFile(p); err == nil {
				require.NotContains(t, string(raw), "hunter2-"+t.Name())
			}
		}
		for path, mode := range map[string]os.FileMode{filepath.Dir(folder(t, link)): 0o700, folder(t, link): 0o700, filepath.Join(folder(t, link), "body.sh"): 0o600} {
			if info, err := os.Stat(path); err == nil {
				require.Equal(t, mode, info.Mode().Perm(), path)
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	require.NoError(t, (<-done).error)
	require.NotContains(t, a.log.String(), "hunter2")
}

func TestADirectoryOfSomebodyElseIsNotUsed(t *testing.T) {
	t.Parallel()
	dir, mine := t.TempDir(), t.TempDir()
	out, err := exec.CommandContext(t.Context(), "id", "-un").Output()
	require.NoError(t, err)
	home := filepath.Join(dir, "home-"+strings.TrimSpace(string(out)))
	require.NoError(t, os.Symlink(mine, home))
	text := strings.ReplaceAll(prepare("remoteshell-1_2-0123456789abcdef", "", "ls"), "/tmp/dolphinscheduler-remote-shell-", dir+"/home-")
	cmd := exec.CommandContext(t.Context(), "/bin/sh")
	cmd.Stdin = strings.NewReader(text)
	said, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(said), "does not belong to")
	require.NoDirExists(t, filepath.Join(mine, "remoteshell-1_2-0123456789abcdef"))

	// A script of which only a part arrives does nothing at all.
	require.NoError(t, os.Remove(home))
	for _, n := range []int{len(text) - 1, len(text) - 3, len(text) / 2, 10} {
		cmd := exec.CommandContext(t.Context(), "/bin/sh")
		cmd.Stdin = strings.NewReader(text[:n])
		_ = cmd.Run()
		if n == len(text)-1 { // all but the last line end
			require.NoError(t, os.RemoveAll(home))
			continue
		}
		require.NoDirExists(t, home, n)
	}
}

func TestOldFilesAreRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "id", "-un").Output()
	require.NoError(t, err)
	home := filepath.Join(dir, "home-"+strings.TrimSpace(string(out)))
	for name, age := range map[string]time.Duration{"old": 10 * 24 * time.Hour, "new": time.Hour} {
		require.NoError(t, os.MkdirAll(filepath.Join(home, name), 0o700))
		status := filepath.Join(home, name, "status")
		require.NoError(t, os.WriteFile(status, []byte("0\n"), 0o600))
		require.NoError(t, os.Chtimes(status, time.Time{}, time.Now().Add(-age)))
	}
	cmd := exec.CommandContext(t.Context(), "/bin/sh")
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(prepare("remoteshell-1_2-0123456789abcdef", "", "ls"), "/tmp/dolphinscheduler-remote-shell-", dir+"/home-"))
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, string(said))
	require.NoDirExists(t, filepath.Join(home, "old"))
	require.DirExists(t, filepath.Join(home, "new"))
	require.FileExists(t, filepath.Join(home, "remoteshell-1_2-0123456789abcdef", "body.sh"))
}
