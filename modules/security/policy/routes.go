package policy

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

// Deps are what the module needs.
type Deps struct {
	DB     *db.DB
	Access *access.Service
	Audit  *audit.Service
	Places Places
	Site   *web.Site
	Frame  *frame.Frame
	Now    func() time.Time // time.Now when nil
}

// Module is the rules of administrators: rules about them, and pages.
type Module struct {
	*Service
	site  *web.Site
	pages crud.Pages[Rule, Draft]
	frame *frame.Frame
}

// New makes the module.
func New(d Deps) *Module {
	if d.Now == nil {
		d.Now = time.Now
	}
	svc := &Service{store: store{d.DB, d.Access}, access: d.Access, places: d.Places}
	may := crud.Everywhere[Rule](d.Access, access.PolicyManage)
	svc.Keeper = crud.Keeper[Rule, Draft]{
		DB: d.DB, Audit: d.Audit, Now: d.Now, Noun: "policy", Store: svc.store, InUse: ErrInUse, Check: svc.check, MayView: may, MayChange: may,
	}
	m := &Module{Service: svc, site: d.Site, frame: d.Frame}
	m.pages = m.rulePages()
	return m
}

// SetPlaces hands in how projects and workflows are found. It must not be called once requests are served.
func (m *Module) SetPlaces(p Places) { m.places = p }

// Path is the address of the list.
const Path = "/security/policies"

// TryPath is the page that explains a decision.
const TryPath = Path + "/try"

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	r.Get(TryPath, m.site.Handle(m.try))
	m.pages.Mount(r, m.site)
}

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{{
		Group: frame.Security, Order: 25, Label: "policy.title", Path: Path, Icon: "lock",
		Visible: func(ctx context.Context) bool { return m.access.Can(ctx, access.PolicyManage) },
	}}
}
