package clustertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/testkit"
	"dorado/modules/cluster"
)

func joinAndLeave(t *testing.T, b Backend) {
	one, _ := open(t, b)
	two, _ := open(t, b)
	v := watch(t, two, cluster.Master)
	v.see(t)
	x := join(t, one, cluster.Master, "10.0.0.2:5678", "x1")
	v.see(t, "10.0.0.2:5678")
	y := join(t, one, cluster.Master, "10.0.0.1:5678", "y1")
	v.see(t, "10.0.0.1:5678", "10.0.0.2:5678")
	join(t, one, cluster.Worker, "10.0.0.3:1234", "z1")
	n := v.node(t, "10.0.0.2:5678", incarnation("x1"))
	require.Equal(t, b.Root+"/nodes/master/10.0.0.2:5678", n.Path)
	require.Equal(t, cluster.Master, n.Kind)
	require.Equal(t, "node of 10.0.0.2:5678", n.Heartbeat.Name)
	require.WithinDuration(t, time.Now(), n.Created, time.Minute)

	nodes, err := one.Nodes(t.Context(), cluster.Worker)
	require.NoError(t, err)
	require.Len(t, nodes, 1)
	require.Equal(t, "10.0.0.3:1234", nodes[0].Address)

	require.NoError(t, x.Leave(t.Context()))
	v.see(t, "10.0.0.1:5678")
	held(t, x.Lost(), "a membership that was left")
	require.NoError(t, x.Leave(t.Context()), "leaving twice is harmless")
	join(t, two, cluster.Master, "10.0.0.2:5678", "x2")
	v.node(t, "10.0.0.2:5678", incarnation("x2"))
	held(t, y.Lost(), "a membership")
}

func changedHeartbeat(t *testing.T, b Backend) {
	one, _ := open(t, b)
	two, _ := open(t, b)
	v := watch(t, two, cluster.Worker)
	var mu sync.Mutex
	hb := Beat("w", "w1")
	m, err := one.Join(t.Context(), cluster.Worker, "w:1", func() cluster.Heartbeat {
		mu.Lock()
		defer mu.Unlock()
		return hb
	})
	require.NoError(t, err)
	v.node(t, "w:1", incarnation("w1"))
	mu.Lock()
	hb.ServerStatus, hb.Reason = cluster.Busy, "memory"
	mu.Unlock()
	v.node(t, "w:1", func(n *cluster.Node) bool {
		return n.Heartbeat.ServerStatus == cluster.Busy && n.Heartbeat.Reason == "memory"
	})
	mu.Lock()
	hb.Running = 7
	mu.Unlock()
	m.Publish()
	v.node(t, "w:1", func(n *cluster.Node) bool { return n.Heartbeat.Running == 7 && n.Updated.After(n.Created) })
}

func expiry(t *testing.T, b Backend) {
	one, link := open(t, b)
	two, _ := open(t, b)
	v := watch(t, two, cluster.Master)
	m := join(t, one, cluster.Master, "m:1", "a")
	other := join(t, two, cluster.Master, "m:2", "b")
	v.see(t, "m:1", "m:2")
	lost := closedAt(t, m.Lost())
	link.Cut()
	began := time.Now()
	gone := v.see(t, "m:2")
	lostAt := receive(t, lost, "the lease over")
	require.True(t, lostAt.Before(gone), "lost at %s, gone at %s", lostAt.Sub(began), gone.Sub(began))
	held(t, other.Lost(), "the membership of another process")
}

func shortOutage(t *testing.T, b Backend) {
	one, link := open(t, b)
	two, _ := open(t, b)
	v := watch(t, two, cluster.Master)
	m := join(t, one, cluster.Master, "m:1", "a")
	l, err := one.Lock(t.Context(), "short")
	require.NoError(t, err)
	v.see(t, "m:1")
	link.Cut()
	time.Sleep(one.SessionTimeout() / 6)
	link.Heal()
	time.Sleep(one.SessionTimeout())
	held(t, m.Lost(), "a membership")
	held(t, l.Lost(), "a lock")
	v.see(t, "m:1")
	require.NoError(t, l.Unlock(t.Context()))
}

func longOutage(t *testing.T, b Backend) {
	one, link := open(t, b)
	two, _ := open(t, b)
	v := watch(t, two, cluster.Worker)
	m := join(t, one, cluster.Worker, "w:1", "a")
	v.see(t, "w:1")
	link.Cut()
	receive(t, m.Lost(), "the lease over")
	v.see(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := one.Nodes(ctx, cluster.Worker)
	require.ErrorIs(t, err, context.DeadlineExceeded, "who is cut off waits")
	link.Heal()
	again := join(t, one, cluster.Worker, "w:1", "b")
	v.node(t, "w:1", incarnation("b"))
	held(t, again.Lost(), "a new membership")
	require.NoError(t, m.Leave(t.Context()), "what is lost can be left")
	time.Sleep(2 * cluster.BeatInterval)
	v.node(t, "w:1", incarnation("b"))
}

func addressTaken(t *testing.T, b Backend) {
	one, _ := open(t, b)
	two, _ := open(t, b)
	v := watch(t, two, cluster.Master)
	var mu sync.Mutex
	n := 0
	m, err := one.Join(t.Context(), cluster.Master, "m:1", func() cluster.Heartbeat {
		mu.Lock()
		defer mu.Unlock()
		n++
		hb := Beat("first", "a")
		hb.Slots = n
		return hb
	})
	require.NoError(t, err)
	v.see(t, "m:1")
	_, err = two.Join(t.Context(), cluster.Master, "m:1", func() cluster.Heartbeat { return Beat("second", "b") })
	require.ErrorIs(t, err, cluster.ErrAddressTaken)
	_, err = one.Join(t.Context(), cluster.Master, "m:1", func() cluster.Heartbeat { return Beat("third", "c") })
	require.ErrorIs(t, err, cluster.ErrAddressTaken, "not twice by one process either")
	v.node(t, "m:1", incarnation("a"))
	held(t, m.Lost(), "the first membership")
}

func addressInherited(t *testing.T, b Backend) {
	one, link := open(t, b)
	two, _ := open(t, b)
	v := watch(t, two, cluster.Worker)
	m := join(t, one, cluster.Worker, "w:1", "a")
	v.node(t, "w:1", incarnation("a"))
	link.Cut()
	heir := join(t, two, cluster.Worker, "w:1", "b")
	receive(t, m.Lost(), "the lease over")
	v.node(t, "w:1", incarnation("b"))
	link.Heal()
	time.Sleep(2 * cluster.BeatInterval)
	v.node(t, "w:1", incarnation("b"))
	held(t, heir.Lost(), "the heir's membership")
}

func garbage(t *testing.T, b Backend) {
	one, _ := open(t, b)
	v := watch(t, one, cluster.Worker)
	b.Put(t, b.Root+"/nodes/worker/bad:1", "\xff{not json")
	n := v.node(t, "bad:1", func(n *cluster.Node) bool { return n.Garbage != "" })
	require.Empty(t, n.Heartbeat.Incarnation)
	b.Put(t, b.Root+"/nodes/worker/java:1", `{"startupTime":1,"serverStatus":"NORMAL"}`)
	n = v.node(t, "java:1", func(n *cluster.Node) bool { return n.Garbage != "" })
	require.Contains(t, n.Garbage, "incarnation")
	m := join(t, one, cluster.Worker, "bad:1", "a") // a node that no process holds is in nobody's way
	v.node(t, "bad:1", incarnation("a"))
	held(t, m.Lost(), "a membership")
}

func mended(t *testing.T, b Backend) {
	one, _ := open(t, b)
	two, _ := open(t, b)
	v := watch(t, two, cluster.Master)
	m := join(t, one, cluster.Master, "m:1", "a")
	v.see(t, "m:1")
	path := b.Root + "/nodes/master/m:1"
	b.Put(t, path, "overwritten")
	time.Sleep(50 * time.Millisecond)
	v.node(t, "m:1", incarnation("a"))
	for range 2 {
		b.Delete(t, path)
		testkit.Eventually(t, func() error {
			nodes, err := two.Nodes(t.Context(), cluster.Master)
			if err == nil && (len(nodes) != 1 || nodes[0].Heartbeat.Incarnation != "a") {
				err = errors.New("the node is not there again")
			}
			return err
		})
	}
	held(t, m.Lost(), "a membership")
	v.see(t, "m:1")
}

func forgotten(t *testing.T, b Backend) {
	one, _ := open(t, b)
	two, _ := open(t, b)
	v := watch(t, two, cluster.Master)
	m := join(t, one, cluster.Master, "m:1", "a")
	v.see(t, "m:1")
	l, err := one.Lock(t.Context(), "dull")
	require.NoError(t, err)
	b.Forget(t)
	receive(t, l.Lost(), "the lock lost")
	// Either the session goes on and the node is made again, or it is lost and joined again.
	want := "a"
	testkit.Eventually(t, func() error {
		select {
		case <-m.Lost():
			if want == "a" {
				want = "b"
				join(t, one, cluster.Master, "m:1", "b")
			}
		default:
		}
		nodes, err := two.Nodes(t.Context(), cluster.Master)
		if err == nil && (len(nodes) != 1 || nodes[0].Heartbeat.Incarnation != want) {
			err = errors.New("the node is not there again")
		}
		return err
	})
	v.node(t, "m:1", incarnation(want))
	again, err := two.Lock(t.Context(), "dull")
	require.NoError(t, err)
	require.NoError(t, again.Unlock(t.Context()))
}

func closing(t *testing.T, b Backend) {
	one, _ := b.Open(t)
	two, _ := open(t, b)
	v := watch(t, two, cluster.Master)
	m := join(t, one, cluster.Master, "m:1", "a")
	l, err := one.Lock(t.Context(), "closing")
	require.NoError(t, err)
	v.see(t, "m:1")
	require.NoError(t, one.Close())
	receive(t, m.Lost(), "the membership over")
	receive(t, l.Lost(), "the lock over")
	v.see(t)
	_, err = one.Nodes(t.Context(), cluster.Master)
	require.ErrorIs(t, err, cluster.ErrClosed)
	_, err = one.Join(t.Context(), cluster.Master, "m:1", func() cluster.Heartbeat { return Beat("m", "b") })
	require.ErrorIs(t, err, cluster.ErrClosed)
	_, err = one.Lock(t.Context(), "closing")
	require.ErrorIs(t, err, cluster.ErrClosed)
	require.ErrorIs(t, one.Watch(t.Context(), cluster.Master, func([]cluster.Node) {}), cluster.ErrClosed)
	require.NoError(t, one.Close(), "closing twice is harmless")
	again, err := two.Lock(t.Context(), "closing")
	require.NoError(t, err)
	require.NoError(t, again.Unlock(t.Context()))
}

func contexts(t *testing.T, b Backend) {
	one, link := open(t, b)
	_, err := one.Nodes(t.Context(), cluster.Master)
	require.NoError(t, err)
	link.Cut()
	defer link.Heal()
	short := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	_, err = one.Nodes(short(), cluster.Master)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = one.Tree(short())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = one.Lock(short(), "x")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = one.Join(short(), cluster.Master, "m:1", func() cluster.Heartbeat { return Beat("m", "a") })
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, one.Watch(short(), cluster.Master, func([]cluster.Node) {}), context.DeadlineExceeded)
}

func tree(t *testing.T, b Backend) {
	one, _ := open(t, b)
	join(t, one, cluster.Worker, "w:1", "a")
	l, err := one.Lock(t.Context(), "master-failover")
	require.NoError(t, err)
	entries, err := one.Tree(t.Context())
	require.NoError(t, err)
	require.True(t, slices.IsSortedFunc(entries, func(a, b cluster.Entry) int { return strings.Compare(a.Path, b.Path) }))
	var node, lock *cluster.Entry
	for i := range entries {
		e := &entries[i]
		require.True(t, strings.HasPrefix(e.Path, b.Root), e.Path)
		switch {
		case e.Path == b.Root+"/nodes/worker/w:1":
			node = e
		case strings.HasPrefix(e.Path, b.Root+"/lock/master-failover/"):
			lock = e
		}
	}
	require.NotNil(t, node)
	require.True(t, node.Ephemeral)
	require.NotEmpty(t, node.Owner)
	require.Contains(t, node.Value, `"incarnation":"a"`)
	require.NotNil(t, lock)
	require.Equal(t, node.Owner, lock.Owner)
	require.NoError(t, l.Unlock(t.Context()))
	require.NotEmpty(t, one.Name())
}
