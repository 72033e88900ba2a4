package workergroup

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/web"
	"dorado/modules/frame"
	"dorado/modules/security/crud"
	"dorado/views/components"
	view "dorado/views/crud"
	"dorado/views/security"
)

func pages(s *Service, f *frame.Frame) crud.Pages[Group, Draft] {
	return crud.Pages[Group, Draft]{
		Path: Path, Keys: "workergroup.", Test: "workergroup", Icon: "group", Spec: Spec(), Keeper: &s.Keeper, Shell: f.Page,
		Columns: []crud.Column{{Key: "name"}, {Key: "workers"}, {Key: "description", Drop: 1}},
		Cells: func(ctx context.Context, g Group) []view.Cell {
			return []view.Cell{{Text: g.Name}, {Body: s.workers(ctx, g)}, {Text: g.Description, Muted: true}}
		},
		Decorate: s.notes,
		Draft:    func(g Group) Draft { return Draft{Name: g.Name, Workers: g.Workers(), Description: g.Description} },
		Read: func(f *web.Form) Draft {
			return Draft{Name: f.Text("name"), Workers: append(f.List("worker"), split(f.Text("workers"))...), Description: f.Text("description")}
		},
		Form: s.form,
	}
}

// workers shows who is behind a group, those that are not connected struck out.
func (s *Service) workers(ctx context.Context, g Group) templ.Component {
	live, absent := s.Members(g)
	var tags []view.Tag
	for _, name := range live {
		tags = append(tags, view.Tag{Text: name})
	}
	for _, name := range absent {
		tags = append(tags, view.Tag{Text: name, Off: true, Note: i18n.T(ctx, "workergroup.absent")})
	}
	return view.Tags(tags, i18n.T(ctx, "workergroup.nobody"))
}

// notes says which groups there are besides those listed.
func (s *Service) notes(r *http.Request, _ listing.Page[Group], v *view.Page) error {
	ctx := r.Context()
	var texts []string
	hasDefault, err := s.hasRow(ctx, Default)
	if err != nil {
		return err
	}
	if !hasDefault {
		texts = append(texts, i18n.T(ctx, "workergroup.note.default", "count", len(s.live())))
	}
	own, err := s.own(ctx)
	if err != nil {
		return err
	}
	if len(own) > 0 {
		var names []string
		for name, workers := range own {
			names = append(names, name+" ("+strings.Join(workers, ", ")+")")
		}
		slices.Sort(names)
		texts = append(texts, i18n.T(ctx, "workergroup.note.own", "groups", strings.Join(names, " · ")))
	}
	v.Above = view.Facts(components.ToastInfo, texts...)
	return nil
}

func (s *Service) form(ctx context.Context, p view.Form, d Draft, f *web.Form) (templ.Component, error) {
	v := security.WorkerGroupForm{Form: p, Name: d.Name, Description: d.Description, Ticked: d.Workers}
	known := map[string]bool{}
	for _, w := range s.Live() {
		known[w.Name] = true
		v.Live = append(v.Live, components.Option{Value: w.Name, Label: w.Name, Hint: w.Address})
	}
	var others []string
	for _, name := range d.Workers {
		if !known[name] {
			others = append(others, name)
		}
	}
	v.Others = strings.Join(others, ", ")
	if f != nil {
		v.Others = f.Text("workers")
	}
	return security.WorkerGroupEdit(v), nil
}
