package dsapi

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
)

// Func is an endpoint: what it returns is the data of the envelope.
type Func func(r *http.Request, p *Params) (any, error)

// Faults gives the faults of a module, by key, the codes clients know.
type Faults map[string]Code

// API makes HTTP handlers of endpoints.
type API struct {
	log     *slog.Logger
	faults  Faults
	refused *func(r *http.Request, err error) // shared with the copies that Faults makes
	exact   bool                              // see wording
}

// New makes an API that logs to log.
func New(log *slog.Logger) *API {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &API{log: log, faults: Faults{ErrPaging.Key: InvalidParameter}, refused: new(func(*http.Request, error))}
}

// Faults returns an API that also knows the codes in f.
func (a *API) Faults(f Faults) *API {
	all := maps.Clone(a.faults)
	maps.Copy(all, f)
	return &API{log: a.log, faults: all, refused: a.refused, exact: a.exact}
}

// OnRefused has fn told of every call that is refused because whoever calls may not. It must not be called once requests
// are served.
func (a *API) OnRefused(fn func(r *http.Request, err error)) { *a.refused = fn }

// Exact32 returns an API that answers as DolphinScheduler 3.2.0 did where later releases added or renamed keys that strict
// clients refuse.
func (a *API) Exact32() *API {
	return &API{log: a.log, faults: a.faults, refused: a.refused, exact: true}
}

// OK serves f with HTTP 200. wrap is the code of every failure without one of its own.
func (a *API) OK(wrap Code, f Func) http.HandlerFunc { return a.handle(http.StatusOK, wrap, f) }

// Created serves f with HTTP 201; failures have 200 like everywhere.
func (a *API) Created(wrap Code, f Func) http.HandlerFunc {
	return a.handle(http.StatusCreated, wrap, f)
}

// Bare is data that is sent without an envelope.
type Bare struct{ Value any }

// Message is data with another msg than "success".
type Message struct {
	Msg  string
	Data any
}

// Raw is an answer that writes itself: a file, a redirect.
type Raw http.HandlerFunc

func (a *API) handle(status int, wrap Code, f Func) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, err := Read(r)
		var data any
		if err == nil {
			data, err = f(r, p)
		}
		if err == nil {
			err = answer(w, r, status, data)
		}
		if err != nil {
			a.fail(w, r, wrap, err)
		}
	}
}

func answer(w http.ResponseWriter, r *http.Request, status int, data any) error {
	switch d := data.(type) {
	case Raw:
		d(w, r)
		return nil
	case Bare:
		return encode(r.Context(), w, status, d.Value)
	case Message:
		return send(r.Context(), w, status, Success, d.Msg, d.Data)
	default:
		return send(r.Context(), w, status, Success, "success", data)
	}
}

// fail answers with the code of err. The cause of an unexpected error is logged
// under the request id, and never sent.
func (a *API) fail(w http.ResponseWriter, r *http.Request, wrap Code, err error) {
	ctx := r.Context()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return
	}
	code, msg := a.describe(ctx, wrap, err)
	if code == unauthenticated {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.Forbidden && *a.refused != nil {
		(*a.refused)(r, err)
	}
	level := slog.LevelDebug
	if f, ok := errors.AsType[*fault.Error](err); !unusable(err) && (!ok || f.Kind == fault.Internal) {
		level = slog.LevelError
	}
	a.log.LogAttrs(ctx, level, "request failed", slog.String("request_id", web.RequestID(ctx)),
		slog.String("path", r.URL.Path), slog.Int("code", int(code)), slog.Any("error", err))
	if err := send(ctx, w, http.StatusOK, code, msg, nil); err != nil {
		a.log.ErrorContext(ctx, "encode error", "request_id", web.RequestID(ctx), "error", err)
	}
}

// unauthenticated never leaves: it stands for HTTP 401 without a body.
const unauthenticated Code = -1

func (a *API) describe(ctx context.Context, wrap Code, err error) (Code, string) {
	if param, ok := errors.AsType[*ParamError](err); ok {
		key := "dsapi.param_type"
		if param.Missing {
			key = "dsapi.param_missing"
		}
		return wrap, text(ctx, wrap) + ":" + i18n.T(ctx, key, "name", param.Name)
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind == fault.Internal {
		return wrap, text(ctx, wrap) + ":" + i18n.T(ctx, "dsapi.internal", "id", web.RequestID(ctx))
	}
	msg := message(ctx, err, f)
	if code, known := a.faults[f.Key]; known {
		return code, msg
	}
	for _, field := range f.Fields { // a field's message may have a code of its own: the name is taken
		if code, known := a.faults[field.Key]; known {
			return code, i18n.T(ctx, field.Key, field.Pairs()...)
		}
	}
	switch f.Kind {
	case fault.Unauthenticated:
		return unauthenticated, ""
	case fault.Forbidden:
		return NoPermission, msg
	case fault.Invalid:
		return InvalidParameter, msg
	default:
		return wrap, text(ctx, wrap) + ":" + msg
	}
}

func message(ctx context.Context, err error, f *fault.Error) string {
	var parts []string
	for _, field := range f.Fields {
		parts = append(parts, field.Name+": "+i18n.T(ctx, field.Key, field.Pairs()...))
	}
	if len(parts) > 0 {
		return strings.Join(parts, "; ")
	}
	return web.Message(ctx, err)
}

// Router is an empty router with what every call passes: other origins may call
// with a token, pages of other origins cannot use our cookie, a trailing slash is
// ignored, answers are in the caller's language. authenticate must put the
// principal into the context or answer 401; it is not asked for public paths and
// for addresses that do not exist.
func (a *API) Router(authenticate func(http.Handler) http.Handler, mount ...func(chi.Router)) chi.Router {
	r := chi.NewRouter()
	r.Use(crossOrigin, guard, bound, stripSlash, a.translate, language)
	r.NotFound(a.notFound)
	r.MethodNotAllowed(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) })
	r.Group(func(r chi.Router) {
		r.Use(func(next http.Handler) http.Handler {
			guarded := authenticate(next)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if patterns := chi.RouteContext(r.Context()).RoutePatterns; public(patterns[len(patterns)-1]) {
					next.ServeHTTP(w, r)
					return
				}
				guarded.ServeHTTP(w, r)
			})
		})
		for _, m := range mount {
			m(r)
		}
	})
	return r
}

// public reports whether a route needs no signing in.
func public(pattern string) bool {
	switch pattern {
	case "/login", "/login/sso", "/users/register", "/cookies", "/oauth2-provider", "/redirect/login/oauth2":
		return true
	default:
		return false
	}
}

// notFound sends a person to the pages and tells a program that there is nothing.
func (a *API) notFound(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Redirect(w, r, "/", http.StatusFound)
		return
	}
	_ = send(r.Context(), w, http.StatusNotFound, Internal, i18n.T(r.Context(), "web.not_found"), nil)
}
