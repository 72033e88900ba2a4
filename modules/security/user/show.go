package user

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/identity"
	"dorado/views/account"
	"dorado/views/components"
	"dorado/views/security"
)

// show is one user: who he is, where he is signed in, what programs act for him.
func (m *Module) show(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	if err := m.access.Require(ctx, identity.UserRead); err != nil {
		return nil, err
	}
	u, err := m.identity.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	codes, err := m.tenantCodes(ctx)
	if err != nil {
		return nil, err
	}
	view := security.UserPage{
		Shell: m.frame.Page(r, u.Name, crumb(r)), Name: u.Name, EditURL: address(id, "/edit"), GrantsURL: address(id, "/grants"),
		Data: []components.Datum{
			{Label: i18n.T(ctx, "user.field.type"), Value: typeName(ctx, u)},
			{Label: i18n.T(ctx, "user.field.state"), Body: security.UserState(u.Enabled)},
			{Label: i18n.T(ctx, "user.field.source"), Value: i18n.T(ctx, "user.source."+choice(u))},
			{Label: i18n.T(ctx, "user.field.email"), Value: u.Email},
			{Label: i18n.T(ctx, "user.field.phone"), Value: u.Phone},
			{Label: i18n.T(ctx, "user.field.tenant"), Value: codes[u.TenantID]},
			{Label: i18n.T(ctx, "user.field.queue"), Value: u.Queue},
			{Label: i18n.T(ctx, "user.field.created"), Body: components.Time(components.TimeProps{At: u.CreatedAt})},
		},
	}
	if u.ExternalID != "" {
		view.Data = append(view.Data, components.Datum{Label: i18n.T(ctx, "user.field.external_id"), Value: u.ExternalID, Mono: true})
	}
	view.Data = append(view.Data, moment(ctx, "user.field.last_sign_in", u.LastSignInAt)...)
	view.Data = append(view.Data, moment(ctx, "user.field.password_changed", u.PasswordChangedAt)...)
	if !u.Enabled {
		view.ActivateURL = address(id, "/activate")
	}
	if err := m.showLock(ctx, u, &view); err != nil {
		return nil, err
	}
	if view.Sessions, err = m.sessions(ctx, id); err != nil {
		return nil, err
	}
	view.Tokens, err = m.tokens(ctx, id)
	return web.Page(security.User(view)), err
}

func typeName(ctx context.Context, u identity.User) string {
	if u.Admin() {
		return i18n.T(ctx, "user.type.admin")
	}
	return i18n.T(ctx, "user.type.general")
}

// moment is a line about a time, none when it never was.
func moment(ctx context.Context, label string, at *time.Time) []components.Datum {
	if at == nil {
		return nil
	}
	return []components.Datum{{Label: i18n.T(ctx, label), Body: components.Time(components.TimeProps{At: *at})}}
}

func (m *Module) showLock(ctx context.Context, u identity.User, view *security.UserPage) error {
	lock, err := m.identity.LockOf(ctx, u.ID)
	if err != nil || lock.Failures == 0 {
		return err
	}
	view.Locked, view.UnlockURL = i18n.T(ctx, "user.failures", "count", lock.Failures), address(u.ID, "/unlock")
	if wait := time.Until(lock.Until); wait > 0 {
		view.Locked = i18n.T(ctx, "user.locked", "failures", view.Locked, "wait", i18n.Duration(ctx, wait.Round(time.Second)))
	}
	return nil
}

func (m *Module) sessions(ctx context.Context, id int64) (account.SessionsProps, error) {
	view := account.SessionsProps{Title: i18n.T(ctx, "account.sessions.title"), EndText: i18n.T(ctx, "user.sessions.end")}
	all, err := m.identity.SessionsOf(ctx, id)
	me, _ := access.From(ctx)
	for _, s := range all {
		view.Rows = append(view.Rows, account.SessionRow{
			Current: s.ID == me.SessionID, Client: s.Client, Browser: m.browser(ctx, s.UserAgent), Method: i18n.T(ctx, "account.sessions.by."+string(s.Method)),
			StartedAt: s.CreatedAt, SeenAt: s.LastSeenAt, EndURL: address(id, "/sessions/"+s.ID+"/end"),
		})
	}
	if len(all) > 0 && id != me.UserID {
		view.EndURL = address(id, "/sessions/end")
	}
	return view, err
}

func (m *Module) tokens(ctx context.Context, id int64) (account.TokensProps, error) {
	view := account.TokensProps{Title: i18n.T(ctx, "token.title"), NewURL: tokensPath + "/new?user_id=" + strconv.FormatInt(id, 10)}
	all, err := m.identity.TokensOf(ctx, id)
	for _, t := range all {
		row := account.TokenRow{
			Name: t.Name, Hint: t.Hint, Limited: len(t.Scope) > 0, Scope: t.Scope.String(), ExpiresAt: t.ExpiresAt, Expired: !t.ExpiresAt.After(time.Now()),
			DeleteURL: tokensPath + "/" + strconv.FormatInt(t.ID, 10) + "/delete",
		}
		if t.LastUsedAt != nil {
			row.LastUsedAt = *t.LastUsedAt
		}
		view.Rows = append(view.Rows, row)
	}
	if len(all) > 0 {
		view.EndURL = address(id, "/tokens/end")
	}
	return view, err
}

// tokensPath is where the module of tokens has its pages.
const tokensPath = "/security/tokens"

func (m *Module) activatePage(r *http.Request) (web.Response, error) {
	return m.onUser(r, "user.activated", func(ctx context.Context, id int64) error { return m.identity.SetEnabled(ctx, id, true) })
}

func (m *Module) unlock(r *http.Request) (web.Response, error) {
	return m.onUser(r, "user.unlocked", m.identity.Unlock)
}

func (m *Module) endSessions(r *http.Request) (web.Response, error) {
	return m.onUser(r, "account.sessions.ended", m.identity.EndSessionsOf)
}

func (m *Module) endSession(r *http.Request) (web.Response, error) {
	return m.onUser(r, "account.sessions.ended", func(ctx context.Context, id int64) error {
		return m.identity.EndSessionOf(ctx, id, chi.URLParam(r, "session"))
	})
}

func (m *Module) endTokens(r *http.Request) (web.Response, error) {
	return m.onUser(r, "account.tokens.ended", m.identity.EndTokensOf)
}

// onUser does something with the user of the address and shows him again.
func (m *Module) onUser(r *http.Request, toast string, deed func(context.Context, int64) error) (web.Response, error) {
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	if err := deed(r.Context(), id); err != nil {
		return nil, err
	}
	return web.Redirect(address(id, "")).Toast(toast), nil
}
