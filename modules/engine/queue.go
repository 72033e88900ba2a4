package engine

import "container/heap"

// queued is an attempt that waits for a slot, with what decides its turn (engine.md 8.4).
type queued struct {
	group            string
	workflowPriority int
	run              int64
	taskPriority     int
	groupPriority    int // larger first
	submit           int64
	attempt          int64
	node             int32
}

func (q queued) before(o queued) bool {
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

// queue is a heap of waiting attempts, the next one on top.
type queue struct{ items []queued }

func (q *queue) push(item queued) { heap.Push(q, item) }
func (q *queue) pop() queued      { return heap.Pop(q).(queued) }

// Len, Less, Swap, Push and Pop are for container/heap.
func (q *queue) Len() int           { return len(q.items) }
func (q *queue) Less(i, j int) bool { return q.items[i].before(q.items[j]) }
func (q *queue) Swap(i, j int)      { q.items[i], q.items[j] = q.items[j], q.items[i] }
func (q *queue) Push(x any)         { q.items = append(q.items, x.(queued)) }
func (q *queue) Pop() any {
	last := q.items[len(q.items)-1]
	q.items = q.items[:len(q.items)-1]
	return last
}
