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
	"strings"
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
	spares map[uint32][]spare // empty directories by the user who owns them
	count  int                // of them
	taken  map[string]bool    // names of directories that attempts have, or that are spare
}

// workdir is the private directory of an attempt: named after the first attempt that had it. Its descriptor is open only
// from make to settle: each start of a process copies and closes all descriptors of the worker, which costs 1.5 us a piece,
// more than opening one again.
type workdir struct {
	name string
	made bool // it was spare, so it is there
	seen dirState
	fd   int // -1: not open
}

// spare is a directory that is there and empty.
type spare struct {
	name string
	seen dirState
}

// dirState is by which a directory is known to be untouched: nobody can set the time at which it changed last, and whatever
// is made, removed or opened up in it moves that on. The zero value is like no directory.
type dirState struct {
	inode uint64
	ctime unix.Timespec
}

// What changed just now may change again without showing it.
const (
	clockGrain  = 20 * time.Millisecond // more than the steps in which the kernel's clock for files goes on
	coarseGrain = 3 * time.Second       // the same for file systems that keep whole seconds, or pairs of them
)

// stateOf is the state of a directory that was found as it was made, zero when that says too little.
func stateOf(st *unix.Stat_t, now time.Time) dirState {
	grain := clockGrain
	if st.Ctim.Nsec == 0 {
		grain = coarseGrain
	}
	if now.Sub(time.Unix(st.Ctim.Unix())) < grain {
		return dirState{}
	}
	return dirState{st.Ino, st.Ctim}
}

// is reports whether a directory that was seen before is untouched.
func (s dirState) is(st *unix.Stat_t) bool { return s.inode != 0 && s == dirState{st.Ino, st.Ctim} }

// Making and removing a directory allocates and frees an inode, which costs some file systems half a millisecond, and
// naming it anew 20 us each time. An attempt that leaves its directory as it got it, empty and with no process behind,
// passes it on under its name to the next attempt of the same user.
const maxSpares = 64

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
		base: base, root: root, dir: dir, fd: int(dir.Fd()), open: passable(base), spares: map[uint32][]spare{}, taken: map[string]bool{},
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
	for _, spares := range w.spares {
		for _, s := range spares {
			_ = unix.Unlinkat(w.fd, s.name, unix.AT_REMOVEDIR) // else the next start does it
		}
	}
	return errors.Join(w.root.Close(), w.dir.Close())
}

func isNumber(text string) bool {
	_, err := strconv.ParseUint(text, 10, 64)
	return err == nil
}

// has reports whether an attempt has the directory of that name, or will have it.
func (w *workdirs) has(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.taken[name]
}

// sweep removes the directories of attempts that are long over: a crash came before they were cleaned up.
func (w *workdirs) sweep(ctx context.Context, log *slog.Logger) {
	names, err := w.dir.Readdirnames(-1)
	for _, name := range names {
		if number, _, _ := strings.Cut(name, "-"); isNumber(number) && !w.has(name) {
			err = errors.Join(err, w.root.RemoveAll(name))
		}
	}
	if err != nil {
		log.WarnContext(ctx, "old working directories not removed", "dir", w.base, "error", err)
	}
}

// claim finds a directory for an attempt of owner: a spare one, or the name of one that make will make.
func (w *workdirs) claim(id int64, owner account) workdir {
	w.mu.Lock()
	defer w.mu.Unlock()
	if spares := w.spares[owner.uid]; len(spares) > 0 {
		s := spares[len(spares)-1]
		w.spares[owner.uid] = spares[:len(spares)-1]
		w.count--
		return workdir{name: s.name, made: true, seen: s.seen, fd: -1}
	}
	name := strconv.FormatInt(id, 10)
	for n := 1; w.taken[name]; n++ { // the attempt was here before, and its directory went to another one
		name = strconv.FormatInt(id, 10) + "-" + strconv.Itoa(n)
	}
	w.taken[name] = true
	return workdir{name: name, fd: -1}
}

// adopt notes that an attempt from before has a directory.
func (w *workdirs) adopt(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken[name] = true
}

// giveBack ends the claim of an attempt that did not get as far as to use its directory.
func (w *workdirs) giveBack(d *workdir, owner account) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !d.made {
		delete(w.taken, d.name)
		return
	}
	w.spares[owner.uid] = append(w.spares[owner.uid], spare{d.name, d.seen})
	w.count++
}

// release forgets a directory that is gone.
func (w *workdirs) release(d *workdir) {
	w.settle(d)
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.taken, d.name)
}

// settle closes the descriptor of a directory in which the process was started.
func (w *workdirs) settle(d *workdir) {
	if d.fd >= 0 {
		_ = unix.Close(d.fd)
		d.fd = -1
	}
}

// keepSpare keeps the directory of an attempt for another one if it is as it was made.
func (w *workdirs) keepSpare(d *workdir, owner account) bool {
	var st unix.Stat_t
	if unix.Fstatat(w.fd, d.name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return false
	}
	if !d.seen.is(&st) {
		fd, err := unix.Openat(w.fd, d.name, dirFlags, 0)
		if err != nil {
			return false
		}
		kept := w.pristine(fd, d, owner)
		_ = unix.Close(fd)
		if !kept {
			return false
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := w.count < maxSpares
	if kept {
		w.spares[owner.uid] = append(w.spares[owner.uid], spare{d.name, d.seen})
		w.count++
	}
	return kept
}

// pristine reports whether a directory that was just opened is as it was made.
func (w *workdirs) pristine(fd int, d *workdir, owner account) bool {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return false
	}
	if d.seen.is(&st) {
		return true
	}
	if st.Mode&0o7777 != 0o750 || st.Uid != owner.uid || st.Nlink > 2 {
		return false
	}
	var entries [512]byte
	n, err := unix.Getdents(fd, entries[:])
	// What changes between the two calls moves its time on, unless that is now, and then it is not kept.
	d.seen = stateOf(&st, time.Now())
	return err == nil && n <= emptyDirSize
}

// emptyDirSize is what Getdents returns for "." and "..", 24 bytes each.
const emptyDirSize = 48

const dirFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// path is where a directory is.
func (w *workdirs) path(name string) string { return w.base + "/" + name }

// ways are the paths by which a child of owner may enter a directory that is open. Its name leads to this very directory,
// because nobody but the worker may write to the base; it is quicker than the way through /proc, for which the kernel makes
// entries that it throws away with the child.
func (w *workdirs) ways(d *workdir, owner account) []string {
	descriptor := "/proc/self/fd/" + strconv.Itoa(d.fd)
	if w.open || owner.self {
		return []string{w.path(d.name), descriptor}
	}
	return []string{descriptor}
}

// make opens the directory of an attempt. It creates it, owned by its account, unless a spare one was claimed. Through its
// descriptor the child can enter even when a directory above is closed to its user.
func (w *workdirs) make(d *workdir, owner account) error {
	if d.made {
		var err error
		if d.fd, err = unix.Openat(w.fd, d.name, dirFlags, 0); err == nil && w.pristine(d.fd, d, owner) {
			return nil
		}
		if err == nil {
			_ = unix.Close(d.fd)
		}
		d.made, d.seen, d.fd = false, dirState{}, -1 // somebody removed, replaced or filled it since it became spare
	}
	err := unix.Mkdirat(w.fd, d.name, 0o750)
	if errors.Is(err, unix.EEXIST) { // left by a crash
		if err = w.root.RemoveAll(d.name); err == nil {
			err = unix.Mkdirat(w.fd, d.name, 0o750)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot create the working directory: %w", err)
	}
	fd, err := unix.Openat(w.fd, d.name, dirFlags, 0)
	if err != nil {
		return fmt.Errorf("cannot open the working directory: %w", err)
	}
	if !owner.self {
		if err := unix.Fchown(fd, int(owner.uid), int(owner.gid)); err != nil {
			_ = unix.Close(fd)
			return fmt.Errorf("cannot give the working directory to %s: %w", owner.name, err)
		}
	}
	d.fd = fd
	return nil
}

// put writes a file that belongs to owner into a directory that make returned.
func (w *workdirs) put(dir int, name, text string, mode uint32, owner account) error {
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
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
func (w *workdirs) remove(ctx context.Context, d *workdir, owner account, viaSudo bool, pid int) error {
	if !viaSudo && pid > 1 && errors.Is(unix.Kill(-pid, 0), unix.ESRCH) && w.keepSpare(d, owner) {
		return nil
	}
	defer w.release(d)
	err := unix.Unlinkat(w.fd, d.name, unix.AT_REMOVEDIR)
	switch {
	case err == nil, errors.Is(err, unix.ENOENT):
		return nil
	case viaSudo && !privileged():
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, "sudo", "-n", "-u", owner.name, "--", "rm", "-rf", "--", w.path(d.name)).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, oneLine(string(out)))
		}
		return nil
	default:
		return w.root.RemoveAll(d.name)
	}
}

// removeDir removes the directory of an attempt that is over. A failure is the operator's business, not the task's.
func (e *Executor) removeDir(ctx context.Context, a *attempt) {
	if !a.hasDir || e.cfg.KeepWorkdir {
		return
	}
	if err := e.dirs.remove(ctx, &a.work, a.account, a.viaSudo, a.pid); err != nil {
		e.log.WarnContext(ctx, "working directory not removed", "task_instance_id", a.id, "dir", a.dir, "error", err)
	}
}
