//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
	"dorado/e2e/harness/browser"
)

// Noor knows a part of a name. From any page she presses Ctrl K, types it, walks the list with the arrow keys and is where she
// wants to be; "run" and the name bring her to the dialog that runs it. Without a script the same words lead to a page (B-7).
func TestAnAnalystGoesAnywhereByTyping(t *testing.T) {
	t.Parallel()
	words := map[string][2]string{"en": {"run daily", "Nothing is called"}, "zh": {"运行daily", "没有名为"}}
	for _, look := range browser.Looks() {
		t.Run(look.String(), func(t *testing.T) {
			t.Parallel()
			s := standalone(t)
			p := project(t, s.Admin, "retail")
			d, err := s.Admin.Publish(within(t, time.Minute), p, harness.Workflow{Name: "daily_mart", Tasks: []harness.Task{{Name: "net_sales", Script: "echo hi"}}})
			require.NoError(t, err)
			tab := chromium(t).Tab(t, s.URL, look)
			flow := "/projects/" + itoa(p) + "/workflows/" + itoa(d.Code)
			jump := func(text string) {
				tab.Press("k", kb.ModifierCtrl)
				tab.Wait("the box", "document.activeElement?.dataset.test === 'shell.search'")
				tab.Type(text)
			}

			tab.SignIn("admin", password)
			tab.Goto("/security/users")
			jump("mart")
			tab.WaitText(browser.Test("jump.hit"), "daily_mart")
			tab.Screenshot("search-" + look.String() + "-1-typed")
			tab.Press(kb.Enter)
			tab.WaitPath(flow)
			tab.Editor()

			jump("net_s")
			tab.WaitText(browser.Test("jump.hit"), "net_sales")
			tab.Press(kb.Enter)
			tab.WaitPath(flow + "?task=")

			tab.Goto("/home")
			jump(words[look.Language][0])
			tab.WaitText(browser.Test("jump.hit"), "daily_mart")
			tab.Press(kb.Enter)
			tab.WaitPath(flow + "/run")

			tab.Goto("/home")
			jump("no such thing")
			tab.WaitText(browser.Test("shell.found"), words[look.Language][1])
			tab.Press(kb.Enter)
			tab.WaitPath("/search?q=no+such+thing")
			tab.Screenshot("search-" + look.String() + "-2-page")
			silent(t, tab)
		})
	}
}
