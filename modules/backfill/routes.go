package backfill

import (
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/frame"
)

// Deps are what the module needs.
type Deps struct {
	Services
	Site  *web.Site
	API   *dsapi.API
	Frame *frame.Frame
}

// Module is what backfills are: rules, pages and endpoints.
type Module struct {
	*Service
}

// New makes the module.
func New(d Deps) *Module {
	return &Module{Service: NewService(d.Services)}
}
