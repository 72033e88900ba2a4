package text_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
	"dorado/modules/flow/text"
)

func problems(src string) []string {
	var out []string
	for _, p := range text.Parse([]byte(src), text.Options{Names: outside()}).Problems {
		out = append(out, p.String())
	}
	return out
}

func TestWhatIsWrongIsSaidWithItsLine(t *testing.T) {
	t.Parallel()
	const good = "  b: {type: SHELL}\n"
	for src, want := range map[string]string{
		"":                        "1:1: empty []",
		"# only a comment\n":      "1:1: empty []",
		"name: [a\n":              "1:1: syntax [reason did not find expected ',' or ']']",
		"name: x\n\ttasks: 1":     "2:1: syntax [reason found a tab character that violates indentation]",
		"- a\n":                   "1:1: no_name []",
		"name: x\n---\nname: y":   "2:1: several []",
		"name: x\n":               "1:1: no_tasks []",
		"name: x\ntasks:\n":       "1:1: no_tasks []",
		"name: x\ntask:\n" + good: "2:1: unknown_field_near [name task near tasks]",
		"name: x\nfrobnicate: 1\ntasks:\n" + good:                                                    "2:1: unknown_field [name frobnicate]",
		"name: x\nname: y\ntasks:\n" + good:                                                          "2:1: field_twice [name name line 1]",
		"name: x\ntasks:\n  a: {type: SHELL}\n  b: {type: SHELL}\n  a: {type: SHELL}\n":              "5:3: task_twice [name a line 3]",
		"name: x\ntasks:\n  a:\n    type: SHELL\n    needs: [extrakt]\n  extract: {type: SHELL}\n":   "5:13: unknown_task_near [name extrakt near extract]",
		"name: x\ntasks:\n  a:\n    type: SHELL\n    needs: [nothing]\n":                             "5:13: unknown_task [name nothing]",
		"name: x\ntasks:\n  a: {type: SHELL, needs: a}\n":                                            "3:27: needs_itself [name a]",
		"name: x\ntasks:\n  a: {type: SHELL, needs: [b, b]}\n" + good:                                "3:31: needs_twice [name b]",
		"name: x\ntasks:\n  a: {type: SHELL, needs: b}\n  b: {type: SHELL, needs: a}\n":              "3:20: cycle [path a → b → a]",
		"name: x\ntasks:\n  a: {retry: 1}\n":                                                         "3:3: no_type [name a]",
		"name: x\ntasks:\n  a: {type: SHELL, retry: often}\n":                                        "3:27: want_number [field retry]",
		"name: x\ntasks:\n  a: {type: SHELL, retry: 99999999999}\n":                                  "3:27: out_of_range [field retry]",
		"name: x\ntasks:\n  a: {type: SHELL, enabled: maybe}\n":                                      "3:29: want_boolean [field enabled]",
		"name: x\ntasks:\n  a: {type: SHELL, script: [a]}\n":                                         "3:28: want_text [field script]",
		"name: x\ntasks:\n  a: {type: SHELL, priority: URGENT}\n":                                    "3:30: no_such_value [field priority value URGENT values HIGHEST, HIGH, MEDIUM, LOW, LOWEST]",
		"name: x\ntasks:\n  a: {type: SHELL, environment: nowhere}\n":                                "3:33: unknown_environment [name nowhere]",
		"name: x\ntasks:\n  a: {type: SUB_WORKFLOW, with: {workflowDefinitionCode: finance/none}}\n": "3:58: unknown_workflow [name finance/none]",
		"name: x\ntasks:\n  a: {type: SWITCH, with: {switchResult: {nextNode: gone}}}\n":             "3:53: unknown_task [name gone]",
		"name: x\ntasks:\n  a: {type: SHELL, with: {rawScript: a}, script: b}\n":                     "3:42: field_twice [name rawScript line 3]",
		"name: x\ntasks: [1]\n":                                      "2:9: task_no_name []",
		"name: x\ntasks: hello\n":                                    "2:8: want_map [field tasks]",
		"name: x\ntasks:\n  a: hello\n":                              "3:3: no_type [name a] 3:6: want_map [field a]",
		"name: x\ntasks:\n  ? [a]\n  : 1\n" + good:                   "3:5: bad_key []",
		"name: x\ntasks:\n" + good + "layout: {c: [1, 2], b: [1]}\n": "4:10: unknown_task [name c] 4:24: want_point [field b]",
		"name: x\ntasks:\n  a: {type: SHELL, with: {n: .inf}}\n":     "3:30: want_number [field n]",
		"name: x\ntasks:\n  a: {type: SHELL, code: -3}\n":            "3:26: bad_code [value -3]",
	} {
		got := strings.Join(problems(src), " ")
		require.Contains(t, got, want, src)
	}
}

func TestAliasesAndMergesAreForPeopleNotForBombs(t *testing.T) {
	t.Parallel()
	def := parse(t, `name: x
x-usual: &usual {type: SHELL, retry: 2, workerGroup: spark}
tasks:
  a: {<<: *usual, script: one}
  b: {<<: *usual, retry: 5, script: two, needs: [a]}
`, text.Options{})
	require.Equal(t, "spark", def.Tasks[0].WorkerGroup)
	require.Equal(t, 2, def.Tasks[0].RetryTimes)
	require.Equal(t, 5, def.Tasks[1].RetryTimes)

	bomb := "name: x\nx-a: &a [z, z, z, z, z, z, z, z, z, z]\n"
	for c := 'b'; c < 'i'; c++ {
		before := "*" + string(c-1)
		bomb += "x-" + string(c) + ": &" + string(c) + " [" + strings.Repeat(before+", ", 9) + before + "]\n"
	}
	require.Contains(t, strings.Join(problems(bomb+"tasks:\n  a: {type: SHELL, with: {x: *h}}\n"), " "), "too_many_nodes")
	require.NotEmpty(t, problems("name: x\ntasks:\n  a: &a {type: SHELL, with: *a}\n"))
	require.NotEmpty(t, problems("name: x\ntasks: &t\n  a: {type: SHELL, <<: *t}\n"))
	require.Contains(t, problems(strings.Repeat("#", text.MaxBytes+1))[0], "too_large")
	require.NotEmpty(t, problems("name: x\ntasks:\n  a: {type: S, with: {x: "+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+"}}\n"))
}

func TestReferencesAreWrittenAndReadByName(t *testing.T) {
	t.Parallel()
	src := `name: all-logic
tasks:
  check:
    type: CONDITIONS
    with:
      dependence:
        relation: AND
        dependTaskList:
          - relation: AND
            dependItemList:
              - depTaskCode: choose
                status: SUCCESS
      conditionResult:
        successNode: [child]
        failedNode: [""]

  child:
    type: SUB_WORKFLOW
    needs: [check]
    with:
      workflowDefinitionCode: finance/child

  choose:
    type: SWITCH
    with:
      switchResult:
        nextNode: check

  wait:
    type: DEPENDENT
    with:
      dependence:
        dependTaskList:
          - dependItemList:
              - projectCode: finance
                definitionCode: finance/nightly
                depTaskCode: finance/nightly/load
              - projectCode: finance
                definitionCode: finance/nightly
                depTaskCode: 0
    environment: production
    taskGroup: oracle
`
	def := parse(t, src, text.Options{Names: outside()})
	require.Contains(t, string(def.Tasks[0].Params), `"depTaskCode":3,`)
	require.Contains(t, string(def.Tasks[0].Params), `"successNode":[2],"failedNode":[""]`)
	require.Contains(t, string(def.Tasks[1].Params), `"workflowDefinitionCode":8002`)
	require.Contains(t, string(def.Tasks[3].Params), `{"projectCode":7001,"definitionCode":8001,"depTaskCode":9001}`)
	require.EqualValues(t, 6001, def.Tasks[3].EnvironmentCode)
	require.EqualValues(t, 5001, def.Tasks[3].TaskGroupID)
	require.Equal(t, src, string(text.Format(def, outside(), text.Style{})))
	require.NotContains(t, string(text.Format(def, nil, text.Style{})), "finance", "without a resolver, codes are written")
}

func TestARenamedTaskKeepsItsCode(t *testing.T) {
	t.Parallel()
	src, def := example(t)
	src = strings.ReplaceAll(strings.ReplaceAll(src, "    extract:", "    fetch:"), "- extract", "- fetch")
	got := parse(t, src, text.Options{Base: def, NewCode: func() int64 { return 77 }})
	require.Equal(t, "fetch", got.Tasks[0].Name)
	require.Equal(t, def.Tasks[0].Code, got.Tasks[0].Code)
	require.Equal(t, []flow.Edge{{Pre: 1, Post: 2}, {Pre: 2, Post: 3}}, got.Edges)
}

func TestProblemsOfADefinitionAreFoundInItsText(t *testing.T) {
	t.Parallel()
	src, _ := example(t)
	doc := text.Parse([]byte(src), text.Options{})
	for _, c := range []struct {
		task, field string
		line        int
	}{{"", "globalParams", 6}, {"extract", "failRetryTimes", 15}, {"extract", "taskParams.rawScript", 16}, {"load", "taskParams.other", 21}, {"load", "name", 21}, {"report", "relations", 26}, {"gone", "", 1}} {
		line, _ := doc.Locate(c.task, c.field)
		require.Equal(t, c.line, line, c)
	}
}

func FuzzParse(f *testing.F) {
	src, _ := example(f)
	f.Add([]byte(src))
	for seed := range 20 {
		f.Add(text.Format(random(seed).definition(), outside(), text.Style{Layout: true, Codes: true}))
	}
	f.Add([]byte("name: x\nx-a: &a {b: c}\ntasks: {a: {<<: *a, type: SHELL}}"))
	f.Fuzz(func(t *testing.T, src []byte) {
		doc := text.Parse(src, text.Options{Names: outside(), KeepCodes: true})
		if doc.Definition == nil {
			require.NotEmpty(t, doc.Problems)
			return
		}
		require.Empty(t, doc.Problems)
		again := text.Format(doc.Definition, outside(), text.Style{Layout: true, Codes: true})
		second := text.Parse(again, text.Options{Names: outside(), KeepCodes: true})
		require.Empty(t, second.Problems, "%s", again)
		require.True(t, flow.Equal(doc.Definition, second.Definition), "%s", again)
		require.True(t, flow.Equal(doc.Definition, text.Parse(text.Update(src, doc.Definition, doc.Definition, outside()), text.Options{Names: outside(), Base: doc.Definition}).Definition))
	})
}
