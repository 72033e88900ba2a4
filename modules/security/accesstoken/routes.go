package accesstoken

import (
	"context"
	"strconv"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/db"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/frame"
	"dorado/modules/identity"
)

// Path is the address of the list.
const Path = "/security/tokens"

// Deps are what the module needs.
type Deps struct {
	DB       *db.DB
	Identity *identity.Service
	Access   *access.Service
	Site     *web.Site
	API      *dsapi.API
	Frame    *frame.Frame
}

// Project is a project that a token can be limited to.
type Project struct {
	Code int64
	Name string
}

// Module is access tokens: pages and endpoints.
type Module struct {
	projects func(context.Context) ([]Project, error) // of who asks; nil: there are none
	db       *db.DB
	identity *identity.Service
	access   *access.Service
	site     *web.Site
	rest     *dsapi.API
	frame    *frame.Frame
}

// New makes the module.
func New(d Deps) *Module {
	return &Module{db: d.DB, identity: d.Identity, access: d.Access, site: d.Site, rest: d.API, frame: d.Frame}
}

// SetProjects tells where the projects of who asks come from. It must not be called once requests are served.
func (m *Module) SetProjects(projects func(context.Context) ([]Project, error)) {
	m.projects = projects
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	web.Resource{
		Path: Path, Index: m.index, New: m.new, Create: m.create, Edit: m.edit, Update: m.save, Confirm: m.confirm, Delete: m.remove,
	}.Mount(r, m.site)
}

// Menu is where the pages stand in the navigation: for everybody.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{{Group: frame.Security, Order: 90, Label: "token.title", Path: Path, Icon: "key"}}
}

func address(id int64, action string) string { return Path + "/" + strconv.FormatInt(id, 10) + action }
