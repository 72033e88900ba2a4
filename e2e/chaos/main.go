package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"dorado/e2e/chaos/storm"
	"dorado/e2e/harness"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) //nolint:forbidigo // the program's first context
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o := storm.Options{Out: os.Stdout, Shape: storm.Shape{Disks: true}}
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.IntVar(&o.Faults, "faults", 40, "faults")
	flags.IntVar(&o.Tasks, "tasks", 1500, "processes that clients ask for, at least")
	flags.Uint64Var(&o.Seed, "seed", uint64(time.Now().UnixNano())%1_000_000, "seed of the faults and of the work")
	flags.DurationVar(&o.Every, "every", 5*time.Second, "time between two faults, on average")
	flags.IntVar(&o.Flight, "flight", 40, "runs that are open at once")
	flags.DurationVar(&o.Patience, "patience", 3*time.Minute, "how long nothing may change at the end while something is unfinished")
	flags.IntVar(&o.Shape.Masters, "masters", 3, "masters")
	flags.IntVar(&o.Shape.Workers, "workers", 3, "workers")
	flags.BoolVar(&o.Shape.NetNS, "netns", false, "give each process a network namespace and pull its cable, too (root)")
	flags.IntVar(&o.Shape.Slots, "slots", 40, "slots of each worker")
	flags.DurationVar(&o.Shape.Session, "session", 4*time.Second, "session timeout of the registry")
	flags.IntVar(&o.Shape.ZooKeepers, "zookeepers", 3, "servers of ZooKeeper")
	flags.StringVar(&o.Shape.Registry, "registry", "zookeeper", "none (one master), postgres or zookeeper")
	flags.StringVar(&o.Keep, "keep", "", "folder for the evidence and the logs; they are always kept when a promise was broken")
	only := flags.String("only", "", "only kinds of faults that match this expression")
	commit := flags.String("commit", "", "what was built, for the report; empty: what git says")
	report := flags.String("report", "", "write, or add to, this file")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if *only != "" {
		var err error
		if o.Only, err = regexp.Compile(*only); err != nil {
			return err
		}
	}
	var builder harness.Builder
	defer func() { _ = builder.Close() }()
	var err error
	if o.Binary, err = builder.Path(ctx); err != nil {
		return err
	}
	r, err := storm.Run(ctx, o)
	if err != nil {
		return err
	}
	fmt.Fprint(o.Out, r)
	if *report != "" {
		if err := write(ctx, *report, *commit, r); err != nil {
			return err
		}
	}
	if !r.Verdict.OK() {
		return fmt.Errorf("%d promises were broken", len(r.Verdict.Breaches))
	}
	return nil
}

// write puts a section at the end of a report, which it begins when there is none.
func write(ctx context.Context, path, commit string, r storm.Result) error {
	old, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	text := strings.TrimSpace(string(old))
	if text == "" {
		text = "# Chaos"
	}
	text += "\n\n" + strings.TrimSpace(r.Markdown()) + "\n\n" + machine(ctx, commit) + "\n"
	return os.WriteFile(path, []byte(text), 0o644)
}

func machine(ctx context.Context, commit string) string {
	ask := func(name string, args ...string) string {
		raw, err := exec.CommandContext(ctx, name, args...).Output()
		if err != nil {
			return "unknown"
		}
		return strings.TrimSpace(string(raw))
	}
	if commit == "" {
		commit = ask("git", "rev-parse", "--short", "HEAD")
	}
	return fmt.Sprintf("Machine: %d cores, Linux %s, %s; commit %s.", runtime.NumCPU(), ask("uname", "-r"), runtime.Version(), commit)
}
