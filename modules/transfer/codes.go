package transfer

import (
	"context"
	"encoding/json"
	"math"
	"slices"

	"dorado/modules/flow"
	"dorado/modules/transfer/neutral"
)

// codes say which code of a file becomes which code here.
type codes struct {
	target    int64                     // the project
	workflows map[int64]int64           // of the bundle
	tasks     map[int64]map[int64]int64 // by the workflow's code in the bundle
	projects  map[int64]int64           // of workflows here that are not of the bundle
}

func (w *world) codes() codes {
	return codes{w.project, map[int64]int64{}, map[int64]map[int64]int64{}, map[int64]int64{}}
}

// keep leaves the codes of a definition as they are.
func (c codes) keep(d *flow.Definition) {
	c.workflows[d.Code] = d.Code
	c.tasks[d.Code] = map[int64]int64{}
	for i := range d.Tasks {
		c.tasks[d.Code][d.Tasks[i].Code] = d.Tasks[i].Code
	}
}

// adopt gives tasks of d the codes of the tasks of has that have their code, or else their name; next makes those of the
// rest.
func (c codes) adopt(d, has *flow.Definition, next func(int64) int64) {
	byName, byCode := map[string]int64{}, map[int64]bool{}
	for i := range has.Tasks {
		byName[has.Tasks[i].Name] = has.Tasks[i].Code
		byCode[has.Tasks[i].Code] = true
	}
	used := map[int64]bool{}
	own := map[int64]int64{}
	for i := range d.Tasks {
		if code := d.Tasks[i].Code; byCode[code] {
			own[code], used[code] = code, true
		}
	}
	for i := range d.Tasks {
		t := &d.Tasks[i]
		if own[t.Code] != 0 {
			continue
		}
		if code := byName[t.Name]; code != 0 && !used[code] {
			own[t.Code], used[code] = code, true
			continue
		}
		own[t.Code] = next(t.Code)
	}
	c.tasks[d.Code] = own
}

func (c codes) workflow(w *world, n int64) int64 {
	if code := c.workflows[n]; code != 0 {
		return code
	}
	if to, ok := w.chosen(neutral.WorkflowRef, number(n)); ok && parse(to) > 0 {
		return parse(to)
	}
	return n
}

func (c codes) project(w *world, n, definition int64) int64 {
	if c.workflows[definition] != 0 {
		return c.target
	}
	if to, ok := w.chosen(neutral.WorkflowRef, number(definition)); ok && c.projects[parse(to)] != 0 {
		return c.projects[parse(to)]
	}
	return n
}

func (c codes) task(w *world, definition, n int64) int64 {
	if own := c.tasks[definition]; own != nil {
		if code := own[n]; code != 0 {
			return code
		}
		return n
	}
	if to, ok := w.chosen(neutral.Task, number(definition)+"/"+number(n)); ok && parse(to) > 0 {
		return parse(to)
	}
	return n
}

// definition is a workflow of the bundle as it is saved here. verbatim keeps what references that lead nowhere say.
func (w *world) definition(i int, c codes, verbatim bool) *flow.Definition {
	from := w.bundle.Workflows[i].Definition
	d := *from
	d.Code, d.ProjectCode, d.Version = c.workflows[from.Code], w.project, 0
	own := c.tasks[from.Code]
	d.GlobalParams = slices.Clone(from.GlobalParams)
	d.Tasks = slices.Clone(from.Tasks)
	for k := range d.Tasks {
		t := &d.Tasks[k]
		t.Params = w.rewritten(t, own, c)
		if len(t.Params) == 0 {
			t.Params = json.RawMessage("{}")
		}
		t.Code, t.Version = own[t.Code], 0
		w.settle(t, verbatim)
	}
	d.Edges = slices.Clone(from.Edges)
	for k := range d.Edges {
		d.Edges[k].Pre, d.Edges[k].Post = own[d.Edges[k].Pre], own[d.Edges[k].Post]
	}
	d.Locations = slices.Clone(from.Locations)
	for k := range d.Locations {
		d.Locations[k].TaskCode = own[d.Locations[k].TaskCode]
	}
	return &d
}

// settle puts in what the common fields of a task lead to.
func (w *world) settle(t *flow.Task, verbatim bool) {
	if to, ok := w.chosen(neutral.Environment, number(t.EnvironmentCode)); ok && (to != "" || !verbatim) {
		t.EnvironmentCode = max(-1, parse(to))
		if t.EnvironmentCode == 0 {
			t.EnvironmentCode = -1
		}
	}
	if to, ok := w.chosen(neutral.WorkerGroup, t.WorkerGroup); ok && (to != "" || !verbatim) {
		if t.WorkerGroup = to; to == "" {
			t.WorkerGroup = "default"
		}
	}
	if to, ok := w.chosen(neutral.TaskGroup, number(t.TaskGroupID)); ok && (to != "" || !verbatim) {
		t.TaskGroupID = max(0, parse(to))
	}
}

// assign makes the codes of everything that is imported.
func (w *world) assign(ctx context.Context, items []Item, keep bool) (codes, error) {
	c := w.codes()
	free := map[int64]bool{}
	if keep {
		var err error
		if free, err = w.freeCodes(ctx); err != nil {
			return c, err
		}
	}
	next := func(old int64) int64 {
		if free[old] {
			delete(free, old) // two things may have had it in the file
			return old
		}
		return w.svc.Workflows.Codes.Next()
	}
	for i := range items {
		d := w.bundle.Workflows[i].Definition
		if d == nil {
			continue
		}
		there := items[i].Existing
		switch {
		case items[i].Blocked && there.Code == 0, items[i].Action == Skip && there.Code == 0:
			continue
		case items[i].Action == Version, items[i].Action == Skip, items[i].Blocked:
			c.workflows[d.Code] = there.Code
			has, err := w.svc.Workflows.Definition(ctx, there.Code, 0)
			if err != nil {
				return c, err
			}
			c.adopt(d, has, next)
		default:
			c.workflows[d.Code] = next(d.Code)
			c.adopt(d, &flow.Definition{}, next)
		}
	}
	for _, ref := range w.order {
		r := w.refs[ref]
		if ref.Kind != neutral.WorkflowRef || r.Chosen == "" {
			continue
		}
		target, err := w.svc.Workflows.Get(ctx, parse(r.Chosen))
		if err != nil {
			return c, err
		}
		c.projects[target.Code] = target.ProjectCode
	}
	return c, nil
}

// freeCodes are the codes of the bundle that nothing here has. Small ones are never kept: clients take a code for one only
// beyond 32 bits.
func (w *world) freeCodes(ctx context.Context) (map[int64]bool, error) {
	free := map[int64]bool{}
	for i := range w.bundle.Workflows {
		if d := w.bundle.Workflows[i].Definition; d != nil {
			free[d.Code] = d.Code > math.MaxInt32
			for k := range d.Tasks {
				free[d.Tasks[k].Code] = d.Tasks[k].Code > math.MaxInt32
			}
		}
	}
	var all []int64
	for code, large := range free {
		if large {
			all = append(all, code)
		}
	}
	taken, err := w.svc.Workflows.TakenCodes(ctx, all)
	for code := range taken {
		free[code] = false
	}
	return free, err
}

// sorted lists the places of what is imported so that what a workflow names comes before it. Workflows that wait for each
// other cannot all be: those that come too early are in late. ring are workflows that start each other.
func (w *world) sorted(items []Item) (order, ring []int) {
	const (
		unseen = iota
		open
		done
	)
	state := make([]int, len(items))
	var path []int
	var visit func(i int) bool
	visit = func(i int) bool {
		state[i] = open
		path = append(path, i)
		links := w.links(i)
		to := make([]int, 0, len(links))
		for at := range links {
			to = append(to, at)
		}
		slices.Sort(to)
		// What it starts first: only rings of those are refused.
		slices.SortStableFunc(to, func(a, b int) int {
			switch {
			case links[a] == links[b]:
				return 0
			case links[a]:
				return -1
			}
			return 1
		})
		for _, at := range to {
			switch {
			case at == i || items[at].Blocked || items[at].Action == Skip || state[at] == done:
			case state[at] == open:
				if links[at] && w.starts(path[slices.Index(path, at):]) {
					ring = append([]int{}, path[slices.Index(path, at):]...)
					return false
				}
			case !visit(at):
				return false
			}
		}
		state[i] = done
		path = path[:len(path)-1]
		order = append(order, i)
		return true
	}
	for i := range items {
		if state[i] == unseen && !items[i].Blocked && items[i].Action != Skip && !visit(i) {
			return order, ring
		}
	}
	return order, nil
}

// starts reports whether each workflow of a way starts the next one.
func (w *world) starts(path []int) bool {
	for k := range path[:len(path)-1] {
		if !w.links(path[k])[path[k+1]] {
			return false
		}
	}
	return true
}
