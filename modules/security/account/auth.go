package account

import (
	"context"
	"net/http"
	"time"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
)

// Authenticate puts who is signed in into the requests for pages. A request
// without a valid session goes on as nobody's; services refuse what needs more.
func (m *Module) Authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secret := web.SessionSecret(r)
		if secret == "" {
			next.ServeHTTP(w, r)
			return
		}
		p, err := m.identity.Authenticate(r.Context(), secret)
		if err != nil {
			if fault.KindOf(err) != fault.Unauthenticated {
				m.site.Fail(w, r, err)
				return
			}
			web.ClearSession(w, r)
			next.ServeHTTP(w, r)
			return
		}
		r = r.WithContext(enter(r.Context(), p))
		if p.MustChangePassword && !openBeforePassword(r.URL.Path) {
			m.site.Handle(demandPassword)(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// demandPassword answers who must choose a password first. A page makes way for the one where it is chosen. A part of a page
// is refused instead: the page that asked for it, perhaps by itself, may hold what somebody typed or be on its way elsewhere.
func demandPassword(r *http.Request) (web.Response, error) {
	if web.Partial(r) {
		return nil, access.ErrMustChangePassword
	}
	return web.Redirect(passwordPath), nil
}

// openBeforePassword lists what somebody who must choose a password may still reach.
func openBeforePassword(path string) bool {
	switch path {
	case passwordPath, logoutPath, loginPath, linkPath, themePath, languagePath:
		return true
	default:
		return false
	}
}

// AuthenticateREST puts who calls into the requests of the REST interface, or
// answers 401 without a body.
func (m *Module) AuthenticateREST(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := m.caller(r)
		if err != nil && fault.KindOf(err) != fault.Unauthenticated {
			m.log.ErrorContext(r.Context(), "authenticate a call", "request_id", web.RequestID(r.Context()), "error", err)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if err != nil || p.MustChangePassword {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		ctx := access.WithPrincipal(r.Context(), p)
		if zone, err := time.LoadLocation(p.Zone); err == nil && p.Zone != "" {
			ctx = i18n.WithZone(ctx, zone)
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (m *Module) caller(r *http.Request) (access.Principal, error) {
	if token := r.Header.Get(dsapi.TokenHeader); token != "" {
		return m.identity.AuthenticateToken(r.Context(), token)
	}
	secret := r.Header.Get(dsapi.SessionHeader)
	if secret == "" {
		secret = web.SessionSecret(r)
	}
	return m.identity.Authenticate(r.Context(), secret)
}

// enter makes p the principal and the viewer of ctx.
func enter(ctx context.Context, p access.Principal) context.Context {
	return web.WithViewer(access.WithPrincipal(ctx, p), web.Viewer{
		ID: p.UserID, Name: p.Name, Admin: p.Admin, Locale: p.Locale, Zone: p.Zone, Theme: p.Theme, PageSize: p.PageSize,
	})
}
