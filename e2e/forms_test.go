//go:build e2e

package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness/browser"
)

// An answer for a part of the page, however late it comes, must not take the form away from whoever fills it in, nor change
// where she is sent when it is accepted.
func TestWhoMustChooseAPasswordKeepsTheFormUntilItIsChosen(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	look := browser.Look{Language: "en"}
	admin := chromium(t).Tab(t, s.URL, look)
	admin.SignIn("admin", password)
	admin.Goto("/security/users/new")
	for name, value := range map[string]string{"name": "mia", "email": "mia@example.org", "password": "Mia-passw0rd-2026"} {
		admin.Fill(`main form [name="`+name+`"]`, value)
	}
	admin.Submit()
	admin.WaitText("main", "mia@example.org")

	mia := chromium(t).Tab(t, s.URL, look)
	mia.SignIn("mia", "Mia-passw0rd-2026")
	mia.Fill(`main [name="password"]`, "her-own-Choice-1")
	browser.Eval[bool](mia, "htmx.ajax('GET', '/attention/count', '#notice').then(() => true)")
	mia.WaitText("#notice", "Choose a new password first")
	require.Equal(t, "her-own-Choice-1", browser.Eval[string](mia, `document.querySelector('main [name="password"]').value`))
	mia.Fill(`main [name="repeat"]`, "her-own-Choice-1")
	mia.Submit()
	mia.WaitPath("/home")
	mia.See(browser.Test("shell.attention")) // now the rest is there
}

// The page that follows an accepted form may be slow. Here it never comes, because its address is a place on this page.
func TestAFormIsSentOnceThoughTheNextPageIsSlow(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	tab := chromium(t).Tab(t, s.URL, browser.Look{Language: "en"})
	tab.SignIn("admin", password)
	tab.Goto("/security/yarn-queues/new")
	const form = `document.querySelector('main form.form-body')`
	send := func() { browser.Eval[bool](tab, form+`.requestSubmit(), true`) }
	browser.Eval[bool](tab, `window.sent = 0; const send = window.fetch; window.fetch = async (address, options) => {
		if (options?.method !== 'POST') return send(address, options); // what the page asks for by itself
		window.sent++;
		return new Response('', {headers: {'HX-Redirect': '#sent' + window.sent}});
	}; true`)

	send()
	tab.Wait("the next page to be asked for", "location.hash === '#sent1'")
	send()
	require.Equal(t, 1, browser.Eval[int](tab, "window.sent"))

	tab.Fill(`main form.form-body [name="name"]`, "changed since")
	browser.Eval[bool](tab, "dispatchEvent(new Event('beforeunload', {cancelable: true}))") // she is asked, and stays
	tab.Wait("the form to be ready again", "!"+form+".hasAttribute('data-sending')")
	send()
	tab.Wait("the form to be sent again", "location.hash === '#sent2'")
}

// What was typed is not lost without a question because the server, or the network, did not take it.
func TestAFormThatWasNotAcceptedAsksBeforeItIsLeft(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	tab := chromium(t).Tab(t, s.URL, browser.Look{Language: "en"})
	tab.SignIn("admin", password)
	const form = `main form.form-body`
	asks := func() bool {
		return browser.Eval[bool](tab, `!dispatchEvent(new Event('beforeunload', {cancelable: true}))`)
	}
	tab.Goto("/security/users/new")
	require.False(t, asks(), "nothing was typed")
	tab.Fill(form+` [name="name"]`, "nora")
	require.True(t, asks())
	tab.Submit()
	tab.See(form + ` [aria-invalid="true"]`)
	tab.Wait("the form that came back to be marked", `!dispatchEvent(new Event('beforeunload', {cancelable: true}))`)

	for name, value := range map[string]string{"name": "nora", "email": "nora@example.org", "password": "Nora-passw0rd-2026"} {
		tab.Fill(form+` [name="`+name+`"]`, value)
	}
	browser.Eval[bool](tab, `window.send = window.fetch, window.fetch = () => Promise.reject(new TypeError('no network')), true`)
	tab.Submit()
	tab.Wait("the form to be as unsaved as before", `document.querySelector('`+form+`').hasAttribute('data-dirty')`)
	require.True(t, asks())

	browser.Eval[bool](tab, `window.fetch = window.send, true`)
	tab.Submit()
	tab.WaitText("main", "nora@example.org")
	require.False(t, asks(), "it was accepted")
}
