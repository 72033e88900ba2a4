package storm

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"dorado/e2e/chaos/check"
)

// Options say what storm it is to be.
type Options struct {
	Binary string
	Shape  Shape
	Seed   uint64
	Faults int
	Every  time.Duration // between two faults, on average
	Tasks  int           // processes that clients ask for, at least
	Flight int           // runs that are open at once
	Only   *regexp.Regexp
	// Patience is how long nothing may change at the end while something is unfinished.
	Patience time.Duration
	Keep     string // folder for the evidence and the logs, "" when they are kept only of a storm that failed
	Out      io.Writer
}

// Result is what came of a storm.
type Result struct {
	Options   Options
	Began     time.Time
	Took      time.Duration
	Plan      []Planned
	Left      map[string]string // kinds of faults that were not possible, with the reason
	Faults    []check.Fault
	Verdict   check.Verdict
	Takeovers []Takeover
	Exits     map[string]int // how often each process ended by itself
	Database  map[string]int // events that the cluster wrote, by kind
	Kept      string         // where the evidence is
}

// Run makes a storm and judges it. An error means that it could not be held; what the product did wrong is in the verdict.
func Run(ctx context.Context, o Options) (r Result, err error) {
	r = Result{Options: o, Began: time.Now().UTC()}
	w, err := Build(ctx, o.Binary, o.Shape, o.Out)
	if err != nil {
		return r, err
	}
	defer func() {
		if closeErr := w.Close(context.WithoutCancel(ctx)); closeErr != nil && err == nil {
			err = fmt.Errorf("clean up: %w", closeErr)
		}
	}()
	d, err := open(ctx, w)
	if err != nil {
		return r, err
	}
	defer d.close()
	can := Can{Disks: w.Workers[0].disk != nil, Clocks: w.clocks(), ZK: w.zk != nil, Majority: o.Shape.ZooKeepers > 1, Net: w.net != nil}
	_, r.Left = Kinds(can, o.Only)
	r.Plan = Draw(o.Seed, o.Faults, o.Every, can, o.Only)
	w.Sayf("seed %d: %d faults, at least %d tasks, %d masters, %d workers, registry %s", o.Seed, len(r.Plan), o.Tasks, o.Shape.Masters, o.Shape.Workers, o.Shape.Registry)

	seen := &presence{w: w, gone: map[string]time.Time{}}
	watching, stopWatching := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		seen.watch(watching)
	}()
	defer stopWatching()
	h := &weather{w: w}
	l := newLoad(w, d, o.Seed, o.Flight, o.Tasks)
	calm, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		l.run(ctx, calm)
	}()
	_ = sleep(ctx, 3*time.Second) // some work is under way
	h.blow(ctx, r.Plan)
	close(calm)
	w.Sayf("calm: %d triggers so far", len(l.snapshot()))
	<-over
	if err := ctx.Err(); err != nil {
		return r, err
	}
	left, err := w.quiet(ctx, d, l, o.Patience)
	if err != nil {
		return r, err
	}
	h.mu.Lock()
	r.Faults, r.Takeovers = slices.Clone(h.done), slices.Clone(h.took)
	h.mu.Unlock()
	r.Faults = append(r.Faults, w.exits(&r)...)
	stopWatching()
	<-watched
	r.Faults = append(r.Faults, seen.list...)
	facts, err := w.evidence(ctx, d, l, r.Faults)
	if err != nil {
		return r, err
	}
	facts.Left = left
	r.Verdict = check.Check(facts)
	r.Database = w.events(ctx)
	for _, n := range w.Nodes() {
		for _, text := range n.allPanics() {
			r.Verdict.Breaches = append(r.Verdict.Breaches, check.Finding{Rule: check.State, Text: n.Name + ": " + text})
		}
	}
	r.Took = time.Since(r.Began)
	if o.Keep != "" || !r.Verdict.OK() {
		err = r.keep(ctx, w, facts)
	}
	return r, err
}

func (l *load) snapshot() []check.Trigger {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.triggers)
}

// quiet waits until the work is done, and counts what is not.
func (w *World) quiet(ctx context.Context, d *desk, l *load, patience time.Duration) (map[string]int, error) {
	for _, n := range w.Masters {
		if err := w.ready(ctx, n); err != nil {
			return nil, err
		}
	}
	_ = sleep(ctx, 5*time.Second) // clocks that were early are overtaken, what was missed is made up for
	if err := d.closeTimetable(ctx); err != nil {
		return nil, fmt.Errorf("take the schedules offline: %w", err)
	}
	if _, err := w.calm(ctx, patience); err != nil {
		return nil, err
	}
	if err := l.resume(ctx); err != nil {
		return nil, err
	}
	_ = sleep(ctx, time.Second)
	left, err := w.calm(ctx, patience)
	if err != nil {
		return nil, err
	}
	// Nobody needs a process any more; those of attempts that were killed are given the time that killing takes.
	var pids []int
	for range 60 {
		if pids, err = w.leftProcesses(); err != nil || len(pids) == 0 {
			break
		}
		_ = sleep(ctx, 500*time.Millisecond)
	}
	left["processes of tasks"] = len(pids)
	if err != nil {
		return left, err
	}
	// Heartbeats are written when they change in substance, or after ten seconds.
	for range 30 {
		if left["slots of workers"], err = w.held(); err == nil && left["slots of workers"] == 0 {
			break
		}
		_ = sleep(ctx, time.Second)
	}
	return left, err
}

// clocks says whether the clock of a process can be shifted here.
func (w *World) clocks() bool {
	c, err := TakeClock(w.Workers[0].PID())
	return err == nil && c != nil
}

// exits are the times at which processes ended by themselves, as faults: what a worker ran then is repeated.
func (w *World) exits(r *Result) []check.Fault {
	r.Exits = map[string]int{}
	var out []check.Fault
	for _, n := range w.Nodes() {
		n.mu.Lock()
		for _, at := range n.exits {
			r.Exits[n.Name]++
			f := check.Fault{No: 1000 + len(out), Kind: "exit", Target: n.Name, From: at.Add(-time.Second), Until: at.Add(settle)}
			if !n.Master {
				f.Effect, f.Loose, f.Workers = check.Died, true, []string{n.Name}
			}
			out = append(out, f)
		}
		n.mu.Unlock()
	}
	return out
}

func (n *Node) allPanics() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := slices.Clone(n.panics)
	if text := n.Panics(); text != "" {
		out = append(out, text)
	}
	return out
}

// events counts what the cluster itself wrote down.
func (w *World) events(ctx context.Context) map[string]int {
	out := map[string]int{}
	_ = each(ctx, w.db, `SELECT kind, count(*) FROM cluster_event GROUP BY kind`, func(scan func(...any) error) error {
		var kind string
		var n int
		err := scan(&kind, &n)
		out[kind] = n
		return err
	})
	return out
}

// keep writes down everything that somebody needs who looks for the reason.
func (r *Result) keep(ctx context.Context, w *World, facts check.Facts) error {
	dir := r.Options.Keep
	if dir == "" {
		root := os.Getenv("DORADO_ARTIFACTS")
		if root == "" {
			root = os.TempDir()
		}
		dir = filepath.Join(root, fmt.Sprintf("chaos-%d-%s", r.Options.Seed, r.Began.Format("150405")))
	}
	r.Kept = dir
	if err := w.Keep(dir); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(facts, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "facts.json"), raw, 0o644); err != nil {
		return err
	}
	for _, table := range []string{"workflow_instance", "task_instance", "command", "master", "cluster_event", "task_group_slot", "serial_queue"} {
		if err := dump(ctx, w, table, filepath.Join(dir, table+".jsonl")); err != nil {
			return err
		}
	}
	return nil
}

func dump(ctx context.Context, w *World, table, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return each(ctx, w.db, `SELECT row_to_json(t)::text FROM `+table+` t`, func(scan func(...any) error) error {
		var line string
		if err := scan(&line); err != nil {
			return err
		}
		_, err := fmt.Fprintln(f, line)
		return err
	})
}
