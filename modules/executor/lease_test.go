package executor

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/rpc/doradov1"
	"dorado/plugins/catalog"
)

const lostPlace = "the worker lost its place in the cluster"

func TestAWorkerWithoutItsLeaseStartsNothingAndGoesOnWhenItIsBack(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	w := startWorker(t, testConfig(t), m)
	lease := make(chan struct{})
	w.SetLease(lease)
	job, release, _ := waiting(t)
	m.dispatch(job)
	pid := int(m.report(job.GetId(), doradov1.ReportKind_STARTED).GetPid())
	close(lease)
	m.beat("it says so", func(hb *doradov1.Heartbeat) bool { return hb.GetBusy() == lostPlace })
	refused := shellTask("true")
	m.dispatch(refused)
	require.Equal(t, lostPlace, m.report(refused.GetId(), doradov1.ReportKind_REFUSED).GetMessage())
	require.True(t, alive(pid), "what runs goes on")

	w.SetLease(make(chan struct{}))
	m.beat("it wants work again", func(hb *doradov1.Heartbeat) bool { return hb.GetBusy() == "" })
	r, _ := m.run(shellTask("true"))
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome())
	release()
	require.Equal(t, doradov1.Outcome_SUCCEEDED, m.finished(job.GetId()).GetOutcome())
}

func TestAWorkerThatStaysWithoutItsLeaseEndsWhatItRuns(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	cfg := testConfig(t)
	cfg.LeaseGrace = 300 * time.Millisecond
	cfg.Starting = 1
	w := startWorker(t, cfg, m)
	file := filepath.Join(t.TempDir(), "pid")
	job := shellTask("echo $$ > " + file + "; sleep 1000")
	m.dispatch(job)
	pid := pidFrom(t, file)
	never := make(chan struct{})
	close(never)
	w.SetLease(never)
	r := m.finished(job.GetId())
	require.Equal(t, doradov1.Outcome_LOST, r.GetOutcome())
	require.True(t, strings.HasPrefix(r.GetMessage(), lostPlace), r.GetMessage())
	gone(t, pid)
	w.SetLease(make(chan struct{}))
	m.beat("it wants work again", func(hb *doradov1.Heartbeat) bool { return hb.GetBusy() == "" })
	r, _ = m.run(shellTask("true"))
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome())
}

func TestWhatWasAcceptedBeforeTheLeaseWasLostIsNotStarted(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	cfg := testConfig(t)
	cfg.LeaseGrace = 300 * time.Millisecond
	cfg.Slots, cfg.FullPolicy, cfg.QueueLength = 1, FullContinue, 1
	w := startWorker(t, cfg, m)
	first, release, _ := waiting(t)
	file := filepath.Join(t.TempDir(), "ran")
	second := shellTask("touch " + file)
	m.dispatch(first, second)
	m.report(first.GetId(), doradov1.ReportKind_STARTED)
	m.beat("it waits for a slot", func(hb *doradov1.Heartbeat) bool { return hb.GetWaiting() == 1 && hb.GetRunning() == 2 })
	never := make(chan struct{})
	close(never)
	w.SetLease(never)
	m.beat("it says so", func(hb *doradov1.Heartbeat) bool { return hb.GetBusy() == lostPlace })
	release() // the slot is free, and nobody may have it
	require.Equal(t, doradov1.Outcome_LOST, m.finished(second.GetId()).GetOutcome())
	require.NoFileExists(t, file)
}

func TestALeaseByContactLastsWhileAMasterAnswers(t *testing.T) {
	t.Parallel()
	c, err := catalog.Builtin()
	require.NoError(t, err)
	m := newScripted(t, "m")
	w := startTuned(t, Deps{Config: testConfig(t), Catalog: c, Logger: slog.New(slog.DiscardHandler)}, func(e *Executor) {
		e.SetLeaseByContact(600 * time.Millisecond)
	}, m)
	lost := func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.lease.lost
	}
	r, _ := m.run(shellTask("sleep 1.5"))
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), "answers to heartbeats are enough")
	m.mute.Store(true)
	require.Eventually(t, lost, 20*time.Second, time.Millisecond)
	m.mute.Store(false)
	require.Eventually(t, func() bool { return !lost() }, 20*time.Second, time.Millisecond)
}

func TestAProcessThatWasStoppedKnowsThatItsLeaseIsLongGone(t *testing.T) {
	t.Parallel()
	var l lease
	l.beat()
	require.Zero(t, l.gone())
	l.pulse.Store(bootNS() - int64(time.Minute)) // no pulse for a minute: the process did not run
	require.InDelta(t, time.Minute, l.gone(), float64(time.Second))
	l.beat()
	require.InDelta(t, time.Minute, l.gone(), float64(time.Second), "for a moment after it woke")
	l.woke.Store(bootNS() - int64(stoppedAfter))
	require.Zero(t, l.gone())
}

func TestAMasterThatFallsSilentIsDialedAgain(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	cfg := testConfig(t)
	cfg.Heartbeat = 100 * time.Millisecond
	startWorker(t, cfg, m)
	m.until("heartbeats are answered", func() bool { return len(m.beats) > 2 })
	m.mute.Store(true)
	m.until("another stream", func() bool { return m.streams > 1 })
}

func TestAnOverloadedWorkerRefusesAndSaysWhenItIsOver(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	c, err := catalog.Builtin()
	require.NoError(t, err)
	cfg := testConfig(t)
	cfg.MaxMemoryUsage = 0.000001
	w := startTuned(t, Deps{Config: cfg, Catalog: c, Environ: os.Environ(), Logger: slog.New(slog.DiscardHandler)}, nil, m)
	job := shellTask("true")
	m.dispatch(job)
	require.Contains(t, m.report(job.GetId(), doradov1.ReportKind_REFUSED).GetMessage(), "the worker is overloaded: memory")
	m.beat("the reason is in the heartbeat", func(hb *doradov1.Heartbeat) bool { return strings.Contains(hb.GetBusy(), "memory") })
	require.Contains(t, w.Load().GetBusy(), "memory")
}

func TestLimitsOfLoadAreNamed(t *testing.T) {
	t.Parallel()
	load := &doradov1.Heartbeat{MemoryUsage: 0.95, DiskUsage: 0.8, CpuUsage: 1}
	require.Equal(t, "the worker is overloaded: memory 95 % used, 90 % allowed", DefaultConfig("d").overload(load))
	require.Equal(t, "the worker is overloaded: disk 80 % used, 70 % allowed", Config{MaxDiskUsage: 0.7}.overload(load))
	require.Contains(t, Config{MaxCPUUsage: 0.9}.overload(load), "CPU 100 %")
	require.Empty(t, Config{}.overload(load), "0 is never")
}

func TestAWorkerThatRefusedSaysAtOnceWhenItHasRoom(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	cfg := testConfig(t)
	cfg.Slots, cfg.Heartbeat = 1, time.Hour
	startWorker(t, cfg, m)
	job, release, _ := waiting(t)
	second := shellTask("true")
	m.dispatch(job, second)
	require.Equal(t, "no free slot", m.report(second.GetId(), doradov1.ReportKind_REFUSED).GetMessage())
	m.beat("it is full", func(hb *doradov1.Heartbeat) bool { return hb.GetRunning() == 1 })
	release()
	m.beat("it has room", func(hb *doradov1.Heartbeat) bool { return hb.GetRunning() == 0 })
}

func TestUnderContinueWorkWaitsForASlotInItsOrder(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	cfg := testConfig(t)
	cfg.Slots, cfg.FullPolicy, cfg.QueueLength = 1, FullContinue, 3
	startWorker(t, cfg, m)
	file := filepath.Join(t.TempDir(), "order")
	first, release, _ := waiting(t)
	second, third, fourth, fifth := shellTask("echo 2 >> "+file), shellTask("echo 3 >> "+file), shellTask("echo 4 >> "+file), shellTask("true")
	m.dispatch(first, second, third, fourth, fifth)
	require.Equal(t, "no free slot, and the queue is full", m.report(fifth.GetId(), doradov1.ReportKind_REFUSED).GetMessage())
	m.kill(third.GetId())
	r := m.finished(third.GetId())
	require.Equal(t, doradov1.Outcome_KILLED, r.GetOutcome(), "what waits can be killed at once")
	m.claim(2, second)
	require.Zero(t, m.report(second.GetId(), doradov1.ReportKind_STARTED).GetPid(), "a claim of what waits is answered")
	release()
	require.Equal(t, doradov1.Outcome_SUCCEEDED, m.finished(second.GetId()).GetOutcome())
	require.Equal(t, doradov1.Outcome_SUCCEEDED, m.finished(fourth.GetId()).GetOutcome())
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "2\n4\n", string(text))
}
