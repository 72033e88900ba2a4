package executor

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/rpc/doradov1"
	"dorado/plugins/catalog"
)

// waiting is a task that runs until its test writes a file; it notes each run in another one.
func waiting(t *testing.T) (task *doradov1.Task, release func(), runs func() string) {
	t.Helper()
	dir := t.TempDir()
	task = shellTask("echo x >> " + dir + "/runs; while [ ! -e " + dir + "/go ]; do sleep 0.02; done")
	return task, func() { require.NoError(t, os.WriteFile(dir+"/go", nil, 0o600)) },
		func() string {
			text, err := os.ReadFile(filepath.Join(dir, "runs"))
			require.NoError(t, err)
			return string(text)
		}
}

func TestAClaimMakesAnotherMasterTheOwnerAndTheProcessRunsOn(t *testing.T) {
	t.Parallel()
	m1, m2 := newScripted(t, "m1"), newScripted(t, "m2")
	startWorker(t, testConfig(t), m1, m2)
	job, release, runs := waiting(t)
	m1.dispatch(job)
	pid := m1.report(job.GetId(), doradov1.ReportKind_STARTED).GetPid()
	m2.claim(2, job)
	require.Equal(t, pid, m2.report(job.GetId(), doradov1.ReportKind_STARTED).GetPid(), "a claim is answered at once")
	m2.beat("it counts as m2's", func(hb *doradov1.Heartbeat) bool { return hb.GetYours() == 1 && hb.GetRunning() == 1 })
	m1.beat("and not as m1's", func(hb *doradov1.Heartbeat) bool { return hb.GetYours() == 0 && hb.GetRunning() == 1 })
	m1.claim(1, job) // m1 was replaced: neither this nor a kill of its epoch is heard
	m1.killAt(1, job.GetId())
	m1.dispatch(job)
	after := shellTask("true") // of another run; what a master says is heard in its order
	after.WorkflowInstanceId = job.GetWorkflowInstanceId() + 1
	m1.dispatch(after)
	m1.finished(after.GetId())
	release()
	r := m2.finished(job.GetId())
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome())
	require.Equal(t, pid, r.GetPid())
	require.Zero(t, m1.count(job.GetId(), doradov1.ReportKind_FINISHED), "only the owner is told")
	require.Equal(t, "x\n", runs())
}

func TestAClaimOfWhatTheWorkerDoesNotHoldIsAnsweredUnknownAndBarsTheOldMaster(t *testing.T) {
	t.Parallel()
	m1, m2 := newScripted(t, "m1"), newScripted(t, "m2")
	startWorker(t, testConfig(t), m1, m2)
	late, other := shellTask("true"), shellTask("true")
	late.WorkflowInstanceId, other.WorkflowInstanceId = 70, 71
	m2.claim(5, late)
	r := m2.finished(late.GetId())
	require.Equal(t, doradov1.Outcome_UNKNOWN, r.GetOutcome())
	require.EqualValues(t, 70, r.GetWorkflowInstanceId())
	m1.dispatch(late, other) // the dispatch of a replaced master arrives after all
	m1.finished(other.GetId())
	require.Zero(t, m1.count(late.GetId(), doradov1.ReportKind_FINISHED))
	require.Zero(t, m1.count(late.GetId(), doradov1.ReportKind_REFUSED))
}

func TestTheEndOfAnAttemptGoesToWhoClaimsItWhenItsMasterIsGone(t *testing.T) {
	t.Parallel()
	m1, m2 := newScripted(t, "m1"), newScripted(t, "m2")
	w := startWorker(t, testConfig(t), m1, m2)
	job, release, _ := waiting(t)
	m1.dispatch(job)
	m1.report(job.GetId(), doradov1.ReportKind_STARTED)
	m2.connected()
	w.SetMasters([]Master{{m2.name, m2}})
	release()
	require.Eventually(t, func() bool { return w.ends(job.GetId()) }, 20*time.Second, time.Millisecond)
	require.Zero(t, m2.count(job.GetId(), doradov1.ReportKind_FINISHED), "it is not m2's yet")
	m2.claim(2, job)
	require.Equal(t, doradov1.Outcome_SUCCEEDED, m2.finished(job.GetId()).GetOutcome())
	require.Eventually(t, func() bool { return !w.holds(job.GetId()) }, 20*time.Second, time.Millisecond)
}

// ends reports whether an attempt has ended and still waits for its acknowledgement.
func (w *worker) ends(id int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, known := w.attempts[id]
	return known && a.state == finished
}

func TestAMasterThatComesBackGetsWhatEndedMeanwhile(t *testing.T) {
	t.Parallel()
	m1, m2 := newScripted(t, "m1"), newScripted(t, "m2")
	w := startWorker(t, testConfig(t), m1, m2)
	job, release, _ := waiting(t)
	m1.dispatch(job)
	m1.report(job.GetId(), doradov1.ReportKind_STARTED)
	w.SetMasters([]Master{{m2.name, m2}})
	release()
	require.Eventually(t, func() bool { return w.ends(job.GetId()) }, 20*time.Second, time.Millisecond)
	w.SetMasters([]Master{{m1.name, m1}, {m2.name, m2}})
	require.Equal(t, doradov1.Outcome_SUCCEEDED, m1.finished(job.GetId()).GetOutcome())
	m1.until("it is told whose it is", func() bool { return m1.holds[job.GetId()].GetYours() && m1.holds[job.GetId()].GetEpoch() == 1 })
	require.Zero(t, m2.count(job.GetId(), doradov1.ReportKind_FINISHED))
}

func TestAnAcknowledgementOfAStrangerForgetsNothing(t *testing.T) {
	t.Parallel()
	m1, m2 := newScripted(t, "m1"), newScripted(t, "m2")
	m1.noAck.Store(true)
	w := startWorker(t, testConfig(t), m1, m2)
	job := shellTask("exit 4")
	m1.run(job)
	m2.send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Ack{Ack: &doradov1.Ack{Items: []*doradov1.AckItem{{Id: job.GetId(), Seq: 2}}}}})
	m2.dispatch(shellTask("true")) // what follows on the stream shows that the acknowledgement was read
	m2.until("the other task ends", func() bool { return len(m2.reports) > 0 })
	require.True(t, w.holds(job.GetId()))
	m2.claim(2, job)
	require.EqualValues(t, 4, m2.finished(job.GetId()).GetExitCode())
	require.Eventually(t, func() bool { return !w.holds(job.GetId()) }, 20*time.Second, time.Millisecond)
}

func TestOwnersAndEpochsSurviveTheEndOfTheProgram(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	m1, m2 := newScripted(t, "m1"), newScripted(t, "m2")
	m1.noAck.Store(true)
	m2.noAck.Store(true)
	w := startWorker(t, cfg, m1, m2)
	mine, claimed := shellTask("exit 1"), shellTask("exit 2")
	mine.WorkflowInstanceId, claimed.WorkflowInstanceId = 80, 81
	m1.dispatch(mine, claimed)
	m1.finished(mine.GetId())
	m1.finished(claimed.GetId())
	m2.claim(9, claimed)
	m2.finished(claimed.GetId())
	w.stop()

	n1, n2 := newScripted(t, "m1"), newScripted(t, "m2")
	n1.noAck.Store(true)
	n2.noAck.Store(true)
	startWorker(t, cfg, n1, n2)
	require.EqualValues(t, 1, n1.finished(mine.GetId()).GetExitCode())
	require.EqualValues(t, 2, n2.finished(claimed.GetId()).GetExitCode())
	n2.until("whose is whose", func() bool { return len(n2.holds) == 2 })
	require.True(t, n2.holds[claimed.GetId()].GetYours())
	require.EqualValues(t, 9, n2.holds[claimed.GetId()].GetEpoch())
	require.False(t, n2.holds[mine.GetId()].GetYours())
	n1.claim(8, claimed)
	n1.claim(2, mine)
	n1.until("the current claim is answered", func() bool { return len(n1.reports) == 2 })
	require.Zero(t, n1.count(claimed.GetId(), doradov1.ReportKind_FINISHED), "the epoch of its run is remembered")
}

func TestEndsThatNobodyClaimsAreOfferedToAllMasters(t *testing.T) {
	t.Parallel()
	c, err := catalog.Builtin()
	require.NoError(t, err)
	m1, m2 := newScripted(t, "m1"), newScripted(t, "m2")
	m1.noAck.Store(true)
	w := startTuned(t, Deps{Config: testConfig(t), Catalog: c, Logger: slog.New(slog.DiscardHandler)}, func(e *Executor) {
		e.repeat, e.orphan = 50*time.Millisecond, 200*time.Millisecond
	}, m1, m2)
	job := shellTask("exit 3")
	m1.run(job)
	m1.refuse.Store(true)
	m1.hangUp()
	require.EqualValues(t, 3, m2.finished(job.GetId()).GetExitCode())
	require.Eventually(t, func() bool { return !w.holds(job.GetId()) }, 20*time.Second, time.Millisecond, "and any may acknowledge them")
}

func TestEpochsOfRunsWithAttemptsHereAreNeverForgotten(t *testing.T) {
	t.Parallel()
	r := newEpochs()
	held := func() map[int64]bool { return map[int64]bool{7: true} }
	require.True(t, r.current(7, 3, held))
	for run := range int64(3 * rememberRuns) {
		require.True(t, r.current(1000+run, 2, held))
	}
	require.False(t, r.current(7, 2, held))
	require.True(t, r.current(7, 0, held), "from a master that sends none")
	require.False(t, r.current(1000+3*rememberRuns-1, 1, held), "the latest are remembered")
	require.Less(t, len(r.fresh)+len(r.old), 2*rememberRuns+2)
}
