package schedule_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/flow"
	"dorado/modules/schedule"
)

func TestAFireStartsTheWorkflowAsItsScheduleSays(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		x := draft("0 0 1 * * ?")
		x.TimeZone, x.FailureStrategy, x.WarningType, x.WarningGroupID, x.Priority = "Asia/Shanghai", flow.FailureEnd, flow.WarningAll, 1, flow.High
		x.WorkerGroup, x.EnvironmentCode, x.DoneBy = "gpu", 77, "08:00"
		x.StartParams = []flow.Property{{Prop: "region", Direct: flow.In, Type: flow.Varchar, Value: "EU"}}
		s := w.on(t, x)
		c := w.clock()
		due := time.Date(2026, 1, 2, 17, 0, 0, 0, time.UTC) // the 3rd, one o'clock, in Shanghai
		require.True(t, step(t, c).Equal(due))
		require.Empty(t, w.runs(t, s.ID))
		w.wall.set(due.Add(20 * time.Millisecond))
		require.True(t, step(t, c).Equal(due.AddDate(0, 0, 1)))

		runs := w.runs(t, s.ID)
		require.Len(t, runs, 1)
		require.True(t, runs[0].ScheduleTime.Equal(due), "nominal, not actual")
		require.True(t, runs[0].Deadline.Equal(time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)))
		i, err := w.instances.Get(w.gwen, runs[0].ID)
		require.NoError(t, err)
		require.Equal(t, flow.CommandSchedule, i.CommandType)
		require.Equal(t, flow.WorkflowSubmitted, i.State)
		require.Equal(t, flow.TaskPost, i.DependType)
		require.Equal(t, flow.FailureEnd, i.FailureStrategy)
		require.Equal(t, flow.WarningAll, i.WarningType)
		require.Equal(t, int64(1), i.WarningGroupID)
		require.Equal(t, flow.High, i.Priority)
		require.Equal(t, "gpu", i.WorkerGroup)
		require.Equal(t, int64(77), i.EnvironmentCode)
		require.Equal(t, "gwen", i.ExecutorName)
		require.Equal(t, "Asia/Shanghai", i.TimeZone)
		require.Contains(t, i.GlobalParams, "20260103", "dates count from the nominal time in the schedule's zone")
		require.Contains(t, i.GlobalParams, `"EU"`)
		require.Equal(t, 1, w.count(t, `SELECT count(*) FROM command WHERE workflow_instance_id = ? AND command_type = 'SCHEDULER'`, i.ID))
	})
}

// late are 200 schedules that fire every five minutes and are found an hour late.
func late(t *testing.T, w *world, policy schedule.MisfirePolicy, config ...schedule.Config) []schedule.Schedule {
	t.Helper()
	x := draft("0 */5 * * * ?")
	x.Misfire = policy
	all := make([]schedule.Schedule, 200)
	for k := range all {
		if k%schedule.MaxPerWorkflow == 0 {
			w.flow = w.online(t, fmt.Sprint(policy, k))
		}
		all[k] = w.on(t, x)
	}
	w.run(t, w.clock(config...), noon().Add(10*time.Minute)) // fires at :05 and :10
	w.wall.set(noon().Add(70*time.Minute + 30*time.Second))
	return all
}

func TestG22_MissedFiresAreSkippedMadeOnceOrAllMade(t *testing.T) {
	t.Parallel()
	before := []string{"01-02 12:05:00", "01-02 12:10:00"}
	var hour []string
	for minute := 15; minute < 70; minute += 5 {
		hour = append(hour, noon().Add(time.Duration(minute)*time.Minute).Format("01-02 15:04:05"))
	}
	now := "01-02 13:10:00" // half a minute ago is in time
	for policy, missed := range map[schedule.MisfirePolicy][]string{
		schedule.SkipMissed: nil, schedule.FireOnceNow: hour[len(hour)-1:], schedule.FireAllMissed: hour,
	} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				w := open(t, d)
				all := late(t, w, policy)
				var want []string
				want = append(append(append(want, before...), missed...), now)
				for range 2 { // a second restart finds nothing more to do
					require.True(t, step(t, w.clock()).Equal(noon().Add(75*time.Minute)))
					for _, s := range all[:3] {
						require.Equal(t, want, w.times(t, s.ID))
					}
					require.Equal(t, len(all)*len(want), w.count(t, `SELECT count(*) FROM workflow_instance WHERE command_type = 'SCHEDULER'`))
					require.Equal(t, len(all)*len(want), w.count(t, `SELECT count(*) FROM command`))
				}
			})
		})
	}
}

func TestMissedFiresAreMadeUpForInBoundsAndTheRestIsReported(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		x := draft("* * * * * ?")
		x.Name = "each second"
		s := w.on(t, x)
		w.wall.pass(time.Hour)
		step(t, w.clock(schedule.Config{MaxCatchUp: 100}))
		times := w.times(t, s.ID)
		require.Len(t, times, 100+61, "the bound, and the last minute")
		require.Equal(t, "01-02 12:00:01", times[0])
		require.Equal(t, "01-02 12:01:40", times[99])
		require.Equal(t, "01-02 12:59:00", times[100])
		type alert struct {
			Title   string `db:"title"`
			Content string `db:"content"`
			Group   int64  `db:"alert_group_id"`
			Status  string `db:"status"`
		}
		alerts, err := db.Select[alert](t.Context(), d, `SELECT title, content, alert_group_id, status FROM alert`)
		require.NoError(t, err)
		require.Len(t, alerts, 1)
		require.Equal(t, "Schedule each second of daily missed more runs than are caught up", alerts[0].Title)
		require.Contains(t, alerts[0].Content, `"missedFrom":"2026-01-02 12:01:41","missedTo":"2026-01-02 12:58:59"`)
		require.Equal(t, int64(1), alerts[0].Group)
		require.Equal(t, "WAIT_EXECUTION", alerts[0].Status)
	})
}

func TestWhatIsDueNowDoesNotWaitForWhatWasMissed(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	flood := draft("* * * * * ?")
	for range 5 {
		w.on(t, flood)
	}
	w.wall.pass(time.Hour)
	punctual := draft("0 0 13 * * ?")
	punctual.Misfire = schedule.SkipMissed
	s := w.on(t, punctual) // at 13:00 itself; due tomorrow
	w.wall.pass(24*time.Hour + time.Second)
	step(t, w.clock(schedule.Config{MaxCatchUp: 300}))
	place := w.count(t, `SELECT count(*) FROM workflow_instance WHERE id < (SELECT workflow_instance_id FROM schedule_fire WHERE schedule_id = ?)`, s.ID)
	require.Less(t, place, 500, "it is in the first batch")
	require.Equal(t, 5*(300+61)+1, w.count(t, `SELECT count(*) FROM workflow_instance`))
}

func TestW04_TwoClocksOnOneDatabaseFireEachTimeOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		const schedules, seconds = 60, 20
		for range schedules {
			w.on(t, draft("* * * * * ?"))
		}
		clocks := []*schedule.Clock{w.clock(), w.clock()}
		for second := range seconds {
			w.wall.set(noon().Add(time.Duration(second+1) * time.Second))
			if second == 7 { // one of them dies and comes back
				clocks[0] = w.clock()
			}
			var wg sync.WaitGroup
			errs := make([]error, len(clocks))
			for k, c := range clocks {
				wg.Go(func() { _, errs[k] = c.Step(t.Context()) })
			}
			wg.Wait()
			require.NoError(t, errs[0])
			require.NoError(t, errs[1])
		}
		for _, query := range []string{
			`SELECT count(*) FROM schedule_fire WHERE workflow_instance_id > 0`, `SELECT count(*) FROM workflow_instance`,
			`SELECT count(DISTINCT workflow_instance_id) FROM schedule_fire`, `SELECT count(*) FROM command`,
		} {
			require.Equal(t, schedules*seconds, w.count(t, query), query)
		}
	})
}

func TestAClockThatSleptDoesNotRepeatWhatAnotherMade(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		s := w.on(t, draft("* * * * * ?"))
		awake, asleep := w.clock(), w.clock(schedule.Config{MaxCatchUp: 50})
		step(t, asleep)
		w.run(t, awake, noon().Add(2*time.Second))
		w.run(t, asleep, noon().Add(3*time.Second))
		w.run(t, awake, noon().Add(10*time.Minute))
		step(t, asleep)
		require.Len(t, w.runs(t, s.ID), 600)
		require.Zero(t, w.count(t, `SELECT count(*) FROM alert`), "nothing was missed")
	})
}

func TestACrashWhileCatchingUpLosesNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.insertSchedules(t, 5, "* * * * * ?")
		w.wall.pass(10 * time.Minute)
		for crash := range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			looks := 0
			c := schedule.NewClock(schedule.ClockDeps{
				DB: d, Instances: w.instances, Logger: slog.New(slog.DiscardHandler), Config: schedule.DefaultConfig(), Now: func() time.Time {
					if looks++; looks == 3+2*crash { // after a batch or two
						cancel()
					}
					return w.wall.now()
				},
			})
			_, err := c.Step(ctx)
			require.Error(t, err)
		}
		require.Less(t, w.count(t, `SELECT count(*) FROM workflow_instance`), 3000)
		step(t, w.clock())
		require.Equal(t, 3000, w.count(t, `SELECT count(*) FROM workflow_instance`))
		require.Equal(t, 3000, w.count(t, `SELECT count(*) FROM schedule_fire WHERE workflow_instance_id > 0`))
	})
}

// insertSchedules writes online schedules without asking the service, which is slow for thousands.
func (w *world) insertSchedules(t testing.TB, n int, crontab string) {
	t.Helper()
	w.multiply(t, w.on(t, draft(crontab)).ID, n-1)
}

// multiply writes n schedules like one.
func (w *world) multiply(t testing.TB, id int64, n int) {
	t.Helper()
	_, err := w.DB.Exec(t.Context(), `WITH RECURSIVE n (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < ?)
		INSERT INTO schedule (project_code, workflow_code, start_time, end_time, time_zone, crontab, release_state, online_at, revision, user_id,
		created_at, updated_at) SELECT project_code, workflow_code, start_time, end_time, time_zone, crontab, release_state, online_at, revision,
		user_id, created_at, updated_at FROM schedule, n WHERE id = ?`, n, id)
	require.NoError(t, err)
}

func TestW20_ThousandsOfSchedulesAtOneSecondAreAllFired(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		const n = 5000
		w.insertSchedules(t, n, "0 0 13 * * ?")
		c := w.clock()
		step(t, c)
		w.wall.set(noon().Add(time.Hour))
		require.True(t, step(t, c).Equal(noon().Add(25*time.Hour)))
		require.Equal(t, n, w.count(t, `SELECT count(DISTINCT schedule_id) FROM schedule_fire WHERE workflow_instance_id > 0`))
		require.Equal(t, n, w.count(t, `SELECT count(*) FROM command WHERE command_type = 'SCHEDULER'`))
		require.True(t, step(t, w.clock()).Equal(noon().Add(25*time.Hour)))
		require.Equal(t, n, w.count(t, `SELECT count(*) FROM workflow_instance`), "a restart fires nothing again")
	})
}

func TestW20_GoingOnlineNeverFiresThePast(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		c := w.clock()
		s := w.schedule(t, draft("0 * * * * ?")) // its range began yesterday
		step(t, c)
		w.wall.pass(time.Hour)
		_, err := w.Online(w.gwen, w.project, s.ID)
		require.NoError(t, err)
		step(t, w.clock())
		require.Empty(t, w.runs(t, s.ID))
		w.wall.pass(time.Minute)
		step(t, w.clock())
		require.Equal(t, []string{"01-02 13:01:00"}, w.times(t, s.ID))

		_, err = w.Offline(w.gwen, w.project, s.ID)
		require.NoError(t, err)
		step(t, w.clock())
		w.wall.pass(time.Hour)
		step(t, w.clock())
		_, err = w.Online(w.gwen, w.project, s.ID)
		require.NoError(t, err)
		w.wall.pass(time.Minute)
		step(t, w.clock())
		require.Equal(t, []string{"01-02 13:01:00", "01-02 14:02:00"}, w.times(t, s.ID), "what fell into the time offline is never caught up")
	})
}

func TestW21_PreviewIsWhatHappensWhereClocksChange(t *testing.T) {
	t.Parallel()
	for zone, days := range map[string][]string{
		"Europe/London":    {"2026-03-28 12:00:00", "2026-10-24 12:00:00"},
		"America/New_York": {"2026-03-07 12:00:00", "2026-10-31 12:00:00"},
		"Asia/Shanghai":    {"2026-03-28 12:00:00"},
		"UTC":              {"2026-03-28 12:00:00"},
	} {
		for _, crontab := range []string{"0 30 1 * * ? *", "0 30 2 * * ? *", "0 */20 0-3 * * ?", "0 0 0 * * ?"} {
			w := open(t, dbtest.SQLite(t))
			loc, err := time.LoadLocation(zone)
			require.NoError(t, err)
			x := draft(crontab)
			x.TimeZone = zone
			for _, day := range days {
				from, err := schedule.Wall(day, loc)
				require.NoError(t, err)
				w.wall.set(from)
				s := w.on(t, x)
				fires, err := w.Preview(w.gwen, w.project, x, 10)
				require.NoError(t, err)
				require.Len(t, fires, 10)
				w.run(t, w.clock(), fires[9].Due)
				runs := w.runs(t, s.ID)
				require.Len(t, runs, 10, "%s %s %s", crontab, zone, day)
				for k, r := range runs {
					require.True(t, r.ScheduleTime.Equal(fires[k].Nominal), "%s %s: %s, not %s", crontab, zone, r.ScheduleTime, fires[k].Nominal)
					require.True(t, r.StartTime.Equal(fires[k].Due))
				}
				_, err = w.Offline(w.gwen, w.project, s.ID)
				require.NoError(t, err)
			}
		}
	}
}

func TestMovedFiresHappenOncePerNominalTime(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		days := &weekdays{}
		x := draft("0 0 9 * * ?")
		x.CalendarID, x.CalendarPolicy = w.calendar(t, days), schedule.NextWorkday
		s := w.on(t, x)
		w.run(t, w.clock(), time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)) // over the weekend
		require.Empty(t, w.runs(t, s.ID))
		fires, err := w.Upcoming(w.gwen, []schedule.Schedule{s}, 3)
		require.NoError(t, err)
		w.run(t, w.clock(), time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC))
		require.Equal(t, []string{"01-03 09:00:00", "01-04 09:00:00", "01-05 09:00:00"}, w.times(t, s.ID))
		for k, r := range w.runs(t, s.ID) {
			require.True(t, r.StartTime.Equal(fires[s.ID][k].Due))
			require.True(t, r.ScheduleTime.Equal(fires[s.ID][k].Nominal))
		}

		// On Monday somebody says that Monday is a holiday: what happened does not happen again on Tuesday.
		c := w.clock()
		step(t, c)
		days.off = []string{"2026-01-05"}
		require.NoError(t, w.CalendarChanged(t.Context(), x.CalendarID))
		w.run(t, w.clock(), time.Date(2026, 1, 6, 9, 0, 0, 0, time.UTC))
		require.Equal(t, []string{"01-03 09:00:00", "01-04 09:00:00", "01-05 09:00:00", "01-06 09:00:00"}, w.times(t, s.ID))
	})
}

func TestAWorkflowThatIsOfflineIsSkippedAndWrittenDown(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		s := w.on(t, draft("0 0 * * * ?"))
		// As if the release had happened between the clock's look and its commit.
		_, err := d.Exec(t.Context(), `UPDATE workflow_definition SET release_state = 'OFFLINE' WHERE code = ?`, w.flow.Workflow.Code)
		require.NoError(t, err)
		c := w.clock()
		w.run(t, c, noon().Add(time.Hour))
		require.Equal(t, 1, w.count(t, `SELECT count(*) FROM schedule_fire WHERE schedule_id = ? AND workflow_instance_id = 0`, s.ID))
		require.Zero(t, w.count(t, `SELECT count(*) FROM workflow_instance`))
		_, err = d.Exec(t.Context(), `UPDATE workflow_definition SET release_state = 'ONLINE' WHERE code = ?`, w.flow.Workflow.Code)
		require.NoError(t, err)
		w.run(t, c, noon().Add(2*time.Hour))
		require.Equal(t, []string{"01-02 14:00:00"}, w.times(t, s.ID))
	})
}

func TestAScheduleThatChangedUnnoticedIsNotFiredAsItWas(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		stays, goes := w.on(t, draft("0 0 * * * ?")), w.on(t, draft("0 0 * * * ?"))
		c := w.clock() // hears of nothing: it does not listen
		step(t, c)
		_, err := w.Offline(w.gwen, w.project, goes.ID)
		require.NoError(t, err)
		w.run(t, c, noon().Add(time.Hour))
		require.Len(t, w.runs(t, stays.ID), 1)
		require.Empty(t, w.runs(t, goes.ID))

		x := draft("0 30 * * * ?")
		x.Priority = flow.Lowest
		_, err = w.Update(w.gwen, w.project, goes.ID, x, schedule.AnyRevision)
		require.NoError(t, err)
		_, err = w.Online(w.gwen, w.project, goes.ID)
		require.NoError(t, err)
		w.run(t, w.clock(), noon().Add(2*time.Hour))
		require.Equal(t, []string{"01-02 13:30:00"}, w.times(t, goes.ID))
	})
}

func TestAClockThatIsSetBackOrForwardNeitherRepeatsNorLoses(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	s := w.on(t, draft("0 */10 * * * ?"))
	c := w.clock()
	w.run(t, c, noon().Add(20*time.Minute))
	w.wall.set(noon().Add(5 * time.Minute)) // somebody sets it back
	require.True(t, step(t, c).Equal(noon().Add(30*time.Minute)))
	require.True(t, step(t, w.clock()).Equal(noon().Add(20*time.Minute)), "a restart looks again, and will find it made")
	w.run(t, c, noon().Add(30*time.Minute))
	w.wall.set(noon().Add(90 * time.Minute)) // and an hour forward
	step(t, c)
	require.Equal(t, []string{
		"01-02 12:10:00", "01-02 12:20:00", "01-02 12:30:00", "01-02 12:40:00", "01-02 12:50:00", "01-02 13:00:00", "01-02 13:10:00",
		"01-02 13:20:00", "01-02 13:30:00",
	}, w.times(t, s.ID))
}

func TestAFailingDatabaseDelaysFiresAndLosesNone(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	w.insertSchedules(t, 3, "* * * * * ?")
	c := w.clock()
	w.run(t, c, noon().Add(2*time.Second))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.DB.Exec(t.Context(), `ALTER TABLE schedule_fire RENAME TO away`)
	require.NoError(t, err)
	w.wall.pass(3 * time.Second)
	for range 3 {
		_, err = c.Step(gone)
		require.Error(t, err)
		_, err = c.Step(t.Context())
		require.Error(t, err)
	}
	require.Equal(t, 6, w.count(t, `SELECT count(*) FROM workflow_instance`))
	_, err = w.DB.Exec(t.Context(), `ALTER TABLE away RENAME TO schedule_fire`)
	require.NoError(t, err)
	step(t, c)
	require.Equal(t, 15, w.count(t, `SELECT count(*) FROM workflow_instance`))
}

func TestOneFireThatCannotBeWrittenDoesNotHoldUpOthers(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	w.insertSchedules(t, 40, "0 0 13 * * ?")
	_, err := w.DB.Exec(t.Context(), `CREATE TRIGGER refuse BEFORE INSERT ON schedule_fire WHEN NEW.schedule_id IN (7, 21)
		BEGIN SELECT RAISE(ABORT, 'no'); END`)
	require.NoError(t, err)
	w.run(t, w.clock(), noon().Add(time.Hour))
	require.Equal(t, 38, w.count(t, `SELECT count(*) FROM workflow_instance`))
}

func TestSerialWorkflowsQueueTheirFires(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.flow = w.online(t, "serial", flow.SerialWait)
		s := w.on(t, draft("0 * * * * ?"))
		w.run(t, w.clock(), noon().Add(3*time.Minute))
		for _, r := range w.runs(t, s.ID) {
			require.Equal(t, flow.WorkflowSerialWait, r.State)
		}
		require.Equal(t, 3, w.count(t, `SELECT count(*) FROM serial_queue WHERE state = 'WAITING'`))
		require.Zero(t, w.count(t, `SELECT count(*) FROM command`))
	})
}

func TestARunningClockHearsOfSchedulesAndFiresThem(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		var wg sync.WaitGroup
		stop := w.real(&wg)
		ctx, cancel := context.WithCancel(t.Context())
		c := w.clock()
		wg.Go(func() { _ = c.Run(ctx) })
		s := w.on(t, draft("* * * * * ?"))
		require.Eventually(t, func() bool {
			return w.count(t, `SELECT count(*) FROM schedule_fire WHERE schedule_id = ? AND workflow_instance_id > 0`, s.ID) >= 2
		}, 60*time.Second, 20*time.Millisecond)
		_, err := w.Offline(w.gwen, w.project, s.ID)
		require.NoError(t, err)
		cancel()
		close(stop)
		wg.Wait()
	})
}

// real makes the wall clock show real time until stop is closed.
func (w *world) real(wg *sync.WaitGroup) (stop chan struct{}) {
	stop = make(chan struct{})
	w.wall.set(time.Now())
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				w.wall.set(time.Now())
			}
		}
	})
	return stop
}

func TestAClockThatGetsItsPlaceBackBeginsAnew(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		var wg sync.WaitGroup
		stop := w.real(&wg)
		// term runs a clock until a schedule has fired again.
		term := func(c *schedule.Clock, id int64) {
			before := w.count(t, `SELECT count(*) FROM schedule_fire WHERE schedule_id = ? AND workflow_instance_id > 0`, id)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- c.Run(ctx) }()
			require.Eventually(t, func() bool {
				return w.count(t, `SELECT count(*) FROM schedule_fire WHERE schedule_id = ? AND workflow_instance_id > 0`, id) > before
			}, 60*time.Second, 20*time.Millisecond)
			cancel()
			require.NoError(t, <-done)
		}
		c := w.clock()
		first := w.on(t, draft("* * * * * ?"))
		term(c, first.ID)
		second := w.on(t, draft("* * * * * ?")) // while nobody listens
		term(w.clock(), second.ID)
		third := w.on(t, draft("* * * * * ?"))
		_, err := w.Offline(w.gwen, w.project, first.ID)
		require.NoError(t, err)
		gone := w.count(t, `SELECT count(*) FROM schedule_fire WHERE schedule_id = ?`, first.ID)
		term(c, third.ID)
		require.Equal(t, gone, w.count(t, `SELECT count(*) FROM schedule_fire WHERE schedule_id = ?`, first.ID), "it went offline meanwhile")
		require.Equal(t, w.count(t, `SELECT count(*) FROM workflow_instance`),
			w.count(t, `SELECT count(DISTINCT workflow_instance_id) FROM schedule_fire WHERE workflow_instance_id > 0`))
		close(stop)
		wg.Wait()
	})
}
