package executor

import (
	"time"

	"dorado/modules/rpc/doradov1"
)

// Refusals and answers about unknown attempts have sequence number 0: they belong to no attempt that this worker holds,
// so their acknowledgement must not pass for that of a real report, if the same attempt is dispatched here afterwards.

// dispatch takes work from a master. Tasks it cannot take are refused; known ones change owner and are answered by the
// reports they have. A master that was replaced is not answered.
func (e *Executor) dispatch(o *outbox, tasks []*doradov1.Task) {
	var refused, again []*doradov1.Report
	var moved []entry
	now := time.Now()
	e.watchLoad()
	e.mu.Lock()
	for _, t := range tasks {
		if !e.current(t.GetWorkflowInstanceId(), t.GetEpoch()) {
			continue
		}
		if a, known := e.attempts[t.GetId()]; known {
			moved = append(moved, e.hand(a, o, t.GetEpoch())...)
			again = append(again, a.unacked()...)
			continue
		}
		a := &attempt{id: t.GetId(), workflow: t.GetWorkflowInstanceId(), epoch: t.GetEpoch(), owner: o.name(), task: t, dispatched: now}
		if reason := e.admit(a); reason != "" {
			e.refused = true
			e.metrics.refused.Inc()
			refused = append(refused, &doradov1.Report{
				Id: t.GetId(), WorkflowInstanceId: t.GetWorkflowInstanceId(), Kind: doradov1.ReportKind_REFUSED, Message: reason,
			})
		}
	}
	e.mu.Unlock()
	e.journal.moved(moved)
	o.send(append(refused, again...)...)
	if len(refused) > 0 {
		o.beat() // the master counted on room that is not there
	}
}

// hand gives a known attempt to a master and returns what the journal must learn; e.mu is held.
func (e *Executor) hand(a *attempt, o *outbox, epoch uint64) []entry {
	same := a.owner == o.name() && a.epoch == epoch
	a.epoch, a.owner, a.startAcked, a.offered = epoch, o.name(), false, false
	if same || a.state != finished && !a.begun {
		return nil
	}
	return []entry{a.owned()}
}

// claim makes a master the owner of attempts that others dispatched, and answers what is known of each.
func (e *Executor) claim(o *outbox, items []*doradov1.ClaimItem) {
	var answers []*doradov1.Report
	var moved []entry
	now := time.Now().UnixMilli()
	e.mu.Lock()
	for _, item := range items {
		if !e.current(item.GetWorkflowInstanceId(), item.GetEpoch()) {
			continue
		}
		a, known := e.attempts[item.GetId()]
		if !known {
			answers = append(answers, unknown(item.GetId(), item.GetWorkflowInstanceId(), now))
			continue
		}
		moved = append(moved, e.hand(a, o, item.GetEpoch())...)
		switch a.state {
		case finished:
			answers = append(answers, a.report)
		case running:
			a.startSent = true
			answers = append(answers, a.startReport())
		case accepted:
			answers = append(answers, &doradov1.Report{
				Id: a.id, WorkflowInstanceId: a.workflow, Seq: 1, Kind: doradov1.ReportKind_STARTED, StartMs: a.dispatched.UnixMilli(),
			})
			a.startSent = true
		}
	}
	e.mu.Unlock()
	e.journal.moved(moved)
	o.send(answers...)
}

// unknown says that this worker does not hold an attempt.
func unknown(id, run, now int64) *doradov1.Report {
	return &doradov1.Report{
		Id: id, WorkflowInstanceId: run, Kind: doradov1.ReportKind_FINISHED, Outcome: doradov1.Outcome_UNKNOWN,
		EndMs: now, Message: "the worker does not hold this attempt",
	}
}

// kill ends attempts on request of a master, which need not own them. An epoch of 0, or none, is from a master that sends
// none.
func (e *Executor) kill(o *outbox, ids []int64, epochs []uint64) {
	var answers []*doradov1.Report
	now := time.Now().UnixMilli()
	for i, id := range ids {
		epoch := uint64(0)
		if i < len(epochs) {
			epoch = epochs[i]
		}
		e.mu.Lock()
		a, known := e.attempts[id]
		switch {
		case !known:
			answers = append(answers, unknown(id, 0, now))
		case !e.current(a.workflow, epoch):
			a = nil
		case a.state == finished:
			answers = append(answers, a.report)
			a = nil
		}
		e.mu.Unlock()
		if a != nil {
			e.end(a, endKilled)
		}
	}
	o.send(answers...)
}

// ack forgets what the owner has made durable. Nobody else is heard: a master that does not know the run, or no longer
// owns it, must not end what its successor still has to learn.
func (e *Executor) ack(o *outbox, items []*doradov1.AckItem) {
	done := make([]int64, 0, len(items))
	e.mu.Lock()
	for _, item := range items {
		a, known := e.attempts[item.GetId()]
		switch {
		case !known, a.owner != "" && a.owner != o.name() && !a.offered:
		case a.state == finished && item.GetSeq() >= a.report.GetSeq():
			delete(e.attempts, a.id)
			done = append(done, a.id)
		case item.GetSeq() > 0:
			a.startAcked = true
		}
	}
	if len(done) > 0 {
		e.fell()
	}
	e.mu.Unlock()
	if len(done) > 0 {
		e.journal.acked(done)
	}
}
