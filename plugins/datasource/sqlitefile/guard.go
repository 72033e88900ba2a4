package sqlitefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"dorado/plugins/datasource"
)

// Key is the configuration key that allows folders.
const Key = "datasource.sqlite.folders"

// Config says where files may lie.
type Config struct {
	Folders []string `koanf:"folders"` // none: nowhere
}

// Validate returns everything that is wrong, joined.
func (c Config) Validate() error {
	var problems []error
	for _, f := range c.Folders {
		switch {
		case !filepath.IsAbs(f):
			problems = append(problems, fmt.Errorf("%s: %q is no absolute path", Key, f))
		case filepath.Clean(f) == "/":
			problems = append(problems, fmt.Errorf("%s: / would allow every file of the machine", Key))
		}
	}
	return errors.Join(problems...)
}

// Guard decides which files are opened.
type Guard struct {
	Config

	Own []string // files and folders of the program itself
}

// sidecars stand behind the name of a file in the names of those that SQLite keeps beside it.
var sidecars = []string{"-journal", "-wal", "-shm"}

// superJournal ends a journal that names another file, which SQLite would look into and delete.
var superJournal = []byte{0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7}

// refused says that a file is not opened.
func refused(format string, args ...any) error {
	return datasource.At(datasource.Unfit, fmt.Errorf(format, args...))
}

// Check returns the file at path under the name without links by which it may be opened, and what it is.
func (g Guard) Check(path string) (string, fs.FileInfo, error) {
	switch {
	case len(g.Folders) == 0:
		return "", nil, refused("no folder of this machine may hold files of SQLite: an administrator can allow some with the configuration key %s", Key)
	case !filepath.IsAbs(path) || slices.Contains(strings.Split(path, "/"), ".."):
		return "", nil, refused("the file %q is no absolute path without ..", path)
	}
	path = filepath.Clean(path)
	if !slices.ContainsFunc(g.Folders, func(f string) bool { return below(path, filepath.Clean(f)) }) {
		return "", nil, refused("the file %q is not below a folder that the configuration key %s allows", path, Key)
	}
	if g.own(path) { // before anything tells whether it exists
		return "", nil, refused("the file %q belongs to this program", path)
	}
	at, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", nil, missing(path, err)
	}
	if !slices.ContainsFunc(g.Folders, func(f string) bool { return below(at, resolved(f)) }) {
		return "", nil, refused("a link leads from the file %q out of the folders that the configuration key %s allows", path, Key)
	}
	if g.own(at) {
		return "", nil, refused("the file %q belongs to this program", path)
	}
	info, err := only(at)
	if err != nil {
		return "", nil, err
	}
	for _, s := range sidecars {
		if _, err := only(at + s); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", nil, err
		}
	}
	if err := journal(at + sidecars[0]); err != nil {
		return "", nil, err
	}
	return at, info, nil
}

// own reports whether a path is or lies below one of the program's.
func (g Guard) own(path string) bool {
	return slices.ContainsFunc(g.Own, func(o string) bool {
		o, err := filepath.Abs(o)
		if err != nil {
			return true
		}
		for _, o := range []string{o, resolved(o)} {
			if path == o || below(path, o) || slices.ContainsFunc(sidecars, func(s string) bool { return path == o+s }) {
				return true
			}
		}
		return false
	})
}

// only is what lies at path, when it is a plain file that has no other name.
func only(path string) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, missing(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, refused("%q is no plain file", path)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Nlink != 1 {
		return nil, refused("the file %q has another name (a hard link), which may lie anywhere", path)
	}
	return info, nil
}

// journal refuses one that names another file.
func journal(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return missing(path, err)
	}
	defer f.Close()
	end := make([]byte, len(superJournal))
	if _, err := f.Seek(-int64(len(end)), io.SeekEnd); err != nil {
		return nil // it is too short to name anything
	}
	if _, err := io.ReadFull(f, end); err != nil {
		return missing(path, err)
	}
	if bytes.Equal(end, superJournal) {
		return refused("the journal %q names another file: open the database once with a program of SQLite's", path)
	}
	return nil
}

// missing says that a file cannot be had on this machine.
func missing(path string, err error) error {
	host, _ := os.Hostname()
	if errors.Is(err, fs.ErrNotExist) {
		return datasource.At(datasource.Missing, fmt.Errorf("there is no file %q on the machine %s: %w", path, host, fs.ErrNotExist))
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return datasource.At(datasource.Missing, fmt.Errorf("the file %q cannot be opened on the machine %s: %w", path, host, err))
}

// below reports whether path lies below folder; both are clean.
func below(path, folder string) bool {
	return strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
}

// resolved is a path without links; what does not exist stays as it is.
func resolved(path string) string {
	if at, err := filepath.EvalSymlinks(path); err == nil {
		return at
	}
	// The folder may exist, or be a link, although the file in it does not.
	if at, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(at, filepath.Base(path))
	}
	return filepath.Clean(path)
}
