package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"dorado/modules/cluster"
)

const (
	// ownersScan is how often the rows are compared with the registry: notices of masters that left may be lost.
	ownersScan = 30 * time.Second
	// lossCheck is how often workers that are away are looked at.
	lossCheck = 250 * time.Millisecond
	// loadCheck is how often overload is looked for.
	loadCheck = time.Second
	// lastEnds is when everything is saved that a master saved last.
	lastEnds = 2 * time.Second
	// databaseAway is how long the database may be out of reach before a master takes no new runs.
	databaseAway = 3 * time.Second
)

// errLeaseLost says that this master no longer counts in its cluster, or may not in a moment.
var errLeaseLost = errors.New("engine: the lease of this master is lost")

// members is what a master knows of itself and its peers.
type members struct {
	e *term

	mu      sync.Mutex
	masters []cluster.Node    // by address
	names   map[string]string // by address: the last name that could be read
	busy    string            // why this master takes no new runs; "" = it does
	dead    []string          // masters that left, to be taken over from
	wake    chan struct{}
}

func newMembers(e *term) *members {
	return &members{e: e, names: map[string]string{}, wake: make(chan struct{}, 1)}
}

// update takes over which masters live.
func (m *members) update(nodes []cluster.Node) {
	nodes = slices.Clone(nodes)
	slices.SortFunc(nodes, func(a, b cluster.Node) int { return cmp.Compare(a.Address, b.Address) })
	m.mu.Lock()
	live := map[string]bool{}
	for i := range nodes {
		n := &nodes[i]
		if n.Garbage == "" && n.Heartbeat.Name != "" {
			m.names[n.Address] = n.Heartbeat.Name
		}
		live[m.names[n.Address]] = true
	}
	for _, n := range m.masters {
		if name := m.names[n.Address]; name != "" && !live[name] {
			m.dead = append(m.dead, name)
		}
	}
	changed := !slices.EqualFunc(m.masters, nodes, func(a, b cluster.Node) bool {
		return a.Address == b.Address && a.Heartbeat.ServerStatus == b.Heartbeat.ServerStatus
	})
	m.masters = nodes
	dead := len(m.dead) > 0
	m.mu.Unlock()
	if dead {
		select {
		case m.wake <- struct{}{}:
		default:
		}
		// Of its last ends it may have told nobody; what it was saving is settled a little later.
		m.e.logic.recheckAll()
		time.AfterFunc(lastEnds, m.e.logic.recheckAll)
	}
	if changed {
		m.e.intake.nudge()
	}
}

// portion is which commands are this master's now. A master that is overloaded takes no new runs. It goes on taking over
// when no other one could.
func (m *members) share() *portion {
	m.mu.Lock()
	defer m.mu.Unlock()
	me := m.e.cluster.Address
	var normal, all []string
	for _, n := range m.masters {
		if n.Garbage != "" {
			continue
		}
		all = append(all, n.Address)
		if n.Address == me && m.busy == "" || n.Address != me && n.Heartbeat.ServerStatus != cluster.Busy {
			normal = append(normal, n.Address)
		}
	}
	s := &portion{slot: slices.Index(normal, me), of: len(normal)}
	s.overSlot, s.overOf = s.slot, s.of
	if len(normal) == 0 {
		s.overSlot, s.overOf = slices.Index(all, me), len(all)
	}
	if s.slot < 0 {
		s.of = 0
	}
	if s.overSlot < 0 {
		s.overOf = 0
	}
	return s
}

// overloaded reports whether this master takes no new runs.
func (m *members) overloaded() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.busy != ""
}

// first reports whether this master is the one of all that writes down what everybody notices.
func (m *members) first() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.masters) == 0 || m.masters[0].Address == m.e.cluster.Address
}

// others is how many masters live beside this one.
func (m *members) others() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(len(m.masters)-1, 0)
}

// beat is what this master says of itself.
func (e *term) beat() cluster.Heartbeat {
	e.meters.beats.Inc()
	var b cluster.Heartbeat
	if e.cluster.Describe != nil {
		b = e.cluster.Describe()
	}
	if b.Incarnation == "" {
		b.Incarnation = e.incarnation
	}
	b.Name, b.RPCAddress, b.ReportTime = e.cfg.Name, e.cluster.Address, e.clock().UnixMilli()
	b.Running, b.Waiting = int(e.running.Load()), e.fleet.backlog()
	e.members.mu.Lock()
	busy := e.members.busy
	e.members.mu.Unlock()
	b.ServerStatus, b.Reason = cluster.Normal, ""
	if busy != "" {
		b.ServerStatus, b.Reason = cluster.Busy, busy
	}
	return b
}

// join makes this master a member. It waits as long as a former process of the name may still count as alive, and fails
// when another one lives on.
func (e *term) join(ctx context.Context) (cluster.Membership, error) {
	registry := e.cluster.Registry
	for began := time.Now(); ; {
		nodes, err := registry.Nodes(ctx, cluster.Master)
		if err != nil {
			return nil, fmt.Errorf("list masters: %w", err)
		}
		at := slices.IndexFunc(nodes, func(n cluster.Node) bool {
			return n.Heartbeat.Name == e.cfg.Name && n.Heartbeat.Incarnation != e.incarnation && n.Address != e.cluster.Address
		})
		if at < 0 {
			break
		}
		if time.Since(began) > 2*registry.SessionTimeout()+time.Second {
			return nil, fmt.Errorf("master.name: another master runs as %q, at %s", e.cfg.Name, nodes[at].Address)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	member, err := registry.Join(ctx, cluster.Master, e.cluster.Address, e.beat)
	if err != nil {
		return nil, fmt.Errorf("join the cluster as %s: %w", e.cluster.Address, err)
	}
	return member, nil
}

// watch keeps what is known of peers and workers fresh, until ctx ends.
func (e *term) watch(ctx context.Context, kind cluster.Kind, fn func([]cluster.Node)) {
	for ctx.Err() == nil {
		err := e.cluster.Registry.Watch(ctx, kind, fn)
		if ctx.Err() != nil {
			return
		}
		e.logger.WarnContext(ctx, "watch the registry; tried again", "kind", kind, "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// workersListed takes over which workers live.
func (e *term) workersListed(ctx context.Context, nodes []cluster.Node) {
	joined, left := e.fleet.listed(nodes)
	if e.members.first() {
		for _, name := range joined {
			e.note(ctx, clusterEvent{kind: EventWorkerJoined, nodeKind: nodeWorker, node: name})
		}
		for _, name := range left {
			e.note(ctx, clusterEvent{kind: EventWorkerLeft, nodeKind: nodeWorker, node: name})
		}
	}
	e.loseWorkers(ctx)
	e.fleet.pump()
}

// note writes an event of the cluster; one that cannot be written is only logged.
func (e *term) note(ctx context.Context, x clusterEvent) {
	if err := e.store.event(ctx, e.cfg.Name, x); err != nil && ctx.Err() == nil {
		e.logger.WarnContext(ctx, "write an event of the cluster", "kind", x.kind, "node", x.node, "error", err)
	}
}

// loseWorkers gives up what workers held that are gone for good.
func (e *term) loseWorkers(ctx context.Context) {
	for _, l := range e.fleet.losses(e.cfg.WorkerTimeout, e.cfg.WorkerGrace) {
		e.logger.WarnContext(ctx, "a worker lost its tasks", "worker", l.worker, "reason", l.why, "tasks", len(l.held))
		for attempt, run := range l.held {
			e.shard(run).post(message{run: run, lost: attempt, worker: l.worker, why: l.why})
		}
		if l.out != nil {
			l.out.close()
		}
		if e.cluster != nil {
			e.note(ctx, clusterEvent{kind: EventWorkerLost, nodeKind: nodeWorker, node: l.worker, tasks: len(l.held), detail: l.why})
		}
	}
}

// watchWorkers looks at the workers that are away until ctx ends.
func (e *term) watchWorkers(ctx context.Context) {
	tick := time.NewTicker(min(lossCheck, max(e.cfg.WorkerTimeout/4, time.Millisecond)))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			e.loseWorkers(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// watchMasters takes over from masters that are gone, until ctx ends: those that leave the registry, and each time those
// that have rows but no node.
func (e *term) watchMasters(ctx context.Context) {
	scan := time.NewTicker(ownersScan)
	defer scan.Stop()
	for {
		if err := e.takeOverAll(ctx); err != nil && ctx.Err() == nil {
			e.logger.WarnContext(ctx, "take over from masters that are gone; tried again", "error", err)
			select {
			case <-time.After(500 * time.Millisecond):
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-e.members.wake:
		case <-scan.C:
		case <-ctx.Done():
			return
		}
	}
}

// takeOverAll takes over from every master that has a row, or runs, and does not live.
func (e *term) takeOverAll(ctx context.Context) error {
	began := time.Now()
	e.members.mu.Lock()
	left := e.members.dead
	e.members.dead = nil
	e.members.mu.Unlock()
	err := e.takeOverFrom(ctx, began)
	e.meters.failovers.Inc()
	e.meters.failover.Observe(time.Since(began).Seconds())
	if err != nil {
		e.members.mu.Lock()
		e.members.dead = append(left, e.members.dead...)
		e.members.mu.Unlock()
	}
	return err
}

func (e *term) takeOverFrom(ctx context.Context, began time.Time) error {
	// The rows before the nodes: whoever has a row has joined before.
	owners, err := e.store.owners(ctx)
	if err != nil {
		return err
	}
	nodes, err := e.cluster.Registry.Nodes(ctx, cluster.Master)
	if err != nil {
		return fmt.Errorf("list masters: %w", err)
	}
	live, unknown := map[string]bool{e.cfg.Name: true}, ""
	e.members.mu.Lock()
	for _, n := range nodes {
		name := n.Heartbeat.Name
		if name == "" || n.Garbage != "" {
			name = e.members.names[n.Address]
		}
		if name == "" {
			unknown = n.Address
		}
		live[name] = true
	}
	e.members.mu.Unlock()
	for _, o := range owners {
		if live[o.Name] {
			continue
		}
		if unknown != "" {
			e.logger.WarnContext(ctx, "a master's node cannot be read; nothing is taken over until it can", "address", unknown)
			return nil
		}
		freed, won, err := e.store.takeOver(ctx, o.Name, o.Epoch)
		if err != nil {
			return err
		}
		if !won {
			continue
		}
		took := time.Since(began)
		e.meters.tookOver(freed)
		e.logger.WarnContext(ctx, "took over from a master that is gone", "master", o.Name, "workflow_instances", freed.workflows,
			"tasks", freed.tasks, "took", took)
		e.note(ctx, clusterEvent{kind: EventMasterLost, nodeKind: nodeMaster, node: o.Name})
		e.note(ctx, clusterEvent{
			kind: EventTakenOver, nodeKind: nodeMaster, node: o.Name, workflows: freed.workflows, tasks: freed.tasks, took: took,
		})
		e.intake.nudge()
	}
	return nil
}

// watchLoad looks for overload until ctx ends.
func (e *term) watchLoad(ctx context.Context, member cluster.Membership) {
	tick := time.NewTicker(loadCheck)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		why := e.overload()
		m := e.members
		m.mu.Lock()
		was := m.busy
		m.busy = why
		m.mu.Unlock()
		if (was == "") == (why == "") {
			continue
		}
		if member != nil {
			member.Publish()
		}
		if why != "" {
			e.meters.overload.Inc()
		}
		x := clusterEvent{kind: EventOverloaded, nodeKind: nodeMaster, node: e.cfg.Name, detail: why}
		if why == "" {
			x.kind = EventRecovered
			e.intake.nudge()
		}
		e.logger.WarnContext(ctx, "the load of this master changed", "kind", x.kind, "reason", why)
		e.note(ctx, x)
	}
}

// overload is why this master should take no new runs, "" when it may.
func (e *term) overload() string {
	limit := e.cfg.Overload
	if n := int(e.running.Load()); limit.MaxRuns > 0 && n >= limit.MaxRuns {
		return fmt.Sprintf("%d workflow instances are under way, %d may be", n, limit.MaxRuns)
	}
	if since := e.away.Load(); since != 0 && time.Since(time.UnixMilli(since)) > databaseAway {
		return "the database is out of reach"
	}
	if e.cluster == nil || e.cluster.Describe == nil {
		return ""
	}
	b := e.cluster.Describe()
	for _, x := range []struct {
		what        string
		used, limit float64
	}{{"memory", b.MemoryUsage, limit.Memory}, {"disk", b.DiskUsage, limit.Disk}, {"CPU", b.CPUUsage, limit.CPU}} {
		if x.limit > 0 && x.used > x.limit {
			return fmt.Sprintf("%s is used to %.0f %%, the limit is %.0f %%", x.what, 100*x.used, 100*x.limit)
		}
	}
	return ""
}
