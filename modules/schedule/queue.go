package schedule

import (
	"container/heap"
	"time"
	"unique"

	"dorado/modules/flow"
)

// settings are how the runs of a schedule are started. Most schedules share theirs with many others.
type settings struct {
	misfire         MisfirePolicy
	doneBy          string
	failureStrategy flow.FailureStrategy
	warningType     flow.WarningType
	warningGroupID  int64
	priority        flow.Priority
	workerGroup     string
	tenantCode      string
	environmentCode int64
	startParams     string
	userID          int64
	userName        string
}

func settingsOf(r *Schedule) unique.Handle[settings] {
	return unique.Make(settings{
		misfire: r.Misfire, doneBy: r.DoneBy, failureStrategy: r.FailureStrategy, warningType: r.WarningType, warningGroupID: r.WarningGroupID,
		priority: r.Priority, workerGroup: r.WorkerGroup, tenantCode: r.TenantCode, environmentCode: r.EnvironmentCode,
		startParams: r.StartParams, userID: r.UserID, userName: r.UserName,
	})
}

// entry is an online schedule in the clock: its fires until next are settled.
type entry struct {
	id, project, workflow int64
	revision              int
	timing                *Timing
	how                   unique.Handle[settings]

	next   Fire
	fresh  bool   // nothing was fired since the clock read it
	caught int    // missed fires that were made up for since the last one in time
	in     *queue // where it waits; nil when it never fires again
	index  int
}

// queue holds entries, the one that is due next first.
type queue struct{ list []*entry }

// Len, Less, Swap, Push and Pop are for container/heap.
func (q *queue) Len() int { return len(q.list) }

// Less orders by what is due, and settles ties so that the order never depends on how the queue was built.
func (q *queue) Less(i, j int) bool {
	a, b := q.list[i], q.list[j]
	if !a.next.Due.Equal(b.next.Due) {
		return a.next.Due.Before(b.next.Due)
	}
	return a.id < b.id
}

// Swap keeps the places of the entries.
func (q *queue) Swap(i, j int) {
	q.list[i], q.list[j] = q.list[j], q.list[i]
	q.list[i].index, q.list[j].index = i, j
}

// Push appends.
func (q *queue) Push(x any) {
	e, _ := x.(*entry)
	e.in, e.index = q, len(q.list)
	q.list = append(q.list, e)
}

// Pop takes the last.
func (q *queue) Pop() any {
	last := len(q.list) - 1
	e := q.list[last]
	q.list[last] = nil
	q.list = q.list[:last]
	e.in = nil
	return e
}

func (q *queue) add(e *entry) { heap.Push(q, e) }

func (q *queue) take() *entry {
	e, _ := heap.Pop(q).(*entry)
	return e
}

// due is when the first entry is due; false when there is none.
func (q *queue) due() (time.Time, bool) {
	if len(q.list) == 0 {
		return time.Time{}, false
	}
	return q.list[0].next.Due, true
}

// leave takes an entry out of the queue in which it waits.
func (e *entry) leave() {
	if e.in != nil {
		heap.Remove(e.in, e.index)
	}
}
