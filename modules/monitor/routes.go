package monitor

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/frame"
)

// Addresses of the pages.
const (
	MastersPath    = "/monitor/masters"
	WorkersPath    = "/monitor/workers"
	AlertsPath     = "/monitor/alert-servers"
	DatabasePath   = "/monitor/db"
	RegistryPath   = "/monitor/registry"
	StatisticsPath = "/monitor/statistics"
	RunningPath    = "/monitor/running"
	EventsPath     = "/monitor/events"
)

// Deps are what the module needs.
type Deps struct {
	Services
	Site  *web.Site
	API   *dsapi.API
	Frame *frame.Frame
}

// Module is the monitor of the product: rules, pages and endpoints.
type Module struct {
	*Service
	pages pages
	api   api
}

// New makes the module.
func New(d Deps) *Module {
	svc := NewService(d.Services)
	return &Module{Service: svc, pages: pages{Service: svc, frame: d.Frame, site: d.Site}, api: api{svc: svc, rest: d.API}}
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	p := m.pages
	get := func(path string, h web.Handler) { r.Get(path, p.site.Handle(h)) }
	post := func(path string, h web.Handler) { r.Post(path, p.site.Handle(h)) }
	for path, show := range map[string]shower{
		MastersPath: p.masters, WorkersPath: p.workers, AlertsPath: p.alerts, DatabasePath: p.database, RegistryPath: p.registry,
		StatisticsPath: p.statistics, RunningPath: p.running, EventsPath: p.events,
	} {
		get(path, p.page(show))
		get(path+"/live", p.stream(show))
	}
	for _, path := range []string{MastersPath, WorkersPath, AlertsPath} {
		get(path+"/directory", p.directory)
	}
	get(WorkersPath+"/drain", p.askDrain)
	post(WorkersPath+"/drain", p.drain(true))
	post(WorkersPath+"/undrain", p.drain(false))
	post(StatisticsPath+"/commands/{id}/retry", p.retryCommand)
	get(StatisticsPath+"/commands/{id}/discard", p.askDiscard)
	post(StatisticsPath+"/commands/{id}/discard", p.discardCommand)
	for old, now := range map[string]string{ // where DolphinScheduler has them
		"/monitor": MastersPath, "/monitor/master": MastersPath, "/monitor/worker": WorkersPath, "/monitor/alert_server": AlertsPath,
		"/monitor/audit-log": "/monitor/audit",
	} {
		get(old, func(*http.Request) (web.Response, error) { return web.Redirect(now), nil })
	}
}

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) { m.api.routes(r) }

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	view := func(ctx context.Context) bool { return m.Access.Can(ctx, View) }
	return []frame.Entry{
		{Group: frame.Monitor, Order: 10, Label: "monitor.masters.title", Path: MastersPath, Icon: "server", Visible: view},
		{Group: frame.Monitor, Order: 11, Label: "monitor.workers.title", Path: WorkersPath, Icon: "cpu", Visible: view},
		{Group: frame.Monitor, Order: 12, Label: "monitor.alerts.title", Path: AlertsPath, Icon: "siren", Visible: view},
		{Group: frame.Monitor, Order: 13, Label: "monitor.db.title", Path: DatabasePath, Icon: "data", Visible: view},
		{
			Group: frame.Monitor, Order: 14, Label: "monitor.registry.title", Path: RegistryPath, Icon: "network",
			Visible: func(ctx context.Context) bool { return m.Access.Can(ctx, Manage) },
		},
		{Group: frame.Monitor, Order: 20, Label: "monitor.statistics.title", Path: StatisticsPath, Icon: "bars", Visible: view},
		{Group: frame.Monitor, Order: 30, Label: "monitor.running.title", Path: RunningPath, Icon: "activity", Visible: view},
		{Group: frame.Monitor, Order: 40, Label: "monitor.event.title", Path: EventsPath, Icon: "flag", Visible: view},
	}
}
