package workflow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/workflow"
	"dorado/plugins/catalog"
	"dorado/plugins/form"
	"dorado/plugins/task"
	shelltask "dorado/plugins/task/shell"
)

// granted knows data source 1, which only some may use; nobody knows another one.
type granted map[int64]bool

func (g granted) Usable(ctx context.Context, ids []int64) (types, denied map[int64]string, err error) {
	who, err := access.Must(ctx)
	types, denied = map[int64]string{}, map[int64]string{}
	for _, id := range ids {
		switch {
		case id != 1:
		case g[who.UserID]:
			types[id] = "POSTGRESQL"
		default:
			denied[id] = "dwh"
		}
	}
	return types, denied, err
}

func TestWhoChangesATaskMustBeAllowedToUseItsDataSources(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		bob := w.member(t, "bob", access.All)
		who, _ := access.From(bob)
		c, err := catalog.New([]task.Plugin{shelltask.Plugin(), {
			Type: "ASK", Category: "universal", Icon: "sql", Label: "x", Help: "x",
			Schema: form.Schema{{Name: "datasource", Type: form.Source, Label: "x"}, task.Resources(), task.Parameters()},
			Run:    func(context.Context, form.Values, task.Env) (task.Outcome, error) { return task.Outcome{}, nil },
		}})
		require.NoError(t, err)
		flows := workflow.New(workflow.Deps{DB: d, Projects: w.projects, Audit: w.Audit, Codes: w.codes, Catalog: c, Now: time.Now})
		flows.SetSources(granted{who.UserID: true})
		asks := func(def *flow.Definition, at int, id int64) *flow.Definition {
			def.Tasks[at].Type, def.Tasks[at].Params = "ASK", json.RawMessage(fmt.Sprintf(`{"datasource":%d}`, id))
			return def
		}
		named := func() int {
			n, err := db.Get[int](t.Context(), d, "SELECT COUNT(*) FROM task_source")
			require.NoError(t, err)
			return n
		}
		var invalid *workflow.InvalidError

		_, err = flows.Create(w.gwen, w.project, workflow.Change{Definition: asks(w.chain("hers", 2), 1, 1)})
		require.ErrorAs(t, err, &invalid)
		require.Equal(t, "datasource.error.task_denied", invalid.Problems[0].Key)
		require.Equal(t, "t1", invalid.Problems[0].TaskName)
		require.Zero(t, named())

		def := asks(w.chain("his", 2), 1, 1)
		s, err := flows.Create(bob, w.project, workflow.Change{Definition: def})
		require.NoError(t, err)
		require.Equal(t, 1, named())
		uses, err := flows.DataSourceUses(t.Context(), 1, 10)
		require.NoError(t, err)
		require.Equal(t, "his · t1", uses[0].Name)

		def.Tasks[0].Params = json.RawMessage(`{"rawScript":"echo other"}`)
		_, err = flows.Update(w.gwen, s.Workflow.Code, workflow.Change{Definition: def, BaseVersion: 1})
		require.NoError(t, err, "what she leaves as it is keeps what he gave it")
		require.Equal(t, 1, named())

		def.Tasks[1].Description = "other"
		_, err = flows.Update(w.gwen, s.Workflow.Code, workflow.Change{Definition: def, BaseVersion: 2})
		require.ErrorAs(t, err, &invalid)
		_, err = flows.Branch(w.gwen, s.Workflow.Code, 2, workflow.Change{Definition: def})
		require.ErrorAs(t, err, &invalid, "nor for a single run")
		_, err = flows.Copy(w.gwen, s.Workflow.Code, w.project)
		require.ErrorAs(t, err, &invalid, "a copy is hers")

		_, err = flows.Create(w.gwen, w.project, workflow.Change{Definition: asks(w.chain("nobody's", 1), 0, 99)})
		require.NoError(t, err, "what does not exist can be saved, and gets nothing")
		require.Equal(t, 1, named(), "not even when somebody makes it later")

		require.NoError(t, flows.Delete(bob, s.Workflow.Code))
		require.Zero(t, named())
	})
}
