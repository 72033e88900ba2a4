package boot

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/ids"
	"dorado/app/kit/pinyin"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/apidocs"
	"dorado/modules/audit"
	"dorado/modules/backfill"
	"dorado/modules/datasource"
	"dorado/modules/engine"
	"dorado/modules/frame"
	"dorado/modules/gateway"
	"dorado/modules/home"
	"dorado/modules/identity"
	"dorado/modules/instance"
	"dorado/modules/keep"
	"dorado/modules/monitor"
	"dorado/modules/project"
	"dorado/modules/quality"
	"dorado/modules/resource"
	"dorado/modules/schedule"
	"dorado/modules/search"
	"dorado/modules/security/accesstoken"
	"dorado/modules/security/account"
	"dorado/modules/security/alertgroup"
	"dorado/modules/security/alertinstance"
	"dorado/modules/security/auditlog"
	"dorado/modules/security/calendar"
	"dorado/modules/security/environment"
	"dorado/modules/security/queue"
	"dorado/modules/security/tenant"
	"dorado/modules/security/user"
	"dorado/modules/security/workergroup"
	"dorado/modules/taskgroup"
	"dorado/modules/tasktype"
	"dorado/modules/transfer"
	"dorado/modules/udf"
	"dorado/modules/unconfigured"
	"dorado/modules/workflow"
	"dorado/plugins/catalog"
)

// modules are the parts of the product that have pages or endpoints, and what they share.
type modules struct {
	site     *web.Site
	api      *dsapi.API
	frame    *frame.Frame
	access   *access.Service
	identity *identity.Service
	account  *account.Module
	queue    *queue.Module
	tenant   *tenant.Module
	groups   *workergroup.Module
	envs     *environment.Module
	alerts   *alertgroup.Module
	ways     *alertinstance.Module
	sources  *datasource.Module
	udfs     *udf.Module
	quality  *quality.Module
	small    []func(chi.Router) // endpoints of lists that have no pages
	calendar *calendar.Module
	pools    *taskgroup.Module
	user     *user.Module
	token    *accesstoken.Module
	audit    *auditlog.Module
	resource *resource.Module
	rights   rights
	project  *project.Module
	workflow *workflow.Module
	instance *instance.Module
	schedule *schedule.Module
	transfer *transfer.Module
	backfill *backfill.Module
	monitor  *monitor.Module
	keep     *keep.Module
	sample   func(context.Context) error // notes how the nodes are
	home     *home.Module
	search   *search.Module
	docs     *apidocs.Module
	limits   *limits
	gateway  *gateway.Gateway   // nil when it is off
	closing  context.CancelFunc // ends event streams
}

// newModules builds everything in layer order. What a lower module needs of an upper one is handed in afterwards.
func newModules(ctx context.Context, c *core, eng *engine.Engine) (*modules, error) {
	m := &modules{frame: frame.New(), api: dsapi.New(c.logger)}
	if c.cfg.Web.Clients == "3.2" {
		m.api = m.api.Exact32()
	}
	open, closing := context.WithCancel(context.WithoutCancel(ctx))
	m.closing = closing
	var err error
	m.site, err = web.NewSite(web.Options{
		Config: c.cfg.Web, Logger: c.logger, Closing: open, ErrorPage: m.frame.ErrorPage, ErrorNotice: m.frame.ErrorNotice,
	})
	if err != nil {
		return nil, err
	}
	plugins, err := catalog.Builtin()
	if err != nil {
		return nil, err
	}
	codes := ids.NewGenerator(ids.Machine(c.cfg.Master.Name, strconv.Itoa(os.Getpid())), time.Now)
	log := audit.New(audit.Deps{DB: c.db, Now: time.Now, MayList: func(ctx context.Context) error { return m.access.Require(ctx, access.AuditRead) }})
	refused := newRefusals(log, c.logger, time.Now)
	m.site.OnRefused(refused.note)
	m.api.OnRefused(refused.note)
	m.access, err = access.New(ctx, access.Deps{DB: c.db, Log: c.logger, Now: time.Now, Rules: declaredRules()})
	if err != nil {
		return nil, err
	}

	m.queue = queue.New(queue.Deps{DB: c.db, Access: m.access, Audit: log, Site: m.site, API: m.api, Frame: m.frame})
	m.tenant = tenant.New(tenant.Deps{
		DB: c.db, Access: m.access, Audit: log, Queues: m.queue.Service, Site: m.site, API: m.api, Frame: m.frame,
	})
	alertPlugins, err := catalog.BuiltinAlerts(filepath.Join(c.cfg.Data, "alert-scripts"))
	if err != nil {
		return nil, err
	}
	m.arrangements(c, eng, log, codes, alertPlugins)
	m.newRights(c, log, codes)
	if m.identity, err = newIdentity(c, m.access, log, m.tenant.Service); err != nil {
		return nil, err
	}
	m.account = account.New(account.Deps{
		Identity: m.identity, Access: m.access, Tenants: m.tenant.Service, Site: m.site, API: m.api, Frame: m.frame, Log: c.logger,
		Build: account.Build{Version: Version, Commit: Commit(), Go: runtime.Version()}, URL: c.cfg.URL(),
	})

	m.user = user.New(user.Deps{
		Identity: m.identity, Access: m.access, Tenants: m.tenant.Service, Queues: m.queue.Service, Site: m.site, API: m.api, Frame: m.frame,
		Link: func(token string) string { return c.cfg.URL() + account.LinkPath(token) }, Browser: account.Browser,
	})
	m.token = accesstoken.New(accesstoken.Deps{
		DB: c.db, Identity: m.identity, Access: m.access, Site: m.site, API: m.api, Frame: m.frame,
	})
	m.audit = auditlog.New(auditlog.Deps{Audit: log, Access: m.access, Site: m.site, API: m.api, Frame: m.frame})

	m.resource = newResources(c, m, log)
	projects := project.New(project.Deps{DB: c.db, Access: m.access, Audit: log, Codes: codes, Now: time.Now, Sealer: c.sealer})
	m.project = project.NewModule(projects, project.PageDeps{Site: m.site, API: m.api, Frame: m.frame})
	sourceTypes, err := catalog.ConfiguredDataSources(c.cfg.DataSource, c.cfg.Own())
	if err != nil {
		return nil, err
	}
	m.sources = datasource.New(datasource.Deps{
		DB: c.db, Access: m.access, Audit: log, Sealer: c.sealer, Types: sourceTypes, Site: m.site, API: m.api, Frame: m.frame,
	})
	m.udfs = udf.New(udf.Deps{DB: c.db, Access: m.access, Audit: log, API: m.api})
	m.quality = quality.New(quality.Deps{DB: c.db, Access: m.access, Types: sourceTypes, Site: m.site, API: m.api, Frame: m.frame})
	m.small = []func(chi.Router){
		m.udfs.API, m.quality.API,
		tasktype.New(tasktype.Deps{DB: c.db, Access: m.access, Catalog: plugins, API: m.api}).API,
		unconfigured.New(m.access, m.api).API,
	}
	m.pools = taskgroup.New(taskgroup.Deps{
		DB: c.db, Access: m.access, Audit: log, Projects: projects, Site: m.site, API: m.api, Frame: m.frame,
	})
	workflows := workflow.New(workflow.Deps{DB: c.db, Projects: projects, Audit: log, Codes: codes, Catalog: plugins, Now: time.Now})
	projects.SetContents(workflows)
	workflows.SetSources(m.sources)
	m.sources.AddReferrer(workflows)
	m.sources.SetDrawing(drawing{workflows})
	m.resource.AddReferrer(workflows)
	m.identity.AddReferrer(projects)
	m.token.SetProjects(tokenProjects(projects))
	m.user.AddReferrer(projects)
	m.instance = instance.New(instance.Deps{
		Services: instance.Services{
			DB: c.db, Access: m.access, Audit: log, Projects: projects, Workflows: workflows, Tenants: m.tenant.Service, Logs: eng, Workers: eng, Streams: eng,
			Now: time.Now, Logger: c.logger,
		},
		Catalog: plugins, Site: m.site, API: m.api, Frame: m.frame,
	})
	m.backfill = backfill.New(backfill.Deps{
		Services: backfill.Services{
			DB: c.db, Access: m.access, Audit: log, Projects: projects, Instances: m.instance.Service, Now: time.Now, Logger: c.logger,
		},
		Site: m.site, API: m.api, Frame: m.frame,
	})
	m.instance.SetBackfills(m.backfill)
	m.schedule = schedule.New(schedule.Deps{
		Services: schedule.Services{
			DB: c.db, Audit: log, Projects: projects, Workflows: workflows, Tenants: m.tenant.Service, Now: time.Now,
			Calendars: workdays{m.calendar.Service}, Known: m.known(),
		},
		Site: m.site, API: m.api, Frame: m.frame, Pages: m.timingPages(),
	})
	m.referToSchedules()
	m.newTransfer(c, log, projects, workflows, plugins)
	m.referToArrangements(projects, workflows)
	m.referToRights(projects, workflows)
	m.project.SetRunStats(m.projectStates)
	m.audit.SetProjects(projectOptions(projects))
	m.workflow = workflow.NewModule(workflows, workflow.PageDeps{
		Site: m.site, API: m.api, Frame: m.frame, Run: instance.Operate,
		WorkerGroups: m.groups.Names, History: m.runHistory, Timings: m.timings(), Lists: m.formLists(),
	})
	m.newMonitor(c, eng, monitor.Deps{
		Services: monitor.Services{DB: c.db, Access: m.access, Audit: log, Metrics: c.metrics, Logger: c.logger, Now: time.Now},
		Site:     m.site, API: m.api, Frame: m.frame,
	})
	m.home = home.New(home.Deps{
		Access: m.access, Projects: projects, Instances: m.instance.Service, Site: m.site, Frame: m.frame,
	})
	spelling, err := pinyin.New()
	if err != nil {
		return nil, err
	}
	m.search = search.New(search.Deps{
		Access: m.access, Projects: projects, Workflows: workflows, Instances: m.instance.Service, Files: m.resource.Service,
		Sources: m.sources.Service, Users: m.identity, Spelling: spelling, Visits: search.Visits{DB: c.db, Now: time.Now},
		Site: m.site, Frame: m.frame, Logger: c.logger,
	})
	m.limits = newLimits(c.cfg.Web.Limit, time.Now, m.site.Fail)
	if m.docs, err = newDocs(m); err != nil {
		return nil, err
	}
	m.gateway = newGateway(c, m, projects, workflows, codes)
	m.keep = newRetention(c, m, log)
	m.frame.Add(slices.Concat(
		m.account.Menu(), m.queue.Menu(), m.tenant.Menu(), m.groups.Menu(), m.envs.Menu(), m.alerts.Menu(), m.ways.Menu(), m.sources.Menu(), m.quality.Menu(), m.calendar.Menu(), m.user.Menu(), m.token.Menu(), m.audit.Menu(), m.resource.Menu(), m.project.Menu(), m.pools.Menu(), m.workflow.Menu(),
		m.instance.Menu(), m.backfill.Menu(), m.schedule.Menu(), m.monitor.Menu(), m.keep.Menu(), m.home.Menu(), m.docs.Menu(), m.rights.menu(),
	)...)
	return m, nil
}

// declaredRules says which roles have which permissions, of all modules.
func declaredRules() []access.Rule {
	return slices.Concat(
		identity.Rules(), queue.Rules(), tenant.Rules(), workergroup.Rules(), environment.Rules(), alertgroup.Rules(), alertinstance.Rules(), datasource.Rules(), tasktype.Rules(), udf.Rules(), quality.Rules(), unconfigured.Rules(), calendar.Rules(), rightsRules(), project.Rules(), taskgroup.Rules(), workflow.Rules(), instance.Rules(), schedule.Rules(), resource.Rules(), keep.Rules(), monitor.Rules(),
	)
}

// pages are the routes for browsers.
func (m *modules) pages() []func(chi.Router) {
	return append([]func(chi.Router){
		m.account.Routes, m.queue.Routes, m.tenant.Routes, m.groups.Routes, m.envs.Routes, m.alerts.Routes, m.ways.Routes, m.sources.Routes, m.quality.Routes, m.calendar.Routes, m.user.Routes, m.token.Routes, m.audit.Routes, m.resource.Routes, m.project.Routes, m.pools.Routes, m.workflow.Routes,
		m.instance.Routes, m.backfill.Routes, m.schedule.Routes, m.transfer.Routes, m.monitor.Routes, m.keep.Routes, m.home.Routes, m.search.Routes, m.docs.Routes,
	}, m.rights.pages()...)
}

// calls are the routes of REST.
func (m *modules) calls() []func(chi.Router) {
	return slices.Concat([]func(chi.Router){m.account.API, m.queue.API, m.tenant.API, m.groups.API, m.envs.API, m.alerts.API, m.ways.API, m.sources.API, m.user.API, m.token.API, m.audit.API, m.resource.API, m.project.API, m.pools.API, m.workflow.API, m.instance.API, m.backfill.API, m.schedule.API, m.transfer.API, m.monitor.API}, m.rights.calls(), m.small)
}

// projectStates gives the overview of a project what the module of runs counts.
func (m *modules) projectStates(ctx context.Context, code int64, since time.Time) (workflows, tasks []project.StateCount, err error) {
	stats, err := m.instance.Stats(ctx, code, instance.Range{From: since})
	if err != nil {
		return nil, nil, err
	}
	list := project.Address(code, "/instances?state=")
	for _, c := range stats.Workflows {
		workflows = append(workflows, project.StateCount{State: c.State, Count: c.Count, URL: list + c.State})
	}
	list = project.Address(code, "/task-instances?state=")
	for _, c := range stats.Tasks {
		tasks = append(tasks, project.StateCount{State: c.State, Count: c.Count, URL: list + c.State})
	}
	return workflows, tasks, nil
}

// runHistory gives the list of workflows what the module of runs knows.
func (m *modules) runHistory(ctx context.Context, codes []int64) (map[int64][]workflow.Bar, error) {
	runs, err := m.instance.RunHistory(ctx, codes)
	if err != nil {
		return nil, err
	}
	bars := make(map[int64][]workflow.Bar, len(runs))
	for code, list := range runs {
		for _, r := range list {
			bars[code] = append(bars[code], workflow.Bar{State: string(r.State), At: r.Start, Took: r.Took, URL: r.URL()})
		}
	}
	return bars, nil
}

// background is what modules do besides serving, until ctx ends.
func (m *modules) background(ctx context.Context, logger *slog.Logger) {
	if err := m.instance.Listen(ctx); err != nil {
		logger.WarnContext(ctx, "no notifications of changed runs; pages look for themselves", "error", err)
	}
	go func() {
		if err := m.sample(ctx); err != nil && ctx.Err() == nil {
			logger.WarnContext(ctx, "charts of nodes end", "error", err)
		}
	}()
	if err := m.identity.Run(ctx); err != nil && ctx.Err() == nil {
		logger.WarnContext(ctx, "clean-up of sessions ended", "error", err)
	}
}
