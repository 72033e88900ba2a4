package instance

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/flow"
)

// ExecuteTask runs one task of a finished instance again, and with TASK_PRE or TASK_POST what is before or after it. It
// returns what Operate returns, and ErrStartNode.
func (s *Service) ExecuteTask(ctx context.Context, id, node int64, depend flow.TaskDependType) error {
	i, err := s.store.get(ctx, id)
	if err != nil {
		return err
	}
	if err := s.mayOn(ctx, i, Operate); err != nil {
		return err
	}
	what, err := s.startable(ctx, i.WorkflowCode, i.WorkflowVersion)
	if err != nil {
		return err
	}
	if !what.tasks[node] {
		return ErrStartNode.With("code", node)
	}
	if depend == "" {
		depend = flow.TaskPost
	}
	return s.operate(ctx, i, flow.OpExecuteTask, flow.CommandArgs{StartNodes: []int64{node}, TaskDependType: depend})
}

// withdraw ends an instance that no master has begun: it waits for its turn. It reports false when one has meanwhile.
func (s *Service) withdraw(ctx context.Context, i *Instance, to flow.WorkflowState, now time.Time) (bool, error) {
	launched, err := db.Get[int](ctx, s.DB, `SELECT count(*) FROM serial_queue WHERE workflow_instance_id = ? AND state = 'LAUNCHED'`, i.ID)
	if err != nil || launched > 0 {
		return false, err
	}
	res, err := s.DB.Exec(ctx, `UPDATE workflow_instance SET state = ?, state_history = ?, end_time = ?, updated_at = ? WHERE id = ? AND state = ?`,
		to, continued(i.StateHistory, now, to, string(to)), now, now, i.ID, i.State)
	if err != nil {
		return false, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	for _, table := range []string{"serial_queue", "command"} {
		if _, err := s.DB.Exec(ctx, `DELETE FROM `+table+` WHERE workflow_instance_id = ?`, i.ID); err != nil {
			return false, fmt.Errorf("leave %s: %w", table, err)
		}
	}
	if err := s.DB.Notify(ctx, serialChannel, strconv.FormatInt(i.WorkflowCode, 10)); err != nil {
		return false, err
	}
	return true, s.DB.Notify(ctx, ChangeChannel, strconv.FormatInt(i.ID, 10))
}

// continued adds an entry to a state history.
func continued(text string, now time.Time, state flow.WorkflowState, desc string) string {
	var list []map[string]string
	if json.Unmarshal([]byte(text), &list) != nil {
		list = nil // what cannot be read is not worth keeping
	}
	return mustJSON(append(list, map[string]string{"time": now.UTC().Format(time.DateTime), "state": string(state), "desc": desc}))
}

// ForceSuccess declares a failed, killed or lost task of a finished run a success. When it was the only task that was none,
// the run becomes a success too. Nothing after it starts: that is what recovering is for. It returns ErrTaskNotFound, a
// Conflict fault with the reason, ErrChangedState, or a Forbidden fault.
func (s *Service) ForceSuccess(ctx context.Context, task int64, comment string) error {
	t, err := s.taskToOperate(ctx, task)
	if err != nil {
		return err
	}
	what, err := s.program(ctx, t.WorkflowCode, t.WorkflowVersion)
	if err != nil {
		return err
	}
	now := s.now()
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		i, err := s.store.lock(ctx, t.WorkflowInstanceID)
		if err != nil {
			return err
		}
		if ok, reason := flow.AllowedOnTask(flow.OpForceSuccess, t.State, i.State); !ok {
			return notAllowed(i, reason)
		}
		res, err := s.DB.Exec(ctx, `UPDATE task_instance SET state = ?, end_time = COALESCE(end_time, ?) WHERE id = ? AND state = ? AND valid = ?`,
			flow.TaskForcedSuccess, now, task, t.State, true)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return orChanged(err)
		}
		promoted, err := s.promote(ctx, i, what, now)
		if err != nil {
			return err
		}
		err = s.Audit.Record(ctx, audit.Entry{
			Action: "task_instance.force_success", ObjectType: "workflow_instance", ObjectID: strconv.FormatInt(t.WorkflowInstanceID, 10), ObjectName: t.Name,
			ProjectCode: t.ProjectCode,
			Detail: map[string]any{
				"taskInstanceId": task, "from": string(t.State), "comment": strings.TrimSpace(comment), "workflowSucceeded": promoted,
			},
		})
		if err != nil {
			return err
		}
		return s.DB.Notify(ctx, ChangeChannel, strconv.FormatInt(i.ID, 10))
	})
}

func orChanged(err error) error {
	if err == nil {
		return ErrChangedState
	}
	return err
}

// promote makes a failed or stopped run a success when every task that takes part in it has succeeded.
func (s *Service) promote(ctx context.Context, i *Instance, what *program, now time.Time) (bool, error) {
	if i.State != flow.WorkflowFailure && i.State != flow.WorkflowStop {
		return false, nil
	}
	param, err := commandParam(i)
	if err != nil {
		return false, err
	}
	in, err := what.graph.Scope(param.StartNodes, i.DependType)
	if err != nil {
		return false, err
	}
	tasks, err := s.store.tasks(ctx, i.ID, true)
	if err != nil {
		return false, err
	}
	succeeded := make(map[int64]bool, len(tasks))
	for k := range tasks {
		if !tasks[k].State.Succeeded() {
			return false, nil
		}
		succeeded[tasks[k].TaskCode] = true
	}
	for n := range what.graph.Tasks {
		if t := &what.graph.Tasks[n]; in[n] && !t.Passed() && !succeeded[t.Code] {
			return false, nil
		}
	}
	next, err := i.State.To(flow.WorkflowSuccess)
	if err != nil {
		return false, err
	}
	_, err = s.DB.Exec(ctx, `UPDATE workflow_instance SET state = ?, state_history = ?, message = '', updated_at = ? WHERE id = ?`,
		next, continued(i.StateHistory, now, next, string(flow.OpForceSuccess)), now, i.ID)
	return err == nil, err
}

// taskToOperate reads an attempt for somebody who may operate on its run.
func (s *Service) taskToOperate(ctx context.Context, id int64) (*ListedTask, error) {
	t, err := s.Task(ctx, id)
	if err != nil {
		return nil, err
	}
	return t, s.mayRun(ctx, t.ProjectCode, t.WorkflowCode, Operate)
}

// KillTask ends one attempt of a run that goes on. It returns ErrTaskNotFound, ErrTaskOver, or a Forbidden fault.
func (s *Service) KillTask(ctx context.Context, task int64) error {
	return s.tell(ctx, task, flow.CommandKillTask, "kill", flow.CommandArgs{TaskInstanceID: task}, nil)
}

// ForceStart lets an attempt that waits for its task group start beyond the group's size. It returns ErrTaskNotFound,
// ErrTaskOver, ErrNotWaiting, or a Forbidden fault.
func (s *Service) ForceStart(ctx context.Context, task int64) error {
	return s.tell(ctx, task, flow.CommandForceStart, "force_start", flow.CommandArgs{TaskInstanceID: task}, waitsForGroup)
}

// SetGroupPriority changes the place of an attempt among those that wait for its task group; higher ones come first. It
// returns what ForceStart returns.
func (s *Service) SetGroupPriority(ctx context.Context, task int64, priority int) error {
	return s.tell(ctx, task, flow.CommandGroupPriority, "group_priority", flow.CommandArgs{TaskInstanceID: task, Priority: priority}, waitsForGroup)
}

// waitsForGroup is nil for an attempt that a task group may keep waiting.
func waitsForGroup(ctx context.Context, s *Service, t *ListedTask) error {
	group, err := db.Get[int64](ctx, s.DB, `SELECT task_group_id FROM task_instance WHERE id = ?`, t.ID)
	if err != nil {
		return err
	}
	if group == 0 || t.State != flow.TaskSubmitted {
		return ErrNotWaiting.With("name", t.Name)
	}
	return nil
}

// tell asks the master of a run for something about one of its attempts.
func (s *Service) tell(
	ctx context.Context, task int64, kind flow.CommandType, action string, args flow.CommandArgs,
	check func(context.Context, *Service, *ListedTask) error,
) error {
	t, err := s.taskToOperate(ctx, task)
	if err != nil {
		return err
	}
	if t.State.Finished() || t.RunState.Finished() {
		return ErrTaskOver.With("name", t.Name)
	}
	if check != nil {
		if err := check(ctx, s, t); err != nil {
			return err
		}
	}
	object, id := "workflow_instance", t.WorkflowInstanceID
	if t.Stream {
		object, id = "task_instance", t.ID
	}
	detail := map[string]any{"taskInstanceId": task}
	if kind == flow.CommandGroupPriority {
		detail["priority"] = args.Priority
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		err := s.Audit.Record(ctx, audit.Entry{
			Action: "task_instance." + action, ObjectType: object, ObjectID: strconv.FormatInt(id, 10), ObjectName: t.Name,
			ProjectCode: t.ProjectCode, Detail: detail,
		})
		if err != nil {
			return err
		}
		return s.send(ctx, t, kind, args)
	})
}

// send leaves a command about an attempt, in the transaction of ctx.
func (s *Service) send(ctx context.Context, t *ListedTask, kind flow.CommandType, args flow.CommandArgs) error {
	who, err := access.Must(ctx)
	if err != nil {
		return err
	}
	s.wake(ctx)
	return s.store.command(ctx, kind, t.WorkflowInstanceID, flow.Highest, who.UserID, mustJSON(args), s.now())
}

// ClearCache makes the tasks that would take over the result of this attempt run again. It returns the key under which the
// result was kept, "" when none was; else what Task returns, or a Forbidden fault.
func (s *Service) ClearCache(ctx context.Context, task int64) (string, error) {
	t, err := s.taskToOperate(ctx, task)
	if err != nil {
		return "", err
	}
	key, err := db.Get[string](ctx, s.DB, `SELECT cache_key FROM task_instance WHERE id = ?`, task)
	if err != nil || key == "" {
		return "", err
	}
	return key, s.DB.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.DB.Exec(ctx, `UPDATE task_instance SET cache_key = '' WHERE cache_key = ?`, key); err != nil {
			return err
		}
		return s.Audit.Record(ctx, audit.Entry{
			Action: "task_instance.clear_cache", ObjectType: "workflow_instance", ObjectID: strconv.FormatInt(t.WorkflowInstanceID, 10), ObjectName: t.Name,
			ProjectCode: t.ProjectCode, Detail: map[string]any{"taskInstanceId": task},
		})
	})
}
