//go:build e2e

package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "github.com/lib/pq" // to look at the schema as an administrator does
	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

// load starts a workflow again and again, at whichever master answers, until stop is called; that returns the runs.
func (f *fleet) load(ctx context.Context, t *testing.T, p int64, flows []harness.Definition) (stop func() map[int64]int64) {
	t.Helper()
	over := make(chan struct{}) // not a context: what was asked must be answered, or nobody knows what became of it
	enough := func() bool {
		select {
		case <-over:
			return true
		default:
			return ctx.Err() != nil
		}
	}
	var wg sync.WaitGroup
	ids := map[int64]int64{} // run to workflow
	wg.Go(func() {
		for n := 0; n < len(flows) && !enough(); n++ {
			for try := n; ctx.Err() == nil; try++ {
				// Only an answer counts: whoever was cut off in the middle may ask again, with the same key.
				id, err := f.admins[try%len(f.admins)].StartWorkflow(ctx, p, flows[n].Code, harness.StartOptions{Key: fmt.Sprintf("%s-%d", t.Name(), n)})
				if err == nil {
					ids[id] = flows[n].Code
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
			time.Sleep(150 * time.Millisecond)
		}
	})
	return func() map[int64]int64 {
		close(over)
		wg.Wait()
		return ids
	}
}

// An operator upgrades a cluster one process after the other, with everybody at work: each is stopped as a service manager
// stops it, and started again.
func TestMembersAreRestartedOneAfterTheOtherUnderLoad(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, o harness.FleetOptions) {
		f := gather(t, o)
		ctx := within(t, 8*time.Minute)
		p := project(t, f.admins[0], "rolling")
		l := ledger{filepath.Join(open(t), "ledger")}
		l.reset(t)
		const runs, chains, length = 60, 2, 4
		var flows []harness.Definition
		for n := range runs {
			d, err := f.admins[0].Publish(ctx, p, l.chains(fmt.Sprintf("r%d", n), chains, length, "sleep 0.3"))
			require.NoError(t, err)
			flows = append(flows, d)
		}
		stop := f.load(ctx, t, p, flows)
		for _, m := range f.All() {
			require.NoError(t, m.Terminate(ctx), m.Name)
			require.Zero(t, m.ExitCode(), "%s:\n%s", m.Name, tail(m.Log(), 4000))
			require.NoError(t, m.Restart(ctx))
			require.NoError(t, m.WaitFit(ctx), m.Name)
		}
		started := stop()
		require.NotEmpty(t, started)
		for id := range started {
			_, err := f.admins[0].WaitInstance(ctx, p, id, 50*time.Millisecond, "SUCCESS")
			require.NoError(t, err)
		}
		begun, ended := l.read(t)
		require.Len(t, ended, len(started)*chains*length, "no task is lost")
		for name, n := range begun {
			require.Equal(t, 1, n, "%s ran twice", name)
		}
		t.Logf("%d runs, %d tasks", len(started), len(begun))
	})
}

// The machine of an administrator is upgraded while another still runs the program of before.
func TestAProgramOfBeforeMeetsANewerSchema(t *testing.T) {
	t.Parallel()
	ctx := within(t, 2*time.Minute)
	o := overPostgres(t)
	o.Masters, o.Workers = 1, 0
	f := enlist(t, o)
	m := f.Masters[0]
	require.NoError(t, m.WaitFit(ctx))
	db, err := sql.Open("postgres", o.Database)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	exec := func(query string) {
		_, err := db.ExecContext(ctx, query)
		require.NoError(t, err)
	}

	exec(`INSERT INTO schema_migration (version_id, is_applied) VALUES (99999, true)`) // a step that only added
	exec(`CREATE TABLE of_the_future (id BIGINT PRIMARY KEY)`)
	exec(`ALTER TABLE project ADD COLUMN of_the_future TEXT NOT NULL DEFAULT ''`)
	require.NoError(t, m.Terminate(ctx))
	require.NoError(t, m.Restart(ctx))
	require.NoError(t, m.WaitFit(ctx))
	project(t, signIn(t, m.URL, "admin", password), "still works")

	exec(`UPDATE setting SET value = '99999' WHERE name = 'schema_minimum'`) // a step that took away
	require.True(t, m.Running(), "who runs is not ended")
	require.NoError(t, m.Terminate(ctx))
	require.NoError(t, m.Restart(ctx))
	<-m.Done()
	require.NotZero(t, m.ExitCode())
	require.Contains(t, m.Log(), "the database schema is newer than this program")
	require.Contains(t, m.Log(), "99999")
}

// Pages and alerts have processes of their own; the scheduler has none.
func TestPartsOfAMasterRunAsProcessesOfTheirOwn(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, o harness.FleetOptions) {
		ctx := within(t, 2*time.Minute)
		roles := []string{"scheduler", "web", "alert"}
		o.Workers = 1
		o.MasterEnv = func(i int) []string { return []string{"DORADO_ROLES=" + roles[i]} }
		f := enlist(t, o)
		scheduler, web, alert := f.Masters[0], f.Masters[1], f.Masters[2]
		ready(t, web.Process)
		require.NoError(t, web.WaitFit(ctx))
		admin := signIn(t, web.URL, "admin", password)
		p := project(t, admin, "roles")
		d, err := admin.Publish(ctx, p, harness.Workflow{Name: "w", Tasks: []harness.Task{{Name: "a", Script: "true"}}})
		require.NoError(t, err)
		id, err := admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
		require.NoError(t, err)
		_, err = admin.WaitInstance(ctx, p, id, 20*time.Millisecond, "SUCCESS")
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			masters, err := admin.Servers(ctx, "MASTER")
			require.NoError(t, err)
			alerts, err := admin.Servers(ctx, "ALERT_SERVER")
			require.NoError(t, err)
			return len(masters) == 2 && len(alerts) == 1
		}, 30*time.Second, 50*time.Millisecond, "the monitor shows all three")
		for _, m := range []*harness.Member{scheduler, alert} {
			_, err := http.Get(m.URL)
			require.Error(t, err, "%s has no pages", m.Name)
		}
	})
}
