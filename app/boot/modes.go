package boot

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"dorado/app/config"
	"dorado/app/kit/lifecycle"
	"dorado/app/kit/metrics"
	"dorado/modules/engine"
	"dorado/modules/executor"
	"dorado/modules/rpc"
	"dorado/modules/schedule"
	"dorado/plugins/catalog"
	"dorado/plugins/storage"
)

// Version of the program; a release sets it with -ldflags "-X dorado/app/boot.Version=…".
var Version = "0.1.0-dev" //nolint:gochecknoglobals // the linker writes it

// Commit is the revision that the program was built from, "" when the build did not note it.
func Commit() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				return setting.Value
			}
		}
	}
	return ""
}

// LocalWorker is the name of the worker inside a standalone process.
const LocalWorker = "local"

// Standalone runs pages, REST, the scheduler and a worker in one process until ctx ends.
func Standalone(ctx context.Context, cfg config.Config, logger *slog.Logger, terminal io.Writer) error {
	cfg.Master.Name, cfg.Worker.Name = "standalone", LocalWorker
	return serveMaster(ctx, cfg, logger, terminal, true)
}

// Master runs the parts named by the configuration's roles until ctx ends.
func Master(ctx context.Context, cfg config.Config, logger *slog.Logger, terminal io.Writer) error {
	return serveMaster(ctx, cfg, logger, terminal, false)
}

// serveMaster starts, in this order, and stops in the reverse one: engine, worker (standalone) or listener for workers,
// what one master does for all, pages. So pages go away first, and tasks get their drain time while the engine still takes
// their reports.
func serveMaster(ctx context.Context, cfg config.Config, logger *slog.Logger, terminal io.Writer, standalone bool) error {
	if standalone { // all in one process: there is nobody to find
		executor.DeafToChildren()
		cfg.Roles, cfg.Cluster.Registry = []string{config.RoleWeb, config.RoleScheduler, config.RoleAlert}, config.RegistryNone
	}
	c, err := open(ctx, cfg, logger)
	if err != nil {
		return err
	}
	services := lifecycle.New(logger)
	streams, closeStreams := context.WithCancel(context.WithoutCancel(ctx))
	defer closeStreams()
	workers := c.workerListener
	if standalone {
		workers = func(_ context.Context, eng *engine.Engine) (lifecycle.Service, error) {
			return c.localWorker(eng.Dialer(streams))
		}
	}
	if c.registry, err = c.openRegistry(ctx); err != nil {
		return errors.Join(err, c.close())
	}
	services.Add(registryService(c.registry))
	if !standalone { // there, starting tasks keeps a processor busy that is not in use
		services.Add(processorsService())
	}
	if err := c.master(ctx, services, terminal, workers); err != nil {
		return errors.Join(err, c.close())
	}
	err = services.Run(ctx)
	closeStreams()
	return errors.Join(err, c.close())
}

// master adds the services that the roles name. workers returns the one that brings workers to the engine.
func (c *core) master(
	ctx context.Context, services *lifecycle.Group, terminal io.Writer, workers func(context.Context, *engine.Engine) (lifecycle.Service, error),
) error {
	cfg := c.cfg
	has := func(role string) bool { return slices.Contains(cfg.Roles, role) }
	plugins, err := catalog.Builtin()
	if err != nil {
		return err
	}
	eng := engine.New(cfg.Master, engine.Deps{
		DB: c.db, Logger: c.logger, Now: time.Now, Metrics: c.metrics, Archive: storedLogs(c.storage), Files: c.files, Sealer: c.sealer, Vault: c.vault,
		Sources: plugins.SourceIDs,
		Series: func(taskType string, params json.RawMessage) engine.Series {
			return engine.Series(plugins.Series(taskType, params))
		},
	})
	m, err := newModules(ctx, c, eng)
	if err != nil {
		return err
	}
	services.Add(lifecycle.Service{Name: "access", Run: func(ctx context.Context) error { return m.access.Run(ctx) }})
	traced, err := c.tracing(ctx, eng, m)
	if err != nil {
		return err
	}
	for _, service := range traced {
		services.Add(service)
	}
	for _, service := range c.membership(eng) {
		services.Add(service)
	}
	if has(config.RoleScheduler) {
		services.Add(engineService(eng))
		c.probes.add("engine", func(context.Context) error {
			if !eng.Working() {
				return errNoPlace
			}
			return nil
		})
		follow(eng, m)
		services.Add(c.elected(clockLock, clockAfterRestore(c, newClock(c, m))))
		services.Add(c.elected(backfillLock, m.backfill.Run))
		services.Add(c.elected(retentionLock, m.keep.Retention.Run))
		services.Add(c.elected(resourceLock, m.resource.Run))
		service, err := workers(ctx, eng)
		if err != nil {
			return err
		}
		services.Add(service)
	}
	if has(config.RoleAlert) {
		services.Add(c.elected(alertLock, m.alertSender(c, eng).Run))
	}
	if has(config.RoleWeb) {
		service, err := webServer(ctx, c, m, terminal)
		if err != nil {
			return err
		}
		services.Add(service)
		if m.gateway != nil {
			service, err := pythonGateway(ctx, m.gateway)
			if err != nil {
				return err
			}
			services.Add(service)
		}
	}
	services.Add(memoryService())
	return nil
}

// localWorker is the worker of a standalone process.
func (c *core) localWorker(dialer rpc.Dialer) (lifecycle.Service, error) {
	worker, err := newWorker(c.cfg, c.logger, c.metrics, c.storage, c.files, []executor.Master{{Name: c.cfg.Master.Name, Dialer: dialer}}, nil)
	if err != nil {
		return lifecycle.Service{}, err
	}
	return workerService(c.cfg, worker), nil
}

// engineService decides what runs.
func engineService(eng *engine.Engine) lifecycle.Service {
	return lifecycle.Service{
		Name: "engine", Drain: 30 * time.Second,
		Run: eng.Run,
	}
}

// newClock returns what fires schedules.
func newClock(c *core, m *modules) *schedule.Clock {
	return schedule.NewClock(schedule.ClockDeps{
		DB: c.db, Instances: m.instance.Service, Calendars: m.schedule.Calendars, Metrics: c.metrics, Logger: c.logger, Now: time.Now,
		Config: c.cfg.Schedule,
	})
}

func workerService(cfg config.Config, worker *executor.Executor) lifecycle.Service {
	return lifecycle.Service{Name: "worker", Drain: cfg.Worker.DrainTimeout + time.Minute, Run: worker.Run}
}

// workerListener expects workers of other processes.
func (c *core) workerListener(ctx context.Context, eng *engine.Engine) (lifecycle.Service, error) {
	streams, err := streamConfig(c.cfg)
	if err != nil {
		return lifecycle.Service{}, err
	}
	listener, err := rpc.Listen(ctx, c.cfg.Cluster.Listen, streams, c.logger)
	if err != nil {
		return lifecycle.Service{}, err
	}
	c.logger.InfoContext(ctx, "expecting workers", "address", listener.Addr())
	return lifecycle.Service{
		Name: "worker listener",
		Run:  func(ctx context.Context) error { return listener.Serve(ctx, eng.ServeStream) },
	}, nil
}

// streamConfig is what both ends of a stream between masters and workers must agree on.
func streamConfig(cfg config.Config) (rpc.Config, error) {
	encryption, err := cfg.Cluster.TLS.Load()
	return rpc.Config{Secret: []byte(cfg.Cluster.Secret.Reveal()), TLS: encryption}, err
}

func newWorker(
	cfg config.Config, logger *slog.Logger, registry *metrics.Registry, logs, files storage.Storage, masters []executor.Master,
	inherited *executor.Handover,
) (*executor.Executor, error) {
	plugins, err := catalog.Builtin()
	if err != nil {
		return nil, err
	}
	sources, err := catalog.ConfiguredDataSources(cfg.DataSource, cfg.Own())
	if err != nil {
		return nil, err
	}
	return executor.New(executor.Deps{
		Config: cfg.Worker, Catalog: plugins, Sources: sources, Masters: masters, Environ: os.Environ(), Version: Version, Logger: logger,
		Metrics: registry, Archive: storedLogs(logs), Storage: files, Handover: inherited,
	})
}
