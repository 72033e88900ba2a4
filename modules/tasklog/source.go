package tasklog

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"syscall"

	"dorado/modules/rpc/doradov1"
)

// Errors of reading.
var (
	ErrGone       = errors.New("tasklog: no such log")
	ErrBadPattern = errors.New("tasklog: bad pattern")
)

// Source is one log that can be read from any place.
type Source interface {
	io.ReaderAt
	// Name is the same for all who read the same log.
	Name() string
	// State is how long the log is now, and an identity that another log under the same name does not have ("": not known).
	State() (size int64, identity string, err error)
}

// Send takes one piece of an answer.
type Send func(*doradov1.LogReply) error

// File is the log in a file.
func File(f *os.File) Source { return file{f} }

type file struct{ *os.File }

func (f file) State() (size int64, identity string, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, "", err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		identity = strconv.FormatUint(st.Dev, 36) + "-" + strconv.FormatUint(st.Ino, 36)
	}
	return info.Size(), identity, nil
}

// Reader answers requests. Its methods may be called at the same time.
type Reader struct{ indexes *indexes }

// NewReader returns a Reader that remembers nothing yet.
func NewReader() *Reader { return &Reader{indexes: newIndexes()} }

// Forget drops what is remembered of a log.
func (s *Reader) Forget(name string) { s.indexes.forget(name) }

// Answer sends everything that belongs to one request, the last piece marked done. A log is followed until over says that
// nothing will be added. It returns ErrBadPattern for a search that is none.
func (s *Reader) Answer(ctx context.Context, f Source, request *doradov1.LogRequest, over func() bool, send Send) error {
	switch want := request.GetWant().(type) {
	case *doradov1.LogRequest_Follow:
		return s.follow(ctx, f, over, want.Follow.GetFrom(), send)
	case *doradov1.LogRequest_Lines:
		reply, err := s.lines(ctx, f, want.Lines.GetFrom(), int(want.Lines.GetLimit()))
		if err != nil {
			return err
		}
		reply.Done = true
		return send(reply)
	case *doradov1.LogRequest_Search:
		reply, err := s.search(ctx, f, want.Search)
		if err != nil {
			return err
		}
		reply.Done = true
		return send(reply)
	case *doradov1.LogRequest_Bytes:
		return download(ctx, f, want.Bytes.GetOffset(), send)
	default:
		return errors.New("tasklog: a request that wants nothing")
	}
}

// download sends what the log holds now, from offset on.
func download(ctx context.Context, f Source, offset int64, send Send) error {
	size, _, err := f.State()
	if err != nil {
		return err
	}
	for at := max(0, offset); at < size; {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		chunk := make([]byte, min(ChunkSize, size-at))
		n, err := f.ReadAt(chunk, at)
		if n > 0 {
			if err := send(&doradov1.LogReply{Data: chunk[:n], Size: size, More: at+int64(n) < size}); err != nil {
				return err
			}
		}
		at += int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	return send(&doradov1.LogReply{Done: true, Size: size})
}
