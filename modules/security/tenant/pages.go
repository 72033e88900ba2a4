package tenant

import (
	"net/http"
	"strconv"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/frame"
	"dorado/modules/security/queue"
	"dorado/views/components"
	"dorado/views/security"
)

// shownUses is how many objects in the way of deleting are named.
const shownUses = 20

type pages struct {
	svc    *Service
	queues *queue.Service
	frame  *frame.Frame
	access *access.Service
}

func (p pages) index(r *http.Request) (web.Response, error) {
	if err := p.access.Require(r.Context(), Manage); err != nil {
		return nil, err
	}
	q := frame.Query(r, Spec())
	page, err := p.svc.Page(r.Context(), q)
	if err != nil {
		return nil, err
	}
	view := security.TenantsPage{
		Shell: p.frame.Page(r, i18n.T(r.Context(), "tenant.title")), List: frame.Listed(Path, q, page), NewURL: Path + "/new",
	}
	for _, t := range page.Items {
		view.Rows = append(view.Rows, security.TenantRow{
			Code: t.Code, Queue: t.QueueName, Description: t.Description, UpdatedAt: t.UpdatedAt,
			EditURL: address(t.ID, "/edit"), DeleteURL: address(t.ID, "/delete"),
		})
	}
	return web.Page(security.Tenants(view)), nil
}

func (p pages) new(r *http.Request) (web.Response, error) {
	return p.form(r, 0, Draft{}, "", nil)
}

func (p pages) create(r *http.Request) (web.Response, error) {
	f := web.ReadForm(r)
	d := read(f)
	t, err := web.Submit(f, func() (Tenant, error) { return p.svc.Create(r.Context(), d) })
	if f.Rejects(err) {
		return p.form(r, 0, d, "", f)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(Path).Toast("tenant.created", "name", t.Code), nil
}

func (p pages) edit(r *http.Request) (web.Response, error) {
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	t, err := p.svc.Get(r.Context(), id)
	if err != nil {
		return nil, err
	}
	return p.form(r, id, Draft{Code: t.Code, QueueID: t.QueueID, Description: t.Description}, web.Stamp(t.UpdatedAt), nil)
}

func (p pages) update(r *http.Request) (web.Response, error) {
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	d := read(f)
	t, err := web.Submit(f, func() (Tenant, error) { return p.svc.Update(r.Context(), id, d, f.Stamp()) })
	if f.Rejects(err) {
		return p.form(r, id, d, f.Text(web.StampField), f)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(Path).Toast("tenant.saved", "name", t.Code), nil
}

func (p pages) confirm(r *http.Request) (web.Response, error) {
	if err := p.access.Require(r.Context(), Manage); err != nil {
		return nil, err
	}
	return p.ask(r, http.StatusOK)
}

func (p pages) remove(r *http.Request) (web.Response, error) {
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	err = p.svc.Delete(r.Context(), id)
	if web.Conflicts(err) {
		return p.ask(r, http.StatusConflict)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(Path).Toast("tenant.deleted"), nil
}

// ask shows the question before deleting, or what stands in the way.
func (p pages) ask(r *http.Request, status int) (web.Response, error) {
	ctx := r.Context()
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	t, uses, err := p.svc.Uses(ctx, id, shownUses+1)
	if err != nil {
		return nil, err
	}
	title := i18n.T(ctx, "tenant.delete.title", "name", t.Code)
	view := security.DeletePage{
		Shell: p.frame.Page(r, title, crumb(r)),
		Confirm: components.ConfirmProps{
			Title: title, Text: i18n.T(ctx, "tenant.delete.text"), Action: address(id, "/delete"),
			Submit: i18n.T(ctx, "security.delete_submit"), CancelURL: Path, Test: "tenant.delete",
		},
	}
	if len(uses) > 0 {
		view.Refused = &security.RefusedProps{
			Title: i18n.T(ctx, "security.in_use.title", "name", t.Code), Text: i18n.T(ctx, ErrInUse.Key, "name", t.Code), BackURL: Path,
		}
		for i, u := range uses {
			if i == shownUses {
				view.Refused.More = i18n.T(ctx, "security.in_use.more")
				break
			}
			view.Refused.Links = append(view.Refused.Links, security.Link{Label: u.Name, Note: i18n.T(ctx, u.Kind), URL: u.URL})
		}
	}
	return web.Page(security.Delete(view)).Status(status), nil
}

// form shows the form of a new tenant (id 0) or of one, again with its faults when
// f has any.
func (p pages) form(r *http.Request, id int64, d Draft, stamp string, f *web.Form) (web.Response, error) {
	ctx := r.Context()
	if err := p.access.Require(ctx, Manage); err != nil {
		return nil, err
	}
	queues, err := p.queues.All(ctx)
	if err != nil {
		return nil, err
	}
	view := security.TenantForm{
		Title: i18n.T(ctx, "tenant.create"), Action: Path, CancelURL: Path, New: id == 0,
		Code: d.Code, QueueID: strconv.FormatInt(d.QueueID, 10), Description: d.Description, Stamp: stamp,
		Error: f.Notice(), Errors: f.Errors(),
	}
	for _, q := range queues {
		view.Queues = append(view.Queues, components.Option{Value: strconv.FormatInt(q.ID, 10), Label: q.Name})
		if d.QueueID == 0 && q.Name == queue.Default {
			view.QueueID = strconv.FormatInt(q.ID, 10)
		}
	}
	if id != 0 {
		view.Title, view.Action = i18n.T(ctx, "tenant.edit"), address(id, "")
	}
	view.Shell = p.frame.Page(r, view.Title, crumb(r))
	return f.Again(security.TenantEdit(view)), nil
}

func crumb(r *http.Request) components.Crumb {
	return components.Crumb{Label: i18n.T(r.Context(), "tenant.title"), URL: Path}
}

func read(f *web.Form) Draft {
	return Draft{Code: f.Text("code"), QueueID: f.Int64("queue_id"), Description: f.Text("description")}
}
