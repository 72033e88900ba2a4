package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Shell is how both sides run a task: the interpreter, the user and the environment that the product was seen to use.
type Shell struct {
	Path string   // of the interpreter
	Env  []string // complete
	Dir  string   // working directory
	User *syscall.Credential
}

// RawResult is what the raw loop took.
type RawResult struct {
	Wall   time.Duration
	CPU    time.Duration // of the children and of this process
	Starts []time.Duration
}

// rawLoop runs n scripts in the given number of lanes: a new log file, fork, exec, wait, and the next. script returns
// the text of task i. It is what a scheduler would cost if it cost nothing.
func rawLoop(ctx context.Context, sh Shell, n, lanes int, logs string, script func(i int) string) (RawResult, error) {
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return RawResult{}, err
	}
	before, err := loopParts()
	if err != nil {
		return RawResult{}, err
	}
	began := time.Now()
	starts := make([]time.Duration, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	failures := make(chan error, lanes)
	for range lanes {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || ctx.Err() != nil {
					return
				}
				at := time.Now()
				if err := runOne(sh, script(i), filepath.Join(logs, strconv.Itoa(i)+".log")); err != nil {
					failures <- err
					return
				}
				starts[i] = time.Since(at)
			}
		})
	}
	wg.Wait()
	wall := time.Since(began)
	select {
	case err := <-failures:
		return RawResult{}, err
	default:
	}
	after, err := loopParts()
	return RawResult{Wall: wall, CPU: after.since(before).total(), Starts: starts}, errors.Join(err, ctx.Err())
}

// runOne starts one script and waits for its end without a thread of its own.
func runOne(sh Shell, script, log string) error {
	child, err := start(sh, script, log)
	if err != nil {
		return err
	}
	status, err := child.wait()
	if err != nil {
		return err
	}
	if status.ExitStatus() != 0 {
		return fmt.Errorf("raw task: %v (log %s)", status, log)
	}
	return nil
}

// child is a started process and the descriptor that becomes readable when it ends.
type child struct {
	pid   int
	pidfd *os.File
}

func start(sh Shell, script, log string) (child, error) {
	out, err := syscall.Open(log, syscall.O_CREAT|syscall.O_WRONLY|syscall.O_APPEND|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return child{}, fmt.Errorf("log file: %w", err)
	}
	defer func() { _ = syscall.Close(out) }()
	null, err := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return child{}, err
	}
	defer func() { _ = syscall.Close(null) }()
	pidfd := -1
	pid, err := syscall.ForkExec(sh.Path, []string{filepath.Base(sh.Path), "-c", script}, &syscall.ProcAttr{
		Dir:   sh.Dir,
		Env:   sh.Env,
		Files: []uintptr{uintptr(null), uintptr(out), uintptr(out)},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Credential: sh.User, PidFD: &pidfd},
	})
	if err != nil {
		return child{}, fmt.Errorf("start %s: %w", sh.Path, err)
	}
	if pidfd < 0 {
		return child{}, fmt.Errorf("this kernel gives no pidfd")
	}
	if err := syscall.SetNonblock(pidfd, true); err != nil { // so that os.NewFile puts it into the runtime's poller
		return child{}, err
	}
	return child{pid, os.NewFile(uintptr(pidfd), "pidfd")}, nil
}

func (c child) wait() (syscall.WaitStatus, error) {
	defer func() { _ = c.pidfd.Close() }()
	conn, err := c.pidfd.SyscallConn()
	if err != nil {
		return 0, err
	}
	var status syscall.WaitStatus
	var waitErr error
	err = conn.Read(func(uintptr) bool {
		for {
			pid, err := syscall.Wait4(c.pid, &status, syscall.WNOHANG, nil)
			if err == syscall.EINTR {
				continue
			}
			waitErr = err
			return err != nil || pid == c.pid
		}
	})
	if err != nil {
		return 0, err
	}
	return status, waitErr
}
