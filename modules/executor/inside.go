package executor

import (
	"context"
	"os"
	"time"

	"dorado/modules/rpc/doradov1"
	"dorado/plugins/task"
)

// runInside runs a plugin that works within the worker. A kill or a timeout ends its context.
func (e *Executor) runInside(ctx context.Context, a *attempt, p *prepared) {
	timeout := time.Duration(a.task.GetTimeoutMs()) * time.Millisecond
	work, cancel := context.WithCancel(ctx)
	log := os.NewFile(uintptr(p.log), a.logPath)
	p.log = -1 // log owns the descriptor now
	a.start = time.Now()
	e.mu.Lock()
	a.cancel = cancel
	e.mu.Unlock()
	e.started(a, timeout)
	go e.guard(ctx, a, func() {
		defer cancel()
		into, end := a.maskInto(log)
		out, err := p.plugin.Run(work, p.values, task.Env{
			TaskInstanceID: a.id, WorkflowInstanceID: a.workflow, Dir: a.dir, Values: p.params, Log: into,
		})
		end()
		_ = log.Close()
		e.mu.Lock()
		a.exited = true
		ending, timer := a.ending, a.timer
		e.mu.Unlock()
		if timer != nil {
			timer.Stop()
		}
		r := result{outcome: doradov1.Outcome_SUCCEEDED, link: out.AppLink}
		switch {
		case ending != endNone:
			r = endedBy(ending, a.timeout, "")
			r.link = out.AppLink
		case err != nil:
			r = result{outcome: doradov1.Outcome_FAILED, code: -1, message: oneLine(err.Error()), link: out.AppLink}
		case len(a.outs) > 0:
			if r.out, err = readOut(a.logPath, a.logStart, a.outs, out.Out); err != nil {
				r.outcome, r.message = doradov1.Outcome_FAILED, oneLine(err.Error())
			}
		}
		r.end = time.Now()
		e.closeLog(a, &r, "")
		e.conclude(ctx, a, r)
	})
}
