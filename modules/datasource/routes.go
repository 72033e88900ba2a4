package datasource

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
const Path = "/datasources"

// Deps are what the module needs.
type Deps struct {
	DB     *db.DB
	Access *access.Service
	Audit  *audit.Service
	Sealer *secret.Sealer
	Types  *catalog.DataSources
	Site   *web.Site
	API    *dsapi.API
	Frame  *frame.Frame
	Now    func() time.Time // time.Now when nil
}

// Module is the data sources of the product: rules, pages and endpoints.
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
	svc := &Service{store: store{d.DB, d.Access}, access: d.Access, audit: d.Audit, types: d.Types, sealer: d.Sealer, turns: turns{now: map[int64]int{}}}
	svc.Keeper = crud.Keeper[DataSource, Draft]{
		DB: d.DB, Audit: d.Audit, Now: d.Now, Noun: "datasource", Store: svc.store, InUse: ErrInUse, Referring: svc.referring, Check: svc.complete,
		MayView: svc.may(View, access.PermRead), MayChange: svc.may(Manage, access.PermAll),
	}
	return &Module{Service: svc, site: d.Site, pages: newPages(svc, d.Frame), api: api{svc: svc, rest: d.API}}
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) { m.pages.mount(r, m.site) }

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) { m.api.routes(r) }

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{{
		Group: frame.Library, Order: 20, Label: "datasource.title", Path: Path, Icon: "data",
		Visible: func(ctx context.Context) bool { return m.access.Can(ctx, View) },
	}}
}
