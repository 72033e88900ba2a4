package flow

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrEmpty says that a definition has no task, so there is nothing to run.
var ErrEmpty = errors.New("flow: a workflow needs at least one task")

// CycleError says that tasks wait for each other in a ring.
type CycleError struct {
	Codes []int64  // the ring in running order; the first task is not repeated at the end
	Names []string // their names, in the same order
}

// Error shows the ring as "a → b → a".
func (e *CycleError) Error() string { return "flow: the tasks form a cycle: " + e.Path() }

// Path is the ring as people read it, closed by its first task.
func (e *CycleError) Path() string {
	return strings.Join(e.Names, " → ") + " → " + e.Names[0]
}

// Graph is a definition made ready to run: tasks are small integers, and every edge is there in both directions.
//
// The indices are a topological order, so Pred[i] holds only smaller numbers than i, Succ[i] only greater ones, and a
// plain loop from 0 visits every task after all tasks before it. The order depends on codes and edges alone, not on
// how the definition lists them. Rows of Succ and Pred ascend. A Graph is immutable and may be shared.
type Graph struct {
	Tasks []Task          // by index
	Succ  [][]int32       // by index: who waits for the task
	Pred  [][]int32       // by index: whom the task waits for
	Index map[int64]int32 // task code → index
	Kinds []TaskKind      // by index
}

// Compile builds the graph of def in linear time. It fails with ErrEmpty, a *CycleError, or an error that names the
// duplicate task, the unknown end of an edge, the duplicate edge or the self loop. Wire rows with preTaskCode 0 must
// be gone by now.
func Compile(def *Definition) (*Graph, error) {
	n := len(def.Tasks)
	if n == 0 {
		return nil, ErrEmpty
	}
	byCode := make([]int32, n) // positions in def.Tasks, by ascending code
	for i := range byCode {
		byCode[i] = int32(i)
	}
	slices.SortFunc(byCode, func(a, b int32) int { return cmp.Compare(def.Tasks[a].Code, def.Tasks[b].Code) })
	rank := make(map[int64]int32, n)
	for r, at := range byCode {
		task := &def.Tasks[at]
		if _, twice := rank[task.Code]; twice {
			return nil, fmt.Errorf("flow: task code %d of %q is used twice", task.Code, task.Name)
		}
		rank[task.Code] = int32(r)
	}
	pres, posts := make([]int32, len(def.Edges)), make([]int32, len(def.Edges))
	for i, e := range def.Edges {
		pre, okPre := rank[e.Pre]
		post, okPost := rank[e.Post]
		switch {
		case !okPre:
			return nil, fmt.Errorf("flow: an edge starts at the unknown task code %d", e.Pre)
		case !okPost:
			return nil, fmt.Errorf("flow: an edge ends at the unknown task code %d", e.Post)
		case pre == post:
			return nil, fmt.Errorf("flow: task %q waits for itself", def.Tasks[byCode[pre]].Name)
		}
		pres[i], posts[i] = pre, post
	}
	succ, pred := adjacency(n, pres, posts)
	order, waits := sortTopologically(succ, pred)
	if len(order) < n {
		return nil, findCycle(def, byCode, pred, waits)
	}

	g := &Graph{Tasks: make([]Task, n), Index: rank, Kinds: make([]TaskKind, n)}
	position := make([]int32, n) // rank → index
	for i, r := range order {
		position[r] = int32(i)
		g.Tasks[i] = def.Tasks[byCode[r]]
		g.Index[g.Tasks[i].Code] = int32(i)
		g.Kinds[i] = KindOf(g.Tasks[i].Type)
	}
	for i := range pres {
		pres[i], posts[i] = position[pres[i]], position[posts[i]]
	}
	g.Succ, g.Pred = adjacency(n, pres, posts)
	for i, row := range g.Succ {
		for k := 1; k < len(row); k++ {
			if row[k] == row[k-1] {
				return nil, fmt.Errorf("flow: the edge from %q to %q is there twice", g.Tasks[i].Name, g.Tasks[row[k]].Name)
			}
		}
	}
	return g, nil
}

// adjacency lists the edges in both directions, each row ascending. It reorders the pairs it is given.
func adjacency(n int, pres, posts []int32) (succ, pred [][]int32) {
	// Grouping keeps the order it finds, so turning the edges around sorts them, and in linear time.
	pres, posts = flatten(rows(n, posts, pres), pres, posts)
	succ = rows(n, pres, posts)
	posts, pres = flatten(succ, posts, pres)
	return succ, rows(n, posts, pres)
}

// rows groups values by key: row k holds values[i] for each i with keys[i] == k, in the order of i. All rows share
// one array.
func rows(n int, keys, values []int32) [][]int32 {
	ends := make([]int32, n+1)
	for _, k := range keys {
		ends[k+1]++
	}
	for k := range n {
		ends[k+1] += ends[k]
	}
	flat, out := make([]int32, len(values)), make([][]int32, n)
	for k := range n {
		out[k] = flat[ends[k]:ends[k]:ends[k+1]]
	}
	for i, k := range keys {
		out[k] = append(out[k], values[i])
	}
	return out
}

// flatten lists grouped pairs again, values first, into the two slices it is given.
func flatten(grouped [][]int32, values, keys []int32) ([]int32, []int32) {
	values, keys = values[:0], keys[:0]
	for k, row := range grouped {
		for _, v := range row {
			values, keys = append(values, v), append(keys, int32(k))
		}
	}
	return values, keys
}

// sortTopologically is Kahn's algorithm with a plain queue. It also returns how many predecessors each node still
// waits for, which is not zero exactly for nodes on or behind a cycle.
func sortTopologically(succ, pred [][]int32) (order, waits []int32) {
	waits, order = make([]int32, len(pred)), make([]int32, 0, len(pred))
	for i, row := range pred {
		if waits[i] = int32(len(row)); len(row) == 0 {
			order = append(order, int32(i))
		}
	}
	for next := 0; next < len(order); next++ {
		for _, s := range succ[order[next]] {
			if waits[s]--; waits[s] == 0 {
				order = append(order, s)
			}
		}
	}
	return order, waits
}

// findCycle walks backwards among the nodes that were never free. Each of them has such a predecessor, so the walk
// must meet itself.
func findCycle(def *Definition, byCode []int32, pred [][]int32, waits []int32) error {
	at := int32(slices.IndexFunc(waits, func(w int32) bool { return w > 0 }))
	step := make(map[int32]int)
	var walk []int32
	for {
		if first, met := step[at]; met {
			walk = walk[first:]
			break
		}
		step[at] = len(walk)
		walk = append(walk, at)
		at = pred[at][slices.IndexFunc(pred[at], func(p int32) bool { return waits[p] > 0 })]
	}
	slices.Reverse(walk)
	least := slices.Index(walk, slices.Min(walk)) // the same ring reads the same wherever the walk began
	e := &CycleError{}
	for i := range walk {
		task := &def.Tasks[byCode[walk[(least+i)%len(walk)]]]
		e.Codes, e.Names = append(e.Codes, task.Code), append(e.Names, task.Name)
	}
	return e
}

// Len is the number of tasks.
func (g *Graph) Len() int { return len(g.Tasks) }

// TopoOrder lists all indices so that each comes after its predecessors, which is 0, 1, 2 … by construction.
func (g *Graph) TopoOrder() []int32 {
	order := make([]int32, len(g.Tasks))
	for i := range order {
		order[i] = int32(i)
	}
	return order
}

// Scope cuts the graph (engine.md 2.4): element i says whether task i takes part in the run. No start node means all
// tasks, whatever d says; d "" is TASK_POST. Finally tasks come after all tasks, so TASK_POST includes them. A predecessor outside the scope counts as satisfied. It fails when a
// start node is not in the graph or d is no known cut.
func (g *Graph) Scope(start []int64, d TaskDependType) ([]bool, error) {
	in := make([]bool, len(g.Tasks))
	if len(start) == 0 {
		for i := range in {
			in[i] = true
		}
		return in, nil
	}
	for _, code := range start {
		i, ok := g.Index[code]
		if !ok {
			return nil, fmt.Errorf("flow: start node %d is not a task of this workflow version", code)
		}
		in[i] = true
	}
	switch d {
	case TaskOnly:
	case TaskPre:
		g.growBack(in)
	case TaskPost, "":
		for i, row := range g.Succ {
			if in[i] {
				for _, s := range row {
					in[s] = true
				}
			}
			in[i] = in[i] || g.Tasks[i].Finally
		}
	default:
		return nil, fmt.Errorf("flow: %q is no way to cut a workflow", d)
	}
	return in, nil
}

// growBack adds all ancestors of the nodes in the set.
func (g *Graph) growBack(in []bool) {
	for i, found := range slices.Backward(in) { // reads each when it gets there
		if found {
			for _, p := range g.Pred[i] {
				in[p] = true
			}
		}
	}
}

// Ancestors lists every task before i, in topological order; i itself is not one.
func (g *Graph) Ancestors(i int32) []int32 {
	in := make([]bool, i+1)
	in[i] = true
	g.growBack(in)
	var out []int32
	for k := range i {
		if in[k] {
			out = append(out, k)
		}
	}
	return out
}
