//go:build e2e

package e2e

import (
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
	"dorado/e2e/harness/browser"
)

// Olga opens a run of seven tasks while one of them runs. Every card is in view and nothing lies over one, on a wide and on a
// narrow screen; the arrows tell what happened on the way.
func TestTheGraphOfARunHidesNoCardAndColoursItsArrows(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	ctx := within(t, 2*time.Minute)
	p := project(t, s.Admin, "graph")
	fan := harness.Workflow{Name: "fan", Tasks: []harness.Task{{Name: "first", Script: "true"}}}
	for i := range 6 {
		fan.Tasks = append(fan.Tasks, harness.Task{Name: "load " + strconv.Itoa(i), Script: "true", After: []string{"first"}})
	}
	long := harness.Workflow{Name: "long", Tasks: []harness.Task{
		{Name: "good", Script: "true"},
		{Name: "bad", Script: "exit 3", After: []string{"good"}},
		{Name: "mail", Script: "true", After: []string{"bad"}},
		{Name: "slow", Script: "sleep 600", After: []string{"good"}},
		{Name: "score", Script: "true", After: []string{"slow"}},
		{Name: "report", Script: "true", After: []string{"score"}},
		{Name: "fine", Script: "true", After: []string{"good"}},
	}}
	runs := map[string]string{}
	for _, w := range []harness.Workflow{fan, long} {
		d, err := s.Admin.Publish(ctx, p, w)
		require.NoError(t, err)
		id, err := s.Admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
		require.NoError(t, err)
		runs[w.Name] = "/projects/" + itoa(p) + "/instances/" + itoa(id)
	}

	for _, look := range []browser.Look{
		{Language: "en"}, {Language: "zh", Dark: true}, {Language: "en", Dark: true, Width: 1000, Height: 800}, {Language: "zh", Width: 360, Height: 740},
	} {
		t.Run(look.String()+"-"+itoa(look.Width), func(t *testing.T) {
			t.Parallel()
			tab := chromium(t).Tab(t, s.URL, look)
			tab.SignIn("admin", password)
			narrow := look.Width == 360 // no room for the minimap, nor for the cards of a long graph
			for name, path := range runs {
				if narrow && name == "long" {
					continue
				}
				tab.Goto(path)
				editor := tab.Editor()
				editor.Wait("the seven cards", `document.querySelectorAll('[data-test="editor.node"]').length === 7`)
				seesEveryCard(t, editor)
				tab.Screenshot("graph-" + look.String() + "-" + itoa(look.Width) + "-" + name)
				if narrow {
					continue
				}
				for range 6 {
					editor.Click(browser.Test("editor.zoomIn"))
				}
				editor.See(browser.Test("editor.minimap"))
				editor.Fit()
				seesEveryCard(t, editor)
			}

			if narrow { // the answer to a press lies below the graph
				editor := tab.Editor()
				editor.Click(browser.Node("load 0"))
				editor.Wait("the head of the task's panel in view", `(() => {
					const r = document.querySelector('.run-panel-head')?.getBoundingClientRect();
					return !!r && r.top >= 0 && r.bottom <= innerHeight;
				})()`)
				silent(t, tab)
				return
			}
			tab.Goto(runs["long"])
			editor := tab.Editor()
			editor.WaitState("slow", "running")
			editor.WaitState("bad", "failed")
			editor.WaitState("fine", "success")
			green, red, blue, grey := arrow(t, editor, "good", "fine"), arrow(t, editor, "bad", "mail"), arrow(t, editor, "good", "slow"), arrow(t, editor, "score", "report")
			require.Len(t, map[string]bool{green: true, red: true, blue: true, grey: true}, 4, "each has a colour of its own: %s %s %s %s", green, red, blue, grey)

			editor.Hover(browser.Node("fine"))
			editor.Wait("the way to be lit", `!!document.querySelector('.dag-edge[data-on]')`)
			lit := arrow(t, editor, "good", "fine")
			require.NotEqual(t, green, lit)
			browser.Eval[bool](tab, `(document.querySelector('dag-editor').view.select([], [...document.querySelector('dag-editor').model.edges.keys()]), true)`)
			editor.Wait("the arrows to be selected", `document.querySelectorAll('.dag-edge[data-sel]').length === 6`)
			require.Equal(t, lit, arrow(t, editor, "score", "report"), "selected: the colour of what is chosen")
			silent(t, tab)
		})
	}
}

// Ana makes a workflow on a telephone, by the plus and by keys. The empty canvas says how to begin, every new task is in view,
// the canvas says what the next key does, and what was in the way of saving goes away with its cause.
func TestAWorkflowIsMadeOnANarrowScreen(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	p := project(t, s.Admin, "narrow")
	tab := chromium(t).Tab(t, s.URL, browser.Look{Language: "en", Width: 360, Height: 740})
	tab.SignIn("admin", password)
	tab.Goto("/projects/" + itoa(p) + "/workflows/new")
	editor := tab.Editor()
	require.Equal(t, "Press + above to add the first task", tab.Text(browser.Test("editor.blank")))
	for i := range 7 {
		editor.Click(browser.Test("editor.add"))
		editor.See(browser.Test("editor.quickAdd.search"))
		editor.Type("shell")
		editor.Press(kb.Enter)
		editor.Wait("the task", `document.querySelector('dag-editor').model.tasks.size === $1`, i+1)
		editor.Wait("all of the new task in view", `(() => {
			const box = (e) => e.getBoundingClientRect();
			const card = document.querySelector('[data-test="editor.node"][data-sel]');
			if (!card) return false;
			const [r, stage, tools] = [card, document.querySelector('[data-test="editor.canvas"]'), document.querySelector('.dag-tools')].map(box);
			return r.left >= stage.left && r.right <= stage.right && r.top >= stage.top && r.bottom <= tools.top;
		})()`)
	}
	require.False(t, tab.Has(browser.Test("editor.blank")))

	editor.Click(browser.Test("editor.fit"))
	browser.Eval[bool](tab, `(document.querySelector('[data-test="editor.canvas"]').focus(), true)`)
	editor.Press(kb.Home)
	editor.Press("c")
	require.Equal(t, "Connect shell: go to the target and press Enter, or Esc to stop", tab.Text(browser.Test("editor.mode")))
	editor.Press(kb.End)
	editor.Press(kb.Enter)
	editor.Wait("the edge", `document.querySelector('dag-editor').model.edges.size === 1`)
	require.False(t, tab.Has(browser.Test("editor.mode")))
	editor.Press("c")
	editor.See(browser.Test("editor.mode"))
	editor.Press(kb.Escape)
	require.False(t, tab.Has(browser.Test("editor.mode")))

	editor.Click(browser.Test("editor.save"))
	editor.Fill(browser.Test("field.workflowName"), "by hand")
	editor.Click(browser.Test("save.confirm"))
	editor.Wait("what is wrong", `!document.querySelector('[data-test="editor.problems"]').hidden`)
	editor.ClosePanel()
	browser.Eval[bool](tab, `(() => {
		const { model } = document.querySelector('dag-editor');
		model.setTasks([...model.tasks.values()].map((x) => [x.code, {taskParams: {...x.taskParams, rawScript: 'true'}}]));
		return true;
	})()`)
	editor.WaitValid()
	editor.Save("by hand", true)
	require.False(t, tab.Has(browser.Test("editor.problems")))
	require.Equal(t, "by hand", tab.Text(".crumbs [aria-current=page]"))
	require.Contains(t, browser.Eval[string](tab, "document.title"), "by hand")
	tab.Screenshot("graph-made-on-a-narrow-screen")
	silent(t, tab, "422") // the refused save is reported by the browser itself
}

// seesEveryCard requires that the whole graph is in view, and that nothing that floats on the canvas lies over a card.
func seesEveryCard(t *testing.T, editor browser.Editor) {
	t.Helper()
	editor.Wait("no minimap", `document.querySelector('[data-test="editor.minimap"]').getBoundingClientRect().width === 0`)
	hidden := browser.Eval[[]string](editor.Tab, `(() => {
		const box = (e) => e.getBoundingClientRect();
		const stage = box(document.querySelector('[data-test="editor.canvas"]'));
		const floating = [...document.querySelectorAll('.dag-centre > :not(.dag-stage)')].map(box).filter((r) => r.width > 0);
		return [...document.querySelectorAll('[data-test="editor.node"]')].filter((e) => {
			const r = box(e);
			return r.left < stage.left || r.top < stage.top || r.right > stage.right || r.bottom > stage.bottom
				|| floating.some((f) => r.left < f.right && r.right > f.left && r.top < f.bottom && r.bottom > f.top);
		}).map((e) => e.dataset.name);
	})()`)
	require.Empty(t, hidden, "cards that are not wholly seen")
}

// arrow returns the colour of an edge. Its line and its head must have the same.
func arrow(t *testing.T, editor browser.Editor, from, to string) string {
	t.Helper()
	colours := browser.Eval[[]string](editor.Tab, `(() => {
		const code = (name) => Number(document.querySelector('[data-test="editor.node"][data-name="' + name + '"]').dataset.code);
		const edges = document.querySelector('dag-editor').model.edges;
		const id = [...edges].find(([, e]) => e.preTaskCode === code($1) && e.postTaskCode === code($2))[0];
		const edge = document.querySelector('.dag-edge[data-edge="' + id + '"]');
		return [getComputedStyle(edge.querySelector('.ln')).stroke, getComputedStyle(edge.querySelector('.head')).fill];
	})()`, from, to)
	require.Len(t, colours, 2)
	require.Equal(t, colours[0], colours[1], "%s → %s: line and head", from, to)
	return colours[0]
}
