package executor

import (
	"sync/atomic"
	"time"
)

// stoppedAfter is the gap between two pulses from which this process must have been stopped, by a debugger, a frozen
// container or a suspended machine.
const stoppedAfter = 3 * pulseEvery

// lease is the worker's right to run attempts: while it lasts, masters will not repeat them elsewhere. Without one nothing
// new is started. When it has been gone for Config.LeaseGrace, what runs is ended, before masters may repeat it: they wait
// for the grace, too. Executor.mu guards what is no
// atomic.
type lease struct {
	pulse   atomic.Int64 // the last one, as bootNS
	stopped atomic.Int64 // the pulse after which this process was stopped, as bootNS; 0: it was not
	woke    atomic.Int64 // and when it went on

	managed bool // somebody calls SetLease, or contact is set
	lost    bool
	serial  int // of the lease; what belongs to an older one no longer counts
	end     *time.Timer
	contact time.Duration // a lease by contact: masters may be silent for so long; 0: it is another one
}

// beat notes that this process is being run.
func (l *lease) beat() {
	now := bootNS()
	if last := l.pulse.Swap(now); last != 0 && now-last > int64(stoppedAfter) {
		l.stopped.Store(last)
		l.woke.Store(now)
	}
}

// gone returns for how long the lease may have been gone already: a process that was stopped learns it late.
func (l *lease) gone() time.Duration {
	l.beat()
	now := bootNS()
	if woke := l.woke.Load(); woke != 0 && now-woke < int64(stoppedAfter) {
		return time.Duration(now - l.stopped.Load())
	}
	return 0
}

// drop ends all that a lease still has in motion; e.mu is held.
func (l *lease) drop() {
	l.serial++
	l.lost = false
	if l.end != nil {
		l.end.Stop()
		l.end = nil
	}
}

// SetLease says that this worker counts as alive until lost is closed. Each new lease replaces the one before, so after a
// loss the next call lets the worker go on. A worker without any call needs no lease.
func (e *Executor) SetLease(lost <-chan struct{}) {
	e.mu.Lock()
	serial := e.regain()
	e.mu.Unlock()
	if lost == nil {
		return
	}
	go func() {
		select {
		case <-lost:
			e.loseLease(serial)
		case <-e.ended:
		}
	}()
}

// SetLeaseByContact is SetLease for workers that no registry knows: the lease lasts while some master answers
// heartbeats. It counts as lost after two thirds of timeout without an answer, as a session does. Call it before Run.
func (e *Executor) SetLeaseByContact(timeout time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lease.contact = timeout
	e.lease.managed = true
	e.every = min(e.every, max(timeout/4, 50*time.Millisecond))
}

// regain begins a new lease; e.mu is held.
func (e *Executor) regain() (serial int) {
	wasLost := e.lease.lost
	e.lease.drop()
	e.lease.managed = true
	if wasLost {
		e.log.Info("the worker has its place in the cluster again")
		e.refused = false
		e.turn()
		e.beatAll()
	}
	return e.lease.serial
}

// loseLease begins the grace.
func (e *Executor) loseLease(serial int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if serial != e.lease.serial || e.lease.lost {
		return
	}
	grace := max(0, e.cfg.LeaseGrace-e.lease.gone())
	e.lease.lost = true
	e.lease.end = time.AfterFunc(grace, func() { e.endLease(serial) })
	e.log.Warn("the worker lost its place in the cluster: it starts nothing new", "running", e.active, "ends_them_in", grace)
	e.beatAll()
}

// endLease ends what runs.
func (e *Executor) endLease(serial int) {
	e.mu.Lock()
	if serial != e.lease.serial || !e.lease.lost {
		e.mu.Unlock()
		return
	}
	var left []*attempt
	for _, a := range e.attempts {
		if a.state != finished {
			left = append(left, a)
		}
	}
	e.mu.Unlock()
	e.log.Error("the worker has been without a place in the cluster for too long: it ends what it runs", "attempts", len(left))
	for _, a := range left {
		e.end(a, endLeaseLost)
	}
}

// heard notes that a master spoke.
func (e *Executor) heard() { e.contact.Store(bootNS()) }

// watchContact gives and takes a lease by contact.
func (e *Executor) watchContact() {
	silent := time.Duration(bootNS() - e.contact.Load())
	e.mu.Lock()
	limit, lost, serial := e.lease.contact*2/3, e.lease.lost, e.lease.serial
	if limit > 0 && lost && silent < limit {
		e.regain()
	}
	e.mu.Unlock()
	if limit > 0 && !lost && silent > limit {
		e.loseLease(serial)
	}
}
