package flow_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
)

// workflow builds a definition from "a>b" pairs of one-letter task names; codes are their bytes.
func workflow(names string, edges ...string) *flow.Definition {
	def := &flow.Definition{Name: "w"}
	for _, n := range names {
		def.Tasks = append(def.Tasks, flow.Task{Code: int64(n), Name: string(n), Type: "SHELL"})
	}
	for _, e := range edges {
		def.Edges = append(def.Edges, flow.Edge{Pre: int64(e[0]), Post: int64(e[2])})
	}
	return def
}

func names(g *flow.Graph, in []bool) string {
	out := ""
	for i, task := range g.Tasks {
		if in[i] {
			out += task.Name
		}
	}
	return out
}

func compile(t *testing.T, def *flow.Definition) *flow.Graph {
	t.Helper()
	g, err := flow.Compile(def)
	require.NoError(t, err)
	return g
}

func TestCompileOrdersTasksAfterTheirPredecessors(t *testing.T) {
	t.Parallel()
	g := compile(t, workflow("dcba", "a>b", "a>c", "b>d", "c>d"))
	require.Equal(t, "abcd", names(g, []bool{true, true, true, true}))
	require.Equal(t, [][]int32{{1, 2}, {3}, {3}, {}}, g.Succ)
	require.Equal(t, [][]int32{{}, {0}, {0}, {1, 2}}, g.Pred)
	require.Equal(t, int32(3), g.Index['d'])
	require.Equal(t, []int32{0, 1, 2, 3}, g.TopoOrder())
	require.Equal(t, []int32{0, 1, 2}, g.Ancestors(3))
	require.Empty(t, g.Ancestors(0))
}

func TestCompileDoesNotDependOnTheOrderOfTheDefinition(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	def := randomDAG(random, 200, 800)
	want := compile(t, def)
	for range 20 {
		random.Shuffle(len(def.Tasks), func(i, k int) { def.Tasks[i], def.Tasks[k] = def.Tasks[k], def.Tasks[i] })
		random.Shuffle(len(def.Edges), func(i, k int) { def.Edges[i], def.Edges[k] = def.Edges[k], def.Edges[i] })
		require.True(t, reflect.DeepEqual(want, compile(t, def)))
	}
	for i := range want.Tasks {
		require.True(t, slices.IsSorted(want.Succ[i]))
		require.True(t, slices.IsSorted(want.Pred[i]))
		for _, p := range want.Pred[i] {
			require.Less(t, p, int32(i))
			require.Contains(t, want.Succ[p], int32(i))
		}
	}
}

func TestCompileRefusesWhatIsNoDAG(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		def  *flow.Definition
		want string
	}{
		{workflow(""), "at least one task"},
		{workflow("aa"), `"a" is used twice`},
		{workflow("ab", "a>x"), "unknown task code 120"},
		{workflow("ab", "x>a"), "unknown task code 120"},
		{workflow("ab", "a>b", "a>b"), `from "a" to "b" is there twice`},
		{workflow("ab", "b>b"), `"b" waits for itself`},
		{workflow("ab", "a>b", "b>a"), "a → b → a"},
		{workflow("zyxw", "z>y", "y>x", "x>y", "x>w"), "x → y → x"},
		{workflow("abcde", "e>d", "d>c", "c>b", "b>e", "a>b"), "b → e → d → c → b"},
	} {
		_, err := flow.Compile(tc.def)
		require.ErrorContains(t, err, tc.want)
	}
}

func TestCycleErrorNamesTheRingInRunningOrder(t *testing.T) {
	t.Parallel()
	_, err := flow.Compile(workflow("abc", "a>c", "c>b", "b>a"))
	var cycle *flow.CycleError
	require.ErrorAs(t, err, &cycle)
	require.Equal(t, []int64{'a', 'c', 'b'}, cycle.Codes)
	require.Equal(t, "a → c → b → a", cycle.Path())
}

func TestScopeCutsTheGraphAtStartNodes(t *testing.T) {
	t.Parallel()
	g := compile(t, workflow("abcdef", "a>b", "a>c", "b>d", "c>d", "d>e"))
	for _, tc := range []struct {
		start string
		d     flow.TaskDependType
		want  string
	}{
		{"", flow.TaskOnly, "afbcde"},
		{"", flow.TaskPost, "afbcde"},
		{"b", flow.TaskOnly, "b"},
		{"bf", flow.TaskOnly, "fb"},
		{"b", flow.TaskPre, "ab"},
		{"d", flow.TaskPre, "abcd"},
		{"b", flow.TaskPost, "bde"},
		{"b", "", "bde"},
		{"bc", flow.TaskPost, "bcde"},
		{"f", flow.TaskPost, "f"},
	} {
		var start []int64
		for _, s := range tc.start {
			start = append(start, int64(s))
		}
		in, err := g.Scope(start, tc.d)
		require.NoError(t, err)
		require.Equal(t, tc.want, names(g, in), "%s %s", tc.start, tc.d)
	}
	_, err := g.Scope([]int64{'x'}, flow.TaskPost)
	require.ErrorContains(t, err, "120")
	_, err = g.Scope([]int64{'a'}, "SIDEWAYS")
	require.ErrorContains(t, err, "SIDEWAYS")
}

func TestScopeAgreesWithASearchAlongEveryEdge(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		g := compile(t, randomDAG(random, 30, 60))
		start := g.Tasks[random.IntN(g.Len())].Code
		for d, next := range map[flow.TaskDependType][][]int32{flow.TaskPre: g.Pred, flow.TaskPost: g.Succ} {
			want := make([]bool, g.Len())
			queue := []int32{g.Index[start]}
			for len(queue) > 0 {
				want[queue[0]] = true
				queue = append(queue, next[queue[0]]...)[1:]
			}
			in, err := g.Scope([]int64{start}, d)
			require.NoError(t, err)
			require.Equal(t, want, in)
		}
	}
}

func TestALargeWorkflowIsCompiledAndCut(t *testing.T) {
	t.Parallel()
	g := compile(t, randomDAG(rand.New(rand.NewPCG(5, 6)), 10_000, 50_000))
	require.Len(t, g.Tasks, 10_000)
	in, err := g.Scope([]int64{g.Tasks[0].Code}, flow.TaskPost)
	require.NoError(t, err)
	require.True(t, in[0])
}

// randomDAG never has an edge from a task to one with a smaller number, but codes do not follow the numbers.
func randomDAG(random *rand.Rand, n, edges int) *flow.Definition {
	def := &flow.Definition{}
	codes := random.Perm(n)
	for i := range n {
		def.Tasks = append(def.Tasks, flow.Task{Code: int64(codes[i]) + 1, Name: fmt.Sprint("t", i)})
	}
	seen := map[[2]int]bool{}
	for len(def.Edges) < edges {
		a, b := random.IntN(n), random.IntN(n)
		if a > b {
			a, b = b, a
		}
		if a == b || seen[[2]int{a, b}] {
			continue
		}
		seen[[2]int{a, b}] = true
		def.Edges = append(def.Edges, flow.Edge{Pre: int64(codes[a]) + 1, Post: int64(codes[b]) + 1})
	}
	return def
}

func BenchmarkCompile(b *testing.B) {
	def := randomDAG(rand.New(rand.NewPCG(5, 6)), 10_000, 50_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := flow.Compile(def); err != nil {
			b.Fatal(err)
		}
	}
}
