package flow_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
)

func values(p flow.Pool) map[string]string {
	out := map[string]string{}
	for _, e := range p.Entries() {
		out[e.Prop] = e.Value
	}
	return out
}

func second(n int) time.Time { return time.Unix(int64(n), 0) }

func TestNearerTasksOverrideFartherOnes(t *testing.T) {
	t.Parallel()
	a := flow.Pool{}.Emit('a', second(1), outs("x=a", "far=a"))
	b := flow.Inherit(a).Emit('b', second(2), outs("x=b"))
	require.Equal(t, map[string]string{"x": "b", "far": "a"}, values(flow.Inherit(b)))
	c := flow.Pool{}.Emit('c', second(0), outs("far=c"))
	require.Equal(t, map[string]string{"x": "b", "far": "c"}, values(flow.Inherit(b, c)), "a direct predecessor wins, though it ended first")
	silent := flow.Inherit(c).Emit('s', second(9), nil)
	require.Equal(t, map[string]string{"x": "b", "far": "a"}, values(flow.Inherit(b, flow.Inherit(silent).Emit('t', second(9), nil))))
	require.Empty(t, values(flow.Inherit()))
}

func TestEquallyNearTasksAreRankedByValueEndAndCode(t *testing.T) {
	t.Parallel()
	emit := func(code int64, end int, value string) flow.Pool {
		return flow.Pool{}.Emit(code, second(end), outs("x="+value))
	}
	for _, tc := range []struct {
		pools []flow.Pool
		want  string
	}{
		{[]flow.Pool{emit(1, 5, "early"), emit(2, 6, "late")}, "late"},
		{[]flow.Pool{emit(1, 5, "value"), emit(2, 6, "")}, "value"},
		{[]flow.Pool{emit(1, 5, "small"), emit(2, 5, "great")}, "great"},
		{[]flow.Pool{emit(1, 9, "small"), emit(2, 5, "great"), emit(3, 8, "mid")}, "small"},
	} {
		require.Equal(t, tc.want, values(flow.Inherit(tc.pools...))["x"])
		for i, k := 0, len(tc.pools)-1; i < k; i, k = i+1, k-1 {
			tc.pools[i], tc.pools[k] = tc.pools[k], tc.pools[i]
		}
		require.Equal(t, tc.want, values(flow.Inherit(tc.pools...))["x"])
	}
}

func TestEmitTakesOutValuesOnlyAndTheLastOfAName(t *testing.T) {
	t.Parallel()
	own := append(props("in=1"), outs("x=1", "y=2", "x=3", "=4")...)
	own[1].Type = flow.Integer
	own[3].Type = flow.Integer
	pool := flow.Pool{}.Emit(7, second(1), own)
	require.Equal(t, []flow.Property{
		{Prop: "x", Direct: flow.Out, Type: flow.Integer, Value: "3"}, {Prop: "y", Direct: flow.Out, Type: flow.Varchar, Value: "2"},
	}, pool.Properties())
	require.Equal(t, int64(7), pool.Entries()[0].TaskCode)
}

// TestEffectivePoolsEqualTheWalkOverAllAncestors compares with the rule as it is written: the best of all ancestors
// by distance, non-empty, end time and code, where transparent tasks do not count as distance.
func TestEffectivePoolsEqualTheWalkOverAllAncestors(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	for range 300 {
		n := 2 + random.IntN(14)
		g := compile(t, randomDAG(random, n, random.IntN(n*(n-1)/2+1)))
		own := make([][]flow.Property, n)
		end := make([]time.Time, n)
		transparent := make([]bool, n)
		for i := range n {
			for k := range 3 {
				if random.IntN(3) == 0 {
					value := ""
					if random.IntN(3) > 0 {
						value = fmt.Sprint("v", i)
					}
					own[i] = append(own[i], outs(fmt.Sprintf("k%d=%s", k, value))...)
				}
			}
			end[i], transparent[i] = second(random.IntN(4)), random.IntN(4) == 0
		}
		for node := range int32(n) {
			got := flow.MergeUpstream(g, node, func(i int32) ([]flow.Property, time.Time, bool) { return own[i], end[i], !transparent[i] })
			require.Equal(t, wholeRule(g, node, own, end, transparent), values(got))
		}
	}
}

func wholeRule(g *flow.Graph, node int32, own [][]flow.Property, end []time.Time, transparent []bool) map[string]string {
	distance := map[int32]int{node: -1}
	for i := node; i >= 0; i-- { // indices are topological: all successors of i are done
		at, ok := distance[i]
		if !ok {
			continue
		}
		if i == node || !transparent[i] {
			at++
		}
		for _, p := range g.Pred[i] {
			if old, known := distance[p]; !known || at < old {
				distance[p] = at
			}
		}
	}
	best := map[string]int32{}
	out := map[string]string{}
	for i := range node {
		if _, ancestor := distance[i]; !ancestor || transparent[i] {
			continue
		}
		for _, p := range own[i] {
			k, known := best[p.Prop]
			wins := !known
			switch {
			case !known:
			case distance[i] != distance[k]:
				wins = distance[i] < distance[k]
			case (p.Value == "") != (out[p.Prop] == ""):
				wins = p.Value != ""
			case !end[i].Equal(end[k]):
				wins = end[i].After(end[k])
			default:
				wins = g.Tasks[i].Code > g.Tasks[k].Code
			}
			if wins {
				best[p.Prop], out[p.Prop] = i, p.Value
			}
		}
	}
	return out
}

func TestAChainOfSilentTasksSharesOnePool(t *testing.T) {
	t.Parallel()
	pool := flow.Pool{}.Emit(1, second(1), outs("x=1"))
	first := &pool.Entries()[0]
	for i := range int64(100_000) {
		pool = flow.Inherit(pool).Emit(i, second(2), nil)
	}
	require.Same(t, first, &pool.Entries()[0])
}

func BenchmarkInheritFromManyTasks(b *testing.B) {
	var pools []flow.Pool
	for i := range 1000 {
		pools = append(pools, flow.Pool{}.Emit(int64(i), second(i), outs(fmt.Sprintf("k%d=v", i), "shared=x")))
	}
	b.ReportAllocs()
	for b.Loop() {
		flow.Inherit(pools...)
	}
}
