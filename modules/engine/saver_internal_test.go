package engine

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
)

// saverFor returns the saver of the database as the master "m" uses it, whose epoch is 7.
func saverFor(t *testing.T, d *db.DB) (saver, *db.Writer) {
	t.Helper()
	_, err := d.Exec(t.Context(), `INSERT INTO master (name, epoch, started_at) VALUES ('m', 7, ?)`, time.Now())
	require.NoError(t, err)
	w, err := d.Writer(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	if d.Dialect().Name() == "postgres" {
		return &postgresSaver{name: "m", epoch: 7, plans: map[pgShape]pgPlan{}}, w
	}
	return &sqliteSaver{name: "m", epoch: 7}, w
}

// storedRow is what the database has of an attempt.
type storedRow struct {
	Run         int64         `db:"workflow_instance_id"`
	Project     int64         `db:"project_code"`
	TaskCode    int64         `db:"task_code"`
	TaskVersion int           `db:"task_version"`
	Name        string        `db:"name"`
	TaskType    string        `db:"task_type"`
	Number      int           `db:"attempt"`
	MaxRetries  int           `db:"max_retry_times"`
	WorkerGroup string        `db:"worker_group"`
	Priority    string        `db:"priority"`
	FirstSubmit time.Time     `db:"first_submit_time"`
	Group       int64         `db:"task_group_id"`
	Rank        int           `db:"task_group_priority"`
	Environment int64         `db:"environment_code"`
	Host        string        `db:"host"`
	State       string        `db:"state"`
	Valid       bool          `db:"valid"`
	PID         int           `db:"pid"`
	ExitCode    sql.NullInt64 `db:"exit_code"`
	LogPath     string        `db:"log_path"`
	ExecutePath string        `db:"execute_path"`
	AppLink     string        `db:"app_link"`
	VarPool     string        `db:"var_pool"`
	Message     string        `db:"message"`
	Submit      time.Time     `db:"submit_time"`
	Due         sql.NullTime  `db:"due_time"`
	Start       sql.NullTime  `db:"start_time"`
	End         sql.NullTime  `db:"end_time"`
	Context     string        `db:"context"`
	CacheKey    string        `db:"cache_key"`
}

func stored(t *testing.T, d *db.DB, id int64) storedRow {
	t.Helper()
	row, err := db.Get[storedRow](t.Context(), d, `SELECT workflow_instance_id, project_code, task_code, task_version, name, task_type, attempt, max_retry_times,
		worker_group, priority, first_submit_time, task_group_id, task_group_priority, environment_code, host, state, valid, pid, exit_code, log_path, execute_path,
		app_link, var_pool, message, submit_time, due_time, start_time, end_time, context, cache_key FROM task_instance WHERE id = ?`, id)
	require.NoError(t, err)
	row.FirstSubmit, row.Submit = row.FirstSubmit.UTC(), row.Submit.UTC()
	for _, at := range []*sql.NullTime{&row.Due, &row.Start, &row.End} {
		at.Time = at.Time.UTC()
	}
	return row
}

func (r *attemptRow) asStored() storedRow {
	at := func(t time.Time) sql.NullTime { return sql.NullTime{Time: t, Valid: !t.IsZero()} }
	row := storedRow{
		r.run, r.project, r.taskCode, r.taskVersion, r.name, r.taskType, r.number, r.maxRetries, r.workerGroup, r.priority, r.firstSubmit, r.groupID,
		r.groupRank, r.environment, r.host, r.state, r.valid, r.pid,
		sql.NullInt64{},
		r.logPath, r.executePath, r.appLink, r.varPool, r.message,
		r.submit, at(r.due), at(r.start), at(r.end), r.context, r.cacheKey,
	}
	if r.exitCode != nil {
		row.ExitCode = sql.NullInt64{Int64: int64(*r.exitCode), Valid: true}
	}
	return row
}

// newRow is a bare one. No two of its values are alike, so that none can take another's place unnoticed.
func newRow(id int64) attemptRow {
	at := time.Date(2026, 3, 29, 1, 30, 0, 123e6, time.UTC)
	return attemptRow{
		insert: true, id: id, run: id + 1, project: id + 2, taskCode: id + 3, taskVersion: 4, name: `naïve "name", {1}\`, taskType: "SHELL", number: 5,
		maxRetries: 6, workerGroup: "默认", priority: "HIGH", firstSubmit: at, environment: -1,
		host: "w:1234", state: "SUBMITTED_SUCCESS", valid: true, varPool: emptyList, submit: at.Add(time.Minute),
	}
}

// ended is the row with all that can be known of an attempt that ended.
func ended(row attemptRow, code int) attemptRow {
	row.insert, row.state, row.valid, row.pid, row.exitCode = false, "FAILURE", false, 77, &code
	row.logPath, row.executePath, row.appLink = "/logs/a b.log", "/exec/'x'", "application_1"
	row.varPool, row.message = `[{"prop":"a","value":"\\"}]`, "exit code,\n\"NULL\""
	row.due, row.start, row.end = row.submit.Add(time.Second), row.submit.Add(2*time.Second), row.submit.Add(3*time.Second)
	return row
}

func wide(row attemptRow) attemptRow {
	row.context, row.cacheKey = `{"round":2}`, "key"
	if row.insert {
		row.groupID, row.groupRank, row.environment = 8, 9, 10
	}
	return row
}

func TestASaveWritesEveryColumnOfEveryRow(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, w := saverFor(t, d)
		write := func(rows ...attemptRow) {
			t.Helper()
			_, err := s.save(t.Context(), w, merge([]*change{{run: 1, attempts: rows}}, nil), time.Now())
			require.NoError(t, err)
			for _, row := range rows {
				require.Equal(t, row.asStored(), stored(t, d, row.id), "row %d", row.id)
			}
		}
		write(newRow(100))
		write(newRow(200), newRow(300))
		first, second := ended(newRow(400), -1), ended(newRow(500), 0)
		first.insert, second.insert = true, true
		write(first, newRow(600), second)
		write(wide(newRow(700)), newRow(800))
		write(ended(newRow(100), 3), ended(newRow(600), 255), newRow(900))
		write(wide(ended(newRow(200), 1)), ended(newRow(300), 0), wide(newRow(1000)))
	})
}

func TestASaveWhoseAnswerWasLostMayBeRepeated(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, w := saverFor(t, d)
		save := func(extras []extra, rows ...attemptRow) {
			t.Helper()
			_, err := s.save(t.Context(), w, merge([]*change{{run: 1, attempts: rows, extras: extras}}, nil), time.Now())
			require.NoError(t, err)
		}
		save(nil, newRow(100), newRow(200))
		again := ended(newRow(100), 1)
		again.insert = true
		save(nil, again, newRow(300))
		require.Equal(t, again.asStored(), stored(t, d, 100))
		require.Equal(t, "SUBMITTED_SUCCESS", stored(t, d, 300).State)

		count := []extra{{query: `UPDATE master SET epoch = epoch + 100 WHERE name = 'other'`}}
		_, err := d.Exec(t.Context(), `INSERT INTO master (name, epoch, started_at) VALUES ('other', 0, ?)`, time.Now())
		require.NoError(t, err)
		save(count, newRow(200), newRow(400))
		require.Equal(t, "SUBMITTED_SUCCESS", stored(t, d, 400).State)
		epoch, err := db.Get[int64](t.Context(), d, `SELECT epoch FROM master WHERE name = 'other'`)
		require.NoError(t, err)
		require.Equal(t, int64(100), epoch, "what goes with it is done once")
	})
}

func TestAMasterThatWasReplacedWritesNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, w := saverFor(t, d)
		_, err := d.Exec(t.Context(), `UPDATE master SET epoch = 8`)
		require.NoError(t, err)
		_, err = s.save(context.WithoutCancel(t.Context()), w, merge([]*change{{run: 1, attempts: []attemptRow{newRow(100)}}}, nil), time.Now())
		require.ErrorIs(t, err, errFenced)
		n, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM task_instance`)
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

func TestRowsCountOnlyWithTheirCommand(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, w := saverFor(t, d)
		_, err := d.Exec(t.Context(), `INSERT INTO command (id, command_type, workflow_instance_id, executor_id, created_at) VALUES (1, 'START_PROCESS', 101, 1, ?)`, time.Now())
		require.NoError(t, err)
		mine, others := newRow(100), newRow(200)
		late := ended(newRow(300), 1)
		late.insert = true
		taken, err := s.save(t.Context(), w, merge([]*change{
			{run: 101, command: 1, attempts: []attemptRow{mine}}, {run: 201, command: 2, attempts: []attemptRow{others}}, {run: 301, attempts: []attemptRow{late}},
		}, nil), time.Now())
		require.NoError(t, err)
		require.Equal(t, map[int64]bool{1: true}, taken)
		ids, err := db.Select[int64](t.Context(), d, `SELECT id FROM task_instance ORDER BY id`)
		require.NoError(t, err)
		require.Equal(t, []int64{100, 300}, ids)
		left, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM command`)
		require.NoError(t, err)
		require.Zero(t, left)
	})
}
