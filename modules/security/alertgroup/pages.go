package alertgroup

import (
	"context"
	"strconv"

	"github.com/a-h/templ"

	"dorado/app/kit/web"
	"dorado/modules/frame"
	"dorado/modules/security/alertinstance"
	"dorado/modules/security/crud"
	"dorado/views/components"
	view "dorado/views/crud"
	"dorado/views/security"
)

func pages(s *Service, instances *alertinstance.Service, f *frame.Frame) crud.Pages[Group, Draft] {
	return crud.Pages[Group, Draft]{
		Path: Path, Keys: "alertgroup.", Test: "alertgroup", Icon: "siren", Spec: Spec(), Keeper: &s.Keeper, Shell: f.Page,
		Columns: []crud.Column{{Key: "name"}, {Key: "instances", Right: true}, {Key: "description", Drop: 1}},
		Cells: func(_ context.Context, g Group) []view.Cell {
			return []view.Cell{{Text: g.Name}, {Text: strconv.Itoa(len(g.Instances))}, {Text: g.Description, Muted: true}}
		},
		Fixed: func(_ context.Context, g Group) (edit, remove bool) { return true, g.ID != Admins },
		Draft: func(g Group) Draft { return Draft{Name: g.Name, Description: g.Description, Instances: g.Instances} },
		Read: func(f *web.Form) Draft {
			d := Draft{Name: f.Text("name"), Description: f.Text("description")}
			for _, text := range f.List("instances") {
				id, err := strconv.ParseInt(text, 10, 64)
				if err != nil {
					f.Reject("instances", ErrInstances.Key)
				}
				d.Instances = append(d.Instances, id)
			}
			return d
		},
		Form: func(ctx context.Context, p view.Form, d Draft, _ *web.Form) (templ.Component, error) {
			all, err := instances.All(ctx)
			if err != nil {
				return nil, err
			}
			v := security.AlertGroupForm{Form: p, Name: d.Name, Description: d.Description}
			for _, i := range all {
				v.Instances = append(v.Instances, components.Option{Value: strconv.FormatInt(i.ID, 10), Label: i.Name, Hint: i.Plugin})
			}
			for _, id := range d.Instances {
				v.Ticked = append(v.Ticked, strconv.FormatInt(id, 10))
			}
			return security.AlertGroupEdit(v), nil
		},
	}
}
