package workflow

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"dorado/modules/flow"
)

// LineageNode is a workflow among those it depends on.
type LineageNode struct {
	Workflow Workflow
	Sources  []int64   // workflows of the graph that it starts or waits for
	Schedule *TimedRow // nil without one
}

// LineageGraph is which workflows depend on which.
type LineageGraph struct {
	Nodes []LineageNode // by name
	Edges []Dependence
}

// Dependence is an edge of a LineageGraph: Target starts Source, or waits for it.
type Dependence struct {
	Source int64 `db:"source"`
	Target int64 `db:"target"`
}

// TimedRow is the schedule of a workflow, as lists show it.
type TimedRow struct {
	State      flow.ReleaseState
	Start, End time.Time
	Crontab    string
	// Object is the schedule as clients of the REST API know it.
	Object any
}

// Timetable is a Scheduler that shows the schedules of workflows.
type Timetable interface {
	// WorkflowTimetable returns a schedule of each workflow that has one: the one that is online, else the oldest. Whoever
	// asks has been allowed to see the workflows.
	WorkflowTimetable(ctx context.Context, codes []int64) (map[int64]TimedRow, error)
}

// timetable is what the scheduler knows of workflows; nothing without one.
func (s *Service) timetable(ctx context.Context, codes []int64) (map[int64]TimedRow, error) {
	t, ok := s.scheduler.(Timetable)
	if !ok || len(codes) == 0 {
		return map[int64]TimedRow{}, nil
	}
	return t.WorkflowTimetable(ctx, codes)
}

// ProjectLineage is the graph of the workflows of a project, and of those of other projects they depend on that whoever acts
// may see.
func (s *Service) ProjectLineage(ctx context.Context, projectCode int64) (LineageGraph, error) {
	all, err := s.All(ctx, projectCode)
	if err != nil {
		return LineageGraph{}, err
	}
	codes := make([]int64, len(all))
	for i, w := range all {
		codes[i] = w.Code
	}
	edges, err := s.store.dependences(ctx, codes, false)
	if err != nil {
		return LineageGraph{}, err
	}
	return s.graph(ctx, codes, edges)
}

// WorkflowLineage is the graph of all that a workflow depends on and all that depends on it, directly or not, as far as
// whoever acts may see it. It returns ErrNotFound.
func (s *Service) WorkflowLineage(ctx context.Context, projectCode, code int64) (LineageGraph, error) {
	if _, err := s.in(ctx, projectCode, code, Read); err != nil {
		return LineageGraph{}, err
	}
	seen := map[int64]bool{code: true}
	var edges []Dependence
	for _, down := range []bool{false, true} {
		level := []int64{code}
		for len(level) > 0 {
			rows, err := s.store.dependences(ctx, level, down)
			if err != nil {
				return LineageGraph{}, err
			}
			level = nil
			for _, r := range rows {
				next := r.Source
				if down {
					next = r.Target
				}
				edges = append(edges, r)
				if !seen[next] {
					seen[next] = true
					level = append(level, next)
				}
			}
		}
	}
	codes := make([]int64, 0, len(seen))
	for c := range seen {
		codes = append(codes, c)
	}
	return s.graph(ctx, codes, edges)
}

// LineageByName is a node for each workflow of a project whose name contains text.
func (s *Service) LineageByName(ctx context.Context, projectCode int64, text string) ([]LineageNode, error) {
	g, err := s.ProjectLineage(ctx, projectCode)
	return slices.DeleteFunc(g.Nodes, func(n LineageNode) bool {
		return n.Workflow.ProjectCode != projectCode || !strings.Contains(strings.ToLower(n.Workflow.Name), strings.ToLower(text))
	}), err
}

// graph joins workflows and edges; what whoever acts may not see is left out.
func (s *Service) graph(ctx context.Context, codes []int64, edges []Dependence) (LineageGraph, error) {
	for _, e := range edges {
		codes = append(codes, e.Source, e.Target)
	}
	slices.Sort(codes)
	heads, err := s.store.heads(ctx, slices.Compact(codes))
	if err != nil {
		return LineageGraph{}, err
	}
	visible := make([]int64, 0, len(heads))
	for code, w := range heads {
		if !s.Projects.Access.CanWorkflow(ctx, w.ProjectCode, code, Read) {
			delete(heads, code)
			continue
		}
		visible = append(visible, code)
	}
	timed, err := s.timetable(ctx, visible)
	if err != nil {
		return LineageGraph{}, err
	}
	slices.SortFunc(edges, func(a, b Dependence) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Source, b.Source))
	})
	g := LineageGraph{}
	sources := map[int64][]int64{}
	for _, e := range slices.Compact(edges) {
		_, from := heads[e.Source]
		_, to := heads[e.Target]
		if from && to && e.Source != e.Target {
			g.Edges = append(g.Edges, e)
			sources[e.Target] = append(sources[e.Target], e.Source)
		}
	}
	for code, w := range heads {
		n := LineageNode{Workflow: w, Sources: sources[code]}
		if t, ok := timed[code]; ok {
			n.Schedule = &t
		}
		g.Nodes = append(g.Nodes, n)
	}
	slices.SortFunc(g.Nodes, func(a, b LineageNode) int {
		return cmp.Or(strings.Compare(a.Workflow.Name, b.Workflow.Name), cmp.Compare(a.Workflow.Code, b.Workflow.Code))
	})
	return g, nil
}
