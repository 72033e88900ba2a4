package local

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"dorado/modules/cluster"
)

const root = "/" + cluster.Namespace

// Hub is one tree. The zero value is not usable.
type Hub struct {
	timeout time.Duration

	mu       sync.Mutex
	sessions int
	order    int // of places in queues for locks
	nodes    map[string]*entry
	changed  chan struct{} // closed and replaced with every change
}

type entry struct {
	value            string
	owner            *session // nil: persistent
	created, updated time.Time
}

// session is what a registry holds things through, until it is lost.
type session struct {
	id   string
	lost chan struct{} // the lease is over
	once sync.Once
	gone bool // out of the tree; under the hub's lock
}

func (s *session) lose() { s.once.Do(func() { close(s.lost) }) }

// NewHub returns an empty tree. The timeout is how long a session that was cut off stays in it.
func NewHub(timeout time.Duration) *Hub {
	return &Hub{timeout: timeout, nodes: map[string]*entry{}, changed: make(chan struct{})}
}

// Registry is a cluster.Registry within one process.
type Registry struct {
	h      *Hub
	closed chan struct{}
	once   sync.Once
	wg     sync.WaitGroup

	// Under the hub's lock.
	s      *session
	cut    bool
	healed chan struct{}
	timers []*time.Timer
}

// Registry begins a session.
func (h *Hub) Registry() *Registry {
	r := &Registry{h: h, closed: make(chan struct{}), healed: make(chan struct{})}
	h.mu.Lock()
	defer h.mu.Unlock()
	r.s = h.begin()
	return r
}

func (h *Hub) begin() *session {
	h.sessions++
	return &session{id: fmt.Sprintf("local-%d", h.sessions), lost: make(chan struct{})}
}

// tell wakes all who wait for a change.
func (h *Hub) tell() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// end takes all of a session out of the tree.
func (h *Hub) end(s *session) {
	s.gone = true
	for path, e := range h.nodes {
		if e.owner == s {
			delete(h.nodes, path)
		}
	}
	h.tell()
}

// Put writes a node that belongs to nobody, or overwrites what somebody's node says.
func (h *Hub) Put(path, value string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now().UTC()
	if e := h.nodes[path]; e != nil {
		e.value, e.updated = value, now
	} else {
		h.nodes[path] = &entry{value: value, created: now, updated: now}
	}
	h.tell()
}

// Delete removes a node, whoever it belongs to.
func (h *Hub) Delete(path string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.nodes, path)
	h.tell()
}

// Forget removes everything.
func (h *Hub) Forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.nodes)
	h.tell()
}

// Cut keeps a registry from its tree, as a network does that is down: its lease ends after two thirds of the timeout,
// its nodes go after all of it. Heal ends that.
func (r *Registry) Cut() {
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	if r.cut {
		return
	}
	r.cut = true
	s := r.s
	r.timers = []*time.Timer{
		time.AfterFunc(r.h.timeout*2/3, s.lose),
		time.AfterFunc(r.h.timeout, func() {
			r.h.mu.Lock()
			defer r.h.mu.Unlock()
			r.h.end(s)
		}),
	}
}

// Heal lets a registry reach its tree again; with a new session, when the old one was lost.
func (r *Registry) Heal() {
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	if !r.cut {
		return
	}
	r.cut = false
	for _, t := range r.timers {
		t.Stop()
	}
	select {
	case <-r.s.lost:
		r.h.end(r.s)
		r.s = r.h.begin()
	default:
	}
	close(r.healed)
	r.healed = make(chan struct{})
	r.h.tell()
}

// session waits until the tree can be reached.
func (r *Registry) session(ctx context.Context) (*session, error) {
	for {
		select {
		case <-r.closed:
			return nil, cluster.ErrClosed
		default:
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r.h.mu.Lock()
		s, cut, healed := r.s, r.cut, r.healed
		r.h.mu.Unlock()
		if !cut {
			return s, nil
		}
		select {
		case <-healed:
		case <-ctx.Done():
		case <-r.closed:
		}
	}
}

func folder(kind cluster.Kind) string { return root + "/nodes/" + string(kind) + "/" }

// Nodes implements cluster.Registry.
func (r *Registry) Nodes(ctx context.Context, kind cluster.Kind) ([]cluster.Node, error) {
	if _, err := r.session(ctx); err != nil {
		return nil, err
	}
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	return r.h.list(kind), nil
}

func (h *Hub) list(kind cluster.Kind) []cluster.Node {
	out := []cluster.Node{}
	for path, e := range h.nodes {
		if strings.HasPrefix(path, folder(kind)) {
			out = append(out, cluster.NodeOf(kind, path, e.value, e.created, e.updated))
		}
	}
	slices.SortFunc(out, func(a, b cluster.Node) int { return strings.Compare(a.Address, b.Address) })
	return out
}

// Watch implements cluster.Registry.
func (r *Registry) Watch(ctx context.Context, kind cluster.Kind, fn func([]cluster.Node)) error {
	var told []cluster.Node
	for first := true; ; {
		if _, err := r.session(ctx); err != nil {
			return err
		}
		r.h.mu.Lock()
		nodes, changed := r.h.list(kind), r.h.changed
		r.h.mu.Unlock()
		if first || !cluster.SameNodes(told, nodes) {
			told, first = nodes, false
			fn(slices.Clone(nodes))
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-r.closed:
			return cluster.ErrClosed
		}
	}
}

// Tree implements cluster.Registry.
func (r *Registry) Tree(ctx context.Context) ([]cluster.Entry, error) {
	if _, err := r.session(ctx); err != nil {
		return nil, err
	}
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	out := []cluster.Entry{}
	for path, e := range r.h.nodes {
		entry := cluster.Entry{Path: path, Value: e.value, Created: e.created, Updated: e.updated}
		if e.owner != nil {
			entry.Ephemeral, entry.Owner = true, e.owner.id
		}
		out = append(out, entry)
	}
	slices.SortFunc(out, func(a, b cluster.Entry) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// SessionTimeout implements cluster.Registry.
func (r *Registry) SessionTimeout() time.Duration { return r.h.timeout }

// Name implements cluster.Registry.
func (r *Registry) Name() string { return "this process" }

// Close implements cluster.Registry.
func (r *Registry) Close() error {
	r.once.Do(func() {
		close(r.closed)
		r.h.mu.Lock()
		r.s.lose()
		if !r.cut {
			r.h.end(r.s) // who is cut off cannot say goodbye
		}
		r.h.mu.Unlock()
	})
	r.wg.Wait()
	return nil
}
