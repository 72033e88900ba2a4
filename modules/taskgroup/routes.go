package taskgroup

import (
	"context"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/db"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/frame"
	"dorado/modules/project"
	"dorado/modules/security/crud"
)

// Addresses of the list and of the queue.
const (
	Path      = "/resources/task-groups"
	QueuePath = Path + "/queue"
)

// Deps are what the module needs.
type Deps struct {
	DB       *db.DB
	Access   *access.Service
	Audit    *audit.Service
	Projects *project.Service
	Site     *web.Site
	API      *dsapi.API
	Frame    *frame.Frame
	Now      func() time.Time // time.Now when nil
}

// Module is the task groups of the product: rules, pages and endpoints.
type Module struct {
	*Service
	site  *web.Site
	pages *pages
	api   api
}

// New makes the module. The groups of a project are from now on deleted with it.
func New(d Deps) *Module {
	if d.Now == nil {
		d.Now = time.Now
	}
	svc := &Service{store: scoped{store{d.DB}, d.Access}, access: d.Access, projects: d.Projects}
	svc.Keeper = crud.Keeper[Group, Draft]{
		DB: d.DB, Audit: d.Audit, Now: d.Now, Noun: "taskgroup", Store: svc.store, InUse: ErrInUse, Check: svc.check, Referring: svc.referring,
		MayView: svc.mayView, MayChange: svc.mayChange, Changed: crud.TellMasters[Group](d.DB),
	}
	d.Projects.OnDelete(svc.ProjectDeleted)
	return &Module{Service: svc, site: d.Site, pages: newPages(svc, d.Frame), api: api{svc: svc, rest: d.API}}
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	p, h := m.pages, m.site.Handle
	p.Mount(r, m.site)
	r.Post(Path+"/{id}/close", h(p.closeGroup))
	r.Post(Path+"/{id}/start", h(p.startGroup))
	r.Get(QueuePath, h(p.queue))
	r.Get(QueuePath+"/{id}/priority", h(p.askPriority))
	r.Post(QueuePath+"/{id}/priority", h(p.setPriority))
	r.Get(QueuePath+"/{id}/start", h(p.askStart))
	r.Post(QueuePath+"/{id}/start", h(p.forceStart))
}

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) { m.api.routes(r) }

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	visible := func(ctx context.Context) bool { return m.access.Can(ctx, View) }
	return []frame.Entry{
		{Group: frame.Library, Order: 30, Label: "taskgroup.title", Path: Path, Icon: "layers", Visible: visible},
		{Group: frame.Library, Order: 31, Label: "taskgroup.queue.title", Path: QueuePath, Icon: "hourglass", Visible: visible},
	}
}

func queueAddress(id int64, action string) string {
	return QueuePath + "/" + strconv.FormatInt(id, 10) + action
}
