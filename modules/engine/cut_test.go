package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/engine"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// restart stops the fixture's engine and starts it with another idea of how long a worker may be away.
func (f *fixture) restart(workerTimeout time.Duration) {
	f.t.Helper()
	f.stop()
	f.config.WorkerTimeout = workerTimeout
	f.start()
}

func started(task *doradov1.Task) *doradov1.Report {
	return &doradov1.Report{
		Id: task.GetId(), Seq: 1, Kind: doradov1.ReportKind_STARTED, WorkflowInstanceId: task.GetWorkflowInstanceId(),
		StartMs: time.Now().UnixMilli(), Pid: 42, LogPath: "/l",
	}
}

// away waits until the engine has noticed that a worker's stream broke.
func (f *fixture) away(name string) {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		for _, w := range f.engine.Workers() {
			if w.Name == name {
				return false
			}
		}
		return true
	}, time.Minute, 2*time.Millisecond)
}

func TestG18_AShortCutOfTheStreamChangesNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		f.restart(10 * time.Minute)
		w := f.worker("w1", 1)
		w.hold = true
		id := f.run(f.define(flow.Parallel, []flow.Task{shell("a")}), run{})
		held := w.wait(t, 1)
		w.report(started(held))
		before := f.waitTask(id, "a", flow.TaskRunning)
		other := f.worker("w2", 10)
		w.stream.Close()
		f.away("w1")

		back := f.worker("w1", 1, &doradov1.HeldAttempt{Id: held.GetId(), WorkflowInstanceId: id})
		back.report(started(held)) // it repeats what may not have arrived
		require.Eventually(t, func() bool { back.mu.Lock(); defer back.mu.Unlock(); return back.acked[held.GetId()] }, time.Minute, 2*time.Millisecond)
		require.Equal(t, []attempt{before}, f.attempts(id, "a"), "the same attempt on the same worker")
		back.finish(held, doradov1.Outcome_SUCCEEDED)
		f.waitState(id, flow.WorkflowSuccess)
		require.Len(t, f.attempts(id, "a"), 1)
		require.Zero(t, other.dispatched()+back.dispatched())
		back.mu.Lock()
		require.Empty(t, back.killed)
		back.mu.Unlock()
	})
}

func TestG18_ALongCutBeginsTheAttemptOnceMoreAndEndsTheOldProcess(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		f.restart(50 * time.Millisecond)
		w := f.worker("w1", 1)
		w.hold = true
		id := f.run(f.define(flow.Parallel, []flow.Task{shell("a")}), run{})
		old := w.wait(t, 1)
		w.report(started(old))
		f.waitTask(id, "a", flow.TaskRunning)
		other := f.worker("w2", 1)
		other.hold = true
		w.stream.Close()
		next := other.wait(t, 1)
		require.NotEqual(t, old.GetId(), next.GetId())
		rows := f.attempts(id, "a")
		require.Len(t, rows, 2)
		require.Equal(t, "NEED_FAULT_TOLERANCE", rows[0].State)

		// It is back, and its process still runs.
		back := f.worker("w1", 1, &doradov1.HeldAttempt{Id: old.GetId(), WorkflowInstanceId: id})
		require.Eventually(t, func() bool { back.mu.Lock(); defer back.mu.Unlock(); return back.killed[old.GetId()] }, time.Minute, 2*time.Millisecond)
		back.finish(old, doradov1.Outcome_SUCCEEDED) // too late
		require.Eventually(t, func() bool { back.mu.Lock(); defer back.mu.Unlock(); return back.acked[old.GetId()] }, time.Minute, 2*time.Millisecond)
		require.Equal(t, "RUNNING_EXECUTION", f.state(id))
		other.finish(next, doradov1.Outcome_SUCCEEDED)
		f.waitState(id, flow.WorkflowSuccess)
		rows = f.attempts(id, "a")
		require.Len(t, rows, 2, "it was begun again once")
		require.Equal(t, "NEED_FAULT_TOLERANCE", rows[0].State, "a superseded attempt stays what it was")
		require.Equal(t, "SUCCESS", rows[1].State)
		require.Zero(t, back.dispatched())
	})
}

func TestG19_TheNextAttemptIsSentWithTheRemoteApplicationOfTheLostOne(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 1)
		w.hold = true
		id := f.run(f.define(flow.Parallel, []flow.Task{shell("a")}), run{})
		first := w.wait(t, 1)
		require.Empty(t, first.GetAppLink())
		lost := finished(first, doradov1.Outcome_LOST) // the worker stops; the application goes on without it
		lost.AppLink = "application_1_2"
		w.report(lost)
		second := w.wait(t, 2)
		require.Equal(t, "application_1_2", second.GetAppLink())

		// The worker vanishes with the master: what is known of the application is in the database.
		w.report(started(second))
		f.waitTask(id, "a", flow.TaskRunning)
		w.stream.Close()
		f.restart(50 * time.Millisecond)
		other := f.worker("w2", 1)
		other.hold = true
		third := other.wait(t, 1)
		require.NotEqual(t, second.GetId(), third.GetId())
		require.Equal(t, "application_1_2", third.GetAppLink())
		other.finish(third, doradov1.Outcome_SUCCEEDED)
		f.waitState(id, flow.WorkflowSuccess)
	})
}

func TestW30_LogsAreReadByTheNameOfTheWorkerWhereverItIs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dbtest.SQLite(t))
	f.restart(10 * time.Minute)
	// connect opens both streams of the worker from an address, with one log on its disk.
	connect := func(address string, held ...*doradov1.HeldAttempt) (w *worker, hangUp func()) {
		w = f.worker("w1", 1, held...)
		w.hold = true
		data, err := f.engine.Dialer(t.Context()).Dial()
		require.NoError(t, err)
		require.NoError(t, data.Send(&doradov1.WorkerFrame{Body: &doradov1.WorkerFrame_Hello{Hello: &doradov1.Hello{
			Protocol: 1, Worker: "w1", Kind: doradov1.StreamKind_DATA, Address: address,
		}}}))
		go func() {
			for {
				frame, err := data.Recv()
				if err != nil {
					return
				}
				if ask := frame.GetLog(); ask.GetLines() != nil {
					_ = data.Send(&doradov1.WorkerFrame{Body: &doradov1.WorkerFrame_Log{Log: &doradov1.LogReply{
						Call: ask.GetCall(), Lines: []string{ask.GetPath() + " on " + address}, Done: true,
					}}})
				}
			}
		}()
		return w, func() { w.stream.Close(); data.Close() }
	}
	reads := func(a attempt) (text string, err error) {
		err = f.engine.ReadLog(t.Context(), a.Host, &doradov1.LogRequest{Path: a.LogPath, Want: &doradov1.LogRequest_Lines{Lines: &doradov1.LogLines{Limit: 10}}},
			func(r *doradov1.LogReply) error { text += r.GetLines()[0]; return nil })
		return text, err
	}
	w, hangUp := connect("10.0.0.1:1")
	id := f.run(f.define(flow.Parallel, []flow.Task{shell("a")}), run{})
	held := w.wait(t, 1)
	w.report(started(held))
	a := f.waitTask(id, "a", flow.TaskRunning)
	require.Equal(t, "w1", a.Host)
	eventually := func(want string) {
		require.Eventually(t, func() bool { text, err := reads(a); return err == nil && text == want }, time.Minute, 2*time.Millisecond)
	}
	eventually("/l on 10.0.0.1:1")
	hangUp()
	require.Eventually(t, func() bool {
		_, err := reads(a)
		return err != nil
	}, time.Minute, 2*time.Millisecond)
	_, err := reads(a)
	require.ErrorIs(t, err, engine.ErrLogWorkerAway)

	back, _ := connect("10.9.9.9:2", &doradov1.HeldAttempt{Id: held.GetId(), WorkflowInstanceId: id})
	eventually("/l on 10.9.9.9:2")
	back.finish(held, doradov1.Outcome_SUCCEEDED)
	f.waitState(id, flow.WorkflowSuccess)
	a = f.attempt(id, "a")
	eventually("/l on 10.9.9.9:2")
}
