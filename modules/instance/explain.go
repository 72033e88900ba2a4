package instance

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/i18n"
	"dorado/modules/flow"
)

// Reason is one sentence about a task: a message key with its arguments, or a text that a worker wrote.
type Reason struct {
	Key  string
	Args []any // times are written in the reader's zone
	Text string
}

// Say writes the sentence for a reader; it is empty when there is nothing to say.
func (r Reason) Say(ctx context.Context) string {
	if r.Key == "" {
		return r.Text
	}
	args := make([]any, len(r.Args))
	for i, a := range r.Args {
		if t, ok := a.(time.Time); ok {
			a = i18n.DateTime(ctx, t)
		}
		args[i] = a
	}
	return i18n.T(ctx, r.Key, args...)
}

// namesShown is how many tasks one sentence names.
const namesShown = 3

// explain says of each task why it is not running. It looks at rows, graph and workers only, so it is right even where
// no master is running.
func (d *Detail) explain(now time.Time, w Workers) {
	held := d.hold()
	for n := range d.Nodes {
		node := &d.Nodes[n]
		if node.Current != nil {
			node.Reason = d.ofAttempt(node, node.Current, now, w)
			continue
		}
		node.Reason = d.ofNode(node, held[n])
	}
}

// ofAttempt explains an attempt that exists.
func (d *Detail) ofAttempt(n *Node, a *Task, now time.Time, w Workers) Reason {
	switch a.State {
	case flow.TaskSubmitted, flow.TaskDelay:
		return d.ofWaiting(a, now, w)
	case flow.TaskDispatch:
		return Reason{Key: "instance.why.dispatched", Args: []any{"worker", a.Host}}
	case flow.TaskRunning:
		if d.State == flow.WorkflowReadyStop {
			return Reason{Key: "instance.why.killing"}
		}
		return d.ofLogic(n, a)
	case flow.TaskPause:
		return Reason{Key: "instance.why.paused"}
	case flow.TaskFailure, flow.TaskKill, flow.TaskLost:
		return ended(a)
	case flow.TaskSuccess, flow.TaskForcedSuccess:
	}
	return Reason{}
}

// ended says what an attempt ended of.
func ended(a *Task) Reason {
	switch {
	case a.Message == "timeout":
		return Reason{Key: "instance.why.timeout"}
	case a.Message != "":
		return Reason{Text: a.Message}
	case a.ExitCode != nil && *a.ExitCode != 0:
		return Reason{Key: "instance.why.exit", Args: []any{"code", *a.ExitCode}}
	}
	return Reason{}
}

// ofWaiting explains an attempt that no worker has yet.
func (d *Detail) ofWaiting(a *Task, now time.Time, w Workers) Reason {
	switch {
	case d.State == flow.WorkflowReadyStop:
		return Reason{Key: "instance.why.stopping"}
	case d.State == flow.WorkflowReadyPause:
		return Reason{Key: "instance.why.pausing"}
	case a.DueTime != nil && a.DueTime.After(now) && a.Attempt > 0:
		return Reason{Key: "instance.why.retry", Args: []any{"time", *a.DueTime, "attempt", a.Attempt + 1, "of", a.MaxRetryTimes + 1}}
	case a.DueTime != nil && a.DueTime.After(now):
		return Reason{Key: "instance.why.delay", Args: []any{"time", *a.DueTime}}
	}
	if g, ok := d.around.groups[a.ID]; ok && g.Status == 1 && (g.Used >= g.Size || g.Place > 1) {
		return Reason{Key: "operate.why.task_group", Args: []any{"group", g.Name, "place", g.Place, "used", g.Used, "size", g.Size}}
	}
	switch {
	case w == nil:
		return Reason{Key: "instance.why.worker"}
	case d.around.unknown[a.WorkerGroup]:
		return Reason{Key: "operate.why.no_group", Args: []any{"group", a.WorkerGroup}}
	}
	waiting, serving := w.Backlog(a.WorkerGroup)
	switch {
	case serving == 0:
		return Reason{Key: "instance.why.no_worker", Args: []any{"group", a.WorkerGroup}}
	case waiting > 1:
		return Reason{Key: "instance.why.slot", Args: []any{"count", waiting - 1, "group", a.WorkerGroup}}
	}
	return Reason{Key: "instance.why.worker"}
}

// ofNode explains a task without an attempt.
func (d *Detail) ofNode(n *Node, h held) Reason {
	switch {
	case !n.In:
		return Reason{Key: "instance.why.outside"}
	case n.Left:
		return Reason{Key: "operate.why.left", Args: []any{"tasks", name(d.left(n))}}
	case n.Forbidden() && n.Task.ExecuteType == flow.Stream:
		return Reason{Key: "instance.why.stream"}
	case n.Forbidden():
		return Reason{Key: "instance.why.forbidden"}
	case d.State == flow.WorkflowSerialWait:
		return d.ofSerial()
	case d.State == flow.WorkflowSubmitted:
		return Reason{Key: "instance.why.master"}
	case d.State == flow.WorkflowFailover:
		return Reason{Key: "instance.why.failover"}
	}
	over := d.State.Finished()
	if n.Task.Finally && !over && len(h.waits) == 0 {
		if first := d.beforeFinally(); len(first) > 0 {
			return Reason{Key: "operate.why.finally", Args: []any{"tasks", name(first)}}
		}
		return Reason{Key: "instance.why.turn"}
	}
	switch {
	case len(h.broken) > 0 && over:
		return Reason{Key: "instance.why.broken_ended", Args: []any{"tasks", name(h.broken)}}
	case len(h.broken) > 0:
		return Reason{Key: "instance.why.broken", Args: []any{"tasks", name(h.broken)}}
	case over:
		return Reason{Key: "instance.why.ended"}
	case d.State == flow.WorkflowReadyStop:
		return Reason{Key: "instance.why.stopping"}
	case d.State == flow.WorkflowReadyPause:
		return Reason{Key: "instance.why.pausing"}
	case len(h.waits) > 0:
		return Reason{Key: "instance.why.upstream", Args: []any{"tasks", name(h.waits)}}
	}
	return Reason{Key: "instance.why.turn"}
}

// ofLogic explains a task that the engine carries out itself: it runs, and what it does is to wait.
func (d *Detail) ofLogic(n *Node, a *Task) Reason {
	switch flow.KindOf(a.Type) {
	case flow.KindDependent:
		if said := d.around.said[a.ID]; said != "" {
			return Reason{Key: "operate.why.dependent", Args: []any{"what", said}}
		}
	case flow.KindSubWorkflow, flow.KindDynamic, flow.KindForEach:
		children := d.around.children[n.Task.Code]
		running := d.around.running[n.Task.Code]
		switch {
		case len(children) == 0:
		case running == 1 && children[0].Visible:
			return Reason{Key: "operate.why.child", Args: []any{"name", children[0].Name}}
		case running > 0:
			return Reason{Key: "operate.why.children", Args: []any{"count", running}}
		}
	case flow.KindApproval:
		if p := d.approvalOf(a.ID); p != nil && p.State == ApprovalWaiting {
			return Reason{Key: "operate.why.approval." + roleKey(p.Role), Args: []any{"question", p.Question}}
		}
	case flow.KindPhysical, flow.KindConditions, flow.KindSwitch:
	}
	return Reason{}
}

// roleKey names the role that may decide, as MayDecide reads it.
func roleKey(role string) string {
	if role == "" {
		return string(flow.ApproveOperate)
	}
	return role
}

func (d *Detail) ofSerial() Reason {
	switch q := d.around.serial; {
	case q == nil:
		return Reason{Key: "operate.why.serial_next"}
	case q.Ahead <= 1:
		return Reason{Key: "operate.why.serial", Args: []any{"name", q.Name}}
	default:
		return Reason{Key: "operate.why.serial_more", Args: []any{"name", q.Name, "count", q.Ahead - 1}}
	}
}

// left names the nearest tasks that did not choose a way to the node.
func (d *Detail) left(n *Node) []string {
	var names []string
	for _, p := range n.Pred {
		if pred := &d.Nodes[p]; pred.Left {
			names = merge(names, d.left(pred))
		} else {
			names = merge(names, []string{pred.Task.Name})
		}
		if len(names) > namesShown {
			break
		}
	}
	return names
}

// beforeFinally names what the tasks that run at the very end wait for.
func (d *Detail) beforeFinally() []string {
	var names []string
	for k := range d.Nodes {
		n := &d.Nodes[k]
		if !n.Task.Finally && n.counts() && n.Current != nil && !n.Current.State.Finished() {
			names = merge(names, []string{n.Task.Name})
		}
	}
	return names
}

// held is what keeps a task from its turn: whom it waits for, and what before it went wrong so that its turn can't come.
type held struct{ waits, broken []string }

// hold computes held for every task, in topological order. Forbidden tasks are looked through.
func (d *Detail) hold() []held {
	all := make([]held, len(d.Nodes))
	for n := range d.Nodes {
		h := &all[n]
		for _, p := range d.Nodes[n].Pred {
			pred := &d.Nodes[p]
			switch {
			case !pred.In, pred.Left:
			case pred.Forbidden():
				h.waits, h.broken = merge(h.waits, all[p].waits), merge(h.broken, all[p].broken)
			case pred.passed():
			case pred.Current != nil && pred.Current.State.Finished() && d.program.graph.Kinds[n] == flow.KindConditions:
				// it looks at failures, too
			case pred.Current != nil && pred.Current.State.Finished():
				h.broken = merge(h.broken, []string{pred.Task.Name})
			default:
				h.waits = merge(h.waits, []string{pred.Task.Name})
				if pred.Current == nil {
					h.broken = merge(h.broken, all[p].broken)
				}
			}
		}
	}
	return all
}

// heldLimit bounds the names that are carried along a graph.
const heldLimit = 20

// merge adds names to a list that lacks them.
func merge(list, more []string) []string {
	for _, m := range more {
		if len(list) < heldLimit && !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	return list
}

// name lists some names: "a, b, c +4".
func name(names []string) string {
	if len(names) <= namesShown {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:namesShown], ", ") + " +" + strconv.Itoa(len(names)-namesShown)
}
