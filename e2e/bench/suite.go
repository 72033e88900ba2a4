package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // to look into the database after a run

	"dorado/e2e/harness"
)

const password = "bench-Passw0rd"

// Suite holds what the workloads share: a running product and the shell it was seen to use.
type Suite struct {
	o        Options
	out      io.Writer
	binary   string
	dir      string // scratch, readable by all
	settings []string

	pg    *harness.Postgres
	world *World
}

// World is a running product with a project to work in.
type World struct {
	Master  *harness.Process // in SQLite mode the only process
	Worker  *harness.Process // nil in SQLite mode
	DB      string           // address of the database
	Client  *harness.Client
	Project int64
	Shell   Shell

	suite *Suite
}

func newSuite(o Options, binary string, out io.Writer) (*Suite, error) {
	dir, err := os.MkdirTemp("", "dorado-bench-")
	if err != nil {
		return nil, err
	}
	// Tasks of another user write their ledgers here.
	if err := os.Chmod(dir, 0o777); err != nil {
		return nil, err
	}
	return &Suite{o: o, out: out, binary: binary, dir: dir}, nil
}

func (s *Suite) close() {
	s.stopWorld()
	if s.pg != nil {
		if err := s.pg.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
	if s.o.Keep {
		fmt.Fprintln(s.out, "left behind:", s.dir)
		return
	}
	if err := os.RemoveAll(s.dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
}

func (s *Suite) stopWorld() {
	if s.world == nil {
		return
	}
	w := s.world
	s.world = nil
	w.Client.Close()
	for _, p := range []*harness.Process{w.Worker, w.Master} {
		if p == nil {
			continue
		}
		if s.o.Keep {
			_ = os.WriteFile(filepath.Join(s.dir, fmt.Sprintf("log-%d.txt", time.Now().UnixNano())), []byte(p.Log()), 0o644)
		}
		if err := p.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
}

// shared returns the running product, starting it when there is none.
func (s *Suite) shared(ctx context.Context) (*World, error) {
	if s.world != nil && s.world.alive() {
		return s.world, nil
	}
	return s.fresh(ctx)
}

func (w *World) alive() bool { return w.Master.Running() && (w.Worker == nil || w.Worker.Running()) }

// fresh starts a new product on an empty database, with more environment variables when given.
func (s *Suite) fresh(ctx context.Context, env ...string) (*World, error) {
	s.stopWorld()
	w := &World{suite: s}
	var err error
	if s.o.DB == "pg" {
		err = w.startPair(ctx, env)
	} else {
		err = w.startAlone(ctx, env)
	}
	if w.Master != nil {
		s.world = w // so that close stops what has been started
		w.Client = harness.NewClient(w.Master.URL)
	}
	if err != nil {
		return nil, err
	}
	ready, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if _, err := w.Master.WaitReady(ready); err != nil {
		return nil, err
	}
	if err := w.Client.Login(ctx, "admin", password); err != nil {
		return nil, err
	}
	if err := w.Client.UseToken(ctx); err != nil {
		return nil, err
	}
	p, err := w.Client.CreateProject(ctx, "bench", "")
	if err != nil {
		return nil, err
	}
	w.Project = p.Code
	if err := w.checkDurability(ctx); err != nil {
		return nil, err
	}
	if err := w.probe(ctx); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *World) startAlone(ctx context.Context, env []string) error {
	p, err := harness.Start(ctx, harness.Options{
		Binary: w.suite.binary, Mode: "standalone", AdminPassword: password, Env: env,
	})
	if err != nil {
		return err
	}
	w.Master, w.DB = p, filepath.Join(p.Data, "dorado.db")
	return nil
}

func (w *World) startPair(ctx context.Context, env []string) error {
	s := w.suite
	if s.pg == nil {
		pg, err := harness.StartPostgres(ctx)
		if err != nil {
			return err
		}
		s.pg = pg
	}
	var err error
	if w.DB, err = s.pg.Create(ctx, fmt.Sprintf("bench_%d", time.Now().UnixNano())); err != nil {
		return err
	}
	w.Master, w.Worker, err = harness.StartCluster(ctx, harness.Cluster{
		Binary: s.binary, Database: w.DB, AdminPassword: password, Env: env,
	})
	return err
}

// roots returns the processes whose trees are the product: itself and the database server.
func (w *World) roots() []int {
	roots := []int{w.Master.PID()}
	if w.Worker != nil {
		roots = append(roots, w.Worker.PID(), w.suite.pg.PID())
	}
	return roots
}

// checkDurability reads back what makes a commit durable, and refuses a database that does not.
func (w *World) checkDurability(ctx context.Context) error {
	db, err := w.open()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	want := map[string]string{"journal_mode": "wal"}
	query := "PRAGMA "
	if w.Worker != nil {
		want = map[string]string{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
		query = "SHOW "
	}
	w.suite.settings = nil
	for name, value := range want {
		var got string
		if err := db.QueryRowContext(ctx, query+name).Scan(&got); err != nil {
			return err
		}
		w.suite.settings = append(w.suite.settings, name+"="+got)
		if !strings.EqualFold(got, value) {
			return fmt.Errorf("%s is %s: this would measure something else than the promise", name, got)
		}
	}
	// What a session sets for itself cannot be asked from outside; the product tells by its health page.
	told, err := w.told(ctx)
	if err != nil {
		return err
	}
	w.suite.settings = append(w.suite.settings, told...)
	return nil
}

// told reads the database details of the health endpoint.
func (w *World) told(ctx context.Context) ([]string, error) {
	details, err := w.Client.HealthDetails(ctx)
	if err != nil {
		return nil, err
	}
	out := []string{"database=" + details["database"]}
	for _, key := range []string{"synchronous", "synchronous_commit"} {
		value, ok := details[key]
		if !ok {
			continue
		}
		out = append(out, key+"="+value+" (told)")
		if v := strings.ToLower(value); v != "full" && v != "extra" && v != "on" && v != "2" && v != "3" {
			return nil, fmt.Errorf("the product sets %s to %s", key, value)
		}
	}
	return out, nil
}

// open looks into the database beside the product.
func (w *World) open() (*sql.DB, error) {
	if w.Worker != nil {
		return sql.Open("postgres", w.DB)
	}
	return sql.Open("sqlite", "file:"+w.DB+"?mode=ro&_pragma=busy_timeout(5000)")
}

// probe runs one task that tells how tasks are run, so that the raw loop does the same.
func (w *World) probe(ctx context.Context) error {
	dir, err := os.MkdirTemp(w.suite.dir, "probe-")
	if err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		return err
	}
	script := fmt.Sprintf("cd %s; cat /proc/$$/environ > env; readlink /proc/$$/exe > exe; id -u > uid; id -g > gid; id -G > groups", dir)
	d, err := w.Client.Publish(ctx, w.Project, harness.Workflow{Name: "probe", Tasks: []harness.Task{{Name: "probe", Script: script}}})
	if err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if _, err := w.start(limit, d.Code, true); err != nil {
		return err
	}
	read := func(name string) string {
		raw, readErr := os.ReadFile(filepath.Join(dir, name))
		err = errors.Join(err, readErr)
		return strings.TrimSpace(string(raw))
	}
	w.Shell = Shell{Path: read("exe"), Dir: "/"}
	for kv := range strings.SplitSeq(read("env"), "\x00") {
		if kv != "" && !strings.HasPrefix(kv, "DORADO_SCRIPT=") { // the loop gives its script as an argument
			w.Shell.Env = append(w.Shell.Env, kv)
		}
	}
	uid, gid, groups := read("uid"), read("gid"), strings.Fields(read("groups"))
	if err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		w.Shell.User, err = credential(uid, gid, groups)
	}
	return err
}

func credential(uid, gid string, groups []string) (*syscall.Credential, error) {
	id := func(text string) (uint32, error) {
		n, err := strconv.ParseUint(text, 10, 32)
		return uint32(n), err
	}
	var c syscall.Credential
	var err error
	if c.Uid, err = id(uid); err != nil {
		return nil, err
	}
	if c.Gid, err = id(gid); err != nil {
		return nil, err
	}
	for _, g := range groups {
		n, err := id(g)
		if err != nil {
			return nil, err
		}
		c.Groups = append(c.Groups, n)
	}
	if _, err := user.LookupId(uid); err != nil {
		return nil, err
	}
	return &c, nil
}

// lanes is how many tasks either side starts at once.
func lanes() int { return 2 * runtime.NumCPU() }

// start starts a workflow and, when asked, waits for SUCCESS.
func (w *World) start(ctx context.Context, code int64, wait bool) (int64, error) {
	id, err := w.Client.StartWorkflow(ctx, w.Project, code, harness.StartOptions{Tenant: w.suite.o.Tenant})
	if err != nil || !wait {
		return id, err
	}
	_, err = w.Client.WaitInstance(ctx, w.Project, id, 2*time.Millisecond, "SUCCESS")
	return id, err
}

// measured runs something once, with the machine's idle share before and the CPU time of the given side.
func (s *Suite) measured(ctx context.Context, side string, cpu func() (Parts, error), do func() error) (Sample, error) {
	free, err := idle(ctx, time.Second)
	if s.o.Smoke || err != nil {
		free = 1
	}
	load, _ := os.ReadFile("/proc/loadavg") // for the record only
	before, err := cpu()
	if err != nil {
		return Sample{}, err
	}
	began := time.Now()
	if err := do(); err != nil {
		return Sample{}, fmt.Errorf("%s: %w", side, err)
	}
	wall := time.Since(began)
	after, err := cpu()
	if err != nil {
		return Sample{}, err
	}
	first, _, _ := strings.Cut(string(load), " ")
	return Sample{Side: side, Wall: wall, CPU: after.since(before).total(), Parts: after.since(before), Idle: free, Load: first}, nil
}

// pairs alternates raw and ours, one warm-up pair and then as many as asked for. Both return the sample's value.
func (s *Suite) pairs(ctx context.Context, w *World, raw, ours func() (float64, error)) ([]pair, error) {
	var out []pair
	for i := range s.o.Pairs() + 1 {
		var p pair
		var err error
		take := func(into *Sample, side string, cpu func() (Parts, error), f func() (float64, error)) {
			if err != nil {
				return
			}
			var value float64
			*into, err = s.measured(ctx, side, cpu, func() error {
				var runErr error
				value, runErr = f()
				return runErr
			})
			into.Value = value
		}
		take(&p.raw, "raw", loopParts, raw)
		take(&p.ours, "dorado", w.parts, ours)
		if err != nil {
			return out, err
		}
		if i > 0 || s.o.Smoke {
			out = append(out, p)
		}
		if s.o.Smoke {
			break
		}
	}
	return out, nil
}

// quiet says that nothing is left to do: no command waits. Rows that are not final are found by the caller.
func (w *World) quiet(ctx context.Context) error {
	db, err := w.open()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	var commands, open int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM command").Scan(&commands); err != nil {
		return err
	}
	const unfinished = `SELECT count(*) FROM task_instance WHERE end_time IS NULL`
	if err := db.QueryRowContext(ctx, unfinished).Scan(&open); err != nil {
		return err
	}
	if commands != 0 || open != 0 {
		return fmt.Errorf("%d commands left, %d task rows not final", commands, open)
	}
	return nil
}
