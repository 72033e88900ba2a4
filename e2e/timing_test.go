//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
	"dorado/e2e/harness/browser"
)

// Ines sits in Shanghai and lets a workflow run by the clock of London. She types the expression, reads what it means and
// when it runs for her, across the night in which London's clocks change; puts the schedule online; and when she takes the
// workflow offline and online again, the schedule is back.
func TestAnAnalystTimesAWorkflow(t *testing.T) {
	t.Parallel()
	words := map[string][3]string{
		"en": {"At 01:30, every day", "Clocks go forward", "hour: 25 is outside 0 to 23"},
		"zh": {"每天 01:30", "时钟拨快", "时：25 不在 0 到 23 之间"},
	}
	for _, look := range browser.Looks() {
		t.Run(look.String(), func(t *testing.T) {
			t.Parallel()
			s := standalone(t)
			p := project(t, s.Admin, "sales")
			d, err := s.Admin.Publish(within(t, time.Minute), p, harness.Workflow{Name: "daily", Tasks: []harness.Task{{Name: "a", Script: "echo hi"}}})
			require.NoError(t, err)
			look.Zone = "Asia/Shanghai"
			tab := chromium(t).Tab(t, s.URL, look)
			shot := func(name string) { tab.Screenshot("timing-" + look.String() + "-" + name) }
			says := words[look.Language]
			list := "/projects/" + itoa(p) + "/workflows"
			schedules := list + "/" + itoa(d.Code) + "/schedules"
			row := browser.Test("workflow.daily") + " "

			tab.SignIn("admin", password)
			tab.Goto(list)
			tab.Click(row + "[aria-haspopup=true]")
			tab.Click(browser.Test("row.schedules"))
			tab.See(browser.Test("timing.crontab"))
			shot("1-dialog")

			tab.Set(browser.Test("timing.zone"), "Europe/London")
			tab.Set(browser.Test("timing.start"), "2027-03-25T00:00")
			tab.Fill(browser.Test("timing.crontab"), "0 30 25 * * ? *")
			tab.WaitText(browser.Test("cron.marked")+" mark", "25")
			tab.WaitText("[data-cron-error]", says[2])
			shot("2-wrong")

			tab.Fill(browser.Test("timing.crontab"), "0 30 1 * * ? *")
			tab.WaitText(browser.Test("cron.words"), says[0])
			there, here := tab.Texts(browser.Test("cron.at")), tab.Texts(browser.Test("cron.viewer"))
			require.Len(t, there, 10)
			require.Len(t, here, 10)
			for n, want := range map[int][2]string{
				2: {"01:30:00 +00:00", "09:30:00 +08:00"}, 3: {"02:00:00 +01:00", "09:00:00 +08:00"}, 4: {"01:30:00 +01:00", "08:30:00 +08:00"},
			} {
				require.True(t, strings.HasSuffix(there[n], want[0]), there)
				require.True(t, strings.HasSuffix(here[n], want[1]), here)
			}
			require.Contains(t, there[3], "2027-03-28")
			tab.WaitText(browser.Test("cron.note"), says[1])
			shot("3-words")

			// The builder follows the text and the text the builder, by keyboard.
			tab.Click(browser.Test("timing.builder"))
			tab.See(browser.Test("cron.tab.second"))
			for range 3 {
				tab.Press(kb.ArrowRight)
			}
			tab.Wait("the tab of days", `document.activeElement.dataset.tab === 'day'`)
			require.True(t, browser.Eval[bool](tab, `document.querySelector('[data-panel=day] [data-mode=every]').checked`))
			tab.Click(browser.Test("cron.day.lastwork"))
			tab.Wait("the last working day in the text", `document.querySelector('[name=crontab]').value === '0 30 1 LW * ? *'`)
			require.Empty(t, tab.Axe(axe))
			shot("4-builder")
			tab.Fill(browser.Test("timing.crontab"), "30 1 * * *")
			tab.Wait("five fields in the builder", `document.querySelector('[data-field-text=minute]').textContent === '30'`)
			tab.WaitText(browser.Test("cron.words"), says[0])
			tab.Click(browser.Test("timing.crontab"))
			tab.Press("\r")
			tab.WaitPath(schedules)
			tab.See(browser.Test("row.online"))
			shot("5-offline")

			tab.Click(browser.Test("row.online"))
			tab.WaitText(browser.Test("timing.confirm_online"), "2027-03-25 01:30 Europe/London = 2027-03-25 09:30 Asia/Shanghai")
			tab.Submit()
			tab.See(browser.Test("row.offline"))
			tab.WaitText(browser.Test("timings.table"), "2027-03-25 09:30:00")
			shot("6-online")

			tab.Goto(list)
			tab.See(row + browser.Test("row.timing") + ` [data-state="ONLINE"]`)
			tab.Click(row + browser.Test("row.offline"))
			tab.See(row + browser.Test("row.timing") + ` [data-state="OFFLINE"]`)
			tab.Goto(schedules)
			require.False(t, tab.Has(browser.Test("row.offline")), "the schedule went with its workflow")
			tab.Goto(list)
			tab.Click(row + browser.Test("row.online"))
			tab.See(row + browser.Test("row.timing") + ` [data-state="ONLINE"]`)
			tab.Goto(schedules)
			tab.See(browser.Test("row.offline"))
			tab.Goto("/projects/" + itoa(p) + "/calendar?view=week&date=2027-03-28")
			require.Equal(t, 4, browser.Eval[int](tab, `document.querySelectorAll('[data-test="calendar.drawing"] .ahead').length`), "Thursday to Sunday")
			require.Empty(t, tab.Axe(axe))
			shot("7-calendar")
			silent(t, tab)
		})
	}
}
