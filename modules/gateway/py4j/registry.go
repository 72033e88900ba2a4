package py4j

import (
	"container/list"
	"strconv"
	"sync"
	"time"
)

// registry holds the objects that clients have ids of.
//
// Each belongs to the connection that it was made for. A client that was killed never says that it forgot them, so they go
// some time after its connection; not at once, because threads of one client have connections of their own and hand
// objects on.
type registry struct {
	limits Limits

	mu     sync.Mutex
	last   int64
	byID   map[string]*list.Element // of owner.objects
	open   map[*owner]bool
	closed []*owner // oldest first
}

// owner is a connection.
type owner struct {
	objects  *list.List // of held, oldest first
	closedAt time.Time
}

type held struct {
	id     string
	object Object
	owner  *owner
}

func newRegistry(limits Limits) *registry {
	return &registry{limits: limits, byID: map[string]*list.Element{}, open: map[*owner]bool{}}
}

// join adds a connection.
func (r *registry) join() *owner {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := &owner{objects: list.New()}
	r.open[o] = true
	return o
}

// leave notes that a connection ended; its objects stay until sweep.
func (r *registry) leave(o *owner, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, o)
	if o.objects.Len() > 0 {
		o.closedAt = now
		r.closed = append(r.closed, o)
	}
}

// add keeps an object and returns its new id, also when it has one already. When there is no more room the oldest object
// goes: that of the connection when it has its share, else one of a connection that ended, else one of whoever has most.
func (r *registry) add(o *owner, x Object) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o.objects.Len() >= r.limits.ObjectsPerConnection {
		r.remove(o.objects.Front())
	}
	for len(r.byID) >= r.limits.Objects {
		r.evict()
	}
	id := "o" + strconv.FormatInt(r.last, 10)
	r.last++
	r.byID[id] = o.objects.PushBack(held{id, x, o})
	return id
}

func (r *registry) evict() {
	for len(r.closed) > 0 {
		if first := r.closed[0].objects.Front(); first != nil {
			r.remove(first)
			return
		}
		r.closed = r.closed[1:]
	}
	var most *owner
	for o := range r.open {
		if most == nil || o.objects.Len() > most.objects.Len() {
			most = o
		}
	}
	if most != nil && most.objects.Len() > 0 {
		r.remove(most.objects.Front())
	}
}

func (r *registry) remove(at *list.Element) {
	h, _ := at.Value.(held)
	h.owner.objects.Remove(at)
	delete(r.byID, h.id)
}

// get returns an object.
func (r *registry) get(id string) (Object, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.byID[id]
	if !ok {
		return nil, false
	}
	h, _ := at.Value.(held)
	return h.object, true
}

// forget drops an object; one that is not there is no mistake.
func (r *registry) forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, ok := r.byID[id]; ok {
		r.remove(at)
	}
}

// sweep drops what connections left behind that ended long enough ago.
func (r *registry) sweep(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.closed) > 0 && now.Sub(r.closed[0].closedAt) >= r.limits.Linger {
		for at := r.closed[0].objects.Front(); at != nil; at = r.closed[0].objects.Front() {
			r.remove(at)
		}
		r.closed = r.closed[1:]
	}
}

// size is how many objects there are.
func (r *registry) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.byID)
}
