package monitor

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/cluster"
	"dorado/modules/security/crud"
)

// Services are what the rules of this package need.
type Services struct {
	DB       *db.DB
	Access   *access.Service
	Audit    *audit.Service
	Registry Registry
	Metrics  prometheus.Gatherer // of this process, for what only it can know; may be nil
	Logger   *slog.Logger
	Now      func() time.Time // time.Now when nil
}

// nodesFor is how long an answer of the registry is good for many pages at once.
const nodesFor = time.Second

// registryWait bounds how long a page waits for the registry.
const registryWait = 3 * time.Second

// Service knows how the cluster is; it is the only door for other modules.
type Service struct {
	Services
	store store
	usual *usual

	mu    sync.Mutex
	known map[cluster.Kind]answer
	most  int64 // connections of the database server, the most that were seen
}

type answer struct {
	at    time.Time
	nodes []cluster.Node
}

// NewService makes the service.
func NewService(s Services) *Service {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{Services: s, store: store{s.DB}, usual: newUsual(), known: map[cluster.Kind]answer{}}
}

func (s *Service) now() time.Time { return db.Cut(s.Now()) }

// nodes asks the registry, at most once a second for all who ask.
func (s *Service) nodes(ctx context.Context, kind cluster.Kind) ([]cluster.Node, error) {
	s.mu.Lock()
	known, fresh := s.known[kind]
	s.mu.Unlock()
	if fresh && s.Now().Sub(known.at) < nodesFor && !s.Now().Before(known.at) {
		return known.nodes, nil
	}
	ctx, cancel := context.WithTimeout(ctx, registryWait)
	defer cancel()
	nodes, err := s.Registry.Nodes(ctx, kind)
	if err != nil {
		return nil, ErrRegistryAway.With("registry", s.Registry.Name()).Because(err)
	}
	nodes = slices.Clone(nodes)
	slices.SortFunc(nodes, func(a, b cluster.Node) int { return strings.Compare(a.Address, b.Address) })
	s.mu.Lock()
	s.known[kind] = answer{s.Now(), nodes}
	s.mu.Unlock()
	return nodes, nil
}

// Servers lists the live nodes of a kind, by address. It returns ErrRegistryAway when the registry does not answer.
func (s *Service) Servers(ctx context.Context, kind cluster.Kind) ([]Server, error) {
	if err := s.Access.Require(ctx, View); err != nil {
		return nil, err
	}
	nodes, err := s.nodes(ctx, kind)
	if err != nil {
		return nil, err
	}
	var drained map[string]bool
	if kind == cluster.Worker {
		if drained, err = s.store.drained(ctx); err != nil {
			return nil, err
		}
	}
	out := make([]Server, len(nodes))
	for i, n := range nodes {
		out[i] = Server{Node: n}
		out[i].Drained, out[i].Setting = drained[out[i].Name()], drained != nil
	}
	return out, nil
}

// Server returns one live node, by its address, or ErrNoNode.
func (s *Service) Server(ctx context.Context, kind cluster.Kind, address string) (Server, error) {
	servers, err := s.Servers(ctx, kind)
	if err != nil {
		return Server{}, err
	}
	for _, n := range servers {
		if n.Address == address {
			return n, nil
		}
	}
	return Server{}, ErrNoNode.With("node", address)
}

// Versions are the versions of masters and workers that are alive, with how many run each, and the same of the protocol
// they speak. More than one means that an upgrade is under way, or was forgotten half way.
func (s *Service) Versions(ctx context.Context) (programs map[string]int, protocols map[uint32]int, err error) {
	programs, protocols = map[string]int{}, map[uint32]int{}
	for _, kind := range []cluster.Kind{cluster.Master, cluster.Worker} {
		nodes, err := s.nodes(ctx, kind)
		if err != nil {
			return nil, nil, err
		}
		for _, n := range nodes {
			if n.Garbage != "" {
				continue
			}
			if n.Heartbeat.Version != "" {
				programs[n.Heartbeat.Version]++
			}
			if n.Heartbeat.Protocol != 0 {
				protocols[n.Heartbeat.Protocol]++
			}
		}
	}
	return programs, protocols, nil
}

// History is what was noted of the nodes of a kind since a moment, by name, oldest first.
func (s *Service) History(ctx context.Context, kind cluster.Kind, since time.Time) (map[string][]Sample, error) {
	if err := s.Access.Require(ctx, View); err != nil {
		return nil, err
	}
	rows, err := s.store.samples(ctx, kind, since)
	out := map[string][]Sample{}
	for _, r := range rows {
		out[r.Node] = append(out[r.Node], r)
	}
	return out, err
}

// Tree lists everything in the registry, by path. Administrators only: anybody may have put anything there.
func (s *Service) Tree(ctx context.Context) ([]cluster.Entry, error) {
	if err := s.Access.Require(ctx, Manage); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, registryWait)
	defer cancel()
	entries, err := s.Registry.Tree(ctx)
	if err != nil {
		return nil, ErrRegistryAway.With("registry", s.Registry.Name()).Because(err)
	}
	return entries, nil
}

// Drain lets a worker get no more tasks, or again. What runs on it goes on. The worker is known by its name, because the
// wish outlives the process; it must be alive, or have a wish already. Masters hear of it at once.
func (s *Service) Drain(ctx context.Context, name string, drained bool) error {
	if err := s.Access.Require(ctx, Manage); err != nil {
		return err
	}
	who, err := access.Must(ctx)
	if err != nil {
		return err
	}
	set, err := s.store.drained(ctx)
	if err != nil {
		return err
	}
	was, known := set[name]
	if !known {
		if _, err := s.byName(ctx, cluster.Worker, name); err != nil {
			return err
		}
	}
	if was == drained {
		return nil
	}
	now := s.now()
	kind, verb := WorkerUndrained, "worker.undrain"
	if drained {
		kind, verb = WorkerDrained, "worker.drain"
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		err := errors.Join(
			s.store.setDrained(ctx, name, drained, who.UserID, now),
			s.store.addEvent(ctx, Event{At: now, Kind: kind, NodeKind: string(cluster.Worker), Node: name, By: who.Name}),
		)
		if err != nil {
			return err
		}
		if err := s.Audit.Record(ctx, audit.Entry{Action: verb, ObjectType: "worker", ObjectID: name, ObjectName: name}); err != nil {
			return err
		}
		return crud.NotifyMasters(ctx, s.DB)
	})
}

func (s *Service) byName(ctx context.Context, kind cluster.Kind, name string) (cluster.Node, error) {
	nodes, err := s.nodes(ctx, kind)
	if err != nil {
		return cluster.Node{}, err
	}
	for _, n := range nodes {
		if sv := (Server{Node: n}); sv.Name() == name {
			return n, nil
		}
	}
	return cluster.Node{}, ErrNoNode.With("node", name)
}

// Events is one page of what happened to masters and workers.
func (s *Service) Events(ctx context.Context, q listing.Query) (listing.Page[Event], error) {
	if err := s.Access.Require(ctx, View); err != nil {
		return listing.Page[Event]{}, err
	}
	return s.store.events(ctx, q)
}
