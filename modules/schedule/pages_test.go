package schedule_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/web/webtest"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/schedule"
	"dorado/modules/security/crudtest"
)

// browser opens the pages as p.
func (w *world) browser(t testing.TB, p access.Principal) *webtest.Browser {
	t.Helper()
	return w.App.Browser(t, func(r chi.Router) { w.Routes(r) }).As(crudtest.As(p))
}

func (w *world) at(rest string) string { return "/projects/" + strconv.FormatInt(w.project, 10) + rest }

// timing is the list of the schedules of the workflow.
func (w *world) timing() string {
	return w.at("/workflows/" + strconv.FormatInt(w.flow.Workflow.Code, 10) + "/schedules")
}

func one(s schedule.Schedule) string { return "/" + strconv.FormatInt(s.ID, 10) }

// previewed asks for the meaning of an expression as the cron field does.
func previewed(b *webtest.Browser, w *world, fields ...string) *webtest.Page {
	q := url.Values{"time_zone": {"Europe/London"}, "start_time": {"2026-01-01T00:00"}, "end_time": {"2100-01-01T00:00:00"}}
	for k := 0; k < len(fields); k += 2 {
		q.Set(fields[k], fields[k+1])
	}
	return b.Get(w.timing() + "/preview?" + q.Encode()).Require(http.StatusOK)
}

func TestTheCronFieldIsToldWhatAnExpressionMeans(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b := w.browser(t, w.General)

	p := previewed(b, w, "crontab", "0 30 1 * * ? *", "start_time", "2026-03-25T00:00")
	require.Equal(t, "At 01:30, every day", p.Text(`[data-test="cron.words"]`))
	require.Equal(t, "1 run a day", p.Text(`[data-test="cron.often"]`))
	require.Equal(t, []string{
		"2026-03-25 Wed 01:30:00 +00:00", "2026-03-26 Thu 01:30:00 +00:00", "2026-03-27 Fri 01:30:00 +00:00", "2026-03-28 Sat 01:30:00 +00:00",
		"2026-03-29 Sun 02:00:00 +01:00", "2026-03-30 Mon 01:30:00 +01:00", "2026-03-31 Tue 01:30:00 +01:00", "2026-04-01 Wed 01:30:00 +01:00",
		"2026-04-02 Thu 01:30:00 +01:00", "2026-04-03 Fri 01:30:00 +01:00",
	}, p.Texts(`[data-test="cron.at"]`))
	require.Equal(t, "2026-03-29 Sun 01:00:00 +00:00", p.Texts(`[data-test="cron.viewer"]`)[4], "the viewer's zone is UTC")
	require.Equal(t, []string{"Clocks go forward: moved behind the gap"}, p.Texts(`[data-test="cron.note"]`))
	require.Contains(t, p.Text(".note"), "2026-10-25 Sun 01:30:00 +01:00: Clocks go back", "what comes later than the ten is told, too")
	require.Contains(t, p.Text("tbody tr:first-child"), "20260324", "system.biz.date is the day before")
	require.Equal(t, "0 30 1 * * ? *", p.Attr("[data-quartz]", "data-quartz"))

	require.Equal(t, "每天 01:30", previewed(b.In("zh-CN"), w, "crontab", "0 30 1 * * ?").Text(`[data-test="cron.words"]`))
	require.Equal(t, "0 */5 9-17 ? * 2-6 *", previewed(b, w, "crontab", "*/5 9-17 * * 1-5").Attr("[data-quartz]", "data-quartz"))

	wrong := previewed(b, w, "crontab", "0 30 25 * * ?")
	require.Contains(t, wrong.Text(".err"), "hour: 25 is outside 0 to 23")
	require.Equal(t, "25", wrong.Text(`[data-test="cron.marked"] mark`))
	require.Contains(t, previewed(b, w, "crontab", "0 0 0 30 2 ?").Text(".err"), "never fires")
	require.Contains(t, previewed(b, w, "crontab", `<script>alert(1)</script>`).Text(".err"), "fields")
	require.Contains(t, previewed(b, w, "crontab", "").Text(".err"), "empty")

	require.Contains(t, previewed(b, w, "crontab", "0/10 * * * * ?").Text(".note"), "6 times in a minute")
	require.Contains(t, previewed(b, w, "crontab", "0 0 13 * 5").Text(".note"), "either")
	require.Contains(t, previewed(b, w, "crontab", "0 0 * * * ?", "time_zone", "Mars/Olympus").Text(".hint"), "Mars/Olympus")
	require.Contains(t, previewed(b, w, "crontab", "0 0 * * * ?", "start_time", "soon").Text(".hint"), "soon")
	require.Equal(t, 2, previewed(b, w, "crontab", "0 0 * * * ?", "end_time", "2026-01-02T14:30").Count("tbody tr"), "the range ends")
	require.Contains(t, previewed(b, w, "crontab", "0 0 1 1 1 ? 2020").Text(".hint"), "never")

	id := w.calendar(t, &weekdays{})
	moved := previewed(b, w, "crontab", "0 0 8 ? * SAT", "calendar", strconv.FormatInt(id, 10), "calendar_policy", "NEXT_WORKDAY")
	require.Contains(t, moved.Texts(`[data-test="cron.at"]`)[0], "Mon")
	require.Contains(t, moved.Texts(`[data-test="cron.note"]`)[0], "Moved from 2026-01-03")
}

func TestRunsThatTakeLongerThanTheirIntervalAreToldBefore(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b := w.browser(t, w.General)
	w.on(t, draft("0 0 * * * ?"))
	w.run(t, w.clock(), noon().Add(4*time.Hour))
	_, err := w.DB.Exec(t.Context(), `UPDATE workflow_instance SET state = 'SUCCESS', restart_time = start_time, end_time = ?`, noon().Add(5*time.Hour+30*time.Minute))
	require.NoError(t, err)
	require.Contains(t, previewed(b, w, "crontab", "0 0 * * * ?").Text(".note"), "A run usually takes 3h 30m, and the shortest time between two runs is 1h. Runs will overlap.")
	require.False(t, previewed(b, w, "crontab", "0 0 */4 * * ?").Has(".note"), "four hours are enough")
}

func TestAScheduleIsMadePutOnlineAndTakenOfflineOnItsPages(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		b := w.browser(t, w.General)
		form := b.Get(w.timing() + "/new").Require(http.StatusOK)
		require.Equal(t, "0 0 * * * ? *", form.Value("crontab"))
		require.Equal(t, "2026-01-02T00:00:00", form.Value("start_time"))
		require.Equal(t, "2126-01-02T00:00:00", form.Value("end_time"))
		require.True(t, form.Has(`[data-test="cron.at"]`), "the page shows the runs without script, too")
		fields := []string{
			"crontab", "0 0 2 ? * MON-FRI", "time_zone", "Asia/Shanghai", "start_time", "2026-01-02T00:00", "end_time", "2027-01-02T00:00",
			"misfire", "FIRE_ONCE_NOW", "calendar", "", "calendar_policy", "SKIP", "done_by", "08:00", "failure", "END", "warning", "NONE",
			"warning_group", "", "priority", "HIGH", "group", "gpu", "tenant", "default", "environment", "77",
			"param_name", "dt", "param_type", "VARCHAR", "param_value", "$[yyyyMMdd-1]", "param_name", "", "param_value", "",
		}
		checked := b.Post(w.timing(), append(fields, "check", "1")...).Require(http.StatusOK)
		require.Equal(t, "At 02:00, from Monday to Friday", checked.Text(`[data-test="cron.words"]`))
		require.Equal(t, w.timing(), b.Post(w.timing(), fields...).Require(http.StatusSeeOther).Header.Get("Location"))
		list, err := w.OfWorkflow(w.gwen, w.project, w.flow.Workflow.Code)
		require.NoError(t, err)
		require.Len(t, list, 1, "looking saves nothing")
		s := list[0]
		require.Equal(t, schedule.Draft{
			Start: "2026-01-02 00:00:00", End: "2027-01-02 00:00:00", TimeZone: "Asia/Shanghai", Crontab: "0 0 2 ? * MON-FRI", Misfire: schedule.FireOnceNow,
			CalendarPolicy: schedule.Skip, DoneBy: "08:00", FailureStrategy: flow.FailureEnd, WarningType: flow.WarningNone, Priority: flow.High,
			WorkerGroup: "gpu", TenantCode: "default", EnvironmentCode: 77,
			StartParams: []flow.Property{{Prop: "dt", Direct: flow.In, Type: flow.Varchar, Value: "$[yyyyMMdd-1]"}},
		}, s.Draft())
		require.False(t, s.Online())

		page := b.Get(w.timing()).Require(http.StatusOK)
		require.Contains(t, page.Text(`[data-test="timings.table"]`), "At 02:00, from Monday to Friday")
		ask := b.Get(w.timing() + one(s) + "/online").Require(http.StatusOK)
		require.Equal(t, []string{
			"2026-01-05 02:00 Asia/Shanghai = 2026-01-04 18:00 UTC", "2026-01-06 02:00 Asia/Shanghai = 2026-01-05 18:00 UTC",
			"2026-01-07 02:00 Asia/Shanghai = 2026-01-06 18:00 UTC",
		}, ask.Texts(".details li"))
		b.Post(w.timing()+one(s)+"/release", "state", "ONLINE").Require(http.StatusSeeOther)
		page = b.Get(w.at("/schedules")).Require(http.StatusOK)
		require.Contains(t, page.Text(`[data-test="timings.table"]`), "2026-01-04 18:00:00", "the next run, for the viewer")
		require.Contains(t, page.Body, "Take it offline to change it", "why editing is not possible now")
		require.False(t, page.Has(`[data-test="row.edit"], [data-test="row.delete"]`))
		fixed := b.Get(w.timing() + one(s) + "/edit").Require(http.StatusOK)
		require.True(t, fixed.Has("fieldset[disabled]"))
		b.Post(w.timing()+one(s), append(fields, "revision", "2")...).Require(http.StatusConflict)
		b.Post(w.timing() + one(s) + "/delete").Require(http.StatusConflict)

		_, err = w.workflows.Release(w.gwen, w.flow.Workflow.Code, flow.Offline)
		require.NoError(t, err)
		page = b.Get(w.timing()).Require(http.StatusOK)
		require.Contains(t, page.Text(`[data-test="timings.table"]`), "returns with its workflow")
		require.Contains(t, page.Text(`[aria-disabled="true"]`), "Put it online first", "no new one for a workflow that is offline")
		_, err = w.workflows.Release(w.gwen, w.flow.Workflow.Code, flow.Online)
		require.NoError(t, err)
		require.True(t, b.Get(w.timing()).Has(`[data-test="row.offline"]`), "it came back")

		b.Post(w.timing()+one(s)+"/release", "state", "OFFLINE").Require(http.StatusSeeOther)
		now, err := w.Get(w.gwen, w.project, s.ID)
		require.NoError(t, err)
		b.Post(w.timing()+one(s), append(fields, "name", "nightly", "revision", strconv.Itoa(now.Revision))...).Require(http.StatusSeeOther)
		b.Post(w.timing()+one(s), append(fields, "name", "again", "revision", strconv.Itoa(now.Revision))...).Require(http.StatusConflict)
		require.Contains(t, b.Get(w.timing()+one(s)+"/delete").Require(http.StatusOK).Text("h1"), "nightly")
		b.Post(w.timing() + one(s) + "/delete").Require(http.StatusSeeOther)
		require.True(t, b.Get(w.timing()).Has(".empty"))
	})
}

func TestABadFormComesBackWithWhatWasTyped(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b := w.browser(t, w.General)
	page := b.Post(w.timing(), "crontab", "0 0 0 30 2 ?", "time_zone", "Moon/Base", "start_time", "yesterday", "end_time", "", "done_by", "8", "failure",
		"MAYBE", "warning", "ALL", "priority", "URGENT", "tenant", "nobody", "calendar", "x", "param_name", "a", "param_name", "a").Require(http.StatusUnprocessableEntity)
	require.Equal(t, "0 0 0 30 2 ?", page.Value("crontab"))
	require.Equal(t, "30", page.Text(`[data-test="cron.marked"] mark`))
	require.Equal(t, "Moon/Base", page.Value("time_zone"))
	require.True(t, page.Has("#f-calendar-error"), "what is no number is told at once")
	page = b.Post(w.timing(), "crontab", "0 0 0 1 1 ? 2020", "time_zone", "UTC", "start_time", "2026-01-01T00:00", "end_time", "2027-01-01T00:00",
		"done_by", "8", "warning", "ALL", "tenant", "nobody", "failure", "CONTINUE").Require(http.StatusUnprocessableEntity)
	for _, field := range []string{"done_by", "warning_group", "tenant"} {
		require.True(t, page.Has("#f-"+field+"-error"), field)
	}
	page = b.Post(w.timing(), "crontab", "0 0 0 1 1 ? 2020", "time_zone", "UTC", "start_time", "2026-01-01T00:00", "end_time", "2027-01-01T00:00").Require(http.StatusUnprocessableEntity)
	require.Contains(t, page.Text("#cron-preview"), "never fires", "an expression that is over before the start")
	require.Equal(t, 0, w.count(t, `SELECT count(*) FROM schedule`))
}

func TestABatchDoesWhatItCanAndSaysWhatItCannot(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b := w.browser(t, w.General)
	up, down := w.on(t, draft("0 0 1 * * ?")), w.schedule(t, draft("0 0 2 * * ?"))
	ids := []string{"ids", strconv.FormatInt(up.ID, 10), "ids", strconv.FormatInt(down.ID, 10), "ids", "4711"}
	ask := b.Post(w.at("/schedules/batch"), append(ids, "do", "delete")...).Require(http.StatusOK)
	require.Contains(t, ask.Text(".details"), "Online: take it offline to delete it.")
	b.Post(w.at("/schedules/batch"), append(ids, "do", "delete", "confirm", "2")...).Require(http.StatusOK)
	require.Equal(t, 2, w.count(t, `SELECT count(*) FROM schedule`), "a wrong number deletes nothing")
	page := b.Post(w.at("/schedules/batch"), append(ids, "do", "online")...).Require(http.StatusOK)
	require.Contains(t, page.Text(`[data-test="batch.results"]`), "2 of 3 done")
	page = b.Post(w.at("/schedules/batch"), "do", "offline", "ids", strconv.FormatInt(down.ID, 10)).Require(http.StatusOK)
	require.Contains(t, page.Text(`[data-test="batch.results"]`), "1 of 1 done")
	page = b.Post(w.at("/schedules/batch"), append(ids, "do", "delete", "confirm", "3")...).Require(http.StatusOK)
	require.Contains(t, page.Text(`[data-test="batch.results"]`), "1 of 3 done")
	require.Equal(t, 1, w.count(t, `SELECT count(*) FROM schedule`))
	b.Post(w.at("/schedules/batch"), "do", "explode", "ids", "1").Require(http.StatusUnprocessableEntity)
	b.Post(w.at("/schedules/batch"), "do", "online").Require(http.StatusUnprocessableEntity)
}

func TestTheListIsNarrowedByWorkflowStateAndText(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b := w.browser(t, w.General)
	w.on(t, draft("0 0 1 * * ?"))
	other := w.online(t, "weekly")
	_, err := w.Create(w.gwen, w.project, other.Workflow.Code, draft("0 0 2 ? * MON"))
	require.NoError(t, err)
	rows := func(path string) int {
		return b.Get(path).Require(http.StatusOK).Count(`[data-test="timings.table"] tbody tr`)
	}
	require.Equal(t, 2, rows(w.at("/schedules")))
	require.Equal(t, 1, rows(w.timing()), "a workflow shows its own")
	require.Equal(t, 1, rows(w.at("/schedules?state=ONLINE")))
	require.Equal(t, 1, rows(w.at("/schedules?q=weekly")))
	require.Equal(t, 1, rows(w.at("/schedules?workflow="+strconv.FormatInt(other.Workflow.Code, 10))))
	require.Equal(t, 0, rows(w.at("/schedules?zone=Asia/Tokyo")))
	require.Equal(t, 2, rows(w.at("/schedules?sort=workflow&page=99&size=x")))
}

func TestTheCalendarDrawsWhatRanAndWhatWillRun(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b := w.browser(t, w.General)
	require.True(t, b.Get(w.at("/calendar")).Require(http.StatusOK).Has(".empty"))
	w.on(t, draft("0 0 */3 * * ?"))
	w.run(t, w.clock(), noon().Add(3*time.Hour+time.Minute))
	page := b.Get(w.at("/calendar")).Require(http.StatusOK)
	require.Equal(t, 1, page.Count(`[data-test="calendar.drawing"] [data-state]`), "15:00 ran")
	require.Equal(t, 2, page.Count(`[data-test="calendar.drawing"] .ahead`), "18:00 and 21:00 will")
	require.Contains(t, page.Text(`[data-test="calendar.title"]`), "2026-01-02")
	week := b.Get(w.at("/calendar?view=week&date=2026-01-07")).Require(http.StatusOK)
	require.Contains(t, week.Text(`[data-test="calendar.title"]`), "2026-01-05 – 2026-01-11")
	require.Equal(t, 56, week.Count(`[data-test="calendar.drawing"] .ahead`))
	b.Get(w.at("/calendar?view=year&date=0000-99-99")).Require(http.StatusOK)
}

func TestOnlyThoseWhoMaySeeAndUseThePages(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	s := w.schedule(t, draft("0 0 1 * * ?"))
	eve, rita := w.stranger(t, "eve"), w.stranger(t, "rita")
	require.NoError(t, w.Access.Grant(t.Context(), rita.UserID, access.Project(w.project), access.Read))
	for _, path := range []string{w.at("/schedules"), w.at("/calendar"), w.timing(), w.timing() + "/preview?crontab=x"} {
		require.Equal(t, http.StatusForbidden, w.browser(t, eve).Get(path).Status, path)
		require.Equal(t, http.StatusOK, w.browser(t, rita).Get(path).Status, path)
		require.Equal(t, http.StatusNotFound, w.browser(t, w.General).Get(strings.Replace(path, strconv.FormatInt(w.project, 10), "4711", 1)).Status, path)
	}
	for _, path := range []string{"/new", one(s) + "/edit", one(s) + "/online", one(s) + "/delete"} {
		require.Equal(t, http.StatusForbidden, w.browser(t, eve).Get(w.timing()+path).Status, path)
		require.Equal(t, http.StatusForbidden, w.browser(t, rita).Get(w.timing()+path).Status, path)
		require.Equal(t, http.StatusOK, w.browser(t, w.General).Get(w.timing()+path).Status, path)
	}
	for _, path := range []string{"", one(s), one(s) + "/release", one(s) + "/delete", "/batch"} {
		fields := []string{"crontab", "0 0 1 * * ?", "state", "ONLINE", "do", "online", "ids", strconv.FormatInt(s.ID, 10)}
		require.Equal(t, http.StatusForbidden, w.browser(t, eve).Post(w.timing()+path, fields...).Status, path)
		require.Equal(t, http.StatusForbidden, w.browser(t, rita).Post(w.timing()+path, fields...).Status, path)
	}
	require.Equal(t, http.StatusForbidden, w.browser(t, rita).Post(w.at("/schedules/batch"), "do", "delete", "ids", "1").Status)
	reader := w.browser(t, rita).Get(w.timing())
	require.False(t, reader.Has(`[data-test="timings.new"], [data-test="row.online"], [data-test="row.delete"], [data-select-row]`))
	now, err := w.Get(w.gwen, w.project, s.ID)
	require.NoError(t, err)
	require.Equal(t, s.Revision, now.Revision, "none of it had an effect")

	other := w.online(t, "other")
	wrong := w.at("/workflows/" + strconv.FormatInt(other.Workflow.Code, 10) + "/schedules" + one(s) + "/edit")
	require.Equal(t, http.StatusNotFound, w.browser(t, w.General).Get(wrong).Status, "a schedule has one address")
}
