package zk_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	zookeeper "github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"dorado/modules/cluster"
	"dorado/modules/cluster/clustertest"
	"dorado/modules/cluster/zk"
	"dorado/modules/cluster/zk/zktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// timeout is what tests ask for: long enough for a loaded machine, short enough to wait for.
const timeout = 3 * time.Second

func TestZooKeeperDoesWhatARegistryMust(t *testing.T) {
	t.Parallel()
	e := zktest.Start(t, 1)
	var n atomic.Int64
	clustertest.Run(t, func(t testing.TB) clustertest.Backend {
		namespace := fmt.Sprintf("suite/%d", n.Add(1))
		root := "/" + namespace
		return clustertest.Backend{
			Root: root,
			Open: func(t testing.TB) (cluster.Registry, clustertest.Link) {
				proxy, servers := clustertest.NewProxy(t, e.Servers()...)
				r, err := zk.New(zk.Config{Servers: servers, Namespace: namespace, SessionTimeout: timeout, ClusterID: "one"}, slog.New(slog.DiscardHandler))
				require.NoError(t, err)
				return r, proxy
			},
			Put: func(t testing.TB, path, value string) {
				c := client(t, e)
				if _, err := c.Create(path, []byte(value), 0, zookeeper.WorldACL(zookeeper.PermAll)); errors.Is(err, zookeeper.ErrNodeExists) {
					_, err = c.Set(path, []byte(value), -1)
					require.NoError(t, err)
				} else {
					require.NoError(t, err)
				}
			},
			Delete: func(t testing.TB, path string) { require.NoError(t, client(t, e).Delete(path, -1)) },
			Forget: func(t testing.TB) { remove(t, client(t, e), root) },
		}
	})
}

// client is somebody else's.
func client(t testing.TB, e *zktest.Ensemble) *zookeeper.Conn {
	t.Helper()
	c, events, err := zookeeper.Connect(e.Servers(), 10*time.Second, zookeeper.WithLogInfo(false), zookeeper.WithLogger(silent{}))
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Close()
		for range events { // until the library has ended
			continue
		}
	})
	return c
}

type silent struct{}

func (silent) Printf(string, ...any) {}

func remove(t testing.TB, c *zookeeper.Conn, path string) {
	t.Helper()
	for {
		names, _, err := c.Children(path)
		if errors.Is(err, zookeeper.ErrNoNode) {
			return
		}
		require.NoError(t, err)
		for _, name := range names {
			remove(t, c, strings.TrimSuffix(path, "/")+"/"+name)
		}
		if err = c.Delete(path, -1); !errors.Is(err, zookeeper.ErrNotEmpty) { // somebody may be mending already
			if !errors.Is(err, zookeeper.ErrNoNode) {
				require.NoError(t, err)
			}
			return
		}
	}
}
