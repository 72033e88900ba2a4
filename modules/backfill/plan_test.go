package backfill_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/backfill"
	"dorado/modules/flow"
	"dorado/modules/instance"
)

// schedule puts a schedule of the workflow online.
func (w *world) schedule(t testing.TB, code int64, cron, zone string) {
	t.Helper()
	_, err := w.DB.Exec(t.Context(), `INSERT INTO schedule (project_code, workflow_code, start_time, end_time, time_zone, crontab, release_state, user_id, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, 'ONLINE', ?, ?, ?)`, w.project, code, day(1), day(30), zone, cron, w.General.UserID, day(1), day(1))
	require.NoError(t, err)
}

func (w *world) plan(t testing.TB, r instance.BackfillRequest) *instance.BackfillPlan {
	t.Helper()
	p, err := w.Plan(w.gwen, w.project, r)
	require.NoError(t, err)
	return p
}

func TestDatesAreThoseOfTheSchedulesOrEachMidnight(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		r := w.request(3, 1)
		require.Len(t, w.plan(t, r).Dates, 3, "both ends are in")
		r.TimeZone = "Asia/Shanghai"
		shanghai := w.plan(t, r)
		require.Len(t, shanghai.Dates, 2)
		require.Equal(t, "2026-03-02T00:00:00+08:00", shanghai.Dates[0].At.In(shanghai.Zone).Format(time.RFC3339), "a midnight of the zone")
		r.To = r.From
		require.Equal(t, r.From, w.plan(t, r).Dates[0].At, "one instant is that instant")

		w.schedule(t, w.flow.Workflow.Code, "0 0 6,18 * * ? *", "Asia/Shanghai")
		w.schedule(t, w.flow.Workflow.Code, "0 0 18 * * ? *", "Asia/Shanghai")
		r = w.request(2, 1)
		r.Ascending = false
		p := w.plan(t, r)
		require.True(t, p.Scheduled)
		require.Equal(t, "Asia/Shanghai", p.Zone.String(), "whatever zone was asked for")
		var got []string
		for _, x := range p.Dates {
			got = append(got, x.At.In(p.Zone).Format("02 15:04"))
		}
		require.Equal(t, []string{"02 06:00", "01 18:00"}, got, "latest first, each once")

		r = instance.BackfillRequest{StartRequest: r.StartRequest, Dates: []time.Time{day(3), day(1), day(3)}, Ascending: true}
		require.Len(t, w.plan(t, r).Dates, 2, "a list is what it says")
	})
}

func TestWrongDatesAreRefusedWithAReason(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	refused := func(want error, change func(*instance.BackfillRequest)) {
		t.Helper()
		r := w.request(3, 1)
		change(&r)
		_, err := w.Plan(w.gwen, w.project, r)
		require.ErrorIs(t, err, want)
		_, err = w.Start(w.gwen, w.project, r, "")
		require.ErrorIs(t, err, want)
	}
	refused(backfill.ErrRange, func(r *instance.BackfillRequest) { r.From, r.To = r.To, r.From })
	refused(backfill.ErrNoDates, func(r *instance.BackfillRequest) { r.From = time.Time{} })
	refused(backfill.ErrNoDates, func(r *instance.BackfillRequest) {
		r.From, r.To = r.From.Add(time.Second), r.From.Add(time.Hour)
	})
	refused(backfill.ErrWidth, func(r *instance.BackfillRequest) { r.Width = -1 })
	refused(instance.ErrStartRequest, func(r *instance.BackfillRequest) { r.TimeZone = "Mars/Olympus" })
	refused(instance.ErrStartNode, func(r *instance.BackfillRequest) { r.StartNodes = []int64{1} })
	refused(backfill.ErrTooLong, func(r *instance.BackfillRequest) {
		for k := range 101 {
			r.Dates = append(r.Dates, day(1).Add(time.Duration(k)*time.Hour))
		}
	})
	w.schedule(t, w.flow.Workflow.Code, "* * * * * ? *", "UTC")
	refused(backfill.ErrTooMany, func(r *instance.BackfillRequest) { r.To = r.From.AddDate(1, 0, 0) })
	n, err := db.Get[int](t.Context(), w.DB, `SELECT count(*) FROM backfill`)
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestAPlanShowsWhatRanAndLeavesOutWhatNeedNotRun(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.run(t)
		old := w.start(t, w.request(3, 0))
		for k, state := range []flow.WorkflowState{flow.WorkflowSuccess, flow.WorkflowFailure} {
			w.end(t, old.Instances[k], state)
		}
		r := w.request(5, 2)
		p := w.plan(t, r)
		require.Equal(t, 5, p.Runs)
		require.Equal(t, flow.WorkflowFailure, p.Dates[1].State)
		require.Equal(t, old.Instances[1], p.Dates[1].Instance)
		require.Positive(t, p.Median)
		require.Equal(t, 3*p.Median, p.Estimate, "five dates, two at once")
		r.Skip = instance.SkipSucceeded
		require.Equal(t, 4, w.plan(t, r).Runs)
		r.Skip = instance.SkipExisting
		only := w.plan(t, r)
		require.Equal(t, 3, only.Runs, "not the success, not the one that runs")

		_, err := w.Start(w.gwen, w.project, r, p.ID)
		require.ErrorIs(t, err, backfill.ErrChanged, "another plan than the one that was shown")
		out, err := w.Start(w.gwen, w.project, r, only.ID)
		require.NoError(t, err)
		require.Equal(t, []backfill.DateState{"SKIPPED", "RUNNING", "SKIPPED", "RUNNING", "WAITING"}, w.states(t, out.ID))
		_, err = w.Start(w.gwen, w.project, r, only.ID)
		require.ErrorIs(t, err, backfill.ErrChanged, "its dates have runs now")
		r.From, r.To, r.Skip = day(1), day(1), instance.SkipSucceeded
		_, err = w.Start(w.gwen, w.project, r, "")
		require.ErrorIs(t, err, backfill.ErrAllSkipped)
	})
}

func TestARepeatedKeyStartsNoSecondBackfill(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		r := w.request(3, 2)
		r.IdempotencyKey = "k"
		first := w.start(t, r)
		require.Equal(t, first, w.start(t, r))
	})
}

func TestDependentsAreTakenAlongOnceEach(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.run(t)
		up := w.flow
		left := w.online(t, "left", flow.Parallel, up)
		right := w.online(t, "right", flow.Parallel, up)
		bottom := w.online(t, "bottom", flow.Parallel, left, right)
		off := w.online(t, "off", flow.Parallel, up)
		_, err := w.workflows.Release(w.gwen, off.Workflow.Code, flow.Offline)
		require.NoError(t, err)
		w.schedule(t, up.Workflow.Code, "0 0 0 * * ? *", "UTC")

		r := w.request(2, 2)
		r.Dependents = true
		names := func(p *instance.BackfillPlan) (out []string) {
			for _, d := range p.Dependents {
				out = append(out, d.Name)
			}
			return out
		}
		require.ElementsMatch(t, []string{"left", "right"}, names(w.plan(t, r)))
		r.AllLevels = true
		p := w.plan(t, r)
		require.ElementsMatch(t, []string{"left", "right", "bottom"}, names(p))
		for _, d := range p.Dependents {
			if d.WorkflowCode == bottom.Workflow.Code {
				require.Equal(t, []int64{bottom.Definition.Tasks[0].Code}, d.StartNodes)
			}
		}
		out := w.start(t, r)
		b, err := w.Get(w.gwen, w.project, out.ID)
		require.NoError(t, err)
		along, err := w.Along(w.gwen, b)
		require.NoError(t, err)
		require.Len(t, along, 3)
		for _, a := range along {
			require.Equal(t, 1, a.Width, "one date after the other")
			one := w.running(t, a.ID, 1)[0]
			i, err := w.instances.Get(w.gwen, one.InstanceID)
			require.NoError(t, err)
			require.Contains(t, i.CommandParam, "startNodes")
		}

		// A weekly schedule is not what a daily dependency waits for.
		_, err = d.Exec(t.Context(), `UPDATE schedule SET crontab = ?`, "0 0 0 ? * * *")
		require.NoError(t, err)
		require.Empty(t, w.plan(t, r).Dependents)
		r.IgnoreCycle = true
		require.Len(t, w.plan(t, r).Dependents, 3)
	})
}
