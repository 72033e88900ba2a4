//go:build e2e

package e2e

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
	"dorado/e2e/harness/browser"
)

// Ana runs thirty days of March again, three at a time, without those that were fine; watches them, and cancels the rest.
func TestAnAnalystBackfillsAMonthAndCancelsTheRest(t *testing.T) {
	t.Parallel()
	for _, look := range browser.Looks() {
		t.Run(look.String(), func(t *testing.T) {
			t.Parallel()
			s := standalone(t)
			ctx := within(t, 3*time.Minute)
			code := project(t, s.Admin, "etl")
			d, err := s.Admin.Publish(ctx, code, harness.Workflow{
				Name: "daily", Tasks: []harness.Task{{Name: "load", Script: "echo ${system.biz.date}; sleep 1"}},
			})
			require.NoError(t, err)
			var fine []int64 // the first four days
			require.NoError(t, s.Admin.Call(ctx, http.MethodPost, "/projects/"+itoa(code)+"/executors/start-workflow-instance", url.Values{
				"workflowDefinitionCode": {itoa(d.Code)}, "failureStrategy": {"END"}, "warningType": {"NONE"}, "execType": {"COMPLEMENT_DATA"},
				"scheduleTime": {`{"complementStartDate":"2026-03-01 00:00:00","complementEndDate":"2026-03-04 00:00:00"}`},
				"runMode":      {"RUN_MODE_PARALLEL"}, "expectedParallelismNumber": {"4"},
			}, &fine))
			require.Len(t, fine, 4)
			for _, id := range fine {
				_, err := s.Admin.WaitInstance(ctx, code, id, 20*time.Millisecond, "SUCCESS")
				require.NoError(t, err)
			}

			tab := chromium(t).Tab(t, s.URL, look)
			shot := func(name string) { tab.Screenshot("backfill-" + look.String() + "-" + name) }
			tab.SignIn("admin", password)
			tab.Goto("/projects/" + itoa(code) + "/workflows")
			tab.Click(browser.Test("row.run"))
			tab.See(browser.Test("run.form"))
			tab.Click(browser.Test("run.complement"))
			tab.Set(browser.Test("run.from"), "2026-03-01T00:00")
			tab.Set(browser.Test("run.to"), "2026-03-30T00:00")
			tab.Click("[name=c_mode][value=RUN_MODE_PARALLEL]")
			tab.Fill(browser.Test("run.width"), "3")
			tab.Click("[name=c_skip][value=SUCCEEDED]")
			shot("1-dialog")
			tab.Click(browser.Test("form.submit"))
			tab.WaitText(browser.Test("run.plan"), "26")
			require.Len(t, tab.Texts(browser.Test("run.plan.dates")+" tbody tr"), 11)
			require.Len(t, tab.Texts(browser.Test("run.plan.dates")+" .skipped"), 4, "the days that were fine")
			shot("2-plan")
			tab.Click(browser.Test("form.submit"))
			tab.WaitPath("/backfills/")
			shot("3-running")

			// The page follows by itself.
			tab.Wait("six dates to be done", `+document.querySelectorAll('[data-date-state="SUCCESS"]').length >= 6`)
			require.LessOrEqual(t, len(tab.Texts(`[data-date-state="RUNNING"]`)), 3)
			tab.Click(browser.Test("backfill.tab.WAITING"))
			tab.Wait("only those that wait", `!document.querySelector('[data-date-state="SUCCESS"]')`)
			tab.Click(browser.Test("backfill.cancel"))
			tab.See(browser.Test("backfill.cancel_form"))
			tab.Click(browser.Test("backfill.stop"))
			shot("4-cancel")
			tab.Click(browser.Test("backfill.cancel_form") + " " + browser.Test("form.submit"))
			tab.Wait("the end", `!!document.querySelector('[data-backfill-state="CANCELLED"]')`)
			shot("5-cancelled")
			require.False(t, tab.Has(browser.Test("backfill.tab.WAITING")))
			tab.Goto("/projects/" + itoa(code) + "/backfills")
			require.Len(t, tab.Texts(browser.Test("backfill.row")), 2)
			shot("6-list")
			silent(t, tab)
		})
	}
}
