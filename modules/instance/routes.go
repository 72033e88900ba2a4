package instance

import (
	"context"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/frame"
	"dorado/plugins/catalog"
)

// Deps are what the module needs.
type Deps struct {
	Services
	Catalog *catalog.Catalog // task types, for the canvas
	Site    *web.Site
	API     *dsapi.API
	Frame   *frame.Frame
}

// Module is what runs: rules, pages and endpoints.
type Module struct {
	*Service
	pages pages
	api   api
}

// New makes the module. A workflow or a tenant that one of its instances uses is from now on not deleted.
func New(d Deps) *Module {
	svc := NewService(d.Services)
	d.Workflows.AddReferrer(svc)
	d.Tenants.AddReferrer(svc)
	return &Module{
		Service: svc,
		pages:   pages{Service: svc, frame: d.Frame, site: d.Site, catalog: d.Catalog, gate: &gate{busy: map[int64]bool{}}},
		api:     api{svc: svc, rest: d.API},
	}
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	get := func(path string, h web.Handler) { r.Get("/projects/{project}"+path, m.pages.site.Handle(h)) }
	post := func(path string, h web.Handler) { r.Post("/projects/{project}"+path, m.pages.site.Handle(h)) }

	get("/workflows/{workflow}/run", m.pages.runForm)
	post("/workflows/{workflow}/run", m.pages.run)
	post("/workflows/{workflow}/presets/{preset}/delete", m.pages.deletePreset)

	get("/workflows/{workflow}/grid", m.pages.gridPage)
	get("/workflows/{workflow}/trends", m.pages.trends)

	get("/lineage", m.pages.lineage)

	get("/instances", m.pages.list)
	get("/instances/events", m.pages.listEvents)
	post("/instances/batch", m.pages.batch)
	get("/instances/bulk", m.pages.bulkPreview)
	post("/instances/bulk", m.pages.bulk)
	get("/instances/{id}", m.pages.show)
	get("/instances/{id}/events", m.pages.events)
	get("/instances/{id}/timeline.csv", m.pages.timelineCSV)
	get("/instances/{id}/compare", m.pages.comparePage)
	get("/instances/{id}/task", m.pages.panel)
	get("/instances/{id}/operate", m.pages.confirm)
	post("/instances/{id}/operate", m.pages.operate)
	get("/instances/{id}/logs", m.pages.logs)
	get("/instances/{id}/logs/raw", m.pages.logsRaw)

	get("/workflows/{workflow}/tasks/{task}/start", m.pages.streamForm)
	post("/workflows/{workflow}/tasks/{task}/start", m.pages.startStream)

	get("/task-instances", m.pages.tasks)
	get("/task-instances/stream", m.pages.streams)
	get("/task-instances/stream/events", m.pages.streamEvents)
	get("/task-instances/{id}", m.pages.task)
	get("/task-instances/{id}/act", m.pages.askAct)
	post("/task-instances/{id}/act", m.pages.act)
	get("/task-instances/{id}/log", m.pages.log)
	get("/task-instances/{id}/log/lines", m.pages.logLines)
	get("/task-instances/{id}/log/search", m.pages.logSearch)
	get("/task-instances/{id}/log/stream", m.pages.logStream)
	get("/task-instances/{id}/log/raw", m.pages.logRaw)
}

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) { m.api.routes(r) }

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	everybody := func(context.Context) bool { return true } // whoever may see the project may see what ran in it
	return []frame.Entry{
		{Group: frame.Project, Order: 30, Label: "instance.title", Path: "/projects/{project}/instances", Icon: "runs", Visible: everybody},
		{Group: frame.Project, Order: 40, Label: "instance.tasks.title", Path: "/projects/{project}/task-instances", Icon: "tasks", Visible: everybody},
		{Group: frame.Project, Order: 45, Label: "operate.lineage.title", Path: "/projects/{project}/lineage", Icon: "relation", Visible: everybody},
	}
}
