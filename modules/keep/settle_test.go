package keep_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/keep"
	"dorado/modules/keep/archive"
)

// run inserts a workflow instance with one attempt of the same id.
func run(t *testing.T, d *db.DB, id int64, state, task string, start time.Time) {
	t.Helper()
	exec(t, d, `INSERT INTO workflow_instance (id, name, workflow_code, workflow_version, workflow_name, project_code, state, state_history,
		command_type, executor_id, executor_name, owner, owner_epoch, start_time, created_at, updated_at)
		VALUES (?, 'w', 7, 1, 'w', 1, ?, '[{"state":"SUBMITTED_SUCCESS"}]', 'START_PROCESS', 1, 'admin', 'm1', 3, ?, ?, ?)`, id, state, start, start, start)
	exec(t, d, `INSERT INTO task_instance (id, workflow_instance_id, project_code, task_code, task_version, name, task_type, state, host, log_path,
		first_submit_time, submit_time) VALUES (?, ?, 1, 1, 1, 't', 'SHELL', ?, 'w1', ?, ?, ?)`, id, id, task,
		"/srv/old/logs/20260329/7/1/1/1.log", start, start)
}

// underWay is an installation with something of everything that may be in the middle of its work.
func underWay(t *testing.T, d *db.DB) {
	t.Helper()
	for id, states := range map[int64][2]string{
		1: {"SUCCESS", "SUCCESS"}, 2: {"RUNNING_EXECUTION", "RUNNING_EXECUTION"}, 3: {"READY_STOP", "DISPATCH"}, 4: {"SERIAL_WAIT", "SUBMITTED_SUCCESS"},
		5: {"FAILOVER", "DELAY_EXECUTION"}, 6: {"STOP", "KILL"}, 7: {"READY_PAUSE", "FAILURE"},
	} {
		run(t, d, id, states[0], states[1], started)
	}
	exec(t, d, `INSERT INTO command (command_type, workflow_instance_id, executor_id, created_at) VALUES ('START_PROCESS', 2, 1, ?)`, started)
	exec(t, d, `INSERT INTO master (name, epoch, started_at) VALUES ('m1', 3, ?)`, started)
	exec(t, d, `INSERT INTO serial_queue (workflow_code, workflow_instance_id, execution_type, command_type, state, created_at) VALUES (7, 4, 'SERIAL_WAIT', 'START_PROCESS', 'WAITING', ?)`, started)
	exec(t, d, `INSERT INTO task_group_slot (task_instance_id, workflow_instance_id, task_group_id, queued_at) VALUES (2, 2, 1, ?)`, started)
	exec(t, d, `INSERT INTO approval (task_instance_id, workflow_instance_id, project_code, role, state, created_at) VALUES (2, 2, 1, 'operate', 'WAITING', ?)`, started)
	exec(t, d, `INSERT INTO backfill (id, project_code, workflow_code, workflow_version, state, width, run_order, failure_policy, request, user_id, user_name, created_at, updated_at)
		VALUES (1, 1, 7, 1, 'RUNNING', 1, 'ASC', 'STOP', '{}', 1, 'admin', ?, ?)`, started, started)
	for position, date := range []struct {
		state    string
		instance int64
	}{{"RUNNING", 1}, {"RUNNING", 2}, {"WAITING", 0}} {
		exec(t, d, `INSERT INTO backfill_date (backfill_id, position, chain, schedule_time, state, workflow_instance_id) VALUES (1, ?, 1, ?, ?, ?)`, position, started, date.state, date.instance)
	}
	exec(t, d, `INSERT INTO alert (event_key, alert_type, workflow_instance_id, run_times, title, content, warning_type, alert_group_id, project_code, workflow_code, created_at, updated_at)
		VALUES ('k', 'FAILURE', 2, 1, 't', '[]', 'ALL', 1, 1, 7, ?, ?)`, started, started)
	exec(t, d, `INSERT INTO users (id, name, password_hash, user_type, created_at, updated_at) VALUES (1, 'admin', 'hash', 'ADMIN_USER', ?, ?)`, started, started)
	exec(t, d, `INSERT INTO session (id, user_id, created_at, last_seen_at, expires_at) VALUES ('s', 1, ?, ?, ?)`, started, started, started)
	exec(t, d, `INSERT INTO project (code, name, owner_id, created_at, updated_at) VALUES (1, 'p', 1, ?, ?)`, started, started)
	exec(t, d, `INSERT INTO workflow_definition (code, project_code, name, version, release_state, execution_type, owner_id, modified_by, created_at, updated_at)
		VALUES (7, 1, 'w', 1, 'ONLINE', 'PARALLEL', 1, 1, ?, ?)`, started, started)
	for _, state := range []string{"ONLINE", "OFFLINE"} {
		exec(t, d, `INSERT INTO schedule (project_code, workflow_code, start_time, end_time, time_zone, crontab, release_state, online_at, user_id, created_at, updated_at)
			VALUES (1, 7, ?, ?, 'UTC', ?, ?, ?, 1, ?, ?)`, started, started.AddDate(9, 0, 0), "0 * * * * ? *", state, started, started, started)
	}
	exec(t, d, `INSERT INTO schedule_mark (name, fired_until) VALUES ('clock', ?)`, started)
	exec(t, d, `UPDATE id_block SET next = 257 WHERE name = 'task_instance'`)
	exec(t, d, `INSERT INTO setting (name, value) VALUES ('cluster_id', 'the original')`)
}

func TestRunsInFlightEndInADefinedState(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, from *db.DB) {
		underWay(t, from)
		in, h, _ := backup(t, from)
		for name, d := range map[string]*db.DB{"sqlite": lite(t), "postgres": post(t)} {
			_, _ = in.Seek(0, io.SeekStart)
			done, err := restore(t, d, in)
			require.NoError(t, err, name)
			require.Equal(t, keep.Settled{Runs: 5, Attempts: 4, Commands: 1, Approvals: 1, Backfills: 1, Alerts: 1}, done.Settled)
			states, err := db.Select[string](t.Context(), d, `SELECT state FROM workflow_instance ORDER BY id`)
			require.NoError(t, err)
			require.Equal(t, []string{"SUCCESS", "FAILURE", "STOP", "FAILURE", "FAILURE", "STOP", "FAILURE"}, states)
			tasks, err := db.Select[string](t.Context(), d, `SELECT state FROM task_instance ORDER BY id`)
			require.NoError(t, err)
			require.Equal(t, []string{"SUCCESS", "KILL", "KILL", "KILL", "KILL", "KILL", "FAILURE"}, tasks)
			require.Equal(t, "in flight when the backup of 2026-03-30 01:30:00 UTC was made", get[string](t, d, `SELECT message FROM workflow_instance WHERE id = 2`))
			require.True(t, h.CreatedAt.Equal(get[time.Time](t, d, `SELECT end_time FROM workflow_instance WHERE id = 2`)))
			require.JSONEq(t, `[{"state":"SUBMITTED_SUCCESS"},{"desc":"restored from a backup","state":"FAILURE","time":"2026-03-30 01:30:00"}]`,
				get[string](t, d, `SELECT state_history FROM workflow_instance WHERE id = 2`))
			require.Zero(t, get[int](t, d, `SELECT COUNT(*) FROM workflow_instance WHERE owner <> '' AND state = 'FAILURE'`))
			for _, table := range []string{"command", "master", "serial_queue", "task_group_slot", "session"} {
				require.Zero(t, get[int](t, d, `SELECT COUNT(*) FROM `+table), table)
			}
			require.Equal(t, "CANCELLED", get[string](t, d, `SELECT state FROM approval`))
			require.Equal(t, "PAUSED", get[string](t, d, `SELECT state FROM backfill`))
			dates, err := db.Select[string](t.Context(), d, `SELECT state FROM backfill_date ORDER BY position`)
			require.NoError(t, err)
			require.Equal(t, []string{"SUCCESS", "FAILURE", "WAITING"}, dates)
			require.Equal(t, "EXECUTION_FAILURE", get[string](t, d, `SELECT status FROM alert`))
			require.Equal(t, 1, get[int](t, d, `SELECT COUNT(*) FROM audit_log WHERE action = 'backup.restore'`))
			require.Zero(t, get[int](t, d, `SELECT COUNT(*) FROM setting WHERE name = 'cluster_id'`), "a copy is another cluster")
			require.Equal(t, "/srv/old/logs/20260329/7/1/1/1.log", get[string](t, d, `SELECT log_path FROM task_instance WHERE id = 1`), "no logs were restored")
		}
	})
}

func TestNewIdentifiersAreBeyondThoseThatALostTailUsed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, from *db.DB) {
		underWay(t, from)
		in, _, _ := backup(t, from)
		for _, d := range []*db.DB{lite(t), post(t)} {
			_, _ = in.Seek(0, io.SeekStart)
			_, err := restore(t, d, in)
			require.NoError(t, err)
			require.EqualValues(t, 257+1_000_000, get[int64](t, d, `SELECT next FROM id_block WHERE name = 'task_instance'`))
			exec(t, d, `INSERT INTO queue (name, value, created_at, updated_at) VALUES ('new', 'new', ?, ?)`, started, started)
			require.EqualValues(t, 10_001, get[int64](t, d, `SELECT id FROM queue`))
			id := get[int64](t, d, `INSERT INTO workflow_instance (name, workflow_code, workflow_version, workflow_name, project_code, state, command_type,
				executor_id, executor_name, start_time, created_at, updated_at) VALUES ('n', 7, 1, 'w', 1, 'SUCCESS', 'START_PROCESS', 1, 'a', ?, ?, ?) RETURNING id`, started, started, started)
			require.EqualValues(t, 7+1_000_000+1, id)
		}
	})
}

func TestResumedRunsAreLeftForTheMasters(t *testing.T) {
	t.Parallel()
	from := dbtest.SQLite(t)
	underWay(t, from)
	in, _, _ := backup(t, from)
	d := lite(t)
	_, err := restore(t, d, in, func(d *keep.RestoreDeps) { d.Resume = true })
	require.NoError(t, err)
	require.Equal(t, "RUNNING_EXECUTION", get[string](t, d, `SELECT state FROM workflow_instance WHERE id = 2`))
	require.Equal(t, "m1", get[string](t, d, `SELECT owner FROM workflow_instance WHERE id = 2`))
	for _, table := range []string{"command", "master", "serial_queue", "task_group_slot"} {
		require.Equal(t, 1, get[int](t, d, `SELECT COUNT(*) FROM `+table), table)
	}
	require.Equal(t, "EXECUTION_FAILURE", get[string](t, d, `SELECT status FROM alert`), "nobody knows whether it was sent")
}

func TestSchedulesGoOnFromTheFirstStartAndMakeUpForNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, from *db.DB) {
		underWay(t, from)
		in, _, _ := backup(t, from)
		at := func(d *db.DB) time.Time {
			return get[time.Time](t, d, `SELECT online_at FROM schedule WHERE release_state = 'ONLINE'`).UTC()
		}
		d := lite(t)
		_, err := restore(t, d, in)
		require.NoError(t, err)
		require.Equal(t, clock(), at(d))
		later := clock().Add(48 * time.Hour)
		for range 2 { // the second start changes nothing
			require.NoError(t, keep.Started(t.Context(), d, func() time.Time { return later }))
			require.Equal(t, clock().Add(48*time.Hour), at(d))
			require.Equal(t, clock().Add(48*time.Hour), get[time.Time](t, d, `SELECT fired_until FROM schedule_mark WHERE name = 'clock'`).UTC())
			later = later.Add(time.Hour)
		}

		_, _ = in.Seek(0, io.SeekStart)
		d = lite(t)
		_, err = restore(t, d, in, func(d *keep.RestoreDeps) { d.CatchUp = true })
		require.NoError(t, err)
		require.NoError(t, keep.Started(t.Context(), d, clock))
		require.Equal(t, started, at(d), "what was asked for: from where the snapshot was")

		_, _ = in.Seek(0, io.SeekStart)
		d = lite(t)
		done, err := restore(t, d, in, func(d *keep.RestoreDeps) { d.SchedulesOffline = true })
		require.NoError(t, err)
		require.EqualValues(t, 1, done.Settled.Schedules)
		require.Zero(t, get[int](t, d, `SELECT COUNT(*) FROM schedule WHERE release_state = 'ONLINE'`))
	})
}

func TestLogsComeBackUnderTheWorkerThatShowsThem(t *testing.T) {
	t.Parallel()
	from, dir := dbtest.SQLite(t), t.TempDir()
	underWay(t, from)
	name := "20260329/7/1/1/1.log"
	require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("hello\n"), 0o640))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(dir, "link.log")))
	in, h, m := backup(t, from, func(d *keep.BackupDeps) {
		d.Files = []keep.Source{keep.Folder{Of: keep.KindLogs, Path: dir}, keep.Folder{Of: keep.KindResources, Path: filepath.Join(dir, "none")}}
	})
	require.True(t, h.Logs)
	require.EqualValues(t, 1, m.Files, "a link is not followed, a folder that is not there is empty")
	to, into := lite(t), filepath.Join(t.TempDir(), "logs")
	target := keep.NewInto(into)
	done, err := restore(t, to, in, func(d *keep.RestoreDeps) {
		d.Targets, d.LogWorker = map[string]keep.Target{keep.KindLogs: target}, "local"
	})
	require.NoError(t, err)
	require.NoError(t, target.Close())
	require.EqualValues(t, 1, done.Settled.Files)
	text, err := os.ReadFile(filepath.Join(into, name))
	require.NoError(t, err)
	require.Equal(t, "hello\n", string(text))
	require.Equal(t, name, get[string](t, to, `SELECT log_path FROM task_instance WHERE id = 1`))
	require.Equal(t, "local", get[string](t, to, `SELECT host FROM task_instance WHERE id = 1`))
}

func TestAFileNeverLeavesItsFolderAndOverwritesNothing(t *testing.T) {
	t.Parallel()
	outside, dir := t.TempDir(), t.TempDir()
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "way")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "there"), []byte("old"), 0o600))
	into := keep.NewInto(dir)
	t.Cleanup(func() { _ = into.Close() })
	for _, name := range []string{"way/x", "../x", "/x", "there"} {
		require.Error(t, into.Put(t.Context(), name, 1, strings.NewReader("x")), name)
	}
	entries, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Empty(t, entries)
	text, err := os.ReadFile(filepath.Join(dir, "there"))
	require.NoError(t, err)
	require.Equal(t, "old", string(text))
}

func TestNoRoomIsSaidBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	in, _, _ := backup(t, dbtest.SQLite(t))
	d := lite(t)
	_, err := restore(t, d, in, func(d *keep.RestoreDeps) {
		d.Fits = func(archive.Header, archive.Manifest) error { return context.DeadlineExceeded }
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Zero(t, get[int](t, d, `SELECT COUNT(*) FROM sqlite_master`))
}
