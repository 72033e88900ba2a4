package transfer

import (
	"github.com/go-chi/chi/v5"

	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/frame"
)

// Deps is what the module is built from.
type Deps struct {
	Services
	Lookups Lookups
	Site    *web.Site
	API     *dsapi.API
	Frame   *frame.Frame
}

// Module is the import and export of the product: rules, pages and endpoints.
type Module struct {
	*Service
	site  *web.Site
	pages *pages
	api   api
}

// New returns the module.
func New(d Deps) *Module {
	svc := NewService(d.Services, d.Lookups)
	return &Module{Service: svc, site: d.Site, pages: &pages{svc, d.Frame}, api: api{svc, d.API}}
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	p, h := m.pages, m.site.Handle
	r.Get("/projects/{project}/workflows/import-file", h(p.importForm))
	r.Post("/projects/{project}/workflows/import-file", h(p.importFile))
	r.Get("/projects/{project}/workflows/export", h(p.exportForm))
	r.Post("/projects/{project}/workflows/export", h(p.export))
}

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) { m.api.routes(r) }
