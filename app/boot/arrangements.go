package boot

import (
	"context"
	"strconv"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/ids"
	"dorado/modules/alert"
	"dorado/modules/audit"
	"dorado/modules/engine"
	"dorado/modules/project"
	"dorado/modules/security/alertgroup"
	"dorado/modules/security/alertinstance"
	"dorado/modules/security/calendar"
	"dorado/modules/security/environment"
	"dorado/modules/security/tenant"
	"dorado/modules/security/workergroup"
	"dorado/modules/workflow"
	"dorado/plugins/catalog"
	"dorado/views/components"
)

// arrangements builds what administrators arrange for runs: who may run them, with what, and when.
func (m *modules) arrangements(c *core, eng *engine.Engine, log *audit.Service, codes *ids.Generator, alerts *catalog.Alerts) {
	m.groups = workergroup.New(workergroup.Deps{
		DB: c.db, Access: m.access, Audit: log, Site: m.site, API: m.api, Frame: m.frame, Live: func() []workergroup.Worker { return liveWorkers(eng) },
	})
	m.envs = environment.New(environment.Deps{
		DB: c.db, Access: m.access, Audit: log, Groups: m.groups.Service, Codes: codes, Site: m.site, API: m.api, Frame: m.frame,
	})
	m.ways = alertinstance.New(alertinstance.Deps{
		DB: c.db, Access: m.access, Audit: log, Sealer: c.sealer, Plugins: alerts, Site: m.site, API: m.api, Frame: m.frame, Version: Version,
	})
	m.alerts = alertgroup.New(alertgroup.Deps{
		DB: c.db, Access: m.access, Audit: log, Instances: m.ways.Service, Site: m.site, API: m.api, Frame: m.frame,
	})
	m.calendar = calendar.New(calendar.Deps{DB: c.db, Access: m.access, Audit: log, Site: m.site, Frame: m.frame})
}

// referToArrangements makes what administrators arrange ask workflows and runs before it goes, and tells projects what
// there is.
func (m *modules) referToArrangements(projects *project.Service, workflows *workflow.Service) {
	m.groups.AddReferrer(workflows)
	m.groups.AddReferrer(m.instance.Service)
	m.envs.AddReferrer(workflows)
	known := names{m.envs.Service, m.pools.Service, m.calendar.Service, m.alerts.Service}
	workflows.SetLookup(known)
	m.schedule.SetLookup(known)
	m.envs.AddReferrer(m.instance.Service)
	m.alerts.AddReferrer(m.instance.Service)
	m.pools.AddReferrer(workflows)
	m.pools.SetController(m.instance.Service)
	projects.SetParameterUsers(workflows)
	projects.AddGroupUser(workflows)
	projects.SetWorkerGroups(m.groups.Names)
	projects.SetKnown(project.Known{
		Tenant: m.tenant.Exists, WorkerGroup: m.groups.Exists, Environment: m.envs.Exists, AlertGroup: m.alerts.Exists,
	})
	m.project.SetOptions(m.preferences)
}

// preferences lists what the preferences of a project may name.
func (m *modules) preferences(ctx context.Context, _ int64) (project.Options, error) {
	o := project.Options{
		Tenants:      []components.Option{{Value: tenant.Default, Label: tenant.Default}},
		Environments: []components.Option{{Value: strconv.FormatInt(environment.None, 10), Label: i18n.T(ctx, "preference.no_environment")}},
		AlertGroups:  []components.Option{{Value: "0", Label: i18n.T(ctx, "preference.no_alert_group")}},
	}
	tenants, err := m.tenant.All(ctx)
	if err != nil {
		return o, err
	}
	for _, t := range tenants {
		o.Tenants = append(o.Tenants, components.Option{Value: t.Code, Label: t.Code})
	}
	environments, err := m.envs.All(ctx)
	if err != nil {
		return o, err
	}
	for _, e := range environments {
		o.Environments = append(o.Environments, components.Option{Value: strconv.FormatInt(e.Code, 10), Label: e.Name})
	}
	alerts, err := m.alerts.All(ctx)
	for _, g := range alerts {
		o.AlertGroups = append(o.AlertGroups, components.Option{Value: strconv.FormatInt(g.ID, 10), Label: g.Name})
	}
	return o, err
}

// alertSender sends what the engine wrote for people.
func (m *modules) alertSender(c *core, eng *engine.Engine) *alert.Sender {
	return alert.New(alert.Deps{
		DB: c.db, Groups: m.alerts.Service, Instances: m.ways.Service, Wake: eng.Alerted(), Metrics: c.metrics, Logger: c.logger, Now: time.Now,
	})
}

// liveWorkers are the workers that are connected to this master now.
func liveWorkers(eng *engine.Engine) []workergroup.Worker {
	connected := eng.Workers()
	out := make([]workergroup.Worker, len(connected))
	for i, w := range connected {
		out[i] = workergroup.Worker{Name: w.Name, Address: w.Address, Groups: w.Groups}
	}
	return out
}

// projectOptions lists all projects that whoever asks may see, for filters.
func projectOptions(projects *project.Service) func(ctx context.Context) ([]components.Option, error) {
	return func(ctx context.Context) ([]components.Option, error) {
		all, err := projects.All(ctx)
		out := make([]components.Option, len(all))
		for i, p := range all {
			out[i] = components.Option{Value: strconv.FormatInt(p.Code, 10), Label: p.Name}
		}
		return out, err
	}
}
