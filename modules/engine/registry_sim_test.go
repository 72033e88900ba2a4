package engine_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"dorado/modules/cluster"
)

// tree is a registry whose members die, are cut off and come back as a test wants.
type tree struct {
	mu       sync.Mutex
	nodes    map[cluster.Kind]map[string]*treeNode
	watchers map[chan struct{}]bool
	timeout  time.Duration
}

type treeNode struct {
	owner *session
	beat  func() cluster.Heartbeat
}

func newTree() *tree {
	return &tree{
		nodes:    map[cluster.Kind]map[string]*treeNode{cluster.Master: {}, cluster.Worker: {}},
		watchers: map[chan struct{}]bool{}, timeout: 50 * time.Millisecond,
	}
}

func (r *tree) changed() {
	for w := range r.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// session is one process's connection to a tree.
type session struct {
	*tree
	lost chan struct{}
	once *sync.Once
	dead atomic.Bool // nothing reaches it, and it reaches nothing
}

func (r *tree) session() *session {
	return &session{tree: r, lost: make(chan struct{}), once: &sync.Once{}}
}

func (s *session) Join(ctx context.Context, kind cluster.Kind, address string, beat func() cluster.Heartbeat) (cluster.Membership, error) {
	for {
		s.mu.Lock()
		n := s.nodes[kind][address]
		if n == nil && !s.dead.Load() {
			s.lost, s.once = make(chan struct{}), &sync.Once{}
			s.nodes[kind][address] = &treeNode{owner: s, beat: beat}
			s.changed()
			s.mu.Unlock()
			return &seat{s, kind, address, s.lost}, nil
		}
		s.mu.Unlock()
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *session) Watch(ctx context.Context, kind cluster.Kind, fn func([]cluster.Node)) error {
	wake := make(chan struct{}, 1)
	s.mu.Lock()
	s.watchers[wake] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.watchers, wake)
		s.mu.Unlock()
	}()
	for {
		if !s.dead.Load() {
			nodes, _ := s.Nodes(ctx, kind)
			fn(nodes)
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *session) Nodes(ctx context.Context, kind cluster.Kind) ([]cluster.Node, error) {
	if s.dead.Load() {
		return nil, errors.New("the registry is out of reach")
	}
	s.mu.Lock()
	all := maps.Clone(s.nodes[kind])
	s.mu.Unlock()
	var list []cluster.Node
	for _, address := range slices.Sorted(maps.Keys(all)) {
		n := cluster.Node{Kind: kind, Address: address}
		if beat := all[address].beat; beat != nil {
			n.Heartbeat = beat()
		}
		list = append(list, n)
	}
	return list, ctx.Err()
}

func (s *session) Lock(context.Context, string) (cluster.Lock, error) { return nil, cluster.ErrClosed }
func (s *session) Tree(context.Context) ([]cluster.Entry, error)      { return nil, nil }
func (s *session) SessionTimeout() time.Duration                      { return s.timeout }
func (s *session) Name() string                                       { return "test" }
func (s *session) Close() error                                       { return nil }

// expire removes all that the session holds, as when its process died; tell says that the process learns of it.
func (s *session) expire(tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if tell {
		s.once.Do(func() { close(s.lost) })
	}
	for _, nodes := range s.nodes {
		maps.DeleteFunc(nodes, func(_ string, n *treeNode) bool { return n.owner == s })
	}
	s.changed()
}

type seat struct {
	s       *session
	kind    cluster.Kind
	address string
	lost    chan struct{}
}

func (m *seat) Lost() <-chan struct{} { return m.lost }
func (m *seat) Publish() {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	m.s.changed()
}

func (m *seat) Leave(context.Context) error {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	if n := m.s.nodes[m.kind][m.address]; n != nil && n.owner == m.s && !m.s.dead.Load() {
		delete(m.s.nodes[m.kind], m.address)
		m.s.changed()
	}
	return nil
}
