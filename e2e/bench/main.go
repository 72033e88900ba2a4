package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"dorado/e2e/harness"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// Options are the command line.
type Options struct {
	Only   *regexp.Regexp
	DB     string
	JSON   string
	Long   bool
	Smoke  bool
	Tenant string
	Keep   bool
}

// Pairs returns how many pairs of raw loop and product are measured after the warm-up.
func (o Options) Pairs() int {
	switch {
	case o.Smoke:
		return 1
	case o.Long:
		return 10
	default:
		return 5
	}
}

// size picks a workload's size: smoke runs only show that the benchmark works.
func (o Options) size(smoke, short, long int) int {
	switch {
	case o.Smoke:
		return smoke
	case o.Long:
		return long
	default:
		return short
	}
}

func options(args []string) (Options, error) {
	var o Options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("only", "", "run only the workloads whose id matches this expression, as B1 or B(1|3)")
	flags.StringVar(&o.DB, "db", "pg", "database: pg (master and worker are processes of their own) or sqlite (standalone)")
	flags.StringVar(&o.JSON, "json", "", "write everything to this file")
	flags.BoolVar(&o.Long, "long", false, "full sizes and ten pairs")
	flags.BoolVar(&o.Smoke, "smoke", false, "tiny sizes and one pair: the numbers mean nothing")
	flags.StringVar(&o.Tenant, "tenant", "default", "tenant that tasks run as")
	flags.BoolVar(&o.Keep, "keep", false, "leave logs and data behind and say where")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.DB != "pg" && o.DB != "sqlite" {
		return o, fmt.Errorf("-db %s: there are pg and sqlite", o.DB)
	}
	// B1 means B1 and not B10 or B1k: the expression matches the whole id.
	expr := ".*"
	if *only != "" {
		expr = *only
	}
	var err error
	o.Only, err = regexp.Compile("^(?:" + expr + ")$")
	return o, err
}

// Workload is one entry of the suite.
type Workload struct {
	ID       string
	Name     string
	Run      func(ctx context.Context, s *Suite) (Result, error)
	OnDemand bool // only when -only names it or -long is given
}

func workloads() []Workload {
	return []Workload{
		{ID: "B1", Name: "fan-out", Run: fanOut},
		{ID: "B1k", Name: "fan-out with kills", Run: fanOutKilled, OnDemand: true},
		{ID: "B2", Name: "chain", Run: chain},
		{ID: "B3", Name: "trigger to first process", Run: trigger},
		{ID: "B4", Name: "many small runs", Run: manyRuns},
		{ID: "B4k", Name: "many small runs with kills", Run: manyRunsKilled, OnDemand: true},
		{ID: "B5", Name: "mixed graphs", Run: mixed},
		{ID: "B6", Name: "logic only", Run: logicOnly},
		{ID: "B7", Name: "sleepers", Run: sleepers},
		{ID: "B8", Name: "schedules", Run: schedules},
		{ID: "B9", Name: "failover", Run: failover, OnDemand: true},
		{ID: "B10", Name: "logs", Run: logs},
		{ID: "B12", Name: "drift", Run: drift, OnDemand: true},
		{ID: "B13", Name: "start", Run: startUp},
	}
}

// Report is what -json writes.
type Report struct {
	At       time.Time `json:"at"`
	Commit   string    `json:"commit"`
	Dirty    bool      `json:"dirty"`
	Go       string    `json:"go"`
	CPUs     int       `json:"cpus"`
	Kernel   string    `json:"kernel"`
	DB       string    `json:"db"`
	Settings []string  `json:"settings"`
	Results  []Result  `json:"results"`
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := options(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	var builder harness.Builder
	defer func() { _ = builder.Close() }()
	binary, err := builder.Path(ctx)
	if err != nil {
		return err
	}
	s, err := newSuite(o, binary, out)
	if err != nil {
		return err
	}
	defer s.close()
	report := Report{
		At: time.Now().UTC(), Go: runtime.Version(), CPUs: runtime.NumCPU(), DB: o.DB,
		Kernel: output(ctx, "uname", "-r"), Commit: output(ctx, "git", "rev-parse", "--short", "HEAD"),
		Dirty: output(ctx, "git", "status", "--porcelain") != "",
	}
	var failed error
	for _, w := range workloads() {
		named := o.Only.String() != "^(?:.*)$"
		if !o.Only.MatchString(w.ID) || w.OnDemand && !named && !o.Long {
			continue
		}
		r, err := w.Run(ctx, s)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.Void = err.Error()
			failed = errors.Join(failed, fmt.Errorf("%s: %w", w.ID, err))
		}
		r.ID, r.Name = w.ID, w.Name
		report.Results = append(report.Results, r)
		fmt.Fprintln(out, r)
	}
	report.Settings = s.settings
	fmt.Fprintf(out, "%s, commit %s, %d cores, %s\n", strings.Join(s.settings, " "), report.Commit, report.CPUs, report.Go)
	if o.JSON != "" {
		raw, err := json.MarshalIndent(report, "", "  ")
		if err == nil {
			err = os.WriteFile(o.JSON, append(raw, '\n'), 0o644)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

func output(ctx context.Context, name string, args ...string) string {
	raw, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}
