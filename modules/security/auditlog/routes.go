package auditlog

import (
	"context"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/frame"
	"dorado/views/components"
)

// Path is the address of the log.
const Path = "/monitor/audit"

// Deps are what the module needs.
type Deps struct {
	Audit  *audit.Service
	Access *access.Service
	Site   *web.Site
	API    *dsapi.API
	Frame  *frame.Frame
}

// Module is the pages and the REST interface of the audit log.
type Module struct {
	audit    *audit.Service
	access   *access.Service
	site     *web.Site
	rest     *dsapi.API
	frame    *frame.Frame
	projects func(ctx context.Context) ([]components.Option, error)
}

// New makes the module.
func New(d Deps) *Module {
	return &Module{audit: d.Audit, access: d.Access, site: d.Site, rest: d.API, frame: d.Frame}
}

// SetProjects hands in the projects one can filter by: their codes and names. It must not be called once requests are
// served.
func (m *Module) SetProjects(projects func(ctx context.Context) ([]components.Option, error)) {
	m.projects = projects
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	r.Get(Path, m.site.Handle(m.index))
	r.Get(Path+"/export", m.site.Handle(m.export))
	r.Get(Path+"/{id}", m.site.Handle(m.show))
}

// API adds the REST interface.
func (m *Module) API(r chi.Router) {
	r.Get("/projects/audit/audit-log-list", m.rest.OK(listFailed, m.restList))
	r.Get("/projects/audit/audit-log-operation-type", m.rest.OK(listFailed, m.restOperations))
	r.Get("/projects/audit/audit-log-model-type", m.rest.OK(listFailed, m.restModels))
}

// Menu is where the page stands in the navigation.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{{
		Group: frame.Monitor, Order: 50, Label: "auditlog.title", Path: Path, Icon: "history",
		Visible: func(ctx context.Context) bool { return m.access.Can(ctx, access.AuditRead) },
	}}
}
