package schedule_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/flow/text"
	"dorado/modules/project"
	"dorado/modules/schedule"
	"dorado/modules/workflow"
)

// called is a lookup of one environment and one alert group.
type called struct{}

func (called) Name(_ context.Context, kind text.Kind, code int64) (string, error) {
	return map[text.Kind]map[int64]string{text.Environment: {77: "production"}, text.AlertGroup: {1: "operators"}}[kind][code], nil
}

func (called) Code(_ context.Context, kind text.Kind, name string) (int64, error) {
	return map[text.Kind]map[string]int64{text.Environment: {"production": 77}, text.AlertGroup: {"operators": 1}}[kind][name], nil
}

const timed = `# Loads the warehouse.
name: nightly
tasks:
  a: {type: SHELL, script: echo a}

schedules:
  # when the sources are closed
  night:
    cron: 0 0 2 * * ?   # at two
    timeZone: Europe/Berlin
    state: ONLINE
    environment: production
    warning: FAILURE
    warningGroup: operators
    params: {mode: full}
  0 30 * * * ?: {cron: 0 30 * * * ?, timeZone: UTC, start: 2026-01-01}
`

func TestSchedulesTravelWithTheTextOfAWorkflow(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.SetLookup(called{})
		imported := func(src string, online bool) workflow.Saved {
			saved, err := w.workflows.ImportSource(w.gwen, w.project, 0, src, "", workflow.AnyVersion, online)
			require.NoError(t, err)
			return saved
		}
		source := func(code int64, style text.Style) string {
			src, err := w.workflows.Source(w.gwen, code, 0, style)
			require.NoError(t, err)
			return src
		}
		same := func(src string) bool {
			p, err := w.workflows.PreviewImport(w.gwen, w.project, 0, src)
			require.NoError(t, err)
			require.Empty(t, p.Problems)
			return p.Same
		}
		src := strings.Replace(timed, "{cron: 0 30 * * * ?,", `{cron: "0 30 * * * ?",`, 1)
		saved := imported(src, false)
		code := saved.Workflow.Code
		of := func() (map[string]schedule.Schedule, int) {
			list, err := w.OfWorkflow(w.gwen, w.project, code)
			require.NoError(t, err)
			out := map[string]schedule.Schedule{}
			for _, s := range list {
				out[s.Name] = s
			}
			return out, len(list)
		}
		list, n := of()
		require.Equal(t, 2, n)
		night := list["night"]
		require.Equal(t, flow.Offline, night.ReleaseState)
		require.True(t, night.WishOnline, "it waits for the workflow")
		require.Equal(t, int64(77), night.EnvironmentCode)
		require.Equal(t, int64(1), night.WarningGroupID)
		require.Equal(t, []flow.Property{{Prop: "mode", Direct: flow.In, Type: flow.Varchar, Value: "full"}}, night.Params())
		require.Equal(t, "0 30 * * * ?", list[""].Crontab, "a key that is the expression is no name")
		require.False(t, list[""].WishOnline)

		// What comes out is what went in.
		require.Equal(t, src, source(code, text.Style{Schedules: true}))
		require.True(t, same(src))
		require.NotContains(t, source(code, text.Style{}), "schedules:")
		require.False(t, imported(src, true).Changed)
		list, _ = of()
		require.True(t, func() bool { s := list["night"]; return s.Online() }(), "with the workflow")
		require.Equal(t, src, source(code, text.Style{Schedules: true}))

		// A change on the page is seen in the text, next to the comments.
		_, err := w.Offline(w.gwen, w.project, list["night"].ID)
		require.NoError(t, err)
		after := source(code, text.Style{Schedules: true})
		require.Equal(t, strings.Replace(src, "    state: ONLINE\n", "", 1), after)
		require.False(t, same(src))

		// A change in the text: one differs and is online, one is gone, one is new.
		id := list["night"].ID
		next := strings.Replace(src, "0 0 2 * * ?   # at two", "0 0 3 * * ?", 1)
		next = next[:strings.Index(next, "  0 30")] + "  noon: {cron: 0 0 12 * * ?, timeZone: UTC}\n"
		next = strings.Replace(next, "{cron: 0 0 12 * * ?,", `{cron: "0 0 12 * * ?",`, 1)
		require.True(t, imported(src, true).Changed)
		require.True(t, imported(next, true).Changed)
		list, n = of()
		require.Equal(t, 2, n)
		require.Equal(t, "0 0 3 * * ?", list["night"].Crontab)
		require.Equal(t, id, list["night"].ID)
		require.Equal(t, flow.Online, list["night"].ReleaseState)
		require.Equal(t, flow.Offline, list["noon"].ReleaseState)
		require.True(t, same(next))

		// A text that says nothing about schedules leaves them alone; one that says there are none takes them away.
		plain := next[:strings.Index(next, "\nschedules:")]
		require.True(t, same(plain))
		imported(strings.Replace(plain, "echo a", "echo b", 1), true)
		_, n = of()
		require.Equal(t, 2, n)
		require.Contains(t, source(code, text.Style{Schedules: true}), "\nschedules:\n  night:\n    cron: 0 0 3 * * ?\n")
		imported(plain+"schedules: {}\n", true)
		_, n = of()
		require.Zero(t, n)
	})
}

func TestMistakesInSchedulesOfATextAreNamedByTheirLine(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.SetLookup(called{})
		head := "name: nightly\ntasks: {a: {type: SHELL, script: x}}\nschedules:\n  s:\n    cron: 0 0 2 * * ?\n    timeZone: UTC\n"
		for more, want := range map[string]string{
			"    environment: nowhere\n": "7: There is no nowhere",
			"    start: soon\n":          "7: ",
			"    doneBy: never\n":        "7: ",
			"    tenant: nobody-here\n":  "7: ",
			"    warning: ALL\n":         "4: ",
			"    calendar: 99\n":         "7: ",
		} {
			p, err := w.workflows.PreviewImport(w.gwen, w.project, 0, head+more)
			require.NoError(t, err)
			require.True(t, p.Failed(), more)
			require.True(t, strings.HasPrefix(strings.Join([]string{string(rune('0' + p.Problems[0].Line)), p.Problems[0].Message}, ": "), want), "%s: %+v", more, p.Problems)
			_, err = w.workflows.ImportSource(w.gwen, w.project, 0, head+more, "", workflow.AnyVersion, false)
			require.ErrorIs(t, err, workflow.ErrSource)
		}
		p, err := w.workflows.PreviewImport(w.gwen, w.project, 0, strings.Replace(head, "0 0 2 * * ?", "every night", 1))
		require.NoError(t, err)
		require.Equal(t, 5, p.Problems[0].Line)
		_, problems, err := w.workflows.ReadSource(w.gwen, w.project, head, nil)
		require.NoError(t, err)
		require.Equal(t, "warning", problems[0].Severity, "the editor saves no schedules")
		require.Equal(t, 3, problems[0].Line)
	})
}

func TestSchedulesOfATextAskForTheirOwnPermissions(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	w.SetLookup(called{})
	src := "name: nightly\ntasks: {a: {type: SHELL, script: x}}\nschedules:\n  s: {cron: '0 0 2 * * ?', timeZone: UTC}\n"
	saved, err := w.workflows.ImportSource(w.gwen, w.project, 0, src, "", workflow.AnyVersion, false)
	require.NoError(t, err)
	w.Policy(t, access.Policy{Subject: access.UserSubject(w.General.UserID), Permission: schedule.Edit, Project: w.project, Effect: access.EffectDeny})
	_, err = w.workflows.PreviewImport(w.gwen, w.project, 0, src)
	require.ErrorIs(t, err, project.ErrNoGrant)
	_, err = w.workflows.ImportSource(w.gwen, w.project, 0, strings.Replace(src, "0 0 2", "0 0 3", 1), "", workflow.AnyVersion, false)
	require.ErrorIs(t, err, project.ErrNoGrant)
	w.Policy(t, access.Policy{Subject: access.UserSubject(w.General.UserID), Permission: schedule.Read, Project: w.project, Workflow: saved.Workflow.Code, Effect: access.EffectDeny})
	got, err := w.workflows.Source(w.gwen, saved.Workflow.Code, 0, text.Style{Schedules: true})
	require.NoError(t, err)
	require.NotContains(t, got, "schedules:", "who may not see them gets a text without")
}
