package unconfigured

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/fault"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
)

// View allows asking for what is not there.
const View access.Permission = "unconfigured.view"

// Rules says who has the permissions of this package.
func Rules() []access.Rule { return []access.Rule{access.Allow(View, access.User)} }

// ErrAzure is the answer to whoever asks for what Azure Data Factory has.
var ErrAzure = fault.New(fault.Unavailable, "unconfigured.azure")

// Module answers.
type Module struct {
	access *access.Service
	rest   *dsapi.API
}

// New makes the module.
func New(a *access.Service, rest *dsapi.API) *Module { return &Module{access: a, rest: rest} }

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) {
	nothing := func(*dsapi.Params) {}
	r.Get("/cloud/azure/datafactory/factories", m.rest.OK(10208, m.refuse(ErrAzure, nothing)))
	r.Get("/cloud/azure/datafactory/resourceGroups", m.rest.OK(10209, m.refuse(ErrAzure, nothing)))
	r.Get("/cloud/azure/datafactory/pipelines", m.rest.OK(10210, m.refuse(ErrAzure, func(p *dsapi.Params) {
		p.RequiredText("factoryName")
		p.RequiredText("resourceGroupName")
	})))
}

// refuse reads the parameters, and answers that there is nothing.
func (m *Module) refuse(why *fault.Error, read func(*dsapi.Params)) dsapi.Func {
	return func(r *http.Request, p *dsapi.Params) (any, error) {
		if err := m.access.Require(r.Context(), View); err != nil {
			return nil, err
		}
		read(p)
		if err := p.Err(); err != nil {
			return nil, err
		}
		return nil, why
	}
}
