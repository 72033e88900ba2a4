package executor

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/rpc/doradov1"
	"dorado/plugins/catalog"
	"dorado/plugins/task"
)

func TestW06_UnacknowledgedEndsSurviveReconnectAndRestart(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	m.noAck.Store(true)
	cfg := testConfig(t)
	w := startWorker(t, cfg, m)
	job := shellTask("exit 3")
	m.run(job)
	m.hangUp()
	m.until("the end is repeated after a reconnect", func() bool { return len(m.held) == 1 && len(m.reports) >= 2 })
	require.Equal(t, []int64{job.GetId()}, m.held)
	w.stop()

	again := newScripted(t, "m")
	second := startWorker(t, cfg, again)
	r := again.finished(job.GetId())
	require.EqualValues(t, 3, r.GetExitCode())
	require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome())
	require.Eventually(t, func() bool { return !second.holds(job.GetId()) }, 10*time.Second, time.Millisecond)
	second.stop()

	third := newScripted(t, "m")
	startWorker(t, cfg, third)
	third.connected()
	require.Empty(t, third.held, "what was acknowledged is forgotten")
}

func (w *worker) holds(id int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.attempts[id]
	return ok
}

func TestASecondDispatchOfAnAttemptRunsNothingAndChangesTheOwner(t *testing.T) {
	t.Parallel()
	m1, m2 := newScripted(t, "m1"), newScripted(t, "m2")
	m1.noAck.Store(true)
	startWorker(t, testConfig(t), m1, m2)
	file := filepath.Join(t.TempDir(), "runs")
	job := shellTask("echo x >> " + file + "; sleep 0.3")
	m1.dispatch(job)
	m1.report(job.GetId(), doradov1.ReportKind_STARTED)
	takeover := clone(job)
	takeover.Id, takeover.Epoch = job.GetId(), 2
	m2.dispatch(takeover)
	m2.report(job.GetId(), doradov1.ReportKind_STARTED)
	m1.dispatch(job) // of the older epoch: the replaced master is not heard
	require.Equal(t, doradov1.Outcome_SUCCEEDED, m2.finished(job.GetId()).GetOutcome())
	require.Zero(t, m1.count(job.GetId(), doradov1.ReportKind_FINISHED))
	runs, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "x\n", string(runs))
}

func TestAFullOrDrainingWorkerRefuses(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	cfg := testConfig(t)
	cfg.Slots, cfg.DrainTimeout = 2, 10*time.Second
	w := startWorker(t, cfg, m)
	first, second, third := shellTask("sleep 0.7"), shellTask("sleep 0.1"), shellTask("true")
	m.dispatch(first, second, third)
	require.Equal(t, "no free slot", m.report(third.GetId(), doradov1.ReportKind_REFUSED).GetMessage())
	m.finished(second.GetId())
	stopped := make(chan struct{})
	go func() { w.stop(); close(stopped) }()
	m.until("the worker says that it drains", func() bool { return len(m.beats) > 0 && m.beats[len(m.beats)-1].GetDraining() })
	late := shellTask("true")
	m.dispatch(late)
	require.Equal(t, "the worker is shutting down", m.report(late.GetId(), doradov1.ReportKind_REFUSED).GetMessage())
	<-stopped
	require.Equal(t, doradov1.Outcome_SUCCEEDED, m.finished(first.GetId()).GetOutcome(), "a drain waits for what runs")
}

func TestAStopKillsWhatOutlivesTheDrainAndReportsItLost(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	w := startWorker(t, testConfig(t), m)
	file := filepath.Join(t.TempDir(), "pid")
	job := shellTask("echo $$ > " + file + "; sleep 1000")
	m.dispatch(job)
	pid := pidFrom(t, file)
	w.stop()
	r := m.finished(job.GetId())
	require.Equal(t, doradov1.Outcome_LOST, r.GetOutcome())
	gone(t, pid)
}

func TestAWorkerDialsAgainUntilItsMasterIsBack(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	m.refuse.Store(true)
	startWorker(t, testConfig(t), m)
	time.Sleep(150 * time.Millisecond)
	m.refuse.Store(false)
	r, _ := m.run(shellTask("true"))
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome())
	require.EqualValues(t, 100, m.hello.GetSlots())
	m.until("heartbeats come", func() bool { return len(m.beats) > 1 })
	require.Positive(t, m.beats[len(m.beats)-1].GetMemoryUsage())
}

func TestW29_AWorkerOutlivesTheBreakOfItsStreamAndReportsWhatEndedMeanwhile(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	w := startWorker(t, testConfig(t), m)
	dir := t.TempDir()
	short, long := shellTask("echo $$ > "+dir+"/short; while [ ! -e "+dir+"/cut ]; do sleep 0.02; done; echo over > "+dir+"/over; exit 5"),
		shellTask("echo $$ > "+dir+"/long; while [ ! -e "+dir+"/back ]; do sleep 0.02; done")
	m.dispatch(short, long)
	first, second := pidFrom(t, dir+"/short"), pidFrom(t, dir+"/long")
	m.report(long.GetId(), doradov1.ReportKind_STARTED)
	m.refuse.Store(true)
	m.hangUp()
	require.Eventually(t, func() bool { return !w.anyConnected() }, 60*time.Second, time.Millisecond)
	require.NoError(t, os.WriteFile(dir+"/cut", nil, 0o600))
	require.Eventually(t, func() bool { _, err := os.Stat(dir + "/over"); return err == nil && !alive(first) }, 60*time.Second, 5*time.Millisecond,
		"it works on without a master")
	require.True(t, alive(second))
	require.Zero(t, m.count(short.GetId(), doradov1.ReportKind_FINISHED))

	m.refuse.Store(false)
	require.EqualValues(t, 5, m.finished(short.GetId()).GetExitCode())
	require.True(t, alive(second), "the same process as before")
	m.until("it says what it holds", func() bool { return slices.Contains(m.held, long.GetId()) })
	require.NoError(t, os.WriteFile(dir+"/back", nil, 0o600))
	r := m.finished(long.GetId())
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome())
	require.EqualValues(t, second, r.GetPid())
	r, _ = m.run(shellTask("true"))
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), "and it takes new work")
}

// anyConnected reports whether the worker has a stream to any master.
func (w *worker) anyConnected() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.outboxes {
		if o.connected() {
			return true
		}
	}
	return false
}

// TestWorkerProcess is no test: the next ones run it as a process of its own, to be killed.
func TestWorkerProcess(t *testing.T) {
	dir := os.Getenv("DORADO_TEST_WORKER")
	if dir == "" {
		t.Skip("run by workerProcess")
	}
	cfg := DefaultConfig(dir)
	cfg.AllowRootTenant = true
	c, err := catalog.Builtin()
	require.NoError(t, err)
	m := newScripted(t, "inner")
	kinds := catalogFunc(func(kind string) (task.Plugin, bool) {
		if kind == "STREAM" {
			return streaming("true", "")(kind)
		}
		return c.Task(kind)
	})
	e, err := New(Deps{Config: cfg, Catalog: kinds, Logger: slog.New(slog.DiscardHandler), Masters: []Master{{"inner", m}}})
	require.NoError(t, err)
	go func() { _ = e.Run(context.Background()) }()
	done, running := shellTask("exit 6"), shellTask(`sleep 1000 & setsid env -i sleep 1001 & setsid sleep 1002 & echo x > left; echo $$ > `+dir+`/pid; wait`)
	remote := newTask("STREAM", map[string]any{
		"rawScript": "echo $$ > " + dir + "/remote; until [ -e " + dir + "/submit ]; do sleep 0.02; done; echo JobID a1b2; printf 'JobID a1'; touch " + dir + "/submitted; sleep 1003",
	})
	done.Id, running.Id, remote.Id = 5001, 5002, 5003
	m.noAck.Store(true)
	m.dispatch(done, running, remote)
	m.finished(5001)
	pidFrom(t, dir+"/pid")
	pidFrom(t, dir+"/remote")
	fmt.Fprintln(os.Stdout, "ready")
	select {}
}

// workerProcess starts a worker on a data directory, and returns when its attempts are running.
func workerProcess(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	process := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWorkerProcess$")
	process.Env = append(os.Environ(), "DORADO_TEST_WORKER="+dir)
	out, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
	}
	return process
}

func TestWhatAJobSaidAfterTheDeathOfItsWorkerIsFoundInTheLog(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	dir := filepath.Dir(cfg.ExecDir)
	process := workerProcess(t, dir)
	require.NoError(t, process.Process.Signal(syscall.SIGKILL))
	_ = process.Wait()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "submit"), nil, 0o600))
	require.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(dir, "submitted")); return err == nil }, 30*time.Second, 5*time.Millisecond)

	m := newScripted(t, "inner")
	startWorker(t, cfg, m)
	r := m.finished(5003)
	require.Equal(t, doradov1.Outcome_LOST, r.GetOutcome())
	require.Equal(t, "a1b2", r.GetAppLink(), "the next attempt looks after the job and submits none; half a line is no name")
	require.Empty(t, m.finished(5002).GetAppLink())
}

func TestAKilledWorkerLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	dir := filepath.Dir(cfg.ExecDir)
	process := workerProcess(t, dir)
	pid := pidFrom(t, filepath.Join(dir, "pid"))
	before, err := processes()
	require.NoError(t, err)
	tree := []int{}
	for p, info := range before {
		if info.session == pid || info.parent == pid {
			tree = append(tree, p)
		}
	}
	require.GreaterOrEqual(t, len(tree), 4)
	require.NoError(t, process.Process.Signal(syscall.SIGKILL))
	_ = process.Wait()
	require.True(t, alive(pid), "the children outlive the worker")

	m := newScripted(t, "inner")
	startWorker(t, cfg, m)
	require.Equal(t, doradov1.Outcome_LOST, m.finished(5002).GetOutcome())
	require.EqualValues(t, 6, m.finished(5001).GetExitCode())
	for _, p := range tree {
		require.False(t, alive(p), "process %d is left", p)
	}
	log, err := os.ReadFile(m.finished(5002).GetLogPath())
	require.NoError(t, err)
	require.Contains(t, string(log), "the worker was restarted")
	noDirs(t, cfg.ExecDir)
}

func TestTwoWorkersDoNotShareAJournal(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	w := startWorker(t, cfg, newScripted(t, "m"))
	_, err := openJournal(cfg.JournalDir, nil, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "another worker uses")
	w.stop()
	j, err := openJournal(cfg.JournalDir, nil, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, j.close())
}

func TestTheJournalSurvivesTornRecordsAndStaysSmall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func() *journal {
		j, err := openJournal(dir, nil, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		return j
	}
	report := func(id int64) *doradov1.Report {
		return &doradov1.Report{Id: id, Kind: doradov1.ReportKind_FINISHED, Message: strings.Repeat("x", 500)}
	}
	j := open()
	require.NoError(t, j.append(entry{kind: entryFinished, report: report(1)}, entry{kind: entryStarted, started: -5, user: "ann", report: report(2)}))
	require.NoError(t, j.close())
	f, err := os.OpenFile(j.path(), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.Write(entry{kind: entryFinished, report: report(3)}.encode(nil)[:100])
	require.NoError(t, err)
	require.NoError(t, f.Close())
	j = open()
	require.Len(t, j.replayed, 3, "boot, 1 and 2")
	require.Equal(t, "ann", j.replayed[2].user)
	require.EqualValues(t, -5, j.replayed[2].started)
	require.NoError(t, j.append(entry{kind: entryAcked, ids: []int64{1, 1 << 52}}))
	require.NoError(t, j.close())
	j = open()
	require.Equal(t, []int64{1, 1 << 52}, j.replayed[4].ids, "what follows a torn record can be read")
	j.live = func() []entry { return []entry{{kind: entryFinished, report: report(2)}} }
	j.restart()
	for i := range int64(30_000) {
		j.finished(1, []entry{{kind: entryFinished, report: report(i)}})
		j.acked([]int64{i})
	}
	info, err := os.Stat(j.path())
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(2*compactAt))
	require.NoError(t, j.close())
}

func FuzzJournal(f *testing.F) {
	f.Add(entry{kind: entryAcked, ids: []int64{1}}.encode(nil))
	f.Add(entry{kind: entryFinished, report: &doradov1.Report{Id: 1}}.encode(nil))
	f.Add(entry{kind: entryRemote, ids: []int64{1}, pattern: `JobID (\w+)`, from: 99}.encode(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, sound, err := readJournal(strings.NewReader(string(data)))
		require.NoError(t, err)
		require.LessOrEqual(t, sound, int64(len(data)))
	})
}

func TestAFullDiskFailsTheAttemptAndTheWorkerLives(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	cfg := testConfig(t)
	small := t.TempDir()
	require.NoError(t, syscall.Mount("tmpfs", small, "tmpfs", 0, "size=64k"))
	t.Cleanup(func() { _ = syscall.Unmount(small, syscall.MNT_DETACH) })
	cfg.LogDir = filepath.Join(small, "logs")
	m := newScripted(t, "m")
	startWorker(t, cfg, m)
	filler := filepath.Join(small, "filler")
	_ = os.WriteFile(filler, make([]byte, 1<<20), 0o600)
	job := shellTask("true")
	m.dispatch(job)
	r := m.finished(job.GetId())
	require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome())
	require.Contains(t, r.GetMessage(), "cannot write the task log")
	require.Contains(t, r.GetMessage(), "no space left on device")
	require.NoError(t, os.Remove(filler))
	r, _ = m.run(shellTask("true"))
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome())
}

func TestADirectoryThatVanishedIsSaidSo(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	w := startWorker(t, testConfig(t), m)
	require.NoError(t, os.RemoveAll(w.cfg.ExecDir))
	r, _ := m.run(shellTask("true"))
	require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome())
	require.Contains(t, r.GetMessage(), "cannot create the working directory")
}

func TestConfigurationIsCheckedAsAWhole(t *testing.T) {
	t.Parallel()
	require.NoError(t, DefaultConfig("/data").Validate())
	err := Config{Sudo: "maybe", OnStop: "x", DefaultUser: "-x", DrainTimeout: -1}.Validate()
	for _, key := range []string{"name", "groups", "slots", "starting", "exec-dir", "log-dir", "journal-dir", "drain-timeout", "heartbeat", "host-weight", "full-policy", "sudo", "on-stop", "default-user"} {
		require.ErrorContains(t, err, "worker."+key+":")
	}
}
