package workflow_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/workflow"
)

// fill inserts workflows with a task each, of codes after first; those with even codes are online.
func (w *world) fill(t testing.TB, in int64, name string, first, n int) {
	t.Helper()
	many := `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) `
	_, err := w.DB.Exec(t.Context(), `INSERT INTO workflow_definition
		(code, project_code, name, version, release_state, execution_type, owner_id, modified_by, created_at, updated_at) `+many+`
		SELECT CAST(? AS BIGINT) + i, CAST(? AS BIGINT), CAST(? AS TEXT) || i, 1, CASE WHEN i % 2 = 0 THEN 'ONLINE' ELSE 'OFFLINE' END, 'PARALLEL',
		u.id, u.id, u.created_at, u.updated_at FROM n JOIN users u ON u.id = ?`, n, first, in, name, w.General.UserID)
	require.NoError(t, err)
	_, err = w.DB.Exec(t.Context(), `INSERT INTO task_definition (code, version, workflow_code, project_code, name, task_type, worker_group) `+many+`
		SELECT CAST(? AS BIGINT) + i, 1, CAST(? AS BIGINT) + i, CAST(? AS BIGINT), CAST(? AS TEXT) || i, 'SHELL', 'default' FROM n`,
		n, first, first, in, "任务"+name)
	require.NoError(t, err)
}

func TestNamesThatFitAreLookedForInABoundedNumberOfWorkflowsThatOneMaySee(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		other, err := w.projects.Create(w.admin, project.Draft{Name: "other"})
		require.NoError(t, err)
		w.fill(t, w.project, "订单", 0, 12_000)
		w.fill(t, w.project, "plain", 20_000, 500)
		w.fill(t, other.Code, "秘密订单", 30_000, 10_000)
		reader, stranger := w.member(t, "reader", access.Read), w.member(t, "stranger", "")
		const hidden = 7
		w.Policy(t, access.Policy{Subject: access.Everybody, Permission: "workflow.*", Project: w.project, Workflow: hidden, Effect: access.EffectDeny})

		var asked []string
		nothing := func(name string) bool { asked = append(asked, name); return false }
		for who, c := range map[string]struct {
			names int
			err   error
		}{"reader": {11_999, nil}, "stranger": {0, nil}, "admin": {db.MaxFitting, nil}, "nobody": {0, access.ErrUnauthenticated}} {
			ctx := t.Context()
			switch who {
			case "reader":
				ctx = reader
			case "stranger":
				ctx = stranger
			case "admin":
				ctx = w.admin
			}
			asked = nil
			found, err := w.workflows.FittingWorkflows(ctx, workflow.Search{}, nothing, 10)
			require.ErrorIs(t, err, c.err, who)
			require.Empty(t, found)
			require.Len(t, asked, c.names, who)
			if who == "reader" {
				require.NotContains(t, asked, "订单7", "a rule hides it")
				require.NotContains(t, strings.Join(asked, " "), "秘密")
				require.NotContains(t, strings.Join(asked, " "), "plain")
			}
			asked = nil
			tasks, err := w.workflows.FittingTasks(ctx, nothing, 10)
			require.ErrorIs(t, err, c.err, who)
			require.Empty(t, tasks)
			require.Len(t, asked, min(c.names+500*min(1, c.names), db.MaxFitting), who)
			if who == "reader" {
				require.NotContains(t, asked, "任务订单7")
				require.NotContains(t, strings.Join(asked, " "), "秘密")
			}
		}

		five := func(name string) bool { return strings.Contains(name, "单5") }
		found, err := w.workflows.FittingWorkflows(reader, workflow.Search{}, five, 3)
		require.NoError(t, err)
		require.Len(t, found, 3)
		require.Equal(t, "订单5999", found[0].Name, "the one made last first")
		found, err = w.workflows.FittingWorkflows(reader, workflow.Search{State: flow.Online}, five, 3)
		require.NoError(t, err)
		require.Equal(t, "订单5998", found[0].Name)
		tasks, err := w.workflows.FittingTasks(reader, five, 2)
		require.NoError(t, err)
		require.Len(t, tasks, 2)
		require.Equal(t, "任务订单5999", tasks[0].Name)
		require.Equal(t, "订单5999", tasks[0].WorkflowName)
	})
}
