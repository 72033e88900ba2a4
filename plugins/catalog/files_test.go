package catalog_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParametersOfTheTypeFileAreCheckedWhenTheTaskIsSaved(t *testing.T) {
	t.Parallel()
	c := builtin(t)
	for _, k := range []struct{ kind, direct, name, value, want string }{
		{"SHELL", "OUT", "f", "out/x.csv", ""},
		{"SHELL", "OUT", "f", "./out/", ""},
		{"PYTHON", "OUT", "f", "${day}.csv", ""},
		{"PYTHON", "OUT", "f", "$[yyyyMMdd].csv", ""},
		{"SHELL", "OUT", "f", "", "task.file.bad_path"},
		{"SHELL", "OUT", "f", ".", "task.file.bad_path"},
		{"SHELL", "OUT", "f", "/etc/passwd", "task.file.bad_path"},
		{"SHELL", "OUT", "f", "a/../../x", "task.file.bad_path"},
		{"SHELL", "IN", "in/x.csv", "a.f", ""},
		{"SHELL", "IN", "x", "${from}", ""},
		{"SHELL", "IN", "../x", "a.f", "task.file.bad_target"},
		{"SHELL", "IN", "x", "a", "task.file.bad_source"},
		{"SHELL", "IN", "x", ".f", "task.file.bad_source"},
		{"SHELL", "IN", "x", "", "task.file.bad_source"},
		{"DEPENDENT", "OUT", "f", "x", "task.file.impossible"},
		{"HTTP", "OUT", "f", "x", "task.file.impossible"},
	} {
		params := map[string]any{
			"rawScript": "true", "localParams": []any{map[string]any{"prop": k.name, "direct": k.direct, "type": "FILE", "value": k.value}},
		}
		switch k.kind {
		case "HTTP":
			params["url"], params["httpMethod"], params["httpCheckCondition"] = "http://127.0.0.1", "GET", "STATUS_CODE_DEFAULT"
		case "DEPENDENT":
			params["dependence"] = map[string]any{"relation": "AND", "dependTaskList": []any{map[string]any{"relation": "AND", "dependItemList": []any{
				map[string]any{"projectCode": 1, "definitionCode": 1, "depTaskCode": 0, "cycle": "day", "dateValue": "today"},
			}}}}
		}
		raw, err := json.Marshal(params)
		require.NoError(t, err)
		keys := []string{}
		for _, p := range c.CheckParams(k.kind, raw) {
			keys = append(keys, p.Key)
		}
		if k.want == "" {
			require.Empty(t, keys, "%+v", k)
		} else {
			require.Equal(t, []string{k.want}, keys, "%+v", k)
		}
	}
}
