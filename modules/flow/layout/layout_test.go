package layout

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// random is a graph whose edges all lead to a later node, at most 60 further.
func random(nodes, edges int, seed uint64) Graph {
	g := Graph{Nodes: make([]Size, nodes)}
	seen := map[[2]int]bool{}
	rnd := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // test data
	for range edges {
		a := rnd.IntN(nodes - 1)
		b := a + 1 + rnd.IntN(min(nodes-a-1, 60))
		if !seen[[2]int{a, b}] {
			seen[[2]int{a, b}] = true
			g.Edges = append(g.Edges, [2]int{a, b})
		}
	}
	return g
}

func requireNoOverlap(t *testing.T, g Graph, points []Point) {
	t.Helper()
	at := newOccupied(g.Nodes, 0)
	for i, p := range points {
		require.Equal(t, p, at.settle(i, p), "node %d stands on another one", i)
	}
}

func sized(g Graph, w, h float64) Graph {
	for i := range g.Nodes {
		g.Nodes[i] = Size{W: w, H: h}
	}
	return g
}

func TestNoTwoNodesOverlap(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		g := sized(random(150, 180, seed), 200, 52)
		requireNoOverlap(t, g, Layout(g, Options{}))
		requireNoOverlap(t, g, Layout(g, Options{Direction: TopToBottom}))
	}
}

func TestNodesOfDifferentSizesDoNotOverlap(t *testing.T) {
	t.Parallel()
	g := random(120, 200, 7)
	for i := range g.Nodes {
		g.Nodes[i] = Size{W: 100 + float64(i%5)*60, H: 40 + float64(i%3)*50}
	}
	requireNoOverlap(t, g, Layout(g, Options{}))
}

func TestEdgesGoForward(t *testing.T) {
	t.Parallel()
	g := random(400, 700, 3)
	across, down := Layout(g, Options{}), Layout(g, Options{Direction: TopToBottom})
	for _, e := range g.Edges {
		require.GreaterOrEqual(t, across[e[1]].X, across[e[0]].X+NodeWidth+RankGap)
		require.GreaterOrEqual(t, down[e[1]].Y, down[e[0]].Y+NodeHeight+RankGap)
	}
}

func TestTheSameGraphAlwaysGivesTheSamePicture(t *testing.T) {
	t.Parallel()
	g := random(300, 450, 5)
	first := Layout(g, Options{})
	rnd := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // test data
	for range 3 {
		rnd.Shuffle(len(g.Edges), func(i, j int) { g.Edges[i], g.Edges[j] = g.Edges[j], g.Edges[i] })
		require.Equal(t, first, Layout(g, Options{}), "the order of the edges must not matter")
	}
}

// The limits are the crossings of the first prototype on the same graphs.
func TestThereAreNoMoreCrossingsThanInThePrototype(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		nodes, edges int
		seed         uint64
		most         int
	}{{40, 60, 1, 48}, {200, 320, 2, 1464}, {1000, 1426, 3, 8365}} {
		g := random(c.nodes, c.edges, c.seed)
		edges := cleanEdges(len(g.Nodes), g.Edges)
		total := 0
		for _, part := range components(len(g.Nodes), edges) {
			if len(part) > 1 {
				l := newLayered(part, g.Nodes, edges)
				l.rank()
				l.addDummies()
				l.arrange()
				total += l.crossings()
			}
		}
		require.LessOrEqual(t, total, c.most, "%d nodes", c.nodes)
	}
}

// layers is a graph like a large workflow: ranks of equal size, edges over one to three ranks.
func layers(ranks, width, edges int, seed uint64) Graph {
	g := Graph{Nodes: make([]Size, ranks*width)}
	rnd := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // test data
	for i := width; i < len(g.Nodes); i++ {
		g.Edges = append(g.Edges, [2]int{(i/width-1)*width + rnd.IntN(width), i})
	}
	for len(g.Edges) < edges {
		a := rnd.IntN(len(g.Nodes))
		if r := a/width + 1 + rnd.IntN(3); r < ranks {
			g.Edges = append(g.Edges, [2]int{a, r*width + rnd.IntN(width)})
		}
	}
	return g
}

// BenchmarkFiveThousandNodes has a goal of 300 ms.
func BenchmarkFiveThousandNodes(b *testing.B) {
	g := layers(50, 100, 10_000, 4)
	for b.Loop() {
		Layout(g, Options{})
	}
}

func TestADiamondIsSymmetric(t *testing.T) {
	t.Parallel()
	p := Layout(Graph{Nodes: make([]Size, 4), Edges: [][2]int{{0, 1}, {0, 2}, {1, 3}, {2, 3}}}, Options{})
	require.Equal(t, []Point{{0, 38}, {264, 0}, {264, 76}, {528, 38}}, p)
}

func TestAChainBesideABranchIsLevel(t *testing.T) {
	t.Parallel()
	p := Layout(Graph{Nodes: make([]Size, 7), Edges: [][2]int{{0, 1}, {1, 2}, {2, 3}, {1, 4}, {4, 5}, {5, 6}}}, Options{})
	require.InDelta(t, p[0].Y, p[1].Y, 0)
	require.InDelta(t, p[2].Y, p[3].Y, 0)
	require.InDelta(t, p[4].Y, p[5].Y, 0)
	require.InDelta(t, p[5].Y, p[6].Y, 0)
}

func TestComponentsArePackedOnAScreenAndNotInOneColumn(t *testing.T) {
	t.Parallel()
	g := sized(Graph{Nodes: make([]Size, 100)}, 200, 52)
	p := Layout(g, Options{})
	requireNoOverlap(t, g, p)
	var right, bottom float64
	for _, q := range p {
		right, bottom = max(right, q.X+200), max(bottom, q.Y+52)
	}
	require.InDelta(t, 1.7, right/bottom, 0.8)
}

func TestPinnedNodesStayAndOthersGiveWay(t *testing.T) {
	t.Parallel()
	g := sized(random(60, 80, 9), 200, 52)
	g.Pinned = map[int]Point{3: {1000, 700}, 10: {1040, 790}, 99: {1, 1}}
	p := Layout(g, Options{})
	require.Equal(t, Point{1000, 700}, p[3])
	require.Equal(t, Point{1040, 790}, p[10])
	requireNoOverlap(t, g, p)
}

func TestBrokenGraphsAreStillDrawn(t *testing.T) {
	t.Parallel()
	g := sized(Graph{Nodes: make([]Size, 4), Edges: [][2]int{{0, 1}, {1, 2}, {2, 0}, {3, 3}, {-1, 2}, {0, 9}, {0, 1}}}, 200, 52)
	requireNoOverlap(t, g, Layout(g, Options{}))
	require.Empty(t, Layout(Graph{}, Options{}))
}

func TestALongChainWithManyLongEdgesIsStraight(t *testing.T) {
	t.Parallel()
	g := Graph{Nodes: make([]Size, 2000)}
	for i := 1; i < 2000; i++ {
		g.Edges = append(g.Edges, [2]int{i - 1, i}, [2]int{0, i})
	}
	p := Layout(g, Options{})
	require.InDelta(t, 1999*264, p[1999].X, 0)
}

func TestARequestIsAnsweredByTaskCode(t *testing.T) {
	t.Parallel()
	var req Request
	require.NoError(t, json.Unmarshal([]byte(`{"nodes":[{"id":12,"w":200,"h":52},{"id":11,"w":200,"h":52}],"edges":[[11,12],[11,77]],"direction":"LR"}`), &req))
	body, err := json.Marshal(Arrange(req))
	require.NoError(t, err)
	require.JSONEq(t, `{"positions":[{"id":12,"x":264,"y":0},{"id":11,"x":0,"y":0}]}`, string(body))
}

func TestTheSVGIsWellFormedEscapedAndWithoutStyles(t *testing.T) {
	t.Parallel()
	g := Graph{Nodes: make([]Size, 2), Edges: [][2]int{{0, 1}}}
	d := Drawing{
		Graph: g, Points: Layout(g, Options{}), Title: "a & b",
		Labels: []Label{{Name: "<load> a very long name of a task", Detail: "Shell", State: "SUCCESS", Href: "/t?a=1&b=2"}, {Name: "抽取每日销售订单数据到数据仓库的明细层"}},
	}
	var b bytes.Buffer
	require.NoError(t, SVG(&b, d))
	svg := b.String()
	require.NotContains(t, svg, "style=")
	require.Contains(t, svg, `data-state="SUCCESS"`)
	require.Contains(t, svg, `&lt;load&gt; a very long name…`)
	require.Contains(t, svg, "抽取每日销售订单数据到…")
	require.Contains(t, svg, `href="/t?a=1&amp;b=2"`)
	dec := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	d.Thumbnail = true
	b.Reset()
	require.NoError(t, SVG(&b, d))
	require.NotContains(t, b.String(), "<text")
	require.NotContains(t, b.String(), "<a ")
}
