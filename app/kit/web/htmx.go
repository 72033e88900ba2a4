package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// This file is the only place that reads or writes HX-* headers, so that a new
// major version of htmx is one file to change.

// Partial reports whether r is an htmx request that replaces a part of the page,
// not a page load and not a restored history entry.
func Partial(r *http.Request) bool {
	return r.Header.Get("HX-Request") == "true" &&
		r.Header.Get("HX-Request-Type") == "partial" &&
		r.Header.Get("HX-History-Restore-Request") != "true"
}

// Target is the id of the element that the answer to a partial request goes
// into, without the leading #. It is empty for a page load and for an element
// without an id.
func Target(r *http.Request) string {
	if !Partial(r) {
		return ""
	}
	_, id, found := strings.Cut(r.Header.Get("HX-Target"), "#")
	if !found {
		return ""
	}
	if plain, err := url.PathUnescape(id); err == nil {
		return plain
	}
	return id
}

// currentPath is the path and query of the page that sent an htmx request.
func currentPath(r *http.Request) string {
	u, err := url.Parse(r.Header.Get("HX-Current-URL"))
	if err != nil || u.Path == "" {
		return ""
	}
	return u.RequestURI()
}

// scripted reports whether htmx sent the request, for a part or for a page.
func scripted(r *http.Request) bool { return r.Header.Get("HX-Request") == "true" }

// leave makes the browser open target as a new page.
func leave(w http.ResponseWriter, target string) {
	w.Header().Set("HX-Redirect", target)
}

// visit makes htmx load target into the element with the given id and show its
// address. Nothing but that element is replaced, so focus and scroll position
// elsewhere stay.
func visit(w http.ResponseWriter, target, id string) {
	value, _ := json.Marshal(map[string]string{ // a map of strings always encodes
		"path": target, "target": "#" + id, "swap": "outerMorph",
	})
	w.Header().Set("HX-Location", asciiJSON(value))
}

// retarget sends the answer to another element than the request asked for.
func retarget(w http.ResponseWriter, selector, swap string) {
	w.Header().Set("HX-Retarget", selector)
	w.Header().Set("HX-Reswap", swap)
}

// pushURL changes the address shown, when it differs from the one requested.
func pushURL(w http.ResponseWriter, address string) { w.Header().Set("HX-Push-Url", address) }

// keep makes htmx leave the page as it is.
func keep(w http.ResponseWriter) { w.Header().Set("HX-Reswap", "none") }

// announce shows messages in the toast region of the page.
func announce(w http.ResponseWriter, texts []string) {
	trigger(w, map[string]any{"toast": map[string][]string{"messages": texts}})
}

// askForSignIn makes the page ask its reader to sign in again.
func askForSignIn(w http.ResponseWriter, address string) {
	trigger(w, map[string]any{"sign-in": map[string]string{"url": address}})
}

// trigger raises DOM events on the element that sent the request.
func trigger(w http.ResponseWriter, events map[string]any) {
	value, err := json.Marshal(events)
	if err != nil {
		return // events hold strings only
	}
	w.Header().Set("HX-Trigger", asciiJSON(value))
}

// vary tells caches that pages and parts of them share an address.
func vary(w http.ResponseWriter) {
	w.Header().Add("Vary", "HX-Request, HX-Request-Type, HX-Target")
}

// asciiJSON escapes what a header must not carry: browsers read header bytes as
// Latin-1.
func asciiJSON(value []byte) string {
	var b strings.Builder
	for _, r := range string(value) {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r <= 0xffff:
			writeUnicodeEscape(&b, r)
		default:
			r -= 0x10000
			writeUnicodeEscape(&b, 0xd800+(r>>10))
			writeUnicodeEscape(&b, 0xdc00+(r&0x3ff))
		}
	}
	return b.String()
}

func writeUnicodeEscape(b *strings.Builder, r rune) {
	const digits = "0123456789abcdef"
	b.WriteString(`\u`)
	for shift := 12; shift >= 0; shift -= 4 {
		b.WriteByte(digits[(r>>shift)&0xf])
	}
}
