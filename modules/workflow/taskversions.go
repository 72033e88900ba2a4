package workflow

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/flow"
)

// TaskVersion is what a task said in some versions of its workflow.
type TaskVersion struct {
	Task       flow.Task
	OperatorID int64 // who saved it first
	SavedAt    time.Time
	Versions   []int // of the workflow, those that hold it; rising
}

// TaskVersions lists the versions of a task that versions of its workflow hold, newest first. It returns ErrTaskNotFound.
func (s *Service) TaskVersions(ctx context.Context, projectCode, task int64) (Workflow, []TaskVersion, error) {
	w, err := s.TaskHome(ctx, projectCode, task)
	if err != nil {
		return w, nil, err
	}
	found := map[int]*TaskVersion{}
	type row struct {
		Version    int       `db:"version"`
		Body       string    `db:"body"`
		OperatorID int64     `db:"operator_id"`
		CreatedAt  time.Time `db:"created_at"`
	}
	err = db.Each(ctx, s.DB, func(r row) error {
		def, err := flow.Unmarshal([]byte(r.Body))
		if err != nil {
			return err
		}
		at, err := indexOf(def, task)
		if err != nil {
			return nil //nolint:nilerr // it was not part of that version
		}
		t := def.Tasks[at]
		v := found[t.Version]
		if v == nil {
			v = &TaskVersion{OperatorID: r.OperatorID, SavedAt: r.CreatedAt}
			found[t.Version] = v
		}
		// A number may have been given twice, to a task that went and came back: the newer one counts.
		v.Task, v.Versions = t, append(v.Versions, r.Version)
		return nil
	}, `SELECT version, body, operator_id, created_at FROM workflow_version WHERE workflow_code = ? ORDER BY version`, w.Code)
	out := make([]TaskVersion, 0, len(found))
	for v := range maps.Values(found) {
		out = append(out, *v)
	}
	slices.SortFunc(out, func(a, b TaskVersion) int { return cmp.Compare(b.Task.Version, a.Task.Version) })
	return w, out, wrap(err, "read versions of a task")
}

// taskVersion finds one version of a task. It returns ErrTaskNotFound, ErrTaskVersionGone.
func (s *Service) taskVersion(ctx context.Context, projectCode, task int64, version int) (Workflow, TaskVersion, error) {
	w, all, err := s.TaskVersions(ctx, projectCode, task)
	if err != nil {
		return w, TaskVersion{}, err
	}
	at := slices.IndexFunc(all, func(v TaskVersion) bool { return v.Task.Version == version })
	if at < 0 {
		return w, TaskVersion{}, ErrTaskVersionGone.With("code", task, "version", version)
	}
	return w, all[at], nil
}

// RestoreTask makes what a task once said current again, as a new version. It returns ErrTaskNotFound, ErrTaskVersionGone
// and what Amend returns.
func (s *Service) RestoreTask(ctx context.Context, projectCode, task int64, version int) (Saved, error) {
	_, v, err := s.taskVersion(ctx, projectCode, task, version)
	if err != nil {
		return Saved{}, err
	}
	return s.ChangeTask(ctx, projectCode, task, nil, func(t *flow.Task) error {
		*t = v.Task
		return nil
	})
}

// DeleteTaskVersion removes a version of a task that is not the current one: the versions of the workflow that hold it are
// removed. It returns ErrTaskNotFound, ErrTaskVersionGone, ErrCurrentVersion, and ErrVersionInUse when a run that is kept
// ran one of them.
func (s *Service) DeleteTaskVersion(ctx context.Context, projectCode, task int64, version int) error {
	w, v, err := s.taskVersion(ctx, projectCode, task, version)
	if err != nil {
		return err
	}
	if _, err := s.need(ctx, w.Code, Edit); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		w, err := s.store.lock(ctx, w.Code)
		if err != nil {
			return err
		}
		if slices.Contains(v.Versions, w.Version) {
			return ErrCurrentVersion.With("version", version)
		}
		for _, n := range v.Versions {
			if err := s.dropVersion(ctx, w, n, map[string]any{"version": n, "task": task, "taskVersion": version}); err != nil {
				return err
			}
		}
		return nil
	})
}
