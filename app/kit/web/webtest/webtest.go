package webtest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/web"
)

// Site is a web.Site for tests: errors are plain text, nothing is logged.
func Site(t testing.TB) *web.Site {
	t.Helper()
	s, err := web.NewSite(web.Options{Closing: t.Context()})
	require.NoError(t, err)
	return s
}

// Browser sends requests and keeps cookies. It is for one goroutine.
type Browser struct {
	t       testing.TB
	site    *web.Site
	mount   func(chi.Router)
	enter   func(context.Context) context.Context
	cookies map[string]string
	headers map[string]string
}

// Start makes a browser for the pages that mount adds. site is the one the pages
// were made with.
func Start(t testing.TB, site *web.Site, mount func(chi.Router)) *Browser {
	t.Helper()
	return &Browser{t: t, site: site, mount: mount, cookies: map[string]string{}, headers: map[string]string{}}
}

// As is another browser whose requests carry what enter puts into their context:
// the principal and the viewer.
func (b *Browser) As(enter func(context.Context) context.Context) *Browser {
	c := *b
	c.enter, c.cookies, c.headers = enter, map[string]string{}, map[string]string{}
	return &c
}

// With is another browser that also sends a header.
func (b *Browser) With(name, value string) *Browser {
	c := *b
	c.cookies, c.headers = map[string]string{}, map[string]string{name: value}
	for k, v := range b.headers {
		if k != name {
			c.headers[k] = v
		}
	}
	return &c
}

// In is another browser that prefers a language ("en", "zh-CN").
func (b *Browser) In(language string) *Browser { return b.With("Accept-Language", language) }

// Get opens a page.
func (b *Browser) Get(path string) *Page { return b.do(http.MethodGet, path, nil, nil) }

// Part asks for a part of a page like htmx does: target is the id of the element
// to replace.
func (b *Browser) Part(path, target string) *Page {
	return b.do(http.MethodGet, path, nil, htmx(target))
}

// Post sends a form; fields are alternating names and values.
func (b *Browser) Post(path string, fields ...string) *Page {
	return b.do(http.MethodPost, path, pairs(b.t, fields), nil)
}

// PostPart sends a form like htmx does.
func (b *Browser) PostPart(path, target string, fields ...string) *Page {
	return b.do(http.MethodPost, path, pairs(b.t, fields), htmx(target))
}

// Follow opens where a redirect leads; other pages come back as they are.
func (b *Browser) Follow(p *Page) *Page {
	b.t.Helper()
	to := p.Header.Get("Location")
	if to == "" {
		to = p.Header.Get("HX-Redirect")
	}
	if to == "" {
		return p
	}
	return b.Get(to)
}

func htmx(target string) map[string]string {
	return map[string]string{
		"HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": "div#" + target, "Accept": "text/html",
		"HX-Current-URL": "http://dorado.test/",
	}
}

func pairs(t testing.TB, fields []string) url.Values {
	t.Helper()
	require.Zero(t, len(fields)%2, "fields are alternating names and values")
	v := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		v.Add(fields[i], fields[i+1])
	}
	return v
}

func (b *Browser) do(method, path string, form url.Values, headers map[string]string) *Page {
	b.t.Helper()
	var r *http.Request
	if form != nil {
		r = httptest.NewRequestWithContext(b.t.Context(), method, "http://dorado.test"+path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "http://dorado.test")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	} else {
		r = httptest.NewRequestWithContext(b.t.Context(), method, "http://dorado.test"+path, nil)
	}
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	for k, v := range b.headers {
		r.Header.Set(k, v)
	}
	for k, v := range b.cookies {
		r.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	w := httptest.NewRecorder()
	b.handler().ServeHTTP(w, r)
	res := w.Result()
	defer func() { _ = res.Body.Close() }()
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(w.Body.String()))
	require.NoError(b.t, err)
	return &Page{t: b.t, Status: w.Code, Header: res.Header, Body: w.Body.String(), Doc: doc}
}

func (b *Browser) handler() http.Handler {
	r := chi.NewRouter()
	r.Use(b.site.Middleware(), b.site.Pages)
	if b.enter != nil {
		r.Use(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r.WithContext(b.enter(r.Context())))
			})
		})
	}
	r.NotFound(b.site.NotFound)
	r.MethodNotAllowed(b.site.MethodNotAllowed)
	b.mount(r)
	return r
}

// Page is an answer.
type Page struct {
	t      testing.TB
	Status int
	Header http.Header
	Body   string
	Doc    *goquery.Document
}

// Has reports whether something matches the CSS selector.
func (p *Page) Has(selector string) bool { return p.Doc.Find(selector).Length() > 0 }

// Count is how many elements match.
func (p *Page) Count(selector string) int { return p.Doc.Find(selector).Length() }

// Text is the text of the first match, white space collapsed.
func (p *Page) Text(selector string) string {
	return strings.Join(strings.Fields(p.Doc.Find(selector).First().Text()), " ")
}

// Texts is the text of every match.
func (p *Page) Texts(selector string) []string {
	return p.Doc.Find(selector).Map(func(_ int, s *goquery.Selection) string {
		return strings.Join(strings.Fields(s.Text()), " ")
	})
}

// Attr is an attribute of the first match, empty when there is none.
func (p *Page) Attr(selector, name string) string {
	v, _ := p.Doc.Find(selector).First().Attr(name)
	return v
}

// Value is the value a form field would be sent with.
func (p *Page) Value(name string) string {
	field := p.Doc.Find(`[name="` + name + `"]`).First()
	switch goquery.NodeName(field) {
	case "select":
		v, _ := field.Find("option[selected]").First().Attr("value")
		return v
	case "textarea":
		return field.Text()
	default:
		v, _ := field.Attr("value")
		return v
	}
}

// Require fails the test unless the answer has the status; it shows the page.
func (p *Page) Require(status int) *Page {
	p.t.Helper()
	require.Equal(p.t, status, p.Status, "answer:\n%s", clip(p.Body))
	return p
}

func clip(s string) string {
	if len(s) > 3000 {
		return s[:3000] + "…"
	}
	return s
}
