package engine

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/modules/flow"
)

// notebook is a saver that only remembers.
type notebook struct {
	mu   sync.Mutex
	rows []attemptRow
}

func (n *notebook) save(_ context.Context, _ *db.Writer, g *group, _ time.Time) (map[int64]bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range g.attempts {
		n.rows = append(n.rows, a.attemptRow)
	}
	taken := map[int64]bool{}
	for _, c := range g.commands {
		taken[c.id] = c.epoch != 0 // a command without an epoch was another master's
	}
	return taken, nil
}

func (n *notebook) written() []attemptRow {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]attemptRow(nil), n.rows...)
}

// writing starts a committer over a notebook; end lets it write what is left and waits.
func writing(t *testing.T) (c *committer, n *notebook, end func()) {
	t.Helper()
	n = &notebook{}
	c = &committer{
		saver: n, logger: slog.New(slog.DiscardHandler), now: time.Now, changed: func([]int64) {}, observe: func(time.Duration, int) {},
		reach: func(bool) {}, abandon: func(int64, error) {}, wake: make(chan struct{}, 1), late: map[int64]lateRow{},
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.run(ctx) }()
	end = func() {
		cancel()
		require.NoError(t, <-done)
	}
	return c, n, end
}

func lateAttempt(id int64) attemptRow {
	return attemptRow{insert: true, late: true, id: id, run: 1, state: string(flow.TaskSubmitted)}
}

// saved adds a change and waits until its effects are let go.
func (c *committer) saved(t *testing.T, ch *change) {
	t.Helper()
	done := make(chan struct{})
	ch.after = func() { close(done) }
	ch.lost = ch.after
	c.add(ch)
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("not saved")
	}
}

func TestAnAttemptThatFindsASlotSoonIsWrittenOnce(t *testing.T) {
	t.Parallel()
	c, n, end := writing(t)
	c.saved(t, &change{run: 1, attempts: []attemptRow{lateAttempt(7)}})
	require.Empty(t, n.written(), "the row says no more than that it waits")
	c.saved(t, &change{run: 1, attempts: []attemptRow{{id: 7, run: 1, state: string(flow.TaskDispatch)}}})
	c.saved(t, &change{run: 1, attempts: []attemptRow{{id: 7, run: 1, state: string(flow.TaskSuccess)}}})
	end()
	rows := n.written()
	require.Len(t, rows, 2)
	require.True(t, rows[0].insert, "it was never there before")
	require.Equal(t, string(flow.TaskDispatch), rows[0].state)
	require.False(t, rows[1].insert)
}

func TestAnAttemptThatGoesOnWaitingIsWrittenWithoutAnyOtherChange(t *testing.T) {
	t.Parallel()
	c, n, end := writing(t)
	c.saved(t, &change{run: 1, attempts: []attemptRow{lateAttempt(7), lateAttempt(8)}})
	require.Eventually(t, func() bool { return len(n.written()) == 2 }, 30*time.Second, 5*time.Millisecond)
	c.saved(t, &change{run: 1, attempts: []attemptRow{{id: 7, run: 1, state: string(flow.TaskDispatch)}}})
	end()
	rows := n.written()
	require.Len(t, rows, 3)
	require.True(t, rows[0].insert)
	require.Equal(t, string(flow.TaskSubmitted), rows[0].state)
	require.False(t, rows[2].insert, "it is there by now")
}

func TestWhatStillWaitsAtTheEndIsWritten(t *testing.T) {
	t.Parallel()
	c, n, end := writing(t)
	c.saved(t, &change{run: 1, attempts: []attemptRow{lateAttempt(7)}})
	end()
	require.Len(t, n.written(), 1)
}

func TestLateRowsOfARunThatLeftAreNotWritten(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(c *committer, void *bool){
		"given up":          func(c *committer, void *bool) { c.saved(t, &change{run: 1, leaves: true, void: void}) },
		"another master's":  func(c *committer, void *bool) { c.saved(t, &change{run: 1, command: 5, void: void}) },
		"void, seen by all": func(_ *committer, void *bool) { *void = true },
	} {
		t.Run(name, func(t *testing.T) {
			c, n, end := writing(t)
			void := false
			other := lateAttempt(9)
			other.run = 2
			c.saved(t, &change{run: 1, attempts: []attemptRow{lateAttempt(7)}, void: &void})
			c.saved(t, &change{run: 2, attempts: []attemptRow{other}, void: new(bool)})
			leave(c, &void)
			end()
			rows := n.written()
			require.Len(t, rows, 1)
			require.Equal(t, int64(9), rows[0].id, "the other run stays")
		})
	}
}

func TestALateRowThatIsDueDoesNotOverwriteWhatCameAfterIt(t *testing.T) {
	t.Parallel()
	row := lateAttempt(7)
	c := &committer{late: map[int64]lateRow{7: {attemptRow: row}}, order: []lateMark{{7, time.Now()}}}
	changes := append(c.ripe(time.Now().Add(time.Second)), &change{run: 1, attempts: []attemptRow{{id: 7, run: 1, state: string(flow.TaskDispatch)}}})
	g := merge(changes, c.late)
	require.Len(t, g.attempts, 1)
	require.True(t, g.attempts[0].insert)
	require.Equal(t, string(flow.TaskDispatch), g.attempts[0].state)
}

func TestOnlyTheFirstTryOfATaskMayBeLate(t *testing.T) {
	t.Parallel()
	first := attemptRow{insert: true, state: string(flow.TaskSubmitted)}
	require.True(t, first.first())
	for name, change := range map[string]func(*attemptRow){
		"a known row":         func(r *attemptRow) { r.insert = false },
		"a retry":             func(r *attemptRow) { r.number = 1 },
		"on its way":          func(r *attemptRow) { r.state = string(flow.TaskDispatch) },
		"of a task group":     func(r *attemptRow) { r.groupID = 3 },
		"with something kept": func(r *attemptRow) { r.context = "{}" },
		"with a cache key":    func(r *attemptRow) { r.cacheKey = "k" },
	} {
		row := first
		change(&row)
		require.False(t, row.first(), name)
	}
}
