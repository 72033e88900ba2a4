package flow_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
)

func TestLogicParametersAreReadInTheirOldAndNewForms(t *testing.T) {
	t.Parallel()
	c, err := flow.DecodeConditions(json.RawMessage(`{"dependence":{"relation":"AND","dependTaskList":[{"relation":"OR","dependItemList":[
		{"depTaskCode":11,"status":"SUCCESS"},{"depTaskCode":"12","status":"FAILURE"}]}]},"conditionResult":{"successNode":[1,"2",null,""],"failedNode":3}}`))
	require.NoError(t, err)
	require.Equal(t, flow.Conditions{
		Relation: flow.And, Success: []int64{1, 2}, Failed: []int64{3},
		Groups: []flow.ConditionGroup{{Relation: flow.Or, Items: []flow.ConditionItem{{TaskCode: 11, Status: flow.TaskSuccess}, {TaskCode: 12, Status: flow.TaskFailure}}}},
	}, c)

	for _, raw := range []string{
		`{"switchResult":{"dependTaskList":[{"condition":"${a} == 1","nextNode":7}],"nextNode":8}}`,
		`{"switchResult":"{\"dependTaskList\":[{\"condition\":\"${a} == 1\",\"nextNode\":[7]}],\"nextNode\":[\"8\"]}"}`,
	} {
		s, err := flow.DecodeSwitch(json.RawMessage(raw))
		require.NoError(t, err)
		require.Equal(t, flow.Switch{Cases: []flow.SwitchCase{{Condition: "${a} == 1", Next: 7}}, Default: 8}, s)
	}
	s, err := flow.DecodeSwitch(json.RawMessage(`{"switchResult":{"nextNode":null}}`))
	require.NoError(t, err)
	require.Zero(t, s.Default)

	for _, raw := range []string{`{"processDefinitionCode":5}`, `{"workflowDefinitionCode":"5"}`} {
		sub, err := flow.DecodeSubWorkflow(json.RawMessage(raw))
		require.NoError(t, err)
		require.Equal(t, int64(5), sub.WorkflowCode)
	}

	d, err := flow.DecodeDependent(json.RawMessage(`{"dependence":{"relation":"OR","failurePolicy":"DEPENDENT_FAILURE_WAITING","failureWaitingTime":30,
		"dependTaskList":[{"dependItemList":[{"projectCode":1,"definitionCode":2,"depTaskCode":-1,"cycle":"day","dateValue":"last1Days","parameterPassing":true}]}]}}`))
	require.NoError(t, err)
	require.Equal(t, flow.Dependent{
		Relation: flow.Or, CheckInterval: 10, Policy: flow.DependentWaits, WaitingMinutes: 30,
		Groups: []flow.DependentGroup{{Relation: flow.And, Items: []flow.DependentItem{{
			ProjectCode: 1, WorkflowCode: 2, TaskCode: flow.AllTasks, Cycle: "day", DateValue: "last1Days", PassParameters: true,
		}}}},
	}, d)

	dynamic, err := flow.DecodeDynamic(json.RawMessage(`{"processDefinitionCode":5,"maxNumOfSubWorkflowInstances":10,"degreeOfParallelism":2,"filterCondition":"x, y","listParameters":[{"name":"n","value":"a;b","separator":";"}]}`))
	require.NoError(t, err)
	require.Equal(t, flow.Dynamic{WorkflowCode: 5, Most: 10, Parallel: 2, Filter: []string{"x", "y"}, Lists: []flow.DynamicList{{Name: "n", Value: "a;b", Separator: ";"}}}, dynamic)

	f, err := flow.DecodeForEach(json.RawMessage(`{"workflowDefinitionCode":5,"items":"a,b","failurePolicy":"continue"}`))
	require.NoError(t, err)
	require.Equal(t, flow.ForEach{WorkflowCode: 5, Items: "a,b", Separator: ",", ItemParam: "item", IndexParam: "index", Concurrency: 1, Policy: flow.ForEachContinue}, f)

	a, err := flow.DecodeApproval(json.RawMessage(`{"question":"Go?","role":"OWNER","expireMinutes":5,"onExpire":"APPROVE"}`))
	require.NoError(t, err)
	require.Equal(t, flow.Approval{Question: "Go?", Role: flow.ApproveOwner, ExpireMinutes: 5, OnExpire: flow.ExpireApprove}, a)
	a, err = flow.DecodeApproval(nil)
	require.NoError(t, err)
	require.Equal(t, flow.Approval{Role: flow.ApproveOperate, OnExpire: flow.ExpireReject}, a)
}

func TestAnUnreadableLogicParameterIsNamed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ taskType, params, path string }{
		{flow.TypeConditions, `[]`, "taskParams"},
		{flow.TypeConditions, `{"dependence":7}`, "taskParams.dependence"},
		{flow.TypeConditions, `{"dependence":{"relation":"XOR"}}`, "taskParams.dependence.relation"},
		{flow.TypeConditions, `{"dependence":{"dependTaskList":[{"dependItemList":[{},{"status":"MAYBE"}]}]}}`, "taskParams.dependence.dependTaskList[0].dependItemList[1].status"},
		{flow.TypeConditions, `{"conditionResult":{"successNode":["x"]}}`, "taskParams.conditionResult.successNode"},
		{flow.TypeSwitch, `{"switchResult":{"dependTaskList":[{"nextNode":[1,2]}]}}`, "taskParams.switchResult.dependTaskList[0].nextNode"},
		{flow.TypeSubWorkflow, `{}`, "taskParams.workflowDefinitionCode"},
		{flow.TypeSubProcess, `{"processDefinitionCode":-1}`, "taskParams.workflowDefinitionCode"},
		{flow.TypeDependent, `{"dependence":{"dependTaskList":[{"dependItemList":[{"definitionCode":0}]}]}}`, "taskParams.dependence.dependTaskList[0].dependItemList[0].definitionCode"},
		{flow.TypeDependent, `{"dependence":{"failurePolicy":"HOPE"}}`, "taskParams.dependence.failurePolicy"},
		{flow.TypeDynamic, `{"workflowDefinitionCode":1,"maxNumOfSubWorkflowInstances":1000000}`, "taskParams.maxNumOfSubWorkflowInstances"},
		{flow.TypeDynamic, `{"workflowDefinitionCode":1,"listParameters":[{"value":"a"}]}`, "taskParams.listParameters[0].name"},
		{flow.TypeForEach, `{"workflowDefinitionCode":1,"concurrency":0}`, "taskParams.concurrency"},
		{flow.TypeForEach, `{"workflowDefinitionCode":1,"itemParam":"index"}`, "taskParams.indexParam"},
		{flow.TypeApproval, `{"role":"EVERYBODY"}`, "taskParams.role"},
	} {
		err := flow.CheckLogic(tc.taskType, json.RawMessage(tc.params))
		var wire *flow.WireError
		require.ErrorAs(t, err, &wire, "%s %s", tc.taskType, tc.params)
		require.Equal(t, tc.path, wire.Path, tc.params)
	}
	require.NoError(t, flow.CheckLogic("SHELL", json.RawMessage(`{"dependence":7}`)))
}

func TestConditionsCombineAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	states := map[int64]flow.TaskState{1: flow.TaskSuccess, 2: flow.TaskFailure, 3: flow.TaskForcedSuccess, 4: flow.TaskLost, 5: flow.TaskKill}
	state := func(code int64) flow.TaskState { return states[code] }
	item := func(code int64, s flow.TaskState) flow.ConditionItem {
		return flow.ConditionItem{TaskCode: code, Status: s}
	}
	group := func(r flow.Relation, items ...flow.ConditionItem) flow.ConditionGroup {
		return flow.ConditionGroup{Relation: r, Items: items}
	}
	for _, tc := range []struct {
		relation flow.Relation
		groups   []flow.ConditionGroup
		want     bool
	}{
		{flow.And, []flow.ConditionGroup{group(flow.And, item(1, flow.TaskSuccess), item(2, flow.TaskFailure))}, true},
		{flow.And, []flow.ConditionGroup{group(flow.And, item(1, flow.TaskSuccess), item(2, flow.TaskSuccess))}, false},
		{flow.And, []flow.ConditionGroup{group(flow.Or, item(1, flow.TaskFailure), item(2, flow.TaskFailure))}, true},
		{flow.And, []flow.ConditionGroup{group(flow.Or, item(1, flow.TaskSuccess)), group(flow.Or, item(2, flow.TaskSuccess))}, false},
		{flow.Or, []flow.ConditionGroup{group(flow.And, item(1, flow.TaskFailure)), group(flow.And, item(2, flow.TaskFailure))}, true},
		{flow.Or, []flow.ConditionGroup{group(flow.And, item(1, flow.TaskFailure))}, false},
		{flow.And, []flow.ConditionGroup{group(flow.And, item(3, flow.TaskSuccess))}, true},  // forced
		{flow.And, []flow.ConditionGroup{group(flow.And, item(4, flow.TaskFailure))}, true},  // lost
		{flow.And, []flow.ConditionGroup{group(flow.And, item(5, flow.TaskFailure))}, false}, // killed by a user
		{flow.And, []flow.ConditionGroup{group(flow.And, item(9, flow.TaskFailure))}, false}, // no instance
		{flow.Or, []flow.ConditionGroup{group(flow.Or, item(9, flow.TaskSuccess))}, false},
	} {
		next, holds := flow.Conditions{Relation: tc.relation, Groups: tc.groups, Success: []int64{7}, Failed: []int64{8}}.Choose(state)
		require.Equal(t, tc.want, holds, "%+v", tc)
		require.Equal(t, map[bool][]int64{true: {7}, false: {8}}[holds], next)
	}
}

func TestDependenciesJoin(t *testing.T) {
	t.Parallel()
	const s, w, f = flow.DependSuccess, flow.DependWaiting, flow.DependFailed
	for _, tc := range []struct {
		relation flow.Relation
		results  []flow.DependResult
		want     flow.DependResult
	}{
		{flow.And, []flow.DependResult{s, s}, s},
		{flow.And, []flow.DependResult{s, w}, w},
		{flow.And, []flow.DependResult{w, f}, f},
		{flow.Or, []flow.DependResult{f, w, s}, s},
		{flow.Or, []flow.DependResult{f, w}, w},
		{flow.Or, []flow.DependResult{f, f}, f},
	} {
		require.Equal(t, tc.want, tc.relation.Join(tc.results), "%+v", tc)
	}
}

func TestSwitchTakesTheFirstTrueConditionAndTellsWhy(t *testing.T) {
	t.Parallel()
	params, err := flow.Resolve(flow.ParamSources{Local: []flow.Property{
		{Prop: "n", Type: flow.Integer, Value: "5"}, {Prop: "name", Type: flow.Varchar, Value: "1"}, {Prop: "over", Type: flow.Integer, Value: "1"},
	}})
	require.NoError(t, err)
	upstream := flow.Pool{}.Emit(1, time.Unix(0, 0), []flow.Property{{Prop: "over", Direct: flow.Out, Type: flow.Integer, Value: "2"}})
	choose := func(fallback int64, conditions ...string) (int64, string, error) {
		s := flow.Switch{Default: fallback}
		for i, c := range conditions {
			s.Cases = append(s.Cases, flow.SwitchCase{Condition: c, Next: int64(i + 1)})
		}
		return s.Choose(flow.ConditionParams(params, upstream))
	}
	next, log, err := choose(9, "${n} > 9", `"${name}" === "1"`, "true")
	require.NoError(t, err)
	require.Equal(t, int64(2), next)
	require.Contains(t, log, "${n} > 9  =>  5 > 9 = false")
	require.Contains(t, log, `"1" === "1" = true`)
	require.False(t, (&flow.Switch{Cases: []flow.SwitchCase{{Condition: "true"}}}).UsesParams())
	next, log, err = choose(9, "${missing} == 1", "while(true)")
	require.NoError(t, err)
	require.Equal(t, int64(9), next)
	require.Contains(t, log, "no parameter is called missing")
	require.Contains(t, log, "loops are not allowed")
	next, _, err = choose(0, "${over} == 2") // upstream lies over what is declared
	require.NoError(t, err)
	require.Equal(t, int64(1), next)
	_, _, err = choose(0, "false")
	require.ErrorIs(t, err, flow.ErrNoBranch)
}

func TestElementsOfAList(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`["a", 1, true, {"k":[1]}, ""]`: {"a", "1", "true", `{"k":[1]}`, ""},
		"a, b ,,c":                      {"a", "b", "c"},
		"":                              nil,
		"[]":                            nil,
	} {
		got, err := flow.Elements(text, ",")
		require.NoError(t, err)
		require.Equal(t, want, got, text)
	}
	_, err := flow.Elements("[1,", ",")
	require.ErrorContains(t, err, "items")
	_, err = flow.Elements(strings.Repeat("a,", flow.MaxElements+1), ",")
	require.ErrorContains(t, err, "10000")
}

func TestDynamicCombinesItsListsUpToItsLimit(t *testing.T) {
	t.Parallel()
	d := flow.Dynamic{Most: 3, Filter: []string{"x"}, Lists: []flow.DynamicList{{Name: "a", Value: "1,x,2", Separator: ","}, {Name: "b", Value: "p|q", Separator: "|"}}}
	same := func(s string) (string, error) { return s, nil }
	rows, err := d.Combinations(same)
	require.NoError(t, err)
	var got []string
	for _, row := range rows {
		got = append(got, row[0].Prop+row[0].Value+row[1].Prop+row[1].Value)
	}
	require.Equal(t, []string{"a1bp", "a1bq", "a2bp"}, got)
	d.Lists[1].Value = ""
	rows, err = d.Combinations(same)
	require.NoError(t, err)
	require.Empty(t, rows)
	many := flow.Dynamic{Most: flow.MaxElements}
	for range 20 {
		many.Lists = append(many.Lists, flow.DynamicList{Name: "n", Value: "1,2,3,4,5,6,7,8,9", Separator: ","})
	}
	rows, err = many.Combinations(same)
	require.NoError(t, err)
	require.Len(t, rows, flow.MaxElements)
}

func TestKindsOfTasks(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]flow.TaskKind{
		"SHELL": flow.KindPhysical, "": flow.KindPhysical, flow.TypeConditions: flow.KindConditions, flow.TypeSwitch: flow.KindSwitch,
		flow.TypeSubWorkflow: flow.KindSubWorkflow, flow.TypeSubProcess: flow.KindSubWorkflow, flow.TypeDependent: flow.KindDependent,
		flow.TypeDynamic: flow.KindDynamic, flow.TypeForEach: flow.KindForEach, flow.TypeApproval: flow.KindApproval,
	} {
		require.Equal(t, want, flow.KindOf(name), name)
		require.Equal(t, want != flow.KindPhysical, want.Logic())
	}
}

// branching is a>s, s>b, s>c with a logic task s.
func branching(taskType, params string) *flow.Definition {
	def := workflow("asbcz", "a>s", "s>b", "s>c")
	for i := range def.Tasks {
		def.Tasks[i].Flag, def.Tasks[i].Priority = flow.FlagYes, flow.Medium
		if def.Tasks[i].Name == "s" {
			def.Tasks[i].Type, def.Tasks[i].Params = taskType, json.RawMessage(params)
		}
	}
	return def
}

func TestLogicTasksMustFitTheGraph(t *testing.T) {
	t.Parallel()
	// a 1, s 2, b 3, c 4, z 5 by the names' places
	code := map[string]int64{}
	for _, task := range branching("SHELL", "{}").Tasks {
		code[task.Name] = task.Code
	}
	sub := func(s string) string {
		for name, c := range code {
			n, err := json.Marshal(c)
			require.NoError(t, err)
			s = strings.ReplaceAll(s, "#"+name, string(n))
		}
		return s
	}
	conditions := `{"dependence":{"dependTaskList":[{"dependItemList":[{"depTaskCode":#a}]}]},"conditionResult":{"successNode":[#b],"failedNode":[#c]}}`
	for _, tc := range []struct{ taskType, params, want string }{
		{flow.TypeConditions, conditions, ""},
		{flow.TypeConditions, strings.ReplaceAll(conditions, "[#c]", "[]"), "taskParams.conditionResult.failedNode flow.problem.branch_empty"},
		{flow.TypeConditions, strings.ReplaceAll(conditions, "[#b]", "[#z]"), "taskParams.conditionResult.successNode flow.problem.not_successor"},
		{flow.TypeConditions, strings.ReplaceAll(conditions, "#a", "#z"), "taskParams.dependence.dependTaskList flow.problem.not_predecessor"},
		{flow.TypeConditions, strings.ReplaceAll(conditions, `{"dependItemList":[{"depTaskCode":#a}]}`, ""), "taskParams.dependence.dependTaskList flow.problem.condition_missing"},
		{flow.TypeConditions, `{"dependence":3}`, "taskParams.dependence flow.problem.field_unreadable"},
		{flow.TypeSwitch, `{"switchResult":{"dependTaskList":[{"condition":"${n} > 1","nextNode":#b}],"nextNode":#c}}`, ""},
		{flow.TypeSwitch, `{"switchResult":{"dependTaskList":[{"condition":"while(true)","nextNode":#b}],"nextNode":#c}}`, "taskParams.switchResult.dependTaskList[0].condition flow.problem.condition_bad"},
		{flow.TypeSwitch, `{"switchResult":{"dependTaskList":[{"condition":"true","nextNode":#a}],"nextNode":#c}}`, "taskParams.switchResult.dependTaskList[0].nextNode flow.problem.not_successor"},
		{flow.TypeSwitch, `{"switchResult":{"dependTaskList":[{"condition":"true"}],"nextNode":#c}}`, "taskParams.switchResult.dependTaskList[0].nextNode flow.problem.branch_empty"},
		{flow.TypeSwitch, `{"switchResult":{"nextNode":#z}}`, "taskParams.switchResult.nextNode flow.problem.not_successor"},
		{flow.TypeSwitch, `{}`, "taskParams.switchResult.dependTaskList flow.problem.condition_missing"},
		{flow.TypeSubWorkflow, `{"workflowDefinitionCode":4711}`, "taskParams.workflowDefinitionCode flow.problem.child_itself"},
		{flow.TypeDependent, `{"dependence":{"dependTaskList":[{"dependItemList":[{"definitionCode":1,"dateValue":"someday"}]}]}}`, "taskParams.dependence.dependTaskList[0].dependItemList[0].dateValue flow.problem.unknown_value"},
		{flow.TypeDependent, `{"dependence":{"dependTaskList":[{"dependItemList":[{"definitionCode":1,"dateValue":"today","depTaskCode":-2}]}]}}`, "taskParams.dependence.dependTaskList[0].dependItemList[0].depTaskCode flow.problem.unknown_value"},
		{flow.TypeDependent, `{}`, "taskParams.dependence.dependTaskList flow.problem.condition_missing"},
		{flow.TypeDynamic, `{"workflowDefinitionCode":1}`, "taskParams.listParameters flow.problem.list_missing"},
		{flow.TypeForEach, `{"workflowDefinitionCode":1}`, "taskParams.items flow.problem.list_missing"},
		{"BLOCKING", `{}`, "taskType flow.problem.blocking"},
	} {
		def := branching(tc.taskType, sub(tc.params))
		def.Code = 4711
		got := ""
		for _, p := range flow.Validate(def, nil, "n") {
			if p.Severity == flow.SeverityError {
				got = p.Field + " " + p.Key
				require.Equal(t, "s", p.TaskName)
				break
			}
		}
		require.Equal(t, tc.want, got, "%s %s", tc.taskType, tc.params)
	}
}

func TestFinallyTasksStandApart(t *testing.T) {
	t.Parallel()
	def := workflow("abcd", "a>b", "c>d")
	for i := range def.Tasks {
		def.Tasks[i].Flag = flow.FlagYes
		def.Tasks[i].Finally = def.Tasks[i].Name > "b"
	}
	require.False(t, flow.HasErrors(flow.Validate(def, nil)))
	g, err := flow.Compile(def)
	require.NoError(t, err)
	count := func(depend flow.TaskDependType) (n int) {
		in, err := g.Scope([]int64{def.Tasks[0].Code}, depend)
		require.NoError(t, err)
		for _, x := range in {
			if x {
				n++
			}
		}
		return n
	}
	require.Equal(t, 4, count(flow.TaskPost), "finally tasks come after all")
	require.Equal(t, 1, count(flow.TaskOnly))
	def.Edges = append(def.Edges, flow.Edge{Pre: def.Tasks[1].Code, Post: def.Tasks[2].Code})
	problems := flow.Validate(def, nil)
	require.Equal(t, "flow.problem.finally_edge", problems[0].Key)
	def.Edges = def.Edges[:1]
	for i := range def.Tasks {
		def.Tasks[i].Finally = true
	}
	require.Equal(t, "flow.problem.finally_only", flow.Validate(def, nil)[0].Key)
}

func TestGlobalsThatReferToEachOtherAreNamedAndStayAsTheyAre(t *testing.T) {
	t.Parallel()
	def := sound()
	def.GlobalParams = []flow.Property{{Prop: "a", Value: "${b}"}, {Prop: "b", Value: "x${a}"}, {Prop: "c", Value: "${c}"}, {Prop: "d", Value: "${a}"}}
	problems := flow.Validate(def, scripts())
	require.Len(t, problems, 1)
	require.Equal(t, "flow.problem.param_cycle", problems[0].Key)
	require.Equal(t, []any{"path", "a → b → a"}, problems[0].Args)
	require.Equal(t, flow.SeverityWarning, problems[0].Severity)
	cured, err := flow.Cure(def.GlobalParams, nil, time.Unix(0, 0))
	require.NoError(t, err)
	require.Equal(t, []string{"${b}", "x${a}", "${c}", "${b}"}, []string{cured[0].Value, cured[1].Value, cured[2].Value, cured[3].Value})

	def.GlobalParams = []flow.Property{{Prop: "a}b", Value: "1"}}
	require.Equal(t, "flow.problem.param_name_bad", flow.Validate(def, scripts())[0].Key)
}

func TestTheParameterOfARunFollowsItsCommands(t *testing.T) {
	t.Parallel()
	p := flow.CommandParam{StartNodes: []int64{1}}
	p = p.Next(flow.CommandStart, flow.CommandExecuteTask, []int64{7}, flow.TaskPost)
	require.Equal(t, flow.CommandParam{StartNodes: []int64{1}, ExecuteNodes: []int64{7}, ExecuteDepend: flow.TaskPost}, p)
	require.Equal(t, p, p.Next(flow.CommandExecuteTask, flow.CommandRecoverFailed, nil, ""))
	require.Equal(t, flow.CommandParam{}, p.Next(flow.CommandExecuteTask, flow.CommandRepeat, nil, ""), "the start nodes go with EXECUTE_TASK")
	require.Equal(t, flow.CommandParam{StartNodes: []int64{1}}, p.Next(flow.CommandRecoverFailed, flow.CommandRepeat, nil, ""))
}

func TestEachWarningTypeHearsOfItsEnds(t *testing.T) {
	t.Parallel()
	for _, state := range flow.WorkflowStates() {
		want := map[flow.WarningType]flow.AlertType{}
		switch state {
		case flow.WorkflowSuccess:
			want = map[flow.WarningType]flow.AlertType{flow.WarningSuccess: flow.AlertSuccess, flow.WarningAll: flow.AlertSuccess}
		case flow.WorkflowFailure:
			want = map[flow.WarningType]flow.AlertType{flow.WarningFailure: flow.AlertFailure, flow.WarningAll: flow.AlertFailure}
		case flow.WorkflowStop, flow.WorkflowPause:
			want = map[flow.WarningType]flow.AlertType{flow.WarningAll: flow.AlertFailure}
		default:
		}
		for _, w := range []flow.WarningType{flow.WarningNone, flow.WarningSuccess, flow.WarningFailure, flow.WarningAll} {
			require.Equal(t, want[w], w.EndAlert(state), "%s %s", w, state)
		}
	}
}

func TestW21_OneZoneDecidesAllDatesOfARun(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 3, 31, 0, 30, 0, 0, time.UTC) // London changes its clocks half an hour later
	for _, tc := range []struct{ zone, today, yesterday, inHours, datetime string }{
		{"UTC", "20240331", "20240330", "2024-03-31 02:30", "20240331003000"},
		{"Asia/Shanghai", "20240331", "20240330", "2024-03-31 10:30", "20240331083000"},
		{"Europe/London", "20240331", "20240330", "2024-03-31 03:30", "20240331003000"},
		{"America/New_York", "20240330", "20240329", "2024-03-30 22:30", "20240330203000"},
	} {
		zone, err := time.LoadLocation(tc.zone)
		require.NoError(t, err)
		base := at.In(zone)
		params, err := flow.Resolve(flow.ParamSources{
			Builtin: flow.Builtins(flow.BuiltinInput{Base: base}), Base: base, Scheduled: true,
			Local: []flow.Property{
				{Prop: "today", Value: "$[yyyyMMdd]"},
				{Prop: "yesterday", Value: "$[yyyyMMdd-1]"},
				{Prop: "inHours", Value: "$[yyyy-MM-dd HH:mm+2/24]"},
				{Prop: "biz", Value: "${system.biz.date}"},
			},
		})
		require.NoError(t, err)
		require.Equal(t, []string{tc.today, tc.yesterday, tc.inHours, tc.yesterday, tc.datetime}, []string{
			params.Values["today"], params.Values["yesterday"], params.Values["inHours"], params.Values["biz"], params.Values[flow.DatetimeParam],
		}, tc.zone)
	}
}

func TestProjectParametersAreTheWeakestThatPeopleWrite(t *testing.T) {
	t.Parallel()
	one := func(v string) []flow.Property { return []flow.Property{{Prop: "p", Value: v}} }
	in := flow.ParamSources{Project: one("project")}
	value := func() string {
		params, err := flow.Resolve(in)
		require.NoError(t, err)
		return params.Values["p"]
	}
	require.Equal(t, "project", value())
	in.Global = one("global")
	require.Equal(t, "global", value())
	in.Upstream = flow.Pool{}.Emit(1, time.Unix(0, 0), []flow.Property{{Prop: "p", Direct: flow.Out, Value: "upstream"}})
	require.Equal(t, "upstream", value())
	in.Local = one("")
	require.Empty(t, value(), "a local parameter wins even when it is empty")
	in.Local = one("local")
	require.Equal(t, "local", value())
	in.Startup = one("startup")
	require.Equal(t, "startup", value())
}

func FuzzLogicParams(f *testing.F) {
	for _, seed := range []string{
		`{"dependence":{"relation":"OR","dependTaskList":[{"dependItemList":[{"depTaskCode":1,"status":"FAILURE"}]}]},"conditionResult":{"successNode":[1],"failedNode":2}}`,
		`{"switchResult":"{\"nextNode\":[1]}"}`, `{"workflowDefinitionCode":1e3,"items":"[]","concurrency":"2"}`, `[null]`, `{"dependence":[{}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, taskType := range []string{
			flow.TypeConditions, flow.TypeSwitch, flow.TypeSubWorkflow, flow.TypeDependent, flow.TypeDynamic, flow.TypeForEach, flow.TypeApproval,
		} {
			if err := flow.CheckLogic(taskType, json.RawMessage(text)); err != nil {
				var wire *flow.WireError
				require.ErrorAs(t, err, &wire)
				require.True(t, strings.HasPrefix(wire.Path, "taskParams"), wire.Path)
			}
			def := branching(taskType, text)
			def.Code = 9
			_ = flow.Validate(def, nil)
		}
	})
}
