package engine_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

func TestWhatATaskFoundIsKeptOnceWithTheEndOfItsAttemptAlsoOfAFailedOne(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		kept := func(attempt int64) []string {
			t.Helper()
			rows, err := db.Select[string](t.Context(), d, `SELECT body FROM task_result WHERE kind = 'SHELL' AND task_instance_id = ?`, attempt)
			require.NoError(t, err)
			return rows
		}
		jobs := 0
		for outcome, state := range map[doradov1.Outcome]flow.WorkflowState{
			doradov1.Outcome_SUCCEEDED: flow.WorkflowSuccess, doradov1.Outcome_FAILED: flow.WorkflowFailure,
		} {
			for body, rows := range map[string]int{
				`{"state":2}`: 1, "": 0, `{"no`: 0, `{"a":"\u0000"}`: 0, `"` + strings.Repeat("x", 70_000) + `"`: 0,
			} {
				id := f.run(f.define(flow.Parallel, []flow.Task{shell("a")}), run{})
				jobs++
				job := w.wait(t, jobs)
				begun := started(job)
				begun.Result = []byte(`{"early":true}`)
				w.report(begun)
				end := finished(job, outcome)
				end.Result = []byte(body)
				w.report(end)
				again := finished(job, outcome) // with something else, so that it would show
				again.Result = []byte(`{"state":1}`)
				w.report(again)
				f.waitState(id, state)
				found := kept(job.GetId())
				require.Len(t, found, rows, body)
				if rows == 1 {
					require.JSONEq(t, body, found[0])
				}
			}
		}
	})
}

func TestOfAKilledAttemptNothingIsKept(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		id := f.run(f.define(flow.Parallel, []flow.Task{shell("a")}), run{})
		end := finished(w.wait(t, 1), doradov1.Outcome_KILLED)
		end.Result = []byte(`{}`)
		w.report(end)
		f.waitState(id, flow.WorkflowStop)
		n, err := db.Get[int](t.Context(), d, `SELECT COUNT(*) FROM task_result`)
		require.NoError(t, err)
		require.Zero(t, n)
	})
}
