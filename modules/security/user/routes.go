package user

import (
	"context"
	"strconv"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/listing"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/frame"
	"dorado/modules/identity"
	"dorado/modules/security/queue"
	"dorado/modules/security/tenant"
)

// Path is the address of the list.
const Path = "/security/users"

// Use is one object that refers to a user.
type Use struct {
	Kind string // message key of what it is
	Name string
	URL  string
}

// Referrer is implemented by modules above that hold users.
type Referrer interface {
	// UserUses lists what refers to the user, at most limit of it.
	UserUses(ctx context.Context, id int64, limit int) ([]Use, error)
}

// Deps are what the module needs.
type Deps struct {
	Identity *identity.Service
	Access   *access.Service
	Tenants  *tenant.Service
	Queues   *queue.Service
	Site     *web.Site
	API      *dsapi.API
	Frame    *frame.Frame
	// Link makes the full address of a one-time sign-in link.
	Link func(token string) string
	// Browser names the program behind a user agent.
	Browser func(ctx context.Context, agent string) string
}

// Module is the users of the product: pages and endpoints.
type Module struct {
	site      *web.Site
	frame     *frame.Frame
	identity  *identity.Service
	access    *access.Service
	tenants   *tenant.Service
	queues    *queue.Service
	rest      *dsapi.API
	link      func(token string) string
	browser   func(ctx context.Context, agent string) string
	referrers []Referrer
}

// New makes the module. A tenant that a user holds is from now on not deleted.
func New(d Deps) *Module {
	m := &Module{
		site: d.Site, frame: d.Frame, identity: d.Identity, access: d.Access, tenants: d.Tenants, queues: d.Queues, rest: d.API, link: d.Link,
		browser: d.Browser,
	}
	d.Tenants.AddReferrer(m)
	d.Queues.AddReferrer(m)
	return m
}

// AddReferrer lets r name what refers to a user. It must not be called once
// requests are served.
func (m *Module) AddReferrer(r Referrer) { m.referrers = append(m.referrers, r) }

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	web.Resource{
		Path: Path, Index: m.index, New: m.new, Create: m.create, Show: m.show, Edit: m.edit, Update: m.update, Confirm: m.confirm, Delete: m.remove,
	}.Mount(r, m.site)
	r.Get(Path+"/{id}/link", m.site.Handle(m.askLink))
	r.Post(Path+"/{id}/link", m.site.Handle(m.makeLink))
	r.Post(Path+"/{id}/activate", m.site.Handle(m.activatePage))
	r.Post(Path+"/{id}/unlock", m.site.Handle(m.unlock))
	r.Post(Path+"/{id}/sessions/end", m.site.Handle(m.endSessions))
	r.Post(Path+"/{id}/sessions/{session}/end", m.site.Handle(m.endSession))
	r.Post(Path+"/{id}/tokens/end", m.site.Handle(m.endTokens))
}

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{{
		Group: frame.Security, Order: 20, Label: "user.title", Path: Path, Icon: "users",
		Visible: func(ctx context.Context) bool { return m.access.Can(ctx, identity.UserRead) },
	}}
}

// TenantUses lists users that hold a tenant; it is tenant.Referrer.
func (m *Module) TenantUses(ctx context.Context, t tenant.Tenant, limit int) ([]tenant.Use, error) {
	held, err := m.holders(ctx, listing.Spec{Filters: map[string]string{"of": "tenant_id"}}, strconv.FormatInt(t.ID, 10), limit)
	uses := make([]tenant.Use, 0, len(held))
	for _, u := range held {
		uses = append(uses, tenant.Use{Kind: "user.one", Name: u.Name, URL: address(u.ID, "/edit")})
	}
	return uses, err
}

// QueueUses lists users that chose a queue; it is queue.Referrer.
func (m *Module) QueueUses(ctx context.Context, q queue.Queue, limit int) ([]queue.Use, error) {
	held, err := m.holders(ctx, listing.Spec{Filters: map[string]string{"of": "queue"}}, q.Value, limit)
	uses := make([]queue.Use, 0, len(held))
	for _, u := range held {
		uses = append(uses, queue.Use{Kind: "user.one", Name: u.Name, URL: address(u.ID, "/edit")})
	}
	return uses, err
}

// holders are the users for whom the filter of spec has this value. Whether
// something is in use does not depend on who asks, so the program itself asks.
func (m *Module) holders(ctx context.Context, spec listing.Spec, value string, limit int) ([]identity.User, error) {
	if limit <= 0 {
		return nil, nil
	}
	spec.Columns, spec.Default, spec.ID = map[string]string{"name": "name"}, "name", "id"
	page, err := m.identity.List(access.WithPrincipal(ctx, access.System()), listing.New(spec, 1, limit, "").WithFilter("of", value))
	return page.Items, err
}

func address(id int64, action string) string { return Path + "/" + strconv.FormatInt(id, 10) + action }
