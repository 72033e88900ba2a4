package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc on Linux: USER_HZ is 100 on every architecture Go supports.
const tick = 10 * time.Millisecond

// Proc is what /proc tells about one process.
type Proc struct {
	PID, PPID int
	CPU       time.Duration // its own and of its children that were waited for
	Reaped    time.Duration // of CPU: those children
	Threads   int
	RSS       int64 // bytes
}

// readProc reads one process; it returns fs.ErrNotExist when there is none.
func readProc(pid int) (Proc, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Proc{}, err
	}
	// The second field is the name in brackets and may hold anything, so fields are counted from its end.
	_, rest, ok := strings.Cut(string(raw[strings.LastIndexByte(string(raw), ')')+1:]), " ")
	f := strings.Fields(rest)
	if !ok || len(f) < 22 {
		return Proc{}, fmt.Errorf("/proc/%d/stat: unexpected %q", pid, raw)
	}
	n := func(i int) int64 { // field number as in proc(5), where state is 3
		v, convErr := strconv.ParseInt(f[i-3], 10, 64)
		if convErr != nil && err == nil {
			err = convErr
		}
		return v
	}
	return Proc{
		PID: pid, PPID: int(n(4)),
		CPU:     time.Duration(n(14)+n(15)+n(16)+n(17)) * tick,
		Reaped:  time.Duration(n(16)+n(17)) * tick,
		Threads: int(n(20)),
		RSS:     n(24) * int64(os.Getpagesize()),
	}, err
}

// tree reads a process and all its living descendants.
func tree(root int) ([]Proc, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	children := map[int][]Proc{}
	var out []Proc
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			return nil, err
		}
		p, err := readProc(pid)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, os.ErrProcessDone) || err != nil {
			continue // it ended while we looked
		}
		if pid == root {
			out = append(out, p)
		}
		children[p.PPID] = append(children[p.PPID], p)
	}
	for i := 0; i < len(out); i++ {
		out = append(out, children[out[i].PID]...)
	}
	if len(out) == 0 {
		return nil, fs.ErrNotExist
	}
	return out, nil
}

// treeCPU sums the CPU time of the processes below the given ones.
func treeCPU(roots ...int) (time.Duration, error) {
	var total time.Duration
	for _, root := range roots {
		procs, err := tree(root)
		if err != nil {
			return 0, fmt.Errorf("process %d: %w", root, err)
		}
		for _, p := range procs {
			total += p.CPU
		}
	}
	return total, nil
}

// idle returns the share of the machine that did nothing during the time.
func idle(ctx context.Context, during time.Duration) (float64, error) {
	read := func() (total, idle float64, err error) {
		raw, err := os.ReadFile("/proc/stat")
		if err != nil {
			return 0, 0, err
		}
		line, _, _ := strings.Cut(string(raw), "\n")
		for i, f := range strings.Fields(line)[1:] {
			v, err := strconv.ParseFloat(f, 64)
			if err != nil {
				return 0, 0, err
			}
			if i < 8 { // guest times are already in user time
				total += v
			}
			if i == 3 || i == 4 { // idle, iowait
				idle += v
			}
		}
		return total, idle, nil
	}
	t0, i0, err := read()
	if err != nil {
		return 0, err
	}
	select {
	case <-time.After(during):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	t1, i1, err := read()
	if err != nil || t1 == t0 {
		return 0, err
	}
	return (i1 - i0) / (t1 - t0), nil
}
