package schedule_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
)

// live makes the world's time the real one until the test ends.
func (w *world) live(t *testing.T) {
	t.Helper()
	w.wall.set(time.Now())
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				w.wall.set(time.Now())
			}
		}
	})
	t.Cleanup(func() { close(stop); wg.Wait() })
}

// TestACrowdIsWrittenAheadAndSeenOnlyWhenItIsDue runs two clocks on schedules that are due together each second, while
// somebody takes some of them offline.
func TestACrowdIsWrittenAheadAndSeenOnlyWhenItIsDue(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.live(t)
		const crowd, seconds = 150, 4
		x := draft("* * * * * ?")
		begin := time.Now().UTC().Truncate(time.Second).Add(3 * time.Second)
		x.Start, x.End = begin.Add(-time.Second).Format(time.DateTime), begin.Add((seconds-1)*time.Second).Format(time.DateTime)
		first := w.on(t, x)
		w.multiply(t, first.ID, crowd-1)

		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 2 {
			c := w.clock()
			wg.Go(func() { _ = c.Run(ctx) })
		}
		w.flow = w.online(t, "other")
		gone := w.schedule(t, draft("* * * * * ?")) // comes and goes while others are written ahead
		limit := time.Now().Add(time.Minute)
		for k := 0; w.count(t, `SELECT count(*) FROM schedule_fire WHERE schedule_id <> ?`, gone.ID) < crowd*seconds; k++ {
			require.True(t, time.Now().Before(limit), "still not all made")
			_, err := w.Online(w.gwen, w.project, gone.ID)
			require.NoError(t, err)
			early := w.count(t, `SELECT count(*) FROM schedule_fire WHERE fire_time > ?`, time.Now())
			require.Zero(t, early, "nothing is seen before it is due")
			_, err = w.Offline(w.gwen, w.project, gone.ID)
			require.NoError(t, err)
			time.Sleep(37 * time.Millisecond)
		}
		cancel()
		wg.Wait()
		require.Equal(t, crowd, w.count(t, `SELECT count(*) FROM (SELECT schedule_id FROM schedule_fire WHERE schedule_id <> ? AND workflow_instance_id > 0
			GROUP BY schedule_id HAVING count(*) = ?) AS each`, gone.ID, seconds))
		require.Equal(t, crowd*seconds, w.count(t, `SELECT count(*) FROM workflow_instance i JOIN schedule_fire f ON f.workflow_instance_id = i.id
			WHERE f.schedule_id <> ? AND i.start_time >= i.schedule_time`, gone.ID), "no run begins before its time")
	})
}

func TestWhatChangesWhileItIsWrittenAheadIsNotFiredAsItWas(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.Postgres(t))
	w.live(t)
	x := draft("* * * * * ?")
	due := time.Now().UTC().Truncate(time.Second).Add(3 * time.Second)
	x.Start, x.End = due.Add(-time.Second).Format(time.DateTime), due.Format(time.DateTime)
	victim := w.on(t, x)
	w.multiply(t, victim.ID, 79)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	c := w.clock()
	wg.Go(func() { _ = c.Run(ctx) })
	time.Sleep(time.Until(due.Add(-10 * time.Millisecond))) // the transaction is open
	for range 3 {
		_, err := w.Offline(w.gwen, w.project, victim.ID)
		require.NoError(t, err)
	}
	taken := w.wall.now()
	require.Eventually(t, func() bool {
		return w.count(t, `SELECT count(*) FROM schedule_fire WHERE schedule_id <> ?`, victim.ID) == 79
	}, time.Minute, 5*time.Millisecond)
	cancel()
	wg.Wait()
	if taken.Before(due) {
		require.Empty(t, w.runs(t, victim.ID))
	}
}
