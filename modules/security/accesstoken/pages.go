package accesstoken

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/frame"
	"dorado/modules/identity"
	"dorado/views/components"
	"dorado/views/security"
)

const day = "2006-01-02"

func (m *Module) index(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	all := m.access.Can(ctx, identity.TokenManage)
	q := frame.Query(r, identity.TokenSpec())
	page, err := m.identity.ListTokens(ctx, q, all)
	if err != nil {
		return nil, err
	}
	view := security.TokensPage{
		Shell: m.frame.Page(r, i18n.T(ctx, "token.title")), List: frame.Listed(Path, q, page), NewURL: Path + "/new", All: all,
	}
	now := time.Now()
	for _, t := range page.Items {
		row := security.TokenRow{
			Name: name(t), User: t.UserName, Hint: t.Hint, Scope: t.Scope.String(), ExpiresAt: t.ExpiresAt, Expired: !t.ExpiresAt.After(now), UpdatedAt: t.UpdatedAt,
			EditURL: address(t.ID, "/edit"), DeleteURL: address(t.ID, "/delete"),
		}
		if t.LastUsedAt != nil {
			row.LastUsedAt = *t.LastUsedAt
		}
		if t.CreatedBy != t.UserID {
			row.Creator = t.Creator
		}
		view.Rows = append(view.Rows, row)
	}
	return web.Page(security.Tokens(view)), nil
}

// name is what people call a token; one made by a program may have no name.
func name(t identity.Token) string {
	if t.Name != "" {
		return t.Name
	}
	return "…" + t.Hint
}

func (m *Module) new(r *http.Request) (web.Response, error) {
	p, err := access.Must(r.Context())
	if err != nil {
		return nil, err
	}
	inAYear := time.Now().In(i18n.Zone(r.Context())).AddDate(1, 0, 0).Format(day)
	d := identity.TokenDraft{UserID: p.UserID}
	if id, err := strconv.ParseInt(r.URL.Query().Get("user_id"), 10, 64); err == nil { // from the page of that user
		d.UserID = id
	}
	return m.form(r, 0, d, inAYear, "", nil)
}

func (m *Module) create(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	p, err := access.Must(ctx)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	d := read(r, f)
	if d.UserID = f.Int64("user_id"); d.UserID == 0 {
		d.UserID = p.UserID
	}
	var value secret.String
	d.Scope = m.readScope(f)
	t, err := web.Submit(f, func() (t identity.Token, err error) {
		t, value, err = m.identity.CreateToken(ctx, d)
		return t, err
	})
	if errors.Is(err, identity.ErrNotFound) {
		f.Reject("user_id", "token.error.user")
	}
	if f.Rejects(err) {
		return m.rejected(r, 0, d, f)
	}
	if err != nil {
		return nil, err
	}
	title := i18n.T(ctx, "token.made.title", "name", name(t))
	return web.Page(security.Secret(security.SecretPage{
		Shell: m.frame.Page(r, title, crumb(r)), Title: title, Text: i18n.T(ctx, "token.made.text"),
		Secret: value.Reveal(), Note: i18n.T(ctx, "token.made.note"), BackURL: Path,
	})), nil
}

// read takes name and expiry from the form. A day is meant to its end, in the
// zone of whoever chose it.
func read(r *http.Request, f *web.Form) identity.TokenDraft {
	d := identity.TokenDraft{Name: f.Text("name")}
	if d.Name == "" {
		f.Reject("name", "security.required")
	}
	at, err := time.ParseInLocation(day, f.Text("expires"), i18n.Zone(r.Context()))
	if err != nil {
		f.Reject("expires", "security.required")
		return d
	}
	d.ExpiresAt = at.AddDate(0, 0, 1).Add(-time.Millisecond)
	return d
}

// The choices of what a token may.
const (
	accessAll     = "all"
	accessRead    = "read"
	accessOperate = "operate"
	accessCustom  = "custom"
)

// readScope puts the scope together from what was chosen.
func (m *Module) readScope(f *web.Form) identity.Scope {
	var words identity.Scope
	switch typed := identity.ParseScope(f.Text("scope")); f.Text("access") {
	case accessRead:
		words = identity.ReadOnly()
	case accessOperate:
		words = identity.Operating()
	case accessCustom:
		if words = typed; len(typed.Permissions()) == 0 {
			f.Reject("scope", "security.required")
		}
		for _, word := range m.access.BadScope(typed) { // a typing mistake would be found when a program is refused
			f.Reject("scope", "identity.token.scope_word", "word", word)
		}
	case accessAll, "":
		if len(typed) > 0 { // a limit that somebody typed must not be lost because another choice was left as it was
			f.Reject("scope", "token.error.scope")
		}
	default:
		f.Reject("scope", "token.error.scope")
	}
	for _, code := range f.List("projects") {
		words = append(words, "project:"+code)
	}
	slices.Sort(words)
	return slices.Compact(words)
}

func (m *Module) edit(r *http.Request) (web.Response, error) {
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	t, err := m.identity.GetToken(r.Context(), id)
	if err != nil {
		return nil, err
	}
	return m.form(r, id, identity.TokenDraft{UserID: t.UserID, Name: t.Name, Scope: t.Scope}, t.ExpiresAt.In(i18n.Zone(r.Context())).Format(day), web.Stamp(t.UpdatedAt), nil)
}

func (m *Module) save(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	present, err := m.identity.GetToken(ctx, id)
	if err != nil { // before the form is looked at: others' tokens do not exist
		return nil, err
	}
	f := web.ReadForm(r)
	d := read(r, f)
	d.Scope = present.Scope
	t, err := web.Submit(f, func() (identity.Token, error) { return m.update(ctx, id, d, f.Stamp()) })
	if f.Rejects(err) {
		return m.rejected(r, id, d, f)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(Path).Toast("token.saved", "name", name(t)), nil
}

// rejected shows the form again.
func (m *Module) rejected(r *http.Request, id int64, d identity.TokenDraft, f *web.Form) (web.Response, error) {
	return m.form(r, id, d, f.Text("expires"), f.Text(web.StampField), f)
}

func (m *Module) form(r *http.Request, id int64, d identity.TokenDraft, expires, stamp string, f *web.Form) (web.Response, error) {
	ctx := r.Context()
	zone := i18n.Zone(ctx)
	view := security.TokenForm{
		Title: i18n.T(ctx, "token.create"), Action: Path, CancelURL: Path, New: id == 0, Name: d.Name,
		UserID: strconv.FormatInt(d.UserID, 10), Expires: expires, Today: time.Now().In(zone).Format(day), Zone: zone.String(),
		Access: accessAll, Scope: d.Scope.String(), Stamp: stamp, Error: f.Notice(), Errors: f.Errors(),
	}
	if f != nil {
		view.Words, view.Limited = f.Text("scope"), f.List("projects")
		if chosen := f.Text("access"); chosen != "" {
			view.Access = chosen
		}
	}
	if message := f.Error("expires_at"); message != "" { // identity's name for it
		view.Errors["expires"] = message
	}
	if id != 0 {
		view.Title, view.Action = i18n.T(ctx, "token.edit"), address(id, "")
	} else if err := m.choices(ctx, &view); err != nil {
		return nil, err
	}
	view.Shell = m.frame.Page(r, view.Title, crumb(r))
	return f.Again(security.TokenEdit(view)), nil
}

// choices fills in the users and projects a new token can be for.
func (m *Module) choices(ctx context.Context, view *security.TokenForm) error {
	if m.access.Can(ctx, identity.TokenManage) {
		users, err := m.identity.List(ctx, listing.New(listing.Spec{Columns: map[string]string{"name": "name"}, Default: "name", ID: "id"}, 1, listing.MaxSize, ""))
		if err != nil {
			return err
		}
		for _, u := range users.Items {
			view.Users = append(view.Users, components.Option{Value: strconv.FormatInt(u.ID, 10), Label: u.Name})
		}
	}
	if m.projects == nil {
		return nil
	}
	all, err := m.projects(ctx)
	for _, p := range all {
		view.Projects = append(view.Projects, components.Option{Value: strconv.FormatInt(p.Code, 10), Label: p.Name})
	}
	return err
}

func (m *Module) confirm(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	t, err := m.identity.GetToken(ctx, id)
	if err != nil {
		return nil, err
	}
	title := i18n.T(ctx, "token.delete.title", "name", name(t))
	return web.Page(security.Delete(security.DeletePage{
		Shell: m.frame.Page(r, title, crumb(r)),
		Confirm: components.ConfirmProps{
			Title: title, Text: i18n.T(ctx, "token.delete.text"), Action: address(id, "/delete"),
			Submit: i18n.T(ctx, "security.delete_submit"), CancelURL: Path, Test: "token.delete",
		},
	})), nil
}

func (m *Module) remove(r *http.Request) (web.Response, error) {
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	if err := m.identity.DeleteToken(r.Context(), id); err != nil {
		return nil, err
	}
	return web.Redirect(Path).Toast("token.deleted"), nil
}

func crumb(r *http.Request) components.Crumb {
	return components.Crumb{Label: i18n.T(r.Context(), "token.title"), URL: Path}
}
