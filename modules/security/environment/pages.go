package environment

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/frame"
	"dorado/modules/security/crud"
	"dorado/views/components"
	view "dorado/views/crud"
	"dorado/views/layout"
	"dorado/views/security"
)

func pages(s *Service, f *frame.Frame) crud.Pages[Environment, Draft] {
	return crud.Pages[Environment, Draft]{
		Path: Path, Keys: "environment.", Test: "environment", Icon: "terminal", Spec: Spec(), Keeper: &s.Keeper,
		Shell: func(r *http.Request, title string, above ...components.Crumb) layout.ShellProps {
			shell := f.Page(r, title, above...)
			shell.Scripts = append(shell.Scripts, "js/elements/code-field.js")
			return shell
		},
		Columns: []crud.Column{{Key: "name"}, {Key: "config", Drop: 1}, {Key: "worker_groups", Drop: 1}},
		Cells: func(ctx context.Context, e Environment) []view.Cell {
			var tags []view.Tag
			for _, g := range e.WorkerGroups {
				tags = append(tags, view.Tag{Text: g})
			}
			first, _, more := strings.Cut(e.Config, "\n")
			if more {
				first += " …"
			}
			return []view.Cell{{Text: e.Name, Note: e.Description}, {Body: view.Excerpt(first, e.Config)}, {Body: view.Tags(tags, i18n.T(ctx, "environment.all_groups"))}}
		},
		Draft: func(e Environment) Draft {
			return Draft{Name: e.Name, Config: e.Config, Description: e.Description, WorkerGroups: e.WorkerGroups}
		},
		Read: func(f *web.Form) Draft {
			return Draft{Name: f.Text("name"), Config: f.Raw("config"), Description: f.Text("description"), WorkerGroups: f.List("worker_groups")}
		},
		Form: func(ctx context.Context, p view.Form, d Draft, _ *web.Form) (templ.Component, error) {
			names, err := s.groups.Names(ctx)
			if err != nil {
				return nil, err
			}
			for _, g := range d.WorkerGroups { // one that is gone can be taken away
				if !slices.Contains(names, g) {
					names = append(names, g)
				}
			}
			p.Wide = true
			v := security.EnvironmentForm{Form: p, Name: d.Name, Config: d.Config, Description: d.Description, Ticked: d.WorkerGroups}
			for _, g := range names {
				v.Groups = append(v.Groups, components.Option{Value: g, Label: g})
			}
			return security.EnvironmentEdit(v), nil
		},
	}
}
