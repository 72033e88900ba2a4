package environment

import (
	"context"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/db"
	"dorado/app/kit/ids"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/frame"
	"dorado/modules/security/crud"
	"dorado/modules/security/workergroup"
)

// Path is the address of the list.
const Path = "/security/environments"

// Deps are what the module needs.
type Deps struct {
	DB     *db.DB
	Access *access.Service
	Audit  *audit.Service
	Groups *workergroup.Service
	Codes  *ids.Generator
	Site   *web.Site
	API    *dsapi.API
	Frame  *frame.Frame
	Now    func() time.Time // time.Now when nil
}

// Module is the environments of the product: rules, pages and endpoints.
type Module struct {
	*Service
	site  *web.Site
	pages crud.Pages[Environment, Draft]
	api   api
}

// New makes the module. A worker group that one of its environments names is from now on not deleted.
func New(d Deps) *Module {
	if d.Now == nil {
		d.Now = time.Now
	}
	svc := &Service{store: store{d.DB, d.Codes}, access: d.Access, groups: d.Groups}
	svc.Keeper = crud.Keeper[Environment, Draft]{
		DB: d.DB, Audit: d.Audit, Now: d.Now, Noun: "environment", Store: svc.store, InUse: ErrInUse, Check: svc.check, Referring: svc.referring,
		MayView: crud.Everywhere[Environment](d.Access, View), MayChange: crud.Everywhere[Environment](d.Access, Manage),
		Changed: crud.TellMasters[Environment](d.DB),
	}
	d.Groups.AddReferrer(svc)
	return &Module{Service: svc, site: d.Site, pages: pages(svc, d.Frame), api: api{svc: svc, rest: d.API}}
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) { m.pages.Mount(r, m.site) }

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) { m.api.routes(r) }

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{{
		Group: frame.Security, Order: 50, Label: "environment.title", Path: Path, Icon: "terminal",
		Visible: func(ctx context.Context) bool { return m.access.Can(ctx, Manage) },
	}}
}

func address(id int64, action string) string { return Path + "/" + strconv.FormatInt(id, 10) + action }
