package monitor

import (
	"context"
	"log/slog"
	"math"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/cluster"
)

const (
	sampleEvery = time.Minute
	sampleKept  = 24 * time.Hour
)

// Sampler notes once a minute how each node is, for the charts. One process of a cluster runs it; should two do so for a
// moment, they note the same minute once.
type Sampler struct {
	store    store
	registry Registry
	log      *slog.Logger
	now      func() time.Time
}

// NewSampler makes a sampler that does nothing until Run.
func NewSampler(d *db.DB, registry Registry, log *slog.Logger, now func() time.Time) *Sampler {
	if now == nil {
		now = time.Now
	}
	return &Sampler{store: store{d}, registry: registry, log: log, now: now}
}

// Run notes until ctx ends: at once, and then at each full minute.
func (s *Sampler) Run(ctx context.Context) error {
	for {
		if err := s.Note(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "note how the nodes are; tried again in a minute", "error", err)
		}
		now := s.now()
		select {
		case <-time.After(now.Truncate(sampleEvery).Add(sampleEvery).Sub(now)):
		case <-ctx.Done():
			return nil
		}
	}
}

// Note writes one sample of each live node for the current minute, and removes those that are older than a day.
func (s *Sampler) Note(ctx context.Context) error {
	at := db.Cut(s.now().Truncate(sampleEvery))
	var list []Sample
	for _, kind := range []cluster.Kind{cluster.Master, cluster.Worker, cluster.AlertServer} {
		nodes, err := s.registry.Nodes(ctx, kind)
		if err != nil {
			return err
		}
		for _, n := range nodes {
			if n.Garbage != "" {
				continue
			}
			h, sv := n.Heartbeat, Server{Node: n}
			list = append(list, Sample{
				NodeKind: string(kind), Node: sv.Name(), At: at, CPU: figure(h.CPUUsage), Memory: figure(h.MemoryUsage), Disk: figure(h.DiskUsage),
				Load: figure(h.LoadAverage), Running: int(figure(float64(h.Running))), Slots: int(figure(float64(h.Slots))),
			})
		}
	}
	if len(list) > 0 {
		if err := s.store.note(ctx, list); err != nil {
			return err
		}
	}
	return s.store.forget(ctx, at.Add(-sampleKept))
}

// figure is what a node says of itself, kept within what makes sense: the registry is open to others.
func figure(v float64) float64 {
	const most = 1_000_000
	if math.IsNaN(v) {
		return 0
	}
	return min(max(v, 0), most)
}
