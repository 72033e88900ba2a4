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
	"sync/atomic"
	"time"
)

// trigger is B3: how long after the request does the task's own process speak?
func trigger(ctx context.Context, s *Suite) (Result, error) {
	n := s.o.size(20, 100, 100)
	r := Result{Size: fmt.Sprintf("%d × %d starts", s.o.Pairs(), n)}
	w, err := s.shared(ctx)
	if err != nil {
		return r, err
	}
	l, err := newLedger(filepath.Join(s.dir, "b3"))
	if err != nil {
		return r, err
	}
	d, err := w.Client.Publish(ctx, w.Project, wide("B3", 1, l.Line(taskID)))
	if err != nil {
		return r, err
	}
	var rawTimes, times []time.Duration
	repeat := func(into *[]time.Duration, once func() error) (float64, error) {
		var all []time.Duration
		for range n {
			if l, err = newLedger(l.Path); err != nil {
				return 0, err
			}
			began := time.Now()
			if err := once(); err != nil {
				return 0, err
			}
			entries, err := l.Entries()
			if err != nil {
				return 0, err
			}
			if len(entries) != 1 {
				return 0, fmt.Errorf("%d lines of one task", len(entries))
			}
			// The shell's clock has whole microseconds; ours is cut to them too.
			all = append(all, entries[0].At.Sub(began.Truncate(time.Microsecond)))
		}
		*into = append(*into, all...)
		return quantile(all, 0.5).Seconds() * 1000, nil
	}
	log := filepath.Join(s.dir, "raw-b3.log")
	pairs, err := s.pairs(ctx, w,
		func() (float64, error) {
			return repeat(&rawTimes, func() error { return runOne(w.Shell, l.Line("1"), log) })
		},
		func() (float64, error) {
			return repeat(&times, func() error {
				id, err := w.start(ctx, d.Code, false)
				if err != nil {
					return err
				}
				// Asking about the run while its task is being started would slow down what is measured.
				if err := l.await(ctx, 1); err != nil {
					return err
				}
				_, err = w.Client.WaitInstance(ctx, w.Project, id, 2*time.Millisecond, "SUCCESS")
				return err
			})
		})
	if err != nil {
		return r, err
	}
	if err := w.quiet(ctx); err != nil {
		return r, err
	}
	r.summarise(pairs, false)
	p50, p99 := quantile(times, 0.5), quantile(times, 0.99)
	r.Value = fmt.Sprintf("p50 %s p99 %s", ms(p50), ms(p99))
	r.Raw = fmt.Sprintf("p50 %s p99 %s", ms(quantile(rawTimes, 0.5)), ms(quantile(rawTimes, 0.99)))
	r.bar("p50 2 ms, p99 8 ms", p50 <= 2*time.Millisecond && p99 <= 8*time.Millisecond)
	return r, nil
}

// manyRuns is B4: runs of one task, many in flight.
func manyRuns(ctx context.Context, s *Suite) (Result, error) {
	const inFlight = 64
	n := s.o.size(50, 1500, 5000)
	r := Result{Each: n, Size: fmt.Sprintf("%d runs, %d in flight", n, inFlight)}
	w, err := s.shared(ctx)
	if err != nil {
		return r, err
	}
	l, err := newLedger(filepath.Join(s.dir, "b4"))
	if err != nil {
		return r, err
	}
	d, err := w.Client.Publish(ctx, w.Project, wide("B4", 1, l.Line(runID)))
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
			dir := filepath.Join(s.dir, fmt.Sprintf("raw-b4-%d", round))
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
			began := time.Now()
			ids, err := w.flood(ctx, d.Code, l, n, inFlight, nil)
			if err != nil {
				return 0, err
			}
			if err := w.settled(ctx, d.Code); err != nil {
				return 0, err
			}
			wall := time.Since(began)
			return float64(n) / wall.Seconds(), errors.Join(l.check(n, ids), w.quiet(ctx))
		})
	if err != nil {
		return r, err
	}
	r.summarise(pairs, true)
	r.Value = fmt.Sprintf("%.0f runs/s", median(values(pairs, func(p pair) float64 { return p.ours.Value })))
	r.Raw = fmt.Sprintf("%.0f tasks/s", median(values(pairs, func(p pair) float64 { return p.raw.Value })))
	r.bar("0.85", r.Ratio.Median >= 0.85)
	return r, nil
}

// flood starts a workflow n times with so many runs in flight, a run being over when its line is in the ledger. A failed
// request is tried again while again allows it (a killed server); without again it ends the flood.
func (w *World) flood(ctx context.Context, code int64, l Ledger, n, inFlight int, again func(error) bool) (map[string]bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := newArrivals(l)
	var wg sync.WaitGroup
	wg.Go(func() { done.follow(ctx) })
	ids := make([]string, n)
	var next atomic.Int64
	failures := make(chan error, inFlight)
	var lanes sync.WaitGroup
	for range inFlight {
		lanes.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || ctx.Err() != nil {
					return
				}
				id, err := w.start(ctx, code, false)
				for err != nil && again != nil && again(err) && ctx.Err() == nil {
					time.Sleep(20 * time.Millisecond)
					id, err = w.start(ctx, code, false)
				}
				if err != nil {
					failures <- err
					cancel()
					return
				}
				ids[i] = strconv.FormatInt(id, 10)
				if err := done.wait(ctx, ids[i]); err != nil {
					failures <- fmt.Errorf("run %s: %w", ids[i], err)
					cancel()
					return
				}
			}
		})
	}
	lanes.Wait()
	cancel()
	wg.Wait()
	select {
	case err := <-failures:
		return nil, err
	default:
	}
	out := make(map[string]bool, n)
	for _, id := range ids {
		out[id] = true
	}
	return out, nil
}

// settled waits until no run of the workflow is unfinished and none has failed.
func (w *World) settled(ctx context.Context, code int64) error {
	for {
		unfinished := 0
		for _, state := range []string{"SUBMITTED_SUCCESS", "RUNNING_EXECUTION", "FAILURE", "STOP", "FAILOVER"} {
			page, err := w.Client.Instances(ctx, w.Project, 1, 1, map[string][]string{
				"stateType": {state}, "workflowDefinitionCode": {strconv.FormatInt(code, 10)},
			})
			if err != nil {
				return err
			}
			if page.Total > 0 && state != "RUNNING_EXECUTION" && state != "SUBMITTED_SUCCESS" {
				return fmt.Errorf("%d runs are %s", page.Total, state)
			}
			unfinished += page.Total
		}
		if unfinished == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d runs are unfinished: %w", unfinished, ctx.Err())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// arrivals tells waiting lanes that their id has come up in the ledger.
type arrivals struct {
	l    Ledger
	mu   sync.Mutex
	seen map[string]bool
	ask  map[string]chan struct{}
}

func newArrivals(l Ledger) *arrivals {
	return &arrivals{l: l, seen: map[string]bool{}, ask: map[string]chan struct{}{}}
}

func (a *arrivals) wait(ctx context.Context, id string) error {
	a.mu.Lock()
	if a.seen[id] {
		a.mu.Unlock()
		return nil
	}
	c := make(chan struct{})
	a.ask[id] = c
	a.mu.Unlock()
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(60 * time.Second):
		return errors.New("its task did not run within a minute")
	}
}

// follow reads the ledger as it grows until the context ends.
func (a *arrivals) follow(ctx context.Context) {
	f, err := os.Open(a.l.Path)
	if err != nil {
		return // the lanes time out and say so
	}
	defer func() { _ = f.Close() }()
	buf, rest := make([]byte, 64<<10), ""
	for ctx.Err() == nil {
		n, _ := f.Read(buf) // at the end of the file there is nothing, with io.EOF
		if n == 0 {
			time.Sleep(500 * time.Microsecond)
			continue
		}
		lines := strings.Split(rest+string(buf[:n]), "\n")
		rest = lines[len(lines)-1]
		a.mu.Lock()
		for _, line := range lines[:len(lines)-1] {
			id, _, _ := strings.Cut(line, " ")
			a.seen[id] = true
			if c, ok := a.ask[id]; ok {
				close(c)
				delete(a.ask, id)
			}
		}
		a.mu.Unlock()
	}
}
