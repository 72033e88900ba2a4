package account

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/fault"
	"dorado/app/kit/secret"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/identity"
)

// errNoName is the fault of a call to sign in without a name.
var errNoName = fault.New(fault.Invalid, "identity.user.name_required")

// API adds the REST endpoints for signing in and out.
func (m *Module) API(r chi.Router) {
	e := m.rest.Faults(dsapi.Faults{
		errNoName.Key: 10004, identity.ErrCredentials.Key: 10013, identity.ErrDisabled.Key: 10148,
	})
	r.Post("/login", m.signInREST(e))
	r.Get("/login/sso", e.OK(10211, func(*http.Request, *dsapi.Params) (any, error) { return nil, nil }))
	r.Get("/oauth2-provider", e.OK(dsapi.Internal, func(*http.Request, *dsapi.Params) (any, error) { return []string{}, nil }))
	r.Post("/signOut", e.OK(10123, m.signOutREST))
	r.Delete("/cookies", e.OK(dsapi.Internal, forgetCookies))
}

// signInREST answers with the session's secret in the body and as a cookie. A
// wrong password is code 10013 here and not HTTP 401, which means "no session".
func (m *Module) signInREST(e *dsapi.API) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		e.OK(10043, func(r *http.Request, p *dsapi.Params) (any, error) {
			c := identity.Credentials{
				Name: p.RequiredText("userName"), Password: secret.String(p.RequiredText("userPassword")),
				Client: web.ClientAddress(r.Context()), UserAgent: r.UserAgent(),
			}
			if err := p.Err(); err != nil {
				return nil, err
			}
			if c.Name == "" {
				return nil, errNoName
			}
			in, err := m.identity.SignIn(r.Context(), c)
			if err != nil {
				return nil, err
			}
			web.SetSession(w, r, in.Secret.Reveal(), in.ExpiresAt)
			http.SetCookie(w, &http.Cookie{Name: "securityConfigType", Value: "PASSWORD", Path: "/", HttpOnly: true, Secure: web.Secure(r), SameSite: http.SameSiteLaxMode})
			return dsapi.Message{Msg: "login success", Data: map[string]string{
				"sessionId": in.Secret.Reveal(), "securityConfigType": "PASSWORD",
			}}, nil
		})(w, r)
	}
}

func (m *Module) signOutREST(r *http.Request, _ *dsapi.Params) (any, error) {
	return nil, m.identity.EndSessions(r.Context(), false)
}

// forgetCookies expires every cookie the caller sent.
func forgetCookies(r *http.Request, _ *dsapi.Params) (any, error) {
	return dsapi.Raw(func(w http.ResponseWriter, _ *http.Request) {
		for _, c := range r.Cookies() {
			http.SetCookie(w, &http.Cookie{Name: c.Name, Path: "/", MaxAge: -1, HttpOnly: true, Secure: web.Secure(r), SameSite: http.SameSiteLaxMode})
		}
		w.WriteHeader(http.StatusOK)
	}), nil
}
