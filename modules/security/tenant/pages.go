package tenant

import (
	"context"
	"strconv"

	"github.com/a-h/templ"

	"dorado/app/kit/web"
	"dorado/modules/frame"
	"dorado/modules/security/crud"
	"dorado/modules/security/queue"
	"dorado/views/components"
	view "dorado/views/crud"
	"dorado/views/security"
)

func pages(s *Service, queues *queue.Service, f *frame.Frame) crud.Pages[Tenant, Draft] {
	return crud.Pages[Tenant, Draft]{
		Path: Path, Keys: "tenant.", Test: "tenant", Icon: "tenant", Spec: Spec(), Keeper: &s.Keeper, Shell: f.Page,
		Columns: []crud.Column{{Key: "code"}, {Key: "queue", Drop: 1}, {Key: "description", Drop: 1}},
		Cells: func(_ context.Context, t Tenant) []view.Cell {
			return []view.Cell{{Text: t.Code}, {Text: t.QueueName}, {Text: t.Description, Muted: true}}
		},
		Draft: func(t Tenant) Draft { return Draft{Code: t.Code, QueueID: t.QueueID, Description: t.Description} },
		Read: func(f *web.Form) Draft {
			return Draft{Code: f.Text("code"), QueueID: f.Int64("queue_id"), Description: f.Text("description")}
		},
		Form: func(ctx context.Context, p view.Form, d Draft, _ *web.Form) (templ.Component, error) {
			all, err := queues.All(ctx)
			if err != nil {
				return nil, err
			}
			v := security.TenantForm{Form: p, Code: d.Code, QueueID: strconv.FormatInt(d.QueueID, 10), Description: d.Description}
			for _, q := range all {
				v.Queues = append(v.Queues, components.Option{Value: strconv.FormatInt(q.ID, 10), Label: q.Name})
				if d.QueueID == 0 && q.Name == queue.Default {
					v.QueueID = strconv.FormatInt(q.ID, 10)
				}
			}
			return security.TenantEdit(v), nil
		},
	}
}
