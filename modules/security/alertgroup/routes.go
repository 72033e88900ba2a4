package alertgroup

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/db"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/frame"
	"dorado/modules/security/alertinstance"
	"dorado/modules/security/crud"
)

// Path is the address of the list.
const Path = "/security/alarm-groups"

// Deps are what the module needs.
type Deps struct {
	DB        *db.DB
	Access    *access.Service
	Audit     *audit.Service
	Instances *alertinstance.Service
	Site      *web.Site
	API       *dsapi.API
	Frame     *frame.Frame
	Now       func() time.Time // time.Now when nil
}

// Module is the alert groups of the product: rules, pages and endpoints.
type Module struct {
	*Service
	site  *web.Site
	pages crud.Pages[Group, Draft]
	api   api
}

// New makes the module. An instance that one of its groups holds is from now on not deleted.
func New(d Deps) *Module {
	if d.Now == nil {
		d.Now = time.Now
	}
	svc := &Service{store: store{d.DB}, access: d.Access}
	svc.Keeper = crud.Keeper[Group, Draft]{
		DB: d.DB, Audit: d.Audit, Now: d.Now, Noun: "alertgroup", Store: svc.store, InUse: ErrInUse, Referring: svc.referring,
		MayView: crud.Everywhere[Group](d.Access, View), MayChange: crud.Everywhere[Group](d.Access, Manage),
	}
	d.Instances.AddReferrer(svc)
	return &Module{Service: svc, site: d.Site, pages: pages(svc, d.Instances, d.Frame), api: api{svc: svc, rest: d.API}}
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	r.Get(Path+"/choices", m.site.Handle(m.choices))
	m.pages.Mount(r, m.site)
}

// choices lists the groups for fields of tasks.
func (m *Module) choices(r *http.Request) (web.Response, error) {
	list, err := m.All(r.Context())
	if err != nil {
		return nil, err
	}
	type choice struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	out := make([]choice, len(list))
	for i, g := range list {
		out[i] = choice{g.ID, g.Name}
	}
	return web.JSON(http.StatusOK, map[string]any{"alertGroups": out}), nil
}

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) { m.api.routes(r) }

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{{
		Group: frame.Security, Order: 30, Label: "alertgroup.title", Path: Path, Icon: "siren",
		Visible: func(ctx context.Context) bool { return m.access.Can(ctx, Manage) },
	}}
}
