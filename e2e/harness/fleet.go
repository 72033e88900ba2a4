package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// FleetOptions say how to start a cluster of many masters and workers on this machine.
type FleetOptions struct {
	Binary           string
	Masters, Workers int
	Database         string   // postgres://…
	ZooKeeper        []string // host:port of each server; none: the registry is the database
	SessionTimeout   time.Duration
	AdminPassword    string
	Pages            []string // host:port of the pages of each master; fewer: free ports
	Env              []string // for all, KEY=value
	// MasterEnv and WorkerEnv return what only one of them is told; they may be nil.
	MasterEnv, WorkerEnv func(i int) []string
}

// Member is a process of a fleet.
type Member struct {
	*Process
	Name    string // stable
	Address string // in the registry
}

// Fleet is a cluster.
type Fleet struct {
	Masters, Workers []*Member
}

// FleetSecret is what the members of a fleet share.
const FleetSecret = "end-to-end-tests"

// StartFleet starts the masters m1, m2, … and the workers w1, w2, … It waits for none of them.
func StartFleet(ctx context.Context, o FleetOptions) (*Fleet, error) {
	f := &Fleet{}
	shared := append([]string{"DORADO_CLUSTER_SECRET=" + FleetSecret}, o.Env...)
	if o.SessionTimeout > 0 {
		shared = append(shared, "DORADO_CLUSTER_SESSION_TIMEOUT="+o.SessionTimeout.String())
	}
	if len(o.ZooKeeper) > 0 {
		shared = append(shared, "DORADO_CLUSTER_REGISTRY=zookeeper", "DORADO_CLUSTER_ZOOKEEPER_SERVERS="+strings.Join(o.ZooKeeper, ","))
	} else {
		shared = append(shared, "DORADO_CLUSTER_REGISTRY=postgres")
	}
	var masters []string
	fail := func(err error) (*Fleet, error) {
		return nil, errors.Join(err, f.Close())
	}
	for i := range o.Masters {
		m := &Member{Name: fmt.Sprintf("m%d", i+1)}
		env := append([]string{"DORADO_DATABASE=" + o.Database, "DORADO_MASTER_NAME=" + m.Name}, shared...)
		if o.MasterEnv != nil {
			env = append(env, o.MasterEnv(i)...)
		}
		options := Options{Binary: o.Binary, Mode: "master", AdminPassword: o.AdminPassword, Env: env}
		if i < len(o.Pages) {
			options.Listen = o.Pages[i]
		}
		if err := m.start(ctx, "DORADO_CLUSTER_LISTEN", options); err != nil {
			return fail(err)
		}
		f.Masters, masters = append(f.Masters, m), append(masters, m.Address)
	}
	for i := range o.Workers {
		w := &Member{Name: fmt.Sprintf("w%d", i+1)}
		env := append([]string{"DORADO_CLUSTER_MASTERS=" + strings.Join(masters, ","), "DORADO_WORKER_NAME=" + w.Name}, shared...)
		if o.WorkerEnv != nil {
			env = append(env, o.WorkerEnv(i)...)
		}
		if err := w.start(ctx, "DORADO_WORKER_ADDRESS", Options{Binary: o.Binary, Mode: "worker", Env: env}); err != nil {
			return fail(err)
		}
		f.Workers = append(f.Workers, w)
	}
	return f, nil
}

// start gives the member an address of its own, under the variable that sets it, and a listener for probes.
func (m *Member) start(ctx context.Context, variable string, o Options) error {
	for _, address := range []*string{&m.Address, &o.Listen} {
		if *address != "" {
			continue
		}
		port, err := FreePort(ctx)
		if err != nil {
			return err
		}
		*address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	o.Env = append(o.Env, variable+"="+m.Address)
	if o.Mode == "worker" {
		o.Env = append(o.Env, "DORADO_WORKER_LISTEN="+o.Listen)
	}
	var err error
	m.Process, err = Start(ctx, o)
	return err
}

// All are the members, masters first.
func (f *Fleet) All() []*Member { return append(append([]*Member{}, f.Masters...), f.Workers...) }

// WaitReady waits until every running member says that it is ready: its database answers, it is in the registry, and it has
// taken up its work; a worker is connected to a master.
func (f *Fleet) WaitReady(ctx context.Context) error {
	for _, m := range f.All() {
		if m.Running() {
			if err := m.WaitFit(ctx); err != nil {
				return fmt.Errorf("%s: %w", m.Name, err)
			}
		}
	}
	return nil
}

// Close kills what still runs and removes what they wrote.
func (f *Fleet) Close() error {
	var errs []error
	for _, m := range f.All() {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}
