package storm

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	_ "github.com/lib/pq" // the driver

	"dorado/e2e/harness"
)

// Password of the cluster's administrator.
const Password = "chaos-Passw0rd"

// grace is what a worker that is cut off has to end its tasks: the product's own.
const grace = 30 * time.Second

// Shape says what a cluster is made of.
type Shape struct {
	Masters, Workers int
	ZooKeepers       int           // with registry zookeeper
	Registry         string        // none (one master), postgres or zookeeper
	Slots            int           // of each worker
	Session          time.Duration // how long a process that died counts as alive
	Disks            bool          // workers have file systems of their own, where that is possible
	NetNS            bool          // each master and worker has a network namespace of its own
	Env              []string
}

// World is a running cluster.
type World struct {
	Shape   Shape
	Dir     string // scratch, readable by all
	Masters []*Node
	Workers []*Node

	out  io.Writer
	host string // where gates listen
	net  *network
	pg   *harness.Postgres
	zk   *harness.ZooKeeper
	db   *sql.DB // not through a gate
	url  string
	said sync.Mutex
	stop context.CancelFunc
	wg   sync.WaitGroup
}

// Build starts everything and waits until every master serves.
func Build(ctx context.Context, binary string, s Shape, out io.Writer) (*World, error) {
	w := &World{Shape: s, out: out, host: "127.0.0.1", stop: func() {}}
	err := w.build(ctx, binary)
	if err != nil {
		return nil, errors.Join(err, w.Close(context.WithoutCancel(ctx)))
	}
	return w, nil
}

func (w *World) build(ctx context.Context, binary string) error {
	var err error
	if w.Dir, err = os.MkdirTemp("", "dorado-chaos-"); err != nil {
		return err
	}
	if err := os.Chmod(w.Dir, 0o777); err != nil { // tasks of another user write their ledger here
		return err
	}
	if w.Shape.NetNS {
		if w.net, err = makeNetwork(ctx); err != nil {
			return err
		}
		w.host = w.net.prefix + "1"
	}
	if w.pg, err = harness.StartPostgres(ctx); err != nil {
		return err
	}
	if w.url, err = w.pg.Create(ctx, "chaos"); err != nil {
		return err
	}
	if w.db, err = sql.Open("postgres", w.url); err != nil {
		return err
	}
	if w.Shape.Registry == "zookeeper" {
		if w.zk, err = harness.StartZooKeeper(ctx, w.Shape.ZooKeepers); err != nil {
			return err
		}
	}
	for i := range w.Shape.Masters {
		if err := w.addMaster(ctx, binary, "m"+strconv.Itoa(i+1)); err != nil {
			return err
		}
		if i == 0 { // the first makes the schema and the administrator
			if err := w.ready(ctx, w.Masters[0]); err != nil {
				return err
			}
		}
	}
	for i := range w.Shape.Workers {
		if err := w.addWorker(ctx, binary, "w"+strconv.Itoa(i+1)); err != nil {
			return err
		}
	}
	for _, m := range w.Masters {
		if err := w.ready(ctx, m); err != nil {
			return err
		}
	}
	tend, stop := context.WithCancel(context.WithoutCancel(ctx))
	w.stop = stop
	w.wg.Go(func() { w.tend(tend) })
	return nil
}

func (w *World) ready(ctx context.Context, n *Node) error {
	limit, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	_, err := n.WaitReady(limit)
	return err
}

// shared are the settings of every process.
func (w *World) shared(ctx context.Context, n *Node) ([]string, error) {
	env := append([]string{
		"DORADO_CLUSTER_SECRET=end-to-end-tests", "DORADO_CLUSTER_REGISTRY=" + w.Shape.Registry,
		"DORADO_CLUSTER_SESSION_TIMEOUT=" + w.Shape.Session.String(),
	}, w.Shape.Env...)
	if w.zk == nil {
		return env, nil
	}
	var servers []string
	for i, addr := range w.zk.Servers() {
		g, err := OpenGate(ctx, fmt.Sprintf("%s-zk%d", n.Name, i+1), w.host, addr, nil)
		if err != nil {
			return nil, err
		}
		n.zk = append(n.zk, g)
		servers = append(servers, g.Addr())
	}
	return append(env, "DORADO_CLUSTER_ZOOKEEPER_SERVERS="+strings.Join(servers, ",")), nil
}

func (w *World) addMaster(ctx context.Context, binary, name string) error {
	n := &Node{Name: name, Master: true}
	w.Masters = append(w.Masters, n)
	place, err := w.place(ctx, n)
	if err != nil {
		return err
	}
	rpc, err := place.address(ctx)
	if err != nil {
		return err
	}
	if n.rpc, err = OpenGate(ctx, name+"-rpc", w.host, rpc, w.whose); err != nil {
		return err
	}
	if n.db, err = OpenGate(ctx, name+"-db", w.host, net.JoinHostPort("127.0.0.1", strconv.Itoa(w.pg.Port)), nil); err != nil {
		return err
	}
	env, err := w.shared(ctx, n)
	if err != nil {
		return err
	}
	listen, err := place.address(ctx)
	if err != nil {
		return err
	}
	n.Process, err = harness.Start(ctx, harness.Options{
		Binary: binary, Mode: "master", AdminPassword: Password, Listen: listen, Prefix: place.prefix,
		Env: append(env, "DORADO_MASTER_NAME="+name, "DORADO_CLUSTER_LISTEN="+rpc, "DORADO_CLUSTER_ADVERTISE="+n.rpc.Addr(),
			fmt.Sprintf("DORADO_DATABASE=postgres://dorado@%s/chaos?sslmode=disable", n.db.Addr())),
	})
	return err
}

// place is where a process listens and how it gets there.
type place struct {
	host   string
	prefix []string
}

func (w *World) place(ctx context.Context, n *Node) (place, error) {
	if w.net == nil {
		return place{host: w.host}, nil
	}
	var err error
	n.net, err = w.net.add(ctx, n.Name)
	return place{n.net.host, []string{"ip", "netns", "exec", n.net.name}}, err
}

// address returns a free port of the place.
func (p place) address(ctx context.Context) (string, error) {
	port, err := harness.FreePort(ctx)
	return net.JoinHostPort(p.host, strconv.Itoa(port)), err
}

func (w *World) addWorker(ctx context.Context, binary, name string) error {
	n := &Node{Name: name}
	w.Workers = append(w.Workers, n)
	env, err := w.shared(ctx, n)
	if err != nil {
		return err
	}
	var masters []string
	for _, m := range w.Masters {
		masters = append(masters, m.rpc.Addr())
	}
	place, err := w.place(ctx, n)
	if err != nil {
		return err
	}
	listen, err := place.address(ctx)
	if err != nil {
		return err
	}
	if n.addr, err = place.address(ctx); err != nil {
		return err
	}
	data := ""
	if w.Shape.Disks {
		dir := filepath.Join(w.Dir, name)
		if n.disk, err = MakeDisk(ctx, dir, 256); err != nil {
			w.Sayf("no disk of its own for %s: %v", name, err)
		} else {
			data = filepath.Join(dir, "data")
		}
	}
	n.Process, err = harness.Start(ctx, harness.Options{
		Binary: binary, Mode: "worker", Data: data, Dir: w.Dir, Listen: listen, Prefix: place.prefix,
		Env: append(env, "DORADO_WORKER_NAME="+name, "DORADO_WORKER_ADDRESS="+n.addr,
			"DORADO_WORKER_SLOTS="+strconv.Itoa(w.Shape.Slots), "DORADO_CLUSTER_MASTERS="+strings.Join(masters, ","),
			"DORADO_WORKER_DRAIN_TIMEOUT=5s"),
	})
	if err == nil {
		n.live.Store(int64(n.PID()))
	}
	return err
}

// whose names the worker at the other end of a connection.
func (w *World) whose(remote net.Addr) string {
	pids := map[string]int{}
	host, _, err := net.SplitHostPort(remote.String())
	if err != nil {
		return ""
	}
	for _, n := range w.Workers {
		if w.net != nil && n.net.host == host {
			return n.Name
		}
		if pid := n.live.Load(); pid != 0 {
			pids[n.Name] = int(pid)
		}
	}
	return whose(remote, pids)
}

// Nodes are all masters and workers.
func (w *World) Nodes() []*Node { return append(append([]*Node{}, w.Masters...), w.Workers...) }

// tend starts again what ended by itself.
func (w *World) tend(ctx context.Context) {
	for sleep(ctx, 300*time.Millisecond) == nil {
		for _, n := range w.Nodes() {
			if ended, err := n.tend(ctx); err != nil {
				w.Sayf("%s cannot be started: %v", n.Name, err)
			} else if ended {
				w.Sayf("%s ended by itself and was started again", n.Name)
			}
		}
	}
}

// Sayf prints a line with the time.
func (w *World) Sayf(format string, args ...any) {
	w.said.Lock()
	defer w.said.Unlock()
	fmt.Fprintf(w.out, "%s %s\n", time.Now().UTC().Format("15:04:05.000"), fmt.Sprintf(format, args...))
}

// Keep copies the logs of all processes to a folder.
func (w *World) Keep(dir string) error {
	err := os.MkdirAll(dir, 0o755)
	for _, n := range w.Nodes() {
		if n.Process != nil {
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, n.Name+".log"), []byte(n.FullLog()), 0o644))
		}
	}
	return err
}

// Close ends everything.
func (w *World) Close(ctx context.Context) error {
	w.stop()
	w.wg.Wait()
	var err error
	for _, n := range append(append([]*Node{}, w.Workers...), w.Masters...) {
		if n.Process == nil {
			continue
		}
		err = errors.Join(err, n.close(ctx))
	}
	if w.db != nil {
		err = errors.Join(err, w.db.Close())
	}
	if w.zk != nil {
		err = errors.Join(err, w.zk.Close()) //nolint:contextcheck // cleaning up must outlive the context
	}
	if w.pg != nil {
		err = errors.Join(err, w.pg.Close()) //nolint:contextcheck // cleaning up must outlive the context
	}
	if w.net != nil {
		err = errors.Join(err, w.net.close(ctx))
	}
	return errors.Join(err, w.endLeft(), os.RemoveAll(w.Dir))
}
