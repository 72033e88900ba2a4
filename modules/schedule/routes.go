package schedule

import (
	"strconv"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/frame"
	"dorado/modules/project"
)

// Deps are what the module needs.
type Deps struct {
	Services
	Site  *web.Site
	API   *dsapi.API
	Frame *frame.Frame
}

// Module is the schedules of the product: rules, pages and endpoints.
type Module struct {
	*Service
	api api
}

// New makes the module. Workflows take their schedules along from now on, when they go online, offline, or are deleted;
// a tenant that one of them uses is not deleted.
func New(d Deps) *Module {
	svc := NewService(d.Services)
	d.Workflows.SetScheduler(svc)
	d.Workflows.AddReferrer(svc)
	d.Tenants.AddReferrer(svc)
	return &Module{Service: svc, api: api{svc: svc, rest: d.API}}
}

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) { m.api.routes(r) }

// address is the page of a schedule.
func address(r *Schedule) string {
	return project.Address(r.ProjectCode, "/workflows/"+strconv.FormatInt(r.WorkflowCode, 10)+"/schedules")
}
