package executor

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
	"dorado/plugins/task"
)

// maxExtra bounds what a plugin may hand on besides declared parameters, in bytes.
const maxExtra = 1 << 20

// runInside runs a plugin that works within the worker. A kill or a timeout ends its context.
func (e *Executor) runInside(ctx context.Context, a *attempt, p *prepared) {
	timeout := time.Duration(a.task.GetTimeoutMs()) * time.Millisecond
	work, cancel := context.WithCancelCause(ctx)
	log := os.NewFile(uintptr(p.log), a.logPath)
	p.log = -1 // log owns the descriptor now
	a.start = time.Now()
	e.mu.Lock()
	a.cancel = cancel
	e.mu.Unlock()
	e.started(a, timeout)
	go e.guard(ctx, a, func() {
		defer cancel(nil)
		into, end := a.maskInto(log)
		env := p.env
		env.Log, env.Keep = into, func(link string) error { return e.linked(a, link) }
		out, err := p.plugin.Run(work, p.values, env)
		end()
		_ = log.Close()
		e.mu.Lock()
		a.exited = true
		ending, timer, link := a.ending, a.timer, a.link
		e.mu.Unlock()
		if timer != nil {
			timer.Stop()
		}
		if out.AppLink != "" {
			link = out.AppLink
		}
		r := result{outcome: doradov1.Outcome_SUCCEEDED, alert: alertOf(out.Alert)}
		switch {
		case ending != endNone:
			r = endedBy(ending, a.timeout, "")
		case out.Killed:
			r = result{outcome: doradov1.Outcome_KILLED, code: -1, message: "the remote work was ended by somebody else"}
		case err != nil:
			r = result{outcome: doradov1.Outcome_FAILED, code: -1, message: oneLine(err.Error()), alert: r.alert}
		default:
			e.settleOut(ctx, a, &r, func() ([]*doradov1.Param, error) { return outOf(a, out) })
		}
		if r.outcome != doradov1.Outcome_KILLED && r.outcome != doradov1.Outcome_LOST && ending == endNone {
			r.kept = foundBy(out, a.hide)
		}
		r.link = link
		r.end = time.Now()
		e.closeLog(a, &r, "")
		e.conclude(ctx, a, r)
	})
}

// outOf is what an attempt hands on: declared parameters, printed or returned, and what else the plugin returned.
func outOf(a *attempt, out task.Outcome) ([]*doradov1.Param, error) {
	var all []*doradov1.Param
	if len(a.outs) > 0 {
		var err error
		if all, err = readOut(a.logPath, a.logStart, a.outs, out.Out); err != nil {
			return nil, err
		}
	}
	size := 0
	for _, p := range out.Extra {
		if size += len(p.Prop) + len(p.Value); size > maxExtra {
			return nil, fmt.Errorf("parameter %q: what the task hands on has more than %d bytes", p.Prop, maxExtra)
		}
		all = append(all, &doradov1.Param{
			Name: strings.ToValidUTF8(p.Prop, ""), Value: strings.ToValidUTF8(p.Value, ""), Type: cmp.Or(p.Type, string(flow.Varchar)), Direct: string(flow.Out),
		})
	}
	return all, nil
}
