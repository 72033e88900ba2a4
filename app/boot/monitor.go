package boot

import (
	"context"
	"os"
	"slices"
	"time"

	"dorado/app/config"
	"dorado/app/kit/metrics"
	"dorado/modules/cluster"
	"dorado/modules/engine"
	"dorado/modules/monitor"
	"dorado/modules/rpc"
)

// samplerLock is held by the process that notes how the nodes are.
const samplerLock = "master-sampler"

// newMonitor makes the pages that show the cluster, and what notes how it was.
func (m *modules) newMonitor(c *core, eng *engine.Engine, d monitor.Deps) {
	s := &sight{c: c, eng: eng, machine: metrics.NewMachine(c.cfg.Data), started: time.Now()}
	d.Registry = s
	m.monitor = monitor.New(d)
	c.meters(s.machine, m.monitor)
	m.sample = func(ctx context.Context) error {
		return c.elected(samplerLock, monitor.NewSampler(c.db, s, c.logger, time.Now).Run).Run(ctx)
	}
}

// sight is the registry as the monitor shows it: with the nodes that are not in it because nobody needs to find them. That
// is this process and its workers, where there is one master only.
type sight struct {
	c       *core
	eng     *engine.Engine
	machine *metrics.Machine
	started time.Time
}

// Name says what keeps the tree.
func (s *sight) Name() string {
	if s.c.registry == nil {
		return "in this process"
	}
	return s.c.registry.Name()
}

// Tree lists what is kept.
func (s *sight) Tree(ctx context.Context) ([]cluster.Entry, error) {
	if s.c.registry != nil {
		return s.c.registry.Tree(ctx)
	}
	var out []cluster.Entry
	for _, kind := range []cluster.Kind{cluster.AlertServer, cluster.Master, cluster.Worker} {
		nodes, err := s.Nodes(ctx, kind)
		if err != nil {
			return nil, err
		}
		out = append(out, cluster.Entry{Path: "/" + cluster.Namespace + "/nodes/" + string(kind)})
		for i := range nodes {
			n := &nodes[i]
			out = append(out, cluster.Entry{Path: n.Path, Value: cluster.Encode(&n.Heartbeat), Ephemeral: true, Owner: s.Name(), Created: n.Created, Updated: n.Updated})
		}
	}
	return out, nil
}

// Nodes lists the nodes of a kind.
func (s *sight) Nodes(ctx context.Context, kind cluster.Kind) ([]cluster.Node, error) {
	var nodes []cluster.Node
	if s.c.registry != nil {
		found, err := s.c.registry.Nodes(ctx, kind)
		if err != nil {
			return nil, err
		}
		nodes = slices.Clone(found)
	}
	if s.c.cfg.Cluster.Kind() != config.RegistryNone {
		return nodes, nil
	}
	switch kind {
	case cluster.Worker:
		for _, w := range s.eng.Workers() {
			if !slices.ContainsFunc(nodes, func(n cluster.Node) bool { return n.Heartbeat.Name == w.Name }) {
				nodes = append(nodes, workerNode(w))
			}
		}
	case cluster.Master, cluster.AlertServer:
		role := map[cluster.Kind]string{cluster.Master: config.RoleScheduler, cluster.AlertServer: config.RoleAlert}[kind]
		if len(nodes) == 0 && slices.Contains(s.c.cfg.Roles, role) {
			nodes = append(nodes, s.self(kind))
		}
	}
	return nodes, nil
}

// self is this process as a node.
func (s *sight) self(kind cluster.Kind) cluster.Node {
	u, now := s.machine.Read(), time.Now()
	h := cluster.Heartbeat{
		StartupTime: s.started.UnixMilli(), ReportTime: now.UnixMilli(), ProcessID: os.Getpid(), ServerStatus: cluster.Normal,
		JVMCPUUsage: u.OwnCPU, CPUUsage: u.CPU, JVMMemoryUsage: u.OwnMemory, MemoryUsage: u.Memory, DiskUsage: u.Disk, LoadAverage: u.Load,
		Name: s.c.cfg.Master.Name, Version: Version, Protocol: rpc.Protocol,
	}
	if name, err := os.Hostname(); err == nil {
		h.Hostname = name
	}
	address := config.Cluster{}.Address(s.c.cfg.Listen)
	h = at(h, address)
	if kind == cluster.Master {
		h.WebAddress = s.c.cfg.URL()
		h.Running = s.eng.Running()
		for _, group := range s.eng.Groups() {
			waiting, _ := s.eng.Backlog(group)
			h.Waiting += waiting
		}
	}
	return cluster.Node{Kind: kind, Address: address, Path: nodePath(kind, address), Created: s.started.UTC(), Updated: now.UTC(), Heartbeat: h}
}

func nodePath(kind cluster.Kind, address string) string {
	return "/" + cluster.Namespace + "/nodes/" + string(kind) + "/" + address
}

// workerNode is a worker that is connected to this process.
func workerNode(w engine.WorkerInfo) cluster.Node {
	address := w.Address
	if address == "" {
		address = w.Name
	}
	h := cluster.Heartbeat{
		StartupTime: w.StartedAt.UnixMilli(), ReportTime: w.SeenAt.UnixMilli(), ServerStatus: cluster.Normal, CPUUsage: w.CPU, MemoryUsage: w.Memory,
		DiskUsage: w.Disk, LoadAverage: w.Load, Name: w.Name, Version: w.Version, Groups: w.Groups, Slots: w.Slots, Running: w.Running, Draining: w.Draining,
		Incarnation: w.Incarnation, WorkerHostWeight: w.Weight, Reason: w.Busy,
	}
	if w.Slots > 0 {
		h.ThreadPoolUsage = float64(w.Running) / float64(w.Slots)
	}
	if w.Draining || w.Busy != "" {
		h.ServerStatus = cluster.Busy
	}
	return cluster.Node{Kind: cluster.Worker, Address: address, Path: nodePath(cluster.Worker, address), Created: w.JoinedAt, Updated: w.SeenAt, Heartbeat: at(h, address)}
}
