package instance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/flow"
)

// ApprovalState is where a decision stands.
type ApprovalState string

// The states of a decision.
const (
	ApprovalWaiting   ApprovalState = "WAITING"
	ApprovalApproved  ApprovalState = "APPROVED"
	ApprovalRejected  ApprovalState = "REJECTED"
	ApprovalExpired   ApprovalState = "EXPIRED"
	ApprovalCancelled ApprovalState = "CANCELLED"
)

// Approval is a decision that a run waits, or waited, for.
type Approval struct {
	TaskInstanceID     int64         `db:"task_instance_id"`
	WorkflowInstanceID int64         `db:"workflow_instance_id"`
	ProjectCode        int64         `db:"project_code"`
	Question           string        `db:"question"`
	Role               string        `db:"role"` // OPERATE, ALL, OWNER or ADMIN
	State              ApprovalState `db:"state"`
	ExpiresAt          *time.Time    `db:"expires_at"`
	Comment            string        `db:"comment"`
	DecidedName        string        `db:"decided_name"`
	DecidedAt          *time.Time    `db:"decided_at"`
	CreatedAt          time.Time     `db:"created_at"`
	TaskName           string        `db:"task_name"`
	InstanceName       string        `db:"instance_name"`
	WorkflowName       string        `db:"workflow_name"`
	WorkflowCode       int64         `db:"workflow_code"`
}

// URL is the page of the run that waits.
func (a *Approval) URL() string { return address(a.ProjectCode, a.WorkflowInstanceID) }

const selectApproval = `SELECT a.task_instance_id, a.workflow_instance_id, a.project_code, a.question, a.role, a.state, a.expires_at, a.comment,
	a.decided_name, a.decided_at, a.created_at, t.name AS task_name, w.name AS instance_name, w.workflow_name, w.workflow_code
	FROM approval a JOIN task_instance t ON t.id = a.task_instance_id JOIN workflow_instance w ON w.id = a.workflow_instance_id`

// MaxApprovals bounds a list of decisions.
const MaxApprovals = 500

// Approvals lists the decisions that runs of a project wait for, oldest first; of all projects that whoever acts may see for
// project 0.
func (s *Service) Approvals(ctx context.Context, project int64) ([]Approval, error) {
	codes, all := []int64{project}, false
	if project != 0 {
		if err := s.may(ctx, project, Read); err != nil {
			return nil, err
		}
	} else {
		if _, err := access.Must(ctx); err != nil {
			return nil, err
		}
		codes, all = s.Access.ProjectsWith(ctx, Read)
	}
	within, args, err := inProjects(codes, all)
	if err != nil {
		return nil, err
	}
	hidden, more := s.Access.NotHidden(ctx, "w.workflow_code", Read)
	return db.Select[Approval](ctx, s.DB, selectApproval+` WHERE a.`+within+` AND a.state = 'WAITING'`+hidden+` ORDER BY a.task_instance_id LIMIT ?`,
		slices.Concat(args, more, []any{MaxApprovals})...)
}

// ApprovalsOf lists all decisions of one instance, oldest first. Errors as of Get.
func (s *Service) ApprovalsOf(ctx context.Context, instance int64) ([]Approval, error) {
	if _, err := s.Get(ctx, instance); err != nil {
		return nil, err
	}
	return db.Select[Approval](ctx, s.DB, selectApproval+` WHERE a.workflow_instance_id = ? ORDER BY a.task_instance_id`, instance)
}

// Approval returns the decision that an attempt waits, or waited, for. It returns ErrTaskNotFound, also for one that the
// caller may not see.
func (s *Service) Approval(ctx context.Context, task int64) (*Approval, error) {
	a, err := db.Get[Approval](ctx, s.DB, selectApproval+` WHERE a.task_instance_id = ?`, task)
	if errors.Is(err, db.ErrNoRows) || err == nil && !s.Access.CanWorkflow(ctx, a.ProjectCode, a.WorkflowCode, Read) {
		return nil, ErrTaskNotFound.With("id", task)
	}
	return &a, err
}

// MayDecide reports whether whoever acts has the role that a decision asks for, and neither a rule nor the scope of his
// token keeps him from operating on the workflow.
func (s *Service) MayDecide(ctx context.Context, a *Approval) bool {
	if !s.Access.CanWorkflow(ctx, a.ProjectCode, a.WorkflowCode, Operate) {
		return false
	}
	role := s.Projects.Role(ctx, a.ProjectCode)
	if role == access.Admin {
		return true
	}
	switch a.Role {
	case "", "OPERATE":
		return true
	case "ALL":
		return slices.Contains(access.Writers(), role)
	case "OWNER":
		return role == access.Owner
	}
	return false
}

// maxComment bounds a comment, in bytes.
const maxComment = 4000

// Decide approves or rejects what an attempt waits for. It returns ErrTaskNotFound, ErrNotYours, ErrDecided when somebody
// was quicker or the time is over, or ErrStartRequest for a comment that is too long.
func (s *Service) Decide(ctx context.Context, task int64, approved bool, comment string) error {
	a, err := s.Approval(ctx, task)
	if err != nil {
		return err
	}
	if !s.MayDecide(ctx, a) {
		return ErrNotYours.With("role", a.Role)
	}
	if comment = strings.TrimSpace(clean(comment)); len(comment) > maxComment {
		return ErrStartRequest.With("field", "comment", "reason", strconv.Itoa(maxComment))
	}
	t, err := s.store.task(ctx, task)
	if err != nil {
		return err
	}
	who, err := access.Must(ctx)
	if err != nil {
		return err
	}
	state := ApprovalRejected
	if approved {
		state = ApprovalApproved
	}
	now := s.now()
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		res, err := s.DB.Exec(ctx, `UPDATE approval SET state = ?, comment = ?, decided_by = ?, decided_name = ?, decided_at = ?
			WHERE task_instance_id = ? AND state = 'WAITING' AND (expires_at IS NULL OR expires_at > ?)`,
			state, comment, who.UserID, who.Name, now, task, now)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			if err != nil {
				return err
			}
			return ErrDecided.With("name", t.Name)
		}
		err = s.Audit.Record(ctx, audit.Entry{
			Action: "task_instance." + strings.ToLower(string(state)), ObjectType: "workflow_instance",
			ObjectID: strconv.FormatInt(t.WorkflowInstanceID, 10), ObjectName: t.Name, ProjectCode: t.ProjectCode,
			Detail: map[string]any{"taskInstanceId": task, "comment": comment},
		})
		if err != nil {
			return err
		}
		args := flow.CommandArgs{TaskInstanceID: task, Approved: approved, Comment: comment, User: who.Name}
		if err := s.send(ctx, t, flow.CommandDecide, args); err != nil {
			return fmt.Errorf("decide: %w", err)
		}
		return s.DB.Notify(ctx, ChangeChannel, strconv.FormatInt(t.WorkflowInstanceID, 10))
	})
}
