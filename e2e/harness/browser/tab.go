package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Box is where an element is seen, in CSS pixels of the viewport.
type Box struct{ X, Y, W, H float64 }

// Middle returns the centre.
func (b Box) Middle() (x, y float64) { return b.X + b.W/2, b.Y + b.H/2 }

// Goto opens a path of the server and waits until it has loaded.
func (t *Tab) Goto(path string) {
	t.T.Helper()
	url := path
	if !strings.HasPrefix(path, "http") {
		url = t.URL + path
	}
	t.do(chromedp.Navigate(url))
}

// Path returns the path and query the tab is at.
func (t *Tab) Path() string {
	t.T.Helper()
	return Eval[string](t, "location.pathname + location.search")
}

// Eval runs JavaScript in the page and returns its value. A promise is awaited.
func Eval[R any](t *Tab, js string, args ...any) R {
	t.T.Helper()
	out, err := evaluate[R](t, t.patient, js, args...)
	if err != nil {
		t.T.Fatalf("script %s: %v", js, err)
	}
	return out
}

// Wait waits until an expression is true in the page. Arguments are put in as JSON for $1, $2, ….
func (t *Tab) Wait(what, js string, args ...any) {
	t.T.Helper()
	if err := t.until(js, args...); err != nil {
		t.T.Fatalf("waited for %s: %v", what, err)
	}
}

// WaitPath waits until the tab is at a path that contains the text.
func (t *Tab) WaitPath(part string) {
	t.T.Helper()
	t.Wait("the address "+part, "location.href.includes($1)", part)
}

// WaitText waits until the text is seen in the first element that matches the selector.
func (t *Tab) WaitText(selector, text string) {
	t.T.Helper()
	t.Wait(fmt.Sprintf("%q in %s", text, selector), finder+"(seen($1, '') || {innerText: ''}).innerText.includes($2)", selector, text)
}

// See waits until an element that matches the selector, and contains the text if one is given, is visible.
func (t *Tab) See(selector string, text ...string) Box {
	t.T.Helper()
	box, err := t.find(selector, strings.Join(text, ""))
	if err != nil {
		t.T.Fatalf("%s %s is not seen: %v", selector, text, err)
	}
	return box
}

// Has says whether such an element is visible now.
func (t *Tab) Has(selector string, text ...string) bool {
	t.T.Helper()
	return Eval[bool](t, finder+"!!seen($1, $2)", selector, strings.Join(text, ""))
}

// Text returns what a person reads in the first visible element that matches.
func (t *Tab) Text(selector string) string {
	t.T.Helper()
	t.See(selector)
	return Eval[string](t, finder+"seen($1, '').innerText", selector)
}

// Click clicks the middle of the first visible element that matches the selector and contains the text.
func (t *Tab) Click(selector string, text ...string) {
	t.T.Helper()
	x, y := t.See(selector, text...).Middle()
	t.do(chromedp.MouseClickXY(x, y))
}

// ClickAt clicks a point.
func (t *Tab) ClickAt(x, y float64, options ...chromedp.MouseOption) {
	t.T.Helper()
	t.do(chromedp.MouseClickXY(x, y, options...))
}

// DoubleClick clicks an element twice.
func (t *Tab) DoubleClick(selector string, text ...string) {
	t.T.Helper()
	x, y := t.See(selector, text...).Middle()
	t.do(chromedp.MouseClickXY(x, y), chromedp.MouseClickXY(x, y, chromedp.ClickCount(2)))
}

// Fill clicks into a field, replaces what is in it by the text and leaves the field.
func (t *Tab) Fill(selector, text string) {
	t.T.Helper()
	t.Click(selector)
	t.Press("a", kb.ModifierCtrl)
	t.Press(kb.Delete)
	t.Type(text)
	Eval[bool](t, "(document.activeElement?.blur(), true)")
}

// Upload chooses files, by their paths on this machine, in a file input.
func (t *Tab) Upload(selector string, paths ...string) {
	t.T.Helper()
	t.do(chromedp.SetUploadFiles(chromedp.CSS(selector), paths))
}

// Type types text into what has the focus, as an input method does: line ends included, nothing completed.
func (t *Tab) Type(text string) {
	t.T.Helper()
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			t.Press(kb.Enter)
		}
		if line != "" {
			t.do(insertText(line))
		}
	}
}

// Press presses one key, with modifiers held.
func (t *Tab) Press(key string, modifiers ...chromedp.Modifier) {
	t.T.Helper()
	t.do(chromedp.KeyEvent(key, chromedp.KeyModifiers(modifiers...)))
}

// Choose sets a <select>, by the value of its option, as a person's choice does.
func (t *Tab) Choose(selector, value string) {
	t.T.Helper()
	t.See(selector)
	ok := Eval[bool](t, finder+`(() => {
		const field = seen($1, '');
		if (![...field.options].some((o) => o.value === $2)) return false;
		field.value = $2;
		field.dispatchEvent(new Event('input', {bubbles: true}));
		field.dispatchEvent(new Event('change', {bubbles: true}));
		return true;
	})()`, selector, value)
	if !ok {
		t.T.Fatalf("%s has no option %q", selector, value)
	}
}

// Drag presses the button at one point, moves slowly at first, as a hand does, and lets go at the other.
func (t *Tab) Drag(fromX, fromY, toX, toY float64) {
	t.T.Helper()
	const steps = 12
	t.do(chromedp.MouseEvent(chromedp.MouseMoved, fromX, fromY), mouse(chromedp.MousePressed, fromX, fromY))
	for i := range steps {
		share := float64(i+1) / steps
		share *= share
		t.do(mouse(chromedp.MouseMoved, fromX+(toX-fromX)*share, fromY+(toY-fromY)*share))
	}
	t.do(mouse(chromedp.MouseReleased, toX, toY))
}

// Hover moves the pointer over an element.
func (t *Tab) Hover(selector string, text ...string) {
	t.T.Helper()
	x, y := t.See(selector, text...).Middle()
	t.do(chromedp.MouseEvent(chromedp.MouseMoved, x, y))
}

// Screenshot keeps a picture of the viewport among the artefacts.
func (t *Tab) Screenshot(name string) {
	t.T.Helper()
	t.Wait("the page to be loaded", "document.readyState === 'complete'") // there is no picture of one that is about to come
	ctx, cancel := context.WithTimeout(t.ctx, t.patient)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.T.Fatalf("screenshot: %v", err)
	}
	t.keep(name+".png", png)
}

// do runs actions, each within the tab's patience.
func (t *Tab) do(steps ...chromedp.Action[chromedp.Void]) {
	t.T.Helper()
	// The first use of the context opens the page and ties its life to that context, so it must be the tab's own.
	if err := chromedp.Do(t.ctx); err != nil {
		t.T.Fatalf("browser: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.ctx, t.patient)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.T.Fatalf("browser: %v", err)
	}
}

// finder declares seen(selector, text): the first visible element that matches and whose text, value or accessible name
// contains the text.
const finder = `const seen = (selector, text) => [...document.querySelectorAll(selector)].find((e) => {
	const r = e.getBoundingClientRect(), s = getComputedStyle(e);
	if (r.width === 0 || r.height === 0 || s.visibility === 'hidden' || s.display === 'none') return false;
	if (!text) return true;
	return [e.innerText, e.getAttribute('aria-label'), e.title, e.value].some((v) => typeof v === 'string' && v.includes(text));
}); `

// find scrolls to an element and returns its box once it has stopped moving.
func (t *Tab) find(selector, text string) (Box, error) {
	var last Box
	var err error
	for deadline := time.Now().Add(t.patient); time.Now().Before(deadline); time.Sleep(30 * time.Millisecond) {
		var found *Box
		found, err = evaluate[*Box](t, time.Second, finder+`(() => {
			const e = seen($1, $2);
			if (!e) return null;
			const inView = (r) => r.top >= 0 && r.left >= 0 && r.bottom <= innerHeight && r.right <= innerWidth;
			if (!inView(e.getBoundingClientRect())) e.scrollIntoView({block: 'center', inline: 'nearest', behavior: 'instant'});
			const r = e.getBoundingClientRect();
			return {X: r.x, Y: r.y, W: r.width, H: r.height};
		})()`, selector, text)
		switch {
		case err != nil || found == nil:
			last = Box{}
		case *found == last:
			return last, nil
		default:
			last = *found
		}
	}
	return Box{}, errors.Join(errors.New("not there in time"), err)
}

// until polls an expression; errors count as false, because a page that is just being replaced has no context.
func (t *Tab) until(js string, args ...any) error {
	var err error
	for deadline := time.Now().Add(t.patient); time.Now().Before(deadline); time.Sleep(25 * time.Millisecond) {
		var ok bool
		if ok, err = evaluate[bool](t, 2*time.Second, js, args...); err == nil && ok {
			return nil
		}
	}
	return errors.Join(errors.New("not in time"), err)
}

func evaluate[R any](t *Tab, limit time.Duration, js string, args ...any) (R, error) {
	var zero R
	for i := len(args); i > 0; i-- { // $10 before $1
		raw, err := json.Marshal(args[i-1])
		if err != nil {
			return zero, err
		}
		js = strings.ReplaceAll(js, fmt.Sprintf("$%d", i), string(raw))
	}
	ctx, cancel := context.WithTimeout(t.ctx, limit)
	defer cancel()
	// A block of its own keeps the helper's names out of the page; a block's value is that of its last statement.
	return chromedp.Run(ctx, chromedp.Evaluate[R]("{"+js+"}", chromedp.EvalAwaitPromise))
}
