package search

import (
	"log/slog"
	"net/http"
	"net/url"
	"slices"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/i18n"
	"dorado/app/kit/pinyin"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/datasource"
	"dorado/modules/frame"
	"dorado/modules/identity"
	"dorado/modules/instance"
	"dorado/modules/project"
	"dorado/modules/resource"
	"dorado/modules/workflow"
	view "dorado/views/search"
)

// Path is the address of the page.
const Path = "/search"

const (
	shown   = 8 // hits of a kind beside those of others
	offered = 5 // hits of a kind below the box in the head
)

// Deps are what the module needs.
type Deps struct {
	Access    *access.Service
	Projects  *project.Service
	Workflows *workflow.Service
	Instances *instance.Service
	Files     *resource.Service
	Sources   *datasource.Service
	Users     *identity.Service
	Spelling  *pinyin.Table
	Visits    Visits
	Site      *web.Site
	Frame     *frame.Frame
	Logger    *slog.Logger
}

// Module is the search and its page.
type Module struct {
	*Service
	visits Visits
	site   *web.Site
	frame  *frame.Frame
	logger *slog.Logger
}

// New makes the module, and puts the box into the head of all pages.
func New(d Deps) *Module {
	d.Frame.SetSearch(Path)
	return &Module{
		Service: NewService(d.Spelling, d.Visits.Of, d.sources()...), visits: d.Visits, site: d.Site, frame: d.Frame, logger: d.Logger,
	}
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	r.Get(Path, m.site.Handle(m.page))
	r.Get(Path+"/options", m.site.Handle(m.options))
}

// page is everything that was found, or all of one kind.
func (m *Module) page(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	text := clean(r.URL.Query().Get("q"))
	only := Kind(r.URL.Query().Get("kind"))
	if !slices.Contains(Kinds(), only) {
		only = ""
	}
	groups, err := m.Find(ctx, text, depth)
	if err != nil {
		return nil, err
	}
	title := i18n.T(ctx, "search.title")
	v := view.Props{Shell: m.frame.Page(r, title), Title: title, Text: text, URL: Path}
	for _, g := range groups {
		all := view.Group{Label: i18n.T(ctx, "search.kind."+string(g.Kind)), URL: address(text, g.Kind), Current: g.Kind == only, Count: len(g.Hits), More: g.More}
		v.Kinds = append(v.Kinds, all)
		if only != "" && only != g.Kind {
			continue
		}
		if only == "" && len(g.Hits) > shown {
			g.Hits, all.Cut = g.Hits[:shown], true
		}
		all.Hits = hits(g.Hits)
		v.Groups = append(v.Groups, all)
	}
	v.AllURL, v.All = address(text, ""), only == ""
	return web.Page(view.Page(v)), nil
}

// address is the page with what a text finds, of one kind or of all.
func address(text string, kind Kind) string {
	q := url.Values{"q": {text}}
	if kind != "" {
		q.Set("kind", string(kind))
	}
	return Path + "?" + q.Encode()
}

// options is what is offered below the box in the head.
func (m *Module) options(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	text := clean(r.URL.Query().Get("q"))
	groups, err := m.Find(ctx, text, offered)
	if err != nil {
		return nil, err
	}
	v := view.Options{Text: text}
	if text != "" {
		v.URL = address(text, "")
	}
	for _, g := range once(groups) {
		v.Groups = append(v.Groups, view.Group{Label: i18n.T(ctx, "search.kind."+string(g.Kind)), Hits: hits(g.Hits)})
	}
	return web.Page(view.List(v)), nil
}

// once leaves out what a group before shows already: below the box nothing stands twice.
func once(groups []Group) []Group {
	shown := map[string]bool{}
	var out []Group
	for _, g := range groups {
		g.Hits = slices.DeleteFunc(g.Hits, func(h Hit) bool {
			before := shown[h.URL]
			shown[h.URL] = true
			return before
		})
		if len(g.Hits) > 0 {
			out = append(out, g)
		}
	}
	return out
}

func hits(list []Hit) []view.Hit {
	out := make([]view.Hit, 0, len(list))
	for _, h := range list {
		out = append(out, view.Hit(h))
	}
	return out
}
