package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"dorado/e2e/harness"
)

// sessionTimeout is how long a dead process counts as alive in B9, and its denominator.
const sessionTimeout = 4 * time.Second

// failover is B9: a worker dies with five hundred tasks running, and a master with two hundred workflows under way. The
// value is the time from the kill until the last of them is in other hands. Nothing may be lost, and nothing may run twice
// but what the dead worker ran.
func failover(ctx context.Context, s *Suite) (Result, error) {
	tasks, runs, rounds := s.o.size(20, 500, 500), s.o.size(10, 200, 200), s.o.size(1, 3, 10)
	r := Result{Size: fmt.Sprintf("%d tasks, %d workflows", tasks, runs)}
	if s.o.DB != "pg" {
		return r, errors.New("one process has nobody to take over: -db pg")
	}
	s.stopWorld()
	f, err := s.gather(ctx, tasks+runs+100)
	if err != nil {
		return r, err
	}
	defer f.close()
	var workers, masters []time.Duration
	for range rounds {
		took, first, err := f.loseWorker(ctx, tasks)
		if err != nil {
			return r, fmt.Errorf("worker killed: %w", err)
		}
		workers = append(workers, took)
		r.note("worker killed: %s until all %d attempts were given up, %s until the last new process spoke", ms(took), tasks, ms(first))
		if took, err = f.loseMaster(ctx, runs); err != nil {
			return r, fmt.Errorf("master killed: %w", err)
		}
		masters = append(masters, took)
		r.Samples = append(r.Samples, Sample{Side: "worker", Value: workers[len(workers)-1].Seconds()}, Sample{Side: "master", Value: took.Seconds()})
	}
	worst := max(quantile(workers, 1), quantile(masters, 1))
	r.Value = fmt.Sprintf("worker p50 %s max %s; master p50 %s max %s", ms(quantile(workers, 0.5)), ms(quantile(workers, 1)),
		ms(quantile(masters, 0.5)), ms(quantile(masters, 1)))
	r.Raw = "session timeout " + sessionTimeout.String() + " (" + f.registry + ")"
	var ratios []float64
	for _, took := range append(workers, masters...) {
		ratios = append(ratios, sessionTimeout.Seconds()/took.Seconds())
	}
	r.Ratio = spreadOf(ratios)
	r.bar("session timeout + 1 s, none lost, none twice", worst <= sessionTimeout+time.Second)
	return r, f.quiet(ctx)
}

// fleet is the cluster of B9: two masters, two workers.
type fleet struct {
	*harness.Fleet
	suite    *Suite
	zk       *harness.ZooKeeper
	registry string
	db       *sql.DB
	client   *harness.Client
	project  int64
	next     int
}

// gather starts a cluster over ZooKeeper, or over the database where ZooKeeper is missing.
func (s *Suite) gather(ctx context.Context, slots int) (*fleet, error) {
	f := &fleet{suite: s, registry: "postgres"}
	err := f.start(ctx, slots)
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *fleet) start(ctx context.Context, slots int) error {
	s := f.suite
	var err error
	if s.pg == nil {
		if s.pg, err = harness.StartPostgres(ctx); err != nil {
			return err
		}
	}
	url, err := s.pg.Create(ctx, fmt.Sprintf("bench_%d", time.Now().UnixNano()))
	if err != nil {
		return err
	}
	if f.db, err = sql.Open("postgres", url); err != nil {
		return err
	}
	o := harness.FleetOptions{
		Binary: s.binary, Masters: 2, Workers: 2, Database: url, SessionTimeout: sessionTimeout, AdminPassword: password,
		Env: []string{"DORADO_WORKER_SLOTS=" + strconv.Itoa(slots)},
	}
	if f.zk, err = harness.StartZooKeeper(ctx, 1); err == nil {
		o.ZooKeeper, f.registry = f.zk.Servers(), "zookeeper"
	} else if !errors.Is(err, harness.ErrNoZooKeeper) {
		return err
	}
	if f.Fleet, err = harness.StartFleet(ctx, o); err != nil {
		return err
	}
	if err := f.WaitReady(ctx); err != nil {
		return err
	}
	f.client = harness.NewClient(f.Masters[0].URL)
	if err := f.client.Login(ctx, "admin", password); err != nil {
		return err
	}
	if err := f.client.UseToken(ctx); err != nil {
		return err
	}
	p, err := f.client.CreateProject(ctx, "failover", "")
	if err != nil {
		return err
	}
	f.project = p.Code
	return f.checkDurability(ctx)
}

// checkDurability reads back what makes a commit durable.
func (f *fleet) checkDurability(ctx context.Context) error {
	f.suite.settings = nil
	for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		var got string
		if err := f.db.QueryRowContext(ctx, "SHOW "+name).Scan(&got); err != nil {
			return err
		}
		f.suite.settings = append(f.suite.settings, name+"="+got)
		if got != "on" {
			return fmt.Errorf("%s is %s: this would measure something else than the promise", name, got)
		}
	}
	return nil
}

func (f *fleet) close() {
	if f.client != nil {
		f.client.Close()
	}
	if f.Fleet != nil {
		_ = f.Fleet.Close() // nothing of it is needed any more
	}
	if f.zk != nil {
		_ = f.zk.Close()
	}
	if f.db != nil {
		_ = f.db.Close()
	}
}

// publish saves a workflow under a fresh name.
func (f *fleet) publish(ctx context.Context, w harness.Workflow) (int64, error) {
	f.next++
	w.Name += " " + strconv.Itoa(f.next)
	d, err := f.client.Publish(ctx, f.project, w)
	return d.Code, err
}

// loseWorker runs sleepers on one worker and kills it and what it runs. It returns how long it took until the last attempt
// was given up, and until the last new process spoke.
func (f *fleet) loseWorker(ctx context.Context, n int) (given, spoke time.Duration, err error) {
	victim, other := f.Workers[0], f.Workers[1]
	l, err := newLedger(filepath.Join(f.suite.dir, "b9w"))
	if err != nil {
		return 0, 0, err
	}
	w := wide("B9 worker", n, "")
	for i := range w.Tasks {
		w.Tasks[i].Script = l.Line(w.Tasks[i].Name) + "; exec sleep 12"
	}
	code, err := f.publish(ctx, w)
	if err != nil {
		return 0, 0, err
	}
	// All of them are to be on one worker: the other one is not there when they are placed.
	if err := other.Terminate(ctx); err != nil {
		return 0, 0, err
	}
	id, err := f.client.StartWorkflow(ctx, f.project, code, harness.StartOptions{Tenant: f.suite.o.Tenant})
	if err != nil {
		return 0, 0, err
	}
	if err := l.await(ctx, n); err != nil {
		return 0, 0, err
	}
	if err := other.Restart(ctx); err != nil {
		return 0, 0, err
	}
	if err := other.WaitFit(ctx); err != nil {
		return 0, 0, err
	}
	children, err := tree(victim.PID())
	if err != nil {
		return 0, 0, err
	}
	killed := time.Now()
	if err := victim.Kill(ctx); err != nil {
		return 0, 0, err
	}
	for _, p := range children[1:] { // the machine is gone, not only the program
		_ = syscall.Kill(p.PID, syscall.SIGKILL) // it may have ended just now
	}
	err = f.poll(ctx, `SELECT count(*) FROM task_instance WHERE workflow_instance_id = $1 AND valid AND (host <> $2 AND host <> $3 AND host <> '')`,
		func(count int) bool { return count == n }, id, victim.Name, victim.Address)
	if err != nil {
		return 0, 0, err
	}
	given = time.Since(killed)
	if err := l.await(ctx, 2*n); err != nil {
		return 0, 0, err
	}
	spoke = time.Since(killed)
	if _, err := f.client.WaitInstance(ctx, f.project, id, 50*time.Millisecond, "SUCCESS"); err != nil {
		return 0, 0, err
	}
	entries, err := l.Entries()
	if err != nil {
		return 0, 0, err
	}
	again := twice(entries)
	if len(again) != n || len(entries) != 2*n {
		return 0, 0, fmt.Errorf("%d of %d tasks ran twice, %d processes in all: the dead worker's should, and no other", len(again), n, len(entries))
	}
	if err := victim.Restart(ctx); err != nil {
		return 0, 0, err
	}
	return given, spoke, victim.WaitFit(ctx)
}

// loseMaster has runs under way, kills the master that has most of them, and returns how long it took until the last one
// had another owner.
func (f *fleet) loseMaster(ctx context.Context, n int) (time.Duration, error) {
	l, err := newLedger(filepath.Join(f.suite.dir, "b9m"))
	if err != nil {
		return 0, err
	}
	code, err := f.publish(ctx, harness.Workflow{Name: "B9 master", Tasks: []harness.Task{
		{Name: "a", Script: l.Line("a"+runID) + "; exec sleep 10"}, {Name: "b", Script: l.Line("b" + runID), After: []string{"a"}},
	}})
	if err != nil {
		return 0, err
	}
	victim := f.Masters[1] // the client talks to the other
	ids := map[string]bool{}
	owned := 0
	for owned < n {
		if len(ids) > 6*n {
			return 0, fmt.Errorf("of %d runs master %s got %d", len(ids), victim.Name, owned)
		}
		for range n {
			id, err := f.client.StartWorkflow(ctx, f.project, code, harness.StartOptions{Tenant: f.suite.o.Tenant})
			if err != nil {
				return 0, err
			}
			ids[strconv.FormatInt(id, 10)] = true
		}
		if err := l.await(ctx, len(ids)); err != nil {
			return 0, err
		}
		if owned, err = f.count(ctx, `SELECT count(*) FROM workflow_instance WHERE workflow_code = $1 AND owner = $2 AND end_time IS NULL`, code, victim.Name); err != nil {
			return 0, err
		}
		if ended, err := f.count(ctx, `SELECT count(*) FROM workflow_instance WHERE workflow_code = $1 AND end_time IS NOT NULL`, code); err != nil || ended > 0 {
			return 0, errors.Join(err, fmt.Errorf("%d runs were over before there were enough: the machine is too slow for this", ended))
		}
	}
	killed := time.Now()
	if err := victim.Kill(ctx); err != nil {
		return 0, err
	}
	err = f.poll(ctx, `SELECT count(*) FROM workflow_instance WHERE workflow_code = $1 AND end_time IS NULL AND (owner = $2 OR state = 'FAILOVER')`,
		func(count int) bool { return count == 0 }, code, victim.Name)
	if err != nil {
		return 0, err
	}
	took := time.Since(killed)
	err = f.poll(ctx, `SELECT count(*) FROM workflow_instance WHERE workflow_code = $1 AND state <> 'SUCCESS'`, func(count int) bool { return count == 0 }, code)
	if err != nil {
		return 0, err
	}
	want := map[string]bool{}
	for id := range ids {
		want["a"+id], want["b"+id] = true, true
	}
	if err := l.check(2*len(ids), want); err != nil {
		return 0, err // the workers lived, so nothing may have run twice
	}
	if err := victim.Restart(ctx); err != nil {
		return 0, err
	}
	return took, victim.WaitFit(ctx)
}

func (f *fleet) count(ctx context.Context, query string, args ...any) (int, error) {
	n := 0
	err := f.db.QueryRowContext(ctx, query, args...).Scan(&n)
	return n, err
}

// poll counts until the number is good, for a minute at most.
func (f *fleet) poll(ctx context.Context, query string, good func(int) bool, args ...any) error {
	limit, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		n, err := f.count(limit, query, args...)
		if err != nil {
			return err
		}
		if good(n) {
			return nil
		}
		select {
		case <-limit.Done():
			return fmt.Errorf("%d: %w", n, limit.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// quiet says that nothing is left to do.
func (f *fleet) quiet(ctx context.Context) error {
	for _, table := range []string{"command", "error_command", "task_group_slot", "serial_queue"} {
		if n, err := f.count(ctx, "SELECT count(*) FROM "+table); err != nil || n != 0 { //nolint:gosec // our own names
			return errors.Join(err, fmt.Errorf("%d rows left in %s", n, table))
		}
	}
	return nil
}
