package executor

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"dorado/app/kit/secret"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
	"dorado/plugins/task"
)

type state int

const (
	accepted state = iota // waits for a starter, or is being started
	running               // there is a process, or a plugin at work
	finished              // report holds the end; kept until it is acknowledged
)

// endReason says why an attempt is ended from outside.
type endReason int

const (
	endNone endReason = iota
	endKilled
	endTimeout
	endShutdown
	endLeaseLost
)

// attempt is one try of one task. What changes after dispatch is guarded by Executor.mu, except what only the goroutine
// that currently carries the attempt (starter, then waiter) touches: task, log, dir.
type attempt struct {
	id       int64
	workflow int64
	epoch    uint64
	owner    string // the master whose it is; "": found in an old journal, so whoever asks for it
	waits    bool   // accepted without a slot
	offered  bool   // its owner has been away for long: all masters were sent the end, and any may acknowledge it

	task *doradov1.Task // nil once it is running: ten thousand scripts need not be remembered

	state      state
	begun      bool // in the journal
	exited     bool // the process is gone by itself; it is too late to end it
	startSent  bool
	startAcked bool
	ending     endReason
	target     *target // set while it is being killed
	cancel     context.CancelCauseFunc
	link       string           // names of remote work, joined by commas; may be found again when this worker is lost
	remote     *remote          // work elsewhere that the process drives; nil = none
	saving     bool             // a savepoint is being taken
	report     *doradov1.Report // FINISHED

	dispatched time.Time

	status  status // of the first process, once it has exited
	waitErr error
	over    time.Time // when that was

	pid     int
	bootNS  int64 // time since boot just before the process was started
	start   time.Time
	timer   *time.Timer // timeout
	timeout time.Duration

	account  account
	viaSudo  bool
	logPath  string
	logStart int64 // where the child's part of the log begins
	dir      string
	work     workdir // claimed; dir is its path
	hasDir   bool
	outs     []flow.Property
	name     string                  // of the task, when it hands files on
	folder   string                  // of the storage, where they go; "" = it hands none on
	handing  context.CancelCauseFunc // set while they go there
	secrets  []string                // what it was given that must not be seen
	hide     *secret.Masker          // of these; nil = none
	masked   *maskedLog              // copies its output; nil = it writes to its log itself
	fetched  []*content              // files of the resource center that wait to be placed
	fetchErr error
}

func (a *attempt) startReport() *doradov1.Report {
	return &doradov1.Report{
		Id: a.id, WorkflowInstanceId: a.workflow, Seq: 1, Kind: doradov1.ReportKind_STARTED, StartMs: a.start.UnixMilli(),
		Pid: int32(a.pid), LogPath: a.logPath, ExecutePath: a.dir, AppLink: a.link,
	}
}

// unacked returns the reports that a master still has to acknowledge.
func (a *attempt) unacked() []*doradov1.Report {
	switch {
	case a.state == finished:
		return []*doradov1.Report{a.report}
	case a.state == running && a.startSent && !a.startAcked:
		return []*doradov1.Report{a.startReport()}
	default:
		return nil
	}
}

// startLoop starts accepted attempts, one after the other. There are Config.Starting of these loops: more processes
// being started at once would only wait for each other.
func (e *Executor) startLoop(ctx context.Context) {
	for {
		select {
		case a := <-e.queue:
			if !e.awaitStart(ctx, a) {
				return
			}
			e.guard(ctx, a, func() { e.begin(ctx, a) })
			e.mu.Lock()
			e.starting--
			e.fell()
			e.mu.Unlock()
		case <-ctx.Done():
			return
		}
	}
}

// awaitStart returns true when a may be started, or is to be ended without.
func (e *Executor) awaitStart(ctx context.Context, a *attempt) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for e.upgrade || e.lease.lost && a.ending == endNone {
		gate := e.gate
		e.mu.Unlock()
		select {
		case <-gate:
			e.mu.Lock()
		case <-ctx.Done():
			e.mu.Lock()
			return false
		}
	}
	e.starting++
	return true
}

// guard turns a panic into the failure of one attempt.
func (e *Executor) guard(ctx context.Context, a *attempt, fn func()) {
	defer func() {
		if p := recover(); p != nil {
			e.log.ErrorContext(ctx, "attempt panicked", "task_instance_id", a.id, "panic", p, "stack", string(debug.Stack()))
			e.conclude(ctx, a, result{outcome: doradov1.Outcome_FAILED, message: fmt.Sprintf("internal error of the worker: %v", p)})
		}
	}()
	fn()
}

// begin takes an attempt from accepted to running, or to its end when that fails.
func (e *Executor) begin(ctx context.Context, a *attempt) {
	defer func() {
		e.files.drop(a.fetched) // of an attempt that never came to place them
		a.fetched = nil
	}()
	e.mu.Lock()
	ending := a.ending
	e.mu.Unlock()
	if ending != endNone {
		a.start = time.Now()
		e.finish(a, endedBy(ending, 0, "before it was started"))
		return
	}
	if a.secrets = a.task.GetSecrets(); len(a.secrets) > 0 {
		a.hide = secret.NewMasker(a.secrets...)
	}
	p, err := e.prepare(ctx, a)
	if err != nil {
		e.fail(ctx, a, err)
		return
	}
	defer p.close()
	switch {
	case a.task.GetDryRun():
		e.closeLog(a, nil, "dry run: nothing was executed")
		a.start = time.Now()
		e.finish(a, result{outcome: doradov1.Outcome_SUCCEEDED})
	case p.plugin.Run != nil:
		e.runInside(ctx, a, p)
	default:
		if err := e.startProcess(ctx, a, p); err != nil {
			if a.masked != nil {
				a.masked.settle()
			}
			e.fail(ctx, a, err)
			return
		}
		e.metrics.start.Observe(time.Since(a.dispatched).Seconds())
	}
}

// fail ends an attempt that could not be started.
func (e *Executor) fail(ctx context.Context, a *attempt, err error) {
	message := oneLine(err.Error())
	e.closeLog(a, nil, message)
	e.conclude(ctx, a, result{outcome: doradov1.Outcome_FAILED, message: message})
}

// started makes the attempt running. A kill that came in meanwhile is carried out now.
func (e *Executor) started(a *attempt, timeout time.Duration) {
	e.mu.Lock()
	a.state, a.timeout, a.task = running, timeout, nil
	e.dirs.settle(&a.work)
	owner, ending := e.box(a.owner), a.ending
	if timeout > 0 {
		a.timer = time.AfterFunc(timeout, func() { e.end(a, endTimeout) })
	}
	e.mu.Unlock()
	owner.announce(a, a.start)
	if ending != endNone {
		e.end(a, ending)
	}
}

// end makes an attempt stop. Only the first reason counts, and none does once the work is over.
func (e *Executor) end(a *attempt, why endReason) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if a.state == finished || a.exited && a.handing == nil || a.target != nil {
		return
	}
	if a.ending == endNone {
		a.ending = why
	}
	if a.state != running {
		if a.waits {
			e.grant(a)
		}
		e.turn()
		return // its starter will see it
	}
	if a.handing != nil {
		a.handing(context.Canceled)
		return
	}
	if a.cancel != nil {
		cause := context.Canceled
		if a.link != "" && (a.ending == endShutdown || a.ending == endLeaseLost) {
			cause = task.ErrLeave
		}
		a.cancel(cause)
		return
	}
	a.target = newTarget(a, e.mark(a.id))
	e.killer.add(a.target)
}

// wait carries a running process to its end.
func (e *Executor) wait(ctx context.Context, a *attempt, c child) {
	st, err := e.spawn.wait(c)
	e.mu.Lock()
	a.exited, a.status, a.waitErr, a.over = true, st, err, time.Now()
	e.mu.Unlock()
	e.spawn.note()
	e.after(ctx, a)
}

// after is what comes after the end of the first process.
func (e *Executor) after(ctx context.Context, a *attempt) {
	e.mu.Lock()
	t, ending, timer, end := a.target, a.ending, a.timer, a.over
	if t == nil {
		ending = endNone // it was over before anybody could end it
	}
	e.mu.Unlock()
	if timer != nil {
		timer.Stop()
	}
	if t != nil {
		t.exited()
		<-t.done // nothing of it is left
		end = time.Now()
	}
	var r result
	switch {
	case ending != endNone:
		r = endedBy(ending, a.timeout, "")
		r.code = a.status.code()
	case a.waitErr != nil:
		r = result{outcome: doradov1.Outcome_FAILED, code: -1, message: "the process could not be waited for: " + oneLine(a.waitErr.Error())}
	default:
		r = a.status.result()
	}
	r.end = end
	if a.masked != nil {
		a.masked.settle()
	}
	e.settleRemote(ctx, a, &r, ending)
	e.settleLog(ctx, a, &r)
	e.conclude(ctx, a, r)
}

// settleLog reads the parameters that a task put out, and writes the log's last line. Thousands that end in the same
// second would each block a thread in the file system, so only a few do this at once.
func (e *Executor) settleLog(ctx context.Context, a *attempt, r *result) {
	if r.outcome == doradov1.Outcome_SUCCEEDED && len(a.outs) > 0 {
		e.settleOut(ctx, a, r, func() ([]*doradov1.Param, error) {
			e.settling <- struct{}{}
			defer func() { <-e.settling }()
			return readOut(a.logPath, a.logStart, a.outs, nil)
		})
	}
	e.settling <- struct{}{}
	defer func() { <-e.settling }()
	e.closeLog(a, r, "")
}

// conclude reports the end first and cleans up afterwards: the next task need not wait for a large directory to go.
func (e *Executor) conclude(ctx context.Context, a *attempt, r result) {
	e.cleaning.Add(1)
	defer e.cleaning.Done()
	e.finish(a, r)
	e.removeDir(ctx, a)
}

// result is how an attempt ended.
type result struct {
	outcome doradov1.Outcome
	code    int
	message string
	end     time.Time
	out     []*doradov1.Param
	link    string
	alert   *doradov1.Alert
	kept    found
}

func endedBy(why endReason, timeout time.Duration, when string) result {
	if when != "" {
		when = " " + when
	}
	switch why {
	case endTimeout:
		return result{outcome: doradov1.Outcome_FAILED, message: "timeout: killed after " + seconds(timeout)}
	case endShutdown:
		return result{outcome: doradov1.Outcome_LOST, message: "the worker was stopped" + when}
	case endLeaseLost:
		return result{outcome: doradov1.Outcome_LOST, message: "the worker lost its place in the cluster" + when}
	case endKilled, endNone:
	}
	return result{outcome: doradov1.Outcome_KILLED, message: "killed on request" + when}
}

// finish frees the slot and hands the last report to the owner.
func (e *Executor) finish(a *attempt, r result) {
	if r.end.IsZero() {
		r.end = time.Now()
	}
	report := &doradov1.Report{
		Id: a.id, WorkflowInstanceId: a.workflow, Seq: 1, Kind: doradov1.ReportKind_FINISHED, EndMs: r.end.UnixMilli(),
		Pid: int32(a.pid), ExitCode: int32(r.code), Outcome: r.outcome, Message: r.message,
		LogPath: a.logPath, ExecutePath: a.dir, AppLink: strings.ToValidUTF8(r.link, ""), VarPool: r.out, Alert: r.alert, Result: r.kept.result,
		Detail: r.kept.detail, Measured: r.kept.measured,
	}
	if !a.start.IsZero() {
		report.StartMs = a.start.UnixMilli()
	}
	a.hidden(report)
	e.mu.Lock()
	if a.state == finished { // a panic after the report
		e.mu.Unlock()
		return
	}
	if a.startSent {
		report.Seq = 2
	}
	a.state, a.report, a.task, a.target, a.timer = finished, report, nil, nil, nil
	e.vacate()
	owner := e.box(a.owner)
	e.mu.Unlock()
	e.metrics.ended(r.outcome)
	e.uploads.add(a.logPath)
	owner.finish(a)
}
