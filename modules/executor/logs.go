package executor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"dorado/modules/rpc"
	"dorado/modules/rpc/doradov1"
	"dorado/modules/tasklog"
)

const (
	maxLogCalls   = 256 // at once on one stream
	maxLogReaders = 8   // of them, how many read at the same time; those who follow wait most of the time
)

// Answers to LogRequest.
const (
	logGone       = "log.gone"
	logBadPattern = "log.bad_pattern"
	logInternal   = "log.internal"
	logInUse      = "log.in_use"
	logBusy       = "log.busy"
)

// logServer answers questions about logs. It reads files only; the attempts that write them need not be known. Savepoints, which
// are asked for in the same way, are somebody else's.
type logServer struct {
	base    string // absolute
	dir     *os.File
	inUse   func(id int64) bool // whether an attempt still writes its log
	readers chan struct{}
	reader  *tasklog.Reader
	save    func(ctx context.Context, id int64) *doradov1.LogReply // answers a SavepointRequest
}

func newLogServer(base string, inUse func(int64) bool) (*logServer, error) {
	base, err := filepath.Abs(base)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(base, 0o750); err != nil {
		return nil, err
	}
	dir, err := os.Open(base)
	if err != nil {
		return nil, err
	}
	return &logServer{base: base, dir: dir, inUse: inUse, readers: make(chan struct{}, maxLogReaders), reader: tasklog.NewReader()}, nil
}

func (s *logServer) close() error { return s.dir.Close() }

// reply is one piece of an answer on its way to a master.
type replier func(*doradov1.LogReply) error

// serve answers the requests of one data stream until it ends. Answers of different calls are interleaved; Send blocks
// while the master is slow, which slows the reader down and nothing else.
func (s *logServer) serve(ctx context.Context, stream rpc.WorkerStream) error {
	ctx, cancel := context.WithCancel(ctx)
	var calls sync.WaitGroup
	defer calls.Wait()
	defer cancel()
	var mu sync.Mutex
	running := map[uint64]context.CancelFunc{}
	send := func(r *doradov1.LogReply) error {
		return stream.Send(&doradov1.WorkerFrame{Body: &doradov1.WorkerFrame_Log{Log: r}})
	}
	for {
		frame, err := stream.Recv()
		if err != nil {
			return err
		}
		request := frame.GetLog()
		if request == nil {
			continue
		}
		call := request.GetCall()
		mu.Lock()
		known, exists := running[call]
		full := len(running) >= maxLogCalls
		mu.Unlock()
		switch {
		case request.GetCancel() != nil:
			if exists {
				known()
			}
			continue
		case exists:
			continue
		case full:
			if err := send(&doradov1.LogReply{Call: call, Done: true, Error: logBusy}); err != nil {
				return err
			}
			continue
		}
		callCtx, stop := context.WithCancel(ctx)
		mu.Lock()
		running[call] = stop
		mu.Unlock()
		calls.Go(func() {
			defer func() {
				mu.Lock()
				delete(running, call)
				mu.Unlock()
				stop()
			}()
			switch err := s.answer(callCtx, request, send); {
			case err == nil:
			case errors.Is(err, context.Canceled):
				_ = send(&doradov1.LogReply{Call: call, Done: true})
			default:
				_ = send(&doradov1.LogReply{Call: call, Done: true, Error: faultOf(err)})
			}
		})
	}
}

var errLogInUse = errors.New("executor: the log is being written")

func faultOf(err error) string {
	switch {
	case errors.Is(err, tasklog.ErrGone):
		return logGone
	case errors.Is(err, tasklog.ErrBadPattern):
		return logBadPattern
	case errors.Is(err, errLogInUse):
		return logInUse
	default:
		return logInternal
	}
}

// answer sends everything that belongs to one request, the last piece marked done.
func (s *logServer) answer(ctx context.Context, request *doradov1.LogRequest, send replier) error {
	call := request.GetCall()
	tagged := func(r *doradov1.LogReply) error {
		r.Call = call
		return send(r)
	}
	if want := request.GetSavepoint(); want != nil {
		return s.answerSavepoint(ctx, want.GetId(), tagged)
	}
	if request.GetRemove() != nil {
		if err := s.remove(request.GetPath()); err != nil {
			return err
		}
		return tagged(&doradov1.LogReply{Done: true})
	}
	f, id, err := s.open(request.GetPath())
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if request.GetFollow() == nil {
		select {
		case s.readers <- struct{}{}:
			defer func() { <-s.readers }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.reader.Answer(ctx, tasklog.File(f), request, func() bool { return !s.inUse(id) }, tagged)
}

// answerSavepoint waits for the savepoint, but not beyond the stream: another one must be able to begin meanwhile.
func (s *logServer) answerSavepoint(ctx context.Context, id int64, send replier) error {
	taken := make(chan *doradov1.LogReply, 1)
	go func() { taken <- s.save(ctx, id) }()
	select {
	case r := <-taken:
		return send(r)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// relative returns the path of a log below the base and its attempt. A path elsewhere is as unknown as one of a file
// that is not there.
func (s *logServer) relative(path string) (string, int64, error) {
	if filepath.IsAbs(path) {
		rest, ok := strings.CutPrefix(path, s.base+"/")
		if !ok {
			return "", 0, tasklog.ErrGone
		}
		path = rest
	}
	name, isLog := strings.CutSuffix(filepath.Base(path), ".log")
	id, err := strconv.ParseInt(name, 10, 64)
	if !filepath.IsLocal(path) || path != filepath.Clean(path) || !isLog || err != nil {
		return "", 0, tasklog.ErrGone
	}
	return path, id, nil
}

// open opens a log for reading. The kernel refuses every way out of the base, symbolic links included.
func (s *logServer) open(path string) (*os.File, int64, error) {
	relative, id, err := s.relative(path)
	if err != nil {
		return nil, 0, err
	}
	fd, err := s.openBeneath(relative, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil, 0, tasklog.ErrGone
	}
	f := os.NewFile(uintptr(fd), filepath.Join(s.base, relative))
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = f.Close()
		return nil, 0, tasklog.ErrGone
	}
	return f, id, nil
}

// openBeneath resolves a relative path below the base without following links; on kernels before 5.6 step by step.
func (s *logServer) openBeneath(relative string, flags int) (int, error) {
	fd, err := unix.Openat2(int(s.dir.Fd()), relative, &unix.OpenHow{
		Flags: uint64(flags | unix.O_CLOEXEC), Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM) {
		return fd, err
	}
	at := int(s.dir.Fd())
	parts := strings.Split(relative, "/")
	for i, part := range parts {
		how := flags
		if i < len(parts)-1 {
			how = unix.O_PATH | unix.O_DIRECTORY
		}
		next, err := unix.Openat(at, part, how|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if i > 0 {
			_ = unix.Close(at)
		}
		if err != nil {
			return -1, err
		}
		at = next
	}
	return at, nil
}

// remove deletes a log, and directories that it leaves empty. A log that is gone already is no error.
func (s *logServer) remove(path string) error {
	relative, id, err := s.relative(path)
	if err != nil {
		return err
	}
	if s.inUse(id) {
		return errLogInUse
	}
	dir, name := filepath.Split(relative)
	parent := int(s.dir.Fd())
	if dir = strings.TrimSuffix(dir, "/"); dir != "" {
		if parent, err = s.openBeneath(dir, unix.O_PATH|unix.O_DIRECTORY); err != nil {
			if errors.Is(err, unix.ENOENT) {
				return nil
			}
			return tasklog.ErrGone
		}
		defer func() { _ = unix.Close(parent) }()
	}
	if err := unix.Unlinkat(parent, name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	s.reader.Forget(filepath.Join(s.base, relative))
	for ; dir != "" && dir != "."; dir = filepath.Dir(dir) {
		// The path holds no link: it was just resolved, and only the worker can write here.
		if unix.Unlinkat(int(s.dir.Fd()), dir, unix.AT_REMOVEDIR) != nil {
			break
		}
	}
	return nil
}
