package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
	"unicode/utf8"
)

// Errors that every store returns, wrapped with the key and the cause.
var (
	ErrNotFound = errors.New("storage: no such key")
	ErrBadKey   = errors.New("storage: not a key")
	ErrAway     = errors.New("storage: cannot be reached") // nothing is wrong with the request; trying again may help
	ErrRefused  = errors.New("storage: access refused")    // trying again will not help before somebody changes settings
)

// Unknown is the size of what is not measured before it is stored.
const Unknown int64 = -1

// Info describes one file or folder.
type Info struct {
	Key      string // a folder's ends in a slash
	Size     int64  // bytes; 0 for folders
	Modified time.Time
	Version  string // changes whenever the content does; empty for folders
}

// Dir reports whether it is a folder.
func (i Info) Dir() bool { return strings.HasSuffix(i.Key, "/") }

// Storage keeps files. All methods may be called at the same time, also for one key: whoever ends last wins, and a
// reader sees one whole content or the other. None of them holds a file in memory.
type Storage interface {
	// Put stores what r gives under key and replaces what was there: all of it or nothing. With a known size it takes that
	// much, and less is an error; a reader that can seek and read at an offset may be read in parallel and more than once.
	// Folders above need not exist.
	Put(ctx context.Context, key string, r io.Reader, size int64) (Info, error)
	// Get opens a file from an offset on; at or behind its end there is nothing to read. It returns ErrNotFound.
	Get(ctx context.Context, key string, offset int64) (io.ReadCloser, Info, error)
	// Stat describes a file, or a folder when the key ends in a slash. It returns ErrNotFound.
	Stat(ctx context.Context, key string) (Info, error)
	// List gives what lies below a folder ("" is the top) in no particular order: its direct children, or with deep all
	// files and at least those folders that MakeDir made. A folder that does not exist is empty. An error ends the list.
	List(ctx context.Context, folder string, deep bool) iter.Seq2[Info, error]
	// Delete removes files, and folders in which nothing lies; others stay. What is not there is no error.
	Delete(ctx context.Context, keys ...string) error
	// MakeDir makes a folder and those above; one that exists is no error.
	MakeDir(ctx context.Context, folder string) error
	// Copy stores the content of a file under another key too, without passing it through this process where the store can.
	Copy(ctx context.Context, from, to string) error
	// Check reports whether the store can be used as it is configured.
	Check(ctx context.Context) error
	// Close lets go of what the store holds here.
	Close() error
}

// treeMover is a store that can rename a folder at once.
type treeMover interface {
	MoveTree(ctx context.Context, from, to string) error
}

// pruner is a store where a folder that came with a file stays when the file goes.
type pruner interface {
	Prune(ctx context.Context, folder string) error
}

// Prune removes a folder, and those above it, as long as nothing lies in them. It is for folders that nobody made by
// MakeDir; where folders exist only by what lies in them there is nothing to do.
func Prune(ctx context.Context, s Storage, folder string) error {
	if p, ok := s.(pruner); ok {
		return p.Prune(ctx, folder)
	}
	return nil
}

// Reserved is the name of a folder that stores use for themselves; no key may contain it.
const Reserved = ".dorado-tmp"

// maxName is the longest name of one part of a key: what file systems allow.
const maxName = 255

// CheckKey returns ErrBadKey for what is no key of a file: empty, absolute, with a part that is empty, "." or "..", with a
// control character or a backslash, not UTF-8, or too long.
func CheckKey(key string) error {
	if strings.HasSuffix(key, "/") {
		return fmt.Errorf("%w: %q names a folder", ErrBadKey, key)
	}
	return checkPath(key)
}

// CheckFolder is CheckKey for a folder, with its slash at the end.
func CheckFolder(key string) error {
	rest, ok := strings.CutSuffix(key, "/")
	if !ok {
		return fmt.Errorf("%w: %q does not end in a slash", ErrBadKey, key)
	}
	return checkPath(rest)
}

// CheckAny is CheckKey or CheckFolder, whichever the key asks for.
func CheckAny(key string) error { return checkPath(strings.TrimSuffix(key, "/")) }

func checkPath(key string) error {
	if key == "" || len(key) > 1024 || !utf8.ValidString(key) {
		return fmt.Errorf("%w: %.100q", ErrBadKey, key)
	}
	for part := range strings.SplitSeq(key, "/") {
		switch {
		case part == "", part == ".", part == "..", part == Reserved, len(part) > maxName,
			strings.ContainsFunc(part, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }):
			return fmt.Errorf("%w: %.100q", ErrBadKey, key)
		}
	}
	return nil
}

// CopyTree copies everything below a folder to another one. Both end in a slash; neither may lie in the other.
func CopyTree(ctx context.Context, s Storage, from, to string) error {
	if err := checkTrees(from, to); err != nil {
		return err
	}
	if err := s.MakeDir(ctx, to); err != nil {
		return err
	}
	for info, err := range s.List(ctx, from, true) {
		if err != nil {
			return err
		}
		target := to + strings.TrimPrefix(info.Key, from)
		if info.Dir() {
			err = s.MakeDir(ctx, target)
		} else {
			err = s.Copy(ctx, info.Key, target)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// MoveTree moves everything below a folder to another one, which must not exist. A store with real folders does it at
// once; elsewhere files are copied first and removed afterwards, so a failure in between loses nothing.
func MoveTree(ctx context.Context, s Storage, from, to string) error {
	if err := checkTrees(from, to); err != nil {
		return err
	}
	if m, ok := s.(treeMover); ok {
		return m.MoveTree(ctx, from, to)
	}
	if err := CopyTree(ctx, s, from, to); err != nil {
		return err
	}
	return DeleteTree(ctx, s, from)
}

// Move renames a file.
func Move(ctx context.Context, s Storage, from, to string) error {
	if from == to {
		return nil
	}
	if err := s.Copy(ctx, from, to); err != nil {
		return err
	}
	return s.Delete(ctx, from)
}

// deleteBatch is how many keys are deleted by one call.
const deleteBatch = 1000

// DeleteTree removes a folder and everything below it.
func DeleteTree(ctx context.Context, s Storage, folder string) error {
	if err := CheckFolder(folder); err != nil {
		return err
	}
	var folders, files []string
	for info, err := range s.List(ctx, folder, true) {
		if err != nil {
			return err
		}
		if info.Dir() {
			folders = append(folders, info.Key)
			continue
		}
		if files = append(files, info.Key); len(files) == deleteBatch {
			if err := s.Delete(ctx, files...); err != nil {
				return err
			}
			files = files[:0]
		}
	}
	if err := s.Delete(ctx, files...); err != nil {
		return err
	}
	// The longest first: a folder goes when nothing lies in it.
	longestFirst(folders)
	for len(folders) > 0 {
		n := min(len(folders), deleteBatch)
		if err := s.Delete(ctx, folders[:n]...); err != nil {
			return err
		}
		folders = folders[n:]
	}
	return s.Delete(ctx, folder)
}

func checkTrees(from, to string) error {
	if err := errors.Join(CheckFolder(from), CheckFolder(to)); err != nil {
		return err
	}
	if strings.HasPrefix(from, to) || strings.HasPrefix(to, from) {
		return fmt.Errorf("%w: %q and %q lie in one another", ErrBadKey, from, to)
	}
	return nil
}
