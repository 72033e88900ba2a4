package apidocs

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi/describe"
	"dorado/modules/frame"
)

// Path is the address of the pages.
const Path = "/help/api"

// Deps are what the module needs.
type Deps struct {
	Table   *describe.Table
	Site    *web.Site
	Frame   *frame.Frame
	Version string // of the program
	Base    string // below which the endpoints lie
}

// Module is the description of the interface.
type Module struct {
	Deps
	mu        sync.Mutex
	documents map[string][]byte // by group and language
}

// New makes the module. Every endpoint counts as served until SetServed says otherwise.
func New(d Deps) *Module { return &Module{Deps: d, documents: map[string][]byte{}} }

// SetServed tells which endpoints there are, by describe.Key. It must not be called once requests are served.
func (m *Module) SetServed(keys map[string]bool) {
	m.Table = m.Table.Only(func(e describe.Endpoint) bool { return keys[e.Key()] })
}

// Documents adds the OpenAPI documents, and leads from where DolphinScheduler has its pages to ours.
func (m *Module) Documents(r chi.Router) {
	r.Get(m.Base+"/v3/api-docs", m.document(func(describe.Endpoint) bool { return true }))
	r.Get(m.Base+"/v3/api-docs/v1", m.document(func(e describe.Endpoint) bool { return !e.V2() }))
	r.Get(m.Base+"/v3/api-docs/v2", m.document(describe.Endpoint.V2))
	r.Get(m.Base+"/v3/api-docs/swagger-config", m.config)
	for _, page := range []string{"/swagger-ui.html", "/swagger-ui", "/swagger-ui/", "/swagger-ui/index.html", "/doc.html"} {
		r.Get(m.Base+page, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, Path, http.StatusFound) })
	}
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	r.Get(Path, m.Site.Handle(m.index))
	r.Get(Path+"/{operation}", m.Site.Handle(m.show))
}

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{{Group: frame.Account, Order: 80, Label: "apidocs.title", Path: Path, Icon: "book"}}
}

// document answers with the OpenAPI document of some endpoints. Each is made once in each language.
func (m *Module) document(keep func(describe.Endpoint) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := m.encoded(r, keep)
		if err != nil {
			m.Site.Fail(w, r, err)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Access-Control-Allow-Origin", "*") // viewers elsewhere may read it: it holds nothing but what is public
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}
}

func (m *Module) encoded(r *http.Request, keep func(describe.Endpoint) bool) ([]byte, error) {
	ctx := r.Context()
	chinese := i18n.FromContext(ctx) == i18n.Chinese
	key := r.URL.Path + strconv.FormatBool(chinese)
	m.mu.Lock()
	defer m.mu.Unlock()
	if body, made := m.documents[key]; made {
		return body, nil
	}
	document := m.Table.Only(keep).OpenAPI(describe.Info{
		Title: i18n.T(ctx, "apidocs.document.title"), Description: i18n.T(ctx, "apidocs.document.text"),
		Version: m.Version, Server: m.Base, Chinese: chinese,
		CodeText: func(code int) string {
			if key := "dsapi." + strconv.Itoa(code); i18n.Has(key) {
				return i18n.T(ctx, key)
			}
			return ""
		},
		WhoText: func(w describe.Who) string { return i18n.T(ctx, whoKey(w)) },
	})
	body, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("encode the OpenAPI document: %w", err)
	}
	m.documents[key] = body
	return body, nil
}

// config tells viewers such as Swagger UI which documents there are.
func (m *Module) config(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"configUrl": m.Base + "/v3/api-docs/swagger-config",
		"urls": []map[string]string{
			{"name": "v1", "url": m.Base + "/v3/api-docs/v1"}, {"name": "v2", "url": m.Base + "/v3/api-docs/v2"},
		},
	})
}
