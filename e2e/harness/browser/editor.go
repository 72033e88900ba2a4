package browser

import (
	"fmt"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// test returns the selector of a control by the name it carries for tests.
func test(name string) string { return fmt.Sprintf("[data-test=%q]", name) }

// node returns the selector of a task's card. Not its text: a card's name for screen readers names its neighbours too.
func node(name string) string { return fmt.Sprintf("[data-test='editor.node'][data-name=%q]", name) }

// Editor is the workflow canvas that a tab shows.
type Editor struct{ *Tab }

// Editor waits until the canvas is ready.
func (t *Tab) Editor() Editor {
	t.T.Helper()
	t.See(test("editor.canvas"))
	return Editor{t}
}

// Nodes returns how many tasks are drawn as cards.
func (e Editor) Nodes() int {
	e.T.Helper()
	return Eval[int](e.Tab, `document.querySelectorAll('[data-test="editor.node"]').length`)
}

// Add drags a task type from the palette to a point of the canvas, counted from the canvas's middle, and gives the new
// task its name and script. It leaves the panel closed.
func (e Editor) Add(kind string, dx, dy float64, name, script string) {
	e.T.Helper()
	e.Drop(kind, dx, dy, name)
	e.Script(script)
	e.ClosePanel()
}

// Drop is Add for a type without a script. It leaves the panel open.
func (e Editor) Drop(kind string, dx, dy float64, name string) {
	e.T.Helper()
	before := e.Nodes()
	fromX, fromY := e.See(test("editor.palette." + kind)).Middle()
	toX, toY := e.See(test("editor.canvas")).Middle()
	e.Drag(fromX, fromY, toX+dx, toY+dy)
	e.Wait("the dropped task", `document.querySelectorAll('[data-test="editor.node"]').length === $1`, before+1)
	if !e.Has(test("editor.panel")) {
		x, y := e.See(test("editor.node") + "[data-sel]").Middle()
		e.ClickAt(x, y)
		e.ClickAt(x, y, chromedp.ClickCount(2))
	}
	e.See(test("editor.panel"))
	e.Fill(test("field.name"), name)
	e.See(node(name))
}

// OpenTask opens the panel of a task.
func (e Editor) OpenTask(name string) {
	e.T.Helper()
	e.DoubleClick(node(name))
	e.See(test("editor.panel"))
	e.Wait("the panel of "+name, "document.querySelector($1).value === $2", test("field.name"), name)
}

// Pick opens a searchable field and chooses the first thing that is found for a text.
func (e Editor) Pick(field, text string) {
	e.T.Helper()
	e.Click(test(field))
	e.See(test(field + ".search"))
	e.Type(text)
	e.See(test(field+".item"), text)
	e.Press(kb.Enter)
	e.Wait("the list to close", "!document.querySelector($1)", test(field+".search"))
	e.Wait(text+" in the field", "document.querySelector($1).innerText.includes($2)", test(field), text)
}

// Find searches a task by its name and goes there.
func (e Editor) Find(name string) {
	e.T.Helper()
	e.Click(test("editor.search"))
	e.See(test("editor.find.search"))
	e.Type(name)
	e.See(test("editor.find.item"), name)
	e.Press(kb.Enter)
	e.See(node(name))
}

// Document returns what is being edited as canonical JSON, without what the server adds.
func (e Editor) Document() string {
	e.T.Helper()
	return Eval[string](e.Tab, `(() => {
		const d = document.querySelector('dag-editor').model.toDefinition();
		const sorted = (v) => Array.isArray(v) ? v.map(sorted) : v && typeof v === 'object' ? Object.fromEntries(Object.keys(v).sort().filter((k) => v[k] !== undefined && k !== 'version').map((k) => [k, sorted(v[k])])) : v;
		d.tasks.sort((a, b) => a.code - b.code);
		d.relations.sort((a, b) => a.preTaskCode - b.preTaskCode || a.postTaskCode - b.postTaskCode);
		d.locations.sort((a, b) => a.taskCode - b.taskCode);
		return JSON.stringify(sorted(d));
	})()`)
}

// WaitValid waits until no problem keeps the workflow from going online.
func (e Editor) WaitValid() {
	e.T.Helper()
	e.Wait("a workflow without errors", `document.querySelector('dag-editor').problemList.every((p) => p.severity !== 'error')`)
}

// Script replaces the text in the open panel's code editor.
func (e Editor) Script(text string) {
	e.T.Helper()
	e.Code("rawScript", text)
}

// Code replaces the text of a code field of the open panel.
func (e Editor) Code(field, text string) {
	e.T.Helper()
	area := test("field." + field + ".editor")
	e.Click(area)
	e.Press("a", kb.ModifierCtrl)
	e.Press(kb.Delete)
	e.do(insertText(text))
	e.Wait("the text in the field", `document.querySelector($1).value === $2`, test("field."+field), text)
}

// ClosePanel closes the panel of a task with the Escape key.
func (e Editor) ClosePanel() {
	e.T.Helper()
	if !e.Has(test("editor.panel")) {
		return
	}
	e.Click(test("field.name")) // the code editor has a use of its own for Escape
	e.Press(kb.Escape)
	e.Wait("the panel to close", `document.querySelector('[data-test="editor.panel"]').hidden`)
}

// Fit brings the whole graph into view.
func (e Editor) Fit() {
	e.T.Helper()
	e.Click(test("editor.fit"))
	e.Wait("the view to come to rest", `new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() => r(true))))`)
}

// Connect draws an edge by dragging from one task's output to the next task's input.
func (e Editor) Connect(from, to string) {
	e.T.Helper()
	before := e.Edges()
	fromX, fromY := e.port(from, "out")
	toX, toY := e.port(to, "in")
	e.Drag(fromX, fromY, toX, toY)
	e.Wait(from+" → "+to, `document.querySelectorAll('.dag-edge').length > $1`, before)
}

// Edges returns how many edges are drawn.
func (e Editor) Edges() int {
	e.T.Helper()
	return Eval[int](e.Tab, `document.querySelectorAll('.dag-edge').length`)
}

func (e Editor) port(name, side string) (x, y float64) {
	e.T.Helper()
	e.See(node(name))
	box := Eval[*Box](e.Tab, `(() => {
		const port = document.querySelector($1)?.querySelector($2);
		if (!port) return null;
		const r = port.getBoundingClientRect();
		return {X: r.x, Y: r.y, W: r.width, H: r.height};
	})()`, node(name), test("editor.port."+side))
	if box == nil {
		e.T.Fatalf("task %s has no port %s", name, side)
	}
	return box.Middle()
}

// Save saves under a name through the dialog, and puts the workflow online when asked. It waits until the server has
// answered; the editor stays open.
func (e Editor) Save(name string, online bool) {
	e.T.Helper()
	e.Click(test("editor.save"))
	e.See(test("editor.saveDialog"))
	e.Fill(test("field.workflowName"), name)
	if online {
		e.Click(test("field.online"))
	}
	e.Click(test("save.confirm"))
	e.See(test("editor.saved"))
}

// State returns the state that a task's card shows in a run, as data-state says it.
func (e Editor) State(name string) string {
	e.T.Helper()
	return Eval[string](e.Tab, "document.querySelector($1)?.dataset.state ?? ''", node(name))
}

// WaitState waits until a task's card shows a kind of state (success, running, failed, …).
func (e Editor) WaitState(name, kind string) {
	e.T.Helper()
	e.Wait(name+" to be "+kind, "document.querySelector($1)?.dataset.state === $2", node(name), kind)
}
