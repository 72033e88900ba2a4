package engine

import (
	"context"
	"errors"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/flow"
)

// The states of a row of approval.
const (
	approvalWaiting   = "WAITING"
	approvalApproved  = "APPROVED"
	approvalRejected  = "REJECTED"
	approvalExpired   = "EXPIRED"
	approvalCancelled = "CANCELLED"
)

// approvalWork is an APPROVAL: it waits for a person, or for the end of its time.
type approvalWork struct {
	spec     *flow.Approval
	question string
	project  int64

	asked bool
}

type approvalRow struct {
	State   string `db:"state"`
	Comment string `db:"comment"`
	Name    string `db:"decided_name"`
}

// step implements logicWork.
func (a *approvalWork) step(ctx context.Context, g *logic, t *logicTask, w wakeUp) (*logicEnd, error) {
	s := g.e.store
	if w.stop || w.park {
		return a.cancel(ctx, s, t, w)
	}
	var expires time.Time
	if a.spec.ExpireMinutes > 0 {
		expires = t.started.Add(time.Duration(a.spec.ExpireMinutes) * time.Minute)
	}
	if !a.asked {
		if err := a.ask(ctx, s, t, expires); err != nil {
			return nil, err
		}
		a.asked = true
		t.log("waits for a decision: %s", a.question)
		if !expires.IsZero() {
			t.log("the time ends at %s and then counts as %s", expires.UTC().Format(time.RFC3339), a.spec.OnExpire)
			g.e.timers.add(expires, message{run: t.run, poke: t.attempt})
		}
	}
	if !expires.IsZero() && !g.e.clock().Before(expires) {
		if _, err := s.db.Exec(ctx, `UPDATE approval SET state = ?, decided_at = ? WHERE task_instance_id = ? AND state = ?`,
			approvalExpired, s.now(), t.attempt, approvalWaiting); err != nil {
			return nil, err
		}
	}
	row, err := db.Get[approvalRow](ctx, s.db, `SELECT state, comment, decided_name FROM approval WHERE task_instance_id = ?`, t.attempt)
	if errors.Is(err, db.ErrNoRows) {
		return &logicEnd{outcome: flow.TaskFailure, message: "what was asked is gone"}, nil
	}
	if err != nil {
		return nil, err
	}
	return a.verdict(t, row), nil
}

// ask writes the question down, again when it was taken back by a pause.
func (a *approvalWork) ask(ctx context.Context, s *store, t *logicTask, expires time.Time) error {
	_, err := s.db.Exec(ctx, `INSERT INTO approval (task_instance_id, workflow_instance_id, project_code, question, role, state, expires_at, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (task_instance_id) DO UPDATE SET question = excluded.question, role = excluded.role, state = excluded.state,
		expires_at = excluded.expires_at, created_at = excluded.created_at WHERE approval.state = 'CANCELLED'`,
		t.attempt, t.run, a.project, a.question, a.spec.Role, approvalWaiting, orNil(expires), s.now())
	return err
}

func (a *approvalWork) cancel(ctx context.Context, s *store, t *logicTask, w wakeUp) (*logicEnd, error) {
	if _, err := s.db.Exec(ctx, `UPDATE approval SET state = ? WHERE task_instance_id = ? AND state = ?`,
		approvalCancelled, t.attempt, approvalWaiting); err != nil {
		return nil, err
	}
	if w.park {
		t.log("paused; nobody can decide until the run goes on")
		return &logicEnd{outcome: flow.TaskPause}, nil
	}
	t.log("stopped before anybody decided")
	return &logicEnd{outcome: flow.TaskKill}, nil
}

// verdict is the end that a row means, nil while it waits.
func (a *approvalWork) verdict(t *logicTask, row approvalRow) *logicEnd {
	end := &logicEnd{outcome: flow.TaskFailure}
	switch row.State {
	case approvalWaiting, approvalCancelled:
		return nil
	case approvalApproved, approvalRejected:
		said := "rejected"
		if row.State == approvalApproved {
			said, end.outcome = "approved", flow.TaskSuccess
		}
		end.message = approvalMessage(said, flow.CommandArgs{User: row.Name, Comment: row.Comment})
	case approvalExpired:
		end.message = "nobody decided in time"
		if a.spec.OnExpire == flow.ExpireApprove {
			end.outcome = flow.TaskSuccess
		}
	}
	t.log("%s", end.message)
	end.out = []flow.Property{
		{Prop: "approval.by", Direct: flow.Out, Type: flow.Varchar, Value: row.Name},
		{Prop: "approval.comment", Direct: flow.Out, Type: flow.Varchar, Value: row.Comment},
	}
	return end
}
