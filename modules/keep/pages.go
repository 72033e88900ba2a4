package keep

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/frame"
	view "dorado/views/keep"
)

// Path is the address of the page about retention.
const Path = "/monitor/retention"

// Permissions of this package: administrators only.
const (
	View   access.Permission = "retention.view"
	Manage access.Permission = "retention.manage"
)

// Rules says who has the permissions of this package.
func Rules() []access.Rule { return []access.Rule{access.Allow(View), access.Allow(Manage)} }

// PageDeps are what the pages need.
type PageDeps struct {
	Retention *Retention
	Access    *access.Service
	Site      *web.Site
	Frame     *frame.Frame
}

// Module is the page about retention.
type Module struct{ PageDeps }

// NewModule makes the page.
func NewModule(d PageDeps) *Module { return &Module{d} }

// Routes adds the page.
func (m *Module) Routes(r chi.Router) {
	r.Get(Path, m.Site.Handle(m.index))
	r.Post(Path+"/run", m.Site.Handle(m.run))
}

// Menu is where the page stands in the navigation.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{{
		Group: frame.Monitor, Order: 60, Label: "keep.title", Path: Path, Icon: "archive",
		Visible: func(ctx context.Context) bool { return m.Access.Can(ctx, View) },
	}}
}

func (m *Module) index(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	if err := m.Access.Require(ctx, View); err != nil {
		return nil, err
	}
	s, err := m.Retention.Status(ctx)
	if err != nil {
		return nil, err
	}
	c, now := m.Retention.Config, m.Retention.Now()
	p := view.Page{
		Shell: m.Frame.Page(r, i18n.T(ctx, "keep.title")), URL: Path, Requested: s.Requested, Now: now,
		Latest: c.Latest, Dependent: c.Dependent,
	}
	if m.Access.Can(ctx, Manage) {
		p.RunURL = Path + "/run"
	}
	removed := map[Subject]int64{}
	if l := s.Last; l != nil {
		removed, p.Ran, p.StartedAt, p.By, p.Error = l.Removed, true, l.StartedAt, l.By, l.Error
		p.Running = l.Running(now)
		if l.EndedAt != nil {
			p.EndedAt, p.NextAt = *l.EndedAt, l.StartedAt.Add(c.Every)
		} else {
			p.Broken = !p.Running
		}
	}
	for _, subject := range Subjects() {
		p.Rows = append(p.Rows, view.Row{
			Name: i18n.T(ctx, "keep.subject."+string(subject)), Note: i18n.T(ctx, "keep.note."+string(subject)),
			Key: subject.key(), Days: c.Days(subject), Removed: removed[subject],
		})
	}
	return web.Page(view.Retention(p)), nil
}

// key is the configuration key that says how long rows of a subject stay.
func (s Subject) key() string {
	switch s {
	case Tasks, Backfills:
		s = Runs
	case Runs, Audit, Fires, Alerts, Events, Errors, Samples:
	}
	return "retention." + string(s)
}

func (m *Module) run(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	if err := m.Access.Require(ctx, Manage); err != nil {
		return nil, err
	}
	if err := m.Retention.Request(ctx); err != nil {
		return nil, err
	}
	return web.Redirect(Path).Into(view.Part).Toast("keep.asked"), nil
}
