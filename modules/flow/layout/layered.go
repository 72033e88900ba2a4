package layout

import (
	"cmp"
	"math"
	"slices"
)

const (
	sweeps      = 24 // median sweeps at most
	patience    = 6
	exchanges   = 24 // rounds of swapping neighbours afterwards, fewer in a huge graph
	placements  = 16 // rounds of moving towards the neighbours
	finishing   = 2  // of these, the last ones look at both sides
	dummyHeight = 8
	dummyBudget = 60_000 // dummies in one component; longer edges beyond it are drawn straight through
)

// vertex is a node of the component, or a dummy on a long edge.
type vertex struct {
	node    int32 // index into Graph.Nodes, -1 for a dummy
	rank    int32
	in, out []int32
	order   int32
	y, h    float64 // centre and height
}

// layered is the working state of one component.
type layered struct {
	v      []vertex
	ranks  [][]int32
	keys   []float64 // scratch: sort key by vertex
	ends   []int32   // scratch: end points while counting crossings
	tree   []int32   // scratch: Fenwick-like counting tree
	around []int32   // scratch: positions of neighbours
}

// placeComponent writes the points of one component, starting at 0,0.
func placeComponent(c []int, nodes []Size, edges [][2]int, opt Options, points []Point) part {
	if len(c) == 1 {
		points[c[0]] = Point{}
		return part{nodes: c, w: nodes[c[0]].W, h: nodes[c[0]].H}
	}
	l := newLayered(c, nodes, edges)
	l.rank()
	l.addDummies()
	l.arrange()
	l.place(opt.NodeGap)

	width := make([]float64, len(l.ranks))
	top := math.Inf(1)
	for i := range c {
		width[l.v[i].rank] = max(width[l.v[i].rank], nodes[c[i]].W)
		top = min(top, l.v[i].y-l.v[i].h/2)
	}
	left := make([]float64, len(l.ranks)+1)
	for r, w := range width {
		left[r+1] = left[r] + w + opt.RankGap
	}
	p := part{nodes: c, w: left[len(l.ranks)] - opt.RankGap}
	for i, node := range c {
		at := Point{X: left[l.v[i].rank], Y: math.Round(l.v[i].y - l.v[i].h/2 - top)}
		points[node] = at
		p.h = max(p.h, at.Y+nodes[node].H)
	}
	return p
}

func newLayered(c []int, nodes []Size, edges [][2]int) *layered {
	l := &layered{v: make([]vertex, len(c), 2*len(c))}
	at := make(map[int]int32, len(c))
	for i, node := range c {
		l.v[i] = vertex{node: int32(node), h: nodes[node].H}
		at[node] = int32(i)
	}
	for _, e := range edges {
		a, ok := at[e[0]]
		if !ok {
			continue
		}
		b := at[e[1]]
		l.v[a].out = append(l.v[a].out, b)
		l.v[b].in = append(l.v[b].in, a)
	}
	l.breakCycles()
	return l
}

// breakCycles removes the edges that lead back to a vertex still being visited.
func (l *layered) breakCycles() {
	const white, grey, black = 0, 1, 2
	colour := make([]byte, len(l.v))
	type frame struct{ v, next int32 }
	for start := range l.v {
		if colour[start] != white {
			continue
		}
		colour[start] = grey
		stack := []frame{{int32(start), 0}}
		for len(stack) > 0 {
			f := &stack[len(stack)-1]
			if int(f.next) == len(l.v[f.v].out) {
				colour[f.v] = black
				stack = stack[:len(stack)-1]
				continue
			}
			w := l.v[f.v].out[f.next]
			switch colour[w] {
			case grey:
				l.v[f.v].out = slices.Delete(l.v[f.v].out, int(f.next), int(f.next)+1)
				in := l.v[w].in
				l.v[w].in = slices.Delete(in, slices.Index(in, f.v), slices.Index(in, f.v)+1)
			case white:
				f.next++
				colour[w] = grey
				stack = append(stack, frame{w, 0})
			default:
				f.next++
			}
		}
	}
}

// rank gives each vertex the length of the longest path to it, then pulls sources next to their first successor.
func (l *layered) rank() {
	waits := make([]int, len(l.v))
	var queue []int32
	for i := range l.v {
		waits[i] = len(l.v[i].in)
		if waits[i] == 0 {
			queue = append(queue, int32(i))
		}
	}
	for k := 0; k < len(queue); k++ {
		a := &l.v[queue[k]]
		for _, w := range a.out {
			l.v[w].rank = max(l.v[w].rank, a.rank+1)
			if waits[w]--; waits[w] == 0 {
				queue = append(queue, w)
			}
		}
	}
	for _, i := range queue {
		if a := &l.v[i]; len(a.in) == 0 && len(a.out) > 0 {
			nearest := int32(math.MaxInt32)
			for _, w := range a.out {
				nearest = min(nearest, l.v[w].rank)
			}
			a.rank = nearest - 1
		}
	}
	lowest := int32(math.MaxInt32)
	for i := range l.v {
		lowest = min(lowest, l.v[i].rank)
	}
	for i := range l.v {
		l.v[i].rank -= lowest
	}
}

// addDummies replaces every edge over more than one rank by a chain. Short edges first: when the budget is used up,
// only the longest edges stay out of the ordering.
func (l *layered) addDummies() {
	type edge struct{ a, b, span int32 }
	var edges []edge
	var deepest int32
	for i := range l.v {
		for _, w := range l.v[i].out {
			edges = append(edges, edge{int32(i), w, l.v[w].rank - l.v[i].rank})
		}
		l.v[i].in, l.v[i].out = nil, nil
		deepest = max(deepest, l.v[i].rank)
	}
	slices.SortStableFunc(edges, func(a, b edge) int { return cmp.Compare(a.span, b.span) })
	budget := int32(dummyBudget)
	for _, e := range edges {
		if e.span-1 > budget {
			break
		}
		budget -= e.span - 1
		prev := e.a
		for r := l.v[e.a].rank + 1; r < l.v[e.b].rank; r++ {
			k := int32(len(l.v))
			l.v = append(l.v, vertex{node: -1, rank: r, h: dummyHeight})
			l.join(prev, k)
			prev = k
		}
		l.join(prev, e.b)
	}
	l.ranks = make([][]int32, deepest+1)
	l.firstOrder()
}

func (l *layered) join(a, b int32) {
	l.v[a].out = append(l.v[a].out, b)
	l.v[b].in = append(l.v[b].in, a)
}

// firstOrder walks depth first from the sources, which keeps branches together.
func (l *layered) firstOrder() {
	seen := make([]bool, len(l.v))
	var stack []int32
	for i, v := range slices.Backward(l.v) {
		if len(v.in) == 0 {
			stack = append(stack, int32(i))
		}
	}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[i] {
			continue
		}
		seen[i] = true
		l.ranks[l.v[i].rank] = append(l.ranks[l.v[i].rank], i)
		for _, next := range slices.Backward(l.v[i].out) {
			stack = append(stack, next)
		}
	}
	l.number()
}

func (l *layered) number() {
	for _, rank := range l.ranks {
		for i, v := range rank {
			l.v[v].order = int32(i)
		}
	}
}

// arrange sweeps down and up over the ranks and keeps the best order seen.
func (l *layered) arrange() {
	l.keys = make([]float64, len(l.v))
	best, lastBetter := l.crossings(), 0
	kept := cloneRanks(l.ranks)
	for it := 0; it < sweeps && best > 0 && it-lastBetter < patience; it++ {
		down := it%2 == 0
		for k := 1; k < len(l.ranks); k++ {
			if down {
				l.sortRank(k, true)
			} else {
				l.sortRank(len(l.ranks)-1-k, false)
			}
		}
		if c := l.crossings(); c < best {
			best, lastBetter = c, it
			kept = cloneRanks(l.ranks)
		}
	}
	l.ranks = kept
	l.number()
	for range min(exchanges, 300_000/len(l.v)+1) {
		if !l.exchange() {
			break
		}
	}
}

// exchange swaps neighbours wherever that saves crossings, and says whether it did.
func (l *layered) exchange() bool {
	better := false
	for _, rank := range l.ranks {
		for i := 0; i+1 < len(rank); i++ {
			a, b := &l.v[rank[i]], &l.v[rank[i+1]]
			saved := l.inversions(a.in, b.in) - l.inversions(b.in, a.in) +
				l.inversions(a.out, b.out) - l.inversions(b.out, a.out)
			if saved > 0 {
				rank[i], rank[i+1] = rank[i+1], rank[i]
				a.order, b.order = b.order, a.order
				better = true
			}
		}
	}
	return better
}

// inversions counts the pairs where the neighbour of the left vertex stands right of the neighbour of the right one.
func (l *layered) inversions(left, right []int32) int {
	n := 0
	for _, p := range left {
		for _, q := range right {
			if l.v[p].order > l.v[q].order {
				n++
			}
		}
	}
	return n
}

func (l *layered) sortRank(r int, byIn bool) {
	rank := l.ranks[r]
	for i, v := range rank {
		next := l.v[v].out
		if byIn {
			next = l.v[v].in
		}
		l.keys[v] = l.median(next, float64(i))
	}
	slices.SortStableFunc(rank, func(a, b int32) int { return cmp.Compare(l.keys[a], l.keys[b]) })
	for i, v := range rank {
		l.v[v].order = int32(i)
	}
}

func (l *layered) median(of []int32, none float64) float64 {
	switch len(of) {
	case 0:
		return none
	case 1:
		return float64(l.v[of[0]].order)
	}
	p := l.around[:0]
	for _, w := range of {
		p = append(p, l.v[w].order)
	}
	l.around = p
	slices.Sort(p)
	k := len(p) / 2
	if len(p)%2 == 1 {
		return float64(p[k])
	}
	return float64(p[k-1]+p[k]) / 2
}

// crossings counts the pairs of edges that cross between neighbouring ranks.
func (l *layered) crossings() int {
	total := 0
	for r := 0; r+1 < len(l.ranks); r++ {
		ends := l.ends[:0]
		for _, v := range l.ranks[r] {
			from := len(ends)
			for _, w := range l.v[v].out {
				ends = append(ends, l.v[w].order)
			}
			slices.Sort(ends[from:])
		}
		l.ends = ends
		size := 1
		for size < len(l.ranks[r+1]) {
			size <<= 1
		}
		if cap(l.tree) < 2*size {
			l.tree = make([]int32, 2*size)
		}
		tree := l.tree[:2*size]
		clear(tree)
		for _, p := range ends {
			for i := int(p) + size; i > 1; i >>= 1 {
				tree[i]++
				if i&1 == 0 {
					total += int(tree[i+1])
				}
			}
		}
	}
	return total
}

func cloneRanks(in [][]int32) [][]int32 {
	out := make([][]int32, len(in))
	for i := range in {
		out[i] = slices.Clone(in[i])
	}
	return out
}

// place finds the centres inside the ranks.
func (l *layered) place(gap float64) {
	for _, rank := range l.ranks {
		y := 0.0
		for _, v := range rank {
			l.v[v].y = y + l.v[v].h/2
			y += l.v[v].h + gap
		}
	}
	var want, off []float64
	var blocks []block
	for it := range placements {
		for k := range l.ranks {
			r := k
			if it%2 == 1 {
				r = len(l.ranks) - 1 - k
			}
			rank := l.ranks[r]
			want = want[:0]
			for _, v := range rank {
				a := &l.v[v]
				switch {
				case it >= placements-finishing:
					want = append(want, (l.mean(a.in, a.y)+l.mean(a.out, a.y))/2)
				case it%2 == 0:
					want = append(want, l.mean(a.in, a.y))
				default:
					want = append(want, l.mean(a.out, a.y))
				}
			}
			off, blocks = l.settle(rank, want, off, blocks, gap)
		}
	}
	l.straighten(gap)
}

// straighten levels edges that are almost level: a vertex within reach of its only predecessor, or of the predecessor
// it is the only successor of, takes that height when its neighbours in the rank leave the room.
func (l *layered) straighten(gap float64) {
	const reach = 12
	gap /= 2 // a level edge is worth a narrower gap
	for _, rank := range l.ranks[1:] {
		for i, v := range rank {
			a := &l.v[v]
			y := math.Inf(1)
			for _, w := range a.in {
				if p := &l.v[w]; (len(a.in) == 1 || len(p.out) == 1) && math.Abs(p.y-a.y) < math.Abs(y-a.y) {
					y = p.y
				}
			}
			if math.Abs(y-a.y) > reach {
				continue
			}
			if i > 0 && y-a.h/2 < l.v[rank[i-1]].y+l.v[rank[i-1]].h/2+gap-1e-6 {
				continue
			}
			if i+1 < len(rank) && y+a.h/2 > l.v[rank[i+1]].y-l.v[rank[i+1]].h/2-gap+1e-6 {
				continue
			}
			a.y = y
		}
	}
}

func (l *layered) mean(of []int32, none float64) float64 {
	if len(of) == 0 {
		return none
	}
	sum := 0.0
	for _, w := range of {
		sum += l.v[w].y
	}
	return sum / float64(len(of))
}

type block struct {
	sum    float64
	count  int
	lo, hi int
}

// settle gives the vertices of a rank the places nearest to what they want that keep order and gaps: least squares by
// pooling adjacent violators.
func (l *layered) settle(rank []int32, want, off []float64, blocks []block, gap float64) ([]float64, []block) {
	off, blocks = append(off[:0], 0), blocks[:0]
	for i := 1; i < len(rank); i++ {
		off = append(off, off[i-1]+l.v[rank[i-1]].h/2+gap+l.v[rank[i]].h/2)
	}
	for i := range rank {
		b := block{want[i] - off[i], 1, i, i}
		for len(blocks) > 0 {
			p := blocks[len(blocks)-1]
			if p.sum*float64(b.count) <= b.sum*float64(p.count) {
				break
			}
			blocks = blocks[:len(blocks)-1]
			b = block{p.sum + b.sum, p.count + b.count, p.lo, b.hi}
		}
		blocks = append(blocks, b)
	}
	for _, b := range blocks {
		for i := b.lo; i <= b.hi; i++ {
			l.v[rank[i]].y = b.sum/float64(b.count) + off[i]
		}
	}
	return off, blocks
}
