package schedule_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/schedule"
	"dorado/modules/security/tenant"
	"dorado/modules/workflow"
)

func TestAScheduleIsMadeOfflineInItsOwnZone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		x := draft(" 0  0 3/6 * * ? * ")
		x.Start, x.End, x.TimeZone = "2019-08-08 00:00:00", "2100-08-08T00:00", "America/Phoenix"
		s := w.schedule(t, x)
		require.Equal(t, flow.Offline, s.ReleaseState)
		require.Equal(t, "0 0 3/6 * * ? *", s.Crontab)
		require.True(t, s.Start.Equal(time.Date(2019, 8, 8, 7, 0, 0, 0, time.UTC)))
		require.Equal(t, "2019-08-08 00:00:00", s.StartText())
		require.Equal(t, "2100-08-08 00:00:00", s.EndText())
		require.Equal(t, schedule.FireAllMissed, s.Misfire)
		require.Equal(t, "daily", s.WorkflowName)
		require.Equal(t, "gwen", s.UserName)
		require.Equal(t, x.Start, s.Draft().Start, "a form shows what was entered")

		x.TimeZone = "Asia/Shanghai" // the wall clock stays, the instant moves
		s, err := w.Update(w.gwen, w.project, s.ID, x, s.Revision)
		require.NoError(t, err)
		require.True(t, s.Start.Equal(time.Date(2019, 8, 7, 16, 0, 0, 0, time.UTC)))
		require.Contains(t, w.Audited(t), "schedule.create")
		require.Contains(t, w.Audited(t), "schedule.update")
	})
}

func TestBadSchedulesAreRefusedByFieldAndReason(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	for name, c := range map[string]struct {
		change func(*schedule.Draft)
		field  string
	}{
		"no zone":            {func(d *schedule.Draft) { d.TimeZone = "" }, "time_zone"},
		"zone unknown":       {func(d *schedule.Draft) { d.TimeZone = "Mars/Olympus" }, "time_zone"},
		"computer's zone":    {func(d *schedule.Draft) { d.TimeZone = "Local" }, "time_zone"},
		"zone of a file":     {func(d *schedule.Draft) { d.TimeZone = "../../etc/passwd" }, "time_zone"},
		"no start":           {func(d *schedule.Draft) { d.Start = " " }, "start_time"},
		"start no time":      {func(d *schedule.Draft) { d.Start = "yesterday" }, "start_time"},
		"no such day":        {func(d *schedule.Draft) { d.End = "2026-02-30 00:00:00" }, "end_time"},
		"start is end":       {func(d *schedule.Draft) { d.End = d.Start }, "end_time"},
		"start after end":    {func(d *schedule.Draft) { d.End = "2025-01-01 00:00:00" }, "end_time"},
		"no cron":            {func(d *schedule.Draft) { d.Crontab = "" }, "crontab"},
		"impossible cron":    {func(d *schedule.Draft) { d.Crontab = "0 0 0 30 2 ?" }, "crontab"},
		"never in range":     {func(d *schedule.Draft) { d.Crontab = "0 0 0 1 6 ?"; d.End = "2026-05-01 00:00:00" }, "crontab"},
		"only at the start":  {func(d *schedule.Draft) { d.Crontab = "0 0 0 1 1 ? 2026" }, "crontab"},
		"misfire":            {func(d *schedule.Draft) { d.Misfire = "PANIC" }, "misfire"},
		"calendar":           {func(d *schedule.Draft) { d.CalendarID = 4711 }, "calendar"},
		"calendar policy":    {func(d *schedule.Draft) { d.CalendarPolicy = "MAYBE" }, "calendar_policy"},
		"done by":            {func(d *schedule.Draft) { d.DoneBy = "soon" }, "done_by"},
		"done by in a week":  {func(d *schedule.Draft) { d.DoneBy = "1w 08:00" }, "done_by"},
		"nobody is warned":   {func(d *schedule.Draft) { d.WarningType = flow.WarningAll }, "warning_group"},
		"group unknown":      {func(d *schedule.Draft) { d.WarningType, d.WarningGroupID = flow.WarningFailure, 9 }, "warning_group"},
		"warning type":       {func(d *schedule.Draft) { d.WarningType = "LOUD" }, "warning_type"},
		"strategy":           {func(d *schedule.Draft) { d.FailureStrategy = "HOPE" }, "failure_strategy"},
		"priority":           {func(d *schedule.Draft) { d.Priority = "NOW" }, "priority"},
		"tenant":             {func(d *schedule.Draft) { d.TenantCode = "nobody" }, "tenant"},
		"worker group":       {func(d *schedule.Draft) { d.WorkerGroup = "tpu" }, "worker_group"},
		"environment":        {func(d *schedule.Draft) { d.EnvironmentCode = 4711 }, "environment"},
		"name":               {func(d *schedule.Draft) { d.Name = strings.Repeat("x", 101) }, "name"},
		"nameless parameter": {func(d *schedule.Draft) { d.StartParams = []flow.Property{{}} }, "start_params"},
		"double parameter":   {func(d *schedule.Draft) { d.StartParams = []flow.Property{{Prop: "a"}, {Prop: "a"}} }, "start_params"},
	} {
		x := draft("0 0 1 * * ?")
		c.change(&x)
		_, err := w.Create(w.gwen, w.project, w.flow.Workflow.Code, x)
		require.Error(t, err, name)
		require.Contains(t, fields(err), c.field, name)
		require.Zero(t, w.count(t, `SELECT count(*) FROM schedule`), name)
	}
	x := draft("0 0 25 * * ?")
	_, err := w.Create(i18n.WithLocale(w.gwen, i18n.Chinese), w.project, w.flow.Workflow.Code, x)
	require.Contains(t, err.Error(), "25 不在 0 到 23 之间", "the reason is in the reader's language")
	w.schedule(t, draft("* * * * * ? 2027")) // each second of a year is strange and allowed
}

func TestAWorkflowHasSeveralSchedulesButNotAnyNumber(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	for range schedule.MaxPerWorkflow {
		w.schedule(t, draft("0 0 1 * * ?"))
	}
	_, err := w.Create(w.gwen, w.project, w.flow.Workflow.Code, draft("0 0 1 * * ?"))
	require.ErrorIs(t, err, schedule.ErrTooMany)
	list, err := w.OfWorkflow(w.gwen, w.project, w.flow.Workflow.Code)
	require.NoError(t, err)
	require.Len(t, list, schedule.MaxPerWorkflow)
}

func TestOnlyWhatIsOfflineChangesOrGoes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		s := w.on(t, draft("0 0 1 * * ?"))
		_, err := w.Update(w.gwen, w.project, s.ID, draft("0 0 2 * * ?"), schedule.AnyRevision)
		require.ErrorIs(t, err, schedule.ErrOnline)
		require.ErrorIs(t, w.Delete(w.gwen, w.project, s.ID), schedule.ErrDeleteOnline)
		same, err := w.Online(w.gwen, w.project, s.ID)
		require.NoError(t, err)
		require.Equal(t, s.Revision, same.Revision, "it was there already")

		s, err = w.Offline(w.gwen, w.project, s.ID)
		require.NoError(t, err)
		_, err = w.Update(w.gwen, w.project, s.ID, draft("0 0 2 * * ?"), s.Revision-1)
		require.ErrorIs(t, err, schedule.ErrChanged)
		_, err = w.Update(w.gwen, w.project, s.ID, draft("0 0 2 * * ?"), s.Revision)
		require.NoError(t, err)
		require.NoError(t, w.Delete(w.gwen, w.project, s.ID))
		_, err = w.Get(w.gwen, w.project, s.ID)
		require.ErrorIs(t, err, schedule.ErrNotFound)
	})
}

func TestSchedulesGoOfflineWithTheirWorkflowAndComeBackWithIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		on, off := w.on(t, draft("0 0 * * * ?")), w.schedule(t, draft("0 0 * * * ?"))
		release := func(state flow.ReleaseState) {
			_, err := w.workflows.Release(w.gwen, w.flow.Workflow.Code, state)
			require.NoError(t, err)
		}
		states := func() (out []flow.ReleaseState) {
			list, err := w.OfWorkflow(w.gwen, w.project, w.flow.Workflow.Code)
			require.NoError(t, err)
			for _, s := range list {
				out = append(out, s.ReleaseState)
			}
			return out
		}
		release(flow.Offline)
		require.Equal(t, []flow.ReleaseState{flow.Offline, flow.Offline}, states())
		_, err := w.Online(w.gwen, w.project, on.ID)
		require.ErrorIs(t, err, schedule.ErrWorkflowOffline)
		_, err = w.Create(w.gwen, w.project, w.flow.Workflow.Code, draft("0 0 1 * * ?"))
		require.ErrorIs(t, err, schedule.ErrWorkflowOffline)
		w.wall.pass(3 * time.Hour)
		release(flow.Online)
		require.Equal(t, []flow.ReleaseState{flow.Online, flow.Offline}, states())
		w.run(t, w.clock(), noon().Add(4*time.Hour))
		require.Equal(t, []string{"01-02 16:00:00"}, w.times(t, on.ID), "what fell into the time offline is not caught up")

		release(flow.Offline)
		_, err = w.Offline(w.gwen, w.project, on.ID) // the wish is taken back
		require.NoError(t, err)
		release(flow.Online)
		require.Equal(t, []flow.ReleaseState{flow.Offline, flow.Offline}, states())

		release(flow.Offline)
		require.NoError(t, w.workflows.Delete(w.gwen, w.flow.Workflow.Code))
		require.Zero(t, w.count(t, `SELECT count(*) FROM schedule`))
		require.Zero(t, w.count(t, `SELECT count(*) FROM schedule_fire`))
		_, err = w.Get(w.gwen, w.project, off.ID)
		require.ErrorIs(t, err, schedule.ErrNotFound)
	})
}

func TestANewVersionRunsFromTheNextFireOn(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	s := w.on(t, draft("0 0 * * * ?"))
	c := w.clock()
	w.run(t, c, noon().Add(time.Hour))
	def := *w.flow.Definition
	def.Description = "changed"
	_, err := w.workflows.Update(w.gwen, w.flow.Workflow.Code, workflow.Change{Definition: &def, BaseVersion: workflow.AnyVersion, Online: true})
	require.NoError(t, err)
	again, err := w.Get(w.gwen, w.project, s.ID)
	require.NoError(t, err)
	require.True(t, again.Online(), "saving over what is online keeps the schedules")
	w.run(t, c, noon().Add(2*time.Hour))
	versions, err := db.Select[int](t.Context(), w.DB, `SELECT workflow_version FROM workflow_instance ORDER BY id`)
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, versions)
}

func TestWhatASchedulesNamesKnowsOfIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		days := w.calendar(t, &weekdays{})
		x := draft("0 0 1 * * ?")
		x.Name, x.WorkerGroup, x.EnvironmentCode, x.WarningType, x.WarningGroupID, x.CalendarID = "nightly", "gpu", 77, flow.WarningAll, 1, days
		tn, err := w.tenants.Create(w.admin, tenant.Draft{Code: "etl", QueueID: 1})
		require.NoError(t, err)
		x.TenantCode = "etl"
		w.schedule(t, x)
		groups, err := w.WorkerGroupUses(t.Context(), "gpu", 5)
		require.NoError(t, err)
		require.Equal(t, "daily · nightly", groups[0].Name)
		require.Contains(t, groups[0].URL, "/schedules")
		envs, err := w.EnvironmentUses(t.Context(), 77, "", 5)
		require.NoError(t, err)
		require.Len(t, envs, 1)
		envs, err = w.EnvironmentUses(t.Context(), 77, "cpu", 5)
		require.NoError(t, err)
		require.Empty(t, envs)
		alerts, err := w.AlertGroupUses(t.Context(), 1, 5)
		require.NoError(t, err)
		require.Len(t, alerts, 1)
		calendars, err := w.CalendarUses(t.Context(), days, 5)
		require.NoError(t, err)
		require.Len(t, calendars, 1)
		used, err := w.UserInUse(t.Context(), w.General.UserID)
		require.NoError(t, err)
		require.True(t, used)
		require.ErrorIs(t, w.tenants.Delete(w.admin, tn.ID), tenant.ErrInUse)
	})
}

func TestListsAreNarrowedSortedAndCut(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		for _, name := range []string{"bq", "aq", "cq"} {
			w.wall.pass(time.Minute)
			x := draft("0 0 1 * * ?")
			x.Name = name
			w.schedule(t, x)
		}
		names := func(q listing.Query) (out []string) {
			page, err := w.List(w.gwen, w.project, q)
			require.NoError(t, err)
			for _, s := range page.Items {
				out = append(out, s.Name)
			}
			return out
		}
		require.Equal(t, []string{"cq", "aq"}, names(listing.New(schedule.Spec(), 1, 2, "")))
		require.Equal(t, []string{"bq"}, names(listing.New(schedule.Spec(), 2, 2, "")))
		require.Equal(t, []string{"aq"}, names(listing.New(schedule.Spec(), 1, 10, "AQ")))
		require.Empty(t, names(listing.New(schedule.Spec(), 1, 10, "").WithFilter("state", "ONLINE")))
		require.Len(t, names(listing.New(schedule.Spec(), 1, 10, "").WithFilter("zone", "UTC", "Asia/Shanghai")), 3)
	})
}

func TestACalendarOfFiresShowsAllOnlineSchedules(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	a, b := w.on(t, draft("0 0 */2 * * ?")), w.on(t, draft("0 30 * * * ?"))
	w.schedule(t, draft("0 0 * * * ?"))
	fires, more, err := w.Between(w.gwen, w.project, noon(), noon().Add(2*time.Hour), 10)
	require.NoError(t, err)
	require.False(t, more)
	got := []int64{}
	for _, f := range fires {
		got = append(got, f.Schedule.ID)
	}
	require.Equal(t, []int64{b.ID, b.ID, a.ID}, got)
	fires, more, err = w.Between(w.gwen, w.project, noon(), noon().AddDate(1, 0, 0), 10)
	require.NoError(t, err)
	require.True(t, more)
	require.Len(t, fires, 10)
}

// TestOnlyThoseWhoMayGetAtSchedules goes through every method as somebody of another project, as a reader, and as nobody.
func TestOnlyThoseWhoMayGetAtSchedules(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		s := w.schedule(t, draft("0 0 1 * * ?"))
		eve := w.stranger(t, "eve")
		rita := w.stranger(t, "rita")
		require.NoError(t, w.Access.Grant(t.Context(), rita.UserID, access.Project(w.project), access.Read))
		otto := w.stranger(t, "otto")
		require.NoError(t, w.Access.Grant(t.Context(), otto.UserID, access.Project(w.project), access.Operate))
		alma := w.stranger(t, "alma")
		require.NoError(t, w.Access.Grant(t.Context(), alma.UserID, access.Project(w.project), access.All))
		code := w.flow.Workflow.Code
		type deed struct {
			read bool
			do   func(as access.Principal) error
		}
		deeds := map[string]deed{
			"get": {true, func(p access.Principal) error { _, err := w.Get(as(t, p), w.project, s.ID); return err }},
			"list": {true, func(p access.Principal) error {
				_, err := w.List(as(t, p), w.project, listing.New(schedule.Spec(), 1, 10, ""))
				return err
			}},
			"all": {true, func(p access.Principal) error { _, err := w.All(as(t, p), w.project); return err }},
			"of":  {true, func(p access.Principal) error { _, err := w.OfWorkflow(as(t, p), w.project, code); return err }},
			"preview": {true, func(p access.Principal) error {
				_, err := w.Preview(as(t, p), w.project, draft("0 0 1 * * ?"), 1)
				return err
			}},
			"between": {true, func(p access.Principal) error {
				_, _, err := w.Between(as(t, p), w.project, noon(), noon(), 1)
				return err
			}},
			"create": {false, func(p access.Principal) error {
				_, err := w.Create(as(t, p), w.project, code, draft("0 0 1 * * ?"))
				return err
			}},
			"update": {false, func(p access.Principal) error {
				_, err := w.Update(as(t, p), w.project, s.ID, draft("0 0 1 * * ?"), 0)
				return err
			}},
			"online":  {false, func(p access.Principal) error { _, err := w.Online(as(t, p), w.project, s.ID); return err }},
			"offline": {false, func(p access.Principal) error { _, err := w.Offline(as(t, p), w.project, s.ID); return err }},
			"delete":  {false, func(p access.Principal) error { return w.Delete(as(t, p), w.project, s.ID) }},
		}
		for name, x := range deeds {
			require.ErrorIs(t, x.do(eve), project.ErrNoAccess, name)
			require.ErrorIs(t, x.do(access.Principal{}), access.ErrUnauthenticated, name)
			for _, p := range []access.Principal{rita, otto} {
				if x.read {
					require.NoError(t, x.do(p), "%s as %s", name, p.Name)
				} else {
					require.ErrorIs(t, x.do(p), project.ErrNoGrant, "%s as %s", name, p.Name)
				}
			}
		}
		require.ErrorIs(t, w.Delete(as(t, alma), w.project, s.ID), schedule.ErrNotOwner, "what others made is theirs")
		_, err := w.Update(as(t, alma), w.project, s.ID, draft("0 0 3 * * ?"), 0)
		require.NoError(t, err)

		other, err := w.projects.Create(w.gwen, project.Draft{Name: "other"})
		require.NoError(t, err)
		_, err = w.Get(w.gwen, other.Code, s.ID)
		require.ErrorIs(t, err, schedule.ErrNotFound, "an id of another project tells nothing")
		_, err = w.Online(w.gwen, other.Code, s.ID)
		require.ErrorIs(t, err, schedule.ErrNotFound)
		require.ErrorIs(t, w.Delete(w.gwen, other.Code, s.ID), schedule.ErrNotFound)
		require.NoError(t, w.Delete(w.admin, w.project, s.ID))
	})
}
