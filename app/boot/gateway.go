package boot

import (
	"context"
	"slices"
	"time"

	"dorado/app/config"
	"dorado/app/kit/ids"
	"dorado/app/kit/lifecycle"
	"dorado/modules/gateway"
	"dorado/modules/project"
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
