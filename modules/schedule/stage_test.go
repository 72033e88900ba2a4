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
	d := dbtest.Postgres(t)
	w := open(t, d)
	due := noon().Add(time.Second)
	victim := w.on(t, draft("* * * * * ?"))
	w.multiply(t, victim.ID, 79)
	w.wall.set(due.Add(-60 * time.Millisecond)) // and there it stays, so that the transaction is open as long as we like
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	c := w.clock()
	wg.Go(func() { _ = c.Run(ctx) })
	require.Eventually(t, func() bool {
		return w.count(t, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'`) > 0 &&
			w.count(t, `SELECT CAST(last_value AS BIGINT) FROM command_id_seq`) >= 80
	}, time.Minute, 5*time.Millisecond)
	require.Zero(t, w.count(t, `SELECT count(*) FROM schedule_fire`))
	heard := make(chan struct{}, 8)
	require.NoError(t, d.Listen(ctx, "dorado_schedule", func(string) { heard <- struct{}{} }))
	_, err := w.Offline(w.gwen, w.project, victim.ID)
	require.NoError(t, err)
	<-heard
	time.Sleep(20 * time.Millisecond) // the clock hears it at the same moment as we do
	w.wall.set(due)
	require.Eventually(t, func() bool { return w.count(t, `SELECT count(*) FROM schedule_fire`) >= 79 }, time.Minute, 5*time.Millisecond)
	cancel()
	wg.Wait()
	require.Empty(t, w.runs(t, victim.ID))
	require.Equal(t, 79, w.count(t, `SELECT count(*) FROM workflow_instance`))
}

// TestACrowdIsFiredThoughNoConnectionIsLeftToFlushIt takes all connections but the one into which the crowd is written.
func TestACrowdIsFiredThoughNoConnectionIsLeftToFlushIt(t *testing.T) {
	t.Parallel()
	url := dbtest.PostgresURL(t)
	d, outside := dbtest.Open(t, url), dbtest.Open(t, url)
	w := open(t, d)
	w.live(t)
	x := draft("* * * * * ?")
	begin := time.Now().UTC().Truncate(time.Second).Add(3 * time.Second)
	x.Start, x.End = begin.Add(-time.Second).Format(time.DateTime), begin.Format(time.DateTime)
	w.multiply(t, w.on(t, x).ID, 79)

	const others = 7 // of the 8 that a database of a test has
	var holders, held sync.WaitGroup
	free := make(chan struct{})
	held.Add(others)
	for range others {
		holders.Go(func() {
			_ = d.InTx(t.Context(), func(context.Context) error {
				held.Done()
				<-free
				return nil
			})
		})
	}
	held.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	holders.Go(func() { _ = w.clock().Run(ctx) })
	require.Eventually(t, func() bool {
		n, err := db.Get[int](t.Context(), outside, `SELECT count(*) FROM schedule_fire`)
		return err == nil && n >= 80
	}, 30*time.Second, 5*time.Millisecond)
	cancel()
	close(free)
	holders.Wait()
}
