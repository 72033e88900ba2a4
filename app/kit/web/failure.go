package web

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/a-h/templ"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
)

const internalKey = "web.internal"

// statusClientLeft is what the access log shows for a caller who hung up.
const statusClientLeft = 499

// failure is an error as the caller may see it.
type failure struct {
	status int
	key    string
	args   []any
	fields []fault.Field
	hidden error // for the log only
	retry  bool
}

// Status is the HTTP status for a kind of fault.
func Status(kind fault.Kind) int {
	switch kind {
	case fault.Invalid:
		return http.StatusUnprocessableEntity
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.TooMany:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// classify says what the caller is told about err.
func classify(err error) failure {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return failure{status: http.StatusRequestEntityTooLarge, key: "web.too_large", args: []any{"limit", tooLarge.Limit / 1_000_000}}
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind != fault.Internal {
		status := Status(f.Kind)
		return failure{
			status: status, key: f.Key, args: f.Pairs(), fields: f.Fields, hidden: f.Unwrap(),
			retry: status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests,
		}
	}
	if errors.Is(err, context.Canceled) {
		return failure{status: statusClientLeft, key: internalKey}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return failure{status: http.StatusServiceUnavailable, key: fault.KeyUnavailable, hidden: err, retry: true}
	}
	return failure{status: http.StatusInternalServerError, key: internalKey, hidden: err, retry: true}
}

// Fail answers r with err: a fault's own message, else "internal error" with the
// request id under which the log has the cause.
func (s *Site) Fail(w http.ResponseWriter, r *http.Request, err error) {
	f := classify(err)
	s.report(r, f, err)
	s.show(w, r, f)
}

func (s *Site) report(r *http.Request, f failure, err error) {
	if f.status == http.StatusForbidden && s.refused != nil {
		s.refused(r, err)
	}
	level := slog.LevelDebug
	switch {
	case f.status == http.StatusInternalServerError:
		level = slog.LevelError
	case f.hidden != nil:
		level = slog.LevelInfo
	}
	s.log.LogAttrs(r.Context(), level, "request failed",
		slog.String("request_id", RequestID(r.Context())), slog.String("path", r.URL.Path),
		slog.Int("status", f.status), slog.Any("error", err))
}

func (s *Site) show(w http.ResponseWriter, r *http.Request, f failure) {
	switch {
	case f.status == statusClientLeft:
		w.WriteHeader(f.status)
	case wantsJSON(r):
		s.showJSON(w, r, f)
	case f.status == http.StatusUnauthorized:
		s.askToSignIn(w, r)
	case Partial(r):
		s.showNotice(w, r, f)
	default:
		s.showPage(w, r, f)
	}
}

// askToSignIn sends a page to the sign-in page and back. In a part of a page that
// would lose what the reader has typed, so the page is told to open the sign-in
// dialog and stays as it is.
func (s *Site) askToSignIn(w http.ResponseWriter, r *http.Request) {
	if Partial(r) {
		keep(w)
		askForSignIn(w, WithNext("/login", currentPath(r)))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	back := "/"
	if r.Method == http.MethodGet {
		back = r.URL.RequestURI()
	}
	http.Redirect(w, r, WithNext("/login", back), http.StatusSeeOther)
}

// Elements of the page's frame: where errors about a part of it go, and where
// dialogs are loaded.
const (
	noticeTarget       = "#notice"
	dialogNoticeTarget = "#dialog-notice"
	dialogTarget       = "dialog"
)

// showNotice tells about the error and leaves what the reader sees, and may have
// typed, as it was. A form in the dialog gets it into the dialog; a dialog that
// did not even open has nothing to show it in.
func (s *Site) showNotice(w http.ResponseWriter, r *http.Request, f failure) {
	target := noticeTarget
	if Target(r) == dialogTarget && !safe(r.Method) {
		target = dialogNoticeTarget
	}
	retarget(w, target, "innerHTML")
	s.render(w, r, f, s.notice)
}

func (s *Site) showPage(w http.ResponseWriter, r *http.Request, f failure) { s.render(w, r, f, s.page) }

func (s *Site) render(w http.ResponseWriter, r *http.Request, f failure, view func(*http.Request, ErrorView) templ.Component) {
	vary(w)
	w.Header().Set("Cache-Control", "no-store")
	message := i18n.T(r.Context(), f.key, f.args...)
	if view != nil {
		var b bytes.Buffer
		err := view(r, ErrorView{Status: f.status, Message: message, RequestID: RequestID(r.Context()), Retry: f.retry}).Render(r.Context(), &b)
		if err == nil {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_ = write(w, r, f.status, b.Bytes())
			return
		}
		s.log.ErrorContext(r.Context(), "render error page", "request_id", RequestID(r.Context()), "error", err)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_ = write(w, r, f.status, []byte(message+"\n"+RequestID(r.Context())+"\n"))
}

// problem is an error for a script of ours. Code is the message key, which does
// not change with the language.
type problem struct {
	Code      string            `json:"code"`
	Message   string            `json:"message"`
	RequestID string            `json:"request_id"`
	Fields    map[string]string `json:"fields,omitempty"`
}

func (s *Site) showJSON(w http.ResponseWriter, r *http.Request, f failure) {
	p := problem{Code: f.key, Message: i18n.T(r.Context(), f.key, f.args...), RequestID: RequestID(r.Context())}
	for _, field := range f.fields {
		if p.Fields == nil {
			p.Fields = map[string]string{}
		}
		p.Fields[field.Name] = i18n.T(r.Context(), field.Key, field.Pairs()...)
	}
	if err := JSON(f.status, p).respond(s, w, r); err != nil {
		s.log.ErrorContext(r.Context(), "encode error", "request_id", RequestID(r.Context()), "error", err)
	}
}

func wantsJSON(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "application/json") || strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
}
