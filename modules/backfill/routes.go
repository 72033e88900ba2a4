package backfill

import (
	"context"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/frame"
)

// Deps are what the module needs.
type Deps struct {
	Services
	Site  *web.Site
	API   *dsapi.API
	Frame *frame.Frame
}

// Module is what backfills are: rules, pages and endpoints. They are started by the endpoint of instances.
type Module struct {
	*Service
	pages pages
	rest  *dsapi.API
}

// New makes the module.
func New(d Deps) *Module {
	svc := NewService(d.Services)
	return &Module{Service: svc, rest: d.API, pages: pages{Service: svc, frame: d.Frame, site: d.Site}}
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	get := func(path string, h web.Handler) { r.Get("/projects/{project}/backfills"+path, m.pages.site.Handle(h)) }
	post := func(path string, h web.Handler) { r.Post("/projects/{project}/backfills"+path, m.pages.site.Handle(h)) }

	get("", m.pages.list)
	get("/{id}", m.pages.show)
	get("/{id}/events", m.pages.events)
	post("/{id}/pause", m.pages.do("backfill.paused_now", m.Pause))
	post("/{id}/resume", m.pages.do("backfill.resumed", m.Resume))
	post("/{id}/rerun", m.pages.do("backfill.rerunning", m.RerunFailed))
	get("/{id}/cancel", m.pages.cancelForm)
	post("/{id}/cancel", m.pages.cancel)
	get("/{id}/width", m.pages.widthForm)
	post("/{id}/width", m.pages.width)
}

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	everybody := func(context.Context) bool { return true } // whoever may see the project may see what ran in it
	return []frame.Entry{
		{Group: frame.Project, Order: 50, Label: "backfill.title", Path: "/projects/{project}/backfills", Icon: "history", Visible: everybody},
	}
}
