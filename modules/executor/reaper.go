package executor

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// reaper waits for children by SIGCHLD. It asks for known pids only, so that it never takes the exit code of a process
// that other code waits for. It starts with its first child.
type reaper struct {
	reap    func(pid int, ws *syscall.WaitStatus) (int, error)
	mu      sync.Mutex
	waiting map[int]chan reaped
	signals chan os.Signal
	stop    chan struct{}
	done    chan struct{}
}

type reaped struct {
	st  status
	err error
}

func newReaper(reap func(int, *syscall.WaitStatus) (int, error)) *reaper {
	return &reaper{reap: reap, waiting: map[int]chan reaped{}}
}

func (r *reaper) wait(pid int) (status, error) {
	result := make(chan reaped, 1)
	r.mu.Lock()
	if r.signals == nil {
		r.signals, r.stop, r.done = make(chan os.Signal, 1), make(chan struct{}), make(chan struct{})
		HearChildren()
		signal.Notify(r.signals, syscall.SIGCHLD)
		go r.run()
	}
	r.waiting[pid] = result
	r.mu.Unlock()
	r.sweep(pid) // it may have ended before it was known here
	got := <-result
	return got.st, got.err
}

func (r *reaper) run() {
	defer close(r.done)
	for {
		select {
		case <-r.signals:
		case <-r.stop:
			return
		}
		r.mu.Lock()
		pids := make([]int, 0, len(r.waiting))
		for pid := range r.waiting {
			pids = append(pids, pid)
		}
		r.mu.Unlock()
		for _, pid := range pids {
			r.sweep(pid)
		}
	}
}

// sweep delivers the end of pid, once, if it has ended.
func (r *reaper) sweep(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	result, ok := r.waiting[pid]
	if !ok {
		return
	}
	var ws syscall.WaitStatus
	got, err := r.reap(pid, &ws)
	if got == 0 && err == nil {
		return
	}
	delete(r.waiting, pid)
	result <- reaped{status(ws), err}
}

func (r *reaper) close() {
	r.mu.Lock()
	started := r.signals != nil
	r.mu.Unlock()
	if started {
		signal.Stop(r.signals)
		close(r.stop)
		<-r.done
	}
}
