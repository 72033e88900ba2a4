package tenant

import (
	"context"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/db"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/frame"
	"dorado/modules/security/crud"
	"dorado/modules/security/queue"
)

// Path is the address of the list.
const Path = "/security/tenants"

// Deps are what the module needs.
type Deps struct {
	DB     *db.DB
	Access *access.Service
	Audit  *audit.Service
	Queues *queue.Service
	Site   *web.Site
	API    *dsapi.API
	Frame  *frame.Frame
	Now    func() time.Time // time.Now when nil
}

// Module is the tenants of the product: rules, pages and endpoints.
type Module struct {
	*Service
	site  *web.Site
	pages crud.Pages[Tenant, Draft]
	api   api
}

// New makes the module. A queue that one of its tenants uses is from now on not deleted.
func New(d Deps) *Module {
	if d.Now == nil {
		d.Now = time.Now
	}
	svc := &Service{store: store{d.DB}, access: d.Access}
	svc.Keeper = crud.Keeper[Tenant, Draft]{
		DB: d.DB, Audit: d.Audit, Now: d.Now, Noun: "tenant", Store: svc.store, InUse: ErrInUse, Check: fix, Referring: svc.referring,
		MayView: crud.Everywhere[Tenant](d.Access, View), MayChange: crud.Everywhere[Tenant](d.Access, Manage),
	}
	d.Queues.AddReferrer(svc)
	return &Module{Service: svc, site: d.Site, pages: pages(svc, d.Queues, d.Frame), api: api{svc: svc, rest: d.API}}
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) { m.pages.Mount(r, m.site) }

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) { m.api.routes(r) }

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{{
		Group: frame.Security, Order: 10, Label: "tenant.title", Path: Path, Icon: "tenant",
		Visible: func(ctx context.Context) bool { return m.access.Can(ctx, Manage) },
	}}
}

func address(id int64, action string) string { return Path + "/" + strconv.FormatInt(id, 10) + action }
