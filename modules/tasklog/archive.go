package tasklog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"dorado/modules/rpc/doradov1"
	"dorado/plugins/storage"
)

// Archive is the logs in the storage.
type Archive struct {
	store  storage.Storage
	reader *Reader
}

// NewArchive returns the logs of a storage, nil when there is no storage.
func NewArchive(s storage.Storage) *Archive {
	if s == nil {
		return nil
	}
	return &Archive{store: s, reader: NewReader()}
}

// folder holds all logs of a storage.
const folder = "logs"

// Key is where the log of a path lies in the storage. Paths on workers differ in what stands before the day; from there on
// they are the same: day, workflow, version, workflow instance, attempt.
func Key(path string) (string, bool) {
	parts := strings.Split(path, "/")
	if len(parts) < 5 {
		return "", false
	}
	parts = parts[len(parts)-5:]
	for i, part := range parts {
		if i == 4 {
			part = strings.TrimSuffix(part, ".log")
			if part == parts[4] {
				return "", false
			}
		}
		if part == "" || strings.Trim(part, "0123456789") != "" || i == 0 && len(part) != 8 {
			return "", false
		}
	}
	return folder + "/" + strings.Join(parts, "/"), true
}

// Store puts a log into the storage: the part of f that is there when it is called.
func (a *Archive) Store(ctx context.Context, path string, f *os.File) error {
	key, ok := Key(path)
	if !ok {
		return fmt.Errorf("%w: %q", ErrGone, path)
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	_, err = a.store.Put(ctx, key, io.NewSectionReader(f, 0, info.Size()), info.Size())
	return err
}

// Remove deletes logs. Those that are not there are no error.
func (a *Archive) Remove(ctx context.Context, paths ...string) error {
	keys := make([]string, 0, len(paths))
	folders := map[string]bool{}
	for _, path := range paths {
		if key, ok := Key(path); ok {
			keys = append(keys, key)
			folders[key[:strings.LastIndexByte(key, '/')+1]] = true
		}
	}
	if err := a.store.Delete(ctx, keys...); err != nil {
		return err
	}
	for f := range folders {
		if err := storage.Prune(ctx, a.store, f); err != nil {
			return err
		}
	}
	return nil
}

// Answer sends everything that belongs to one request for a log in the storage; each piece says that it is stored. It
// returns ErrGone when the log is not there, and errors of the storage.
func (a *Archive) Answer(ctx context.Context, request *doradov1.LogRequest, send Send) error {
	key, ok := Key(request.GetPath())
	if !ok {
		return ErrGone
	}
	info, err := a.store.Stat(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	if err != nil {
		return err
	}
	f := &object{ctx: ctx, store: a.store, info: info}
	defer f.close()
	return a.reader.Answer(ctx, f, request, func() bool { return true }, func(r *doradov1.LogReply) error {
		r.Stored = true
		return send(r)
	})
}

// object is a log in the storage. Reading on where the last read ended goes on in the same stream; another place opens
// another one. It is for one goroutine.
type object struct {
	ctx    context.Context
	store  storage.Storage
	info   storage.Info
	stream io.ReadCloser // nil: none is open
	at     int64         // of the next byte of stream
}

func (o *object) Name() string { return o.info.Key }

func (o *object) State() (size int64, identity string, err error) {
	return o.info.Size, o.info.Version, nil
}

func (o *object) ReadAt(p []byte, offset int64) (int, error) {
	if offset >= o.info.Size {
		return 0, io.EOF
	}
	if o.stream == nil || o.at != offset {
		o.close()
		stream, _, err := o.store.Get(o.ctx, o.info.Key, offset)
		if err != nil {
			return 0, err
		}
		o.stream, o.at = stream, offset
	}
	n, err := io.ReadFull(o.stream, p)
	o.at += int64(n)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

func (o *object) close() {
	if o.stream != nil {
		_ = o.stream.Close()
		o.stream = nil
	}
}
