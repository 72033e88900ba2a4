package engine

import (
	"container/heap"
	"time"
)

// queued is an attempt that waits for a slot, with what decides its turn (engine.md 8.4).
type queued struct {
	group            string
	project          int64
	workflowPriority int // rises by one level with each aging step it waits
	run              int64
	taskPriority     int
	groupPriority    int // larger first
	submit           int64
	attempt          int64
	node             int32
	since            time.Time // when it came into the queue

	base  int // workflowPriority before aging
	index int // in its heap
}

func (q *queued) before(o *queued) bool {
	switch {
	case q.workflowPriority != o.workflowPriority:
		return q.workflowPriority < o.workflowPriority
	case q.run != o.run:
		return q.run < o.run
	case q.taskPriority != o.taskPriority:
		return q.taskPriority < o.taskPriority
	case q.groupPriority != o.groupPriority:
		return q.groupPriority > o.groupPriority
	case q.submit != o.submit:
		return q.submit < o.submit
	default:
		return q.attempt < o.attempt
	}
}

// queue is the attempts of one worker group that wait for a slot. With shares, projects take turns within a priority;
// without, they are one heap. It is not safe for concurrent use.
type queue struct {
	share    bool
	projects map[int64]*share
	at       map[int64]*queued // by attempt
	turn     uint64
	// absentSince is when the group was first seen without a row and without a worker, zero while it exists. warned and
	// idleSince are about a group that no worker serves.
	absentSince time.Time
	idleSince   time.Time
	warned      bool
}

// share is what waits of one project.
type share struct {
	items queueHeap
	turn  uint64 // when it last had one
}

func newQueue(fair bool) *queue {
	return &queue{share: fair, projects: map[int64]*share{}, at: map[int64]*queued{}}
}

func (q *queue) Len() int { return len(q.at) }

func (q *queue) push(item queued) {
	if q.at[item.attempt] != nil {
		return
	}
	key := int64(0)
	if q.share {
		key = item.project
	}
	s := q.projects[key]
	if s == nil {
		s = &share{turn: q.turn} // a newcomer is neither before nor behind those who just had their turn
		q.projects[key] = s
	}
	item.base = item.workflowPriority
	p := &item
	q.at[item.attempt] = p
	heap.Push(&s.items, p)
}

// next is the share whose head goes next, nil when nothing waits.
func (q *queue) next() (best *share, key int64) {
	for k, s := range q.projects {
		switch {
		case best == nil,
			s.items[0].workflowPriority < best.items[0].workflowPriority,
			s.items[0].workflowPriority == best.items[0].workflowPriority && s.turn < best.turn,
			s.items[0].workflowPriority == best.items[0].workflowPriority && s.turn == best.turn && s.items[0].before(best.items[0]):
			best, key = s, k
		}
	}
	return best, key
}

// head is the attempt that goes next.
func (q *queue) head() int64 {
	s, _ := q.next()
	return s.items[0].attempt
}

func (q *queue) pop() queued {
	s, key := q.next()
	item := heap.Pop(&s.items).(*queued)
	q.turn++
	s.turn = q.turn
	if len(s.items) == 0 {
		delete(q.projects, key)
	}
	delete(q.at, item.attempt)
	return *item
}

// drop takes an attempt out.
func (q *queue) drop(attempt int64) {
	item := q.at[attempt]
	if item == nil {
		return
	}
	key := int64(0)
	if q.share {
		key = item.project
	}
	s := q.projects[key]
	heap.Remove(&s.items, item.index)
	if len(s.items) == 0 {
		delete(q.projects, key)
	}
	delete(q.at, attempt)
}

// age raises the priority of what has waited, by one level each step.
func (q *queue) age(now time.Time, step time.Duration) {
	for _, s := range q.projects {
		moved := false
		for _, item := range s.items {
			if level := max(item.base-int(now.Sub(item.since)/step), 0); level != item.workflowPriority {
				item.workflowPriority, moved = level, true
			}
		}
		if moved {
			heap.Init(&s.items)
		}
	}
}

// queueHeap is for container/heap: the next one on top.
type queueHeap []*queued

// Len, Less, Swap, Push and Pop are for container/heap.
func (h queueHeap) Len() int           { return len(h) }
func (h queueHeap) Less(i, j int) bool { return h[i].before(h[j]) }
func (h queueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *queueHeap) Push(x any) {
	item := x.(*queued)
	item.index = len(*h)
	*h = append(*h, item)
}

func (h *queueHeap) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	return last
}
