package browser

// CreateProject makes a project through the dialog of the project list and opens it.
func (t *Tab) CreateProject(name string) {
	t.T.Helper()
	t.Goto("/projects")
	t.Click(test("projects.create"))
	t.Fill(test("project.form")+` [name="name"]`, name)
	t.Submit()
	t.Wait("the project "+name, finder+`!document.querySelector('dialog[open]') && !!seen('main', $1)`, name)
	if !t.Has(test("project.create_workflow")) {
		t.Click(test("project."+name) + " a")
	}
	t.See(test("project.create_workflow"))
}

// NewWorkflow goes from the page of a project to an empty canvas.
func (t *Tab) NewWorkflow() {
	t.T.Helper()
	t.Click(test("project.create_workflow"))
	t.WaitPath("/workflows/new")
}

// Run opens the run dialog of the editor, starts with what it proposes, and waits for the page of the run.
func (e Editor) Run() {
	e.T.Helper()
	e.Click(test("editor.run"))
	e.See(test("run.form"))
	e.Click(test("run.form") + " " + test("form.submit"))
	e.WaitPath("/instances/")
}

// WaitRun waits until the head of a run's page shows a state, such as SUCCESS.
func (t *Tab) WaitRun(state string) {
	t.T.Helper()
	t.Wait("the run to be "+state, `!!document.querySelector('#run-head .badge[data-state="' + $1 + '"]')`, state)
}

// OpenLog selects a task of a run and follows the link to its log.
func (e Editor) OpenLog(name string) {
	e.T.Helper()
	e.Click(node(name))
	e.WaitText(test("run.panel")+" h2", name)
	e.Click(test("panel.log"))
	e.WaitPath("/log")
	e.See(test("log.body"))
}

// SearchLog searches the log on the server.
func (t *Tab) SearchLog(text string) {
	t.T.Helper()
	t.Fill(".log-search input", text)
	t.Click(".log-search input")
	t.Press("\r")
}
