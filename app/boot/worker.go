package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"

	"dorado/app/config"
	"dorado/app/kit/lifecycle"
	"dorado/app/kit/metrics"
	"dorado/modules/cluster"
	"dorado/modules/cluster/zk"
	"dorado/modules/executor"
	"dorado/modules/rpc"
)

// workerPort stands in the address of a worker that was given none: DolphinScheduler's workers have it. Nobody connects to
// it; workers connect to masters.
const workerPort = "1234"

// Worker runs tasks for the masters of its cluster until ctx ends.
func Worker(ctx context.Context, cfg config.Config, logger *slog.Logger, _ io.Writer) error {
	if cfg.Cluster.Secret == "" {
		return errors.New("cluster.secret: a worker must know the secret of its masters; set DORADO_CLUSTER_SECRET or --cluster-secret")
	}
	found := cfg.Cluster.Kind() == config.RegistryZookeeper // masters are found in the tree
	if len(cfg.Cluster.Masters) == 0 && !found {
		return errors.New("cluster.masters: a worker needs the host:port of at least one master, or ZooKeeper to find them")
	}
	leaveRoom()
	executor.DeafToChildren()
	inherited := inherit(ctx, logger)
	lock, err := lockData(cfg.Data, inherited.File(dataLock))
	if err != nil {
		return err
	}
	defer lock.Close()
	streams, err := streamConfig(cfg)
	if err != nil {
		return err
	}
	if cfg.Worker.Address == "" && cfg.Cluster.Kind() != config.RegistryNone {
		cfg.Worker.Address = cfg.Cluster.Address(net.JoinHostPort("", workerPort))
	}
	var masters []executor.Master
	if !found {
		masters = dial(cfg.Cluster.Masters, streams)
	}
	measured, ready := metrics.New(), &probes{}
	files, err := openStorage(ctx, cfg, logger)
	if err != nil {
		return err
	}
	defer func() { _ = closeStorage(files) }()
	worker, err := newWorker(cfg, logger, measured, files, files, masters, inherited)
	if err != nil {
		return fmt.Errorf("set up the worker: %w", err)
	}
	ready.add("masters", func(context.Context) error {
		if worker.Connected() == 0 {
			return errors.New("it is connected to no master")
		}
		return nil
	})
	services := lifecycle.New(logger)
	switch {
	case found:
		registry, err := zk.New(zookeeper(cfg.Cluster, ""), logger)
		if err != nil {
			return err
		}
		services.Add(registryService(registry))
		m := &memberWorker{worker: worker, registry: registry, cfg: cfg, logger: logger, tell: func(addresses []string) {
			worker.SetMasters(dial(addresses, streams))
		}}
		m.place = &member{
			registry: registry, kind: cluster.Worker, address: cfg.Worker.Address, beat: m.heartbeat(), joined: worker.SetLease, logger: logger,
		}
		ready.add("registry", m.place.check)
		services.Add(lifecycle.Service{Name: "membership", Drain: leaveTime + time.Second, Run: m.join})
		services.Add(lifecycle.Service{Name: "masters", Run: m.follow})
	case cfg.Cluster.Kind() == config.RegistryPostgres:
		worker.SetLeaseByContact(cfg.Cluster.SessionTimeout)
	}
	services.Add(workerService(cfg, worker))
	services.Add(upgradeService(worker, lock, logger))
	if cfg.Worker.Listen != "" {
		service, err := healthListener(ctx, cfg.Worker.Listen, workerHealth(ready, measured))
		if err != nil {
			return err
		}
		services.Add(service)
	}
	services.Add(memoryService())
	return services.Run(ctx)
}

// dial says how to reach masters at their addresses, which also are their names to the worker.
func dial(addresses []string, streams rpc.Config) []executor.Master {
	masters := make([]executor.Master, len(addresses))
	for i, address := range addresses {
		masters[i] = executor.Master{Name: address, Dialer: rpc.TCPDialer{Addr: address, Config: streams}}
	}
	return masters
}

// memberWorker is a worker's place in the registry.
type memberWorker struct {
	worker   *executor.Executor
	registry cluster.Registry
	cfg      config.Config
	logger   *slog.Logger
	place    *member
	tell     func(masters []string) // the worker, of all there are
}

// join keeps the worker in the registry: as long as it is, masters do not repeat its tasks elsewhere. Without its place it
// starts nothing new, and ends what it runs after its grace.
func (m *memberWorker) join(ctx context.Context) error {
	never := make(chan struct{})
	close(never)
	m.worker.SetLease(never)
	return m.place.Run(ctx)
}

// heartbeat tells the registry what the worker tells masters.
func (m *memberWorker) heartbeat() func() cluster.Heartbeat {
	about := describe(m.cfg, false)
	return func() cluster.Heartbeat {
		h, load := at(about(), m.cfg.Worker.Address), m.worker.Load()
		h.Name, h.Incarnation = m.cfg.Worker.Name, m.worker.Incarnation()
		h.Groups, h.Slots, h.Running = m.cfg.Worker.Groups, m.cfg.Worker.Slots, int(load.GetRunning())
		h.WorkerHostWeight, h.ThreadPoolUsage = m.cfg.Worker.HostWeight, float64(h.Running)/float64(h.Slots)
		h.ServerStatus, h.Reason = cluster.Normal, load.GetBusy()
		if load.GetDraining() || h.Reason != "" {
			h.ServerStatus, h.Draining = cluster.Busy, load.GetDraining()
		}
		return h
	}
}

// forgetMaster is how long a worker keeps talking to a master that the registry shows no more. It may only be cut off from
// the registry, or the registry may have lost its memory; reports that others do not want are held meanwhile.
const forgetMaster = time.Minute

// follow keeps the worker connected to all masters.
func (m *memberWorker) follow(ctx context.Context) error {
	seen := map[string]time.Time{} // by address; the zero time: it is there
	var told []string
	nodes := make(chan []cluster.Node)
	watching := make(chan error, 1)
	go func() {
		watching <- m.registry.Watch(ctx, cluster.Master, func(list []cluster.Node) {
			select {
			case nodes <- list:
			case <-ctx.Done():
			}
		})
	}()
	again := time.NewTicker(forgetMaster / 4)
	defer again.Stop()
	for {
		select {
		case list := <-nodes:
			now := time.Now()
			for address, at := range seen {
				if at.IsZero() {
					seen[address] = now
				}
			}
			for i := range list {
				if address := list[i].Heartbeat.RPCAddress; address != "" && list[i].Garbage == "" {
					seen[address] = time.Time{}
				}
			}
		case <-again.C:
			maps.DeleteFunc(seen, func(_ string, at time.Time) bool { return !at.IsZero() && time.Since(at) > forgetMaster })
		case err := <-watching:
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("watch masters: %w", err)
		}
		if now := slices.Sorted(maps.Keys(seen)); !slices.Equal(now, told) {
			m.logger.InfoContext(ctx, "masters", "addresses", now)
			m.tell(now)
			told = now
		}
	}
}

// healthListener answers probes and Prometheus where there are no pages. The listener is open when it returns.
func healthListener(ctx context.Context, address string, handler http.Handler) (lifecycle.Service, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return lifecycle.Service{}, fmt.Errorf("worker.listen: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	return lifecycle.Service{Name: "health", Run: func(ctx context.Context) error {
		done := make(chan error, 1)
		go func() { done <- server.Serve(listener) }()
		select {
		case err := <-done:
			return fmt.Errorf("serve health: %w", err)
		case <-ctx.Done():
			return server.Close()
		}
	}}, nil
}
