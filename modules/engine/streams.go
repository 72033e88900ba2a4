package engine

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"dorado/modules/engine/core"
	"dorado/modules/rpc"
	"dorado/modules/rpc/doradov1"
)

// helloTimeout is how long a fresh stream may stay silent.
const helloTimeout = 5 * time.Second

var workerName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._:-]{0,99}$`)

// ServeStream talks to one worker until its stream or ctx ends.
func (e *Engine) ServeStream(ctx context.Context, stream rpc.MasterStream) {
	t := e.term()
	select {
	case <-t.adopted: // before that, every attempt would look unknown
	case <-t.over:
		return
	case <-ctx.Done():
		return
	}
	silent := time.AfterFunc(helloTimeout, func() { stream.Close() })
	frame, err := stream.Recv()
	silent.Stop()
	if err != nil {
		return
	}
	hello := frame.GetHello()
	if why := e.objection(hello); why != "" {
		e.logger.WarnContext(ctx, "a worker is turned away", "worker", hello.GetWorker(), "reason", why)
		_ = stream.Send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Refused{Refused: &doradov1.Refused{Reason: why}}})
		stream.Close()
		return
	}
	welcome := &doradov1.Welcome{Protocol: min(rpc.Protocol, hello.GetProtocol()), Master: e.cfg.Name, Epoch: uint64(t.epoch)}
	if stream.Send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Welcome{Welcome: welcome}}) != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { stream.Close() })
	defer stop()
	if hello.GetKind() == doradov1.StreamKind_DATA {
		e.serveData(ctx, hello.GetWorker(), stream)
		return
	}
	t.serveControl(ctx, hello, stream)
}

func (e *Engine) objection(h *doradov1.Hello) string {
	switch {
	case h == nil:
		return "the first frame must be Hello"
	case h.GetProtocol() == 0:
		return "protocol 0 is not spoken here"
	case !workerName.MatchString(h.GetWorker()):
		return fmt.Sprintf("%q is not a worker name: letters, digits, dot, dash, underscore and colon, at most 100", h.GetWorker())
	case h.GetKind() == doradov1.StreamKind_CONTROL && h.GetSlots() == 0:
		return "a worker needs at least one slot"
	}
	return ""
}

func (e *term) serveControl(ctx context.Context, hello *doradov1.Hello, stream rpc.MasterStream) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := newOutbox(stream)
	go func() {
		select {
		case <-e.over:
			out.close()
		case <-ctx.Done():
		}
	}()
	w := e.fleet.join(hello, out)
	e.logger.InfoContext(ctx, "worker connected", "worker", w.name, "slots", w.slots, "groups", w.groups)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = out.run(ctx) // a broken stream shows in Recv, too
		out.close()
	}()
	var err error
	for {
		var frame *doradov1.WorkerFrame
		if frame, err = stream.Recv(); err != nil {
			break
		}
		switch body := frame.GetBody().(type) {
		case *doradov1.WorkerFrame_Held:
			e.reconcile(w, body.Held)
		case *doradov1.WorkerFrame_Reports:
			e.reports(w, body.Reports.GetReports())
		case *doradov1.WorkerFrame_Heartbeat:
			if w.claims {
				out.alive()
			}
			e.fleet.heartbeat(w, body.Heartbeat)
		default:
			e.logger.DebugContext(ctx, "a frame that does not belong on a control stream", "worker", w.name)
		}
	}
	cancel()
	out.close()
	<-done
	if held, gone := e.fleet.leave(w); gone {
		e.logger.WarnContext(ctx, "worker disconnected", "worker", w.name, "held", len(held), "error", err)
		e.fleet.away(w, held, errors.Is(err, rpc.ErrHungUp))
	}
}

// reconcile compares what a worker holds with what it should hold, before it gets anything new.
func (e *term) reconcile(w *worker, held *doradov1.Held) {
	holds := make(map[int64]*doradov1.HeldAttempt, len(held.GetAttempts()))
	for _, a := range held.GetAttempts() {
		holds[a.GetId()] = a
	}
	for attempt, run := range e.fleet.settle(w, holds) {
		e.fleet.release(w.name, attempt)
		e.shard(run).post(message{run: run, missing: attempt, worker: w.name, asked: w.claims})
	}
	for _, a := range held.GetAttempts() {
		run := a.GetWorkflowInstanceId()
		e.shard(run).post(message{run: run, held: a.GetId(), worker: w.name, epoch: int64(a.GetEpoch()), yours: a.GetYours() || !w.claims})
	}
	e.fleet.ready(w)
	e.fleet.pump()
}

// reports passes reports on to the owners of their runs, each shard's in one go, and frees the slots of those that ended.
func (e *term) reports(w *worker, reports []*doradov1.Report) {
	byShard := make([][]message, len(e.shards))
	for _, r := range reports {
		placings, asked := e.fleet.answered(w, r.GetId())
		switch r.GetKind() {
		case doradov1.ReportKind_FINISHED:
			if r.GetOutcome() != doradov1.Outcome_UNKNOWN { // whether that counts, its shard knows
				e.fleet.free(w.name, r.GetId())
			}
		case doradov1.ReportKind_REFUSED:
			e.meters.refused.Inc()
			e.fleet.refuse(w.name, r.GetId())
		case doradov1.ReportKind_STARTED:
		}
		i := e.shardIndex(r.GetWorkflowInstanceId())
		byShard[i] = append(byShard[i], message{run: r.GetWorkflowInstanceId(), report: r, worker: w.name, asked: asked, placings: placings})
	}
	for i, batch := range byShard {
		if len(batch) > 0 {
			e.shards[i].postAll(batch)
		}
	}
	e.fleet.pump()
}

// lost gives up an attempt whose worker is gone.
func (s *shard) lost(m *message) {
	at, known := s.attempts[m.lost]
	if !known {
		return
	}
	l := s.runs[at.run]
	if a := l.run.Attempt(at.node); a == nil || a.ID != m.lost || a.Host != m.worker {
		return // it is with another worker by now
	}
	s.apply(l, core.Lost{Node: at.node, ID: m.lost, Why: "worker " + m.worker + " " + m.why}, 0, nil)
}

// held ends a process that a worker still runs for an attempt which is over or superseded, and repeats a kill that the
// worker may have missed.
func (s *shard) held(m *message) {
	at, known := s.attempts[m.held]
	l := s.runs[m.run]
	switch {
	case known:
		a, l := s.runs[at.run].run.Attempt(at.node), s.runs[at.run]
		if a.Host != m.worker || !l.owned.Load() {
			return // it is with another worker by now; or its worker is asked once the run is this master's
		}
		s.e.fleet.hold(m.worker, m.held, at.run)
		if !m.yours {
			s.e.fleet.adopt(m.worker, at.run, l.epoch, a.Placings(), []int64{m.held})
		}
		if a.Killing() {
			s.e.fleet.send(m.worker, func(o *outbox) { o.kill(m.held, l.epoch) })
		}
	case l == nil:
		s.e.strays.add(stray{run: m.run, attempt: m.held, worker: m.worker, epoch: m.epoch, yours: m.yours})
	default:
		epoch := l.epoch
		s.e.committer.add(&change{run: m.run, void: &l.void, after: func() {
			s.e.fleet.release(m.worker, m.held)
			s.e.fleet.send(m.worker, func(o *outbox) { o.kill(m.held, epoch) })
		}})
	}
}
