package boot

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	endpoints "dorado/app/kit/web/dsapi/describe"
	"dorado/modules/frame"
)

type tally struct{ routes, cells int }

// pagesMatrix is the matrix for pages.
func (w *world) pagesMatrix(t *testing.T, table *endpoints.Table, overrides map[string]override, report func(cell, string, string)) tally {
	t.Helper()
	var n tally
	for _, p := range table.Pages {
		n.routes++
		route := "page " + p.Method + " " + p.Path
		o := overrides[route]
		delete(overrides, route)
		inProject := p.Who.InProject()
		for _, who := range principals() {
			for _, where := range []string{"own", "other"} {
				n.cells++
				a := w.tryPage(t, who, o, w.page(t, p, o, w.places[where], w.places[where]))
				switch may := w.may(cmp.Or(o.Rule, p.Who), who, where); {
				case o.Absent && refusedPage(a):
				case a.Status >= http.StatusInternalServerError && a.Status != o.Code:
					report(cell{route, who, where}, "no 5xx", a.page())
				case may && refusedPage(a) && a.Status != o.Code:
					report(cell{route, who, where}, "allowed", a.page())
				case !may && !refusedPage(a):
					report(cell{route, who, where}, "refused", a.page())
				}
			}
		}
		if inProject && strings.Contains(p.Path, "{project}") && strings.Count(p.Path, "{") > 1 {
			n.cells++
			a := w.tryPage(t, "owner", o, w.page(t, p, o, w.places["own"], w.places["other"]))
			if !refusedPage(a) && a.Status < http.StatusBadRequest && !o.Quiet {
				report(cell{route, "owner", "foreign"}, "refused", a.page())
			}
		}
	}
	return n
}

// refusedPage reports whether an answer says that one may not, that one has to sign in, or that there is nothing to see.
func refusedPage(a reply) bool {
	switch a.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return true
	}
	return strings.HasPrefix(a.header.Get("Location"), frame.LoginPath)
}

func (a reply) page() string {
	return "HTTP " + strconv.Itoa(a.Status) + " " + a.header.Get("Location")
}

// page is a request for a page, as the page itself would send it.
func (w *world) page(t *testing.T, p endpoints.Page, o override, project, rest *spot) *http.Request {
	t.Helper()
	path := p.Path
	for segment := range strings.SplitSeq(p.Path, "/") {
		name, variable := strings.CutPrefix(segment, "{")
		if !variable {
			continue
		}
		name = strings.TrimSuffix(name, "}")
		v := w.fill(nil, p.Path, endpoints.Member{Name: name, Type: endpoints.Type{Name: "int"}}, o, project, rest)
		path = strings.Replace(path, segment, url.PathEscape(v), 1)
	}
	form := url.Values{}
	for name, text := range o.With {
		if !strings.Contains(p.Path, "{"+name+"}") {
			form.Set(name, expand(text, project, rest))
		}
	}
	if p.Method == http.MethodGet && len(form) > 0 {
		path += "?" + form.Encode()
	}
	r := httptest.NewRequestWithContext(t.Context(), p.Method, "http://dorado.test"+path, strings.NewReader(form.Encode()))
	if p.Method != http.MethodGet {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if body, json := o.With["body"]; json {
			r = httptest.NewRequestWithContext(t.Context(), p.Method, "http://dorado.test"+path, strings.NewReader(expand(body, project, rest)))
			r.Header.Set("Content-Type", "application/json")
		}
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Accept", "text/html")
	return r
}

// tryPage sends a request as somebody's browser and undoes what it did.
func (w *world) tryPage(t *testing.T, who string, o override, r *http.Request) reply {
	t.Helper()
	var a reply
	if o.Outside {
		return w.visit(r, who)
	}
	err := w.c.db.InTx(t.Context(), func(ctx context.Context) error {
		a = w.visit(r.WithContext(ctx), who)
		return errUndo
	})
	require.ErrorIs(t, err, errUndo, "%s %s as %s", r.Method, r.URL.Path, who)
	return a
}

// visit sends a request as somebody's browser.
func (w *world) visit(r *http.Request, who string) reply {
	if session := w.people[who].session; session != "" {
		r.AddCookie(&http.Cookie{Name: "sessionId", Value: session})
	}
	rec := w.serve(r)
	return reply{Status: rec.Code, body: rec.Body.String(), header: rec.Header()}
}
