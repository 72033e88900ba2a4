package zk

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"dorado/modules/cluster"
)

// Watch implements cluster.Registry.
func (r *Registry) Watch(ctx context.Context, kind cluster.Kind, fn func([]cluster.Node)) error {
	w := &watcher{r: r, kind: kind, root: r.nodes(kind)}
	var told []cluster.Node
	first := true
	tell := func(nodes []cluster.Node) {
		if first || !cluster.SameNodes(told, nodes) {
			told, first = nodes, false
			fn(slices.Clone(nodes))
		}
	}
	for {
		s, err := r.session(ctx)
		if err != nil {
			return err
		}
		if err := w.follow(ctx, s, tell); err != nil {
			return err
		}
	}
}

// watcher knows the nodes of a kind within one session.
type watcher struct {
	r    *Registry
	kind cluster.Kind
	root string

	listed bool // a watch on the list of children stands
	known  map[string]*known
}

type known struct {
	node    cluster.Node
	watched bool // a watch on the value stands
}

// follow tells of changes until the session is lost, and returns nil then.
func (w *watcher) follow(ctx context.Context, s *session, tell func([]cluster.Node)) error {
	sub := s.subscribe(w.root)
	defer s.unsubscribe(sub)
	w.listed, w.known = false, map[string]*known{}
	scan := time.NewTicker(scanEvery)
	defer scan.Stop()
	full := true
	for {
		err := w.read(ctx, s, full)
		switch {
		case err == nil:
			full = false
			tell(w.nodes())
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, cluster.ErrLost):
			return nil
		case hopeless(err):
			return w.r.explain(err, w.root)
		}
		var again <-chan time.Time
		if err != nil {
			again, full = time.After(retryPause), true
		}
		select {
		case <-sub.wake:
		case <-scan.C:
			full = true
		case <-again:
		case <-s.lost:
			if w.r.ctx.Err() != nil {
				return cluster.ErrClosed
			}
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
		dirty, all := sub.take()
		full = full || all
		for path := range dirty {
			if path == w.root {
				w.listed = false
			} else if k := w.known[path]; k != nil {
				k.watched = false
			}
		}
	}
}

// read brings what is known up to date: all that has no watch, or everything.
func (w *watcher) read(ctx context.Context, s *session, full bool) error {
	if full || !w.listed {
		names, err := w.list(ctx, s)
		if errors.Is(err, zk.ErrNoNode) {
			// Nobody has registered, or the tree is gone: without the folder there is nothing to watch.
			if err := w.r.create(ctx, s, w.root, "", zk.FlagPersistent); err != nil && !errors.Is(err, zk.ErrNodeExists) {
				return err
			}
			w.listed = false
			names, err = w.list(ctx, s)
		}
		if err != nil {
			return err
		}
		there := map[string]bool{}
		for _, name := range names {
			path := w.root + "/" + name
			there[path] = true
			if w.known[path] == nil {
				w.known[path] = &known{}
			}
		}
		for path := range w.known {
			if !there[path] {
				delete(w.known, path)
			}
		}
	}
	for path, k := range w.known {
		if k.watched && !full {
			continue
		}
		if err := w.value(ctx, s, path, k); errors.Is(err, zk.ErrNoNode) {
			delete(w.known, path)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// list reads the names, with a watch if none stands.
func (w *watcher) list(ctx context.Context, s *session) ([]string, error) {
	watched := w.listed
	names, err := do(ctx, s, func(c *zk.Conn) ([]string, error) {
		if watched {
			names, _, err := c.Children(w.root)
			return names, err
		}
		names, _, _, err := c.ChildrenW(w.root)
		return names, err
	})
	w.listed = err == nil
	return names, err
}

// value reads one node, with a watch if none stands.
func (w *watcher) value(ctx context.Context, s *session, path string, k *known) error {
	type node struct {
		value []byte
		stat  *zk.Stat
	}
	watched := k.watched
	n, err := do(ctx, s, func(c *zk.Conn) (node, error) {
		if watched {
			value, stat, err := c.Get(path)
			return node{value, stat}, err
		}
		value, stat, _, err := c.GetW(path)
		return node{value, stat}, err
	})
	k.watched = err == nil
	if err != nil {
		return err
	}
	k.node = nodeOf(w.kind, path, string(n.value), n.stat)
	return nil
}

func (w *watcher) nodes() []cluster.Node {
	out := make([]cluster.Node, 0, len(w.known))
	for _, k := range w.known {
		out = append(out, k.node)
	}
	slices.SortFunc(out, func(a, b cluster.Node) int { return strings.Compare(a.Address, b.Address) })
	return out
}

func nodeOf(kind cluster.Kind, path, value string, stat *zk.Stat) cluster.Node {
	return cluster.NodeOf(kind, path, value, time.UnixMilli(stat.Ctime), time.UnixMilli(stat.Mtime))
}

// Nodes implements cluster.Registry.
func (r *Registry) Nodes(ctx context.Context, kind cluster.Kind) ([]cluster.Node, error) {
	root := r.nodes(kind)
	return retry(ctx, r, root, func(s *session) ([]cluster.Node, error) {
		names, err := children(ctx, s, root)
		if err != nil {
			return nil, err
		}
		out := make([]cluster.Node, 0, len(names))
		for _, name := range names {
			value, stat, err := get(ctx, s, root+"/"+name)
			if errors.Is(err, zk.ErrNoNode) {
				continue
			}
			if err != nil {
				return nil, err
			}
			out = append(out, nodeOf(kind, root+"/"+name, value, stat))
		}
		return out, nil
	})
}

// children lists names, sorted; none when there is no such node.
func children(ctx context.Context, s *session, path string) ([]string, error) {
	names, err := do(ctx, s, func(c *zk.Conn) ([]string, error) {
		names, _, err := c.Children(path)
		return names, err
	})
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil
	}
	slices.Sort(names)
	return names, err
}

// retry asks again for as long as the reason passes.
func retry[T any](ctx context.Context, r *Registry, path string, ask func(s *session) (T, error)) (T, error) {
	var none T
	for {
		s, err := r.session(ctx)
		if err != nil {
			return none, err
		}
		v, err := ask(s)
		switch {
		case err == nil:
			return v, nil
		case ctx.Err() != nil:
			return none, ctx.Err()
		case hopeless(err):
			return none, r.explain(err, path)
		}
		pause(ctx)
	}
}
