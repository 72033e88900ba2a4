package queue

import (
	"context"

	"github.com/a-h/templ"

	"dorado/app/kit/web"
	"dorado/modules/frame"
	"dorado/modules/security/crud"
	view "dorado/views/crud"
	"dorado/views/security"
)

func pages(s *Service, f *frame.Frame) crud.Pages[Queue, Draft] {
	return crud.Pages[Queue, Draft]{
		Path: Path, Keys: "queue.", Test: "queue", Icon: "queue", Spec: Spec(), Keeper: &s.Keeper, Shell: f.Page,
		Columns: []crud.Column{{Key: "name"}, {Key: "value"}},
		Cells: func(_ context.Context, q Queue) []view.Cell {
			return []view.Cell{{Text: q.Name}, {Text: q.Value, Code: true}}
		},
		Draft: func(q Queue) Draft { return Draft{Name: q.Name, Value: q.Value} },
		Read:  func(f *web.Form) Draft { return Draft{Name: f.Text("name"), Value: f.Text("value")} },
		Form: func(_ context.Context, p view.Form, d Draft, _ *web.Form) (templ.Component, error) {
			return security.QueueEdit(security.QueueForm{Form: p, Name: d.Name, Value: d.Value}), nil
		},
	}
}
