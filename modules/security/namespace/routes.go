package namespace

import (
	"context"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"dorado/app/kit/db"
	"dorado/app/kit/i18n"
	"dorado/app/kit/ids"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/frame"
	"dorado/modules/security/crud"
	"dorado/modules/security/k8scluster"
	"dorado/views/components"
	view "dorado/views/crud"
	"dorado/views/security"
)

// Deps are what the module needs.
type Deps struct {
	DB       *db.DB
	Access   *access.Service
	Audit    *audit.Service
	Codes    *ids.Generator
	Clusters *k8scluster.Service
	Site     *web.Site
	API      *dsapi.API
	Frame    *frame.Frame
	Now      func() time.Time // time.Now when nil
}

// Module is the namespaces of the product: rules, pages and endpoints.
type Module struct {
	*Service
	site  *web.Site
	pages crud.Pages[Namespace, Draft]
	api   api
}

// New makes the module. A cluster that has a namespace is from now on not deleted.
func New(d Deps) *Module {
	if d.Now == nil {
		d.Now = time.Now
	}
	svc := &Service{store: store{d.DB, d.Codes}, access: d.Access}
	svc.Keeper = crud.Keeper[Namespace, Draft]{
		DB: d.DB, Audit: d.Audit, Now: d.Now, Noun: "namespace", Store: svc.store, InUse: ErrInUse, Referring: svc.referring,
		MayView: crud.Everywhere[Namespace](d.Access, Manage), MayChange: crud.Everywhere[Namespace](d.Access, Manage),
		// A new one is granted to nobody, and one that goes is granted to nobody any more.
		Changed: func(ctx context.Context, n Namespace) error {
			return d.Access.RevokeObject(ctx, access.Namespace, n.Key())
		},
	}
	d.Clusters.AddReferrer(svc)
	return &Module{Service: svc, site: d.Site, pages: pages(svc, d.Clusters, d.Frame), api: api{svc: svc, rest: d.API}}
}

// Path is the address of the list.
const Path = "/security/k8s-namespaces"

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	web.Resource{
		Path: Path, Index: m.pages.Index, New: m.pages.New, Create: m.pages.Create, Confirm: m.pages.Confirm, Delete: m.pages.Delete,
	}.Mount(r, m.site)
}

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) { m.api.routes(r) }

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{{
		Group: frame.Security, Order: 64, Label: "namespace.title", Path: Path, Icon: "boxes",
		Visible: func(ctx context.Context) bool { return m.access.Can(ctx, Manage) },
	}}
}

func pages(s *Service, clusters *k8scluster.Service, f *frame.Frame) crud.Pages[Namespace, Draft] {
	return crud.Pages[Namespace, Draft]{
		Path: Path, Keys: "namespace.", Test: "namespace", Icon: "boxes", Spec: Spec(), Keeper: &s.Keeper, Shell: f.Page,
		Columns: []crud.Column{{Key: "namespace"}, {Key: "cluster"}, {Key: "creator", Drop: 2}},
		Cells: func(_ context.Context, n Namespace) []view.Cell {
			return []view.Cell{{Text: n.Name, Code: true}, {Text: n.ClusterName}, {Text: n.UserName, Muted: true}}
		},
		Fixed: func(ctx context.Context, _ Namespace) (edit, remove bool) {
			return false, s.MayChange(ctx, nil) == nil
		},
		Draft: func(n Namespace) Draft { return Draft{n.Name, n.ClusterCode} },
		Read:  func(f *web.Form) Draft { return Draft{f.Text("namespace"), f.Int64("cluster")} },
		Form: func(ctx context.Context, p view.Form, d Draft, _ *web.Form) (templ.Component, error) {
			all, err := clusters.All(ctx)
			if err != nil {
				return nil, err
			}
			v := security.NamespaceForm{
				Form: p, Namespace: d.Name, Clusters: []components.Option{{Label: i18n.T(ctx, "namespace.choose_cluster")}},
			}
			if d.ClusterCode != 0 {
				v.Cluster = strconv.FormatInt(d.ClusterCode, 10)
			}
			for _, c := range all {
				v.Clusters = append(v.Clusters, components.Option{Value: strconv.FormatInt(c.Code, 10), Label: c.Name})
			}
			return security.NamespaceEdit(v), nil
		},
	}
}
