package alertinstance

import (
	"context"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/db"
	"dorado/app/kit/secret"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/frame"
	"dorado/modules/security/crud"
	"dorado/plugins/catalog"
)

// Path is the address of the list.
const Path = "/security/alarm-instances"

// Deps are what the module needs.
type Deps struct {
	DB      *db.DB
	Access  *access.Service
	Audit   *audit.Service
	Sealer  *secret.Sealer
	Plugins *catalog.Alerts
	Site    *web.Site
	API     *dsapi.API
	Frame   *frame.Frame
	Version string           // of the program, which clients ask for beside its plugins
	Now     func() time.Time // time.Now when nil
}

// Module is the alert instances of the product: rules, pages and endpoints.
type Module struct {
	*Service
	site  *web.Site
	pages pages
	api   api
}

// New makes the module.
func New(d Deps) *Module {
	if d.Now == nil {
		d.Now = time.Now
	}
	svc := &Service{store: store{d.DB}, access: d.Access, audit: d.Audit, plugins: d.Plugins, sealer: d.Sealer, now: d.Now}
	svc.Keeper = crud.Keeper[Instance, Draft]{
		DB: d.DB, Audit: d.Audit, Now: d.Now, Noun: "alertinstance", Store: svc.store, InUse: ErrInUse, Referring: svc.referring, Check: svc.complete,
		MayView: crud.Everywhere[Instance](d.Access, View), MayChange: crud.Everywhere[Instance](d.Access, Manage),
	}
	return &Module{Service: svc, site: d.Site, pages: newPages(svc, d.Frame), api: api{svc: svc, rest: d.API, version: d.Version}}
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) { m.pages.mount(r, m.site) }

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) { m.api.routes(r) }

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{{
		Group: frame.Security, Order: 36, Label: "alertinstance.title", Path: Path, Icon: "siren",
		Visible: func(ctx context.Context) bool { return m.access.Can(ctx, Manage) },
	}}
}
