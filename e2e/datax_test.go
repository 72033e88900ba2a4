//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

// Ana copies rows from one database into another. Nobody has installed DataX.
func TestADataXTaskRunsWithoutDataX(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	from, to := source(t, s.Admin, "shop"), source(t, s.Admin, "warehouse")
	code := project(t, s.Admin, "retail")
	copyTask := func(table string) harness.Workflow {
		return harness.Workflow{Name: "copy into " + table, Tasks: []harness.Task{{
			Name: "copy", Type: "DATAX", Settings: func(map[string]int64) map[string]any {
				return map[string]any{
					"customConfig": 0, "dsType": "POSTGRESQL", "dataSource": from, "dtType": "POSTGRESQL", "dataTarget": to, "jobSpeedRecord": 0,
					"sql":           "select n as id, 'customer ' || n as name, timestamptz '2026-11-01 08:00:00Z' + n * interval '1 hour' as placed from generate_series(1, 5000) n",
					"targetTable":   table,
					"preStatements": []string{"create table if not exists orders (placed timestamptz, note text, name text, id bigint primary key)", "truncate orders"},
					"postStatements": []string{
						"do $$ begin if (select count(distinct name) from orders where placed > '2026-11-01') <> 5000 then raise 'rows are missing'; end if; end $$",
					},
				}
			},
		}}}
	}
	run := func(w harness.Workflow, state string) string {
		made, err := s.Admin.Publish(t.Context(), code, w)
		require.NoError(t, err)
		id, err := s.Admin.StartWorkflow(t.Context(), code, made.Code, harness.StartOptions{})
		require.NoError(t, err)
		_, err = s.Admin.WaitInstance(within(t, time.Minute), code, id, 100*time.Millisecond, state)
		require.NoError(t, err)
		tasks, err := s.Admin.Tasks(t.Context(), code, id)
		require.NoError(t, err)
		log, err := s.Admin.DownloadLog(t.Context(), int64(tasks[0].ID))
		require.NoError(t, err)
		return log
	}
	require.Contains(t, run(copyTask("orders"), "SUCCESS"), "rows written   5,000\n")
	require.Contains(t, run(copyTask("nowhere"), "FAILURE"), `relation "nowhere" does not exist`)
}
