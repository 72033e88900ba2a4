package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/a-h/templ"
)

// Response is what a handler answers with. The functions of this file make them.
type Response interface {
	respond(s *Site, w http.ResponseWriter, r *http.Request) error
}

// PageResponse is a rendered component, whole or in part.
type PageResponse struct {
	component templ.Component
	status    int
	address   string
	extra     []string
}

// Page answers with component. A page load gets all of it. An htmx request gets
// the templ.Fragment named like the element it replaces, so a page marks its parts
//
//	<div id="tenants">@templ.Fragment("tenants") { … }</div>
//
// and the same handler serves both.
func Page(component templ.Component) *PageResponse {
	return &PageResponse{component: component, status: http.StatusOK}
}

// Invalid answers 422 with the form again, values and messages in it.
func Invalid(component templ.Component) *PageResponse {
	return Page(component).Status(http.StatusUnprocessableEntity)
}

// Status sets the HTTP status.
func (p *PageResponse) Status(code int) *PageResponse {
	p.status = code
	return p
}

// Address changes the address the browser shows, when a POST is answered with a
// page that has an address of its own.
func (p *PageResponse) Address(path string) *PageResponse {
	p.address = path
	return p
}

// Also sends further fragments along with the one asked for. Each must carry an
// <hx-partial hx-target="…"> element around its content, which says where it goes.
func (p *PageResponse) Also(fragments ...string) *PageResponse {
	p.extra = append(p.extra, fragments...)
	return p
}

func (p *PageResponse) respond(_ *Site, w http.ResponseWriter, r *http.Request) error {
	vary(w)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store, private")
	var b bytes.Buffer
	ctx := r.Context()
	if target := Target(r); target != "" {
		ids := []any{target}
		for _, e := range p.extra {
			ids = append(ids, e)
		}
		if err := templ.RenderFragments(ctx, &b, p.component, ids...); err != nil {
			return fmt.Errorf("render fragment %s: %w", target, err)
		}
	}
	if b.Len() > 0 {
		if p.address != "" {
			pushURL(w, p.address)
		}
		return write(w, r, p.status, b.Bytes())
	}
	// The page has no such fragment: the request is answered with all of it, and
	// must then replace all of it.
	if Partial(r) {
		retarget(w, "body", "outerMorph")
	}
	dropFlash(w, r) // the page shows it
	if err := p.component.Render(ctx, &b); err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	return write(w, r, p.status, b.Bytes())
}

// write sends a finished body. An error of the connection is nobody's to handle.
func write(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
	return nil
}

// RedirectResponse sends the browser elsewhere after a change.
type RedirectResponse struct {
	target string
	toasts []Toast
	part   string
}

// Redirect answers a successful POST: 303 to target, a path on this server. With
// htmx the browser opens the page too, so a dialog closes by itself.
func Redirect(target string) *RedirectResponse { return &RedirectResponse{target: target} }

// Toast shows a short message on the page that opens.
func (d *RedirectResponse) Toast(key string, args ...any) *RedirectResponse {
	d.toasts = append(d.toasts, newToast(key, args))
	return d
}

// Into makes htmx replace only the element with this id by the target's fragment
// of the same name, where a full load would lose what the reader has open.
func (d *RedirectResponse) Into(id string) *RedirectResponse {
	d.part = id
	return d
}

func (d *RedirectResponse) respond(_ *Site, w http.ResponseWriter, r *http.Request) error { //nolint:unparam // Response asks for it
	target := localPath(d.target, "/")
	switch {
	case scripted(r) && d.part != "":
		say(w, r, d.toasts)
		visit(w, target, d.part)
		w.WriteHeader(http.StatusOK)
	case scripted(r):
		putFlash(w, r, d.toasts)
		leave(w, target)
		w.WriteHeader(http.StatusOK)
	default:
		putFlash(w, r, d.toasts)
		w.Header().Set("Location", target)
		w.WriteHeader(http.StatusSeeOther)
	}
	return nil
}

// External sends the browser to another server. target must not come from the
// request.
func External(target string) Response { return external(target) }

type external string

func (e external) respond(_ *Site, w http.ResponseWriter, r *http.Request) error {
	if scripted(r) {
		leave(w, string(e))
		w.WriteHeader(http.StatusOK)
		return nil
	}
	w.Header().Set("Location", string(e))
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// JSON answers with value encoded as JSON.
func JSON(status int, value any) Response { return jsonResponse{status, value} }

type jsonResponse struct {
	status int
	value  any
}

func (j jsonResponse) respond(_ *Site, w http.ResponseWriter, r *http.Request) error {
	body, err := json.Marshal(j.value)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	return write(w, r, j.status, body)
}

// NoContent answers 204: done, and the page stays as it is.
func NoContent() Response { return noContent{} }

type noContent struct{}

func (noContent) respond(_ *Site, w http.ResponseWriter, _ *http.Request) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// File answers with content to be saved under name. Ranges and conditional
// requests work; the browser never shows the content as a page of ours.
func File(name string, modified time.Time, content io.ReadSeeker) Response {
	return fileResponse{name, modified, content}
}

type fileResponse struct {
	name     string
	modified time.Time
	content  io.ReadSeeker
}

func (f fileResponse) respond(_ *Site, w http.ResponseWriter, r *http.Request) error {
	attach(w, f.name)
	http.ServeContent(w, r, "", f.modified, f.content)
	return nil
}

// Download answers with content to be saved under name while it is written. When
// produce fails midway the connection is cut, so that a half file is not taken
// for a whole one.
func Download(name string, produce func(w io.Writer) error) Response {
	return downloadResponse{name, produce}
}

type downloadResponse struct {
	name    string
	produce func(w io.Writer) error
}

func (d downloadResponse) respond(s *Site, w http.ResponseWriter, r *http.Request) error {
	attach(w, d.name)
	c := &counter{w: w}
	if err := d.produce(c); err != nil {
		if c.n == 0 {
			w.Header().Del("Content-Disposition")
			return err
		}
		if r.Context().Err() == nil {
			s.log.ErrorContext(r.Context(), "download broke off", "request_id", RequestID(r.Context()), "error", err)
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}

type counter struct {
	w io.Writer
	n int
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += n
	return n, err
}

func attach(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	w.Header().Set("Cache-Control", "no-store")
}

// HTTP answers with an ordinary handler, for what none of the others does.
func HTTP(h http.Handler) Response { return httpResponse{h} }

type httpResponse struct{ h http.Handler }

func (h httpResponse) respond(_ *Site, w http.ResponseWriter, r *http.Request) error {
	h.h.ServeHTTP(w, r)
	return nil
}

// With lets prepare set headers and cookies before answer is sent.
func With(answer Response, prepare func(w http.ResponseWriter, r *http.Request)) Response {
	return prepared{answer, prepare}
}

type prepared struct {
	answer  Response
	prepare func(w http.ResponseWriter, r *http.Request)
}

func (p prepared) respond(s *Site, w http.ResponseWriter, r *http.Request) error {
	p.prepare(w, r)
	return p.answer.respond(s, w, r)
}
