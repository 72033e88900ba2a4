package executor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
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

	mu     sync.Mutex
	spares map[uint32][]string // empty directories by the user who owns them
	count  int                 // of them
	serial int
}

// Making and removing a directory allocates and frees an inode, which costs some file systems half a millisecond; to
// rename one costs 8 us. An attempt that leaves its directory as it got it, empty and with no process behind, passes it
// on to the next attempt of the same user.
const (
	maxSpares   = 64
	sparePrefix = ".spare-"
)

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
	w := &workdirs{
		base: base, root: root, dir: dir, fd: int(dir.Fd()), open: passable(base), spares: map[uint32][]string{},
	}
	left, err := filepath.Glob(filepath.Join(base, sparePrefix+"*"))
	for _, path := range left { // of an earlier run
		err = errors.Join(err, root.RemoveAll(filepath.Base(path)))
	}
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
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

func (w *workdirs) close() error {
	for _, names := range w.spares {
		for _, name := range names {
			_ = unix.Unlinkat(w.fd, name, unix.AT_REMOVEDIR) // else the next start does it
		}
	}
	return errors.Join(w.root.Close(), w.dir.Close())
}

// sweep removes the directories of attempts that are long over: a crash came before they were cleaned up.
func (w *workdirs) sweep(ctx context.Context, log *slog.Logger) {
	names, err := w.dir.Readdirnames(-1)
	for _, name := range names {
		if _, bad := strconv.ParseInt(name, 10, 64); bad == nil {
			err = errors.Join(err, w.root.RemoveAll(name))
		}
	}
	if err != nil {
		log.WarnContext(ctx, "old working directories not removed", "dir", w.base, "error", err)
	}
}

// takeSpare gives a spare directory of owner the name of an attempt.
func (w *workdirs) takeSpare(name string, owner account) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := w.spares[owner.uid]
	if len(names) == 0 {
		return false
	}
	if unix.Renameat2(w.fd, names[len(names)-1], w.fd, name, unix.RENAME_NOREPLACE) != nil {
		return false
	}
	w.spares[owner.uid] = names[:len(names)-1]
	w.count--
	return true
}

// keepSpare keeps the directory of an attempt for another one if it is as it was made.
func (w *workdirs) keepSpare(name string, owner account) bool {
	fd, err := unix.Openat(w.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(fd) }()
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&0o7777 != 0o750 || st.Uid != owner.uid || st.Nlink > 2 {
		return false
	}
	var entries [512]byte
	n, err := unix.Getdents(fd, entries[:])
	if err != nil || n > emptyDirSize {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count >= maxSpares {
		return false
	}
	w.serial++
	spare := sparePrefix + strconv.Itoa(w.serial)
	if unix.Renameat2(w.fd, name, w.fd, spare, unix.RENAME_NOREPLACE) != nil {
		return false
	}
	w.spares[owner.uid] = append(w.spares[owner.uid], spare)
	w.count++
	return true
}

// emptyDirSize is what Getdents returns for "." and "..", 24 bytes each.
const emptyDirSize = 48

func (w *workdirs) path(id int64) string { return filepath.Join(w.base, strconv.FormatInt(id, 10)) }

// make creates the directory of an attempt, owned by its account, and returns a descriptor of it (the caller's) through
// which the child can enter even when a directory above is closed to its user.
func (w *workdirs) make(id int64, owner account) (int, error) {
	name := strconv.FormatInt(id, 10)
	spare := w.takeSpare(name, owner)
	var err error
	if !spare {
		err = unix.Mkdirat(w.fd, name, 0o750)
	}
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
	if !owner.self && !spare {
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

// remove takes the directory of an attempt away: cheaply when the attempt left nothing in it. pid is the first process
// of the attempt, 0 if there was none.
func (w *workdirs) remove(ctx context.Context, id int64, owner account, viaSudo bool, pid int) error {
	name := strconv.FormatInt(id, 10)
	if !viaSudo && pid > 1 && errors.Is(unix.Kill(-pid, 0), unix.ESRCH) && w.keepSpare(name, owner) {
		return nil
	}
	err := unix.Unlinkat(w.fd, name, unix.AT_REMOVEDIR)
	switch {
	case err == nil, errors.Is(err, unix.ENOENT):
		return nil
	case viaSudo && !privileged():
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
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
func (e *Executor) removeDir(ctx context.Context, a *attempt) {
	if !a.hasDir || e.cfg.KeepWorkdir {
		return
	}
	if err := e.dirs.remove(ctx, a.id, a.account, a.viaSudo, a.pid); err != nil {
		e.log.WarnContext(ctx, "working directory not removed", "task_instance_id", a.id, "dir", a.dir, "error", err)
	}
}
