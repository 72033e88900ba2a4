package executor

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/rpc/doradov1"
)

// gone waits until a process has ended.
func gone(t *testing.T, pid int) {
	t.Helper()
	require.False(t, alive(pid), "process %d lives on", pid)
}

func TestW23_AKillIsReportedOnlyWhenTheWholeTreeIsGoneEvenWhereItHides(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	dir := t.TempDir()
	// A child in the group, one in a session of its own, a daemon that forked twice, and one without any environment.
	job := shellTask(`cd ` + dir + `
sleep 1000 & echo $! > child
setsid sh -c 'echo $$ > session; exec sleep 1000' &
(setsid sh -c 'sleep 1000 & echo $! > daemon') &
setsid env -i sh -c 'echo $$ > bare; exec sleep 1000' &
wait`)
	m.dispatch(job)
	var pids []int
	for _, name := range []string{"child", "session", "daemon", "bare"} {
		pids = append(pids, pidFrom(t, filepath.Join(dir, name)))
	}
	m.kill(job.GetId())
	r := m.finished(job.GetId())
	require.Equal(t, doradov1.Outcome_KILLED, r.GetOutcome())
	require.Equal(t, "killed on request", r.GetMessage())
	for _, pid := range append(pids, int(r.GetPid())) {
		gone(t, pid)
	}
}

func TestAKilledScriptThatTrapsAndReturnsZeroIsKilled(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	ready := filepath.Join(t.TempDir(), "ready")
	job := shellTask("trap 'echo cleaned up; exit 0' INT\necho $$ > " + ready + "\nwhile :; do sleep 0.05; done")
	m.dispatch(job)
	pidFrom(t, ready)
	m.kill(job.GetId())
	r := m.finished(job.GetId())
	require.Equal(t, doradov1.Outcome_KILLED, r.GetOutcome())
	require.Zero(t, r.GetExitCode())
	log, err := os.ReadFile(r.GetLogPath())
	require.NoError(t, err)
	require.Contains(t, string(log), "cleaned up")
	require.Contains(t, string(log), "ERROR [worker] - killed on request")
}

func TestAScriptThatIgnoresSignalsIsKilledInTheEnd(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	ready := filepath.Join(t.TempDir(), "ready")
	job := shellTask("trap '' INT TERM HUP\necho $$ > " + ready + "\nwhile :; do sleep 0.05; done")
	m.dispatch(job)
	pid := pidFrom(t, ready)
	begun := time.Now()
	m.kill(job.GetId())
	r := m.finished(job.GetId())
	require.Equal(t, doradov1.Outcome_KILLED, r.GetOutcome())
	require.EqualValues(t, 137, r.GetExitCode())
	require.GreaterOrEqual(t, time.Since(begun), 550*time.Millisecond, "it had its time for SIGINT and SIGTERM")
	gone(t, pid)
}

func TestATimeoutFailsTheAttempt(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	job := shellTask("echo begun; sleep 1000 & wait")
	job.TimeoutMs = 200
	r, log := m.run(job)
	require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome())
	require.Equal(t, "timeout: killed after 0.200 s", r.GetMessage())
	require.Contains(t, log, "begun\n")
	quick := shellTask("true")
	quick.TimeoutMs = 60_000
	r, _ = m.run(quick)
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome())
}

func TestAKillOfSomethingUnknownIsAnsweredAndOneOfSomethingFinishedRepeatsTheEnd(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	m.kill(999_999_999)
	require.Equal(t, doradov1.Outcome_UNKNOWN, m.finished(999_999_999).GetOutcome())
	m.noAck.Store(true)
	job := shellTask("exit 4")
	m.run(job)
	m.kill(job.GetId())
	m.until("the end is repeated", func() bool {
		n := 0
		for _, r := range m.reports {
			if r.GetId() == job.GetId() && r.GetExitCode() == 4 {
				n++
			}
		}
		return n >= 2
	})
}

func TestAnAttemptKilledBeforeItStartsNeverRuns(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	cfg := testConfig(t)
	cfg.Starting = 1
	startWorker(t, cfg, m)
	file := filepath.Join(t.TempDir(), "ran")
	var jobs []*doradov1.Task
	var ids []int64
	for range 60 {
		job := shellTask("echo x >> " + file)
		jobs, ids = append(jobs, job), append(ids, job.GetId())
	}
	m.dispatch(jobs...)
	m.kill(ids...)
	never := 0
	killed := 0
	for _, id := range ids {
		r := m.finished(id)
		if r.GetPid() == 0 {
			require.Equal(t, "killed on request before it was started", r.GetMessage())
			never++
		}
		if r.GetOutcome() == doradov1.Outcome_KILLED {
			killed++
		}
	}
	require.Positive(t, never)
	ran, _ := os.ReadFile(file)
	require.LessOrEqual(t, strings.Count(string(ran), "x"), len(ids)-never)
}

func TestStatIsReadWhateverAProgramIsCalled(t *testing.T) {
	t.Parallel()
	p, ok := parseStat(12, []byte("12 (a) b ( 3) S 1 5 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 1 2"))
	require.True(t, ok)
	require.Equal(t, process{pid: 12, parent: 1, group: 5, session: 7, start: 4711}, p)
	for _, bad := range []string{"", "12 (x", "12 (x) S 1", strings.Repeat(") ", 9)} {
		_, ok := parseStat(12, []byte(bad))
		require.False(t, ok, bad)
	}
	own, ok := readProcess(os.Getpid(), make([]byte, 4096))
	require.True(t, ok)
	require.Equal(t, os.Getppid(), own.parent)
	require.Empty(t, markOfProcess(os.Getpid()), strconv.Itoa(os.Getpid()))
}
