package flow_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/i18n"
	"dorado/modules/flow"
)

// scripts is a catalogue with one task type, which needs a script.
func scripts() flow.PluginChecker {
	return flow.PluginCheckerFunc(func(taskType string, params json.RawMessage) []flow.FieldProblem {
		var p struct {
			RawScript string `json:"rawScript"`
		}
		switch {
		case taskType != "SHELL":
			return []flow.FieldProblem{{Key: "task.unknown_type", Args: []any{"type", taskType}}}
		case json.Unmarshal(params, &p) != nil || p.RawScript == "":
			return []flow.FieldProblem{{Field: "rawScript", Key: "form.required"}}
		}
		return nil
	})
}

func sound() *flow.Definition {
	def := workflow("abc", "a>b", "b>c")
	for i := range def.Tasks {
		t := &def.Tasks[i]
		t.Flag, t.Priority, t.CPUQuota, t.MemoryMax = flow.FlagYes, flow.Medium, -1, -1
		t.Params = json.RawMessage(`{"rawScript":"echo hi"}`)
	}
	return def
}

func TestASoundDefinitionHasNoProblems(t *testing.T) {
	t.Parallel()
	require.Empty(t, flow.Validate(sound(), scripts()))
	require.Empty(t, flow.Validate(full(), nil))
}

func TestEachProblemIsNamedWithTaskAndField(t *testing.T) {
	t.Parallel()
	script := func(text string) json.RawMessage {
		raw, err := json.Marshal(map[string]string{"rawScript": text})
		require.NoError(t, err)
		return raw
	}
	for _, tc := range []struct {
		change func(*flow.Definition)
		want   string // task name, field, key
	}{
		{func(d *flow.Definition) { d.Tasks, d.Edges = nil, nil }, " tasks flow.problem.empty"},
		{func(d *flow.Definition) { d.Name = " " }, " name flow.problem.name_empty"},
		{func(d *flow.Definition) { d.Name = strings.Repeat("界", 256) }, " name flow.problem.name_too_long"},
		{func(d *flow.Definition) { d.Name = "a\x00b" }, " name flow.problem.name_control"},
		{func(d *flow.Definition) { d.Name = "a\xffb" }, " name flow.problem.name_control"},
		{func(d *flow.Definition) { d.ExecutionType = "NEVER" }, " executionType flow.problem.unknown_value"},
		{func(d *flow.Definition) { d.TimeoutMinutes = -1 }, " timeout flow.problem.out_of_range"},
		{func(d *flow.Definition) { d.GlobalParams = props("x=1", "x=2") }, " globalParams flow.problem.param_twice"},
		{func(d *flow.Definition) { d.GlobalParams = props("=1") }, " globalParams flow.problem.param_name_empty"},
		{func(d *flow.Definition) { d.GlobalParams = props(strings.Repeat("n", 257) + "=1") }, " globalParams flow.problem.param_name_too_long"},
		{func(d *flow.Definition) { d.Tasks[1].Name = "" }, " name flow.problem.name_empty"},
		{func(d *flow.Definition) { d.Tasks[1].Name = strings.Repeat("n", 101) }, strings.Repeat("n", 101) + " name flow.problem.name_too_long"},
		{func(d *flow.Definition) { d.Tasks[1].Name = "a" }, "a name flow.problem.name_twice"},
		{func(d *flow.Definition) { d.Tasks[1].Type = "TELEX" }, "b taskParams task.unknown_type"},
		{func(d *flow.Definition) { d.Tasks[1].Type = "" }, "b taskType flow.problem.type_empty"},
		{func(d *flow.Definition) { d.Tasks[1].Params = script("") }, "b taskParams.rawScript form.required"},
		{func(d *flow.Definition) { d.Tasks[1].Params = json.RawMessage("[]") }, "b taskParams flow.problem.params_not_object"},
		{func(d *flow.Definition) { d.Tasks[1].Params = json.RawMessage("{") }, "b taskParams flow.problem.params_not_object"},
		{func(d *flow.Definition) { d.Tasks[1].Params = json.RawMessage("null") }, "b taskParams flow.problem.params_not_object"},
		{func(d *flow.Definition) { d.Tasks[1].Params = json.RawMessage(`{"rawScript":"x","localParams":7}`) }, "b taskParams.localParams flow.problem.params_unreadable"},
		{func(d *flow.Definition) {
			d.Tasks[1].Params = json.RawMessage(`{"rawScript":"x","localParams":[{"prop":"p"},{"prop":"p"}]}`)
		}, "b taskParams.localParams flow.problem.param_twice"},
		{func(d *flow.Definition) {
			d.Tasks[1].Params = json.RawMessage(`{"rawScript":"x","localParams":[{"prop":" "}]}`)
		}, "b taskParams.localParams flow.problem.param_name_empty"},
		{func(d *flow.Definition) { d.Tasks[1].Code = 0; d.Edges = nil }, "b code flow.problem.code_invalid"},
		{func(d *flow.Definition) { d.Tasks[1].Code = 'a'; d.Edges = nil }, "b code flow.problem.code_twice"},
		{func(d *flow.Definition) { d.Edges[0].Pre = 5 }, "b relations flow.problem.edge_unknown"},
		{func(d *flow.Definition) { d.Edges[0].Post = 5 }, "a relations flow.problem.edge_unknown"},
		{func(d *flow.Definition) { d.Edges[0].Post = 'a' }, "a relations flow.problem.self_loop"},
		{func(d *flow.Definition) { d.Edges[1] = d.Edges[0] }, "b relations flow.problem.edge_twice"},
		{func(d *flow.Definition) { d.Edges = append(d.Edges, flow.Edge{Pre: 'c', Post: 'a'}) }, "a relations flow.problem.cycle"},
		{func(d *flow.Definition) { d.Tasks[1].Flag = "" }, "b flag flow.problem.unknown_value"},
		{func(d *flow.Definition) { d.Tasks[1].IsCache = "x" }, "b isCache flow.problem.unknown_value"},
		{func(d *flow.Definition) { d.Tasks[1].Priority = "URGENT" }, "b taskPriority flow.problem.unknown_value"},
		{func(d *flow.Definition) { d.Tasks[1].ExecuteType = "x" }, "b taskExecuteType flow.problem.unknown_value"},
		{func(d *flow.Definition) { d.Tasks[1].TimeoutFlag = "x" }, "b timeoutFlag flow.problem.unknown_value"},
		{func(d *flow.Definition) { d.Tasks[1].RetryTimes = -1 }, "b failRetryTimes flow.problem.out_of_range"},
		{func(d *flow.Definition) { d.Tasks[1].RetryInterval = 1 << 30 }, "b failRetryInterval flow.problem.out_of_range"},
		{func(d *flow.Definition) { d.Tasks[1].DelayMinutes = -1 }, "b delayTime flow.problem.out_of_range"},
		{func(d *flow.Definition) { d.Tasks[1].CPUQuota = -2 }, "b cpuQuota flow.problem.out_of_range"},
		{func(d *flow.Definition) { d.Tasks[1].MemoryMax = -2 }, "b memoryMax flow.problem.out_of_range"},
		{func(d *flow.Definition) {
			d.Tasks[1].TimeoutFlag, d.Tasks[1].TimeoutStrategy = flow.TimeoutOpen, flow.TimeoutWarn
		}, "b timeout flow.problem.out_of_range"},
		{func(d *flow.Definition) {
			d.Tasks[1].TimeoutFlag, d.Tasks[1].TimeoutMinutes = flow.TimeoutOpen, 5
		}, "b timeoutNotifyStrategy flow.problem.unknown_value"},
		{func(d *flow.Definition) { d.Tasks[1].Params = script(strings.Repeat("x", 5<<20)) }, "b taskParams flow.problem.params_too_large"},
		{func(d *flow.Definition) { d.Tasks = make([]flow.Task, 20_001) }, " tasks flow.problem.too_many_tasks"},
		{func(d *flow.Definition) { d.Edges = make([]flow.Edge, 100_001) }, " relations flow.problem.too_many_edges"},
		{func(d *flow.Definition) {
			big := script(strings.Repeat("x", 4<<20))
			for i := range 17 {
				d.Tasks = append(d.Tasks, flow.Task{Code: int64(1000 + i), Params: big})
			}
		}, " tasks flow.problem.all_params_too_large"},
	} {
		def := sound()
		tc.change(def)
		problems := flow.Validate(def, scripts())
		require.Len(t, problems, 1, "%s: %v", tc.want, problems)
		p := problems[0]
		require.Equal(t, tc.want, fmt.Sprintf("%s %s %s", p.TaskName, p.Field, p.Key))
		require.Equal(t, flow.SeverityError, p.Severity)
		require.True(t, flow.HasErrors(problems))
		if strings.HasPrefix(p.Key, "flow.") {
			require.True(t, i18n.Has(p.Key), p.Key)
			require.NotContains(t, i18n.T(t.Context(), p.Key, p.Args...), "{", "every placeholder has its argument")
		}
	}
}

func TestACycleIsShownAsAPath(t *testing.T) {
	t.Parallel()
	def := sound()
	def.Edges = append(def.Edges, flow.Edge{Pre: 'c', Post: 'a'})
	problems := flow.Validate(def, scripts())
	require.Equal(t, []any{"path", "a → b → c → a"}, problems[0].Args)
}

func TestUndefinedParametersAreWarnedAbout(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"echo ${missing}":                        "missing",
		"echo ${missing} ${missing}":             "missing",
		"echo ${out-put.x}":                      "out-put.x",
		"echo ${known} ${g} ${mine} ${emitted}":  "",
		"echo ${system.biz.date} ${system.nope}": "system.nope",
		"x=1; echo ${x}":                         "",
		"for f in *; do echo ${f}; done":         "",
		"echo ${HOME} ${PATH_2}":                 "",
		"${arr[@]} ${#s} ${v:-1} ${1} ${":        "",
		"#{setValue(a=1)} ${setValue(a=1)}":      "",
		"echo ${变量}":                             "变量",
	} {
		def := sound()
		def.GlobalParams = props("g=1")
		raw, err := json.Marshal(map[string]any{
			"rawScript": text, "localParams": props("mine=${g}"), "missing-is-a-name-here": map[string]any{"x": []any{1, "y", nil}},
		})
		require.NoError(t, err)
		def.Tasks[1].Params = raw
		def.Tasks[0].Params = json.RawMessage(`{"rawScript":"x","localParams":[{"prop":"emitted","direct":"OUT"}]}`)
		problems := flow.Validate(def, scripts(), "known")
		if want == "" {
			require.Empty(t, problems, text)
			continue
		}
		require.Len(t, problems, 1, text)
		require.Equal(t, flow.Problem{
			TaskCode: 'b', TaskName: "b", Field: "taskParams", Key: "flow.problem.undefined", Args: []any{"name", want}, Severity: flow.SeverityWarning,
		}, problems[0])
		require.False(t, flow.HasErrors(problems))
	}
	def := sound()
	def.GlobalParams = props("a=${b}", "b=${nobody}")
	problems := flow.Validate(def, scripts())
	require.Len(t, problems, 1)
	require.Equal(t, "globalParams", problems[0].Field)
}

func TestValidateTakesLargeDefinitionsAndStopsCounting(t *testing.T) {
	t.Parallel()
	def := randomDAG(rand.New(rand.NewPCG(9, 10)), 20_000, 50_000)
	def.Name = "big"
	for i := range def.Tasks {
		def.Tasks[i].Type, def.Tasks[i].Flag = "SHELL", flow.FlagYes
		def.Tasks[i].Params = json.RawMessage(`{"rawScript":"echo ${system.biz.date} ${HOME}"}`)
	}
	require.Empty(t, flow.Validate(def, scripts()))
	for i := range def.Tasks {
		def.Tasks[i].Flag, def.Tasks[i].Type = "", ""
	}
	require.LessOrEqual(t, len(flow.Validate(def, scripts())), 520)

	names := &strings.Builder{}
	for i := range 400_000 {
		fmt.Fprintf(names, "${v%d}", i)
	}
	hostile := sound()
	raw, err := json.Marshal(map[string]string{"rawScript": names.String()})
	require.NoError(t, err)
	hostile.Tasks[0].Params = raw
	require.NotEmpty(t, flow.Validate(hostile, scripts()))
}

func TestEveryRefusalAndLevelHasItsMessage(t *testing.T) {
	t.Parallel()
	for _, op := range append(flow.Operations(), "DANCE") {
		for _, state := range flow.WorkflowStates() {
			if ok, reason := flow.Allowed(op, state); !ok {
				require.True(t, i18n.Has(reason), reason)
			}
		}
	}
	_, reason := flow.AllowedOnTask(flow.OpForceSuccess, flow.TaskSuccess, flow.WorkflowFailure)
	require.True(t, i18n.Has(reason), reason)
	for _, level := range flow.Levels() {
		require.True(t, i18n.Has(level.MessageKey()), level)
	}
}
