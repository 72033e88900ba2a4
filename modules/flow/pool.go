package flow

import (
	"slices"
	"strings"
	"time"
)

// Pool holds the OUT values that reach a place of the graph, each with the task it came from. It is an immutable
// value, cheap to pass on: a chain of tasks that emit nothing shares one pool. The zero Pool is empty.
//
// A node keeps its *effective* pool, built from its direct predecessors when it finishes:
//
//	received := Inherit(effective pools of the direct predecessors...)
//	effective := received.Emit(task code, end time, own OUT values)  // a task that ran
//	effective := received                                            // forbidden, skipped, CONDITIONS, SWITCH: transparent
//
// Why that is the rule of engine.md 6.5 (all ancestors, nearest first; equally near: non-empty, then later end, then
// greater code): each entry carries its distance, and order among entries is (distance, empty, end, code). Passing a
// node adds the same one to the distance of all it hands on, so their order never changes behind it, and an entry that
// lost at some node would lose at every node behind, whatever else arrives there. Keeping the best per name at each
// node therefore loses nothing, and one look at the direct predecessors equals the walk over all ancestors.
type Pool struct {
	entries []PoolEntry // ascending by Prop, unique; shared, never written again
	passed  int         // added to the distance of all entries
}

// PoolEntry is one OUT value on its way downstream.
type PoolEntry struct {
	Property
	TaskCode int64
	EndTime  time.Time
	distance int // tasks passed since it was emitted, less Pool.passed
}

// Len is the number of values.
func (p Pool) Len() int { return len(p.entries) }

// Entries lists the values by name. The caller must not write to them.
func (p Pool) Entries() []PoolEntry { return p.entries }

// Properties lists the values by name, without their origin.
func (p Pool) Properties() []Property {
	if len(p.entries) == 0 {
		return nil
	}
	out := make([]Property, len(p.entries))
	for i := range p.entries {
		out[i] = p.entries[i].Property
	}
	return out
}

// Emit is the effective pool of a task that ran: what it received, overlaid with the OUT values it emitted. Entries
// of direct IN are ignored; of two with the same name the last counts.
func (p Pool) Emit(task int64, end time.Time, own []Property) Pool {
	p.passed++
	mine := make([]PoolEntry, 0, len(own))
	for _, property := range own {
		if property.Direct == Out && property.Prop != "" {
			mine = append(mine, PoolEntry{Property: property, TaskCode: task, EndTime: end})
		}
	}
	if len(mine) == 0 {
		return p
	}
	slices.SortStableFunc(mine, func(a, b PoolEntry) int { return strings.Compare(a.Prop, b.Prop) })
	last := mine[:0]
	for i := range mine {
		if i+1 == len(mine) || mine[i+1].Prop != mine[i].Prop {
			last = append(last, mine[i])
		}
	}
	return merge(p, Pool{entries: last}) // at distance 0, which beats everything received
}

// Inherit merges the effective pools of all direct predecessors of a node.
func Inherit(preds ...Pool) Pool {
	if len(preds) == 1 {
		return preds[0]
	}
	switch different := distinct(preds); len(different) {
	case 0:
		return Pool{}
	case 1:
		return different[0]
	case 2:
		return merge(different[0], different[1])
	default:
		return mergeMany(different)
	}
}

// distinct drops empty pools, and keeps the nearest of those that share their entries.
func distinct(pools []Pool) []Pool {
	out := make([]Pool, 0, min(len(pools), 8))
	seen := make(map[*PoolEntry]int, min(len(pools), 8))
	for _, p := range pools {
		if len(p.entries) == 0 {
			continue
		}
		if at, shared := seen[&p.entries[0]]; shared {
			out[at].passed = min(out[at].passed, p.passed)
			continue
		}
		seen[&p.entries[0]] = len(out)
		out = append(out, p)
	}
	return out
}

// merge joins two pools in one pass; the result has passed 0 and true distances.
func merge(a, b Pool) Pool {
	out := make([]PoolEntry, 0, len(a.entries)+len(b.entries))
	i, k := 0, 0
	for i < len(a.entries) || k < len(b.entries) {
		order := 0
		switch {
		case i == len(a.entries):
			order = 1
		case k == len(b.entries):
			order = -1
		default:
			order = strings.Compare(a.entries[i].Prop, b.entries[k].Prop)
		}
		var winner PoolEntry
		if order <= 0 {
			winner = a.at(i)
			i++
		}
		if order >= 0 {
			if other := b.at(k); order > 0 || other.beats(&winner) {
				winner = other
			}
			k++
		}
		out = append(out, winner)
	}
	return Pool{entries: out}
}

// mergeMany joins any number of pools in time linear in their entries, and sorts the names that are left.
func mergeMany(pools []Pool) Pool {
	best := make(map[string]int, len(pools[0].entries)+len(pools))
	var out []PoolEntry
	for _, p := range pools {
		for i := range p.entries {
			entry := p.at(i)
			at, known := best[entry.Prop]
			if !known {
				best[entry.Prop] = len(out)
				out = append(out, entry)
			} else if entry.beats(&out[at]) {
				out[at] = entry
			}
		}
	}
	slices.SortFunc(out, func(a, b PoolEntry) int { return strings.Compare(a.Prop, b.Prop) })
	return Pool{entries: out}
}

func (p Pool) at(i int) PoolEntry {
	entry := p.entries[i]
	entry.distance += p.passed
	return entry
}

// beats says which of two values of one name wins.
func (e *PoolEntry) beats(other *PoolEntry) bool {
	if e.distance != other.distance {
		return e.distance < other.distance
	}
	if empty := e.Value == ""; empty != (other.Value == "") {
		return !empty
	}
	if !e.EndTime.Equal(other.EndTime) {
		return e.EndTime.After(other.EndTime)
	}
	return e.TaskCode > other.TaskCode
}

// MergeUpstream computes from scratch what reaches node, asking done for each ancestor's emitted values and end time.
// ok false makes an ancestor transparent: it has no successful attempt, or it is of a kind that only passes values on.
// The engine keeps effective pools instead; this is for pages and for recovery of one task.
func MergeUpstream(g *Graph, node int32, done func(node int32) (varPool []Property, endTime time.Time, ok bool)) Pool {
	effective := make(map[int32]Pool)
	var preds []Pool
	received := func(i int32) Pool {
		preds = preds[:0]
		for _, p := range g.Pred[i] {
			preds = append(preds, effective[p])
		}
		return Inherit(preds...)
	}
	for _, i := range g.Ancestors(node) {
		pool := received(i)
		if own, end, ok := done(i); ok {
			pool = pool.Emit(g.Tasks[i].Code, end, own)
		}
		effective[i] = pool
	}
	return received(node)
}
