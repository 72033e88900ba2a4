package executor

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// child is a started process.
type child struct {
	pid   int
	pidfd int // -1: the kernel has none
}

// command is what the kernel needs to start a process. Descriptors stay the caller's.
type command struct {
	path       string
	argv       []string
	env        []string
	dirs       []string // paths of the working directory: the first by which the child can enter it counts; at least one
	stdin      int      // -1: nothing to read
	output     int      // standard output and error
	script     int      // descriptor 3 of the child; -1: none
	itself     bool     // descriptor 4 of the child is this program
	credential *syscall.Credential
}

// spawner starts processes and waits for them: by a pidfd in the runtime's poller, so that ten thousand sleeping
// children cost no thread, or, where the kernel has no pidfd, by one goroutine that listens to SIGCHLD.
//
// While it is frozen no child is reaped, so that their ends are there for the program that takes this one's place.
type spawner struct {
	null    *os.File
	program *os.File // this one, whatever has become of the file that it was started from
	reaper  *reaper
	frozen  sync.RWMutex // read-locked to reap
	reaped  atomic.Int64
	noted   atomic.Int64 // of those reaped
}

func newSpawner() *spawner {
	s := &spawner{}
	s.reaper = newReaper(s.reap)
	s.null, _ = os.Open(os.DevNull) // without it, start says so
	s.program, _ = os.Open(ownProgram)
	return s
}

// A command that starts this program gets it as a descriptor: its file may lie where the tenant cannot go, or hold the next
// version by now. sudo closes descriptors, so by this way the tenant must be able to reach the file.
const (
	ownProgram   = "/proc/self/exe"
	givenProgram = "/proc/self/fd/4"
	programName  = "DORADO_PROGRAM="
)

// itself is where a command finds this program.
func (a *attempt) itself() (string, error) {
	if !a.viaSudo {
		return programName + givenProgram, nil
	}
	path, err := os.Executable()
	return programName + path, err
}

func (s *spawner) close() error {
	s.reaper.close()
	var failures []error
	for _, f := range []*os.File{s.null, s.program} {
		if f != nil {
			failures = append(failures, f.Close())
		}
	}
	return errors.Join(failures...)
}

// start starts c as leader of a session of its own, so that all of it can be signalled at once. It uses ForkExec rather
// than os/exec, which would keep a goroutine or a thread for each child.
func (s *spawner) start(c command) (child, error) {
	stdin := c.stdin
	if stdin < 0 {
		if s.null == nil {
			return child{}, errors.New("cannot open " + os.DevNull)
		}
		stdin = int(s.null.Fd())
	}
	files := []uintptr{uintptr(stdin), uintptr(c.output), uintptr(c.output)}
	if c.script >= 0 {
		files = append(files, uintptr(c.script))
	}
	if c.itself {
		if s.program == nil {
			return child{}, errors.New("cannot open " + ownProgram)
		}
		if c.script < 0 {
			files = append(files, ^uintptr(0)) // which closes it
		}
		files = append(files, s.program.Fd())
	}
	var pid int
	var err error
	pidfd := -1
	for _, dir := range c.dirs {
		pid, err = syscall.ForkExec(c.path, c.argv, &syscall.ProcAttr{
			Dir: dir, Env: c.env, Files: files,
			Sys: &syscall.SysProcAttr{Setsid: true, Credential: c.credential, PidFD: &pidfd},
		})
		if !errors.Is(err, syscall.EACCES) && !errors.Is(err, syscall.ENOENT) {
			break // it has nothing to do with the directory
		}
	}
	if err != nil {
		return child{}, fmt.Errorf("cannot start %s: %w", c.path, err)
	}
	return child{pid, pidfd}, nil
}

// wait returns when the process has ended, and reaps it.
func (s *spawner) wait(c child) (status, error) {
	// In a crowd most have ended before anybody comes to wait for them, and then the poller need not hear of them.
	var ws syscall.WaitStatus
	if pid, err := s.reap(c.pid, &ws); pid != 0 || err != nil {
		if c.pidfd >= 0 {
			_ = unix.Close(c.pidfd)
		}
		return status(ws), err
	}
	if c.pidfd >= 0 {
		st, err := s.waitPidfd(c)
		if err == nil {
			return st, nil
		}
		if !errors.Is(err, errNotPollable) {
			return 0, err
		}
	}
	return s.reaper.wait(c.pid)
}

var errNotPollable = errors.New("executor: the poller does not take a pidfd")

// waitPidfd parks the goroutine until the pidfd becomes readable, which is when the process is a zombie.
func (s *spawner) waitPidfd(c child) (status, error) {
	if err := unix.SetNonblock(c.pidfd, true); err != nil { // this is what makes NewFile use the poller
		_ = unix.Close(c.pidfd)
		return 0, errNotPollable
	}
	f := os.NewFile(uintptr(c.pidfd), "pidfd")
	defer func() { _ = f.Close() }()
	conn, err := f.SyscallConn()
	if err != nil {
		return 0, errNotPollable
	}
	var ws syscall.WaitStatus
	var waitErr error
	if err := conn.Read(func(uintptr) bool {
		var pid int
		pid, waitErr = s.reap(c.pid, &ws)
		return pid != 0 || waitErr != nil
	}); err != nil {
		return 0, errNotPollable
	}
	return status(ws), waitErr
}

// reap is the function of that name, unless the spawner is frozen: then it waits.
func (s *spawner) reap(pid int, ws *syscall.WaitStatus) (int, error) {
	s.frozen.RLock()
	defer s.frozen.RUnlock()
	got, err := reap(pid, ws)
	if got != 0 || err != nil {
		s.reaped.Add(1)
	}
	return got, err
}

// note says that the caller of wait has made known what it returned.
func (s *spawner) note() { s.noted.Add(1) }

// freeze keeps children from being reaped, and returns when each end before that is known.
func (s *spawner) freeze() {
	s.frozen.Lock()
	for s.reaped.Load() != s.noted.Load() {
		time.Sleep(time.Millisecond)
	}
}

func (s *spawner) thaw() { s.frozen.Unlock() }

// reap collects pid if it has ended; otherwise it returns 0. Until it is reaped its number can't be used again.
func reap(pid int, ws *syscall.WaitStatus) (int, error) {
	for {
		got, err := syscall.Wait4(pid, ws, syscall.WNOHANG, nil)
		if !errors.Is(err, syscall.EINTR) {
			return got, err
		}
	}
}

// sealedFile returns a descriptor of an anonymous file that holds text and can't be changed any more.
func sealedFile(text string) (int, error) {
	const noExec = 0x8 // MFD_NOEXEC_SEAL, Linux 6.3; older kernels know no such flag
	fd, err := unix.MemfdCreate("dorado-script", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|noExec)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate("dorado-script", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return -1, err
	}
	if err := writeAll(fd, text); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func writeAll(fd int, text string) error {
	for data := []byte(text); len(data) > 0; {
		n, err := unix.Write(fd, data)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}
