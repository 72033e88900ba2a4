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
	Pages PageDeps
}

// Module is the schedules of the product: rules, pages and endpoints.
type Module struct {
	*Service
	pages pages
	api   api
}

// New makes the module. Workflows take their schedules along from now on, when they go online, offline, or are deleted;
// a tenant that one of them uses is not deleted.
func New(d Deps) *Module {
	svc := NewService(d.Services)
	d.Workflows.SetScheduler(svc)
	d.Workflows.SetSchedules(svc)
	d.Workflows.AddReferrer(svc)
	d.Tenants.AddReferrer(svc)
	return &Module{
		Service: svc, api: api{svc: svc, rest: d.API}, pages: pages{Service: svc, PageDeps: d.Pages, frame: d.Frame, site: d.Site},
	}
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) { m.pages.routes(r) }

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{
		{Group: frame.Project, Order: 50, Label: "timing.title", Path: "/projects/{project}/schedules", Icon: "clock"},
		{Group: frame.Project, Order: 51, Label: "timing.calendar_view", Path: "/projects/{project}/calendar", Icon: "cal"},
	}
}

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) { m.api.routes(r) }

// address is the page of a schedule.
func address(r *Schedule) string {
	return project.Address(r.ProjectCode, "/workflows/"+strconv.FormatInt(r.WorkflowCode, 10)+"/schedules")
}
