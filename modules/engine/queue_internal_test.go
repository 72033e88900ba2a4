package engine

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAQueueGoesByPriorityThenRunThenTaskAndAgesWhatWaits(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	q := newQueue(false)
	q.push(queued{attempt: 1, workflowPriority: 4, run: 1, since: began})
	q.push(queued{attempt: 2, workflowPriority: 2, run: 2, taskPriority: 3, since: began.Add(25 * time.Minute)})
	q.push(queued{attempt: 3, workflowPriority: 2, run: 2, taskPriority: 1, since: began.Add(25 * time.Minute)})
	q.push(queued{attempt: 4, workflowPriority: 2, run: 2, taskPriority: 1, groupPriority: 7, since: began.Add(25 * time.Minute)})
	q.push(queued{attempt: 5, workflowPriority: 1, run: 9, since: began.Add(25 * time.Minute)})
	q.drop(5)
	q.drop(77)
	q.age(began.Add(19*time.Minute), 10*time.Minute)
	require.Equal(t, int64(4), q.pop().attempt, "one level in 19 minutes is not enough")
	q.age(began.Add(30*time.Minute), 10*time.Minute)
	require.Equal(t, int64(1), q.pop().attempt, "after half an hour LOWEST is as urgent as HIGH")
	require.Equal(t, int64(3), q.pop().attempt)
	require.Equal(t, int64(2), q.pop().attempt)
	require.Zero(t, q.Len())
}

func TestASweepGoesRoundAllTasks(t *testing.T) {
	t.Parallel()
	ids := []int64{5, 1, 9, 3}
	require.Equal(t, []int64{1, 3}, nextIDs(ids, 0, 2))
	require.Equal(t, []int64{5, 9}, nextIDs(ids, 3, 2))
	require.Equal(t, []int64{1, 3, 5, 9}, nextIDs(ids, 9, 10))
	require.Empty(t, nextIDs(nil, 9, 10))
}

func TestW11_AGroupThatNobodyServesIsReportedOnceAndAMissingOneGivesItsTasksBack(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f := newFleet(slog.New(slog.DiscardHandler), func() time.Time { return now }, Config{}, false, func(queued, string) {})
	f.arrange(map[string][]string{"etl": nil}, nil)
	for i, group := range []string{"etl", "nowhere", "default"} {
		f.reserve(queued{group: group, attempt: int64(i + 1)})
	}
	sweep := func(after time.Duration) (attempts []int64, groups []string) {
		now = now.Add(after)
		hopeless, idle := f.sweep(5*time.Minute, 10*time.Minute)
		for _, q := range hopeless {
			attempts = append(attempts, q.attempt)
		}
		for _, g := range idle {
			groups = append(groups, g.name)
		}
		slices.Sort(groups)
		return attempts, groups
	}
	attempts, groups := sweep(0)
	require.Empty(t, attempts)
	require.Empty(t, groups)
	attempts, _ = sweep(5 * time.Minute)
	require.Equal(t, []int64{2}, attempts, "only the group that does not exist fails its tasks")
	_, groups = sweep(5 * time.Minute)
	require.Equal(t, []string{"default", "etl"}, groups)
	_, groups = sweep(5 * time.Minute)
	require.Empty(t, groups, "once")
}
