package browser

// CreateProject makes a project from the project list and waits for its page or the list.
func (t *Tab) CreateProject(name string) {
	t.T.Helper()
	t.Goto("/projects")
	t.Click(`a[href$="/projects/new"]`)
	t.Fill(`[name="name"]`, name)
	t.Submit()
	t.Wait("the project "+name, finder+`!!seen('a, h1, td', $1) && !location.pathname.endsWith('/new')`, name)
}

// NewWorkflow goes from wherever the project is listed to an empty canvas.
func (t *Tab) NewWorkflow() {
	t.T.Helper()
	if !t.Has(`a[href$="/workflows/new"]`) {
		if !t.Has(`a[href$="/workflows"]`) {
			t.Click(`main a[href^="/projects/"]:not([href$="/new"]):not([href$="/edit"])`)
		}
		t.Click(`a[href$="/workflows"]`)
	}
	t.Click(`a[href$="/workflows/new"]`)
	t.WaitPath("/workflows/new")
}

// Run opens the run dialog of the editor, starts with what it proposes, and waits for the page of the run.
func (e Editor) Run() {
	e.T.Helper()
	e.Click(test("editor.run"))
	e.Click(test("run.submit"))
	e.WaitPath("/instances/")
}

// WaitRun waits until the page of a run shows the run in a kind of state.
func (t *Tab) WaitRun(kind string) {
	t.T.Helper()
	t.Wait("the run to be "+kind, `document.querySelector('[data-test="run.state"]')?.dataset.state === $1`, kind)
}

// OpenLog selects a task of a run and follows its link to the log.
func (e Editor) OpenLog(node string) {
	e.T.Helper()
	e.Click(test("editor.node"), node)
	e.Click(test("editor.panel") + ` a[href*="/log"]`)
	e.WaitPath("/log")
	e.See(test("log.body"))
}

// SearchLog searches the log on the server and waits for a hit.
func (t *Tab) SearchLog(text string) {
	t.T.Helper()
	t.Fill(test("log.search"), text)
	t.Press("\r")
}
