package boot

import (
	"context"
	"strconv"

	"dorado/modules/resource"
	"dorado/modules/workflow"
)

// formLists are what the form of a task offers beyond the project's own things.
func (m *modules) formLists() workflow.FormLists {
	return workflow.FormLists{
		Environments: func(ctx context.Context, _ int64) ([]workflow.Choice, error) {
			all, err := m.envs.All(ctx)
			out := make([]workflow.Choice, len(all))
			for i, e := range all {
				out[i] = workflow.Choice{Value: strconv.FormatInt(e.Code, 10), Label: e.Name, WorkerGroups: e.WorkerGroups}
			}
			return out, err
		},
		TaskGroups: func(ctx context.Context, project int64) ([]workflow.Choice, error) {
			groups, err := m.pools.OfProject(ctx, project)
			out := make([]workflow.Choice, len(groups))
			for i, g := range groups {
				out[i] = workflow.Choice{Value: strconv.FormatInt(g.ID, 10), Label: g.Name}
			}
			return out, err
		},
		Resources: func(ctx context.Context) ([]string, error) {
			if !m.resource.Ready() {
				return nil, nil
			}
			home, err := m.resource.Home(ctx)
			if err != nil {
				return nil, err
			}
			files, err := m.resource.Tree(ctx, resource.Ref{Tenant: home})
			names := make([]string, 0, min(len(files), offeredFiles))
			for _, f := range files {
				if len(names) == offeredFiles {
					break
				}
				names = append(names, m.resource.Names.Full(f.Ref()))
			}
			return names, err
		},
	}
}

// offeredFiles is how many files a form offers; others can be typed.
const offeredFiles = 2000
