package resource

import (
	"context"
	"net/url"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/frame"
)

// Path is the address of the resource center.
const Path = "/resources/files"

// Deps are what the module needs.
type Deps struct {
	Services
	Site  *web.Site
	API   *dsapi.API
	Frame *frame.Frame
}

// Module is the resource center: rules, pages and endpoints.
type Module struct {
	*Service
	site  *web.Site
	pages *pages
	api   api
}

// New makes the module.
func New(d Deps) *Module {
	svc := NewService(d.Services)
	return &Module{Service: svc, site: d.Site, pages: &pages{svc: svc, frame: d.Frame}, api: api{svc: svc, rest: d.API}}
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	p, h := m.pages, m.site.Handle
	r.Get(Path, h(p.list))
	r.Get(Path+"/folder", h(p.askFolder))
	r.Post(Path+"/folder", h(p.makeFolder))
	r.Get(Path+"/new", h(p.askFile))
	r.Post(Path+"/new", h(p.makeFile))
	r.Get(Path+"/rename", h(p.askRename))
	r.Post(Path+"/rename", h(p.rename))
	r.Get(Path+"/move", h(p.askMove))
	r.Post(Path+"/move", h(p.move))
	r.Get(Path+"/delete", h(p.askDelete))
	r.Post(Path+"/delete", h(p.remove))
	r.Get(Path+"/zip", h(p.zip))
	r.Get(Path+"/download", h(p.download))
	r.Get(Path+"/image", h(p.image))
	r.Put(Path+"/content", h(p.receive))
	r.Post(Path+"/uploads", h(p.beginUpload))
	r.Put(Path+"/uploads", h(p.addPart))
	r.Post(Path+"/uploads/finish", h(p.finishUpload))
	r.Get(Path+"/search", h(p.search))
	r.Get(Path+"/show", h(p.show))
	r.Post(Path+"/show", h(p.save))
	r.Post(Path+"/restore", h(p.restore))
}

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) { m.api.routes(r) }

// Menu is where the pages stand in the navigation.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{{
		Group: frame.Library, Order: 10, Label: "resource.title", Path: Path, Icon: "folder",
		Visible: func(ctx context.Context) bool { return m.Access.Can(ctx, View) },
	}}
}

// Address is a page about a file or folder: "" is the list of a folder, "/show" the page of a file.
func Address(page string, ref Ref) string {
	q := url.Values{"tree": {ref.Tenant}}
	if ref.Path != "" {
		q.Set("path", ref.Path)
	}
	return Path + page + "?" + q.Encode()
}
