package browser

// SignIn signs in through the sign-in page and waits until it has let go.
func (t *Tab) SignIn(name, password string) {
	t.T.Helper()
	t.Goto("/login")
	t.Fill(test("login.username"), name)
	t.Fill(test("login.password"), password)
	t.Click(test("login.submit"))
	t.Wait("the page after signing in", "!location.pathname.startsWith('/login')")
}

// Welcome follows a one-time link and chooses a password.
func (t *Tab) Welcome(link, password string) {
	t.T.Helper()
	t.Goto(link)
	t.Fill(test("welcome.password"), password)
	t.Fill(test("welcome.repeat"), password)
	t.Click(test("welcome.submit"))
	t.WaitPath("/home")
}

// Submit presses the button that sends the form on the page.
func (t *Tab) Submit() {
	t.T.Helper()
	t.Click(test("form.submit"))
}

// Test returns the selector of a control by the name it carries for tests.
func Test(name string) string { return test(name) }

// Node returns the selector of a task's card on the canvas.
func Node(name string) string { return node(name) }
