package instance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"dorado/modules/flow"
)

// States of a node that no attempt has: the page's own, beside those of attempts.
const (
	NodeNone    = "NONE"    // its turn has not come
	NodeSkipped = "SKIPPED" // forbidden, or outside the part of the graph that runs
)

// Node is a task of the version that runs, with where it stands in the run.
type Node struct {
	Task    *flow.Task
	State   string  // of the attempt that counts, or NodeNone, NodeSkipped
	Current *Task   // the attempt that counts; nil without one
	All     []Task  // every attempt in this instance, oldest first, those of earlier runs too
	Reason  Reason  // why it is not running, or what it ended of
	In      bool    // it takes part in the run
	Left    bool    // a branch did not choose it
	alone   bool    // a streaming task that was started by itself
	Pred    []int32 // whom it waits for
}

// Forbidden reports whether the run passes the task through without an attempt: it is switched off, or a streaming task that is
// not the one that was started.
func (n *Node) Forbidden() bool { return n.Task.Passed() && !n.alone }

// counts reports whether the node has a turn in this run.
func (n *Node) counts() bool { return n.In && !n.Forbidden() }

// passed reports whether successors need not wait for the node any more.
func (n *Node) passed() bool {
	return !n.counts() || n.Left || n.Current != nil && n.Current.State.Succeeded()
}

// Detail is an instance with the state of every task of its version.
type Detail struct {
	*Instance
	Version *flow.Definition
	Nodes   []Node // in topological order
	Done    int    // tasks that have ended, of Total that take part
	Total   int
	program *program
	param   flow.CommandParam
	around  around
}

// Failed lists the nodes that failed for good, in topological order.
func (d *Detail) Failed() []*Node {
	var out []*Node
	for i := range d.Nodes {
		if a := d.Nodes[i].Current; a != nil && (a.State == flow.TaskFailure || a.State == flow.TaskLost) {
			out = append(out, &d.Nodes[i])
		}
	}
	return out
}

// Node finds a task of the run by code, nil when the version has none such.
func (d *Detail) Node(code int64) *Node {
	i, ok := d.program.graph.Index[code]
	if !ok {
		return nil
	}
	return &d.Nodes[i]
}

// Detail reads an instance of a project with all of its attempts. It returns ErrNotFound.
func (s *Service) Detail(ctx context.Context, project, id int64) (*Detail, error) {
	i, err := s.GetIn(ctx, project, id)
	if err != nil {
		return nil, err
	}
	return s.detailOf(ctx, i)
}

// detailOf is Detail for an instance that the caller may see.
func (s *Service) detailOf(ctx context.Context, i *Instance) (*Detail, error) {
	p, err := s.program(ctx, i.WorkflowCode, i.WorkflowVersion)
	if err != nil {
		return nil, err
	}
	tasks, err := s.store.tasks(ctx, i.ID, false)
	if err != nil {
		return nil, err
	}
	d, err := newDetail(i, p, tasks)
	if err != nil {
		return nil, err
	}
	if err := s.look(ctx, d); err != nil {
		return nil, err
	}
	d.skipped()
	d.explain(s.now(), s.Workers)
	return d, nil
}

// newDetail lays the attempts over the graph.
func newDetail(i *Instance, p *program, tasks []Task) (*Detail, error) {
	d := &Detail{Instance: i, Version: p.def, Nodes: make([]Node, p.graph.Len()), program: p}
	if err := json.Unmarshal([]byte(i.CommandParam), &d.param); err != nil {
		return nil, fmt.Errorf("workflow instance %d: command_param: %w", i.ID, err)
	}
	scope, err := p.graph.Scope(d.param.StartNodes, i.DependType)
	if err != nil {
		return nil, fmt.Errorf("workflow instance %d: %w", i.ID, err)
	}
	for n := range d.Nodes {
		d.Nodes[n] = Node{Task: &p.graph.Tasks[n], In: scope[n], Pred: p.graph.Pred[n], alone: i.Stream && scope[n]}
	}
	for _, t := range tasks {
		n, ok := p.graph.Index[t.TaskCode]
		if !ok {
			continue
		}
		d.Nodes[n].All = append(d.Nodes[n].All, t)
	}
	for n := range d.Nodes {
		node := &d.Nodes[n]
		for k := range node.All {
			if node.All[k].Valid {
				node.Current = &node.All[k]
			}
		}
		switch {
		case node.Current != nil:
			node.State = string(node.Current.State)
		case !node.counts():
			node.State = NodeSkipped
		default:
			node.State = NodeNone
		}
		if node.counts() {
			d.Total++
			if node.Current != nil && node.Current.State.Finished() && node.Current.State != flow.TaskPause {
				d.Done++
			}
		}
	}
	return d, nil
}

// Progress is how many tasks of an instance have ended, and which of them failed.
type Progress struct {
	Done   int
	Total  int      // of the version; a run of a part of the graph says so by what is done in the end
	Failed []string // names, at most three
}

// Progress counts for several instances at once. Whoever asks must have been allowed to see them.
func (s *Service) Progress(ctx context.Context, list []Instance) (map[int64]Progress, error) {
	out := make(map[int64]Progress, len(list))
	if len(list) == 0 {
		return out, nil
	}
	ids := make([]int64, len(list))
	for k := range list {
		ids[k] = list[k].ID
	}
	counts, err := s.store.progress(ctx, ids)
	if err != nil {
		return nil, err
	}
	failed, err := s.store.failedNames(ctx, ids)
	if err != nil {
		return nil, err
	}
	for k := range list {
		i := &list[k]
		p := Progress{Done: counts[i.ID], Failed: failed[i.ID]}
		if total, err := s.totalOf(ctx, i); err == nil {
			p.Total = total
		}
		out[i.ID] = p
	}
	return out, nil
}

// totalOf is how many tasks take part in an instance.
func (s *Service) totalOf(ctx context.Context, i *Instance) (int, error) {
	p, err := s.program(ctx, i.WorkflowCode, i.WorkflowVersion)
	if err != nil {
		return 0, err
	}
	d, err := newDetail(i, p, nil)
	if err != nil {
		return 0, err
	}
	return d.Total, nil
}

// Median is the duration that half of the last successful runs of a workflow stayed below, 0 without any.
func median(runs []Run) time.Duration {
	var took []time.Duration
	for _, r := range runs {
		if r.State == flow.WorkflowSuccess {
			took = append(took, r.Took)
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)/2]
}
