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

// Noor types letters for a name in characters, and what she opened waits for her under Ctrl K. When she signs out, whoever signs
// in at the same browser sees nothing of it.
func TestWhatAnAnalystOpenedComesFirstForHerAlone(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	ctx := within(t, time.Minute)
	p := project(t, s.Admin, "零售")
	var flows []string
	for _, name := range []string{"每日订单", "客户标签"} {
		d, err := s.Admin.Publish(ctx, p, harness.Workflow{Name: name, Tasks: []harness.Task{{Name: "清洗", Script: "echo hi"}}})
		require.NoError(t, err)
		flows = append(flows, "/projects/"+itoa(p)+"/workflows/"+itoa(d.Code))
	}
	_, err := s.Admin.CreateUser(ctx, "owen", "owen-Passw0rd", -1)
	require.NoError(t, err)
	tab := chromium(t).Tab(t, s.URL, browser.Looks()[0])
	box := func() {
		tab.Goto("/about")
		tab.Press("k", kb.ModifierCtrl)
		tab.Wait("the box", "document.activeElement?.dataset.test === 'shell.search'")
	}
	tab.SignIn("admin", password)
	for k, letters := range []string{"mrdd", "kehubiaoq"} {
		box()
		tab.Type(letters)
		tab.Wait("the one that is spelled", "document.querySelectorAll('.jump-box [data-test=\"jump.hit\"]').length === 1")
		tab.Press(kb.Enter)
		tab.WaitPath(flows[k])
		tab.Editor()
	}
	box()
	tab.WaitText(browser.Test("jump.hit"), "客户标签")
	require.Len(t, tab.Texts(browser.Test("jump.hit")), 2)
	tab.Press(kb.ArrowDown)
	tab.Press(kb.ArrowDown)
	tab.Press(kb.Enter)
	tab.WaitPath(flows[0])
	tab.Editor()

	tab.Goto("/home")
	tab.Click(browser.Test("shell.account"))
	tab.Click(browser.Test("shell.logout"))
	tab.WaitPath("/login")
	tab.SignIn("owen", "owen-Passw0rd")
	box()
	tab.Wait("an answer", "document.querySelector('.jump-box').childElementCount > 0")
	require.Empty(t, tab.Texts(browser.Test("jump.hit")))
	silent(t, tab)
}
