package project

import (
	"context"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/frame"
	"dorado/modules/security/crud"
	"dorado/views/components"
)

// Path is the address of the list.
const Path = frame.ProjectsPath

// RunStats counts the workflow instances and task instances of a project that started since then, by state. The module
// that knows what ran has it; boot hands it in with SetRunStats.
type RunStats func(ctx context.Context, project int64, since time.Time) (workflows, tasks []StateCount, err error)

// StateCount is how much is in a state. URL is the list of it.
type StateCount struct {
	State string
	Count int
	URL   string
}

// PageDeps are what the pages and endpoints need besides the service.
type PageDeps struct {
	Site  *web.Site
	API   *dsapi.API
	Frame *frame.Frame
}

// Module is the projects of the product: rules, pages and endpoints.
type Module struct {
	*Service
	site  *web.Site
	pages *pages
	api   api
}

// NewModule makes the module around its service.
func NewModule(svc *Service, d PageDeps) *Module {
	return &Module{Service: svc, site: d.Site, pages: &pages{svc: svc, frame: d.Frame}, api: api{svc, d.API}}
}

// SetRunStats hands in what the overview shows of runs. It must not be called once requests are served.
func (m *Module) SetRunStats(s RunStats) { m.pages.runs = s }

// Options are what the preferences of a project may name.
type Options struct {
	Tenants      []components.Option
	Environments []components.Option
	AlertGroups  []components.Option
}

// SetOptions hands in what preferences may name. It must not be called once requests are served.
func (m *Module) SetOptions(offers func(ctx context.Context, project int64) (Options, error)) {
	m.pages.offers = offers
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	p, h := m.pages, m.site.Handle
	r.Get(Path, h(p.index))
	r.Get(Path+"/new", h(p.new))
	r.Post(Path, h(p.create))
	r.Get(Path+"/{project}", h(p.overview))
	r.Get(Path+"/{project}/edit", h(p.edit))
	r.Post(Path+"/{project}", h(p.update))
	r.Get(Path+"/{project}/delete", h(p.confirm))
	r.Post(Path+"/{project}/delete", h(p.remove))
	r.Get(Path+"/{project}/members", h(p.members))
	r.Post(Path+"/{project}/members", h(p.setMember))
	r.Post(Path+"/{project}/members/{id}/delete", h(p.removeMember))
	m.settingsRoutes(r)
}

func (m *Module) settingsRoutes(r chi.Router) {
	p, h := m.pages, m.site.Handle
	list := Path + "/{project}/parameters"
	web.Resource{
		Path: list, Index: p.parameters(crud.Pages[Parameter, ParameterDraft].Index), New: p.parameters(crud.Pages[Parameter, ParameterDraft].New),
		Create: p.parameters(crud.Pages[Parameter, ParameterDraft].Create), Edit: p.parameters(crud.Pages[Parameter, ParameterDraft].Edit),
		Update: p.parameters(crud.Pages[Parameter, ParameterDraft].Update), Confirm: p.parameters(crud.Pages[Parameter, ParameterDraft].Confirm),
		Delete: p.parameters(crud.Pages[Parameter, ParameterDraft].Delete),
	}.Mount(r, m.site)
	r.Post(list+"/delete", h(p.deleteParameters))
	r.Get(list+"/{id}/uses", h(p.parameterUses))
	r.Get(Path+"/{project}/preferences", h(p.preferences))
	r.Post(Path+"/{project}/preferences", h(p.savePreferences))
	r.Get(Path+"/{project}/worker-groups", h(p.workerGroups))
	r.Post(Path+"/{project}/worker-groups", h(p.saveWorkerGroups))
}

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) {
	m.api.routes(r)
	m.api.settings(r)
}

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{
		{Group: frame.Main, Order: 20, Label: "project.title", Path: Path, Icon: "boxes"},
		{Group: frame.Project, Order: 10, Label: "project.overview", Path: Path + "/{project}", Icon: "grid"},
		{Group: frame.Project, Order: 70, Label: "parameter.title", Path: Path + "/{project}/parameters", Icon: "variable"},
		{Group: frame.Project, Order: 80, Label: "preference.title", Path: Path + "/{project}/preferences", Icon: "sliders"},
		{
			Group: frame.Project, Order: 85, Label: "project.groups", Path: Path + "/{project}/worker-groups", Icon: "group",
			Visible: func(ctx context.Context) bool { return m.Access.Can(ctx, AssignGroups) },
		},
		{Group: frame.Project, Order: 90, Label: "project.members", Path: Path + "/{project}/members", Icon: "users"},
	}
}

// Address is the page of a project; rest is what follows its code, such as "/members".
func Address(code int64, rest string) string { return Path + "/" + strconv.FormatInt(code, 10) + rest }

// Ref is what the frame of a page inside the project shows of it.
func Ref(p Project) frame.ProjectRef {
	return frame.ProjectRef{Code: p.Code, Name: p.Name, Note: p.OwnerName}
}
