package k8scluster

import (
	"context"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"dorado/app/kit/db"
	"dorado/app/kit/ids"
	"dorado/app/kit/secret"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/frame"
	"dorado/modules/security/crud"
	view "dorado/views/crud"
	"dorado/views/security"
)

// Deps are what the module needs.
type Deps struct {
	DB     *db.DB
	Access *access.Service
	Audit  *audit.Service
	Codes  *ids.Generator
	Sealer *secret.Sealer
	Site   *web.Site
	API    *dsapi.API
	Frame  *frame.Frame
	Now    func() time.Time // time.Now when nil
}

// Module is the Kubernetes clusters of the product: rules, pages and endpoints.
type Module struct {
	*Service
	site  *web.Site
	pages crud.Pages[Cluster, Draft]
	api   api
}

// New makes the module.
func New(d Deps) *Module {
	if d.Now == nil {
		d.Now = time.Now
	}
	svc := &Service{store: store{d.DB, d.Codes, d.Sealer}, access: d.Access}
	svc.Keeper = crud.Keeper[Cluster, Draft]{
		DB: d.DB, Audit: d.Audit, Now: d.Now, Noun: "cluster", Store: svc.store, InUse: ErrInUse, Check: svc.check, Referring: svc.referring,
		MayView: crud.Everywhere[Cluster](d.Access, View), MayChange: crud.Everywhere[Cluster](d.Access, Manage),
	}
	return &Module{Service: svc, site: d.Site, pages: pages(svc, d.Frame), api: api{svc: svc, rest: d.API}}
}

// Path is the address of the list.
const Path = "/security/clusters"

// Address is the page of a cluster.
func Address(id int64) string { return Path + "/" + strconv.FormatInt(id, 10) + "/edit" }

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) { m.pages.Mount(r, m.site) }

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) { m.api.routes(r) }

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{{
		Group: frame.Security, Order: 62, Label: "cluster.title", Path: Path, Icon: "cluster",
		Visible: func(ctx context.Context) bool { return m.access.Can(ctx, Manage) },
	}}
}

func pages(s *Service, f *frame.Frame) crud.Pages[Cluster, Draft] {
	return crud.Pages[Cluster, Draft]{
		Path: Path, Keys: "cluster.", Test: "cluster", Icon: "cluster", Spec: Spec(), Keeper: &s.Keeper, Shell: f.Page,
		Columns: []crud.Column{{Key: "name"}, {Key: "code", Drop: 3}, {Key: "description", Drop: 1}},
		Cells: func(_ context.Context, c Cluster) []view.Cell {
			return []view.Cell{{Text: c.Name}, {Text: strconv.FormatInt(c.Code, 10), Code: true}, {Text: c.Description, Muted: true}}
		},
		Draft: func(c Cluster) Draft { return Draft{Name: c.Name, Description: c.Description} },
		Read: func(f *web.Form) Draft {
			return Draft{Name: f.Text("name"), Config: secret.String(f.Text("config")), Description: f.Text("description")}
		},
		Form: func(_ context.Context, p view.Form, d Draft, _ *web.Form) (templ.Component, error) {
			return security.ClusterEdit(security.ClusterForm{Form: p, Name: d.Name, Description: d.Description}), nil
		},
	}
}
