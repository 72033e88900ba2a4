package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"dorado/e2e/harness"
)

// drift is B12: a great many small tasks, one run after another. The last tenth must be as fast as the first, memory must
// not grow with what is over, and a row must not cost more than it did.
func drift(ctx context.Context, s *Suite) (Result, error) {
	const perRun, tenths = 10, 10
	n := s.o.size(500, 20_000, 1_000_000)
	r := Result{Size: fmt.Sprintf("%d tasks", n)}
	w, err := s.fresh(ctx)
	if err != nil {
		return r, err
	}
	defer s.stopWorld() // nobody else wants so full a database
	l, err := newLedger(filepath.Join(s.dir, "b12"))
	if err != nil {
		return r, err
	}
	// One line a run: the last task's, which comes after all others.
	wf := harness.Workflow{Name: "B12"}
	var before []string
	for i := range perRun - 1 {
		name := "t" + strconv.Itoa(i)
		wf.Tasks, before = append(wf.Tasks, harness.Task{Name: name, Script: "true"}), append(before, name)
	}
	wf.Tasks = append(wf.Tasks, harness.Task{Name: "last", Script: l.Line(runID), After: before})
	d, err := w.Client.Publish(ctx, w.Project, wf)
	if err != nil {
		return r, err
	}
	hops, err := w.hopper(ctx, s)
	if err != nil {
		return r, err
	}
	var marks []mark
	for range tenths {
		if l, err = newLedger(l.Path); err != nil {
			return r, err
		}
		runs := n / perRun / tenths
		began := time.Now()
		ids, err := w.flood(ctx, d.Code, l, runs, 32, nil)
		if err != nil {
			return r, err
		}
		if err := w.settled(ctx, d.Code); err != nil {
			return r, err
		}
		m := mark{rate: float64(runs*perRun) / time.Since(began).Seconds()}
		if err := errors.Join(l.check(runs, ids), w.quiet(ctx)); err != nil {
			return r, err
		}
		if err := w.weigh(ctx, &m); err != nil {
			return r, err
		}
		if m.hop, m.raw, err = hops(ctx); err != nil {
			return r, err
		}
		marks = append(marks, m)
	}
	first, last := marks[0], marks[len(marks)-1]
	// The machine's own speed wanders, so what is compared is how many bare hops one of ours is worth.
	ratio := (first.hop.Seconds() / first.raw.Seconds()) / (last.hop.Seconds() / last.raw.Seconds())
	r.Value = fmt.Sprintf("hop p50 %s at first, %s at last", ms(first.hop), ms(last.hop))
	r.Raw = fmt.Sprintf("hop p50 %s, %s", ms(first.raw), ms(last.raw))
	r.Ratio = spread{Median: ratio, Min: ratio, Max: ratio}
	for _, m := range marks {
		r.Samples = append(r.Samples, Sample{Side: "raw", Value: m.raw.Seconds() * 1000}, Sample{Side: "dorado", Value: m.hop.Seconds() * 1000})
	}
	r.note("%.0f tasks/s at first, %.0f at last (slowest tenth %.0f)", first.rate, last.rate, slices.MinFunc(marks, func(a, b mark) int { return int(a.rate - b.rate) }).rate)
	r.note("master %.0f → %.0f MB, worker %.0f → %.0f MB, PostgreSQL %.0f → %.0f MB", mb(first.master), mb(last.master), mb(first.worker), mb(last.worker), mb(first.server), mb(last.server))
	r.note("tables %.1f → %.1f MB; %.0f bytes a task at first, %.0f at last", mb(first.tables), mb(last.tables),
		float64(first.tables)/float64(first.rows), float64(last.tables)/float64(last.rows))
	// A master of a fresh start still fills its caches; what counts is that it does not go on growing.
	grown := mb(last.master) - mb(first.master)
	r.bar("last / first >= 0.9, master grows by less than 64 MB", ratio >= 0.9 && grown < 64)
	return r, nil
}

// mark is how things stand after a tenth.
type mark struct {
	hop, raw                       time.Duration // of a chain, and of the bare loop beside it
	rate                           float64
	master, worker, server, tables int64 // bytes
	rows                           int64
}

// weigh reads memory and table sizes.
func (w *World) weigh(ctx context.Context, m *mark) error {
	p, err := readProc(w.Master.PID())
	if err != nil {
		return err
	}
	m.master = p.RSS
	db, err := w.open()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	size := `SELECT (SELECT count(*) FROM task_instance), page_count * page_size FROM pragma_page_count, pragma_page_size`
	if w.Worker != nil {
		if p, err = readProc(w.Worker.PID()); err != nil {
			return err
		}
		m.worker = p.RSS
		backends, err := tree(w.suite.pg.PID())
		if err != nil {
			return err
		}
		for _, b := range backends {
			m.server += b.RSS // shared buffers are counted in each: what matters is whether it grows
		}
		size = `SELECT (SELECT count(*) FROM task_instance),
			(SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = 'public')`
	}
	return db.QueryRowContext(ctx, size).Scan(&m.rows, &m.tables)
}

// hopper publishes a chain and returns what measures its hops on the product that has nothing else to do, and those of the
// bare loop in turn.
func (w *World) hopper(ctx context.Context, s *Suite) (func(ctx context.Context) (hop, raw time.Duration, err error), error) {
	const length = 50
	l, err := newLedger(filepath.Join(s.dir, "b12-hops"))
	if err != nil {
		return nil, err
	}
	wf := harness.Workflow{Name: "B12 hops"}
	for i := range length {
		t := harness.Task{Name: "t" + strconv.Itoa(i), Script: l.Line(taskID)}
		if i > 0 {
			t.After = []string{"t" + strconv.Itoa(i-1)}
		}
		wf.Tasks = append(wf.Tasks, t)
	}
	d, err := w.Client.Publish(ctx, w.Project, wf)
	if err != nil {
		return nil, err
	}
	gapsOf := func(run func(l Ledger) error) ([]time.Duration, error) {
		fresh, err := newLedger(l.Path)
		if err != nil {
			return nil, err
		}
		if err := run(fresh); err != nil {
			return nil, err
		}
		entries, err := fresh.Entries()
		return gaps(entries), err
	}
	return func(ctx context.Context) (hop, raw time.Duration, err error) {
		var ours, bare []time.Duration
		for range s.o.size(1, 4, 6) {
			more, err := gapsOf(func(l Ledger) error {
				_, err := rawLoop(ctx, w.Shell, length, 1, filepath.Join(s.dir, "raw-b12"), func(i int) string { return l.Line(strconv.Itoa(i)) })
				return err
			})
			if err != nil {
				return 0, 0, err
			}
			bare = append(bare, more...)
			if more, err = gapsOf(func(l Ledger) error {
				_, err := w.runOnce(ctx, d.Code, l, length)
				return err
			}); err != nil {
				return 0, 0, err
			}
			ours = append(ours, more...)
		}
		return quantile(ours, 0.5), quantile(bare, 0.5), nil
	}, nil
}
