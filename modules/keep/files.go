package keep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Kinds of files in a backup, the first part of their names.
const (
	KindLogs      = "logs"
	KindResources = "resources"
)

// File is a file to be backed up. Content is open until the call that got the file returns.
type File struct {
	Name     string // below its kind, with slashes
	Size     int64
	Modified time.Time
	Content  io.Reader
}

// Source is a set of files.
type Source interface {
	// Kind is where the files go: one of the constants above.
	Kind() string
	// Each calls fn for every file until it fails. A file that vanishes meanwhile is passed over.
	Each(ctx context.Context, fn func(File) error) error
}

// Folder is a folder with all that is below it, symbolic links and special files apart.
type Folder struct {
	Of   string // the kind
	Path string
	// Unreadable is told of files that cannot be opened; nil makes them errors.
	Unreadable func(path string, err error)
}

// Kind implements Source.
func (f Folder) Kind() string { return f.Of }

// Each implements Source.
func (f Folder) Each(ctx context.Context, fn func(File) error) error {
	root, err := os.OpenRoot(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("files of %s: %w", f.Path, err)
	}
	defer func() { _ = root.Close() }()
	return fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || e.IsDir() || !e.Type().IsRegular() {
			return f.passOver(name, err)
		}
		file, err := root.Open(name)
		if err != nil {
			return f.passOver(name, err)
		}
		defer func() { _ = file.Close() }()
		info, err := file.Stat()
		if err != nil || !info.Mode().IsRegular() {
			return f.passOver(name, err)
		}
		return fn(File{Name: filepath.ToSlash(name), Size: info.Size(), Modified: info.ModTime().UTC(), Content: file})
	})
}

func (f Folder) passOver(name string, err error) error {
	switch {
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return nil
	case f.Unreadable != nil && !errors.Is(err, context.Canceled):
		f.Unreadable(filepath.Join(f.Path, name), err)
		return nil
	}
	return fmt.Errorf("files of %s: %w", f.Path, err)
}

// Target takes files out of a backup.
type Target interface {
	// Put keeps a file under its name below its kind; it refuses one that is there already.
	Put(ctx context.Context, name string, size int64, from io.Reader) error
}

// Into is a folder as a target. Close it.
type Into struct {
	path  string
	root  *os.Root        // nil before the first file
	given map[string]bool // folders that exist
}

// NewInto returns the folder at path, which is made with the first file. What lies in it already stays, and nothing in it
// is overwritten.
func NewInto(path string) *Into { return &Into{path: path} }

// Close gives the folder back.
func (i *Into) Close() error {
	if i.root == nil {
		return nil
	}
	return i.root.Close()
}

func (i *Into) open() (err error) {
	if i.root != nil {
		return nil
	}
	if err := os.MkdirAll(i.path, 0o750); err != nil {
		return fmt.Errorf("files into %s: %w", i.path, err)
	}
	if i.root, err = os.OpenRoot(i.path); err != nil {
		return fmt.Errorf("files into %s: %w", i.path, err)
	}
	i.given = map[string]bool{".": true}
	return nil
}

// Put implements Target. The name cannot leave the folder, whatever it or a link in the folder says.
func (i *Into) Put(_ context.Context, name string, _ int64, from io.Reader) error {
	if err := i.open(); err != nil {
		return err
	}
	name = filepath.FromSlash(name)
	if dir := filepath.Dir(name); !i.given[dir] {
		if err := i.root.MkdirAll(dir, 0o750); err != nil {
			return fmt.Errorf("file %s: %w", name, err)
		}
		if len(i.given) > 10_000 { // only a shortcut
			i.given = map[string]bool{".": true}
		}
		i.given[dir] = true
	}
	f, err := i.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return fmt.Errorf("file %s: %w", name, err)
	}
	_, err = io.Copy(f, from)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("file %s: %w", name, err)
	}
	return nil
}
