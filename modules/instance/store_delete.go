package instance

import (
	"context"
	"fmt"
	"slices"

	"dorado/app/kit/db"
	"dorado/modules/flow"
)

// delete removes an instance in state from, with its attempts.
func (s *store) delete(ctx context.Context, id int64, from flow.WorkflowState) (bool, error) {
	res, err := s.db.Exec(ctx, `DELETE FROM workflow_instance WHERE id = ? AND state = ?`, id, from)
	if err != nil {
		return false, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	return true, s.deleteParts(ctx, []int64{id})
}

// deleteEnded removes those of some instances that have ended.
func (s *store) deleteEnded(ctx context.Context, ids []int64) error {
	for part := range slices.Chunk(ids, 500) {
		query, args, err := db.In(`DELETE FROM workflow_instance WHERE id IN (?) AND state IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE') RETURNING id`, part)
		if err != nil {
			return err
		}
		gone, err := db.Select[int64](ctx, s.db, query, args...)
		if err != nil {
			return fmt.Errorf("delete children: %w", err)
		}
		if err := s.deleteParts(ctx, gone); err != nil {
			return err
		}
	}
	return nil
}

// deleteParts removes what belongs to instances that are gone.
func (s *store) deleteParts(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	for _, table := range []string{"task_log", "task_result", "savepoint"} {
		query, args, err := db.In(`DELETE FROM `+table+` WHERE task_instance_id IN (SELECT id FROM task_instance WHERE workflow_instance_id IN (?))`, ids)
		if err != nil {
			return err
		}
		if _, err := s.db.Exec(ctx, query, args...); err != nil {
			return fmt.Errorf("delete from %s: %w", table, err)
		}
	}
	for table, column := range map[string]string{
		"task_instance": "workflow_instance_id", "command": "workflow_instance_id", "serial_queue": "workflow_instance_id",
		"approval": "workflow_instance_id", "instance_link": "parent_instance_id",
	} {
		query, args, err := db.In(`DELETE FROM `+table+` WHERE `+column+` IN (?)`, ids)
		if err != nil {
			return err
		}
		if _, err := s.db.Exec(ctx, query, args...); err != nil {
			return fmt.Errorf("delete from %s: %w", table, err)
		}
	}
	query, args, err := db.In(`DELETE FROM instance_link WHERE child_instance_id IN (?)`, ids)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, query, args...)
	return err
}

// descendants lists the instances that the tasks of one started, and what theirs started.
func (s *store) descendants(ctx context.Context, id int64) ([]int64, error) {
	return db.Select[int64](ctx, s.db, `WITH RECURSIVE below (id) AS (
		SELECT child_instance_id FROM instance_link WHERE parent_instance_id = ?
		UNION SELECT l.child_instance_id FROM instance_link l JOIN below b ON b.id = l.parent_instance_id) SELECT id FROM below ORDER BY id`, id)
}

// logsIn lists where the logs of instances are.
func (s *store) logsIn(ctx context.Context, ids []int64) ([]Task, error) {
	var out []Task
	for part := range slices.Chunk(ids, 500) {
		query, args, err := db.In(`SELECT id, host, log_path FROM task_instance WHERE workflow_instance_id IN (?) AND log_path <> '' ORDER BY id`, part)
		if err != nil {
			return nil, err
		}
		list, err := db.Select[Task](ctx, s.db, query, args...)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}
