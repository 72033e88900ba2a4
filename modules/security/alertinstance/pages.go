package alertinstance

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/frame"
	"dorado/modules/security/crud"
	"dorado/plugins/form"
	"dorado/views/components"
	view "dorado/views/crud"
	"dorado/views/layout"
	"dorado/views/security"
)

type pages struct {
	crud.Pages[Instance, Draft]
	svc   *Service
	frame *frame.Frame
}

func newPages(s *Service, f *frame.Frame) pages {
	p := pages{svc: s, frame: f}
	p.Pages = crud.Pages[Instance, Draft]{
		Path: Path, Keys: "alertinstance.", Test: "alertinstance", Icon: "siren", Spec: Spec(), Keeper: &s.Keeper, Shell: f.Page,
		Columns: []crud.Column{{Key: "name"}, {Key: "plugin"}, {Key: "warning", Drop: 1}},
		Cells: func(ctx context.Context, i Instance) []view.Cell {
			return []view.Cell{{Text: i.Name}, {Text: p.label(ctx, i.Plugin)}, {Text: i18n.T(ctx, "run.warning."+i.Warning), Muted: true}}
		},
		Draft: func(i Instance) Draft {
			shown, err := s.Shown(i)
			if err != nil { // a key that is gone: what was secret has to be typed again
				shown, _ = form.ReadFlat([]byte(i.Params))
			}
			return Draft{Name: i.Name, Plugin: i.Plugin, Warning: i.Warning, Kind: i.Kind, Settings: shown}
		},
		Read: p.read,
		Form: p.form,
	}
	return p
}

func (p pages) mount(r chi.Router, site *web.Site) {
	web.Resource{
		Path: Path, Index: p.Index, New: p.begin, Create: p.save(p.Create), Edit: p.Edit, Update: p.save(p.Update), Confirm: p.Confirm, Delete: p.Delete,
	}.Mount(r, site)
}

func (p pages) label(ctx context.Context, plugin string) string {
	if found, ok := p.svc.plugins.Named(plugin); ok {
		return i18n.T(ctx, found.Label)
	}
	return plugin
}

// read takes the fields of the plugin from a form: a switch that is off sends nothing.
func (p pages) read(f *web.Form) Draft {
	d := Draft{Name: f.Text("name"), Plugin: f.Text("plugin"), Warning: f.Text("warning"), Settings: form.Flat{}}
	found, _ := p.svc.plugins.Named(d.Plugin)
	for _, field := range found.Schema {
		name := Prefix + field.Name
		switch {
		case field.Type == form.Switch && f.Bool(name):
			d.Settings[field.Name] = "true"
		case field.Type == form.Switch:
			d.Settings[field.Name] = "false"
		case field.Type == form.Secret: // a password may begin with a blank
			d.Settings[field.Name] = f.Raw(name)
		default:
			d.Settings[field.Name] = f.Text(name)
		}
	}
	return d
}

func (p pages) form(ctx context.Context, v view.Form, d Draft, _ *web.Form) (templ.Component, error) {
	found, ok := p.svc.plugins.Named(d.Plugin)
	if !ok {
		return p.choice(ctx, v.Shell, i18n.T(ctx, ErrPlugin.Key)), nil
	}
	if d.Warning == "" {
		d.Warning = "ALL"
	}
	return security.AlertInstanceEdit(security.AlertInstanceForm{
		Form: v, Plugin: d.Plugin, PluginLabel: i18n.T(ctx, found.Label), Name: d.Name, Warning: d.Warning, Values: d.Settings, Tested: d.Tested,
		Fields: found.Schema.Describe(func(key string) string { return i18n.T(ctx, key) }),
	}), nil
}

// begin asks for the plugin first, then shows its form.
func (p pages) begin(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	if err := p.svc.access.Require(ctx, Manage); err != nil {
		return nil, err
	}
	if plugin := r.URL.Query().Get("plugin"); plugin != "" {
		if _, ok := p.svc.plugins.Named(plugin); !ok {
			return nil, ErrPlugin
		}
		return p.NewFrom(r, Draft{Plugin: plugin})
	}
	shell := p.frame.Page(r, i18n.T(ctx, "alertinstance.create"), components.Crumb{Label: i18n.T(ctx, "alertinstance.title"), URL: Path})
	return web.Page(p.choice(ctx, shell, "")), nil
}

// choice asks for the plugin.
func (p pages) choice(ctx context.Context, shell layout.ShellProps, complaint string) templ.Component {
	v := security.PickPage{
		Shell: shell, Title: i18n.T(ctx, "alertinstance.create"), Text: i18n.T(ctx, "alertinstance.pick"), Error: complaint, BackURL: Path,
		Test: "alertinstance.pick",
	}
	for _, one := range p.svc.plugins.All() {
		v.Picks = append(v.Picks, security.Pick{
			Name: i18n.T(ctx, one.Label), Help: i18n.T(ctx, one.Help), URL: Path + "/new?plugin=" + url.QueryEscape(one.Name), Test: "pick." + one.Name,
		})
	}
	return security.Kinds(v)
}

// save saves, or tries out what is to be saved when that button was pressed.
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
		answer, err := p.svc.Test(ctx, id, d)
		switch {
		case err == nil:
			d.Tested = security.Tested{OK: true, Text: i18n.T(ctx, "alertinstance.tested", "answer", answer)}
		case errors.Is(err, ErrTest):
			d.Tested = security.Tested{Text: web.Message(ctx, err)}
		case f.Rejects(err):
			return p.Again(r, id, d, f.Text(web.StampField), f)
		default:
			return nil, err
		}
		return p.Again(r, id, d, f.Text(web.StampField), nil)
	}
}
