package workflow

import (
	"context"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/frame"
)

// Bar is one of the last runs of a workflow, as the list draws it.
type Bar struct {
	State string
	At    time.Time
	Took  time.Duration
	URL   string // of the run
}

// RunHistory returns the last runs of each workflow, oldest first. The module that knows what ran has it.
type RunHistory func(ctx context.Context, codes []int64) (map[int64][]Bar, error)

// PageDeps are what the pages and endpoints need besides the service.
type PageDeps struct {
	Site  *web.Site
	API   *dsapi.API
	Frame *frame.Frame
	// Run is the permission that the button Run needs; the page behind it is {workflow}/run of the module above. Empty
	// leaves the button out.
	Run access.Permission
	// WorkerGroups lists the groups a task can be sent to; nil means that there is only "default".
	WorkerGroups func(ctx context.Context) ([]string, error)
	// Lists are what the fields of a task offer.
	Lists FormLists
	// History is nil until something can run.
	History RunHistory
	// Timings is nil as long as there are no schedules.
	Timings *Timings
}

// Module is the workflows of the product: rules, pages and endpoints.
type Module struct {
	*Service
	site  *web.Site
	pages *pages
	api   api
}

// NewModule makes the module around its service.
func NewModule(svc *Service, d PageDeps) *Module {
	return &Module{
		Service: svc, site: d.Site, api: api{svc, d.API},
		pages: &pages{svc: svc, frame: d.Frame, run: d.Run, groups: d.WorkerGroups, lists: d.Lists, history: d.History, timings: d.Timings},
	}
}

// Routes adds the pages and what the editor calls.
func (m *Module) Routes(r chi.Router) {
	p, h := m.pages, m.site.Handle
	const list = "/projects/{project}/workflows"
	const one = list + "/{workflow}"
	r.Get(list, h(p.index))
	r.Get(list+"/new", h(p.new))
	r.Post(list+"/example", h(p.example))
	r.Get(list+"/choices", h(p.workflowChoices))
	r.Get(list+"/choices/projects", h(p.projectChoices))
	r.Post(list+"/preview", h(p.preview))
	r.Get(one+"/tasks", h(p.taskChoices))
	r.Get(one+"/dependants", h(p.dependantsOf))
	r.Get(one, h(p.editor))
	r.Post(one+"/release", h(p.release))
	r.Post(one+"/copy", h(p.copy))
	r.Get(one+"/delete", h(p.confirm))
	r.Post(one+"/delete", h(p.remove))
	r.Post(one+"/discard", h(p.discard))
	m.sourceRoutes(r, list, one)
	r.Get(one+"/versions", h(p.versions))
	r.Get(one+"/versions/compare", h(p.compare))
	r.Get(one+"/versions/{version}", h(p.version))
	r.Post(one+"/versions/{version}/restore", h(p.restore))
	r.Get(one+"/versions/{version}/delete", h(p.confirmVersion))
	r.Post(one+"/versions/{version}/delete", h(p.removeVersion))

	r.Post(one+"/save", h(p.save))
	r.Put(one+"/draft", h(p.saveDraft))
	r.Delete(one+"/draft", h(p.deleteDraft))
	r.Post(one+"/layout", h(p.layout))
	r.Post(one+"/codes", h(p.codes))
	r.Post(one+"/check", h(p.check))
	r.Post(one+"/online", h(p.online))
	r.Post(one+"/offline", h(p.offline))
}

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) { m.api.routes(r) }

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{{Group: frame.Project, Order: 20, Label: "workflow.title", Path: "/projects/{project}/workflows", Icon: "flow"}}
}
