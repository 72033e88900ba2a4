package calendar

import (
	"context"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/db"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/frame"
	"dorado/modules/security/crud"
)

// Path is the address of the list.
const Path = "/security/calendars"

// Deps are what the module needs.
type Deps struct {
	DB     *db.DB
	Access *access.Service
	Audit  *audit.Service
	Site   *web.Site
	Frame  *frame.Frame
	Now    func() time.Time // time.Now when nil
}

// Module is the business calendars of the product: rules and pages.
type Module struct {
	*Service
	site  *web.Site
	pages *pages
}

// New makes the module.
func New(d Deps) *Module {
	if d.Now == nil {
		d.Now = time.Now
	}
	svc := &Service{store: store{d.DB}, access: d.Access}
	svc.Keeper = crud.Keeper[Calendar, Draft]{
		DB: d.DB, Audit: d.Audit, Now: d.Now, Noun: "calendar", Store: svc.store, InUse: ErrInUse, Referring: svc.referring,
		MayView: crud.Everywhere[Calendar](d.Access, View), MayChange: crud.Everywhere[Calendar](d.Access, Manage), Changed: svc.changed,
	}
	return &Module{Service: svc, site: d.Site, pages: newPages(svc, d.Access, d.Frame)}
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	p, h := m.pages, m.site.Handle
	p.Mount(r, m.site)
	r.Get(Path+"/{id}", h(p.show))
	r.Get(Path+"/{id}/days.txt", h(p.export))
	r.Post(Path+"/{id}/days", h(p.put))
	r.Post(Path+"/{id}/days/delete", h(p.removeDay))
	r.Post(Path+"/{id}/toggle", h(p.toggle))
}

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{{
		Group: frame.Security, Order: 55, Label: "calendar.title", Path: Path, Icon: "cal",
		Visible: func(ctx context.Context) bool { return m.access.Can(ctx, Manage) },
	}}
}
