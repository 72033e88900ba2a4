package alertgroup

import (
	"context"

	"github.com/a-h/templ"

	"dorado/app/kit/web"
	"dorado/modules/frame"
	"dorado/modules/security/crud"
	view "dorado/views/crud"
	"dorado/views/security"
)

func pages(s *Service, f *frame.Frame) crud.Pages[Group, Draft] {
	return crud.Pages[Group, Draft]{
		Path: Path, Keys: "alertgroup.", Test: "alertgroup", Icon: "siren", Spec: Spec(), Keeper: &s.Keeper, Shell: f.Page,
		Columns: []crud.Column{{Key: "name"}, {Key: "description", Drop: 1}},
		Cells: func(_ context.Context, g Group) []view.Cell {
			return []view.Cell{{Text: g.Name}, {Text: g.Description, Muted: true}}
		},
		Fixed: func(_ context.Context, g Group) (edit, remove bool) { return true, g.ID != Admins },
		Draft: func(g Group) Draft { return Draft{Name: g.Name, Description: g.Description} },
		Read:  func(f *web.Form) Draft { return Draft{Name: f.Text("name"), Description: f.Text("description")} },
		Form: func(_ context.Context, p view.Form, d Draft, _ *web.Form) (templ.Component, error) {
			return security.AlertGroupEdit(security.AlertGroupForm{Form: p, Name: d.Name, Description: d.Description}), nil
		},
	}
}
