package engine_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/flow"
)

// Nothing but decisions and their rows: a run whose begin is its end, in more rows than one change may have.
func TestManyDecisionsEndInTheChangeThatBeginsTheRun(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		const n = 3000
		tasks := make([]flow.Task, 0, n)
		for i := range n {
			code := int64(1_000_000 + i)
			tasks = append(tasks, flow.Task{
				Code: code, Version: 1, Name: fmt.Sprint("s", i), Type: "SWITCH", Flag: flow.FlagYes, Priority: flow.Medium, WorkerGroup: "default", EnvironmentCode: -1,
				Params: fmt.Appendf(nil, `{"switchResult":{"dependTaskList":[{"condition":"1 == 1","nextNode":%d}],"nextNode":%d}}`, code+100, code+100),
			})
		}
		edges := make([]string, 0, n)
		for i := 0; i+100 < n; i++ {
			edges = append(edges, fmt.Sprintf("s%d>s%d", i, i+100))
		}
		for i := n - 100; i < n; i++ {
			tasks[i].Type, tasks[i].Params = "CONDITIONS", []byte(`{"dependence":{"relation":"AND","dependTaskList":[]},"conditionResult":{"successNode":[],"failedNode":[]}}`)
		}
		def := f.define(flow.Parallel, tasks, edges...)
		id := f.run(def, run{})
		f.waitState(id, flow.WorkflowSuccess)
		rows, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM task_instance WHERE state = 'SUCCESS'`)
		require.NoError(t, err)
		require.Equal(t, n, rows)
	})
}
