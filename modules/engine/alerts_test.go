package engine_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

type alertRow struct {
	Key     string `db:"event_key"`
	Type    string `db:"alert_type"`
	Title   string `db:"title"`
	Content string `db:"content"`
	Group   int64  `db:"alert_group_id"`
}

func (f *fixture) alerts(instance int64) []alertRow {
	f.t.Helper()
	rows, err := db.Select[alertRow](f.t.Context(), f.db, `SELECT event_key, alert_type, title, content, alert_group_id FROM alert
		WHERE workflow_instance_id = ? ORDER BY id`, instance)
	require.NoError(f.t, err)
	return rows
}

func (f *fixture) waitAlerts(instance int64, n int) []alertRow {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		return len(f.alerts(instance)) == n
	}, 60*time.Second, 5*time.Millisecond)
	return f.alerts(instance)
}

func TestW28_TheEndOfARunIsToldOnceToThoseWhoAskedForIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		def := f.define(flow.Parallel, []flow.Task{shell("good"), shell("bad")}, "good>bad")
		end := func(at int, outcome doradov1.Outcome) {
			w.finish(w.wait(t, at), doradov1.Outcome_SUCCEEDED)
			w.finish(w.wait(t, at+1), outcome)
		}
		failed := f.run(def, run{warning: flow.WarningFailure})
		end(1, doradov1.Outcome_FAILED)
		f.waitState(failed, flow.WorkflowFailure)
		alert := f.waitAlerts(failed, 1)[0]
		require.Equal(t, "WORKFLOW_INSTANCE_FAILURE", alert.Type)
		require.Equal(t, "start process failed", alert.Title)
		require.Equal(t, int64(1), alert.Group)
		var content []map[string]any
		require.NoError(t, json.Unmarshal([]byte(alert.Content), &content))
		require.Len(t, content, 1, "only what did not succeed")
		require.Equal(t, "bad", content[0]["taskName"])
		require.Equal(t, "FAILURE", content[0]["taskState"])
		require.Equal(t, "ann", content[0]["owner"])
		require.Equal(t, "w1", content[0]["taskHost"])

		f.operate(failed, flow.CommandRecoverFailed) // the same instance, another run: told again, and of its own end
		w.finish(w.wait(t, 3), doradov1.Outcome_FAILED)
		f.waitState(failed, flow.WorkflowFailure)
		require.Equal(t, "start failure task process failed", f.waitAlerts(failed, 2)[1].Title)

		good := f.run(def, run{warning: flow.WarningFailure})
		end(4, doradov1.Outcome_SUCCEEDED)
		f.waitState(good, flow.WorkflowSuccess)
		require.Empty(t, f.alerts(good))

		all := f.run(def, run{warning: flow.WarningAll})
		end(6, doradov1.Outcome_SUCCEEDED)
		f.waitState(all, flow.WorkflowSuccess)
		require.Equal(t, "start process success", f.waitAlerts(all, 1)[0].Title)

		stopped := f.run(def, run{warning: flow.WarningAll})
		w.wait(t, 8)
		f.operate(stopped, flow.CommandStop)
		f.waitState(stopped, flow.WorkflowStop)
		require.Equal(t, "start process stopped", f.waitAlerts(stopped, 1)[0].Title)
	})
}

func TestW28_WhatIsReportedAgainAfterARestartIsNoOtherAlert(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		id := f.run(f.define(flow.Parallel, []flow.Task{shell("a")}), run{warning: flow.WarningAll})
		held := w.wait(t, 1)
		w.finish(held, doradov1.Outcome_SUCCEEDED)
		f.waitState(id, flow.WorkflowSuccess)
		f.waitAlerts(id, 1)
		<-f.engine.Alerted() // whoever sends is told
		f.stop()
		f.start()
		again := f.worker("w1", 10)
		again.report(finished(held, doradov1.Outcome_SUCCEEDED)) // the worker repeats what it said
		other := f.run(f.define(flow.Parallel, []flow.Task{shell("b")}), run{warning: flow.WarningAll})
		f.waitState(other, flow.WorkflowSuccess)
		require.Len(t, f.alerts(id), 1)
	})
}

func TestARunThatIsNotOverByItsDeadlineIsToldOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		id := f.run(f.define(flow.Parallel, []flow.Task{shell("a")}), run{warning: flow.WarningFailure, deadline: time.Now().Add(100 * time.Millisecond)})
		held := w.wait(t, 1)
		alert := f.waitAlerts(id, 1)[0]
		require.Equal(t, "WORKFLOW_INSTANCE_DEADLINE", alert.Type)
		f.stop()
		f.start() // the deadline is over for the new process, too
		w = f.worker("w1", 10, &doradov1.HeldAttempt{Id: held.GetId(), WorkflowInstanceId: id})
		w.finish(held, doradov1.Outcome_SUCCEEDED)
		f.waitState(id, flow.WorkflowSuccess)
		require.Len(t, f.alerts(id), 1)
	})
}

func TestALostWorkerIsToldToTheAdministrators(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 2)
		w.hold = true
		id := f.run(f.define(flow.Parallel, []flow.Task{shell("a")}), run{})
		held := w.wait(t, 1)
		w.report(&doradov1.Report{Id: held.GetId(), Seq: 1, Kind: doradov1.ReportKind_STARTED, WorkflowInstanceId: id, StartMs: time.Now().UnixMilli()})
		f.waitTask(id, "a", flow.TaskRunning)
		f.worker("w2", 2)
		w.stream.Close()
		f.waitState(id, flow.WorkflowSuccess)
		alert := f.waitAlerts(id, 1)[0]
		require.Equal(t, "worker fault tolerance", alert.Title)
		require.Equal(t, int64(1), alert.Group)
	})
}

func TestAChildsEndIsNoAlert(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		f.worker("w1", 10)
		child := f.define(flow.Parallel, []flow.Task{shell("a")})
		id, err := f.begin(context.WithoutCancel(t.Context()), child, run{warning: flow.WarningAll, parent: 99})
		require.NoError(t, err)
		f.waitState(id, flow.WorkflowSuccess)
		require.Empty(t, f.alerts(id))
	})
}

func TestARunThatCannotBeginIsToldToo(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		def := f.define(flow.Parallel, []flow.Task{shell("a")})
		exec(t, d, `UPDATE workflow_version SET body = 'garbage' WHERE workflow_code = ?`, def.Code)
		id := f.run(def, run{warning: flow.WarningFailure})
		f.waitState(id, flow.WorkflowFailure)
		require.Equal(t, "start process failed", f.waitAlerts(id, 1)[0].Title)
	})
}
