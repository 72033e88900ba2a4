package flow

// Holds evaluates the conditions (engine.md 4.5). state tells the state of a task's valid attempt in the same run, "" for
// none. A forced success counts as success, a lost attempt as a failure.
func (c Conditions) Holds(state func(code int64) TaskState) bool {
	return c.Relation.all(len(c.Groups), func(i int) bool {
		group := &c.Groups[i]
		return group.Relation.all(len(group.Items), func(k int) bool {
			item := &group.Items[k]
			switch state(item.TaskCode) {
			case TaskSuccess, TaskForcedSuccess:
				return item.Status == TaskSuccess
			case TaskFailure, TaskLost:
				return item.Status == TaskFailure
			case TaskSubmitted, TaskDelay, TaskDispatch, TaskRunning, TaskKill, TaskPause:
			}
			return false
		})
	})
}

// Choose returns the codes of the successors that the conditions lead to, and whether they hold.
func (c Conditions) Choose(state func(code int64) TaskState) (next []int64, holds bool) {
	if c.Holds(state) {
		return c.Success, true
	}
	return c.Failed, false
}

// all joins n results; no result at all holds with AND and fails with OR.
func (r Relation) all(n int, holds func(i int) bool) bool {
	for i := range n {
		if holds(i) == (r == Or) {
			return r == Or
		}
	}
	return r != Or
}

// DependResult is what a dependency on another workflow comes to.
type DependResult string

// The results.
const (
	DependSuccess DependResult = "SUCCESS"
	DependWaiting DependResult = "WAITING"
	DependFailed  DependResult = "FAILED"
)

// Join combines the results of several dependencies (engine.md 4.7): AND fails as soon as one fails and succeeds when all
// do, OR succeeds as soon as one does and fails when all do. Otherwise it waits.
func (r Relation) Join(results []DependResult) DependResult {
	var succeeded, failed bool
	waiting := false
	for _, result := range results {
		switch result {
		case DependSuccess:
			succeeded = true
		case DependFailed:
			failed = true
		case DependWaiting:
			waiting = true
		}
	}
	switch {
	case r == Or && succeeded:
		return DependSuccess
	case r != Or && failed:
		return DependFailed
	case waiting:
		return DependWaiting
	case r == Or:
		return DependFailed
	}
	return DependSuccess
}
