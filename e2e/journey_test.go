//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
	"dorado/e2e/harness/browser"
)

// Sam has never seen Dorado. Sam starts it, opens the printed link, draws four tasks by mouse, runs them, watches them
// turn green and reads what each of them printed; without a manual, in each language and theme.
func TestAStrangerDrawsRunsAndReadsAWorkflow(t *testing.T) {
	t.Parallel()
	for _, look := range browser.Looks() {
		t.Run(look.String(), func(t *testing.T) {
			t.Parallel()
			p := launch(t, harness.Options{Mode: "standalone"})
			ready(t, p)
			link, err := p.SignInLink(within(t, 10*time.Second))
			require.NoError(t, err)
			tab := chromium(t).Tab(t, p.URL, look)
			shot := func(name string) { tab.Screenshot("journey-" + look.String() + "-" + name) }

			tab.Welcome(link, password)
			shot("1-home")

			tab.CreateProject("retail")
			shot("2-project")
			tab.NewWorkflow()
			editor := tab.Editor()
			editor.Add("SHELL", -330, 0, "A", "echo this is A; sleep 1")
			editor.Add("PYTHON", -60, -120, "B", "print('this is B, in Python')")
			editor.Add("SHELL", -60, 120, "C", "echo this is C 数据; sleep 1")
			editor.Add("SHELL", 210, 0, "D", "printf '\\033[32mthis is D\\033[0m\\n'")
			editor.Fit()
			for _, edge := range [][2]string{{"A", "B"}, {"A", "C"}, {"B", "D"}, {"C", "D"}} {
				editor.Connect(edge[0], edge[1])
			}
			require.Equal(t, 4, editor.Edges())
			shot("3-drawn")
			editor.Save("daily", true)
			shot("4-saved")

			editor.Run()
			shot("5-running")
			run := tab.Editor()
			for _, name := range []string{"A", "B", "C", "D"} {
				run.WaitState(name, "success")
			}
			tab.WaitRun("SUCCESS")
			shot("6-green")

			instance := tab.Path()
			for name, text := range map[string]string{
				"A": "this is A", "B": "this is B, in Python", "C": "this is C 数据", "D": "this is D",
			} {
				tab.Goto(instance)
				tab.Editor().OpenLog(name)
				tab.WaitText(browser.Test("log.body"), text)
				shot("7-log-" + name)
			}
			silent(t, tab)
		})
	}
}

// Dana edits what somebody else edits too, closes the tab in the middle, and comes back.
func TestADraftSurvivesAClosedTabAndAStaleSaveIsRefused(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	b := fill(t, s, "shared")
	require.NoError(t, s.Admin.Release(t.Context(), b.Project, b.Workflow, "OFFLINE"))
	path := "/projects/" + itoa(b.Project) + "/workflows/" + itoa(b.Workflow)

	first := chromium(t).Tab(t, s.URL, browser.Look{Language: "en"})
	first.SignIn("admin", password)
	first.Goto(path)
	first.Editor().Add("SHELL", 0, 150, "forgotten", "echo kept")
	first.Wait("the draft to be kept", `document.querySelector('dag-editor').draft.status === 'saved'`)
	first.Goto("/home")
	first.Goto(path)
	first.See(browser.Node("forgotten"))

	// Meanwhile another session saves the same workflow.
	dag, err := s.Admin.Workflow(t.Context(), b.Project, b.Workflow)
	require.NoError(t, err)
	_, err = s.Admin.UpdateWorkflow(t.Context(), b.Project, b.Workflow, harness.Workflow{Name: "shared", Tasks: []harness.Task{{Name: "secret", Script: "echo changed"}}},
		[]int64{dag.TaskDefinitionList[0].Code})
	require.NoError(t, err)
	first.Click(browser.Test("editor.save"))
	first.Click(browser.Test("save.confirm"))
	first.See(browser.Test("conflict.theirs"))
	first.See(browser.Test("conflict.mine"))
	first.Screenshot("stale-save")
	first.Click(browser.Test("conflict.cancel"))
	first.See(browser.Node("forgotten"))
}

// Names, logs and parameters that try to be markup or script stay text, on every page that shows them.
func TestHostileTextStaysText(t *testing.T) {
	t.Parallel()
	const evil = `"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>${7*7}{{7*7}}`
	s := standalone(t)
	ctx := within(t, time.Minute)
	p, err := s.Admin.CreateProject(ctx, "<script>window.hacked=1</script>", evil)
	require.NoError(t, err)
	queue, err := s.Admin.CreateQueue(ctx, `q"><img src=x onerror=window.hacked=1>`, "evil")
	require.NoError(t, err)
	d, err := s.Admin.Publish(ctx, p.Code, harness.Workflow{
		Name: `w"><img src=x onerror=window.hacked=1>`, Description: evil,
		Globals: []harness.Property{{Prop: "evil", Direct: "IN", Type: "VARCHAR", Value: evil}},
		Tasks: []harness.Task{{
			Name:   `t</script><script>window.hacked=1</script>`,
			Script: "cat <<'END'\n" + evil + "\n</pre><script>window.hacked=1</script>\n\x1b]8;;javascript:window.hacked=1\x07link\x1b]8;;\x07 javascript:window.hacked=1 https://example.com/\"onmouseover=window.hacked=1\nEND\n",
			Params: []harness.Property{{Prop: "local", Direct: "IN", Type: "VARCHAR", Value: evil}},
		}},
	})
	require.NoError(t, err)
	id, err := s.Admin.StartWorkflow(ctx, p.Code, d.Code, harness.StartOptions{})
	require.NoError(t, err)
	_, err = s.Admin.WaitInstance(ctx, p.Code, id, 10*time.Millisecond, "SUCCESS")
	require.NoError(t, err)
	tasks, err := s.Admin.Tasks(ctx, p.Code, id)
	require.NoError(t, err)

	tab := chromium(t).Tab(t, s.URL, browser.Look{Language: "en"})
	tab.SignIn("admin", password)
	b := belongings{Project: p.Code, Workflow: d.Code, Instance: id, Task: tasks[0].ID, Queue: queue.ID, User: 1, Tenant: 1}
	for _, page := range pages(b) {
		if page.who == "stranger" {
			continue
		}
		tab.Goto(page.path)
		tab.Wait("the page to settle", "document.readyState === 'complete'")
		time.Sleep(100 * time.Millisecond) // an image that fails to load tells so a little later
		require.False(t, browser.Eval[bool](tab, "'hacked' in window"), page.path)
		require.Zero(t, browser.Eval[int](tab, "document.querySelectorAll('img[src=x]').length"), page.path)
	}
	tab.Goto("/projects/" + itoa(p.Code) + "/task-instances/" + itoa(tasks[0].ID) + "/log")
	tab.WaitText(browser.Test("log.body"), `<img src=x onerror="window.hacked=1">`)
	require.False(t, browser.Eval[bool](tab, "'hacked' in window"))
	require.Zero(t, browser.Eval[int](tab, `document.querySelectorAll('a[href^="javascript"]').length`))
	require.True(t, browser.Eval[bool](tab, `[...document.querySelectorAll('[data-test="log.body"] a[href]')].every((a) => a.rel.includes('noopener'))`))
}

// silent fails when the page has complained. Hints for developers are not complaints.
func silent(t *testing.T, tab *browser.Tab, allowed ...string) {
	t.Helper()
	for _, line := range tab.Console() {
		if strings.HasPrefix(line, "debug:") || slices.ContainsFunc(allowed, func(a string) bool { return strings.Contains(line, a) }) {
			continue
		}
		t.Errorf("console: %s", line)
	}
}
