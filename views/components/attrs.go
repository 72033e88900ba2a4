package components

import (
	"maps"
	"net/url"
	"slices"
	"strconv"

	"github.com/a-h/templ"
)

type pair struct{ Name, Value string }

func sortedFields(fields map[string]string) []pair {
	out := make([]pair, 0, len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		out = append(out, pair{name, fields[name]})
	}
	return out
}

// hiddenQuery lists query parameters as form fields, without the named ones.
func hiddenQuery(q url.Values, without ...string) []pair {
	var out []pair
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if slices.Contains(without, name) {
			continue
		}
		for _, v := range q[name] {
			out = append(out, pair{name, v})
		}
	}
	return out
}

func withQuery(path string, q url.Values, set map[string]string) string {
	next := url.Values{}
	maps.Copy(next, q)
	for k, v := range set {
		next.Set(k, v)
	}
	if len(next) == 0 {
		return path
	}
	return path + "?" + next.Encode()
}

func testAttr(name string) templ.Attributes {
	if name == "" {
		return nil
	}
	return templ.Attributes{"data-test": name}
}

func idAttr(id string) templ.Attributes {
	if id == "" {
		return nil
	}
	return templ.Attributes{"id": id}
}

// swapAttrs lets htmx load a link of a list in place; the link stays a link.
func swapAttrs(target, url string) templ.Attributes {
	if target == "" {
		return nil
	}
	return templ.Attributes{
		"hx-get": url, "hx-target": "#" + target, "hx-swap": "outerMorph", "hx-push-url": "true",
	}
}

func postAttrs(url, target string) templ.Attributes {
	if target == "" {
		return nil
	}
	return templ.Attributes{"hx-post": url, "hx-target": "#" + target, "hx-swap": "outerMorph"}
}

func itoa(n int) string { return strconv.Itoa(n) }
