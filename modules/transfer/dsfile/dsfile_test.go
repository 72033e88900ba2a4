package dsfile_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
	"dorado/modules/transfer/dsfile"
	"dorado/modules/transfer/neutral"
)

func read(t testing.TB, text string) *neutral.Bundle {
	t.Helper()
	b := &neutral.Bundle{}
	require.NoError(t, dsfile.Read(b, "file.json", []byte(text)))
	require.NoError(t, b.Finish())
	return b
}

func file(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return string(raw)
}

func byName(d *flow.Definition) map[string]flow.Task {
	out := map[string]flow.Task{}
	for _, t := range d.Tasks {
		out[t.Name] = t
	}
	return out
}

// What 1.3 exports is shown in https://github.com/apache/dolphinscheduler/issues/3808; the file has the same structure and
// the further types of its service.
func TestFilesOf13AreRead(t *testing.T) {
	t.Parallel()
	b := read(t, file(t, "ds13.json"))
	require.Equal(t, neutral.DS13, b.Format)
	require.Len(t, b.Workflows, 2)
	w := b.Workflows[0]
	d := w.Definition
	require.Equal(t, "nightly", d.Name)
	require.Equal(t, "finance", w.Project)
	require.Equal(t, "all of it", d.Description)
	require.Equal(t, 15, d.TimeoutMinutes)
	require.Equal(t, []flow.Property{{Prop: "day", Direct: flow.In, Type: flow.Varchar, Value: "$[yyyyMMdd-1]"}}, d.GlobalParams)
	tasks := byName(d)
	extract := tasks["extract"]
	require.True(t, bytes.Equal([]byte(`{"resourceList":[],"localParams":[],"rawScript":"echo ${day}"}`), extract.Params), "not a byte changes")
	require.Equal(t, []any{2, 3, flow.Priority("HIGH"), flow.TimeoutOpen, flow.TimeoutWarnFailed, 30}, []any{
		extract.RetryTimes, extract.RetryInterval, extract.Priority, extract.TimeoutFlag, extract.TimeoutStrategy, extract.TimeoutMinutes,
	})
	require.Equal(t, flow.FlagNo, tasks["load"].Flag)
	require.Equal(t, "warehouse", b.Names[neutral.Ref{Kind: neutral.DataSource, Value: "1"}])
	require.Contains(t, d.Edges, flow.Edge{Pre: extract.Code, Post: tasks["load"].Code})
	require.Equal(t, flow.Location{TaskCode: extract.Code, X: 431, Y: 138}, d.Locations[0])

	var then struct {
		Dependence struct {
			DependTaskList []struct {
				DependItemList []struct{ DepTaskCode int64 }
			}
		}
		ConditionResult struct{ SuccessNode, FailedNode []int64 }
	}
	require.NoError(t, json.Unmarshal(tasks["choose"].Params, &then))
	require.Equal(t, tasks["load"].Code, then.Dependence.DependTaskList[0].DependItemList[0].DepTaskCode)
	require.Equal(t, []int64{tasks["good"].Code}, then.ConditionResult.SuccessNode)
	require.Equal(t, []int64{tasks["bad"].Code}, then.ConditionResult.FailedNode)

	var sub struct{ ProcessDefinitionCode json.Number }
	require.NoError(t, json.Unmarshal(tasks["bad"].Params, &sub))
	require.Equal(t, "finance/id:46", b.Names[neutral.Ref{Kind: neutral.WorkflowRef, Value: sub.ProcessDefinitionCode.String()}])

	var wait struct {
		Dependence struct {
			DependTaskList []struct {
				DependItemList []struct{ DefinitionCode, DepTaskCode json.Number }
			}
		}
	}
	require.NoError(t, json.Unmarshal(tasks["wait"].Params, &wait))
	items := wait.Dependence.DependTaskList[0].DependItemList
	require.Equal(t, b.Workflows[1].Definition.Code, num(t, items[0].DefinitionCode), "the file has it")
	require.Equal(t, "0", items[0].DepTaskCode.String(), "all tasks: the workflow")
	require.Equal(t, "sales/orders", b.Names[neutral.Ref{Kind: neutral.WorkflowRef, Value: items[1].DefinitionCode.String()}])
	require.Equal(t, "ship", b.Names[neutral.Ref{Kind: neutral.Task, Value: items[1].DepTaskCode.String()}])

	require.Equal(t, []neutral.Schedule{{
		Start: "2020-06-22 00:00:00", End: "2120-06-22 00:00:00", Crontab: "0 0 2 * * ? *", FailureStrategy: "CONTINUE", WarningType: "NONE",
		Priority: "MEDIUM", WorkerGroup: "default", Tenant: "id:2",
	}}, w.Schedules)
	require.Len(t, b.Workflows[1].Definition.Edges, 1, "the lines of the picture")
}

func num(t *testing.T, n json.Number) int64 {
	t.Helper()
	v, err := n.Int64()
	require.NoError(t, err)
	return v
}

const dag = `{"%[1]sDefinition":{"id":2,"code":4652338640256,"name":"test","version":42,"releaseState":"OFFLINE","projectCode":4652156953088,
 "globalParams":"[{\"prop\":\"dt\",\"direct\":\"IN\",\"type\":\"VARCHAR\",\"value\":\"1\"}]","locations":"[{\"taskCode\":4652334706048,\"x\":160,\"y\":74}]","timeout":0,
 "tenantId":2,"tenantCode":null,"warningGroupId":0},
 "%[1]sTaskRelationList":[{"preTaskCode":4652334706048,"postTaskCode":4652640021376,"conditionType":"NONE","conditionParams":{}},
  {"preTaskCode":0,"postTaskCode":4652334706048}],
 "taskDefinitionList":[{"id":37,"code":4652334706048,"name":"test1","version":13,"taskType":"SHELL","taskParams":{"resourceList":[{"id":6}],"rawScript":"pwd"},
   "flag":"YES","taskPriority":"MEDIUM","workerGroup":"default","environmentCode":4711247356672,"timeoutFlag":"CLOSE","timeoutNotifyStrategy":"WARN"},
  {"code":4652640021376,"name":"test2","taskType":"DATAX","taskParams":"{\"json\":\"{}\",\"customConfig\":1}"}],
 "schedule":%[2]s}`

func dagOf(word, schedule string) string {
	return strings.NewReplacer("%[1]s", word, "%[2]s", schedule).Replace(dag)
}

func TestFilesOf2And3AreReadInEveryWrapping(t *testing.T) {
	t.Parallel()
	const s = `{"id":1,"startTime":"2022-03-03 00:00:00","endTime":"2122-03-03T00:00:00.000+08:00","timezoneId":"Asia/Shanghai","crontab":"0 0 5 * * ? *","failureStrategy":"END",
	 "warningType":"ALL","warningGroupId":7,"processInstancePriority":"HIGH","workerGroup":"gpu","environmentCode":-1,"releaseState":"ONLINE"}`
	for name, text := range map[string]string{
		"a list": "[" + dagOf("process", s) + "]", "one": dagOf("process", s), "an answer": `{"code":0,"msg":"success","data":` + dagOf("process", s) + `}`,
		"an answer with a list": `{"code":0,"data":[` + dagOf("process", s) + `]}`, "with a mark of order": "\xef\xbb\xbf[" + dagOf("process", s) + "]",
	} {
		b := read(t, text)
		require.Equal(t, neutral.DS2, b.Format, name)
		d := b.Workflows[0].Definition
		require.Equal(t, int64(4652338640256), d.Code)
		require.Equal(t, []flow.Edge{{Pre: 4652334706048, Post: 4652640021376}}, d.Edges)
		require.Equal(t, "1", d.GlobalParams[0].Value)
		require.InDelta(t, 160, d.Locations[0].X, 0)
		require.Equal(t, int64(4711247356672), d.Tasks[0].EnvironmentCode)
		require.JSONEq(t, `{"json":"{}","customConfig":1}`, string(d.Tasks[1].Params))
		require.Equal(t, []neutral.Schedule{{
			Start: "2022-03-03 00:00:00", End: "2122-03-03 00:00:00", Zone: "Asia/Shanghai", Crontab: "0 0 5 * * ? *", FailureStrategy: "END",
			WarningType: "ALL", WarningGroup: 7, Priority: "HIGH", WorkerGroup: "gpu", Tenant: "id:2", Environment: -1,
		}}, b.Workflows[0].Schedules, name)
	}
	require.Equal(t, neutral.DS3, read(t, "["+dagOf("workflow", "null")+"]").Format)
	require.Equal(t, neutral.Mixed, read(t, "["+dagOf("workflow", "null")+","+dagOf("process", "null")+"]").Format)
}

// The structure is that of workflow-json/test.json in dolphinscheduler-api-test of https://github.com/apache/dolphinscheduler.
func TestWhatClientsPostIsRead(t *testing.T) {
	t.Parallel()
	b := read(t, `{"taskDefinitionJson":[{"code":164597693773600,"delayTime":"0","failRetryInterval":"1","failRetryTimes":"0","flag":"YES","name":"test1",
	 "taskParams":{"localParams":[],"rawScript":"echo 'hello world'","resourceList":[]},"taskType":"SHELL","workerGroup":"","cpuQuota":-1}],
	 "taskRelationJson":"[{\"name\":\"\",\"preTaskCode\":0,\"postTaskCode\":164597693773600}]","name":"test1","executionType":"PARALLEL","globalParams":[],"timeout":0}`)
	require.Equal(t, neutral.DSForm, b.Format)
	require.Equal(t, "default", b.Workflows[0].Definition.Tasks[0].WorkerGroup)
}

func TestWhatIsNoWorkflowIsRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		``, `{`, `[]`, `7`, `null`, `"x"`, `[7]`, `[null]`, `{}`, `[{"a":1}]`, `{"code":0,"data":null}`, `[{"processDefinition":7}]`,
		`[{"processDefinitionJson":"no"}]`, `[{"processDefinition":{"name":"x"},"taskDefinitionList":"[7]"}]`,
		`[{"processDefinition":{"name":"x"},"taskDefinitionList":[{"code":"x"}]}]`, strings.Repeat("[", 20_000),
	} {
		require.ErrorIs(t, dsfile.Read(&neutral.Bundle{}, "f", []byte(s)), neutral.ErrUnreadable, "%.40s", s)
	}
	require.ErrorIs(t, dsfile.Read(&neutral.Bundle{}, "f", make([]byte, neutral.MaxFile+1)), neutral.ErrTooLarge)
	many := "[" + strings.Repeat(`{"processDefinition":{},"taskDefinitionList":[]},`, neutral.MaxWorkflows) + `{"processDefinition":{}}]`
	require.ErrorIs(t, dsfile.Read(&neutral.Bundle{}, "f", []byte(many)), neutral.ErrTooMany)
}

func TestSQLFilesBecomeTasksInTheOrderOfTheirComments(t *testing.T) {
	t.Parallel()
	b := &neutral.Bundle{}
	require.NoError(t, dsfile.ReadSQL(b, "warehouse", []neutral.Entry{
		{Path: "a.sql", Data: []byte("-- name: extract\n-- upstream: root\n-- datasource: mysql\n\nselect * from t;\n")},
		{Path: "b.sql", Data: []byte("-- name: load\n-- upstream: extract,missing\n-- datasource: mysql\ninsert into x select 1;\n")},
		{Path: "c.sql", Data: []byte("delete from y")},
	}))
	require.NoError(t, b.Finish())
	d := b.Workflows[0].Definition
	require.Equal(t, "warehouse", d.Name)
	require.Equal(t, []flow.Edge{{Pre: d.Tasks[0].Code, Post: d.Tasks[1].Code}}, d.Edges)
	require.Equal(t, "c", d.Tasks[2].Name)
	require.Contains(t, string(d.Tasks[0].Params), `"sqlType":"0"`)
	require.Contains(t, string(d.Tasks[1].Params), `"sqlType":"1"`)
	require.Len(t, b.Names, 1)
	require.Equal(t, "transfer.note.pre_unknown", b.Notes[0].Key)
}

func record(t *testing.T) dsfile.Record {
	t.Helper()
	d := read(t, "["+dagOf("process", "null")+"]").Workflows[0].Definition
	d.Version = 3
	d.Tasks = append(d.Tasks, neutral.DefaultTask())
	d.Tasks[2].Name, d.Tasks[2].Code, d.Tasks[2].Type = "sub", 9, "SUB_WORKFLOW"
	d.Tasks[2].Params = json.RawMessage(`{"workflowDefinitionCode":12345678901234,"localParams":[{"prop":"workflowDefinitionCode","direct":"IN","type":"VARCHAR","value":"<>"}]}`)
	at := time.Date(2024, 10, 18, 2, 0, 0, 0, time.UTC)
	return dsfile.Record{Definition: d, ID: 1, OwnerID: 2, ModifierID: 3, CreatedAt: at, UpdatedAt: at, Schedules: []dsfile.Timing{
		{Schedule: neutral.Schedule{Start: "2024-01-01 00:00:00", End: "2124-01-01 00:00:00", Zone: "UTC", Crontab: "0 0 1 * * ?", WorkerGroup: "default", Tenant: "default", Environment: -1}, ID: 5, UserID: 2, CreatedAt: at, UpdatedAt: at},
		{Schedule: neutral.Schedule{Start: "2024-01-01 00:00:00", End: "2124-01-01 00:00:00", Zone: "UTC", Crontab: "0 0 2 * * ?", Name: "second"}},
	}}
}

func write(t *testing.T, o dsfile.Options, records ...dsfile.Record) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, dsfile.Write(&out, records, o))
	require.True(t, json.Valid(out.Bytes()))
	return out.String()
}

func TestFilesAreLaidOutAsDolphinSchedulerDoes(t *testing.T) {
	t.Parallel()
	got := write(t, dsfile.Options{Zone: time.FixedZone("", 8*3600)}, record(t))
	require.True(t, strings.HasPrefix(got, "[ {\n  \"workflowDefinition\" : {\n    \"id\" : 1,\n    \"code\" : 4652338640256,\n    \"name\" : \"test\",\n    \"version\" : 3,"), got[:200])
	require.Contains(t, got, "\"createTime\" : \"2024-10-18 10:00:00\"")
	require.Contains(t, got, "\"conditionParams\" : { },")
	require.Contains(t, got, "\"taskParamList\" : [ ],")
	require.Contains(t, got, "}, {\n    \"id\" : 2,")
	require.NotContains(t, got, "dependence\" :", "a file has no member for what the parameters hold")
	require.NotContains(t, got, "process")
}

func TestEachGenerationGetsItsWords(t *testing.T) {
	t.Parallel()
	got := write(t, dsfile.Options{Words: dsfile.Process}, record(t))
	for _, want := range []string{
		`"processDefinition" : {`, `"processTaskRelationList" : [ {`, `"processDefinitionVersion" : 3`, `"processInstancePriority" : `, `"taskType" : "SUB_PROCESS"`,
		`"processDefinitionCode" : 12345678901234`, `"prop" : "workflowDefinitionCode"`, `"workflowDefinitionCode" : "<>"`,
	} {
		require.Contains(t, got, want)
	}
	require.Equal(t, neutral.DS2, read(t, got).Format)
}

func TestAFileThatIsReadAndWrittenStaysTheSame(t *testing.T) {
	t.Parallel()
	for _, o := range []dsfile.Options{{Stable: true}, {Stable: true, Words: dsfile.Process}} {
		once := write(t, o, record(t))
		b := read(t, once)
		r := dsfile.Record{Definition: b.Workflows[0].Definition, ID: 77, OwnerID: 8, ModifierID: 9, CreatedAt: time.Now(), UpdatedAt: time.Now()}
		for _, s := range b.Workflows[0].Schedules {
			r.Schedules = append(r.Schedules, dsfile.Timing{Schedule: s, ID: 3, CreatedAt: time.Now()})
		}
		require.Equal(t, once, write(t, o, r))
	}
}

func FuzzRead(f *testing.F) {
	raw, err := os.ReadFile("testdata/ds13.json")
	require.NoError(f, err)
	for _, s := range []string{
		string(raw), dagOf("process", "null"), "[" + dagOf("workflow", `{"crontab":"x"}`) + "]", `{"taskDefinitionJson":[{}],"name":"x"}`, `[{"processDefinitionJson":"{\"tasks\":[{\"type\":\"DEPENDENT\"}]}"}]`,
		`{"code":0,"data":{"processDefinition":{}}}`, `"[]"`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := &neutral.Bundle{}
		if dsfile.Read(b, "f", data) != nil || b.Finish() != nil {
			return
		}
		var records []dsfile.Record
		for _, w := range b.Workflows {
			records = append(records, dsfile.Record{Definition: w.Definition})
		}
		var out bytes.Buffer
		require.NoError(t, dsfile.Write(&out, records, dsfile.Options{Words: dsfile.Process}))
		require.True(t, json.Valid(out.Bytes()))
	})
}

func TestFilesThatTasksNameByNumberGetNames(t *testing.T) {
	t.Parallel()
	params := func(text string) (string, []neutral.Note) {
		t.Helper()
		b := read(t, `{"taskDefinitionJson":[{"code":164597693773600,"name":"test1","taskParams":`+text+`,"taskType":"SHELL"}],"name":"test1"}`)
		return string(b.Workflows[0].Definition.Tasks[0].Params), b.Notes
	}
	for in, want := range map[string]string{
		`{"resourceList":[{"id":3}],"rawScript":"pwd"}`:                                 `{"rawScript":"pwd","resourceList":[{"resourceName":"id:3"}]}`,
		`{"resourceList":[{"id":3,"name":"a.sh","res":"lib/a.sh"}]}`:                    `{"resourceList":[{"resourceName":"lib/a.sh"}]}`,
		`{"resourceList":[{"res":"a.sh"},{"resourceName":"b.sh","id":4}]}`:              `{"resourceList":[{"resourceName":"a.sh"},{"resourceName":"b.sh","id":4}]}`,
		`{"mainJar":{"id":7},"resourceList":[]}`:                                        `{"mainJar":{"resourceName":"id:7"},"resourceList":[]}`,
		`{"resourceList":[{"id":-1},{},7,"x"],"id":3}`:                                  `{"resourceList":[{"id":-1},{},7,"x"],"id":3}`,
		`{"resourceList":[{"id":3,"fullName":"file:/dolphinscheduler/x/resources/a"}]}`: `{"resourceList":[{"resourceName":"file:/dolphinscheduler/x/resources/a"}]}`,
	} {
		got, notes := params(in)
		require.Equal(t, want, got)
		require.Len(t, notes, strings.Count(want, `"id:`), "only what stays without a name stands in the report")
	}
	b := read(t, `[{"processDefinitionName":"old","processDefinitionJson":{"tasks":[{"name":"a","type":"SHELL","id":"tasks-1","params":{"resourceList":[{"id":3,"name":"x","res":"dir/x"},{"id":5}],"rawScript":"true"}}]}}]`)
	require.JSONEq(t, `{"rawScript":"true","resourceList":[{"resourceName":"dir/x"},{"resourceName":"id:5"}]}`, string(b.Workflows[0].Definition.Tasks[0].Params))
	require.Len(t, b.Notes, 1)
	require.Equal(t, "transfer.note.resource_by_number", b.Notes[0].Key)
	require.Equal(t, []any{"id", "5", "name", "id:5"}, b.Notes[0].Args)
}
