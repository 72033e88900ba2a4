package boot

import (
	"context"
	"strconv"
	"time"

	"dorado/modules/audit"
	"dorado/modules/project"
	"dorado/modules/transfer"
	"dorado/modules/transfer/neutral"
	"dorado/modules/workflow"
	"dorado/plugins/catalog"
)

func (m *modules) newTransfer(c *core, log *audit.Service, projects *project.Service, workflows *workflow.Service, plugins *catalog.Catalog) {
	m.transfer = transfer.New(transfer.Deps{
		Services: transfer.Services{
			DB: c.db, Audit: log, Projects: projects, Workflows: workflows, Schedules: m.schedule.Service, Catalog: plugins, Now: time.Now,
		},
		Lookups: m.transferLookups(), Site: m.site, API: m.api, Frame: m.frame,
	})
}

// transferLookups list what workflows of files may refer to here.
func (m *modules) transferLookups() transfer.Lookups {
	lists := m.formLists()
	chosen := func(all []workflow.Choice, err error) ([]transfer.Choice, error) {
		out := make([]transfer.Choice, len(all))
		for i, c := range all {
			out[i] = transfer.Choice{Value: c.Value, Label: c.Label}
		}
		return out, err
	}
	return transfer.Lookups{
		neutral.Environment: func(ctx context.Context, in int64) ([]transfer.Choice, error) {
			return chosen(lists.Environments(ctx, in))
		},
		neutral.TaskGroup: func(ctx context.Context, in int64) ([]transfer.Choice, error) {
			return chosen(lists.TaskGroups(ctx, in))
		},
		neutral.WorkerGroup: func(ctx context.Context, _ int64) ([]transfer.Choice, error) {
			names, err := m.groups.Names(ctx)
			out := make([]transfer.Choice, len(names))
			for i, name := range names {
				out[i] = transfer.Choice{Value: name, Label: name}
			}
			return out, err
		},
		neutral.Tenant: func(ctx context.Context, _ int64) ([]transfer.Choice, error) {
			all, err := m.tenant.Service.All(ctx)
			out := make([]transfer.Choice, len(all))
			for i, t := range all {
				out[i] = transfer.Choice{Value: t.Code, Label: t.Code}
			}
			return out, err
		},
		neutral.DataSource: func(ctx context.Context, _ int64) ([]transfer.Choice, error) {
			all, err := m.sources.All(ctx, "")
			out := make([]transfer.Choice, len(all))
			for i, d := range all {
				out[i] = transfer.Choice{Value: strconv.FormatInt(d.ID, 10), Label: d.Name}
			}
			return out, err
		},
		neutral.AlertGroup: func(ctx context.Context, _ int64) ([]transfer.Choice, error) {
			all, err := m.alerts.All(ctx)
			out := make([]transfer.Choice, len(all))
			for i, g := range all {
				out[i] = transfer.Choice{Value: strconv.FormatInt(g.ID, 10), Label: g.Name}
			}
			return out, err
		},
	}
}
