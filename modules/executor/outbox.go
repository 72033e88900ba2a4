package executor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"dorado/modules/rpc"
	"dorado/modules/rpc/doradov1"
)

const (
	// startedAfter is how long an attempt must live to be reported STARTED.
	startedAfter = 50 * time.Millisecond
	// repeatAfter is when a report is sent once more on a stream that still lasts: the master may have had to drop it.
	repeatAfter = 30 * time.Second
	// maxBatch bounds the reports of one frame, in bytes, roughly.
	maxBatch = 4 << 20

	// orphanAfter is how long the owner of an ended attempt may be away before other masters are asked about it.
	orphanAfter = time.Minute
	// minSilence is how long a master may be silent at least, however often it is asked.
	minSilence = 3 * time.Second

	minBackoff = 100 * time.Millisecond
	maxBackoff = 2 * time.Second
	// lasted is from when a stream counts as one that was there, so that the next is dialed without delay.
	lasted = time.Second
)

// outbox carries reports to one master for as long as the executor lives, whatever happens to streams.
type outbox struct {
	e      *Executor
	master Master
	wake   chan struct{}

	leave context.CancelFunc // ends it

	mu      sync.Mutex
	closed  bool               // its master is none any more
	stream  rpc.WorkerStream   // nil: not connected
	since   time.Time          // of the stream, or of its end
	fresh   []*attempt         // ended: to be journaled and reported
	waiting []*doradov1.Report // to be sent (again)
	started []due              // attempts whose STARTED is not due yet, in order
	hurry   bool               // a heartbeat is wanted now

	pace pace // of run alone
}

type due struct {
	a  *attempt
	at time.Time
}

func newOutbox(e *Executor, m Master) *outbox {
	return &outbox{e: e, master: m, wake: make(chan struct{}, 1), since: time.Now()}
}

// name is the owner of attempts that belong to the master.
func (o *outbox) name() string { return o.master.Name }

func (o *outbox) nudge() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// send queues reports. How many can wait is bounded by slots, and by what a master asks for.
func (o *outbox) send(reports ...*doradov1.Report) {
	if len(reports) == 0 {
		return
	}
	o.mu.Lock()
	o.waiting = append(o.waiting, reports...)
	o.mu.Unlock()
	o.nudge()
}

// finish queues the last report of an attempt, which is journaled before it is sent.
func (o *outbox) finish(a *attempt) {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		o.e.nobody.finish(a)
		return
	}
	o.fresh = append(o.fresh, a)
	o.mu.Unlock()
	o.nudge()
}

// announce reports a as STARTED in a while, unless it has finished by then.
func (o *outbox) announce(a *attempt, started time.Time) {
	o.mu.Lock()
	o.started = append(o.started, due{a, started.Add(startedAfter)})
	first := len(o.started) == 1
	o.mu.Unlock()
	if first {
		o.nudge()
	}
}

// beat sends a heartbeat soon.
func (o *outbox) beat() {
	o.mu.Lock()
	o.hurry = true
	o.mu.Unlock()
	o.nudge()
}

// awaySince reports whether there has been no stream since an instant.
func (o *outbox) awaySince(t time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stream == nil && o.since.Before(t)
}

func (o *outbox) connected() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stream != nil
}

// run drains the outbox until ctx ends.
func (o *outbox) run(ctx context.Context) {
	heartbeat := time.NewTicker(o.e.every)
	defer heartbeat.Stop()
	repeat := time.NewTicker(o.e.repeat)
	defer repeat.Stop()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		next := o.flush()
		if !next.IsZero() {
			timer.Reset(time.Until(next))
		}
		select {
		case <-o.wake:
			if o.pace.crowded {
				time.Sleep(company)
			}
		case <-timer.C:
		case <-heartbeat.C:
			o.mu.Lock()
			o.hurry = true
			o.mu.Unlock()
		case <-repeat.C:
			o.send(o.e.unacked(o, time.Now().Add(-o.e.repeat))...)
			o.send(o.e.orphaned(o)...)
		case <-ctx.Done():
			o.mu.Lock()
			o.closed = o != o.e.nobody
			o.mu.Unlock()
			o.flush()
			return
		}
	}
}

// flush journals and sends what waits, and returns when the next STARTED is due (zero: none waits).
func (o *outbox) flush() time.Time {
	now := time.Now()
	o.mu.Lock()
	fresh, reports, stream, hurry := o.fresh, o.waiting, o.stream, o.hurry
	o.fresh, o.waiting, o.hurry = nil, nil, false
	n := 0
	for n < len(o.started) && !o.started[n].at.After(now) {
		n++
	}
	ripe := o.started[:n]
	o.started = o.started[n:]
	if len(o.started) == 0 {
		o.started = nil
	}
	var next time.Time
	if len(o.started) > 0 {
		next = o.started[0].at
	}
	o.mu.Unlock()

	if len(ripe) > 0 {
		reports = append(reports, o.startedReports(ripe)...)
	}
	o.pace.note(now, len(fresh))
	if len(fresh) > 0 {
		mine, entries := o.e.ends(o, fresh)
		o.e.journal.finished(len(fresh), entries)
		reports = append(reports, mine...)
	}
	if stream != nil {
		for len(reports) > 0 {
			n := batchOf(reports)
			batch := reports[:n]
			reports = reports[n:]
			// A failed Send needs no answer: the stream is over, and the next one begins with everything unacknowledged.
			_ = stream.Send(&doradov1.WorkerFrame{Body: &doradov1.WorkerFrame_Reports{Reports: &doradov1.Reports{Reports: batch}}})
		}
		if hurry {
			_ = stream.Send(&doradov1.WorkerFrame{Body: &doradov1.WorkerFrame_Heartbeat{Heartbeat: o.e.heartbeat(o)}})
		}
	}
	return next
}

// ends returns what the journal must learn of attempts that ended, and the reports of those that belong to o. Those that
// another master claimed meanwhile were reported to it.
func (e *Executor) ends(o *outbox, fresh []*attempt) (mine []*doradov1.Report, entries []entry) {
	mine, entries = make([]*doradov1.Report, 0, len(fresh)), make([]entry, 0, len(fresh))
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range fresh {
		entries = append(entries, entry{kind: entryFinished, report: a.report})
		if !a.begun {
			entries = append(entries, a.owned())
		}
		if a.owner == o.name() {
			mine = append(mine, a.report)
		}
	}
	return mine, entries
}

// batchOf returns how many reports go into one frame.
func batchOf(reports []*doradov1.Report) int {
	size := 0
	for i, r := range reports {
		if size += 512 + len(r.GetMessage()) + len(r.GetResult()) + len(r.GetDetail()); len(r.GetVarPool()) > 0 {
			size += proto.Size(r)
		}
		if i > 0 && size > maxBatch {
			return i
		}
	}
	return len(reports)
}

// startedReports turns attempts that have lived long enough into reports. Those that belong to another master by now are
// passed on to it.
func (o *outbox) startedReports(ripe []due) []*doradov1.Report {
	var reports []*doradov1.Report
	others := map[*outbox][]*doradov1.Report{}
	o.e.mu.Lock()
	for _, d := range ripe {
		if d.a.state != running {
			continue
		}
		d.a.startSent = true
		if d.a.owner == o.name() {
			reports = append(reports, d.a.startReport())
		} else if other := o.e.box(d.a.owner); other != o {
			others[other] = append(others[other], d.a.startReport())
		}
	}
	o.e.mu.Unlock()
	for other, theirs := range others {
		other.send(theirs...)
	}
	return reports
}

// unacked returns the reports that a master has not acknowledged. With a time, only those of attempts that ended before.
func (e *Executor) unacked(o *outbox, before time.Time) []*doradov1.Report {
	e.mu.Lock()
	defer e.mu.Unlock()
	var reports []*doradov1.Report
	for _, a := range e.attempts {
		if a.owner != "" && a.owner != o.name() {
			continue
		}
		if !before.IsZero() && (a.state != finished || a.report.GetEndMs() > before.UnixMilli()) {
			continue
		}
		reports = append(reports, a.unacked()...)
	}
	return reports
}

// orphaned returns the ends of attempts whose owner has been away for long, and which nobody has claimed: the run may be
// over, and somebody must say so.
func (e *Executor) orphaned(o *outbox) []*doradov1.Report {
	if o == e.nobody {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	before := time.Now().Add(-e.orphan)
	var reports []*doradov1.Report
	for _, a := range e.attempts {
		if a.state != finished || a.owner == "" || a.owner == o.name() || a.report.GetEndMs() > before.UnixMilli() {
			continue
		}
		if owner := e.box(a.owner); owner == e.nobody || owner.awaySince(before) {
			a.offered = true
			reports = append(reports, a.report)
		}
	}
	return reports
}

// keep holds a conversation with a master, again and again, until ctx ends.
func (e *Executor) keep(ctx context.Context, m Master, talk func(context.Context, rpc.WorkerStream) error) {
	backoff := minBackoff
	for ctx.Err() == nil {
		begun := time.Now()
		err := e.session(ctx, m, talk)
		if ctx.Err() != nil {
			return
		}
		if time.Since(begun) > lasted {
			backoff = minBackoff
		}
		e.log.WarnContext(ctx, "stream to master ended", "master", m.Name, "error", err, "retry_in", backoff)
		select {
		case <-time.After(backoff):
		case <-ctx.Done():
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// session dials once and talks until the stream or ctx ends.
func (e *Executor) session(ctx context.Context, m Master, talk func(context.Context, rpc.WorkerStream) error) error {
	type dialed struct {
		stream rpc.WorkerStream
		err    error
	}
	result := make(chan dialed, 1)
	e.links.Go(func() {
		s, err := m.Dialer.Dial()
		if err == nil && ctx.Err() != nil {
			err = errors.Join(ctx.Err(), s.Close()) // nobody waits for it any more
		}
		result <- dialed{s, err}
	})
	var d dialed
	select {
	case d = <-result:
	case <-ctx.Done():
		return ctx.Err()
	}
	if d.err != nil {
		return d.err
	}
	stopClosing := context.AfterFunc(ctx, func() { _ = d.stream.Close() })
	defer stopClosing()
	return errors.Join(talk(ctx, d.stream), d.stream.Close())
}

// greet says hello and waits for the welcome.
func (e *Executor) greet(s rpc.WorkerStream, kind doradov1.StreamKind) (*doradov1.Welcome, error) {
	if err := s.Send(e.hello(kind)); err != nil {
		return nil, err
	}
	frame, err := s.Recv()
	if err != nil {
		return nil, err
	}
	switch body := frame.GetBody().(type) {
	case *doradov1.MasterFrame_Welcome:
		if p := body.Welcome.GetProtocol(); p == 0 || p > e.protocol {
			return nil, fmt.Errorf("the master wants protocol %d, this worker speaks 1 to %d", p, e.protocol)
		}
		e.heard()
		return body.Welcome, nil
	case *doradov1.MasterFrame_Refused:
		return nil, fmt.Errorf("the master refused this worker: %s", body.Refused.GetReason())
	default:
		return nil, fmt.Errorf("the master answered hello with %T", body)
	}
}

// control is the conversation about attempts.
func (o *outbox) control(ctx context.Context, s rpc.WorkerStream) error {
	e := o.e
	welcome, err := e.greet(s, doradov1.StreamKind_CONTROL)
	if err != nil {
		return err
	}
	e.log.InfoContext(ctx, "connected to master", "master", welcome.GetMaster(), "epoch", welcome.GetEpoch())

	e.mu.Lock()
	held := &doradov1.Held{Attempts: make([]*doradov1.HeldAttempt, 0, len(e.attempts))}
	for _, a := range e.attempts {
		held.Attempts = append(held.Attempts, &doradov1.HeldAttempt{
			Id: a.id, WorkflowInstanceId: a.workflow, Epoch: a.epoch, Yours: a.owner == o.name(),
		})
	}
	e.mu.Unlock()
	if err := s.Send(&doradov1.WorkerFrame{Body: &doradov1.WorkerFrame_Held{Held: held}}); err != nil {
		return err
	}
	// From here reports may flow; those sent on the broken stream are repeated.
	o.mu.Lock()
	o.stream, o.since = s, time.Now()
	o.mu.Unlock()
	defer func() {
		o.mu.Lock()
		o.stream, o.since = nil, time.Now()
		o.mu.Unlock()
	}()
	silence := e.watchSilence(ctx, s)
	defer silence.stop()
	o.send(e.unacked(o, time.Time{})...)
	o.beat()
	for {
		frame, err := s.Recv()
		if err != nil {
			return err
		}
		e.heard()
		switch body := frame.GetBody().(type) {
		case *doradov1.MasterFrame_Dispatch:
			e.dispatch(o, body.Dispatch.GetTasks())
		case *doradov1.MasterFrame_Claim:
			e.claim(o, body.Claim.GetItems())
		case *doradov1.MasterFrame_Kill:
			e.kill(o, body.Kill.GetIds(), body.Kill.GetEpochs())
		case *doradov1.MasterFrame_Ack:
			e.ack(o, body.Ack.GetItems())
		case *doradov1.MasterFrame_Alive:
			silence.alive()
		}
	}
}

// silence ends a stream whose master has answered heartbeats and does so no more: the network may have swallowed it
// without a word.
type silence struct {
	timer *time.Timer
	limit time.Duration
	heard atomic.Bool
}

func (e *Executor) watchSilence(ctx context.Context, s rpc.WorkerStream) *silence {
	w := &silence{limit: max(4*e.every, minSilence)}
	w.timer = time.AfterFunc(w.limit, func() {
		if w.heard.Load() {
			e.log.WarnContext(ctx, "a master does not answer any more", "for", w.limit)
			_ = s.Close()
		}
	})
	return w
}

func (w *silence) alive() {
	w.heard.Store(true)
	w.timer.Reset(w.limit)
}

func (w *silence) stop() { w.timer.Stop() }

// data is the conversation about logs.
func (e *Executor) data(ctx context.Context, s rpc.WorkerStream) error {
	if _, err := e.greet(s, doradov1.StreamKind_DATA); err != nil {
		return err
	}
	return e.logs.serve(ctx, s)
}
