package monitor

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dorado/app/kit/metrics"
	"dorado/modules/access"
	"dorado/modules/cluster"
)

const (
	collectedFor = 5 * time.Second // how long one look at the tables is good, however often Prometheus asks
	collectWait  = 2 * time.Second // how long Prometheus waits for them
)

// Collector tells Prometheus what waits in the whole cluster, and who is in it. Every process with pages tells the same, so
// dashboards take the largest, not the sum.
type Collector struct {
	svc *Service

	mu    sync.Mutex
	at    time.Time
	stats Statistics
	known bool
	up    map[cluster.Kind][]Server
}

// NewCollector makes a collector; it looks at nothing until it is asked.
func NewCollector(s *Service) *Collector { return &Collector{svc: s} }

// collected is one metric of the collector.
type collected struct {
	name, help string
	labels     []string
}

func (c collected) desc() *prometheus.Desc {
	return prometheus.NewDesc(metrics.Name(c.name), c.help, c.labels, nil)
}

// families are the metrics of the collector, by documented name.
func families() map[string]collected {
	list := []collected{
		{"dorado.cluster.commands.waiting", "Commands that no master has taken.", nil},
		{"dorado.cluster.commands.oldest.seconds", "Age of the oldest command that no master has taken.", nil},
		{"dorado.cluster.commands.failed", "Commands that can never be carried out.", nil},
		{"dorado.cluster.queue.depth", "Attempts that are due and have no worker.", []string{"worker_group"}},
		{"dorado.cluster.queue.oldest.seconds", "How long the oldest of them has waited.", []string{"worker_group"}},
		{"dorado.cluster.queue.running", "Attempts that run.", []string{"worker_group"}},
		{"dorado.cluster.queue.workers", "Live workers that serve the group.", []string{"worker_group"}},
		{"dorado.cluster.queue.free.slots", "Free slots of these workers.", []string{"worker_group"}},
		{"dorado.cluster.unacked", "Attempts that were sent to a worker and have not begun.", nil},
		{"dorado.cluster.unacked.oldest.seconds", "Age of the oldest of them.", nil},
		{"dorado.cluster.task.group.waiting", "Attempts that wait for a slot of their task group.", nil},
		{"dorado.cluster.serial.waiting", "Runs that wait for another run of their workflow.", nil},
		{"dorado.cluster.ready.stop", "Runs that are to stop and have not.", nil},
		{"dorado.cluster.ready.stop.oldest.seconds", "Age of the oldest of them.", nil},
		{"dorado.cluster.failover.waiting", "Runs that wait for a master to take them over.", nil},
		{"dorado.cluster.schedule.lag.seconds", "Since when schedules have not been looked at; 0 while none is online.", nil},
		{"ds.alert.pending", "Alerts that wait to be sent.", nil},
		{"dorado.cluster.nodes", "Live nodes.", []string{"kind", "state"}},
		{"dorado.cluster.node.heartbeat.age.seconds", "Since when nothing was heard of a node.", []string{"kind", "node"}},
		{"dorado.cluster.versions", "Versions of the program among masters and workers; more than one means an upgrade is under way.", nil},
	}
	out := make(map[string]collected, len(list))
	for _, c := range list {
		out[c.name] = c
	}
	return out
}

// Describe is part of prometheus.Collector, as Collect.
func (c *Collector) Describe(to chan<- *prometheus.Desc) {
	for _, f := range families() {
		to <- f.desc()
	}
}

// Collect tells what is known; what cannot be read now is left out.
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	all := families()
	tell := func(name string, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(all[name].desc(), prometheus.GaugeValue, v, labels...)
	}
	if c.known {
		s := &c.stats
		for name, v := range map[string]float64{
			"dorado.cluster.commands.waiting": float64(s.Commands), "dorado.cluster.commands.oldest.seconds": s.OldestCommand.Seconds(),
			"dorado.cluster.commands.failed": float64(s.FailedCommands), "dorado.cluster.unacked": float64(s.Unacked),
			"dorado.cluster.unacked.oldest.seconds": s.OldestUnacked.Seconds(), "dorado.cluster.task.group.waiting": float64(s.GroupWaiters),
			"dorado.cluster.serial.waiting": float64(s.Serial), "dorado.cluster.ready.stop": float64(s.Stopping),
			"dorado.cluster.ready.stop.oldest.seconds": s.OldestStopping.Seconds(), "dorado.cluster.failover.waiting": float64(s.FailingOver),
			"dorado.cluster.schedule.lag.seconds": s.ScheduleLag.Seconds(), "ds.alert.pending": float64(s.Alerts),
		} {
			tell(name, v)
		}
		for _, q := range s.Queues {
			tell("dorado.cluster.queue.depth", float64(q.Depth), q.Group)
			tell("dorado.cluster.queue.oldest.seconds", q.Longest.Seconds(), q.Group)
			tell("dorado.cluster.queue.running", float64(q.Running), q.Group)
			tell("dorado.cluster.queue.workers", float64(q.Workers), q.Group)
			tell("dorado.cluster.queue.free.slots", float64(q.Free), q.Group)
		}
	}
	c.nodes(tell)
}

func (c *Collector) nodes(tell func(name string, v float64, labels ...string)) {
	now := c.svc.Now()
	versions := map[string]bool{}
	for kind, list := range c.up {
		states := map[string]int{"NORMAL": 0, "BUSY": 0, "SILENT": 0}
		told := map[string]bool{}
		for i := range list {
			n := &list[i]
			switch {
			case n.Late(now) || n.Garbage != "":
				states["SILENT"]++
			case n.Heartbeat.ServerStatus == cluster.Busy:
				states["BUSY"]++
			default:
				states["NORMAL"]++
			}
			if v := n.Heartbeat.Version; v != "" && kind != cluster.AlertServer {
				versions[v] = true
			}
			if name := label(n.Name()); !told[name] && !n.Beat().IsZero() {
				told[name] = true
				tell("dorado.cluster.node.heartbeat.age.seconds", max(0, now.Sub(n.Beat()).Seconds()), string(kind), name)
			}
		}
		for state, n := range states {
			tell("dorado.cluster.nodes", float64(n), string(kind), state)
		}
	}
	if c.up != nil {
		tell("dorado.cluster.versions", float64(len(versions)))
	}
}

// look reads the tables and the registry, unless that was done a moment ago.
func (c *Collector) look() {
	now := c.svc.Now()
	if !c.at.IsZero() && now.Sub(c.at) < collectedFor {
		return
	}
	c.at = now
	ctx, cancel := context.WithTimeout(access.WithPrincipal(context.Background(), access.System()), collectWait) //nolint:forbidigo // Prometheus hands no context to collectors
	defer cancel()
	stats, err := c.svc.Statistics(ctx)
	c.stats, c.known = stats, err == nil
	c.up = map[cluster.Kind][]Server{}
	for _, kind := range []cluster.Kind{cluster.Master, cluster.Worker, cluster.AlertServer} {
		servers, err := c.svc.Servers(ctx, kind)
		if err != nil {
			c.up = nil
			return
		}
		c.up[kind] = servers
	}
}

// label is a name as a label may have it: Prometheus refuses what is not UTF-8.
func label(text string) string { return clip(strings.ToValidUTF8(text, "\uFFFD"), labelMost) }

const labelMost = 200
