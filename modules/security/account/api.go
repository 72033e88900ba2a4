package account

import (
	"net/http"
	"net/url"

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
		identity.ErrUnknown.Key: 10013, identity.ErrElsewhere.Key: 10013, // the directory knows him, and nobody here is he
	})
	r.Post("/login", m.signInREST(e))
	r.Get("/login/sso", e.OK(10211, m.ssoREST))
	r.Get("/oauth2-provider", e.OK(dsapi.Internal, m.providersREST))
	r.Get("/redirect/login/oauth2", e.OK(dsapi.Internal, m.returnREST))
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
			http.SetCookie(w, &http.Cookie{Name: "securityConfigType", Value: string(in.Method), Path: "/", HttpOnly: true, Secure: web.Secure(r), SameSite: http.SameSiteLaxMode})
			return dsapi.Message{Msg: "login success", Data: map[string]string{
				"sessionId": in.Secret.Reveal(), "securityConfigType": string(in.Method),
			}}, nil
		})(w, r)
	}
}

// ssoREST answers with the address where a sign-in at the provider begins, null without a provider.
func (m *Module) ssoREST(*http.Request, *dsapi.Params) (any, error) {
	if m.identity.Provider() == nil {
		return nil, nil
	}
	return m.url + ProviderPath, nil
}

// dsProvider is a provider as clients know it. The address is ours: it adds what protects the way to the provider.
type dsProvider struct {
	AuthorizationURI string  `json:"authorizationUri"`
	RedirectURI      string  `json:"redirectUri"`
	ClientID         string  `json:"clientId"`
	ClientSecret     *string `json:"clientSecret"`
	TokenURI         *string `json:"tokenUri"`
	UserInfoURI      *string `json:"userInfoUri"`
	CallbackURL      *string `json:"callbackUrl"`
	IconURI          *string `json:"iconUri"`
	Provider         string  `json:"provider"`
}

func (m *Module) providersREST(*http.Request, *dsapi.Params) (any, error) {
	out := []dsProvider{}
	if p := m.identity.Provider(); p != nil {
		out = append(out, dsProvider{AuthorizationURI: m.url + ProviderPath, RedirectURI: p.Redirect(), ClientID: p.ClientID(), Provider: p.Label()})
	}
	return out, nil
}

// returnREST is where providers that were set up for DolphinScheduler send browsers. A sign-in that began here goes on at
// our own address; any other has no state, and whose it is cannot be known.
func (m *Module) returnREST(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.RequiredText("code")
	p.RequiredText("provider")
	if err := p.Err(); err != nil {
		return nil, err
	}
	to := loginPath + "?authType=oauth2&error=state"
	if state := p.Text("state"); state != "" && m.identity.Provider() != nil {
		to = ProviderReturnPath + "?" + url.Values{"code": {code}, "state": {state}}.Encode()
	}
	return dsapi.Raw(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }), nil
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
