package engine_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

func TestG25_W07_NothingIsLostOrDoneTwiceWhileTheDatabaseGoesAway(t *testing.T) {
	t.Parallel()
	address := dbtest.PostgresURL(t)
	admin := dbtest.Open(t, dbtest.PostgresURL(t))
	u, err := url.Parse(address)
	require.NoError(t, err)
	name := strings.TrimPrefix(u.Path, "/")
	d := dbtest.Open(t, address)
	f := newFixture(t, d)
	w := f.worker("w1", 5)
	var tasks []flow.Task
	for i := range 400 {
		tasks = append(tasks, shell(fmt.Sprint("t", i)))
	}
	tasks = append(tasks, dependent("dep", depends(&flow.Definition{Code: 1}, 0, "today")))
	upstream := f.define(flow.Parallel, []flow.Task{shell("u")})
	tasks[400] = dependent("dep", depends(upstream, 0, "today"))
	id := f.run(f.define(flow.Parallel, tasks), run{})
	require.Eventually(t, func() bool { return w.dispatched() > 50 }, 60*time.Second, time.Millisecond)
	before := w.dispatched()
	for range 40 { // every connection breaks, whatever it is doing, again and again
		exec(t, admin, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ?`, name)
		time.Sleep(20 * time.Millisecond)
	}
	require.Eventually(t, func() bool {
		n, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM task_instance WHERE workflow_instance_id = ? AND state = 'SUCCESS'`, id)
		return err == nil && n == 400
	}, 60*time.Second, 10*time.Millisecond, "it was at %d when the database went away", before)
	f.run(upstream, run{})
	f.waitState(id, flow.WorkflowSuccess)
	rows, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM task_instance WHERE workflow_instance_id = ?`, id)
	require.NoError(t, err)
	require.Equal(t, 401, rows, "no attempt was lost and begun again")
	w.mu.Lock()
	defer w.mu.Unlock()
	for attempt, n := range w.seen {
		require.Equal(t, 1, n, "attempt %d", attempt)
	}
}

func TestW15_ARunThatCannotBeSavedFailsWithItsReasonAndHarmsNoOther(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		if d.Dialect().Name() == "postgres" {
			exec(t, d, `ALTER TABLE task_instance ADD CONSTRAINT ck CHECK (message <> 'poison')`)
		} else {
			exec(t, d, `CREATE TRIGGER ck BEFORE UPDATE ON task_instance WHEN NEW.message = 'poison' BEGIN SELECT RAISE(ABORT, 'poisoned'); END`)
		}
		def := f.define(flow.Parallel, []flow.Task{shell("a"), shell("b")})
		bad, good := f.run(def, run{}), f.run(def, run{})
		var other int64
		for _, held := range w.waitHeld(t, 4) {
			r := finished(held, doradov1.Outcome_SUCCEEDED)
			switch {
			case held.GetWorkflowInstanceId() == good:
			case held.GetName() == "a":
				r.Message = "poison"
			default:
				other = held.GetId()
				continue
			}
			w.report(r)
		}
		f.waitState(good, flow.WorkflowSuccess)
		f.waitState(bad, flow.WorkflowFailure)
		message, err := db.Get[string](t.Context(), d, `SELECT message FROM workflow_instance WHERE id = ?`, bad)
		require.NoError(t, err)
		require.Contains(t, message, "could not be saved")
		require.Equal(t, "FAILURE", f.attempt(bad, "b").State)
		require.Eventually(t, func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.killed[other] }, 60*time.Second, 5*time.Millisecond,
			"what still runs for it is ended")
	})
}
