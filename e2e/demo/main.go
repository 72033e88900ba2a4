package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dorado/e2e/harness"
)

const (
	user     = "admin"
	password = "Dorado-Demo-1" //nolint:gosec // of a cluster that listens on loopback and ends with the terminal
	// firstPort is where the pages of the first master are, if nobody else is there.
	firstPort = 12345
	startTime = 2 * time.Minute
)

type options struct {
	masters, workers, zookeepers int
	registry                     string
	work                         time.Duration
}

func main() {
	var o options
	flag.IntVar(&o.masters, "masters", 3, "how many masters")
	flag.IntVar(&o.workers, "workers", 3, "how many workers")
	flag.IntVar(&o.zookeepers, "zookeepers", 3, "how many ZooKeeper servers")
	flag.StringVar(&o.registry, "registry", "zookeeper", "zookeeper or postgres")
	flag.DurationVar(&o.work, "work", 10*time.Second, "how often a workflow is started; 0s: never")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) //nolint:forbidigo // the first one
	err := run(ctx, o, os.Stdin, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// demo is what runs.
type demo struct {
	out   io.Writer
	pg    *harness.Postgres
	zk    *harness.ZooKeeper
	fleet *harness.Fleet
}

func run(ctx context.Context, o options, in io.Reader, out io.Writer) (err error) {
	d := &demo{out: out}
	var builder harness.Builder
	defer func() {
		fmt.Fprintln(out, "\nending everything …")
		err = errors.Join(err, d.close(), builder.Close())
	}()
	if err := d.start(ctx, o, &builder); err != nil {
		return err
	}
	d.tell()
	if o.work > 0 {
		go d.keepBusy(ctx, o.work)
	}
	typed := make(chan string)
	go func() { // ends with the terminal, or with the process
		for lines := bufio.NewScanner(in); lines.Scan(); {
			typed <- lines.Text()
		}
	}()
	d.watch(ctx, typed)
	return nil
}

// start brings everything up, the base first.
func (d *demo) start(ctx context.Context, o options, builder *harness.Builder) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if o.registry != "zookeeper" && o.registry != "postgres" {
		return fmt.Errorf("-registry %s: choose zookeeper or postgres", o.registry)
	}
	fmt.Fprintln(d.out, "building dorado …")
	binary, err := builder.Path(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(d.out, "starting PostgreSQL …")
	if d.pg, err = harness.StartPostgres(ctx); err != nil {
		return missing(err)
	}
	database, err := d.pg.Create(ctx, "dorado")
	if err != nil {
		return err
	}
	f := harness.FleetOptions{
		Binary: binary, Masters: o.masters, Workers: o.workers, Database: database, AdminPassword: password, Pages: pages(ctx, o.masters),
	}
	if o.registry == "zookeeper" {
		fmt.Fprintf(d.out, "starting ZooKeeper, %d servers …\n", o.zookeepers)
		if d.zk, err = harness.StartZooKeeper(ctx, o.zookeepers); err != nil {
			return missing(err)
		}
		f.ZooKeeper = d.zk.Servers()
	}
	fmt.Fprintf(d.out, "starting %d masters and %d workers …\n", o.masters, o.workers)
	if d.fleet, err = harness.StartFleet(ctx, f); err != nil {
		return err
	}
	return d.fleet.WaitReady(ctx)
}

// missing says how to get what this machine lacks.
func missing(err error) error {
	if errors.Is(err, harness.ErrNoPostgres) || errors.Is(err, harness.ErrNoZooKeeper) {
		return fmt.Errorf("%w\non Debian and Ubuntu: apt-get install postgresql zookeeper default-jre-headless", err)
	}
	return err
}

// pages are addresses for the masters' pages that are easy to remember, as far as they are free.
func pages(ctx context.Context, n int) []string {
	var out []string
	for port := firstPort; port < firstPort+n; port++ {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			break // the rest gets any port
		}
		if l.Close() != nil {
			break
		}
		out = append(out, address)
	}
	return out
}

// tell says what runs, and what one may do to it.
func (d *demo) tell() {
	fmt.Fprintf(d.out, "\nSign in as %s with the password %s at any master:\n\n", user, password)
	for _, m := range d.fleet.Masters {
		fmt.Fprintf(d.out, "  %-4s %s/monitor/masters   process %d   log %s\n", m.Name, m.URL, m.PID(), m.LogPath())
	}
	for _, w := range d.fleet.Workers {
		fmt.Fprintf(d.out, "  %-4s health at %s/healthz/ready   process %d   log %s\n", w.Name, w.URL, w.PID(), w.LogPath())
	}
	fmt.Fprintf(d.out, "\n  PostgreSQL  %s   process %d\n", d.pg.URL("dorado"), d.pg.PID())
	if d.zk != nil {
		for i, server := range d.zk.Servers() {
			fmt.Fprintf(d.out, "  zk%-2d %s   process %d\n", i+1, server, d.zk.PID(i))
		}
	}
	fmt.Fprint(d.out, "\nKill any process (kill -9 PID), or type: kill m2 · start m2 · stop w1 · kill zk1 · start zk1 · kill pg · start pg · list\nCtrl-C ends everything.\n\n")
}

// hear obeys a line that was typed.
func (d *demo) hear(ctx context.Context, line string) {
	words := strings.Fields(line)
	var err error
	switch {
	case len(words) == 0:
	case len(words) == 1 && words[0] == "list":
		d.tell()
	case len(words) == 2:
		err = d.obey(ctx, words[0], words[1])
	default:
		err = errors.New("type for example: kill m2")
	}
	if err != nil {
		fmt.Fprintln(d.out, "  ", err)
	}
}

// process is what can be ended and started again.
type process interface {
	Kill(ctx context.Context) error
	Restart(ctx context.Context) error
}

func (d *demo) obey(ctx context.Context, verb, name string) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	var what process
	stop := func(ctx context.Context) error { return what.Kill(ctx) }
	for _, m := range d.fleet.All() {
		if m.Name == name {
			what, stop = m.Process, m.Terminate
		}
	}
	if name == "pg" {
		what, stop = d.pg, d.pg.Stop
	}
	if number, ok := strings.CutPrefix(name, "zk"); ok && d.zk != nil {
		if i, err := strconv.Atoi(number); err == nil && i >= 1 && i <= len(d.zk.Servers()) {
			what = server{d.zk, i - 1}
		}
	}
	if what == nil {
		return fmt.Errorf("there is no %s", name)
	}
	switch verb {
	case "kill":
		return what.Kill(ctx)
	case "start":
		return what.Restart(ctx)
	case "stop":
		return stop(ctx)
	default:
		return fmt.Errorf("%s what? there are kill, stop and start", verb)
	}
}

// server is one server of the ensemble.
type server struct {
	*harness.ZooKeeper

	i int
}

func (s server) Kill(ctx context.Context) error    { return s.ZooKeeper.Kill(ctx, s.i) }
func (s server) Restart(ctx context.Context) error { return s.ZooKeeper.Restart(ctx, s.i) }

// watch obeys what is typed, and tells of members that come and go, until ctx ends.
func (d *demo) watch(ctx context.Context, typed <-chan string) {
	was := map[string]int{}
	for _, m := range d.fleet.All() {
		was[m.Name] = m.PID()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case line := <-typed:
			d.hear(ctx, line)
		case <-time.After(200 * time.Millisecond):
		}
		for _, m := range d.fleet.All() {
			pid := m.PID()
			switch pid {
			case was[m.Name]:
				continue
			case 0:
				fmt.Fprintf(d.out, "  %s has ended; type: start %s\n", m.Name, m.Name)
			default:
				fmt.Fprintf(d.out, "  %s runs, process %d\n", m.Name, pid)
			}
			was[m.Name] = pid
		}
	}
}

// close ends what runs, the base last.
func (d *demo) close() error {
	var errs []error
	if d.fleet != nil {
		errs = append(errs, d.fleet.Close())
	}
	if d.zk != nil {
		errs = append(errs, d.zk.Close())
	}
	if d.pg != nil {
		errs = append(errs, d.pg.Close())
	}
	return errors.Join(errs...)
}
