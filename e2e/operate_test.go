//go:build e2e

package e2e

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
	"dorado/e2e/harness/browser"
)

// Olga is called at night. The link in the alert leads her to a failed run; she reads the first line of the error, mends the
// parameter that caused it and runs again until it succeeds, in fewer than six clicks.
func TestAnOperatorMendsAFailedRun(t *testing.T) {
	t.Parallel()
	for _, look := range browser.Looks() {
		t.Run(look.String(), func(t *testing.T) {
			t.Parallel()
			s := standalone(t)
			ctx := within(t, time.Minute)
			p := project(t, s.Admin, "night")
			d, err := s.Admin.Publish(ctx, p, harness.Workflow{
				Name: "load", Globals: []harness.Property{{Prop: "table", Direct: "IN", Type: "VARCHAR", Value: "ordres"}},
				Tasks: []harness.Task{{Name: "check", Script: `if [ "${table}" != orders ]; then echo "ERROR: no such table: ${table}"; exit 3; fi; echo fine`}},
			})
			require.NoError(t, err)
			id, err := s.Admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
			require.NoError(t, err)
			_, err = s.Admin.WaitInstance(ctx, p, id, 20*time.Millisecond, "FAILURE")
			require.NoError(t, err)
			tab := chromium(t).Tab(t, s.URL, look)
			shot := func(name string) { tab.Screenshot("operate-" + look.String() + "-" + name) }
			clicks := 0
			click := func(selector string) {
				clicks++
				tab.Click(selector)
			}

			tab.SignIn("admin", password)
			tab.Goto("/projects/" + itoa(p) + "/instances/" + itoa(id))
			tab.WaitText(browser.Test("run.failed"), "ERROR: no such table: ordres")
			shot("1-failed")
			click(browser.Test("run.again"))
			tab.See(browser.Test("run.form"))
			tab.Fill(browser.Test("run.form")+" [name=param_value]", "orders")
			shot("2-mended")
			click(browser.Test("run.form") + " " + browser.Test("form.submit"))
			tab.Wait("the page of another run", `location.pathname.includes('/instances/') && !location.pathname.endsWith('/instances/`+itoa(id)+`')`)
			tab.WaitRun("SUCCESS")
			shot("3-success")
			require.Less(t, clicks, 6)

			// What was different is one more click away.
			click(browser.Test("run.compare"))
			tab.WaitText(browser.Test("compare.params"), "ordres")
			require.Empty(t, tab.Axe(axe))
			shot("4-compared")
			require.Less(t, clicks, 6)
			for name, path := range map[string]string{
				"trends": "/workflows/" + itoa(d.Code) + "/trends", "timeline": "/instances/" + itoa(id) + "?tab=timeline", "tasks": "/task-instances", "lineage": "/lineage",
			} {
				tab.Goto("/projects/" + itoa(p) + path)
				require.Empty(t, tab.Axe(axe), path)
				shot("5-" + name)
			}
			silent(t, tab)
		})
	}
}

// Olga finds three hundred failed runs in the morning. She selects all that match, sees what would be run again and what
// not and why, runs them again, and is told what became of each.
func TestAnOperatorRunsThreeHundredFailedOnesAgain(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	ctx := within(t, 4*time.Minute)
	p := project(t, s.Admin, "storm")
	d, err := s.Admin.Publish(ctx, p, harness.Workflow{
		Name: "many", Globals: []harness.Property{{Prop: "mode", Direct: "IN", Type: "VARCHAR", Value: "fail"}},
		Tasks: []harness.Task{{Name: "a", Script: `if [ "${mode}" = wait ]; then sleep 600; fi; exit 1`}},
	})
	require.NoError(t, err)
	var wg sync.WaitGroup
	ids := make([]int64, 288)
	errs := make([]error, len(ids))
	slots := make(chan struct{}, 4)
	for k := range ids {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ids[k], errs[k] = s.Admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
		})
	}
	wg.Wait()
	for k, id := range ids {
		require.NoError(t, errs[k])
		_, err := s.Admin.WaitInstance(ctx, p, id, 50*time.Millisecond, "FAILURE")
		require.NoError(t, err)
	}
	for range 12 {
		_, err := s.Admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{Params: `[{"prop":"mode","direct":"IN","type":"VARCHAR","value":"wait"}]`})
		require.NoError(t, err)
	}

	tab := chromium(t).Tab(t, s.URL, browser.Look{Language: "en"})
	tab.Patience(60 * time.Second)
	tab.SignIn("admin", password)
	tab.Goto("/projects/" + itoa(p) + "/instances?workflow=" + itoa(d.Code))
	tab.WaitText(browser.Test("bulk.all"), "Select all 300 matching")
	tab.Screenshot("bulk-1-list")
	tab.Click(browser.Test("bulk.all"))
	tab.WaitText(browser.Test("bulk.eligible"), "288 can be done")
	tab.WaitText(browser.Test("bulk.skipped"), "12 are skipped")
	tab.WaitText(browser.Test("bulk.reasons"), "has not ended")
	require.Empty(t, tab.Axe(axe))
	tab.Screenshot("bulk-2-preview")
	tab.Click(browser.Test("bulk.do"))
	tab.WaitText(browser.Test("bulk.done"), "288 of 288 done")
	tab.Screenshot("bulk-3-done")
	i, err := s.Admin.Instance(ctx, p, ids[0])
	require.NoError(t, err)
	require.Equal(t, 2, i.RunTimes)
	silent(t, tab)
}
