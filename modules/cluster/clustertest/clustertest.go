package clustertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/testkit"
	"dorado/modules/cluster"
)

// Link is what lies between one process and the registry's servers.
type Link interface {
	Cut()
	Heal()
}

// Backend is one empty tree for one test.
type Backend struct {
	Root string // of the tree
	// Open begins the session of another process. The suite closes the registry.
	Open func(t testing.TB) (cluster.Registry, Link)
	// Put writes a node past the registry: persistent, or over somebody's value.
	Put func(t testing.TB, path, value string)
	// Delete removes a node past the registry.
	Delete func(t testing.TB, path string)
	// Forget removes all that the registry knows.
	Forget func(t testing.TB)
}

// Run runs the suite; fresh makes a tree for each of its tests.
func Run(t *testing.T, fresh func(t testing.TB) Backend) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, b Backend)
	}{
		{"whoever joins is seen until he leaves", joinAndLeave},
		{"what a heartbeat says is told again", changedHeartbeat},
		{"a process that died vanishes after its own lease has ended", expiry},
		{"a short outage changes nothing", shortOutage},
		{"after a long outage one joins anew", longOutage},
		{"one address belongs to one process", addressTaken},
		{"an address is free once its dead process has expired", addressInherited},
		{"garbage is alive and gets no work", garbage},
		{"a node that somebody removed or overwrote is mended", mended},
		{"a registry that forgets everything learns it again", forgotten},
		{"a lock goes round in the order of asking", lockOrder},
		{"the lock of a dead process is lost to it before another gets it", lockLost},
		{"a lock that somebody removed is lost", lockRemoved},
		{"who closes is gone at once", closing},
		{"nothing waits longer than its context", contexts},
		{"the tree shows what is there", tree},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, fresh(t))
		})
	}
}

// Beat returns a heartbeat of a node.
func Beat(name, incarnation string) cluster.Heartbeat {
	return cluster.Heartbeat{Name: name, Incarnation: incarnation, ServerStatus: cluster.Normal, StartupTime: 1, Host: "127.0.0.1", Groups: []string{"default"}}
}

func open(t *testing.T, b Backend) (cluster.Registry, Link) {
	t.Helper()
	r, l := b.Open(t)
	t.Cleanup(func() {
		l.Heal()
		require.NoError(t, r.Close())
	})
	return r, l
}

func join(t *testing.T, r cluster.Registry, kind cluster.Kind, address, incarnation string) cluster.Membership {
	t.Helper()
	m, err := r.Join(t.Context(), kind, address, func() cluster.Heartbeat { return Beat("node of "+address, incarnation) })
	require.NoError(t, err)
	return m
}

// view is what a watcher was told.
type view struct {
	mu    sync.Mutex
	nodes []cluster.Node
	calls int
	at    time.Time
	busy  bool
	over  bool // calls overlapped
}

func watch(t *testing.T, r cluster.Registry, kind cluster.Kind) *view {
	t.Helper()
	v := &view{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- r.Watch(ctx, kind, func(nodes []cluster.Node) {
			v.mu.Lock()
			v.over = v.over || v.busy
			v.busy = true
			v.nodes, v.at = nodes, time.Now()
			v.calls++
			v.mu.Unlock()
			time.Sleep(time.Millisecond)
			v.mu.Lock()
			v.busy = false
			v.mu.Unlock()
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) && !errors.Is(err, cluster.ErrClosed) {
			require.NoError(t, err)
		}
		require.False(t, v.over, "calls do not overlap")
	})
	testkit.Eventually(t, func() error {
		if v.mu.Lock(); v.calls == 0 {
			v.mu.Unlock()
			return errors.New("nothing is told")
		}
		v.mu.Unlock()
		return nil
	})
	return v
}

func (v *view) addresses() ([]string, time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := []string{}
	for i := range v.nodes {
		out = append(out, v.nodes[i].Address)
	}
	return out, v.at
}

// see waits until the watcher was told of exactly these.
func (v *view) see(t *testing.T, addresses ...string) time.Time {
	t.Helper()
	var at time.Time
	testkit.Eventually(t, func() error {
		var got []string
		got, at = v.addresses()
		if !slices.Equal(got, addresses) {
			return fmt.Errorf("told %v, not %v", got, addresses)
		}
		return nil
	})
	return at
}

// node waits until the watcher was told of a node that pleases.
func (v *view) node(t *testing.T, address string, pleases func(n *cluster.Node) bool) cluster.Node {
	t.Helper()
	var out cluster.Node
	testkit.Eventually(t, func() error {
		v.mu.Lock()
		defer v.mu.Unlock()
		for i := range v.nodes {
			if n := &v.nodes[i]; n.Address == address && pleases(n) {
				out = *n
				return nil
			}
		}
		return fmt.Errorf("no such %s among %+v", address, v.nodes)
	})
	return out
}

func incarnation(want string) func(n *cluster.Node) bool {
	return func(n *cluster.Node) bool { return n.Garbage == "" && n.Heartbeat.Incarnation == want }
}

// closedAt waits until a channel is closed and returns when.
func closedAt(t *testing.T, c <-chan struct{}) <-chan time.Time {
	t.Helper()
	at := make(chan time.Time, 1)
	go func() {
		select {
		case <-c:
			at <- time.Now()
		case <-t.Context().Done():
		}
	}()
	return at
}

func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(testkit.Patience):
		require.FailNow(t, "still not: "+what)
		panic("unreachable")
	}
}

func held(t *testing.T, lost <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-lost:
		require.FailNow(t, what+" is lost")
	default:
	}
}
