package account

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/i18n"
	"dorado/app/kit/secret"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/frame"
	"dorado/modules/identity"
	"dorado/modules/security/tenant"
	"dorado/views/account"
	"dorado/views/components"
	"dorado/views/layout"
)

func (m *Module) profile(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	u, err := m.identity.Me(ctx)
	if err != nil {
		return nil, err
	}
	sessions, err := m.identity.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	code, err := m.tenantCode(r, u)
	if err != nil {
		return nil, err
	}
	view := account.ProfilePage{
		Shell: m.frame.Page(r, i18n.T(ctx, "account.profile.title")), EditURL: profilePath + "/edit",
		Data: []components.Datum{
			{Label: i18n.T(ctx, "user.field.name"), Value: u.Name},
			{Label: i18n.T(ctx, "user.field.type"), Value: typeName(r, u.Admin())},
			{Label: i18n.T(ctx, "user.field.email"), Value: u.Email},
			{Label: i18n.T(ctx, "user.field.phone"), Value: u.Phone},
			{Label: i18n.T(ctx, "user.field.tenant"), Value: code},
			{Label: i18n.T(ctx, "user.field.queue"), Value: u.Queue},
			{Label: i18n.T(ctx, "account.zone"), Value: i18n.Zone(ctx).String()},
			{Label: i18n.T(ctx, "account.language"), Value: i18n.FromContext(ctx).Name()},
			{Label: i18n.T(ctx, "user.field.created"), Body: components.Time(components.TimeProps{At: u.CreatedAt})},
		},
	}
	if !u.HasPassword() {
		view.Data = append(view.Data, components.Datum{Label: i18n.T(ctx, "user.field.source"), Value: i18n.T(ctx, "user.source."+string(u.Source))})
	}
	if u.LastSignInAt != nil {
		view.Data = append(view.Data, components.Datum{Label: i18n.T(ctx, "user.field.last_sign_in"), Body: components.Time(components.TimeProps{At: *u.LastSignInAt})})
	}
	if u.HasPassword() && u.PasswordChangedAt != nil {
		view.Data = append(view.Data, components.Datum{Label: i18n.T(ctx, "user.field.password_changed"), Body: components.Time(components.TimeProps{At: *u.PasswordChangedAt})})
	}
	tokens, err := m.tokenRows(r, u.ID)
	if err != nil {
		return nil, err
	}
	view.Tokens, view.TokensURL = tokens, TokensPath
	p, _ := access.From(ctx)
	for _, s := range sessions {
		view.Sessions = append(view.Sessions, account.SessionRow{
			Current: s.ID == p.SessionID, Client: s.Client, Browser: Browser(ctx, s.UserAgent), Method: i18n.T(ctx, "account.sessions.by."+string(s.Method)), StartedAt: s.CreatedAt, SeenAt: s.LastSeenAt,
			EndURL: profilePath + "/sessions/" + s.ID + "/end",
		})
	}
	if len(sessions) > 1 {
		view.EndURL = profilePath + "/sessions/end"
	}
	return web.Page(account.Profile(view)), nil
}

func (m *Module) tenantCode(r *http.Request, u identity.User) (string, error) {
	if u.TenantID == 0 {
		return tenant.Default, nil
	}
	t, err := m.tenants.Get(r.Context(), u.TenantID)
	return t.Code, err
}

func typeName(r *http.Request, admin bool) string {
	if admin {
		return i18n.T(r.Context(), "user.type.admin")
	}
	return i18n.T(r.Context(), "user.type.general")
}

// tokenRows are the own tokens for the page that shows who one is, the last used first.
func (m *Module) tokenRows(r *http.Request, userID int64) ([]account.TokenRow, error) {
	tokens, err := m.identity.TokensOf(r.Context(), userID)
	rows := make([]account.TokenRow, 0, len(tokens))
	for _, t := range tokens {
		row := account.TokenRow{
			Name: t.Name, Hint: t.Hint, Limited: len(t.Scope) > 0, Scope: t.Scope.String(), ExpiresAt: t.ExpiresAt, Expired: !t.ExpiresAt.After(time.Now()),
			DeleteURL: TokensPath + "/" + strconv.FormatInt(t.ID, 10) + "/delete",
		}
		if t.LastUsedAt != nil {
			row.LastUsedAt = *t.LastUsedAt
		}
		rows = append(rows, row)
	}
	return rows, err
}

// Browser names the program behind a user agent, as far as people tell them apart.
func Browser(ctx context.Context, agent string) string {
	system := ""
	for _, s := range []struct{ part, name string }{
		{"Windows", "Windows"}, {"Android", "Android"}, {"iPhone", "iOS"}, {"iPad", "iPadOS"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"},
	} {
		if strings.Contains(agent, s.part) {
			system = " · " + s.name
			break
		}
	}
	for _, b := range []struct{ part, name string }{
		{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
	} {
		if strings.Contains(agent, b.part) {
			return b.name + system
		}
	}
	if name, _, _ := strings.Cut(agent, " "); name != "" {
		return name
	}
	return i18n.T(ctx, "account.sessions.unknown")
}

func (m *Module) editProfile(r *http.Request) (web.Response, error) {
	u, err := m.identity.Me(r.Context())
	if err != nil {
		return nil, err
	}
	return m.profileForm(r, u.Name, identity.Profile{Email: u.Email, Phone: u.Phone}, nil), nil
}

func (m *Module) profileForm(r *http.Request, name string, p identity.Profile, f *web.Form) web.Response {
	title := i18n.T(r.Context(), "account.profile.edit")
	return f.Again(account.ProfileEdit(account.ProfileForm{
		Shell:  m.frame.Page(r, title, components.Crumb{Label: i18n.T(r.Context(), "account.profile.title"), URL: profilePath}),
		Action: profilePath, CancelURL: profilePath, Name: name, Email: p.Email, Phone: p.Phone, Error: f.Notice(), Errors: f.Errors(),
	}))
}

func (m *Module) saveProfile(r *http.Request) (web.Response, error) {
	f := web.ReadForm(r)
	profile := identity.Profile{Email: f.Text("email"), Phone: f.Text("phone")}
	u, err := web.Submit(f, func() (identity.User, error) { return m.identity.UpdateProfile(r.Context(), profile) })
	if f.Rejects(err) {
		viewer, _ := web.ViewerFrom(r.Context())
		return m.profileForm(r, viewer.Name, profile, f), nil
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(profilePath).Toast("account.saved", "name", u.Name), nil
}

func (m *Module) endSession(r *http.Request) (web.Response, error) {
	if err := m.identity.EndSession(r.Context(), chi.URLParam(r, "session")); err != nil {
		return nil, err
	}
	return web.Redirect(profilePath).Toast("account.sessions.ended"), nil
}

func (m *Module) endOtherSessions(r *http.Request) (web.Response, error) {
	if err := m.identity.EndSessions(r.Context(), true); err != nil {
		return nil, err
	}
	return web.Redirect(profilePath).Toast("account.sessions.others_ended"), nil
}

func (m *Module) passwordPage(r *http.Request) (web.Response, error) {
	p, err := access.Must(r.Context())
	if err != nil {
		return nil, err
	}
	u, err := m.identity.Me(r.Context())
	if err != nil {
		return nil, err
	}
	if !u.HasPassword() {
		title := i18n.T(r.Context(), "account.password.title")
		return web.Page(account.NoPassword(account.NoPasswordPage{
			Shell: m.frame.Page(r, title), Title: title, Text: i18n.T(r.Context(), "account.password.none."+string(u.Source)), BackURL: profilePath,
		})), nil
	}
	return m.passwordForm(r, p, nil), nil
}

func (m *Module) passwordForm(r *http.Request, p access.Principal, f *web.Form) web.Response {
	ctx := r.Context()
	view := account.PasswordForm{
		Shell: m.frame.Page(r, i18n.T(ctx, "account.password.title")), Action: passwordPath, Next: web.Next(r, ""),
		Name: p.Name, First: p.MustChangePassword, Rule: m.identity.Policy().Describe(ctx), Error: f.Notice(), Errors: f.Errors(),
	}
	if p.MustChangePassword {
		view.Notice = i18n.T(ctx, "account.password.must")
		shell := &view.Shell // nothing else opens yet
		shell.Nav, shell.Search, shell.Attention, shell.Settings.Links = nil, layout.Search{}, "", nil
	}
	return f.Again(account.Password(view))
}

func (m *Module) changePassword(r *http.Request) (web.Response, error) {
	p, err := access.Must(r.Context())
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	next := secret.String(f.Raw("password"))
	if f.Raw("repeat") != next.Reveal() {
		f.Reject("repeat", "account.password.differ")
		f.Rejects(m.identity.Policy().Check(next, p.Name))
		return m.passwordForm(r, p, f), nil
	}
	err = m.identity.ChangePassword(r.Context(), secret.String(f.Raw("current")), next)
	if f.Rejects(err) {
		return m.passwordForm(r, p, f), nil
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(web.Next(r, frame.HomePath)).Toast("account.password.saved"), nil
}

func (m *Module) about(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	if _, err := access.Must(ctx); err != nil {
		return nil, err
	}
	return web.Page(account.About(account.AboutPage{
		Shell: m.frame.Page(r, i18n.T(ctx, "account.about.title")),
		Data: []components.Datum{
			{Label: i18n.T(ctx, "account.about.version"), Value: m.build.Version, Mono: true, Copy: true},
			{Label: i18n.T(ctx, "account.about.commit"), Value: m.build.Commit, Mono: true},
			{Label: i18n.T(ctx, "account.about.go"), Value: m.build.Go, Mono: true},
			{Label: i18n.T(ctx, "account.about.licence"), Value: "Apache-2.0"},
		},
	})), nil
}
