package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dorado/plugins/storage"
)

// Config says where the files lie.
type Config struct {
	Dir  string `koanf:"dir"`  // made when it is missing
	Sync bool   `koanf:"sync"` // wait until a file is on the disk
}

// Validate returns what is wrong.
func (c Config) Validate() error {
	if c.Dir == "" {
		return errors.New("storage.local.dir: must not be empty")
	}
	return nil
}

const (
	dirMode  = 0o750
	fileMode = 0o640
	// stale is when a temporary file belongs to nobody any more: whoever wrote it died.
	stale = 24 * time.Hour
	// batch is how many names are read from a folder at once.
	batch = 1000
)

// Store is a folder.
type Store struct {
	dir  string
	sync bool
	root *os.Root
}

var _ storage.Storage = (*Store)(nil)

// Open returns the store of a folder, which it makes when it is missing.
func Open(c Config) (*Store, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("storage.local.dir: %w", err)
	}
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("storage.local.dir: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("storage.local.dir: %w", err)
	}
	s := &Store{dir: dir, sync: c.Sync, root: root}
	s.sweep(time.Now())
	return s, nil
}

// sweep removes what writers that died left behind.
func (s *Store) sweep(now time.Time) {
	f, err := s.root.Open(storage.Reserved)
	if err != nil {
		return // nobody has written yet
	}
	defer func() { _ = f.Close() }()
	names, _ := f.Readdirnames(-1)
	for _, name := range names {
		name = path.Join(storage.Reserved, name)
		if info, err := s.root.Lstat(name); err == nil && now.Sub(info.ModTime()) > stale {
			_ = s.root.Remove(name)
		}
	}
}

// Dir is the folder, absolute.
func (s *Store) Dir() string { return s.dir }

// Close lets go of the folder.
func (s *Store) Close() error { return s.root.Close() }

// Check writes and removes an empty file.
func (s *Store) Check(context.Context) error {
	name, f, err := s.temporary()
	if err != nil {
		return fault("check", s.dir, err)
	}
	return fault("check", s.dir, errors.Join(f.Close(), s.root.Remove(name)))
}

// fault gives an error of the file system its place among those of the interface.
func fault(what, key string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %s %q: %w", storage.ErrNotFound, what, key, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %s %q: %w", storage.ErrRefused, what, key, err)
	default:
		return fmt.Errorf("%s %q: %w", what, key, err)
	}
}

func (s *Store) temporary() (string, *os.File, error) {
	name := storage.Reserved + "/" + rand.Text()
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if errors.Is(err, fs.ErrNotExist) {
		if err = s.root.MkdirAll(storage.Reserved, dirMode); err == nil {
			f, err = s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
		}
	}
	return name, f, err
}

// Put writes to a temporary file and renames it.
func (s *Store) Put(ctx context.Context, key string, r io.Reader, size int64) (storage.Info, error) {
	if err := storage.CheckKey(key); err != nil {
		return storage.Info{}, err
	}
	name, f, err := s.temporary()
	if err != nil {
		return storage.Info{}, fault("put", key, err)
	}
	info, err := s.write(ctx, f, r, size)
	if err = errors.Join(err, f.Close()); err == nil {
		err = s.appear(name, key)
	}
	if err != nil {
		return storage.Info{}, fault("put", key, errors.Join(err, s.root.Remove(name)))
	}
	return infoOf(key, info), nil
}

func (s *Store) write(ctx context.Context, f *os.File, r io.Reader, size int64) (fs.FileInfo, error) {
	if _, err := io.Copy(f, &untilDone{ctx, storage.Exactly(r, size)}); err != nil {
		return nil, err
	}
	if s.sync {
		if err := f.Sync(); err != nil {
			return nil, err
		}
	}
	return f.Stat()
}

// appear renames a complete file to its key. The folder above may be removed by Delete at any moment.
func (s *Store) appear(name, key string) error {
	err := s.root.Rename(name, key)
	for range 10 {
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err = s.root.MkdirAll(path.Dir(key), dirMode); err == nil || errors.Is(err, fs.ErrExist) {
			err = s.root.Rename(name, key)
		}
	}
	if err == nil && s.sync {
		err = s.syncDir(path.Dir(key))
	}
	return err
}

// syncDir makes a rename last.
func (s *Store) syncDir(dir string) error {
	f, err := s.root.Open(dir)
	if err != nil {
		return nil //nolint:nilerr // it was removed again, with what was renamed into it
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil // some network file systems cannot, and need not
	}
	return errors.Join(err, f.Close())
}

// untilDone is a reader that ends with its context.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u *untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

func infoOf(key string, i fs.FileInfo) storage.Info {
	if i.IsDir() {
		return storage.Info{Key: strings.TrimSuffix(key, "/") + "/", Modified: i.ModTime().UTC()}
	}
	version := strconv.FormatInt(i.Size(), 36) + "-" + strconv.FormatInt(i.ModTime().UnixNano(), 36)
	if st, ok := i.Sys().(*syscall.Stat_t); ok {
		version += "-" + strconv.FormatUint(st.Ino, 36)
	}
	return storage.Info{Key: key, Size: i.Size(), Modified: i.ModTime().UTC(), Version: version}
}

// Get opens a file.
func (s *Store) Get(_ context.Context, key string, offset int64) (io.ReadCloser, storage.Info, error) {
	if err := storage.CheckKey(key); err != nil {
		return nil, storage.Info{}, err
	}
	f, err := s.root.OpenFile(key, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe somebody put there must not hold us
	if err != nil {
		return nil, storage.Info{}, fault("get", key, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err == nil && offset > 0 {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, storage.Info{}, fault("get", key, err)
	}
	return f, infoOf(key, info), nil
}

// Stat describes a file or folder.
func (s *Store) Stat(_ context.Context, key string) (storage.Info, error) {
	if err := storage.CheckAny(key); err != nil {
		return storage.Info{}, err
	}
	name, wantDir := strings.CutSuffix(key, "/")
	info, err := s.root.Lstat(name)
	if err == nil && (info.IsDir() != wantDir || !wantDir && !info.Mode().IsRegular()) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return storage.Info{}, fault("stat", key, err)
	}
	return infoOf(key, info), nil
}

// List reads folders. Links and other things that are neither file nor folder are not listed.
func (s *Store) List(ctx context.Context, folder string, deep bool) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		if folder != "" {
			if err := storage.CheckFolder(folder); err != nil {
				yield(storage.Info{}, err)
				return
			}
		}
		s.list(ctx, folder, deep, yield)
	}
}

// list returns whether to go on.
func (s *Store) list(ctx context.Context, folder string, deep bool, yield func(storage.Info, error) bool) bool {
	f, err := s.root.Open("./" + folder)
	if err != nil {
		err = fault("list", folder, err)
		return errors.Is(err, storage.ErrNotFound) || yield(storage.Info{}, err)
	}
	defer func() { _ = f.Close() }()
	for {
		entries, err := f.ReadDir(batch)
		for _, e := range entries {
			if !s.entry(ctx, folder, e, deep, yield) {
				return false
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, fs.ErrNotExist) {
			return true
		}
		if err != nil {
			yield(storage.Info{}, fault("list", folder, err))
			return false
		}
	}
}

func (s *Store) entry(ctx context.Context, folder string, e fs.DirEntry, deep bool, yield func(storage.Info, error) bool) bool {
	if err := ctx.Err(); err != nil {
		yield(storage.Info{}, err)
		return false
	}
	key := folder + e.Name()
	if storage.CheckKey(key) != nil || !e.IsDir() && !e.Type().IsRegular() {
		return true // not made by us
	}
	info, err := e.Info()
	if err != nil {
		return true // it went away meanwhile
	}
	i := infoOf(key, info)
	if !yield(i, nil) {
		return false
	}
	return !deep || !i.Dir() || s.list(ctx, i.Key, deep, yield)
}

// Delete removes files and empty folders.
func (s *Store) Delete(ctx context.Context, keys ...string) error {
	var failed []error
	for _, key := range keys {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(failed, err)...)
		}
		if err := storage.CheckAny(key); err != nil {
			failed = append(failed, err)
			continue
		}
		name, dir := strings.CutSuffix(key, "/")
		if info, err := s.root.Lstat(name); err == nil && info.IsDir() != dir {
			continue // there is no such file, or no such folder
		}
		err := s.root.Remove(name)
		if dir && (errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist)) {
			continue
		}
		if err = fault("delete", key, err); err != nil && !errors.Is(err, storage.ErrNotFound) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// MakeDir makes a folder.
func (s *Store) MakeDir(_ context.Context, folder string) error {
	if err := storage.CheckFolder(folder); err != nil {
		return err
	}
	return fault("make", folder, s.root.MkdirAll(strings.TrimSuffix(folder, "/"), dirMode))
}

// Copy reads and writes; the kernel does it where the file system can share blocks.
func (s *Store) Copy(ctx context.Context, from, to string) error {
	if err := errors.Join(storage.CheckKey(from), storage.CheckKey(to)); err != nil || from == to {
		return err
	}
	r, info, err := s.Get(ctx, from, 0)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	_, err = s.Put(ctx, to, r, info.Size)
	return err
}

// MoveTree renames a folder.
func (s *Store) MoveTree(_ context.Context, from, to string) error {
	target := strings.TrimSuffix(to, "/")
	if _, err := s.root.Lstat(target); err == nil {
		return fmt.Errorf("move to %q: %w", to, fs.ErrExist)
	}
	if dir := path.Dir(target); dir != "." {
		if err := s.root.MkdirAll(dir, dirMode); err != nil {
			return fault("move", to, err)
		}
	}
	return fault("move", from, s.root.Rename(strings.TrimSuffix(from, "/"), target))
}

// Prune removes empty folders, from the lowest up.
func (s *Store) Prune(_ context.Context, folder string) error {
	if err := storage.CheckFolder(folder); err != nil {
		return err
	}
	for name := path.Clean(folder); name != "." && s.removeEmpty(name); name = path.Dir(name) {
	}
	return nil
}

// removeEmpty removes a folder in which nothing lies, and reports whether it did.
func (s *Store) removeEmpty(name string) bool {
	info, err := s.root.Lstat(name)
	return err == nil && info.IsDir() && s.root.Remove(name) == nil
}
