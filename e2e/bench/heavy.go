package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"dorado/e2e/harness"
)

// sleepers is B7: ten thousand tasks that sleep, and ten thousand that wait for their time without a process.
func sleepers(ctx context.Context, s *Suite) (Result, error) {
	n := s.o.size(100, 10_000, 10_000)
	nap := time.Duration(s.o.size(1, 30, 60)) * time.Second
	r := Result{Size: fmt.Sprintf("%d × sleep %.0f", n, nap.Seconds())}
	w, err := s.fresh(ctx, "DORADO_WORKER_SLOTS="+strconv.Itoa(n+100))
	if err != nil {
		return r, err
	}
	l, err := newLedger(filepath.Join(s.dir, "b7"))
	if err != nil {
		return r, err
	}
	script := func(id string) string { return fmt.Sprintf("%s; exec sleep %.0f", l.Line(id), nap.Seconds()) }

	before, err := readProc(os.Getpid())
	if err != nil {
		return r, err
	}
	rawPeak := watch(ctx, os.Getpid())
	if err := rawSleeps(ctx, w.Shell, n, filepath.Join(s.dir, "raw-b7"), func(i int) string { return script(strconv.Itoa(i)) }); err != nil {
		return r, err
	}
	bare := rawPeak()
	r.Raw = fmt.Sprintf("loop +%.0f MB, %d threads", mb(bare.RSS-before.RSS), bare.Threads)

	if l, err = newLedger(l.Path); err != nil {
		return r, err
	}
	d, err := w.Client.Publish(ctx, w.Project, wide("B7", n, script(taskID)))
	if err != nil {
		return r, err
	}
	masterPeak, workerPeak := watch(ctx, w.Master.PID()), func() Proc { return Proc{} }
	if w.Worker != nil {
		workerPeak = watch(ctx, w.Worker.PID())
	}
	id, err := w.start(ctx, d.Code, false)
	if err != nil {
		return r, err
	}
	if err := l.await(ctx, n); err != nil {
		return r, err
	}
	if _, err := w.Client.WaitInstance(ctx, w.Project, id, 50*time.Millisecond, "SUCCESS"); err != nil {
		return r, err
	}
	ended := time.Now()
	entries, err := l.Entries()
	if err != nil {
		return r, err
	}
	if err := l.check(n, nil); err != nil {
		return r, err
	}
	var lastDue time.Time
	for _, e := range entries {
		if due := e.At.Add(nap); due.After(lastDue) {
			lastDue = due
		}
	}
	late := ended.Sub(lastDue)
	started := entries[len(entries)-1].At.Sub(entries[0].At)
	master, worker := masterPeak(), workerPeak()
	held := late <= 2*time.Second
	if w.Worker != nil {
		r.Value = fmt.Sprintf("worker %.0f MB, %d threads; master %.0f MB", mb(worker.RSS), worker.Threads, mb(master.RSS))
		held = held && mb(worker.RSS) <= 100 && worker.Threads <= 50 && mb(master.RSS) <= 150
	} else {
		r.Value = fmt.Sprintf("standalone %.0f MB, %d threads", mb(master.RSS), master.Threads)
		held = held && mb(master.RSS) <= 250 && master.Threads <= 50
	}
	r.note("all were started within %s; the run ended %s after the last was due", started.Round(time.Millisecond), late.Round(time.Millisecond))
	if err := w.delays(ctx, n, &r); err != nil {
		return r, err
	}
	r.bar("worker 100 MB, 50 threads; master 150 MB; end within 2 s", held)
	s.stopWorld() // it has many slots: the next workload gets a usual one
	return r, nil
}

// delays starts a run whose tasks all wait for a minute to pass, looks at the memory, and stops it.
func (w *World) delays(ctx context.Context, n int, r *Result) error {
	wf := wide("B7 delays", n, "true")
	for i := range wf.Tasks {
		wf.Tasks[i].Delay = 1
	}
	d, err := w.Client.Publish(ctx, w.Project, wf)
	if err != nil {
		return err
	}
	id, err := w.start(ctx, d.Code, false)
	if err != nil {
		return err
	}
	// Tasks of one run are delayed together, so when the last is listed all are.
	began := time.Now()
	for {
		tasks, err := w.Client.Tasks(ctx, w.Project, id)
		if err != nil {
			return err
		}
		if len(tasks) == n {
			break
		}
		if time.Since(began) > 50*time.Second {
			return fmt.Errorf("only %d of %d tasks are delayed", len(tasks), n)
		}
		time.Sleep(250 * time.Millisecond)
	}
	at, err := readProc(w.Master.PID())
	if err != nil {
		return err
	}
	r.note("%d delays without a process: master %.0f MB, %d threads", n, mb(at.RSS), at.Threads)
	if err := w.Client.Execute(ctx, w.Project, id, "STOP"); err != nil {
		return err
	}
	_, err = w.Client.WaitInstance(ctx, w.Project, id, 50*time.Millisecond, "STOP")
	return err
}

// rawSleeps starts all scripts, as many at once as there are lanes, and then waits for all.
func rawSleeps(ctx context.Context, sh Shell, n int, logs string, script func(i int) string) error {
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return err
	}
	gate := make(chan struct{}, lanes())
	errs := make(chan error, n)
	var wg sync.WaitGroup
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		gate <- struct{}{}
		wg.Go(func() {
			c, err := start(sh, script(i), filepath.Join(logs, strconv.Itoa(i)+".log"))
			<-gate
			if err == nil {
				_, err = c.wait()
			}
			if err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	close(errs)
	return errors.Join(<-errs, ctx.Err())
}

// watch samples a process until the returned function is called, which gives the highest values seen.
func watch(ctx context.Context, pid int) func() Proc {
	ctx, cancel := context.WithCancel(ctx)
	var peak Proc
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if p, err := readProc(pid); err == nil {
				peak.RSS, peak.Threads = max(peak.RSS, p.RSS), max(peak.Threads, p.Threads)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	return func() Proc {
		cancel()
		wg.Wait()
		return peak
	}
}

func mb(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// logs is B10: how much does the product stand in the way of a task that writes a lot?
func logs(ctx context.Context, s *Suite) (Result, error) {
	size := s.o.size(4, 256, 256)
	r := Result{Size: fmt.Sprintf("1 × %d MB, 200 × 1 MB", size)}
	w, err := s.shared(ctx)
	if err != nil {
		return r, err
	}
	const line = "2026-01-01 00:00:00,000 INFO  a line as long as the lines that programs usually write, about a hundred"
	script := func(mb int) string { return fmt.Sprintf("yes '%s' | head -c %d", line, mb<<20) }
	d, err := w.Client.Publish(ctx, w.Project, wide("B10", 1, script(size)))
	if err != nil {
		return r, err
	}
	server := w.Master
	if w.Worker != nil {
		server = w.Worker
	}
	var own []time.Duration
	pairs, err := s.pairs(ctx, w,
		func() (float64, error) {
			began := time.Now()
			err := runOne(w.Shell, script(size), filepath.Join(s.dir, fmt.Sprintf("raw-b10-%d.log", time.Now().UnixNano())))
			return float64(size) / time.Since(began).Seconds(), err
		},
		func() (float64, error) {
			before, err := ownCPU(server.PID())
			if err != nil {
				return 0, err
			}
			began := time.Now()
			if _, err := w.start(ctx, d.Code, true); err != nil {
				return 0, err
			}
			rate := float64(size) / time.Since(began).Seconds()
			after, err := ownCPU(server.PID())
			own = append(own, after-before)
			return rate, err
		})
	if err != nil {
		return r, err
	}
	r.summarise(pairs, true)
	r.Value = fmt.Sprintf("%.0f MB/s", median(values(pairs, func(p pair) float64 { return p.ours.Value })))
	r.Raw = fmt.Sprintf("%.0f MB/s", median(values(pairs, func(p pair) float64 { return p.raw.Value })))
	cpu := quantile(own, 0.5)
	r.note("CPU of the worker itself while the log was written: %s", ms(cpu))
	if err := w.tail(ctx, s, &r); err != nil {
		return r, err
	}
	if err := w.manyLogs(ctx, s, &r, script(1)); err != nil {
		return r, err
	}
	r.bar("0.95, worker CPU 0.25 s", r.Ratio.Median >= 0.95 && cpu <= 250*time.Millisecond)
	return r, nil
}

// tail measures how soon the first byte of a growing log can be read.
func (w *World) tail(ctx context.Context, s *Suite, r *Result) error {
	d, err := w.Client.Publish(ctx, w.Project, harness.Workflow{Name: "B10 tail", Tasks: []harness.Task{
		{Name: "talk", Script: "for i in $(seq 1 2000); do echo line $i; sleep 0.001; done"},
	}})
	if err != nil {
		return err
	}
	id, err := w.start(ctx, d.Code, false)
	if err != nil {
		return err
	}
	var task harness.TaskInstance
	for task.State != "RUNNING_EXECUTION" {
		tasks, err := w.Client.Tasks(ctx, w.Project, id)
		if err != nil {
			return err
		}
		if len(tasks) == 1 {
			task = tasks[0]
		}
		time.Sleep(2 * time.Millisecond)
	}
	var times []time.Duration
	for range s.o.size(3, 30, 100) {
		began := time.Now()
		if _, err := w.Client.TaskLog(ctx, task.ID, 0, 100); err != nil {
			return err
		}
		times = append(times, time.Since(began))
	}
	r.note("first 100 lines of a log while it grows, by HTTP: p50 %s, p99 %s", ms(quantile(times, 0.5)), ms(quantile(times, 0.99)))
	_, err = w.Client.WaitInstance(ctx, w.Project, id, 20*time.Millisecond, "SUCCESS")
	return err
}

func (w *World) manyLogs(ctx context.Context, s *Suite, r *Result, script string) error {
	n := s.o.size(10, 200, 200)
	d, err := w.Client.Publish(ctx, w.Project, wide("B10 many", n, script))
	if err != nil {
		return err
	}
	var ratios, rates []float64
	for range s.o.Pairs() {
		raw, err := rawLoop(ctx, w.Shell, n, lanes(), filepath.Join(s.dir, "raw-b10-many"), func(int) string { return script })
		if err != nil {
			return err
		}
		began := time.Now()
		if _, err := w.start(ctx, d.Code, true); err != nil {
			return err
		}
		took := time.Since(began)
		ratios, rates = append(ratios, raw.Wall.Seconds()/took.Seconds()), append(rates, float64(n)/took.Seconds())
	}
	r.note("%d tasks of 1 MB: %.0f MB/s, ratio %s", n, median(rates), spreadOf(ratios))
	return nil
}

// ownCPU is a process's CPU time without its children.
func ownCPU(pid int) (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * tick, errors.Join(err1, err2)
}

// startUp is B13: from nothing to a finished task, and what doing nothing costs.
func startUp(ctx context.Context, s *Suite) (Result, error) {
	rounds := s.o.size(1, 5, 10)
	rest := time.Duration(s.o.size(1, 10, 30)) * time.Second
	r := Result{Size: fmt.Sprintf("%d starts", rounds)}
	info, err := os.Stat(s.binary)
	if err != nil {
		return r, err
	}
	s.stopWorld()
	sqlite := &Suite{o: s.o, out: s.out, binary: s.binary, dir: s.dir}
	sqlite.o.DB = "sqlite" // `dorado standalone` without options
	defer sqlite.stopWorld()
	var ready, first []time.Duration
	for range rounds {
		sqlite.stopWorld()
		began := time.Now()
		w := &World{suite: sqlite}
		if err := w.startAlone(ctx, nil); err != nil {
			return r, err
		}
		sqlite.world = w
		w.Client = harness.NewClient(w.Master.URL)
		limit, cancel := context.WithTimeout(ctx, 30*time.Second)
		up, err := w.Master.WaitReady(limit)
		if err == nil {
			err = w.firstTask(limit)
		}
		cancel()
		if err != nil {
			return r, err
		}
		ready, first = append(ready, up), append(first, time.Since(began))
	}
	w := sqlite.world
	select { // let what the first task left behind settle
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
		return r, ctx.Err()
	}
	before, err := treeCPU(w.Master.PID())
	if err != nil {
		return r, err
	}
	select {
	case <-time.After(rest):
	case <-ctx.Done():
		return r, ctx.Err()
	}
	after, err := treeCPU(w.Master.PID())
	if err != nil {
		return r, err
	}
	at, err := readProc(w.Master.PID())
	if err != nil {
		return r, err
	}
	share := 100 * (after - before).Seconds() / rest.Seconds()
	r.Value = fmt.Sprintf("first task done after %s (ready after %s)", ms(quantile(first, 0.5)), ms(quantile(ready, 0.5)))
	r.note("binary %.1f MB; idle for %s: %.2f %% of a core, %.0f MB, %d threads", mb(info.Size()), rest, share, mb(at.RSS), at.Threads)
	r.bar("2 s, idle < 1 % CPU, 60 MB", quantile(first, 0.5) <= 2*time.Second && share < 1 && mb(at.RSS) <= 60)
	return r, nil
}

// firstTask does what a script does on a new server.
func (w *World) firstTask(ctx context.Context) error {
	if err := w.Client.Login(ctx, "admin", password); err != nil {
		return err
	}
	p, err := w.Client.CreateProject(ctx, "first", "")
	if err != nil {
		return err
	}
	w.Project = p.Code
	d, err := w.Client.Publish(ctx, p.Code, wide("first", 1, "true"))
	if err != nil {
		return err
	}
	_, err = w.start(ctx, d.Code, true)
	return err
}
