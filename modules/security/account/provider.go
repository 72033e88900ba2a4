package account

import (
	"net/http"
	"time"

	"dorado/app/kit/fault"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/frame"
	"dorado/modules/identity"
	"dorado/views/login"
)

// stateCookie binds a sign-in at the provider to the browser that began it.
const stateCookie = "oidcState"

// providers are the buttons of the sign-in page.
func (m *Module) providers(next string) []login.Provider {
	p := m.identity.Provider()
	if p == nil {
		return nil
	}
	return []login.Provider{{Label: p.Label(), URL: web.WithNext(ProviderPath, next)}}
}

// depart sends the browser to the provider.
func (m *Module) depart(r *http.Request) (web.Response, error) {
	next := web.Next(r, frame.HomePath)
	if p, ok := access.From(r.Context()); ok && !p.MustChangePassword {
		return web.Redirect(next), nil
	}
	d, err := m.identity.Depart(r.Context(), next, web.ClientAddress(r.Context()))
	if refused(err) {
		return m.notSignedIn(r, next, err), nil
	}
	if err != nil {
		return nil, err
	}
	return web.With(web.External(d.URL), func(w http.ResponseWriter, r *http.Request) {
		setState(w, r, d.State, time.Until(d.ExpiresAt))
	}), nil
}

// arrive takes the browser back from the provider.
func (m *Module) arrive(r *http.Request) (web.Response, error) {
	q := r.URL.Query()
	held := ""
	if c, err := r.Cookie(stateCookie); err == nil {
		held = c.Value
	}
	in, next, err := m.identity.Arrive(r.Context(), identity.Return{
		State: q.Get("state"), Held: held, Code: q.Get("code"), Problem: q.Get("error"),
	}, identity.Credentials{Client: web.ClientAddress(r.Context()), UserAgent: r.UserAgent(), Previous: web.SessionSecret(r)})
	if refused(err) {
		return web.With(m.notSignedIn(r, next, err), forgetState), nil
	}
	if err != nil {
		return nil, err
	}
	if next == "" {
		next = frame.HomePath
	}
	return web.With(opened(next, in), forgetState), nil
}

// notSignedIn is the sign-in page with what went wrong.
func (m *Module) notSignedIn(r *http.Request, next string, err error) web.Response {
	view := m.signInView(r, "", web.Message(r.Context(), err))
	view.Next, view.Providers = next, m.providers(next)
	return web.Page(login.Page(view)).Status(web.Status(fault.KindOf(err)))
}

// setState is sent along when the provider sends the browser back, which is a navigation from another site: Lax, not
// Strict.
func setState(w http.ResponseWriter, r *http.Request, state string, life time.Duration) {
	age := int(life / time.Second)
	if state == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: stateCookie, Value: state, Path: ProviderReturnPath, MaxAge: age, HttpOnly: true, Secure: web.Secure(r), SameSite: http.SameSiteLaxMode,
	})
}

func forgetState(w http.ResponseWriter, r *http.Request) { setState(w, r, "", 0) }
