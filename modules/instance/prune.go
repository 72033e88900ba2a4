package instance

import (
	"context"
	"fmt"
	"slices"

	"dorado/app/kit/db"
)

// Pruned says what Prune removed.
type Pruned struct {
	Instances int64
	Tasks     int64
}

// Prune removes ended instances with all that belongs to them, the runs below them, and their logs, in one transaction. It
// leaves out what is not ended or is about to go on. Nobody's permission is looked at: it is for the program itself.
func (s *Service) Prune(ctx context.Context, ids []int64) (Pruned, error) {
	var out Pruned
	all := slices.Clone(ids)
	for _, id := range ids {
		below, err := s.store.descendants(ctx, id)
		if err != nil {
			return out, fmt.Errorf("runs below %d: %w", id, err)
		}
		all = append(all, below...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	var logs []Task
	err := s.DB.InTx(ctx, func(ctx context.Context) error {
		out, logs = Pruned{}, nil
		for part := range slices.Chunk(all, 500) {
			query, args, err := db.In(`DELETE FROM workflow_instance WHERE id IN (?) AND state IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE')
				AND NOT EXISTS (SELECT 1 FROM command c WHERE c.workflow_instance_id = workflow_instance.id) RETURNING id`, part)
			if err != nil {
				return err
			}
			gone, err := db.Select[int64](ctx, s.DB, query, args...)
			if err != nil || len(gone) == 0 {
				return err
			}
			query, args, err = db.In(`SELECT COUNT(*) FROM task_instance WHERE workflow_instance_id IN (?)`, gone)
			if err != nil {
				return err
			}
			tasks, err := db.Get[int64](ctx, s.DB, query, args...)
			if err != nil {
				return err
			}
			some, err := s.store.logsIn(ctx, gone)
			if err != nil {
				return err
			}
			logs = append(logs, some...)
			out.Instances += int64(len(gone))
			out.Tasks += tasks
			if err := s.store.deleteParts(ctx, gone); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Pruned{}, fmt.Errorf("remove old runs: %w", err)
	}
	s.removeLogs(ctx, logs)
	return out, nil
}
