package instance_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/flow"
	"dorado/modules/instance"
)

func TestManyFiresAreWrittenAtOnceAndEachOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		at := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
		var list []instance.Trigger
		for k := range 700 {
			list = append(list, instance.Trigger{
				StartRequest: instance.StartRequest{WorkflowCode: w.flow.Workflow.Code, TimeZone: "Asia/Shanghai", Priority: flow.High},
				Command:      flow.CommandSchedule, ScheduleID: int64(k%500 + 1), FireTime: at, ScheduleTime: &at, ExecutorID: 1, ExecutorName: "admin",
			})
		}
		ids, err := w.TriggerMany(t.Context(), list)
		require.NoError(t, err)
		require.Len(t, ids, 700)
		seen := map[int64]bool{}
		for k, id := range ids {
			require.Equal(t, k < 500, id != 0, "the same fire twice in one call counts once")
			seen[id] = true
		}
		require.Len(t, seen, 501)
		again, err := w.TriggerMany(t.Context(), list[490:510])
		require.NoError(t, err)
		require.Equal(t, make([]int64, 20), again)

		i, err := w.Get(w.gwen, ids[0])
		require.NoError(t, err)
		require.Equal(t, flow.CommandSchedule, i.CommandType)
		require.True(t, at.Equal(*i.ScheduleTime))
		require.Contains(t, i.GlobalParams, "20260301", "dates count from the time of the schedule, in its zone")
		require.Equal(t, []string{"SCHEDULER"}, w.commands(t, ids[499]))
		type row struct {
			Instance int64 `db:"workflow_instance_id"`
		}
		f, err := db.Get[row](t.Context(), d, `SELECT workflow_instance_id FROM schedule_fire WHERE schedule_id = 500`)
		require.NoError(t, err)
		require.Equal(t, ids[499], f.Instance)
		for _, table := range []string{"schedule_fire", "workflow_instance", "command"} {
			n, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM `+table)
			require.NoError(t, err)
			require.Equal(t, 500, n, table)
		}
		single := w.start(t)
		require.NotContains(t, ids, single, "ids go on after those that were reserved")
	})
}

func TestWhatCannotRunIsLeftOutOrFailsVisibly(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		code := w.flow.Workflow.Code
		at := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
		trigger := func(schedule int64, r instance.StartRequest) instance.Trigger {
			return instance.Trigger{StartRequest: r, Command: flow.CommandSchedule, ScheduleID: schedule, FireTime: at, ScheduleTime: &at, ExecutorName: "x"}
		}
		long := strings.Repeat("${dt}", 1000)
		ids, err := w.TriggerMany(t.Context(), []instance.Trigger{
			trigger(1, instance.StartRequest{WorkflowCode: 4711}),
			trigger(2, instance.StartRequest{WorkflowCode: code, Version: 99}),
			trigger(3, instance.StartRequest{WorkflowCode: code, StartNodes: []int64{1}}),
			trigger(4, instance.StartRequest{WorkflowCode: code, TimeZone: "Mars/Olympus"}),
			trigger(5, instance.StartRequest{WorkflowCode: code, StartParams: []flow.Property{{Prop: "a", Value: long}}}),
		})
		require.NoError(t, err)
		require.Zero(t, ids[0])
		fires, err := db.Select[int64](t.Context(), d, `SELECT workflow_instance_id FROM schedule_fire ORDER BY schedule_id`)
		require.NoError(t, err)
		require.Equal(t, ids, fires, "a skipped fire is written down, too")
		for _, id := range ids[1:4] {
			i, err := w.Get(w.gwen, id)
			require.NoError(t, err)
			require.Equal(t, flow.WorkflowFailure, i.State)
			require.NotEmpty(t, i.Message)
			require.NotNil(t, i.EndTime)
			require.Empty(t, w.commands(t, id))
		}
		require.Equal(t, []string{"SCHEDULER"}, w.commands(t, ids[4]))
	})
}
