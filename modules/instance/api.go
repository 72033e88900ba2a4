package instance

import (
	"github.com/go-chi/chi/v5"

	"dorado/app/kit/web/dsapi"
)

type api struct {
	svc  *Service
	rest *dsapi.API
}

func (a api) routes(chi.Router) {}
