package boot

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"dorado/app/config"
	"dorado/app/kit/ids"
	"dorado/app/kit/lifecycle"
	"dorado/modules/datasource"
	"dorado/modules/gateway"
	"dorado/modules/project"
	"dorado/modules/resource"
	"dorado/modules/workflow"
)

// newGateway returns what Python programs talk to, nil where it is off: it belongs to the processes with pages.
func newGateway(c *core, m *modules, projects *project.Service, workflows *workflow.Service, codes *ids.Generator) *gateway.Gateway {
	if !c.cfg.Gateway.Enabled || !slices.Contains(c.cfg.Roles, config.RoleWeb) {
		return nil
	}
	return gateway.New(gateway.Deps{
		Config: c.cfg.Gateway, DB: c.db, Identity: m.identity, Tenants: m.tenant.Service, Queues: m.queue.Service, Environments: m.envs.Service,
		Projects: projects, Workflows: workflows, Schedules: m.schedule.Service, Instances: m.instance.Service, Codes: codes,
		Resources: resourceFiles{m.resource.Service}, Datasources: dataSources{m.sources.Service},
		Metrics: c.metrics, Logger: c.logger, Now: time.Now,
	})
}

// pythonGateway opens the gateway's port; it is served once everything below is ready.
func pythonGateway(ctx context.Context, g *gateway.Gateway) (lifecycle.Service, error) {
	listener, err := g.Listen(ctx)
	if err != nil {
		return lifecycle.Service{}, err
	}
	return lifecycle.Service{
		Name: "python gateway", Drain: 10 * time.Second,
		Run: func(ctx context.Context) error { return g.Serve(ctx, listener) },
	}, nil
}

// resourceFiles lets Python programs name and write files.
type resourceFiles struct{ *resource.Service }

// Named is part of gateway.Resources, as Save.
func (f resourceFiles) Named(ctx context.Context, name, tenant string) (gateway.Resource, bool, error) {
	found, err := f.Get(ctx, f.Names.Parse(name, tenant))
	if errors.Is(err, resource.ErrNotFound) || errors.Is(err, resource.ErrBadPath) || errors.Is(err, resource.ErrNotConfigured) {
		return gateway.Resource{}, false, nil
	}
	return f.entity(found), err == nil, err
}

// Save is part of gateway.Resources.
func (f resourceFiles) Save(ctx context.Context, name, tenant, content string) (gateway.Resource, error) {
	written, err := f.Write(ctx, f.Names.Parse(name, tenant), resource.Content{Reader: strings.NewReader(content), Size: int64(len(content)), When: resource.Put})
	return f.entity(written), err
}

func (f resourceFiles) entity(x resource.File) gateway.Resource {
	return gateway.Resource{ID: x.ID, FullName: f.Names.Full(x.Ref()), FileName: x.Name, Directory: x.Dir, Size: x.Size}
}

// dataSources lets Python programs name data sources; secrets stay here.
type dataSources struct{ *datasource.Service }

// Named is part of gateway.Datasources. A name is there once, whatever the type.
func (s dataSources) Named(ctx context.Context, name string) ([]gateway.Datasource, error) {
	d, err := s.Service.Named(ctx, name)
	if errors.Is(err, datasource.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []gateway.Datasource{{ID: d.ID, Name: d.Name, Note: d.Note, Type: d.Type, UserID: d.UserID, Params: s.ConnectionParams(d)}}, nil
}
