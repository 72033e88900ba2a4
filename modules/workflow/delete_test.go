package workflow_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/workflow"
)

// runs stands for the module of instances.
type runs struct {
	uses    []string
	version int
	deleted []int64
}

func (r *runs) WorkflowInUse(context.Context, int64) ([]string, error) { return r.uses, nil }
func (r *runs) VersionInUse(_ context.Context, _ int64, version int) (bool, error) {
	return version == r.version, nil
}

func (r *runs) DeleteInstances(_ context.Context, code int64) error {
	r.deleted = append(r.deleted, code)
	return nil
}

func TestWhatRunsOrRanKeepsAWorkflow(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	r := &runs{uses: []string{"daily-1"}, version: 2}
	w.workflows.AddReferrer(r)
	code := w.create(t, "daily", 1).Workflow.Code
	for _, text := range []string{"b", "c", "d"} {
		def := w.current(t, code)
		def.Description = text
		_, err := w.workflows.Update(w.gwen, code, workflow.Change{Definition: def, BaseVersion: workflow.AnyVersion})
		require.NoError(t, err)
	}
	require.ErrorIs(t, w.workflows.DeleteVersion(w.gwen, code, 4), workflow.ErrCurrentVersion)
	require.ErrorIs(t, w.workflows.DeleteVersion(w.gwen, code, 2), workflow.ErrVersionInUse)
	require.ErrorIs(t, w.workflows.DeleteVersion(w.gwen, code, 9), workflow.ErrVersionNotFound)
	require.NoError(t, w.workflows.DeleteVersion(w.gwen, code, 1))

	require.ErrorIs(t, w.workflows.Delete(w.gwen, code), workflow.ErrInUse)
	other := w.create(t, "other", 1).Workflow.Code
	require.ErrorIs(t, w.workflows.DeleteAll(w.gwen, []int64{other, code}), workflow.ErrInUse)
	_, err := w.workflows.Get(w.gwen, other)
	require.NoError(t, err, "all of them or none")
	r.uses, r.deleted = nil, nil
	require.NoError(t, w.workflows.DeleteAll(w.gwen, []int64{other, code}))
	require.Equal(t, []int64{other, code}, r.deleted)
}

func TestTenThousandTasksAreSavedInAMoment(t *testing.T) {
	if testing.Short() {
		t.Skip("large")
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		def := w.chain("wide", 10_000)
		start := time.Now()
		saved, err := w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: def})
		require.NoError(t, err)
		t.Logf("10,000 tasks: created in %v", time.Since(start))
		n, err := db.Get[int](t.Context(), d, "SELECT count(*) FROM task_definition WHERE workflow_code = ?", saved.Workflow.Code)
		require.NoError(t, err)
		require.Equal(t, 10_000, n)
		next := w.current(t, saved.Workflow.Code)
		next.Tasks[5000].Name = "renamed"
		start = time.Now()
		_, err = w.workflows.Update(w.gwen, saved.Workflow.Code, workflow.Change{Definition: next, BaseVersion: 1})
		require.NoError(t, err)
		t.Logf("10,000 tasks: one changed in %v", time.Since(start))
	})
}
