package tasktype_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/security/crudtest"
	"dorado/modules/tasktype"
	"dorado/plugins/catalog"
)

type dict = map[string]any

func TestClientsListTypesAndKeepFavourites(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := crudtest.NewApp(t, d, tasktype.Rules())
		plugins, err := catalog.Builtin()
		require.NoError(t, err)
		m := tasktype.New(tasktype.Deps{DB: d, Access: a.Access, Catalog: plugins, API: a.API})
		gwen, admin := crudtest.REST(t, a, a.General, m.API), crudtest.REST(t, a, a.Admin, m.API)

		categories := gwen("GET", "/dynamic/taskCategories", "")["data"].([]any)
		require.Equal(t, []any{"Universal", "DataIntegration", "Cloud", "Logic", "DataQuality", "Other", "MachineLearning"}, categories)
		n := 0
		for _, c := range categories {
			list := gwen("GET", "/dynamic/"+c.(string)+"/taskTypes", "")["data"].([]any)
			require.NotEmpty(t, list, c)
			require.Len(t, list[0], 4)
			n += len(list)
		}
		require.Len(t, plugins.Tasks(), n, "every type is in one group")
		logic := gwen("GET", "/dynamic/Logic/taskTypes", "")["data"].([]any)
		require.Contains(t, []any{"SUB_WORKFLOW", "DEPENDENT", "CONDITIONS", "SWITCH"}, logic[0].(dict)["name"], "the right group, not DolphinScheduler's")
		require.Empty(t, gwen("GET", "/dynamic/None/taskTypes", "")["data"])

		first := gwen("GET", "/favourite/taskTypes", "")["data"].([]any)
		require.Len(t, first, n)
		require.Equal(t, dict{"taskType": "SHELL", "taskCategory": "Universal", "collection": false}, first[0])
		for range 2 {
			require.Equal(t, true, gwen("POST", "/favourite/SHELL", "")["data"])
		}
		marked := func(call func(method, target, body string) dict) any {
			return call("GET", "/favourite/taskTypes", "")["data"].([]any)[0].(dict)["collection"]
		}
		require.Equal(t, true, marked(gwen))
		require.Equal(t, false, marked(admin), "favourites are one's own")
		for range 2 {
			require.Equal(t, true, gwen("DELETE", "/favourite/SHELL", "")["data"])
		}
		require.Equal(t, false, marked(gwen))
		require.InDelta(t, 10200, gwen("POST", "/favourite/COBOL", "")["code"], 0)
		require.ErrorIs(t, m.Set(t.Context(), "SHELL", true), access.ErrUnauthenticated)
	})
}
