//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

// python is the interpreter of the operating system, which is the one that its packages are for.
const python = "/usr/bin/python3"

// kazoo runs a command of testdata/registry.py.
func kazoo(ctx context.Context, t *testing.T, args ...string) string {
	t.Helper()
	out, err := startKazoo(ctx, t, args...)()
	if strings.Contains(out, "No module named 'kazoo'") || errors.Is(err, os.ErrNotExist) {
		missing(t, errors.New("no kazoo: install Debian's python3-kazoo"))
	}
	require.NoError(t, err, out)
	return out
}

// startKazoo returns what runs kazoo and tells what it printed.
func startKazoo(ctx context.Context, t *testing.T, args ...string) func() (string, error) {
	t.Helper()
	cmd := exec.CommandContext(ctx, python, append([]string{"testdata/registry.py", strings.Join(zookeeper(t), ",")}, args...)...)
	return func() (string, error) {
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
}

// znode is a node as kazoo sees it.
type znode struct {
	Value     string
	Ephemeral bool
	Version   int
}

func znodes(ctx context.Context, t *testing.T, root string) map[string]znode {
	t.Helper()
	var out map[string]znode
	require.NoError(t, json.Unmarshal([]byte(kazoo(ctx, t, "list", root)), &out))
	return out
}

// zkCli runs a command of ZooKeeper's own shell and returns what it says, without its log.
func zkCli(ctx context.Context, t *testing.T, args ...string) string {
	t.Helper()
	out, err := world.zk.CLI(ctx, args...)
	require.NoError(t, err)
	return out
}

func root(o harness.FleetOptions) string {
	for _, kv := range o.Env {
		if name, ok := strings.CutPrefix(kv, "DORADO_CLUSTER_NAMESPACE="); ok {
			return "/" + name
		}
	}
	return "/dolphinscheduler"
}

// What DolphinScheduler's tools read (engine.md 9.3 and 10.1) is there, for ZooKeeper's own shell and for a client in
// another language.
func TestToolsReadTheRegistry(t *testing.T) {
	t.Parallel()
	o := overZooKeeper(t)
	o.Masters, o.Workers = 2, 2
	f := gather(t, o)
	ctx := within(t, 3*time.Minute)
	ns := root(o)

	found := znodes(ctx, t, ns)
	common := []string{
		"startupTime", "reportTime", "processId", "host", "port", "serverStatus", "jvmCpuUsage", "cpuUsage", "jvmMemoryUsage",
		"memoryUsage", "diskUsage",
	}
	heartbeat := func(kind string, m *harness.Member, fields ...string) {
		path := ns + "/nodes/" + kind + "/" + m.Address
		node, there := found[path]
		require.True(t, there, "%s in %v", path, found)
		require.True(t, node.Ephemeral, path)
		var hb map[string]any
		require.NoError(t, json.Unmarshal([]byte(node.Value), &hb), node.Value)
		for _, field := range append(append([]string{}, common...), fields...) {
			require.Contains(t, hb, field, path)
		}
		host, port, ok := strings.Cut(m.Address, ":")
		require.True(t, ok)
		require.Equal(t, host, hb["host"])
		require.Equal(t, port, itoa(int64(hb["port"].(float64))))
		require.InDelta(t, m.PID(), hb["processId"], 0)
		require.Equal(t, "NORMAL", hb["serverStatus"])
		require.Equal(t, m.Name, hb["name"])
		for _, field := range []string{"startupTime", "reportTime"} {
			at := time.UnixMilli(int64(hb[field].(float64)))
			require.WithinDuration(t, time.Now(), at, 3*time.Minute, field)
		}
		for _, field := range []string{"jvmCpuUsage", "cpuUsage", "jvmMemoryUsage", "memoryUsage", "diskUsage"} {
			require.GreaterOrEqual(t, hb[field], 0.0, field)
			require.LessOrEqual(t, hb[field], 1.0, field)
		}
	}
	for _, m := range f.Masters {
		heartbeat("master", m)
		heartbeat("alert-server", m) // its role of a master here
	}
	for _, w := range f.Workers {
		heartbeat("worker", w, "workerHostWeight")
	}
	id := found[ns+"/cluster-id"]
	require.NotEmpty(t, id.Value)
	require.False(t, id.Ephemeral)
	held := regexp.MustCompile(`^` + ns + `/lock/master-[a-z-]+/.*-lock-\d{10}$`)
	locks := 0
	for path, node := range found {
		if held.MatchString(path) {
			require.True(t, node.Ephemeral, path)
			locks++
		}
	}
	require.Positive(t, locks, "elections are locks: %v", found)

	listed := zkCli(ctx, t, "ls", ns+"/nodes/worker")
	for _, w := range f.Workers {
		require.Contains(t, listed, w.Address)
	}
	require.Contains(t, zkCli(ctx, t, "get", ns+"/nodes/master/"+f.Masters[0].Address), `"serverStatus":"NORMAL"`)
	require.Regexp(t, `ephemeralOwner = 0x[0-9a-f]*[1-9a-f]`, zkCli(ctx, t, "stat", ns+"/nodes/master/"+f.Masters[1].Address))

	gone := make(chan string, 1)
	victim := f.Workers[0]
	watch := startKazoo(ctx, t, "gone", ns+"/nodes/worker/"+victim.Address)
	go func() {
		said, err := watch()
		gone <- fmt.Sprint(said, err)
	}()
	require.NoError(t, victim.Kill(ctx))
	select {
	case said := <-gone:
		require.Contains(t, said, "gone")
	case <-ctx.Done():
		t.Fatal("the dead worker's node stays")
	}
	require.NoError(t, f.Workers[1].Terminate(ctx))
	found = znodes(ctx, t, ns)
	require.NotContains(t, found, ns+"/nodes/worker/"+f.Workers[1].Address, "who leaves is gone at once")
}

// A hand in the tree, be it a mistake or malice, stops no work.
func TestHandsInTheRegistryStopNoWork(t *testing.T) {
	t.Parallel()
	o := overZooKeeper(t)
	o.Masters, o.Workers = 2, 2
	f := gather(t, o)
	ctx := within(t, 4*time.Minute)
	ns := root(o)
	admin := f.admins[0]
	p := project(t, admin, "hands")
	l := ledger{filepath.Join(open(t), "ledger")}
	const chains, length = 4, 12
	d, err := admin.Publish(ctx, p, l.chains("h", chains, length, "sleep 0.5"))
	require.NoError(t, err)
	id, err := admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
	require.NoError(t, err)

	zkCli(ctx, t, "create", ns+"/nodes/worker/10.255.255.1:1234", "not a heartbeat")
	zkCli(ctx, t, "set", ns+"/nodes/master/"+f.Masters[1].Address, "garbage")
	zkCli(ctx, t, "delete", ns+"/nodes/worker/"+f.Workers[0].Address)
	there := func(want ...string) {
		require.Eventually(t, func() bool {
			found := znodes(ctx, t, ns)
			for _, path := range want {
				if !strings.Contains(found[path].Value, `"incarnation"`) {
					return false
				}
			}
			return true
		}, time.Minute, 200*time.Millisecond, "mended: %v", want)
	}
	nodes := []string{
		ns + "/nodes/master/" + f.Masters[0].Address, ns + "/nodes/master/" + f.Masters[1].Address,
		ns + "/nodes/worker/" + f.Workers[0].Address, ns + "/nodes/worker/" + f.Workers[1].Address,
	}
	there(nodes...)
	said(t, f.Masters[1].Process, "somebody overwrote the node of this process")
	said(t, f.Workers[0].Process, "somebody deleted the node of this process")

	zkCli(ctx, t, "deleteall", ns)
	there(nodes...)
	_, err = admin.WaitInstance(ctx, p, id, 50*time.Millisecond, "SUCCESS")
	require.NoError(t, err)
	_, ended := l.read(t)
	require.Len(t, ended, chains*length)
	for task, times := range ended {
		require.Equal(t, 1, times, "%s: nothing is done twice, because nobody died", task)
	}
	for _, m := range f.All() {
		require.True(t, m.Running(), m.Name)
	}
	again, err := admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
	require.NoError(t, err)
	_, err = admin.WaitInstance(ctx, p, again, 50*time.Millisecond, "SUCCESS")
	require.NoError(t, err, "and new work is done")
}
