package engine

import (
	"container/heap"
	"sync"
)

// taskGroups counts who holds the slots of task groups. Nothing of it is stored: after a restart the holders are the
// attempts of a group that are on a worker, and all others wait again.
//
// A slot is given back after the end of its holder was queued for the database and before the next holder's beginning
// is, so that the rows, too, never show more holders than slots. All methods are safe for concurrent use.
type taskGroups struct {
	grant func(ticket) // tells the owner of a waiting attempt that it has a slot

	mu     sync.Mutex
	groups map[int64]*taskGroup
	where  map[int64]*ticket // attempt → what is known of it
}

type taskGroup struct {
	size    int
	open    bool // closed: no limit
	known   bool // a row exists; without one there is no limit either
	holders int
	waiting ticketHeap
}

// ticket is one attempt's place in a group.
type ticket struct {
	group    int64
	attempt  int64
	run      int64
	node     int32
	priority int

	held  bool // counts as a holder
	index int  // in the heap of the waiting, -1 outside
}

// limited reports whether the group keeps anything waiting.
func (g *taskGroup) limited() bool { return g.known && g.open }

func newTaskGroups(grant func(ticket)) *taskGroups {
	return &taskGroups{grant: grant, groups: map[int64]*taskGroup{}, where: map[int64]*ticket{}}
}

func (t *taskGroups) group(id int64) *taskGroup {
	g := t.groups[id]
	if g == nil {
		g = &taskGroup{}
		t.groups[id] = g
	}
	return g
}

// arrange takes over sizes and states; those who can go now, go.
func (t *taskGroups) arrange(rows map[int64]taskGroupRow) {
	t.mu.Lock()
	for id, g := range t.groups {
		if _, ok := rows[id]; !ok {
			g.known = false
		}
	}
	var granted []ticket
	for id, row := range rows {
		g := t.group(id)
		g.size, g.open, g.known = row.Size, row.open(), true
	}
	for _, g := range t.groups {
		granted = append(granted, t.pump(g)...)
	}
	t.mu.Unlock()
	t.tell(granted)
}

// hold notes that an attempt has a slot already: it is on a worker since before the start.
func (t *taskGroups) hold(k ticket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.where[k.attempt] != nil {
		return
	}
	k.held, k.index = true, -1
	t.where[k.attempt] = &k
	t.group(k.group).holders++
}

// acquire takes a slot, or queues the attempt until grant names it.
func (t *taskGroups) acquire(k ticket) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.where[k.attempt]; known != nil {
		return known.held
	}
	g := t.group(k.group)
	k.index = -1
	t.where[k.attempt] = &k
	if !g.limited() || g.holders < g.size && len(g.waiting) == 0 {
		k.held = true
		t.where[k.attempt] = &k
		g.holders++
		return true
	}
	heap.Push(&g.waiting, &k)
	return false
}

// release gives a slot back, or leaves the queue. It is for every attempt that ended, wherever it was.
func (t *taskGroups) release(attempt int64) {
	t.mu.Lock()
	k := t.where[attempt]
	if k == nil {
		t.mu.Unlock()
		return
	}
	delete(t.where, attempt)
	g := t.groups[k.group]
	if k.held {
		g.holders--
	} else if k.index >= 0 {
		heap.Remove(&g.waiting, k.index)
	}
	granted := t.pump(g)
	t.mu.Unlock()
	t.tell(granted)
}

// force lets a waiting attempt go, whatever the slots; it is not counted. It reports false when it does not wait.
func (t *taskGroups) force(attempt int64) bool {
	t.mu.Lock()
	k := t.where[attempt]
	if k == nil || k.held || k.index < 0 {
		t.mu.Unlock()
		return false
	}
	heap.Remove(&t.groups[k.group].waiting, k.index)
	delete(t.where, attempt)
	granted := *k
	t.mu.Unlock()
	t.tell([]ticket{granted})
	return true
}

// reorder changes a waiting attempt's priority; larger goes first. It reports false when it does not wait.
func (t *taskGroups) reorder(attempt int64, priority int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.where[attempt]
	if k == nil || k.held || k.index < 0 {
		return false
	}
	k.priority = priority
	heap.Fix(&t.groups[k.group].waiting, k.index)
	return true
}

// waits reports whether an attempt waits for a slot.
func (t *taskGroups) waits(attempt int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.where[attempt]
	return k != nil && !k.held
}

// usage is how many attempts hold slots of a group, and how many wait.
func (t *taskGroups) usage(group int64) (held, waiting int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.groups[group]; g != nil {
		return g.holders, len(g.waiting)
	}
	return 0, 0
}

// pump gives free slots to those who wait. The caller holds the lock, and tells them after it.
func (t *taskGroups) pump(g *taskGroup) []ticket {
	var granted []ticket
	for len(g.waiting) > 0 && (!g.limited() || g.holders < g.size) {
		k := heap.Pop(&g.waiting).(*ticket)
		k.held = true
		g.holders++
		granted = append(granted, *k)
	}
	return granted
}

func (t *taskGroups) tell(granted []ticket) {
	for _, k := range granted {
		t.grant(k)
	}
}

// ticketHeap is for container/heap: larger priority first, then the older attempt.
type ticketHeap []*ticket

// Len, Less, Swap, Push and Pop are for container/heap.
func (h ticketHeap) Len() int { return len(h) }

func (h ticketHeap) Less(i, j int) bool {
	if h[i].priority != h[j].priority {
		return h[i].priority > h[j].priority
	}
	return h[i].attempt < h[j].attempt
}

func (h ticketHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *ticketHeap) Push(x any) {
	k := x.(*ticket)
	k.index = len(*h)
	*h = append(*h, k)
}

func (h *ticketHeap) Pop() any {
	last := (*h)[len(*h)-1]
	last.index = -1
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	return last
}
