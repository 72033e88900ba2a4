package flow_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
)

func shanghai(t testing.TB) time.Time {
	t.Helper()
	loc, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	return time.Date(2024, 2, 29, 13, 5, 9, 0, loc)
}

// props builds IN VARCHAR parameters from "name=value" texts.
func props(pairs ...string) []flow.Property {
	var out []flow.Property
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		out = append(out, flow.Property{Prop: name, Direct: flow.In, Type: flow.Varchar, Value: value})
	}
	return out
}

func outs(pairs ...string) []flow.Property {
	list := props(pairs...)
	for i := range list {
		list[i].Direct = flow.Out
	}
	return list
}

func resolve(t *testing.T, in flow.ParamSources) flow.Params {
	t.Helper()
	in.Base = shanghai(t)
	out, err := flow.Resolve(in)
	require.NoError(t, err)
	return out
}

func TestBuiltinsFollowTheBaseTimeAndItsZone(t *testing.T) {
	t.Parallel()
	got := flow.Builtins(flow.BuiltinInput{
		Base: shanghai(t), ExecutePath: "/tmp/x", TaskInstanceID: 1, TaskName: "a", TaskCode: 2, WorkflowID: 3, WorkflowName: "w",
		WorkflowCode: 4, ProjectName: "p", ProjectCode: 5,
	})
	require.Equal(t, props(
		"system.biz.date=20240228", "system.biz.curdate=20240229", "system.datetime=20240229130509",
		"system.task.execute.path=/tmp/x", "system.task.instance.id=1", "system.task.definition.name=a",
		"system.task.definition.code=2", "system.workflow.instance.id=3", "system.workflow.definition.name=w",
		"system.workflow.definition.code=4", "system.project.name=p", "system.project.code=5",
	), got)
	require.Equal(t, props("system.biz.date=20240228", "system.biz.curdate=20240228", "system.datetime=20240228213509")[1:],
		flow.Builtins(flow.BuiltinInput{Base: shanghai(t).Add(30 * time.Minute).In(time.FixedZone("", -8*3600))})[1:])
}

func TestTheDayBeforeExistsEvenWithoutItsMidnight(t *testing.T) {
	t.Parallel()
	loc, err := time.LoadLocation("America/Sao_Paulo") // 2018-11-04 began at 01:00
	require.NoError(t, err)
	got := flow.Builtins(flow.BuiltinInput{Base: time.Date(2018, 11, 5, 0, 0, 0, 0, loc)})
	require.Equal(t, "20181104", got[0].Value)
}

func TestALaterLevelOverridesAnEarlierOne(t *testing.T) {
	t.Parallel()
	all := flow.ParamSources{
		Builtin: props("x=builtin"), Project: props("x=project"), Global: props("x=global"),
		Upstream: flow.Pool{}.Emit(7, time.Time{}, outs("x=upstream")), Local: props("x=local"), Startup: props("x=startup"),
	}
	for i := len(flow.Levels()) - 1; i >= 0; i-- {
		level := flow.Levels()[i]
		got := resolve(t, all)
		require.Equal(t, string(level), got.Values["x"])
		require.Len(t, got.List, 1)
		require.Equal(t, level, got.List[0].Source.Level)
		require.Equal(t, level == flow.LevelUpstream, got.List[0].Source.TaskCode == 7)
		switch level {
		case flow.LevelStartup:
			all.Startup = nil
		case flow.LevelLocal:
			all.Local = nil
		case flow.LevelUpstream:
			all.Upstream = flow.Pool{}
		case flow.LevelGlobal:
			all.Global = nil
		case flow.LevelProject:
			all.Project = nil
		case flow.LevelBuiltin:
		}
	}
}

func TestLocalParametersCountOnlyAsInputs(t *testing.T) {
	t.Parallel()
	got := resolve(t, flow.ParamSources{
		Global: props("a=global", "b=global"),
		Local:  append(outs("a=default"), flow.Property{Prop: "b"}),
	})
	require.Equal(t, map[string]string{"a": "global", "b": ""}, got.Values, "an empty local value blanks out the global one")
}

func TestValuesAreResolvedAgainstEachOther(t *testing.T) {
	t.Parallel()
	got := resolve(t, flow.ParamSources{
		Builtin: props("system.biz.date=20240228"),
		Global: props(
			"dir=/data/${system.biz.date}", "file=${dir}/${name}.csv", "name=part", "fmt=yyyyMMdd", "day=$[${fmt}-1]",
			"n=2", "v2=second", "nested=${v${n}}", "unknown=${nope}-${name}", "plain=100%", "cash=5$", "shell=$[0] $x ${HOME:-${name}}",
			"month=$[add_months(yyyyMM,-${n})]",
		),
	}).Values
	require.Equal(t, map[string]string{
		"system.biz.date": "20240228", "dir": "/data/20240228", "file": "/data/20240228/part.csv", "name": "part", "fmt": "yyyyMMdd",
		"day": "20240228", "n": "2", "v2": "second", "nested": "second", "unknown": "${nope}-part", "plain": "100%", "cash": "5$",
		"shell": "$[0] $x ${HOME:-part}", "month": "202312",
	}, got)
}

func TestCyclesAreLeftAsTheyAreWhicheverNameIsLookedAtFirst(t *testing.T) {
	t.Parallel()
	got := resolve(t, flow.ParamSources{Global: props(
		"a=${b}-${x}", "b=${c}", "c=${a}${b}", "self=<${self}>", "x=1", "z=${a}!", "d=${e}", "e=${d}${z}",
	)}).Values
	require.Equal(t, map[string]string{
		"a": "${b}-1", "b": "${c}", "c": "${a}${b}", "self": "<${self}>", "x": "1", "z": "${b}-1!", "d": "${e}", "e": "${d}${b}-1!",
	}, got)
}

func TestAValueMayExtendWhatTheLevelBelowHolds(t *testing.T) {
	t.Parallel()
	got := resolve(t, flow.ParamSources{
		Global:  props("path=/a", "day=$[yyyyMMdd]"),
		Local:   props("path=${path}/b", "day=${day}"),
		Startup: props("path=${path}/c"),
	})
	require.Equal(t, map[string]string{"path": "/a/b/c", "day": "20240229"}, got.Values)
	require.Equal(t, "${path}/c", got.List[1].Raw)
}

func TestTypesAndRawTextsAreKept(t *testing.T) {
	t.Parallel()
	got := resolve(t, flow.ParamSources{
		Global:  []flow.Property{{Prop: "n", Direct: flow.In, Type: flow.Integer, Value: "$[dd]"}},
		Startup: []flow.Property{{Prop: "n", Value: "1$[MM]"}, {Prop: "m"}, {Value: "nameless"}},
	})
	require.Equal(t, []flow.Param{
		{Property: flow.Property{Prop: "m", Direct: flow.In, Type: flow.Varchar}, Source: flow.Source{Level: flow.LevelStartup}},
		{Property: flow.Property{Prop: "n", Direct: flow.In, Type: flow.Integer, Value: "102"}, Raw: "1$[MM]", Source: flow.Source{Level: flow.LevelStartup}},
	}, got.List)
}

func TestNothingChangesTheDatetimeOfAScheduledRun(t *testing.T) {
	t.Parallel()
	in := flow.ParamSources{Startup: props("system.datetime=mine")}
	require.Equal(t, "mine", resolve(t, in).Values["system.datetime"])
	in.Scheduled = true
	require.Equal(t, "20240229130509", resolve(t, in).Values["system.datetime"])
}

func TestABadTimeExpressionIsAnErrorThatNamesTheParameter(t *testing.T) {
	t.Parallel()
	_, err := flow.Resolve(flow.ParamSources{Global: props("ok=1", "when=$[nope]"), Base: shanghai(t)})
	require.ErrorContains(t, err, `parameter "when"`)
	require.ErrorContains(t, err, "$[nope]")
}

func TestParametersThatMultiplyEachOtherAreStopped(t *testing.T) {
	t.Parallel()
	bomb := props("p0=" + strings.Repeat("x", 1000))
	for i := 1; i < 100; i++ {
		bomb = append(bomb, props(fmt.Sprintf("p%d=%s", i, strings.Repeat(fmt.Sprintf("${p%d}", i-1), 10)))...)
	}
	_, err := flow.Resolve(flow.ParamSources{Global: bomb, Base: shanghai(t)})
	require.ErrorIs(t, err, flow.ErrTooLarge)
	self := flow.ParamSources{Base: shanghai(t), Global: props("x=" + strings.Repeat("y", 5<<20)), Local: props("x=${x}${x}${x}${x}")}
	_, err = flow.Resolve(self)
	require.ErrorIs(t, err, flow.ErrTooLarge)
}

func TestALongChainOfReferencesResolves(t *testing.T) {
	t.Parallel()
	chain := props("p0=end")
	for i := 1; i < 10_000; i++ {
		chain = append(chain, props(fmt.Sprintf("p%d=${p%d}", i, i-1))...)
	}
	require.Equal(t, "end", resolve(t, flow.ParamSources{Global: chain}).Values["p9999"])
}

func TestCureFixesGlobalsWhenTheRunIsCreated(t *testing.T) {
	t.Parallel()
	globals := append(props("day=$[yyyyMMdd-1]", "dir=/d/${day}", "biz=${system.biz.date}", "late=${task.thing}/$[HH]", "who=me"),
		flow.Property{Prop: "result", Direct: flow.Out, Type: flow.Integer, Value: "0"})
	start := []flow.Property{{Prop: "who", Value: "you-${day}"}, {Prop: "extra", Value: "$[MM]"}, {Prop: "extra", Value: "last"}, {Prop: "result", Value: "5"}}
	got, err := flow.Cure(globals, start, shanghai(t))
	require.NoError(t, err)
	want := props("day=20240228", "dir=/d/20240228", "biz=20240228", "late=${task.thing}/$[HH]", "who=you-20240228")
	want = append(want, flow.Property{Prop: "result", Direct: flow.Out, Type: flow.Integer, Value: "5"})
	require.Equal(t, append(want, props("extra=last")...), got)

	again, err := flow.Cure(got, nil, shanghai(t).AddDate(0, 0, 5))
	require.NoError(t, err)
	require.Equal(t, got[0], again[0], "what is cured stays")

	none, err := flow.Cure(nil, nil, shanghai(t))
	require.NoError(t, err)
	require.Empty(t, none)
	_, err = flow.Cure(props("x=$[oops]"), nil, shanghai(t))
	require.ErrorContains(t, err, `parameter "x"`)
}

func TestExpandReplacesParametersAndTimesInAScript(t *testing.T) {
	t.Parallel()
	values := map[string]string{"a": "1", "b": "two words", "x1": "deep", "dollar": "${a}", "empty": "", "fmt": "yyyy", "日": "day"}
	for text, want := range map[string]string{
		"":                                    "",
		"echo hi":                             "echo hi",
		"echo ${a} ${b}":                      "echo 1 two words",
		"${a}${a}${a}":                        "111",
		"${x${a}}":                            "deep",
		"${x${a}${b}}":                        "${x1two words}",
		"${nope} ${HOME} $HOME $a":            "${nope} ${HOME} $HOME $a",
		"${dollar}":                           "${a}", // values are put in as they are
		"[${empty}]":                          "[]",
		"$[${fmt}]":                           "2024",
		"$[yyyyMMdd] $[0] $[yyyyMMdd+1]":      "20240229 $[0] 20240301",
		"${日}":                                "day",
		"${":                                  "${",
		"${a":                                 "${a",
		"${}":                                 "${}",
		"$${a}$":                              "$1$",
		"a} ${a} }":                           "a} 1 }",
		"awk '{print $1}' ${a}":               "awk '{print $1}' 1",
		"${arr[@]} ${#s} ${v%%.*} ${v:-${a}}": "${arr[@]} ${#s} ${v%%.*} ${v:-1}",
		"${f:-{\"k\":${a}}} ${a}":             "${f:-{\"k\":1}} 1",
		"grep '${' f; echo ${a} } ${b}":       "grep '${' f; echo 1 } two words",
	} {
		got, err := flow.Expand(text, values, shanghai(t))
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	_, err := flow.Expand("x $[bad one] y", values, shanghai(t))
	require.ErrorContains(t, err, "$[bad one]")
}

func TestExpandIsBoundedInSizeAndTime(t *testing.T) {
	t.Parallel()
	values := map[string]string{"big": strings.Repeat("x", 1<<20), "a": "1"}
	_, err := flow.Expand(strings.Repeat("${big}", 17), values, shanghai(t))
	require.ErrorIs(t, err, flow.ErrTooLarge)
	for _, text := range []string{
		strings.Repeat("${", 2<<20), strings.Repeat("${a", 1<<20) + strings.Repeat("}", 1<<20), strings.Repeat("{", 4<<20) + "${",
		"${" + strings.Repeat("{", 4<<20), "${" + strings.Repeat("}", 4<<20), strings.Repeat("${a}", 1<<20), strings.Repeat("${"+strings.Repeat("y", 2000)+"}", 2000),
	} {
		_, err := flow.Expand(text, values, shanghai(t)) // quadratic work would take hours, and the test runner would say so
		require.NoError(t, err, "%.20q", text)
	}
}

func FuzzExpand(f *testing.F) {
	f.Add("echo ${a} ${x${a}} $[yyyyMMdd-1] ${nope:-${b}}", "1", "${a}")
	f.Add("${${${a}}}", "a", "b")
	f.Add("${ { } ${a} $[", "}", "{")
	f.Fuzz(func(t *testing.T, text, a, b string) {
		base := time.Unix(1709183109, 0).UTC()
		got, err := flow.Expand(text, map[string]string{"a": a, "b": b}, base)
		if err == nil && !strings.Contains(text, "$") {
			require.Equal(t, text, got)
		}
		list := props("a="+a, "b="+b, "c="+text)
		params, err := flow.Resolve(flow.ParamSources{Global: list, Base: base})
		if err != nil {
			return
		}
		backwards, err := flow.Resolve(flow.ParamSources{Global: []flow.Property{list[2], list[1], list[0]}, Base: base})
		require.NoError(t, err)
		require.Equal(t, params.Values, backwards.Values)
	})
}

func BenchmarkExpand(b *testing.B) {
	base := shanghai(b)
	values := map[string]string{"day": "20240229", "dir": "/data/in", "n": "5"}
	script := strings.Repeat("cp ${dir}/${day}.csv /tmp/$HOME_${n} && echo done $[yyyy-MM-dd]\n", 20)
	b.SetBytes(int64(len(script)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := flow.Expand(script, values, base); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	base := shanghai(b)
	in := flow.ParamSources{
		Builtin:  flow.Builtins(flow.BuiltinInput{Base: base, TaskInstanceID: 1, TaskName: "a", TaskCode: 2, WorkflowID: 3, WorkflowName: "w", WorkflowCode: 4, ProjectName: "p", ProjectCode: 5}),
		Global:   props("day=20240229", "dir=/data/${day}"),
		Upstream: flow.Pool{}.Emit(7, base, outs("rows=12")),
		Local:    props("in=${dir}/x"), Base: base,
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := flow.Resolve(in); err != nil {
			b.Fatal(err)
		}
	}
}
