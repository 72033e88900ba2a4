package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"time"
)

// fanOutKilled is B1k: B1 while master, worker and database are killed in the middle, one after the other.
func fanOutKilled(ctx context.Context, s *Suite) (Result, error) {
	n := s.o.size(100, 3000, 10_000)
	r := Result{Size: fmt.Sprintf("%d tasks", n)}
	w, err := s.fresh(ctx)
	if err != nil {
		return r, err
	}
	l, err := newLedger(filepath.Join(s.dir, "b1k"))
	if err != nil {
		return r, err
	}
	// The name survives a repeated attempt, its id does not.
	wf := wide("B1k", n, "")
	for i := range wf.Tasks {
		wf.Tasks[i].Script = l.Line(wf.Tasks[i].Name)
	}
	d, err := w.Client.Publish(ctx, w.Project, wf)
	if err != nil {
		return r, err
	}
	for _, victim := range w.victims() {
		if l, err = newLedger(l.Path); err != nil {
			return r, err
		}
		began := time.Now()
		id, err := w.start(ctx, d.Code, false)
		if err != nil {
			return r, err
		}
		if err := l.await(ctx, n/5+rand.IntN(n/2)); err != nil {
			return r, err
		}
		finished, err := w.finished(ctx, id)
		if err != nil {
			return r, err
		}
		if err := victim.kill(ctx); err != nil {
			return r, err
		}
		limit, cancel := context.WithTimeout(ctx, 3*time.Minute)
		err = w.waitThrough(limit, id)
		cancel()
		if err != nil {
			return r, fmt.Errorf("%s killed: %w", victim.name, err)
		}
		again, err := ranAgain(l, n, finished)
		if err != nil {
			return r, fmt.Errorf("%s killed: %w", victim.name, err)
		}
		r.note("%s killed after %d had finished: all ran, none of those again; %d that were running at the kill ran again; %s in all",
			victim.name, len(finished), again, time.Since(began).Round(time.Millisecond))
	}
	r.Value = "survived"
	r.bar("exactly once", true)
	return r, w.quiet(ctx)
}

// manyRunsKilled is B4k: B4 while each process is killed once.
func manyRunsKilled(ctx context.Context, s *Suite) (Result, error) {
	n := s.o.size(60, 1500, 5000)
	r := Result{Size: fmt.Sprintf("%d runs", n)}
	w, err := s.fresh(ctx)
	if err != nil {
		return r, err
	}
	l, err := newLedger(filepath.Join(s.dir, "b4k"))
	if err != nil {
		return r, err
	}
	d, err := w.Client.Publish(ctx, w.Project, wide("B4k", 1, l.Line(runID)))
	if err != nil {
		return r, err
	}
	for _, victim := range w.victims() {
		if l, err = newLedger(l.Path); err != nil {
			return r, err
		}
		killed := make(chan error, 1)
		go func() {
			err := l.await(ctx, n/5+rand.IntN(n/2))
			if err == nil {
				err = victim.kill(ctx)
			}
			killed <- err
		}()
		// A request whose answer was lost may have started a run: then one more run than answers exists, and it is
		// counted, because the ledger shows each run's id.
		limit, cancel := context.WithTimeout(ctx, 3*time.Minute)
		ids, err := w.flood(limit, d.Code, l, n, 64, func(error) bool { return true })
		if err == nil {
			err = <-killed
		}
		if err == nil {
			err = w.settled(limit, d.Code)
		}
		cancel()
		if err != nil {
			return r, fmt.Errorf("%s killed: %w", victim.name, err)
		}
		entries, err := l.Entries()
		if err != nil {
			return r, err
		}
		seen := map[string]int{}
		for _, e := range entries {
			seen[e.ID]++
		}
		for id := range ids {
			if seen[id] == 0 {
				return r, fmt.Errorf("%s killed: run %s was answered but never ran", victim.name, id)
			}
		}
		r.note("%s killed: every answered run ran; %d that were running at the kill ran again; %d ran whose answer was lost",
			victim.name, len(twice(entries)), len(seen)-len(ids))
	}
	r.Value = "survived"
	r.bar("none lost", true)
	return r, w.quiet(ctx)
}

// victim is a process that can be killed and comes back.
type victim struct {
	name string
	kill func(ctx context.Context) error
}

func (w *World) victims() []victim {
	if w.Worker == nil {
		return []victim{{"standalone", func(ctx context.Context) error { return again(ctx, w.Master) }}}
	}
	return []victim{
		{"worker", func(ctx context.Context) error { return again(ctx, w.Worker) }},
		{"master", func(ctx context.Context) error { return again(ctx, w.Master) }},
		{"database", func(ctx context.Context) error { return again(ctx, w.suite.pg) }},
	}
}

func again(ctx context.Context, p interface {
	Kill(ctx context.Context) error
	Restart(ctx context.Context) error
},
) error {
	if err := p.Kill(ctx); err != nil {
		return err
	}
	return p.Restart(ctx)
}

// finished returns the names of the tasks whose success the product shows now.
func (w *World) finished(ctx context.Context, id int64) (map[string]bool, error) {
	tasks, err := w.Client.Tasks(ctx, w.Project, id)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, t := range tasks {
		if t.State == "SUCCESS" {
			out[t.Name] = true
		}
	}
	return out, nil
}

// waitThrough waits for SUCCESS while the server may be away.
func (w *World) waitThrough(ctx context.Context, id int64) error {
	for {
		_, err := w.Client.WaitInstance(ctx, w.Project, id, 20*time.Millisecond, "SUCCESS")
		if err == nil || ctx.Err() != nil {
			return err
		}
		if i, readErr := w.Client.Instance(ctx, w.Project, id); readErr == nil && i.Done() && i.State != "SUCCESS" {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// ranAgain checks that every task ran, and none that had finished ran twice; it returns how many others did.
func ranAgain(l Ledger, n int, finished map[string]bool) (int, error) {
	entries, err := l.Entries()
	if err != nil {
		return 0, err
	}
	seen := map[string]int{}
	for _, e := range entries {
		seen[e.ID]++
	}
	for i := range n {
		if name := "t" + strconv.Itoa(i); seen[name] == 0 {
			return 0, fmt.Errorf("task %s never ran", name)
		}
	}
	again := twice(entries)
	for name := range again {
		if finished[name] {
			return 0, fmt.Errorf("task %s had finished and ran %d times", name, again[name])
		}
	}
	return len(again), nil
}
