package quality

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/db"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/frame"
	"dorado/plugins/catalog"
)

// Addresses of the pages.
const (
	RulesPath   = "/data-quality/rules"
	ResultsPath = "/data-quality/results"
)

// Deps are what the module needs.
type Deps struct {
	DB     *db.DB
	Access *access.Service
	Types  *catalog.DataSources
	Site   *web.Site
	API    *dsapi.API
	Frame  *frame.Frame
}

// Module is the pages and endpoints of data quality.
type Module struct {
	*Service
	types *catalog.DataSources
	site  *web.Site
	rest  *dsapi.API
	frame *frame.Frame
}

// New makes the module.
func New(d Deps) *Module {
	return &Module{Service: &Service{db: d.DB, access: d.Access}, types: d.Types, site: d.Site, rest: d.API, frame: d.Frame}
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	r.Get(RulesPath, m.site.Handle(m.rules))
	r.Get(ResultsPath, m.site.Handle(m.results))
	r.Get("/projects/{project}/task-instances/{id}/quality", m.site.Handle(m.result))
	r.Get("/projects/{project}/task-instances/{id}/quality/rows.csv", m.site.Handle(m.rowsCSV))
	for old, now := range map[string]string{ // where DolphinScheduler has them
		"/data-quality": ResultsPath, "/data-quality/task-result": ResultsPath, "/data-quality/rule": RulesPath,
	} {
		r.Get(old, m.site.Handle(func(*http.Request) (web.Response, error) { return web.Redirect(now), nil }))
	}
}

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	visible := func(ctx context.Context) bool { return m.access.Can(ctx, View) }
	return []frame.Entry{
		{Group: frame.Library, Order: 40, Label: "quality.results.title", Path: ResultsPath, Icon: "quality", Visible: visible},
		{Group: frame.Library, Order: 41, Label: "quality.rules.title", Path: RulesPath, Icon: "book", Visible: visible},
	}
}
