package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Parts is CPU time by who spent it.
type Parts map[string]time.Duration

// The names of parts. A process is named as the mode it was started in.
const (
	partTasks    = "tasks" // the children: what somebody would pay for without any scheduler
	partDatabase = "database"
	partLoop     = "loop" // the raw loop beside its children
)

func (p Parts) total() time.Duration {
	var sum time.Duration
	for _, d := range p {
		sum += d
	}
	return sum
}

func (p Parts) since(before Parts) Parts {
	out := Parts{}
	for name, d := range p {
		out[name] = d - before[name]
	}
	return out
}

// each says what one of n costs, the largest part first.
func (p Parts) each(n int) string {
	names := slices.SortedFunc(maps.Keys(p), func(a, b string) int { return cmp.Or(cmp.Compare(p[b], p[a]), strings.Compare(a, b)) })
	out := make([]string, 0, len(names))
	for _, name := range names {
		out = append(out, fmt.Sprintf("%s %d", name, p[name].Microseconds()/int64(n)))
	}
	return strings.Join(out, ", ")
}

// medianParts takes the median of each part.
func medianParts(all []Parts) Parts {
	out := Parts{}
	if len(all) == 0 {
		return out
	}
	for name := range all[0] {
		values := make([]float64, 0, len(all))
		for _, p := range all {
			values = append(values, float64(p[name]))
		}
		out[name] = time.Duration(median(values))
	}
	return out
}

// loopParts is what this process and its children that have ended spent.
func loopParts() (Parts, error) {
	p := Parts{}
	for name, who := range map[string]int{partLoop: syscall.RUSAGE_SELF, partTasks: syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			return nil, err
		}
		p[name] = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return p, nil
}

// parts is what the product's processes, their children and the database spent.
func (w *World) parts() (Parts, error) {
	p := Parts{}
	add := func(name string, pid int) error {
		procs, err := tree(pid)
		if err != nil {
			return fmt.Errorf("%s: process %d: %w", name, pid, err)
		}
		p[name] += procs[0].CPU - procs[0].Reaped
		p[partTasks] += procs[0].Reaped
		for _, child := range procs[1:] {
			p[partTasks] += child.CPU
		}
		return nil
	}
	if w.Worker == nil {
		return p, add("standalone", w.Master.PID())
	}
	if err := add("master", w.Master.PID()); err != nil {
		return nil, err
	}
	if err := add("worker", w.Worker.PID()); err != nil {
		return nil, err
	}
	cpu, err := treeCPU(w.suite.pg.PID())
	p[partDatabase] = cpu
	return p, err
}
