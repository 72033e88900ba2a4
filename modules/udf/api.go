package udf

import (
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/audit"
)

// Deps are what the module needs.
type Deps struct {
	DB     *db.DB
	Access *access.Service
	Audit  *audit.Service
	API    *dsapi.API
	Now    func() time.Time // time.Now when nil
}

// Module is the functions and the endpoints for them; there are no pages.
type Module struct {
	*Service
	rest *dsapi.API
}

// New makes the module.
func New(d Deps) *Module {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Module{Service: newService(d.DB, d.Access, d.Audit, d.Now), rest: d.API}
}

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) {
	e := m.rest.Faults(dsapi.Faults{ErrNotFound.Key: 20001, ErrNameTaken.Key: 20002})
	r.Post("/resources/udf-func", e.Created(10065, m.create))
	r.Get("/resources/udf-func", e.OK(10068, m.page))
	r.Get("/resources/udf-func/list", e.OK(10069, m.list))
	r.Get("/resources/udf-func/verify-name", e.OK(10070, m.verify))
	r.Get("/resources/{id}/udf-func", m.rest.Faults(dsapi.Faults{ErrNotFound.Key: 20004}).OK(10066, m.get))
	r.Put("/resources/udf-func/{id}", e.Created(10067, m.update))
	r.Delete("/resources/udf-func/{id}", e.OK(10071, m.remove))
}

// dsFunction is a function as clients know it.
type dsFunction struct {
	ID           int64      `json:"id"`
	UserID       int64      `json:"userId"`
	ResourceType string     `json:"resourceType"`
	FuncName     string     `json:"funcName"`
	ClassName    string     `json:"className"`
	ArgTypes     string     `json:"argTypes"`
	Database     string     `json:"database"`
	Description  string     `json:"description"`
	ResourceID   int64      `json:"resourceId"` // files have no numbers here
	ResourceName string     `json:"resourceName"`
	Type         string     `json:"type"`
	CreateTime   dsapi.Time `json:"createTime"`
	UpdateTime   dsapi.Time `json:"updateTime"`
	UserName     *string    `json:"userName"`
}

func toDS(f Function) dsFunction {
	return dsFunction{
		ID: f.ID, UserID: f.UserID, ResourceType: "UDF", FuncName: f.Name, ClassName: f.ClassName, ArgTypes: f.ArgTypes, Database: f.Database,
		Description: f.Description, ResourceID: -1, ResourceName: f.Resource, Type: f.Type, CreateTime: dsapi.Time(f.CreatedAt),
		UpdateTime: dsapi.Time(f.UpdatedAt), UserName: dsapi.OrNull(f.UserName),
	}
}

func draft(p *dsapi.Params) (Draft, error) {
	d := Draft{
		Name: p.RequiredText("funcName"), ClassName: p.RequiredText("className"), Type: p.RequiredText("type"), Resource: p.RequiredText("fullName"),
		ArgTypes: p.Text("argTypes"), Database: p.Text("database"), Description: p.Text("description"),
	}
	if strings.Contains(d.Resource, "..") && path.Clean(d.Resource) != d.Resource {
		return d, &dsapi.ParamError{Name: "fullName"}
	}
	return d, p.Err()
}

func (m *Module) create(r *http.Request, p *dsapi.Params) (any, error) {
	d, err := draft(p)
	if err != nil {
		return nil, err
	}
	f, err := m.Create(r.Context(), d)
	if err != nil {
		return nil, err
	}
	return toDS(f), nil
}

func (m *Module) page(r *http.Request, p *dsapi.Params) (any, error) {
	no, size := p.Paging()
	if err := p.Err(); err != nil {
		return nil, err
	}
	page, err := m.Page(r.Context(), listing.New(Spec(), no, size, p.Text("searchVal")))
	if err != nil {
		return nil, err
	}
	return dsapi.Listed(page, no, size, toDS), nil
}

func (m *Module) list(r *http.Request, p *dsapi.Params) (any, error) {
	kind := p.RequiredText("type")
	if err := p.Err(); err != nil {
		return nil, err
	}
	list, err := m.All(r.Context(), strings.ToUpper(kind))
	if err != nil {
		return nil, err
	}
	out := make([]dsFunction, 0, len(list))
	for _, f := range list {
		out = append(out, toDS(f))
	}
	return out, nil
}

func (m *Module) verify(r *http.Request, p *dsapi.Params) (any, error) {
	name := p.RequiredText("name")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return nil, m.CheckName(r.Context(), name)
}

func (m *Module) get(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	f, err := m.Get(r.Context(), id)
	if err != nil {
		return nil, err
	}
	return toDS(f), nil
}

func (m *Module) update(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.Path("id")
	d, err := draft(p)
	if err != nil {
		return nil, err
	}
	_, err = m.Update(r.Context(), id, d, time.Time{})
	return nil, err
}

func (m *Module) remove(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return nil, m.Delete(r.Context(), id)
}
