package datasource

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/web"
	"dorado/modules/frame"
	"dorado/modules/security/crud"
	"dorado/plugins/form"
	"dorado/views/components"
	view "dorado/views/crud"
	views "dorado/views/datasource"
	"dorado/views/layout"
	"dorado/views/security"
)

type pages struct {
	crud.Pages[DataSource, Draft]
	svc   *Service
	frame *frame.Frame
}

func newPages(s *Service, f *frame.Frame) pages {
	p := pages{svc: s, frame: f}
	p.Pages = crud.Pages[DataSource, Draft]{
		Path: Path, Keys: "datasource.", Test: "datasource", Icon: "data", Spec: Spec(), Keeper: &s.Keeper, Shell: f.Page, Wide: true,
		MayList: func(ctx context.Context) error { return s.MayView(ctx, nil) },
		Columns: []crud.Column{{Key: "name"}, {Key: "type"}, {Key: "address", Drop: 1}, {Key: "owner", Drop: 1}, {Key: "note", Drop: 2}},
		Cells: func(_ context.Context, d DataSource) []view.Cell {
			return []view.Cell{{Text: d.Name}, {Text: p.label(d.Type)}, {Text: p.address(d), Code: true}, {Text: d.UserName}, {Text: d.Note, Muted: true}}
		},
		Fixed: func(ctx context.Context, d DataSource) (edit, remove bool) {
			may := s.MayChange(ctx, &d) == nil
			return may, may
		},
		Decorate: func(r *http.Request, page listing.Page[DataSource], v *view.Page) error {
			for i, d := range page.Items {
				if t, ok := s.types.Type(d.Type); ok && t.Open != nil {
					v.Rows[i].Actions = append(v.Rows[i].Actions, components.ButtonProps{
						Icon: "terminal", Label: i18n.T(r.Context(), "datasource.sql.open", "name", d.Name), URL: sqlPath(d.ID), Small: true, Test: "row.sql",
					})
				}
			}
			return nil
		},
		Draft: func(d DataSource) Draft {
			return Draft{Name: d.Name, Note: d.Note, Type: d.Type, Settings: s.Shown(d)}
		},
		Read: p.read,
		Form: p.form,
	}
	return p
}

func (p pages) mount(r chi.Router, site *web.Site) {
	r.Get(Path+"/choices", site.Handle(p.choices))
	p.sqlRoutes(r, site)
	web.Resource{
		Path: Path, Index: p.Index, New: p.begin, Create: p.save(p.Create), Edit: p.Edit, Update: p.save(p.Update), Confirm: p.Confirm, Delete: p.Delete,
	}.Mount(r, site)
}

// choices lists what whoever acts may use, for fields of tasks.
func (p pages) choices(r *http.Request) (web.Response, error) {
	list, err := p.svc.All(r.Context(), "")
	if err != nil {
		return nil, err
	}
	type choice struct {
		ID    int64  `json:"id"`
		Name  string `json:"name"`
		Type  string `json:"type"`
		Label string `json:"label"` // of the type
	}
	out := make([]choice, len(list))
	for i, d := range list {
		out[i] = choice{d.ID, d.Name, d.Type, p.label(d.Type)}
	}
	return web.JSON(http.StatusOK, map[string]any{"sources": out}), nil
}

func (p pages) label(kind string) string {
	if t, ok := p.svc.types.Type(kind); ok {
		return t.Label
	}
	return kind
}

// address is where a data source is, for lists.
func (p pages) address(d DataSource) string {
	t, ok := p.svc.types.Type(d.Type)
	if !ok {
		return ""
	}
	open, err := form.ReadFlat([]byte(d.Params))
	if err != nil {
		return ""
	}
	settings, _ := t.Read(open)
	if len(settings.Hosts) == 0 {
		return cmp.Or(settings.Database, open["file"])
	}
	if settings.Database == "" {
		return settings.HostList(true)
	}
	return settings.HostList(true) + "/" + settings.Database
}

func (p pages) read(f *web.Form) Draft {
	d := Draft{Name: f.Text("name"), Note: f.Text("description"), Type: f.Text("type"), Settings: form.Flat{}}
	t, _ := p.svc.types.Type(d.Type)
	for _, field := range t.Schema {
		if name := Prefix + field.Name; field.Type == form.Secret { // a password may begin with a blank
			d.Settings[field.Name] = f.Raw(name)
		} else {
			d.Settings[field.Name] = f.Text(name)
		}
	}
	return d
}

func (p pages) form(ctx context.Context, v view.Form, d Draft, f *web.Form) (templ.Component, error) {
	t, ok := p.svc.types.Type(d.Type)
	if !ok {
		return p.choice(ctx, v.Shell, i18n.T(ctx, ErrType.Key)), nil
	}
	out := views.Form{
		Form: v, Type: t.Type, TypeLabel: t.Label, Name: d.Name, Note: d.Note, NoteError: f.Error("note"), Values: d.Settings, Tested: d.Tested,
		Fields: t.Schema.Describe(func(key string) string { return i18n.T(ctx, key) }),
	}
	if t.Missing != "" {
		out.Missing = i18n.T(ctx, t.Missing)
	}
	return views.Edit(out), nil
}

// begin asks for the type first, then shows its form.
func (p pages) begin(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	if err := p.svc.MayChange(ctx, nil); err != nil {
		return nil, err
	}
	if kind := r.URL.Query().Get("type"); kind != "" {
		if _, ok := p.svc.types.Type(kind); !ok {
			return nil, ErrType
		}
		return p.NewFrom(r, Draft{Type: kind})
	}
	return web.Page(p.choice(ctx, p.frame.Page(r, i18n.T(ctx, "datasource.create"), components.Crumb{Label: i18n.T(ctx, "datasource.title"), URL: Path}), "")), nil
}

// choice asks for the type.
func (p pages) choice(ctx context.Context, shell layout.ShellProps, complaint string) templ.Component {
	v := security.PickPage{
		Shell: shell, Title: i18n.T(ctx, "datasource.create"), Text: i18n.T(ctx, "datasource.pick"), Error: complaint, BackURL: Path, Test: "datasource.pick",
	}
	for _, t := range p.svc.types.All() {
		one := security.Pick{Name: t.Label, URL: Path + "/new?type=" + url.QueryEscape(t.Type), Test: "pick." + t.Type}
		if t.Missing != "" {
			one.Help = i18n.T(ctx, "datasource.stored_only")
		}
		v.Picks = append(v.Picks, one)
	}
	return security.Kinds(v)
}

// save saves, or connects with what is to be saved when that button was pressed.
func (p pages) save(save web.Handler) web.Handler {
	return func(r *http.Request) (web.Response, error) {
		f := web.ReadForm(r)
		if f.Text("do") != "test" {
			return save(r)
		}
		ctx := r.Context()
		var id int64
		if chi.URLParam(r, "id") != "" {
			var err error
			if id, err = web.ID(r); err != nil {
				return nil, err
			}
		}
		d := p.read(f)
		took, err := p.svc.Try(ctx, id, d)
		switch {
		case err == nil:
			d.Tested = security.Tested{OK: true, Text: i18n.T(ctx, "datasource.connected", "ms", took.Round(time.Millisecond).Milliseconds())}
		case errors.Is(err, ErrConnect):
			d.Tested = security.Tested{Text: web.Message(ctx, err)}
		case f.Rejects(err):
			return p.Again(r, id, d, f.Text(web.StampField), f)
		default:
			return nil, err
		}
		return p.Again(r, id, d, f.Text(web.StampField), nil)
	}
}
