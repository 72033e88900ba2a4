package engine

import (
	"context"
	"errors"
	"sync"

	"dorado/modules/rpc"
	"dorado/modules/rpc/doradov1"
)

// outbox collects what must go to a worker. One goroutine turns whatever waits into as few frames as possible.
type outbox struct {
	stream rpc.MasterStream
	mu     sync.Mutex
	claims []*doradov1.ClaimItem
	tasks  []*doradov1.Task
	kills  []int64
	epochs []uint64 // of the runs of kills
	acks   []*doradov1.AckItem
	beat   bool // a heartbeat is to be answered
	wake   chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newOutbox(stream rpc.MasterStream) *outbox {
	return &outbox{stream: stream, wake: make(chan struct{}, 1), closed: make(chan struct{})}
}

func (o *outbox) dispatch(t *doradov1.Task) { o.put(func() { o.tasks = append(o.tasks, t) }) }
func (o *outbox) kill(attempt, epoch int64) {
	o.put(func() { o.kills, o.epochs = append(o.kills, attempt), append(o.epochs, uint64(epoch)) })
}
func (o *outbox) claim(c *doradov1.ClaimItem) { o.put(func() { o.claims = append(o.claims, c) }) }
func (o *outbox) ack(a *doradov1.AckItem)     { o.put(func() { o.acks = append(o.acks, a) }) }
func (o *outbox) alive()                      { o.put(func() { o.beat = true }) }

func (o *outbox) put(change func()) {
	o.mu.Lock()
	change()
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outbox) close() {
	o.once.Do(func() {
		close(o.closed)
		o.stream.Close()
	})
}

// run writes frames until the stream or ctx ends. What is asked of an attempt leaves after the dispatches that were put
// before it, and so do kills.
func (o *outbox) run(ctx context.Context) error {
	for {
		select {
		case <-o.wake:
		case <-o.closed:
			return rpc.ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
		o.mu.Lock()
		claims, tasks, kills, acks := o.claims, o.tasks, &doradov1.Kill{Ids: o.kills, Epochs: o.epochs}, o.acks
		o.claims, o.tasks, o.kills, o.epochs, o.acks = nil, nil, nil, nil, nil
		beat := o.beat
		o.beat = false
		o.mu.Unlock()
		var err error
		if beat {
			err = o.stream.Send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Alive{Alive: &doradov1.Alive{}}})
		}
		if len(tasks) > 0 {
			err = errors.Join(err, o.stream.Send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Dispatch{Dispatch: &doradov1.Dispatch{Tasks: tasks}}}))
		}
		if len(claims) > 0 {
			err = errors.Join(err, o.stream.Send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Claim{Claim: &doradov1.Claim{Items: claims}}}))
		}
		if len(kills.GetIds()) > 0 {
			err = errors.Join(err, o.stream.Send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Kill{Kill: kills}}))
		}
		if len(acks) > 0 {
			err = errors.Join(err, o.stream.Send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Ack{Ack: &doradov1.Ack{Items: acks}}}))
		}
		if err != nil {
			return err
		}
	}
}
