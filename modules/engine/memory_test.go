package engine_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/flow"
)

func TestW14_NothingOfFinishedRunsStaysInMemory(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	f := newFixture(t, d)
	f.worker("w1", 50)
	group := f.taskGroup(5)
	long := func(t *flow.Task) { // a timer that outlives the run by days
		t.TimeoutFlag, t.TimeoutMinutes, t.TimeoutStrategy = flow.TimeoutOpen, 60*24*7, flow.TimeoutWarn
	}
	leaf := f.define(flow.Parallel, []flow.Task{shell("x", long)})
	def := f.define(flow.Parallel, []flow.Task{
		shell("a", long), shell("b", inGroup(group, 0)), subWorkflow("sub", leaf, long), dependent("dep", depends(leaf, 0, "today")),
	}, "a>sub", "sub>dep")
	deadline := time.Now().Add(24 * time.Hour)
	const batches, each = 20, 50 // two runs each: the run itself and its child
	for range batches {
		require.NoError(t, d.InTx(t.Context(), func(ctx context.Context) error {
			for range each {
				if _, err := f.begin(ctx, def, run{deadline: deadline}); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	require.Eventually(t, func() bool {
		n, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM workflow_instance WHERE state = 'SUCCESS'`)
		return err == nil && n == 2*batches*each
	}, 4*time.Minute, 50*time.Millisecond)
	for range 600 {
		f.engine.Nudge() // commands are remembered until the next look at their table
		left := f.engine.Leftovers()
		maps.DeleteFunc(left, func(_ string, n int) bool { return n == 0 })
		if len(left) == 0 {
			return
		}
		t.Log("left: ", left)
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("something stays")
}
