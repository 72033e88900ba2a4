package executor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// workdirs makes and removes the private directories of attempts. All calls are relative to a descriptor of the base and
// follow no symbolic link, because a tenant owns what lies below.
type workdirs struct {
	base string
	root *os.Root
	fd   int
	dir  *os.File
	open bool // every user can get here by path, because no directory above is closed
}

func newWorkdirs(base string, u *users) (*workdirs, error) {
	base, err := filepath.Abs(base)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return nil, err
	}
	// Tenants may pass through, and can't see each other. Under sudo they make their own directories here.
	mode := uint32(0o711)
	if u.cfg.Sudo == SudoAlways || (u.cfg.Sudo == SudoAuto && !privileged()) {
		mode = 0o1733
	}
	if err := unix.Chmod(base, mode); err != nil {
		return nil, fmt.Errorf("%s: %w", base, err)
	}
	root, err := os.OpenRoot(base)
	if err != nil {
		return nil, err
	}
	dir, err := os.Open(base)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &workdirs{base: base, root: root, dir: dir, fd: int(dir.Fd()), open: passable(base)}, nil
}

// passable reports whether all users may pass through the directories above path and itself.
func passable(path string) bool {
	for ; ; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		if path == filepath.Dir(path) {
			return true
		}
	}
}

// script is the name under which owner's interpreter finds a file of its working directory. A bare name, unless the
// directory can't be reached by its path: some interpreters insist on making names absolute.
func (w *workdirs) script(file string, owner account) string {
	if w.open || owner.self {
		return file
	}
	return "/proc/self/cwd/" + file
}

func (w *workdirs) close() error { return errors.Join(w.root.Close(), w.dir.Close()) }

func (w *workdirs) path(id int64) string { return filepath.Join(w.base, strconv.FormatInt(id, 10)) }

// make creates the directory of an attempt, owned by its account, and returns a descriptor of it (the caller's) through
// which the child can enter even when a directory above is closed to its user.
func (w *workdirs) make(id int64, owner account) (int, error) {
	name := strconv.FormatInt(id, 10)
	err := unix.Mkdirat(w.fd, name, 0o750)
	if errors.Is(err, unix.EEXIST) { // left by a crash
		if err = w.root.RemoveAll(name); err == nil {
			err = unix.Mkdirat(w.fd, name, 0o750)
		}
	}
	if err != nil {
		return -1, fmt.Errorf("cannot create the working directory: %w", err)
	}
	fd, err := unix.Openat(w.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot open the working directory: %w", err)
	}
	if !owner.self {
		if err := unix.Fchown(fd, int(owner.uid), int(owner.gid)); err != nil {
			_ = unix.Close(fd)
			return -1, fmt.Errorf("cannot give the working directory to %s: %w", owner.name, err)
		}
	}
	return fd, nil
}

// put writes a file of mode 0700 that belongs to owner into a directory that make returned.
func (w *workdirs) put(dir int, name, text string, owner account) error {
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o700)
	if err != nil {
		return fmt.Errorf("cannot create %s in the working directory: %w", name, err)
	}
	err = writeAll(fd, text)
	if err == nil && !owner.self {
		err = unix.Fchown(fd, int(owner.uid), int(owner.gid))
	}
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return fmt.Errorf("cannot write %s in the working directory: %w", name, err)
	}
	return nil
}

// remove deletes the directory of an attempt: by one call when the attempt left nothing in it.
func (w *workdirs) remove(id int64, owner account, viaSudo bool) error {
	name := strconv.FormatInt(id, 10)
	err := unix.Unlinkat(w.fd, name, unix.AT_REMOVEDIR)
	switch {
	case err == nil, errors.Is(err, unix.ENOENT):
		return nil
	case viaSudo && !privileged():
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute) //nolint:contextcheck // cleaning up outlives whatever asked for it
		defer cancel()
		out, err := exec.CommandContext(ctx, "sudo", "-n", "-u", owner.name, "--", "rm", "-rf", "--", w.path(id)).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, oneLine(string(out)))
		}
		return nil
	default:
		return w.root.RemoveAll(name)
	}
}

// removeDir removes the directory of an attempt that is over. A failure is the operator's business, not the task's.
func (e *Executor) removeDir(a *attempt) {
	if !a.hasDir || e.cfg.KeepWorkdir {
		return
	}
	if err := e.dirs.remove(a.id, a.account, a.viaSudo); err != nil {
		e.log.Warn("working directory not removed", "task_instance_id", a.id, "dir", a.dir, "error", err)
	}
}
