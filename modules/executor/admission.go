package executor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"dorado/modules/rpc/doradov1"
)

const (
	pulseEvery = time.Second
	// loadFresh is how old a reading of the machine's load may be when work is admitted by it.
	loadFresh = time.Second
)

// admit takes an attempt that nobody knew yet, with a slot or, where the policy allows it, without one. Otherwise it
// returns the reason; e.mu is held.
func (e *Executor) admit(a *attempt) (reason string) {
	if reason := e.closed(); reason != "" {
		return reason
	}
	switch {
	case e.active < e.cfg.Slots && len(e.waiting) == 0:
		e.active++
		e.enqueue(a)
	case e.cfg.FullPolicy != FullContinue:
		return "no free slot"
	case len(e.waiting) >= e.cfg.QueueLength:
		return "no free slot, and the queue is full"
	default:
		a.waits = true
		e.waiting = append(e.waiting, a)
	}
	e.attempts[a.id] = a
	return ""
}

// closed is why nothing new is taken, whatever slots there are; e.mu is held.
func (e *Executor) closed() string {
	switch {
	case e.draining:
		return "the worker is shutting down"
	case e.upgrade:
		return "the worker is being upgraded"
	case e.lease.lost:
		return "the worker lost its place in the cluster"
	default:
		return e.busy
	}
}

// vacate gives the slot of an attempt that ended to the next one that waits for one, or tells masters of it if they were
// refused before; e.mu is held.
func (e *Executor) vacate() {
	e.active--
	for len(e.waiting) > 0 && e.active < e.cfg.Slots {
		e.grant(e.waiting[0])
	}
	if e.refused && e.closed() == "" && (e.active < e.cfg.Slots || len(e.waiting) < e.cfg.queueLength()) {
		e.refused = false
		e.beatAll()
	}
	e.fell()
}

// grant gives an attempt that waits a slot; e.mu is held.
func (e *Executor) grant(a *attempt) {
	i := slices.Index(e.waiting, a)
	e.waiting = slices.Delete(e.waiting, i, i+1)
	a.waits = false
	e.active++
	e.enqueue(a)
}

// pulse watches the machine: load that comes and goes, masters that are silent, and stops of this very process.
func (e *Executor) pulse(ctx context.Context) {
	every := pulseEvery
	e.mu.Lock()
	if limit := e.lease.contact; limit > 0 {
		every = min(every, limit/6)
	}
	e.mu.Unlock()
	tick := time.NewTicker(every)
	defer tick.Stop()
	e.lease.beat()
	for {
		select {
		case <-tick.C:
			e.lease.beat()
			e.watchLoad()
			e.watchContact()
		case <-ctx.Done():
			return
		}
	}
}

// watchLoad notes whether the machine is overloaded, and tells masters when that has changed.
func (e *Executor) watchLoad() {
	busy := e.cfg.overload(e.health.read(loadFresh))
	e.mu.Lock()
	defer e.mu.Unlock()
	changed := (busy == "") != (e.busy == "")
	e.busy = busy
	if !changed {
		return
	}
	if busy == "" {
		e.refused = false
	}
	if busy != "" {
		e.metrics.overloads.Inc()
	}
	e.log.Warn("the worker's load changed", "busy", busy)
	e.beatAll()
}

// overload is why the machine should get no more work, "" when it may.
func (c Config) overload(hb *doradov1.Heartbeat) string {
	for _, limit := range []struct {
		what         string
		usage, limit float64
	}{{"memory", hb.GetMemoryUsage(), c.MaxMemoryUsage}, {"disk", hb.GetDiskUsage(), c.MaxDiskUsage}, {"CPU", hb.GetCpuUsage(), c.MaxCPUUsage}} {
		if limit.limit > 0 && limit.usage > limit.limit {
			return fmt.Sprintf("the worker is overloaded: %s %.0f %% used, %.0f %% allowed", limit.what, 100*limit.usage, 100*limit.limit)
		}
	}
	return ""
}

// heartbeat is what a master is told about the worker as a whole.
func (e *Executor) heartbeat(o *outbox) *doradov1.Heartbeat {
	load := e.health.read(0)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.metrics.beats.Inc()
	hb := &doradov1.Heartbeat{
		CpuUsage: load.GetCpuUsage(), MemoryUsage: load.GetMemoryUsage(), DiskUsage: load.GetDiskUsage(), LoadAverage: load.GetLoadAverage(),
		Slots: uint32(e.cfg.Slots), Draining: e.draining, Busy: e.closed(), Upgrading: e.upgrade,
		Running: uint32(e.active + len(e.waiting)), Waiting: uint32(len(e.waiting)),
	}
	for _, a := range e.attempts {
		if a.state != finished && a.owner == o.name() {
			hb.Yours++
		}
	}
	return hb
}

// Load is what the worker tells masters of itself, for whoever publishes it elsewhere.
func (e *Executor) Load() *doradov1.Heartbeat { return e.heartbeat(e.nobody) }

// hello introduces the worker on a new stream.
func (e *Executor) hello(kind doradov1.StreamKind) *doradov1.WorkerFrame {
	return &doradov1.WorkerFrame{Body: &doradov1.WorkerFrame_Hello{Hello: &doradov1.Hello{
		Protocol: e.protocol, Worker: e.cfg.Name, Incarnation: e.incarnation, Slots: uint32(e.cfg.Slots), Groups: e.cfg.Groups,
		Address: e.cfg.Address, StartedAtMs: e.startedAt.UnixMilli(), Version: e.version, Kind: kind, Continues: e.previous,
		Weight: uint32(e.cfg.HostWeight),
	}}}
}

// Incarnation names this process among all that have had the worker's name.
func (e *Executor) Incarnation() string { return e.incarnation }
