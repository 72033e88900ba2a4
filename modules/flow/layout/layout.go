package layout

import (
	"cmp"
	"math"
	"slices"
)

// Default sizes in canvas pixels. One rank of default cards is 264 px wide.
const (
	NodeWidth  = 200
	NodeHeight = 52
	RankGap    = 64
	NodeGap    = 24
)

// Direction says which way the edges point.
type Direction string

// The directions; anything else means LeftToRight.
const (
	LeftToRight Direction = "LR"
	TopToBottom Direction = "TB"
)

// Point is the top left corner of a node, in canvas pixels.
type Point struct{ X, Y float64 }

// Size of a node in canvas pixels. Zero means the default card.
type Size struct{ W, H float64 }

// Graph is what is to be drawn. Edges are pairs of indices into Nodes; self loops and unknown indices are ignored.
type Graph struct {
	Nodes []Size
	Edges [][2]int
	// Pinned nodes keep their place; the others are arranged around them. Key: index into Nodes.
	Pinned map[int]Point
}

// Options of Layout. The zero value means left to right with the default gaps.
type Options struct {
	Direction Direction
	RankGap   float64 // between the widest node of a rank and the next rank
	NodeGap   float64 // between nodes of one rank
}

func (o Options) withDefaults() Options {
	if o.RankGap <= 0 {
		o.RankGap = RankGap
	}
	if o.NodeGap <= 0 {
		o.NodeGap = NodeGap
	}
	return o
}

// Layout answers one point per node of g, in the order of g.Nodes. Without pinned nodes the picture starts at 0,0.
func Layout(g Graph, opt Options) []Point {
	opt = opt.withDefaults()
	turned := opt.Direction == TopToBottom
	nodes := make([]Size, len(g.Nodes))
	for i, s := range g.Nodes {
		if s.W <= 0 {
			s.W = NodeWidth
		}
		if s.H <= 0 {
			s.H = NodeHeight
		}
		nodes[i] = turnSize(s, turned)
	}
	edges := cleanEdges(len(nodes), g.Edges)
	points := make([]Point, len(nodes))
	var parts []part
	for _, c := range components(len(nodes), edges) {
		parts = append(parts, placeComponent(c, nodes, edges, opt, points))
	}
	pack(parts, points, opt)
	if len(g.Pinned) > 0 {
		pinned := make(map[int]Point, len(g.Pinned))
		for i, p := range g.Pinned {
			if i >= 0 && i < len(points) {
				pinned[i] = turnPoint(p, turned)
			}
		}
		keepPinned(parts, points, nodes, pinned, opt.NodeGap)
	}
	for i := range points {
		points[i] = turnPoint(points[i], turned)
	}
	return points
}

func turnSize(s Size, turned bool) Size {
	if turned {
		return Size{W: s.H, H: s.W}
	}
	return s
}

func turnPoint(p Point, turned bool) Point {
	if turned {
		return Point{X: p.Y, Y: p.X}
	}
	return p
}

// cleanEdges drops self loops, doubles and edges to unknown nodes, and sorts what remains, so that the order in which
// edges were drawn does not change the picture.
func cleanEdges(n int, in [][2]int) [][2]int {
	out := make([][2]int, 0, len(in))
	for _, e := range in {
		if e[0] != e[1] && e[0] >= 0 && e[1] >= 0 && e[0] < n && e[1] < n {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b [2]int) int { return cmp.Or(a[0]-b[0], a[1]-b[1]) })
	return slices.Compact(out)
}

// part is one placed component.
type part struct {
	nodes []int
	w, h  float64
}

// components splits the graph into connected parts, ordered by size and then by their first node.
func components(n int, edges [][2]int) [][]int {
	root := make([]int, n)
	for i := range root {
		root[i] = i
	}
	find := func(v int) int {
		for root[v] != v {
			root[v] = root[root[v]]
			v = root[v]
		}
		return v
	}
	for _, e := range edges {
		a, b := find(e[0]), find(e[1])
		if a != b {
			root[max(a, b)] = min(a, b) // the smallest index stays the root
		}
	}
	at := make(map[int]int)
	var out [][]int
	for v := range n {
		r := find(v)
		k, ok := at[r]
		if !ok {
			k = len(out)
			at[r] = k
			out = append(out, nil)
		}
		out[k] = append(out[k], v)
	}
	slices.SortStableFunc(out, func(a, b []int) int { return len(b) - len(a) })
	return out
}

// pack puts the components on shelves of a width that keeps the whole picture about as wide as a screen.
func pack(parts []part, points []Point, opt Options) {
	area, widest := 0.0, 0.0
	for _, p := range parts {
		area += (p.w + opt.RankGap) * (p.h + opt.NodeGap)
		widest = max(widest, p.w)
	}
	limit := max(widest, math.Sqrt(area*1.7))
	x, y, shelf := 0.0, 0.0, 0.0
	for _, p := range parts {
		if x > 0 && x+p.w > limit {
			x, y, shelf = 0, y+shelf+2*opt.NodeGap, 0
		}
		for _, v := range p.nodes {
			points[v].X += x
			points[v].Y += y
		}
		x += p.w + opt.RankGap
		shelf = max(shelf, p.h)
	}
}

// keepPinned moves every component by the mean distance of its pinned nodes, puts these back on their places and lets
// the free nodes give way downwards.
func keepPinned(parts []part, points []Point, nodes []Size, pinned map[int]Point, gap float64) {
	taken := newOccupied(nodes, gap)
	for i, p := range pinned {
		taken.add(i, p)
	}
	for _, c := range parts {
		var dx, dy, count float64
		for _, v := range c.nodes {
			if p, ok := pinned[v]; ok {
				dx, dy, count = dx+p.X-points[v].X, dy+p.Y-points[v].Y, count+1
			}
		}
		if count > 0 {
			dx, dy = dx/count, dy/count
		}
		free := slices.Clone(c.nodes)
		slices.SortStableFunc(free, func(a, b int) int { return cmp.Compare(points[a].Y, points[b].Y) })
		for _, v := range free {
			if p, ok := pinned[v]; ok {
				points[v] = p
				continue
			}
			points[v] = taken.settle(v, Point{X: math.Round(points[v].X + dx), Y: math.Round(points[v].Y + dy)})
		}
	}
}

// occupied is a coarse grid of the places already taken.
type occupied struct {
	nodes []Size
	gap   float64
	at    map[[2]int][]placed
}

type placed struct {
	node int
	p    Point
}

const cell = 512

func newOccupied(nodes []Size, gap float64) *occupied {
	return &occupied{nodes: nodes, gap: gap, at: make(map[[2]int][]placed)}
}

func (o *occupied) cells(v int, p Point, fn func(key [2]int) bool) {
	s := o.nodes[v]
	for cx := int(math.Floor((p.X - o.gap) / cell)); cx <= int(math.Floor((p.X+s.W+o.gap)/cell)); cx++ {
		for cy := int(math.Floor((p.Y - o.gap) / cell)); cy <= int(math.Floor((p.Y+s.H+o.gap)/cell)); cy++ {
			if !fn([2]int{cx, cy}) {
				return
			}
		}
	}
}

func (o *occupied) add(v int, p Point) {
	o.cells(v, p, func(key [2]int) bool {
		o.at[key] = append(o.at[key], placed{v, p})
		return true
	})
}

// settle moves p down until v fits there, and takes the place.
func (o *occupied) settle(v int, p Point) Point {
	for {
		below := p.Y
		o.cells(v, p, func(key [2]int) bool {
			for _, other := range o.at[key] {
				s, t := o.nodes[v], o.nodes[other.node]
				if p.X < other.p.X+t.W && other.p.X < p.X+s.W && p.Y < other.p.Y+t.H+o.gap && other.p.Y < p.Y+s.H+o.gap {
					below = max(below, other.p.Y+t.H+o.gap)
				}
			}
			return true
		})
		if below == p.Y {
			o.add(v, p)
			return p
		}
		p.Y = below
	}
}
