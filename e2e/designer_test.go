//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
	"dorado/e2e/harness/browser"
)

// Ana draws a workflow of twelve tasks that branches, starts another workflow and waits for one. She changes her mind
// twenty times, loses the tab, finds everything again, publishes, changes it, compares and goes back.
func TestAnAnalystDrawsLosesTheTabPublishesComparesAndRestores(t *testing.T) {
	t.Parallel()
	for _, look := range browser.Looks() {
		t.Run(look.String(), func(t *testing.T) {
			t.Parallel()
			s := standalone(t)
			ctx := within(t, 4*time.Minute)
			p := project(t, s.Admin, "retail")
			_, err := s.Admin.Publish(ctx, p, harness.Workflow{Name: "child", Tasks: []harness.Task{{Name: "only", Script: "true"}}})
			require.NoError(t, err)

			tab := chromium(t).Tab(t, s.URL, look)
			tab.SignIn("admin", password)
			tab.Goto(fmt.Sprintf("/projects/%d/workflows/new", p))
			editor := tab.Editor()
			shot := func(name string) { tab.Screenshot("designer-" + look.String() + "-" + name) }

			editor.Drop("DEPENDENT", -500, -260, "wait")
			editor.Click(browser.Test("field.dependence.0.add"))
			editor.Pick("field.dependence.0.0.workflow", "child")
			editor.Choose(browser.Test("field.dependence.0.0.cycle"), "hour")
			editor.Choose(browser.Test("field.dependence.0.0.date"), "last3Hours")
			shot("1-dependent")
			editor.ClosePanel()
			editor.Add("SHELL", -260, -260, "extract", "echo extract")
			editor.Add("PYTHON", -20, -260, "score", "print('score')")
			editor.Drop("CONDITIONS", -500, -130, "ok")
			editor.ClosePanel()
			editor.Add("SHELL", -260, -130, "bad", "echo bad")
			editor.Add("SHELL", -20, -130, "good", "echo good")
			editor.Drop("SWITCH", -500, 0, "which")
			editor.ClosePanel()
			editor.Add("SHELL", -260, 0, "north", "echo north")
			editor.Add("PYTHON", -20, 0, "south", "print('south')")
			editor.Add("SHELL", -500, 130, "rest", "echo rest")
			editor.Drop("SUB_WORKFLOW", -260, 130, "run child")
			editor.Pick("field.workflowDefinitionCode", "child")
			editor.ClosePanel()
			editor.Add("SHELL", -20, 130, "report", "echo report")
			for _, edge := range [][2]string{
				{"wait", "extract"},
				{"extract", "ok"},
				{"score", "ok"},
				{"ok", "good"},
				{"ok", "bad"},
				{"good", "which"},
				{"which", "north"},
				{"which", "south"},
				{"which", "rest"},
				{"rest", "run child"},
				{"run child", "report"},
			} {
				editor.Connect(edge[0], edge[1])
			}
			require.Equal(t, 11, editor.Edges())
			editor.Click(browser.Test("editor.layout"))
			editor.Find("which")
			editor.Wait("the labels of its branches", `document.querySelectorAll('.dag-edge[data-branch="case"] text, .dag-edge[data-branch="default"] text').length === 3`)
			editor.OpenTask("which")
			for i, condition := range []string{"${rows} > 1000", "${city} == 'Berlin'"} {
				editor.Fill(browser.Test(fmt.Sprintf("field.switchResult.%d.condition", i)), condition)
			}
			shot("2-switch")
			editor.ClosePanel()
			editor.WaitValid() // the branches follow from the edges
			shot("3-drawn")

			// Deleting the edge of a branch empties the branch; undo brings both back.
			drawn := editor.Document()
			for range 20 {
				editor.Click(browser.Test("editor.undo"))
			}
			require.NotEqual(t, drawn, editor.Document())
			for range 20 {
				editor.Click(browser.Test("editor.redo"))
			}
			require.JSONEq(t, drawn, editor.Document(), "twenty steps back and forth")
			tab.Wait("the draft to be kept", `document.querySelector('dag-editor').draft.status === 'saved'`)
			address := tab.Path()
			silent(t, tab)

			// The tab is gone; a new one, in a new browser, has it all.
			second := chromium(t).Tab(t, s.URL, look)
			second.SignIn("admin", password)
			second.Goto(address)
			editor = second.Editor()
			editor.Wait("the twelve tasks", `document.querySelector('dag-editor').model.tasks.size === 12`)
			require.JSONEq(t, drawn, editor.Document(), "nothing is lost")
			editor.Save("nightly", true)
			second.Screenshot("designer-" + look.String() + "-4-published")

			editor.Find("report")
			editor.OpenTask("report")
			editor.Script("echo another report")
			editor.ClosePanel()
			editor.Save("nightly", true)
			versions := second.Text("[data-test='editor.status']")
			require.Contains(t, versions, "2")
			editor.Click(browser.Test("editor.offline"))
			editor.See(browser.Test("editor.online"))
			editor.Click(browser.Test("editor.versions"))
			second.Click("[data-test='version.2'] [data-test='version.changes']")
			second.See(browser.Test("compare.counts"))
			second.See(browser.Test("change.report"))
			second.Screenshot("designer-" + look.String() + "-5-compared")
			second.Goto(fmt.Sprintf("/projects/%d/workflows", p))
			second.Click("main a", "nightly")
			editor = second.Editor()
			editor.Click(browser.Test("editor.versions"))
			second.Click("[data-test='version.1'] [data-test='version.restore']")
			second.See("[data-test='version.3']")
			second.Goto(fmt.Sprintf("/projects/%d/workflows", p))
			second.Click("main a", "nightly")
			editor = second.Editor()
			editor.Find("report")
			editor.OpenTask("report")
			require.Equal(t, "echo report", browser.Eval[string](second, `document.querySelector('[data-test="field.rawScript"]').value`), "version 1 is back, as version 3")
			silent(t, second)
		})
	}
}

// A workflow of 5,000 tasks is searched, panned, laid out, edited and saved by hand. The bars are those of a quiet
// machine times a few; what is measured is printed.
func TestFiveThousandTasksAreEditedByHand(t *testing.T) {
	t.Parallel()
	const n = 5000
	s := standalone(t)
	ctx := within(t, 4*time.Minute)
	p := project(t, s.Admin, "large")
	w := harness.Workflow{Name: "five thousand"}
	for i := range n {
		task := harness.Task{Name: fmt.Sprintf("task %d", i), Script: "true"}
		if i >= 50 {
			task.After = []string{fmt.Sprintf("task %d", i-50)}
		}
		if i >= 100 {
			task.After = append(task.After, fmt.Sprintf("task %d", i-99))
		}
		w.Tasks = append(w.Tasks, task)
	}
	d, err := s.Admin.CreateWorkflow(ctx, p, w)
	require.NoError(t, err)

	tab := chromium(t).Tab(t, s.URL, browser.Look{Language: "en"})
	tab.Patience(time.Minute)
	tab.SignIn("admin", password)
	timed := func(what string, bar time.Duration, do func()) {
		began := time.Now()
		do()
		took := time.Since(began)
		t.Logf("%s: %s (bar %s)", what, took.Round(time.Millisecond), bar)
		require.Less(t, took, 5*bar, what)
	}
	timed("open", 3*time.Second, func() {
		tab.Goto(fmt.Sprintf("/projects/%d/workflows/%d", p, d.Code))
		tab.Wait("the whole graph", `document.querySelector('dag-editor')?.model?.tasks.size === $1`, n)
	})
	editor := tab.Editor()
	timed("search", 2*time.Second, func() {
		editor.Find("task 4321")
	})
	timed("pan", 3*time.Second, func() {
		for range 30 {
			browser.Eval[bool](tab, `(async () => {
				document.querySelector('[data-test="editor.canvas"]').dispatchEvent(new WheelEvent('wheel', {deltaX: 60, deltaY: 20, bubbles: true, cancelable: true, clientX: 700, clientY: 450}));
				await new Promise((r) => requestAnimationFrame(r));
				return true;
			})()`)
		}
	})
	timed("layout", 3*time.Second, func() {
		before := browser.Eval[int](tab, `document.querySelector('dag-editor').model.undoStack.length`)
		editor.Click(browser.Test("editor.layout"))
		editor.Wait("the layout", `document.querySelector('dag-editor').model.undoStack.length > $1`, before)
	})
	timed("edit", 5*time.Second, func() {
		editor.Find("task 4321")
		editor.OpenTask("task 4321")
		editor.Fill(browser.Test("field.name"), "renamed")
		editor.See(browser.Node("renamed"))
		editor.ClosePanel()
	})
	timed("save", 5*time.Second, func() { editor.Save("five thousand", false) })
	tab.Screenshot("five-thousand-edited")
	dag, err := s.Admin.Workflow(ctx, p, d.Code)
	require.NoError(t, err)
	require.Equal(t, 2, dag.WorkflowDefinition.Version)
	require.Len(t, dag.TaskDefinitionList, n)
	silent(t, tab)
}
