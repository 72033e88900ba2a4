package hdfs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net"
	"path"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/colinmarc/hdfs/v2"

	"dorado/plugins/storage"
)

const (
	dirMode = 0o750
	// stale is when a temporary file belongs to nobody any more: whoever wrote it died.
	stale = 24 * time.Hour
	// batch is how many names are read from a folder at once.
	batch = 1000
	// completing is how long the last block of a file is waited for.
	completing = 30 * time.Second
)

// Store is a folder of a file system. The connection is made when it is first needed.
type Store struct {
	c Config

	mu     sync.Mutex
	client *hdfs.Client
	done   func()
}

var _ storage.Storage = (*Store)(nil)

// Open returns the store; nothing is sent yet.
func Open(c Config) (*Store, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Store{c: c}, nil
}

// Close drops the connections.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		return nil
	}
	err := s.client.Close()
	s.done()
	s.client = nil
	return err
}

// fs returns the client, connected once.
func (s *Store) fs(ctx context.Context) (*hdfs.Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		return s.client, nil
	}
	client, done, err := s.c.client()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", storage.ErrAway, err)
	}
	s.client, s.done = client, done
	return client, nil
}

// encode and decode are for one part of a key: see the package's comment.
func encode(part string) string {
	if part == ".snapshot" || part == ".reserved" {
		return "%2E" + part[1:]
	}
	return strings.NewReplacer("%", "%25", ":", "%3A").Replace(part)
}

func decode(name string) string {
	return strings.NewReplacer("%25", "%", "%3A", ":", "%2E", ".").Replace(name)
}

// at is where a key lies.
func (s *Store) at(key string) string {
	parts := strings.Split(strings.TrimSuffix(key, "/"), "/")
	for i, p := range parts {
		parts[i] = encode(p)
	}
	return path.Join(s.c.Base, path.Join(parts...))
}

// fault gives an error of the file system its place among those of the interface.
func fault(what, key string, err error) error {
	var kind error
	var said hdfs.Error
	var network net.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, storage.ErrAway):
	case errors.Is(err, fs.ErrNotExist), strings.Contains(err.Error(), "ParentNotDirectoryException"):
		kind = storage.ErrNotFound
	case errors.Is(err, fs.ErrPermission):
		kind = storage.ErrRefused
	case errors.As(err, &said): // the name node has an opinion
		if strings.Contains(said.Exception(), "SafeMode") || strings.Contains(said.Exception(), "Standby") {
			kind = storage.ErrAway
		}
	case errors.As(err, &network), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(err.Error(), "no available namenodes"):
		kind = storage.ErrAway
	}
	if kind == nil {
		return fmt.Errorf("%s %q: %w", what, key, err)
	}
	return fmt.Errorf("%w: %s %q: %w", kind, what, key, err)
}

// Check writes and removes an empty file, and removes what writers that died left behind.
func (s *Store) Check(ctx context.Context) error {
	c, err := s.fs(ctx)
	if err != nil {
		return fault("check", s.c.Base, err)
	}
	name, w, err := s.temporary(c)
	if err != nil {
		return fault("check", s.c.Base, err)
	}
	s.sweep(c, time.Now())
	return fault("check", s.c.Base, errors.Join(finish(ctx, w), c.Remove(name)))
}

func (s *Store) sweep(c *hdfs.Client, now time.Time) {
	dir := s.at(storage.Reserved)
	found, err := c.ReadDir(dir)
	if err != nil {
		return
	}
	for _, f := range found {
		if now.Sub(f.ModTime()) > stale {
			_ = c.Remove(path.Join(dir, f.Name()))
		}
	}
}

func (s *Store) temporary(c *hdfs.Client) (string, *hdfs.FileWriter, error) {
	name := path.Join(s.at(storage.Reserved), rand.Text())
	w, err := c.Create(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err = c.MkdirAll(path.Dir(name), dirMode); err == nil {
			w, err = c.Create(name)
		}
	}
	return name, w, err
}

// finish closes a file; that its last block is not yet on enough machines is no failure.
func finish(ctx context.Context, w *hdfs.FileWriter) error {
	for end, pause := time.Now().Add(completing), 20*time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := w.Close()
		if !hdfs.IsErrReplicating(err) || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// Put writes to a temporary file and renames it.
func (s *Store) Put(ctx context.Context, key string, r io.Reader, size int64) (storage.Info, error) {
	if err := storage.CheckKey(key); err != nil {
		return storage.Info{}, err
	}
	c, err := s.fs(ctx)
	if err != nil {
		return storage.Info{}, fault("put", key, err)
	}
	name, w, err := s.temporary(c)
	if err != nil {
		return storage.Info{}, fault("put", key, err)
	}
	if _, err = io.Copy(onlyWriter{w}, &untilDone{ctx, storage.Exactly(r, size)}); err == nil {
		err = finish(ctx, w)
	} else {
		_ = w.Close()
	}
	var info fs.FileInfo
	if err == nil {
		info, err = c.Stat(name)
	}
	if err == nil {
		err = s.appear(c, name, s.at(key))
	}
	if err != nil {
		_ = c.Remove(name)
		return storage.Info{}, fault("put", key, err)
	}
	return infoOf(key, info), nil
}

// onlyWriter hides that the library's writer could read by itself.
type onlyWriter struct{ io.Writer }

// appear renames a complete file. The folder above may be missing, or removed at any moment.
func (s *Store) appear(c *hdfs.Client, name, target string) error {
	if there, err := c.Stat(target); err == nil && there.IsDir() {
		return fs.ErrExist // an empty folder would be replaced
	}
	err := c.Rename(name, target)
	for range 10 {
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err = c.MkdirAll(path.Dir(target), dirMode); err == nil || errors.Is(err, fs.ErrExist) {
			err = c.Rename(name, target)
		}
	}
	return err
}

// untilDone is a reader that ends with its context.
type untilDone struct {
	ctx context.Context //nolint:containedctx // a reader has none
	r   io.Reader
}

// Read reads.
func (u *untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// number is the one of a file, which stays when it is renamed and is never used again.
func number(i fs.FileInfo) uint64 {
	if n, ok := i.Sys().(interface{ GetFileId() uint64 }); ok {
		return n.GetFileId()
	}
	return 0
}

func infoOf(key string, i fs.FileInfo) storage.Info {
	if i.IsDir() {
		return storage.Info{Key: strings.TrimSuffix(key, "/") + "/", Modified: i.ModTime().UTC()}
	}
	version := strconv.FormatInt(i.Size(), 36) + "-" + strconv.FormatInt(i.ModTime().UnixMilli(), 36) + "-" + strconv.FormatUint(number(i), 36)
	return storage.Info{Key: key, Size: i.Size(), Modified: i.ModTime().UTC(), Version: version}
}

// describe is Stat, less a confusion: to look below a file is "permission denied" for HDFS.
func (s *Store) describe(c *hdfs.Client, key string) (fs.FileInfo, error) {
	name := s.at(key)
	info, err := c.Stat(name)
	for dir := path.Dir(name); errors.Is(err, fs.ErrPermission) && len(dir) > len(s.c.Base); dir = path.Dir(dir) {
		if above, wrong := c.Stat(dir); wrong == nil && !above.IsDir() {
			return nil, fs.ErrNotExist
		}
	}
	return info, err
}

// Get opens a file by its number; when it was replaced in between, the one that is there now.
func (s *Store) Get(ctx context.Context, key string, offset int64) (io.ReadCloser, storage.Info, error) {
	if err := storage.CheckKey(key); err != nil {
		return nil, storage.Info{}, err
	}
	c, err := s.fs(ctx)
	for try := 0; err == nil && try < 10; try++ {
		var info fs.FileInfo
		if info, err = s.describe(c, key); err != nil {
			break
		}
		if info.IsDir() {
			err = fs.ErrNotExist
			break
		}
		r, wrong := c.Open("/.reserved/.inodes/" + strconv.FormatUint(number(info), 10))
		if errors.Is(wrong, fs.ErrNotExist) {
			continue
		}
		if wrong == nil && offset > 0 {
			_, wrong = r.Seek(min(offset, info.Size()), io.SeekStart)
		}
		if wrong != nil {
			err = wrong
			break
		}
		return &file{untilDone{ctx, r}, r}, infoOf(key, info), nil
	}
	if err == nil {
		err = errors.New("it is replaced again and again")
	}
	return nil, storage.Info{}, fault("get", key, err)
}

// file reads and closes.
type file struct {
	untilDone
	io.Closer
}

// Stat describes a file or folder.
func (s *Store) Stat(ctx context.Context, key string) (storage.Info, error) {
	if err := storage.CheckAny(key); err != nil {
		return storage.Info{}, err
	}
	c, err := s.fs(ctx)
	if err != nil {
		return storage.Info{}, fault("stat", key, err)
	}
	info, err := s.describe(c, key)
	if err == nil && info.IsDir() != strings.HasSuffix(key, "/") {
		err = fs.ErrNotExist
	}
	if err != nil {
		return storage.Info{}, fault("stat", key, err)
	}
	return infoOf(key, info), nil
}

// List reads folders.
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
	c, err := s.fs(ctx)
	var dir *hdfs.FileReader
	if err == nil {
		dir, err = c.Open(s.at(folder))
	}
	if err == nil && !dir.Stat().IsDir() {
		return true
	}
	for err == nil {
		var found []fs.FileInfo
		if found, err = dir.Readdir(batch); err != nil {
			break
		}
		for _, f := range found {
			key := folder + decode(f.Name())
			if storage.CheckKey(key) != nil || encode(path.Base(key)) != f.Name() {
				continue // not made by us
			}
			if err := ctx.Err(); err != nil {
				yield(storage.Info{}, err)
				return false
			}
			info := infoOf(key, f)
			if !yield(info, nil) || deep && info.Dir() && !s.list(ctx, info.Key, deep, yield) {
				return false
			}
		}
	}
	if errors.Is(err, io.EOF) {
		return true
	}
	err = fault("list", folder, err)
	return errors.Is(err, storage.ErrNotFound) || yield(storage.Info{}, err)
}

// Delete removes files and empty folders.
func (s *Store) Delete(ctx context.Context, keys ...string) error {
	var failed []error
	for _, key := range keys {
		if err := storage.CheckAny(key); err != nil {
			failed = append(failed, err)
			continue
		}
		c, err := s.fs(ctx)
		if err != nil {
			return errors.Join(append(failed, fault("delete", key, err))...)
		}
		name, dir := s.at(key), strings.HasSuffix(key, "/")
		if info, err := c.Stat(name); err == nil && info.IsDir() != dir {
			continue // there is no such file, or no such folder
		}
		err = c.Remove(name)
		if dir && errors.Is(err, syscall.ENOTEMPTY) {
			continue
		}
		if err = fault("delete", key, err); err != nil && !errors.Is(err, storage.ErrNotFound) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// MakeDir makes a folder.
func (s *Store) MakeDir(ctx context.Context, folder string) error {
	if err := storage.CheckFolder(folder); err != nil {
		return err
	}
	c, err := s.fs(ctx)
	if err == nil {
		err = c.MkdirAll(s.at(folder), dirMode)
	}
	return fault("make", folder, err)
}

// Copy reads and writes: HDFS cannot copy by itself.
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
func (s *Store) MoveTree(ctx context.Context, from, to string) error {
	c, err := s.fs(ctx)
	if err != nil {
		return fault("move", from, err)
	}
	target := s.at(to)
	if _, err := c.Stat(target); err == nil {
		return fmt.Errorf("move to %q: %w", to, fs.ErrExist)
	}
	if err := c.MkdirAll(path.Dir(target), dirMode); err != nil {
		return fault("move", to, err)
	}
	return fault("move", from, c.Rename(s.at(from), target))
}

// Prune removes empty folders, from the lowest up.
func (s *Store) Prune(ctx context.Context, folder string) error {
	if err := storage.CheckFolder(folder); err != nil {
		return err
	}
	c, err := s.fs(ctx)
	if err != nil {
		return fault("prune", folder, err)
	}
	for key := strings.TrimSuffix(folder, "/"); key != "." && removeEmpty(c, s.at(key)); key = path.Dir(key) {
	}
	return nil
}

// removeEmpty removes a folder in which nothing lies, and reports whether it did.
func removeEmpty(c *hdfs.Client, name string) bool {
	info, err := c.Stat(name)
	return err == nil && info.IsDir() && c.Remove(name) == nil
}
