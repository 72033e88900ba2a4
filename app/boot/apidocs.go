package boot

import (
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"

	endpoints "dorado/app/kit/web/dsapi/describe"
	"dorado/modules/apidocs"
)

// newDocs makes the description of the REST interface.
func newDocs(m *modules) (*apidocs.Module, error) {
	table, err := endpoints.Load()
	if err != nil {
		return nil, fmt.Errorf("description of the REST interface: %w", err)
	}
	return apidocs.New(apidocs.Deps{Table: table, Site: m.site, Frame: m.frame, Version: Version, Base: apiPath}), nil
}

// served is every route of a router, by describe.Key.
func served(router chi.Routes) map[string]bool {
	keys := map[string]bool{}
	_ = chi.Walk(router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		keys[endpoints.Key(method, route)] = true
		return nil
	}) // only our function could fail
	return keys
}
