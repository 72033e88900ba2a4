package zk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/testkit"
	"dorado/modules/cluster"
	"dorado/modules/cluster/clustertest"
	"dorado/modules/cluster/zk"
	"dorado/modules/cluster/zk/zktest"
)

// said collects a log.
type said struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

func (s *said) logger() *slog.Logger { return slog.New(slog.NewTextHandler(s, nil)) }

func begin(t *testing.T, c zk.Config, log *slog.Logger) *zk.Registry {
	t.Helper()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	r, err := zk.New(c, log)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func beat(incarnation string) func() cluster.Heartbeat {
	return func() cluster.Heartbeat { return clustertest.Beat("m", incarnation) }
}

func wait(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(testkit.Patience):
		require.FailNow(t, "still not "+what)
	}
}

func held(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
		require.FailNow(t, "lost")
	default:
	}
}

const ensembleTimeout = 5 * time.Second

// patience is for sessions that must outlast the start of a server on a loaded machine.
const patience = 30 * time.Second

var patient = zktest.Options{Settings: []string{"maxSessionTimeout=60000"}}

func TestAnEnsembleThatLosesItsLeaderKeepsSessions(t *testing.T) {
	t.Parallel()
	e := zktest.StartWith(t, 3, patient)
	r := begin(t, zk.Config{Servers: e.Servers(), SessionTimeout: patience, ClusterID: "x"}, nil)
	m, err := r.Join(t.Context(), cluster.Master, "m:1", beat("a"))
	require.NoError(t, err)
	l, err := r.Lock(t.Context(), "x")
	require.NoError(t, err)
	for range 2 {
		leader := e.Leader()
		e.Kill(leader)
		e.Leader()
		e.Restart(leader)
		e.WaitReady()
	}
	held(t, m.Lost())
	held(t, l.Lost())
	require.NoError(t, l.Unlock(t.Context()))
	nodes, err := r.Nodes(t.Context(), cluster.Master)
	require.NoError(t, err)
	require.Len(t, nodes, 1)
}

func TestASilentServerIsLeftForAnother(t *testing.T) {
	t.Parallel()
	e := zktest.Start(t, 3)
	var proxies []*clustertest.Proxy
	var servers []string
	for _, s := range e.Servers() {
		p, addresses := clustertest.NewProxy(t, s)
		proxies, servers = append(proxies, p), append(servers, addresses...)
	}
	r := begin(t, zk.Config{Servers: servers, SessionTimeout: ensembleTimeout}, nil)
	m, err := r.Join(t.Context(), cluster.Worker, "w:1", beat("a"))
	require.NoError(t, err)
	for _, p := range proxies { // one of them is the one it is connected to
		p.Cut()
		time.Sleep(ensembleTimeout * 3 / 4)
		held(t, m.Lost())
		p.Heal()
	}
}

func TestAServerWithoutMajorityAnswersReadsAndProvesNothing(t *testing.T) {
	t.Parallel()
	e := zktest.Start(t, 3)
	leader := e.Leader()
	mine := (leader + 1) % 3
	other := begin(t, zk.Config{Servers: e.Servers(), SessionTimeout: ensembleTimeout}, nil)
	r := begin(t, zk.Config{Servers: e.Servers()[mine : mine+1], SessionTimeout: ensembleTimeout}, nil)
	m, err := r.Join(t.Context(), cluster.Worker, "w:1", beat("a"))
	require.NoError(t, err)
	var mu sync.Mutex
	var told [][]cluster.Node
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = other.Watch(ctx, cluster.Worker, func(nodes []cluster.Node) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, nodes)
		})
	}()
	defer func() { cancel(); <-done }()
	testkit.Eventually(t, func() error { // a follower may know of it later
		mu.Lock()
		defer mu.Unlock()
		if n := len(told); n == 0 || len(told[n-1]) != 1 {
			return errors.New("not told that it is there")
		}
		return nil
	})
	e.Stop(leader)
	e.Stop((leader + 2) % 3)
	wait(t, m.Lost(), "lost")
	mu.Lock()
	require.Len(t, told[len(told)-1], 1, "nobody was told that it is gone")
	mu.Unlock()
	e.Continue(leader)
	e.Continue((leader + 2) % 3)
	m, err = r.Join(t.Context(), cluster.Worker, "w:1", beat("b"))
	require.NoError(t, err)
	testkit.Eventually(t, func() error {
		nodes, err := other.Nodes(t.Context(), cluster.Worker)
		if err == nil && (len(nodes) != 1 || nodes[0].Heartbeat.Incarnation != "b") {
			err = errors.New("not registered anew")
		}
		return err
	})
	held(t, m.Lost())
}

func TestNoServerAtStartIsToldOnceAndTriedUntilThereIsOne(t *testing.T) {
	t.Parallel()
	e := zktest.Start(t, 1)
	e.Kill(0)
	var log said
	r := begin(t, zk.Config{Servers: e.Servers(), SessionTimeout: timeout, ClusterID: "x"}, log.logger())
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	require.ErrorIs(t, r.Ready(ctx), context.DeadlineExceeded)
	require.Equal(t, 1, strings.Count(log.String(), "no ZooKeeper server answers"), log.String())
	require.Contains(t, log.String(), "connection refused")
	require.Contains(t, log.String(), e.Servers()[0])
	joined := make(chan error, 1)
	go func() {
		_, err := r.Join(t.Context(), cluster.Master, "m:1", beat("a"))
		joined <- err
	}()
	e.Restart(0)
	select {
	case err := <-joined:
		require.NoError(t, err)
	case <-time.After(testkit.Patience):
		require.FailNow(t, "not joined")
	}
}

func TestAServerThatRestartsKeepsSessionsAndOneThatForgetsLosesThem(t *testing.T) {
	t.Parallel()
	e := zktest.StartWith(t, 1, patient)
	r := begin(t, zk.Config{Servers: e.Servers(), SessionTimeout: patience, ClusterID: "x"}, nil)
	m, err := r.Join(t.Context(), cluster.Master, "m:1", beat("a"))
	require.NoError(t, err)
	e.Restart(0)
	e.WaitReady()
	nodes, err := r.Nodes(t.Context(), cluster.Master)
	require.NoError(t, err)
	require.Len(t, nodes, 1)
	held(t, m.Lost())

	e.Forget()
	wait(t, m.Lost(), "lost")
	m, err = r.Join(t.Context(), cluster.Master, "m:1", beat("b"))
	require.NoError(t, err)
	nodes, err = r.Nodes(t.Context(), cluster.Master)
	require.NoError(t, err)
	require.Len(t, nodes, 1)
	require.Equal(t, "b", nodes[0].Heartbeat.Incarnation)
	held(t, m.Lost())
	entries, err := r.Tree(t.Context())
	require.NoError(t, err)
	require.Equal(t, "x", entries[1].Value, "the namespace is this cluster's again: %v", entries)
}

func TestWhatIsNoZooKeeperIsToldSo(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = mute.Close() }()
	for _, c := range []struct{ server, says string }{
		{web.Listener.Addr().String(), "no ZooKeeper"},
		{mute.Addr().String(), "says nothing"},
	} {
		var log said
		r := begin(t, zk.Config{Servers: []string{c.server}, SessionTimeout: time.Second}, log.logger())
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		require.ErrorIs(t, r.Ready(ctx), context.DeadlineExceeded)
		cancel()
		require.Eventually(t, func() bool { return strings.Contains(log.String(), c.says) }, 30*time.Second, 10*time.Millisecond, c.says)
		require.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
	}
}

func TestTheServersBoundTheTimeout(t *testing.T) {
	t.Parallel()
	e := zktest.Start(t, 1)
	var log said
	r := begin(t, zk.Config{Servers: e.Servers(), SessionTimeout: time.Minute}, log.logger())
	require.NoError(t, r.Ready(t.Context()))
	require.Equal(t, 20*zktest.Tick, r.SessionTimeout())
	require.Contains(t, log.String(), "grants another session timeout")
	require.NotContains(t, r.Name(), "@")
	require.Equal(t, fmt.Sprintf("zookeeper %s/dolphinscheduler", e.Servers()[0]), r.Name())
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := testkit.FreePort(t.Context())
	require.NoError(t, err)
	return port
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
