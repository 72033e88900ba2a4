package storm

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
	"syscall"
	"time"

	"dorado/e2e/harness"
)

// Node is one master or worker.
type Node struct {
	Name   string
	Master bool
	*harness.Process

	zk   []*Gate // one for each server of ZooKeeper
	db   *Gate   // masters
	rpc  *Gate   // masters: where workers reach it; links by worker
	net  space   // with namespaces
	disk *Disk   // workers, where it can be had
	addr string  // workers: their name in the registry

	live atomic.Int64 // number of the process, for those who must not wait

	diskMu   sync.Mutex // of the next two
	diskBusy bool
	pulled   bool

	mu     sync.Mutex
	down   bool // on purpose
	frozen bool
	exits  []time.Time // by itself
	panics []string
}

// Kill ends the process alone: what it runs lives on. It is not started again until Back.
func (n *Node) Kill(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.takeDown(); err != nil {
		return err
	}
	return n.Process.Kill(ctx)
}

// Crash ends the process and everything that it runs, as a machine that loses power does.
func (n *Node) Crash(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.takeDown(); err != nil {
		return err
	}
	below, err := descendants(n.PID())
	err = errors.Join(err, n.Process.Kill(ctx))
	for _, pid := range below {
		if killErr := syscall.Kill(pid, syscall.SIGKILL); killErr != nil && !errors.Is(killErr, syscall.ESRCH) {
			err = errors.Join(err, killErr)
		}
	}
	return err
}

// Leave ends the process in order.
func (n *Node) Leave(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.frozen {
		return errBusy
	}
	if err := n.takeDown(); err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return n.Terminate(limit)
}

// errBusy says that another fault has the process already.
var errBusy = errors.New("another fault has it")

func (n *Node) takeDown() error {
	if n.down || !n.Running() {
		return errBusy
	}
	n.down, n.frozen = true, false
	n.live.Store(0)
	if text := n.Panics(); text != "" {
		n.panics = append(n.panics, text)
	}
	return nil
}

// Back starts it again.
func (n *Node) Back(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = false
	if n.Running() {
		return nil
	}
	return n.start(ctx)
}

// start runs a stopped process.
func (n *Node) start(ctx context.Context) error {
	err := n.Restart(ctx)
	n.live.Store(int64(n.PID()))
	return err
}

// Freeze stops the process with SIGSTOP: its connections stay open, nobody answers. The result thaws it.
func (n *Node) Freeze() (thaw func() error, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down || n.frozen || !n.Running() {
		return nil, errBusy
	}
	pid := n.PID()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return nil, err
	}
	n.frozen = true
	return func() error {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.PID() != pid {
			return nil // killed meanwhile
		}
		n.frozen = false
		return syscall.Kill(pid, syscall.SIGCONT)
	}, nil
}

// Jump makes the process see another time. The result puts its clock right.
func (n *Node) Jump(by time.Duration) (right func() error, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down || n.frozen || !n.Running() {
		return nil, errBusy
	}
	pid := n.PID()
	c, err := TakeClock(pid)
	if err != nil {
		return nil, err
	}
	if err := c.Shift(by); err != nil {
		return nil, err
	}
	return func() error {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.PID() != pid {
			return nil
		}
		return c.Shift(0)
	}, nil
}

// tend starts a process again that ended by itself, as an init system does, and says whether it had.
func (n *Node) tend(ctx context.Context) (bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down || n.Running() {
		return false, nil
	}
	if text := n.Panics(); text != "" {
		n.panics = append(n.panics, text)
	}
	n.exits = append(n.exits, time.Now())
	if len(n.exits) > 1 && time.Since(n.exits[len(n.exits)-2]) < 2*time.Second {
		if err := sleep(ctx, time.Second); err != nil {
			return true, err
		}
	}
	return true, n.start(ctx)
}

func (n *Node) close(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = true
	below, err := descendants(n.PID())
	for _, pid := range below {
		if killErr := syscall.Kill(pid, syscall.SIGKILL); killErr != nil && !errors.Is(killErr, syscall.ESRCH) {
			err = errors.Join(err, killErr)
		}
	}
	if n.disk != nil {
		err = errors.Join(err, n.disk.Thaw())
	}
	err = errors.Join(err, n.Close()) //nolint:contextcheck // cleaning up must outlive the context
	if n.disk != nil {
		err = errors.Join(err, n.disk.Close(ctx))
	}
	for _, g := range append([]*Gate{n.db, n.rpc}, n.zk...) {
		if g != nil {
			err = errors.Join(err, g.Close())
		}
	}
	return err
}

// descendants lists the processes below one, the nearest first.
func descendants(root int) ([]int, error) {
	if root == 0 {
		return nil, nil
	}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // it ended while we looked
		}
		text := string(raw)
		f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		pid, pidErr := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		parent, parentErr := strconv.Atoi(f[1])
		if pidErr != nil || parentErr != nil {
			return nil, fmt.Errorf("%s: %w", file, errors.Join(pidErr, parentErr))
		}
		children[parent] = append(children[parent], pid)
	}
	out := []int{root}
	for i := 0; i < len(out); i++ {
		out = append(out, children[out[i]]...)
	}
	return out[1:], nil
}
