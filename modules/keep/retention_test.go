package keep_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/metrics"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/instance"
	"dorado/modules/keep"
	"dorado/modules/rpc/doradov1"
)

// noLogs are workers that remember which logs they were told to delete.
type noLogs struct{ removed []string }

func (n *noLogs) ReadLog(context.Context, string, *doradov1.LogRequest, func(*doradov1.LogReply) error) error {
	return nil
}

func (n *noLogs) RemoveLogs(_ context.Context, byWorker map[string][]string) error {
	for worker, paths := range byWorker {
		for _, path := range paths {
			n.removed = append(n.removed, worker+":"+path)
		}
	}
	return nil
}

func policy() keep.Config {
	c := keep.DefaultConfig()
	c.Runs, c.Latest, c.BatchRuns, c.BatchRows = 30, 2, 3, 3
	return c
}

func retention(d *db.DB, logs *noLogs, c keep.Config) *keep.Retention {
	log := slog.New(slog.DiscardHandler)
	return keep.NewRetention(keep.RetentionDeps{
		DB: d, Audit: audit.New(audit.Deps{DB: d, Now: clock}), Metrics: metrics.New(), Logger: log, Now: clock, Config: c,
		Instances: instance.NewService(instance.Services{DB: d, Logs: logs, Now: clock, Logger: log}),
	})
}

func daysAgo(n int) time.Time { return clock().AddDate(0, 0, -n) }

// old inserts an ended run of a workflow.
func old(t *testing.T, d *db.DB, id, code int64, state string, days int) {
	t.Helper()
	run(t, d, id, state, "SUCCESS", daysAgo(days))
	exec(t, d, `UPDATE workflow_instance SET workflow_code = ?, end_time = ? WHERE id = ?`, code, daysAgo(days), id)
	exec(t, d, `INSERT INTO task_log (task_instance_id, lines) VALUES (?, 'x')`, id)
	exec(t, d, `INSERT INTO task_result (task_instance_id, kind, body, created_at) VALUES (?, 'DATA_QUALITY', '{}', ?)`, id, daysAgo(days))
}

func ids(t *testing.T, d *db.DB) []int64 {
	t.Helper()
	list, err := db.Select[int64](t.Context(), d, `SELECT id FROM workflow_instance ORDER BY id`)
	require.NoError(t, err)
	return list
}

func TestOldRunsGoWithAllThatBelongsToThem(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for id := range int64(8) { // eight old ones, two young ones, one that ended just before the limit
			old(t, d, id+1, 7, "SUCCESS", 40)
		}
		old(t, d, 9, 7, "FAILURE", 29)
		old(t, d, 10, 7, "SUCCESS", 1)
		exec(t, d, `INSERT INTO approval (task_instance_id, workflow_instance_id, project_code, role, state, created_at) VALUES (1, 1, 1, 'operate', 'APPROVED', ?)`, daysAgo(40))
		for id, days := range []int{500, 401, 450, 399, 40} {
			exec(t, d, `INSERT INTO task_measure (task_instance_id, workflow_code, task_code, series, value, measured_at) VALUES (?, 7, 1, 's', '1', ?)`, id, daysAgo(days))
		}
		list := func(query string) []int64 {
			out, err := db.Select[int64](t.Context(), d, query)
			require.NoError(t, err)
			return out
		}
		logs := &noLogs{}
		last, err := retention(d, logs, policy()).Pass(t.Context(), "")
		require.NoError(t, err)
		require.EqualValues(t, 7, last.Removed[keep.Runs])
		require.EqualValues(t, 7, last.Removed[keep.Tasks])
		require.NotNil(t, last.EndedAt)
		require.Equal(t, []int64{8, 9, 10}, ids(t, d), "8 is the latest but one that succeeded")
		for table, want := range map[string]int{"task_instance": 3, "task_log": 3, "task_result": 3, "approval": 0} {
			require.Equal(t, want, get[int](t, d, `SELECT COUNT(*) FROM `+table), table)
		}
		require.Equal(t, []int64{3, 4}, list(`SELECT task_instance_id FROM task_measure ORDER BY task_instance_id`), "what was measured outlives the runs by a year")
		require.Len(t, logs.removed, 7)
		require.Equal(t, "w1:/srv/old/logs/20260329/7/1/1/1.log", logs.removed[0])

		last, err = retention(d, logs, policy()).Pass(t.Context(), "")
		require.NoError(t, err)
		require.Zero(t, last.Removed[keep.Runs], "a second pass finds nothing")
	})
}

func TestRunsThatSomethingNeedsStay(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		underWay(t, d) // the project and workflow 7
		for _, table := range []string{"workflow_instance", "task_instance", "command", "approval", "backfill", "serial_queue"} {
			exec(t, d, `DELETE FROM `+table)
		}
		fresh := func(code int64) { // so that the old runs are not the latest
			for i := range int64(2) {
				old(t, d, 1000+10*code+i, code, "SUCCESS", 1)
			}
		}
		for code := range int64(9) {
			fresh(code + 1)
		}
		old(t, d, 1, 1, "RUNNING_EXECUTION", 400) // still at work
		old(t, d, 2, 2, "SUCCESS", 400)           // a child of it is
		old(t, d, 3, 3, "RUNNING_EXECUTION", 400)
		exec(t, d, `INSERT INTO instance_link (parent_instance_id, parent_task_instance_id, parent_task_code, child_instance_id) VALUES (2, 2, 1, 3)`)
		old(t, d, 4, 4, "SUCCESS", 2) // its child is old, and stays with it
		old(t, d, 5, 5, "SUCCESS", 400)
		exec(t, d, `INSERT INTO instance_link (parent_instance_id, parent_task_instance_id, parent_task_code, child_instance_id) VALUES (4, 4, 1, 5)`)
		old(t, d, 6, 6, "FAILURE", 400) // is about to be repeated
		exec(t, d, `INSERT INTO command (command_type, workflow_instance_id, executor_id, created_at) VALUES ('REPEAT_RUNNING', 6, 1, ?)`, started)
		old(t, d, 7, 7, "SUCCESS", 40) // a DEPENDENT task may ask for it, but not for one of last year
		old(t, d, 8, 7, "SUCCESS", 400)
		exec(t, d, `INSERT INTO workflow_lineage (workflow_code, task_code, position, kind, dependent_project_code, dependent_workflow_code, dependent_task_code)
			VALUES (7, 1, 0, 'DEPENDENT', 1, 7, 0)`)
		old(t, d, 9, 8, "SUCCESS", 400) // a backfill that goes on counts on it
		exec(t, d, `INSERT INTO backfill (id, project_code, workflow_code, workflow_version, state, width, run_order, failure_policy, request, user_id, user_name, created_at, updated_at)
			VALUES (1, 1, 8, 1, 'PAUSED', 1, 'ASC', 'STOP', '{}', 1, 'admin', ?, ?)`, started, started)
		exec(t, d, `INSERT INTO backfill_date (backfill_id, position, chain, schedule_time, state, workflow_instance_id) VALUES (1, 1, 1, ?, 'SUCCESS', 9)`, started)
		old(t, d, 10, 9, "SUCCESS", 400) // nobody needs this one, nor its child
		old(t, d, 11, 9, "STOP", 400)
		exec(t, d, `INSERT INTO instance_link (parent_instance_id, parent_task_instance_id, parent_task_code, child_instance_id) VALUES (10, 10, 1, 11)`)

		last, err := retention(d, &noLogs{}, policy()).Pass(t.Context(), "")
		require.NoError(t, err)
		left := slices.DeleteFunc(ids(t, d), func(id int64) bool { return id > 1000 })
		require.Equal(t, []int64{1, 2, 3, 4, 5, 6, 7, 9}, left)
		require.EqualValues(t, 3, last.Removed[keep.Runs])
		require.Equal(t, 2, get[int](t, d, `SELECT COUNT(*) FROM instance_link`), "no link is left of what is gone")
	})
}

func TestTheLatestSuccessStaysHoweverManyFailuresFollow(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for id := range int64(3) {
			old(t, d, id+1, 7, "SUCCESS", 400)
		}
		for id := range int64(20) {
			old(t, d, id+10, 7, "FAILURE", 300)
		}
		_, err := retention(d, &noLogs{}, policy()).Pass(t.Context(), "")
		require.NoError(t, err)
		require.Equal(t, []int64{2, 3, 28, 29}, ids(t, d))
	})
}

func TestOldRowsOfOtherTablesGoByTheirAge(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := policy()
		c.Runs, c.Audit = 0, 365
		for i, days := range []int{1000, 999, 998, 997, 996, 10} {
			at := daysAgo(days)
			exec(t, d, `INSERT INTO audit_log (at, user_id, user_name, action, object_type, object_id) VALUES (?, 1, 'a', 'x.y', 'x', '1')`, at)
			exec(t, d, `INSERT INTO cluster_event (at, kind, node_kind, node) VALUES (?, 'MASTER_LEFT', 'MASTER', 'm')`, at)
			exec(t, d, `INSERT INTO error_command (id, command_type, workflow_instance_id, param, executor_id, message, created_at, failed_at)
				VALUES (?, 'STOP', 1, '{}', 1, 'm', ?, ?)`, i, at, at)
			for _, status := range []string{"WAIT_EXECUTION", "EXECUTION_SUCCESS"} {
				exec(t, d, `INSERT INTO alert (event_key, alert_type, workflow_instance_id, run_times, title, content, warning_type, alert_group_id, project_code,
					workflow_code, status, created_at, updated_at) VALUES (?, 'FAILURE', 2, 1, 't', '[]', 'ALL', 1, 1, 7, ?, ?, ?)`, fmt.Sprint(i, status), status, at, at)
			}
			for schedule := range 2 {
				exec(t, d, `INSERT INTO schedule_fire (schedule_id, fire_time) VALUES (?, ?)`, schedule, at)
				exec(t, d, `INSERT INTO node_sample (node_kind, node, at, cpu, memory, disk, load, running, slots) VALUES ('WORKER', ?, ?, 0, 0, 0, 0, 0, 0)`, fmt.Sprint(schedule), at.AddDate(0, 0, 9))
			}
		}
		old(t, d, 1, 7, "SUCCESS", 1000)
		last, err := retention(d, &noLogs{}, c).Pass(t.Context(), "")
		require.NoError(t, err)
		require.Equal(t, map[keep.Subject]int64{keep.Audit: 5, keep.Events: 5, keep.Errors: 5, keep.Alerts: 5, keep.Fires: 10, keep.Samples: 10}, last.Removed)
		for table, want := range map[string]int{
			"audit_log": 1, "cluster_event": 1, "error_command": 1, "alert": 7, "schedule_fire": 2, "node_sample": 2, "workflow_instance": 1,
		} {
			require.Equal(t, want, get[int](t, d, `SELECT COUNT(*) FROM `+table), table)
		}
	})
}

func TestEndedBackfillsGoAfterTheirRuns(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		add := func(id int64, parent, ended any, run int64) {
			exec(t, d, `INSERT INTO backfill (id, project_code, workflow_code, workflow_version, parent_id, state, width, run_order, failure_policy, request, user_id, user_name,
				created_at, updated_at, ended_at) VALUES (?, 1, 7, 1, ?, 'SUCCESS', 1, 'ASC', 'STOP', '{}', 1, 'a', ?, ?, ?)`, id, parent, daysAgo(400), daysAgo(400), ended)
			exec(t, d, `INSERT INTO backfill_date (backfill_id, position, chain, schedule_time, state, workflow_instance_id) VALUES (?, 1, 1, ?, 'SUCCESS', ?)`, id, daysAgo(400), run)
		}
		for id := range int64(5) {
			old(t, d, id+1, 7, "SUCCESS", 400)
		}
		add(1, nil, daysAgo(400), 1) // goes with its run
		add(2, nil, daysAgo(400), 5) // its run is one of the latest
		add(3, nil, nil, 0)          // goes on
		add(4, nil, daysAgo(400), 2) // goes once the one after it has gone
		add(5, 4, daysAgo(400), 3)
		_, err := retention(d, &noLogs{}, policy()).Pass(t.Context(), "")
		require.NoError(t, err)
		left, err := db.Select[int64](t.Context(), d, `SELECT id FROM backfill ORDER BY id`)
		require.NoError(t, err)
		require.Equal(t, []int64{2, 3}, left)
		require.Equal(t, 2, get[int](t, d, `SELECT COUNT(*) FROM backfill_date`))
	})
}

// breaking ends the pass after some batches, as the end of its process does.
type breaking struct {
	keep.Pruner
	after  int
	cancel func()
}

func (b *breaking) Prune(ctx context.Context, ids []int64) (instance.Pruned, error) {
	done, err := b.Pruner.Prune(ctx, ids)
	if b.after--; b.after == 0 {
		b.cancel()
	}
	return done, err
}

func TestTwoAtOnceAndOneThatIsKilledRemoveTheSame(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for id := range int64(60) {
			old(t, d, id+1, 7, "SUCCESS", 400)
		}
		ctx, cancel := context.WithCancel(t.Context())
		first := retention(d, &noLogs{}, policy())
		first.Instances = &breaking{Pruner: first.Instances, after: 3, cancel: cancel}
		_, err := first.Pass(ctx, "")
		require.ErrorIs(t, err, context.Canceled)
		require.Greater(t, len(ids(t, d)), 2, "it broke off")
		errs := make(chan error, 2)
		for range cap(errs) {
			go func() {
				_, err := retention(d, &noLogs{}, policy()).Pass(t.Context(), "")
				errs <- err
			}()
		}
		require.NoError(t, errors.Join(<-errs, <-errs))
		require.Equal(t, []int64{59, 60}, ids(t, d))
		require.Equal(t, 2, get[int](t, d, `SELECT COUNT(*) FROM task_instance`))
	})
}

func TestARequestIsCarriedOutByWhoeverRunsRetention(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := policy()
		runner, other := retention(d, &noLogs{}, c), retention(d, &noLogs{}, c)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- runner.Run(ctx) }()
		await := func(what string, ok func(keep.Status) bool) {
			require.Eventually(t, func() bool {
				s, err := other.Status(t.Context())
				return err == nil && ok(s)
			}, 30*time.Second, 10*time.Millisecond, what)
		}
		await("the first pass", func(s keep.Status) bool { return s.Last != nil && s.Last.EndedAt != nil && s.Last.By == "" })
		for id := range int64(4) {
			old(t, d, id+1, 7, "SUCCESS", 400)
		}
		who := access.WithPrincipal(t.Context(), access.Principal{UserID: 1, Name: "admin", Admin: true})
		require.NoError(t, other.Request(who))
		await("the one that was asked for", func(s keep.Status) bool {
			return !s.Requested && s.Last.By == "admin" && s.Last.EndedAt != nil && s.Last.Removed[keep.Runs] == 2
		})
		require.Equal(t, 1, get[int](t, d, `SELECT COUNT(*) FROM audit_log WHERE action = 'retention.run' AND user_name = 'admin'`))
		cancel()
		require.NoError(t, <-done)
	})
}

func TestPolicyIsChecked(t *testing.T) {
	t.Parallel()
	require.NoError(t, keep.DefaultConfig().Validate())
	require.Zero(t, keep.DefaultConfig().Runs, "nobody's runs go without being asked for")
	c := keep.DefaultConfig()
	c.Runs, c.Latest, c.Every, c.BatchRuns = -1, 0, time.Second, 0
	err := c.Validate()
	for _, key := range []string{"retention.runs", "retention.latest", "retention.every", "retention.batch-runs"} {
		require.ErrorContains(t, err, key)
	}
}
