package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"dorado/e2e/harness"
)

// taskID is the built-in parameter that names the attempt.
const taskID = "${system.task.instance.id}"

// runID is the built-in parameter that names the run.
const runID = "${system.workflow.instance.id}"

// wide returns a workflow of n tasks with the same script and no edges.
func wide(name string, n int, script string) harness.Workflow {
	w := harness.Workflow{Name: name}
	for i := range n {
		w.Tasks = append(w.Tasks, harness.Task{Name: "t" + strconv.Itoa(i), Script: script})
	}
	return w
}

// fanOut is B1: many tasks that may all run at once.
func fanOut(ctx context.Context, s *Suite) (Result, error) {
	n := s.o.size(50, 3000, 10_000)
	r := Result{Each: n, Size: fmt.Sprintf("%d tasks", n)}
	w, err := s.shared(ctx)
	if err != nil {
		return r, err
	}
	l, err := newLedger(filepath.Join(s.dir, "b1"))
	if err != nil {
		return r, err
	}
	d, err := w.Client.Publish(ctx, w.Project, wide("B1", n, l.Line(taskID)))
	if err != nil {
		return r, err
	}
	round := 0
	pairs, err := s.pairs(ctx, w,
		func() (float64, error) {
			round++
			if l, err = newLedger(l.Path); err != nil {
				return 0, err
			}
			dir := filepath.Join(s.dir, fmt.Sprintf("raw-b1-%d", round))
			raw, err := rawLoop(ctx, w.Shell, n, lanes(), dir, func(i int) string { return l.Line(strconv.Itoa(i)) })
			if err != nil {
				return 0, err
			}
			return float64(n) / raw.Wall.Seconds(), l.check(n, nil)
		},
		func() (float64, error) {
			if l, err = newLedger(l.Path); err != nil {
				return 0, err
			}
			wall, err := w.runOnce(ctx, d.Code, l, n)
			return float64(n) / wall.Seconds(), err
		})
	if err != nil {
		return r, err
	}
	r.summarise(pairs, true)
	r.Value = fmt.Sprintf("%.0f tasks/s", median(values(pairs, func(p pair) float64 { return p.ours.Value })))
	r.Raw = fmt.Sprintf("%.0f tasks/s", median(values(pairs, func(p pair) float64 { return p.raw.Value })))
	r.bar("0.90", r.Ratio.Median >= 0.90)
	return r, nil
}

// runOnce starts a workflow of n tasks that write to the ledger, waits for SUCCESS and checks that each ran once. It
// returns the time from the request to SUCCESS.
func (w *World) runOnce(ctx context.Context, code int64, l Ledger, n int) (time.Duration, error) {
	began := time.Now()
	id, err := w.start(ctx, code, false)
	if err != nil {
		return 0, err
	}
	// Asking for the run's state costs the product something, so it is asked only once the tasks have run.
	if err := l.await(ctx, n); err != nil {
		return 0, err
	}
	if _, err := w.Client.WaitInstance(ctx, w.Project, id, time.Millisecond, "SUCCESS"); err != nil {
		return 0, err
	}
	wall := time.Since(began)
	tasks, err := w.Client.Tasks(ctx, w.Project, id)
	if err != nil {
		return 0, err
	}
	ids := make(map[string]bool, len(tasks))
	for _, t := range tasks {
		if t.State != "SUCCESS" {
			return 0, fmt.Errorf("task %s is %s in a successful run", t.Name, t.State)
		}
		ids[strconv.FormatInt(t.ID, 10)] = true
	}
	if err := l.check(n, ids); err != nil {
		return 0, err
	}
	return wall, w.quiet(ctx)
}

// await polls the ledger until it has n lines. It gives up when nothing comes for a while.
func (l Ledger) await(ctx context.Context, n int) error {
	const patience = 30 * time.Second
	var at int64
	seen, last := 0, time.Now()
	for seen < n {
		more, err := l.Count(&at)
		if err != nil {
			return err
		}
		if more > 0 {
			seen, last = seen+more, time.Now()
		} else if time.Since(last) > patience {
			return fmt.Errorf("%d of %d tasks ran, then none for %s", seen, n, patience)
		}
		// Far from the end one need not know it to the millisecond, and the processors that looking takes are missing to the
		// product.
		pause := time.Millisecond
		if left := n - seen; left > max(n/10, 100) {
			pause = 50 * time.Millisecond
		} else if left > lanes() {
			pause = 5 * time.Millisecond
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	return nil
}

// check applies the rule of exactly once: n lines, no id twice, and the given ids when there are any.
func (l Ledger) check(n int, ids map[string]bool) error {
	entries, err := l.Entries()
	if err != nil {
		return err
	}
	if again := twice(entries); len(again) > 0 {
		return fmt.Errorf("%d tasks ran more than once: %v", len(again), again)
	}
	if len(entries) != n {
		return fmt.Errorf("%d tasks ran, not %d", len(entries), n)
	}
	for _, e := range entries {
		if ids != nil && !ids[e.ID] {
			return fmt.Errorf("task instance %s ran but is not in the run", e.ID)
		}
	}
	return nil
}

// chain is B2: each task waits for the one before.
func chain(ctx context.Context, s *Suite) (Result, error) {
	const length = 100
	rounds := s.o.size(1, 3, 5)
	r := Result{Each: rounds * length, Size: fmt.Sprintf("%d × %d tasks", rounds, length)}
	w, err := s.shared(ctx)
	if err != nil {
		return r, err
	}
	l, err := newLedger(filepath.Join(s.dir, "b2"))
	if err != nil {
		return r, err
	}
	wf := harness.Workflow{Name: "B2"}
	for i := range length {
		t := harness.Task{Name: "t" + strconv.Itoa(i), Script: l.Line(taskID)}
		if i > 0 {
			t.After = []string{"t" + strconv.Itoa(i-1)}
		}
		wf.Tasks = append(wf.Tasks, t)
	}
	d, err := w.Client.Publish(ctx, w.Project, wf)
	if err != nil {
		return r, err
	}
	var rawHops, hops []time.Duration
	repeat := func(hops *[]time.Duration, once func(round int) error) (float64, error) {
		var all []time.Duration
		for i := range rounds {
			if l, err = newLedger(l.Path); err != nil {
				return 0, err
			}
			if err := once(i); err != nil {
				return 0, err
			}
			entries, err := l.Entries()
			if err != nil {
				return 0, err
			}
			all = append(all, gaps(entries)...)
		}
		*hops = append(*hops, all...)
		return quantile(all, 0.5).Seconds() * 1000, nil
	}
	pairs, err := s.pairs(ctx, w,
		func() (float64, error) {
			return repeat(&rawHops, func(int) error {
				_, err := rawLoop(ctx, w.Shell, length, 1, filepath.Join(s.dir, "raw-b2"), func(i int) string { return l.Line(strconv.Itoa(i)) })
				return errors.Join(err, l.check(length, nil))
			})
		},
		func() (float64, error) {
			return repeat(&hops, func(int) error {
				_, err := w.runOnce(ctx, d.Code, l, length)
				return err
			})
		})
	if err != nil {
		return r, err
	}
	r.summarise(pairs, false)
	r.Value = fmt.Sprintf("hop p50 %s p99 %s", ms(quantile(hops, 0.5)), ms(quantile(hops, 0.99)))
	r.Raw = fmt.Sprintf("p50 %s p99 %s", ms(quantile(rawHops, 0.5)), ms(quantile(rawHops, 0.99)))
	r.bar("0.50", r.Ratio.Median >= 0.50)
	return r, nil
}

// gaps returns the times between one line and the next.
func gaps(entries []Entry) []time.Duration {
	var out []time.Duration
	for i := 1; i < len(entries); i++ {
		out = append(out, entries[i].At.Sub(entries[i-1].At))
	}
	return out
}
