package engine

import (
	"time"

	"dorado/modules/engine/core"
	"dorado/modules/flow"
)

// order is a command about one attempt of a run under way.
type order struct {
	kind     flow.CommandType
	args     flow.CommandArgs
	executor int64
}

// order carries out a command about one attempt. What it names may be over already: then there is nothing to do.
func (s *shard) order(m *message) {
	l, id := s.runs[m.run], m.order.args.TaskInstanceID
	at, known := s.attempts[id]
	if l == nil || !known || at.run != m.run {
		s.ignore(m.run, m.command)
		return
	}
	a := l.run.Attempt(at.node)
	if a == nil || a.ID != id {
		s.ignore(m.run, m.command)
		return
	}
	t := &turn{shard: s, l: l}
	switch m.order.kind {
	case flow.CommandKillTask:
		t.advance(core.KillTask{Node: a.Node, ID: id})
	case flow.CommandForceStart:
		l.force(id)
		t.extras = append(t.extras, extra{`UPDATE task_instance SET force_start = ? WHERE id = ?`, []any{true, id}})
		t.extras = append(t.extras, slotsOver([]int64{id})...)
		t.forced = append(t.forced, id)
	case flow.CommandGroupPriority:
		l.rank(id, m.order.args.Priority)
		t.extras = append(t.extras,
			extra{`UPDATE task_instance SET task_group_priority = ? WHERE id = ?`, []any{m.order.args.Priority, id}},
			extra{`UPDATE task_group_slot SET priority = ? WHERE task_instance_id = ?`, []any{m.order.args.Priority, id}})
	case flow.CommandDecide:
		t.decide(a, m.order)
	default:
	}
	t.finish(m.command, nil)
}

// decide ends an attempt that waits for a person.
func (t *turn) decide(a *core.Attempt, o *order) {
	if t.l.run.Graph.Kinds[a.Node] != flow.KindApproval || a.State != flow.TaskRunning {
		return
	}
	state, outcome, said := approvalRejected, flow.TaskFailure, "rejected"
	if o.args.Approved {
		state, outcome, said = approvalApproved, flow.TaskSuccess, "approved"
	}
	now := t.e.clock()
	t.extras = append(t.extras,
		extra{
			`UPDATE approval SET state = ?, comment = ?, decided_by = ?, decided_name = ?, decided_at = ? WHERE task_instance_id = ? AND state = 'WAITING'`,
			[]any{state, clip(o.args.Comment), o.executor, clip(o.args.User), now, a.ID},
		},
		t.e.logExtra(a.ID, now, said+" by "+o.args.User+": "+o.args.Comment),
	)
	t.e.logic.forget(a.ID)
	t.advance(core.Finished{
		Started: core.Started{Node: a.Node, ID: a.ID, At: a.Start}, Outcome: outcome, End: now, Message: approvalMessage(said, o.args),
		VarPool: []flow.Property{
			{Prop: "approval.by", Direct: flow.Out, Type: flow.Varchar, Value: clean(o.args.User)},
			{Prop: "approval.comment", Direct: flow.Out, Type: flow.Varchar, Value: clean(o.args.Comment)},
		},
	})
}

func approvalMessage(said string, args flow.CommandArgs) string {
	text := said + " by " + args.User
	if args.Comment != "" {
		text += ": " + args.Comment
	}
	return text
}

// logExtra is a line of a logic task's log, written with a change.
func (e *Engine) logExtra(attempt int64, at time.Time, text string) extra {
	return extra{`INSERT INTO task_log (task_instance_id, lines) VALUES (?, ?)`, []any{attempt, logLine(at, text)}}
}
