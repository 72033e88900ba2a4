package browser

// Set gives a field of a date and time its value, which people do in ways that differ from browser to browser.
func (t *Tab) Set(selector, value string) {
	t.T.Helper()
	t.See(selector)
	Eval[bool](t, finder+`(() => {
		const field = seen($1, '');
		field.value = $2;
		field.dispatchEvent(new Event('input', {bubbles: true}));
		field.dispatchEvent(new Event('change', {bubbles: true}));
		return true;
	})()`, selector, value)
}

// Texts returns what is read in each element that matches.
func (t *Tab) Texts(selector string) []string {
	t.T.Helper()
	return Eval[[]string](t, `[...document.querySelectorAll($1)].map((e) => e.textContent.trim().replace(/\s+/g, ' '))`, selector)
}
