package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"dorado/app/config"
	"dorado/app/kit/db"
	"dorado/app/kit/ids"
	"dorado/app/kit/lifecycle"
	"dorado/app/kit/logs"
	"dorado/modules/cluster"
	"dorado/modules/cluster/local"
	"dorado/modules/cluster/pg"
	"dorado/modules/cluster/zk"
	"dorado/modules/engine"
	"dorado/modules/rpc"
)

// leaveTime bounds how long a process that stops waits for the registry.
const leaveTime = 3 * time.Second

// openRegistry opens the registry that the configuration means. It waits for no server: whoever needs one waits, and pages
// do not.
func (c *core) openRegistry(ctx context.Context) (cluster.Registry, error) {
	switch x := c.cfg.Cluster; x.Kind() {
	case config.RegistryZookeeper:
		id, err := clusterID(ctx, c.db)
		if err != nil {
			return nil, err
		}
		return zk.New(zookeeper(x, id), c.logger)
	case config.RegistryPostgres:
		if c.db.Dialect().Name() != "postgres" {
			return nil, errors.New("cluster.registry: postgres needs a PostgreSQL database, but the database is a SQLite file")
		}
		// Connections of its own: a heartbeat must not queue behind the work of the engine.
		d, err := db.Open(ctx, db.Config{URL: c.cfg.DatabaseURL(), MaxOpen: 4}, c.logger)
		if err != nil {
			return nil, err
		}
		registry, err := pg.New(d, pg.Config{Namespace: x.Namespace, SessionTimeout: x.SessionTimeout, Own: true}, c.logger)
		if err != nil {
			return nil, errors.Join(err, d.Close())
		}
		return registry, nil
	default:
		return local.NewHub(x.SessionTimeout).Registry(), nil
	}
}

// zookeeper is what the registry needs to know; id is empty in a worker, which knows none.
func zookeeper(c config.Cluster, id string) zk.Config {
	return zk.Config{
		Servers: c.Zookeeper.Servers, Namespace: c.Namespace, SessionTimeout: c.SessionTimeout, ClusterID: id,
		User: c.Zookeeper.User, Password: c.Zookeeper.Password.Reveal(), SASL: c.Zookeeper.SASL,
		TLS: zk.TLS{CA: c.Zookeeper.TLSCA, Cert: c.Zookeeper.TLSCert, Key: c.Zookeeper.TLSKey},
	}
}

// clusterID is what tells this installation from others: a row that the first process writes.
func clusterID(ctx context.Context, d *db.DB) (string, error) {
	if _, err := d.Exec(ctx, "INSERT INTO setting (name, value) VALUES ('cluster_id', ?) ON CONFLICT (name) DO NOTHING", ids.Token()[:16]); err != nil {
		return "", fmt.Errorf("name the cluster: %w", err)
	}
	id, err := db.Get[string](ctx, d, "SELECT value FROM setting WHERE name = 'cluster_id'")
	if err != nil {
		return "", fmt.Errorf("read the name of the cluster: %w", err)
	}
	return id, nil
}

// membership brings this process into the registry. An engine that is one of many joins for itself, because what it may do
// depends on it; pages and alert senders work whether they are there or not, and are only seen.
func (c *core) membership(eng *engine.Engine) []lifecycle.Service {
	has := func(role string) bool { return slices.Contains(c.cfg.Roles, role) }
	about := describe(c.cfg, has(config.RoleWeb))
	address := c.cfg.Cluster.Address(c.cfg.Cluster.Listen)
	if !has(config.RoleScheduler) { // nobody listens there
		address = c.cfg.Cluster.Address(c.cfg.Listen)
	}
	var members []*member
	join := func(kind cluster.Kind, beat func(*cluster.Heartbeat)) {
		members = append(members, &member{registry: c.registry, kind: kind, address: address, logger: c.clusterLog(), beat: func() cluster.Heartbeat {
			h := at(about(), address)
			h.Name, h.Incarnation, h.ServerStatus = c.cfg.Master.Name, c.incarnation, cluster.Normal
			beat(&h)
			return h
		}})
	}
	switch {
	case has(config.RoleScheduler) && c.cfg.Cluster.Kind() != config.RegistryNone:
		eng.SetCluster(&engine.Cluster{Registry: c.registry, Address: address, Describe: func() cluster.Heartbeat {
			return at(about(), address)
		}})
	case has(config.RoleScheduler):
		join(cluster.Master, func(h *cluster.Heartbeat) { h.RPCAddress = address })
	case has(config.RoleWeb):
		join(cluster.Master, func(h *cluster.Heartbeat) {
			h.ServerStatus, h.Reason = cluster.Busy, "pages and REST only: it runs no workflows"
		})
	}
	if has(config.RoleAlert) {
		join(cluster.AlertServer, func(*cluster.Heartbeat) {})
	}
	services := make([]lifecycle.Service, len(members))
	for i, m := range members {
		services[i] = lifecycle.Service{Name: "membership " + string(m.kind), Drain: leaveTime + time.Second, Run: m.Run}
		if m.kind == cluster.Master { // an alert sender works without
			c.probes.add("registry", m.check)
		}
	}
	if registry, ok := c.registry.(*pg.Registry); ok && has(config.RoleScheduler) {
		services = append(services, relayService(registry, eng, c.logger))
	}
	return services
}

// clusterLog is where the registry is spoken of; nobody needs to hear that a process found itself.
func (c *core) clusterLog() *slog.Logger {
	if c.cfg.Cluster.Kind() == config.RegistryNone {
		return logs.Discard()
	}
	return c.logger
}

// elected is a service that one process of the cluster runs at a time.
func (c *core) elected(name string, run func(ctx context.Context) error) lifecycle.Service {
	return elected(c.registry, c.clusterLog(), name, run)
}

// registryService ends the session after everything that needs it has ended. It is the one to say that the registry cannot
// be used, for a reason that only people can remove.
func registryService(registry cluster.Registry) lifecycle.Service {
	return lifecycle.Service{
		Name: "registry",
		Run: func(ctx context.Context) error {
			if r, ok := registry.(interface{ Ready(context.Context) error }); ok {
				if err := r.Ready(ctx); fatal(err) {
					return errors.Join(err, registry.Close())
				}
			}
			<-ctx.Done()
			return registry.Close()
		},
	}
}

// describe is what is known of this process apart from its work.
func describe(cfg config.Config, web bool) func() cluster.Heartbeat {
	base := cluster.Heartbeat{
		ProcessID: os.Getpid(), Version: Version, Protocol: rpc.Protocol, StartupTime: time.Now().UnixMilli(),
	}
	if name, err := os.Hostname(); err == nil {
		base.Hostname = name
	}
	if web {
		base.WebAddress = cfg.PublicURL
		if base.WebAddress == "" {
			base.WebAddress = "http://" + config.Cluster{}.Address(cfg.Listen)
			if cfg.TLS.Cert != "" {
				base.WebAddress = "https://" + config.Cluster{}.Address(cfg.Listen)
			}
		}
	}
	meter := cluster.NewMeter(cfg.Data)
	return func() cluster.Heartbeat {
		h := base
		meter.Fill(&h)
		h.ReportTime = time.Now().UnixMilli()
		return h
	}
}

// at notes the address of a heartbeat.
func at(h cluster.Heartbeat, address string) cluster.Heartbeat {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return h
	}
	h.Host = host
	if n, err := strconv.Atoi(port); err == nil {
		h.Port = n
	}
	return h
}

// member keeps a process in the registry. A master that runs workflows has no such member: its engine joins for itself.
type member struct {
	registry cluster.Registry
	kind     cluster.Kind
	address  string
	beat     func() cluster.Heartbeat
	joined   func(lost <-chan struct{}) // called at each success; may be nil
	logger   *slog.Logger
	held     atomic.Bool
}

// Run joins, and joins again whenever the session is lost, until ctx ends.
func (m *member) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		joined, err := m.registry.Join(ctx, m.kind, m.address, m.beat)
		if err != nil {
			if fatal(err) { // whoever keeps the registry ends the process
				<-ctx.Done()
				return nil
			}
			if ctx.Err() == nil {
				m.logger.ErrorContext(ctx, "cannot join the cluster; tried again", "node_kind", m.kind, "address", m.address, "error", err)
				pause(ctx, electionPause)
			}
			continue
		}
		m.held.Store(true)
		if m.joined != nil {
			m.joined(joined.Lost())
		}
		m.logger.InfoContext(ctx, "joined the cluster", "node_kind", m.kind, "address", m.address, "registry", m.registry.Name())
		select {
		case <-joined.Lost():
			m.held.Store(false)
			m.logger.WarnContext(ctx, "the registry lost this process; it joins again", "node_kind", m.kind, "address", m.address)
		case <-ctx.Done():
			m.held.Store(false)
			return leave(ctx, joined)
		}
	}
	return nil
}

// leave removes a node, as far as the registry answers soon: otherwise it goes with the session.
func leave(ctx context.Context, joined cluster.Membership) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	return ignoreLost(joined.Leave(ctx))
}

// fatal says that trying again is of no use.
func fatal(err error) bool {
	return errors.Is(err, cluster.ErrForeign) || errors.Is(err, cluster.ErrRefused)
}

// check says whether the process is in the registry.
func (m *member) check(context.Context) error {
	if !m.held.Load() {
		return errors.New("this process is not in the registry")
	}
	return nil
}
