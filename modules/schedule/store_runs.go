package schedule

import (
	"context"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/flow"
)

// ran is the last run that a schedule started.
type ran struct {
	Schedule int64              `db:"schedule_id"`
	ID       int64              `db:"id"`
	State    flow.WorkflowState `db:"state"`
	Start    time.Time          `db:"start_time"`
}

// lastRuns returns the last run of each schedule that started one.
func (s store) lastRuns(ctx context.Context, ids []int64) (map[int64]ran, error) {
	out := make(map[int64]ran, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	query, args, err := db.In(`SELECT f.schedule_id, i.id, i.state, i.start_time FROM schedule_fire f
		JOIN workflow_instance i ON i.id = f.workflow_instance_id
		WHERE f.schedule_id IN (?) AND f.fire_time = (SELECT max(g.fire_time) FROM schedule_fire g
			WHERE g.schedule_id = f.schedule_id AND g.workflow_instance_id > 0)`, ids)
	if err != nil {
		return nil, err
	}
	rows, err := db.Select[ran](ctx, s.db, query, args...)
	for _, r := range rows {
		out[r.Schedule] = r
	}
	return out, err
}

func (s store) ofWorkflows(ctx context.Context, workflows []int64) ([]Schedule, error) {
	if len(workflows) == 0 {
		return nil, nil
	}
	query, args, err := db.In(selected+` WHERE s.workflow_code IN (?) ORDER BY s.id`, workflows)
	if err != nil {
		return nil, err
	}
	return db.Select[Schedule](ctx, s.db, query, args...)
}
