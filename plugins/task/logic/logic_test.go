package logic_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/logic"
	"dorado/plugins/task/tasktest"
)

func TestConditions(t *testing.T) {
	t.Parallel()
	const then = `"conditionResult":{"successNode":[11],"failedNode":[12]}`
	tasktest.Run(t, tasktest.Suite{Plugin: logic.Conditions(), Definitions: "testdata/conditions*.json", Bad: []string{
		`{` + then + `}`,
		`{"dependence":{"dependTaskList":[]},` + then + `}`,
		`{"dependence":{"dependTaskList":[{"dependItemList":[]}]},` + then + `}`,
		`{"dependence":{"dependTaskList":[{"dependItemList":[{"depTaskCode":0,"status":"SUCCESS"}]}]},` + then + `}`,
		`{"dependence":{"dependTaskList":[{"dependItemList":[{"depTaskCode":5,"status":"STOP"}]}]},` + then + `}`,
		`{"dependence":{"relation":"XOR","dependTaskList":[{"dependItemList":[{"depTaskCode":5,"status":"SUCCESS"}]}]},` + then + `}`,
		`{"dependence":{"dependTaskList":[{"dependItemList":[{"depTaskCode":5,"status":"SUCCESS"}]}]},"conditionResult":{"successNode":[11],"failedNode":[11]}}`,
		`{"dependence":{"dependTaskList":[{"dependItemList":[{"depTaskCode":5,"status":"SUCCESS"}]}]},"conditionResult":{"successNode":[11],"failedNode":[null]}}`,
	}})
}

func TestSwitch(t *testing.T) {
	t.Parallel()
	tasktest.Run(t, tasktest.Suite{Plugin: logic.Switch(), Definitions: "testdata/switch*.json", Bad: []string{
		`{"switchResult":{}}`, `{"switchResult":[]}`,
		`{"switchResult":{"dependTaskList":[{"condition":"true","nextNode":7}]}}`,
		`{"switchResult":{"dependTaskList":[{"condition":" ","nextNode":7}],"nextNode":8}}`,
		`{"switchResult":{"dependTaskList":[{"condition":"true"}],"nextNode":8}}`,
		`{"switchResult":{"dependTaskList":[{"condition":"true","nextNode":[7,8]}],"nextNode":8}}`,
		`{"switchResult":{"dependTaskList":[{"condition":"true","nextNode":"seven"}],"nextNode":8}}`,
	}})
}

func TestSubWorkflow(t *testing.T) {
	t.Parallel()
	tasktest.Run(t, tasktest.Suite{Plugin: logic.SubWorkflow(), Definitions: "testdata/sub_workflow*.json", Bad: []string{
		`{"workflowDefinitionCode":0}`, `{"workflowDefinitionCode":-4}`, `{"workflowDefinitionCode":"x"}`, `{"workflowDefinitionCode":{}}`,
	}})
}

func TestDependent(t *testing.T) {
	t.Parallel()
	item := func(members string) string {
		return `{"dependence":{"dependTaskList":[{"dependItemList":[{` + members + `}]}]}}`
	}
	tasktest.Run(t, tasktest.Suite{Plugin: logic.Dependent(), Definitions: "testdata/dependent*.json", Bad: []string{
		`{"dependence":{}}`, item(`"definitionCode":2,"depTaskCode":0,"dateValue":"today"`), item(`"projectCode":1,"depTaskCode":0,"dateValue":"today"`),
		item(`"projectCode":1,"definitionCode":2,"depTaskCode":-2,"dateValue":"today"`), item(`"projectCode":1,"definitionCode":2,"depTaskCode":0,"dateValue":"tomorrow"`),
		item(`"projectCode":1,"definitionCode":2,"depTaskCode":0,"cycle":"hour","dateValue":"today"`), item(`"projectCode":1,"definitionCode":2,"depTaskCode":0`),
		`{"dependence":{"checkInterval":0,"dependTaskList":[{"dependItemList":[{"projectCode":1,"definitionCode":2,"dateValue":"today"}]}]}}`,
		`{"dependence":{"failurePolicy":"PERHAPS","dependTaskList":[{"dependItemList":[{"projectCode":1,"definitionCode":2,"dateValue":"today"}]}]}}`,
		`{"dependence":{"failureWaitingTime":-1,"dependTaskList":[{"dependItemList":[{"projectCode":1,"definitionCode":2,"dateValue":"today"}]}]}}`,
	}})
}

func TestDynamic(t *testing.T) {
	t.Parallel()
	with := func(members string) string {
		return `{"workflowDefinitionCode":7,"listParameters":[{"name":"a","value":"1,2","separator":","}],` + members + `}`
	}
	tasktest.Run(t, tasktest.Suite{Plugin: logic.Dynamic(), Definitions: "testdata/dynamic*.json", Bad: []string{
		`{"workflowDefinitionCode":7}`, `{"workflowDefinitionCode":7,"listParameters":[]}`,
		`{"workflowDefinitionCode":7,"listParameters":[{"name":"","value":"1"}]}`, `{"workflowDefinitionCode":7,"listParameters":[{"name":"a","value":" "}]}`,
		`{"workflowDefinitionCode":7,"listParameters":[{"name":"a","value":"1"},{"name":"a","value":"2"}]}`,
		with(`"degreeOfParallelism":0`), with(`"degreeOfParallelism":1.5`), with(`"maxNumOfSubWorkflowInstances":10001`),
	}})
}

func TestForEach(t *testing.T) {
	t.Parallel()
	tasktest.Run(t, tasktest.Suite{Plugin: logic.ForEach(), Definitions: "testdata/for_each*.json", Bad: []string{
		`{"items":"a,b"}`, `{"workflowDefinitionCode":7}`, `{"workflowDefinitionCode":7,"items":" "}`,
		`{"workflowDefinitionCode":7,"items":"a","concurrency":0}`, `{"workflowDefinitionCode":7,"items":"a","concurrency":2.5}`,
		`{"workflowDefinitionCode":7,"items":"a","concurrency":1001}`, `{"workflowDefinitionCode":7,"items":"a","failurePolicy":"SKIP"}`,
	}})
}

func TestApproval(t *testing.T) {
	t.Parallel()
	tasktest.Run(t, tasktest.Suite{Plugin: logic.Approval(), Definitions: "testdata/approval*.json", Bad: []string{
		`{"question":""}`, `{"question":"?","role":"ANYBODY"}`, `{"question":"?","expireMinutes":-1}`, `{"question":"?","expireMinutes":0.5}`,
		`{"question":"?","onExpire":"WAIT"}`,
	}})
}

func TestEveryDateOfTheTableIsOffered(t *testing.T) {
	t.Parallel()
	for _, cycle := range form.DateCycles() {
		for _, date := range cycle.Dates {
			raw := fmt.Sprintf(`{"dependence":{"dependTaskList":[{"dependItemList":[{"projectCode":1,"definitionCode":2,"depTaskCode":0,"cycle":%q,"dateValue":%q}]}]}}`, cycle.Cycle, date)
			_, problems := logic.Dependent().Decode([]byte(raw))
			require.Empty(t, problems, date)
		}
	}
}

func TestAProblemSaysInWhichRowItIs(t *testing.T) {
	t.Parallel()
	_, problems := logic.Dependent().Decode(json.RawMessage(`{"dependence":{"dependTaskList":[
		{"dependItemList":[{"projectCode":1,"definitionCode":2,"dateValue":"today"}]},
		{"dependItemList":[{"projectCode":1,"definitionCode":2,"dateValue":"today"},{"projectCode":1,"dateValue":"today"}]}]}}`))
	require.Equal(t, []form.Problem{{Field: "dependence", Key: "form.dependence.workflow_missing", Args: []any{"group", 2, "row", 2}}}, problems)
}

func TestTheBrowserLearnsThatNoWorkerIsNeeded(t *testing.T) {
	t.Parallel()
	for _, p := range logic.Plugins() {
		require.True(t, p.Describe(func(key string) string { return key }).Logic, p.Type)
		_, files := p.Schema.Field(task.ResourceList)
		require.False(t, files, p.Type)
	}
}
