package rpc

import (
	"sync"

	"google.golang.org/protobuf/proto"

	"dorado/modules/rpc/doradov1"
)

// pipeDepth is how many frames an in-process stream holds in each direction before Send blocks.
const pipeDepth = 256

// Pipe returns the two ends of an in-process stream. Frames are encoded and decoded as on a wire, so that neither side
// can see the other's later changes.
func Pipe() (WorkerStream, MasterStream) {
	p := &pipe{toMaster: make(chan []byte, pipeDepth), toWorker: make(chan []byte, pipeDepth), closed: make(chan struct{})}
	return (*workerEnd)(p), (*masterEnd)(p)
}

type pipe struct {
	toMaster chan []byte
	toWorker chan []byte
	closed   chan struct{}
	once     sync.Once
}

func (p *pipe) close() { p.once.Do(func() { close(p.closed) }) }

func (p *pipe) push(queue chan<- []byte, m proto.Message) error {
	data, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	select {
	case <-p.closed:
		return ErrClosed
	default:
	}
	select {
	case queue <- data:
		return nil
	case <-p.closed:
		return ErrClosed
	}
}

func (p *pipe) pop(queue <-chan []byte, m proto.Message) error {
	select {
	case data := <-queue:
		return proto.Unmarshal(data, m)
	case <-p.closed:
	}
	select { // what was sent before the close still arrives
	case data := <-queue:
		return proto.Unmarshal(data, m)
	default:
		return ErrClosed
	}
}

type workerEnd pipe

func (e *workerEnd) Send(f *doradov1.WorkerFrame) error { return (*pipe)(e).push(e.toMaster, f) }

func (e *workerEnd) Recv() (*doradov1.MasterFrame, error) {
	f := new(doradov1.MasterFrame)
	if err := (*pipe)(e).pop(e.toWorker, f); err != nil {
		return nil, err
	}
	return f, nil
}

func (e *workerEnd) Close() error { (*pipe)(e).close(); return nil }

type masterEnd pipe

func (e *masterEnd) Send(f *doradov1.MasterFrame) error { return (*pipe)(e).push(e.toWorker, f) }

func (e *masterEnd) Recv() (*doradov1.WorkerFrame, error) {
	f := new(doradov1.WorkerFrame)
	if err := (*pipe)(e).pop(e.toMaster, f); err != nil {
		return nil, err
	}
	return f, nil
}

func (e *masterEnd) Close() error { (*pipe)(e).close(); return nil }
