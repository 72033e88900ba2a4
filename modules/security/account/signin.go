package account

import (
	"net/http"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/secret"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/frame"
	"dorado/modules/identity"
	"dorado/views/account"
	"dorado/views/login"
)

func (m *Module) signInPage(r *http.Request) (web.Response, error) {
	if p, ok := access.From(r.Context()); ok && !p.MustChangePassword {
		return web.Redirect(web.Next(r, frame.HomePath)), nil
	}
	return web.Page(login.Page(m.signInView(r, "", ""))), nil
}

func (m *Module) signInView(r *http.Request, name, problem string) login.Props {
	next := web.Next(r, "")
	view := login.Props{
		Bare: m.frame.Bare(r, i18n.T(r.Context(), "login.title")), Action: loginPath, Next: next,
		Username: name, Error: problem, Providers: m.providers(next),
	}
	if m.identity.Directory() {
		view.Hint = i18n.T(r.Context(), "login.directory")
	}
	return view
}

func (m *Module) signIn(r *http.Request) (web.Response, error) {
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	next := web.Next(r, frame.HomePath)
	in, err := m.identity.SignIn(r.Context(), identity.Credentials{
		Name: f.Text("username"), Password: secret.String(f.Raw("password")),
		Client: web.ClientAddress(r.Context()), UserAgent: r.UserAgent(), Previous: web.SessionSecret(r),
	})
	if refused(err) {
		return web.Page(login.Page(m.signInView(r, f.Text("username"), web.Message(r.Context(), err)))).Status(web.Status(fault.KindOf(err))), nil
	}
	if err != nil {
		return nil, err
	}
	m.offerZone(r, in.User, f.Text("zone"))
	if in.User.MustChangePassword {
		next = web.WithNext(passwordPath, next)
	}
	return opened(next, in), nil
}

// refused reports whether signing in failed for a reason that belongs on the page.
func refused(err error) bool {
	switch fault.KindOf(err) {
	case fault.Unauthenticated, fault.Forbidden, fault.TooMany, fault.Unavailable:
		return err != nil
	default:
		return false
	}
}

// opened sends the browser on with its new session.
func opened(next string, in identity.SignedIn) web.Response {
	return web.With(web.Redirect(next), func(w http.ResponseWriter, r *http.Request) {
		web.SetSession(w, r, in.Secret.Reveal(), in.ExpiresAt)
	})
}

// offerZone keeps the browser's zone for somebody who has none, in place of UTC.
// It is a convenience: failing to is no reason to refuse the user.
func (m *Module) offerZone(r *http.Request, u identity.User, zone string) {
	if u.Zone != "" || zone == "" {
		return
	}
	ctx := access.WithPrincipal(r.Context(), access.Principal{UserID: u.ID, Name: u.Name})
	err := m.identity.UpdatePreferences(ctx, identity.Preferences{Zone: zone, Locale: u.Locale, Theme: u.Theme, PageSize: u.PageSize})
	if err != nil && fault.KindOf(err) != fault.Invalid {
		m.log.WarnContext(ctx, "the zone of a browser could not be kept", "error", err)
	}
}

func (m *Module) linkPage(r *http.Request) (web.Response, error) {
	return m.welcome(r, r.URL.Query().Get("token"), nil), nil
}

// welcome shows the form of a one-time link. The link is used up by the form and
// not by opening the page, because programs that look at links in messages open
// them too.
func (m *Module) welcome(r *http.Request, token string, f *web.Form) *web.PageResponse {
	return f.Again(account.Welcome(account.WelcomePage{
		Bare: m.frame.Bare(r, i18n.T(r.Context(), "account.welcome.title")), Action: linkPath, Token: token, Rule: m.identity.Policy().Describe(r.Context()),
		Error: f.Notice(), Errors: f.Errors(),
	}))
}

// signInByLink checks the password first: a link that is used up by a password
// that is too short would lock its owner out.
func (m *Module) signInByLink(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	f := web.ReadForm(r)
	token, password := f.Text("token"), secret.String(f.Raw("password"))
	err := m.identity.Policy().Check(password, "")
	if f.Raw("repeat") != password.Reveal() {
		f.Reject("repeat", "account.password.differ")
	}
	if f.Rejects(err) {
		return m.welcome(r, token, f), nil
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	in, err := m.identity.SignInByLink(ctx, token, identity.Credentials{
		Client: web.ClientAddress(ctx), UserAgent: r.UserAgent(), Previous: web.SessionSecret(r),
	})
	if refused(err) {
		view := account.LinkPage{Bare: m.frame.Bare(r, i18n.T(ctx, "account.link.title")), Error: web.Message(ctx, err)}
		return web.Page(account.LinkSpent(view)).Status(web.Status(fault.KindOf(err))), nil
	}
	if err != nil {
		return nil, err
	}
	m.offerZone(r, in.User, f.Text("zone"))
	p, err := m.identity.Authenticate(ctx, in.Secret.Reveal())
	if err != nil {
		return nil, err
	}
	next := frame.HomePath
	if err := m.identity.ChangePassword(access.WithPrincipal(ctx, p), "", password); err != nil {
		if fault.KindOf(err) != fault.Invalid {
			return nil, err
		}
		next = passwordPath // the password is that user's name, or the one before: he is in, and chooses there
	}
	return opened(next, in), nil
}

func (m *Module) signOut(r *http.Request) (web.Response, error) {
	if err := m.identity.SignOut(r.Context(), web.SessionSecret(r)); err != nil {
		return nil, err
	}
	return web.With(web.Redirect(loginPath), web.ClearSession), nil
}
