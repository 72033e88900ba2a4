package engine_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/engine"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// master runs one more engine on the fixture's database, which the fixture talks to from now on. The channel gets what
// its Run returned.
func (f *fixture) master(name string) <-chan error {
	f.t.Helper()
	config := f.config
	config.Name = name
	e := engine.New(config, engine.Deps{DB: f.db, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Children: f})
	ctx, cancel := context.WithCancel(context.Background())
	ended, over := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(over)
		ended <- e.Run(ctx)
	}()
	f.t.Cleanup(func() { cancel(); <-over })
	<-e.Ready()
	f.engine = e
	return ended
}

func TestW02_AMasterThatWasReplacedSavesAndAcknowledgesNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		f.stop()
		f.config.WorkerTimeout = 10 * time.Minute
		ended := f.master("m1")
		w := f.worker("w1", 10)
		w.hold = true
		id := f.run(f.define(flow.Parallel, []flow.Task{shell("a"), shell("b")}, "a>b"), run{})
		held := w.wait(t, 1)
		before := f.attempt(id, "a")

		f.master("m2")
		w.report(finished(held, doradov1.Outcome_FAILED)) // to the old one, which does not know yet that it is the old one
		select {
		case err := <-ended:
			require.ErrorContains(t, err, "fenced")
		case <-time.After(time.Minute):
			t.Fatal("a master that was replaced works on")
		}
		require.Equal(t, before, f.attempt(id, "a"), "its save wrote nothing")
		require.Empty(t, f.attempts(id, "b"))
		require.Equal(t, "RUNNING_EXECUTION", f.state(id))
		w.mu.Lock()
		require.Empty(t, w.acked, "so the worker keeps the report")
		w.mu.Unlock()

		again := f.worker("w1", 10, &doradov1.HeldAttempt{Id: held.GetId(), WorkflowInstanceId: id})
		again.finish(held, doradov1.Outcome_SUCCEEDED)
		f.waitState(id, flow.WorkflowSuccess)
		require.Len(t, f.attempts(id, "a"), 1)
		require.Equal(t, 1, w.dispatched())
		require.Equal(t, 1, again.dispatched())
		owner, err := db.Get[string](t.Context(), d, `SELECT owner FROM workflow_instance WHERE id = ?`, id)
		require.NoError(t, err)
		require.Equal(t, "m2", owner)
	})
}

func TestW06_AReportIsAcknowledgedOnlyWhenItsRowIsSavedAndAgainWhenRepeated(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		stream, err := f.engine.Dialer(t.Context()).Dial()
		require.NoError(t, err)
		t.Cleanup(func() { _ = stream.Close() })
		require.NoError(t, stream.Send(&doradov1.WorkerFrame{Body: &doradov1.WorkerFrame_Hello{Hello: &doradov1.Hello{Protocol: 1, Worker: "w1", Slots: 20}}}))
		require.NoError(t, stream.Send(&doradov1.WorkerFrame{Body: &doradov1.WorkerFrame_Held{Held: &doradov1.Held{}}}))
		w := &worker{stream: stream}
		const tasks = 60
		id := f.trigger(f.workflow(tasks))
		ended, acks := map[int64]*doradov1.Report{}, map[int64]int{}
		for again := 0; again < tasks; {
			frame, err := stream.Recv()
			require.NoError(t, err)
			for _, task := range frame.GetDispatch().GetTasks() {
				ended[task.GetId()] = finished(task, doradov1.Outcome_SUCCEEDED)
				w.report(ended[task.GetId()])
			}
			for _, ack := range frame.GetAck().GetItems() {
				state, err := db.Get[string](t.Context(), d, `SELECT state FROM task_instance WHERE id = ?`, ack.GetId())
				require.NoError(t, err)
				require.Equal(t, "SUCCESS", state, "what is acknowledged is saved")
				if acks[ack.GetId()]++; acks[ack.GetId()] == 1 {
					w.report(ended[ack.GetId()]) // as if the acknowledgement had been lost
				} else {
					again++
				}
			}
		}
		f.waitState(id, flow.WorkflowSuccess)
		require.Len(t, acks, tasks)
	})
}
