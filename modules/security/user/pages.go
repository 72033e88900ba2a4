package user

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/secret"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/frame"
	"dorado/modules/identity"
	"dorado/modules/security/tenant"
	"dorado/views/components"
	"dorado/views/security"
)

// shownUses is how many objects in the way of deleting are named.
const shownUses = 20

func (m *Module) index(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	q := frame.Query(r, identity.Spec())
	page, err := m.identity.List(ctx, q)
	if err != nil {
		return nil, err
	}
	codes, err := m.tenantCodes(ctx)
	if err != nil {
		return nil, err
	}
	view := security.UsersPage{Shell: m.frame.Page(r, i18n.T(ctx, "user.title")), List: frame.Listed(Path, q, page)}
	if m.access.Can(ctx, identity.UserCreate) {
		view.NewURL = Path + "/new"
	}
	me, _ := access.From(ctx)
	for _, u := range page.Items {
		row := security.UserRow{
			Name: u.Name, Admin: u.Admin(), Tenant: codes[u.TenantID], Queue: u.Queue, Email: u.Email, Phone: u.Phone,
			Enabled: u.Enabled, Self: u.ID == me.UserID, Service: u.Service, Source: i18n.T(ctx, "user.source."+choice(u)), UpdatedAt: u.UpdatedAt,
			URL: address(u.ID, ""), EditURL: address(u.ID, "/edit"), GrantsURL: address(u.ID, "/grants"), DeleteURL: address(u.ID, "/delete"),
		}
		if u.HasPassword() {
			row.LinkURL = address(u.ID, "/link")
		}
		if u.LastSignInAt != nil {
			row.SignedIn = *u.LastSignInAt
		}
		view.Rows = append(view.Rows, row)
	}
	return web.Page(security.Users(view)), nil
}

// tenantCodes are the codes of tenants by id; 0 is the default one. The program itself asks: whoever sees a user sees his
// tenant, even with a token that is limited to other things.
func (m *Module) tenantCodes(ctx context.Context) (map[int64]string, error) {
	all, err := m.tenants.All(access.WithPrincipal(ctx, access.System()))
	codes := map[int64]string{0: tenant.Default}
	for _, t := range all {
		codes[t.ID] = t.Code
	}
	return codes, err
}

func (m *Module) new(r *http.Request) (web.Response, error) {
	return m.form(r, 0, identity.Draft{Enabled: true, Source: identity.Local}, "", nil)
}

func (m *Module) create(r *http.Request) (web.Response, error) {
	f := web.ReadForm(r)
	d := read(f)
	d.MustChangePassword = true // an administrator knows it
	u, err := web.Submit(f, func() (identity.User, error) { return m.identity.Create(r.Context(), d) })
	if f.Rejects(err) {
		return m.form(r, 0, d, "", f)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(Path).Toast("user.created", "name", u.Name), nil
}

func (m *Module) edit(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	u, err := m.identity.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return m.form(r, id, draftOf(u), web.Stamp(u.UpdatedAt), nil)
}

func draftOf(u identity.User) identity.Draft {
	return identity.Draft{
		Source: u.Source, ExternalID: u.ExternalID, Service: u.Service,
		Name: u.Name, Admin: u.Admin(), Email: u.Email, Phone: u.Phone, TenantID: u.TenantID, Queue: u.Queue, Enabled: u.Enabled,
	}
}

func (m *Module) update(r *http.Request) (web.Response, error) {
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	d := read(f)
	d.Seen = f.Stamp()
	if d.Source != "" && !f.Has("external_id") { // the form has no such field where nothing has such names
		u, err := m.identity.Get(r.Context(), id)
		if err != nil {
			return nil, err
		}
		d.ExternalID = u.ExternalID
	}
	me, _ := access.From(r.Context())
	if id == me.UserID { // the form does not offer to demote or disable oneself
		d.Admin, d.Enabled = me.Admin, true
	}
	d.MustChangePassword = id != me.UserID
	u, err := web.Submit(f, func() (identity.User, error) { return m.identity.Update(r.Context(), id, d) })
	if f.Rejects(err) {
		return m.form(r, id, d, f.Text(web.StampField), f)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(Path).Toast("user.saved", "name", u.Name), nil
}

// service stands in the choice of sources for users that are programs.
const service = "SERVICE"

// choice is where a user comes from, as the form and the filter call it.
func choice(u identity.User) string {
	if u.Service {
		return service
	}
	return string(u.Source)
}

func read(f *web.Form) identity.Draft {
	source := identity.Source(f.Text("source"))
	if source == service {
		source = identity.Local
	}
	return identity.Draft{
		Source: source, ExternalID: f.Text("external_id"), Service: f.Text("source") == service,
		Name: f.Text("name"), Password: secret.String(f.Raw("password")), Admin: f.Text("type") == string(identity.AdminUser),
		Email: f.Text("email"), Phone: f.Text("phone"), TenantID: f.Int64("tenant_id"), Queue: f.Text("queue"), Enabled: f.Bool("enabled"),
	}
}

func (m *Module) form(r *http.Request, id int64, d identity.Draft, stamp string, f *web.Form) (web.Response, error) {
	ctx := r.Context()
	if err := m.access.Require(ctx, identity.UserEdit); err != nil {
		return nil, err
	}
	tenants, err := m.tenants.All(ctx)
	if err != nil {
		return nil, err
	}
	queues, err := m.queues.All(ctx)
	if err != nil {
		return nil, err
	}
	me, _ := access.From(ctx)
	view := security.UserForm{
		Title: i18n.T(ctx, "user.create"), Action: Path, CancelURL: Path, New: id == 0, Self: id != 0 && id == me.UserID,
		Name: d.Name, Email: d.Email, Phone: d.Phone, Admin: d.Admin, Enabled: d.Enabled,
		TenantID: strconv.FormatInt(d.TenantID, 10), Tenants: []components.Option{{Value: "0", Label: i18n.T(ctx, "user.tenant.none")}},
		Queue: d.Queue, Queues: []components.Option{{Value: "", Label: i18n.T(ctx, "user.queue.of_tenant")}},
		External: d.ExternalID, Rule: m.identity.Policy().Describe(ctx), Stamp: stamp, Error: f.Notice(), Errors: f.Errors(),
	}
	if view.Source = string(d.Source); d.Service {
		view.Source = service
	}
	view.Sources = m.sources(ctx, d, id == 0)
	for _, t := range tenants {
		view.Tenants = append(view.Tenants, components.Option{Value: strconv.FormatInt(t.ID, 10), Label: t.Code})
	}
	known := d.Queue == ""
	for _, q := range queues {
		view.Queues = append(view.Queues, components.Option{Value: q.Value, Label: q.Name})
		known = known || q.Value == d.Queue
	}
	if !known { // set by a program, or its queue is gone: saving must not change it by itself
		view.Queues = append(view.Queues, components.Option{Value: d.Queue, Label: d.Queue})
	}
	if id != 0 {
		view.Title, view.Action = i18n.T(ctx, "user.edit"), address(id, "")
	}
	view.Shell = m.frame.Page(r, view.Title, crumb(r))
	return f.Again(security.UserEdit(view)), nil
}

// sources are the choices of where a user comes from. A program stays one, and nobody becomes one.
func (m *Module) sources(ctx context.Context, d identity.Draft, isNew bool) []components.Option {
	option := func(v string) components.Option {
		return components.Option{Value: v, Label: i18n.T(ctx, "user.source."+v)}
	}
	if !isNew && d.Service {
		return []components.Option{option(service)}
	}
	out := []components.Option{option(string(identity.Local))}
	if m.identity.Directory() || d.Source == identity.LDAP {
		out = append(out, option(string(identity.LDAP)))
	}
	if m.identity.Provider() != nil || d.Source == identity.OIDC {
		out = append(out, option(string(identity.OIDC)))
	}
	if isNew {
		return append(out, option(service))
	}
	if len(out) == 1 {
		return nil // there is nothing to choose
	}
	return out
}

func (m *Module) confirm(r *http.Request) (web.Response, error) {
	if err := m.access.Require(r.Context(), identity.UserDelete); err != nil {
		return nil, err
	}
	return m.ask(r, http.StatusOK, nil)
}

func (m *Module) remove(r *http.Request) (web.Response, error) {
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	err = m.identity.Delete(r.Context(), id)
	if web.Conflicts(err) {
		return m.ask(r, http.StatusConflict, err)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(Path).Toast("user.deleted"), nil
}

// ask shows the question before deleting, or what stands in the way.
func (m *Module) ask(r *http.Request, status int, refused error) (web.Response, error) {
	ctx := r.Context()
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	u, err := m.identity.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	uses, err := m.uses(ctx, id)
	if err != nil {
		return nil, err
	}
	title := i18n.T(ctx, "user.delete.title", "name", u.Name)
	view := security.DeletePage{
		Shell: m.frame.Page(r, title, crumb(r)),
		Confirm: components.ConfirmProps{
			Title: title, Text: i18n.T(ctx, "user.delete.text"), Action: address(id, "/delete"),
			Submit: i18n.T(ctx, "security.delete_submit"), CancelURL: Path, Test: "user.delete",
		},
	}
	if len(uses) > 0 && refused == nil {
		refused = identity.ErrInUse.With("name", u.Name)
	}
	if refused != nil {
		view.Refused = &security.RefusedProps{
			Title: i18n.T(ctx, "security.in_use.title", "name", u.Name), Text: web.Message(ctx, refused), BackURL: Path,
		}
		if !errors.Is(refused, identity.ErrInUse) {
			view.Refused.Title = title
		}
		for i, use := range uses {
			if i == shownUses {
				view.Refused.More = i18n.T(ctx, "security.in_use.more")
				break
			}
			view.Refused.Links = append(view.Refused.Links, security.Link{Label: use.Name, Note: i18n.T(ctx, use.Kind), URL: use.URL})
		}
	}
	return web.Page(security.Delete(view)).Status(status), nil
}

func (m *Module) uses(ctx context.Context, id int64) ([]Use, error) {
	var all []Use
	for _, r := range m.referrers {
		uses, err := r.UserUses(ctx, id, shownUses+1-len(all))
		if err != nil {
			return nil, err
		}
		if all = append(all, uses...); len(all) > shownUses {
			break
		}
	}
	return all, nil
}

// askLink and makeLink hand out a one-time link: the way back in for somebody who
// forgot the password, without anybody choosing one for him.
func (m *Module) askLink(r *http.Request) (web.Response, error) {
	u, err := m.linked(r)
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	title := i18n.T(ctx, "user.link.title", "name", u.Name)
	return web.Page(security.Delete(security.DeletePage{
		Shell: m.frame.Page(r, title, crumb(r)),
		Confirm: components.ConfirmProps{
			Title: title, Text: i18n.T(ctx, "user.link.ask", "name", u.Name), Action: address(u.ID, "/link"),
			Submit: i18n.T(ctx, "user.link.make"), CancelURL: Path, Safe: true, Test: "user.link",
		},
	})), nil
}

func (m *Module) makeLink(r *http.Request) (web.Response, error) {
	u, err := m.linked(r)
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	token, err := m.identity.NewLink(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	title := i18n.T(ctx, "user.link.title", "name", u.Name)
	return web.Page(security.Secret(security.SecretPage{
		Shell: m.frame.Page(r, title, crumb(r)), Title: title,
		Text:   i18n.T(ctx, "user.link.text", "name", u.Name, "valid", i18n.Duration(ctx, linkLife)),
		Secret: m.link(token.Reveal()), Note: i18n.T(ctx, "user.link.note"), BackURL: Path,
	})), nil
}

// linkLife is how long identity's links hold.
const linkLife = 15 * time.Minute

func (m *Module) linked(r *http.Request) (identity.User, error) {
	id, err := web.ID(r)
	if err != nil {
		return identity.User{}, err
	}
	if err := m.access.Require(r.Context(), identity.UserEdit); err != nil {
		return identity.User{}, err
	}
	return m.identity.Get(r.Context(), id)
}

func crumb(r *http.Request) components.Crumb {
	return components.Crumb{Label: i18n.T(r.Context(), "user.title"), URL: Path}
}
