package tasktype

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/db"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/plugins/catalog"
	"dorado/static"
)

// Deps are what the module needs.
type Deps struct {
	DB      *db.DB
	Access  *access.Service
	Catalog *catalog.Catalog
	API     *dsapi.API
	Now     func() time.Time // time.Now when nil
}

// Module is the lists of types and the endpoints for them.
type Module struct {
	*Service
	rest *dsapi.API
}

// New makes the module.
func New(d Deps) *Module {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Module{Service: &Service{db: d.DB, access: d.Access, catalog: d.Catalog, now: d.Now}, rest: d.API}
}

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) {
	r.Get("/dynamic/taskCategories", m.rest.OK(10200, m.categories))
	r.Get("/dynamic/{taskCategory}/taskTypes", m.rest.OK(10200, m.types))
	r.Get("/favourite/taskTypes", m.rest.OK(10200, m.favourites))
	r.Post("/favourite/{taskType}", m.rest.OK(10200, m.set(true)))
	r.Delete("/favourite/{taskType}", m.rest.OK(10200, m.set(false)))
}

func (m *Module) categories(r *http.Request, _ *dsapi.Params) (any, error) {
	return m.Categories(r.Context())
}

// dsType is a type as clients know it. Its form is described by JSON.
type dsType struct {
	Name  string `json:"name"`
	Hover string `json:"hover"`
	Icon  string `json:"icon"`
	JSON  string `json:"json"`
}

func (m *Module) types(r *http.Request, _ *dsapi.Params) (any, error) {
	ctx := r.Context()
	list, err := m.Types(ctx, chi.URLParam(r, "taskCategory"))
	if err != nil {
		return nil, err
	}
	out := make([]dsType, 0, len(list))
	for _, p := range list {
		fields, err := json.Marshal(p.Schema.Describe(func(key string) string { return i18n.T(ctx, key) }))
		if err != nil {
			return nil, err
		}
		icon := static.Path("vendor/icons.svg") + "#" + p.Icon
		out = append(out, dsType{Name: p.Type, Hover: icon, Icon: icon, JSON: string(fields)})
	}
	return out, nil
}

// dsFavourite is a type as clients know it in lists of favourites.
type dsFavourite struct {
	Type     string `json:"taskType"`
	Category string `json:"taskCategory"`
	Marked   bool   `json:"collection"`
}

func (m *Module) favourites(r *http.Request, _ *dsapi.Params) (any, error) {
	list, err := m.Favourites(r.Context())
	if err != nil {
		return nil, err
	}
	out := make([]dsFavourite, 0, len(list))
	for _, f := range list {
		out = append(out, dsFavourite(f))
	}
	return out, nil
}

func (m *Module) set(marked bool) dsapi.Func {
	return func(r *http.Request, _ *dsapi.Params) (any, error) {
		if err := m.Set(r.Context(), chi.URLParam(r, "taskType"), marked); err != nil {
			return nil, err
		}
		return true, nil
	}
}
