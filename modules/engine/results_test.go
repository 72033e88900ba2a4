package engine_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/engine"
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

// measures makes every task measure what "rule" in its settings names, and ask for the values of the last hour.
func measures(_ string, raw json.RawMessage) engine.Series {
	var p struct {
		Rule string `json:"rule"`
	}
	if json.Unmarshal(raw, &p) != nil || p.Rule == "" {
		return engine.Series{}
	}
	return engine.Series{Key: p.Rule, Window: func(now time.Time) (time.Time, time.Time) { return now.Add(-time.Hour), now.Add(time.Hour) }}
}

func TestWhatATaskMeasuredIsToldToThoseThatComeAfterIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		f.stop()
		f.series = measures
		f.start()
		w := f.worker("w1", 10)
		w.hold = true
		jobs := 0
		measured := func(def *flow.Definition, value, body string, outcome doradov1.Outcome) *doradov1.Task {
			t.Helper()
			id := f.run(def, run{})
			jobs++
			job := w.wait(t, jobs)
			end := finished(job, outcome)
			end.Result, end.Measured, end.Detail = []byte(body), value, []byte(`{"rows":[["1"]]}`)
			w.report(end)
			w.report(end)
			f.waitState(id, map[doradov1.Outcome]flow.WorkflowState{
				doradov1.Outcome_SUCCEEDED: flow.WorkflowSuccess, doradov1.Outcome_FAILED: flow.WorkflowFailure,
			}[outcome])
			return job
		}
		rule := func(name string) *flow.Definition {
			return f.define(flow.Parallel, []flow.Task{task("a", "SHELL", map[string]any{"rawScript": "x", "rule": name})})
		}
		nulls := rule("nulls")
		job := measured(nulls, "3", `{}`, doradov1.Outcome_SUCCEEDED)
		require.Zero(t, job.GetPast().GetCount())
		require.Empty(t, job.GetPast().GetAverage())
		require.InDelta(t, 2*time.Hour.Milliseconds(), job.GetPast().GetToMs()-job.GetPast().GetFromMs(), 0)
		measured(nulls, "6.5", `{}`, doradov1.Outcome_FAILED)
		for _, odd := range []string{"many", "1e3", "0x1p-2", "", "NaN", strings.Repeat("1", 401)} {
			measured(nulls, odd, `{}`, doradov1.Outcome_SUCCEEDED)
		}
		measured(nulls, "1000", `{"no`, doradov1.Outcome_SUCCEEDED) // what cannot be shown is not counted
		measured(rule("nulls"), "100", `{}`, doradov1.Outcome_SUCCEEDED)
		exec(t, d, `INSERT INTO task_measure (task_instance_id, workflow_code, task_code, series, value, measured_at) VALUES (900, ?, ?, 'nulls', '1', ?), (901, ?, ?, 'other', '1', ?)`,
			nulls.Code, nulls.Tasks[0].Code, time.Now().Add(-2*time.Hour), nulls.Code, nulls.Tasks[0].Code, time.Now())

		job = measured(nulls, "1", `{}`, doradov1.Outcome_SUCCEEDED)
		require.EqualValues(t, 2, job.GetPast().GetCount(), "of the same task, the same series and the time that counts")
		average, err := strconv.ParseFloat(job.GetPast().GetAverage(), 64)
		require.NoError(t, err)
		require.InDelta(t, 4.75, average, 1e-9)
		require.Nil(t, measured(rule(""), "5", `{}`, doradov1.Outcome_SUCCEEDED).GetPast(), "who measures nothing is told nothing")

		details, err := db.Select[string](t.Context(), d, `SELECT DISTINCT detail FROM task_result`)
		require.NoError(t, err)
		require.Len(t, details, 1)
		require.JSONEq(t, `{"rows":[["1"]]}`, details[0])
		values, err := db.Select[string](t.Context(), d, `SELECT value FROM task_measure WHERE task_instance_id NOT IN (900, 901) ORDER BY task_instance_id`)
		require.NoError(t, err)
		require.Equal(t, []string{"3", "6.5", "100", "1"}, values)
	})
}
