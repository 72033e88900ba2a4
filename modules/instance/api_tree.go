package instance

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"dorado/app/kit/listing"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
)

// A workflow as a tree whose nodes carry what the last runs did. A task with several tasks before it appears below each of
// them.

const (
	maxTreeRuns = 100
	// maxTree bounds the nodes of a tree: the ways through a graph may be far more than its tasks. Beyond it a task that
	// appears again does so without what comes after it.
	maxTree = 10_000
)

type dsTree struct {
	Name      string        `json:"name"`
	Type      string        `json:"type"`
	Code      int64         `json:"code"`
	Instances []dsTreeState `json:"instances"`
	Children  []dsTree      `json:"children"`
}

type dsTreeState struct {
	ID          int64      `json:"id"`
	Name        string     `json:"name"`
	Code        int64      `json:"code"`
	Type        string     `json:"type"`
	State       *string    `json:"state"`
	StartTime   dsapi.Time `json:"startTime"`
	EndTime     dsapi.Time `json:"endTime"`
	Host        *string    `json:"host"`
	Duration    *string    `json:"duration"`
	SubflowCode int64      `json:"subflowCode"`
}

func (a api) tree(r *http.Request, p *dsapi.Params) (any, error) {
	in, code, limit := p.Path("project"), p.Path("code"), p.RequiredInt("limit")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if limit < 0 {
		return nil, dsapi.ErrPaging
	}
	return a.svc.tree(r.Context(), in, code, min(limit, maxTreeRuns))
}

// tree draws the last runs of a workflow over its current version.
func (s *Service) tree(ctx context.Context, in, code int64, limit int) (dsTree, error) {
	w, err := s.Workflows.In(ctx, in, code)
	if err != nil {
		return dsTree{}, err
	}
	prog, err := s.program(ctx, code, w.Version)
	if err != nil {
		return dsTree{}, err
	}
	var runs []Instance
	if limit > 0 {
		q := listing.New(Spec(), 1, limit, "").WithFilter("workflow", strconv.FormatInt(code, 10))
		hidden, more := s.Access.NotHidden(ctx, "w.workflow_code", Read)
		page, err := s.store.list(ctx, `w.project_code = ?`+hidden, append([]any{in}, more...), q)
		if err != nil {
			return dsTree{}, err
		}
		runs = page.Items
	}
	now := s.now()
	root := dsTree{Name: "DAG", Instances: make([]dsTreeState, 0, len(runs))}
	attempts := make([]map[int64]*Task, len(runs))
	for k := range runs {
		i := &runs[k]
		state, took := string(i.State), clock(i.Duration(now))
		root.Instances = append(root.Instances, dsTreeState{
			ID: i.ID, Name: i.Name, Code: i.WorkflowCode, State: &state, StartTime: dsapi.Time(i.StartTime), EndTime: at(i.EndTime),
			Host: dsapi.OrNull(i.Host), Duration: &took,
		})
		tasks, err := s.store.tasks(ctx, i.ID, true)
		if err != nil {
			return dsTree{}, err
		}
		attempts[k] = make(map[int64]*Task, len(tasks))
		for n := range tasks {
			attempts[k][tasks[n].TaskCode] = &tasks[n]
		}
	}
	root.Children = newTreeBuilder(prog, attempts, now).roots()
	return root, nil
}

// treeBuilder makes the nodes below the root.
type treeBuilder struct {
	prog     *program
	attempts []map[int64]*Task // of each run
	now      time.Time
	after    map[int64][]int64
	before   map[int64]bool
	made     int
	seen     map[int64]bool
}

func newTreeBuilder(prog *program, attempts []map[int64]*Task, now time.Time) *treeBuilder {
	b := &treeBuilder{prog: prog, attempts: attempts, now: now, after: map[int64][]int64{}, before: map[int64]bool{}, seen: map[int64]bool{}}
	for _, e := range prog.def.Edges {
		b.after[e.Pre] = append(b.after[e.Pre], e.Post)
		b.before[e.Post] = true
	}
	return b
}

func (b *treeBuilder) roots() []dsTree {
	out := []dsTree{}
	for i := range b.prog.def.Tasks {
		if code := b.prog.def.Tasks[i].Code; !b.before[code] {
			out = append(out, b.node(code))
		}
	}
	return out
}

func (b *treeBuilder) node(code int64) dsTree {
	n, known := b.prog.graph.Index[code]
	if !known {
		return dsTree{Code: code, Instances: []dsTreeState{}, Children: []dsTree{}}
	}
	t := &b.prog.graph.Tasks[n]
	b.made++
	again := b.seen[code]
	b.seen[code] = true
	out := dsTree{Name: t.Name, Type: t.Type, Code: code, Instances: make([]dsTreeState, len(b.attempts)), Children: []dsTree{}}
	for k, of := range b.attempts {
		out.Instances[k] = b.state(of[code], t)
	}
	if again && b.made > maxTree {
		return out
	}
	for _, next := range b.after[code] {
		out.Children = append(out.Children, b.node(next))
	}
	return out
}

// state is what a task did in one run; nil = nothing.
func (b *treeBuilder) state(a *Task, t *flow.Task) dsTreeState {
	if a == nil {
		return dsTreeState{ID: -1, Name: "not running", Type: "null"}
	}
	state, took := string(a.State), clock(a.Duration(b.now))
	return dsTreeState{
		ID: a.ID, Name: a.Name, Code: a.TaskCode, Type: a.Type, State: &state, StartTime: at(a.StartTime), EndTime: at(a.EndTime),
		Host: dsapi.OrNull(a.Host), Duration: &took, SubflowCode: subflow(t),
	}
}

// subflow is the workflow that a task starts, under either of its names; 0 for a task that starts none.
func subflow(t *flow.Task) int64 {
	if !flow.KindOf(t.Type).Children() {
		return 0
	}
	var params struct {
		Now json.Number `json:"workflowDefinitionCode"`
		Old json.Number `json:"processDefinitionCode"`
	}
	if json.Unmarshal(t.Params, &params) != nil {
		return 0
	}
	for _, n := range []json.Number{params.Now, params.Old} {
		if code, err := n.Int64(); err == nil {
			return code
		}
	}
	return 0
}
