package executor

import (
	"context"
	"strconv"
	"time"

	"dorado/modules/rpc/doradov1"
)

// recoverJournal settles what an earlier process of this worker left: finished reports wait for a master again, and
// attempts that were running are ended and reported LOST. It returns when none of their processes is left, so that
// nothing can run twice.
func (e *Executor) recoverJournal(ctx context.Context) {
	if h := e.inherit; h != nil && h.Format != 0 {
		e.inherit = nil
		e.takeOver(ctx, h) // what the journal holds is among it
		e.journal.restart()
		if !e.cfg.KeepWorkdir {
			e.dirs.sweep(ctx, e.log)
		}
		return
	}
	type past struct {
		last   entry
		boot   string
		owner  entry
		remote entry
	}
	attempts := map[int64]*past{}
	boot := ""
	for _, en := range e.journal.replayed {
		switch en.kind {
		case entryBoot:
			boot = en.boot
		case entryAcked:
			for _, id := range en.ids {
				delete(attempts, id)
			}
		case entryBegun, entryStarted, entryFinished:
			if p := attempts[en.report.GetId()]; p != nil {
				p.last, p.boot = en, boot
			} else {
				attempts[en.report.GetId()] = &past{last: en, boot: boot}
			}
		case entryOwner:
			for _, id := range en.ids {
				if p := attempts[id]; p != nil {
					p.owner = en
				}
			}
		case entryRemote:
			for _, id := range en.ids {
				if p := attempts[id]; p != nil {
					p.remote = en
				}
			}
		}
	}
	if len(attempts) > 0 {
		e.log.InfoContext(ctx, "journal replayed", "attempts", len(attempts))
	}
	// First nothing must be left of them, …
	var targets []*target
	for _, p := range attempts {
		if p.last.kind != entryFinished && p.boot == e.journal.boot {
			t := e.leftover(p.last)
			targets = append(targets, t)
			e.killer.add(t)
		}
	}
	for _, t := range targets {
		select {
		case <-t.done:
		case <-time.After(stuckAfter): // only a process in a system call that can't be interrupted
			e.log.ErrorContext(ctx, "processes of an earlier run are left", "task_instance_id", t.id)
		}
	}
	// … then they may be reported.
	for id, p := range attempts {
		a := &attempt{id: id, workflow: p.last.report.GetWorkflowInstanceId(), state: finished, report: p.last.report}
		a.owner, a.epoch = p.owner.owner, p.owner.epoch
		if p.last.kind != entryFinished {
			if names := p.remote.names(p.last.report.GetLogPath()); names != "" {
				p.last.report.AppLink = names
			}
			e.giveUp(ctx, a, p.last)
		}
		e.mu.Lock()
		e.current(a.workflow, a.epoch)
		e.attempts[id] = a
		e.mu.Unlock()
	}
	e.journal.restart()
	if !e.cfg.KeepWorkdir {
		e.dirs.sweep(ctx, e.log)
	}
}

// leftover is what may be left of an attempt. Its first process is ours only if it was started when the journal says
// so: the number may have been given to another one since.
func (e *Executor) leftover(en entry) *target {
	t := &target{
		id: en.report.GetId(), mark: e.mark(en.report.GetId()), user: en.user, known: map[int]uint64{}, since: time.Now(),
		reaped: make(chan struct{}), done: make(chan struct{}), atOnce: true, noChild: true,
	}
	pid := int(en.report.GetPid())
	if p, ok := readProcess(pid, make([]byte, 4096)); ok && pid > 1 {
		const tick = int64(time.Second) / ticksPerSecond
		begun := en.started / tick
		if start := int64(p.start); start >= begun-1 && start <= begun+ticksPerSecond {
			t.leader = pid
			t.known[pid] = p.start
		}
	}
	return t
}

// giveUp turns a running attempt of the past into a LOST report.
func (e *Executor) giveUp(ctx context.Context, a *attempt, en entry) {
	const message = "the worker was restarted while the attempt was running"
	now := time.Now()
	a.logPath, a.start = en.report.GetLogPath(), time.UnixMilli(en.report.GetStartMs())
	a.report = &doradov1.Report{
		Id: a.id, WorkflowInstanceId: a.workflow, Seq: 2, Kind: doradov1.ReportKind_FINISHED, Outcome: doradov1.Outcome_LOST,
		StartMs: en.report.GetStartMs(), EndMs: now.UnixMilli(), Pid: en.report.GetPid(), Message: message,
		LogPath: en.report.GetLogPath(), ExecutePath: en.report.GetExecutePath(), AppLink: en.report.GetAppLink(),
	}
	r := result{outcome: doradov1.Outcome_LOST, message: message, end: now}
	e.closeLog(a, &r, "")
	if en.user != "" && !e.cfg.KeepWorkdir { // all others are swept
		if err := e.dirs.remove(ctx, &workdir{name: strconv.FormatInt(a.id, 10), fd: -1}, account{name: en.user}, true, 0); err != nil {
			e.log.WarnContext(ctx, "working directory not removed", "task_instance_id", a.id, "error", err)
		}
	}
}
