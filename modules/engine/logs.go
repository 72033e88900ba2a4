package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"dorado/app/kit/fault"
	"dorado/modules/rpc"
	"dorado/modules/rpc/doradov1"
)

// Faults of reading a log; the worker's own answers use the same keys.
var (
	ErrLogGone       = fault.New(fault.NotFound, "log.gone")
	ErrLogWorkerAway = fault.New(fault.Unavailable, "log.worker_away")
	ErrLogBadPattern = fault.New(fault.Invalid, "log.bad_pattern")
	errLogOther      = fault.New(fault.Internal, "log.internal")
)

// logDepth is how many pieces of an answer wait for a slow reader before the reader is given up.
const logDepth = 1024

// dataStream carries log requests to one worker and the pieces of their answers back.
type dataStream struct {
	stream rpc.MasterStream

	mu    sync.Mutex
	last  uint64
	calls map[uint64]chan *doradov1.LogReply
	gone  bool
}

func (e *Engine) serveData(ctx context.Context, worker string, stream rpc.MasterStream) {
	d := &dataStream{stream: stream, calls: map[uint64]chan *doradov1.LogReply{}}
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
	case call <- r:
	default: // nobody reads: end the call rather than the stream
		close(call)
		delete(d.calls, r.GetCall())
		return
	}
	if r.GetDone() {
		close(call)
		delete(d.calls, r.GetCall())
	}
}

func (d *dataStream) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone = true
	for id, call := range d.calls {
		close(call)
		delete(d.calls, id)
	}
}

// open starts a call; cancel ends it on both sides.
func (d *dataStream) open(req *doradov1.LogRequest) (replies <-chan *doradov1.LogReply, cancel func(), err error) {
	d.mu.Lock()
	if d.gone {
		d.mu.Unlock()
		return nil, nil, rpc.ErrClosed
	}
	d.last++
	id := d.last
	call := make(chan *doradov1.LogReply, logDepth)
	d.calls[id] = call
	d.mu.Unlock()
	cancel = func() {
		d.mu.Lock()
		_, open := d.calls[id]
		delete(d.calls, id)
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

// ReadLog asks a worker for part of a log and calls fn for each piece of the answer until it is done, fn fails, or ctx
// ends. It returns ErrLogWorkerAway when the worker is not connected, ErrLogGone when it has no such log, ErrLogBadPattern
// for a search that is no regular expression, and what fn returned. Logs of logic tasks need no worker.
func (e *Engine) ReadLog(ctx context.Context, worker string, req *doradov1.LogRequest, fn func(*doradov1.LogReply) error) error {
	if strings.HasPrefix(req.GetPath(), logicLogPrefix) {
		return e.readLogic(ctx, req, fn)
	}
	e.dataMu.Lock()
	d := e.data[worker]
	e.dataMu.Unlock()
	if d == nil {
		return ErrLogWorkerAway.With("worker", worker)
	}
	replies, cancel, err := d.open(req)
	if err != nil {
		return ErrLogWorkerAway.With("worker", worker).Because(err)
	}
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r, ok := <-replies:
			if !ok {
				return ErrLogWorkerAway.With("worker", worker)
			}
			if r.GetError() != "" {
				return logError(r.GetError(), worker)
			}
			if err := fn(r); err != nil {
				return err
			}
			if r.GetDone() {
				return nil
			}
		}
	}
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
