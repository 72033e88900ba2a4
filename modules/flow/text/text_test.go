package text_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
	"dorado/modules/flow/text"
)

// book is a Resolver of fixed names.
type book map[text.Kind]map[string]int64

func (b book) Code(kind text.Kind, name string) (int64, bool) {
	code, ok := b[kind][name]
	return code, ok
}

func (b book) Name(kind text.Kind, code int64) (string, bool) {
	for name, c := range b[kind] {
		if c == code {
			return name, true
		}
	}
	return "", false
}

func outside() book {
	return book{
		text.Project:     {"finance": 7001},
		text.Workflow:    {"finance/nightly": 8001, "finance/child": 8002},
		text.Task:        {"finance/nightly/load": 9001},
		text.Environment: {"production": 6001},
		text.TaskGroup:   {"oracle": 5001},
	}
}

// generator makes definitions with everything that a text has to carry.
type generator struct{ *rand.Rand }

func (g generator) one(of ...string) string { return of[g.IntN(len(of))] }

// awkward are texts that YAML could take for something else.
func (g generator) awkward() string {
	return g.one("", "x", "true", "no", "~", "null", "12", "1.50", "0x1f", "1e3", "-", "- a", "a: b", "a #b", "#a", "[a]", "{a}", "${day}", "$[yyyyMMdd-1]", "'q'", `"q"`,
		"a\nb", "a\nb\n", "\n", "\n\na", "  a\n b\n", "\ta\n", "a \nb", "a\n\n\n", "echo $?\n# not a comment\n", "日期", "é\u0085", "a\r\nb\r\n", "\u2028", "\x00", "2020-01-01", "<<", "*a", "&a", "!x",
		"%a", "@a", "`a", "a:", ": a", "?", "? a", "---", "...", "line\n---\nline\n", "|", ">", "1_000", ".inf", "=", "1E400", " a", "a ", "a\t", "👍", strings.Repeat("long ", 60), "0o17", "\ufeff")
}

func (g generator) properties() []flow.Property {
	out := []flow.Property{}
	for i := range g.IntN(4) {
		p := flow.Property{Prop: fmt.Sprintf("p%d", i), Direct: flow.In, Type: flow.Varchar, Value: g.awkward()}
		if g.IntN(3) == 0 {
			p.Direct = flow.Out
		}
		if g.IntN(3) == 0 {
			p.Type = flow.ParamTypes()[g.IntN(len(flow.ParamTypes()))]
		}
		if g.IntN(9) == 0 {
			p.Prop = g.one("p0", g.awkward())
		}
		out = append(out, p)
	}
	return out
}

func (g generator) value(depth int) any {
	if depth == 0 {
		return g.awkward()
	}
	switch g.IntN(7) {
	case 0:
		return json.Number(g.one("0", "-1", "12345678901234567890", "1.50", "1e3", "1E400", "-0"))
	case 1:
		return g.IntN(2) == 0
	case 2:
		return nil
	case 3:
		list := []any{}
		for range g.IntN(4) {
			list = append(list, g.value(depth-1))
		}
		return list
	case 4:
		m := map[string]any{}
		for range g.IntN(4) {
			m[g.awkward()] = g.value(depth - 1)
		}
		return m
	default:
		return g.awkward()
	}
}

func (g generator) params(taskType string, codes []int64) json.RawMessage {
	any1 := func() int64 { return codes[g.IntN(len(codes))] }
	m := map[string]any{"localParams": g.properties(), "resourceList": []any{}}
	if g.IntN(3) == 0 {
		m["resourceList"] = []flow.ResourceRef{{ResourceName: "/a/" + g.awkward()}}
	}
	switch taskType {
	case "SHELL", "PYTHON":
		m["rawScript"] = g.awkward()
	case "CONDITIONS":
		m["dependence"] = map[string]any{"relation": "AND", "dependTaskList": []any{map[string]any{"relation": "OR", "dependItemList": []any{map[string]any{"depTaskCode": any1(), "status": "SUCCESS"}}}}}
		m["conditionResult"] = map[string]any{"successNode": []int64{any1(), any1()}, "failedNode": []any{""}}
	case "SWITCH":
		m["switchResult"] = map[string]any{"dependTaskList": []any{map[string]any{"condition": g.awkward(), "nextNode": any1()}}, "nextNode": any1()}
	case "SUB_WORKFLOW", "DYNAMIC", "FOR_EACH":
		m["workflowDefinitionCode"] = []int64{8001, 8002, 12345}[g.IntN(3)]
	case "DEPENDENT":
		m["dependence"] = map[string]any{"relation": "AND", "dependTaskList": []any{map[string]any{"relation": "AND", "dependItemList": []any{
			map[string]any{"projectCode": 7001, "definitionCode": []int64{8001, 99}[g.IntN(2)], "depTaskCode": []int64{0, -1, 9001, 77}[g.IntN(4)], "cycle": "day", "dateValue": "last1Days"},
		}}}}
	default:
		m["anything"] = g.value(3)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return raw
}

func (g generator) task(code int64, name string, codes []int64) flow.Task {
	t := flow.Task{
		Code: code, Name: name, Description: g.awkward(), Type: g.one("SHELL", "PYTHON", "CONDITIONS", "SWITCH", "SUB_WORKFLOW", "DEPENDENT", "DYNAMIC", "FOR_EACH", "APPROVAL"),
		Flag: flow.FlagYes, IsCache: flow.FlagNo, Priority: flow.Priorities()[g.IntN(5)], WorkerGroup: g.one("default", "spark", "12"),
		EnvironmentCode: []int64{-1, 6001, 4711}[g.IntN(3)], RetryTimes: g.IntN(3), RetryInterval: g.IntN(3), TimeoutFlag: flow.TimeoutClose,
		DelayMinutes: g.IntN(2), TaskGroupID: []int64{0, 5001, 4}[g.IntN(3)], TaskGroupPriority: g.IntN(2), CPUQuota: g.IntN(3) - 1, MemoryMax: g.IntN(3) - 1,
		ExecuteType: flow.Batch, Finally: g.IntN(9) == 0,
	}
	if g.IntN(3) == 0 {
		t.TimeoutFlag, t.TimeoutStrategy, t.TimeoutMinutes = flow.TimeoutOpen, flow.TimeoutStrategy(g.one("WARN", "FAILED", "WARNFAILED")), 1+g.IntN(9)
	} else if g.IntN(5) == 0 {
		t.TimeoutMinutes = 3
	}
	if g.IntN(5) == 0 {
		t.Flag = flow.FlagNo
	}
	if g.IntN(5) == 0 {
		t.IsCache = flow.FlagYes
	}
	if g.IntN(9) == 0 {
		t.ExecuteType = flow.Stream
	}
	t.Params = g.params(t.Type, codes)
	return t
}

// definition makes a graph without cycles.
func (g generator) definition() *flow.Definition {
	def := &flow.Definition{
		Code: 1000 + int64(g.IntN(9)), ProjectCode: 7001, Name: "w" + g.one("", " x", ": y", "日"), Description: g.awkward(), GlobalParams: g.properties(), TimeoutMinutes: g.IntN(3),
		ExecutionType: flow.ExecutionType(g.one("PARALLEL", "SERIAL_WAIT", "SERIAL_DISCARD", "SERIAL_PRIORITY")), Tasks: []flow.Task{}, Edges: []flow.Edge{}, Locations: []flow.Location{},
	}
	codes := []int64{}
	for range 1 + g.IntN(8) {
		codes = append(codes, int64(2000+len(codes)))
	}
	used := map[string]bool{}
	for i, code := range codes {
		name := g.one(fmt.Sprintf("task-%d", i), fmt.Sprintf("task %d: #", i), fmt.Sprintf("任务%d", i), fmt.Sprintf("t,%d]", i), "no", "- x")
		if used[name] {
			name = fmt.Sprintf("other%d", i)
		}
		used[name] = true
		def.Tasks = append(def.Tasks, g.task(code, name, codes))
		for _, before := range codes[:i] {
			if g.IntN(4) == 0 {
				def.Edges = append(def.Edges, flow.Edge{Name: g.one("", "", "label", "a: b"), Pre: before, Post: code})
			}
		}
		if g.IntN(3) > 0 {
			def.Locations = append(def.Locations, flow.Location{TaskCode: code, X: float64(g.IntN(900)), Y: float64(g.IntN(900)) / 4})
		}
	}
	return def
}

func random(seed int) generator { return generator{rand.New(rand.NewPCG(uint64(seed), 7))} }

func equal(t *testing.T, want, got *flow.Definition, src []byte, seed int) {
	t.Helper()
	if flow.Equal(want, got) {
		return
	}
	a, err := flow.Marshal(want)
	require.NoError(t, err)
	b, err := flow.Marshal(got)
	require.NoError(t, err)
	require.Failf(t, "not the same", "seed %d\nwant %s\n got %s\n%s", seed, a, b, src)
}

func TestWhatFormatWritesIsReadBackAsTheSameDefinition(t *testing.T) {
	t.Parallel()
	for seed := range 800 {
		def := random(seed).definition()
		full := text.Format(def, outside(), text.Style{Codes: true, Layout: true})
		doc := text.Parse(full, text.Options{Names: outside(), KeepCodes: true})
		require.Empty(t, doc.Problems, "seed %d\n%s", seed, full)
		doc.Definition.ProjectCode = def.ProjectCode
		equal(t, def, doc.Definition, full, seed)
		require.Equal(t, string(full), string(text.Format(doc.Definition, outside(), text.Style{Codes: true, Layout: true})), "canonical and stable")

		short := text.Format(def, outside(), text.Style{})
		doc = text.Parse(short, text.Options{Names: outside(), Base: def})
		require.Empty(t, doc.Problems, "seed %d\n%s", seed, short)
		equal(t, def, doc.Definition, short, seed)
	}
}

func TestATextWithoutCodesGetsThemAnywhere(t *testing.T) {
	t.Parallel()
	def := random(5).definition()
	src := text.Format(def, outside(), text.Style{Layout: true})
	require.NotContains(t, string(src), "code: 200")
	next := int64(500_000)
	doc := text.Parse(src, text.Options{Names: outside(), NewCode: func() int64 { next++; return next }})
	require.Empty(t, doc.Problems)
	require.Equal(t, string(src), string(text.Format(doc.Definition, outside(), text.Style{Layout: true})))
	require.Greater(t, doc.Definition.Tasks[0].Code, int64(500_000))
}
