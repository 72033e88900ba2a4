package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"dorado/app/kit/fault"
	"dorado/modules/rpc"
	"dorado/modules/rpc/doradov1"
	"dorado/modules/tasklog"
	"dorado/plugins/storage"
)

// Faults of reading a log; the worker's own answers use the same keys.
var (
	ErrLogGone       = fault.New(fault.NotFound, "log.gone")
	ErrLogWorkerAway = fault.New(fault.Unavailable, "log.worker_away") // and there is no storage
	ErrLogNotStored  = fault.New(fault.Unavailable, "log.not_stored")  // the worker is away, and the storage does not have it
	ErrLogStorage    = fault.New(fault.Unavailable, "log.storage")     // the worker cannot answer, and the storage does not
	ErrLogBadPattern = fault.New(fault.Invalid, "log.bad_pattern")
	errLogOther      = fault.New(fault.Internal, "log.internal")
)

// logDepth is how many pieces of an answer wait for a slow reader before the worker is asked to stop, and to go on later.
const logDepth = 64

// dataStream carries log requests to one worker and the pieces of their answers back.
type dataStream struct {
	stream rpc.MasterStream

	mu    sync.Mutex
	last  uint64
	calls map[uint64]*logCall
	gone  bool
}

// logCall is one request under way.
type logCall struct {
	replies chan *doradov1.LogReply
	slow    bool // replies was closed because its reader did not keep up; set before that
}

func (e *Engine) serveData(ctx context.Context, worker string, stream rpc.MasterStream) {
	d := &dataStream{stream: stream, calls: map[uint64]*logCall{}}
	e.dataMu.Lock()
	e.data[worker] = d
	e.dataMu.Unlock()
	defer func() {
		e.dataMu.Lock()
		if e.data[worker] == d {
			delete(e.data, worker)
		}
		e.dataMu.Unlock()
		d.end()
	}()
	for {
		frame, err := stream.Recv()
		if err != nil || ctx.Err() != nil {
			return
		}
		if reply := frame.GetLog(); reply != nil {
			d.deliver(reply)
		}
	}
}

func (d *dataStream) deliver(r *doradov1.LogReply) {
	d.mu.Lock()
	defer d.mu.Unlock()
	call := d.calls[r.GetCall()]
	if call == nil {
		return
	}
	select {
	case call.replies <- r:
	default: // the reader is slow: end the call rather than hold up the stream
		call.slow = true
		close(call.replies)
		delete(d.calls, r.GetCall())
		return
	}
	if r.GetDone() {
		close(call.replies)
		delete(d.calls, r.GetCall())
	}
}

func (d *dataStream) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone = true
	for id, call := range d.calls {
		close(call.replies)
		delete(d.calls, id)
	}
}

// open starts a call; cancel ends it on both sides.
func (d *dataStream) open(req *doradov1.LogRequest) (call *logCall, cancel func(), err error) {
	d.mu.Lock()
	if d.gone {
		d.mu.Unlock()
		return nil, nil, rpc.ErrClosed
	}
	d.last++
	id := d.last
	call = &logCall{replies: make(chan *doradov1.LogReply, logDepth)}
	d.calls[id] = call
	d.mu.Unlock()
	cancel = func() {
		d.mu.Lock()
		_, open := d.calls[id]
		delete(d.calls, id)
		open = open || call.slow
		d.mu.Unlock()
		if open {
			_ = d.stream.Send(logFrame(&doradov1.LogRequest{Call: id, Want: &doradov1.LogRequest_Cancel{Cancel: &doradov1.LogCancel{}}}))
		}
	}
	req.Call = id
	if err := d.stream.Send(logFrame(req)); err != nil {
		cancel()
		return nil, nil, err
	}
	return call, cancel, nil
}

func logFrame(req *doradov1.LogRequest) *doradov1.MasterFrame {
	return &doradov1.MasterFrame{Body: &doradov1.MasterFrame_Log{Log: req}}
}

// ReadLog reads part of a log and calls fn for each piece of the answer until it is done, fn fails, or ctx ends. The
// worker that wrote the log is asked while it is connected and has the log; else the log is read from the storage, from
// where the worker stopped. ReadLog returns what fn returned, ErrLogBadPattern for a search that is no regular expression,
// and otherwise why neither can answer: ErrLogWorkerAway, ErrLogNotStored, ErrLogStorage, ErrLogGone. Logs of logic tasks
// need neither.
func (e *Engine) ReadLog(ctx context.Context, worker string, req *doradov1.LogRequest, fn func(*doradov1.LogReply) error) error {
	if strings.HasPrefix(req.GetPath(), logicLogPrefix) {
		return e.readLogic(ctx, req, fn)
	}
	if req.GetRemove() != nil {
		return e.removeLogs(ctx, map[string][]string{worker: {req.GetPath()}})
	}
	p := &logProgress{req: req, fn: fn}
	for {
		err := e.readWorker(ctx, worker, p)
		switch {
		case errors.Is(err, errLogSlow):
			p.resume()
		case errors.Is(err, ErrLogGone), errors.Is(err, ErrLogWorkerAway):
			p.resume()
			return e.readStored(ctx, worker, p, err)
		default:
			return err
		}
	}
}

// errLogSlow says that an answer was cut off because its reader is slower than the worker.
var errLogSlow = errors.New("engine: the reader of a log is slow")

// logProgress is how far a request was answered, so that somebody else can go on.
type logProgress struct {
	req   *doradov1.LogRequest
	fn    func(*doradov1.LogReply) error
	next  int64 // following: the first line that was not passed on
	bytes int64 // downloading: how much was passed on
	moved bool
}

func (p *logProgress) pass(r *doradov1.LogReply) error {
	if n := int64(len(r.GetLines())); n > 0 {
		p.next = r.GetFrom() + n
		if r.GetPartial() {
			p.next-- // it comes again, longer
		}
	} else {
		p.next = max(p.next, r.GetFrom())
	}
	p.bytes += int64(len(r.GetData()))
	p.moved = true
	return p.fn(r)
}

// resume makes the request one for the rest.
func (p *logProgress) resume() {
	if !p.moved {
		return
	}
	p.moved = false
	switch want := p.req.GetWant().(type) {
	case *doradov1.LogRequest_Follow:
		p.req = &doradov1.LogRequest{Path: p.req.GetPath(), Want: &doradov1.LogRequest_Follow{Follow: &doradov1.LogFollow{From: p.next}}}
	case *doradov1.LogRequest_Bytes:
		offset := want.Bytes.GetOffset() + p.bytes
		p.bytes = 0
		p.req = &doradov1.LogRequest{Path: p.req.GetPath(), Want: &doradov1.LogRequest_Bytes{Bytes: &doradov1.LogBytes{Offset: offset}}}
	}
}

// readWorker asks the worker.
func (e *Engine) readWorker(ctx context.Context, worker string, p *logProgress) error {
	e.dataMu.Lock()
	d := e.data[worker]
	e.dataMu.Unlock()
	if d == nil {
		return ErrLogWorkerAway.With("worker", worker)
	}
	call, cancel, err := d.open(p.req)
	if err != nil {
		return ErrLogWorkerAway.With("worker", worker).Because(err)
	}
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r, ok := <-call.replies:
			if !ok {
				if call.slow {
					return errLogSlow
				}
				return ErrLogWorkerAway.With("worker", worker)
			}
			if r.GetError() != "" {
				return logError(r.GetError(), worker)
			}
			if err := p.pass(r); err != nil {
				return err
			}
			if r.GetDone() {
				return nil
			}
		}
	}
}

// readStored reads from the storage what the worker did not answer; because says why it did not.
func (e *Engine) readStored(ctx context.Context, worker string, p *logProgress, because error) error {
	if e.archive == nil {
		return because
	}
	err := e.archive.Answer(ctx, p.req, p.fn)
	switch {
	case errors.Is(err, tasklog.ErrGone) && errors.Is(because, ErrLogWorkerAway):
		return ErrLogNotStored.With("worker", worker).Because(err)
	case errors.Is(err, tasklog.ErrGone):
		return because
	case errors.Is(err, tasklog.ErrBadPattern):
		return ErrLogBadPattern
	case errors.Is(err, storage.ErrAway), errors.Is(err, storage.ErrRefused):
		return ErrLogStorage.With("worker", worker).Because(err)
	default:
		return err
	}
}

// removersAtOnce is how many workers are asked at once to remove logs.
const removersAtOnce = 16

// RemoveLogs removes the logs of runs that are deleted from the workers that wrote them and from the storage, and what these
// runs handed on from task to task. A worker that is away keeps its files. The error says what is left where.
func (e *Engine) RemoveLogs(ctx context.Context, byWorker map[string][]string) error {
	var all []string
	for _, paths := range byWorker {
		all = append(all, paths...)
	}
	return errors.Join(e.removeHandedOn(ctx, all), e.removeLogs(ctx, byWorker))
}

func (e *Engine) removeLogs(ctx context.Context, byWorker map[string][]string) error {
	var mu sync.Mutex
	var problems []error
	var stored []string
	var removing sync.WaitGroup
	room := make(chan struct{}, removersAtOnce)
	for worker, paths := range byWorker {
		paths = slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return strings.HasPrefix(p, logicLogPrefix) })
		stored = append(stored, paths...)
		removing.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			for _, path := range paths {
				p := &logProgress{
					req: &doradov1.LogRequest{Path: path, Want: &doradov1.LogRequest_Remove{Remove: &doradov1.LogRemove{}}},
					fn:  func(*doradov1.LogReply) error { return nil },
				}
				if err := e.readWorker(ctx, worker, p); err != nil && !errors.Is(err, ErrLogGone) {
					mu.Lock()
					problems = append(problems, fmt.Errorf("logs stay on worker %s: %w", worker, err))
					mu.Unlock()
					return
				}
			}
		})
	}
	removing.Wait()
	if e.archive != nil && len(stored) > 0 {
		if err := e.archive.Remove(ctx, stored...); err != nil {
			problems = append(problems, fmt.Errorf("logs stay in the storage: %w", err))
		}
	}
	return errors.Join(problems...)
}

func logError(key, worker string) error {
	switch key {
	case ErrLogGone.Key:
		return ErrLogGone.With("worker", worker)
	case ErrLogBadPattern.Key:
		return ErrLogBadPattern
	default:
		return errLogOther.Because(errors.Join(fmt.Errorf("worker %s: %s", worker, key)))
	}
}
