package engine_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db/dbtest"
	"dorado/modules/engine"
	"dorado/modules/flow"
)

// The clock of a bubble stands still while anything can go on, so whatever waits for a timer or a poll moves it.
func TestW12_NoClockIsOnTheWayFromReadyToDispatch(t *testing.T) {
	t.Parallel()
	path := dbtest.SQLiteFile(t)
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, dbtest.Open(t, path))
		f.worker("w1", 4)
		ended := make(chan engine.Ended, 100)
		f.engine.OnEnd(func(x engine.Ended) { ended <- x })
		until := func(id int64) {
			t.Helper()
			for x := range ended {
				if x.InstanceID == id {
					require.Equal(t, flow.WorkflowSuccess, x.State)
					return
				}
			}
		}
		time.Sleep(61 * time.Millisecond) // the start is over, and no poll is about to begin
		synctest.Wait()
		began := time.Now()

		tasks, edges := []flow.Task{shell("t0")}, []string(nil)
		for i := range 60 {
			tasks = append(tasks, shell(fmt.Sprint("t", i+1)))
			edges = append(edges, fmt.Sprintf("t%d>t%d", i, i+1))
		}
		until(f.run(f.define(flow.Parallel, tasks, edges...), run{}))
		require.Zero(t, time.Since(began), "a chain")

		// Twice as many as there are slots, and one at a time through a task group: a free slot is given on at once.
		group := f.taskGroup(1)
		tasks = nil
		for i := range 4 {
			tasks = append(tasks, shell(fmt.Sprint("g", i), inGroup(group, 0)), shell(fmt.Sprint("s", i)))
		}
		until(f.run(f.define(flow.Parallel, tasks), run{}))
		require.Zero(t, time.Since(began), "slots")

		leaf := f.define(flow.Parallel, []flow.Task{shell("x"), shell("y")}, "x>y")
		until(f.run(f.define(flow.Parallel, []flow.Task{shell("a"), subWorkflow("sub", leaf), shell("b")}, "a>sub", "sub>b"), run{}))
		require.Zero(t, time.Since(began), "a sub-workflow")

		upstream := f.define(flow.Parallel, []flow.Task{shell("u")})
		waiting := f.run(f.define(flow.Parallel, []flow.Task{dependent("dep", depends(upstream, 0, "today")), shell("after")}, "dep>after"), run{})
		f.run(upstream, run{})
		until(waiting)
		require.Zero(t, time.Since(began), "the end of another workflow")

		turns := f.define(flow.SerialWait, []flow.Task{shell("s")})
		f.run(turns, run{})
		f.run(turns, run{})
		until(f.run(turns, run{}))
		require.Zero(t, time.Since(began), "a queue of instances")
	})
}
