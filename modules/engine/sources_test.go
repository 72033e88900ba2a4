package engine_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// withSources is a fixture in which "datasource" in settings names a data source, with one of bob's: number 1.
func withSources(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	f := withSecrets(t, d, nil)
	f.stop()
	f.sources = func(_ string, raw json.RawMessage) []int64 {
		var p struct {
			ID int64 `json:"datasource"`
		}
		if json.Unmarshal(raw, &p) != nil || p.ID == 0 {
			return nil
		}
		return []int64{p.ID}
	}
	f.start()
	now := time.Now()
	for _, name := range []string{"bob", "eve"} {
		exec(t, d, `INSERT INTO users (name, password_hash, user_type, created_at, updated_at) VALUES (?, 'x', 'GENERAL_USER', ?, ?)`, name, now, now)
	}
	exec(t, d, `INSERT INTO datasource (name, note, type, params, secrets, user_id, created_at, updated_at) VALUES ('dwh', '', 'POSTGRESQL', ?, ?, 2, ?, ?)`,
		`{"host":"db","userName":"u"}`, f.sealer.Seal(`{"password":"hunter2"}`, flow.SealedDataSource), now, now)
	return f
}

func asks(name string, id int64) flow.Task {
	return task(name, "SQL", map[string]any{"datasource": id})
}

func TestATaskIsSentWithItsDataSourceWhenSomebodyWhoMaySavedIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := withSources(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		author := func(def *flow.Definition, user int64) *flow.Definition {
			exec(t, d, `UPDATE workflow_version SET operator_id = ? WHERE workflow_code = ?`, user, def.Code)
			return def
		}
		runs := 0
		sent := func(def *flow.Definition) *doradov1.Task {
			id := f.run(def, run{})
			runs++
			got := w.wait(t, runs)
			require.Equal(t, id, got.GetWorkflowInstanceId())
			return got
		}
		fails := func(def *flow.Definition, why string) {
			id := f.run(def, run{})
			f.waitState(id, flow.WorkflowFailure)
			message, err := db.Get[string](t.Context(), d, `SELECT message FROM task_instance WHERE workflow_instance_id = ?`, id)
			require.NoError(t, err)
			require.Contains(t, message, why)
		}

		got := sent(author(f.define(flow.Parallel, []flow.Task{asks("owner", 1)}), 2))
		require.Equal(t, "dwh", got.GetSources()[0].GetName())
		require.JSONEq(t, `{"host":"db","userName":"u","password":"hunter2"}`, string(got.GetSources()[0].GetSettings()))
		require.Contains(t, got.GetSecrets(), "hunter2", "the worker masks it")
		require.NotContains(t, f.everything(), "hunter2")

		sent(author(f.define(flow.Parallel, []flow.Task{asks("administrator", 1)}), 1))

		denied := author(f.define(flow.Parallel, []flow.Task{asks("stranger", 1)}), 3)
		fails(denied, `data source "dwh" may not be used`)
		exec(t, d, `INSERT INTO task_source (workflow_code, task_code, source_id) VALUES (?, ?, 1)`, denied.Code, denied.Tasks[0].Code)
		sent(denied) // somebody who may had put it there

		again := author(f.define(flow.Parallel, []flow.Task{asks("granted", 1)}), 3)
		exec(t, d, `INSERT INTO object_grant (user_id, kind, object_key, created_at) VALUES (3, 'DATASOURCE', '1', ?)`, time.Now())
		sent(again)

		fails(f.define(flow.Parallel, []flow.Task{asks("gone", 99)}), "data source 99 does not exist")
	})
}

func TestWhatATaskTellsPeopleIsAnAlertOfItsGroupAndWrittenOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		id := f.run(f.define(flow.Parallel, []flow.Task{shell("a")}), run{})
		job := w.wait(t, 1)
		end := finished(job, doradov1.Outcome_SUCCEEDED)
		end.Alert = &doradov1.Alert{Group: 3, Title: "a query result sets", Content: `[{"n":"1"}]`}
		w.report(end)
		w.report(end)
		f.waitState(id, flow.WorkflowSuccess)
		rows := f.waitAlerts(id, 1)
		require.Equal(t, "TASK_SUCCESS", rows[0].Type)
		require.Equal(t, "a query result sets", rows[0].Title)
		require.JSONEq(t, `[{"n":"1"}]`, rows[0].Content)
		require.Equal(t, int64(3), rows[0].Group)
	})
}

func TestRemoteWorkIsStoredWhileItsAttemptRuns(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		id := f.run(f.define(flow.Parallel, []flow.Task{shell("a")}), run{})
		job := w.wait(t, 1)
		w.report(started(job))
		f.waitTask(id, "a", flow.TaskRunning)
		more := started(job)
		more.AppLink = "application_1_2"
		w.report(more)
		require.Eventually(t, func() bool {
			link, err := db.Get[string](t.Context(), d, `SELECT app_link FROM task_instance WHERE id = ?`, job.GetId())
			return err == nil && link == "application_1_2"
		}, time.Minute, 5*time.Millisecond)
		w.finish(job, doradov1.Outcome_SUCCEEDED)
		f.waitState(id, flow.WorkflowSuccess)
	})
}

func TestWhatATaskTellsWhenItFailsIsAnAlertOfItsOwn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		id := f.run(f.define(flow.Parallel, []flow.Task{shell("a")}), run{})
		end := finished(w.wait(t, 1), doradov1.Outcome_FAILED)
		end.Alert = &doradov1.Alert{Group: 3, Title: "a rule is broken", Content: `[{"n":"1"}]`}
		w.report(end)
		w.report(end)
		f.waitState(id, flow.WorkflowFailure)
		rows := f.waitAlerts(id, 1)
		require.Equal(t, []any{"TASK_FAILURE", "a rule is broken", int64(3)}, []any{rows[0].Type, rows[0].Title, rows[0].Group})
		require.JSONEq(t, `[{"n":"1"}]`, rows[0].Content)
	})
}
