package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Upgrade is the program that is to replace this one, in the same process.
type Upgrade struct {
	Program string // its file
	Args    []string
	Environ []string
	Keep    map[string]*os.File // what it shall find in its Handover, by name
}

const (
	// upgradePatience is how long an upgrade waits for what has only to be finished: attempts being started, logs being ended.
	upgradePatience = 10 * time.Second
	// upgradeNotice is the time that masters get to hear of it.
	upgradeNotice = 100 * time.Millisecond
)

var errLeaseless = errors.New("the worker has lost its place in the cluster")

// Upgrade replaces this program by another one while its tasks run on: their processes stay children of this process. The
// new program finds in its Handover what this one held (Deps.Handover). Upgrade returns only when it failed, with the
// reason, and then the worker goes on as before. It fails while tasks run inside the worker (plugins without a process of
// their own) for longer than Config.DrainTimeout, and without a lease.
//
// What masters ask for in the last moment is lost with the streams; the contract has them ask again.
func (e *Executor) Upgrade(ctx context.Context, u Upgrade) error {
	err := e.pause()
	for begun := time.Now(); errors.Is(err, errLeaseless) && time.Since(begun) < upgradePatience && ctx.Err() == nil; err = e.pause() {
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	err = e.quiesce(ctx)
	if err == nil {
		err = e.replace(ctx, u)
	}
	e.mu.Lock()
	e.upgrade, e.refused = false, false
	e.turn()
	e.beatAll()
	e.mu.Unlock()
	return err
}

// pause keeps anything new from being accepted and started.
func (e *Executor) pause() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.work == nil:
		return errors.New("the worker has not started yet")
	case e.upgrade:
		return errors.New("an upgrade is under way")
	case e.draining:
		return errors.New("the worker is shutting down")
	case e.lease.lost:
		return errLeaseless
	}
	e.upgrade = true
	e.beatAll()
	return nil
}

// quiesce waits until nothing is half done.
func (e *Executor) quiesce(ctx context.Context) error {
	begun := time.Now()
	if !e.waitUntil(upgradePatience, func() bool { return e.starting == 0 }) {
		return errors.New("tasks that are being started do not get done")
	}
	inside := func() (n int) {
		for _, a := range e.attempts {
			if a.state == running && a.cancel != nil {
				n++
			}
		}
		return n
	}
	e.leaveRemote()
	if !e.waitUntil(max(e.cfg.DrainTimeout, upgradePatience), func() bool { return inside() == 0 || ctx.Err() != nil }) {
		e.mu.Lock()
		defer e.mu.Unlock()
		return fmt.Errorf("%d tasks run inside the worker, without a process of their own: try again when they are over", inside())
	}
	select {
	case <-time.After(upgradeNotice - time.Since(begun)):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// replace freezes what is left and becomes the other program.
func (e *Executor) replace(ctx context.Context, u Upgrade) error {
	e.spawn.freeze()
	defer e.spawn.thaw()
	// Processes that had ended by now are being reported; the others can only be reported by the next program.
	e.waitUntil(upgradePatience, func() bool {
		for _, a := range e.attempts {
			if a.state == running && a.exited && a.target == nil {
				return false
			}
		}
		return true
	})
	e.awaitCleaning()
	e.killer.frozen.Lock()
	defer e.killer.frozen.Unlock()
	e.journal.settle()
	files := map[string]int{journalFile: int(e.journal.lock.Fd())}
	for name, f := range u.Keep {
		files[name] = int(f.Fd())
	}
	resume := e.pauseMasks(files)
	defer resume() // the other program could not be started
	h, err := e.handover(files)
	if err != nil {
		return err
	}
	memory, err := h.memory()
	if err != nil {
		return fmt.Errorf("hand over to the next program: %w", err)
	}
	defer func() { _ = unix.Close(memory) }()
	environ := slices.DeleteFunc(slices.Clone(u.Environ), func(kv string) bool { return strings.HasPrefix(kv, handoverVariable+"=") })
	environ = append(environ, handoverVariable+"="+strconv.Itoa(memory))
	e.log.InfoContext(ctx, "the worker hands over to another program", "program", u.Program, "attempts", len(h.Attempts))
	return become(u.Program, u.Args, environ, append(slices.Collect(maps.Values(files)), memory))
}

// become is exec with some descriptors kept. It returns only when that fails.
func become(program string, args, environ []string, keep []int) error {
	syscall.ForkLock.Lock() // a child that is born now must not get them
	defer syscall.ForkLock.Unlock()
	var err error
	for _, fd := range keep {
		err = errors.Join(err, keepOpen(fd, true))
	}
	if err == nil {
		err = syscall.Exec(program, args, environ)
	}
	for _, fd := range keep {
		err = errors.Join(err, keepOpen(fd, false))
	}
	return fmt.Errorf("become %s: %w", program, err)
}

// awaitCleaning waits a while for attempts that have reported and are removing their directories.
func (e *Executor) awaitCleaning() {
	done := make(chan struct{})
	go func() {
		e.cleaning.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(upgradePatience):
	}
}

// handover describes all that the next program must know.
func (e *Executor) handover(files map[string]int) (*Handover, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	h := &Handover{
		Format: HandoverFormat, Incarnation: e.incarnation, Version: e.version, Files: files, Leased: e.lease.managed,
		Epochs: maps.Clone(e.epochs.old), Attempts: make([]carried, 0, len(e.attempts)),
	}
	maps.Copy(h.Epochs, e.epochs.fresh)
	waiting := map[*attempt]bool{}
	for _, a := range e.waiting { // in their order
		waiting[a] = true
		c, err := e.carry(a)
		if err != nil {
			return nil, err
		}
		h.Attempts = append(h.Attempts, c)
	}
	for _, a := range e.attempts {
		if waiting[a] {
			continue
		}
		c, err := e.carry(a)
		if err != nil {
			return nil, err
		}
		h.Attempts = append(h.Attempts, c)
	}
	return h, nil
}

// takeOver goes on where the program before stopped. It comes before anything is started.
func (e *Executor) takeOver(ctx context.Context, h *Handover) {
	e.mu.Lock()
	for run, epoch := range h.Epochs {
		e.current(run, epoch)
	}
	e.mu.Unlock()
	var going []*attempt
	for _, c := range h.Attempts {
		a, err := c.attempt()
		if err != nil {
			e.log.ErrorContext(ctx, "an attempt could not be taken over", "task_instance_id", c.ID, "error", err)
			continue
		}
		if err := a.takeMask(h, &c); err != nil {
			e.log.ErrorContext(ctx, "the output of a task can no longer be read", "task_instance_id", c.ID, "error", err)
		}
		e.mu.Lock()
		e.current(a.workflow, a.epoch)
		e.attempts[a.id] = a
		switch {
		case a.state == finished:
		case a.waits:
			e.waiting = append(e.waiting, a)
		default:
			e.active++
		}
		switch a.state {
		case accepted:
			if !a.waits {
				e.enqueue(a)
			}
		case running:
			e.dirs.adopt(a.work.name)
			if c.Kill != nil {
				a.target = newTarget(a, e.mark(a.id))
				a.target.known, a.target.signal = c.Kill.Known, syscall.Signal(c.Kill.Signal)
				a.target.next, a.target.since, a.target.warned = c.Kill.Next, c.Kill.Since, c.Kill.Warned
				e.killer.add(a.target)
			} else if a.timeout > 0 && !a.exited {
				left := a.timeout - time.Duration(bootNS()-a.bootNS)
				a.timer = time.AfterFunc(max(0, left), func() { e.end(a, endTimeout) })
			}
			going = append(going, a)
		case finished:
		}
		e.mu.Unlock()
	}
	for _, a := range going {
		if a.exited {
			go e.guard(ctx, a, func() { e.after(ctx, a) })
			continue
		}
		c := child{pid: a.pid, pidfd: -1}
		if fd, err := unix.PidfdOpen(a.pid, 0); err == nil { // also of one that has ended: nobody has waited for it
			unix.CloseOnExec(fd)
			c.pidfd = fd
		}
		e.watchRemote(ctx, a)
		go e.guard(ctx, a, func() { e.wait(ctx, a, c) })
	}
	e.mu.Lock()
	serial, leaseless := e.lease.serial, h.Leased && !e.lease.managed
	e.lease.managed = e.lease.managed || h.Leased
	e.mu.Unlock()
	if leaseless {
		e.loseLease(serial) // until somebody says that there is one again
	}
	e.log.InfoContext(ctx, "took over from the program before", "version", h.Version, "attempts", len(h.Attempts), "running", len(going))
}

// announceAll reports STARTED of attempts that were taken over before they had lived long enough for it.
func (e *Executor) announceAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range e.attempts {
		if a.state == running && !a.startSent {
			e.box(a.owner).announce(a, a.start)
		}
	}
}
