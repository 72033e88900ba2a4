package pg_test

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/testkit"
	"dorado/modules/cluster"
	"dorado/modules/cluster/clustertest"
	"dorado/modules/cluster/pg"
)

func TestMain(m *testing.M) {
	// dbtest's server and its maintenance connection last as long as the test process.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("os/exec.(*Cmd).Wait"),
		goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

const timeout = 3 * time.Second

// process is a registry as another process would have it: with connections of its own, through a proxy.
func process(t testing.TB, raw string) (*pg.Registry, *db.DB, *clustertest.Proxy) {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	proxy, addresses := clustertest.NewProxy(t, u.Host)
	u.Host = addresses[0]
	d, err := db.Open(t.Context(), db.Config{URL: u.String(), MaxOpen: 4}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	r, err := pg.New(d, pg.Config{SessionTimeout: timeout, Own: true}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return r, d, proxy
}

func TestPostgreSQLDoesWhatARegistryMust(t *testing.T) {
	t.Parallel()
	clustertest.Run(t, func(t testing.TB) clustertest.Backend {
		raw := dbtest.PostgresURL(t)
		direct := dbtest.Open(t, raw)
		exec := func(t testing.TB, query string, args ...any) {
			_, err := direct.Exec(t.Context(), query, args...)
			require.NoError(t, err)
		}
		return clustertest.Backend{
			Root: "/" + cluster.Namespace,
			Open: func(t testing.TB) (cluster.Registry, clustertest.Link) {
				r, _, proxy := process(t, raw)
				return r, proxy
			},
			Put: func(t testing.TB, path, value string) {
				exec(t, `INSERT INTO registry_node (path, value, created_at, updated_at) VALUES (?, convert_from(?::bytea, 'LATIN1'), now(), now())
					ON CONFLICT (path) DO UPDATE SET value = excluded.value`, path, []byte(value))
				exec(t, `SELECT pg_notify('dorado_registry', ?)`, path)
			},
			Delete: func(t testing.TB, path string) { exec(t, `DELETE FROM registry_node WHERE path = ?`, path) },
			Forget: func(t testing.TB) {
				exec(t, `DELETE FROM registry_node`)
				exec(t, `DELETE FROM registry_session`)
			},
		}
	})
}

func TestARelayedNodeStandsWhileAnybodyHearsOfIt(t *testing.T) {
	t.Parallel()
	raw := dbtest.PostgresURL(t)
	one, d, _ := process(t, raw)
	two, _, _ := process(t, raw)
	defer func() { require.NoError(t, errors.Join(one.Close(), two.Close())) }()
	hb := clustertest.Beat("w", "a")
	later := clustertest.Beat("w", "b")
	later.StartupTime = hb.StartupTime + 1
	relay := func(ctx context.Context, r *pg.Registry, hb cluster.Heartbeat) {
		require.NoError(t, r.Relay(ctx, cluster.Worker, map[string]cluster.Heartbeat{"w:1": hb}))
	}
	incarnation := func() string {
		nodes, err := two.Nodes(t.Context(), cluster.Worker)
		require.NoError(t, err)
		if len(nodes) == 0 {
			return ""
		}
		return nodes[0].Heartbeat.Incarnation
	}
	relay(t.Context(), one, hb)
	relay(t.Context(), two, hb)
	require.Equal(t, "a", incarnation())
	// One master has lost sight of it, the other has not.
	for range 6 {
		time.Sleep(timeout / 4)
		relay(t.Context(), two, hb)
	}
	require.Equal(t, "a", incarnation())
	hb.ServerStatus = cluster.Busy
	relay(t.Context(), one, hb)
	nodes, err := two.Nodes(t.Context(), cluster.Worker)
	require.NoError(t, err)
	require.Equal(t, cluster.Busy, nodes[0].Heartbeat.ServerStatus)

	relay(t.Context(), two, later)
	require.Equal(t, "b", incarnation(), "a later process replaces an earlier one")
	hb.Slots++
	relay(t.Context(), one, hb)
	require.Equal(t, "b", incarnation(), "and never the other way round")
	require.NoError(t, one.Unrelay(t.Context(), cluster.Worker, "w:1", hb))
	require.Equal(t, "b", incarnation())
	_, err = d.Exec(t.Context(), `DELETE FROM registry_node`)
	require.NoError(t, err)
	relay(t.Context(), two, later)
	require.Equal(t, "b", incarnation(), "what somebody deleted is there again")
	testkit.Eventually(t, func() error {
		if got := incarnation(); got != "" {
			return errors.New("it still stands")
		}
		return nil
	})
	relay(t.Context(), two, later)
	require.Equal(t, "b", incarnation())
	require.NoError(t, one.Unrelay(t.Context(), cluster.Worker, "w:1", later))
	require.Empty(t, incarnation())
}

func TestARegistrySurvivesTheEndOfItsConnections(t *testing.T) {
	t.Parallel()
	raw := dbtest.PostgresURL(t)
	r, _, _ := process(t, raw)
	defer func() { require.NoError(t, r.Close()) }()
	m, err := r.Join(t.Context(), cluster.Master, "m:1", func() cluster.Heartbeat { return clustertest.Beat("m", "a") })
	require.NoError(t, err)
	l, err := r.Lock(t.Context(), "x")
	require.NoError(t, err)
	direct := dbtest.Open(t, raw)
	for range 3 {
		_, err = direct.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		require.NoError(t, err)
		time.Sleep(timeout / 3)
	}
	select {
	case <-m.Lost():
		require.FailNow(t, "the membership is lost")
	case <-l.Lost():
		require.FailNow(t, "the lock is lost")
	default:
	}
	require.NoError(t, l.Unlock(t.Context()))
	require.NoError(t, m.Leave(t.Context()))
}

func TestSQLiteIsNoRegistry(t *testing.T) {
	t.Parallel()
	_, err := pg.New(dbtest.SQLite(t), pg.Config{}, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "needs PostgreSQL")
	_, err = pg.New(dbtest.Postgres(t), pg.Config{SessionTimeout: time.Millisecond}, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "session timeout")
}
