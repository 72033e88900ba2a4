package executor

import (
	"context"
	"maps"
	"slices"
)

// SetMasters says which masters there are: streams to new ones are opened, those to absent ones are closed. Attempts of
// a master that went away run on, and their reports wait for it, or for the master that claims them. It may be called
// at any time, from anywhere; before Run it only notes the list.
func (e *Executor) SetMasters(masters []Master) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.masters = slices.Clone(masters)
	e.connect()
}

// Connected is how many masters the worker is connected to.
func (e *Executor) Connected() int {
	e.mu.Lock()
	boxes := slices.Collect(maps.Values(e.outboxes))
	e.mu.Unlock()
	n := 0
	for _, o := range boxes {
		if o.connected() {
			n++
		}
	}
	return n
}

// connect makes the outboxes those of the masters that are wanted; e.mu is held.
func (e *Executor) connect() {
	if e.work == nil || e.work.Err() != nil {
		return
	}
	wanted := make(map[string]bool, len(e.masters))
	for _, m := range e.masters {
		wanted[m.Name] = true
		if e.outboxes[m.Name] == nil {
			e.open(m)
		}
	}
	for name, o := range e.outboxes {
		if !wanted[name] {
			delete(e.outboxes, name)
			o.leave()
		}
	}
}

// open begins to talk to a master; e.mu is held.
func (e *Executor) open(m Master) {
	ctx, cancel := context.WithCancel(e.work)
	o := newOutbox(e, m)
	o.leave = cancel
	e.outboxes[m.Name] = o
	e.links.Go(func() { defer cancel(); o.run(ctx) })
	e.links.Go(func() { e.keep(ctx, m, o.control) })
	e.links.Go(func() { e.keep(ctx, m, e.data) })
}

// box is where the reports of an owner's attempts go; e.mu is held.
func (e *Executor) box(owner string) *outbox {
	if o := e.outboxes[owner]; o != nil {
		return o
	}
	return e.nobody
}

// beatAll sends all masters a heartbeat; e.mu is held.
func (e *Executor) beatAll() {
	for _, o := range e.outboxes {
		o.beat()
	}
}
