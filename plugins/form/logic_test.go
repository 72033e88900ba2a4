package form_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/form"
)

func branching() form.Schema {
	return form.Schema{
		{Name: "child", Alias: "process", Type: form.Workflow, Label: "l"},
		{Name: "then", Type: form.Outcomes, Label: "l"},
		{Name: "when", Type: form.Conditions, Label: "l"},
		{Name: "cases", Type: form.Cases, Label: "l"},
		{Name: "on", Type: form.Dependence, Label: "l"},
		{Name: "lists", Type: form.Lists, Label: "l"},
	}
}

func TestCodesAreReadInEveryFormInWhichTheyWereWritten(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{`7`, `"7"`, `" 7 "`, `[7]`, `["7"]`} {
		v, problems := form.Decode(branching(), json.RawMessage(`{"child":`+raw+`}`))
		require.Empty(t, problems, raw)
		require.Equal(t, []form.Reference{{Field: "child", Workflow: 7}}, v.References(branching()), raw)
	}
	for _, raw := range []string{`[7,8]`, `"x"`, `{}`, `1.5`, `-1`, `true`} {
		require.NotEmpty(t, form.Validate(branching(), json.RawMessage(`{"child":`+raw+`}`)), raw)
	}
	v, problems := form.Decode(branching(), json.RawMessage(`{"process":9}`))
	require.Empty(t, problems)
	require.Equal(t, int64(9), v.References(branching())[0].Workflow, "the older name of the member")
}

func TestReferencesToOtherWorkflowsAreFound(t *testing.T) {
	t.Parallel()
	v, problems := form.Decode(branching(), json.RawMessage(`{"on":{"dependTaskList":[
		{"dependItemList":[{"projectCode":1,"definitionCode":2,"depTaskCode":0,"dateValue":"today"},{"projectCode":1,"definitionCode":2,"depTaskCode":"5","dateValue":"today"}]},
		{"dependItemList":[{"projectCode":3,"definitionCode":4,"depTaskCode":-1,"dateValue":"lastMonday"}]}]}}`))
	require.Empty(t, problems)
	require.Equal(t, []form.Reference{
		{Field: "on", Project: 1, Workflow: 2, Waits: true},
		{Field: "on", Project: 1, Workflow: 2, Task: 5, Waits: true},
		{Field: "on", Project: 3, Workflow: 4, Task: -1, Waits: true},
	}, v.References(branching()))
}

func TestACopyPointsToItsOwnTasks(t *testing.T) {
	t.Parallel()
	got := form.Retarget(branching(), json.RawMessage(`{
		"child":1,"rawScript":"echo 1","localParams":[{"prop":"a","value":"1"}],
		"then":{"successNode":[1],"failedNode":["2",99]},
		"when":{"relation":"AND","dependTaskList":[{"relation":"OR","dependItemList":[{"depTaskCode":1,"status":"SUCCESS","x":1}]}]},
		"cases":{"dependTaskList":[{"condition":"1 == 1","nextNode":[1]}],"nextNode":2}}`), map[int64]int64{1: 9007199254740993, 2: 12})
	require.JSONEq(t, `{
		"child":1,"rawScript":"echo 1","localParams":[{"prop":"a","value":"1"}],
		"then":{"successNode":[9007199254740993],"failedNode":["12",99]},
		"when":{"relation":"AND","dependTaskList":[{"relation":"OR","dependItemList":[{"depTaskCode":9007199254740993,"status":"SUCCESS","x":1}]}]},
		"cases":{"dependTaskList":[{"condition":"1 == 1","nextNode":[9007199254740993]}],"nextNode":12}}`, string(got))
	require.Contains(t, string(got), "9007199254740993", "no digit is lost")
	for _, raw := range []string{`7`, `{`, `{"then":7}`, `{"then":{"successNode":{}}}`} {
		require.NotPanics(t, func() { form.Retarget(branching(), json.RawMessage(raw), map[int64]int64{7: 8}) }, raw)
	}
}

func TestLogicSettingsMayBeLeftToTheirDefaults(t *testing.T) {
	t.Parallel()
	require.Empty(t, form.Validate(branching(), json.RawMessage(`{"on":{"checkInterval":"","failureWaitingTime":null,"dependTaskList":[
		{"dependItemList":[{"projectCode":"1","definitionCode":"2","dateValue":"today"}]}]},"then":null,"lists":[{"name":"a","value":"1"}]}`)))
}

func FuzzLogic(f *testing.F) {
	f.Add(`{"child":[7],"then":{"successNode":[1]},"cases":{"nextNode":[[1]]},"on":{"dependTaskList":[{}]},"lists":[{}]}`)
	f.Fuzz(func(_ *testing.T, raw string) {
		v, _ := form.Decode(branching(), json.RawMessage(raw))
		v.References(branching())
		form.Retarget(branching(), json.RawMessage(raw), map[int64]int64{1: 2})
	})
}
