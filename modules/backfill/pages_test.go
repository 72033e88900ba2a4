package backfill_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/web/webtest"
	"dorado/modules/access"
	"dorado/modules/backfill"
	"dorado/modules/flow"
	"dorado/modules/security/crudtest"
)

func (w *world) browser(t testing.TB, p access.Principal) *webtest.Browser {
	t.Helper()
	return w.App.Browser(t, func(r chi.Router) {
		w.Routes(r)
		w.instances.Routes(r)
	}).As(crudtest.As(p))
}

func (w *world) at(rest string) string {
	return "/projects/" + strconv.FormatInt(w.project, 10) + rest
}

// member adds a user with a role in the project; without one for role "".
func (w *world) member(t testing.TB, name string, role access.Role) access.Principal {
	t.Helper()
	id, err := db.Get[int64](t.Context(), w.DB, `INSERT INTO users (name, password_hash, user_type, created_at, updated_at)
		VALUES (?, '', 'GENERAL_USER', ?, ?) RETURNING id`, name, time.Now(), time.Now())
	require.NoError(t, err)
	if role != "" {
		require.NoError(t, w.projects.SetMember(w.gwen, w.project, name, string(role)))
	}
	return access.Principal{UserID: id, Name: name}
}

// dialog are the fields of the run dialog for days of March 2026, three at once.
func dialog(key, plan string, more ...string) []string {
	return append([]string{
		"key", key, "plan", plan, "failure", "CONTINUE", "priority", "MEDIUM", "group", "default", "tenant", "default", "environment", "-1", "warning", "NONE",
		"complement", "true", "c_kind", "range", "c_from", "2026-03-01T00:00", "c_to", "2026-03-30T00:00", "c_mode", "RUN_MODE_PARALLEL", "c_width", "3",
		"c_order", "ASC_ORDER", "c_policy", "STOP_CHAIN", "c_depend", "OFF_MODE", "param_name", "dt", "param_type", "VARCHAR", "param_value", "$[yyyy-MM-dd]",
	}, more...)
}

func TestTheDialogShowsThePlanBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		b := w.browser(t, w.General)
		form := w.at("/workflows/" + strconv.FormatInt(w.flow.Workflow.Code, 10) + "/run")
		page := b.Get(form).Require(http.StatusOK)
		require.False(t, page.Has(`[data-test="run.plan"]`))
		key := page.Value("key")

		plan := b.Post(form, dialog(key, "", "c_skip", "SUCCEEDED")...).Require(http.StatusOK)
		require.Contains(t, plan.Text(`[data-test="run.plan"] h2`), "30 runs")
		require.Equal(t, 11, plan.Count(`[data-test="run.plan.dates"] tbody tr`), "five at each end and what lies between")
		require.Contains(t, plan.Text(`[data-test="run.plan.dates"]`), "2026-03-01 00:00:00 +00:00")
		require.Contains(t, plan.Text(".preview-params"), "2026-03-01", "parameters of the first date")
		require.Contains(t, plan.Text(".preview-params"), "20260228", "built-in ones too: the day before")
		require.Contains(t, plan.Text(`[data-test="form.submit"]`), "Start 30 runs")
		n, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM workflow_instance`)
		require.NoError(t, err)
		require.Zero(t, n)
		chosen := b.Post(form, dialog(key, "", "c_skip", "SUCCEEDED", "do", "preview", "at", strconv.FormatInt(day(30).UnixMilli(), 10))...).Require(http.StatusOK)
		require.Contains(t, chosen.Text(".preview-params"), "2026-03-30")

		// Meanwhile one of the dates has run: the plan is another one.
		id := w.start(t, w.request(1, 1)).Instances[0]
		w.end(t, id, flow.WorkflowSuccess)
		stale := b.Post(form, dialog(key, plan.Value("plan"), "c_skip", "SUCCEEDED")...).Require(http.StatusConflict)
		require.Contains(t, stale.Text(".note"), "plan has changed")
		require.Contains(t, stale.Text(`[data-test="run.plan"] h2`), "29 runs")
		at := b.Post(form, dialog(key, stale.Value("plan"), "c_skip", "SUCCEEDED", "preset_name", "march")...).Require(http.StatusSeeOther).Header.Get("Location")
		require.Regexp(t, `/backfills/\d+$`, at)

		show := b.Get(at).Require(http.StatusOK)
		require.Contains(t, show.Text(`[data-test="backfill.done"]`), "1 of 30 dates done")
		require.Equal(t, 3, show.Count(`[data-date-state="RUNNING"]`))
		require.Equal(t, 1, b.Get(at+"?state=SKIPPED").Count(`[data-test="backfill.date"]`))
		require.Contains(t, b.Get(w.at("/backfills")).Require(http.StatusOK).Text(`[data-test="backfills.table"]`), "daily")
		require.Contains(t, b.In("zh").Get(at).Text("h1"), "补数")

		// The preset is offered from now on, and forgotten when that is asked for.
		again := b.Get(form).Require(http.StatusOK)
		require.Contains(t, again.Text(`[data-test="run.presets"]`), "march")
		filled := b.Get(form + "?preset=1").Require(http.StatusOK)
		require.Contains(t, filled.Attr(`[name="param_value"]`, "value"), "$[yyyy-MM-dd]")
		b.Post(w.at("/workflows/" + strconv.FormatInt(w.flow.Workflow.Code, 10) + "/presets/1/delete")).Require(http.StatusSeeOther)
		require.False(t, b.Get(form).Has(`[data-test="run.presets"] button`))
	})
}

func TestWrongFieldsAreNamed(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b := w.browser(t, w.General)
	form := w.at("/workflows/" + strconv.FormatInt(w.flow.Workflow.Code, 10) + "/run")
	for name, c := range map[string]struct{ field, value, at string }{
		"from": {"c_from", "tomorrow", "f-c_from-error"}, "to": {"c_to", "2026-02-30T00:00", "f-c_to-error"}, "width": {"c_width", "0", "f-c_width-error"},
		"warning": {"warning", "ALL", "f-alert_group-error"},
	} {
		fields := dialog("k", "")
		for k := 0; k < len(fields); k += 2 {
			if fields[k] == c.field {
				fields[k+1] = c.value
			}
		}
		page := b.Post(form, fields...).Require(http.StatusUnprocessableEntity)
		require.True(t, page.Has("#"+c.at), name)
	}
	backwards := dialog("k", "")
	backwards[21], backwards[23] = backwards[23], backwards[21]
	require.Contains(t, b.Post(form, backwards...).Require(http.StatusUnprocessableEntity).Text(".note"), "ends before it begins")
}

func TestABackfillIsOperatedInThePage(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	out := w.start(t, w.request(10, 2))
	b := w.browser(t, w.General)
	state := func() backfill.State {
		one, err := w.Get(w.gwen, w.project, out.ID)
		require.NoError(t, err)
		return one.State
	}
	b.Post(out.URL + "/pause").Require(http.StatusSeeOther)
	require.Equal(t, backfill.Paused, state())
	b.Post(out.URL + "/pause").Require(http.StatusConflict)
	require.True(t, b.Get(out.URL).Has(`[data-test="backfill.resume"]`))
	b.Post(out.URL + "/resume").Require(http.StatusSeeOther)
	require.Contains(t, b.Get(out.URL+"/width").Require(http.StatusOK).Attr(`[name="width"]`, "value"), "2")
	b.Post(out.URL+"/width", "width", "0").Require(http.StatusUnprocessableEntity)
	b.Post(out.URL+"/width", "width", "5").Require(http.StatusSeeOther)
	require.Contains(t, b.Get(out.URL+"/cancel").Require(http.StatusOK).Text(`[data-test="backfill.cancel_form"]`), "8 dates")
	b.Post(out.URL+"/cancel", "stop", "true").Require(http.StatusSeeOther)
	for _, id := range out.Instances {
		w.end(t, id, flow.WorkflowStop)
	}
	w.run(t)
	w.over(t, out.ID, backfill.Cancelled)
	events := b.Get(out.URL + "/events").Require(http.StatusOK).Body
	require.Contains(t, events, `hx-target="#backfill-live"`)
	require.Contains(t, events, "event: end", "nothing will change any more")
	b.Post(out.URL + "/rerun").Require(http.StatusSeeOther)
	require.Equal(t, backfill.Running, state())
}

func TestTheWrongUserIsRefusedEverywhere(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	out := w.start(t, w.request(3, 1))
	reader, stranger := w.browser(t, w.member(t, "rita", access.Read)), w.browser(t, w.member(t, "sam", ""))
	code := strconv.FormatInt(w.flow.Workflow.Code, 10)
	for _, path := range []string{w.at("/backfills"), out.URL, out.URL + "/events"} {
		require.Equal(t, http.StatusForbidden, stranger.Get(path).Status, path)
	}
	for _, path := range []string{w.at("/backfills"), out.URL} {
		require.Equal(t, http.StatusOK, reader.Get(path).Status, path)
	}
	require.False(t, reader.Get(out.URL).Has(`[data-test="backfill.pause"]`))
	for _, path := range []string{out.URL + "/cancel", out.URL + "/width", w.at("/workflows/" + code + "/run")} {
		require.Equal(t, http.StatusForbidden, reader.Get(path).Status, path)
		require.Equal(t, http.StatusForbidden, stranger.Get(path).Status, path)
	}
	for _, path := range []string{
		out.URL + "/pause", out.URL + "/resume", out.URL + "/rerun", out.URL + "/cancel", out.URL + "/width", w.at("/workflows/" + code + "/run"),
		w.at("/workflows/" + code + "/presets/1/delete"),
	} {
		fields := append(dialog("k", "x"), "width", "2")
		require.Equal(t, http.StatusForbidden, reader.Post(path, fields...).Status, path)
		require.Equal(t, http.StatusForbidden, stranger.Post(path, fields...).Status, path)
	}
	require.Equal(t, http.StatusNotFound, w.browser(t, w.General).Get(w.at("/backfills/999")).Status)
}
