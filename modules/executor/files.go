package executor

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"dorado/modules/rpc/doradov1"
	"dorado/plugins/storage"
	"dorado/plugins/task"
)

// fetchesAtOnce bounds how many files come from the storage at once.
const fetchesAtOnce = 4

// errNoStorage is what tasks with files end with on a worker without a storage.
var errNoStorage = errors.New("files of the resource center cannot be fetched: this worker has no storage (see storage.type)")

// files brings files to attempts: of the resource center, and what tasks before them handed on. A content is fetched once and kept as long as there is room:
// contents never change, so a copy whose sum was right stays right. Attempts get copies of their own, which they may change.
type files struct {
	store storage.Storage
	dir   string
	limit int64 // bytes of copies that nobody waits for
	most  int64 // bytes of one file that another task handed on, packed and unpacked
	room  chan struct{}

	mu    sync.Mutex
	known map[string]*content // by blob
	size  int64               // of all that are there
}

// content is one content of a file, here or on its way. Its fields are guarded by files.mu until ready is closed.
type content struct {
	blob  string
	size  int64
	path  string
	users int
	used  time.Time
	ready chan struct{}
	err   error
}

// newFiles empties dir: what was there before is unknown.
func newFiles(s storage.Storage, dir string, limit, most int64) (*files, error) {
	f := &files{store: s, dir: dir, limit: limit, most: most, room: make(chan struct{}, fetchesAtOnce), known: map[string]*content{}}
	if s == nil {
		return f, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	return f, os.MkdirAll(dir, 0o700)
}

// enqueue hands an attempt that has a slot to the starters, with its files first where it needs some; e.mu is held.
func (e *Executor) enqueue(a *attempt) {
	if len(a.task.GetFiles()) == 0 || a.task.GetDryRun() {
		e.queue <- a
		return
	}
	go e.guard(e.work, a, func() {
		a.fetched, a.fetchErr = e.fetch(e.work, a)
		e.queue <- a
	})
}

// fetch gets the files of an attempt. It ends early when the attempt is to be ended.
func (e *Executor) fetch(ctx context.Context, a *attempt) ([]*content, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // watches for the end of the attempt
		for {
			e.mu.Lock()
			gate, ending := e.gate, a.ending
			e.mu.Unlock()
			if ending != endNone {
				cancel()
				return
			}
			select {
			case <-gate:
			case <-ctx.Done():
				return
			}
		}
	}()
	return e.files.get(ctx, a.task.GetFiles())
}

// get returns the contents of all, held for the caller until place or drop. An error drops what was got.
func (f *files) get(ctx context.Context, all []*doradov1.File) ([]*content, error) {
	if f.store == nil {
		return nil, errNoStorage
	}
	var got []*content
	for _, file := range all {
		c, err := f.one(ctx, file)
		if err != nil {
			f.drop(got)
			return nil, fmt.Errorf("cannot fetch %s: %w", file.GetPath(), err)
		}
		got = append(got, c)
	}
	return got, nil
}

func (f *files) one(ctx context.Context, file *doradov1.File) (*content, error) {
	if err := storage.CheckKey(file.GetPath()); err != nil {
		return nil, err
	}
	if handedOn(file) && file.GetSize() > f.most {
		return nil, tooMuch{f.most}
	}
	for {
		f.mu.Lock()
		c, there := f.known[file.GetBlob()]
		if !there {
			sum := sha256.Sum256([]byte(file.GetBlob()))
			c = &content{blob: file.GetBlob(), size: file.GetSize(), path: filepath.Join(f.dir, hex.EncodeToString(sum[:16])), ready: make(chan struct{})}
			f.known[c.blob] = c
		}
		c.users++
		f.mu.Unlock()
		if !there {
			err := f.download(ctx, c, file)
			f.mu.Lock()
			if c.err = err; err != nil {
				delete(f.known, c.blob)
			} else {
				f.size += c.size
			}
			f.mu.Unlock()
			close(c.ready)
			return c, err
		}
		select {
		case <-c.ready:
		case <-ctx.Done():
			f.drop([]*content{c})
			return nil, ctx.Err()
		}
		if c.err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !errors.Is(c.err, context.Canceled) { // else: that was the end of another attempt, not of this one
			return nil, c.err
		}
	}
}

// download brings a content here. What does not have its sum is refused.
func (f *files) download(ctx context.Context, c *content, file *doradov1.File) (err error) {
	select {
	case f.room <- struct{}{}:
		defer func() { <-f.room }()
	case <-ctx.Done():
		return ctx.Err()
	}
	r, _, err := f.store.Get(ctx, c.blob, 0)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	out, err := os.OpenFile(c.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			_ = os.Remove(c.path)
		}
	}()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), io.LimitReader(r, c.size+1))
	switch {
	case err != nil:
		return err
	case n != c.size || hex.EncodeToString(sum.Sum(nil)) != file.GetSha256():
		return errors.New("the storage holds another content than was saved (size or checksum differ)")
	}
	return ctx.Err()
}

// drop lets go of contents, and removes those that were not used for longest when there are too many.
func (f *files) drop(held []*content) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range held {
		c.users--
		c.used = time.Now()
	}
	if f.size <= f.limit {
		return
	}
	var idle []*content
	for _, c := range f.known {
		if c.users == 0 {
			idle = append(idle, c)
		}
	}
	slices.SortFunc(idle, func(a, b *content) int { return a.used.Compare(b.used) })
	for _, c := range idle {
		if f.size <= f.limit {
			return
		}
		_ = os.Remove(c.path)
		delete(f.known, c.blob)
		f.size -= c.size
	}
}

// place puts the files of an attempt into its working directory, as its user's, and lets go of them. Nothing is followed
// that the tenant could have put in the way.
func (f *files) place(a *attempt) error {
	defer func() { f.drop(a.fetched); a.fetched = nil }()
	for i, c := range a.fetched {
		if err := f.put(a.work.fd, a.task.GetFiles()[i], c, a.account); err != nil {
			return fmt.Errorf("cannot put %s into the working directory: %w", a.task.GetFiles()[i].GetPath(), err)
		}
	}
	return nil
}

// put makes one file in a working directory, or all that is in an archive.
func (f *files) put(dir int, file *doradov1.File, c *content, owner account) error {
	if file.GetUnpack() {
		return f.unpack(c, file.GetPath(), func(name string, mode fs.FileMode, _ int64, in io.Reader) error {
			if mode.IsDir() {
				return makeFolder(dir, name, owner)
			}
			return putFile(dir, name, mode, in, owner)
		})
	}
	in, err := os.Open(c.path)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	// The mode is DolphinScheduler's: scripts among the files are called by their names.
	return putFile(dir, file.GetPath(), 0o755, in, owner)
}

// makeFolder makes a folder below a directory, and those above it.
func makeFolder(dir int, name string, owner account) error {
	at, err := enter(dir, name, owner)
	if err == nil && at != dir {
		err = unix.Close(at)
	}
	return err
}

// enter opens a folder below a directory, and makes what is missing of its path. For an empty path it is the directory itself.
func enter(dir int, folders string, owner account) (at int, err error) {
	at = dir
	defer func() {
		if err != nil && at != dir {
			_ = unix.Close(at)
		}
	}()
	for part := range strings.SplitSeq(strings.Trim(folders, "/"), "/") {
		if part == "" {
			continue
		}
		err := unix.Mkdirat(at, part, 0o755)
		made := err == nil
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return at, err
		}
		next, err := unix.Openat(at, part, dirFlags, 0)
		if err != nil {
			return at, err
		}
		if at != dir {
			_ = unix.Close(at)
		}
		if at = next; made && !owner.self {
			if err := unix.Fchown(at, int(owner.uid), int(owner.gid)); err != nil {
				return at, err
			}
		}
	}
	return at, nil
}

func putFile(dir int, name string, mode fs.FileMode, in io.Reader, owner account) error {
	folders, file := path.Split(name)
	at, err := enter(dir, folders, owner)
	if err != nil {
		return err
	}
	if at != dir {
		defer func() { _ = unix.Close(at) }()
	}
	fd, err := unix.Openat(at, file, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if errors.Is(err, unix.EEXIST) {
		return errors.New("two files of the task have this name")
	}
	if err != nil {
		return err
	}
	out := os.NewFile(uintptr(fd), name)
	_, err = io.Copy(out, in)
	if err == nil && !owner.self {
		err = out.Chown(int(owner.uid), int(owner.gid))
	}
	if err == nil {
		err = out.Chmod(mode.Perm())
	}
	return errors.Join(err, out.Close())
}

// archive is a file without a name that holds text and behind it a tar archive of the files of an attempt, for a tenant who
// puts them into the working directory himself.
func (f *files) archive(a *attempt, text string, own []task.File) (int, error) {
	defer func() { f.drop(a.fetched); a.fetched = nil }()
	fd, err := unix.Open(f.dir, unix.O_RDWR|unix.O_TMPFILE|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return -1, err
	}
	keep, err := unix.Dup(fd)
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	unix.CloseOnExec(keep)
	out := os.NewFile(uintptr(fd), "archive")
	if err := errors.Join(f.pack(out, a, text, own), out.Close()); err != nil {
		return -1, errors.Join(err, unix.Close(keep))
	}
	return keep, nil
}

func (f *files) pack(out io.Writer, a *attempt, text string, own []task.File) error {
	if _, err := io.WriteString(out, text); err != nil {
		return err
	}
	w := tar.NewWriter(out)
	for _, file := range own {
		if err := w.WriteHeader(&tar.Header{Name: file.Name, Size: int64(len(file.Text)), Mode: 0o600, Format: tar.FormatPAX}); err != nil {
			return err
		}
		if _, err := io.WriteString(w, file.Text); err != nil {
			return err
		}
	}
	for i, c := range a.fetched {
		if err := f.packOne(w, a.task.GetFiles()[i], c); err != nil {
			return err
		}
	}
	return w.Close()
}

func (f *files) packOne(w *tar.Writer, file *doradov1.File, c *content) error {
	add := func(name string, mode fs.FileMode, size int64, in io.Reader) error {
		h := &tar.Header{Name: name, Size: size, Mode: int64(mode.Perm()), Format: tar.FormatPAX, Typeflag: tar.TypeReg}
		if mode.IsDir() {
			h.Name, h.Size, h.Typeflag = name+"/", 0, tar.TypeDir
			return w.WriteHeader(h)
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := io.Copy(w, in)
		return err
	}
	if file.GetUnpack() {
		return f.unpack(c, file.GetPath(), add)
	}
	in, err := os.Open(c.path)
	if err != nil {
		return err
	}
	return errors.Join(add(file.GetPath(), 0o755, c.size, in), in.Close())
}
