package instance

import (
	"slices"
	"time"
)

// criticalPath is the chain of tasks that decided when a run ended, and how much the others could have been late.
type criticalPath struct {
	on     map[int32]bool
	nodes  []int32         // in the order in which they ran
	length time.Duration   // from the submission of the first to the end of the last
	slack  []time.Duration // by node; negative for a task without an attempt
}

// critical walks back from the task that ended last through the predecessor that ended latest. What still runs ends now.
func (d *Detail) critical(now time.Time) criticalPath {
	path := criticalPath{on: map[int32]bool{}, slack: make([]time.Duration, len(d.Nodes))}
	ends := make([]time.Time, len(d.Nodes))
	last, lastOrdinary := int32(-1), int32(-1)
	for n := range d.Nodes {
		path.slack[n] = -1
		a := d.Nodes[n].Current
		if a == nil {
			continue
		}
		ends[n] = now
		if a.EndTime != nil {
			ends[n] = *a.EndTime
		}
		if last < 0 || ends[n].After(ends[last]) {
			last = int32(n)
		}
		if !d.Nodes[n].Task.Finally && (lastOrdinary < 0 || ends[n].After(ends[lastOrdinary])) {
			lastOrdinary = int32(n)
		}
	}
	if last < 0 {
		return path
	}
	before := func(n int32) []int32 { return d.ranBefore(n, lastOrdinary) }
	for n := last; n >= 0; {
		path.on[n], path.nodes = true, append(path.nodes, n)
		n = latest(before(n), ends)
	}
	slices.Reverse(path.nodes)
	path.length = ends[last].Sub(d.Nodes[path.nodes[0]].Current.SubmitTime)

	// The latest end of each task that moves nothing: counted back from the end of the run.
	for n := range slices.Backward(d.Nodes) {
		if d.Nodes[n].Current == nil {
			continue
		}
		if path.slack[n] < 0 {
			path.slack[n] = ends[last].Sub(ends[n])
		}
		preds := before(int32(n))
		if len(preds) == 0 {
			continue
		}
		ready := ends[latest(preds, ends)]
		for _, p := range preds {
			room := max(0, path.slack[n]+ready.Sub(ends[p]))
			if path.slack[p] < 0 || room < path.slack[p] {
				path.slack[p] = room
			}
		}
	}
	for n := range path.on {
		path.slack[n] = 0
	}
	return path
}

// ranBefore lists the predecessors with an attempt; tasks without one are looked through. The first tasks of those that run
// at the very end follow on the ordinary one that ended last.
func (d *Detail) ranBefore(n, lastOrdinary int32) []int32 {
	var out []int32
	seen := map[int32]bool{}
	var walk func(n int32)
	walk = func(n int32) {
		for _, p := range d.Nodes[n].Pred {
			if seen[p] {
				continue
			}
			seen[p] = true
			if d.Nodes[p].Current != nil {
				out = append(out, p)
			} else {
				walk(p)
			}
		}
	}
	walk(n)
	if len(out) == 0 && d.Nodes[n].Task.Finally && lastOrdinary >= 0 {
		out = append(out, lastOrdinary)
	}
	return out
}

// latest is the node that ended last, -1 for none.
func latest(nodes []int32, ends []time.Time) int32 {
	at := int32(-1)
	for _, n := range nodes {
		if at < 0 || ends[n].After(ends[at]) {
			at = n
		}
	}
	return at
}
