package flow_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
)

func TestTasksAreReadAsTheDocumentedClientsWriteThem(t *testing.T) {
	t.Parallel()
	got, err := flow.DecodeTasks(`[{"code":15240126433858,"version":0,"name":"extract","description":"","taskType":"SHELL",
	  "taskParams":{"localParams":[],"rawScript":"echo hi","resourceList":[{"resourceName":"file:/a.sh"}]},
	  "flag":"YES","isCache":"NO","taskPriority":"MEDIUM","workerGroup":"default","environmentCode":-1,
	  "failRetryTimes":"0","failRetryInterval":"1","timeoutFlag":"CLOSE","timeoutNotifyStrategy":"","timeout":0,
	  "delayTime":"0","taskGroupId":null,"taskGroupPriority":null,"cpuQuota":-1,"memoryMax":-1,"taskExecuteType":"BATCH"}]`)
	require.NoError(t, err)
	require.Equal(t, []flow.Task{{
		Code: 15240126433858, Name: "extract", Type: "SHELL",
		Params: json.RawMessage(`{"localParams":[],"rawScript":"echo hi","resourceList":[{"resourceName":"file:/a.sh"}]}`),
		Flag:   flow.FlagYes, IsCache: flow.FlagNo, Priority: flow.Medium, WorkerGroup: "default", EnvironmentCode: -1,
		RetryInterval: 1, TimeoutFlag: flow.TimeoutClose, CPUQuota: -1, MemoryMax: -1, ExecuteType: flow.Batch,
	}}, got)
}

func TestTasksAreReadLeniently(t *testing.T) {
	t.Parallel()
	least, err := flow.DecodeTasks(`[{"code":1}]`)
	require.NoError(t, err)
	for text, change := range map[string]func(*flow.Task){
		`{"code":"1","unknown":{"a":[1]}}`:                    func(*flow.Task) {},
		`{"code":1.0}`:                                        func(*flow.Task) {},
		`{"code":1e0,"name":null,"flag":null,"isCache":null}`: func(*flow.Task) {},
		`{"code":1,"name":7}`:                                 func(x *flow.Task) { x.Name = "7" },
		`{"code":1,"flag":0}`:                                 func(x *flow.Task) { x.Flag = flow.FlagNo },
		`{"code":1,"flag":"0"}`:                               func(x *flow.Task) { x.Flag = flow.FlagNo },
		`{"code":1,"flag":"MAYBE","taskPriority":9}`:          func(*flow.Task) {},
		`{"code":1,"taskPriority":0}`:                         func(x *flow.Task) { x.Priority = flow.Highest },
		`{"code":1,"taskPriority":"LOWEST"}`:                  func(x *flow.Task) { x.Priority = flow.Lowest },
		`{"code":1,"isCache":1}`:                              func(x *flow.Task) { x.IsCache = flow.FlagYes },
		`{"code":1,"timeoutFlag":1,"timeout":"5"}`: func(x *flow.Task) {
			x.TimeoutFlag, x.TimeoutMinutes, x.TimeoutStrategy = flow.TimeoutOpen, 5, flow.TimeoutWarn
		},
		`{"code":1,"timeoutNotifyStrategy":2}`:         func(x *flow.Task) { x.TimeoutStrategy = flow.TimeoutWarnFailed },
		`{"code":1,"taskExecuteType":"STREAM"}`:        func(x *flow.Task) { x.ExecuteType = flow.Stream },
		`{"code":1,"environmentCode":0}`:               func(*flow.Task) {},
		`{"code":1,"environmentCode":null}`:            func(*flow.Task) {},
		`{"code":1,"environmentCode":"12"}`:            func(x *flow.Task) { x.EnvironmentCode = 12 },
		`{"code":1,"failRetryInterval":null}`:          func(x *flow.Task) { x.RetryInterval = 0 },
		`{"code":1,"failRetryTimes":" 3 "}`:            func(x *flow.Task) { x.RetryTimes = 3 },
		`{"code":1,"delayTime":""}`:                    func(*flow.Task) {},
		`{"code":1,"cpuQuota":null,"memoryMax":512}`:   func(x *flow.Task) { x.MemoryMax = 512 },
		`{"code":1,"taskParams":null}`:                 func(*flow.Task) {},
		`{"code":1,"taskParams":[]}`:                   func(*flow.Task) {},
		`{"code":1,"taskParams":""}`:                   func(*flow.Task) {},
		`{"code":1,"taskParams":{ "a" : 1 }}`:          func(x *flow.Task) { x.Params = json.RawMessage(`{"a":1}`) },
		`{"code":1,"taskParams":"{ \"a\": \"\\n\" }"}`: func(x *flow.Task) { x.Params = json.RawMessage(`{"a":"\n"}`) },
		`{"code":9223372036854775807}`:                 func(x *flow.Task) { x.Code = 9223372036854775807 },
		`{"code":1,"workerGroup":""}`:                  func(*flow.Task) {},
	} {
		want := least[0]
		change(&want)
		got, err := flow.DecodeTasks("[" + text + ",null]")
		require.NoError(t, err, text)
		require.Equal(t, []flow.Task{want}, got, text)
	}
	for _, nothing := range []string{"", " ", "null", "[]", `"[]"`, `"null"`} {
		got, err := flow.DecodeTasks(nothing)
		require.NoError(t, err)
		require.Empty(t, got)
	}
}

func TestWhatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{}`:                              "tasks: must be a JSON array",
		`[1]`:                             "tasks[0]: must be a JSON object",
		`[{"code":1}`:                     "tasks: is not JSON",
		`[{}]garbage`:                     "tasks: is not JSON",
		"\xff\xfe":                        "tasks: is not JSON",
		`[{},{"failRetryTimes":"abc"}]`:   `tasks[1].failRetryTimes: "abc" is no whole number`,
		`[{"failRetryTimes":1.5}]`:        `tasks[0].failRetryTimes: "1.5" is no whole number`,
		`[{"failRetryTimes":{}}]`:         `tasks[0].failRetryTimes`,
		`[{"timeout":3000000000}]`:        `tasks[0].timeout: 3000000000 is out of range`,
		`[{"code":99999999999999999999}]`: `tasks[0].code`,
		`[{"taskParams":7}]`:              `tasks[0].taskParams: must be a JSON object`,
		`[{"taskParams":[1]}]`:            `tasks[0].taskParams: must be a JSON object`,
		`[{"taskParams":"{oops"}]`:        `tasks[0].taskParams: is not JSON`,
	} {
		_, err := flow.DecodeTasks(text)
		var wire *flow.WireError
		require.ErrorAs(t, err, &wire, text)
		require.ErrorContains(t, err, want, text)
	}
	_, err := flow.DecodeRelations(`[{"preTaskCode":1,"postTaskCode":0}]`)
	require.EqualError(t, err, "relations[0].postTaskCode: a relation must end at a task")
	_, err = flow.DecodeRelations(`[{"preTaskCode":-1,"postTaskCode":2}]`)
	require.ErrorContains(t, err, "relations[0].preTaskCode")
	_, err = flow.DecodeLocations(`[{"x":"left"}]`)
	require.ErrorContains(t, err, "locations[0].x")
	_, err = flow.DecodeLocations(`[{"x":1e999}]`)
	require.ErrorContains(t, err, "locations[0].x")
	_, err = flow.DecodeProperties(`[7]`)
	require.ErrorContains(t, err, "params[0]")
	_, err = flow.DecodeProperties(`7`)
	require.ErrorContains(t, err, "must be a JSON array")
	_, err = flow.DecodeTasks(strings.Repeat("[", 100_000))
	require.Error(t, err)
}

func TestRelationsAndLocationsAreRead(t *testing.T) {
	t.Parallel()
	edges, err := flow.DecodeRelations(`[{"name":"","preTaskCode":0,"postTaskCode":1,"conditionType":0,"conditionParams":{}},
		{"name":null,"preTaskCode":"1","postTaskCode":2,"conditionType":"NONE","conditionParams":[]},{"name":"yes","preTaskCode":1,"postTaskCode":3}]`)
	require.NoError(t, err)
	require.Equal(t, []flow.Edge{{Pre: 1, Post: 2}, {Name: "yes", Pre: 1, Post: 3}}, edges)
	at, err := flow.DecodeLocations(`[{"taskCode":1,"x":132,"y":"112.5"},{"taskCode":2}]`)
	require.NoError(t, err)
	require.Equal(t, []flow.Location{{TaskCode: 1, X: 132, Y: 112.5}, {TaskCode: 2}}, at)
	for _, none := range []string{"", "null", `{"tasks-1":{"x":1}}`} {
		at, err := flow.DecodeLocations(none)
		require.NoError(t, err)
		require.Empty(t, at)
	}
}

func TestParameterListsAreReadInBothForms(t *testing.T) {
	t.Parallel()
	got, err := flow.DecodeProperties(`[{"prop":"a","direct":"OUT","type":"INTEGER","value":1},{"prop":null,"direct":null,"type":"","value":null},
		{"prop":"c","direct":1,"type":10,"value":true},{"prop":"d","value":{"x":[1]}},null]`)
	require.NoError(t, err)
	require.Equal(t, []flow.Property{
		{Prop: "a", Direct: flow.Out, Type: flow.Integer, Value: "1"},
		{Direct: flow.In, Type: flow.Varchar},
		{Prop: "c", Direct: flow.Out, Type: flow.File, Value: "true"},
		{Prop: "d", Direct: flow.In, Type: flow.Varchar, Value: `{"x":[1]}`},
	}, got)
	got, err = flow.DecodeProperties(`{"z":"1","a":2,"m":null}`)
	require.NoError(t, err)
	require.Equal(t, props("z=1", "a=2", "m="), got)
	got, err = flow.DecodeProperties(`"{\"k\":\"v\"}"`)
	require.NoError(t, err)
	require.Equal(t, props("k=v"), got)
}

func full() *flow.Definition {
	def := workflow("abc", "a>b", "b>c")
	def.Code, def.Version, def.ProjectCode, def.ExecutionType, def.Description = 9, 3, 8, flow.Parallel, "<b>&\u2028"
	def.GlobalParams = props("x=<1>", "y=2")
	def.Locations = []flow.Location{{TaskCode: 'a', X: 1.5, Y: -2}, {TaskCode: 'b'}}
	for i := range def.Tasks {
		def.Tasks[i].Version, def.Tasks[i].Flag, def.Tasks[i].Priority = i+1, flow.FlagYes, flow.Medium
		def.Tasks[i].Params = json.RawMessage(`{"rawScript": "echo <hi> && x", "n": 1.50, "localParams": []}`)
	}
	return def
}

func TestStoredDefinitionsComeBackByteForByte(t *testing.T) {
	t.Parallel()
	for _, def := range []*flow.Definition{full(), {}, workflow("a"), {Name: "\xff", Tasks: []flow.Task{{Params: json.RawMessage("{\"a\":\"\xff\"}")}}}} {
		first, err := flow.Marshal(def)
		require.NoError(t, err)
		back, err := flow.Unmarshal(first)
		require.NoError(t, err)
		second, err := flow.Marshal(back)
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
		require.NotContains(t, string(first), "null")
	}
	stored, err := flow.Marshal(full())
	require.NoError(t, err)
	require.Contains(t, string(stored), `"taskParams":{"rawScript":"echo <hi> && x","n":1.50,"localParams":[]}`)
	for _, bad := range []string{"", "null and void", "[]", `{"tasks":[{"taskParams":[]}]}`, `{"tasks":[{}]}`} {
		_, err := flow.Unmarshal([]byte(bad))
		require.Error(t, err, bad)
	}
	for _, bad := range []string{"[]", "{", "7"} {
		_, err := flow.Marshal(&flow.Definition{Tasks: []flow.Task{{Params: json.RawMessage(bad)}}})
		require.Error(t, err, bad)
	}
}

func TestEqualIgnoresVersionsOrderAndSpelling(t *testing.T) {
	t.Parallel()
	require.True(t, flow.Equal(full(), full()))
	for name, change := range map[string]func(*flow.Definition){
		"versions":        func(d *flow.Definition) { d.Version = 99; d.Tasks[0].Version = 99 },
		"order of tasks":  func(d *flow.Definition) { d.Tasks[0], d.Tasks[2] = d.Tasks[2], d.Tasks[0] },
		"order of edges":  func(d *flow.Definition) { d.Edges[0], d.Edges[1] = d.Edges[1], d.Edges[0] },
		"order of places": func(d *flow.Definition) { d.Locations[0], d.Locations[1] = d.Locations[1], d.Locations[0] },
		"white space": func(d *flow.Definition) {
			d.Tasks[0].Params = json.RawMessage(`{"localParams":[],"n":1.50,"rawScript":"echo \u003chi> && x"}`)
		},
	} {
		other := full()
		change(other)
		require.True(t, flow.Equal(full(), other), name)
		require.True(t, flow.Equal(other, full()), name)
	}
	for name, change := range map[string]func(*flow.Definition){
		"name":           func(d *flow.Definition) { d.Name = "v" },
		"description":    func(d *flow.Definition) { d.Description = "" },
		"timeout":        func(d *flow.Definition) { d.TimeoutMinutes = 1 },
		"execution type": func(d *flow.Definition) { d.ExecutionType = flow.SerialWait },
		"global value":   func(d *flow.Definition) { d.GlobalParams[0].Value = "" },
		"global order":   func(d *flow.Definition) { d.GlobalParams = props("y=2", "x=<1>") },
		"an edge less":   func(d *flow.Definition) { d.Edges = d.Edges[:1] },
		"an edge twice":  func(d *flow.Definition) { d.Edges[1] = d.Edges[0] },
		"edge label":     func(d *flow.Definition) { d.Edges[0].Name = "x" },
		"a task less":    func(d *flow.Definition) { d.Tasks = d.Tasks[:2] },
		"a task twice":   func(d *flow.Definition) { d.Tasks[1] = d.Tasks[0] },
		"task flag":      func(d *flow.Definition) { d.Tasks[1].Flag = flow.FlagNo },
		"task retry":     func(d *flow.Definition) { d.Tasks[1].RetryTimes = 1 },
		"task script":    func(d *flow.Definition) { d.Tasks[1].Params = json.RawMessage(`{}`) },
		"a place":        func(d *flow.Definition) { d.Locations[0].X++ },
	} {
		other := full()
		change(other)
		require.False(t, flow.Equal(full(), other), name)
		require.False(t, flow.Equal(other, full()), name)
	}
	require.True(t, flow.Equal(&flow.Definition{}, &flow.Definition{Tasks: []flow.Task{}, GlobalParams: []flow.Property{}}))
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`[{"code":1,"name":"a","taskType":"SHELL","taskParams":"{\"a\":1}","flag":0,"failRetryTimes":"1e2"}]`,
		`{"a":1,"b":null}`, `[{"preTaskCode":"1","postTaskCode":2}]`, `[{"taskCode":1,"x":"1.5"}]`, `"[]"`, `[null]`, "null",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		edges, _ := flow.DecodeRelations(text)
		places, _ := flow.DecodeLocations(text)
		globals, _ := flow.DecodeProperties(text)
		tasks, err := flow.DecodeTasks(text)
		if err != nil {
			return
		}
		def := &flow.Definition{Tasks: tasks, Edges: edges, Locations: places, GlobalParams: globals}
		flow.Validate(def, nil)
		stored, err := flow.Marshal(def)
		require.NoError(t, err)
		back, err := flow.Unmarshal(stored)
		require.NoError(t, err)
		again, err := flow.Marshal(back)
		require.NoError(t, err)
		require.Equal(t, string(stored), string(again))
	})
}
